//! Settings: what a user may say becomes what a stage must know.
//!
//! In: flags and the text of `tiermill.toml`. Out: [`Config`], typed, complete and checked.
//! Invariant: every default stands in [`defaults`], and no stage sees an [`Options`]. It opens no file.

mod file;
mod options;
mod values;

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

pub use file::{merge, parse};
pub use options::{
    ClusterOptions, CodeName, FeatureOptions, FeaturesOptions, InputOptions, Options,
    OutputOptions, RfmOptions, TiersOptions, catalogue,
};
pub use values::{
    Algorithm, Count, Days, Feature, Format, K, Level, Method, Monetary, Recency, Refunds, Scale,
    Share, Transform,
};

use crate::error::{Error, Result};

/// The most clusters that can be asked for: more tiers than this nobody can tell apart.
pub const MAX_K: usize = 50;
/// Decimals beyond which the fixed point has no room for whole numbers.
const MAX_DECIMALS: u32 = 12;

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
    /// Share of faulty rows from which nothing is published.
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

/// What is written, and where.
#[derive(Debug, Clone)]
pub struct OutputConfig {
    /// Folder of the runs.
    pub out: String,
    /// Human or JSON.
    pub format: Format,
    /// No progress.
    pub quiet: bool,
    /// Threads; `None`: all cores.
    pub threads: Option<usize>,
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
            algorithm: Some(Algorithm::Linfa),
            k: Some(K::Auto),
            k_min: Some(2),
            k_max: Some(10),
            n_runs: Some(10),
            max_iter: Some(300),
            seed: Some(42),
            min_share: Some(Share(0.01)),
        },
        tiers: TiersOptions {
            rank_by: Some(Feature::Monetary),
            ..TiersOptions::default()
        },
        output: OutputOptions {
            out: Some("out".to_owned()),
            format: Some(Format::Human),
            quiet: Some(false),
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
        Self::try_from(merge([flags, file, &defaults()])?)
    }
}

impl TryFrom<Options> for Config {
    type Error = Error;

    fn try_from(options: Options) -> Result<Self> {
        let defaults = defaults();
        let cluster = cluster_config(&options.cluster, &defaults.cluster)?;
        Ok(Self {
            input: input_config(&options)?,
            rfm: rfm_config(&options.rfm, &defaults.rfm)?,
            features: feature_configs(&options.features, &defaults.features)?,
            tiers: tiers_config(&options.tiers, cluster.k)?,
            cluster,
            output: output_config(&options.output)?,
            effective: options,
        })
    }
}

/// A value that the defaults hold for certain; the second is only read for options that were built by hand.
fn or<T: Copy>(value: Option<T>, default: Option<T>, fallback: T) -> T {
    value.or(default).unwrap_or(fallback)
}

fn input_config(options: &Options) -> Result<InputConfig> {
    let input = &options.input;
    let paths = input.input.clone().unwrap_or_default();
    if paths.is_empty() {
        return Err(missing("input", "FILE|FOLDER|GLOB"));
    }
    let decimals = input.decimals.unwrap_or(4);
    if MAX_DECIMALS < decimals {
        return Err(bad_value("decimals", decimals, "0 to 12"));
    }
    let timezone = match &input.timezone {
        None => None,
        Some(name) => Some(name.parse::<Tz>().map_err(|_| {
            bad_value(
                "timezone",
                format!("\"{name}\""),
                "a zone such as `Europe/Berlin` or `UTC`",
            )
        })?),
    };
    Ok(InputConfig {
        paths,
        customer: named("customer", input.customer.as_ref())?,
        columns: match input.level.unwrap_or(Level::Orders) {
            Level::Orders => order_columns(options)?,
            Level::Customers => customer_columns(options)?,
        },
        filter: input.filter.clone(),
        deduplicate: input.deduplicate.unwrap_or(false),
        timezone,
        decimals,
        max_rejected: input.max_rejected.map_or(0.01, |share| share.0),
        rejected_cap: options.output.rejected_cap.unwrap_or(10_000),
    })
}

