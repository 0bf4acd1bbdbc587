//! Rows become cells.
//!
//! In: a matrix. Out: its sketch, and the rows in the order of the cells.
//! Invariant: one pass gives each row its key; sorting the keys is all that has to be done to have the cells of every
//! level at once, since the keys of wider cells are beginnings of the keys of narrower ones.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::grid::{BLOCK, Coordinates};
use super::sort::{FIRST, Keyed, Run, sorted};
use super::{Cells, Grid, Histogram, MAX_CELLS, MAX_WEIGHT, Sketch, Wide};
use crate::error::{Error, Result};

/// Bits of a key that is sorted quickly; if its cells turn out too few, wider keys are tried.
const SHORT_KEY: u32 = 64;
/// Bits of the widest key.
const LONG_KEY: u32 = 128;
/// Rows of a cell whose coordinates, of [`super::grid::MAGNITUDE`] bits, surely add up to 64 bits.
const NARROW: usize = 1 << 15;
/// Rows whose histograms are counted at once.
const HISTOGRAM_BLOCK: usize = 65_536;

/// Which rows lie in which cell.
#[derive(Debug, Clone)]
pub struct RowOrder {
    /// Row numbers in the order of the cells; equal rows are neighbours, ascending. Rows of weight 0 are left out.
    pub rows: Vec<u32>,
    /// Where each cell starts in `rows`; one more entry at the end.
    pub starts: Vec<u32>,
}

impl RowOrder {
    /// The places in `rows` of a cell.
    pub fn cell(&self, cell: usize) -> Range<usize> {
        self.starts[cell] as usize..self.starts[cell + 1] as usize
    }
}

/// A sketch and the rows that it was made of.
#[derive(Debug, Clone)]
pub struct Sketched {
    /// The sketch.
    pub sketch: Sketch,
    /// Its rows.
    pub order: RowOrder,
    /// Rows × features in the order of the cells.
    pub points: Vec<f64>,
    /// Weights in the order of the cells; none where every row counts once.
    pub weights: Option<Vec<u64>>,
    /// Rows of weight 0, by their number: what they are is known, but they count nowhere.
    pub left_out: Vec<(u32, Vec<f64>)>,
}

impl Sketched {
    /// The rows as a matrix, in the order of the cells.
    ///
    /// # Errors
    /// None, as long as nobody has changed the lengths.
    pub fn matrix(&self) -> Result<ArrayView2<'_, f64>> {
        let shape = (self.order.rows.len(), self.sketch.n_features());
        ArrayView2::from_shape(shape, &self.points).map_err(|_| Error::TooFewCustomers { found: 0 })
    }
}

/// Sketches a matrix: one row per customer, one column per feature, scaled.
///
/// # Errors
/// [`Error::BadPoint`] for a coordinate that is no finite number, [`Error::TooManyCustomers`] beyond 2³² rows.
///
/// # Example
/// ```
/// use ndarray::array;
/// use tiermill::features::sketch::sketch;
///
/// let all = sketch(array![[0.0, 1.0], [0.0, 1.0], [2.5, -3.0]].view())?.sketch;
/// assert_eq!(all.counts(), [1, 2]);
/// assert_eq!(all.means(), [2.5, -3.0, 0.0, 1.0]);
/// let (one, two) = (sketch(array![[0.0, 1.0]].view())?, sketch(array![[2.5, -3.0], [0.0, 1.0]].view())?);
/// assert_eq!(two.sketch.merged(&one.sketch)?, all);
/// # Ok::<(), tiermill::Error>(())
/// ```
pub fn sketch(matrix: ArrayView2<'_, f64>) -> Result<Sketched> {
    check_rows(matrix)?;
    let coordinates = Coordinates::of(matrix);
    let ends = coordinates.ends(None)?;
    let grid = Grid::spanning(&ends);
    Ok(Rows::new(&coordinates, None, (&grid, &ends)).sketch())
}

