//! The sketch as a table, so that it can be kept beside a run and read again.
//!
//! In: a [`Sketch`], or the table of one. Out: the other.
//! Invariant: what was written and read again is the same to the last bit, and a table that no sketch could have written
//! is refused by its column. It opens no file: `store` and `load` do.
//!
//! The columns are the same whatever the number of features; none holds a null. A row says what a `part` of the sketch
//! has along a `feature` (from 0):
//!
//! | part     | rows for each feature         | `place`                       | `count`            | `sum`          |
//! |----------|-------------------------------|-------------------------------|--------------------|----------------|
//! | `grid`   | 1                             | binary places of a coordinate | 0                  | 0              |
//! | `level`  | 1 in all                      | cells are 2⁻ᵖˡᵃᶜᵉ wide        | 0                  | 0              |
//! | `square` | 3                             | 0, 1, 2                       | 64 bits of the sum of squares, lowest first | 0 |
//! | `shift`  | 1, then its bins              | bits of a coordinate in a bin | 0                  | 0              |
//! | `bin`    | 1 for each bin, ascending     | number of the bin             | customers          | 0              |
//! | `cell`   | 1 for each cell, cell by cell | number of the cell            | customers          | of coordinates |

use std::ops::RangeInclusive;

use polars::prelude::*;

use super::grid::{MAGNITUDE, PLACES};
use super::sort::Keyed;
use super::{Cells, Grid, Histogram, MAX_BINS, MAX_CELLS, MAX_WEIGHT, Sketch, Wide};
use crate::error::{Error, Result};

/// Parts, in the order of their rows.
const GRID: &str = "grid";
const LEVEL: &str = "level";
const SQUARE: &str = "square";
const SHIFT: &str = "shift";
const BIN: &str = "bin";
const CELL: &str = "cell";

/// Digits of a Decimal. Sums of coordinates have 34 at most.
const DIGITS: usize = 38;
/// Features of a table at most: cells of as many have keys and can be made coarser.
const MAX_FEATURES: usize = 63;
/// Binary places with which the largest f64 still fits on a grid.
const LEAST_PLACES: i32 = MAGNITUDE - 1_024;
/// Levels that cells can be wider than the unit of the widest grid.
const LEVELS: i32 = 62;

impl Sketch {
    /// The sketch as a table, bit for bit; [`Self::from_table`] reads it.
    ///
    /// # Errors
    /// None that a sketch could cause.
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use tiermill::features::sketch::{Sketch, sketch};
    ///
    /// let sketch = sketch(array![[0.0, 1.0], [2.5, -3.0]].view())?.sketch;
    /// assert_eq!(Sketch::from_table(&sketch.table()?)?, sketch);
    /// # Ok::<(), tiermill::Error>(())
    /// ```
    pub fn table(&self) -> Result<DataFrame> {
        let d = self.n_features();
        let mut rows = Rows::default();
        for (feature, &places) in self.grid.places().iter().enumerate() {
            rows.push((GRID, feature), places.into(), (0, 0));
        }
        rows.push((LEVEL, 0), self.level.into(), (0, 0));
        for (feature, square) in self.squares.iter().enumerate() {
            for (place, limb) in (0..).zip(square.limbs()) {
                rows.push((SQUARE, feature), place, (limb, 0));
            }
        }
        for (feature, histogram) in self.histograms.iter().enumerate() {
            rows.push((SHIFT, feature), histogram.shift.into(), (0, 0));
            for (place, &count) in (histogram.first..).zip(&histogram.counts) {
                rows.push((BIN, feature), place, (count, 0));
            }
        }
        for (cell, &count) in self.cells.counts.iter().enumerate() {
            for feature in 0..d {
                let at = cell * d + feature;
                let of = (count, self.cells.sums[at]);
                rows.push((CELL, feature), self.cells.places[at], of);
            }
        }
        rows.table()
    }

    /// The sketch that a table was made of.
    ///
    /// # Errors
    /// [`Error::SketchTable`] with the column that is missing or has what no sketch could have written.
    pub fn from_table(table: &DataFrame) -> Result<Self> {
        let mut reader = Reader::of(table)?;
        let grid = reader.grid()?;
        let level = reader.level(&grid)?;
        let d = grid.n_features();
        let squares = (0..d).map(|feature| reader.square(feature));
        let squares = squares.collect::<Result<_>>()?;
        let histograms = (0..d).map(|feature| reader.histogram(feature));
        let histograms: Vec<Histogram> = histograms.collect::<Result<_>>()?;
        let cells = reader.cells(&grid, level)?;
        let total = total(&cells.counts);
        if total.is_none() {
            let most = format!("at most {MAX_WEIGHT}");
            return Err(unfit("count", "more in all".to_owned(), &most));
        }
        for (feature, histogram) in histograms.iter().enumerate() {
            if self::total(&histogram.counts) != total {
                return Err(unfit(
                    "count",
                    format!("other customers in the cells than in the bins of feature {feature}"),
                    "as many",
                ));
            }
        }
        Ok(Self {
            grid,
            level,
            cells,
            squares,
            histograms,
        })
    }
}

