//! Lloyd's iteration on all customers, to the end.
//!
//! In: the matrix and centroids to start from. Out: a [`Clustering`].
//! Invariant: sums run over blocks of a fixed size and blocks are added in order, so that the result does not depend on
//! the number of threads.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::slice::ParallelSliceMut;

use super::{Clustering, nearest};

/// Rows of a block: large enough to keep a thread busy, small enough to stay in its cache.
const BLOCK: usize = 4_096;

/// The best of several starts, each iterated to the end; of two alike the first.
///
/// `None` for no start.
pub(super) fn best(
    matrix: ArrayView2<'_, f64>,
    starts: Vec<Array2<f64>>,
    max_iter: u64,
) -> Option<Clustering> {
    starts
        .into_iter()
        .map(|start| polish(matrix, start, max_iter))
        .reduce(|best, next| {
            if next.inertia < best.inertia {
                next
            } else {
                best
            }
        })
}

/// What one block adds to an iteration.
struct Partial {
    sums: Array2<f64>,
    sizes: Vec<u64>,
    inertia: f64,
    /// The row farthest from its centroid, with its distance.
    farthest: (f64, usize),
    changed: bool,
}

/// Moves centroids to the means of their customers until no customer changes cluster, or `max_iter` is reached.
///
/// A cluster that loses all customers starts anew at the customer farthest from its centroid, as in scikit-learn.
fn polish(matrix: ArrayView2<'_, f64>, mut centroids: Array2<f64>, max_iter: u64) -> Clustering {
    let mut labels = vec![u32::MAX; matrix.nrows()];
    let mut n_iter = 0;
    loop {
        let step = assign(matrix, centroids.view(), &mut labels);
        let empty = step.sizes.iter().position(|&size| size == 0);
        if (!step.changed && empty.is_none()) || n_iter == max_iter {
            return sorted(&centroids, &labels, &step, n_iter, !step.changed);
        }
        n_iter += 1;
        if let Some(empty) = empty {
            centroids
                .row_mut(empty)
                .assign(&matrix.row(step.farthest.1));
            continue;
        }
        centroids = step.sums;
        for (mut centroid, &size) in centroids.outer_iter_mut().zip(&step.sizes) {
            centroid /= size as f64;
        }
    }
}

/// Labels every row with its nearest centroid, and adds up what the next step needs.
fn assign(
    matrix: ArrayView2<'_, f64>,
    centroids: ArrayView2<'_, f64>,
    labels: &mut [u32],
) -> Partial {
    let nothing = || Partial {
        sums: Array2::zeros(centroids.raw_dim()),
        sizes: vec![0; centroids.nrows()],
        inertia: 0.0,
        farthest: (-1.0, 0),
        changed: false,
    };
    let partials: Vec<Partial> = matrix
        .axis_chunks_iter(Axis(0), BLOCK)
        .into_par_iter()
        .zip(labels.par_chunks_mut(BLOCK))
        .enumerate()
        .map(|(block, (rows, labels))| {
            let mut partial = nothing();
            for (i, (row, label)) in rows.outer_iter().zip(labels).enumerate() {
                let (cluster, distance, _) = nearest(centroids, row);
                let new = u32::try_from(cluster).unwrap_or(u32::MAX);
                partial.changed |= *label != new;
                *label = new;
                partial.sizes[cluster] += 1;
                let mut sum = partial.sums.row_mut(cluster);
                sum += &row;
                partial.inertia += distance * distance;
                if partial.farthest.0 < distance {
                    partial.farthest = (distance, block * BLOCK + i);
                }
            }
            partial
        })
        .collect();
    partials.into_iter().fold(nothing(), |mut all, partial| {
        all.sums += &partial.sums;
        for (size, more) in all.sizes.iter_mut().zip(&partial.sizes) {
            *size += more;
        }
        all.inertia += partial.inertia;
        all.changed |= partial.changed;
        if all.farthest.0 < partial.farthest.0 {
            all.farthest = partial.farthest;
        }
        all
    })
}

/// Puts the clusters in the order of their coordinates.
fn sorted(
    centroids: &Array2<f64>,
    labels: &[u32],
    step: &Partial,
    n_iter: u64,
    converged: bool,
) -> Clustering {
    let mut order: Vec<usize> = (0..centroids.nrows()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (centroids.row(a), centroids.row(b));
        let mut pairs = a.iter().zip(b.iter()).map(|(a, b)| a.total_cmp(b));
        pairs
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut place = vec![0_u32; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = u32::try_from(new).unwrap_or(u32::MAX);
    }
    Clustering {
        centroids: centroids.select(Axis(0), &order),
        labels: labels.iter().map(|&label| place[label as usize]).collect(),
        sizes: order.iter().map(|&old| step.sizes[old]).collect(),
        inertia: step.inertia,
        n_iter,
        converged,
    }
}
