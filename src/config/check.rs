//! Options become a config: ranges, contradictions, what is missing.
//!
//! In: merged [`Options`]. Out: [`Config`], or the setting that is wrong and what it could be.
//! Invariant: no stage has to check a setting again.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::{
    Algorithm, AsOf, ClusterConfig, ClusterOptions, CodeName, Columns, Config, Count, Days,
    Feature, FeatureConfig, FeaturesOptions, Format, InputConfig, K, Level, MAX_K, Method,
    Monetary, Options, OutputConfig, OutputOptions, Recency, Refunds, RfmConfig, RfmOptions, Scale,
    Share, TiersConfig, TiersOptions, Transform, defaults,
};
use crate::error::{Error, Result};

/// Decimals beyond which the fixed point has no room for whole numbers.
const MAX_DECIMALS: u32 = 12;
/// Threads beyond which the pools alone take all memory.
const MAX_THREADS: usize = 1_024;
/// Bands of a feature beyond which there are too many tiers to tell apart.
const MAX_BANDS: usize = 5;

impl TryFrom<Options> for Config {
    type Error = Error;

    fn try_from(options: Options) -> Result<Self> {
        let defaults = defaults();
        let features = feature_configs(&options.features, &defaults.features)?;
        let cluster = cluster_config(&options.cluster, &defaults.cluster, &features)?;
        Ok(Self {
            input: input_config(&options)?,
            rfm: rfm_config(&options.rfm, &defaults.rfm)?,
            features,
            tiers: tiers_config(&options.tiers, &cluster)?,
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

fn cluster_config(
    cluster: &ClusterOptions,
    defaults: &ClusterOptions,
    features: &[FeatureConfig],
) -> Result<ClusterConfig> {
    let config = ClusterConfig {
        method: or(cluster.method, defaults.method, Method::Kmeans),
        algorithm: or(cluster.algorithm, defaults.algorithm, Algorithm::Lloyd),
        k: or(cluster.k, defaults.k, K::Auto),
        k_min: or(cluster.k_min, defaults.k_min, 2),
        k_max: or(cluster.k_max, defaults.k_max, 10),
        bands: or(cluster.bands, defaults.bands, 2),
        columns: features.iter().map(|column| column.feature).collect(),
        n_runs: or(cluster.n_runs, defaults.n_runs, 10),
        max_iter: or(cluster.max_iter, defaults.max_iter, 300),
        seed: or(cluster.seed, defaults.seed, 42),
        min_share: or(cluster.min_share, defaults.min_share, Share(0.01)).0,
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
        rank_by: tiers.rank_by.unwrap_or(Feature::Monetary),
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
