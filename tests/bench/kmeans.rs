//! k-means and natural breaks: time and inertia side by side, since a faster search that ends higher is no gain.
//!
//!     cargo bench
//!
//! `fit` is the whole search: ours against linfa-clustering's, ten runs each. `last_steps` is what follows a good start,
//! to a fixed point on all rows: ours (whole balls, slack), Hamerly's bounds on every row, and plain Lloyd. Data are made
//! outside the timer, from a constant seed; parameters stand in the id; inertia is printed once for each. `breaks` cuts five
//! million distinct amounts of money into up to five bands, the optimum of each.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a benchmark may stop where it stands, and says what it found"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::{KMeans as LinfaKMeans, KMeansInit};
use ndarray::{Array2, ArrayView1, Axis};
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rand_xoshiro::{Xoshiro256Plus, Xoshiro256PlusPlus};
use tiermill::cluster::KMeans;
use tiermill::cluster::breaks::breaks;

/// Customers of one search.
const ROWS: [usize; 2] = [10_000, 100_000];
/// Customers of the last steps: where millions share cells.
const MANY_ROWS: [usize; 3] = [10_000, 100_000, 2_000_000];
/// Clusters of one benchmark.
const KS: [usize; 2] = [4, 8];
const SEED: u64 = 42;

/// Three features like those of customers: a few groups, a long tail, and many ties in the second.
fn customers(rows: usize) -> Array2<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut share = move || (f64::from(random.next_u32()) + 0.5) / 2_f64.powi(32);
    let mut points = Array2::zeros((rows, 3));
    for mut point in points.outer_iter_mut() {
        let group = (share() * 4.0).floor();
        // Box and Muller.
        let mut normal = || (-2.0 * share().ln()).sqrt() * (std::f64::consts::TAU * share()).cos();
        point[0] = normal() + group;
        point[1] = ((normal() * 0.8 + group * 0.5).exp() * 2.0).floor().ln_1p();
        point[2] = normal() * 1.2 - group;
    }
    points
}

fn squared(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn inertia(points: &Array2<f64>, centroids: &Array2<f64>) -> f64 {
    let nearest = |point: ArrayView1<'_, f64>| {
        let all = centroids
            .outer_iter()
            .map(|centroid| squared(point, centroid));
        all.fold(f64::INFINITY, f64::min)
    };
    points.outer_iter().map(nearest).sum()
}

fn means(points: &Array2<f64>, labels: &[usize], k: usize) -> Array2<f64> {
    let mut sums = Array2::zeros((k, points.ncols()));
    let mut sizes = vec![0.0; k];
    for (point, &label) in points.outer_iter().zip(labels) {
        let mut sum = sums.row_mut(label);
        sum += &point;
        sizes[label] += 1.0;
    }
    for (mut sum, size) in sums.outer_iter_mut().zip(sizes) {
        sum /= size;
    }
    sums
}

/// Lloyd's iteration as it stands in books.
fn plain(points: &Array2<f64>, mut centroids: Array2<f64>) -> Array2<f64> {
    let mut labels = vec![usize::MAX; points.nrows()];
    loop {
        let mut changed = false;
        for (point, label) in points.outer_iter().zip(&mut labels) {
            let mut nearest = (f64::INFINITY, 0);
            for (index, centroid) in centroids.outer_iter().enumerate() {
                let squared = squared(point, centroid);
                if squared < nearest.0 {
                    nearest = (squared, index);
                }
            }
            changed |= *label != nearest.1;
            *label = nearest.1;
        }
        if !changed {
            return centroids;
        }
        centroids = means(points, &labels, centroids.nrows());
    }
}

/// Hamerly (2010): an upper bound on the distance to the own centroid and a lower one on that to all others, by row.
fn hamerly(points: &Array2<f64>, mut centroids: Array2<f64>) -> Array2<f64> {
    let n = points.nrows();
    let mut labels = vec![usize::MAX; n];
    let (mut upper, mut lower) = (vec![f64::INFINITY; n], vec![f64::NEG_INFINITY; n]);
    loop {
        let mut changed = false;
        for (row, point) in points.outer_iter().enumerate() {
            if upper[row] < lower[row] {
                continue;
            }
            let (mut first, mut second, mut label) = (f64::INFINITY, f64::INFINITY, 0);
            for (index, centroid) in centroids.outer_iter().enumerate() {
                let squared = squared(point, centroid);
                if squared < first {
                    (second, first, label) = (first, squared, index);
                } else if squared < second {
                    second = squared;
                }
            }
            changed |= labels[row] != label;
            (labels[row], upper[row], lower[row]) = (label, first.sqrt(), second.sqrt());
        }
        if !changed {
            return centroids;
        }
        let next = means(points, &labels, centroids.nrows());
        let pairs = centroids.outer_iter().zip(next.outer_iter());
        let moved: Vec<f64> = pairs.map(|(a, b)| squared(a, b).sqrt()).collect();
        let farthest = moved.iter().copied().fold(0.0, f64::max);
        for row in 0..n {
            upper[row] += moved[labels[row]];
            lower[row] -= farthest;
        }
        centroids = next;
    }
}

