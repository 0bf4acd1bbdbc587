//! Rows add up to customers.
//!
//! In: batches of usable rows, from as many threads as there are, in any order. Out: [`Grouped`]: the customers in the
//! order of their ids.
//! Invariant: an account holds a count, a minimum, a maximum and an integer sum, so that neither the order of rows nor
//! the number of threads shows.
//!
//! polars reads, casts and filters; only its group-by is replaced. Customers stand on shelves ([`hall`]), each behind a lock
//! of its own, so that there is one table in memory however many threads there are: on that of their number where ids are
//! counted up ([`numbered`]), else on that of the hash of the id ([`shelf`]).

mod account;
mod columns;
mod days;
mod hall;
mod keys;
mod numbered;
mod shelf;
mod sorted;

use polars::prelude::*;

use super::fixed::Exact;
use super::ranges::in_64_bits;
pub(super) use account::{Lines, OrderLine, Row};
pub(super) use days::Days;
use hall::open;
pub(super) use keys::order_keys;
use keys::{Texts, Whole};
use numbered::Numbered;
use shelf::Shelves;
use sorted::sorted;

/// The accounts of all customers, by the type of their ids.
pub(super) struct Ledger<L> {
    dtype: DataType,
    book: Book<L>,
}

enum Book<L> {
    Numbered(Numbered<L>),
    Signed(Shelves<Whole<Int64Type>, L>),
    Unsigned(Shelves<Whole<UInt64Type>, L>),
    Wide(Shelves<Whole<Int128Type>, L>),
    Text(Shelves<Texts, L>),
}

impl<L: Lines> Ledger<L> {
    /// For customers whose ids are of this type, and for as many `rows`; from the first to the last of `range`, as far as is
    /// known.
    pub(super) fn new(dtype: DataType, rows: u64, range: Option<(i64, i64)>) -> Self {
        let range = range.filter(|_| in_64_bits(&dtype));
        let numbered = range.and_then(|range| Numbered::new(range, rows));
        let book = match &dtype {
            _ if let Some(numbered) = numbered => Book::Numbered(numbered),
            DataType::UInt64 => Book::Unsigned(Shelves::new()),
            DataType::Int128 => Book::Wide(Shelves::new()),
            dtype if dtype.is_integer() => Book::Signed(Shelves::new()),
            _ => Book::Text(Shelves::new()),
        };
        Self { dtype, book }
    }

    /// Adds a batch: row *i* of `customers` has line *i*.
    ///
    /// # Errors
    /// What polars says of ids that are no ids of the type.
    pub(super) fn add(&self, customers: &Column, line: impl Fn(usize) -> L) -> PolarsResult<()> {
        let n = customers.len();
        let ids = customers.as_materialized_series();
        match &self.book {
            Book::Numbered(numbered) => {
                let ids = ids.cast(&DataType::Int64)?.rechunk();
                numbered.add(ids.i64()?.cont_slice()?, line)
            }
            Book::Signed(shelves) => {
                let ids = ids.cast(&DataType::Int64)?.rechunk();
                let ids = ids.i64()?.cont_slice()?;
                shelves.add(n, |row| ids[row], line)
            }
            Book::Unsigned(shelves) => {
                let ids = ids.rechunk();
                let ids = ids.u64()?.cont_slice()?;
                shelves.add(n, |row| ids[row], line)
            }
            Book::Wide(shelves) => {
                let ids = ids.rechunk();
                let ids = ids.i128()?.cont_slice()?;
                shelves.add(n, |row| ids[row], line)
            }
            Book::Text(shelves) => {
                let ids = match ids.dtype() {
                    DataType::Binary => ids.clone(),
                    _ => ids.cast(&DataType::String)?.cast(&DataType::Binary)?,
                };
                let ids = ids.binary()?.rechunk();
                let ids = ids.downcast_as_array();
                shelves.add(n, |row| ids.value(row), line)
            }
        }
    }

    /// Takes out the customers in the order of their ids, which form a column `name`.
    ///
    /// # Errors
    /// What polars says of ids that do not fit their type again.
    pub(super) fn take(&self, name: &str, who: Who) -> PolarsResult<Grouped> {
        let grouped = match &self.book {
            Book::Numbered(numbered) => numbered.take(name, who)?,
            Book::Signed(shelves) => sorted(shelves.take()?, name, who),
            Book::Unsigned(shelves) => sorted(shelves.take()?, name, who),
            Book::Wide(shelves) => sorted(shelves.take()?, name, who),
            Book::Text(shelves) => sorted(shelves.take()?, name, who),
        };
        let typed = |ids: Series| match &self.dtype {
            DataType::Binary => Ok(ids),
            dtype if dtype.is_integer() => ids.cast(dtype),
            dtype => ids.cast(&DataType::String)?.cast(dtype),
        };
        Ok(Grouped {
            ids: typed(grouped.ids)?,
            without_order: typed(grouped.without_order)?,
            ..grouped
        })
    }
}

