//! A guess as a commented `tiermill.toml`, and as lines for the terminal.
//!
//! In: a [`Guess`] and the columns it was made from. Out: text.
//! Invariant: the text is TOML whatever the columns are called, every live key stands under its reason, and the file
//! runs as it is unless it says `FILL IN`. It decides nothing: what is live and what is offered is settled by `guess`.

use std::fmt::Write;

use super::{ColumnProfile, Guess, Kind, Pick, shown};
use crate::config::Level;

/// Width at which comments are wrapped.
const WIDTH: usize = 100;
/// Weights with which a common event may begin; all others begin at 1.
const WEIGHTS: [(u32, &str); 4] = [
    (2, "like fav favorite favourite save follow 点赞 收藏 关注"),
    (3, "cart add_to_cart addtocart download 加购"),
    (5, "comment share review post reply 评论 分享 转发"),
    (10, "purchase buy order transaction 购买 下单 支付"),
];

// Settings that are not guessed, a line each: key, default (or an example, where it says so) and what it is.
const ROWS: &str = r#"
deduplicate = false | true counts exact duplicate rows once
timezone = "Asia/Shanghai" | zone whose midnights count; default: none, times as they stand
decimals = 4 | amounts are summed exactly with this many; Decimal columns keep their own
max-rejected = 0.01 | share of faulty rows over which nothing is published"#;
const AMOUNT: &str = r#"
amount = "" | a column, or SQL such as "quantity * unit_price"; without one M is the number of rows"#;
const RFM: &str = r#"
count = "orders" | what frequency counts: "orders", "days" or "rows"
recency = "floor" | days since the last order: "floor", "calendar" or "exact"
monetary = "sum" | "sum", or "mean" per order
refunds = "net" | amounts below zero: "net" lowers M; or "keep", "drop", "reject""#;
const TIMES: &str = r#"
window = "365d" | use only this long before as-of; default: everything
max-gap = "30d" | without as-of: widest gap before the newest orders that is believed"#;
const FEATURES: &str = r#"
features = ["recency_days", "frequency", "monetary"] | also "tenure_days" and "aov"
transform = "log1p" | "log1p", "none" or "yeo-johnson"
scale = "zscore" | "zscore", "robust", "minmax" or "quantile"
winsorise = 0.01 | clip this share of the customers at both ends; default: none"#;
const CLUSTER: &str = r#"
k = "auto" | number of tiers; "auto": the best silhouette of k-min to k-max
k-min = 2 | smallest number that "auto" tries
k-max = 10 | largest number that "auto" tries
n-runs = 10 | restarts, of which the best is kept
seed = 42 | seed of the random starts
min-share = 0.01 | share of the customers under which a tier is reported as small"#;
const TIERS: &str = r#"
rank-by = "monetary" | feature whose mean ranks the tiers, best first"#;
const OUTPUT: &str = r#"
out = "out" | folder that receives the runs"#;

/// The commented `tiermill.toml` of a guess.
///
/// `input` is a path, or several on a line each; `columns` are named where a key has to be filled in.
pub fn to_toml(guess: &Guess, input: &[String], columns: &[ColumnProfile]) -> String {
    let mut page = Page::default();
    page.comment("Settings of tiermill, guessed by `tiermill init` from the columns of the input.");
    page.comment("Check what is set, then run `tiermill check`.");
    let missing = guess.missing();
    if !missing.is_empty() {
        page.comment(&format!(
            "FILL IN before the first run: {}.",
            missing.join(", ")
        ));
    }
    for note in &guess.notes {
        page.comment(&format!("Note: {note}."));
    }
    page.table("input");
    page.comment("Parquet files, folders or globs.");
    page.key("input", &paths(input));
    match guess.level {
        Level::Orders => order_keys(&mut page, guess, columns),
        Level::Customers => customer_keys(&mut page, guess, columns),
    }
    page.pick("where", "Rows that count", guess.filter.as_ref());
    page.pick("deduplicate", "Duplicate rows", guess.deduplicate.as_ref());
    page.defaults(ROWS);
    rfm_keys(&mut page, guess);
    feature_keys(&mut page, guess);
    page.table("cluster");
    page.defaults(CLUSTER);
    tier_keys(&mut page, guess);
    page.table("output");
    page.defaults(OUTPUT);
    page.text
}

