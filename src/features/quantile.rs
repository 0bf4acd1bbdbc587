//! Quantiles of type 7 (Hyndman and Fan 1996; the default of numpy, R and pandas).

use std::ops::Range;

use rayon::prelude::*;

use super::BLOCK;

/// The `level` quantile (0 to 1) of ascending values: linear between the order statistics around (n − 1) · level.
///
/// NaN for no values.
pub fn type7(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let (index, fraction) = place(last, level);
    between(sorted[index], sorted[(index + 1).min(last)], fraction)
}

/// [`type7`] at some levels, of `n` values in any order, which `value` gives: some quantiles cost less than sorting, or than a copy.
pub fn type7_of_any(n: usize, value: impl Fn(usize) -> f64 + Sync, levels: &[f64]) -> Vec<f64> {
    type7_of_groups(n, value, (|_| 0, 1), levels).swap_remove(0)
}

/// The same of the values of each group: value *i* is one of group `group(i)` of `groups`.
///
/// Values are counted by their first bits; then only those are looked at again that begin like a quantile.
pub fn type7_of_groups(
    n: usize,
    value: impl Fn(usize) -> f64 + Sync,
    (group, groups): (impl Fn(usize) -> usize + Sync, usize),
    levels: &[f64],
) -> Vec<Vec<f64>> {
    const MOST_BITS: u32 = 16;
    let pieces = rayon::current_num_threads().clamp(1, n.div_ceil(BLOCK).max(1));
    // All drawers of all pieces together are about as many as there are values, at most.
    let values = (n / (pieces * groups.max(1))).max(1);
    let bits = (values.ilog2() + 1).min(MOST_BITS);
    let drawer = |row: usize| group(row) << bits | first_bits(value(row), bits);
    let pieces: Vec<Range<usize>> = (0..pieces)
        .map(|piece| n * piece / pieces..n * (piece + 1) / pieces)
        .collect();
    let counts = pieces.par_iter().map(|rows| {
        let mut counts = vec![0_usize; groups << bits];
        rows.clone().for_each(|row| counts[drawer(row)] += 1);
        counts
    });
    let counts = counts.reduce(Vec::new, |a, b| summed(a, &b));
    let sought: Vec<Sought> = counts
        .chunks(1 << bits)
        .map(|counts| Sought::new(counts, levels))
        .collect();

    let mut pile_of = vec![usize::MAX; groups << bits];
    let mut piles = 0;
    for (group, sought) in sought.iter().enumerate() {
        for &(drawer, _) in sought.ranks.iter().flatten() {
            let pile = &mut pile_of[group << bits | drawer];
            if *pile == usize::MAX {
                *pile = piles;
                piles += 1;
            }
        }
    }
    let gathered = pieces.par_iter().map(|rows| {
        let mut gathered = vec![Pile::default(); piles];
        for row in rows.clone() {
            if let Some(pile) = gathered.get_mut(pile_of[drawer(row)]) {
                pile.add(value(row), 1);
            }
        }
        gathered
    });
    let mut gathered: Vec<Pile> = gathered.reduce(Vec::new, |mut all, more| {
        if all.is_empty() {
            return more;
        }
        for (all, more) in all.iter_mut().zip(more) {
            all.add(more.value, more.copies);
            more.others.iter().for_each(|&value| all.add(value, 1));
        }
        all
    });
    let of_group = |(group, sought): (usize, &Sought)| {
        let mut at =
            |(drawer, rank): (usize, usize)| gathered[pile_of[group << bits | drawer]].at(rank);
        let both = sought.ranks.iter().zip(&sought.fractions);
        let quantiles = both.map(|(&[low, high], &fraction)| between(at(low), at(high), fraction));
        if sought.ranks.is_empty() {
            return vec![f64::NAN; levels.len()];
        }
        quantiles.collect()
    };
    sought.iter().enumerate().map(of_group).collect()
}

/// The first bits of a number, so that they ascend as the numbers do (as [`f64::total_cmp`] has it).
#[expect(clippy::cast_possible_truncation, reason = "a few bits are left")]
fn first_bits(value: f64, bits: u32) -> usize {
    let own = value.to_bits();
    let ascending = if own >> 63 == 0 { own | 1 << 63 } else { !own };
    (ascending >> (u64::BITS - bits)) as usize
}

fn summed(mut all: Vec<usize>, more: &[usize]) -> Vec<usize> {
    if all.is_empty() {
        return more.to_vec();
    }
    for (all, more) in all.iter_mut().zip(more) {
        *all += more;
    }
    all
}

/// What quantiles of a group lie between.
struct Sought {
    /// For each level two order statistics: the drawer that each lies in, and its rank there. None for no values.
    ranks: Vec<[(usize, usize); 2]>,
    /// For each level the way from the first to the second.
    fractions: Vec<f64>,
}

