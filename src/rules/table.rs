//! Reading a table of a rule file.
//!
//! In: TOML and the place in it. Out: values, or faults that name the place.
//! Invariant: a key that nobody knows is refused, with the nearest known one.

use std::path::Path;

use toml::{Table, Value};

use crate::error::{Error, Result, RuleFault, nearest};

/// A place in a rule file.
pub(super) struct At<'a> {
    /// The file.
    pub place: &'a Path,
    /// `[scores]`, ``segment 3 (`Champions`)``.
    pub at: String,
}

impl At<'_> {
    /// The fault of a value.
    pub(super) fn bad(&self, key: &str, found: &Value, expected: impl Into<String>) -> Error {
        let found = match found {
            Value::String(text) if text.trim().is_empty() => "empty".to_owned(),
            other => shortened(&other.to_string()),
        };
        self.wrong(key, found, expected)
    }

    /// The fault of a key that is not there.
    pub(super) fn missing(&self, key: &str, expected: impl Into<String>) -> Error {
        self.wrong(key, "missing".to_owned(), expected)
    }

    pub(super) fn wrong(&self, key: &str, found: String, expected: impl Into<String>) -> Error {
        RuleFault::Value {
            place: self.place.to_owned(),
            at: self.at.clone(),
            key: key.to_owned(),
            found,
            expected: expected.into(),
        }
        .into()
    }

    /// Refuses keys that are not known here.
    pub(super) fn only(&self, table: &Table, known: &[&str]) -> Result<()> {
        let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        Err(RuleFault::UnknownKey {
            place: self.place.to_owned(),
            at: self.at.clone(),
            key: key.clone(),
            nearest: nearest(key, known.iter().copied()).map(str::to_owned),
            known: known.iter().map(|&key| key.to_owned()).collect(),
        }
        .into())
    }

    /// A table, or an empty one where there is none.
    pub(super) fn table(&self, table: &Table, key: &str) -> Result<Table> {
        match table.get(key) {
            None => Ok(Table::new()),
            Some(Value::Table(inner)) => Ok(inner.clone()),
            Some(other) => Err(self.bad(key, other, "a table")),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, table: &Table, key: &str) -> Result<bool> {
        match table.get(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(*flag),
            Some(other) => Err(self.bad(key, other, "true or false")),
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, table: &Table, key: &str) -> Result<Option<String>> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => {
                Ok(Some(text.trim().to_owned()))
            }
            Some(other) => Err(self.bad(key, other, "a text")),
        }
    }

    /// Texts, none of them empty.
    pub(super) fn texts(&self, table: &Table, key: &str) -> Result<Vec<String>> {
        let Some(value) = table.get(key) else {
            return Ok(Vec::new());
        };
        let texts = value.as_array().and_then(|texts| {
            let texts = texts.iter().map(|text| text.as_str().map(str::trim));
            texts
                .map(|text| text.filter(|text| !text.is_empty()).map(str::to_owned))
                .collect::<Option<Vec<String>>>()
        });
        texts.ok_or_else(|| self.bad(key, value, "a list of texts"))
    }
}

/// Enough of a value to recognise it.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}
