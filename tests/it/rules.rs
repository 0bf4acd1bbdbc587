//! Score schemes and segments on customers, and rule files that are refused.

use std::path::Path;

use insta::assert_snapshot;
use polars::prelude::*;
use tiermill::load::load;
use tiermill::rules::{BUILT_IN, FittedRules, RuleSet, Segmented};

use crate::support::{
    COLUMNS, Workdir, cdnow, close, config, customers, extra_data, floats, online_retail,
    repository, six_customers, threads,
};

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

/// Scores of one dimension, everything else about the customers being the same.
#[track_caller]
fn monetary_scores(scheme: &str, values: &[f64]) -> Vec<i8> {
    let text = format!(
        "merge-equal = true\n[scores.monetary]\n{scheme}\n[[segments]]\nname = 'all'\nm = '>= 1'"
    );
    let rows: Vec<_> = values.iter().map(|&value| (1.0, 1, value)).collect();
    segmented(&text, &rows).scores.monetary
}

#[test]
fn every_method_by_hand() {
    let values = [1.0, 2.0, 3.0, 4.0, 10.0];
    for (scheme, expected) in [
        // Median 3, type 7.
        ("method = 'quantile'\nbands = 2", [1, 1, 1, 2, 2]),
        // 1.8, 2.6, 3.4, 5.2.
        ("method = 'quantile'\nbands = 5", [1, 2, 3, 4, 5]),
        ("method = 'fixed'\ncuts = [2, 4]", [1, 1, 2, 2, 3]),
        ("cuts = [2, 4]\nside = 'lower-inclusive'", [1, 2, 2, 3, 3]),
        ("cuts = [2, 4]\noffset = 1", [1, 1, 1, 2, 3]),
        // 20 / 5.
        ("method = 'mean'", [1, 1, 1, 1, 2]),
        ("method = 'mean'\nside = 'lower-inclusive'", [1, 1, 1, 2, 2]),
        ("method = 'median'", [1, 1, 1, 2, 2]),
        (
            "method = 'median'\nside = 'lower-inclusive'",
            [1, 1, 2, 2, 2],
        ),
        ("method = 'natural-breaks'\nbands = 2", [1, 1, 1, 1, 2]),
        ("method = 'natural-breaks'\nbands = 3", [1, 1, 2, 2, 3]),
        (
            "method = 'natural-breaks'\nbands = 3\nside = 'lower-inclusive'",
            [1, 1, 2, 2, 3],
        ),
        ("method = 'top-percent'\ntop = 20", [1, 1, 1, 1, 2]),
        // 1.05 customers are two.
        ("method = 'top-percent'\ntop = 21", [1, 1, 1, 2, 2]),
        ("method = 'top-percent'\ntop = [20, 60]", [1, 1, 2, 2, 3]),
        ("method = 'top-n'\ntop = [1, 4]", [1, 2, 2, 2, 3]),
        (
            "method = 'top-n'\ntop = [1, 4]\nside = 'lower-inclusive'",
            [1, 2, 2, 2, 3],
        ),
        // Scores 1 to 5, mean 3: only those above it are good.
        ("method = 'quantile'\nhalve-at = 'mean'", [1, 1, 1, 2, 2]),
        // Scores 1, 2, 3, 4, 4 with median 3.
        ("cuts = [1, 2, 3]\nhalve-at = 'median'", [1, 1, 1, 2, 2]),
    ] {
        assert_eq!(monetary_scores(scheme, &values), expected, "{scheme}");
    }
}

#[test]
fn few_days_are_the_good_ones_in_every_method() {
    let rows = [(1.0, 1, 1.0), (2.0, 1, 1.0), (3.0, 1, 1.0), (10.0, 1, 1.0)];
    for (scheme, expected) in [
        ("method = 'quantile'\nbands = 4", [4, 3, 2, 1]),
        ("cuts = [2, 3]", [3, 3, 2, 1]),
        ("cuts = [2, 3]\nside = 'lower-inclusive'", [3, 2, 1, 1]),
        ("method = 'mean'", [2, 2, 2, 1]),
        ("method = 'natural-breaks'\nbands = 2", [2, 2, 2, 1]),
        ("method = 'top-n'\ntop = 1", [2, 1, 1, 1]),
        (
            "method = 'top-n'\ntop = 1\nside = 'lower-inclusive'",
            [2, 1, 1, 1],
        ),
        ("method = 'top-percent'\ntop = [25, 75]", [3, 2, 2, 1]),
        (
            "method = 'quantile'\nbands = 4\nhalve-at = 'mean'",
            [2, 2, 1, 1],
        ),
    ] {
        let text = format!("[scores.recency]\n{scheme}\n[[segments]]\nname = 'all'\nr = '>= 1'");
        assert_eq!(segmented(&text, &rows).scores.recency, expected, "{scheme}");
    }
}

#[test]
fn equal_values_stay_together_or_are_ranked_by_id() {
    let ones = [1.0; 4];
    let ranked = "method = 'quantile'\nbands = 2\nties = 'by-id'";
    // Ranks 1, 2, 3, 4 and their median 2.5; customers are sorted by id.
    assert_eq!(monetary_scores(ranked, &ones), [1, 1, 2, 2]);
    assert_eq!(
        monetary_scores("method = 'quantile'\nbands = 2", &ones),
        [1, 1, 1, 1]
    );
    // With five the median is a rank: its customer lies below, or above.
    assert_eq!(monetary_scores(ranked, &[1.0; 5]), [1, 1, 1, 2, 2]);
    let half_open = format!("{ranked}\nside = 'lower-inclusive'");
    assert_eq!(monetary_scores(&half_open, &[1.0; 5]), [1, 1, 2, 2, 2]);
    // Of those who could be the last of the best the earlier id is taken.
    assert_eq!(
        monetary_scores("method = 'top-n'\ntop = 2\nties = 'by-id'", &ones),
        [2, 2, 1, 1]
    );
    assert_eq!(
        monetary_scores("method = 'top-n'\ntop = 2", &[1.0, 2.0, 2.0, 2.0]),
        [1, 2, 2, 2]
    );
}

