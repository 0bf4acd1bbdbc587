//! What is reported of clusters, counted over all rows.
//!
//! In: a [`Tree`] with its rows, centroids, and the centroid of each row. Out: a [`Survey`].
//! Invariant: every row is counted once; figures are added up block by block, so that they do not depend on the number of
//! threads.

use rayon::prelude::*;

use super::Owner;
use super::points::squared;
use super::tree::Tree;

/// Rows of a block.
const BLOCK: usize = 8_192;

/// What the rows around some centroids are like.
#[derive(Debug)]
pub(super) struct Survey {
    /// Weighted sum of squared distances.
    pub(super) inertia: f64,
    /// Weighted sum of the distances, by centroid.
    pub(super) distances: Vec<f64>,
}

/// Counts what is reported of centroids, k × features, and the rows that each owns.
pub(super) fn survey(tree: &Tree<'_>, centroids: &[f64], owners: &[Owner]) -> Survey {
    let d = tree.n_features;
    let k = centroids.len() / d;
    let parts: Vec<Survey> = owners
        .par_chunks(BLOCK)
        .zip(tree.points.par_chunks(BLOCK * d))
        .enumerate()
        .map(|(block, (owners, points))| {
            let mut part = Survey {
                inertia: 0.0,
                distances: vec![0.0; k],
            };
            if let (3, None, (points, [])) = (d, tree.weights, points.as_chunks::<3>()) {
                let mut rest = points;
                for run in owners.chunk_by(|a, b| a == b) {
                    let owner = usize::from(run[0]);
                    let points = rest.split_off(..run.len()).unwrap_or_default();
                    let (inertia, distance) =
                        of_run(points, &centroids[owner * d..(owner + 1) * d]);
                    part.inertia += inertia;
                    part.distances[owner] += distance;
                }
                return part;
            }
            for (i, (point, &owner)) in points.chunks_exact(d).zip(owners).enumerate() {
                let owner = usize::from(owner);
                let squared = squared(&centroids[owner * d..(owner + 1) * d], point);
                let weight = tree
                    .weights
                    .map_or(1.0, |weights| weights[block * BLOCK + i] as f64);
                part.inertia += weight * squared;
                part.distances[owner] += weight * squared.sqrt();
            }
            part
        })
        .collect();
    let mut all = Survey {
        inertia: 0.0,
        distances: vec![0.0; k],
    };
    for part in parts {
        all.inertia += part.inertia;
        for (sum, more) in all.distances.iter_mut().zip(&part.distances) {
            *sum += more;
        }
    }
    all
}

/// Sums of squared distances and of distances from a centroid: the usual three features, in lanes of which no one waits for
/// another. Neighbours mostly share their centroid.
fn of_run(points: &[[f64; 3]], centroid: &[f64]) -> (f64, f64) {
    const LANES: usize = 8;
    let (mut inertia, mut distances) = ([0.0; LANES], [0.0; LANES]);
    for points in points.chunks(LANES) {
        for (lane, point) in points.iter().enumerate() {
            let squared = squared(centroid, point);
            inertia[lane] += squared;
            distances[lane] += squared.sqrt();
        }
    }
    (inertia.iter().sum(), distances.iter().sum())
}
