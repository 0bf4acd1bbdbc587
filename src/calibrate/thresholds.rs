//! One way to cut all three dimensions, as rules that the company can run.
//!
//! In: the [`Schemes`] of recency, frequency and monetary, and which of them is wanted. Out: [`Thresholds`] with a rule file.
//! Invariant: the file passes its proof, and gives the segments the customers that stand beside them.

use serde::Serialize;
use toml::{Table, Value};

use super::Dimensions;
use super::dimension::Entry;
use crate::config::Feature;
use crate::error::{Error, Result};
use crate::load::{Customers, from_fixed};
use crate::rules::{FittedRules, RuleSet};

/// The scheme of thresholds.toml where nobody asks for another one.
pub const USUAL_SCHEME: &str = "natural-breaks-log";
/// The schemes that thresholds can follow.
pub const SCHEMES: [&str; 7] = [
    "natural-breaks",
    "natural-breaks-log",
    "quantile",
    "mean",
    "median",
    "top-percent",
    "kmeans",
];
/// What a third band has to explain of the variance (goodness of variance fit, mean of the dimensions) to be worth 27
/// segments in place of 8.
const WORTH_A_BAND: f64 = 0.1;

/// Which thresholds are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// One of [`SCHEMES`]; none: [`USUAL_SCHEME`].
    pub scheme: Option<String>,
    /// Bands of each dimension; none: as many as are worth it.
    pub bands: Option<usize>,
}

/// Thresholds that were chosen, with the segments that they make.
#[derive(Debug, Clone, Serialize)]
pub struct Thresholds {
    /// The scheme.
    pub scheme: String,
    /// Bands of each dimension.
    pub bands: usize,
    /// Why so many, in words.
    pub why: String,
    /// The map that combines the bands into segments.
    pub map: String,
    /// Upper bounds, inclusive, in round numbers.
    pub cut_points: CutPoints,
    /// Customers in each segment.
    pub segments: Vec<SegmentFigures>,
    /// The rule file.
    #[serde(skip)]
    pub toml: String,
    /// The rules themselves.
    #[serde(skip)]
    pub rules: FittedRules,
}

/// Cut points of the three dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CutPoints {
    /// In days.
    pub recency_days: Vec<f64>,
    /// In orders.
    pub frequency: Vec<f64>,
    /// In the unit of the amounts.
    pub monetary: Vec<f64>,
}

/// Who is in a segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentFigures {
    /// English.
    pub name: String,
    /// Chinese.
    pub name_zh: String,
    /// Customers.
    pub customers: u64,
    /// Their total amount.
    pub revenue: f64,
}

/// Chooses, and writes the rule file.
///
/// # Errors
/// [`Error::BadValue`] for a scheme or a number of bands that there is none of.
pub(super) fn thresholds(
    customers: &Customers,
    dimensions: &Dimensions,
    wanted: &Wanted,
) -> Result<Thresholds> {
    let scheme = wanted.scheme.as_deref().unwrap_or(USUAL_SCHEME);
    let (bands, why) = bands(dimensions, scheme, wanted.bands)?;
    let cuts = dimensions
        .all()
        .map(|(_, schemes)| cuts(schemes.entry(scheme, bands), bands));
    // A dimension without so many values has one band, and all its cut points lie above.
    let cuts: Vec<Vec<f64>> = cuts
        .into_iter()
        .zip(greatest(customers))
        .map(|(cuts, greatest)| cuts.unwrap_or_else(|| vec![greatest; bands - 1]))
        .collect();
    let (map, rules) = map(bands)?;
    let description = format!(
        "Cut points of {} customers as of {} by `{scheme}`, {bands} bands each, in round numbers.",
        customers.len(),
        customers.as_of.text
    );
    let rules = rules.cut_at(("thresholds", &description), [&cuts[0], &cuts[1], &cuts[2]])?;
    let toml = rules.to_toml(
        "Made by `tiermill calibrate`; `compare`, `run --rules` and `backtest --against` take it.",
    )?;
    let segments = figures(customers, &rules)?;
    let mut cuts = cuts.into_iter();
    let mut next = || cuts.next().unwrap_or_default();
    Ok(Thresholds {
        scheme: scheme.to_owned(),
        bands,
        why,
        map,
        cut_points: CutPoints {
            recency_days: next(),
            frequency: next(),
            monetary: next(),
        },
        segments,
        toml,
        rules,
    })
}

fn greatest(customers: &Customers) -> [f64; 3] {
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
    [
        most(&mut customers.recency_days.iter().copied()),
        most(&mut customers.frequency.iter().map(|&orders| orders as f64)),
        most(&mut customers.monetary.iter().copied()),
    ]
}

fn cuts(entry: Option<&Entry>, bands: usize) -> Option<Vec<f64>> {
    let cuts = entry.map(|entry| entry.rounded.cut_points.clone());
    cuts.filter(|cuts| cuts.len() + 1 == bands)
}

