//! Lloyd's iteration on all rows, which looks at few of them.
//!
//! In: a [`Tree`] and centroids. Out: a fixed point on all rows.
//! Invariant: every row counts for the centroid that `nearest` gives it, at every step (with whole cells, that of the mean of its
//! cell). Sums are whole numbers, so that taking rows from one cluster and giving them to another is exact.
//!
//! Each ball and each row that [`Filter`] found knows its slack: how far borders may move before it has to be looked at
//! again (the bounds of Hamerly 2010, taken over whole balls). Centroids move less and less, so most are never due.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::Owner;
use super::filter::{Centroids, Filter, Found, Sink, Totals};
use super::points::squared;
use super::tree::Tree;

/// Nobody's.
const NONE: u32 = u32::MAX >> 1;
/// Parts that the rows are divided into at first.
const PARTS: usize = 256;
/// Items that one task looks at.
const CHUNK: usize = 512;
/// Items that are fetched from memory together.
const AHEAD: usize = 32;

/// A ball or a row, its cluster, and the drift at which it has to be looked at again.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// Node of the tree, or place of a row.
    id: u32,
    /// Cluster, with [`ROW`] for a row.
    owner: u32,
    due: f64,
}

/// Marks the owner of a row.
const ROW: u32 = 1 << 31;

impl Item {
    fn is_row(self) -> bool {
        self.owner & ROW != 0
    }

    fn cluster(self) -> u32 {
        self.owner & !ROW
    }
}

/// Where the iteration ended.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) centroids: Centroids,
    /// What the clusters hold.
    pub(super) totals: Totals,
    /// Cluster of each row, by place.
    pub(super) owners: Vec<Owner>,
    pub(super) n_iter: u64,
    pub(super) converged: bool,
}

/// How steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Every centroid goes to the mean of what it owns (Lloyd 1982).
    Plain,
    /// It goes farther in the same direction, until hardly anything changes its cluster. For what each owns the inertia is a
    /// square of the distance from the mean, so that it falls on all steps up to twice as long; where Lloyd's own steps grow
    /// short slowly, half as many do.
    Long,
}

/// Length of a long step, 1 for that to the mean.
const LONG: f64 = 1.8;
/// Rows that change their cluster in a step, from which on down steps are plain.
const FEW: u64 = 16;

/// Iterates until no row changes its cluster, or `max_iter`.
pub(super) fn iterate(
    tree: &Tree<'_>,
    start: Vec<f64>,
    (max_iter, mut pace): (u64, Pace),
) -> Fixed {
    let mut state = State::new(tree, start, false);
    let mut n_iter = 0;
    let converged = loop {
        let next = state.means();
        if next == state.centroids.places {
            break true;
        }
        if n_iter == max_iter {
            break false;
        }
        n_iter += 1;
        // Who gives up leaves means behind.
        if n_iter == max_iter || state.totals.counts.contains(&0) {
            pace = Pace::Plain;
        }
        if state.step(next, pace) <= FEW {
            pace = Pace::Plain;
        }
    };
    Fixed {
        owners: state.owners(),
        centroids: state.centroids,
        totals: state.totals,
        n_iter,
        converged,
    }
}

/// Iterates over the cells of a tree of rows, each of which goes as a whole where its mean does, and returns the centroids:
/// a better start for the rows. It ends where a cluster would be empty, which is for the rows to mend.
pub(super) fn iterate_cells(
    tree: &Tree<'_>,
    start: Vec<f64>,
    (max_iter, mut pace): (u64, Pace),
) -> Vec<f64> {
    let mut state = State::new(tree, start, true);
    for _ in 0..max_iter {
        if state.totals.counts.contains(&0) {
            break;
        }
        let next = state.means();
        if next == state.centroids.places {
            break;
        }
        if state.step(next, pace) <= FEW {
            pace = Pace::Plain;
        }
    }
    state.centroids.places
}

struct State<'a> {
    tree: &'a Tree<'a>,
    whole_cells: bool,
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

#[derive(Debug)]
struct Compartment {
    earliest: f64,
    /// As they came, so that wheels can be put together without moving an item.
    items: Vec<Vec<Item>>,
}

