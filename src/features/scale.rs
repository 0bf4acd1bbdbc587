//! Scales: how transformed features are made comparable.
//!
//! In: the transformed values of one feature. Out: center and spread, or the quantiles that positions are read from.
//! Invariant: sums run over blocks of customers in a fixed order, so that they do not depend on the number of threads.

use rayon::prelude::*;

use super::BLOCK;
use super::quantile::{type7, type7_of_any, type7_step};
use crate::config::Scale;

/// Levels of the quantile scale (scikit-learn's `QuantileTransformer` has as many).
const LEVELS: usize = 1_000;

/// Sums, minima and maxima of a block that are taken at once.
const LANES: usize = 8;

/// Parameters of a scale.
pub(super) struct Scaled {
    pub(super) center: f64,
    pub(super) spread: f64,
    pub(super) quantiles: Option<Vec<f64>>,
    /// All values are the same: the column is 0 for everybody.
    pub(super) constant: bool,
}

/// Fits a scale.
///
/// Formulas as scikit-learn's `StandardScaler`, `RobustScaler`, `MinMaxScaler` and `QuantileTransformer`.
pub(super) fn fit(scale: Scale, values: &[f64]) -> Scaled {
    let (low, high) = ends(values);
    let plain = |center: f64, spread: f64| Scaled {
        center,
        spread,
        quantiles: None,
        constant: false,
    };
    if high <= low {
        // A deviation computed from equal values can be a rounding error instead of 0.
        return Scaled {
            constant: true,
            ..plain(low, 1.0)
        };
    }
    match scale {
        Scale::Zscore => {
            let (mean, deviation) = mean_and_deviation(values);
            plain(mean, deviation)
        }
        Scale::Minmax => plain(low, high - low),
        Scale::Robust => {
            let quartiles = type7_of_any(values.len(), |row| values[row], &[0.25, 0.5, 0.75]);
            let range = quartiles[2] - quartiles[0];
            // Half the customers can share one value; then the whole range is the next honest measure.
            plain(quartiles[1], if 0.0 < range { range } else { high - low })
        }
        Scale::Quantile => {
            let mut sorted = values.to_vec();
            sorted.par_sort_unstable_by(f64::total_cmp);
            let levels = sorted.len().min(LEVELS);
            let quantiles = (0..levels)
                .map(|level| type7_step(&sorted, level, levels - 1))
                .collect();
            Scaled {
                quantiles: Some(quantiles),
                ..plain(0.0, 1.0)
            }
        }
    }
}

/// Least and greatest value; of both zeros, the one without a sign. Of no values ∞ and −∞.
pub(crate) fn ends(values: &[f64]) -> (f64, f64) {
    let blocks = values.par_chunks(BLOCK).map(|block| {
        // In eight lanes, of which no one waits for another.
        let (mut least, mut greatest) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let (eights, rest) = block.as_chunks::<LANES>();
        for eight in eights {
            for (lane, &value) in eight.iter().enumerate() {
                least[lane] = if value < least[lane] {
                    value
                } else {
                    least[lane]
                };
                greatest[lane] = if greatest[lane] < value {
                    value
                } else {
                    greatest[lane]
                };
            }
        }
        (
            least
                .iter()
                .chain(rest)
                .copied()
                .fold(f64::INFINITY, f64::min),
            greatest
                .iter()
                .chain(rest)
                .copied()
                .fold(f64::NEG_INFINITY, f64::max),
        )
    });
    let nothing = || (f64::INFINITY, f64::NEG_INFINITY);
    let (least, greatest) = blocks.reduce(nothing, |a, b| (a.0.min(b.0), a.1.max(b.1)));
    (least + 0.0, greatest + 0.0)
}

/// The mean, added up in the order of [`mean_and_deviation`].
pub(crate) fn mean(values: &[f64]) -> f64 {
    let [sum] = sums(values, |value| [value]);
    sum / values.len() as f64
}

