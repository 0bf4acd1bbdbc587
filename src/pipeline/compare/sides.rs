//! Where the two sides of a comparison come from.
//!
//! In: a word of the command line. Out: a tiering with the ids of its customers, and the customers with R, F and M.
//! Invariant: `clusters`, `rules` and the names of maps go before paths, which may begin with `./`; R, F and M are those of one
//! source for both sides.

use std::path::{Path, PathBuf};

use super::Question;
use crate::compare::Tiering;
use crate::config::{CompareConfig, Config, Monetary, RulesConfig, is_rule_file, parse_moment};
use crate::error::{CompareFault, Error, Result, RuleFault, Warning, nearest};
use crate::load::{CustomerIds, Customers, LabelQuery, NO_LABEL, RunFacts, labels, load};
use crate::pipeline::Model;
use crate::pipeline::model::fitted;
use crate::pipeline::rule_sets::of_rules;
use crate::rules::{BUILT_IN, BuiltIn, Meaning, RuleSet, Segmented};
use crate::store::read_model;
use crate::tiers;

/// The word for tiers that are fitted on the spot.
pub(in crate::pipeline) const CLUSTERS: &str = "clusters";
/// The word for the rules of the config.
pub(in crate::pipeline) const RULES: &str = "rules";

/// Where a tiering comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Clusters,
    Rules(String),
    Table { path: PathBuf, name: String },
}

/// What a word on the command line stands for: a name that we know before a path, which `./` in front makes one.
pub(super) fn origin(text: &str, warnings: &mut Vec<Warning>) -> Result<Origin> {
    let path = Path::new(text);
    let is_name = [CLUSTERS, RULES].contains(&text) || BuiltIn::find(text).is_ok();
    if is_name && path.exists() {
        let what = match text {
            CLUSTERS | RULES => "the word",
            _ => "the built-in map",
        };
        let message =
            format!("`{text}` is {what}; for the file or folder of that name write `./{text}`");
        warnings.push(Warning::new("name_and_path", message));
    }
    if text == CLUSTERS {
        return Ok(Origin::Clusters);
    }
    if is_name {
        return Ok(Origin::Rules(text.to_owned()));
    }
    if path.is_dir() {
        return of_folder(text, path);
    }
    let named = |extension: &str| path.extension().is_some_and(|own| own == extension);
    if named("toml") || (!path.exists() && !text.contains(['/', '*', '.'])) {
        return Ok(Origin::Rules(text.to_owned()));
    }
    if named("json") {
        return Err(Error::from(CompareFault::NoTiering {
            text: text.to_owned(),
            found: "it is a JSON document".to_owned(),
            hint: "give the folder of the run, or its assignments.parquet".to_owned(),
        }));
    }
    let folder = path
        .parent()
        .filter(|folder| folder.join("manifest.json").exists());
    Ok(Origin::Table {
        path: path.to_owned(),
        name: folder.map_or_else(|| text.to_owned(), run_name),
    })
}

/// A folder: a run, a folder of runs, or Parquet files with labels.
fn of_folder(text: &str, path: &Path) -> Result<Origin> {
    const ASSIGNMENTS: &str = "assignments.parquet";
    for run in [path.to_owned(), path.join("current")] {
        if run.join(ASSIGNMENTS).exists() {
            return Ok(Origin::Table {
                path: run.join(ASSIGNMENTS),
                name: run_name(&run),
            });
        }
    }
    if path.join("model.json").exists() {
        return Err(Error::from(CompareFault::NoTiering {
            text: text.to_owned(),
            found: "it is a run without assignments".to_owned(),
            hint: "`tiermill assign --model` makes one with them".to_owned(),
        }));
    }
    Ok(Origin::Table {
        path: path.to_owned(),
        name: text.to_owned(),
    })
}

/// The name of the folder that a path ends at, links followed.
fn run_name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// A side after its table, if it is one, was read.
pub(super) enum Side {
    Clusters,
    Rules(String),
    Table {
        ids: CustomerIds,
        tiering: Tiering,
        column: String,
        customers: Option<Box<Customers>>,
        warnings: Vec<Warning>,
    },
}

pub(super) fn read_sides(
    config: &CompareConfig,
    question: &Question,
    origins: &[Origin; 2],
) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    for (index, origin) in origins.iter().enumerate() {
        let label = question.labels.get(index).or(question.labels.first());
        sides.push(match origin {
            Origin::Clusters => Side::Clusters,
            Origin::Rules(text) => Side::Rules(text.clone()),
            Origin::Table { path, name } => {
                let read = labels(LabelQuery {
                    path: &path.to_string_lossy(),
                    customer: config.customer.as_deref(),
                    label: label.map(String::as_str),
                    run: &run_facts(path)?,
                })?;
                Side::Table {
                    ids: read.ids,
                    tiering: Tiering {
                        name: name.clone(),
                        names: read.names,
                        labels: read.labels,
                        ranked: read.ranked,
                        margins: read.margins,
                    },
                    column: read.column,
                    customers: read.customers.map(Box::new),
                    warnings: read.warnings,
                }
            }
        });
    }
    Ok(sides)
}

