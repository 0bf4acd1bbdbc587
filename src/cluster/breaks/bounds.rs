//! Bounds below the cost of every path through a block.
//!
//! In: the blocks of each layer; a path takes one place of a block in each. Out: [`Bounds`].
//! Invariant: a bound is true for whatever the blocks are charged, up to rounding. It discards nothing itself.

use super::line::{Block, Cut};

/// Bounds below the cost of every path through a block, for each block of each layer.
pub(super) struct Bounds {
    /// For what lies before the block and in it.
    pub(super) ahead: Vec<Vec<Bound>>,
    /// For what lies behind it.
    pub(super) behind: Vec<Vec<Bound>>,
}

/// A bound, and the block next to this one that gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) cost: f64,
    pub(super) next: usize,
}

impl Bound {
    fn least(costs: impl Iterator<Item = f64>) -> Self {
        let mut least = Self {
            cost: f64::INFINITY,
            next: 0,
        };
        for (next, cost) in costs.enumerate() {
            if cost < least.cost {
                least = Self { cost, next };
            }
        }
        least
    }
}

impl Bounds {
    pub(super) fn new(layers: &[Vec<Block>]) -> Self {
        let floors: Vec<Vec<f64>> = (layers.windows(2))
            .map(|pair| {
                let row = |right| pair[0].iter().map(move |left| at_least(left, right));
                pair[1].iter().flat_map(row).collect()
            })
            .collect();
        let none = vec![Bound { cost: 0.0, next: 0 }];
        let (mut ahead, mut behind) = (vec![none.clone()], vec![none]);
        for (q, right) in layers[1..].iter().enumerate() {
            let before: &Vec<Bound> = &ahead[q];
            let rows = floors[q].chunks(before.len()).zip(right);
            let bound = |(row, block): (&[f64], &Block)| {
                let sums = row
                    .iter()
                    .zip(before)
                    .map(|(floor, bound)| floor + bound.cost);
                let least = Bound::least(sums);
                Bound {
                    cost: least.cost + block.charge,
                    ..least
                }
            };
            let next = rows.map(bound).collect();
            ahead.push(next);
        }
        for (q, pair) in layers.windows(2).enumerate().rev() {
            let after: &Vec<Bound> = &behind[layers.len() - 2 - q];
            let count = pair[0].len();
            let bound = |from: usize| {
                let column = floors[q][from..]
                    .iter()
                    .step_by(count)
                    .zip(after)
                    .zip(&pair[1]);
                Bound::least(
                    column.map(|((floor, bound), right)| floor + bound.cost + right.charge),
                )
            };
            let next = (0..count).map(bound).collect();
            behind.push(next);
        }
        behind.reverse();
        Self { ahead, behind }
    }

    /// The path with the least bound, cutting at the first place of each block.
    ///
    /// Where it cuts twice at the same place, the band between is empty. The path still costs no less than the best.
    pub(super) fn path(&self, layers: &[Vec<Block>]) -> Vec<Cut> {
        let mut index = 0;
        let mut cuts = Vec::with_capacity(layers.len());
        for (layer, bounds) in layers.iter().zip(&self.ahead).rev() {
            cuts.push(layer[index].first);
            index = bounds[index].next;
        }
        cuts.reverse();
        cuts
    }

    /// The squared distance from the middle between two bands to their means, for those on both sides of a block.
    pub(super) fn rate(&self, layers: &[Vec<Block>], q: usize, index: usize) -> f64 {
        let block = &layers[q][index];
        let before = &layers[q - 1][self.ahead[q][index].next];
        let after = &layers[q + 1][self.behind[q][index].next];
        let (left, right) = (before.last.to(&block.first), block.last.to(&after.first));
        if left.weight == 0 || right.weight == 0 {
            return 0.0;
        }
        ((right.mean() - left.mean()) / 2.0).powi(2)
    }
}

/// A bound below the cost of every band from a cut in `left` to a cut in `right`, less the charges of both blocks.
///
/// Such a band holds at least what lies between the blocks. What is inside a block goes in part to the band before and in
/// part to the band behind its cut. So a path is charged for the inside of each block that it passes, at a rate of our
/// choice, and a band that could take it at a lower rate gives the difference back. At the right rate, that of the middle
/// between the two means, hardly anything is given back: the bound is too low by the square of the size of the block.
fn at_least(left: &Block, right: &Block) -> f64 {
    let core = left.last.to(&right.first);
    if core.weight == 0 {
        return -left.charge - right.charge;
    }
    // Points of weight w at distances d from the mean of weight W add W / (W + w) · Σ d² or more to the cost.
    let (whole, weight) = (u128::from(core.weight), core.weight as f64);
    let share = weight / (weight + left.inside + right.inside);
    let to_left = (core.sum - whole * u128::from(left.most)) as f64 / weight;
    let to_right = (whole * u128::from(right.least) - core.sum) as f64 / weight;
    let back = |block: &Block, distance: f64| {
        (block.inside * distance * distance * share - block.charge).min(0.0)
    };
    core.cost() + back(left, to_left) + back(right, to_right)
}
