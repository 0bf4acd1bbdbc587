//! Where tiers that were found in all dimensions together divide one of them.
//!
//! In: values with their customers by tier. Out: a cut point between each two neighbouring tiers.
//! Invariant: between two tiers lie as few of their customers on the wrong side as any value allows, as long as cut points
//! ascend; where they would not, those are taken that together have the fewest.

use super::line::TierCounts;

/// Values beyond which crossing cut points are looked for among bins.
pub(super) const MOST_CROSSING: usize = 1 << 20;

/// Tiers along a dimension, the one with the least mean first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    /// Index of each tier.
    pub tiers: Vec<u32>,
    /// Place of each tier in `tiers`; none for one without customers.
    places: Vec<Option<usize>>,
}

impl Order {
    /// Orders the tiers, 0 to `k` − 1, by their mean; of two with equal means the worse one comes first.
    pub(super) fn of(means: &[f64], counts: &TierCounts, k: usize) -> Self {
        let (mut sums, mut sizes) = (vec![0.0; k], vec![0_u64; k]);
        for (value, mean) in means.iter().enumerate() {
            for &(tier, n) in counts.of(value) {
                sums[tier as usize] += mean * n as f64;
                sizes[tier as usize] += n;
            }
        }
        let mean = |tier: u32| sums[tier as usize] / sizes[tier as usize] as f64;
        let all = 0..u32::try_from(k).unwrap_or(u32::MAX);
        let mut tiers: Vec<u32> = all.filter(|&tier| 0 < sizes[tier as usize]).collect();
        tiers.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(b.cmp(&a)));
        let mut places = vec![None; k];
        for (place, &tier) in tiers.iter().enumerate() {
            places[tier as usize] = Some(place);
        }
        Self { tiers, places }
    }
}

/// The value that each cut point is, by index, and the customers of its two tiers on the wrong side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Division {
    pub at: Vec<usize>,
    pub wrong: Vec<u64>,
}

/// Cuts; none where the best cuts cross and there are too many values to look at all of them.
pub(super) fn divide(counts: &TierCounts, values: usize, order: &Order) -> Option<Division> {
    let cuts = order.tiers.len().saturating_sub(1);
    if values < 2 {
        return None;
    }
    let alone = alone(counts, values, order);
    if alone.at.is_sorted() {
        return Some(alone);
    }
    (values * cuts <= 4 * MOST_CROSSING).then(|| together(counts, values, order))
}

/// Customers on the wrong side of each cut while the place of the cut moves up.
struct Sweep<'a> {
    counts: &'a TierCounts,
    order: &'a Order,
    /// For each cut, the lower tier's customers above and the upper tier's below.
    wrong: Vec<i64>,
}

impl<'a> Sweep<'a> {
    fn new(counts: &'a TierCounts, values: usize, order: &'a Order) -> Self {
        let mut sizes = vec![0_i64; order.tiers.len()];
        for value in 0..values {
            for &(tier, n) in counts.of(value) {
                if let Some(place) = order.places[tier as usize] {
                    sizes[place] += n.cast_signed();
                }
            }
        }
        sizes.pop();
        Self {
            counts,
            order,
            wrong: sizes,
        }
    }

    /// Moves all cuts behind a value.
    fn pass(&mut self, value: usize) {
        for &(tier, n) in self.counts.of(value) {
            let Some(place) = self.order.places[tier as usize] else {
                continue;
            };
            if let Some(wrong) = self.wrong.get_mut(place) {
                *wrong -= n.cast_signed();
            }
            if let Some(wrong) = place.checked_sub(1).and_then(|cut| self.wrong.get_mut(cut)) {
                *wrong += n.cast_signed();
            }
        }
    }
}

