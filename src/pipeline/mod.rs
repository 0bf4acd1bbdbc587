//! The jobs, readable aloud.
//!
//! In: a [`Config`]. Out: a published run, and a [`Report`] of it for people and programs.
//! Invariant: the output folder is opened before the input, and nothing is published before everything is written.
//! It prints nothing: it tells an observer which stage begins.

mod backtest;
mod calibrate;
mod compare;
mod generate;
mod model;
mod publish;
mod report;
mod rule_sets;
mod sql;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::Array2;
use ring::digest::{Context, SHA256, digest};
use serde::Serialize;
use serde_json::{Map, Value};

pub use backtest::{Asked, Backtested, backtest};
pub use calibrate::{Calibrated, Calibrating, PastCuts, calibrate};
pub use compare::{Compared, Coverage, Question, compare};
pub use generate::{Generated, IdType, generate};
pub use model::{FORMAT_VERSION, Model};
pub use report::{PageAsked, PageWritten, report};
pub use rule_sets::{Frozen, freeze, rule_set};
pub use sql::{SqlRequest, sql};
pub use tables::TiersDocument;

use crate::cluster::{Quality, cluster};
use crate::config::{Config, Days, RfmConfig};
use crate::error::{Error, Result, Warning};
use crate::features::sketch::{Sketched, sketch};
use crate::load::{Customers, Loaded, Reconciliation, load, survey};
use crate::rules::RuleSet;
use crate::store::{ModelFile, RunFolder, read_model};
use crate::{features, rules, tiers};

/// A stage of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Parquet → customers.
    Load,
    /// Customers → matrix.
    Features,
    /// Matrix → clusters.
    Cluster,
    /// Clusters → tiers, customers → assignments.
    Tiers,
    /// Two tierings → what differs between them.
    Compare,
    /// Customers and tiers → thresholds.
    Calibrate,
    /// Everything → files.
    Write,
}

impl Stage {
    /// The stages of a run, in order.
    pub const ALL: [Self; 5] = [
        Self::Load,
        Self::Features,
        Self::Cluster,
        Self::Tiers,
        Self::Write,
    ];

    /// The stages of a run with rules, in order.
    pub const WITH_RULES: [Self; 6] = [
        Self::Load,
        Self::Features,
        Self::Cluster,
        Self::Tiers,
        Self::Compare,
        Self::Write,
    ];

    /// The stages of a comparison, in order.
    pub const OF_COMPARISON: [Self; 3] = [Self::Load, Self::Cluster, Self::Compare];

    /// The stages of each fold of a backtest, in order.
    pub const OF_BACKTEST: [Self; 3] = [Self::Load, Self::Tiers, Self::Compare];

    /// The stages of a calibration, in order.
    pub const OF_CALIBRATION: [Self; 3] = [Self::Load, Self::Cluster, Self::Calibrate];

    /// Its name in timings and progress.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Features => "features",
            Self::Cluster => "cluster",
            Self::Tiers => "tiers",
            Self::Compare => "compare",
            Self::Calibrate => "calibrate",
            Self::Write => "write",
        }
    }
}

/// Told which stage begins.
pub type Observer<'a> = &'a mut dyn FnMut(Stage);

/// What a job did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `run`, `fit` or `assign`.
    pub command: &'static str,
    /// Name of the run.
    pub run_id: String,
    /// Its folder.
    pub directory: PathBuf,
    /// Where every row went.
    pub rows: Reconciliation,
    /// tiers.json.
    #[serde(flatten)]
    pub tiers: TiersDocument,
    /// comparison.json, where the config has rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Compared>,
    /// Names of the files in `directory`.
    pub files: Vec<String>,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Input files.
    pub files: usize,
    /// As-of in force.
    pub as_of: String,
    /// Customers with at least one order.
    pub customers: u64,
    /// Where every row went.
    pub rows: Reconciliation,
    /// Rows rejected for a fault, of which `max_rejected` is the limit.
    pub faults: u64,
    /// Share of faulty rows above which nothing is published.
    pub max_rejected: f64,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// The limit that is broken, if one is.
    #[serde(skip)]
    pub broken: Option<Error>,
}

/// The nightly job: load → features → clusters → tiers → assignments → publish.
///
/// # Errors
/// Whatever a stage refuses; then nothing is published.
pub fn run(config: &Config, observe: Observer<'_>) -> Result<Report> {
    let job = Job::open("run", config, observe)?;
    job.fit_and_publish(true)
}

/// Fits a model and publishes it without assignments; `current` stays where it is.
///
/// # Errors
/// Whatever a stage refuses; then nothing is published.
pub fn fit(config: &Config, observe: Observer<'_>) -> Result<Report> {
    let job = Job::open("fit", config, observe)?;
    job.fit_and_publish(false)
}

/// Gives every customer a tier of a saved model, and publishes the assignments.
///
/// # Errors
/// A model that cannot be read or was fitted under another config; whatever a stage refuses.
pub fn assign(config: &Config, model: &Path, observe: Observer<'_>) -> Result<Report> {
    let mut job = Job::open("assign", config, observe)?;
    let text = read_model(model)?;
    job.model = Some(ModelFile {
        path: model.display().to_string(),
        sha256: hex::encode(digest(&SHA256, text.as_bytes())),
    });
    let model = {
        let parsed = Model::parse(&text, model)?;
        parsed.check(config, model)?;
        parsed
    };
    let loaded = job.stage(Stage::Load, |config| load(&config.input, &config.rfm))?;
    job.publish(
        &model,
        (&loaded, None),
        Choice {
            k_table: Vec::new(),
            k_reason: format!("the model has k = {}", model.k),
            warnings: Vec::new(),
        },
        true,
    )
}

