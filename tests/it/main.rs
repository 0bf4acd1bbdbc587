//! Tests of tiermill as a whole.
#![allow(
    clippy::pedantic,
    clippy::needless_range_loop,
    clippy::redundant_clone,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    missing_docs,
    unreachable_pub,
    reason = "a panic is how a test fails, and a test is read from top to bottom"
)]

mod support;

// The house rules that a compiler does not know.
mod architecture;
// Settings: flags, file, defaults, and what is refused.
mod config;
// Transforms and scales against scikit-learn's figures.
mod features;
// The cells that clusters are found on: merged, bounded, recounted.
mod sketch;
// k-means against scikit-learn's catalogue and figures.
mod cluster;
// Gaussian mixtures: how likely, how good, and what becomes of a k that has none.
mod mixture;
// Bands of each feature and a Gaussian mixture, through the pipeline.
mod bands;
// Ranks, names, keys, margins, profiles, warnings and scores.
mod tiers;
// Segment maps: what is proven of those that are built in, published and generated.
mod maps;
// Score schemes and segments on customers, and rule files that are refused.
mod rules;
// Two tierings of the same customers held against each other.
mod compare;
// Tiers of a day in the past, judged by what came after.
mod backtest;
// The page of a run: its cells, its size, its text.
mod report;
// Cut points of each dimension, thresholds as rule files, and the clusters as rules.
mod calibrate;
// What must hold for any orders.
mod properties;
// The nightly job from end to end, and what it publishes.
mod pipeline;
// A model as SQL in six dialects.
mod sql;
// The binary as people and programs meet it.
mod cli;
// Every form that an order table comes in, and what becomes of each row.
mod load;
// Each fault of the input has its sentence and its exit code, and nothing is published.
mod bad_input;
