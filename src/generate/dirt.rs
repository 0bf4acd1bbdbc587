//! What is wrong with a dirty row.
//!
//! In: the share of dirty rows. Out: a kind per dirty row. Invariant: the columns keep the true values, and dirt lies
//! over them as a list of rows and kinds; so the truth stays known, and a row has at most one fault.
//! Only what a typed Parquet column (timestamp, double, id) can hold is here: no text in a date, no unknown currency.
//! No dates in the future either: one of them moves the default as-of, which is a test of its own and not noise.

use rand::Rng;
use serde::Serialize;

use super::stream::happens;

/// 0001-01-01T00:00:00 in Unix microseconds, the time of a [`Dirt::YearOne`] row: what systems write for "no date".
pub const YEAR_ONE_US: i64 = -62_135_596_800_000_000;

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dirt {
    /// The customer is null.
    NullCustomer,
    /// The time is null.
    NullTime,
    /// The time is [`YEAR_ONE_US`].
    YearOne,
    /// The amount is null.
    NullAmount,
    /// The amount is NaN.
    NanAmount,
    /// The row is a second copy of the one before it, in every column.
    Duplicate,
}

impl Dirt {
    /// Every kind, in the order of [`DirtCounts`].
    pub const ALL: [Self; 6] = [
        Self::NullCustomer,
        Self::NullTime,
        Self::YearOne,
        Self::NullAmount,
        Self::NanAmount,
        Self::Duplicate,
    ];

    /// The fault of the next row, if it has one; all kinds are equally likely.
    pub(super) fn draw(share: f64, rng: &mut impl Rng) -> Option<Self> {
        if !happens(share, rng) {
            return None;
        }
        Self::ALL.get(rng.gen_range(0..Self::ALL.len())).copied()
    }
}

/// Number of dirty rows of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DirtCounts {
    /// Rows without a customer.
    pub null_customer: u64,
    /// Rows without a time.
    pub null_time: u64,
    /// Rows of the year 1.
    pub year_one: u64,
    /// Rows without an amount.
    pub null_amount: u64,
    /// Rows whose amount is NaN.
    pub nan_amount: u64,
    /// Rows that repeat the one before; the first copy is not counted.
    pub duplicate: u64,
}

impl DirtCounts {
    /// Counts one more row of this kind.
    pub(super) fn count(&mut self, kind: Dirt) {
        *match kind {
            Dirt::NullCustomer => &mut self.null_customer,
            Dirt::NullTime => &mut self.null_time,
            Dirt::YearOne => &mut self.year_one,
            Dirt::NullAmount => &mut self.null_amount,
            Dirt::NanAmount => &mut self.nan_amount,
            Dirt::Duplicate => &mut self.duplicate,
        } += 1;
    }

    /// Adds the counts of another chunk.
    pub fn add(&mut self, other: &Self) {
        self.null_customer += other.null_customer;
        self.null_time += other.null_time;
        self.year_one += other.year_one;
        self.null_amount += other.null_amount;
        self.nan_amount += other.nan_amount;
        self.duplicate += other.duplicate;
    }

    /// Dirty rows of all kinds.
    pub fn total(&self) -> u64 {
        self.null_customer
            + self.null_time
            + self.year_one
            + self.null_amount
            + self.nan_amount
            + self.duplicate
    }
}
