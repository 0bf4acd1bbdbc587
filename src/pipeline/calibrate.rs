//! `tiermill calibrate`: cut points, clusters as rules, and how cut points moved over past runs.
//!
//! In: the settings, a model or none, what is wanted. Out: [`Calibrated`], and four files where a folder was named.
//! Invariant: nothing is written unless a folder is named, and that is opened before the input. What a run writes of this
//! ([`of_run`]) is a function of its input and config, and knows no other run.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::Serialize;
use serde_json::Value;

use super::model::{Model, fitted};
use super::rule_sets::rule_set;
use super::{Observer, Stage};
use crate::calibrate::{
    Calibration, ClusterRules, Faith, Resampling, Tiered, Wanted, calibrate as cut, cluster_rules,
    sql,
};
use crate::config::{Config, Method, Share, parse_moment};
use crate::error::{Result, Warning};
use crate::features;
use crate::load::{Customers, load};
use crate::rules::Meaning;
use crate::store::{LooseFolder, Staging, documents_of_runs, read_model};
use crate::tiers::{Placements, place};

/// Bins of a thorough bootstrap, and resamples and bins of one that a run can afford every night.
const BINS: usize = 4_096;
const NIGHTLY_RESAMPLES: usize = 50;
const NIGHTLY_BINS: usize = 512;
/// Past runs whose cut points are told.
const RUNS_TOLD: usize = 90;
/// The document of a run that holds them.
const DOCUMENT: &str = "thresholds.json";

/// What is asked.
#[derive(Debug, Clone)]
pub struct Calibrating {
    /// The model whose tiers count; none: those that the config finds.
    pub model: Option<PathBuf>,
    /// Which thresholds thresholds.toml holds.
    pub wanted: Wanted,
    /// How faithful the clusters as rules shall be.
    pub faith: Faith,
    /// Resamples behind the intervals.
    pub resamples: usize,
    /// Folder of the runs whose cut points are told.
    pub runs: PathBuf,
    /// Folder for thresholds.toml, thresholds.json, thresholds.sql and clusters.toml.
    pub out: Option<PathBuf>,
}

/// thresholds.json, as `tiermill calibrate` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Calibrated {
    /// What was found in the customers.
    #[serde(flatten)]
    pub calibration: Calibration,
    /// The clusters as rules.
    pub clusters_as_rules: ClusterRules,
    /// Cut points of past runs, the oldest first.
    pub history: Vec<PastCuts>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// The files that were written.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
}

/// Cut points as a past run found them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastCuts {
    /// The run.
    pub run_id: String,
    /// What it looked from, ISO 8601.
    pub as_of: String,
    /// Recency, frequency or monetary.
    pub dimension: String,
    /// The scheme.
    pub scheme: String,
    /// Bands.
    pub bands: u64,
    /// Upper bounds, inclusive.
    pub cut_points: Vec<f64>,
}

/// Calibrates.
///
/// # Errors
/// Whatever a stage refuses; a model that does not fit the config.
pub fn calibrate(
    config: &Config,
    asked: &Calibrating,
    observe: Observer<'_>,
) -> Result<Calibrated> {
    let folder = asked.out.as_deref().map(LooseFolder::open).transpose()?;
    let rules = rule_set(config)?;
    let model = asked
        .model
        .as_deref()
        .map(|path| given(config, path))
        .transpose()?;
    let (history, unread) = history(&asked.runs)?;
    observe(Stage::Load);
    let loaded = load(&config.input, &config.rfm)?;
    let customers = &loaded.customers;
    let mut warnings = loaded.warnings;
    warnings.extend(unread);
    observe(Stage::Cluster);
    let (model, matrix) = if let Some(model) = model {
        let matrix = features::matrix(customers, &model.features)?;
        (model, matrix)
    } else {
        let (model, matrix, told) = fitted(&config.with_method(Method::Kmeans)?, customers)?;
        warnings.extend(told);
        (model, matrix)
    };
    let placements = place(matrix.view(), &model.placer()?);
    observe(Stage::Calibrate);
    let of_rules = rules
        .as_ref()
        .map(|rules| rules.fit(customers))
        .transpose()?;
    let resampling = Resampling {
        resamples: asked.resamples,
        seed: config.cluster.seed,
        bins: BINS,
    };
    let names = names(&model);
    let wanted = Wanted {
        tiers_as_of: Some(known_until(&model, customers)?.to_owned()),
        ..asked.wanted.clone()
    };
    let calibration = cut(
        customers,
        (&names, &placements.tiers),
        of_rules.as_ref(),
        (&wanted, resampling),
    )?;
    let tiered = (&model, &placements, &matrix);
    let how = (asked.faith, Meaning::of(config));
    let clusters_as_rules = as_rules(customers, tiered, how)?;
    warnings.extend(thin_bands(&calibration, config.cluster.min_share));
    warnings.extend(doubts(&clusters_as_rules));
    let mut calibrated = Calibrated {
        calibration,
        clusters_as_rules,
        history,
        warnings,
        files: Vec::new(),
    };
    if let Some(folder) = folder {
        calibrated.files = write(&folder, &calibrated)?;
    }
    Ok(calibrated)
}