/// What was guessed, a line each for stdout: `customer  = customer_id   because …`.
pub fn explain(guess: &Guess) -> Vec<String> {
    let picks = [
        ("customer", &guess.customer),
        ("time", &guess.time),
        ("amount", &guess.amount),
        ("order", &guess.order),
        ("event", &guess.event),
        ("where", &guess.filter),
        ("recency-column", &guess.recency),
        ("frequency-column", &guess.frequency),
        ("monetary-column", &guess.monetary),
        ("tenure-column", &guess.tenure),
        ("count", &guess.count),
        ("deduplicate", &guess.deduplicate),
    ];
    let missing = guess.missing();
    let width = match guess.level {
        Level::Orders => 11,
        Level::Customers => 16,
    };
    let (level, why) = (level_word(guess.level), &guess.level_reason);
    let mut lines = vec![format!("{:<width$} = {level}   because {why}", "level")];
    for (key, pick) in picks {
        lines.extend(match pick {
            Some(Pick {
                value,
                reason,
                active: true,
                ..
            }) => Some(format!(
                "{key:<width$} = {}   because {reason}",
                one_line(value)
            )),
            Some(Pick { value, reason, .. }) => {
                let value = one_line(value);
                Some(format!(
                    "{key:<width$}   not set; could be {value}: {reason}"
                ))
            }
            None => missing
                .contains(&key)
                .then(|| format!("{key:<width$}   not found, fill it in")),
        });
    }
    lines.extend(guess.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Orders => "orders",
        Level::Customers => "customers",
    }
}

