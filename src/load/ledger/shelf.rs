//! Customers whose ids are anything.
//!
//! In: batches of lines. Out: shelves of accounts. Invariant: a customer stands on the shelf that the hash of the id says.
//!
//! A shelf lets its lines lie until there are many: then its table is in the cache while they are added, and memory is not
//! waited for once per row.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use polars::prelude::*;

use super::account::{Account, Line, Lines, Orders, Wide};
use super::hall::Hall;
use super::keys::Keys;

/// Shelves; so many that one fits into the cache of a core while there are some million customers.
const SHELVES: usize = 256;
/// Lines that wait on a shelf before they are added to its accounts.
const WAITING: usize = 2_048;
/// Lines that are given to the shelves together: as many as the cache of a core holds beside what waits.
const GIVEN: usize = 8_192;

/// Some of the customers.
pub(super) struct Shelf<K: Keys, L> {
    places: HashTable<u32>,
    pub(super) accounts: Vec<Account<K::Stored>>,
    pub(super) keys: K,
    pub(super) wide: Wide<K::Stored>,
    orders: Orders,
    waiting: Vec<(K::Stored, L)>,
    waiting_keys: K,
}

impl<K: Keys, L: Lines> Shelf<K, L> {
    /// A shelf of customers who are known already, each once.
    pub(super) fn of(keys: K, accounts: Vec<Account<K::Stored>>, wide: Wide<K::Stored>) -> Self {
        Self {
            accounts,
            keys,
            wide,
            ..Self::new()
        }
    }

    fn new() -> Self {
        Self {
            places: HashTable::new(),
            accounts: Vec::new(),
            keys: K::default(),
            wide: Wide::new(),
            orders: Orders::default(),
            waiting: Vec::new(),
            waiting_keys: K::default(),
        }
    }

    /// Lets lines wait, and adds them to the accounts as soon as they are many.
    fn take_in(&mut self, mut lines: &[(K::Key<'_>, L)]) -> PolarsResult<()> {
        while !lines.is_empty() {
            // All at once, since room that grows is cleared anew each time.
            self.waiting.reserve_exact(WAITING - self.waiting.len());
            let room = WAITING - self.waiting.len();
            let (now, later) = lines.split_at(room.min(lines.len()));
            let keys = &mut self.waiting_keys;
            let stored = now.iter().map(|&(key, line)| (keys.store(key), line));
            self.waiting.extend(stored);
            if self.waiting.len() == WAITING {
                self.settle()?;
            }
            lines = later;
        }
        Ok(())
    }

    /// Adds what waits to the accounts.
    fn settle(&mut self) -> PolarsResult<()> {
        let waiting_keys = std::mem::take(&mut self.waiting_keys);
        let mut waiting = std::mem::take(&mut self.waiting);
        for &(id, line) in &waiting {
            self.add(waiting_keys.get(id), line.line())?;
        }
        waiting.clear();
        self.waiting = waiting;
        Ok(())
    }

    fn add(&mut self, key: K::Key<'_>, line: Line) -> PolarsResult<()> {
        let (accounts, keys) = (&mut self.accounts, &mut self.keys);
        let entry = self.places.entry(
            K::hash(key),
            |&place| keys.is(accounts[place as usize].id, key),
            |&place| K::hash(keys.get(accounts[place as usize].id)),
        );
        let place = match entry {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(free) => {
                let place = u32::try_from(accounts.len()).map_err(|_| too_many())?;
                free.insert(place);
                accounts.push(Account::new(keys.store(key)));
                place
            }
        };
        let is_new = self.orders.is_new(place, line);
        let account = &mut accounts[place as usize];
        account.add(line, is_new, (account.id, &mut self.wide));
        Ok(())
    }
}

/// All shelves, for one type of id and of lines.
pub(super) struct Shelves<K: Keys, L>(Hall<Shelf<K, L>>);

impl<K: Keys, L: Lines> Shelves<K, L> {
    pub(super) fn new() -> Self {
        Self(Hall::new(SHELVES, Shelf::new))
    }

    /// Adds a batch of `n` lines.
    pub(super) fn add<'a>(
        &self,
        n: usize,
        key: impl Fn(usize) -> K::Key<'a>,
        line: impl Fn(usize) -> L,
    ) -> PolarsResult<()> {
        let mut room = Vec::new();
        for begin in (0..n).step_by(GIVEN) {
            let rows = begin..n.min(begin + GIVEN);
            let number = |row| shelf_of(K::hash(key(row)));
            let item = |row| (key(row), line(row));
            let put = |shelf: &mut Shelf<K, L>, lines: &[_]| shelf.take_in(lines);
            self.0.add(rows, number, item, (put, &mut room))?;
        }
        Ok(())
    }

    /// Takes everything out.
    pub(super) fn take(&self) -> PolarsResult<Vec<Shelf<K, L>>> {
        let take = |shelf: &mut Shelf<K, L>| {
            let mut taken = std::mem::replace(shelf, Shelf::new());
            taken.settle()?;
            taken.waiting = Vec::new();
            taken.places = HashTable::new();
            taken.orders = Orders::default();
            Ok(taken)
        };
        self.0.take(take).into_iter().collect()
    }
}

/// The shelf of a hash, by bits that the table itself does not look at: it takes the lowest and the highest.
fn shelf_of(hash: u64) -> usize {
    hash.to_le_bytes()[5].into()
}

fn too_many() -> PolarsError {
    polars_err!(ComputeError: "more than {} customers", u64::from(u32::MAX) * SHELVES as u64)
}
