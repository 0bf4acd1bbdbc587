//! Settings: what a user may say becomes what a stage must know.
//!
//! In: flags and the text of `tiermill.toml`. Out: [`Config`], typed, complete and checked.
//! Invariant: every default stands in [`defaults`], but for the names of the columns of a ready customer table, which mean
//! nothing elsewhere, and the weight 1 of a feature; no stage sees an [`Options`]. It opens no file.

mod check;
mod file;
mod options;
mod rules;
mod values;

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use toml::Table;

pub use check::parse_moment;
pub use file::{merge, parse};
pub use options::{
    ClusterOptions, CodeName, FeatureOptions, FeaturesOptions, InputOptions, Options,
    OutputOptions, RfmOptions, RulesOptions, TiersOptions, catalogue,
};
pub use rules::{is_config_key, is_rule_file, with_rules};
pub use values::{
    Algorithm, Count, Days, Dialect, Feature, Format, K, Level, Method, Monetary, Recency, Refunds,
    Scale, Share, TimeType, Transform, grouped,
};

use crate::error::Result;

/// The file that marks a folder as one of runs: `store` writes it, and `load` does not read such a folder as input.
pub const RUNS_MARK: &str = ".tiermill";
/// The most clusters that can be asked for: more tiers than this nobody can tell apart.
pub const MAX_K: usize = 50;

/// Every setting, typed and checked. Made from [`Options`], the only thing that a stage is given.
#[derive(Debug, Clone)]
pub struct Config {
    /// For `load`.
    pub input: InputConfig,
    /// For `load`: the definitions of R, F and M.
    pub rfm: RfmConfig,
    /// For `features`, in column order.
    pub features: Vec<FeatureConfig>,
    /// For `cluster`.
    pub cluster: ClusterConfig,
    /// For `tiers`.
    pub tiers: TiersConfig,
    /// For `rules`; `None`: customers get no segments.
    pub rules: Option<RulesConfig>,
    /// For `store` and `cli`.
    pub output: OutputConfig,
    /// The same settings as they would be written down; for the manifest and `tiermill config`.
    pub effective: Options,
}

/// Where the rows are and what their columns mean.
#[derive(Debug, Clone)]
pub struct InputConfig {
    /// Files, folders and globs, at least one.
    pub paths: Vec<String>,
    /// Column of the customer.
    pub customer: String,
    /// What a row is, with the columns that this needs.
    pub columns: Columns,
    /// SQL condition for the rows that count.
    pub filter: Option<String>,
    /// Exact duplicate rows count once.
    pub deduplicate: bool,
    /// Zone whose midnights count.
    pub timezone: Option<Tz>,
    /// Decimals of the fixed point.
    pub decimals: u32,
    /// Share of faulty rows above which nothing is published.
    pub max_rejected: f64,
    /// Rows of each reason that are kept for rejected.parquet.
    pub rejected_cap: usize,
}

/// The columns that a row of each level has.
#[derive(Debug, Clone)]
pub enum Columns {
    /// A row is an order, an order line or an event.
    Orders {
        /// Time of the order.
        time: String,
        /// Column or SQL expression of the amount; `None` for an activity log.
        amount: Option<String>,
        /// Column that is the same for all lines of an order.
        order: Option<String>,
        /// Column with the type of an event, and what each type is worth.
        events: Option<(String, BTreeMap<String, f64>)>,
    },
    /// A row is a customer.
    Customers {
        /// Days since the last order.
        recency: String,
        /// Number of orders.
        frequency: String,
        /// Amount.
        monetary: String,
        /// Days since the first order, where there is such a column.
        tenure: Option<String>,
    },
}

/// What R, F and M mean (DESIGN §2).
#[derive(Debug, Clone)]
pub struct RfmConfig {
    /// Moment to look from; `None`: midnight after the newest order.
    pub as_of: Option<AsOf>,
    /// Days before as-of that count; `None`: all.
    pub window: Option<Days>,
    /// Widest gap before the newest orders that is believed.
    pub max_gap: Days,
    /// What F counts.
    pub count: Count,
    /// How R is rounded.
    pub recency: Recency,
    /// Whether M is a total or a mean per order.
    pub monetary: Monetary,
    /// What negative amounts are.
    pub refunds: Refunds,
}

/// A moment as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// Without zone: the wall clock of the data.
    Local(NaiveDateTime),
    /// With an offset: one instant everywhere.
    Instant(DateTime<FixedOffset>),
}

impl AsOf {
    /// The same time of day, `days` later (earlier below 0); `None` beyond the calendar.
    pub fn plus_days(self, days: i64) -> Option<Self> {
        let days = TimeDelta::try_days(days)?;
        match self {
            Self::Local(wall) => wall.checked_add_signed(days).map(Self::Local),
            Self::Instant(instant) => instant.checked_add_signed(days).map(Self::Instant),
        }
    }

    /// Whether it lies after another moment: as instants where both are, else by what their own clocks show.
    pub fn is_after(self, other: Self) -> bool {
        if let (Self::Instant(own), Self::Instant(other)) = (self, other) {
            return other < own;
        }
        let wall = |moment: Self| match moment {
            Self::Local(wall) => wall,
            Self::Instant(instant) => instant.naive_local(),
        };
        wall(other) < wall(self)
    }
}

