//! Which cluster a row belongs to.
//!
//! In: what a fit found, and one row of the matrix. Out: the cluster and the margin.
//! Invariant: a pure function of the row and the clusters: the same for a customer alone and among millions, tonight and
//! tomorrow.

use ndarray::{Array2, ArrayView1};

use super::bands::BandGrid;
use super::mixture::{Likelihoods, Mixture};
use super::nearest;

/// How clusters divide the space between them.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A row belongs to the nearest centroid.
    Centroids,
    /// A row belongs to the likeliest component.
    Mixture(Mixture),
    /// A row belongs to the cell of the grid that it lies in; cluster *i* is cell *i*.
    Bands(BandGrid),
}

/// Clusters made ready for placing rows.
#[derive(Debug, Clone)]
pub enum Placer {
    /// The nearest of these centroids, clusters × features.
    Nearest(Array2<f64>),
    /// The likeliest of these components.
    Likeliest(Likelihoods),
    /// The cell of this grid, and the cluster that each cell is.
    Bands(BandGrid, Vec<u32>),
}

impl Placer {
    /// The cluster of a row, of two with equal claim the first; and its margin, 0 on the border and 1 at the centroid
    /// (DESIGN §2): of distances, of posteriors, or of the column that is nearest to a cut.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the contract stores margins as f32; clusters are few"
    )]
    pub fn place(&self, row: ArrayView1<'_, f64>) -> (u32, f32) {
        match self {
            Self::Nearest(centroids) => {
                let (cluster, first, second) = nearest(centroids.view(), row);
                (cluster as u32, of_distances(first, second))
            }
            Self::Likeliest(likelihoods) => {
                let (cluster, margin) = likelihoods.place(row);
                (cluster as u32, margin as f32)
            }
            Self::Bands(grid, clusters) => {
                let (cell, margin) = grid.place(row);
                (clusters.get(cell).copied().unwrap_or(0), margin as f32)
            }
        }
    }
}

/// (d₂ − d₁) / (d₂ + d₁) for the distances to the nearest and second nearest centroid.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the contract stores margins as f32"
)]
fn of_distances(first: f64, second: f64) -> f32 {
    let sum = first + second;
    if sum.is_finite() && 0.0 < sum {
        ((second - first) / sum) as f32
    } else {
        // One centroid alone has no border; two centroids on one spot have nothing else.
        f32::from(u8::from(second.is_infinite()))
    }
}
