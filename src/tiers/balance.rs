//! Warnings about tiers that are too large or too small to be of use.
//!
//! In: cluster sizes and the features behind them. Out: warnings that say which transform would help.

use std::borrow::Cow;

use crate::cluster::Clustering;
use crate::config::{Scale, Share, Transform};
use crate::error::{Result, Warning};
use crate::features::{Fitted, power, power_lambda, quantile_positions, raw, skewness};
use crate::load::Customers;

/// A tier with more customers than this leaves too few for the others.
const DOMINANT_SHARE: f64 = 0.95;
/// A skewness above this lets a long tail decide the clusters.
const LOPSIDED: f64 = 1.0;
/// A transform is worth naming if it leaves less than this of the skewness.
const HELPFUL: f64 = 0.8;

pub(super) fn warnings(
    customers: &Customers,
    columns: &[Fitted],
    clustering: &Clustering,
    min_share: f64,
) -> Result<Vec<Warning>> {
    let all = customers.len() as f64;
    let largest = clustering.sizes.iter().copied().max().unwrap_or(0) as f64 / all;
    let small = clustering
        .sizes
        .iter()
        .filter(|&&size| (size as f64) < min_share * all)
        .count();
    let mut warnings = Vec::new();
    if largest <= DOMINANT_SHARE && small == 0 {
        return Ok(warnings);
    }
    let advice = advice(customers, columns)?;
    if DOMINANT_SHARE < largest {
        warnings.push(Warning::new(
            "dominant_tier",
            format!(
                "one tier holds {:.1} % of the customers; {advice}",
                largest * 100.0
            ),
        ));
    }
    if 0 < small {
        let noun = if small == 1 {
            "tier holds"
        } else {
            "tiers each hold"
        };
        warnings.push(Warning::new(
            "small_tiers",
            format!(
                "{small} {noun} less than {} of the customers (`min-share`); {advice}",
                Share(min_share).percent()
            ),
        ));
    }
    Ok(warnings)
}

/// Names the most lopsided feature, and what would straighten it most.
fn advice(customers: &Customers, columns: &[Fitted]) -> Result<String> {
    let mut worst: Option<(f64, &Fitted, Cow<'_, [f64]>)> = None;
    for column in columns {
        let raw = raw(customers, column.name)?;
        let now: Vec<f64> = raw.iter().map(|&value| column.apply(value)).collect();
        let now = skewness(&now);
        if worst
            .as_ref()
            .is_none_or(|(skew, _, _)| skew.abs() < now.abs())
        {
            worst = Some((now, column, raw));
        }
    }
    let Some((now, column, raw)) = worst.filter(|(skew, _, _)| LOPSIDED < skew.abs()) else {
        return Ok("the features are not lopsided; try a smaller `k`".to_owned());
    };
    let log: Vec<f64> = raw
        .iter()
        .map(|value| value.abs().ln_1p().copysign(*value))
        .collect();
    let lambda = power_lambda(&raw);
    let powered: Vec<f64> = raw.iter().map(|&value| power(value, lambda)).collect();
    let choices = [
        (Transform::Log1p, skewness(&log)),
        (Transform::YeoJohnson, skewness(&powered)),
    ];
    let best = choices
        .into_iter()
        .filter(|(transform, _)| *transform != column.transform)
        .min_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let name = column.name;
    let helps = |skew: f64| skew.abs() < HELPFUL * now.abs();
    Ok(match best {
        Some((transform, skew)) if helps(skew) => format!(
            "`{name}` has a skewness of {now:.1}, `[features.{name}] transform = \"{transform}\"` would bring it to {skew:.1}"
        ),
        _ => {
            let quantiles = skewness(&quantile_positions(raw.into_owned()));
            if column.scale != Scale::Quantile && helps(quantiles) {
                format!(
                    "`{name}` has a skewness of {now:.1}, `[features.{name}] scale = \"quantile\"` would bring it to {quantiles:.1}"
                )
            } else {
                format!(
                    "`{name}` has a skewness of {now:.1} that no transform takes away; try a smaller `k`"
                )
            }
        }
    })
}
