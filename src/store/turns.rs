//! Work that is done side by side and put away in order.
//!
//! In: how to make one of so many things, and how to put one away. Out: all put away, each after the one before.
//! Invariant: the order is that of their numbers, whoever was faster; an error or a panic ends it, and nobody waits for ever.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};

/// Makes `n` things side by side, and puts one after the other away in their order; the first error ends it.
///
/// Nobody begins another while many wait for their turn: however long it takes to put them away, they do not fill the memory.
pub(super) fn in_turn<T: Send>(
    n: usize,
    make: impl Fn(usize) -> Result<T> + Sync,
    put: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let turns = Mutex::new(Turns {
        next: 0,
        is_taken: false,
        ready: BTreeMap::new(),
        failed: None,
        abandoned: false,
    });
    let threads = rayon::current_num_threads().min(n).max(1);
    let fewer_wait = Condvar::new();
    let open = || turns.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        // Whose turn will not come any more is waited for by nobody.
        let _alarm = OnPanic(|| {
            next.store(n, Ordering::Relaxed);
            open().abandoned = true;
            fewer_wait.notify_all();
        });
        loop {
            let many = |turns: &mut Turns<_>| threads <= turns.ready.len() && !turns.abandoned;
            drop(fewer_wait.wait_while(open(), many));
            let number = next.fetch_add(1, Ordering::Relaxed);
            if n <= number {
                return;
            }
            let thing = make(number);
            let mut turns = open();
            turns.ready.insert(number, thing);
            // Whoever puts away goes on with that as long as something is ready.
            while let Some(thing) = turns.take() {
                drop(turns);
                let done = thing.and_then(&put);
                turns = open();
                turns.is_taken = false;
                if let Err(error) = done {
                    // Nobody begins another.
                    next.store(n, Ordering::Relaxed);
                    turns.failed.get_or_insert(error);
                    turns.ready.clear();
                }
                fewer_wait.notify_all();
            }
        }
    };
    // Threads of their own: one of rayon's that waits for something takes up other work, and lets what it makes lie meanwhile.
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let turns = turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    turns.failed.map_or(Ok(()), Err)
}

/// What is made and not yet put away, and whose turn it is.
struct Turns<T> {
    next: usize,
    /// Whether somebody puts the one before away.
    is_taken: bool,
    ready: BTreeMap<usize, T>,
    failed: Option<Error>,
    /// Whether a thread has panicked, which ends the run.
    abandoned: bool,
}

/// Does something where the thread panics before it is dropped.
struct OnPanic<F: Fn()>(F);

impl<F: Fn()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

impl<T> Turns<T> {
    /// The next in turn: if it is ready, and the one before it is put away and did not fail.
    fn take(&mut self) -> Option<T> {
        if self.is_taken || self.failed.is_some() {
            return None;
        }
        let next = self.ready.remove(&self.next)?;
        self.next += 1;
        self.is_taken = true;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 20;

    fn slow(number: usize) {
        std::thread::sleep(std::time::Duration::from_millis(number as u64 % 4 * 10));
    }

    fn put_away(make: impl Fn(usize) -> Result<usize> + Sync) -> (Vec<usize>, Result<()>) {
        let put = Mutex::new(Vec::new());
        let all = in_turn(N, make, |number| {
            slow(number + 1);
            put.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(number);
            Ok(())
        });
        (put.into_inner().unwrap_or_default(), all)
    }

    #[test]
    fn the_order_is_that_of_the_numbers_whoever_was_faster() {
        let (put, all) = put_away(|number| {
            slow(number);
            Ok(number)
        });
        assert!(all.is_ok());
        assert_eq!(put, (0..N).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_made_ends_it() {
        for failing in 0..N {
            let (put, all) = put_away(|number| match number {
                number if number == failing => Err(Error::TooFewCustomers { found: failing }),
                number => Ok(number),
            });
            assert_eq!(put, (0..failing).collect::<Vec<_>>());
            let is_it =
                |error| matches!(error, Error::TooFewCustomers { found } if found == failing);
            assert!(all.is_err_and(is_it), "{failing}");
        }
    }

    #[test]
    fn what_cannot_be_put_away_ends_it() {
        for failing in [0, 5, N - 1] {
            let put = AtomicUsize::new(0);
            let all = in_turn(N, Ok, |number| {
                if number == failing {
                    return Err(Error::TooFewCustomers { found: failing });
                }
                put.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            assert!(all.is_err(), "{failing}");
            assert_eq!(put.into_inner(), failing);
        }
    }

    #[test]
    fn a_panic_ends_it_too() {
        for failing in [0, 3, N - 1] {
            let make = |number| {
                assert!(number != failing, "on purpose");
                Ok(number)
            };
            let all = std::panic::AssertUnwindSafe(|| put_away(make));
            assert!(std::panic::catch_unwind(all).is_err(), "{failing}");
            let put = |number| {
                assert!(number != failing, "on purpose");
                Ok(())
            };
            let all = std::panic::AssertUnwindSafe(|| in_turn(N, Ok, put));
            assert!(std::panic::catch_unwind(all).is_err(), "{failing}");
        }
    }
}
