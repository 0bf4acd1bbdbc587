//! Accounts are laid out by id.
//!
//! In: the accounts of all shelves. Out: [`Grouped`]. Invariant: ids ascend, and each stands once.
//!
//! Each shelf is sorted by itself, in the cache. Then the range of ids is cut into parts, of which every shelf holds a
//! piece in one place; the pieces of a part are brought together, sorted, and written where they belong.

use std::ops::Range;

use rayon::prelude::*;

use super::account::{Account, Wide};
use super::keys::Keys;
use super::{Exact, Grouped, Shelf, Who};

/// Accounts of a part, about: as many as a cache holds.
const PART: usize = 16_384;

/// A shelf that nothing is added to any more.
struct Closed<K: Keys> {
    /// Those who are customers, ascending by id.
    ordered: Vec<Account<K::Stored>>,
    without: Vec<Account<K::Stored>>,
    keys: K,
    wide: Wide<K::Stored>,
}

impl<K: Keys> Closed<K> {
    fn new<L>(shelf: Shelf<K, L>, who: Who) -> Self {
        let Shelf {
            accounts: mut ordered,
            keys,
            wide,
            ..
        } = shelf;
        let mut without = Vec::new();
        ordered.retain(|&account| {
            let has_order = who == Who::Everybody || 0 < account.orders;
            if !has_order {
                without.push(account);
            }
            has_order
        });
        let mut closed = Self {
            ordered: Vec::new(),
            without: Vec::new(),
            keys,
            wide,
        };
        for accounts in [&mut ordered, &mut without] {
            accounts.sort_unstable_by(|a, b| K::compare(closed.place(a), closed.place(b)));
        }
        (closed.ordered, closed.without) = (ordered, without);
        closed
    }

    /// What an account is ordered by.
    fn place(&self, account: &Account<K::Stored>) -> (K::Rank, K::Key<'_>) {
        (self.keys.rank(account.id), self.keys.get(account.id))
    }
}

/// Lays the accounts out by id.
pub(super) fn sorted<K: Keys, L: Send>(shelves: Vec<Shelf<K, L>>, name: &str, who: Who) -> Grouped {
    let closed = shelves.into_par_iter().map(|shelf| Closed::new(shelf, who));
    let shelves: Vec<Closed<K>> = closed.collect();
    let cuts = cuts(&shelves);
    let n = cuts.iter().map(|part| size(part)).sum();
    let mut columns = Columns::new(n, first_id(&shelves));
    let wide: Vec<(usize, i128)> = columns
        .split(cuts.iter().map(|part| size(part)))
        .into_par_iter()
        .zip(&cuts)
        .flat_map_iter(|(mut place, part)| bring(&shelves, part, &mut place))
        .collect();
    let mut without: Vec<_> = shelves
        .iter()
        .flat_map(|shelf| shelf.without.iter().map(|account| shelf.place(account)))
        .collect();
    without.sort_unstable_by(|&a, &b| K::compare(a, b));
    let rows_without_order: i64 = shelves
        .iter()
        .flat_map(|shelf| &shelf.without)
        .map(|account| -account.orders)
        .sum();
    Grouped {
        ids: K::series(name.into(), columns.ids),
        last: columns.last,
        first: columns.first,
        orders: columns.orders,
        totals: Exact {
            narrow: columns.totals,
            rest: wide.into_iter().collect(),
        },
        without_order: K::series(name.into(), without.into_iter().map(|(_, id)| id).collect()),
        rows_without_order: u64::try_from(rows_without_order).unwrap_or(0),
    }
}

fn first_id<K: Keys>(shelves: &[Closed<K>]) -> Option<K::Key<'_>> {
    shelves.iter().find_map(|shelf| {
        shelf
            .ordered
            .first()
            .map(|account| shelf.keys.get(account.id))
    })
}

/// For each part, the range of accounts that each shelf has of it.
fn cuts<K: Keys>(shelves: &[Closed<K>]) -> Vec<Vec<Range<usize>>> {
    let all: usize = shelves.iter().map(|shelf| shelf.ordered.len()).sum();
    // Ids came to shelves by a hash, so that the quantiles of one shelf are those of all.
    let Some(sample) = shelves.iter().max_by_key(|shelf| shelf.ordered.len()) else {
        return Vec::new();
    };
    let parts = all.div_ceil(PART).clamp(1, sample.ordered.len().max(1));
    let mut starts = vec![0; shelves.len()];
    let mut cuts = Vec::with_capacity(parts);
    for part in 1..=parts {
        let end = sample.ordered.get(part * sample.ordered.len() / parts);
        let ends: Vec<usize> = match end {
            None => shelves.iter().map(|shelf| shelf.ordered.len()).collect(),
            Some(end) => {
                let end = sample.place(end);
                let before = |shelf: &Closed<K>| {
                    let lies_before = |account: &_| K::compare(shelf.place(account), end).is_lt();
                    shelf.ordered.partition_point(lies_before)
                };
                shelves.iter().map(before).collect()
            }
        };
        cuts.push(
            starts
                .iter()
                .zip(&ends)
                .map(|(&start, &end)| start..end)
                .collect(),
        );
        starts = ends;
    }
    cuts
}

fn size(part: &[Range<usize>]) -> usize {
    part.iter().map(ExactSizeIterator::len).sum()
}

/// The columns of [`Grouped`], or the place of a part in them.
struct Columns<I, N> {
    start: usize,
    ids: I,
    last: N,
    first: N,
    orders: N,
    totals: N,
}

impl<T: Copy> Columns<Vec<T>, Vec<i64>> {
    /// Room for `n` customers.
    fn new(n: usize, id: Option<T>) -> Self {
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
    fn split(&mut self, sizes: impl Iterator<Item = usize>) -> Vec<Columns<&mut [T], &mut [i64]>> {
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

/// Brings the pieces of a part together, and gives back the totals beyond 64 bits, by row.
fn bring<'a, K: Keys>(
    shelves: &'a [Closed<K>],
    part: &[Range<usize>],
    place: &mut Columns<&mut [K::Key<'a>], &mut [i64]>,
) -> Vec<(usize, i128)> {
    let pieces = shelves.iter().zip(part);
    let mut accounts: Vec<_> = pieces
        .flat_map(|(shelf, range)| {
            let piece = shelf.ordered[range.clone()].iter();
            piece.map(move |account| (shelf.keys.rank(account.id), account, shelf))
        })
        .collect();
    // Not the unstable sort: this one makes use of the pieces, which are sorted.
    accounts.sort_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| K::compare(a.2.place(a.1), b.2.place(b.1)))
    });
    let mut wide = Vec::new();
    for (row, &(_, account, shelf)) in accounts.iter().enumerate() {
        place.ids[row] = shelf.keys.get(account.id);
        place.last[row] = account.last;
        place.first[row] = account.first;
        place.orders[row] = account.orders;
        place.totals[row] = account.total;
        let beyond = shelf.wide.get(&account.id);
        wide.extend(beyond.map(|&beyond| (place.start + row, beyond)));
    }
    wide
}