/// Who is a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Those with an order.
    WithOrders,
    /// Those with any row: refunds alone count as well, with minus their rows for orders.
    Everybody,
}

/// All customers, added up. Row *i* is the same customer in every array.
pub(super) struct Grouped {
    /// Ids of those who are customers ([`Who`]), ascending.
    pub(super) ids: Series,
    /// Time of the last order.
    pub(super) last: Vec<i64>,
    /// Time of the first order.
    pub(super) first: Vec<i64>,
    /// Orders; 1 or more but for [`Who::Everybody`].
    pub(super) orders: Vec<i64>,
    /// Amounts in units.
    pub(super) totals: Exact,
    /// Ids of customers without order, ascending.
    pub(super) without_order: Series,
    /// Their rows.
    pub(super) rows_without_order: u64,
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Adds rows in batches, on as many threads as there are.
    fn ledger(ids: &Series, lines: &[Row<i64>], batch: usize) -> Grouped {
        numbered(ids, lines, (batch, None))
    }

    /// The same for ids of a range.
    fn numbered(
        ids: &Series,
        lines: &[Row<i64>],
        (batch, range): (usize, Option<(i64, i64)>),
    ) -> Grouped {
        let ledger = Ledger::new(ids.dtype().clone(), lines.len() as u64, range);
        let is_numbered = matches!(ledger.book, Book::Numbered(_));
        assert_eq!(is_numbered, range.is_some());
        let starts: Vec<usize> = (0..lines.len()).step_by(batch).collect();
        starts.par_iter().for_each(|&start| {
            let part = ids
                .slice(start.try_into().unwrap_or(0), batch)
                .into_column();
            let added = ledger.add(&part, |row| lines[start + row]);
            assert!(added.is_ok(), "{added:?}");
        });
        match ledger.take("id", Who::WithOrders) {
            Ok(grouped) => grouped,
            Err(error) => panic!("{error}"),
        }
    }

    /// Customer, time and units of some rows: every seventh is a refund, and customer 3 has nothing else.
    fn rows(n: i64) -> Vec<(i64, Row<i64>)> {
        let row = |i: i64| {
            let customer = i * 7_919 % 1_000 - 500;
            let time = if i % 7 == 0 || customer == 3 {
                i64::MIN
            } else {
                100 + i
            };
            (
                customer,
                Row {
                    time,
                    units: i - 40,
                },
            )
        };
        (0..n).map(row).collect()
    }

    /// The same by the plain way: ids, last, first, orders and totals.
    fn expected(rows: &[(i64, Row<i64>)]) -> Vec<(i64, [i64; 4])> {
        let mut all: std::collections::BTreeMap<i64, [i64; 4]> = std::collections::BTreeMap::new();
        for &(id, Row { time, units }) in rows {
            let sums = all.entry(id).or_insert([i64::MIN, i64::MAX, 0, 0]);
            if time != i64::MIN {
                *sums = [sums[0].max(time), sums[1].min(time), sums[2] + 1, sums[3]];
            }
            sums[3] += units;
        }
        all.into_iter().filter(|(_, sums)| 0 < sums[2]).collect()
    }

    fn found(grouped: &Grouped, ids: &[i64]) -> Vec<(i64, [i64; 4])> {
        let numbers = |row: usize| {
            let totals = &grouped.totals.narrow;
            [
                grouped.last[row],
                grouped.first[row],
                grouped.orders[row],
                totals[row],
            ]
        };
        ids.iter()
            .copied()
            .enumerate()
            .map(|(row, id)| (id, numbers(row)))
            .collect()
    }

    #[test]
    fn whatever_the_batches_rows_add_up_as_by_hand() {
        // More rows than wait on the shelves, and more customers than one part holds would need another test: below.
        let rows = rows(50_000);
        let (ids, lines): (Vec<i64>, Vec<Row<i64>>) = rows.iter().copied().unzip();
        let expected = expected(&rows);
        // Of the ids from -500 to 499 none or all lie in the range, or some on either side of it; and a range may be wider.
        let ranges = [
            None,
            Some((-500, 499)),
            Some((-30, 2)),
            Some((-8_000, 4_000)),
        ];
        let batches = [1_000, 4_096, 50_000];
        let ways = batches
            .iter()
            .flat_map(|&batch| ranges.map(|range| (batch, range)));
        for (batch, range) in ways {
            let ids = Int64Chunked::from_slice("id".into(), &ids).into_series();
            let grouped = numbered(&ids, &lines, (batch, range));
            let found_ids: Vec<i64> = grouped
                .ids
                .i64()
                .map(|ids| ids.into_no_null_iter().collect())
                .unwrap_or_default();
            assert_eq!(found(&grouped, &found_ids), expected, "{batch} {range:?}");
            assert!(grouped.totals.rest.is_empty());
            assert_eq!(
                grouped.without_order.i64().ok().and_then(|ids| ids.get(0)),
                Some(3)
            );
            let theirs = rows.iter().filter(|(id, _)| *id == 3).count();
            assert_eq!(
                (grouped.without_order.len(), grouped.rows_without_order),
                (1, theirs as u64)
            );
        }
    }

