//! Results as text: pure functions that return what is printed.

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use anstyle::Style;

use super::compare::summary;
use super::plain::{Table, name, plain, width};
use crate::cluster::Quality;
use crate::config::{Share, grouped};
use crate::load::Reconciliation;
use crate::pipeline::{Checked, Report};
use crate::tiers::{Spread, TierProfile};

pub(super) const TITLE: Style = Style::new().bold();

/// The report of `run`, `fit` and `assign`.
pub(super) fn report(report: &Report, explain: bool) -> String {
    let tiers = &report.tiers;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{TITLE}{} tiers of {} customers, as of {}{TITLE:#}",
        tiers.tiers.len(),
        count(tiers.customers),
        moment(&tiers.as_of)
    );
    let _ = writeln!(text, "{}.\n", tiers.k_reason);
    if explain && !tiers.k_table.is_empty() {
        let _ = writeln!(
            text,
            "{}\n",
            k_table(&tiers.k_table, tiers.tiers.len()).trim_fmt()
        );
        let _ = writeln!(
            text,
            "Large is good: silhouette, simplified, Caliński-Harabasz, stability (± over resampled customers). Small is good: inertia, Davies-Bouldin.\n"
        );
    }
    let _ = writeln!(text, "{}\n", tier_table(&tiers.tiers).trim_fmt());
    let _ = writeln!(
        text,
        "Code: recency, frequency, monetary; 1 is better than the mean of all customers. Recency (days), orders and monetary are medians.\n"
    );
    if let Some(compared) = &report.comparison {
        let _ = writeln!(text, "{}", summary(&compared.comparison));
    }
    let _ = writeln!(text, "{}", reconciliation(&report.rows));
    let _ = writeln!(
        text,
        "{TITLE}Published{TITLE:#} {}",
        plain(&folded(&report.directory).display().to_string())
    );
    for file in &report.files {
        let _ = writeln!(text, "  {:<20} {}", file, purpose(file));
    }
    text
}

/// The result of `check`.
pub(super) fn checked(checked: &Checked) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{TITLE}{} customers in {} file{}, as of {}{TITLE:#}\n",
        count(checked.customers),
        checked.files,
        if checked.files == 1 { "" } else { "s" },
        moment(&checked.as_of)
    );
    let _ = writeln!(text, "{}", reconciliation(&checked.rows));
    let _ = writeln!(
        text,
        "Faulty rows: {} ({}); `max-rejected` allows {}.",
        count(checked.faults),
        percent(checked.rows.fault_share()),
        Share(checked.max_rejected).percent()
    );
    text
}

fn purpose(file: &str) -> &'static str {
    match file {
        "assignments.parquet" => "a tier for every customer",
        "tiers.json" => "what the tiers are",
        "model.json" => "what `tiermill assign` needs",
        "thresholds.toml" => "cut points as a rule file",
        "thresholds.json" => "all cut points, with intervals",
        "thresholds.sql" => "cut points as SQL",
        "manifest.json" => "inputs, rows, timings, hashes",
        "comparison.json" => "the rules against the tiers",
        "moved.parquet" => "who changes places between the two",
        "report.html" => "the page: one file, for any browser",
        "rejected.parquet" => "rows that were not used, and why",
        _ => "",
    }
}

fn tier_table(tiers: &[TierProfile]) -> Table {
    let mut table = table(&[
        ("#", true),
        ("Tier", false),
        ("名称", false),
        ("Code", false),
        ("Customers", true),
        ("Share", true),
        ("Revenue", true),
        ("Share", true),
        ("Recency", true),
        ("Orders", true),
        ("Monetary", true),
    ]);
    let median = |spread: Option<Spread>, decimals| {
        spread.map_or_else(|| "–".to_owned(), |spread| number(spread.median, decimals))
    };
    for tier in tiers {
        table.add_row(vec![
            tier.rank.to_string(),
            name(&tier.name),
            name(&tier.name_zh),
            tier.code.clone(),
            count(tier.customers),
            percent(tier.customer_share),
            number(tier.revenue, 2),
            tier.revenue_share.map_or_else(|| "–".to_owned(), percent),
            median(tier.recency_days, 1),
            median(tier.frequency, 1),
            median(tier.monetary, 2),
        ]);
    }
    table
}

