//! A Gaussian mixture: soft memberships, and the likeliest component wins.
//!
//! In: rows of the matrix. Out: a [`Mixture`]; for a row its likeliest component, and how likely each of them is.
//! Invariant: components stand in the order of the coordinates of their means; what a row belongs to is a pure function
//! of the row and the mixture. linfa-clustering finds the components; everything after that is recounted here.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::kmeans::{Points, Search};
use crate::error::{Error, Result};

/// Rows that linfa's expectation maximisation sees; of more, as many are taken, spread evenly over the space.
const MIXTURE_ROWS: usize = 50_000;
/// Restarts of the expectation maximisation, of which the likeliest is kept.
const RESTARTS: u64 = 3;

/// The components beside their means: `mixture` in model.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Share of each component; they add up to 1.
    pub weights: Vec<f64>,
    /// Covariance matrix of each component, row by row, in the scaled space.
    pub covariances: Vec<Vec<f64>>,
}

impl Mixture {
    /// The components in another order.
    #[must_use]
    pub fn of(&self, order: &[usize]) -> Self {
        Self {
            weights: order.iter().map(|&i| self.weights[i]).collect(),
            covariances: order.iter().map(|&i| self.covariances[i].clone()).collect(),
        }
    }
}

/// A mixture, ready for placing rows.
pub(super) type Fitted = (Mixture, Likelihoods);

/// Fits k components to rows of which neighbours are neighbours in space, too: the likeliest of a few restarts, which run
/// side by side. One that fails is left out while another does not.
pub(super) fn fit(matrix: ArrayView2<'_, f64>, k: usize, search: Search) -> Result<Fitted> {
    let step = matrix.nrows().div_ceil(MIXTURE_ROWS).max(1);
    let rows: Vec<usize> = (0..matrix.nrows()).step_by(step).collect();
    let sample = DatasetBase::from(matrix.select(Axis(0), &rows));
    let run = |run: u64| {
        let seed = search.seed.wrapping_add(run);
        let fitted = restart(&sample, k, Search { seed, ..search })?;
        let likelihood: f64 = fitted.1.memberships(sample.records.view()).1.iter().sum();
        Ok((likelihood, fitted))
    };
    let runs: Vec<Result<(f64, Fitted)>> = (0..RESTARTS).into_par_iter().map(run).collect();
    let likelier = |best: Result<(f64, Fitted)>, next: Result<(f64, Fitted)>| {
        let better = match (&best, &next) {
            (Ok((best, _)), Ok((next, _))) => best < next,
            (Err(_), Ok(_)) => true,
            (_, Err(_)) => false,
        };
        if better { next } else { best }
    };
    let best = runs.into_iter().reduce(likelier);
    best.unwrap_or_else(|| Err(no_mixture(k, "there was no restart".into())))
        .map(|(_, fitted)| fitted)
}

/// One run of linfa's expectation maximisation, from a k-means of its own. (Its `n_runs` go on where the run before stopped.)
fn restart(
    sample: &DatasetBase<Array2<f64>, Array1<()>>,
    k: usize,
    search: Search,
) -> Result<Fitted> {
    let random = Xoshiro256Plus::seed_from_u64(search.seed);
    let model = GaussianMixtureModel::params_with_rng(k, random)
        .n_runs(1)
        .max_n_iterations(search.max_iter)
        .fit(sample)
        .map_err(|source| no_mixture(k, Box::new(source)))?;
    let means = model.means();
    let mut components: Vec<usize> = (0..k).collect();
    components.sort_by(|&a, &b| {
        super::kmeans::by_coordinates(&means.row(a).to_vec(), &means.row(b).to_vec())
    });
    let covariance = |&component: &usize| {
        let covariance = model.covariances().index_axis(Axis(0), component);
        covariance.iter().copied().collect()
    };
    let mixture = Mixture {
        weights: components.iter().map(|&i| model.weights()[i]).collect(),
        covariances: components.iter().map(covariance).collect(),
    };
    let likelihoods = Likelihoods::new(means.select(Axis(0), &components), &mixture);
    match likelihoods {
        Some(likelihoods) => Ok((mixture, likelihoods)),
        None => Err(no_mixture(k, "a component has no width".into())),
    }
}

