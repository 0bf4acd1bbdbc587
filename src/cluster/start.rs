//! Where Lloyd's iteration starts: the centroids of linfa-clustering's k-means.
//!
//! In: the matrix and k. Out: k centroids.
//! Invariant: linfa is only called with what it survives (finite values, rows, no more clusters than distinct points,
//! checked by the caller), always with k-means++, whose result does not depend on threads; and nothing that it reports
//! about its own run is believed.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::{Array2, ArrayView2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::config::ClusterConfig;
use crate::error::{Error, Result};

/// linfa stops when the centroids move less than this, together. What is left to do, `lloyd::polish` does.
const TOLERANCE: f64 = 1e-4;

pub(super) fn linfa(
    matrix: ArrayView2<'_, f64>,
    k: usize,
    config: &ClusterConfig,
) -> Result<Array2<f64>> {
    let dataset = DatasetBase::from(matrix);
    let model = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(config.seed))
        .init_method(KMeansInit::KMeansPlusPlus)
        .n_runs(config.n_runs)
        .max_n_iterations(config.max_iter)
        .tolerance(TOLERANCE)
        .fit(&dataset)
        .map_err(|source| Error::KMeans {
            k,
            source: Box::new(source),
        })?;
    Ok(model.centroids().clone())
}