    #[test]
    fn a_hundred_thousand_customers_ascend_as_numbers_and_as_texts() {
        let lines = vec![Row { time: 7, units: 1 }; 100_000];
        let id = |i: i64| i * 48_271 % 100_003 - 50_000;
        let ids: Vec<i64> = (0..100_000).map(id).collect();
        let grouped = ledger(
            &Int64Chunked::from_slice("id".into(), &ids).into_series(),
            &lines,
            30_000,
        );
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let found: Vec<i64> = grouped
            .ids
            .i64()
            .map(|ids| ids.into_no_null_iter().collect())
            .unwrap_or_default();
        assert_eq!(found, sorted);
        assert_eq!(grouped.orders, vec![1; 100_000]);

        // Longer than the eight bytes of a rank, which are all alike.
        let texts: Vec<String> = ids.iter().map(|id| format!("customer {id}")).collect();
        let series = StringChunked::from_iter_values("id".into(), texts.iter().map(String::as_str))
            .into_series();
        let grouped = ledger(&series, &lines, 30_000);
        let mut sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let found: Vec<&str> = grouped
            .ids
            .str()
            .map(|ids| ids.iter().flatten().collect())
            .unwrap_or_default();
        assert_eq!(found, sorted);
    }

    #[test]
    fn totals_beyond_64_bits_stay_exact() {
        let line = |units| Row { time: 1, units };
        let lines = [
            line(i64::MAX),
            line(i64::MAX),
            line(5),
            line(i64::MIN),
            line(i64::MIN),
        ];
        for ids in [[1_u64, 1, 2, 2, 2], [u64::MAX, u64::MAX, 0, 0, 0]] {
            let ids = UInt64Chunked::from_slice("id".into(), &ids).into_series();
            let grouped = ledger(&ids, &lines, 2);
            let total = |row: usize| {
                let rest = grouped.totals.rest.get(&row).copied().unwrap_or(0);
                i128::from(grouped.totals.narrow[row]) + rest
            };
            let mut totals = [total(0), total(1)];
            totals.sort_unstable();
            assert_eq!(
                totals,
                [5 + 2 * i128::from(i64::MIN), 2 * i128::from(i64::MAX)]
            );
            assert!(grouped.ids.u64().is_ok_and(|ids| ids.get(0) < ids.get(1)));
        }
    }

    #[test]
    fn an_order_counts_once_for_a_customer_however_many_lines_it_has() {
        // Customer 1: orders 7 (three lines, one of them a refund) and 8; customer 2: order 7 too, and a refund of an order
        // that is nowhere else; customer 3: refunds only.
        let time = |day: i64| day;
        let none = i64::MIN;
        let lines = [
            (1, time(5), 10, 7),
            (1, time(4), 20, 7),
            (1, none, -5, 7),
            (1, time(9), 1, 8),
            (2, time(3), 2, 7),
            (2, none, -1, 9),
            (3, none, -1, 7),
            (3, none, -1, 7),
        ];
        let line = |&(_, time, units, order): &(i64, i64, i64, u64)| OrderLine {
            row: Row { time, units },
            order,
        };
        for forwards in [true, false] {
            let mut lines = lines;
            if !forwards {
                lines.reverse();
            }
            let ids: Vec<i64> = lines.iter().map(|line| line.0).collect();
            let ids = Int64Chunked::from_vec("id".into(), ids).into_column();
            let ledger = Ledger::new(DataType::Int64, 0, None);
            let added = ledger.add(&ids, |row| line(&lines[row]));
            assert!(added.is_ok(), "{added:?}");
            let Ok(grouped) = ledger.take("id", Who::WithOrders) else {
                panic!("ids are ids");
            };
            assert_eq!(grouped.orders, [2, 1]);
            assert_eq!(grouped.last, [9, 3]);
            assert_eq!(grouped.first, [4, 3]);
            assert_eq!(grouped.totals.narrow, [26, 1]);
            assert_eq!(grouped.rows_without_order, 2);
        }
    }
}
