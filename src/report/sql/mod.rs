//! A model as one SQL query: orders in, the tier of every customer out.
//!
//! In: a [`SqlQuery`]. Out: the text of a query in a [`Dialect`].
//! Invariant: in an engine that computes in IEEE doubles, customers get the tiers that `assign` gives them, but for those
//! who lie on a border to the last digits (logarithms differ by one of them).
//!
//! ```text
//! table ─orders | customers─▶ figures ─place─▶ tier ─scores─▶ segment: one row per customer
//! ```

mod dialect;
mod portable;
mod select;

mod customers;
mod orders;

mod place;
mod scores;

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::cluster::Component;
use crate::config::{Count, Days, Dialect, Feature, Monetary, Recency, Refunds, TimeType};
use crate::error::Result;
use crate::features::Fitted;
use crate::load::Since;
use crate::rules::{Measure, Plain, ScoreCuts};
use crate::tiers::Tier;
use dialect::Speech;
use select::{Select, Steps, case};

/// Everything that a query says.
#[derive(Debug, Clone)]
pub struct SqlQuery<'a> {
    /// The engine that will read it.
    pub dialect: Dialect,
    /// A name, or an expression with parentheses such as `read_parquet('orders.parquet')`.
    pub table: &'a str,
    /// Column of the customer.
    pub customer: &'a str,
    /// SQL condition for the rows that count, in the SQL of polars.
    pub filter: Option<&'a str>,
    /// Exact duplicate rows count once.
    pub deduplicate: bool,
    /// Decimals of the fixed point.
    pub decimals: u32,
    /// What a row is.
    pub rows: SqlRows<'a>,
    /// Columns of the feature space.
    pub features: &'a [Fitted],
    /// How it is divided.
    pub places: SqlPlaces,
    /// Best first.
    pub tiers: &'a [Tier],
    /// Cut points of the scores that every run has.
    pub scores: &'a ScoreCuts,
    /// Rules with their cut points.
    pub rules: Option<Plain>,
}

/// What a row of the table is.
#[derive(Debug, Clone)]
pub enum SqlRows<'a> {
    /// An order, an order line or an event.
    Orders(SqlOrders<'a>),
    /// A customer, with R, F and M ready.
    Customers {
        /// Column of days since the last order.
        recency: &'a str,
        /// Column of orders.
        frequency: &'a str,
        /// Column of the amount.
        monetary: &'a str,
        /// Column of days since the first order.
        tenure: Option<&'a str>,
        /// Whether the amount is one per order.
        kind: Monetary,
        /// Day that the table describes, in days since 1970.
        day: i64,
    },
}

/// How orders become customers (DESIGN §2).
#[derive(Debug, Clone)]
pub struct SqlOrders<'a> {
    /// Column of the time.
    pub time: &'a str,
    /// What it holds.
    pub time_type: TimeType,
    /// The zone whose midnights count; `None`: those of the wall clock.
    pub zone: Option<Tz>,
    /// Column that is the same for all lines of an order.
    pub order: Option<&'a str>,
    /// What a row is worth.
    pub worth: Worth<'a>,
    /// Amounts are Decimals of this scale and are summed as such.
    pub scale: Option<u32>,
    /// What F counts.
    pub count: Count,
    /// How R is rounded.
    pub recency: Recency,
    /// Whether M is a total or a mean per order.
    pub monetary: Monetary,
    /// What negative amounts are.
    pub refunds: Refunds,
    /// Days before as-of that count.
    pub window: Option<Days>,
    /// As-of and the begin of the window; `None`: midnight after the newest order.
    pub since: Option<Since>,
}

