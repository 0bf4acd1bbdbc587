//! A backtest as text: the verdict first, then tables of at most 120 columns.

use std::fmt::Write;

use super::super::plain::{Table, name as short, plain};
use super::super::render::{TITLE, count, moment, none, number, percent, table, wrapped};
use crate::compare::backtest::{Backtest, Fold, Measure, Tried};
use crate::pipeline::Backtested;

/// The answer of `backtest`.
pub(super) fn backtested(backtested: &Backtested) -> String {
    let backtest = &backtested.backtest;
    let mut text = String::new();
    for (index, sentence) in backtest.verdict.words.iter().enumerate() {
        let sentence = wrapped(sentence);
        let _ = match index {
            0 => writeln!(text, "{TITLE}{sentence}{TITLE:#}"),
            _ => writeln!(text, "{sentence}"),
        };
    }
    let _ = writeln!(
        text,
        "\n{TITLE}Periods of {} days{TITLE:#}\n{}\n",
        backtested.horizon_days,
        folds(&backtest.folds).trim_fmt()
    );
    let _ = writeln!(
        text,
        "{TITLE}Tierings{TITLE:#} (with {:.0} % intervals)\n{}",
        backtest.level * 100.0,
        tierings(backtest).trim_fmt()
    );
    text += "Tiers are ranked as of that day. Gini 0, lift 1: as by chance. Monotone: no tier brought more than a better one.\n";
    if let Some(most) = backtest
        .folds
        .first()
        .and_then(|fold| fold.gini_of_customers)
        && backtest.folds.len() == 1
    {
        let _ = writeln!(
            text,
            "No tiering can exceed a Gini of {most:.3}, that of single customers."
        );
    }
    let _ = writeln!(
        text,
        "\n{TITLE}Differences{TITLE:#}\n{}",
        differences(backtest).trim_fmt()
    );
    for tried in backtest.tierings.iter().filter(|tried| !tried.is_random()) {
        let _ = writeln!(text, "\n{}", tiers(tried).trim_fmt());
    }
    if !backtested.files.is_empty() {
        let _ = writeln!(text, "\n{TITLE}Written{TITLE:#}");
        for file in &backtested.files {
            let _ = writeln!(text, "  {}", plain(&file.display().to_string()));
        }
    }
    text
}

fn folds(folds: &[Fold]) -> Table {
    let mut table = table(&[
        ("From", false),
        ("Before", false),
        ("Customers", true),
        ("Bought again", true),
        ("Orders", true),
        ("Revenue", true),
        ("Each", true),
        ("No tier", true),
    ]);
    for fold in folds {
        table.add_row(vec![
            moment(&fold.at).to_owned(),
            moment(&fold.until).to_owned(),
            count(fold.customers),
            percent(fold.repeat_rate),
            count(fold.orders.unsigned_abs()),
            number(fold.revenue, 2),
            number(fold.revenue_per_customer, 2),
            count(fold.newcomers),
        ]);
    }
    table
}

fn tierings(backtest: &Backtest) -> Table {
    let mut table = table(&[
        ("", false),
        ("Lift", true),
        ("", false),
        ("Gini", true),
        ("", false),
        ("Top tier", true),
        ("Best 20 %", true),
        ("Rank correlation", true),
        ("", false),
        ("Monotone", false),
    ]);
    for tried in &backtest.tierings {
        let figures = tried.figures;
        let bounds = |measure: Measure, decimals: usize| {
            let found = tried.intervals.iter().find(|(own, _)| *own == measure);
            found
                .and_then(|(_, bounds)| *bounds)
                .map_or_else(String::new, |[low, high]| {
                    format!("{low:.decimals$}–{high:.decimals$}")
                })
        };
        let figure = |value: Option<f64>, decimals: usize| {
            value.map_or_else(none, |value| format!("{value:.decimals$}"))
        };
        table.add_row(vec![
            short(&tried.name),
            figure(figures.lift, 2),
            bounds(Measure::Lift, 2),
            figure(figures.gini, 3),
            bounds(Measure::Gini, 3),
            figures.top_capture.map_or_else(none, percent),
            figures.capture_20.map_or_else(none, percent),
            figure(figures.rank_correlation, 3),
            bounds(Measure::RankCorrelation, 3),
            if tried.monotone { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// The tiering that came first against each other one, in the measures that do not ask how large tiers are.
fn differences(backtest: &Backtest) -> Table {
    let mut table = table(&[
        ("", false),
        ("Measure", false),
        ("Difference", true),
        ("Interval", false),
        ("Verdict", false),
    ]);
    let Some(best) = &backtest.verdict.best else {
        return table;
    };
    for other in backtest.tierings.iter().filter(|tried| tried.name != *best) {
        for (measure, name) in [
            (Measure::Gini, "Gini"),
            (Measure::Capture20, "best 20 %"),
            (Measure::RankCorrelation, "rank correlation"),
        ] {
            let Some(found) = backtest.difference(best, &other.name, measure) else {
                continue;
            };
            let signed =
                |value: Option<f64>| value.map_or_else(none, |value| format!("{value:+.3}"));
            table.add_row(vec![
                if measure == Measure::Gini {
                    format!("{} − {}", short(best), short(&other.name))
                } else {
                    String::new()
                },
                name.to_owned(),
                signed(found.difference),
                format!("{} to {}", signed(found.low), signed(found.high)),
                found.verdict,
            ]);
        }
    }
    table
}

fn tiers(tried: &Tried) -> Table {
    let mut table = table(&[
        ("#", true),
        (&tried.name, false),
        ("Customers", true),
        ("Bought again", true),
        ("Orders", true),
        ("Revenue", true),
        ("Each", true),
    ]);
    for (rank, tier) in tried.tiers.iter().enumerate() {
        table.add_row(vec![
            (rank + 1).to_string(),
            short(&tier.name),
            count(tier.customers),
            percent(tier.repeat_rate),
            count(tier.orders.unsigned_abs()),
            number(tier.revenue, 2),
            number(tier.revenue_per_customer, 2),
        ]);
    }
    table
}
