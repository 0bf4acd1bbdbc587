//! The planted groups: the truth that a tiering should find again.
//!
//! In: nothing. Out: the parameters of each group, and what they make one expect. Invariant: the shares add up to 1.
//! The numbers are chosen, not fitted to a shop: they are set so that the five differ in recency, frequency and money,
//! that 54 % of the customers buy once, and that 730 days bring 4.6 orders per customer.

use serde::Serialize;

/// One planted group: the parameters that its customers are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Group {
    /// Name in the truth file.
    pub name: &'static str,
    /// Share of the customers, 0..1; the shares of all groups add up to 1.
    pub share: f64,
    /// Shape r of the gamma distribution of order rates; small means unlike each other.
    pub rate_shape: f64,
    /// Rate parameter α of that distribution, in days: a member orders r / α times per day on average.
    pub rate_alpha_days: f64,
    /// Rate μ of the exponential dropout, per day; 1 / μ is the mean lifetime in days.
    pub dropout_per_day: f64,
    /// Mean over the customers of their spend level, the mean log value of an order (natural log of currency units).
    pub spend_log_mean: f64,
    /// Standard deviation of the spend level between the customers.
    pub spend_log_sd: f64,
    /// Standard deviation of an order's log value around the level of its customer.
    pub order_log_sd: f64,
    /// Mean number of line items of an order, at least 1.
    pub mean_lines: f64,
}

impl Group {
    /// Mean number of orders of a member over so many days, the first one included.
    ///
    /// Orders repeat at r/α a day while the member is alive. With T the days left after the first order, evenly spread
    /// over (0, D), and L the exponential lifetime, `E[min(L, T)] = 1/μ − (1 − e^(−μD)) / (μ²D)`.
    pub fn mean_orders(&self, days: u32) -> f64 {
        let mu = self.dropout_per_day;
        let churned = mu * f64::from(days.max(1));
        let alive_days = (1.0 + (-churned).exp_m1() / churned) / mu;
        1.0 + self.rate_shape / self.rate_alpha_days * alive_days
    }
}

/// The planted groups, in the order of the group numbers in [`Truth`](super::Truth).
pub fn groups() -> &'static [Group] {
    &GROUPS
}

/// Mean number of orders per customer over so many days, all groups together: 4.6 for 730.
pub fn mean_orders(days: u32) -> f64 {
    GROUPS
        .iter()
        .map(|group| group.share * group.mean_orders(days))
        .sum()
}

/// The group at a point of the unit interval that the shares divide up: its number and its parameters.
pub(super) fn group_at(point: f64) -> (u8, &'static Group) {
    let [first, others @ ..] = &GROUPS;
    let (mut number, mut found, mut border) = (0, first, first.share);
    for group in others {
        if point < border {
            break;
        }
        (number, found, border) = (number + 1, group, border + group.share);
    }
    (number, found)
}

static GROUPS: [Group; 5] = [
    Group {
        name: "loyal_big_spenders",
        share: 0.05,
        rate_shape: 2.0,
        rate_alpha_days: 45.0,
        dropout_per_day: 1.0 / 1500.0,
        spend_log_mean: 4.9, // e^4.9 = 134
        spend_log_sd: 0.5,
        order_log_sd: 0.5,
        mean_lines: 3.2,
    },
    Group {
        name: "regulars",
        share: 0.25,
        rate_shape: 1.2,
        rate_alpha_days: 60.0,
        dropout_per_day: 1.0 / 900.0,
        spend_log_mean: 3.8, // e^3.8 = 45
        spend_log_sd: 0.5,
        order_log_sd: 0.5,
        mean_lines: 2.4,
    },
    Group {
        name: "bargain_hunters",
        share: 0.10,
        rate_shape: 2.0,
        rate_alpha_days: 44.0,
        dropout_per_day: 1.0 / 450.0,
        spend_log_mean: 2.6, // e^2.6 = 13
        spend_log_sd: 0.4,
        order_log_sd: 0.5,
        mean_lines: 1.8,
    },
    Group {
        name: "one_time",
        share: 0.38,
        rate_shape: 1.0,
        rate_alpha_days: 2000.0,
        dropout_per_day: 1.0 / 60.0,
        spend_log_mean: 3.5, // e^3.5 = 33
        spend_log_sd: 0.7,
        order_log_sd: 0.4,
        mean_lines: 1.5,
    },
    Group {
        name: "lapsing",
        share: 0.22,
        rate_shape: 1.2,
        rate_alpha_days: 40.0,
        dropout_per_day: 1.0 / 75.0,
        spend_log_mean: 4.1, // e^4.1 = 60
        spend_log_sd: 0.6,
        order_log_sd: 0.5,
        mean_lines: 2.0,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_one_and_every_parameter_is_positive() {
        let total: f64 = groups().iter().map(|group| group.share).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
        for group in groups() {
            let Group {
                share,
                rate_shape,
                rate_alpha_days,
                dropout_per_day,
                ..
            } = *group;
            for value in [
                share,
                rate_shape,
                rate_alpha_days,
                dropout_per_day,
                group.spend_log_sd,
                group.order_log_sd,
            ] {
                assert!(value > 0.0 && value.is_finite(), "{group:?}");
            }
            assert!(group.mean_lines >= 1.0, "{group:?}");
        }
    }

    #[test]
    fn the_default_groups_expect_4_6_orders_in_two_years() {
        assert!(
            (mean_orders(730) - 4.6).abs() < 0.005,
            "{}",
            mean_orders(730)
        );
    }

    #[test]
    fn more_days_mean_more_orders_and_no_days_mean_one() {
        assert!((mean_orders(0) - 1.0).abs() < 0.02, "{}", mean_orders(0));
        let means = [1, 30, 90, 365, 730, 1460, 3650].map(mean_orders);
        assert!(means.is_sorted(), "{means:?}");
    }

    #[test]
    fn a_point_falls_into_the_group_whose_share_covers_it() {
        let numbers = [
            0.0, 0.049, 0.051, 0.299, 0.301, 0.399, 0.401, 0.779, 0.781, 0.999, 1.0,
        ]
        .map(|p| group_at(p).0);
        assert_eq!(numbers, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]);
        assert_eq!(group_at(0.5).1.name, "one_time");
    }
}
