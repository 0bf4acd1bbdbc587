//! One dimension of all customers, as its distinct values.
//!
//! In: [`Customers`], a feature, the tier of each customer. Out: a [`Line`]: values ascending, each with its customers, their
//! revenue and their tiers.
//! Invariant: counts and revenue are whole numbers, so a line depends on neither threads nor the order of customers.

use rayon::prelude::*;

use crate::config::Feature;
use crate::error::Result;
use crate::features::{ends, raw};
use crate::load::{Customers, from_fixed};

/// Values that are looked at together.
const BLOCK: usize = 8_192;
/// Whole values within a range as wide as this are counted and not sorted.
const COUNTED: f64 = 65_536.0;
/// Places for tiers beside counted values.
const COUNTED_TIERS: usize = 1 << 21;

/// Bits of a tier beside an amount, and what makes amounts positive there.
const TIER_BITS: u32 = 16;
const OFFSET: i64 = 1 << 46;

/// The distinct values of a dimension, ascending.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub feature: Feature,
    /// In the unit of the dimension.
    pub values: Vec<f64>,
    /// Customers with at most this value.
    pub up_to: Vec<u64>,
    /// Revenue of the customers with this value, in units of the customers' `decimals`.
    pub revenue: Vec<i128>,
    /// Their tiers.
    pub tiers: TierCounts,
}

/// How many customers of which tier each value has.
#[derive(Debug, Clone, Default)]
pub(super) struct TierCounts {
    /// Tier and customers, value after value.
    pairs: Vec<(u32, u64)>,
    /// Where the pairs of each value end.
    ends: Vec<usize>,
}

impl TierCounts {
    pub(super) fn push(&mut self, pairs: impl IntoIterator<Item = (u32, u64)>) {
        self.pairs.extend(pairs);
        self.ends.push(self.pairs.len());
    }

    /// Tiers and customers of a value.
    pub(super) fn of(&self, value: usize) -> &[(u32, u64)] {
        let begin = value.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.pairs[begin..self.ends[value]]
    }

