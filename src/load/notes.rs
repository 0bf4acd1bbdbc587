//! What a person should know about an input that was read all the same.
//!
//! In: rows and customers. Out: warnings.

use polars::prelude::*;

use super::needed::unlisted;
use super::rejected::Orderless;
use super::rows::{Rows, UNITS};
use super::source::{Source, i64_column};
use super::{Customers, id_text};
use crate::config::{Columns, InputConfig};
use crate::error::{Error, Result, Warning};

const ROWS: &str = "__tiermill_rows";
const KEY: &str = "__tiermill_key";

/// All warnings about an order table.
pub(super) fn notes(
    rows: &Rows,
    source: &Source,
    input: &InputConfig,
    found: (&Customers, &Orderless),
) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    warn_about_events(&mut warnings, rows, source, input)?;
    warn_about_decimals(&mut warnings, rows, source)?;
    warn_about_net(&mut warnings, found.0, found.1);
    Ok(warnings)
}

/// Tells of event types that no weight names: they count as use and are worth nothing.
fn warn_about_events(
    warnings: &mut Vec<Warning>,
    rows: &Rows,
    source: &Source,
    input: &InputConfig,
) -> Result<()> {
    let Columns::Orders {
        events: Some((event, weights)),
        ..
    } = &input.columns
    else {
        return Ok(());
    };
    let unlisted = rows
        .all(source)?
        .filter(rows.usable().and(unlisted(event, weights)))
        .select([col(event.as_str())
            .cast(DataType::String)
            .fill_null(lit("null"))
            .alias(KEY)])
        .group_by([col(KEY)])
        .agg([len().cast(DataType::Int64).alias(ROWS)])
        .sort([KEY], SortMultipleOptions::default());
    let unlisted = source.collect(unlisted)?;
    if unlisted.height() == 0 {
        return Ok(());
    }
    let counts = i64_column(&unlisted, ROWS)?;
    let names = unlisted
        .column(KEY)
        .map_err(Error::polars("read the events"))?
        .as_materialized_series()
        .clone();
    let listed: Vec<String> = counts
        .iter()
        .enumerate()
        .take(12)
        .map(|(row, n)| format!("{n} `{}`", id_text(&names, row)))
        .collect();
    warnings.push(Warning::new(
        "unlisted_event",
        format!(
            "events without a weight are worth 0 in monetary: {}; name them in [features.monetary] weights",
            listed.join(", ")
        ),
    ));
    Ok(())
}

/// Tells where amounts have more decimals than the fixed point keeps, judged by the first rows.
fn warn_about_decimals(warnings: &mut Vec<Warning>, rows: &Rows, source: &Source) -> Result<()> {
    const LOOKED_AT: IdxSize = 100_000;
    let Some(scaled) = rows.scaled_amount() else {
        return Ok(());
    };
    // A float amount misses its decimal by far less than a hundredth of a unit until it has no decimals to lose.
    let lost = (scaled - col(UNITS).cast(DataType::Float64))
        .abs()
        .gt(lit(0.01));
    let rounded = rows
        .all(source)?
        .limit(LOOKED_AT)
        .filter(rows.usable())
        .select([
            lost.cast(DataType::Int64).sum().alias(ROWS),
            len().cast(DataType::Int64).alias(KEY),
        ]);
    let rounded = source.collect(rounded)?;
    let n = i64_column(&rounded, ROWS)?.first().copied().unwrap_or(0);
    let looked_at = i64_column(&rounded, KEY)?.first().copied().unwrap_or(0);
    if 0 < n {
        warnings.push(Warning::new(
            "amounts_rounded",
            format!(
                "{n} of the first {looked_at} amounts have more than {} decimals and are rounded; set `decimals` higher to keep them",
                rows.decimals
            ),
        ));
    }
    Ok(())
}

/// Tells of customers whose refunds outweigh their orders.
fn warn_about_net(warnings: &mut Vec<Warning>, customers: &Customers, orderless: &Orderless) {
    let below = customers
        .revenue
        .iter()
        .filter(|&&units| units <= 0)
        .count();
    let zero = customers
        .revenue
        .iter()
        .filter(|&&units| units == 0)
        .count();
    if 0 < below {
        warnings.push(Warning::new(
            "net_not_positive",
            format!(
                "customers with a total of 0 or less: {below} ({zero} of them 0); they stay in"
            ),
        ));
    }
    if let Some(ids) = &orderless.ids {
        warnings.push(Warning::new(
            "no_order",
            format!(
                "customers with refunds only: {}; they have no order and are left out ({} rows)",
                ids.len(),
                orderless.rows
            ),
        ));
    }
}
