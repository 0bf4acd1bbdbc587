//! Options become a config: ranges, contradictions, what is missing.
//!
//! In: merged [`Options`]. Out: [`Config`], or the setting that is wrong and what it could be.
//! Invariant: no stage has to check a setting again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::{
    AsOf, ClusterConfig, ClusterOptions, CodeName, Columns, CompareConfig, Config, Count, Feature,
    FeatureConfig, FeaturesOptions, InputConfig, K, Level, MAX_K, Method, Options, OutputConfig,
    OutputOptions, RfmConfig, RfmOptions, RulesConfig, RulesOptions, Share, TiersConfig,
    TiersOptions, defaults, is_rule_file, merge,
};
use crate::error::{Error, Result};

/// Decimals beyond which the fixed point has no room for whole numbers.
const MAX_DECIMALS: u32 = 12;
/// Threads beyond which the pools alone take all memory.
const MAX_THREADS: usize = 1_024;
/// Bands of a feature beyond which there are too many tiers to tell apart.
const MAX_BANDS: usize = 5;
/// Weights of a feature: beyond these one feature alone makes all distances, to the last digit.
const WEIGHTS: RangeInclusive<f64> = 1e-6..=1e6;

impl TryFrom<Options> for Config {
    type Error = Error;

    /// Options that leave something out get the defaults.
    fn try_from(options: Options) -> Result<Self> {
        let options = merge([&options, &Options::default(), &defaults()])?;
        let features = feature_configs(&options.features)?;
        let cluster = cluster_config(&options.cluster, &features)?;
        Ok(Self {
            input: input_config(&options)?,
            rfm: rfm_config(&options.rfm)?,
            features,
            tiers: tiers_config(&options.tiers, &cluster)?,
            cluster,
            rules: rules_config(&options.rules)?,
            output: output_config(&options.output)?,
            effective: options,
        })
    }
}

/// The parts that a comparison needs; the whole config only where an input is set.
pub(super) fn for_comparison(options: &Options) -> Result<CompareConfig> {
    let options = merge([options, &Options::default(), &defaults()])?;
    let config = CompareConfig {
        features: feature_configs(&options.features)?,
        seed: set("seed", options.cluster.seed.as_ref())?,
        customer: options.input.customer.clone(),
        rules: rules_config(&options.rules)?,
        output: output_config(&options.output)?,
        job: None,
    };
    let job = options.input.input.is_some().then(|| options.try_into());
    Ok(CompareConfig {
        job: job.transpose()?,
        ..config
    })
}

/// A value that has a default, and so is there.
fn set<T: Clone>(key: &'static str, value: Option<&T>) -> Result<T> {
    value.cloned().ok_or_else(|| missing(key, "VALUE"))
}