    /// The same of neighbouring values together.
    pub(super) fn of_all(&self, values: std::ops::Range<usize>) -> Vec<(u32, u64)> {
        let mut pairs: Vec<(u32, u64)> = Vec::new();
        for value in values {
            for &(tier, customers) in self.of(value) {
                match pairs.iter_mut().find(|pair| pair.0 == tier) {
                    Some(pair) => pair.1 += customers,
                    None => pairs.push((tier, customers)),
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }
}

impl Line {
    /// Counts the customers of every value; `tiers` holds a number below `k` for each customer.
    ///
    /// # Errors
    /// As [`raw`].
    pub(super) fn of(
        customers: &Customers,
        feature: Feature,
        tiers: (&[u32], usize),
    ) -> Result<Self> {
        let values = raw(customers, feature)?;
        let (least, greatest) = ends(&values);
        let few = greatest - least < COUNTED && least.fract() == 0.0;
        let places = if few { place(greatest, least) + 1 } else { 0 };
        let countable =
            few && places * tiers.1 <= COUNTED_TIERS && values.par_chunks(BLOCK).all(all_whole);
        let line = Self {
            feature,
            values: Vec::new(),
            up_to: Vec::new(),
            revenue: Vec::new(),
            tiers: TierCounts::default(),
        };
        if values.is_empty() {
            return Ok(line);
        }
        if countable {
            return Ok(line.counted(&values, (least, places), &customers.revenue, tiers));
        }
        let packed = packed(&values, customers, tiers.0);
        Ok(match packed {
            Some(keys) => line.unpacked(keys, customers.decimals),
            None => line.sorted(&values, &customers.revenue, tiers.0),
        })
    }

    fn counted(
        mut self,
        values: &[f64],
        (least, places): (f64, usize),
        revenue: &[i64],
        (tiers, k): (&[u32], usize),
    ) -> Self {
        let mut counts = vec![(0_u64, 0_i64); places * k];
        // What 64 bits had no room for.
        let mut rest = vec![0_i128; places];
        for ((&value, &units), &tier) in values.iter().zip(revenue).zip(tiers) {
            let place = place(value, least);
            let count = &mut counts[place * k + tier as usize];
            count.0 += 1;
            match count.1.checked_add(units) {
                Some(sum) => count.1 = sum,
                None => rest[place] += i128::from(units),
            }
        }
        let mut before = 0;
        for (place, counts) in counts.chunks(k).enumerate() {
            let here: u64 = counts.iter().map(|count| count.0).sum();
            if here == 0 {
                continue;
            }
            before += here;
            self.values.push(least + place as f64);
            self.up_to.push(before);
            let sums = counts.iter().map(|count| i128::from(count.1));
            self.revenue.push(rest[place] + sums.sum::<i128>());
            let pairs = (0_u32..).zip(counts.iter().map(|count| count.0));
            self.tiers.push(pairs.filter(|&(_, n)| 0 < n));
        }
        self
    }

    /// The line of [`packed`] keys.
    fn unpacked(mut self, mut keys: Vec<u64>, decimals: u32) -> Self {
        sort(&mut keys);
        let mut before = 0;
        for equal in keys.chunk_by(|a, b| a >> TIER_BITS == b >> TIER_BITS) {
            let n = equal.len() as u64;
            before += n;
            let units = (equal[0] >> TIER_BITS).cast_signed() - OFFSET;
            self.values.push(from_fixed(units.into(), decimals) + 0.0);
            self.up_to.push(before);
            self.revenue.push(i128::from(units) * i128::from(n));
            let tier = |key: u64| u32::try_from(key & ((1 << TIER_BITS) - 1)).unwrap_or(u32::MAX);
            let tiers = equal.chunk_by(|a, b| a == b);
            self.tiers
                .push(tiers.map(|same| (tier(same[0]), same.len() as u64)));
        }
        self
    }

    fn sorted(mut self, values: &[f64], revenue: &[i64], tiers: &[u32]) -> Self {
        let rows = 0..u32::try_from(values.len()).unwrap_or(u32::MAX);
        let mut order: Vec<(u64, u32)> = rows
            .into_par_iter()
            .map(|row| (sortable(values[row as usize]), row))
            .collect();
        order.par_sort_unstable();
        let mut before = 0;
        let mut found: Vec<(u32, u64)> = Vec::new();
        for equal in order.chunk_by(|a, b| a.0 == b.0) {
            before += equal.len() as u64;
            let first = equal[0].1 as usize;
            self.values.push(values[first] + 0.0);
            self.up_to.push(before);
            let units = equal
                .iter()
                .map(|&(_, row)| i128::from(revenue[row as usize]));
            self.revenue.push(units.sum());
            found.clear();
            for &(_, row) in equal {
                let tier = tiers[row as usize];
                match found.iter_mut().find(|pair| pair.0 == tier) {
                    Some(pair) => pair.1 += 1,
                    None => found.push((tier, 1)),
                }
            }
            found.sort_unstable();
            self.tiers.push(found.iter().copied());
        }
        self
    }

    /// Distinct values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// All customers.
    pub(super) fn customers(&self) -> u64 {
        self.up_to.last().copied().unwrap_or(0)
    }

    /// Customers of the first so many values.
    pub(super) fn before(&self, values: usize) -> u64 {
        values.checked_sub(1).map_or(0, |last| self.up_to[last])
    }

    /// Customers with this value.
    pub(super) fn customers_of(&self, value: usize) -> u64 {
        self.up_to[value] - self.before(value)
    }

    /// Values up to and with a cut point.
    pub(super) fn below(&self, cut: f64) -> usize {
        self.values.partition_point(|&value| value <= cut)
    }
}

/// Sorts millions of numbers, few of whose bits differ, digit by digit from the last on: each digit costs one pass over them.
fn sort(keys: &mut Vec<u64>) {
    const BITS: u32 = 11;
    const FEW: usize = 1 << 16;
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    let first = keys[0];
    let mut differ = keys.iter().fold(0, |differ, key| differ | (key ^ first));
    let mut sorted = vec![0; keys.len()];
    while differ != 0 {
        let shift = differ.trailing_zeros();
        let mask = (1 << BITS) - 1;
        differ &= !u64::checked_shl(mask, shift).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "of 11 bits")]
        let digit = |key: u64| (key >> shift & mask) as usize;
        let mut next = [0; 1 << BITS];
        for &key in &*keys {
            next[digit(key)] += 1;
        }
        let mut before = 0;
        for next in &mut next {
            before += std::mem::replace(next, before);
        }
        for &key in &*keys {
            let place = &mut next[digit(key)];
            sorted[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, &mut sorted);
    }
}

/// Revenue and tier of every customer in one number each, where the value is the revenue: numbers are sorted in half the time
/// that pairs with a row take, and nothing has to be looked up behind them.
fn packed(values: &[f64], customers: &Customers, tiers: &[u32]) -> Option<Vec<u64>> {
    let rows = values.par_iter().zip(&customers.revenue).zip(tiers);
    rows.map(|((&value, &units), &tier)| {
        let is_revenue = from_fixed(units.into(), customers.decimals)
            .total_cmp(&value)
            .is_eq();
        let fits = is_revenue && (1 - OFFSET..OFFSET).contains(&units) && tier < 1 << TIER_BITS;
        fits.then(|| (units + OFFSET).cast_unsigned() << TIER_BITS | u64::from(tier))
    })
    .collect()
}

/// Whether all values are whole numbers; looks at all, which is done faster than to stop at the first that is none.
fn all_whole(values: &[f64]) -> bool {
    let whole = |all: bool, value: &f64| all & (value.trunc().to_bits() == value.to_bits());
    values.iter().fold(true, whole)
}

fn place(value: f64, least: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, from 0 and below COUNTED"
    )]
    let place = (value - least) as usize;
    place
}

