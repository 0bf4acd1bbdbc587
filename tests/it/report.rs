//! The page of a run: cells that add up, a size that holds, text that stays text, the same bytes again.

use polars::prelude::*;
use serde_json::{Value, json};
use tiermill::load::Customers;
use tiermill::report::{Cells, Counted, charts, page};

use crate::support::{COLUMNS, Workdir, customers, six_customers, threads, with_type};

/// Customers of all kinds, the same every time: a linear congruential generator draws them.
fn many(n: usize) -> Customers {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let rows: Vec<(f64, i64, f64)> = (0..n)
        .map(|_| {
            let amount = (draw(1_000_000) as f64 / 1_000_000.0 * 12.0).exp().round() / 100.0;
            let refund = if draw(50) == 0 { -1.0 } else { 1.0 };
            (
                draw(730) as f64,
                1 + (draw(90) * draw(90) / 90) as i64,
                amount * refund,
            )
        })
        .collect();
    customers(&rows)
}

/// Tiers and segments that have nothing to do with R, F and M: the most cells that there can be.
fn scattered(n: usize, groups: u32) -> Vec<u32> {
    (0..n as u32)
        .map(|row| row.wrapping_mul(2_654_435_761) % groups)
        .collect()
}

const CUTS: [&[f64]; 3] = [
    &[30.0, 92.25],
    &[1.0, 2.8676707679253286],
    &[59.924, 106.08042554094187],
];

fn cells(customers: &Customers, tiers: &[u32], segments: Option<&[Option<u32>]>) -> Cells {
    Cells::new(Counted {
        customers,
        tiers,
        n_tiers: 5,
        segments: segments.map(|labels| (labels, 3)),
        cuts: &CUTS.map(<[f64]>::to_vec),
    })
}

#[test]
fn cells_add_up_to_all_customers_and_their_exact_revenue() {
    let customers = many(20_000);
    let n = customers.len();
    let tiers = scattered(n, 5);
    let segments: Vec<Option<u32>> = scattered(n, 4)
        .iter()
        .map(|&s| (s < 3).then_some(s))
        .collect();
    let cells = cells(&customers, &tiers, Some(&segments));
    let units = 10_i128.pow(customers.decimals - cells.decimals);
    let revenue: i128 = customers
        .revenue
        .iter()
        .map(|&units| i128::from(units))
        .sum();
    assert_eq!(
        cells.cells.iter().map(|cell| cell.revenue).sum::<i128>() * units,
        revenue
    );
    assert_eq!(
        cells.cells.iter().map(|cell| cell.customers).sum::<u64>(),
        n as u64
    );
    assert_eq!(cells.decimals, 2, "amounts are in cents");
    for tier in 0..5 {
        let found: u64 = cells
            .cells
            .iter()
            .filter(|cell| cell.tier == tier)
            .map(|cell| cell.customers)
            .sum();
        assert_eq!(
            found,
            tiers.iter().filter(|&&own| own as usize == tier).count() as u64
        );
    }
    let nowhere: u64 = cells
        .cells
        .iter()
        .filter(|cell| cell.segment == 3)
        .map(|cell| cell.customers)
        .sum();
    assert_eq!(
        nowhere,
        segments.iter().filter(|label| label.is_none()).count() as u64
    );
}

#[test]
fn at_every_published_cut_point_a_recount_of_cells_is_a_recount_of_rows() {
    let customers = many(20_000);
    let frequency: Vec<f64> = customers.frequency.iter().map(|&n| n as f64).collect();
    let values = [&customers.recency_days, &frequency, &customers.monetary];
    let cells = cells(&customers, &scattered(customers.len(), 5), None);
    for (dimension, cuts) in CUTS.into_iter().enumerate() {
        let edges = cells.edges()[dimension];
        assert!(edges.is_sorted_by(|a, b| a < b));
        for &cut in cuts.iter().chain(&[cells.means[dimension]]) {
            let place = edges.iter().position(|&edge| edge == cut);
            let place = place.unwrap_or_else(|| panic!("{cut} is no edge of {edges:?}"));
            let rows = (0..customers.len()).filter(|&row| values[dimension][row] <= cut);
            let revenue: i128 = rows
                .clone()
                .map(|row| i128::from(customers.revenue[row]))
                .sum();
            let below: Vec<_> = cells
                .cells
                .iter()
                .filter(|cell| cell.bins[dimension] <= place)
                .collect();
            let units = 10_i128.pow(customers.decimals - cells.decimals);
            assert_eq!(
                below.iter().map(|cell| cell.customers).sum::<u64>(),
                rows.count() as u64
            );
            assert_eq!(
                below.iter().map(|cell| cell.revenue).sum::<i128>() * units,
                revenue
            );
        }
    }
}

