//! Who changes places, which feature decides it, and the largest flows in words.
//!
//! In: the space, both tierings, their matching. Out: [`Moved`] for the report, [`Moves`] for moved.parquet.
//! Invariant: a customer moves who is not in the counterpart of their tier. Customers are listed in the order of their
//! ids, flows by customers, then by tier.

use std::fmt::Write;

use rayon::prelude::*;
use serde::Serialize;

use super::{CrossTable, Matching, Pairing, Space, Tiering};
use crate::config::{Feature, grouped};
use crate::features::quantile::median;
use crate::load::from_fixed;

/// Everybody who moves: the rows of moved.parquet.
#[derive(Debug, Clone, PartialEq)]
pub struct Moves {
    /// Customers, ascending.
    pub rows: Vec<u32>,
    /// Their tiers in A.
    pub a: Vec<u32>,
    /// Their tiers in B.
    pub b: Vec<u32>,
    /// Distance to the border in B, else in A; NaN where no model placed them.
    pub margins: Vec<f32>,
    /// The feature that speaks most for the tier of B.
    pub decides: Vec<Feature>,
}

/// Who moves, in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    /// Customers who change places.
    pub customers: u64,
    /// Their share of all.
    pub share: f64,
    /// Their total amount.
    pub revenue: f64,
    /// How tiers were matched.
    pub matched_by: Pairing,
    /// Tiers of A with the tier of B that stands for each.
    pub matched: Vec<(String, Option<String>)>,
    /// From where to where, most customers first.
    pub flows: Vec<Flow>,
}

/// Customers who move from one tier to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    /// Tier in A.
    pub a: String,
    /// Tier in B.
    pub b: String,
    /// Customers.
    pub customers: u64,
    /// Their total amount.
    pub revenue: f64,
    /// Median days since their last order.
    pub recency_days: f64,
    /// Median orders.
    pub frequency: f64,
    /// Mean monetary.
    pub monetary: f64,
    /// The feature that decides for most of them.
    pub decides: Feature,
    /// All this as a sentence.
    pub words: String,
}

/// Finds out who moves.
pub(super) fn moved(
    space: &Space<'_>,
    (a, b): (&Tiering, &Tiering),
    matching: &Matching,
    table: &CrossTable,
) -> (Moved, Moves) {
    let rows: Vec<u32> = (0_u32..)
        .zip(a.labels.iter().zip(&b.labels))
        .filter(|&(_, (&a, &b))| !matching.stays(a, b))
        .map(|(row, _)| row)
        .collect();
    let of =
        |labels: &[u32]| -> Vec<u32> { rows.iter().map(|&row| labels[row as usize]).collect() };
    let margin = |row: u32| {
        let known = [b, a].into_iter().find_map(|side| side.margins.as_ref());
        known.map_or(f32::NAN, |margins| margins[row as usize])
    };
    let moves = Moves {
        a: of(&a.labels),
        b: of(&b.labels),
        margins: rows.iter().map(|&row| margin(row)).collect(),
        decides: decides(space, (a, b), &rows),
        rows,
    };
    let units: i128 = moves
        .rows
        .iter()
        .map(|&row| i128::from(space.customers.revenue[row as usize]))
        .sum();
    let name = |column: Option<usize>| column.map(|column| table.columns[column].clone());
    let matched = table.rows.iter().cloned();
    let told = Moved {
        customers: moves.rows.len() as u64,
        share: moves.rows.len() as f64 / space.customers.len() as f64,
        revenue: from_fixed(units, space.customers.decimals),
        matched_by: matching.by,
        matched: matched
            .zip(matching.counterparts.iter().map(|&column| name(column)))
            .collect(),
        flows: flows(space, (a, b), table, &moves),
    };
    (told, moves)
}

/// For each of these customers the feature along which they lie, in standard deviations, most closer to the mean of their
/// tier in B than to that of their tier in A. Of two alike the first.
fn decides(space: &Space<'_>, (a, b): (&Tiering, &Tiering), rows: &[u32]) -> Vec<Feature> {
    let mut best = vec![(f64::NEG_INFINITY, 0_usize); rows.len()];
    for index in 0..space.columns.len() {
        let column = space.matrix.column(index);
        let deviation = space.spreads[index].deviation(column.len());
        if deviation <= 0.0 {
            continue;
        }
        let means = |tiering: &Tiering| -> Vec<f64> {
            let mut sums = vec![(0.0, 0.0); tiering.names.len()];
            for (&label, x) in tiering.labels.iter().zip(column) {
                let (n, sum) = &mut sums[label as usize];
                *n += 1.0;
                *sum += x;
            }
            sums.iter().map(|(n, sum)| sum / n).collect()
        };
        let (means_a, means_b) = (means(a), means(b));
        for (&row, best) in rows.iter().zip(&mut best) {
            let row = row as usize;
            let x = column[row];
            let from = |means: &[f64], tiering: &Tiering| {
                (x - means[tiering.labels[row] as usize]).abs() / deviation
            };
            let closer = from(&means_a, a) - from(&means_b, b);
            if best.0 < closer {
                *best = (closer, index);
            }
        }
    }
    let name = |&(_, index): &(f64, usize)| space.columns[index].name;
    best.iter().map(name).collect()
}

/// The customers of one flow while they are collected.
#[derive(Default)]
struct Members {
    rows: Vec<usize>,
    decides: Vec<Feature>,
}

