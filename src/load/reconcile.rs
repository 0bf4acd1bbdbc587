//! Where every input row went.
//!
//! In: counts by reason. Out: [`Reconciliation`], and the verdict on its limit.
//! Invariant: `read = used + rejected`; a reason is either asked for by the config or a fault of the data, and only
//! faults count towards `max-rejected`, as a share of the rows that were looked at for faults.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::config::Share;
use crate::error::{Error, Result};

/// Why a row was not used. The order is the order of the checks: a row has the first reason that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// `where` does not hold (asked for).
    Filtered = 1,
    /// An exact copy of another row, with `deduplicate` (asked for).
    Duplicate,
    /// No customer.
    NullCustomer,
    /// A customer of zero characters.
    EmptyCustomer,
    /// No time.
    NullTime,
    /// Not an ISO time, or before 1900.
    BadTime,
    /// No amount, NaN or infinite.
    BadAmount,
    /// No order id where orders have one.
    NullOrder,
    /// At or after as-of (asked for).
    AfterAsOf,
    /// Before the window (asked for).
    BeforeWindow,
    /// A negative amount, with `refunds = "drop"` (asked for).
    RefundDropped,
    /// A negative amount, with `refunds = "reject"`.
    RefundRejected,
    /// A row of a customer who has refunds only: no order, so no recency.
    NoOrder,
    /// Days since the last order that are null, negative or not a number (ready customer table).
    BadRecency,
    /// A number of orders that is null, below 1 or not whole (ready customer table).
    BadFrequency,
    /// Days since the first order that are null, not a number or fewer than since the last (ready customer table).
    BadTenure,
}

impl Reason {
    /// All reasons, in the order of the checks.
    pub const ALL: [Self; 16] = [
        Self::Filtered,
        Self::Duplicate,
        Self::NullCustomer,
        Self::EmptyCustomer,
        Self::NullTime,
        Self::BadTime,
        Self::BadAmount,
        Self::NullOrder,
        Self::AfterAsOf,
        Self::BeforeWindow,
        Self::RefundDropped,
        Self::RefundRejected,
        Self::NoOrder,
        Self::BadRecency,
        Self::BadFrequency,
        Self::BadTenure,
    ];

    /// The word in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::Duplicate => "duplicate",
            Self::NullCustomer => "null_customer",
            Self::EmptyCustomer => "empty_customer",
            Self::NullTime => "null_time",
            Self::BadTime => "bad_time",
            Self::BadAmount => "bad_amount",
            Self::NullOrder => "null_order",
            Self::AfterAsOf => "after_as_of",
            Self::BeforeWindow => "before_window",
            Self::RefundDropped => "refund_dropped",
            Self::RefundRejected => "refund_rejected",
            Self::NoOrder => "no_order",
            Self::BadRecency => "bad_recency",
            Self::BadFrequency => "bad_frequency",
            Self::BadTenure => "bad_tenure",
        }
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Filtered => "`where` does not hold",
            Self::Duplicate => "exact copy of another row",
            Self::NullCustomer => "no customer",
            Self::EmptyCustomer => "empty customer",
            Self::NullTime => "no time",
            Self::BadTime => "not an ISO time, or before 1900",
            Self::BadAmount => "amount null, NaN or infinite",
            Self::NullOrder => "no order id",
            Self::AfterAsOf => "at or after as-of",
            Self::BeforeWindow => "before the window",
            Self::RefundDropped => "negative amount, dropped",
            Self::RefundRejected => "negative amount, rejected",
            Self::NoOrder => "customer has refunds only",
            Self::BadRecency => "recency null, negative or not a number",
            Self::BadFrequency => "frequency null, below 1 or not whole",
            Self::BadTenure => "tenure null, not a number or below recency",
        }
    }

    /// Whether it is a fault of the data, and not something that the config asked for.
    pub fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::Filtered
                | Self::Duplicate
                | Self::AfterAsOf
                | Self::BeforeWindow
                | Self::RefundDropped
                | Self::NoOrder
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Rows in = rows used + rows rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Rows in the input files.
    pub read: u64,
    /// Rows that made the customers.
    pub used: u64,
    /// Rows by reason; reasons without rows are left out.
    pub rejected: BTreeMap<Reason, u64>,
}

impl Reconciliation {
    /// Rows rejected for a fault of the data.
    pub fn faults(&self) -> u64 {
        self.rejected
            .iter()
            .filter(|(reason, _)| reason.is_fault())
            .map(|(_, rows)| rows)
            .sum()
    }

    /// Rows that were looked at for faults: all but those that `where` and `deduplicate` had left out before.
    pub fn looked_at(&self) -> u64 {
        let before = [Reason::Filtered, Reason::Duplicate];
        let left_out = before.iter().filter_map(|reason| self.rejected.get(reason));
        self.read.saturating_sub(left_out.sum())
    }

    /// Share of the faulty among these rows.
    pub fn fault_share(&self) -> f64 {
        self.faults() as f64 / self.looked_at().max(1) as f64
    }

    /// Rows rejected for any reason.
    pub fn all_rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// `3 null_time, 2 bad_amount`.
    fn listed(&self, mut wanted: impl FnMut(Reason) -> bool) -> String {
        let reasons: Vec<String> = self
            .rejected
            .iter()
            .filter(|&(&reason, _)| wanted(reason))
            .map(|(reason, rows)| format!("{rows} {reason}"))
            .collect();
        reasons.join(", ")
    }

    /// Refuses a larger share of faulty rows than `max_rejected`.
    ///
    /// # Errors
    /// [`Error::MaxRejected`].
    pub fn check(&self, max_rejected: f64) -> Result<()> {
        let share = self.fault_share();
        if share <= max_rejected {
            return Ok(());
        }
        Err(Error::MaxRejected {
            rejected: self.faults(),
            looked_at: self.looked_at(),
            // In thousandths of a percent; a limit as it was given.
            share: Share((share * 1e5).round() / 1e5).percent(),
            limit: Share(max_rejected).percent(),
            reasons: self.listed(Reason::is_fault),
        })
    }

    /// Refuses an account that does not add up: the used rows and the rejected ones were counted apart.
    ///
    /// # Errors
    /// [`Error::Unreconciled`].
    pub(super) fn check_sum(&self) -> Result<()> {
        let rejected = self.all_rejected();
        if self.used + rejected == self.read {
            return Ok(());
        }
        Err(Error::Unreconciled {
            read: self.read,
            used: self.used,
            rejected,
        })
    }

    /// Refuses an input that leaves nobody.
    ///
    /// # Errors
    /// [`Error::NoRows`].
    pub(super) fn check_any(&self, customers: usize) -> Result<()> {
        if 0 < customers {
            return Ok(());
        }
        let most = self.rejected.iter().max_by_key(|&(_, rows)| rows);
        let hint = match most.map(|(reason, _)| reason) {
            None => "the input has no rows; has the export run?",
            Some(Reason::AfterAsOf | Reason::BeforeWindow) => {
                "no order lies between as-of − window and as-of; look at `as-of` and `window`"
            }
            Some(Reason::Filtered) => "`where` holds for no row",
            Some(Reason::NoOrder | Reason::RefundDropped | Reason::RefundRejected) => {
                "all amounts are negative; has the sign of the amounts changed?"
            }
            Some(_) => "`tiermill check` lists the rejected rows by reason",
        };
        Err(Error::NoRows {
            read: self.read,
            rejected: if self.rejected.is_empty() {
                "none rejected".to_owned()
            } else {
                format!("rejected: {}", self.listed(|_| true))
            },
            hint: hint.to_owned(),
        })
    }
}
