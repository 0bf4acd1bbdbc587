//! Fitted rules as plain data, for those who write them down in another language.
//!
//! In: [`FittedRules`]. Out: [`Plain`]: cut points and segments, with nothing left to look up.
//! Invariant: the first segment of which one alternative holds is the one that [`FittedRules::segments`] gives.

use super::condition::Quantity;
use super::fitted::FittedRules;
use super::interval::Interval;
use super::scheme::Side;
use crate::config::Feature;

/// Rules without their history.
#[derive(Debug, Clone, PartialEq)]
pub struct Plain {
    /// What results call them.
    pub name: String,
    /// How R, F and M are scored; `None` where no segment looks.
    pub scores: [Option<PlainScore>; 3],
    /// Each list of F is for one R, each of M for one R and F, the lowest first.
    pub nested: bool,
    /// In order: the first that holds takes the customer.
    pub segments: Vec<PlainSegment>,
}

/// How one dimension is scored.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainScore {
    /// Ascending cut points in the unit of the dimension: one list, or one for each group.
    pub lists: Vec<Vec<f64>>,
    /// Whether a value on a cut belongs to the band below it.
    pub upper_inclusive: bool,
    /// The best score, which is the number of bands.
    pub best: usize,
    /// Whether ids part equal values, so that cut points alone do not say it all.
    pub by_id: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainSegment {
    /// English name.
    pub name: String,
    /// One of these has to hold; one without terms always does.
    pub any: Vec<Terms>,
}

/// What has to hold together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    /// Quantities between bounds.
    pub ranges: Vec<(Measure, [Option<Bound>; 2])>,
    /// One of these codes of R, F and M; `None` in it is any score. Empty: no condition.
    pub cells: Vec<[Option<u8>; 3]>,
}

/// A lower or upper bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// In the unit of the measure.
    pub value: f64,
    /// Whether the value itself is inside.
    pub inclusive: bool,
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Score of R (0), F (1) or M (2).
    Score(usize),
    /// The scores times these weights, added up and rounded to nine decimals.
    Weighted([f64; 3]),
    /// A quantity of the customer.
    Of(Feature),
    /// Day of the first order, in days since 1970.
    FirstOrder,
    /// The same in days since as-of: never above 0.
    FirstOrderAgo,
}

impl FittedRules {
    /// The rules as plain data.
    pub fn plain(&self) -> Plain {
        let rules = &self.rules;
        let score = |dimension: usize| {
            let lists = &self.cuts.of(dimension)?.0;
            let scheme = &rules.schemes[dimension];
            Some(PlainScore {
                by_id: lists.iter().flatten().any(|cut| cut.tie.is_some()),
                lists: self.cuts.of(dimension)?.values(),
                upper_inclusive: scheme.side == Side::Upper,
                best: scheme.best(),
            })
        };
        let segments = rules.segments.iter().map(|segment| PlainSegment {
            name: segment.name.en.clone(),
            any: segment
                .any
                .iter()
                .map(|conditions| Terms {
                    ranges: conditions
                        .ranges
                        .iter()
                        .map(|&(quantity, interval)| {
                            (measure(quantity, rules.weights), bounds(interval))
                        })
                        .collect(),
                    cells: conditions.cells.clone().unwrap_or_default(),
                })
                .collect(),
        });
        Plain {
            name: rules.name.clone(),
            scores: [score(0), score(1), score(2)],
            nested: rules.nested,
            segments: segments.collect(),
        }
    }
}

fn measure(quantity: Quantity, weights: [f64; 3]) -> Measure {
    match quantity {
        Quantity::R => Measure::Score(0),
        Quantity::F => Measure::Score(1),
        Quantity::M => Measure::Score(2),
        Quantity::Fm => {
            let [_, frequency, monetary] = weights;
            Measure::Weighted(
                [0.0, frequency, monetary].map(|weight| weight / (frequency + monetary)),
            )
        }
        Quantity::Sum => Measure::Weighted(weights),
        Quantity::RecencyDays => Measure::Of(Feature::RecencyDays),
        Quantity::Frequency => Measure::Of(Feature::Frequency),
        Quantity::Monetary => Measure::Of(Feature::Monetary),
        Quantity::Aov => Measure::Of(Feature::Aov),
        Quantity::TenureDays => Measure::Of(Feature::TenureDays),
        Quantity::FirstOrder => Measure::FirstOrder,
        Quantity::FirstOrderAgo => Measure::FirstOrderAgo,
    }
}

/// The finite ends of an interval.
fn bounds(interval: Interval) -> [Option<Bound>; 2] {
    let bound = |value: f64, inclusive| value.is_finite().then_some(Bound { value, inclusive });
    [
        bound(interval.low.value, !interval.low.after),
        bound(interval.high.value, interval.high.after),
    ]
}