fn document(name: &str) -> Value {
    json!({
        "run_id": name,
        "tiers": { "as_of": name, "tiers": [{ "name": name, "name_zh": name, "customer_share": 0.5, "revenue_share": 0.5 }] },
        "sets": [{ "id": "rules", "name": name, "cuts": { "recency_days": [30.0] } }],
    })
}

#[test]
fn however_scattered_the_customers_the_page_stays_below_its_limit() {
    let customers = many(250_000);
    let segments: Vec<Option<u32>> = scattered(customers.len(), 3)
        .into_iter()
        .map(Some)
        .collect();
    let cells = cells(&customers, &scattered(customers.len(), 5), Some(&segments));
    let html = page(&document("run"), &cells);
    assert!(html.len() <= 1_500_000, "{} bytes", html.len());
    let sum: u64 = cells.cells.iter().map(|cell| cell.customers).sum();
    assert_eq!(sum, customers.len() as u64);
    for (dimension, cuts) in CUTS.into_iter().enumerate() {
        assert!(
            cuts.iter()
                .all(|cut| cells.edges()[dimension].contains(cut)),
            "a published cut point was taken away"
        );
    }
}

#[test]
fn threads_change_no_byte() {
    let customers = many(150_000);
    let tiers = scattered(customers.len(), 5);
    let html = |n| {
        threads(n, || {
            page(&document("run"), &cells(&customers, &tiers, None))
        })
    };
    assert!(html(1) == html(4));
}

#[test]
fn text_of_the_data_stays_text() {
    let customers = many(100);
    let cells = cells(&customers, &scattered(100, 5), None);
    let tags = |html: &str| html.matches('<').count();
    let plain = page(&document("plain"), &cells);
    for hostile in [
        "<script>alert(1)</script>",
        "</script><b>",
        "<!--<script>",
        "{{data}}",
        "\u{2028}",
        "</title>",
    ] {
        let document = document(hostile);
        let html = page(&document, &cells);
        // The title escapes to text, the data to JSON: neither adds a tag.
        assert_eq!(tags(&html), tags(&plain), "{hostile}");
        let data = html
            .split_once("id=\"data\">")
            .unwrap()
            .1
            .split_once("</script>")
            .unwrap()
            .0;
        let back: Value = serde_json::from_str(data).unwrap();
        assert_eq!(back["run_id"], hostile);
        for chart in charts(&document, &cells) {
            assert!(
                !chart.svg.contains("<script>") && !chart.svg.contains("<b>"),
                "{}",
                chart.svg
            );
        }
    }
}

#[test]
fn the_policy_of_the_page_allows_its_own_scripts_and_no_request() {
    let customers = many(100);
    let html = page(
        &document("run"),
        &cells(&customers, &scattered(100, 5), None),
    );
    let policy = html
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe-eval") && !policy.contains("http"),
        "{policy}"
    );
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
}

fn workdir() -> Workdir {
    let work = Workdir::new();
    work.tiermill("generate --customers 400 --seed 3 --out orders")
        .success();
    work
}

const RUN: &str =
    "run --input orders --customer customer_id --time ordered_at --amount amount --k 3 --quiet";

