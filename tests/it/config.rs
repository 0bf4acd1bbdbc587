//! Settings: each flag is a key and back, who wins over whom, and what is refused with which words.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, FromArgMatches};
use insta::assert_snapshot;
use proptest::prelude::*;
use tiermill::Error;
use tiermill::config::{AsOf, Config, Days, K, Options, Share, catalogue, defaults, merge, parse};

use crate::support::Workdir;

/// Every flag with two values that it can have, as they are written on the command line.
const FLAGS: &[(&str, &str, &str)] = &[
    ("input", "a,b.parquet", "c.parquet"),
    ("level", "orders", "customers"),
    ("customer", "client", "who"),
    ("time", "at", "day"),
    ("amount", "quantity * unit_price", "paid"),
    ("order", "invoice", "order_id"),
    ("event", "kind", "type"),
    ("where", "status <> 'void'", "paid > 0"),
    ("deduplicate", "true", "false"),
    ("recency-column", "r", "days"),
    ("frequency-column", "f", "orders"),
    ("monetary-column", "m", "spend"),
    ("tenure-column", "t", "age"),
    ("timezone", "Asia/Shanghai", "UTC"),
    ("decimals", "2", "0"),
    ("max-rejected", "0.25", "0.5"),
    ("as-of", "2024-01-31", "2024-02-29T12:50"),
    ("window", "365d", "7d"),
    ("max-gap", "9d", "40d"),
    ("count", "days", "rows"),
    ("recency", "exact", "calendar"),
    ("monetary", "mean", "sum"),
    ("refunds", "keep", "drop"),
    ("features", "monetary,aov", "frequency,monetary"),
    ("transform", "yeo-johnson", "none"),
    ("scale", "robust", "minmax"),
    ("winsorise", "0.05", "0.1"),
    ("method", "kmeans", "kmeans"),
    ("bands", "3", "5"),
    ("algorithm", "linfa", "gmm"),
    ("k", "7", "auto"),
    ("k-min", "3", "4"),
    ("k-max", "6", "9"),
    ("n-runs", "1", "20"),
    ("max-iter", "50", "1000"),
    ("seed", "0", "9007199254740993"),
    ("min-share", "0.02", "0"),
    ("rank-by", "frequency", "recency_days"),
    ("tier-names", "Gold,Silver", "A,B"),
    ("tier-names-zh", "金,银", "甲,乙"),
    ("rules", "eight", "grid-10"),
    ("out", "tiers", "elsewhere"),
    ("format", "json", "human"),
    ("quiet", "true", "false"),
    ("explain", "true", "false"),
    ("threads", "1", "8"),
    ("rejected-cap", "0", "5"),
];
/// Keys that no flag can hold, since they are tables.
const TABLES: [&str; 18] = [
    "map",
    "file",
    "name",
    "name-zh",
    "description",
    "fitted-as-of",
    "allow-gaps",
    "allow-overlap",
    "merge-equal",
    "scores",
    "segments",
    "rename",
    "recency_days",
    "frequency",
    "monetary",
    "tenure_days",
    "aov",
    "code-names",
];