/// Customers in all; `None` where they are too many.
fn total(counts: &[u64]) -> Option<u64> {
    let mut counts = counts.iter();
    let all = counts.try_fold(0_u64, |all, &count| all.checked_add(count));
    all.filter(|&all| all <= MAX_WEIGHT)
}

/// Numbers that coordinates have once so many of their bits are cut off.
fn reach(shift: u32) -> RangeInclusive<i64> {
    let most = 1_i64 << MAGNITUDE;
    -most >> shift..=most >> shift
}

/// A column of the table with something that does not fit.
fn unfit(column: &'static str, found: String, expected: &str) -> Error {
    Error::SketchTable {
        column,
        found,
        expected: expected.to_owned(),
    }
}

/// The columns of the table.
#[derive(Default)]
struct Rows {
    parts: Vec<&'static str>,
    features: Vec<u32>,
    places: Vec<i64>,
    counts: Vec<u64>,
    sums: Vec<i128>,
}

impl Rows {
    fn push(&mut self, part: (&'static str, usize), place: i64, of: (u64, i128)) {
        self.parts.push(part.0);
        self.features
            .push(u32::try_from(part.1).unwrap_or(u32::MAX));
        self.places.push(place);
        self.counts.push(of.0);
        self.sums.push(of.1);
    }

    fn table(self) -> Result<DataFrame> {
        let sums = Int128Chunked::from_vec("sum".into(), self.sums);
        let columns = vec![
            StringChunked::from_slice("part".into(), &self.parts).into_column(),
            UInt32Chunked::from_vec("feature".into(), self.features).into_column(),
            Int64Chunked::from_vec("place".into(), self.places).into_column(),
            UInt64Chunked::from_vec("count".into(), self.counts).into_column(),
            sums.into_decimal_unchecked(DIGITS, 0).into_column(),
        ];
        DataFrame::new(self.parts.len(), columns)
            .map_err(Error::polars("make a table of the sketch"))
    }
}

/// The table, read from its first row to its last.
struct Reader<'a> {
    parts: Vec<&'a str>,
    features: Vec<u32>,
    places: Vec<i64>,
    counts: Vec<u64>,
    sums: Vec<i128>,
    /// The row that is read next.
    next: usize,
}

/// A row whose part and feature are as expected.
struct Row {
    place: i64,
    count: u64,
    sum: i128,
}

