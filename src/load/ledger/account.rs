//! What is known of one customer.
//!
//! In: lines. Out: an account. Invariant: lines may be added in any order.

use std::collections::BTreeMap;

/// What totals have beyond 64 bits, for the few customers for whom that is anything.
pub(super) type Wide<S> = BTreeMap<S, i128>;

/// What a line adds to a customer.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Line {
    /// Time of the order; `None` for a row that is none.
    time: Option<i64>,
    /// Amount in units.
    units: i128,
    /// The order that the row belongs to, where rows are lines of orders.
    order: Option<u64>,
}

impl Line {
    /// The order that it counts for, where rows are lines of orders.
    pub(super) fn counts_for(self) -> Option<u64> {
        self.time.and(self.order)
    }
}

/// A row that is an order, in as few bytes as it takes: they wait by the million.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Row<U> {
    /// Time of the order; `i64::MIN` for a row that is none.
    pub(in crate::load) time: i64,
    /// Amount in units.
    pub(in crate::load) units: U,
}

/// A row that is a line of an order.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct OrderLine<U> {
    pub(in crate::load) row: Row<U>,
    /// The order, or what tells it from the others of the customer.
    pub(in crate::load) order: u64,
}

/// What can stand for a line.
pub(in crate::load) trait Lines: Copy + Send + Sync {
    /// The line.
    fn line(self) -> Line;
}

impl<U: Into<i128> + Copy + Send + Sync> Lines for Row<U> {
    fn line(self) -> Line {
        Line {
            time: (self.time != i64::MIN).then_some(self.time),
            units: self.units.into(),
            order: None,
        }
    }
}

impl<U: Into<i128> + Copy + Send + Sync> Lines for OrderLine<U> {
    fn line(self) -> Line {
        Line {
            order: Some(self.order),
            ..self.row.line()
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
    /// Orders; as long as there is none, minus the rows: those are only asked for then.
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

    /// Adds a line; `is_new` says whether its order, if it is one, has not been counted yet.
    pub(super) fn add(&mut self, line: Line, is_new: bool, wide: &mut Wide<S>) {
        match line.time {
            Some(time) => {
                self.last = self.last.max(time);
                self.first = self.first.min(time);
                self.orders = self.orders.max(0) + i64::from(is_new);
            }
            None if self.orders <= 0 => self.orders -= 1,
            None => {}
        }
        let units = i64::try_from(line.units);
        match units.ok().and_then(|units| self.total.checked_add(units)) {
            Some(total) => self.total = total,
            None => *wide.entry(self.id).or_default() += line.units,
        }
    }
}
