//! The days on which there were orders.
//!
//! In: batches of rows, from as many threads as there are. Out: rows and orders of each day, and the newest time.
//! Invariant: counts and a maximum, which no order of rows can change.

use std::sync::Mutex;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use polars::prelude::*;

use super::open;

#[derive(Default, Clone, Copy)]
struct Day {
    rows: i64,
    orders: i64,
}

/// Counts by day.
#[derive(Default)]
pub(in crate::load) struct Days(Mutex<Found>);

#[derive(Default)]
struct Found {
    days: HashMap<i32, Day, FixedState>,
    newest: Option<i64>,
}

impl Days {
    /// Adds a batch: the day of each row, its time, and which rows are no orders, if any can be.
    ///
    /// # Errors
    /// Where `days` are no days without gaps.
    pub(in crate::load) fn add(
        &self,
        days: &Column,
        times: &[i64],
        refunds: Option<&BooleanChunked>,
    ) -> PolarsResult<()> {
        let days = days.to_physical_repr().rechunk();
        let days = days.i32()?.cont_slice()?;
        let mut found: HashMap<i32, Day, FixedState> = HashMap::default();
        let mut row = 0;
        // Neighbours mostly share their day.
        for same in days.chunk_by(|a, b| a == b) {
            let entry = found.entry(same[0]).or_default();
            let rows = same.len().cast_signed() as i64;
            entry.rows += rows;
            let refunds = refunds.map_or(0, |refunds| {
                refunds.slice(row, same.len()).sum().unwrap_or(0)
            });
            entry.orders += rows - i64::from(refunds);
            row += rows;
        }
        let mut all = open(&self.0);
        all.newest = all.newest.max(times.iter().max().copied());
        for (day, part) in found {
            let entry = all.days.entry(day).or_default();
            entry.rows += part.rows;
            entry.orders += part.orders;
        }
        Ok(())
    }

    /// Takes out the days with their orders, ascending; where there is no order at all, with their rows. And the newest
    /// time of a row.
    pub(in crate::load) fn take(&self) -> (Vec<(i32, i64)>, Option<i64>) {
        let found = std::mem::take(&mut *open(&self.0));
        let only_refunds = found.days.values().all(|day| day.orders == 0);
        let count = |day: Day| if only_refunds { day.rows } else { day.orders };
        let days = found
            .days
            .into_iter()
            .map(|(day, counts)| (day, count(counts)));
        let mut days: Vec<(i32, i64)> = days.filter(|&(_, orders)| 0 < orders).collect();
        days.sort_unstable();
        (days, found.newest)
    }
}
