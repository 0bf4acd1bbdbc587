//! Clusters of matrices: the catalogue that scikit-learn tests its k-means with, its figures for blobs, CDNOW and Online
//! Retail, and an honest k.
//!
//! Cluster numbers mean nothing outside `cluster`, so that partitions are compared and never raw labels.

use std::collections::BTreeMap;

use linfa::traits::{Fit, Predict, Transformer};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, ArrayView2, Axis, array, aview1, concatenate};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tiermill::cluster::{
    Clustering, Clusters, KMeans, KMeansParams, Quality, STABILITY_FLOOR, cluster, nearest,
    silhouette,
};
use tiermill::config::{ClusterConfig, Feature, FeatureConfig, Scale, Transform};
use tiermill::features::sketch::{Grid, sketch, sketch_weighted};
use tiermill::load::Customers;
use tiermill::{Error, Result, features};

use crate::support::{cdnow, close, config, extra_data, floats, golden, online_retail, threads};

/// The `[cluster]` of a config with these lines.
fn settings(lines: &str) -> ClusterConfig {
    config(&format!(
        "input = 'x'\ncustomer = 'x'\ntime = 'x'\n[cluster]\n{lines}"
    ))
    .cluster
}

fn clusters(points: ArrayView2<'_, f64>, lines: &str) -> Result<Clusters> {
    cluster(&sketch(points)?, &settings(lines))
}

#[track_caller]
fn fit(points: ArrayView2<'_, f64>, lines: &str) -> Clusters {
    clusters(points, lines).unwrap()
}

/// Points around centers, `each` per center, in a square of this half width.
fn groups(centers: &[[f64; 2]], each: usize, half_width: f64) -> Array2<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    Array2::from_shape_fn((centers.len() * each, 2), |(row, column)| {
        centers[row / each][column] + half_width * (2.0 * share(&mut random) - 1.0)
    })
}

/// Points spread evenly over a unit cube.
fn cloud(rows: usize, n_features: usize, seed: u64) -> Array2<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((rows, n_features), |_| share(&mut random))
}

/// Below 1, in steps of 2⁻³².
fn share(random: &mut Xoshiro256PlusPlus) -> f64 {
    f64::from(random.next_u32()) / 2_f64.powi(32)
}

/// The 150 golden points around three centers.
fn blobs() -> Array2<f64> {
    let golden = golden("golden_cluster.json");
    let points: Vec<f64> = golden["blobs"]["points"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(floats)
        .collect();
    Array2::from_shape_vec((150, 3), points).unwrap()
}

/// What scikit-learn says about the blobs at one k.
fn labeling(name: &str) -> serde_json::Value {
    golden("golden_cluster.json")["blobs"]["labelings"][name].clone()
}

fn golden_labels(labeling: &serde_json::Value) -> Vec<u32> {
    floats(&labeling["labels"])
        .iter()
        .map(|label| format!("{label}").parse().unwrap())
        .collect()
}

/// Labels renumbered by first appearance: two clusterings have the same partition where these are equal.
fn partition(labels: &[u32]) -> Vec<usize> {
    let mut order = BTreeMap::new();
    let number = |label: &u32| {
        let next = order.len();
        *order.entry(*label).or_insert(next)
    };
    labels.iter().map(number).collect()
}

/// The partition as scikit-learn would score it: 1 for the same, about 0 for chance.
fn adjusted_rand(a: &[u32], b: &[u32]) -> f64 {
    let pairs = |counts: &BTreeMap<(u32, u32), f64>| -> f64 {
        counts.values().map(|n| n * (n - 1.0) / 2.0).sum()
    };
    let count = |of: &dyn Fn(usize) -> (u32, u32)| {
        let mut counts = BTreeMap::new();
        for row in 0..a.len() {
            *counts.entry(of(row)).or_insert(0.0) += 1.0;
        }
        pairs(&counts)
    };
    let both = count(&|row| (a[row], b[row]));
    let (of_a, of_b) = (count(&|row| (a[row], 0)), count(&|row| (0, b[row])));
    let n = a.len() as f64;
    let chance = of_a * of_b / (n * (n - 1.0) / 2.0);
    (both - chance) / ((of_a + of_b) / 2.0 - chance)
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn row(points: &Array2<f64>, row: usize) -> Vec<f64> {
    points.row(row).to_vec()
}

/// What must hold for every clustering, however it was found.
#[track_caller]
fn check(points: &Array2<f64>, clustering: &Clustering) {
    let Clustering {
        centroids,
        labels,
        sizes,
        inertia,
        converged,
        ..
    } = clustering;
    let k = centroids.nrows();
    assert_eq!(
        (labels.len(), sizes.len(), centroids.ncols()),
        (points.nrows(), k, points.ncols())
    );
    assert!(*converged);
    let mut counts = vec![0_u64; k];
    let mut sums = Array2::<f64>::zeros((k, points.ncols()));
    let mut naive = 0.0;
    for (point, &label) in points.outer_iter().zip(labels) {
        let label = label as usize;
        let (predicted, first, _) = nearest(centroids.view(), point);
        assert_eq!(predicted, label, "labels are what predict says");
        counts[label] += 1;
        let mut sum = sums.row_mut(label);
        sum += &point;
        naive += squared(&point.to_vec(), &row(centroids, label));
        let least = (0..k)
            .map(|other| squared(&point.to_vec(), &row(centroids, other)))
            .fold(f64::INFINITY, f64::min);
        close(
            first * first,
            least,
            1e-12,
            "the distance to the nearest centroid",
        );
    }
    assert_eq!(&counts, sizes, "sizes are counts of labels");
    assert!(!sizes.contains(&0), "no cluster is empty");
    close(*inertia, naive, 1e-12, "inertia");
    for label in 0..k {
        let mean = sums.row(label).mapv(|sum| sum / counts[label] as f64);
        let off = squared(&mean.to_vec(), &row(centroids, label)).sqrt();
        assert!(
            off < 1e-11,
            "centroid {label} is {off} away from the mean of its members"
        );
        assert_eq!(
            nearest(centroids.view(), centroids.row(label)).0,
            label,
            "a centroid is its own"
        );
    }
    let rows: Vec<Vec<f64>> = (0..k).map(|label| row(centroids, label)).collect();
    assert!(
        rows.is_sorted(),
        "clusters stand in the order of their coordinates: {rows:?}"
    );
}

fn dataset(points: &Array2<f64>) -> DatasetBase<Array2<f64>, Array1<()>> {
    DatasetBase::from(points.clone())
}

/// The blobs and their weights, thousandths with a tenth of them 0.
fn weighted_blobs() -> (Array2<f64>, Array1<f32>) {
    let weights = floats(&golden("golden_cluster.json")["blobs"]["weights"]);
    (
        blobs(),
        weights.iter().map(|&weight| weight as f32).collect(),
    )
}

/// The message of a warning.
fn warning<'a>(clusters: &'a Clusters, code: &str) -> Option<&'a str> {
    let found = clusters
        .warnings
        .iter()
        .find(|warning| warning.code == code);
    found.map(|warning| &warning.message[..])
}

