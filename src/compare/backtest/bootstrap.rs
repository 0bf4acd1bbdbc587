//! How sure the figures are: what they would be had other customers come.
//!
//! In: the sums of all folds and tierings. Out: the figures of every resample.
//! Invariant: in a resample a customer has the same weight in all tierings and folds; weights follow from the seed, the
//! number of the resample and the id of the customer.
//!
//! Customers stand in [`BLOCKS`] blocks by the hash of their id, and a resample gives each block a weight: the Poisson
//! bootstrap (Chamandy, Muralidharan, Najmi and Naidu 2012). Up to some thousand customers a block holds one of them;
//! beyond, blocks are random groups, whose sums vary as much as their customers do. So the price of a resample does not
//! grow with the customers. Tiers stay what they are: the interval is that of the outcome, given the tiers.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::Resampling;
use super::cells::Cells;
use super::figures::{Figures, Part, pooled};

/// Blocks of customers.
pub const BLOCKS: usize = 4_096;

/// The figures of each tiering in each resample.
pub(super) fn draws(folds: &[&[Cells]], resampling: Resampling) -> Vec<Vec<Figures>> {
    let resamples = (0..resampling.resamples).into_par_iter();
    resamples
        .map(|resample| {
            let weights = weights(resampling.seed, resample as u64);
            of_all(folds, |cells| weighted(cells, &weights))
        })
        .collect()
}

/// The same of the customers as they are.
pub(super) fn as_they_are(folds: &[&[Cells]]) -> Vec<Figures> {
    of_all(folds, whole)
}

/// The sums of all customers.
pub(super) fn whole(cells: &Cells) -> Vec<f64> {
    weighted(cells, &vec![1.0; BLOCKS])
}

fn of_all(folds: &[&[Cells]], sums: impl Fn(&Cells) -> Vec<f64>) -> Vec<Figures> {
    let tierings = folds.first().map_or(0, |fold| fold.len());
    let figures = (0..tierings).map(|tiering| {
        let parts = folds.iter().map(|fold| &fold[tiering]);
        let parts: Vec<Part> = parts.map(|cells| Part::new(cells, &sums(cells))).collect();
        pooled(&parts)
    });
    figures.collect()
}

