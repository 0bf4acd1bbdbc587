//! The sketch: a summary that parts, orders and threads do not show in.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis, ShapeBuilder, Slice, array, concatenate};
use polars::prelude::{
    Column, DataFrame, DataType, Int128Chunked, IntoColumn, ParquetReader, ParquetWriter, SerReader,
};
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tiermill::features::sketch::{
    Grid, MAX_BINS, MAX_CELLS, MAX_WEIGHT, Sketch, Sketched, sketch, sketch_weighted,
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

/// The sketch that comes back from a Parquet file.
#[track_caller]
fn kept(sketch: &Sketch) -> Sketch {
    let mut file = Vec::new();
    ParquetWriter::new(&mut file)
        .finish(&mut sketch.table().unwrap())
        .unwrap();
    let table = ParquetReader::new(std::io::Cursor::new(file)).finish();
    Sketch::from_table(&table.unwrap()).unwrap()
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

proptest! {
    // Files cost more than sums do.
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_sketch_that_was_kept_as_parquet_is_the_same_to_the_bit(
        (points, parts) in rows(),
        (size, max_cells) in (-300_i32..=300, 1_usize..300),
    ) {
        let grid = Grid::covering(points.view()).unwrap();
        let sized = &points * 10_f64.powi(size);
        // Squares that need more than 128 bits.
        let heavy: Vec<u64> = parts.iter().map(|&part| (1 << 31) * part as u64).collect();
        let wide = Grid::covering(sized.view()).unwrap();
        let weighted = sketch_weighted(sized.view(), Some(&heavy), &wide).unwrap().sketch;
        let all = on(&grid, points.view());
        for sketch in [&all, &all.coarser(max_cells), &weighted, &weighted.coarser(1)] {
            prop_assert_eq!(&kept(sketch), sketch);
        }
        // What was read is as good as what was written.
        let part = on(&grid, points.view().split_at(Axis(0), points.nrows() / 3).0);
        let merged = all.merged(&part).unwrap();
        prop_assert_eq!(&kept(&kept(&all).merged(&kept(&part)).unwrap()), &merged);
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
fn a_matrix_is_sketched_alike_however_it_lies_in_memory() {
    for n_features in [1, 2, 3, 4] {
        let points = random_rows(20_000, n_features, 5);
        let expected = sketch(points.view()).unwrap();
        // Column after column, and every second column of a wider matrix.
        let mut columns = Array2::zeros((20_000, n_features).f());
        columns.assign(&points);
        assert!(n_features == 1 || columns.as_slice().is_none());
        let mut wider = Array2::zeros((20_000, 2 * n_features));
        let every_second = Slice::new(0, None, 2);
        wider.slice_axis_mut(Axis(1), every_second).assign(&points);
        for other in [columns.view(), wider.slice_axis(Axis(1), every_second)] {
            let found = sketch(other).unwrap();
            assert_eq!(found.sketch, expected.sketch, "{n_features}");
            assert_eq!(found.order.rows, expected.order.rows, "{n_features}");
            assert_eq!(found.points, expected.points, "{n_features}");
        }
    }
    let mut columns = Array2::zeros((3, 2).f());
    columns[[1, 1]] = f64::NAN;
    columns[[2, 0]] = f64::INFINITY;
    let error = sketch(columns.view()).unwrap_err().to_string();
    assert!(
        error.contains("row 1 of the matrix has NaN in column 1"),
        "{error}"
    );
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

/// A small sketch as a table: two cells, bins from −1 to 1 along one feature and a single one along the other.
fn small_table() -> DataFrame {
    let points = array![[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]] * 2_f64.powi(-40);
    sketch(points.view()).unwrap().sketch.table().unwrap()
}

/// The table with another value in one row of a column.
fn with(column: &str, row: usize, value: i128) -> DataFrame {
    let mut table = small_table();
    let old = table.column(column).unwrap();
    let new = match column {
        "part" => {
            let mut parts: Vec<&str> = old.str().unwrap().iter().flatten().collect();
            parts[row] = "page";
            Column::new("part".into(), parts)
        }
        "sum" => {
            let sums = old.decimal().unwrap().physical();
            let mut sums: Vec<i128> = sums.into_no_null_iter().collect();
            sums[row] = value;
            let sums = Int128Chunked::from_vec("sum".into(), sums);
            sums.into_decimal_unchecked(38, 0).into_column()
        }
        _ => {
            let values = old.cast(&DataType::Int128).unwrap();
            let mut values: Vec<i128> = values.i128().unwrap().into_no_null_iter().collect();
            values[row] = value;
            let values = Int128Chunked::from_vec(column.into(), values).into_column();
            values.cast(old.dtype()).unwrap()
        }
    };
    table.with_column(new).unwrap();
    table
}

fn refusal(table: &DataFrame) -> String {
    let error = Sketch::from_table(table).unwrap_err().to_string();
    let start = "column `";
    assert!(error.starts_with(start), "{error}");
    error.replace(" of the sketch table", "")
}

#[test]
fn the_table_of_a_sketch_on_paper() {
    let table = small_table();
    let rows: Vec<String> = (0..table.height())
        .map(|row| {
            let cells = table.columns().iter();
            let texts = cells.map(|column| column.get(row).unwrap().to_string().replace('"', ""));
            texts.collect::<Vec<_>>().join(" ")
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    grid 0 40 0 0
    grid 1 40 0 0
    level 0 40 0 0
    square 0 0 3 0
    square 0 1 0 0
    square 0 2 0 0
    square 1 0 0 0
    square 1 1 0 0
    square 1 2 0 0
    shift 0 0 0 0
    bin 0 -1 1 0
    bin 0 0 0 0
    bin 0 1 2 0
    shift 1 0 0 0
    bin 1 0 3 0
    cell 0 -1 1 -1
    cell 1 0 1 0
    cell 0 1 2 2
    cell 1 0 2 0
    ");
}

#[test]
fn a_table_that_is_none_of_a_sketch_is_refused_by_its_column() {
    let changes = [
        ("part", 0, 0),
        ("part", 2, 0),
        ("part", 15, 0),
        ("feature", 1, 2),
        ("feature", 16, 0),
        ("place", 0, 41),
        ("place", 2, 41),
        ("place", 2, -60),
        ("place", 4, 0),
        ("place", 9, 64),
        ("place", 11, 5),
        ("place", 10, 1 << 50),
        ("count", 10, 0),
        ("count", 11, 1),
        ("place", 15, 1 << 50),
        ("place", 15, 1),
        ("count", 15, 0),
        ("count", 16, 2),
        ("sum", 15, 0),
    ];
    let mut refusals: Vec<String> = changes
        .iter()
        .map(|&(column, row, value)| refusal(&with(column, row, value)))
        .collect();
    let table = small_table();
    for column in ["part", "feature", "place", "count", "sum"] {
        refusals.push(refusal(&table.drop(column).unwrap()));
    }
    let mut other = table.clone();
    let counts = table.column("count").unwrap().cast(&DataType::Int64);
    other.with_column(counts.unwrap()).unwrap();
    refusals.push(refusal(&other));
    let nulls = Column::full_null("place".into(), table.height(), &DataType::Int64);
    other = table.clone();
    other.with_column(nulls).unwrap();
    refusals.push(refusal(&other));
    for height in [0, 2, 12, table.height() - 1, table.height() - 2] {
        refusals.push(refusal(&table.head(Some(height))));
    }
    // The second cell before the first, and one of them twice.
    let (before, cells) = (table.head(Some(15)), table.slice(15, 4));
    let turned = |parts: [DataFrame; 3]| {
        let [mut all, one, two] = parts;
        all.vstack_mut(&one).unwrap().vstack_mut(&two).unwrap();
        refusal(&all)
    };
    refusals.push(turned([
        before.clone(),
        cells.tail(Some(2)),
        cells.head(Some(2)),
    ]));
    refusals.push(turned([before, cells.clone(), cells.tail(Some(2))]));
    insta::assert_snapshot!(refusals.join("\n"), @r"
    column `part`: `page` in row 0, expected `grid`
    column `part`: `page` in row 2, expected `level`
    column `part`: `page` in row 15, expected `cell`
    column `feature`: 2 in row 1, expected 1
    column `feature`: 0 in row 16, expected 1
    column `place`: 41 in row 0, expected -977 to 40
    column `place`: 41 in row 2, expected -22 to 40
    column `place`: -60 in row 2, expected -22 to 40
    column `place`: 0 in row 4, expected 1
    column `place`: 64 in row 9, expected 0 to 63
    column `place`: 5 in row 11, expected 0
    column `place`: 1125899906842624 in row 10, expected -140737488355328 to 140737488355328
    column `count`: none in the first bin or the last of feature 0, expected customers in both
    column `count`: other customers in the cells than in the bins of feature 0, expected as many
    column `place`: 1125899906842624 in row 15, expected a cell on the grid
    column `sum`: -1 in row 15, expected one whose mean lies in its cell
    column `count`: 0 in row 15, expected one number above 0 along all features
    column `count`: 2 in row 16, expected one number above 0 along all features
    column `sum`: 0 in row 15, expected one whose mean lies in its cell
    column `part`: not there, expected str without nulls
    column `feature`: not there, expected u32 without nulls
    column `place`: not there, expected i64 without nulls
    column `count`: not there, expected u64 without nulls
    column `sum`: not there, expected decimal[38,0] without nulls
    column `count`: i64, expected u64 without nulls
    column `place`: 19 nulls, expected i64 without nulls
    column `part`: no row 0, expected `grid`
    column `part`: no row 2, expected `level`
    column `count`: none in the first bin or the last of feature 0, expected customers in both
    column `part`: no row 18, expected `cell`
    column `count`: other customers in the cells than in the bins of feature 0, expected as many
    column `place`: 0 in row 18, expected cells in the order of their keys
    column `place`: 0 in row 20, expected cells in the order of their keys
    ");
}

/// Coordinates that round to the end of the grid: 2¹⁶ of them have no room in 64 bits.
#[test]
fn a_cell_of_many_rows_at_the_end_of_the_grid_adds_up() {
    let points = Array2::from_elem((1 << 16, 2), 128.0_f64.next_down());
    let grid = Grid::covering(points.view()).unwrap();
    let ones = vec![1; points.nrows()];
    let weighted = sketch_weighted(points.view(), Some(&ones), &grid).unwrap();
    assert_eq!(sketch(points.view()).unwrap().sketch, weighted.sketch);
    assert_eq!(weighted.sketch.count(), 1 << 16);
}

#[test]
fn heavy_rows_at_the_end_of_the_grid_add_up() {
    let points = array![[127.5], [-127.5]];
    let grid = Grid::covering(points.view()).unwrap();
    for weight in [1 << 34, 1 << 40, MAX_WEIGHT / 2] {
        let sketch = sketch_weighted(points.view(), Some(&[weight, weight]), &grid);
        let sketch = sketch.unwrap().sketch;
        assert_eq!(sketch.count(), 2 * weight);
        assert_eq!((sketch.mean(0), sketch.variance(0)), (0.0, 127.5 * 127.5));
        assert_eq!(kept(&sketch), sketch);
    }
}

#[test]
fn weights_that_do_not_fit_are_refused_with_both_numbers() {
    let points = array![[1.0], [2.0]];
    let grid = Grid::covering(points.view()).unwrap();
    for (weights, expected) in [
        (
            vec![MAX_WEIGHT, 1],
            "`weights` is 4611686018427387905 in all, expected at most 4611686018427387904",
        ),
        (
            vec![u64::MAX; 2],
            "`weights` is 36893488147419103230 in all, expected at most 4611686018427387904",
        ),
        (vec![1], "`weights` is 1, expected 2, one for each row"),
    ] {
        let error = sketch_weighted(points.view(), Some(&weights), &grid).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn sketches_of_too_many_rows_in_all_are_not_merged() {
    let points = array![[1.0], [2.0]];
    let grid = Grid::covering(points.view()).unwrap();
    let of = |weights: [u64; 2]| {
        sketch_weighted(points.view(), Some(&weights), &grid)
            .unwrap()
            .sketch
    };
    let half = of([MAX_WEIGHT / 2 - 7, 7]);
    let all = half.merged(&half).unwrap();
    assert_eq!(all.count(), MAX_WEIGHT);
    assert_eq!(kept(&all), all);
    let error = all.merged(&of([0, 1])).unwrap_err().to_string();
    let expected =
        "`rows of both` is 4611686018427387905 in all, expected at most 4611686018427387904";
    assert_eq!(error, expected);
}

#[test]
fn a_table_of_more_rows_than_a_sketch_can_hold_is_refused() {
    let points = array![[0.0], [1.0]];
    let grid = Grid::covering(points.view()).unwrap();
    let sketched = sketch_weighted(points.view(), Some(&[MAX_WEIGHT - 1, 1]), &grid).unwrap();
    let mut table = sketched.sketch.table().unwrap();
    assert_eq!(Sketch::from_table(&table).unwrap().count(), MAX_WEIGHT);
    // One more at 0, in its cell and in its bin, which adds nothing to any sum.
    let counts = table.column("count").unwrap().u64().unwrap();
    let counts = counts.into_no_null_iter();
    let counts: Vec<u64> = counts
        .map(|count| count + u64::from(count == MAX_WEIGHT - 1))
        .collect();
    table
        .with_column(Column::new("count".into(), counts))
        .unwrap();
    assert_eq!(
        refusal(&table),
        "column `count`: more in all, expected at most 4611686018427387904"
    );
}