fn order_columns(options: &Options) -> Result<Columns> {
    let input = &options.input;
    let weights = options.features.monetary.weights.clone();
    let events = match (&input.event, weights) {
        (Some(event), Some(weights)) => {
            if let Some((name, weight)) = weights.iter().find(|(_, weight)| !weight.is_finite()) {
                return Err(bad_value(
                    &format!("weights.{name}"),
                    weight,
                    "a finite number",
                ));
            }
            Some((event.clone(), weights))
        }
        (None, Some(_)) => {
            return Err(missing("event", "COLUMN"));
        }
        (Some(_), None) => {
            return Err(Error::Missing {
                key: "weights",
                hint: "say what each event is worth: `[features.monetary] weights = { view = 1, comment = 5 }`"
                    .to_owned(),
            });
        }
        (None, None) => None,
    };
    if let (Some(amount), Some((event, _))) = (&input.amount, &events) {
        return Err(Error::Conflict {
            first: format!("`amount = \"{amount}\"`"),
            second: format!("`event = \"{event}\"` with weights"),
            hint: "M is either a sum of amounts or a weighted sum of events; drop one".to_owned(),
        });
    }
    if options.rfm.count == Some(Count::Rows) && input.order.is_some() {
        return Err(Error::Conflict {
            first: "`count = \"rows\"`".to_owned(),
            second: "`order`".to_owned(),
            hint: "drop `order` to count rows, or set `count = \"orders\"`".to_owned(),
        });
    }
    Ok(Columns::Orders {
        time: named("time", input.time.as_ref())?,
        amount: input.amount.clone(),
        order: input.order.clone(),
        events,
    })
}

fn customer_columns(options: &Options) -> Result<Columns> {
    let input = &options.input;
    let useless = [
        ("time", input.time.is_some()),
        ("amount", input.amount.is_some()),
        ("order", input.order.is_some()),
        ("event", input.event.is_some()),
        ("window", options.rfm.window.is_some()),
    ];
    if let Some((key, _)) = useless.iter().find(|&&(_, given)| given) {
        return Err(Error::Conflict {
            first: format!("`{key}`"),
            second: "`level = \"customers\"`".to_owned(),
            hint: format!("a ready customer table has no orders; drop `{key}`, or `level`"),
        });
    }
    if options.rfm.as_of.is_none() {
        return Err(Error::Missing {
            key: "as-of",
            hint: "a ready customer table has no times; say which day it describes, as in `--as-of 2024-01-31`"
                .to_owned(),
        });
    }
    let column =
        |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.to_owned());
    Ok(Columns::Customers {
        recency: column(&input.recency_column, "recency_days"),
        frequency: column(&input.frequency_column, "frequency"),
        monetary: column(&input.monetary_column, "monetary"),
        tenure: input.tenure_column.clone(),
    })
}

fn rfm_config(rfm: &RfmOptions, defaults: &RfmOptions) -> Result<RfmConfig> {
    Ok(RfmConfig {
        as_of: rfm.as_of.as_deref().map(parse_as_of).transpose()?,
        window: rfm.window,
        max_gap: or(rfm.max_gap, defaults.max_gap, Days(30)),
        count: or(rfm.count, defaults.count, Count::Orders),
        recency: or(rfm.recency, defaults.recency, Recency::Floor),
        monetary: or(rfm.monetary, defaults.monetary, Monetary::Sum),
        refunds: or(rfm.refunds, defaults.refunds, Refunds::Net),
    })
}

/// `2024-01-31`, `2024-01-31 12:50`, `2024-01-31T12:50:00`, or with an offset such as `Z` or `+08:00`.
fn parse_as_of(text: &str) -> Result<AsOf> {
    let wall = text.replacen(' ', "T", 1);
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&wall, format).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .and_then(|day| day.and_hms_opt(0, 0, 0))
        })
        .map(AsOf::Local);
    let instant = || {
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"]
            .iter()
            .find_map(|format| DateTime::parse_from_str(&wall, format).ok())
            .map(AsOf::Instant)
    };
    local.or_else(instant).ok_or_else(|| {
        bad_value(
            "as-of",
            format!("\"{text}\""),
            "a date or time, as in `2024-01-31` or `2024-01-31T12:50`",
        )
    })
}

fn feature_configs(
    features: &FeaturesOptions,
    defaults: &FeaturesOptions,
) -> Result<Vec<FeatureConfig>> {
    let names = features
        .features
        .clone()
        .or_else(|| defaults.features.clone())
        .unwrap_or_default();
    if names.len() < 2 {
        return Err(bad_value(
            "features",
            listed(&names),
            "at least two features",
        ));
    }
    let mut configs: Vec<FeatureConfig> = Vec::with_capacity(names.len());
    for feature in names {
        if configs.iter().any(|known| known.feature == feature) {
            return Err(bad_value(
                "features",
                format!("`{feature}` twice"),
                "each feature once",
            ));
        }
        let own = features.of(feature);
        let key = |key: &str| format!("{feature}.{key}");
        if own.weights.is_some() && feature != Feature::Monetary {
            return Err(bad_value(
                &key("weights"),
                "set",
                "`weights` only in [features.monetary]",
            ));
        }
        let weight = own.weight.unwrap_or(1.0);
        if !(weight.is_finite() && 0.0 < weight) {
            return Err(bad_value(&key("weight"), weight, "a number above 0"));
        }
        let winsorise = own.winsorise.or(features.winsorise).map(|share| share.0);
        if let Some(share) = winsorise
            && 0.5 <= share
        {
            return Err(bad_value("winsorise", share, "a share below 0.5"));
        }
        configs.push(FeatureConfig {
            feature,
            transform: or(own.transform, features.transform, Transform::Log1p),
            scale: or(own.scale, features.scale, Scale::Zscore),
            weight,
            winsorise: winsorise.filter(|&share| 0.0 < share),
        });
    }
    Ok(configs)
}

