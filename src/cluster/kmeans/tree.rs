//! The cells of a sketch as a tree of balls.
//!
//! In: a sketch, and its rows where they are wanted. Out: nodes, each with its rows' count, exact sum, mean, and a radius
//! around the mean that no row lies beyond.
//! Invariant: a node holds exactly the rows of its two children; a leaf is a cell.
//!
//! Keys of cells are bits, most significant first, one per feature in turn: where the keys of a run first differ it
//! falls into two halves along one feature (a radix tree, Karras 2012). So the tree needs no search for a split.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::features::sketch::{Grid, RowOrder, Sketch, Sketched};

/// A run of cells.
#[derive(Debug, Clone, Copy)]
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
pub(super) struct Tree {
    pub(super) n_features: usize,
    pub(super) nodes: Vec<Node>,
    /// Nodes × features, scaled.
    pub(super) means: Vec<f64>,
    /// Nodes × features, exact, in units of the grid.
    pub(super) sums: Vec<i128>,
    /// Rows × features in the order of the cells, scaled; none in a tree of cells alone.
    pub(super) points: Vec<f64>,
    /// Weight of each of these rows; none where each counts once.
    pub(super) weights: Option<Vec<u64>>,
    /// Node of each cell, in a tree of cells.
    leaves: Vec<u32>,
    grid: Grid,
    /// Size of a unit of the sums, by feature.
    pub(super) units: Vec<f64>,
    /// What distances may be wrong by, from rounding.
    pub(super) rounding: f64,
}

/// Least and greatest coordinates of a node's rows.
type Bounds = (Vec<f64>, Vec<f64>);

impl Tree {
    /// A tree in which a cell is a point at its mean.
    pub(super) fn of_cells(sketch: &Sketch) -> Self {
        let n = u32::try_from(sketch.len()).unwrap_or(u32::MAX);
        let order = RowOrder {
            rows: Vec::new(),
            starts: (0..=n).collect(),
        };
        Self::build(sketch, &order, (Vec::new(), None))
    }

    /// A tree whose leaves can be opened into rows.
    pub(super) fn of_rows(
        sketched: &Sketched,
        matrix: ArrayView2<'_, f64>,
        weights: Option<&[u64]>,
    ) -> Self {
        let d = matrix.ncols();
        let rows = &sketched.order.rows;
        let mut points = vec![0.0; rows.len() * d];
        points
            .par_chunks_mut(d.max(1))
            .zip(rows)
            .for_each(|(point, &row)| {
                for (value, coordinate) in point.iter_mut().zip(matrix.row(row as usize)) {
                    *value = *coordinate;
                }
            });
        let weights =
            weights.map(|weights| rows.iter().map(|&row| weights[row as usize]).collect());
        Self::build(&sketched.sketch, &sketched.order, (points, weights))
    }

    fn build(sketch: &Sketch, order: &RowOrder, rows: (Vec<f64>, Option<Vec<u64>>)) -> Self {
        let d = sketch.n_features();
        let (points, weights) = rows;
        let units: Vec<f64> = (0..d).map(|feature| sketch.grid().unit(feature)).collect();
        let n = 2 * sketch.len();
        let mut tree = Self {
            n_features: d,
            nodes: Vec::with_capacity(n),
            means: Vec::with_capacity(n * d),
            sums: Vec::with_capacity(n * d),
            points,
            weights,
            leaves: Vec::new(),
            grid: sketch.grid().clone(),
            units,
            rounding: 0.0,
        };
        let bounds = tree.bounds_of_cells(sketch, order);
        if !sketch.is_empty() {
            let growth = Growth {
                sketch,
                order,
                keys: sketch.keys(),
                bounds,
            };
            let (least, greatest) = growth.grow(&mut tree, 0, sketch.len());
            let largest = least
                .iter()
                .chain(&greatest)
                .fold(0.0_f64, |a, b| a.max(b.abs()));
            // Some hundred times the rounding error of a difference of two coordinates.
            tree.rounding = largest * 256.0 * f64::EPSILON;
        }
        tree
    }

