//! A ready customer table: R, F and M as somebody else computed them.
//!
//! In: a table with one row per customer. Out: [`Loaded`], as from orders.
//! Invariant: a customer stands once. Nothing is aggregated here.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::fixed::{Exact, Totals};
use super::meaning::{AMOUNT, Money, check_customer, customer_order, is_empty_customer, type_name};
use super::moment::Clock;
use super::needed::{Needed, condition};
use super::notes::net_not_positive;
use super::reconcile::{Reason, Reconciliation};
use super::rejected::{number_text, with_reason};
use super::rows::{CODE, COPIES, TOO_LARGE, UNITS, code, surplus};
use super::source::{Source, i64_column};
use super::{AsOfMoment, CustomerIds, Customers, Loaded, id_text};
use crate::config::{Columns, InputConfig, Monetary, RfmConfig};
use crate::error::{Error, Result};

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
    let table = Table::new(source, input, rfm.monetary)?;
    let sorted = sort_out(&table, source, input)?;
    let order = customer_order(&input.customer, sorted.usable.schema().get(&input.customer));
    let usable = sorted
        .usable
        .lazy()
        .sort_by_exprs([order], SortMultipleOptions::default())
        .collect()
        .map_err(Error::polars("sort the customers"))?;
    let ids = usable
        .column(&input.customer)
        .map(|column| column.as_materialized_series().rechunk())
        .map_err(Error::polars("read the customer ids"))?;
    check_once(&ids)?;
    let frequency: Vec<i64> = floats(&usable, FREQUENCY)?.into_iter().map(whole).collect();
    let revenue = Totals::new(table.totals(&usable, &frequency)?, &table.money, &ids)?;
    let as_of = as_of.name();
    let tenure_days = if table.has_tenure {
        Some(floats(&usable, TENURE)?)
    } else {
        None
    };
    let customers = Customers {
        first_order: tenure_days.as_deref().map(|days| first_days(&as_of, days)),
        as_of,
        recency_days: floats(&usable, RECENCY)?,
        frequency,
        monetary: floats(&usable, MONETARY)?,
        tenure_days,
        revenue: revenue.units,
        decimals: revenue.decimals,
        ids: CustomerIds(ids),
    };
    Ok(Loaded {
        warnings: net_not_positive(&customers).into_iter().collect(),
        customers,
        reconciliation: sorted.reconciliation,
        rejected: sorted.rejected,
        inputs: source.files.clone(),
    })
}

/// What a row of the table is, and the rules by which it is rejected.
struct Table {
    columns: Vec<String>,
    filter: Option<Expr>,
    /// R, F and M under names of our own, and the amount that counts as revenue.
    numbers: Vec<Expr>,
    money: Money,
    monetary: Monetary,
    rules: Vec<(Reason, Expr)>,
    has_tenure: bool,
}

impl Table {
    fn new(source: &Source, input: &InputConfig, monetary: Monetary) -> Result<Self> {
        let Columns::Customers {
            recency,
            frequency,
            monetary: amount,
            tenure,
        } = &input.columns
        else {
            return Err(Error::Missing {
                key: "level",
                hint: "set `level = \"customers\"`".to_owned(),
            });
        };
        let roles = [
            ("recency-column", Some(recency), RECENCY),
            ("frequency-column", Some(frequency), FREQUENCY),
            ("monetary-column", Some(amount), MONETARY),
            ("tenure-column", tenure.as_ref(), TENURE),
        ];
        let roles = roles.map(|(key, column, ours)| column.map(|column| (key, column, ours)));
        let mut needed = Needed::new(source);
        needed.column("customer", &input.customer)?;
        for (key, column, _) in roles.iter().flatten() {
            needed.column(key, column)?;
        }
        let filter = input.filter.as_deref();
        let filter = filter
            .map(|text| Ok::<_, Error>((needed.expression("where", text)?, text)))
            .transpose()?;
        let columns = needed.or_everything(input.deduplicate)?;
        // The types of the scan and not of the files: those do not know the type of a hive key.
        let types = source
            .scan(&columns)?
            .collect_schema()
            .map_err(|error| source.unreadable(error))?;
        check_customer(source, &input.customer, types.get(&input.customer))?;
        let mut numbers = Vec::new();
        for (key, column, ours) in roles.into_iter().flatten() {
            check_number(source, key, column, types.get(column))?;
            numbers.push(col(column.as_str()).cast(DataType::Float64).alias(ours));
        }
        let dtype = types.get(amount).cloned().unwrap_or(DataType::Null);
        numbers.push(col(amount.as_str()).alias(AMOUNT));
        Ok(Self {
            numbers,
            money: Money::new(source, amount, &dtype, input.decimals)?,
            monetary,
            filter: filter
                .map(|(filter, text)| condition(&types, &filter, text))
                .transpose()?,
            rules: rules(input, types.get(&input.customer), tenure.is_some()),
            columns,
            has_tenure: tenure.is_some(),
        })
    }

