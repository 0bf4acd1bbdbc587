//! What the process ends with.
//!
//! In: an [`Error`]. Out: one of the exit codes that programs rely on.
//! Invariant: 2 is what another command line or config would mend; with 3 nothing was published.

use super::Error;

impl Error {
    /// What the process ends with: 1 the data or the run failed, 2 command line or config, 3 a data-quality limit.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigRead { .. }
            | Self::ConfigSyntax { .. }
            | Self::UnknownKey { .. }
            | Self::BadValue { .. }
            | Self::Missing { .. }
            | Self::Conflict { .. }
            | Self::ModelMismatch { .. }
            | Self::Expression { .. }
            | Self::NoSql { .. } => 2,
            Self::Rules(fault) => fault.exit_code(),
            Self::Comparison(fault) => fault.exit_code(),
            Self::Backtest(fault) => fault.exit_code(),
            Self::MaxRejected { .. } | Self::LoneNewestDay { .. } => 3,
            _ => 1,
        }
    }
}
