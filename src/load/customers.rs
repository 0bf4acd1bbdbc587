//! A ready customer table: R, F and M as somebody else computed them.
//!
//! In: a table with one row per customer. Out: [`Loaded`], as from orders.
//! Invariant: a customer stands once. Nothing is aggregated here.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::meaning::{check_customer, is_empty_customer};
use super::moment::Clock;
use super::needed::Needed;
use super::reconcile::{Reason, Reconciliation};
use super::rejected::{number_text, with_reason};
use super::rows::{CODE, COPIES, surplus};
use super::source::{Source, i64_column};
use super::{CustomerIds, Customers, Loaded, id_text};
use crate::config::{Columns, InputConfig, RfmConfig};
use crate::error::{Error, Result, Warning};

const RECENCY: &str = "__tiermill_recency";
const FREQUENCY: &str = "__tiermill_frequency";
const MONETARY: &str = "__tiermill_monetary";
const TENURE: &str = "__tiermill_tenure";

/// Reads a customer table.
pub(super) fn load(source: &Source, input: &InputConfig, rfm: &RfmConfig) -> Result<Loaded> {
    let as_of = match rfm.as_of {
        Some(as_of) => Clock { zone: None }.read(as_of, input.timezone)?,
        None => {
            return Err(Error::Missing {
                key: "as-of",
                hint: "a ready customer table has no times; say which day it describes".to_owned(),
            });
        }
    };
    let table = Table::new(source, input)?;
    let coded = table.frame.with_columns([code(&table.rules).alias(CODE)]);
    let coded = source.collect(coded)?;
    let sorted = sort_out(&coded, source, input, &table.columns)?;
    let usable = sorted
        .usable
        .sort([input.customer.as_str()], SortMultipleOptions::default())
        .map_err(Error::polars("sort the customers"))?;
    let ids = usable
        .column(&input.customer)
        .map(|column| column.as_materialized_series().rechunk())
        .map_err(Error::polars("read the customer ids"))?;
    check_once(&ids)?;
    let monetary = floats(&usable, MONETARY)?;
    let customers = Customers {
        as_of: as_of.name(),
        recency_days: floats(&usable, RECENCY)?,
        frequency: floats(&usable, FREQUENCY)?.into_iter().map(whole).collect(),
        tenure_days: if table.has_tenure {
            Some(floats(&usable, TENURE)?)
        } else {
            None
        },
        revenue: revenue(&monetary, &ids, input.decimals)?,
        decimals: input.decimals,
        monetary,
        ids: CustomerIds(ids),
    };
    let below = customers
        .monetary
        .iter()
        .filter(|&&amount| amount <= 0.0)
        .count();
    let mut warnings = Vec::new();
    if 0 < below {
        warnings.push(Warning::new(
            "net_not_positive",
            format!("customers with a monetary of 0 or less: {below}; they stay in"),
        ));
    }
    Ok(Loaded {
        customers,
        reconciliation: sorted.reconciliation,
        rejected: sorted.rejected,
        inputs: source.files.clone(),
        warnings,
    })
}

/// The table with its four numbers under names of our own, and the rules by which a row is rejected.
struct Table {
    frame: LazyFrame,
    columns: Vec<String>,
    rules: Vec<(Reason, Expr)>,
    has_tenure: bool,
}

impl Table {
    fn new(source: &Source, input: &InputConfig) -> Result<Self> {
        let Columns::Customers {
            recency,
            frequency,
            monetary,
            tenure,
        } = &input.columns
        else {
            return Err(Error::Missing {
                key: "level",
                hint: "set `level = \"customers\"`".to_owned(),
            });
        };
        let mut needed = Needed::new(source);
        let dtype = needed.column("customer", &input.customer)?;
        check_customer(source, &input.customer, Some(&dtype))?;
        let mut numbers = Vec::new();
        let roles = [
            ("recency-column", Some(recency), RECENCY),
            ("frequency-column", Some(frequency), FREQUENCY),
            ("monetary-column", Some(monetary), MONETARY),
            ("tenure-column", tenure.as_ref(), TENURE),
        ];
        for (key, column, ours) in roles {
            let Some(column) = column else { continue };
            let dtype = needed.column(key, column)?;
            if !(dtype.is_numeric() || dtype.is_decimal()) {
                return Err(Error::WrongType {
                    place: source.place(),
                    column: column.clone(),
                    found: dtype.to_string(),
                    expected: "a number",
                    hint: format!("give another column with `--{key}`"),
                });
            }
            numbers.push(col(column.as_str()).cast(DataType::Float64).alias(ours));
        }
        let filter = match &input.filter {
            Some(text) => Some(needed.expression("where", text)?),
            None => None,
        };
        let columns = needed.or_everything(input.deduplicate)?;
        Ok(Self {
            frame: source.scan(&columns)?.with_columns(numbers),
            columns,
            rules: rules(input, &dtype, filter, tenure.is_some()),
            has_tenure: tenure.is_some(),
        })
    }
}

