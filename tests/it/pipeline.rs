//! The nightly job from end to end: numbers computed on paper, bytes that do not depend on anything, published runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use serde_json::{Value, json};
use tiermill::generate::Plan;
use tiermill::load::Customers;
use tiermill::pipeline::{IdType, Model, Report, assign, fit, generate, run};

use crate::support::{
    COLUMNS, Workdir, cdnow, config, customers_table, extra_data, online_retail, orders, read,
    repository, six_customers,
};

/// The files of a run that are a function of input and config alone.
const SAME_BYTES: [&str; 6] = [
    "assignments.parquet",
    "tiers.json",
    "model.json",
    "thresholds.toml",
    "thresholds.json",
    "thresholds.sql",
];

/// One row per line, values between bars; floats with all their digits.
fn lines(frame: &DataFrame) -> Vec<String> {
    let cell = |series: &Series, row: usize| match series.get(row).unwrap() {
        AnyValue::Float64(value) => format!("{value:?}"),
        _ => series.str_value(row).unwrap().into_owned(),
    };
    let line = |row: usize| {
        let columns = frame.columns().iter();
        columns
            .map(|column| cell(column.as_materialized_series(), row))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    (0..frame.height()).map(line).collect()
}

/// The columns of a table that a test looks at, separated by spaces.
fn picked(table: &DataFrame, columns: &str) -> Vec<String> {
    lines(&table.select(columns.split(' ')).unwrap())
}

/// A published run of the six customers, as of 2024-04-01.
fn six_run() -> Workdir {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let flags = format!("--input orders.parquet {COLUMNS} --as-of 2024-04-01 --k 2");
    work.tiermill(&format!("run {flags}")).success();
    work
}

#[test]
fn six_customers_on_paper() {
    let table = six_run().table("assignments.parquet");
    let expected = [
        // Orders on 01-01, 03-01 and 03-30: two days before as-of, 91 after the first (2024 is a leap year).
        "ann | 2.0 | 3 | 60.5 | 91.0",
        "bob | 77.0 | 1 | 5.25 | 77.0",
        // Two rows of one day, and no order column: two orders.
        "cat | 1.0 | 2 | 150.0 | 1.0",
        // 02-29 and 03-01.
        "dan | 31.0 | 2 | 15.0 | 32.0",
        // An order for nothing is an order.
        "eve | 61.0 | 1 | 0.0 | 61.0",
        // The refund of 03-16 lowers the amount and makes nobody recent.
        "fay | 17.0 | 1 | 10.0 | 17.0",
    ];
    assert_eq!(
        picked(
            &table,
            "customer recency_days frequency monetary tenure_days"
        ),
        expected
    );
}

#[test]
fn six_customers_get_scores_and_tiers() {
    let work = six_run();
    let table = work.table("assignments.parquet");
    let expected = [
        // Quintiles: 2, 17, 31, 61 days; 1, 1, 2, 2 orders; 5.25, 10, 15, 60.5 spent.
        "ann | 5 | 5 | 4 | 1 | tier-a | Key value",
        "bob | 1 | 1 | 1 | 2 | tier-b | General retain",
        "cat | 5 | 3 | 5 | 1 | tier-a | Key value",
        "dan | 3 | 3 | 3 | 2 | tier-b | General retain",
        "eve | 2 | 1 | 1 | 2 | tier-b | General retain",
        "fay | 4 | 1 | 2 | 2 | tier-b | General retain",
    ];
    assert_eq!(
        picked(
            &table,
            "customer r_score f_score m_score tier tier_key tier_name"
        ),
        expected
    );
    let first_night = picked(&table, "as_of segment previous_tier_key tier_since");
    assert_eq!(first_night, ["2024-04-01 | null | null | 2024-04-01"; 6]);
    let tiers = work.json("tiers.json");
    assert_eq!(
        (&tiers["customers"], &tiers["revenue"]),
        (&json!(6), &json!(240.75))
    );
    let best = &tiers["tiers"][0];
    assert_eq!(
        (&best["customers"], &best["revenue"]),
        (&json!(2), &json!(210.5))
    );
}

#[test]
fn six_customers_under_other_definitions() {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let rfm = |flags: &str| {
        let run = format!("run --input orders.parquet {COLUMNS} --k 2 {flags}");
        work.tiermill(&run).success();
        picked(
            &work.table("assignments.parquet"),
            "customer recency_days frequency monetary",
        )
    };
    for (flags, line) in [
        // One day; and as-of is the midnight after 03-31.
        ("--count days", "cat | 1.0 | 1 | 150.0"),
        ("--refunds keep", "fay | 16.0 | 2 | 10.0"),
        ("--refunds drop", "fay | 17.0 | 1 | 12.34"),
        ("--monetary mean", "cat | 1.0 | 2 | 75.0"),
        // Ordered at midnight, twelve hours before.
        ("--as-of 2024-03-31T12:00", "cat | 0.0 | 2 | 150.0"),
        ("--as-of 2024-03-31T12:00", "dan | 30.0 | 2 | 15.0"),
        (
            "--as-of 2024-03-31T12:00 --recency exact",
            "dan | 30.5 | 2 | 15.0",
        ),
        (
            "--as-of 2024-03-31T12:00 --recency calendar",
            "cat | 0.0 | 2 | 150.0",
        ),
    ] {
        let found = rfm(flags);
        assert!(found.contains(&line.to_owned()), "{flags}: {found:?}");
    }
    let window = [
        "ann | 2.0 | 2 | 50.5",
        "cat | 1.0 | 2 | 150.0",
        "dan | 31.0 | 1 | 8.0",
        "fay | 17.0 | 1 | 10.0",
    ];
    assert_eq!(rfm("--as-of 2024-04-01 --window 31d"), window);
}

#[test]
fn assignments_have_the_columns_of_the_contract() {
    let table = six_run().table("assignments.parquet");
    let columns = table.columns().iter();
    let found: Vec<String> = columns
        .map(|column| format!("{} {}", column.name(), column.dtype()))
        .collect();
    let expected = "customer str, as_of date, recency_days f64, frequency i64, monetary f64, \
        tenure_days f64, r_score i8, f_score i8, m_score i8, tier i32, tier_key str, tier_name str, \
        margin f32, segment str, previous_tier_key str, tier_since date";
    assert_eq!(found.join(", "), expected);
}

/// A table of customers as `(id, recency, frequency, monetary)`, from somebody else.
fn check_rfm(customers: &Customers, expected: &Path) {
    let expected = read(expected)
        .sort(["customer_id"], SortMultipleOptions::default())
        .unwrap();
    let ids = expected
        .column("customer_id")
        .unwrap()
        .as_materialized_series();
    assert!(customers.ids.series().equals(ids), "other customers");
    let number = |column: &str| -> Vec<f64> {
        let cast = expected
            .column(column)
            .unwrap()
            .cast(&DataType::Float64)
            .unwrap();
        cast.f64().unwrap().into_no_null_iter().collect()
    };
    assert_eq!(customers.recency_days, number("recency"));
    assert_eq!(
        customers
            .frequency
            .iter()
            .map(|&orders| orders as f64)
            .collect::<Vec<_>>(),
        number("frequency")
    );
    for (row, (found, expected)) in customers
        .monetary
        .iter()
        .zip(number("monetary"))
        .enumerate()
    {
        // The reference adds floats; ours are exact.
        assert!(
            (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
            "{}: {found}, {expected}",
            customers.ids.text(row)
        );
    }
}

#[test]
fn every_customer_of_cdnow_has_the_numbers_of_the_reference() {
    let Some(extra) = extra_data() else { return };
    check_rfm(&cdnow(), &extra.join("expected/rfm_cdnow.parquet"));
}

#[test]
fn every_customer_of_online_retail_has_the_numbers_of_the_reference() {
    let Some(extra) = extra_data() else { return };
    let loaded = online_retail(&extra);
    check_rfm(
        &loaded.customers,
        &extra.join("expected/rfm_online_retail.parquet"),
    );
    let rows = serde_json::to_value(&loaded.reconciliation).unwrap();
    assert_eq!(
        rows,
        json!({"read": 541_909, "used": 392_692, "rejected": {"filtered": 144_025, "duplicate": 5_192}})
    );
    assert_eq!(loaded.customers.total_revenue(), 8_887_208.894);
}

/// Asserts that the outputs listed in the manifest are what lies in the folder.
#[track_caller]
fn check_manifest(folder: &Path) -> Value {
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut listed: Vec<&str> = Vec::new();
    for output in manifest["outputs"].as_array().unwrap() {
        let name = output["path"].as_str().unwrap();
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &bytes));
        assert_eq!(output["sha256"], digest, "{name}");
        assert_eq!(output["bytes"], bytes.len(), "{name}");
        listed.push(name);
    }
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.retain(|name| name != "manifest.json");
    there.sort_unstable();
    listed.sort_unstable();
    assert_eq!(there, listed, "files in the folder, files in the manifest");
    assert_eq!(
        manifest["run_id"],
        folder.file_name().unwrap().to_str().unwrap()
    );
    let rows = &manifest["rows"];
    let rejected: u64 = rows["rejected"]
        .as_object()
        .unwrap()
        .values()
        .map(|rows| rows.as_u64().unwrap())
        .sum();
    assert_eq!(
        rows["read"].as_u64().unwrap(),
        rows["used"].as_u64().unwrap() + rejected
    );
    manifest
}