/// What clap makes of command-line arguments.
fn flags(arguments: &[String]) -> Result<Options, clap::Error> {
    let command = Options::augment_args(clap::Command::new("tiermill").no_binary_name(true));
    Options::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

fn flag(key: &str, value: &str) -> Options {
    flags(&[format!("--{key}={value}")]).unwrap_or_else(|error| panic!("--{key} {value}: {error}"))
}

fn file(text: &str) -> Options {
    parse(text, Path::new("tiermill.toml")).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `key = value` as a person would write it in TOML: lists in brackets, words in quotes.
fn line(key: &str, value: &str) -> String {
    let one = |value: &str| {
        let bare = value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok();
        if bare {
            value.to_owned()
        } else {
            format!("\"{value}\"")
        }
    };
    if ["features", "tier-names", "tier-names-zh"].contains(&key) {
        let values: Vec<String> = value.split(',').map(one).collect();
        format!("{key} = [{}]\n", values.join(", "))
    } else {
        format!("{key} = {}\n", one(value))
    }
}

/// The keys that are set, each with its table.
fn keys(options: &Options) -> Vec<(String, String)> {
    let tables = toml::Table::try_from(options).unwrap();
    let mut keys = Vec::new();
    for (table, inner) in tables {
        keys.extend(
            inner
                .as_table()
                .unwrap()
                .keys()
                .map(|key| (table.clone(), key.clone())),
        );
    }
    keys
}

/// A config that is complete: `text` and what it lacks.
fn complete(text: &str) -> String {
    let mut missing = String::new();
    for (key, value) in [("input", "o.parquet"), ("customer", "c"), ("time", "t")] {
        if !text
            .lines()
            .any(|line| line.starts_with(&format!("{key} =")))
        {
            missing += &line(key, value);
        }
    }
    match text.split_once("[input]\n") {
        Some((before, after)) => format!("{before}[input]\n{missing}{after}"),
        None => missing + text,
    }
}

fn config(text: &str) -> Result<Config, Error> {
    let file = parse(&complete(text), Path::new("tiermill.toml"))?;
    Config::new(&Options::default(), &file)
}

#[test]
fn every_flag_is_a_key_of_one_table_and_back() {
    for (key, value, _) in FLAGS {
        let by_flag = flag(key, value);
        let set = keys(&by_flag);
        assert_eq!(set.len(), 1, "--{key} sets {set:?}");
        let (table, same) = &set[0];
        assert_eq!(same, key, "the flag and the key have two names");
        let home = catalogue()
            .into_iter()
            .find(|(name, _)| name == table)
            .unwrap();
        assert!(
            home.1.contains(same),
            "`{key}` is in [{table}], and the catalogue says otherwise"
        );
        assert_eq!(
            file(&line(key, value)),
            by_flag,
            "--{key} and the key {key} differ"
        );
        assert_eq!(
            file(&format!("[{table}]\n{}", line(key, value))),
            by_flag,
            "[{table}] {key}"
        );
        assert_eq!(
            file(&toml::to_string(&by_flag).unwrap()),
            by_flag,
            "{key} does not come back"
        );
    }
}

#[test]
fn no_flag_and_no_key_is_forgotten() {
    let ours: BTreeSet<&str> = FLAGS.iter().map(|(key, ..)| *key).collect();
    let command = Options::augment_args(clap::Command::new("tiermill"));
    let of_clap: BTreeSet<&str> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .collect();
    assert_eq!(of_clap, ours, "flags of clap, flags of this test");

    // JSON writes what is not set as null, so that it shows every key but those that serde leaves out.
    let of_serde = serde_json::to_value(Options::default()).unwrap();
    let mut known = catalogue();
    for (table, keys) in of_serde.as_object().unwrap() {
        let (_, catalogue) = known.iter().find(|(name, _)| name == table).unwrap();
        for key in keys.as_object().unwrap().keys() {
            assert!(catalogue.contains(key), "`{key}` of [{table}] is no flag");
        }
    }
    let mut keys: Vec<String> = known
        .iter_mut()
        .flat_map(|(_, keys)| keys.drain(..))
        .collect();
    // `monetary` is a flag and, in [features], a table.
    assert_eq!(keys.iter().filter(|key| *key == "monetary").count(), 2);
    keys.sort_unstable();
    let mut expected: Vec<&str> = ours.into_iter().chain(TABLES).collect();
    expected.sort_unstable();
    assert_eq!(
        keys, expected,
        "keys of the catalogue, flags and tables of this test"
    );
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    for (key, on_the_line, in_the_file) in FLAGS {
        let by_flag = flag(key, on_the_line);
        let by_file = file(&line(key, in_the_file));
        let nothing = Options::default();
        let value = |options: &Options| {
            let (table, key) = &keys(&flag(key, on_the_line))[0];
            toml::Table::try_from(options).unwrap()[table]
                .as_table()
                .unwrap()
                .get(key)
                .cloned()
        };
        let merged = |flags: &Options, file: &Options| merge([flags, file, &defaults()]).unwrap();
        assert_eq!(
            value(&merged(&by_flag, &by_file)),
            value(&by_flag),
            "--{key} over the file"
        );
        assert_eq!(
            value(&merged(&nothing, &by_file)),
            value(&by_file),
            "the file over {key}"
        );
        assert_eq!(
            value(&merged(&nothing, &nothing)),
            value(&defaults()),
            "the default of {key}"
        );
        // What was not said about this key is left alone.
        let rest = |options: Options| {
            let (table, own) = keys(&flag(key, on_the_line)).remove(0);
            let mut tables = toml::Table::try_from(options).unwrap();
            tables[&table].as_table_mut().unwrap().remove(&own);
            tables
        };
        assert_eq!(
            rest(merged(&by_flag, &by_file)),
            rest(defaults()),
            "beside {key}"
        );
    }
}

#[test]
fn a_table_of_a_feature_is_laid_over_the_one_below_key_by_key() {
    let below = file("[features.monetary]\nweight = 2.0\ntransform = \"none\"\n");
    let above = file("[features.monetary]\ntransform = \"yeo-johnson\"\n");
    let merged = merge([&above, &below, &defaults()]).unwrap();
    assert_eq!(merged.features.monetary.weight, Some(2.0));
    assert_eq!(
        merged.features.monetary.transform,
        above.features.monetary.transform
    );
}

#[test]
fn a_printed_config_reloads_to_the_same_text() {
    let work = Workdir::new();
    let shop = "
        input = ['a.parquet', \"it's/*.parquet\"]
        customer = 'customer'\ntime = 'at'\namount = 'quantity * \"unit price\"'\norder = 'invoice'
        where = \"status <> 'void'\"\ndeduplicate = true\ntimezone = 'Asia/Shanghai'\nmax-rejected = '2%'
        as-of = 2024-01-31T12:50:00+08:00\nwindow = '52w'\nk = 3\ntier-names = ['A', 'B', 'C']
        threads = 2\nseed = 9007199254740993\nwinsorise = 0.001
        [features.monetary]\nweight = 2.5\nscale = 'robust'
        [tiers.code-names]\n111 = { en = 'VIP', zh = '贵宾' }\n000 = { en = 'Lost' }";
    let content = "
        input = 'log'\ncustomer = 'user'\ntime = 'at'\nevent = 'kind'
        [features.monetary]\nweights = { view = 1, comment = 5.5 }";
    let ready = "
        input = 'c.parquet'\nlevel = 'customers'\ncustomer = 'id'\ntenure-column = 'age'\nas-of = 2024-01-31";
    for text in [shop, content, ready] {
        work.write("tiermill.toml", text);
        let printed = work.tiermill("config").success().stdout;
        work.write("again.toml", &printed);
        let again = work.tiermill("config --config again.toml").success().stdout;
        assert_eq!(printed, again);
        assert_eq!(file(&printed), file(&again));
        assert!(
            printed.contains("n-runs = 10"),
            "defaults are part of it:\n{printed}"
        );
    }
}

/// The message of a config text with its hint.
fn refused(text: &str) -> String {
    let Err(error) = config(text) else {
        panic!("accepted: {text}")
    };
    assert_eq!(error.exit_code(), 2, "{error}");
    match error.hint() {
        None => error.to_string(),
        Some(hint) => format!("{error}\nhint: {hint}"),
    }
}

#[test]
fn unknown_keys_are_told_what_was_probably_meant() {
    let mut faults = Vec::new();
    for (text, key, suggestion) in [
        ("custmer = 'c'", "custmer", "did you mean `customer`?"),
        ("[cluster]\nn-cluster = 3", "n-cluster", ""),
        ("[cluster]\nnruns = 3", "nruns", "did you mean `n-runs`?"),
        ("[input]\nk = 3", "k", "`k` belongs in [cluster]"),
        ("[clusters]\nk = 3", "clusters", "did you mean `[cluster]`?"),
        ("[custer]\nk = 3", "custer", "did you mean `[cluster]`?"),
        (
            "[tiers]\ntier_names = ['A']",
            "tier_names",
            "did you mean `tier-names`?",
        ),
        (
            "[output]\nxyz = 1",
            "xyz",
            "known here: `out`, `format`, `quiet`, `explain`, `threads`, `rejected-cap`",
        ),
        (
            "[features.monetary]\ntransfrom = 'none'",
            "transfrom",
            "did you mean `transform`?",
        ),
        (
            "[features.recencydays]\nweight = 2",
            "recencydays",
            "did you mean `recency_days`?",
        ),
    ] {
        let message = refused(text);
        if !(message.starts_with(&format!("unknown key `{key}` ")) && message.contains(suggestion))
        {
            faults.push(format!("{text}: {message}"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert_snapshot!(refused("[cluster]\ncustomer = 'c'"), @r"
    unknown key `customer` in [cluster]
    hint: `customer` belongs in [input]
    ");
}

/// The line that both the file and the flag say about a value.
#[track_caller]
fn out_of_range(key: &str, value: &str, expected: &str) {
    let by_file = refused(&line(key, value));
    let first = by_file.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("`{key}` is ")),
        "{key} = {value}: {by_file}"
    );
    assert!(
        first.ends_with(&format!("expected {expected}")),
        "{key} = {value}: {by_file}"
    );
    let by_flag = match flags(&[format!("--{key}={value}")]) {
        Err(error) => error.to_string(),
        Ok(flags) => match Config::new(&flags, &file(&complete(""))) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("accepted: --{key} {value}"),
        },
    };
    assert!(by_flag.contains(key), "--{key} {value}: {by_flag}");
    assert!(by_flag.contains(expected), "--{key} {value}: {by_flag}");
}

#[test]
fn values_out_of_range_are_refused_alike_from_flag_and_file() {
    let days = "days or weeks from 1, as in `365d` or `52w`";
    let share = "a share from 0 to 1, as in `0.01` or `1%`";
    for (key, value, expected) in [
        ("k", "0", "`auto` or a number from 2"),
        ("k", "1", "`auto` or a number from 2"),
        ("k", "many", "`auto` or a number from 2"),
        ("k", "51", "2 to 50, or `auto`"),
        ("k-min", "1", "2 to 50"),
        ("k-max", "1", "k-min (2) to 50"),
        ("k-max", "51", "k-min (2) to 50"),
        ("n-runs", "0", "at least 1"),
        ("max-iter", "0", "at least 1"),
        ("threads", "0", "1 to 1024"),
        ("threads", "1025", "1 to 1024"),
        ("decimals", "13", "0 to 12"),
        ("window", "0d", days),
        ("window", "-7d", days),
        ("window", "1y", days),
        ("max-gap", "0", days),
        ("max-rejected", "1.5", share),
        ("max-rejected", "-0.1", share),
        ("max-rejected", "101%", share),
        ("min-share", "nan", share),
        ("winsorise", "0.5", "a share below 0.5"),
        ("features", "monetary", "at least two features"),
        ("features", "monetary,aov,monetary", "each feature once"),
        (
            "timezone",
            "Berlin",
            "a zone such as `Europe/Berlin` or `UTC`",
        ),
        (
            "as-of",
            "yesterday",
            "a date or time, as in `2024-01-31` or `2024-01-31T12:50`",
        ),
        (
            "as-of",
            "2023-02-29",
            "a date or time, as in `2024-01-31` or `2024-01-31T12:50`",
        ),
    ] {
        out_of_range(key, value, expected);
    }
}

#[test]
fn a_wrong_kind_of_value_is_refused_in_words_that_are_not_those_of_rust() {
    let mut faults = Vec::new();
    for text in [
        "n-runs = -1",
        "n-runs = 2.5",
        "decimals = 'two'",
        "seed = -1",
        "deduplicate = 'yes'",
        "k = 2.5",
        "k = true",
        "window = []",
        "input = 3",
        "customer = 3",
        "monetary = 3",
        "transform = 'log'",
        "method = 'hclust'",
        "rank-by = 'spend'",
        "[features]\nmonetary = 'mean'",
        "[features.monetary]\nweight = 'two'",
        "[tiers.code-names]\n111 = 'VIP'",
        "[tiers.code-names]\n111 = { en = 'VIP', de = 'Stammkunde' }",
    ] {
        let message = refused(text);
        let rust = [
            "usize", "u32", "u64", "f64", "struct", "enum", "Option", "variant", "a map",
        ];
        if rust.iter().any(|word| message.contains(word)) {
            faults.push(format!("{text}: {message}"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert_snapshot!(refused("transform = 'log'"), @"`transform` is \"log\", expected one of `log1p`, `none`, `yeo-johnson`");
    assert_snapshot!(refused("deduplicate = 'yes'"), @"`deduplicate` is \"yes\", expected true or false");
}

#[test]
fn a_name_of_a_code_cannot_pass_for_the_qualified_name_of_another_tier() {
    let text =
        complete("[tiers.code-names]\n111 = { en = 'VIP' }\n000 = { en = 'VIP · highest spend' }");
    let error = Config::new(&Options::default(), &file(&text)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`code-names` is `VIP · highest spend`, expected a name without `·`"
    );
}

#[test]
fn a_seed_that_toml_cannot_hold_is_refused_by_its_name() {
    let work = Workdir::new();
    let ran = work.tiermill("config --seed 18446744073709551615");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--seed <N>"), "{}", ran.stderr);
}

#[test]
fn settings_that_contradict_each_other_are_refused_with_a_way_out() {
    for (text, what) in [
        (
            "amount = 'a'\nevent = 'e'\n[features.monetary]\nweights = { view = 1 }",
            "cannot go together",
        ),
        ("event = 'e'", "`weights` is not set"),
        (
            "[features.monetary]\nweights = { view = 1 }",
            "`event` is not set",
        ),
        ("count = 'rows'\norder = 'o'", "cannot go together"),
        (
            "level = 'customers'\nas-of = 2024-01-31",
            "`time` and `level = \"customers\"` cannot go together",
        ),
        (
            "recency-column = 'r'",
            "`recency-column` and `level = \"orders\"` cannot go together",
        ),
        (
            "tier-names = ['A', 'B']",
            "`tier-names` and `k = \"auto\"` cannot go together",
        ),
    ] {
        let message = refused(text);
        assert!(message.contains(what), "{text}: {message}");
        assert!(message.contains("\nhint: "), "{text}: {message}");
    }
}

#[test]
fn what_only_orders_have_is_refused_for_a_ready_customer_table() {
    let ready = "input = 'c.parquet'\nlevel = 'customers'\ncustomer = 'id'\nas-of = 2024-01-31\n";
    let read = |more: &str| Config::new(&Options::default(), &file(&format!("{ready}{more}")));
    for more in [
        "count = 'days'",
        "recency = 'exact'",
        "refunds = 'drop'",
        "max-gap = '9d'",
        "window = '9d'",
        "[features.monetary]\nweights = { view = 1 }",
    ] {
        let error = read(more).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(" and `level = \"customers\"` cannot go together"),
            "{more}: {error}"
        );
    }
    // A printed config has every default in it.
    read("count = 'orders'\nrecency = 'floor'\nrefunds = 'net'\nmax-gap = '30d'").unwrap();
    read("monetary = 'mean'").unwrap();
}

#[test]
fn the_table_of_a_feature_that_is_not_used_is_checked_too() {
    assert_eq!(
        refused("[features.tenure_days]\nweight = -1"),
        "`tenure_days.weight` is -1, expected 0.000001 to 1000000"
    );
}

#[test]
fn a_key_with_the_name_of_a_table_is_told_where_it_goes() {
    let hint = |text: &str| parse(text, Path::new("tiermill.toml")).unwrap_err().hint();
    let both = hint("input = 'x'\n[input]\ncustomer = 'c'").unwrap();
    assert!(both.contains("move the key into the table"), "{both}");
    assert_eq!(hint("k = 3\nk = 4"), None);
}

#[test]
fn names_codes_and_weights_are_checked_too() {
    for (text, what) in [
        (
            "k = 3\ntier-names = ['A', 'B']",
            "`tier-names` is 2 names, expected 3, one for each tier",
        ),
        (
            "k = 2\ntier-names-zh = ['甲', '甲']",
            "`tier-names-zh` is `甲` twice, expected each name once",
        ),
        (
            "k = 2\ntier-names = ['A', ' ']",
            "`tier-names` is an empty name, expected a name for each tier",
        ),
        (
            "[tiers.code-names]\n111 = { en = 'A', zh = '' }",
            "`code-names` is empty for `111`, expected a name, or none to keep the one built in",
        ),
        (
            "[tiers.code-names]\n211 = { en = 'A' }",
            "`code-names` is `211`, expected codes from `000` to `111`",
        ),
        (
            "[features.monetary]\nweight = 0",
            "`monetary.weight` is 0, expected 0.000001 to 1000000",
        ),
        (
            "[features.monetary]\nweight = 1000001",
            "`monetary.weight` is 1000001, expected 0.000001 to 1000000",
        ),
        (
            "[features.monetary]\nweight = 0.0000001",
            "`monetary.weight` is 0.0000001, expected 0.000001 to 1000000",
        ),
        (
            "[features.monetary]\nweight = inf",
            "`monetary.weight` is inf, expected 0.000001 to 1000000",
        ),
        (
            "[features.frequency]\nweights = { a = 1 }",
            "`frequency.weights` is set, expected `weights` only in [features.monetary]",
        ),
    ] {
        assert_eq!(refused(text), what, "{text}");
    }
}

#[test]
fn what_has_no_default_has_to_be_said() {
    for key in ["input", "customer", "time"] {
        let text: String = complete("")
            .lines()
            .filter(|line| !line.starts_with(key))
            .collect::<Vec<_>>()
            .join("\n");
        let error = Config::new(&Options::default(), &file(&text)).unwrap_err();
        assert_eq!(error.to_string(), format!("`{key}` is not set"));
        assert!(
            error.hint().unwrap().contains(&format!("--{key} ")),
            "{:?}",
            error.hint()
        );
    }
}

#[test]
fn numbers_days_and_shares_are_read_in_every_form_that_people_write() {
    fn check<T: std::str::FromStr<Err = String> + PartialEq + std::fmt::Debug>(
        cases: &[(&str, Option<T>)],
    ) {
        for (text, expected) in cases {
            assert_eq!(text.parse::<T>().ok().as_ref(), expected.as_ref(), "{text}");
        }
    }
    check(&[
        ("auto", Some(K::Auto)),
        ("2", Some(K::Fixed(2))),
        ("50", Some(K::Fixed(50))),
        ("1", None),
        ("-3", None),
        ("2.0", None),
        ("Auto", None),
        ("", None),
    ]);
    check(&[
        ("365d", Some(Days(365))),
        ("365", Some(Days(365))),
        ("52w", Some(Days(364))),
        ("1000000", Some(Days(1_000_000))),
        ("0d", None),
        ("1000001", None),
        ("4294967295w", None),
        ("1.5d", None),
        ("d", None),
        ("12m", None),
    ]);
    check(&[
        ("0.01", Some(Share(0.01))),
        ("1%", Some(Share(0.01))),
        ("1 %", Some(Share(0.01))),
        ("0", Some(Share(0.0))),
        ("1", Some(Share(1.0))),
        ("100%", Some(Share(1.0))),
        ("100.1%", None),
        ("-0.1", None),
        ("nan", None),
        ("inf", None),
        ("%", None),
    ]);
}

#[test]
fn the_file_may_write_numbers_with_or_without_quotes() {
    for (quoted, bare) in [
        ("k = '3'", "k = 3"),
        ("window = '30'", "window = 30"),
        ("max-rejected = '1'", "max-rejected = 1"),
        ("max-rejected = '0.25'", "max-rejected = 0.25"),
        ("input = 'one'", "input = ['one']"),
        ("max-rejected = '25%'", "max-rejected = 0.25"),
        ("window = '2w'", "window = '14d'"),
    ] {
        assert_eq!(file(quoted), file(bare), "{quoted}");
    }
}

#[test]
fn as_of_is_read_as_a_string_and_as_a_date_of_toml() {
    let local = |text: &str| Some(AsOf::Local(text.parse().unwrap()));
    let instant = |text: &str| {
        Some(AsOf::Instant(
            chrono::DateTime::parse_from_rfc3339(text).unwrap(),
        ))
    };
    for (text, expected) in [
        ("2024-01-31", local("2024-01-31T00:00:00")),
        ("2024-01-31T12:50:00", local("2024-01-31T12:50:00")),
        ("2024-01-31 12:50:00", local("2024-01-31T12:50:00")),
        ("2024-01-31T12:50:00.25", local("2024-01-31T12:50:00.25")),
        ("2024-01-31T12:50:00Z", instant("2024-01-31T12:50:00Z")),
        (
            "2024-01-31T12:50:00+08:00",
            instant("2024-01-31T12:50:00+08:00"),
        ),
    ] {
        let bare = config(&format!("as-of = {text}")).unwrap();
        let quoted = config(&format!("as-of = '{text}'")).unwrap();
        let given = Config::new(&flag("as-of", text), &file(&complete(""))).unwrap();
        for read in [bare, quoted, given] {
            assert_eq!(read.rfm.as_of, expected, "{text}");
        }
    }
    // These TOML does not know as dates.
    for (text, expected) in [
        ("2024-01-31T12:50", local("2024-01-31T12:50:00")),
        ("2024-01-31 12:50", local("2024-01-31T12:50:00")),
        (
            "2024-01-31T12:50+08:00",
            instant("2024-01-31T12:50:00+08:00"),
        ),
        (
            "2024-01-31T12:50:00+0800",
            instant("2024-01-31T12:50:00+08:00"),
        ),
    ] {
        assert_eq!(
            config(&format!("as-of = '{text}'")).unwrap().rfm.as_of,
            expected,
            "{text}"
        );
    }
    assert!(
        refused("as-of = 12:50:00").starts_with("`as-of` is \"12:50:00\", expected a date or time")
    );
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file_and_flags_from_where_one_stands() {
    let text = "input = ['orders', '../more/*.parquet', '/data/o.parquet', 's3://bucket/o.parquet']\nout = 'out'";
    let read = |path: &str| {
        let options = parse(text, Path::new(path)).unwrap();
        (options.input.input.unwrap(), options.output.out.unwrap())
    };
    let own = |list: &[&str]| list.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        read("/etc/tiermill.toml"),
        (
            own(&[
                "/etc/orders",
                "/etc/../more/*.parquet",
                "/data/o.parquet",
                "s3://bucket/o.parquet"
            ]),
            "/etc/out".to_owned()
        )
    );
    assert_eq!(
        read("tiermill.toml"),
        (
            own(&[
                "orders",
                "../more/*.parquet",
                "/data/o.parquet",
                "s3://bucket/o.parquet"
            ]),
            "out".to_owned()
        )
    );
    let in_a_folder = parse(text, Path::new("shop/tiermill.toml")).unwrap();
    let config = Config::new(
        &flags(&[
            "--input".into(),
            "x".into(),
            "--customer=c".into(),
            "--time=t".into(),
        ])
        .unwrap(),
        &in_a_folder,
    )
    .unwrap();
    assert_eq!(
        (config.input.paths, config.output.out),
        (own(&["x"]), "shop/out".to_owned())
    );
    let nothing_said = parse("", Path::new("shop/tiermill.toml")).unwrap();
    assert_eq!(
        nothing_said.output.out, None,
        "the default `out` is where one stands"
    );
}

#[test]
fn a_switch_can_be_turned_off_again_by_its_flag() {
    let on = file(&complete("deduplicate = true\nquiet = true"));
    let with = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let config = Config::new(&flags(&arguments).unwrap(), &on).unwrap();
        (config.input.deduplicate, config.output.quiet)
    };
    assert_eq!(with(&[]), (true, true));
    assert_eq!(with(&["--deduplicate", "false"]), (false, true));
    assert_eq!(
        with(&["--deduplicate=false", "--quiet=false"]),
        (false, false)
    );
    let off = file(&complete("deduplicate = false"));
    let config = Config::new(
        &flags(&["--deduplicate".into(), "-q".into()]).unwrap(),
        &off,
    )
    .unwrap();
    assert!(config.input.deduplicate && config.output.quiet);
}

#[test]
fn a_config_that_is_not_toml_says_where() {
    let error = parse("[input]\ncustomer = ", Path::new("shop/tiermill.toml")).unwrap_err();
    assert_eq!(error.to_string(), "`shop/tiermill.toml` is not valid TOML");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("line 2"), "{cause}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(days in 1_u32..=1_000_000, k in 2_usize..=50, share in 0.0..=1.0_f64) {
        prop_assert_eq!(Days(days).to_string().parse(), Ok(Days(days)));
        prop_assert_eq!(K::Fixed(k).to_string().parse(), Ok(K::Fixed(k)));
        prop_assert_eq!(Share(share).to_string().parse(), Ok(Share(share)));
        let mut options = Options::default();
        options.rfm.window = Some(Days(days));
        options.cluster.k = Some(K::Fixed(k));
        options.input.max_rejected = Some(Share(share));
        let text = toml::to_string(&options).unwrap();
        prop_assert_eq!(parse(&text, Path::new("tiermill.toml")).unwrap(), options);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Days>();
        let _ = text.parse::<Share>();
        let _ = text.parse::<K>();
        let _ = parse(&text, Path::new("tiermill.toml"));
        let _ = parse(&format!("as-of = '''{text}'''"), Path::new("tiermill.toml")).map(|file| Config::new(&file, &Options::default()));
    }
}
