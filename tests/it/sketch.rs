//! The sketch: a summary that parts, orders and threads do not show in.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis, array, concatenate};
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tiermill::features::sketch::{
    Grid, MAX_BINS, MAX_CELLS, Sketch, Sketched, sketch, sketch_weighted,
};

use crate::support::{close, threads};

/// A coordinate: ties more often than not, the range of z-scores, and outliers.
fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..=3).prop_map(f64::from),
        3 => -4.0..4.0_f64,
        2 => (-8_i32..=8).prop_map(|i| 1.0 + f64::from(i) * 1e-11),
        1 => -120.0..120.0_f64,
    ]
}

/// Up to 200 rows of 1 to 8 features, each row with one of three parts to go to.
fn rows() -> impl Strategy<Value = (Array2<f64>, Vec<usize>)> {
    (1_usize..=8, 0_usize..=200).prop_flat_map(|(n_features, rows)| {
        let values = prop::collection::vec(coordinate(), rows * n_features);
        let parts = prop::collection::vec(0_usize..3, rows);
        (values, parts).prop_map(move |(values, parts)| {
            (
                Array2::from_shape_vec((rows, n_features), values).unwrap(),
                parts,
            )
        })
    })
}

/// The sketch of some rows on the grid of all.
fn on(grid: &Grid, rows: ArrayView2<'_, f64>) -> Sketch {
    sketch_weighted(rows, None, grid).unwrap().sketch
}

fn random_rows(rows: usize, n_features: usize, seed: u64) -> Array2<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_fn((rows, n_features), |_| {
        f64::from(random.next_u32()) / 2_f64.powi(30) - 2.0
    })
}

/// Everything in a sketch, recounted from the rows.
#[track_caller]
fn check(points: &Array2<f64>, sketched: &Sketched) {
    let Sketched { sketch, order, .. } = sketched;
    let (n, d) = points.dim();
    assert_eq!(
        (sketch.count(), sketch.n_features()),
        (n as u64, d),
        "rows, features"
    );
    assert!(sketch.len() <= MAX_CELLS && sketch.len() == sketch.counts().len());
    let mut rows = order.rows.clone();
    rows.sort_unstable();
    assert!(rows.iter().copied().eq(0..n as u32), "each row once");
    let means = sketch.means();
    for cell in 0..sketch.len() {
        let rows = &order.rows[order.cell(cell)];
        assert_eq!(sketch.counts()[cell], rows.len() as u64);
        for feature in 0..d {
            let column: Vec<f64> = rows
                .iter()
                .map(|&row| points[[row as usize, feature]])
                .collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            close(means[cell * d + feature], mean, 1e-11, "mean of a cell");
            for value in column {
                assert!(
                    (value - mean).abs() <= sketch.cell_width(),
                    "{value} is not in its cell"
                );
            }
        }
        for pair in rows.windows(2) {
            let alike = points.row(pair[0] as usize) == points.row(pair[1] as usize);
            assert!(!alike || pair[0] < pair[1]);
        }
    }
    for (feature, column) in points.columns().into_iter().enumerate() {
        let bins = sketch.histogram(feature).counts();
        assert!(bins.len() <= MAX_BINS);
        assert_eq!(bins.iter().sum::<u64>(), n as u64);
        if 0 < n {
            let mean = column.sum() / n as f64;
            let variance = column.mapv(|x| (x - mean) * (x - mean)).sum() / n as f64;
            close(sketch.mean(feature), mean, 1e-10, "mean");
            close(sketch.variance(feature), variance, 1e-9, "variance");
            assert!(
                0 < bins[0] && 0 < bins[bins.len() - 1],
                "no empty bins at the ends"
            );
        }
    }
}

