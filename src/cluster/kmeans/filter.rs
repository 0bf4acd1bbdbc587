//! Which rows belong to which centroid, ball by ball.
//!
//! In: a [`Tree`] and centroids. Out: for each ball that lies on one side of all borders, and for each row that no such
//! ball holds, its centroid and its slack.
//! Invariant: every row is given to the centroid that `nearest` gives it (with whole cells, every cell to that of its mean), although
//! most rows are never looked at alone (the filtering of Kanungo et al. 2002).

use std::ops::Range;

use super::points::squared;
use super::tree::Tree;

/// Centroids that the rows of a cell are held against at most, in the usual case.
const AT_HAND: usize = 8;

/// The centroids of one moment.
#[derive(Debug, Clone)]
pub(super) struct Centroids {
    pub(super) d: usize,
    /// k × features.
    pub(super) places: Vec<f64>,
}

impl Centroids {
    pub(super) fn place(&self, index: usize) -> &[f64] {
        &self.places[index * self.d..(index + 1) * self.d]
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() / self.d.max(1)
    }

    /// How much nearer a border can have come to any point: no border moves by more than its two centroids do together.
    pub(super) fn movement(&self, next: &[f64]) -> f64 {
        let (mut first, mut second) = (0.0_f64, 0.0_f64);
        for (before, after) in self
            .places
            .chunks_exact(self.d)
            .zip(next.chunks_exact(self.d))
        {
            let moved = squared(before, after).sqrt();
            second = second.max(moved.min(first));
            first = first.max(moved);
        }
        (first + second) * (1.0 + 1e-9)
    }
}

/// The centroid of a ball or a row, and how far borders may move before that can change; below 0 at a border.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) owner: u32,
    pub(super) slack: f64,
}

/// What is done with what was found.
pub(super) trait Sink {
    /// A node of the tree as a whole.
    fn ball(&mut self, node: u32, found: Found);
    /// One row, by its place.
    fn row(&mut self, place: u32, found: Found);
}

/// Finds the centroids of balls and rows.
pub(super) struct Filter<'a, S> {
    tree: &'a Tree<'a>,
    centroids: &'a Centroids,
    pub(super) sink: S,
    /// Whether a cell goes as a whole where its mean does: always in a tree of cells.
    whole_cells: bool,
    /// Stacked: the centroids that may be nearest for the node at hand, below them those of its parents.
    candidates: Vec<u32>,
    /// Squared distances of the candidates to the node at hand.
    distances: Vec<f64>,
}

impl<'a, S: Sink> Filter<'a, S> {
    pub(super) fn new(
        tree: &'a Tree<'a>,
        centroids: &'a Centroids,
        (sink, whole_cells): (S, bool),
    ) -> Self {
        let all = 0..u32::try_from(centroids.len()).unwrap_or(u32::MAX);
        Self {
            tree,
            centroids,
            sink,
            whole_cells: whole_cells || tree.points.is_empty(),
            candidates: all.collect(),
            distances: Vec::new(),
        }
    }

    /// Places the rows of a node, as a whole or in parts.
    pub(super) fn node(&mut self, id: u32) {
        self.node_among(id, 0, f64::INFINITY);
    }

    /// Places one row.
    pub(super) fn row(&mut self, place: u32) {
        self.row_among(place, 0, f64::INFINITY);
    }

    /// The candidates are those from `from` on; no other centroid can own anything here before borders have moved by `limit`.
    fn node_among(&mut self, id: u32, from: usize, limit: f64) {
        let node = self.tree.nodes[id as usize];
        let (owner, first, second) = self.nearest(self.tree.mean(id as usize), from);
        let point = node.right == 0 && self.whole_cells;
        let radius = if point { 0.0 } else { node.radius };
        let slack = second - first - 2.0 * radius - self.tree.rounding;
        if 0.0 < slack || point {
            let slack = slack.min(limit);
            self.sink.ball(id, Found { owner, slack });
            return;
        }
        // Who is farther than the nearest by more than the ball is wide owns nothing in it.
        let reach = first + 2.0 * node.radius + self.tree.rounding;
        let end = self.candidates.len();
        let mut left_out = f64::INFINITY;
        for i in 0..self.distances.len() {
            if self.distances[i] <= reach * reach {
                self.candidates.push(self.candidates[from + i]);
            } else {
                left_out = left_out.min(self.distances[i]);
            }
        }
        // It may be second nearest to a part of the ball all the same.
        let limit = limit.min(left_out.sqrt() - reach);
        if node.right == 0 {
            self.rows_among(node.start..node.end, end, limit);
        } else {
            self.node_among(id + 1, end, limit);
            self.node_among(node.right, end, limit);
        }
        self.candidates.truncate(end);
    }

