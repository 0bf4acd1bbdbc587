//! What would come out if the customers were others: stability, and whether there is structure at all.
//!
//! In: the cells of a sketch. Out: a [`Stability`] per clustering; the fall of inertia in the data beside that in a cloud
//! without groups.
//! Invariant: every draw comes from a generator of its own, seeded by its number, so that the result does not depend on
//! threads.
//!
//! Resamples hold at most [`DRAWN`] customers, however many there are. A bootstrap of millions moves nothing and would
//! call any cut through a cloud stable; a sample of a fixed size asks the same question of every data set: would a person
//! who sees ten thousand of these customers find these clusters?

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::kmeans::Points;
use super::place::Cut;
use super::{adjusted_rand, em};

/// Resamples of which stability is the mean.
const RESAMPLES: u64 = 20;
/// Customers of a resample.
const DRAWN: u64 = 10_000;
/// Restarts on a resample.
const RUNS: usize = 3;
/// Data sets, drawn and made up, of which the gap is the mean.
const CLOUDS: u64 = 8;
/// Points of each.
const CLOUD_POINTS: u64 = 1_000;
/// Iterations on a resample.
const MAX_ITER: u64 = 100;

/// Likeness of a clustering to those of resampled customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stability {
    /// Mean adjusted Rand index.
    pub(super) mean: f64,
    /// Its standard deviation over the resamples.
    pub(super) spread: f64,
}

/// Measures how stable clusterings of the same cells are.
pub(super) fn stability(cells: &Points, clusterings: &[Cut<'_>], seed: u64) -> Vec<Stability> {
    let all: f64 = cells.weights.iter().sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most DRAWN"
    )]
    let drawn = all.min(DRAWN as f64) as u64;
    let published: Vec<Vec<u32>> = clusterings.iter().map(|cut| cut.labels(cells)).collect();
    let indices: Vec<Vec<f64>> = (0..RESAMPLES)
        .into_par_iter()
        .map(|resample| {
            let mut random = generator(seed, resample);
            let sample = drawn_from(cells, drawn, &mut random);
            clusterings
                .iter()
                .zip(&published)
                .map(|(cut, published)| {
                    let k = cut.k(cells.n_features);
                    if sample.len() < k {
                        return 0.0;
                    }
                    let found = best(&sample, k, &mut random).0;
                    let again = match cut {
                        Cut::Nearest(_) => Some(Cut::Nearest(&found).labels(cells)),
                        Cut::Likeliest(_) => em::fit(&sample, &found)
                            .map(|found| Cut::Likeliest(&found).labels(cells)),
                    };
                    // What cannot be found at all does not come out again.
                    again.map_or(0.0, |again| likeness(published, &again, &cells.weights))
                })
                .collect()
        })
        .collect();
    (0..clusterings.len())
        .map(|which| {
            let n = RESAMPLES as f64;
            let mean = indices.iter().map(|indices| indices[which]).sum::<f64>() / n;
            let squares: f64 = indices
                .iter()
                .map(|indices| (indices[which] - mean).powi(2))
                .sum();
            Stability {
                mean,
                spread: (squares / (n - 1.0)).sqrt(),
            }
        })
        .collect()
}

/// The gap statistic (Tibshirani, Walther and Hastie 2001): how much further the logarithm of inertia falls from one
/// cluster to k than it would in a cloud without groups, with its standard error.
///
/// The cloud fills the box around the data along their principal axes evenly.
pub(super) fn gaps(cells: &Points, ks: &[usize], seed: u64) -> Vec<(f64, f64)> {
    let axes = Axes::of(cells);
    let falls: Vec<(Vec<f64>, Vec<f64>)> = (0..CLOUDS)
        .into_par_iter()
        .map(|cloud| {
            let mut random = generator(seed, RESAMPLES + cloud);
            let sample = drawn_from(cells, CLOUD_POINTS, &mut random);
            let even = axes.cloud(CLOUD_POINTS, &mut random);
            (
                falls(&sample, ks, &mut random),
                falls(&even, ks, &mut random),
            )
        })
        .collect();
    (0..ks.len())
        .map(|which| {
            let differences: Vec<f64> = falls
                .iter()
                .map(|(data, even)| data[which] - even[which])
                .collect();
            let n = differences.len() as f64;
            let mean = differences.iter().sum::<f64>() / n;
            let squares: f64 = differences
                .iter()
                .map(|difference| (difference - mean).powi(2))
                .sum();
            (mean, (squares / (n - 1.0) * (1.0 + 1.0 / n)).sqrt())
        })
        .collect()
}

/// log W₁ − log Wₖ for each k.
fn falls(points: &Points, ks: &[usize], random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let whole = best(points, 1, random).1;
    ks.iter()
        .map(|&k| {
            let inertia = if points.len() <= k {
                0.0
            } else {
                best(points, k, random).1
            };
            // Points all in k places: the fall has no bottom, and one that is finite can be averaged.
            (whole / inertia.max(whole * f64::EPSILON)).ln()
        })
        .collect()
}

fn generator(seed: u64, number: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(number),
    )
}

/// Centroids and inertia of the best of a few restarts.
fn best(points: &Points, k: usize, random: &mut Xoshiro256PlusPlus) -> (Vec<f64>, f64) {
    let mut best = (Vec::new(), f64::INFINITY);
    for _ in 0..if k == 1 { 1 } else { RUNS } {
        let start = points.seed(k, random);
        let run = points.lloyd(start, MAX_ITER);
        if run.inertia < best.1 {
            best = (run.centroids, run.inertia);
        }
    }
    best
}

