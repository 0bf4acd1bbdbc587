//! How good a clustering is.
//!
//! In: the matrix and a [`Clustering`]. Out: a row of the k table.
//! Invariant: formulas and special cases are those of scikit-learn's `metrics`; on more than [`SILHOUETTE_ROWS`]
//! customers the silhouette is measured on a sample, everything else on all of them.

use ndarray::parallel::prelude::*;
use ndarray::{ArrayView1, ArrayView2, Axis};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::Serialize;

use super::{Clustering, SILHOUETTE_ROWS, nearest, squared_distance};

/// One row of `k_table` in tiers.json.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances to the centroids.
    pub inertia: f64,
    /// Mean silhouette, −1 to 1 (Rousseeuw 1987); a cluster of one counts 0.
    pub silhouette: f64,
    /// The same with distances to centroids in place of mean distances to customers.
    pub simplified_silhouette: f64,
    /// Variance between over variance within, each per degree of freedom (Caliński and Harabasz 1974).
    pub calinski_harabasz: f64,
    /// Mean likeness of each cluster to the one most like it; small is good (Davies and Bouldin 1979).
    pub davies_bouldin: f64,
    /// Share of the customers in the smallest cluster.
    pub smallest_share: f64,
    /// Not measured yet.
    pub stability: Option<f64>,
}

/// Measures a clustering.
pub(super) fn measure(matrix: ArrayView2<'_, f64>, clustering: &Clustering, seed: u64) -> Quality {
    let rows = matrix.nrows();
    let sample = sample(rows, seed);
    let silhouette = match &sample {
        None => silhouette(matrix, &clustering.labels, clustering.sizes.len()),
        Some(drawn) => {
            let labels: Vec<u32> = drawn.iter().map(|&row| clustering.labels[row]).collect();
            silhouette(
                matrix.select(Axis(0), drawn).view(),
                &labels,
                clustering.sizes.len(),
            )
        }
    };
    let smallest = clustering.sizes.iter().copied().min().unwrap_or(0);
    Quality {
        k: clustering.sizes.len(),
        inertia: clustering.inertia,
        silhouette,
        simplified_silhouette: simplified_silhouette(matrix, clustering),
        calinski_harabasz: calinski_harabasz(matrix, clustering),
        davies_bouldin: davies_bouldin(matrix, clustering),
        smallest_share: smallest as f64 / rows as f64,
        stability: None,
    }
}

/// Rows drawn without replacement where there are too many for all pairs, ascending.
fn sample(rows: usize, seed: u64) -> Option<Vec<usize>> {
    if rows <= SILHOUETTE_ROWS {
        return None;
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..rows).collect();
    for i in 0..SILHOUETTE_ROWS {
        order.swap(i, random.gen_range(i..rows));
    }
    order.truncate(SILHOUETTE_ROWS);
    order.sort_unstable();
    Some(order)
}

/// Mean silhouette of all rows, by all pairs (scikit-learn's `silhouette_score`). O(rows²).
pub fn silhouette(matrix: ArrayView2<'_, f64>, labels: &[u32], k: usize) -> f64 {
    let mut sizes = vec![0_u64; k];
    for &label in labels {
        sizes[label as usize] += 1;
    }
    let rows: Vec<ArrayView1<'_, f64>> = matrix.outer_iter().collect();
    let each: Vec<f64> = rows
        .par_iter()
        .zip(labels)
        .map(|(row, &own)| {
            let mut sums = vec![0.0; k];
            for (other, &label) in rows.iter().zip(labels) {
                sums[label as usize] += squared_distance(*row, *other).sqrt();
            }
            of_row(&sums, &sizes, own as usize)
        })
        .collect();
    each.iter().sum::<f64>() / each.len() as f64
}

fn of_row(sums: &[f64], sizes: &[u64], own: usize) -> f64 {
    if sizes[own] == 1 {
        return 0.0;
    }
    let within = sums[own] / (sizes[own] - 1) as f64;
    let outside = (0..sums.len())
        .filter(|&cluster| cluster != own && 0 < sizes[cluster])
        .map(|cluster| sums[cluster] / sizes[cluster] as f64)
        .fold(f64::INFINITY, f64::min);
    let larger = within.max(outside);
    // No second cluster, or all of them in one place: there is nothing to tell apart.
    if outside.is_finite() && 0.0 < larger {
        (outside - within) / larger
    } else {
        0.0
    }
}

fn simplified_silhouette(matrix: ArrayView2<'_, f64>, clustering: &Clustering) -> f64 {
    let sum: f64 = matrix
        .outer_iter()
        .map(|row| {
            let (_, first, second) = nearest(clustering.centroids.view(), row);
            if 0.0 < second {
                1.0 - first / second
            } else {
                0.0
            }
        })
        .sum();
    sum / matrix.nrows() as f64
}

fn calinski_harabasz(matrix: ArrayView2<'_, f64>, clustering: &Clustering) -> f64 {
    let (n, k) = (matrix.nrows() as f64, clustering.sizes.len() as f64);
    let Some(mean) = matrix.mean_axis(Axis(0)) else {
        return f64::NAN;
    };
    let between: f64 = clustering
        .centroids
        .outer_iter()
        .zip(&clustering.sizes)
        .map(|(centroid, &size)| size as f64 * squared_distance(centroid, mean.view()))
        .sum();
    if 0.0 < clustering.inertia {
        between * (n - k) / (clustering.inertia * (k - 1.0))
    } else {
        1.0
    }
}

fn davies_bouldin(matrix: ArrayView2<'_, f64>, clustering: &Clustering) -> f64 {
    let k = clustering.sizes.len();
    let mut spread = vec![0.0; k];
    for (row, &label) in matrix.outer_iter().zip(&clustering.labels) {
        let label = label as usize;
        spread[label] += squared_distance(clustering.centroids.row(label), row).sqrt();
    }
    for (spread, &size) in spread.iter_mut().zip(&clustering.sizes) {
        *spread /= size as f64;
    }
    let worst = |i: usize| {
        (0..k)
            .filter(|&j| j != i)
            .map(|j| {
                let apart =
                    squared_distance(clustering.centroids.row(i), clustering.centroids.row(j))
                        .sqrt();
                (spread[i] + spread[j]) / apart
            })
            .fold(0.0, f64::max)
    };
    (0..k).map(worst).sum::<f64>() / k as f64
}
