//! Features: every transform and scale against scikit-learn's figures, and what no value may do to them.

use ndarray::Array2;
use proptest::prelude::*;
use tiermill::Error;
use tiermill::config::{Feature, FeatureConfig, Scale, Transform};
use tiermill::features::{
    Features, Fitted, fit, fit_transform, matrix, power, power_inverse, power_lambda, quantile,
    skewness,
};
use tiermill::load::Customers;

use crate::support::{cdnow, close, customers, floats, golden};

const TRANSFORMS: [Transform; 3] = [Transform::None, Transform::Log1p, Transform::YeoJohnson];
const SCALES: [Scale; 4] = [Scale::Zscore, Scale::Robust, Scale::Minmax, Scale::Quantile];
/// Equal but for the order in which numpy adds.
const SAME: f64 = 1e-9;

/// Monetary with this transform and scale, nothing else.
fn plain(transform: Transform, scale: Scale) -> FeatureConfig {
    FeatureConfig {
        feature: Feature::Monetary,
        transform,
        scale,
        weight: 1.0,
        winsorise: None,
    }
}

/// Customers whose monetary has these values, to the last bit.
fn spenders(values: &[f64]) -> Customers {
    let rows: Vec<(f64, i64, f64)> = values.iter().map(|_| (1.0, 1, 1.0)).collect();
    let mut customers = customers(&rows);
    customers.monetary = values.to_vec();
    customers
}

#[track_caller]
fn fit_one(values: &[f64], config: FeatureConfig) -> Fitted {
    let Features { columns, warnings } = fit(&spenders(values), &[config]).unwrap();
    assert_eq!(warnings, []);
    columns.into_iter().next().unwrap()
}

fn column(customers: &Customers, fitted: &Fitted) -> Vec<f64> {
    matrix(customers, std::slice::from_ref(fitted))
        .unwrap()
        .column(0)
        .to_vec()
}

/// Each golden case: its name, its values, its figures.
fn cases() -> Vec<(String, Vec<f64>, serde_json::Value)> {
    let golden = golden("golden_features.json");
    let cases = golden["cases"].as_object().unwrap();
    let case = |(name, figures): (&String, &serde_json::Value)| {
        (name.clone(), floats(&figures["values"]), figures.clone())
    };
    cases.iter().map(case).collect()
}

fn probes() -> Vec<f64> {
    floats(&golden("golden_features.json")["probes"])
}

#[track_caller]
fn all_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        close(
            *found,
            *expected,
            tolerance,
            &format!("{what}, value {row}"),
        );
    }
}

#[test]
fn scales_are_those_of_scikit_learn_also_for_values_that_they_have_not_seen() {
    for (name, values, figures) in cases() {
        for scale in [Scale::Zscore, Scale::Robust, Scale::Minmax] {
            let what = format!("{name}, {scale}");
            let expected = &figures[scale.as_str()];
            let fitted = fit_one(&values, plain(Transform::None, scale));
            close(
                fitted.center,
                expected["center"].as_f64().unwrap(),
                SAME,
                &what,
            );
            close(
                fitted.spread,
                expected["spread"].as_f64().unwrap(),
                SAME,
                &what,
            );
            let of_rows = column(&spenders(&values), &fitted);
            all_close(&of_rows, &floats(&expected["transformed"]), SAME, &what);
            let of_probes: Vec<f64> = probes().iter().map(|&value| fitted.apply(value)).collect();
            all_close(
                &of_probes,
                &floats(&expected["probes"]),
                SAME,
                &format!("{what}, probes"),
            );
        }
    }
}

