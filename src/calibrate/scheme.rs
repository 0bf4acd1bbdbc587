//! Ways to cut a dimension.
//!
//! In: values with weights. Out: cut points, ascending, one fewer than bands.
//! Invariant: the cut points are those that a rule file with the same method finds (`rules`), to the last bit where a weight
//! counts customers; equal ones stay, and leave the bands between them empty, as `merge-equal` does there.

use crate::cluster::breaks::{Breaks, breaks, in_units, whole_factor};
use crate::error::{Error, Result};
use crate::rules::compensated_sum;

/// Bands that schemes of any number have.
pub(super) const BANDS: std::ops::RangeInclusive<usize> = 2..=5;
/// The best share of customers of `top-percent`, in percent: 80/20.
const TOP_PERCENT: f64 = 20.0;
/// Units of a logarithm: finer than two amounts of money ever lie apart.
const LOG_UNITS: f64 = 1_099_511_627_776.0;

/// A way to cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scheme {
    /// One-dimensional k-means of the values.
    Natural(usize),
    /// The same of their logarithms.
    NaturalLog(usize),
    /// Evenly spaced quantiles (type 7).
    Quantile(usize),
    /// The mean of all customers.
    Mean,
    /// Their median.
    Median,
    /// The best fifth of the customers.
    TopPercent,
}

/// Values, ascending, with weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted<'a> {
    /// What a cut point can be: the greatest of the values that stand for one another.
    pub tops: &'a [f64],
    /// What they are like.
    pub means: &'a [f64],
    /// Weight up to and with each.
    pub up_to: &'a [u64],
}

impl Weighted<'_> {
    fn total(&self) -> u64 {
        self.up_to.last().copied().unwrap_or(0)
    }

    fn weight(&self, index: usize) -> u64 {
        self.up_to[index] - index.checked_sub(1).map_or(0, |before| self.up_to[before])
    }

    /// The value of the customer with so many before it.
    fn at(&self, rank: u64) -> f64 {
        let index = self.up_to.partition_point(|&up_to| up_to <= rank);
        self.tops[index.min(self.tops.len() - 1)]
    }

    /// The quantile at level `step` / `steps`, as `features::quantile::type7_step` has it.
    fn quantile(&self, step: usize, steps: usize) -> f64 {
        let last = u128::from(self.total() - 1);
        let (step, steps) = (step as u128, steps as u128);
        let index = u64::try_from(step * last / steps).unwrap_or(0);
        let rest = (step * last % steps) as f64;
        let low = self.at(index);
        let high = self.at((index + 1).min(self.total() - 1));
        low + (high - low) * (rest / steps as f64)
    }

    /// The mean, added up customer by customer from the least on, as `rules` does.
    fn mean(&self) -> f64 {
        if let Some(sum) = self.whole_sum() {
            return sum / self.total() as f64;
        }
        let each = (0..self.means.len())
            .flat_map(|index| (0..self.weight(index)).map(move |_| self.means[index]));
        let mean = compensated_sum(each) / self.total() as f64;
        mean.clamp(self.at(0), self.at(self.total() - 1))
    }

    /// The sum of whole numbers that are small enough to be added up without loss in any order.
    fn whole_sum(&self) -> Option<f64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let values = self.means.iter().enumerate();
        let of = |(index, &value): (usize, &f64)| value * self.weight(index) as f64;
        let reach: f64 = values.clone().map(of).map(f64::abs).sum();
        let whole = reach < EXACT && self.means.iter().all(|value| value.fract() == 0.0);
        whole.then(|| values.map(of).sum())
    }

    /// The same for weights that nobody has counted.
    fn weighted_mean(&self) -> f64 {
        let values = self.means.iter().enumerate();
        let sum: f64 = values
            .map(|(index, value)| value * self.weight(index) as f64)
            .sum();
        sum / self.total() as f64
    }

    /// The cut point beyond which lie the best so many percent, ties with them.
    fn top(&self, percent: f64, best_is_high: bool) -> f64 {
        let n = self.total();
        // A share of customers that is whole but for rounding is whole.
        let count = (n as f64 * percent / 100.0 - 1e-9).ceil().max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of the number of customers, from 1"
        )]
        let count = (count as u64).min(n);
        if !best_is_high {
            return self.at(count - 1);
        }
        let edge = self.at(n - count);
        let index = self.tops.partition_point(|&value| value < edge);
        match index.checked_sub(1).map_or(0, |before| self.up_to[before]) {
            0 => edge.next_down(),
            before => self.at(before - 1),
        }
    }
}

/// What schemes find in the same values; natural breaks of all numbers of bands are found together.
pub(super) struct Found {
    natural: Vec<(Breaks, Vec<f64>)>,
    natural_log: Vec<(Breaks, Vec<f64>)>,
    /// Units of `natural`, for one of the values.
    factor: f64,
}

