//! The steps of one fit: restarts on few cells, polish on many, Lloyd on all cells where rows share them, the end on all rows.
//!
//! In: a sketch and its rows. Out: [`Solved`].
//! Invariant: what leaves is counted over all rows, and its clusters stand in the order of their coordinates.

use std::ops::RangeInclusive;

use ndarray::{Array2, ArrayView1};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::exact::{self, Fixed};
use super::filter::{Centroids, Totals};
use super::points::{Points, Solution, squared};
use super::survey::{self, Survey};
use super::tree::Tree;
use crate::features::sketch::{Sketch, Sketched};

/// Cells on which restarts are scouted.
const SCOUTED_CELLS: usize = 1_024;
/// Cells on which restarts run.
const COARSE_CELLS: usize = 4_096;
/// Starts that are scouted for every restart: on a thousand cells they cost next to nothing, and what one start has
/// missed another finds.
const SCOUTS: usize = 4;
/// Points that the swaps of a restart look at together: few points can be swapped often.
const SWAPPED_POINTS: usize = 20_000;
/// Swaps that a restart tries at least.
const FEWEST_SWAPS: usize = 3;
/// Swaps that a restart tries at most.
const MOST_SWAPS: usize = 40;
/// Cells on which the best restarts are told apart.
const POLISHED_CELLS: usize = 32_768;
/// Cells up to which the best restarts also move single cells: they are nearly the rows themselves then, and the last
/// millionth of the inertia is found there.
const REFINED_CELLS: usize = 65_536;
/// Rows for each cell from which on all cells are gone over before all rows are: most iterations are needed for what cells
/// can tell, and on them each costs a part of that.
const ROWS_OF_A_CELL: usize = 4;
/// Fewer than these say too little.
const FEW_CELLS: usize = 512;
/// Restarts that are polished where cells are many (else all are): on coarse cells near ties cannot be told apart.
const FINALISTS: usize = 4;

/// How hard to look.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Search {
    pub(in crate::cluster) n_runs: usize,
    pub(in crate::cluster) max_iter: u64,
    pub(in crate::cluster) seed: u64,
}

/// Clusters of all rows.
#[derive(Debug)]
pub(in crate::cluster) struct Solved {
    /// k × features.
    pub(in crate::cluster) centroids: Vec<f64>,
    /// Rows of each cluster, weighted.
    pub(in crate::cluster) sizes: Vec<u64>,
    /// Cluster of each row, in the order of the cells.
    pub(in crate::cluster) owners: Vec<u32>,
    /// Sum of squared distances of all rows.
    pub(in crate::cluster) inertia: f64,
    /// Sum of the distances of the rows of each cluster.
    pub(in crate::cluster) distances: Vec<f64>,
    pub(in crate::cluster) n_iter: u64,
    pub(in crate::cluster) converged: bool,
}

/// What every k starts from.
pub(in crate::cluster) struct Engine<'a> {
    few: Points,
    coarse: Points,
    /// None where the coarse cells are all there are.
    cells: Option<Tree<'a>>,
    /// All cells, where they are few enough and the coarse ones are not all there are.
    fine: Option<Points>,
    rows: Tree<'a>,
    /// Whether many rows share a cell.
    many: bool,
    mean: Vec<f64>,
}

impl<'a> Engine<'a> {
    /// Prepares a sketch and its rows, of which at least `k_max` are distinct.
    pub(in crate::cluster) fn new(sketched: &'a Sketched, k_max: usize) -> Self {
        let sketch = &sketched.sketch;
        let of_cells = || {
            let polished = polished(sketch);
            let coarse = coarse(&polished, sketched, k_max);
            let few = fewer(&polished, coarse.clone());
            let cells =
                (coarse.len() < polished.len()).then(|| Tree::of_cells(&polished, sketch.grid()));
            let refined = coarse.len() < sketch.len() && sketch.len() <= REFINED_CELLS;
            let fine = refined.then(|| Points::of_cells(sketch));
            (few, coarse, cells, fine)
        };
        let (rows, (few, coarse, cells, fine)) = rayon::join(|| Tree::of_rows(sketched), of_cells);
        Self {
            few,
            coarse,
            cells,
            fine,
            rows,
            many: k_max <= sketch.len()
                && sketch.len() * ROWS_OF_A_CELL <= sketched.order.rows.len(),
            mean: mean(sketch),
        }
    }

    /// [`Self::solve`] for every k of a range.
    pub(in crate::cluster) fn solve_each(
        &self,
        ks: RangeInclusive<usize>,
        search: Search,
    ) -> Vec<Solved> {
        let starts = ks.into_par_iter().map(|k| self.start(k, search));
        let starts: Vec<Vec<f64>> = starts.collect();
        let solved = starts.par_iter().with_max_len(1);
        solved
            .map(|start| self.finish(start, search.max_iter))
            .collect()
    }

