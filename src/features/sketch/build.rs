//! Rows become cells.
//!
//! In: a matrix on its grid. Out: its sketch, and the rows in the order of the cells.
//! Invariant: one pass gives each row its key; sorting the keys is all that has to be done to have the cells of every
//! level at once, since the keys of wider cells are beginnings of the keys of narrower ones.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::grid::{BLOCK, weave};
use super::{Cells, Grid, Histogram, MAX_CELLS, Sketch, Wide};
use crate::error::{Error, Result};

/// Which rows lie in which cell.
#[derive(Debug, Clone)]
pub struct RowOrder {
    /// Rows in the order of the cells, ascending within a cell.
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
    sketch_weighted(matrix, None, &Grid::covering(matrix)?)
}

/// Sketches rows that count more or less than once, on a given grid. A row of weight 0 is left out.
///
/// # Errors
/// As [`sketch`].
pub fn sketch_weighted(
    matrix: ArrayView2<'_, f64>,
    weights: Option<&[u64]>,
    grid: &Grid,
) -> Result<Sketched> {
    if u32::try_from(matrix.nrows()).is_err() {
        return Err(Error::TooManyCustomers {
            customers: matrix.nrows(),
            limit: u32::MAX.into(),
        });
    }
    let rows = Rows {
        matrix: matrix.view(),
        weights,
        grid,
    };
    let ends = rows.ends();
    // !x is −x − 1: the side of zero on which one more fits.
    let largest: Vec<i64> = ends
        .iter()
        .map(|&(least, greatest)| greatest.max(!least))
        .collect();
    let finest = grid.finest_level(&largest);
    let mut keyed = rows.keys(finest);
    keyed.par_sort_unstable();
    let keys = keyed.iter().map(|(key, _)| *key);
    let up = levels_up(keys, grid.n_features(), MAX_CELLS);
    let order = order(&keyed, up * grid.n_features());
    drop(keyed);
    let level = finest - i32::try_from(up).unwrap_or(i32::MAX);
    let (cells, squares) = rows.cells(&order, level);
    let histograms = rows.histograms(&ends);
    let sketch = Sketch {
        grid: grid.clone(),
        level,
        cells,
        squares,
        histograms,
    };
    Ok(Sketched { sketch, order })
}

/// What is sketched.
struct Rows<'a> {
    matrix: ArrayView2<'a, f64>,
    weights: Option<&'a [u64]>,
    grid: &'a Grid,
}

impl Rows<'_> {
    fn weight(&self, row: usize) -> u64 {
        self.weights.map_or(1, |weights| weights[row])
    }

    fn fixed(&self, row: usize, feature: usize) -> i64 {
        self.grid.fixed(feature, self.matrix[[row, feature]])
    }

    fn blocks(&self) -> impl IndexedParallelIterator<Item = Range<usize>> + use<> {
        let rows = self.matrix.nrows();
        (0..rows.div_ceil(BLOCK))
            .into_par_iter()
            .map(move |block| block * BLOCK..rows.min((block + 1) * BLOCK))
    }

    /// Least and greatest coordinate of each feature.
    fn ends(&self) -> Vec<(i64, i64)> {
        let nothing = || vec![(i64::MAX, i64::MIN); self.grid.n_features()];
        let wider = |mut a: Vec<(i64, i64)>, b: Vec<(i64, i64)>| {
            for (a, b) in a.iter_mut().zip(b) {
                *a = (a.0.min(b.0), a.1.max(b.1));
            }
            a
        };
        self.blocks()
            .map(|block| {
                let mut ends = nothing();
                for row in block.filter(|&row| 0 < self.weight(row)) {
                    for (feature, ends) in ends.iter_mut().enumerate() {
                        let value = self.fixed(row, feature);
                        *ends = (ends.0.min(value), ends.1.max(value));
                    }
                }
                ends
            })
            .reduce(nothing, wider)
    }

    /// Each row with the key of its cell at a level.
    fn keys(&self, level: i32) -> Vec<(u128, u32)> {
        let bits = self.grid.bits();
        let shifts: Vec<u32> = (0..self.grid.n_features())
            .map(|feature| self.grid.shift(feature, level))
            .collect();
        let blocks: Vec<Vec<(u128, u32)>> = self
            .blocks()
            .map(|block| {
                let mut places = vec![0; shifts.len()];
                block
                    .filter(|&row| 0 < self.weight(row))
                    .map(|row| {
                        for (feature, place) in places.iter_mut().enumerate() {
                            *place = self.fixed(row, feature) >> shifts[feature];
                        }
                        (weave(&places, bits), u32::try_from(row).unwrap_or(u32::MAX))
                    })
                    .collect()
            })
            .collect();
        blocks.concat()
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
                    let rows = &order.rows[order.cell(cell)];
                    cells
                        .counts
                        .push(rows.iter().map(|&row| self.weight(row as usize)).sum());
                    for (feature, squares) in squares.iter_mut().enumerate() {
                        let mut sum = 0;
                        for &row in rows {
                            let value = self.fixed(row as usize, feature);
                            let weight = self.weight(row as usize);
                            sum += i128::from(value) * i128::from(weight);
                            let value = u128::from(value.unsigned_abs());
                            squares.add(value * value * u128::from(weight));
                        }
                        cells.sums.push(sum);
                        let first = self.fixed(rows[0] as usize, feature);
                        cells.places.push(first >> self.grid.shift(feature, level));
                    }
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

    fn histograms(&self, ends: &[(i64, i64)]) -> Vec<Histogram> {
        ends.par_iter()
            .enumerate()
            .map(|(feature, &(least, greatest))| {
                let mut histogram = if least <= greatest {
                    Histogram::spanning(least, greatest)
                } else {
                    Histogram::spanning(0, 0)
                };
                for row in 0..self.matrix.nrows() {
                    let weight = self.weight(row);
                    if 0 < weight {
                        histogram.count(self.fixed(row, feature), weight);
                    }
                }
                histogram
            })
            .collect()
    }
}

/// How many levels above that of ascending keys there are few enough cells.
pub(super) fn levels_up(
    mut keys: impl Iterator<Item = u128>,
    n_features: usize,
    max_cells: usize,
) -> usize {
    // Two neighbours share a cell from the level on at which their first difference is cut off.
    let mut apart = [0_usize; 129];
    let Some(mut last) = keys.next() else {
        return 0;
    };
    for key in keys {
        apart[(128 - (key ^ last).leading_zeros() as usize).div_ceil(n_features)] += 1;
        last = key;
    }
    let mut cells = 1;
    for up in (1..apart.len()).rev() {
        cells += apart[up];
        if max_cells < cells {
            return up;
        }
    }
    0
}

/// Rows and cell bounds, where cells are runs of keys that are equal without their last bits.
fn order(keyed: &[(u128, u32)], cut: usize) -> RowOrder {
    let cell = |key: u128| if cut < 128 { key >> cut } else { 0 };
    let rows: Vec<u32> = keyed.iter().map(|(_, row)| *row).collect();
    let mut starts: Vec<u32> = Vec::new();
    let mut last = None;
    for (place, (key, _)) in keyed.iter().enumerate() {
        if last != Some(cell(*key)) {
            last = Some(cell(*key));
            starts.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }
    starts.push(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    RowOrder { rows, starts }
}
