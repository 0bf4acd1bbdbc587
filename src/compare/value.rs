//! What a tiering is worth: how far apart its tiers are in money, in R, F and M, and in the feature space.
//!
//! In: labels, and an outcome for every customer: the amounts so far, or those of a later time. Out: [`Value`].
//! Invariant: the outcome is added in whole units, so its order does not matter; nothing here knows where labels come from.

use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::agreement::entropy;
use super::{Space, Tiering};
use crate::cluster::{Effort, silhouette_of_labels};
use crate::config::Feature;
use crate::load::{Customers, from_fixed};

/// The quantities of which the share between tiers is told.
pub(super) const QUANTITIES: [Feature; 3] =
    [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];
/// Share of the customers of which the capture is told for every tiering alike.
pub(super) const CAPTURED: f64 = 0.2;

/// Customers and outcome of each tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Customers.
    pub sizes: Vec<u64>,
    /// Their outcome, in whole units.
    pub outcomes: Vec<i128>,
}

impl Totals {
    /// Adds up an outcome over the customers of each of `tiers` tiers.
    pub fn new(labels: &[u32], outcome: &[i64], tiers: usize) -> Self {
        let mut totals = Self {
            sizes: vec![0; tiers],
            outcomes: vec![0; tiers],
        };
        for (&label, &units) in labels.iter().zip(outcome) {
            totals.sizes[label as usize] += 1;
            totals.outcomes[label as usize] += i128::from(units);
        }
        totals
    }

    /// Tiers with customers, the one with the greatest mean outcome first; of two alike the first.
    pub fn by_mean(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.sizes.len())
            .filter(|&tier| 0 < self.sizes[tier])
            .collect();
        // Crosswise instead of divided: whole numbers are exact.
        let against = |a: usize, b: usize| self.outcomes[a] * i128::from(self.sizes[b]);
        order.sort_by(|&a, &b| against(b, a).cmp(&against(a, b)));
        order
    }

    /// The Lorenz curve of tiers in an order, best first: points (share of customers, share of outcome), from the last tier
    /// to the first; from (0, 0) to (1, 1). `None` where the whole outcome is not above 0.
    pub fn lorenz(&self, order: &[usize]) -> Option<Vec<[f64; 2]>> {
        let all: u64 = order.iter().map(|&tier| self.sizes[tier]).sum();
        let whole: i128 = order.iter().map(|&tier| self.outcomes[tier]).sum();
        if whole <= 0 {
            return None;
        }
        let (mut customers, mut outcome) = (0_u64, 0_i128);
        let mut curve = vec![[0.0, 0.0]];
        for &tier in order.iter().rev() {
            customers += self.sizes[tier];
            outcome += self.outcomes[tier];
            curve.push([customers as f64 / all as f64, outcome as f64 / whole as f64]);
        }
        Some(curve)
    }
}

/// Gini coefficient of a Lorenz curve: 1 − Σ (xᵢ − xᵢ₋₁)(yᵢ + yᵢ₋₁), twice the area between the curve and the diagonal
/// (Gastwirth 1972, grouped data: a lower bound of the coefficient of single customers). In an order other than that of
/// the means it may be below 0.
pub fn gini(curve: &[[f64; 2]]) -> f64 {
    let trapezoid = |pair: &[[f64; 2]]| (pair[1][0] - pair[0][0]) * (pair[1][1] + pair[0][1]);
    1.0 - curve.windows(2).map(trapezoid).sum::<f64>()
}

/// The share of the outcome that a share of the customers holds, taken from the first tier on; a tier that is only needed
/// in part gives in proportion.
pub fn capture(curve: &[[f64; 2]], share: f64) -> f64 {
    let from = 1.0 - share;
    let pair = curve.windows(2).find(|pair| from <= pair[1][0]);
    let Some(&[low, high]) = pair.and_then(|pair| pair.first_chunk::<2>()) else {
        return 0.0;
    };
    let along = (from - low[0]) / (high[0] - low[0]);
    1.0 - (low[1] + along * (high[1] - low[1]))
}

