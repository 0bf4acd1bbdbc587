//! Figures become a tier, as `tiers::place` gives it.
//!
//! In: the step `figures`, the fitted features and how the space is divided. Out: a step with the column `tier`, 1 best.
//! Invariant: of two tiers with equal claim the better one wins. Bands are compared in the unit of the feature, where
//! cut points are customers' own values and a logarithm's last digit would decide.

use super::dialect::Speech;
use super::select::{Select, Steps, case};
use super::{SqlPlaces, SqlQuery};
use crate::cluster::Component;
use crate::config::{Feature, Transform};
use crate::features::Fitted;

/// Exponents of Yeo-Johnson nearer than this to 0 or 2 are written as a series: the power would lose its digits.
const NEAR: f64 = 1e-5;
/// How far from a quantile, relative above 1, a transformed value may lie and still be that quantile.
const SLACK: f64 = 1e-12;
/// A cut point that differs by less, relative above 1, is the same one.
const SAME: f64 = 1e-9;

pub(super) fn tier(query: &SqlQuery<'_>, speech: &Speech, steps: &mut Steps) {
    match &query.places {
        SqlPlaces::Nearest(centroids) => {
            scaled(query, speech, steps);
            let distances = centroids.iter().map(|centroid| distance(query, centroid));
            first_least(&distances.collect::<Vec<_>>(), "LEAST", steps);
        }
        SqlPlaces::Likeliest(components) => {
            scaled(query, speech, steps);
            let likelihoods = components.iter().map(|one| likelihood(query, one));
            first_least(&likelihoods.collect::<Vec<_>>(), "GREATEST", steps);
        }
        SqlPlaces::Bands { cuts, tiers } => bands(query, (cuts, tiers), speech, steps),
    }
}

/// Adds the columns of the matrix.
fn scaled(query: &SqlQuery<'_>, speech: &Speech, steps: &mut Steps) {
    let mut transformed = Select::from("figures").plain("*");
    let mut scaled = Select::from("transformed").plain("*");
    for column in query.features {
        let name = column.name.as_str();
        let value = transform(column, &raw(column.name, speech));
        transformed = transformed.column(&value, &format!("t_{name}"));
        let position = match &column.quantiles {
            Some(quantiles) => {
                // A logarithm off by its last digit must not fall beside a quantile that many share.
                let slack = match column.transform {
                    Transform::None => 0.0,
                    Transform::Log1p | Transform::YeoJohnson => SLACK,
                };
                position(quantiles, &format!("t_{name}"), slack)
            }
            None => format!("t_{name}"),
        };
        let [center, spread, weight] =
            [column.center, column.spread, column.weight].map(Speech::float);
        let value = format!("({position} - {center}) / {spread} * {weight}");
        scaled = scaled.column(&value, &format!("x_{name}"));
    }
    steps.add("transformed", transformed);
    steps.add("scaled", scaled);
}

/// A feature as a double.
pub(super) fn raw(feature: Feature, speech: &Speech) -> String {
    match feature {
        Feature::Frequency => speech.as_double("frequency"),
        other => other.as_str().to_owned(),
    }
}

/// Clipping and transform of [`Fitted::apply`].
fn transform(column: &Fitted, raw: &str) -> String {
    let clipped = match column.winsor {
        Some([low, high]) => format!(
            "LEAST(GREATEST({raw}, {}), {})",
            Speech::float(low),
            Speech::float(high)
        ),
        None => raw.to_owned(),
    };
    let log = format!("LN(1e0 + ABS({clipped}))");
    match (column.transform, column.lambda) {
        (Transform::Log1p, _) => format!("SIGN({clipped}) * {log}"),
        (Transform::YeoJohnson, Some(lambda)) => {
            let above = format!("{clipped} >= 0e0");
            let below = format!("-({})", power(2.0 - lambda, &log));
            case(vec![(above, power(lambda, &log))], Some(below))
        }
        (Transform::None | Transform::YeoJohnson, _) => clipped,
    }
}

/// (exp(λ · log) − 1) / λ.
fn power(lambda: f64, log: &str) -> String {
    if lambda == 0.0 {
        return log.to_owned();
    }
    if lambda.abs() < NEAR {
        let [half, sixth] = [lambda / 2.0, lambda * lambda / 6.0].map(Speech::float);
        return format!("{log} * (1e0 + {log} * ({half} + {log} * {sixth}))");
    }
    let lambda = Speech::float(lambda);
    format!("(EXP({lambda} * {log}) - 1e0) / {lambda}")
}