fn fit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit");
    group.sample_size(10);
    for rows in ROWS {
        let points = customers(rows);
        let dataset = DatasetBase::from(points.clone());
        for k in KS {
            let ours = || {
                KMeans::params(k)
                    .n_runs(10)
                    .seed(SEED)
                    .fit(&dataset)
                    .unwrap()
            };
            let linfa = || {
                let random = Xoshiro256Plus::seed_from_u64(SEED);
                let params = LinfaKMeans::params_with_rng(k, random);
                let params = params
                    .init_method(KMeansInit::KMeansPlusPlus)
                    .n_runs(10)
                    .tolerance(1e-2);
                params.fit(&dataset).unwrap()
            };
            let best = inertia(&points, ours().centroids());
            let other = inertia(&points, linfa().centroids());
            eprintln!(
                "fit/{rows}/k={k}: inertia ours {best:.4}, linfa {:.6} x ours",
                other / best
            );
            let id = format!("{rows}/k={k}");
            group.bench_function(BenchmarkId::new("tiermill", &id), |bencher| {
                bencher.iter(|| black_box(ours()));
            });
            group.bench_function(BenchmarkId::new("linfa", &id), |bencher| {
                bencher.iter(|| black_box(linfa()));
            });
        }
    }
    group.finish();
}

fn last_steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("last_steps");
    group.sample_size(10);
    for rows in MANY_ROWS {
        let points = customers(rows);
        let dataset = DatasetBase::from(points.clone());
        for k in KS {
            // Near the end, as after the polish on cells: the means of a tenth of the rows.
            let model = KMeans::params(k).seed(SEED).fit(&dataset).unwrap();
            let tenth = points.select(Axis(0), &(0..rows).step_by(10).collect::<Vec<usize>>());
            let start = means(&tenth, model.predict(&tenth).as_slice().unwrap(), k);
            let ours = || {
                KMeans::params(k)
                    .start(start.clone())
                    .max_iter(10_000)
                    .fit(&dataset)
                    .unwrap()
            };
            let [a, b, c] = [
                inertia(&points, ours().centroids()),
                inertia(&points, &hamerly(&points, start.clone())),
                inertia(&points, &plain(&points, start.clone())),
            ];
            eprintln!(
                "last_steps/{rows}/k={k}: inertia balls {a:.6}, hamerly {b:.6}, plain {c:.6}"
            );
            let id = format!("{rows}/k={k}");
            group.bench_function(BenchmarkId::new("balls", &id), |bencher| {
                bencher.iter(|| black_box(ours()));
            });
            group.bench_function(BenchmarkId::new("hamerly", &id), |bencher| {
                bencher.iter(|| black_box(hamerly(&points, start.clone())));
            });
            group.bench_function(BenchmarkId::new("plain", &id), |bencher| {
                bencher.iter(|| black_box(plain(&points, start.clone())));
            });
        }
    }
    group.finish();
}

/// Distinct values that are cut.
const AMOUNTS: usize = 5_000_000;
/// Bands at most.
const BANDS: usize = 5;

/// Ascending amounts with four decimals, log-normal, no two alike.
fn amounts() -> Vec<i64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut share = move || (f64::from(random.next_u32()) + 0.5) / 2_f64.powi(32);
    let mut normal = || (-2.0 * share().ln()).sqrt() * (std::f64::consts::TAU * share()).cos();
    let mut amounts: Vec<i64> = (0..AMOUNTS)
        .map(|_| ((normal() * 1.5 + 6.0).exp() * 1e4) as i64)
        .collect();
    amounts.sort_unstable();
    // Ties move up by one until there are none.
    for i in 1..amounts.len() {
        amounts[i] = amounts[i].max(amounts[i - 1] + 1);
    }
    amounts
}

fn natural_breaks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaks");
    group.sample_size(10);
    let values = amounts();
    let weights = vec![1; values.len()];
    for found in breaks(&values, &weights, BANDS).unwrap() {
        let bands = found.sizes.len();
        let (within, gvf) = (found.within_ss / 1e8, found.gvf);
        eprintln!("breaks/{AMOUNTS}/k={bands}: within-sum {within:.6e}, gvf {gvf:.6}");
    }
    group.bench_function(BenchmarkId::new("tiermill", AMOUNTS), |bencher| {
        bencher.iter(|| black_box(breaks(&values, &weights, BANDS).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, fit, last_steps, natural_breaks);
criterion_main!(benches);