fn no_mixture(k: usize, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Mixture { k, source }
}

/// A mixture made ready for placing rows.
#[derive(Debug, Clone)]
pub struct Likelihoods {
    means: Array2<f64>,
    /// Lower Cholesky factor of each covariance, row by row.
    factors: Vec<Vec<f64>>,
    /// Logarithm of weight over the root of the determinant.
    heights: Vec<f64>,
}

impl Likelihoods {
    /// `None` where a covariance is not positive definite, or the parts do not fit together.
    pub fn new(means: Array2<f64>, mixture: &Mixture) -> Option<Self> {
        let (k, d) = means.dim();
        if mixture.weights.len() != k || mixture.covariances.len() != k {
            return None;
        }
        let factors: Vec<Vec<f64>> = mixture
            .covariances
            .iter()
            .map(|covariance| cholesky(covariance, d))
            .collect::<Option<_>>()?;
        let heights = factors
            .iter()
            .zip(&mixture.weights)
            .map(|(factor, weight)| {
                weight.ln() - (0..d).map(|i| factor[i * d + i].ln()).sum::<f64>()
            })
            .collect();
        Some(Self {
            means,
            factors,
            heights,
        })
    }

    /// Means of the components, components × features, scaled.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// Logarithm of share times density of each component, but for a term that all have in common.
    fn logs(&self, row: ArrayView1<'_, f64>) -> impl Iterator<Item = f64> {
        let heights = self.heights.iter().enumerate();
        heights.map(move |(component, height)| height - self.mahalanobis(component, row) / 2.0)
    }

    /// The likeliest component of a row, and the margin (p₁ − p₂) / (p₁ + p₂) of its posterior over the next one's: 0 on the
    /// border, 1 where there is no doubt. Of two equally likely, the first.
    pub fn place(&self, row: ArrayView1<'_, f64>) -> (usize, f64) {
        let (mut index, mut first, mut second) = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (component, log) in self.logs(row).enumerate() {
            if first < log {
                second = first;
                first = log;
                index = component;
            } else if second < log {
                second = log;
            }
        }
        // (p₁ − p₂) / (p₁ + p₂) of logarithms; with one component, 1.
        let margin = ((first - second) / 2.0).tanh();
        (index, if margin.is_finite() { margin } else { 1.0 })
    }

