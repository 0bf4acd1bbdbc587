//! Whether a config means the same as a model.
//!
//! In: a [`Model`] and a [`Config`]. Out: nothing, or the first setting that differs.
//! Invariant: names of columns never count, since tables may differ; whatever changes a number, a rank or a name does.
//! How the clusters were found (`algorithm`, `seed`, `n-runs`, …) does not: `assign` looks for none.

use std::path::Path;

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::super::rule_set;
use super::Model;
use crate::config::{Columns, Config, Count, Feature, InputConfig, K, Level, Recency, RfmConfig};
use crate::error::{Error, Result};
use crate::rules::{Meaning, RuleSet};

/// One setting as both have it.
struct Setting {
    what: String,
    model: String,
    config: String,
}

impl Setting {
    fn new(what: impl Into<String>, model: &impl ToString, config: &impl ToString) -> Self {
        Self {
            what: what.into(),
            model: model.to_string(),
            config: config.to_string(),
        }
    }
}

/// Refuses a config under which the numbers or the tiers would mean something else.
pub(super) fn check(model: &Model, config: &Config, path: &Path) -> Result<()> {
    let mut settings = features(model, config);
    settings.push(Setting::new(
        "method",
        &model.method,
        &config.cluster.method,
    ));
    if let Some(breaks) = &model.breaks {
        let most = breaks
            .iter()
            .map(|bands| bands.centers.len())
            .max()
            .unwrap_or(0);
        // A feature with few values has fewer bands than were asked for.
        if config.cluster.bands < most {
            settings.push(Setting::new("bands", &most, &config.cluster.bands));
        }
    }
    if let K::Fixed(k) = config.cluster.k {
        settings.push(Setting::new("k", &model.k, &k));
    }
    for (key, theirs) in definitions(config) {
        let ours = model.definitions.get(&key).unwrap_or(&Value::Null);
        settings.push(Setting::new(key, &written(ours), &written(&theirs)));
    }
    settings.extend(tiers(model, config));
    settings.extend(rules(model, config)?);
    match settings
        .into_iter()
        .find(|setting| setting.model != setting.config)
    {
        None => Ok(()),
        Some(Setting {
            what,
            model,
            config,
        }) => Err(Error::ModelMismatch {
            path: path.to_owned(),
            what,
            model,
            config,
        }),
    }
}

fn features(model: &Model, config: &Config) -> Vec<Setting> {
    let names = |features: &mut dyn Iterator<Item = Feature>| {
        listed(features.map(|feature| feature.to_string()))
    };
    let ours = names(&mut model.features.iter().map(|column| column.name));
    let theirs = names(&mut config.features.iter().map(|column| column.feature));
    let mut settings = vec![Setting::new("features", &ours, &theirs)];
    for (ours, theirs) in model.features.iter().zip(&config.features) {
        let key = |key: &str| format!("{}.{key}", ours.name);
        let share =
            |share: Option<f64>| share.map_or_else(|| "none".to_owned(), |share| share.to_string());
        settings.extend([
            Setting::new(key("transform"), &ours.transform, &theirs.transform),
            Setting::new(key("scale"), &ours.scale, &theirs.scale),
            Setting::new(key("weight"), &ours.weight, &theirs.weight),
            Setting::new(
                key("winsorise"),
                &share(ours.winsorise),
                &share(theirs.winsorise),
            ),
        ]);
    }
    settings
}

/// The order of the tiers, and the names where the config has its own.
fn tiers(model: &Model, config: &Config) -> Vec<Setting> {
    let own = &config.tiers;
    let mut settings = vec![Setting::new("rank-by", &model.rank_by, &own.rank_by)];
    let english = model.tiers.iter().map(|tier| tier.name.clone());
    let chinese = model.tiers.iter().map(|tier| tier.name_zh.clone());
    if let Some(names) = &own.names {
        settings.push(Setting::new(
            "tier-names",
            &listed(english),
            &listed(names.iter().cloned()),
        ));
    }
    if let Some(names) = &own.names_zh {
        settings.push(Setting::new(
            "tier-names-zh",
            &listed(chinese),
            &listed(names.iter().cloned()),
        ));
    }
    for tier in &model.tiers {
        let Some(of_code) = own.code_names.get(&tier.code) else {
            continue;
        };
        // Names by rank go before names by code, as when they are given.
        let en = of_code.en.as_ref().filter(|_| own.names.is_none());
        let by_rank = own.names.is_some() || own.names_zh.is_some();
        let zh = of_code.zh.as_ref().filter(|_| !by_rank);
        for (found, name) in [(&tier.name, en), (&tier.name_zh, zh)] {
            // Behind the dot stands what tells tiers of one name apart.
            let found = found.split(" · ").next().unwrap_or(found);
            if let Some(name) = name {
                let what = format!("code-names.{}", tier.code);
                settings.push(Setting::new(what, &found, name));
            }
        }
    }
    settings
}

