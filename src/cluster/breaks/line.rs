//! The values as a line of places where a cut may be.
//!
//! In: values and weights. Out: [`Cut`]s and [`Block`]s of neighbouring places, with the exact sums of what lies before.
//! Invariant: the sums of any band are the difference of those at its two ends. It stores them at every 64th place only
//! and adds up the rest when asked.

use std::iter::successors;

use rayon::prelude::*;

use super::BreaksError;
use super::sums::Sums;

/// Places between two stored sums: one lookup adds up half as many.
const STRIDE: usize = 64;

/// The values with sums at every [`STRIDE`]th.
pub(super) struct Line<'a> {
    pub(super) values: &'a [i64],
    weights: &'a [u64],
    marks: Vec<Sums>,
}

/// A place between two neighbouring values, with the sums of everything before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) at: usize,
    before: Sums,
}

impl Cut {
    /// The band from here to another cut: empty where that does not lie behind.
    pub(super) fn to(&self, end: &Self) -> Sums {
        if self.at < end.at {
            end.before.since(&self.before)
        } else {
            Sums::default()
        }
    }
}

/// Neighbouring places of which a cut may take any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) first: Cut,
    pub(super) last: Cut,
    /// The least and the greatest value between the first and the last place, as distances from the origin.
    pub(super) least: u64,
    pub(super) most: u64,
    /// Weight between the first and the last place.
    pub(super) inside: f64,
    /// What that weight is charged for lying at a cut, see `bounds::at_least`.
    pub(super) charge: f64,
}

impl Block {
    pub(super) fn places(&self) -> usize {
        self.last.at - self.first.at + 1
    }
}

impl<'a> Line<'a> {
    pub(super) fn new(values: &'a [i64], weights: &'a [u64]) -> Result<Self, BreaksError> {
        check(values, weights)?;
        let stretch = |(values_there, weights): (&[i64], &[u64])| {
            let mut sums = Sums::default();
            for (value, &weight) in values_there.iter().zip(weights) {
                sums.push(value.abs_diff(values[0]), weight);
            }
            sums
        };
        // Whole numbers: the sums are the same, whoever adds them up.
        let stretches = values.par_chunks(STRIDE).zip(weights.par_chunks(STRIDE));
        let mut marks: Vec<Sums> = stretches.map(stretch).collect();
        let mut before = Sums::default();
        for mark in &mut marks {
            let after = before.and(mark);
            *mark = before;
            before = after;
        }
        marks.push(before);
        Ok(Self {
            values,
            weights,
            marks,
        })
    }

    /// The distance of a value from the least one.
    fn offset(&self, index: usize) -> u64 {
        self.values[index].abs_diff(self.values[0])
    }

    pub(super) fn cut(&self, at: usize) -> Cut {
        let mark = at / STRIDE;
        let mut before = self.marks[mark];
        for index in mark * STRIDE..at {
            before.push(self.offset(index), self.weights[index]);
        }
        Cut { at, before }
    }

    /// The last place with at most so much weight before it.
    fn cut_by_weight(&self, weight: u64) -> Cut {
        let mark = self.marks.partition_point(|mark| mark.weight <= weight) - 1;
        let mut cut = Cut {
            at: mark * STRIDE,
            before: self.marks[mark],
        };
        while cut.at < self.values.len() && self.weights[cut.at] <= weight - cut.before.weight {
            cut = self.next(cut);
        }
        cut
    }

    fn next(&self, mut cut: Cut) -> Cut {
        cut.before.push(self.offset(cut.at), self.weights[cut.at]);
        cut.at += 1;
        cut
    }

    pub(super) fn block(&self, first: Cut, last: Cut) -> Block {
        Block {
            first,
            last,
            // A single place has nothing inside, and the end of the values is none.
            least: self.offset(first.at.min(self.values.len() - 1)),
            most: self.offset(last.at.max(1) - 1),
            inside: first.to(&last).weight as f64,
            charge: 0.0,
        }
    }

    /// All places of all blocks.
    pub(super) fn single(&self, layers: &[Vec<Block>]) -> Vec<Vec<Cut>> {
        let places = |block: &Block| {
            let last = block.last.at;
            successors(Some(block.first), move |&cut| {
                (cut.at < last).then(|| self.next(cut))
            })
        };
        layers
            .iter()
            .map(|layer| layer.iter().flat_map(places).collect())
            .collect()
    }

    /// The ends of both halves of a block, by weight or by value: one is quick in the bulk, the other in the tail.
    pub(super) fn halve(&self, block: &Block, by_value: bool) -> Option<[(Cut, Cut); 2]> {
        let (first, last) = (block.first.at, block.last.at);
        if first == last {
            return None;
        }
        let middle = if by_value {
            let middle = u64::midpoint(block.least, block.most);
            let until = |value: &i64| value.abs_diff(self.values[0]) <= middle;
            self.cut(first + self.values[first..last].partition_point(until) - 1)
        } else {
            let inside = block.first.to(&block.last).weight;
            self.cut_by_weight(block.first.before.weight + inside / 2)
        };
        Some([(block.first, middle), (self.next(middle), block.last)])
    }
}

fn check(values: &[i64], weights: &[u64]) -> Result<(), BreaksError> {
    if values.len() != weights.len() {
        return Err(BreaksError::Lengths {
            values: values.len(),
            weights: weights.len(),
        });
    }
    if let Some(index) = values.windows(2).position(|pair| pair[1] <= pair[0]) {
        return Err(BreaksError::NotAscending { index: index + 1 });
    }
    if let Some(index) = weights.iter().position(|&weight| weight == 0) {
        return Err(BreaksError::NoWeight { index });
    }
    let total = (weights.iter()).try_fold(0_u64, |sum, &weight| sum.checked_add(weight));
    total.map(|_| ()).ok_or(BreaksError::TooHeavy)
}