/// The cells of a coarser sketch, from the sketch itself.
#[track_caller]
fn check_pyramid(sketch: &Sketch, max_cells: usize) {
    let (coarser, wider) = (sketch.coarser(max_cells), sketch.wider(max_cells));
    let d = sketch.n_features();
    assert!(coarser.len() <= max_cells.max(1 << d));
    assert_eq!(wider.len(), sketch.len());
    let mut counts = vec![0_u64; coarser.len()];
    let mut sums = vec![0.0; coarser.len() * d];
    let means = sketch.means();
    for (cell, &wide) in wider.iter().enumerate() {
        counts[wide as usize] += sketch.counts()[cell];
        for feature in 0..d {
            sums[wide as usize * d + feature] +=
                means[cell * d + feature] * sketch.counts()[cell] as f64;
        }
    }
    assert_eq!(counts, coarser.counts());
    for (i, (sum, mean)) in sums.iter().zip(coarser.means()).enumerate() {
        close(
            sum / counts[i / d] as f64,
            mean,
            1e-10,
            "mean of a wider cell",
        );
    }
    assert!(wider.is_sorted());
    assert_eq!(coarser.count(), sketch.count());
    for feature in 0..d {
        assert_eq!(coarser.histogram(feature), sketch.histogram(feature));
        if !sketch.is_empty() {
            assert_eq!(coarser.mean(feature), sketch.mean(feature));
            assert_eq!(coarser.variance(feature), sketch.variance(feature));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_merged_in_any_order_are_the_sketch_of_all((points, parts) in rows()) {
        let grid = Grid::covering(points.view()).unwrap();
        let all = on(&grid, points.view());
        let part = |part: usize| {
            let rows: Vec<usize> = (0..parts.len()).filter(|&row| parts[row] == part).collect();
            on(&grid, points.select(Axis(0), &rows).view())
        };
        let (a, b, c) = (part(0), part(1), part(2));
        let merge = |a: &Sketch, b: &Sketch| a.merged(b).unwrap();
        prop_assert_eq!(&merge(&a, &b), &merge(&b, &a));
        prop_assert_eq!(&merge(&merge(&a, &b), &c), &all);
        prop_assert_eq!(&merge(&a, &merge(&b, &c)), &all);
        prop_assert_eq!(&merge(&merge(&c, &a), &b), &all);
    }

    #[test]
    fn every_figure_is_what_a_recount_gives((points, _) in rows(), max_cells in 1_usize..300) {
        let sketched = sketch(points.view()).unwrap();
        check(&points, &sketched);
        check_pyramid(&sketched.sketch, max_cells);
        let order: Vec<usize> = (0..points.nrows()).rev().collect();
        let turned = sketch(points.select(Axis(0), &order).view()).unwrap();
        prop_assert_eq!(turned.sketch, sketched.sketch);
    }

    #[test]
    fn a_weight_is_a_number_of_equal_rows((points, weights) in rows()) {
        let grid = Grid::covering(points.view()).unwrap();
        let repeated: Vec<usize> = (0..points.nrows())
            .flat_map(|row| std::iter::repeat_n(row, weights[row]))
            .collect();
        let whole: Vec<u64> = weights.iter().map(|&weight| weight as u64).collect();
        let weighted = sketch_weighted(points.view(), Some(&whole), &grid).unwrap();
        prop_assert_eq!(&weighted.sketch, &on(&grid, points.select(Axis(0), &repeated).view()));
        prop_assert!(weighted.order.rows.iter().all(|&row| 0 < whole[row as usize]));
    }
}

#[test]
fn equal_rows_share_a_cell_and_others_do_not() {
    let points = array![[0.5, 1.0], [2.5, -3.0], [0.5, 1.0], [-0.0, 0.0], [0.0, 0.0]];
    let Sketched { sketch, order, .. } = sketch(points.view()).unwrap();
    let mut cells: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
    for cell in 0..sketch.len() {
        cells.insert(order.rows[order.cell(cell)].to_vec(), sketch.counts()[cell]);
    }
    let expected = [(vec![0, 2], 2), (vec![1], 1), (vec![3, 4], 2)];
    assert_eq!(cells.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_sketch_is_bounded_and_its_parts_still_merge_to_the_bit() {
    for (rows, n_features) in [(400_000, 3), (210_000, 1)] {
        let points = random_rows(rows, n_features, 3);
        let all = sketch(points.view()).unwrap();
        if n_features == 1 {
            check(&points, &all);
        }
        // The next finer level would have had too many.
        assert!(MAX_CELLS / (2 << n_features) < all.sketch.len());
        let (one, two) = points.view().split_at(Axis(0), rows / 2);
        let (one, two) = (sketch(one).unwrap().sketch, sketch(two).unwrap().sketch);
        assert_eq!(one.merged(&two).unwrap(), all.sketch, "{n_features}");
        assert_eq!(two.merged(&one).unwrap(), all.sketch, "{n_features}");
    }
}

#[test]
fn threads_and_the_order_of_rows_change_nothing() {
    let points = concatenate![
        Axis(0),
        random_rows(30_000, 3, 1),
        random_rows(9_000, 3, 2).mapv(f64::round)
    ];
    let one = threads(1, || sketch(points.view()).unwrap());
    check(&points, &one);
    for n in [2, 8] {
        let more = threads(n, || sketch(points.view()).unwrap());
        assert_eq!(more.sketch, one.sketch, "{n} threads");
        assert_eq!(more.order.rows, one.order.rows, "{n} threads");
        assert_eq!(more.order.starts, one.order.starts, "{n} threads");
    }
    // 7 does not divide 39,000: every row once.
    let order: Vec<usize> = (0..39_000).map(|row| row * 7 % 39_000).collect();
    let turned = sketch(points.select(Axis(0), &order).view()).unwrap();
    assert_eq!(turned.sketch, one.sketch);
}

#[test]
fn sketches_in_other_units_are_not_merged() {
    let one = sketch(array![[1.0]].view()).unwrap().sketch;
    for other in [array![[1e6]], array![[-128.0]]] {
        let other = sketch(other.view()).unwrap().sketch;
        let error = one.merged(&other).unwrap_err().to_string();
        assert!(error.contains("different grids"), "{error}");
    }
    let wider = sketch(array![[1.0, 2.0]].view()).unwrap().sketch;
    assert!(one.merged(&wider).is_err());
}

#[test]
fn what_is_no_number_is_an_error_with_its_place() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = sketch(array![[1.0, 2.0], [3.0, value]].view()).unwrap_err();
        let expected =
            format!("row 1 of the matrix has {value} in column 1, expected a finite number");
        assert_eq!(error.to_string(), expected);
    }
}
