//! Loading: every form that an order table comes in, and what becomes of each row.

use std::path::Path;

use chrono::NaiveDateTime;
use polars::datatypes::{Categories, FrozenCategories};
use polars::prelude::*;
use serde_json::Value;

use crate::support::{COLUMNS, Ran, Workdir, config, orders, repository, six_customers, with_type};

/// What [`six_customers`] gives: id, recency, frequency, monetary, tenure; then the rows.
const SIX: &str = r#"
ann 2 3 60.5 91
bob 77 1 5.25 77
cat 1 2 150 1
dan 31 2 15 32
eve 61 1 0 61
fay 17 1 10 17
{"read":11,"used":11,"rejected":{}}"#;

/// Runs on one table, and tells what became of it as [`customers`] does.
#[track_caller]
fn load(table: DataFrame, flags: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    workdir
        .tiermill(&format!("run --input x.parquet --k 2 {flags}"))
        .success();
    customers(&workdir)
}

/// The same for a table with the columns of [`orders`].
#[track_caller]
fn load_orders(table: DataFrame, flags: &str) -> String {
    load(table, &format!("{COLUMNS} {flags}"))
}

/// The customers of the current run, one line each: id, recency, frequency, monetary, tenure; then the rows.
fn customers(workdir: &Workdir) -> String {
    let table = workdir.table("assignments.parquet");
    let id = table.columns()[0].name().to_string();
    let columns = [
        id.as_str(),
        "recency_days",
        "frequency",
        "monetary",
        "tenure_days",
    ];
    format!("\n{}{}", lines(&table, &columns), rows(workdir))
}

/// `{"read":11,"used":11,"rejected":{}}`, as the manifest has it.
fn rows(workdir: &Workdir) -> String {
    workdir.json("manifest.json")["rows"].to_string()
}

/// The as-of of the current run.
fn as_of(workdir: &Workdir) -> String {
    workdir.json("tiers.json")["as_of"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Some columns of a table as text, one line per row.
fn lines(table: &DataFrame, columns: &[&str]) -> String {
    let mut text = String::new();
    for row in 0..table.height() {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| cell(&table.column(column).unwrap().get(row).unwrap()))
            .collect();
        text += cells.join(" ").trim_end();
        text.push('\n');
    }
    text
}

fn cell(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Binary(bytes) => bytes.escape_ascii().to_string(),
        AnyValue::BinaryOwned(bytes) => bytes.escape_ascii().to_string(),
        AnyValue::Float64(number) => number.to_string(),
        AnyValue::Null => "null".to_owned(),
        other => other
            .get_str()
            .map_or_else(|| other.to_string(), str::to_owned),
    }
}

/// Names of the inputs in the manifest.
fn inputs(workdir: &Workdir) -> Vec<String> {
    let manifest = workdir.json("manifest.json");
    let inputs = manifest["inputs"].as_array().unwrap();
    inputs
        .iter()
        .map(|input| input["path"].as_str().unwrap().to_owned())
        .collect()
}

/// The files of a run that must not differ by a byte.
fn bytes(workdir: &Workdir) -> Vec<Vec<u8>> {
    let file = |name: &str| std::fs::read(workdir.current().join(name)).unwrap();
    ["assignments.parquet", "tiers.json", "model.json"]
        .map(file)
        .to_vec()
}

// Where the rows are.

#[test]
fn a_file_several_a_folder_a_glob_and_hive_partitions_are_one_input() {
    let workdir = Workdir::new();
    let table = six_customers();
    workdir.parquet("whole.parquet", table.clone());
    workdir.parquet("parts/a.parquet", table.slice(0, 4));
    workdir.parquet("parts/b.parquet", table.slice(4, 7));
    workdir.parquet("hive/year=2023/month=12/x.parquet", table.slice(0, 2));
    workdir.parquet("hive/year=2024/month=01/x.parquet", table.slice(2, 5));
    workdir.parquet("hive/year=2024/month=02/x.parquet", table.slice(7, 4));
    let mut first = None;
    for (input, files) in [
        ("whole.parquet", 1),
        ("parts/a.parquet parts/b.parquet", 2),
        ("parts", 2),
        ("./parts/", 2),
        ("'parts/*.parquet'", 2),
        ("'parts/[ab].parquet'", 2),
        ("hive", 3),
        (
            "hive/year=2023 hive/year=2024/month=01 hive/year=2024/month=02/x.parquet",
            3,
        ),
        ("'hive/year=*/month=*/*.parquet'", 3),
        ("'hive/**/*.parquet'", 3),
        ("'hive/year=*'", 3),
    ] {
        workdir
            .tiermill(&format!("run --input {input} {COLUMNS} --k 2"))
            .success();
        assert_eq!(customers(&workdir), SIX, "{input}");
        assert_eq!(inputs(&workdir).len(), files, "{input}");
        assert_eq!(
            &bytes(&workdir),
            first.get_or_insert_with(|| bytes(&workdir)),
            "{input}"
        );
    }
}

