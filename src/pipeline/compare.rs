//! `tiermill compare`: two tierings from wherever they come, brought to the same customers.
//!
//! In: two words (a run, a table of labels, a rule map, `clusters`) and the settings. Out: [`Compared`], and two files
//! where a folder was named.
//! Invariant: customers that only one side has are counted and told, never dropped in silence; without any in common it
//! is an error. Nothing is written unless a folder is named, and that is opened before the input.

use std::path::{Path, PathBuf};

use polars::prelude::*;
use serde::Serialize;

use super::rule_sets::of_rules;
use super::{Model, Observer, Stage};
use crate::cluster::cluster;
use crate::compare::{Comparison, Moves, Space, Tiering, compare as compare_tierings};
use crate::config::{CompareConfig, Config, Monetary, grouped};
use crate::error::{CompareFault, Error, Result, Warning};
use crate::features::sketch::sketch;
use crate::load::{CustomerIds, Customers, LabelQuery, NO_LABEL, common, labels, load};
use crate::rules::{BUILT_IN, RuleSet, Segmented};
use crate::store::{LooseFolder, read_model};
use crate::{features, rules, tiers};

/// The word for tiers that are fitted on the spot.
const CLUSTERS: &str = "clusters";
/// The word for the rules of the config.
const RULES: &str = "rules";
/// Columns of moved.parquet after the customer.
const MOVED: [&str; 5] = ["tier_a", "tier_b", "margin", "decides", "revenue"];

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// A run (a folder, or `out/current`), a Parquet file with labels, a rule map or rule file, or `clusters`.
    pub a: String,
    /// The other.
    pub b: String,
    /// Columns of the labels: one for both, or one each; none to look for it.
    pub labels: Vec<String>,
    /// Whether orders were named on the command line: they win over what runs bring along.
    pub input_named: bool,
    /// Folder for comparison.json and moved.parquet.
    pub out: Option<PathBuf>,
}

/// Customers of both sides, and those that only one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Customers of A.
    pub customers_a: u64,
    /// Customers of B.
    pub customers_b: u64,
    /// Those that B does not have.
    pub only_a: u64,
    /// Those that A does not have.
    pub only_b: u64,
    /// Those that both have, and that have no R, F and M.
    pub without_orders: u64,
}

/// comparison.json, as `tiermill compare` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Moment from which recency counts, ISO 8601.
    pub as_of: String,
    /// The comparison of the customers that both have.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Who could be compared.
    pub coverage: Coverage,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// The files that were written.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
}

/// Compares two tierings.
///
/// # Errors
/// A side that cannot be read or stands for nothing, ids that cannot be compared, no customer in common; whatever a stage
/// refuses.
pub fn compare(
    config: &CompareConfig,
    question: &Question,
    observe: Observer<'_>,
) -> Result<Compared> {
    let folder = question.out.as_deref().map(LooseFolder::open).transpose()?;
    let origins = [origin(&question.a)?, origin(&question.b)?];
    observe(Stage::Load);
    let sides = read_sides(config, question, &origins)?;
    let base = base(config, question, &sides)?;
    observe(Stage::Cluster);
    let mut warnings = base.warnings;
    let mut placed = Vec::new();
    for side in sides {
        placed.push(place(config, &base.customers, side, &mut warnings)?);
    }
    tell_apart(&mut placed, question);
    let met = meet(&placed, &base.customers, &mut warnings)?;
    observe(Stage::Compare);
    let fitted = features::fit(&met.customers, &config.features)?;
    warnings.extend(fitted.warnings);
    let space = Space::new(&met.customers, &fitted.columns)?;
    let (comparison, moves) = compare_tierings(&space, &met.a, &met.b, config.seed)?;
    let mut compared = Compared {
        as_of: met.customers.as_of.text.clone(),
        comparison,
        coverage: met.coverage,
        warnings,
        files: Vec::new(),
    };
    if let Some(folder) = folder {
        let mut table = moved_table(&met.customers, (&met.a, &met.b), &moves)?;
        let document = folder.json("comparison.json", &compared)?;
        compared.files.push(document);
        compared
            .files
            .push(folder.parquet("moved.parquet", &mut table)?);
    }
    Ok(compared)
}

