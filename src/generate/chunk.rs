//! Many customers at once, as columns.
//!
//! In: the plan, a range of customers, the first order number. Out: their orders sorted by time, numbered, with dirt
//! and truth. Invariant: rows are ordered by time, then customer, then the customer's own order of events, then line;
//! nothing in here depends on how rayon divides the work.

use std::ops::Range;

use rayon::prelude::*;

use super::customer::{Customer, Row, customer};
use super::dirt::{Dirt, DirtCounts};
use super::plan::Plan;

/// Customers in a chunk: some 230,000 orders in two years, small enough to hold several, large enough to share out.
pub const CHUNK_CUSTOMERS: usize = 50_000;

/// Customers that one task simulates: some milliseconds of work.
const TASK_CUSTOMERS: usize = 1_000;

/// The orders of some customers, and what is true about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunk {
    /// The rows, sorted by time; ties by customer. All values are the true ones.
    pub orders: Orders,
    /// The dirty rows, by row number in `orders`, increasing: how a row differs from the truth when it is written.
    pub dirt: Vec<(usize, Dirt)>,
    /// Number of entries of `dirt` by kind.
    pub dirty: DirtCounts,
    /// The customers of this chunk, one entry each.
    pub truth: Truth,
}

/// Rows as columns of equal length: an order each, or with line items a line each. A refund is a negative amount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// Number of the order or refund, counted from 1 through the whole output; the lines of an order share it.
    pub order_id: Vec<i64>,
    /// The customer, 1 to the number of customers.
    pub customer: Vec<u64>,
    /// Unix microseconds, whole seconds; within the plan's span.
    pub ordered_at_us: Vec<i64>,
    /// Value of the order or line in cents; never 0, negative in a refund.
    pub amount_cents: Vec<i64>,
    /// Line of the order, from 1. Empty without line items.
    pub line: Vec<i32>,
    /// Pieces; negative in a refund. Empty without line items.
    pub quantity: Vec<i32>,
    /// Price of a piece in cents; times the quantity it is the amount. Empty without line items.
    pub unit_price_cents: Vec<i64>,
}

/// Customers as columns of equal length: the planted parameters, and what came of them. Dirt plays no part in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// The customer, increasing.
    pub customer: Vec<u64>,
    /// Number of the planted group, an index into [`groups`](super::groups).
    pub group: Vec<u8>,
    /// Own rate of repeat orders while alive, per day.
    pub rate_per_day: Vec<f64>,
    /// Moment of dropout in Unix microseconds; at or after [`Plan::end_us`] the customer is alive at the end.
    pub dropout_us: Vec<i64>,
    /// Own mean of the log of an order's value (natural log of currency units).
    pub spend_log_mean: Vec<f64>,
    /// Orders made, at least 1; refunds are not orders.
    pub orders: Vec<u32>,
    /// Orders given back before the end.
    pub refunds: Vec<u32>,
    /// Value of all orders in cents, refunds not taken off.
    pub spent_cents: Vec<i64>,
    /// Value of the refunds in cents, as a positive number.
    pub refunded_cents: Vec<i64>,
}

impl Orders {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order_id.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.order_id.is_empty()
    }

    fn push(&mut self, order_id: i64, row: &Row, plan: &Plan) {
        self.order_id.push(order_id);
        self.customer.push(row.customer);
        self.ordered_at_us.push(plan.at_us(row.at));
        self.amount_cents.push(row.amount_cents());
        if plan.line_items {
            self.line.push(row.line);
            self.quantity.push(row.quantity);
            self.unit_price_cents.push(row.unit_price_cents);
        }
    }

    fn reserve(&mut self, n_rows: usize, line_items: bool) {
        self.order_id.reserve_exact(n_rows);
        self.customer.reserve_exact(n_rows);
        self.ordered_at_us.reserve_exact(n_rows);
        self.amount_cents.reserve_exact(n_rows);
        if line_items {
            self.line.reserve_exact(n_rows);
            self.quantity.reserve_exact(n_rows);
            self.unit_price_cents.reserve_exact(n_rows);
        }
    }
}

impl Truth {
    fn push(&mut self, customer: &Customer, plan: &Plan) {
        self.customer.push(customer.number);
        self.group.push(customer.group);
        self.rate_per_day.push(customer.rate_per_day);
        self.dropout_us.push(plan.at_us(customer.dropout));
        self.spend_log_mean.push(customer.spend_log_mean);
        self.orders.push(customer.orders);
        self.refunds.push(customer.refunds);
        self.spent_cents.push(customer.spent_cents);
        self.refunded_cents.push(customer.refunded_cents);
    }
}

impl Chunk {
    /// Simulates these customers; their orders are numbered from `first_order_id`.
    pub(super) fn simulate(plan: &Plan, customers: Range<u64>, first_order_id: i64) -> Self {
        let tasks: Vec<Range<u64>> = customers
            .clone()
            .step_by(TASK_CUSTOMERS)
            .map(|first| {
                first
                    ..customers
                        .end
                        .min(first.saturating_add(TASK_CUSTOMERS as u64))
            })
            .collect();
        let simulated: Vec<(Vec<Row>, Vec<Customer>)> = tasks
            .into_par_iter()
            .map(|task| {
                let mut rows = Vec::new();
                let truths = task
                    .map(|number| customer(plan, number, &mut rows))
                    .collect();
                (rows, truths)
            })
            .collect();
        let (rows, customers): (Vec<_>, Vec<_>) = simulated.into_iter().unzip();

        let mut chunk = Self::default();
        for customer in customers.iter().flatten() {
            chunk.truth.push(customer, plan);
        }
        chunk.fill(plan, &rows, first_order_id);
        chunk
    }

    /// Puts the rows, given by customer, into the order of time; numbers the orders and repeats the duplicates.
    fn fill(&mut self, plan: &Plan, rows: &[Vec<Row>], first_order_id: i64) {
        let mut by_time: Vec<(i64, &Row)> =
            rows.iter().flatten().map(|row| (row.at, row)).collect();
        by_time.par_sort_by_key(|&(at, _)| at); // stable, so ties stay by customer, order, line
        let n_duplicates = by_time
            .iter()
            .filter(|(_, row)| row.dirt == Some(Dirt::Duplicate))
            .count();
        self.orders
            .reserve(by_time.len() + n_duplicates, plan.line_items);

        let mut order_id = first_order_id - 1;
        let mut order = None;
        for (_, row) in by_time {
            if order.replace((row.customer, row.order)) != Some((row.customer, row.order)) {
                order_id += 1;
            }
            self.orders.push(order_id, row, plan);
            if let Some(kind) = row.dirt {
                if kind == Dirt::Duplicate {
                    self.orders.push(order_id, row, plan);
                }
                self.dirt.push((self.orders.len() - 1, kind));
                self.dirty.count(kind);
            }
        }
    }
}