/// How many bands, and why.
fn bands(dimensions: &Dimensions, scheme: &str, wanted: Option<usize>) -> Result<(usize, String)> {
    if !SCHEMES.contains(&scheme) {
        return Err(Error::BadValue {
            key: "scheme".to_owned(),
            found: format!("`{scheme}`"),
            expected: format!("one of {}", SCHEMES.join(", ")),
        });
    }
    let entries = |bands: usize| {
        let all = dimensions.all().into_iter();
        let found = all.filter_map(|(_, schemes)| schemes.entry(scheme, bands));
        found.collect::<Vec<_>>()
    };
    let mut there: Vec<usize> = dimensions
        .all()
        .into_iter()
        .flat_map(|(_, schemes)| schemes.all())
        .filter(|&(name, _)| name == scheme)
        .flat_map(|(_, entries)| entries.iter().map(|entry| entry.bands))
        .filter(|&bands| (2..=9).contains(&bands))
        .collect();
    there.sort_unstable();
    there.dedup();
    if let Some(bands) = wanted {
        if there.contains(&bands) {
            return Ok((bands, "as asked for".to_owned()));
        }
        let known: Vec<String> = there.iter().map(usize::to_string).collect();
        return Err(Error::BadValue {
            key: "bands".to_owned(),
            found: bands.to_string(),
            expected: format!("what `{scheme}` has here: {}", known.join(", ")),
        });
    }
    // Nobody can be cut where all are alike: two bands, of which one is empty.
    let fewest = there.first().copied().unwrap_or(2);
    if scheme == "quantile" && there.contains(&5) {
        return Ok((5, "quintiles".to_owned()));
    }
    if there.len() < 2 {
        return Ok((fewest, "the scheme has no other number of bands".to_owned()));
    }
    let fit = |bands: usize| {
        let entries = entries(bands);
        let sum: f64 = entries.iter().map(|entry| entry.gvf).sum();
        sum / entries.len().max(1) as f64
    };
    let gain = fit(3) - fit(2);
    let percent = gain * 100.0;
    Ok(if WORTH_A_BAND <= gain && there.contains(&3) {
        (
            3,
            format!("a third band explains {percent:.0} % more of the variance"),
        )
    } else {
        (
            2,
            format!("a third band would explain {percent:.0} % more of the variance"),
        )
    })
}

/// The map for so many bands: one that has names, else one that names each combination by its scores.
fn map(bands: usize) -> Result<(String, RuleSet)> {
    let name = match bands {
        2 => "eight",
        3 => "bands-27",
        5 => "enumerated-11",
        _ => return Ok(("codes".to_owned(), codes(bands)?)),
    };
    Ok((name.to_owned(), RuleSet::built_in(name)?))
}

/// Each combination of scores a segment of its own, the best first.
fn codes(bands: usize) -> Result<RuleSet> {
    let number = |value: usize| Value::Integer(i64::try_from(value).unwrap_or(0));
    let mut segments = Vec::new();
    for r in (1..=bands).rev() {
        for f in (1..=bands).rev() {
            for m in (1..=bands).rev() {
                let mut segment = Table::new();
                segment.insert("name".to_owned(), Value::String(format!("R{r} F{f} M{m}")));
                for (key, score) in [("r", r), ("f", f), ("m", m)] {
                    segment.insert(key.to_owned(), number(score));
                }
                segments.push(Value::Table(segment));
            }
        }
    }
    let scores = Table::from_iter([("bands".to_owned(), number(bands))]);
    let table = Table::from_iter([
        ("name".to_owned(), Value::String("codes".to_owned())),
        ("scores".to_owned(), Value::Table(scores)),
        ("segments".to_owned(), Value::Array(segments)),
    ]);
    RuleSet::from_table(&table, std::path::Path::new("codes"))
}

/// Customers and revenue of each segment.
fn figures(customers: &Customers, rules: &FittedRules) -> Result<Vec<SegmentFigures>> {
    let segmented = rules.segments(customers)?;
    let mut sums = vec![(0_u64, 0_i128); segmented.names.len()];
    for (&label, &units) in segmented.labels.iter().zip(&customers.revenue) {
        if let Some(sum) = label.and_then(|label| sums.get_mut(label as usize)) {
            sum.0 += 1;
            sum.1 += i128::from(units);
        }
    }
    let figures = segmented.names.into_iter().zip(sums);
    Ok(figures
        .map(|(name, (n, units))| SegmentFigures {
            name: name.en,
            name_zh: name.zh,
            customers: n,
            revenue: from_fixed(units, customers.decimals),
        })
        .collect())
}

/// The dimensions by name, as rule files have them.
pub(super) const FEATURES: [Feature; 3] =
    [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];
