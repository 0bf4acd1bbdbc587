//! Tiers that are not nearest centroids: bands of each feature, and a Gaussian mixture, from the orders to the files.

use std::collections::BTreeSet;

use polars::prelude::*;
use serde_json::Value;
use tiermill::pipeline::Model;

use crate::support::{Workdir, close, customers_table, extra_data, floats, repository};

/// The columns of assignments.parquet that bands are cut of, in the order of a code.
const FEATURES: [&str; 3] = ["recency_days", "frequency", "monetary"];

/// The flags for CDNOW as the reference has it.
fn cdnow_flags() -> String {
    let path = repository().join("data/cdnow.parquet");
    format!(
        "--input '{}' --customer customer_id --time date --amount amount --count days --as-of 1998-07-01",
        path.display()
    )
}

/// A tenth of CDNOW: 2,357 customers.
fn few_of_cdnow() -> String {
    cdnow_flags() + " --where 'CAST(customer_id AS INT) % 10 = 0'"
}

/// The flags for a table of [`customers_table`].
const READY: &str = "--input customers.parquet --customer id --level customers --as-of 2024-01-31";

/// A published run by bands.
fn run(flags: &str) -> Workdir {
    let work = Workdir::new();
    work.tiermill(&format!("run {flags} --method breaks"))
        .success();
    work
}

/// A published run by bands of ready customers.
fn run_ready(rows: &[(f64, i64, f64)], flags: &str) -> Workdir {
    let work = Workdir::new();
    work.parquet("customers.parquet", customers_table(rows));
    work.tiermill(&format!("run {READY} --method breaks {flags}"))
        .success();
    work
}

fn numbers(table: &DataFrame, column: &str) -> Vec<f64> {
    let column = table.column(column).unwrap().cast(&DataType::Float64);
    let column = column.unwrap();
    column.f64().unwrap().into_no_null_iter().collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// The warnings of a run: code and message.
fn warnings(work: &Workdir) -> Vec<String> {
    let document = work.json("tiers.json");
    let warnings = document["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| format!("{}: {}", text(warning, "code"), text(warning, "message")))
        .collect()
}

/// What holds for every run by bands: each customer lies where the published cut points say, tiers add up, codes and
/// names are unique, and the model gives the same bytes again.
#[track_caller]
fn check(work: &Workdir, flags: &str) -> Vec<usize> {
    let (table, model) = (work.table("assignments.parquet"), work.json("model.json"));
    let document = work.json("tiers.json");
    assert_eq!(document["breaks"], model["breaks"]);
    let breaks = model["breaks"].as_array().unwrap();
    let mut codes = vec![String::new(); table.height()];
    let mut counts = Vec::new();
    for feature in FEATURES {
        let bands = breaks.iter().find(|bands| bands["feature"] == feature);
        let cuts = floats(&bands.unwrap()["cut_points"]);
        assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]), "{cuts:?}");
        let mut sizes = vec![0_u64; cuts.len() + 1];
        for (code, value) in codes.iter_mut().zip(numbers(&table, feature)) {
            let band = cuts.iter().filter(|&&cut| cut < value).count();
            sizes[band] += 1;
            // Few days since the last order are good.
            let digit = if feature == "recency_days" {
                cuts.len() - band
            } else {
                band
            };
            *code += &digit.to_string();
        }
        assert!(!sizes.contains(&0), "{feature}: {sizes:?}");
        assert_eq!(serde_json::json!(sizes), bands.unwrap()["customers"]);
        counts.push(sizes.len());
    }
    let tiers = model["tiers"].as_array().unwrap();
    let ranks = numbers(&table, "tier");
    for (row, code) in codes.iter().enumerate() {
        assert_eq!(text(&tiers[ranks[row] as usize - 1], "code"), code);
    }
    check_tiers(&document, &codes);
    let margins = numbers(&table, "margin");
    assert!(margins.iter().all(|margin| (0.0..=1.0).contains(margin)));
    check_assign(work, &format!("{flags} --method breaks"));
    counts
}

