//! One dimension, cut in every way.
//!
//! In: a [`Line`], the cut points of the company's rules, names of the tiers. Out: [`Schemes`]: an entry for each scheme and
//! number of bands, with what each band holds.
//! Invariant: customers and revenue of the bands of any entry add up to all; its intervals hold its cut points.

use serde::Serialize;

use super::bins::Bins;
use super::bootstrap::{Resampling, intervals};
use super::division::{MOST_CROSSING, Order, divide};
use super::line::Line;
use super::pieces::{Pieces, Sums};
use super::round::rounded;
use super::scheme::{BANDS, Found, Scheme, Weighted};
use crate::config::Feature;
use crate::error::Result;
use crate::load::from_fixed;
use crate::rules::RuleEdges;

/// A way to cut one dimension, and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Number of bands; those between equal cut points are empty.
    pub bands: usize,
    /// Upper bound of each band but the last, inclusive, ascending, in the unit of the dimension.
    pub cut_points: Vec<f64>,
    /// Customers of each band, that of the least values first.
    pub customers: Vec<u64>,
    /// Their total amounts.
    pub revenue: Vec<f64>,
    /// Sum of squared distances to the mean of the own band, in squared units of the dimension.
    pub within_ss: f64,
    /// Goodness of variance fit, 0 to 1: the part of the squared distances to the overall mean that the bands explain; 1
    /// where all values are equal.
    pub gvf: f64,
    /// Low and high end of the 90 % bootstrap interval of each cut point; null where the rules of the company found theirs in
    /// a way that is not resampled.
    pub interval: Option<Vec<[f64; 2]>>,
    /// The same cut points in round numbers.
    pub rounded: RoundedEntry,
    /// `kmeans` only: the tiers from the least mean to the greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Vec<String>>,
    /// `kmeans` only: for each cut point, the customers of its two tiers who lie on the wrong side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong_side: Option<Vec<u64>>,
}

/// Cut points in round numbers, and what that costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundedEntry {
    /// Upper bounds, inclusive.
    pub cut_points: Vec<f64>,
    /// Customers of each band.
    pub customers: Vec<u64>,
    /// Their total amounts.
    pub revenue: Vec<f64>,
    /// Customers who are in another band than by the exact cut points.
    pub moved: u64,
}

/// All ways to cut one dimension, by name; of one name, by number of bands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Schemes {
    /// The bands that lie closest to their means (one-dimensional k-means), 2 to 5.
    pub natural_breaks: Vec<Entry>,
    /// The same on the logarithms of the values (log1p), where a few great values do not decide alone.
    pub natural_breaks_log: Vec<Entry>,
    /// Evenly spaced quantiles (type 7), 2 to 5 bands.
    pub quantile: Vec<Entry>,
    /// The mean of all customers.
    pub mean: Vec<Entry>,
    /// Their median.
    pub median: Vec<Entry>,
    /// The best fifth of the customers and the others (80/20).
    pub top_percent: Vec<Entry>,
    /// The rules of the company, where the config has some that look at this dimension.
    pub rules: Vec<Entry>,
    /// Where the tiers that were found in all dimensions divide this one.
    pub kmeans: Vec<Entry>,
}

