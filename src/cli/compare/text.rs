//! A comparison as text: tables of at most 120 columns, the names of tiers spelled out once.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::super::plain::{Table, name as short, plain};
use super::super::render::{TITLE, count, moment, none, number, percent, table, wrapped};
use crate::compare::{
    Agreement, Comparison, CrossTable, Figures, Floor, Moved, Pairing, SegmentPlan, Value,
};
use crate::pipeline::Compared;

/// Columns of a cross table that stand beside each other.
const BESIDE: usize = 8;
/// Flows that are told in words.
const FLOWS: usize = 5;
/// The same in the report of a run.
const FLOWS_OF_RUN: usize = 3;

/// The answer of `compare`.
pub(super) fn compared(compared: &Compared, with_plan: bool) -> String {
    let mut text = String::new();
    let comparison = &compared.comparison;
    let coverage = compared.coverage;
    let _ = writeln!(
        text,
        "{TITLE}{} customers in both, as of {}{TITLE:#}",
        count(comparison.customers),
        moment(&compared.as_of)
    );
    for (side, name, customers, only) in [
        ("A", &comparison.a, coverage.customers_a, coverage.only_a),
        ("B", &comparison.b, coverage.customers_b, coverage.only_b),
    ] {
        let alone = match only {
            0 => String::new(),
            only => format!(", {} of them only here", count(only)),
        };
        let _ = writeln!(
            text,
            "{side} = {}: {} customers{alone}",
            plain(name),
            count(customers)
        );
    }
    text.push('\n');
    text += &comparison_text(comparison);
    if with_plan {
        let _ = writeln!(text, "\n{}", plan(comparison));
    }
    if !compared.files.is_empty() {
        let _ = writeln!(text, "\n{TITLE}Written{TITLE:#}");
        for file in &compared.files {
            let _ = writeln!(text, "  {}", plain(&file.display().to_string()));
        }
    }
    text
}

/// The comparison in the report of a run: a few lines.
pub(in super::super) fn summary(comparison: &Comparison) -> String {
    let value = &comparison.value;
    let figure = |value: Option<f64>| value.map_or_else(none, figure);
    let mut text = format!(
        "{TITLE}Rules {} (A) against {} (B){TITLE:#}: adjusted Rand {:.3}\n",
        plain(&comparison.a),
        plain(&comparison.b),
        comparison.agreement.adjusted_rand
    );
    let _ = writeln!(
        text,
        "Gini of revenue {} and {} (random {}), silhouette {} and {}",
        figure(value.a.figures.gini),
        figure(value.b.figures.gini),
        figure(value.random.figures.gini),
        silhouette(&value.a),
        silhouette(&value.b)
    );
    text + &moved(&comparison.moved, FLOWS_OF_RUN)
}

fn comparison_text(comparison: &Comparison) -> String {
    let mut text = format!("{TITLE}Tiers{TITLE:#}\n");
    for (side, value, names) in [
        ("A", &comparison.value.a, &comparison.cross_table.rows),
        ("B", &comparison.value.b, &comparison.cross_table.columns),
    ] {
        let _ = writeln!(text, "{}\n", tiers(side, value, names).trim_fmt());
    }
    text += &cross_table(&comparison.cross_table);
    text += &agreement(&comparison.agreement);
    let _ = writeln!(
        text,
        "{TITLE}Value{TITLE:#}\n{}",
        values(comparison).trim_fmt()
    );
    text += "Random: customers dealt at random into tiers of the sizes of A, of B: mean ± deviation between deals.\nGini 0: all tiers spend alike.\n";
    let values = [&comparison.value.a, &comparison.value.b];
    if values.iter().any(|value| !value.silhouette_exact) {
        text += "≈: approximate, measured on a sketch of the customers; ± two standard errors.\n";
    }
    if let Some(most) = comparison.gini_of_customers {
        let _ = writeln!(
            text,
            "No tiering can exceed a Gini of {most:.3}, that of single customers."
        );
    }
    text.push('\n');
    text += &moved(&comparison.moved, FLOWS);
    text
}

