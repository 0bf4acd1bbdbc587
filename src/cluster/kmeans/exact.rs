//! Lloyd's iteration on all rows, which looks at few of them.
//!
//! In: a [`Tree`] and centroids. Out: a fixed point on all rows.
//! Invariant: every row counts for the centroid that `nearest` gives it, at every step, although most rows are never
//! looked at alone. Sums are whole numbers, so that taking rows from one cluster and giving them to another is exact.
//!
//! Three ideas make it fast. A ball that lies on one side of all borders goes to its centroid as a whole (the filtering of
//! Kanungo et al. 2002). Each ball and each row knows its *slack*: how far borders may move before it has to be looked at
//! again (the bounds of Hamerly 2010, taken over a whole ball). And since centroids move less and less, the few that are
//! due soon are kept apart from the many that are not.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::points::squared;
use super::tree::Tree;

/// Nobody's.
const NONE: u32 = u32::MAX;
/// Parts that a placement of the whole tree is divided into.
const PARTS: usize = 256;

/// A ball or a row, its cluster, and the drift at which it has to be looked at again.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// Node of the tree, or place of a row where `row`.
    id: u32,
    row: bool,
    owner: u32,
    due: f64,
}

/// What a cluster holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Totals {
    counts: Vec<i64>,
    /// k × features, in units.
    sums: Vec<i128>,
}

impl Totals {
    fn nothing(k: usize, d: usize) -> Self {
        Self {
            counts: vec![0; k],
            sums: vec![0; k * d],
        }
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += more;
        }
    }
}

/// Where the iteration ended.
#[derive(Debug)]
pub(super) struct Fixed {
    /// k × features.
    pub(super) centroids: Vec<f64>,
    /// Rows of each cluster, weighted.
    pub(super) sizes: Vec<u64>,
    /// Cluster of each row, by place in the order of the cells.
    pub(super) owners: Vec<u32>,
    pub(super) n_iter: u64,
    pub(super) converged: bool,
}

/// Centroids, and what can be said of them before any row is seen.
struct Centroids {
    d: usize,
    /// k × features.
    places: Vec<f64>,
}

/// What placing some items gave.
struct Placed {
    items: Vec<Item>,
    change: Totals,
    changed: bool,
}

/// Iterates until no row changes its cluster, or `max_iter`.
pub(super) fn iterate(tree: &Tree, start: Vec<f64>, max_iter: u64) -> Fixed {
    let mut state = State::new(tree, start);
    let mut n_iter = 0;
    let converged = loop {
        if n_iter == max_iter {
            break false;
        }
        if !state.step() {
            break true;
        }
        n_iter += 1;
    };
    state.end(n_iter, converged)
}

struct State<'a> {
    tree: &'a Tree,
    centroids: Centroids,
    totals: Totals,
    /// Sum of the movements so far: how much closer a border may have come to anything.
    drift: f64,
    wheel: Wheel,
}

/// Items by when they are due: each compartment holds those whose slack, when they came, was twice that of the one below.
/// An item is looked at again when the earliest of its compartment is due, and then is due itself or moves down: that is
/// seldom, and those that are never due are hardly ever seen.
#[derive(Debug, Default)]
struct Wheel {
    compartments: Vec<Compartment>,
}

#[derive(Debug, Clone)]
struct Compartment {
    earliest: f64,
    items: Vec<Item>,
}

impl Wheel {
    fn insert(&mut self, item: Item, drift: f64) {
        // The exponent of the slack, from 2⁻⁴⁰ to 2²³; what has none is in the first.
        let slack = (item.due - drift).max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the exponent of a double has eleven bits"
        )]
        let exponent = (slack.to_bits() >> 52) as usize;
        let place = exponent.saturating_sub(1_023 - 40).min(63);
        if self.compartments.len() <= place {
            let empty = Compartment {
                earliest: f64::INFINITY,
                items: Vec::new(),
            };
            self.compartments.resize(place + 1, empty);
        }
        let compartment = &mut self.compartments[place];
        compartment.earliest = compartment.earliest.min(item.due);
        compartment.items.push(item);
    }

    /// Takes out what is due.
    fn due(&mut self, drift: f64) -> Vec<Item> {
        let mut due = Vec::new();
        for place in 0..self.compartments.len() {
            let compartment = &mut self.compartments[place];
            if drift < compartment.earliest {
                continue;
            }
            compartment.earliest = f64::INFINITY;
            for item in std::mem::take(&mut compartment.items) {
                if item.due <= drift {
                    due.push(item);
                } else {
                    self.insert(item, drift);
                }
            }
        }
        due
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.compartments
            .iter()
            .flat_map(|compartment| &compartment.items)
    }
}