/// The comparison that belongs to a run with rules: those rules against the tiers that were found.
pub(super) struct InRun {
    /// comparison.json.
    pub(super) compared: Compared,
    /// moved.parquet.
    pub(super) moved: DataFrame,
}

/// Holds the segments of a run against its tiers, in the space of its model.
pub(super) fn in_run(
    customers: &Customers,
    model: &Model,
    placements: &tiers::Placements,
    (name, segmented): (&str, &Segmented),
) -> Result<InRun> {
    let a = of_segments(name, segmented);
    let b = of_placements(CLUSTERS, model, placements.clone());
    let space = Space::new(customers, &model.features)?;
    let (comparison, moves) = compare_tierings(&space, &a, &b, model.seed)?;
    let n = customers.len() as u64;
    Ok(InRun {
        moved: moved_table(customers, (&a, &b), &moves)?,
        compared: Compared {
            as_of: customers.as_of.text.clone(),
            comparison,
            coverage: Coverage {
                customers_a: n,
                customers_b: n,
                only_a: 0,
                only_b: 0,
                without_orders: 0,
            },
            // They are those of the run, and stand in tiers.json.
            warnings: Vec::new(),
            files: Vec::new(),
        },
    })
}

/// Where a tiering comes from.
#[derive(Debug, Clone)]
enum Origin {
    Clusters,
    Rules(String),
    Table { path: PathBuf, name: String },
}

/// What a word on the command line stands for: a path that exists, before a name.
fn origin(text: &str) -> Result<Origin> {
    let path = Path::new(text);
    if text == CLUSTERS {
        return Ok(Origin::Clusters);
    }
    if path.is_dir() {
        return of_folder(text, path);
    }
    let named = |extension: &str| path.extension().is_some_and(|own| own == extension);
    if named("toml") || text == RULES || (!path.exists() && !text.contains(['/', '*', '.'])) {
        return Ok(Origin::Rules(text.to_owned()));
    }
    if named("json") {
        return Err(Error::from(CompareFault::NoTiering {
            text: text.to_owned(),
            found: "it is a JSON document".to_owned(),
            hint: "give the folder of the run, or its assignments.parquet".to_owned(),
        }));
    }
    let folder = path
        .parent()
        .filter(|folder| folder.join("manifest.json").exists());
    Ok(Origin::Table {
        path: path.to_owned(),
        name: folder.map_or_else(|| text.to_owned(), run_name),
    })
}

/// A folder: a run, a folder of runs, or Parquet files with labels.
fn of_folder(text: &str, path: &Path) -> Result<Origin> {
    const ASSIGNMENTS: &str = "assignments.parquet";
    for run in [path.to_owned(), path.join("current")] {
        if run.join(ASSIGNMENTS).exists() {
            return Ok(Origin::Table {
                path: run.join(ASSIGNMENTS),
                name: run_name(&run),
            });
        }
    }
    if path.join("model.json").exists() {
        return Err(Error::from(CompareFault::NoTiering {
            text: text.to_owned(),
            found: "it is a run without assignments".to_owned(),
            hint: "`tiermill assign --model` makes one with them".to_owned(),
        }));
    }
    Ok(Origin::Table {
        path: path.to_owned(),
        name: text.to_owned(),
    })
}

/// The name of the folder that a path ends at, links followed.
fn run_name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// A side after its table, if it is one, was read.
enum Side {
    Clusters,
    Rules(String),
    Table {
        ids: CustomerIds,
        tiering: Tiering,
        column: String,
        customers: Option<Box<Customers>>,
        warnings: Vec<Warning>,
    },
}

fn read_sides(
    config: &CompareConfig,
    question: &Question,
    origins: &[Origin; 2],
) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    for (index, origin) in origins.iter().enumerate() {
        let label = question.labels.get(index).or(question.labels.first());
        sides.push(match origin {
            Origin::Clusters => Side::Clusters,
            Origin::Rules(text) => Side::Rules(text.clone()),
            Origin::Table { path, name } => {
                let read = labels(LabelQuery {
                    path: &path.to_string_lossy(),
                    customer: config.customer.as_deref(),
                    label: label.map(String::as_str),
                    monetary: monetary_of(path)?,
                })?;
                Side::Table {
                    ids: read.ids,
                    tiering: Tiering {
                        name: name.clone(),
                        names: read.names,
                        labels: read.labels,
                        ranked: read.ranked,
                        margins: read.margins,
                    },
                    column: read.column,
                    customers: read.customers.map(Box::new),
                    warnings: read.warnings,
                }
            }
        });
    }
    Ok(sides)
}