fn rules(
    input: &InputConfig,
    dtype: &DataType,
    filter: Option<Expr>,
    has_tenure: bool,
) -> Vec<(Reason, Expr)> {
    let customer = || col(input.customer.as_str());
    let not_a_number = |name: &str| col(name).is_null().or(col(name).is_finite().not());
    let mut rules = Vec::new();
    if let Some(filter) = filter {
        rules.push((Reason::Filtered, filter.fill_null(lit(false)).not()));
    }
    rules.push((Reason::NullCustomer, customer().is_null()));
    if let Some(empty) = is_empty_customer(&input.customer, Some(dtype)) {
        rules.push((Reason::EmptyCustomer, empty));
    }
    let below = |name: &str, least: f64| not_a_number(name).or(col(name).lt(lit(least)));
    rules.push((Reason::BadRecency, below(RECENCY, 0.0)));
    let whole = col(FREQUENCY).eq(col(FREQUENCY).cast(DataType::Int64).cast(DataType::Float64));
    rules.push((
        Reason::BadFrequency,
        below(FREQUENCY, 1.0).or(whole.fill_null(lit(false)).not()),
    ));
    rules.push((Reason::BadAmount, not_a_number(MONETARY)));
    if has_tenure {
        rules.push((
            Reason::BadTenure,
            not_a_number(TENURE).or(col(TENURE).lt(col(RECENCY))),
        ));
    }
    rules
}

fn code(rules: &[(Reason, Expr)]) -> Expr {
    rules.iter().rev().fold(lit(0), |rest, (reason, rejects)| {
        when(rejects.clone())
            .then(lit(*reason as i32))
            .otherwise(rest)
    })
}

/// The table, sorted into what is used and what is not.
struct Sorted {
    usable: DataFrame,
    reconciliation: Reconciliation,
    rejected: DataFrame,
}

/// Counts the rejected rows by reason and keeps the first of each.
fn sort_out(
    coded: &DataFrame,
    source: &Source,
    input: &InputConfig,
    columns: &[String],
) -> Result<Sorted> {
    let mut counts = BTreeMap::new();
    let nothing = select(coded, -1)?.select(columns).map_err(listing())?;
    let mut parts = vec![with_reason(nothing, "")?.lazy()];
    for reason in Reason::ALL {
        let rows = select(coded, reason as i32)?;
        if rows.height() == 0 {
            continue;
        }
        counts.insert(reason, rows.height() as u64);
        let kept = rows
            .head(Some(input.rejected_cap))
            .select(columns)
            .map_err(listing())?;
        parts.push(with_reason(kept, reason.as_str())?.lazy());
    }
    let mut usable = select(coded, 0)?;
    if input.deduplicate {
        let copies = surplus(usable.clone().lazy(), columns)
            .collect()
            .map_err(listing())?;
        let n: i64 = i64_column(&copies, COPIES)?.iter().sum();
        if 0 < n {
            counts.insert(Reason::Duplicate, u64::try_from(n).unwrap_or(0));
            let kept = copies.head(Some(input.rejected_cap));
            parts.push(with_reason(kept, Reason::Duplicate.as_str())?.lazy());
            usable = usable
                .lazy()
                .unique(None, UniqueKeepStrategy::Any)
                .collect()
                .map_err(listing())?;
        }
    }
    let reconciliation = Reconciliation {
        read: source.rows(),
        used: usable.height() as u64,
        rejected: counts,
    };
    reconciliation.check_sum()?;
    Ok(Sorted {
        usable,
        reconciliation,
        rejected: concat(parts, UnionArgs::default())
            .and_then(LazyFrame::collect)
            .map_err(listing())?,
    })
}

fn listing() -> impl FnOnce(PolarsError) -> Error {
    Error::polars("list the rejected rows")
}

fn select(coded: &DataFrame, code: i32) -> Result<DataFrame> {
    coded
        .column(CODE)
        .and_then(|codes| codes.as_materialized_series().equal(code))
        .and_then(|mask| coded.filter(&mask))
        .map_err(Error::polars("select rows"))
}

fn floats(frame: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let column = frame
        .column(name)
        .map_err(Error::polars("read the customer table"))?;
    let values = column
        .f64()
        .map_err(Error::polars("read the customer table"))?;
    // Adding 0 turns −0 into 0, which would print as another number.
    Ok(values
        .into_no_null_iter()
        .map(|value| value + 0.0)
        .collect())
}

/// Refuses a customer that stands twice; ids are sorted, so copies are neighbours.
fn check_once(ids: &Series) -> Result<()> {
    let twice = ids
        .head(Some(ids.len().saturating_sub(1)))
        .equal(&ids.slice(1, ids.len().saturating_sub(1)))
        .map_err(Error::polars("compare the customer ids"))?;
    let Some(row) = twice.iter().position(|same| same == Some(true)) else {
        return Ok(());
    };
    let more = twice
        .iter()
        .skip(row)
        .take_while(|same| *same == Some(true))
        .count();
    Err(Error::CustomerTwice {
        customer: id_text(ids, row),
        rows: more as u64 + 1,
    })
}

/// Monetary in fixed point, so that the totals of tiers are exact here too.
fn revenue(monetary: &[f64], ids: &Series, decimals: u32) -> Result<Vec<i64>> {
    /// Below 2^63 by more than the rounding of an f64 there.
    const LARGEST: f64 = 9.2e18;
    let factor = 10_f64.powi(decimals.cast_signed());
    monetary
        .iter()
        .enumerate()
        .map(|(row, &amount)| {
            let units = (amount * factor).round();
            if units.abs() < LARGEST {
                Ok(whole(units))
            } else {
                Err(Error::AmountTooLarge {
                    customer: id_text(ids, row),
                    amount: number_text(amount),
                    decimals,
                })
            }
        })
        .collect()
}

/// A whole number that is known to fit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked before: it is whole and below 2^63"
)]
fn whole(value: f64) -> i64 {
    value as i64
}
