//! Rules whose cut points are frozen.
//!
//! In: [`FittedRules`]. Out: a rule file that gives the same scores without looking at the data again.
//! Invariant: what was found is written to the last bit.

use std::path::Path;

use toml::{Table, Value};

use super::fitted::FittedRules;
use super::scheme::{Method, Side};
use super::set::{DIMENSIONS, RuleSet};
use crate::error::{Error, Result};

impl FittedRules {
    /// A rule file with `fixed` cut points, with a comment on where they come from and `fitted-as-of`: until when the data
    /// reached in which those were found that were not given.
    ///
    /// # Errors
    /// None that is known: every value came from TOML.
    pub fn to_toml(&self, origin: &str, as_of: &str) -> Result<String> {
        let mut table = self.frozen();
        if !self.is_frozen() && !self.rules.knows_beyond(as_of)? {
            let text = Value::String(as_of.to_owned());
            table.insert("fitted-as-of".to_owned(), text);
        }
        let text = toml::to_string_pretty(&table).map_err(|error| Error::BadValue {
            key: "rules".to_owned(),
            found: error.to_string(),
            expected: "values that TOML can hold".to_owned(),
        })?;
        Ok(format!("# {origin}\n\n{text}"))
    }

    /// The rules with the cut points that were found.
    fn frozen(&self) -> Table {
        let mut table = self.rules.source.clone();
        table.insert("name".to_owned(), Value::String(self.rules.name.clone()));
        let mut scores = Table::new();
        let old = table.get("scores").and_then(Value::as_table).cloned();
        let old = old.unwrap_or_default();
        for key in ["nested", "weights"] {
            if let Some(value) = old.get(key) {
                scores.insert(key.to_owned(), value.clone());
            }
        }
        let mut merged = false;
        for (index, dimension) in DIMENSIONS.into_iter().enumerate() {
            let scheme = &self.rules.schemes[index];
            let Some(lists) = self.cuts.of(index) else {
                // Nobody asks for these scores; how many bands they would have is kept for the codes of cells.
                let mut own = Table::new();
                let bands = i64::try_from(scheme.best()).unwrap_or(i64::MAX);
                own.insert("bands".to_owned(), Value::Integer(bands));
                scores.insert(dimension.to_owned(), Value::Table(own));
                continue;
            };
            let distinct = |list: &Vec<super::scheme::Cut>| list.is_sorted_by(|a, b| a != b);
            merged |= !lists.0.iter().all(distinct);
            let mut own = Table::new();
            own.insert("method".to_owned(), Value::String("fixed".to_owned()));
            let cuts = match lists.to_value() {
                Value::Array(mut lists) if lists.len() == 1 => lists.remove(0),
                lists => lists,
            };
            own.insert("cuts".to_owned(), cuts);
            if scheme.side == Side::Lower {
                let side = Value::String("lower-inclusive".to_owned());
                own.insert("side".to_owned(), side);
            }
            scores.insert(dimension.to_owned(), Value::Table(own));
        }
        if merged {
            table.insert("merge-equal".to_owned(), Value::Boolean(true));
        }
        table.insert("scores".to_owned(), Value::Table(scores));
        // Cut points that are known can rule a segment out ("the best score, but more than 1000 days").
        let frozen = RuleSet::from_table(&table, Path::new(&self.rules.name));
        if frozen.is_ok_and(|rules| rules.under(self.rules.meaning).check().is_err()) {
            table.insert("allow-overlap".to_owned(), Value::Boolean(true));
        }
        table
    }

    /// Whether the cut points were given and not found.
    pub fn is_frozen(&self) -> bool {
        (0..3).all(|index| {
            let scheme = &self.rules.schemes[index];
            let given = matches!(scheme.method, Method::Fixed(_)) && scheme.halve.is_none();
            given || self.cuts.of(index).is_none()
        })
    }
}
