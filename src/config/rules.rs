//! The rules that a config names become part of it.
//!
//! In: [`Options`] and a reader of files. Out: the same options with the text of the rule file in them.
//! Invariant: a config that was printed needs no other file. What the rules mean is for `rules` to know.

use std::path::Path;

use toml::{Table, Value};

use super::file::{dates_as_text, overlay};
use super::options::{Options, RulesOptions, catalogue};
use crate::error::{Error, Result, nearest};

/// Whether `--rules` names a file and not a built-in map.
pub fn is_rule_file(name: &str) -> bool {
    let path = Path::new(name);
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
        || name.contains('/')
}

/// Whether a key is one that only a config has: one of its tables, or one that says what the input is.
pub fn is_config_key(key: &str) -> bool {
    let catalogue = catalogue();
    let of_input = |(table, keys): &(&str, Vec<String>)| {
        *table == key || (*table == "input" && keys.iter().any(|known| known == key))
    };
    catalogue.iter().any(of_input)
}

/// Takes the rule file into the options, below what they say themselves; `read` opens it.
///
/// # Errors
/// [`Error::Conflict`] for a file beside a map, [`Error::ConfigSyntax`] and [`Error::UnknownKey`] for the file; as `read`.
pub fn with_rules(options: &mut Options, read: &dyn Fn(&Path) -> Result<String>) -> Result<()> {
    let rules = &mut options.rules;
    if let Some(name) = rules.rules.take() {
        let place = if is_rule_file(&name) {
            &mut rules.file
        } else {
            &mut rules.map
        };
        if let Some(other) = place.replace(name) {
            return Err(conflict("`rules`", &format!("`{other}`")));
        }
    }
    let Some(file) = rules.file.take() else {
        return Ok(());
    };
    if rules.map.is_some() {
        return Err(conflict("`file`", "`map`"));
    }
    let path = Path::new(&file);
    let table: Table = read(path)?.parse().map_err(|source| Error::ConfigSyntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let mut table = match dates_as_text(Value::Table(table)) {
        Value::Table(table) => table,
        _ => Table::new(),
    };
    if let Some(key) = table
        .keys()
        .find(|key| !RulesOptions::PARTS.contains(&key.as_str()))
    {
        return Err(Error::UnknownKey {
            place: format!("in the rule file `{file}`"),
            key: key.clone(),
            suggestion: nearest(key, RulesOptions::PARTS)
                .map(|near| format!("did you mean `{near}`?")),
            known: RulesOptions::PARTS.map(str::to_owned).to_vec(),
        });
    }
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    table
        .entry("name")
        .or_insert_with(|| Value::String(stem.unwrap_or_else(|| "rules".to_owned())));
    overlay(&mut table, rules.definition());
    rules.define(table);
    Ok(())
}

fn conflict(first: &str, second: &str) -> Error {
    Error::Conflict {
        first: format!("{first} in [rules]"),
        second: second.to_owned(),
        hint: "name one map or one rule file; tables in [rules] are laid over it".to_owned(),
    }
}
