//! Orders become customers.
//!
//! In: an order table. Out: [`Loaded`]. One pass groups the usable rows by customer in polars' streaming engine; others
//! look at the rejected rows, and only where there are any.
//! Invariant: every aggregate is a count, a minimum, a maximum or an integer sum, none of which depends on order.

use polars::prelude::*;

use super::fixed::Totals;
use super::moment::{Moment, date_of};
use super::notes::{self, Rounded};
use super::reconcile::Reconciliation;
use super::rejected::{self, Orderless};
use super::rows::{DAY, Rows, TIME, UNITS};
use super::source::{Source, i64_column};
use super::{CustomerIds, Customers, Loaded, from_fixed};
use crate::config::{Count, InputConfig, Monetary, RfmConfig};
use crate::error::{Error, Result};

const LAST: &str = "__tiermill_last";
const FIRST: &str = "__tiermill_first";
const ORDERS: &str = "__tiermill_orders";
const TOTAL: &str = "__tiermill_total";
const ROWS: &str = "__tiermill_rows";
const ROUNDED: &str = "__tiermill_rounded";
const KEY: &str = "__tiermill_key";
const ORDER_TIME: &str = "__tiermill_order_time";

/// Reads an order table.
pub(super) fn load(source: &Source, input: &InputConfig, rfm: &RfmConfig) -> Result<Loaded> {
    let mut rows = Rows::new(source, input, rfm.refunds)?;
    let as_of = match rfm.as_of {
        Some(as_of) => rows.clock.read(as_of, input.timezone)?,
        None => newest_midnight(&rows, source, rfm, input)?,
    };
    let window_start = rfm.window.map(|window| as_of.before(window)).transpose()?;
    rows.bound(as_of, window_start);

    let grouped = group(&rows, source, rfm.count)?;
    let rounded = Rounded::of(&grouped)?;
    let grouped = Grouped::split(&rows, &grouped)?;
    let customers = customers(&grouped.ordered, &rows, as_of, rfm)?;
    let orderless = grouped.orderless;
    let mut reconciliation = Reconciliation {
        read: source.rows(),
        used: grouped.used,
        rejected: std::collections::BTreeMap::new(),
    };
    if reconciliation.used < reconciliation.read {
        reconciliation.rejected = rejected::count(&rows, source, &orderless)?;
    }
    reconciliation.check_sum()?;
    Ok(Loaded {
        rejected: rejected::list(
            &rows,
            source,
            &reconciliation,
            &orderless,
            input.rejected_cap,
        )?,
        warnings: notes::notes(&rows, source, input, (&customers, &orderless, rounded))?,
        customers,
        reconciliation,
        inputs: source.files.clone(),
    })
}

/// Midnight after the day of the newest order, unless that day looks mistyped (DESIGN §2). A refund is no order; where
/// there are only refunds the newest of them does, so that the account of the rows can say so.
fn newest_midnight(
    rows: &Rows,
    source: &Source,
    rfm: &RfmConfig,
    input: &InputConfig,
) -> Result<Moment> {
    let days = rows
        .all(source)?
        .filter(rows.usable())
        .select([rows.day().alias(DAY), rows.is_order().alias(ORDERS)])
        .group_by([col(DAY)])
        .agg([
            len().cast(DataType::Int64).alias(ROWS),
            col(ORDERS).cast(DataType::Int64).sum(),
        ])
        .sort([DAY], SortMultipleOptions::default());
    let days = source.collect(days)?;
    let mut counts = i64_column(&days, ORDERS)?;
    if counts.iter().all(|&orders| orders == 0) {
        counts = i64_column(&days, ROWS)?;
    }
    let days = days
        .column(DAY)
        .and_then(|column| column.cast(&DataType::Int32))
        .map_err(Error::polars("read the days of the orders"))?;
    let (days, counts): (Vec<i32>, Vec<i64>) = days
        .i32()
        .map_err(Error::polars("read the days of the orders"))?
        .into_no_null_iter()
        .zip(counts)
        .filter(|&(_, orders)| 0 < orders)
        .unzip();
    let Some(&newest) = days.last() else {
        return Err(nothing_usable(rows, source, input));
    };
    check_gap(&days, &counts, rfm)?;
    rows.clock.midnight_after(newest)
}

