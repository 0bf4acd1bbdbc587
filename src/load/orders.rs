//! Orders become customers.
//!
//! In: an order table. Out: [`Loaded`]. One pass groups the usable rows by customer in polars' streaming engine; a second
//! one looks at the rejected rows, and only where there are any.
//! Invariant: every aggregate is a count, a minimum, a maximum or an integer sum, none of which depends on order.

use polars::prelude::*;

use super::moment::{Moment, date_of};
use super::reconcile::{Reason, Reconciliation};
use super::rows::{AMOUNT, CODE, COPIES, DAY, Rows, TIME, TOO_LARGE, UNITS, unlisted};
use super::source::Source;
use super::{AsOfMoment, CustomerIds, Customers, Loaded, from_fixed, id_text};
use crate::config::{Columns, Count, InputConfig, Monetary, RfmConfig};
use crate::error::{Error, Result, Warning};

const LAST: &str = "__tiermill_last";
const FIRST: &str = "__tiermill_first";
const ORDERS: &str = "__tiermill_orders";
const TOTAL: &str = "__tiermill_total";
const ROWS: &str = "__tiermill_rows";
const KEY: &str = "__tiermill_key";
const ORDER_TIME: &str = "__tiermill_order_time";

/// Reads an order table.
pub(super) fn load(source: &Source, input: &InputConfig, rfm: &RfmConfig) -> Result<Loaded> {
    let mut rows = Rows::new(source, input, rfm.refunds)?;
    let mut warnings = Vec::new();
    let as_of = match rfm.as_of {
        Some(as_of) => rows.clock.read(as_of, input.timezone)?,
        None => newest_midnight(&rows, source, rfm, input)?,
    };
    rows.bound(
        as_of,
        rfm.window.map(|window| as_of.before(window)).transpose()?,
    );

    let grouped = group(&rows, source, rfm.count)?;
    let (customers, orderless) = to_customers(grouped, &rows, as_of, rfm)?;
    let used = orderless.used;
    let mut reconciliation = Reconciliation {
        read: source.rows(),
        used,
        rejected: std::collections::BTreeMap::new(),
    };
    if used < reconciliation.read {
        reconciliation.rejected = count_rejected(&rows, source, &orderless)?;
    }
    let rejected = rejected_rows(
        &rows,
        source,
        &reconciliation,
        &orderless,
        input.rejected_cap,
    )?;
    warn_about_events(&mut warnings, &rows, source, input)?;
    warn_about_decimals(&mut warnings, &rows, source)?;
    warn_about_net(&mut warnings, &customers, &orderless);
    Ok(Loaded {
        customers,
        reconciliation,
        rejected,
        inputs: source.files.clone(),
        warnings,
    })
}

/// The usable rows behind the customers, and the customers that had refunds only.
struct Orderless {
    /// Rows of customers with an order.
    used: u64,
    /// Rows of customers without.
    rows: u64,
    /// Ids of customers without.
    ids: Option<Series>,
}

fn collect(frame: LazyFrame, source: &Source) -> Result<DataFrame> {
    match frame.collect_with_engine(Engine::Streaming) {
        Ok(result) => Ok(result.unwrap_single()),
        Err(error) => Err(source.unreadable(error)),
    }
}

/// Midnight after the newest day, unless that day looks mistyped (DESIGN §2).
fn newest_midnight(
    rows: &Rows,
    source: &Source,
    rfm: &RfmConfig,
    input: &InputConfig,
) -> Result<Moment> {
    let days = rows
        .all(source)?
        .filter(rows.usable())
        .select([rows.day().alias(DAY)])
        .group_by([col(DAY)])
        .agg([len().cast(DataType::Int64).alias(ROWS)])
        .sort([DAY], SortMultipleOptions::default());
    let days = collect(days, source)?;
    let counts = i64_column(&days, ROWS)?;
    let days = days
        .column(DAY)
        .and_then(|column| column.cast(&DataType::Int32))
        .map_err(Error::polars("read the days of the orders"))?;
    let days: Vec<i32> = days
        .i32()
        .map_err(Error::polars("read the days of the orders"))?
        .into_no_null_iter()
        .collect();
    let Some(&newest) = days.last() else {
        return Err(nothing_usable(rows, source, input));
    };
    check_gap(&days, &counts, rfm)?;
    rows.clock.midnight_after(newest)
}