#[test]
fn the_quantile_scale_is_that_of_scikit_learn() {
    let mut faults = Vec::new();
    for (name, values, figures) in cases() {
        let expected = &figures["quantile"];
        let fitted = fit_one(&values, plain(Transform::None, Scale::Quantile));
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = (sorted.len() - 1) as f64;
        let golden = floats(&expected["transformed"])
            .into_iter()
            .chain(floats(&expected["probes"]));
        for (&value, golden) in values.iter().chain(&probes()).zip(golden) {
            let found = fitted.apply(value);
            // Equal values share the middle of their places, but for the ends, which are 0 and 1. In one case
            // scikit-learn misses its own rule: its quantiles are rounded, and no longer equal.
            let first = sorted.partition_point(|&other| other < value) as f64;
            let after = sorted.partition_point(|&other| other <= value) as f64;
            let inside = first + 1.0 < after && 0.0 < first && after <= last;
            let middle = (first + after - 1.0) / 2.0 / last;
            if SAME < (found - golden).abs() && !(inside && (found - middle).abs() < SAME) {
                faults.push(format!("{name}: {value} became {found}, expected {golden}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn log1p_keeps_the_sign_and_is_scaled_after_that() {
    for (name, values, figures) in cases() {
        let logs = floats(&figures["log1p_signed"]);
        let fitted = fit_one(&values, plain(Transform::Log1p, Scale::Minmax));
        let low = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        close(fitted.center, low, SAME, &name);
        close(fitted.spread, high - low, SAME, &name);
        let expected: Vec<f64> = logs.iter().map(|log| (log - low) / (high - low)).collect();
        all_close(&column(&spenders(&values), &fitted), &expected, SAME, &name);
    }
}

#[test]
fn yeo_johnson_is_the_power_family_at_the_exponent_of_greatest_likelihood() {
    for (name, values, figures) in cases() {
        let expected = &figures["yeo_johnson"];
        let optimum = expected["lambda_optimum"].as_f64().unwrap();
        for (lambda, transformed) in [
            ("lambda", "transformed_with_lambda"),
            ("lambda_optimum", "transformed_with_optimum"),
        ] {
            let lambda = expected[lambda].as_f64().unwrap();
            let found: Vec<f64> = values.iter().map(|&value| power(value, lambda)).collect();
            all_close(
                &found,
                &floats(&expected[transformed]),
                SAME,
                &format!("{name}, {transformed}"),
            );
        }
        let fitted = fit_one(&values, plain(Transform::YeoJohnson, Scale::Zscore));
        close(fitted.lambda.unwrap(), optimum, 1e-6, &name);
        close(power_lambda(&values), optimum, 1e-6, &name);
        let scaled = column(&spenders(&values), &fitted);
        let n = values.len() as f64;
        close(scaled.iter().sum::<f64>() / n, 0.0, SAME, &name);
        close(
            scaled.iter().map(|value| value * value).sum::<f64>() / n,
            1.0,
            SAME,
            &name,
        );
    }
}

#[test]
fn quantiles_are_those_of_numpy() {
    for (name, mut values, figures) in cases() {
        values.sort_unstable_by(f64::total_cmp);
        let found = [0.2, 0.4, 0.6, 0.8].map(|level| quantile::type7(&values, level));
        all_close(&found, &floats(&figures["quantiles_type7"]), SAME, &name);
    }
}

#[test]
fn inverting_a_column_value_gives_the_raw_value_back() {
    for (name, values, _) in cases() {
        for transform in TRANSFORMS {
            for scale in SCALES {
                let config = FeatureConfig {
                    weight: 2.5,
                    ..plain(transform, scale)
                };
                let fitted = fit_one(&values, config);
                // A quantile scale leaves nothing of what lies beyond its ends.
                let beyond = if scale == Scale::Quantile {
                    vec![]
                } else {
                    probes()
                };
                for &value in values.iter().chain(&beyond) {
                    // Yeo-Johnson with a negative exponent has a ceiling: there 1e6 is one with everything near it.
                    let flat = transform == Transform::YeoJohnson && 1e5 < value.abs();
                    let back = fitted.invert(fitted.apply(value));
                    let what = format!("{name}, {transform}, {scale}, {value}");
                    close(back, value, if flat { 1e-3 } else { 1e-7 }, &what);
                }
            }
        }
    }
}

#[test]
fn winsorising_clips_at_the_quantiles_of_both_ends_before_anything_else() {
    for (name, values, _) in cases() {
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = (quantile::type7(&sorted, 0.1), quantile::type7(&sorted, 0.9));
        for transform in TRANSFORMS {
            let config = FeatureConfig {
                winsorise: Some(0.1),
                ..plain(transform, Scale::Zscore)
            };
            let fitted = fit_one(&values, config);
            assert_eq!(fitted.winsor, Some([low, high]), "{name}");
            let clipped: Vec<f64> = values.iter().map(|value| value.clamp(low, high)).collect();
            let expected = fit_one(&clipped, plain(transform, Scale::Zscore));
            assert_eq!(
                (fitted.center, fitted.spread),
                (expected.center, expected.spread),
                "{name}, {transform}"
            );
            for value in [f64::MIN, low, (low + high) / 2.0, high, f64::MAX] {
                assert_eq!(
                    fitted.apply(value),
                    expected.apply(value.clamp(low, high)),
                    "{name}, {value}"
                );
            }
        }
    }
}

#[test]
fn a_weight_multiplies_the_scaled_value() {
    let (_, values, _) = cases().remove(0);
    for scale in SCALES {
        let one = fit_one(&values, plain(Transform::Log1p, scale));
        let three = fit_one(
            &values,
            FeatureConfig {
                weight: 3.0,
                ..plain(Transform::Log1p, scale)
            },
        );
        for value in probes() {
            close(
                three.apply(value),
                3.0 * one.apply(value),
                1e-15,
                &format!("{scale}, {value}"),
            );
        }
    }
}

#[test]
fn minus_zero_is_zero() {
    for transform in TRANSFORMS {
        for scale in SCALES {
            let people = spenders(&[-3.0, -0.0, 3.0, 0.0]);
            let fitted = fit(&people, &[plain(transform, scale)])
                .unwrap()
                .columns
                .remove(0);
            let column = column(&people, &fitted);
            assert_eq!(
                column[1].to_bits(),
                column[3].to_bits(),
                "{transform}, {scale}: {column:?}"
            );
        }
    }
}

#[test]
fn a_constant_feature_is_a_warning_and_a_column_of_zeros() {
    for transform in TRANSFORMS {
        for scale in SCALES {
            for value in [0.0, -4.0, 0.1, 1e300] {
                let people = spenders(&[value; 7]);
                let mut fitted = fit(&people, &[plain(transform, scale)]).unwrap();
                assert_eq!(fitted.warnings.len(), 1);
                let warning = fitted.warnings.remove(0);
                assert_eq!(warning.code, "constant_feature");
                assert_eq!(
                    warning.message,
                    "`monetary` is the same for all customers and cannot tell them apart; drop it from `features`"
                );
                assert_eq!(
                    column(&people, &fitted.columns[0]),
                    [0.0; 7],
                    "{transform}, {scale}, {value}"
                );
                let new = fitted.columns[0].apply(5.0);
                assert!(new.is_finite(), "{transform}, {scale}, {value}: {new}");
            }
        }
    }
    let config = FeatureConfig {
        winsorise: Some(0.2),
        ..plain(Transform::Log1p, Scale::Zscore)
    };
    let fitted = fit(&spenders(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]), &[config]).unwrap();
    assert!(
        fitted.warnings[0]
            .message
            .contains("the same for all customers after winsorising")
    );
}

#[test]
fn a_robust_scale_survives_an_interquartile_range_of_zero() {
    let values = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0];
    let fitted = fit_one(&values, plain(Transform::None, Scale::Robust));
    assert_eq!((fitted.center, fitted.spread), (1.0, 4.0));
    assert_eq!(fitted.apply(5.0), 1.0);
}

#[test]
fn what_is_no_number_is_refused_with_feature_and_customer() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let people = spenders(&[1.0, value, 2.0]);
        let error = fit(&people, &[plain(Transform::Log1p, Scale::Zscore)]).unwrap_err();
        let expected =
            format!("feature `monetary` of customer `c0001` is {value}, expected a finite number");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_customer_table_without_first_orders_has_no_tenure() {
    let config = FeatureConfig {
        feature: Feature::TenureDays,
        ..plain(Transform::None, Scale::Zscore)
    };
    let error = fit(&spenders(&[1.0, 2.0]), &[config]).unwrap_err();
    assert!(matches!(error, Error::NoFeature { .. }), "{error}");
    assert!(error.hint().unwrap().contains("`tenure-column`"));
}

#[test]
fn every_feature_is_a_column_in_the_order_asked_for() {
    let mut people = customers(&[(5.0, 2, 30.0), (9.0, 4, 10.0)]);
    people.tenure_days = Some(vec![50.0, 9.0]);
    let order = [
        Feature::Aov,
        Feature::TenureDays,
        Feature::Monetary,
        Feature::Frequency,
        Feature::RecencyDays,
    ];
    let configs = order.map(|feature| FeatureConfig {
        feature,
        ..plain(Transform::None, Scale::Minmax)
    });
    let fitted = fit(&people, &configs).unwrap();
    assert_eq!(
        fitted
            .columns
            .iter()
            .map(|column| column.name)
            .collect::<Vec<_>>(),
        order
    );
    let expected = Array2::from_shape_vec(
        (2, 5),
        vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0],
    )
    .unwrap();
    assert_eq!(matrix(&people, &fitted.columns).unwrap(), expected);
    assert_eq!(
        (fitted.columns[0].center, fitted.columns[0].spread),
        (2.5, 12.5)
    );
}

#[test]
fn cdnow_has_the_centers_and_spreads_of_numpy() {
    let people = cdnow();
    let expected = &golden("golden_features.json")["cdnow"];
    assert_eq!(people.len() as u64, expected["customers"].as_u64().unwrap());
    for feature in [Feature::RecencyDays, Feature::Frequency, Feature::Monetary] {
        let figures = &expected["columns"][feature.as_str()];
        let figure = |name: &str| figures[name].as_f64().unwrap();
        let mut values = tiermill::features::raw(&people, feature)
            .unwrap()
            .into_owned();
        let lambda = power_lambda(&values);
        values.sort_unstable_by(f64::total_cmp);
        let what = feature.as_str();
        close(values.iter().sum(), figure("sum"), SAME, what);
        close(values[0], figure("min"), 0.0, what);
        close(values[values.len() - 1], figure("max"), 0.0, what);
        close(quantile::median(&values), figure("median"), SAME, what);
        let cuts = [0.2, 0.4, 0.6, 0.8].map(|level| quantile::type7(&values, level));
        all_close(&cuts, &floats(&figures["quantiles_type7"]), SAME, what);
        close(
            lambda,
            figures["yeo_johnson"]["lambda_optimum"].as_f64().unwrap(),
            1e-6,
            what,
        );
        let config = FeatureConfig {
            feature,
            ..plain(Transform::Log1p, Scale::Zscore)
        };
        let fitted = fit(&people, &[config]).unwrap().columns.remove(0);
        let expected = &figures["zscore_of_log1p"];
        close(
            fitted.center,
            expected["center"].as_f64().unwrap(),
            SAME,
            what,
        );
        close(
            fitted.spread,
            expected["spread"].as_f64().unwrap(),
            SAME,
            what,
        );
    }
}

#[test]
fn skewness_is_the_third_standardised_moment() {
    assert_eq!(skewness(&[1.0, 2.0, 3.0]), 0.0);
    assert_eq!(skewness(&[4.0; 5]), 0.0);
    // Mean 1, variance 3, third central moment 6.
    close(
        skewness(&[0.0, 0.0, 0.0, 4.0]),
        6.0 / 3_f64.powf(1.5),
        1e-12,
        "0, 0, 0, 4",
    );
    close(
        skewness(&[0.0, 0.0, 0.0, -4.0]),
        -6.0 / 3_f64.powf(1.5),
        1e-12,
        "mirrored",
    );
}

fn choice<T: Copy + std::fmt::Debug + 'static, const N: usize>(
    of: [T; N],
) -> impl Strategy<Value = T> {
    (0..N).prop_map(move |index| of[index])
}

/// Amounts of every size, with ties.
fn amount() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1_000_i32..1_000).prop_map(f64::from),
        (-12.0..12.0_f64).prop_map(f64::exp),
        (-12.0..12.0_f64).prop_map(|log| -log.exp()),
        Just(0.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_larger_value_never_gets_a_smaller_place(
        values in prop::collection::vec(amount(), 2..30),
        mut probes in prop::collection::vec(amount(), 20),
        transform in choice(TRANSFORMS),
        scale in choice(SCALES),
        winsorise in choice([None, Some(0.1)]),
    ) {
        let config = FeatureConfig { winsorise, ..plain(transform, scale) };
        let fitted = fit(&spenders(&values), &[config]).unwrap().columns.remove(0);
        prop_assert!(0.0 < fitted.spread && fitted.spread.is_finite() && fitted.center.is_finite());
        probes.extend(&values);
        probes.sort_unstable_by(f64::total_cmp);
        let placed: Vec<f64> = probes.iter().map(|&value| fitted.apply(value)).collect();
        prop_assert!(placed.iter().all(|value| value.is_finite()), "{placed:?}");
        prop_assert!(placed.is_sorted(), "{probes:?} became {placed:?}");
        // Strictly, where nothing is clipped and the transform has not reached its ceiling.
        if scale != Scale::Quantile && winsorise.is_none() && transform != Transform::YeoJohnson {
            for (pair, place) in probes.windows(2).zip(placed.windows(2)) {
                let apart = pair[1] - pair[0] > 1e-6 * pair[1].abs().max(pair[0].abs()).max(1.0);
                prop_assert!(!apart || place[0] < place[1], "{pair:?} became {place:?}");
            }
        }
    }

    #[test]
    fn the_inverse_of_a_power_is_its_inverse(x in amount(), lambda in -3.0..5.0_f64) {
        let y = power(x, lambda);
        prop_assert_eq!(y.is_sign_negative(), x.is_sign_negative());
        // Near its ceiling a power says little about x.
        let slope = if 0.0 <= x { (lambda - 1.0) * x.ln_1p() } else { (1.0 - lambda) * (-x).ln_1p() };
        let back = power_inverse(y, lambda);
        prop_assert!((back - x).abs() <= 1e-12 * x.abs().max(1.0) * (1.0 + (-slope).exp()) * y.abs().max(1.0), "{x} became {y} became {back}");
    }

    #[test]
    fn a_scale_forgets_the_unit(values in prop::collection::vec((1_i32..1_000).prop_map(f64::from), 3..20), scale in choice(SCALES)) {
        // 64 is exact in binary: the same fractions, the same bits.
        prop_assume!(values.iter().any(|value| *value != values[0]));
        let larger: Vec<f64> = values.iter().map(|value| value * 64.0).collect();
        let (one, other) = (fit_one(&values, plain(Transform::None, scale)), fit_one(&larger, plain(Transform::None, scale)));
        for value in &values {
            prop_assert_eq!(one.apply(*value), other.apply(value * 64.0));
        }
    }
}

