//! Clusters of the feature matrix, and how many there are.
//!
//! In: the matrix, its sketch, and a [`ClusterConfig`]. Out: [`Clusters`].
//! Invariant: what is returned is a fixed point of Lloyd's iteration on all customers, its labels are what [`nearest`]
//! gives, and its inertia is recounted from them. Clusters stand in an order of their own coordinates, so that the numbers
//! of a random start never leave this module. It is the only code that knows linfa.

mod bands;
pub mod breaks;
mod choose;
mod em;
pub mod kmeans;
mod labelled;
mod likeness;
mod linfa;
mod mixture;
mod place;
mod quality;
mod resample;

use std::ops::RangeInclusive;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

pub use bands::{BandGrid, Bands};
pub use choose::STABILITY_FLOOR;
pub use kmeans::{KMeans, KMeansParams, KMeansValidParams};
pub use labelled::{Effort, Silhouette, silhouette_of_labels};
pub use likeness::adjusted_rand;
pub use mixture::{Component, Likelihoods, Mixture};
pub use place::{Placer, Shape};
pub use quality::{Quality, SILHOUETTE_CELLS, silhouette};

use crate::config::{Algorithm, ClusterConfig, K, Method};
use crate::error::{Error, Result, Warning};
use crate::features::sketch::{Sketch, Sketched};
use choose::Evidence;
use kmeans::{Engine, Points, Search, Solved};
use place::Cut;
use quality::Measured;

/// Cells on which clusterings of resampled customers are found.
const RESAMPLED_CELLS: usize = 1_024;
/// Cells of which clouds are drawn.
const CLOUD_CELLS: usize = 4_096;
/// Numbers of clusters at which the data are held against a cloud.
const CLOUD_KS: [usize; 4] = [2, 3, 5, 8];

/// The clusters that were found.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// How they divide the space.
    pub shape: Shape,
    /// k × features, in the scaled space, ascending by coordinates (by cell, of bands).
    pub centroids: Array2<f64>,
    /// Cluster of each customer, an index into `centroids`; one of weight 0 counts nowhere, but has its label.
    pub labels: Vec<u32>,
    /// Customers in each cluster; cells of a grid and components of a mixture may be empty, others are not.
    pub sizes: Vec<u64>,
    /// Sum of squared distances of all customers to their centroid, in the scaled space (scikit-learn's `inertia_`).
    pub inertia: f64,
    /// Iterations on all customers until the end.
    pub n_iter: u64,
    /// Whether the last iteration moved nothing.
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

/// Finds clusters: of the k that was asked for, or of the k with the best silhouette among those that come out again.
///
/// # Errors
/// [`Error::TooFewPoints`] where fewer distinct points than k exist, [`Error::KMeans`] and [`Error::Mixture`] where linfa
/// refuses, [`Error::BadValue`] for weights with anything but `lloyd`.
///
/// # Example
/// ```
/// use ndarray::array;
/// use tiermill::config::{Config, K, Options};
/// use tiermill::features::sketch::sketch;
///
/// let mut options = Options::default();
/// options.input.input = Some(vec!["orders.parquet".into()]);
/// options.input.customer = Some("customer".into());
/// options.input.time = Some("date".into());
/// options.cluster.k = Some(K::Fixed(2));
/// let config = Config::new(&options, &Options::default())?;
/// let matrix = array![[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]];
/// let clusters = tiermill::cluster::cluster(&sketch(matrix.view())?, &config.cluster)?;
/// assert_eq!(clusters.clustering.sizes, [2, 2]);
/// assert_eq!(clusters.clustering.inertia, 1.0);
/// # Ok::<(), tiermill::Error>(())
/// ```
pub fn cluster(sketched: &Sketched, config: &ClusterConfig) -> Result<Clusters> {
    if sketched.points.is_empty() {
        return Err(Error::TooFewCustomers { found: 0 });
    }
    let lloyd = config.method == Method::Kmeans && config.algorithm == Algorithm::Lloyd;
    if sketched.weights.is_some() && !lloyd {
        return Err(Error::BadValue {
            key: "weights".to_owned(),
            found: "set".to_owned(),
            expected: "`method = \"kmeans\"` with `algorithm = \"lloyd\"`, which alone takes them"
                .to_owned(),
        });
    }
    match config.method {
        Method::Kmeans => by_k(sketched, config),
        Method::Breaks => by_bands(sketched, config),
    }
}

