//! Random streams: one per customer and purpose, and the few draws that several purposes share.
//!
//! In: a seed, a customer, a purpose. Out: a generator that depends on nothing else. Invariant: two customers of one
//! purpose never share a generator, since the map from customer to key is one-to-one.
//! A key is an output of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
//! 2014) and seeds xoshiro256++ (Blackman, Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4),
//! 2021). One long generator that jumps per customer was not taken: finding customer n would cost n jumps.

use rand::{Rng, SeedableRng};
use rand_distr::{Exp1, Standard};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream is used for; a customer has one of each, so that no purpose shifts the draws of another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Group, rate, lifetime, order times and values.
    History = 1,
    /// How an order divides into line items.
    Basket = 2,
    /// Which orders come back, and when.
    Refunds = 3,
    /// Which rows are spoilt, and how.
    Dirt = 4,
}

/// The generator of one customer for one purpose.
pub(super) fn stream(seed: u64, customer: u64, purpose: Purpose) -> Xoshiro256PlusPlus {
    let base = mix(seed.wrapping_add(mix(purpose as u64)));
    Xoshiro256PlusPlus::seed_from_u64(mix(base.wrapping_add(customer.wrapping_mul(GOLDEN_RATIO))))
}

/// Whether something happens that has this chance. Outside 0..=1 it is never or always so; NaN is never.
pub(super) fn happens(chance: f64, rng: &mut impl Rng) -> bool {
    unit(rng) < chance
}

/// A point of [0, 1).
pub(super) fn unit(rng: &mut impl Rng) -> f64 {
    rng.sample(Standard)
}

/// A Poisson number, counted as the arrivals before `mean` of a process of rate 1; for means of a few units.
pub(super) fn poisson(mean: f64, rng: &mut impl Rng) -> i32 {
    let mut n_arrivals = 0;
    let mut at: f64 = rng.sample(Exp1);
    while at < mean {
        n_arrivals += 1;
        at += rng.sample::<f64, _>(Exp1);
    }
    n_arrivals
}

/// The step of `SplitMix64`: odd, so that multiplying by it is one-to-one.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of `SplitMix64`, one-to-one.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_gives_the_published_outputs_of_splitmix64() {
        // The first two outputs from seed 1234567, in many ports of the reference code.
        let outputs = [1, 2].map(|i| mix(GOLDEN_RATIO.wrapping_mul(i).wrapping_add(1_234_567)));
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn seed_customer_and_purpose_each_change_the_stream() {
        let first =
            |seed, customer, purpose| stream(seed, customer, purpose).sample::<u64, _>(Standard);
        let base = first(1, 1, Purpose::History);
        assert_eq!(base, first(1, 1, Purpose::History));
        assert_ne!(base, first(2, 1, Purpose::History));
        assert_ne!(base, first(1, 2, Purpose::History));
        for purpose in [Purpose::Basket, Purpose::Refunds, Purpose::Dirt] {
            assert_ne!(base, first(1, 1, purpose), "{purpose:?}");
        }
    }

    #[test]
    fn poisson_has_the_asked_mean_and_the_same_variance() {
        let mut rng = stream(7, 1, Purpose::Basket);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| f64::from(poisson(2.2, &mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(
            (mean - 2.2).abs() < 0.03 && (variance - 2.2).abs() < 0.06,
            "{mean} {variance}"
        );
    }

    #[test]
    fn a_chance_outside_its_range_is_never_or_always() {
        let mut rng = stream(7, 2, Purpose::Dirt);
        for (chance, expected) in [
            (0.0, false),
            (-1.0, false),
            (f64::NAN, false),
            (1.0, true),
            (9.0, true),
        ] {
            assert!(
                (0..100).all(|_| happens(chance, &mut rng) == expected),
                "{chance}"
            );
        }
    }
}
