//! What is worth telling although it went well.
//!
//! In: the facts. Out: a stable code for programs and a sentence for people.
//! Invariant: a warning travels in the results and stops nothing.

use serde::Serialize;

/// Something that did not stop the run and that a person should know.
///
/// Warnings travel in the results: the same value is printed, written to tiers.json and shown in the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// Stable, for programs: `constant_feature`, `net_not_positive`, …
    pub code: &'static str,
    /// For people: what was found and what to do.
    pub message: String,
    /// Ordinary business, worth a line in the results and none on a terminal every night.
    #[serde(skip)]
    pub note: bool,
}

impl Warning {
    /// A warning with its stable code and its sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            note: false,
        }
    }
}