/// Looks at the input without modelling it.
///
/// # Errors
/// What cannot be read at all; a broken limit is part of the answer.
pub fn check(config: &Config) -> Result<Checked> {
    tables::check_name(&config.input.customer)?;
    let rules = rule_set(config)?;
    let (loaded, broken) = match survey(&config.input, &config.rfm) {
        Err(limit @ Error::LoneNewestDay { .. }) => {
            // What is found if the newest day is believed.
            let rfm = RfmConfig {
                max_gap: Days(u32::MAX),
                ..config.rfm.clone()
            };
            match survey(&config.input, &rfm) {
                Ok((loaded, _)) => (loaded, Some(limit)),
                Err(_) => return Err(limit),
            }
        }
        found => found?,
    };
    Ok(Checked {
        files: loaded.inputs.len(),
        as_of: loaded.customers.as_of.text.clone(),
        customers: loaded.customers.len() as u64,
        faults: loaded.reconciliation.faults(),
        rows: loaded.reconciliation,
        max_rejected: config.input.max_rejected,
        warnings: match rules {
            Some(rules) => [loaded.warnings, rules.check()?].concat(),
            None => loaded.warnings,
        },
        broken,
    })
}

/// One job under way.
struct Job<'a> {
    command: &'static str,
    config: &'a Config,
    folder: RunFolder,
    rules: Option<RuleSet>,
    /// The model that was given; `None` where the job fits its own.
    model: Option<ModelFile>,
    observe: Observer<'a>,
    timings: Map<String, Value>,
}

/// How the number of tiers was chosen.
struct Choice {
    k_table: Vec<Quality>,
    k_reason: String,
    warnings: Vec<Warning>,
}

/// The customers in the feature space.
struct Points {
    matrix: Array2<f64>,
    /// Its sketch, where somebody has it.
    sketched: Option<Sketched>,
}

impl<'a> Job<'a> {
    fn open(command: &'static str, config: &'a Config, observe: Observer<'a>) -> Result<Self> {
        tables::check_name(&config.input.customer)?;
        if config.rules.is_some() {
            compare::check_name(&config.input.customer)?;
        }
        Ok(Self {
            command,
            config,
            rules: rule_set(config)?,
            folder: RunFolder::open(Path::new(&config.output.out))?,
            model: None,
            observe,
            timings: Map::new(),
        })
    }

    /// Runs one stage, tells the observer, and keeps the time.
    fn stage<T>(&mut self, stage: Stage, work: impl FnOnce(&Config) -> Result<T>) -> Result<T> {
        (self.observe)(stage);
        let start = Instant::now();
        let result = work(self.config);
        self.timings.insert(stage.name().to_owned(), seconds(start));
        result
    }

    fn fit_and_publish(mut self, assign: bool) -> Result<Report> {
        let loaded = self.stage(Stage::Load, |config| load(&config.input, &config.rfm))?;
        let customers = &loaded.customers;
        let (fitted, matrix, sketched) = self.stage(Stage::Features, |config| {
            let (fitted, matrix) = features::fit_transform(customers, &config.features)?;
            let sketched = sketch(matrix.view())?;
            Ok((fitted, matrix, sketched))
        })?;
        // Scores know nothing of clusters, and clusters do not keep all cores busy from beginning to end.
        let (clusters, scores) = self.stage(Stage::Cluster, |config| {
            let (clusters, scores) = rayon::join(
                || cluster(&sketched, &config.cluster),
                || rules::quintiles(customers),
            );
            Ok((clusters?, scores?))
        })?;
        let ranked = tiers::rank(
            customers,
            &fitted.columns,
            matrix.view(),
            &clusters.clustering,
            (&self.config.tiers, &self.config.cluster),
        )?;
        let fit_rules = |rules: &RuleSet| rules.fit(customers);
        let rules = self.rules.as_ref().map(fit_rules).transpose()?;
        let model = Model::new(
            self.config,
            customers,
            fitted.columns,
            &clusters,
            (&ranked, scores, rules),
        )?;
        let mut warnings = fitted.warnings;
        warnings.extend(clusters.warnings);
        warnings.extend(ranked.warnings);
        let choice = Choice {
            k_table: clusters.k_table,
            k_reason: clusters.k_reason,
            warnings,
        };
        // Only a comparison looks at the sketch again.
        let sketched = (assign && model.rules.is_some()).then_some(sketched);
        let placed = Points { matrix, sketched };
        self.publish(&model, (&loaded, Some(placed)), choice, assign)
    }

    /// The day that the run looks from, and a fingerprint of what it is a function of.
    fn run_id(&self, loaded: &Loaded) -> String {
        let customers: &Customers = &loaded.customers;
        let mut hash = Context::new(&SHA256);
        hash.update(self.command.as_bytes());
        hash.update(env!("CARGO_PKG_VERSION").as_bytes());
        hash.update(customers.as_of.text.as_bytes());
        for input in &loaded.inputs {
            hash.update(input.fingerprint.as_bytes());
        }
        let mut config = self.config.effective.clone();
        config.output = crate::config::OutputOptions::default();
        config.input.input = None;
        hash.update(&serde_json::to_vec(&config).unwrap_or_default());
        if let Some(model) = &self.model {
            hash.update(model.sha256.as_bytes());
        }
        let digest = hex::encode(hash.finish());
        format!("{}-{}", customers.as_of.date, &digest[..8])
    }
}

fn seconds(start: Instant) -> Value {
    let micros = start.elapsed().as_micros();
    Value::from((micros as f64 / 1e3).round() / 1e3)
}
