//! Results as text for others to read.
//!
//! In: what the stages found, as plain data. Out: text.
//! Invariant: pure functions; it writes no file and knows nothing of the pipeline.

pub mod sql;
