//! Tiers of a day in the past, judged by what came after: figures by hand, nothing leaks, intervals, bad input, CDNOW.

use polars::prelude::*;
use serde_json::{Value, json};
use tiermill::compare::Tiering;
use tiermill::compare::backtest::{
    Backtest, Measure, Ranked, Resampling, Trial, backtest, by_past, by_score_sum, measure, random,
};
use tiermill::load::Future;
use tiermill::rules::Scores;

use crate::support::{COLUMNS, Ran, Workdir, close, extra_data, orders, read, repository, threads};

// Figures by hand.

fn ranked(name: &str, labels: &[u32]) -> Ranked {
    let tiers = labels.iter().max().map_or(0, |&most| most + 1);
    Ranked {
        name: name.to_owned(),
        tiers: (1..=tiers).map(|tier| format!("{name} {tier}")).collect(),
        labels: labels.to_vec(),
    }
}

/// What customers did: orders and amounts, in whole units.
fn future(did: &[(i64, i64)]) -> Future {
    Future {
        orders: did.iter().map(|did| did.0).collect(),
        revenue: did.iter().map(|did| did.1).collect(),
        decimals: 0,
        newcomers: 0,
        newcomers_revenue: 0,
    }
}

fn judged(folds: &[(&[Ranked], &Future)], resamples: usize) -> Backtest {
    let measured = folds.iter().map(|(tierings, future)| {
        let hashes: Vec<u64> = (0..future.revenue.len() as u64).collect();
        let trial = Trial {
            at: "2024-03-01T00:00:00",
            until: "2024-03-31T00:00:00",
            tierings,
            future,
            hashes: &hashes,
        };
        measure(&trial, 30).unwrap()
    });
    let resampling = Resampling {
        resamples,
        seed: 42,
    };
    backtest(measured.collect(), resampling).unwrap()
}

/// Eight customers in three tiers, and what they brought.
fn eight() -> (Vec<u32>, Future) {
    let did = [
        (2, 50),
        (1, 30),
        (1, 10),
        (0, 0),
        (0, 0),
        (1, 10),
        (0, 0),
        (0, 0),
    ];
    (vec![0, 0, 1, 1, 1, 2, 2, 2], future(&did))
}

#[track_caller]
fn figure(document: &Value, tiering: &str, name: &str, expected: f64) {
    let found = &document["tierings"][tiering][name];
    close(found.as_f64().unwrap(), expected, 1e-12, name);
}

#[test]
fn eight_customers_come_out_as_on_paper() {
    let (labels, future) = eight();
    let tierings = [ranked("t", &labels)];
    let told = serde_json::to_value(judged(&[(&tierings, &future)], 100)).unwrap();
    // 80 of 100 by 2 of 8: 40 each over 12.50 each.
    figure(&told, "t", "lift", 3.2);
    figure(&told, "t", "top_capture", 0.8);
    // Lorenz from the worst: (3/8, 0.1), (6/8, 0.2), (1, 1).
    figure(
        &told,
        "t",
        "gini",
        1.0 - (0.375 * 0.1 + 0.375 * 0.3 + 0.25 * 1.2),
    );
    // A fifth of the customers is four fifths of the top tier.
    figure(&told, "t", "capture_20", 0.64);
    // Ranks of tiers 2, 5, 7.5; of amounts 2.5 (four times 0), 5.5 (twice 10), 7, 8; products and squares from 4.5 on.
    figure(
        &told,
        "t",
        "rank_correlation",
        24.0 / f64::sqrt(37.5 * 36.5),
    );
    assert_eq!(told["tierings"]["t"]["monotone"], json!(true));
    assert_eq!(
        told["tierings"]["t"]["tiers"],
        json!([
            {"name": "t 1", "customers": 2, "repeat_rate": 1.0, "orders": 3, "orders_per_customer": 1.5,
             "revenue": 80.0, "revenue_per_customer": 40.0},
            {"name": "t 2", "customers": 3, "repeat_rate": 1.0 / 3.0, "orders": 1, "orders_per_customer": 1.0 / 3.0,
             "revenue": 10.0, "revenue_per_customer": 10.0 / 3.0},
            {"name": "t 3", "customers": 3, "repeat_rate": 1.0 / 3.0, "orders": 1, "orders_per_customer": 1.0 / 3.0,
             "revenue": 10.0, "revenue_per_customer": 10.0 / 3.0},
        ])
    );
    let fold = &told["folds"][0];
    assert_eq!(fold["at"], json!("2024-03-01T00:00:00"));
    assert_eq!(
        (&fold["horizon_days"], &fold["customers"]),
        (&json!(30), &json!(8))
    );
    assert_eq!(fold["repeat_rate"], json!(0.5));
    assert_eq!(fold["tierings"]["t"]["gini"], told["tierings"]["t"]["gini"]);
}

