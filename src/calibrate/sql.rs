//! thresholds.sql: cut points as CASE expressions that any database knows.
//!
//! In: [`Thresholds`], [`ClusterRules`]. Out: one query over a table of customers with `recency_days`, `frequency`, `monetary`.
//! Invariant: a customer gets the scores and the tier that the rule files give.

use std::fmt::Write;

use super::clusters::{Bounds, ClusterRules};
use super::thresholds::Thresholds;
use crate::config::Feature;

/// The query.
pub fn sql(thresholds: &Thresholds, clusters: Option<&ClusterRules>, as_of: &str) -> String {
    let cuts = &thresholds.cut_points;
    let scores = [
        (Feature::RecencyDays, "r_score", &cuts.recency_days),
        (Feature::Frequency, "f_score", &cuts.frequency),
        (Feature::Monetary, "m_score", &cuts.monetary),
    ];
    let mut columns: Vec<String> = scores
        .into_iter()
        .map(|(feature, name, cuts)| format!("{} AS {name}", case(feature, cuts)))
        .collect();
    if let Some(clusters) = clusters {
        columns.push(format!("{} AS tier_by_rules", tiers(clusters)));
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "-- Thresholds of tiermill as of {as_of}: {}, {} bands.",
        thresholds.scheme, thresholds.bands
    );
    let _ = writeln!(
        text,
        "-- The highest score is the best. `customers` has one row for each customer."
    );
    let _ = writeln!(
        text,
        "SELECT\n  customers.*,\n  {}\nFROM customers;",
        columns.join(",\n  ")
    );
    text
}

/// The score of a value, from 1; few days are good.
fn case(feature: Feature, cuts: &[f64]) -> String {
    let bands = cuts.len() + 1;
    let score = |band: usize| {
        if feature == Feature::RecencyDays {
            bands - band
        } else {
            band + 1
        }
    };
    let mut text = String::from("CASE");
    for (band, cut) in cuts.iter().enumerate() {
        let _ = write!(
            text,
            " WHEN {feature} <= {} THEN {}",
            number(*cut),
            score(band)
        );
    }
    let _ = write!(text, " ELSE {} END", score(bands - 1));
    text
}

/// The tier by the rules, in order.
fn tiers(clusters: &ClusterRules) -> String {
    let mut text = String::from("CASE");
    for rule in &clusters.rules {
        let condition = |(feature, bounds): &(Feature, Bounds)| {
            let column = match feature {
                Feature::Aov => "(monetary / frequency)".to_owned(),
                feature => feature.to_string(),
            };
            let above = bounds
                .above
                .map(|cut| format!("{column} > {}", number(cut)));
            let up_to = bounds
                .up_to
                .map(|cut| format!("{column} <= {}", number(cut)));
            let both: Vec<String> = above.into_iter().chain(up_to).collect();
            both.join(" AND ")
        };
        let conditions: Vec<String> = rule.bounds.iter().map(condition).collect();
        let conditions = if conditions.is_empty() {
            "1 = 1".to_owned()
        } else {
            conditions.join(" AND ")
        };
        let _ = write!(
            text,
            "\n    WHEN {conditions} THEN '{}'",
            rule.tier.replace('\'', "''")
        );
    }
    text + "\n  END"
}

/// A number that no database takes for an integer division or a name.
fn number(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}