#[test]
fn cdnow_runs_with_the_config_beside_it() {
    let work = Workdir::new();
    let config = repository().join("data/tiermill.toml");
    work.tiermill(&format!(
        "run --config {} --out out --n-runs 1",
        config.display()
    ))
    .success();
    let tiers = work.json("tiers.json");
    assert_eq!(
        (&tiers["customers"], &tiers["revenue"]),
        (&json!(23_570), &json!(2_500_315.63))
    );
    assert_eq!(tiers["tiers"].as_array().unwrap().len(), 5);
    let manifest = check_manifest(&work.current());
    assert_eq!(
        manifest["rows"],
        json!({"read": 69_659, "used": 69_659, "rejected": {}})
    );
    // What data/README.md knows about single customers.
    let table = work.table("assignments.parquet");
    let rfm = picked(&table, "customer_id frequency monetary");
    assert!(
        rfm.contains(&"07592 | 146 | 13990.93".to_owned())
            && rfm.contains(&"14048 | 171 | 8976.33".to_owned())
    );
    assert_eq!(
        rfm.iter().filter(|line| line.contains(" | 1 | ")).count(),
        12_054,
        "bought on one day only"
    );
    assert_eq!(
        rfm.iter().filter(|line| line.ends_with(" | 0.0")).count(),
        68,
        "a total of nothing"
    );
    assert!(rfm.is_sorted());
}