/// What `monetary` was in the run that an assignments.parquet belongs to, as its manifest says; a total without one.
fn monetary_of(assignments: &Path) -> Result<Monetary> {
    let manifest = assignments.with_file_name("manifest.json");
    if !manifest.exists() {
        return Ok(Monetary::Sum);
    }
    let text = read_model(&manifest)?;
    let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let word = &document["config"]["rfm"]["monetary"];
    Ok(if *word == Monetary::Mean.as_str() {
        Monetary::Mean
    } else {
        Monetary::Sum
    })
}

/// The customers with R, F and M.
struct Base {
    customers: Customers,
    warnings: Vec<Warning>,
}

/// Takes R, F and M from the orders where they have to be read (for clusters and rules) or were named, else from the run
/// that brings them along.
fn base(config: &CompareConfig, question: &Question, sides: &[Side]) -> Result<Base> {
    let brought: Vec<&Customers> = sides
        .iter()
        .filter_map(|side| match side {
            Side::Table { customers, .. } => customers.as_deref(),
            Side::Clusters | Side::Rules(_) => None,
        })
        .collect();
    let computed = sides.iter().any(|side| !matches!(side, Side::Table { .. }));
    match (&config.job, brought.as_slice()) {
        (Some(job), found) if computed || question.input_named || found.is_empty() => {
            let loaded = load(&job.input, &job.rfm)?;
            Ok(Base {
                customers: loaded.customers,
                warnings: loaded.warnings,
            })
        }
        (_, [first, others @ ..]) => {
            let mut warnings = Vec::new();
            if let Some(other) = others.iter().find(|other| other.as_of != first.as_of) {
                let message = format!(
                    "A is as of {}, B as of {}; recency and amounts are those of A",
                    first.as_of.date, other.as_of.date
                );
                warnings.push(Warning::new("other_as_of", message));
            }
            Ok(Base {
                customers: (*first).clone(),
                warnings,
            })
        }
        (_, []) => Err(Error::Missing {
            key: "input",
            hint: "neither side brings recency, frequency and amounts along: give the orders with `--input PATH`"
                .to_owned(),
        }),
    }
}

/// A tiering with the ids of its customers.
struct Placed {
    ids: CustomerIds,
    tiering: Tiering,
    /// Column of its labels, where it was read from a table.
    column: Option<String>,
}

fn place(
    config: &CompareConfig,
    customers: &Customers,
    side: Side,
    warnings: &mut Vec<Warning>,
) -> Result<Placed> {
    let of_base = |tiering: Tiering| Placed {
        ids: customers.ids.clone(),
        tiering,
        column: None,
    };
    match side {
        Side::Table {
            ids,
            tiering,
            column,
            warnings: told,
            ..
        } => {
            warnings.extend(told);
            Ok(Placed {
                ids,
                tiering,
                column: Some(column),
            })
        }
        Side::Clusters => {
            let job = config.job.as_ref().ok_or_else(|| Error::Missing {
                key: "input",
                hint: "`clusters` are fitted on orders: give them with `--input PATH`".to_owned(),
            })?;
            let (tiering, told) = clusters(job, customers)?;
            warnings.extend(told);
            Ok(of_base(tiering))
        }
        Side::Rules(text) => {
            let (tiering, told) = by_rules(&text, config, customers)?;
            warnings.extend(told);
            Ok(of_base(tiering))
        }
    }
}

/// Tiers fitted by the config, as `run` would find them.
fn clusters(config: &Config, customers: &Customers) -> Result<(Tiering, Vec<Warning>)> {
    let fitted = features::fit(customers, &config.features)?;
    let matrix = features::matrix(customers, &fitted.columns)?;
    let clusters = cluster(&sketch(matrix.view())?, &config.cluster)?;
    let ranked = tiers::rank(
        customers,
        &fitted.columns,
        matrix.view(),
        &clusters.clustering,
        (&config.tiers, &config.cluster),
    )?;
    let mut warnings = clusters.warnings.clone();
    warnings.extend(ranked.warnings.clone());
    let scores = rules::quintiles(customers)?;
    let model = Model::new(
        config,
        customers,
        fitted.columns,
        &clusters,
        (&ranked, scores, None),
    )?;
    let placements = tiers::place(matrix.view(), &model.placer()?);
    Ok((of_placements(CLUSTERS, &model, placements), warnings))
}

