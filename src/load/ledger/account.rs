//! What is known of one customer.
//!
//! In: lines. Out: an account. Invariant: lines may be added in any order.

use std::collections::BTreeMap;

/// What totals have beyond 64 bits, for the few customers for whom that is anything.
pub(super) type Wide<S> = BTreeMap<S, i128>;

/// A line that adds to a customer.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Line {
    /// Time of the last order; `i64::MIN` without order.
    pub(in crate::load) last: i64,
    /// Time of the first order; `i64::MAX` without order.
    pub(in crate::load) first: i64,
    /// Amount in units.
    pub(in crate::load) total: i128,
    /// Orders; without order, minus the rows.
    pub(in crate::load) orders: i64,
}

/// The line of one row, in as few bytes as it takes: they wait by the million.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Row {
    /// Time of the order; `i64::MIN` for a row that is none.
    pub(in crate::load) time: i64,
    /// Amount in units.
    pub(in crate::load) units: i64,
}

/// What can stand for a line.
pub(in crate::load) trait Lines: Copy + Send + Sync {
    /// The line.
    fn line(self) -> Line;
}

impl Lines for Line {
    fn line(self) -> Line {
        self
    }
}

impl Lines for Row {
    fn line(self) -> Line {
        let is_order = self.time != i64::MIN;
        Line {
            last: self.time,
            first: if is_order { self.time } else { i64::MAX },
            total: self.units.into(),
            orders: if is_order { 1 } else { -1 },
        }
    }
}

/// What is known of a customer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<S> {
    pub(super) id: S,
    pub(super) last: i64,
    pub(super) first: i64,
    /// What 64 bits hold of the total; the rest stands in [`Wide`].
    pub(super) total: i64,
    /// As in [`Line`]: rows are only asked for where there is no order.
    pub(super) orders: i64,
}

impl<S: Ord + Copy> Account<S> {
    pub(super) fn new(id: S) -> Self {
        Self {
            id,
            last: i64::MIN,
            first: i64::MAX,
            total: 0,
            orders: 0,
        }
    }

    pub(super) fn add(&mut self, line: Line, wide: &mut Wide<S>) {
        self.last = self.last.max(line.last);
        self.first = self.first.min(line.first);
        self.orders = match (0 < self.orders, 0 < line.orders) {
            (true, false) => self.orders,
            (false, true) => line.orders,
            _ => self.orders + line.orders,
        };
        let total = i64::try_from(line.total);
        match total.ok().and_then(|total| self.total.checked_add(total)) {
            Some(total) => self.total = total,
            None => *wide.entry(self.id).or_default() += line.total,
        }
    }
}
