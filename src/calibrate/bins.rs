//! A line in at most some thousand bins, so that a resample of millions costs what one of thousands does.
//!
//! In: a [`Line`]. Out: [`Bins`].
//! Invariant: a bin holds neighbouring values, and where there are few values each has a bin of its own; equal values are
//! never parted.

use super::line::{Line, TierCounts};

/// Neighbouring values together.
#[derive(Debug, Clone)]
pub(super) struct Bins {
    /// Greatest value of each bin.
    pub tops: Vec<f64>,
    /// Mean of its customers.
    pub means: Vec<f64>,
    /// Their tiers.
    pub tiers: TierCounts,
}

impl Bins {
    /// At most `most` bins (but one for the rest), of equal weight as far as values allow.
    pub(super) fn of(line: &Line, most: usize) -> Self {
        let mut bins = Self {
            tops: Vec::new(),
            means: Vec::new(),
            tiers: TierCounts::default(),
        };
        let target = if line.len() <= most {
            0
        } else {
            // Two neighbours together exceed half of this twice, so that there are at most `most`.
            2 * line.customers() / most as u64 + 1
        };
        let mut begin = 0;
        while begin < line.len() {
            let mut end = begin + 1;
            while end < line.len() && line.up_to[end] - line.before(begin) <= target {
                end += 1;
            }
            let (mut sum, n) = (0.0, line.up_to[end - 1] - line.before(begin));
            for value in begin..end {
                sum += line.values[value] * line.customers_of(value) as f64;
            }
            let top = line.values[end - 1];
            bins.tops.push(top);
            let mean = if end == begin + 1 {
                top
            } else {
                sum / n as f64
            };
            bins.means.push(mean.clamp(line.values[begin], top));
            bins.tiers.push(line.tiers.of_all(begin..end));
            begin = end;
        }
        bins
    }

    pub(super) fn len(&self) -> usize {
        self.tops.len()
    }
}
