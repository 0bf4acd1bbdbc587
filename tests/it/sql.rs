//! A model as SQL: the text of each dialect, names that are no code, and what is refused.
//!
//! That the queries give the tiers of the run is checked from outside (tests/outside/check_sql.py), where engines are.

use insta::assert_snapshot;

use crate::support::{COLUMNS, Workdir, customers_table, orders, six_customers};

const DIALECTS: [&str; 6] = [
    "duckdb",
    "postgres",
    "bigquery",
    "snowflake",
    "spark",
    "polars",
];

/// A folder with the orders of six customers and a model of them.
fn fitted(flags: &str) -> Workdir {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    let command = format!("run --input orders.parquet {COLUMNS} --quiet {flags}");
    work.tiermill(&command).success();
    work
}

fn query(work: &Workdir, dialect: &str, flags: &str) -> String {
    let command = format!("sql --model out/current/model.json --dialect {dialect} {flags}");
    work.tiermill(&command).success().stdout
}

#[track_caller]
fn holds(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in\n{text}");
}

/// Parentheses that open and close outside of quotes.
#[track_caller]
fn balanced(text: &str) {
    let mut depth = 0;
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        assert!(0 <= depth, "{text}");
    }
    assert_eq!((depth, quote), (0, None), "{text}");
}

#[test]
fn each_dialect_has_its_own_words() {
    let work = fitted(
        "--k 2 --features recency_days,monetary --transform none --scale minmax --window 60d --count days",
    );
    for dialect in DIALECTS {
        let text = query(&work, dialect, &format!("--table orders {COLUMNS}"));
        assert_snapshot!(format!("sql_{dialect}"), text);
    }
}