/// What a row is worth.
#[derive(Debug, Clone)]
pub enum Worth<'a> {
    /// One: there are no amounts.
    One,
    /// A column.
    Column(&'a str),
    /// An expression in the SQL of polars.
    Expression(&'a str),
    /// A column with the type of an event, and what each type is worth.
    Events(&'a str, &'a BTreeMap<String, f64>),
}

/// How the feature space is divided; the first place is the best tier.
#[derive(Debug, Clone)]
pub enum SqlPlaces {
    /// By the nearest of these points, in the scaled space.
    Nearest(Vec<Vec<f64>>),
    /// By the likeliest of these components.
    Likeliest(Vec<Component>),
    /// By bands of each feature.
    Bands {
        /// Upper bounds, inclusive, in the unit of the feature.
        cuts: Vec<Vec<f64>>,
        /// Index of the tier of each cell; the last feature counts fastest.
        tiers: Vec<u32>,
    },
}

/// Writes the query.
///
/// # Errors
/// [`Error::NoSql`](crate::Error::NoSql) for what a dialect has no words for; [`Error::BadValue`](crate::Error::BadValue)
/// for a table that is none.
pub fn sql(query: &SqlQuery<'_>) -> Result<String> {
    let speech = Speech::of(query.dialect);
    let mut steps = Steps::new(source(query, &speech)?, query.dialect);
    if query.filter.is_some() || query.deduplicate {
        let rows = Select::from(&steps.last()).plain("*");
        let rows = if query.deduplicate {
            rows.distinct()
        } else {
            rows
        };
        let rows = match query.filter {
            Some(filter) => rows.filter(&portable::condition(filter, &speech)?),
            None => rows,
        };
        steps.add("source_rows", rows);
    }
    match &query.rows {
        SqlRows::Orders(orders) => {
            orders::used_rows(query, orders, &speech, &mut steps)?;
            orders::figures(query, orders, &speech, &mut steps)?;
        }
        SqlRows::Customers { .. } => customers::figures(query, &speech, &mut steps),
    }
    place::tier(query, &speech, &mut steps);
    scores::scored(query, &speech, &mut steps)?;
    let of_tier = |text: fn(&Tier) -> &str| {
        let cases = query.tiers.iter().map(|tier| {
            let holds = format!("tier = {}", tier.rank);
            (holds, speech.string(text(tier)))
        });
        case(cases.collect(), None)
    };
    let last = Select::from(&steps.last())
        .column("customer", &speech.name(query.customer))
        .plain("tier")
        .column(&of_tier(|tier| &tier.key), "tier_key")
        .column(&of_tier(|tier| &tier.name), "tier_name");
    let segment = query.rules.as_ref().map(|_| "segment");
    let figures = [
        "recency_days",
        "frequency",
        "monetary",
        "r_score",
        "f_score",
        "m_score",
    ];
    let last = segment.into_iter().chain(figures).fold(last, Select::plain);
    Ok(steps.text(&last))
}

/// The table as something to select from.
fn source(query: &SqlQuery<'_>, speech: &Speech) -> Result<String> {
    let table = portable::table(query.table, speech)?;
    Ok(format!("{table} AS orders_table"))
}

/// Whether somebody looks at a quantity that is not always there.
fn needs(query: &SqlQuery<'_>, feature: Feature) -> bool {
    let by_rules = |plain: &Plain| {
        let terms = plain.segments.iter().flat_map(|segment| &segment.any);
        let mut ranges = terms.flat_map(|terms| &terms.ranges);
        ranges.any(|(measure, _)| *measure == Measure::Of(feature))
    };
    query.features.iter().any(|column| column.name == feature)
        || query.rules.as_ref().is_some_and(by_rules)
}

/// Whether a rule looks at the day of the first order.
fn needs_first_order(query: &SqlQuery<'_>) -> bool {
    let segments = query.rules.iter().flat_map(|plain| &plain.segments);
    let terms = segments.flat_map(|segment| &segment.any);
    let mut ranges = terms.flat_map(|terms| &terms.ranges);
    ranges.any(|(measure, _)| matches!(measure, Measure::FirstOrder | Measure::FirstOrderAgo))
}