fn flows(
    space: &Space<'_>,
    (a, b): (&Tiering, &Tiering),
    table: &CrossTable,
    moves: &Moves,
) -> Vec<Flow> {
    let columns = table.columns.len();
    let mut members: Vec<Members> = Vec::new();
    members.resize_with(table.rows.len() * columns, Members::default);
    for (index, &row) in moves.rows.iter().enumerate() {
        let flow = &mut members[moves.a[index] as usize * columns + moves.b[index] as usize];
        flow.rows.push(row as usize);
        flow.decides.push(moves.decides[index]);
    }
    let origins = origins(space, a);
    let mut flows: Vec<(usize, Members)> = members.into_iter().enumerate().collect();
    flows.retain(|(_, members)| !members.rows.is_empty());
    flows.sort_by_key(|(cell, members)| (std::cmp::Reverse(members.rows.len()), *cell));
    let flow = |(cell, members): (usize, Members)| {
        let (row, column) = (cell / columns, cell % columns);
        let figures = Figures::of(space, &members.rows);
        Flow {
            words: words(
                (
                    members.rows.len() as u64,
                    &table.rows[row],
                    &table.columns[column],
                ),
                called(&a.name, &b.name),
                &figures,
                origins[row].as_ref(),
            ),
            a: table.rows[row].clone(),
            b: table.columns[column].clone(),
            customers: members.rows.len() as u64,
            revenue: table.amount(table.units[row][column]),
            recency_days: figures.recency_days,
            frequency: figures.frequency,
            monetary: figures.monetary,
            decides: most_frequent(&members.decides),
        }
    };
    flows.into_par_iter().map(flow).collect()
}

/// What some customers are like: medians of days and orders, mean monetary.
#[derive(Debug, Clone, Copy)]
struct Figures {
    recency_days: f64,
    frequency: f64,
    monetary: f64,
}

impl Figures {
    fn of(space: &Space<'_>, rows: &[usize]) -> Self {
        let customers = space.customers;
        let middle = |value: &dyn Fn(usize) -> f64| {
            let mut values: Vec<f64> = rows.iter().map(|&row| value(row)).collect();
            values.par_sort_unstable_by(f64::total_cmp);
            median(&values)
        };
        let sum: f64 = rows.iter().map(|&row| customers.monetary[row]).sum();
        Self {
            recency_days: middle(&|row| customers.recency_days[row]),
            frequency: middle(&|row| customers.frequency[row] as f64),
            monetary: sum / rows.len() as f64,
        }
    }
}

/// What all customers of each tier of A are like; those who stay included.
fn origins(space: &Space<'_>, a: &Tiering) -> Vec<Option<Figures>> {
    let mut members = vec![Vec::new(); a.names.len()];
    for (row, &label) in a.labels.iter().enumerate() {
        members[label as usize].push(row);
    }
    let figures = |rows: &Vec<usize>| (!rows.is_empty()).then(|| Figures::of(space, rows));
    members.par_iter().map(figures).collect()
}

/// The feature that stands most often; of two alike the first in the order of features.
fn most_frequent(features: &[Feature]) -> Feature {
    let mut best = (0, Feature::RecencyDays);
    for feature in Feature::ALL {
        let times = features.iter().filter(|&&each| each == feature).count();
        if best.0 < times {
            best = (times, feature);
        }
    }
    best.1
}

/// What both sides are called in a sentence: names longer than a word or two, such as those of runs, only get in the way.
fn called<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    const LONGEST: usize = 16;
    if [a, b].iter().all(|name| name.chars().count() <= LONGEST) {
        (a, b)
    } else {
        ("A", "B")
    }
}

/// "4,211 customers that rules calls At Risk are, by clusters, Key value: last order 40 days ago (all of At Risk: 210),
/// twice the spend".
fn words(
    (customers, tier_a, tier_b): (u64, &str, &str),
    (name_a, name_b): (&str, &str),
    figures: &Figures,
    origin: Option<&Figures>,
) -> String {
    let who = if customers == 1 {
        "customer"
    } else {
        "customers"
    };
    let are = if customers == 1 { "is" } else { "are" };
    let mut text = format!(
        "{} {who} that {name_a} calls {tier_a} {are}, by {name_b}, {tier_b}: last order {} days ago",
        grouped(&customers.to_string()),
        plain(figures.recency_days)
    );
    let Some(origin) = origin else {
        return text;
    };
    let _ = write!(text, " (all of {tier_a}: {})", plain(origin.recency_days));
    let against = figures.monetary / origin.monetary;
    if against.is_finite() && 0.0 < against {
        let _ = write!(text, ", {}", times(against));
    }
    text
}

/// A ratio of spending as people say it.
fn times(ratio: f64) -> String {
    match ratio {
        _ if (0.9..=1.1).contains(&ratio) => "about the same spend".to_owned(),
        _ if (1.9..=2.1).contains(&ratio) => "twice the spend".to_owned(),
        _ if (0.48..=0.52).contains(&ratio) => "half the spend".to_owned(),
        _ if ratio < 0.01 => "less than 0.01 times the spend".to_owned(),
        _ if ratio < 1.0 => format!("{ratio:.2} times the spend"),
        _ if ratio < 10.0 => format!("{ratio:.1} times the spend"),
        _ => format!("{ratio:.0} times the spend"),
    }
}

/// Days with one decimal, where they are not whole.
fn plain(days: f64) -> String {
    let text = format!("{days:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
