//! A sum of squares that cannot overflow.
//!
//! In: products below 2¹²⁸. Out: their sum.
//! Invariant: exact up to 2¹⁹².

use std::ops::AddAssign;

/// An unsigned whole number of 192 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wide {
    pub(super) low: u128,
    pub(super) high: u64,
}

impl Wide {
    /// Adds a product.
    pub(super) fn add(&mut self, more: u128) {
        let (low, carried) = self.low.overflowing_add(more);
        self.low = low;
        self.high += u64::from(carried);
    }

    /// Its bits, the lowest 64 first.
    pub(super) fn limbs(self) -> [u64; 3] {
        let limb = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        [limb(self.low), limb(self.low >> 64), self.high]
    }

    /// The number with these bits.
    pub(super) fn of_limbs([low, middle, high]: [u64; 3]) -> Self {
        Self {
            low: u128::from(middle) << 64 | u128::from(low),
            high,
        }
    }

    /// The nearest f64.
    pub(super) fn to_f64(self) -> f64 {
        self.high as f64 * 2_f64.powi(128) + self.low as f64
    }
}

impl AddAssign for Wide {
    fn add_assign(&mut self, other: Self) {
        self.add(other.low);
        self.high += other.high;
    }
}
