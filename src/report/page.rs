//! report.html.
//!
//! In: the documents of a run as one JSON object, and its cells. Out: the page.
//! Invariant: one file. The policy in its head forbids every request, and every script but the ones that are in it.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::cells::Cells;
use super::encode::{base64, escaped, script_json};

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// Apache `ECharts`, with its licences (page/vendor/README.md).
const LIBRARY: &str = include_str!("page/vendor/echarts.js");
const LICENCES: [&str; 3] = [
    include_str!("page/vendor/NOTICE-echarts"),
    include_str!("page/vendor/LICENSE-echarts"),
    include_str!("page/vendor/LICENSE-zrender"),
];
/// In the order in which they need each other.
const SCRIPTS: [&str; 9] = [
    include_str!("page/text.js"),
    include_str!("page/cells.js"),
    include_str!("page/state.js"),
    include_str!("page/export.js"),
    include_str!("page/charts.js"),
    include_str!("page/told.js"),
    include_str!("page/sections.js"),
    include_str!("page/calibrator.js"),
    include_str!("page/main.js"),
];

/// The page of a run.
pub fn page(document: &Value, cells: &Cells) -> String {
    let mut document = document.clone();
    document["cells"] = cells.to_json();
    document["means"] = json!(cells.means);
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat());
    let scripts = [LIBRARY, script.as_str()];
    let hashes = scripts.map(|script| {
        let digest = digest(&SHA256, script.as_bytes());
        format!("'sha256-{}'", base64(digest.as_ref()))
    });
    let policy = format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'",
        hashes.join(" ")
    );
    let title = format!(
        "tiermill · {}",
        document["run_id"].as_str().unwrap_or("run")
    );
    // In one pass over the template, so that no text of the data is taken for a mark.
    let mut html = String::with_capacity(TEMPLATE.len() + LIBRARY.len() + script.len());
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        html.push_str(before);
        let (mark, after) = after.split_once("}}").unwrap_or((after, ""));
        html.push_str(&match mark {
            "policy" => policy.clone(),
            "title" => escaped(&title),
            "style" => STYLE.to_owned(),
            "data" => script_json(&document),
            "library" => LIBRARY.to_owned(),
            "script" => script.clone(),
            "licences" => escaped(&LICENCES.join("\n\n")),
            _ => String::new(),
        });
        rest = after;
    }
    html.push_str(rest);
    html
}