/// Clusters of every k that is asked for, of which one is taken.
fn by_k(sketched: &Sketched, config: &ClusterConfig) -> Result<Clusters> {
    let (k_min, k_max) = match config.k {
        K::Fixed(k) => (k, k),
        K::Auto => (config.k_min, config.k_max),
    };
    let distinct = kmeans::distinct_points(sketched, k_max);
    if distinct < k_min {
        return Err(Error::TooFewPoints { k: k_min, distinct });
    }
    let mut found = solve_all(sketched, k_min..=k_max.min(distinct), config)?;
    let measured = Measured::of(&sketched.sketch);
    let mean = kmeans::mean(&sketched.sketch);
    let mut k_table: Vec<Quality> = found
        .solutions
        .par_iter()
        .zip(found.cuts())
        .map(|(solved, cut)| quality::measure(&measured, solved, (&mean, cut)))
        .collect();
    for (quality, soft) in k_table.iter_mut().zip(&found.mixtures) {
        quality.inertia = soft.inertia;
    }
    let wide = sketched.sketch.coarser(CLOUD_CELLS);
    add_stability(&wide, &found.cuts(), (&mut k_table, config.seed));
    let choice = choose_k(&sketched.sketch, &k_table, config, distinct);
    let solved = found.solutions.swap_remove(choice.index);
    let mut warnings = choice.warnings;
    warnings.extend(found.warning);
    warnings.extend(doubts(&wide, &solved, config));
    let mut mixtures = found.mixtures.into_iter();
    Ok(Clusters {
        clustering: clustering(solved, sketched, mixtures.nth(choice.index)),
        k_table,
        k_reason: choice.reason,
        warnings,
    })
}

/// The clusters of every k.
#[derive(Default)]
struct Found {
    solutions: Vec<Solved>,
    /// What they are components of, if anything.
    mixtures: Vec<Soft>,
    /// Says which k have none.
    warning: Option<Warning>,
}

/// A mixture. The clusters beside it are its customers, who have means of their own.
struct Soft {
    mixture: Mixture,
    likelihoods: Likelihoods,
    /// Around the means of the components.
    inertia: f64,
}

impl Found {
    /// How each divides the space.
    fn cuts(&self) -> Vec<Cut<'_>> {
        if self.mixtures.is_empty() {
            let solutions = self.solutions.iter();
            return solutions.map(|of| Cut::Nearest(&of.centroids)).collect();
        }
        let mixtures = self.mixtures.iter();
        mixtures.map(|of| Cut::Likeliest(&of.likelihoods)).collect()
    }
}

/// The clusters of every k; with a mixture of each, where they are components of one.
fn solve_all(
    sketched: &Sketched,
    ks: RangeInclusive<usize>,
    config: &ClusterConfig,
) -> Result<Found> {
    let engine = Engine::new(sketched, *ks.end());
    let search = Search {
        n_runs: config.n_runs,
        max_iter: config.max_iter,
        seed: config.seed,
    };
    let mut found = Found::default();
    match config.algorithm {
        Algorithm::Lloyd => found.solutions = engine.solve_each(ks, search),
        Algorithm::Linfa => {
            for k in ks {
                let starts = linfa::starts(sketched.matrix()?, k, search)?;
                let ends = starts
                    .iter()
                    .map(|start| engine.finish(start, search.max_iter));
                let better = |best: Solved, next: Solved| {
                    if next.inertia < best.inertia {
                        next
                    } else {
                        best
                    }
                };
                found.solutions.extend(ends.reduce(better));
            }
        }
        Algorithm::Gmm => found = mixtures(sketched.matrix()?, ks, (&engine, search))?,
    }
    Ok(found)
}

