//! What is to be generated: a plain value, complete before the first order is drawn.

use serde::Serialize;

/// Seconds in a day; the data knows no leap seconds, as Unix time.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// What is to be generated. The same plan gives the same data, on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plan {
    /// Number of customers; each has at least one order.
    pub customers: u64,
    /// Length of the time span in days, at least 1 (0 is taken as 1).
    pub days: u32,
    /// First day of the span, in days since 1970-01-01.
    pub start: i64,
    /// Seed of all randomness.
    pub seed: u64,
    /// Whether an order has a row per line item (quantity and unit price) instead of one row.
    pub line_items: bool,
    /// Share of the orders that are given back, 0..=1. The refund comes 1 to 30 days after its order; one that would
    /// come after the end is not in the data, so the share that is seen is a little lower.
    pub refunds: f64,
    /// Share of the rows that are dirty, 0..=1; each of the kinds of [`Dirt`](super::Dirt) is equally likely.
    pub dirt: f64,
}

impl Default for Plan {
    /// Ten thousand customers over the two years from 2023-01-01, clean, one row per order.
    fn default() -> Self {
        Self {
            customers: 10_000,
            days: 730,
            start: 19_358,
            seed: 42,
            line_items: false,
            refunds: 0.0,
            dirt: 0.0,
        }
    }
}

impl Plan {
    /// First moment of the span, in Unix microseconds; no order is earlier.
    pub fn start_us(&self) -> i64 {
        self.at_us(0)
    }

    /// End of the span, in Unix microseconds; every order and refund is earlier.
    pub fn end_us(&self) -> i64 {
        self.at_us(self.span_seconds())
    }

    /// A moment of the span as Unix microseconds. Saturates where `start` is beyond all calendars.
    pub(super) fn at_us(&self, seconds_after_start: i64) -> i64 {
        self.start
            .saturating_mul(DAY_SECONDS)
            .saturating_add(seconds_after_start)
            .saturating_mul(1_000_000)
    }

    /// Length of the span in seconds, at least a day.
    pub(super) fn span_seconds(&self) -> i64 {
        i64::from(self.days.max(1)) * DAY_SECONDS
    }
}
