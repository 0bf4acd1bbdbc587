//! What is known of one customer.
//!
//! In: lines. Out: an account. Invariant: lines may be added in any order.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::Who;

/// What totals have beyond 64 bits, for the few customers for whom that is anything.
pub(super) type Wide<S> = BTreeMap<S, i128>;

/// Orders that have been counted, each with the place of its customer.
#[derive(Default)]
pub(super) struct Orders(HashSet<(u32, [u32; 2]), FixedState>);

impl Orders {
    /// Whether a line of the customer at `place` is the first that is seen of its order: only that counts, whichever it is.
    pub(super) fn is_new(&mut self, place: u32, line: Line) -> bool {
        let order = line.time.and(line.order);
        order.is_none_or(|order| self.0.insert((place, halves(order))))
    }
}

/// A number in two halves, which need no padding beside a third.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each half is what is left of it"
)]
fn halves(order: u64) -> [u32; 2] {
    [(order >> 32) as u32, order as u32]
}

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

impl<S> Account<S> {
    pub(super) fn new(id: S) -> Self {
        Self {
            id,
            last: i64::MIN,
            first: i64::MAX,
            total: 0,
            orders: 0,
        }
    }

    /// Whether it is a customer's.
    pub(super) fn is_of(&self, who: Who) -> bool {
        0 < self.orders || who == Who::Everybody
    }

    /// Adds a line; `is_new` says whether its order, if it is one, has not been counted yet, and `who` finds the customer in
    /// `wide`.
    pub(super) fn add<W: Ord>(&mut self, line: Line, is_new: bool, (who, wide): (W, &mut Wide<W>)) {
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
            None => *wide.entry(who).or_default() += line.units,
        }
    }
}

impl Account<()> {
    /// The same with an id.
    pub(super) fn named<S>(&self, id: S) -> Account<S> {
        let &Self {
            last,
            first,
            total,
            orders,
            ..
        } = self;
        Account {
            id,
            last,
            first,
            total,
            orders,
        }
    }
}