fn weighted(cells: &Cells, weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; Cells::width(cells.tiers)];
    for (row, &weight) in cells.blocks().zip(weights) {
        if 0.0 < weight {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
    sums
}

/// A weight for each block: drawn from the Poisson distribution of mean 1.
fn weights(seed: u64, resample: u64) -> Vec<f64> {
    /// An odd number without pattern (2⁶⁴ over the golden ratio), so that streams of neighbours have nothing in common.
    const STREAM: u64 = 0x9E37_79B9_7F4A_7C15;
    let seed = seed ^ (resample + 1).wrapping_mul(STREAM);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..BLOCKS)
        .map(|_| poisson(random.r#gen::<f64>()))
        .collect()
}

/// The Poisson number of mean 1 at a level of its distribution, 0 to 1.
fn poisson(level: f64) -> f64 {
    let (mut count, mut probability) = (0.0, (-1.0_f64).exp());
    let mut up_to = probability;
    while up_to <= level && count < 20.0 {
        count += 1.0;
        probability /= count;
        up_to += probability;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::backtest::cells::cells;
    use crate::compare::backtest::{Measure, Ranked, Trial};
    use crate::load::Future;

    #[test]
    fn weights_are_poisson_numbers_of_mean_one() {
        let all: Vec<f64> = (0..50).flat_map(|resample| weights(7, resample)).collect();
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let variance = all.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        let none = all.iter().filter(|&&w| w == 0.0).count() as f64 / n;
        assert!((none - (-1.0_f64).exp()).abs() < 0.005, "{none}");
        assert_ne!(weights(7, 0), weights(7, 1));
        assert_ne!(weights(7, 0), weights(8, 0));
    }

    /// Pearson's coefficient of average ranks, the long way round.
    fn spearman_of_each(tiers: &[u32], revenue: &[i64]) -> f64 {
        fn ranks<T: PartialOrd>(values: &[T]) -> Vec<f64> {
            let rank = |value: &T| {
                let below = values.iter().filter(|&other| other < value).count() as f64;
                let equal = values.iter().filter(|&other| other == value).count() as f64;
                below + f64::midpoint(equal, 1.0)
            };
            values.iter().map(rank).collect()
        }
        let best_greatest: Vec<i64> = tiers.iter().map(|&tier| -i64::from(tier)).collect();
        let (a, b) = (ranks(&best_greatest), ranks(revenue));
        let mean = f64::midpoint(a.len() as f64, 1.0);
        let sum = |of: &dyn Fn(usize) -> f64| (0..a.len()).map(of).sum::<f64>();
        let product = sum(&|i| (a[i] - mean) * (b[i] - mean));
        let of_a = sum(&|i| (a[i] - mean).powi(2));
        let of_b = sum(&|i| (b[i] - mean).powi(2));
        product / (of_a * of_b).sqrt()
    }

    /// 1,500 customers, each in a block of its own; two of three bring nothing, some less than that.
    fn customers() -> (Vec<u32>, Future, Vec<u64>) {
        let n = 1_500_u64;
        let tier = |i: u64| u32::try_from(i * 7_919 % 1_009 % 4).unwrap_or(0);
        let amount = |i: u64| {
            let drawn = i64::try_from(i * 48_271 % 65_537).unwrap_or(0);
            match drawn % 9 {
                0..=5 => 0,
                6 => -drawn % 500,
                _ => drawn * (4 - i64::from(tier(i))) / 10,
            }
        };
        let revenue: Vec<i64> = (0..n).map(amount).collect();
        let future = Future {
            orders: revenue.iter().map(|&units| i64::from(units != 0)).collect(),
            revenue,
            decimals: 2,
            newcomers: 0,
            newcomers_revenue: 0,
        };
        ((0..n).map(tier).collect(), future, (0..n).collect())
    }

    fn cells_of(labels: &[u32], future: &Future, hashes: &[u64]) -> Vec<Cells> {
        let tierings = [Ranked {
            name: "four".to_owned(),
            tiers: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            labels: labels.to_vec(),
        }];
        cells(&Trial {
            at: "",
            until: "",
            tierings: &tierings,
            future,
            hashes,
        })
    }

    #[test]
    fn the_figures_of_a_resample_are_those_of_its_customers_copied_out() {
        let (labels, future, hashes) = customers();
        let cells = cells_of(&labels, &future, &hashes);
        let as_is = as_they_are(&[&cells])[0];
        let exact = spearman_of_each(&labels, &future.revenue);
        assert!((as_is.rank_correlation.unwrap_or(f64::NAN) - exact).abs() < 1e-12);
        for resample in 0..5 {
            let weights = weights(3, resample);
            let (mut drawn, mut revenue, mut ids) = (Vec::new(), Vec::new(), Vec::new());
            for (row, &weight) in weights.iter().take(labels.len()).enumerate() {
                let mut copies = weight;
                while 0.5 < copies {
                    drawn.push(labels[row]);
                    revenue.push(future.revenue[row]);
                    ids.push(row as u64);
                    copies -= 1.0;
                }
            }
            let copied = Future {
                orders: vec![0; revenue.len()],
                revenue: revenue.clone(),
                ..future.clone()
            };
            let expected = as_they_are(&[&cells_of(&drawn, &copied, &ids)])[0];
            let found = of_all(&[&cells], |cells| weighted(cells, &weights))[0];
            for measure in Measure::ALL {
                // Ranks among the drawn are written as a sum: what is left out is of the order of one customer.
                let tolerance = if measure == Measure::RankCorrelation {
                    2.0 / labels.len() as f64
                } else {
                    1e-12
                };
                let (found, expected) = (found.get(measure), expected.get(measure));
                let off = (found.unwrap_or(f64::NAN) - expected.unwrap_or(f64::NAN)).abs();
                assert!(
                    off < tolerance,
                    "{measure:?}: {found:?} against {expected:?}"
                );
            }
            let moved = found.rank_correlation.unwrap_or(f64::NAN) - exact;
            assert!(1e-3 < moved.abs(), "the resample is no other: {moved}");
        }
    }
}