#[test]
fn tiers_in_the_wrong_order_are_told_so() {
    let (labels, future) = eight();
    let turned: Vec<u32> = labels.iter().map(|&label| 2 - label).collect();
    let tierings = [ranked("t", &turned)];
    let told = serde_json::to_value(judged(&[(&tierings, &future)], 100)).unwrap();
    figure(&told, "t", "lift", (10.0 / 3.0) / 12.5);
    figure(
        &told,
        "t",
        "gini",
        1.0 - (0.25 * 0.8 + 0.375 * 1.7 + 0.375 * 1.9),
    );
    figure(
        &told,
        "t",
        "rank_correlation",
        -24.0 / f64::sqrt(37.5 * 36.5),
    );
    assert_eq!(told["tierings"]["t"]["monotone"], json!(false));
}

#[test]
fn refunds_make_a_future_negative_and_no_revenue_makes_no_figure() {
    let labels = [0, 0, 1, 1];
    let tierings = [ranked("t", &labels)];
    let refunds = future(&[(1, 30), (0, -20), (0, 0), (1, 10)]);
    let told = serde_json::to_value(judged(&[(&tierings, &refunds)], 100)).unwrap();
    figure(&told, "t", "lift", 1.0);
    figure(&told, "t", "top_capture", 0.5);
    assert_eq!(told["tierings"]["t"]["tiers"][0]["revenue"], json!(10.0));
    let nothing = future(&[(0, 0); 4]);
    let told = judged(&[(&tierings, &nothing)], 100);
    for measure in Measure::ALL {
        assert_eq!(told.tierings[0].figures.get(measure), None, "{measure:?}");
    }
    assert_eq!(told.verdict.best, None);
    assert!(
        told.verdict.words[0].contains("no revenue"),
        "{:?}",
        told.verdict.words
    );
}

#[test]
fn folds_are_put_together_by_their_customers_and_revenue() {
    let (labels, later) = eight();
    let earlier = future(&[
        (1, 20),
        (0, 0),
        (1, 20),
        (0, 0),
        (0, 0),
        (1, 60),
        (0, 0),
        (0, 0),
    ]);
    let tierings = [ranked("t", &labels)];
    let both = judged(&[(&tierings, &later), (&tierings, &earlier)], 100);
    let alone = |future: &Future| judged(&[(&tierings, future)], 100).tierings[0].figures;
    let (a, b) = (alone(&later), alone(&earlier));
    let found = both.tierings[0].figures;
    // 100 of 200 by 4 of 16.
    close(found.lift.unwrap(), 2.0, 1e-12, "lift");
    close(found.top_capture.unwrap(), 0.5, 1e-12, "top tier");
    // Both folds earned 100 with 8 customers.
    let half = |a: Option<f64>, b: Option<f64>| f64::midpoint(a.unwrap(), b.unwrap());
    close(found.gini.unwrap(), half(a.gini, b.gini), 1e-12, "gini");
    close(
        found.capture_20.unwrap(),
        half(a.capture_20, b.capture_20),
        1e-12,
        "best fifth",
    );
    let correlation = half(a.rank_correlation, b.rank_correlation);
    close(
        found.rank_correlation.unwrap(),
        correlation,
        1e-12,
        "rank correlation",
    );
    let tiers = &both.tierings[0].tiers;
    assert_eq!(
        (tiers[2].customers, tiers[2].orders, tiers[2].revenue),
        (6, 2, 70.0)
    );
    assert!(!both.tierings[0].monotone, "the earlier fold rises");
    assert_eq!(both.folds[1].tierings[0].figures, b);
}

// Tierings.

