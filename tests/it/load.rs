//! Loading: every form that an order table comes in, and what becomes of each row.

use std::path::Path;

use chrono::NaiveDateTime;
use polars::prelude::*;
use serde_json::Value;

use crate::support::{COLUMNS, Workdir, orders, read, six_customers, with_type};

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
    workdir.tiermill(&format!("run --input x.parquet --k 2 {flags}")).success();
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
    let columns = [id.as_str(), "recency_days", "frequency", "monetary", "tenure_days"];
    format!("\n{}{}", lines(&table, &columns), rows(workdir))
}

/// `{"read":11,"used":11,"rejected":{}}`, as the manifest has it.
fn rows(workdir: &Workdir) -> String {
    workdir.json("manifest.json")["rows"].to_string()
}

/// The as-of of the current run.
fn as_of(workdir: &Workdir) -> String {
    workdir.json("tiers.json")["as_of"].as_str().unwrap().to_owned()
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
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Binary(bytes) => bytes.escape_ascii().to_string(),
        AnyValue::BinaryOwned(bytes) => bytes.escape_ascii().to_string(),
        AnyValue::Float64(number) => number.to_string(),
        AnyValue::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

/// Names of the inputs in the manifest.
fn inputs(workdir: &Workdir) -> Vec<String> {
    let manifest = workdir.json("manifest.json");
    let inputs = manifest["inputs"].as_array().unwrap();
    inputs.iter().map(|input| input["path"].as_str().unwrap().to_owned()).collect()
}

/// The files of a run that must not differ by a byte.
fn bytes(workdir: &Workdir) -> Vec<Vec<u8>> {
    let file = |name: &str| std::fs::read(workdir.current().join(name)).unwrap();
    ["assignments.parquet", "tiers.json", "model.json"].map(file).to_vec()
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
        ("hive/year=2023 hive/year=2024/month=01 hive/year=2024/month=02/x.parquet", 3),
        ("'hive/year=*/month=*/*.parquet'", 3),
        ("'hive/**/*.parquet'", 3),
        ("'hive/year=*'", 3),
    ] {
        workdir.tiermill(&format!("run --input {input} {COLUMNS} --k 2")).success();
        assert_eq!(customers(&workdir), SIX, "{input}");
        assert_eq!(inputs(&workdir).len(), files, "{input}");
        assert_eq!(&bytes(&workdir), first.get_or_insert_with(|| bytes(&workdir)), "{input}");
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
    workdir.tiermill(&format!("run --input in {COLUMNS} --k 2")).success();
    assert_eq!(inputs(&workdir), ["in/2024/a.parquet", "in/b.PARQUET"]);
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn a_file_that_is_named_more_than_once_is_read_once() {
    let workdir = Workdir::new();
    workdir.parquet("in/x.parquet", six_customers());
    let inputs = "in/x.parquet in ./in/x.parquet 'in/*.parquet'";
    workdir.tiermill(&format!("run --input {inputs} {COLUMNS} --k 2")).success();
    assert_eq!(customers(&workdir), SIX);
}

#[test]
fn a_file_that_exists_is_a_path_even_where_it_looks_like_a_pattern() {
    let workdir = Workdir::new();
    workdir.parquet("orders [1] 50% *?.parquet", six_customers());
    workdir.parquet("orders 1 50% xx.parquet", six_customers());
    workdir
        .tiermill(&format!("run --input 'orders [1] 50% *?.parquet' {COLUMNS} --k 2"))
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
    workdir.tiermill("run --config shop/tiermill.toml").success();
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
            .tiermill(&format!("run --input orders --customer customer --time date --k 2 {flags}"))
            .success();
        customers(&workdir)
    };
    assert_eq!(run("--amount amount"), SIX);
    insta::assert_snapshot!(run("--amount amount --where 'year = 2024 AND month >= 2'"), @"");
    insta::assert_snapshot!(run("--amount amount --where 'month = 3' --deduplicate"), @"");
    insta::assert_snapshot!(run("--amount 'amount * month'"), @"");
}

#[test]
fn a_hive_key_can_be_the_customer_or_the_time() {
    let workdir = Workdir::new();
    let table = six_customers();
    for (name, start, length) in [("ann", 0, 3), ("bob", 3, 1), ("cat", 4, 2)] {
        let own = table.slice(start, length).drop("customer").unwrap();
        workdir.parquet(&format!("customers/customer={name}/x.parquet"), own);
    }
    workdir.tiermill(&format!("run --input customers {COLUMNS} --k 2")).success();
    insta::assert_snapshot!(customers(&workdir), @"");
    for (row, day) in ["2024-01-01", "2024-03-01", "2024-03-30", "2024-01-15"].iter().enumerate() {
        let own = table.slice(row as i64, 1).drop("date").unwrap();
        workdir.parquet(&format!("days/date={day}/{row}.parquet"), own);
    }
    workdir.tiermill(&format!("run --input days {COLUMNS} --k 2")).success();
    insta::assert_snapshot!(customers(&workdir), @"");
}

#[test]
fn files_may_differ_in_the_order_and_the_number_of_other_columns() {
    let workdir = Workdir::new();
    let table = six_customers();
    workdir.parquet("in/a.parquet", table.slice(0, 4));
    let mut wide = table.slice(4, 4).select(["amount", "customer", "date"]).unwrap();
    wide.with_column(Column::new("channel".into(), ["web", "web", "shop", "shop"])).unwrap();
    workdir.parquet("in/b.parquet", wide);
    let mut other = table.slice(8, 3).select(["date", "amount", "customer"]).unwrap();
    other.with_column(Column::new("channel".into(), [1_i64, 2, 3])).unwrap();
    workdir.parquet("in/c.parquet", other);
    workdir.tiermill(&format!("run --input in {COLUMNS} --k 2")).success();
    assert_eq!(customers(&workdir), SIX);
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
        let ids = Series::new("id".into(), [100_i64, 20, 3, 0]).cast(&dtype).unwrap();
        workdir.parquet("x.parquet", ordered_by(ids));
        workdir.tiermill(&format!("run --input x.parquet {BY_ID} --k 2")).success();
        let table = workdir.table("assignments.parquet");
        assert_eq!(table.columns()[0].name().as_str(), "Customer ID");
        assert_eq!(table.columns()[0].dtype(), &dtype);
        assert_eq!(lines(&table, &["Customer ID", "monetary"]), "0 1\n3 2\n20 4\n100 9\n", "{dtype}");
    }
}

