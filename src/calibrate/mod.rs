//! Where the cut points lie, how sure they are, and what they would cost: for the people who set thresholds.
//!
//! In: customers and their tiers; the rules in force. Out: [`Calibration`] (thresholds.json): every way to cut each dimension,
//! with intervals; [`Thresholds`] as a rule file; and the clusters as rules ([`ClusterRules`]).
//! Invariant: counted over all customers, in whole numbers where people are counted; depends on neither threads nor row
//! order. What was found here are thresholds for others to use: it places nobody.
//!
//! ```text
//! customers ─line─▶ distinct values ─scheme, division─▶ cut points ─pieces─▶ bands      ─thresholds─▶ rule file
//!                        └─bins─▶ bootstrap ─▶ intervals      └─round─▶ round numbers   ─sql─▶ CASE
//! customers, tiers ─tree─▶ boxes ─clusters, words─▶ rules in place of clusters
//! ```

mod bins;
mod bootstrap;
mod clusters;
mod dimension;
mod division;
mod line;
mod pieces;
mod round;
mod scheme;
mod sql;
mod thresholds;
mod tree;
mod words;

use rayon::prelude::*;
use serde::Serialize;

pub use bootstrap::{LEVEL, Resampling};
pub use clusters::{
    Bounds, ClusterRules, FIDELITY, Faith, MOST_RULES, Rule, Step, Tiered, cluster_rules,
};
pub use dimension::{Entry, RoundedEntry, Schemes};
pub use sql::sql;
pub use thresholds::{CutPoints, SCHEMES, SegmentFigures, Thresholds, USUAL_SCHEME, Wanted};

use crate::config::Feature;
use crate::error::{Error, Result};
use crate::load::Customers;
use crate::rules::{FittedRules, RuleEdges};
use dimension::{Cutting, cut};
use line::Line;
use thresholds::{FEATURES, thresholds};

/// Every way to cut recency, frequency and monetary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dimensions {
    /// In days; the first band is the best.
    pub recency_days: Schemes,
    /// In orders; the last band is the best.
    pub frequency: Schemes,
    /// In the unit of the amounts; the last band is the best.
    pub monetary: Schemes,
}

impl Dimensions {
    /// Features and schemes.
    pub fn all(&self) -> [(Feature, &Schemes); 3] {
        let [r, f, m] = FEATURES;
        [
            (r, &self.recency_days),
            (f, &self.frequency),
            (m, &self.monetary),
        ]
    }
}

/// What was found: thresholds.json without what is told beside it.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// As-of, ISO 8601.
    pub as_of: String,
    /// Customers.
    pub customers: u64,
    /// Their total amount.
    pub revenue: f64,
    /// Level of the intervals.
    pub level: f64,
    /// Resamples behind them.
    pub resamples: usize,
    /// Every way to cut each dimension.
    pub dimensions: Dimensions,
    /// The one that thresholds.toml holds.
    pub thresholds: Thresholds,
}

/// Cuts every dimension in every way, and chooses.
///
/// # Errors
/// [`Error::TooFewCustomers`] without customers; [`Error::BadValue`] for a scheme or a number of bands that there is none of.
pub fn calibrate(
    customers: &Customers,
    (names, labels): (&[String], &[u32]),
    rules: Option<&FittedRules>,
    (wanted, resampling): (&Wanted, Resampling),
) -> Result<Calibration> {
    if customers.is_empty() {
        return Err(Error::TooFewCustomers { found: 0 });
    }
    let found: Vec<Schemes> = FEATURES
        .into_par_iter()
        .enumerate()
        .map(|(stream, feature)| {
            let line = Line::of(customers, feature, (labels, names.len()))?;
            let edges: Option<RuleEdges> = rules.and_then(|rules| rules.edges(feature));
            cut(
                &line,
                &Cutting {
                    rules: edges.as_ref(),
                    tiers: names,
                    resampling,
                    decimals: customers.decimals,
                    stream: stream as u64,
                },
            )
        })
        .collect::<Result<_>>()?;
    let mut found = found.into_iter();
    let mut next = || found.next().unwrap_or_default();
    let dimensions = Dimensions {
        recency_days: next(),
        frequency: next(),
        monetary: next(),
    };
    Ok(Calibration {
        as_of: customers.as_of.text.clone(),
        customers: customers.len() as u64,
        revenue: customers.total_revenue(),
        level: LEVEL,
        resamples: resampling.resamples,
        thresholds: thresholds(customers, &dimensions, wanted)?,
        dimensions,
    })
}
