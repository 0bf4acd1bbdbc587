//! Lines go to shelves, from as many threads as there are.
//!
//! In: the lines of a batch, each with the number of its shelf. Out: the shelves.
//! Invariant: a shelf is behind a lock of its own and gets all its lines of a piece of a batch at once.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use polars::prelude::PolarsResult;
use rayon::prelude::*;

use crate::load::deal::deal;

/// Shelves in a row.
pub(super) struct Hall<S> {
    shelves: Vec<Mutex<S>>,
    /// Where the next piece begins, so that two threads do not walk in step.
    turn: AtomicUsize,
}

impl<S: Send> Hall<S> {
    /// `n` shelves.
    pub(super) fn new(n: usize, shelf: impl Fn() -> S) -> Self {
        Self {
            shelves: (0..n).map(|_| Mutex::new(shelf())).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Puts `rows` on their shelves: what `item` makes of each on the one that `shelf_of` says.
    pub(super) fn add<T: Copy>(
        &self,
        rows: Range<usize>,
        shelf_of: impl Fn(usize) -> usize,
        item: impl Fn(usize) -> T,
        (put, room): (impl Fn(&mut S, &[T]) -> PolarsResult<()>, &mut Vec<T>),
    ) -> PolarsResult<()> {
        const STEP: usize = 97;
        let n = self.shelves.len();
        let starts = deal(n, rows, shelf_of, item, room);
        let turn = self.turn.fetch_add(STEP, Ordering::Relaxed);
        for shelf in (0..n).map(|shelf| (turn + shelf) % n) {
            let items = &room[starts[shelf]..starts[shelf + 1]];
            if !items.is_empty() {
                put(&mut open(&self.shelves[shelf]), items)?;
            }
        }
        Ok(())
    }

    /// Takes out what is made of each shelf, in their order.
    pub(super) fn take<T: Send>(&self, take: impl Fn(&mut S) -> T + Sync + Send) -> Vec<T> {
        let shelves = self.shelves.par_iter();
        shelves.map(|shelf| take(&mut open(shelf))).collect()
    }
}

/// A thread that panicked has ended the run already; what it leaves is not looked at.
pub(super) fn open<T>(shelf: &Mutex<T>) -> MutexGuard<'_, T> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
