//! Quantiles of type 7 (Hyndman and Fan 1996; the default of numpy, R and pandas).

/// The `level` quantile (0 to 1) of ascending values: linear between the order statistics around (n − 1) · level.
///
/// NaN for no values.
pub fn type7(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor();
    let fraction = place - below;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number from 0 to the last index"
    )]
    let index = (below as usize).min(last);
    let low = sorted[index];
    let high = sorted[(index + 1).min(last)];
    // numpy's form of the interpolation: it is exact at both ends, and monotone.
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
}
