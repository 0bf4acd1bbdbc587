//! Charts that stand alone, for mail: SVG without scripts, and PNG of it.
//!
//! In: the documents of a run and its cells. Out: named SVG texts; of each the bytes of a PNG ([`png`]).
//! Invariant: they show the numbers of the page and no others.

mod png;

use std::fmt::Write as _;

use serde_json::Value;

use super::DIMENSIONS;
use super::cells::Cells;
use super::encode::escaped;
use crate::config::grouped;

pub use png::{Fonts, Png, png};

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Name of its files, without `.svg` and `.png`.
    pub name: String,
    /// Its contents.
    pub svg: String,
}

/// Width of a picture; mail programs scale it.
const WIDTH: f64 = 720.0;
/// Best to worst, told apart by colour-blind people, too (viridis, cut short of its yellow).
const COLOURS: [&str; 10] = [
    "#3b1f6b", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151",
    "#a5c93a", "#c8c020",
];
/// Room for the name of a tier, left of its bars.
const NAME_WIDTH: f64 = 266.0;
/// Where the bars of a histogram stand, how high the highest is, and how wide one is at least, unless a cut ends it.
const BOTTOM: f64 = 220.0;
const HIGH: f64 = 160.0;
const NARROW: f64 = 5.0;
const INK: &str = "#1d2129";
const QUIET: &str = "#5b6472";

/// Tiers by customers and revenue; a histogram of each dimension with the cut points of the rules or scores.
pub fn charts(document: &Value, cells: &Cells) -> Vec<Chart> {
    let mut charts = vec![Chart {
        name: "tiers".to_owned(),
        svg: tiers(document),
    }];
    for (dimension, name) in DIMENSIONS.into_iter().enumerate() {
        charts.push(Chart {
            name: name.to_owned(),
            svg: histogram(document, cells, dimension),
        });
    }
    charts
}

fn picture(title: &str, height: f64, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"600\" fill=\"{INK}\">{title}</text>\n{body}</svg>\n"
    )
}

/// Two bars a tier: its share of the customers and of the revenue.
fn tiers(document: &Value) -> String {
    let none = Vec::new();
    let tiers = document["tiers"]["tiers"].as_array().unwrap_or(&none);
    let scale = |share: f64| share.clamp(0.0, 1.0) * 300.0;
    let mut body = String::new();
    for (index, tier) in tiers.iter().enumerate() {
        let y = 56.0 + 48.0 * index as f64;
        let colour = COLOURS[index * (COLOURS.len() - 1) / tiers.len().max(2).saturating_sub(1)];
        let name = tier["name"].as_str().unwrap_or_default();
        let shown = format!("{} {name}", index + 1);
        let _ = writeln!(
            body,
            "<text x=\"16\" y=\"{}\" fill=\"{INK}\"><title>{}</title>{}</text>",
            y + 15.0,
            escaped(name),
            escaped(&fitting(&shown, NAME_WIDTH))
        );
        for (line, (key, what)) in [
            ("customer_share", "customers"),
            ("revenue_share", "revenue"),
        ]
        .into_iter()
        .enumerate()
        {
            // Of a total that is not above 0 nothing is a share.
            let share = tier[key].as_f64();
            let told =
                share.map_or_else(|| "—".to_owned(), |share| format!("{:.1} %", share * 100.0));
            let share = share.unwrap_or(0.0);
            let top = y + 18.0 * line as f64;
            let opacity = if line == 0 { 0.45 } else { 1.0 };
            let _ = writeln!(
                body,
                "<rect x=\"290\" y=\"{top}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/><text x=\"{:.1}\" y=\"{}\" fill=\"{QUIET}\">{told} of {what}</text>",
                scale(share),
                296.0 + scale(share),
                top + 12.0
            );
        }
    }
    let height = 72.0 + 48.0 * tiers.len() as f64;
    picture("Tiers by customers and revenue", height, &body)
}

/// Where an axis shows a value: money and orders by their logarithm.
fn place(dimension: usize, value: f64) -> f64 {
    match dimension {
        0 => value,
        _ => value.signum() * value.abs().ln_1p(),
    }
}

