//! Which cluster a row belongs to.
//!
//! In: what a fit found, and one row of the matrix. Out: the cluster and the margin.
//! Invariant: a pure function of the row and the clusters: the same for a customer alone and among millions, tonight and
//! tomorrow.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::slice::ParallelSliceMut;

use super::bands::BandGrid;
use super::kmeans::{Columns, Nearest, Points};
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

    /// [`Self::place`] for every row of a matrix.
    pub fn place_all(&self, matrix: ArrayView2<'_, f64>) -> (Vec<u32>, Vec<f32>) {
        const BLOCK: usize = 4_096;
        let n = matrix.nrows();
        let (mut clusters, mut margins) = (vec![0; n], vec![0.0; n]);
        let blocks = matrix.axis_chunks_iter(Axis(0), BLOCK).into_par_iter();
        let found = clusters
            .par_chunks_mut(BLOCK)
            .zip(margins.par_chunks_mut(BLOCK));
        blocks.zip(found).for_each(|(rows, (clusters, margins))| {
            if let Self::Nearest(centroids) = self
                && let Some(places) = centroids.as_slice()
                && !places.is_empty()
            {
                place_nearest(rows, places, (clusters, margins));
            } else {
                let found = clusters.iter_mut().zip(margins);
                // Side by side, as where it was fitted: what is added up in another order has other last bits.
                let mut point = Vec::with_capacity(rows.ncols());
                for (row, (cluster, margin)) in rows.outer_iter().zip(found) {
                    point.clear();
                    point.extend(row);
                    (*cluster, *margin) = self.place(ArrayView1::from(&point));
                }
            }
        });
        (clusters, margins)
    }
}

/// How a clustering divides the cells that it is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut<'a> {
    /// A cell goes to the nearest of these centroids, k × features.
    Nearest(&'a [f64]),
    /// A cell goes to the likeliest of these components.
    Likeliest(&'a Likelihoods),
}

impl Cut<'_> {
    /// Number of clusters.
    pub(super) fn k(self, n_features: usize) -> usize {
        match self {
            Self::Nearest(centroids) => centroids.len() / n_features.max(1),
            Self::Likeliest(likelihoods) => likelihoods.means().nrows(),
        }
    }

    /// Cluster of each cell, taken at its mean.
    pub(super) fn labels(self, cells: &Points) -> Vec<u32> {
        match self {
            Self::Nearest(centroids) => {
                let mut labels = vec![0; cells.len()];
                cells.assign(centroids, &mut labels, &mut vec![0.0; cells.len()]);
                labels
            }
            Self::Likeliest(likelihoods) => likelihoods.labels(cells),
        }
    }
}

/// What [`Placer::place`] gives for the nearest of some places, to the bit.
fn place_nearest(
    rows: ArrayView2<'_, f64>,
    places: &[f64],
    (clusters, margins): (&mut [u32], &mut [f32]),
) {
    let (n, n_features) = rows.dim();
    let mut columns = vec![0.0; n * n_features];
    for (values, column) in rows
        .axis_iter(Axis(1))
        .zip(columns.chunks_exact_mut(n.max(1)))
    {
        for (to, &value) in column.iter_mut().zip(values) {
            *to = value;
        }
    }
    let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
    let points = Columns {
        n_features,
        coordinates: &columns,
        n,
    };
    let found = Nearest {
        labels: clusters,
        first: &mut first,
        second: Some(&mut second),
    };
    points.nearest(places, found);
    for (margin, (first, second)) in margins.iter_mut().zip(first.iter().zip(&second)) {
        *margin = of_distances(first.sqrt(), second.sqrt());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_at_once_are_placed_like_each_alone() {
        for d in [1, 3, 4] {
            let number =
                |row: usize, column: usize| ((row * 7 + column * 3) as f64 * 0.37).sin() * 3.0;
            let matrix = Array2::from_shape_fn((9_001, d), |(row, column)| number(row, column));
            for k in [1, 2, 6] {
                let rows: Vec<usize> = (100..100 + k).collect();
                let centroids = matrix.select(Axis(0), &rows);
                let placer = Placer::Nearest(centroids);
                let (clusters, margins) = placer.place_all(matrix.view());
                for (row, found) in matrix.outer_iter().zip(clusters.into_iter().zip(margins)) {
                    let (cluster, margin) = placer.place(row);
                    assert_eq!((found.0, found.1.to_bits()), (cluster, margin.to_bits()));
                }
            }
        }
    }
}
