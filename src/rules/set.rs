//! Rule files: scores and an ordered list of segments.
//!
//! In: TOML. Out: a [`RuleSet`], every part of it checked; [`RuleSet::parse`] also proves it whole.
//! Invariant: a set that was parsed takes every customer exactly once, unless it says itself that it does not.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::condition::{Quantity, number};
use super::meaning::Meaning;
use super::scheme::{Cut, KEYS as SCHEME_KEYS, Method, Scheme, check_common};
use super::segment::{Segment, SegmentName, check_first_orders, check_names, rename, segments};
use super::table::{At, shortened};
use crate::config::{is_config_key, parse_moment};
use crate::error::{Result, RuleFault};

const TOP_KEYS: [&str; 10] = [
    "name",
    "name-zh",
    "description",
    "fitted-as-of",
    "allow-gaps",
    "allow-overlap",
    "merge-equal",
    "scores",
    "segments",
    "rename",
];
/// The dimensions that are scored, as `[scores.NAME]`.
pub(super) const DIMENSIONS: [&str; 3] = ["recency", "frequency", "monetary"];
const SCORES_KEYS: [&str; 13] = [
    "method",
    "bands",
    "top",
    "ties",
    "side",
    "offset",
    "halve-at",
    "nested",
    "weights",
    "recency",
    "frequency",
    "monetary",
    "cuts",
];
/// Rules, parsed and checked.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of a rule file with a name of its own"
)]
pub struct RuleSet {
    /// What results call it.
    pub name: String,
    pub(super) name_zh: Option<String>,
    pub(super) description: String,
    /// As-of of the data in which its cut points were found, where it says so.
    pub fitted_as_of: Option<String>,
    /// Recency, frequency, monetary.
    pub(super) schemes: [Scheme; 3],
    /// F is scored among the customers of one R, and M among those of one R and F.
    pub(super) nested: bool,
    /// Of R, F, M in `sum` and `fm`.
    pub(super) weights: [f64; 3],
    pub(super) merge_equal: bool,
    pub(super) allow_gaps: bool,
    pub(super) allow_overlap: bool,
    pub(super) segments: Vec<Segment>,
    /// What R and M are where the rules are used; no part of what they say.
    pub(super) meaning: Meaning,
    /// As it was written.
    pub(super) source: Table,
}

/// Two sets are equal where they mean the same, however they are written.
impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }
}

impl RuleSet {
    /// Reads a rule file and proves its map whole; `place` is what messages call the file.
    ///
    /// # Errors
    /// [`RuleFault`]: what is wrong and where, or the cells that not exactly one segment takes.
    ///
    /// # Example
    /// ```
    /// use std::path::Path;
    /// use tiermill::rules::RuleSet;
    ///
    /// let rules = RuleSet::parse(
    ///     r#"
    ///     [[segments]]
    ///     name = "cold"
    ///     recency_days = "> 730"
    ///
    ///     [[segments]]
    ///     name = "active"
    ///     recency_days = "<= 730"
    ///     "#,
    ///     Path::new("rules.toml"),
    /// )?;
    /// assert!(rules.proof()?.is_whole());
    /// # Ok::<(), tiermill::Error>(())
    /// ```
    pub fn parse(text: &str, place: &Path) -> Result<Self> {
        let rules = Self::read(text, place)?;
        rules.check()?;
        Ok(rules)
    }

    /// Reads a rule file without proving anything.
    ///
    /// # Errors
    /// [`RuleFault`]: what is wrong and where.
    pub fn read(text: &str, place: &Path) -> Result<Self> {
        let table: Table = text.parse().map_err(|source| RuleFault::Syntax {
            place: place.to_owned(),
            source: Box::new(source),
        })?;
        Self::from_table(&table, place)
    }

