//! Orders become customers.
//!
//! In: an order table. Out: [`Loaded`]. One pass groups the usable rows by customer in polars' streaming engine; others
//! look at the rejected rows, and only where there are any.
//! Invariant: every aggregate is a count, a minimum, a maximum or an integer sum, none of which depends on order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polars::prelude::*;
use rayon::prelude::*;

use super::fixed::{Totals, rounded};
use super::ledger::{Days, Grouped, Ledger, Lines, OrderLine, Row, Who, order_keys};
use super::moment::{Clock, Moment, date_of};
use super::notes;
use super::reconcile::Reconciliation;
use super::rejected::{self, Orderless};
use super::rows::{Rows, TIME, UNITS};
use super::source::Source;
use super::{CustomerIds, Customers, Loaded, from_fixed};
use crate::config::{Count, InputConfig, Monetary, RfmConfig};
use crate::error::{Error, Result};

const AMOUNTS: &str = "__tiermill_amounts";
const KEY: &str = "__tiermill_key";

/// Reads an order table.
pub(super) fn load(source: &Source, input: &InputConfig, rfm: &RfmConfig) -> Result<Loaded> {
    let mut rows = Rows::new(source, input, rfm.refunds)?;
    let given = match (rfm.as_of, rfm.window) {
        (Some(as_of), _) => Some(rows.clock.read(as_of, input.timezone)?),
        // A window begins at as-of, so that has to be known before the first row is used.
        (None, Some(_)) => {
            let seen = look(&rows, source)?;
            Some(newest_midnight(&rows, source, &seen, (rfm, input))?)
        }
        (None, None) => None,
    };
    if let Some(as_of) = given {
        let window_start = rfm.window.map(|window| as_of.before(window)).transpose()?;
        rows.bound(as_of, window_start);
    }
    let (mut grouped, mut seen) =
        group(&rows, source, rfm.count, given.is_none(), Who::WithOrders)?;
    let as_of = if let Some(as_of) = given {
        as_of
    } else {
        let as_of = newest_midnight(&rows, source, &seen, (rfm, input))?;
        rows.bound(as_of, None);
        // Refunds can lie after the newest order: they must not count, and have been added up.
        if seen.newest.is_some_and(|newest| as_of.micros <= newest) {
            (grouped, seen) = group(&rows, source, rfm.count, false, Who::WithOrders)?;
        }
        as_of
    };
    let orderless = Orderless {
        rows: grouped.rows_without_order,
        ids: (!grouped.without_order.is_empty()).then(|| grouped.without_order.clone()),
    };
    let customers = customers(grouped, &rows, as_of, rfm)?;
    let mut reconciliation = Reconciliation {
        read: source.rows(),
        used: seen.rows - orderless.rows,
        rejected: std::collections::BTreeMap::new(),
    };
    if reconciliation.used < reconciliation.read {
        reconciliation.rejected = rejected::count(&rows, source, &orderless)?;
    }
    reconciliation.check_sum()?;
    let rounding = notes::Rounding {
        rows: seen.rows,
        rounded: seen.rounded,
    };
    Ok(Loaded {
        rejected: rejected::list(
            &rows,
            source,
            &reconciliation,
            &orderless,
            input.rejected_cap,
        )?,
        warnings: notes::notes(&rows, source, input, (&customers, &orderless, &rounding))?,
        customers,
        reconciliation,
        inputs: source.files.clone(),
    })
}

