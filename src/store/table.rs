//! Tables as Parquet.
//!
//! In: a table, or what makes some of its rows. Out: a file.
//! Invariant: the bytes depend neither on the number of threads nor on which of them was faster.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use polars::prelude::*;

use crate::error::{Error, Result};

/// Rows of a row group: fixed, so that the bytes do not depend on threads or chunks.
const ROW_GROUP: usize = 262_144;

/// Writes a table that is in memory.
pub(super) fn write_parquet(
    file: impl Write + Send,
    frame: &mut DataFrame,
    name: &str,
) -> Result<()> {
    frame.rechunk_mut();
    encode(file, (name, frame.height()), |rows| {
        Ok(frame.slice(rows.start.cast_signed() as i64, rows.len()))
    })
}

/// Writes a table part by part: row groups are made and encoded side by side, and written in their order. polars compresses as it
/// writes, which takes as long as all before.
///
/// The bytes depend neither on that nor on the number of cores.
pub(super) fn encode(
    file: impl Write + Send,
    (name, rows): (&str, usize),
    part: impl Fn(Range<usize>) -> Result<DataFrame> + Sync,
) -> Result<()> {
    let fault = || Error::polars(format!("write {name}"));
    // The fastest level is also the smallest for such columns: 65.5 MB against 67.6 MB of level 3 for 5 M customers.
    let level = polars::polars_utils::compression::ZstdLevel::try_new(1).map_err(fault())?;
    let writer = ParquetWriter::new(file)
        .with_compression(ParquetCompression::Zstd(Some(level)))
        .batched(part(0..0)?.schema())
        .map_err(fault())?;
    let row_group = |group: usize| {
        let frame = part(group * ROW_GROUP..rows.min((group + 1) * ROW_GROUP))?;
        let encoded = writer.encode_and_compress(&frame);
        encoded.collect::<PolarsResult<Vec<_>>>().map_err(fault())
    };
    let write = |encoded| writer.write_row_groups(encoded).map_err(fault());
    in_turn(rows.div_ceil(ROW_GROUP), row_group, write)?;
    writer.finish().map(|_| ()).map_err(fault())
}

/// Makes `n` things side by side, and puts one after the other away in their order; the first error ends it.
///
/// Nobody begins another while many wait for their turn: however long it takes to put them away, they do not fill the memory.
fn in_turn<T: Send>(
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

    const ROWS: usize = 7 * ROW_GROUP + 5;

    fn numbers(rows: Range<usize>) -> Result<DataFrame> {
        let numbers = rows.map(|row| row as u64 * 7).collect();
        let column = UInt64Chunked::from_vec("n".into(), numbers).into_column();
        DataFrame::new(column.len(), vec![column]).map_err(Error::polars("test"))
    }

    /// Takes its time, and fails once it has taken so many bytes.
    struct Disk<'a> {
        bytes: &'a mut Vec<u8>,
        room: usize,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            std::thread::sleep(std::time::Duration::from_millis(1));
            if self.room < self.bytes.len() + buffer.len() {
                return Err(std::io::Error::other("full"));
            }
            self.bytes.extend_from_slice(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(
        room: usize,
        part: impl Fn(Range<usize>) -> Result<DataFrame> + Sync,
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let disk = Disk {
            bytes: &mut bytes,
            room,
        };
        encode(disk, ("test", ROWS), part).map(|()| bytes)
    }

    #[test]
    fn row_groups_stand_in_their_order_whoever_was_faster() {
        // The first of each four is slow.
        let part = |rows: Range<usize>| {
            if (rows.start / ROW_GROUP).is_multiple_of(4) {
                std::thread::sleep(std::time::Duration::from_millis(40));
            }
            numbers(rows)
        };
        let bytes = written(usize::MAX, part).unwrap_or_default();
        assert_eq!(written(usize::MAX, numbers).ok().as_ref(), Some(&bytes));
        let read = ParquetReader::new(std::io::Cursor::new(bytes)).finish();
        let expected = numbers(0..ROWS).ok();
        assert!(read.ok().zip(expected).is_some_and(|(a, b)| a.equals(&b)));
    }

    #[test]
    fn a_table_without_rows_is_a_table() {
        let mut bytes = Vec::new();
        assert!(encode(&mut bytes, ("test", 0), numbers).is_ok());
        let read = ParquetReader::new(std::io::Cursor::new(bytes)).finish();
        assert_eq!(read.ok().map(|table| table.shape()), Some((0, 1)));
    }

    #[test]
    fn what_fails_ends_the_table() {
        for failing in 0..7 {
            let part = |rows: Range<usize>| {
                if rows.start / ROW_GROUP == failing && !rows.is_empty() {
                    return Err(Error::TooFewCustomers { found: failing });
                }
                numbers(rows)
            };
            let failed = written(usize::MAX, part);
            let is_it =
                |error| matches!(error, Error::TooFewCustomers { found } if found == failing);
            assert!(failed.is_err_and(is_it), "{failing}");
        }
        for room in [0, 100, 1 << 20] {
            assert!(written(room, numbers).is_err(), "{room}");
        }
    }

    #[test]
    fn a_panic_ends_the_table_too() {
        for failing in [0, 3, 7] {
            let part = |rows: Range<usize>| {
                assert!(
                    rows.start / ROW_GROUP != failing || rows.is_empty(),
                    "on purpose"
                );
                numbers(rows)
            };
            let all = std::panic::AssertUnwindSafe(|| written(usize::MAX, part));
            assert!(std::panic::catch_unwind(all).is_err(), "{failing}");
        }
    }
}
