//! model.json: everything that `assign` needs.
//!
//! In: what the stages found. Out: a [`Model`], and the refusal of one that does not fit the config.
//! Invariant: a model that was written and read again is the same to the last bit.

mod same;
mod shape;

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::Clusters;
use crate::config::{Config, Feature};
use crate::error::{Error, Result};
use crate::features::Fitted;
use crate::load::Customers;
use crate::rules::ScoreCuts;
use crate::tiers::{Tier, Tiers};

/// Version of the format that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// A fitted model, as it stands in model.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The tiermill that fitted it.
    pub tiermill_version: String,
    /// As-of of the orders that it was fitted on.
    pub as_of: String,
    /// Which rows counted and what R, F and M meant: a model is only good for numbers that mean the same.
    pub definitions: Map<String, Value>,
    /// Columns of the matrix.
    pub features: Vec<Fitted>,
    /// Who computed the clusters.
    pub algorithm: String,
    /// Number of tiers.
    pub k: usize,
    /// Tiers × features, scaled, in order of rank.
    pub centroids: Vec<Vec<f64>>,
    /// Sum of squared distances of all customers to their centroid, in the scaled space.
    pub inertia: f64,
    /// Iterations on all customers.
    pub n_iter: u64,
    /// Whether the last one changed no label.
    pub converged: bool,
    /// Seed of the random starts.
    pub seed: u64,
    /// Feature whose mean ranked the tiers.
    pub rank_by: Feature,
    /// Customers that it was fitted on.
    pub customers: u64,
    /// Cut points of the scores.
    pub scores: ScoreCuts,
    /// Best first.
    pub tiers: Vec<Tier>,
}

impl Model {
    /// Puts together what the stages found.
    pub(super) fn new(
        config: &Config,
        customers: &Customers,
        columns: Vec<Fitted>,
        clusters: &Clusters,
        parts: (&Tiers, ScoreCuts),
    ) -> Self {
        let (tiers, scores) = parts;
        Self {
            format_version: FORMAT_VERSION,
            tiermill_version: env!("CARGO_PKG_VERSION").to_owned(),
            as_of: customers.as_of.text.clone(),
            definitions: same::definitions(config),
            features: columns,
            algorithm: config.cluster.algorithm.to_string(),
            k: tiers.tiers.len(),
            centroids: tiers
                .centroids
                .outer_iter()
                .map(|row| row.to_vec())
                .collect(),
            inertia: clusters.clustering.inertia,
            n_iter: clusters.clustering.n_iter,
            converged: clusters.clustering.converged,
            seed: config.cluster.seed,
            rank_by: config.tiers.rank_by,
            customers: customers.len() as u64,
            scores,
            tiers: tiers.tiers.clone(),
        }
    }

    /// Reads the text of a model file.
    ///
    /// # Errors
    /// [`Error::ModelNewer`], [`Error::ModelSyntax`], [`Error::ModelBroken`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let syntax = |source| Error::ModelSyntax {
            path: path.to_owned(),
            source,
        };
        let document: Value = serde_json::from_str(text).map_err(syntax)?;
        let found = document
            .get("format_version")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if FORMAT_VERSION < found {
            return Err(Error::ModelNewer {
                path: path.to_owned(),
                found,
                known: FORMAT_VERSION,
            });
        }
        // From the text and not from the value above: only that way floats keep their last bit.
        let model: Self = serde_json::from_str(text).map_err(syntax)?;
        shape::check(&model, path)?;
        Ok(model)
    }

    /// Refuses a config under which the numbers would mean something else.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] with the first setting that differs.
    pub fn check(&self, config: &Config, path: &Path) -> Result<()> {
        same::check(self, config, path)
    }

    /// Centroids as a matrix, in order of rank.
    pub(super) fn centroid_matrix(&self) -> Array2<f64> {
        let mut matrix = Array2::zeros((self.k, self.features.len()));
        for (mut row, centroid) in matrix.outer_iter_mut().zip(&self.centroids) {
            for (cell, &value) in row.iter_mut().zip(centroid) {
                *cell = value;
            }
        }
        matrix
    }
}
