//! What every row may be relied on for: order, numbers, refunds, lines, dirt.

use std::collections::BTreeSet;

use super::*;

#[test]
fn rows_are_sorted_by_time_and_inside_the_span() {
    for plan in [
        messy(),
        Plan { days: 1, ..messy() },
        Plan {
            start: -400,
            days: 90,
            ..messy()
        },
    ] {
        let Orders {
            ordered_at_us: times,
            customer,
            ..
        } = all(&plan).orders;
        assert!(times.iter().zip(&customer).is_sorted());
        assert!(
            times
                .iter()
                .all(|at| (plan.start_us()..plan.end_us()).contains(at))
        );
        // They also reach both ends, so the span is used.
        let span = plan.end_us() - plan.start_us();
        assert!(
            times[0] < plan.start_us() + span / 20
                && times[times.len() - 1] > plan.end_us() - span / 20
        );
    }
    assert_eq!(
        (Plan::default().start_us(), Plan::default().end_us()),
        (1_672_531_200_000_000, 1_735_603_200_000_000)
    );
}

#[test]
fn order_ids_count_from_one_through_all_chunks() {
    let plain: Vec<i64> = chunks_of(&plan(), 1_000)
        .flat_map(|chunk| chunk.orders.order_id)
        .collect();
    assert!(plain.iter().copied().eq((1..).take(plain.len())));
    // With lines, refunds and duplicates an id repeats, but only in neighbouring rows of one customer and moment.
    for Chunk { orders, .. } in chunks_of(&messy(), 1_000) {
        let rows: Vec<_> = orders
            .order_id
            .iter()
            .zip(orders.customer.iter().zip(&orders.ordered_at_us))
            .collect();
        for pair in rows.windows(2) {
            let (id, next) = (*pair[0].0, *pair[1].0);
            assert!(
                next == id + 1 || (next == id && pair[0] == pair[1]),
                "{pair:?}"
            );
        }
    }
}

#[test]
fn a_refund_gives_back_an_earlier_order_of_the_customer_in_full() {
    let plan = Plan {
        refunds: 0.2,
        line_items: true,
        ..plan()
    };
    let Chunk { orders, truth, .. } = all(&plan);
    let totals = order_cents(&orders);
    let mut sold: BTreeSet<(u64, i64, i64)> = BTreeSet::new(); // customer, cents, time
    let mut n_refunds = 0;
    for (row, &id) in orders
        .order_id
        .iter()
        .enumerate()
        .filter(|(row, _)| orders.line[*row] == 1)
    {
        let (customer, at, cents) = (orders.customer[row], orders.ordered_at_us[row], totals[&id]);
        if cents > 0 {
            sold.insert((customer, cents, at));
        } else {
            n_refunds += 1;
            let window = (customer, -cents, at - 30 * DAY_US)..=(customer, -cents, at - DAY_US);
            assert!(
                sold.range(window).next().is_some(),
                "refund {id} has no order"
            );
        }
    }
    assert_eq!(n_refunds, truth.refunds.iter().sum::<u32>());
    let share = f64::from(n_refunds) / f64::from(truth.orders.iter().sum::<u32>());
    assert!((0.18..0.2).contains(&share), "{share}"); // a fifth, less those due after the end
}

#[test]
fn a_line_is_its_quantity_times_its_price() {
    let orders = all(&messy()).orders;
    assert!(orders.line.len() == orders.len() && orders.line.contains(&3));
    for (row, cents) in orders.amount_cents.iter().enumerate() {
        assert_eq!(
            *cents,
            i64::from(orders.quantity[row]) * orders.unit_price_cents[row]
        );
        assert_ne!(*cents, 0);
    }
    let plain = all(&plan()).orders;
    assert!(
        plain.line.is_empty() && plain.quantity.is_empty() && plain.unit_price_cents.is_empty()
    );
}

#[test]
fn dirt_is_counted_by_kind_and_every_kind_is_near_its_share() {
    let chunk = all(&Plan {
        dirt: 0.12,
        ..plan()
    });
    let n = chunk.orders.len() as f64;
    assert!(chunk.dirt.is_sorted_by(|a, b| a.0 < b.0));
    assert!(chunk.dirt.iter().all(|(row, _)| *row < chunk.orders.len()));
    let count = |kind| chunk.dirt.iter().filter(|entry| entry.1 == kind).count() as u64;
    let counted = Dirt::ALL.map(count);
    let DirtCounts {
        null_customer,
        null_time,
        year_one,
        null_amount,
        nan_amount,
        duplicate,
    } = chunk.dirty;
    assert_eq!(
        counted,
        [
            null_customer,
            null_time,
            year_one,
            null_amount,
            nan_amount,
            duplicate
        ]
    );
    assert_eq!(chunk.dirty.total(), chunk.dirt.len() as u64);
    for (kind, n_rows) in Dirt::ALL.iter().zip(counted) {
        assert!(
            (n_rows as f64 / n - 0.02).abs() < 0.005,
            "{kind:?} {n_rows} of {n}"
        );
    }
    assert!(all(&plan()).dirt.is_empty());
}

#[test]
fn a_duplicate_is_the_row_before_it_once_more() {
    let Chunk { orders, dirt, .. } = all(&messy());
    let mut n_duplicates = 0;
    for (row, _) in dirt.iter().filter(|(_, kind)| *kind == Dirt::Duplicate) {
        let values = |row: usize| {
            let money = (
                orders.amount_cents[row],
                orders.quantity[row],
                orders.unit_price_cents[row],
            );
            (
                orders.order_id[row],
                orders.customer[row],
                orders.ordered_at_us[row],
                orders.line[row],
                money,
            )
        };
        assert_eq!(values(*row), values(row - 1));
        n_duplicates += 1;
    }
    assert!(n_duplicates > 50, "{n_duplicates}");
}

#[test]
fn year_one_is_the_first_of_january_of_the_year_1() {
    // 1,969 years from there to 1970, of which 477 are leap years in the Gregorian rule.
    let leap_years = 1969 / 4 - 1969 / 100 + 1969 / 400;
    assert_eq!(YEAR_ONE_US, -(1969 * 365 + leap_years) * DAY_US);
}
