//! Where Lloyd's iteration starts with `algorithm = "linfa"`: the centroids of linfa-clustering's own k-means.
//!
//! In: the matrix and k. Out: the centroids of every restart.
//! Invariant: linfa is only called with what it survives (finite values, rows, no more clusters than distinct points,
//! checked by the caller), always with k-means++, whose result does not depend on threads; and nothing that it reports
//! about its own runs is believed.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::ArrayView2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::kmeans::Search;
use crate::error::{Error, Result};

/// linfa stops when the centroids move less than this, together; on z-scores as early as scikit-learn's default. What is
/// left to do `lloyd` does.
const TOLERANCE: f64 = 1e-2;

/// One set of centroids per restart, k × features. Restarts run side by side: each is a run of its own, seeded by its
/// number.
pub(super) fn starts(
    matrix: ArrayView2<'_, f64>,
    k: usize,
    search: Search,
) -> Result<Vec<Vec<f64>>> {
    let one = |run: usize| {
        let random = Xoshiro256Plus::seed_from_u64(search.seed.wrapping_add(run as u64));
        let model = KMeans::params_with_rng(k, random)
            .init_method(KMeansInit::KMeansPlusPlus)
            .n_runs(1)
            .max_n_iterations(search.max_iter)
            .tolerance(TOLERANCE)
            .fit(&DatasetBase::from(matrix))
            .map_err(|source| Error::KMeans {
                k,
                source: Box::new(source),
            })?;
        Ok(model.centroids().iter().copied().collect())
    };
    (0..search.n_runs).into_par_iter().map(one).collect()
}

/// What linfa's traits ask of an error.
impl From<linfa::Error> for Error {
    fn from(source: linfa::Error) -> Self {
        Self::Dataset {
            source: Box::new(source),
        }
    }
}