/// What manifest.json and tiers.json say of the assignments.parquet beside them; the usual things where there are none.
pub(in crate::pipeline) fn run_facts(assignments: &Path) -> Result<RunFacts> {
    let document = |name: &str| -> Result<serde_json::Value> {
        let path = assignments.with_file_name(name);
        if !path.exists() {
            return Ok(serde_json::Value::Null);
        }
        Ok(serde_json::from_str(&read_model(&path)?).unwrap_or_default())
    };
    let (manifest, tiers) = (document("manifest.json")?, document("tiers.json")?);
    let mut facts = RunFacts::default();
    if manifest["config"]["rfm"]["monetary"] == Monetary::Mean.as_str() {
        facts.monetary = Monetary::Mean;
    }
    let decimals = tiers["decimals"].as_u64();
    if let Some(decimals) = decimals.and_then(|decimals| u32::try_from(decimals).ok()) {
        facts.decimals = decimals;
    }
    facts.as_of = tiers["as_of"].as_str().map(str::to_owned);
    Ok(facts)
}

/// The customers with R, F and M.
pub(super) struct Base {
    pub(super) customers: Customers,
    pub(super) warnings: Vec<Warning>,
}

/// Takes R, F and M from the orders where they have to be read (for clusters and rules) or were named, else from the run
/// that brings them along.
pub(super) fn base(config: &CompareConfig, question: &Question, sides: &[Side]) -> Result<Base> {
    let brought: Vec<&Customers> = sides
        .iter()
        .filter_map(|side| match side {
            Side::Table { customers, .. } => customers.as_deref(),
            Side::Clusters | Side::Rules(_) => None,
        })
        .collect();
    let computed = sides.iter().any(|side| !matches!(side, Side::Table { .. }));
    match (&config.job, brought.as_slice()) {
        (Some(job), found) if computed || question.input_named || found.is_empty() => {
            let mut rfm = job.rfm.clone();
            // A run is looked at from where it stood: orders after it have not been for its tiers.
            if let (None, Some(run)) = (rfm.as_of, found.first()) {
                rfm.as_of = Some(parse_moment("as-of", &run.as_of.text)?);
            }
            let loaded = load(&job.input, &rfm)?;
            let mut warnings = loaded.warnings;
            let here = seen_from(&loaded.customers);
            if let Some(run) = found.iter().find(|run| seen_from(run) != here) {
                let message = format!(
                    "a run is as of {}; recency and amounts are as of {here}",
                    seen_from(run)
                );
                warnings.push(Warning::new("other_as_of", message));
            }
            Ok(Base {
                customers: loaded.customers,
                warnings,
            })
        }
        (_, [first, others @ ..]) => {
            let mut warnings = Vec::new();
            let here = seen_from(first);
            if let Some(other) = others.iter().find(|other| seen_from(other) != here) {
                let message = format!(
                    "A is as of {here}, B as of {}; recency and amounts are those of A",
                    seen_from(other)
                );
                warnings.push(Warning::new("other_as_of", message));
            }
            Ok(Base {
                customers: (*first).clone(),
                warnings,
            })
        }
        (_, []) => Err(Error::Missing {
            key: "input",
            hint: "neither side brings recency, frequency and amounts along: give the orders with `--input PATH`"
                .to_owned(),
        }),
    }
}

/// The day of as-of, with the time of day where that is no midnight.
fn seen_from(customers: &Customers) -> &str {
    let text = customers.as_of.text.as_str();
    text.split_once("T00:00:00").map_or(text, |(day, _)| day)
}

/// A tiering with the ids of its customers.
pub(super) struct Placed {
    pub(super) ids: CustomerIds,
    pub(super) tiering: Tiering,
    /// Column of its labels, where it was read from a table.
    pub(super) column: Option<String>,
}

