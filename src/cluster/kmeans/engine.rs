//! The steps of one fit: restarts on few cells, polish on many, Lloyd on all cells where rows share them, the end on all rows.
//!
//! In: a sketch and its rows. Out: [`Solved`].
//! Invariant: what leaves is counted over all rows, and its clusters stand in the order of their coordinates.

use std::ops::RangeInclusive;

use ndarray::{Array2, ArrayView1};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::Owner;
use super::exact::{self, Fixed, Pace};
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
/// As many times more of them where all cells together are few: nobody waits for it there, and of two minima that differ by a
/// ten-thousandth the better one is hard to come by.
const PATIENCE: usize = 5;
/// Swaps that a restart tries at least.
const FEWEST_SWAPS: usize = 3;
/// Swaps that a restart tries at most.
const MOST_SWAPS: usize = 100;
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

/// Inertias of cells that differ by less may be the other way round on the rows.
const NEAR: f64 = 1e-6;

/// Where the last steps start.
struct Starts {
    best: Vec<f64>,
    /// Others as good as that, as far as cells tell.
    near: Vec<Vec<f64>>,
}

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
    pub(in crate::cluster) owners: Vec<Owner>,
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
    /// Whether all cells are few enough to be refined.
    few_cells: bool,
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
            few_cells: sketch.len() <= REFINED_CELLS,
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
        let starts = ks.into_par_iter().map(|k| self.starts(k, search));
        let starts: Vec<Starts> = starts.collect();
        let solved = starts.par_iter().with_max_len(1);
        solved
            .map(|starts| self.finish_best(starts, search.max_iter))
            .collect()
    }

    /// The best of several restarts, taken to a fixed point on all rows.
    pub(in crate::cluster) fn solve(&self, k: usize, search: Search) -> Solved {
        self.finish_best(&self.starts(k, search), search.max_iter)
    }

    /// The best of what comes of near ties.
    fn finish_best(&self, starts: &Starts, max_iter: u64) -> Solved {
        let best = self.finish(&starts.best, max_iter);
        let near = starts.near.iter().map(|near| self.finish(near, max_iter));
        near.fold(best, |a, b| if b.inertia < a.inertia { b } else { a })
    }

    /// From given centroids to a fixed point on all rows.
    pub(in crate::cluster) fn finish(&self, start: &[f64], max_iter: u64) -> Solved {
        let d = self.rows.n_features;
        let pace = if self.many { Pace::Long } else { Pace::Plain };
        let mut fixed = exact::iterate(&self.rows, self.centroids(start).places, (max_iter, pace));
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
            fixed = exact::iterate(&self.rows, start, (left, Pace::Plain));
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
        let owners: Vec<Owner> = rows
            .map(|row| Owner::try_from(place(ArrayView1::from(row))).unwrap_or(Owner::MAX))
            .collect();
        let nothing = || Totals::nothing(k, d);
        let add_row = |mut totals: Totals, (row, &owner): (usize, &Owner)| {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            totals.row(&self.rows, row, (owner.into(), 1));
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
    fn starts(&self, k: usize, search: Search) -> Starts {
        let mut best = self.best(k, search).into_iter().map(|solution| {
            if self.many {
                exact::iterate_cells(
                    &self.rows,
                    solution.centroids,
                    (search.max_iter, Pace::Long),
                )
            } else {
                solution.centroids
            }
        });
        Starts {
            best: best.next().unwrap_or_default(),
            near: best.collect(),
        }
    }

    /// The best of the restarts; where they were refined, with those that only all rows can tell from it.
    fn best(&self, k: usize, search: Search) -> Vec<Solution> {
        // Every restart stands for itself: more of them add candidates and change none.
        let runs = (0..search.n_runs)
            .into_par_iter()
            .flat_map_iter(|run| self.restart(k, search.max_iter, &mut generator(search, run)));
        let finalists = if self.fine.is_some() {
            usize::MAX
        } else {
            FINALISTS
        };
        let runs = different(runs.collect(), finalists);
        match (&self.fine, &self.cells) {
            (Some(fine), cells) => {
                let refined = runs.into_par_iter().map(|mut run| {
                    // Hartigan's moves ask for means of what each owns, which those of coarse cells are not.
                    if let Some(cells) = cells {
                        let fixed =
                            exact::iterate(cells, run.centroids, (search.max_iter, Pace::Plain));
                        run.centroids = fixed.centroids.places;
                    } else {
                        run = fine.lloyd(run.centroids, search.max_iter);
                    }
                    fine.refine(run, search.max_iter)
                });
                // Minima that coarse cells cannot tell apart are only left here.
                let mut best = different(refined.collect(), FINALISTS);
                let swaps = (PATIENCE * SWAPPED_POINTS / fine.len()).min(MOST_SWAPS);
                let swapped = best.par_iter().enumerate().map(|(run, found)| {
                    let effort = (swaps, search.max_iter);
                    let swapped = fine.swap(found.clone(), effort, &mut generator(search, run));
                    fine.refine(swapped, search.max_iter)
                });
                let swapped: Vec<Solution> = swapped.collect();
                best.extend(swapped);
                let mut best = different(best, FINALISTS);
                let least = best.first().map_or(0.0, |best| best.inertia);
                best.retain(|next| next.inertia <= least * (1.0 + NEAR));
                best
            }
            (None, Some(cells)) => {
                let polished = runs.into_par_iter().map(|run| {
                    let fixed =
                        exact::iterate(cells, run.centroids, (search.max_iter, Pace::Plain));
                    Solution {
                        // Of one total, what is left over is least where most is explained.
                        inertia: -self.between(&fixed),
                        centroids: fixed.centroids.places,
                    }
                });
                let polished: Vec<Solution> = polished.collect();
                let best = polished.into_iter();
                let best = best.reduce(|a, b| if b.inertia < a.inertia { b } else { a });
                best.into_iter().collect()
            }
            (None, None) => runs.into_iter().take(1).collect(),
        }
    }

    /// One restart: the best of a few scouted starts, then Lloyd, swaps and Hartigan on the coarse cells. Where finer ones will
    /// judge, what it came by without swaps is kept, too: coarse cells may have swapped the better minimum away.
    fn restart(&self, k: usize, max_iter: u64, random: &mut Xoshiro256PlusPlus) -> Vec<Solution> {
        let mut best = self.scout(k, max_iter, random);
        for _ in 1..SCOUTS {
            let next = self.scout(k, max_iter, random);
            if next.inertia < best.inertia {
                best = next;
            }
        }
        let run = self.coarse.lloyd(best.centroids, max_iter);
        let patience = if self.few_cells { PATIENCE } else { 1 };
        let swaps = patience * SWAPPED_POINTS / self.coarse.len();
        let swaps = swaps.clamp(FEWEST_SWAPS, MOST_SWAPS);
        let swapped = self.coarse.swap(run.clone(), (swaps, max_iter), random);
        let swapped = self.coarse.refine(swapped, max_iter);
        if self.fine.is_some() {
            vec![swapped, run]
        } else {
            vec![swapped]
        }
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

/// The random numbers of a run.
fn generator(search: Search, run: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(search.seed.wrapping_add(run as u64))
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
