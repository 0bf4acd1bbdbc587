//! Totals in fixed point.
//!
//! In: exact totals, of 64 bits and for some customers more. Out: totals of 64 bits, or the customer whose total has no room there.
//! Invariant: nothing is rounded; decimals are only dropped where they are 0 for every customer.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::id_text;
use super::meaning::Money;
use crate::error::{Error, Result};

/// Exact totals of any size.
pub(super) struct Exact {
    /// What 64 bits hold.
    pub(super) narrow: Vec<i64>,
    /// What they do not, by row.
    pub(super) rest: BTreeMap<usize, i128>,
}

impl Exact {
    fn get(&self, row: usize) -> i128 {
        i128::from(self.narrow[row]) + self.rest.get(&row).copied().unwrap_or(0)
    }
}

impl FromIterator<i128> for Exact {
    fn from_iter<I: IntoIterator<Item = i128>>(totals: I) -> Self {
        let mut rest = BTreeMap::new();
        let narrow = |(row, total)| {
            i64::try_from(total).unwrap_or_else(|_| {
                rest.insert(row, total);
                0
            })
        };
        Self {
            narrow: totals.into_iter().enumerate().map(narrow).collect(),
            rest,
        }
    }
}

/// Totals in units of 10^-`decimals`.
pub(super) struct Totals {
    pub(super) units: Vec<i64>,
    pub(super) decimals: u32,
}

impl Totals {
    /// Row *i* of `ids` is the customer of total *i*.
    ///
    /// # Errors
    /// [`Error::TotalTooLarge`].
    pub(super) fn new(totals: Exact, money: &Money, ids: &Series) -> Result<Self> {
        let rows = 0..totals.narrow.len();
        // The scale of a Decimal is often the writer's default (Spark's is 18), and most of it zeros.
        let spare = match &money.decimal {
            Some(_) if !rows.clone().all(|row| is_exact(totals.get(row))) => {
                spare_decimals(rows.clone().map(|row| totals.get(row)), money.decimals)
            }
            _ => 0,
        };
        let decimals = money.decimals - spare;
        if spare == 0 && totals.rest.is_empty() {
            return Ok(Self {
                units: totals.narrow,
                decimals,
            });
        }
        let factor = 10_i128.pow(spare);
        let in_64_bits = |row: usize| {
            let total = totals.get(row) / factor;
            i64::try_from(total).map_err(|_| Error::TotalTooLarge {
                customer: id_text(ids, row),
                total: fixed_text(total, decimals),
                decimals: money.decimals,
                decimal: money.decimal.clone(),
            })
        };
        Ok(Self {
            units: rows.map(in_64_bits).collect::<Result<_>>()?,
            decimals,
        })
    }
}

/// Whether an f64 holds every digit.
fn is_exact(total: i128) -> bool {
    total.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS
}

/// Decimals that are 0 in all totals.
fn spare_decimals(totals: impl Iterator<Item = i128>, decimals: u32) -> u32 {
    let mut spare = decimals;
    for total in totals {
        while total % 10_i128.pow(spare) != 0 {
            spare -= 1;
        }
    }
    spare
}

/// A fixed-point number to the last digit.
fn fixed_text(units: i128, decimals: u32) -> String {
    let digits = units.unsigned_abs().to_string();
    let sign = if units < 0 { "-" } else { "" };
    let decimals = decimals as usize;
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_numbers_are_written_to_the_last_digit() {
        assert_eq!(
            fixed_text(9_223_372_036_854_775_808, 0),
            "9223372036854775808"
        );
        assert_eq!(
            fixed_text(-44_000_000_000_000_001, 4),
            "-4400000000000.0001"
        );
        assert_eq!(fixed_text(5, 2), "0.05");
        assert_eq!(fixed_text(1_500, 3), "1.5");
    }

    #[test]
    fn decimals_are_spare_where_all_totals_end_with_zeros() {
        assert_eq!(spare_decimals([1_230_000, -500, 0].into_iter(), 4), 2);
        assert_eq!(spare_decimals([0, 0].into_iter(), 18), 18);
        assert_eq!(
            spare_decimals([10_i128.pow(30) + 1, 100].into_iter(), 18),
            0
        );
    }
}
