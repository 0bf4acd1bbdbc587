//! One customer's life, from the first order to dropout or the end.
//!
//! In: the plan and a customer. Out: the customer's rows in the order of their making (an order's lines, then its
//! refund, then the next order), and the truth about the customer. Invariant: depends on the seed and the customer
//! alone. It does not sort and does not number orders; `chunk` does, over many customers.

use rand::Rng;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::basket::basket;
use super::dirt::Dirt;
use super::groups::{Group, group_at};
use super::plan::{DAY_SECONDS, Plan};
use super::stream::{Purpose, happens, stream, unit};

/// One row: an order, or one line of an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Seconds after the start of the span.
    pub(super) at: i64,
    /// The customer, from 1.
    pub(super) customer: u64,
    /// Orders and refunds of this customer made before this one.
    pub(super) order: u32,
    /// Line of the order, from 1.
    pub(super) line: i32,
    /// Pieces; negative in a refund.
    pub(super) quantity: i32,
    /// Price of a piece in cents.
    pub(super) unit_price_cents: i64,
    /// What is wrong with the row.
    pub(super) dirt: Option<Dirt>,
}

impl Row {
    /// Quantity times unit price; negative in a refund.
    pub(super) fn amount_cents(&self) -> i64 {
        i64::from(self.quantity) * self.unit_price_cents
    }
}

/// What is true about one customer: the drawn parameters, and what came of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Customer {
    /// From 1.
    pub(super) number: u64,
    /// Index into the planted groups.
    pub(super) group: u8,
    pub(super) rate_per_day: f64,
    /// Seconds after the start of the span; may lie after its end.
    pub(super) dropout: i64,
    pub(super) spend_log_mean: f64,
    pub(super) orders: u32,
    pub(super) refunds: u32,
    pub(super) spent_cents: i64,
    pub(super) refunded_cents: i64,
}

/// Simulates one customer and appends the rows.
pub(super) fn customer(plan: &Plan, number: u64, rows: &mut Vec<Row>) -> Customer {
    let mut rng = stream(plan.seed, number, Purpose::History);
    let (group_number, group) = group_at(unit(&mut rng));
    // An error would mean a parameter ≤ 0, which a test of `groups` rules out; such a customer would not come back.
    let rate_per_day = Gamma::new(group.rate_shape, group.rate_alpha_days.recip())
        .map_or(0.0, |rates| rates.sample(&mut rng));
    let spend_log_mean = group.spend_log_mean + group.spend_log_sd * normal(&mut rng);
    let days = f64::from(plan.days.max(1));
    let mut at_days = days * unit(&mut rng);
    let dropout_days = at_days + exponential(group.dropout_per_day, &mut rng);

    let mut truth = Customer {
        number,
        group: group_number,
        rate_per_day,
        dropout: whole_seconds(dropout_days),
        spend_log_mean,
        orders: 0,
        refunds: 0,
        spent_cents: 0,
        refunded_cents: 0,
    };
    let first_row = rows.len();
    let mut clerk = Clerk::new(plan, number, group, rows);
    loop {
        let cents = cents(spend_log_mean + group.order_log_sd * normal(&mut rng));
        clerk.sell(
            &mut truth,
            whole_seconds(at_days).min(plan.span_seconds() - 1),
            cents,
        );
        at_days += exponential(rate_per_day, &mut rng);
        if at_days >= days || at_days >= dropout_days {
            break;
        }
    }
    if plan.dirt > 0.0 {
        let mut rng = stream(plan.seed, number, Purpose::Dirt);
        for row in rows.iter_mut().skip(first_row) {
            row.dirt = Dirt::draw(plan.dirt, &mut rng);
        }
    }
    truth
}

/// Writes down the orders of one customer, with the streams for what is not history.
struct Clerk<'a> {
    plan: &'a Plan,
    group: &'a Group,
    baskets: Option<Xoshiro256PlusPlus>,
    refunds: Option<Xoshiro256PlusPlus>,
    rows: &'a mut Vec<Row>,
}