#[test]
fn midnights_of_a_zone_are_said_by_every_dialect_that_has_zones() {
    let work = fitted("--k 2 --timezone Europe/Berlin --recency calendar");
    let flags = format!("--table orders {COLUMNS} --time-type timestamptz");
    for (dialect, day) in [
        (
            "duckdb",
            "TIMEZONE('Europe/Berlin', TIMEZONE('UTC', MAKE_TIMESTAMP(",
        ),
        (
            "postgres",
            "AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' AS DATE)",
        ),
        ("bigquery", "UNIX_DATE(DATE(TIMESTAMP_MICROS("),
        ("snowflake", "CONVERT_TIMEZONE('UTC', 'Europe/Berlin', "),
        ("spark", "FROM_UTC_TIMESTAMP(TIMESTAMP_MICROS("),
    ] {
        let text = query(&work, dialect, &flags);
        balanced(&text);
        holds(&text, day);
    }
    let ran = work.tiermill(&format!(
        "sql --model out/current/model.json --dialect polars {flags}"
    ));
    assert_snapshot!(ran.problem(), @r"
    exit 2
    error: midnights of a zone cannot be said in the SQL of polars

    hint: convert the times to wall clock before they are registered, or use another dialect
    ");
    // Without a word on the column nobody knows whose midnights count.
    let ran = work.tiermill(&format!(
        "sql --model out/current/model.json --dialect duckdb --table orders {COLUMNS}"
    ));
    assert_snapshot!(ran.problem(), @r"
    exit 2
    error: `time-type` is not set

    hint: with a zone it matters whether times have one: `--time-type timestamptz` for instants, `timestamp` for the wall clock
    ");
    // The input says it: dates have no zone.
    let text = query(
        &work,
        "polars",
        &format!("--table orders {COLUMNS} --input orders.parquet"),
    );
    assert!(!text.contains("Berlin"), "{text}");
}

#[test]
fn every_method_can_be_said_in_every_dialect() {
    let eight = "--k 2 --rules eight";
    for (flags, parts) in [
        (
            "--k 3",
            ["LEAST(d_1, d_2, d_3) AS best", "WHEN d_3 = best THEN 3"],
        ),
        (
            "--method breaks",
            ["AS band_monetary", "WHEN cell = 7 THEN "],
        ),
        (
            "--algorithm gmm --k 2",
            ["GREATEST(d_1, d_2) AS best", "- 5e-1 * ("],
        ),
        (eight, ["AS segment", "r_score = 2 "]),
        ("--k 2 --transform yeo-johnson", ["EXP(", "- 1e0) /"]),
        (
            "--k 2 --scale quantile --winsorise 0.1",
            ["LEAST(GREATEST(", "t_monetary >= "],
        ),
        (
            "--k 2 --features recency_days,tenure_days,aov",
            ["AS tenure_days", "AS aov"],
        ),
        (
            "--k 2 --recency exact --refunds keep",
            ["86400000000e0", "COUNT(time_us) AS frequency"],
        ),
    ] {
        let work = fitted(flags);
        for dialect in DIALECTS {
            let text = query(
                &work,
                dialect,
                &format!("--table orders {COLUMNS} --as-of 2024-04-01"),
            );
            balanced(&text);
            for part in parts {
                holds(&text, part);
            }
        }
    }
}

#[test]
fn names_that_look_like_code_stay_names() {
    let work = fitted("--k 2");
    let name = "'; drop table x -- \"`\\";
    for (dialect, table, column) in [
        (
            "duckdb",
            r#"FROM "a""b" AS"#,
            r#""'; drop table x -- ""`\" AS customer"#,
        ),
        (
            "postgres",
            r#"FROM "a""b" AS"#,
            r#""'; drop table x -- ""`\" AS customer"#,
        ),
        (
            "snowflake",
            r#"FROM "a""b" AS"#,
            r#""'; drop table x -- ""`\" AS customer"#,
        ),
        (
            "polars",
            r#"FROM "a""b" AS"#,
            r#""'; drop table x -- ""`\" AS customer"#,
        ),
        (
            "bigquery",
            r#"FROM `a"b` AS"#,
            r#"`'; drop table x -- "\`\\` AS customer"#,
        ),
        (
            "spark",
            r#"FROM `a"b` AS"#,
            r#"`'; drop table x -- "``\` AS customer"#,
        ),
    ] {
        let arguments = [
            "sql",
            "--model",
            "out/current/model.json",
            "--dialect",
            dialect,
            "--table",
            "a\"b",
            "--customer",
            name,
            "--time",
            "select",
            "--amount",
            "amount",
        ];
        let ran = work
            .tiermill_with(&arguments.map(str::to_owned), &[])
            .success();
        holds(&ran.stdout, table);
        holds(&ran.stdout, column);
        let quote = if ["bigquery", "spark"].contains(&dialect) {
            '`'
        } else {
            '"'
        };
        holds(&ran.stdout, &format!("{quote}select{quote}"));
    }
    // Plain words stay plain where quotes would keep them from an upper-case column.
    let text = query(
        &work,
        "snowflake",
        "--table SALES.orders --customer customer_id --time order --amount Amount",
    );
    holds(&text, "FROM SALES.orders AS orders_table");
    holds(&text, "customer_id AS customer");
    holds(&text, r#"CAST("Amount" AS DOUBLE)"#);
    holds(&text, r#""order""#);
}

#[test]
fn names_of_tiers_and_segments_are_texts() {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    work.write(
        "tiermill.toml",
        "input = 'orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\n\
         [tiers]\ntier-names = [\"it's \\\\ top\", 'rest']\n\
         [[rules.segments]]\nname = \"o'clock\"\nrecency_days = '<= 30'\n\
         [[rules.segments]]\nname = 'late'\nrecency_days = '> 30'\n",
    );
    work.tiermill("run --quiet").success();
    let text = query(&work, "duckdb", "--table orders");
    holds(&text, r"WHEN tier = 1 THEN 'it''s \ top'");
    holds(&text, "WHEN recency_days <= 30e0 THEN 'o''clock'");
    let text = query(&work, "bigquery", "--table orders");
    holds(&text, r"WHEN tier = 1 THEN 'it\'s \\ top'");
    holds(&text, r"WHEN recency_days <= 30e0 THEN 'o\'clock'");
}

#[test]
fn what_the_model_was_fitted_with_holds() {
    let work = fitted(
        "--k 2 --window 60d --refunds drop --deduplicate --where 'amount < 90' --decimals 2",
    );
    let text = query(
        &work,
        "duckdb",
        "--table orders --customer c --time t --amount a --as-of 2024-04-01",
    );
    for part in [
        "SELECT DISTINCT",
        r#"WHERE ("amount" < 90)"#,
        "units >= 0",
        "ROUND((amount * 100e0))",
        // 2024-04-01 and 60 days before, in microseconds.
        "time_us < 1711929600000000",
        "time_us >= 1706745600000000",
    ] {
        holds(&text, part);
    }
    let refused = work.tiermill(&format!(
        "sql --model out/current/model.json --dialect duckdb --table orders {COLUMNS} --window 30d"
    ));
    assert_snapshot!(refused.problem(), @r"
    exit 2
    error: model `out/current/model.json` was fitted with `window` = 60d, the config says 30d

    hint: fit again, or give the config that the model was fitted with
    ");
    let refused = work.tiermill(&format!(
        "sql --model out/current/model.json --dialect duckdb --table orders {COLUMNS} --transform none"
    ));
    assert_snapshot!(refused.problem(), @r"
    exit 2
    error: model `out/current/model.json` was fitted with `recency_days.transform` = log1p, the config says none

    hint: fit again, or give the config that the model was fitted with
    ");
}

#[test]
fn a_column_whose_name_looks_like_arithmetic_is_a_column() {
    let work = Workdir::new();
    let mut frame = six_customers();
    frame.rename("amount", "net-amount".into()).unwrap();
    work.parquet("orders.parquet", frame);
    let columns = "--customer customer --time date --amount net-amount";
    work.tiermill(&format!(
        "run --input orders.parquet {columns} --k 2 --quiet"
    ))
    .success();
    let sql =
        format!("sql --model out/current/model.json --dialect duckdb --table orders {columns}");
    let known = work
        .tiermill(&format!("{sql} --input orders.parquet"))
        .success();
    holds(&known.stdout, "\"net-amount\"");
    // Nobody has seen the columns: then it is what it looks like.
    let unknown = work.tiermill(&sql).success().stdout;
    assert!(!unknown.contains("\"net-amount\""), "{unknown}");
}

#[test]
fn columns_that_the_model_needs_are_asked_for() {
    let work = Workdir::new();
    let mut frame = six_customers();
    let ids: Vec<i64> = (0..frame.height() as i64).collect();
    frame
        .with_column(polars::prelude::Column::new("no".into(), ids))
        .unwrap();
    work.parquet("orders.parquet", frame);
    work.tiermill(&format!(
        "run --input orders.parquet {COLUMNS} --order no --k 2 --quiet"
    ))
    .success();
    let sql = "sql --model out/current/model.json --dialect duckdb --table orders";
    let said = |flags: &str| work.tiermill(&format!("{sql} {flags}")).problem();
    assert_snapshot!(said("--customer customer --time date --order no"), @r"
    exit 2
    error: `amount` is not set

    hint: the model was fitted with one: name the column with `--amount COLUMN`
    ");
    assert_snapshot!(said(COLUMNS), @r"
    exit 2
    error: `order` is not set

    hint: the model was fitted with one: name the column with `--order COLUMN`
    ");
    assert_snapshot!(said("--time date --amount amount --order no"), @r"
    exit 2
    error: `customer` is not set

    hint: pass `--customer COLUMN`, or set it in tiermill.toml; `tiermill init PATH` guesses it from a Parquet input
    ");
    assert_snapshot!(said("--customer tier --time date --amount amount --order no"), @r#"
    exit 2
    error: `customer = "tier"` and the column `tier` of assignments.parquet cannot go together

    hint: rename the customer column in the input
    "#);
    let text = query(
        &work,
        "duckdb",
        &format!("--table orders {COLUMNS} --order no"),
    );
    holds(&text, r#""no" AS order_id"#);
    holds(
        &text,
        "COUNT(DISTINCT CASE WHEN units >= 0 THEN order_id END) AS frequency",
    );
}

#[test]
fn what_a_dialect_cannot_say_is_refused_with_a_way_around_it() {
    let work = fitted("--k 2 --where 'amount % 2 < 5'");
    let sql = |flags: &str| {
        let command = format!("sql --model out/current/model.json {COLUMNS} {flags}");
        work.tiermill(&command).problem()
    };
    assert_snapshot!(sql("--dialect duckdb --table orders"), @r#"
    exit 2
    error: the `%` of `where = "amount % 2 < 5"` cannot be said in the SQL of duckdb

    hint: of whole numbers it means something else in each engine: multiply instead, or compute the column in a view
    "#);
    assert_snapshot!(sql("--dialect duckdb --table 'f(a); drop'"), @r"
    exit 2
    error: `table` is `f(a); drop`, where `;` is out of place, expected one expression, without a comment
    ");
    assert!(sql("--dialect oracle --table orders").starts_with("exit 2\n"));
    let work = fitted("--k 2");
    let by_text = format!(
        "sql --model out/current/model.json {COLUMNS} --time-type text --table orders --dialect"
    );
    assert_snapshot!(work.tiermill(&format!("{by_text} polars")).problem(), @r"
    exit 2
    error: a time column of text cannot be said in the SQL of polars

    hint: cast it to Datetime before it is registered
    ");
    assert_eq!(work.tiermill(&format!("{by_text} spark")).code, 0);
    assert_snapshot!(work.tiermill(&format!("sql --model none.json --dialect duckdb --table t {COLUMNS}")).problem(), @r"
    exit 1
    error: no such file or folder: `none.json`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    ");
}

#[test]
fn a_ready_customer_table_needs_no_orders() {
    let work = Workdir::new();
    let rows = [
        (3.0, 9, 90.0),
        (40.0, 2, 15.5),
        (200.0, 1, 5.0),
        (5.0, 7, 70.0),
    ];
    work.parquet("customers.parquet", customers_table(&rows));
    work.tiermill("run --input customers.parquet --level customers --customer id --as-of 2024-01-31 --k 2 --quiet")
        .success();
    for dialect in DIALECTS {
        let text = query(
            &work,
            dialect,
            "--table ready --customer id --recency-column since",
        );
        balanced(&text);
        holds(&text, "recency_days >= 0e0");
        holds(&text, "since");
        assert!(!text.contains("time_us"), "{text}");
    }
}

#[test]
fn events_are_worth_their_weight() {
    let work = Workdir::new();
    work.parquet(
        "orders.parquet",
        orders(&[
            ("a", "2024-01-01", 1.0),
            ("b", "2024-01-05", 1.0),
            ("c", "2024-01-09", 1.0),
        ]),
    );
    let frame = crate::support::with_type(
        six_customers(),
        "amount",
        &polars::prelude::DataType::String,
    );
    work.parquet("events.parquet", frame);
    work.write(
        "tiermill.toml",
        "[features.monetary]\nweights = { \"5.25\" = 2, \"it's\" = 0.5 }\n",
    );
    work.tiermill("run --input events.parquet --customer customer --time date --event amount --k 2 --quiet --features recency_days,frequency")
        .success();
    let text = query(
        &work,
        "postgres",
        "--table events --customer customer --time date --event kind",
    );
    holds(
        &text,
        r#"WHEN CAST("kind" AS VARCHAR) = '5.25' THEN 2e0 WHEN CAST("kind" AS VARCHAR) = 'it''s' THEN 5.0000000000000000e-1 ELSE 0e0 END"#,
    );
}
