//! Where a point lies: fixed point, cell, and the order of cells.
//!
//! In: coordinates in the scaled space. Out: whole numbers, and the key of the cell around them.
//! Invariant: a coordinate becomes a whole number once; from there on everything is counted and added in integers, so
//! that no sum depends on an order.

use ndarray::parallel::prelude::*;
use ndarray::{ArrayView2, Axis};

use crate::error::{Error, Result};

/// Binary places behind the point where the data allow it: 2⁻⁴⁰ is about 10⁻¹².
const PLACES: i32 = 40;
/// Bits of a fixed-point coordinate without its sign. Squares of 2³² such coordinates still fit into 128 bits.
const MAGNITUDE: i32 = 47;
/// Bits of a key.
const KEY_BITS: u32 = 128;
/// Rows of a block.
pub(super) const BLOCK: usize = 8_192;

/// The fixed point of every coordinate.
///
/// Two sketches can be merged where their grids are equal. That is the case for all data whose scaled values lie within
/// ±128, as those of the default log1p and zscore do.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Binary places of each feature: a coordinate is a multiple of 2⁻ᵖˡᵃᶜᵉˢ.
    places: Vec<i32>,
    /// 2ᵖˡᵃᶜᵉˢ.
    per_one: Vec<f64>,
}

impl Grid {
    /// The grid on which all rows of a matrix fit.
    ///
    /// # Errors
    /// [`Error::BadPoint`] for a coordinate that is no finite number.
    pub fn covering(matrix: ArrayView2<'_, f64>) -> Result<Self> {
        let widest = |rows: ArrayView2<'_, f64>| -> Vec<f64> {
            let mut widest = vec![0.0_f64; matrix.ncols()];
            for row in rows.outer_iter() {
                for (widest, value) in widest.iter_mut().zip(row) {
                    // A maximum would pass over NaN.
                    if !(value.abs() <= *widest) {
                        *widest = value.abs();
                    }
                }
            }
            widest
        };
        let blocks: Vec<Vec<f64>> = matrix
            .axis_chunks_iter(Axis(0), BLOCK)
            .into_par_iter()
            .map(widest)
            .collect();
        let mut places = vec![PLACES; matrix.ncols()];
        for (column, places) in places.iter_mut().enumerate() {
            let widest = blocks.iter().fold(0.0_f64, |widest, block| {
                if block[column] <= widest {
                    widest
                } else {
                    block[column]
                }
            });
            if !widest.is_finite() {
                return Err(bad_point(matrix));
            }
            while 2_f64.powi(MAGNITUDE - *places) <= widest {
                *places -= 1;
            }
        }
        Ok(Self::new(places))
    }

    pub(super) fn new(places: Vec<i32>) -> Self {
        let per_one = places.iter().map(|&places| 2_f64.powi(places)).collect();
        Self { places, per_one }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.places.len()
    }

    /// A coordinate as a whole number of units, rounded half away from zero.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a grid covers its coordinates; a stranger saturates at the edge of the cast"
    )]
    pub(crate) fn fixed(&self, feature: usize, value: f64) -> i64 {
        let units = value * self.per_one[feature];
        (units + 0.5_f64.copysign(units)) as i64
    }

    /// Size of one unit; a power of two.
    pub(crate) fn unit(&self, feature: usize) -> f64 {
        self.per_one[feature].recip()
    }

    /// Bits that a key has for each feature.
    pub(super) fn bits(&self) -> u32 {
        (KEY_BITS / u32::try_from(self.n_features().max(1)).unwrap_or(KEY_BITS)).min(62)
    }

    /// The finest level at which coordinates up to these fit into a key.
    pub(super) fn finest_level(&self, largest: &[i64]) -> i32 {
        let level = |feature: usize| {
            // Cells from −2ᵇⁱᵗˢ⁻¹ to 2ᵇⁱᵗˢ⁻¹ − 1 can be told apart.
            let needed = 65 - largest[feature].leading_zeros().cast_signed();
            let shift = (needed - self.bits().cast_signed()).max(0);
            self.places[feature] - shift
        };
        (0..self.n_features()).map(level).min().unwrap_or(PLACES)
    }

    /// How many bits of a coordinate lie below the cells of a level, whose width is 2⁻ˡᵉᵛᵉˡ.
    pub(super) fn shift(&self, feature: usize, level: i32) -> u32 {
        u32::try_from(self.places[feature] - level)
            .unwrap_or(0)
            .min(63)
    }
}

/// The first coordinate that is no finite number.
fn bad_point(matrix: ArrayView2<'_, f64>) -> Error {
    let ((row, column), value) = matrix
        .indexed_iter()
        .find(|(_, value)| !value.is_finite())
        .map_or(((0, 0), f64::NAN), |(place, &value)| (place, value));
    Error::BadPoint { row, column, value }
}

/// Weaves cell numbers into one key, the highest bits first: keys that begin alike are neighbours, and cutting the last
/// bit of every feature gives the key of the cell twice as wide (Morton 1966).
pub(super) fn weave(cells: &[i64], bits: u32) -> u128 {
    match cells {
        [a, b, c] if bits <= 42 => {
            let offset = 1_i64 << (bits - 1);
            let place = |cell: i64| spread3((cell + offset).cast_unsigned());
            place(*a) << 2 | place(*b) << 1 | place(*c)
        }
        _ => weave_any(cells, bits),
    }
}

fn weave_any(cells: &[i64], bits: u32) -> u128 {
    let offset = 1_i64 << (bits - 1);
    let mut key = 0;
    for bit in (0..bits).rev() {
        for cell in cells {
            let cell = (cell + offset).cast_unsigned();
            key = key << 1 | u128::from(cell >> bit & 1);
        }
    }
    key
}

/// Moves bit i to place 3i, for the lower 42 bits: 21 at a time, by the usual shifts and masks.
fn spread3(cell: u64) -> u128 {
    let half = |cell: u64| {
        let mut x = cell & 0x1f_ffff;
        x = (x | x << 32) & 0x001f_0000_0000_ffff;
        x = (x | x << 16) & 0x001f_0000_ff00_00ff;
        x = (x | x << 8) & 0x100f_00f0_0f00_f00f;
        x = (x | x << 4) & 0x10c3_0c30_c30c_30c3;
        (x | x << 2) & 0x1249_2492_4924_9249
    };
    u128::from(half(cell >> 21)) << 63 | u128::from(half(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_features_are_woven_like_any_number() {
        let cells = [
            [0, 0, 0],
            [1, -1, 5],
            [-70_000, 12_345_678, -1],
            [1 << 40, -(1 << 41), 3],
        ];
        for cell in cells {
            assert_eq!(weave(&cell, 42), weave_any(&cell, 42), "{cell:?}");
        }
    }
}
