//! Exact sums over bands, and the squared distances to the mean that follow from them.
//!
//! In: values as distances from the least one, with weights. Out: [`Sums`] and their cost.
//! Invariant: nothing wraps and nothing cancels, for any `i64` values and weights that add up to a `u64`.

use std::ops::{Add, Sub};

/// Weight, weighted sum and weighted sum of squares of some neighbouring values, counted from the least value of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) weight: u64,
    pub(super) sum: u128,
    squares: Wide,
}

impl Sums {
    pub(super) fn push(&mut self, offset: u64, weight: u64) {
        let offset = u128::from(offset);
        self.weight += weight;
        self.sum += offset * u128::from(weight);
        self.squares = self.squares + Wide::product(offset * offset, weight);
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            weight: self.weight + other.weight,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            weight: self.weight - earlier.weight,
            sum: self.sum - earlier.sum,
            squares: self.squares - earlier.squares,
        }
    }

    /// The mean, from the least value of all.
    pub(super) fn mean(&self) -> f64 {
        nearest(self.sum) / self.weight.max(1) as f64
    }

    /// The sum of squared distances to the mean: a whole number, and what is to be taken from it in parts of the weight.
    fn distances(&self) -> (Wide, u64) {
        let weight = u128::from(self.weight.max(1));
        let mean = low(quotient(self.sum, weight));
        let rest = self.sum - u128::from(mean) * weight;
        // Σ wx² − (Σ wx)² / W with Σ wx = mean · W + rest: no term is as large as (Σ wx)².
        let moved = quotient(rest * rest, weight);
        let whole = self.squares - Wide::product(self.sum + rest, mean) - Wide::from(moved);
        (whole, low(rest * rest - moved * weight))
    }

    /// The sum of squared distances to the mean. Exact but for the rounding of the result.
    pub(super) fn cost(&self) -> f64 {
        let (whole, parts) = self.distances();
        whole.to_f64() - parts as f64 / self.weight.max(1) as f64
    }

    /// The same times 2⁶⁴, rounded down.
    pub(super) fn exact_cost(&self) -> Wide {
        let (whole, parts) = self.distances();
        let fraction = (u128::from(parts) << 64).div_ceil(u128::from(self.weight.max(1)));
        let shifted = Wide {
            high: whole.high << 64 | whole.low >> 64,
            low: whole.low << 64,
        };
        shifted - Wide::from(fraction)
    }
}

/// A whole number of 256 bits. That is enough: costs stay below 2¹⁹⁰, and two of them times 2⁶⁴ below 2²⁵⁵.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    /// 1 as [`Sums::exact_cost`] writes it.
    pub(super) const ONE: Self = Self {
        high: 0,
        low: 1 << 64,
    };

    fn product(a: u128, b: u64) -> Self {
        let b = u128::from(b);
        let above = (a >> 64) * b;
        let (low, carry) = (u128::from(low(a)) * b).overflowing_add(above << 64);
        Self {
            high: (above >> 64) + u128::from(carry),
            low,
        }
    }

    pub(super) fn to_f64(self) -> f64 {
        if self.high == 0 {
            return nearest(self.low);
        }
        self.high as f64 * 2_f64.powi(128) + self.low as f64
    }
}

impl From<u128> for Wide {
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self
            .high
            .wrapping_add(other.high)
            .wrapping_add(u128::from(carry));
        Self { high, low }
    }
}

impl Sub for Wide {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let high = self
            .high
            .wrapping_sub(other.high)
            .wrapping_sub(u128::from(borrow));
        Self { high, low }
    }
}

/// The quotient, rounded down; by one instruction where both fit into 64 bits, as they mostly do.
fn quotient(number: u128, by: u128) -> u128 {
    match (u64::try_from(number), u64::try_from(by)) {
        (Ok(number), Ok(by)) => u128::from(number / by),
        _ => number / by,
    }
}

/// The nearest f64.
fn nearest(number: u128) -> f64 {
    u64::try_from(number).map_or_else(|_| number as f64, |number| number as f64)
}

/// The low half; of a quotient or remainder by a `u64` it is all there is.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn low(number: u128) -> u64 {
    number as u64
}
