//! The innermost loops: squared distances from many points to a few places, eight points at a time.
//!
//! In: coordinates feature by feature. Out: which place is nearest, and how far.
//! Invariant: each distance is added up in the order of the features, and sums over points in eight parts, whatever the
//! width of the registers: the same bits on every machine.
//!
//! Each loop is compiled for several generations of processors, and the one that is there is asked which to run. What that is worth
//! stands in DECISIONS.md.

use fearless_simd::{Level, Simd, dispatch, f64x8, prelude::*};

/// Points that are looked at together.
const LANES: usize = 8;

/// Coordinates of points, feature by feature.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Columns<'a> {
    pub(in crate::cluster) n_features: usize,
    /// Features × points.
    pub(in crate::cluster) coordinates: &'a [f64],
    /// Points.
    pub(in crate::cluster) n: usize,
}

/// What is found about each point: the nearest place, of two at one distance the first, and its squared distance.
#[derive(Debug)]
pub(in crate::cluster) struct Nearest<'a> {
    pub(in crate::cluster) labels: &'a mut [u32],
    pub(in crate::cluster) first: &'a mut [f64],
    /// Squared distance to the second nearest place, where somebody wants it; infinite where there is none.
    pub(in crate::cluster) second: Option<&'a mut [f64]>,
}

/// Runs a function of a level of instructions and the number of features, which is known to the compiler where it is the usual one
/// and 0 elsewhere.
macro_rules! widest {
    ($columns:expr, $function:ident($($argument:expr),*)) => {
        if $columns.n_features == 3 {
            dispatch!(Level::new(), simd => $function::<_, 3>(simd, $($argument),*))
        } else {
            dispatch!(Level::new(), simd => $function::<_, 0>(simd, $($argument),*))
        }
    };
}

impl Columns<'_> {
    /// Finds the nearest of some places, places × features, for every point.
    pub(in crate::cluster) fn nearest(self, places: &[f64], found: Nearest<'_>) {
        widest!(self, nearest(self, places, found));
    }

    /// Lowers squared distances `from` to those to one more place, and adds them up by weight.
    pub(super) fn lowered(
        self,
        place: &[f64],
        weights: &[f64],
        (from, to): (&[f64], &mut [f64]),
    ) -> f64 {
        widest!(self, lowered(self, place, weights, (from, to)))
    }

    #[expect(
        clippy::inline_always,
        reason = "it has to be part of the loop that was compiled for the processor"
    )]
    #[inline(always)]
    fn squared<S: Simd>(self, simd: S, start: usize, place: &[f64]) -> f64x8<S> {
        let mut squared = f64x8::splat(simd, 0.0);
        for (feature, &coordinate) in place.iter().enumerate() {
            let at = feature * self.n + start;
            let away = f64x8::from_slice(simd, &self.coordinates[at..at + LANES]) - coordinate;
            squared += away * away;
        }
        squared
    }

    /// The same of one point.
    fn squared_of(self, point: usize, place: &[f64]) -> f64 {
        let mut squared = 0.0;
        for (feature, &coordinate) in place.iter().enumerate() {
            let away = self.coordinates[feature * self.n + point] - coordinate;
            squared += away * away;
        }
        squared
    }
}

#[expect(
    clippy::inline_always,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of what is compiled for the processor; labels are small whole numbers"
)]
#[inline(always)]
fn nearest<S: Simd, const D: usize>(
    simd: S,
    points: Columns<'_>,
    places: &[f64],
    found: Nearest<'_>,
) {
    let d = if D == 0 { points.n_features } else { D };
    let Nearest {
        labels,
        first,
        mut second,
    } = found;
    let eights = points.n / LANES;
    for at in 0..eights {
        let start = at * LANES;
        let mut least = f64x8::splat(simd, f64::INFINITY);
        let (mut next, mut own) = (least, f64x8::splat(simd, 0.0));
        let mut label = 0.0;
        for place in places.chunks_exact(d) {
            let squared = points.squared(simd, start, place);
            let closer = squared.simd_lt(least);
            let farther = closer.select(least, squared);
            next = farther.simd_lt(next).select(farther, next);
            least = closer.select(squared, least);
            own = closer.select(f64x8::splat(simd, label), own);
            label += 1.0;
        }
        least.store_slice(&mut first[start..start + LANES]);
        if let Some(second) = &mut second {
            next.store_slice(&mut second[start..start + LANES]);
        }
        let own: [f64; LANES] = own.into();
        labels[start..start + LANES].copy_from_slice(&own.map(|label| label as u32));
    }
    for point in eights * LANES..points.n {
        let (mut least, mut next, mut own) = (f64::INFINITY, f64::INFINITY, 0);
        for (label, place) in (0..).zip(places.chunks_exact(d)) {
            let squared = points.squared_of(point, place);
            if squared < least {
                (least, next, own) = (squared, least, label);
            } else if squared < next {
                next = squared;
            }
        }
        (labels[point], first[point]) = (own, least);
        if let Some(second) = &mut second {
            second[point] = next;
        }
    }
}