    /// The rows with the numbers under our names and the code of the reason.
    fn coded(&self, rows: DataFrame) -> LazyFrame {
        let rows = rows.lazy().with_columns(self.numbers.clone());
        let amount = match self.monetary {
            // The mean times the orders is rounded once, and not the mean before.
            Monetary::Mean if self.money.is_float => col(MONETARY) * col(FREQUENCY),
            _ => col(AMOUNT),
        };
        rows.with_columns([amount.alias(AMOUNT)])
            .with_columns([self.money.units.clone().alias(UNITS)])
            .with_columns([code(&self.rules).alias(CODE)])
    }

    /// What each customer spent in all, exactly.
    fn totals(&self, usable: &DataFrame, frequency: &[i64]) -> Result<Exact> {
        let reading = || Error::polars("read the customer table");
        let units = usable
            .column(UNITS)
            .and_then(|column| column.cast(&DataType::Int128))
            .map_err(reading())?;
        let units = units.i128().map_err(reading())?.into_no_null_iter();
        Ok(match self.monetary {
            Monetary::Mean if !self.money.is_float => units
                .zip(frequency)
                .map(|(units, &orders)| units.saturating_mul(orders.into()))
                .collect(),
            _ => units.collect(),
        })
    }
}

fn check_number(source: &Source, key: &str, column: &str, dtype: Option<&DataType>) -> Result<()> {
    if dtype.is_some_and(DataType::is_numeric) {
        return Ok(());
    }
    Err(Error::WrongType {
        place: source.place(),
        column: column.to_owned(),
        found: type_name(dtype),
        expected: "a number",
        hint: format!("give another column with `--{key}`"),
    })
}

fn rules(input: &InputConfig, dtype: Option<&DataType>, has_tenure: bool) -> Vec<(Reason, Expr)> {
    let customer = || col(input.customer.as_str());
    let not_a_number = |name: &str| col(name).is_null().or(col(name).is_finite().not());
    let below = |name: &str, least: f64| not_a_number(name).or(col(name).lt(lit(least)));
    let whole = col(FREQUENCY).eq(col(FREQUENCY).cast(DataType::Int64).cast(DataType::Float64));
    let mut rules = vec![(Reason::NullCustomer, customer().is_null())];
    if let Some(empty) = is_empty_customer(&input.customer, dtype) {
        rules.push((Reason::EmptyCustomer, empty));
    }
    rules.push((Reason::BadAmount, not_a_number(MONETARY)));
    rules.push((Reason::BadRecency, below(RECENCY, 0.0)));
    rules.push((
        Reason::BadFrequency,
        below(FREQUENCY, 1.0).or(whole.fill_null(lit(false)).not()),
    ));
    if has_tenure {
        rules.push((
            Reason::BadTenure,
            not_a_number(TENURE).or(col(TENURE).lt(col(RECENCY))),
        ));
    }
    rules
}

/// The table, sorted into what is used and what is not.
struct Sorted {
    usable: DataFrame,
    reconciliation: Reconciliation,
    rejected: DataFrame,
}

