//! Intervals of numbers with open and closed ends.
//!
//! In: bounds. Out: what lies between them, and whether one interval lies in another.
//! Invariant: an end stands just before or just after a number, so that `<= 5` and `> 5` share an end and leave nothing
//! between them.

use std::fmt::Write as _;

/// Where an interval begins or ends: just before or just after a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Edge {
    /// The number; may be infinite.
    pub value: f64,
    /// Whether the number itself lies below the edge.
    pub after: bool,
}

impl Edge {
    pub(super) fn before(value: f64) -> Self {
        Self {
            value: value + 0.0,
            after: false,
        }
    }

    pub(super) fn after(value: f64) -> Self {
        Self {
            value: value + 0.0,
            after: true,
        }
    }
}

/// What lies between two edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub low: Edge,
    pub high: Edge,
}

impl Interval {
    /// All numbers.
    pub(super) const ALL: Self = Self {
        low: Edge {
            value: f64::NEG_INFINITY,
            after: false,
        },
        high: Edge {
            value: f64::INFINITY,
            after: true,
        },
    };

    pub(super) fn point(value: f64) -> Self {
        Self::closed(value, value)
    }

    /// Both ends included.
    pub(super) fn closed(low: f64, high: f64) -> Self {
        Self {
            low: Edge::before(low),
            high: Edge::after(high),
        }
    }

    pub(super) fn at_least(low: f64) -> Self {
        Self {
            low: Edge::before(low),
            ..Self::ALL
        }
    }

    pub(super) fn above(low: f64) -> Self {
        Self {
            low: Edge::after(low),
            ..Self::ALL
        }
    }

    pub(super) fn at_most(high: f64) -> Self {
        Self {
            high: Edge::after(high),
            ..Self::ALL
        }
    }

    pub(super) fn below(high: f64) -> Self {
        Self {
            high: Edge::before(high),
            ..Self::ALL
        }
    }

    /// Numbers of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            low: if self.low < other.low {
                other.low
            } else {
                self.low
            },
            high: if other.high < self.high {
                other.high
            } else {
                self.high
            },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.low.partial_cmp(&self.high) != Some(std::cmp::Ordering::Less)
    }

    /// Whether all of `other` lies in here.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// From the first whole number in here to the last; empty where there is none.
    pub(super) fn whole(self) -> Self {
        let low = match self.low {
            Edge { value, .. } if !value.is_finite() => self.low,
            Edge { value, after: true } => Edge::before(value.floor() + 1.0),
            Edge { value, .. } => Edge::before(value.ceil()),
        };
        let high = match self.high {
            Edge { value, .. } if !value.is_finite() => self.high,
            Edge { value, after: true } => Edge::after(value.floor()),
            Edge { value, .. } => Edge::after(value.ceil() - 1.0),
        };
        Self { low, high }
    }

    /// The finite ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = Edge> {
        [self.low, self.high]
            .into_iter()
            .filter(|edge| edge.value.is_finite())
    }

    /// `365 < recency_days <= 730`, `frequency = 1`, `monetary > 100`; `print` writes one of the numbers.
    pub(super) fn text(&self, name: &str, print: impl Fn(f64) -> String) -> String {
        let (low, high) = (self.low, self.high);
        if low.value.total_cmp(&high.value).is_eq() {
            return format!("{name} = {}", print(low.value));
        }
        let sign = |strict: bool, word: &str| {
            if strict {
                word.to_owned()
            } else {
                format!("{word}=")
            }
        };
        match (low.value.is_finite(), high.value.is_finite()) {
            (false, false) => format!("any {name}"),
            (true, false) => format!("{name} {} {}", sign(low.after, ">"), print(low.value)),
            (false, true) => format!("{name} {} {}", sign(!high.after, "<"), print(high.value)),
            (true, true) => {
                let mut text = format!("{} {} {name}", print(low.value), sign(low.after, "<"));
                let _ = write!(text, " {} {}", sign(!high.after, "<"), print(high.value));
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_an_end_and_nothing_else() {
        let (low, high) = (Interval::at_most(5.0), Interval::above(5.0));
        assert!(low.and(high).is_empty());
        assert_eq!(low.high, high.low);
        assert!(low.holds(&Interval::point(5.0)));
        assert!(!high.holds(&Interval::point(5.0)));
        assert!(Interval::below(5.0).and(Interval::at_least(5.0)).is_empty());
        assert!(
            !Interval::at_least(5.0)
                .and(Interval::at_most(5.0))
                .is_empty()
        );
    }

    #[test]
    fn whole_numbers_are_found_between_open_ends() {
        let open = Interval::above(2.0).and(Interval::below(3.0));
        assert!(!open.is_empty() && open.whole().is_empty());
        let up_to = Interval::above(2.0).and(Interval::at_most(3.0));
        assert_eq!(up_to.whole(), Interval::point(3.0));
        let around = Interval::above(1.5).and(Interval::below(2.5));
        assert_eq!(around.whole(), Interval::point(2.0));
        let between = Interval::at_least(1.2).and(Interval::below(2.0));
        assert!(between.whole().is_empty());
        assert_eq!(Interval::below(-7.0).whole(), Interval::at_most(-8.0));
        assert_eq!(Interval::ALL.whole(), Interval::ALL);
    }

    #[test]
    fn an_interval_says_which_ends_it_has() {
        let say = |interval: Interval| interval.text("m", |value| value.to_string());
        assert_eq!(
            say(Interval::above(1.0).and(Interval::at_most(2.0))),
            "1 < m <= 2"
        );
        assert_eq!(say(Interval::at_least(1.0)), "m >= 1");
        assert_eq!(say(Interval::below(1.0)), "m < 1");
        assert_eq!(say(Interval::point(1.0)), "m = 1");
        assert_eq!(say(Interval::ALL), "any m");
    }
}