fn order_keys(page: &mut Page, guess: &Guess, columns: &[ColumnProfile]) {
    let reason = &guess.level_reason;
    page.comment(&format!(
        "A row is an order, a line of one or an event, because {reason}."
    ));
    page.defaults(r#"level = "orders" | "customers": a row is a customer, with R, F and M ready"#);
    let ids = listed(columns, |column| column.kind.is_id());
    page.needed("customer", "Who buys", guess.customer.as_ref(), &ids);
    let times = listed(columns, ColumnProfile::is_time);
    page.needed("time", "When", guess.time.as_ref(), &times);
    page.pick("amount", "How much", guess.amount.as_ref());
    if guess.amount.is_none() {
        let is_money = |column: &ColumnProfile| matches!(column.kind, Kind::Float | Kind::Decimal);
        let numbers = listed(columns, is_money);
        page.comment(&format!(
            "How much: no column is named like an amount; {numbers}."
        ));
        page.defaults(AMOUNT);
    }
    page.pick("order", "Which rows are one order", guess.order.as_ref());
    page.pick("event", "What happened", guess.event.as_ref());
}

fn customer_keys(page: &mut Page, guess: &Guess, columns: &[ColumnProfile]) {
    let ids = listed(columns, |column| column.kind.is_id());
    let numbers = listed(columns, |column| column.kind.is_number());
    page.comment(&format!(
        "A row is a customer, because {}.",
        guess.level_reason
    ));
    page.key("level", "\"customers\"");
    page.needed("customer", "Who", guess.customer.as_ref(), &ids);
    let ready = [
        (
            "recency-column",
            "Days since the last order",
            &guess.recency,
        ),
        ("frequency-column", "Number of orders", &guess.frequency),
        ("monetary-column", "Amount", &guess.monetary),
    ];
    for (key, what, pick) in ready {
        page.needed(key, what, pick.as_ref(), &numbers);
    }
    page.pick(
        "tenure-column",
        "Days since the first order",
        guess.tenure.as_ref(),
    );
}

fn rfm_keys(page: &mut Page, guess: &Guess) {
    page.table("rfm");
    match guess.level {
        Level::Customers => {
            page.comment("FILL IN the day up to which the columns were counted, exclusive.");
            page.defaults(
                r#"as-of = "YYYY-MM-DD" | a table of customers has no times to take it from"#,
            );
        }
        Level::Orders => {
            page.defaults(
                r#"as-of = "YYYY-MM-DD" | moment to look from, exclusive; default: midnight after the newest order"#,
            );
            page.pick("count", "What frequency counts", guess.count.as_ref());
            page.defaults(RFM);
            page.defaults(TIMES);
        }
    }
}

/// Without amounts M is the number of rows; where F counts rows too, M is a copy that would count twice.
fn has_copy_for_m(guess: &Guess) -> bool {
    let counts_less = [&guess.order, &guess.count]
        .into_iter()
        .flatten()
        .any(|pick| pick.active);
    guess.level == Level::Orders && guess.amount.is_none() && !counts_less
}

fn feature_keys(page: &mut Page, guess: &Guess) {
    page.table("features");
    if has_copy_for_m(guess) {
        page.comment("Without an amount M is the number of rows, which is F; once there is one, drop this line.");
        page.key("features", "[\"recency_days\", \"frequency\"]");
    }
    page.defaults(FEATURES);
    if guess.event.is_none() || guess.event_values.is_empty() {
        return;
    }
    page.line("");
    page.comment(
        "M is the number of rows. To weigh the types of event, set `event` above, and here:",
    );
    page.line("# [features.monetary]");
    let weigh = |value: &String| format!("{} = {}", quoted(value), weight(value));
    let weights: Vec<String> = guess.event_values.iter().map(weigh).collect();
    page.line(&format!("# weights = {{ {} }}", weights.join(", ")));
}

fn weight(event: &str) -> u32 {
    let event = event.to_lowercase();
    let has = |list: &str| list.split_whitespace().any(|known| known == event);
    WEIGHTS
        .iter()
        .find(|(_, list)| has(list))
        .map_or(1, |&(weight, _)| weight)
}

fn tier_keys(page: &mut Page, guess: &Guess) {
    page.table("tiers");
    if has_copy_for_m(guess) {
        page.comment("As above: F in place of M.");
        page.key("rank-by", "\"frequency\"");
    }
    page.defaults(TIERS);
    page.comment("With k = 3 the tiers can be named by rank: tier-names = [\"Gold\", \"Silver\", \"Bronze\"].");
}

/// One path as a string, several as an array.
fn paths(input: &[String]) -> String {
    let paths: Vec<String> = input.iter().map(|path| quoted(path)).collect();
    match paths.as_slice() {
        [path] => path.clone(),
        _ => format!("[{}]", paths.join(", ")),
    }
}

/// The columns of a type, as the end of a sentence.
fn listed(columns: &[ColumnProfile], fits: impl Fn(&ColumnProfile) -> bool) -> String {
    let fit = columns.iter().filter(|column| fits(column));
    let names: Vec<String> = fit.map(|column| shown(&column.name)).collect();
    match names.len() {
        0 => "no column has a type that would do".to_owned(),
        1..=12 => format!("by type it could be {}", names.join(", ")),
        more => format!(
            "by type it could be {} or {} more",
            names[..12].join(", "),
            more - 12
        ),
    }
}

/// The text as it grows.
#[derive(Default)]
struct Page {
    text: String,
    /// Keys of this table that stand already: their defaults are not written again.
    keys: Vec<String>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn table(&mut self, name: &str) {
        self.keys.clear();
        self.line(&format!("\n[{name}]"));
    }

    fn key(&mut self, key: &str, value: &str) {
        self.keys.push(key.to_owned());
        self.line(&format!("{key} = {value}"));
    }

    /// Keys as comments, to be set by taking the `#` away; those that stand already are left out.
    fn defaults(&mut self, settings: &str) {
        for setting in settings.lines().filter(|line| !line.is_empty()) {
            let (pair, help) = setting.split_once(" | ").unwrap_or((setting, ""));
            let key = pair.split(' ').next().unwrap_or(pair);
            if !self.keys.iter().any(|known| known == key) {
                self.line(&format!("{:<30}  # {help}", format!("# {pair}")));
            }
        }
    }

    fn comment(&mut self, text: &str) {
        let mut line = "#".to_owned();
        for word in text.split_whitespace() {
            let wider = line.chars().count() + 1 + word.chars().count();
            if WIDTH < wider && line != "#" {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn needed(&mut self, key: &str, what: &str, pick: Option<&Pick>, candidates: &str) {
        self.pick(key, what, pick);
        if pick.is_none() {
            self.comment(&format!(
                "FILL IN. {what}: no column could be told by its name; {candidates}."
            ));
            self.line(&format!("# {key} = \"\""));
        }
    }

    fn pick(&mut self, key: &str, what: &str, pick: Option<&Pick>) {
        let Some(pick) = pick else { return };
        let (value, reason) = (shown(&pick.value), &pick.reason);
        // The one key here that is no text.
        let is_text = key != "deduplicate";
        let toml = if is_text {
            quoted(&pick.value)
        } else {
            pick.value.clone()
        };
        if pick.active {
            self.comment(&format!("{what}: {value}, because {reason}."));
            self.key(key, &toml);
        } else {
            self.comment(&format!("{what}: {value} is only offered; {reason}."));
            self.key(&format!("# {key}"), &toml);
        }
        for other in &pick.alternatives {
            self.line(&format!("# or: {key} = {}", quoted(other)));
        }
        self.keys.push(key.to_owned());
    }
}

/// A TOML string: in single quotes, as it stands, where double quotes or backslashes would need escapes.
fn quoted(text: &str) -> String {
    let printable = !text.chars().any(char::is_control);
    if printable && text.contains(['"', '\\']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut escaped = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            // Writing to a string cannot fail.
            c if c.is_control() => _ = write!(escaped, "\\u{:04X}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped.push('"');
    escaped
}

/// A value as it stands, unless it would break the line.
fn one_line(text: &str) -> String {
    if text.chars().any(char::is_control) {
        shown(text)
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;
    use crate::load::guess::guess;
    use crate::load::guess::tests::{
        cdnow, chinese, event_log, hopeless, online_retail, quoted_names, ready_customers,
        shop_export,
    };

    fn all() -> [Vec<ColumnProfile>; 8] {
        [
            cdnow(),
            online_retail(),
            chinese(),
            shop_export(),
            event_log(),
            ready_customers(),
            hopeless(),
            quoted_names(),
        ]
    }

    fn page(columns: &[ColumnProfile]) -> String {
        to_toml(&guess(columns), &["data/*.parquet".to_owned()], columns)
    }

    #[test]
    fn the_text_holds_what_was_guessed() {
        for columns in all() {
            let guess = guess(&columns);
            let table: Table = page(&columns).parse().unwrap();
            for (key, pick) in [
                ("customer", &guess.customer),
                ("time", &guess.time),
                ("amount", &guess.amount),
                ("order", &guess.order),
                ("event", &guess.event),
                ("where", &guess.filter),
                ("recency-column", &guess.recency),
                ("frequency-column", &guess.frequency),
                ("monetary-column", &guess.monetary),
            ] {
                let active = pick.as_ref().filter(|pick| pick.active);
                let expected = active.map(|pick| pick.value.as_str());
                assert_eq!(
                    table["input"].get(key).and_then(Value::as_str),
                    expected,
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn every_offered_key_can_be_set_by_taking_its_mark_away() {
        for columns in all() {
            let page = page(&columns);
            let offers = page.lines().filter_map(|line| line.strip_prefix("# "));
            for offer in offers.map(|line| line.trim_start_matches("or: ")) {
                let key = offer.split_once(" = ").map_or("", |(key, _)| key);
                if !key.is_empty()
                    && key
                        .bytes()
                        .all(|byte| byte == b'-' || byte.is_ascii_lowercase())
                {
                    assert!(offer.parse::<Table>().is_ok(), "{offer}");
                }
            }
        }
    }

    #[test]
    fn every_live_key_stands_under_its_reason() {
        for columns in all() {
            let page = page(&columns);
            let lines: Vec<&str> = page.lines().collect();
            for pair in lines.windows(2) {
                let live = pair[1].contains(" = ") && !pair[1].starts_with('#');
                assert!(!live || pair[0].starts_with("# "), "{}", pair[1]);
            }
        }
    }

    #[test]
    fn what_is_missing_says_fill_in() {
        let hopeless = page(&hopeless());
        assert!(hopeless.contains("# FILL IN before the first run: customer, time.\n"));
        assert!(hopeless.contains("\n# customer = \"\"\n"));
        assert!(!page(&online_retail()).contains("FILL IN"));
        assert!(page(&ready_customers()).contains("\n# FILL IN the day"));
    }

    #[test]
    fn the_types_of_an_activity_log_come_with_weights() {
        let page = page(&event_log());
        let table = page
            .replace("# [features.monetary]", "[features.monetary]")
            .replace("# weights", "weights")
            .parse::<Table>()
            .unwrap();
        let weights = &table["features"]["monetary"]["weights"];
        let read = ["view", "comment", "like", "purchase"].map(|event| weights[event].as_integer());
        assert_eq!(read, [Some(1), Some(5), Some(2), Some(10)]);
    }

    #[test]
    fn strings_survive_whatever_they_hold() {
        for text in [
            "plain",
            "客户",
            "it's",
            "a \"b\"",
            "it's \"both\" \\",
            "tab\tline\nfeed\r\u{0}\u{7f}\u{85}",
            "C:\\data",
            "# no comment",
            "",
        ] {
            let table: Table = format!("x = {}", quoted(text)).parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }

    #[test]
    fn several_inputs_become_an_array() {
        assert_eq!(paths(&["a.parquet".to_owned()]), "\"a.parquet\"");
        assert_eq!(
            paths(&["a b.parquet".to_owned(), "c'd".to_owned()]),
            "[\"a b.parquet\", \"c'd\"]"
        );
    }

    #[test]
    fn online_retail_is_explained() {
        insta::assert_snapshot!(explain(&guess(&online_retail())).join("\n"), @r#"
        level       = orders   because a customer has 93.1 rows on average
        customer    = customer_id   because its name says customer (str); 4,372 different values in 541,909 rows; empty in 135,080 of 541,909 rows (24.9 %)
        time        = invoice_date   because its name says when (datetime[μs]); such as `2010-12-01 08:26:00`
        amount      = quantity * unit_price   because `unit_price` is the price of one and `quantity` says how many, while no column holds the total of a row
        order       = invoice_no   because its name says order (str); 25,900 different values in 541,909 rows, so an order has 20.9 rows
        where       = customer_id IS NOT NULL   because `customer_id` is empty in 135,080 of 541,909 rows (24.9 %), and a run stops where more than 1 % of the rows are faulty (`max-rejected`)
        deduplicate   not set; could be true: rows have no number of their own, so two equal rows may be one that came twice
        note: orders such as `C536379` look cancelled and 2 % of `quantity` are below zero; `refunds = "net"` (the default) handles this: refunds lower M, are no orders and make nobody recent
        "#);
    }

    #[test]
    fn online_retail_becomes_a_config() {
        let page = page(&online_retail());
        let (guessed, _) = page.split_once("\n[features]").unwrap();
        insta::assert_snapshot!(guessed, @r#"
        # Settings of tiermill, guessed by `tiermill init` from the columns of the input.
        # Check what is set, then run `tiermill check`.
        # Note: orders such as `C536379` look cancelled and 2 % of `quantity` are below zero; `refunds =
        # "net"` (the default) handles this: refunds lower M, are no orders and make nobody recent.

        [input]
        # Parquet files, folders or globs.
        input = "data/*.parquet"
        # A row is an order, a line of one or an event, because a customer has 93.1 rows on average.
        # level = "orders"              # "customers": a row is a customer, with R, F and M ready
        # Who buys: `customer_id`, because its name says customer (str); 4,372 different values in 541,909
        # rows; empty in 135,080 of 541,909 rows (24.9 %).
        customer = "customer_id"
        # When: `invoice_date`, because its name says when (datetime[μs]); such as `2010-12-01 08:26:00`.
        time = "invoice_date"
        # How much: `quantity * unit_price`, because `unit_price` is the price of one and `quantity` says
        # how many, while no column holds the total of a row.
        amount = "quantity * unit_price"
        # Which rows are one order: `invoice_no`, because its name says order (str); 25,900 different values
        # in 541,909 rows, so an order has 20.9 rows.
        order = "invoice_no"
        # Rows that count: `customer_id IS NOT NULL`, because `customer_id` is empty in 135,080 of 541,909
        # rows (24.9 %), and a run stops where more than 1 % of the rows are faulty (`max-rejected`).
        where = "customer_id IS NOT NULL"
        # or: where = "customer_id IS NOT NULL AND quantity > 0 AND unit_price > 0 AND invoice_no NOT LIKE 'C%'"
        # Duplicate rows: `true` is only offered; rows have no number of their own, so two equal rows may be
        # one that came twice.
        # deduplicate = true
        # timezone = "Asia/Shanghai"    # zone whose midnights count; default: none, times as they stand
        # decimals = 4                  # amounts are summed exactly with this many; Decimal columns keep their own
        # max-rejected = 0.01           # share of faulty rows over which nothing is published

        [rfm]
        # as-of = "YYYY-MM-DD"          # moment to look from, exclusive; default: midnight after the newest order
        # count = "orders"              # what frequency counts: "orders", "days" or "rows"
        # recency = "floor"             # days since the last order: "floor", "calendar" or "exact"
        # monetary = "sum"              # "sum", or "mean" per order
        # refunds = "net"               # amounts below zero: "net" lowers M; or "keep", "drop", "reject"
        # window = "365d"               # use only this long before as-of; default: everything
        # max-gap = "30d"               # without as-of: widest gap before the newest orders that is believed
        "#);
    }
}