/// Gini coefficient of an outcome over single customers: Σ (2i − n − 1) xᵢ / (n Σ xᵢ), x ascending. `None` where the whole
/// is not above 0.
pub fn gini_of_each(outcome: &[i64]) -> Option<f64> {
    let n = outcome.len() as i128;
    let whole: i128 = outcome.iter().map(|&units| i128::from(units)).sum();
    if whole <= 0 {
        return None;
    }
    let mut sorted = outcome.to_vec();
    sorted.par_sort_unstable();
    let weighted: i128 = (1..)
        .zip(&sorted)
        .map(|(i, &units): (i128, _)| (2 * i - n - 1) * i128::from(units))
        .sum();
    Some(weighted as f64 / (n as f64 * whole as f64))
}

/// Share of the variance of a quantity that lies between tiers (η², Pearson 1911; Fisher's correlation ratio squared):
/// Σ nₜ (meanₜ − mean)² / Σ (x − mean)². `None` for a constant.
pub fn eta_squared(labels: &[u32], values: &[f64]) -> Option<f64> {
    Spread::of(values.len(), |row| values[row]).between(labels, |row| values[row])
}

/// Mean of a quantity, and sum of squares around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    mean: f64,
    total: f64,
}

impl Spread {
    /// Of the rows 0 to `n`, in their order.
    pub(super) fn of(n: usize, value: impl Fn(usize) -> f64) -> Self {
        let mean = (0..n).map(&value).sum::<f64>() / n as f64;
        let square = |row: usize| (value(row) - mean) * (value(row) - mean);
        Self {
            mean,
            total: (0..n).map(square).sum(),
        }
    }

    /// Population deviation over `n` rows.
    pub(super) fn deviation(self, n: usize) -> f64 {
        (self.total / n as f64).sqrt()
    }

    /// The share of it that lies between tiers; `None` for a constant.
    fn between(self, labels: &[u32], value: impl Fn(usize) -> f64) -> Option<f64> {
        let tiers = labels.iter().max().map_or(0, |&label| label as usize + 1);
        let mut sums = vec![(0.0, 0.0); tiers];
        for (row, &label) in labels.iter().enumerate() {
            let (n, sum) = &mut sums[label as usize];
            *n += 1.0;
            // From the mean on, so that a large mean takes no digits away.
            *sum += value(row) - self.mean;
        }
        let between: f64 = sums
            .iter()
            .filter(|(n, _)| 0.0 < *n)
            .map(|(n, sum)| sum * sum / n)
            .sum();
        (0.0 < self.total).then(|| (between / self.total).min(1.0))
    }
}

/// Entropy of tier sizes over that of as many equal ones: 1 all alike, 0 one tier holds all. `None` with fewer than two.
pub fn balance(sizes: &[u64]) -> Option<f64> {
    let n: u64 = sizes.iter().sum();
    let tiers = sizes.iter().filter(|&&size| 0 < size).count();
    (1 < tiers).then(|| (entropy(sizes, n) / (tiers as f64).ln()).min(1.0))
}

/// A tier with its share of customers and revenue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierValue {
    /// Its name.
    pub name: String,
    /// Customers.
    pub customers: u64,
    /// Their share of all.
    pub customer_share: f64,
    /// Their total amount.
    pub revenue: f64,
    /// Its share of all; null where the whole is not above 0.
    pub revenue_share: Option<f64>,
    /// Amount per customer.
    pub revenue_per_customer: f64,
}

/// How well a tiering tells customers apart, in figures that random tiers have, too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Gini coefficient of the amounts between tiers; null where the whole is not above 0.
    pub gini: Option<f64>,
    /// Share of the customers in the best tier: the first where the source ranks, else the one with the greatest mean amount.
    pub top_share: f64,
    /// Its share of the amounts.
    pub top_capture: Option<f64>,
    /// Share of the amounts of the best fifth of the customers, tiers taken by their mean amount.
    pub capture_20: Option<f64>,
    /// Share of the variance of recency, frequency and monetary between tiers, in original units; null for a constant.
    pub eta2: Map<String, Json>,
    /// The same of each feature in the feature space.
    pub eta2_scaled: Map<String, Json>,
    /// Mean silhouette in the feature space; null with fewer than two tiers.
    pub silhouette: Option<f64>,
    /// Normalised entropy of the sizes; null with fewer than two tiers.
    pub balance: Option<f64>,
}