/// Sketches rows that count more or less than once, on a given grid: parts that are to be merged need the same one. A row
/// of weight 0 is left out.
///
/// # Errors
/// As [`sketch`]; [`Error::OtherGrid`] for rows beyond the grid, [`Error::BadValue`] unless each row has one weight and
/// together they are at most [`MAX_WEIGHT`].
pub fn sketch_weighted(
    matrix: ArrayView2<'_, f64>,
    weights: Option<&[u64]>,
    grid: &Grid,
) -> Result<Sketched> {
    check_rows(matrix)?;
    if let Some(weights) = weights {
        check_weights(weights, matrix.nrows())?;
    }
    let coordinates = Coordinates::of(matrix);
    let ends = coordinates.ends(weights)?;
    if !grid.covers(&ends) {
        return Err(Error::OtherGrid);
    }
    Ok(Rows::new(&coordinates, weights, (grid, &ends)).sketch())
}

fn check_rows(matrix: ArrayView2<'_, f64>) -> Result<()> {
    match u32::try_from(matrix.nrows()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::TooManyCustomers {
            customers: matrix.nrows(),
            limit: u32::MAX.into(),
        }),
    }
}

fn check_weights(weights: &[u64], rows: usize) -> Result<()> {
    if weights.len() != rows {
        return Err(Error::BadValue {
            key: "weights".to_owned(),
            found: weights.len().to_string(),
            expected: format!("{rows}, one for each row"),
        });
    }
    // 2³² of 64 bits are far below 2¹²⁸.
    let all: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    check_weight("weights", all)
}

/// Refuses more rows in all than a sketch can hold.
pub(super) fn check_weight(key: &str, all: u128) -> Result<()> {
    if all <= u128::from(MAX_WEIGHT) {
        return Ok(());
    }
    Err(Error::BadValue {
        key: key.to_owned(),
        found: format!("{all} in all"),
        expected: format!("at most {MAX_WEIGHT}"),
    })
}

/// What is sketched.
struct Rows<'a> {
    coordinates: &'a Coordinates<'a>,
    weights: Option<&'a [u64]>,
    grid: &'a Grid,
    /// Least and greatest coordinate of each feature, in units.
    ends: Vec<(i64, i64)>,
}