#[test]
fn the_smallest_and_the_largest_id_of_a_type_are_ids() {
    let signed = Series::new("id".into(), [i64::MAX, 0, -1, i64::MIN]);
    insta::assert_snapshot!(load(ordered_by(signed), BY_ID), @"");
    let unsigned = Series::new("id".into(), [u64::MAX, u64::MAX - 1, 1 << 63, 0]);
    insta::assert_snapshot!(load(ordered_by(unsigned), BY_ID), @"");
}

#[test]
fn string_ids_sort_as_text_and_may_hold_anything() {
    let ids = Series::new("id".into(), ["10", "9", "O'Brien \"Bob\"; DROP TABLE", " 客户"]);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_by(ids));
    workdir.tiermill(&format!("run --input x.parquet {BY_ID} --k 2")).success();
    assert_eq!(workdir.table("assignments.parquet").columns()[0].dtype(), &DataType::String);
    insta::assert_snapshot!(customers(&workdir), @"");
}

#[test]
fn binary_ids_stay_binary() {
    let ids: [&[u8]; 4] = [b"\xff\x00", b"\x00", b"b", b"ab"];
    let ids = Series::new("id".into(), ids);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_by(ids));
    workdir.tiermill(&format!("run --input x.parquet {BY_ID} --k 2")).success();
    assert_eq!(workdir.table("assignments.parquet").columns()[0].dtype(), &DataType::Binary);
    insta::assert_snapshot!(customers(&workdir), @"");
}

// When.

/// Customers `a`, `b`, `c`, …, each with one order at one of these times.
fn ordered_at(times: Series) -> DataFrame {
    let n = times.len() as u8;
    let customers: Vec<String> = (0..n).map(|i| char::from(b'a' + i).to_string()).collect();
    let amounts: Vec<f64> = (0..n).map(|i| f64::from(i) + 1.0).collect();
    let mut table = df!("customer" => customers, "amount" => amounts).unwrap();
    table.with_column(times.with_name("date".into()).into_column()).unwrap();
    table
}

/// Microseconds since 1970 of a wall-clock time.
fn micros(text: &str) -> i64 {
    text.parse::<NaiveDateTime>().unwrap().and_utc().timestamp_micros()
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
    Series::new("date".into(), ticks).cast(&datetime(unit, zone)).unwrap()
}

/// Id and recency of the customers of [`ordered_at`], after the as-of.
#[track_caller]
fn recency(times: Series, flags: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", ordered_at(times));
    workdir.tiermill(&format!("run --input x.parquet {COLUMNS} --k 2 {flags}")).success();
    let table = workdir.table("assignments.parquet");
    let list = lines(&table, &["customer", "recency_days"]);
    format!("{}\n{list}{}", as_of(&workdir), rows(&workdir))
}

