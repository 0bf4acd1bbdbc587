//! tiermill turns a table of orders into customer tiers.
//!
//! In: Parquet. Out: `assignments.parquet` with a tier for every customer, `tiers.json` with what the tiers are, and
//! `model.json` with which tomorrow's customers get theirs.
//! Invariant: a run is a function of its input and config; threads, row order and file order change no byte.
//!
//! The folder is the data path. Each stage is a pure function with a result type of its own, and
//! [`pipeline::run`] calls them in this order:
//!
//! ```text
//! orders (Parquet) ─load─▶ Customers ─features─▶ matrix ─cluster─▶ Clustering ─tiers─▶ Tiers ─store─▶ a published run
//! ```
//!
//! ```no_run
//! use tiermill::config::{Config, Options};
//!
//! let mut options = Options::default();
//! options.input.input = Some(vec!["orders/*.parquet".into()]);
//! options.input.customer = Some("customer_id".into());
//! options.input.time = Some("ordered_at".into());
//! options.input.amount = Some("amount".into());
//! let config = Config::new(&options, &Options::default())?;
//! let report = tiermill::pipeline::run(&config, &mut |stage| eprintln!("{}", stage.name()))?;
//! println!("{} tiers in {}", report.tiers.tiers.len(), report.directory.display());
//! # Ok::<(), tiermill::Error>(())
//! ```

pub mod config;
mod error;

pub mod load;

pub mod features;

pub mod cluster;

pub mod tiers;

pub mod rules;

pub mod compare;

pub mod calibrate;

pub mod generate;

pub mod report;

pub mod store;

pub mod pipeline;

pub mod cli;

pub use error::{BacktestFault, CompareFault, Error, Result, RuleFault, Warning};
