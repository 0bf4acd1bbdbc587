//! The cells of a map: every combination of scores, and of intervals of the other quantities.
//!
//! In: a [`RuleSet`]. Out: a [`Grid`] that knows for each cell which segment takes it.
//! Invariant: all customers of one cell are in the same segment. The proof looks at these cells, and customers are placed
//! by them, so that what was proven is what happens.

use super::condition::Quantity;
use super::interval::{Edge, Interval};
use super::meaning::Meaning;
use super::scheme::{Cut, Method, Side};
use super::segment::{Conditions, Segment, weighted};
use super::set::RuleSet;
use crate::error::{Result, RuleFault};

/// Cells that a map can have: beyond that nobody can look at them.
const MOST_CELLS: usize = 1_000_000;

/// One direction of the grid.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub quantity: Quantity,
    /// Where it is cut, ascending; one fewer than intervals.
    edges: Vec<Edge>,
    pub intervals: Vec<Interval>,
}

/// All cells of a map.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub axes: Vec<Axis>,
    /// For each cell the segments that match; the first one takes it.
    pub matches: Vec<Vec<u32>>,
}

impl Axis {
    fn scores(quantity: Quantity, best: usize) -> Self {
        let points = (1..=best).map(|score| Interval::point(score as f64));
        Self {
            quantity,
            edges: Vec::new(),
            intervals: points.collect(),
        }
    }

    /// Cut at every bound that a condition has.
    fn raw(quantity: Quantity, rules: &RuleSet) -> Option<Self> {
        let conditions = rules.segments.iter().flat_map(|segment| &segment.any);
        let ranges = conditions.flat_map(|conditions| &conditions.ranges);
        let of_this = ranges.filter(|&&(other, _)| other == quantity);
        let mut edges: Vec<Edge> = of_this.flat_map(|(_, interval)| interval.ends()).collect();
        edges.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.after.cmp(&b.after)));
        edges.dedup();
        if edges.is_empty() {
            return None;
        }
        let mut intervals = Vec::with_capacity(edges.len() + 1);
        let mut low = Interval::ALL.low;
        for &high in edges.iter().chain([&Interval::ALL.high]) {
            intervals.push(Interval { low, high });
            low = high;
        }
        Some(Self {
            quantity,
            edges,
            intervals,
        })
    }

    /// The interval that a value lies in; none for a score that the axis does not have.
    pub(super) fn position(&self, value: f64) -> Option<usize> {
        if self.edges.is_empty() {
            return self
                .intervals
                .iter()
                .position(|interval| interval.holds(&Interval::point(value)));
        }
        let point = Edge::before(value);
        Some(self.edges.partition_point(|edge| *edge <= point))
    }
}

impl Grid {
    /// Cuts the space, and asks every segment about every cell.
    pub(super) fn new(rules: &RuleSet) -> Result<Self> {
        let scores = (0..3).filter(|&dimension| rules.uses(dimension));
        let mut axes: Vec<Axis> = scores
            .map(|d| Axis::scores(Quantity::SCORES[d], rules.schemes[d].best()))
            .collect();
        let raw = Quantity::RAW.into_iter();
        axes.extend(raw.filter_map(|quantity| Axis::raw(quantity, rules)));
        let cells: u128 = axes
            .iter()
            .map(|axis| axis.intervals.len() as u128)
            .product();
        let count = usize::try_from(cells).unwrap_or(usize::MAX);
        if MOST_CELLS < count {
            return Err(RuleFault::TooManyCells {
                map: rules.name.clone(),
                cells,
                limit: MOST_CELLS,
            }
            .into());
        }
        let mut grid = Self {
            axes,
            matches: Vec::new(),
        };
        grid.matches = (0..count)
            .map(|cell| matching(rules, &grid.cell(cell)))
            .collect();
        Ok(grid)
    }

    /// The intervals of a cell, one for each axis.
    pub(super) fn cell(&self, mut index: usize) -> Cell<'_> {
        let mut intervals = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            intervals.push((axis.quantity, &axis.intervals[index % axis.intervals.len()]));
            index /= axis.intervals.len();
        }
        intervals.reverse();
        Cell { intervals }
    }

    /// The cell at these positions on the axes.
    pub(super) fn index(&self, positions: impl Iterator<Item = Option<usize>>) -> Option<usize> {
        let mut index = 0;
        for (axis, position) in self.axes.iter().zip(positions) {
            index = index * axis.intervals.len() + position?;
        }
        Some(index)
    }
}

/// One cell.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    intervals: Vec<(Quantity, &'a Interval)>,
}

