//! Lloyd's iteration on a few thousand weighted points: what a restart costs.
//!
//! In: the cells of a coarse sketch. Out: centroids.
//! Invariant: one restart runs on one thread, in one order; coordinates lie feature by feature, so that distances to one
//! centroid are computed several points at a time.

use std::ops::Range;

use rand::Rng;

use super::kernel::{Columns, Nearest};
use crate::features::sketch::{Sketch, Sketched};

/// Points of a block whose distances are held at once.
const BLOCK: usize = 256;

/// Weighted points.
#[derive(Debug, Clone)]
pub(in crate::cluster) struct Points {
    pub(in crate::cluster) n_features: usize,
    /// Features × points.
    pub(in crate::cluster) coordinates: Vec<f64>,
    /// How often each point counts; above 0.
    pub(in crate::cluster) weights: Vec<f64>,
}

/// Centroids on points, k × features, with the inertia of the points around them.
#[derive(Debug, Clone)]
pub(in crate::cluster) struct Solution {
    pub(in crate::cluster) centroids: Vec<f64>,
    pub(in crate::cluster) inertia: f64,
}

impl Points {
    /// The cells of a sketch at their means.
    pub(in crate::cluster) fn of_cells(sketch: &Sketch) -> Self {
        let (d, n) = (sketch.n_features(), sketch.len());
        let means = sketch.means();
        Self {
            n_features: d,
            coordinates: (0..d * n).map(|i| means[i % n * d + i / n]).collect(),
            weights: sketch.counts().iter().map(|&count| count as f64).collect(),
        }
    }

    /// Every row of a sketch.
    pub(in crate::cluster) fn of_rows(sketched: &Sketched) -> Self {
        let (d, n) = (sketched.sketch.n_features(), sketched.order.rows.len());
        let weight = |row: usize| {
            sketched
                .weights
                .as_ref()
                .map_or(1.0, |weights| weights[row] as f64)
        };
        Self {
            n_features: d,
            coordinates: (0..d * n)
                .map(|i| sketched.points[i % n * d + i / n])
                .collect(),
            weights: (0..n).map(weight).collect(),
        }
    }

    pub(in crate::cluster) fn len(&self) -> usize {
        self.weights.len()
    }

    fn feature(&self, feature: usize) -> &[f64] {
        &self.coordinates[feature * self.len()..(feature + 1) * self.len()]
    }

    pub(in crate::cluster) fn point(&self, point: usize) -> Vec<f64> {
        (0..self.n_features)
            .map(|feature| self.feature(feature)[point])
            .collect()
    }

