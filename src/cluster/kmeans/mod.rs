//! k-means, from restarts on a few thousand cells to a fixed point on every row.
//!
//! In: a dataset, or a sketch and its rows. Out: a [`KMeans`].
//! Invariant: what is returned is a fixed point of Lloyd's iteration on all rows with a weight, unless it says that it has
//! not converged; labels are what predicting gives, sizes and inertia are counted from them. The same rows give the same
//! bits, in any order and on any number of threads.

mod engine;
mod exact;
mod filter;
mod kernel;
mod points;
mod survey;
#[cfg(test)]
mod tests;
mod tree;

use linfa::traits::{Fit, PredictInplace, Transformer};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};

pub(super) use engine::{Engine, Search, Solved, mean};
pub(super) use exact::by_coordinates;
pub(super) use kernel::{Columns, Nearest};
pub(super) use points::{Points, squared};

/// A cluster, for every row: small, since a search keeps those of each k.
type Owner = u16;

use super::nearest;
use crate::error::{Error, Result};
use crate::features::sketch::{Grid, MAX_WEIGHT, Sketched, sketch_weighted};

/// A fitted k-means model.
///
/// k-means puts every row to the nearest of k centroids, and every centroid to the mean of its rows, so that the sum of
/// squared distances (the inertia) is small. Finding the least inertia is hard; Lloyd's iteration finds a local minimum,
/// and restarts look for a good one. This implementation is made for many rows and few features:
///
/// 1. **Sketch.** Rows are counted into at most 200,000 cells ([`crate::features::sketch`]); wider cells, at most 4,096,
///    are added up from these.
/// 2. **Restarts.** Each scouts four starts on a thousand cells by greedy k-means++ (as scikit-learn seeds) and Lloyd, takes
///    the best of them to the wide cells, and there tries other places for single centroids (random swaps) and for single
///    cells (Hartigan). All this costs the same for ten thousand rows and for a hundred million.
/// 3. **Polish** on some ten thousand cells tells the best four apart. Where there are no more than 65,536 cells, every
///    restart, with swaps and without, is polished on all of them and moves single ones; the best four swap there, too, and
///    of what is left within a millionth all rows choose.
/// 4. **All cells.** Where many rows share a cell, Lloyd goes over all of them next, each as a whole: most iterations are needed for
///    what cells can tell.
/// 5. **The last steps** run on all rows until no row changes its cluster. A tree over the cells gives whole balls of rows
///    to a centroid at once where no border passes through, and remembers how far borders may move before a ball or a
///    row has to be looked at again.
///
/// Sums are whole numbers, so the result does not depend on the order of rows or the number of threads. An empty cluster
/// takes the row that lies farthest from its centroid, as in scikit-learn.
///
/// Weights of a dataset are honoured: weight n counts like n equal rows, and weight 0 like none. Whole weights that add up to
/// at most 2⁶² are exact, others are rounded to a 2⁶²th part of all; one that would be 0 then is an error.
///
/// # Example
/// ```
/// use linfa::DatasetBase;
/// use linfa::traits::{Fit, Predict, Transformer};
/// use ndarray::array;
/// use tiermill::cluster::KMeans;
///
/// let rows = array![[0.0, 0.0], [10.0, 0.0], [0.0, 2.0], [10.0, 2.0]];
/// let model = KMeans::params(2).n_runs(3).seed(7).fit(&DatasetBase::from(rows.clone()))?;
/// assert_eq!(model.centroids(), &array![[0.0, 1.0], [10.0, 1.0]]);
/// assert_eq!((model.inertia(), model.converged()), (4.0, true));
/// assert_eq!(model.predict(&rows), array![0, 1, 0, 1]);
/// assert_eq!(model.transform(&array![[3.0, 5.0]]), array![[5.0, 65.0_f64.sqrt()]]);
///
/// let heavy = DatasetBase::from(array![[0.0], [1.0], [9.0]]).with_weights(array![3.0, 1.0, 1.0]);
/// assert_eq!(KMeans::params(2).fit(&heavy)?.centroids(), &array![[0.25], [9.0]]);
/// # Ok::<(), tiermill::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    centroids: Array2<f64>,
    sizes: Array1<f64>,
    inertia: f64,
    n_iter: u64,
    converged: bool,
}