impl Cell<'_> {
    pub(super) fn of(&self, quantity: Quantity) -> Option<&Interval> {
        let mut all = self.intervals.iter();
        all.find(|&&(other, _)| other == quantity)
            .map(|&(_, interval)| interval)
    }

    /// The score of dimension 0, 1 or 2; 0 where no segment looks at it.
    pub(super) fn score(&self, dimension: usize) -> f64 {
        self.of(Quantity::SCORES[dimension])
            .map_or(0.0, |interval| interval.low.value)
    }

    fn has(&self, dimension: usize, score: usize) -> bool {
        let point = Interval::point(score as f64);
        self.of(Quantity::SCORES[dimension])
            .is_some_and(|interval| interval.holds(&point))
    }

    fn scores(&self) -> [f64; 3] {
        [self.score(0), self.score(1), self.score(2)]
    }

    /// `541`, `recency_days > 730`, or both: scores of the dimensions in use, then what is not "any".
    pub(super) fn code(&self) -> String {
        let mut code = String::new();
        let mut words = Vec::new();
        for &(quantity, interval) in &self.intervals {
            if Quantity::SCORES.contains(&quantity) {
                code += &interval.low.value.to_string();
            } else {
                words.push(interval.text(quantity.key(), |value| quantity.print(value)));
            }
        }
        if !code.is_empty() {
            words.insert(0, code);
        }
        if words.is_empty() {
            words.push("everybody".to_owned());
        }
        words.join(", ")
    }

    /// The values of a quantity that a customer of this cell can have.
    fn possible(&self, quantity: Quantity, meaning: Meaning) -> Interval {
        let interval = self.of(quantity).copied().unwrap_or(Interval::ALL);
        meaning.possible(quantity, interval)
    }

    /// Whether there can be a customer in it.
    pub(super) fn can_be(&self, rules: &RuleSet) -> bool {
        let meaning = rules.meaning;
        let possible = |quantity: Quantity| self.possible(quantity, meaning);
        let ago = possible(Quantity::FirstOrderAgo);
        let tenure = possible(Quantity::TenureDays).and(meaning.tenure(ago));
        let mut all = self.intervals.iter();
        all.all(|&(quantity, _)| !possible(quantity).is_empty())
            && !tenure.is_empty()
            // The last order is not before the first.
            && possible(Quantity::RecencyDays).low < tenure.high
            && meaning.amounts_meet(
                possible(Quantity::Frequency),
                possible(Quantity::Monetary),
                possible(Quantity::Aov),
            )
            && (0..3).all(|dimension| self.fits_cuts(rules, dimension))
    }

    /// For a cell between two whole numbers next to each other, such as 30 < monetary < 31: how to write it without.
    pub(super) fn between_whole(&self) -> Option<String> {
        let (quantity, interval) = self.intervals.iter().find(|(_, interval)| {
            let (low, high) = (interval.low.value, interval.high.value);
            low.is_finite() && high.is_finite() && low < high && interval.whole().is_empty()
        })?;
        let (low, high) = (
            quantity.print(interval.low.value),
            quantity.print(interval.high.value),
        );
        Some(format!(
            "`{}` may lie between {low} and {high} here: write `\"> {low}\"` in place of `\">= {high}\"`",
            quantity.key()
        ))
    }

    /// Whether fixed cut points give this score to values of the interval that the cell has in the same quantity.
    fn fits_cuts(&self, rules: &RuleSet, dimension: usize) -> bool {
        const RAW: [Quantity; 3] = [
            Quantity::RecencyDays,
            Quantity::Frequency,
            Quantity::Monetary,
        ];
        let quantity = RAW[dimension];
        let scheme = &rules.schemes[dimension];
        let (Some(raw), Method::Fixed(lists)) = (self.of(quantity), &scheme.method) else {
            return true;
        };
        let [cuts] = lists.as_slice() else {
            return true;
        };
        let distinct = cuts.is_sorted_by(|a, b| a.value < b.value);
        let plain = cuts.iter().all(|cut| cut.tie.is_none());
        let score = (1..=scheme.best()).find(|&score| self.has(dimension, score));
        let (true, true, None, Some(score)) = (distinct, plain, scheme.halve, score) else {
            return true;
        };
        let edge = |cut: &Cut| match scheme.side {
            Side::Upper => Edge::after(cut.value + scheme.offset),
            Side::Lower => Edge::before(cut.value + scheme.offset),
        };
        let edges: Vec<Edge> = cuts.iter().map(edge).collect();
        let bands = edges.len() + 1;
        (0..bands).any(|band| {
            let of_band = if dimension == 0 {
                bands - band
            } else {
                band + 1
            };
            let low = band
                .checked_sub(1)
                .map_or(Interval::ALL.low, |at| edges[at]);
            let high = edges.get(band).copied().unwrap_or(Interval::ALL.high);
            let values = Interval { low, high }.and(*raw);
            of_band == score && !rules.meaning.possible(quantity, values).is_empty()
        })
    }
}

/// The segments that match a cell, in their order.
fn matching(rules: &RuleSet, cell: &Cell<'_>) -> Vec<u32> {
    let mut found = Vec::new();
    for (index, segment) in (0..).zip(&rules.segments) {
        let late = segment.otherwise && !found.is_empty();
        if !late && takes(segment, rules, cell) {
            found.push(index);
        }
    }
    found
}

fn takes(segment: &Segment, rules: &RuleSet, cell: &Cell<'_>) -> bool {
    let holds = |conditions: &Conditions| {
        let ranges = conditions
            .ranges
            .iter()
            .all(|(quantity, interval)| match quantity {
                Quantity::Sum => {
                    interval.holds(&Interval::point(weighted(rules.weights, cell.scores())))
                }
                Quantity::Fm => interval.holds(&Interval::point(fm(rules, cell.scores()))),
                other => cell
                    .of(*other)
                    .is_some_and(|of_cell| interval.holds(of_cell)),
            });
        let cells = conditions.cells.as_ref().is_none_or(|codes| {
            codes.iter().any(|code| {
                let mut digits = code.iter().enumerate();
                digits.all(|(d, digit)| digit.is_none_or(|digit| cell.has(d, digit.into())))
            })
        });
        ranges && cells
    };
    segment.any.iter().any(holds)
}

/// The mean of the scores F and M, by their weights.
fn fm(rules: &RuleSet, scores: [f64; 3]) -> f64 {
    let [_, frequency, monetary] = rules.weights;
    let weights = [0.0, frequency, monetary].map(|weight| weight / (frequency + monetary));
    weighted(weights, scores)
}
