//! The maps that come with tiermill.
//!
//! In: a name. Out: a [`RuleSet`] from an embedded rule file, of the very format that users write.
//! Invariant: a published map is given as it was published; what it leaves open or takes twice, its description says.

use std::path::Path;

use toml::{Table, Value};

use super::meaning::Meaning;
use super::set::RuleSet;
use crate::error::{Result, RuleFault, nearest};

/// A map that comes with tiermill.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Other names that it answers to.
    pub aliases: &'static [&'static str],
    /// Its rule file.
    pub text: &'static str,
}

/// All of them.
pub const BUILT_IN: [BuiltIn; 9] = [
    BuiltIn {
        name: "eight",
        aliases: &["eight-a", "8"],
        text: include_str!("maps/eight.toml"),
    },
    BuiltIn {
        name: "eight-b",
        aliases: &["vecdp"],
        text: include_str!("maps/eight-b.toml"),
    },
    BuiltIn {
        name: "grid-10",
        aliases: &["grid", "clevertap"],
        text: include_str!("maps/grid-10.toml"),
    },
    BuiltIn {
        name: "enumerated-11",
        aliases: &["enumerated", "connectif"],
        text: include_str!("maps/enumerated-11.toml"),
    },
    BuiltIn {
        name: "rfm-r-0.2",
        aliases: &[],
        text: include_str!("maps/rfm-r-0.2.toml"),
    },
    BuiltIn {
        name: "rfm-r-0.3",
        aliases: &["rfm-r"],
        text: include_str!("maps/rfm-r-0.3.toml"),
    },
    BuiltIn {
        name: "pymc",
        aliases: &["pymc-marketing"],
        text: include_str!("maps/pymc.toml"),
    },
    BuiltIn {
        name: "putler-11",
        aliases: &["putler"],
        text: include_str!("maps/putler-11.toml"),
    },
    BuiltIn {
        name: "bands-27",
        aliases: &["27", "high-mid-low"],
        text: include_str!("maps/bands-27.toml"),
    },
];

impl BuiltIn {
    /// The map of a name or an alias.
    ///
    /// # Errors
    /// [`RuleFault::UnknownMap`].
    pub fn find(name: &str) -> Result<&'static Self> {
        let wanted = name.trim().to_lowercase();
        let fits = |map: &&Self| map.name == wanted || map.aliases.contains(&wanted.as_str());
        BUILT_IN.iter().find(fits).ok_or_else(|| {
            let names = || BUILT_IN.iter().map(|map| map.name);
            let all = BUILT_IN.iter().flat_map(|map| map.aliases.iter().copied());
            RuleFault::UnknownMap {
                name: name.to_owned(),
                nearest: nearest(name, names().chain(all)).map(str::to_owned),
                known: names().map(str::to_owned).collect(),
            }
            .into()
        })
    }

    /// Its rule file as TOML.
    ///
    /// # Errors
    /// None, unless the embedded file is broken.
    pub fn table(&self) -> Result<Table> {
        let table = self.text.parse().map_err(|source| RuleFault::Syntax {
            place: Path::new(self.name).to_owned(),
            source: Box::new(source),
        })?;
        Ok(table)
    }
}

impl RuleSet {
    /// A map that comes with tiermill, by name or alias.
    ///
    /// # Errors
    /// [`RuleFault::UnknownMap`] with the nearest name.
    pub fn built_in(name: &str) -> Result<Self> {
        let map = BuiltIn::find(name)?;
        Self::from_table(&map.table()?, Path::new(map.name))
    }

    /// What a config says: a definition, laid over a built-in map where it names one; proven for data of this meaning.
    ///
    /// # Errors
    /// As [`RuleSet::parse`]; [`RuleFault::UnknownMap`].
    pub fn of_config(map: Option<&str>, definition: &Table, meaning: Meaning) -> Result<Self> {
        let rules = match map {
            None => Self::from_table(definition, Path::new("[rules]"))?,
            Some(name) => {
                let mut table = BuiltIn::find(name)?.table()?;
                let definition = apart(definition, &table);
                overlay(&mut table, &definition);
                Self::from_table(&table, Path::new("[rules]"))?
            }
        };
        let rules = rules.under(meaning);
        rules.check()?;
        Ok(rules)
    }
}

/// Whether a table of scores says how to cut, and not only how to change what is cut.
fn begins_anew(scores: &Table) -> bool {
    scores.contains_key("method") || scores.contains_key("cuts")
}

/// A definition in which dimensions with a method of their own say, too, that nothing shifts their cut points, where the map
/// below says for all dimensions what does and the definition does not say so itself.
fn apart(definition: &Table, map: &Table) -> Table {
    let says = |table: &Table, key: &str| {
        let scores = table.get("scores").and_then(Value::as_table);
        scores.is_some_and(|scores| scores.contains_key(key))
    };
    let usual = [
        ("offset", Value::Integer(0)),
        ("side", Value::String("upper-inclusive".to_owned())),
        ("ties", Value::String("together".to_owned())),
    ];
    let shifts = usual.into_iter();
    let shifts = shifts.filter(|(key, _)| says(map, key) && !says(definition, key));
    let shifts: Vec<(&str, Value)> = shifts.collect();
    let mut definition = definition.clone();
    let scores = definition.get_mut("scores").and_then(Value::as_table_mut);
    let own = scores.into_iter().flatten().map(|(_, own)| own);
    for own in own.filter_map(Value::as_table_mut) {
        if begins_anew(own) {
            for (key, value) in &shifts {
                own.entry(*key).or_insert_with(|| value.clone());
            }
        }
    }
    definition
}

/// Lays the tables of a definition over those of a map; a dimension with a method of its own begins anew.
fn overlay(below: &mut Table, over: &Table) {
    for (key, value) in over {
        match (below.get_mut(key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => {
                if begins_anew(upper) {
                    for stale in ["method", "cuts", "top", "bands", "offset", "side", "ties"] {
                        lower.remove(stale);
                    }
                }
                overlay(lower, upper);
            }
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}