#[test]
fn segments_are_ranked_by_what_they_brought_before() {
    let tiering = Tiering {
        name: "rules".to_owned(),
        names: ["poor", "nobody", "rich", "middling"]
            .map(str::to_owned)
            .to_vec(),
        labels: vec![0, 0, 2, 3, 3, 3],
        ranked: false,
        margins: None,
    };
    let by_worth = by_past(&tiering, &[1, 2, 90, 10, 20, 30]);
    assert_eq!(by_worth.tiers, ["rich", "middling", "poor"]);
    assert_eq!(by_worth.labels, [2, 2, 0, 1, 1, 1]);
    // Tiers that have ranks are measured by the same yardstick.
    let known = Tiering {
        ranked: true,
        ..tiering
    };
    assert_eq!(by_past(&known, &[1, 2, 90, 10, 20, 30]), by_worth);
}

#[test]
fn quantile_tiers_are_sums_of_scores() {
    let scores = Scores {
        recency: vec![5, 1, 3, 5],
        frequency: vec![5, 1, 2, 4],
        monetary: vec![5, 1, 1, 5],
    };
    let found = by_score_sum("quantile", &scores);
    assert_eq!(found.tiers, ["score 15", "score 14", "score 6", "score 3"]);
    assert_eq!(found.labels, [0, 3, 2, 1]);
}

#[test]
fn random_tiers_have_the_sizes_of_the_others_and_a_lift_of_one() {
    let labels: Vec<u32> = (0..30_000).map(|i| u32::from(i % 10 != 0)).collect();
    let dealt = random(&ranked("t", &labels), 7);
    assert_eq!(dealt.sizes(), [3_000, 27_000]);
    assert_ne!(dealt, random(&ranked("t", &labels), 8));
    assert_eq!(dealt, random(&ranked("t", &labels), 7));
    let did: Vec<(i64, i64)> = (0..30_000).map(|i| (1, 100 + i * 7_919 % 101)).collect();
    let told = judged(&[(&[dealt], &future(&did))], 100);
    close(told.tierings[0].figures.lift.unwrap(), 1.0, 0.02, "lift");
    close(told.tierings[0].figures.gini.unwrap(), 0.0, 0.01, "gini");
}

// Intervals.