impl Sought {
    fn new(counts: &[usize], levels: &[f64]) -> Self {
        let Some(last) = counts.iter().sum::<usize>().checked_sub(1) else {
            return Self {
                ranks: Vec::new(),
                fractions: Vec::new(),
            };
        };
        let find = |mut rank: usize| {
            let mut drawer = 0;
            while counts[drawer] <= rank {
                rank -= counts[drawer];
                drawer += 1;
            }
            (drawer, rank)
        };
        let places = levels.iter().map(|&level| place(last, level));
        let ranks = |(index, fraction): (usize, f64)| {
            let next = if 0.0 < fraction { index + 1 } else { index };
            ([find(index), find(next.min(last))], fraction)
        };
        let (ranks, fractions) = places.map(ranks).unzip();
        Self { ranks, fractions }
    }
}

/// Values that begin alike; often most of them are the same.
#[derive(Clone, Default)]
struct Pile {
    value: f64,
    copies: usize,
    others: Vec<f64>,
}

impl Pile {
    fn add(&mut self, value: f64, copies: usize) {
        if self.copies == 0 {
            self.value = value;
        }
        if self.value.to_bits() == value.to_bits() {
            self.copies += copies;
        } else {
            self.others.extend(std::iter::repeat_n(value, copies));
        }
    }

    /// The value of a rank.
    fn at(&mut self, rank: usize) -> f64 {
        let is_below = |other: &&f64| other.total_cmp(&self.value).is_lt();
        let below = self.others.iter().filter(is_below).count();
        if (below..below + self.copies).contains(&rank) {
            return self.value;
        }
        let rank = if rank < below {
            rank
        } else {
            rank - self.copies
        };
        *self.others.select_nth_unstable_by(rank, f64::total_cmp).1
    }
}

/// The order statistic below a level, and how far the level is on the way to the next.
fn place(last: usize, level: f64) -> (usize, f64) {
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number from 0 to the last index"
    )]
    let index = (below as usize).min(last);
    (index, place - below)
}

/// numpy's form of the interpolation: it is exact at both ends, and monotone.
fn between(low: f64, high: f64, fraction: f64) -> f64 {
    let step = high - low;
    if fraction < 0.5 {
        low + step * fraction
    } else {
        high - step * (1.0 - fraction)
    }
}

/// The quantile at level `step` / `steps`. Counted in whole numbers: a level such as 24/39 times 39 is not always 24, and
/// a quantile that misses its value by a rounding is another value.
pub fn type7_step(sorted: &[f64], step: usize, steps: usize) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let (index, rest) = (step * last / steps, step * last % steps);
    let low = sorted[index.min(last)];
    let high = sorted[(index + 1).min(last)];
    low + (high - low) * (rest as f64 / steps as f64)
}

/// The median of ascending values.
pub fn median(sorted: &[f64]) -> f64 {
    type7(sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (level, expected) in [(0.0, 1.0), (0.2, 1.8), (0.5, 4.0), (0.9, 12.8), (1.0, 16.0)] {
            assert!((type7(&sorted, level) - expected).abs() < 1e-12, "{level}");
        }
        assert!(type7(&[], 0.5).is_nan());
    }

    /// Ties, both zeros, and values that begin alike.
    fn some_values(n: u32) -> Vec<f64> {
        let value = |at: u32| match at % 4 {
            0 => f64::from(at * 37 % 11) * -0.5,
            1 => 1.0 + f64::from(at * 7_919 % 1_009) * 1e-9,
            _ => f64::from(at * 37 % 11) * 1.25,
        };
        (0..n).map(value).collect()
    }

    fn expected(values: &[f64], levels: &[f64]) -> Vec<u64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let of = |&level: &f64| type7(&sorted, level).to_bits();
        levels.iter().map(of).collect()
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn values_in_any_order_have_the_same_quantiles() {
        let levels = [0.0, 0.2, 0.5, 0.25, 0.5, 0.83, 1.0];
        for n in (1..60).chain([20_000, 40_001]) {
            let values = some_values(n);
            let found = type7_of_any(values.len(), |at| values[at], &levels);
            assert_eq!(bits(&found), expected(&values, &levels), "{n}");
        }
        assert!(type7_of_any(0, |_| 0.0, &[0.5])[0].is_nan());
    }

    #[test]
    fn every_group_has_the_quantiles_of_its_values() {
        let levels = [0.1, 0.5, 0.9];
        let values = some_values(30_000);
        // Group 2 has nobody, group 3 one value.
        let group = |at: usize| match at {
            777 => 3,
            at => at % 7 / 4,
        };
        let found = type7_of_groups(values.len(), |at| values[at], (group, 4), &levels);
        assert_eq!(found.len(), 4);
        for (which, found) in found.iter().enumerate() {
            let rows = (0..values.len()).filter(|&at| group(at) == which);
            let own: Vec<f64> = rows.map(|at| values[at]).collect();
            if own.is_empty() {
                assert!(found.len() == 3 && found.iter().all(|value| value.is_nan()));
            } else {
                assert_eq!(bits(found), expected(&own, &levels), "{which}");
            }
        }
    }
}
