//! Cut points: by hand, against `rules` and reference figures, how sure they are; thresholds and clusters as rule files that
//! every command takes; what is refused.

use ndarray::Array2;
use polars::prelude::*;
use serde_json::{Value, json};
use tiermill::calibrate::{
    Calibration, ClusterRules, Entry, Faith, Resampling, Tiered, Wanted, calibrate, cluster_rules,
};
use tiermill::config::{Feature, Recency};
use tiermill::features::raw;
use tiermill::load::Customers;
use tiermill::rules::{FittedRules, Meaning, RuleSet};
use tiermill::tiers::Tier;

use crate::support::{
    COLUMNS, Ran, Workdir, cdnow, close, customers, extra_data, floats, online_retail, orders,
    read, repository, six_customers, threads,
};

// Figures by hand.

const RESAMPLING: Resampling = Resampling {
    resamples: 100,
    seed: 42,
    bins: 4_096,
};

fn names(k: usize) -> Vec<String> {
    (1..=k).map(|tier| format!("tier {tier}")).collect()
}

fn calibrated(customers: &Customers, labels: &[u32], rules: Option<&FittedRules>) -> Calibration {
    let k = labels.iter().max().map_or(1, |&most| most as usize + 1);
    let wanted = Wanted::default();
    calibrate(customers, (&names(k), labels), rules, (&wanted, RESAMPLING)).unwrap()
}

/// Everybody in one tier.
fn alone(customers: &Customers) -> Calibration {
    calibrated(customers, &vec![0; customers.len()], None)
}

/// Eight customers; recency in two groups, one with many orders, amounts of 10 to 80 and a great one.
fn eight() -> Customers {
    customers(&[
        (1.0, 1, 10.0),
        (2.0, 1, 20.0),
        (3.0, 1, 30.0),
        (4.0, 2, 40.0),
        (20.0, 2, 50.0),
        (21.0, 3, 60.0),
        (22.0, 3, 70.0),
        (23.0, 9, 320.0),
    ])
}

fn entry<'a>(found: &'a Calibration, feature: Feature, scheme: &str, bands: usize) -> &'a Entry {
    let (_, schemes) = found
        .dimensions
        .all()
        .into_iter()
        .find(|(own, _)| *own == feature)
        .unwrap();
    schemes.entry(scheme, bands).unwrap()
}

#[test]
fn eight_customers_are_cut_as_on_paper() {
    let found = alone(&eight());
    let natural = entry(&found, Feature::RecencyDays, "natural-breaks", 2);
    assert_eq!(natural.cut_points, [4.0]);
    assert_eq!(natural.customers, [4, 4]);
    assert_eq!(natural.revenue, [100.0, 500.0]);
    // 1 to 4 and 20 to 23 about their means: 2 × 5; about 12: 121 + 100 + 81 + 64 twice.
    assert_eq!(natural.within_ss, 10.0);
    close(natural.gvf, 1.0 - 10.0 / 732.0, 1e-12, "gvf");
    let of = |feature, scheme, bands| entry(&found, feature, scheme, bands).cut_points.clone();
    assert_eq!(of(Feature::Monetary, "mean", 2), [75.0]);
    assert_eq!(of(Feature::Monetary, "median", 2), [45.0]);
    assert_eq!(of(Feature::Monetary, "natural-breaks", 2), [70.0]);
    // 30 parts the small ones as well as 40 does; in logarithms 10 and 20 lie further from the others.
    assert_eq!(of(Feature::Monetary, "natural-breaks", 3), [30.0, 70.0]);
    assert_eq!(of(Feature::Monetary, "natural-breaks-log", 3), [20.0, 70.0]);
    // A fifth of eight is two: the best of them have 70 and 320, or ordered 1 and 2 days ago.
    assert_eq!(of(Feature::Monetary, "top-percent", 2), [60.0]);
    assert_eq!(of(Feature::RecencyDays, "top-percent", 2), [2.0]);
    // Type 7 over 1 1 1 2 2 3 3 9: the quarters lie at 1, 2 and 3.
    assert_eq!(of(Feature::Frequency, "quantile", 4), [1.0, 2.0, 3.0]);
    assert_eq!(
        entry(&found, Feature::Frequency, "quantile", 4).customers,
        [3, 2, 2, 1]
    );
    close(
        entry(&found, Feature::Monetary, "mean", 2).within_ss,
        2_800.0,
        1e-12,
        "within",
    );
}

