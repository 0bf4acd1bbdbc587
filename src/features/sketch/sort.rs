//! Keys of cells, and how millions of them are sorted.
//!
//! In: blocks of rows with their keys. Out: runs that ascend, one after the other.
//! Invariant: the order is that of key and row, whatever the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::grid::BLOCK;
use crate::load::deal::deal;

/// Runs that are sorted side by side: small enough for the cache of a core.
const RUNS: usize = 64;
/// Keys looked at to find where the runs begin, for each of them.
const LOOKED_AT: usize = 64;

/// A key: the bits of the cell numbers of all features, woven.
pub(super) trait Keyed: Copy + Ord + Send + Sync {
    /// Weaves cell numbers into one key, the highest bits first: keys that begin alike are neighbours, and cutting the
    /// last bit of every feature gives the key of the cell twice as wide (Morton 1966).
    fn weave(cells: &[i64], bits: u32) -> Self;
    /// The key without its last bits.
    fn without(self, bits: u32) -> Self;
    /// Bits from the first in which two keys differ to the last.
    fn differing_bits(self, other: Self) -> u32;
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

    fn without(self, bits: u32) -> Self {
        self.checked_shr(bits).unwrap_or(0)
    }

    fn differing_bits(self, other: Self) -> u32 {
        Self::BITS - (self ^ other).leading_zeros()
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

    fn without(self, bits: u32) -> Self {
        self.checked_shr(bits).unwrap_or(0)
    }

    fn differing_bits(self, other: Self) -> u32 {
        Self::BITS - (self ^ other).leading_zeros()
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

/// Sorts `n` rows by key: first into runs that do not overlap, then each run. `keys` makes the items of some rows, and may leave
/// rows out.
pub(super) fn sorted<K: Keyed>(
    n: usize,
    keys: impl Fn(Range<usize>) -> Vec<(K, u32)> + Sync,
) -> Vec<Vec<(K, u32)>> {
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
    (0..=firsts.len())
        .into_par_iter()
        .map(|run| {
            let parts = || parted.iter().map(|block| block.run(run));
            let mut all = Vec::with_capacity(parts().map(<[_]>::len).sum());
            for part in parts() {
                all.extend_from_slice(part);
            }
            all.sort_unstable();
            all
        })
        .collect()
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
    fn runs_are_sorted_like_one() {
        let key = |row: u32| u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
        let all: Vec<(u64, u32)> = (0..50_000).map(|row| (key(row), row)).collect();
        let mut expected = all.clone();
        expected.sort_unstable();
        assert_eq!(
            sorted(all.len(), |rows| all[rows].to_vec()).concat(),
            expected
        );
        assert!(sorted::<u64>(0, |_| Vec::new()).concat().is_empty());
        // Every third row is left out.
        let some = |rows: Range<usize>| {
            let rows = all[rows].iter().copied();
            rows.filter(|(_, row)| row % 3 != 0).collect()
        };
        expected.retain(|(_, row)| row % 3 != 0);
        assert_eq!(sorted(all.len(), some).concat(), expected);
    }
}