    /// Soft memberships, rows × components: the posterior of each component given the row (scikit-learn's
    /// `GaussianMixture.predict_proba`). Each row adds up to 1, however far from all components it lies.
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use tiermill::cluster::{Likelihoods, Mixture};
    ///
    /// // Two components of variance 1, around 0 and 4: `centroids` and `mixture` of model.json, or of a clustering.
    /// let mixture = Mixture { weights: vec![0.5, 0.5], covariances: vec![vec![1.0], vec![1.0]] };
    /// let likelihoods = Likelihoods::new(array![[0.0], [4.0]], &mixture).ok_or("not positive definite")?;
    /// let shares = likelihoods.posteriors(array![[2.0], [-1e6]].view());
    /// assert_eq!(shares, array![[0.5, 0.5], [1.0, 0.0]]);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn posteriors(&self, rows: ArrayView2<'_, f64>) -> Array2<f64> {
        self.memberships(rows).0
    }

    /// The posteriors, and the logarithm of the likelihood of each row, but for a term that all mixtures have in common.
    pub(super) fn memberships(&self, rows: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let mut shares = Array2::zeros((rows.nrows(), self.heights.len()));
        let into = shares.axis_iter_mut(Axis(0)).into_par_iter();
        let rows = rows.axis_iter(Axis(0)).into_par_iter();
        let logs = into.zip(rows).map(|(into, row)| self.share(row, into));
        let logs = logs.collect();
        (shares, logs)
    }

    /// Writes the posteriors of one row and returns the logarithm of its likelihood.
    fn share(&self, row: ArrayView1<'_, f64>, mut shares: ArrayViewMut1<'_, f64>) -> f64 {
        let mut most = f64::NEG_INFINITY;
        for (share, log) in shares.iter_mut().zip(self.logs(row)) {
            *share = log;
            most = most.max(log);
        }
        if most.is_infinite() {
            // Too far away for a distance: what `place` says.
            shares.fill(0.0);
            shares.iter_mut().take(1).for_each(|first| *first = 1.0);
            return most;
        }
        // Beside the likeliest, so that not all of them can vanish.
        shares.mapv_inplace(|log| (log - most).exp());
        let sum = shares.sum();
        shares /= sum;
        most + sum.ln()
    }

    /// The likeliest component of each point.
    pub(super) fn labels(&self, points: &Points) -> Vec<u32> {
        let places = (0..points.len()).into_par_iter();
        let place = |point: usize| self.place(ArrayView1::from(&points.point(point))).0;
        places
            .map(|point| u32::try_from(place(point)).unwrap_or(u32::MAX))
            .collect()
    }

    /// The components as sums of squares.
    pub fn components(&self) -> Vec<Component> {
        let d = self.means.ncols();
        let component = |(index, factor): (usize, &Vec<f64>)| Component {
            height: self.heights[index],
            mean: self.means.row(index).to_vec(),
            whitening: inverse(factor, d),
        };
        self.factors.iter().enumerate().map(component).collect()
    }

    /// Squared Mahalanobis distance, by forward substitution.
    fn mahalanobis(&self, component: usize, row: ArrayView1<'_, f64>) -> f64 {
        let d = self.means.ncols();
        let factor = &self.factors[component];
        let mut solved = Vec::with_capacity(d);
        for i in 0..d {
            let known: f64 = (0..i).map(|j| factor[i * d + j] * solved[j]).sum();
            solved.push((row[i] - self.means[[component, i]] - known) / factor[i * d + i]);
        }
        solved.iter().map(|value| value * value).sum()
    }
}

/// A component: the logarithm of its share times density at x is, but for a term that all have in common,
/// `height` − ½ Σᵢ (Σⱼ `whitening`ᵢⱼ (xⱼ − `mean`ⱼ))².
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Logarithm of weight over the root of the determinant.
    pub height: f64,
    /// In the scaled space.
    pub mean: Vec<f64>,
    /// Row *i* has *i* + 1 entries: the inverse of the lower Cholesky factor of the covariance.
    pub whitening: Vec<Vec<f64>>,
}

/// The rows of the inverse of a lower triangular matrix, up to the diagonal.
fn inverse(factor: &[f64], d: usize) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(d);
    for i in 0..d {
        let diagonal = factor[i * d + i];
        let mut row: Vec<f64> = (0..i)
            .map(|j| {
                let known: f64 = (j..i).map(|l| factor[i * d + l] * rows[l][j]).sum();
                -known / diagonal
            })
            .collect();
        row.push(1.0 / diagonal);
        rows.push(row);
    }
    rows
}

