//! The customers as cells: what the page counts with.
//!
//! In: customers, their tiers and segments, published cut points. Out: [`Cells`], for each bin of R, F and M, tier and
//! segment that holds somebody the customers and their revenue.
//! Invariant: cells add up to all customers and their exact revenue; they are whole numbers, so that no thread and no order
//! of rows changes one. No customer can be told from them by id: they hold none.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::DIMENSIONS;
use super::edges::{Edges, Unit, rounded};
use super::encode::{base64, varint, zigzag};
use crate::features;
use crate::load::Customers;

/// Edges of a dimension that are tried for, beside the published ones.
const EDGES: usize = 64;
/// Bytes of packed cells above which edges are taken away: in base64 they are a third more, and the page stays under 1.5 MB.
const MAX_PACKED: usize = 450_000;
/// Rows whose keys are made together.
const AHEAD: usize = 256;
/// Rows that one thread takes at a time.
const ROWS: usize = 65_536;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Row *i* is customer *i* in all of these.
    pub customers: &'a Customers,
    /// Index of each customer's tier, rank − 1.
    pub tiers: &'a [u32],
    /// Number of tiers.
    pub n_tiers: usize,
    /// Index of each customer's segment, and the number of segments.
    pub segments: Option<(&'a [Option<u32>], usize)>,
    /// Cut points of R, F and M that have to be edges: upper bounds, inclusive.
    pub cuts: &'a [Vec<f64>; 3],
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Bins of R, F and M.
    pub bins: [usize; 3],
    /// Index of the tier.
    pub tier: usize,
    /// Index of the segment; the number of segments stands for none.
    pub segment: usize,
    /// Customers.
    pub customers: u64,
    /// Their total amount in units of 10^-`decimals` of the cells.
    pub revenue: i128,
}

/// All cells, ascending by bins, tier, segment.
#[derive(Debug, Clone)]
pub struct Cells {
    edges: [Edges; 3],
    n_tiers: usize,
    n_segments: usize,
    /// Decimals of the revenues: no more than it takes.
    pub decimals: u32,
    /// Those that hold somebody.
    pub cells: Vec<Cell>,
    /// Mean of R and F, and of M, rounded: where a first cut may lie.
    pub means: [f64; 3],
}

impl Cells {
    /// Counts.
    pub fn new(counted: Counted<'_>) -> Self {
        let customers = counted.customers;
        let frequency: Vec<f64> = customers.frequency.par_iter().map(|&n| n as f64).collect();
        let values = [
            customers.recency_days.as_slice(),
            &frequency,
            &customers.monetary,
        ];
        let means = [0, 1, 2].map(|dimension| mean(values[dimension], dimension));
        let edges: Vec<Edges> = [Unit::Days, Unit::Orders, Unit::Amount]
            .into_par_iter()
            .enumerate()
            .map(|(dimension, unit)| {
                let cuts = counted.cuts[dimension].iter().chain([&means[dimension]]);
                let cuts: Vec<f64> = cuts.copied().collect();
                Edges::new(unit, values[dimension], &cuts, EDGES)
            })
            .collect();
        let [recency, orders, amount] = [0, 1, 2].map(|dimension| edges[dimension].clone());
        let mut cells = Self {
            edges: [recency, orders, amount],
            n_tiers: counted.n_tiers,
            n_segments: counted.segments.map_or(0, |(_, n)| n),
            decimals: customers.decimals,
            cells: Vec::new(),
            means,
        };
        cells.cells = cells.count(values, counted);
        cells.fewer_decimals();
        while MAX_PACKED < cells.packed().len() && cells.coarsen() {}
        cells
    }

    /// Upper bounds of the bins of R, F and M, inclusive.
    pub fn edges(&self) -> [&[f64]; 3] {
        [0, 1, 2].map(|dimension| self.edges[dimension].values.as_slice())
    }

    /// What the page reads: edges, sizes, and the packed cells in base64.
    pub fn to_json(&self) -> Value {
        let edges: serde_json::Map<String, Value> = DIMENSIONS
            .iter()
            .zip(self.edges())
            .map(|(&name, edges)| (name.to_owned(), json!(edges)))
            .collect();
        json!({
            "edges": edges,
            "tiers": self.n_tiers,
            "segments": self.n_segments,
            "decimals": self.decimals,
            "customers": self.cells.iter().map(|cell| cell.customers).sum::<u64>(),
            "cells": self.cells.len(),
            "packed": base64(&self.packed()),
        })
    }

