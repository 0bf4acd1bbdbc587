//! Where a point lies: fixed point and cells.
//!
//! In: coordinates in the scaled space. Out: whole numbers.
//! Invariant: a coordinate becomes a whole number once; from there on everything is counted and added in integers, so
//! that no sum depends on an order.

use std::borrow::Cow;

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Binary places behind the point where the data allow it: 2⁻⁴⁰ is about 10⁻¹².
pub(super) const PLACES: i32 = 40;
/// Bits of a fixed-point coordinate without its sign. Sums and squares of 2³² such coordinates are exact.
pub(super) const MAGNITUDE: i32 = 47;
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
        Ok(Self::spanning(&Coordinates::of(matrix).ends(None)?))
    }

    /// Whether coordinates between these ends fit.
    pub(super) fn covers(&self, ends: &[(f64, f64)]) -> bool {
        let room = |(places, ends): (&i32, &(f64, f64))| {
            ends.0.abs().max(ends.1.abs()) < 2_f64.powi(MAGNITUDE - places)
        };
        ends.len() == self.places.len() && self.places.iter().zip(ends).all(room)
    }

    /// The grid on which coordinates between these ends fit, feature by feature.
    pub(crate) fn spanning(ends: &[(f64, f64)]) -> Self {
        let places = |&(least, greatest): &(f64, f64)| {
            let widest = least.abs().max(greatest.abs());
            let mut places = PLACES;
            while 2_f64.powi(MAGNITUDE - places) <= widest {
                places -= 1;
            }
            places
        };
        Self::new(ends.iter().map(places).collect())
    }

    pub(super) fn new(places: Vec<i32>) -> Self {
        let per_one = places.iter().map(|&places| 2_f64.powi(places)).collect();
        Self { places, per_one }
    }

    /// Binary places of each feature.
    pub(super) fn places(&self) -> &[i32] {
        &self.places
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

    /// Bits that a key of so many has for each feature.
    pub(super) fn bits(&self, key_bits: u32) -> u32 {
        let features = u32::try_from(self.n_features().max(1)).unwrap_or(key_bits);
        (key_bits / features).clamp(1, 62)
    }

    /// The finest level at which the cells between these ends fit into a key.
    pub(super) fn finest_level(&self, ends: &[(i64, i64)], key_bits: u32) -> i32 {
        let level = |(feature, &(least, greatest)): (usize, &(i64, i64))| {
            // Cells from −2ᵇⁱᵗˢ⁻¹ to 2ᵇⁱᵗˢ⁻¹ − 1 can be told apart; !x is −x − 1.
            let largest = greatest.max(!least);
            let needed = 65 - largest.leading_zeros().cast_signed();
            let shift = (needed - self.bits(key_bits).cast_signed()).max(0);
            self.places[feature] - shift
        };
        ends.iter().enumerate().map(level).min().unwrap_or(PLACES)
    }

    /// How many bits of a coordinate lie below the cells of a level, whose width is 2⁻ˡᵉᵛᵉˡ.
    pub(super) fn shift(&self, feature: usize, level: i32) -> u32 {
        let shift = u32::try_from(self.places[feature] - level);
        shift.unwrap_or(0).min(63)
    }
}

/// A matrix whose rows, or whose columns, lie one after the other.
pub(super) struct Coordinates<'a> {
    all: Cow<'a, [f64]>,
    n_features: usize,
    n_rows: usize,
    /// From one row to the next, and from one feature to the next.
    steps: (usize, usize),
}

impl<'a> Coordinates<'a> {
    pub(super) fn of(matrix: ArrayView2<'a, f64>) -> Self {
        let (n_rows, n_features) = matrix.dim();
        let by_row = (n_features, 1);
        let (all, steps) = match (matrix.to_slice(), matrix.reversed_axes().to_slice()) {
            (Some(all), _) => (Cow::Borrowed(all), by_row),
            (None, Some(all)) => (Cow::Borrowed(all), (1, n_rows)),
            (None, None) => (matrix.iter().copied().collect(), by_row),
        };
        Self {
            all,
            n_features,
            n_rows,
            steps,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.n_rows
    }

    pub(super) fn at(&self, row: usize, feature: usize) -> f64 {
        self.all[row * self.steps.0 + feature * self.steps.1]
    }

    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        (0..self.n_features).map(move |feature| self.at(row, feature))
    }

    /// Where [`Self::select`] can write, for the usual three features.
    pub(super) fn room(&self) -> Vec<[f64; 3]> {
        Vec::with_capacity(if self.n_features == 3 { self.len() } else { 0 })
    }

    /// Some rows, one after the other.
    pub(super) fn select(&self, rows: &[u32], mut room: Vec<[f64; 3]>) -> Vec<f64> {
        let d = self.n_features;
        // The usual three features without a call for each row, and where nothing has been: memory that is zeroed first is
        // touched twice, and by one core.
        if d == 3 {
            let rows = rows.par_iter().with_min_len(BLOCK).map(|&row| row as usize);
            let point = |row| [self.at(row, 0), self.at(row, 1), self.at(row, 2)];
            rows.map(point).collect_into_vec(&mut room);
            return room.into_flattened();
        }
        let mut points = vec![0.0; rows.len() * d];
        let blocks = points.par_chunks_mut((BLOCK * d).max(1));
        blocks
            .zip(rows.par_chunks(BLOCK))
            .for_each(|(points, rows)| {
                for (point, &row) in points.chunks_exact_mut(d).zip(rows) {
                    for (to, value) in point.iter_mut().zip(self.row(row as usize)) {
                        *to = value;
                    }
                }
            });
        points
    }

    /// Least and greatest coordinate of each feature, of the rows with a weight; zeros where there are none.
    pub(super) fn ends(&self, weights: Option<&[u64]>) -> Result<Vec<(f64, f64)>> {
        let n = self.len();
        let nothing = vec![(f64::INFINITY, f64::NEG_INFINITY); self.n_features];
        let of_block = |block: usize, feature: usize| {
            let (mut least, mut greatest, mut sound) = (f64::INFINITY, f64::NEG_INFINITY, true);
            for row in block * BLOCK..n.min((block + 1) * BLOCK) {
                let value = self.at(row, feature);
                sound &= value.is_finite();
                if weights.is_none_or(|weights| 0 < weights[row]) {
                    least = if value < least { value } else { least };
                    greatest = if greatest < value { value } else { greatest };
                }
            }
            sound.then_some((least, greatest))
        };
        let blocks: Vec<Option<Vec<(f64, f64)>>> = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let features = 0..self.n_features;
                features.map(|feature| of_block(block, feature)).collect()
            })
            .collect();
        let mut all = nothing;
        for ends in blocks {
            let ends = ends.ok_or_else(|| self.bad_point())?;
            for (all, ends) in all.iter_mut().zip(ends) {
                *all = (all.0.min(ends.0), all.1.max(ends.1));
            }
        }
        let none = |ends: &(f64, f64)| ends.1 < ends.0;
        Ok(all
            .into_iter()
            .map(|ends| if none(&ends) { (0.0, 0.0) } else { ends })
            .collect())
    }

    /// The first coordinate that is no finite number.
    fn bad_point(&self) -> Error {
        let d = self.n_features.max(1);
        let at = |place: usize| self.at(place / d, place % d);
        let place = (0..self.all.len()).find(|&place| !at(place).is_finite());
        let place = place.unwrap_or(0);
        Error::BadPoint {
            row: place / d,
            column: place % d,
            value: if self.all.is_empty() {
                f64::NAN
            } else {
                at(place)
            },
        }
    }
}
