//! model.json: everything that `assign` needs.
//!
//! In: what the stages found. Out: a [`Model`], and the refusal of one that does not fit the config.
//! Invariant: a model that was written and read again is the same to the last bit.

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cluster::Clusters;
use crate::config::{Columns, Config, Feature, K};
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
    /// What R, F and M meant: a model is only good for numbers that mean the same.
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
            definitions: definitions(config),
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
        model.check_shape(path)?;
        Ok(model)
    }

    fn check_shape(&self, path: &Path) -> Result<()> {
        let broken = |what: &str, found: usize, expected: usize| Error::ModelBroken {
            path: path.to_owned(),
            what: what.to_owned(),
            found,
            expected,
        };
        if self.tiers.len() != self.k {
            return Err(broken("tiers", self.tiers.len(), self.k));
        }
        if self.centroids.len() != self.k {
            return Err(broken("centroids", self.centroids.len(), self.k));
        }
        for centroid in &self.centroids {
            if centroid.len() != self.features.len() {
                return Err(broken(
                    "coordinates in a centroid",
                    centroid.len(),
                    self.features.len(),
                ));
            }
        }
        let sound = |column: &Fitted| {
            column.spread.is_finite()
                && 0.0 < column.spread
                && column.weight.is_finite()
                && column.center.is_finite()
        };
        let unsound = self.features.iter().filter(|column| !sound(column)).count();
        if 0 < unsound {
            return Err(broken(
                "features without a finite center and a spread above 0",
                unsound,
                0,
            ));
        }
        Ok(())
    }

    /// Refuses a config under which the numbers would mean something else.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] with the first setting that differs.
    pub fn check(&self, config: &Config, path: &Path) -> Result<()> {
        let mismatch = |what: &str, model: String, config: String| Error::ModelMismatch {
            path: path.to_owned(),
            what: what.to_owned(),
            model,
            config,
        };
        let names = |features: &mut dyn Iterator<Item = Feature>| {
            let names: Vec<String> = features.map(|feature| feature.to_string()).collect();
            format!("[{}]", names.join(", "))
        };
        let ours = names(&mut self.features.iter().map(|column| column.name));
        let theirs = names(&mut config.features.iter().map(|column| column.feature));
        if ours != theirs {
            return Err(mismatch("features", ours, theirs));
        }
        for (ours, theirs) in self.features.iter().zip(&config.features) {
            let share = |share: Option<f64>| {
                share.map_or_else(|| "none".to_owned(), |share| share.to_string())
            };
            let settings = [
                (
                    "transform",
                    ours.transform.to_string(),
                    theirs.transform.to_string(),
                ),
                ("scale", ours.scale.to_string(), theirs.scale.to_string()),
                ("weight", ours.weight.to_string(), theirs.weight.to_string()),
                ("winsorise", share(ours.winsorise), share(theirs.winsorise)),
            ];
            for (key, model, config) in settings {
                if model != config {
                    return Err(mismatch(&format!("{}.{key}", ours.name), model, config));
                }
            }
        }
        if let K::Fixed(k) = config.cluster.k
            && k != self.k
        {
            return Err(mismatch("k", self.k.to_string(), k.to_string()));
        }
        for (key, theirs) in definitions(config) {
            let ours = self.definitions.get(&key).cloned().unwrap_or(Value::Null);
            if ours != theirs {
                return Err(mismatch(&key, written(&ours), written(&theirs)));
            }
        }
        Ok(())
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

/// A setting as it stands in the config.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The settings that say what R, F and M are. Names of columns are not among them: tables may differ, numbers may not.
fn definitions(config: &Config) -> Map<String, Value> {
    let rfm = &config.rfm;
    let (level, amount) = match &config.input.columns {
        Columns::Orders {
            events: Some((_, weights)),
            ..
        } => ("orders", json!({ "weights": weights })),
        Columns::Orders { amount: None, .. } => ("orders", json!("rows")),
        Columns::Orders { .. } => ("orders", json!("amounts")),
        Columns::Customers { .. } => ("customers", json!("ready")),
    };
    let mut map = Map::new();
    map.insert("level".to_owned(), json!(level));
    map.insert("monetary-of".to_owned(), amount);
    map.insert("monetary".to_owned(), json!(rfm.monetary));
    map.insert("count".to_owned(), json!(rfm.count));
    map.insert("recency".to_owned(), json!(rfm.recency));
    map.insert("refunds".to_owned(), json!(rfm.refunds));
    map.insert("window".to_owned(), json!(rfm.window));
    map.insert("decimals".to_owned(), json!(config.input.decimals));
    map
}
