//! Score schemes and segments on customers, and rule files that are refused.

use std::path::Path;

use tiermill::rules::{RuleSet, Segmented};

use crate::support::customers;

/// Segments of customers by a rule file.
#[track_caller]
fn segmented(text: &str, rows: &[(f64, i64, f64)]) -> Segmented {
    let rules = RuleSet::parse(text, Path::new("rules.toml")).unwrap();
    let people = customers(rows);
    rules.fit(&people).unwrap().segments(&people).unwrap()
}

/// English names, `-` for nobody's.
fn names(segmented: &Segmented) -> Vec<&str> {
    let name = |label: &Option<u32>| {
        label.map_or("-", |label| segmented.names[label as usize].en.as_str())
    };
    segmented.labels.iter().map(name).collect()
}

#[test]
fn the_eight_segments_by_hand() {
    let rules = RuleSet::built_in("eight").unwrap();
    // Means: 20 days, 3 orders, 100.
    let people = customers(&[
        (10.0, 5, 150.0),
        (10.0, 1, 150.0),
        (30.0, 5, 150.0),
        (30.0, 1, 150.0),
        (10.0, 5, 50.0),
        (10.0, 1, 50.0),
        (30.0, 5, 50.0),
        (30.0, 1, 50.0),
    ]);
    let found = rules.fit(&people).unwrap().segments(&people).unwrap();
    assert_eq!(
        names(&found),
        [
            "Key value",
            "Key develop",
            "Key keep",
            "Key retain",
            "General value",
            "General develop",
            "General keep",
            "General retain"
        ]
    );
    assert_eq!(found.names[2].zh, "重要保持客户");
    assert_eq!(found.scores.recency, [2, 2, 1, 1, 2, 2, 1, 1]);
}

#[test]
fn else_if_is_written_otherwise() {
    let text = "
        [[segments]]
        name = 'cold'
        recency_days = '> 730'

        [[segments]]
        name = 'low'
        otherwise = true
        monetary = '<= 100'

        [[segments]]
        name = 'high'
        otherwise = true
    ";
    let found = segmented(
        text,
        &[(731.0, 1, 500.0), (730.0, 1, 100.0), (0.0, 2, 100.01)],
    );
    assert_eq!(names(&found), ["cold", "low", "high"]);
}
