//! A decision tree over thresholds that tells tiers apart (Breiman, Friedman, Olshen and Stone 1984).
//!
//! In: a [`Table`] of customers with their tiers. Out: a [`Tree`], grown past need, and the trees that pruning leaves.
//! Invariant: every customer is in exactly one leaf. Counts are whole numbers, so a tree depends neither on threads nor on the
//! order of customers. It knows nothing of names or files.

mod grow;
mod prune;
mod tidy;

use rayon::prelude::*;

pub(super) use grow::grow;
pub(super) use prune::{Pruned, path};
pub(super) use tidy::tidied;

use crate::config::Feature;

/// Customers of one pass.
const BLOCK: usize = 65_536;

/// Customers, feature by feature.
pub(super) struct Table<'a> {
    pub features: Vec<Feature>,
    /// Raw values; row *i* is customer *i*.
    pub columns: Vec<Vec<f64>>,
    /// Bounds of bins, ascending: what a split can be.
    pub bounds: Vec<Vec<f64>>,
    /// Tier of each customer, below `k`.
    pub tiers: &'a [u32],
    pub k: usize,
}

/// Customers are divided where a value is greater than a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// Index of the feature.
    pub feature: usize,
    /// Upper bound of the left side, inclusive.
    pub bound: f64,
    pub left: usize,
    pub right: usize,
}

/// A place in the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Customers of each tier.
    pub counts: Vec<u64>,
    pub split: Option<Split>,
}

impl Node {
    /// The tier that most customers have; of two the better one.
    pub(super) fn tier(&self) -> u32 {
        let most = self.counts.iter().copied().max().unwrap_or(0);
        let tier = self.counts.iter().position(|&n| n == most);
        u32::try_from(tier.unwrap_or(0)).unwrap_or(0)
    }

    /// Customers of that tier.
    pub(super) fn right(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }
}

/// Nodes; the first one is the root.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    /// The leaf of a customer.
    pub(super) fn leaf(&self, table: &Table<'_>, row: usize) -> usize {
        self.leaf_from(table, row, 0)
    }

    /// The same from a node on.
    pub(super) fn leaf_from(&self, table: &Table<'_>, row: usize, from: usize) -> usize {
        let mut node = from;
        while let Some(split) = self.nodes[node].split {
            node = if table.columns[split.feature][row] <= split.bound {
                split.left
            } else {
                split.right
            };
        }
        node
    }

    /// Leaves that can be reached.
    pub(super) fn leaves(&self) -> Vec<usize> {
        let mut leaves = Vec::new();
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            match self.nodes[node].split {
                Some(split) => open.extend([split.right, split.left]),
                None => leaves.push(node),
            }
        }
        leaves
    }

    /// The same tree with other leaves: below these nodes there is nothing.
    pub(super) fn cut(&self, at: &[usize]) -> Self {
        let mut tree = self.clone();
        for &node in at {
            tree.nodes[node].split = None;
        }
        tree
    }

    /// Counts all customers anew.
    pub(super) fn recounted(mut self, table: &Table<'_>) -> Self {
        let k = table.k;
        let blocks: Vec<Vec<u64>> = table
            .tiers
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(block, tiers)| {
                let mut counts = vec![0_u64; self.nodes.len() * k];
                for (row, &tier) in tiers.iter().enumerate() {
                    let leaf = self.leaf(table, block * BLOCK + row);
                    counts[leaf * k + tier as usize] += 1;
                }
                counts
            })
            .collect();
        for node in &mut self.nodes {
            node.counts = vec![0; k];
        }
        for counts in blocks {
            for (node, counts) in self.nodes.iter_mut().zip(counts.chunks(k)) {
                for (sum, n) in node.counts.iter_mut().zip(counts) {
                    *sum += n;
                }
            }
        }
        // Children stand behind their parents.
        for node in (0..self.nodes.len()).rev() {
            if let Some(split) = self.nodes[node].split {
                for child in [split.left, split.right] {
                    let counts = self.nodes[child].counts.clone();
                    for (sum, n) in self.nodes[node].counts.iter_mut().zip(counts) {
                        *sum += n;
                    }
                }
            }
        }
        self
    }

    /// Customers whose leaf is their tier's.
    pub(super) fn right(&self) -> u64 {
        self.leaves()
            .into_iter()
            .map(|leaf| self.nodes[leaf].right())
            .sum()
    }
}
