//! The cells of a sketch as a tree of balls.
//!
//! In: a sketch, and its rows where they are wanted. Out: nodes, each with its rows' count, exact sum, mean, and a radius
//! around the mean that no row lies beyond.
//! Invariant: a node holds exactly the rows of its two children; a leaf is a cell.
//!
//! Keys of cells are bits, most significant first, one per feature in turn: where the keys of a run first differ it
//! falls into two halves along one feature (a radix tree, Karras 2012). So the tree needs no search for a split.

use std::ops::Range;

use rayon::prelude::*;

use crate::features::sketch::{Grid, Sketch, Sketched};

/// A run of cells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// Rows, weighted.
    pub(super) count: u64,
    /// No row lies farther from the mean.
    pub(super) radius: f64,
    /// Second child, 0 for a leaf; the first child is the next node.
    pub(super) right: u32,
    /// First of its places in the order of rows (of cells, in a tree without rows).
    pub(super) start: u32,
    /// One after the last.
    pub(super) end: u32,
}

/// The tree, in preorder.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) n_features: usize,
    pub(super) nodes: Vec<Node>,
    /// Nodes × features, scaled.
    pub(super) means: Vec<f64>,
    /// Nodes × features, exact, in units of the grid.
    pub(super) sums: Vec<i128>,
    /// Rows × features in the order of the cells, scaled; none in a tree of cells alone.
    pub(super) points: &'a [f64],
    /// Weight of each of these rows; none where each counts once.
    pub(super) weights: Option<&'a [u64]>,
    /// Node of each cell, in a tree of cells.
    leaves: Vec<u32>,
    grid: &'a Grid,
    /// Size of a unit of the sums, by feature.
    pub(super) units: Vec<f64>,
    /// What distances may be wrong by, from rounding.
    pub(super) rounding: f64,
}

impl<'a> Tree<'a> {
    /// A tree in which a cell is a point at its mean.
    pub(super) fn of_cells(sketch: &Sketch, grid: &'a Grid) -> Self {
        let n = u32::try_from(sketch.len()).unwrap_or(u32::MAX);
        let starts: Vec<u32> = (0..=n).collect();
        let mean = |cell: usize, ends: &mut [f64]| {
            let d = ends.len() / 2;
            for (feature, &sum) in sketch.sums(cell).iter().enumerate() {
                let mean = sum as f64 / sketch.counts()[cell] as f64 * sketch.grid().unit(feature);
                (ends[feature], ends[d + feature]) = (mean, mean);
            }
        };
        Self::empty(grid).grown(sketch, &starts, mean)
    }

    /// A tree whose leaves can be opened into rows.
    pub(super) fn of_rows(sketched: &'a Sketched) -> Self {
        let mut tree = Self::empty(sketched.sketch.grid());
        tree.points = &sketched.points;
        tree.weights = sketched.weights.as_deref();
        let ends = |cell: usize, ends: &mut [f64]| {
            let d = ends.len() / 2;
            let (least, greatest) = ends.split_at_mut(d);
            least.fill(f64::INFINITY);
            greatest.fill(f64::NEG_INFINITY);
            for place in sketched.order.cell(cell) {
                for (feature, &value) in sketched.points[place * d..(place + 1) * d]
                    .iter()
                    .enumerate()
                {
                    least[feature] = least[feature].min(value);
                    greatest[feature] = greatest[feature].max(value);
                }
            }
        };
        tree.grown(&sketched.sketch, &sketched.order.starts, ends)
    }

    fn empty(grid: &'a Grid) -> Self {
        let d = grid.n_features();
        Self {
            n_features: d,
            nodes: Vec::new(),
            means: Vec::new(),
            sums: Vec::new(),
            points: &[],
            weights: None,
            leaves: Vec::new(),
            grid,
            units: (0..d).map(|feature| grid.unit(feature)).collect(),
            rounding: 0.0,
        }
    }

