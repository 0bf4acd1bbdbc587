//! A fold in sums: by block of customers and tier.
//!
//! In: labels and revenue of every customer. Out: [`Cells`] for each tiering.
//! Invariant: a figure of any resample follows from the sums of its blocks. For rank correlation that needs a step, since
//! ranks are ranks among the customers drawn: their part is written as a sum over customers (Hájek projection), which is
//! exact for the customers as they are and leaves out a term of the order of 1/n in a resample.

use rayon::prelude::*;

use super::Trial;
use super::bootstrap::BLOCKS;

/// The sums of one tiering.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// Tiers.
    pub(super) tiers: usize,
    /// For each block its sums: customers, revenue (units), mid-ranks of own customers, shares that lie above others, each by
    /// tier; last the squared shares of equals.
    pub(super) rows: Vec<f64>,
    /// All customers.
    pub(super) customers: f64,
    /// Sum of the mid-ranks (0 to 1) of the revenue of the customers of each tier.
    pub(super) mid_ranks: Vec<f64>,
    /// What a unit of revenue is in full: folds may count in different ones.
    pub(super) unit: f64,
    /// Σ (share of customers with equal revenue)³ over the distinct revenues.
    pub(super) equals: f64,
}

impl Cells {
    /// Sums in a row.
    pub(super) fn width(tiers: usize) -> usize {
        4 * tiers + 1
    }

    /// Rows with their blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(Self::width(self.tiers))
    }
}

/// Customers by ascending revenue, and where those with equal revenue begin and end.
struct ByRevenue {
    order: Vec<u32>,
    equals: Vec<(usize, usize)>,
}

impl ByRevenue {
    fn new(revenue: &[i64]) -> Self {
        let mut order: Vec<u32> = (0..).take(revenue.len()).collect();
        order.par_sort_unstable_by_key(|&row| (revenue[row as usize], row));
        let mut equals = Vec::new();
        let mut start = 0;
        for group in order.chunk_by(|&a, &b| revenue[a as usize] == revenue[b as usize]) {
            equals.push((start, start + group.len()));
            start += group.len();
        }
        Self { order, equals }
    }
}

/// The block of a customer.
fn block(hash: u64) -> usize {
    usize::try_from(hash % BLOCKS as u64).unwrap_or(0)
}

/// The sums of all tierings of a fold.
pub(super) fn cells(trial: &Trial<'_>) -> Vec<Cells> {
    let sorted = ByRevenue::new(&trial.future.revenue);
    let tierings = trial.tierings.par_iter();
    tierings
        .map(|tiering| of_tiering(trial, &sorted, (tiering.tiers.len(), &tiering.labels)))
        .collect()
}

fn of_tiering(trial: &Trial<'_>, sorted: &ByRevenue, (tiers, labels): (usize, &[u32])) -> Cells {
    let n = labels.len() as f64;
    let width = Cells::width(tiers);
    let mut rows = vec![0.0; BLOCKS * width];
    let mut mid_ranks = vec![0.0; tiers];
    let mut equals = 0.0;
    // Customers of each tier with more revenue than those at hand: from the greatest revenue downwards.
    let mut above = vec![0.0; tiers];
    for &(start, end) in sorted.equals.iter().rev() {
        let group = &sorted.order[start..end];
        let mut equal = vec![0.0; tiers];
        for &row in group {
            equal[labels[row as usize] as usize] += 1.0;
        }
        let shares: Vec<f64> = above
            .iter()
            .zip(&equal)
            .map(|(above, equal)| (above + equal / 2.0) / n)
            .collect();
        let mid_rank = f64::midpoint(start as f64, end as f64) / n;
        let share = group.len() as f64 / n;
        equals += share.powi(3);
        for &customer in group {
            let customer = customer as usize;
            let tier = labels[customer] as usize;
            let sums = &mut rows[block(trial.hashes[customer]) * width..][..width];
            sums[tier] += 1.0;
            sums[tiers + tier] += trial.future.revenue[customer] as f64;
            sums[2 * tiers + tier] += mid_rank;
            for (sum, share) in sums[3 * tiers..].iter_mut().zip(&shares) {
                *sum += share;
            }
            sums[4 * tiers] += share * share;
            mid_ranks[tier] += mid_rank;
        }
        for (above, equal) in above.iter_mut().zip(&equal) {
            *above += equal;
        }
    }
    Cells {
        tiers,
        rows,
        customers: n,
        mid_ranks,
        unit: trial.future.amount(1),
        equals,
    }
}