/// Stops where the newest day stands alone behind a gap, or a thousandth of the rows does: a few mistyped dates.
fn check_gap(days: &[i32], counts: &[i64], rfm: &RfmConfig) -> Result<()> {
    let limit = i64::from(rfm.max_gap.0);
    let all: i64 = counts.iter().sum();
    let mut after = 0;
    for i in (1..days.len()).rev() {
        after += counts[i];
        if i + 1 < days.len() && all / 1_000 < after {
            break;
        }
        let gap = i64::from(days[i]) - i64::from(days[i - 1]);
        if limit < gap {
            let name =
                |day: i32| date_of(day).map_or_else(|| day.to_string(), |date| date.to_string());
            return Err(Error::LoneNewestDay {
                newest: name(days[i]),
                rows: u64::try_from(after).unwrap_or(0),
                before: name(days[i - 1]),
                gap_days: gap,
                limit_days: limit,
            });
        }
    }
    Ok(())
}

/// The error for an input without a single usable row: the broken limit if there is one, else that nothing is left.
fn nothing_usable(rows: &Rows, source: &Source, input: &InputConfig) -> Error {
    let nobody = Orderless {
        used: 0,
        rows: 0,
        ids: None,
    };
    let counted = count_rejected(rows, source, &nobody).and_then(|rejected| {
        let reconciliation = Reconciliation {
            read: source.rows(),
            used: 0,
            rejected,
        };
        reconciliation.check(input.max_rejected)?;
        reconciliation.check_any(0)
    });
    match counted {
        Err(error) => error,
        Ok(()) => Error::TooFewCustomers { found: 0 },
    }
}

/// One row per customer: last and first order, orders, total, rows.
fn group(rows: &Rows, source: &Source, count: Count) -> Result<DataFrame> {
    let order_time = if rows.refunds_are_no_orders {
        when(col(UNITS).gt_eq(lit(0_i64)))
            .then(col(TIME))
            .otherwise(lit(NULL))
    } else {
        col(TIME)
    };
    let key = match (count, &rows.order) {
        (Count::Days, _) => Some(rows.day()),
        (Count::Orders, Some(order)) => Some(col(order.as_str())),
        (Count::Orders | Count::Rows, _) => None,
    };
    let customer = col(rows.customer.as_str());
    let mut columns = vec![
        customer.clone(),
        order_time.cast(DataType::Int64).alias(ORDER_TIME),
        // 64 bits hold any one amount; 128 bits hold the sum of as many as there can be rows.
        col(UNITS).cast(DataType::Int128).alias(TOTAL),
    ];
    columns.extend(key.clone().map(|key| key.alias(KEY)));
    let usable = rows.all(source)?.filter(rows.usable()).select(columns);
    let of_rows = [
        col(ORDER_TIME).max().alias(LAST),
        col(ORDER_TIME).min().alias(FIRST),
        col(TOTAL).sum(),
        len().cast(DataType::Int64).alias(ROWS),
    ];
    let grouped = if key.is_some() {
        let mut of_orders = of_rows.to_vec();
        of_orders.push(
            col(ORDER_TIME)
                .count()
                .gt(lit(0))
                .cast(DataType::Int64)
                .alias(ORDERS),
        );
        usable
            .group_by([customer.clone(), col(KEY)])
            .agg(of_orders)
            .group_by([customer])
            .agg([
                col(LAST).max(),
                col(FIRST).min(),
                col(TOTAL).sum(),
                col(ROWS).sum(),
                col(ORDERS).sum(),
            ])
    } else {
        let mut of_customers = of_rows.to_vec();
        of_customers.push(col(ORDER_TIME).count().cast(DataType::Int64).alias(ORDERS));
        usable.group_by([customer]).agg(of_customers)
    };
    collect(grouped, source)
}

