//! The truth holds: in the rows, and against what is planted.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_customer_has_an_order_and_the_truth_counts_them() {
    let chunk = all(&plan());
    let histories = histories(std::iter::once(chunk.clone()));
    assert!(histories.keys().copied().eq(1..=3_000));
    for (row, (_, orders)) in histories.iter().enumerate() {
        assert_eq!(chunk.truth.orders[row] as usize, orders.len());
        assert_eq!(
            chunk.truth.spent_cents[row],
            orders.iter().map(|(_, cents)| cents).sum::<i64>()
        );
    }
}

#[test]
fn nobody_orders_after_dropping_out() {
    let Chunk { orders, truth, .. } = all(&plan());
    let mut n_dropped = 0;
    for (&customer, &at) in orders.customer.iter().zip(&orders.ordered_at_us) {
        let dropout = truth.dropout_us[usize::try_from(customer).unwrap() - 1];
        assert!(at <= dropout);
        n_dropped += usize::from(dropout < plan().end_us());
    }
    assert!(n_dropped > 1_000, "{n_dropped}");
}

#[test]
fn shares_orders_and_spend_are_as_planted() {
    let n_customers = 50_000;
    let plan = Plan {
        customers: n_customers,
        ..plan()
    };
    let chunk = chunks(&plan).next().unwrap();
    let summary = summary(&plan);
    let n = n_customers as f64;
    assert_eq!(summary.total.customers, n_customers);
    let mean = summary.total.orders as f64 / n;
    assert!((mean - 4.6).abs() < 0.1, "{mean}");
    let one_time = summary.total.one_time as f64 / n;
    assert!((0.52..0.56).contains(&one_time), "{one_time}");
    for (number, (group, planted)) in summary.groups.iter().zip(groups()).enumerate() {
        let members = group.total.customers as f64;
        assert!((members / n - planted.share).abs() < 0.01, "{group:?}");
        let mean = group.total.orders as f64 / members;
        assert!(
            (mean / planted.mean_orders(730) - 1.0).abs() < 0.06,
            "{group:?} {mean}"
        );
        let of_group = |values: &[f64]| -> f64 {
            let drawn = chunk
                .truth
                .group
                .iter()
                .zip(values)
                .filter(|(g, _)| usize::from(**g) == number);
            drawn.map(|(_, value)| value).sum::<f64>() / members
        };
        let level = of_group(&chunk.truth.spend_log_mean);
        assert!(
            (level - planted.spend_log_mean).abs() < 0.04,
            "{group:?} {level}"
        );
        let rate =
            of_group(&chunk.truth.rate_per_day) * planted.rate_alpha_days / planted.rate_shape;
        assert!((rate - 1.0).abs() < 0.06, "{group:?} {rate}");
    }
}

#[test]
fn the_summary_of_the_groups_adds_up_to_the_whole() {
    let chunk = all(&messy());
    let mut summary = Summary::default();
    summary.add(&chunk);
    let sum = |of: fn(&Totals) -> u64| {
        summary
            .groups
            .iter()
            .map(|group| of(&group.total))
            .sum::<u64>()
    };
    assert_eq!(sum(|t| t.customers), summary.total.customers);
    assert_eq!(sum(|t| t.one_time), summary.total.one_time);
    assert_eq!(sum(|t| t.orders), summary.total.orders);
    assert_eq!(sum(|t| t.refunds), summary.total.refunds);
    // Against the rows themselves, the second copies left out.
    let copies: BTreeSet<usize> = chunk
        .dirt
        .iter()
        .filter(|(_, kind)| *kind == Dirt::Duplicate)
        .map(|d| d.0)
        .collect();
    let cents = chunk
        .orders
        .amount_cents
        .iter()
        .enumerate()
        .filter(|(row, _)| !copies.contains(row));
    let net: i64 = cents.map(|(_, cents)| cents).sum();
    assert_eq!(
        net,
        summary.total.spent_cents - summary.total.refunded_cents
    );
    assert_eq!(summary.rows, chunk.orders.len() as u64);
    let last_id = *chunk.orders.order_id.last().unwrap();
    assert_eq!(
        u64::try_from(last_id).unwrap(),
        summary.total.orders + summary.total.refunds
    );
}

#[test]
fn no_customers_no_chunks_and_odd_plans_do_not_panic() {
    assert_eq!(
        chunks(&Plan {
            customers: 0,
            ..plan()
        })
        .count(),
        0
    );
    let of_days = |days| all(&Plan { days, ..messy() });
    assert_eq!(of_days(0), of_days(1));
    let odd = Plan {
        customers: 50,
        days: 0,
        start: i64::MAX,
        refunds: f64::NAN,
        dirt: f64::INFINITY,
        ..plan()
    };
    assert_eq!(all(&odd).truth.customer.len(), 50);
}
