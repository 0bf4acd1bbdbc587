//! Columns of many types become the three that are worked with: an id, microseconds, fixed-point units.
//!
//! In: a column and its type. Out: an expression, or the types that would have done.
//! Invariant: nothing is rounded but amounts of float columns, to `decimals`, and nanoseconds, down.

use chrono_tz::Tz;
use polars::prelude::*;

use super::fixed::of_floats;
use super::moment::Clock;
use super::source::Source;
use crate::error::{Error, Result};

/// The amount as it is, to tell a bad one from a huge one.
pub(super) const AMOUNT: &str = "__tiermill_amount";

/// Holds for a customer of zero characters or bytes; `None` for types that have none.
pub(super) fn is_empty_customer(column: &str, dtype: Option<&DataType>) -> Option<Expr> {
    match dtype {
        Some(DataType::String | DataType::Categorical(..) | DataType::Enum(..)) => {
            Some(col(column).cast(DataType::String).eq(lit("")))
        }
        Some(DataType::Binary) => Some(col(column).eq(lit(Vec::<u8>::new()))),
        _ => None,
    }
}

/// What customers are sorted by: an Enum by its texts, as ids are compared everywhere, and not as it lists them.
pub(super) fn customer_order(column: &str, dtype: Option<&DataType>) -> Expr {
    match dtype {
        Some(DataType::Enum(..)) => col(column).cast(DataType::String),
        _ => col(column),
    }
}

/// Refuses a type that cannot identify a customer.
pub(super) fn check_customer(
    source: &Source,
    column: &str,
    dtype: Option<&DataType>,
) -> Result<()> {
    match dtype {
        Some(DataType::String | DataType::Binary | DataType::Categorical(..) | DataType::Enum(..)) => Ok(()),
        Some(dtype) if dtype.is_integer() => Ok(()),
        other => Err(Error::WrongType {
            place: source.place(),
            column: column.to_owned(),
            found: type_name(other),
            expected: "an integer, string or binary type for customer ids",
            hint: if other.is_some_and(DataType::is_float) {
                "pandas turns integers with gaps into floats: cast the column to Int64 before it is written"
            } else {
                "give another column with `--customer`, or cast this one where it is written"
            }
            .to_owned(),
        }),
    }
}

/// The time as Int64 microseconds, and the clock that it is on.
pub(super) fn time_expr(
    source: &Source,
    column: &str,
    dtype: Option<&DataType>,
    zone: Option<Tz>,
) -> Result<(Expr, Clock)> {
    let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    let time = col(column);
    match dtype {
        Some(DataType::Date) => Ok((time.cast(micros).cast(DataType::Int64), Clock { zone: None })),
        Some(DataType::Datetime(unit, None)) => Ok((to_micros(time, *unit), Clock { zone: None })),
        Some(DataType::Datetime(unit, Some(own))) => {
            let zone = zone.or_else(|| own.as_str().parse().ok()).unwrap_or(Tz::UTC);
            Ok((to_micros(time, *unit), Clock { zone: Some(zone) }))
        }
        Some(DataType::String) => Ok((
            iso_time(&time, zone).cast(DataType::Int64),
            Clock { zone: None },
        )),
        other => Err(Error::WrongType {
            place: source.place(),
            column: column.to_owned(),
            found: type_name(other),
            expected: "Date, Datetime or an ISO string",
            hint: if other.is_some_and(DataType::is_integer) {
                "a number of seconds or days is not a time yet: cast it to a timestamp where it is written"
            } else {
                "give another column with `--time`"
            }
            .to_owned(),
        }),
    }
}

/// Whole microseconds, rounded down: a nanosecond before midnight stays before midnight.
fn to_micros(time: Expr, unit: TimeUnit) -> Expr {
    let physical = time.to_physical();
    match unit {
        TimeUnit::Milliseconds => {
            // Beyond these a multiplication would wrap into another time; null is a bad one.
            let fits = physical
                .clone()
                .gt_eq(lit(i64::MIN / 1_000))
                .and(physical.clone().lt_eq(lit(i64::MAX / 1_000)));
            when(fits)
                .then(physical * lit(1_000_i64))
                .otherwise(lit(NULL))
        }
        TimeUnit::Microseconds => physical,
        TimeUnit::Nanoseconds => physical.floor_div(lit(1_000_i64)),
    }
}