/// The best place of each cut, whatever the others are.
fn alone(counts: &TierCounts, values: usize, order: &Order) -> Division {
    let mut sweep = Sweep::new(counts, values, order);
    let mut best: Vec<(i64, usize)> = vec![(i64::MAX, 0); sweep.wrong.len()];
    // Behind the last value lies nobody.
    for value in 0..values - 1 {
        sweep.pass(value);
        for (best, &wrong) in best.iter_mut().zip(&sweep.wrong) {
            if wrong < best.0 {
                *best = (wrong, value);
            }
        }
    }
    Division {
        at: best.iter().map(|&(_, at)| at).collect(),
        wrong: best
            .iter()
            .map(|&(wrong, _)| wrong.unsigned_abs())
            .collect(),
    }
}

/// The best places of all cuts that do not cross.
fn together(counts: &TierCounts, values: usize, order: &Order) -> Division {
    let mut sweep = Sweep::new(counts, values, order);
    let cuts = sweep.wrong.len();
    // For each cut, the least sum of it and those before it up to here, and where it is then.
    let mut sums = vec![i64::MAX; cuts];
    let mut at: Vec<Vec<usize>> = vec![Vec::with_capacity(values); cuts];
    let mut costs: Vec<Vec<i64>> = vec![Vec::with_capacity(values); cuts];
    for value in 0..values - 1 {
        sweep.pass(value);
        let mut before = 0;
        for cut in 0..cuts {
            let sum = before + sweep.wrong[cut];
            let last = at[cut].last().copied().unwrap_or(value);
            let place = if sum < sums[cut] {
                sums[cut] = sum;
                value
            } else {
                last
            };
            at[cut].push(place);
            costs[cut].push(sweep.wrong[cut]);
            before = sums[cut];
        }
    }
    let mut places = vec![0; cuts];
    let mut until = values - 2;
    for cut in (0..cuts).rev() {
        until = at[cut][until];
        places[cut] = until;
    }
    let wrong = places
        .iter()
        .zip(&costs)
        .map(|(&at, costs)| costs[at].unsigned_abs());
    Division {
        wrong: wrong.collect(),
        at: places,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[&[(u32, u64)]]) -> TierCounts {
        let mut counts = TierCounts::default();
        for pairs in of {
            counts.push(pairs.iter().copied());
        }
        counts
    }

    #[test]
    fn between_two_tiers_the_fewest_are_on_the_wrong_side() {
        // Tier 1 is low, tier 0 high; one customer of each has strayed.
        let counts = counts(&[&[(1, 5)], &[(0, 1), (1, 3)], &[(1, 1), (0, 4)], &[(0, 9)]]);
        let order = Order::of(&[1.0, 2.0, 3.0, 4.0], &counts, 2);
        assert_eq!(order.tiers, [1, 0]);
        let found = divide(&counts, 4, &order).unwrap();
        assert_eq!((found.at, found.wrong), (vec![1], vec![2]));
    }

    #[test]
    fn cut_points_that_would_cross_are_found_together() {
        // Tier 1 spans the others: alone, its cut against tier 0 lies above that against tier 2.
        let counts = counts(&[
            &[(0, 10), (1, 30)],
            &[(2, 1)],
            &[(0, 26)],
            &[(1, 41), (2, 20)],
            &[(0, 0), (2, 22)],
        ]);
        let means = [1.0, 2.0, 3.0, 4.0, 5.0];
        let order = Order::of(&means, &counts, 3);
        let found = divide(&counts, 5, &order).unwrap();
        assert!(found.at.is_sorted(), "{found:?}");
        // Every pair of places, the long way round.
        let wrong = |cut: usize, at: usize| -> u64 {
            let (low, high) = (order.tiers[cut], order.tiers[cut + 1]);
            (0..5)
                .flat_map(|value| {
                    counts
                        .of(value)
                        .iter()
                        .map(move |&(tier, n)| (value, tier, n))
                })
                .filter(|&(value, tier, _)| {
                    (tier == low && at < value) || (tier == high && value <= at)
                })
                .map(|(_, _, n)| n)
                .sum()
        };
        let mut least = u64::MAX;
        for first in 0..4 {
            for second in first..4 {
                least = least.min(wrong(0, first) + wrong(1, second));
            }
        }
        assert_eq!(found.wrong.iter().sum::<u64>(), least);
        assert_eq!(wrong(0, found.at[0]), found.wrong[0]);
    }
}