fn input_config(options: &Options) -> Result<InputConfig> {
    let input = &options.input;
    let paths = input.input.clone().unwrap_or_default();
    if paths.is_empty() {
        return Err(missing("input", "FILE|FOLDER|GLOB"));
    }
    let decimals = set("decimals", input.decimals.as_ref())?;
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
        columns: match set("level", input.level.as_ref())? {
            Level::Orders => order_columns(options)?,
            Level::Customers => customer_columns(options)?,
        },
        filter: input.filter.clone(),
        deduplicate: set("deduplicate", input.deduplicate.as_ref())?,
        timezone,
        decimals,
        max_rejected: set("max-rejected", input.max_rejected.as_ref())?.0,
        rejected_cap: set("rejected-cap", options.output.rejected_cap.as_ref())?,
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
    let useless = [
        ("recency-column", &input.recency_column),
        ("frequency-column", &input.frequency_column),
        ("monetary-column", &input.monetary_column),
        ("tenure-column", &input.tenure_column),
    ];
    if let Some((key, _)) = useless.iter().find(|(_, column)| column.is_some()) {
        return Err(Error::Conflict {
            first: format!("`{key}`"),
            second: "`level = \"orders\"`".to_owned(),
            hint: format!(
                "R, F and M are computed from orders; drop `{key}`, or set `level = \"customers\"`"
            ),
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
    let (input, rfm, usual) = (&options.input, &options.rfm, defaults().rfm);
    // What stands at its default may come from a printed config, and says nothing.
    let useless = [
        ("time", input.time.is_some()),
        ("amount", input.amount.is_some()),
        ("order", input.order.is_some()),
        ("event", input.event.is_some()),
        ("weights", options.features.monetary.weights.is_some()),
        ("window", rfm.window.is_some()),
        ("max-gap", rfm.max_gap != usual.max_gap),
        ("count", rfm.count != usual.count),
        ("recency", rfm.recency != usual.recency),
        ("refunds", rfm.refunds != usual.refunds),
    ];
    if let Some((key, _)) = useless.iter().find(|&&(_, given)| given) {
        return Err(Error::Conflict {
            first: format!("`{key}`"),
            second: "`level = \"customers\"`".to_owned(),
            hint: format!("a ready customer table has no orders; drop `{key}`, or `level`"),
        });
    }
    if rfm.as_of.is_none() {
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

fn rfm_config(rfm: &RfmOptions) -> Result<RfmConfig> {
    Ok(RfmConfig {
        as_of: rfm
            .as_of
            .as_deref()
            .map(|text| parse_moment("as-of", text))
            .transpose()?,
        window: rfm.window,
        max_gap: set("max-gap", rfm.max_gap.as_ref())?,
        count: set("count", rfm.count.as_ref())?,
        recency: set("recency", rfm.recency.as_ref())?,
        monetary: set("monetary", rfm.monetary.as_ref())?,
        refunds: set("refunds", rfm.refunds.as_ref())?,
    })
}

/// `2024-01-31`, `2024-01-31 12:50`, `2024-01-31T12:50:00`, or with an offset such as `Z` or `+08:00`.
///
/// # Errors
/// [`Error::BadValue`] of `key`.
pub fn parse_moment(key: &str, text: &str) -> Result<AsOf> {
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
            key,
            format!("\"{text}\""),
            "a date or time, as in `2024-01-31` or `2024-01-31T12:50`",
        )
    })
}

fn feature_configs(features: &FeaturesOptions) -> Result<Vec<FeatureConfig>> {
    let names = set("features", features.features.as_ref())?;
    if names.len() < 2 {
        return Err(bad_value(
            "features",
            listed(&names),
            "at least two features",
        ));
    }
    for feature in Feature::ALL {
        check_feature(feature, features)?;
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
        let transform = own.transform.or(features.transform);
        let scale = own.scale.or(features.scale);
        let winsorise = own.winsorise.or(features.winsorise);
        configs.push(FeatureConfig {
            feature,
            transform: set("transform", transform.as_ref())?,
            scale: set("scale", scale.as_ref())?,
            weight: own.weight.unwrap_or(1.0),
            winsorise: winsorise.map(|share| share.0).filter(|&share| 0.0 < share),
        });
    }
    Ok(configs)
}

/// Checks the table of a feature, be it among `features` or not.
fn check_feature(feature: Feature, features: &FeaturesOptions) -> Result<()> {
    let own = features.of(feature);
    let key = |key: &str| format!("{feature}.{key}");
    if own.weights.is_some() && feature != Feature::Monetary {
        return Err(bad_value(
            &key("weights"),
            "set",
            "`weights` only in [features.monetary]",
        ));
    }
    if let Some(weight) = own.weight
        && !WEIGHTS.contains(&weight)
    {
        return Err(bad_value(&key("weight"), weight, "0.000001 to 1000000"));
    }
    match own.winsorise.or(features.winsorise) {
        Some(Share(share)) if 0.5 <= share => {
            Err(bad_value("winsorise", share, "a share below 0.5"))
        }
        _ => Ok(()),
    }
}

fn cluster_config(cluster: &ClusterOptions, features: &[FeatureConfig]) -> Result<ClusterConfig> {
    let config = ClusterConfig {
        method: set("method", cluster.method.as_ref())?,
        algorithm: set("algorithm", cluster.algorithm.as_ref())?,
        k: set("k", cluster.k.as_ref())?,
        k_min: set("k-min", cluster.k_min.as_ref())?,
        k_max: set("k-max", cluster.k_max.as_ref())?,
        bands: set("bands", cluster.bands.as_ref())?,
        columns: features.iter().map(|column| column.feature).collect(),
        n_runs: set("n-runs", cluster.n_runs.as_ref())?,
        max_iter: set("max-iter", cluster.max_iter.as_ref())?,
        seed: set("seed", cluster.seed.as_ref())?,
        min_share: set("min-share", cluster.min_share.as_ref())?.0,
    };
    if !(2..=MAX_BANDS).contains(&config.bands) {
        return Err(bad_value("bands", config.bands, "2 to 5"));
    }
    if config.method == Method::Breaks {
        check_breaks(&config)?;
    }
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

fn tiers_config(tiers: &TiersOptions, cluster: &ClusterConfig) -> Result<TiersConfig> {
    for (key, names) in [
        ("tier-names", &tiers.tier_names),
        ("tier-names-zh", &tiers.tier_names_zh),
    ] {
        if let Some(names) = names {
            // How many cells a grid has is known when it is cut.
            let k = match cluster.method {
                Method::Kmeans => cluster.k,
                Method::Breaks => K::Fixed(names.len()),
            };
            check_names(key, names, k)?;
        }
    }
    let code_names = tiers.code_names.clone().unwrap_or_default();
    let digits = match cluster.method {
        Method::Kmeans => 2,
        Method::Breaks => cluster.bands,
    };
    check_code_names(&code_names, digits)?;
    Ok(TiersConfig {
        rank_by: set("rank-by", tiers.rank_by.as_ref())?,
        names: tiers.tier_names.clone(),
        names_zh: tiers.tier_names_zh.clone(),
        code_names,
    })
}

/// Refuses what bands cannot have: a number of clusters, and features that no code has a place for.
fn check_breaks(config: &ClusterConfig) -> Result<()> {
    let conflict = |first: String, hint: &str| Error::Conflict {
        first,
        second: "`method = \"breaks\"`".to_owned(),
        hint: hint.to_owned(),
    };
    if let K::Fixed(k) = config.k {
        return Err(conflict(
            format!("`k = {k}`"),
            "the number of tiers follows from `bands`: leave `k` out, or set `k = \"auto\"`",
        ));
    }
    let mut columns = config.columns.clone();
    columns.sort_unstable();
    if columns != [Feature::RecencyDays, Feature::Frequency, Feature::Monetary] {
        return Err(conflict(
            "`features`".to_owned(),
            "bands are of recency_days, frequency and monetary: leave `features` out",
        ));
    }
    Ok(())
}

/// Refuses names by rank that are not one for each tier.
fn check_names(key: &str, names: &[String], k: K) -> Result<()> {
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(bad_value(key, "an empty name", "a name for each tier"));
    }
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
            Err(bad_value(key, found, &format!("{k}, one for each tier")))
        }
        K::Auto => Err(Error::Conflict {
            first: format!("`{key}`"),
            second: "`k = \"auto\"`".to_owned(),
            hint: "set `k` to the number of names, or name codes instead with `[tiers.code-names]`"
                .to_owned(),
        }),
        K::Fixed(_) => Ok(()),
    }
}

