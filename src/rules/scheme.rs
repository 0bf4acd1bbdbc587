//! How one dimension is scored.
//!
//! In: the tables `[scores]` and `[scores.NAME]`. Out: a [`Scheme`] for each of recency, frequency, monetary.
//! Invariant: a scheme has 2 to 9 bands; the best score is their number. What does not go together is refused here.

use toml::{Table, Value};

use super::condition::number;
use super::table::At;
use crate::error::Result;

/// Bands that a dimension can have.
pub(super) const BANDS: std::ops::RangeInclusive<usize> = 2..=9;
/// Bands where nobody says how many.
const USUAL_BANDS: usize = 5;

/// Keys of `[scores]` that hold for all dimensions, and of `[scores.NAME]`.
pub(super) const KEYS: [&str; 8] = [
    "method", "bands", "cuts", "top", "ties", "side", "offset", "halve-at",
];

/// Where the bands come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Method {
    /// Evenly spaced quantiles, type 7.
    Quantile,
    /// Given; one list, or with nested scores one for each score, or pair of scores, before.
    Fixed(Vec<Vec<Cut>>),
    /// The mean of all customers.
    Mean,
    /// Their median.
    Median,
    /// The exact one-dimensional k-means.
    NaturalBreaks,
    /// The best shares of the customers, in percent, ascending: `[5, 20]`.
    TopPercent(Vec<f64>),
    /// The best customers by number, ascending.
    TopN(Vec<u64>),
}

/// One end of a band.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    /// In the unit of the dimension.
    pub value: f64,
    /// With `ties = "by-id"`: which customers of this very value lie below.
    pub tie: Option<Tie>,
}

/// The last customer, by id, of those before the cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tie {
    /// Its id as text.
    pub id: String,
    /// Whether customers up to it lie above the cut (`top-n`, `top-percent`), and not below.
    pub above: bool,
}

/// Which band a value on a cut belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The lower one.
    Upper,
    /// The upper one.
    Lower,
}

/// Where scores become 2 above and 1 below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halve {
    Mean,
    Median,
}

/// How one dimension is scored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scheme {
    pub method: Method,
    /// Bands before halving.
    pub bands: usize,
    /// Equal values are ranked by id instead of kept together.
    pub by_id: bool,
    pub side: Side,
    /// Added to every cut point, in the unit of the dimension.
    pub offset: f64,
    pub halve: Option<Halve>,
}

impl Scheme {
    /// The best score.
    pub(super) fn best(&self) -> usize {
        if self.halve.is_some() { 2 } else { self.bands }
    }

    /// `quantile, 5 bands`, and what is not usual.
    pub(super) fn words(&self) -> String {
        let method = match &self.method {
            Method::Quantile => "quantile".to_owned(),
            Method::Fixed(lists) => {
                let list = |list: &Vec<Cut>| {
                    let cuts: Vec<String> = list.iter().map(|cut| cut.value.to_string()).collect();
                    cuts.join(" ")
                };
                let lists: Vec<String> = lists.iter().map(list).collect();
                format!("fixed ({})", lists.join("; "))
            }
            Method::Mean => "mean".to_owned(),
            Method::Median => "median".to_owned(),
            Method::NaturalBreaks => "natural-breaks".to_owned(),
            Method::TopPercent(shares) => format!("top-percent {shares:?}"),
            Method::TopN(numbers) => format!("top-n {numbers:?}"),
        };
        let mut words = vec![method, format!("{} bands", self.bands)];
        let unusual = [
            (self.by_id, "ties by-id"),
            (self.side == Side::Lower, "lower-inclusive"),
            (self.halve == Some(Halve::Mean), "halved at the mean"),
            (self.halve == Some(Halve::Median), "halved at the median"),
        ];
        let unusual = unusual.into_iter().filter(|&(is, _)| is);
        words.extend(unusual.map(|(_, word)| word.to_owned()));
        if self.offset != 0.0 {
            words.push(format!("offset {}", self.offset));
        }
        words.join(", ")
    }

