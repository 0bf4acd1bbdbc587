//! Transforms: making a lopsided distribution less so.
//!
//! In: raw values. Out: transformed values, and the exponent that fits best.
//! Invariant: every transform is strictly increasing and keeps 0 at 0, so that order and sign survive.

use super::scale::mean_and_deviation;
use crate::config::Transform;

/// Whole numbers whose transforms are looked up: days of eleven years.
const WHOLE: usize = 4_096;

/// A transform of one value.
pub(super) fn forward(transform: Transform, lambda: Option<f64>, value: f64) -> f64 {
    match (transform, lambda) {
        (Transform::Log1p, _) => value.abs().ln_1p().copysign(value),
        (Transform::YeoJohnson, Some(lambda)) => power(value, lambda),
        (Transform::None | Transform::YeoJohnson, _) => value,
    }
}

/// A transform of many values.
///
/// Days and orders are small whole numbers, each of which stands millions of times: those are looked up.
pub(super) struct Forward {
    transform: Transform,
    lambda: Option<f64>,
    /// The transforms of 0, 1, 2, …
    whole: Vec<f64>,
}

impl Forward {
    /// Ready for so many values.
    pub(super) fn new(transform: Transform, lambda: Option<f64>, values: usize) -> Self {
        let is_worth_it = transform != Transform::None && WHOLE <= values;
        let whole = 0..if is_worth_it { WHOLE } else { 0 };
        Self {
            transform,
            lambda,
            whole: whole
                .map(|value| forward(transform, lambda, value as f64))
                .collect(),
        }
    }

    /// Its exponent, where it has one.
    pub(super) fn lambda(&self) -> Option<f64> {
        self.lambda
    }

    /// The transform of a value, as [`forward`] gives it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is cut off is seen by the comparison"
    )]
    pub(super) fn of(&self, value: f64) -> f64 {
        let whole = value as usize;
        match self.whole.get(whole) {
            // The same bits: −0 has a transform of its own.
            Some(&transformed) if (whole as f64).to_bits() == value.to_bits() => transformed,
            _ => forward(self.transform, self.lambda, value),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_is_computed() {
        let mut values: Vec<f64> = (-50..2 * 4_096).map(|i| f64::from(i) / 2.0).collect();
        values.extend([-0.0, 4_095.0, 4_096.0, 1e300, f64::MIN_POSITIVE]);
        let choices = [
            (Transform::Log1p, None),
            (Transform::YeoJohnson, Some(-0.25)),
            (Transform::None, None),
        ];
        for (transform, lambda) in choices {
            let all = Forward::new(transform, lambda, values.len());
            for &value in &values {
                let expected = forward(transform, lambda, value);
                assert_eq!(all.of(value).to_bits(), expected.to_bits(), "{value}");
            }
        }
    }
}
