//! A model as SQL.
//!
//! In: a model file, and the columns of a table. Out: a query that gives every customer of the table a tier.
//! Invariant: what the model was fitted with holds where nobody says otherwise, and what somebody says otherwise is
//! refused as `assign` refuses it. Types of columns are looked up where an input is given; no row is read.

use std::path::Path;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::Model;
use super::tables::check_name;
use crate::cluster::Placer;
use crate::config::{Columns, Config, Dialect, Options, RulesOptions, TimeType, merge};
use crate::error::{Error, Result};
use crate::features::Fitted;
use crate::load::{Facts, facts, since};
use crate::report::sql::{SqlOrders, SqlPlaces, SqlQuery, SqlRows, Worth, sql as write};
use crate::rules::FittedRules;
use crate::store::read_model;

/// What is asked for.
#[derive(Debug)]
pub struct SqlRequest<'a> {
    /// model.json.
    pub model: &'a Path,
    /// The engine that will read the query.
    pub dialect: Dialect,
    /// A name, or an expression.
    pub table: &'a str,
    /// What the time column holds, where it is said.
    pub time_type: Option<TimeType>,
    /// Flags, with the text of rule files.
    pub flags: &'a Options,
    /// The config file, likewise.
    pub file: &'a Options,
}

/// Writes a model as SQL.
///
/// # Errors
/// A model that cannot be read or was fitted under another config; [`Error::NoSql`] for what the dialect has no words for;
/// [`Error::Missing`] for a column that the model needs.
pub fn sql(request: &SqlRequest<'_>) -> Result<String> {
    let model = Model::parse(&read_model(request.model)?, request.model)?;
    let (config, has_input) = config(request, &model)?;
    check_name(&config.input.customer)?;
    model.check(&config, request.model)?;
    let plain = model.rules.as_ref().map(FittedRules::plain);
    write(&SqlQuery {
        dialect: request.dialect,
        table: request.table,
        customer: &config.input.customer,
        filter: config.input.filter.as_deref(),
        deduplicate: config.input.deduplicate,
        decimals: config.input.decimals,
        rows: rows(&config, request.time_type, has_input)?,
        features: &model.features,
        places: places(&model)?,
        tiers: &model.tiers,
        scores: &model.scores,
        rules: plain,
    })
}

/// Flags over file over what the model was fitted with; and whether an input was named.
fn config(request: &SqlRequest<'_>, model: &Model) -> Result<(Config, bool)> {
    let (flags, file) = (request.flags, request.file);
    let has_rules = [flags, file]
        .iter()
        .any(|said| said.rules != RulesOptions::default());
    let layer = said_by(model, has_rules)?;
    let mut options = merge([flags, file, &layer])?;
    let has_input = options.input.input.is_some();
    if !has_input {
        // Nothing is read from it.
        options.input.input = Some(vec![request.table.to_owned()]);
    }
    let of_model = |key: &str| model.definitions.get(key).and_then(Json::as_str);
    let needed = [
        (
            "amount",
            "monetary-of",
            "amounts",
            options.input.amount.is_none(),
        ),
        (
            "order",
            "count",
            "order-column",
            options.input.order.is_none(),
        ),
    ];
    for (key, definition, value, missing) in needed {
        if missing && of_model(definition) == Some(value) {
            return Err(Error::Missing {
                key,
                hint: format!(
                    "the model was fitted with one: name the column with `--{key} COLUMN`"
                ),
            });
        }
    }
    Ok((Config::try_from(options)?, has_input))
}

/// The definitions of a model as options.
fn said_by(model: &Model, has_rules: bool) -> Result<Options> {
    let (input, rfm) = of_definitions(model);
    let mut features = Table::new();
    of_features(model, &mut features);
    let weights = model
        .definitions
        .get("monetary-of")
        .and_then(|of| of.get("weights"));
    if let Some(Json::Object(weights)) = weights {
        let weights = weights
            .iter()
            .filter_map(|(name, weight)| Some((name.clone(), Value::from(weight.as_f64()?))));
        let own = features
            .entry("monetary")
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(own) = own {
            own.insert("weights".to_owned(), Value::Table(weights.collect()));
        }
    }
    let mut cluster = Table::from_iter([("method".to_owned(), Value::from(model.method.as_str()))]);
    let bands = model
        .breaks
        .iter()
        .flatten()
        .map(|bands| bands.centers.len())
        .max();
    if let Some(bands) = bands.and_then(|bands| i64::try_from(bands).ok()) {
        cluster.insert("bands".to_owned(), Value::from(bands.max(2)));
    }
    let tiers = Table::from_iter([("rank-by".to_owned(), Value::from(model.rank_by.as_str()))]);
    let mut all = Table::from_iter(
        [
            ("input", input),
            ("rfm", rfm),
            ("features", features),
            ("cluster", cluster),
            ("tiers", tiers),
        ]
        .map(|(name, table)| (name.to_owned(), Value::Table(table))),
    );
    if let (Some(rules), false) = (&model.rules, has_rules)
        && let Ok(rules) = Value::try_from(&rules.rules)
    {
        all.insert("rules".to_owned(), rules);
    }
    Value::Table(all)
        .try_into()
        .map_err(|error: toml::de::Error| Error::BadValue {
            key: "model".to_owned(),
            found: error.to_string(),
            expected: "definitions that a config can have".to_owned(),
        })
}