/// How one feature becomes one column of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureConfig {
    /// Which feature.
    pub feature: Feature,
    /// Its transform.
    pub transform: Transform,
    /// Its scale.
    pub scale: Scale,
    /// Factor after scaling, above 0.
    pub weight: f64,
    /// Share of customers clipped at each end, below 0.5; `None`: no clipping.
    pub winsorise: Option<f64>,
}

/// How clusters are found.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Clusters of the matrix.
    pub method: Method,
    /// Who computes them.
    pub algorithm: Algorithm,
    /// How many.
    pub k: K,
    /// Smallest k that `auto` tries, from 2.
    pub k_min: usize,
    /// Largest k that `auto` tries, at least `k_min`.
    pub k_max: usize,
    /// Bands of each feature, with breaks.
    pub bands: usize,
    /// Columns of the matrix, in order.
    pub columns: Vec<Feature>,
    /// Restarts.
    pub n_runs: usize,
    /// Iterations at which a restart is given up.
    pub max_iter: u64,
    /// Seed of the random starts.
    pub seed: u64,
    /// Share of the customers under which a cluster is reported as small.
    pub min_share: f64,
}

/// How clusters are ranked and named.
#[derive(Debug, Clone)]
pub struct TiersConfig {
    /// Feature whose mean ranks the tiers.
    pub rank_by: Feature,
    /// English names by rank.
    pub names: Option<Vec<String>>,
    /// Chinese names by rank.
    pub names_zh: Option<Vec<String>>,
    /// Names by code.
    pub code_names: BTreeMap<String, CodeName>,
}

/// Fixed rules beside the tiers.
#[derive(Debug, Clone, PartialEq)]
pub struct RulesConfig {
    /// A built-in map.
    pub map: Option<String>,
    /// A rule file, or what is laid over the map.
    pub definition: Table,
}

/// What is written, and where.
#[derive(Debug, Clone)]
pub struct OutputConfig {
    /// Folder of the runs.
    pub out: String,
    /// Human or JSON.
    pub format: Format,
    /// No progress.
    pub quiet: bool,
    /// Whether the k table is printed.
    pub explain: bool,
    /// Threads; `None`: all cores.
    pub threads: Option<usize>,
}

/// What a comparison has to know; `input` is only needed where the tierings do not bring R, F and M with them.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// For `features`: the space in which both sides are measured.
    pub features: Vec<FeatureConfig>,
    /// Seed of random tiers.
    pub seed: u64,
    /// Column of the customer, where it is set.
    pub customer: Option<String>,
    /// The rules of the config, where it has some.
    pub rules: Option<RulesConfig>,
    /// For `cli`; `out` only counts where it is a flag.
    pub output: OutputConfig,
    /// Everything else, where an input is set.
    pub job: Option<Config>,
}

/// The table of constants: what holds when nobody says otherwise.
pub fn defaults() -> Options {
    Options {
        input: InputOptions {
            level: Some(Level::Orders),
            deduplicate: Some(false),
            decimals: Some(4),
            max_rejected: Some(Share(0.01)),
            ..InputOptions::default()
        },
        rfm: RfmOptions {
            max_gap: Some(Days(30)),
            count: Some(Count::Orders),
            recency: Some(Recency::Floor),
            monetary: Some(Monetary::Sum),
            refunds: Some(Refunds::Net),
            ..RfmOptions::default()
        },
        features: FeaturesOptions {
            features: Some(vec![
                Feature::RecencyDays,
                Feature::Frequency,
                Feature::Monetary,
            ]),
            transform: Some(Transform::Log1p),
            scale: Some(Scale::Zscore),
            ..FeaturesOptions::default()
        },
        cluster: ClusterOptions {
            method: Some(Method::Kmeans),
            algorithm: Some(Algorithm::Lloyd),
            k: Some(K::Auto),
            k_min: Some(2),
            k_max: Some(10),
            bands: Some(2),
            n_runs: Some(10),
            max_iter: Some(300),
            seed: Some(42),
            min_share: Some(Share(0.01)),
        },
        tiers: TiersOptions {
            rank_by: Some(Feature::Monetary),
            ..TiersOptions::default()
        },
        rules: RulesOptions::default(),
        output: OutputOptions {
            out: Some("out".to_owned()),
            format: Some(Format::Human),
            quiet: Some(false),
            explain: Some(false),
            rejected_cap: Some(10_000),
            ..OutputOptions::default()
        },
    }
}

impl Config {
    /// Flags over file over defaults, checked.
    ///
    /// # Errors
    /// A value out of its range, a setting that is missing, or two that contradict each other.
    pub fn new(flags: &Options, file: &Options) -> Result<Self> {
        Self::try_from(merge([flags, file, &Options::default()])?)
    }

    /// The same job with another method. What belongs to the first one is left out: a number of tiers and their names, and
    /// features that bands are not made of.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn with_method(&self, method: Method) -> Result<Self> {
        if self.cluster.method == method {
            return Ok(self.clone());
        }
        let mut options = self.effective.clone();
        options.cluster.method = Some(method);
        options.cluster.k = Some(K::Auto);
        options.features.features = defaults().features.features;
        options.tiers.tier_names = None;
        options.tiers.tier_names_zh = None;
        options.tiers.code_names = None;
        Self::try_from(options)
    }

    /// The same for a comparison, which may do without an input.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn for_comparison(flags: &Options, file: &Options) -> Result<CompareConfig> {
        check::for_comparison(&merge([flags, file, &Options::default()])?)
    }
}
