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

use ndarray::{Array2, ShapeBuilder};
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
    let matrix = scaled(customers.len(), &features.columns, transformed);
    Ok((features, matrix))
}

/// Fits the columns; with the transformed values of all, column after column.
fn fit_columns(customers: &Customers, configs: &[FeatureConfig]) -> Result<(Features, Vec<f64>)> {
    let n = customers.len();
    if n < 2 {
        return Err(Error::TooFewCustomers { found: n });
    }
    // Side by side: exponents of a column are looked for on one core.
    let steps = configs.par_iter().with_max_len(1).map(|config| {
        let raw = raw(customers, config.feature)?;
        Ok((Steps::fit(config, &raw), raw))
    });
    let steps: Vec<Result<Stepped<'_>>> = steps.collect();
    let steps: Vec<Stepped<'_>> = steps.into_iter().collect::<Result<_>>()?;
    let values = transformed(n, &steps);
    let all = configs.par_iter().zip(&steps).zip(values.par_chunks(n));
    let fitted = all.with_max_len(1).map(|((config, (steps, raw)), values)| {
        let (column, warning) = fit_column(config, steps, values);
        check_scalable(customers, &column, ends(raw))?;
        Ok((column, warning))
    });
    let fitted: Vec<Result<_>> = fitted.collect();
    let mut features = Features {
        columns: Vec::with_capacity(configs.len()),
        warnings: Vec::new(),
    };
    for fitted in fitted {
        let (column, warning) = fitted?;
        features.columns.push(column);
        features.warnings.extend(warning);
    }
    Ok((features, values))
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

/// The matrix: one row per customer, one column per fitted feature; columns lie one after the other.
///
/// # Errors
/// As [`raw`].
pub fn matrix(customers: &Customers, columns: &[Fitted]) -> Result<Array2<f64>> {
    let n = customers.len();
    let steps = columns.iter().map(|column| {
        let raw = raw(customers, column.name)?;
        let forward = Forward::new(column.transform, column.lambda, n);
        let winsor = column.winsor;
        Ok((Steps { winsor, forward }, raw))
    });
    let steps: Vec<Stepped<'_>> = steps.collect::<Result<_>>()?;
    Ok(scaled(n, columns, transformed(n, &steps)))
}

/// What is done to the values of a column, and these.
type Stepped<'a> = (Steps, Cow<'a, [f64]>);

/// What is done to the values of a column before they are scaled.
struct Steps {
    winsor: Option<[f64; 2]>,
    forward: Forward,
}

impl Steps {
    fn fit(config: &FeatureConfig, raw: &[f64]) -> Self {
        let winsor = config.winsorise.map(|share| {
            let levels = [share, 1.0 - share];
            let ends = quantile::type7_of_any(raw.len(), |row| raw[row], &levels);
            [ends[0], ends[1]]
        });
        let lambda = (config.transform == Transform::YeoJohnson).then(|| {
            if winsor.is_none() {
                return power_lambda(raw);
            }
            let clipped: Vec<f64> = raw.iter().map(|&value| clipped(winsor, value)).collect();
            power_lambda(&clipped)
        });
        let forward = Forward::new(config.transform, lambda, raw.len());
        Self { winsor, forward }
    }

    fn of(&self, raw: f64) -> f64 {
        self.forward.of(clipped(self.winsor, raw))
    }
}

/// The transformed values of `n` customers, column after column.
fn transformed(n: usize, columns: &[Stepped<'_>]) -> Vec<f64> {
    let one = |column: usize| {
        let (steps, raw) = &columns[column];
        raw.par_iter().map(|&value| steps.of(value))
    };
    // The usual three are written where nothing has been: memory that is zeroed first is touched twice, and by one core.
    if columns.len() == 3 {
        let all = one(0).chain(one(1)).chain(one(2));
        return all.with_min_len(BLOCK).collect();
    }
    let mut all = vec![0.0; n * columns.len()];
    for (column, values) in all.chunks_mut(n.max(1)).enumerate() {
        let values = values.par_iter_mut().with_min_len(BLOCK);
        values.zip(one(column)).for_each(|(to, value)| *to = value);
    }
    all
}

/// The matrix of transformed columns, in their memory.
fn scaled(n: usize, columns: &[Fitted], mut values: Vec<f64>) -> Array2<f64> {
    for (values, column) in values.chunks_mut(n.max(1)).zip(columns) {
        let values = values.par_iter_mut().with_min_len(BLOCK);
        values.for_each(|value| *value = column.scaled(*value));
    }
    // As many values as the shape has: it is never the other.
    let shape = (n, columns.len()).f();
    Array2::from_shape_vec(shape, values).unwrap_or_else(|_| Array2::zeros((n, columns.len())))
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

/// One column, of its transformed values.
fn fit_column(config: &FeatureConfig, steps: &Steps, values: &[f64]) -> (Fitted, Option<Warning>) {
    let winsor = steps.winsor;
    let scaled = scale::fit(config.scale, values);
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
        lambda: steps.forward.lambda(),
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
