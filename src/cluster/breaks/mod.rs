//! Natural breaks: the bands of one dimension that lie closest to their means (one-dimensional weighted k-means).
//!
//! In: distinct ascending whole numbers (days, orders, fixed-point money) with weights. Out: the optimal [`Breaks`] for
//! every number of bands from 1 to `k_max`.
//! Invariant: no other way to cut the values into as many bands is better. Sums are exact, and whole numbers of 256 bits
//! choose between cuts; floating point only discards cuts that are worse by far more than its rounding. Equal values
//! are never parted, and no band is empty. It does not choose k, and it knows nothing of units.
//!
//! The optimum is that of Fisher (1958), Jenks (1977) and Wang and Song (2011, `Ckmeans.1d.dp`). Their table of k × n
//! costs, which Grønlund et al. (2017) fill in O(kn), is hardly looked at here:
//!
//! - The smallest best cuts for k + 1 bands interlace with those for k (otherwise two paths cross, and exchanging their
//!   tails makes one of them better). So each cut has a window of its own, and the windows together hold n places.
//! - A window is divided into blocks of places. Where a bound below the cost of every path through a block exceeds the
//!   cost of a path that exists, the block is discarded. The others are halved, and so on.
//! - On the places that are left, some hundred for each cut, the dynamic programme runs in whole numbers.
//!
//! That is one pass over the values, and then some ten thousand band costs for each cut. Bands that nearly all cuts make
//! equally good cost more: at worst O(n log n) for each k. Memory beside the values: a byte for each and, as a rule, a few
//! megabytes; at worst some 200 bytes for each.

mod bounds;
mod line;
mod search;
mod sums;
#[cfg(test)]
mod tests;
mod units;

use rayon::prelude::*;

pub use units::{in_units, whole_factor};

use line::{Cut, Line};
use sums::Wide;

/// The optimal bands of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaks {
    /// The cut points: the greatest value of each band but the last, ascending; k − 1 of them.
    pub upper: Vec<i64>,
    /// Weight in each band, never 0; k of them.
    pub sizes: Vec<u64>,
    /// Sum of the squared distances to the mean of the own band, in squared units of the values.
    pub within_ss: f64,
    /// Goodness of variance fit, 0 to 1: the part of the squared distances to the overall mean that the bands explain. 1
    /// where all values are equal.
    pub gvf: f64,
}

/// Why values have no breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreaksError {
    /// Not one weight for each value.
    Lengths {
        /// Number of values.
        values: usize,
        /// Number of weights.
        weights: usize,
    },
    /// A value that is not greater than the one before.
    NotAscending {
        /// Its place, from 0.
        index: usize,
    },
    /// A value of weight 0.
    NoWeight {
        /// Its place, from 0.
        index: usize,
    },
    /// The weights add up to more than `u64` holds.
    TooHeavy,
}

impl std::fmt::Display for BreaksError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lengths { values, weights } => {
                write!(f, "{values} values have {weights} weights")
            }
            Self::NotAscending { index } => {
                write!(f, "value {index} is not greater than the one before it")
            }
            Self::NoWeight { index } => write!(f, "value {index} has weight 0"),
            Self::TooHeavy => write!(f, "the weights add up to more than {}", u64::MAX),
        }
    }
}

impl std::error::Error for BreaksError {}

/// The optimal bands for k = 1, 2, … up to `k_max` or the number of values, whichever is less: element k − 1 has k bands.
///
/// Any `i64` and any weights are fine as long as the weights add up to a `u64`. Of equally good cuts each is the smallest;
/// costs closer than k² · 2⁻⁵⁸ (squared units) count as equal. No values give no breaks.
///
/// # Errors
/// [`BreaksError`] unless the values ascend strictly and each has one positive weight.
///
/// # Example
/// ```
/// use tiermill::cluster::breaks::{breaks, distinct};
///
/// let (values, counts) = distinct(&[-1, 2, -1, 2, 4, 5, 6, -1, 2, -1]);
/// let all = breaks(&values, &counts, 3)?;
/// assert_eq!(all[2].upper, [-1, 2]);
/// assert_eq!(all[2].sizes, [4, 3, 3]);
/// assert_eq!(all[2].within_ss, 2.0);
/// # Ok::<(), tiermill::cluster::breaks::BreaksError>(())
/// ```
pub fn breaks(values: &[i64], weights: &[u64], k_max: usize) -> Result<Vec<Breaks>, BreaksError> {
    let line = Line::new(values, weights)?;
    let mut found: Vec<Breaks> = Vec::new();
    let mut cuts = vec![line.cut(0), line.cut(values.len())];
    while found.len() < k_max.min(values.len()) {
        if let Some(fewer) = found.last() {
            cuts = search::one_more(&line, &cuts, fewer.within_ss);
        }
        found.push(describe(&line, &cuts));
    }
    Ok(found)
}

/// The distinct values, ascending, and how often each occurs: what [`breaks`] takes.
pub fn distinct(values: &[i64]) -> (Vec<i64>, Vec<u64>) {
    let mut sorted = values.to_vec();
    sorted.par_sort_unstable();
    let mut counts: Vec<u64> = sorted.first().map(|_| 1).into_iter().collect();
    sorted.dedup_by(|next, kept| {
        match counts.last_mut() {
            Some(count) if next == kept => *count += 1,
            _ => counts.push(1),
        }
        next == kept
    });
    (sorted, counts)
}

/// The band of a value, from 0; `upper` as in [`Breaks`]. Values that were not there when the bands were made have one too.
pub fn band(upper: &[i64], value: i64) -> usize {
    upper.partition_point(|&cut| cut < value)
}

impl Breaks {
    /// The largest band and its share of the weight, where that is more than `share`.
    ///
    /// Equal values stay together, so a value that most have (one order) makes such a band, whatever the number of bands.
    pub fn dominated(&self, share: f64) -> Option<(usize, f64)> {
        let all: u64 = self.sizes.iter().sum();
        let (band, &size) = (self.sizes.iter().enumerate()).max_by_key(|&(_, size)| size)?;
        let largest = size as f64 / all as f64;
        (share < largest).then_some((band, largest))
    }
}

fn describe(line: &Line<'_>, cuts: &[Cut]) -> Breaks {
    let bands = || cuts.windows(2).map(|ends| ends[0].to(&ends[1]));
    let inner = &cuts[1..cuts.len() - 1];
    let within = bands().fold(Wide::default(), |sum, band| sum + band.exact_cost());
    let total = cuts[0].to(&cuts[cuts.len() - 1]).exact_cost();
    let gvf = if total == Wide::default() {
        1.0
    } else {
        (total - within).to_f64() / total.to_f64()
    };
    Breaks {
        upper: inner.iter().map(|cut| line.values[cut.at - 1]).collect(),
        sizes: bands().map(|band| band.weight).collect(),
        within_ss: within.to_f64() / Wide::ONE.to_f64(),
        gvf,
    }
}
