//! How good a clustering is.
//!
//! In: a sketch, the exact figures of a fit, and how it divides the cells. Out: a [`Quality`], a row of the k table.
//! Invariant: formulas and special cases are those of scikit-learn's `metrics`, for the labels that are published. Inertia,
//! sizes, Caliński-Harabasz and Davies-Bouldin are counted over all rows, around the means of the labels; silhouettes over
//! the cells of the sketch, which are the distinct rows themselves as long as there are at most [`SILHOUETTE_CELLS`] of them.

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::Serialize;

use super::kmeans::{Points, Solved, squared};
use super::labelled::evenly;
use super::place::Cut;
use crate::features::sketch::Sketch;

/// Cells among which silhouettes are measured exactly, all pairs; of more, wider cells are taken.
pub const SILHOUETTE_CELLS: usize = 8_192;

/// One row of `k_table` in tiers.json.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances of all customers to their centroid.
    pub inertia: f64,
    /// Mean silhouette, −1 to 1 (Rousseeuw 1987); a cluster of one counts 0.
    pub silhouette: f64,
    /// The same with distances to centroids in place of mean distances to customers (Hruschka et al. 2004).
    pub simplified_silhouette: f64,
    /// Variance between over variance within, each per degree of freedom (Caliński and Harabasz 1974); 0 for one cluster.
    pub calinski_harabasz: f64,
    /// Mean likeness of each cluster to the one most like it; small is good (Davies and Bouldin 1979).
    pub davies_bouldin: f64,
    /// Share of the customers in the smallest cluster.
    pub smallest_share: f64,
    /// Mean adjusted Rand index between this clustering and those of resampled customers; 1 is the same each time.
    pub stability: Option<f64>,
    /// Standard deviation of that index over the resamples.
    pub stability_spread: Option<f64>,
}

/// Cells with the number of the wider cell that each lies in.
#[derive(Debug)]
pub(super) struct Measured {
    /// All cells of the sketch.
    cells: Points,
    /// For each the cell among which silhouettes are measured; its own where there are few enough.
    wider: Vec<u32>,
    /// Cells by which that is corrected; none where it need not be.
    sample: usize,
}

/// Cells among which silhouettes of more than [`SILHOUETTE_CELLS`] are measured.
const WIDER_CELLS: usize = 4_096;

/// Features up to which a wider cell holds no more than eight of the next level, so that at least an eighth of
/// [`WIDER_CELLS`] is left: enough for a silhouette within 0.01.
const FEW_FEATURES: usize = 3;
/// Cells whose silhouettes among all cells correct the mean elsewhere.
const SAMPLE: usize = 1_000;

impl Measured {
    pub(super) fn of(sketch: &Sketch) -> Self {
        let few = sketch.len() <= SILHOUETTE_CELLS;
        let sampled = !few && FEW_FEATURES < sketch.n_features();
        Self {
            cells: Points::of_cells(sketch),
            wider: sketch.wider(if few { SILHOUETTE_CELLS } else { WIDER_CELLS }),
            sample: if sampled { SAMPLE } else { 0 },
        }
    }

    /// Mean silhouette of labelled cells.
    fn silhouette(&self, labels: &[u32], k: usize) -> f64 {
        let (coarse, piece_of) = pieces(&self.cells, &self.wider, labels);
        if self.sample == 0 || k < 2 {
            return silhouette_of(&coarse, k);
        }
        let each = silhouettes(&coarse, 0..coarse.points.len());
        let own: Vec<u32> = (0..).take(self.cells.len()).collect();
        let (fine, _) = pieces(&self.cells, &own, labels);
        let drawn = evenly(fine.points.weights.iter().copied(), self.sample);
        let of_fine = silhouettes(&fine, drawn.iter().copied());
        let pairs = drawn.iter().zip(of_fine);
        let off: f64 = pairs.map(|(&cell, fine)| fine - each[piece_of[cell]]).sum();
        mean_of(&coarse, &each) + off / drawn.len() as f64
    }
}

