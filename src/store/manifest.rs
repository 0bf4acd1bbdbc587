//! manifest.json: what went in, what came out, and how long it took.

use std::collections::BTreeMap;

use serde::Serialize;

use super::OutputFile;
use crate::config::Options;

/// manifest.json. The only file of a run that differs between two runs of one input: it holds timings.
#[derive(Debug, Serialize)]
pub struct Manifest<'a, I: Serialize> {
    /// Name of the run.
    pub run_id: String,
    /// `run`, `fit` or `assign`.
    pub command: &'static str,
    /// Effective config.
    pub config: &'a Options,
    /// The model that `assign` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a ModelFile>,
    /// Input files.
    pub inputs: &'a [I],
    /// Where every row went.
    pub rows: Rows,
    /// Customers.
    pub customers: u64,
    /// Seconds by stage, in the order of the work.
    pub timings: serde_json::Map<String, serde_json::Value>,
    /// Largest resident memory of the process so far.
    pub peak_memory_bytes: Option<u64>,
    /// Files of the run, without this one.
    pub outputs: &'a [OutputFile],
    /// Versions of tiermill and of what it stands on.
    pub versions: BTreeMap<&'static str, String>,
    /// Seed of the random starts that found the tiers.
    pub seed: u64,
}

/// `model` of the manifest.
#[derive(Debug, Clone, Serialize)]
pub struct ModelFile {
    /// Where it was read from.
    pub path: String,
    /// SHA-256 of its text, hexadecimal.
    pub sha256: String,
}

/// `rows` of the manifest.
#[derive(Debug, Clone, Serialize)]
pub struct Rows {
    /// Rows in the input.
    pub read: u64,
    /// Rows that made the customers.
    pub used: u64,
    /// The others by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// Peak resident memory of this process, where the system tells.
#[expect(
    clippy::disallowed_methods,
    reason = "it is a page of the kernel and no input"
)]
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kib * 1024)
}