/// Lower factor of a symmetric positive definite matrix.
fn cholesky(matrix: &[f64], d: usize) -> Option<Vec<f64>> {
    if matrix.len() != d * d {
        return None;
    }
    let mut factor = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let known: f64 = (0..j).map(|l| factor[i * d + l] * factor[j * d + l]).sum();
            let rest = matrix[i * d + j] - known;
            if i == j {
                if !(rest.is_finite() && 0.0 < rest) {
                    return None;
                }
                factor[i * d + i] = rest.sqrt();
            } else {
                factor[i * d + j] = rest / factor[j * d + j];
            }
        }
    }
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use rand_xoshiro::rand_core::RngCore;

    /// Two components of one dimension: N(0, 1) with share 0.5 and N(4, 4) with share 0.5.
    fn two() -> Likelihoods {
        let mixture = Mixture {
            weights: vec![0.5, 0.5],
            covariances: vec![vec![1.0], vec![4.0]],
        };
        Likelihoods::new(array![[0.0], [4.0]], &mixture).unwrap()
    }

    #[test]
    fn posteriors_are_those_of_the_formula() {
        let density = |x: f64, mean: f64, variance: f64| {
            (-(x - mean).powi(2) / (2.0 * variance)).exp() / variance.sqrt()
        };
        for x in [-3.0, 0.0, 1.0, 1.7, 2.5, 9.0] {
            let (a, b) = (density(x, 0.0, 1.0), density(x, 4.0, 4.0));
            let (component, margin) = two().place(array![x].view());
            assert_eq!(component, usize::from(a < b), "{x}");
            assert!(
                (margin - (a - b).abs() / (a + b)).abs() < 1e-12,
                "{x}: {margin}"
            );
        }
    }

    #[test]
    fn a_covariance_that_is_none_is_refused() {
        for covariance in [vec![0.0], vec![-1.0], vec![f64::NAN], vec![1.0, 0.0]] {
            let mixture = Mixture {
                weights: vec![1.0],
                covariances: vec![covariance],
            };
            assert!(Likelihoods::new(array![[0.0]], &mixture).is_none());
        }
    }

    #[test]
    fn correlated_features_are_measured_along_their_ellipse() {
        let mixture = Mixture {
            weights: vec![1.0],
            covariances: vec![vec![2.0, 1.0, 1.0, 2.0]],
        };
        let likelihoods = Likelihoods::new(array![[1.0, 1.0]], &mixture).unwrap();
        // (1, −1) lies across the ellipse: xᵀ Σ⁻¹ x = 2; (1, 1) along it: 2/3.
        assert!((likelihoods.mahalanobis(0, array![2.0, 0.0].view()) - 2.0).abs() < 1e-12);
        assert!((likelihoods.mahalanobis(0, array![2.0, 2.0].view()) - 2.0 / 3.0).abs() < 1e-12);
        // The same as a sum of squares.
        let component = &likelihoods.components()[0];
        for (x, y) in [(2.0, 0.0), (2.0, 2.0), (-3.0, 7.5)] {
            let off = [x - component.mean[0], y - component.mean[1]];
            let squares = component.whitening.iter().map(|row| {
                let side: f64 = row.iter().zip(off).map(|(a, b)| a * b).sum();
                side * side
            });
            let distance = likelihoods.mahalanobis(0, array![x, y].view());
            assert!((squares.sum::<f64>() - distance).abs() < 1e-12, "{x}, {y}");
        }
    }

    #[test]
    fn the_likeliest_of_the_restarts_is_kept() {
        // An even cloud has as many mixtures as starts.
        let mut random = Xoshiro256Plus::seed_from_u64(8);
        let mut share = || f64::from(random.next_u32()) / 2_f64.powi(32);
        let rows = Array2::from_shape_fn((600, 2), |_| share());
        let (k, max_iter) = (7, 500);
        let search = |seed: u64| Search {
            n_runs: 1,
            max_iter,
            seed,
        };
        let likelihood = |(_, likelihoods): &Fitted| {
            let logs = likelihoods.memberships(rows.view()).1;
            logs.iter().sum::<f64>()
        };
        let sample = DatasetBase::from(rows.clone());
        let mut differ = 0;
        for seed in [1, 11, 21, 31] {
            let runs: Vec<f64> = (seed..seed + RESTARTS)
                .filter_map(|seed| restart(&sample, k, search(seed)).ok())
                .map(|run| likelihood(&run))
                .collect();
            let best = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let kept = fit(rows.view(), k, search(seed)).unwrap();
            assert!((likelihood(&kept) - best).abs() < 1e-9, "{runs:?}");
            differ += usize::from(runs[0] < best);
        }
        assert!(0 < differ, "the first is always the likeliest");
    }
}
