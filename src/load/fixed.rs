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

/// Amounts of a float column in units of 10^-`decimals`, rounded half away from zero; null where there is no amount, and where 64
/// bits have no room for it.
///
/// # Errors
/// What polars says of a column that holds no floats.
pub(super) fn of_floats(amounts: &Column, decimals: u32) -> PolarsResult<Column> {
    const BEYOND: f64 = -(i64::MIN as f64);
    let factor = 10_f64.powi(decimals.cast_signed());
    let amounts = amounts.as_materialized_series().f64()?.rechunk();
    let fits = |scaled: f64| (-BEYOND..BEYOND).contains(&scaled);
    let mut all_fit = amounts.null_count() == 0;
    let values = amounts.downcast_as_array().values();
    let units: Vec<i64> = values
        .iter()
        .map(|&amount| {
            let scaled = amount * factor;
            all_fit &= fits(scaled);
            half_away(scaled)
        })
        .collect();
    let name = amounts.name().clone();
    if all_fit {
        return Ok(Int64Chunked::from_vec(name, units).into_column());
    }
    let units = amounts.iter().zip(units);
    let units = units.map(|(amount, units)| {
        let amount = amount.filter(|amount| fits(amount * factor));
        amount.map(|_| units)
    });
    Ok(Int64Chunked::from_iter_options(name, units).into_column())
}

/// The nearest whole number, of two the one farther from zero, as [`f64::round`] has it; without the call that this is on processors
/// that have no instruction for it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit is not asked for"
)]
fn half_away(number: f64) -> i64 {
    let whole = number as i64;
    // Exact: beyond 2^52 there is nothing behind the point.
    let rest = number - whole as f64;
    whole
        .wrapping_add(i64::from(0.5 <= rest))
        .wrapping_sub(i64::from(rest <= -0.5))
}

/// How many amounts lost decimals when they became units of 10^-`decimals`.
pub(super) fn rounded(amounts: &[f64], units: &[i64], decimals: u32) -> u64 {
    /// In units: a float misses its decimal by far less until it has no decimals to lose.
    const LOST: f64 = 0.01;
    let factor = 10_f64.powi(decimals.cast_signed());
    let lost = |(&amount, &units): (&f64, &i64)| LOST < (amount * factor - units as f64).abs();
    let counts = amounts.iter().zip(units).map(|pair| u64::from(lost(pair)));
    counts.sum()
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

    #[test]
    fn floats_are_rounded_half_away_from_zero() {
        let near = [
            0.5,
            1.5,
            2.5,
            0.499_999_999_999_999_94,
            4_503_599_627_370_495.5,
        ];
        let steps = (-4_000..4_000).map(|step| f64::from(step) / 8.0);
        let large = [
            9e15,
            9_007_199_254_740_992.0,
            1e18,
            9.223_372_036_854_774e18,
        ];
        for number in near.into_iter().chain(steps).chain(large) {
            for number in [number, -number] {
                // Adding 0 turns −0 into 0.
                let expected = number.round() + 0.0;
                assert_eq!(
                    (half_away(number) as f64).to_bits(),
                    expected.to_bits(),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn amounts_without_room_are_null() {
        let amounts = [
            Some(0.005),
            None,
            Some(-1.005),
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(1e17),
            Some(-92_233_720_368_547_760.0),
            Some(92_233_720_368_547_760.0),
            Some(12.34),
        ];
        let amounts = Float64Chunked::from_iter_options("amount".into(), amounts.into_iter());
        let units = of_floats(&amounts.into_column(), 2);
        let units: Vec<Option<i64>> = units
            .and_then(|units| Ok(units.i64()?.iter().collect()))
            .unwrap_or_default();
        let expected = [
            Some(1),
            None,
            Some(-100),
            None,
            None,
            None,
            Some(i64::MIN),
            None,
        ];
        assert_eq!(units[..8], expected);
        assert_eq!(units[8], Some(1_234));
        assert_eq!(rounded(&[1.0, 1.005, 2.34], &[100, 100, 234], 2), 1);
    }
}
