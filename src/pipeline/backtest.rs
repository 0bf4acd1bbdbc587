//! `tiermill backtest`: tiers as they would have been at T, and what their customers did afterwards.
//!
//! In: the settings, T, a horizon. Out: [`Backtested`], and two files where a folder was named.
//! Invariant: tiers are made by a load with as-of T, which adds up no order at or after T; what came after is read apart,
//! once the tiers stand. Rules that were fitted to later orders are told. Nothing is written unless a folder is named, and
//! that is opened before the input.

use std::path::PathBuf;

use polars::prelude::*;
use serde::Serialize;

use super::compare::{CLUSTERS, RULES, by_rules, clusters, named_rules};
use super::{Observer, Stage};
use crate::compare::Tiering;
use crate::compare::backtest::{
    Backtest, RANDOM, Ranked, Resampling, Trial, backtest as judge, by_past, by_score_sum, measure,
    random,
};
use crate::config::{AsOf, Config, Days, Method, RfmConfig};
use crate::error::{BacktestFault, Error, Result, Warning};
use crate::load::{AsOfMoment, Customers, Future, Period, future, load, periods};
use crate::rules::{Meaning, RuleSet, quintiles, score};
use crate::store::{LooseFolder, Table};

/// Tiers by bands of each dimension.
const BREAKS: &str = "breaks";
/// Tiers by the sum of quintile scores.
const QUANTILE: &str = "quantile";
/// Columns of backtest.parquet beside the customer and the tierings.
const COLUMNS: [&str; 3] = ["at", "future_orders", "future_revenue"];

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// T of the latest fold: its tiers know nothing from here on.
    pub at: AsOf,
    /// How long after T customers are watched.
    pub horizon: Days,
    /// Folds; each begins a horizon before the one above it.
    pub folds: usize,
    /// Rule maps and rule files beside those of the config.
    pub against: Vec<String>,
    /// Resamples behind the intervals.
    pub resamples: usize,
    /// Folder for backtest.json and backtest.parquet.
    pub out: Option<PathBuf>,
}

/// backtest.json, as `tiermill backtest` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Backtested {
    /// T of the latest fold, ISO 8601.
    pub at: String,
    /// Days after T that customers were watched.
    pub horizon_days: u32,
    /// How the tierings did.
    #[serde(flatten)]
    pub backtest: Backtest,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// The files that were written.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
}

/// Tests tierings on what came after them.
///
/// # Errors
/// [`BacktestFault`] where the data does not cover the periods; whatever a stage refuses.
pub fn backtest(config: &Config, asked: &Asked, observe: Observer<'_>) -> Result<Backtested> {
    let contest = Contest::new(config, asked)?;
    let folder = asked.out.as_deref().map(LooseFolder::open).transpose()?;
    observe(Stage::Load);
    let when = (asked.at, asked.horizon, asked.folds);
    let periods = periods(&config.input, &config.rfm, when)?;
    let mut warnings = Vec::new();
    let (mut folds, mut tables) = (Vec::new(), Vec::new());
    for (index, period) in periods.iter().enumerate() {
        if 0 < index {
            observe(Stage::Load);
        }
        let mut told = Vec::new();
        let before = contest.before(period, &mut told)?;
        told.extend(contest.foreknowing(&period.at)?);
        observe(Stage::Tiers);
        let tierings = contest.tierings(&before, &mut told)?;
        keep(&mut warnings, told, (periods.len(), period));
        observe(Stage::Compare);
        let after = future(&config.input, &config.rfm, period, &before.ids)?;
        let trial = Trial {
            at: &period.at.text,
            until: &period.until.text,
            tierings: &tierings,
            future: &after,
            hashes: &before.ids.hashes()?,
        };
        folds.push(measure(&trial, asked.horizon.0)?);
        if folder.is_some() {
            tables.push(table(&before, (&tierings, &after), period)?);
        }
    }
    let resampling = Resampling {
        resamples: asked.resamples,
        seed: config.cluster.seed,
    };
    let mut told = Backtested {
        at: periods
            .first()
            .map_or_else(String::new, |period| period.at.text.clone()),
        horizon_days: asked.horizon.0,
        backtest: judge(folds, resampling)?,
        warnings,
        files: Vec::new(),
    };
    if let Some(folder) = folder {
        told.files.push(folder.json("backtest.json", &told)?);
        let stacked = stack(tables)?;
        told.files
            .push(folder.parquet("backtest.parquet", &Table::of(&stacked))?);
    }
    Ok(told)
}

/// The tierings that compete, known before any order is.
struct Contest<'a> {
    config: &'a Config,
    clusters: Config,
    breaks: Config,
    rules: Vec<RuleSet>,
}

