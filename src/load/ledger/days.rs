//! The days on which there were orders.
//!
//! In: batches of rows, from as many threads as there are. Out: rows and orders of each day, and the newest time.
//! Invariant: counts and a maximum, which no order of rows can change.

use std::sync::Mutex;

use super::open;
use crate::load::moment::Clock;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

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
    days: HashMap<i64, Day, FixedState>,
    newest: Option<i64>,
}

impl Days {
    /// Adds a batch: the times of its rows on a clock, and which of them are refunds, if any can be.
    pub(in crate::load) fn add(&self, clock: Clock, times: &[i64], refunds: Option<&[bool]>) {
        let mut found: HashMap<i64, Day, FixedState> = HashMap::default();
        let mut begin = 0;
        // Neighbours mostly share their day.
        while begin < times.len() {
            let (day, rows) = clock.same_day(&times[begin..]);
            let same = begin..begin + rows.max(1);
            let of_refunds = refunds.map(|refunds| &refunds[same.clone()]);
            let refunds = of_refunds.map_or(0, |all| all.iter().filter(|&&refund| refund).count());
            let entry = found.entry(day).or_default();
            entry.rows += same.len().cast_signed() as i64;
            entry.orders += (same.len() - refunds).cast_signed() as i64;
            begin = same.end;
        }
        let mut all = open(&self.0);
        all.newest = all.newest.max(times.iter().max().copied());
        for (day, part) in found {
            let entry = all.days.entry(day).or_default();
            entry.rows += part.rows;
            entry.orders += part.orders;
        }
    }

    /// Takes out the days with their orders, ascending; where there is no order at all, with their rows. And the newest
    /// time of a row.
    pub(in crate::load) fn take(&self) -> (Vec<(i32, i64)>, Option<i64>) {
        let found = std::mem::take(&mut *open(&self.0));
        let only_refunds = found.days.values().all(|day| day.orders == 0);
        let count = |day: Day| if only_refunds { day.rows } else { day.orders };
        let days = found.days.into_iter();
        // As many days as there are between the first and the last microsecond fit.
        let days =
            days.map(|(day, counts)| (i32::try_from(day).unwrap_or(i32::MAX), count(counts)));
        let mut days: Vec<(i32, i64)> = days.filter(|&(_, orders)| 0 < orders).collect();
        days.sort_unstable();
        (days, found.newest)
    }
}
