//! Clusters become tiers: ranked, named, keyed; and customers get theirs.
//!
//! In: customers, the fitted features, the matrix and a [`Clustering`]. Out: [`Tiers`], best first; for each customer a
//! tier and a margin.
//! Invariant: rank 1 is best; names are unique; a tier is a pure function of a row of the matrix and the centroids.
//! It does not decide how many there are.

mod balance;
mod naming;
mod profile;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cluster::{Clustering, Placer, Shape};
use crate::config::{ClusterConfig, Feature, TiersConfig};
use crate::error::{Error, Result, Warning};
use crate::features::{Fitted, raw};
use crate::load::Customers;

pub use naming::band_code;
pub use profile::{Spread, TierProfile, profiles};

/// A tier: an entry of `tiers` in model.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// What other systems keep: it stays when rank or name change.
    pub key: String,
    /// 1 is best.
    pub rank: u32,
    /// English name, unique.
    pub name: String,
    /// Chinese name, unique.
    pub name_zh: String,
    /// Recency, frequency, monetary of the centroid: 1 better than the mean of all customers, 0 not.
    pub code: String,
}

/// All tiers, best first.
#[derive(Debug, Clone)]
pub struct Tiers {
    /// In order of rank.
    pub tiers: Vec<Tier>,
    /// The cluster that each tier is.
    pub clusters: Vec<usize>,
    /// Tiers × features, in the scaled space; row *i* belongs to rank *i* + 1.
    pub centroids: Array2<f64>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Where the customers ended up. Row *i* is customer *i*.
#[derive(Debug, Clone)]
pub struct Placements {
    /// Index of the tier, rank − 1.
    pub tiers: Vec<u32>,
    /// 0 on the border between two tiers, 1 at the centroid (DESIGN §2).
    pub margins: Vec<f32>,
}

/// Ranks and names clusters.
///
/// # Errors
/// As [`raw`], for a `rank-by` that the customers do not have; [`Error::BadValue`] for names that do not fit.
pub fn rank(
    customers: &Customers,
    columns: &[Fitted],
    matrix: ArrayView2<'_, f64>,
    clustering: &Clustering,
    config: (&TiersConfig, &ClusterConfig),
) -> Result<Tiers> {
    let (tiers_config, cluster_config) = config;
    let order = order(customers, clustering, tiers_config.rank_by)?;
    let centroids = clustering.centroids.select(Axis(0), &order);
    let members = Members {
        clustering,
        order: &order,
    };
    let (codes, n_bands) = match &clustering.shape {
        Shape::Bands(grid) => {
            let features: Vec<Feature> = columns.iter().map(|column| column.name).collect();
            let codes = order.iter().map(|&cell| band_code(grid, cell, &features));
            (codes.collect(), naming::band_counts(grid, &features))
        }
        Shape::Centroids | Shape::Mixture(_) => {
            let codes = naming::codes(customers, columns, matrix, &centroids, &members)?;
            (codes, [2; 3])
        }
    };
    let names = naming::names(&codes, columns, &centroids, (n_bands, tiers_config))?;
    let tiers = codes
        .into_iter()
        .zip(names)
        .enumerate()
        .map(|(index, (code, (name, name_zh)))| Tier {
            key: key(index),
            rank: u32::try_from(index + 1).unwrap_or(u32::MAX),
            name,
            name_zh,
            code,
        })
        .collect();
    Ok(Tiers {
        tiers,
        clusters: order.clone(),
        centroids,
        warnings: match &clustering.shape {
            // Which cells of a grid are large or empty the grid says itself.
            Shape::Bands(_) => Vec::new(),
            Shape::Centroids | Shape::Mixture(_) => {
                balance::warnings(customers, columns, clustering, cluster_config.min_share)?
            }
        },
    })
}

/// The clusters in the order of their tiers.
struct Members<'a> {
    clustering: &'a Clustering,
    order: &'a [usize],
}

impl Members<'_> {
    /// Mean of `values` over the customers of each tier.
    fn means(&self, values: &[f64]) -> Vec<f64> {
        let means = cluster_means(values, self.clustering);
        self.order.iter().map(|&cluster| means[cluster]).collect()
    }
}

fn cluster_means(values: &[f64], clustering: &Clustering) -> Vec<f64> {
    let k = clustering.sizes.len();
    let sums = sums(values.len(), |rows| {
        let mut sums = vec![0.0; k];
        for (value, &label) in values[rows.clone()].iter().zip(&clustering.labels[rows]) {
            sums[label as usize] += value;
        }
        sums
    });
    sums.iter()
        .zip(&clustering.sizes)
        .map(|(sum, &size)| sum / size.max(1) as f64)
        .collect()
}

/// Sums over `n` rows, as `of_rows` adds up some of them; in blocks, which are added up in their order whatever the number of
/// threads.
fn sums(n: usize, of_rows: impl Fn(Range<usize>) -> Vec<f64> + Sync + Send) -> Vec<f64> {
    const BLOCK: usize = 65_536;
    let blocks = (0..n.div_ceil(BLOCK)).into_par_iter();
    let blocks = blocks.map(|block| of_rows(block * BLOCK..n.min((block + 1) * BLOCK)));
    let blocks: Vec<Vec<f64>> = blocks.collect();
    let add = |mut all: Vec<f64>, block: Vec<f64>| {
        for (sum, more) in all.iter_mut().zip(block) {
            *sum += more;
        }
        all
    };
    blocks.into_iter().fold(of_rows(0..0), add)
}

/// Clusters from best to worst. Of two with equal means, the one whose coordinates are smaller comes first.
fn order(customers: &Customers, clustering: &Clustering, by: Feature) -> Result<Vec<usize>> {
    let means = cluster_means(&raw(customers, by)?, clustering);
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| {
        let descending = means[b].total_cmp(&means[a]);
        let better = if less_is_better(by) {
            descending.reverse()
        } else {
            descending
        };
        // Cells without customers come last.
        let empty = |cluster: usize| clustering.sizes[cluster] == 0;
        empty(a).cmp(&empty(b)).then(better)
    });
    Ok(order)
}

/// Whether a small value of a feature is the good one.
fn less_is_better(feature: Feature) -> bool {
    feature == Feature::RecencyDays
}

/// `tier-a`, `tier-b`, … : letters, so that nobody takes a key for a rank once ranks have moved.
fn key(index: usize) -> String {
    const LETTERS: usize = 26;
    let letter = |i: usize| char::from(b'a' + u8::try_from(i % LETTERS).unwrap_or(0));
    let mut name = String::from("tier-");
    if LETTERS <= index {
        name.push(letter(index / LETTERS - 1));
    }
    name.push(letter(index));
    name
}

/// Places every customer; of two tiers with equal claim in the better one.
pub fn place(matrix: ArrayView2<'_, f64>, placer: &Placer) -> Placements {
    let (tiers, margins) = placer.place_all(matrix);
    Placements { tiers, margins }
}

/// The error for a setting of [tiers] that does not fit the tiers that were found.
fn bad_names(key: &str, found: usize, tiers: usize) -> Error {
    Error::BadValue {
        key: key.to_owned(),
        found: format!("{found} names"),
        expected: format!("{tiers}, one for each tier"),
    }
}
