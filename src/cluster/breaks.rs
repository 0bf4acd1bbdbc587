//! Natural breaks: the bands of one dimension that lie closest to their means (one-dimensional weighted k-means).
//!
//! In: distinct ascending whole numbers (days, orders, fixed-point money) with weights. Out: the optimal [`Breaks`] for
//! every number of bands from 1 to `k_max`.
//! Invariant: among all ways to cut the values into that many bands none is better. Sums are exact and the choice
//! between cuts is made in 256-bit integers; floating point only discards cuts that are worse by far more than its
//! rounding. Equal values are never parted and no band is empty. It does not choose k, and it knows nothing of units.
//!
//! The optimum is the one of Fisher (1958), Jenks (1977) and Wang and Song (2011, `Ckmeans.1d.dp`); that the best cuts
//! move in one direction is used as by Grønlund et al. (2017). Those fill a table of k × n costs. Here most of it is
//! never looked at:
//!
//! - The smallest best cuts for k + 1 bands interlace with those for k (exchange the tails of two paths that cross), so
//!   each cut has a window of its own and all windows together hold n places.
//! - A window is divided into blocks. A bound below the cost of every path through a block (see [`floor`]) against the
//!   cost of a real path discards blocks; those left are halved, until single places are left.
//! - On these, the dynamic programme runs in integers.
//!
//! One pass over the values, then some thousand band costs for each cut. Where nothing can be discarded it is the classic
//! O(k n log n). Memory beside the values: one byte for each of them, and the blocks (some hundred as a rule).

use std::iter::successors;
use std::ops::{Add, Range, Sub};

use rayon::slice::ParallelSliceMut;

/// Values between two stored sums: one lookup adds up half as many.
const STRIDE: usize = 64;

/// Lloyd's steps that a path is given in each round. One is what matters, four cost next to nothing.
const LLOYD: usize = 4;

/// Share of the cost that a discarded cut is worse by, for each band: ten thousand times what rounding could add up to.
const SLACK: f64 = 1e-12;

/// The optimal bands of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaks {
    /// The cut points: the greatest value of each band but the last, ascending; k − 1 of them.
    pub upper: Vec<i64>,
    /// Weight in each band, never 0; k of them.
    pub sizes: Vec<u64>,
    /// Sum of the squared distances to the mean of the own band, in squared units of the values.
    pub within_ss: f64,
    /// Goodness of variance fit, 0 to 1: the part of the squared distances to the overall mean that the bands explain. 1
    /// where all values are equal.
    pub gvf: f64,
}

/// Why values have no breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreaksError {
    /// Not one weight for each value.
    Lengths {
        /// Number of values.
        values: usize,
        /// Number of weights.
        weights: usize,
    },
    /// A value that is not greater than the one before.
    NotAscending {
        /// Its place, from 0.
        index: usize,
    },
    /// A value of weight 0.
    NoWeight {
        /// Its place, from 0.
        index: usize,
    },
    /// The weights add up to more than `u64` holds.
    TooHeavy,
}

impl std::fmt::Display for BreaksError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lengths { values, weights } => {
                write!(f, "{values} values have {weights} weights")
            }
            Self::NotAscending { index } => {
                write!(f, "value {index} is not greater than the one before it")
            }
            Self::NoWeight { index } => write!(f, "value {index} has weight 0"),
            Self::TooHeavy => write!(f, "the weights add up to more than {}", u64::MAX),
        }
    }
}

impl std::error::Error for BreaksError {}

