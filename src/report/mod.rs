//! Results → a page that people read and SQL that engines run ([`sql`]), as pure functions returning text.
//!
//! In: customers with their tiers and segments, and the documents of a run. Out: [`Cells`], counted; HTML, SVG and PNG.
//! Invariant: the page is one file that asks for nothing from a network, holds no customer, and in which any text of the
//! data stays text. It writes no file and opens none, but for the fonts of the machine where a picture needs letters of theirs.
//!
//! ```text
//! customers, tiers, segments ─edges, cells─▶ Cells ─encode─┐
//! tiers.json, comparison.json, …, as data ─────────────────┴─page─▶ report.html
//! ```

mod cells;
mod charts;
mod edges;
mod encode;
mod page;
pub mod sql;

pub use cells::{Cell, Cells, Counted};
pub use charts::{Chart, Fonts, Png, charts, png};
pub use page::page;

/// The three dimensions, as files call them, in the order of every array here.
pub const DIMENSIONS: [&str; 3] = ["recency_days", "frequency", "monetary"];