#[test]
fn a_run_has_its_page_and_report_makes_the_same_again() {
    let work = workdir();
    work.tiermill(&format!("{RUN} --rules eight")).success();
    let manifest = work.json("manifest.json");
    let outputs = manifest["outputs"].as_array().unwrap();
    assert!(outputs.iter().any(|file| file["path"] == "report.html"));
    let published = std::fs::read(work.current().join("report.html")).unwrap();
    let told = work
        .tiermill("report out --out mail/again.html --charts --format json")
        .success();
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["bytes"], published.len());
    assert!(std::fs::read(work.join("mail/again.html")).unwrap() == published);
    for name in ["tiers", "recency_days", "frequency", "monetary"] {
        let svg = std::fs::read_to_string(work.join(&format!("mail/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains("<rect "), "{svg}");
        let height: u32 = svg
            .split_once("height=\"")
            .unwrap()
            .1
            .split_once('"')
            .unwrap()
            .0
            .parse()
            .unwrap();
        let png = std::fs::read(work.join(&format!("mail/{name}.png"))).unwrap();
        assert_eq!(size_of_png(&png), [1440, 2 * height], "{name}");
    }
}

#[test]
fn fine_and_huge_amounts_are_the_same_when_they_are_read_again() {
    let scaled = |factor: f64| {
        let mut table = six_customers();
        let amounts = table.column("amount").unwrap().f64().unwrap() * factor;
        table.with_column(amounts.into_column()).unwrap();
        table
    };
    for (table, flags) in [
        (scaled(1e-6), "--decimals 8"),
        (with_type(scaled(1e13), "amount", &DataType::Int64), ""),
    ] {
        let work = Workdir::new();
        work.parquet("x.parquet", table);
        work.tiermill(&format!("run --input x.parquet {COLUMNS} --k 2 {flags}"))
            .success();
        work.tiermill("report out --out again.html").success();
        let published = std::fs::read(work.current().join("report.html")).unwrap();
        assert!(std::fs::read(work.join("again.html")).unwrap() == published);
        let compared = work.tiermill("compare out out --format json").success();
        let compared: Value = serde_json::from_str(&compared.stdout).unwrap();
        assert_eq!(compared["revenue"], work.json("tiers.json")["revenue"]);
    }
}

/// Width and height, from the first chunk of a PNG.
fn size_of_png(png: &[u8]) -> [u32; 2] {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()))
}

#[test]
fn pictures_of_names_without_a_font_are_told() {
    let work = workdir();
    // A letter of nobody's alphabet, for which no machine has a font.
    work.tiermill(&format!(
        "{RUN} --tier-names 'Best \u{10fffd}' --tier-names Good --tier-names Rest"
    ))
    .success();
    let ran = work
        .tiermill("report out --out mail/page.html --charts --format json")
        .success();
    assert!(
        ran.stderr.contains("[no_font]") && ran.stderr.contains('\u{10fffd}'),
        "{}",
        ran.stderr
    );
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["warnings"][0]["code"], "no_font");
    assert_eq!(told["files"].as_array().unwrap().len(), 9);
}

#[test]
fn a_page_takes_no_other_document_for_a_backtest() {
    let work = workdir();
    work.tiermill(RUN).success();
    let ran = work.tiermill("report out --backtest out/current/tiers.json --out page.html");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("backtest.json"), "{}", ran.stderr);
    assert!(!work.join("page.html").exists());
}

#[test]
fn with_rules_the_scores_of_the_page_are_those_of_the_rules() {
    let work = workdir();
    work.tiermill(&format!("{RUN} --rules eight")).success();
    let html = std::fs::read_to_string(work.current().join("report.html")).unwrap();
    let scores = html.split_once("\"scores\":{").unwrap().1;
    let scores = scores.split_once('}').unwrap().0;
    let cuts = |dimension: &str| -> usize {
        let list = scores.split_once(&format!("\"{dimension}\":[")).unwrap().1;
        list.split_once(']').unwrap().0.split(',').count()
    };
    // Two bands of each, where quintiles would have four cut points.
    assert_eq!(["recency_days", "frequency", "monetary"].map(cuts), [1; 3]);
}

#[test]
fn a_page_tells_of_the_run_of_an_earlier_day() {
    let work = workdir();
    work.tiermill(RUN).success();
    let first = work.current();
    let html = std::fs::read_to_string(first.join("report.html")).unwrap();
    assert!(!html.contains("\"previous\":{"));
    let day = work.json("tiers.json")["as_of"].as_str().unwrap()[..10].to_owned();
    let earlier = day.parse::<chrono::NaiveDate>().unwrap() - chrono::Days::new(30);
    work.tiermill(&format!("{RUN} --as-of {earlier}")).success();
    // The day before has been run later; a rebuilt page of the later day knows it.
    work.tiermill(&format!("report {} --out again.html", first.display()))
        .success();
    let again = std::fs::read_to_string(work.join("again.html")).unwrap();
    assert!(again.contains("\"previous\":{") && again.contains(&format!("\"as_of\":\"{earlier}")));
    assert!(again.contains("\"same_model\":false"));
}

