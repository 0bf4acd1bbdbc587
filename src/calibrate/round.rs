//! Numbers that people can remember.
//!
//! In: a number, or the cut points of a [`Line`]. Out: round ones, and how many customers change band by it.
//! Invariant: rounded cut points ascend as they did, no band loses its last customer, and neither more than a hundredth of all
//! customers nor a tenth of a band changes places at a cut point.

use crate::config::Feature;

use super::line::Line;

/// Share of the customers that rounding may move.
const MOST_MOVED: f64 = 0.01;
/// Share of the smaller band at a cut point that may change places.
const MOST_OF_BAND: f64 = 0.1;
/// How far a cut point may go, relative to itself.
const FARTHEST: f64 = 0.1;
/// Digits that are tried at most.
const DIGITS: i32 = 7;

/// Cut points after rounding.
pub(super) struct Rounded {
    pub cuts: Vec<f64>,
    /// Customers who change band.
    pub moved: u64,
}

/// Rounds cut points, each as much as its part of the allowance permits.
pub(super) fn rounded(line: &Line, cuts: &[f64]) -> Rounded {
    let allowed = line.customers() as f64 * MOST_MOVED / cuts.len().max(1) as f64;
    let mut round: Vec<f64> = Vec::with_capacity(cuts.len());
    for (index, &cut) in cuts.iter().enumerate() {
        let here = line.below(cut);
        // Beside the next cut points that lie elsewhere: the band between equal ones is empty and stays so.
        let differs = |other: &&f64| line.below(**other) != here;
        let low = cuts[..index]
            .iter()
            .rev()
            .find(differs)
            .map_or(0, |&before| line.below(before));
        let taken = round.last().map_or(0, |&last| line.below(last));
        let next = cuts[index + 1..]
            .iter()
            .find(differs)
            .map_or(line.len(), |&cut| line.below(cut));
        let smaller = (line.before(here) - line.before(low))
            .min(line.before(next.max(here)) - line.before(here));
        let allowed = allowed.min(smaller as f64 * MOST_OF_BAND);
        // Days and orders are whole, so that one of them is always near.
        let unit = if is_whole(line.feature) { 1.0 } else { 0.0 };
        let far = (cut.abs() * FARTHEST).max(unit);
        let moved = |candidate: f64| {
            let there = line.below(candidate);
            line.before(there).abs_diff(line.before(here))
        };
        let fits = |&candidate: &f64| {
            let there = line.below(candidate);
            // A band that is empty already may stay so.
            let keeps_lower = taken < there || here <= low;
            let keeps_upper = there < next || next <= here;
            let ascends = round.last().is_none_or(|&last| last <= candidate);
            let near = (candidate - cut).abs() <= far;
            near && keeps_lower && keeps_upper && ascends && moved(candidate) as f64 <= allowed
        };
        let found = if index
            .checked_sub(1)
            .is_some_and(|before| cuts[before].total_cmp(&cut).is_eq())
        {
            // Equal cut points stay equal.
            round.last().copied()
        } else {
            steps(line.feature, cut).find_map(|near| {
                let mut near: Vec<f64> = near.into_iter().filter(fits).collect();
                near.sort_by(|a, b| {
                    let distance = |value: &f64| (value - cut).abs();
                    moved(*a)
                        .cmp(&moved(*b))
                        .then(distance(a).total_cmp(&distance(b)))
                });
                near.first().copied()
            })
        };
        round.push(found.unwrap_or(cut));
    }
    Rounded {
        moved: moved(line, cuts, &round),
        cuts: round,
    }
}

/// Customers who are in another band by other cut points.
fn moved(line: &Line, cuts: &[f64], others: &[f64]) -> u64 {
    let places = |cuts: &[f64]| cuts.iter().map(|&cut| line.below(cut)).collect::<Vec<_>>();
    let (a, b) = (places(cuts), places(others));
    let mut ends: Vec<usize> = a.iter().chain(&b).copied().chain([0, line.len()]).collect();
    ends.sort_unstable();
    let band = |places: &[usize], value: usize| places.partition_point(|&place| place <= value);
    let differs = |ends: &&[usize]| band(&a, ends[0]) != band(&b, ends[0]);
    let stretches = ends.windows(2).filter(differs);
    stretches
        .map(|ends| line.before(ends[1]) - line.before(ends[0]))
        .sum()
}

/// For each step of roundness, the coarsest first, the multiples on either side of a number. Days and orders stay whole.
pub(super) fn steps(feature: Feature, value: f64) -> impl Iterator<Item = Vec<f64>> {
    const MANTISSAS: [(f64, i32); 4] = [(5.0, 0), (25.0, -1), (2.0, 0), (1.0, 0)];
    let whole = is_whole(feature);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the exponent of a finite number"
    )]
    let exponent = if value.abs() < f64::MIN_POSITIVE {
        0
    } else {
        value.abs().log10().floor().clamp(-300.0, 300.0) as i32
    };
    let exponents = (exponent - DIGITS..=exponent).rev();
    exponents
        .flat_map(|exponent| MANTISSAS.map(|(mantissa, shift)| (mantissa, exponent + shift)))
        .filter(move |&(mantissa, exponent)| !whole || (0 <= exponent && 1.0 <= mantissa))
        .map(move |(mantissa, exponent)| {
            let step = scaled(mantissa, exponent);
            let multiples = [(value / step).floor(), (value / step).ceil()];
            multiples
                .map(|times| scaled(times * mantissa, exponent))
                .to_vec()
        })
}

fn is_whole(feature: Feature) -> bool {
    !matches!(feature, Feature::Monetary | Feature::Aov)
}

/// A whole number times a power of ten, without the last digits of a power below 1.
fn scaled(mantissa: f64, exponent: i32) -> f64 {
    if exponent < 0 {
        mantissa / 10_f64.powi(-exponent)
    } else {
        mantissa * 10_f64.powi(exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_rounder_step_by_step() {
        let near = |value: f64, feature| steps(feature, value).take(4).collect::<Vec<_>>();
        assert_eq!(
            near(171.0, Feature::RecencyDays),
            [
                vec![0.0, 500.0],
                vec![0.0, 250.0],
                vec![0.0, 200.0],
                vec![100.0, 200.0]
            ]
        );
        let all: Vec<Vec<f64>> = steps(Feature::Monetary, 0.37).collect();
        assert!(all.contains(&vec![0.35, 0.4]), "{all:?}");
        assert!(
            steps(Feature::Frequency, 3.0)
                .all(|near| near.iter().all(|value| value.fract() == 0.0))
        );
    }
}
