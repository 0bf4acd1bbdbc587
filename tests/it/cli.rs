//! The binary as people and programs meet it: help, tables, JSON, colours, pipes, completions, init and generate.

use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use polars::prelude::*;
use serde_json::{Value, json};

use crate::support::{COLUMNS, Ran, Workdir, customers_table, read, repository, six_customers};

/// A folder with the orders of six customers.
fn six() -> Workdir {
    let work = Workdir::new();
    work.parquet("orders.parquet", six_customers());
    work
}

/// Flags for them, after a command.
fn flags() -> String {
    format!("--input orders.parquet {COLUMNS} --as-of 2024-04-01")
}

/// The fingerprint of a run in a snapshot.
fn filtered(check: impl FnOnce()) {
    insta::with_settings!({ filters => vec![(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}", "[RUN]")] }, { check() });
}

/// Stdout as the one JSON document that it has to be.
#[track_caller]
fn document(ran: &Ran) -> Value {
    let mut documents = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<Value>();
    let first = documents
        .next()
        .unwrap()
        .unwrap_or_else(|error| panic!("{error}:\n{}", ran.stdout));
    assert!(
        documents.next().is_none(),
        "more than one document:\n{}",
        ran.stdout
    );
    first
}

/// Asserts that a JSON object has these keys, separated by spaces; more may be added.
#[track_caller]
fn has_keys(value: &Value, keys: &str) {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    for key in keys.split(' ') {
        let there: Vec<&String> = object.keys().collect();
        assert!(object.contains_key(key), "no `{key}` in {there:?}");
    }
}

const COMMANDS: [&str; 16] = [
    "init",
    "check",
    "run",
    "fit",
    "assign",
    "compare",
    "backtest",
    "calibrate",
    "config",
    "maps",
    "rules",
    "report",
    "sql",
    "generate",
    "completions",
    "man",
];

#[test]
fn the_front_page_says_what_to_do_first_and_every_night() {
    let work = Workdir::new();
    let ran = work.tiermill("--help").success();
    assert_snapshot!(ran.answer(), @r#"
    Turns a table of orders into customer tiers, every night, unattended

    Usage: tiermill <COMMAND>

    Commands:
      init         Look at a Parquet input, guess the columns, write a commented config
      check        Check config and data without modelling: what would be rejected, and why
      run          The nightly job: load, find tiers, assign, publish
      fit          Fit a model and publish it without assignments
      assign       Give every customer a tier of a saved model
      compare      Hold two tierings of the same customers against each other
      backtest     Make tiers as of a day in the past, and judge them by what came after
      calibrate    Cut points of each dimension, how sure they are, and the clusters as rules
      config       Print the effective config as TOML that can be fed back
      maps         List the built-in segment maps, show one, or prove one whole
      rules        Work with rule files: freeze their cut points
      report       Make the page of a published run again, with a backtest or charts if asked
      sql          Print a model as SQL: orders in, the tier of every customer out
      generate     Make orders with a known truth, any size
      completions  Print completions for a shell
      man          Print the man page, or write one per command into a folder
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    First time:
      tiermill init orders.parquet        guesses the columns, writes tiermill.toml
      tiermill check                      what would be rejected, and why
      tiermill run                        the nightly job

    Every night:
      tiermill run --quiet --config /etc/tiermill.toml || alert "tiermill: exit $?"

    Fit once, assign often:
      tiermill fit --k 5 --out models
      tiermill assign --model models/runs/<run>/model.json

    Exit codes:
      0 done
      1 the data or the run failed
      2 command line or config
      3 a data-quality limit was broken, nothing published
    "#);
    assert_eq!(ran.stderr, "");
    let short = work.tiermill("-h").success();
    assert_eq!(short.stdout, ran.stdout);
}

#[test]
fn the_help_of_run_has_its_headings_and_examples_and_no_notes_of_ours() {
    let help = Workdir::new().tiermill("run --help").success().stdout;
    let headings = [
        "Input:",
        "Recency, frequency, monetary:",
        "Features:",
        "Clusters:",
        "Tiers:",
        "Rules:",
        "Output:",
    ];
    let found: Vec<&str> = help
        .lines()
        .filter(|line| headings.contains(line))
        .collect();
    assert_eq!(found, headings);
    assert!(
        help.starts_with("The nightly job: load, find tiers, assign, publish\n"),
        "{help}"
    );
    let example = help
        .lines()
        .any(|line| line.trim_start().starts_with("tiermill run --"));
    assert!(example, "no example:\n{help}");
}

#[test]
fn the_help_of_every_job_says_what_holds_when_nobody_says_otherwise() {
    let work = Workdir::new();
    for command in ["check", "run", "fit", "assign", "config"] {
        let help = work.tiermill(&format!("{command} -h")).success().stdout;
        let words: Vec<&str> = help.split_whitespace().collect();
        let help = words.join(" ");
        for setting in [
            "Share of faulty rows above which nothing is published [default: 0.01]",
            "Columns of the feature matrix [default: recency_days,frequency,monetary]",
            "Restarts, of which the best is kept [default: 10]",
            "that is believed [default: 30d]",
            "Folder that receives the runs [default: out]",
            "Count exact duplicate rows once [default: false]",
        ] {
            assert!(help.contains(setting), "{command}: {setting}: {help}");
        }
    }
}

#[test]
fn examples_are_indented_from_the_first_line() {
    let work = Workdir::new();
    for command in ["init", "config"] {
        let help = work.tiermill(&format!("{command} --help")).success().stdout;
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        let first = format!("  tiermill {command} ");
        assert!(examples.starts_with(&first), "{command}: {examples}");
        assert!(!help.contains("> tiermill.toml"), "{help}");
    }
}

#[test]
fn examples_fit_a_terminal_of_80_columns() {
    let work = Workdir::new();
    let mut faults = Vec::new();
    for (command, from) in [
        ("", "First time"),
        ("run", "With a config"),
        ("config", "Examples"),
        ("init", "Examples"),
        ("generate", "The truth stands"),
        ("maps", "Examples"),
        ("rules freeze", "Examples"),
    ] {
        let help = work.tiermill(&format!("{command} --help")).success().stdout;
        let tail: Vec<&str> = help
            .lines()
            .skip_while(|line| !line.starts_with(from))
            .collect();
        assert!(
            !tail.is_empty(),
            "`{command} --help` no longer says `{from}`"
        );
        // What is longer is broken wherever it happens to be, also in the middle of a command.
        faults.extend(
            tail.into_iter()
                .filter(|line| 80 < line.chars().count())
                .map(str::to_owned),
        );
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn no_help_shows_a_comment_that_is_meant_for_programmers() {
    let work = Workdir::new();
    for command in COMMANDS {
        let help = work.tiermill(&format!("{command} --help")).success();
        for leak in [
            "`[input]`",
            "`[rfm]`",
            "`[output]`",
            "Arguments of",
            "DESIGN",
            "Options::",
            "What every job takes",
        ] {
            assert!(!help.stdout.contains(leak), "{command}: {leak}");
        }
        assert!(
            help.stdout.contains(&format!("Usage: tiermill {command}")),
            "{}",
            help.stdout
        );
        assert_eq!(help.stderr, "");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ran = Workdir::new().tiermill("--version").success();
    assert_eq!(
        ran.stdout,
        concat!("tiermill ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_was_wrong() {
    let work = six();
    for (arguments, said) in [
        ("", "Usage: tiermill <COMMAND>"),
        ("rum", "a similar subcommand exists: 'run'"),
        ("run --bogus", "unexpected argument '--bogus' found"),
        ("run --custmer x", "a similar argument exists: '--customer'"),
        (
            "run --k 1",
            "invalid value '1' for '--k <auto|N>': expected `auto` or a number from 2",
        ),
        (
            "run --transform log",
            "[possible values: log1p, none, yeo-johnson]",
        ),
        ("assign", "--model <FILE>"),
        ("init", "<PATH>..."),
        ("generate", "--out <DIR>"),
        (
            "completions tcsh",
            "[possible values: bash, elvish, fish, powershell, zsh]",
        ),
        ("run", "`input` is not set"),
    ] {
        let ran = work.tiermill(arguments);
        assert_eq!(ran.code, 2, "{arguments}: {}", ran.stderr);
        assert_eq!(
            ran.stdout, "",
            "{arguments}: nothing was asked for that could be printed"
        );
        assert!(ran.stderr.contains(said), "{arguments}: {}", ran.stderr);
    }
    assert!(!work.join("out").exists());
}

#[test]
fn run_prints_tiers_rows_and_files() {
    let work = six();
    let ran = work.tiermill(&format!("run {} --k 2", flags())).success();
    filtered(|| {
        assert_snapshot!(ran.answer(), @r"
        2 tiers of 6 customers, as of 2024-04-01
        k = 2 was set.

         #  Tier            名称          Code  Customers   Share  Revenue   Share  Recency  Orders  Monetary
         1  Key value       重要价值客户  111           2  33.3 %   210.50  87.4 %      1.5     2.5    105.25
         2  General retain  一般挽留客户  000           4  66.7 %    30.25  12.6 %       46       1      7.62

        Code: recency, frequency, monetary; 1 is better than the mean of all customers. Recency (days), orders and monetary are medians.

        Rows 11 read = 11 used + 0 rejected

        Published out/runs/[RUN]
          assignments.parquet  a tier for every customer
          tiers.json           what the tiers are
          model.json           what `tiermill assign` needs
          thresholds.toml      cut points as a rule file
          thresholds.json      all cut points, with intervals
          thresholds.sql       cut points as SQL
          report.html          the page: one file, for any browser
          manifest.json        inputs, rows, timings, hashes
          rejected.parquet     rows that were not used, and why
        ");
    });
    filtered(|| {
        assert_snapshot!(ran.stderr, @r"
        tiermill: 1/5 load
        tiermill: 2/5 features
        tiermill: 3/5 cluster
        tiermill: 4/5 tiers
        tiermill: 5/5 write
        warning: customers with a total of 0 or less: 1 (1 of them 0); they stay in [net_not_positive]
        ");
    });
}

#[test]
fn check_prints_rows_by_reason() {
    let work = six();
    let ran = work
        .tiermill(&format!(
            "check {} --window 60d --refunds drop --where 'amount <> 7'",
            flags()
        ))
        .success();
    filtered(|| {
        assert_snapshot!(ran.answer(), @r"
        4 customers in 1 file, as of 2024-04-01

        Rows 11 read = 6 used + 5 rejected
         reason          rows   share
         filtered           1   9.1 %  asked for  `where` does not hold
         before_window      3  27.3 %  asked for  before the window
         refund_dropped     1   9.1 %  asked for  negative amount, dropped

        Faulty rows: 0 (0.0 %); `max-rejected` allows 1 %.
        ");
    });
    assert!(!work.join("out").exists(), "check writes nothing");
    let strict = work.tiermill(&format!("check {} --max-rejected 0.01%", flags()));
    assert!(
        strict.stdout.ends_with("`max-rejected` allows 0.01 %.\n"),
        "{}",
        strict.stdout
    );
    let clean = work.tiermill(&format!("check {}", flags())).success();
    filtered(|| {
        assert_snapshot!(clean.answer(), @r"
        6 customers in 1 file, as of 2024-04-01

        Rows 11 read = 11 used + 0 rejected

        Faulty rows: 0 (0.0 %); `max-rejected` allows 1 %.
        ");
    });
}

#[test]
fn check_tells_of_a_broken_limit_and_still_prints_the_rows() {
    let work = six();
    let ran = work.tiermill(&format!("check {} --refunds reject", flags()));
    assert_eq!(ran.code, 3);
    assert!(ran.stdout.contains("refund_rejected"), "{}", ran.stdout);
    assert_snapshot!(ran.problem(), @r"
    exit 3
    warning: customers with a total of 0 or less: 1 (1 of them 0); they stay in [net_not_positive]
    error: 1 of 11 rows rejected (9.091 %), more than `max-rejected` = 1 %: 1 refund_rejected

    hint: `tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`
    ");
    let ran = work.tiermill(&format!("check {} --refunds reject --format json", flags()));
    assert_eq!(
        (ran.code, &document(&ran)["rows"]["rejected"]),
        (3, &json!({"refund_rejected": 1}))
    );
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let work = six();
    let json = |arguments: &str| {
        document(
            &work
                .tiermill(&format!("{arguments} --format json"))
                .success(),
        )
    };
    let (report, flags) = (json(&format!("run {} --k-max 3", flags())), flags());
    has_keys(&report, "command run_id directory rows files");
    has_keys(
        &report,
        "as_of customers revenue tiers k_table k_reason warnings",
    );
    assert_eq!(
        (&report["command"], &report["customers"]),
        (&json!("run"), &json!(6))
    );
    let checked = json(&format!("check {flags}"));
    has_keys(
        &checked,
        "files as_of customers rows faults max_rejected warnings",
    );
    assert_eq!(
        json(&format!("config {flags}"))["input"]["customer"],
        "customer"
    );
    assert_eq!(json(&format!("fit {flags} --k 2"))["command"], "fit");
    let model = work.join("out/current/model.json");
    let assigned = json(&format!("assign {flags} --model {}", model.display()));
    assert_eq!(assigned["command"], "assign");
    let made = json("generate --customers 5 --out made");
    has_keys(&made, "directory files truth_table truth summary");
}

/// A published run of the six customers, with k chosen from the data.
fn published() -> Workdir {
    let work = six();
    work.tiermill(&format!("run {} --k-max 3", flags()))
        .success();
    work
}

#[test]
fn tiers_json_has_the_keys_of_the_contract() {
    let tiers = published().json("tiers.json");
    has_keys(
        &tiers,
        "as_of customers revenue tiers k_table k_reason warnings",
    );
    has_keys(&tiers["warnings"][0], "code message");
    let tier = &tiers["tiers"][0];
    has_keys(
        tier,
        "key rank code name name_zh customers customer_share revenue revenue_share",
    );
    has_keys(
        tier,
        "recency_days frequency monetary centroid centroid_scaled",
    );
    for feature in ["recency_days", "frequency", "monetary"] {
        has_keys(&tier[feature], "mean median min max");
        assert!(tier["centroid"][feature].is_number());
    }
    let quality = &tiers["k_table"][0];
    has_keys(
        quality,
        "k inertia silhouette simplified_silhouette smallest_share stability",
    );
    has_keys(quality, "calinski_harabasz davies_bouldin");
}

#[test]
fn model_json_has_the_keys_of_the_contract() {
    let model = published().json("model.json");
    has_keys(
        &model,
        "format_version tiermill_version as_of features algorithm k centroids",
    );
    has_keys(&model, "inertia n_iter converged seed customers tiers");
    has_keys(
        &model["features"][0],
        "name transform scale center spread weight winsor",
    );
    has_keys(&model["tiers"][0], "key rank name name_zh code");
}

#[test]
fn manifest_json_has_the_keys_of_the_contract() {
    let work = published();
    let manifest = work.json("manifest.json");
    has_keys(
        &manifest,
        "run_id command config inputs rows customers timings",
    );
    has_keys(&manifest, "peak_memory_bytes outputs versions seed");
    has_keys(&manifest["inputs"][0], "path bytes rows fingerprint");
    has_keys(&manifest["rows"], "read used rejected");
    has_keys(&manifest["outputs"][0], "path bytes sha256");
    let current = work.current();
    let files = "assignments.parquet manifest.json model.json rejected.parquet report.html thresholds.json thresholds.sql thresholds.toml tiers.json";
    assert_eq!(names(&current).join(" "), files);
}

#[test]
fn stderr_is_empty_when_quiet_and_all_is_well() {
    let work = six();
    // Without eve, whose total is 0, there is nothing to warn of.
    let words = |extra: &str| {
        let mut words: Vec<String> = format!("run {} --k 2 {extra}", flags())
            .split(' ')
            .map(str::to_owned)
            .collect();
        words.extend(["--where".to_owned(), "customer <> 'eve'".to_owned()]);
        work.tiermill_with(&words, &[]).success()
    };
    assert_eq!(words("--quiet").stderr, "");
    assert_eq!(words("-q").stderr, "");
    assert_ne!(words("--quiet false").stderr, "");
    assert_eq!(
        words("--deduplicate").stderr,
        "tiermill: 1/5 load\ntiermill: 2/5 features\ntiermill: 3/5 cluster\ntiermill: 4/5 tiers\ntiermill: 5/5 write\n"
    );
    let warned = work
        .tiermill(&format!("run {} --k 2 --quiet", flags()))
        .success();
    assert!(
        warned.stderr.starts_with("warning: ") && warned.stderr.ends_with(" [net_not_positive]\n"),
        "{}",
        warned.stderr
    );
}

#[test]
fn colours_are_for_terminals_and_never_against_no_color() {
    let work = six();
    let with = |variables: &[(&str, &str)]| {
        let words: Vec<String> = format!("run {} --k 2", flags())
            .split(' ')
            .map(str::to_owned)
            .collect();
        let ran = work.tiermill_with(&words, variables).success();
        (ran.stdout.contains('\x1b'), ran.stderr.contains('\x1b'))
    };
    assert_eq!(
        with(&[]),
        (false, false),
        "neither stdout nor stderr is a terminal"
    );
    assert_eq!(with(&[("CLICOLOR_FORCE", "1")]), (true, true), "asked for");
    assert_eq!(
        with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        (false, false),
        "refused"
    );
}

/// Runs a command on a terminal of its own, if this machine has `script`; what came out, as it was sent.
fn on_a_terminal(work: &Workdir, arguments: &str, no_color: bool) -> Option<String> {
    let mut command = Command::new("script");
    command.args([
        "-qec",
        &format!(
            "stty cols 120; {} {arguments}",
            env!("CARGO_BIN_EXE_tiermill")
        ),
        "/dev/null",
    ]);
    command
        .current_dir(work.path())
        .stdin(Stdio::null())
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .env_remove("CI");
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let Ok(output) = command.output() else {
        eprintln!("there is no `script` here: what a terminal shows is not checked");
        return None;
    };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    Some(shown)
}

#[test]
fn a_terminal_shows_a_bar_with_the_names_of_the_stages() {
    let work = Workdir::new();
    work.tiermill("generate --customers 1200 --out made")
        .success();
    let run = "run --input made --customer customer_id --time ordered_at --amount amount --k-max 3 --n-runs 2";
    let Some(shown) = on_a_terminal(&work, run, false) else {
        return;
    };
    for part in ["0/5", "load", "2/5", "cluster", "━"] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    assert!(!shown.contains("tiermill: 1/5"), "a bar instead of lines");
    assert!(shown.contains("\x1b[1m"), "a bold title");
    let table = shown.split("\x1b[2K").last().unwrap();
    assert!(
        table.contains(" tiers of 1,200 customers") && !table.contains("/5 "),
        "the bar is cleared away: {table:?}"
    );

    let plain = on_a_terminal(&work, run, true).unwrap();
    assert!(plain.contains("cluster"), "{plain:?}");
    for colour in ["\x1b[1m", "\x1b[36m", "\x1b[2m", "\x1b[31m", "\x1b[33m"] {
        assert!(
            !plain.contains(colour),
            "{colour:?} in spite of NO_COLOR: {plain:?}"
        );
    }
    let quiet = on_a_terminal(&work, &format!("{run} --quiet"), false).unwrap();
    assert!(
        !quiet.contains("cluster") && !quiet.contains('━'),
        "{quiet:?}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let work = six();
    for arguments in [
        format!("run {} --k 2 --quiet", flags()),
        format!("check {} --format json", flags()),
        "completions bash".to_owned(),
        "man".to_owned(),
        "run --help".to_owned(),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_tiermill"))
            .args(arguments.split(' '))
            .current_dir(work.path())
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {stderr}");
        assert!(
            !stderr.contains("panic") && !stderr.contains("error"),
            "{arguments}: {stderr}"
        );
    }
    assert!(
        work.current().join("assignments.parquet").exists(),
        "the run was published all the same"
    );
}

#[test]
fn a_report_that_cannot_be_printed_does_not_take_back_what_was_done() {
    if !Path::new("/dev/full").exists() {
        eprintln!("there is no /dev/full here: a full stdout is not checked");
        return;
    }
    let work = six();
    let into_full = |arguments: &str| {
        let script = format!(
            "exec '{}' {arguments} > /dev/full",
            env!("CARGO_BIN_EXE_tiermill")
        );
        let mut command = Command::new("sh");
        let output = command.args(["-c", &script]).current_dir(work.path());
        let output = output.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        format!("exit {}\n{stderr}", output.status.code().unwrap())
    };
    let run = format!(
        "run {} --k 2 --quiet --where \"customer <> 'eve'\"",
        flags()
    );
    filtered(|| {
        assert_snapshot!(into_full(&run), @r"
        exit 1
        error: published `out/runs/[RUN]`, but the report could not be printed to stdout
          Caused by: No space left on device (os error 28)
        ");
    });
    assert!(work.current().join("assignments.parquet").exists());
    assert_snapshot!(into_full("generate --customers 3 --out made"), @r"
    exit 1
    error: wrote `made`, but the report could not be printed to stdout
      Caused by: No space left on device (os error 28)
    ");
    assert!(work.join("made").exists());
    assert_snapshot!(into_full("config"), @r"
    exit 1
    error: the report could not be printed to stdout
      Caused by: No space left on device (os error 28)
    ");
}

#[test]
fn a_printed_config_holds_in_another_folder_too() {
    let work = six();
    let printed = work.tiermill(&format!("config {}", flags())).success();
    work.write("conf/printed.toml", &printed.stdout);
    work.tiermill("check --config conf/printed.toml").success();
    let out = format!("out = \"{}\"", work.join("out").display());
    assert!(printed.stdout.contains(&out), "{}", printed.stdout);
    let far = work.tiermill("config --input s3://shop/*.parquet");
    assert!(
        far.stdout.contains("\"s3://shop/*.parquet\""),
        "{}",
        far.stdout
    );
}

#[test]
fn config_prints_what_there_is_and_then_what_is_missing() {
    let work = Workdir::new();
    let ran = work.tiermill("config --customer who");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stdout.contains("customer = \"who\"") && ran.stdout.contains("n-runs = 10"),
        "{}",
        ran.stdout
    );
    assert_snapshot!(ran.problem(), @r"
    exit 2
    error: `input` is not set

    hint: pass `--input FILE|FOLDER|GLOB`, or set it in tiermill.toml; `tiermill init PATH` guesses it from a Parquet input
    ");
}

#[test]
fn the_config_of_the_folder_is_read_and_another_one_on_request() {
    let work = six();
    work.write("tiermill.toml", "input = 'orders.parquet'\ncustomer = 'customer'\ntime = 'date'\namount = 'amount'\nk = 2\n");
    work.write("conf/other.toml", "input = '../orders.parquet'\ncustomer = 'customer'\ntime = 'date'\nk = 2\nout = '../tiers'\n");
    work.tiermill("run").success();
    assert_eq!(
        work.json("manifest.json")["config"]["input"]["amount"],
        "amount"
    );
    let ran = work.tiermill("run --config conf/other.toml").success();
    assert!(work.join("tiers/current").exists());
    let answer = ran.answer();
    assert!(answer.contains("\nPublished tiers/runs/"), "{answer}");
}

#[test]
fn completions_are_scripts_that_the_shells_accept() {
    let work = Workdir::new();
    for (shell, first) in [
        ("bash", "_tiermill() {"),
        ("zsh", "#compdef tiermill"),
        ("fish", "# "),
    ] {
        let script = work
            .tiermill(&format!("completions {shell}"))
            .success()
            .stdout;
        assert!(script.starts_with(first), "{shell}: {}", &script[..100]);
        for word in ["max-rejected", "generate", "yeo-johnson"] {
            assert!(script.contains(word), "{shell} does not know `{word}`");
        }
        work.write(&format!("{shell}.script"), &script);
        // The shell itself says whether it can read it, where there is one.
        match Command::new(shell)
            .args(["-n", &format!("{shell}.script")])
            .current_dir(work.path())
            .output()
        {
            Ok(output) => assert!(
                output.status.success(),
                "{shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(_) => eprintln!("there is no {shell} here: its completions are not parsed"),
        }
    }
}

#[test]
fn man_pages_are_roff_one_for_each_command() {
    let work = Workdir::new();
    let heading = |page: &str| {
        page.lines()
            .find(|line| line.starts_with(".TH "))
            .unwrap_or_else(|| panic!("{page}"))
            .to_owned()
    };
    let main = work.tiermill("man").success().stdout;
    assert!(heading(&main).starts_with(".TH tiermill 1 "), "{main}");
    for part in [
        ".SH NAME",
        ".SH SYNOPSIS",
        "tiermill\\-generate(1)",
        "Exit codes:",
    ] {
        assert!(main.contains(part), "{part}: {main}");
    }
    let ran = work.tiermill("man share/man1");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(work.join("share/man1").join(name)).unwrap();
    assert_eq!(read("tiermill.1"), main);
    for command in COMMANDS {
        let page = read(&format!("tiermill-{command}.1"));
        assert!(
            heading(&page).starts_with(&format!(".TH tiermill-{command} 1 ")),
            "{page}"
        );
        assert!(
            page.contains(&format!("tiermill\\-{command} \\- ")),
            "{page}"
        );
        // What one types has a space.
        assert!(
            page.contains(&format!("\\fBtiermill {command}\\fR")),
            "{command} is not a command of its own: {page}"
        );
        assert!(!page.contains("Arguments of"), "{page}");
    }
    assert!(read("tiermill-run.1").contains("\\-\\-max\\-rejected"));
    assert_eq!(names(&work.join("share/man1")).len(), 1 + COMMANDS.len());
    assert!(!main.contains("tiermill\\-help"), "{main}");
}

#[test]
fn init_writes_a_config_once_and_again_only_by_force() {
    let work = six();
    let ran = work.tiermill("init orders.parquet").success();
    assert_snapshot!(ran.answer(), @r#"
    Looked at 11 of 11 rows in 1 file.

    level       = orders   because a customer has 1.8 rows on average
    customer    = customer   because its name says customer (str); 6 different values in 11 rows
    time        = date   because its name says when (date); such as `2024-01-01`
    amount      = amount   because its name says amount (f64); from -2.34 to 100, 9.1 % of them below zero
    where         not set; could be amount > 0: it leaves refunds and cancellations out, where `refunds = "net"` lets them lower M
    count         not set; could be days: no column identifies an order, so two rows of a customer on one day count as two orders
    note: 9.1 % of `amount` are below zero; `refunds = "net"` (the default) handles this: refunds lower M, are no orders and make nobody recent

    Wrote tiermill.toml. Next: tiermill check
    "#);
    let written = std::fs::read_to_string(work.join("tiermill.toml")).unwrap();
    work.write("tiermill.toml", "# mine\n");
    let refused = work.tiermill("init orders.parquet");
    assert_snapshot!(refused.problem(), @r"
    exit 1
    error: `tiermill.toml` exists already

    hint: give another name, or `--force` to replace it
    ");
    assert_eq!(
        std::fs::read_to_string(work.join("tiermill.toml")).unwrap(),
        "# mine\n"
    );
    work.tiermill("init orders.parquet --force").success();
    assert_eq!(
        std::fs::read_to_string(work.join("tiermill.toml")).unwrap(),
        written
    );
    let printed = work.tiermill("init orders.parquet --to -").success();
    assert_eq!(printed.stdout, written);
    // A link stays one, and a device is no file to be replaced.
    work.write("real.toml", "# mine\n");
    std::os::unix::fs::symlink("real.toml", work.join("link.toml")).unwrap();
    work.tiermill("init orders.parquet --to link.toml --force")
        .success();
    assert!(work.join("link.toml").is_symlink());
    assert_eq!(
        std::fs::read_to_string(work.join("real.toml")).unwrap(),
        written
    );
    work.tiermill("init orders.parquet --to /dev/null --force")
        .success();
    assert!(!Path::new("/dev/null").is_file());
}

/// `init`, and then the config as it is: `check` and `run` must work.
#[track_caller]
fn init_then_run(work: &Workdir, input: &str, expected: &[(&str, &str, &str)]) {
    let ran = work.tiermill(&format!("init {input}")).success();
    assert!(!ran.stdout.contains("fill it in"), "{}", ran.stdout);
    let config = document(&work.tiermill("config --format json").success());
    for (table, key, value) in expected {
        assert_eq!(config[*table][*key], *value, "{key}: {}", ran.stdout);
    }
    work.tiermill("check").success();
    work.tiermill("run --k 2 --n-runs 1").success();
    assert!(work.current().join("assignments.parquet").exists());
}

#[test]
fn what_init_writes_for_order_files_runs_as_it_is() {
    init_then_run(
        &six(),
        "orders.parquet",
        &[
            ("input", "customer", "customer"),
            ("input", "time", "date"),
            ("input", "amount", "amount"),
        ],
    );

    let work = Workdir::new();
    work.tiermill(
        "generate --customers 400 --days 90 --out made --line-items --id-type string --refunds 5%",
    )
    .success();
    init_then_run(
        &work,
        "made",
        &[
            ("input", "customer", "customer_id"),
            ("input", "time", "ordered_at"),
            ("input", "order", "order_id"),
        ],
    );

    let work = Workdir::new();
    let first = read(&repository().join("data/cdnow.parquet")).head(Some(5_000));
    work.parquet("cdnow.parquet", first);
    init_then_run(
        &work,
        "'*.parquet'",
        &[
            ("input", "customer", "customer_id"),
            ("input", "time", "date"),
            ("input", "amount", "amount"),
        ],
    );
}

#[test]
fn what_init_writes_for_invoice_lines_has_an_expression_for_the_amount() {
    let work = Workdir::new();
    let n = 60_i32;
    let frame = df!(
        "InvoiceNo" => (0..n).map(|row| format!("{}", 536_000 + row / 3)).collect::<Vec<_>>(),
        "StockCode" => (0..n).map(|row| format!("{}", 20_000 + row * 37 % 11)).collect::<Vec<_>>(),
        "Quantity" => (0..n).map(|row| 1 + row % 5).collect::<Vec<_>>(),
        "InvoiceDate" => (0..n).map(|row| format!("2011-{:02}-{:02} 10:{:02}:00", 1 + row % 9, 1 + row % 28, row % 60)).collect::<Vec<_>>(),
        "UnitPrice" => (0..n).map(|row| f64::from(1 + row % 7) * 1.25).collect::<Vec<_>>(),
        "CustomerID" => (0..n).map(|row| i64::from(12_346 + row / 3 % 8)).collect::<Vec<_>>(),
    );
    work.parquet("online.parquet", frame.unwrap());
    init_then_run(
        &work,
        "online.parquet",
        &[
            ("input", "customer", "CustomerID"),
            ("input", "time", "InvoiceDate"),
            ("input", "order", "InvoiceNo"),
        ],
    );
    let config = std::fs::read_to_string(work.join("tiermill.toml")).unwrap();
    assert!(
        config.contains("UnitPrice") && config.contains('*'),
        "{config}"
    );
}

#[test]
fn what_init_writes_for_a_customer_table_asks_for_the_day_and_then_runs() {
    let work = Workdir::new();
    let rows: Vec<(f64, i64, f64)> = (0..30)
        .map(|n| (f64::from(n), 1 + i64::from(n % 4), f64::from(n * n)))
        .collect();
    work.parquet("rfm.parquet", customers_table(&rows));
    work.tiermill("init rfm.parquet").success();
    let config = document(
        &work
            .tiermill("config --as-of 2024-01-31 --format json")
            .success(),
    );
    assert_eq!(config["input"]["level"], "customers");
    work.tiermill("check --as-of 2024-01-31").success();
    work.tiermill("run --as-of 2024-01-31 --k 2").success();
    assert_eq!(work.table("assignments.parquet").height(), 30);
}

#[test]
fn a_config_in_another_folder_finds_the_input_all_the_same() {
    let work = six();
    std::fs::create_dir(work.join("conf")).unwrap();
    let ran = work
        .tiermill("init orders.parquet --to conf/shop.toml")
        .success();
    assert!(
        ran.stdout
            .contains("Next: tiermill check --config conf/shop.toml"),
        "{}",
        ran.stdout
    );
    work.tiermill("check --config conf/shop.toml").success();
}

/// What a folder holds, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// The files of a folder with their contents.
fn contents(work: &Workdir, folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = work.join(folder);
    let content = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    names(&folder).into_iter().map(content).collect()
}

#[test]
fn generate_writes_monthly_files_and_the_truth_beside_them() {
    let work = Workdir::new();
    let flags = "--customers 300 --days 100 --seed 7 --start 2024-01-01 --out shop/made";
    let ran = work.tiermill(&format!("generate {flags}")).success();
    assert_snapshot!(ran.answer(), @r"
    491 orders of 300 customers in 491 rows, 4 files in shop/made
    The truth: shop/made.truth.parquet and shop/made.truth.json
    ");
    assert_eq!(
        names(&work.join("shop")),
        ["made", "made.truth.json", "made.truth.parquet"]
    );
    let months = names(&work.join("shop/made"));
    let expected = ["01", "02", "03", "04"].map(|month| format!("orders-2024-{month}.parquet"));
    assert_eq!(months, expected);
    for (month, name) in (1..).zip(&months) {
        let frame = read(&work.join("shop/made").join(name));
        let columns = frame.columns().iter();
        let schema: Vec<String> = columns
            .map(|column| format!("{} {}", column.name(), column.dtype()))
            .collect();
        let expected = "order_id i64, customer_id i64, ordered_at datetime[μs], amount f64";
        assert_eq!(schema.join(", "), expected);
        let times = frame
            .column("ordered_at")
            .unwrap()
            .as_materialized_series()
            .month()
            .unwrap();
        assert!(
            times.iter().all(|found| found == Some(month)),
            "{name} has other months"
        );
    }
}

#[test]
fn generate_leaves_a_folder_alone_that_is_in_use() {
    let work = Workdir::new();
    work.write("made/notes.txt", "mine");
    let refused = work.tiermill("generate --customers 3 --out made");
    assert_snapshot!(refused.problem(), @r"
    exit 1
    error: `made` exists already

    hint: give `--out` a new or empty folder
    ");
    assert_eq!(names(work.path()), ["made"]);
    std::fs::remove_file(work.join("made/notes.txt")).unwrap();
    work.tiermill("generate --customers 3 --out made").success();
}

#[test]
fn generate_refuses_before_any_work_what_it_could_not_finish() {
    let work = Workdir::new();
    work.write("made.truth.json", "mine");
    let refused = |out: &str| {
        // So many customers that the test would not end, were the work done first.
        let ran = work.tiermill(&format!("generate --customers 900000000 --out {out}"));
        ran.problem()
    };
    assert_snapshot!(refused("made"), @r"
    exit 1
    error: `made.truth.json` exists already

    hint: give another `--out`, or move it away
    ");
    assert_snapshot!(refused("."), @r"
    exit 2
    error: `out` is `.`, expected a folder with a name of its own, such as `orders`
    ");
    assert_eq!(names(work.path()), ["made.truth.json"]);
    assert_eq!(
        std::fs::read(work.join("made.truth.json")).unwrap(),
        b"mine"
    );

    // Another process is writing to the same folder.
    work.write(".other.writing/orders-1999-01.parquet", "half");
    let lock = std::fs::File::open(work.join(".other.writing")).unwrap();
    lock.lock().unwrap();
    assert_snapshot!(refused("other"), @r"
    exit 1
    error: another tiermill is writing to `other`

    hint: wait for it to end, or give another `--out`
    ");
    assert_eq!(names(&work.join(".other.writing")).len(), 1);
    // Killed, it leaves what the next one sweeps up.
    drop(lock);
    work.tiermill("generate --customers 3 --out other")
        .success();
    assert!(!work.join(".other.writing").exists());
    assert!(!names(&work.join("other")).contains(&"orders-1999-01.parquet".to_owned()));
}

#[test]
fn the_same_seed_generates_the_same_bytes_and_another_one_other_orders() {
    let work = Workdir::new();
    let make = |out: &str, seed: u32, threads: &str| {
        let words = format!(
            "generate --customers 2500 --days 60 --seed {seed} --out {out} --refunds 10% --dirt 5% --line-items"
        );
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        work.tiermill_with(&words, &[("RAYON_NUM_THREADS", threads)])
            .success();
        contents(&work, out)
    };
    let one = make("one", 1, "1");
    assert!(one == make("two", 1, "4"), "the same seed");
    assert!(one != make("three", 2, "1"), "another seed");
    let truth = |name: &str| std::fs::read(work.join(name)).unwrap();
    assert!(truth("one.truth.parquet") == truth("two.truth.parquet"));
}

#[test]
fn generated_orders_give_back_the_truth_customer_by_customer() {
    let work = Workdir::new();
    work.tiermill("generate --customers 600 --days 200 --seed 3 --out made --id-type string --line-items --refunds 8%").success();
    work.tiermill("run --input made --customer customer_id --time ordered_at --amount 'quantity * unit_price' --order order_id --k 3 --quiet").success();
    let found = work.table("assignments.parquet");
    let truth = read(&work.join("made.truth.parquet"));
    assert_eq!(
        truth.column("customer_id").unwrap().str().unwrap().get(0),
        Some("C00000001")
    );
    let number = |frame: &DataFrame, column: &str| -> Vec<f64> {
        let cast = frame
            .column(column)
            .unwrap()
            .cast(&DataType::Float64)
            .unwrap();
        cast.f64().unwrap().into_no_null_iter().collect()
    };
    assert!(
        found
            .column("customer_id")
            .unwrap()
            .equals(truth.column("customer_id").unwrap())
    );
    assert_eq!(number(&found, "frequency"), number(&truth, "orders"));
    let net: Vec<f64> = number(&truth, "spent_cents")
        .iter()
        .zip(number(&truth, "refunded_cents"))
        .map(|(spent, back)| (spent - back) / 100.0)
        .collect();
    assert_eq!(number(&found, "monetary"), net);
    assert!(
        number(&truth, "refunds").iter().sum::<f64>() > 20.0,
        "there were refunds"
    );
    let lines: usize = contents(&work, "made")
        .iter()
        .map(|(name, _)| read(&work.join("made").join(name)).height())
        .sum();
    assert_eq!(work.json("manifest.json")["rows"]["read"], lines);
    let summary: Value =
        serde_json::from_slice(&std::fs::read(work.join("made.truth.json")).unwrap()).unwrap();
    assert_eq!(summary["summary"]["rows"], lines);
    assert!(
        summary["summary"]["orders"].as_u64().unwrap() < lines as u64,
        "orders have several lines"
    );
}

#[test]
fn generated_dirt_is_found_to_the_row() {
    let work = Workdir::new();
    let made = document(&work.tiermill("generate --customers 900 --days 150 --seed 5 --out made --dirt 6% --line-items --format json").success());
    let dirty = &made["summary"]["dirty"];
    let of = |kind: &str| dirty[kind].as_u64().unwrap();
    for kind in [
        "null_customer",
        "null_time",
        "year_one",
        "null_amount",
        "nan_amount",
        "duplicate",
    ] {
        assert!(0 < of(kind), "{kind}: {dirty}");
    }
    let check = "check --input made --customer customer_id --time ordered_at --amount amount --order order_id --deduplicate --format json";
    let found = document(
        &work
            .tiermill(&format!("{check} --max-rejected 100%"))
            .success(),
    );
    assert_eq!(
        found["rows"]["rejected"],
        json!({
            "duplicate": of("duplicate"),
            "null_customer": of("null_customer"),
            "null_time": of("null_time"),
            "bad_time": of("year_one"),
            "bad_amount": of("null_amount") + of("nan_amount"),
        })
    );
    assert_eq!(found["rows"]["read"], made["summary"]["rows"]);
    assert_eq!(work.tiermill(check).code, 3, "more than 1 % is too much");
}
