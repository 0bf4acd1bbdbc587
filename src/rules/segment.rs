//! Segments of a rule file.
//!
//! In: the tables `[[segments]]`. Out: [`Segment`]s in order, each an alternative of conjunctions of intervals.
//! Invariant: every bound on a score is a score that there can be, and no two segments have one name.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::condition::{Quantity, read};
use super::interval::Interval;
use super::set::RuleSet;
use super::table::At;
use crate::error::Result;

/// Keys of a segment beside its conditions.
const SEGMENT_KEYS: [&str; 6] = ["name", "name-zh", "aliases", "otherwise", "cells", "any"];

/// A segment's name in two languages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentName {
    /// English.
    pub en: String,
    /// Chinese; the English one where the file has none.
    pub zh: String,
}

/// One rule: who is in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub name: SegmentName,
    /// Other names that people have for it.
    pub aliases: Vec<String>,
    /// Only those whom no segment before takes.
    pub otherwise: bool,
    /// One of these has to hold; none: everybody.
    pub any: Vec<Conditions>,
}

/// What has to hold together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Conditions {
    pub ranges: Vec<(Quantity, Interval)>,
    /// One of these codes; a `None` in it is any score.
    pub cells: Option<Vec<[Option<u8>; 3]>>,
}

/// Reads all segments.
pub(super) fn segments(table: &Table, rules: &RuleSet, at: &At<'_>) -> Result<Vec<Segment>> {
    let expected = "at least one [[segments]] table";
    let Some(value) = table.get("segments") else {
        return Err(at.missing("segments", expected));
    };
    let list = value.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| at.bad("segments", value, expected))?;
    let one = |(index, value): (usize, &Value)| {
        let Value::Table(segment) = value else {
            return Err(at.bad("segments", value, expected));
        };
        let name = segment.get("name").and_then(Value::as_str).unwrap_or("");
        let named = if name.trim().is_empty() {
            String::new()
        } else {
            format!(" (`{name}`)")
        };
        let at = At {
            place: at.place,
            at: format!("segment {}{named}", index + 1),
        };
        read_segment(segment, rules, &at)
    };
    list.iter().enumerate().map(one).collect()
}

fn read_segment(table: &Table, rules: &RuleSet, at: &At<'_>) -> Result<Segment> {
    let en = at
        .text(table, "name")?
        .ok_or_else(|| at.missing("name", "a name"))?;
    let zh = at.text(table, "name-zh")?.unwrap_or_else(|| en.clone());
    let otherwise = at.flag(table, "otherwise")?;
    let known: Vec<&str> = SEGMENT_KEYS.into_iter().chain(Quantity::KEYS).collect();
    let common = read_conditions(table, rules, at, &known)?;
    let any = match table.get("any") {
        None => vec![common],
        Some(value) => {
            let expected = "a list of tables, as in `[{ r = 5 }, { f = 5 }]`";
            let list = value.as_array().filter(|list| !list.is_empty());
            let list = list.ok_or_else(|| at.bad("any", value, expected))?;
            let known: Vec<&str> = ["cells"].into_iter().chain(Quantity::KEYS).collect();
            let one = |value: &Value| {
                let inner = value
                    .as_table()
                    .ok_or_else(|| at.bad("any", value, expected))?;
                let mut conditions = read_conditions(inner, rules, at, &known)?;
                if conditions.cells.is_some() && common.cells.is_some() {
                    return Err(at.bad("any", value, "no `cells` where the segment has some"));
                }
                conditions.ranges.extend(common.ranges.iter().copied());
                conditions.cells = conditions.cells.or_else(|| common.cells.clone());
                Ok(conditions)
            };
            list.iter().map(one).collect::<Result<Vec<_>>>()?
        }
    };
    if !otherwise
        && any
            .iter()
            .any(|conditions| *conditions == Conditions::default())
    {
        return Err(at.missing(
            "a condition",
            "one, or `otherwise = true` for all the others",
        ));
    }
    Ok(Segment {
        name: SegmentName { en, zh },
        aliases: at.texts(table, "aliases")?,
        otherwise,
        any,
    })
}

fn read_conditions(
    table: &Table,
    rules: &RuleSet,
    at: &At<'_>,
    known: &[&str],
) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    for (key, value) in table {
        if let Some(quantity) = Quantity::of_key(key) {
            let condition =
                read(quantity, value).map_err(|expected| at.bad(key, value, expected))?;
            check_scores(condition, rules).map_err(|expected| at.bad(key, value, expected))?;
            conditions.ranges.push(condition);
        } else {
            at.only(&Table::from_iter([(key.clone(), value.clone())]), known)?;
        }
    }
    // TOML sorts keys; two spellings of one condition are equal.
    conditions.ranges.sort_by_key(|&(quantity, _)| quantity);
    if let Some(value) = table.get("cells") {
        conditions.cells = Some(read_cells(value, rules, at)?);
    }
    Ok(conditions)
}

