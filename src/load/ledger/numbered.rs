//! Customers whose ids are numbers without many gaps, as a database counts them up.
//!
//! In: batches of lines, and the range of the ids as the files tell it. Out: [`Grouped`].
//! Invariant: the account of id *i* is the *i*-th of the range, so that nothing is searched and nothing has to be sorted.
//!
//! What the files tell is taken for a hint: customers beyond it are found by their hashes, as those of any other id.

use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;

use super::account::{Account, Lines, Orders, Wide};
use super::columns::{Columns, Without};
use super::hall::Hall;
use super::keys::{Keys, Whole};
use super::shelf::{Shelf, Shelves};
use super::sorted::sorted;
use super::{Grouped, Who};

/// Ids that polars casts to.
type Ids = Whole<Int64Type>;

/// Totals beyond 64 bits, by row.
type Beyond = Vec<(usize, i128)>;
/// Ids of those who are no customers, and how many rows each has.
type WithoutOrder = Vec<(i64, i64)>;

/// Accounts of a drawer, at least: as many as the cache of a core holds.
const DRAWER: u64 = 4_096;
/// Drawers at most.
const DRAWERS: u64 = 256;
/// Ids at most.
const LARGEST: u64 = 1 << 28;
/// Rows for every id of the range, at least: fewer would leave too many accounts empty.
const ROWS: u64 = 4;
/// Lines whose accounts are fetched together.
const AHEAD: usize = 64;
/// Lines that are given to the drawers together.
const GIVEN: usize = 1 << 16;

/// The accounts of neighbours; without rows where nobody has the id, and none at all before the first line.
#[derive(Default)]
struct Drawer {
    accounts: Vec<Account<()>>,
    wide: Wide<usize>,
    orders: Orders,
}

/// All accounts of a range of ids.
pub(super) struct Numbered<L> {
    first: i64,
    ids: u64,
    /// A drawer has 2^shift accounts.
    shift: u32,
    drawers: Hall<Drawer>,
    others: Shelves<Ids, L>,
}

impl<L: Lines> Numbered<L> {
    /// For `rows` rows with ids from the first to the last of `range`; `None` where those have too many gaps.
    pub(super) fn new((first, last): (i64, i64), rows: u64) -> Option<Self> {
        let ids = u64::try_from(i128::from(last) - i128::from(first) + 1).ok()?;
        if LARGEST.min(rows / ROWS) < ids {
            return None;
        }
        let shift = ids
            .div_ceil(DRAWERS)
            .max(DRAWER)
            .next_power_of_two()
            .ilog2();
        Some(Self {
            first,
            ids,
            shift,
            drawers: Hall::new(
                usize::try_from(ids.div_ceil(1 << shift)).ok()?,
                Drawer::default,
            ),
            others: Shelves::new(),
        })
    }

    /// Adds a batch: row *i* of `ids` has line *i*.
    pub(super) fn add(&self, ids: &[i64], line: impl Fn(usize) -> L) -> PolarsResult<()> {
        let mut room = Vec::new();
        for begin in (0..ids.len()).step_by(GIVEN) {
            let rows = begin..ids.len().min(begin + GIVEN);
            if ids[rows.clone()].iter().all(|&id| self.has(id)) {
                self.add_known(rows, |row| ids[row], &line, &mut room)?;
                continue;
            }
            let (known, others): (Vec<usize>, Vec<usize>) =
                rows.partition(|&row| self.has(ids[row]));
            self.add_known(
                0..known.len(),
                |row| ids[known[row]],
                |row| line(known[row]),
                &mut room,
            )?;
            let (id, line) = (|row| ids[others[row]], |row| line(others[row]));
            self.others.add(others.len(), id, line)?;
        }
        Ok(())
    }

    fn has(&self, id: i64) -> bool {
        self.place(id) < self.ids
    }

    /// The place of an id in the range; beyond all where it is not in it.
    fn place(&self, id: i64) -> u64 {
        id.wrapping_sub(self.first).cast_unsigned()
    }