impl KMeans {
    /// Parameters for k clusters, 65,535 at most: 10 runs, at most 300 iterations, seed 42.
    pub fn params(k: usize) -> KMeansParams {
        KMeansParams(KMeansValidParams {
            k,
            start: None,
            n_runs: 10,
            max_iter: 300,
            seed: 42,
        })
    }

    /// k × features, ascending by coordinates (scikit-learn's `cluster_centers_`).
    pub fn centroids(&self) -> &Array2<f64> {
        &self.centroids
    }

    /// Rows of each cluster, weighted.
    pub fn sizes(&self) -> &Array1<f64> {
        &self.sizes
    }

    /// Weighted sum of squared distances of the rows to their centroids (scikit-learn's `inertia_`).
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Iterations on all rows (those of scikit-learn's `n_iter_` are the iterations of the best run).
    pub fn n_iter(&self) -> u64 {
        self.n_iter
    }

    /// Whether the last iteration moved nothing.
    pub fn converged(&self) -> bool {
        self.converged
    }
}

/// Parameters of [`KMeans`] as they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansParams(KMeansValidParams);

/// Parameters of [`KMeans`] that have been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansValidParams {
    k: usize,
    start: Option<Array2<f64>>,
    n_runs: usize,
    max_iter: u64,
    seed: u64,
}

impl KMeansParams {
    /// Centroids to start from, k × features, instead of restarts (scikit-learn's `init`).
    #[must_use]
    pub fn start(mut self, centroids: Array2<f64>) -> Self {
        self.0.start = Some(centroids);
        self
    }

    /// Restarts, of which the best is kept; from 1.
    #[must_use]
    pub fn n_runs(mut self, n_runs: usize) -> Self {
        self.0.n_runs = n_runs;
        self
    }

