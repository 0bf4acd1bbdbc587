//! Who is where in both tierings.
//!
//! In: two labels and an amount for every customer. Out: a [`CrossTable`].
//! Invariant: its margins are the sizes of both tierings, in customers and in amounts; amounts are summed in whole units.

use serde::Serialize;

use super::Tiering;
use crate::load::from_fixed;

/// Customers and their amounts by tier of A (rows) and of B (columns).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossTable {
    /// Tiers of A.
    pub rows: Vec<String>,
    /// Tiers of B.
    pub columns: Vec<String>,
    /// Customers.
    pub customers: Vec<Vec<u64>>,
    /// Their total amounts.
    pub revenue: Vec<Vec<f64>>,
    /// The same in units of 10^-`decimals`, exact.
    #[serde(skip)]
    pub units: Vec<Vec<i128>>,
    /// Decimals of `units`.
    #[serde(skip)]
    pub decimals: u32,
}

impl CrossTable {
    /// Counts customers and adds their amounts (units of 10^-`decimals`).
    pub fn new(a: &Tiering, b: &Tiering, amounts: &[i64], decimals: u32) -> Self {
        let (rows, columns) = (a.names.len(), b.names.len());
        let mut customers = vec![vec![0_u64; columns]; rows];
        let mut units = vec![vec![0_i128; columns]; rows];
        for ((&a, &b), &amount) in a.labels.iter().zip(&b.labels).zip(amounts) {
            let (row, column) = (a as usize, b as usize);
            customers[row][column] += 1;
            units[row][column] += i128::from(amount);
        }
        let in_full =
            |row: &Vec<i128>| row.iter().map(|&cell| from_fixed(cell, decimals)).collect();
        Self {
            rows: a.names.clone(),
            columns: b.names.clone(),
            customers,
            revenue: units.iter().map(in_full).collect(),
            units,
            decimals,
        }
    }

    /// A table of customers without names or amounts. All rows have to be equally long.
    pub fn of_counts(customers: Vec<Vec<u64>>) -> Self {
        let columns = customers.first().map_or(0, Vec::len);
        let names = |n: usize| (1..=n).map(|number| number.to_string()).collect();
        Self {
            rows: names(customers.len()),
            columns: names(columns),
            revenue: vec![vec![0.0; columns]; customers.len()],
            units: vec![vec![0; columns]; customers.len()],
            decimals: 0,
            customers,
        }
    }

    /// Customers of each tier of A, and of each of B.
    pub fn margins(&self) -> (Vec<u64>, Vec<u64>) {
        let rows = self.customers.iter().map(|row| row.iter().sum());
        let column = |column: usize| self.customers.iter().map(|row| row[column]).sum();
        (
            rows.collect(),
            (0..self.columns.len()).map(column).collect(),
        )
    }

    /// An amount in full.
    pub(super) fn amount(&self, units: i128) -> f64 {
        from_fixed(units, self.decimals)
    }
}