/// Bars whose area is the number of customers, since bins are not equally wide.
fn histogram(document: &Value, cells: &Cells, dimension: usize) -> String {
    let edges = cells.edges()[dimension];
    let mut customers = vec![0_u64; edges.len()];
    for cell in &cells.cells {
        customers[cell.bins[dimension]] += cell.customers;
    }
    let places: Vec<f64> = edges.iter().map(|&edge| place(dimension, edge)).collect();
    let (Some(&first), Some(&last)) = (places.first(), places.last()) else {
        return picture(DIMENSIONS[dimension], 260.0, "");
    };
    let none = Vec::new();
    let tiers = document["tiers"]["tiers"].as_array().unwrap_or(&none);
    let whole = is_whole(tiers, dimension);
    let smallest = tiers
        .iter()
        .filter_map(|tier| tier[DIMENSIONS[dimension]]["min"].as_f64())
        .fold(edges[0], f64::min);
    // Who has the least of all still is as wide as a bar.
    let low = place(dimension, smallest) - (last - first) / 80.0;
    let x = |at: f64| 16.0 + (at - low) / (last - low).max(f64::MIN_POSITIVE) * (WIDTH - 32.0);
    let cuts = document["sets"][0]["cuts"][DIMENSIONS[dimension]].as_array();
    let cuts: Vec<f64> = cuts
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64)
        .collect();
    let ends: Vec<(f64, bool)> = edges
        .iter()
        .zip(&places)
        .map(|(edge, &place)| (x(place), cuts.contains(edge)))
        .collect();
    let mut body = bars(x(low), &ends, &customers);
    let labelled: Vec<(f64, String)> = cuts
        .iter()
        .map(|&cut| (x(place(dimension, cut)), said(dimension, whole, cut)))
        .collect();
    body.push_str(&cut_lines(&labelled, BOTTOM));
    let greatest = edges.last().map_or(0.0, |&edge| edge);
    for (at, anchor, value) in [(16.0, "start", smallest), (WIDTH - 16.0, "end", greatest)] {
        let _ = writeln!(
            body,
            "<text x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"{QUIET}\" font-size=\"11\">{}</text>",
            BOTTOM + 50.0,
            fitting(&said(dimension, whole, value), WIDTH / 3.0)
        );
    }
    let title = ["Recency in days", "Orders", "Amount"][dimension];
    picture(title, 282.0, &body)
}

/// Bars of the customers up to each end, the first from `left`: narrow ones are put together, but not across a cut (`true`), or
/// one price that many paid would be higher than all the rest. One that a cut ends early is as high as if it were not narrow.
fn bars(left: f64, ends: &[(f64, bool)], customers: &[u64]) -> String {
    let mut bars: Vec<(f64, f64, u64)> = Vec::new();
    let mut open = (left, 0);
    for (&(end, cut), &inside) in ends.iter().zip(customers) {
        open.1 += inside;
        if cut || NARROW <= end - open.0 {
            bars.push((open.0, end, open.1));
            open = (end, 0);
        }
    }
    if let (Some(&(end, _)), true) = (ends.last(), 0 < open.1) {
        bars.push((open.0, end, open.1));
    }
    let density = |&(from, to, inside): &(f64, f64, u64)| inside as f64 / (to - from).max(NARROW);
    let most = bars.iter().map(density).fold(0.0, f64::max);
    let mut body = String::new();
    for bar in bars.iter().filter(|bar| 0 < bar.2) {
        let high = density(bar) / most * HIGH;
        let _ = writeln!(
            body,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{high:.2}\" fill=\"#2a788e\" fill-opacity=\"0.7\"/>",
            bar.0,
            BOTTOM - high,
            (bar.1 - bar.0).max(0.5),
        );
    }
    body
}

/// A line for each cut point, and what it is called below: in a second row where the first is taken, and not where both are.
fn cut_lines(cuts: &[(f64, String)], bottom: f64) -> String {
    let mut body = String::new();
    let mut free = [0.0_f64; 2];
    for (at, label) in cuts {
        let _ = writeln!(body, "<path d=\"M{at:.2} 44V{bottom}\" stroke=\"{INK}\"/>");
        let label = fitting(label, WIDTH / 3.0);
        let half = width(&label) / 2.0;
        let middle = at.clamp(8.0 + half, WIDTH - 8.0 - half);
        // Where neither row has room, the line says where the cut is, and thresholds.json what it is called.
        let Some(row) = free.iter().position(|&free| free <= middle - half) else {
            continue;
        };
        free[row] = middle + half + 6.0;
        let y = bottom + 18.0 + 15.0 * row as f64;
        let _ = writeln!(
            body,
            "<text x=\"{middle:.2}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{INK}\">{label}</text>"
        );
    }
    body
}

/// Whether a dimension has whole numbers only: orders always, days unless recency is exact.
fn is_whole(tiers: &[Value], dimension: usize) -> bool {
    let name = DIMENSIONS[dimension];
    let ends = |tier: &Value| ["min", "max"].map(|end| tier[name][end].as_f64());
    let mut all = tiers.iter().flat_map(ends).flatten();
    match dimension {
        0 => all.all(|days| days.fract() == 0.0),
        1 => true,
        _ => false,
    }
}