impl<'a> Rows<'a> {
    fn new(
        coordinates: &'a Coordinates<'a>,
        weights: Option<&'a [u64]>,
        (grid, ends): (&'a Grid, &[(f64, f64)]),
    ) -> Self {
        let fixed = |(feature, &(least, greatest)): (usize, &(f64, f64))| {
            (grid.fixed(feature, least), grid.fixed(feature, greatest))
        };
        Self {
            coordinates,
            weights,
            grid,
            ends: ends.iter().enumerate().map(fixed).collect(),
        }
    }

    fn sketch(&self) -> Sketched {
        // Before anything else: what is freed until it is written lies in pieces that are too small.
        let room = self.coordinates.room();
        let (level, order) = self.order();
        let points = self.coordinates.select(&order.rows, room);
        let weights = self.weights.map(|weights| {
            order
                .rows
                .iter()
                .map(|&row| weights[row as usize])
                .collect()
        });
        let placed = Placed {
            grid: self.grid,
            points: &points,
            weights: weights.as_deref(),
        };
        let (cells, squares) = placed.cells(&order, level);
        let histograms = placed.histograms(&self.ends);
        let sketch = Sketch {
            grid: self.grid.clone(),
            level,
            cells,
            squares,
            histograms,
        };
        Sketched {
            sketch,
            order,
            points,
            weights,
            left_out: self.left_out(),
        }
    }

    /// Rows of weight 0.
    fn left_out(&self) -> Vec<(u32, Vec<f64>)> {
        let weights = (0..).zip(self.weights.unwrap_or_default());
        weights
            .filter(|&(_, &weight)| weight == 0)
            .map(|(row, _)| (row, self.coordinates.row(row as usize).collect()))
            .collect()
    }

    /// The level of the sketch, and its rows in the order of its cells.
    fn order(&self) -> (i32, RowOrder) {
        let n = self.coordinates.len();
        if MAX_CELLS < n {
            let found = self.order_by::<u64>(SHORT_KEY);
            let finest = self.grid.finest_level(&self.ends, LONG_KEY);
            // Too few cells although there is room for finer ones: the short keys were cut off too early.
            if found.1 || found.0.0 == finest {
                return found.0;
            }
        }
        self.order_by::<u128>(LONG_KEY).0
    }

    /// As [`Self::order`], with keys of a type; and whether wider cells had to be taken than its keys could tell apart.
    fn order_by<K: Keyed>(&self, key_bits: u32) -> ((i32, RowOrder), bool) {
        let d = self.grid.n_features();
        let finest = self.grid.finest_level(&self.ends, key_bits);
        let keys = self.keys::<K>(finest, key_bits);
        let mut runs = sorted(self.coordinates.len(), keys, |run| self.settle(run));
        join(&mut runs);
        let up = levels_up(runs.iter().map(|run| run.apart.as_slice()), (d, MAX_CELLS));
        let n: usize = runs.iter().map(|run| run.rows.len()).sum();
        let mut rows = vec![0; n];
        let mut rest = rows.as_mut_slice();
        let mut begin = 0;
        let mut places = Vec::with_capacity(runs.len());
        for run in runs {
            let n = run.rows.len();
            let own = rest.split_off_mut(..n).unwrap_or_default();
            places.push((begin, run, own));
            begin += n;
        }
        let starts = places.into_par_iter().map(|(begin, run, own)| {
            own.copy_from_slice(&run.rows);
            let begins = (begin..)
                .zip(run.apart)
                .filter(|&(_, apart)| apart == FIRST || up * d < apart.into());
            let begins = begins.map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX));
            begins.collect::<Vec<u32>>()
        });
        let mut starts: Vec<u32> = starts.collect::<Vec<_>>().concat();
        starts.push(u32::try_from(n).unwrap_or(u32::MAX));
        let level = finest - i32::try_from(up).unwrap_or(i32::MAX);
        ((level, RowOrder { rows, starts }), 0 < up)
    }

    /// Orders rows that differ although their keys do not: what is added up over rows should not depend on where they
    /// stood in the input.
    fn settle<K: Keyed>(&self, run: &mut [(K, u32)]) {
        let by_place = |a: u32, b: u32| {
            let row = |row: u32| self.coordinates.row(row as usize);
            let pairs = row(a).zip(row(b));
            // Adding 0 turns −0 into 0.
            let mut orders = pairs.map(|(a, b)| (a + 0.0).total_cmp(&(b + 0.0)));
            let weight = |row: u32| self.weights.map_or(1, |weights| weights[row as usize]);
            orders
                .find(|order| order.is_ne())
                .unwrap_or_else(|| weight(a).cmp(&weight(b)))
        };
        for rows in run.chunk_by_mut(|a, b| a.0 == b.0) {
            if !rows.is_sorted_by(|a, b| by_place(a.1, b.1).is_le()) {
                rows.sort_by(|a, b| by_place(a.1, b.1));
            }
        }
    }

    /// Makes the keys of the cells of some rows at a level, each with its row.
    fn keys<K: Keyed>(
        &self,
        level: i32,
        key_bits: u32,
    ) -> impl Fn(Range<usize>) -> Vec<(K, u32)> + Sync {
        let d = self.grid.n_features();
        let bits = self.grid.bits(key_bits);
        let shifts: Vec<u32> = (0..d)
            .map(|feature| self.grid.shift(feature, level))
            .collect();
        move |rows| {
            let mut places = vec![0; d];
            let counted = |&row: &usize| self.weights.is_none_or(|weights| 0 < weights[row]);
            let keyed = rows.filter(counted).map(|row| {
                for (feature, place) in places.iter_mut().enumerate() {
                    let value = self.coordinates.at(row, feature);
                    *place = self.grid.fixed(feature, value) >> shifts[feature];
                }
                let row = u32::try_from(row).unwrap_or(u32::MAX);
                (K::weave(&places, bits), row)
            });
            keyed.collect()
        }
    }
}

/// Rows in the order of the cells.
struct Placed<'a> {
    grid: &'a Grid,
    points: &'a [f64],
    weights: Option<&'a [u64]>,
}