/// Refuses bounds that no score can have.
fn check_scores(condition: (Quantity, Interval), rules: &RuleSet) -> Result<(), String> {
    let (quantity, interval) = condition;
    let best = |dimension: usize| rules.schemes[dimension].best() as f64;
    let (least, most) = match quantity {
        Quantity::R => (1.0, best(0)),
        Quantity::F => (1.0, best(1)),
        Quantity::M => (1.0, best(2)),
        Quantity::Fm => (1.0, best(1).max(best(2))),
        Quantity::Sum => {
            let sum = |score: [f64; 3]| weighted(rules.weights, score);
            (sum([1.0; 3]), sum([best(0), best(1), best(2)]))
        }
        _ => return Ok(()),
    };
    let whole = Quantity::SCORES.contains(&quantity);
    let sound = |value: f64| (least..=most).contains(&value) && (!whole || value.fract() == 0.0);
    if interval.ends().all(|edge| sound(edge.value)) {
        return Ok(());
    }
    let what = if whole { "scores" } else { "values" };
    Err(format!("{what} from {least} to {most}"))
}

/// The weighted sum of scores, without the last digits that depend on the order of adding.
pub(super) fn weighted(weights: [f64; 3], scores: [f64; 3]) -> f64 {
    let sum: f64 = weights
        .iter()
        .zip(scores)
        .map(|(weight, score)| weight * score)
        .sum();
    (sum * 1e9).round() / 1e9
}

/// `["555", "54*"]`: scores of R, F, M; a star is any score.
fn read_cells(value: &Value, rules: &RuleSet, at: &At<'_>) -> Result<Vec<[Option<u8>; 3]>> {
    let best: Vec<String> = rules
        .schemes
        .iter()
        .map(|scheme| scheme.best().to_string())
        .collect();
    let expected = format!(
        "a list of codes of the scores R, F, M from `111` to `{}`, as in `[\"555\", \"54*\"]`",
        best.concat()
    );
    let code = |text: &str| {
        let mut code = [None; 3];
        let digits: Vec<char> = text.trim().chars().collect();
        if digits.len() != code.len() {
            return None;
        }
        for ((score, digit), scheme) in code.iter_mut().zip(digits).zip(&rules.schemes) {
            if digit != '*' {
                let digit = digit
                    .to_digit(10)
                    .and_then(|digit| u8::try_from(digit).ok())?;
                *score = Some(digit).filter(|&digit| (1..=scheme.best()).contains(&digit.into()));
                (*score)?;
            }
        }
        Some(code)
    };
    let list = value.as_array().filter(|list| !list.is_empty());
    let Some(list) = list else {
        return Err(at.bad("cells", value, expected));
    };
    let one = |value: &Value| {
        let found = value.as_str().and_then(code);
        found.ok_or_else(|| at.bad("cells", value, expected.clone()))
    };
    let mut codes: Vec<[Option<u8>; 3]> = list.iter().map(one).collect::<Result<_>>()?;
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

/// Puts names of `[rename]` in place of those of the map.
pub(super) fn rename(rules: &mut RuleSet, at: &At<'_>) -> Result<()> {
    let table = at.table(&rules.source, "rename")?;
    // Names are those of the map, whatever another line makes of them: two may be swapped.
    let of_map = rules.segments.clone();
    for (old, value) in &table {
        let at = At {
            place: at.place,
            at: "[rename]".to_owned(),
        };
        let fits = |segment: &Segment| {
            segment.name.en == *old || segment.name.zh == *old || segment.aliases.contains(old)
        };
        let index = of_map.iter().position(fits);
        let Some(segment) = index.and_then(|index| rules.segments.get_mut(index)) else {
            let known: Vec<&str> = of_map
                .iter()
                .map(|segment| segment.name.en.as_str())
                .collect();
            return at.only(&Table::from_iter([(old.clone(), value.clone())]), &known);
        };
        match value {
            Value::String(name) if !name.trim().is_empty() => {
                name.trim().clone_into(&mut segment.name.en);
            }
            Value::Table(names) => {
                at.only(names, &["en", "zh"])?;
                if let Some(en) = at.text(names, "en")? {
                    segment.name.en = en;
                }
                if let Some(zh) = at.text(names, "zh")? {
                    segment.name.zh = zh;
                }
            }
            other => return Err(at.bad(old, other, "a name, or `{ en = \"…\", zh = \"…\" }`")),
        }
    }
    Ok(())
}

/// Refuses two segments of one name.
pub(super) fn check_names(segments: &[Segment], at: &At<'_>) -> Result<()> {
    for (index, segment) in segments.iter().enumerate() {
        let earlier = &segments[..index];
        let en = earlier.iter().any(|other| other.name.en == segment.name.en);
        let zh = earlier.iter().any(|other| other.name.zh == segment.name.zh);
        if en || zh {
            let (key, name) = if en {
                ("name", &segment.name.en)
            } else {
                ("name-zh", &segment.name.zh)
            };
            let at = At {
                place: at.place,
                at: format!("segment {}", index + 1),
            };
            return Err(at.wrong(
                key,
                format!("`{name}`, as in a segment before"),
                "each name once",
            ));
        }
    }
    Ok(())
}

/// Refuses dates beside spans: where they lie to each other changes from night to night.
pub(super) fn check_first_orders(segments: &[Segment], at: &At<'_>) -> Result<()> {
    let uses = |wanted: Quantity| {
        let mut all = segments.iter().flat_map(|segment| &segment.any);
        all.any(|conditions| {
            conditions
                .ranges
                .iter()
                .any(|&(quantity, _)| quantity == wanted)
        })
    };
    if uses(Quantity::FirstOrder) && uses(Quantity::FirstOrderAgo) {
        return Err(at.wrong(
            "first_order",
            "dates in one segment and days before as-of in another".to_owned(),
            "one of the two in all segments: nobody can prove a map whole whose bounds move",
        ));
    }
    Ok(())
}
