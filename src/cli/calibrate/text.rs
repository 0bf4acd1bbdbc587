//! A calibration as text: the thresholds that were chosen, a table for each dimension, the clusters as rules.

use std::fmt::Write;

use super::super::plain::Table;
use super::super::render::{TITLE, count, moment, none, number, percent, table, wrapped};
use crate::calibrate::{ClusterRules, Entry, Schemes, Thresholds};
use crate::config::Feature;
use crate::pipeline::{Calibrated, PastCuts};

/// Leaves of the table of fidelity: beyond so many nobody wants rules.
const LEAVES_TOLD: usize = 24;

/// The answer of `calibrate`.
pub(super) fn calibrated(calibrated: &Calibrated, explain: bool) -> String {
    let calibration = &calibrated.calibration;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{TITLE}Cut points of {} customers, as of {}{TITLE:#}\n",
        count(calibration.customers),
        moment(&calibration.as_of)
    );
    for (feature, schemes) in calibration.dimensions.all() {
        let (title, low) = match feature {
            Feature::RecencyDays => ("Recency, days", "most recent first"),
            Feature::Frequency => ("Frequency, orders", "fewest first"),
            _ => ("Monetary, amount", "least first"),
        };
        let table = dimension(feature, schemes, explain);
        let _ = writeln!(
            text,
            "{TITLE}{title}{TITLE:#} (shares of customers and revenue by band, {low})\n{}\n",
            table.trim_fmt()
        );
    }
    let _ = writeln!(
        text,
        "{}\n",
        wrapped(&format!(
            "A cut point is the upper bound of a band, inclusive. In brackets: {:.0} % intervals over {} resamples of the customers. Round: the same cut points in round numbers; moved: customers who change band by that. Fit: the part of the variance that the bands explain.",
            calibration.level * 100.0,
            calibration.resamples
        ))
    );
    text += &thresholds(&calibration.thresholds);
    text += &clusters(&calibrated.clusters_as_rules, explain);
    if explain && !calibrated.history.is_empty() {
        let chosen = &calibration.thresholds;
        let _ = writeln!(
            text,
            "{TITLE}Past runs{TITLE:#}: `{}`, {} bands\n{}\n",
            chosen.scheme,
            chosen.bands,
            history(&calibrated.history, chosen).trim_fmt()
        );
    }
    if !calibrated.files.is_empty() {
        let _ = writeln!(text, "{TITLE}Written{TITLE:#}");
        for file in &calibrated.files {
            let _ = writeln!(text, "  {}", file.display());
        }
    }
    text
}

fn dimension(feature: Feature, schemes: &Schemes, explain: bool) -> Table {
    let mut table = table(&[
        ("Scheme", false),
        ("Cut points", false),
        ("Customers", false),
        ("Revenue", false),
        ("Fit", true),
        ("Round", false),
        ("Moved", true),
    ]);
    for (name, entries) in schemes.all() {
        for (index, entry) in entries.iter().enumerate() {
            // The full list is long; two, three and what is no list say most.
            if !explain && 3 < entry.bands && 1 < entries.len() {
                continue;
            }
            table.add_row(vec![
                if index == 0 {
                    name.to_owned()
                } else {
                    String::new()
                },
                cut_points(feature, entry),
                shares(entry.customers.iter().map(|&n| n as f64)),
                shares(entry.revenue.iter().copied()),
                format!("{:.2}", entry.gvf),
                list(
                    entry
                        .rounded
                        .cut_points
                        .iter()
                        .map(|&cut| said(feature, cut)),
                ),
                count(entry.rounded.moved),
            ]);
        }
    }
    table
}