/// The optimal bands for k = 1, 2, … up to `k_max` or the number of values, whichever is less: element k − 1 has k bands.
///
/// Any `i64` and any weights are fine as long as the weights add up to a `u64`. Of equally good cuts each is the smallest;
/// costs closer than k² · 2⁻⁵⁸ (squared units) count as equal. No values give no breaks.
///
/// # Errors
/// [`BreaksError`] unless the values ascend strictly and each has one positive weight.
///
/// # Example
/// ```
/// use breaks::breaks::{breaks, distinct};
///
/// let (values, counts) = distinct(&[-1, 2, -1, 2, 4, 5, 6, -1, 2, -1]);
/// let all = breaks(&values, &counts, 3)?;
/// assert_eq!(all[2].upper, [-1, 2]);
/// assert_eq!(all[2].sizes, [4, 3, 3]);
/// assert_eq!(all[2].within_ss, 2.0);
/// # Ok::<(), breaks::breaks::BreaksError>(())
/// ```
pub fn breaks(values: &[i64], weights: &[u64], k_max: usize) -> Result<Vec<Breaks>, BreaksError> {
    let line = Line::new(values, weights)?;
    let mut found: Vec<Breaks> = Vec::new();
    let mut cuts = vec![line.cut(0), line.cut(values.len())];
    for k in 1..=k_max.min(values.len()) {
        if let Some(fewer) = found.last() {
            cuts = line.one_more(&cuts, fewer.within_ss);
        }
        debug_assert_eq!(cuts.len(), k + 1, "k bands have k + 1 ends");
        found.push(line.describe(&cuts));
    }
    Ok(found)
}

/// The distinct values, ascending, and how often each occurs: what [`breaks`] takes.
pub fn distinct(values: &[i64]) -> (Vec<i64>, Vec<u64>) {
    let mut sorted = values.to_vec();
    sorted.par_sort_unstable();
    let mut counts: Vec<u64> = sorted.first().map(|_| 1).into_iter().collect();
    sorted.dedup_by(|next, kept| {
        match counts.last_mut() {
            Some(count) if next == kept => *count += 1,
            _ => counts.push(1),
        }
        next == kept
    });
    (sorted, counts)
}

/// The band of a value, from 0; `upper` as in [`Breaks`]. Values that were not there when the bands were made have one too.
pub fn band(upper: &[i64], value: i64) -> usize {
    upper.partition_point(|&cut| cut < value)
}

impl Breaks {
    /// The largest band and its share of the weight, where that is more than `share`.
    ///
    /// Equal values stay together, so a value that most have (one order) makes such a band, whatever the number of bands.
    pub fn dominated(&self, share: f64) -> Option<(usize, f64)> {
        let all: u64 = self.sizes.iter().sum();
        let (band, &size) = (self.sizes.iter().enumerate()).max_by_key(|&(_, size)| size)?;
        let largest = size as f64 / all as f64;
        (share < largest).then_some((band, largest))
    }
}

/// The values with sums at every [`STRIDE`]th.
struct Line<'a> {
    values: &'a [i64],
    weights: &'a [u64],
    marks: Vec<Sums>,
}

/// A place between two neighbouring values, with the sums of everything before it.
#[derive(Debug, Clone, Copy)]
struct Cut {
    at: usize,
    before: Sums,
}

impl Cut {
    /// The band from here to another cut: empty where that does not lie behind.
    fn to(&self, end: &Self) -> Sums {
        if self.at < end.at {
            end.before.since(&self.before)
        } else {
            Sums::default()
        }
    }
}

/// Neighbouring places of which a cut may take any.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: Cut,
    last: Cut,
    /// The least and the greatest value between the first and the last place, as distances from the origin.
    least: u64,
    most: u64,
    /// Weight between the first and the last place.
    inside: f64,
    /// What that weight is charged for lying at a cut, see [`floor`].
    charge: f64,
}

impl Block {
    fn places(&self) -> usize {
        self.last.at - self.first.at + 1
    }
}

impl<'a> Line<'a> {
    fn new(values: &'a [i64], weights: &'a [u64]) -> Result<Self, BreaksError> {
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
        if total.is_none() {
            return Err(BreaksError::TooHeavy);
        }
        let mut line = Self {
            values,
            weights,
            marks: vec![Sums::default()],
        };
        for end in (STRIDE..=values.len()).step_by(STRIDE) {
            let mark = line.cut_from(end / STRIDE - 1, end).before;
            line.marks.push(mark);
        }
        Ok(line)
    }

    /// The distance of a value from the least one.
    fn offset(&self, index: usize) -> u64 {
        self.values[index].abs_diff(self.values[0])
    }

    fn cut(&self, at: usize) -> Cut {
        self.cut_from(at / STRIDE, at)
    }

