//! The totals of everything generated, for the truth file.
//!
//! In: the chunks, one after the other. Out: counts and sums. Invariant: the groups add up to the whole. They tell
//! what is true, before dirt; `rows` and `dirty` tell what is written.

use serde::Serialize;

use super::chunk::Chunk;
use super::dirt::DirtCounts;
use super::groups::groups;

/// Totals over all chunks so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All customers together.
    #[serde(flatten)]
    pub total: Totals,
    /// Rows in the output: the lines of orders and refunds, and the duplicates.
    pub rows: u64,
    /// Dirty rows by kind.
    pub dirty: DirtCounts,
    /// The planted groups, in the order of [`groups`].
    pub groups: Vec<GroupTotals>,
}

/// Totals of one planted group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupTotals {
    /// Name of the group.
    pub name: &'static str,
    /// Its customers.
    #[serde(flatten)]
    pub total: Totals,
}

/// Totals of some customers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Customers.
    pub customers: u64,
    /// Customers with exactly one order.
    pub one_time: u64,
    /// Orders, refunds not among them.
    pub orders: u64,
    /// Refunds.
    pub refunds: u64,
    /// Value of the orders in cents, refunds not taken off.
    pub spent_cents: i64,
    /// Value of the refunds in cents, as a positive number.
    pub refunded_cents: i64,
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.customers += other.customers;
        self.one_time += other.one_time;
        self.orders += other.orders;
        self.refunds += other.refunds;
        self.spent_cents += other.spent_cents;
        self.refunded_cents += other.refunded_cents;
    }
}

impl Default for Summary {
    /// Of nothing yet.
    fn default() -> Self {
        let empty = |name| GroupTotals {
            name,
            total: Totals::default(),
        };
        Self {
            total: Totals::default(),
            rows: 0,
            dirty: DirtCounts::default(),
            groups: groups().iter().map(|group| empty(group.name)).collect(),
        }
    }
}

impl Summary {
    /// Adds one chunk.
    pub fn add(&mut self, chunk: &Chunk) {
        self.rows += chunk.orders.len() as u64;
        self.dirty.add(&chunk.dirty);
        let truth = &chunk.truth;
        let counts = truth.orders.iter().zip(&truth.refunds);
        let cents = truth.spent_cents.iter().zip(&truth.refunded_cents);
        for ((&group, (&orders, &refunds)), (&spent_cents, &refunded_cents)) in
            truth.group.iter().zip(counts).zip(cents)
        {
            let customer = Totals {
                customers: 1,
                one_time: u64::from(orders == 1),
                orders: u64::from(orders),
                refunds: u64::from(refunds),
                spent_cents,
                refunded_cents,
            };
            self.total.add(&customer);
            if let Some(group) = self.groups.get_mut(usize::from(group)) {
                group.total.add(&customer);
            }
        }
    }
}
