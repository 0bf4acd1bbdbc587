//! `tiermill compare`: two tierings from wherever they come, brought to the same customers.
//!
//! In: two words (a run, a table of labels, a rule map, `clusters`) and the settings. Out: [`Compared`], and two files
//! where a folder was named.
//! Invariant: customers that only one side has are counted and told, never dropped in silence; without any in common it
//! is an error. Nothing is written unless a folder is named, and that is opened before the input.

mod sides;

use std::path::PathBuf;

use polars::prelude::*;
use serde::Serialize;

use super::{Model, Observer, Stage};
use crate::compare::{Comparison, Moves, Space, Tiering, compare as compare_tierings};
use crate::config::{CompareConfig, grouped};
use crate::error::{CompareFault, Error, Result, Warning};
use crate::load::{CustomerIds, Customers, common};
use crate::rules::Segmented;
use crate::store::{LooseFolder, Table};
use crate::{features, tiers};
pub(super) use sides::run_facts;
pub(super) use sides::{CLUSTERS, RULES, by_rules, clusters, named_rules};
use sides::{Placed, base, of_placements, of_segments, origin, place, read_sides};

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
    let mut warnings = Vec::new();
    let origins = [
        origin(&question.a, &mut warnings)?,
        origin(&question.b, &mut warnings)?,
    ];
    observe(Stage::Load);
    let sides = read_sides(config, question, &origins)?;
    let base = base(config, question, &sides)?;
    observe(Stage::Cluster);
    warnings.extend(base.warnings);
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
        let table = moved_table(&met.customers, (&met.a, &met.b), &moves)?;
        let document = folder.json("comparison.json", &compared)?;
        compared.files.push(document);
        compared
            .files
            .push(folder.parquet("moved.parquet", &Table::of(&table))?);
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
    space: &Space<'_>,
    model: &Model,
    placements: &tiers::Placements,
    (name, segmented): (&str, &Segmented),
) -> Result<InRun> {
    let customers = space.customers();
    let a = of_segments(name, segmented);
    let b = of_placements(CLUSTERS, model, placements.clone());
    let (comparison, moves) = compare_tierings(space, &a, &b, model.seed)?;
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
