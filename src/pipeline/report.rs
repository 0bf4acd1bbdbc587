//! The page of a run: made by the run itself, or again from its files.
//!
//! In: what a run found, or the folder in which it published that. Out: report.html, and charts on request.
//! Invariant: both ways give the same bytes, because the page is made of the documents of the run and of counts of its
//! customers. It quotes no timings and no paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Model;
use super::compare::run_facts;
use crate::config::Feature;
use crate::error::{Error, Result, Warning};
use crate::load::{Customers, LabelQuery, Labelled, labels};
use crate::report::{Cells, Chart, Counted, DIMENSIONS, Fonts, Png, charts, page, png};
use crate::store::{LooseFolder, previous_run, read_model};

/// Documents that a run may have beside its tiers, and the key that each has in the page.
const OPTIONAL: [(&str, &str); 4] = [
    ("comparison", "comparison.json"),
    ("thresholds", "thresholds.json"),
    ("drift", "drift.json"),
    ("migration", "migration.json"),
];

/// Letters without a font that a warning quotes.
const LETTERS_TOLD: usize = 8;

/// What is asked.
#[derive(Debug, Clone)]
pub struct PageAsked {
    /// The folder of a run, `current`, or a folder of runs.
    pub run: PathBuf,
    /// backtest.json of `tiermill backtest --out`.
    pub backtest: Option<PathBuf>,
    /// Where the page goes.
    pub out: PathBuf,
    /// Whether charts go beside it.
    pub charts: bool,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct PageWritten {
    /// Name of the run.
    pub run_id: String,
    /// Page and charts.
    pub files: Vec<PathBuf>,
    /// Letters of names that no font has.
    pub warnings: Vec<Warning>,
    /// Size of the page.
    pub bytes: u64,
    /// Cells in it.
    pub cells: usize,
}

/// What a page is made of.
pub(super) struct Parts<'a> {
    /// Name of the run, without the number of a repetition.
    pub(super) run_id: String,
    pub(super) command: &'a str,
    pub(super) customers: &'a Customers,
    pub(super) tiers: &'a [u32],
    /// Indices into the segments of the rules of the model.
    pub(super) segments: Option<&'a [Option<u32>]>,
    pub(super) model: &'a Model,
    pub(super) rows: Value,
    pub(super) document: Value,
    pub(super) others: Map<String, Value>,
}

/// A page, and what it was made of.
pub(super) struct Made {
    pub(super) html: String,
    document: Value,
    cells: Cells,
}

/// Cut points of recency, frequency and monetary.
type Cuts = [Vec<f64>; 3];

/// Makes the page.
pub(super) fn make(parts: Parts<'_>) -> Made {
    let model = parts.model;
    let names = model.rules.as_ref().map(|rules| rules.rules.names());
    let segments = parts.segments.zip(names.as_ref());
    let rules = model.rules.as_ref();
    let bounds = rules.and_then(|rules| rules.upper_bounds(parts.customers));
    let scores = scores(model, bounds.as_ref());
    let sets = sets(model, bounds, scores.as_ref());
    let cuts = cuts(&sets, parts.others.get("thresholds"));
    let cells = Cells::new(Counted {
        customers: parts.customers,
        tiers: parts.tiers,
        n_tiers: model.tiers.len(),
        segments: segments.map(|(labels, names)| (labels, names.len())),
        cuts: &cuts,
    });
    let monetary = &model.definitions.get("monetary");
    let mut document = Map::new();
    let mut add = |key: &str, value: Value| document.insert(key.to_owned(), value);
    add("run_id", json!(parts.run_id));
    add("command", json!(parts.command));
    add("version", json!(env!("CARGO_PKG_VERSION")));
    add("seed", json!(model.seed));
    add("method", json!(method(model)));
    add("rows", parts.rows);
    add("tiers", parts.document);
    add("monetary", json!(monetary));
    if let Some(scores) = scores {
        let scores = DIMENSIONS.iter().zip(scores);
        let scores: Map<String, Value> = scores
            .map(|(&name, cuts)| (name.to_owned(), json!(cuts)))
            .collect();
        add("scores", Value::Object(scores));
    }
    add("sets", sets);
    if let Some(rules) = &model.rules {
        let names = rules.rules.names();
        let names = names
            .iter()
            .map(|name| json!({ "name": name.en, "name_zh": name.zh }));
        let rules = json!({ "name": rules.rules.name, "segments": names.collect::<Vec<_>>() });
        add("rules", rules);
    }
    document.extend(parts.others);
    let document = Value::Object(document);
    Made {
        html: page(&document, &cells),
        document,
        cells,
    }
}