#[test]
fn what_is_no_run_has_no_page() {
    let work = workdir();
    let ran = work.tiermill("report orders");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("orders/assignments.parquet"),
        "{}",
        ran.stderr
    );
    work.tiermill(RUN).success();
    let ran = work.tiermill("report out --out out/current/report.html");
    assert!(
        ran.code != 0 && ran.stderr.contains("a published run is never changed"),
        "{}",
        ran.stderr
    );
    let ran = work.tiermill("report out --backtest out/current/model.json.missing");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn a_page_goes_into_a_file_and_no_folder() {
    let work = workdir();
    work.tiermill(RUN).success();
    std::fs::create_dir(work.join("mail")).unwrap();
    std::fs::write(work.join("taken"), "").unwrap();
    for out in ["mail", "pages/", "taken/report.html"] {
        let ran = work.tiermill(&format!("report out --out {out}"));
        assert_eq!(ran.code, 2, "{out}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("`out`") && ran.stderr.contains("the file to write"),
            "{out}: {}",
            ran.stderr
        );
    }
    assert!(!work.join("pages").exists());
}

#[test]
fn thresholds_that_cannot_be_read_are_no_page_without_them() {
    let work = workdir();
    work.tiermill(RUN).success();
    let run = work.join("copy");
    std::fs::create_dir(&run).unwrap();
    for file in std::fs::read_dir(work.current()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), run.join(file.file_name())).unwrap();
    }
    work.tiermill("report copy --out page.html").success();
    std::fs::remove_file(work.join("page.html")).unwrap();
    for broken in [
        "not json",
        "{\"dimensions\": 3}",
        "{\"dimensions\": {\"recency_days\": {\"mean\": [{\"bands\": 2}]}, \"frequency\": {}, \"monetary\": {}}}",
    ] {
        std::fs::write(run.join("thresholds.json"), broken).unwrap();
        let ran = work.tiermill("report copy --out page.html");
        assert_eq!(ran.code, 1, "{broken}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("thresholds.json"),
            "{broken}: {}",
            ran.stderr
        );
        assert!(!work.join("page.html").exists(), "{broken}");
    }
}

#[test]
fn charts_read_like_the_page() {
    let customers = many(2_000);
    let cells = cells(&customers, &scattered(2_000, 5), None);
    let long = "Everybody who has ever bought anything at all in one of our shops";
    let document = json!({
        "run_id": "run",
        "tiers": { "tiers": [
            { "name": long, "customer_share": 0.5, "revenue_share": null },
            { "name": "关键客户".repeat(8), "customer_share": 0.5, "revenue_share": null },
        ] },
        "sets": [{ "id": "rules", "name": "own", "cuts": {
            "recency_days": [30.0, 31.0, 92.25], "frequency": [2.8676707679253286], "monetary": [106.08042554094187, 1234.5, 43.394999999999996]
        } }],
    });
    let charts = charts(&document, &cells);
    let labels = |name: &str| -> Vec<String> {
        let chart = charts.iter().find(|chart| chart.name == name).unwrap();
        let texts = chart.svg.split("</text>").filter_map(|part| {
            part.rsplit_once('>')
                .map(|(_, text)| text.trim().to_owned())
        });
        texts.filter(|text| !text.is_empty()).collect()
    };
    assert_eq!(
        labels("recency_days"),
        ["Recency in days", "30", "31", "92", "0", "729"]
    );
    assert_eq!(labels("frequency")[..2], ["Orders", "2"]);
    assert_eq!(
        labels("monetary")[..4],
        ["Amount", "106.08", "1,235", "43.39"]
    );
    let tiers = labels("tiers");
    assert!(
        tiers[1].starts_with("1 Everybody who") && tiers[1].ends_with('…'),
        "{tiers:?}"
    );
    assert!(tiers[1].chars().count() <= 44, "{tiers:?}");
    assert!(
        tiers[4].ends_with('…') && tiers[4].chars().count() <= 22,
        "{tiers:?}"
    );
    // A total that is not above 0 has no shares.
    assert_eq!([&tiers[3], &tiers[6]], ["— of revenue"; 2]);
    // The whole name is still there for whoever asks.
    assert!(charts[0].svg.contains(&format!("<title>{long}</title>")));
    // Labels of cut points that lie side by side stand one below the other.
    let recency = &charts
        .iter()
        .find(|chart| chart.name == "recency_days")
        .unwrap()
        .svg;
    assert!(
        recency.contains("y=\"238\"") && recency.contains("y=\"253\""),
        "{recency}"
    );
}