    /// Cells × features twice: least and greatest coordinates of the rows of each cell.
    fn bounds_of_cells(&self, sketch: &Sketch, order: &RowOrder) -> Vec<(Vec<f64>, Vec<f64>)> {
        let d = self.n_features;
        let means = sketch.means();
        (0..sketch.len())
            .into_par_iter()
            .with_min_len(1_024)
            .map(|cell| {
                if self.points.is_empty() {
                    let mean = means[cell * d..(cell + 1) * d].to_vec();
                    return (mean.clone(), mean);
                }
                let mut bounds = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
                for place in order.cell(cell) {
                    for (feature, &value) in
                        self.points[place * d..(place + 1) * d].iter().enumerate()
                    {
                        bounds.0[feature] = bounds.0[feature].min(value);
                        bounds.1[feature] = bounds.1[feature].max(value);
                    }
                }
                bounds
            })
            .collect()
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

    /// How often a row (or cell) counts.
    pub(super) fn weight(&self, place: usize) -> i64 {
        let weight = match (self.leaves.get(place), &self.weights) {
            (Some(&leaf), _) => self.nodes[leaf as usize].count,
            (None, Some(weights)) => weights[place],
            (None, None) => 1,
        };
        weight.cast_signed()
    }

    /// What a row (or cell) adds to the sum of a feature, in units.
    pub(super) fn sum(&self, place: usize, feature: usize) -> i128 {
        match self.leaves.get(place) {
            Some(&leaf) => self.sums[leaf as usize * self.n_features + feature],
            None => {
                let value = self.points[place * self.n_features + feature];
                i128::from(self.grid.fixed(feature, value)) * i128::from(self.weight(place))
            }
        }
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

/// What a tree grows from.
struct Growth<'a> {
    sketch: &'a Sketch,
    order: &'a RowOrder,
    keys: Vec<u128>,
    bounds: Vec<Bounds>,
}

impl Growth<'_> {
    /// Appends the node of a run of cells and all below it.
    fn grow(&self, tree: &mut Tree, from: usize, to: usize) -> Bounds {
        let d = tree.n_features;
        let place = tree.nodes.len();
        tree.nodes.push(Node {
            count: 0,
            radius: 0.0,
            right: 0,
            start: self.order.starts[from],
            end: self.order.starts[to],
        });
        tree.means.resize((place + 1) * d, 0.0);
        tree.sums.resize((place + 1) * d, 0);
        let bounds = if from + 1 == to {
            tree.nodes[place].count = self.sketch.counts()[from];
            if tree.points.is_empty() {
                tree.leaves.push(u32::try_from(place).unwrap_or(u32::MAX));
            }
            tree.sums[place * d..].copy_from_slice(self.sketch.sums(from));
            self.bounds[from].clone()
        } else {
            let middle = self.middle(from, to);
            let left = self.grow(tree, from, middle);
            let right = tree.nodes.len();
            tree.nodes[place].right = u32::try_from(right).unwrap_or(u32::MAX);
            let other = self.grow(tree, middle, to);
            tree.nodes[place].count = tree.nodes[place + 1].count + tree.nodes[right].count;
            for feature in 0..d {
                tree.sums[place * d + feature] =
                    tree.sums[(place + 1) * d + feature] + tree.sums[right * d + feature];
            }
            union(left, &other)
        };
        let mut squared = 0.0;
        for feature in 0..d {
            let sum = tree.sums[place * d + feature] as f64;
            let mean = sum / tree.nodes[place].count as f64 * tree.units[feature];
            tree.means[place * d + feature] = mean;
            let reach = (mean - bounds.0[feature]).max(bounds.1[feature] - mean);
            squared += reach * reach;
        }
        tree.nodes[place].radius = squared.sqrt();
        bounds
    }

    /// Where a run of cells falls into two: at the first bit in which its keys differ.
    fn middle(&self, from: usize, to: usize) -> usize {
        let common = (self.keys[from] ^ self.keys[to - 1]).leading_zeros();
        let bit = 1_u128 << (127 - common.min(127));
        from + self.keys[from..to].partition_point(|key| key & bit == 0)
    }
}

fn union(mut a: Bounds, b: &Bounds) -> Bounds {
    for (feature, least) in a.0.iter_mut().enumerate() {
        *least = least.min(b.0[feature]);
        a.1[feature] = a.1[feature].max(b.1[feature]);
    }
    a
}