/// Cut points that somebody published, as a list of named sets; the first is what the page begins with, unless it has none.
fn sets(model: &Model, bounds: Option<Cuts>, scores: Option<&Cuts>) -> Value {
    let mut sets = Vec::new();
    if let (Some(rules), Some(bounds)) = (&model.rules, bounds) {
        sets.push(set("rules", &rules.rules.name, bounds));
    }
    if let Some(breaks) = &model.breaks {
        let of = |feature: Feature| {
            let found = breaks.iter().find(|bands| bands.feature == feature);
            found
                .map(|bands| bands.cut_points.clone())
                .unwrap_or_default()
        };
        let cuts = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary].map(of);
        sets.push(set("breaks", "breaks", cuts));
    }
    if let Some(cuts) = scores {
        sets.push(set("scores", "scores", cuts.clone()));
    }
    Value::Array(sets)
}

/// What made the tiers, as the page calls it.
fn method(model: &Model) -> &str {
    match model.mixture {
        Some(_) => "gmm",
        None => model.method.as_str(),
    }
}

/// Where the scores of assignments.parquet divide: at the bounds of the rules where these score, else quintiles. `None` where
/// the rules have none that tell who has which score.
fn scores(model: &Model, bounds: Option<&Cuts>) -> Option<Cuts> {
    let usual = &model.scores;
    let mut cuts = [&usual.recency_days, &usual.frequency, &usual.monetary].map(Clone::clone);
    if model.rules.is_some() {
        for (cuts, own) in cuts.iter_mut().zip(bounds?) {
            if !own.is_empty() {
                cuts.clone_from(own);
            }
        }
    }
    Some(cuts)
}

fn set(id: &str, name: &str, cuts: Cuts) -> Value {
    let cuts = cuts.map(|mut cuts| {
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        cuts
    });
    let cuts: Map<String, Value> = DIMENSIONS
        .iter()
        .zip(cuts)
        .map(|(&name, cuts)| (name.to_owned(), json!(cuts)))
        .collect();
    json!({ "id": id, "name": name, "cuts": cuts })
}

/// All cut points of the sets and of thresholds.json, by dimension.
fn cuts(sets: &Value, thresholds: Option<&Value>) -> Cuts {
    let floats = |value: &Value| -> Vec<f64> {
        let values = value.as_array().into_iter().flatten();
        values.filter_map(Value::as_f64).collect()
    };
    [0, 1, 2].map(|dimension| {
        let name = DIMENSIONS[dimension];
        let mut cuts: Vec<f64> = Vec::new();
        for set in sets.as_array().into_iter().flatten() {
            cuts.extend(floats(&set["cuts"][name]));
        }
        let schemes = thresholds.and_then(|document| document["dimensions"][name].as_object());
        for scheme in schemes.into_iter().flat_map(Map::values) {
            for bands in scheme.as_array().into_iter().flatten() {
                cuts.extend(floats(&bands["cut_points"]));
            }
        }
        cuts
    })
}

/// The tiers of the run before, as far as the page tells of them, and whether they are tiers of this model.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn previous(runs: &Path, date: &str, model: &Model) -> Result<Option<Value>> {
    let Some(folder) = previous_run(runs, date)? else {
        return Ok(None);
    };
    let same_model = document(&folder.join("model.json"))? == as_read(model)?;
    let before = document(&folder.join("tiers.json"))?;
    let tiers = before["tiers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tier| {
            let keys = ["key", "rank", "name", "name_zh", "customers", "revenue"];
            let kept = keys.map(|key| (key.to_owned(), tier[key].clone()));
            Value::Object(kept.into_iter().collect())
        });
    Ok(Some(json!({
        "run_id": base_id(&folder_name(&folder)),
        "as_of": before["as_of"],
        "customers": before["customers"],
        "revenue": before["revenue"],
        "same_model": same_model,
        "tiers": tiers.collect::<Vec<_>>(),
    })))
}