    /// For each cell: its key less that of the cell before, its customers, its revenue (zigzag), as varints.
    fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.cells.len() * 8);
        let mut before = 0;
        for cell in &self.cells {
            let key = self.key(cell.bins, cell.tier, cell.segment);
            varint(&mut bytes, u128::from(key - before));
            varint(&mut bytes, u128::from(cell.customers));
            varint(&mut bytes, zigzag(cell.revenue));
            before = key;
        }
        bytes
    }

    fn count(&self, values: [&[f64]; 3], counted: Counted<'_>) -> Vec<Cell> {
        let none = self.n_segments;
        let n = counted.customers.len();
        let finders = [0, 1, 2].map(|d| self.edges[d].finder());
        let counts = (0..n.div_ceil(ROWS))
            .into_par_iter()
            .fold(Counts::default, |mut counts, block| {
                let end = n.min((block + 1) * ROWS);
                for begin in (block * ROWS..end).step_by(AHEAD) {
                    let rows = begin..end.min(begin + AHEAD);
                    // All keys first: what a guess about an edge throws away is then no wait for memory.
                    let mut keys = [0; AHEAD];
                    for (key, row) in keys.iter_mut().zip(rows.clone()) {
                        let bins = [0, 1, 2].map(|d| finders[d].bin(values[d][row]));
                        let segment = counted.segments.and_then(|(labels, _)| labels[row]);
                        let segment = segment.map_or(none, |segment| segment as usize);
                        *key = self.key(bins, counted.tiers[row] as usize, segment);
                    }
                    for (&key, row) in keys.iter().zip(rows) {
                        counts.add(key, 1, counted.customers.revenue[row]);
                    }
                }
                counts
            })
            .reduce(Counts::default, Counts::with);
        let mut cells = counts.sums();
        cells.sort_unstable_by_key(|&(key, _)| key);
        cells
            .into_iter()
            .map(|(key, counts)| self.cell(key, counts))
            .collect()
    }

    fn key(&self, bins: [usize; 3], tier: usize, segment: usize) -> u64 {
        let [_, orders, amounts] = [0, 1, 2].map(|d| self.edges[d].values.len());
        let bin = (bins[0] * orders + bins[1]) * amounts + bins[2];
        ((bin * self.n_tiers + tier) * (self.n_segments + 1) + segment) as u64
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a key was made of indices, which fit"
    )]
    fn cell(&self, key: u64, (customers, revenue): (u64, i128)) -> Cell {
        let mut rest = key as usize;
        let mut digit = |base: usize| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        let segment = digit(self.n_segments + 1);
        let tier = digit(self.n_tiers);
        let amount = digit(self.edges[2].values.len());
        let orders = digit(self.edges[1].values.len());
        Cell {
            bins: [rest, orders, amount],
            tier,
            segment,
            customers,
            revenue,
        }
    }

    /// Drops decimals that are 0 in every cell: cents are shorter than hundredths of them.
    fn fewer_decimals(&mut self) {
        let mut zeros = self.decimals;
        for cell in &self.cells {
            while 0 < zeros && divided(cell.revenue, zeros).is_none() {
                zeros -= 1;
            }
        }
        if zeros == 0 {
            return;
        }
        self.decimals -= zeros;
        for cell in &mut self.cells {
            cell.revenue = divided(cell.revenue, zeros).unwrap_or(cell.revenue);
        }
    }

    /// Takes edges away in the dimension that has most; `false` where only published ones are left.
    fn coarsen(&mut self) -> bool {
        let mut order = [0, 1, 2];
        order.sort_by_key(|&d| {
            let free = self.edges[d].fixed.iter().filter(|&&fixed| !fixed).count();
            std::cmp::Reverse(free)
        });
        let [most, ..] = order;
        let Some((coarser, bins)) = self.edges[most].coarser() else {
            return false;
        };
        self.edges[most] = coarser;
        let mut moved: Vec<Cell> = std::mem::take(&mut self.cells);
        for cell in &mut moved {
            cell.bins[most] = bins[cell.bins[most]];
        }
        let place = |cell: &Cell| (cell.bins, cell.tier, cell.segment);
        moved.sort_unstable_by_key(place);
        for cell in moved {
            match self.cells.last_mut() {
                Some(last) if place(last) == place(&cell) => {
                    last.customers += cell.customers;
                    last.revenue += cell.revenue;
                }
                _ => self.cells.push(cell),
            }
        }
        true
    }
}

/// Units without their last digits, where these are zeros. Most fit into 64 bits, which the processor divides by itself.
fn divided(units: i128, digits: u32) -> Option<i128> {
    if let (Ok(units), Some(by)) = (i64::try_from(units), 10_i64.checked_pow(digits)) {
        return (units % by == 0).then(|| (units / by).into());
    }
    let by = 10_i128.pow(digits);
    (units % by == 0).then_some(units / by)
}

/// Customers and revenue by key.
#[derive(Default)]
struct Counts {
    cells: HashMap<u64, (u64, i64), FixedState>,
    /// What 64 bits had no room for: nearly always nothing, and the cells that are looked up for every row are half as large.
    rest: HashMap<u64, i128, FixedState>,
}

impl Counts {
    fn add(&mut self, key: u64, customers: u64, revenue: i64) {
        let cell = self.cells.entry(key).or_insert((0, 0));
        cell.0 += customers;
        match cell.1.checked_add(revenue) {
            Some(sum) => cell.1 = sum,
            None => *self.rest.entry(key).or_default() += i128::from(revenue),
        }
    }

    /// Those of both.
    fn with(self, other: Self) -> Self {
        let (mut most, least) = if self.cells.len() < other.cells.len() {
            (other, self)
        } else {
            (self, other)
        };
        for (key, (customers, revenue)) in least.cells {
            most.add(key, customers, revenue);
        }
        for (key, revenue) in least.rest {
            *most.rest.entry(key).or_default() += revenue;
        }
        most
    }

    fn sums(self) -> Vec<(u64, (u64, i128))> {
        let rest = |key: u64| self.rest.get(&key).copied().unwrap_or(0);
        let cells = self.cells.iter();
        cells
            .map(|(&key, &(customers, revenue))| {
                (key, (customers, i128::from(revenue) + rest(key)))
            })
            .collect()
    }
}

/// The mean as a cut point that people can say: whole days, whole orders, an amount of four digits. Days and orders are
/// rounded down, so that on whole numbers the cut parts as the mean does.
fn mean(values: &[f64], dimension: usize) -> f64 {
    let mean = features::mean(values);
    match dimension {
        2 => rounded(mean, 4),
        _ => mean.floor(),
    }
}