pub(super) fn place(
    config: &CompareConfig,
    customers: &Customers,
    side: Side,
    warnings: &mut Vec<Warning>,
) -> Result<Placed> {
    let of_base = |tiering: Tiering| Placed {
        ids: customers.ids.clone(),
        tiering,
        column: None,
    };
    match side {
        Side::Table {
            ids,
            tiering,
            column,
            warnings: told,
            ..
        } => {
            warnings.extend(told);
            Ok(Placed {
                ids,
                tiering,
                column: Some(column),
            })
        }
        Side::Clusters => {
            let job = config.job.as_ref().ok_or_else(|| Error::Missing {
                key: "input",
                hint: "`clusters` are fitted on orders: give them with `--input PATH`".to_owned(),
            })?;
            let (tiering, told) = clusters(job, customers)?;
            warnings.extend(told);
            Ok(of_base(tiering))
        }
        Side::Rules(text) => {
            let meaning = config.job.as_ref().map(Meaning::of).unwrap_or_default();
            let rules =
                named_rules(&text, config.rules.as_ref(), meaning).map_err(
                    |error| match error {
                        Error::Rules(fault) if matches!(*fault, RuleFault::UnknownMap { .. }) => {
                            unknown(&text)
                        }
                        other => other,
                    },
                )?;
            let (tiering, told) = by_rules(&rules, customers)?;
            warnings.extend(told);
            Ok(of_base(tiering))
        }
    }
}

/// Tiers fitted by the config, as `run` would find them.
pub(in crate::pipeline) fn clusters(
    config: &Config,
    customers: &Customers,
) -> Result<(Tiering, Vec<Warning>)> {
    let (model, matrix, warnings) = fitted(config, customers)?;
    let placements = tiers::place(matrix.view(), &model.placer()?);
    Ok((of_placements(CLUSTERS, &model, placements), warnings))
}

/// The tiers of a model as one side of a comparison.
pub(super) fn of_placements(name: &str, model: &Model, placements: tiers::Placements) -> Tiering {
    Tiering {
        name: name.to_owned(),
        names: model.tiers.iter().map(|tier| tier.name.clone()).collect(),
        labels: placements.tiers,
        ranked: true,
        margins: Some(placements.margins),
    }
}

/// The rules that a word stands for: those of the config, a rule file or a built-in map.
pub(in crate::pipeline) fn named_rules(
    text: &str,
    own: Option<&RulesConfig>,
    meaning: Meaning,
) -> Result<RuleSet> {
    let path = Path::new(text);
    let own = of_rules(own, meaning)?;
    if text == RULES {
        own.ok_or_else(|| Error::Missing {
            key: "rules",
            hint: "name them: `--rules eight`, or a table [rules] in tiermill.toml".to_owned(),
        })
    } else if is_rule_file(text) || (path.is_file() && BuiltIn::find(text).is_err()) {
        let text = read_model(path).map_err(|error| not_read(error, path))?;
        Ok(RuleSet::read(&text, path)?.under(meaning))
    } else {
        Ok(RuleSet::built_in(text)?.under(meaning))
    }
}

/// The fault of a rule file that cannot be read.
fn not_read(error: Error, path: &Path) -> Error {
    let source = match error {
        Error::Io { source, .. } => source,
        Error::NotFound { .. } => std::io::ErrorKind::NotFound.into(),
        other => return other,
    };
    let place = path.to_owned();
    RuleFault::Read { place, source }.into()
}

/// The segments of rules, with their proof.
pub(in crate::pipeline) fn by_rules(
    rules: &RuleSet,
    customers: &Customers,
) -> Result<(Tiering, Vec<Warning>)> {
    let mut warnings = rules.check()?;
    let segmented = rules.fit(customers)?.segments(customers)?;
    warnings.extend(segmented.warnings.clone());
    Ok((of_segments(&rules.name, &segmented), warnings))
}

/// The segments of rules as one side of a comparison; who is in none is in the group [`NO_LABEL`].
pub(super) fn of_segments(name: &str, segmented: &Segmented) -> Tiering {
    let mut names: Vec<String> = segmented.names.iter().map(|name| name.en.clone()).collect();
    let none = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let labels: Vec<u32> = segmented
        .labels
        .iter()
        .map(|label| label.unwrap_or(none))
        .collect();
    if labels.contains(&none) {
        names.push(NO_LABEL.to_owned());
    }
    Tiering {
        name: name.to_owned(),
        names,
        labels,
        ranked: false,
        margins: None,
    }
}

/// The error for a word that is neither a path nor a map.
fn unknown(text: &str) -> Error {
    let maps: Vec<&str> = BUILT_IN.iter().map(|map| map.name).collect();
    let aliases = BUILT_IN.iter().flat_map(|map| map.aliases.iter().copied());
    let words = maps.iter().copied().chain(aliases).chain([CLUSTERS, RULES]);
    let meant = nearest(text, words).map_or_else(String::new, |near| {
        format!("did you mean `{near}`? Otherwise ")
    });
    Error::from(CompareFault::NoTiering {
        text: text.to_owned(),
        found: "no file, folder or map has that name".to_owned(),
        hint: format!(
            "{meant}give a run (`out/current`), a Parquet file with a customer and a label, `clusters`, a rule file, or a map: {}",
            maps.join(", ")
        ),
    })
}
