//! Transforms: making a lopsided distribution less so.
//!
//! In: raw values. Out: transformed values, and the exponent that fits best.
//! Invariant: every transform is strictly increasing and keeps 0 at 0, so that order and sign survive.

use super::scale::mean_and_deviation;
use crate::config::Transform;

/// A transform of one value.
pub(super) fn forward(transform: Transform, lambda: Option<f64>, value: f64) -> f64 {
    match (transform, lambda) {
        (Transform::Log1p, _) => value.abs().ln_1p().copysign(value),
        (Transform::YeoJohnson, Some(lambda)) => power(value, lambda),
        (Transform::None | Transform::YeoJohnson, _) => value,
    }
}

/// The value that has this transform.
pub(super) fn inverse(transform: Transform, lambda: Option<f64>, transformed: f64) -> f64 {
    match (transform, lambda) {
        (Transform::Log1p, _) => transformed.abs().exp_m1().copysign(transformed),
        (Transform::YeoJohnson, Some(lambda)) => power_inverse(transformed, lambda),
        (Transform::None | Transform::YeoJohnson, _) => transformed,
    }
}

/// Exponents nearer than this to 0 or 2 take the logarithm that they tend to.
const NEAR: f64 = f64::EPSILON;

/// Yeo-Johnson's power transform of `x` with exponent `lambda` (Yeo and Johnson 2000; scikit-learn's
/// `PowerTransformer(method="yeo-johnson", standardize=False)`).
pub fn power(x: f64, lambda: f64) -> f64 {
    if 0.0 <= x {
        if lambda.abs() < NEAR {
            x.ln_1p()
        } else {
            (lambda * x.ln_1p()).exp_m1() / lambda
        }
    } else if (lambda - 2.0).abs() < NEAR {
        -(-x).ln_1p()
    } else {
        -((2.0 - lambda) * (-x).ln_1p()).exp_m1() / (2.0 - lambda)
    }
}

/// The value whose power transform is `y`. Values that no `x` reaches give the end of the range.
pub fn power_inverse(y: f64, lambda: f64) -> f64 {
    if 0.0 <= y {
        if lambda.abs() < NEAR {
            y.exp_m1()
        } else {
            ((lambda * y).max(-1.0).ln_1p() / lambda).exp_m1()
        }
    } else if (lambda - 2.0).abs() < NEAR {
        -(-y).exp_m1()
    } else {
        let exponent = 2.0 - lambda;
        -((-exponent * y).max(-1.0).ln_1p() / exponent).exp_m1()
    }
}

/// Exponents beyond this, which values all but equal ask for, overflow on others.
const STEEPEST: f64 = 20.0;

/// The exponent of greatest likelihood for values that become normal by [`power`], from −20 to 20.
///
/// 1 (no change) for constant values.
pub fn power_lambda(values: &[f64]) -> f64 {
    let first = values.first().copied().unwrap_or(0.0);
    if values.iter().all(|&value| value <= first && first <= value) {
        return 1.0;
    }
    let jacobian: f64 = values.iter().map(|&x| x.abs().ln_1p().copysign(x)).sum();
    let n = values.len() as f64;
    let loss = |lambda: f64| {
        let transformed: Vec<f64> = values.iter().map(|&x| power(x, lambda)).collect();
        let (_, deviation) = mean_and_deviation(&transformed);
        if deviation.is_finite() && 0.0 < deviation {
            n * deviation.ln() - (lambda - 1.0) * jacobian
        } else {
            f64::INFINITY
        }
    };
    minimum(loss).clamp(-STEEPEST, STEEPEST)
}

/// The place of the minimum of a function with one valley: steps of growing width find three points that enclose it,
/// then golden section closes in. Near a minimum a function moves by the square of the distance, so that about eight
/// digits of the place can be seen in f64; that is where it stops.
fn minimum(f: impl Fn(f64) -> f64) -> f64 {
    /// 2 − the golden ratio: how far into the larger part the next look goes.
    const GOLDEN: f64 = 0.381_966_011_250_105;
    const CLOSE_ENOUGH: f64 = 1e-9;
    let (mut low, mut mid, mut high) = (-1.0, 0.5, 2.0);
    let (mut at_low, mut at_mid, mut at_high) = (f(low), f(mid), f(high));
    for _ in 0..60 {
        if at_mid <= at_low && at_mid <= at_high {
            break;
        }
        let width = high - low;
        if at_low < at_high {
            (high, at_high) = (mid, at_mid);
            (mid, at_mid) = (low, at_low);
            low -= width;
            at_low = f(low);
        } else {
            (low, at_low) = (mid, at_mid);
            (mid, at_mid) = (high, at_high);
            high += width;
            at_high = f(high);
        }
    }
    while CLOSE_ENOUGH * (1.0 + mid.abs()) < high - low {
        let right = mid - low < high - mid;
        let next = if right {
            mid + GOLDEN * (high - mid)
        } else {
            mid - GOLDEN * (mid - low)
        };
        let at_next = f(next);
        if at_next < at_mid {
            if right {
                low = mid;
            } else {
                high = mid;
            }
            (mid, at_mid) = (next, at_next);
        } else if right {
            high = next;
        } else {
            low = next;
        }
    }
    mid
}

/// How lopsided values are: the third standardised moment, 0 for a symmetric distribution and for constant values.
pub fn skewness(values: &[f64]) -> f64 {
    let (mean, deviation) = mean_and_deviation(values);
    if !(deviation.is_finite() && 0.0 < deviation) {
        return 0.0;
    }
    values
        .iter()
        .map(|value| ((value - mean) / deviation).powi(3))
        .sum::<f64>()
        / values.len() as f64
}