/// Asserts the optimum and the figures of scikit-learn.
#[track_caller]
fn check_figures(found: &Clusters, expected: &serde_json::Value, rows: f64) {
    let [quality] = &found.k_table[..] else {
        panic!("{:?}", found.k_table)
    };
    let Clustering {
        centroids,
        sizes,
        inertia,
        ..
    } = &found.clustering;
    assert_eq!((quality.k, quality.inertia), (sizes.len(), *inertia));
    let smallest = *sizes.iter().min().unwrap();
    assert_eq!(quality.smallest_share, smallest as f64 / rows);
    let k = quality.k;
    for (found, name) in [
        (quality.inertia, "inertia"),
        (quality.silhouette, "silhouette"),
        (quality.calinski_harabasz, "calinski_harabasz"),
        (quality.davies_bouldin, "davies_bouldin"),
    ] {
        let expected = expected[name].as_f64().unwrap();
        close(found, expected, 1e-9, &format!("k = {k}, {name}"));
    }
    for center in expected["centers"].as_array().unwrap().iter().map(floats) {
        let (label, distance, _) = nearest(centroids.view(), aview1(&center));
        assert!(distance < 1e-9, "k = {k}, {label}: {distance}");
    }
}

/// The features of the golden figures: z-scores of log1p.
fn scaled_logs(customers: &Customers) -> Array2<f64> {
    let configs = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary].map(|feature| {
        FeatureConfig {
            feature,
            transform: Transform::Log1p,
            scale: Scale::Zscore,
            weight: 1.0,
            winsorise: None,
        }
    });
    let fitted = features::fit(customers, &configs).unwrap();
    features::matrix(customers, &fitted.columns).unwrap()
}

/// Asserts that every k of 2 to 10 is clustered as well as by the best of scikit-learn's ten restarts.
#[track_caller]
fn check_inertias(points: &Array2<f64>, best: &serde_json::Value) {
    let rows = dataset(points);
    let ratio = |k: usize| {
        let inertia = KMeans::params(k).fit(&rows).unwrap().inertia();
        inertia / best[format!("k{k}")].as_f64().unwrap()
    };
    let ratios: Vec<(usize, f64)> = (2..=10).map(|k| (k, ratio(k))).collect();
    assert!(
        ratios.iter().all(|(_, ratio)| *ratio <= 1.0001),
        "k, and inertia in those of scikit-learn: {ratios:?}"
    );
}