/// Tiers of one side, numbered as the cross table has them.
fn tiers(side: &str, value: &Value, names: &[String]) -> Table {
    let mut table = table(&[
        (side, false),
        ("Tier", false),
        ("Customers", true),
        ("Share", true),
        ("Revenue", true),
        ("Share", true),
        ("Per customer", true),
    ]);
    for tier in &value.tiers {
        let place = names.iter().position(|name| *name == tier.name);
        table.add_row(vec![
            place.map_or_else(String::new, |place| format!("{side}{}", place + 1)),
            short(&tier.name),
            count(tier.customers),
            percent(tier.customer_share),
            number(tier.revenue, 2),
            tier.revenue_share.map_or_else(none, percent),
            number(tier.revenue_per_customer, 2),
        ]);
    }
    table
}

fn cross_table(cross: &CrossTable) -> String {
    let mut text = format!("{TITLE}Customers by tier of A (rows) and of B{TITLE:#}\n");
    let columns: Vec<usize> = (0..cross.columns.len()).collect();
    for beside in columns.chunks(BESIDE) {
        let names: Vec<String> = beside
            .iter()
            .map(|column| format!("B{}", column + 1))
            .collect();
        let mut header = vec![("", false)];
        header.extend(names.iter().map(|name| (name.as_str(), true)));
        let mut table = table(&header);
        for (row, (name, customers)) in cross.rows.iter().zip(&cross.customers).enumerate() {
            let mut cells = vec![format!("A{} {}", row + 1, short(name))];
            cells.extend(beside.iter().map(|&column| match customers[column] {
                0 => "·".to_owned(),
                customers => count(customers),
            }));
            table.add_row(cells);
        }
        let _ = writeln!(text, "{}\n", table.trim_fmt());
    }
    text
}

fn agreement(agreement: &Agreement) -> String {
    format!(
        "{TITLE}Agreement{TITLE:#} (1 the same, 0 as by chance)\n\
         Adjusted Rand {:.3}, adjusted mutual information {:.3}\n\
         V-measure {:.3} (homogeneity {:.3}, completeness {:.3}), variation of information {:.3} nats\n\
         {} of the customers are in the most frequent tier of A of their tier in B, {} the other way round\n\n",
        agreement.adjusted_rand,
        agreement.adjusted_mutual_info,
        agreement.v_measure,
        agreement.homogeneity,
        agreement.completeness,
        agreement.variation_of_information,
        percent(agreement.purity_a_by_b),
        percent(agreement.purity_b_by_a),
    )
}

fn values(comparison: &Comparison) -> Table {
    let mut table = table(&[
        ("", false),
        ("A", true),
        ("B", true),
        ("Random A", true),
        ("Random B", true),
    ]);
    let values = &comparison.value;
    let mut row = |name: &str, of: &dyn Fn(&Figures) -> Option<f64>, print: fn(f64) -> String| {
        let value = |value: &Value| of(&value.figures).map_or_else(none, print);
        let floor = |floor: &Floor| match (of(&floor.figures), of(&floor.spread)) {
            (Some(mean), Some(spread)) => format!("{} ± {}", print(mean), print(spread)),
            _ => none(),
        };
        let (random, random_b) = (floor(&values.random), floor(&values.random_b));
        let (a, b) = match name {
            SILHOUETTE => (silhouette(&values.a), silhouette(&values.b)),
            _ => (value(&values.a), value(&values.b)),
        };
        table.add_row(vec![name.to_owned(), a, b, random, random_b]);
    };
    row("Gini of revenue", &|f| f.gini, figure);
    row("Top tier: revenue", &|f| f.top_capture, percent);
    row("Top tier: customers", &|f| Some(f.top_share), percent);
    row("Best 20 %: revenue", &|f| f.capture_20, percent);
    let of = |map: &Map<String, Json>, name: &str| map.get(name).and_then(Json::as_f64);
    for name in values.a.figures.eta2.keys() {
        row(&format!("η² {name}"), &|f| of(&f.eta2, name), figure);
    }
    for name in values.a.figures.eta2_scaled.keys() {
        let scaled = |f: &Figures| of(&f.eta2_scaled, name);
        row(&format!("η² {name}, scaled"), &scaled, figure);
    }
    row(SILHOUETTE, &|f| f.silhouette, figure);
    row("Balance of sizes", &|f| f.balance, figure);
    table
}

