//! Tiers of yesterday, judged by what their customers did afterwards.
//!
//! In: for each fold the tierings of its customers as they were at T ([`Ranked`]) and what the customers did after T
//! ([`Future`]). Out: a [`Backtest`] (backtest.json).
//! Invariant: nothing here makes or ranks tiers by what came after T; intervals depend on the seed and on ids, neither on
//! threads nor on the order of rows. All figures are larger for a better tiering.
//!
//! ```text
//! Ranked + Future ─cells─▶ sums by block of customers ─figures─▶ lift, Gini, capture, rank correlation
//!                                     └────bootstrap──▶ intervals, paired differences ─▶ verdict
//! ```

mod bootstrap;
mod cells;
mod figures;
mod result;
mod sides;
mod verdict;

pub use bootstrap::BLOCKS;
pub use figures::{Figures, Measure};
pub use result::{Backtest, Difference, Fold, TierOutcome, Tried};
pub use sides::{Ranked, by_past, by_score_sum, random};
pub use verdict::{Gain, Verdict};

use cells::Cells;

use crate::error::{BacktestFault, Error, Result};
use crate::load::Future;

/// Name of tiers dealt at random.
pub const RANDOM: &str = "random";
/// Share of the resamples that an interval holds.
pub const LEVEL: f64 = 0.9;

/// One fold: tiers as they were at T, and what came after.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// T, ISO 8601.
    pub at: &'a str,
    /// End of the period, ISO 8601.
    pub until: &'a str,
    /// Tierings of the same customers.
    pub tierings: &'a [Ranked],
    /// What these customers did.
    pub future: &'a Future,
    /// A number for each customer, the same in all folds ([`CustomerIds::hashes`](crate::load::CustomerIds::hashes)).
    pub hashes: &'a [u64],
}

/// How intervals are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Resamples.
    pub resamples: usize,
    /// Seed of their weights.
    pub seed: u64,
}

/// A fold that was added up: its customers are no longer needed.
#[derive(Debug)]
pub struct Measured {
    fold: Fold,
    cells: Vec<Cells>,
}

/// Adds a fold up.
///
/// # Errors
/// [`BacktestFault::Labels`] where a tiering does not have a tier for each customer.
pub fn measure(trial: &Trial<'_>, horizon_days: u32) -> Result<Measured> {
    let n = trial.future.revenue.len();
    for (tiering, found) in trial
        .tierings
        .iter()
        .map(|tiering| (tiering.name.as_str(), tiering.labels.len()))
        .chain([("hashes", trial.hashes.len())])
    {
        if found != n {
            return Err(Error::from(BacktestFault::Labels {
                tiering: tiering.to_owned(),
                found,
                expected: n,
            }));
        }
    }
    let cells = cells::cells(trial);
    Ok(Measured {
        fold: result::fold(trial, horizon_days, &cells),
        cells,
    })
}

/// Puts folds together. Their pooled figures are those of the customers of all folds together, each in the place that its
/// own fold gave it: amounts and customers of top tiers are added, Gini and capture are weighed by the revenue of the
/// folds, rank correlation by their customers. A resample draws a customer with all folds that it stands in.
///
/// # Errors
/// [`BacktestFault::OtherTierings`] where folds do not have the same tierings.
pub fn backtest(folds: Vec<Measured>, resampling: Resampling) -> Result<Backtest> {
    let names = |measured: &Measured| -> Vec<String> {
        let tried = measured.fold.tierings.iter();
        tried.map(|tried| tried.name.clone()).collect()
    };
    let expected = folds.first().map(names).unwrap_or_default();
    for (index, measured) in folds.iter().enumerate() {
        let found = names(measured);
        if found != expected {
            return Err(Error::from(BacktestFault::OtherTierings {
                fold: index + 1,
                found: found.join(", "),
                expected: expected.join(", "),
            }));
        }
    }
    let cells: Vec<&[Cells]> = folds.iter().map(|fold| fold.cells.as_slice()).collect();
    let drawn = bootstrap::draws(&cells, resampling);
    let figures = bootstrap::as_they_are(&cells);
    let folds = folds.into_iter().map(|measured| measured.fold).collect();
    Ok(result::put_together(folds, (&figures, &drawn), resampling))
}