#[test]
fn tiers_divide_a_dimension_where_fewest_are_on_the_wrong_side() {
    // Tier 1 (the second) ordered 1, 2, 3 and 21 days ago, tier 0 4, 20, 22 and 23.
    let found = calibrated(&eight(), &[1, 1, 1, 0, 0, 1, 0, 0], None);
    let kmeans = entry(&found, Feature::RecencyDays, "kmeans", 2);
    assert_eq!(kmeans.cut_points, [3.0]);
    assert_eq!(kmeans.wrong_side, Some(vec![1]));
    assert_eq!(
        kmeans.tiers,
        Some(vec!["tier 2".to_owned(), "tier 1".to_owned()])
    );
}

#[test]
fn the_rules_in_force_are_told_as_they_cut() {
    let rules = RuleSet::parse(
        "[[segments]]\nname = 'a'\nrecency_days = '< 20'\n[[segments]]\nname = 'b'\nrecency_days = '>= 20'\nfrequency = '<= 2'\n\
         [[segments]]\nname = 'c'\nrecency_days = '>= 20'\nfrequency = '> 2'\n",
        "rules.toml".as_ref(),
    );
    let fitted = rules.unwrap().fit(&eight()).unwrap();
    let found = calibrated(&eight(), &[0; 8], Some(&fitted));
    // Who ordered less than 20 days ago: the last of them 4 days ago.
    let recency = entry(&found, Feature::RecencyDays, "rules", 2);
    assert_eq!(
        (recency.cut_points.clone(), recency.customers.clone()),
        (vec![4.0], vec![4, 4])
    );
    assert_eq!(recency.interval, Some(vec![[4.0, 4.0]]));
    assert_eq!(
        entry(&found, Feature::Frequency, "rules", 2).cut_points,
        [2.0]
    );
    assert_eq!(found.dimensions.monetary.rules, []);
}

// What must hold for any customers.

/// Customers of each band, the long way round.
fn recount(values: &[f64], cuts: &[f64]) -> Vec<u64> {
    let mut bands = vec![0; cuts.len() + 1];
    for value in values {
        bands[cuts.iter().filter(|&cut| cut < value).count()] += 1;
    }
    bands
}

#[track_caller]
fn check(customers: &Customers, found: &Calibration) {
    for (feature, schemes) in found.dimensions.all() {
        let values = raw(customers, feature).unwrap();
        for (name, entries) in schemes.all() {
            for entry in entries {
                let what = format!("{feature} {name} {}", entry.bands);
                assert_eq!(entry.cut_points.len() + 1, entry.bands, "{what}");
                assert!(entry.cut_points.is_sorted(), "{what}");
                assert_eq!(
                    entry.customers,
                    recount(&values, &entry.cut_points),
                    "{what}"
                );
                close(entry.revenue.iter().sum(), found.revenue, 1e-9, &what);
                assert!((0.0..=1.0).contains(&entry.gvf), "{what}");
                let intervals = entry.interval.as_ref().unwrap();
                assert_eq!(intervals.len(), entry.cut_points.len(), "{what}");
                for ([low, high], cut) in intervals.iter().zip(&entry.cut_points) {
                    assert!(low <= cut && cut <= high, "{what}: {low} {cut} {high}");
                }
                check_rounded(&values, entry, &what);
            }
        }
    }
}

#[track_caller]
fn check_rounded(values: &[f64], entry: &Entry, what: &str) {
    let rounded = &entry.rounded;
    assert_eq!(
        rounded.customers,
        recount(values, &rounded.cut_points),
        "{what}"
    );
    let band = |cuts: &[f64], value: f64| cuts.iter().filter(|&&cut| cut < value).count();
    let moves =
        |value: &&f64| band(&entry.cut_points, **value) != band(&rounded.cut_points, **value);
    let moved = values.iter().filter(moves).count() as u64;
    assert_eq!(rounded.moved, moved, "{what}");
    assert!(
        moved as f64 <= 0.01 * values.len() as f64,
        "{what}: {moved}"
    );
    for (before, after) in entry.customers.iter().zip(&rounded.customers) {
        assert!(*before == 0 || 0 < *after, "{what}: a band was emptied");
    }
}