#[test]
fn four_points_by_hand() {
    let points = array![[0.0, 0.0], [10.0, 0.0], [0.0, 2.0], [10.0, 2.0]];
    let clusters = fit(points.view(), "k = 2");
    check(&points, &clusters.clustering);
    assert_eq!(
        clusters.clustering.centroids,
        array![[0.0, 1.0], [10.0, 1.0]]
    );
    assert_eq!(clusters.clustering.labels, [0, 1, 0, 1]);
    assert_eq!(clusters.clustering.inertia, 4.0);
    let quality = &clusters.k_table[0];
    // Own neighbour at 2, the others at 10 and √104.
    let outside = f64::midpoint(10.0, 104_f64.sqrt());
    let simplified = 1.0 - 1.0 / 101_f64.sqrt();
    for (found, expected, name) in [
        (quality.silhouette, (outside - 2.0) / outside, "silhouette"),
        (quality.simplified_silhouette, simplified, "simplified"),
    ] {
        close(found, expected, 1e-12, name);
    }
    assert_eq!(quality.calinski_harabasz, 100.0 * 2.0 / 4.0);
    assert_eq!(quality.davies_bouldin, 2.0 / 10.0);
    assert_eq!(quality.smallest_share, 0.5);
    assert_eq!(clusters.k_reason, "k = 2 was set");
    let model = KMeans::params(2).fit(&dataset(&points)).unwrap();
    assert_eq!(model.centroids(), clusters.clustering.centroids);
    assert_eq!((model.inertia(), model.converged()), (4.0, true));
    assert_eq!(model.sizes(), array![2.0, 2.0]);
    let corner = model.transform(&array![[10.0, 1.0], [3.0, 5.0]]);
    assert_eq!(corner, array![[10.0, 0.0], [5.0, 65_f64.sqrt()]]);
}

#[test]
fn every_clustering_is_a_fixed_point_that_predicts_itself() {
    let points = blobs();
    for k in [2, 3, 5, 8, 12] {
        for algorithm in ["lloyd", "linfa"] {
            let lines = format!("k = {k}\nn-runs = 2\nalgorithm = '{algorithm}'");
            let clusters = fit(points.view(), &lines);
            assert_eq!(clusters.clustering.sizes.len(), k, "{lines}");
            check(&points, &clusters.clustering);
        }
    }
}

#[test]
fn blobs_are_recovered_with_the_figures_of_scikit_learn() {
    let points = blobs();
    for k in 2..=6 {
        let expected = labeling(&format!("k{k}"));
        let found = fit(points.view(), &format!("k = {k}"));
        check_figures(&found, &expected, 150.0);
        let likeness = adjusted_rand(&found.clustering.labels, &golden_labels(&expected));
        assert_eq!(likeness, 1.0, "k = {k}");
    }
}

#[test]
fn customers_in_one_place_have_the_figures_of_scikit_learn() {
    let golden = &golden("golden_cluster.json")["blobs"];
    let times = floats(&golden["times"]);
    let rows: Vec<usize> = (0..150)
        .flat_map(|row| std::iter::repeat_n(row, times[row] as usize))
        .collect();
    let points = blobs().select(Axis(0), &rows);
    for k in 2..=6 {
        let found = fit(points.view(), &format!("k = {k}"));
        check(&points, &found.clustering);
        check_figures(
            &found,
            &golden["repeated"][format!("k{k}")],
            rows.len() as f64,
        );
    }
}

#[test]
fn more_runs_are_never_worse() {
    let points = blobs();
    for k in [4, 9] {
        for seed in 0..3 {
            let inertia = |n: usize| {
                let params = KMeans::params(k).seed(seed).n_runs(n);
                params.fit(&dataset(&points)).unwrap().inertia()
            };
            let inertias = [1, 2, 4, 8, 16].map(inertia);
            let worse = inertias
                .windows(2)
                .filter(|pair| pair[0] * (1.0 + 1e-9) < pair[1])
                .count();
            assert_eq!(worse, 0, "k = {k}, seed = {seed}: {inertias:?}");
        }
    }
}

