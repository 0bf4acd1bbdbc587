//! Ids of customers, as a table of them needs them.
//!
//! In: an id of a batch. Out: what is kept of it, its hash, and its place in the order of ids.
//! Invariant: whole numbers are ordered as numbers and texts as bytes, as polars orders them.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use foldhash::fast::FixedState;
use polars::prelude::*;

/// The ids of one shelf.
pub(super) trait Keys: Default + Send + Sync + 'static {
    /// An id of a batch.
    type Key<'a>: Copy + Send + Sync
    where
        Self: 'a;
    /// An id that is kept.
    type Stored: Copy + Ord + Send + Sync;
    /// What orders most ids; those with equal ranks are compared.
    type Rank: Ord + Copy + Send + Sync;

    fn hash(key: Self::Key<'_>) -> u64;
    fn store(&mut self, key: Self::Key<'_>) -> Self::Stored;
    fn get(&self, stored: Self::Stored) -> Self::Key<'_>;
    fn is(&self, stored: Self::Stored, key: Self::Key<'_>) -> bool;
    fn rank(&self, stored: Self::Stored) -> Self::Rank;
    /// How two ids with their ranks are ordered.
    fn compare(a: (Self::Rank, Self::Key<'_>), b: (Self::Rank, Self::Key<'_>)) -> Ordering;
    /// Ids as a column.
    fn series(name: PlSmallStr, ids: Vec<Self::Key<'_>>) -> Series;
}

/// A hash that is the same in every process.
fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    FixedState::default().hash_one(key)
}

/// Ids that are numbers of a polars type: nothing has to be kept beside them.
pub(super) struct Whole<T>(PhantomData<T>);

impl<T> Default for Whole<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Keys for Whole<T>
where
    T: PolarsIntegerType,
    T::Native: Ord + Hash,
    ChunkedArray<T>: IntoSeries,
{
    type Key<'a> = T::Native;
    type Stored = T::Native;
    type Rank = T::Native;

    fn hash(key: T::Native) -> u64 {
        hash(&key)
    }

    fn store(&mut self, key: T::Native) -> T::Native {
        key
    }

    fn get(&self, stored: T::Native) -> T::Native {
        stored
    }

    fn is(&self, stored: T::Native, key: T::Native) -> bool {
        stored == key
    }

    fn rank(&self, stored: T::Native) -> T::Native {
        stored
    }

    fn compare((a, _): (T::Native, T::Native), (b, _): (T::Native, T::Native)) -> Ordering {
        a.cmp(&b)
    }

    fn series(name: PlSmallStr, ids: Vec<T::Native>) -> Series {
        ChunkedArray::<T>::from_vec(name, ids).into_series()
    }
}

/// Ids that are texts or bytes, end to end.
#[derive(Default)]
pub(super) struct Texts(Vec<u8>);

/// Where a text stands in its shelf.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    start: usize,
    length: usize,
}

impl Keys for Texts {
    type Key<'a> = &'a [u8];
    type Stored = Span;
    type Rank = u64;

    fn hash(key: &[u8]) -> u64 {
        hash(key)
    }

    fn store(&mut self, key: &[u8]) -> Span {
        let start = self.0.len();
        self.0.extend_from_slice(key);
        Span {
            start,
            length: key.len(),
        }
    }

    fn get(&self, stored: Span) -> &[u8] {
        &self.0[stored.start..stored.start + stored.length]
    }

    fn is(&self, stored: Span, key: &[u8]) -> bool {
        self.get(stored) == key
    }

    /// The first eight bytes as a number, which orders texts as far as they reach.
    fn rank(&self, stored: Span) -> u64 {
        let mut head = [0; 8];
        let text = self.get(stored);
        let n = text.len().min(head.len());
        head[..n].copy_from_slice(&text[..n]);
        u64::from_be_bytes(head)
    }

    fn compare((a, a_text): (u64, &[u8]), (b, b_text): (u64, &[u8])) -> Ordering {
        a.cmp(&b).then_with(|| a_text.cmp(b_text))
    }

    fn series(name: PlSmallStr, ids: Vec<&[u8]>) -> Series {
        BinaryChunked::from_iter_values(name, ids.into_iter()).into_series()
    }
}

/// What tells the orders of one customer apart: numbers and times themselves, of anything else a hash of 64 bits. Two orders
/// of one customer share one by chance in 2⁶⁴.
///
/// # Errors
/// What polars says of a type that is no text.
pub(in crate::load) fn order_keys(orders: &Column) -> PolarsResult<Vec<u64>> {
    let orders = orders.as_materialized_series();
    let whole = orders.dtype().is_integer() || orders.dtype().is_temporal();
    if whole && *orders.dtype() != DataType::Int128 && *orders.dtype() != DataType::UInt64 {
        let numbers = orders.to_physical_repr().cast(&DataType::Int64)?;
        let numbers = numbers.i64()?.into_no_null_iter();
        return Ok(numbers.map(i64::cast_unsigned).collect());
    }
    let texts = match orders.dtype() {
        DataType::UInt64 => return Ok(orders.u64()?.into_no_null_iter().collect()),
        DataType::Binary => orders.clone(),
        _ => orders.cast(&DataType::String)?.cast(&DataType::Binary)?,
    };
    let texts = texts.binary()?;
    Ok(texts
        .iter()
        .map(|text| hash(text.unwrap_or_default()))
        .collect())
}
