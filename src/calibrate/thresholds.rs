//! One way to cut all three dimensions, as rules that the company can run.
//!
//! In: the [`Schemes`] of recency, frequency and monetary, and which of them is wanted. Out: [`Thresholds`] with a rule file.
//! Invariant: the file passes its proof, and gives the segments the customers that stand beside them.

use rayon::prelude::*;
use serde::Serialize;
use toml::{Table, Value};

use super::Dimensions;
use super::dimension::Schemes;
use crate::config::Feature;
use crate::error::{Error, Result};
use crate::features::ends;
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
    /// Share of the customers below which a third band is worth nothing.
    pub min_share: f64,
    /// As-of of the data that the tiers were found in, for cut points between them; none: that of the customers.
    pub tiers_as_of: Option<String>,
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
    let (bands, why) = bands(dimensions, scheme, wanted)?;
    let cuts = dimensions
        .all()
        .map(|(_, schemes)| cuts(schemes, scheme, bands));
    // Where all are alike nothing is cut: everybody lies below.
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
    let as_of = wanted.tiers_as_of.as_deref();
    let as_of = as_of.filter(|_| scheme == "kmeans");
    let toml = rules.to_toml(
        "Made by `tiermill calibrate`; `compare`, `run --rules` and `backtest --against` take it.",
        as_of.unwrap_or(&customers.as_of.text),
    )?;
    let segments = figures(customers, &cuts, &rules)?;
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
    let orders = customers.frequency.par_iter().max();
    [
        ends(&customers.recency_days).1,
        orders.map_or(f64::NEG_INFINITY, |&orders| orders as f64),
        ends(&customers.monetary).1,
    ]
}

/// The cut points for so many bands. Where there are too few values for them, those of fewer bands, the last one repeated: the
/// best score stays what it is, and those before it are given to nobody.
fn cuts(schemes: &Schemes, scheme: &str, bands: usize) -> Option<Vec<f64>> {
    let entry = schemes.entry_up_to(scheme, bands)?;
    let mut cuts = entry.rounded.cut_points.clone();
    let last = *cuts.last()?;
    cuts.resize(bands - 1, last);
    Some(cuts)
}

/// How many bands, and why.
fn bands(dimensions: &Dimensions, scheme: &str, wanted: &Wanted) -> Result<(usize, String)> {
    if !SCHEMES.contains(&scheme) {
        return Err(Error::BadValue {
            key: "scheme".to_owned(),
            found: format!("`{scheme}`"),
            expected: format!("one of {}", SCHEMES.join(", ")),
        });
    }
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
    if there.is_empty() && scheme == "kmeans" {
        return Err(Error::BadValue {
            key: "scheme".to_owned(),
            found: "`kmeans`".to_owned(),
            expected: "another one: rules have 2 to 9 bands, and these tiers are more or fewer"
                .to_owned(),
        });
    }
    if let Some(bands) = wanted.bands {
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
    Ok(elbow(dimensions, scheme, wanted.min_share))
}

/// Two bands, or three where the third is worth it and none of them is of hardly anybody who would be among others of two.
fn elbow(dimensions: &Dimensions, scheme: &str, min_share: f64) -> (usize, String) {
    let fit = |bands: usize| {
        let all = dimensions.all().into_iter();
        // Where there are too few values for so many bands, fewer are cut: the same dimensions are compared.
        let found = all.filter_map(|(_, schemes)| schemes.entry_up_to(scheme, bands));
        let fits: Vec<f64> = found.map(|entry| entry.gvf).collect();
        let sum: f64 = fits.iter().sum();
        sum / fits.len().max(1) as f64
    };
    // What is compared is the variance of days, orders and amounts themselves, in which bands of logarithms need not gain.
    let gain = fit(3) - fit(2);
    let percent = (gain * 100.0).round();
    let more = if percent < 1.0 {
        "no more".to_owned()
    } else {
        format!("{percent} % more")
    };
    let [two, three] = [2, 3].map(|bands| thinnest(dimensions, scheme, bands));
    if WORTH_A_BAND <= gain && three < min_share && min_share <= two {
        let thin = three * 100.0;
        (
            2,
            format!(
                "a third band would explain {more} of the variance, and leave {thin:.2} % of the customers in one"
            ),
        )
    } else if WORTH_A_BAND <= gain {
        (3, format!("a third band explains {more} of the variance"))
    } else {
        (
            2,
            format!("a third band would explain {more} of the variance"),
        )
    }
}

/// The smallest share of the customers that a band of any dimension holds, cut as [`cuts`] does.
fn thinnest(dimensions: &Dimensions, scheme: &str, bands: usize) -> f64 {
    let all = dimensions.all().into_iter();
    let found = all.filter_map(|(_, schemes)| schemes.entry_up_to(scheme, bands));
    let shares = found.flat_map(|entry| {
        let customers = &entry.rounded.customers;
        let all: u64 = customers.iter().sum();
        customers.iter().map(move |&band| band as f64 / all as f64)
    });
    shares.fold(1.0, f64::min)
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

/// Customers and revenue of each segment: counted by scores, which are all that these maps look at.
fn figures(
    customers: &Customers,
    cuts: &[Vec<f64>],
    rules: &FittedRules,
) -> Result<Vec<SegmentFigures>> {
    const BLOCK: usize = 65_536;
    let bands = cuts[0].len() + 1;
    let band = |cuts: &[f64], value: f64| cuts.partition_point(|&cut| cut < value);
    let code = |row: usize| {
        let recency = bands - 1 - band(&cuts[0], customers.recency_days[row]);
        let frequency = band(&cuts[1], customers.frequency[row] as f64);
        let monetary = band(&cuts[2], customers.monetary[row]);
        (recency * bands + frequency) * bands + monetary
    };
    let blocks: Vec<Vec<(u64, i128)>> = customers
        .revenue
        .par_chunks(BLOCK)
        .enumerate()
        .map(|(block, revenue)| {
            let mut sums = vec![(0, 0); bands * bands * bands];
            for (row, &units) in revenue.iter().enumerate() {
                let sum: &mut (u64, i128) = &mut sums[code(block * BLOCK + row)];
                sum.0 += 1;
                sum.1 += i128::from(units);
            }
            sums
        })
        .collect();
    let shown = rules.rules.show()?;
    let mut sums = vec![(0_u64, 0_i128); shown.list.len()];
    for block in blocks {
        for (takers, (n, units)) in shown.takers.iter().zip(block) {
            if let Some(sum) = takers
                .first()
                .and_then(|&first| sums.get_mut(first as usize))
            {
                sum.0 += n;
                sum.1 += units;
            }
        }
    }
    let figures = shown.list.into_iter().zip(sums);
    Ok(figures
        .map(|(segment, (n, units))| SegmentFigures {
            name: segment.name,
            name_zh: segment.name_zh,
            customers: n,
            revenue: from_fixed(units, customers.decimals),
        })
        .collect())
}

/// The dimensions by name, as rule files have them.
pub(super) const FEATURES: [Feature; 3] =
    [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];
