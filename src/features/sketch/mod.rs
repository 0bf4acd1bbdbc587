//! The sketch: the feature space cut into cells, small whatever the number of customers.
//!
//! In: the scaled matrix, one row per customer. Out: a [`Sketch`], at most [`MAX_CELLS`] cells with their count and exact
//! mean, a histogram and the exact moments of each feature; and [`Sketched`], with the customers of each cell.
//! Invariant: a sketch is a function of the multiset of rows. Rows in another order, on more threads, or sketched in
//! parts and merged in any order give the same sketch to the last bit, because everything in it is a count or a sum of
//! whole numbers and because its level follows from the rows alone.

mod build;
mod grid;
mod histogram;
mod merge;
mod sort;
mod table;
mod wide;

use rayon::prelude::*;

pub use build::{RowOrder, Sketched, sketch, sketch_weighted};
pub use grid::Grid;
pub use histogram::{Histogram, MAX_BINS};
use sort::Keyed;
use wide::Wide;

/// Cells at the finest level, whatever the number of customers.
pub const MAX_CELLS: usize = 200_000;
/// Weight of all rows of a sketch at most: sums of coordinates keep within 128 bits, and differences of weights within 64.
pub const MAX_WEIGHT: u64 = 1 << 62;

/// A summary of the rows of a matrix, from which clusters, cut points and drift can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    grid: Grid,
    /// Cells are 2⁻ˡᵉᵛᵉˡ wide.
    level: i32,
    cells: Cells,
    /// Exact sum of squares of each feature, in squared units.
    squares: Vec<Wide>,
    histograms: Vec<Histogram>,
}

/// Cells in the order of their keys: neighbours in space are mostly neighbours here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cells {
    /// Cells × features: the number of the cell along each feature.
    places: Vec<i64>,
    /// Rows in each cell, weighted; none is 0.
    counts: Vec<u64>,
    /// Cells × features: exact sum of the coordinates, in units.
    sums: Vec<i128>,
}

impl Sketch {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.counts.len()
    }

    /// Whether it is a sketch of no rows.
    pub fn is_empty(&self) -> bool {
        self.cells.counts.is_empty()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.grid.n_features()
    }

    /// The fixed point of the coordinates.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Width of a cell in the scaled space, the same for all features: a power of two.
    pub fn cell_width(&self) -> f64 {
        2_f64.powi(-self.level)
    }

    /// Rows, weighted.
    pub fn count(&self) -> u64 {
        self.cells.counts.iter().sum()
    }

    /// Rows in each cell, weighted.
    pub fn counts(&self) -> &[u64] {
        &self.cells.counts
    }

    /// The exact sum of the coordinates of a cell, in units of the grid.
    pub(crate) fn sums(&self, cell: usize) -> &[i128] {
        let d = self.n_features();
        &self.cells.sums[cell * d..(cell + 1) * d]
    }

    /// Means of the cells, cells × features, scaled. Exact but for the last rounding to f64.
    pub fn means(&self) -> Vec<f64> {
        let d = self.n_features();
        let mut means = Vec::with_capacity(self.cells.sums.len());
        for (cell, &count) in self.cells.counts.iter().enumerate() {
            for feature in 0..d {
                means.push(self.mean_of(feature, self.cells.sums[cell * d + feature], count));
            }
        }
        means
    }

    fn mean_of(&self, feature: usize, sum: i128, count: u64) -> f64 {
        sum as f64 / count as f64 * self.grid.unit(feature)
    }

    /// The fine histogram of a feature.
    pub fn histogram(&self, feature: usize) -> &Histogram {
        &self.histograms[feature]
    }

    /// Sum of a feature over all rows, in units of the grid.
    fn sum(&self, feature: usize) -> i128 {
        self.cells
            .sums
            .iter()
            .skip(feature)
            .step_by(self.n_features())
            .sum()
    }

    /// Mean of a feature over all rows, scaled.
    pub fn mean(&self, feature: usize) -> f64 {
        self.mean_of(feature, self.sum(feature), self.count())
    }

    /// Population variance of a feature over all rows, scaled: exact moments, rounded once.
    pub fn variance(&self, feature: usize) -> f64 {
        self.sum_of_squares(feature) / self.count() as f64
    }

    /// Sum of squared distances of all rows from their mean along a feature, scaled.
    pub fn sum_of_squares(&self, feature: usize) -> f64 {
        let unit = self.grid.unit(feature);
        let sum = self.sum(feature) as f64;
        (self.squares[feature].to_f64() - sum * (sum / self.count() as f64)).max(0.0) * unit * unit
    }

    /// Keys of the cells, ascending.
    pub(crate) fn keys(&self) -> Vec<u128> {
        let (d, bits) = (self.n_features(), self.grid.bits(u128::BITS));
        let places = self.cells.places.par_chunks_exact(d).with_min_len(1_024);
        places.map(|places| u128::weave(places, bits)).collect()
    }
}