    /// Squared distances of a block of points to one place, into the first entries of `squared`.
    fn squared(&self, block: Range<usize>, place: &[f64], squared: &mut [f64]) {
        let squared = &mut squared[..block.len()];
        squared.fill(0.0);
        for (feature, &coordinate) in place.iter().enumerate() {
            for (squared, x) in squared
                .iter_mut()
                .zip(&self.feature(feature)[block.clone()])
            {
                *squared += (x - coordinate) * (x - coordinate);
            }
        }
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            n_features: self.n_features,
            coordinates: &self.coordinates,
            n: self.len(),
        }
    }

    /// Labels every point with its nearest centroid, of two at one distance the first; writes the squared distances.
    pub(in crate::cluster) fn assign(
        &self,
        centroids: &[f64],
        labels: &mut [u32],
        nearest: &mut [f64],
    ) {
        let found = Nearest {
            labels,
            first: nearest,
            second: None,
        };
        self.columns().nearest(centroids, found);
    }

    /// As [`Self::assign`], with the squared distances to the nearest and the second nearest centroid.
    pub(in crate::cluster) fn assign_two(
        &self,
        centroids: &[f64],
        labels: &mut [u32],
        (first, second): (&mut [f64], &mut [f64]),
    ) {
        let found = Nearest {
            labels,
            first,
            second: Some(second),
        };
        self.columns().nearest(centroids, found);
    }

    /// Sum of the distances of some points to one place, weighted.
    pub(in crate::cluster) fn distances(&self, points: Range<usize>, place: &[f64]) -> f64 {
        let mut squared = [0.0; BLOCK];
        let mut sum = 0.0;
        for start in points.clone().step_by(BLOCK) {
            let block = start..points.end.min(start + BLOCK);
            self.squared(block.clone(), place, &mut squared);
            // Four sums at a time, so that roots are taken several at once.
            let mut lanes = [0.0; 4];
            let weights = &self.weights[block.clone()];
            let squared = &squared[..block.len()];
            let (quads, rest) = squared.as_chunks::<4>();
            let (fours, left) = weights.as_chunks::<4>();
            for (quad, weights) in quads.iter().zip(fours) {
                for lane in 0..4 {
                    lanes[lane] += quad[lane].sqrt() * weights[lane];
                }
            }
            sum += (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
            sum += rest
                .iter()
                .zip(left)
                .map(|(squared, weight)| squared.sqrt() * weight)
                .sum::<f64>();
        }
        sum
    }

    /// Points at the means of weighted sums.
    pub(in crate::cluster) fn of_sums(rows: &[(f64, Vec<f64>)], n_features: usize) -> Self {
        let mut coordinates = Vec::with_capacity(rows.len() * n_features);
        for feature in 0..n_features {
            coordinates.extend(rows.iter().map(|(weight, sums)| sums[feature] / weight));
        }
        Self {
            n_features,
            coordinates,
            weights: rows.iter().map(|(weight, _)| *weight).collect(),
        }
    }

    /// Sum of squared distances, weighted.
    fn inertia(&self, squared: &[f64]) -> f64 {
        squared
            .iter()
            .zip(&self.weights)
            .map(|(squared, weight)| squared * weight)
            .sum()
    }

    /// Greedy k-means++ (Arthur and Vassilvitskii 2007, with several candidates a step as in scikit-learn's
    /// `kmeans_plusplus`): of 2 + ⌊ln k⌋ points drawn in proportion to weight × squared distance to the centroids so far,
    /// the one that lowers the inertia most becomes the next.
    pub(in crate::cluster) fn seed(&self, k: usize, random: &mut impl Rng) -> Vec<f64> {
        let n = self.len();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "ln k is small and not below 0"
        )]
        let trials = 2 + (k as f64).ln() as usize;
        let columns = self.columns();
        let mut centroids = self.point(draw(&self.weights, random));
        let everywhere = vec![f64::INFINITY; n];
        let mut nearest = vec![0.0; n];
        columns.lowered(&centroids, &self.weights, (&everywhere, &mut nearest));
        let mut candidate = vec![0.0; n];
        let mut best = everywhere;
        for _ in 1..k {
            let masses: Vec<f64> = nearest
                .iter()
                .zip(&self.weights)
                .map(|(d, w)| d * w)
                .collect();
            let mut lowest = f64::INFINITY;
            let mut chosen = 0;
            for _ in 0..trials {
                let point = draw(&masses, random);
                let place = self.point(point);
                let inertia = columns.lowered(&place, &self.weights, (&nearest, &mut candidate));
                if inertia < lowest {
                    (lowest, chosen) = (inertia, point);
                    std::mem::swap(&mut candidate, &mut best);
                }
            }
            std::mem::swap(&mut nearest, &mut best);
            centroids.extend(self.point(chosen));
        }
        centroids
    }

    /// Moves centroids to the means of their points until no point changes, or `max_iter` is reached.
    pub(in crate::cluster) fn lloyd(&self, mut centroids: Vec<f64>, max_iter: u64) -> Solution {
        let (d, n) = (self.n_features, self.len());
        let k = centroids.len() / d;
        let mut labels = vec![u32::MAX; n];
        let mut before = labels.clone();
        let mut nearest = vec![0.0; n];
        let mut settled = false;
        for _ in 0..max_iter {
            self.assign(&centroids, &mut labels, &mut nearest);
            settled = labels == before;
            if settled {
                break;
            }
            before.copy_from_slice(&labels);
            let (mut sums, mut weights) = self.sums(&labels, k);
            self.fill_empty(&mut sums, &mut weights, (&labels, &mut nearest));
            for (centroid, (sum, weight)) in centroids
                .chunks_exact_mut(d)
                .zip(sums.chunks_exact(d).zip(&weights))
            {
                for (coordinate, sum) in centroid.iter_mut().zip(sum) {
                    *coordinate = sum / weight;
                }
            }
        }
        if !settled {
            self.assign(&centroids, &mut labels, &mut nearest);
        }
        Solution {
            centroids,
            inertia: self.inertia(&nearest),
        }
    }

    /// Weighted sums of the points of each label, and their weights.
    fn sums(&self, labels: &[u32], k: usize) -> (Vec<f64>, Vec<f64>) {
        let d = self.n_features;
        let mut weights = vec![0.0; k];
        let mut sums = vec![0.0; k * d];
        let points = labels.iter().zip(&self.weights);
        if d == 3 {
            // Neighbours mostly have the same label: its sums stay in registers, and are added to all at once.
            let mut start = 0;
            for same in labels.chunk_by(|a, b| a == b) {
                let run = start..start + same.len();
                let label = same[0] as usize;
                let own = &mut sums[label * 3..label * 3 + 3];
                let mut sum = [weights[label], own[0], own[1], own[2]];
                let places = self.feature(0)[run.clone()].iter();
                let places = places.zip(&self.feature(1)[run.clone()]);
                let places = places.zip(&self.feature(2)[run.clone()]);
                for (weight, ((first, second), third)) in
                    self.weights[run.clone()].iter().zip(places)
                {
                    sum[0] += weight;
                    sum[1] += weight * first;
                    sum[2] += weight * second;
                    sum[3] += weight * third;
                }
                weights[label] = sum[0];
                own.copy_from_slice(&sum[1..]);
                start = run.end;
            }
            return (sums, weights);
        }
        for (&label, weight) in points.clone() {
            weights[label as usize] += weight;
        }
        for feature in 0..d {
            for ((&label, weight), x) in points.clone().zip(self.feature(feature)) {
                sums[label as usize * d + feature] += weight * x;
            }
        }
        (sums, weights)
    }

    /// Goes on where Lloyd's iteration stops: moves single points as long as that lowers the inertia, the centroids moving
    /// along (Hartigan 1975). Where it ends, Lloyd's iteration has nothing to move either, but not the other way round:
    /// of two partitions that Lloyd holds for final this finds the better one.
    pub(in crate::cluster) fn refine(&self, solution: Solution, max_iter: u64) -> Solution {
        let (d, n) = (self.n_features, self.len());
        let k = solution.centroids.len() / d;
        let mut labels = vec![0; n];
        let mut nearest = vec![0.0; n];
        self.assign(&solution.centroids, &mut labels, &mut nearest);
        let mut weights = vec![0.0; k];
        for (&label, weight) in labels.iter().zip(&self.weights) {
            weights[label as usize] += weight;
        }
        let mut centroids = solution.centroids;
        let mut point = vec![0.0; d];
        for _ in 0..max_iter {
            let mut moved = false;
            for (i, label) in labels.iter_mut().enumerate() {
                let (own, weight) = (*label as usize, self.weights[i]);
                if weights[own] <= weight {
                    continue;
                }
                for (feature, x) in point.iter_mut().enumerate() {
                    *x = self.coordinates[feature * n + i];
                }
                let squared =
                    |cluster: usize| squared(&centroids[cluster * d..(cluster + 1) * d], &point);
                let stays = weights[own] / (weights[own] - weight) * squared(own);
                let (mut least, mut to) = (stays * (1.0 - 1e-12), own);
                for cluster in (0..k).filter(|&cluster| cluster != own) {
                    let goes = weights[cluster] / (weights[cluster] + weight) * squared(cluster);
                    if goes < least {
                        (least, to) = (goes, cluster);
                    }
                }
                if to != own {
                    moved = true;
                    *label = u32::try_from(to).unwrap_or(u32::MAX);
                    for (cluster, weight) in [(own, -weight), (to, weight)] {
                        weights[cluster] += weight;
                        let pull = weight / weights[cluster];
                        for (c, x) in centroids[cluster * d..(cluster + 1) * d]
                            .iter_mut()
                            .zip(&point)
                        {
                            *c += (x - *c) * pull;
                        }
                    }
                }
            }
            if !moved {
                break;
            }
        }
        self.lloyd(centroids, max_iter)
    }

    /// Leaves a local minimum for a better one: puts one centroid, drawn evenly, to a point drawn as for k-means++, and
    /// keeps what comes of it where that is better (the random swap of Fränti 2018).
    pub(in crate::cluster) fn swap(
        &self,
        mut best: Solution,
        (swaps, max_iter): (usize, u64),
        random: &mut impl Rng,
    ) -> Solution {
        /// Iterations that show what a swap is worth.
        const STEPS: u64 = 5;
        /// Of more than this times the inertia nothing comes.
        const HOPE: f64 = 1.02;
        let (d, n) = (self.n_features, self.len());
        let k = best.centroids.len() / d;
        let (mut labels, mut nearest) = (vec![0; n], vec![0.0; n]);
        let mut masses: Vec<f64> = Vec::new();
        for _ in 0..swaps {
            if masses.is_empty() {
                self.assign(&best.centroids, &mut labels, &mut nearest);
                masses.extend(nearest.iter().zip(&self.weights).map(|(d, w)| d * w));
            }
            let moved = random.gen_range(0..k);
            let place = self.point(draw(&masses, random));
            let mut centroids = best.centroids.clone();
            centroids[moved * d..(moved + 1) * d].copy_from_slice(&place);
            let tried = self.lloyd(centroids, STEPS.min(max_iter));
            if tried.inertia < best.inertia * HOPE {
                let tried = self.lloyd(tried.centroids, max_iter);
                if tried.inertia < best.inertia * (1.0 - 1e-9) {
                    best = tried;
                    masses.clear();
                }
            }
        }
        best
    }

    /// Gives every empty cluster the point that lies farthest from its centroid, and takes it from the cluster that had it
    /// (scikit-learn's `_relocate_empty_clusters_dense`).
    fn fill_empty(&self, sums: &mut [f64], weights: &mut [f64], points: (&[u32], &mut [f64])) {
        let d = self.n_features;
        let (labels, nearest) = points;
        while let Some(empty) = weights.iter().position(|&weight| weight <= 0.0) {
            let Some(farthest) =
                (0..self.len()).reduce(|a, b| if nearest[a] < nearest[b] { b } else { a })
            else {
                return;
            };
            if nearest[farthest] <= 0.0 {
                // Every point sits on a centroid: there is nothing to give.
                weights[empty] = 1.0;
                continue;
            }
            nearest[farthest] = 0.0;
            let (from, weight) = (labels[farthest] as usize, self.weights[farthest]);
            weights[from] -= weight;
            weights[empty] = weight;
            for (feature, x) in self.point(farthest).into_iter().enumerate() {
                sums[from * d + feature] -= weight * x;
                sums[empty * d + feature] = weight * x;
            }
        }
    }
}

/// Squared Euclidean distance, added up in the order of the features as everywhere.
pub(in crate::cluster) fn squared(a: &[f64], b: &[f64]) -> f64 {
    // The usual three features without a loop, in the same order.
    if let ([a0, a1, a2], [b0, b1, b2]) = (a, b) {
        return (a0 - b0) * (a0 - b0) + (a1 - b1) * (a1 - b1) + (a2 - b2) * (a2 - b2);
    }
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// An index drawn in proportion to masses, none of them negative.
fn draw(masses: &[f64], random: &mut impl Rng) -> usize {
    let total: f64 = masses.iter().sum();
    let mut left = random.gen_range(0.0..1.0) * total;
    let mut last = 0;
    for (index, &mass) in masses.iter().enumerate() {
        if 0.0 < mass {
            last = index;
            if left < mass {
                break;
            }
            left -= mass;
        }
    }
    last
}