fn cluster_config(cluster: &ClusterOptions, defaults: &ClusterOptions) -> Result<ClusterConfig> {
    let config = ClusterConfig {
        method: or(cluster.method, defaults.method, Method::Kmeans),
        algorithm: or(cluster.algorithm, defaults.algorithm, Algorithm::Linfa),
        k: or(cluster.k, defaults.k, K::Auto),
        k_min: or(cluster.k_min, defaults.k_min, 2),
        k_max: or(cluster.k_max, defaults.k_max, 10),
        n_runs: or(cluster.n_runs, defaults.n_runs, 10),
        max_iter: or(cluster.max_iter, defaults.max_iter, 300),
        seed: or(cluster.seed, defaults.seed, 42),
        min_share: or(cluster.min_share, defaults.min_share, Share(0.01)).0,
    };
    match config.k {
        K::Fixed(k) if MAX_K < k => return Err(bad_value("k", k, "2 to 50, or `auto`")),
        _ => {}
    }
    if !(2..=MAX_K).contains(&config.k_min) {
        return Err(bad_value("k-min", config.k_min, "2 to 50"));
    }
    if !(config.k_min..=MAX_K).contains(&config.k_max) {
        let expected = format!("k-min ({}) to {MAX_K}", config.k_min);
        return Err(bad_value("k-max", config.k_max, &expected));
    }
    if config.n_runs == 0 {
        return Err(bad_value("n-runs", 0, "at least 1"));
    }
    if config.max_iter == 0 {
        return Err(bad_value("max-iter", 0, "at least 1"));
    }
    Ok(config)
}

fn tiers_config(tiers: &TiersOptions, k: K) -> Result<TiersConfig> {
    for (key, names) in [
        ("tier-names", &tiers.tier_names),
        ("tier-names-zh", &tiers.tier_names_zh),
    ] {
        let Some(names) = names else { continue };
        if let Some(name) = names
            .iter()
            .enumerate()
            .find_map(|(i, name)| names[..i].contains(name).then_some(name))
        {
            return Err(bad_value(key, format!("`{name}` twice"), "each name once"));
        }
        match k {
            K::Fixed(k) if names.len() != k => {
                let found = format!("{} names", names.len());
                return Err(bad_value(key, found, &format!("{k}, one for each tier")));
            }
            K::Auto => {
                return Err(Error::Conflict {
                    first: format!("`{key}`"),
                    second: "`k = \"auto\"`".to_owned(),
                    hint: "set `k` to the number of names, or name codes instead with `[tiers.code-names]`".to_owned(),
                });
            }
            K::Fixed(_) => {}
        }
    }
    let code_names = tiers.code_names.clone().unwrap_or_default();
    if let Some(code) = code_names
        .keys()
        .find(|code| code.len() != 3 || !code.bytes().all(|b| b == b'0' || b == b'1'))
    {
        return Err(bad_value(
            "code-names",
            format!("`{code}`"),
            "codes from `000` to `111`",
        ));
    }
    Ok(TiersConfig {
        rank_by: tiers.rank_by.unwrap_or(Feature::Monetary),
        names: tiers.tier_names.clone(),
        names_zh: tiers.tier_names_zh.clone(),
        code_names,
    })
}

fn output_config(output: &OutputOptions) -> Result<OutputConfig> {
    if output.threads == Some(0) {
        return Err(bad_value("threads", 0, "at least 1"));
    }
    Ok(OutputConfig {
        out: output.out.clone().unwrap_or_else(|| "out".to_owned()),
        format: output.format.unwrap_or(Format::Human),
        quiet: output.quiet.unwrap_or(false),
        threads: output.threads,
    })
}

fn named(key: &'static str, value: Option<&String>) -> Result<String> {
    value.cloned().ok_or_else(|| missing(key, "COLUMN"))
}

fn missing(key: &'static str, placeholder: &str) -> Error {
    Error::Missing {
        key,
        hint: format!(
            "pass `--{key} {placeholder}`, or set it in tiermill.toml; `tiermill init PATH` guesses it from a Parquet input"
        ),
    }
}

fn bad_value(key: &str, found: impl std::fmt::Display, expected: &str) -> Error {
    Error::BadValue {
        key: key.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    }
}

fn listed(features: &[Feature]) -> String {
    let names: Vec<&str> = features.iter().map(|feature| feature.as_str()).collect();
    format!("[{}]", names.join(", "))
}
