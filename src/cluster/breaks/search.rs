//! The search for the best cuts.
//!
//! In: the best cuts for some number of bands. Out: those for one band more.
//! Invariant: a place is discarded only where every path through it costs more than one that is known. It returns the
//! optimum, never how near to it a heuristic came.

use std::ops::Range;

use super::bounds::Bounds;
use super::line::{Block, Cut, Line};
use super::sums::{Sums, Wide};

/// A place in the programme of whole numbers costs about as much as so many bounds.
const DEAR: usize = 4;

/// Places for each cut, times [`DEAR`], that are few enough to have no use for bounds.
const FEW: usize = 16;

/// Costs that a path gets by Lloyd's steps in each round. One step is what matters, three cost next to nothing.
const LLOYD: usize = 4;

/// How much dearer than the known path a discarded place is, as a part of its cost and for each band: hundreds of times
/// what rounding adds up to.
const SLACK: f64 = 1e-12;

/// The best cuts, both ends included, for one band more than `cuts` make at a cost of `within`.
pub(super) fn one_more(line: &Line<'_>, cuts: &[Cut], within: f64) -> Vec<Cut> {
    let mut layers = windows(line, cuts);
    let mut limit = within;
    let mut by_value = false;
    loop {
        let blocks: usize = layers.iter().map(Vec::len).sum();
        let places: usize = layers.iter().flatten().map(Block::places).sum();
        let pairs: usize = (layers.windows(2))
            .map(|pair| pair[0].len() * pair[1].len())
            .sum();
        if places == blocks || DEAR * places <= pairs + FEW * layers.len() {
            return settle(&line.single(&layers));
        }
        let bounds = Bounds::new(&layers);
        limit = limit.min(descend(line, bounds.path(&layers)));
        layers = narrow(line, &layers, &bounds, limit, by_value);
        by_value = !by_value;
    }
}

/// One block for each cut of the next k: its window between two neighbours of `cuts`.
fn windows(line: &Line<'_>, cuts: &[Cut]) -> Vec<Vec<Block>> {
    let (k, n) = (cuts.len(), line.values.len());
    let mut layers = vec![vec![line.block(cuts[0], cuts[0])]];
    for layer in 1..k {
        let first = line.cut(cuts[layer - 1].at.max(layer));
        let last = line.cut(cuts[layer].at.min(n - (k - layer)));
        layers.push(vec![line.block(first, last)]);
    }
    layers.push(vec![line.block(cuts[k - 1], cuts[k - 1])]);
    layers
}

/// The cost of a path, or of what a few of Lloyd's steps make of it.
fn descend(line: &Line<'_>, mut path: Vec<Cut>) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..LLOYD {
        let bands: Vec<Sums> = path.windows(2).map(|ends| ends[0].to(&ends[1])).collect();
        let cost = bands.iter().map(Sums::cost).sum();
        if least <= cost {
            break;
        }
        least = cost;
        for (cut, pair) in path[1..].iter_mut().zip(bands.windows(2)) {
            if pair[0].weight != 0 && pair[1].weight != 0 {
                let middle = f64::midpoint(pair[0].mean(), pair[1].mean());
                let until = |value: &i64| value.abs_diff(line.values[0]) as f64 <= middle;
                *cut = line.cut(line.values.partition_point(until));
            }
        }
    }
    least
}

/// The halves of the blocks through which a path may cost no more than `limit`.
fn narrow(
    line: &Line<'_>,
    layers: &[Vec<Block>],
    bounds: &Bounds,
    limit: f64,
    by_value: bool,
) -> Vec<Vec<Block>> {
    let k = layers.len() as f64;
    let halves_of = |(q, layer): (usize, &Vec<Block>)| {
        let through: Vec<f64> = (bounds.ahead[q].iter().zip(&bounds.behind[q]))
            .map(|(ahead, behind)| ahead.cost + behind.cost)
            .collect();
        // One always stays, whatever rounding does.
        let least = through.iter().copied().fold(f64::INFINITY, f64::min);
        let dear = (limit * (1.0 + SLACK * k)).max(least);
        let mut halves = Vec::new();
        for (index, block) in layer.iter().enumerate() {
            if dear < through[index] {
                continue;
            }
            let Some(ends) = line.halve(block, by_value) else {
                halves.push(*block);
                continue;
            };
            let rate = bounds.rate(layers, q, index);
            for (first, last) in ends {
                let mut half = line.block(first, last);
                // Any charge keeps the bound true; above this, rounding would be that of greater sums than the cost.
                half.charge = (half.inside * rate).min(limit / k);
                halves.push(half);
            }
        }
        halves
    };
    layers.iter().enumerate().map(halves_of).collect()
}

/// The dynamic programme on places. Of equally good cuts the smallest: there is a best path whose every cut is.
pub(super) fn settle(layers: &[Vec<Cut>]) -> Vec<Cut> {
    let k = layers.len() - 1;
    let mut best = vec![vec![(Wide::default(), 0)]];
    for (q, pair) in layers.windows(2).enumerate() {
        let cost =
            |to: usize, from: usize| best[q][from].0 + pair[0][from].to(&pair[1][to]).exact_cost();
        let mut next = vec![(Wide::default(), 0); pair[1].len()];
        divide(&mut next, 0, 0..pair[0].len(), &cost);
        best.push(next);
    }
    // Each band is rounded by less than 1, and divide and conquer may lose as much again at each of its steps.
    let tie = Wide::from(64 * k as u128 * k as u128);
    let mut to = 0;
    let mut cuts = vec![layers[k][0]];
    for q in (0..k).rev() {
        let good = best[q + 1][to].0 + tie;
        let cost =
            |from: usize| best[q][from].0 + layers[q][from].to(&layers[q + 1][to]).exact_cost();
        let smallest = (0..layers[q].len()).find(|&from| cost(from) <= good);
        to = smallest.unwrap_or(best[q + 1][to].1);
        cuts.push(layers[q][to]);
    }
    cuts.reverse();
    cuts
}

/// For columns from `first` on the least cost and its row, which never moves back from one column to the next.
fn divide(
    found: &mut [(Wide, usize)],
    first: usize,
    rows: Range<usize>,
    cost: &impl Fn(usize, usize) -> Wide,
) {
    let middle = found.len() / 2;
    let (before, after) = found.split_at_mut(middle);
    let Some((found, after)) = after.split_first_mut() else {
        return;
    };
    let column = first + middle;
    let (mut least, mut at) = (cost(column, rows.start), rows.start);
    for row in rows.start + 1..rows.end {
        let next = cost(column, row);
        if next < least {
            (least, at) = (next, row);
        }
    }
    *found = (least, at);
    divide(before, first, rows.start..at + 1, cost);
    divide(after, column + 1, at..rows.end, cost);
}