/// Midnight after the day of the newest order, unless that day looks mistyped (DESIGN §2). A refund is no order; where
/// there are only refunds the newest of them does, so that the account of the rows can say so.
pub(super) fn newest_midnight(
    rows: &Rows,
    source: &Source,
    seen: &Seen,
    (rfm, input): (&RfmConfig, &InputConfig),
) -> Result<Moment> {
    let (days, counts): (Vec<i32>, Vec<i64>) = seen.days.iter().copied().unzip();
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
pub(super) fn nothing_usable(rows: &Rows, source: &Source, input: &InputConfig) -> Error {
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

/// What the usable rows are, all customers together.
pub(super) struct Seen {
    pub(super) rows: u64,
    /// Those whose amounts lost decimals to the fixed point.
    pub(super) rounded: u64,
    /// Days with the number of their orders, ascending; empty where nobody asked.
    pub(super) days: Vec<(i32, i64)>,
    /// The newest time.
    newest: Option<i64>,
}

/// Counts rows as they pass.
struct Watch {
    rows: AtomicU64,
    rounded: AtomicU64,
    days: Days,
    refunds_are_no_orders: bool,
    decimals: u32,
    with_days: bool,
    clock: Clock,
}

impl Watch {
    fn over(rows: &Rows, with_days: bool) -> Self {
        Self {
            rows: AtomicU64::new(0),
            rounded: AtomicU64::new(0),
            days: Days::default(),
            refunds_are_no_orders: rows.refunds_are_no_orders,
            decimals: rows.decimals,
            with_days,
            clock: rows.clock,
        }
    }

    fn see(&self, batch: &DataFrame) -> PolarsResult<()> {
        self.rows
            .fetch_add(batch.height() as u64, Ordering::Relaxed);
        if batch.column(AMOUNTS).is_ok() {
            let amounts = numbers::<Float64Type>(batch, AMOUNTS)?;
            let units = numbers::<Int64Type>(batch, UNITS)?;
            let rounded = rounded(amounts.cont_slice()?, units.cont_slice()?, self.decimals);
            self.rounded.fetch_add(rounded, Ordering::Relaxed);
        }
        if self.with_days {
            let refunds = self.refunds_are_no_orders.then(|| refunds(batch));
            let refunds = refunds.transpose()?;
            let times = numbers::<Int64Type>(batch, TIME)?;
            self.days
                .add(self.clock, times.cont_slice()?, refunds.as_deref());
        }
        Ok(())
    }

    fn take(&self) -> Seen {
        let (days, newest) = self.days.take();
        Seen {
            rows: self.rows.load(Ordering::Relaxed),
            rounded: self.rounded.load(Ordering::Relaxed),
            days,
            newest,
        }
    }
}

/// The usable rows, each seen by `watch`.
fn watched(
    rows: &Rows,
    source: &Source,
    key: Option<Expr>,
    watch: &Arc<Watch>,
) -> Result<LazyFrame> {
    let mut columns = vec![col(rows.customer.as_str()), col(TIME), col(UNITS)];
    columns.extend(key.map(|key| key.alias(KEY)));
    columns.extend(rows.floats().map(|amounts| amounts.alias(AMOUNTS)));
    let usable = rows.all(source)?.filter(rows.usable()).select(columns);
    let watch = Arc::clone(watch);
    Ok(for_each(usable, move |batch| watch.see(batch)))
}

/// Hands every batch to `work`, on the threads of polars, and on to what follows.
fn for_each(
    frame: LazyFrame,
    work: impl Fn(&DataFrame) -> PolarsResult<()> + Send + Sync + 'static,
) -> LazyFrame {
    let work = move |batch: DataFrame| work(&batch).map(|()| batch);
    frame.map(work, OptFlags::STREAMING, None, Some("tiermill"))
}

/// Runs a query for what it hands to [`for_each`].
fn drain(source: &Source, frame: LazyFrame) -> Result<()> {
    let nothing = |batch: DataFrame| Ok(batch.clear());
    source
        .collect(frame.map(nothing, OptFlags::STREAMING, None, Some("tiermill")))
        .map(|_| ())
}

/// What the rows are, without adding them up.
pub(super) fn look(rows: &Rows, source: &Source) -> Result<Seen> {
    let watch = Arc::new(Watch::over(rows, true));
    drain(source, watched(rows, source, None, &watch)?)?;
    Ok(watch.take())
}

/// Adds the usable rows up by customer, in one pass.
pub(super) fn group(
    rows: &Rows,
    source: &Source,
    count: Count,
    with_days: bool,
    who: Who,
) -> Result<(Grouped, Seen)> {
    let key = match (count, &rows.order) {
        (Count::Days, _) => Some(rows.day()),
        (Count::Orders, Some(order)) => Some(col(order.as_str())),
        (Count::Orders | Count::Rows, _) => None,
    };
    let watch = Arc::new(Watch::over(rows, with_days));
    let keyed = key.is_some();
    let frame = watched(rows, source, key, &watch)?;
    // Amounts of Decimals are as wide as Decimals are.
    let grouped = match (rows.money.decimal.is_some(), keyed) {
        (false, false) => add_up(rows, source, (frame, who), add_rows::<Int64Type>),
        (true, false) => add_up(rows, source, (frame, who), add_rows::<Int128Type>),
        (false, true) => add_up(rows, source, (frame, who), add_lines::<Int64Type>),
        (true, true) => add_up(rows, source, (frame, who), add_lines::<Int128Type>),
    }?;
    Ok((grouped, watch.take()))
}

/// Adds every batch of `frame` to a ledger.
fn add_up<L: Lines + 'static>(
    rows: &Rows,
    source: &Source,
    (frame, who): (LazyFrame, Who),
    add: fn(&Ledger<L>, &Column, &DataFrame, bool) -> PolarsResult<()>,
) -> Result<Grouped> {
    let range = source.range(&rows.customer);
    let ledger = Ledger::new(rows.customer_type.clone(), source.rows(), range);
    let ledger = Arc::new(ledger);
    let (book, customer) = (Arc::clone(&ledger), rows.customer.clone());
    let refunds_are_no_orders = rows.refunds_are_no_orders;
    let frame = for_each(frame, move |batch| {
        add(
            &book,
            batch.column(&customer)?,
            batch,
            refunds_are_no_orders,
        )
    });
    drain(source, frame)?;
    ledger
        .take(&rows.customer, who)
        .map_err(Error::polars("sort the customers"))
}

/// The numbers of a column without gaps.
fn numbers<T: PolarsNumericType>(batch: &DataFrame, name: &str) -> PolarsResult<ChunkedArray<T>> {
    // A number that is the same for all rows polars keeps in the narrowest type that holds it.
    let column = batch.column(name)?.as_materialized_series();
    let column = column.cast(&T::get_static_dtype())?.rechunk();
    column.unpack::<T>().cloned()
}

/// Which rows of a batch have negative amounts.
fn refunds(batch: &DataFrame) -> PolarsResult<Vec<bool>> {
    // Amounts of Decimals are as wide as Decimals are.
    if *batch.column(UNITS)?.dtype() == DataType::Int128 {
        let units = numbers::<Int128Type>(batch, UNITS)?;
        return Ok(units.cont_slice()?.iter().map(|&units| units < 0).collect());
    }
    let units = numbers::<Int64Type>(batch, UNITS)?;
    Ok(units.cont_slice()?.iter().map(|&units| units < 0).collect())
}

/// Adds rows that are orders of their own.
fn add_rows<T: PolarsNumericType>(
    ledger: &Ledger<Row<T::Native>>,
    customers: &Column,
    batch: &DataFrame,
    refunds_are_no_orders: bool,
) -> PolarsResult<()>
where
    T::Native: Into<i128>,
{
    let rows = OrderRows::<T>::of(batch, refunds_are_no_orders)?;
    rows.add(ledger, customers, |row, _| row)
}

/// Adds rows that are lines of orders.
fn add_lines<T: PolarsNumericType>(
    ledger: &Ledger<OrderLine<T::Native>>,
    customers: &Column,
    batch: &DataFrame,
    refunds_are_no_orders: bool,
) -> PolarsResult<()>
where
    T::Native: Into<i128>,
{
    let rows = OrderRows::<T>::of(batch, refunds_are_no_orders)?;
    let orders = order_keys(batch.column(KEY)?)?;
    rows.add(ledger, customers, |row, index| OrderLine {
        row,
        order: orders[index],
    })
}

/// Times and amounts of a batch.
struct OrderRows<T: PolarsNumericType> {
    times: Int64Chunked,
    units: ChunkedArray<T>,
    refunds_are_no_orders: bool,
}

impl<T: PolarsNumericType> OrderRows<T>
where
    T::Native: Into<i128>,
{
    fn of(batch: &DataFrame, refunds_are_no_orders: bool) -> PolarsResult<Self> {
        Ok(Self {
            times: numbers(batch, TIME)?,
            units: numbers(batch, UNITS)?,
            refunds_are_no_orders,
        })
    }

    /// Adds what `line` makes of each row and its number.
    fn add<L: Lines>(
        &self,
        ledger: &Ledger<L>,
        customers: &Column,
        line: impl Fn(Row<T::Native>, usize) -> L,
    ) -> PolarsResult<()> {
        let (times, units) = (self.times.cont_slice()?, self.units.cont_slice()?);
        ledger.add(customers, |index| {
            let row = order_row(times[index], units[index], self.refunds_are_no_orders);
            line(row, index)
        })
    }
}

fn order_row<U: Copy + Into<i128>>(time: i64, units: U, refunds_are_no_orders: bool) -> Row<U> {
    let is_refund = refunds_are_no_orders && units.into() < 0;
    Row {
        time: if is_refund { i64::MIN } else { time },
        units,
    }
}

/// Turns counts, times and sums into R, F and M.
fn customers(grouped: Grouped, rows: &Rows, as_of: Moment, rfm: &RfmConfig) -> Result<Customers> {
    let Totals { units, decimals } = Totals::new(grouped.totals, &rows.money, &grouped.ids)?;
    let days = |mut times: Vec<i64>| {
        let bits = |time: i64| as_of.days_since(time, rfm.recency).to_bits();
        let each = times.par_iter_mut();
        each.for_each(|time| *time = bits(*time).cast_signed());
        // In the memory that the times took.
        let days = times.into_iter();
        days.map(|bits| f64::from_bits(bits.cast_unsigned()))
            .collect()
    };
    let frequency = grouped.orders;
    let monetary = units
        .par_iter()
        .zip(&frequency)
        .map(|(&units, &orders)| {
            let total = from_fixed(units.into(), decimals);
            match rfm.monetary {
                Monetary::Sum => total,
                Monetary::Mean => total / orders as f64,
            }
        })
        .collect();
    let first = grouped.first.par_iter();
    let first_order = first.map(|&time| as_of.day_of(time)).collect();
    Ok(Customers {
        recency_days: days(grouped.last),
        first_order: Some(first_order),
        tenure_days: Some(days(grouped.first)),
        ids: CustomerIds(grouped.ids),
        as_of: as_of.name(),
        frequency,
        monetary,
        revenue: units,
        decimals,
    })
}