#[test]
fn more_iterations_than_it_takes_change_nothing() {
    let points = blobs();
    for k in [2, 3, 5, 8] {
        let fitted = |max_iter: u64| {
            let params = KMeans::params(k).n_runs(1).max_iter(max_iter);
            params.fit(&dataset(&points)).unwrap()
        };
        let (short, long) = (fitted(300), fitted(3_000));
        assert_eq!(short, long);
        assert!(short.converged() && short.n_iter() < 300);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    // More rows than a block has, so that there is something to divide.
    let blobs = blobs();
    let points = Array2::from_shape_fn((9_000, 3), |(row, column)| {
        blobs[[row % 150, column]] * (1.0 + (row / 1_500) as f64 / 64.0)
    });
    let lines = "k = 'auto'\nk-max = 5\nn-runs = 4\nseed = 1";
    let one = threads(1, || fit(points.view(), lines));
    check(&points, &one.clustering);
    for n in [2, 8] {
        let more = threads(n, || fit(points.view(), lines));
        assert_eq!(
            one.clustering.centroids, more.clustering.centroids,
            "{n} threads"
        );
        assert_eq!(one.clustering.labels, more.clustering.labels, "{n} threads");
        assert_eq!(one.k_table, more.k_table, "{n} threads");
        assert_eq!(one.k_reason, more.k_reason, "{n} threads");
        assert_eq!(one.warnings, more.warnings, "{n} threads");
    }
}

#[test]
fn permuting_rows_permutes_labels_and_changes_nothing_else() {
    let points = blobs();
    // 7 and 150 have no common divisor, so that this visits every row once.
    let order: Vec<usize> = (0..150).map(|row| row * 7 % 150).collect();
    let shuffled = points.select(Axis(0), &order);
    for k in ["3", "7", "'auto'"] {
        let lines = format!("k = {k}");
        let (before, after) = (fit(points.view(), &lines), fit(shuffled.view(), &lines));
        let expected: Vec<u32> = order
            .iter()
            .map(|&row| before.clustering.labels[row])
            .collect();
        assert_eq!(after.clustering.labels, expected);
        assert_eq!(after.clustering.centroids, before.clustering.centroids);
        assert_eq!(after.k_table, before.k_table);
    }
    // Eight features and rows side by side: rows that differ share a key.
    let points = cloud(4_000, 8, 7).mapv(|x| (2.0 * x).floor() + x * 1e-7);
    let order: Vec<usize> = (0..4_000).rev().collect();
    let shuffled = points.select(Axis(0), &order);
    let params = KMeans::params(3).n_runs(1);
    assert_eq!(
        params.fit(&dataset(&shuffled)).unwrap(),
        params.fit(&dataset(&points)).unwrap()
    );
}

#[test]
fn swapping_columns_leaves_the_partition() {
    let points = blobs();
    let before = fit(points.view(), "k = 3").clustering;
    let after = fit(points.select(Axis(1), &[2, 0, 1]).view(), "k = 3").clustering;
    assert_eq!(partition(&after.labels), partition(&before.labels));
    close(after.inertia, before.inertia, 1e-12, "inertia");
}

#[test]
fn sixty_four_times_the_amounts_make_the_same_clusters() {
    let points = blobs();
    let before = fit(points.view(), "k = 3").clustering;
    let after = fit((&points * 64.0).view(), "k = 3").clustering;
    assert_eq!(after.labels, before.labels);
    close(after.inertia, before.inertia * 4_096.0, 1e-12, "inertia");
}

#[test]
fn each_wrong_parameter_has_its_message() {
    let points = array![[0.0], [1.0], [9.0]];
    let rows = || dataset(&points);
    for (params, rows, expected) in [
        (KMeans::params(0), rows(), "`k` is 0, expected at least 1"),
        (
            KMeans::params(70_000),
            rows(),
            "`k` is 70000, expected at most 65535",
        ),
        (
            KMeans::params(2).n_runs(0),
            rows(),
            "`n-runs` is 0, expected at least 1",
        ),
        (
            KMeans::params(2).max_iter(0),
            rows(),
            "`max-iter` is 0, expected at least 1",
        ),
        (
            KMeans::params(4),
            rows(),
            "k = 4, but the customers have only 3 distinct points in feature space",
        ),
        (
            KMeans::params(2),
            rows().with_weights(array![1.0, 0.0, 0.0]),
            "k = 2, but the customers have only 1 distinct point in feature space",
        ),
        (
            KMeans::params(2),
            rows().with_weights(array![1.0, 1.0]),
            "`weights` is 2, expected 3, one for each row",
        ),
        (
            KMeans::params(2),
            rows().with_weights(array![1.0, -0.5, 1.0]),
            "`weight of row 1` is -0.5, expected a finite number from 0",
        ),
        (
            KMeans::params(2),
            rows().with_weights(array![1.0, 1.0, f32::NAN]),
            "`weight of row 2` is NaN, expected a finite number from 0",
        ),
        (
            KMeans::params(2),
            rows().with_weights(array![f32::INFINITY, 1.0, 1.0]),
            "`weight of row 0` is inf, expected a finite number from 0",
        ),
        (
            KMeans::params(2),
            dataset(&array![[0.0], [f64::NAN], [1.0]]),
            "row 1 of the matrix has NaN in column 0, expected a finite number",
        ),
        (
            KMeans::params(2),
            dataset(&Array2::zeros((0, 3))),
            "0 customers: tiers need at least 2",
        ),
    ] {
        let error = params.fit(&rows).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(KMeans::params(0).check_ref().is_err());
    assert!(KMeans::params(2).check().is_ok());
    let mean = KMeans::params(1).fit(&rows()).unwrap();
    assert_eq!(mean.centroids(), array![[10.0 / 3.0]]);
}

#[test]
fn too_few_distinct_points_are_an_error_with_both_numbers() {
    let one = Array2::<f64>::zeros((1, 2));
    let none = Array2::<f64>::zeros((0, 2));
    let same = Array2::<f64>::ones((5, 2));
    let two = array![[0.0, 1.0], [0.0, 2.0], [-0.0, 1.0], [0.0, 2.0]];
    for (points, lines, k, distinct) in [
        (&one, "k = 2", 2, "1 distinct point"),
        (&same, "k = 2", 2, "1 distinct point"),
        (&same, "k = 'auto'", 2, "1 distinct point"),
        (&same, "k = 2\nalgorithm = 'linfa'", 2, "1 distinct point"),
        (&two, "k = 3", 3, "2 distinct points"),
        (&two, "k = 'auto'\nk-min = 3", 3, "2 distinct points"),
    ] {
        let error = clusters(points.view(), lines).unwrap_err();
        let expected = format!("k = {k}, but the customers have only {distinct} in feature space");
        assert_eq!(error.to_string(), expected, "{lines}");
        assert!(error.hint().is_some());
    }
    let error = clusters(none.view(), "k = 2").unwrap_err();
    assert_eq!(error.to_string(), "0 customers: tiers need at least 2");
    let clusters = fit(two.view(), "k = 2");
    assert_eq!(
        (clusters.clustering.inertia, clusters.clustering.sizes),
        (0.0, vec![2, 2])
    );
}

#[test]
fn as_many_clusters_as_distinct_points_hold_one_each() {
    let spread = array![[0.0, 7.0], [1.0, 7.0], [1.0, 8.0], [0.0, 7.0]];
    // With eight features, two that lie so near to each other share a cell when the third is so far away.
    let near = Array2::from_shape_fn((4, 8), |(row, _)| [0.0, 1e-6, 100.0, 1e-6][row]);
    for points in [spread, near] {
        let clusters = fit(points.view(), "k = 3").clustering;
        check(&points, &clusters);
        let mut sizes = clusters.sizes;
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 2], "{points}");
        assert!(clusters.inertia < 1e-20, "{points}");
    }
    // Nearer than the fixed point can tell, they are one.
    let one = array![[0.0], [1e-9], [3e8], [1e-9]];
    let error = clusters(one.view(), "k = 3").unwrap_err().to_string();
    assert!(error.contains("only 2 distinct points"), "{error}");
}

