//! Why tiers cannot be tested on what came after them.
//!
//! In: the facts at the place of the fault. Out: one sentence and a hint, as for every [`Error`].
//! Invariant: a fault of time says what the data has and what would be possible.

use super::Error;

/// Why a backtest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BacktestFault {
    /// A period that ends after the data.
    #[error("the period that tiers are judged by ends at {until}, the data at {end}")]
    BeyondData {
        /// End of the period.
        until: String,
        /// End of the data, exclusive.
        end: String,
        /// The latest day at which a period can begin.
        latest: String,
        /// Its length.
        horizon: String,
    },
    /// A period without orders before it.
    #[error("no order lies before {at}: the first one is of {first} (fold {fold} of {folds})")]
    BeforeData {
        /// Begin of the period.
        at: String,
        /// Day of the first order.
        first: String,
        /// The fold, from 1.
        fold: usize,
        /// All folds.
        folds: usize,
    },
    /// Two tierings of one name.
    #[error("two tierings are called `{name}`")]
    TwiceNamed {
        /// The name.
        name: String,
    },
    /// Tierings without a tier for each customer.
    #[error("`{tiering}` has {found} labels, expected {expected}")]
    Labels {
        /// The tiering.
        tiering: String,
        /// Labels found.
        found: usize,
        /// Customers.
        expected: usize,
    },
    /// Folds with other tierings than the first one.
    #[error("fold {fold} has the tierings {found}, expected {expected}")]
    OtherTierings {
        /// The fold, from 1.
        fold: usize,
        /// Their names.
        found: String,
        /// Those of the first fold.
        expected: String,
    },
}

impl BacktestFault {
    /// 2 where the command line asks for what the data cannot give, 1 where tables do not fit.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::BeyondData { .. } | Self::BeforeData { .. } | Self::TwiceNamed { .. } => 2,
            Self::Labels { .. } | Self::OtherTierings { .. } => 1,
        }
    }

    /// The next step.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::BeyondData {
                latest, horizon, ..
            } => Some(format!(
                "with `--horizon {horizon}` the latest day is `--at {latest}`; or take a shorter horizon"
            )),
            Self::BeforeData { folds: 1, .. } => {
                Some("take a later `--at`: tiers are made of the orders before it".to_owned())
            }
            Self::BeforeData { fold, .. } => Some(format!(
                "each fold begins a horizon before the one above it: take `--folds {}`, a shorter `--horizon` or a later `--at`",
                (fold - 1).max(1)
            )),
            Self::TwiceNamed { .. } => Some(
                "name each once; `name` in a rule file says what results call its rules".to_owned(),
            ),
            Self::Labels { .. } | Self::OtherTierings { .. } => None,
        }
    }
}

impl From<BacktestFault> for Error {
    fn from(fault: BacktestFault) -> Self {
        Self::Backtest(Box::new(fault))
    }
}