    fn cut_from(&self, mark: usize, at: usize) -> Cut {
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

    /// The best cuts, both ends included, for one band more than `cuts` make at a cost of `within`.
    fn one_more(&self, cuts: &[Cut], within: f64) -> Vec<Cut> {
        let mut layers = self.windows(cuts);
        let mut limit = within;
        let mut by_value = false;
        loop {
            let places: usize = layers.iter().flatten().map(Block::places).sum();
            let pairs: usize = (layers.windows(2))
                .map(|pair| pair[0].len() * pair[1].len())
                .sum();
            // It is at the latest when each block is a single place.
            if places <= pairs + 1 {
                return settle(&self.single(&layers));
            }
            let bounds = Bounds::new(&layers);
            limit = limit.min(self.descend(bounds.path(&layers)));
            layers = self.narrow(&layers, &bounds, limit, by_value);
            by_value = !by_value;
        }
    }

    /// One block for each cut of the next k: its window between two neighbours of `cuts`.
    fn windows(&self, cuts: &[Cut]) -> Vec<Vec<Block>> {
        let (k, n) = (cuts.len(), self.values.len());
        let mut layers = vec![vec![self.block(cuts[0], cuts[0])]];
        for layer in 1..k {
            let first = self.cut(cuts[layer - 1].at.max(layer));
            let last = self.cut(cuts[layer].at.min(n - (k - layer)));
            layers.push(vec![self.block(first, last)]);
        }
        layers.push(vec![self.block(cuts[k - 1], cuts[k - 1])]);
        layers
    }

    fn block(&self, first: Cut, last: Cut) -> Block {
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
    fn single(&self, layers: &[Vec<Block>]) -> Vec<Vec<Cut>> {
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

    /// The cost of a path, or of what a few of Lloyd's steps make of it.
    fn descend(&self, mut path: Vec<Cut>) -> f64 {
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
                    let until = |value: &i64| value.abs_diff(self.values[0]) as f64 <= middle;
                    *cut = self.cut(self.values.partition_point(until));
                }
            }
        }
        least
    }

    /// The halves of the blocks through which a path may cost no more than `limit`.
    fn narrow(
        &self,
        layers: &[Vec<Block>],
        bounds: &Bounds,
        limit: f64,
        by_value: bool,
    ) -> Vec<Vec<Block>> {
        let k = layers.len() as f64;
        let narrow = |(q, layer): (usize, &Vec<Block>)| {
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
                let Some(ends) = self.halve(block, by_value) else {
                    halves.push(*block);
                    continue;
                };
                let rate = bounds.rate(layers, q, index);
                for (first, last) in ends {
                    let mut half = self.block(first, last);
                    // Any charge keeps the bound true. This one keeps sums of the size of the cost, and rounding with them.
                    half.charge = (half.inside * rate).min(limit / k);
                    halves.push(half);
                }
            }
            halves
        };
        layers.iter().enumerate().map(narrow).collect()
    }

    /// The ends of both halves of a block, by weight or by value: one is quick in the bulk, the other in the tail.
    fn halve(&self, block: &Block, by_value: bool) -> Option<[(Cut, Cut); 2]> {
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

    fn describe(&self, cuts: &[Cut]) -> Breaks {
        let bands = || cuts.windows(2).map(|ends| ends[0].to(&ends[1]));
        let inner = &cuts[1..cuts.len() - 1];
        let within = bands().fold(Wide::default(), |sum, band| sum + band.exact_cost());
        let total = cuts[0].to(&cuts[cuts.len() - 1]).exact_cost();
        let gvf = if total == Wide::default() {
            1.0
        } else {
            (total - within).to_f64() / total.to_f64()
        };
        Breaks {
            upper: inner.iter().map(|cut| self.values[cut.at - 1]).collect(),
            sizes: bands().map(|band| band.weight).collect(),
            within_ss: within.to_f64() / Wide::ONE.to_f64(),
            gvf,
        }
    }
}

/// Bounds below the cost of every path through a block, for each block of each layer.
struct Bounds {
    /// For what lies before the block and in it.
    ahead: Vec<Vec<Bound>>,
    /// For what lies behind it.
    behind: Vec<Vec<Bound>>,
}