impl<'a> Reader<'a> {
    fn of(table: &'a DataFrame) -> Result<Self> {
        let column = |name: &'static str, dtype: DataType| {
            let found = match table.column(name) {
                Err(_) => "not there".to_owned(),
                Ok(column) if *column.dtype() != dtype => column.dtype().to_string(),
                Ok(column) if 0 < column.null_count() => format!("{} nulls", column.null_count()),
                Ok(column) => return Ok(column),
            };
            Err(unfit(name, found, &format!("{dtype} without nulls")))
        };
        let parts = column("part", DataType::String)?;
        let features = column("feature", DataType::UInt32)?;
        let places = column("place", DataType::Int64)?;
        let counts = column("count", DataType::UInt64)?;
        let sums = column("sum", DataType::Decimal(DIGITS, 0))?;
        let read = || {
            Ok(Self {
                parts: parts.str()?.iter().flatten().collect(),
                features: features.u32()?.into_no_null_iter().collect(),
                places: places.i64()?.into_no_null_iter().collect(),
                counts: counts.u64()?.into_no_null_iter().collect(),
                sums: sums.decimal()?.physical().into_no_null_iter().collect(),
                next: 0,
            })
        };
        read().map_err(Error::polars("read the table of the sketch"))
    }

    /// Whether the next row is of this part and feature.
    fn comes(&self, part: &str, feature: usize) -> bool {
        self.parts.get(self.next) == Some(&part) && self.features[self.next] as usize == feature
    }

    /// The next row, which has to be of this part and feature.
    fn take(&mut self, part: &str, feature: usize) -> Result<Row> {
        let at = self.next;
        match self.parts.get(at) {
            None => {
                let found = format!("no row {at}");
                return Err(unfit("part", found, &format!("`{part}`")));
            }
            Some(&found) if found != part => {
                let found = format!("`{found}` in row {at}");
                return Err(unfit("part", found, &format!("`{part}`")));
            }
            Some(_) => {}
        }
        if self.features[at] as usize != feature {
            let found = format!("{} in row {at}", self.features[at]);
            return Err(unfit("feature", found, &feature.to_string()));
        }
        self.next += 1;
        Ok(Row {
            place: self.places[at],
            count: self.counts[at],
            sum: self.sums[at],
        })
    }

    /// Refuses the row that was taken last, where `holds` is false.
    fn ensure(&self, holds: bool, column: &'static str, expected: &str) -> Result<()> {
        if holds {
            return Ok(());
        }
        let at = self.next - 1;
        let found = match column {
            "feature" => self.features[at].to_string(),
            "place" => self.places[at].to_string(),
            "count" => self.counts[at].to_string(),
            _ => self.sums[at].to_string(),
        };
        Err(unfit(column, format!("{found} in row {at}"), expected))
    }

    /// The place of the row that was taken last, which has to lie in a range.
    fn place(&self, row: &Row, range: RangeInclusive<i32>) -> Result<i32> {
        let place = i32::try_from(row.place).unwrap_or(i32::MAX);
        let expected = format!("{} to {}", range.start(), range.end());
        self.ensure(range.contains(&place), "place", &expected)?;
        Ok(place)
    }

    fn grid(&mut self) -> Result<Grid> {
        let mut places = Vec::new();
        while places.is_empty() || self.parts.get(self.next) == Some(&GRID) {
            let row = self.take(GRID, places.len())?;
            let expected = format!("at most {MAX_FEATURES} features");
            self.ensure(places.len() < MAX_FEATURES, "feature", &expected)?;
            places.push(self.place(&row, LEAST_PLACES..=PLACES)?);
        }
        Ok(Grid::new(places))
    }

    fn level(&mut self, grid: &Grid) -> Result<i32> {
        let row = self.take(LEVEL, 0)?;
        let finest = grid.places().iter().copied().min().unwrap_or(PLACES);
        self.place(&row, finest - LEVELS..=finest)
    }

    fn square(&mut self, feature: usize) -> Result<Wide> {
        let mut limbs = [0; 3];
        for (place, limb) in (0..).zip(&mut limbs) {
            let row = self.take(SQUARE, feature)?;
            self.ensure(row.place == place, "place", &place.to_string())?;
            *limb = row.count;
        }
        Ok(Wide::of_limbs(limbs))
    }

    fn histogram(&mut self, feature: usize) -> Result<Histogram> {
        let row = self.take(SHIFT, feature)?;
        let shift = self.place(&row, 0..=63)?.unsigned_abs();
        let mut counts = Vec::new();
        let mut bin = self.take(BIN, feature)?;
        let first = bin.place;
        loop {
            let next = first.saturating_add_unsigned(counts.len() as u64);
            self.ensure(bin.place == next, "place", &next.to_string())?;
            let reach = reach(shift);
            let expected = format!("{} to {}", reach.start(), reach.end());
            self.ensure(reach.contains(&next), "place", &expected)?;
            counts.push(bin.count);
            if counts.len() == MAX_BINS || !self.comes(BIN, feature) {
                break;
            }
            bin = self.take(BIN, feature)?;
        }
        // Of no rows at all there is one bin.
        let some = |count: Option<&u64>| count.is_some_and(|&count| 0 < count);
        let ends = counts.len() == 1 || some(counts.first()) && some(counts.last());
        if !ends {
            let found = format!("none in the first bin or the last of feature {feature}");
            return Err(unfit("count", found, "customers in both"));
        }
        Ok(Histogram {
            shift,
            first,
            counts,
        })
    }

    fn cells(&mut self, grid: &Grid, level: i32) -> Result<Cells> {
        let (d, bits) = (grid.n_features(), grid.bits(u128::BITS));
        // Numbers beyond these have no place in a key.
        let narrow = -1_i64 << (bits - 1)..=(1_i64 << (bits - 1)) - 1;
        let mut cells = Cells::default();
        let mut last: Option<u128> = None;
        while self.next < self.parts.len() {
            let mut count = None;
            for feature in 0..d {
                let row = self.take(CELL, feature)?;
                let shift = grid.shift(feature, level);
                let inside = reach(shift).contains(&row.place) && narrow.contains(&row.place);
                self.ensure(inside, "place", "a cell on the grid")?;
                let alike = 0 < row.count && count.is_none_or(|count| count == row.count);
                self.ensure(alike, "count", "one number above 0 along all features")?;
                let mean = row.sum.div_euclid(row.count.into());
                let inside = mean >> shift == i128::from(row.place);
                self.ensure(inside, "sum", "one whose mean lies in its cell")?;
                count = Some(row.count);
                cells.places.push(row.place);
                cells.sums.push(row.sum);
            }
            let key = u128::weave(&cells.places[cells.places.len() - d..], bits);
            let ascends = last.is_none_or(|last| last < key);
            self.ensure(ascends, "place", "cells in the order of their keys")?;
            last = Some(key);
            cells.counts.extend(count);
        }
        if MAX_CELLS < cells.counts.len() {
            let found = format!("{} cells", cells.counts.len());
            return Err(unfit("part", found, &format!("at most {MAX_CELLS}")));
        }
        Ok(cells)
    }
}