/// ISO 8601 text as a wall-clock time; text with an offset is brought to `zone` (UTC where none is set).
fn iso_time(text: &Expr, zone: Option<Tz>) -> Expr {
    let options = |format: &str| StrptimeOptions {
        format: Some(format.into()),
        strict: false,
        exact: true,
        cache: true,
    };
    let text = text.clone().str().strip_chars(lit(NULL));
    let micros = Some(TimeUnit::Microseconds);
    let wall = |format: &str| {
        text.clone()
            .str()
            .to_datetime(micros, None, options(format), lit("raise"))
    };
    let date = text
        .clone()
        .str()
        .to_date(options("%Y-%m-%d"))
        .cast(DataType::Datetime(TimeUnit::Microseconds, None));
    let zone_name = zone.map_or("UTC", |zone| zone.name());
    let zoned = |format: &str| {
        let utc = TimeZone::opt_try_new(Some("UTC")).ok().flatten();
        let target = TimeZone::opt_try_new(Some(zone_name)).ok().flatten();
        let instant = text
            .clone()
            .str()
            .to_datetime(micros, utc, options(format), lit("raise"));
        match target {
            Some(target) => instant.dt().convert_time_zone(target),
            None => instant,
        }
        .dt()
        .replace_time_zone(None, lit("raise"), NonExistent::Raise)
    };
    coalesce(&[
        date,
        wall("%Y-%m-%d %H:%M:%S%.f"),
        wall("%Y-%m-%dT%H:%M:%S%.f"),
        wall("%Y-%m-%d %H:%M"),
        wall("%Y-%m-%dT%H:%M"),
        zoned("%Y-%m-%dT%H:%M:%S%.f%#z"),
        zoned("%Y-%m-%d %H:%M:%S%.f%#z"),
        zoned("%Y-%m-%dT%H:%M%#z"),
        zoned("%Y-%m-%d %H:%M%#z"),
    ])
}

/// Amounts as fixed-point numbers.
pub(super) struct Money {
    /// The amount in units of 10^-decimals, null where the fixed point has no room for it.
    pub(super) units: Expr,
    pub(super) decimals: u32,
    /// Amounts can be NaN, infinite, or finer than the fixed point.
    pub(super) is_float: bool,
    /// The Decimal that gave the decimals, as it was written.
    pub(super) decimal: Option<String>,
}

impl Money {
    /// Without amounts each row is worth one.
    pub(super) fn count() -> Self {
        Self {
            units: lit(1_i64),
            decimals: 0,
            is_float: false,
            decimal: None,
        }
    }

    pub(super) fn new(
        source: &Source,
        name: &str,
        dtype: &DataType,
        decimals: u32,
    ) -> Result<Self> {
        let amount = col(AMOUNT);
        let is_float = dtype.is_float();
        let (units, decimals) = match dtype {
            DataType::Decimal(_, scale) => (
                if_summable(&amount.to_physical()),
                u32::try_from(*scale).unwrap_or(0),
            ),
            dtype if dtype.is_integer() => (amount.cast(DataType::Int64), 0),
            _ if is_float => {
                let units = amount.cast(DataType::Float64).map(
                    move |amounts| of_floats(&amounts, decimals),
                    |_, field| Ok(Field::new(field.name().clone(), DataType::Int64)),
                );
                (units, decimals)
            }
            other => {
                return Err(Error::WrongType {
                    place: source.place(),
                    column: name.to_owned(),
                    found: type_name(Some(other)),
                    expected: "a number",
                    hint: match other {
                        DataType::String => {
                            format!("make it a number: `amount = \"CAST({name} AS DOUBLE)\"`")
                        }
                        _ => "give another column with `--amount`".to_owned(),
                    },
                });
            }
        };
        Ok(Self {
            units,
            decimals,
            is_float,
            decimal: dtype.is_decimal().then(|| name.to_owned()),
        })
    }
}

/// 128-bit units, null for those that 128 bits could not hold the sum of, were they all the rows that there can be.
fn if_summable(units: &Expr) -> Expr {
    const LARGEST: i128 = 1 << 94;
    let fits = units
        .clone()
        .lt(lit(LARGEST))
        .and(lit(-LARGEST).lt(units.clone()));
    when(fits).then(units.clone()).otherwise(lit(NULL))
}

/// A type for a message.
pub(super) fn type_name(dtype: Option<&DataType>) -> String {
    dtype.map_or_else(|| "missing".to_owned(), ToString::to_string)
}
