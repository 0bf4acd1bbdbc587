//! Tiers by bands: each feature is cut alone, and a tier is what the bands of all features have in common.
//!
//! In: the matrix. Out: [`Bands`] of each column, and the cluster of each row.
//! Invariant: every row lies in exactly one band of each column, and so in exactly one cell of the grid; bands are ascending
//! and none is empty, cells may be.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::breaks::{breaks, distinct};
use crate::error::{Error, Result, Warning};
use crate::features::sketch::Grid;

/// A band with more of the rows than this leaves little for the others.
const DOMINANT_SHARE: f64 = 0.95;

/// Where one column is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Bands {
    /// Greatest value of each band but the last, ascending, scaled: the upper bound, inclusive.
    pub cuts: Vec<f64>,
    /// Mean of each band, scaled.
    pub centers: Vec<f64>,
    /// Rows in each band; none is 0.
    pub sizes: Vec<u64>,
    /// Sum of squared distances to the mean of the own band, scaled.
    pub within_ss: f64,
    /// Part of the squared distances to the overall mean that the bands explain, 0 to 1.
    pub gvf: f64,
}

impl Bands {
    /// Bands; at least 1.
    pub fn len(&self) -> usize {
        self.centers.len()
    }

    /// Never: a column has at least one band.
    pub fn is_empty(&self) -> bool {
        self.centers.is_empty()
    }

    /// The band of a scaled value, from 0.
    pub fn band(&self, value: f64) -> usize {
        self.cuts.partition_point(|&cut| cut < value)
    }

    /// How far from its borders a value lies: (d₂ − d₁) / (d₂ + d₁) with the distances to the mean of its own band and to
    /// that of the neighbour it is nearer to; 0 at or beyond the middle between two means, 1 at the mean.
    pub fn margin(&self, value: f64) -> f64 {
        let band = self.band(value);
        let own = (value - self.centers[band]).abs();
        let neighbours = [band.checked_sub(1), Some(band + 1)];
        let next = neighbours
            .into_iter()
            .flatten()
            .filter_map(|band| self.centers.get(band))
            .map(|center| (value - center).abs())
            .fold(f64::INFINITY, f64::min);
        if next.is_infinite() || own + next <= 0.0 {
            return 1.0;
        }
        ((next - own) / (next + own)).max(0.0)
    }
}

/// The cells that the bands of all columns make: tiers before they are ranked.
#[derive(Debug, Clone, PartialEq)]
pub struct BandGrid {
    /// In column order.
    pub columns: Vec<Bands>,
}

impl BandGrid {
    /// Number of cells: the product of the numbers of bands.
    pub fn len(&self) -> usize {
        self.columns.iter().map(Bands::len).product()
    }

    /// Never: there is at least one cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell of a row, from 0; the last column counts fastest.
    pub fn cell(&self, row: ArrayView1<'_, f64>) -> usize {
        let pairs = self.columns.iter().zip(row);
        pairs.fold(0, |cell, (bands, &value)| {
            cell * bands.len() + bands.band(value)
        })
    }

    /// Band of each column in a cell.
    pub fn bands_of(&self, cell: usize) -> Vec<usize> {
        let mut rest = cell;
        let mut bands: Vec<usize> = Vec::with_capacity(self.columns.len());
        for column in self.columns.iter().rev() {
            bands.push(rest % column.len());
            rest /= column.len();
        }
        bands.reverse();
        bands
    }

    /// The cell of a row, and its margin: the least of its columns.
    pub fn place(&self, row: ArrayView1<'_, f64>) -> (usize, f64) {
        let margins = self
            .columns
            .iter()
            .zip(row)
            .map(|(bands, &value)| bands.margin(value));
        (self.cell(row), margins.fold(1.0, f64::min))
    }

    /// Means of the bands of a cell.
    pub fn middle(&self, cell: usize) -> Vec<f64> {
        let bands = self.bands_of(cell);
        self.columns
            .iter()
            .zip(bands)
            .map(|(column, band)| column.centers[band])
            .collect()
    }
}

/// Cuts every column where its optimal one-dimensional k-means cuts.
///
/// A column with fewer distinct values than bands has one band for each value, and a warning says so.
///
/// # Errors
/// As [`breaks`].
pub(super) fn cut(
    matrix: ArrayView2<'_, f64>,
    n_bands: usize,
    names: &[String],
) -> Result<(BandGrid, Vec<Warning>)> {
    let grid = Grid::covering(matrix)?;
    let found: Vec<(Bands, usize)> = (0..matrix.ncols())
        .into_par_iter()
        .map(|feature| cut_column(matrix.column(feature), &grid, (feature, n_bands)))
        .collect::<Result<_>>()?;
    let mut warnings = Vec::new();
    for ((bands, distinct), name) in found.iter().zip(names) {
        if bands.len() < n_bands {
            warnings.push(Warning::new(
                "few_bands",
                format!("`{name}` has {distinct} distinct value{}, which make {} of the {n_bands} bands asked for", if *distinct == 1 { "" } else { "s" }, bands.len()),
            ));
        }
        let largest = bands.sizes.iter().copied().max().unwrap_or(0) as f64 / matrix.nrows() as f64;
        if 1 < bands.len() && DOMINANT_SHARE < largest {
            warnings.push(Warning::new(
                "dominant_band",
                format!("one band of `{name}` holds {:.1} % of the customers: most of them have the same value, and equal values stay together", largest * 100.0),
            ));
        }
    }
    let columns = found.into_iter().map(|(bands, _)| bands).collect();
    Ok((BandGrid { columns }, warnings))
}