impl<'a> State<'a> {
    fn new(tree: &'a Tree, start: Vec<f64>) -> Self {
        let d = tree.n_features;
        let k = start.len() / d;
        let centroids = Centroids { d, places: start };
        let mut state = Self {
            tree,
            centroids,
            totals: Totals::nothing(k, d),
            drift: 0.0,
            wheel: Wheel::default(),
        };
        let roots: Vec<Item> = tree
            .parts(PARTS)
            .into_iter()
            .map(|id| Item {
                id,
                row: false,
                owner: NONE,
                due: 0.0,
            })
            .collect();
        state.place(&roots, 1);
        state
    }

    /// One iteration. False where it moved nothing.
    fn step(&mut self) -> bool {
        let next = self.means();
        if next == self.centroids.places {
            return false;
        }
        let movement = self.centroids.movement(&next);
        self.centroids.places = next;
        self.drift += movement;
        let due = self.wheel.due(self.drift);
        self.place(&due, 512)
    }

    /// Gives items to their nearest centroid. True where one changed hands.
    fn place(&mut self, items: &[Item], chunk: usize) -> bool {
        let (tree, centroids, drift) = (self.tree, &self.centroids, self.drift);
        let k = self.totals.counts.len();
        let parts: Vec<Placed> = items
            .par_chunks(chunk)
            .map(|items| {
                let mut placer = Placer {
                    tree,
                    centroids,
                    drift,
                    placed: Placed {
                        items: Vec::new(),
                        change: Totals::nothing(k, tree.n_features),
                        changed: false,
                    },
                    candidates: Vec::new(),
                    distances: Vec::new(),
                };
                for item in items {
                    placer.candidates.clear();
                    placer
                        .candidates
                        .extend(0..u32::try_from(k).unwrap_or(u32::MAX));
                    if item.row {
                        placer.row(item.id, item.owner, 0);
                    } else {
                        placer.node(item.id, item.owner, 0);
                    }
                }
                placer.placed
            })
            .collect();
        let mut changed = false;
        for part in parts {
            self.totals.add(&part.change);
            changed |= part.changed;
            for item in part.items {
                self.wheel.insert(item, drift);
            }
        }
        changed
    }

    /// Where the centroids should be.
    fn means(&self) -> Vec<f64> {
        let d = self.tree.n_features;
        let mut totals = self.totals.clone();
        self.fill_empty(&mut totals);
        let mut means = Vec::with_capacity(totals.sums.len());
        for (cluster, &count) in totals.counts.iter().enumerate() {
            for feature in 0..d {
                let sum = totals.sums[cluster * d + feature] as f64;
                means.push(sum / count as f64 * self.tree.units[feature]);
            }
        }
        means
    }

    /// Gives every empty cluster the row that lies farthest from its centroid.
    fn fill_empty(&self, totals: &mut Totals) {
        if totals.counts.iter().all(|&count| 0 < count) {
            return;
        }
        let d = self.tree.n_features;
        let owners = self.owners();
        let mut far: Vec<(f64, usize)> = owners
            .iter()
            .enumerate()
            .map(|(place, &owner)| {
                (
                    squared(self.tree.point(place), self.centroids.place(owner as usize)),
                    place,
                )
            })
            .collect();
        far.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut far = far.into_iter();
        for empty in 0..totals.counts.len() {
            while totals.counts[empty] <= 0 {
                let Some((_, place)) = far.next() else {
                    totals.counts[empty] = 1;
                    continue;
                };
                let from = owners[place] as usize;
                let weight = self.tree.weight(place);
                if totals.counts[from] <= weight {
                    continue;
                }
                totals.counts[from] -= weight;
                totals.counts[empty] = weight;
                for feature in 0..d {
                    let sum = self.tree.sum(place, feature);
                    totals.sums[from * d + feature] -= sum;
                    totals.sums[empty * d + feature] = sum;
                }
            }
        }
    }

    /// Cluster of each row (of each cell, in a tree of cells).
    fn owners(&self) -> Vec<u32> {
        let mut owners = vec![NONE; self.tree.len()];
        for item in self.wheel.items() {
            if item.row {
                owners[item.id as usize] = item.owner;
            } else {
                let node = self.tree.nodes[item.id as usize];
                owners[node.start as usize..node.end as usize].fill(item.owner);
            }
        }
        owners
    }