/// The tiers of a model as rules.
fn as_rules(
    customers: &Customers,
    (model, placements, matrix): (&Model, &Placements, &Array2<f64>),
    (faith, meaning): (Faith, Meaning),
) -> Result<ClusterRules> {
    let features: Vec<_> = model.features.iter().map(|column| column.name).collect();
    let tiered = Tiered {
        tiers: &model.tiers,
        labels: &placements.tiers,
        features: &features,
        matrix: matrix.view(),
        meaning,
        as_of: known_until(model, customers)?,
    };
    cluster_rules(customers, &tiered, faith)
}

/// As-of of the data behind the tiers: a given model may have seen later orders than the customers.
fn known_until<'a>(model: &'a Model, customers: &'a Customers) -> Result<&'a str> {
    let own = customers.as_of.text.as_str();
    let of_model = parse_moment("as_of", &model.as_of)?;
    Ok(if of_model.is_after(parse_moment("as_of", own)?) {
        &model.as_of
    } else {
        own
    })
}

fn write(folder: &LooseFolder, calibrated: &Calibrated) -> Result<Vec<PathBuf>> {
    let Calibrated {
        calibration,
        clusters_as_rules,
        ..
    } = calibrated;
    let thresholds = &calibration.thresholds;
    let query = sql(thresholds, Some(clusters_as_rules), &calibration.as_of);
    Ok(vec![
        folder.text("thresholds.toml", &thresholds.toml)?,
        folder.json(DOCUMENT, calibrated)?,
        folder.text("thresholds.sql", &query)?,
        folder.text("clusters.toml", &clusters_as_rules.toml)?,
    ])
}

/// The model of a file, if it is for these numbers. Its rules do not matter: those of the config are looked at.
fn given(config: &Config, path: &Path) -> Result<Model> {
    let mut model = Model::parse(&read_model(path)?, path)?;
    model.rules = None;
    let without_rules = Config {
        rules: None,
        ..config.clone()
    };
    model.check(&without_rules, path)?;
    Ok(model)
}

fn names(model: &Model) -> Vec<String> {
    model.tiers.iter().map(|tier| tier.name.clone()).collect()
}

/// Bands of thresholds.toml that hold hardly anybody: a segment of them is not worth a campaign.
fn thin_bands(calibration: &Calibration, min_share: f64) -> Option<Warning> {
    let chosen = &calibration.thresholds;
    let mut thin = Vec::new();
    for (feature, schemes) in calibration.dimensions.all() {
        // As the thresholds themselves: where there are too few values, those of fewer bands.
        let Some(entry) = schemes.entry_up_to(&chosen.scheme, chosen.bands) else {
            continue;
        };
        for (at, &customers) in entry.rounded.customers.iter().enumerate() {
            let share = customers as f64 / calibration.customers as f64;
            if share < min_share {
                let cuts = &entry.rounded.cut_points;
                let below = at.checked_sub(1).and_then(|before| cuts.get(before));
                let band = match (below, cuts.get(at)) {
                    (Some(low), Some(high)) => format!("over {low} to {high}"),
                    (None, Some(high)) => format!("up to {high}"),
                    (Some(low), None) => format!("over {low}"),
                    (None, None) => "of all".to_owned(),
                };
                let percent = share * 100.0;
                thin.push(format!("{feature} {band} ({customers}, {percent:.2} %)"));
            }
        }
    }
    let scheme = &chosen.scheme;
    (!thin.is_empty()).then(|| {
        Warning::new(
            "thin_band",
            format!(
                "bands of thresholds.toml (`{scheme}`) hold fewer than {} of the customers: {}; try other `--bands`, or another `--scheme`",
                Share(min_share).percent(),
                thin.join(", ")
            ),
        )
    })
}