    /// [`Self::row_among`] for each of some rows.
    fn rows_among(&mut self, rows: Range<u32>, from: usize, limit: f64) {
        let ([], (points, [])) = (self.tree.leaves(), self.tree.points.as_chunks::<3>()) else {
            return rows.for_each(|place| self.row_among(place, from, limit));
        };
        // The usual three features, with what they are held against at hand.
        let (mut places, mut n) = ([(0, [0.0; 3]); AT_HAND], 0);
        for &candidate in &self.candidates[from..] {
            let (Some(place), Ok(coordinates)) = (
                places.get_mut(n),
                self.centroids.place(candidate as usize).try_into(),
            ) else {
                return rows.for_each(|place| self.row_among(place, from, limit));
            };
            *place = (candidate, coordinates);
            n += 1;
        }
        for place in rows {
            let point = &points[place as usize];
            let near = places[..n].iter();
            let found = two_nearest(near.map(|(id, at)| (*id, squared(at, point))));
            self.sink.row(place, self.found(found, limit));
        }
    }

    fn row_among(&mut self, place: u32, from: usize, limit: f64) {
        let point = self.tree.point(place as usize);
        let near = self.candidates[from..].iter();
        let squared = |id: u32| squared(self.centroids.place(id as usize), point);
        let found = two_nearest(near.map(|&id| (id, squared(id))));
        let found = self.found(found, limit);
        self.sink.row(place, found);
    }

    fn found(&self, (owner, first, second): (u32, f64, f64), limit: f64) -> Found {
        let slack = (second.sqrt() - first.sqrt() - self.tree.rounding).min(limit);
        Found { owner, slack }
    }

    /// The nearest candidate, its distance and that of the second; leaves all squared distances behind.
    fn nearest(&mut self, point: &[f64], from: usize) -> (u32, f64, f64) {
        self.distances.clear();
        let distances = &mut self.distances;
        let near = self.candidates[from..].iter().map(|&id| {
            let squared = squared(self.centroids.place(id as usize), point);
            distances.push(squared);
            (id, squared)
        });
        let (nearest, first, second) = two_nearest(near);
        (nearest, first.sqrt(), second.sqrt())
    }
}

/// The first of the least of some numbers, that number, and the least of the others: at a border every second guess of a branch
/// would be wrong.
fn two_nearest(near: impl Iterator<Item = (u32, f64)>) -> (u32, f64, f64) {
    let (mut nearest, mut first, mut second) = (0, f64::INFINITY, f64::INFINITY);
    for (id, squared) in near {
        let nearer = squared < first;
        let rest = if squared < second { squared } else { second };
        second = if nearer { first } else { rest };
        nearest = if nearer { id } else { nearest };
        first = if nearer { squared } else { first };
    }
    (nearest, first, second)
}

/// What clusters hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) counts: Vec<i64>,
    /// k × features, in units.
    pub(super) sums: Vec<i128>,
}

impl Totals {
    pub(super) fn nothing(k: usize, d: usize) -> Self {
        Self {
            counts: vec![0; k],
            sums: vec![0; k * d],
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += more;
        }
    }

    /// Gives a cluster the rows of a node, or takes them away.
    pub(super) fn ball(&mut self, tree: &Tree<'_>, node: u32, (cluster, sign): (u32, i64)) {
        let (d, node, cluster) = (tree.n_features, node as usize, cluster as usize);
        self.counts[cluster] += sign * tree.nodes[node].count.cast_signed();
        let sums = &tree.sums[node * d..(node + 1) * d];
        for (total, sum) in self.sums[cluster * d..].iter_mut().zip(sums) {
            *total += i128::from(sign) * sum;
        }
    }

    /// Gives a cluster a row, or takes it away.
    pub(super) fn row(&mut self, tree: &Tree<'_>, place: u32, (cluster, sign): (u32, i64)) {
        let (d, cluster) = (tree.n_features, cluster as usize);
        // Nearly always: a coordinate has 48 bits, and 128 of them are only needed for the sum.
        if let Some(row) = tree.plain_row(place as usize) {
            self.counts[cluster] += sign;
            let totals = &mut self.sums[cluster * d..(cluster + 1) * d];
            for ((feature, total), &value) in totals.iter_mut().enumerate().zip(row) {
                *total += i128::from(sign * tree.fixed(feature, value));
            }
            return;
        }
        self.counts[cluster] += sign * tree.weight(place as usize);
        for (feature, total) in self.sums[cluster * d..(cluster + 1) * d]
            .iter_mut()
            .enumerate()
        {
            *total += i128::from(sign) * tree.sum(place as usize, feature);
        }
    }

    /// Means of the clusters, k × features, scaled.
    pub(super) fn means(&self, tree: &Tree<'_>) -> Vec<f64> {
        let d = tree.n_features;
        let mean =
            |(i, &sum): (usize, &i128)| sum as f64 / self.counts[i / d] as f64 * tree.units[i % d];
        self.sums.iter().enumerate().map(mean).collect()
    }
}