    /// Reads `[scores.NAME]` over `[scores]`.
    pub(super) fn read(common: &Table, own: &Table, at: &At<'_>) -> Result<Self> {
        let of = |key: &str| own.get(key).or_else(|| common.get(key));
        let word = |key: &str, known: &[&'static str]| match of(key) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(|word| known.iter().find(|known| **known == word).copied())
                .map(Some)
                .ok_or_else(|| at.bad(key, value, alternatives(known))),
        };
        let implied = own.contains_key("cuts") && !own.contains_key("method");
        let method = if implied {
            "fixed"
        } else {
            word("method", &METHODS)?.unwrap_or("quantile")
        };
        for (key, methods) in [("cuts", &METHODS[1..2]), ("top", &METHODS[5..7])] {
            if let (Some(value), false) = (own.get(key), methods.contains(&method)) {
                let expected = format!("left out, or `method = {}`", alternatives(methods));
                return Err(at.bad(key, value, expected));
            }
        }
        let method = read_method(method, of("cuts"), of("top"), at)?;
        let bands = read_bands(&method, own, common, at)?;
        let ranked = matches!(
            method,
            Method::Quantile | Method::TopPercent(_) | Method::TopN(_)
        );
        let by_id = word("ties", &["together", "by-id"])? == Some("by-id");
        if let (true, false, Some(value)) = (by_id, ranked, own.get("ties")) {
            let expected = "left out: only `quantile`, `top-percent` and `top-n` rank customers";
            return Err(at.bad("ties", value, expected));
        }
        let side = match word("side", &["upper-inclusive", "lower-inclusive"])? {
            Some("lower-inclusive") => Side::Lower,
            _ => Side::Upper,
        };
        let offset = match of("offset") {
            None => 0.0,
            Some(value) => number(value).ok_or_else(|| at.bad("offset", value, "a number"))?,
        };
        if let (true, true, Some(value)) = (by_id && ranked, offset != 0.0, of("offset")) {
            let expected = "0 with `ties = \"by-id\"`: ranks are cut, and not values";
            return Err(at.bad("offset", value, expected));
        }
        let halve = word("halve-at", &["mean", "median"])?.map(|word| match word {
            "mean" => Halve::Mean,
            _ => Halve::Median,
        });
        Ok(Self {
            method,
            bands,
            by_id: by_id && ranked,
            side,
            offset,
            halve,
        })
    }
}

/// Refuses keys of `[scores]` that no dimension takes anything from: somebody meant something by them.
pub(super) fn check_common(scores: &Table, schemes: &[Scheme; 3], at: &At<'_>) -> Result<()> {
    let any = |takes: &dyn Fn(&Scheme) -> bool| schemes.iter().any(takes);
    let is_said = |key: &str, found: &str| scores.get(key).and_then(Value::as_str) == Some(found);
    let bands = scores.get("bands").and_then(Value::as_integer);
    let given = |scheme: &Scheme| matches!(scheme.method, Method::Fixed(_));
    let top = |scheme: &Scheme| matches!(scheme.method, Method::TopPercent(_) | Method::TopN(_));
    let free = |scheme: &Scheme| matches!(scheme.method, Method::Quantile | Method::NaturalBreaks);
    let taken = [
        (
            "bands",
            any(&|scheme| free(scheme) || i64::try_from(scheme.bands).ok() == bands),
            [METHODS[0], METHODS[4]].as_slice(),
        ),
        ("cuts", any(&given), &METHODS[1..2]),
        ("top", any(&top), &METHODS[5..7]),
        (
            "ties",
            any(&|scheme| scheme.by_id) || !is_said("ties", "by-id"),
            &[METHODS[0], METHODS[5], METHODS[6]],
        ),
    ];
    for (key, is_taken, methods) in taken {
        if let (Some(value), false) = (scores.get(key), is_taken) {
            let expected = format!(
                "left out: only `method = {}` asks for it, and no dimension has that",
                alternatives(methods)
            );
            return Err(at.bad(key, value, expected));
        }
    }
    Ok(())
}

/// The words of `method`.
const METHODS: [&str; 7] = [
    "quantile",
    "fixed",
    "mean",
    "median",
    "natural-breaks",
    "top-percent",
    "top-n",
];

fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn read_method(
    method: &str,
    cuts: Option<&Value>,
    top: Option<&Value>,
    at: &At<'_>,
) -> Result<Method> {
    Ok(match method {
        "fixed" => {
            let cuts =
                cuts.ok_or_else(|| at.missing("cuts", "cut points, as in `[30, 90, 365]`"))?;
            Method::Fixed(read_cuts(cuts, at)?)
        }
        "mean" => Method::Mean,
        "median" => Method::Median,
        "natural-breaks" => Method::NaturalBreaks,
        "top-percent" => Method::TopPercent(read_top(top, at, 100.0)?),
        "top-n" => {
            let numbers = read_top(top, at, 2_f64.powi(53))?;
            if let (Some(top), true) = (top, numbers.iter().any(|n| n.fract() != 0.0)) {
                return Err(at.bad(
                    "top",
                    top,
                    "whole numbers of customers, as in `[100, 1000]`",
                ));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, above 0 and at most 2^53"
            )]
            Method::TopN(numbers.into_iter().map(|n| n as u64).collect())
        }
        _ => Method::Quantile,
    })
}