/// The tiers of a model as one side of a comparison.
pub(super) fn of_placements(name: &str, model: &Model, placements: tiers::Placements) -> Tiering {
    Tiering {
        name: name.to_owned(),
        names: model.tiers.iter().map(|tier| tier.name.clone()).collect(),
        labels: placements.tiers,
        ranked: true,
        margins: Some(placements.margins),
    }
}

/// Segments of a rule map or rule file.
fn by_rules(
    text: &str,
    config: &CompareConfig,
    customers: &Customers,
) -> Result<(Tiering, Vec<Warning>)> {
    let path = Path::new(text);
    let own = of_rules(config.rules.as_ref())?;
    let rules = if text == RULES {
        own.ok_or_else(|| Error::Missing {
            key: "rules",
            hint: "name them: `--rules eight`, or a table [rules] in tiermill.toml".to_owned(),
        })?
    } else if path.exists() || path.extension().is_some() {
        RuleSet::parse(&read_model(path)?, path)?
    } else {
        RuleSet::built_in(text).map_err(|_| unknown(text))?
    };
    let mut warnings = rules.check()?;
    let segmented = rules.fit(customers)?.segments(customers)?;
    warnings.extend(segmented.warnings.clone());
    Ok((of_segments(&rules.name, &segmented), warnings))
}

/// The segments of rules as one side of a comparison; who is in none is in the group [`NO_LABEL`].
pub(super) fn of_segments(name: &str, segmented: &Segmented) -> Tiering {
    let mut names: Vec<String> = segmented.names.iter().map(|name| name.en.clone()).collect();
    let none = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let labels: Vec<u32> = segmented
        .labels
        .iter()
        .map(|label| label.unwrap_or(none))
        .collect();
    if labels.contains(&none) {
        names.push(NO_LABEL.to_owned());
    }
    Tiering {
        name: name.to_owned(),
        names,
        labels,
        ranked: false,
        margins: None,
    }
}

/// The error for a word that is neither a path nor a map.
fn unknown(text: &str) -> Error {
    let maps: Vec<&str> = BUILT_IN.iter().map(|map| map.name).collect();
    Error::from(CompareFault::NoTiering {
        text: text.to_owned(),
        found: "no file, folder or map has that name".to_owned(),
        hint: format!(
            "give a run (`out/current`), a Parquet file with a customer and a label, `clusters`, a rule file, or a map: {}",
            maps.join(", ")
        ),
    })
}

/// Gives two sides of one name different ones: by column, else as they were written.
fn tell_apart(placed: &mut [Placed], question: &Question) {
    let [a, b] = placed else { return };
    if a.tiering.name != b.tiering.name {
        return;
    }
    let columns = (a.column.clone(), b.column.clone());
    let written = [&question.a, &question.b];
    for (side, written) in [a, b].into_iter().zip(written) {
        match &side.column {
            Some(column) if columns.0 != columns.1 => {
                side.tiering.name = format!("{} {column}", side.tiering.name);
            }
            _ => side.tiering.name.clone_from(written),
        }
    }
}

/// Both tierings by the same customers.
struct Met {
    customers: Customers,
    a: Tiering,
    b: Tiering,
    coverage: Coverage,
}