    /// Grows all nodes; `ends_of` writes least and greatest coordinates of the rows of a cell.
    fn grown(
        mut self,
        sketch: &Sketch,
        starts: &[u32],
        ends_of: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Self {
        let d = self.n_features;
        let mut of_cells = vec![0.0; sketch.len() * 2 * d];
        of_cells
            .par_chunks_mut((2 * d).max(1))
            .enumerate()
            .with_min_len(1_024)
            .for_each(|(cell, ends)| ends_of(cell, ends));
        if !sketch.is_empty() {
            let n = size(sketch.len());
            self.nodes = vec![Node::default(); n];
            self.means = vec![0.0; n * d];
            self.sums = vec![0; n * d];
            if self.points.is_empty() {
                self.leaves = vec![0; sketch.len()];
            }
            let growth = Growth {
                sketch,
                starts,
                keys: sketch.keys(),
                of_cells,
                units: &self.units,
            };
            let mut ends = vec![0.0; n * 2 * d];
            let branch = Branch {
                first: 0,
                nodes: &mut self.nodes,
                means: &mut self.means,
                sums: &mut self.sums,
                ends: &mut ends,
                leaves: &mut self.leaves,
            };
            growth.grow(branch, 0..sketch.len());
            // Those of the root are the farthest.
            let farthest = ends[..2 * d].iter().map(|end| end.abs());
            // Some hundred times the rounding error of a difference of two coordinates.
            self.rounding = farthest.fold(0.0, f64::max) * 256.0 * f64::EPSILON;
        }
        self
    }

    /// Mean of a node.
    pub(super) fn mean(&self, node: usize) -> &[f64] {
        &self.means[node * self.n_features..(node + 1) * self.n_features]
    }

    /// Rows, or cells in a tree of cells.
    pub(super) fn len(&self) -> usize {
        self.nodes.first().map_or(0, |root| root.end as usize)
    }

    /// A row (or cell), by its place.
    pub(super) fn point(&self, place: usize) -> &[f64] {
        match self.leaves.get(place) {
            Some(&leaf) => self.mean(leaf as usize),
            None => &self.points[place * self.n_features..(place + 1) * self.n_features],
        }
    }

    /// Node of each cell, in a tree of cells.
    pub(super) fn leaves(&self) -> &[u32] {
        &self.leaves
    }

    /// A row that counts once, in a tree of rows that all do.
    pub(super) fn plain_row(&self, place: usize) -> Option<&[f64]> {
        let plain = self.leaves.is_empty() && self.weights.is_none();
        plain.then(|| &self.points[place * self.n_features..(place + 1) * self.n_features])
    }

    /// A coordinate in units.
    pub(super) fn fixed(&self, feature: usize, value: f64) -> i64 {
        self.grid.fixed(feature, value)
    }

    /// How often a row (or cell) counts.
    pub(super) fn weight(&self, place: usize) -> i64 {
        let weight = match (self.leaves.get(place), self.weights) {
            (Some(&leaf), _) => self.nodes[leaf as usize].count,
            (None, Some(weights)) => weights[place],
            (None, None) => 1,
        };
        weight.cast_signed()
    }

    /// What a row (or cell) adds to the sum of a feature, in units.
    pub(super) fn sum(&self, place: usize, feature: usize) -> i128 {
        if let Some(&leaf) = self.leaves.get(place) {
            return self.sums[leaf as usize * self.n_features + feature];
        }
        let value = self.points[place * self.n_features + feature];
        i128::from(self.grid.fixed(feature, value)) * i128::from(self.weight(place))
    }

    /// At least so many nodes that together hold all rows once, where there are so many.
    pub(super) fn parts(&self, wanted: usize) -> Vec<u32> {
        let mut parts: Vec<u32> = (0..u32::from(!self.nodes.is_empty())).collect();
        while parts.len() < wanted {
            let finer: Vec<u32> = parts
                .iter()
                .flat_map(|&id| match self.nodes[id as usize].right {
                    0 => vec![id],
                    right => vec![id + 1, right],
                })
                .collect();
            if finer.len() == parts.len() {
                break;
            }
            parts = finer;
        }
        parts
    }
}

/// Nodes over so many cells.
fn size(cells: usize) -> usize {
    2 * cells - 1
}

/// Cells over which nodes grow side by side.
const SIDE_BY_SIDE: usize = 4_096;

/// What a tree grows from.
struct Growth<'a> {
    sketch: &'a Sketch,
    starts: &'a [u32],
    keys: Vec<u128>,
    /// Cells × 2 × features: least and greatest coordinates.
    of_cells: Vec<f64>,
    units: &'a [f64],
}