impl<'a> Contest<'a> {
    fn new(config: &'a Config, asked: &Asked) -> Result<Self> {
        let own = config.rules.as_ref();
        let words = own.map(|_| RULES).into_iter();
        let words = words.chain(asked.against.iter().map(String::as_str));
        let rules: Vec<RuleSet> = words
            .map(|word| named_rules(word, own, Meaning::of(config)))
            .collect::<Result<_>>()?;
        for rules in &rules {
            rules.check()?;
        }
        let mut names = vec![CLUSTERS, BREAKS, QUANTILE, RANDOM];
        for name in rules.iter().map(|rules| rules.name.as_str()) {
            if names.contains(&name) {
                return Err(Error::from(BacktestFault::TwiceNamed {
                    name: name.to_owned(),
                }));
            }
            names.push(name);
        }
        if asked.out.is_some() {
            check_columns(&config.input.customer, &names)?;
        }
        Ok(Self {
            config,
            clusters: config.with_method(Method::Kmeans)?,
            breaks: config.with_method(Method::Breaks)?,
            rules,
        })
    }

    /// The customers as they were at T.
    fn before(&self, period: &Period, warnings: &mut Vec<Warning>) -> Result<Customers> {
        let rfm = RfmConfig {
            as_of: Some(period.from),
            ..self.config.rfm.clone()
        };
        let loaded = load(&self.config.input, &rfm)?;
        warnings.extend(loaded.warnings);
        Ok(loaded.customers)
    }

    /// The rules that say of themselves that their cut points were found in data from T on.
    fn foreknowing(&self, at: &AsOfMoment) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        for rules in &self.rules {
            if let (Some(known), true) = (&rules.fitted_as_of, rules.knows_beyond(&at.text)?) {
                let message = format!(
                    "rules `{}` were fitted to data as of {known}, and are judged from {} on: they know some of what they are judged by, which flatters them; fit them anew with `--as-of {}`",
                    rules.name, at.text, at.text
                );
                warnings.push(Warning::new("rules_from_the_future", message));
            }
        }
        Ok(warnings)
    }

    /// Every tiering of these customers.
    fn tierings(&self, customers: &Customers, warnings: &mut Vec<Warning>) -> Result<Vec<Ranked>> {
        let mut ranked = |(tiering, told): (Tiering, Vec<Warning>)| {
            warnings.extend(told);
            by_past(&tiering, &customers.revenue)
        };
        let found = ranked(clusters(&self.clusters, customers)?);
        let bands = ranked(clusters(&self.breaks, customers)?);
        let bands = Ranked {
            name: BREAKS.to_owned(),
            ..bands
        };
        let scores = score(customers, &quintiles(customers)?);
        let dealt = random(&found, self.config.cluster.seed);
        let mut tierings = vec![found, bands];
        for rules in &self.rules {
            tierings.push(ranked(by_rules(rules, customers)?));
        }
        tierings.push(by_score_sum(QUANTILE, &scores));
        tierings.push(dealt);
        Ok(tierings)
    }
}

/// Refuses two columns of one name in backtest.parquet.
fn check_columns(customer: &str, tierings: &[&str]) -> Result<()> {
    let twice = |column: &&str| tierings.contains(column);
    let others = COLUMNS.contains(&customer).then_some(customer);
    match others.or(COLUMNS.into_iter().chain([customer]).find(twice)) {
        None => Ok(()),
        Some(column) => Err(Error::Conflict {
            first: format!("the column `{column}` of backtest.parquet"),
            second: "another one of that name".to_owned(),
            hint: "rename the customer column in the input, or the rules (`name` in their file)"
                .to_owned(),
        }),
    }
}

/// Keeps the warnings of a fold, once each; of several folds each says which.
fn keep(warnings: &mut Vec<Warning>, told: Vec<Warning>, (folds, period): (usize, &Period)) {
    for mut warning in told {
        if 1 < folds {
            warning.message = format!("at {}: {}", period.at.date, warning.message);
        }
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// backtest.parquet, the rows of one fold: each customer with its tier in each tiering and what it did.
fn table(
    customers: &Customers,
    (tierings, after): (&[Ranked], &Future),
    period: &Period,
) -> Result<DataFrame> {
    let [at, orders, revenue] = COLUMNS;
    let n = customers.len();
    let amounts: Vec<f64> = after
        .revenue
        .iter()
        .map(|&units| after.amount(units.into()))
        .collect();
    let columns = || {
        let mut columns = vec![
            customers.ids.series().clone().into_column(),
            StringChunked::full(at.into(), &period.at.text, n).into_column(),
        ];
        for tiering in tierings {
            let names = tiering.tiers.iter().map(String::as_str);
            let names = StringChunked::from_iter_values(tiering.name.as_str().into(), names);
            let rows = IdxCa::from_slice("row".into(), &tiering.labels);
            columns.push(names.take(&rows)?.into_column());
        }
        columns.push(Int64Chunked::from_slice(orders.into(), &after.orders).into_column());
        columns.push(Float64Chunked::from_slice(revenue.into(), &amounts).into_column());
        DataFrame::new(n, columns)
    };
    columns().map_err(Error::polars("put the customers of a fold together"))
}

/// The rows of all folds, the latest first.
fn stack(tables: Vec<DataFrame>) -> Result<DataFrame> {
    let mut tables = tables.into_iter();
    let mut all = tables.next().unwrap_or_else(DataFrame::empty);
    for table in tables {
        all.vstack_mut(&table)
            .map_err(Error::polars("put the folds together"))?;
    }
    Ok(all)
}