impl Wheel {
    fn compartment(&mut self, place: usize) -> &mut Compartment {
        let empty = || Compartment {
            earliest: f64::INFINITY,
            items: Vec::new(),
        };
        if self.compartments.len() <= place {
            self.compartments.resize_with(place + 1, empty);
        }
        &mut self.compartments[place]
    }

    fn insert(&mut self, item: Item, drift: f64) {
        // The exponent of the slack, from 2⁻⁴⁰ to 2²³; what has none is in the first.
        let slack = (item.due - drift).max(0.0);
        let exponent = (slack.to_bits() >> 52) as usize;
        let compartment = self.compartment(exponent.saturating_sub(1_023 - 40).min(63));
        compartment.earliest = compartment.earliest.min(item.due);
        match compartment.items.last_mut() {
            Some(items) => items.push(item),
            None => compartment.items.push(vec![item]),
        }
    }

    fn add(&mut self, other: Self) {
        for (place, more) in other.compartments.into_iter().enumerate() {
            let compartment = self.compartment(place);
            compartment.earliest = compartment.earliest.min(more.earliest);
            compartment.items.extend(more.items);
        }
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
            for item in std::mem::take(&mut compartment.items).into_iter().flatten() {
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
            .flat_map(|compartment| compartment.items.iter().flatten())
    }
}

impl<'a> State<'a> {
    fn new(tree: &'a Tree<'a>, start: Vec<f64>, whole_cells: bool) -> Self {
        let d = tree.n_features;
        let centroids = Centroids { d, places: start };
        let mut state = Self {
            tree,
            whole_cells,
            totals: Totals::nothing(centroids.len(), d),
            centroids,
            drift: 0.0,
            wheel: Wheel::default(),
        };
        state.place_all();
        state
    }

    /// Gives everything to its nearest centroid, as if nothing were known.
    fn place_all(&mut self) {
        self.totals = Totals::nothing(self.centroids.len(), self.centroids.d);
        self.drift = 0.0;
        self.wheel = Wheel::default();
        let roots = self.tree.parts(PARTS).into_iter();
        let roots: Vec<Item> = roots
            .map(|id| Item {
                id,
                owner: NONE,
                due: 0.0,
            })
            .collect();
        self.place(&roots, 1);
    }

    /// One iteration, towards the means or beyond; gives back how many rows changed their cluster, at least.
    fn step(&mut self, mut next: Vec<f64>, pace: Pace) -> u64 {
        if pace == Pace::Long {
            for (next, before) in next.iter_mut().zip(&self.centroids.places) {
                *next = before + LONG * (*next - before);
            }
        }
        self.drift += self.centroids.movement(&next);
        self.centroids.places = next;
        // Where the drift is so large, from a start far away, that small movements are lost in its last digit, nothing
        // is known any more.
        if self.tree.rounding < self.drift * f64::EPSILON {
            self.place_all();
            return u64::MAX;
        }
        let due = self.wheel.due(self.drift);
        self.place(&due, CHUNK)
    }

    /// Gives items to their nearest centroid; gives back how many rows changed their cluster.
    fn place(&mut self, items: &[Item], chunk: usize) -> u64 {
        let (tree, centroids, drift) = (self.tree, &self.centroids, self.drift);
        let whole_cells = self.whole_cells;
        let parts: Vec<Placed<'_>> = items
            .par_chunks(chunk)
            .map(|items| {
                let placed = Placed {
                    tree,
                    drift,
                    before: NONE,
                    wheel: Wheel::default(),
                    moved: 0,
                    change: Totals::nothing(centroids.len(), tree.n_features),
                };
                let mut filter = Filter::new(tree, centroids, (placed, whole_cells));
                for items in items.chunks(AHEAD) {
                    fetch(tree, items);
                    for item in items {
                        filter.sink.before = item.cluster();
                        if item.is_row() {
                            filter.row(item.id);
                        } else {
                            filter.node(item.id);
                        }
                    }
                }
                filter.sink
            })
            .collect();
        let mut moved = 0;
        for part in parts {
            self.totals.add(&part.change);
            self.wheel.add(part.wheel);
            moved += part.moved;
        }
        moved
    }

