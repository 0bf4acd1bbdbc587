//! Pruning by cost complexity.
//!
//! In: a [`Tree`] that was grown. Out: the trees that are left, from the whole one to the root.
//! Invariant: each tree is part of the one before it, has one leaf less, and puts no more customers right.

use super::{Table, Tree};

/// A tree along the way.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::calibrate) struct Pruned {
    pub tree: Tree,
    /// Leaves.
    pub leaves: usize,
    /// Customers whose leaf is their tier's.
    pub right: u64,
}

/// Takes away, again and again, the branch that costs the fewest customers for each of its leaves; a branch of many leaves
/// goes leaf by leaf, so that no size is passed over.
pub(in crate::calibrate) fn path(tree: &Tree, table: &Table<'_>) -> Vec<Pruned> {
    debug_assert!(table.tiers.len() as u64 == tree.nodes[0].counts.iter().sum::<u64>());
    let mut tree = tree.clone();
    let mut trees = vec![pruned(&tree)];
    while let Some(branch) = weakest(&tree, 0, |_| true) {
        let last = |tree: &Tree, node: usize| {
            let split = tree.nodes[node].split.as_ref();
            let is_leaf = |child: usize| tree.nodes[child].split.is_none();
            split.is_some_and(|split| is_leaf(split.left) && is_leaf(split.right))
        };
        while let Some(twig) = weakest(&tree, branch, |node| last(&tree, node)) {
            tree = tree.cut(&[twig]);
            trees.push(pruned(&tree));
            if twig == branch {
                break;
            }
        }
    }
    trees
}

fn pruned(tree: &Tree) -> Pruned {
    Pruned {
        leaves: tree.leaves().len(),
        right: tree.right(),
        tree: tree.clone(),
    }
}

/// The branch at or below `root` whose leaves are worth least, of those that are wanted; of equal ones the one furthest down.
fn weakest(tree: &Tree, root: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
    let n = tree.nodes.len();
    // Of each node, leaves below it and customers they put right. Children stand behind their parents.
    let mut below = vec![(1_u64, 0_u64); n];
    let mut weakest: Option<(u64, u64, usize)> = None;
    for node in (0..n).rev() {
        below[node].1 = tree.nodes[node].right();
        let Some(split) = tree.nodes[node].split else {
            continue;
        };
        let (left, right) = (below[split.left], below[split.right]);
        below[node] = (left.0 + right.0, left.1 + right.1);
        let (cost, leaves) = (below[node].1 - tree.nodes[node].right(), below[node].0 - 1);
        // Fractions are compared in whole numbers.
        let is_less = weakest.is_none_or(|(least, of, _)| {
            u128::from(cost) * u128::from(of) < u128::from(least) * u128::from(leaves)
        });
        if is_less && wanted(node) && reachable(tree, root, node) {
            weakest = Some((cost, leaves, node));
        }
    }
    weakest.map(|(_, _, node)| node)
}

fn reachable(tree: &Tree, root: usize, wanted: usize) -> bool {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if node == wanted {
            return true;
        }
        if let Some(split) = tree.nodes[node].split {
            open.extend([split.left, split.right]);
        }
    }
    false
}
