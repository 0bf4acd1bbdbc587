//! Clusters of the feature matrix, and how many there are.
//!
//! In: the matrix and a [`ClusterConfig`]. Out: a [`Clustering`].
//! Invariant: what is returned is a fixed point of Lloyd's iteration on all customers, its labels are what
//! [`nearest`] gives, and its inertia is recounted from them. Clusters stand in an order of their own coordinates, so that
//! the numbers of a random start never leave this module. It is the only code that knows linfa.

mod lloyd;
mod quality;
mod start;

use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView1, ArrayView2};
pub use quality::{Quality, silhouette};

use crate::config::{ClusterConfig, K};
use crate::error::{Error, Result, Warning};

/// Customers among which the silhouette is measured exactly; above, as many are drawn.
pub const SILHOUETTE_ROWS: usize = 10_000;

/// What k-means found.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// k × features, in the scaled space, ascending by coordinates.
    pub centroids: Array2<f64>,
    /// Cluster of each customer, an index into `centroids`.
    pub labels: Vec<u32>,
    /// Customers in each cluster; none is empty.
    pub sizes: Vec<u64>,
    /// Sum of squared distances of all customers to their centroid, in the scaled space (scikit-learn's `inertia_`).
    pub inertia: f64,
    /// Iterations on all customers until the end.
    pub n_iter: u64,
    /// Whether the last iteration changed no label.
    pub converged: bool,
}