#[test]
fn a_date_a_datetime_of_any_unit_and_an_iso_string_say_the_same() {
    let days = ["2024-01-01T00:00:00", "2024-02-29T00:00:00", "2024-03-31T00:00:00"];
    let text = ["2024-01-01", "2024-02-29", "2024-03-31"];
    let strings = Series::new("date".into(), text);
    let dates = strings.cast(&DataType::Date).unwrap();
    insta::assert_snapshot!(recency(dates.clone(), ""), @"");
    let expected = recency(dates, "");
    assert_eq!(recency(strings, ""), expected);
    for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
        assert_eq!(recency(times(&days, unit, None), ""), expected, "{unit}");
        let utc = recency(times(&days, unit, Some("UTC")), "");
        assert_eq!(utc.replace("00:00:00+00:00", "00:00:00"), expected, "{unit}");
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
    insta::assert_snapshot!(recency(times.clone(), "--as-of 2024-02-01"), @"");
    insta::assert_snapshot!(recency(times, "--as-of 2024-02-01 --recency calendar"), @"");
}

#[test]
fn times_before_1970_are_floored_like_any_other() {
    for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
        let ticks = Series::new("date".into(), [-1_i64, 0, 1]);
        let times = ticks.cast(&datetime(unit, None)).unwrap();
        let found = recency(times.clone(), "--as-of 1970-01-02 --recency calendar");
        assert_eq!(
            found,
            "1970-01-02T00:00:00\na 2\nb 1\nc 1\n{\"read\":3,\"used\":3,\"rejected\":{}}",
            "{unit}"
        );
        let found = recency(times, "--as-of 1970-01-02T12:00 --recency floor");
        assert_eq!(
            found,
            "1970-01-02T12:00:00\na 1\nb 1\nc 1\n{\"read\":3,\"used\":3,\"rejected\":{}}",
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
    insta::assert_snapshot!(recency(times(), "--as-of 2024-01-07 --recency exact"), @"");
    // Text with an offset is an instant, text without one the wall clock of the zone.
    insta::assert_snapshot!(
        recency(times(), "--as-of 2024-01-07 --recency exact --timezone Europe/Berlin"),
        @""
    );
}

#[test]
fn an_iso_string_with_an_offset_may_leave_out_the_seconds() {
    let times = Series::new("date".into(), ["2024-01-05T18:00Z", "2024-01-05 20:30+02:00"]);
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
    insta::assert_snapshot!(recency(times, "--max-rejected 1"), @"");
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
    insta::assert_snapshot!(recency(spring_in_berlin(), ""), @"");
    insta::assert_snapshot!(recency(spring_in_berlin(), "--timezone Europe/Berlin"), @"");
    insta::assert_snapshot!(recency(spring_in_berlin(), "--timezone Asia/Shanghai"), @"");
}

#[test]
fn the_three_ways_of_recency_differ_over_a_change_of_the_clock() {
    let recency = |how| {
        recency(spring_in_berlin(), &format!("--timezone Europe/Berlin --recency {how}"))
    };
    insta::assert_snapshot!(recency("floor"), @"");
    insta::assert_snapshot!(recency("calendar"), @"");
    insta::assert_snapshot!(recency("exact"), @"");
}

#[test]
fn a_zone_moves_the_days_that_are_counted() {
    let mut table = ordered_at(times(
        &["2024-01-01T23:30:00", "2024-01-02T00:30:00", "2024-01-02T01:00:00"],
        TimeUnit::Milliseconds,
        Some("UTC"),
    ));
    table.with_column(Column::new("customer".into(), ["a", "a", "b"])).unwrap();
    let days = |flags: &str| load_orders(table.clone(), &format!("--count days {flags}"));
    insta::assert_snapshot!(days(""), @"");
    insta::assert_snapshot!(days("--timezone Europe/Berlin"), @"");
}

#[test]
fn a_column_with_a_zone_of_its_own_needs_no_other() {
    let utc = ["2024-01-05T23:30:00", "2024-01-03T12:00:00"];
    let times = times(&utc, TimeUnit::Nanoseconds, Some("Europe/Berlin"));
    insta::assert_snapshot!(recency(times.clone(), ""), @"");
    insta::assert_snapshot!(recency(times, "--timezone UTC"), @"");
}

#[test]
fn as_of_may_have_a_time_of_day_and_an_offset() {
    let wall = || {
        let texts = ["2024-01-05T12:49:59", "2024-01-05T12:50:00", "2024-01-01T12:50:00"];
        times(&texts, TimeUnit::Milliseconds, None)
    };
    insta::assert_snapshot!(recency(wall(), "--as-of 2024-01-05T12:50"), @"");
    insta::assert_snapshot!(recency(wall(), "--as-of '2024-01-05 12:50:00.5' --recency exact"), @"");
    // An offset in front of a column without zone is brought to UTC, or to the zone that is set.
    insta::assert_snapshot!(recency(wall(), "--as-of 2024-01-05T14:50+02:00"), @"");
    insta::assert_snapshot!(
        recency(wall(), "--as-of 2024-01-05T14:50+02:00 --timezone Europe/Berlin"),
        @""
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
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-01 --window 30d"), @"");
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-01 --window 31"), @"");
    insta::assert_snapshot!(
        recency(times(), "--as-of 2024-04-01T00:00:00.000001 --window 30d --recency exact"),
        @""
    );
    insta::assert_snapshot!(recency(times(), "--as-of 2024-04-02 --window 1w"), @"");
}

#[test]
fn a_window_counts_calendar_days_where_the_clock_changes() {
    // 30 March 00:00 in Berlin is 47 hours before 1 April 00:00.
    let window = "--as-of 2024-04-01 --timezone Europe/Berlin --window 2d";
    insta::assert_snapshot!(recency(spring_in_berlin(), window), @"");
}

#[test]
fn without_as_of_a_run_looks_from_the_midnight_after_the_newest_usable_order() {
    // The newest rows have no customer and no amount: they move nothing.
    let table = df!(
        "customer" => [Some("a"), Some("b"), None, Some("a")],
        "date" => ["2024-01-01", "2024-01-03", "2024-01-09", "2024-01-08"],
        "amount" => [Some(1.0), Some(2.0), Some(3.0), None],
    );
    insta::assert_snapshot!(load_orders(table.unwrap(), "--max-rejected 1"), @"");
}

#[test]
fn moving_as_of_moves_recency_and_tenure_and_nothing_else() {
    let at = |as_of: &str| load_orders(six_customers(), &format!("--as-of {as_of}"));
    assert_eq!(at("2024-04-01"), SIX);
    insta::assert_snapshot!(at("2024-04-11"), @"");
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
    insta::assert_snapshot!(expected, @"");
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
    for dtype in [DataType::UInt8, DataType::UInt16, DataType::UInt32, DataType::UInt64] {
        let table = with_type(positive.clone(), "amount", &dtype);
        assert_eq!(load_orders(table, ""), load_orders(positive.clone(), ""), "{dtype}");
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
    insta::assert_snapshot!(load_orders(decimal, "--decimals 2"), @"");
    insta::assert_snapshot!(load_orders(table.clone(), "--decimals 6"), @"");
    insta::assert_snapshot!(load_orders(table.clone(), ""), @"");
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    let ran = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
    insta::assert_snapshot!(ran.problem(), @"");
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
        load(order_lines(), &format!("--customer customer --time date --amount '{text}'"))
    };
    insta::assert_snapshot!(amount("Unit Price"), @"");
    insta::assert_snapshot!(amount("qty * \"Unit Price\""), @"");
    insta::assert_snapshot!(amount("CASE WHEN qty > 1 THEN \"Unit Price\" ELSE 0 END"), @"");
    insta::assert_snapshot!(amount("ROUND(ABS(qty) * \"Unit Price\", 1)"), @"");
}

#[test]
fn an_expression_over_decimals_stays_exact() {
    let table = with_type(order_lines(), "Unit Price", &DataType::Decimal(12, 2));
    let amount = "--customer customer --time date --amount 'qty * \"Unit Price\"'";
    insta::assert_snapshot!(load(table, amount), @"");
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

#[test]
fn where_keeps_the_rows_that_count() {
    let filter = |text: &str| load_orders(six_customers(), &format!("--where \"{text}\""));
    let quoted = |text: &str| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", six_customers());
        let mut arguments: Vec<String> =
            ["run", "--input", "x.parquet", "--k", "2"].map(str::to_owned).to_vec();
        arguments.extend(COLUMNS.split(' ').map(str::to_owned));
        arguments.extend(["--where".to_owned(), text.to_owned()]);
        workdir.tiermill_with(&arguments, &[]).success();
        customers(&workdir)
    };
    assert_eq!(filter("").replace("\"\"", ""), SIX);
    insta::assert_snapshot!(quoted("amount > 5 AND customer NOT LIKE 'c%'"), @"");
    insta::assert_snapshot!(quoted("customer IN ('ann', 'bob') OR amount BETWEEN 7 AND 8"), @"");
}

#[test]
fn where_is_false_where_it_is_neither_true_nor_false() {
    let table = df!(
        "customer" => ["a", "a", "b", "b"],
        "date" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
        "status" => [Some("ok"), None, Some("ok"), Some("void")],
    );
    let run = load_orders(table.unwrap(), "--where status<>\\'void\\'");
    insta::assert_snapshot!(run, @"");
}
