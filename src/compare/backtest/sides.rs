//! Tierings that can be tried: their tiers go from best to worst, as far as T knows.
//!
//! In: tiers, segments or scores at T. Out: [`Ranked`].
//! Invariant: ranks come from scores or from the revenue before T, never from an outcome; no tier is empty.

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::RANDOM;
use crate::compare::Tiering;
use crate::compare::value::Totals;
use crate::rules::Scores;

/// A tiering whose tiers go from best to worst. Row *i* is customer *i*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// What to call it.
    pub name: String,
    /// Names of the tiers, best first.
    pub tiers: Vec<String>,
    /// For each customer an index into `tiers`.
    pub labels: Vec<u32>,
}

impl Ranked {
    /// Takes tiers in an order; those without customers are left out.
    fn in_order(tiering: &Tiering, order: &[usize]) -> Self {
        let sizes = tiering.sizes();
        let order = order.iter().copied().filter(|&tier| 0 < sizes[tier]);
        let order: Vec<usize> = order.collect();
        let mut ranks = vec![0_u32; sizes.len()];
        for (rank, &tier) in (0..).zip(&order) {
            ranks[tier] = rank;
        }
        let labels = tiering.labels.iter();
        Self {
            name: tiering.name.clone(),
            labels: labels.map(|&label| ranks[label as usize]).collect(),
            tiers: order
                .iter()
                .map(|&tier| tiering.names[tier].clone())
                .collect(),
        }
    }

    /// Customers in each tier.
    pub fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.tiers.len()];
        for &label in &self.labels {
            sizes[label as usize] += 1;
        }
        sizes
    }
}

/// Tiers by their mean revenue before T (`past`, for each customer), whatever order they come in: all are judged by revenue,
/// but segments of rules stand in the order in which they match, and clusters in that of `rank-by`.
pub fn by_past(tiering: &Tiering, past: &[i64]) -> Ranked {
    let order = Totals::new(&tiering.labels, past, tiering.names.len()).by_mean();
    Ranked::in_order(tiering, &order)
}

/// A tier for each sum of the scores of R, F and M: with quintiles 15 (best) to 3.
pub fn by_score_sum(name: &str, scores: &Scores) -> Ranked {
    let sums: Vec<usize> = scores
        .recency
        .iter()
        .zip(&scores.frequency)
        .zip(&scores.monetary)
        .map(|((&r, &f), &m)| [r, f, m].map(|score| usize::try_from(score).unwrap_or(0)))
        .map(|scores| scores.iter().sum())
        .collect();
    let most = sums.iter().max().map_or(0, |&most| most + 1);
    let tiering = Tiering {
        name: name.to_owned(),
        names: (0..most).map(|sum| format!("score {sum}")).collect(),
        labels: sums
            .iter()
            .map(|&sum| u32::try_from(sum).unwrap_or(0))
            .collect(),
        ranked: false,
        margins: None,
    };
    let best_first: Vec<usize> = (0..most).rev().collect();
    Ranked::in_order(&tiering, &best_first)
}

/// Customers dealt at random into tiers of the sizes of `like`.
pub fn random(like: &Ranked, seed: u64) -> Ranked {
    let mut labels = Vec::with_capacity(like.labels.len());
    for (tier, size) in (0..).zip(like.sizes()) {
        labels.extend(std::iter::repeat_n(
            tier,
            usize::try_from(size).unwrap_or(0),
        ));
    }
    labels.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    Ranked {
        name: RANDOM.to_owned(),
        tiers: (1..=like.tiers.len())
            .map(|tier| format!("random {tier}"))
            .collect(),
        labels,
    }
}
