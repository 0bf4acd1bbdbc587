//! Customers become a matrix that k-means can measure.
//!
//! In: [`Customers`] and a [`FeatureConfig`] per column. Out: [`Fitted`] columns, which hold every parameter, and the
//! [`matrix`] that they make.
//! Invariant: a fitted column is a pure function of one raw value, so that a customer gets the same row tonight and
//! tomorrow, alone or among millions. It does not know what a cluster is.
//!
//! The steps of one value, in order: clip (winsorise) → transform → (x − center) / spread → × weight.

pub mod quantile;
mod scale;
pub mod sketch;
mod transform;

use std::borrow::Cow;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{Feature, FeatureConfig, Scale, Transform};
use crate::error::{Error, Result, Warning};
use crate::load::Customers;

pub(crate) use scale::{ends, mean};
use transform::Forward;
pub use transform::{power, power_inverse, power_lambda, skewness};

/// Rows that are looked at together.
const BLOCK: usize = 8_192;

/// One column of the matrix with everything that it takes to compute it: an entry of `features` in model.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Which quantity of a customer.
    pub name: Feature,
    /// What is done to its distribution.
    pub transform: Transform,
    /// Exponent of the Yeo-Johnson transform; null for the others.
    pub lambda: Option<f64>,
    /// How it is made comparable.
    pub scale: Scale,
    /// Subtracted after the transform.
    pub center: f64,
    /// Divides after that; above 0, and 1 for a constant feature.
    pub spread: f64,
    /// Multiplies at last; above 0.
    pub weight: f64,
    /// Raw values are clipped to these bounds first; null without winsorising.
    pub winsor: Option<[f64; 2]>,
    /// Share clipped at each end; null without winsorising.
    pub winsorise: Option<f64>,
    /// For the quantile scale: the transformed values at evenly spaced levels from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Vec<f64>>,
}

impl Fitted {
    /// The column value of a raw value, dimensionless.
    pub fn apply(&self, raw: f64) -> f64 {
        self.scaled(self.transformed(raw))
    }

    /// The raw value that has a column value, in the unit of the feature.
    pub fn invert(&self, column: f64) -> f64 {
        let position = column / self.weight * self.spread + self.center;
        let transformed = match &self.quantiles {
            Some(quantiles) => scale::at_position(quantiles, position),
            None => position,
        };
        transform::inverse(self.transform, self.lambda, transformed)
    }

    /// The value after clipping and transform, before scaling.
    fn transformed(&self, raw: f64) -> f64 {
        transform::forward(self.transform, self.lambda, clipped(self.winsor, raw))
    }

    /// The column value of a transformed value. Adding 0 turns −0 into 0: both are the same point.
    fn scaled(&self, transformed: f64) -> f64 {
        let position = match &self.quantiles {
            Some(quantiles) => scale::position(quantiles, transformed),
            None => transformed,
        };
        (position - self.center) / self.spread * self.weight + 0.0
    }
}

fn clipped(winsor: Option<[f64; 2]>, raw: f64) -> f64 {
    match winsor {
        Some([low, high]) => raw.clamp(low, high),
        None => raw,
    }
}

/// What fitting the columns found.
#[derive(Debug, Clone)]
pub struct Features {
    /// One per column, in column order.
    pub columns: Vec<Fitted>,
    /// Constant features, and the like.
    pub warnings: Vec<Warning>,
}

/// Finds the parameters of each column.
///
/// # Errors
/// [`Error::NoFeature`] for a feature that the customers do not have, [`Error::NotFinite`] for a value that is no number,
/// [`Error::NotScalable`] for one whose square is none, [`Error::TooFewCustomers`] below two customers.
pub fn fit(customers: &Customers, configs: &[FeatureConfig]) -> Result<Features> {
    fit_columns(customers, configs).map(|(features, _)| features)
}