#[test]
fn ids_of_digits_are_ranked_as_numbers() {
    let work = Workdir::new();
    let table = df!(
        "id" => ["10", "9", "100", "1"],
        "recency_days" => [1.0; 4],
        "frequency" => [1_i64; 4],
        "monetary" => [1.0; 4],
    );
    let path = work.parquet("people.parquet", table.unwrap());
    let config = config(&format!(
        "input = '{}'\ncustomer = 'id'\nlevel = 'customers'\nas-of = 2024-01-31",
        path.display()
    ));
    let people = load(&config.input, &config.rfm).unwrap().customers;
    let rules =
        "[scores.frequency]\nbands = 2\nties = 'by-id'\n[[segments]]\nname = 'all'\nf = '>= 1'";
    let rules = RuleSet::parse(rules, Path::new("r.toml")).unwrap();
    let fitted = rules.fit(&people).unwrap();
    // As texts they are 1, 10, 100, 9; as numbers 1, 9, 10, 100.
    assert_eq!(
        fitted.segments(&people).unwrap().scores.frequency,
        [1, 2, 2, 1]
    );
    let frozen = RuleSet::parse(
        &fitted.to_toml("frozen", "2024-01-31").unwrap(),
        Path::new("r.toml"),
    )
    .unwrap();
    let again = frozen.fit(&people).unwrap().segments(&people).unwrap();
    assert_eq!(again.scores.frequency, [1, 2, 2, 1]);
}

#[test]
fn nested_scores_are_cut_among_the_customers_of_one_score_before() {
    let text = "
        [scores]
        bands = 2
        nested = true
        [[segments]]
        name = 'all'
        r = '>= 1'
        f = '>= 1'
        m = '>= 1'
    ";
    // R parts 1, 2 from 8, 9 days; F among each pair; M among single customers needs `merge-equal`.
    let rows = [(1.0, 10, 1.0), (2.0, 20, 1.0), (8.0, 1, 1.0), (9.0, 2, 1.0)];
    let found = segmented(&format!("merge-equal = true\n{text}"), &rows);
    assert_eq!(found.scores.recency, [2, 2, 1, 1]);
    assert_eq!(
        found.scores.frequency,
        [1, 2, 1, 2],
        "20 orders are no more than 2 among others"
    );
    let rules =
        RuleSet::parse(&format!("merge-equal = true\n{text}"), Path::new("r.toml")).unwrap();
    let people = customers(&rows);
    let fitted = rules.fit(&people).unwrap();
    assert_eq!(
        fitted.cuts.frequency.as_ref().unwrap().values(),
        [[1.5], [15.0]]
    );
    let frozen = RuleSet::parse(
        &fitted.to_toml("frozen", "2024-01-31").unwrap(),
        Path::new("r.toml"),
    )
    .unwrap();
    assert_eq!(frozen.fit(&people).unwrap().cuts, fitted.cuts);
}

#[test]
fn sums_and_means_of_scores_are_weighted() {
    let text = "
        [scores]
        bands = 2
        weights = { r = 0, f = 3, m = 1 }
        [[segments]]
        name = 'good'
        sum = '>= 7'
        fm = '> 1.5'
        [[segments]]
        name = 'poor'
        otherwise = true
    ";
    // F and M of 1 or 2; sums 4, 5, 7, 8; means 1, 1.25, 1.75, 2.
    let rows = [(1.0, 1, 1.0), (1.0, 1, 9.0), (1.0, 5, 1.0), (1.0, 5, 9.0)];
    assert_eq!(
        names(&segmented(text, &rows)),
        ["poor", "poor", "good", "good"]
    );
}

#[test]
fn the_scheme_of_a_course_on_customer_analytics() {
    // Recency and first order in years, amount per order above or below 100; first match wins there.
    let text = "
        [[segments]]
        name = 'inactive'
        recency_days = '> 1095'
        [[segments]]
        name = 'cold'
        recency_days = '> 730 and <= 1095'
        [[segments]]
        name = 'new warm'
        recency_days = '> 365 and <= 730'
        tenure_days = '<= 730'
        [[segments]]
        name = 'warm high value'
        recency_days = '> 365 and <= 730'
        tenure_days = '> 730'
        aov = '>= 100'
        [[segments]]
        name = 'warm low value'
        recency_days = '> 365 and <= 730'
        tenure_days = '> 730'
        aov = '< 100'
        [[segments]]
        name = 'new active'
        recency_days = '<= 365'
        tenure_days = '<= 365'
        [[segments]]
        name = 'active high value'
        recency_days = '<= 365'
        tenure_days = '> 365'
        aov = '>= 100'
        [[segments]]
        name = 'active low value'
        recency_days = '<= 365'
        tenure_days = '> 365'
        aov = '< 100'
    ";
    let rules = RuleSet::parse(text, Path::new("course.toml")).unwrap();
    assert!(rules.proof().unwrap().mece, "{:?}", rules.proof());
    let mut people = customers(&[
        (1096.0, 1, 10.0),
        (1095.0, 1, 10.0),
        (730.0, 1, 500.0),
        (730.0, 2, 200.0),
        (366.0, 2, 199.0),
        (365.0, 1, 99.0),
        (365.0, 2, 200.0),
        (0.0, 3, 200.0),
    ]);
    people.tenure_days = Some(vec![
        1096.0, 2000.0, 730.0, 731.0, 900.0, 365.0, 366.0, 400.0,
    ]);
    let found = rules.fit(&people).unwrap().segments(&people).unwrap();
    assert_eq!(
        names(&found),
        [
            "inactive",
            "cold",
            "new warm",
            "warm high value",
            "warm low value",
            "new active",
            "active high value",
            "active low value"
        ]
    );
    // The order of the course, written as else-if, is the same map.
    let short = "
        segments = [
            { name = 'inactive', recency_days = '> 1095d' },
            { name = 'cold', recency_days = '> 730d', otherwise = true },
            { name = 'new warm', recency_days = '> 365d', tenure_days = '<= 730', otherwise = true },
            { name = 'warm high value', recency_days = '> 365d', aov = '>= 100', otherwise = true },
            { name = 'warm low value', recency_days = '> 365d', otherwise = true },
            { name = 'new active', tenure_days = '<= 365', otherwise = true },
            { name = 'active high value', aov = '>= 100', otherwise = true },
            { name = 'active low value', otherwise = true },
        ]
    ";
    let short = RuleSet::parse(short, Path::new("short.toml")).unwrap();
    assert!(short.proof().unwrap().mece);
    let same = short.fit(&people).unwrap().segments(&people).unwrap();
    assert_eq!(same.labels, found.labels);
}