/// What speaks against using the rules.
fn doubts(rules: &ClusterRules) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if rules.fidelity < rules.wanted {
        warnings.push(Warning::new(
            "low_fidelity",
            format!(
                "rules from {} leaves put {:.1} % of the customers in their tier, fewer than the {:.1} % asked for; raise `--max-rules`, or lower `--fidelity`",
                rules.leaves,
                rules.fidelity * 100.0,
                rules.wanted * 100.0
            ),
        ));
    }
    if !rules.unreached.is_empty() {
        warnings.push(Warning::new(
            "tier_without_rule",
            format!("no rule leads to {}", rules.unreached.join(", ")),
        ));
    }
    warnings
}

/// The thresholds that a run publishes.
///
/// # Errors
/// As [`cut`].
pub(super) fn of_run(
    customers: &Customers,
    model: &Model,
    placements: &Placements,
    min_share: f64,
) -> Result<Calibration> {
    let wanted = Wanted {
        min_share,
        ..Wanted::default()
    };
    let resampling = Resampling {
        resamples: NIGHTLY_RESAMPLES,
        seed: model.seed,
        bins: NIGHTLY_BINS,
    };
    cut(
        customers,
        (&names(model), &placements.tiers),
        model.rules.as_ref(),
        (&wanted, resampling),
    )
}

/// Writes them into the folder of the run.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io).
pub(super) fn stage(staging: &mut Staging<'_>, calibration: &Calibration) -> Result<()> {
    let thresholds = &calibration.thresholds;
    staging.text("thresholds.toml", &thresholds.toml)?;
    staging.json(DOCUMENT, calibration)?;
    staging.text("thresholds.sql", &sql(thresholds, None, &calibration.as_of))
}

/// The cut points of the latest past runs that have some, and the runs whose document is none. What another version wrote in
/// another way is passed over.
fn history(folder: &Path) -> Result<(Vec<PastCuts>, Option<Warning>)> {
    let mut runs: Vec<Vec<PastCuts>> = Vec::new();
    let mut unread = Vec::new();
    for (run_id, text) in documents_of_runs(folder, DOCUMENT)? {
        match serde_json::from_str(&text) {
            Ok(document) => runs.push(past(&run_id, &document)),
            Err(_) => unread.push(run_id),
        }
    }
    runs.retain(|cuts| !cuts.is_empty());
    runs.sort_by(|a, b| (&a[0].as_of, &a[0].run_id).cmp(&(&b[0].as_of, &b[0].run_id)));
    let told = runs.len().saturating_sub(RUNS_TOLD);
    let warning = (!unread.is_empty()).then(|| {
        Warning::new(
            "unreadable_history",
            format!(
                "{DOCUMENT} of these past runs is no JSON, so that they are not told: {}",
                unread.join(", ")
            ),
        )
    });
    Ok((runs.split_off(told).concat(), warning))
}

fn past(run_id: &str, document: &Value) -> Vec<PastCuts> {
    let as_of = document["as_of"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    for (dimension, schemes) in document["dimensions"].as_object().into_iter().flatten() {
        for (scheme, entries) in schemes.as_object().into_iter().flatten() {
            for entry in entries.as_array().into_iter().flatten() {
                let cuts = entry["cut_points"].as_array();
                let cuts: Option<Vec<f64>> =
                    cuts.and_then(|cuts| cuts.iter().map(Value::as_f64).collect());
                let (Some(bands), Some(cut_points)) = (entry["bands"].as_u64(), cuts) else {
                    continue;
                };
                found.push(PastCuts {
                    run_id: run_id.to_owned(),
                    as_of: as_of.to_owned(),
                    dimension: dimension.clone(),
                    scheme: scheme.clone(),
                    bands,
                    cut_points,
                });
            }
        }
    }
    found
}
