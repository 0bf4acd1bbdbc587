//! A sum of squares that cannot overflow.
//!
//! In: products below 2¹²⁸, and how often each counts. Out: their sum.
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

    /// Adds a number so many times.
    pub(super) fn add_times(&mut self, more: u128, times: u64) {
        let [low, middle, _] = Self { low: more, high: 0 }.limbs();
        self.add(u128::from(low) * u128::from(times));
        let upper = u128::from(middle) * u128::from(times);
        self.add(upper << 64);
        self.high += u64::try_from(upper >> 64).unwrap_or(u64::MAX);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_times_is_adding_as_often() {
        for more in [0, 1, 3 << 63, u128::from(u64::MAX) << 40, u128::MAX / 3] {
            let (mut once, mut often) = (Wide::default(), Wide::default());
            once.add_times(more, 1_000);
            for _ in 0..1_000 {
                often.add(more);
            }
            assert_eq!(once, often, "{more}");
        }
        // (2⁹⁴ − 1) × 2⁶² has its bits from 62 to 155.
        let mut sum = Wide::default();
        sum.add_times((1 << 94) - 1, 1 << 62);
        assert_eq!(sum.limbs(), [3 << 62, u64::MAX, (1 << 28) - 1]);
    }
}