/// Orders of so many customers, with refunds, in `made`; above 4,096 they are more than one block of work.
fn generated(work: &Workdir, customers: u64) -> DataFrame {
    let plan = Plan {
        customers,
        days: 365,
        refunds: 0.05,
        seed: 3,
        ..Plan::default()
    };
    let made = generate(&plan, IdType::String, &work.join("made"), &mut |_| {}).unwrap();
    let mut frames = made
        .files
        .iter()
        .map(|file| read(&work.join("made").join(file)));
    let mut all = frames.next().unwrap();
    frames.for_each(|frame| {
        all.vstack_mut(&frame).unwrap();
    });
    all.rechunk_mut();
    all
}

/// Flags for generated orders.
const GENERATED: &str = "--customer customer_id --time ordered_at --amount amount --k 3 --n-runs 2";

fn bytes(folder: &Path) -> Vec<Vec<u8>> {
    SAME_BYTES
        .iter()
        .map(|name| std::fs::read(folder.join(name)).unwrap())
        .collect()
}

/// Compares without printing megabytes.
#[track_caller]
fn same(one: &[Vec<u8>], other: &[Vec<u8>], what: &str) {
    for (name, (one, other)) in SAME_BYTES.iter().zip(one.iter().zip(other)) {
        assert!(one == other, "{name} differs: {what}");
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let work = Workdir::new();
    generated(&work, 4_200);
    let with = |threads: u32| {
        work.tiermill(&format!(
            "run --input made {GENERATED} --threads {threads} --out threads-{threads}"
        ))
        .success();
        bytes(&work.join(&format!("threads-{threads}/current")))
    };
    let one = with(1);
    for threads in [2, 8] {
        same(&one, &with(threads), &format!("{threads} threads"));
    }
}

#[test]
fn the_order_of_rows_and_the_split_into_files_change_no_byte() {
    let work = Workdir::new();
    let all = generated(&work, 4_200);
    let height = u32::try_from(all.height()).unwrap();
    let pick = |rows: Vec<u32>| all.take(&IdxCa::from_vec("row".into(), rows)).unwrap();
    let folder = |name: &str| {
        work.tiermill(&format!("run --input {name} {GENERATED} --out out-{name}"))
            .success();
        bytes(&work.join(&format!("out-{name}/current")))
    };
    let months = folder("made");

    work.parquet("one.parquet", all.clone());
    same(&months, &folder("one.parquet"), "one file");

    // 7,919 is a prime: where the height is no multiple of it, this visits every row once.
    assert_ne!(height % 7_919, 0);
    let shuffled = (0..u64::from(height))
        .map(|row| u32::try_from(row * 7_919 % u64::from(height)).unwrap())
        .collect();
    work.parquet("shuffled.parquet", pick(shuffled));
    same(&months, &folder("shuffled.parquet"), "shuffled rows");

    // Every third row to each of three files, latest first, under names that sort otherwise; one part is empty.
    for (part, name) in ["z", "a/m", "a/b"].into_iter().enumerate() {
        let rows = (0..height)
            .rev()
            .filter(|row| *row as usize % 3 == part)
            .collect();
        work.parquet(&format!("split/{name}.parquet"), pick(rows));
    }
    work.parquet("split/empty.parquet", all.head(Some(0)));
    same(
        &months,
        &folder("split"),
        "three interleaved files and an empty one",
    );
}

#[test]
fn assign_with_the_model_of_a_run_is_that_run_bit_for_bit() {
    let work = Workdir::new();
    generated(&work, 2_000);
    work.tiermill(&format!(
        "run --input made {GENERATED} --winsorise 1% --scale quantile"
    ))
    .success();
    let ran = bytes(&work.current());
    let model = work.current().join("model.json");
    // Another k and another seed would find other clusters: assign must not look for any.
    work.tiermill(&format!(
        "assign --input made --customer customer_id --time ordered_at --amount amount --winsorise 1% --scale quantile --seed 99 --model {} --out again",
        model.display()
    ))
    .success();
    let assigned = bytes(&work.join("again/current"));
    assert!(ran[0] == assigned[0], "assignments.parquet differs");
    assert!(ran[2] == assigned[2], "model.json differs");
    let tiers: Value = serde_json::from_slice(&assigned[1]).unwrap();
    assert_eq!(tiers["k_reason"], "the model has k = 3");
    let manifest = check_manifest(&work.join("again/current").canonicalize().unwrap());
    assert_eq!(manifest["seed"], 42, "the seed that found the tiers");
    let listed = check_manifest(&work.current())["outputs"].clone();
    let files = listed.as_array().unwrap();
    let file = files.iter().find(|file| file["path"] == "model.json");
    assert_eq!(manifest["model"]["sha256"], file.unwrap()["sha256"]);
    assert_eq!(manifest["model"]["path"], model.to_str().unwrap());
}

/// Through the library, in a folder of its own.
struct Job {
    work: Workdir,
    text: String,
}

impl Job {
    fn new(frame: DataFrame, lines: &str) -> Self {
        let work = Workdir::new();
        let orders = work.parquet("orders.parquet", frame);
        let text = format!(
            "input = '{}'\nout = '{}'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\n{lines}",
            orders.display(),
            work.join("out").display()
        );
        Self { work, text }
    }

    fn run(&self) -> Report {
        run(&config(&self.text), &mut |_| {}).unwrap()
    }

    fn current(&self) -> PathBuf {
        std::fs::read_link(self.work.join("out/current")).unwrap()
    }
}

#[test]
fn a_second_run_of_one_day_gets_a_number_and_becomes_current() {
    let job = Job::new(six_customers(), "");
    let first = job.run();
    assert_eq!(job.current(), Path::new("runs").join(&first.run_id));
    assert!(first.run_id.starts_with("2024-04-01-"), "{}", first.run_id);
    let before = bytes(&first.directory);
    let second = job.run();
    assert_eq!(second.run_id, format!("{}-2", first.run_id));
    assert_eq!(job.current(), Path::new("runs").join(&second.run_id));
    let third = job.run();
    assert_eq!(third.run_id, format!("{}-3", first.run_id));
    same(
        &before,
        &bytes(&first.directory),
        "the first run was touched",
    );
    for run in [&first, &second, &third] {
        let manifest = check_manifest(&run.directory);
        assert_eq!(manifest["command"], "run");
    }
    same(&before, &bytes(&third.directory), "one input, one config");
}

#[test]
fn another_config_or_input_gets_another_name() {
    let name = |frame: DataFrame, lines: &str| Job::new(frame, lines).run().run_id;
    let base = name(six_customers(), "");
    assert_eq!(
        name(six_customers(), ""),
        base,
        "neither the folder nor the clock is part of it"
    );
    assert_eq!(
        name(six_customers(), "threads = 1\nquiet = true"),
        base,
        "nor what changes no result"
    );
    assert_ne!(name(six_customers(), "seed = 43"), base);
    assert_ne!(name(six_customers().head(Some(10)), ""), base);
    assert!(name(six_customers(), "as-of = 2024-05-01").starts_with("2024-05-01-"));
}

#[test]
fn another_model_gets_another_name() {
    let job = Job::new(six_customers(), "");
    let name = |k: u32| {
        let text = job.text.replace("k = 2", &format!("k = {k}"));
        let model = fit(&config(&text), &mut |_| {}).unwrap().directory;
        let auto = config(&job.text.replace("k = 2", "k = 'auto'"));
        let assigned = assign(&auto, &model.join("model.json"), &mut |_| {});
        assigned.unwrap().run_id
    };
    let two = name(2);
    assert_ne!(name(3), two);
    assert_eq!(name(2), format!("{two}-2"));
}

#[test]
fn fit_publishes_a_model_and_leaves_current_alone() {
    let job = Job::new(six_customers(), "");
    let first = job.run();
    let fitted = fit(&config(&job.text), &mut |_| {}).unwrap();
    assert_eq!(job.current(), Path::new("runs").join(&first.run_id));
    assert!(!fitted.directory.join("assignments.parquet").exists());
    assert_ne!(fitted.run_id, first.run_id);
    let read = |folder: &Path| std::fs::read(folder.join("model.json")).unwrap();
    assert!(
        read(&fitted.directory) == read(&first.directory),
        "fit and run find one model"
    );
    assert_eq!(check_manifest(&fitted.directory)["command"], "fit");

    let alone = Job::new(six_customers(), "");
    fit(&config(&alone.text), &mut |_| {}).unwrap();
    assert!(
        !alone.work.join("out/current").exists(),
        "there is nothing yet that could be current"
    );
}

#[test]
fn a_published_run_leaves_nothing_half_done_beside_it() {
    let job = Job::new(six_customers(), "");
    // What a killed run leaves behind is cleared away by the next one.
    std::fs::create_dir_all(job.work.join("out")).unwrap();
    job.run();
    std::fs::create_dir_all(job.work.join("out/runs/.staging-1")).unwrap();
    job.run();
    let list = |folder: &str| {
        let entries = std::fs::read_dir(job.work.join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(list("out"), [".tiermill", "current", "runs"]);
    assert_eq!(list("out/runs").len(), 2);
}

#[test]
fn a_run_that_current_cannot_get_to_is_not_published() {
    let job = Job::new(six_customers(), "");
    let out = job.work.join("out");
    let error = run(&config(&job.text), &mut |stage| {
        if stage.name() == "write" {
            std::fs::create_dir_all(out.join("current/mine")).unwrap();
        }
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot publish `{}/current`", out.display())
    );
    let left = |folder: &str| std::fs::read_dir(out.join(folder)).unwrap().count();
    assert_eq!(left("runs"), 0, "half published");
    assert!(std::fs::symlink_metadata(out.join(".current-next")).is_err());

    // Once it is there, no work is done at all.
    let mut stages = 0;
    let error = run(&config(&job.text), &mut |_| stages += 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}/current` is not the link that points to the last run",
            out.display()
        )
    );
    assert!(stages == 0 && error.hint().is_some() && left("current") == 1);
}

#[test]
fn stages_are_announced_in_the_order_of_the_work() {
    let job = Job::new(six_customers(), "");
    let mut stages = Vec::new();
    run(&config(&job.text), &mut |stage| stages.push(stage.name())).unwrap();
    assert_eq!(stages, ["load", "features", "cluster", "tiers", "write"]);
    let manifest = check_manifest(&job.work.join("out/current").canonicalize().unwrap());
    let timings: Vec<&String> = manifest["timings"].as_object().unwrap().keys().collect();
    assert_eq!(
        timings,
        [
            "load",
            "features",
            "cluster",
            "tiers",
            "calibrate",
            "page",
            "write"
        ]
    );
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_the_reason() {
    let job = Job::new(six_customers(), "");
    let saved = std::fs::read(job.run().directory.join("model.json")).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    let path = job.work.join("other.json");
    let refused = |key: &str, value: Value, lines: &str| -> String {
        let mut model = saved.clone();
        model[key] = value;
        std::fs::write(&path, model.to_string()).unwrap();
        let config = config(&format!("{}\n{lines}", job.text));
        let error = assign(&config, &path, &mut |_| {}).unwrap_err();
        // Another config would mend the one, another model the other.
        let code = 1 + u8::from(error.to_string().contains("was fitted with"));
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.hint().is_some(), "{error}");
        error.to_string().replace(path.to_str().unwrap(), "M")
    };
    for (key, value, message) in [
        (
            "format_version",
            json!(2),
            "model `M` has format version 2, this tiermill reads up to 1",
        ),
        ("k", json!(3), "model `M` has 2 tiers, expected 3"),
        (
            "centroids",
            json!([[0.5], [1.0]]),
            "model `M` has 1 coordinates in a centroid, expected 3",
        ),
        ("tiers", json!("none"), "`M` is not a tiermill model"),
    ] {
        assert_eq!(refused(key, value, ""), message);
    }
    for (lines, what) in [
        (
            "features = ['frequency', 'monetary']",
            "`features` = [recency_days, frequency, monetary], the config says [frequency, monetary]",
        ),
        (
            "scale = 'minmax'",
            "`recency_days.scale` = zscore, the config says minmax",
        ),
        (
            "[features.monetary]\ntransform = 'none'",
            "`monetary.transform` = log1p, the config says none",
        ),
        ("refunds = 'keep'", "`refunds` = net, the config says keep"),
        ("window = '90d'", "`window` = none, the config says 90d"),
    ] {
        assert_eq!(
            refused("k", json!(2), lines),
            format!("model `M` was fitted with {what}")
        );
    }
    let runs = std::fs::read_dir(job.work.join("out/runs"))
        .unwrap()
        .count();
    assert_eq!(runs, 1, "nothing was published");
}

/// `assign` with the model of a run under `fitted`, by a config that says `given` instead.
fn assigned_under(fitted: &str, given: &str) -> tiermill::Result<Report> {
    let mut orders = six_customers();
    let paid = orders.column("amount").unwrap().clone();
    orders.with_column(paid.with_name("paid".into())).unwrap();
    let job = Job::new(orders, fitted);
    let model = job.run().directory.join("model.json");
    let base = job.text.strip_suffix(fitted).unwrap();
    let base = if given.contains("amount =") {
        base.replace("amount = 'amount'\n", "")
    } else {
        base.to_owned()
    };
    assign(&config(&format!("{base}{given}")), &model, &mut |_| {})
}

#[test]
fn a_config_that_means_something_else_is_refused_by_the_setting_that_differs() {
    for (fitted, given, what) in [
        (
            "",
            "order = 'invoice'",
            "`count` = rows, the config says order-column",
        ),
        ("count = 'days'", "", "`count` = days, the config says rows"),
        (
            "",
            "deduplicate = true",
            "`deduplicate` = false, the config says true",
        ),
        (
            "",
            "where = 'amount < 99'",
            "`where` = none, the config says amount < 99",
        ),
        (
            "",
            "amount = 'amount * 2'",
            "`amount` = column, the config says amount * 2",
        ),
        (
            "count = 'days'",
            "count = 'days'\ntimezone = 'Asia/Shanghai'",
            "`timezone` = none, the config says Asia/Shanghai",
        ),
        (
            "",
            "rank-by = 'frequency'",
            "`rank-by` = monetary, the config says frequency",
        ),
        (
            "",
            "tier-names = ['A', 'B']",
            "`tier-names` = [Key value, General retain], the config says [A, B]",
        ),
        (
            "",
            "tier-names-zh = ['甲', '乙']",
            "`tier-names-zh` = [重要价值客户, 一般挽留客户], the config says [甲, 乙]",
        ),
        (
            "[tiers.code-names]\n111 = { en = 'VIP' }",
            "[tiers.code-names]\n111 = { en = 'Gold' }",
            "`code-names.111` = VIP, the config says Gold",
        ),
    ] {
        let error = assigned_under(fitted, given).unwrap_err().to_string();
        let (_, found) = error.split_once(" was fitted with ").unwrap();
        assert_eq!(found, what, "{fitted:?}, then {given:?}");
    }
}

#[test]
fn a_config_that_means_the_same_is_accepted_however_it_says_so() {
    for (fitted, given) in [
        ("", "amount = 'paid'"),
        ("", "count = 'rows'"),
        ("", "timezone = 'Asia/Shanghai'"),
        ("tier-names = ['A', 'B']", ""),
        ("tier-names = ['A', 'B']", "tier-names = ['A', 'B']"),
        (
            "",
            "[tiers.code-names]\n111 = { en = 'Key value' }\n010 = { en = 'Z' }",
        ),
    ] {
        let assigned = assigned_under(fitted, given);
        assigned.unwrap_or_else(|error| panic!("{fitted:?}, then {given:?}: {error}"));
    }
}

#[test]
fn a_model_that_no_fit_could_have_written_is_refused_by_the_field() {
    let job = Job::new(six_customers(), "");
    let path = job.run().directory.join("model.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (place, key, value, message) in [
        (
            "/scores",
            "monetary",
            json!([1, 2, 3]),
            "3 cut points in `scores.monetary`, expected 4",
        ),
        (
            "/scores",
            "frequency",
            json!([1, 3, 2, 4]),
            "1 lists in `scores.frequency` that do not ascend, expected 0",
        ),
        (
            "/features/0",
            "weight",
            json!(0),
            "1 features without a `weight` above 0, expected 0",
        ),
        (
            "/features/0",
            "winsor",
            json!([2, 1]),
            "1 features with a `winsor` whose ends are swapped, expected 0",
        ),
        (
            "/features/1",
            "lambda",
            json!(0.5),
            "1 features with a `lambda` that their transform cannot have, expected 0",
        ),
        (
            "/features/2",
            "quantiles",
            json!([1]),
            "1 features with `quantiles` that are not two or more, ascending, expected 0",
        ),
        (
            "/tiers/0",
            "rank",
            json!(2),
            "1 `tiers` out of the order of their rank, expected 0",
        ),
    ] {
        let mut model = saved.clone();
        model.pointer_mut(place).unwrap()[key] = value;
        let error = Model::parse(&model.to_string(), Path::new("M")).unwrap_err();
        assert_eq!(error.to_string(), format!("model `M` has {message}"));
    }
    let mut empty = saved;
    for (key, value) in [
        ("k", json!(0)),
        ("tiers", json!([])),
        ("centroids", json!([])),
    ] {
        empty[key] = value;
    }
    let error = Model::parse(&empty.to_string(), Path::new("M")).unwrap_err();
    assert_eq!(error.to_string(), "model `M` has 0 tiers, expected 2");
}

#[test]
fn a_model_comes_back_from_its_file_to_the_last_bit() {
    for lines in [
        "",
        "scale = 'quantile'",
        "transform = 'yeo-johnson'\nwinsorise = 0.1",
        "[features.monetary]\nweight = 0.1",
    ] {
        let job = Job::new(six_customers(), lines);
        let directory = job.run().directory;
        let text = std::fs::read_to_string(directory.join("model.json")).unwrap();
        let model = Model::parse(&text, &directory).unwrap();
        assert_eq!(
            serde_json::to_string_pretty(&model).unwrap() + "\n",
            text,
            "{lines}"
        );
    }
}

#[test]
fn multiplying_amounts_by_64_leaves_the_tiers_where_they_were() {
    // 64 is exact in binary, and without a logarithm the z-score forgets it.
    let amounts: BTreeMap<&str, [f64; 3]> = BTreeMap::from([
        ("ann", [10.5, 90.0, 20.0]),
        ("bob", [5.25, 1.0, 0.5]),
        ("cat", [300.0, 12.0, 8.5]),
        ("dan", [7.75, 80.0, 90.0]),
        ("eve", [1.0, 2.0, 3.0]),
    ]);
    let table = |factor: f64| {
        let days = ["2024-01-01", "2024-02-10", "2024-03-05"];
        let rows: Vec<(&str, &str, f64)> = amounts
            .iter()
            .flat_map(|(customer, amounts)| {
                days.iter()
                    .zip(amounts)
                    .map(move |(day, amount)| (*customer, *day, amount * factor))
            })
            .collect();
        orders(&rows)
    };
    let placed = |factor: f64| {
        let job = Job::new(table(factor), "transform = 'none'");
        let table = read(&job.run().directory.join("assignments.parquet"));
        picked(&table, "customer tier tier_name margin")
    };
    assert_eq!(placed(1.0), placed(64.0));
}

#[test]
fn a_table_of_several_row_groups_is_each_customer_with_what_is_its_own() {
    // Three kinds of customers that nobody can mistake, and an amount that is nobody else's.
    const CUSTOMERS: usize = 270_000;
    let kind = |at: usize| [(1.0, 20, 5e6), (100.0, 5, 2e6), (300.0, 1, 1e6)][at % 3];
    let rows: Vec<(f64, i64, f64)> = (0..CUSTOMERS)
        .map(|at| {
            let (recency, orders, amount) = kind(at);
            (recency, orders, amount + at as f64)
        })
        .collect();
    let work = Workdir::new();
    work.parquet("customers.parquet", customers_table(&rows));
    let read_ids = read(&work.join("customers.parquet"));
    work.tiermill("run --input customers.parquet --customer id --level customers --as-of 2024-01-31 --k 3 --rules eight --quiet")
        .success();
    let path = work.current().join("assignments.parquet");
    let mut reader = ParquetReader::new(std::fs::File::open(&path).unwrap());
    assert_eq!(reader.get_metadata().unwrap().row_groups.len(), 2);
    let table = read(&path);
    assert_eq!(table.height(), CUSTOMERS);
    let amount_of: BTreeMap<String, f64> = ids_of(&read_ids)
        .into_iter()
        .zip(rows.iter().map(|row| row.2))
        .collect();
    let monetary = table.column("monetary").unwrap().f64().unwrap();
    let mut told: BTreeMap<u32, String> = BTreeMap::new();
    for (row, id) in ids_of(&table).into_iter().enumerate() {
        let amount = monetary.get(row).unwrap();
        assert_eq!(amount, amount_of[&id], "row {row}");
        // All else depends on the kind alone: whatever it is for the first of a kind it is for all.
        let line = [
            "recency_days",
            "frequency",
            "r_score",
            "f_score",
            "tier",
            "tier_name",
            "segment",
        ]
        .map(|column| table.column(column).unwrap().get(row).unwrap().to_string())
        .join(" ");
        let first = told
            .entry((amount / 1e6) as u32)
            .or_insert_with(|| line.clone());
        assert_eq!(*first, line, "row {row}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    let lines: std::collections::BTreeSet<&String> = told.values().collect();
    assert_eq!(lines.len(), 3, "{told:?}");
}

fn ids_of(frame: &DataFrame) -> Vec<String> {
    let name = if frame.schema().contains("customer_id") {
        "customer_id"
    } else {
        "id"
    };
    let ids = frame.column(name).unwrap().cast(&DataType::String).unwrap();
    let ids = ids.str().unwrap().iter().flatten();
    ids.map(str::to_owned).collect()
}