#[test]
fn however_many_columns_there_are_each_is_as_if_alone() {
    let customers = cdnow();
    let all = [
        (Feature::RecencyDays, Transform::None, Scale::Zscore, None),
        (Feature::Frequency, Transform::Log1p, Scale::Robust, None),
        (
            Feature::Monetary,
            Transform::YeoJohnson,
            Scale::Minmax,
            Some(0.01),
        ),
        (
            Feature::TenureDays,
            Transform::None,
            Scale::Quantile,
            Some(0.05),
        ),
        (Feature::Aov, Transform::Log1p, Scale::Zscore, None),
    ];
    let all = all.map(|(feature, transform, scale, winsorise)| FeatureConfig {
        feature,
        transform,
        scale,
        weight: 1.5,
        winsorise,
    });
    // Three are laid out in another way than others.
    for n in 1..=all.len() {
        let (features, matrix) = fit_transform(&customers, &all[..n]).unwrap();
        assert_eq!(features.columns.len(), n);
        assert_eq!(matrix.dim(), (customers.len(), n));
        assert_eq!(
            tiermill::features::matrix(&customers, &features.columns).unwrap(),
            matrix
        );
        for (index, fitted) in features.columns.iter().enumerate() {
            let alone = fit(&customers, &all[index..=index]).unwrap().columns;
            assert_eq!(std::slice::from_ref(fitted), alone);
            let raw = tiermill::features::raw(&customers, fitted.name).unwrap();
            for (row, &value) in raw.iter().enumerate() {
                let expected = fitted.apply(value);
                let found: f64 = matrix[[row, index]];
                assert_eq!(found.to_bits(), expected.to_bits(), "{} {row}", fitted.name);
            }
        }
    }
}
