//! `algorithm = "gmm"`: soft memberships beside scikit-learn's, and figures of the tiers that are published.

use ndarray::{Array2, Axis, array};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tiermill::Result;
use tiermill::cluster::{Clusters, Likelihoods, Mixture, Shape, cluster, silhouette};
use tiermill::features::sketch::sketch;

use crate::support::{close, config};

fn clusters(points: &Array2<f64>, lines: &str) -> Result<Clusters> {
    let text =
        format!("input = 'x'\ncustomer = 'x'\ntime = 'x'\n[cluster]\nalgorithm = 'gmm'\n{lines}");
    cluster(&sketch(points.view())?, &config(&text).cluster)
}

/// Normal deviates (Box and Muller).
fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut share = move || (f64::from(random.next_u32()) + 0.5) / 2_f64.powi(32);
    move || (-2.0 * share().ln()).sqrt() * (std::f64::consts::TAU * share()).cos()
}

/// Customers around one center, two of three close to it and the others far and wide.
fn tight_and_wide() -> Array2<f64> {
    let mut normal = normals(11);
    Array2::from_shape_fn((900, 2), |(row, _)| {
        normal() * if row % 3 == 0 { 4.0 } else { 0.2 }
    })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

/// Caliński-Harabasz, Davies-Bouldin and the simplified silhouette of labels that all occur, by their formulas.
fn figures(points: &Array2<f64>, labels: &[u32], k: usize) -> [f64; 3] {
    let rows: Vec<Vec<f64>> = points.outer_iter().map(|row| row.to_vec()).collect();
    let mean_of = |rows: &[usize]| points.select(Axis(0), rows).mean_axis(Axis(0)).unwrap();
    let members = |label: usize| -> Vec<usize> {
        let own = (0..rows.len()).filter(|&row| labels[row] as usize == label);
        own.collect()
    };
    let members: Vec<Vec<usize>> = (0..k).map(members).collect();
    let means: Vec<Vec<f64>> = members.iter().map(|own| mean_of(own).to_vec()).collect();
    let middle = mean_of(&(0..rows.len()).collect::<Vec<usize>>()).to_vec();
    let (mut between, mut within) = (0.0, 0.0);
    let mut spreads = vec![0.0; k];
    for label in 0..k {
        between += members[label].len() as f64 * distance(&means[label], &middle).powi(2);
        for &row in &members[label] {
            let off = distance(&rows[row], &means[label]);
            within += off * off;
            spreads[label] += off / members[label].len() as f64;
        }
    }
    let worst = |a: usize| {
        let others = (0..k).filter(|&b| b != a);
        let likeness = others.map(|b| (spreads[a] + spreads[b]) / distance(&means[a], &means[b]));
        likeness.fold(0.0, f64::max)
    };
    let simplified = |row: usize| {
        let own = labels[row] as usize;
        let others = (0..k).filter(|&label| label != own);
        let others = others.map(|label| distance(&rows[row], &means[label]));
        let (a, b) = (
            distance(&rows[row], &means[own]),
            others.fold(f64::INFINITY, f64::min),
        );
        (b - a) / a.max(b)
    };
    let n = rows.len() as f64;
    [
        between * (n - k as f64) / (within * (k as f64 - 1.0)),
        (0..k).map(worst).sum::<f64>() / k as f64,
        (0..rows.len()).map(simplified).sum::<f64>() / n,
    ]
}

#[test]
fn posteriors_are_those_of_scikit_learn() {
    let mixture = Mixture {
        weights: vec![0.5, 0.3, 0.2],
        covariances: vec![
            vec![0.25, 0.05, 0.05, 0.5],
            vec![9.0, -2.0, -2.0, 4.0],
            vec![1.0, 0.6, 0.6, 0.8],
        ],
    };
    let means = array![[0.0, 0.0], [0.0, 0.0], [3.0, -1.0]];
    let likelihoods = Likelihoods::new(means, &mixture).unwrap();
    let rows = array![
        [0.0, 0.0],
        [1.0, 1.0],
        [1.5, -0.5],
        [3.0, -1.0],
        [-4.0, 2.5],
        [200.0, -300.0],
        // Where not even a logarithm is left, the first, as labels have it.
        [1e200, 0.0]
    ];
    // GaussianMixture.predict_proba of scikit-learn 1.9.1, with these parameters.
    let expected = [
        [
            0.964_205_395_344_668_5,
            0.035_794_299_109_005_716,
            3.055_463_257_283_522e-7,
        ],
        [
            0.712_195_414_550_004_1,
            0.287_802_032_670_869_34,
            2.552_779_126_302_361_4e-6,
        ],
        [
            0.126_229_247_248_609_18,
            0.712_470_815_954_680_6,
            0.161_299_936_796_710_17,
        ],
        [
            4.791_156_741_103_972e-9,
            0.095_046_430_416_796_24,
            0.904_953_564_792_047,
        ],
        [
            1.784_473_890_557_706_3e-17,
            1.0,
            2.503_320_363_563_077_2e-39,
        ],
        [0.0, 1.0, 0.0],
        [1.0, 0.0, 0.0],
    ];
    let found = likelihoods.posteriors(rows.view());
    for (row, expected) in expected.iter().enumerate() {
        let shares = found.row(row);
        close(shares.sum(), 1.0, 1e-15, "a row adds up");
        for (share, expected) in shares.iter().zip(expected) {
            let off = (share - expected).abs();
            assert!(off <= 1e-12 * expected, "row {row}: {share}, {expected}");
        }
        let (likeliest, margin) = likelihoods.place(rows.row(row));
        let mut sorted = shares.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(shares[likeliest], sorted[0]);
        let expected = (sorted[0] - sorted[1]) / (sorted[0] + sorted[1]);
        close(margin, expected, 1e-12, "margin");
    }
}

#[test]
fn a_mixture_is_judged_by_the_labels_that_it_publishes() {
    let points = tight_and_wide();
    let found = clusters(&points, "k = 2").unwrap();
    let clustering = &found.clustering;
    let Shape::Mixture(mixture) = &clustering.shape else {
        panic!("{:?}", clustering.shape)
    };
    // One center, which says nothing of who belongs where.
    let widths: Vec<f64> = mixture.covariances.iter().map(|of| of[0].sqrt()).collect();
    let (tight, wide) = (widths[0].min(widths[1]), widths[0].max(widths[1]));
    assert!(tight < 0.3 && 3.0 < wide, "{widths:?}");
    let likelihoods = Likelihoods::new(clustering.centroids.clone(), mixture).unwrap();
    let posteriors = likelihoods.posteriors(points.view());
    let mut sizes = [0, 0];
    for (shares, &label) in posteriors.outer_iter().zip(&clustering.labels) {
        assert!(0.5 <= shares[label as usize], "{label}: {shares}");
        sizes[label as usize] += 1;
    }
    assert_eq!(clustering.sizes, sizes);
    let quality = &found.k_table[0];
    let [calinski, davies, simplified] = figures(&points, &clustering.labels, 2);
    let all = silhouette(points.view(), &clustering.labels, 2);
    for (found, expected, name) in [
        (quality.calinski_harabasz, calinski, "Caliński-Harabasz"),
        (quality.davies_bouldin, davies, "Davies-Bouldin"),
        (quality.simplified_silhouette, simplified, "simplified"),
        (quality.silhouette, all, "silhouette"),
        (quality.inertia, clustering.inertia, "inertia"),
        (
            quality.smallest_share,
            sizes[0].min(sizes[1]) as f64 / 900.0,
            "smallest",
        ),
    ] {
        close(found, expected, 1e-9, name);
    }
    // Others in their place would be parted in the same way: not where k-means parts them.
    let stability = quality.stability.unwrap();
    assert!(0.9 < stability, "{stability}");
}

#[test]
fn a_k_without_a_mixture_is_left_out_and_said() {
    // Two customers so far from all others, and from each other, that two components have no room for them.
    let mut normal = normals(3);
    let mut points = Array2::from_shape_fn((4_000, 2), |_| normal() * 1e-4);
    points.row_mut(0).assign(&array![50.0, 0.0]);
    points.row_mut(1).assign(&array![0.0, 50.0]);
    let found = clusters(&points, "k = 'auto'\nk-max = 3").unwrap();
    let ks: Vec<usize> = found.k_table.iter().map(|quality| quality.k).collect();
    assert_eq!(ks, [3]);
    assert_eq!(found.clustering.sizes.iter().sum::<u64>(), 4_000);
    let warning = found
        .warnings
        .iter()
        .find(|warning| warning.code == "no_mixture");
    assert_eq!(
        warning.unwrap().message,
        "k = 2 was not tried: no Gaussian mixture of so many components was found"
    );
    for lines in ["k = 2", "k = 'auto'\nk-max = 2"] {
        let error = clusters(&points, lines).unwrap_err();
        assert_eq!(error.to_string(), "no Gaussian mixture of k = 2 was found");
        assert!(error.hint().unwrap().contains("`max-iter`"));
        assert!(std::error::Error::source(&error).is_some());
    }
}