impl<'a> Clerk<'a> {
    fn new(plan: &'a Plan, customer: u64, group: &'a Group, rows: &'a mut Vec<Row>) -> Self {
        let open = |wanted: bool, purpose| wanted.then(|| stream(plan.seed, customer, purpose));
        Self {
            plan,
            group,
            baskets: open(plan.line_items, Purpose::Basket),
            refunds: open(plan.refunds > 0.0, Purpose::Refunds),
            rows,
        }
    }

    /// Appends one order, and its refund if it comes back in time.
    fn sell(&mut self, truth: &mut Customer, at: i64, cents: i64) {
        let first_row = self.rows.len();
        let mut row = Row {
            at,
            customer: truth.number,
            order: truth.orders + truth.refunds,
            line: 1,
            quantity: 1,
            unit_price_cents: cents,
            dirt: None,
        };
        if let Some(rng) = &mut self.baskets {
            basket(cents, self.group.mean_lines, rng, |line| {
                self.rows.push(Row {
                    quantity: line.quantity,
                    unit_price_cents: line.unit_price_cents,
                    ..row
                });
                row.line += 1;
            });
        } else {
            self.rows.push(row);
        }
        truth.orders += 1;
        truth.spent_cents += cents;
        if let Some(at) = self.refund_at(at) {
            let first_copy = self.rows.len();
            self.rows.extend_from_within(first_row..);
            for copy in self.rows.iter_mut().skip(first_copy) {
                *copy = Row {
                    at,
                    order: truth.orders + truth.refunds,
                    quantity: -copy.quantity,
                    ..*copy
                };
            }
            truth.refunds += 1;
            truth.refunded_cents += cents;
        }
    }

    /// When an order of this moment comes back: 1 to 30 days later, if at all and if that is before the end.
    fn refund_at(&mut self, ordered_at: i64) -> Option<i64> {
        let rng = self.refunds.as_mut()?;
        // Both draws are made each time, so that a refund beyond the end does not shift the next ones.
        let (comes_back, at) = (
            happens(self.plan.refunds, rng),
            ordered_at + rng.gen_range(DAY_SECONDS..=30 * DAY_SECONDS),
        );
        (comes_back && at < self.plan.span_seconds()).then_some(at)
    }
}

fn normal(rng: &mut impl Rng) -> f64 {
    rng.sample(StandardNormal)
}

/// Days until the next event of a process of so many events per day; endless at rate 0.
fn exponential(per_day: f64, rng: &mut impl Rng) -> f64 {
    rng.sample::<f64, _>(Exp1) / per_day
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, which is right for a dropout that never comes"
)]
fn whole_seconds(days: f64) -> i64 {
    (days * DAY_SECONDS as f64) as i64
}

/// An order value in cents, from its log in currency units: at least a cent, at most ten million units, far above
/// anything that the groups draw.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to what an i64 holds"
)]
fn cents(log_value: f64) -> i64 {
    (log_value.exp() * 100.0).round().clamp(1.0, 1e9) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_worth_a_cent_at_least_and_never_overflows() {
        assert_eq!(
            [-50.0, 0.0, 1.5, 900.0].map(cents),
            [1, 100, 448, 1_000_000_000]
        );
    }

    #[test]
    fn rows_come_in_the_order_of_their_making() {
        let plan = Plan {
            line_items: true,
            refunds: 0.5,
            ..Plan::default()
        };
        let mut rows = Vec::new();
        let n_orders: u32 = (1..=200)
            .map(|number| customer(&plan, number, &mut rows))
            .map(|c| c.orders + c.refunds)
            .sum();
        assert!(rows.is_sorted_by_key(|row| (row.customer, row.order, row.line)));
        assert_eq!(
            rows.iter().filter(|row| row.line == 1).count(),
            n_orders as usize
        );
    }

    #[test]
    fn a_rate_of_zero_never_comes_back() {
        let wait = exponential(0.0, &mut stream(1, 1, Purpose::History));
        assert!(wait.is_infinite() && whole_seconds(wait) == i64::MAX);
    }
}