/// [input] and [rfm]: which rows counted, and what R, F and M were.
fn of_definitions(model: &Model) -> (Table, Table) {
    let (mut input, mut rfm) = (Table::new(), Table::new());
    for (key, value) in &model.definitions {
        let value = match (key.as_str(), value) {
            ("amount", Json::String(text)) if text == "column" => continue,
            ("count", Json::String(text)) if text != "days" => Value::from("orders"),
            (_, Json::String(text)) => Value::from(text.as_str()),
            (_, Json::Bool(flag)) => Value::from(*flag),
            (_, Json::Number(number)) => match number.as_i64() {
                Some(number) => Value::from(number),
                None => continue,
            },
            _ => continue,
        };
        match key.as_str() {
            "monetary" | "count" | "recency" | "refunds" | "window" => {
                rfm.insert(key.clone(), value)
            }
            "monetary-of" => None,
            _ => input.insert(key.clone(), value),
        };
    }
    if model.definitions.get("level").and_then(Json::as_str) == Some("customers") {
        rfm.insert("as-of".to_owned(), Value::from(model.as_of.as_str()));
    }
    (input, rfm)
}

/// The columns of the space: what the first has holds for all, unless it differs.
fn of_features(model: &Model, features: &mut Table) {
    let names = model
        .features
        .iter()
        .map(|column| Value::from(column.name.as_str()));
    features.insert("features".to_owned(), Value::Array(names.collect()));
    let Some(first) = model.features.first() else {
        return;
    };
    let said = |column: &Fitted| {
        let winsorise = column.winsorise.unwrap_or(0.0);
        [
            ("transform", Value::from(column.transform.as_str())),
            ("scale", Value::from(column.scale.as_str())),
            ("winsorise", Value::from(winsorise)),
        ]
    };
    for (key, value) in said(first) {
        features.insert(key.to_owned(), value);
    }
    for column in &model.features {
        let differs = said(column).into_iter().zip(said(first));
        let differs = differs.filter(|(own, common)| own != common);
        let mut own: Table = differs
            .map(|((key, value), _)| (key.to_owned(), value))
            .collect();
        if column.weight.total_cmp(&1.0).is_ne() {
            own.insert("weight".to_owned(), Value::from(column.weight));
        }
        if !own.is_empty() {
            features.insert(column.name.as_str().to_owned(), Value::Table(own));
        }
    }
}

fn rows(config: &Config, said: Option<TimeType>, has_input: bool) -> Result<SqlRows<'_>> {
    let (input, rfm) = (&config.input, &config.rfm);
    match &input.columns {
        Columns::Customers {
            recency,
            frequency,
            monetary,
            tenure,
        } => {
            let day = rfm
                .as_of
                .map(|as_of| since(as_of, None, (None, input.timezone)))
                .transpose()?;
            Ok(SqlRows::Customers {
                recency,
                frequency,
                monetary,
                tenure: tenure.as_deref(),
                kind: rfm.monetary,
                day: day.map_or(0, |since| since.day),
            })
        }
        Columns::Orders {
            time,
            amount,
            order,
            events,
        } => {
            let facts = known(config, said, has_input)?;
            let since = rfm
                .as_of
                .map(|as_of| since(as_of, rfm.window, (facts.zone, input.timezone)));
            // As `load` has it where the columns are known; a name that is a word is one in any case.
            let is_column = |text: &str| {
                let word = || text.chars().all(|c| c.is_alphanumeric() || c == '_');
                facts.amount_is_column.unwrap_or_else(word)
            };
            Ok(SqlRows::Orders(SqlOrders {
                time,
                time_type: facts.time,
                zone: facts.zone,
                order: order.as_deref(),
                worth: match (amount, events) {
                    (Some(text), _) if is_column(text) => Worth::Column(text),
                    (Some(text), _) => Worth::Expression(text),
                    (None, Some((event, weights))) => Worth::Events(event, weights),
                    (None, None) => Worth::One,
                },
                scale: facts.scale,
                count: rfm.count,
                recency: rfm.recency,
                monetary: rfm.monetary,
                refunds: rfm.refunds,
                window: rfm.window,
                since: since.transpose()?,
            }))
        }
    }
}

/// Types of the columns: as they are said, as the input has them, or the usual ones.
fn known(config: &Config, said: Option<TimeType>, has_input: bool) -> Result<Facts> {
    let zone = config.input.timezone;
    match said {
        Some(time) => Ok(Facts {
            time,
            zone: (time == TimeType::Instant).then(|| zone.unwrap_or(chrono_tz::Tz::UTC)),
            scale: None,
            amount_is_column: None,
        }),
        None if has_input => facts(&config.input, config.rfm.refunds),
        None if zone.is_some() => Err(Error::Missing {
            key: "time-type",
            hint: "with a zone it matters whether times have one: `--time-type timestamptz` for instants, `timestamp` for the wall clock"
                .to_owned(),
        }),
        None => Ok(Facts {
            time: TimeType::Timestamp,
            zone: None,
            scale: None,
            amount_is_column: None,
        }),
    }
}

fn places(model: &Model) -> Result<SqlPlaces> {
    Ok(match model.placer()? {
        Placer::Nearest(_) => SqlPlaces::Nearest(model.centroids.clone()),
        Placer::Likeliest(likelihoods) => SqlPlaces::Likeliest(likelihoods.components()),
        Placer::Bands(_, tiers) => SqlPlaces::Bands {
            cuts: model
                .breaks
                .iter()
                .flatten()
                .map(|bands| bands.cut_points.clone())
                .collect(),
            tiers,
        },
    })
}
