//! Charts that stand alone, for mail: SVG without scripts.
//!
//! In: the documents of a run and its cells. Out: named SVG texts.
//! Invariant: they show the numbers of the page and no others.

use std::fmt::Write as _;

use serde_json::Value;

use super::DIMENSIONS;
use super::cells::Cells;
use super::encode::escaped;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Name of its file.
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
const INK: &str = "#1d2129";
const QUIET: &str = "#5b6472";

/// Tiers by customers and revenue; a histogram of each dimension with the cut points of the rules or scores.
pub fn charts(document: &Value, cells: &Cells) -> Vec<Chart> {
    let mut charts = vec![Chart {
        name: "tiers.svg".to_owned(),
        svg: tiers(document),
    }];
    for (dimension, name) in DIMENSIONS.into_iter().enumerate() {
        charts.push(Chart {
            name: format!("{name}.svg"),
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
    let scale = |share: f64| share.clamp(0.0, 1.0) * 340.0;
    let mut body = String::new();
    for (index, tier) in tiers.iter().enumerate() {
        let y = 56.0 + 48.0 * index as f64;
        let colour = COLOURS[index * (COLOURS.len() - 1) / tiers.len().max(2).saturating_sub(1)];
        let name = escaped(tier["name"].as_str().unwrap_or_default());
        let _ = writeln!(
            body,
            "<text x=\"16\" y=\"{}\" fill=\"{INK}\">{} {name}</text>",
            y + 15.0,
            index + 1
        );
        for (line, (key, what)) in [
            ("customer_share", "customers"),
            ("revenue_share", "revenue"),
        ]
        .into_iter()
        .enumerate()
        {
            let share = tier[key].as_f64().unwrap_or(0.0);
            let top = y + 18.0 * line as f64;
            let opacity = if line == 0 { 0.45 } else { 1.0 };
            let _ = writeln!(
                body,
                "<rect x=\"260\" y=\"{top}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/><text x=\"{:.1}\" y=\"{}\" fill=\"{QUIET}\">{:.1} % of {what}</text>",
                scale(share),
                266.0 + scale(share),
                top + 12.0,
                share * 100.0
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
    const BOTTOM: f64 = 220.0;
    const HIGH: f64 = 160.0;
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
    let smallest = tiers
        .iter()
        .filter_map(|tier| tier[DIMENSIONS[dimension]]["min"].as_f64())
        .fold(edges[0], f64::min);
    // Who has the least of all still is as wide as a bar.
    let low = place(dimension, smallest) - (last - first) / 80.0;
    let x = |at: f64| 16.0 + (at - low) / (last - low).max(f64::MIN_POSITIVE) * (WIDTH - 32.0);
    let start = |bin: usize| bin.checked_sub(1).map_or(low, |before| places[before]);
    let density = |bin: usize| customers[bin] as f64 / (places[bin] - start(bin)).max(1e-12);
    let most = (0..edges.len()).map(density).fold(0.0, f64::max);
    let mut body = String::new();
    for bin in (0..edges.len()).filter(|&bin| 0 < customers[bin]) {
        let (left, high) = (x(start(bin)), density(bin) / most * HIGH);
        let _ = writeln!(
            body,
            "<rect x=\"{left:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{high:.2}\" fill=\"#2a788e\" fill-opacity=\"0.7\"/>",
            BOTTOM - high,
            (x(places[bin]) - left).max(0.5),
        );
    }
    let cuts = document["sets"][0]["cuts"][DIMENSIONS[dimension]].as_array();
    for cut in cuts.into_iter().flatten().filter_map(Value::as_f64) {
        let at = x(place(dimension, cut));
        let _ = writeln!(
            body,
            "<path d=\"M{at:.2} 44V{BOTTOM}\" stroke=\"{INK}\"/><text x=\"{at:.2}\" y=\"238\" text-anchor=\"middle\" fill=\"{INK}\">{cut}</text>"
        );
    }
    let title = ["Recency in days", "Orders", "Amount"][dimension];
    picture(title, 250.0, &body)
}
