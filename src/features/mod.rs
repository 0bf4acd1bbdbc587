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

use ndarray::{Array2, ArrayView1, Zip};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{Feature, FeatureConfig, Scale, Transform};
use crate::error::{Error, Result, Warning};
use crate::load::Customers;

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
        let transformed = self.transformed(raw);
        let position = match &self.quantiles {
            Some(quantiles) => scale::position(quantiles, transformed),
            None => transformed,
        };
        (position - self.center) / self.spread * self.weight
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
        let clipped = match self.winsor {
            Some([low, high]) => raw.clamp(low, high),
            None => raw,
        };
        transform::forward(self.transform, self.lambda, clipped)
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
    if customers.len() < 2 {
        return Err(Error::TooFewCustomers {
            found: customers.len(),
        });
    }
    // Column by column side by side: each is added up in the order of the customers.
    let fitted: Vec<Result<(Fitted, Option<Warning>)>> = configs
        .par_iter()
        .map(|config| {
            let (column, warning) = fit_column(config, raw(customers, config.feature)?);
            check_scalable(customers, &column)?;
            Ok((column, warning))
        })
        .collect();
    let mut features = Features {
        columns: Vec::with_capacity(configs.len()),
        warnings: Vec::new(),
    };
    for fitted in fitted {
        let (column, warning) = fitted?;
        features.columns.push(column);
        features.warnings.extend(warning);
    }
    Ok(features)
}

/// Refuses a column whose values are so large that what is computed from them is no number any more.
fn check_scalable(customers: &Customers, column: &Fitted) -> Result<()> {
    let raw = raw(customers, column.name)?;
    let measures = column.center.is_finite() && column.spread.is_finite() && 0.0 < column.spread;
    // A column rises with its values: where both ends are numbers, all are.
    let least = raw.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if measures
        && [least, greatest]
            .iter()
            .all(|&end| column.apply(end).is_finite())
    {
        return Ok(());
    }
    let size = |&(_, value): &(usize, &f64)| value.abs();
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
pub fn raw(customers: &Customers, feature: Feature) -> Result<Vec<f64>> {
    let values: Vec<f64> = match feature {
        Feature::RecencyDays => customers.recency_days.clone(),
        Feature::Frequency => customers.frequency.par_iter().map(|&orders| orders as f64).collect(),
        Feature::Monetary => customers.monetary.clone(),
        Feature::TenureDays => customers.tenure_days.clone().ok_or_else(|| Error::NoFeature {
            feature: feature.as_str(),
            hint: "the customer table has no first orders; set `tenure-column`, or leave `tenure_days` out of `features`"
                .to_owned(),
        })?,
        Feature::Aov => customers
            .revenue
            .par_iter()
            .zip(&customers.frequency)
            .map(|(&units, &orders)| crate::load::from_fixed(units.into(), customers.decimals) / orders as f64)
            .collect(),
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
    let mut matrix = Array2::zeros((customers.len(), columns.len()));
    for (column, fitted) in columns.iter().enumerate() {
        let raw = raw(customers, fitted.name)?;
        Zip::from(matrix.column_mut(column))
            .and(ArrayView1::from(&raw))
            // Adding 0 turns −0 into 0: both are the same point.
            .par_for_each(|cell, &value| *cell = fitted.apply(value) + 0.0);
    }
    Ok(matrix)
}

/// Values as the quantile scale would have them.
pub fn quantile_positions(mut values: Vec<f64>) -> Vec<f64> {
    let raw = values.clone();
    let scaled = scale::fit(Scale::Quantile, &mut values);
    match scaled.quantiles {
        Some(quantiles) => raw
            .iter()
            .map(|&value| scale::position(&quantiles, value))
            .collect(),
        None => raw,
    }
}

fn fit_column(config: &FeatureConfig, mut raw: Vec<f64>) -> (Fitted, Option<Warning>) {
    let winsor = config.winsorise.map(|share| {
        let mut sorted = raw.clone();
        sorted.par_sort_unstable_by(f64::total_cmp);
        [
            quantile::type7(&sorted, share),
            quantile::type7(&sorted, 1.0 - share),
        ]
    });
    if let Some([low, high]) = winsor {
        for value in &mut raw {
            *value = value.clamp(low, high);
        }
    }
    let lambda = (config.transform == Transform::YeoJohnson).then(|| power_lambda(&raw));
    raw.par_iter_mut()
        .for_each(|value| *value = transform::forward(config.transform, lambda, *value));
    let scaled = scale::fit(config.scale, &mut raw);
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
    (fitted, warning)
}
