//! What the columns of an input are, without reading its rows: for those who say in another language what `load` does.
//!
//! In: the config. Out: [`Facts`] of an order table, and the moments between which its rows count.
//! Invariant: they are what [`load`](super::load) goes by.

use chrono_tz::Tz;
use polars::prelude::*;

use super::moment::Clock;
use super::rows::Rows;
use super::source::Source;
use crate::config::{AsOf, Columns, Days, InputConfig, Refunds, TimeType};
use crate::error::Result;

/// Types of the columns of an order table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What the time column holds.
    pub time: TimeType,
    /// The zone whose midnights count; `None`: the wall clock of the column.
    pub zone: Option<Tz>,
    /// Decimals of the fixed point where amounts are Decimals.
    pub scale: Option<u32>,
    /// Whether the amount is a column by that name, however the name looks; `None` where nobody has seen the columns.
    pub amount_is_column: Option<bool>,
}

/// Looks at the columns of an order table.
///
/// # Errors
/// As [`load`](super::load) for files, columns and expressions.
pub fn facts(input: &InputConfig, refunds: Refunds) -> Result<Facts> {
    let source = Source::open(&input.paths)?;
    // Which rows stand twice is no matter of types, and costs a pass.
    let input = InputConfig {
        deduplicate: false,
        ..input.clone()
    };
    let rows = Rows::new(&source, &input, refunds)?;
    let amount_is_column = match &input.columns {
        Columns::Orders { amount, .. } => {
            let amount = amount.as_deref();
            amount.map(|amount| source.schema().contains(amount))
        }
        Columns::Customers { .. } => None,
    };
    let is_text = match &input.columns {
        Columns::Orders { time, .. } => source.schema().get(time) == Some(&DataType::String),
        Columns::Customers { .. } => false,
    };
    Ok(Facts {
        time: match (is_text, rows.clock.zone) {
            (true, _) => TimeType::Text,
            (false, Some(_)) => TimeType::Instant,
            (false, None) => TimeType::Timestamp,
        },
        zone: rows.clock.zone,
        scale: rows.money.decimal.is_some().then_some(rows.decimals),
        amount_is_column,
    })
}

/// The rows that count lie before one moment and not before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// As-of, exclusive, in microseconds since 1970: of the wall clock without zone, of UTC with one.
    pub as_of: i64,
    /// Its calendar day, in days since 1970.
    pub day: i64,
    /// Begin of the window, inclusive, in the same microseconds.
    pub from: Option<i64>,
}

/// Reads as-of on the clock of the data, and where the window begins.
///
/// # Errors
/// [`Error::BadValue`](crate::Error::BadValue) for a time that the zone does not have.
pub fn since(
    as_of: AsOf,
    window: Option<Days>,
    (zone, written): (Option<Tz>, Option<Tz>),
) -> Result<Since> {
    let moment = Clock { zone }.read(as_of, written)?;
    let from = window.map(|window| moment.before(window)).transpose()?;
    Ok(Since {
        as_of: moment.micros,
        day: moment.calendar_day(),
        from: from.map(|from| from.micros),
    })
}