/// `45 [44–47], 171 [168–172]`.
fn cut_points(feature: Feature, entry: &Entry) -> String {
    let one = |(index, &cut): (usize, &f64)| {
        let interval = entry.interval.as_ref().and_then(|all| all.get(index));
        match interval {
            Some([low, high]) if low < high => {
                format!(
                    "{} [{}–{}]",
                    said(feature, cut),
                    said(feature, *low),
                    said(feature, *high)
                )
            }
            _ => said(feature, cut),
        }
    };
    list(entry.cut_points.iter().enumerate().map(one))
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn said(feature: Feature, value: f64) -> String {
    match feature {
        Feature::Monetary => number(value, 2),
        _ => number(value, 1),
    }
}

/// `80 / 15 / 5 %`.
fn shares(parts: impl Iterator<Item = f64> + Clone) -> String {
    let all: f64 = parts.clone().sum();
    if all <= 0.0 {
        return none();
    }
    let share = |part: f64| {
        let percent = part / all * 100.0;
        if 0.0 < percent && percent < 1.0 {
            format!("{percent:.1}")
        } else {
            format!("{percent:.0}")
        }
    };
    format!("{} %", parts.map(share).collect::<Vec<_>>().join(" / "))
}

fn thresholds(thresholds: &Thresholds) -> String {
    let mut text = format!(
        "{TITLE}thresholds.toml{TITLE:#}: `{}`, {} bands each ({}), as segments of the map `{}`\n",
        thresholds.scheme, thresholds.bands, thresholds.why, thresholds.map
    );
    let mut table = table(&[
        ("Segment", false),
        ("名称", false),
        ("Customers", true),
        ("Revenue", true),
    ]);
    for segment in thresholds
        .segments
        .iter()
        .filter(|segment| 0 < segment.customers)
    {
        table.add_row(vec![
            segment.name.clone(),
            segment.name_zh.clone(),
            count(segment.customers),
            number(segment.revenue, 2),
        ]);
    }
    let _ = writeln!(text, "{}\n", table.trim_fmt());
    text
}

fn clusters(rules: &ClusterRules, explain: bool) -> String {
    let revenue = rules.revenue_fidelity.map_or_else(none, percent);
    let price = rules
        .inertia_price
        .map_or_else(none, |price| format!("{price:.3}"));
    let mut text = format!(
        "{TITLE}Clusters as rules{TITLE:#}: {} rules put {} of the customers and {revenue} of the revenue in their tier (inertia × {price})\n",
        rules.rules.len(),
        percent(rules.fidelity)
    );
    let mut list = table(&[
        ("Tier", false),
        ("Rule", false),
        ("Customers", true),
        ("Right", true),
    ]);
    let mut above = "";
    for rule in &rules.rules {
        list.add_row(vec![
            if rule.tier == above {
                "or".to_owned()
            } else {
                rule.tier.clone()
            },
            rule.words.clone(),
            count(rule.customers),
            percent(rule.right as f64 / rule.customers.max(1) as f64),
        ]);
        above = &rule.tier;
    }
    let _ = writeln!(text, "{}\n", list.trim_fmt());
    if explain {
        let mut path = table(&[("Leaves", true), ("Fidelity", true)]);
        for step in rules.path.iter().filter(|step| step.leaves <= LEAVES_TOLD) {
            path.add_row(vec![step.leaves.to_string(), percent(step.fidelity)]);
        }
        let _ = writeln!(
            text,
            "Fidelity by number of leaves, before bounds are rounded\n{}\n",
            path.trim_fmt()
        );
    }
    text
}

fn history(history: &[PastCuts], chosen: &Thresholds) -> Table {
    let mut table = table(&[
        ("As of", false),
        ("Run", false),
        ("Dimension", false),
        ("Cut points", false),
    ]);
    let bands = chosen.bands as u64;
    for past in history
        .iter()
        .filter(|past| past.scheme == chosen.scheme && past.bands == bands)
    {
        table.add_row(vec![
            moment(&past.as_of).to_owned(),
            past.run_id.clone(),
            past.dimension.clone(),
            list(past.cut_points.iter().map(|&cut| number(cut, 2))),
        ]);
    }
    table
}
