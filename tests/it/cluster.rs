//! k-means: the catalogue that scikit-learn tests its own with, and its figures for blobs and CDNOW.
//!
//! Cluster numbers mean nothing outside `cluster`, so that partitions are compared and never raw labels.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis, array, aview1};
use tiermill::Error;
use tiermill::cluster::{
    Clustering, Clusters, Quality, SILHOUETTE_ROWS, cluster, nearest, silhouette,
};
use tiermill::config::{ClusterConfig, Feature, FeatureConfig, Scale, Transform};
use tiermill::features;

use crate::support::{cdnow, close, config, floats, golden};

/// The `[cluster]` of a config with these lines.
fn settings(lines: &str) -> ClusterConfig {
    config(&format!(
        "input = 'x'\ncustomer = 'x'\ntime = 'x'\n[cluster]\n{lines}"
    ))
    .cluster
}

#[track_caller]
fn fit(points: ArrayView2<'_, f64>, lines: &str) -> Clusters {
    cluster(points, &settings(lines)).unwrap()
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
    let Quality {
        silhouette,
        simplified_silhouette,
        calinski_harabasz,
        davies_bouldin,
        ..
    } = clusters.k_table[0];
    // Own neighbour at 2, the others at 10 and √104.
    let outside = f64::midpoint(10.0, 104_f64.sqrt());
    close(silhouette, (outside - 2.0) / outside, 1e-12, "silhouette");
    close(
        simplified_silhouette,
        1.0 - 1.0 / 101_f64.sqrt(),
        1e-12,
        "simplified silhouette",
    );
    assert_eq!(calinski_harabasz, 100.0 * 2.0 / 4.0);
    assert_eq!(davies_bouldin, 2.0 / 10.0);
    assert_eq!(clusters.k_reason, "k = 2 was set");
    assert_eq!(clusters.warnings, []);
}

#[test]
fn every_clustering_is_a_fixed_point_that_predicts_itself() {
    let points = blobs();
    for k in 2..=12 {
        for seed in 0..3 {
            let clusters = fit(
                points.view(),
                &format!("k = {k}\nseed = {seed}\nn-runs = 2"),
            );
            assert_eq!(clusters.clustering.sizes.len(), k);
            check(&points, &clusters.clustering);
        }
    }
}

#[test]
fn blobs_are_recovered_with_the_figures_of_scikit_learn() {
    let points = blobs();
    for k in 2..=4 {
        let expected = labeling(&format!("k{k}"));
        let same = |found: f64, name: &str| {
            let expected = expected[name].as_f64().unwrap();
            close(found, expected, 1e-9, &format!("k = {k}, {name}"));
        };
        let Clusters {
            clustering,
            k_table,
            ..
        } = fit(points.view(), &format!("k = {k}"));
        let likeness = adjusted_rand(&clustering.labels, &golden_labels(&expected));
        assert_eq!(likeness, 1.0, "k = {k}");
        let [quality] = &k_table[..] else {
            panic!("{k_table:?}")
        };
        assert_eq!((quality.k, quality.inertia), (k, clustering.inertia));
        same(quality.inertia, "inertia");
        same(quality.silhouette, "silhouette");
        same(quality.calinski_harabasz, "calinski_harabasz");
        same(quality.davies_bouldin, "davies_bouldin");
        let smallest = clustering.sizes.iter().min().unwrap();
        assert_eq!(quality.smallest_share, *smallest as f64 / 150.0);
        assert_eq!(quality.stability, None, "not measured yet");
        let centers = expected["centers"].as_array().unwrap().iter().map(floats);
        for center in centers {
            let (label, distance, _) = nearest(clustering.centroids.view(), aview1(&center));
            assert!(distance < 1e-9, "k = {k}, {label}: {distance}");
        }
    }
}

#[test]
fn blobs_are_clustered_within_three_thousandths_of_fifty_runs_of_scikit_learn() {
    let points = blobs();
    for k in 2..=6 {
        let best = labeling(&format!("k{k}"))["inertia"].as_f64().unwrap();
        let inertia = fit(points.view(), &format!("k = {k}\nn-runs = 50"))
            .clustering
            .inertia;
        assert!(
            inertia <= best * 1.003,
            "k = {k}: {inertia}, scikit-learn {best}"
        );
    }
}