/// The quantile scale: where a value lies among ascending quantiles, 0 to 1; a search by halves.
fn position(quantiles: &[f64], value: &str, slack: f64) -> String {
    let last = quantiles.len().saturating_sub(1) as f64;
    // Each distinct quantile with its first and last level.
    let mut levels: Vec<(f64, usize, usize)> = Vec::new();
    for (level, &quantile) in quantiles.iter().enumerate() {
        match levels.last_mut() {
            Some((known, _, to)) if quantile <= *known => *to = level,
            _ => levels.push((quantile, level, level)),
        }
    }
    let (Some(&(bottom, ..)), Some(&(top, ..))) = (levels.first(), levels.last()) else {
        return Speech::float(0.0);
    };
    let between = between(&levels, value, (last, slack));
    let lowest = format!("{value} <= {}", beside(bottom, slack));
    let highest = format!("{value} >= {}", beside(top, -slack));
    case(
        vec![(lowest, Speech::float(0.0)), (highest, Speech::float(1.0))],
        Some(between),
    )
}

/// A number moved by a share of itself, absolute below 1.
fn beside(value: f64, slack: f64) -> String {
    Speech::float(value + slack * value.abs().max(1.0))
}

/// The same strictly between the first and the last of `levels`.
fn between(levels: &[(f64, usize, usize)], value: &str, (last, slack): (f64, f64)) -> String {
    match levels {
        [(low, _, from), (high, ..)] => format!(
            "({} + ({value} - {}) / {}) / {}",
            Speech::float(*from as f64),
            Speech::float(*low),
            Speech::float(high - low),
            Speech::float(last)
        ),
        [] | [_] => Speech::float(0.0),
        more => {
            let middle = more.len() / 2;
            let (quantile, first, to) = more[middle];
            let at = (first + to) as f64 / 2.0 / last;
            let below = between(&more[..=middle], value, (last, slack));
            let above = between(&more[middle..], value, (last, slack));
            case(
                vec![
                    (format!("{value} < {}", beside(quantile, -slack)), below),
                    (
                        format!("{value} <= {}", beside(quantile, slack)),
                        Speech::float(at),
                    ),
                ],
                Some(above),
            )
        }
    }
}

/// `x_feature` − value, for each feature.
fn differences(query: &SqlQuery<'_>, point: &[f64]) -> Vec<String> {
    let pairs = query.features.iter().zip(point);
    pairs
        .map(|(column, &value)| format!("(x_{} - {})", column.name, Speech::float(value)))
        .collect()
}

/// The squared distance to a centroid.
fn distance(query: &SqlQuery<'_>, centroid: &[f64]) -> String {
    let squares = differences(query, centroid).into_iter();
    let squares: Vec<String> = squares.map(|side| format!("{side} * {side}")).collect();
    squares.join(" + ")
}

/// The logarithm of share times density, but for a term that all components have.
fn likelihood(query: &SqlQuery<'_>, component: &Component) -> String {
    let sides = differences(query, &component.mean);
    let squares = component.whitening.iter().map(|row| {
        let terms = row.iter().zip(&sides);
        let terms = terms.map(|(&factor, side)| format!("{} * {side}", Speech::float(factor)));
        let sum = terms.collect::<Vec<_>>().join(" + ");
        format!("({sum}) * ({sum})")
    });
    let squares: Vec<String> = squares.collect();
    format!(
        "{} - 5e-1 * ({})",
        Speech::float(component.height),
        squares.join(" + ")
    )
}

/// Adds the number of the first of the claims that is the best of all.
fn first_least(claims: &[String], best: &str, steps: &mut Steps) {
    let names: Vec<String> = (1..=claims.len()).map(|rank| format!("d_{rank}")).collect();
    let pairs = claims.iter().zip(&names);
    let select = Select::from("scaled").plain("*");
    let select = pairs.fold(select, |select, (claim, name)| select.column(claim, name));
    steps.add("claims", select);
    let best = format!("{best}({})", names.join(", "));
    let select = Select::from("claims").plain("*").column(&best, "best");
    steps.add("best_claims", select);
    let cases = names.iter().zip(1..);
    let cases = cases.map(|(name, rank)| (format!("{name} = best"), format!("{rank}")));
    let tier = case(cases.collect(), None);
    steps.add(
        "placed",
        Select::from("best_claims").plain("*").column(&tier, "tier"),
    );
}

