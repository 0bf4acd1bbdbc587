//! The figures of bands, for many ways to cut one dimension.
//!
//! In: a [`Line`] and all places where somebody cuts it. Out: [`Pieces`], of which any band is put together.
//! Invariant: each value is looked at once; pieces are merged in their order, so that no figure depends on threads.

use rayon::prelude::*;

use super::line::Line;

/// Values of a piece, where nobody cuts before.
const BLOCK: usize = 8_192;

/// What some neighbouring values add up to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub customers: u64,
    /// In units of the customers' `decimals`.
    pub revenue: i128,
    mean: f64,
    /// Sum of squared distances to the mean.
    pub squares: f64,
}

impl Sums {
    fn of(line: &Line, values: std::ops::Range<usize>) -> Self {
        let customers = |value: usize| line.customers_of(value) as f64;
        let sum: f64 = values
            .clone()
            .map(|value| line.values[value] * customers(value))
            .sum();
        let n = line.before(values.end) - line.before(values.start);
        let mean = sum / n.max(1) as f64;
        let squares = values
            .clone()
            .map(|value| (line.values[value] - mean).powi(2) * customers(value));
        Self {
            customers: n,
            revenue: line.revenue[values].iter().sum(),
            mean,
            squares: squares.sum(),
        }
    }

    /// Both together (Chan, Golub and `LeVeque` 1979).
    fn and(&self, other: &Self) -> Self {
        let customers = self.customers + other.customers;
        if customers == 0 {
            return Self::default();
        }
        let apart = other.mean - self.mean;
        let share = other.customers as f64 / customers as f64;
        Self {
            customers,
            revenue: self.revenue + other.revenue,
            mean: self.mean + apart * share,
            squares: self.squares + other.squares + apart * apart * share * self.customers as f64,
        }
    }
}

/// A line in pieces.
pub(super) struct Pieces {
    /// Where pieces begin; the last one ends at the last entry.
    at: Vec<usize>,
    sums: Vec<Sums>,
}

impl Pieces {
    /// Cuts the line at these numbers of values.
    pub(super) fn of(line: &Line, cuts: impl IntoIterator<Item = usize>) -> Self {
        let mut at: Vec<usize> = (0..line.len()).step_by(BLOCK).collect();
        at.extend(cuts);
        at.push(line.len());
        at.sort_unstable();
        at.dedup();
        let sums = at
            .par_windows(2)
            .map(|ends| Sums::of(line, ends[0]..ends[1]));
        let sums = sums.collect();
        Self { at, sums }
    }

    /// The sums between two places at which the line was cut.
    pub(super) fn between(&self, begin: usize, end: usize) -> Sums {
        let first = self.at.partition_point(|&at| at < begin);
        let last = self.at.partition_point(|&at| at < end);
        let pieces = self.sums.get(first..last).unwrap_or_default();
        pieces
            .iter()
            .fold(Sums::default(), |sum, piece| sum.and(piece))
    }
}
