//! Bounds of a tree in round numbers, and where they put more customers right.
//!
//! In: a pruned [`Tree`]. Out: the same tree with other bounds.
//! Invariant: customers put right do not become fewer than `floor`, and fewer than before only by a few of ten thousand for
//! each bound.

use rayon::prelude::*;

use super::super::round::steps;
use super::{BLOCK, Split, Table, Tree};

/// How far a bound may move, relative to itself.
const REACH: f64 = 0.25;
/// Share of the customers that one rounding may cost.
const SPENT: f64 = 0.000_2;

/// Moves every bound to where it puts most customers right, then to the roundest number that does as well.
pub(in crate::calibrate) fn tidied(tree: &Tree, table: &Table<'_>, floor: u64) -> Tree {
    let mut tree = tree.clone().recounted(table);
    for _ in 0..2 {
        for node in inner(&tree) {
            let profile = Profile::of(&tree, table, node);
            move_to(&mut tree, node, profile.best());
        }
        tree = tree.recounted(table);
    }
    let spent = (table.tiers.len() as f64 * SPENT).floor();
    for node in inner(&tree) {
        let Some(split) = tree.nodes[node].split else {
            continue;
        };
        let spare = tree.right().saturating_sub(floor) as f64;
        let allowed = spent.min(spare);
        let profile = Profile::of(&tree, table, node);
        let now = profile.right(split.bound);
        let keeps = |bound: &f64| {
            (now - profile.right(*bound)) as f64 <= allowed && profile.reaches(*bound)
        };
        let feature = table.features[split.feature];
        let round = steps(feature, split.bound).find_map(|near| {
            let fits = near.into_iter().filter(|bound| keeps(bound));
            fits.max_by_key(|&bound| profile.right(bound))
        });
        if let Some(bound) = round {
            let before = tree.clone();
            move_to(&mut tree, node, bound);
            tree = tree.recounted(table);
            if tree.right() < floor.min(before.right()) {
                tree = before;
            }
        }
    }
    tree
}

/// Nodes with a split that can be reached, the root first.
fn inner(tree: &Tree) -> Vec<usize> {
    let mut nodes = Vec::new();
    let mut open = vec![0];
    while let Some(node) = open.pop() {
        if let Some(split) = tree.nodes[node].split {
            nodes.push(node);
            open.extend([split.right, split.left]);
        }
    }
    nodes
}

fn move_to(tree: &mut Tree, node: usize, bound: f64) {
    if let Some(split) = &mut tree.nodes[node].split {
        split.bound = bound;
    }
}

/// How many customers of a node are put right, by where its bound lies.
struct Profile {
    /// Values near the bound, ascending, and the sum of what all up to each gain by going left.
    gains: Vec<(f64, i64)>,
    /// The sum of those before them.
    before: i64,
    split: Split,
}

impl Profile {
    fn of(tree: &Tree, table: &Table<'_>, node: usize) -> Self {
        let empty = Split {
            feature: 0,
            bound: 0.0,
            left: node,
            right: node,
        };
        let split = tree.nodes[node].split.unwrap_or(empty);
        let (low, high) = reach(split.bound);
        let tiers: Vec<u32> = tree.nodes.iter().map(super::Node::tier).collect();
        let way = way(tree, node);
        let column = &table.columns[split.feature];
        let blocks: Vec<(i64, Vec<(f64, i64)>)> = table
            .tiers
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(block, own)| {
                let (mut before, mut near) = (0, Vec::new());
                for (row, &tier) in own.iter().enumerate() {
                    let row = block * BLOCK + row;
                    let inside = way.iter().all(|&(feature, bound, left)| {
                        (table.columns[feature][row] <= bound) == left
                    });
                    if !inside || high < column[row] {
                        continue;
                    }
                    let right = |from| i64::from(tiers[tree.leaf_from(table, row, from)] == tier);
                    let gain = right(split.left) - right(split.right);
                    if column[row] < low {
                        before += gain;
                    } else {
                        near.push((column[row], gain));
                    }
                }
                (before, near)
            })
            .collect();
        let before = blocks.iter().map(|(before, _)| before).sum();
        let mut all: Vec<(f64, i64)> = blocks.into_iter().flat_map(|(_, near)| near).collect();
        all.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut gains: Vec<(f64, i64)> = Vec::new();
        let mut sum = before;
        for (value, gain) in all {
            sum += gain;
            match gains.last_mut() {
                Some(last) if last.0.total_cmp(&value).is_eq() => last.1 = sum,
                _ => gains.push((value, sum)),
            }
        }
        Self {
            gains,
            before,
            split,
        }
    }

    /// Customers put right with this bound, but for a constant.
    fn right(&self, bound: f64) -> i64 {
        let at = self.gains.partition_point(|&(value, _)| value <= bound);
        at.checked_sub(1)
            .map_or(self.before, |last| self.gains[last].1)
    }

    fn reaches(&self, bound: f64) -> bool {
        let (low, high) = reach(self.split.bound);
        // Below the first value nearby nobody is known to lie.
        low <= bound && bound <= high
    }

    /// The best bound; the one in force unless another is better.
    fn best(&self) -> f64 {
        let mut best = (self.right(self.split.bound), self.split.bound);
        for &(value, sum) in &self.gains {
            if best.0 < sum {
                best = (sum, value);
            }
        }
        best.1
    }
}

/// How far a bound may go.
fn reach(bound: f64) -> (f64, f64) {
    let far = (bound.abs() * REACH).max(1.0);
    (bound - far, bound + far)
}

/// The splits above a node: feature, bound, and whether its customers lie left of it.
fn way(tree: &Tree, wanted: usize) -> Vec<(usize, f64, bool)> {
    fn below(tree: &Tree, node: usize, wanted: usize, way: &mut Vec<(usize, f64, bool)>) -> bool {
        if node == wanted {
            return true;
        }
        let Some(split) = tree.nodes[node].split else {
            return false;
        };
        for (child, left) in [(split.left, true), (split.right, false)] {
            way.push((split.feature, split.bound, left));
            if below(tree, child, wanted, way) {
                return true;
            }
            way.pop();
        }
        false
    }
    let mut found = Vec::new();
    below(tree, 0, wanted, &mut found);
    found
}