#[test]
fn bands_hold_everybody_and_intervals_the_cut_points() {
    check(&eight(), &alone(&eight()));
    let real = cdnow();
    let labels: Vec<u32> = (0..real.len())
        .map(|row| u32::from(real.monetary[row] < 43.0) + u32::from(300.0 < real.recency_days[row]))
        .collect();
    let found = calibrated(&real, &labels, None);
    check(&real, &found);
    // The interval of a mean is known: 1.645 standard errors to either side.
    let mean = entry(&found, Feature::Monetary, "mean", 2);
    let [low, high] = mean.interval.as_ref().unwrap()[0];
    let expected = 2.0 * 1.645 * 240.92 / f64::sqrt(23_570.0);
    assert!(
        ((high - low) / expected - 1.0).abs() < 0.25,
        "{low} to {high}, expected a width of {expected}"
    );
    // So do the counts of the wrong side.
    let kmeans = entry(&found, Feature::Monetary, "kmeans", 3);
    let order: Vec<u32> = kmeans
        .tiers
        .as_ref()
        .unwrap()
        .iter()
        .map(|name| name[5..].parse::<u32>().unwrap() - 1)
        .collect();
    let wrong = |cut: f64, low: u32, high: u32| {
        let strays = real
            .monetary
            .iter()
            .zip(&labels)
            .filter(|&(&value, &tier)| {
                (tier == low && cut < value) || (tier == high && value <= cut)
            });
        strays.count() as u64
    };
    for (index, &cut) in kmeans.cut_points.iter().enumerate() {
        let found = kmeans.wrong_side.as_ref().unwrap()[index];
        assert_eq!(found, wrong(cut, order[index], order[index + 1]));
    }
}

#[test]
fn natural_breaks_of_cdnow_are_those_of_the_reference() {
    let found = alone(&cdnow());
    let recency = entry(&found, Feature::RecencyDays, "natural-breaks", 3);
    assert_eq!(recency.cut_points, [171.0, 383.0]);
    assert_eq!(recency.customers, [5_216, 3_470, 14_884]);
    close(recency.within_ss, 40_585_287.503_241_28, 1e-9, "within");
    close(recency.gvf, 0.947_560_624_902_523_9, 1e-9, "gvf");
    let Some(extra) = extra_data() else { return };
    let against = |found: &Calibration, name: &str| {
        let text = std::fs::read_to_string(extra.join("expected").join(name)).unwrap();
        let reference: Value = serde_json::from_str(&text).unwrap();
        let pairs = [
            (Feature::RecencyDays, "recency"),
            (Feature::Frequency, "frequency"),
            (Feature::Monetary, "monetary"),
        ];
        for (feature, key) in pairs {
            for bands in 3..=5 {
                let expected = &reference["breaks"][key][format!("k{bands}")];
                let own = entry(found, feature, "natural-breaks", bands);
                let what = format!("{name} {key} {bands}");
                let upper = floats(&expected["upper_bounds"]);
                for (cut, upper) in own.cut_points.iter().zip(&upper) {
                    close(*cut, *upper, 1e-9, &what);
                }
                close(own.gvf, expected["gvf"].as_f64().unwrap(), 1e-9, &what);
                let counts: Vec<f64> = own.customers.iter().map(|&n| n as f64).collect();
                assert_eq!(counts, floats(&expected["counts"]), "{what}");
            }
        }
    };
    against(&found, "ref_cdnow.json");
    let retail = online_retail(&extra).customers;
    against(&alone(&retail), "ref_online_retail.json");
}

#[test]
fn schemes_cut_where_rule_files_with_their_method_do() {
    let real = cdnow();
    let found = alone(&real);
    let schemes: [(&str, usize, &str); 9] = [
        ("natural-breaks", 2, "method = 'natural-breaks'\nbands = 2"),
        ("natural-breaks", 5, "method = 'natural-breaks'\nbands = 5"),
        ("quantile", 2, "method = 'quantile'\nbands = 2"),
        ("quantile", 3, "method = 'quantile'\nbands = 3"),
        ("quantile", 4, "method = 'quantile'\nbands = 4"),
        ("quantile", 5, "method = 'quantile'\nbands = 5"),
        ("mean", 2, "method = 'mean'"),
        ("median", 2, "method = 'median'"),
        ("top-percent", 2, "method = 'top-percent'\ntop = 20"),
    ];
    for (name, bands, scores) in schemes {
        let text = format!(
            "merge-equal = true\n[scores]\n{scores}\n[[segments]]\nname = 'best'\nr = {bands}\nf = {bands}\nm = {bands}\n[[segments]]\nname = 'rest'\notherwise = true\n"
        );
        let fitted = RuleSet::parse(&text, "rules.toml".as_ref())
            .unwrap()
            .fit(&real)
            .unwrap();
        let cuts = [
            &fitted.cuts.recency_days,
            &fitted.cuts.frequency,
            &fitted.cuts.monetary,
        ];
        for ((feature, schemes), cuts) in found.dimensions.all().into_iter().zip(cuts) {
            let expected = &cuts.as_ref().unwrap().values()[0];
            assert_eq!(
                schemes.entry(name, bands).unwrap().cut_points,
                *expected,
                "{feature} {name} {bands}"
            );
        }
        // And what a company's rules find is as sure as what ours do.
        let told = calibrated(&real, &vec![0; real.len()], Some(&fitted));
        let own = &told.dimensions.monetary.rules[0];
        assert_eq!(
            own.interval,
            entry(&found, Feature::Monetary, name, bands).interval
        );
    }
}