/// A bound, and the block next to this one that gives it.
#[derive(Debug, Clone, Copy)]
struct Bound {
    cost: f64,
    next: usize,
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
    fn new(layers: &[Vec<Block>]) -> Self {
        let floors: Vec<Vec<f64>> = (layers.windows(2))
            .map(|pair| {
                let row = |right| pair[0].iter().map(move |left| floor(left, right));
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
    fn path(&self, layers: &[Vec<Block>]) -> Vec<Cut> {
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
    fn rate(&self, layers: &[Vec<Block>], q: usize, index: usize) -> f64 {
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
fn floor(left: &Block, right: &Block) -> f64 {
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

/// The dynamic programme on places. Of equally good cuts the smallest: there is a best path whose every cut is.
fn settle(layers: &[Vec<Cut>]) -> Vec<Cut> {
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

/// Weight, weighted sum and weighted sum of squares of some neighbouring values, counted from the least value of all.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    weight: u64,
    sum: u128,
    squares: Wide,
}

impl Sums {
    fn push(&mut self, offset: u64, weight: u64) {
        let offset = u128::from(offset);
        self.weight += weight;
        self.sum += offset * u128::from(weight);
        self.squares = self.squares + Wide::product(offset * offset, weight);
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            weight: self.weight - earlier.weight,
            sum: self.sum - earlier.sum,
            squares: self.squares - earlier.squares,
        }
    }

    /// The mean, from the least value of all.
    fn mean(&self) -> f64 {
        self.sum as f64 / self.weight.max(1) as f64
    }

    /// The sum of squared distances to the mean: a whole number, and what is to be taken from it in parts of the weight.
    fn distances(&self) -> (Wide, u64) {
        let weight = u128::from(self.weight.max(1));
        let mean = low(self.sum / weight);
        let rest = self.sum - u128::from(mean) * weight;
        // Σ wx² − (Σ wx)² / W with Σ wx = mean · W + rest: no term is as large as (Σ wx)².
        let moved = rest * rest / weight;
        let whole = self.squares - Wide::product(self.sum + rest, mean) - Wide::from(moved);
        (whole, low(rest * rest - moved * weight))
    }

    /// The sum of squared distances to the mean. Exact but for the rounding of the result.
    fn cost(&self) -> f64 {
        let (whole, parts) = self.distances();
        whole.to_f64() - parts as f64 / self.weight.max(1) as f64
    }

    /// The same times 2⁶⁴, rounded down.
    fn exact_cost(&self) -> Wide {
        let (whole, parts) = self.distances();
        let fraction = (u128::from(parts) << 64).div_ceil(u128::from(self.weight.max(1)));
        let shifted = Wide {
            high: whole.high << 64 | whole.low >> 64,
            low: whole.low << 64,
        };
        shifted - Wide::from(fraction)
    }
}

/// A whole number of 256 bits. That is enough: costs stay below 2¹⁹⁰, and two of them times 2⁶⁴ below 2²⁵⁵.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    /// 1 as [`Sums::exact_cost`] writes it.
    const ONE: Self = Self {
        high: 0,
        low: 1 << 64,
    };

    fn product(a: u128, b: u64) -> Self {
        let b = u128::from(b);
        let above = (a >> 64) * b;
        let (low, carry) = (u128::from(low(a)) * b).overflowing_add(above << 64);
        Self {
            high: (above >> 64) + u128::from(carry),
            low,
        }
    }

    fn to_f64(self) -> f64 {
        self.high as f64 * 2_f64.powi(128) + self.low as f64
    }
}

impl From<u128> for Wide {
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self
            .high
            .wrapping_add(other.high)
            .wrapping_add(u128::from(carry));
        Self { high, low }
    }
}

impl Sub for Wide {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let high = self
            .high
            .wrapping_sub(other.high)
            .wrapping_sub(u128::from(borrow));
        Self { high, low }
    }
}

/// The low half; of a quotient or remainder by a `u64` it is all there is.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn low(number: u128) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dbg() {
        let values: Vec<i64> = (0..1000).map(|i| i * 10_000_000_000_000).collect();
        let weights = vec![1; 1000];
        let line = Line::new(&values, &weights).unwrap();
        for (a, b) in [(0, 1000), (0, 500), (500, 1000), (500, 999)] {
            let band = line.cut(a).to(&line.cut(b));
            println!(
                "{a} {b} {:e} {:e}",
                band.cost(),
                band.exact_cost().to_f64() / Wide::ONE.to_f64()
            );
        }
        for k in breaks(&values, &weights, 3).unwrap() {
            println!("{k:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
}
