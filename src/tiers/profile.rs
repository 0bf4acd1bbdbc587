//! What the customers of a tier are like.
//!
//! In: customers and their placements. Out: a [`TierProfile`] per tier.
//! Invariant: every figure is counted over all customers of the tier; revenue is summed in integers.

use ndarray::Array2;
use serde::Serialize;

use super::{Placements, Tier};
use crate::features::{Fitted, quantile};
use crate::load::{Customers, from_fixed};

/// Mean and order statistics of one quantity over the customers of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Middle value (type 7).
    pub median: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// A tier with its figures: an entry of `tiers` in tiers.json.
#[derive(Debug, Clone, Serialize)]
pub struct TierProfile {
    /// Permanent key.
    pub key: String,
    /// 1 is best.
    pub rank: u32,
    /// Code of the centroid.
    pub code: String,
    /// English name.
    pub name: String,
    /// Chinese name.
    pub name_zh: String,
    /// Customers.
    pub customers: u64,
    /// Their share of all customers.
    pub customer_share: f64,
    /// Their total amount.
    pub revenue: f64,
    /// Its share of the total amount of all customers; null where that is not above 0.
    pub revenue_share: Option<f64>,
    /// Days since the last order; null for a tier without customers.
    pub recency_days: Option<Spread>,
    /// Orders; null for a tier without customers.
    pub frequency: Option<Spread>,
    /// Amount; null for a tier without customers.
    pub monetary: Option<Spread>,
    /// Centroid by feature, in original units.
    pub centroid: serde_json::Map<String, serde_json::Value>,
    /// Centroid in the order of the model's features, in the scaled space.
    pub centroid_scaled: Vec<f64>,
}

/// Describes every tier.
pub fn profiles(
    customers: &Customers,
    placements: &Placements,
    tiers: &[Tier],
    columns: &[Fitted],
    centroids: &Array2<f64>,
) -> Vec<TierProfile> {
    let all_revenue = customers.total_revenue();
    let of_tiers = (placements.tiers.as_slice(), tiers.len());
    let ((recency_days, frequency), (monetary, members)) = rayon::join(
        || {
            rayon::join(
                || spreads(of_tiers, |row| customers.recency_days[row]),
                || spreads(of_tiers, |row| customers.frequency[row] as f64),
            )
        },
        || {
            rayon::join(
                || spreads(of_tiers, |row| customers.monetary[row]),
                || members(of_tiers, &customers.revenue),
            )
        },
    );
    let spreads = recency_days.into_iter().zip(frequency).zip(monetary);
    let described = tiers.iter().zip(members).zip(spreads).enumerate();
    let describe = |(index, ((tier, members), spreads)): (usize, ((&Tier, Members), _))| {
        let ((recency_days, frequency), monetary) = spreads;
        let revenue = from_fixed(members.units, customers.decimals);
        let centroid = centroids.row(index);
        let inverted = columns
            .iter()
            .zip(centroid)
            .map(|(column, &value)| (column.name.to_string(), column.invert(value).into()));
        TierProfile {
            key: tier.key.clone(),
            rank: tier.rank,
            code: tier.code.clone(),
            name: tier.name.clone(),
            name_zh: tier.name_zh.clone(),
            customers: members.n,
            customer_share: members.n as f64 / customers.len() as f64,
            revenue,
            revenue_share: (0.0 < all_revenue).then(|| revenue / all_revenue),
            recency_days,
            frequency,
            monetary,
            centroid: inverted.collect(),
            centroid_scaled: centroid.to_vec(),
        }
    };
    described.map(describe).collect()
}

/// How many customers a tier has, and their total amount in units.
#[derive(Clone, Copy, Default)]
struct Members {
    n: u64,
    units: i128,
}

fn members((tiers, n): (&[u32], usize), revenue: &[i64]) -> Vec<Members> {
    let mut members = vec![Members::default(); n];
    for (&tier, &units) in tiers.iter().zip(revenue) {
        let of_tier = &mut members[tier as usize];
        of_tier.n += 1;
        of_tier.units += i128::from(units);
    }
    members
}

/// How a quantity is spread over the customers of each of `n` tiers.
fn spreads(
    (tiers, n): (&[u32], usize),
    value: impl Fn(usize) -> f64 + Sync,
) -> Vec<Option<Spread>> {
    let group = |row: usize| tiers[row] as usize;
    let medians = quantile::type7_of_groups(tiers.len(), &value, (group, n), &[0.5]);
    let mut sums = vec![(0_u64, 0.0, f64::INFINITY, f64::NEG_INFINITY); n];
    for row in 0..tiers.len() {
        let value = value(row);
        let (customers, sum, min, max) = &mut sums[group(row)];
        *customers += 1;
        *sum += value;
        *min = if value < *min { value } else { *min };
        *max = if *max < value { value } else { *max };
    }
    let spread = |((customers, sum, min, max), median): ((u64, f64, f64, f64), Vec<f64>)| {
        (0 < customers).then(|| Spread {
            mean: sum / customers as f64,
            median: median[0],
            // −0 is no other number.
            min: min + 0.0,
            max: max + 0.0,
        })
    };
    sums.into_iter().zip(medians).map(spread).collect()
}