    /// The best of several restarts, taken to a fixed point on all rows.
    pub(in crate::cluster) fn solve(&self, k: usize, search: Search) -> Solved {
        self.finish(&self.start(k, search), search.max_iter)
    }

    /// From given centroids to a fixed point on all rows.
    pub(in crate::cluster) fn finish(&self, start: &[f64], max_iter: u64) -> Solved {
        let d = self.rows.n_features;
        let mut fixed = exact::iterate(&self.rows, self.centroids(start).places, max_iter);
        // The order decides ties; it has to be that of the centroids that leave.
        let ordered = |fixed: &Fixed| {
            let rows = fixed.centroids.places.chunks_exact(d);
            rows.is_sorted_by(|a, b| exact::by_coordinates(a, b).is_le())
        };
        while !ordered(&fixed) {
            // Who gave up does not go on, but is put in order all the same.
            let left = if fixed.converged { max_iter } else { 0 };
            let n_iter = fixed.n_iter;
            let start = self.centroids(&fixed.centroids.places).places;
            fixed = exact::iterate(&self.rows, start, left);
            fixed.n_iter += n_iter;
        }
        self.counted(fixed)
    }

    /// Centroids in the order of their coordinates.
    fn centroids(&self, centroids: &[f64]) -> Centroids {
        let d = self.rows.n_features;
        let mut rows: Vec<&[f64]> = centroids.chunks_exact(d).collect();
        rows.sort_by(|a, b| exact::by_coordinates(a, b));
        Centroids {
            d,
            places: rows.concat(),
        }
    }

