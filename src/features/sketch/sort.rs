//! Keys of cells, and how millions of them are sorted.
//!
//! In: blocks of rows with their keys. Out: runs that ascend, one after the other.
//! Invariant: the order is that of the keys, and of the rows of one key as `settle` leaves them, whatever the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::grid::BLOCK;
use crate::load::deal::deal;

/// Runs that are sorted side by side: small enough for the cache of a core.
const RUNS: usize = 256;
/// Keys looked at to find where the runs begin, for each of them.
const LOOKED_AT: usize = 64;

/// Bits of a digit.
const DIGIT: u32 = 11;
/// Items that are not sorted by digits.
const FEW: usize = 1 << DIGIT;

/// A key: the bits of the cell numbers of all features, woven.
pub(super) trait Keyed: Copy + Ord + Send + Sync {
    /// Weaves cell numbers into one key, the highest bits first: keys that begin alike are neighbours, and cutting the
    /// last bit of every feature gives the key of the cell twice as wide (Morton 1966).
    fn weave(cells: &[i64], bits: u32) -> Self;
    /// Bits from the first in which two keys differ to the last.
    fn apart(self, other: Self) -> u8;
    /// [`DIGIT`] bits, of which the last is number `shift`.
    fn digit(self, shift: u32) -> usize;
}

impl Keyed for u64 {
    fn weave(cells: &[i64], bits: u32) -> Self {
        if let [a, b, c] = cells
            && bits == 21
        {
            let place = |cell: &i64| spread(cell.wrapping_add(1 << 20).cast_unsigned());
            return place(a) << 2 | place(b) << 1 | place(c);
        }
        let offset = 1_i64 << (bits - 1);
        let mut key = 0;
        for bit in (0..bits).rev() {
            for cell in cells {
                key = key << 1 | (cell.wrapping_add(offset).cast_unsigned() >> bit & 1);
            }
        }
        key
    }

    fn apart(self, other: Self) -> u8 {
        let bits = Self::BITS - (self ^ other).leading_zeros();
        u8::try_from(bits).unwrap_or(FIRST)
    }

    fn digit(self, shift: u32) -> usize {
        (self >> shift & ((1 << DIGIT) - 1)) as usize
    }
}

impl Keyed for u128 {
    fn weave(cells: &[i64], bits: u32) -> Self {
        let offset = 1_i64 << (bits - 1);
        if let [a, b, c] = cells
            && bits == 42
        {
            let place = |cell: &i64| {
                let cell = cell.wrapping_add(offset).cast_unsigned();
                Self::from(spread(cell >> 21)) << 63 | Self::from(spread(cell))
            };
            return place(a) << 2 | place(b) << 1 | place(c);
        }
        let mut key = 0;
        for bit in (0..bits).rev() {
            for cell in cells {
                let cell = cell.wrapping_add(offset).cast_unsigned();
                key = key << 1 | Self::from(cell >> bit & 1);
            }
        }
        key
    }

    fn apart(self, other: Self) -> u8 {
        let bits = Self::BITS - (self ^ other).leading_zeros();
        u8::try_from(bits).unwrap_or(FIRST)
    }

    fn digit(self, shift: u32) -> usize {
        (self >> shift & ((1 << DIGIT) - 1)) as usize
    }
}

/// Moves bit i to place 3i, for the lower 21 bits, by the usual shifts and masks.
fn spread(cell: u64) -> u64 {
    let mut x = cell & 0x1f_ffff;
    x = (x | x << 32) & 0x001f_0000_0000_ffff;
    x = (x | x << 16) & 0x001f_0000_ff00_00ff;
    x = (x | x << 8) & 0x100f_00f0_0f00_f00f;
    x = (x | x << 4) & 0x10c3_0c30_c30c_30c3;
    (x | x << 2) & 0x1249_2492_4924_9249
}

/// Stands for the bits in which the first of all keys differs from the one before it: more than there are.
pub(super) const FIRST: u8 = u8::MAX;

/// Bits in which each of some ascending keys differs from the one before it; [`FIRST`] for the first.
pub(super) fn apart<K: Keyed>(keys: impl Iterator<Item = K>) -> Vec<u8> {
    let mut last = None;
    let bits = |key: K| last.replace(key).map_or(FIRST, |last| key.apart(last));
    keys.map(bits).collect()
}

