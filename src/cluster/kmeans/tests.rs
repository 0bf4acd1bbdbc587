//! The iteration on all rows, held against ten plain lines.

use ndarray::Array2;
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::exact::{Fixed, Pace, iterate, iterate_cells};
use super::survey::survey;
use super::tree::Tree;
use super::*;
use crate::features::sketch::{MAX_CELLS, Sketched, sketch};

/// Lloyd's iteration as it stands in books; labels, centroids, sizes. None where a cluster runs empty.
fn plain(
    points: &Array2<f64>,
    weights: &[u64],
    start: &[f64],
    steps: u64,
) -> Option<(Vec<u32>, Vec<f64>, Vec<u64>)> {
    let (d, k) = (points.ncols(), start.len() / points.ncols());
    let mut centroids = start.to_vec();
    let mut labels = plain_labels(points, &centroids);
    for _ in 0..steps {
        let (mut sizes, mut sums) = (vec![0; k], vec![0.0; k * d]);
        for (row, point) in points.outer_iter().enumerate() {
            let label = labels[row] as usize;
            sizes[label] += weights[row];
            for feature in 0..d {
                sums[label * d + feature] += point[feature] * weights[row] as f64;
            }
        }
        if sizes.contains(&0) {
            return None;
        }
        centroids = (0..k * d).map(|i| sums[i] / sizes[i / d] as f64).collect();
        let next = plain_labels(points, &centroids);
        if next == labels {
            break;
        }
        labels = next;
    }
    let mut sizes = vec![0; k];
    for (&label, weight) in labels.iter().zip(weights) {
        sizes[label as usize] += weight;
    }
    Some((labels, centroids, sizes))
}

/// The nearest of the centroids for each row, of two the first.
fn plain_labels(points: &Array2<f64>, centroids: &[f64]) -> Vec<u32> {
    let label = |point: Vec<f64>| {
        let mut best = (f64::INFINITY, 0);
        for (label, centroid) in (0..).zip(centroids.chunks_exact(point.len())) {
            let squared = squared(&point, centroid);
            if squared < best.0 {
                best = (squared, label);
            }
        }
        best.1
    };
    points.outer_iter().map(|row| label(row.to_vec())).collect()
}

/// What the engine makes of the same, with labels by row; rows without a weight have none.
fn exact(points: &Array2<f64>, weights: &[u64], start: &[f64], steps: u64) -> (Fixed, Vec<u32>) {
    let grid = Grid::covering(points.view()).unwrap();
    let sketched = sketch_weighted(points.view(), Some(weights), &grid).unwrap();
    let tree = Tree::of_rows(&sketched);
    let fixed = iterate(&tree, start.to_vec(), (steps, Pace::Plain));
    let labels = by_row(points.nrows(), &sketched, &fixed);
    (fixed, labels)
}

fn sizes_of(fixed: &Fixed) -> Vec<u64> {
    fixed
        .totals
        .counts
        .iter()
        .map(|&count| count.unsigned_abs())
        .collect()
}

fn by_row(rows: usize, sketched: &Sketched, fixed: &Fixed) -> Vec<u32> {
    let mut labels = vec![0; rows];
    for (&row, &owner) in sketched.order.rows.iter().zip(&fixed.owners) {
        labels[row as usize] = owner.into();
    }
    labels
}

/// Asserts that the engine stands where the plain lines stand after so many steps. False where these run empty.
#[track_caller]
fn same(points: &Array2<f64>, weights: &[u64], start: &[f64], steps: u64) -> bool {
    let Some((mut labels, centroids, sizes)) = plain(points, weights, start, steps) else {
        return false;
    };
    for (label, weight) in labels.iter_mut().zip(weights) {
        *label = if *weight == 0 { 0 } else { *label };
    }
    let (fixed, found) = exact(points, weights, start, steps);
    assert_eq!(found, labels, "labels after {steps} steps");
    // Sums of these coordinates are exact in f64 too.
    assert_eq!(
        fixed.centroids.places, centroids,
        "centroids after {steps} steps"
    );
    assert_eq!(sizes_of(&fixed), sizes, "sizes after {steps} steps");
    true
}

/// Rows whose coordinates are multiples of 2⁻²⁰, mostly tied, some next to each other and some far away.
fn rows(n: usize, d: usize, random: &mut Xoshiro256PlusPlus) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |_| {
        let coarse = f64::from(random.next_u32() % 13) / 4.0 - 1.5;
        let fine = f64::from(random.next_u32() % (1 << 20)) / f64::from(1 << 20);
        match random.next_u32() % 8 {
            0..4 => coarse,
            4 => coarse + fine,
            5 => coarse + f64::from(1 << 20).recip(),
            6 => 4.0 * fine - 2.0,
            _ if random.next_u32().is_multiple_of(16) => 40.0 * coarse,
            _ => -coarse,
        }
    })
}