#[test]
fn nothing_depends_on_threads() {
    let real = cdnow();
    let labels: Vec<u32> = real
        .frequency
        .iter()
        .map(|&orders| u32::from(orders < 3))
        .collect();
    let found = || {
        let told = calibrated(&real, &labels, None);
        let rules = faithful(&real, &labels, 2, 0.99);
        serde_json::to_string(&(told, rules)).unwrap()
    };
    assert!(
        threads(1, found) == threads(2, found),
        "one thread and two differ"
    );
}

#[test]
fn customers_who_are_all_alike_have_one_band() {
    let same = customers(&[(5.0, 1, 10.0), (5.0, 1, 10.0), (5.0, 1, 10.0)]);
    let found = alone(&same);
    assert_eq!(found.dimensions.frequency.natural_breaks, []);
    assert_eq!(
        entry(&found, Feature::Frequency, "median", 2).customers,
        [3, 0]
    );
    let segments: Vec<u64> = found
        .thresholds
        .segments
        .iter()
        .map(|segment| segment.customers)
        .collect();
    assert_eq!(segments.iter().sum::<u64>(), 3);
    let one = customers(&[(5.0, 1, 10.0)]);
    check(&one, &alone(&one));
}

// Clusters as rules.

fn tiers(k: usize) -> Vec<Tier> {
    (1..=k)
        .map(|rank| Tier {
            key: format!("tier-{rank}"),
            rank: rank as u32,
            name: format!("tier {rank}"),
            name_zh: format!("第{rank}层"),
            code: "111".to_owned(),
        })
        .collect()
}

fn faithful(customers: &Customers, labels: &[u32], k: usize, fidelity: f64) -> ClusterRules {
    let usual = Meaning::default();
    faithful_under(usual, customers, labels, (k, fidelity))
}

fn faithful_under(
    meaning: Meaning,
    customers: &Customers,
    labels: &[u32],
    (k, fidelity): (usize, f64),
) -> ClusterRules {
    let matrix = Array2::from_shape_fn((customers.len(), 1), |(row, _)| {
        customers.monetary[row].ln_1p()
    });
    let tiered = Tiered {
        tiers: &tiers(k),
        labels,
        features: &[Feature::Monetary],
        matrix: matrix.view(),
        meaning,
        as_of: "2024-06-30",
    };
    cluster_rules(customers, &tiered, Faith { fidelity, most: 24 }).unwrap()
}

#[test]
fn two_thresholds_are_found_again() {
    // The best: within 4 days or over 60; all others: neither.
    let best = |row: &(f64, i64, f64)| row.0 <= 4.0 || 60.0 < row.2;
    let rows: Vec<(f64, i64, f64)> = (0..400_i32)
        .map(|i| {
            (
                f64::from(i % 20),
                1 + i64::from(i % 3),
                f64::from(i * 7 % 100),
            )
        })
        .collect();
    let labels: Vec<u32> = rows.iter().map(|row| u32::from(!best(row))).collect();
    let found = faithful(&customers(&rows), &labels, 2, 1.0);
    assert_eq!(
        (found.fidelity, found.revenue_fidelity, found.inertia_price),
        (1.0, Some(1.0), Some(1.0))
    );
    assert_eq!(found.leaves, 3);
    let rest: Vec<&str> = found
        .rules
        .iter()
        .filter(|rule| rule.tier == "tier 2")
        .map(|rule| rule.words.as_str())
        .collect();
    assert_eq!(rest, ["last ordered over 4 days ago, and spent up to 60"]);
    assert_eq!(found.unreached, Vec::<String>::new());
}

#[test]
fn thresholds_of_fractions_of_days_are_proven_as_what_they_are() {
    // Nobody could lie between 0.4 and 0.7 days if days were whole.
    let rows: Vec<(f64, i64, f64)> = (0..300_i32)
        .map(|i| (f64::from(i % 10) / 10.0, 1 + i64::from(i % 3), 10.0))
        .collect();
    let labels: Vec<u32> = (rows.iter())
        .map(|row| u32::from(!(0.4 < row.0 && row.0 <= 0.7)))
        .collect();
    let exact = Meaning {
        recency: Recency::Exact,
        ..Meaning::default()
    };
    let found = faithful_under(exact, &customers(&rows), &labels, (2, 1.0));
    assert_eq!(found.fidelity, 1.0);
    assert_eq!(found.rules[0].bounds[0].1.up_to, Some(0.7));
    let rules = RuleSet::read(&found.toml, "clusters.toml".as_ref()).unwrap();
    assert_eq!(rules.fitted_as_of.as_deref(), Some("2024-06-30"));
    assert!(rules.under(exact).proof().unwrap().is_whole());
}

