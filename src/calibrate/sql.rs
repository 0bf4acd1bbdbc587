//! thresholds.sql: cut points as CASE expressions that any database knows.
//!
//! In: [`Thresholds`], [`ClusterRules`]. Out: one query over a table of customers with `recency_days`, `frequency`, `monetary`.
//! Invariant: a customer gets the scores and the tier that the rule files give; who has no number (a customer without orders,
//! from a LEFT JOIN) gets neither.

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

/// The score of a value, from 1; few days are good. No ELSE, which would take those without a value, too.
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
    if let Some(last) = cuts.last() {
        let _ = write!(
            text,
            " WHEN {feature} > {} THEN {}",
            number(*last),
            score(bands - 1)
        );
    }
    text + " END"
}

/// The tier by the rules, in order.
fn tiers(clusters: &ClusterRules) -> String {
    let mut text = String::from("CASE");
    for rule in &clusters.rules {
        let condition = |(feature, bounds): &(Feature, Bounds)| {
            let column = match feature {
                // The factor makes it no division of whole numbers.
                Feature::Aov => "(1e0 * monetary / NULLIF(frequency, 0))".to_owned(),
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
            "recency_days IS NOT NULL".to_owned()
        } else {
            conditions.join(" AND ")
        };
        let _ = write!(text, "\n    WHEN {conditions} THEN {}", string(&rule.tier));
    }
    text + "\n  END"
}

/// A text that every dialect reads alike: they escape quotes and backslashes in two ways, so that these stand by number.
fn string(text: &str) -> String {
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        if matches!(letter, '\'' | '\\') || letter.is_ascii_control() {
            parts.extend([format!("CHR({})", u32::from(letter)), String::new()]);
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    let plain = |(at, part): (usize, String)| match at % 2 {
        0 => format!("'{part}'"),
        _ => part,
    };
    let parts: Vec<String> = parts.into_iter().enumerate().map(plain).collect();
    match parts.as_slice() {
        [only] => only.clone(),
        parts => format!("CONCAT({})", parts.join(", ")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_number_has_no_score() {
        assert_eq!(
            case(Feature::Frequency, &[1.0, 3.0]),
            "CASE WHEN frequency <= 1.0 THEN 1 WHEN frequency <= 3.0 THEN 2 WHEN frequency > 3.0 THEN 3 END"
        );
        assert_eq!(
            case(Feature::RecencyDays, &[30.5]),
            "CASE WHEN recency_days <= 30.5 THEN 2 WHEN recency_days > 30.5 THEN 1 END"
        );
    }

    #[test]
    fn texts_have_nothing_that_a_dialect_escapes() {
        assert_eq!(string("Key value · 重要"), "'Key value · 重要'");
        assert_eq!(
            string("it's \\"),
            "CONCAT('it', CHR(39), 's ', CHR(92), '')"
        );
        assert_eq!(string("a\nb"), "CONCAT('a', CHR(10), 'b')");
    }
}
