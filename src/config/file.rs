//! The file and the flags become one `Options`.
//!
//! In: the text of `tiermill.toml`, its folder, and the flags. Out: [`Options`] with flags over file over defaults.
//! Invariant: a key that nobody knows, or a value that cannot be, is an error that names the key. It opens no file.

use std::path::Path;

use toml::{Table, Value};

use super::options::{Options, catalogue};
use super::rules::is_rule_file;
use crate::error::{Error, Result, nearest};

/// Reads the text of a config file. Relative paths in it are taken from `folder`, the folder that the file is in.
pub fn parse(text: &str, path: &Path) -> Result<Options> {
    let table: Table = text.parse().map_err(|source| Error::ConfigSyntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let table = into_tables(table)?;
    check_values(&table)?;
    let mut options: Options = table.try_into().map_err(|source| Error::ConfigSyntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for input in options.input.input.iter_mut().flatten() {
        *input = from_folder(folder, input);
    }
    if let Some(file) = &mut options.rules.file {
        *file = from_folder(folder, file);
    }
    if let Some(rules) = options
        .rules
        .rules
        .as_mut()
        .filter(|rules| is_rule_file(rules))
    {
        *rules = from_folder(folder, rules);
    }
    if let Some(out) = &mut options.output.out {
        *out = from_folder(folder, out);
    }
    Ok(options)
}

/// Flags over file over defaults, key by key.
pub fn merge(layers: [&Options; 3]) -> Result<Options> {
    let [flags, file, defaults] = layers;
    let mut merged = Table::new();
    for layer in [defaults, file, flags] {
        let table = Table::try_from(layer).map_err(|source| Error::BadValue {
            key: "config".to_owned(),
            found: source.to_string(),
            expected: "values that TOML can hold".to_owned(),
        })?;
        overlay(&mut merged, table);
    }
    merged.try_into().map_err(|source| Error::ConfigSyntax {
        path: "the merged config".into(),
        source: Box::new(source),
    })
}

/// Puts each value of `over` in place of the one below it; tables are laid over each other.
pub(super) fn overlay(below: &mut Table, over: Table) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => overlay(lower, upper),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// Sorts keys that stand at the top level into their tables, and refuses keys that nobody knows.
///
/// Keys are unique over all tables, so a small config may leave the table headers out.
fn into_tables(table: Table) -> Result<Table> {
    let catalogue = catalogue();
    let home = |key: &str| {
        catalogue
            .iter()
            .find(|(_, keys)| keys.iter().any(|known| known == key))
            .map(|&(table, _)| table)
    };
    let mut sorted = Table::new();
    for (key, value) in table {
        let value = dates_as_text(value);
        let known_table = catalogue.iter().find(|&&(name, _)| name == key);
        match (known_table, value) {
            (Some((name, keys)), Value::Table(inner)) => {
                for (inner_key, inner_value) in inner {
                    if !keys.contains(&inner_key) {
                        return Err(unknown(
                            format!("in [{name}]"),
                            inner_key.clone(),
                            home(&inner_key),
                            keys.clone(),
                        ));
                    }
                    check_feature(name, &inner_key, &inner_value)?;
                    put(&mut sorted, name, &inner_key, inner_value)?;
                }
            }
            (_, value) => {
                let Some(name) = home(&key) else {
                    let mut known: Vec<String> = catalogue
                        .iter()
                        .map(|(name, _)| format!("[{name}]"))
                        .collect();
                    // A table that nobody knows was meant to be another table.
                    if !value.is_table() {
                        known.extend(catalogue.iter().flat_map(|(_, keys)| keys.clone()));
                    }
                    return Err(unknown("at the top level".to_owned(), key, None, known));
                };
                put(&mut sorted, name, &key, value)?;
            }
        }
    }
    Ok(sorted)
}

/// Puts a key into its table; a key that stands there already was written twice, once above the tables.
fn put(sorted: &mut Table, table: &str, key: &str, value: Value) -> Result<()> {
    let home = sorted
        .entry(table)
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = home
        && inner.insert(key.to_owned(), value).is_some()
    {
        return Err(Error::Conflict {
            first: format!("`{key}` at the top level"),
            second: format!("`{key}` in [{table}]"),
            hint: "keep one of them".to_owned(),
        });
    }
    Ok(())
}

/// Refuses an unknown key in the table of a feature.
fn check_feature(table: &str, feature: &str, value: &Value) -> Result<()> {
    const KNOWN: [&str; 5] = ["transform", "scale", "winsorise", "weight", "weights"];
    let Value::Table(settings) = value else {
        return Ok(());
    };
    match settings.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        Some(key) if table == "features" => Err(unknown(
            format!("in [features.{feature}]"),
            key.clone(),
            None,
            KNOWN.map(str::to_owned).to_vec(),
        )),
        _ => Ok(()),
    }
}

fn unknown(place: String, key: String, home: Option<&str>, known: Vec<String>) -> Error {
    let suggestion = match home {
        Some(table) => Some(format!("`{key}` belongs in [{table}]")),
        None => nearest(&key, known.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?")),
    };
    Error::UnknownKey {
        place,
        key,
        suggestion,
        known,
    }
}

/// `as-of = 2024-01-31` is a date to TOML and a text to us.
pub(super) fn dates_as_text(value: Value) -> Value {
    match value {
        Value::Datetime(date) => Value::String(date.to_string()),
        Value::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(k, v)| (k, dates_as_text(v)))
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.into_iter().map(dates_as_text).collect()),
        other => other,
    }
}

/// Tries each value on its own, since serde does not say which key it stumbled over.
fn check_values(sorted: &Table) -> Result<()> {
    for (table, inner) in sorted {
        let Value::Table(inner) = inner else { continue };
        for (key, value) in inner {
            let one = Table::from_iter([(
                table.clone(),
                Value::Table(Table::from_iter([(key.clone(), value.clone())])),
            )]);
            if let Err(error) = one.try_into::<Options>() {
                let expected = expectation(error.message());
                return Err(Error::BadValue {
                    key: key.clone(),
                    found: value.to_string(),
                    expected,
                });
            }
        }
    }
    Ok(())
}

/// What serde expected, in words.
fn expectation(message: &str) -> String {
    let expected = message
        .rsplit_once("expected ")
        .map_or(message, |(_, expected)| expected);
    match expected.trim() {
        "u64" | "usize" | "u32" => "a whole number from 0".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list, as in `[\"a\", \"b\"]`".to_owned(),
        words if words.starts_with("struct ") => "a table, as in `{ key = \"value\" }`".to_owned(),
        words
            if words.starts_with("string only")
                || words.starts_with("enum ")
                || words.contains("variant") =>
        {
            "one of the words in `tiermill run --help`".to_owned()
        }
        words => words.to_owned(),
    }
}

fn from_folder(folder: &Path, path: &str) -> String {
    if path.contains("://") || Path::new(path).is_absolute() {
        path.to_owned()
    } else {
        folder.join(path).to_string_lossy().into_owned()
    }
}