/// Adds the tier of the cell that the bands of all features make.
fn bands(
    query: &SqlQuery<'_>,
    (cuts, tiers): (&[Vec<f64>], &[u32]),
    speech: &Speech,
    steps: &mut Steps,
) {
    let mut banded = Select::from("figures").plain("*");
    let mut cell = String::from("0");
    for (column, cuts) in query.features.iter().zip(cuts) {
        let value = raw(column.name, speech);
        let above = cuts.iter().zip(0..).filter_map(|(&cut, band)| {
            let last = last_of_band(column, cut)?;
            Some((
                format!("{value} <= {}", Speech::float(last)),
                format!("{band}"),
            ))
        });
        let above: Vec<(String, String)> = above.collect();
        let band = case(above, Some(cuts.len().to_string()));
        let name = format!("band_{}", column.name);
        cell = format!("({cell}) * {} + {name}", cuts.len() + 1);
        banded = banded.column(&band, &name);
    }
    steps.add("banded", banded);
    steps.add(
        "cells",
        Select::from("banded").plain("*").column(&cell, "cell"),
    );
    let cases = tiers.iter().enumerate();
    let cases = cases.map(|(cell, tier)| (format!("cell = {cell}"), (tier + 1).to_string()));
    let tier = case(cases.collect(), None);
    steps.add(
        "placed",
        Select::from("cells").plain("*").column(&tier, "tier"),
    );
}

/// The greatest value that the feature maps no higher than `cut`: beyond `cut` where clipping or the quantile scale maps
/// several values to one. `None` where no value lies above.
fn last_of_band(column: &Fitted, cut: f64) -> Option<f64> {
    let border = column.apply(cut) + 0.0;
    let inside = |value: f64| column.apply(value) + 0.0 <= border;
    if inside(f64::MAX) {
        // The last band of a feature whose values are clipped, or of one that has one value only.
        return None;
    }
    let (mut low, mut high) = (ordinal(cut), ordinal(f64::MAX));
    while low + 1 < high {
        let middle = low.midpoint(high);
        if inside(of_ordinal(middle)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let last = of_ordinal(low);
    let same = (last - cut).abs() <= SAME * cut.abs().max(1.0);
    Some(if same { cut } else { last })
}

/// Doubles in their order, as whole numbers.
fn ordinal(value: f64) -> i64 {
    flipped(value.to_bits().cast_signed())
}

fn of_ordinal(ordinal: i64) -> f64 {
    f64::from_bits(flipped(ordinal).cast_unsigned())
}

/// Turns the order of negative numbers around.
fn flipped(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scale;

    fn column(
        transform: Transform,
        winsor: Option<[f64; 2]>,
        quantiles: Option<Vec<f64>>,
    ) -> Fitted {
        Fitted {
            name: Feature::Monetary,
            transform,
            lambda: None,
            scale: Scale::Zscore,
            center: 0.0,
            spread: 1.0,
            weight: 1.0,
            winsor,
            winsorise: None,
            quantiles,
        }
    }

    #[test]
    fn a_cut_point_is_the_last_value_of_its_band() {
        let plain = column(Transform::Log1p, None, None);
        for cut in [-3.5, 0.0, 3.0, 1e9] {
            assert_eq!(last_of_band(&plain, cut), Some(cut));
        }
        let clipped = column(Transform::None, Some([2.0, 9.0]), None);
        assert_eq!(last_of_band(&clipped, 1.0), Some(2.0));
        assert_eq!(last_of_band(&clipped, 9.0), None);
        let ranked = column(Transform::None, None, Some(vec![1.0, 4.0, 8.0]));
        assert_eq!(last_of_band(&ranked, 0.5), Some(1.0));
        assert_eq!(last_of_band(&ranked, 4.0), Some(4.0));
        assert_eq!(last_of_band(&ranked, 8.0), None);
    }

    #[test]
    fn doubles_keep_their_order_as_whole_numbers() {
        let values = [-1e300, -1.0, -0.0, 0.0, 5e-324, 1.0, f64::MAX];
        assert!(values.is_sorted_by_key(|&value| ordinal(value)));
        for value in values {
            assert_eq!(of_ordinal(ordinal(value)).to_bits(), value.to_bits());
        }
    }
}
