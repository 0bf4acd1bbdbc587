//! Rule-based tiers: fixed thresholds, score schemes and segment maps, proven whole.
//!
//! In: a rule file (TOML) or the name of a built-in map, and [`Customers`](crate::load::Customers). Out: the segment of each
//! customer, or the cells of the map that are not taken exactly once.
//! Invariant: equal values get equal scores (unless `ties = "by-id"`), the best score is the number of bands, and a map
//! with holes or overlaps is never used without a warning that names them. It reads no file.
//!
//! ```text
//! TOML ─table, scheme, condition─▶ RuleSet ─grid─▶ proof
//!                                    └─cuts─▶ FittedRules ─grid─▶ Segmented
//! ```

mod built_in;
mod condition;
mod cuts;
mod edges;
mod fitted;
mod freeze;
mod grid;
mod interval;
mod meaning;
mod plain;
mod proof;
mod quintiles;
mod scheme;
mod segment;
mod set;
mod show;
mod table;

pub use built_in::{BUILT_IN, BuiltIn};
pub use cuts::compensated_sum;
pub use edges::RuleEdges;
pub use fitted::{CutLists, FittedRules, RuleCuts, Segmented};
pub use meaning::Meaning;
pub use plain::{Bound, Measure, Plain, PlainScore, PlainSegment, Terms};
pub use proof::{Overlap, Proof};
pub use quintiles::{ScoreCuts, Scores, quintiles, score};
pub use segment::SegmentName;
pub use set::RuleSet;
pub use show::{ShownMap, ShownSegment};