    /// Iterations at which each step gives up; from 1.
    #[must_use]
    pub fn max_iter(mut self, max_iter: u64) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Seed of the random starts.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl ParamGuard for KMeansParams {
    type Checked = KMeansValidParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&KMeansValidParams> {
        let bad = |key: &str| Error::BadValue {
            key: key.to_owned(),
            found: "0".to_owned(),
            expected: "at least 1".to_owned(),
        };
        if self.0.k == 0 {
            return Err(bad("k"));
        }
        if Owner::try_from(self.0.k).is_err() {
            return Err(Error::BadValue {
                key: "k".to_owned(),
                found: self.0.k.to_string(),
                expected: format!("at most {}", Owner::MAX),
            });
        }
        if self.0.n_runs == 0 {
            return Err(bad("n-runs"));
        }
        if self.0.max_iter == 0 {
            return Err(bad("max-iter"));
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<KMeansValidParams> {
        self.check_ref().cloned()
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for KMeansValidParams {
    type Object = KMeans;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<KMeans> {
        let matrix = dataset.records.view();
        if matrix.is_empty() {
            return Err(Error::TooFewCustomers {
                found: matrix.nrows(),
            });
        }
        let (weights, one) = match dataset.weights() {
            Some(weights) if weights.len() != matrix.nrows() => {
                return Err(Error::BadValue {
                    key: "weights".to_owned(),
                    found: weights.len().to_string(),
                    expected: format!("{}, one for each row", matrix.nrows()),
                });
            }
            None => (None, 1.0),
            Some(weights) => {
                let (weights, one) = whole_weights(weights)?;
                (Some(weights), one)
            }
        };
        if let Some(start) = &self.start
            && (start.dim() != (self.k, matrix.ncols())
                || start.iter().any(|value| !value.is_finite()))
        {
            return Err(Error::BadValue {
                key: "start".to_owned(),
                found: format!("{} × {}", start.nrows(), start.ncols()),
                expected: format!("{} × {} finite coordinates", self.k, matrix.ncols()),
            });
        }
        let sketched = sketch_weighted(matrix, weights.as_deref(), &Grid::covering(matrix)?)?;
        let distinct = distinct_points(&sketched, self.k);
        if distinct < self.k {
            return Err(Error::TooFewPoints {
                k: self.k,
                distinct,
            });
        }
        let engine = Engine::new(&sketched, self.k);
        let search = Search {
            n_runs: self.n_runs,
            max_iter: self.max_iter,
            seed: self.seed,
        };
        let solved = match &self.start {
            None => engine.solve(self.k, search),
            Some(start) => {
                let start: Vec<f64> = start.iter().copied().collect();
                engine.finish(&start, self.max_iter)
            }
        };
        Ok(KMeans {
            sizes: solved.sizes.iter().map(|&size| size as f64 / one).collect(),
            inertia: solved.inertia / one,
            n_iter: solved.n_iter,
            converged: solved.converged,
            centroids: centroid_matrix(&solved.centroids, matrix.ncols()),
        })
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for KMeans {
    fn predict_inplace(&self, rows: &ArrayBase<D, Ix2>, labels: &mut Array1<usize>) {
        for (label, row) in labels.iter_mut().zip(rows.outer_iter()) {
            *label = nearest(self.centroids.view(), row).0;
        }
    }

    fn default_target(&self, rows: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(rows.nrows())
    }
}

impl<D: Data<Elem = f64>> Transformer<&ArrayBase<D, Ix2>, Array2<f64>> for KMeans {
    /// Distances to all centroids, rows × k (scikit-learn's `transform`).
    fn transform(&self, rows: &ArrayBase<D, Ix2>) -> Array2<f64> {
        Array2::from_shape_fn((rows.nrows(), self.centroids.nrows()), |(row, cluster)| {
            super::squared_distance(self.centroids.row(cluster), rows.row(row)).sqrt()
        })
    }
}

/// Centroids in one list as k × features.
pub(super) fn centroid_matrix(centroids: &[f64], n_features: usize) -> Array2<f64> {
    Array2::from_shape_fn(
        (centroids.len() / n_features.max(1), n_features),
        |(cluster, feature)| centroids[cluster * n_features + feature],
    )
}

/// Weights as whole numbers, and what weight 1 became: 1 where they are whole already and add up to [`MAX_WEIGHT`] at most,
/// elsewhere the greatest power of two with which they surely do.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "finite, from 0, and below 2¹²⁸ or, scaled, 2⁶²"
)]
fn whole_weights(weights: &[f32]) -> Result<(Vec<u64>, f64)> {
    let bad = |row: usize, found: String, expected: String| Error::BadValue {
        key: format!("weight of row {row}"),
        found,
        expected,
    };
    let sound = |weight: &f32| (0.0..f32::INFINITY).contains(weight);
    if let Some(row) = weights.iter().position(|weight| !sound(weight)) {
        let expected = "a finite number from 0".to_owned();
        return Err(bad(row, weights[row].to_string(), expected));
    }
    let most = weights.iter().copied().fold(0.0, f32::max);
    let add = |sum: u128, &weight: &f32| sum.saturating_add(weight as u128);
    let whole = weights.iter().all(|weight| weight.fract() == 0.0);
    let mut one = 1.0;
    if !whole || u128::from(MAX_WEIGHT) < weights.iter().fold(0, add) {
        // Not the sum of the weights, in which their order would show.
        let counting = weights.iter().filter(|&&weight| 0.0 < weight).count();
        let bound = f64::from(most) * counting as f64;
        let limit = MAX_WEIGHT as f64;
        while bound * one * 2.0 <= limit {
            one *= 2.0;
        }
        while limit < bound * one {
            one /= 2.0;
        }
    }
    let scaled = |&weight: &f32| (f64::from(weight) * one).round() as u64;
    let scaled: Vec<u64> = weights.iter().map(scaled).collect();
    let lost = |(&weight, &scaled): (&f32, &u64)| 0.0 < weight && scaled == 0;
    if let Some(row) = weights.iter().zip(&scaled).position(lost) {
        let (found, least) = (format!("{:e}", weights[row]), 0.5 / one);
        let expected = format!("0, or at least {least:e} beside a weight of {most:e}");
        return Err(bad(row, found, expected));
    }
    Ok((scaled, one))
}

/// How many distinct rows there are on the grid, counted up to `enough`.
pub(super) fn distinct_points(sketched: &Sketched, enough: usize) -> usize {
    // Rows of different cells are different.
    if enough <= sketched.sketch.len() {
        return enough;
    }
    let grid = sketched.sketch.grid();
    let mut seen = std::collections::BTreeSet::new();
    for point in sketched
        .points
        .chunks_exact(sketched.sketch.n_features().max(1))
    {
        let fixed = point
            .iter()
            .enumerate()
            .map(|(feature, &value)| grid.fixed(feature, value));
        seen.insert(fixed.collect::<Vec<i64>>());
        if enough <= seen.len() {
            break;
        }
    }
    seen.len()
}
