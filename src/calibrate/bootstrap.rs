//! How sure cut points are: where they would lie had other customers come.
//!
//! In: the [`Bins`] of a line, and schemes. Out: an interval for each cut point.
//! Invariant: a resample draws each customer a Poisson number of times (mean 1) from a generator of its own, seeded by
//! dimension and number, so that nothing depends on threads. It moves cut points and no tiers.
//!
//! Customers of one value are drawn together: their number is a Poisson number too. So the price of a resample does not
//! grow with the customers. Beyond the bins asked for neighbours share a bin and cut points of resamples lie on its upper end.

use rand_distr::{Distribution, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::bins::Bins;
use super::division::{Order, divide};
use super::line::TierCounts;
use super::scheme::{Found, Scheme, Weighted};
use crate::error::Result;
use crate::features::quantile::type7;

/// Of the cut points of all resamples so many lie within the interval.
pub const LEVEL: f64 = 0.9;

/// How often, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// Resamples.
    pub resamples: usize,
    /// Of the generators.
    pub seed: u64,
    /// Bins of a dimension at most.
    pub bins: usize,
}

/// Intervals of the cut points: of each scheme, and of the tiers' own.
pub(super) struct Intervals {
    pub of_schemes: Vec<Vec<[f64; 2]>>,
    pub of_tiers: Vec<[f64; 2]>,
}

/// Draws, and takes the middle [`LEVEL`] of what comes out, widened to what was found without drawing.
pub(super) fn intervals(
    bins: &Bins,
    (schemes, points): (&[Scheme], &[Vec<f64>]),
    (order, division): (&Order, &[f64]),
    (resampling, stream, best_is_high): (Resampling, u64, bool),
) -> Result<Intervals> {
    let draws: Vec<Drawn> = (0..resampling.resamples as u64)
        .into_par_iter()
        .map(|resample| {
            // An odd number without pattern (2⁶⁴ over the golden ratio), so that streams have nothing in common.
            let number = (stream << 48 | resample) + 1;
            let seed = resampling.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            draw(bins, schemes, order, (&mut random, best_is_high))
        })
        .collect::<Result<_>>()?;
    let of = |point: &[f64], of_draw: &dyn Fn(&Drawn) -> Option<Vec<f64>>| {
        let found: Vec<Vec<f64>> = draws.iter().filter_map(of_draw).collect();
        let interval = |(index, &cut): (usize, &f64)| {
            let mut all: Vec<f64> = found
                .iter()
                .filter_map(|cuts| cuts.get(index).copied())
                .collect();
            all.sort_unstable_by(f64::total_cmp);
            if all.is_empty() {
                return [cut, cut];
            }
            let tail = (1.0 - LEVEL) / 2.0;
            [type7(&all, tail).min(cut), type7(&all, 1.0 - tail).max(cut)]
        };
        point.iter().enumerate().map(interval).collect::<Vec<_>>()
    };
    let of_schemes = points
        .iter()
        .enumerate()
        .map(|(index, point)| of(point, &|drawn| drawn.schemes[index].clone()))
        .collect();
    Ok(Intervals {
        of_schemes,
        of_tiers: of(division, &|drawn| drawn.tiers.clone()),
    })
}

/// The cut points of one resample; none where it left a scheme too few values.
struct Drawn {
    schemes: Vec<Option<Vec<f64>>>,
    tiers: Option<Vec<f64>>,
}

fn draw(
    bins: &Bins,
    schemes: &[Scheme],
    order: &Order,
    (random, best_is_high): (&mut Xoshiro256PlusPlus, bool),
) -> Result<Drawn> {
    let mut counts = TierCounts::default();
    let mut up_to: Vec<u64> = Vec::with_capacity(bins.len());
    let mut total = 0;
    for bin in 0..bins.len() {
        let times = |&(tier, n): &(u32, u64)| (tier, poisson(n, random));
        let drawn: Vec<(u32, u64)> = bins.tiers.of(bin).iter().map(times).collect();
        total += drawn.iter().map(|&(_, n)| n).sum::<u64>();
        up_to.push(total);
        counts.push(drawn);
    }
    if total == 0 {
        return Ok(Drawn {
            schemes: vec![None; schemes.len()],
            tiers: None,
        });
    }
    let values = Weighted {
        tops: &bins.tops,
        means: &bins.means,
        up_to: &up_to,
    };
    let found = Found::of(values, schemes)?;
    let cuts = schemes
        .iter()
        .map(|scheme| found.cuts(values, scheme, (best_is_high, false)));
    let division = divide(&counts, bins.len(), order);
    Ok(Drawn {
        schemes: cuts.collect(),
        tiers: division.map(|found| found.at.iter().map(|&at| bins.tops[at]).collect()),
    })
}

/// How often customers are drawn who are so many.
fn poisson(customers: u64, random: &mut Xoshiro256PlusPlus) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of customers"
    )]
    match Poisson::new(customers as f64) {
        Ok(distribution) => distribution.sample(random) as u64,
        Err(_) => 0,
    }
}
