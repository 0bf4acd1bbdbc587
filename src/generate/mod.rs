//! Orders with a known truth: what `tiermill generate` writes, as plain data.
//!
//! In: a [`Plan`] (how many customers, how many days, which seed). Out: a stream of [`Chunk`]s, each the orders of
//! some 50,000 customers with the planted parameters behind them, so that a tiering can be held against what is true.
//! Invariant: every customer is simulated from a generator of its own, seeded by (seed, customer), hence neither the
//! number of threads nor the chunk size changes an order; only `order_id` counts in output order.
//! (`exp` and `ln` are the platform's: between operating systems the last bit of a rate may differ.)
//! It deliberately knows no file, no column type and no id format: the caller turns columns into Parquet, and it
//! simulates no seasons, weekdays or growth, since nothing that is measured on the output depends on them.
//!
//! # The model
//!
//! A customer belongs to one of a few planted [`groups`] and then lives through three steps.
//!
//! 1. **Start.** The first order falls at a moment spread evenly over the days, so everybody has at least one.
//! 2. **Repeat orders** follow a Poisson process with the customer's own rate λ until dropout or the end:
//!    `λ ~ Gamma(shape r, rate α)`, lifetime `~ Exponential(μ)`. This is the Pareto/NBD model of Schmittlein, Morrison
//!    and Colombo, "Counting your customers: who are they and what will they do next?", Management Science 33(1), 1987,
//!    with one change: μ is fixed within a group instead of gamma-distributed, since here the groups carry the
//!    difference in churn. A small `r` gives what shops see: many one-time buyers and a long tail.
//! 3. **Spend.** The log of an order's value is normal around the customer's own level, which is normal around the
//!    group's: `ln value = m + s₁·z(customer) + s₂·z(order)`. Level and rate are independent within a group, as in
//!    Schmittlein and Peterson, "Customer base analysis: an industrial purchase process application", Marketing
//!    Science 13(1), 1994.
//!
//! The expected number of orders over D days follows in closed form, see [`mean_orders`]; the default groups give 4.6
//! for 730 days, that is 4.6 million orders for a million customers.
//!
//! Line items, refunds and dirt are drawn from streams of their own, so asking for them leaves the history of every
//! customer as it was.

mod groups;
mod plan;

mod basket;
mod customer;
mod stream;

mod chunk;
mod dirt;
mod summary;

pub use chunk::{CHUNK_CUSTOMERS, Chunk, Orders, Truth};
pub use dirt::{Dirt, DirtCounts, YEAR_ONE_US};
pub use groups::{Group, groups, mean_orders};
pub use plan::Plan;
pub use summary::{GroupTotals, Summary, Totals};

/// The orders of a plan, in chunks of [`CHUNK_CUSTOMERS`] customers, in the order of the customers.
///
/// A chunk is made when it is asked for, on the threads of the current rayon pool, so a hundred million orders need
/// the memory of the chunks that the caller holds on to.
pub fn chunks(plan: &Plan) -> impl Iterator<Item = Chunk> + use<> {
    chunks_of(plan, CHUNK_CUSTOMERS)
}

/// As [`chunks`], with another number of customers in each.
fn chunks_of(plan: &Plan, n_customers: usize) -> impl Iterator<Item = Chunk> + use<> {
    let plan = *plan;
    let mut next_order_id = 1;
    (1..=plan.customers).step_by(n_customers).map(move |first| {
        let after_last = first
            .saturating_add(n_customers as u64)
            .min(plan.customers + 1);
        let chunk = Chunk::simulate(&plan, first..after_last, next_order_id);
        next_order_id = chunk
            .orders
            .order_id
            .last()
            .map_or(next_order_id, |last| last + 1);
        chunk
    })
}

#[cfg(test)]
mod tests;