/// [`fit`] and the [`matrix`] that comes of it, to the bit: what both compute is computed once.
///
/// # Errors
/// As [`fit`].
pub fn fit_transform(
    customers: &Customers,
    configs: &[FeatureConfig],
) -> Result<(Features, Array2<f64>)> {
    let (features, transformed) = fit_columns(customers, configs)?;
    let matrix = scaled(customers.len(), &features.columns, &transformed);
    Ok((features, matrix))
}

/// Fits the columns; with the transformed values of each.
fn fit_columns(
    customers: &Customers,
    configs: &[FeatureConfig],
) -> Result<(Features, Vec<Vec<f64>>)> {
    if customers.len() < 2 {
        return Err(Error::TooFewCustomers {
            found: customers.len(),
        });
    }
    let mut features = Features {
        columns: Vec::with_capacity(configs.len()),
        warnings: Vec::new(),
    };
    // Side by side: exponents and order statistics of a column are looked for on one core.
    let fitted = configs.par_iter().with_max_len(1).map(|config| {
        let raw = raw(customers, config.feature)?;
        let ends = ends(&raw);
        let fitted = fit_column(config, raw);
        check_scalable(customers, &fitted.0, ends)?;
        Ok(fitted)
    });
    let fitted: Vec<Result<_>> = fitted.collect();
    let mut transformed = Vec::with_capacity(configs.len());
    for fitted in fitted {
        let (column, values, warning) = fitted?;
        features.columns.push(column);
        features.warnings.extend(warning);
        transformed.push(values);
    }
    Ok((features, transformed))
}

/// Refuses a column whose values are so large that what is computed from them is no number any more.
fn check_scalable(
    customers: &Customers,
    column: &Fitted,
    (least, greatest): (f64, f64),
) -> Result<()> {
    let measures = column.center.is_finite() && column.spread.is_finite() && 0.0 < column.spread;
    // A column rises with its values: where both ends are numbers, all are.
    let is_number = |end: f64| column.apply(end).is_finite();
    if measures && is_number(least) && is_number(greatest) {
        return Ok(());
    }
    let size = |&(_, value): &(usize, &f64)| value.abs();
    let raw = raw(customers, column.name)?;
    let largest = raw
        .iter()
        .enumerate()
        .max_by(|a, b| size(a).total_cmp(&size(b)));
    let (row, value) = largest.unwrap_or((0, &f64::NAN));
    Err(Error::NotScalable {
        feature: column.name.as_str(),
        customer: customers.ids.text(row),
        value: format!("{value:e}"),
    })
}

/// The raw values of a feature, in the order of the customers and the unit of the feature.
///
/// # Errors
/// [`Error::NoFeature`], [`Error::NotFinite`].
pub fn raw(customers: &Customers, feature: Feature) -> Result<Cow<'_, [f64]>> {
    let values: Cow<'_, [f64]> = match feature {
        Feature::RecencyDays => Cow::from(&customers.recency_days),
        Feature::Frequency => customers.frequency.par_iter().map(|&orders| orders as f64).collect::<Vec<f64>>().into(),
        Feature::Monetary => Cow::from(&customers.monetary),
        Feature::TenureDays => Cow::from(customers.tenure_days.as_ref().ok_or_else(|| Error::NoFeature {
            feature: feature.as_str(),
            hint: "the customer table has no first orders; set `tenure-column`, or leave `tenure_days` out of `features`"
                .to_owned(),
        })?),
        Feature::Aov => customers
            .revenue
            .par_iter()
            .zip(&customers.frequency)
            .map(|(&units, &orders)| crate::load::from_fixed(units.into(), customers.decimals) / orders as f64)
            .collect::<Vec<f64>>()
            .into(),
    };
    let finite = |values: &[f64]| {
        values
            .iter()
            .fold(true, |all, value| all & value.is_finite())
    };
    if values.par_chunks(BLOCK).all(finite) {
        return Ok(values);
    }
    let row = values.iter().position(|value| !value.is_finite());
    let row = row.unwrap_or(0);
    Err(Error::NotFinite {
        feature: feature.as_str(),
        customer: customers.ids.text(row),
        value: values[row],
    })
}