/// What a tiering is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Whether the silhouette is that of all pairs of customers.
    pub silhouette_exact: bool,
    /// Where it is not: two standard errors; null where it is exact, or not known.
    pub silhouette_error: Option<f64>,
    /// Name of the best tier.
    pub top_tier: String,
    /// Points (share of customers, share of amounts) from the poorest tier to the richest.
    pub lorenz: Option<Vec<[f64; 2]>>,
    /// Tiers with customers, the greatest mean amount first.
    pub tiers: Vec<TierValue>,
    /// The best tier, an index into the names.
    #[serde(skip)]
    pub top: usize,
}

/// Measures a tiering on the amounts of the customers.
pub(super) fn measure(space: &Space<'_>, tiering: &Tiering, effort: Effort) -> Value {
    let customers = space.customers;
    let totals = Totals::new(&tiering.labels, &customers.revenue, tiering.names.len());
    let order = totals.by_mean();
    let lorenz = totals.lorenz(&order);
    let ranked = (0..tiering.names.len()).find(|&tier| tiering.ranked && 0 < totals.sizes[tier]);
    let top = ranked.or(order.first().copied()).unwrap_or(0);
    let all = customers.len() as f64;
    let whole: i128 = totals.outcomes.iter().sum();
    let share = |tier: usize| (0 < whole).then(|| totals.outcomes[tier] as f64 / whole as f64);
    let tier = |&tier: &usize| {
        let revenue = from_fixed(totals.outcomes[tier], customers.decimals);
        TierValue {
            name: tiering.names[tier].clone(),
            customers: totals.sizes[tier],
            customer_share: totals.sizes[tier] as f64 / all,
            revenue,
            revenue_share: share(tier),
            revenue_per_customer: revenue / totals.sizes[tier] as f64,
        }
    };
    let (eta2, eta2_scaled) = eta2(space, &tiering.labels);
    let silhouette = silhouette_of_labels(&space.sketched, &tiering.labels, effort);
    Value {
        figures: Figures {
            gini: lorenz.as_deref().map(gini),
            top_share: totals.sizes.get(top).map_or(0.0, |&size| size as f64 / all),
            top_capture: share(top),
            capture_20: lorenz.as_deref().map(|curve| capture(curve, CAPTURED)),
            eta2,
            eta2_scaled,
            silhouette: silhouette.map(|found| found.mean),
            balance: balance(&totals.sizes),
        },
        silhouette_exact: silhouette.is_none_or(|found| found.exact),
        silhouette_error: silhouette.and_then(|found| found.error),
        top_tier: tiering.names.get(top).cloned().unwrap_or_default(),
        tiers: order.iter().map(tier).collect(),
        lorenz,
        top,
    }
}

/// η² of R, F and M in original units, and of the features in their space.
fn eta2(space: &Space<'_>, labels: &[u32]) -> (Map<String, Json>, Map<String, Json>) {
    let in_units = QUANTITIES
        .into_iter()
        .zip(&space.raw_spreads)
        .map(|(feature, spread)| {
            let share = spread.between(labels, |row| raw_value(space.customers, feature, row));
            (feature.to_string(), Json::from(share))
        });
    let scaled =
        space
            .columns
            .iter()
            .zip(&space.spreads)
            .enumerate()
            .map(|(column, (fitted, spread))| {
                let share = spread.between(labels, |row| space.matrix[[row, column]]);
                (fitted.name.to_string(), Json::from(share))
            });
    (in_units.collect(), scaled.collect())
}

/// R, F or M of a customer, in original units.
pub(super) fn raw_value(customers: &Customers, quantity: Feature, row: usize) -> f64 {
    match quantity {
        Feature::Frequency => customers.frequency[row] as f64,
        Feature::Monetary => customers.monetary[row],
        _ => customers.recency_days[row],
    }
}