fn meet(placed: &[Placed], base: &Customers, warnings: &mut Vec<Warning>) -> Result<Met> {
    let [a, b] = placed else {
        return Err(Error::from(CompareFault::NothingInCommon {
            a: String::new(),
            b: String::new(),
        }));
    };
    let (name_a, name_b) = (a.tiering.name.as_str(), b.tiering.name.as_str());
    let (rows_a, rows_b) = common((&a.ids, name_a), (&b.ids, name_b))?;
    let nothing = || {
        Error::from(CompareFault::NothingInCommon {
            a: name_a.to_owned(),
            b: name_b.to_owned(),
        })
    };
    if rows_a.is_empty() {
        return Err(nothing());
    }
    let both = a.ids.select(&rows_a)?;
    let (rows, of_base) = common((&both, name_a), (&base.ids, "the orders"))?;
    if rows.is_empty() {
        return Err(Error::from(CompareFault::NothingInCommon {
            a: name_a.to_owned(),
            b: "the orders".to_owned(),
        }));
    }
    let len = |ids: &CustomerIds| ids.series().len() as u64;
    let coverage = Coverage {
        customers_a: len(&a.ids),
        customers_b: len(&b.ids),
        only_a: len(&a.ids) - rows_a.len() as u64,
        only_b: len(&b.ids) - rows_b.len() as u64,
        without_orders: (rows_a.len() - rows.len()) as u64,
    };
    warnings.extend(left_out(coverage, (name_a, name_b)));
    let part = |tiering: &Tiering, of_side: &[u32]| {
        let own: Vec<usize> = rows
            .iter()
            .map(|&row| of_side[row as usize] as usize)
            .collect();
        Tiering {
            labels: own.iter().map(|&row| tiering.labels[row]).collect(),
            margins: tiering
                .margins
                .as_ref()
                .map(|margins| own.iter().map(|&row| margins[row]).collect()),
            ..tiering.clone()
        }
    };
    Ok(Met {
        customers: base.select(&of_base)?,
        a: part(&a.tiering, &rows_a),
        b: part(&b.tiering, &rows_b),
        coverage,
    })
}

/// Warnings about customers who are not compared.
fn left_out(coverage: Coverage, (a, b): (&str, &str)) -> Vec<Warning> {
    let n = |customers: u64| grouped(&customers.to_string());
    let mut warnings = Vec::new();
    if 0 < coverage.only_a + coverage.only_b {
        let message = format!(
            "customers only in {a}: {}, only in {b}: {}; they are not compared",
            n(coverage.only_a),
            n(coverage.only_b)
        );
        warnings.push(Warning::new("only_in_one", message));
    }
    if 0 < coverage.without_orders {
        let message = format!(
            "customers of both without orders in the input: {}; they are not compared",
            n(coverage.without_orders)
        );
        warnings.push(Warning::new("without_orders", message));
    }
    warnings
}

/// Refuses a customer column that has the name of one of ours.
///
/// # Errors
/// [`Error::Conflict`].
pub(super) fn check_name(customer: &str) -> Result<()> {
    if MOVED.contains(&customer) {
        return Err(Error::Conflict {
            first: format!("`customer = \"{customer}\"`"),
            second: format!("the column `{customer}` of moved.parquet"),
            hint: "rename the customer column in the input".to_owned(),
        });
    }
    Ok(())
}

/// moved.parquet.
///
/// # Errors
/// [`Error::Conflict`] for a customer column with the name of one of ours.
pub(super) fn moved_table(
    customers: &Customers,
    (a, b): (&Tiering, &Tiering),
    moves: &Moves,
) -> Result<DataFrame> {
    let ids = customers.ids.select(&moves.rows)?.series().clone();
    check_name(ids.name())?;
    let names = |column: &str, tiering: &Tiering, labels: &[u32]| {
        let names = tiering.names.iter().map(String::as_str);
        let names = StringChunked::from_iter_values(column.into(), names);
        let rows = IdxCa::from_slice("row".into(), labels);
        names.take(&rows).map(IntoColumn::into_column)
    };
    let known = |&margin: &f32| Some(margin).filter(|margin| !margin.is_nan());
    let decides = moves.decides.iter().map(|feature| feature.as_str());
    let revenue: Vec<f64> = moves
        .rows
        .iter()
        .map(|&row| customers.revenue_of(row as usize))
        .collect();
    let [tier_a, tier_b, margin, decided_by, amount] = MOVED;
    let columns = || {
        Ok(vec![
            ids.into_column(),
            names(tier_a, a, &moves.a)?,
            names(tier_b, b, &moves.b)?,
            Float32Chunked::from_iter_options(margin.into(), moves.margins.iter().map(known))
                .into_column(),
            StringChunked::from_iter_values(decided_by.into(), decides).into_column(),
            Float64Chunked::from_slice(amount.into(), &revenue).into_column(),
        ])
    };
    columns()
        .and_then(|columns| DataFrame::new(moves.rows.len(), columns))
        .map_err(Error::polars("put the moved customers together"))
}
