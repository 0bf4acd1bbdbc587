//! A model for those who publish none.
//!
//! In: customers. Out: the model that a run of the config would publish, and the matrix it was fitted on.
//! Invariant: rules are no part of it; who holds it against rules brings them.

use ndarray::Array2;

use super::Model;
use crate::cluster::cluster;
use crate::config::Config;
use crate::error::{Result, Warning};
use crate::features::sketch::sketch;
use crate::load::Customers;
use crate::{features, rules, tiers};

/// Fits tiers as `run` would find them.
///
/// # Errors
/// Whatever a stage refuses.
pub(in crate::pipeline) fn fitted(
    config: &Config,
    customers: &Customers,
) -> Result<(Model, Array2<f64>, Vec<Warning>)> {
    let (fitted, matrix) = features::fit_transform(customers, &config.features)?;
    let clusters = cluster(&sketch(matrix.view())?, &config.cluster)?;
    let ranked = tiers::rank(
        customers,
        &fitted.columns,
        matrix.view(),
        &clusters.clustering,
        (&config.tiers, &config.cluster),
    )?;
    let mut warnings = fitted.warnings;
    warnings.extend(clusters.warnings.iter().cloned());
    warnings.extend(ranked.warnings.iter().cloned());
    let scores = rules::quintiles(customers)?;
    let model = Model::new(
        config,
        customers,
        fitted.columns,
        &clusters,
        (&ranked, scores, None),
    )?;
    Ok((model, matrix, warnings))
}