#[test]
fn first_orders_are_dates_of_the_calendar_whatever_the_time_of_day() {
    let work = Workdir::new();
    let frame = df!(
        "id" => ["a", "b", "c", "d"],
        "at" => ["2014-12-31T23:59:59", "2015-01-01T00:00:00", "2015-01-01T09:30:00", "2015-12-31T12:00:00"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
    );
    let path = work.parquet("orders.parquet", frame.unwrap());
    let config = config(&format!(
        "input = '{}'\ncustomer = 'id'\ntime = 'at'\namount = 'amount'\nas-of = 2016-01-01\nmax-gap = '400d'",
        path.display()
    ));
    let people = load(&config.input, &config.rfm).unwrap().customers;
    for (condition, expected) in [
        (">= 2015-01-01", ["old", "new", "new", "new"]),
        ("in 2015", ["old", "new", "new", "new"]),
        ("after 2015-01-01", ["old", "old", "old", "new"]),
        ("within 365d", ["old", "new", "new", "new"]),
        ("within 364d", ["old", "old", "old", "new"]),
    ] {
        let text = format!(
            "[[segments]]\nname = 'new'\nfirst_order = '{condition}'\n[[segments]]\nname = 'old'\notherwise = true"
        );
        let rules = RuleSet::parse(&text, Path::new("r.toml")).unwrap();
        let found = rules.fit(&people).unwrap().segments(&people).unwrap();
        assert_eq!(names(&found), expected, "{condition}");
    }
}

#[test]
fn quantiles_that_coincide_are_refused_or_merged() {
    let text = "[scores]\nbands = 5\n[[segments]]\nname = 'all'\nf = '>= 1'";
    let people = customers(&[
        (1.0, 1, 1.0),
        (1.0, 1, 1.0),
        (1.0, 1, 1.0),
        (1.0, 2, 1.0),
        (1.0, 9, 1.0),
    ]);
    let rules = RuleSet::parse(text, Path::new("r.toml")).unwrap();
    let error = rules.fit(&people).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert_eq!(
        error.to_string(),
        "`frequency` has 3 distinct cut points of 4"
    );
    assert!(error.hint().unwrap().contains("[scores.frequency]"));
    let merged = format!("merge-equal = true\n{text}");
    let rules = RuleSet::parse(&merged, Path::new("r.toml")).unwrap();
    let found = rules.fit(&people).unwrap().segments(&people).unwrap();
    // Cut points 1, 1, 1.2 (rounded), 3.4: nobody has the score 2 or 3.
    assert_eq!(found.scores.frequency, [1, 1, 1, 4, 5]);
    let codes: Vec<_> = found.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["empty_scores"]);
    assert!(
        found.warnings[0]
            .message
            .contains("the score 2 or 3 of 5 in frequency"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn amounts_below_one_are_scored_like_any_other() {
    let small: Vec<f64> = (1..=10).map(|n| f64::from(n) / 100.0).collect();
    let large: Vec<f64> = small.iter().map(|value| value * 1024.0).collect();
    for scheme in [
        "bands = 5",
        "method = 'natural-breaks'\nbands = 3",
        "method = 'mean'",
        "method = 'top-n'\ntop = 3",
    ] {
        assert_eq!(
            monetary_scores(scheme, &small),
            monetary_scores(scheme, &large),
            "{scheme}"
        );
    }
    assert_eq!(
        monetary_scores("bands = 5", &small),
        [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    );
    // The R package's offset of 1 puts them all into one band, and that is said.
    let text =
        "[scores]\noffset = 1\nside = 'lower-inclusive'\n[[segments]]\nname = 'all'\nm = '>= 1'";
    let rows: Vec<_> = small.iter().map(|&value| (1.0, 1, value)).collect();
    let found = segmented(text, &rows);
    assert_eq!(found.scores.monetary, [1; 10]);
    assert_eq!(found.warnings[0].code, "empty_scores");
}

#[test]
fn an_amount_at_the_mean_of_equal_amounts_is_not_above_it() {
    assert_eq!(monetary_scores("method = 'mean'", &[0.1; 10]), [1; 10]);
}

#[test]
fn frozen_rules_are_the_same_tomorrow() {
    let people = cdnow();
    for built_in in BUILT_IN {
        let rules = RuleSet::built_in(built_in.name).unwrap();
        let fitted = rules.fit(&people).unwrap();
        assert!(!fitted.is_frozen());
        let text = fitted.to_toml("Frozen by a test.", "2024-01-31").unwrap();
        let frozen = RuleSet::parse(&text, Path::new("frozen.toml"))
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        // Other customers: their own cut points would be others.
        let others = customers(&[
            (3.0, 2, 7.5),
            (300.0, 40, 900.0),
            (512.0, 1, 0.5),
            (470.0, 3, 60.0),
        ]);
        let refitted = frozen.fit(&others).unwrap();
        assert!(refitted.is_frozen());
        assert_eq!(refitted.cuts, fitted.cuts, "{}", built_in.name);
        let (found, expected) = (
            refitted.segments(&others).unwrap(),
            fitted.segments(&others).unwrap(),
        );
        assert_eq!(found.labels, expected.labels, "{}", built_in.name);
        assert_eq!(found.scores, expected.scores, "{}", built_in.name);
        // And through the model file, to the last bit.
        let json = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<FittedRules>(&json).unwrap(), fitted);
    }
}

#[test]
fn a_rule_file_says_until_when_the_data_of_its_cut_points_reached() {
    let rest = "[[segments]]\nname = 'all'\nm = '>= 1'";
    let read = |text: &str| RuleSet::parse(&format!("{text}\n{rest}"), Path::new("r.toml"));
    let people = customers(&[(1.0, 1, 1.0), (2.0, 2, 2.0), (3.0, 3, 3.0)]);
    let frozen = |text: &str, as_of: &str| {
        let text = read(text).unwrap().fit(&people).unwrap();
        let text = text.to_toml("frozen", as_of).unwrap();
        let rules = RuleSet::parse(&text, Path::new("r.toml")).unwrap();
        rules.fitted_as_of
    };
    let day = |day: &str| Some(day.to_owned());
    let found = "[scores]\nmethod = 'mean'";
    assert_eq!(frozen(found, "2024-01-31"), day("2024-01-31"));
    // Given cut points know nothing of this data; what they say of themselves stays.
    let given = "[scores.monetary]\ncuts = [2]";
    assert_eq!(frozen(given, "2024-01-31"), None);
    let said = "fitted-as-of = 2024-03-01";
    assert_eq!(
        frozen(&format!("{said}\n{given}"), "2024-01-31"),
        day("2024-03-01")
    );
    assert_eq!(
        frozen(&format!("{said}\n{given}"), "2024-04-01"),
        day("2024-03-01")
    );
    // Which of them halves the customers was found.
    let halved = format!("{given}\nhalve-at = 'mean'");
    assert_eq!(frozen(&halved, "2024-01-31"), day("2024-01-31"));
    // Of both the later.
    assert_eq!(
        frozen(&format!("{said}\n{found}"), "2024-01-31"),
        day("2024-03-01")
    );
    assert_eq!(
        frozen(&format!("{said}\n{found}"), "2024-04-01"),
        day("2024-04-01")
    );
    let rules = read(said).unwrap();
    assert_eq!(rules, read("").unwrap(), "it changes nothing that they do");
    for (moment, beyond) in [
        ("2024-02-29T23:59:59", true),
        ("2024-03-01", false),
        ("2024-02-29T23:00:00-05:00", true),
        ("2024-03-01T00:00:00+08:00", false),
    ] {
        assert_eq!(rules.knows_beyond(moment).unwrap(), beyond, "{moment}");
    }
    let error = read("fitted-as-of = 'spring'").unwrap_err();
    assert_snapshot!(error, @"`r.toml`: `fitted-as-of` in the rules is `spring`, expected a date or time, as in `2024-01-31`");
}

#[test]
fn upper_bounds_are_true_of_the_customers() {
    let people = customers(&[
        (10.0, 1, 5.0),
        (20.0, 1, 7.25),
        (30.0, 3, 10.0),
        (40.0, 4, 20.0),
    ]);
    let bounds = |scores: &str| {
        let text =
            format!("[scores]\n{scores}\n[[segments]]\nname = 'all'\nf = '>= 1'\nm = '>= 1'");
        let rules = RuleSet::parse(&text, Path::new("r.toml")).unwrap();
        rules.fit(&people).unwrap().upper_bounds(&people)
    };
    let own = "frequency = { cuts = [2] }\nmonetary = { cuts = [10, 15.5] }";
    assert_eq!(bounds(own), Some([vec![], vec![2.0], vec![10.0, 15.5]]));
    // Whoever has 2 orders or 10 would be above: the last below have 1 and 7.25.
    assert_eq!(
        bounds(&format!("side = 'lower-inclusive'\n{own}")),
        Some([vec![], vec![1.0], vec![7.25, 10.0]])
    );
    // Among customers of one order no number of orders tells who is below.
    assert_eq!(bounds("bands = 2\nties = 'by-id'"), None);
}

/// Cut points of the reference file, by pandas and an exhaustive search, against those of a scheme.
#[test]
fn cut_points_of_real_orders_are_those_of_the_reference() {
    let Some(extra) = extra_data() else { return };
    for (name, people) in [
        ("ref_cdnow.json", cdnow()),
        ("ref_online_retail.json", online_retail(&extra).customers),
    ] {
        let text = std::fs::read(extra.join("expected").join(name)).unwrap();
        let reference: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let cuts = |scheme: &str| {
            let text = format!(
                "merge-equal = true\n[scores]\n{scheme}\n[[segments]]\nname = 'all'\nr = '>= 1'\nf = '>= 1'\nm = '>= 1'"
            );
            let fitted = RuleSet::parse(&text, Path::new("r.toml"))
                .unwrap()
                .fit(&people)
                .unwrap();
            [
                fitted.cuts.recency_days,
                fitted.cuts.frequency,
                fitted.cuts.monetary,
            ]
            .map(|lists| lists.unwrap().values().remove(0))
        };
        let quintiles = cuts("bands = 5");
        let (mean, median) = (cuts("method = 'mean'"), cuts("method = 'median'"));
        for (place, dimension) in ["recency", "frequency", "monetary"].into_iter().enumerate() {
            let described = &reference["describe"][dimension];
            let what = format!("{name} {dimension}");
            for (cut, level) in quintiles[place].iter().zip(["0.2", "0.4", "0.6", "0.8"]) {
                close(
                    *cut,
                    described["quantiles_type7"][level].as_f64().unwrap(),
                    1e-9,
                    &what,
                );
            }
            close(
                mean[place][0],
                described["mean"].as_f64().unwrap(),
                1e-9,
                &what,
            );
            close(
                median[place][0],
                described["quantiles_type7"]["0.5"].as_f64().unwrap(),
                1e-9,
                &what,
            );
            for bands in 3..=5 {
                let found = &cuts(&format!("method = 'natural-breaks'\nbands = {bands}"))[place];
                let expected =
                    floats(&reference["breaks"][dimension][format!("k{bands}")]["upper_bounds"]);
                assert_eq!(found.len() + 1, expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    close(*found, *expected, 1e-9, &format!("{what}, {bands} bands"));
                }
            }
        }
    }
}

/// What is wrong with a rule file, in one line.
fn refused(text: &str) -> String {
    match RuleSet::parse(text, Path::new("mine.toml")) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{error}");
            let hint = error.hint().unwrap();
            if hint.starts_with("`tiermill maps NAME --toml`") {
                return error.to_string();
            }
            format!("{error} | {hint}")
        }
    }
}

#[test]
fn a_rule_file_that_cannot_be_is_refused_with_the_place_and_what_it_could_be() {
    let segment = |line: &str| refused(&format!("[[segments]]\nname = 'VIP'\n{line}"));
    let scores = |lines: &str| {
        refused(&format!(
            "{lines}\n[[segments]]\nname = 'all'\notherwise = true"
        ))
    };
    let said = [
        segment("recncy_days = 3"),
        segment("r = [5, 4]"),
        segment("r = 6"),
        segment("r = 0"),
        segment("f = 2.5"),
        segment("monetary = '> many'"),
        segment("first_order = '> 2015-02-30'"),
        segment("cells = ['55']"),
        segment("cells = ['556']"),
        segment("otherwise = 'yes'"),
        segment(""),
        refused("[[segments]]\nname = ' '\nr = 5"),
        refused("[[segments]]\nr = 5"),
        refused("[[segments]]\nname = 'a'\nr = 5\n[[segments]]\nname = 'a'\notherwise = true"),
        refused("segmnts = []"),
        refused("name = 'x'"),
        scores("[scores.recncy]\nbands = 3"),
        scores("[scores]\nmethod = 'quintile'"),
        scores("[scores]\nbands = 10"),
        scores("[scores]\nmethod = 'median'\nbands = 3"),
        scores("[scores]\ntop = 20"),
        scores("[scores]\ncuts = [1, 2]"),
        scores("[scores]\nmethod = 'natural-breaks'\nties = 'by-id'"),
        scores("[scores.monetary]\ncuts = [3, 2]"),
        scores("[scores.monetary]\nmethod = 'fixed'"),
        scores("[scores.monetary]\nmethod = 'mean'\ncuts = [3]"),
        scores("[scores.monetary]\nmethod = 'top-n'\ntop = 2.5"),
        scores("[scores.monetary]\ncuts = [1, inf]"),
        scores("[scores.monetary]\ncuts = [1]\nties = 'by-id'"),
        scores("[scores]\nties = 'by-id'\noffset = 1"),
        scores("[scores]\nweights = { f = 0, m = 0 }"),
        scores("[scores.monetary]\ncuts = [1, 1]"),
        scores("[rename]\nVIP = 'Best'"),
        refused(
            "[[segments]]\nname = 'a'\nfirst_order = 'in 2015'\n[[segments]]\nname = 'b'\nfirst_order = 'within 3d'",
        ),
    ];
    assert_snapshot!(said.join("\n"), @r#"
    `mine.toml`: unknown key `recncy_days` in segment 1 (`VIP`) | did you mean `recency_days`?
    `mine.toml`: `r` in segment 1 (`VIP`) is [5, 4], expected the lower bound first, and something between the two
    `mine.toml`: `r` in segment 1 (`VIP`) is 6, expected scores from 1 to 5
    `mine.toml`: `r` in segment 1 (`VIP`) is 0, expected scores from 1 to 5
    `mine.toml`: `f` in segment 1 (`VIP`) is 2.5, expected scores from 1 to 5
    `mine.toml`: `monetary` in segment 1 (`VIP`) is "> many", expected a number or a range, as in `">= 100"`, `"> 10 and <= 50"` or `[1, 3]`
    `mine.toml`: `first_order` in segment 1 (`VIP`) is "> 2015-02-30", expected `">= 2024-01-01"`, `"< 2024-01-01"`, `"in 2024"`, `"within 365d"` or `"not within 365d"`
    `mine.toml`: `cells` in segment 1 (`VIP`) is "55", expected a list of codes of the scores R, F, M from `111` to `555`, as in `["555", "54*"]`
    `mine.toml`: `cells` in segment 1 (`VIP`) is "556", expected a list of codes of the scores R, F, M from `111` to `555`, as in `["555", "54*"]`
    `mine.toml`: `otherwise` in segment 1 (`VIP`) is "yes", expected true or false
    `mine.toml`: `a condition` in segment 1 (`VIP`) is missing, expected one, or `otherwise = true` for all the others
    `mine.toml`: `name` in segment 1 is empty, expected a text
    `mine.toml`: `name` in segment 1 is missing, expected a name
    `mine.toml`: `name` in segment 2 is `a`, as in a segment before, expected each name once
    `mine.toml`: unknown key `segmnts` in the rules | did you mean `segments`?
    `mine.toml`: `segments` in the rules is missing, expected at least one [[segments]] table
    `mine.toml`: unknown key `recncy` in [scores] | did you mean `recency`?
    `mine.toml`: `method` in [scores.recency] is "quintile", expected "quantile", "fixed", "mean", "median", "natural-breaks", "top-percent" or "top-n"
    `mine.toml`: `bands` in [scores.recency] is 10, expected 2 to 9
    `mine.toml`: `bands` in [scores] is 3, expected left out: only `method = "quantile" or "natural-breaks"` asks for it, and no dimension has that
    `mine.toml`: `top` in [scores] is 20, expected left out: only `method = "top-percent" or "top-n"` asks for it, and no dimension has that
    `mine.toml`: `cuts` in [scores] is [1, 2], expected left out: only `method = "fixed"` asks for it, and no dimension has that
    `mine.toml`: `ties` in [scores] is "by-id", expected left out: only `method = "quantile", "top-percent" or "top-n"` asks for it, and no dimension has that
    `mine.toml`: `cuts` in [scores.monetary] is [3, 2], expected ascending cut points
    `mine.toml`: `cuts` in [scores.monetary] is missing, expected cut points, as in `[30, 90, 365]`
    `mine.toml`: `cuts` in [scores.monetary] is [3], expected left out, or `method = "fixed"`
    `mine.toml`: `top` in [scores.monetary] is 2.5, expected whole numbers of customers, as in `[100, 1000]`
    `mine.toml`: `cuts` in [scores.monetary] is [1, inf], expected cut points, as in `[30, 90, 365]`
    `mine.toml`: `ties` in [scores.monetary] is "by-id", expected left out: only `quantile`, `top-percent` and `top-n` rank customers
    `mine.toml`: `offset` in [scores.recency] is 1, expected 0 with `ties = "by-id"`: ranks are cut, and not values
    `mine.toml`: `f` in [scores.weights] is 0 like `m`, expected one of the two above 0
    `mine.toml`: `monetary.cuts` in [scores] is the same number twice, expected ascending cut points, or `merge-equal = true`
    `mine.toml`: unknown key `VIP` in [rename] | known here: `all`
    `mine.toml`: `first_order` in the rules is dates in one segment and days before as-of in another, expected one of the two in all segments: nobody can prove a map whole whose bounds move
    "#);
}

#[test]
fn toml_that_is_none_is_said_with_its_line() {
    let error = RuleSet::parse("segments = [", Path::new("mine.toml")).unwrap_err();
    assert_eq!(error.to_string(), "`mine.toml` is not valid TOML");
    assert!(std::error::Error::source(&error).is_some());
}

/// A folder with six customers' orders and a config.
fn six(config: &str) -> Workdir {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let lines = "input = 'orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\nquiet = true";
    work.write("tiermill.toml", format!("{lines}\n{config}"));
    work
}

/// The column `segment` of the current run.
fn column(work: &Workdir) -> Vec<Option<String>> {
    let table = work.table("assignments.parquet");
    let segments = table.column("segment").unwrap().str().unwrap();
    segments
        .iter()
        .map(|name| name.map(str::to_owned))
        .collect()
}

#[test]
fn a_run_with_rules_publishes_segments_and_freezes_them_in_its_model() {
    let rules = "[rules]\nmap = 'eight'\n[rules.scores]\nrecency.cuts = [30]\nfrequency.cuts = [1]\nmonetary.cuts = [20]";
    let work = six(rules);
    work.tiermill("run").success();
    // R, F, M as on paper in `pipeline`: ann 2 3 60.5, bob 77 1 5.25, cat 1 2 150, dan 31 2 15, eve 61 1 0, fay 17 1 10.
    let expected = [
        "Key value",
        "General retain",
        "Key value",
        "General keep",
        "General retain",
        "General develop",
    ];
    let expected: Vec<_> = expected.map(|name| Some(name.to_owned())).into();
    assert_eq!(column(&work), expected);
    // The scores are those of the rules: two bands, 2 is best.
    let table = work.table("assignments.parquet");
    let scores = |name: &str| -> Vec<i8> {
        let column = table.column(name).unwrap().i8().unwrap();
        column.into_no_null_iter().collect()
    };
    assert_eq!(scores("r_score"), [2, 1, 2, 1, 1, 2]);
    assert_eq!(scores("f_score"), [2, 1, 2, 2, 1, 1]);
    assert_eq!(scores("m_score"), [2, 1, 2, 1, 1, 1]);
    let model = work.json("model.json");
    assert_eq!(
        model["rules"]["cuts"]["recency_days"],
        serde_json::json!([[30.0]])
    );
    assert_eq!(model["rules"]["rules"]["name"], "eight");

    // Another night, other customers: the cut points are those of the model.
    let mean = six("[rules]\nmap = 'eight'");
    mean.tiermill("run").success();
    let model = mean.current().join("model.json");
    let cuts = mean.json("model.json")["rules"]["cuts"].clone();
    let mut half = six_customers();
    half = half.head(Some(5));
    mean.parquet("orders.parquet", half);
    mean.tiermill(&format!(
        "assign --as-of 2024-04-01 --model {}",
        model.display()
    ))
    .success();
    assert_eq!(mean.json("model.json")["rules"]["cuts"], cuts);
}

#[test]
fn without_rules_there_are_no_segments_and_with_gaps_some_have_none() {
    let work = six("");
    work.tiermill("run").success();
    assert_eq!(column(&work), vec![None; 6]);
    assert!(work.json("model.json").get("rules").is_none());

    let gaps = six(
        "[rules]\nallow-gaps = true\n[[rules.segments]]\nname = 'recent'\nname-zh = '近期'\nrecency_days = '<= 20'",
    );
    let ran = gaps.tiermill("run").success();
    let named = column(&gaps)
        .into_iter()
        .map(|name| name.is_some())
        .collect::<Vec<_>>();
    assert_eq!(named, [true, false, true, false, false, true]);
    // Rules without scores leave those of the run as they are: quintiles.
    let table = gaps.table("assignments.parquet");
    let scores = table.column("r_score").unwrap().i8().unwrap();
    let scores: Vec<i8> = scores.into_no_null_iter().collect();
    assert_eq!(scores, [5, 1, 5, 3, 2, 4]);
    let warnings = gaps.json("tiers.json")["warnings"].to_string();
    for said in ["map_has_gaps", "no_segment", "3 of 6 customers"] {
        assert!(warnings.contains(said), "{said}: {warnings}");
    }
    assert!(ran.stderr.contains("[map_has_gaps]"), "{}", ran.stderr);
}

#[test]
fn rules_come_from_a_flag_a_file_or_the_config_and_can_be_fed_back() {
    let work = six("[rules]\nmap = 'eight'");
    let mine = "[[segments]]\nname = 'big'\nmonetary = '> 20'\n[[segments]]\nname = 'small'\notherwise = true";
    work.write("rules/mine.toml", mine);
    work.tiermill("run --rules rules/mine.toml").success();
    let by_flag = column(&work);
    assert_eq!(
        by_flag[0].as_deref(),
        Some("big"),
        "the flag wins over the file as a whole"
    );
    let printed = work
        .tiermill("config --rules rules/mine.toml")
        .success()
        .stdout;
    assert!(
        printed.contains("name = \"mine\"") && !printed.contains("eight"),
        "{printed}"
    );
    work.write("elsewhere/printed.toml", &printed);
    std::fs::remove_file(work.join("rules/mine.toml")).unwrap();
    work.tiermill("run --config elsewhere/printed.toml")
        .success();
    assert_eq!(column(&work), by_flag);
    // A file is taken from the folder of the config that names it.
    work.write("deep/mine.toml", mine);
    work.write("deep/tiermill.toml", "input = '../orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\nrules = 'mine.toml'\nout = '../out'");
    work.tiermill("run --quiet --config deep/tiermill.toml")
        .success();
    assert_eq!(column(&work), by_flag);
    // A table in the config is laid over the file.
    work.write("deep/over.toml", "input = '../orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\n[rules]\nfile = 'mine.toml'\n[rules.rename]\nbig = { en = 'VIP', zh = '贵宾' }\n[output]\nout = '../out'");
    work.tiermill("run --quiet --config deep/over.toml")
        .success();
    assert_eq!(column(&work)[0].as_deref(), Some("VIP"));
}

#[test]
fn a_model_is_refused_under_other_rules() {
    let work = six("[rules]\nmap = 'eight'");
    work.tiermill("fit --out models").success();
    let model = std::fs::read_dir(work.join("models/runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("model.json");
    let assign = |flags: &str| {
        work.tiermill(&format!(
            "assign --as-of 2024-04-01 {flags} --model {}",
            model.display()
        ))
    };
    assign("").success();
    let other = assign("--rules grid-10");
    assert_eq!(other.code, 2);
    assert!(
        other
            .stderr
            .contains("was fitted with `rules.name` = eight, the config says grid-10"),
        "{}",
        other.stderr
    );
    work.write(
        "eight.toml",
        "name = 'eight'\n[[segments]]\nname = 'all'\notherwise = true",
    );
    let changed = assign("--rules ./eight.toml");
    assert!(
        changed
            .stderr
            .contains("`rules.scores.recency` = mean, 2 bands, the config says quantile, 5 bands"),
        "{}",
        changed.stderr
    );
    std::fs::remove_file(work.join("tiermill.toml")).unwrap();
    let none = assign(&format!("{COLUMNS} --input orders.parquet --k 2"));
    assert!(
        none.stderr
            .contains("was fitted with `rules` = eight, the config says none"),
        "{}",
        none.stderr
    );
    // Cut points that do not fit their bands.
    let text = std::fs::read_to_string(&model).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["rules"]["cuts"]["monetary"] = serde_json::json!([[1.0, 2.0]]);
    std::fs::write(&model, document.to_string()).unwrap();
    let broken = assign(&format!("{COLUMNS} --input orders.parquet --k 2"));
    assert!(
        broken
            .stderr
            .contains("1 `cuts` in `rules` that do not fit their scores"),
        "{}",
        broken.stderr
    );
}

#[test]
fn bad_rules_stop_every_command_before_the_input_is_read() {
    for (rules, said) in [
        ("rules = 'nine'", "no built-in map is called `nine`"),
        (
            "rules = 'gone.toml'",
            "cannot read the rule file `gone.toml`",
        ),
        (
            "[rules]\nmap = 'eight'\nfile = 'x.toml'",
            "`file` in [rules] and `map` cannot go together",
        ),
        ("[rules]\nmpa = 'eight'", "unknown key `mpa` in [rules]"),
        (
            "[[rules.segments]]\nname = 'a'\nr = 5",
            "4 of 5 cells uncovered",
        ),
    ] {
        let work = six(rules);
        std::fs::remove_file(work.join("orders.parquet")).unwrap();
        for command in ["run", "fit", "check", "config", "rules freeze"] {
            let ran = work.tiermill(command);
            assert_eq!(ran.code, 2, "{command} {rules}: {}", ran.stderr);
            assert!(
                ran.stderr.contains(said),
                "{command} {rules}: {}",
                ran.stderr
            );
            assert!(!work.join("out").exists(), "{command}");
        }
    }
}

#[test]
fn what_is_wrong_in_a_rule_file_is_said_with_its_name() {
    let work = six("");
    let wrong = "[[segments]]\nname = 'VIP'\nr = 6";
    work.write("bad.toml", wrong);
    for command in [
        "run --rules bad.toml",
        "maps bad.toml",
        "compare bad.toml clusters",
        "backtest --at 2024-03-01 --horizon 30d --against bad.toml",
    ] {
        let ran = work.tiermill(command);
        assert_eq!(ran.code, 2, "{command}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("error: `bad.toml`: `r` in segment 1 (`VIP`) is 6"),
            "{command}: {}",
            ran.stderr
        );
    }
    for command in [
        "run --rules gone.toml",
        "maps --check gone.toml",
        "compare gone.toml clusters",
    ] {
        let ran = work.tiermill(command);
        assert_eq!(ran.code, 2, "{command}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("error: cannot read the rule file `gone.toml`")
                && ran
                    .stderr
                    .contains("hint: `tiermill maps` lists the built-in maps"),
            "{command}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_map_is_checked_under_the_config_that_it_will_be_used_with() {
    let rules = "[[segments]]\nname = 'warm'\nrecency_days = [0, 30]\n[[segments]]\nname = 'cold'\nrecency_days = '>= 31'\n";
    let floor = six("");
    floor.write("days.toml", rules);
    floor.tiermill("maps --check days.toml").success();
    floor.tiermill("run --rules days.toml").success();
    let exact = six("recency = 'exact'");
    exact.write("days.toml", rules);
    for (command, code) in [("maps --check days.toml", 1), ("run --rules days.toml", 2)] {
        let ran = exact.tiermill(command);
        assert_eq!(ran.code, code, "{command}: {}", ran.stderr);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            text.contains("write `\"> 30\"` in place of `\">= 31\"`"),
            "{command}: {text}"
        );
    }
    // A model keeps what its days were.
    let sound = rules.replace(">= 31", "> 30");
    exact.write("days.toml", sound);
    exact.tiermill("run --rules days.toml").success();
    let model = exact.current().join("model.json");
    exact
        .tiermill(&format!(
            "assign --rules days.toml --as-of 2024-04-01 --model {}",
            model.display()
        ))
        .success();
    floor.write(
        "tiermill.toml",
        std::fs::read_to_string(floor.join("tiermill.toml")).unwrap(),
    );
    let floor_model = floor.current().join("model.json");
    floor
        .tiermill(&format!(
            "assign --rules days.toml --as-of 2024-04-01 --model {}",
            floor_model.display()
        ))
        .success();
}

#[test]
fn frozen_rules_are_written_and_run_again() {
    let work = six("[rules]\nmap = 'eight'");
    let wrote = work.tiermill("rules freeze --to frozen.toml").success();
    assert!(
        wrote
            .stdout
            .contains("Next: tiermill run --rules frozen.toml"),
        "{}",
        wrote.stdout
    );
    let text = std::fs::read_to_string(work.join("frozen.toml")).unwrap();
    assert!(
        text.starts_with(
            "# Cut points of `eight` as 6 customers had them, as of 2024-04-01T00:00:00.\n"
        ),
        "{text}"
    );
    assert_eq!(work.tiermill("rules freeze").success().stdout, text);
    let again = work.tiermill("rules freeze --to frozen.toml");
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("`frozen.toml` exists already"),
        "{}",
        again.stderr
    );
    work.tiermill("run").success();
    let found = column(&work);
    work.tiermill("run --rules frozen.toml").success();
    assert_eq!(column(&work), found);
    let none = six("");
    assert!(
        none.tiermill("rules freeze")
            .stderr
            .contains("`rules` is not set")
    );
}

#[test]
fn segments_depend_neither_on_the_order_of_rows_nor_on_threads() {
    let rows: Vec<(f64, i64, f64)> = (0..5000)
        .map(|n| {
            (
                f64::from(n % 400),
                i64::from(n % 13) + 1,
                f64::from(n % 977) / 7.0,
            )
        })
        .collect();
    let people = customers(&rows);
    for name in ["eight", "enumerated-11", "putler-11"] {
        let rules = RuleSet::built_in(name).unwrap();
        let found = |n| threads(n, || rules.fit(&people).unwrap().segments(&people).unwrap());
        let (one, many) = (found(1), found(4));
        assert_eq!(one.labels, many.labels, "{name}");
        assert_eq!(one.scores, many.scores, "{name}");
        assert!(one.labels.iter().all(Option::is_some));
    }
}

#[test]
fn the_examples_of_the_manual_are_rules() {
    let manual = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, section) = manual.split_once("\n## Rules\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks: Vec<&str> = section
        .split("```toml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    let work = six(blocks[0]);
    work.tiermill("run").success();
    // Ann spent 60.5, no more than the 200 of the example.
    assert_eq!(column(&work)[0].as_deref(), Some("General value"));
    let shown = work.json("model.json")["rules"]["rules"]["rename"].to_string();
    assert!(shown.contains("VIP"), "{shown}");
    let rules = RuleSet::parse(blocks[1], Path::new("manual.toml")).unwrap();
    assert!(rules.proof().unwrap().mece);
}

#[test]
fn a_segment_may_have_alternatives_and_codes_with_stars() {
    let text = "
        [scores]
        recency.cuts = [10, 20]
        frequency.cuts = [1, 2]
        monetary.cuts = [10, 20]
        [[segments]]
        name = 'any best'
        any = [{ r = 3 }, { f = 3, m = '>= 2' }]
        [[segments]]
        name = 'poor'
        cells = ['1**', '21*']
        otherwise = true
        [[segments]]
        name = 'rest'
        otherwise = true
    ";
    let rows = [
        (5.0, 1, 5.0),
        (15.0, 3, 15.0),
        (15.0, 3, 5.0),
        (25.0, 3, 15.0),
        (25.0, 3, 5.0),
        (15.0, 1, 50.0),
    ];
    assert_eq!(
        names(&segmented(text, &rows)),
        ["any best", "any best", "rest", "any best", "poor", "poor"]
    );
}

#[test]
fn a_frozen_file_is_accepted_even_where_its_cut_points_rule_a_segment_out() {
    let text = "
        [scores]
        bands = 2
        [[segments]]
        name = 'good and old'
        r = 2
        recency_days = '> 1000'
        [[segments]]
        name = 'others'
        otherwise = true
    ";
    let rules = RuleSet::parse(text, Path::new("r.toml")).unwrap();
    assert!(
        rules.proof().unwrap().mece,
        "before the data is seen it can be"
    );
    let people = customers(&[(1.0, 1, 1.0), (2.0, 1, 1.0), (3.0, 1, 1.0)]);
    let frozen = rules
        .fit(&people)
        .unwrap()
        .to_toml("frozen", "2024-01-31")
        .unwrap();
    let frozen = RuleSet::parse(&frozen, Path::new("frozen.toml")).unwrap();
    assert_eq!(frozen.proof().unwrap().unreachable, ["good and old"]);
}

#[test]
fn two_names_can_be_swapped() {
    let text = "[[segments]]\nname = 'A'\nmonetary = '> 100'\n[[segments]]\nname = 'B'\notherwise = true\n[rename]\nA = 'B'\nB = 'A'";
    let swapped = segmented(text, &[(1.0, 1, 500.0), (1.0, 1, 5.0)]);
    assert_eq!(names(&swapped), ["B", "A"]);
}
