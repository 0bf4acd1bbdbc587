//! One order divided into line items.
//!
//! In: the value of an order and the mean number of lines of its group. Out: lines whose amounts add up to exactly
//! that value, so a customer's money is the same with and without line items. There are no products: a line is a
//! quantity and a unit price.

use rand::Rng;

use super::stream::{poisson, unit};

/// One line item of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Pieces, at least 1.
    pub(super) quantity: i32,
    /// Price of one piece in cents, at least 1.
    pub(super) unit_price_cents: i64,
}

/// The mean of the pieces that a line has above one, before they are fitted to its amount.
const MEAN_EXTRA_PIECES: f64 = 0.6;

/// Divides an order of at least one cent: `1 + Poisson(mean_lines − 1)` lines, their shares uniform over all ways to
/// divide the value (broken stick). A line has `1 + Poisson(0.6)` pieces where its cents can be divided so.
pub(super) fn basket(
    order_cents: i64,
    mean_lines: f64,
    rng: &mut impl Rng,
    mut each: impl FnMut(Line),
) {
    let mut left = order_cents;
    let mut n_lines = i64::from(1 + poisson(mean_lines - 1.0, rng)).min(order_cents);
    while n_lines > 1 {
        let wanted = 1 + poisson(MEAN_EXTRA_PIECES, rng);
        n_lines -= 1; // from here on: the lines after this one, each of which needs a cent
        let line = line(break_off(left, n_lines, rng), wanted);
        left -= i64::from(line.quantity) * line.unit_price_cents;
        each(line);
    }
    let wanted = 1 + poisson(MEAN_EXTRA_PIECES, rng);
    let quantity = (1..=wanted)
        .rev()
        .find(|&pieces| left % i64::from(pieces) == 0)
        .unwrap_or(1);
    each(Line {
        quantity,
        unit_price_cents: left / i64::from(quantity),
    });
}

/// The cents of the next line when so many come after it: at least 1, and at least 1 left for each of those.
///
/// Where k points divide a stick evenly at random, the first piece has the share `1 − U^(1/k)`.
fn break_off(left: i64, n_after: i64, rng: &mut impl Rng) -> i64 {
    let share = 1.0 - unit(rng).powf(1.0 / n_after as f64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a part of an amount that is an i64"
    )]
    let cents = (left as f64 * share) as i64;
    cents.max(1).min(left - n_after)
}

/// A line of about so many cents and never more, in the wanted pieces if there is a cent for each.
fn line(cents: i64, wanted: i32) -> Line {
    let unit_price_cents = cents / i64::from(wanted);
    if unit_price_cents == 0 {
        return Line {
            quantity: 1,
            unit_price_cents: cents,
        };
    }
    Line {
        quantity: wanted,
        unit_price_cents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::stream::{Purpose, stream};

    fn lines(order_cents: i64, mean_lines: f64, customer: u64) -> Vec<Line> {
        let mut lines = Vec::new();
        basket(
            order_cents,
            mean_lines,
            &mut stream(3, customer, Purpose::Basket),
            |line| lines.push(line),
        );
        lines
    }

    #[test]
    fn lines_add_up_to_the_order_to_the_cent() {
        for order_cents in [1, 2, 3, 7, 100, 4_567, 1_000_000_000] {
            for customer in 0..500 {
                let lines = lines(order_cents, 5.0, customer);
                let total: i64 = lines
                    .iter()
                    .map(|line| i64::from(line.quantity) * line.unit_price_cents)
                    .sum();
                assert_eq!(total, order_cents, "{lines:?}");
                assert!(
                    lines
                        .iter()
                        .all(|line| line.quantity >= 1 && line.unit_price_cents >= 1),
                    "{lines:?}"
                );
            }
        }
    }

    #[test]
    fn number_of_lines_and_pieces_are_near_their_means() {
        let baskets: Vec<_> = (0..20_000)
            .map(|customer| lines(5_000, 2.4, customer))
            .collect();
        let n_lines: usize = baskets.iter().map(Vec::len).sum();
        let n_pieces: i32 = baskets.iter().flatten().map(|line| line.quantity).sum();
        let (per_order, per_line) = (
            n_lines as f64 / 20_000.0,
            f64::from(n_pieces) / n_lines as f64,
        );
        assert!((per_order - 2.4).abs() < 0.05, "{per_order}");
        assert!((1.4..1.6).contains(&per_line), "{per_line}");
    }
}
