//! Parquet becomes [`Customers`], and every row is accounted for.
//!
//! In: [`InputConfig`] and [`RfmConfig`]. Out: [`Loaded`]: one row per customer, sorted by id, with R, F and M, and the
//! reconciliation of all rows.
//! Invariant: rows read = rows used + rows rejected, by reason; and the result depends neither on the order of rows or
//! files nor on the number of threads, since every sum is an integer. It is the only code that opens input. It does not
//! transform anything: that is `features`.

pub(crate) mod deal;
mod moment;
mod ranges;
mod source;

mod fixed;
mod meaning;
mod needed;
mod reconcile;
mod rows;

mod customers;
mod ledger;
mod notes;
mod orders;
mod rejected;

mod labels;

mod facts;
mod future;

pub mod guess;
mod profile;

use chrono::NaiveDate;
use polars::prelude::*;

pub use facts::{Facts, Since, facts, since};
pub use future::{Future, Period, future, periods};
pub use labels::{LabelQuery, Labelled, NO_LABEL, RunFacts, common, labels};
pub use profile::{Profile, profile};
pub use reconcile::{Reason, Reconciliation};
pub use source::InputFile;

use crate::config::{Columns, InputConfig, RfmConfig};
use crate::error::{Error, Result, Warning};
use source::{Source, guarded};

/// What loading found.
#[derive(Debug)]
pub struct Loaded {
    /// One row per customer.
    pub customers: Customers,
    /// Where every input row went.
    pub reconciliation: Reconciliation,
    /// The rejected rows themselves, capped for each reason, with a `reason` column.
    pub rejected: DataFrame,
    /// The files.
    pub inputs: Vec<InputFile>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// One row per customer, sorted by id. Row *i* is the same customer in every array.
#[derive(Debug, Clone)]
pub struct Customers {
    /// Ids, under the name and type of the input column; ascending, distinct, never null.
    pub ids: CustomerIds,
    /// The moment from which recency counts.
    pub as_of: AsOfMoment,
    /// Days from the last order to as-of; 0 or more, finite.
    pub recency_days: Vec<f64>,
    /// Orders in the window; 1 or more.
    pub frequency: Vec<i64>,
    /// Total amount or amount per order, in the unit of the amounts; finite.
    pub monetary: Vec<f64>,
    /// Days from the first order to as-of; `None` where the input is a customer table without such a column.
    pub tenure_days: Option<Vec<f64>>,
    /// Calendar day of the first order in the zone of the data, in days since 1970-01-01; `None` where there is no tenure.
    pub first_order: Option<Vec<i32>>,
    /// Total amount in units of 10^-`decimals`.
    pub revenue: Vec<i64>,
    /// Decimals of `revenue`.
    pub decimals: u32,
}

impl Customers {
    /// Number of customers.
    pub fn len(&self) -> usize {
        self.recency_days.len()
    }

    /// Whether there is no customer.
    pub fn is_empty(&self) -> bool {
        self.recency_days.is_empty()
    }

    /// Some of the customers, by ascending rows.
    ///
    /// # Errors
    /// None, as long as the rows exist.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        fn of<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&row| values[row as usize]).collect()
        }
        Ok(Self {
            ids: self.ids.select(rows)?,
            as_of: self.as_of.clone(),
            recency_days: of(&self.recency_days, rows),
            frequency: of(&self.frequency, rows),
            monetary: of(&self.monetary, rows),
            tenure_days: self.tenure_days.as_ref().map(|days| of(days, rows)),
            first_order: self.first_order.as_ref().map(|days| of(days, rows)),
            revenue: of(&self.revenue, rows),
            decimals: self.decimals,
        })
    }

    /// Total amount of one customer.
    pub fn revenue_of(&self, row: usize) -> f64 {
        from_fixed(self.revenue[row].into(), self.decimals)
    }

    /// Total amount of all customers, exact until the last division.
    pub fn total_revenue(&self) -> f64 {
        from_fixed(
            self.revenue.iter().map(|&units| i128::from(units)).sum(),
            self.decimals,
        )
    }
}

/// The as-of of a run: what recency was counted from, and how to write it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOfMoment {
    /// Its calendar day in the zone of the data.
    pub date: NaiveDate,
    /// ISO 8601: `2024-01-31T00:00:00`, with an offset where the data has a zone.
    pub text: String,
}

/// Customer ids in the type that they came in. Only `load` makes it and only `store` writes it.
#[derive(Debug, Clone)]
pub struct CustomerIds(Series);

impl CustomerIds {
    /// Ids as a column, under the name that it had in the input.
    pub fn series(&self) -> &Series {
        &self.0
    }

    /// Some of the ids, by ascending rows.
    ///
    /// # Errors
    /// [`Error::Polars`] for rows that do not exist.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let rows = IdxCa::from_slice("row".into(), rows);
        let ids = self.0.take(&rows);
        ids.map(Self).map_err(Error::polars("select customers"))
    }

    /// The id of row `row` for a message.
    pub fn text(&self, row: usize) -> String {
        id_text(&self.0, row)
    }
}

/// Reads the input.
///
/// # Errors
/// Everything that can be wrong with files, columns and amounts, each with the place; [`Error::MaxRejected`] and
/// [`Error::LoneNewestDay`] where a limit of data quality is broken.
pub fn load(input: &InputConfig, rfm: &RfmConfig) -> Result<Loaded> {
    let (loaded, broken) = survey(input, rfm)?;
    match broken {
        Some(limit) => Err(limit),
        None => Ok(loaded),
    }
}

/// Reads the input like [`load`], and hands a broken limit over beside what was found, so that it can be looked at.
///
/// # Errors
/// As [`load`], without the limit of rejected rows.
pub fn survey(input: &InputConfig, rfm: &RfmConfig) -> Result<(Loaded, Option<Error>)> {
    // What polars has to say about an expression (casts that it will drop one day) is nothing for a user of ours.
    polars::error::set_warning_function(|_, _| {});
    let source = Source::open(&input.paths)?;
    let loaded = guarded(&source.place(), || match &input.columns {
        Columns::Orders { .. } => orders::load(&source, input, rfm),
        Columns::Customers { .. } => customers::load(&source, input, rfm),
    })?;
    let rows = &loaded.reconciliation;
    let broken = rows
        .check(input.max_rejected)
        .and_then(|()| rows.check_any(loaded.customers.len()))
        .err();
    Ok((loaded, broken))
}

/// A fixed-point number as an f64, the nearest one where its units are not more than 2^53.
pub(crate) fn from_fixed(units: i128, decimals: u32) -> f64 {
    /// The usual powers of ten.
    const POWERS: [f64; 19] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18,
    ];
    let power = POWERS.get(decimals as usize).copied();
    let power = power.unwrap_or_else(|| 10_f64.powi(decimals.cast_signed()));
    // Such units and powers are exact in f64, so that only the division rounds. Nearly all units fit into 64 bits, of which
    // the processor itself makes a float.
    i64::try_from(units).map_or_else(|_| units as f64, |units| units as f64) / power
}

/// An id for a message, without the quotes that polars puts around strings.
pub(crate) fn id_text(ids: &Series, row: usize) -> String {
    match ids.get(row) {
        Ok(AnyValue::String(text)) => text.to_owned(),
        Ok(AnyValue::StringOwned(text)) => text.to_string(),
        Ok(AnyValue::Binary(bytes)) => bytes.escape_ascii().to_string(),
        Ok(AnyValue::BinaryOwned(bytes)) => bytes.escape_ascii().to_string(),
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}