const SILHOUETTE: &str = "Silhouette";

/// A figure between −1 and 1.
fn figure(value: f64) -> String {
    format!("{value:.3}")
}

/// A silhouette; one that is not of all pairs says how near it is.
fn silhouette(value: &Value) -> String {
    let Some(found) = value.figures.silhouette.map(figure) else {
        return none();
    };
    match value.silhouette_error {
        _ if value.silhouette_exact => found,
        Some(error) => format!("≈ {found} ± {error:.4}"),
        None => format!("≈ {found}"),
    }
}

fn moved(moved: &Moved, told: usize) -> String {
    let matched = match moved.matched_by {
        Pairing::Names => "tiers of one name belong together",
        Pairing::Ranks => "tiers of one rank belong together",
        Pairing::Overlap => "tiers are matched so that most customers stay",
    };
    let mut text = format!(
        "{TITLE}{} customers ({}) with a revenue of {} change places{TITLE:#}; {matched}\n",
        count(moved.customers),
        percent(moved.share),
        number(moved.revenue, 2)
    );
    for flow in moved.flows.iter().take(told) {
        let _ = writeln!(text, "- {}", wrapped(&flow.words));
    }
    if told < moved.flows.len() {
        let rest = moved.flows.len() - told;
        let _ = writeln!(
            text,
            "and {rest} smaller flow{}",
            if rest == 1 { "" } else { "s" }
        );
    }
    text
}

fn plan(comparison: &Comparison) -> String {
    let mut customers = table(&[
        ("Segment of B", false),
        ("Takes the place of", false),
        ("Before", true),
        ("Leave", true),
        ("Enter", true),
        ("After", true),
        ("Net", true),
    ]);
    let mut revenue = table(&[
        ("Segment of B", false),
        ("Before", true),
        ("Leaves", true),
        ("Enters", true),
        ("After", true),
        ("Net", true),
    ]);
    for segment in &comparison.plan {
        customers.add_row(of_customers(segment));
        let change = segment.revenue;
        let mut row = vec![short(&segment.segment)];
        row.extend(
            [change.before, change.leave, change.enter, change.after]
                .map(|amount| number(amount, 2)),
        );
        row.push(signed(number(change.net, 2), 0.0 < change.net));
        revenue.add_row(row);
    }
    format!(
        "{TITLE}Plan: if {} takes the place of {}{TITLE:#}\nCustomers\n{}\n\nRevenue\n{}",
        plain(&comparison.b),
        plain(&comparison.a),
        customers.trim_fmt(),
        revenue.trim_fmt()
    )
}

fn of_customers(segment: &SegmentPlan) -> Vec<String> {
    let change = segment.customers;
    let whole = |n: i64| count(n.unsigned_abs());
    let was = if segment.was.is_empty() {
        "(new)".to_owned()
    } else {
        let was: Vec<String> = segment.was.iter().map(|name| short(name)).collect();
        was.join(", ")
    };
    let net = if change.net < 0 {
        format!("-{}", whole(change.net))
    } else {
        signed(whole(change.net), 0 < change.net)
    };
    let mut row = vec![short(&segment.segment), was];
    row.extend([change.before, change.leave, change.enter, change.after].map(whole));
    row.push(net);
    row
}

fn signed(text: String, more: bool) -> String {
    if more { format!("+{text}") } else { text }
}
