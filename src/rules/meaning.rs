//! What the quantities of conditions are in the data that rules will meet.
//!
//! In: the config's definitions of recency and monetary. Out: which values a quantity can have, and which go together.
//! Invariant: it only rules out what no customer can be, under any zone and whatever the amounts: where it is not sure,
//! a cell stays.

use super::condition::Quantity;
use super::interval::{Edge, Interval};
use crate::config::{Columns, Config, Monetary, Recency};

/// How R and M are defined (DESIGN §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// How days are counted.
    pub recency: Recency,
    /// Whether M is a total or a mean per order.
    pub monetary: Monetary,
    /// R, F and M are as somebody else computed them (`level = "customers"`): nothing is known of how.
    pub ready: bool,
}

/// What holds where no config says otherwise.
impl Default for Meaning {
    fn default() -> Self {
        Self {
            recency: Recency::Floor,
            monetary: Monetary::Sum,
            ready: false,
        }
    }
}

impl Meaning {
    /// That of a config.
    pub fn of(config: &Config) -> Self {
        Self {
            recency: config.rfm.recency,
            monetary: config.rfm.monetary,
            ready: matches!(config.input.columns, Columns::Customers { .. }),
        }
    }

    /// Whether only whole numbers occur.
    pub(super) fn is_whole(self, quantity: Quantity) -> bool {
        match quantity {
            Quantity::R
            | Quantity::F
            | Quantity::M
            | Quantity::Frequency
            | Quantity::FirstOrder
            | Quantity::FirstOrderAgo => true,
            Quantity::RecencyDays | Quantity::TenureDays => {
                !self.ready && self.recency != Recency::Exact
            }
            Quantity::Fm | Quantity::Sum | Quantity::Monetary | Quantity::Aov => false,
        }
    }

    /// The values of an interval that a customer can have.
    pub(super) fn possible(self, quantity: Quantity, interval: Interval) -> Interval {
        let values = interval.and(quantity.domain());
        if self.is_whole(quantity) {
            values.whole()
        } else {
            values
        }
    }

    /// The tenure of customers whose first order lies so many days of the calendar before as-of (0 and less).
    pub(super) fn tenure(self, ago: Interval) -> Interval {
        // Two times on days D apart are less than D + 1 and more than D − 1 days apart, and a clock may be changed between.
        let (less, more) = match self.recency {
            _ if self.ready => (2.0, 2.0),
            Recency::Calendar => (0.0, 0.0),
            Recency::Floor => (2.0, 1.0),
            Recency::Exact => (2.0, 2.0),
        };
        Interval {
            low: Edge::before(-ago.high.value - less),
            high: Edge::after(-ago.low.value + more),
        }
    }

    /// Whether a customer can have these three at once: `monetary` is `aov` times `frequency` where it is a total, and `aov`
    /// itself where it is a mean.
    pub(super) fn amounts_meet(
        self,
        frequency: Interval,
        monetary: Interval,
        aov: Interval,
    ) -> bool {
        if self.ready {
            return true;
        }
        if self.monetary == Monetary::Mean {
            return !monetary.and(aov).is_empty();
        }
        // f × aov is an interval, too; it meets that of M where it begins before M's end and ends after M's beginning.
        let negative = |edge: Edge| Edge {
            value: -edge.value,
            after: !edge.after,
        };
        let begins = multiples_up_to(aov.low, monetary.high);
        let ends = multiples_up_to(negative(aov.high), negative(monetary.low));
        !frequency.and(begins).and(ends).whole().is_empty()
    }
}

/// The factors f > 0 for which f × `low` lies below `high`; at it where both ends count.
fn multiples_up_to(low: Edge, high: Edge) -> Interval {
    /// Beyond the last digits of a quotient such as 0.3 / 0.1.
    const ROUNDING: f64 = 1e-12;
    if !low.value.is_finite() || !high.value.is_finite() {
        return Interval::ALL;
    }
    let both = !low.after && high.after;
    let quotient = high.value / low.value;
    let near = quotient.round();
    let factor = if (quotient - near).abs() <= ROUNDING * near.abs() {
        near
    } else {
        quotient
    };
    if low.value == 0.0 {
        let holds = 0.0 < high.value || (both && high.value == 0.0);
        return if holds {
            Interval::ALL
        } else {
            Interval::below(0.0)
        };
    }
    match (0.0 < low.value, both) {
        (true, true) => Interval::at_most(factor),
        (true, false) => Interval::below(factor),
        (false, true) => Interval::at_least(factor),
        (false, false) => Interval::above(factor),
    }
}
