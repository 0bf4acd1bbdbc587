//! What customers did in a period that lies after the orders of their tiers: the outcome of a backtest.
//!
//! In: the input, and a moment with a horizon. Out: [`Period`]s that the data covers; the [`Future`] of given customers.
//! Invariant: no row before the period counts, and none at or after its end; refunds lower the revenue of customers
//! without an order in the period, too. It knows nothing of tiers.

use super::fixed::Totals;
use super::labels::Keys;
use super::ledger::Who;
use super::moment::{Moment, date_of};
use super::orders::{group, look, newest_midnight, nothing_usable};
use super::rows::Rows;
use super::source::{Source, guarded};
use super::{AsOfMoment, CustomerIds, common, from_fixed};
use crate::config::{AsOf, Columns, Days, InputConfig, RfmConfig};
use crate::error::{BacktestFault, Error, Result};

/// A fold of a backtest: tiers are made of what lies before `from`, and judged by what lies between `from` and `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Where it begins, as results name it.
    pub at: AsOfMoment,
    /// Where it ends, exclusive, as results name it.
    pub until: AsOfMoment,
    /// Where it begins, inclusive: as-of of the tiers.
    pub from: AsOf,
    /// Where it ends, exclusive.
    pub to: AsOf,
}

/// What given customers did in a period. Row *i* is customer *i*; who did nothing has 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Future {
    /// Orders, counted as for frequency.
    pub orders: Vec<i64>,
    /// Net amount in units of 10^-`decimals`; below 0 where refunds outweigh orders.
    pub revenue: Vec<i64>,
    /// Decimals of `revenue`.
    pub decimals: u32,
    /// Customers of the period who are not among the given ones: new, or back after a break that is longer than the window.
    pub newcomers: u64,
    /// Their amount, in the same units.
    pub newcomers_revenue: i128,
}

/// The periods of `folds` folds, the latest first, each as long as `horizon` and right before the one above it.
///
/// The data ends at `as-of` where that is set, else at midnight after its newest order (DESIGN §2).
///
/// # Errors
/// [`BacktestFault::BeyondData`] and [`BacktestFault::BeforeData`] where the data does not cover a period;
/// [`Error::Conflict`] for a ready customer table; as [`load`](super::load).
pub fn periods(
    input: &InputConfig,
    rfm: &RfmConfig,
    (at, horizon, folds): (AsOf, Days, usize),
) -> Result<Vec<Period>> {
    if matches!(input.columns, Columns::Customers { .. }) {
        return Err(Error::Conflict {
            first: "`backtest`".to_owned(),
            second: "`level = \"customers\"`".to_owned(),
            hint: "a ready customer table has no orders to judge tiers by; give the orders"
                .to_owned(),
        });
    }
    let source = Source::open(&input.paths)?;
    let (rows, first, end) = guarded(&source.place(), || span(&source, input, rfm))?;
    let days = i64::from(horizon.0);
    let mut periods = Vec::with_capacity(folds);
    for fold in 0..i64::try_from(folds).unwrap_or(i64::MAX) {
        let beyond_calendar = || Error::BadValue {
            key: "horizon".to_owned(),
            found: horizon.to_string(),
            expected: "a period that the calendar has".to_owned(),
        };
        let from = at.plus_days(-fold * days).ok_or_else(beyond_calendar)?;
        let to = from.plus_days(days).ok_or_else(beyond_calendar)?;
        let read = |moment: AsOf| rows.clock.read(moment, input.timezone);
        let (start, stop) = (read(from)?, read(to)?);
        if end.micros < stop.micros {
            return Err(Error::from(BacktestFault::BeyondData {
                until: said(stop),
                end: said(end),
                latest: end.before(horizon)?.name().date.to_string(),
                horizon: horizon.to_string(),
            }));
        }
        if start.day_of(start.micros) <= first {
            return Err(Error::from(BacktestFault::BeforeData {
                at: said(start),
                first: date_of(first).map_or_else(|| first.to_string(), |date| date.to_string()),
                fold: usize::try_from(fold).unwrap_or(0) + 1,
                folds,
            }));
        }
        periods.push(Period {
            at: start.name(),
            until: stop.name(),
            from,
            to,
        });
    }
    Ok(periods)
}