    fn end(self, n_iter: u64, converged: bool) -> Fixed {
        let owners = self.owners();
        Fixed {
            sizes: self
                .totals
                .counts
                .iter()
                .map(|&count| count.unsigned_abs())
                .collect(),
            centroids: self.centroids.places,
            owners,
            n_iter,
            converged,
        }
    }
}

impl Centroids {
    fn place(&self, index: usize) -> &[f64] {
        &self.places[index * self.d..(index + 1) * self.d]
    }

    /// How much nearer a border can have come to any point: no border moves by more than its two centroids do together.
    fn movement(&self, next: &[f64]) -> f64 {
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

/// Finds the clusters of items, one after the other.
struct Placer<'a> {
    tree: &'a Tree,
    centroids: &'a Centroids,
    drift: f64,
    placed: Placed,
    /// Stacked: the centroids that may be nearest for the node at hand, below them those of its parents.
    candidates: Vec<u32>,
    distances: Vec<f64>,
}

impl Placer<'_> {
    /// Places a ball, whole or in parts. Its candidates are those from `from` on.
    fn node(&mut self, id: u32, owner: u32, from: usize) {
        let node = self.tree.nodes[id as usize];
        let (nearest, first, second) = self.nearest(self.tree.mean(id as usize), from);
        let slack = second - first - 2.0 * node.radius - self.tree.rounding;
        let point = node.right == 0 && self.tree.points.is_empty();
        if 0.0 < slack || point {
            self.give(
                Item {
                    id,
                    row: false,
                    owner: nearest,
                    due: self.drift + slack,
                },
                owner,
            );
            return;
        }
        // Who is farther than the nearest by more than the ball is wide owns nothing in it.
        let reach = first + 2.0 * node.radius + self.tree.rounding;
        let reach = reach * reach;
        let (end, k) = (self.candidates.len(), self.distances.len());
        for i in 0..k {
            if self.distances[i] <= reach {
                self.candidates.push(self.candidates[from + i]);
            }
        }
        if node.right == 0 {
            for place in node.start..node.end {
                self.row(place, owner, end);
            }
        } else {
            self.node(id + 1, owner, end);
            self.node(node.right, owner, end);
        }
        self.candidates.truncate(end);
    }

    fn row(&mut self, place: u32, owner: u32, from: usize) {
        let point = self.tree.point(place as usize);
        let (mut nearest, mut first, mut second) = (0, f64::INFINITY, f64::INFINITY);
        for &candidate in &self.candidates[from..] {
            let squared = squared(self.centroids.place(candidate as usize), point);
            if squared < first {
                second = first;
                first = squared;
                nearest = candidate;
            } else if squared < second {
                second = squared;
            }
        }
        let slack = second.sqrt() - first.sqrt() - self.tree.rounding;
        self.give(
            Item {
                id: place,
                row: true,
                owner: nearest,
                due: self.drift + slack,
            },
            owner,
        );
    }

    /// Index and distance of the nearest candidate, and the distance of the second; leaves all squared distances behind.
    fn nearest(&mut self, point: &[f64], from: usize) -> (u32, f64, f64) {
        let (mut nearest, mut first, mut second) = (0, f64::INFINITY, f64::INFINITY);
        self.distances.clear();
        for &candidate in &self.candidates[from..] {
            let squared = squared(self.centroids.place(candidate as usize), point);
            self.distances.push(squared);
            if squared < first {
                second = first;
                first = squared;
                nearest = candidate;
            } else if squared < second {
                second = squared;
            }
        }
        (nearest, first.sqrt(), second.sqrt())
    }

    fn give(&mut self, item: Item, before: u32) {
        if item.owner != before {
            self.placed.changed = true;
            self.count(item, item.owner, 1);
            if before != NONE {
                self.count(item, before, -1);
            }
        }
        self.placed.items.push(item);
    }

    fn count(&mut self, item: Item, cluster: u32, sign: i64) {
        let (d, cluster) = (self.tree.n_features, cluster as usize);
        let change = &mut self.placed.change;
        if item.row {
            change.counts[cluster] += sign * self.tree.weight(item.id as usize);
            for feature in 0..d {
                change.sums[cluster * d + feature] +=
                    i128::from(sign) * self.tree.sum(item.id as usize, feature);
            }
        } else {
            let node = item.id as usize;
            change.counts[cluster] += sign * self.tree.nodes[node].count.cast_signed();
            for feature in 0..d {
                change.sums[cluster * d + feature] +=
                    i128::from(sign) * self.tree.sums[node * d + feature];
            }
        }
    }
}

/// Centroids by their coordinates, the order in which they leave this module.
pub(in crate::cluster) fn by_coordinates(a: &[f64], b: &[f64]) -> Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