/// k rows to start from.
fn starts(points: &Array2<f64>, k: usize, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let row = |_| {
        points
            .row(random.next_u32() as usize % points.nrows())
            .to_vec()
    };
    (0..k).flat_map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_is_that_of_ten_plain_lines(
        seed: u64,
        (n, d, k) in (1_usize..=300, 1_usize..=8, 1_usize..=9),
        steps in prop_oneof![0_u64..6, Just(300)],
        weighted: bool,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let points = rows(n, d, &mut random);
        let weight = |_| if weighted { u64::from(random.next_u32() % 4) } else { 1 };
        let weights: Vec<u64> = (0..n).map(weight).collect();
        let start = starts(&points, k, &mut random);
        same(&points, &weights, &start, steps);
    }
}

#[test]
fn many_rows_end_where_ten_plain_lines_end() {
    for (d, k) in [(1, 7), (2, 12), (3, 9), (8, 5)] {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(d as u64);
        let points = rows(3_000, d, &mut random);
        let ones = vec![1; 3_000];
        let start = (0..100)
            .map(|_| starts(&points, k, &mut random))
            .find(|start| plain(&points, &ones, start, 1_000).is_some())
            .unwrap();
        for steps in [1, 2, 5, 1_000] {
            assert!(same(&points, &ones, &start, steps), "{d} features");
        }
    }
}

/// More rows than cells, no two alike.
fn crowd() -> (Array2<f64>, Sketched) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let points = Array2::from_shape_fn((210_000, 3), |_| {
        f64::from(random.next_u32()) / 2_f64.powi(31) + f64::from(random.next_u32()) * 1e-12
    });
    let sketched = sketch(points.view()).unwrap();
    assert!(sketched.sketch.len() <= MAX_CELLS);
    (points, sketched)
}

#[test]
fn a_crowd_ends_in_a_fixed_point_and_every_step_lowers_the_inertia() {
    let (points, sketched) = crowd();
    let engine = Engine::new(&sketched, 6);
    let start: Vec<f64> = points.iter().take(18).copied().collect();
    let mut last = f64::INFINITY;
    for max_iter in [0, 1, 4, 1_000] {
        let solved = engine.finish(&start, max_iter);
        assert!(
            solved.inertia < last,
            "{max_iter}: {}, {last}",
            solved.inertia
        );
        last = solved.inertia;
        assert_eq!(solved.converged, max_iter == 1_000);
        if !solved.converged {
            assert_eq!(solved.n_iter, max_iter);
            continue;
        }
        let (mut sizes, mut sums) = (vec![0; 6], vec![0.0; 18]);
        let mut inertia = 0.0;
        let centroids = centroid_matrix(&solved.centroids, 3);
        for (&row, &owner) in sketched.order.rows.iter().zip(&solved.owners) {
            let point = points.row(row as usize);
            let (label, distance, _) = nearest(centroids.view(), point);
            assert_eq!(label, usize::from(owner));
            inertia += distance * distance;
            sizes[label] += 1;
            for feature in 0..3 {
                sums[label * 3 + feature] += point[feature];
            }
        }
        assert_eq!(sizes, solved.sizes);
        assert!((inertia / solved.inertia - 1.0).abs() < 1e-9);
        for i in 0..18 {
            let mean = sums[i] / sizes[i / 3] as f64;
            assert!((mean - solved.centroids[i]).abs() < 1e-9);
        }
        let again = engine.finish(&solved.centroids, max_iter);
        assert_eq!(again.n_iter, 0, "the end is a place to stay");
        assert_eq!(again.centroids, solved.centroids);
        assert_eq!(
            (again.owners, again.inertia),
            (solved.owners, solved.inertia)
        );
    }
}

#[test]
fn cells_of_many_rows_go_as_a_whole_where_ten_plain_lines_take_their_means() {
    let (points, sketched) = crowd();
    let sketch = &sketched.sketch;
    assert!(sketch.len() < points.nrows());
    let cells = Array2::from_shape_vec((sketch.len(), 3), sketch.means()).unwrap();
    let start: Vec<f64> = points.iter().take(18).copied().collect();
    let tree = Tree::of_rows(&sketched);
    for steps in [1, 3, 40] {
        let (_, expected, _) = plain(&cells, sketch.counts(), &start, steps).unwrap();
        let found = iterate_cells(&tree, start.clone(), (steps, Pace::Plain));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-9,
                "{steps}: {found}, {expected}"
            );
        }
    }
    // A cluster of nobody is left to the rows.
    let far = [&start[..15], &[9.0, 9.0, 9.0]].concat();
    assert_eq!(iterate_cells(&tree, far.clone(), (40, Pace::Plain)), far);
}

