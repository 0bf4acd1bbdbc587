//! model.json: everything that `assign` needs.
//!
//! In: what the stages found. Out: a [`Model`], and the refusal of one that does not fit the config.
//! Invariant: a model that was written and read again is the same to the last bit.

mod fitted;
mod same;
mod shape;

pub(super) use fitted::fitted;

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::{BandGrid, Bands, Clusters, Likelihoods, Mixture, Placer, Shape};
use crate::config::{Config, Feature, Method};
use crate::error::{Error, Result};
use crate::features::{Fitted, raw};
use crate::load::Customers;
use crate::rules::{FittedRules, ScoreCuts};
use crate::tiers::{Tier, Tiers, band_code as code};

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
    /// How the tiers divide the space.
    pub method: Method,
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
    /// With `algorithm = "gmm"`: the components beside their means, which are the centroids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// With `method = "breaks"`: the bands of each feature; the code of a tier says in which it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<Vec<FeatureBands>>,
    /// Cut points of the scores.
    pub scores: ScoreCuts,
    /// The rules of the config with the cut points that they found; `assign` uses them unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<FittedRules>,
    /// Best first.
    pub tiers: Vec<Tier>,
}

/// Where one feature is cut: an entry of `breaks` in model.json and tiers.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureBands {
    /// Which quantity of a customer.
    pub feature: Feature,
    /// Upper bound of each band but the last, inclusive, in the unit of the feature.
    pub cut_points: Vec<f64>,
    /// Mean of each band, scaled.
    pub centers: Vec<f64>,
    /// Customers in each band.
    pub customers: Vec<u64>,
    /// Sum of squared distances to the mean of the own band, scaled.
    pub within_ss: f64,
    /// Goodness of variance fit, 0 to 1.
    pub gvf: f64,
}

impl Model {
    /// Puts together what the stages found.
    pub(super) fn new(
        config: &Config,
        customers: &Customers,
        columns: Vec<Fitted>,
        clusters: &Clusters,
        parts: (&Tiers, ScoreCuts, Option<FittedRules>),
    ) -> Result<Self> {
        let (tiers, scores, rules) = parts;
        let (mixture, breaks) = match &clusters.clustering.shape {
            Shape::Centroids => (None, None),
            Shape::Mixture(mixture) => (Some(mixture.of(&tiers.clusters)), None),
            Shape::Bands(grid) => (None, Some(feature_bands(customers, &columns, grid)?)),
        };
        Ok(Self {
            format_version: FORMAT_VERSION,
            tiermill_version: env!("CARGO_PKG_VERSION").to_owned(),
            as_of: customers.as_of.text.clone(),
            definitions: same::definitions(config),
            features: columns,
            method: config.cluster.method,
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
            mixture,
            breaks,
            scores,
            rules,
            tiers: tiers.tiers.clone(),
        })
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
        let mut model: Self = serde_json::from_str(text).map_err(syntax)?;
        shape::check(&model, path)?;
        if let Some(fitted) = &mut model.rules {
            fitted.rules = fitted
                .rules
                .clone()
                .under(same::meaning(&model.definitions));
            fitted.rules.check()?;
        }
        Ok(model)
    }

    /// Refuses a config under which the numbers would mean something else.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] with the first setting that differs.
    pub fn check(&self, config: &Config, path: &Path) -> Result<()> {
        same::check(self, config, path)
    }

    /// What places a customer in a tier.
    ///
    /// # Errors
    /// [`Error::ModelPart`] where the parts of the model do not fit together.
    pub fn placer(&self) -> Result<Placer> {
        if let Some(mixture) = &self.mixture {
            let likelihoods = Likelihoods::new(self.centroid_matrix(), mixture);
            return likelihoods
                .map(Placer::Likeliest)
                .ok_or(Error::ModelPart { part: "mixture" });
        }
        let Some(breaks) = &self.breaks else {
            return Ok(Placer::Nearest(self.centroid_matrix()));
        };
        let broken = Error::ModelPart { part: "breaks" };
        let fits = breaks.len() == self.features.len()
            && breaks.iter().zip(&self.features).all(|(bands, column)| {
                bands.feature == column.name
                    && bands.centers.len() == bands.cut_points.len() + 1
                    && bands.cut_points.is_sorted()
            });
        if !fits {
            return Err(broken);
        }
        let columns = breaks
            .iter()
            .zip(&self.features)
            .map(|(bands, column)| Bands {
                cuts: bands
                    .cut_points
                    .iter()
                    .map(|&cut| column.apply(cut) + 0.0)
                    .collect(),
                centers: bands.centers.clone(),
                sizes: bands.customers.clone(),
                within_ss: bands.within_ss,
                gvf: bands.gvf,
            });
        let grid = BandGrid {
            columns: columns.collect(),
        };
        let names: Vec<Feature> = self.features.iter().map(|column| column.name).collect();
        let of_cell = |cell: usize| {
            let code = code(&grid, cell, &names);
            let tier = self.tiers.iter().position(|tier| tier.code == code)?;
            u32::try_from(tier).ok()
        };
        let tiers: Option<Vec<u32>> = (0..grid.len()).map(of_cell).collect();
        tiers
            .map(|tiers| Placer::Bands(grid.clone(), tiers))
            .ok_or(broken)
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

/// The bands of each feature in its own unit: the greatest value that lies in each.
fn feature_bands(
    customers: &Customers,
    columns: &[Fitted],
    grid: &BandGrid,
) -> Result<Vec<FeatureBands>> {
    let one = |(column, bands): (&Fitted, &Bands)| {
        let mut greatest = vec![f64::NEG_INFINITY; bands.len()];
        for &value in raw(customers, column.name)?.iter() {
            let band = bands.band(column.apply(value) + 0.0);
            greatest[band] = greatest[band].max(value);
        }
        greatest.truncate(bands.cuts.len());
        Ok(FeatureBands {
            feature: column.name,
            cut_points: greatest,
            centers: bands.centers.clone(),
            customers: bands.sizes.clone(),
            within_ss: bands.within_ss,
            gvf: bands.gvf,
        })
    };
    columns.iter().zip(&grid.columns).map(one).collect()
}