/// The mixtures of every k, as far as there are any.
fn mixtures(
    matrix: ArrayView2<'_, f64>,
    ks: RangeInclusive<usize>,
    (engine, search): (&Engine<'_>, Search),
) -> Result<Found> {
    let mut found = Found::default();
    let (mut failed, mut error) = (Vec::new(), None);
    for k in ks {
        match mixture::fit(matrix, k, search) {
            Ok((mixture, likelihoods)) => {
                let place = |row: ArrayView1<'_, f64>| likelihoods.place(row).0;
                let (solved, inertia) = engine.count_placed(likelihoods.means(), place);
                found.solutions.push(solved);
                found.mixtures.push(Soft {
                    mixture,
                    likelihoods,
                    inertia,
                });
            }
            Err(next) => {
                failed.push(k.to_string());
                error.get_or_insert(next);
            }
        }
    }
    match error {
        Some(error) if found.solutions.is_empty() => return Err(error),
        Some(_) => {
            let failed = failed.join(", ");
            let message = format!(
                "k = {failed} was not tried: no Gaussian mixture of so many components was found"
            );
            found.warning = Some(Warning::new("no_mixture", message));
        }
        None => {}
    }
    Ok(found)
}

/// What speaks against believing in these clusters, of which the sketch has at most [`CLOUD_CELLS`].
fn doubts(sketch: &Sketch, solved: &Solved, config: &ClusterConfig) -> Vec<Warning> {
    let still_moving = || {
        let iterations = config.max_iter;
        let message =
            format!("k-means was still moving after {iterations} iterations; raise `max-iter`");
        Warning::new("not_converged", message)
    };
    let cells = Points::of_cells(sketch);
    let gaps = resample::gaps(&cells, &CLOUD_KS, config.seed);
    let moving = (!solved.converged).then(still_moving);
    moving.into_iter().chain(choose::structure(&gaps)).collect()
}

/// Measures how many of the customers others in their place would put together in the same way.
fn add_stability(sketch: &Sketch, cuts: &[Cut<'_>], (table, seed): (&mut [Quality], u64)) {
    let few = Points::of_cells(&sketch.coarser(RESAMPLED_CELLS));
    let found = resample::stability(&few, cuts, seed);
    for (quality, stability) in table.iter_mut().zip(found) {
        quality.stability = Some(stability.mean);
        quality.stability_spread = Some(stability.spread);
    }
}

fn choose_k(
    sketch: &Sketch,
    table: &[Quality],
    config: &ClusterConfig,
    distinct: usize,
) -> choose::Choice {
    match config.k {
        K::Fixed(k) => choose::set(k),
        K::Auto => {
            let features = 0..sketch.n_features();
            let evidence = Evidence {
                whole: features.map(|feature| sketch.sum_of_squares(feature)).sum(),
                min_share: config.min_share,
                distinct: (distinct < config.k_max).then_some(distinct),
            };
            choose::choose(table, evidence)
        }
    }
}

/// Clusters by bands of each column.
fn by_bands(sketched: &Sketched, config: &ClusterConfig) -> Result<Clusters> {
    const BLOCK: usize = 4_096;
    let matrix = sketched.matrix()?;
    let names: Vec<String> = config.columns.iter().map(ToString::to_string).collect();
    let (grid, warnings) = bands::cut(matrix, config.bands, &names)?;
    if grid.len() < 2 {
        return Err(Error::TooFewPoints { k: 2, distinct: 1 });
    }
    let owners: Vec<u32> = matrix
        .axis_chunks_iter(Axis(0), BLOCK)
        .into_par_iter()
        .flat_map_iter(|rows| {
            let cell = |row: ArrayView1<'_, f64>| u32::try_from(grid.cell(row)).unwrap_or(u32::MAX);
            rows.outer_iter().map(cell).collect::<Vec<u32>>()
        })
        .collect();
    let (centroids, sizes, inertia) = bands::describe(matrix, &grid, &owners);
    let bands = grid.columns.iter().zip(&names);
    let bands: Vec<String> = bands
        .map(|(bands, name)| format!("{} of `{name}`", bands.len()))
        .collect();
    let occupied = sizes.iter().filter(|&&size| 0 < size).count();
    let mut k_reason = format!(
        "natural breaks cut the features into bands: {}",
        bands.join(" × ")
    );
    if occupied < grid.len() {
        k_reason = format!(
            "{k_reason}; {occupied} of the {} tiers have customers",
            grid.len()
        );
    }
    Ok(Clusters {
        clustering: Clustering {
            shape: Shape::Bands(grid),
            labels: by_customer(sketched, &owners, centroids.view()),
            centroids,
            sizes,
            inertia,
            n_iter: 0,
            converged: true,
        },
        k_table: Vec::new(),
        k_reason,
        warnings,
    })
}

/// Clusters in the order of the cells, by customer. Who was left out belongs to the nearest centroid.
fn by_customer(
    sketched: &Sketched,
    owners: &[impl Copy + Into<u32>],
    centroids: ArrayView2<'_, f64>,
) -> Vec<u32> {
    let mut labels = vec![0; owners.len() + sketched.left_out.len()];
    for (&row, &owner) in sketched.order.rows.iter().zip(owners) {
        labels[row as usize] = owner.into();
    }
    for (row, point) in &sketched.left_out {
        let (nearest, ..) = nearest(centroids, ArrayView1::from(point));
        labels[*row as usize] = u32::try_from(nearest).unwrap_or(u32::MAX);
    }
    labels
}

/// A solution by customer.
fn clustering(solved: Solved, sketched: &Sketched, soft: Option<Soft>) -> Clustering {
    let (shape, centroids, inertia) = if let Some(soft) = soft {
        let means = soft.likelihoods.means().clone();
        (Shape::Mixture(soft.mixture), means, soft.inertia)
    } else {
        let d = sketched.sketch.n_features();
        let centroids = kmeans::centroid_matrix(&solved.centroids, d);
        (Shape::Centroids, centroids, solved.inertia)
    };
    Clustering {
        shape,
        labels: by_customer(sketched, &solved.owners, centroids.view()),
        centroids,
        sizes: solved.sizes,
        inertia,
        n_iter: solved.n_iter,
        converged: solved.converged,
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
        return kmeans::squared(a, b);
    }
    a.iter().zip(b.iter()).map(|(a, b)| (a - b) * (a - b)).sum()
}