    /// The same from a table that was read already.
    ///
    /// # Errors
    /// As [`RuleSet::read`].
    pub fn from_table(table: &Table, place: &Path) -> Result<Self> {
        let at = At {
            place,
            at: "the rules".to_owned(),
        };
        let others = |key: &&String| !TOP_KEYS.contains(&key.as_str()) && is_config_key(key);
        if let Some(key) = table.keys().find(others) {
            return Err(RuleFault::IsConfig {
                place: place.to_owned(),
                key: key.clone(),
                has_rules: table.contains_key("rules"),
            }
            .into());
        }
        at.only(table, &TOP_KEYS)?;
        let scores = at.table(table, "scores")?;
        let at_scores = At {
            place,
            at: "[scores]".to_owned(),
        };
        at_scores.only(&scores, &SCORES_KEYS)?;
        let schemes = schemes(&scores, &at_scores)?;
        let weights = weights(&scores, &at_scores)?;
        let nested = at_scores.flag(&scores, "nested")?;
        let merge_equal = at.flag(table, "merge-equal")?;
        check_lists(&schemes, (nested, merge_equal), &at_scores)?;
        let stem = place.file_stem().map(|stem| stem.to_string_lossy());
        let mut rules = Self {
            name: at
                .text(table, "name")?
                .unwrap_or_else(|| stem.unwrap_or("rules".into()).into_owned()),
            name_zh: at.text(table, "name-zh")?,
            description: at.text(table, "description")?.unwrap_or_default(),
            fitted_as_of: fitted_as_of(table, &at)?,
            schemes,
            nested,
            weights,
            merge_equal,
            allow_gaps: at.flag(table, "allow-gaps")?,
            allow_overlap: at.flag(table, "allow-overlap")?,
            segments: Vec::new(),
            meaning: Meaning::default(),
            source: table.clone(),
        };
        rules.segments = segments(table, &rules, &at)?;
        rename(&mut rules, &at)?;
        check_names(&rules.segments, &at)?;
        check_first_orders(&rules.segments, &at)?;
        Ok(rules)
    }

    /// The same rules for data in which R and M are defined so; the proof asks for it.
    #[must_use]
    pub fn under(self, meaning: Meaning) -> Self {
        Self { meaning, ..self }
    }

    /// Whether its cut points were found in data that reaches beyond a moment, as far as it says.
    ///
    /// # Errors
    /// [`Error::BadValue`](crate::Error::BadValue) for what is no moment.
    pub fn knows_beyond(&self, moment: &str) -> Result<bool> {
        const KEY: &str = "fitted-as-of";
        let Some(own) = &self.fitted_as_of else {
            return Ok(false);
        };
        Ok(parse_moment(KEY, own)?.is_after(parse_moment(KEY, moment)?))
    }

    /// Names of the segments, in order.
    pub fn names(&self) -> Vec<SegmentName> {
        let names = self.segments.iter().map(|segment| segment.name.clone());
        names.collect()
    }

    /// Whether the segments look at the score of dimension 0, 1 or 2.
    pub(super) fn uses(&self, dimension: usize) -> bool {
        let of_range = |quantity: Quantity| match quantity {
            Quantity::Fm => dimension != 0,
            Quantity::Sum => self.weights[dimension] != 0.0,
            other => other == Quantity::SCORES[dimension],
        };
        let mut all = self.segments.iter().flat_map(|segment| &segment.any);
        all.any(|conditions| {
            let cells = conditions.cells.iter().flatten();
            conditions
                .ranges
                .iter()
                .any(|&(quantity, _)| of_range(quantity))
                || cells.into_iter().any(|code| code[dimension].is_some())
        })
    }

    /// Whether scores of this dimension are needed: by a segment, or by nested scores behind it.
    pub(super) fn needs(&self, dimension: usize) -> bool {
        let last = if self.nested { 3 } else { dimension + 1 };
        (dimension..last).any(|dimension| self.uses(dimension))
    }

    /// What was written under a key of [`RuleSet::difference`], shortened.
    pub fn part(&self, key: &str) -> String {
        if key == "name" {
            return self.name.clone();
        }
        let scheme = key.strip_prefix("scores.").and_then(|name| {
            let dimension = DIMENSIONS.iter().position(|known| *known == name)?;
            Some(self.schemes[dimension].words())
        });
        if let Some(words) = scheme {
            return words;
        }
        let mut keys = key.split('.');
        let first = keys.next().and_then(|key| self.source.get(key));
        let value = keys.try_fold(first, |value, key| Some(value?.as_table()?.get(key)));
        match value.flatten() {
            Some(value) => shortened(&value.to_string()),
            None => "not set".to_owned(),
        }
    }

