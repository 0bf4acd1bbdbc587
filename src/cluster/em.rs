//! Expectation maximisation on weighted points: the mixture that resampled customers would have.
//!
//! In: points, and the centroids of k-means on them. Out: [`Likelihoods`].
//! Invariant: as linfa-clustering does it on rows, from the clusters of k-means to a likelihood that stands still; but weights
//! count, which linfa knows nothing of. What is published is fitted by linfa.

use ndarray::{Array2, Axis};

use super::kmeans::Points;
use super::mixture::{Likelihoods, Mixture};

/// Iterations at most.
const MAX_ITER: u64 = 100;
/// Change of the mean logarithm of the likelihood at which it stands still; linfa's default, as the next.
const TOLERANCE: f64 = 1e-3;
/// What is added to every variance.
const LEAST_VARIANCE: f64 = 1e-6;

/// Fits as many components as there are centroids; none where one of them has no points left.
pub(super) fn fit(points: &Points, centroids: &[f64]) -> Option<Likelihoods> {
    let (n, d) = (points.len(), points.n_features);
    let rows = Array2::from_shape_fn((n, d), |(row, f)| points.coordinates[f * n + row]);
    let mut labels = vec![0; n];
    points.assign(centroids, &mut labels, &mut vec![0.0; n]);
    let mut shares = Array2::zeros((n, centroids.len() / d));
    for (mut shares, &label) in shares.outer_iter_mut().zip(&labels) {
        shares[label as usize] = 1.0;
    }
    let all: f64 = points.weights.iter().sum();
    let mut before = f64::NEG_INFINITY;
    let mut likelihoods = maximised(&rows, &points.weights, &shares)?;
    for _ in 0..MAX_ITER {
        let (next, logs) = likelihoods.memberships(rows.view());
        let sum: f64 = logs.iter().zip(&points.weights).map(|(l, w)| l * w).sum();
        let mean = sum / all;
        if (mean - before).abs() < TOLERANCE {
            break;
        }
        before = mean;
        shares = next;
        likelihoods = maximised(&rows, &points.weights, &shares)?;
    }
    Some(likelihoods)
}

/// The likeliest components of rows of which each has such shares.
fn maximised(rows: &Array2<f64>, weights: &[f64], shares: &Array2<f64>) -> Option<Likelihoods> {
    let (d, k) = (rows.ncols(), shares.ncols());
    let all: f64 = weights.iter().sum();
    let mut means = Array2::zeros((k, d));
    let mut mixture = Mixture {
        weights: Vec::with_capacity(k),
        covariances: Vec::with_capacity(k),
    };
    for (shares, mut mean) in shares.axis_iter(Axis(1)).zip(means.outer_iter_mut()) {
        let shares: Vec<f64> = shares.iter().zip(weights).map(|(s, w)| s * w).collect();
        let sum: f64 = shares.iter().sum();
        for (row, share) in rows.outer_iter().zip(&shares) {
            mean.scaled_add(share / sum, &row);
        }
        let mut covariance = vec![0.0; d * d];
        for (row, share) in rows.outer_iter().zip(&shares) {
            let off = &row - &mean;
            for (entry, value) in covariance.iter_mut().enumerate() {
                *value += share / sum * off[entry / d] * off[entry % d];
            }
        }
        for feature in 0..d {
            covariance[feature * (d + 1)] += LEAST_VARIANCE;
        }
        mixture.weights.push(sum / all);
        mixture.covariances.push(covariance);
    }
    Likelihoods::new(means, &mixture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_weight_n_is_n_points_and_components_are_found() {
        // Two groups on a line, with one and with three points in every place.
        let place =
            |i: u32| f64::from(i % 40).mul_add(0.01, if i.is_multiple_of(2) { 0.0 } else { 5.0 });
        let rows = |times: usize| -> Vec<(f64, Vec<f64>)> {
            let each = (0..80).flat_map(|i| std::iter::repeat_n(i, times));
            each.map(|i| (1.0, vec![place(i)])).collect()
        };
        let heavy: Vec<(f64, Vec<f64>)> = (0..80).map(|i| (3.0, vec![3.0 * place(i)])).collect();
        let fitted = |rows: &[(f64, Vec<f64>)]| {
            let likelihoods = fit(&Points::of_sums(rows, 1), &[1.0, 4.0]).unwrap();
            likelihoods.components()
        };
        let (plain, weighted) = (fitted(&rows(3)), fitted(&heavy));
        for (a, b) in plain.iter().zip(&weighted) {
            assert!((a.mean[0] - b.mean[0]).abs() < 1e-12);
            assert!((a.whitening[0][0] / b.whitening[0][0] - 1.0).abs() < 1e-9);
        }
        assert!((weighted[0].mean[0] - 0.19).abs() < 1e-6, "{weighted:?}");
        assert!((weighted[1].mean[0] - 5.2).abs() < 1e-6, "{weighted:?}");
    }

    #[test]
    fn a_component_without_points_is_none() {
        let rows = [(1.0, vec![0.0]), (1.0, vec![1.0])];
        assert!(fit(&Points::of_sums(&rows, 1), &[0.0, 1.0, 90.0]).is_none());
    }
}
