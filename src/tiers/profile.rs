//! What the customers of a tier are like.
//!
//! In: customers and their placements. Out: a [`TierProfile`] per tier.
//! Invariant: every figure is counted over all customers of the tier; revenue is summed in integers.

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use super::{Placements, Tier};
use crate::features::{Fitted, quantile};
use crate::load::Customers;

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
    let members = members(&placements.tiers, tiers.len());
    // Every quantity of every tier by itself: tiers are of different sizes.
    let spreads = (0..tiers.len() * 3).into_par_iter().with_max_len(1);
    let spreads = spreads.map(|at| spread(customers, &members[at / 3], at % 3));
    let revenues = members.par_iter().with_max_len(1);
    let revenues = revenues.map(|rows| customers.revenue_of_rows(rows));
    let (spreads, revenues): (Vec<Option<Spread>>, Vec<f64>) =
        rayon::join(|| spreads.collect(), || revenues.collect());
    let described = tiers.iter().zip(&members).zip(revenues);
    described
        .zip(spreads.as_chunks::<3>().0)
        .enumerate()
        .map(
            |(index, (((tier, rows), revenue), &[recency_days, frequency, monetary]))| {
                let centroid = centroids.row(index);
                TierProfile {
                    key: tier.key.clone(),
                    rank: tier.rank,
                    code: tier.code.clone(),
                    name: tier.name.clone(),
                    name_zh: tier.name_zh.clone(),
                    customers: rows.len() as u64,
                    customer_share: rows.len() as f64 / customers.len() as f64,
                    revenue,
                    revenue_share: (0.0 < all_revenue).then(|| revenue / all_revenue),
                    recency_days,
                    frequency,
                    monetary,
                    centroid: columns
                        .iter()
                        .zip(centroid)
                        .map(|(column, &value)| {
                            (column.name.to_string(), column.invert(value).into())
                        })
                        .collect(),
                    centroid_scaled: centroid.to_vec(),
                }
            },
        )
        .collect()
}

/// The rows of each tier, ascending.
fn members(tiers: &[u32], n: usize) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); n];
    for (row, &tier) in (0..).zip(tiers) {
        members[tier as usize].push(row);
    }
    members
}

/// How recency, frequency or monetary of some customers are spread.
fn spread(customers: &Customers, rows: &[u32], quantity: usize) -> Option<Spread> {
    let rows = rows.iter().map(|&row| row as usize);
    let mut values: Vec<f64> = match quantity {
        0 => rows.map(|row| customers.recency_days[row]).collect(),
        1 => rows.map(|row| customers.frequency[row] as f64).collect(),
        _ => rows.map(|row| customers.monetary[row]).collect(),
    };
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let min = values.iter().copied().min_by(f64::total_cmp)?;
    let max = values.iter().copied().max_by(f64::total_cmp)?;
    Some(Spread {
        mean,
        median: quantile::type7_of_any(&mut values, &[0.5])
            .first()
            .copied()?,
        min,
        max,
    })
}