/// A document as a reader of its file would parse it.
///
/// # Errors
/// [`Error::Io`], which no document of ours gives.
pub(super) fn as_read(document: &impl Serialize) -> Result<Value> {
    serde_json::to_value(document).map_err(|error| Error::io("write", "report.html")(error.into()))
}

/// Makes the page of a published run again.
///
/// # Errors
/// [`Error::NotFound`] for a folder that is no run with assignments; files that cannot be read; what writing refuses.
pub fn report(asked: &PageAsked) -> Result<PageWritten> {
    let run = find(&asked.run)?;
    check_out(&asked.out)?;
    let folder = asked
        .out
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = LooseFolder::open(folder.unwrap_or(Path::new(".")))?;
    let made = again(&run, asked.backtest.as_deref())?;
    let name = asked.out.file_name().map_or_else(
        || "report.html".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let drawn = if asked.charts {
        charts(&made.document, &made.cells)
    } else {
        Vec::new()
    };
    let (pictures, warning) = pictures(&drawn)?;
    let mut files = vec![folder.text(&name, &made.html)?];
    for (chart, picture) in drawn.iter().zip(&pictures) {
        files.push(folder.text(&format!("{}.svg", chart.name), &chart.svg)?);
        files.push(folder.bytes(&format!("{}.png", chart.name), picture)?);
    }
    Ok(PageWritten {
        run_id: folder_name(&run),
        files,
        warnings: warning.into_iter().collect(),
        bytes: made.html.len() as u64,
        cells: made.cells.cells.len(),
    })
}

/// A PNG of each chart. The fonts of the machine are looked for only where a name has letters that our own lacks.
fn pictures(charts: &[Chart]) -> Result<(Vec<Vec<u8>>, Option<Warning>)> {
    let draw = |fonts: &Fonts| -> Result<Vec<Png>> {
        let draw = |chart: &Chart| png(&chart.svg, fonts).map_err(Error::io("draw", &chart.name));
        charts.iter().map(draw).collect()
    };
    let lacks = |drawn: &[Png]| -> BTreeSet<char> {
        let letters = drawn.iter().flat_map(|picture| &picture.missing);
        letters.copied().collect()
    };
    let mut drawn = draw(&Fonts::ours())?;
    if !lacks(&drawn).is_empty() {
        drawn = draw(&Fonts::of_machine())?;
    }
    let missing = lacks(&drawn);
    let letters: String = missing.iter().take(LETTERS_TOLD).collect();
    let more = if missing.len() <= LETTERS_TOLD {
        ""
    } else {
        "…"
    };
    let warning = (!missing.is_empty()).then(|| {
        Warning::new(
            "no_font",
            format!(
                "no font of this machine has {letters}{more}: the PNG shows boxes; install one that has (for Chinese on Debian: fonts-noto-cjk), or mail the SVG"
            ),
        )
    });
    let bytes = drawn.into_iter().map(|picture| picture.bytes);
    Ok((bytes.collect(), warning))
}

/// Refuses a folder where a file is asked for.
fn check_out(out: &Path) -> Result<()> {
    let is_file = |folder: &Path| folder.exists() && !folder.is_dir();
    let written_as_folder = out.to_string_lossy().ends_with(['/', '\\']);
    if out.is_dir() || written_as_folder || out.parent().is_some_and(is_file) {
        return Err(Error::BadValue {
            key: "out".to_owned(),
            found: out.display().to_string(),
            expected: format!(
                "the file to write, as in `{}`",
                Path::new("mail").join("report.html").display()
            ),
        });
    }
    Ok(())
}

/// Refuses thresholds.json in which the page would find no cut points: half a page tells nobody that something is missing.
fn check_thresholds(document: &Value, path: &Path) -> Result<()> {
    let lists = |schemes: &Value| {
        let entries = schemes.as_object().into_iter().flat_map(Map::values);
        let mut entries = entries.map(|list| list.as_array().into_iter().flatten());
        schemes.is_object() && entries.all(|mut list| list.all(|one| one["cut_points"].is_array()))
    };
    let dimensions = &document["dimensions"];
    if DIMENSIONS.iter().all(|name| lists(&dimensions[*name])) {
        return Ok(());
    }
    Err(Error::DocumentSyntax {
        path: path.to_owned(),
        source: serde::de::Error::custom("no cut points of the three dimensions"),
    })
}

/// The page from the files of a run.
fn again(run: &Path, backtest: Option<&Path>) -> Result<Made> {
    let manifest = document(&run.join("manifest.json"))?;
    let path = run.join("model.json");
    let model = Model::parse(&read_model(&path)?, &path)?;
    let tiers_document = document(&run.join("tiers.json"))?;
    let table = run.join("assignments.parquet");
    let labelled_tiers = labelled(&table, "tier")?;
    let Some(customers) = &labelled_tiers.customers else {
        return Err(Error::NotFound { path: table });
    };
    let place = |name: &String| model.tiers.iter().position(|tier| tier.name == *name);
    let indices: Vec<u32> = labelled_tiers
        .names
        .iter()
        .map(|name| index(place(name)))
        .collect();
    let tiers: Vec<u32> = labelled_tiers
        .labels
        .iter()
        .map(|&label| indices[label as usize])
        .collect();
    let segments = segments(&table, &model)?;
    let run_id = folder_name(run);
    let mut others = Map::new();
    for (key, name) in OPTIONAL {
        let path = run.join(name);
        if path.exists() {
            let told = document(&path)?;
            if key == "thresholds" {
                check_thresholds(&told, &path)?;
            }
            others.insert(key.to_owned(), told);
        }
    }
    if let Some(runs) = run.parent()
        && let Some(before) = previous(runs, &run_id, &model)?
    {
        others.insert("previous".to_owned(), before);
    }
    if let Some(path) = backtest {
        let told = document(path)?;
        if !told["tierings"].is_object() {
            return Err(Error::BadValue {
                key: "backtest".to_owned(),
                found: path.display().to_string(),
                expected: "the backtest.json of `tiermill backtest --out`".to_owned(),
            });
        }
        others.insert("backtest".to_owned(), told);
    }
    Ok(make(Parts {
        run_id: base_id(&run_id),
        command: manifest["command"].as_str().unwrap_or("run"),
        customers,
        tiers: &tiers,
        segments: segments.as_deref(),
        model: &model,
        rows: manifest["rows"].clone(),
        document: tiers_document,
        others,
    }))
}

/// The segment of each customer, as an index into those of the rules.
fn segments(table: &Path, model: &Model) -> Result<Option<Vec<Option<u32>>>> {
    let Some(rules) = &model.rules else {
        return Ok(None);
    };
    let found = labelled(table, "segment")?;
    let names = rules.rules.names();
    let place = |text: &String| names.iter().position(|name| name.en == *text);
    let indices: Vec<Option<u32>> = found
        .names
        .iter()
        .map(|name| place(name).map(|at| index(Some(at))))
        .collect();
    let labels = found.labels.iter().map(|&label| indices[label as usize]);
    Ok(Some(labels.collect()))
}

fn labelled(table: &Path, label: &str) -> Result<Labelled> {
    labels(LabelQuery {
        path: &table.to_string_lossy(),
        customer: None,
        label: Some(label),
        run: &run_facts(table)?,
    })
}

/// The folder of a run that a path means: itself, or the current one of a folder of runs.
fn find(path: &Path) -> Result<PathBuf> {
    for run in [path.to_owned(), path.join("current")] {
        if run.join("assignments.parquet").exists() && run.join("manifest.json").exists() {
            return run.canonicalize().map_err(Error::io("read", &run));
        }
    }
    Err(Error::NotFound {
        path: path.join("assignments.parquet"),
    })
}

fn document(path: &Path) -> Result<Value> {
    serde_json::from_str(&read_model(path)?).map_err(|source| Error::DocumentSyntax {
        path: path.to_owned(),
        source,
    })
}

fn folder_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A run id without the number of a repetition: the page of the same input and config is the same.
pub(super) fn base_id(run_id: &str) -> String {
    run_id.split('-').take(4).collect::<Vec<_>>().join("-")
}

fn index(at: Option<usize>) -> u32 {
    at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}
