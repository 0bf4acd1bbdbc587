//! Bad input: each fault has its sentence and its exit code, and nothing is published.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use polars::prelude::*;
use serde_json::{Value, json};
use tiermill::Error;
use tiermill::store::RunFolder;

use crate::support::{COLUMNS, Workdir, orders, six_customers, with_type};

/// Runs, insists that it failed and that nothing was published, and gives exit code and stderr.
#[track_caller]
fn refused(workdir: &Workdir, arguments: &str) -> String {
    let ran = workdir.tiermill(arguments);
    assert_ne!(ran.code, 0, "{arguments} succeeded:\n{}", ran.stdout);
    assert_eq!(ran.stdout, "", "a run that failed has no result");
    nothing_published(&workdir.join("out"));
    ran.problem()
}

/// The same for a run on one table with the columns of [`orders`].
#[track_caller]
fn refused_table(table: DataFrame, flags: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    refused(
        &workdir,
        &format!("run --input x.parquet {COLUMNS} {flags}"),
    )
}

#[track_caller]
fn nothing_published(out: &Path) {
    assert_eq!(
        files(&out.join("runs")),
        Vec::<String>::new(),
        "a run is left"
    );
    let left: Vec<String> = files(out)
        .into_iter()
        .filter(|name| name != "runs" && name != ".tiermill")
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Names in a folder, hidden ones too; none where there is no folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// Files.

#[test]
fn a_missing_file_is_named() {
    let workdir = Workdir::new();
    insta::assert_snapshot!(refused(&workdir, &format!("run --input orders.parquet {COLUMNS}")), @r"
    exit 1
    error: no such file or folder: `orders.parquet`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    ");
}

#[test]
fn one_missing_file_of_several_is_named() {
    let workdir = Workdir::new();
    workdir.parquet("a.parquet", six_customers());
    insta::assert_snapshot!(refused(&workdir, &format!("run --input a.parquet b.parquet {COLUMNS}")), @r"
    exit 1
    error: no such file or folder: `b.parquet`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    ");
}

#[test]
fn a_url_is_no_missing_file() {
    let workdir = Workdir::new();
    insta::assert_snapshot!(refused(&workdir, &format!("run --input s3://bucket/orders/*.parquet {COLUMNS}")), @r"
    exit 1
    error: `s3://bucket/orders/*.parquet` is a URL, expected a file, a folder or a glob

    hint: tiermill reads files of this machine: mount the bucket (gcsfuse, rclone, s3fs), or copy it first (`aws s3 sync`, `curl`), and give the path
    ");
    workdir.write(
        "tiermill.toml",
        "input = 'https://example.com/x.parquet'\ncustomer = 'a'\ntime = 'b'",
    );
    let found = refused(&workdir, "run");
    assert!(
        found.starts_with("exit 1\nerror: `https://example.com/x.parquet` is a URL"),
        "{found}"
    );
}

#[test]
fn an_empty_folder_has_no_orders() {
    let workdir = Workdir::new();
    std::fs::create_dir(workdir.join("in")).unwrap();
    insta::assert_snapshot!(refused(&workdir, &format!("run --input in {COLUMNS}")), @r"
    exit 1
    error: no Parquet files in `in`

    hint: it is empty; has the export run?
    ");
}

#[test]
fn a_folder_without_parquet_tells_what_is_in_it() {
    let workdir = Workdir::new();
    workdir.write("in/orders.csv", "customer,date,amount\n");
    workdir.write("in/2024/orders.json", "[]");
    insta::assert_snapshot!(refused(&workdir, &format!("run --input in {COLUMNS}")), @r"
    exit 1
    error: no Parquet files in `in`

    hint: found instead: `orders.csv`, `orders.json`
    ");
}

#[test]
fn a_glob_that_matches_nothing_is_not_called_empty() {
    let workdir = Workdir::new();
    workdir.parquet("in/orders.parquet", six_customers());
    let found = refused(
        &workdir,
        &format!("run --input 'in/2024-*.parquet' {COLUMNS}"),
    );
    assert!(
        found.starts_with("exit 1\n") && found.contains("`in/2024-*.parquet`"),
        "{found}"
    );
    assert!(!found.contains("it is empty"), "`in` is not empty: {found}");
    workdir.write("marks/_SUCCESS", "");
    insta::assert_snapshot!(refused(&workdir, &format!("run --input 'marks/*' {COLUMNS}")), @r"
    exit 1
    error: no Parquet files in `marks/*`

    hint: found instead: `marks/_SUCCESS`
    ");
}

#[test]
fn a_folder_that_cannot_be_listed_is_no_empty_folder() {
    let workdir = Workdir::new();
    workdir.parquet("in/a/x.parquet", six_customers());
    // Nobody, root included, can name a path of more than 4096 bytes; moving its lower half makes one.
    let half = |top: &str| Path::new(top).join(format!("{}/", "d".repeat(200)).repeat(12));
    std::fs::create_dir_all(workdir.join("lower").join(half("l"))).unwrap();
    std::fs::create_dir_all(workdir.join("in").join(half("u"))).unwrap();
    let below = workdir.join("in").join(half("u")).join("l");
    std::fs::rename(workdir.join("lower/l"), below).unwrap();
    let found = refused(
        &workdir,
        &format!("run --input 'in/**/*.parquet' {COLUMNS}"),
    );
    assert!(
        found.starts_with("exit 1\nerror: cannot list `in/u/dd"),
        "{found}"
    );
}

#[test]
fn a_file_that_is_not_parquet_shows_how_it_begins() {
    let workdir = Workdir::new();
    workdir.write("x.parquet", "customer,date,amount\nann,2024-01-01,10\n");
    insta::assert_snapshot!(refused(&workdir, &format!("run --input x.parquet {COLUMNS}")), @r"
    exit 1
    error: `x.parquet` is not a Parquet file: it begins with `cust`, expected `PAR1`

    hint: tiermill reads Parquet; polars, DuckDB or Spark convert CSV and JSON
    ");
    workdir.write("x.parquet", [0x1f, 0x8b, 0x08, 0x00, 0x00]);
    insta::assert_snapshot!(refused(&workdir, &format!("run --input x.parquet {COLUMNS}")), @r"
    exit 1
    error: `x.parquet` is not a Parquet file: it begins with `\x1f\x8b\x08\x00`, expected `PAR1`

    hint: tiermill reads Parquet; polars, DuckDB or Spark convert CSV and JSON
    ");
}

#[test]
fn an_empty_file_is_not_parquet() {
    let workdir = Workdir::new();
    workdir.write("x.parquet", "");
    insta::assert_snapshot!(refused(&workdir, &format!("run --input x.parquet {COLUMNS}")), @r"
    exit 1
    error: `x.parquet` is empty (0 bytes), expected a Parquet file

    hint: has the export run?
    ");
}

#[test]
fn a_file_that_was_cut_off_is_recognised_wherever_it_was_cut() {
    let workdir = Workdir::new();
    let whole = std::fs::read(workdir.parquet("whole.parquet", six_customers())).unwrap();
    workdir.write("x.parquet", &whole[..600]);
    insta::assert_snapshot!(refused(&workdir, &format!("run --input x.parquet {COLUMNS}")), @r"
    exit 1
    error: `x.parquet` is cut off: 600 bytes, and the footer that ends a Parquet file is missing

    hint: the writer was stopped, or the copy is not complete; write it again under another name and rename it when it is whole
    ");
    for length in [
        4,
        5,
        8,
        11,
        12,
        whole.len() / 2,
        whole.len() - 8,
        whole.len() - 4,
        whole.len() - 1,
    ] {
        workdir.write("x.parquet", &whole[..length]);
        let found = refused(&workdir, &format!("run --input x.parquet {COLUMNS}"));
        assert!(
            found.starts_with(&format!(
                "exit 1\nerror: `x.parquet` is cut off: {length} bytes"
            )),
            "{found}"
        );
    }
}

#[test]
fn a_file_whose_last_bytes_are_right_is_not_said_to_lack_them() {
    let workdir = Workdir::new();
    // Four bytes that are both the beginning and the end, and a footer longer than the file.
    for bytes in [
        b"PAR1".to_vec(),
        [b"PAR1".as_slice(), &[1, 2, 3, 4], b"\xff\xff\x00\x00PAR1"].concat(),
    ] {
        workdir.write("x.parquet", bytes);
        let found = refused(&workdir, &format!("run --input x.parquet {COLUMNS}"));
        assert!(
            found.starts_with("exit 1\nerror: `x.parquet` is "),
            "{found}"
        );
        assert!(!found.contains("the last four are not"), "{found}");
    }
}

/// A copy of a Parquet file with some bytes overwritten.
fn damaged(workdir: &Workdir, whole: &[u8], at: usize, with: &[u8]) {
    let mut bytes = whole.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    workdir.write("x.parquet", bytes);
}

#[test]
fn a_damaged_page_is_an_error_of_the_file() {
    let workdir = Workdir::new();
    let whole = std::fs::read(workdir.parquet("whole.parquet", six_customers())).unwrap();
    damaged(&workdir, &whole, 4, &[0xff; 40]);
    insta::assert_snapshot!(refused(&workdir, &format!("run --input x.parquet {COLUMNS}")), @r"
    exit 1
    error: cannot read `x.parquet`
      Caused by: parquet: File out of specification: Invalid thrift: bad data
    ");
}

#[test]
fn a_type_that_polars_cannot_read_is_not_called_damage() {
    let mut table = six_customers();
    let ids: Vec<i128> = (0..).take(table.height()).collect();
    let ids = Int128Chunked::from_vec("customer".into(), ids).into_column();
    table.with_column(ids).unwrap();
    let found = refused_table(table, "");
    let hint =
        "hint: polars cannot read the type of one of its columns: cast it where it is written";
    assert!(
        found.starts_with("exit 1\nerror: cannot read `x.parquet`"),
        "{found}"
    );
    assert!(found.contains(hint), "{found}");
}

#[test]
fn the_damaged_file_of_several_is_named() {
    let workdir = Workdir::new();
    let whole = std::fs::read(workdir.parquet("a.parquet", six_customers())).unwrap();
    workdir.write("c.parquet", &whole);
    damaged(&workdir, &whole, 4, &[0xff; 40]);
    let found = refused(
        &workdir,
        &format!("run --input a.parquet x.parquet c.parquet {COLUMNS}"),
    );
    assert!(
        found.starts_with("exit 1\n") && found.contains("`x.parquet`"),
        "{found}"
    );
}

#[test]
fn no_damage_to_a_file_is_a_panic() {
    let workdir = Workdir::new();
    let mut table = six_customers();
    for _ in 0..5 {
        table = table.vstack(&table).unwrap();
    }
    let whole = std::fs::read(workdir.parquet("whole.parquet", table)).unwrap();
    let mut panics = Vec::new();
    for at in (5..whole.len() - 8).step_by(16) {
        damaged(&workdir, &whole, at, &[0]);
        let ran = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
        // Values without a checksum may be damaged unseen; what is seen is a fault of the file.
        assert!(matches!(ran.code, 0 | 1 | 3), "byte {at}: {}", ran.stderr);
        if ran.stderr.contains("a fault in tiermill itself") {
            panics.push((at, ran.stderr.lines().next().unwrap_or_default().to_owned()));
        }
    }
    assert_eq!(panics, []);
}

// Columns.

#[test]
fn a_missing_column_names_those_found_and_suggests_the_nearest() {
    let missing = |flags: &str| {
        let workdir = Workdir::new();
        workdir.parquet("orders.parquet", six_customers());
        refused(&workdir, &format!("run --input orders.parquet {flags}"))
    };
    insta::assert_snapshot!(missing("--customer customer --time date --amount amuont"), @r"
    exit 1
    error: `orders.parquet` has no column `amuont`

    hint: columns found: `customer`, `date`, `amount`; set `amount` in [input] or pass `--amount amount`
    ");
    insta::assert_snapshot!(missing("--customer CustomerID --time date --amount amount"), @r"
    exit 1
    error: `orders.parquet` has no column `CustomerID`

    hint: columns found: `customer`, `date`, `amount`; set `customer` in [input] or pass `--customer customer`
    ");
    insta::assert_snapshot!(missing("--customer customer --time date --amount price"), @r"
    exit 1
    error: `orders.parquet` has no column `price`

    hint: columns found: `customer`, `date`, `amount`; set `amount` in [input] or pass `--amount NAME`
    ");
}

#[test]
fn a_longer_or_shorter_name_for_a_column_is_near() {
    let workdir = Workdir::new();
    workdir.parquet("orders.parquet", six_customers());
    for (flags, near) in [
        (
            "--customer customer --time order_date --amount amount",
            "--time date",
        ),
        (
            "--customer customer_id --time date --amount amount",
            "--customer customer",
        ),
        (
            "--customer customer --time date --amount total_amount",
            "--amount amount",
        ),
    ] {
        let found = refused(&workdir, &format!("run --input orders.parquet {flags}"));
        assert!(found.contains(&format!("`{near}`")), "{found}");
    }
}

#[test]
fn a_column_that_an_expression_misses_is_not_suggested_as_the_expression() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    for flags in [
        "--customer customer --time date --amount amount --where 'amuont > 0'",
        "--customer customer --time date --amount 'amuont * 2'",
    ] {
        let found = refused(&workdir, &format!("run --input x.parquet {flags}"));
        assert!(
            found.contains("no column `amuont`") && found.contains("`amount`"),
            "{found}"
        );
        assert!(
            !found.contains("--where amount") && !found.contains("--amount amount"),
            "{found}"
        );
    }
}

#[test]
fn an_expression_that_cannot_be_read_is_an_error_of_the_config() {
    insta::assert_snapshot!(refused_table(six_customers(), "--where 'amount >'"), @r#"
    exit 2
    error: cannot read `where = "amount >"` as an SQL expression
      Caused by: unable to parse 'amount >' as Expr

    hint: the expression is polars SQL over the input's columns, as in `quantity * unit_price` or `status <> 'void'`
    "#);
    insta::assert_snapshot!(refused_table(six_customers(), "--where 'amount + 1'"), @r"
    exit 2
    error: `where` is `amount + 1` of type f64, expected a condition that is true or false
    ");
}

#[test]
fn an_expression_that_compares_a_number_with_text_is_an_error_of_the_config() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    let mut arguments: Vec<String> = format!("run --input x.parquet {COLUMNS} --where")
        .split(' ')
        .map(str::to_owned)
        .collect();
    for condition in ["amount > 'x'", "date >= '2024-02-01'"] {
        arguments.push(condition.to_owned());
        let ran = workdir.tiermill_with(&arguments, &[]);
        arguments.pop();
        nothing_published(&workdir.join("out"));
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("`where = \"{condition}\"`")),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.matches("Caused by").count(), 1, "{}", ran.stderr);
        assert!(!ran.stderr.contains("FAILED HERE"), "{}", ran.stderr);
    }
}

#[test]
fn ids_that_are_no_integers_strings_or_binary_are_refused() {
    let ids = |ids: Series| {
        let mut table = orders(&[("a", "2024-01-01", 1.0), ("b", "2024-01-02", 2.0)]);
        table
            .with_column(ids.with_name("customer".into()).into_column())
            .unwrap();
        refused_table(table, "")
    };
    insta::assert_snapshot!(ids(Series::new("id".into(), [1.0, 2.0])), @r"
    exit 1
    error: column `customer` of `x.parquet` is f64, expected an integer, string or binary type for customer ids

    hint: pandas turns integers with gaps into floats: cast the column to Int64 before it is written
    ");
    insta::assert_snapshot!(ids(Series::new("id".into(), [true, false])), @r"
    exit 1
    error: column `customer` of `x.parquet` is bool, expected an integer, string or binary type for customer ids

    hint: give another column with `--customer`, or cast this one where it is written
    ");
}

#[test]
fn times_that_are_numbers_are_refused() {
    let days = with_type(six_customers(), "date", &DataType::Int32);
    insta::assert_snapshot!(refused_table(days.clone(), ""), @r"
    exit 1
    error: column `date` of `x.parquet` is i32, expected Date, Datetime or an ISO string

    hint: a number of seconds or days is not a time yet: cast it to a timestamp where it is written
    ");
    let float = with_type(days, "date", &DataType::Float64);
    insta::assert_snapshot!(refused_table(float, ""), @r"
    exit 1
    error: column `date` of `x.parquet` is f64, expected Date, Datetime or an ISO string

    hint: give another column with `--time`
    ");
}

#[test]
fn amounts_that_are_no_numbers_are_refused_with_a_way_out() {
    let mut table = six_customers();
    let flags: Vec<bool> = (0..table.height()).map(|row| row % 2 == 0).collect();
    table
        .with_column(Column::new("amount".into(), flags))
        .unwrap();
    insta::assert_snapshot!(refused_table(table, ""), @r"
    exit 1
    error: column `amount` of `x.parquet` is bool, expected a number

    hint: give another column with `--amount`
    ");
    let text = with_type(six_customers(), "amount", &DataType::String);
    insta::assert_snapshot!(refused_table(text.clone(), ""), @r#"
    exit 1
    error: column `amount` of `x.parquet` is str, expected a number

    hint: make it a number: `amount = "CAST(amount AS DOUBLE)"`
    "#);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", text);
    let advice = "--customer customer --time date --amount 'CAST(amount AS DOUBLE)'";
    workdir
        .tiermill(&format!("run --input x.parquet --k 2 {advice}"))
        .success();
    let cast = workdir.table("assignments.parquet");
    assert_eq!(
        cast.column("monetary").unwrap().f64().unwrap().get(0),
        Some(60.5)
    );
}

#[test]
fn a_column_of_nulls_has_no_values() {
    for (column, dtype) in [
        ("customer", DataType::String),
        ("date", DataType::Date),
        ("amount", DataType::Float64),
    ] {
        let mut table = six_customers();
        table
            .with_column(Column::full_null(column.into(), table.height(), &dtype))
            .unwrap();
        let found = refused_table(table, "");
        let reason = match column {
            "customer" => "null_customer",
            "date" => "null_time",
            _ => "bad_amount",
        };
        assert!(
            found.starts_with(&format!(
                "exit 3\nerror: 11 of 11 rows rejected (100 %), more than `max-rejected` = 1 %: 11 {reason}\n"
            )),
            "{found}"
        );
    }
}

#[test]
fn a_column_of_the_type_null_is_of_the_wrong_type() {
    let null = |column: &str| {
        let mut table = six_customers();
        table
            .with_column(Column::full_null(
                column.into(),
                table.height(),
                &DataType::Null,
            ))
            .unwrap();
        refused_table(table, "")
    };
    insta::assert_snapshot!(null("customer"), @r"
    exit 1
    error: column `customer` of `x.parquet` is null, expected an integer, string or binary type for customer ids

    hint: give another column with `--customer`, or cast this one where it is written
    ");
    insta::assert_snapshot!(null("date"), @r"
    exit 1
    error: column `date` of `x.parquet` is null, expected Date, Datetime or an ISO string

    hint: give another column with `--time`
    ");
    insta::assert_snapshot!(null("amount"), @r"
    exit 1
    error: column `amount` of `x.parquet` is null, expected a number

    hint: give another column with `--amount`
    ");
}

#[test]
fn files_that_disagree_about_a_column_are_both_named() {
    let workdir = Workdir::new();
    workdir.parquet("in/a.parquet", six_customers());
    let run = format!("run --input in {COLUMNS}");
    workdir.parquet(
        "in/b.parquet",
        with_type(six_customers(), "amount", &DataType::Int64),
    );
    insta::assert_snapshot!(refused(&workdir, &run), @r"
    exit 1
    error: column `amount` is f64 in `in/a.parquet` and i64 in `in/b.parquet`

    hint: write both files with one type, or give them to two runs
    ");
    workdir.parquet("in/b.parquet", six_customers().drop("date").unwrap());
    insta::assert_snapshot!(refused(&workdir, &run), @r"
    exit 1
    error: column `date` is date in `in/a.parquet` and missing in `in/b.parquet`

    hint: write both files with one type, or give them to two runs
    ");
    workdir.parquet(
        "in/b.parquet",
        with_type(six_customers(), "date", &DataType::String),
    );
    insta::assert_snapshot!(refused(&workdir, &run), @r"
    exit 1
    error: column `date` is date in `in/a.parquet` and str in `in/b.parquet`

    hint: write both files with one type, or give them to two runs
    ");
    // What no setting names may differ, unless exact duplicates are looked for.
    let mut table = six_customers();
    table
        .with_column(Column::new("note".into(), vec!["x"; table.height()]))
        .unwrap();
    workdir.parquet("in/a.parquet", table);
    workdir.parquet("in/b.parquet", six_customers());
    insta::assert_snapshot!(refused(&workdir, &format!("{run} --deduplicate")), @r"
    exit 1
    error: column `note` is str in `in/a.parquet` and missing in `in/b.parquet`

    hint: write both files with one type, or give them to two runs
    ");
    workdir.parquet("in/c.parquet", six_customers());
    std::fs::rename(workdir.join("in/a.parquet"), workdir.join("in/d.parquet")).unwrap();
    insta::assert_snapshot!(refused(&workdir, &format!("{run} --deduplicate")), @r"
    exit 1
    error: column `note` is missing in `in/b.parquet` and str in `in/d.parquet`

    hint: write both files with one type, or give them to two runs
    ");
    workdir.tiermill(&format!("{run} --k 2")).success();
}

// Rows.

#[test]
fn an_input_without_rows_says_so() {
    insta::assert_snapshot!(refused_table(six_customers().slice(0, 0), ""), @r"
    exit 1
    error: no usable rows: 0 read, none rejected

    hint: the input has no rows; has the export run?
    ");
}

#[test]
fn a_window_without_orders_points_at_as_of_and_window() {
    insta::assert_snapshot!(refused_table(six_customers(), "--as-of 2030-01-01 --window 30d"), @r"
    exit 1
    error: no usable rows: 11 read, rejected: 11 before_window

    hint: no order lies between as-of − window and as-of; look at `as-of` and `window`
    ");
    insta::assert_snapshot!(refused_table(six_customers(), "--as-of 2020-01-01"), @r"
    exit 1
    error: no usable rows: 11 read, rejected: 11 after_as_of

    hint: no order lies between as-of − window and as-of; look at `as-of` and `window`
    ");
}

#[test]
fn a_condition_that_holds_for_no_row_is_named() {
    insta::assert_snapshot!(refused_table(six_customers(), "--where 'amount > 1000'"), @r"
    exit 1
    error: no usable rows: 11 read, rejected: 11 filtered

    hint: `where` holds for no row
    ");
}

#[test]
fn refunds_alone_make_no_customer() {
    let table = orders(&[("a", "2024-01-01", -1.0), ("b", "2024-01-02", -2.0)]);
    insta::assert_snapshot!(refused_table(table, "--as-of 2024-02-01"), @r"
    exit 1
    error: no usable rows: 2 read, rejected: 2 no_order

    hint: all amounts are negative; has the sign of the amounts changed?
    ");
}

#[test]
fn one_customer_is_too_few() {
    insta::assert_snapshot!(refused_table(six_customers().slice(0, 3), ""), @r"
    exit 1
    error: 1 customer: tiers need at least 2

    hint: look at `where`, `window` and the customer column
    ");
    insta::assert_snapshot!(refused_table(six_customers().slice(0, 3), "--k 2"), @r"
    exit 1
    error: 1 customer: tiers need at least 2

    hint: look at `where`, `window` and the customer column
    ");
}

#[test]
fn fewer_different_customers_than_tiers_are_too_few() {
    insta::assert_snapshot!(refused_table(six_customers(), "--k 7"), @r#"
    exit 1
    error: k = 7, but the customers have only 6 distinct points in feature space

    hint: set `k` to 6 or less; with `k = "auto"`, `k-min`
    "#);
    // Four customers, two kinds.
    let table = orders(&[
        ("a", "2024-01-01", 5.0),
        ("b", "2024-01-01", 5.0),
        ("c", "2024-01-02", 9.0),
        ("d", "2024-01-02", 9.0),
    ]);
    insta::assert_snapshot!(refused_table(table, "--k 3"), @r#"
    exit 1
    error: k = 3, but the customers have only 2 distinct points in feature space

    hint: set `k` to 2 or less; with `k = "auto"`, `k-min`
    "#);
}

#[test]
fn customers_that_are_all_alike_make_no_tiers() {
    let table = || {
        orders(&[
            ("a", "2024-01-01", 5.0),
            ("b", "2024-01-01", 5.0),
            ("c", "2024-01-01", 5.0),
        ])
    };
    insta::assert_snapshot!(refused_table(table(), ""), @r"
    exit 1
    error: k = 2, but the customers have only 1 distinct point in feature space

    hint: all customers look the same; add a feature, or look at `tiermill check`
    ");
    insta::assert_snapshot!(refused_table(table(), "--k 3"), @r"
    exit 1
    error: k = 3, but the customers have only 1 distinct point in feature space

    hint: all customers look the same; add a feature, or look at `tiermill check`
    ");
}

// Amounts.

/// [`six_customers`] and one order of `zoe` with this amount.
fn with_amount(amount: f64) -> DataFrame {
    six_customers()
        .vstack(&orders(&[("zoe", "2024-03-20", amount)]))
        .unwrap()
}

#[test]
fn amounts_that_are_no_finite_number_are_rejected() {
    insta::assert_snapshot!(refused_table(with_amount(f64::NAN), ""), @r"
    exit 3
    error: 1 of 12 rows rejected (8.333 %), more than `max-rejected` = 1 %: 1 bad_amount

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
    for amount in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", with_amount(amount));
        let run = format!("run --input x.parquet {COLUMNS} --k 2 --max-rejected 10%");
        workdir.tiermill(&run).success();
        let rows = workdir.json("manifest.json")["rows"].to_string();
        assert_eq!(
            rows, r#"{"read":12,"used":11,"rejected":{"bad_amount":1}}"#,
            "{amount}"
        );
        let kept = workdir.table("rejected.parquet");
        let kept = kept
            .column("amount")
            .unwrap()
            .f64()
            .unwrap()
            .get(0)
            .unwrap();
        assert!(
            kept.is_nan() == amount.is_nan() && (kept.is_nan() || kept == amount),
            "{kept}"
        );
    }
}

#[test]
fn negative_zero_is_zero_and_no_refund() {
    let run = |amount: f64| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", with_amount(amount));
        workdir
            .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2"))
            .success();
        let found = workdir.table("assignments.parquet");
        let zoe = found
            .column("monetary")
            .unwrap()
            .f64()
            .unwrap()
            .get(6)
            .unwrap();
        assert_eq!(zoe.to_bits(), 0.0_f64.to_bits());
        std::fs::read(workdir.current().join("assignments.parquet")).unwrap()
    };
    assert!(run(-0.0) == run(0.0));
}

#[test]
fn an_amount_too_large_for_the_fixed_point_names_its_customer() {
    insta::assert_snapshot!(refused_table(with_amount(1e300), ""), @r"
    exit 1
    error: customer `zoe` has an amount of 1e300, more than 4 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
    insta::assert_snapshot!(refused_table(with_amount(-1e15), ""), @r"
    exit 1
    error: customer `zoe` has an amount of -1000000000000000, more than 4 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
    // With fewer decimals there is room for it.
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", with_amount(1e15));
    workdir
        .tiermill(&format!(
            "run --input x.parquet {COLUMNS} --k 2 --decimals 3"
        ))
        .success();
    let found = workdir.table("assignments.parquet");
    assert_eq!(
        found.column("monetary").unwrap().f64().unwrap().get(6),
        Some(1e15)
    );
}

#[test]
fn a_sum_too_large_for_the_fixed_point_names_its_customer() {
    // Two of them fit, eleven do not, and 64 bits would wrap into a number that looks like any other.
    let large: Vec<(&str, &str, f64)> = [("zoe", "2024-03-20", 4e14)]
        .into_iter()
        .cycle()
        .take(11)
        .chain([("yan", "2024-03-20", 1.0)])
        .collect();
    insta::assert_snapshot!(refused_table(orders(&large), ""), @r"
    exit 1
    error: the amounts of customer `zoe` add up to 4400000000000000, more than 4 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
    let mut table = df!("customer" => ["zoe", "zoe", "yan"], "date" => ["2024-01-01"; 3]).unwrap();
    table
        .with_column(Column::new("amount".into(), [i64::MAX, 1, 5]))
        .unwrap();
    insta::assert_snapshot!(refused_table(table.clone(), ""), @r"
    exit 1
    error: the amounts of customer `zoe` add up to 9223372036854775808, more than 0 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
    table
        .with_column(Column::new("amount".into(), [u64::MAX, 1, 5]))
        .unwrap();
    insta::assert_snapshot!(refused_table(table, ""), @r"
    exit 1
    error: customer `zoe` has an amount of 18446744073709551615, more than 0 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
}

#[test]
fn a_product_beyond_64_bits_is_too_large_and_not_another_number() {
    let mut table = df!("customer" => ["zoe", "yan"], "date" => ["2024-01-01"; 2]).unwrap();
    table
        .with_column(Column::new("n".into(), [1_i64 << 62, 5]))
        .unwrap();
    let product = |amount: &str| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", table.clone());
        let columns = "--customer customer --time date";
        refused(
            &workdir,
            &format!("run --input x.parquet {columns} --amount '{amount}'"),
        )
    };
    insta::assert_snapshot!(product("n * 4"), @r"
    exit 1
    error: customer `zoe` has an amount of 18446744073709551616, more than 0 decimals leave room for

    hint: lower `decimals`, or look at the amounts of this customer: `where` can leave rows out
    ");
    // 2^186 is 0 in 128 bits.
    let found = product("n * n * n");
    assert!(
        found.starts_with("exit 1\nerror: customer `zoe` has an amount of "),
        "{found}"
    );
}

#[test]
fn a_decimal_without_room_is_told_how_to_become_narrower() {
    let digits = orders(&[
        ("zoe", "2024-03-20", 9e9),
        ("zoe", "2024-03-20", 9e9),
        ("yan", "2024-03-20", 0.123_456_789),
    ]);
    // By way of a scale that a float can be cut to.
    let digits = with_type(digits, "amount", &DataType::Decimal(20, 9));
    let table = |scale: usize| with_type(digits.clone(), "amount", &DataType::Decimal(38, scale));
    insta::assert_snapshot!(refused_table(table(18), ""), @r"
    exit 1
    error: the amounts of customer `zoe` add up to 18000000000, more than 18 decimals leave room for

    hint: a Decimal keeps its scale: narrow it with `--amount 'CAST(amount AS DECIMAL(18, 4))'`, or look at the amounts of this customer: `where` can leave rows out
    ");
    insta::assert_snapshot!(refused_table(table(28), ""), @r"
    exit 1
    error: customer `zoe` has an amount of 9000000000.0000000000000000000000000000, more than 28 decimals leave room for

    hint: a Decimal keeps its scale: narrow it with `--amount 'CAST(amount AS DECIMAL(18, 4))'`, or look at the amounts of this customer: `where` can leave rows out
    ");
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table(18));
    let advice = "--customer customer --time date --amount 'CAST(amount AS DECIMAL(18, 4))'";
    workdir
        .tiermill(&format!("run --input x.parquet --k 2 {advice}"))
        .success();
}

#[test]
fn a_feature_too_large_to_be_scaled_names_its_customer() {
    let workdir = Workdir::new();
    let table = df!(
        "customer" => ["a", "b", "c"], "recency_days" => [1.0, 1e308, 3.0], "frequency" => [1_i64, 2, 3],
        "monetary" => [1.0, 2.0, 3.0],
    );
    workdir.parquet("x.parquet", table.unwrap());
    let run =
        "run --input x.parquet --customer customer --level customers --as-of 2024-01-31 --k 2";
    insta::assert_snapshot!(refused(&workdir, &format!("{run} --transform none")), @r#"
    exit 1
    error: feature `recency_days` cannot be scaled: customer `b` has 1e308

    hint: leave the customer out with `where`, or tame the feature: `transform = "log1p"`, `winsorise = 0.001`
    "#);
    workdir.tiermill(run).success();
}

#[test]
fn a_condition_on_a_ready_customer_table_is_checked_like_any_other() {
    let workdir = Workdir::new();
    let table = df!("customer" => ["a", "b"], "recency_days" => [1.0, 2.0], "frequency" => [1_i64, 2], "monetary" => [1.0, 2.0]);
    workdir.parquet("x.parquet", table.unwrap());
    let run = "run --input x.parquet --customer customer --level customers --as-of 2024-01-31";
    insta::assert_snapshot!(refused(&workdir, &format!("{run} --where 'frequency + 1'")), @r"
    exit 2
    error: `where` is `frequency + 1` of type i64, expected a condition that is true or false
    ");
    let found = refused(&workdir, &format!("{run} --where 'customer + 1 > 2'"));
    assert!(
        found.starts_with("exit 2\nerror: cannot read `where = "),
        "{found}"
    );
}

#[test]
fn a_huge_amount_and_its_refund_that_cancel_each_other_are_no_overflow() {
    let table = orders(&[
        ("a", "2024-01-01", 9e14),
        ("a", "2024-01-01", 9e14),
        ("a", "2024-01-02", -9e14),
        ("a", "2024-01-02", -8.99e14),
        ("b", "2024-01-02", 1.0),
    ]);
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    workdir
        .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2"))
        .success();
    let found = workdir.table("assignments.parquet");
    assert_eq!(
        found.column("monetary").unwrap().f64().unwrap().get(0),
        Some(1e12)
    );
}

// Times.

#[test]
fn one_order_in_2099_does_not_become_the_as_of() {
    let table = six_customers()
        .vstack(&orders(&[("bob", "2099-01-01", 1.0)]))
        .unwrap();
    insta::assert_snapshot!(refused_table(table.clone(), ""), @r"
    exit 3
    error: the newest orders (1 on or after 2099-01-01) lie 27304 days after the ones before (2024-03-31), more than `max-gap` = 30 days

    hint: a date typed wrong would age every customer; set `as-of` (rows at or after it are not used), or raise `max-gap`
    ");
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    let check = workdir.tiermill(&format!("check --input x.parquet {COLUMNS}"));
    assert_eq!(check.code, 3);
    insta::assert_snapshot!(check.answer(), @r"
    6 customers in 1 file, as of 2099-01-02

    Rows 12 read = 12 used + 0 rejected

    Faulty rows: 0 (0.0 %); `max-rejected` allows 1 %.
    ");
    let run = format!("run --input x.parquet {COLUMNS} --k 2");
    workdir
        .tiermill(&format!("{run} --as-of 2024-04-01"))
        .success();
    let with = workdir.table("assignments.parquet");
    let rows = workdir.json("manifest.json")["rows"].to_string();
    assert_eq!(
        rows,
        r#"{"read":12,"used":11,"rejected":{"after_as_of":1}}"#
    );
    workdir.parquet("x.parquet", six_customers());
    workdir.tiermill(&run).success();
    assert!(with.equals_missing(&workdir.table("assignments.parquet")));
}

#[test]
fn a_gap_of_max_gap_is_believed_and_one_day_more_is_not() {
    let table = |day: &str| {
        six_customers()
            .vstack(&orders(&[("bob", day, 1.0)]))
            .unwrap()
    };
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table("2024-04-30"));
    let run = format!("run --input x.parquet {COLUMNS} --k 2");
    workdir.tiermill(&run).success();
    assert_eq!(workdir.json("tiers.json")["as_of"], "2024-05-01T00:00:00");
    insta::assert_snapshot!(refused_table(table("2024-05-01"), ""), @r"
    exit 3
    error: the newest orders (1 on or after 2024-05-01) lie 31 days after the ones before (2024-03-31), more than `max-gap` = 30 days

    hint: a date typed wrong would age every customer; set `as-of` (rows at or after it are not used), or raise `max-gap`
    ");
    workdir.parquet("x.parquet", table("2024-05-01"));
    workdir.tiermill(&format!("{run} --max-gap 31d")).success();
}

#[test]
fn dates_in_year_1_are_placeholders() {
    let table = six_customers()
        .vstack(&orders(&[("bob", "0001-01-01", 1.0)]))
        .unwrap();
    insta::assert_snapshot!(refused_table(table.clone(), ""), @r"
    exit 3
    error: 1 of 12 rows rejected (8.333 %), more than `max-rejected` = 1 %: 1 bad_time

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", table);
    workdir
        .tiermill(&format!(
            "run --input x.parquet {COLUMNS} --k 2 --max-rejected 10%"
        ))
        .success();
    let rows = workdir.json("manifest.json")["rows"].to_string();
    assert_eq!(rows, r#"{"read":12,"used":11,"rejected":{"bad_time":1}}"#);
}

#[test]
fn a_time_beyond_every_calendar_never_wraps_into_another_one() {
    let ticks = |unit: TimeUnit, tick: i64| {
        let mut table = with_type(six_customers(), "date", &DataType::Datetime(unit, None));
        let mut order = table.slice(0, 1);
        let time = Series::new("date".into(), [tick])
            .cast(&DataType::Datetime(unit, None))
            .unwrap();
        order.with_column(time.into_column()).unwrap();
        table = table.vstack(&order).unwrap();
        table
    };
    let days = |day: i32| {
        let mut order = six_customers().slice(0, 1);
        let time = Series::new("date".into(), [day])
            .cast(&DataType::Date)
            .unwrap();
        order.with_column(time.into_column()).unwrap();
        six_customers().vstack(&order).unwrap()
    };
    for table in [
        ticks(TimeUnit::Milliseconds, i64::MAX),
        ticks(TimeUnit::Milliseconds, i64::MIN + 1),
        ticks(TimeUnit::Microseconds, i64::MAX),
        ticks(TimeUnit::Microseconds, i64::MIN + 1),
        ticks(TimeUnit::Nanoseconds, i64::MAX),
        ticks(TimeUnit::Nanoseconds, i64::MIN + 1),
        days(i32::MAX),
        days(i32::MIN),
        days(400_000_000),
    ] {
        let last = table
            .column("date")
            .unwrap()
            .to_physical_repr()
            .get(11)
            .unwrap()
            .to_string();
        let name = format!("{} {last}", table.column("date").unwrap().dtype());
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", table);
        let flags = "--k 2 --max-rejected 10% --as-of 2024-04-01";
        workdir
            .tiermill(&format!("run --input x.parquet {COLUMNS} {flags}"))
            .success();
        let rows = workdir.json("manifest.json")["rows"].clone();
        assert_eq!(rows["used"], 11, "{name}: {rows}");
    }
}

// Customers.

#[test]
fn rows_without_a_customer_are_faults() {
    let customers = [Some("a"), Some("b"), None, Some("")];
    let table = df!(
        "customer" => customers, "date" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
    )
    .unwrap();
    insta::assert_snapshot!(refused_table(table.clone(), ""), @r"
    exit 3
    error: 2 of 4 rows rejected (50 %), more than `max-rejected` = 1 %: 1 null_customer, 1 empty_customer

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
    for dtype in [DataType::String, DataType::Binary] {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", with_type(table.clone(), "customer", &dtype));
        let run = format!("run --input x.parquet {COLUMNS} --k 2 --max-rejected 50%");
        workdir.tiermill(&run).success();
        let rows = workdir.json("manifest.json")["rows"].to_string();
        assert_eq!(
            rows, r#"{"read":4,"used":2,"rejected":{"empty_customer":1,"null_customer":1}}"#,
            "{dtype}"
        );
    }
}

#[test]
fn duplicate_rows_are_orders_unless_they_are_asked_to_count_once() {
    let table = six_customers().vstack(&six_customers()).unwrap();
    let ann = |flags: &str| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", table.clone());
        workdir
            .tiermill(&format!("run --input x.parquet {COLUMNS} --k 2 {flags}"))
            .success();
        let found = workdir.table("assignments.parquet");
        let monetary = found.column("monetary").unwrap().f64().unwrap().get(0);
        (monetary, workdir.json("manifest.json")["rows"].to_string())
    };
    assert_eq!(
        ann(""),
        (
            Some(121.0),
            r#"{"read":22,"used":22,"rejected":{}}"#.to_owned()
        )
    );
    assert_eq!(
        ann("--deduplicate"),
        (
            Some(60.5),
            r#"{"read":22,"used":11,"rejected":{"duplicate":11}}"#.to_owned()
        )
    );
}

// Config.

/// Exit code and stderr of a run with this config, which has to fail before the output folder is made.
#[track_caller]
fn refused_config(text: &str) -> String {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir.write("tiermill.toml", text);
    let found = refused(&workdir, "run");
    assert!(!workdir.join("out").exists());
    found
}

const INPUT: &str =
    "[input]\ninput = 'x.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\n";

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    insta::assert_snapshot!(refused_config(&format!("{INPUT}ammount = 'amount'\n")), @r"
    exit 2
    error: unknown key `ammount` in [input]

    hint: did you mean `amount`?
    ");
    insta::assert_snapshot!(refused_config(&format!("{INPUT}[rfm]\nas_of = 2024-01-31\n")), @r"
    exit 2
    error: unknown key `as_of` in [rfm]

    hint: did you mean `as-of`?
    ");
    insta::assert_snapshot!(refused_config("max-rejectd = 0.1\n"), @r"
    exit 2
    error: unknown key `max-rejectd` at the top level

    hint: did you mean `max-rejected`?
    ");
    insta::assert_snapshot!(refused_config(&format!("{INPUT}[clusters]\nk = 3\n")), @r"
    exit 2
    error: unknown key `clusters` at the top level

    hint: did you mean `[cluster]`?
    ");
    insta::assert_snapshot!(refused_config("zzz = 1\n"), @r"
    exit 2
    error: unknown key `zzz` at the top level

    hint: known here: `[input]`, `[rfm]`, `[features]`, `[cluster]`, `[tiers]`, `[rules]`, `[output]`, `input`, `level`, `customer`, `time`, `amount` and 60 more
    ");
}

#[test]
fn a_key_in_the_wrong_table_is_told_its_table() {
    insta::assert_snapshot!(refused_config(&format!("{INPUT}k = 3\n")), @r"
    exit 2
    error: unknown key `k` in [input]

    hint: `k` belongs in [cluster]
    ");
    insta::assert_snapshot!(refused_config(&format!("{INPUT}[cluster]\ncount = 'days'\n")), @r"
    exit 2
    error: unknown key `count` in [cluster]

    hint: `count` belongs in [rfm]
    ");
}

#[test]
fn an_unknown_key_of_a_feature_is_an_error_with_a_suggestion() {
    let found = refused_config(&format!(
        "{INPUT}[features.monetary]\nweigths = {{ view = 1 }}\n"
    ));
    assert!(
        found.starts_with("exit 2\nerror: unknown key `weigths` in [features.monetary]"),
        "{found}"
    );
    assert!(found.contains("`weights`"), "{found}");
}

#[test]
fn a_key_above_the_tables_goes_to_its_own() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir.write(
        "tiermill.toml",
        format!("k = 2\nas-of = 2024-04-11\n{INPUT}"),
    );
    workdir.tiermill("run").success();
    assert_eq!(workdir.json("tiers.json")["as_of"], "2024-04-11T00:00:00");
    assert_eq!(workdir.json("model.json")["k"], 2);
}

#[test]
fn a_key_that_stands_both_above_and_in_its_table_is_an_error() {
    for text in [
        "k = 5\n[cluster]\nk = 2\n",
        "as-of = 2024-04-01\n[rfm]\nas-of = 2024-05-01\n",
    ] {
        let (above, table) = text.split_once('\n').unwrap();
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", six_customers());
        workdir.write("tiermill.toml", format!("{above}\n{INPUT}{table}"));
        let ran = workdir.tiermill("run");
        assert_eq!(ran.code, 2, "one of the two was silently dropped: {text}");
    }
}

#[test]
fn a_value_that_a_key_cannot_have_is_an_error_that_says_what_it_can() {
    let found: Vec<String> = [
        "[cluster]\nk = 1",
        "[cluster]\nk = 'many'",
        "[cluster]\nk = 2.5",
        "[cluster]\nk = 51",
        "[cluster]\nn-runs = 0",
        "[cluster]\nk-min = 5\nk-max = 3",
        "[rfm]\nwindow = '0d'",
        "[rfm]\nwindow = '1y'",
        "[rfm]\nas-of = 'yesterday'",
        "[rfm]\nas-of = '2024-02-30'",
        "[rfm]\nas-of = 12:30:00",
        "[rfm]\nrefunds = 'ignore'",
        "max-rejected = 2",
        "max-rejected = -0.1",
        "decimals = 13",
        "timezone = 'Berlin'",
        "where = 5",
        "[features]\nfeatures = ['monetary']",
        "[features]\nfeatures = ['monetary', 'monetary']",
        "[features]\nfeatures = ['monetary', 'revenue']",
        "[features.monetary]\nweight = -1",
        "[features]\nwinsorise = 0.5",
        "[tiers]\ncode-names = { 12 = { en = 'x' } }",
        "[output]\nthreads = 0",
    ]
    .iter()
    .map(|text| {
        let found = refused_config(&format!("{INPUT}{text}\n"));
        assert!(found.starts_with("exit 2\n"), "{text}: {found}");
        found.replace("exit 2\nerror: ", "").trim_end().to_owned()
    })
    .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    `k` is 1, expected `auto` or a number from 2
    `k` is "many", expected `auto` or a number from 2
    `k` is 2.5, expected `auto` or a number from 2
    `k` is 51, expected 2 to 50, or `auto`
    `n-runs` is 0, expected at least 1
    `k-max` is 3, expected k-min (5) to 50
    `window` is "0d", expected days or weeks from 1, as in `365d` or `52w`
    `window` is "1y", expected days or weeks from 1, as in `365d` or `52w`
    `as-of` is "yesterday", expected a date or time, as in `2024-01-31` or `2024-01-31T12:50`
    `as-of` is "2024-02-30", expected a date or time, as in `2024-01-31` or `2024-01-31T12:50`
    `as-of` is "12:30:00", expected a date or time, as in `2024-01-31` or `2024-01-31T12:50`
    `refunds` is "ignore", expected one of `net`, `keep`, `drop`, `reject`
    `max-rejected` is 2, expected a share from 0 to 1, as in `0.01` or `1%`
    `max-rejected` is -0.1, expected a share from 0 to 1, as in `0.01` or `1%`
    `decimals` is 13, expected 0 to 12
    `timezone` is "Berlin", expected a zone such as `Europe/Berlin` or `UTC`
    `where` is 5, expected a text in quotes
    `features` is [monetary], expected at least two features
    `features` is `monetary` twice, expected each feature once
    `features` is ["monetary", "revenue"], expected one of `recency_days`, `frequency`, `monetary`, `tenure_days`, `aov`
    `monetary.weight` is -1, expected 0.000001 to 1000000
    `winsorise` is 0.5, expected a share below 0.5
    `code-names` is `12`, expected codes from `000` to `111`
    `threads` is 0, expected 1 to 1024
    "#);
}

#[test]
fn what_is_expected_of_a_value_is_said_in_words_and_not_in_types_of_rust() {
    for text in [
        "[cluster]\nseed = -1",
        "[cluster]\nseed = 1.5",
        "level = 3",
        "[features]\nfeatures = 3",
    ] {
        let found = refused_config(&format!("{INPUT}{text}\n"));
        for jargon in [
            "u64", "usize", "i64", "enum", "variant", "untagged", "struct",
        ] {
            assert!(!found.contains(jargon), "{found}");
        }
    }
    let found = refused_config("input = 5\ncustomer = 'customer'\ntime = 'date'\n");
    assert!(
        !found.contains("untagged") && !found.contains("OneOrMany"),
        "{found}"
    );
}

#[test]
fn a_config_that_is_not_toml_shows_the_place() {
    insta::assert_snapshot!(refused_config("customer = customer\n"), @r"
    exit 2
    error: `tiermill.toml` is not valid TOML
      Caused by: TOML parse error at line 1, column 12
      |
    1 | customer = customer
      |            ^^^^^^^^
    string values must be quoted, expected literal string
    ");
    insta::assert_snapshot!(refused_config("[cluster]\nk = 3\nk = 4\n"), @r"
    exit 2
    error: `tiermill.toml` is not valid TOML
      Caused by: TOML parse error at line 3, column 1
      |
    3 | k = 4
      | ^
    duplicate key
    ");
}

#[test]
fn a_setting_without_default_that_is_missing_says_how_to_set_it() {
    insta::assert_snapshot!(refused_config("input = 'x.parquet'\ncustomer = 'customer'\n"), @r"
    exit 2
    error: `time` is not set

    hint: pass `--time COLUMN`, or set it in tiermill.toml; `tiermill init PATH` guesses it from a Parquet input
    ");
    let workdir = Workdir::new();
    insta::assert_snapshot!(refused(&workdir, "run"), @r"
    exit 2
    error: `input` is not set

    hint: pass `--input FILE|FOLDER|GLOB`, or set it in tiermill.toml; `tiermill init PATH` guesses it from a Parquet input
    ");
    insta::assert_snapshot!(refused(&workdir, "run --config nowhere.toml"), @r"
    exit 2
    error: cannot read the config `nowhere.toml`
      Caused by: No such file or directory (os error 2)

    hint: `tiermill init PATH` writes a config for a Parquet input
    ");
}

#[test]
fn settings_that_contradict_each_other_are_both_named() {
    let found: Vec<String> = [
        "--count rows --order invoice",
        "--event kind",
        "--level customers",
        "--tier-names gold,silver",
        "--k 3 --tier-names gold,silver",
        "--k 2 --tier-names gold,gold",
    ]
    .iter()
    .map(|flags| {
        let workdir = Workdir::new();
        workdir.parquet("x.parquet", six_customers());
        let found = refused(
            &workdir,
            &format!("run --input x.parquet {COLUMNS} {flags}"),
        );
        assert!(found.starts_with("exit 2\n"), "{flags}: {found}");
        format!("{flags}\n{}", found.replace("exit 2\n", ""))
    })
    .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    --count rows --order invoice
    error: `count = "rows"` and `order` cannot go together

    hint: drop `order` to count rows, or set `count = "orders"`

    --event kind
    error: `weights` is not set

    hint: say what each event is worth: `[features.monetary] weights = { view = 1, comment = 5 }`

    --level customers
    error: `time` and `level = "customers"` cannot go together

    hint: a ready customer table has no orders; drop `time`, or `level`

    --tier-names gold,silver
    error: `tier-names` and `k = "auto"` cannot go together

    hint: set `k` to the number of names, or name codes instead with `[tiers.code-names]`

    --k 3 --tier-names gold,silver
    error: `tier-names` is 2 names, expected 3, one for each tier

    --k 2 --tier-names gold,gold
    error: `tier-names` is `gold` twice, expected each name once
    "#);
}

#[test]
fn a_flag_that_cannot_be_is_refused_by_the_command_line() {
    let workdir = Workdir::new();
    for flags in [
        "--k 1",
        "--k many",
        "--window 0d",
        "--window 1y",
        "--max-rejected 2",
        "--refunds ignore",
        "--as-of 2024-13-01",
        "--decimals 13",
        "--timezone Berlin",
        "--threads 0",
        "--seed -1",
        "--no-such-flag",
    ] {
        let found = refused(
            &workdir,
            &format!("run --input x.parquet {COLUMNS} {flags}"),
        );
        assert!(found.starts_with("exit 2\nerror: "), "{flags}: {found}");
    }
    insta::assert_snapshot!(refused(&workdir, "run --refunds ignore"), @r"
    exit 2
    error: invalid value 'ignore' for '--refunds <POLICY>'
      [possible values: net, keep, drop, reject]

    For more information, try '--help'.
    ");
}

// Where the results go.

#[test]
fn a_folder_of_something_else_is_not_written_to() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir.write("photos/cat.jpg", "a cat");
    let ran = workdir.tiermill(&format!("run --input x.parquet {COLUMNS} --out photos"));
    insta::assert_snapshot!(ran.problem(), @r"
    exit 1
    error: `photos` is not empty and was not made by tiermill

    hint: it holds `cat.jpg`; give `--out` a new or empty folder
    ");
    assert_eq!(files(&workdir.join("photos")), ["cat.jpg"]);
}

#[test]
fn an_out_that_is_a_file_is_called_a_file() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir.write("results", "precious");
    let found = workdir
        .tiermill(&format!("run --input x.parquet {COLUMNS} --out results"))
        .problem();
    assert!(
        found.starts_with("exit 1\nerror: `results` is a file"),
        "{found}"
    );
    assert_eq!(std::fs::read(workdir.join("results")).unwrap(), b"precious");
}

#[test]
fn an_out_that_cannot_be_made_is_an_error_before_anything_is_read() {
    let workdir = Workdir::new();
    workdir.write("results", "precious");
    // The input does not exist: it would be the error, were it looked at first.
    let run = format!("run --input nowhere.parquet {COLUMNS} --out");
    insta::assert_snapshot!(workdir.tiermill(&format!("{run} results/today")).problem(), @r"
    exit 1
    error: cannot create the folder `results/today`
      Caused by: Not a directory (os error 20)
    ");
    let found = workdir
        .tiermill(&format!("{run} /proc/tiermill/out"))
        .problem();
    assert!(
        found.starts_with("exit 1\nerror: cannot create the folder `/proc/tiermill/out`"),
        "{found}"
    );
}

#[test]
fn a_folder_that_another_run_is_writing_to_is_left_alone() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    let run = format!("run --input x.parquet {COLUMNS} --k 2");
    workdir.tiermill(&run).success();
    let before = (
        files(&workdir.join("out")),
        files(&workdir.join("out/runs")),
    );
    let lock = File::options()
        .write(true)
        .open(workdir.join("out/.tiermill"))
        .unwrap();
    lock.lock().unwrap();
    // What the other run is writing is not to be swept up.
    workdir.write("out/runs/.staging-1/tiers.json", "{");
    insta::assert_snapshot!(workdir.tiermill(&run).problem(), @r"
    exit 1
    error: another tiermill is writing to `out`

    hint: wait for it to end, or give another `--out`
    ");
    std::fs::remove_dir_all(workdir.join("out/runs/.staging-1")).unwrap();
    assert_eq!(
        (
            files(&workdir.join("out")),
            files(&workdir.join("out/runs"))
        ),
        before
    );
    drop(lock);
    workdir.tiermill(&run).success();
}

#[test]
fn of_first_runs_at_once_one_writes_and_the_others_are_told_so() {
    for _ in 0..100 {
        let workdir = Workdir::new();
        let (out, begin) = (workdir.join("out"), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    begin.wait();
                    match RunFolder::open(&out) {
                        Ok(_) | Err(Error::OutBusy { .. }) => {}
                        Err(other) => panic!("{other}: {:?}", other.hint()),
                    }
                });
            }
        });
    }
}

#[test]
fn what_a_killed_run_left_behind_is_swept_up_by_the_next() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    let run = format!("run --input x.parquet {COLUMNS} --k 2");
    workdir.tiermill(&run).success();
    workdir.write("out/runs/.staging-1/tiers.json", "{");
    workdir.tiermill(&run).success();
    assert!(!workdir.join("out/runs/.staging-1").exists());
    assert_eq!(files(&workdir.join("out/runs")).len(), 2);
}

/// Runs with a limit on the size of files, as a full disk is one: writing fails in the middle. What fits is 5 to 10 KiB,
/// as the shell counts.
fn with_small_disk(workdir: &Workdir, arguments: &str) -> (i32, String) {
    let script = format!(
        "trap '' XFSZ; ulimit -f 10; exec '{}' {arguments}",
        env!("CARGO_BIN_EXE_tiermill")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(workdir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let text: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.starts_with("tiermill: "))
        .collect();
    (output.status.code().unwrap_or(-1), text.join("\n"))
}

/// Orders of so many customers that their assignments do not fit on a small disk.
fn two_thousand_customers() -> DataFrame {
    let ids: Vec<i64> = (0..2_000).collect();
    let days: Vec<i32> = ids
        .iter()
        .map(|id| 19_700 + (id * 7_919 % 365) as i32)
        .collect();
    let amounts: Vec<f64> = ids
        .iter()
        .map(|id| (id * 104_729 % 100_003) as f64 / 100.0)
        .collect();
    let table = df!("customer" => ids, "date" => days, "amount" => amounts);
    with_type(table.unwrap(), "date", &DataType::Date)
}

#[test]
fn a_full_disk_publishes_nothing_and_leaves_the_run_before() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", two_thousand_customers());
    let run = format!("run --input x.parquet {COLUMNS} --k 2");
    let (code, stderr) = with_small_disk(&workdir, &run);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.starts_with("error: cannot write `out/runs/"),
        "{stderr}"
    );
    nothing_published(&workdir.join("out"));

    workdir.tiermill(&format!("{run} --window 7d")).success();
    let before = state(&workdir.join("out"));
    let (code, stderr) = with_small_disk(&workdir, &run);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(state(&workdir.join("out")), before);
    // The limit was the only fault.
    workdir.tiermill(&run).success();
}

#[test]
fn a_full_disk_is_not_called_a_damaged_file() {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", two_thousand_customers());
    let (_, stderr) = with_small_disk(&workdir, &format!("run --input x.parquet {COLUMNS} --k 2"));
    assert!(stderr.contains("File too large"), "{stderr}");
    assert!(!stderr.contains("out of specification"), "{stderr}");
}

#[test]
fn a_full_disk_leaves_the_file_that_was_to_be_replaced() {
    let workdir = Workdir::new();
    workdir.tiermill("man pages").success();
    let pages = || -> Vec<(String, Vec<u8>)> {
        let names = files(&workdir.join("pages")).into_iter();
        names
            .map(|name| {
                (
                    name.clone(),
                    std::fs::read(workdir.join("pages").join(name)).unwrap(),
                )
            })
            .collect()
    };
    let new = pages();
    for (name, _) in &new {
        workdir.write(&format!("pages/{name}"), "mine");
    }
    let (code, stderr) = with_small_disk(&workdir, "man pages");
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.starts_with("error: cannot write `pages/tiermill-"),
        "{stderr}"
    );
    let left = pages();
    assert_eq!(left.len(), new.len());
    for (left, new) in left.iter().zip(&new) {
        assert!(left == new || left.1 == b"mine", "{}", left.0);
    }
}

#[test]
fn a_full_disk_leaves_no_generated_orders() {
    for arguments in [
        // The orders do not fit; or they do, and the truth about them does not.
        "generate --customers 3000 --days 31 --seed 1 --out orders",
        "generate --customers 500 --days 700 --seed 1 --out orders",
    ] {
        let workdir = Workdir::new();
        let (code, stderr) = with_small_disk(&workdir, arguments);
        assert_eq!(code, 1, "{stderr}");
        assert_eq!(files(workdir.path()), Vec::<String>::new(), "{arguments}");
    }
}

/// Every file under a folder with its size and its inode, and where `current` points.
fn state(folder: &Path) -> Vec<(PathBuf, u64, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let data = path.symlink_metadata().unwrap();
            if data.is_symlink() {
                found.push((path.read_link().unwrap(), 0, 0));
            } else if data.is_dir() {
                folders.push(path);
            } else {
                found.push((path, data.len(), data.ino()));
            }
        }
    }
    found.sort();
    found
}

// Models.

/// A folder with orders and a model of them in `model.json`.
fn fitted() -> (Workdir, Value) {
    let workdir = Workdir::new();
    workdir.parquet("x.parquet", six_customers());
    workdir
        .tiermill(&format!(
            "fit --input x.parquet {COLUMNS} --k 2 --out models"
        ))
        .success();
    let run = files(&workdir.join("models/runs"));
    let model =
        std::fs::read(workdir.join("models/runs").join(&run[0]).join("model.json")).unwrap();
    workdir.write("model.json", &model);
    (workdir, serde_json::from_slice(&model).unwrap())
}

#[track_caller]
fn refused_model(workdir: &Workdir, flags: &str) -> String {
    refused(
        workdir,
        &format!("assign --model model.json --input x.parquet {COLUMNS} {flags}"),
    )
}

#[test]
fn a_model_fits_the_config_that_it_was_fitted_with() {
    let (workdir, _) = fitted();
    let assign = format!("assign --model model.json --input x.parquet {COLUMNS}");
    workdir
        .tiermill(&format!("{assign} --as-of 2024-05-01"))
        .success();
    assert_eq!(workdir.table("assignments.parquet").height(), 6);
    assert_eq!(workdir.json("manifest.json")["command"], "assign");
}

#[test]
fn a_model_of_a_newer_format_is_refused() {
    let (workdir, mut model) = fitted();
    model["format_version"] = json!(2);
    workdir.write("model.json", model.to_string());
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: model `model.json` has format version 2, this tiermill reads up to 1

    hint: update tiermill, or fit again with this one
    ");
    // Even where nothing else in it can be understood.
    workdir.write(
        "model.json",
        r#"{"format_version": 7, "clusters": "elsewhere"}"#,
    );
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: model `model.json` has format version 7, this tiermill reads up to 1

    hint: update tiermill, or fit again with this one
    ");
}

#[test]
fn a_model_of_other_features_is_refused() {
    let (workdir, _) = fitted();
    insta::assert_snapshot!(refused_model(&workdir, "--features recency_days,monetary"), @r"
    exit 2
    error: model `model.json` was fitted with `features` = [recency_days, frequency, monetary], the config says [recency_days, monetary]

    hint: fit again, or give the config that the model was fitted with
    ");
}

#[test]
fn a_model_that_was_fitted_under_another_config_is_refused() {
    let (workdir, _) = fitted();
    let found: Vec<String> = [
        "--transform none",
        "--scale robust",
        "--winsorise 1%",
        "--k 3",
        "--count days",
        "--recency exact",
        "--monetary mean",
        "--refunds keep",
        "--window 365d",
        "--decimals 2",
    ]
    .iter()
    .map(|flags| {
        let found = refused_model(&workdir, flags);
        assert!(found.starts_with("exit 2\n"), "{flags}: {found}");
        found.lines().nth(1).unwrap().to_owned()
    })
    .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    error: model `model.json` was fitted with `recency_days.transform` = log1p, the config says none
    error: model `model.json` was fitted with `recency_days.scale` = zscore, the config says robust
    error: model `model.json` was fitted with `recency_days.winsorise` = none, the config says 0.01
    error: model `model.json` was fitted with `k` = 2, the config says 3
    error: model `model.json` was fitted with `count` = rows, the config says days
    error: model `model.json` was fitted with `recency` = floor, the config says exact
    error: model `model.json` was fitted with `monetary` = sum, the config says mean
    error: model `model.json` was fitted with `refunds` = net, the config says keep
    error: model `model.json` was fitted with `window` = none, the config says 365d
    error: model `model.json` was fitted with `decimals` = 4, the config says 2
    "#);
    let log = "assign --model model.json --input x.parquet --customer customer --time date";
    insta::assert_snapshot!(refused(&workdir, log), @r#"
    exit 2
    error: model `model.json` was fitted with `monetary-of` = amounts, the config says rows

    hint: fit again, or give the config that the model was fitted with
    "#);
}

#[test]
fn a_broken_model_is_refused() {
    let (workdir, model) = fitted();
    let text = std::fs::read_to_string(workdir.join("model.json")).unwrap();
    workdir.write("model.json", &text[..20]);
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: `model.json` is not a tiermill model
      Caused by: EOF while parsing an object at line 2 column 18

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    workdir.write("model.json", "k = 3\n");
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: `model.json` is not a tiermill model
      Caused by: expected value at line 1 column 1

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    workdir.write("model.json", "");
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: `model.json` is not a tiermill model
      Caused by: EOF while parsing a value at line 1 column 0

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    workdir.write("model.json", r#"{"k": 3}"#);
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: `model.json` is not a tiermill model
      Caused by: missing field `format_version` at line 1 column 8

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    let mut other = model.clone();
    other["centroids"].as_array_mut().unwrap().pop();
    workdir.write("model.json", other.to_string());
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: model `model.json` has 1 centroids, expected 2

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    let mut other = model.clone();
    other["centroids"][0].as_array_mut().unwrap().pop();
    workdir.write("model.json", other.to_string());
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: model `model.json` has 2 coordinates in a centroid, expected 3

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
    let mut other = model;
    other["features"][0]["spread"] = json!(0.0);
    workdir.write("model.json", other.to_string());
    insta::assert_snapshot!(refused_model(&workdir, ""), @r"
    exit 1
    error: model `model.json` has 1 features without a finite center and a spread above 0, expected 0

    hint: `--model` takes the model.json of a run or of `tiermill fit`
    ");
}

#[test]
fn a_missing_model_is_named() {
    let (workdir, _) = fitted();
    insta::assert_snapshot!(
        refused(&workdir, &format!("assign --model nowhere.json --input x.parquet {COLUMNS}")),
        @r"
    exit 1
    error: no such file or folder: `nowhere.json`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    "
    );
    insta::assert_snapshot!(refused(&workdir, &format!("assign --input x.parquet {COLUMNS}")), @r"
    exit 2
    error: the following required arguments were not provided:
      --model <FILE>

    Usage: tiermill assign --model <FILE> --input <PATH>... --customer <COLUMN> --time <COLUMN> --amount <COLUMN|SQL>

    For more information, try '--help'.
    ");
}