/// A moment for people: a midnight is a day.
fn said(moment: Moment) -> String {
    let text = moment.name().text;
    let day = text.strip_suffix("T00:00:00").map(str::to_owned);
    day.unwrap_or(text)
}

/// The rows, the day of the first order, and the end of the data.
fn span(source: &Source, input: &InputConfig, rfm: &RfmConfig) -> Result<(Rows, i32, Moment)> {
    let rows = Rows::new(source, input, rfm.refunds)?;
    let seen = look(&rows, source)?;
    let (Some(&(first, _)), Some(&(last, _))) = (seen.days.first(), seen.days.last()) else {
        return Err(nothing_usable(&rows, source, input));
    };
    let end = match rfm.as_of {
        // Rows at or after as-of are there to be left out, and say that the data reaches so far.
        Some(as_of) => {
            let as_of = rows.clock.read(as_of, input.timezone)?;
            let newest = rows.clock.midnight_after(last)?;
            if as_of.micros < newest.micros {
                as_of
            } else {
                newest
            }
        }
        None => newest_midnight(&rows, source, &seen, (rfm, input))?,
    };
    Ok((rows, first, end))
}

/// What the customers did in a period.
///
/// `max-rejected` is not asked again: the load of the tiers has counted the faults of the same rows.
///
/// # Errors
/// As [`load`](super::load), but for limits.
pub fn future(
    input: &InputConfig,
    rfm: &RfmConfig,
    period: &Period,
    customers: &CustomerIds,
) -> Result<Future> {
    let source = Source::open(&input.paths)?;
    let (ids, orders, totals) = guarded(&source.place(), || {
        let mut rows = Rows::new(&source, input, rfm.refunds)?;
        let from = rows.clock.read(period.from, input.timezone)?;
        let to = rows.clock.read(period.to, input.timezone)?;
        rows.bound(to, Some(from));
        let (grouped, _) = group(&rows, &source, rfm.count, false, Who::Everybody)?;
        let totals = Totals::new(grouped.totals, &rows.money, &grouped.ids)?;
        Ok((CustomerIds(grouped.ids), grouped.orders, totals))
    })?;
    let (here, there) = common((customers, "the tiers"), (&ids, "the orders after them"))?;
    let mut future = Future {
        orders: vec![0; customers.series().len()],
        revenue: vec![0; customers.series().len()],
        decimals: totals.decimals,
        newcomers: (orders.len() - there.len()) as u64,
        newcomers_revenue: totals.units.iter().map(|&units| i128::from(units)).sum(),
    };
    for (&row, &of) in here.iter().zip(&there) {
        let (row, of) = (row as usize, of as usize);
        // Below 0 it counts the rows of somebody without an order.
        future.orders[row] = orders[of].max(0);
        future.revenue[row] = totals.units[of];
        future.newcomers_revenue -= i128::from(totals.units[of]);
    }
    Ok(future)
}

impl Future {
    /// An amount in full.
    pub fn amount(&self, units: i128) -> f64 {
        from_fixed(units, self.decimals)
    }
}

impl CustomerIds {
    /// A number for each customer that is the same wherever the customer stands, and looks drawn at random.
    ///
    /// # Errors
    /// [`Error::Polars`] for ids of a type that no input has.
    pub fn hashes(&self) -> Result<Vec<u64>> {
        Ok(match Keys::of(self)? {
            Keys::Numbers(numbers) => numbers
                .iter()
                .map(|&number| of_bytes(&number.to_le_bytes()))
                .collect(),
            Keys::Bytes(texts) => texts.iter().flatten().map(of_bytes).collect(),
        })
    }
}

/// FNV-1a, then the finaliser of `SplitMix64`: the first alone leaves short ids with like bits.
fn of_bytes(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}
