//! What can be wrong with rules.
//!
//! In: the facts at the place of the fault. Out: one sentence, a hint, an exit code, as for every [`Error`].
//! Invariant: a fault of a rule file names the file and the place in it.

use std::path::PathBuf;

use super::Error;
use super::hint::quoted;

/// Why rules were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleFault {
    /// A built-in map that nobody knows.
    #[error("no built-in map is called `{name}`")]
    UnknownMap {
        /// The name as written.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
        /// The built-in ones.
        known: Vec<String>,
    },
    /// A rule file that cannot be read.
    #[error("cannot read the rule file `{}`", place.display())]
    Read {
        /// The file.
        place: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A config where rules are expected.
    #[error("`{}` is a config (it has `{key}`), expected a rule file", place.display())]
    IsConfig {
        /// The file.
        place: PathBuf,
        /// A key that only a config has.
        key: String,
        /// Whether it has rules of its own.
        has_rules: bool,
    },
    /// The text is not TOML.
    #[error("`{}` is not valid TOML", place.display())]
    Syntax {
        /// The file.
        place: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A key that nobody knows.
    #[error("`{}`: unknown key `{key}` in {at}", place.display())]
    UnknownKey {
        /// The file.
        place: PathBuf,
        /// `[scores]`, ``segment 3 (`Champions`)``.
        at: String,
        /// The key as written.
        key: String,
        /// The nearest known one.
        nearest: Option<String>,
        /// The keys that this place knows.
        known: Vec<String>,
    },
    /// A value that cannot be.
    #[error("`{}`: `{key}` in {at} is {found}, expected {expected}", place.display())]
    Value {
        /// The file.
        place: PathBuf,
        /// `[scores]`, ``segment 3 (`Champions`)``.
        at: String,
        /// The key.
        key: String,
        /// What was written.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A map with cells that not exactly one segment takes, or segments that take none.
    #[error("map `{map}` is not whole: {faults}")]
    NotWhole {
        /// Name of the map.
        map: String,
        /// `10 of 125 cells uncovered (215 241 …); …`.
        faults: String,
        /// The keys that would allow it.
        allow: Vec<&'static str>,
        /// Where a gap lies between two whole numbers: how to close it.
        fraction: Option<String>,
    },
    /// A map with more cells than can be looked at.
    #[error("map `{map}` has {cells} cells, expected at most {limit}")]
    TooManyCells {
        /// Name of the map.
        map: String,
        /// Product of all bands and intervals.
        cells: u128,
        /// The most.
        limit: usize,
    },
    /// Cut points that coincide.
    #[error("`{dimension}` has {found} distinct cut point{} of {expected}{group}", if *found == 1 { "" } else { "s" })]
    CutPoints {
        /// The dimension.
        dimension: &'static str,
        /// Distinct cut points found.
        found: usize,
        /// Cut points that the bands need.
        expected: usize,
        /// With nested scores: the customers among whom.
        group: String,
    },
}

impl RuleFault {
    /// 2 where the rules are wrong, 1 where the data does not fit them.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::CutPoints { .. } => 1,
            _ => 2,
        }
    }

    /// The next step.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::UnknownMap { nearest, known, .. } => match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? `tiermill maps` lists them; a rule file ends in `.toml`"),
                None => format!("built in: {}; a rule file ends in `.toml`", quoted(known)),
            },
            Self::Read { .. } => {
                "`tiermill maps` lists the built-in maps; `tiermill maps NAME --toml` prints one to begin a rule file with"
                    .to_owned()
            }
            Self::IsConfig { place, has_rules, .. } => {
                let place = place.display();
                if *has_rules {
                    format!("its own rules are called `rules`: `tiermill compare rules clusters --config {place}`")
                } else {
                    format!("it has no rules; name a map or a rule file, and the config with `--config {place}`")
                }
            }
            Self::Syntax { .. } => "`tiermill maps NAME --toml` prints a map as an example".to_owned(),
            Self::UnknownKey { nearest, known, .. } => match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("known here: {}", quoted(known)),
            },
            Self::Value { .. } => "`tiermill maps NAME --toml` prints a map as an example; the README explains rule files".to_owned(),
            Self::NotWhole { allow, fraction, .. } => {
                let keys: Vec<String> = allow.iter().map(|key| format!("`{key} = true`")).collect();
                let fraction = fraction.as_ref().map_or_else(String::new, |how| format!("{how}; "));
                format!(
                    "{fraction}`tiermill maps --check FILE` lists the cells of a rule file; mend the map, add a segment with `otherwise = true`, or allow it with {}",
                    keys.join(" and ")
                )
            }
            Self::TooManyCells { .. } => {
                "use fewer bands, or fewer different bounds in the conditions".to_owned()
            }
            Self::CutPoints { dimension, .. } => format!(
                "too many customers have the same value: set `merge-equal = true`, fewer `bands`, or other cut points in [scores.{}]",
                dimension.trim_end_matches("_days")
            ),
        }
    }
}

impl From<RuleFault> for Error {
    fn from(fault: RuleFault) -> Self {
        Self::Rules(Box::new(fault))
    }
}