#[test]
fn what_other_programs_leave_in_a_folder_is_no_input() {
    let workdir = Workdir::new();
    workdir.parquet("in/2024/a.parquet", six_customers().slice(0, 4));
    workdir.parquet("in/b.PARQUET", six_customers().slice(4, 7));
    workdir.parquet("in/_temporary/a.parquet", six_customers());
    workdir.parquet("in/.b.parquet", six_customers());
    workdir.write("in/_SUCCESS", "");
    workdir.write("in/.a.parquet.crc", "crc");
    workdir.write("in/README.txt", "orders, by day");
    workdir
        .tiermill(&format!("run --input in {COLUMNS} --k 2"))
        .success();
    assert_eq!(inputs(&workdir), ["in/2024/a.parquet", "in/b.PARQUET"]);
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn a_wildcard_takes_what_a_folder_takes() {
    let workdir = Workdir::new();
    workdir.parquet("in/2024/a.parquet", six_customers().slice(0, 4));
    workdir.parquet("in/b.parquet", six_customers().slice(4, 7));
    workdir.parquet("in/_temporary/a.parquet", six_customers().slice(3, 3));
    workdir.parquet("in/.c.parquet", six_customers().slice(2, 4));
    workdir.write("in/_SUCCESS", "");
    let read = |input: &str| {
        let run = format!("run --input {input} {COLUMNS} --k 2 --as-of 2024-04-01 --out in/out");
        let ran = workdir.tiermill(&format!("{run} --format json")).success();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        report["rows"]["read"].as_u64().unwrap()
    };
    // What the first run publishes into its own input is nothing to the others.
    for input in ["'in/*'", "'in/**/*.parquet'", "'i?/*'", "'in/*' in"] {
        assert_eq!(read(input), 11, "{input}");
    }
    for (spelled_out, rows) in [
        ("'in/_temporary/*'", 3),
        ("'in/_t*/*.parquet'", 3),
        ("'in/.c*'", 4),
    ] {
        assert_eq!(read(spelled_out), rows, "{spelled_out}");
    }
    let runs = "--input 'in/*/current/assignments.parquet' --customer customer --out other";
    workdir
        .tiermill(&format!(
            "run {runs} --level customers --as-of 2024-04-01 --k 2"
        ))
        .success();
}

#[test]
fn a_file_that_is_named_more_than_once_is_read_once() {
    let workdir = Workdir::new();
    workdir.parquet("in/x.parquet", six_customers());
    let inputs = "in/x.parquet in ./in/x.parquet 'in/*.parquet'";
    workdir
        .tiermill(&format!("run --input {inputs} {COLUMNS} --k 2"))
        .success();
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn a_file_that_exists_is_a_path_even_where_it_looks_like_a_pattern() {
    let workdir = Workdir::new();
    workdir.parquet("orders [1] 50% *?.parquet", six_customers());
    workdir.parquet("orders 1 50% xx.parquet", six_customers());
    workdir
        .tiermill(&format!(
            "run --input 'orders [1] 50% *?.parquet' {COLUMNS} --k 2"
        ))
        .success();
    assert_eq!(inputs(&workdir), ["orders [1] 50% *?.parquet"]);
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn paths_in_a_config_file_begin_at_the_folder_of_the_file() {
    let workdir = Workdir::new();
    workdir.parquet("shop/orders.parquet", six_customers());
    workdir.write(
        "shop/tiermill.toml",
        "input = 'orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\nout = '../out'\n",
    );
    workdir
        .tiermill("run --config shop/tiermill.toml")
        .success();
    assert_eq!(customers(&workdir), SIX);
}

/// January, February and March of [`six_customers`], partitioned by year and month.
fn hive(workdir: &Workdir) {
    let table = six_customers();
    let month = |month: &str| -> Vec<IdxSize> {
        let days = table.column("date").unwrap();
        (0..table.height())
            .filter(|&row| days.get(row).unwrap().to_string().starts_with(month))
            .map(|row| row as IdxSize)
            .collect()
    };
    for name in ["01", "02", "03"] {
        let rows = IdxCa::from_vec("rows".into(), month(&format!("2024-{name}")));
        workdir.parquet(
            &format!("orders/year=2024/month={name}/part-0.parquet"),
            table.take(&rows).unwrap(),
        );
    }
}

#[test]
fn hive_keys_are_columns() {
    let workdir = Workdir::new();
    hive(&workdir);
    let run = |flags: &str| {
        workdir
            .tiermill(&format!(
                "run --input orders --customer customer --time date --k 2 {flags}"
            ))
            .success();
        customers(&workdir)
    };
    assert_eq!(run("--amount amount"), SIX);
    insta::assert_snapshot!(run("--amount amount --where 'year = 2024 AND month >= 2'"), @r#"
    ann 2 2 50.5 31
    cat 1 2 150 1
    dan 31 2 15 32
    fay 17 1 10 17
    {"read":11,"used":8,"rejected":{"filtered":3}}
    "#);
    insta::assert_snapshot!(run("--amount amount --where 'month = 3' --deduplicate"), @r#"
    ann 2 2 50.5 31
    cat 1 2 150 1
    dan 31 1 8 31
    fay 17 1 10 17
    {"read":11,"used":7,"rejected":{"filtered":4}}
    "#);
    insta::assert_snapshot!(run("--amount 'amount * month'"), @r#"
    ann 2 3 161.5 91
    bob 77 1 5.25 77
    cat 1 2 450 1
    dan 31 2 38 32
    eve 61 1 0 61
    fay 17 1 30 17
    {"read":11,"used":11,"rejected":{}}
    "#);
}

#[test]
fn a_hive_key_can_be_the_customer_or_the_time() {
    let workdir = Workdir::new();
    let table = six_customers();
    for (name, start, length) in [("ann", 0, 3), ("bob", 3, 1), ("cat", 4, 2)] {
        let own = table.slice(start, length).drop("customer").unwrap();
        workdir.parquet(&format!("customers/customer={name}/x.parquet"), own);
    }
    workdir
        .tiermill(&format!("run --input customers {COLUMNS} --k 2"))
        .success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    ann 2 3 60.5 91
    bob 77 1 5.25 77
    cat 1 2 150 1
    {"read":6,"used":6,"rejected":{}}
    "#);
    for (row, day) in ["2024-01-01", "2024-03-01", "2024-03-30", "2024-01-15"]
        .iter()
        .enumerate()
    {
        let own = table.slice(row as i64, 1).drop("date").unwrap();
        workdir.parquet(&format!("days/date={day}/{row}.parquet"), own);
    }
    workdir
        .tiermill(&format!("run --input days {COLUMNS} --k 2"))
        .success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    ann 1 3 60.5 90
    bob 76 1 5.25 76
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn files_may_differ_in_the_order_and_the_number_of_other_columns() {
    let workdir = Workdir::new();
    let table = six_customers();
    workdir.parquet("in/a.parquet", table.slice(0, 4));
    let mut wide = table
        .slice(4, 4)
        .select(["amount", "customer", "date"])
        .unwrap();
    wide.with_column(Column::new(
        "channel".into(),
        ["web", "web", "shop", "shop"],
    ))
    .unwrap();
    workdir.parquet("in/b.parquet", wide);
    let mut other = table
        .slice(8, 3)
        .select(["date", "amount", "customer"])
        .unwrap();
    other
        .with_column(Column::new("channel".into(), [1_i64, 2, 3]))
        .unwrap();
    workdir.parquet("in/c.parquet", other);
    workdir
        .tiermill(&format!("run --input in {COLUMNS} --k 2"))
        .success();
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn only_the_needed_columns_are_read() {
    let workdir = Workdir::new();
    let mut table = six_customers();
    let notes: Vec<String> = (0..table.height())
        .map(|row| format!("note {row}"))
        .collect();
    table
        .insert_column(0, Column::new("note".into(), notes))
        .unwrap();
    let path = workdir.parquet("x.parquet", table);
    let mut bytes = std::fs::read(&path).unwrap();
    // The pages of the first column begin right after the magic number; nobody could read them now.
    bytes[4..40].fill(0xff);
    workdir.write("x.parquet", bytes);
    workdir
        .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2"))
        .success();
    assert_eq!(customers(&workdir), SIX);
    let where_note = format!("run --input x.parquet {COLUMNS} --k 2 --where 'note IS NOT NULL'");
    assert_eq!(
        workdir.tiermill(&where_note).code,
        1,
        "the column is not damaged, so this shows nothing"
    );
}

#[test]
fn a_column_that_is_not_needed_may_be_of_a_type_that_polars_lacks() {
    // Written by pyarrow 26: customer, date, amount, and a column of its type `arrow.uuid`.
    let file = repository().join("tests/data/pyarrow_uuid.parquet");
    let workdir = Workdir::new();
    workdir
        .tiermill(&format!("run --input {} {COLUMNS} --k 2", file.display()))
        .success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 2 1 1 2
    b 1 1 2 1
    {"read":2,"used":2,"rejected":{}}
    "#);
}

#[test]
fn a_folder_may_be_written_in_any_way() {
    let workdir = Workdir::new();
    hive(&workdir);
    for input in [
        "orders",
        "./orders/",
        ".//orders/.",
        "'./orders/year=*/*/*.parquet'",
        "'orders//year=*/./*/*.parquet'",
    ] {
        workdir
            .tiermill(&format!(
                "run --input {input} {COLUMNS} --k 2 --where 'year = 2024'"
            ))
            .success();
        assert_eq!(customers(&workdir), SIX, "{input}");
    }
}

#[test]
fn the_order_in_which_files_are_named_is_nothing_to_a_run() {
    let workdir = Workdir::new();
    workdir.parquet("a.parquet", six_customers().slice(0, 4));
    workdir.parquet("b.parquet", six_customers().slice(4, 7));
    let run = |files: &str| {
        workdir
            .tiermill(&format!("run --input {files} {COLUMNS} --k 2"))
            .success();
        let name = workdir.current().file_name().unwrap().to_owned();
        let name = name.into_string().unwrap();
        // The same run once more is `…-2`.
        (
            name.trim_end_matches("-2").to_owned(),
            inputs(&workdir),
            bytes(&workdir),
        )
    };
    assert_eq!(run("b.parquet a.parquet"), run("a.parquet b.parquet"));
}

// Who ordered.

/// Orders of four customers with these ids; the first one ordered last and most.
fn ordered_by(ids: Series) -> DataFrame {
    let days = ["2024-01-04", "2024-01-03", "2024-01-02", "2024-01-01"];
    let ids = ids.with_name("Customer ID".into());
    let mut table = df!("date" => days, "amount" => [9.0, 4.0, 2.0, 1.0]).unwrap();
    table.with_column(ids.into_column()).unwrap();
    with_type(table, "date", &DataType::Date)
}

const BY_ID: &str = "--customer 'Customer ID' --time date --amount amount";

#[test]
fn integer_ids_keep_their_name_and_type_and_sort_as_numbers() {
    for dtype in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ] {
        let workdir = Workdir::new();
        let ids = Series::new("id".into(), [100_i64, 20, 3, 0])
            .cast(&dtype)
            .unwrap();
        workdir.parquet("x.parquet", ordered_by(ids));
        workdir
            .tiermill(&format!("run --input x.parquet {BY_ID} --k 2"))
            .success();
        let table = workdir.table("assignments.parquet");
        assert_eq!(table.columns()[0].name().as_str(), "Customer ID");
        assert_eq!(table.columns()[0].dtype(), &dtype);
        assert_eq!(
            lines(&table, &["Customer ID", "monetary"]),
            "0 1\n3 2\n20 4\n100 9\n",
            "{dtype}"
        );
    }
}

#[test]
fn the_smallest_and_the_largest_id_of_a_type_are_ids() {
    let signed = Series::new("id".into(), [i64::MAX, 0, -1, i64::MIN]);
    insta::assert_snapshot!(load(ordered_by(signed), BY_ID), @r#"
    -9223372036854775808 4 1 1 4
    -1 3 1 2 3
    0 2 1 4 2
    9223372036854775807 1 1 9 1
    {"read":4,"used":4,"rejected":{}}
    "#);
    let unsigned = Series::new("id".into(), [u64::MAX, u64::MAX - 1, 1 << 63, 0]);
    insta::assert_snapshot!(load(ordered_by(unsigned), BY_ID), @r#"
    0 4 1 1 4
    9223372036854775808 3 1 2 3
    18446744073709551614 2 1 4 2
    18446744073709551615 1 1 9 1
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn string_ids_sort_as_text_and_may_hold_anything() {
    let ids = Series::new(
        "id".into(),
        ["10", "9", "O'Brien \"Bob\"; DROP TABLE", " 客户"],
    );
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_by(ids));
    workdir
        .tiermill(&format!("run --input x.parquet {BY_ID} --k 2"))
        .success();
    assert_eq!(
        workdir.table("assignments.parquet").columns()[0].dtype(),
        &DataType::String
    );
    insta::assert_snapshot!(customers(&workdir), @r#"
     客户 4 1 1 4
    10 1 1 9 1
    9 2 1 4 2
    O'Brien "Bob"; DROP TABLE 3 1 2 3
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn binary_ids_stay_binary() {
    let ids: [&[u8]; 4] = [b"\xff\x00", b"\x00", b"b", b"ab"];
    let ids = Series::new("id".into(), ids);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_by(ids));
    workdir
        .tiermill(&format!("run --input x.parquet {BY_ID} --k 2"))
        .success();
    assert_eq!(
        workdir.table("assignments.parquet").columns()[0].dtype(),
        &DataType::Binary
    );
    insta::assert_snapshot!(customers(&workdir), @r#"
    \x00 2 1 4 2
    ab 4 1 1 4
    b 3 1 2 3
    \xff\x00 1 1 9 1
    {"read":4,"used":4,"rejected":{}}
    "#);
}

/// Types of texts that number them.
fn numbered_texts() -> [DataType; 2] {
    let listed = FrozenCategories::new(["d", "b", "a", "c"]).unwrap();
    [
        DataType::from_frozen_categories(listed),
        DataType::from_categories(Categories::global()),
    ]
}

#[test]
fn ids_of_an_enum_sort_as_text() {
    let ids = Series::new("customer".into(), ["b", "a", "d", "c"]);
    let as_text = load(ordered_by(ids.clone()), BY_ID);
    for dtype in numbered_texts() {
        let ids = ids.cast(&dtype).unwrap();
        let found = load(ordered_by(ids), BY_ID);
        assert_eq!(found, as_text, "{dtype}");
        let found = load(with_type(ready(), "customer", &dtype), READY);
        assert_eq!(found, load(ready(), READY), "{dtype}");
    }
}

// When.

/// Customers `a`, `b`, `c`, …, each with one order at one of these times.
fn ordered_at(times: Series) -> DataFrame {
    let n = times.len() as u8;
    let customers: Vec<String> = (0..n).map(|i| char::from(b'a' + i).to_string()).collect();
    let amounts: Vec<f64> = (0..n).map(|i| f64::from(i) + 1.0).collect();
    let mut table = df!("customer" => customers, "amount" => amounts).unwrap();
    table
        .with_column(times.with_name("date".into()).into_column())
        .unwrap();
    table
}

/// Microseconds since 1970 of a wall-clock time.
fn micros(text: &str) -> i64 {
    text.parse::<NaiveDateTime>()
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

fn datetime(unit: TimeUnit, zone: Option<&str>) -> DataType {
    let zone = zone.and_then(|name| TimeZone::opt_try_new(Some(name)).unwrap());
    DataType::Datetime(unit, zone)
}

/// Wall-clock times in a unit of choice.
fn times(texts: &[&str], unit: TimeUnit, zone: Option<&str>) -> Series {
    let ticks = |text: &&str| match unit {
        TimeUnit::Milliseconds => micros(text) / 1_000,
        TimeUnit::Microseconds => micros(text),
        TimeUnit::Nanoseconds => micros(text) * 1_000,
    };
    let ticks: Vec<i64> = texts.iter().map(ticks).collect();
    Series::new("date".into(), ticks)
        .cast(&datetime(unit, zone))
        .unwrap()
}

/// Id and recency of the customers of [`ordered_at`], after the as-of.
#[track_caller]
fn recency(times: Series, flags: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_at(times));
    workdir
        .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2 {flags}"))
        .success();
    let table = workdir.table("assignments.parquet");
    let list = lines(&table, &["customer", "recency_days"]);
    format!("{}\n{list}{}", as_of(&workdir), rows(&workdir))
}

#[test]
fn a_date_a_datetime_of_any_unit_and_an_iso_string_say_the_same() {
    let days = [
        "2024-02-28T00:00:00",
        "2024-02-29T00:00:00",
        "2024-03-01T00:00:00",
    ];
    let strings = Series::new("date".into(), ["2024-02-28", "2024-02-29", "2024-03-01"]);
    let dates = strings.cast(&DataType::Date).unwrap();
    insta::assert_snapshot!(recency(dates.clone(), ""), @r#"
    2024-03-02T00:00:00
    a 3
    b 2
    c 1
    {"read":3,"used":3,"rejected":{}}
    "#);
    let expected = recency(dates, "");
    assert_eq!(recency(strings, ""), expected);
    for unit in [
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
        TimeUnit::Nanoseconds,
    ] {
        assert_eq!(recency(times(&days, unit, None), ""), expected, "{unit}");
        let utc = recency(times(&days, unit, Some("UTC")), "");
        assert_eq!(
            utc.replace("00:00:00+00:00", "00:00:00"),
            expected,
            "{unit}"
        );
    }
}

#[test]
fn as_of_is_exclusive_to_the_nanosecond() {
    let ticks = [
        ("the last nanosecond before", -1_i64),
        ("as-of itself", 0),
        ("the first nanosecond after", 1),
        ("two days before", -2 * 86_400_000_000_000),
        ("a day and a nanosecond before", -86_400_000_000_001),
    ];
    let midnight = micros("2024-02-01T00:00:00") * 1_000;
    let ticks: Vec<i64> = ticks.iter().map(|(_, offset)| midnight + offset).collect();
    let times = Series::new("date".into(), ticks);
    let times = times.cast(&datetime(TimeUnit::Nanoseconds, None)).unwrap();
    insta::assert_snapshot!(recency(times.clone(), "--as-of 2024-02-01"), @r#"
    2024-02-01T00:00:00
    a 0
    d 2
    e 1
    {"read":5,"used":3,"rejected":{"after_as_of":2}}
    "#);
    insta::assert_snapshot!(recency(times, "--as-of 2024-02-01 --recency calendar"), @r#"
    2024-02-01T00:00:00
    a 1
    d 2
    e 2
    {"read":5,"used":3,"rejected":{"after_as_of":2}}
    "#);
}

#[test]
fn times_before_1970_are_floored_like_any_other() {
    for unit in [
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
        TimeUnit::Nanoseconds,
    ] {
        let ticks = Series::new("date".into(), [-1_i64, 0, 1]);
        let times = ticks.cast(&datetime(unit, None)).unwrap();
        let found = recency(times.clone(), "--as-of 1970-01-02 --recency calendar");
        assert_eq!(
            found, "1970-01-02T00:00:00\na 2\nb 1\nc 1\n{\"read\":3,\"used\":3,\"rejected\":{}}",
            "{unit}"
        );
        let found = recency(times, "--as-of 1970-01-02T12:00 --recency floor");
        assert_eq!(
            found, "1970-01-02T12:00:00\na 1\nb 1\nc 1\n{\"read\":3,\"used\":3,\"rejected\":{}}",
            "{unit}"
        );
    }
}

#[test]
fn iso_strings_may_have_a_time_part_a_fraction_and_an_offset() {
    let texts = [
        "2024-01-05",
        "2024-01-05T18:00:00",
        "2024-01-05 18:00:00",
        "2024-01-05T18:00",
        "2024-01-05 18:00",
        "2024-01-05T18:00:00.000000999",
        "2024-01-05T18:00:00Z",
        "2024-01-05T20:00:00+02:00",
        "2024-01-05 20:00:00+0200",
        "2024-01-06T01:00:00.5+07:00",
        " 2024-01-05 ",
    ];
    let times = || Series::new("date".into(), texts);
    insta::assert_snapshot!(recency(times(), "--as-of 2024-01-07 --recency exact"), @r#"
    2024-01-07T00:00:00
    a 2
    b 1.25
    c 1.25
    d 1.25
    e 1.25
    f 1.25
    g 1.25
    h 1.25
    i 1.25
    j 1.2499942129629629
    k 2
    {"read":11,"used":11,"rejected":{}}
    "#);
    // Text with an offset is an instant, text without one the wall clock of the zone.
    insta::assert_snapshot!(
        recency(times(), "--as-of 2024-01-07 --recency exact --timezone Europe/Berlin"),
        @r#"
    2024-01-07T00:00:00
    a 2
    b 1.25
    c 1.25
    d 1.25
    e 1.25
    f 1.25
    g 1.2083333333333333
    h 1.2083333333333333
    i 1.2083333333333333
    j 1.2083275462962964
    k 2
    {"read":11,"used":11,"rejected":{}}
    "#
    );
}

#[test]
fn an_iso_string_with_an_offset_may_leave_out_the_seconds() {
    let times = Series::new(
        "date".into(),
        ["2024-01-05T18:00Z", "2024-01-05 20:30+02:00"],
    );
    insta::assert_snapshot!(recency(times, "--as-of 2024-01-07 --recency exact"), @r#"
    2024-01-07T00:00:00
    a 1.25
    b 1.2291666666666667
    {"read":2,"used":2,"rejected":{}}
    "#);
}

#[test]
fn text_that_is_no_iso_time_is_a_bad_time() {
    let texts = [
        "2024-01-05",
        "2024-01-06",
        "",
        "soon",
        "2024-02-30",
        "05.01.2024",
        "2024/01/05",
        "20240105",
        "2024-01-05T25:00:00",
        "1704412800",
        "0001-01-01",
        "1899-12-31",
    ];
    let times = Series::new("date".into(), texts);
    insta::assert_snapshot!(recency(times, "--max-rejected 1"), @r#"
    2024-01-07T00:00:00
    a 2
    b 1
    {"read":12,"used":2,"rejected":{"bad_time":10}}
    "#);
}

/// In Berlin 31 March 2024 has 23 hours: 02:00 is followed by 03:00.
fn spring_in_berlin() -> Series {
    let utc = [
        "2024-03-29T22:59:59", // 29 March 23:59:59
        "2024-03-29T23:00:00", // 30 March 00:00
        "2024-03-30T12:00:00", // 30 March 13:00
        "2024-03-31T00:59:59", // 31 March 01:59:59
        "2024-03-31T01:00:00", // 31 March 03:00
        "2024-03-31T21:59:59", // 31 March 23:59:59
    ];
    times(&utc, TimeUnit::Microseconds, Some("UTC"))
}

#[test]
fn a_zone_moves_the_midnights() {
    insta::assert_snapshot!(recency(spring_in_berlin(), ""), @r#"
    2024-04-01T00:00:00+00:00
    a 2
    b 2
    c 1
    d 0
    e 0
    f 0
    {"read":6,"used":6,"rejected":{}}
    "#);
    insta::assert_snapshot!(recency(spring_in_berlin(), "--timezone Europe/Berlin"), @r#"
    2024-04-01T00:00:00+02:00
    a 1
    b 1
    c 1
    d 0
    e 0
    f 0
    {"read":6,"used":6,"rejected":{}}
    "#);
    insta::assert_snapshot!(recency(spring_in_berlin(), "--timezone Asia/Shanghai"), @r#"
    2024-04-02T00:00:00+08:00
    a 2
    b 2
    c 2
    d 1
    e 1
    f 0
    {"read":6,"used":6,"rejected":{}}
    "#);
}

#[test]
fn the_three_ways_of_recency_differ_over_a_change_of_the_clock() {
    let recency = |how| {
        recency(
            spring_in_berlin(),
            &format!("--timezone Europe/Berlin --recency {how}"),
        )
    };
    insta::assert_snapshot!(recency("floor"), @r#"
    2024-04-01T00:00:00+02:00
    a 1
    b 1
    c 1
    d 0
    e 0
    f 0
    {"read":6,"used":6,"rejected":{}}
    "#);
    insta::assert_snapshot!(recency("calendar"), @r#"
    2024-04-01T00:00:00+02:00
    a 3
    b 2
    c 2
    d 1
    e 1
    f 1
    {"read":6,"used":6,"rejected":{}}
    "#);
    insta::assert_snapshot!(recency("exact"), @r#"
    2024-04-01T00:00:00+02:00
    a 1.9583449074074073
    b 1.9583333333333333
    c 1.4166666666666667
    d 0.875011574074074
    e 0.875
    f 0.000011574074074074073
    {"read":6,"used":6,"rejected":{}}
    "#);
}

#[test]
fn a_zone_moves_the_days_that_are_counted() {
    let mut table = ordered_at(times(
        &[
            "2024-01-01T23:30:00",
            "2024-01-02T00:30:00",
            "2024-01-02T01:00:00",
            "2024-01-02T02:00:00",
        ],
        TimeUnit::Milliseconds,
        Some("UTC"),
    ));
    table
        .with_column(Column::new("customer".into(), ["a", "a", "b", "b"]))
        .unwrap();
    let days = |flags: &str| load_orders(table.clone(), &format!("--count days {flags}"));
    insta::assert_snapshot!(days(""), @r#"
    a 0 2 3 1
    b 0 1 7 0
    {"read":4,"used":4,"rejected":{}}
    "#);
    insta::assert_snapshot!(days("--timezone Europe/Berlin"), @r#"
    a 0 1 3 0
    b 0 1 7 0
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn a_column_with_a_zone_of_its_own_needs_no_other() {
    let utc = ["2024-01-05T23:30:00", "2024-01-03T12:00:00"];
    let times = times(&utc, TimeUnit::Nanoseconds, Some("Europe/Berlin"));
    insta::assert_snapshot!(recency(times.clone(), ""), @r#"
    2024-01-07T00:00:00+01:00
    a 0
    b 3
    {"read":2,"used":2,"rejected":{}}
    "#);
    insta::assert_snapshot!(recency(times, "--timezone UTC"), @r#"
    2024-01-06T00:00:00+00:00
    a 0
    b 2
    {"read":2,"used":2,"rejected":{}}
    "#);
}

#[test]
fn instants_without_the_metadata_of_arrow_are_in_utc() {
    // Written by DuckDB 2.0.0, whose files say of a TIMESTAMPTZ only that it is an instant, as those of Java do: COPY (FROM (VALUES
    // ('a', TIMESTAMPTZ '2024-01-04 23:30:00+00', 10.0::DOUBLE), ('a', TIMESTAMPTZ '2024-01-05 00:30:00+00', 5.0::DOUBLE),
    // ('b', TIMESTAMPTZ '2024-01-01 12:00:00+00', 7.5::DOUBLE)) t(customer, date, amount)) TO 'duckdb_instants.parquet'.
    let file = repository().join("tests/data/duckdb_instants.parquet");
    let load = |flags: &str| {
        let workdir = Workdir::new();
        let input = format!("--input {} {COLUMNS}", file.display());
        workdir
            .tiermill(&format!("run {input} --k 2 --count days {flags}"))
            .success();
        as_of(&workdir) + &customers(&workdir)
    };
    insta::assert_snapshot!(load(""), @r#"
    2024-01-06T00:00:00+00:00
    a 0 2 15 1
    b 4 1 7.5 4
    {"read":3,"used":3,"rejected":{}}
    "#);
    insta::assert_snapshot!(load("--timezone Asia/Shanghai"), @r#"
    2024-01-06T00:00:00+08:00
    a 0 1 15 0
    b 4 1 7.5 4
    {"read":3,"used":3,"rejected":{}}
    "#);
}

#[test]
fn a_zone_that_polars_does_not_know_is_no_panic() {
    // Written by pyarrow 26, with the zone `+05:30` that pandas gives to text with such an offset.
    let file = repository().join("tests/data/pyarrow_offset_zone.parquet");
    let workdir = Workdir::new();
    let ran = workdir.tiermill(&format!("run --input {} {COLUMNS} --k 2", file.display()));
    assert!(
        !ran.stderr.contains("a fault in tiermill itself"),
        "{}",
        ran.stderr
    );
    if ran.code == 0 {
        assert_eq!(as_of(&workdir), "2024-01-03T00:00:00+05:30");
    } else {
        assert!(
            ran.code == 1 && ran.stderr.contains("`date`"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn as_of_may_have_a_time_of_day_and_an_offset() {
    let wall = || {
        let texts = [
            "2024-01-05T12:49:59",
            "2024-01-05T12:50:00",
            "2024-01-01T12:50:00",
        ];
        times(&texts, TimeUnit::Milliseconds, None)
    };
    insta::assert_snapshot!(recency(wall(), "--as-of 2024-01-05T12:50"), @r#"
    2024-01-05T12:50:00
    a 0
    c 4
    {"read":3,"used":2,"rejected":{"after_as_of":1}}
    "#);
    insta::assert_snapshot!(recency(wall(), "--as-of '2024-01-05 12:50:00.5' --recency exact"), @r#"
    2024-01-05T12:50:00.500
    a 0.00001736111111111111
    b 0.000005787037037037037
    c 4.000005787037037
    {"read":3,"used":3,"rejected":{}}
    "#);
    // An offset in front of a column without zone is brought to UTC, or to the zone that is set.
    insta::assert_snapshot!(recency(wall(), "--as-of 2024-01-05T14:50+02:00"), @r#"
    2024-01-05T12:50:00
    a 0
    c 4
    {"read":3,"used":2,"rejected":{"after_as_of":1}}
    "#);
    insta::assert_snapshot!(
        recency(wall(), "--as-of 2024-01-05T14:50+02:00 --timezone Europe/Berlin"),
        @r#"
    2024-01-05T13:50:00
    a 0
    b 0
    c 4
    {"read":3,"used":3,"rejected":{}}
    "#
    );
}

#[test]
fn an_as_of_that_the_clock_skips_is_the_moment_after_the_gap() {
    let as_of = "--as-of 2024-03-31T02:30 --timezone Europe/Berlin --recency exact";
    insta::assert_snapshot!(recency(spring_in_berlin(), as_of), @r#"
    2024-03-31T03:00:00+02:00
    a 1.0833449074074073
    b 1.0833333333333333
    c 0.5416666666666666
    d 0.000011574074074074073
    {"read":6,"used":4,"rejected":{"after_as_of":2}}
    "#);
}

#[test]
fn a_window_begins_with_its_first_moment_and_ends_before_as_of() {
    let texts = [
        "2024-03-01T23:59:59.999999",
        "2024-03-02T00:00:00",
        "2024-03-31T23:59:59.999999",
        "2024-04-01T00:00:00",
    ];
    let times = || times(&texts, TimeUnit::Microseconds, None);
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-01 --window 30d"), @r#"
    2024-04-01T00:00:00
    b 30
    c 0
    {"read":4,"used":2,"rejected":{"after_as_of":1,"before_window":1}}
    "#);
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-01 --window 31"), @r#"
    2024-04-01T00:00:00
    a 30
    b 30
    c 0
    {"read":4,"used":3,"rejected":{"after_as_of":1}}
    "#);
    insta::assert_snapshot!(
        recency(times(), "--as-of 2024-04-01T00:00:00.000001 --window 30d --recency exact"),
        @r#"
    2024-04-01T00:00:00.000001
    c 0.000000000023148148148148147
    d 0.000000000011574074074074074
    {"read":4,"used":2,"rejected":{"before_window":2}}
    "#
    );
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-02 --window 1w"), @r#"
    2024-04-02T00:00:00
    c 1
    d 1
    {"read":4,"used":2,"rejected":{"before_window":2}}
    "#);
}

#[test]
fn a_window_counts_calendar_days_where_the_clock_changes() {
    // 30 March 00:00 in Berlin is 47 hours before 1 April 00:00.
    let window = "--as-of 2024-04-01 --timezone Europe/Berlin --window 2d";
    insta::assert_snapshot!(recency(spring_in_berlin(), window), @r#"
    2024-04-01T00:00:00+02:00
    b 1
    c 1
    d 0
    e 0
    f 0
    {"read":6,"used":5,"rejected":{"before_window":1}}
    "#);
}

#[test]
fn without_as_of_a_run_looks_from_the_midnight_after_the_newest_usable_order() {
    // The newest rows have no customer and no amount: they move nothing.
    let table = df!(
        "customer" => [Some("a"), Some("b"), None, Some("a")],
        "date" => ["2024-01-01", "2024-01-03", "2024-01-09", "2024-01-08"],
        "amount" => [Some(1.0), Some(2.0), Some(3.0), None],
    );
    insta::assert_snapshot!(load_orders(table.unwrap(), "--max-rejected 1"), @r#"
    a 3 1 1 3
    b 1 1 2 1
    {"read":4,"used":2,"rejected":{"bad_amount":1,"null_customer":1}}
    "#);
}

#[test]
fn a_refund_does_not_make_the_newest_day() {
    let table = || {
        orders(&[
            ("a", "2024-01-01", 5.0),
            ("b", "2024-01-03", 9.0),
            ("a", "2024-01-09", -2.0),
        ])
    };
    insta::assert_snapshot!(load_orders(table(), ""), @r#"
    a 3 1 5 3
    b 1 1 9 1
    {"read":3,"used":2,"rejected":{"after_as_of":1}}
    "#);
    for policy in ["drop", "reject"] {
        let flags = format!("--refunds {policy}");
        assert_eq!(
            load_orders(table(), &flags),
            load_orders(table(), ""),
            "{policy}"
        );
    }
    insta::assert_snapshot!(load_orders(table(), "--refunds keep"), @r#"
    a 1 2 3 9
    b 7 1 9 7
    {"read":3,"used":3,"rejected":{}}
    "#);
}

#[test]
fn moving_as_of_moves_recency_and_tenure_and_nothing_else() {
    let at = |as_of: &str| load_orders(six_customers(), &format!("--as-of {as_of}"));
    assert_eq!(at("2024-04-01"), SIX);
    insta::assert_snapshot!(at("2024-04-11"), @r#"
    ann 12 3 60.5 101
    bob 87 1 5.25 87
    cat 11 2 150 11
    dan 41 2 15 42
    eve 71 1 0 71
    fay 27 1 10 27
    {"read":11,"used":11,"rejected":{}}
    "#);
}

// How much.

#[test]
fn every_type_of_number_is_an_amount() {
    let whole = orders(&[
        ("a", "2024-01-01", 3.0),
        ("a", "2024-01-02", -1.0),
        ("b", "2024-01-03", 100.0),
    ]);
    let expected = load_orders(whole.clone(), "");
    insta::assert_snapshot!(expected, @r#"
    a 3 1 2 3
    b 1 1 100 1
    {"read":3,"used":3,"rejected":{}}
    "#);
    for dtype in [
        DataType::Float32,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Decimal(9, 2),
        DataType::Decimal(38, 0),
    ] {
        let table = with_type(whole.clone(), "amount", &dtype);
        assert_eq!(load_orders(table, ""), expected, "{dtype}");
    }
    let positive = orders(&[("a", "2024-01-01", 3.0), ("b", "2024-01-03", 200.0)]);
    for dtype in [
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ] {
        let table = with_type(positive.clone(), "amount", &dtype);
        assert_eq!(
            load_orders(table, ""),
            load_orders(positive.clone(), ""),
            "{dtype}"
        );
    }
}

#[test]
fn a_decimal_keeps_its_scale_and_a_float_the_decimals_that_are_set() {
    let table = orders(&[
        ("a", "2024-01-01", 0.123456),
        ("a", "2024-01-02", 0.000001),
        ("b", "2024-01-03", 1.0),
    ]);
    let decimal = with_type(table.clone(), "amount", &DataType::Decimal(20, 6));
    insta::assert_snapshot!(load_orders(decimal, "--decimals 2"), @r#"
    a 2 2 0.123457 3
    b 1 1 1 1
    {"read":3,"used":3,"rejected":{}}
    "#);
    insta::assert_snapshot!(load_orders(table.clone(), "--decimals 6"), @r#"
    a 2 2 0.123457 3
    b 1 1 1 1
    {"read":3,"used":3,"rejected":{}}
    "#);
    insta::assert_snapshot!(load_orders(table.clone(), ""), @r#"
    a 2 2 0.1235 3
    b 1 1 1 1
    {"read":3,"used":3,"rejected":{}}
    "#);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    let ran = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
    insta::assert_snapshot!(ran.problem(), @r"
    exit 0
    warning: 1 of 3 amounts have more than 4 decimals and are rounded; set `decimals` higher to keep them [amounts_rounded]
    ");
}

#[test]
fn every_rounded_amount_is_counted_wherever_it_stands() {
    let workdir = Workdir::new();
    let mut rows = vec![("a", "2024-01-01", 1.0); 100_001];
    rows.push(("b", "2024-01-01", 0.00001));
    workdir.parquet("x.parquet", orders(&rows));
    let ran = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
    insta::assert_snapshot!(ran.problem(), @r"
    exit 0
    warning: 1 of 100002 amounts have more than 4 decimals and are rounded; set `decimals` higher to keep them [amounts_rounded]
    warning: customers with a total of 0 or less: 1 (1 of them 0); they stay in [net_not_positive]
    ");
}

/// Lines of orders: `Unit Price` times `qty`.
fn order_lines() -> DataFrame {
    let table = df!(
        "customer" => ["a", "a", "b", "b"],
        "date" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "qty" => [1_i64, 2, 10, -1],
        "Unit Price" => [0.1, 0.2, 1.99, 1.99],
    );
    with_type(table.unwrap(), "date", &DataType::Date)
}

#[test]
fn an_amount_may_be_an_expression_over_columns() {
    let amount = |text: &str| {
        load(
            order_lines(),
            &format!("--customer customer --time date --as-of 2024-01-05 --amount '{text}'"),
        )
    };
    insta::assert_snapshot!(amount("Unit Price"), @r#"
    a 3 2 0.3 4
    b 1 2 3.98 2
    {"read":4,"used":4,"rejected":{}}
    "#);
    insta::assert_snapshot!(amount("qty * \"Unit Price\""), @r#"
    a 3 2 0.5 4
    b 2 1 17.91 2
    {"read":4,"used":4,"rejected":{}}
    "#);
    insta::assert_snapshot!(amount("CASE WHEN qty > 1 THEN \"Unit Price\" ELSE 0 END"), @r#"
    a 3 2 0.2 4
    b 1 2 1.99 2
    {"read":4,"used":4,"rejected":{}}
    "#);
    insta::assert_snapshot!(amount("ROUND(ABS(qty) * \"Unit Price\", 1)"), @r#"
    a 3 2 0.5 4
    b 1 2 21.9 2
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn an_expression_over_decimals_stays_exact() {
    let table = with_type(order_lines(), "Unit Price", &DataType::Decimal(12, 2));
    let amount =
        "--customer customer --time date --as-of 2024-01-05 --amount 'qty * \"Unit Price\"'";
    insta::assert_snapshot!(load(table, amount), @r#"
    a 3 2 0.5 4
    b 2 1 17.91 2
    {"read":4,"used":4,"rejected":{}}
    "#);
}

/// Two customers: one row with `large` in the column `n`, one with 2.
fn narrow(large: i64, dtype: &DataType) -> DataFrame {
    let table = df!(
        "customer" => ["a", "b"], "date" => ["2024-01-02", "2024-01-01"], "n" => [large, 2],
    );
    with_type(
        with_type(table.unwrap(), "date", &DataType::Date),
        "n",
        dtype,
    )
}

#[test]
fn arithmetic_does_not_wrap_at_the_width_of_its_columns() {
    for (large, dtype, amount, expected) in [
        (60_000, DataType::Int32, "n * n", "3600000000"),
        (200, DataType::UInt8, "n * 2", "400"),
        (200, DataType::UInt8, "n + n", "400"),
        (200, DataType::UInt8, "1 - n", "-199"),
        (200, DataType::UInt8, "COALESCE(n * n, 0)", "40000"),
        (
            200,
            DataType::UInt8,
            "CASE WHEN n * n > 300 THEN 7 ELSE 1 END",
            "7",
        ),
        (60_000, DataType::Int32, "POWER(n, 2)", "3600000000"),
        (
            i64::from(u32::MAX),
            DataType::UInt32,
            "n * n / n",
            "4294967295",
        ),
        // A quarter of a cent is more than a float of 32 bits knows of such a number.
        (9_999_999, DataType::Float32, "n * 1.01", "10099998.99"),
    ] {
        let flags = format!("--customer customer --time date --refunds keep --amount '{amount}'");
        let found = load(narrow(large, &dtype), &flags);
        let first = found.lines().nth(1).unwrap();
        assert_eq!(first, format!("a 1 1 {expected} 1"), "{amount} of {dtype}");
    }
    let found = load(
        narrow(60_000, &DataType::Int32),
        "--customer customer --time date --where 'n * n > 0'",
    );
    assert!(found.contains("\"rejected\":{}"), "{found}");
}

#[test]
fn a_wide_decimal_keeps_the_digits_that_say_something() {
    // Spark's default is 38 digits, 18 of them decimals: 64 bits would end at 9.
    let table = orders(&[
        ("a", "2024-01-01", 123_456.75),
        ("a", "2024-01-02", -0.5),
        ("b", "2024-01-03", 1e9),
    ]);
    let money = with_type(table.clone(), "amount", &DataType::Decimal(20, 2));
    let wide = with_type(money, "amount", &DataType::Decimal(38, 18));
    assert_eq!(load_orders(wide, ""), load_orders(table, ""));
}

#[test]
fn an_aggregate_is_no_amount_of_a_row() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    for flags in [
        "--customer customer --time date --amount 'SUM(amount)'",
        "--customer customer --time date --amount amount --where 'amount > AVG(amount)'",
    ] {
        let ran = workdir.tiermill(&format!("run --input x.parquet --k 2 {flags}"));
        assert_eq!(ran.code, 2, "{flags}: {}{}", ran.stdout, ran.stderr);
    }
}

/// [`load_orders`] with a condition as it is: it may hold any quotes.
#[track_caller]
fn load_where(table: DataFrame, condition: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    let flags = format!("run --input x.parquet --k 2 {COLUMNS}");
    let mut arguments: Vec<String> = flags.split(' ').map(str::to_owned).collect();
    arguments.extend(["--where".to_owned(), condition.to_owned()]);
    let ran = workdir.tiermill_with(&arguments, &[]).success();
    // Nothing that polars has to say about an expression reaches the user beside our own lines.
    let stray = ran.stderr.lines().filter(|line| {
        !line.is_empty() && !line.starts_with("tiermill: ") && !line.starts_with("warning: ")
    });
    assert_eq!(stray.collect::<Vec<_>>(), Vec::<&str>::new());
    customers(&workdir)
}

#[test]
fn where_keeps_the_rows_that_count() {
    let keep = |condition: &str| load_where(six_customers(), condition);
    assert_eq!(keep("amount IS NOT NULL"), SIX);
    insta::assert_snapshot!(keep("amount > 5 AND customer NOT LIKE 'c%'"), @r#"
    ann 1 3 60.5 90
    bob 76 1 5.25 76
    dan 30 2 15 31
    fay 16 1 12.34 16
    {"read":11,"used":7,"rejected":{"filtered":4}}
    "#);
    insta::assert_snapshot!(keep("customer IN ('ann', 'bob') OR amount BETWEEN 7 AND 8"), @r#"
    ann 1 3 60.5 90
    bob 76 1 5.25 76
    dan 30 2 15 31
    {"read":11,"used":6,"rejected":{"filtered":5}}
    "#);
}

#[test]
fn where_may_compare_dates() {
    insta::assert_snapshot!(load_where(six_customers(), "date >= DATE '2024-03-01'"), @r#"
    ann 2 2 50.5 31
    cat 1 2 150 1
    dan 31 1 8 31
    fay 17 1 10 17
    {"read":11,"used":7,"rejected":{"filtered":4}}
    "#);
}

#[test]
fn where_does_not_hold_where_it_is_null() {
    let table = df!(
        "customer" => ["a", "a", "b", "b"],
        "date" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
        "status" => [Some("ok"), None, Some("ok"), Some("void")],
    );
    insta::assert_snapshot!(load_where(table.unwrap(), "status <> 'void'"), @r#"
    a 3 1 1 3
    b 1 1 3 1
    {"read":4,"used":2,"rejected":{"filtered":2}}
    "#);
}

// Duplicates.

/// [`six_customers`] with the first row three times and the second twice.
fn with_duplicates() -> DataFrame {
    let table = six_customers();
    let again = table.slice(0, 2);
    table
        .vstack(&again)
        .unwrap()
        .vstack(&table.slice(0, 1))
        .unwrap()
}

#[test]
fn exact_duplicates_count_once_if_that_is_asked_for() {
    insta::assert_snapshot!(load_orders(with_duplicates(), ""), @r#"
    ann 2 6 100.5 91
    bob 77 1 5.25 77
    cat 1 2 150 1
    dan 31 2 15 32
    eve 61 1 0 61
    fay 17 1 10 17
    {"read":14,"used":14,"rejected":{}}
    "#);
    let once = load_orders(with_duplicates(), "--deduplicate");
    assert_eq!(
        once.split_once('{').unwrap().0,
        SIX.split_once('{').unwrap().0
    );
    insta::assert_snapshot!(once.split_once('{').unwrap().1, @r#""read":14,"used":11,"rejected":{"duplicate":3}}"#);
}

#[test]
fn rows_that_differ_in_any_column_are_no_duplicates() {
    let mut table = with_duplicates();
    let lines: Vec<i64> = (0..table.height() as i64).collect();
    table
        .with_column(Column::new("line".into(), lines))
        .unwrap();
    assert_eq!(
        load_orders(table, "--deduplicate"),
        load_orders(with_duplicates(), "")
    );
}

#[test]
fn duplicates_are_found_across_files() {
    let workdir = Workdir::new();
    workdir.parquet("in/a.parquet", six_customers());
    workdir.parquet("in/b.parquet", with_duplicates().slice(11, 3));
    workdir
        .tiermill(&format!("run --input in {COLUMNS} --k 2 --deduplicate"))
        .success();
    assert_eq!(
        customers(&workdir),
        load_orders(with_duplicates(), "--deduplicate")
    );
    let rejected = workdir.table("rejected.parquet");
    insta::assert_snapshot!(lines(&rejected, &["reason", "copies", "customer", "amount"]), @r"
    duplicate 2 ann 10
    duplicate 1 ann 20
    ");
}

// Refunds.

/// `gus` has refunds only, `hal` more refunds than orders, `ida` an order and its refund.
fn with_refunds() -> DataFrame {
    orders(&[
        ("ann", "2024-01-01", 10.0),
        ("ann", "2024-01-20", 20.0),
        ("ann", "2024-01-31", -5.0),
        ("gus", "2024-01-05", -5.0),
        ("gus", "2024-01-06", -6.0),
        ("hal", "2024-01-10", 10.0),
        ("hal", "2024-01-15", -25.0),
        ("ida", "2024-01-12", 8.0),
        ("ida", "2024-01-13", -8.0),
    ])
}

#[test]
fn net_refunds_lower_the_amount_and_are_no_orders() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", with_refunds());
    let ran = workdir
        .tiermill(&format!(
            "run --input x.parquet {COLUMNS} --k 2 --as-of 2024-02-01"
        ))
        .success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    ann 12 2 25 31
    hal 22 1 -15 22
    ida 20 1 0 20
    {"read":9,"used":7,"rejected":{"no_order":2}}
    "#);
    insta::assert_snapshot!(ran.problem(), @r"
    exit 0
    warning: customers with a total of 0 or less: 2 (1 of them 0); they stay in [net_not_positive]
    warning: customers with refunds only: 1; they have no order and are left out (2 rows) [no_order]
    ");
    let rejected = workdir.table("rejected.parquet");
    insta::assert_snapshot!(lines(&rejected, &["reason", "customer", "amount"]), @r"
    no_order gus -5
    no_order gus -6
    ");
}

#[test]
fn a_few_customers_whose_refunds_outweigh_their_orders_are_a_note_and_no_alarm() {
    let note = |customers: usize| {
        let workdir = Workdir::new();
        let ids: Vec<String> = (0..customers).map(|id| format!("c{id:03}")).collect();
        let mut rows: Vec<(&str, &str, f64)> = Vec::new();
        rows.extend(ids.iter().map(|id| (id.as_str(), "2024-01-01", 5.0)));
        rows.push(("c000", "2024-01-01", -6.0));
        let path = workdir.parquet("x.parquet", orders(&rows));
        let config = config(&format!(
            "input = '{}'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'",
            path.display()
        ));
        let warnings = tiermill::load::load(&config.input, &config.rfm)
            .unwrap()
            .warnings;
        assert_eq!(warnings[0].code, "net_not_positive");
        warnings[0].note
    };
    assert!(note(100));
    assert!(!note(99));
}

#[test]
fn kept_refunds_are_rows_like_any_other() {
    insta::assert_snapshot!(load_orders(with_refunds(), "--refunds keep"), @r#"
    ann 1 3 25 31
    gus 26 2 -11 27
    hal 17 2 -15 22
    ida 19 2 0 20
    {"read":9,"used":9,"rejected":{}}
    "#);
}

#[test]
fn dropped_refunds_are_left_out_on_purpose() {
    insta::assert_snapshot!(load_orders(with_refunds(), "--refunds drop --as-of 2024-02-01"), @r#"
    ann 12 2 30 31
    hal 22 1 10 22
    ida 20 1 8 20
    {"read":9,"used":4,"rejected":{"refund_dropped":5}}
    "#);
}

#[test]
fn rejected_refunds_are_faults() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", with_refunds());
    let run = format!("run --input x.parquet {COLUMNS} --k 2 --refunds reject --as-of 2024-02-01");
    insta::assert_snapshot!(workdir.tiermill(&run).problem(), @r"
    exit 3
    error: 5 of 9 rows rejected (55.556 %), more than `max-rejected` = 1 %: 5 refund_rejected

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
    workdir
        .tiermill(&format!("{run} --max-rejected 56%"))
        .success();
    insta::assert_snapshot!(rows(&workdir), @r#"{"read":9,"used":4,"rejected":{"refund_rejected":5}}"#);
}

// How often.

/// Order 1 has two lines on two days, orders 2 and 3 are on one day; order 5 is a refund.
fn with_order_ids() -> DataFrame {
    let table = df!(
        "customer" => ["a", "a", "a", "a", "b", "b", "b"],
        "date" => [
            "2024-01-01T09:00:00", "2024-01-02T09:00:00", "2024-01-03T09:00:00", "2024-01-03T18:00:00",
            "2024-01-04T09:00:00", "2024-01-04T10:00:00", "2024-01-05T09:00:00",
        ],
        "amount" => [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -2.0],
        "invoice" => ["1", "1", "2", "3", "4", "4", "5"],
    );
    table.unwrap()
}

#[test]
fn frequency_counts_orders_days_or_rows() {
    let count = |flags: &str| load_orders(with_order_ids(), &format!("--as-of 2024-01-06 {flags}"));
    insta::assert_snapshot!(count("--order invoice"), @r#"
    a 2 3 10 4
    b 1 1 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    insta::assert_snapshot!(count("--count days"), @r#"
    a 2 3 10 4
    b 1 1 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    insta::assert_snapshot!(count("--count rows"), @r#"
    a 2 4 10 4
    b 1 2 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    insta::assert_snapshot!(count("--count days --order invoice --refunds keep"), @r#"
    a 2 3 10 4
    b 0 2 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    assert_eq!(count(""), count("--count rows"));
}

#[test]
fn monetary_may_be_a_mean_per_order() {
    insta::assert_snapshot!(load_orders(with_order_ids(), "--order invoice --monetary mean --as-of 2024-01-06"), @r#"
    a 2 3 3.3333333333333335 4
    b 1 1 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    insta::assert_snapshot!(load_orders(with_order_ids(), "--count days --monetary mean --as-of 2024-01-06"), @r#"
    a 2 3 3.3333333333333335 4
    b 1 1 9 1
    {"read":7,"used":7,"rejected":{}}
    "#);
}

#[test]
fn a_line_without_an_order_is_rejected_where_orders_are_mapped() {
    let mut table = with_order_ids();
    let invoices = ["1", "1", "2", "", "4", "4", "5"].map(|id| (!id.is_empty()).then_some(id));
    table
        .with_column(Column::new("invoice".into(), invoices))
        .unwrap();
    insta::assert_snapshot!(load_orders(table, "--order invoice --max-rejected 20% --as-of 2024-01-06"), @r#"
    a 2 2 6 4
    b 1 1 9 1
    {"read":7,"used":6,"rejected":{"null_order":1}}
    "#);
}

// Content products.

#[test]
fn an_activity_log_needs_no_amount() {
    let log = six_customers().drop("amount").unwrap();
    insta::assert_snapshot!(load(log, "--customer customer --time date --count days"), @r#"
    ann 2 3 3 91
    bob 77 1 1 77
    cat 1 1 2 1
    dan 31 2 2 32
    eve 61 1 1 61
    fay 16 2 2 17
    {"read":11,"used":11,"rejected":{}}
    "#);
}

#[test]
fn events_are_worth_their_weights() {
    let table = df!(
        "user" => ["a", "a", "a", "b", "b", "c", "c"],
        "at" => [
            "2024-01-01T08:00:00", "2024-01-01T09:00:00", "2024-01-02T08:00:00", "2024-01-03T08:00:00",
            "2024-01-03T09:00:00", "2024-01-03T23:00:00", "2024-01-04T08:00:00",
        ],
        "event" => [
            Some("view"), Some("view"), Some("comment"), Some("comment"), Some("share"), None, Some("like"),
        ],
    );
    let workdir = Workdir::new();
    workdir.parquet("log.parquet", table.unwrap());
    workdir.write(
        "tiermill.toml",
        "input = 'log.parquet'
customer = 'user'
time = 'at'
event = 'event'
count = 'days'
k = 2
[features.monetary]
weights = { view = 1, comment = 5.5, like = 0 }
",
    );
    let ran = workdir.tiermill("run").success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 2 2 7.5 3
    b 1 1 5.5 1
    c 0 2 0 1
    {"read":7,"used":7,"rejected":{}}
    "#);
    insta::assert_snapshot!(ran.problem(), @r"
    exit 0
    warning: events without a weight are worth 0 in monetary: 1 `null`, 1 `share`; name them in [features.monetary] weights [unlisted_event]
    warning: customers with a total of 0 or less: 1 (1 of them 0); they stay in [net_not_positive]
    ");
}

// A ready customer table.

const READY: &str = "--level customers --customer customer --as-of 2024-01-31";

fn ready() -> DataFrame {
    let table = df!(
        "customer" => ["b", "a", "d", "c"],
        "recency_days" => [2.5, 1.0, 0.0, 30.0],
        "frequency" => [1_i64, 3, 9, 2],
        "monetary" => [-3.0, 10.5, 99.25, 0.0],
        "tenure" => [2.5, 40.0, 365.0, 30.0],
    );
    table.unwrap()
}

#[test]
fn a_ready_customer_table_is_taken_as_it_is() {
    insta::assert_snapshot!(load(ready(), READY), @r#"
    a 1 3 10.5 null
    b 2.5 1 -3 null
    c 30 2 0 null
    d 0 9 99.25 null
    {"read":4,"used":4,"rejected":{}}
    "#);
    let named = |tenure: &str| {
        let mut table = ready();
        table.rename("recency_days", "R".into()).unwrap();
        table.rename("frequency", "F".into()).unwrap();
        table.rename("monetary", "M M".into()).unwrap();
        let columns = "--recency-column R --frequency-column F --monetary-column 'M M'";
        load(table, &format!("{READY} {columns} {tenure}"))
    };
    assert_eq!(named(""), load(ready(), READY));
    insta::assert_snapshot!(named("--tenure-column tenure"), @r#"
    a 1 3 10.5 40
    b 2.5 1 -3 2.5
    c 30 2 0 30
    d 0 9 99.25 365
    {"read":4,"used":4,"rejected":{}}
    "#);
}

#[test]
fn a_ready_customer_table_may_have_numbers_of_any_type() {
    let mut table = ready();
    for (column, dtype) in [
        ("recency_days", DataType::Float32),
        ("frequency", DataType::UInt8),
        ("monetary", DataType::Decimal(12, 2)),
        ("tenure", DataType::Float32),
    ] {
        table = with_type(table, column, &dtype);
    }
    let flags = format!("{READY} --tenure-column tenure");
    assert_eq!(load(table, &flags), load(ready(), &flags));
}

#[test]
fn a_ready_mean_per_order_is_worth_its_orders() {
    let revenue = |table: DataFrame, flags: &str| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", table);
        workdir
            .tiermill(&format!("run --input x.parquet --k 2 {READY} {flags}"))
            .success();
        workdir.json("tiers.json")["revenue"].to_string()
    };
    assert_eq!(revenue(ready(), ""), "106.75");
    // -3 × 1 + 10.5 × 3 + 99.25 × 9 + 0 × 2.
    assert_eq!(revenue(ready(), "--monetary mean"), "921.75");
    let decimal = with_type(ready(), "monetary", &DataType::Decimal(12, 2));
    assert_eq!(revenue(decimal, "--monetary mean"), "921.75");
    let mut third = ready();
    let amounts = [0.0, 1.0 / 3.0, 0.0, 0.0];
    third
        .with_column(Column::new("monetary".into(), amounts))
        .unwrap();
    assert_eq!(revenue(third, "--monetary mean"), "1.0");
}

#[test]
fn a_model_of_ready_customers_knows_what_monetary_was() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ready());
    let flags = format!("--input x.parquet --k 2 {READY} --features recency_days,frequency,aov");
    workdir
        .tiermill(&format!("run {flags} --monetary mean"))
        .success();
    let mut model = workdir.json("model.json");
    workdir.write("model.json", model.to_string());
    let assign = format!("assign --model model.json {flags}");
    insta::assert_snapshot!(workdir.tiermill(&assign).problem(), @r"
    exit 2
    error: model `model.json` was fitted with `monetary` = mean, the config says sum

    hint: fit again, or give the config that the model was fitted with
    ");
    let aov = |workdir: &Workdir| workdir.json("tiers.json")["tiers"][0]["centroid"]["aov"].clone();
    let fitted = aov(&workdir);
    workdir
        .tiermill(&format!("{assign} --monetary mean"))
        .success();
    assert_eq!(aov(&workdir), fitted);
    let sql = |flags: &str| {
        let sql = "sql --model model.json --dialect duckdb --table t --customer customer";
        workdir.tiermill(&format!("{sql} {flags}")).success().stdout
    };
    assert_eq!(sql(""), sql("--monetary mean"));
    // A model from before it knew: nobody can tell which it was.
    model["definitions"]
        .as_object_mut()
        .unwrap()
        .remove("monetary");
    workdir.write("model.json", model.to_string());
    let old = workdir.tiermill(&assign).problem();
    assert!(
        old.contains("`monetary` = none, the config says sum"),
        "{old}"
    );
}

#[test]
fn copies_in_a_ready_customer_table_are_copies_before_they_are_faults() {
    let mut table = ready().vstack(&ready()).unwrap();
    let recency = [Some(2.5), None, Some(0.0), Some(30.0)].repeat(2);
    table
        .with_column(Column::new("recency_days".into(), recency))
        .unwrap();
    let flags = format!("{READY} --deduplicate --max-rejected 1 --where 'frequency < 9'");
    insta::assert_snapshot!(load(table, &flags), @r#"
    b 2.5 1 -3 null
    c 30 2 0 null
    {"read":8,"used":2,"rejected":{"bad_recency":1,"duplicate":3,"filtered":2}}
    "#);
}

#[test]
fn a_hive_key_can_be_a_number_of_a_ready_customer_table() {
    let workdir = Workdir::new();
    for orders in [1, 3, 9, 2] {
        let table = ready();
        let own = table
            .column("frequency")
            .unwrap()
            .i64()
            .unwrap()
            .equal(orders);
        let own = table.filter(&own).unwrap().drop("frequency").unwrap();
        workdir.parquet(&format!("x/frequency={orders}/x.parquet"), own);
    }
    workdir
        .tiermill(&format!("run --input x --k 2 {READY}"))
        .success();
    assert_eq!(customers(&workdir), load(ready(), READY));
}

#[test]
fn a_ready_customer_table_has_each_customer_once() {
    let workdir = Workdir::new();
    let twice = ready().vstack(&ready().slice(1, 1)).unwrap();
    workdir.parquet("x.parquet", twice.clone());
    let run = format!("run --input x.parquet --k 2 {READY}");
    insta::assert_snapshot!(workdir.tiermill(&run).problem(), @r#"
    exit 1
    error: customer `a` has 2 rows in a table with `level = "customers"`, expected one

    hint: set `level = "orders"` if each row is an order, or make the table one row per customer
    "#);
    workdir.tiermill(&format!("{run} --deduplicate")).success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 1 3 10.5 null
    b 2.5 1 -3 null
    c 30 2 0 null
    d 0 9 99.25 null
    {"read":5,"used":4,"rejected":{"duplicate":1}}
    "#);
    let rejected = workdir.table("rejected.parquet");
    assert_eq!(
        lines(&rejected, &["reason", "copies", "customer"]),
        "duplicate 1 a\n"
    );
    let other = df!(
        "customer" => ["a"], "recency_days" => [9.0], "frequency" => [1_i64], "monetary" => [1.0], "tenure" => [9.0],
    );
    workdir.parquet("x.parquet", twice.vstack(&other.unwrap()).unwrap());
    insta::assert_snapshot!(workdir.tiermill(&format!("{run} --deduplicate")).problem(), @r#"
    exit 1
    error: customer `a` has 2 rows in a table with `level = "customers"`, expected one

    hint: set `level = "orders"` if each row is an order, or make the table one row per customer
    "#);
}

#[test]
fn values_that_a_customer_cannot_have_are_rejected() {
    let table = df!(
        "customer" => [Some("a"), Some("b"), None, Some(""), Some("e"), Some("f"), Some("g"), Some("h"), Some("i"),
            Some("j"), Some("k"), Some("l"), Some("m")],
        "recency_days" => [Some(1.0), Some(9.0), Some(1.0), Some(1.0), None, Some(-1.0), Some(f64::NAN), Some(1.0),
            Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0)],
        "frequency" => [Some(3.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0),
            Some(1.5), None, Some(1.0), Some(f64::INFINITY), Some(1.0)],
        "monetary" => [Some(5.0), Some(-0.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0),
            Some(1.0), Some(1.0), None, Some(1.0), Some(f64::NEG_INFINITY)],
    );
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table.unwrap());
    workdir
        .tiermill(&format!(
            "run --input x.parquet --k 2 {READY} --max-rejected 1"
        ))
        .success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 1 3 5 null
    b 9 1 0 null
    {"read":13,"used":2,"rejected":{"bad_amount":2,"bad_frequency":4,"bad_recency":3,"empty_customer":1,"null_customer":1}}
    "#);
    let rejected = workdir.table("rejected.parquet");
    insta::assert_snapshot!(lines(&rejected, &["reason", "customer"]), @r"
    null_customer null
    empty_customer
    bad_amount k
    bad_amount m
    bad_recency e
    bad_recency f
    bad_recency g
    bad_frequency h
    bad_frequency i
    bad_frequency j
    bad_frequency l
    ");
}

#[test]
fn a_frequency_beyond_64_bits_is_rejected_and_not_cut() {
    let table = df!(
        "customer" => ["a", "b", "c"],
        "recency_days" => [1.0, 2.0, 3.0],
        "frequency" => [1.0, 2.0, 1e19],
        "monetary" => [1.0, 2.0, 3.0],
    );
    let found = load(table.unwrap(), &format!("{READY} --max-rejected 1"));
    insta::assert_snapshot!(found, @r#"
    a 1 1 1 null
    b 2 2 2 null
    {"read":3,"used":2,"rejected":{"bad_frequency":1}}
    "#);
}

#[test]
fn an_empty_binary_id_is_no_customer_at_either_level() {
    let ids: [&[u8]; 4] = [b"", b"a", b"d", b"c"];
    let mut table = ready();
    table
        .with_column(Column::new("customer".into(), ids))
        .unwrap();
    let found = load(table, &format!("{READY} --max-rejected 1"));
    insta::assert_snapshot!(found, @r#"
    a 1 3 10.5 null
    c 30 2 0 null
    d 0 9 99.25 null
    {"read":4,"used":3,"rejected":{"empty_customer":1}}
    "#);
}

#[test]
fn a_tenure_shorter_than_the_recency_or_missing_is_rejected() {
    let mut table = ready();
    table
        .with_column(Column::new(
            "tenure".into(),
            [Some(2.4), Some(1.0), Some(0.0), None],
        ))
        .unwrap();
    let found = load(
        table,
        &format!("{READY} --tenure-column tenure --max-rejected 1"),
    );
    insta::assert_snapshot!(found, @r#"
    a 1 3 10.5 1
    d 0 9 99.25 0
    {"read":4,"used":2,"rejected":{"bad_tenure":2}}
    "#);
}

#[test]
fn a_ready_customer_table_has_no_tenure_of_its_own() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ready());
    let features = "--features recency_days,tenure_days";
    let run = format!("run --input x.parquet --k 2 {READY} {features}");
    insta::assert_snapshot!(workdir.tiermill(&run).problem(), @r"
    exit 1
    error: feature `tenure_days` cannot be computed from this input

    hint: the customer table has no first orders; set `tenure-column`, or leave `tenure_days` out of `features`
    ");
    workdir
        .tiermill(&format!("{run} --tenure-column tenure"))
        .success();
}

// Reconciliation.

/// A row for every reason that an order table can have. The comment of a row is what becomes of it.
fn every_reason() -> DataFrame {
    let nan = f64::NAN;
    let rows = [
        (Some("a"), Some("2024-01-10"), Some(5.0), Some("o1"), "used"),
        (
            Some("a"),
            Some("2024-01-11"),
            Some(7.0),
            Some("o2"),
            "used, once",
        ),
        (
            Some("a"),
            Some("2024-01-11"),
            Some(7.0),
            Some("o2"),
            "used, once",
        ),
        (
            Some("a"),
            Some("2024-01-11"),
            Some(7.0),
            Some("o2"),
            "used, once",
        ),
        (Some("b"), Some("2024-01-12"), Some(9.0), Some("o3"), "used"),
        (
            None,
            Some("2024-01-12"),
            Some(9.0),
            Some("o4"),
            "null_customer",
        ),
        (None, None, Some(nan), None, "null_customer and all else"),
        (
            Some(""),
            Some("2024-01-12"),
            Some(9.0),
            Some("o4"),
            "empty_customer",
        ),
        (Some("a"), None, Some(9.0), Some("o4"), "null_time"),
        (Some("a"), Some("soon"), Some(9.0), Some("o4"), "bad_time"),
        (
            Some("a"),
            Some("2024-01-13"),
            Some(nan),
            Some("o4"),
            "bad_amount",
        ),
        (
            Some("a"),
            Some("2024-01-13"),
            None,
            Some("o4"),
            "bad_amount",
        ),
        (Some("a"), Some("2024-01-13"), Some(9.0), None, "null_order"),
        (
            Some("a"),
            Some("2024-01-31"),
            Some(9.0),
            Some("o4"),
            "after_as_of",
        ),
        (
            Some("a"),
            Some("2023-01-31"),
            Some(9.0),
            Some("o4"),
            "before_window",
        ),
        (
            Some("c"),
            Some("2024-01-15"),
            Some(-4.0),
            Some("o9"),
            "no_order",
        ),
        (Some("a"), Some("2024-01-10"), Some(5.0), Some("o1"), "test"),
    ];
    let table = df!(
        "customer" => rows.map(|row| row.0),
        "date" => rows.map(|row| row.1),
        "amount" => rows.map(|row| row.2),
        "invoice" => rows.map(|row| row.3),
        "note" => rows.map(|row| row.4),
    );
    table.unwrap()
}

const EVERY_REASON: &str =
    "--order invoice --as-of 2024-01-31 --window 90d --max-rejected 1 --where note!=test";

/// Runs on [`every_reason`]; `--where` cannot be written with quotes in one string.
fn run_every_reason(workdir: &Workdir, command: &str, flags: &str) -> Ran {
    workdir.parquet("x.parquet", every_reason());
    let text = format!("{command} --input x.parquet --k 2 {COLUMNS} {EVERY_REASON} {flags}");
    let arguments: Vec<String> = text
        .split_whitespace()
        .map(|word| word.replace("note!=test", "note <> 'test'"))
        .collect();
    workdir.tiermill_with(&arguments, &[])
}

/// Read = used + rejected, and the rows in rejected.parquet are as many as the manifest counts.
#[track_caller]
fn adds_up(workdir: &Workdir) {
    let rows = workdir.json("manifest.json")["rows"].clone();
    let rejected = rows["rejected"].as_object().unwrap();
    let sum: u64 = rejected.values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(
        rows["read"].as_u64().unwrap(),
        rows["used"].as_u64().unwrap() + sum
    );
    let table = workdir.table("rejected.parquet");
    for (reason, n) in rejected {
        let listed: i64 = (0..table.height())
            .filter(|&row| cell(&table.column("reason").unwrap().get(row).unwrap()) == *reason)
            .map(|row| {
                table
                    .column("copies")
                    .unwrap()
                    .i64()
                    .unwrap()
                    .get(row)
                    .unwrap()
            })
            .sum();
        assert_eq!(listed.unsigned_abs(), n.as_u64().unwrap(), "{reason}");
    }
}

/// Some columns of rejected.parquet, in an order of their own.
fn rejected(workdir: &Workdir, columns: &[&str]) -> String {
    let text = lines(&workdir.table("rejected.parquet"), columns);
    let mut sorted: Vec<&str> = text.lines().collect();
    sorted.sort_unstable();
    sorted.join("\n")
}

#[test]
fn every_row_is_used_or_rejected_for_its_first_reason() {
    let workdir = Workdir::new();
    run_every_reason(&workdir, "run", "").success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 20 2 26 21
    b 19 1 9 19
    {"read":17,"used":5,"rejected":{"after_as_of":1,"bad_amount":2,"bad_time":1,"before_window":1,"empty_customer":1,"filtered":1,"no_order":1,"null_customer":2,"null_order":1,"null_time":1}}
    "#);
    adds_up(&workdir);
    insta::assert_snapshot!(rejected(&workdir, &["reason", "copies", "source_file", "note"]), @r"
    after_as_of 1 x.parquet after_as_of
    bad_amount 1 x.parquet bad_amount
    bad_amount 1 x.parquet bad_amount
    bad_time 1 x.parquet bad_time
    before_window 1 x.parquet before_window
    empty_customer 1 x.parquet empty_customer
    filtered 1 x.parquet test
    no_order 1 x.parquet no_order
    null_customer 1 x.parquet null_customer
    null_customer 1 x.parquet null_customer and all else
    null_order 1 x.parquet null_order
    null_time 1 x.parquet null_time
    ");
}

#[test]
fn duplicates_are_rejected_after_where_and_before_all_else() {
    let workdir = Workdir::new();
    run_every_reason(&workdir, "run", "--deduplicate").success();
    insta::assert_snapshot!(customers(&workdir), @r#"
    a 20 2 12 21
    b 19 1 9 19
    {"read":17,"used":3,"rejected":{"after_as_of":1,"bad_amount":2,"bad_time":1,"before_window":1,"duplicate":2,"empty_customer":1,"filtered":1,"no_order":1,"null_customer":2,"null_order":1,"null_time":1}}
    "#);
    adds_up(&workdir);
    insta::assert_snapshot!(rejected(&workdir, &["reason", "copies", "note"]), @r"
    after_as_of 1 after_as_of
    bad_amount 1 bad_amount
    bad_amount 1 bad_amount
    bad_time 1 bad_time
    before_window 1 before_window
    duplicate 2 used, once
    empty_customer 1 empty_customer
    filtered 1 test
    no_order 1 no_order
    null_customer 1 null_customer
    null_customer 1 null_customer and all else
    null_order 1 null_order
    null_time 1 null_time
    ");
}

#[test]
fn rejected_rows_keep_all_their_columns() {
    let workdir = Workdir::new();
    run_every_reason(&workdir, "run", "").success();
    let table = workdir.table("rejected.parquet");
    let columns: Vec<String> = table
        .columns()
        .iter()
        .map(|c| format!("{} {}", c.name(), c.dtype()))
        .collect();
    insta::assert_snapshot!(columns.join("\n"), @r"
    customer str
    date str
    amount f64
    invoice str
    note str
    source_file str
    copies i64
    reason str
    ");
}

#[test]
fn rejected_parquet_has_its_columns_even_where_nothing_was_rejected() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir
        .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2"))
        .success();
    let table = workdir.table("rejected.parquet");
    assert_eq!(table.height(), 0);
    insta::assert_snapshot!(
        table.get_column_names().iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "),
        @"customer date amount source_file copies reason"
    );
}

#[test]
fn columns_of_the_input_survive_in_rejected_parquet_whatever_they_are_called() {
    for column in ["reason", "copies", "source_file"] {
        for deduplicate in ["", "--deduplicate"] {
            let workdir = Workdir::new();
            let mut table = with_duplicates();
            let customers = (0..table.height()).map(|row| (row != 4).then_some("ann"));
            let customers: Vec<Option<&str>> = customers.collect();
            table
                .with_column(Column::new("customer".into(), customers))
                .unwrap();
            let mine = vec!["mine"; table.height()];
            table.with_column(Column::new(column.into(), mine)).unwrap();
            table
                .with_column(Column::new("id".into(), vec!["b"; table.height()]))
                .unwrap();
            workdir.parquet("x.parquet", table.vstack(&other_customer(&table)).unwrap());
            let flags = format!("{COLUMNS} --max-rejected 1 {deduplicate}");
            workdir
                .tiermill(&format!("run --input x.parquet --k 2 {flags}"))
                .success();
            let rejected = workdir.table("rejected.parquet");
            let kept = rejected.columns().iter().any(|values| {
                (0..values.len()).any(|row| cell(&values.get(row).unwrap()) == "mine")
            });
            assert!(
                kept,
                "`{column}` is lost: {:?}",
                rejected.get_column_names()
            );
            let ours = rejected.columns().iter().any(|values| {
                (0..values.len()).any(|row| cell(&values.get(row).unwrap()) == "null_customer")
            });
            assert!(
                ours,
                "no reason beside `{column}`: {:?}",
                rejected.get_column_names()
            );
        }
    }
}

/// The first row of a table as a row of customer `zoe`.
fn other_customer(table: &DataFrame) -> DataFrame {
    let mut row = table.slice(0, 1);
    row.with_column(Column::new("customer".into(), ["zoe"]))
        .unwrap();
    row
}

#[test]
fn rejected_rows_are_capped_for_each_reason_and_counted_in_full() {
    let workdir = Workdir::new();
    run_every_reason(&workdir, "run", "").success();
    let counted = rows(&workdir);
    run_every_reason(&workdir, "run", "--rejected-cap 1").success();
    assert_eq!(rows(&workdir), counted);
    let table = workdir.table("rejected.parquet");
    let mut reasons: Vec<String> = lines(&table, &["reason"])
        .lines()
        .map(str::to_owned)
        .collect();
    let all = reasons.len();
    reasons.dedup();
    assert_eq!(
        (all, reasons.len()),
        (10, 10),
        "one row for each of ten reasons"
    );
    run_every_reason(&workdir, "run", "--rejected-cap 0").success();
    assert_eq!(rows(&workdir), counted);
    assert_eq!(workdir.table("rejected.parquet").height(), 0);
}

/// A hundred orders, of which `faults` have no customer and `early` lie before 2024.
fn hundred(faults: usize, early: usize) -> DataFrame {
    let customers = (0..100).map(|i| (faults <= i).then_some(if i % 3 == 0 { "a" } else { "b" }));
    let days: Vec<&str> = (0..100)
        .map(|i| {
            if i < 100 - early {
                "2024-01-05"
            } else {
                "2023-12-31"
            }
        })
        .collect();
    let amounts: Vec<f64> = (0..100).map(f64::from).collect();
    let customers: Vec<Option<&str>> = customers.collect();
    let table = df!("customer" => customers, "date" => days, "amount" => amounts);
    with_type(table.unwrap(), "date", &DataType::Date)
}

#[test]
fn faults_up_to_max_rejected_are_borne_and_not_one_more() {
    let code = |faults: usize, early: usize, flags: &str| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", hundred(faults, early));
        let ran = workdir.tiermill(&format!("run --input x.parquet {COLUMNS} --k 2 {flags}"));
        assert_eq!(workdir.join("out/current").exists(), ran.code == 0);
        ran.code
    };
    assert_eq!(code(0, 0, "--max-rejected 0"), 0);
    assert_eq!(code(1, 0, "--max-rejected 0"), 3);
    assert_eq!(
        code(1, 0, ""),
        0,
        "1 % is the default, and 1 of 100 is not more"
    );
    assert_eq!(code(2, 0, ""), 3);
    assert_eq!(code(2, 0, "--max-rejected 0.02"), 0);
    assert_eq!(code(2, 0, "--max-rejected 1.9%"), 3);
    assert_eq!(code(7, 0, "--max-rejected 7%"), 0);
    assert_eq!(
        code(29, 0, "--max-rejected 0.29"),
        0,
        "a limit is a decimal, and 0.29 * 100 < 29"
    );
    assert_eq!(
        code(1, 0, "--where 'amount < 50'"),
        3,
        "1 of the 50 rows that count"
    );
    assert_eq!(code(1, 0, "--where 'amount < 50' --max-rejected 2%"), 0);
    // What the config asks to leave out is no fault.
    assert_eq!(code(1, 50, "--as-of 2024-01-06 --window 5d"), 0);
}

#[test]
fn check_shows_what_a_run_would_find_and_writes_nothing() {
    let workdir = Workdir::new();
    let ran = run_every_reason(&workdir, "check", "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.answer(), @r"
    2 customers in 1 file, as of 2024-01-31

    Rows 17 read = 5 used + 12 rejected
     reason          rows   share
     filtered           1   5.9 %  asked for  `where` does not hold
     null_customer      2  11.8 %  fault      no customer
     empty_customer     1   5.9 %  fault      empty customer
     null_time          1   5.9 %  fault      no time
     bad_time           1   5.9 %  fault      not an ISO time, or before 1900
     bad_amount         2  11.8 %  fault      amount null, NaN or infinite
     null_order         1   5.9 %  fault      no order id
     after_as_of        1   5.9 %  asked for  at or after as-of
     before_window      1   5.9 %  asked for  before the window
     no_order           1   5.9 %  asked for  customer has refunds only

    Faulty rows: 8 (50.0 %); `max-rejected` allows 100 %.
    ");
    let json = run_every_reason(&workdir, "check", "--format json").success();
    assert!(!workdir.join("out").exists());
    let checked: Value = serde_json::from_str(&json.stdout).unwrap();
    run_every_reason(&workdir, "run", "").success();
    assert_eq!(checked["rows"], workdir.json("manifest.json")["rows"]);
    assert_eq!(
        checked["customers"],
        workdir.json("manifest.json")["customers"]
    );
    assert_eq!(checked["as_of"], "2024-01-31T00:00:00");
    let warnings: Vec<&Value> = checked["warnings"].as_array().unwrap().iter().collect();
    let run = workdir.json("tiers.json")["warnings"].clone();
    assert!(!warnings.is_empty());
    assert!(
        warnings
            .iter()
            .all(|warning| run.as_array().unwrap().contains(warning)),
        "{run}"
    );
}

#[test]
fn check_shows_the_table_even_where_a_limit_is_broken() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", hundred(2, 0));
    let ran = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
    insta::assert_snapshot!(ran.answer(), @r"
    2 customers in 1 file, as of 2024-01-06

    Rows 100 read = 98 used + 2 rejected
     reason         rows  share
     null_customer     2  2.0 %  fault  no customer

    Faulty rows: 2 (2.0 %); `max-rejected` allows 1 %.
    ");
    insta::assert_snapshot!(ran.problem(), @r"
    exit 3
    error: 2 of 100 rows rejected (2 %), more than `max-rejected` = 1 %: 2 null_customer

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
}

#[test]
fn check_refuses_what_a_run_would_refuse() {
    let workdir = Workdir::new();
    let mut table = six_customers();
    table.rename("customer", "tier".into()).unwrap();
    workdir.parquet("x.parquet", table);
    let flags = "--input x.parquet --customer tier --time date --amount amount";
    let run = workdir.tiermill(&format!("run {flags}")).problem();
    insta::assert_snapshot!(run, @r#"
    exit 2
    error: `customer = "tier"` and the column `tier` of assignments.parquet cannot go together

    hint: rename the customer column in the input
    "#);
    assert_eq!(workdir.tiermill(&format!("check {flags}")).problem(), run);
}

// Money.

/// Orders whose sums of floats depend on their order: 0.1 beside 10^15.
fn ledger() -> DataFrame {
    let amounts = [
        0.1, 1e15, 0.2, -1e15, 0.3, 12.34, 3e14, -2.5e14, 99.99, -5e13,
    ];
    let rows = 3_000;
    let customers: Vec<i64> = (0..rows).map(|row| (row * row + row / 7) % 90).collect();
    let days: Vec<i32> = (0..rows)
        .map(|row| 19_700 + ((row * 37) % 300) as i32)
        .collect();
    let amounts: Vec<f64> = (0..rows).map(|row| amounts[(row % 10) as usize]).collect();
    let table = df!("customer" => customers, "date" => days, "amount" => amounts);
    with_type(table.unwrap(), "date", &DataType::Date)
}

/// Numbers 0 to n − 1 in an order that looks random and is the same in every run.
fn shuffled(n: usize) -> Vec<IdxSize> {
    let mut order: Vec<IdxSize> = (0..n as IdxSize).collect();
    let mut state = 1_u64;
    for i in (1..n).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (state >> 33) as usize % (i + 1));
    }
    order
}

const LEDGER: &str =
    "--customer customer --time date --amount amount --decimals 2 --refunds keep --max-gap 400";

#[test]
fn shuffling_rows_splitting_files_and_changing_threads_changes_no_byte() {
    let table = ledger();
    let mixed = table
        .take(&IdxCa::from_vec("rows".into(), shuffled(table.height())))
        .unwrap();
    let workdir = Workdir::new();
    workdir.parquet("whole/a.parquet", table.clone());
    workdir.parquet("mixed/a.parquet", mixed.clone());
    for (file, start) in (0..table.height()).step_by(450).enumerate() {
        workdir.parquet(
            &format!("split/{file}.parquet"),
            mixed.slice(start as i64, 450),
        );
    }
    small_row_groups(&workdir.join("mixed/groups.parquet"), mixed.clone());
    for flags in [
        "--k auto --n-runs 2 --k-max 4",
        "--k 3 --count days --monetary mean --deduplicate",
    ] {
        let mut first: Option<Vec<Vec<u8>>> = None;
        for (input, threads) in [
            ("whole", 1),
            ("whole", 2),
            ("whole", 8),
            ("mixed/a.parquet", 2),
            ("mixed/groups.parquet", 8),
            ("split", 1),
            ("split", 8),
        ] {
            workdir
                .tiermill(&format!(
                    "run --input {input} {LEDGER} {flags} --threads {threads}"
                ))
                .success();
            let found = bytes(&workdir);
            assert!(
                &found == first.get_or_insert_with(|| found.clone()),
                "{input} with {threads} threads and {flags} gives other bytes"
            );
        }
    }
}

fn small_row_groups(path: &Path, mut table: DataFrame) {
    ParquetWriter::new(std::fs::File::create(path).unwrap())
        .with_row_group_size(Some(97))
        .finish(&mut table)
        .unwrap();
}

#[test]
fn money_is_summed_to_the_cent_where_floats_are_not() {
    let table = ledger();
    let customers: Vec<i64> = table
        .column("customer")
        .unwrap()
        .i64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    let amounts: Vec<f64> = table
        .column("amount")
        .unwrap()
        .f64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    let of = |id: i64| {
        customers
            .iter()
            .zip(&amounts)
            .filter(move |&(c, _)| *c == id)
            .map(|(_, a)| *a)
    };
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table.clone());
    workdir
        .tiermill(&format!("run --input x.parquet {LEDGER} --k 2"))
        .success();
    let found = workdir.table("assignments.parquet");
    let mut wrong_floats = 0;
    for row in 0..found.height() {
        let id = found
            .column("customer")
            .unwrap()
            .i64()
            .unwrap()
            .get(row)
            .unwrap();
        let monetary = found
            .column("monetary")
            .unwrap()
            .f64()
            .unwrap()
            .get(row)
            .unwrap();
        let cents: i128 = of(id).map(|amount| (amount * 100.0).round() as i128).sum();
        assert_eq!(monetary, cents as f64 / 100.0, "customer {id}");
        wrong_floats += usize::from(of(id).sum::<f64>() != cents as f64 / 100.0);
    }
    assert!(
        20 < wrong_floats,
        "the table is no test: floats are wrong for {wrong_floats} customers"
    );
}

#[test]
fn revenue_of_all_customers_is_exact_too() {
    let workdir = Workdir::new();
    let rows: Vec<(&str, &str, f64)> = [
        ("a", 0.1),
        ("b", 1e14),
        ("c", -1e14),
        ("a", 0.2),
        ("b", 0.3),
        ("c", 0.4),
    ]
    .map(|(customer, amount)| (customer, "2024-01-01", amount))
    .to_vec();
    workdir.parquet("x.parquet", orders(&rows));
    workdir
        .tiermill(&format!(
            "run --input x.parquet {COLUMNS} --k 2 --refunds keep"
        ))
        .success();
    assert_eq!(workdir.json("tiers.json")["revenue"], 1.0);
}

/// Orders of customers 1 to 150 with gaps, refunds, customers of refunds alone, and order numbers that repeat; ids as `id` makes
/// them.
fn numbered_orders(id: impl Fn(i64) -> i64) -> DataFrame {
    let rows = 0..900_i64;
    let customer = |row: i64| {
        let number = 1 + (row * 67 + row / 150 * 5) % 150;
        number + i64::from(number % 10 == 3)
    };
    let ids: Vec<Option<i64>> = rows
        .clone()
        .map(|row| (row % 197 != 0).then(|| id(customer(row))))
        .collect();
    let days: Vec<i64> = rows
        .clone()
        .map(|row| 1_700_000_000_000_000 + row % 61 * 86_400_000_000)
        .collect();
    let amounts: Vec<f64> = rows
        .clone()
        .map(|row| {
            let amount = (row * 7_919 % 5_000) as f64 / 100.0;
            if row % 13 == 0 || customer(row) % 41 == 0 {
                -amount
            } else {
                amount
            }
        })
        .collect();
    let orders: Vec<i64> = rows.map(|row| row / 3).collect();
    let times = Int64Chunked::from_vec("time".into(), days);
    let times = times
        .into_series()
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None));
    let columns = vec![
        Int64Chunked::from_iter_options("customer".into(), ids.into_iter()).into_column(),
        times.unwrap().into_column(),
        Float64Chunked::from_vec("amount".into(), amounts).into_column(),
        Int64Chunked::from_vec("order".into(), orders).into_column(),
    ];
    DataFrame::new(900, columns).unwrap()
}

#[test]
fn ids_that_are_counted_up_give_the_same_customers_as_any_other() {
    let columns = [
        "recency_days",
        "frequency",
        "monetary",
        "tenure_days",
        "tier",
        "margin",
    ];
    for count in ["--count rows", "--order order", "--count days"] {
        let flags = format!(
            "run --input in --out out --customer customer --time time --amount amount --k 3 {count}"
        );
        let found = |put: &dyn Fn(&Workdir)| {
            let workdir = Workdir::new();
            put(&workdir);
            workdir.tiermill(&flags).success();
            let table = workdir.table("assignments.parquet");
            (lines(&table, &columns), rows(&workdir))
        };
        let whole = |table: DataFrame| {
            move |workdir: &Workdir| {
                workdir.parquet("in/x.parquet", table.clone());
            }
        };
        let dense = found(&whole(numbered_orders(|id| id)));
        assert!(100 < dense.0.lines().count(), "{}", dense.0);
        for dtype in [DataType::Int16, DataType::UInt32, DataType::UInt64] {
            let table = with_type(numbered_orders(|id| id), "customer", &dtype);
            assert_eq!(found(&whole(table)), dense, "{count} {dtype}");
        }
        // Far apart, negative, and beyond 32 bits.
        for id in [
            |id: i64| id * 1_000_003,
            |id: i64| id - 80,
            |id: i64| id + (1 << 40),
        ] {
            assert_eq!(found(&whole(numbered_orders(id))), dense, "{count}");
        }
        // In files of which each knows a part of the ids, and one whose writer does not tell.
        let in_parts = |workdir: &Workdir| {
            let table = numbered_orders(|id| id).sort(["customer"], SortMultipleOptions::default());
            let table = table.unwrap();
            workdir.parquet("in/a.parquet", table.slice(0, 300));
            workdir.parquet("in/b.parquet", table.slice(300, 600));
        };
        assert_eq!(found(&in_parts), dense, "{count}");
        let untold = |workdir: &Workdir| {
            in_parts(workdir);
            let path = workdir.join("in/b.parquet");
            let mut table = crate::support::read(&path);
            let file = std::fs::File::create(&path).unwrap();
            let writer = ParquetWriter::new(file).with_statistics(StatisticsOptions::empty());
            writer.finish(&mut table).unwrap();
        };
        assert_eq!(found(&untold), dense, "{count}");
    }
}