/// Who is in which tier by the rule file.
fn by_file(found: &ClusterRules, customers: &Customers) -> Vec<String> {
    let rules = RuleSet::parse(&found.toml, "clusters.toml".as_ref()).unwrap();
    assert!(rules.proof().unwrap().is_whole());
    let segmented = rules.fit(customers).unwrap().segments(customers).unwrap();
    let name = |label: &Option<u32>| segmented.names[label.unwrap() as usize].en.clone();
    segmented.labels.iter().map(name).collect()
}

#[test]
fn fidelity_is_that_of_the_rule_file_and_grows_with_the_leaves() {
    let real = cdnow();
    // Borders that no threshold is: a slope in logarithms.
    let labels: Vec<u32> = (0..real.len())
        .map(|row| {
            let slope = real.monetary[row].ln_1p() - 0.004 * real.recency_days[row];
            u32::from(slope < 3.5) + u32::from(slope < 2.0)
        })
        .collect();
    for (fidelity, most) in [(0.9, 24), (0.97, 24), (1.0, 24)] {
        let found = faithful(&real, &labels, 3, fidelity);
        let given = by_file(&found, &real);
        let right = given
            .iter()
            .zip(&labels)
            .filter(|&(name, &label)| *name == format!("tier {}", label + 1))
            .count();
        assert_eq!(found.fidelity, right as f64 / real.len() as f64);
        assert!(found.leaves <= most, "{}", found.leaves);
        assert!(
            found
                .path
                .is_sorted_by(|a, b| a.leaves + 1 == b.leaves && a.fidelity <= b.fidelity),
            "{:?}",
            found.path
        );
        let reachable = found
            .path
            .iter()
            .any(|step| step.leaves <= most && fidelity <= step.fidelity);
        assert!(!reachable || fidelity <= found.fidelity, "{fidelity}");
        // No smaller tree was faithful enough as it grew.
        let smaller = found.path.iter().filter(|step| step.leaves < found.leaves);
        assert!(
            smaller.clone().all(|step| step.fidelity < fidelity),
            "{fidelity}: {}",
            found.leaves
        );
        let inside: u64 = found.rules.iter().map(|rule| rule.customers).sum();
        assert_eq!(inside, real.len() as u64);
        assert_eq!(
            found.rules.iter().map(|rule| rule.right).sum::<u64>(),
            right as u64
        );
        assert!(1.0 <= found.inertia_price.unwrap());
    }
}

#[test]
fn one_tier_needs_no_threshold() {
    let found = faithful(&eight(), &[0; 8], 1, 0.95);
    assert_eq!((found.leaves, found.fidelity), (1, 1.0));
    assert_eq!(found.rules[0].words, "everybody");
    assert_eq!(by_file(&found, &eight()), vec!["tier 1"; 8]);
}

#[test]
fn a_tier_that_no_rule_leads_to_is_named() {
    let labels = [0, 0, 0, 0, 0, 1, 0, 0];
    let found = faithful(&eight(), &labels, 3, 0.8);
    assert!(
        found.unreached.contains(&"tier 3".to_owned()),
        "{:?}",
        found.unreached
    );
}

// The command.

