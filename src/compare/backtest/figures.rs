//! How well tiers at T told what came after.
//!
//! In: sums by tier, of the customers as they are or of a resample. Out: [`Figures`].
//! Invariant: a figure does not change when all sums are multiplied by one number; tiers are taken in the order that they
//! had at T.

use serde::Serialize;

use super::cells::Cells;
use crate::compare::value::{CAPTURED, capture, gini};

/// What a tiering is measured by. Each is greater for a better tiering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// As in [`Figures`].
    Lift,
    /// As in [`Figures`].
    Gini,
    /// As in [`Figures`].
    TopCapture,
    /// As in [`Figures`].
    #[serde(rename = "capture_20")]
    Capture20,
    /// As in [`Figures`].
    RankCorrelation,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Lift,
        Self::Gini,
        Self::TopCapture,
        Self::Capture20,
        Self::RankCorrelation,
    ];
}

/// How well a tiering told what came after; null where that is not defined, such as a share of nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Future revenue per customer of the best tier over that of all customers; 1 as by chance.
    pub lift: Option<f64>,
    /// Gini coefficient of the future revenue over tiers, taken from the worst to the best as ranked at T: 0 as by chance,
    /// below 0 where the ranks are the wrong way round. Tiers that are many can explain more.
    pub gini: Option<f64>,
    /// Share of the future revenue in the best tier. A large tier captures much: `capture_20` compares alike.
    pub top_capture: Option<f64>,
    /// Share of the future revenue of the best fifth of the customers, tiers taken from the best; of a tier that is only
    /// needed in part, that part.
    pub capture_20: Option<f64>,
    /// Spearman's coefficient between tier (the best is the greatest) and future revenue of each customer, ranks of equals
    /// averaged: −1 to 1, 0 as by chance.
    pub rank_correlation: Option<f64>,
}

impl Figures {
    /// One of them.
    pub fn get(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::Lift => self.lift,
            Measure::Gini => self.gini,
            Measure::TopCapture => self.top_capture,
            Measure::Capture20 => self.capture_20,
            Measure::RankCorrelation => self.rank_correlation,
        }
    }
}

/// What one fold gives to the figures of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    customers: f64,
    revenue: f64,
    top_customers: f64,
    top_revenue: f64,
    gini: Option<f64>,
    capture_20: Option<f64>,
    rank_correlation: Option<f64>,
}

impl Part {
    /// From the weighted sums of the blocks of a tiering.
    pub(super) fn new(cells: &Cells, sums: &[f64]) -> Self {
        let (customers, rest) = sums.split_at(cells.tiers);
        let revenue = &rest[..cells.tiers];
        let curve = lorenz(customers, revenue);
        let first = |sums: &[f64]| sums.first().copied().unwrap_or(0.0);
        Self {
            customers: customers.iter().sum(),
            revenue: revenue.iter().sum::<f64>() * cells.unit,
            top_customers: first(customers),
            top_revenue: first(revenue) * cells.unit,
            gini: curve.as_deref().map(gini),
            capture_20: curve.as_deref().map(|curve| capture(curve, CAPTURED)),
            rank_correlation: spearman(cells, sums),
        }
    }
}

/// The figures of the customers of all folds together.
pub(super) fn pooled(parts: &[Part]) -> Figures {
    let sum = |of: fn(&Part) -> f64| parts.iter().map(of).sum::<f64>();
    let (customers, revenue) = (sum(|part| part.customers), sum(|part| part.revenue));
    let (top_customers, top_revenue) =
        (sum(|part| part.top_customers), sum(|part| part.top_revenue));
    // One fold stays what it is to the last bit.
    let mean = |of: fn(&Part) -> Option<f64>, weight: fn(&Part) -> f64| {
        if let [part] = parts {
            return of(part);
        }
        let weighted = parts.iter().map(|part| of(part).map(|x| x * weight(part)));
        let weighted: Option<Vec<f64>> = weighted.collect();
        let all = sum(weight);
        weighted
            .filter(|_| 0.0 < all)
            .map(|weighted| weighted.iter().sum::<f64>() / all)
    };
    let known = 0.0 < revenue;
    Figures {
        lift: (known && 0.0 < top_customers)
            .then(|| (top_revenue / top_customers) / (revenue / customers)),
        gini: mean(|part| part.gini, |part| part.revenue),
        top_capture: known.then(|| top_revenue / revenue),
        capture_20: mean(|part| part.capture_20, |part| part.revenue),
        rank_correlation: mean(|part| part.rank_correlation, |part| part.customers),
    }
}

/// Points (share of customers, share of revenue) from the last tier to the first. `None` where the revenue is not above 0.
fn lorenz(customers: &[f64], revenue: &[f64]) -> Option<Vec<[f64; 2]>> {
    let all: f64 = customers.iter().rev().sum();
    let whole: f64 = revenue.iter().rev().sum();
    if whole <= 0.0 {
        return None;
    }
    let (mut so_far, mut earned) = (0.0, 0.0);
    let mut curve = vec![[0.0, 0.0]];
    for (customers, revenue) in customers.iter().zip(revenue).rev() {
        so_far += customers;
        earned += revenue;
        curve.push([so_far / all, earned / whole]);
    }
    Some(curve)
}

/// Spearman's coefficient: Pearson's of the mid-ranks. With ranks from 0 to 1 both means are 1/2, and a variance is
/// (1 − Σ share³) / 12 over the shares of equals (Kendall 1945).
fn spearman(cells: &Cells, sums: &[f64]) -> Option<f64> {
    let (n, tiers) = (cells.customers, cells.tiers);
    let customers = &sums[..tiers];
    let drawn: f64 = customers.iter().sum();
    if drawn <= 0.0 {
        return None;
    }
    // As many customers as there are: then a weight is 1 on average.
    let scale = n / drawn;
    let (mut better, mut product, mut in_one_tier) = (0.0, 0.0, 0.0);
    for tier in 0..tiers {
        let share = customers[tier] / drawn;
        let mid_rank = 1.0 - better - share / 2.0;
        let own = sums[2 * tiers + tier];
        let above_others = sums[3 * tiers + tier];
        let of_revenue = scale * (own + above_others) - cells.mid_ranks[tier];
        product += mid_rank * of_revenue / n;
        in_one_tier += share.powi(3);
        better += share;
    }
    let equals = 3.0 * scale * sums[4 * tiers] / n - 2.0 * cells.equals;
    let spread = (1.0 - in_one_tier) * (1.0 - equals);
    // A share of 1 leaves a rounding.
    (1e-12 < spread).then(|| (12.0 * (product - 0.25) / spread.sqrt()).clamp(-1.0, 1.0))
}