/// Refuses codes that no centroid has, and names that nobody could read or tell apart.
fn check_code_names(code_names: &BTreeMap<String, CodeName>, digits: usize) -> Result<()> {
    let bad = |found: String, expected: &str| Err(bad_value("code-names", found, expected));
    for (code, name) in code_names {
        let known = |b: u8| b.is_ascii_digit() && usize::from(b - b'0') < digits;
        if code.len() != 3 || !code.bytes().all(known) {
            let last = digits - 1;
            let expected = format!("codes from `000` to `{last}{last}{last}`");
            return bad(format!("`{code}`"), &expected);
        }
        for name in [&name.en, &name.zh].into_iter().flatten() {
            if name.trim().is_empty() {
                return bad(
                    format!("empty for `{code}`"),
                    "a name, or none to keep the one built in",
                );
            }
            // What stands behind it tells tiers of one name apart; a name that holds it could be another tier's.
            if name.contains('·') {
                return bad(format!("`{name}`"), "a name without `·`");
            }
        }
    }
    Ok(())
}

/// The map or the definition; a file has to be read by then.
fn rules_config(rules: &RulesOptions) -> Result<Option<RulesConfig>> {
    let named = rules.rules.as_ref().or(rules.file.as_ref());
    if let Some(file) = named.filter(|name| rules.file.is_some() || is_rule_file(name)) {
        return Err(bad_value(
            "rules",
            format!("the file `{file}`, unread"),
            "what `config::with_rules` makes of it",
        ));
    }
    let map = rules.map.as_ref().or(rules.rules.as_ref()).cloned();
    let definition = rules.definition();
    if map.is_none() && definition.is_empty() {
        return Ok(None);
    }
    Ok(Some(RulesConfig { map, definition }))
}

fn output_config(output: &OutputOptions) -> Result<OutputConfig> {
    if let Some(threads) = output.threads
        && !(1..=MAX_THREADS).contains(&threads)
    {
        return Err(bad_value("threads", threads, "1 to 1024"));
    }
    if output.out.as_deref() == Some("") {
        return Err(bad_value("out", "empty", "a folder"));
    }
    Ok(OutputConfig {
        out: set("out", output.out.as_ref())?,
        format: set("format", output.format.as_ref())?,
        quiet: set("quiet", output.quiet.as_ref())?,
        explain: set("explain", output.explain.as_ref())?,
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