/// A cut point as people read it: among whole numbers up to 2.87 is up to 2; amounts have cents below 1,000.
fn said(dimension: usize, whole: bool, cut: f64) -> String {
    let value = if whole { cut.floor() } else { cut };
    let is_long = dimension == 2 && 1_000.0 <= value.abs();
    let (digits, scale) = if value.fract() == 0.0 || is_long {
        (0, 1.0)
    } else {
        (2, 100.0)
    };
    // Halves go away from zero, as on the page: `format!` would take them to the even neighbour.
    let value = match (value.abs() * 8.0).fract() {
        0.0 if value.abs() < 1e15 => (value * scale).round() / scale,
        _ => value,
    };
    let text = format!("{:.digits$}", value.abs());
    let (integer, cents) = text.split_at(text.find('.').unwrap_or(text.len()));
    // A day has no cents: 4.50 days are 4.5.
    let cents = if dimension == 2 {
        cents
    } else {
        cents.trim_end_matches('0').trim_end_matches('.')
    };
    let nothing = text.chars().all(|letter| matches!(letter, '0' | '.'));
    let sign = if value < 0.0 && !nothing { "−" } else { "" };
    format!("{sign}{}{cents}", grouped(integer))
}

/// About how wide a text is drawn: no picture knows the font of its reader.
fn width(text: &str) -> f64 {
    let of = |letter: char| match letter {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffef}' | '\u{1f000}'.. => 13.0,
        'M' | 'W' | 'm' | 'w' | '@' | '%' => 12.0,
        'A'..='Z' => 9.2,
        ' ' | '.' | ',' | '\'' | '·' | 'i' | 'j' | 'l' | 't' | 'f' | 'r' | '(' | ')' => 5.0,
        _ => 7.8,
    };
    text.chars().map(of).sum()
}

/// As much of a text as has room, with `…` for the rest.
fn fitting(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if room < width(&kept) + width(&letter.to_string()) + width("…") {
            break;
        }
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_room_whatever_the_cut_points_are() {
        let drawn = cut_lines(&[(700.0, said(2, false, 1e120))], 200.0);
        assert!(drawn.contains('…') && drawn.len() < 400, "{drawn}");
        let close = [100.0, 101.0, 102.0, 103.0].map(|at| (at, said(0, true, at)));
        let drawn = cut_lines(&close, 200.0);
        assert_eq!(drawn.matches("<path").count(), 4, "{drawn}");
        assert_eq!(drawn.matches("<text").count(), 2, "{drawn}");
        assert!(
            drawn.contains("y=\"218\"") && drawn.contains("y=\"233\""),
            "{drawn}"
        );
    }

    #[test]
    fn bars_are_as_large_as_their_customers_are_many() {
        // 1 wide and 30 customers beside 9 wide and 30: together 10 wide; a cut keeps the next ones apart.
        let ends = [
            (1.0, false),
            (10.0, true),
            (12.0, true),
            (30.0, false),
            (31.0, false),
        ];
        let drawn = bars(0.0, &ends, &[30, 30, 6, 54, 2]);
        let number = |line: &str, key: &str| -> f64 {
            let rest = line.split_once(&format!("{key}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        let found: Vec<[f64; 3]> = drawn
            .lines()
            .map(|line| ["x", "width", "height"].map(|key| number(line, key)))
            .collect();
        // 6 customers a unit are the most; what a cut made narrower than a bar is as high as if it were one.
        assert_eq!(
            found,
            [
                [0.0, 10.0, 160.0],
                [10.0, 2.0, 32.0],
                [12.0, 18.0, 80.0],
                [30.0, 1.0, 10.67]
            ]
        );
    }

    #[test]
    fn cut_points_are_read_as_the_page_reads_them() {
        let days = [
            (true, 368.47, "368"),
            (false, 368.47, "368.47"),
            (false, 4.5, "4.5"),
            (false, 31.0, "31"),
        ];
        for (whole, cut, read) in days {
            assert_eq!(said(0, whole, cut), read);
        }
        let amounts = [
            (1234.5, "1,235"),
            (0.125, "0.13"),
            (-0.125, "−0.13"),
            (43.394_999, "43.39"),
            (-0.001, "0.00"),
            (-1e6, "−1,000,000"),
        ];
        for (cut, read) in amounts {
            assert_eq!(said(2, false, cut), read);
        }
        let exact = [serde_json::json!({ "recency_days": { "min": 1.0, "max": 9.5 } })];
        assert!(!is_whole(&exact, 0) && is_whole(&exact, 1) && !is_whole(&exact, 2));
        let whole = [
            serde_json::json!({ "recency_days": { "min": 1.0, "max": 9.0 } }),
            serde_json::json!({ "recency_days": null }),
        ];
        assert!(is_whole(&whole, 0));
    }
}