#[test]
fn more_runs_are_never_worse() {
    let points = blobs();
    for k in [4, 9] {
        for seed in 0..3 {
            let inertia = |n: usize| {
                fit(
                    points.view(),
                    &format!("k = {k}\nseed = {seed}\nn-runs = {n}"),
                )
                .clustering
                .inertia
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
fn one_iteration_more_from_the_end_changes_nothing() {
    let points = blobs();
    for k in [2, 3, 5, 8] {
        let short = fit(points.view(), &format!("k = {k}")).clustering;
        let long = fit(points.view(), &format!("k = {k}\nmax-iter = 3000")).clustering;
        assert_eq!(short.centroids, long.centroids);
        assert_eq!((short.labels, short.inertia), (long.labels, long.inertia));
        assert!(short.n_iter < 300);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let points = blobs();
    for lines in ["k = 5\nseed = 1", "k = 'auto'\nseed = 1"] {
        let (one, other) = (fit(points.view(), lines), fit(points.view(), lines));
        assert_eq!(one.clustering.centroids, other.clustering.centroids);
        assert_eq!(one.clustering.labels, other.clustering.labels);
        assert_eq!(one.k_table, other.k_table);
        assert_eq!(one.k_reason, other.k_reason);
    }
}

#[test]
fn one_thread_and_four_give_the_same_bits() {
    // More rows than a block has, so that there is something to divide.
    let blobs = blobs();
    let points = Array2::from_shape_fn((4_500, 3), |(row, column)| {
        blobs[[row % 150, column]] * (1.0 + (row / 150) as f64 / 64.0)
    });
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit(points.view(), "k = 4\nn-runs = 2"))
    };
    let one = with(1);
    for threads in [2, 4] {
        let more = with(threads);
        assert_eq!(
            one.clustering.centroids, more.clustering.centroids,
            "{threads} threads"
        );
        assert_eq!(
            one.clustering.labels, more.clustering.labels,
            "{threads} threads"
        );
        assert_eq!(one.k_table, more.k_table, "{threads} threads");
    }
    check(&points, &one.clustering);
}

#[test]
fn permuting_rows_permutes_labels() {
    let points = blobs();
    let before = fit(points.view(), "k = 3").clustering;
    // 7 and 150 have no common divisor, so that this visits every row once.
    let order: Vec<usize> = (0..150).map(|row| row * 7 % 150).collect();
    let after = fit(points.select(Axis(0), &order).view(), "k = 3").clustering;
    let expected: Vec<u32> = order.iter().map(|&row| before.labels[row]).collect();
    assert_eq!(after.labels, expected);
    assert_eq!(after.sizes, before.sizes);
    close(after.inertia, before.inertia, 1e-12, "inertia");
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
fn too_few_distinct_points_are_an_error_with_both_numbers() {
    let one = Array2::<f64>::zeros((1, 2));
    let none = Array2::<f64>::zeros((0, 2));
    let same = Array2::<f64>::ones((5, 2));
    let two = array![[0.0, 1.0], [0.0, 2.0], [0.0, 1.0], [0.0, 2.0]];
    for (points, lines, k, distinct) in [
        (&one, "k = 2", 2, "1 distinct point"),
        (&same, "k = 2", 2, "1 distinct point"),
        (&same, "k = 'auto'", 2, "1 distinct point"),
        (&two, "k = 3", 3, "2 distinct points"),
        (&two, "k = 'auto'\nk-min = 3", 3, "2 distinct points"),
    ] {
        let error = cluster(points.view(), &settings(lines)).unwrap_err();
        let expected = format!("k = {k}, but the customers have only {distinct} in feature space");
        assert_eq!(error.to_string(), expected, "{lines}");
        assert!(error.hint().is_some());
    }
    let error = cluster(none.view(), &settings("k = 2")).unwrap_err();
    assert_eq!(error.to_string(), "0 customers: tiers need at least 2");
    let clusters = fit(two.view(), "k = 2");
    assert_eq!(
        (clusters.clustering.inertia, clusters.clustering.sizes),
        (0.0, vec![2, 2])
    );
}

#[test]
fn what_is_no_number_is_an_error_and_no_panic() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for k in ["3", "'auto'"] {
            let mut points = blobs();
            points[[7, 1]] = value;
            let result =
                std::panic::catch_unwind(|| cluster(points.view(), &settings(&format!("k = {k}"))));
            let result = result.unwrap_or_else(|_| panic!("cluster panicked on {value}, k = {k}"));
            assert!(result.is_err(), "{value}, k = {k}");
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
    let best = clusters
        .k_table
        .iter()
        .max_by(|a, b| a.silhouette.total_cmp(&b.silhouette))
        .unwrap();
    assert_eq!(best.k, 3);
    assert_eq!(
        clusters.k_reason,
        "k = 3 has the highest silhouette (0.490) of k = 2..10"
    );
    assert_eq!(
        adjusted_rand(&clusters.clustering.labels, &golden_labels(&labeling("k3"))),
        1.0
    );
    for quality in &clusters.k_table {
        let json = serde_json::to_value(quality).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "k",
                "inertia",
                "silhouette",
                "simplified_silhouette",
                "calinski_harabasz",
                "davies_bouldin",
                "smallest_share",
                "stability"
            ]
        );
        assert!(
            keys.iter()
                .all(|key| *key == "stability" || json[*key].is_number()),
            "{json}"
        );
    }
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
        "k = 4 has the highest silhouette (1.000) of k = 2..4; there are only 4 distinct points"
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
fn an_even_cloud_is_called_one() {
    let points = Array2::from_shape_fn((400, 6), |(row, column)| {
        // A low-discrepancy cloud: no groups at all.
        let step = [0.855_4, 0.731_8, 0.626_1, 0.535_6, 0.458_2, 0.391_9][column];
        (row as f64 * step).fract()
    });
    let clusters = fit(points.view(), "k = 4");
    let warning = &clusters.warnings[0];
    assert_eq!(warning.code, "weak_structure");
    assert!(
        warning.message.starts_with("the silhouette is 0."),
        "{}",
        warning.message
    );
}

#[test]
fn giving_up_early_is_said_aloud() {
    let clusters = fit(blobs().view(), "k = 9\nmax-iter = 1\nn-runs = 1");
    assert!(!clusters.clustering.converged);
    let warning = clusters
        .warnings
        .iter()
        .find(|warning| warning.code == "not_converged")
        .unwrap();
    assert_eq!(
        warning.message,
        "k-means was still moving after 1 iterations; raise `max-iter`"
    );
}

#[test]
fn cdnow_is_clustered_as_well_as_by_scikit_learn() {
    let people = cdnow();
    let configs = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary].map(|feature| {
        FeatureConfig {
            feature,
            transform: Transform::Log1p,
            scale: Scale::Zscore,
            weight: 1.0,
            winsorise: None,
        }
    });
    let fitted = features::fit(&people, &configs).unwrap();
    let points = features::matrix(&people, &fitted.columns).unwrap();
    let mut ratios = Vec::new();
    // Few starts: each takes seconds in a test build.
    for k in [3, 5] {
        let expected = &golden("golden_cluster.json")["cdnow"]["clusters"][format!("k{k}")];
        let figure = |name: &str| expected[name].as_f64().unwrap();
        let clusters = fit(points.view(), &format!("k = {k}\nn-runs = 4"));
        check(&points, &clusters.clustering);
        let ratio = clusters.clustering.inertia / figure("inertia");
        ratios.push((k, ratio));
        assert!(
            clusters
                .warnings
                .iter()
                .any(|warning| warning.code == "silhouette_sampled")
        );
        assert!(SILHOUETTE_ROWS < people.len());
        // Where all but the same optimum was found, the figures are all but the same.
        if ratio < 1.000_01 {
            let quality = &clusters.k_table[0];
            for (found, name) in [
                (quality.calinski_harabasz, "calinski_harabasz"),
                (quality.davies_bouldin, "davies_bouldin"),
            ] {
                close(found / figure(name), 1.0, 1e-3, name);
            }
        }
    }
    assert!(
        ratios.iter().all(|(_, ratio)| *ratio <= 1.001),
        "k, and inertia in those of scikit-learn: {ratios:?}"
    );
}

#[test]
fn results_can_be_sent_to_other_threads() {
    fn check<T: Send + Sync>() {}
    check::<Clustering>();
    check::<Clusters>();
    check::<Quality>();
    check::<Error>();
}