/// The place of a run of cells in a tree: so many cells have so many nodes, one after the other.
struct Branch<'a> {
    /// Number of its first node.
    first: usize,
    nodes: &'a mut [Node],
    means: &'a mut [f64],
    sums: &'a mut [i128],
    /// Nodes × 2 × features: least and greatest coordinates.
    ends: &'a mut [f64],
    /// Node of each cell, where the tree keeps them.
    leaves: &'a mut [u32],
}

impl Branch<'_> {
    /// The places of the two children, of which the left one has so many cells.
    fn children(&mut self, left: usize) -> [Branch<'_>; 2] {
        let nodes = size(left);
        let d = self.means.len() / self.nodes.len();
        let (nodes_left, nodes_right) = self.nodes[1..].split_at_mut(nodes);
        let (means_left, means_right) = self.means[d..].split_at_mut(nodes * d);
        let (sums_left, sums_right) = self.sums[d..].split_at_mut(nodes * d);
        let (ends_left, ends_right) = self.ends[2 * d..].split_at_mut(nodes * 2 * d);
        let leaves = left.min(self.leaves.len());
        let (leaves_left, leaves_right) = self.leaves.split_at_mut(leaves);
        let left = Branch {
            first: self.first + 1,
            nodes: nodes_left,
            means: means_left,
            sums: sums_left,
            ends: ends_left,
            leaves: leaves_left,
        };
        let right = Branch {
            first: left.first + nodes,
            nodes: nodes_right,
            means: means_right,
            sums: sums_right,
            ends: ends_right,
            leaves: leaves_right,
        };
        [left, right]
    }
}

impl Growth<'_> {
    /// Fills in the node of a run of cells and all below it.
    fn grow(&self, mut branch: Branch<'_>, cells: Range<usize>) {
        let d = self.units.len();
        let mut node = Node {
            start: self.starts[cells.start],
            end: self.starts[cells.end],
            ..Node::default()
        };
        if cells.len() == 1 {
            node.count = self.sketch.counts()[cells.start];
            branch.sums.copy_from_slice(self.sketch.sums(cells.start));
            let ends = &self.of_cells[cells.start * 2 * d..cells.end * 2 * d];
            branch.ends.copy_from_slice(ends);
            if let Some(leaf) = branch.leaves.first_mut() {
                *leaf = u32::try_from(branch.first).unwrap_or(u32::MAX);
            }
        } else {
            let middle = self.middle(&cells);
            let (left_at, right_at) = (1, 1 + size(middle - cells.start));
            node.right = u32::try_from(branch.first + right_at).unwrap_or(u32::MAX);
            let [left, right] = branch.children(middle - cells.start);
            let (one, other) = (cells.start..middle, middle..cells.end);
            if SIDE_BY_SIDE <= cells.len() {
                rayon::join(|| self.grow(left, one), || self.grow(right, other));
            } else {
                self.grow(left, one);
                self.grow(right, other);
            }
            let (left, right) = (left_at, right_at);
            node.count = branch.nodes[left].count + branch.nodes[right].count;
            for feature in 0..d {
                branch.sums[feature] =
                    branch.sums[left * d + feature] + branch.sums[right * d + feature];
                let least = |of: usize| of * 2 * d + feature;
                let greatest = |of: usize| least(of) + d;
                let ends = &mut branch.ends;
                ends[least(0)] = ends[least(left)].min(ends[least(right)]);
                ends[greatest(0)] = ends[greatest(left)].max(ends[greatest(right)]);
            }
        }
        let mut squared = 0.0;
        for feature in 0..d {
            let sum = branch.sums[feature] as f64;
            let mean = sum / node.count as f64 * self.units[feature];
            branch.means[feature] = mean;
            let reach = (mean - branch.ends[feature]).max(branch.ends[d + feature] - mean);
            squared += reach * reach;
        }
        node.radius = squared.sqrt();
        branch.nodes[0] = node;
    }

    /// Where a run of cells falls into two: at the first bit in which its keys differ.
    fn middle(&self, cells: &Range<usize>) -> usize {
        let common = (self.keys[cells.start] ^ self.keys[cells.end - 1]).leading_zeros();
        let bit = 1_u128 << (127 - common.min(127));
        cells.start + self.keys[cells.clone()].partition_point(|key| key & bit == 0)
    }
}