fn cdnow_flags() -> String {
    let data = repository().join("data/cdnow.parquet");
    format!(
        "--input '{}' --customer customer_id --time date --amount amount --count days --as-of 1998-07-01 --k 4 --quiet",
        data.display()
    )
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Warnings of one code.
fn told_warnings(ran: &Ran, code: &str) -> Vec<String> {
    let document = told(ran);
    let all = document["warnings"].as_array().unwrap().iter();
    let of_code = all.filter(|one| one["code"] == code);
    of_code
        .map(|one| one["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Customers by name of a column of assignments.
fn sizes(work: &Workdir, run: &str, column: &str) -> Vec<(String, u64)> {
    let table = read(&work.join(run).join("current/assignments.parquet"));
    let names = table.column(column).unwrap().str().unwrap().clone();
    let mut sizes: Vec<(String, u64)> = Vec::new();
    for name in names.iter().flatten() {
        match sizes.iter_mut().find(|(own, _)| own == name) {
            Some(size) => size.1 += 1,
            None => sizes.push((name.to_owned(), 1)),
        }
    }
    sizes.sort();
    sizes
}

#[test]
fn rule_files_are_taken_by_run_compare_and_backtest_and_give_the_counts_told() {
    let work = Workdir::new();
    let flags = cdnow_flags();
    let ran = work
        .tiermill(&format!(
            "calibrate {flags} --out told --format json --resamples 100"
        ))
        .success();
    let document = told(&ran);
    let written: Value =
        serde_json::from_slice(&std::fs::read(work.join("told/thresholds.json")).unwrap()).unwrap();
    assert_eq!(document, written);
    // thresholds.toml: the segments of a run.
    work.tiermill(&format!(
        "run {flags} --rules told/thresholds.toml --out by-thresholds"
    ))
    .success();
    let mut expected: Vec<(String, u64)> = document["thresholds"]["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| {
            (
                segment["name"].as_str().unwrap().to_owned(),
                segment["customers"].as_u64().unwrap(),
            )
        })
        .filter(|&(_, n)| 0 < n)
        .collect();
    expected.sort();
    assert_eq!(sizes(&work, "by-thresholds", "segment"), expected);
    // clusters.toml: fidelity, counted from tier and segment of every customer.
    work.tiermill(&format!(
        "run {flags} --rules told/clusters.toml --out by-clusters"
    ))
    .success();
    let table = read(&work.join("by-clusters/current/assignments.parquet"));
    let equal = table
        .column("tier_name")
        .unwrap()
        .equal(table.column("segment").unwrap())
        .unwrap();
    let rules = &document["clusters_as_rules"];
    let share = f64::from(equal.sum().unwrap()) / table.height() as f64;
    assert_eq!(rules["fidelity"].as_f64().unwrap(), share);
    assert!(
        0.95 <= share && rules["rules"].as_array().unwrap().len() <= 24,
        "{share}"
    );
    let revenue = table.column("monetary").unwrap().f64().unwrap().clone();
    let kept = revenue.filter(&equal).unwrap().sum().unwrap() / revenue.sum().unwrap();
    close(
        rules["revenue_fidelity"].as_f64().unwrap(),
        kept,
        1e-9,
        "revenue",
    );
    work.tiermill(&format!("compare clusters told/thresholds.toml {flags}"))
        .success();
    let flags = flags.replace("--as-of 1998-07-01 ", "");
    let ran = work.tiermill(&format!("backtest --at 1998-01-01 --horizon 90d {flags} --against told/thresholds.toml told/clusters.toml --resamples 100 --format json")).success();
    // They were fitted to what came after, too.
    let warnings = told_warnings(&ran, "rules_from_the_future");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(
        warnings[0],
        "rules `thresholds` were fitted to data as of 1998-07-01T00:00:00, and are judged from 1998-01-01T00:00:00 on: they know some of what they are judged by, which flatters them; fit them anew with `--as-of 1998-01-01T00:00:00`"
    );
    let query = std::fs::read_to_string(work.join("told/thresholds.sql")).unwrap();
    assert!(
        query.contains("AS r_score") && query.contains("AS tier_by_rules"),
        "{query}"
    );
}

#[test]
fn a_band_of_hardly_anybody_is_told() {
    let work = Workdir::new();
    let flags = cdnow_flags();
    let thin = |more: &str| {
        let command = format!("calibrate {flags} --format json --resamples 100 {more}");
        let document = told(&work.tiermill(&command).success());
        let warnings = document["warnings"].as_array().unwrap().clone();
        let mut thin = warnings.iter().filter(|one| one["code"] == "thin_band");
        thin.next()
            .map(|one| one["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(thin(""), None);
    // A few great customers have a band of their own on raw money.
    let message = thin("--scheme natural-breaks --bands 4").unwrap();
    assert!(
        message.contains("monetary over 3500 (15, 0.06 %)"),
        "{message}"
    );
    assert!(
        message.contains("fewer than 1 % of the customers"),
        "{message}"
    );
    assert_eq!(
        thin("--scheme natural-breaks --bands 4 --min-share 0"),
        None
    );
    // Too few numbers of orders for five bands: those of fewer bands count, as in the file.
    let message = thin("--window 5d --scheme natural-breaks --bands 5 --min-share 0.07").unwrap();
    assert!(
        message.contains("fewer than 7 % of the customers"),
        "{message}"
    );
    assert!(message.contains("frequency over "), "{message}");
}

#[test]
fn a_dimension_of_two_values_counts_for_two_bands_and_for_three() {
    // Even values: two bands explain 75 %, three 89 %. One or two orders: two bands explain all, and there is no third.
    let rows: Vec<(f64, i64, f64)> = (0..100_i32)
        .map(|i| (f64::from(i), 1 + i64::from(i % 2), f64::from(i)))
        .collect();
    let wanted = Wanted {
        scheme: Some("natural-breaks".to_owned()),
        ..Wanted::default()
    };
    let customers = customers(&rows);
    let labels = (names(1), vec![0; 100]);
    let found = calibrate(
        &customers,
        (&labels.0, &labels.1),
        None,
        (&wanted, RESAMPLING),
    );
    assert_eq!(
        found.unwrap().thresholds.why,
        "a third band would explain 9 % more of the variance"
    );
}

#[test]
fn a_third_band_of_hardly_anybody_is_not_taken() {
    let work = Workdir::new();
    let help = work.tiermill("calibrate --help").success().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("[default: natural breaks 2, or 3 where a third is worth it; quantiles 5;"),
        "{help}"
    );
    let flags = cdnow_flags();
    let chosen = |more: &str| {
        let command = format!(
            "calibrate {flags} --format json --resamples 100 --scheme natural-breaks {more}"
        );
        let document = told(&work.tiermill(&command).success());
        let thresholds = &document["thresholds"];
        let why = thresholds["why"].as_str().unwrap().to_owned();
        (thresholds["bands"].as_u64().unwrap(), why)
    };
    // On raw money the great customers are few: 3 bands leave them alone.
    let (bands, why) = chosen("--min-share 0");
    assert_eq!(
        (bands, why.contains("a third band explains")),
        (3, true),
        "{why}"
    );
    let (bands, why) = chosen("--min-share 0.012");
    assert_eq!(
        (bands, why.contains("of the customers in one")),
        (2, true),
        "{why}"
    );
    // Where two bands are as thin, there is nothing to spare.
    assert_eq!(chosen("--min-share 0.2").0, 3);
}

#[test]
fn a_run_publishes_thresholds_and_calibrate_tells_how_they_moved() {
    let work = Workdir::new();
    let flags = cdnow_flags();
    for as_of in ["1998-05-01", "1998-06-01"] {
        work.tiermill(&format!(
            "run {} --out out",
            flags.replace("1998-07-01", as_of)
        ))
        .success();
    }
    let document = work.json("thresholds.json");
    assert_eq!(document["as_of"], "1998-06-01T00:00:00");
    assert_eq!(document.get("history"), None);
    let outputs = work.json("manifest.json")["outputs"].to_string();
    for file in ["thresholds.toml", "thresholds.json", "thresholds.sql"] {
        assert!(outputs.contains(file), "{file} is not in the manifest");
    }
    RuleSet::parse(
        &std::fs::read_to_string(work.current().join("thresholds.toml")).unwrap(),
        "t.toml".as_ref(),
    )
    .unwrap();
    // What nobody can read any more is passed over.
    work.write(
        "out/runs/1998-06-15-old/thresholds.json",
        "{\"as_of\": 3, \"dimensions\": {\"recency_days\": {\"mean\": [{}]}}}",
    );
    work.write("out/runs/1998-06-16-broken/thresholds.json", "{");
    let ran = work
        .tiermill(&format!(
            "calibrate {flags} --runs out --format json --resamples 100"
        ))
        .success();
    let history = told(&ran)["history"].clone();
    let of = |as_of: &str| {
        let all = history.as_array().unwrap().iter();
        let mut found = all.filter(|past| {
            past["as_of"] == as_of
                && past["dimension"] == "recency_days"
                && past["scheme"] == "natural-breaks"
                && past["bands"] == 3
        });
        let one = found.next().unwrap().clone();
        assert!(found.next().is_none());
        one
    };
    assert_eq!(
        of("1998-06-01T00:00:00")["cut_points"],
        document["dimensions"]["recency_days"]["natural-breaks"][1]["cut_points"]
    );
    assert!(
        of("1998-05-01T00:00:00")["run_id"]
            .as_str()
            .unwrap()
            .starts_with("1998-05-01")
    );
    assert_eq!(history[0]["as_of"], "1998-05-01T00:00:00");
    // Cut points do not depend on how thorough the intervals are.
    let again = work
        .tiermill(&format!(
            "calibrate {} --format json --resamples 100",
            flags.replace("1998-07-01", "1998-06-01")
        ))
        .success();
    let again = told(&again);
    for dimension in ["recency_days", "frequency", "monetary"] {
        for (scheme, entries) in again["dimensions"][dimension].as_object().unwrap() {
            for (index, entry) in entries.as_array().unwrap().iter().enumerate() {
                let night = &document["dimensions"][dimension][scheme][index];
                assert_eq!(
                    night["cut_points"], entry["cut_points"],
                    "{dimension} {scheme}"
                );
                assert_eq!(night["rounded"], entry["rounded"], "{dimension} {scheme}");
            }
        }
    }
    let text = work
        .tiermill(&format!(
            "calibrate {flags} --runs out --explain --resamples 100"
        ))
        .success()
        .answer();
    assert!(
        text.contains("Past runs") && text.contains("1998-05-01"),
        "{text}"
    );
    // The tiers of a saved model are those that a fit of the same orders finds.
    work.tiermill(&format!("run {flags} --out fitted"))
        .success();
    let model = "--model fitted/current/model.json";
    let by_model = work
        .tiermill(&format!(
            "calibrate {flags} {model} --rules eight --format json --resamples 100"
        ))
        .success();
    let by_fit = work
        .tiermill(&format!(
            "calibrate {flags} --rules eight --format json --resamples 100"
        ))
        .success();
    assert_eq!(
        told(&by_model)["clusters_as_rules"],
        told(&by_fit)["clusters_as_rules"]
    );
}

#[test]
fn orders_of_six_customers_are_told_in_a_table() {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let ran = work
        .tiermill(&format!(
            "calibrate --input orders.parquet {COLUMNS} --k 2 --quiet --resamples 100"
        ))
        .success();
    let text = ran.answer();
    for part in [
        "Cut points of 6 customers, as of 2024-04-01",
        "natural-breaks",
        "Clusters as rules",
        "thresholds.toml",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 200),
        "{text}"
    );
    assert!(!work.join("out").exists());
}

#[test]
fn thresholds_follow_the_scheme_and_the_bands_that_are_asked_for() {
    let work = Workdir::new();
    let flags = cdnow_flags();
    for (scheme, bands, map, segments) in [
        ("natural-breaks", 4, "codes", 64),
        ("quantile", 5, "enumerated-11", 11),
        ("mean", 2, "eight", 8),
        ("kmeans", 4, "codes", 64),
    ] {
        let ran = work.tiermill(&format!("calibrate {flags} --scheme {scheme} --bands {bands} --format json --resamples 100 --out {scheme}")).success();
        let thresholds = told(&ran)["thresholds"].clone();
        assert_eq!(
            (&thresholds["scheme"], &thresholds["map"]),
            (&json!(scheme), &json!(map))
        );
        assert_eq!(
            thresholds["segments"].as_array().unwrap().len(),
            segments,
            "{scheme}"
        );
        work.tiermill(&format!("maps --check {scheme}/thresholds.toml"))
            .success();
    }
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let call = |more: &str| {
        let ran = work.tiermill(&format!(
            "calibrate --input orders.parquet {COLUMNS} --k 2 --quiet {more}"
        ));
        (
            ran.code,
            ran.stderr.lines().next().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        call("--fidelity 1.5"),
        (
            2,
            "error: `fidelity` is 1.5, expected a share above 0 and up to 1, as in `0.95`"
                .to_owned()
        )
    );
    assert_eq!(call("--fidelity nan").0, 2);
    assert_eq!(
        call("--resamples 3"),
        (
            2,
            "error: `resamples` is 3, expected 100 to 100000".to_owned()
        )
    );
    assert_eq!(
        call("--max-rules 1"),
        (2, "error: `max-rules` is 1, expected 2 to 256".to_owned())
    );
    assert_eq!(call("--scheme nonsense").0, 2);
    assert_eq!(
        call("--scheme mean --bands 3"),
        (
            2,
            "error: `bands` is 3, expected what `mean` has here: 2".to_owned()
        )
    );
    assert_eq!(call("--model nothing.json").0, 1);
    work.write("published/manifest.json", "{}");
    let (code, message) = call("--out published");
    assert_eq!(
        (code, message.contains("manifest.json")),
        (1, true),
        "{message}"
    );
    assert_eq!(call("--out orders.parquet").0, 1);
    work.parquet("none.parquet", orders(&[("ann", "2024-01-01", 10.0)]));
    let ran = work.tiermill(&format!(
        "calibrate --input none.parquet {COLUMNS} --quiet --out fresh"
    ));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(!work.join("fresh/thresholds.toml").exists());
}

#[test]
fn the_features_of_the_model_may_be_in_the_rules() {
    let work = Workdir::new();
    let flags = cdnow_flags();
    let ran = work.tiermill(&format!("calibrate {flags} --features recency_days,tenure_days --format json --resamples 100 --out t")).success();
    let rules = &told(&ran)["clusters_as_rules"];
    assert!(rules.to_string().contains("tenure_days"), "{rules}");
    work.tiermill(&format!(
        "run {flags} --features recency_days,tenure_days --rules t/clusters.toml --out out"
    ))
    .success();
}
