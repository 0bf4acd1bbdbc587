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

/// The exponent of greatest likelihood for values that become normal by [`power`].
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
    minimum(loss)
}

/// The place of the minimum of a function with one valley: steps of growing width around 0 to 2 find three points that
/// enclose it, then golden section and parabolas close in (Brent 1973).
fn minimum(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut mid, mut high) = (-1.0, 0.5, 2.0);
    let (mut f_low, mut f_mid, mut f_high) = (f(low), f(mid), f(high));
    for _ in 0..60 {
        if f_mid <= f_low && f_mid <= f_high {
            break;
        }
        let width = high - low;
        if f_low < f_high {
            (high, f_high) = (mid, f_mid);
            (mid, f_mid) = (low, f_low);
            low -= width;
            f_low = f(low);
        } else {
            (low, f_low) = (mid, f_mid);
            (mid, f_mid) = (high, f_high);
            high += width;
            f_high = f(high);
        }
    }
    brent(f, low, mid, high)
}

fn brent(f: impl Fn(f64) -> f64, mut low: f64, start: f64, mut high: f64) -> f64 {
    const GOLDEN: f64 = 0.381_966_011_250_105;
    // Near a minimum a function moves by the square of the distance, so no better place can be seen in f64.
    const TOLERANCE: f64 = 1.5e-8;
    let (mut x, mut w, mut v) = (start, start, start);
    let (mut fx, mut fw, mut fv) = {
        let value = f(start);
        (value, value, value)
    };
    let (mut step, mut before_last) = (0.0_f64, 0.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        let tolerance = TOLERANCE * x.abs() + 1e-11;
        if (x - middle).abs() <= 2.0 * tolerance - 0.5 * (high - low) {
            break;
        }
        let mut golden = true;
        if tolerance < before_last.abs() {
            let r = (x - w) * (fx - fv);
            let mut q = (x - v) * (fx - fw);
            let mut p = (x - v) * q - (x - w) * r;
            q = 2.0 * (q - r);
            if 0.0 < q {
                p = -p;
            }
            q = q.abs();
            let last = before_last;
            before_last = step;
            if p.abs() < (0.5 * q * last).abs() && q * (low - x) < p && p < q * (high - x) {
                step = p / q;
                golden = false;
            }
        }
        if golden {
            before_last = if x < middle { high - x } else { low - x };
            step = GOLDEN * before_last;
        }
        let u = x + if step.abs() < tolerance {
            tolerance.copysign(step)
        } else {
            step
        };
        let fu = f(u);
        if fu <= fx {
            if u < x {
                high = x
            } else {
                low = x
            }
            (v, fv) = (w, fw);
            (w, fw) = (x, fx);
            (x, fx) = (u, fu);
        } else {
            if u < x {
                low = u
            } else {
                high = u
            }
            if fu <= fw || w.total_cmp(&x).is_eq() {
                (v, fv) = (w, fw);
                (w, fw) = (u, fu);
            } else if fu <= fv || v.total_cmp(&x).is_eq() || v.total_cmp(&w).is_eq() {
                (v, fv) = (u, fu);
            }
        }
    }
    x
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