/// The tiers of a document against the code of each customer.
#[track_caller]
fn check_tiers(document: &Value, codes: &[String]) {
    let tiers = document["tiers"].as_array().unwrap();
    for key in ["code", "key", "name", "name_zh"] {
        let texts: BTreeSet<&str> = tiers.iter().map(|tier| text(tier, key)).collect();
        assert_eq!(texts.len(), tiers.len(), "{key}: {texts:?}");
    }
    let mut all = 0;
    for tier in tiers {
        let members = codes.iter().filter(|&code| code == text(tier, "code"));
        let members = members.count();
        assert_eq!(tier["customers"], members, "{tier}");
        assert_eq!(tier["monetary"].is_null(), members == 0, "{tier}");
        all += members;
    }
    assert_eq!(document["customers"], all);
    let empty: Vec<bool> = tiers.iter().map(|tier| tier["customers"] == 0).collect();
    assert!(empty.is_sorted(), "tiers without customers come last");
}

/// `assign` with the model of a run writes the assignments of that run, byte for byte.
#[track_caller]
fn check_assign(work: &Workdir, flags: &str) {
    let model = work.current().join("model.json");
    work.tiermill(&format!(
        "assign {flags} --model '{}' --out again",
        model.display()
    ))
    .success();
    for name in ["assignments.parquet", "model.json"] {
        let [one, other] = ["out", "again"]
            .map(|out| std::fs::read(work.join(out).join("current").join(name)).unwrap());
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn customers_of_cdnow_lie_where_the_cut_points_say() {
    for (bands, tiers) in [(2, 8), (3, 27)] {
        let flags = format!("{} --bands {bands}", cdnow_flags());
        let work = run(&flags);
        assert_eq!(check(&work, &flags), [bands; 3]);
        assert_eq!(work.json("model.json")["k"], tiers);
        let of_load = "net_not_positive: customers with a total of 0 or less: 68 (68 of them 0); they stay in";
        assert_eq!(warnings(&work), [of_load]);
    }
}

#[test]
fn other_scales_and_clipped_values_are_cut_in_the_unit_of_the_feature_too() {
    for lines in [
        "--transform none --scale robust",
        "--transform yeo-johnson",
        "--scale quantile --bands 4",
        "--winsorise 5% --bands 5",
        "--rank-by frequency",
    ] {
        let flags = format!("{} {lines}", few_of_cdnow());
        check(&run(&flags), &flags);
    }
}

#[test]
fn cut_points_are_the_natural_breaks_of_the_reference() {
    let Some(extra) = extra_data() else { return };
    let reference = std::fs::read(extra.join("expected/ref_cdnow.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let model = run(&format!("{} --bands 3", cdnow_flags())).json("model.json");
    for (bands, column) in model["breaks"]
        .as_array()
        .unwrap()
        .iter()
        .zip(model["features"].as_array().unwrap())
    {
        let name = text(bands, "feature");
        let name = if name == "recency_days" {
            "recency"
        } else {
            name
        };
        let expected = &reference["breaks_log1p"][name]["k3"];
        let found = floats(&bands["cut_points"]).into_iter();
        for (found, upper) in found.zip(floats(&expected["upper_bounds"])) {
            close(found, upper.exp_m1(), 1e-9, name);
        }
        assert_eq!(bands["customers"], expected["counts"], "{name}");
        let number = |value: &Value| value.as_f64().unwrap();
        close(number(&bands["gvf"]), number(&expected["gvf"]), 1e-9, name);
        let spread = number(&column["spread"]);
        let within = number(&bands["within_ss"]) * spread * spread;
        close(within, number(&expected["within_ss"]), 1e-8, name);
    }
}

/// Customers of whom 70 % have bought once; amounts and days are all over the place.
fn mostly_once(n: i64) -> Vec<(f64, i64, f64)> {
    let frequency = |i: i64| if i % 10 < 7 { 1 } else { 2 + i % 7 };
    (0..n)
        .map(|i| {
            (
                (i * 37 % 365) as f64,
                frequency(i),
                (1 + i * 53 % 997) as f64,
            )
        })
        .collect()
}

#[test]
fn one_time_buyers_stay_together_and_the_others_are_cut() {
    for bands in [2, 3, 4] {
        let flags = format!("--bands {bands}");
        let work = run_ready(&mostly_once(1_000), &flags);
        assert_eq!(check(&work, &format!("{READY} {flags}")), [bands; 3]);
        assert_eq!(warnings(&work), Vec::<String>::new());
        let frequency = &work.json("model.json")["breaks"][1];
        assert!(700 <= frequency["customers"][0].as_u64().unwrap());
    }
}

#[test]
fn a_band_of_nearly_everybody_and_bands_that_are_missing_are_said_aloud() {
    let warned = |frequency: &dyn Fn(i64) -> i64, expected: [usize; 3]| {
        let rows = mostly_once(200).into_iter().zip(0..);
        let rows: Vec<(f64, i64, f64)> =
            rows.map(|(row, i)| (row.0, frequency(i), row.2)).collect();
        let work = run_ready(&rows, "--bands 3");
        assert_eq!(check(&work, &format!("{READY} --bands 3")), expected);
        warnings(&work).join("\n")
    };
    let nearly = warned(&|i| if i % 50 == 0 { 9 } else { 1 }, [3, 2, 3]);
    insta::assert_snapshot!(nearly, @r"
    few_bands: `frequency` has 2 distinct values, which make 2 of the 3 bands asked for
    dominant_band: one band of `frequency` holds 98.0 % of the customers: most of them have the same value, and equal values stay together
    ");
    let always = warned(&|_| 1, [3, 1, 3]);
    insta::assert_snapshot!(always, @r"
    constant_feature: `frequency` is the same for all customers and cannot tell them apart; drop it from `features`
    few_bands: `frequency` has 1 distinct value, which make 1 of the 3 bands asked for
    ");
}

#[test]
fn the_better_of_two_bands_is_the_high_one_beside_three_of_others() {
    let rows = mostly_once(200).into_iter().zip(0..);
    let rows: Vec<(f64, i64, f64)> = rows
        .map(|(row, i)| (row.0, if i % 3 == 0 { 9 } else { 1 }, row.2))
        .collect();
    let work = run_ready(&rows, "--bands 3");
    for tier in work.json("tiers.json")["tiers"].as_array().unwrap() {
        let texts = ["code", "name", "name_zh"].map(|key| tier[key].as_str().unwrap());
        let [code, name, chinese] = texts;
        let (word, word_zh) = match &code[1..2] {
            "1" => (" F high ", "频次高"),
            _ => (" F low ", "频次低"),
        };
        assert!(
            name.contains(word) && chinese.contains(word_zh),
            "{texts:?}"
        );
    }
}

#[test]
fn few_customers_leave_tiers_empty_and_they_are_listed() {
    let rows = [(1.0, 9, 900.0), (2.0, 8, 800.0), (300.0, 1, 10.0)];
    let work = run_ready(&rows, "");
    assert_eq!(check(&work, READY), [2; 3]);
    let document = work.json("tiers.json");
    let tiers = document["tiers"].as_array().unwrap().iter();
    let tiers: Vec<String> = tiers
        .map(|tier| {
            let name = format!("{} {}", text(tier, "name"), text(tier, "name_zh"));
            format!("{} {name} {}", text(tier, "code"), tier["customers"])
        })
        .collect();
    insta::assert_snapshot!(tiers.join("\n"), @r"
    111 Key value 重要价值客户 2
    000 General retain 一般挽留客户 1
    100 General develop 一般发展客户 0
    101 Key develop 重要发展客户 0
    110 General value 一般价值客户 0
    001 Key retain 重要挽留客户 0
    010 General keep 一般保持客户 0
    011 Key keep 重要保持客户 0
    ");
}

#[test]
fn customers_who_are_all_alike_are_no_tiers() {
    let work = Workdir::new();
    work.parquet("customers.parquet", customers_table(&[(5.0, 1, 10.0); 4]));
    let ran = work.tiermill(&format!("run {READY} --method breaks"));
    insta::assert_snapshot!(ran.problem(), @r"
    exit 1
    error: k = 2, but the customers have only 1 distinct point in feature space

    hint: all customers look the same; add a feature, or look at `tiermill check`
    ");
}

#[test]
fn a_number_of_tiers_and_other_features_are_refused_with_bands() {
    let work = Workdir::new();
    work.parquet("customers.parquet", customers_table(&mostly_once(20)));
    let refused = |lines: &str| {
        let config = format!(
            "input = 'customers.parquet'\ncustomer = 'id'\nlevel = 'customers'\nas-of = 2024-01-31\nmethod = 'breaks'\n{lines}"
        );
        work.write("tiermill.toml", config);
        work.tiermill("run").problem()
    };
    let refusals = [
        "k = 5",
        "features = ['recency_days', 'frequency']",
        "features = ['recency_days', 'frequency', 'aov']",
        "bands = 6",
        "bands = 1",
    ]
    .map(refused);
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    exit 2
    error: `k = 5` and `method = "breaks"` cannot go together

    hint: the number of tiers follows from `bands`: leave `k` out, or set `k = "auto"`

    exit 2
    error: `features` and `method = "breaks"` cannot go together

    hint: bands are of recency_days, frequency and monetary: leave `features` out

    exit 2
    error: `features` and `method = "breaks"` cannot go together

    hint: bands are of recency_days, frequency and monetary: leave `features` out

    exit 2
    error: `bands` is 6, expected 2 to 5

    exit 2
    error: `bands` is 1, expected 2 to 5
    "#);
}

/// Weight × density of each component at a point, up to one factor: Cramer's rule for the inverse of 3 × 3.
fn densities(model: &Model, point: &[f64]) -> Vec<f64> {
    let mixture = model.mixture.as_ref().unwrap();
    let component = |i: usize| {
        let s = &mixture.covariances[i];
        let x: Vec<f64> = (0..3).map(|j| point[j] - model.centroids[i][j]).collect();
        let cofactor = |row: usize, column: usize| {
            let at = |r: usize, c: usize| s[(row + r) % 3 * 3 + (column + c) % 3];
            at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)
        };
        let determinant: f64 = (0..3).map(|j| s[j] * cofactor(0, j)).sum();
        let distance: f64 = (0..9)
            .map(|j| x[j / 3] * cofactor(j / 3, j % 3) * x[j % 3])
            .sum::<f64>()
            / determinant;
        mixture.weights[i] / determinant.sqrt() * (-distance / 2.0).exp()
    };
    (0..model.k).map(component).collect()
}

#[test]
fn customers_of_a_mixture_belong_to_the_likeliest_component() {
    let work = Workdir::new();
    // Components stand in the order of their first coordinate, here the opposite of that of the tiers.
    let flags =
        few_of_cdnow() + " --algorithm gmm --k 3 --features monetary,recency_days,frequency";
    work.tiermill(&format!("run {flags}")).success();
    check_assign(&work, &flags);
    let path = work.current().join("model.json");
    let model = Model::parse(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
    let mixture = model.mixture.as_ref().unwrap();
    assert_eq!((mixture.weights.len(), mixture.covariances.len()), (3, 3));
    close(mixture.weights.iter().sum(), 1.0, 1e-12, "weights");
    assert!(model.centroids[2][0] < model.centroids[0][0]);
    let table = work.table("assignments.parquet");
    let columns: Vec<Vec<f64>> = model
        .features
        .iter()
        .map(|column| {
            let values = numbers(&table, &column.name.to_string()).into_iter();
            values.map(|value| column.apply(value)).collect()
        })
        .collect();
    let (ranks, margins) = (numbers(&table, "tier"), numbers(&table, "margin"));
    assert!(margins.iter().all(|margin| (0.0..=1.0).contains(margin)));
    let mut sizes = [0_u64; 3];
    for (row, rank) in ranks.iter().enumerate() {
        let point: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        let densities = densities(&model, &point);
        let own = *rank as usize - 1;
        sizes[own] += 1;
        let others = (0..3).filter(|&i| i != own).map(|i| densities[i]);
        let next = others.fold(0.0, f64::max);
        assert!(next <= densities[own], "customer {row}: {densities:?}");
        let margin = (densities[own] - next) / (densities[own] + next);
        close(margins[row], margin, 1e-6, "margin");
    }
    assert!(!sizes.contains(&0), "{sizes:?}");
    let document = work.json("tiers.json");
    let tiers = document["tiers"].as_array().unwrap().iter();
    let counted: Vec<u64> = tiers
        .map(|tier| tier["customers"].as_u64().unwrap())
        .collect();
    assert_eq!(counted, sizes);
}