/// So many customers drawn with replacement.
fn drawn_from(cells: &Points, drawn: u64, random: &mut Xoshiro256PlusPlus) -> Points {
    let mut sums = Vec::with_capacity(cells.len());
    let mut sum = 0.0;
    for weight in &cells.weights {
        sum += weight;
        sums.push(sum);
    }
    let mut times = vec![0_u32; cells.len()];
    for _ in 0..drawn {
        let place = random.gen_range(0.0..1.0) * sum;
        times[sums
            .partition_point(|&sum| sum <= place)
            .min(cells.len() - 1)] += 1;
    }
    let kept: Vec<usize> = (0..cells.len()).filter(|&cell| 0 < times[cell]).collect();
    let mut coordinates = Vec::with_capacity(kept.len() * cells.n_features);
    for feature in 0..cells.n_features {
        coordinates.extend(
            kept.iter()
                .map(|&cell| cells.coordinates[feature * cells.len() + cell]),
        );
    }
    Points {
        n_features: cells.n_features,
        coordinates,
        weights: kept.iter().map(|&cell| f64::from(times[cell])).collect(),
    }
}

/// Adjusted Rand index of two partitions of weighted points, a point of weight n being n customers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "weights are counts of customers"
)]
fn likeness(a: &[u32], b: &[u32], weights: &[f64]) -> f64 {
    let count = |labels: &[u32]| labels.iter().max().map_or(0, |&label| label as usize + 1);
    let (rows, columns) = (count(a), count(b));
    let mut table = vec![0; rows * columns];
    for ((&a, &b), &weight) in a.iter().zip(b).zip(weights) {
        table[a as usize * columns + b as usize] += weight as u64;
    }
    adjusted_rand(&table, columns)
}

/// Principal axes of weighted points, and how far the points reach along them.
struct Axes {
    mean: Vec<f64>,
    /// Features × features; row *i* is the direction of axis *i*.
    directions: Vec<Vec<f64>>,
    /// Least and greatest position along each axis.
    ends: Vec<(f64, f64)>,
}

impl Axes {
    fn of(cells: &Points) -> Self {
        let (d, n) = (cells.n_features, cells.len());
        let all: f64 = cells.weights.iter().sum();
        let feature = |f: usize| &cells.coordinates[f * n..(f + 1) * n];
        let mean: Vec<f64> = (0..d)
            .map(|f| {
                feature(f)
                    .iter()
                    .zip(&cells.weights)
                    .map(|(x, w)| x * w)
                    .sum::<f64>()
                    / all
            })
            .collect();
        let mut covariance = vec![vec![0.0; d]; d];
        for a in 0..d {
            for b in 0..d {
                let terms = feature(a).iter().zip(feature(b)).zip(&cells.weights);
                covariance[a][b] = terms
                    .map(|((x, y), w)| (x - mean[a]) * (y - mean[b]) * w)
                    .sum::<f64>()
                    / all;
            }
        }
        let directions = eigenvectors(covariance);
        let ends = directions
            .iter()
            .map(|direction| {
                let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
                for point in 0..n {
                    let position: f64 = (0..d)
                        .map(|f| (feature(f)[point] - mean[f]) * direction[f])
                        .sum();
                    ends = (ends.0.min(position), ends.1.max(position));
                }
                ends
            })
            .collect();
        Self {
            mean,
            directions,
            ends,
        }
    }

    /// Points spread evenly over the box.
    fn cloud(&self, n: u64, random: &mut impl Rng) -> Points {
        let d = self.mean.len();
        let mut rows = Vec::new();
        for _ in 0..n {
            let mut point = self.mean.clone();
            for (direction, &(least, greatest)) in self.directions.iter().zip(&self.ends) {
                let position = least + (greatest - least) * random.gen_range(0.0..1.0);
                for (x, along) in point.iter_mut().zip(direction) {
                    *x += position * along;
                }
            }
            rows.push((1.0, point));
        }
        Points::of_sums(&rows, d)
    }
}

/// Directions of the axes of a symmetric matrix, by rotating its largest rest away (Jacobi 1846).
fn eigenvectors(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    /// Rotations of all pairs; eight features need six or seven.
    const SWEEPS: usize = 30;
    let d = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..d)
        .map(|i| (0..d).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    for _ in 0..SWEEPS {
        for p in 0..d {
            for q in p + 1..d {
                let rest = matrix[p][q];
                if rest.abs() <= f64::MIN_POSITIVE {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * rest);
                let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cosine = (tangent * tangent + 1.0).sqrt().recip();
                let sine = tangent * cosine;
                for row in &mut matrix {
                    (row[p], row[q]) = (
                        cosine * row[p] - sine * row[q],
                        sine * row[p] + cosine * row[q],
                    );
                }
                for column in 0..d {
                    let (a, b) = (matrix[p][column], matrix[q][column]);
                    (matrix[p][column], matrix[q][column]) =
                        (cosine * a - sine * b, sine * a + cosine * b);
                    let (a, b) = (vectors[p][column], vectors[q][column]);
                    (vectors[p][column], vectors[q][column]) =
                        (cosine * a - sine * b, sine * a + cosine * b);
                }
            }
        }
    }
    vectors
}