/// Bits that sort as the numbers do; 0 and −0 are one number.
fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_a_line_agree() {
        let revenue: Vec<i64> = (0..500).map(|row| row * 7_919 % 101 - 20).collect();
        let values: Vec<f64> = revenue.iter().map(|&units| units as f64).collect();
        let tiers: Vec<u32> = (0..500).map(|row| row % 3).collect();
        let line = || Line {
            feature: Feature::Monetary,
            values: Vec::new(),
            up_to: Vec::new(),
            revenue: Vec::new(),
            tiers: TierCounts::default(),
        };
        let keys = revenue
            .iter()
            .zip(&tiers)
            .map(|(&units, &tier)| (units + OFFSET).cast_unsigned() << TIER_BITS | u64::from(tier));
        let counted = line().counted(&values, (-20.0, 121), &revenue, (&tiers, 3));
        let sorted = line().sorted(&values, &revenue, &tiers);
        let unpacked = line().unpacked(keys.collect(), 0);
        for other in [sorted, unpacked] {
            assert_eq!(counted.values, other.values);
            assert_eq!(counted.up_to, other.up_to);
            assert_eq!(counted.revenue, other.revenue);
            let tiers = |line: &Line| {
                (0..line.len())
                    .map(|value| line.tiers.of(value).to_vec())
                    .collect::<Vec<_>>()
            };
            assert_eq!(tiers(&counted), tiers(&other));
        }
    }

    #[test]
    fn digits_sort_as_numbers_do() {
        let scrambled = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for mask in [u64::MAX, 0xffff, 0xff00_0000_0000_00ff, 1, 0, 0x7ff << 53] {
            for n in [0, 1, 70_000] {
                let mut keys: Vec<u64> = (0..n).map(|at| scrambled(at) & mask | 1 << 40).collect();
                let mut expected = keys.clone();
                expected.sort_unstable();
                sort(&mut keys);
                assert!(keys == expected, "{mask:x} {n}");
            }
        }
    }

    #[test]
    fn sums_beyond_64_bits_are_exact() {
        let line = Line {
            feature: Feature::Frequency,
            values: Vec::new(),
            up_to: Vec::new(),
            revenue: Vec::new(),
            tiers: TierCounts::default(),
        };
        let revenue = [i64::MAX, i64::MAX, 7, i64::MIN];
        let counted = line.counted(
            &[1.0, 1.0, 1.0, 3.0],
            (1.0, 3),
            &revenue,
            (&[0, 0, 1, 0], 2),
        );
        let expected = [2 * i128::from(i64::MAX) + 7, i128::from(i64::MIN)];
        assert_eq!(counted.revenue, expected);
    }
}
