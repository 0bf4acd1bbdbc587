//! Why two tierings cannot be compared.
//!
//! In: the facts at the place of the fault. Out: one sentence and a hint, as for every [`Error`].
//! Invariant: a fault names the side, or both.

use super::Error;

/// Why a comparison was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareFault {
    /// Labels that are not one for each customer, or not all of them names.
    #[error("`{tiering}` has {found} labels, expected {expected}")]
    Labels {
        /// The tiering.
        tiering: String,
        /// Labels found.
        found: usize,
        /// Customers, or names.
        expected: usize,
    },
    /// A customer with two labels.
    #[error("customer `{customer}` has {rows} rows in `{place}`, expected one with its tier")]
    TwoLabels {
        /// The file.
        place: String,
        /// The customer.
        customer: String,
        /// Rows found.
        rows: u64,
    },
    /// A column with more values than there can be tiers.
    #[error(
        "column `{column}` of `{place}` has more than {limit} different values, expected the names of tiers"
    )]
    TooManyLabels {
        /// The file.
        place: String,
        /// The column.
        column: String,
        /// The most.
        limit: usize,
    },
    /// Ids that cannot be compared.
    #[error("customer ids are {a_type} in `{a}` and {b_type} in `{b}`")]
    OtherIds {
        /// The one.
        a: String,
        /// Type of its ids.
        a_type: String,
        /// The other.
        b: String,
        /// Type of its ids.
        b_type: String,
    },
    /// Neither a word nor a path that stands for a tiering.
    #[error("`{text}` is no tiering: {found}")]
    NoTiering {
        /// As written.
        text: String,
        /// What was found there.
        found: String,
        /// What could be written.
        hint: String,
    },
    /// Two tierings of other customers.
    #[error("`{a}` and `{b}` have no customer in common")]
    NothingInCommon {
        /// The one.
        a: String,
        /// The other.
        b: String,
    },
}

impl CompareFault {
    /// 2 where a side was named wrongly, 1 where the tables do not fit.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::NoTiering { .. } => 2,
            _ => 1,
        }
    }

    /// The next step.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Labels { .. } => None,
            Self::NoTiering { hint, .. } => Some(hint.clone()),
            Self::TwoLabels { .. } => Some(
                "a table of tiers has one row for each customer; drop the copies where it is written".to_owned(),
            ),
            Self::TooManyLabels { .. } => {
                Some("name the column with the tiers: `--label COLUMN`".to_owned())
            }
            Self::OtherIds { .. } => Some(
                "write both with one type: `007` and 7 may be two customers, so texts and numbers are not compared"
                    .to_owned(),
            ),
            Self::NothingInCommon { .. } => Some(
                "are both of the same shop? Customers are compared as they are written, capitals and blanks included"
                    .to_owned(),
            ),
        }
    }
}

impl From<CompareFault> for Error {
    fn from(fault: CompareFault) -> Self {
        Self::Comparison(Box::new(fault))
    }
}
