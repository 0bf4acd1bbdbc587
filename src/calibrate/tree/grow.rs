//! Growing a tree past need.
//!
//! In: a [`Table`]. Out: a [`Tree`].
//! Invariant: always the split that makes tiers purest (Gini) among all leaves comes next; of equal ones the first.

use rayon::prelude::*;

use super::{Node, Split, Table, Tree};

/// The best split of a node, and by how much it lowers the impurity.
#[derive(Debug, Clone, Copy)]
struct Best {
    gain: f64,
    feature: usize,
    bin: usize,
}

/// A leaf that may be split.
struct Open {
    node: usize,
    rows: Vec<u32>,
    best: Option<Best>,
}

/// Grows to so many leaves; none of them holds fewer customers than `least`.
pub(in crate::calibrate) fn grow(table: &Table<'_>, most: usize, least: u64) -> Tree {
    let bins: Vec<Vec<u16>> = table
        .columns
        .par_iter()
        .zip(&table.bounds)
        .map(|(column, bounds)| {
            let bin = |value: &f64| bounds.partition_point(|bound| bound < value);
            column
                .par_iter()
                .map(|value| u16::try_from(bin(value)).unwrap_or(u16::MAX))
                .collect()
        })
        .collect();
    let rows = 0..u32::try_from(table.tiers.len()).unwrap_or(u32::MAX);
    let mut tree = Tree { nodes: Vec::new() };
    let mut open: Vec<Open> = Vec::new();
    let growing = Growing {
        table,
        bins: &bins,
        least,
    };
    open.push(growing.open(&mut tree, rows.collect()));
    for _ in 1..most {
        let better = |a: &Open, b: &Open| {
            let gain = |open: &Open| open.best.map_or(f64::NEG_INFINITY, |best| best.gain);
            gain(a).total_cmp(&gain(b)).then(b.node.cmp(&a.node))
        };
        let next = open.iter().enumerate().max_by(|a, b| better(a.1, b.1));
        let Some((at, Some(best))) = next.map(|(at, open)| (at, open.best)) else {
            break;
        };
        let Open { node, rows, .. } = open.swap_remove(at);
        let column = &bins[best.feature];
        let low = |row: &u32| usize::from(column[*row as usize]) <= best.bin;
        let (left, right): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(low);
        let (left, right) = (
            growing.open(&mut tree, left),
            growing.open(&mut tree, right),
        );
        tree.nodes[node].split = Some(Split {
            feature: best.feature,
            bound: table.bounds[best.feature][best.bin],
            left: left.node,
            right: right.node,
        });
        open.extend([left, right]);
    }
    tree
}

struct Growing<'a> {
    table: &'a Table<'a>,
    bins: &'a [Vec<u16>],
    least: u64,
}

impl Growing<'_> {
    /// A new leaf.
    fn open(&self, tree: &mut Tree, rows: Vec<u32>) -> Open {
        let mut counts = vec![0_u64; self.table.k];
        for &row in &rows {
            counts[self.table.tiers[row as usize] as usize] += 1;
        }
        let features = 0..self.bins.len();
        let found: Vec<Option<Best>> = features
            .into_par_iter()
            .map(|feature| self.best(feature, &rows, &counts))
            .collect();
        let best = found
            .into_iter()
            .flatten()
            .reduce(|a, b| if a.gain < b.gain { b } else { a });
        let node = tree.nodes.len();
        tree.nodes.push(Node {
            counts,
            split: None,
        });
        Open { node, rows, best }
    }

    /// The best split along a feature; none where all are alike or too few.
    fn best(&self, feature: usize, rows: &[u32], counts: &[u64]) -> Option<Best> {
        let pure = counts.iter().filter(|&&n| 0 < n).count() < 2;
        if pure || (rows.len() as u64) < 2 * self.least {
            return None;
        }
        let (column, k) = (&self.bins[feature], self.table.k);
        let (mut first, mut last) = (u16::MAX, 0);
        for &row in rows {
            let bin = column[row as usize];
            (first, last) = (first.min(bin), last.max(bin));
        }
        let (first, last) = (usize::from(first), usize::from(last));
        let mut table = vec![0_u32; (last - first + 1) * k];
        for &row in rows {
            let bin = usize::from(column[row as usize]) - first;
            table[bin * k + self.table.tiers[row as usize] as usize] += 1;
        }
        let purity = |counts: &[u64], n: u64| {
            let squares: f64 = counts.iter().map(|&n| (n as f64).powi(2)).sum();
            squares / n as f64
        };
        let all = rows.len() as u64;
        let (mut left, mut right) = (vec![0_u64; k], counts.to_vec());
        let mut n = 0;
        let whole = purity(counts, all);
        let mut best: Option<Best> = None;
        for bin in first..last {
            let here = &table[(bin - first) * k..][..k];
            for (tier, &count) in here.iter().enumerate() {
                left[tier] += u64::from(count);
                right[tier] -= u64::from(count);
                n += u64::from(count);
            }
            if n < self.least || all - n < self.least {
                continue;
            }
            let gain = purity(&left, n) + purity(&right, all - n) - whole;
            if best.is_none_or(|best| best.gain < gain) {
                best = Some(Best { gain, feature, bin });
            }
        }
        // What rounding leaves is no gain.
        best.filter(|best| whole * 1e-12 < best.gain)
    }
}
