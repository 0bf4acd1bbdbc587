//! The rules of a config, and their cut points frozen.
//!
//! In: a [`Config`]. Out: a [`RuleSet`], or the text of a rule file that gives tomorrow the scores of today.
//! Invariant: rules are proven before any input is read.

use crate::config::{Config, RulesConfig};
use crate::error::{Error, Result, Warning};
use crate::load::load;
use crate::rules::{Meaning, RuleSet};

/// The rules of a config, parsed and proven; none where it has none.
///
/// # Errors
/// As [`RuleSet::of_config`].
pub fn rule_set(config: &Config) -> Result<Option<RuleSet>> {
    of_rules(config.rules.as_ref(), Meaning::of(config))
}

/// The same for the rules alone.
///
/// # Errors
/// As [`RuleSet::of_config`].
pub(super) fn of_rules(rules: Option<&RulesConfig>, meaning: Meaning) -> Result<Option<RuleSet>> {
    rules
        .map(|rules| RuleSet::of_config(rules.map.as_deref(), &rules.definition, meaning))
        .transpose()
}

/// A rule file with `fixed` cut points.
#[derive(Debug)]
pub struct Frozen {
    /// The file.
    pub text: String,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Finds the cut points of the config's rules in its input, and writes them down as rules of their own.
///
/// # Errors
/// [`Error::Missing`] without rules; as [`load`] and [`RuleSet::fit`].
pub fn freeze(config: &Config) -> Result<Frozen> {
    let rules = rule_set(config)?.ok_or_else(|| Error::Missing {
        key: "rules",
        hint: "name the rules to freeze: `--rules eight`, or a table [rules] in tiermill.toml"
            .to_owned(),
    })?;
    let loaded = load(&config.input, &config.rfm)?;
    let customers = &loaded.customers;
    let fitted = rules.fit(customers)?;
    let origin = format!(
        "Cut points of `{}` as {} customers had them, as of {}.",
        rules.name,
        customers.len(),
        customers.as_of.text
    );
    Ok(Frozen {
        text: fitted.to_toml(&origin, &customers.as_of.text)?,
        warnings: [loaded.warnings, fitted.segments(customers)?.warnings].concat(),
    })
}