/// Rows whose keys ascend.
pub(super) struct Run<K> {
    /// Their numbers.
    pub(super) rows: Vec<u32>,
    /// What [`apart`] says of their keys.
    pub(super) apart: Vec<u8>,
    /// The first and the last key; `None` without rows.
    pub(super) ends: Option<(K, K)>,
}

impl<K: Keyed> Run<K> {
    fn new(items: &[(K, u32)]) -> Self {
        Self {
            rows: items.iter().map(|&(_, row)| row).collect(),
            apart: apart(items.iter().map(|&(key, _)| key)),
            ends: items.first().zip(items.last()).map(|(a, b)| (a.0, b.0)),
        }
    }
}

/// Sorts `n` rows by key: first into runs that do not overlap, then each run, in which `settle` may put rows of one key in another
/// order. `keys` makes the items of some rows, and may leave rows out.
pub(super) fn sorted<K: Keyed>(
    n: usize,
    keys: impl Fn(Range<usize>) -> Vec<(K, u32)> + Sync,
    settle: impl Fn(&mut [(K, u32)]) + Sync,
) -> Vec<Run<K>> {
    let step = (n / (RUNS * LOOKED_AT)).max(1);
    let some = (0..n).into_par_iter().step_by(step).with_min_len(64);
    let some = some.flat_map_iter(|row| keys(row..row + 1));
    let mut looked_at: Vec<K> = some.map(|(key, _)| key).collect();
    looked_at.sort_unstable();
    let firsts: Vec<K> = looked_at
        .iter()
        .copied()
        .step_by(LOOKED_AT)
        .skip(1)
        .collect();
    let blocks = (0..n.div_ceil(BLOCK)).into_par_iter();
    let parted = blocks.map(|block| {
        let rows = block * BLOCK..n.min((block + 1) * BLOCK);
        Parted::new(&keys(rows), &firsts)
    });
    let parted: Vec<Parted<K>> = parted.collect();
    // Runs are put together in rooms that are used again, and keep no keys.
    let run = |[items, room]: &mut [Vec<(K, u32)>; 2], run: usize| {
        items.clear();
        for block in &parted {
            items.extend_from_slice(block.run(run));
        }
        sort(items, room);
        settle(items);
        Run::new(items)
    };
    let runs = (0..=firsts.len()).into_par_iter();
    runs.map_init(|| [Vec::new(), Vec::new()], run).collect()
}

/// Sorts items whose rows ascend, with the help of a `room`: by the first two digits in which keys differ, which tells most of them
/// apart, and then what is left.
fn sort<K: Keyed>(items: &mut Vec<(K, u32)>, room: &mut Vec<(K, u32)>) {
    let (Some(&(first, _)), true) = (items.first(), FEW < items.len()) else {
        items.sort_unstable();
        return;
    };
    let differing = items.iter().map(|&(key, _)| key.apart(first)).max();
    let low = u32::from(differing.unwrap_or(0)).saturating_sub(2 * DIGIT);
    for shift in [low, low + DIGIT] {
        let digit = |row: usize| items[row].0.digit(shift);
        deal(1 << DIGIT, 0..items.len(), digit, |row| items[row], room);
        std::mem::swap(items, room);
    }
    for alike in items.chunk_by_mut(|a, b| u32::from(a.0.apart(b.0)) <= low) {
        alike.sort_unstable();
    }
}

/// A block whose items stand run by run.
struct Parted<K> {
    items: Vec<(K, u32)>,
    /// Where the runs begin; one more entry at the end.
    starts: Vec<usize>,
}

impl<K: Keyed> Parted<K> {
    /// Every run but the first begins with a key of `firsts`.
    fn new(block: &[(K, u32)], firsts: &[K]) -> Self {
        let run = |at: usize| firsts.partition_point(|first| *first <= block[at].0);
        let mut items = Vec::new();
        let rows = 0..block.len();
        let starts = deal(firsts.len() + 1, rows, run, |at| block[at], &mut items);
        Self { items, starts }
    }

