//! Accounts are laid out by id.
//!
//! In: the accounts of all shelves. Out: [`Grouped`]. Invariant: ids ascend, and each stands once.
//!
//! The range of ids is cut into parts, by the ids of one shelf: ids came to shelves by a hash, so that its quantiles are those
//! of all. Every shelf deals its accounts to the parts; then what a part was dealt is sorted, in the cache, and written where
//! it belongs.

use std::ops::Range;

use rayon::prelude::*;

use super::account::{Account, Wide};
use super::columns::{Columns, Without};
use super::keys::Keys;
use super::shelf::Shelf;
use super::{Grouped, Who};
use crate::load::deal::deal;

/// Accounts of a part, about: as many as a cache holds.
const PART: usize = 16_384;

/// A shelf that nothing is added to any more.
struct Closed<K: Keys> {
    without: Vec<Account<K::Stored>>,
    keys: K,
    wide: Wide<K::Stored>,
}

/// The accounts of those who are customers, part by part, and where each part begins; one more entry at the end.
struct Dealt<S> {
    accounts: Vec<Account<S>>,
    starts: Vec<usize>,
}

/// What an id is ordered by.
type Place<'a, K> = (<K as Keys>::Rank, <K as Keys>::Key<'a>);

impl<K: Keys> Closed<K> {
    /// Closes a shelf, and takes out the accounts of those who are customers.
    fn new<L>(shelf: Shelf<K, L>, who: Who) -> (Self, Vec<Account<K::Stored>>) {
        let Shelf {
            mut accounts,
            keys,
            wide,
            ..
        } = shelf;
        let mut without = Vec::new();
        accounts.retain(|&account| {
            let has_order = account.is_of(who);
            if !has_order {
                without.push(account);
            }
            has_order
        });
        let closed = Self {
            without,
            keys,
            wide,
        };
        (closed, accounts)
    }

    /// What an account is ordered by.
    fn place(&self, account: &Account<K::Stored>) -> Place<'_, K> {
        (self.keys.rank(account.id), self.keys.get(account.id))
    }

    /// Deals accounts to the parts, of which all but the first begin at `firsts`.
    fn deal(&self, accounts: &[Account<K::Stored>], firsts: &[Place<'_, K>]) -> Dealt<K::Stored> {
        let part = |at: usize| {
            let place = self.place(&accounts[at]);
            firsts.partition_point(|&first| K::compare(first, place).is_le())
        };
        let rows = 0..accounts.len();
        let mut dealt = Vec::new();
        let starts = deal(firsts.len() + 1, rows, part, |at| accounts[at], &mut dealt);
        Dealt {
            accounts: dealt,
            starts,
        }
    }
}

/// Lays the accounts out by id.
pub(super) fn sorted<K: Keys, L: Send>(shelves: Vec<Shelf<K, L>>, name: &str, who: Who) -> Grouped {
    let closed = shelves.into_par_iter().map(|shelf| Closed::new(shelf, who));
    let (shelves, accounts): (Vec<Closed<K>>, Vec<_>) = closed.collect();
    let firsts = firsts(&shelves, &accounts);
    let dealt = accounts.into_par_iter().zip(&shelves);
    let dealt: Vec<Dealt<K::Stored>> = dealt
        .map(|(accounts, shelf)| shelf.deal(&accounts, &firsts))
        .collect();
    let sizes: Vec<usize> = (0..=firsts.len())
        .map(|part| dealt.iter().map(|shelf| shelf.part(part).len()).sum())
        .collect();
    let some_id = shelves.iter().zip(&dealt).find_map(|(shelf, dealt)| {
        let account = dealt.accounts.first()?;
        Some(shelf.keys.get(account.id))
    });
    let mut columns = Columns::new(sizes.iter().sum(), some_id);
    let wide: Vec<(usize, i128)> = columns
        .split(sizes.into_iter())
        .into_par_iter()
        .enumerate()
        .flat_map_iter(|(part, mut place)| bring((&shelves, &dealt), part, &mut place))
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
    let without = Without {
        ids: K::series(name.into(), without.into_iter().map(|(_, id)| id).collect()),
        rows: rows_without_order,
    };
    columns.grouped(|ids| K::series(name.into(), ids), wide, without)
}

impl<S> Dealt<S> {
    fn part(&self, part: usize) -> Range<usize> {
        self.starts[part]..self.starts[part + 1]
    }
}

/// Where all parts but the first begin.
fn firsts<'a, K: Keys>(
    shelves: &'a [Closed<K>],
    accounts: &[Vec<Account<K::Stored>>],
) -> Vec<Place<'a, K>> {
    let all: usize = accounts.iter().map(Vec::len).sum();
    let Some((shelf, sample)) = shelves
        .iter()
        .zip(accounts)
        .max_by_key(|(_, accounts)| accounts.len())
    else {
        return Vec::new();
    };
    let mut sample: Vec<Place<'a, K>> = sample.iter().map(|account| shelf.place(account)).collect();
    sample.sort_unstable_by(|&a, &b| K::compare(a, b));
    let parts = all.div_ceil(PART).clamp(1, sample.len().max(1));
    (1..parts)
        .map(|part| sample[part * sample.len() / parts])
        .collect()
}

/// Brings the pieces of a part together, and gives back the totals beyond 64 bits, by row.
fn bring<'a, K: Keys>(
    (shelves, dealt): (&'a [Closed<K>], &[Dealt<K::Stored>]),
    part: usize,
    place: &mut Columns<&mut [K::Key<'a>], &mut [i64]>,
) -> Vec<(usize, i128)> {
    let mut order: Vec<(K::Rank, u32, u32)> = Vec::with_capacity(place.last.len());
    for (which, (shelf, dealt)) in (0..).zip(shelves.iter().zip(dealt)) {
        let range = dealt.part(part);
        let numbers = u32::try_from(range.start).unwrap_or(u32::MAX)..;
        let accounts = dealt.accounts[range].iter().zip(numbers);
        order.extend(accounts.map(|(account, at)| (shelf.keys.rank(account.id), which, at)));
    }
    let account = |which: u32, at: u32| &dealt[which as usize].accounts[at as usize];
    let key = |which: u32, at: u32| shelves[which as usize].keys.get(account(which, at).id);
    order.sort_unstable_by(|&(a, a_shelf, a_at), &(b, b_shelf, b_at)| {
        // Ranks of most ids differ, and nothing behind them has to be looked at.
        let equal = || K::compare((a, key(a_shelf, a_at)), (b, key(b_shelf, b_at)));
        a.cmp(&b).then_with(equal)
    });
    let mut wide = Vec::new();
    for (row, &(_, which, at)) in order.iter().enumerate() {
        let (shelf, account) = (&shelves[which as usize], account(which, at));
        place.ids[row] = shelf.keys.get(account.id);
        place.write(row, account);
        if !shelf.wide.is_empty() {
            let beyond = shelf.wide.get(&account.id);
            wide.extend(beyond.map(|&beyond| (place.start + row, beyond)));
        }
    }
    wide
}