/// Sorts by id, sets refund-only customers aside, and turns sums into R, F and M.
fn to_customers(
    grouped: DataFrame,
    rows: &Rows,
    as_of: Moment,
    rfm: &RfmConfig,
) -> Result<(Customers, Orderless)> {
    let sorted = grouped
        .sort([rows.customer.as_str()], SortMultipleOptions::default())
        .map_err(Error::polars("sort the customers"))?;
    let has_order = sorted
        .column(ORDERS)
        .and_then(|orders| orders.as_materialized_series().gt(0))
        .map_err(Error::polars("count the orders"))?;
    let orderless = sorted
        .filter(&!&has_order)
        .map_err(Error::polars("set customers aside"))?;
    let ordered = if orderless.height() == 0 {
        sorted
    } else {
        sorted
            .filter(&has_order)
            .map_err(Error::polars("set customers aside"))?
    };
    let ids = |frame: &DataFrame| {
        frame
            .column(&rows.customer)
            .map(|column| column.as_materialized_series().rechunk())
            .map_err(Error::polars("read the customer ids"))
    };
    let sum = |frame: &DataFrame| Ok::<_, Error>(i64_column(frame, ROWS)?.iter().sum::<i64>());
    let counted = Orderless {
        used: u64::try_from(sum(&ordered)?).unwrap_or(0),
        rows: u64::try_from(sum(&orderless)?).unwrap_or(0),
        ids: if orderless.height() == 0 {
            None
        } else {
            Some(ids(&orderless)?)
        },
    };
    let ids = ids(&ordered)?;
    let frequency = i64_column(&ordered, ORDERS)?;
    let revenue = totals(&ordered, &ids, rows.decimals)?;
    let days = |name| {
        let times = i64_column(&ordered, name)?;
        Ok::<_, Error>(
            times
                .into_iter()
                .map(|time| as_of.days_since(time, rfm.recency))
                .collect::<Vec<f64>>(),
        )
    };
    let monetary = revenue
        .iter()
        .zip(&frequency)
        .map(|(&units, &orders)| {
            let total = from_fixed(units.into(), rows.decimals);
            match rfm.monetary {
                Monetary::Sum => total,
                Monetary::Mean => total / orders as f64,
            }
        })
        .collect();
    let name: AsOfMoment = as_of.name();
    let customers = Customers {
        recency_days: days(LAST)?,
        tenure_days: Some(days(FIRST)?),
        ids: CustomerIds(ids),
        as_of: name,
        frequency,
        monetary,
        revenue,
        decimals: rows.decimals,
    };
    Ok((customers, counted))
}

/// The exact totals, each in 64 bits.
fn totals(ordered: &DataFrame, ids: &Series, decimals: u32) -> Result<Vec<i64>> {
    let totals = ordered
        .column(TOTAL)
        .and_then(|column| column.cast(&DataType::Int128))
        .map_err(Error::polars("read the totals"))?;
    let totals = totals.i128().map_err(Error::polars("read the totals"))?;
    totals
        .into_no_null_iter()
        .enumerate()
        .map(|(row, total)| {
            i64::try_from(total).map_err(|_| Error::TotalTooLarge {
                customer: id_text(ids, row),
                total: from_fixed(total, decimals).to_string(),
                decimals,
            })
        })
        .collect()
}