/// Measures a fit, whose centroids are the means of its rows.
pub(super) fn measure(
    measured: &Measured,
    solved: &Solved,
    (mean, cut): (&[f64], Cut<'_>),
) -> Quality {
    let d = mean.len();
    let occupied = solved.sizes.iter().filter(|&&size| 0 < size).count() as f64;
    let n: f64 = solved.sizes.iter().sum::<u64>() as f64;
    let (labels, simplified) = match cut {
        Cut::Nearest(centroids) => label_nearest(&measured.cells, centroids),
        Cut::Likeliest(_) => label(&measured.cells, solved, cut),
    };
    let between: f64 = solved
        .centroids
        .chunks_exact(d)
        .zip(&solved.sizes)
        .map(|(centroid, &size)| size as f64 * squared(centroid, mean))
        .sum();
    let smallest = solved.sizes.iter().copied().min().unwrap_or(0) as f64;
    let k = solved.sizes.len();
    Quality {
        k,
        inertia: solved.inertia,
        silhouette: measured.silhouette(&labels, k),
        simplified_silhouette: simplified,
        calinski_harabasz: if occupied < 2.0 {
            0.0
        } else if 0.0 < solved.inertia {
            between * (n - occupied) / (solved.inertia * (occupied - 1.0))
        } else {
            1.0
        },
        davies_bouldin: davies_bouldin(solved, d),
        smallest_share: smallest / n,
        stability: None,
        stability_spread: None,
    }
}

/// Cluster of each cell, and the mean of 1 − d₁/d₂ over them.
fn label_nearest(cells: &Points, centroids: &[f64]) -> (Vec<u32>, f64) {
    let mut labels = vec![0; cells.len()];
    let mut first = vec![0.0; cells.len()];
    let mut second = vec![0.0; cells.len()];
    cells.assign_two(centroids, &mut labels, (&mut first, &mut second));
    let all: f64 = cells.weights.iter().sum();
    let sum: f64 = (0..cells.len())
        .filter(|&cell| 0.0 < second[cell] && second[cell].is_finite())
        .map(|cell| cells.weights[cell] * (1.0 - (first[cell] / second[cell]).sqrt()))
        .sum();
    (labels, sum / all)
}

/// Cluster of each cell where that need not be the nearest, and the mean of (b − a) / max(a, b) over them, with a the
/// distance to the own centroid and b that to the nearest of the others.
fn label(cells: &Points, solved: &Solved, cut: Cut<'_>) -> (Vec<u32>, f64) {
    let (labels, d) = (cut.labels(cells), cells.n_features);
    let of_cell = |(cell, &own): (usize, &u32)| {
        let place = cells.point(cell);
        let centroid = |i: usize| &solved.centroids[i * d..(i + 1) * d];
        let distance = |cluster: usize| squared(centroid(cluster), &place).sqrt();
        let others = (0..solved.sizes.len())
            .filter(|&cluster| cluster != own as usize && 0 < solved.sizes[cluster]);
        let (within, outside) = (
            distance(own as usize),
            others.map(distance).fold(f64::INFINITY, f64::min),
        );
        cells.weights[cell] * silhouette_between(within, outside)
    };
    let sum: f64 = labels.iter().enumerate().map(of_cell).sum();
    (labels, sum / cells.weights.iter().sum::<f64>())
}

/// Mean over the clusters of their greatest likeness to another: (Sᵢ + Sⱼ) / dᵢⱼ, S the mean distance to the centroid.
/// Clusters of nobody, and those around one place, are not compared.
fn davies_bouldin(solved: &Solved, d: usize) -> f64 {
    let occupied: Vec<usize> = (0..solved.sizes.len())
        .filter(|&cluster| 0 < solved.sizes[cluster])
        .collect();
    let spread = |i: usize| solved.distances[i] / solved.sizes[i] as f64;
    let centroid = |i: usize| &solved.centroids[i * d..(i + 1) * d];
    let worst = |&i: &usize| {
        occupied
            .iter()
            .map(|&j| {
                (
                    spread(i) + spread(j),
                    squared(centroid(i), centroid(j)).sqrt(),
                )
            })
            .filter(|&(_, apart)| 0.0 < apart)
            .map(|(spreads, apart)| spreads / apart)
            .fold(0.0, f64::max)
    };
    occupied.iter().map(worst).sum::<f64>() / occupied.len() as f64
}

/// What lies in one wider cell and one cluster, cluster by cluster.
pub(super) struct Pieces {
    pub(super) points: Points,
    /// Where each cluster starts; one more entry at the end.
    pub(super) starts: Vec<usize>,
}

/// The pieces of labelled cells in wider ones; and of each cell, by label and then in their own order, the number of its piece.
fn pieces(cells: &Points, wider: &[u32], labels: &[u32]) -> (Pieces, Vec<usize>) {
    let k = labels.iter().max().map_or(0, |&label| label as usize + 1);
    // By cluster and, since wider cells are numbered in the order of the cells, by wider cell.
    let order = by_label(labels, k);
    let mut starts = vec![0; k + 1];
    let mut rows: Vec<(f64, Vec<f64>)> = Vec::new();
    let mut piece_of = Vec::with_capacity(cells.len());
    let mut last = None;
    for cell in order {
        let (label, wider) = (labels[cell], wider[cell]);
        if last != Some((label, wider)) {
            last = Some((label, wider));
            rows.push((0.0, vec![0.0; cells.n_features]));
            starts[label as usize + 1] = rows.len();
        }
        piece_of.push(rows.len() - 1);
        if let Some((weight, sums)) = rows.last_mut() {
            *weight += cells.weights[cell];
            for (feature, sum) in sums.iter_mut().enumerate() {
                *sum += cells.weights[cell] * cells.coordinates[feature * cells.len() + cell];
            }
        }
    }
    for label in 0..k {
        starts[label + 1] = starts[label + 1].max(starts[label]);
    }
    let points = Points::of_sums(&rows, cells.n_features);
    (Pieces { points, starts }, piece_of)
}

/// Places by label, each label's in their own order.
fn by_label(labels: &[u32], k: usize) -> Vec<usize> {
    let mut ends = vec![0; k + 1];
    for &label in labels {
        ends[label as usize + 1] += 1;
    }
    for label in 0..k {
        ends[label + 1] += ends[label];
    }
    let mut order = vec![0; labels.len()];
    for (place, &label) in labels.iter().enumerate() {
        let at = &mut ends[label as usize];
        order[*at] = place;
        *at += 1;
    }
    order
}

/// Mean silhouette of all rows, by all pairs (scikit-learn's `silhouette_score`). O(rows²).
pub fn silhouette(matrix: ArrayView2<'_, f64>, labels: &[u32], k: usize) -> f64 {
    let rows: Vec<(f64, Vec<f64>)> = matrix.outer_iter().map(|row| (1.0, row.to_vec())).collect();
    let cells = Points::of_sums(&rows, matrix.ncols());
    let own: Vec<u32> = (0..).take(cells.len()).collect();
    silhouette_of(&pieces(&cells, &own, labels).0, k)
}

/// Mean silhouette of weighted points: a point of weight n is n rows in one place.
pub(super) fn silhouette_of(pieces: &Pieces, k: usize) -> f64 {
    if k < 2 {
        return 0.0;
    }
    mean_of(pieces, &silhouettes(pieces, 0..pieces.points.len()))
}

/// The mean of the silhouettes of all pieces, each as often as it has rows.
pub(super) fn mean_of(pieces: &Pieces, each: &[f64]) -> f64 {
    let weights = &pieces.points.weights;
    let sum: f64 = weights
        .iter()
        .zip(each)
        .map(|(weight, of_one)| weight * of_one)
        .sum();
    sum / weights.iter().sum::<f64>()
}

/// Silhouettes of some of the pieces.
pub(super) fn silhouettes(pieces: &Pieces, some: impl Iterator<Item = usize>) -> Vec<f64> {
    let Pieces { points, starts } = pieces;
    let size = |label: usize| {
        points.weights[starts[label]..starts[label + 1]]
            .iter()
            .sum::<f64>()
    };
    let clusters = starts.len() - 1;
    let sizes: Vec<f64> = (0..clusters).map(size).collect();
    let some: Vec<usize> = some.collect();
    some.into_par_iter()
        .with_min_len(64)
        .map(|i| {
            let place = points.point(i);
            let own = starts.partition_point(|&start| start <= i) - 1;
            let sums: Vec<f64> = (0..clusters)
                .map(|label| points.distances(starts[label]..starts[label + 1], &place))
                .collect();
            of_point(&sums, &sizes, own)
        })
        .collect()
}

/// Silhouette of one row, of the sums of its distances to the rows of each cluster.
fn of_point(sums: &[f64], sizes: &[f64], own: usize) -> f64 {
    if sizes[own] <= 1.0 {
        return 0.0;
    }
    let within = sums[own] / (sizes[own] - 1.0);
    let outside = (0..sums.len())
        .filter(|&cluster| cluster != own && 0.0 < sizes[cluster])
        .map(|cluster| sums[cluster] / sizes[cluster])
        .fold(f64::INFINITY, f64::min);
    silhouette_between(within, outside)
}

/// (b − a) / max(a, b).
fn silhouette_between(within: f64, outside: f64) -> f64 {
    let larger = within.max(outside);
    // No second cluster, or all of them in one place: there is nothing to tell apart.
    if outside.is_finite() && 0.0 < larger {
        (outside - within) / larger
    } else {
        0.0
    }
}
