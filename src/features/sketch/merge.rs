//! Sketches of parts become the sketch of the whole.
//!
//! In: two sketches on one grid. Out: the sketch of the rows of both.
//! Invariant: associative and commutative to the last bit. The level of a sketch is the finest at which its cells fit into
//! their key and are few enough; the level of a union follows from that of its parts in the same way, since a part never
//! has more cells than the whole.

use super::build::{check_weight, levels_up};
use super::sort::{Keyed, apart};
use super::{Cells, Histogram, MAX_CELLS, Sketch};
use crate::error::{Error, Result};

impl Sketch {
    /// The sketch of the rows of both.
    ///
    /// # Errors
    /// [`Error::OtherGrid`] where the two count in different units; [`Error::BadValue`] where they have more than
    /// [`super::MAX_WEIGHT`] rows in all.
    pub fn merged(&self, other: &Self) -> Result<Self> {
        if self.grid != other.grid {
            return Err(Error::OtherGrid);
        }
        let all = u128::from(self.count()) + u128::from(other.count());
        check_weight("rows of both", all)?;
        if self.is_empty() || other.is_empty() {
            return Ok(if self.is_empty() {
                other.clone()
            } else {
                self.clone()
            });
        }
        let mut level = self.level.min(other.level);
        let mut cells = self.at(level, &[self, other]);
        if MAX_CELLS < cells.counts.len() {
            let (d, bits) = (self.n_features(), self.grid.bits(u128::BITS));
            let places = cells.places.chunks_exact(d);
            let apart = apart(places.map(|places| u128::weave(places, bits)));
            let up = levels_up(std::iter::once(apart.as_slice()), (d, MAX_CELLS));
            level -= i32::try_from(up).unwrap_or(i32::MAX);
            cells = self.at(level, &[self, other]);
        }
        let mut squares = self.squares.clone();
        for (squares, more) in squares.iter_mut().zip(&other.squares) {
            *squares += *more;
        }
        Ok(Self {
            grid: self.grid.clone(),
            level,
            cells,
            squares,
            histograms: self
                .histograms
                .iter()
                .zip(&other.histograms)
                .map(|(a, b)| Histogram::merged(a, b))
                .collect(),
        })
    }

    /// The same rows in at most so many cells: a higher step of the pyramid. Below 2ᶠᵉᵃᵗᵘʳᵉˢ cells nothing is merged.
    #[must_use]
    pub fn coarser(&self, max_cells: usize) -> Self {
        let d = self.n_features();
        let (wider, up) = self.wider_cells(max_cells);
        let mut cells = Cells::default();
        for (cell, &number) in wider.iter().enumerate() {
            // Cells that share a wider one are neighbours.
            if cells.counts.len() <= number as usize {
                let places = &self.cells.places[cell * d..(cell + 1) * d];
                cells.places.extend(places.iter().map(|place| place >> up));
                cells.counts.push(self.cells.counts[cell]);
                cells.sums.extend_from_slice(self.sums(cell));
                continue;
            }
            if let Some(count) = cells.counts.last_mut() {
                *count += self.cells.counts[cell];
            }
            let end = cells.sums.len();
            for (sum, more) in cells.sums[end - d..].iter_mut().zip(self.sums(cell)) {
                *sum += more;
            }
        }
        Self {
            grid: self.grid.clone(),
            level: self.level - i32::try_from(up).unwrap_or(i32::MAX),
            cells,
            squares: self.squares.clone(),
            histograms: self.histograms.clone(),
        }
    }

    /// For each cell the number of the wider cell that it lies in, of at most so many, as [`Self::coarser`] has them.
    pub fn wider(&self, max_cells: usize) -> Vec<u32> {
        self.wider_cells(max_cells).0
    }

    /// The same, and how many levels the wider cells are above.
    fn wider_cells(&self, max_cells: usize) -> (Vec<u32>, usize) {
        let d = self.n_features();
        let apart = apart(self.keys().into_iter());
        let max_cells = max_cells.max(1 << d);
        let up = levels_up(std::iter::once(apart.as_slice()), (d, max_cells));
        let mut number = 0;
        let wider = apart.iter().zip(0..).map(|(&apart, cell)| {
            number += u32::from(0 < cell && up * d < apart.into());
            number
        });
        let wider = wider.collect();
        (wider, up)
    }

    /// The cells of sketches on one grid at a level that is no finer than theirs.
    fn at(&self, level: i32, parts: &[&Self]) -> Cells {
        let (d, bits) = (self.n_features(), self.grid.bits(u128::BITS));
        let mut keyed: Vec<(u128, usize, usize)> = Vec::new();
        let mut places = vec![0; d];
        let moved = |part: &Self, cell: usize, places: &mut [i64]| {
            for (feature, place) in places.iter_mut().enumerate() {
                *place = part.cells.places[cell * d + feature] >> (part.level - level);
            }
        };
        for (which, part) in parts.iter().enumerate() {
            for cell in 0..part.len() {
                moved(part, cell, &mut places);
                keyed.push((u128::weave(&places, bits), which, cell));
            }
        }
        keyed.sort_unstable();
        let mut cells = Cells::default();
        let mut last = None;
        for (key, which, cell) in keyed {
            let part = parts[which];
            if last != Some(key) {
                last = Some(key);
                moved(part, cell, &mut places);
                cells.places.extend(&places);
                cells.counts.push(0);
                cells.sums.resize(cells.sums.len() + d, 0);
            }
            if let Some(count) = cells.counts.last_mut() {
                *count += part.cells.counts[cell];
            }
            let end = cells.sums.len();
            for (sum, more) in cells.sums[end - d..].iter_mut().zip(part.sums(cell)) {
                *sum += more;
            }
        }
        cells
    }
}