    /// Where the centroids should be.
    fn means(&self) -> Vec<f64> {
        if self.totals.counts.iter().all(|&count| 0 < count) {
            return self.totals.means(self.tree);
        }
        let mut totals = self.totals.clone();
        self.fill_empty(&mut totals);
        totals.means(self.tree)
    }

    /// Gives every empty cluster the row that lies farthest from its centroid, and takes it from the cluster that had it
    /// (scikit-learn's `_relocate_empty_clusters_dense`).
    fn fill_empty(&self, totals: &mut Totals) {
        let owners = self.owners();
        let mut far: Vec<(f64, usize)> = owners
            .iter()
            .enumerate()
            .map(|(place, &owner)| {
                let centroid = self.centroids.place(owner as usize);
                (squared(self.tree.point(place), centroid), place)
            })
            .collect();
        far.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut far = far.into_iter();
        for empty in 0..totals.counts.len() {
            while totals.counts[empty] <= 0 {
                let Some((_, place)) = far.next() else {
                    // Every row sits alone on its centroid: there is nothing to give.
                    totals.counts[empty] = 1;
                    continue;
                };
                let (from, weight) = (u32::from(owners[place]), self.tree.weight(place));
                if weight < totals.counts[from as usize] {
                    let place = u32::try_from(place).unwrap_or(u32::MAX);
                    let to = u32::try_from(empty).unwrap_or(u32::MAX);
                    totals.row(self.tree, place, (from, -1));
                    totals.row(self.tree, place, (to, 1));
                }
            }
        }
    }

    /// Cluster of each row (of each cell, in a tree of cells).
    fn owners(&self) -> Vec<Owner> {
        let mut owners = vec![Owner::MAX; self.tree.len()];
        for item in self.wheel.items() {
            let owner = Owner::try_from(item.cluster()).unwrap_or(Owner::MAX);
            if item.is_row() {
                owners[item.id as usize] = owner;
            } else {
                let node = self.tree.nodes[item.id as usize];
                owners[node.start as usize..node.end as usize].fill(owner);
            }
        }
        owners
    }
}

/// Looks at rows that lie anywhere: nothing waits for that, so that memory brings them all at once, and not one after the other.
fn fetch(tree: &Tree<'_>, items: &[Item]) {
    let rows = items.iter().filter(|item| item.is_row());
    let seen = rows.filter_map(|item| tree.point(item.id as usize).last());
    std::hint::black_box(seen.fold(0, |all, seen| all ^ seen.to_bits()));
}

/// What placing some items gave.
struct Placed<'a> {
    tree: &'a Tree<'a>,
    drift: f64,
    /// The cluster of the item at hand so far.
    before: u32,
    wheel: Wheel,
    /// Rows that changed their cluster.
    moved: u64,
    change: Totals,
}

impl Sink for Placed<'_> {
    fn ball(&mut self, node: u32, found: Found) {
        if found.owner != self.before {
            let rows = self.tree.nodes[node as usize];
            self.moved += u64::from(rows.end - rows.start);
            self.change.ball(self.tree, node, (found.owner, 1));
            if self.before != NONE {
                self.change.ball(self.tree, node, (self.before, -1));
            }
        }
        let item = Item {
            id: node,
            owner: found.owner,
            due: self.drift + found.slack,
        };
        self.wheel.insert(item, self.drift);
    }

    fn row(&mut self, place: u32, found: Found) {
        if found.owner != self.before {
            self.moved += 1;
            self.change.row(self.tree, place, (found.owner, 1));
            if self.before != NONE {
                self.change.row(self.tree, place, (self.before, -1));
            }
        }
        let item = Item {
            id: place,
            owner: found.owner | ROW,
            due: self.drift + found.slack,
        };
        self.wheel.insert(item, self.drift);
    }
}

/// Centroids by their coordinates, the order in which they leave this module.
pub(in crate::cluster) fn by_coordinates(a: &[f64], b: &[f64]) -> Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