#[test]
fn long_steps_end_in_a_fixed_point_after_fewer() {
    let (mut of_plain, mut of_long) = (0, 0);
    for (seed, k) in (0..).zip([2, 3, 4, 5, 6, 7, 8, 2, 3, 5, 6, 8]) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let points = rows(6_000, 3, &mut random);
        let start = starts(&points, k, &mut random);
        let sketched = sketch(points.view()).unwrap();
        let tree = Tree::of_rows(&sketched);
        let plain = iterate(&tree, start.clone(), (5_000, Pace::Plain));
        let long = iterate(&tree, start.clone(), (5_000, Pace::Long));
        assert!(long.converged && plain.converged, "{seed}");
        (of_plain, of_long) = (of_plain + plain.n_iter, of_long + long.n_iter);
        let centroids = &long.centroids.places;
        let labels = by_row(points.nrows(), &sketched, &long);
        assert_eq!(labels, plain_labels(&points, centroids), "{seed}");
        assert_eq!(*centroids, long.totals.means(&tree), "{seed}");
        // Cells go the same way, and whoever gives up leaves means behind.
        let cells = iterate_cells(&tree, start.clone(), (5_000, Pace::Long));
        let again = iterate_cells(&tree, cells.clone(), (1, Pace::Plain));
        assert_eq!(cells, again, "{seed}");
        let early = iterate(&tree, start, (3, Pace::Long));
        assert_eq!((early.n_iter, early.converged), (3, false), "{seed}");
    }
    assert!(of_long * 5 < of_plain * 4, "{of_long} of {of_plain}");
}

#[test]
fn a_survey_counts_as_plain_sums_do() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    for d in [2, 3] {
        let points = rows(20_000, d, &mut random);
        let start = starts(&points, 5, &mut random);
        let sketched = sketch(points.view()).unwrap();
        let tree = Tree::of_rows(&sketched);
        let fixed = iterate(&tree, start, (4, Pace::Plain));
        let found = survey(&tree, &fixed.centroids.places, &fixed.owners);
        let (mut inertia, mut distances) = (0.0, vec![0.0; 5]);
        for (place, &owner) in fixed.owners.iter().enumerate() {
            let apart = squared(tree.point(place), fixed.centroids.place(usize::from(owner)));
            inertia += apart;
            distances[usize::from(owner)] += apart.sqrt();
        }
        assert!((found.inertia / inertia - 1.0).abs() < 1e-12, "{d}");
        for (found, expected) in found.distances.iter().zip(&distances) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{d}");
        }
    }
}

#[test]
fn a_centroid_that_nobody_is_near_takes_the_farthest_row() {
    let points = Array2::from_shape_vec((5, 1), vec![0.0, 1.0, 2.0, 10.0, 11.0]).unwrap();
    let start = [1.0, 500.0, -500.0];
    let (fixed, labels) = exact(&points, &[1; 5], &start, 1);
    // One centroid has all, the mean 4.8: 11 and 10 lie farthest from where it stood, and go.
    assert_eq!(fixed.centroids.places, [1.0, 11.0, 10.0]);
    assert_eq!(labels, [0, 0, 0, 2, 1]);
    for seed in 0..20 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let points = rows(200, 2, &mut random);
        let mut start = starts(&points, 6, &mut random);
        start[2..8].fill(900.0);
        let (fixed, labels) = exact(&points, &[1; 200], &start, 1_000);
        assert!(fixed.converged && !sizes_of(&fixed).contains(&0), "{seed}");
        assert_eq!(labels, plain_labels(&points, &fixed.centroids.places));
    }
}

#[test]
fn a_start_far_away_ends_in_a_fixed_point_too() {
    for far in [1e9, 1e15, 1e150] {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(9);
        let points = Array2::from_shape_fn((20_000, 2), |_| {
            f64::from(random.next_u32()) / 2_f64.powi(32)
        });
        let mut start: Vec<f64> = points.iter().take(10).copied().collect();
        (start[8], start[9]) = (far, -far);
        let (fixed, labels) = exact(&points, &vec![1; 20_000], &start, 10_000);
        assert!(fixed.converged);
        assert_eq!(
            labels,
            plain_labels(&points, &fixed.centroids.places),
            "{far}"
        );
        for (cluster, size) in sizes_of(&fixed).into_iter().enumerate() {
            let own = (0..20_000).filter(|&row| labels[row] as usize == cluster);
            assert_eq!(own.clone().count() as u64, size);
            let mean = own.map(|row| points[[row, 0]]).sum::<f64>() / size as f64;
            let found = fixed.centroids.place(cluster)[0];
            assert!((mean - found).abs() < 1e-9, "{far}: {mean}, {found}");
        }
    }
}

#[test]
fn centroids_ascend_where_the_iteration_gave_up_too() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    let points = Array2::from_shape_fn((3_000, 2), |_| {
        f64::from(random.next_u32()) / 2_f64.powi(32)
    });
    // The higher, the farther left: one step puts the first centroid to the right of the second.
    let points = Array2::from_shape_fn((3_000, 2), |(row, column)| {
        let height = points[[row, 1]].powi(2);
        [points[[row, 0]] / 4.0 - height, height][column]
    });
    let start = Array2::from_shape_vec((2, 2), vec![0.0, 0.0, 0.01, 1.0]).unwrap();
    let rows = DatasetBase::from(points.clone());
    let params = KMeans::params(2).start(start).max_iter(1);
    let model = params.fit(&rows).unwrap();
    assert_eq!((model.converged(), model.n_iter()), (false, 1));
    let centroids = model.centroids();
    assert!(centroids[[0, 0]] < centroids[[1, 0]], "{centroids}");
    let labels = points
        .outer_iter()
        .map(|row| nearest(centroids.view(), row).0);
    let first = labels.filter(|&label| label == 0).count();
    assert!((model.sizes()[0] - first as f64).abs() < 0.5);
}
