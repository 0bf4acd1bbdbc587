//! The rows that were not used: how many for which reason, and which.
//!
//! In: the rows and their rules. Out: counts by reason, and a capped table of the rows themselves.
//! Invariant: the counts are taken in a pass of their own, so that they check the pass that used the other rows.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::id_text;
use super::meaning::AMOUNT;
use super::reconcile::{Reason, Reconciliation};
use super::rows::{CODE, COPIES, Rows, TIME, TOO_LARGE, UNITS};
use super::source::{Source, i64_column};
use crate::error::{Error, Result};

const ROWS: &str = "__tiermill_rows";

/// Customers that had refunds only.
pub(super) struct Orderless {
    /// Their rows.
    pub(super) rows: u64,
    /// Their ids.
    pub(super) ids: Option<Series>,
}

/// Rows of a frame.
fn height(frame: LazyFrame, source: &Source) -> Result<u64> {
    let frame = source.collect(frame.select([len().cast(DataType::Int64).alias(ROWS)]))?;
    let rows = i64_column(&frame, ROWS)?;
    Ok(rows
        .first()
        .map_or(0, |&rows| u64::try_from(rows).unwrap_or(0)))
}

/// Counts the rejected rows by reason; an amount that does not fit is an error that names its customer.
pub(super) fn count(
    rows: &Rows,
    source: &Source,
    orderless: &Orderless,
) -> Result<BTreeMap<Reason, u64>> {
    let codes = rows.all(source)?.select([rows.code().alias(CODE)]);
    let codes = codes
        .group_by([col(CODE)])
        .agg([len().cast(DataType::Int64).alias(ROWS)]);
    let counted = source.collect(codes)?;
    let by_code = i64_column(&counted, CODE)?;
    let by_code = by_code.into_iter().zip(i64_column(&counted, ROWS)?);
    let mut counts = BTreeMap::new();
    let mut seen = 0;
    for (code, n) in by_code {
        let n = u64::try_from(n).unwrap_or(0);
        seen += n;
        if code == i64::from(TOO_LARGE) {
            return Err(amount_too_large(rows, source)?);
        }
        if let Some(&reason) = Reason::ALL.iter().find(|&&reason| reason as i64 == code) {
            counts.insert(reason, n);
        }
    }
    if 0 < orderless.rows {
        counts.insert(Reason::NoOrder, orderless.rows);
    }
    if let Some(left_out) = rows.left_out(source)? {
        let n = height(left_out, source)?;
        seen += n;
        if 0 < n {
            counts.insert(Reason::Filtered, n);
        }
    }
    // What a pass over distinct rows does not see are the copies.
    let copies = source.rows().saturating_sub(seen);
    if 0 < copies && rows.deduplicated() {
        counts.insert(Reason::Duplicate, copies);
    }
    Ok(counts)
}

fn amount_too_large(rows: &Rows, source: &Source) -> Result<Error> {
    let first = rows
        .all(source)?
        .filter(rows.code().eq(lit(TOO_LARGE)))
        .sort([rows.customer.as_str()], SortMultipleOptions::default())
        .select([col(rows.customer.as_str()), rows.amount().alias(UNITS)])
        .limit(1);
    let first = source.collect(first)?;
    let customer = first
        .column(&rows.customer)
        .map(|ids| id_text(ids.as_materialized_series(), 0))
        .map_err(Error::polars("read a customer id"))?;
    let amount = first
        .column(UNITS)
        .and_then(|amounts| amounts.get(0).map(|amount| amount_text(&amount)))
        .map_err(Error::polars("read an amount"))?;
    Ok(Error::AmountTooLarge {
        customer,
        amount,
        decimals: rows.decimals,
        decimal: rows.money.decimal.clone(),
    })
}

/// The rejected rows themselves, at most `cap` of each reason.
pub(super) fn list(
    rows: &Rows,
    source: &Source,
    reconciliation: &Reconciliation,
    orderless: &Orderless,
    cap: usize,
) -> Result<DataFrame> {
    let cap = IdxSize::try_from(cap).unwrap_or(IdxSize::MAX);
    // No rows at all: that is how the columns are known where nothing was rejected.
    let mut parts = vec![rows.nothing(source)?];
    let mut names = vec![""];
    for &reason in reconciliation.rejected.keys() {
        let part = match reason {
            Reason::Duplicate => rows.duplicates(source)?,
            Reason::Filtered => match rows.left_out(source)? {
                Some(left_out) => left_out,
                None => rows
                    .whole(source)?
                    .filter(rows.code().eq(lit(reason as i32))),
            },
            Reason::NoOrder => match &orderless.ids {
                Some(ids) => {
                    let theirs =
                        col(rows.customer.as_str()).is_in(lit(ids.clone()).implode(false), false);
                    rows.whole(source)?.filter(rows.usable().and(theirs))
                }
                None => continue,
            },
            reason => rows
                .whole(source)?
                .filter(rows.code().eq(lit(reason as i32))),
        };
        parts.push(part);
        names.push(reason.as_str());
    }
    let mut listed: Vec<LazyFrame> = Vec::new();
    for (part, name) in parts.into_iter().zip(names) {
        let mut part = source.collect(part.limit(cap))?;
        for ours in [TIME, UNITS, AMOUNT] {
            if part.column(ours).is_ok() {
                part.drop_in_place(ours)
                    .map_err(Error::polars("list the rejected rows"))?;
            }
        }
        listed.push(with_reason(part, name)?.lazy());
    }
    concat(listed, UnionArgs::default())
        .and_then(LazyFrame::collect)
        .map_err(Error::polars("list the rejected rows"))
}

/// Adds how often a row stands (more than once only for duplicates), and why it was rejected.
pub(super) fn with_reason(mut rows: DataFrame, reason: &str) -> Result<DataFrame> {
    let listing = || Error::polars("list the rejected rows");
    let height = rows.height();
    if rows.column(COPIES).is_err() {
        rows.with_column(Column::new_scalar(COPIES.into(), 1_i64.into(), height))
            .map_err(listing())?;
    }
    // The columns of the input keep their names; ours give way.
    let free = |name: &str| {
        let mut name = name.to_owned();
        while rows.column(&name).is_ok() {
            name = format!("reject_{name}");
        }
        name
    };
    let (copies, why) = (free("copies"), free("reason"));
    rows.rename(COPIES, copies.into()).map_err(listing())?;
    let reason = Scalar::from(PlSmallStr::from(reason));
    rows.with_column(Column::new_scalar(why.into(), reason, height))
        .map_err(listing())?;
    Ok(rows)
}

/// An amount as it stands in the file, without a fraction of nothing.
fn amount_text(amount: &AnyValue<'_>) -> String {
    match amount {
        AnyValue::Float64(value) => number_text(*value),
        AnyValue::Float32(value) => number_text(f64::from(*value)),
        other => other.to_string(),
    }
}

/// The shortest text that reads back as the number: `1e300`, `-1000000000000000`.
pub(super) fn number_text(value: f64) -> String {
    const LONG: f64 = 1e18;
    if value.abs() < LONG {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}