#[expect(
    clippy::inline_always,
    reason = "a part of what is compiled for the processor"
)]
#[inline(always)]
fn lowered<S: Simd, const D: usize>(
    simd: S,
    points: Columns<'_>,
    place: &[f64],
    weights: &[f64],
    (from, to): (&[f64], &mut [f64]),
) -> f64 {
    let place = &place[..if D == 0 { points.n_features } else { D }];
    let mut sums = f64x8::splat(simd, 0.0);
    let eights = points.n / LANES;
    for at in 0..eights {
        let eight = at * LANES..(at + 1) * LANES;
        let squared = points.squared(simd, eight.start, place);
        let before = f64x8::from_slice(simd, &from[eight.clone()]);
        let least = squared.simd_lt(before).select(squared, before);
        sums += least * f64x8::from_slice(simd, &weights[eight.clone()]);
        least.store_slice(&mut to[eight]);
    }
    let sums: [f64; LANES] = sums.into();
    let mut sum = sums.iter().sum();
    for point in eights * LANES..points.n {
        let squared = points.squared_of(point, place);
        let before = from[point];
        to[point] = if squared < before { squared } else { before };
        sum += to[point] * weights[point];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are not round.
    fn numbers(n: usize) -> Vec<f64> {
        let number = |i: usize| (i as f64 * 0.618_033_988).fract() * 7.0 - 3.0 + (i as f64).sin();
        (0..n).map(number).collect()
    }

    #[test]
    fn eight_at_a_time_is_one_by_one_to_the_bit() {
        for (n_features, n, k) in [(1, 5, 1), (2, 8, 3), (3, 1_003, 7), (3, 16, 1), (5, 77, 4)] {
            let all = numbers(n_features * (n + k) + k);
            let (coordinates, places) = all.split_at(n_features * n);
            let places = &places[..k * n_features];
            let points = Columns {
                n_features,
                coordinates,
                n,
            };
            let (mut labels, mut first, mut second) = (vec![9; n], vec![0.0; n], vec![0.0; n]);
            let found = Nearest {
                labels: &mut labels,
                first: &mut first,
                second: Some(&mut second),
            };
            points.nearest(places, found);
            for point in 0..n {
                let squared = |place: &[f64]| -> f64 {
                    let terms = place.iter().enumerate();
                    terms.fold(0.0, |sum, (feature, x)| {
                        sum + (coordinates[feature * n + point] - x).powi(2)
                    })
                };
                let mut order: Vec<(f64, u32)> =
                    places.chunks(n_features).map(squared).zip(0..).collect();
                order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let next = order.get(1).map_or(f64::INFINITY, |next| next.0);
                assert_eq!(labels[point], order[0].1);
                assert_eq!(first[point].to_bits(), order[0].0.to_bits());
                assert_eq!(second[point].to_bits(), next.to_bits());
            }
        }
    }

    #[test]
    fn of_two_places_at_one_distance_the_first_is_taken() {
        let coordinates = vec![0.0; 11];
        let points = Columns {
            n_features: 1,
            coordinates: &coordinates,
            n: 11,
        };
        let (mut labels, mut first) = (vec![9; 11], vec![0.0; 11]);
        let found = Nearest {
            labels: &mut labels,
            first: &mut first,
            second: None,
        };
        points.nearest(&[2.0, -1.0, 1.0], found);
        assert_eq!((labels, first), (vec![1; 11], vec![1.0; 11]));
    }

    #[test]
    fn distances_are_lowered_and_added_up_by_weight() {
        let n = 1_001;
        let coordinates = numbers(3 * n);
        let weights: Vec<f64> = (1..=n).map(|weight| (weight % 9) as f64).collect();
        let points = Columns {
            n_features: 3,
            coordinates: &coordinates,
            n,
        };
        let from: Vec<f64> = numbers(n).iter().map(|x| x * x).collect();
        let mut to = vec![0.0; n];
        let sum = points.lowered(&[0.1, 0.2, 0.3], &weights, (&from, &mut to));
        let mut expected = 0.0;
        for point in 0..n {
            let away = |feature: usize, x: f64| (coordinates[feature * n + point] - x).powi(2);
            let lowest = from[point].min(away(0, 0.1) + away(1, 0.2) + away(2, 0.3));
            assert_eq!(to[point].to_bits(), lowest.to_bits());
            expected += lowest * weights[point];
        }
        assert!((sum - expected).abs() < 1e-9 * expected, "{sum} {expected}");
    }
}