/// A number, or ascending ones, above 0 and at most `most`.
fn read_top(top: Option<&Value>, at: &At<'_>, most: f64) -> Result<Vec<f64>> {
    let top =
        top.ok_or_else(|| at.missing("top", "how many are at the top, as in `20` or `[5, 20]`"))?;
    let one = std::slice::from_ref(top);
    let list = top.as_array().map_or(one, Vec::as_slice);
    let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
    let sound = |numbers: &Vec<f64>| {
        !numbers.is_empty()
            && numbers.iter().all(|n| 0.0 < *n && *n <= most)
            && numbers.is_sorted_by(|a, b| a < b)
    };
    numbers.filter(sound).ok_or_else(|| {
        at.bad(
            "top",
            top,
            "numbers above 0, ascending, as in `20` or `[5, 20]`",
        )
    })
}

/// The number of bands, as it follows from the method or is said.
fn read_bands(method: &Method, own: &Table, common: &Table, at: &At<'_>) -> Result<usize> {
    let said = |table: &Table| {
        table
            .get("bands")
            .map(|value| {
                let bands = value
                    .as_integer()
                    .and_then(|bands| usize::try_from(bands).ok());
                bands
                    .filter(|bands| BANDS.contains(bands))
                    .ok_or_else(|| at.bad("bands", value, "2 to 9"))
            })
            .transpose()
    };
    let follows = match method {
        Method::Quantile | Method::NaturalBreaks => {
            return Ok(said(own)?.or(said(common)?).unwrap_or(USUAL_BANDS));
        }
        Method::Fixed(lists) => lists.first().map_or(0, Vec::len) + 1,
        Method::Mean | Method::Median => 2,
        Method::TopPercent(shares) => shares.len() + 1,
        Method::TopN(numbers) => numbers.len() + 1,
    };
    if !BANDS.contains(&follows) {
        let key = if matches!(method, Method::Fixed(_)) {
            "cuts"
        } else {
            "top"
        };
        let value = own.get(key).or_else(|| common.get(key));
        let found = value.cloned().unwrap_or(Value::Boolean(false));
        return Err(at.bad(key, &found, "1 to 8 of them, for 2 to 9 bands"));
    }
    match (said(own)?, own.get("bands")) {
        (Some(bands), Some(value)) if bands != follows => Err(at.bad(
            "bands",
            value,
            format!("{follows}, which follows from the method"),
        )),
        _ => Ok(follows),
    }
}

/// `[30, 90]`, or a list of such lists; instead of a number a cut with an id.
fn read_cuts(value: &Value, at: &At<'_>) -> Result<Vec<Vec<Cut>>> {
    let bad = |found: &Value, expected: &str| at.bad("cuts", found, expected);
    let expected = "cut points, as in `[30, 90, 365]`";
    let list = value.as_array().ok_or_else(|| bad(value, expected))?;
    let lists: Vec<&Value> = if list.iter().any(Value::is_array) {
        list.iter().collect()
    } else {
        vec![value]
    };
    let lists: Option<Vec<Vec<Cut>>> = lists
        .into_iter()
        .map(|list| list.as_array()?.iter().map(read_cut).collect())
        .collect();
    let lists = lists.ok_or_else(|| bad(value, expected))?;
    let bands = lists.first().map_or(0, Vec::len);
    if lists.iter().any(|list| list.len() != bands) {
        return Err(bad(value, "lists of equal length"));
    }
    for list in &lists {
        if !list.is_sorted_by(|a, b| a.value <= b.value) {
            return Err(bad(value, "ascending cut points"));
        }
    }
    Ok(lists)
}

fn read_cut(value: &Value) -> Option<Cut> {
    let plain = |value: f64| Cut {
        value: value + 0.0,
        tie: None,
    };
    let Value::Table(table) = value else {
        return number(value).map(plain);
    };
    let known = ["value", "id", "above"];
    if table.keys().any(|key| !known.contains(&key.as_str())) {
        return None;
    }
    let tie = Tie {
        id: table.get("id")?.as_str()?.to_owned(),
        above: table
            .get("above")
            .is_some_and(|above| above.as_bool() == Some(true)),
    };
    Some(Cut {
        value: number(table.get("value")?)? + 0.0,
        tie: Some(tie),
    })
}

impl Cut {
    /// As a rule file and a model have it.
    pub(super) fn to_value(&self) -> Value {
        // A whole number stays one.
        let value = Value::Float(self.value);
        let Some(tie) = &self.tie else {
            return value;
        };
        let mut table = Table::new();
        table.insert("value".to_owned(), value);
        table.insert("id".to_owned(), Value::String(tie.id.clone()));
        if tie.above {
            table.insert("above".to_owned(), Value::Boolean(true));
        }
        Value::Table(table)
    }

    /// The other way, for a model.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        read_cut(value)
    }
}