/// How good every k was, the one that was taken marked.
fn k_table(qualities: &[Quality], taken: usize) -> Table {
    let mut table = table(&[
        ("", false),
        ("k", true),
        ("Inertia", true),
        ("Silhouette", true),
        ("Simplified", true),
        ("Caliński-Harabasz", true),
        ("Davies-Bouldin", true),
        ("Smallest", true),
        ("Stability", true),
    ]);
    for quality in qualities {
        let stability = match (quality.stability, quality.stability_spread) {
            (Some(mean), Some(spread)) => format!("{mean:.2} ± {spread:.2}"),
            _ => "–".to_owned(),
        };
        table.add_row(vec![
            if quality.k == taken { "→" } else { "" }.to_owned(),
            quality.k.to_string(),
            number(quality.inertia, 2),
            format!("{:.3}", quality.silhouette),
            format!("{:.3}", quality.simplified_silhouette),
            number(quality.calinski_harabasz, 0),
            format!("{:.3}", quality.davies_bouldin),
            percent(quality.smallest_share),
            stability,
        ]);
    }
    table
}

fn reconciliation(rows: &Reconciliation) -> String {
    let mut text = format!(
        "{TITLE}Rows{TITLE:#} {} read = {} used + {} rejected\n",
        count(rows.read),
        count(rows.used),
        count(rows.all_rejected())
    );
    if !rows.rejected.is_empty() {
        let mut table = table(&[
            ("reason", false),
            ("rows", true),
            ("share", true),
            ("", false),
            ("", false),
        ]);
        for (reason, &n) in &rows.rejected {
            table.add_row(vec![
                reason.to_string(),
                count(n),
                percent(n as f64 / rows.read.max(1) as f64),
                if reason.is_fault() {
                    "fault"
                } else {
                    "asked for"
                }
                .to_owned(),
                reason.meaning().to_owned(),
            ]);
        }
        let _ = writeln!(text, "{}", table.trim_fmt());
    }
    text
}

/// A table without lines; `true` aligns a column to the right.
pub(super) fn table(columns: &[(&str, bool)]) -> Table {
    Table::new(columns)
}

/// 69,659.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// 2,500,315.63: at most `decimals` decimals, none where they are all 0.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !zero { "-" } else { "" };
    if fraction.bytes().all(|digit| digit == b'0') {
        format!("{sign}{}", grouped(whole))
    } else {
        format!("{sign}{}.{fraction}", grouped(whole))
    }
}

/// `data/../out` is `out`, unless `data` is a link to somewhere else.
fn folded(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for part in path.components() {
        let above = matches!(folded.components().next_back(), Some(Component::Normal(_)));
        if part == Component::ParentDir && above {
            folded.pop();
        } else {
            folded.push(part);
        }
    }
    match (path.canonicalize(), folded.canonicalize()) {
        (Ok(meant), Ok(shown)) if meant == shown => folded,
        _ => path.to_owned(),
    }
}

/// 12.3 %; never 0.0 % for something that is there.
pub(super) fn percent(share: f64) -> String {
    if 0.0 < share && share < 0.000_5 {
        return "< 0.1 %".to_owned();
    }
    format!("{:.1} %", share * 100.0)
}

/// What stands where there is no figure.
pub(super) fn none() -> String {
    "–".to_owned()
}

/// A sentence in lines that fit a terminal of 120 columns, the later ones indented. Wide characters count twice.
pub(super) fn wrapped(sentence: &str) -> String {
    const WIDTH: usize = 116;
    let sentence = plain(sentence);
    let mut text = String::new();
    let mut used = 0;
    for word in sentence.split(' ') {
        let own = width(word);
        if used != 0 && WIDTH < used + 1 + own {
            text.push_str("\n  ");
            used = 0;
        } else if used != 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += own;
    }
    text
}

/// A midnight is a day.
pub(super) fn moment(iso: &str) -> &str {
    iso.strip_suffix("T00:00:00").unwrap_or(iso)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_keep_their_sign() {
        assert_eq!(count(69_659), "69,659");
        assert_eq!(count(100), "100");
        assert_eq!(number(2_500_315.63, 2), "2,500,315.63");
        assert_eq!(number(-1_234.0, 2), "-1,234");
        assert_eq!(number(-0.001, 2), "0");
        assert_eq!(number(34.0, 0), "34");
    }
}