    fn run(&self, run: usize) -> &[(K, u32)] {
        &self.items[self.starts[run]..self.starts[run + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_features_are_woven_like_any_number() {
        let cells = [
            [0, 0, 0],
            [1, -1, 5],
            [-70_000, 345_678, -1],
            [(1 << 20) - 1, -(1 << 20), 3],
        ];
        for cell in cells {
            assert_eq!(
                u128::from(u64::weave(&cell, 21)),
                u128::weave(&cell, 21),
                "{cell:?}"
            );
            // A fourth feature that is always 0 takes the slow way; its bits lie between those of the others.
            let [a, b, c] = cell;
            let (fast, slow) = (u128::weave(&[a, b, c], 42), u128::weave(&[a, b, c, 0], 32));
            let bit = |bit: u32, feature: u32| (slow >> (bit * 4 + 3 - feature)) & 1;
            for place in 0..31 {
                for feature in 0..3 {
                    assert_eq!(
                        (fast >> (place * 3 + 2 - feature)) & 1,
                        bit(place, feature),
                        "{cell:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn digits_sort_as_keys_do() {
        let scrambled = |at: u32| u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for mask in [u64::MAX, 0xffff, 0xff00_0000_0000_00ff, 1, 0, 0x7ff << 53] {
            for n in [0, 1, 3_000, 20_000] {
                let key = |row: u32| scrambled(row) & mask;
                let mut items: Vec<(u64, u32)> = (0..n).map(|row| (key(row), row)).collect();
                let mut wide: Vec<(u128, u32)> = (0..n)
                    .map(|row| (u128::from(key(row)) << 40, row))
                    .collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                sort(&mut items, &mut Vec::new());
                sort(&mut wide, &mut Vec::new());
                assert!(items == expected, "{mask:x} {n}");
                let rows = |(a, b): (&(u64, u32), &(u128, u32))| a.1 == b.1;
                assert!(items.iter().zip(&wide).all(rows), "{mask:x} {n}");
            }
        }
    }

    #[test]
    fn runs_are_sorted_like_one() {
        let key = |row: u32| u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
        let all: Vec<(u64, u32)> = (0..50_000).map(|row| (key(row), row)).collect();
        let mut expected = all.clone();
        expected.sort_unstable();
        let found = |runs: Vec<Run<u64>>| {
            let rows: Vec<u32> = runs.iter().flat_map(|run| run.rows.clone()).collect();
            for run in &runs {
                let keys: Vec<u64> = run.rows.iter().map(|&row| key(row)).collect();
                let ends = keys.first().copied().zip(keys.last().copied());
                assert_eq!(run.ends, ends);
                let bits = |at: usize| match at {
                    0 => u32::from(FIRST),
                    at => 64 - (keys[at] ^ keys[at - 1]).leading_zeros(),
                };
                let bits: Vec<u32> = (0..keys.len()).map(bits).collect();
                let apart: Vec<u32> = run.apart.iter().map(|&bits| bits.into()).collect();
                assert_eq!(apart, bits);
            }
            rows
        };
        let rows = |items: &[(u64, u32)]| items.iter().map(|item| item.1).collect::<Vec<_>>();
        let as_they_are = |_: &mut [(u64, u32)]| {};
        let runs = sorted(all.len(), |rows| all[rows].to_vec(), as_they_are);
        assert_eq!(found(runs), rows(&expected));
        let nothing = sorted::<u64>(0, |_| Vec::new(), as_they_are);
        assert!(found(nothing).is_empty());
        // Every third row is left out.
        let some = |rows: Range<usize>| {
            let rows = all[rows].iter().copied();
            rows.filter(|(_, row)| row % 3 != 0).collect()
        };
        expected.retain(|(_, row)| row % 3 != 0);
        let runs = sorted(all.len(), some, as_they_are);
        assert_eq!(found(runs), rows(&expected));
        // Rows of one key backwards.
        let backwards = |run: &mut [(u64, u32)]| {
            let equal = run.chunk_by_mut(|a, b| a.0 == b.0);
            equal.for_each(<[_]>::reverse);
        };
        expected.sort_unstable_by_key(|&(key, row)| (key, std::cmp::Reverse(row)));
        let runs = sorted(all.len(), some, backwards);
        assert_eq!(found(runs), rows(&expected));
    }
}