fn cut_column(
    column: ArrayView1<'_, f64>,
    grid: &Grid,
    which: (usize, usize),
) -> Result<(Bands, usize)> {
    let (feature, n_bands) = which;
    let fixed: Vec<i64> = column
        .iter()
        .map(|&value| grid.fixed(feature, value))
        .collect();
    let (values, counts) = distinct(&fixed);
    let best = breaks(&values, &counts, n_bands)
        .map_err(|source| Error::Breaks {
            source: Box::new(source),
        })?
        .pop();
    let upper = best
        .as_ref()
        .map_or_else(Vec::new, |best| best.upper.clone());
    let n = upper.len() + 1;
    let (mut sums, mut sizes) = (vec![0_i128; n], vec![0_u64; n]);
    let mut greatest = vec![f64::NEG_INFINITY; n];
    for (&units, &value) in fixed.iter().zip(column) {
        let band = super::breaks::band(&upper, units);
        sums[band] += i128::from(units);
        sizes[band] += 1;
        greatest[band] = greatest[band].max(value);
    }
    let unit = grid.unit(feature);
    let centers = sums
        .iter()
        .zip(&sizes)
        .map(|(&sum, &size)| sum as f64 / size as f64 * unit)
        .collect();
    greatest.truncate(n - 1);
    let bands = Bands {
        cuts: greatest,
        centers,
        sizes,
        within_ss: best.as_ref().map_or(0.0, |best| best.within_ss) * unit * unit,
        gvf: best.as_ref().map_or(1.0, |best| best.gvf),
    };
    Ok((bands, values.len()))
}

/// Mean of the rows of each cell; that of its bands where it has no rows. With the rows of each cell and their inertia.
pub(super) fn describe(
    matrix: ArrayView2<'_, f64>,
    grid: &BandGrid,
    labels: &[u32],
) -> (Array2<f64>, Vec<u64>, f64) {
    let (k, d) = (grid.len(), matrix.ncols());
    let mut centroids = Array2::<f64>::zeros((k, d));
    let mut sizes = vec![0_u64; k];
    for (row, &label) in matrix.outer_iter().zip(labels) {
        let mut sum = centroids.row_mut(label as usize);
        sum += &row;
        sizes[label as usize] += 1;
    }
    for (cell, mut centroid) in centroids.outer_iter_mut().enumerate() {
        if sizes[cell] == 0 {
            centroid.assign(&ndarray::Array1::from(grid.middle(cell)));
        } else {
            centroid /= sizes[cell] as f64;
        }
    }
    let inertia = matrix
        .axis_iter(Axis(0))
        .zip(labels)
        .map(|(row, &label)| super::squared_distance(centroids.row(label as usize), row))
        .sum();
    (centroids, sizes, inertia)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn every_row_lies_in_one_cell_and_cells_follow_the_bands() {
        let matrix = array![[0.0, 5.0], [1.0, 5.0], [10.0, 5.0], [11.0, 9.0]];
        let names = ["a".to_owned(), "b".to_owned()];
        let (grid, warnings) = cut(matrix.view(), 2, &names).unwrap();
        assert_eq!(warnings, []);
        assert_eq!(grid.columns[0].cuts, [1.0]);
        assert_eq!(grid.columns[0].centers, [0.5, 10.5]);
        assert_eq!(grid.columns[1].sizes, [3, 1]);
        let cells: Vec<usize> = matrix.outer_iter().map(|row| grid.cell(row)).collect();
        assert_eq!(cells, [0, 0, 2, 3]);
        assert_eq!(grid.bands_of(2), [1, 0]);
        assert_eq!(grid.middle(1), [0.5, 9.0]);
        // Strangers have a cell, too.
        assert_eq!(grid.cell(array![-100.0, 1e9].view()), 1);
    }

    #[test]
    fn margins_are_none_in_the_middle_and_one_at_the_mean() {
        let bands = Bands {
            cuts: vec![1.0],
            centers: vec![0.5, 10.5],
            sizes: vec![2, 2],
            within_ss: 1.0,
            gvf: 0.9,
        };
        assert!((bands.margin(0.5) - 1.0).abs() < 1e-12);
        assert!(bands.margin(5.5).abs() < 1e-12);
        assert!((bands.margin(10.0) - (9.5 - 0.5) / 10.0).abs() < 1e-12);
    }

    #[test]
    fn one_value_for_most_is_said_aloud() {
        let matrix =
            Array2::from_shape_fn((100, 1), |(row, _)| if row < 98 { 1.0 } else { row as f64 });
        let (grid, warnings) = cut(matrix.view(), 2, &["frequency".to_owned()]).unwrap();
        assert_eq!(grid.columns[0].sizes, [98, 2]);
        assert_eq!(warnings[0].code, "dominant_band");
        let same = Array2::<f64>::ones((5, 1));
        let (grid, warnings) = cut(same.view(), 3, &["frequency".to_owned()]).unwrap();
        assert_eq!((grid.len(), warnings[0].code), (1, "few_bands"));
        assert_eq!(
            warnings[0].message,
            "`frequency` has 1 distinct value, which make 1 of the 3 bands asked for"
        );
    }
}