#[test]
fn what_is_no_number_is_an_error_and_no_panic() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut points = blobs();
        points[[7, 1]] = value;
        let expected =
            format!("row 7 of the matrix has {value} in column 1, expected a finite number");
        for lines in ["k = 3", "k = 'auto'", "k = 3\nalgorithm = 'linfa'"] {
            let error = clusters(points.view(), lines).unwrap_err();
            assert_eq!(error.to_string(), expected, "{lines}");
        }
        let error = KMeans::params(3).fit(&dataset(&points)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn giving_up_early_is_said_aloud() {
    let clusters = fit(cloud(5_000, 3, 2).view(), "k = 9\nmax-iter = 1\nn-runs = 1");
    assert!(!clusters.clustering.converged);
    assert_eq!(clusters.clustering.n_iter, 1);
    let warning = warning(&clusters, "not_converged").unwrap();
    assert_eq!(
        warning,
        "k-means was still moving after 1 iterations; raise `max-iter`"
    );
}

#[test]
fn results_can_be_sent_to_other_threads() {
    fn check<T: Send + Sync>() {}
    check::<Clustering>();
    check::<Clusters>();
    check::<KMeans>();
    check::<KMeansParams>();
    check::<Quality>();
    check::<Error>();
}

#[test]
fn weight_n_counts_like_n_equal_rows() {
    for (seed, n_features) in [(1, 1), (2, 2), (3, 3), (4, 8)] {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        // In steps of a quarter: many rows are alike even before they are repeated.
        let points = cloud(400, n_features, seed).mapv(|x| (x * 24.0).floor() / 4.0);
        let times: Vec<u8> = (0..400).map(|_| (random.next_u32() % 5) as u8).collect();
        let rows: Vec<usize> = (0..400)
            .flat_map(|row| std::iter::repeat_n(row, times[row].into()))
            .collect();
        let kept: Vec<usize> = (0..400).filter(|&row| times[row] != 0).collect();
        let repeated = points.select(Axis(0), &rows);
        for k in 1..=6 {
            let params = KMeans::params(k).n_runs(3);
            let plain = params.fit(&dataset(&repeated)).unwrap();
            for all in [true, false] {
                let kept: Vec<usize> = if all {
                    (0..400).collect()
                } else {
                    kept.clone()
                };
                let weights: Array1<f32> = kept.iter().map(|&row| times[row].into()).collect();
                let rows = dataset(&points.select(Axis(0), &kept)).with_weights(weights);
                let weighted = params.fit(&rows).unwrap();
                assert_eq!(weighted.centroids(), plain.centroids(), "k = {k}");
                assert_eq!(weighted.sizes(), plain.sizes(), "k = {k}");
                assert_eq!(weighted.n_iter(), plain.n_iter(), "k = {k}");
                let ratio = weighted.inertia() / plain.inertia();
                assert!((ratio - 1.0).abs() < 1e-12, "k = {k}: {ratio}");
            }
        }
    }
}

#[test]
fn all_weights_times_a_power_of_two_change_nothing_but_the_scale() {
    let (points, weights) = weighted_blobs();
    let whole = weights.mapv(|weight| (weight * 4.0).ceil());
    for weights in [weights, whole] {
        for k in [2, 5] {
            let params = KMeans::params(k).n_runs(3);
            let fitted = |scale: f32| {
                let rows = dataset(&points).with_weights(weights.mapv(|weight| weight * scale));
                params.fit(&rows).unwrap()
            };
            let plain = fitted(1.0);
            for power in [-30, -3, 1, 12] {
                let scaled = fitted(2_f32.powi(power));
                let scale = 2_f64.powi(power);
                assert_eq!(scaled.centroids(), plain.centroids(), "2^{power}");
                assert_eq!(scaled.inertia(), plain.inertia() * scale, "2^{power}");
                assert_eq!(scaled.sizes(), plain.sizes() * scale, "2^{power}");
            }
        }
    }
}

#[test]
fn a_row_of_weight_0_is_not_there() {
    let (points, weights) = weighted_blobs();
    let kept: Vec<usize> = (0..150).filter(|&row| weights[row] != 0.0).collect();
    assert!(kept.len() < 150);
    let params = KMeans::params(4);
    let one = params
        .fit(&dataset(&points).with_weights(weights.clone()))
        .unwrap();
    let some = dataset(&points.select(Axis(0), &kept)).with_weights(weights.select(Axis(0), &kept));
    assert_eq!(params.fit(&some).unwrap(), one);
    // Not even when it lies far away from everything.
    let far = concatenate![Axis(0), points, array![[120.0, -120.0, 7.0]]];
    let weights = concatenate![Axis(0), weights, array![0.0]];
    assert_eq!(
        params.fit(&dataset(&far).with_weights(weights)).unwrap(),
        one
    );
}

#[test]
fn weights_far_apart_all_count_or_are_refused() {
    let fitted = |k: usize, points: Array2<f64>, weights: Array1<f32>| {
        let rows = dataset(&points).with_weights(weights);
        KMeans::params(k).fit(&rows)
    };
    let three = || array![[0.0], [1.0], [9.0]];
    for (weights, k, sizes) in [
        (
            array![1e12, 1.0, 1.0],
            2,
            array![f64::from(1e12_f32) + 1.0, 1.0],
        ),
        (
            array![1e12, 0.125, 1.0],
            3,
            array![1e12_f32.into(), 0.125, 1.0],
        ),
        // Above 2³² they are as whole as below.
        (
            array![2_f32.powi(40), 1.0, 3.0],
            2,
            array![2_f64.powi(40) + 1.0, 3.0],
        ),
        (
            array![2_f32.powi(61), 2.0, 3.0],
            3,
            array![2_f64.powi(61), 2.0, 3.0],
        ),
    ] {
        assert_eq!(fitted(k, three(), weights).unwrap().sizes(), sizes);
    }
    let error = fitted(2, three(), array![1e30, 1.0, 0.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`weight of row 1` is 1e0, expected 0, or at least 2.74877906944e11 beside a weight of 1e30"
    );
}

#[test]
fn a_customer_of_weight_0_has_a_label_and_counts_nowhere() {
    let points = array![[8.0], [0.0], [0.5], [9.0], [4.0], [1.0]];
    let grid = Grid::covering(points.view()).unwrap();
    let weighted = sketch_weighted(points.view(), Some(&[0, 1, 3, 2, 0, 0]), &grid).unwrap();
    let found = cluster(&weighted, &settings("k = 2")).unwrap().clustering;
    assert_eq!(found.labels, [1, 0, 0, 1, 0, 0]);
    assert_eq!(found.sizes, [4, 2]);
    assert_eq!(found.centroids, array![[0.375], [9.0]]);
    for lines in [
        "k = 2\nalgorithm = 'linfa'",
        "k = 2\nalgorithm = 'gmm'",
        "method = 'breaks'",
    ] {
        let error = cluster(&weighted, &settings(lines)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`weights` is set, expected `method = \"kmeans\"` with `algorithm = \"lloyd\"`, which alone takes them"
        );
    }
}

#[test]
fn silhouettes_of_many_features_are_those_of_all_customers_too() {
    for n_features in [5, 8] {
        let points = cloud(9_000, n_features, 6);
        let found = fit(points.view(), "k = 2\nn-runs = 1");
        let all = silhouette(points.view(), &found.clustering.labels, 2);
        let off = found.k_table[0].silhouette - all;
        assert!(
            off.abs() < 0.01,
            "{n_features} features: {all} is {off} off"
        );
    }
}

#[test]
fn fractional_weights_give_the_clusters_of_scikit_learn() {
    let (points, weights) = weighted_blobs();
    for k in 2..=6 {
        let expected = golden("golden_cluster.json")["blobs"]["weighted"][format!("k{k}")].clone();
        let best = expected["inertia"].as_f64().unwrap();
        let params = KMeans::params(k);
        let model = params
            .fit(&dataset(&points).with_weights(weights.clone()))
            .unwrap();
        let labels: Vec<u32> = model
            .predict(&points)
            .iter()
            .map(|&label| label as u32)
            .collect();
        close(model.inertia(), best, 1e-9, "inertia");
        assert_eq!(adjusted_rand(&labels, &golden_labels(&expected)), 1.0);
        let centers = expected["centers"].as_array().unwrap().iter().map(floats);
        for (center, size) in centers.zip(floats(&expected["sizes"])) {
            let (label, distance, _) = nearest(model.centroids().view(), aview1(&center));
            assert!(distance < 1e-8, "k = {k}, {label}: {distance}");
            close(model.sizes()[label], size, 1e-9, "size");
        }
    }
}

#[test]
fn auto_finds_the_three_blobs_and_says_why() {
    let clusters = fit(blobs().view(), "k = 'auto'");
    assert_eq!(clusters.clustering.sizes.len(), 3);
    let ks: Vec<usize> = clusters.k_table.iter().map(|quality| quality.k).collect();
    assert_eq!(ks, (2..=10).collect::<Vec<_>>());
    let inertias: Vec<f64> = clusters
        .k_table
        .iter()
        .map(|quality| quality.inertia)
        .collect();
    assert!(
        inertias.windows(2).all(|pair| pair[1] < pair[0]),
        "{inertias:?}"
    );
    assert_eq!(
        clusters.k_reason,
        "k = 3 has the highest silhouette (0.490) of k = 2..10 that pass the guards; not k = 2, 5, 6, 7, 8, 9, 10: other \
         customers would give other tiers (stability under 0.75); inertia has its elbow there too"
    );
    assert_eq!(warning(&clusters, "no_structure"), None);
    assert_eq!(
        adjusted_rand(&clusters.clustering.labels, &golden_labels(&labeling("k3"))),
        1.0
    );
    let json = serde_json::to_value(&clusters.k_table[0]).unwrap();
    let figures = json.as_object().unwrap();
    assert!(figures.values().all(serde_json::Value::is_number), "{json}");
    assert_eq!(
        figures.keys().collect::<Vec<_>>(),
        [
            "k",
            "inertia",
            "silhouette",
            "simplified_silhouette",
            "calinski_harabasz",
            "davies_bouldin",
            "smallest_share",
            "stability",
            "stability_spread"
        ]
    );
}

#[test]
fn far_groups_come_out_again_whoever_the_customers_are() {
    let points = groups(
        &[[0.0, 0.0], [50.0, 0.0], [0.0, 50.0], [40.0, 40.0]],
        60,
        1.0,
    );
    let clusters = fit(points.view(), "k = 'auto'\nk-max = 6");
    assert_eq!(clusters.clustering.sizes, [60, 60, 60, 60]);
    let quality = &clusters.k_table[2];
    assert_eq!(
        (quality.stability, quality.stability_spread),
        (Some(1.0), Some(0.0))
    );
    assert_eq!(
        clusters.k_reason,
        "k = 4 has the highest silhouette (0.975) of k = 2..6 that pass the guards; not k = 2: other customers would give \
         other tiers (stability under 0.75); inertia has its elbow there too"
    );
    assert_eq!(warning(&clusters, "no_structure"), None);
}

#[test]
fn an_even_cloud_is_called_one() {
    for (rows, n_features, seed) in [(500, 2, 1), (500, 3, 2)] {
        let clusters = fit(cloud(rows, n_features, seed).view(), "k = 'auto'");
        let warning = warning(&clusters, "no_structure").unwrap();
        assert!(
            warning.starts_with("no structure: inertia falls no faster than in an even cloud"),
            "{warning}"
        );
        assert!(
            clusters.k_reason.contains("; inertia has no elbow"),
            "{}",
            clusters.k_reason
        );
        for quality in &clusters.k_table {
            let stability = quality.stability.unwrap();
            assert!((-1.0..=1.0).contains(&stability), "{stability}");
            assert!(0.0 <= quality.stability_spread.unwrap());
        }
        let taken = clusters.clustering.sizes.len();
        let quality = &clusters.k_table[taken - 2];
        let passes = STABILITY_FLOOR <= quality.stability.unwrap();
        assert!(
            passes || clusters.warnings.iter().any(|w| w.code == "no_k_passes"),
            "{}",
            clusters.k_reason
        );
    }
}

#[test]
fn a_k_with_too_small_a_tier_is_not_taken() {
    let mut points = groups(&[[0.0, 0.0], [20.0, 0.0]], 100, 1.0);
    // Three customers far from all others: a tier of their own has the best silhouette.
    for row in 0..3 {
        points[[row * 50, 0]] = 10.0;
        points[[row * 50, 1]] = 30.0 + row as f64;
    }
    let lines = "k = 'auto'\nk-max = 3\nmin-share = ";
    let free = fit(points.view(), &format!("{lines}0.01"));
    assert_eq!(free.clustering.sizes, [98, 3, 99]);
    let guarded = fit(points.view(), &format!("{lines}0.05"));
    assert_eq!(guarded.clustering.sizes.len(), 2);
    assert_eq!(
        guarded.k_reason,
        "k = 2 has the highest silhouette (0.908) of k = 2..3 that pass the guards; not k = 3: too small a tier \
         (`min-share` 5 %)"
    );
}

#[test]
fn auto_tries_no_more_than_there_are_distinct_points() {
    let points = Array2::from_shape_fn((40, 1), |(row, _)| {
        (row % 4) as f64 * 10.0 + if row % 4 == 3 { 50.0 } else { 0.0 }
    });
    let clusters = fit(points.view(), "k = 'auto'");
    let ks: Vec<usize> = clusters.k_table.iter().map(|quality| quality.k).collect();
    assert_eq!(ks, [2, 3, 4]);
    assert_eq!(clusters.clustering.sizes, [10, 10, 10, 10]);
    assert_eq!(
        clusters.k_reason,
        "k = 4 has the highest silhouette (1.000) of k = 2..4 that pass the guards; not k = 3: other customers would give \
         other tiers (stability under 0.75); inertia has no elbow; there are only 4 distinct points"
    );
    let json = serde_json::to_string(&clusters.k_table[2]).unwrap();
    assert!(!json.contains("inf") && !json.contains("NaN"), "{json}");
}

#[test]
fn silhouettes_are_those_of_scikit_learn_in_their_special_cases_too() {
    let points = blobs();
    for name in ["k2", "k3", "k6", "cluster_of_one"] {
        let expected = labeling(name);
        let labels = golden_labels(&expected);
        let k = partition(&labels).into_iter().max().unwrap() + 1;
        close(
            silhouette(points.view(), &labels, k),
            expected["silhouette"].as_f64().unwrap(),
            1e-9,
            name,
        );
    }
    let apart = array![[0.0], [1.0], [9.0]];
    // The third is alone and counts 0; the others are (9 − 1) / 9 and (8 − 1) / 8.
    close(
        silhouette(apart.view(), &[0, 0, 1], 2),
        (8.0 / 9.0 + 7.0 / 8.0) / 3.0,
        1e-12,
        "a cluster of one",
    );
    assert_eq!(
        silhouette(apart.view(), &[0, 0, 0], 1),
        0.0,
        "nothing to tell apart"
    );
    let same = Array2::<f64>::ones((4, 2));
    assert_eq!(
        silhouette(same.view(), &[0, 0, 1, 1], 2),
        0.0,
        "all in one place"
    );
}

#[test]
fn cdnow_is_clustered_as_well_as_by_scikit_learn() {
    let golden = &golden("golden_cluster.json")["cdnow"];
    let points = scaled_logs(&cdnow());
    check_inertias(&points, &golden["best_of_10"]);
    for k in [2, 5, 8] {
        let expected = &golden["clusters"][format!("k{k}")];
        let figure = |name: &str| expected[name].as_f64().unwrap();
        let found = fit(points.view(), &format!("k = {k}\nn-runs = 4"));
        check(&points, &found.clustering);
        let quality = &found.k_table[0];
        // Over wider cells, and not quite the same partition.
        let off = (quality.silhouette - figure("silhouette")).abs();
        assert!(off < 0.01, "k = {k}: silhouette is {off} off");
        for (found, name) in [
            (quality.calinski_harabasz, "calinski_harabasz"),
            (quality.davies_bouldin, "davies_bouldin"),
        ] {
            close(found / figure(name), 1.0, 2e-3, &format!("k = {k}, {name}"));
        }
    }
}

#[test]
fn online_retail_is_clustered_as_well_as_by_scikit_learn() {
    let Some(extra) = extra_data() else { return };
    let golden = &golden("golden_cluster.json")["online_retail"];
    let points = scaled_logs(&online_retail(&extra).customers);
    check_inertias(&points, &golden["best_of_10"]);
}
