//! The columns of [`Grouped`] while they are written.
//!
//! In: accounts, part by part, from as many threads as there are. Out: [`Grouped`].
//! Invariant: each part has a place of its own, one after the other.

use polars::prelude::Series;

use super::account::Account;
use super::{Exact, Grouped};

/// The columns of [`Grouped`], or the place of a part in them.
pub(super) struct Columns<I, N> {
    pub(super) start: usize,
    pub(super) ids: I,
    pub(super) last: N,
    pub(super) first: N,
    pub(super) orders: N,
    pub(super) totals: N,
}

impl<T: Copy> Columns<Vec<T>, Vec<i64>> {
    /// Room for `n` customers.
    pub(super) fn new(n: usize, id: Option<T>) -> Self {
        Self {
            start: 0,
            ids: id.map_or_else(Vec::new, |id| vec![id; n]),
            last: vec![0; n],
            first: vec![0; n],
            orders: vec![0; n],
            totals: vec![0; n],
        }
    }

    /// Places of these sizes, one after the other.
    pub(super) fn split(
        &mut self,
        sizes: impl Iterator<Item = usize>,
    ) -> Vec<Columns<&mut [T], &mut [i64]>> {
        let mut start = 0;
        let mut ids = self.ids.as_mut_slice();
        let mut numbers = [
            &mut self.last,
            &mut self.first,
            &mut self.orders,
            &mut self.totals,
        ]
        .map(Vec::as_mut_slice);
        let mut places = Vec::new();
        for size in sizes {
            let [last, first, orders, totals] = numbers
                .each_mut()
                .map(|rest| rest.split_off_mut(..size).unwrap_or_default());
            places.push(Columns {
                start,
                ids: ids.split_off_mut(..size).unwrap_or_default(),
                last,
                first,
                orders,
                totals,
            });
            start += size;
        }
        places
    }
}

impl<I> Columns<I, &mut [i64]> {
    /// Writes what is known of a customer, but for the id, into a row of the place.
    pub(super) fn write<S>(&mut self, row: usize, account: &Account<S>) {
        self.last[row] = account.last;
        self.first[row] = account.first;
        self.orders[row] = account.orders;
        self.totals[row] = account.total;
    }
}

/// Customers without order: their ids, ascending, and how many rows they have.
pub(super) struct Without {
    pub(super) ids: Series,
    pub(super) rows: i64,
}

impl<I> Columns<I, Vec<i64>> {
    /// The columns with the ids as a series, the totals beyond 64 bits by row, and those who are no customers.
    pub(super) fn grouped(
        self,
        ids: impl FnOnce(I) -> Series,
        wide: Vec<(usize, i128)>,
        without: Without,
    ) -> Grouped {
        Grouped {
            ids: ids(self.ids),
            last: self.last,
            first: self.first,
            orders: self.orders,
            totals: Exact {
                narrow: self.totals,
                rest: wide.into_iter().collect(),
            },
            without_order: without.ids,
            rows_without_order: u64::try_from(without.rows).unwrap_or(0),
        }
    }
}