    /// The key under which two sets do not mean the same; none where they do.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        const SCORES: [&str; 3] = ["scores.recency", "scores.frequency", "scores.monetary"];
        if self.name != other.name {
            return Some("name");
        }
        let dimension = (0..3).find(|&d| self.schemes[d] != other.schemes[d]);
        if let Some(dimension) = dimension {
            return Some(SCORES[dimension]);
        }
        let parts = [
            ("scores.nested", self.nested != other.nested),
            (
                "scores.weights",
                self.weights.map(f64::to_bits) != other.weights.map(f64::to_bits),
            ),
            ("merge-equal", self.merge_equal != other.merge_equal),
            ("allow-gaps", self.allow_gaps != other.allow_gaps),
            ("allow-overlap", self.allow_overlap != other.allow_overlap),
            ("segments", self.segments != other.segments),
        ];
        let part = parts.into_iter().find(|&(_, differs)| differs);
        part.map(|(key, _)| key)
    }
}

impl Serialize for RuleSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = self.source.clone();
        table.insert("name".to_owned(), Value::String(self.name.clone()));
        table.serialize(serializer)
    }
}

/// Not proven yet: what R and M are stands elsewhere ([`RuleSet::under`]).
impl<'de> Deserialize<'de> for RuleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        Self::from_table(&table, Path::new("rules")).map_err(serde::de::Error::custom)
    }
}

/// `fitted-as-of`, a date or a text.
fn fitted_as_of(table: &Table, at: &At<'_>) -> Result<Option<String>> {
    const KEY: &str = "fitted-as-of";
    let text = match table.get(KEY) {
        Some(Value::Datetime(moment)) => Some(moment.to_string()),
        _ => at.text(table, KEY)?,
    };
    if let Some(text) = &text
        && parse_moment(KEY, text).is_err()
    {
        let expected = "a date or time, as in `2024-01-31`";
        return Err(at.wrong(KEY, format!("`{text}`"), expected));
    }
    Ok(text)
}

fn schemes(scores: &Table, at: &At<'_>) -> Result<[Scheme; 3]> {
    let one = |dimension: &str| {
        let own = at.table(scores, dimension)?;
        let at = At {
            place: at.place,
            at: format!("[scores.{dimension}]"),
        };
        at.only(&own, &SCHEME_KEYS)?;
        Scheme::read(scores, &own, &at)
    };
    let schemes = [
        one(DIMENSIONS[0])?,
        one(DIMENSIONS[1])?,
        one(DIMENSIONS[2])?,
    ];
    check_common(scores, &schemes, at)?;
    Ok(schemes)
}

fn weights(scores: &Table, at: &At<'_>) -> Result<[f64; 3]> {
    let table = at.table(scores, "weights")?;
    let at = At {
        place: at.place,
        at: "[scores.weights]".to_owned(),
    };
    at.only(&table, &["r", "f", "m"])?;
    let mut weights = [1.0; 3];
    for (weight, key) in weights.iter_mut().zip(["r", "f", "m"]) {
        if let Some(value) = table.get(key) {
            *weight = number(value)
                .filter(|weight| (0.0..=1e6).contains(weight))
                .ok_or_else(|| at.bad(key, value, "a number from 0"))?;
        }
    }
    if weights[1] + weights[2] <= 0.0 {
        return Err(at.wrong("f", "0 like `m`".to_owned(), "one of the two above 0"));
    }
    Ok(weights)
}

/// Refuses lists of cut points that are not one for each customer group of nested scores, and cut points that coincide.
fn check_lists(schemes: &[Scheme; 3], switches: (bool, bool), at: &At<'_>) -> Result<()> {
    let (nested, merge_equal) = switches;
    let mut groups = 1;
    for (scheme, dimension) in schemes.iter().zip(DIMENSIONS) {
        if let Method::Fixed(lists) = &scheme.method {
            let coincide = |list: &Vec<Cut>| list.windows(2).any(|cuts| cuts[0] == cuts[1]);
            if !merge_equal && lists.iter().any(coincide) {
                let key = format!("{dimension}.cuts");
                let expected = "ascending cut points, or `merge-equal = true`";
                return Err(at.wrong(&key, "the same number twice".to_owned(), expected));
            }
            let expected = if nested { groups } else { 1 };
            if lists.len() != expected && lists.len() != 1 {
                let key = format!("{dimension}.cuts");
                let found = format!("{} lists", lists.len());
                return Err(at.wrong(
                    &key,
                    found,
                    format!("one list, or {expected} with `nested`"),
                ));
            }
        }
        groups *= scheme.best();
    }
    Ok(())
}