/// Two customers of three bring nothing.
fn many(n: usize) -> Future {
    let amount = |i: usize| {
        let drawn = (i * 48_271 % 65_537) as i64;
        if drawn % 3 == 0 { drawn } else { 0 }
    };
    future(
        &(0..n)
            .map(|i| (i64::from(amount(i) != 0), amount(i)))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn identical_tierings_differ_by_nothing_at_all() {
    let future = many(500);
    let labels: Vec<u32> = (0..500).map(|i| i * 7_919 % 5).collect();
    let tierings = [ranked("one", &labels), ranked("other", &labels)];
    let told = judged(&[(&tierings, &future)], 200);
    assert_eq!(told.differences.len(), Measure::ALL.len());
    for found in &told.differences {
        let all = (found.difference, found.low, found.high);
        assert_eq!(
            all,
            (Some(0.0), Some(0.0), Some(0.0)),
            "{:?}",
            found.measure
        );
        assert_eq!(
            (found.verdict.as_str(), &found.better),
            ("not distinguishable", &None)
        );
    }
    let own = &told.tierings[0].intervals;
    assert!(
        own.iter()
            .all(|(_, bounds)| bounds.is_some_and(|[low, high]| low < high))
    );
}

#[test]
fn a_difference_of_two_random_tierings_is_found_as_often_as_the_level_says() {
    let future = many(2_000);
    let labels: Vec<u32> = (0..2_000).map(|i| u32::from(i % 4 != 0)).collect();
    let like = ranked("t", &labels);
    let mut found = 0;
    for seed in 0..60 {
        let one = Ranked {
            name: "one".to_owned(),
            ..random(&like, seed)
        };
        let other = Ranked {
            name: "other".to_owned(),
            ..random(&like, 1_000 + seed)
        };
        let told = judged(&[(&[one, other], &future)], 100);
        found += usize::from(told.differences.iter().any(|difference| {
            difference.measure == Measure::RankCorrelation && difference.better.is_some()
        }));
    }
    // One in ten by design; 6 of 60 with a deviation of 2.3.
    assert!((1..=14).contains(&found), "{found} of 60");
}

#[test]
fn a_better_tiering_is_called_better_from_either_side() {
    let future = many(1_000);
    let by_outcome: Vec<u32> = future
        .revenue
        .iter()
        .map(|&units| u32::from(units == 0))
        .collect();
    let good = ranked("good", &by_outcome);
    let dealt = random(&good, 1);
    let told = judged(&[(&[dealt, good], &future)], 100);
    for measure in Measure::ALL {
        let found = told.difference("good", "random", measure).unwrap();
        assert_eq!(found.verdict, "good is better", "{measure:?}");
        assert!(
            0.0 < found.low.unwrap()
                && found.low <= found.difference
                && found.difference <= found.high
        );
        let turned = told.difference("random", "good", measure).unwrap();
        assert_eq!(turned.difference.unwrap(), -found.difference.unwrap());
        assert_eq!(turned.low.unwrap(), -found.high.unwrap());
    }
    assert_eq!(told.verdict.best.as_deref(), Some("good"));
    assert_eq!(told.verdict.better_than, ["random"]);
}

#[test]
fn verdicts_do_not_depend_on_threads() {
    let future = many(3_000);
    let labels: Vec<u32> = (0..3_000).map(|i| i * 7_919 % 5).collect();
    let tierings = [ranked("one", &labels), random(&ranked("t", &labels), 3)];
    let on = |n| threads(n, || judged(&[(&tierings, &future)], 100));
    assert_eq!(on(1), on(3));
}

#[test]
fn a_tiering_without_a_tier_for_everybody_is_refused() {
    let (labels, future) = eight();
    let short = [ranked("t", &labels[..7])];
    let hashes: Vec<u64> = (0..8).collect();
    let trial = Trial {
        at: "",
        until: "",
        tierings: &short,
        future: &future,
        hashes: &hashes,
    };
    let error = measure(&trial, 30).unwrap_err();
    assert_eq!(error.to_string(), "`t` has 7 labels, expected 8");
    assert_eq!(error.exit_code(), 1);
}

// The command.

/// Customer, day, amount.
type Row = (String, String, f64);
/// What happens to the rows after T.
type Change<'a> = &'a dyn Fn(&mut Vec<Row>);

/// Sixty customers, the first order of each in January, more of the busy ones until the end of February.
fn past() -> Vec<Row> {
    let mut rows = Vec::new();
    for customer in 0..60_u32 {
        let name = format!("c{customer:02}");
        let visits = 1 + customer * customer % 7;
        for visit in 0..visits {
            let day = (customer * 13 + visit * 17) % 59;
            let date = if day < 31 {
                format!("2024-01-{:02}", day + 1)
            } else {
                format!("2024-02-{:02}", day - 30)
            };
            let amount = f64::from(5 + (customer * 37 + visit * 11) % 90);
            rows.push((name.clone(), date, amount));
        }
    }
    rows
}

/// What they did in March, with a row on its last day so that the data ends there.
fn march() -> Vec<Row> {
    let mut rows = vec![("c00".to_owned(), "2024-03-31".to_owned(), 1.0)];
    for customer in (0..60_u32).step_by(3) {
        let date = format!("2024-03-{:02}", 1 + customer % 28);
        rows.push((format!("c{customer:02}"), date, f64::from(10 + customer)));
    }
    rows
}

fn table(rows: &[Row]) -> DataFrame {
    let rows: Vec<(&str, &str, f64)> = rows
        .iter()
        .map(|(customer, date, amount)| (customer.as_str(), date.as_str(), *amount))
        .collect();
    orders(&rows)
}

const ASK: &str = "backtest --at 2024-03-01 --horizon 31d --resamples 100 --quiet";

fn ask(work: &Workdir, rows: &[Row], flags: &str) -> Ran {
    work.parquet("orders.parquet", table(rows));
    work.tiermill(&format!("{ASK} --input orders.parquet {COLUMNS} {flags}"))
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The tiers of everybody at T, without what came after.
fn tiers(work: &Workdir) -> DataFrame {
    read(&work.join("told/backtest.parquet")).drop_many(["future_orders", "future_revenue"])
}

#[test]
fn nothing_after_t_leaks_into_the_tiers() {
    nothing_leaks("3");
}

#[test]
fn nothing_after_t_leaks_into_the_number_of_tiers() {
    nothing_leaks("auto");
}

/// The tiers of each tiering, best first: their order, too, is one of T.
fn order(told: &Value) -> Vec<(String, Vec<Value>)> {
    let tierings = told["folds"][0]["tierings"].as_object().unwrap();
    let names = |tiering: &Value| {
        let tiers = tiering["tiers"].as_array().unwrap().iter();
        tiers.map(|tier| tier["name"].clone()).collect()
    };
    tierings
        .iter()
        .map(|(name, tiering)| (name.clone(), names(tiering)))
        .collect()
}

fn nothing_leaks(k: &str) {
    // In a world without a March the last day stands alone.
    let flags = &format!("--k {k} --against eight --format json --out told --max-gap 60d");
    let model = |work: &Workdir| {
        let flags = format!("--input orders.parquet {COLUMNS} --k {k} --as-of 2024-03-01 --quiet");
        work.tiermill(&format!("run --out out {flags}")).success();
        std::fs::read(work.current().join("model.json")).unwrap()
    };
    let change = |change: Change<'_>| {
        let work = Workdir::new();
        let mut rows = march();
        change(&mut rows);
        let rows = [past(), rows].concat();
        let told = document(&ask(&work, &rows, flags).success());
        (tiers(&work), model(&work), told)
    };
    let (expected, fitted, told) = change(&|_| {});
    assert_eq!(expected.shape(), (60, 7));
    // These are the tiers that a run on that day publishes.
    let work = Workdir::new();
    work.parquet("orders.parquet", table(&past()));
    assert_eq!(model(&work), fitted);
    let published = work.table("assignments.parquet");
    let names = |table: &DataFrame, column: &str| -> Vec<Option<String>> {
        let names = table.column(column).unwrap().str().unwrap();
        names.iter().map(|name| name.map(str::to_owned)).collect()
    };
    assert_eq!(names(&published, "tier_name"), names(&expected, "clusters"));
    let last = |rows: &Vec<Row>| rows[0].clone();
    let worlds: [(&str, Change<'_>); 5] = [
        ("amounts", &|rows| {
            rows.iter_mut().for_each(|row| row.2 *= 10_000.0)
        }),
        ("newcomers", &|rows| {
            let new = (0..200).map(|i| (format!("n{i}"), "2024-03-05".to_owned(), 1e6));
            rows.extend(new);
        }),
        ("nobody", &|rows| rows.truncate(1)),
        ("dates", &|rows| {
            let first = last(rows);
            rows.iter_mut()
                .for_each(|row| row.1 = "2024-04-05".to_owned());
            rows[0] = first;
        }),
        ("refunds", &|rows| {
            let first = last(rows);
            rows.iter_mut().for_each(|row| row.2 = -row.2);
            rows[0] = first;
        }),
    ];
    for (name, world) in worlds {
        let (found, model, other) = change(world);
        assert_eq!(found, expected, "{name}");
        assert_eq!(model, fitted, "{name}");
        assert_eq!(other["warnings"], told["warnings"], "{name}");
        assert_eq!(order(&other), order(&told), "{name}");
        assert_ne!(
            other["folds"], told["folds"],
            "{name} changes nothing, so it proves nothing"
        );
    }
}

#[test]
fn what_came_after_is_net_of_refunds_and_newcomers_are_counted_apart() {
    let work = Workdir::new();
    let mut rows = past();
    for (customer, day, amount) in [
        ("c01", "2024-03-01", 20.0),
        ("c01", "2024-03-09", -5.5),
        ("c02", "2024-03-10", -7.25),
        ("c03", "2024-04-01", 1_000.0),
        ("new", "2024-03-31", 40.0),
    ] {
        rows.push((customer.to_owned(), day.to_owned(), amount));
    }
    let told = document(&ask(&work, &rows, "--k 3 --format json --out told").success());
    let fold = &told["folds"][0];
    assert_eq!(
        (&fold["customers"], &fold["orders"]),
        (&json!(60), &json!(1))
    );
    assert_eq!(fold["revenue"], json!(20.0 - 5.5 - 7.25));
    assert_eq!(
        (&fold["newcomers"], &fold["newcomers_revenue"]),
        (&json!(1), &json!(40.0))
    );
    assert_eq!(fold["until"], json!("2024-04-01T00:00:00"));
    let customers = read(&work.join("told/backtest.parquet"));
    let revenue: Vec<f64> = customers
        .column("future_revenue")
        .unwrap()
        .f64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    assert_eq!(revenue[..4], [0.0, 14.5, -7.25, 0.0]);
    let orders: Vec<i64> = customers
        .column("future_orders")
        .unwrap()
        .i64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    assert_eq!(orders[..4], [0, 1, 0, 0]);
}

#[test]
fn rules_that_were_fitted_to_the_future_are_told() {
    let work = Workdir::new();
    let rows = [past(), march()].concat();
    let rules = |as_of: &str| {
        format!(
            "name = 'own'\n{as_of}\n[[segments]]\nname = 'big'\nmonetary = '> 100'\n[[segments]]\nname = 'small'\notherwise = true\n"
        )
    };
    let told = |as_of: &str, flags: &str| {
        work.write("own.toml", rules(as_of));
        let told = document(&ask(&work, &rows, &format!("--k 2 --format json {flags}")).success());
        let all = told["warnings"].as_array().unwrap().iter();
        let found = all.filter(|one| one["code"] == "rules_from_the_future");
        found.map(|one| one["message"].clone()).collect::<Vec<_>>()
    };
    for unmarked in [
        "",
        "fitted-as-of = '2024-03-01'",
        "fitted-as-of = 2024-02-01",
    ] {
        assert_eq!(told(unmarked, "--against own.toml"), Vec::<Value>::new());
    }
    let message = "rules `own` were fitted to data as of 2024-04-01, and are judged from 2024-03-01T00:00:00 on: \
                   they know some of what they are judged by, which flatters them; fit them anew with `--as-of 2024-03-01T00:00:00`";
    let late = "fitted-as-of = '2024-04-01'";
    assert_eq!(told(late, "--against own.toml"), [message]);
    assert_eq!(told(late, "--rules own.toml"), [message]);
    // Each fold has its own T.
    let folds = told(
        "fitted-as-of = '2024-03-01'",
        "--against own.toml --folds 2",
    );
    assert_eq!(folds.len(), 1, "{folds:?}");
    assert!(
        folds[0]
            .as_str()
            .unwrap()
            .starts_with("at 2024-01-30: rules `own`"),
        "{folds:?}"
    );
    // Frozen on all of the data, or on what came before.
    let freeze = |flags: &str| {
        let flags =
            format!("--input orders.parquet {COLUMNS} --rules eight --to frozen.toml {flags}");
        std::fs::remove_file(work.join("frozen.toml")).ok();
        work.tiermill(&format!("rules freeze {flags}")).success();
        told("", "--against frozen.toml").len()
    };
    assert_eq!(freeze("--quiet"), 1);
    assert_eq!(freeze("--quiet --as-of 2024-03-01"), 0);
    let shown = work.tiermill("maps frozen.toml").success().stdout;
    assert!(
        shown.contains("Cut points found in data as of 2024-03-01T00:00:00."),
        "{shown}"
    );
}

#[test]
fn who_has_no_tier_is_not_called_new() {
    let work = Workdir::new();
    let mut rows = [past(), march()].concat();
    rows.push(("back".to_owned(), "2024-01-02".to_owned(), 10.0));
    rows.push(("back".to_owned(), "2024-03-20".to_owned(), 10.0));
    let ran = ask(&work, &rows, "--k 2 --window 30d").success();
    let answer = ran.answer();
    assert!(
        answer.contains("No tier") && !answer.contains("ewcomer"),
        "{answer}"
    );
}

#[test]
fn a_backtest_is_the_same_for_any_threads_and_any_order_of_rows() {
    let work = Workdir::new();
    let mut rows = [past(), march()].concat();
    let flags = "--k 3 --folds 1 --against eight --format json";
    let one = ask(&work, &rows, &format!("{flags} --threads 1")).success();
    rows.reverse();
    let other = ask(&work, &rows, &format!("{flags} --threads 3")).success();
    assert_eq!(one.stdout, other.stdout);
    let told = document(&one);
    assert_eq!(told["level"], json!(0.9));
    assert_eq!(
        told["differences"].as_array().unwrap().len(),
        10 * Measure::ALL.len()
    );
    let names: Vec<&String> = told["tierings"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["clusters", "breaks", "eight", "quantile", "random"]);
}

#[test]
fn the_answer_for_people_begins_with_the_verdict() {
    let work = Workdir::new();
    let rows = [past(), march()].concat();
    let ran = ask(&work, &rows, "--k 3 --rules eight --out told").success();
    let answer = ran.answer();
    let best = std::fs::read(work.join("told/backtest.json")).unwrap();
    let best: Value = serde_json::from_slice(&best).unwrap();
    let words = best["verdict"]["words"][0].as_str().unwrap();
    let begin: String = words.chars().take(60).collect();
    assert!(answer.replace("\n  ", " ").starts_with(&begin), "{answer}");
    for part in [
        "Periods of 31 days",
        "Tierings (with 90 % intervals)",
        "Differences",
        "Key value",
        "told/backtest.parquet",
    ] {
        assert!(answer.contains(part), "no `{part}` in\n{answer}");
    }
    let widest = answer
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap();
    assert!(widest <= 120, "{widest} columns");
}

#[test]
fn folds_go_back_by_the_horizon() {
    let work = Workdir::new();
    let rows = [past(), march()].concat();
    work.parquet("orders.parquet", table(&rows));
    let told = work.tiermill(&format!(
        "backtest --at 2024-03-12 --horizon 20d --folds 3 --k 2 --resamples 100 --quiet --format json --input orders.parquet {COLUMNS}"
    ));
    let told = document(&told.success());
    let periods: Vec<(&Value, &Value)> = told["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| (&fold["at"], &fold["until"]))
        .collect();
    let day = |day: &str| json!(format!("2024-{day}T00:00:00"));
    let expected = [("03-12", "04-01"), ("02-21", "03-12"), ("02-01", "02-21")];
    let expected = expected.map(|(from, to)| (day(from), day(to)));
    assert_eq!(periods, expected.each_ref().map(|(from, to)| (from, to)));
    let pooled: u64 = told["tierings"]["clusters"]["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tier| tier["customers"].as_u64().unwrap())
        .sum();
    let each: u64 = told["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| fold["customers"].as_u64().unwrap())
        .sum();
    assert_eq!(pooled, each);
}

// Bad input.

#[track_caller]
fn refused(work: &Workdir, arguments: &str, problem: &str) {
    let ran = work.tiermill(&format!("backtest --quiet {arguments}"));
    assert_eq!(ran.problem(), problem, "{arguments}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_the_data_cannot_tell_is_refused_with_what_it_can() {
    let work = Workdir::new();
    work.parquet("orders.parquet", table(&[past(), march()].concat()));
    let input = format!("--input orders.parquet {COLUMNS}");
    for (flags, problem) in [
        (
            "--at 2024-03-02 --horizon 31d",
            "exit 2\nerror: the period that tiers are judged by ends at 2024-04-02, the data at 2024-04-01\n\n\
             hint: with `--horizon 31d` the latest day is `--at 2024-03-01`; or take a shorter horizon\n",
        ),
        (
            "--at 2024-03-01 --horizon 31d --as-of 2024-03-15",
            "exit 2\nerror: the period that tiers are judged by ends at 2024-04-01, the data at 2024-03-15\n\n\
             hint: with `--horizon 31d` the latest day is `--at 2024-02-13`; or take a shorter horizon\n",
        ),
        (
            "--at 2024-01-01 --horizon 31d",
            "exit 2\nerror: no order lies before 2024-01-01: the first one is of 2024-01-01 (fold 1 of 1)\n\n\
             hint: take a later `--at`: tiers are made of the orders before it\n",
        ),
        (
            "--at 2024-03-01 --horizon 30d --folds 4",
            "exit 2\nerror: no order lies before 2024-01-01: the first one is of 2024-01-01 (fold 3 of 4)\n\n\
             hint: each fold begins a horizon before the one above it: take `--folds 2`, a shorter `--horizon` or a later `--at`\n",
        ),
        (
            "--at yesterday --horizon 30d",
            "exit 2\nerror: `at` is \"yesterday\", expected a date or time, as in `2024-01-31` or `2024-01-31T12:50`\n",
        ),
        (
            "--at 2024-03-01 --horizon 30d --folds 0",
            "exit 2\nerror: `folds` is 0, expected 1 to 100\n",
        ),
        (
            "--at 2024-03-01 --horizon 30d --resamples 7",
            "exit 2\nerror: `resamples` is 7, expected 100 to 100000\n",
        ),
        (
            "--at 2024-03-01 --horizon 30d --against eigth",
            "exit 2\nerror: no built-in map is called `eigth`\n\n\
             hint: did you mean `eight`? `tiermill maps` lists them; a rule file ends in `.toml`\n",
        ),
        (
            "--at 2024-03-01 --horizon 30d --rules eight --against eight",
            "exit 2\nerror: two tierings are called `eight`\n\n\
             hint: name each once; `name` in a rule file says what results call its rules\n",
        ),
    ] {
        refused(&work, &format!("{flags} {input}"), problem);
    }
    refused(
        &work,
        "--at 2024-03-01 --horizon 30d --input orders.parquet --customer customer --level customers --as-of 2024-03-01",
        "exit 2\nerror: `backtest` and `level = \"customers\"` cannot go together\n\n\
         hint: a ready customer table has no orders to judge tiers by; give the orders\n",
    );
}

#[test]
fn a_customer_column_with_the_name_of_a_tiering_is_refused_before_a_file_is_written() {
    let work = Workdir::new();
    let mut frame = table(&[past(), march()].concat());
    frame.rename("customer", "random".into()).unwrap();
    work.parquet("orders.parquet", frame);
    let flags = "--at 2024-03-01 --horizon 31d --input orders.parquet --customer random --time date --amount amount";
    refused(
        &work,
        &format!("{flags} --out told"),
        "exit 2\nerror: the column `random` of backtest.parquet and another one of that name cannot go together\n\n\
         hint: rename the customer column in the input, or the rules (`name` in their file)\n",
    );
    assert!(!work.join("told").exists());
    work.tiermill(&format!("backtest --quiet --resamples 100 --k 2 {flags}"))
        .success();
}

// CDNOW, split as the literature splits it: calibration to 1997-09-30, holdout to 1998-06-30.

const CDNOW: &str = "backtest --at 1997-10-01 --horizon 273d --customer customer_id --time date --amount amount \
                     --count days --k 5 --resamples 100 --quiet --format json";

#[test]
fn cdnow_after_its_calibration_period() {
    let work = Workdir::new();
    let data = repository().join("data/cdnow.parquet");
    let told = work.tiermill(&format!(
        "{CDNOW} --against eight --input {}",
        data.display()
    ));
    let told = document(&told.success());
    let fold = &told["folds"][0];
    assert_eq!(
        (&fold["customers"], &fold["newcomers"]),
        (&json!(23_570), &json!(0))
    );
    // Counted from the rows themselves.
    let rows = read(&data);
    let days: Vec<Option<i32>> = rows
        .column("date")
        .unwrap()
        .cast(&DataType::Int32)
        .unwrap()
        .i32()
        .unwrap()
        .iter()
        .collect();
    let customers = rows.column("customer_id").unwrap().str().unwrap().clone();
    let amounts = rows.column("amount").unwrap().f64().unwrap().clone();
    let october = 10_135; // 1997-10-01
    let (mut visits, mut cents) = (std::collections::BTreeSet::new(), 0.0);
    for (row, day) in days.iter().enumerate() {
        let day = day.unwrap();
        if october <= day {
            visits.insert((customers.get(row).unwrap(), day));
            cents += (amounts.get(row).unwrap() * 100.0).round();
        }
    }
    assert_eq!(fold["orders"], json!(visits.len()));
    close(
        fold["revenue"].as_f64().unwrap(),
        cents / 100.0,
        1e-12,
        "revenue",
    );
    let figures = &told["tierings"];
    for name in ["clusters", "breaks", "eight", "quantile"] {
        let correlation = figures[name]["rank_correlation"].as_f64().unwrap();
        assert!((0.4..0.5).contains(&correlation), "{name}: {correlation}");
        let gini = figures[name]["gini"].as_f64().unwrap();
        assert!(
            (0.5..fold["gini_of_customers"].as_f64().unwrap()).contains(&gini),
            "{name}: {gini}"
        );
    }
    let random = told["differences"]
        .as_array()
        .unwrap()
        .iter()
        .find(|difference| {
            difference["a"] == "clusters"
                && difference["b"] == "random"
                && difference["measure"] == "gini"
        });
    assert_eq!(random.unwrap()["verdict"], json!("clusters is better"));
}

#[test]
fn the_sample_of_cdnow_buys_in_its_holdout_as_published() {
    let Some(extra) = extra_data() else { return };
    let published = std::fs::read(extra.join("expected/published_cdnow.json")).unwrap();
    let published: Value = serde_json::from_slice(&published).unwrap();
    let work = Workdir::new();
    let data = extra.join("cdnow_sample.parquet");
    let told = document(
        &work
            .tiermill(&format!("{CDNOW} --input {}", data.display()))
            .success(),
    );
    let fold = &told["folds"][0];
    assert_eq!(
        fold["customers"],
        published["published"]["sample_customers"]
    );
    assert_eq!(
        fold["orders"].as_f64(),
        published["holdout_sum"]["published"].as_f64()
    );
}