/// Counts the rejected rows by reason and keeps the first of each: first what `where` leaves out, then copies, then
/// faults, as for orders.
fn sort_out(table: &Table, source: &Source, input: &InputConfig) -> Result<Sorted> {
    let mut rows = source.collect(source.scan(&table.columns)?)?;
    let mut out = Rejects {
        cap: input.rejected_cap,
        counts: BTreeMap::new(),
        parts: Vec::new(),
    };
    out.add("", rows.clear())?;
    if let Some(filter) = &table.filter {
        let holds = filter.clone().fill_null(lit(false));
        let left_out = source.collect(rows.clone().lazy().filter(holds.clone().not()))?;
        out.count(Reason::Filtered, left_out.height() as u64, &left_out)?;
        rows = source.collect(rows.lazy().filter(holds))?;
    }
    if input.deduplicate {
        let copies = source.collect(surplus(rows.clone().lazy(), &table.columns))?;
        let n: i64 = i64_column(&copies, COPIES)?.iter().sum();
        out.count(Reason::Duplicate, u64::try_from(n).unwrap_or(0), &copies)?;
        let once = rows.lazy().unique_stable(None, UniqueKeepStrategy::First);
        rows = source.collect(once)?;
    }
    let coded = source.collect(table.coded(rows))?;
    check_amounts(&select(&coded, TOO_LARGE)?, table, input)?;
    for reason in Reason::ALL {
        let faulty = select(&coded, reason as i32)?;
        out.count(reason, faulty.height() as u64, &faulty)?;
    }
    let usable = select(&coded, 0)?;
    let reconciliation = Reconciliation {
        read: source.rows(),
        used: usable.height() as u64,
        rejected: out.counts,
    };
    reconciliation.check_sum()?;
    Ok(Sorted {
        usable,
        reconciliation,
        rejected: concat(out.parts, UnionArgs::default())
            .and_then(LazyFrame::collect)
            .map_err(listing())?,
    })
}

/// Rejected rows on their way to rejected.parquet.
struct Rejects {
    cap: usize,
    counts: BTreeMap<Reason, u64>,
    parts: Vec<LazyFrame>,
}

impl Rejects {
    fn count(&mut self, reason: Reason, n: u64, rows: &DataFrame) -> Result<()> {
        if n == 0 {
            return Ok(());
        }
        self.counts.insert(reason, n);
        self.add(reason.as_str(), rows.head(Some(self.cap)))
    }

    fn add(&mut self, reason: &str, mut rows: DataFrame) -> Result<()> {
        for ours in [RECENCY, FREQUENCY, MONETARY, TENURE, AMOUNT, UNITS, CODE] {
            if rows.column(ours).is_ok() {
                rows = rows.drop(ours).map_err(listing())?;
            }
        }
        self.parts.push(with_reason(rows, reason)?.lazy());
        Ok(())
    }
}

/// Refuses amounts that the fixed point cannot hold, and names the first customer with one.
fn check_amounts(too_large: &DataFrame, table: &Table, input: &InputConfig) -> Result<()> {
    let sorted = too_large
        .sort([input.customer.as_str()], SortMultipleOptions::default())
        .map_err(Error::polars("sort the customers"))?;
    let Some(&amount) = floats(&sorted, MONETARY)?.first() else {
        return Ok(());
    };
    let ids = sorted
        .column(&input.customer)
        .map_err(Error::polars("read the customer ids"))?;
    Err(Error::AmountTooLarge {
        customer: id_text(ids.as_materialized_series(), 0),
        amount: number_text(amount),
        decimals: table.money.decimals,
        decimal: table.money.decimal.clone(),
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

/// The days of the first orders, so many whole days before as-of.
pub(super) fn first_days(as_of: &AsOfMoment, tenure_days: &[f64]) -> Vec<i32> {
    let last = i64::from(as_of.date.to_epoch_days());
    let days = tenure_days
        .iter()
        .map(|&days| last.saturating_sub(whole(days.floor())));
    days.map(|day| i32::try_from(day).unwrap_or(i32::MIN))
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