/// Mean and population deviation, by two passes.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = mean(values);
    let [squares, rest] = sums(values, |value| {
        [(value - mean) * (value - mean), value - mean]
    });
    // The second term takes out what rounding left in the mean (Chan, Golub, LeVeque 1983).
    (mean, ((squares - rest * rest / n) / n).sqrt())
}

/// Sums of terms of the values: block by block, in each of them in eight sums that can be added to at once. The order is
/// fixed, whatever the number of threads.
fn sums<const N: usize>(values: &[f64], terms: impl Fn(f64) -> [f64; N] + Sync) -> [f64; N] {
    let of_block = |block: &[f64]| {
        let mut lanes = [[0.0; LANES]; N];
        let (eights, rest) = block.as_chunks::<LANES>();
        for eight in eights {
            for (lane, &value) in eight.iter().enumerate() {
                for (sums, term) in lanes.iter_mut().zip(terms(value)) {
                    sums[lane] += term;
                }
            }
        }
        let mut sums = lanes.map(|lanes| lanes.iter().sum::<f64>());
        for &value in rest {
            for (sum, term) in sums.iter_mut().zip(terms(value)) {
                *sum += term;
            }
        }
        sums
    };
    let blocks: Vec<[f64; N]> = values.par_chunks(BLOCK).map(of_block).collect();
    let mut all = [0.0; N];
    for block in blocks {
        for (sum, term) in all.iter_mut().zip(block) {
            *sum += term;
        }
    }
    all
}

/// Where a value lies among ascending quantiles, 0 to 1. Equal quantiles give the middle of their levels, as
/// scikit-learn has it by interpolating from both sides.
pub(super) fn position(quantiles: &[f64], value: f64) -> f64 {
    let last = (quantiles.len() - 1) as f64;
    // Both ends hold all that lies there, however often it stands among the quantiles.
    if value <= quantiles[0] {
        return 0.0;
    }
    if quantiles[quantiles.len() - 1] <= value {
        return 1.0;
    }
    let from_below = {
        let i = quantiles.partition_point(|&q| q <= value);
        between(quantiles, i, value)
    };
    let from_above = {
        let i = quantiles.partition_point(|&q| q < value);
        between(quantiles, i, value)
    };
    f64::midpoint(from_below, from_above) / last
}

/// The fractional index of `value` in front of index `i`.
fn between(quantiles: &[f64], i: usize, value: f64) -> f64 {
    if i == 0 {
        return 0.0;
    }
    if i == quantiles.len() {
        return (quantiles.len() - 1) as f64;
    }
    let (low, high) = (quantiles[i - 1], quantiles[i]);
    if high <= low {
        return i as f64;
    }
    (i - 1) as f64 + (value - low) / (high - low)
}

/// The value at a position, 0 to 1, among ascending quantiles.
pub(super) fn at_position(quantiles: &[f64], position: f64) -> f64 {
    type7(quantiles, position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_those_of_a_plain_look() {
        assert_eq!(ends(&[]), (f64::INFINITY, f64::NEG_INFINITY));
        for n in [1, 7, 8, 9, 8_191, 8_193, 20_000] {
            let value = |at: usize| ((at * 7_919 % 10_007) as f64 - 4_000.0) / 3.0;
            let mut values: Vec<f64> = (0..n).map(value).collect();
            for place in [0, n / 2, n - 1] {
                for extreme in [-1e9, 1e9] {
                    let before = std::mem::replace(&mut values[place], extreme);
                    let mut sorted = values.clone();
                    sorted.sort_unstable_by(f64::total_cmp);
                    assert_eq!(ends(&values), (sorted[0], sorted[n - 1]), "{n} {place}");
                    values[place] = before;
                }
            }
        }
        let (least, greatest) = ends(&[-0.0, -0.0]);
        assert_eq!((least.to_bits(), greatest.to_bits()), (0, 0));
    }
}