fn i64_column(frame: &DataFrame, name: &str) -> Result<Vec<i64>> {
    let column = frame
        .column(name)
        .and_then(|column| column.cast(&DataType::Int64))
        .map_err(Error::polars("read the counts"))?;
    let values = column.i64().map_err(Error::polars("read the counts"))?;
    Ok(values.iter().map(|value| value.unwrap_or(0)).collect())
}

type Counts = std::collections::BTreeMap<Reason, u64>;

/// Counts the rejected rows by reason; an amount that does not fit is an error that names its customer.
fn count_rejected(rows: &Rows, source: &Source, orderless: &Orderless) -> Result<Counts> {
    let codes = rows.all(source)?.select([rows.code().alias(CODE)]);
    let codes = codes
        .group_by([col(CODE)])
        .agg([len().cast(DataType::Int64).alias(ROWS)]);
    let counted = collect(codes, source)?;
    let by_code = i64_column(&counted, CODE)?;
    let by_code = by_code.into_iter().zip(i64_column(&counted, ROWS)?);
    let mut counts = Counts::new();
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
    let mut missing = source.rows() - seen;
    if let Some(left_out) = rows.left_out(source)? {
        let frame = collect(
            left_out.select([len().cast(DataType::Int64).alias(ROWS)]),
            source,
        )?;
        let n = i64_column(&frame, ROWS)?
            .first()
            .map_or(0, |&n| u64::try_from(n).unwrap_or(0));
        missing -= n;
        if 0 < n {
            counts.insert(Reason::Filtered, n);
        }
    }
    if 0 < missing {
        counts.insert(Reason::Duplicate, missing);
    }
    Ok(counts)
}

fn amount_too_large(rows: &Rows, source: &Source) -> Result<Error> {
    let first = rows
        .all(source)?
        .filter(rows.code().eq(lit(TOO_LARGE)))
        .sort([rows.customer.as_str()], SortMultipleOptions::default())
        .select([
            col(rows.customer.as_str()),
            rows.amount().alias(UNITS).cast(DataType::Float64),
        ])
        .limit(1);
    let first = collect(first, source)?;
    let customer = first
        .column(&rows.customer)
        .map(|ids| id_text(ids.as_materialized_series(), 0))
        .map_err(Error::polars("read a customer id"))?;
    let amount = first
        .column(UNITS)
        .and_then(|amounts| amounts.get(0).map(|amount| amount.to_string()))
        .map_err(Error::polars("read an amount"))?;
    Ok(Error::AmountTooLarge {
        customer,
        amount,
        decimals: rows.decimals,
    })
}

/// The rejected rows themselves, at most `cap` of each reason.
fn rejected_rows(
    rows: &Rows,
    source: &Source,
    reconciliation: &Reconciliation,
    orderless: &Orderless,
    cap: usize,
) -> Result<DataFrame> {
    let cap = IdxSize::try_from(cap).unwrap_or(IdxSize::MAX);
    // No rows at all: that is how the columns are known where nothing was rejected.
    let mut parts = vec![rows.whole(source)?.limit(0)];
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
        let mut part = collect(part.limit(cap), source)?;
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
    let height = rows.height();
    if rows.column(COPIES).is_err() {
        rows.with_column(Column::new_scalar(COPIES.into(), 1_i64.into(), height))
            .map_err(Error::polars("list the rejected rows"))?;
    }
    rows.with_column(Column::new_scalar(
        "reason".into(),
        Scalar::from(PlSmallStr::from(reason)),
        height,
    ))
    .map_err(Error::polars("list the rejected rows"))?;
    Ok(rows)
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
    let unlisted = collect(unlisted, source)?;
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
    let rounded = collect(rounded, source)?;
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
            format!("{below} customers have a total of 0 or less ({zero} of them 0); they stay in"),
        ));
    }
    if let Some(ids) = &orderless.ids {
        warnings.push(Warning::new(
            "no_order",
            format!(
                "{} customers have refunds only and are left out ({} rows, `no_order`)",
                ids.len(),
                orderless.rows
            ),
        ));
    }
}