impl Placed<'_> {
    fn weight(&self, place: usize) -> u64 {
        self.weights.map_or(1, |weights| weights[place])
    }

    fn point(&self, place: usize) -> &[f64] {
        let d = self.grid.n_features();
        &self.points[place * d..(place + 1) * d]
    }

    /// Counts, sums and places of the cells, and the sums of squares of all rows.
    fn cells(&self, order: &RowOrder, level: i32) -> (Cells, Vec<Wide>) {
        let d = self.grid.n_features();
        let n = order.starts.len() - 1;
        let chunk = BLOCK / 8;
        let parts: Vec<(Cells, Vec<Wide>)> = (0..n.div_ceil(chunk))
            .into_par_iter()
            .map(|part| {
                let mut cells = Cells::default();
                let mut squares = vec![Wide::default(); d];
                for cell in part * chunk..n.min((part + 1) * chunk) {
                    self.add_cell(order.cell(cell), level, (&mut cells, &mut squares));
                }
                (cells, squares)
            })
            .collect();
        let mut all = Cells::default();
        let mut squares = vec![Wide::default(); d];
        for (cells, more) in parts {
            all.places.extend(cells.places);
            all.counts.extend(cells.counts);
            all.sums.extend(cells.sums);
            for (squares, more) in squares.iter_mut().zip(more) {
                *squares += more;
            }
        }
        (all, squares)
    }

    fn add_cell(&self, places: Range<usize>, level: i32, to: (&mut Cells, &mut [Wide])) {
        let (cells, squares) = to;
        let first = self.point(places.start);
        for (feature, &value) in first.iter().enumerate() {
            cells
                .places
                .push(self.grid.fixed(feature, value) >> self.grid.shift(feature, level));
        }
        let start = cells.sums.len();
        cells.sums.resize(start + first.len(), 0);
        if self.weights.is_none() && places.len() <= NARROW {
            cells.counts.push(places.len() as u64);
            let d = first.len();
            let points = &self.points[places.start * d..places.end * d];
            for feature in 0..d {
                let (mut sum, mut square) = (0_i64, squares[feature]);
                for &value in points[feature..].iter().step_by(d) {
                    let value = self.grid.fixed(feature, value);
                    sum += value;
                    let size = u128::from(value.unsigned_abs());
                    square.add(size * size);
                }
                cells.sums[start + feature] = sum.into();
                squares[feature] = square;
            }
            return;
        }
        let mut count = 0;
        for place in places {
            let weight = self.weight(place);
            count += weight;
            for (feature, &value) in self.point(place).iter().enumerate() {
                let value = self.grid.fixed(feature, value);
                cells.sums[start + feature] += i128::from(value) * i128::from(weight);
                let size = u128::from(value.unsigned_abs());
                squares[feature].add_times(size * size, weight);
            }
        }
        cells.counts.push(count);
    }

    fn histograms(&self, ends: &[(i64, i64)]) -> Vec<Histogram> {
        let nothing: Vec<Histogram> = ends
            .iter()
            .map(|&(least, greatest)| Histogram::spanning(least, greatest))
            .collect();
        let d = self.grid.n_features();
        self.points
            .par_chunks(HISTOGRAM_BLOCK * d.max(1))
            .enumerate()
            .map(|(block, points)| {
                let mut histograms = nothing.clone();
                for (i, point) in points.chunks_exact(d.max(1)).enumerate() {
                    let weight = self.weight(block * HISTOGRAM_BLOCK + i);
                    for (feature, &value) in point.iter().enumerate() {
                        histograms[feature].count(self.grid.fixed(feature, value), weight);
                    }
                }
                histograms
            })
            .reduce(
                || nothing.clone(),
                |mut all, more| {
                    for (all, more) in all.iter_mut().zip(&more) {
                        all.add(more);
                    }
                    all
                },
            )
    }
}

/// Tells the first row of every run but the first how it differs from the row before it.
fn join<K: Keyed>(runs: &mut [Run<K>]) {
    let mut before: Option<K> = None;
    for run in runs {
        if let (Some((first, last)), Some(apart)) = (run.ends, run.apart.first_mut()) {
            *apart = before.map_or(FIRST, |before| first.apart(before));
            before = Some(last);
        }
    }
}

/// How many levels above that of ascending keys, run after run, there are few enough cells; `apart` has the bits in which each key
/// differs from the one before it.
pub(super) fn levels_up<'a>(
    runs: impl Iterator<Item = &'a [u8]>,
    (n_features, max_cells): (usize, usize),
) -> usize {
    // Two neighbours share a cell from the level on at which their first difference is cut off.
    let count = |run: &[u8]| {
        let mut apart = [0_usize; 1 + FIRST as usize];
        for &bits in run {
            apart[bits as usize] += 1;
        }
        apart
    };
    let counted: Vec<_> = runs.map(count).collect();
    let mut cells = 0;
    for bits in (1..=FIRST as usize).rev() {
        cells += counted.iter().map(|apart| apart[bits]).sum::<usize>();
        if max_cells < cells {
            return bits.div_ceil(n_features);
        }
    }
    0
}