    /// Counts clusters that somebody else found: rows go where `place` says, and what is counted is around their means (of
    /// nobody's, around that of the places). The inertia around the places, k × features, comes beside it.
    pub(in crate::cluster) fn count_placed(
        &self,
        places: &Array2<f64>,
        place: impl Fn(ArrayView1<'_, f64>) -> usize + Sync,
    ) -> (Solved, f64) {
        let (k, d) = places.dim();
        let rows = self.rows.points.par_chunks_exact(d);
        let owners: Vec<u32> = rows
            .map(|row| u32::try_from(place(ArrayView1::from(row))).unwrap_or(u32::MAX))
            .collect();
        let nothing = || Totals::nothing(k, d);
        let add_row = |mut totals: Totals, (row, &owner): (usize, &u32)| {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            totals.row(&self.rows, row, (owner, 1));
            totals
        };
        let add = |mut totals: Totals, more: Totals| {
            totals.add(&more);
            totals
        };
        let owned = owners.par_iter().enumerate();
        let totals = owned.fold(nothing, add_row).reduce(nothing, add);
        let places: Vec<f64> = places.iter().copied().collect();
        let mut means = totals.means(&self.rows);
        for (i, mean) in means.iter_mut().enumerate() {
            if totals.counts[i / d] == 0 {
                *mean = places[i];
            }
        }
        let inertia = survey::survey(&self.rows, &places, &owners).inertia;
        let counted = Fixed {
            centroids: Centroids { d, places: means },
            totals,
            owners,
            n_iter: 0,
            converged: true,
        };
        (self.counted(counted), inertia)
    }

    /// Counts what is reported, over all rows.
    fn counted(&self, fixed: Fixed) -> Solved {
        let Survey { inertia, distances } =
            survey::survey(&self.rows, &fixed.centroids.places, &fixed.owners);
        let counts = fixed.totals.counts.iter();
        Solved {
            centroids: fixed.centroids.places,
            sizes: counts.map(|&count| count.unsigned_abs()).collect(),
            owners: fixed.owners,
            inertia,
            distances,
            n_iter: fixed.n_iter,
            converged: fixed.converged,
        }
    }

    /// Where the last steps start.
    fn start(&self, k: usize, search: Search) -> Vec<f64> {
        let best = self.best(k, search);
        if self.many {
            return exact::iterate_cells(&self.rows, best, search.max_iter);
        }
        best
    }

    /// The best of the restarts.
    fn best(&self, k: usize, search: Search) -> Vec<f64> {
        // Every restart has a generator of its own: more of them change none, they only add to the choice.
        let runs = (0..search.n_runs).into_par_iter().map(|run| {
            let seed = search.seed.wrapping_add(run as u64);
            self.restart(
                k,
                search.max_iter,
                &mut Xoshiro256PlusPlus::seed_from_u64(seed),
            )
        });
        let finalists = if self.fine.is_some() {
            search.n_runs
        } else {
            FINALISTS
        };
        let runs = different(runs.collect(), finalists);
        let runs = runs.into_par_iter().map(|run| run.centroids);
        let Some(fine) = &self.fine else {
            return self.most_between(runs.collect(), search.max_iter);
        };
        let refined = runs.map(|centroids| {
            let centroids = match &self.cells {
                Some(cells) => {
                    exact::iterate(cells, centroids, search.max_iter)
                        .centroids
                        .places
                }
                None => centroids,
            };
            let solution = Solution {
                centroids,
                inertia: f64::INFINITY,
            };
            fine.refine(solution, search.max_iter)
        });
        let best = different(refined.collect(), 1).into_iter().next();
        best.map(|best| best.centroids).unwrap_or_default()
    }

    /// The run that, polished on the cells, explains most of the whole; the first where there are no finer cells.
    fn most_between(&self, runs: Vec<Vec<f64>>, max_iter: u64) -> Vec<f64> {
        let Some(cells) = &self.cells else {
            return runs.into_iter().next().unwrap_or_default();
        };
        let polished = runs.into_par_iter();
        let polished = polished.map(|run| exact::iterate(cells, run, max_iter));
        let polished: Vec<Fixed> = polished.collect();
        let mut best: Option<Fixed> = None;
        for next in polished {
            if best
                .as_ref()
                .is_none_or(|best| self.between(best) < self.between(&next))
            {
                best = Some(next);
            }
        }
        best.map(|best| best.centroids.places).unwrap_or_default()
    }

    /// One restart: the best of a few scouted starts, then Lloyd, swaps and Hartigan on the coarse cells.
    fn restart(&self, k: usize, max_iter: u64, random: &mut Xoshiro256PlusPlus) -> Solution {
        let mut best = self.scout(k, max_iter, random);
        for _ in 1..SCOUTS {
            let next = self.scout(k, max_iter, random);
            if next.inertia < best.inertia {
                best = next;
            }
        }
        let run = self.coarse.lloyd(best.centroids, max_iter);
        let swaps = (SWAPPED_POINTS / self.coarse.len()).clamp(FEWEST_SWAPS, MOST_SWAPS);
        let run = self.coarse.swap(run, (swaps, max_iter), random);
        self.coarse.refine(run, max_iter)
    }

    fn scout(&self, k: usize, max_iter: u64, random: &mut Xoshiro256PlusPlus) -> Solution {
        let start = self.few.seed(k, random);
        self.few.lloyd(start, max_iter)
    }

    /// Weighted squared distances of the centroids from the mean of all: what the clusters explain of the whole.
    fn between(&self, fixed: &Fixed) -> f64 {
        let centroids = fixed.centroids.places.chunks_exact(self.mean.len());
        centroids
            .zip(&fixed.totals.counts)
            .map(|(centroid, &size)| size as f64 * squared(centroid, &self.mean))
            .sum()
    }
}

/// The best runs that are not the same, best first.
fn different(mut runs: Vec<Solution>, at_most: usize) -> Vec<Solution> {
    runs.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
    runs.dedup_by(|b, a| b.inertia <= a.inertia * (1.0 + 1e-9));
    runs.truncate(at_most);
    runs
}

/// The points that restarts are scouted on: cells, unless there are no more than a restart has anyway.
fn fewer(sketch: &Sketch, coarse: Points) -> Points {
    let few = sketch.coarser(SCOUTED_CELLS);
    if few.len() < FEW_CELLS {
        coarse
    } else {
        Points::of_cells(&few)
    }
}

/// Cells on which near ties can be told apart, at the cost of a tenth of all of them.
fn polished(sketch: &Sketch) -> Sketch {
    let cells = sketch.coarser(POLISHED_CELLS);
    // With many features one level makes a hundred cells of one.
    if cells.len() <= COARSE_CELLS {
        return sketch.clone();
    }
    cells
}

/// The points that restarts run on: coarser cells of a sketch, or all rows.
fn coarse(sketch: &Sketch, sketched: &Sketched, k_max: usize) -> Points {
    let mut limit = COARSE_CELLS;
    let mut coarse = sketch.coarser(limit);
    // With many features one level makes a hundred cells of one: take the next if this one is far too coarse.
    while coarse.len() < FEW_CELLS && coarse.len() < sketch.len() {
        limit *= 4;
        coarse = sketch.coarser(limit);
    }
    if sketched.sketch.len() < k_max {
        // Rows so close to each other, and one so far away, that distinct rows share a cell.
        return Points::of_rows(sketched);
    }
    Points::of_cells(&coarse)
}

/// Mean of all rows.
pub(in crate::cluster) fn mean(sketch: &Sketch) -> Vec<f64> {
    (0..sketch.n_features())
        .map(|feature| sketch.mean(feature))
        .collect()
}