    /// Adds rows of customers of the range.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there are fewer than 2^28 ids"
    )]
    fn add_known(
        &self,
        rows: Range<usize>,
        id: impl Fn(usize) -> i64,
        line: impl Fn(usize) -> L,
        room: &mut Vec<(u32, L)>,
    ) -> PolarsResult<()> {
        let drawer_of = |row| (self.place(id(row)) >> self.shift) as usize;
        let within = (1 << self.shift) - 1;
        let item = |row| ((self.place(id(row)) & within) as u32, line(row));
        let put = |drawer: &mut Drawer, lines: &[(u32, L)]| {
            drawer.take_in(lines, 1 << self.shift);
            Ok(())
        };
        self.drawers.add(rows, drawer_of, item, (put, room))
    }

    /// Takes out the customers in the order of their ids, which form a column `name`.
    pub(super) fn take(&self, name: &str, who: Who) -> PolarsResult<Grouped> {
        let others = self.others.take()?;
        let drawers = self.drawers.take(std::mem::take).into_iter();
        let firsts = (0_i64..).map(|drawer| self.first + (drawer << self.shift));
        let drawers = drawers.zip(firsts);
        if others.iter().all(|shelf| shelf.accounts.is_empty()) {
            return Ok(laid_out(drawers.collect(), name, who));
        }
        let shelves = drawers.map(|(drawer, first)| drawer.into_shelf(first));
        Ok(sorted(shelves.chain(others).collect(), name, who))
    }
}

impl Drawer {
    /// Adds lines of its customers, of whom there are room for `n`.
    fn take_in(&mut self, lines: &[(u32, impl Lines)], n: usize) {
        if self.accounts.is_empty() {
            self.accounts = vec![Account::new(()); n];
        }
        for lines in lines.chunks(AHEAD) {
            // Nothing waits for what is only looked at: memory brings the accounts of many lines at once, and not of one after
            // the other.
            let looked_at = lines
                .iter()
                .map(|&(place, _)| self.accounts[place as usize].orders);
            std::hint::black_box(looked_at.fold(0, |all, orders| all ^ orders));
            for &(place, line) in lines {
                let line = line.line();
                let is_new = self.orders.is_new(place, line);
                let wide = (place as usize, &mut self.wide);
                self.accounts[place as usize].add(line, is_new, wide);
            }
        }
    }

    /// Those with rows, each with the number of its place.
    fn known(&self) -> impl Iterator<Item = (usize, &Account<()>)> {
        let all = self.accounts.iter().enumerate();
        all.filter(|(_, account)| account.orders != 0)
    }

    /// The same as a shelf of customers, of whom the first has the id `first`.
    fn into_shelf<L: Lines>(self, first: i64) -> Shelf<Ids, L> {
        let id = |place: usize| first + place.cast_signed() as i64;
        let known = self.known();
        let accounts = known.map(|(place, account)| account.named(id(place)));
        let accounts = accounts.collect();
        let wide = self.wide.into_iter();
        let wide = wide.map(|(place, units)| (id(place), units)).collect();
        Shelf::of(Ids::default(), accounts, wide)
    }

    /// Writes its customers into their place; gives back totals beyond 64 bits by row, and who is no customer with how many rows.
    fn write(
        self,
        first: i64,
        who: Who,
        place: &mut Columns<&mut [i64], &mut [i64]>,
    ) -> (Beyond, WithoutOrder) {
        let (mut wide, mut without) = (Vec::new(), Vec::new());
        let mut row = 0;
        for (number, account) in self.known() {
            let id = first + number.cast_signed() as i64;
            if !account.is_of(who) {
                without.push((id, -account.orders));
                continue;
            }
            place.ids[row] = id;
            place.write(row, account);
            if !self.wide.is_empty() {
                let beyond = self.wide.get(&number);
                wide.extend(beyond.map(|&beyond| (place.start + row, beyond)));
            }
            row += 1;
        }
        (wide, without)
    }
}

/// Lays the accounts out, which stand in the order of their ids already.
fn laid_out(drawers: Vec<(Drawer, i64)>, name: &str, who: Who) -> Grouped {
    let count = |(drawer, _): &(Drawer, i64)| {
        let customers = drawer.known().filter(|(_, account)| account.is_of(who));
        customers.count()
    };
    let sizes: Vec<usize> = drawers.par_iter().map(count).collect();
    let n = sizes.iter().sum();
    let mut columns = Columns::new(n, Some(0));
    let places = columns.split(sizes.into_iter());
    let parts = drawers.into_par_iter().zip(places);
    let parts: Vec<_> = parts
        .map(|((drawer, first), mut place)| drawer.write(first, who, &mut place))
        .collect();
    let (wide, without): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let without: Vec<(i64, i64)> = without.into_iter().flatten().collect();
    let rows = without.iter().map(|&(_, rows)| rows).sum();
    let series = |ids| Ids::series(name.into(), ids);
    let without = Without {
        ids: series(without.into_iter().map(|(id, _)| id).collect()),
        rows,
    };
    columns.grouped(series, wide.into_iter().flatten().collect(), without)
}