/// The rules, where they do not mean the same. Where their cut points lie is the model's to say.
fn rules(model: &Model, config: &Config) -> Result<Option<Setting>> {
    let theirs = rule_set(config)?;
    let ours = model.rules.as_ref().map(|fitted| &fitted.rules);
    let name =
        |rules: Option<&RuleSet>| rules.map_or("none".to_owned(), |rules| rules.name.clone());
    Ok(match (ours, &theirs) {
        (Some(ours), Some(theirs)) => ours.difference(theirs).map(|key| {
            let (model, mut config) = (ours.part(key), theirs.part(key));
            if model == config {
                // The same words after another beginning, or under other names.
                "others".clone_into(&mut config);
            }
            Setting::new(format!("rules.{key}"), &model, &config)
        }),
        _ => Some(Setting::new("rules", &name(ours), &name(theirs.as_ref()))),
    })
}

/// A setting as it stands in the config.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

/// The settings that say which rows count and what R, F and M are. What has no say under a config is null.
pub(super) fn definitions(config: &Config) -> Map<String, Value> {
    let (input, rfm) = (&config.input, &config.rfm);
    let settings = match &input.columns {
        Columns::Customers { .. } => vec![
            ("level", json!("customers")),
            ("monetary", json!(rfm.monetary)),
        ],
        Columns::Orders {
            amount,
            order,
            events,
            ..
        } => vec![
            ("level", json!("orders")),
            (
                "monetary-of",
                match (events, amount) {
                    (Some((_, weights)), _) => json!({ "weights": weights }),
                    (None, None) => json!("rows"),
                    (None, Some(_)) => json!("amounts"),
                },
            ),
            ("amount", json!(amount.as_deref().map(column_or_expression))),
            ("monetary", json!(rfm.monetary)),
            ("count", json!(counted(rfm.count, order.is_some()))),
            ("recency", json!(rfm.recency)),
            ("timezone", json!(zone(input, rfm))),
            ("refunds", json!(rfm.refunds)),
            ("window", json!(rfm.window)),
        ],
    };
    let rows = [
        ("where", json!(input.filter)),
        ("deduplicate", json!(input.deduplicate)),
        ("decimals", json!(input.decimals)),
    ];
    let settings = settings.into_iter().chain(rows);
    settings
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// What R and M are under the definitions of a model.
pub(super) fn meaning(definitions: &Map<String, Value>) -> Meaning {
    let usual = Meaning::default();
    let of = |key: &str| definitions.get(key).cloned().unwrap_or_default();
    Meaning {
        recency: serde_json::from_value(of("recency")).unwrap_or(usual.recency),
        monetary: serde_json::from_value(of("monetary")).unwrap_or(usual.monetary),
        ready: of("level") == Level::Customers.as_str(),
    }
}

/// Another column may hold the same amounts; another expression computes others.
fn column_or_expression(amount: &str) -> &str {
    let word = amount.chars().all(|c| c.is_alphanumeric() || c == '_');
    if word { "column" } else { amount }
}

/// What F really counts: without an order column every row is an order.
fn counted(count: Count, has_order: bool) -> &'static str {
    match count {
        Count::Days => "days",
        Count::Orders if has_order => "order-column",
        Count::Orders | Count::Rows => "rows",
    }
}

/// The zone, where days of the calendar are counted.
fn zone(input: &InputConfig, rfm: &RfmConfig) -> Option<&'static str> {
    let matters = rfm.count == Count::Days || rfm.recency == Recency::Calendar;
    input.timezone.filter(|_| matters).map(Tz::name)
}