/// The matrix: one row per customer, one column per fitted feature.
///
/// # Errors
/// As [`raw`].
pub fn matrix(customers: &Customers, columns: &[Fitted]) -> Result<Array2<f64>> {
    let transformed = columns.iter().map(|column| {
        let raw = raw(customers, column.name)?;
        let forward = Forward::new(column.transform, column.lambda, raw.len());
        Ok(forward.all(raw, column.winsor))
    });
    let transformed: Vec<Vec<f64>> = transformed.collect::<Result<_>>()?;
    Ok(scaled(customers.len(), columns, &transformed))
}

/// The matrix of transformed columns.
fn scaled(n: usize, columns: &[Fitted], transformed: &[Vec<f64>]) -> Array2<f64> {
    let d = columns.len();
    // The usual three are written where nothing has been: memory that is zeroed first is touched twice, and by one core.
    if let ([a, b, c], [of_a, of_b, of_c]) = (columns, transformed) {
        let values = of_a.par_iter().zip(of_b).zip(of_c).with_min_len(BLOCK);
        let rows: Vec<[f64; 3]> = values
            .map(|((&x, &y), &z)| [a.scaled(x), b.scaled(y), c.scaled(z)])
            .collect();
        if let Ok(matrix) = Array2::from_shape_vec((n, d), rows.into_flattened()) {
            return matrix;
        }
    }
    let mut matrix = Array2::zeros((n, d));
    if let Some(cells) = matrix.as_slice_mut() {
        let blocks = cells.par_chunks_mut(BLOCK * d.max(1)).enumerate();
        blocks.for_each(|(block, rows)| {
            for (feature, (column, values)) in columns.iter().zip(transformed).enumerate() {
                let values = &values[block * BLOCK..];
                for (row, &value) in rows.chunks_exact_mut(d).zip(values) {
                    row[feature] = column.scaled(value);
                }
            }
        });
    }
    matrix
}

/// Values as the quantile scale would have them.
pub fn quantile_positions(mut values: Vec<f64>) -> Vec<f64> {
    let scaled = scale::fit(Scale::Quantile, &values);
    if let Some(quantiles) = scaled.quantiles {
        for value in &mut values {
            *value = scale::position(&quantiles, *value);
        }
    }
    values
}

/// One column, with its transformed values.
fn fit_column(config: &FeatureConfig, raw: Cow<'_, [f64]>) -> (Fitted, Vec<f64>, Option<Warning>) {
    let winsor = config.winsorise.map(|share| {
        let levels = [share, 1.0 - share];
        let ends = quantile::type7_of_any(raw.len(), |row| raw[row], &levels);
        [ends[0], ends[1]]
    });
    let clip = || raw.iter().map(|&value| clipped(winsor, value)).collect();
    let lambda = (config.transform == Transform::YeoJohnson).then(|| {
        let raw = if winsor.is_none() {
            Cow::from(&*raw)
        } else {
            Cow::Owned(clip())
        };
        power_lambda(&raw)
    });
    let forward = Forward::new(config.transform, lambda, raw.len());
    let transformed = forward.all(raw, winsor);
    let scaled = scale::fit(config.scale, &transformed);
    let warning = scaled.constant.then(|| {
        let clipped = if winsor.is_some() {
            " after winsorising"
        } else {
            ""
        };
        Warning::new(
            "constant_feature",
            format!(
                "`{}` is the same for all customers{clipped} and cannot tell them apart; drop it from `features`",
                config.feature
            ),
        )
    });
    let fitted = Fitted {
        name: config.feature,
        transform: config.transform,
        lambda,
        scale: config.scale,
        center: scaled.center,
        spread: scaled.spread,
        weight: config.weight,
        winsor,
        winsorise: config.winsorise,
        quantiles: scaled.quantiles,
    };
    (fitted, transformed, warning)
}