/// The clustering of choice with the reasons for its k.
#[derive(Debug, Clone)]
pub struct Clusters {
    /// The clustering.
    pub clustering: Clustering,
    /// Quality of each k that was tried.
    pub k_table: Vec<Quality>,
    /// Why this k, in words.
    pub k_reason: String,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Finds clusters: of the k that was asked for, or of the k with the best silhouette.
///
/// # Errors
/// [`Error::TooFewPoints`] where fewer distinct points than k exist, [`Error::KMeans`] where linfa refuses.
///
/// # Example
/// ```
/// use ndarray::array;
/// use tiermill::config::{Config, K, Options};
///
/// let mut options = Options::default();
/// options.input.input = Some(vec!["orders.parquet".into()]);
/// options.input.customer = Some("customer".into());
/// options.input.time = Some("date".into());
/// options.cluster.k = Some(K::Fixed(2));
/// let config = Config::new(&options, &Options::default())?;
/// let matrix = array![[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]];
/// let clusters = tiermill::cluster::cluster(matrix.view(), &config.cluster)?;
/// assert_eq!(clusters.clustering.sizes, [2, 2]);
/// assert_eq!(clusters.clustering.inertia, 1.0);
/// # Ok::<(), tiermill::Error>(())
/// ```
pub fn cluster(matrix: ArrayView2<'_, f64>, config: &ClusterConfig) -> Result<Clusters> {
    let wanted = match config.k {
        K::Fixed(k) => k,
        K::Auto => config.k_max,
    };
    check_points(matrix)?;
    let distinct = distinct_points(matrix, wanted);
    let mut clusters = match config.k {
        K::Fixed(k) if distinct < k => return Err(Error::TooFewPoints { k, distinct }),
        K::Fixed(k) => {
            let clustering = fit(matrix, k, config)?;
            let quality = quality::measure(matrix, &clustering, config.seed);
            Clusters {
                clustering,
                k_table: vec![quality],
                k_reason: format!("k = {k} was set"),
                warnings: Vec::new(),
            }
        }
        K::Auto if distinct < config.k_min => {
            return Err(Error::TooFewPoints {
                k: config.k_min,
                distinct,
            });
        }
        K::Auto => choose(matrix, config, distinct)?,
    };
    warn(matrix.nrows(), &mut clusters, config);
    Ok(clusters)
}

/// Fits one k. This is the one place that a clustering engine is called from.
fn fit(matrix: ArrayView2<'_, f64>, k: usize, config: &ClusterConfig) -> Result<Clustering> {
    let starts = start::linfa(matrix, k, config)?;
    lloyd::best(matrix, starts, config.max_iter).ok_or(Error::TooFewPoints { k, distinct: 0 })
}

/// Fits every k and keeps the one with the best silhouette, the smaller one of two alike.
fn choose(
    matrix: ArrayView2<'_, f64>,
    config: &ClusterConfig,
    distinct: usize,
) -> Result<Clusters> {
    let k_max = config.k_max.min(distinct);
    let mut k_table: Vec<Quality> = Vec::new();
    let mut best: Option<(f64, Clustering)> = None;
    for k in config.k_min..=k_max {
        let clustering = fit(matrix, k, config)?;
        let quality = quality::measure(matrix, &clustering, config.seed);
        if best
            .as_ref()
            .is_none_or(|(silhouette, _)| *silhouette < quality.silhouette)
        {
            best = Some((quality.silhouette, clustering));
        }
        k_table.push(quality);
    }
    let Some((silhouette, clustering)) = best else {
        return Err(Error::TooFewPoints {
            k: config.k_min,
            distinct,
        });
    };
    let mut k_reason = format!(
        "k = {} has the highest silhouette ({silhouette:.3}) of k = {}..{k_max}",
        clustering.sizes.len(),
        config.k_min
    );
    if k_max < config.k_max {
        k_reason = format!("{k_reason}; there are only {distinct} distinct points");
    }
    Ok(Clusters {
        clustering,
        k_table,
        k_reason,
        warnings: Vec::new(),
    })
}

fn warn(customers: usize, clusters: &mut Clusters, config: &ClusterConfig) {
    /// A silhouette below this reads as "no substantial structure" (Kaufman and Rousseeuw 1990).
    const NO_STRUCTURE: f64 = 0.25;
    let k = clusters.clustering.sizes.len();
    let warnings = &mut clusters.warnings;
    if !clusters.clustering.converged {
        warnings.push(Warning::new(
            "not_converged",
            format!(
                "k-means was still moving after {} iterations; raise `max-iter`",
                config.max_iter
            ),
        ));
    }
    if SILHOUETTE_ROWS < customers {
        warnings.push(Warning::new(
            "silhouette_sampled",
            format!("silhouettes are measured on {SILHOUETTE_ROWS} customers drawn at random of {customers}"),
        ));
    }
    let silhouette = clusters
        .k_table
        .iter()
        .find(|quality| quality.k == k)
        .map(|quality| quality.silhouette);
    if let Some(silhouette) = silhouette.filter(|&silhouette| silhouette < NO_STRUCTURE) {
        warnings.push(Warning::new(
            "weak_structure",
            format!("the silhouette is {silhouette:.2}, below {NO_STRUCTURE}: the tiers cut a cloud rather than find groups"),
        ));
    }
}

/// The centroid nearest to a point, and its distance and that of the second nearest (Euclidean). Of two at one
/// distance, the first.
///
/// With one centroid the second distance is infinite.
pub fn nearest(centroids: ArrayView2<'_, f64>, point: ArrayView1<'_, f64>) -> (usize, f64, f64) {
    let (mut index, mut first, mut second) = (0, f64::INFINITY, f64::INFINITY);
    for (i, centroid) in centroids.outer_iter().enumerate() {
        let squared = squared_distance(centroid, point);
        if squared < first {
            second = first;
            first = squared;
            index = i;
        } else if squared < second {
            second = squared;
        }
    }
    (index, first.sqrt(), second.sqrt())
}

fn squared_distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    // Slices, where rows are contiguous: no strides to follow in the innermost loop.
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        return a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    }
    a.iter().zip(b.iter()).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Refuses what linfa would stumble over.
fn check_points(matrix: ArrayView2<'_, f64>) -> Result<()> {
    if matrix.is_empty() {
        return Err(Error::TooFewCustomers {
            found: matrix.nrows(),
        });
    }
    match matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), &value)) => Err(Error::BadPoint { row, column, value }),
    }
}

/// How many distinct points there are, counted up to `enough`.
fn distinct_points(matrix: ArrayView2<'_, f64>, enough: usize) -> usize {
    let mut seen = BTreeSet::new();
    for row in matrix.outer_iter() {
        seen.insert(
            row.iter()
                .map(|value| value.to_bits())
                .collect::<Vec<u64>>(),
        );
        if enough <= seen.len() {
            break;
        }
    }
    seen.len()
}
