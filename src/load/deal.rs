//! Dealing: what belongs together is laid side by side.
//!
//! In: items and the part that each belongs to. Out: the items part by part.
//! Invariant: within a part items stay in their order.

use std::ops::Range;

/// Lays what `item` makes of some rows into `dealt`, those of part 0 first, of `n` parts in all, and tells where each part begins;
/// one more entry at the end. Two passes, whatever the number of parts.
pub(crate) fn deal<T: Copy>(
    n: usize,
    rows: Range<usize>,
    part_of: impl Fn(usize) -> usize,
    item: impl Fn(usize) -> T,
    dealt: &mut Vec<T>,
) -> Vec<usize> {
    let mut starts = vec![0; n + 1];
    if rows.is_empty() {
        dealt.clear();
        return starts;
    }
    let number = |row| u32::try_from(part_of(row)).unwrap_or(u32::MAX);
    let parts: Vec<u32> = rows.clone().map(number).collect();
    for &part in &parts {
        starts[part as usize + 1] += 1;
    }
    for part in 0..n {
        starts[part + 1] += starts[part];
    }
    let mut next = starts.clone();
    // What stands there from the last time is not cleared first: all of it is written over.
    dealt.resize(rows.len(), item(rows.start));
    for (row, &part) in rows.zip(&parts) {
        let place = &mut next[part as usize];
        dealt[*place] = item(row);
        *place += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_in_their_order_within_a_part() {
        let mut dealt = vec![9; 40];
        let starts = deal(4, 10..20, |row| row * 7 % 3, |row| row, &mut dealt);
        assert_eq!(starts, [0, 3, 7, 10, 10]);
        assert_eq!(dealt, [12, 15, 18, 10, 13, 16, 19, 11, 14, 17]);
        assert_eq!(deal(2, 5..5, |_| 0, |row| row, &mut dealt), [0, 0, 0]);
        assert!(dealt.is_empty());
    }
}
