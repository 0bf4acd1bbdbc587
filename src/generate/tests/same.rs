//! What changes the data, and what does not.

use std::collections::BTreeSet;

use super::*;

#[test]
fn same_seed_same_data_and_another_seed_other_data() {
    assert_eq!(all(&messy()), all(&messy()));
    assert_ne!(
        all(&plan()).orders.amount_cents,
        all(&Plan { seed: 12, ..plan() }).orders.amount_cents
    );
}

#[test]
fn the_data_of_a_seed_stays_the_same_between_versions() {
    let plan = Plan {
        customers: 200,
        seed: 42,
        ..messy()
    };
    let Summary {
        total, rows, dirty, ..
    } = summary(&plan);
    let first = all(&plan).orders.ordered_at_us[0];
    let orders = (first, total.orders, total.spent_cents);
    assert_eq!(orders, (1_672_585_369_000_000, 857, 5_658_088));
    let rest = (total.refunds, total.refunded_cents, rows, dirty.total());
    assert_eq!(rest, (86, 495_611, 2_079, 90));
}

#[test]
fn one_and_four_threads_give_the_same_chunks() {
    let with = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .unwrap();
        pool.install(|| chunks_of(&messy(), 1_700).collect::<Vec<_>>())
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn the_chunk_size_changes_no_customer() {
    assert_eq!(
        histories(chunks_of(&messy(), 1)),
        histories(chunks_of(&messy(), 1_999))
    );
}

#[test]
fn lines_refunds_and_dirt_change_no_order() {
    let orders = |plan: &Plan| -> BTreeSet<(u64, i64, i64)> {
        let orders = all(plan).orders;
        let totals = order_cents(&orders);
        let rows = orders
            .order_id
            .iter()
            .zip(orders.customer.iter().zip(&orders.ordered_at_us));
        rows.map(|(id, (&customer, &at))| (customer, at, totals[id]))
            .filter(|order| order.2 > 0)
            .collect()
    };
    let clean = orders(&plan());
    assert_eq!(
        clean,
        orders(&Plan {
            line_items: true,
            ..plan()
        })
    );
    assert_eq!(
        clean,
        orders(&Plan {
            line_items: true,
            refunds: 0.3,
            ..plan()
        })
    );
    let truth = |plan| all(&plan).truth;
    assert_eq!(
        truth(plan()),
        truth(Plan {
            dirt: 0.5,
            ..plan()
        })
    );
}
