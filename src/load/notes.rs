//! What a person should know about an input that was read all the same.
//!
//! In: rows and customers. Out: warnings.

use polars::prelude::*;

use super::needed::unlisted;
use super::rejected::Orderless;
use super::rows::Rows;
use super::source::{Source, i64_column};
use super::{Customers, id_text};
use crate::config::{Columns, InputConfig};
use crate::error::{Error, Result, Warning};

const ROWS: &str = "__tiermill_rows";
const KEY: &str = "__tiermill_key";

/// How many amounts lost decimals to the fixed point.
pub(super) struct Rounding {
    /// Usable rows.
    pub(super) rows: u64,
    /// Those whose amounts lost some.
    pub(super) rounded: u64,
}

/// All warnings about an order table.
pub(super) fn notes(
    rows: &Rows,
    source: &Source,
    input: &InputConfig,
    (customers, orderless, rounding): (&Customers, &Orderless, &Rounding),
) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    warn_about_events(&mut warnings, rows, source, input)?;
    if 0 < rounding.rounded {
        warnings.push(Warning::new(
            "amounts_rounded",
            format!(
                "{} of {} amounts have more than {} decimals and are rounded; set `decimals` higher to keep them",
                rounding.rounded, rounding.rows, rows.decimals
            ),
        ));
    }
    warnings.extend(net_not_positive(customers));
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

/// Tells of customers whose refunds outweigh their orders. A few are ordinary business and no alarm.
pub(super) fn net_not_positive(customers: &Customers) -> Option<Warning> {
    /// Share of the customers from which something is wrong: with the sign of the amounts, or with the refunds.
    const MANY: f64 = 0.01;
    let below = customers.monetary.iter().filter(|&&amount| amount <= 0.0);
    let below = below.count();
    let zero = customers.monetary.iter().filter(|&&amount| amount == 0.0);
    let message = format!(
        "customers with a total of 0 or less: {below} ({} of them 0); they stay in",
        zero.count()
    );
    let few = below as f64 <= MANY * customers.len() as f64;
    (0 < below).then(|| Warning {
        note: few,
        ..Warning::new("net_not_positive", message)
    })
}