impl Schemes {
    /// Names and entries, in the order of the fields.
    pub fn all(&self) -> [(&'static str, &[Entry]); 8] {
        [
            ("natural-breaks", &self.natural_breaks),
            ("natural-breaks-log", &self.natural_breaks_log),
            ("quantile", &self.quantile),
            ("mean", &self.mean),
            ("median", &self.median),
            ("top-percent", &self.top_percent),
            ("rules", &self.rules),
            ("kmeans", &self.kmeans),
        ]
    }

    fn list(&mut self, scheme: &str) -> &mut Vec<Entry> {
        match scheme {
            "natural-breaks" => &mut self.natural_breaks,
            "natural-breaks-log" => &mut self.natural_breaks_log,
            "quantile" => &mut self.quantile,
            "mean" => &mut self.mean,
            "median" => &mut self.median,
            "top-percent" => &mut self.top_percent,
            "rules" => &mut self.rules,
            _ => &mut self.kmeans,
        }
    }

    /// The entry of a scheme with so many bands or, where there are too few values for them, with the most that it has below.
    pub fn entry_up_to(&self, scheme: &str, bands: usize) -> Option<&Entry> {
        let mut fewer = (2..=bands).rev();
        fewer.find_map(|bands| self.entry(scheme, bands))
    }

    /// The entry of a scheme with so many bands.
    pub fn entry(&self, scheme: &str, bands: usize) -> Option<&Entry> {
        let (_, entries) = self.all().into_iter().find(|&(name, _)| name == scheme)?;
        entries.iter().find(|entry| entry.bands == bands)
    }
}

/// What a dimension is cut by, beside the line itself.
pub(super) struct Cutting<'a> {
    /// Bounds of the company's rules.
    pub rules: Option<&'a RuleEdges>,
    /// Names of the tiers, by number.
    pub tiers: &'a [String],
    pub resampling: Resampling,
    /// Decimals of revenue.
    pub decimals: u32,
    /// Which generators are this dimension's own.
    pub stream: u64,
}

/// Where an entry comes from, before its bands are counted.
struct Origin {
    scheme: &'static str,
    cuts: Vec<f64>,
    within: Option<f64>,
    interval: Option<Vec<[f64; 2]>>,
    division: Option<(Vec<String>, Vec<u64>)>,
}

/// Cuts a dimension in every way.
///
/// # Errors
/// None that is known: values of a line ascend.
pub(super) fn cut(line: &Line, cutting: &Cutting<'_>) -> Result<Schemes> {
    let mut found = origins(line, cutting)?;
    let rounds: Vec<_> = found
        .iter()
        .map(|origin| rounded(line, &origin.cuts))
        .collect();
    let all = found
        .iter()
        .map(|origin| &origin.cuts)
        .chain(rounds.iter().map(|round| &round.cuts));
    let places: Vec<usize> = all.flatten().map(|&cut| line.below(cut)).collect();
    let pieces = Pieces::of(line, places);
    let whole = pieces.between(0, line.len());
    let mut schemes = Schemes::default();
    for (origin, round) in found.drain(..).zip(rounds) {
        let bands = bands(line, &pieces, &origin.cuts);
        let after = self::bands(line, &pieces, &round.cuts);
        let customers = |bands: &[Sums]| bands.iter().map(|band| band.customers).collect();
        let revenue = |bands: &[Sums]| {
            let amount = |band: &Sums| from_fixed(band.revenue, cutting.decimals);
            bands.iter().map(amount).collect()
        };
        let within = origin
            .within
            .unwrap_or_else(|| bands.iter().map(|band| band.squares).sum());
        let (tiers, wrong_side) = origin.division.unzip();
        let entry = Entry {
            bands: bands.len(),
            customers: customers(&bands),
            revenue: revenue(&bands),
            within_ss: within,
            gvf: if line.len() < 2 {
                1.0
            } else {
                (1.0 - within / whole.squares).clamp(0.0, 1.0)
            },
            interval: origin.interval,
            cut_points: origin.cuts,
            rounded: RoundedEntry {
                customers: customers(&after),
                revenue: revenue(&after),
                cut_points: round.cuts,
                moved: round.moved,
            },
            tiers,
            wrong_side,
        };
        schemes.list(origin.scheme).push(entry);
    }
    Ok(schemes)
}

