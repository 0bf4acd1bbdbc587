//! The stream as a whole: what every caller of `chunks` may rely on.

use std::collections::BTreeMap;

use super::*;

mod rows;
mod same;
mod truth;

const DAY_US: i64 = 86_400_000_000;

fn plan() -> Plan {
    Plan {
        customers: 3_000,
        seed: 11,
        ..Plan::default()
    }
}

/// Everything that can be asked for at once.
fn messy() -> Plan {
    Plan {
        line_items: true,
        refunds: 0.1,
        dirt: 0.05,
        ..plan()
    }
}

fn all(plan: &Plan) -> Chunk {
    let mut chunks = chunks_of(plan, usize::MAX);
    let chunk = chunks.next().unwrap();
    assert!(chunks.next().is_none());
    chunk
}

fn summary(plan: &Plan) -> Summary {
    let mut summary = Summary::default();
    for chunk in chunks(plan) {
        summary.add(&chunk);
    }
    summary
}

/// Per customer, the times and amounts of its rows, whatever the order ids.
fn histories(chunks: impl Iterator<Item = Chunk>) -> BTreeMap<u64, Vec<(i64, i64)>> {
    let mut histories: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
    for Chunk { orders, .. } in chunks {
        let values = orders.ordered_at_us.iter().zip(&orders.amount_cents);
        for (&customer, (&at, &cents)) in orders.customer.iter().zip(values) {
            histories.entry(customer).or_default().push((at, cents));
        }
    }
    histories
}

/// Sum of the amounts of each order id.
fn order_cents(orders: &Orders) -> BTreeMap<i64, i64> {
    let mut totals = BTreeMap::new();
    for (&id, &cents) in orders.order_id.iter().zip(&orders.amount_cents) {
        *totals.entry(id).or_insert(0) += cents;
    }
    totals
}
