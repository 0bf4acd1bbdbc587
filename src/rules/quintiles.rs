//! The scores that every run has, with rules or without.
//!
//! In: [`Customers`]. Out: cut points per dimension, and the score of any value.
//! Invariant: equal values get equal scores; 5 is best for all three dimensions.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::Feature;
use crate::error::Result;
use crate::features::{quantile::type7_of_any, raw};
use crate::load::Customers;

/// Bands of a score.
const BANDS: u8 = 5;

/// Where the bands of each score end: part of model.json, so that tomorrow's scores mean the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreCuts {
    /// Upper bounds, inclusive, of all bands but the last, in days.
    pub recency_days: Vec<f64>,
    /// The same in orders.
    pub frequency: Vec<f64>,
    /// The same in the unit of the amounts.
    pub monetary: Vec<f64>,
}

/// Scores of all customers, from 1 (worst) to the number of bands (best); 5 bands unless rules say otherwise, and 0 in a
/// dimension that the rules do not score. Row *i* is customer *i*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scores {
    /// The best bought most recently.
    pub recency: Vec<i8>,
    /// The best bought most often.
    pub frequency: Vec<i8>,
    /// The best spent most.
    pub monetary: Vec<i8>,
}

impl Scores {
    /// These, and in a dimension that they do not have those of `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let or = |own: Vec<i8>, other| {
            if own.first().is_none_or(|&score| score == 0) {
                other
            } else {
                own
            }
        };
        Self {
            recency: or(self.recency, others.recency),
            frequency: or(self.frequency, others.frequency),
            monetary: or(self.monetary, others.monetary),
        }
    }
}

/// Quintiles of each dimension (type 7).
///
/// # Errors
/// As [`raw`].
pub fn quintiles(customers: &Customers) -> Result<ScoreCuts> {
    let levels: Vec<f64> = (1..BANDS)
        .map(|band| f64::from(band) / f64::from(BANDS))
        .collect();
    let cuts = |feature| -> Result<Vec<f64>> {
        let raw = raw(customers, feature)?;
        Ok(type7_of_any(raw.len(), |row| raw[row], &levels))
    };
    let orders = |row: usize| customers.frequency[row] as f64;
    let (recency_days, (frequency, monetary)) = rayon::join(
        || cuts(Feature::RecencyDays),
        || {
            rayon::join(
                || type7_of_any(customers.len(), orders, &levels),
                || cuts(Feature::Monetary),
            )
        },
    );
    Ok(ScoreCuts {
        recency_days: recency_days?,
        frequency,
        monetary: monetary?,
    })
}

/// Scores every customer by given cut points.
pub fn score(customers: &Customers, cuts: &ScoreCuts) -> Scores {
    Scores {
        recency: customers
            .recency_days
            .par_iter()
            .map(|&days| {
                band(days, &cuts.recency_days).map_or(0, |band| top(&cuts.recency_days) + 1 - band)
            })
            .collect(),
        frequency: customers
            .frequency
            .par_iter()
            .map(|&orders| band(orders as f64, &cuts.frequency).unwrap_or(0))
            .collect(),
        monetary: customers
            .monetary
            .par_iter()
            .map(|&amount| band(amount, &cuts.monetary).unwrap_or(0))
            .collect(),
    }
}

/// The band of a value, from 1: one more than the number of cut points below it.
fn band(value: f64, cuts: &[f64]) -> Option<i8> {
    // Counted, as there are few: a search would branch where nobody can foresee it, for every customer.
    let below = cuts.iter().filter(|&&cut| cut < value).count();
    i8::try_from(below + 1).ok()
}

/// The highest band.
fn top(cuts: &[f64]) -> i8 {
    i8::try_from(cuts.len() + 1).unwrap_or(i8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_bound_belongs_to_its_band() {
        let cuts = [1.0, 1.0, 2.0, 4.0];
        let bands: Vec<i8> = [1.0, 2.0, 3.0, 4.0, 4.5]
            .iter()
            .filter_map(|&value| band(value, &cuts))
            .collect();
        assert_eq!(bands, [1, 3, 4, 4, 5]);
    }
}