/// All cut points, with their intervals.
fn origins(line: &Line, cutting: &Cutting<'_>) -> Result<Vec<Origin>> {
    let best_is_high = line.feature != Feature::RecencyDays;
    let values = Weighted {
        tops: &line.values,
        means: &line.values,
        up_to: &line.up_to,
    };
    let asked = asked();
    let schemes: Vec<Scheme> = asked.iter().map(|(_, scheme)| *scheme).collect();
    let found = Found::of(values, &schemes)?;
    let cuts = |scheme: &Scheme| found.cuts(values, scheme, (best_is_high, true));
    let there: Vec<(&'static str, Scheme, Vec<f64>)> = asked
        .into_iter()
        .filter_map(|(name, scheme)| cuts(&scheme).map(|cuts| (name, scheme, cuts)))
        .collect();
    let bins = Bins::of(line, cutting.resampling.bins);
    let order = Order::of(&line.values, &line.tiers, cutting.tiers.len());
    let (division, wrong) = division(line, &order);
    let schemes: Vec<Scheme> = there.iter().map(|(_, scheme, _)| *scheme).collect();
    let points: Vec<Vec<f64>> = there.iter().map(|(_, _, cuts)| cuts.clone()).collect();
    let drawn = intervals(
        &bins,
        (&schemes, &points),
        (&order, &division),
        (cutting.resampling, cutting.stream, best_is_high),
    )?;
    let mut origins: Vec<Origin> = Vec::new();
    for ((scheme, kind, cuts), interval) in there.into_iter().zip(drawn.of_schemes) {
        origins.push(Origin {
            scheme,
            within: found.within(&kind),
            cuts,
            interval: Some(interval),
            division: None,
        });
    }
    origins.extend(of_rules(line, cutting.rules, &origins));
    if !division.is_empty() {
        let name = |&tier: &u32| cutting.tiers[tier as usize].clone();
        origins.push(Origin {
            scheme: "kmeans",
            cuts: division,
            within: None,
            interval: Some(drawn.of_tiers),
            division: Some((order.tiers.iter().map(name).collect(), wrong)),
        });
    }
    Ok(origins)
}

/// The schemes that need nobody's rules, with their names.
fn asked() -> Vec<(&'static str, Scheme)> {
    let mut asked: Vec<(&'static str, Scheme)> = Vec::new();
    asked.extend(BANDS.map(|bands| ("natural-breaks", Scheme::Natural(bands))));
    asked.extend(BANDS.map(|bands| ("natural-breaks-log", Scheme::NaturalLog(bands))));
    asked.extend(BANDS.map(|bands| ("quantile", Scheme::Quantile(bands))));
    asked.push(("mean", Scheme::Mean));
    asked.push(("median", Scheme::Median));
    asked.push(("top-percent", Scheme::TopPercent));
    asked
}

/// The bounds of the company's rules as cut points.
fn of_rules(line: &Line, edges: Option<&RuleEdges>, others: &[Origin]) -> Option<Origin> {
    let edges = edges.filter(|edges| !edges.bounds.is_empty())?;
    let cut = |&(bound, inclusive): &(f64, bool)| {
        if inclusive {
            return bound;
        }
        // The greatest value below it says the same of these customers.
        let below = line.values.partition_point(|&value| value < bound);
        below
            .checked_sub(1)
            .map_or_else(|| bound.next_down(), |last| line.values[last])
    };
    let cuts: Vec<f64> = edges.bounds.iter().map(cut).collect();
    let interval = if edges.given {
        Some(cuts.iter().map(|&cut| [cut, cut]).collect())
    } else {
        // What a rule file finds by a method of ours is as sure as ours.
        let same = others.iter().find(|other| other.cuts == cuts);
        same.and_then(|other| other.interval.clone())
    };
    Some(Origin {
        scheme: "rules",
        cuts,
        within: None,
        interval,
        division: None,
    })
}

/// Where the tiers divide the line, and who is on the wrong side.
fn division(line: &Line, order: &Order) -> (Vec<f64>, Vec<u64>) {
    if let Some(found) = divide(&line.tiers, line.len(), order) {
        return (
            found.at.iter().map(|&at| line.values[at]).collect(),
            found.wrong,
        );
    }
    let bins = Bins::of(line, MOST_CROSSING / order.tiers.len().max(1));
    match divide(&bins.tiers, bins.len(), order) {
        Some(found) => (
            found.at.iter().map(|&at| bins.tops[at]).collect(),
            found.wrong,
        ),
        None => (Vec::new(), Vec::new()),
    }
}

/// What lies between cut points.
fn bands(line: &Line, pieces: &Pieces, cuts: &[f64]) -> Vec<Sums> {
    let mut begin = 0;
    let ends = cuts.iter().map(|&cut| line.below(cut)).chain([line.len()]);
    ends.map(|end| {
        let band = pieces.between(begin, end);
        begin = end;
        band
    })
    .collect()
}