/// Stops where the newest day stands alone behind a gap, or a thousandth of the orders does: a few mistyped dates.
fn check_gap(days: &[i32], counts: &[i64], rfm: &RfmConfig) -> Result<()> {
    let limit = i64::from(rfm.max_gap.0);
    let all: i64 = counts.iter().sum();
    // A thousandth of the orders; of a small table up to three, if they are not more than a twentieth.
    let few = (all / 1_000).max((all / 20).min(3));
    let mut after = 0;
    for i in (1..days.len()).rev() {
        after += counts[i];
        if i + 1 < days.len() && few < after {
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
    let nobody = Orderless { rows: 0, ids: None };
    let counted = rejected::count(rows, source, &nobody).and_then(|rejected| {
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
        when(rows.is_order()).then(col(TIME)).otherwise(lit(NULL))
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
        // 128 bits hold the sum of as many amounts as there can be rows.
        col(UNITS).cast(DataType::Int128).alias(TOTAL),
    ];
    columns.extend(key.clone().map(|key| key.alias(KEY)));
    let is_rounded = rows.is_rounded();
    let rounded = is_rounded.as_ref().map(|_| col(ROUNDED).sum());
    columns.extend(is_rounded.map(|is_rounded| is_rounded.cast(DataType::Int64).alias(ROUNDED)));
    let usable = rows.all(source)?.filter(rows.usable()).select(columns);
    let mut of_rows = vec![
        col(ORDER_TIME).max().alias(LAST),
        col(ORDER_TIME).min().alias(FIRST),
        col(TOTAL).sum(),
        len().cast(DataType::Int64).alias(ROWS),
    ];
    of_rows.extend(rounded.clone());
    let orders = col(ORDER_TIME).count();
    let grouped = if key.is_some() {
        of_rows.push(orders.gt(lit(0)).cast(DataType::Int64).alias(ORDERS));
        let mut of_orders = vec![
            col(LAST).max(),
            col(FIRST).min(),
            col(TOTAL).sum(),
            col(ROWS).sum(),
            col(ORDERS).sum(),
        ];
        of_orders.extend(rounded);
        usable
            .group_by([customer.clone(), col(KEY)])
            .agg(of_rows)
            .group_by([customer])
            .agg(of_orders)
    } else {
        of_rows.push(orders.cast(DataType::Int64).alias(ORDERS));
        usable.group_by([customer]).agg(of_rows)
    };
    source.collect(grouped)
}

impl Rounded {
    /// What the customers' rows add up to.
    fn of(grouped: &DataFrame) -> Result<Self> {
        let sum = |name| Ok::<i64, Error>(i64_column(grouped, name)?.iter().sum());
        Ok(Self {
            rounded: if grouped.column(ROUNDED).is_ok() {
                sum(ROUNDED)?
            } else {
                0
            },
            rows: sum(ROWS)?,
        })
    }
}

/// Customers with an order, and the others set aside.
struct Grouped {
    /// Sorted by id.
    ordered: DataFrame,
    /// Rows behind them.
    used: u64,
    orderless: Orderless,
}

impl Grouped {
    fn split(rows: &Rows, grouped: &DataFrame) -> Result<Self> {
        let aside = || Error::polars("set customers aside");
        let sorted = grouped
            .sort([rows.customer.as_str()], SortMultipleOptions::default())
            .map_err(Error::polars("sort the customers"))?;
        let has_order = sorted
            .column(ORDERS)
            .and_then(|orders| orders.as_materialized_series().gt(0))
            .map_err(aside())?;
        let sum = |frame: &DataFrame| {
            let rows: i64 = i64_column(frame, ROWS)?.iter().sum();
            Ok::<_, Error>(u64::try_from(rows).unwrap_or(0))
        };
        if has_order.all() {
            return Ok(Self {
                used: sum(&sorted)?,
                ordered: sorted,
                orderless: Orderless { rows: 0, ids: None },
            });
        }
        let without = sorted.filter(&!&has_order).map_err(aside())?;
        let ordered = sorted.filter(&has_order).map_err(aside())?;
        Ok(Self {
            used: sum(&ordered)?,
            ordered,
            orderless: Orderless {
                rows: sum(&without)?,
                ids: Some(ids(&without, rows)?),
            },
        })
    }
}

fn ids(frame: &DataFrame, rows: &Rows) -> Result<Series> {
    frame
        .column(&rows.customer)
        .map(|column| column.as_materialized_series().rechunk())
        .map_err(Error::polars("read the customer ids"))
}

/// Turns counts, times and sums into R, F and M.
fn customers(
    ordered: &DataFrame,
    rows: &Rows,
    as_of: Moment,
    rfm: &RfmConfig,
) -> Result<Customers> {
    let ids = ids(ordered, rows)?;
    let frequency = i64_column(ordered, ORDERS)?;
    let Totals { units, decimals } = Totals::new(&totals(ordered)?, &rows.money, &ids)?;
    let days = |name| {
        let times = i64_column(ordered, name)?.into_iter();
        let days = times.map(|time| as_of.days_since(time, rfm.recency));
        Ok::<_, Error>(days.collect::<Vec<f64>>())
    };
    let monetary = units
        .iter()
        .zip(&frequency)
        .map(|(&units, &orders)| {
            let total = from_fixed(units.into(), decimals);
            match rfm.monetary {
                Monetary::Sum => total,
                Monetary::Mean => total / orders as f64,
            }
        })
        .collect();
    let first = i64_column(ordered, FIRST)?.into_iter();
    Ok(Customers {
        recency_days: days(LAST)?,
        tenure_days: Some(days(FIRST)?),
        first_order: Some(first.map(|time| as_of.day_of(time)).collect()),
        ids: CustomerIds(ids),
        as_of: as_of.name(),
        frequency,
        monetary,
        revenue: units,
        decimals,
    })
}

/// The exact total of each customer.
fn totals(ordered: &DataFrame) -> Result<Vec<i128>> {
    let totals = ordered
        .column(TOTAL)
        .and_then(|column| column.cast(&DataType::Int128))
        .map_err(Error::polars("read the totals"))?;
    let totals = totals.i128().map_err(Error::polars("read the totals"))?;
    Ok(totals.into_no_null_iter().collect())
}