impl Found {
    /// Finds the breaks, where one of the schemes asks for them.
    ///
    /// # Errors
    /// As [`breaks`].
    pub(super) fn of(values: Weighted<'_>, schemes: &[Scheme]) -> Result<Self> {
        let asked = |wanted: fn(&Scheme) -> Option<usize>| schemes.iter().filter_map(wanted).max();
        let bands_of_values = asked(|scheme| match scheme {
            Scheme::Natural(bands) => Some(*bands),
            _ => None,
        });
        let bands_of_logs = asked(|scheme| match scheme {
            Scheme::NaturalLog(bands) => Some(*bands),
            _ => None,
        });
        let factor = whole_factor(values.means);
        let of_values = match bands_of_values {
            Some(bands) => natural(values, bands, |value| in_units(value, factor))?,
            None => Vec::new(),
        };
        let log = |value: f64| in_units(value.abs().ln_1p().copysign(value), LOG_UNITS);
        let of_logs = match bands_of_logs {
            Some(bands) => natural(values, bands, log)?,
            None => Vec::new(),
        };
        Ok(Self {
            natural: of_values,
            natural_log: of_logs,
            factor,
        })
    }

    /// The cut points of a scheme; none where there are too few values for its bands.
    pub(super) fn cuts(
        &self,
        values: Weighted<'_>,
        scheme: &Scheme,
        (best_is_high, counted): (bool, bool),
    ) -> Option<Vec<f64>> {
        let of = |all: &[(Breaks, Vec<f64>)], bands: usize| {
            all.get(bands - 1).map(|(_, cuts)| cuts.clone())
        };
        match scheme {
            Scheme::Natural(bands) => of(&self.natural, *bands),
            Scheme::NaturalLog(bands) => of(&self.natural_log, *bands),
            Scheme::Quantile(bands) => Some(
                (1..*bands)
                    .map(|step| values.quantile(step, *bands))
                    .collect(),
            ),
            Scheme::Mean if counted => Some(vec![values.mean()]),
            Scheme::Mean => Some(vec![values.weighted_mean()]),
            Scheme::Median => Some(vec![values.quantile(1, 2)]),
            Scheme::TopPercent => Some(vec![values.top(TOP_PERCENT, best_is_high)]),
        }
    }

    /// The exact sum of squares within the bands of natural breaks, in squared units of the values.
    pub(super) fn within(&self, scheme: &Scheme) -> Option<f64> {
        match scheme {
            Scheme::Natural(bands) => {
                let (breaks, _) = self.natural.get(bands - 1)?;
                Some(breaks.within_ss / self.factor / self.factor)
            }
            _ => None,
        }
    }
}

/// The optimal bands for 1, 2, … up to `bands`, each with its cut points.
fn natural(
    values: Weighted<'_>,
    bands: usize,
    units: impl Fn(f64) -> i64,
) -> Result<Vec<(Breaks, Vec<f64>)>> {
    let mut wholes: Vec<i64> = Vec::with_capacity(values.tops.len());
    let mut weights: Vec<u64> = Vec::with_capacity(values.tops.len());
    let mut tops: Vec<f64> = Vec::with_capacity(values.tops.len());
    for (index, (&top, &mean)) in values.tops.iter().zip(values.means).enumerate() {
        let (weight, units) = (values.weight(index), units(mean));
        if weight == 0 {
            continue;
        }
        match (wholes.last(), weights.last_mut(), tops.last_mut()) {
            // Nearer than the units tell apart.
            (Some(&last), Some(before), Some(last_top)) if units <= last => {
                *before += weight;
                *last_top = top;
            }
            _ => {
                wholes.push(units);
                weights.push(weight);
                tops.push(top);
            }
        }
    }
    let all = breaks(&wholes, &weights, bands).map_err(|source| Error::Breaks {
        source: source.into(),
    })?;
    let with_cuts = |found: Breaks| {
        let cut = |upper: &i64| tops[wholes.partition_point(|value| value <= upper) - 1];
        let cuts = found.upper.iter().map(cut).collect();
        (found, cuts)
    };
    Ok(all.into_iter().map(with_cuts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_added_up_at_once_to_the_bit() {
        let means = [0.0, 1.0, 2.0, 7.0, 9_001.0];
        let up_to = [3, 70_004, 80_000, 80_001, 90_007];
        let values = Weighted {
            tops: &means,
            means: &means,
            up_to: &up_to,
        };
        let each = (0..means.len()).flat_map(|at| (0..values.weight(at)).map(move |_| means[at]));
        assert_eq!(values.whole_sum(), Some(compensated_sum(each)));
        let halves = [0.0, 0.5, 2.0, 7.0, 9_001.0];
        let beyond = [0.0, 1.0, 2.0, 7.0, 1e15];
        for means in [&halves, &beyond] {
            assert_eq!(Weighted { means, ..values }.whole_sum(), None);
        }
    }
}
