//! Quantiles of type 7 (Hyndman and Fan 1996; the default of numpy, R and pandas).

/// The `level` quantile (0 to 1) of ascending values: linear between the order statistics around (n − 1) · level.
///
/// NaN for no values.
pub fn type7(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let (index, fraction) = place(last, level);
    between(sorted[index], sorted[(index + 1).min(last)], fraction)
}

/// [`type7`] at ascending levels, of values in any order, which it changes: some quantiles cost less than sorting.
pub fn type7_of_any(values: &mut [f64], levels: &[f64]) -> Vec<f64> {
    debug_assert!(levels.is_sorted(), "levels descend");
    let Some(last) = values.len().checked_sub(1) else {
        return vec![f64::NAN; levels.len()];
    };
    // All values before it are no greater than those from it on.
    let mut begin = 0;
    let mut at = |&level: &f64| {
        let (index, fraction) = place(last, level);
        let rest = &mut values[begin..];
        let (_, &mut low, above) = rest.select_nth_unstable_by(index - begin, f64::total_cmp);
        begin = index;
        let next = || above.iter().copied().min_by(f64::total_cmp);
        let high = if 0.0 < fraction { next() } else { None };
        between(low, high.unwrap_or(low), fraction)
    };
    levels.iter().map(&mut at).collect()
}

/// The order statistic below a level, and how far the level is on the way to the next.
fn place(last: usize, level: f64) -> (usize, f64) {
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number from 0 to the last index"
    )]
    let index = (below as usize).min(last);
    (index, place - below)
}

/// numpy's form of the interpolation: it is exact at both ends, and monotone.
fn between(low: f64, high: f64, fraction: f64) -> f64 {
    let step = high - low;
    if fraction < 0.5 {
        low + step * fraction
    } else {
        high - step * (1.0 - fraction)
    }
}

/// The quantile at level `step` / `steps`. Counted in whole numbers: a level such as 24/39 times 39 is not always 24, and
/// a quantile that misses its value by a rounding is another value.
pub fn type7_step(sorted: &[f64], step: usize, steps: usize) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let (index, rest) = (step * last / steps, step * last % steps);
    let low = sorted[index.min(last)];
    let high = sorted[(index + 1).min(last)];
    low + (high - low) * (rest as f64 / steps as f64)
}

/// The median of ascending values.
pub fn median(sorted: &[f64]) -> f64 {
    type7(sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (level, expected) in [(0.0, 1.0), (0.2, 1.8), (0.5, 4.0), (0.9, 12.8), (1.0, 16.0)] {
            assert!((type7(&sorted, level) - expected).abs() < 1e-12, "{level}");
        }
        assert!(type7(&[], 0.5).is_nan());
    }

    #[test]
    fn values_in_any_order_have_the_same_quantiles() {
        let levels = [0.0, 0.2, 0.25, 0.5, 0.5, 0.83, 1.0];
        for n in 1..60_u32 {
            // Ties, and both zeros.
            let mut values: Vec<f64> = (0..n)
                .map(|at| f64::from(at * 37 % 11) * if at % 3 == 0 { -0.5 } else { 1.25 })
                .collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let expected = levels.map(|level| type7(&sorted, level).to_bits());
            let found = type7_of_any(&mut values, &levels);
            assert_eq!(
                found
                    .iter()
                    .map(|value| value.to_bits())
                    .collect::<Vec<_>>(),
                expected
            );
        }
        assert!(type7_of_any(&mut [], &[0.5])[0].is_nan());
    }
}
