//! The second half of a job: everybody gets a tier, everything is written, and the run appears.
//!
//! In: a model and the customers. Out: a published run.
//! Invariant: `run` and `assign` go through the same lines, and nothing is published before everything is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value};

use super::{
    Choice, Compared, FORMAT_VERSION, Job, Model, Points, Report, Stage, TiersDocument, calibrate,
    compare, report, seconds, tables,
};
use crate::calibrate::Calibration;
use crate::compare::Space;
use crate::error::Result;
use crate::features::sketch::sketch;
use crate::load::{Customers, Loaded};
use crate::rules::Segmented;
use crate::store::{Manifest, Published, Rows, Staging, Table, peak_memory_bytes};
use crate::{features, rules, tiers};

/// Where the customers ended up, and what their tiers are like.
struct Placed {
    /// For those who compare.
    points: Option<Points>,
    placements: tiers::Placements,
    segmented: Option<Segmented>,
    document: TiersDocument,
}

/// Tiers of the customers, and their segments where the model has rules.
type Tiered<'a> = (&'a tiers::Placements, Option<&'a Segmented>);

/// What thresholds and the page are made of.
struct Telling<'a> {
    command: &'static str,
    run_id: String,
    out: &'a Path,
    loaded: &'a Loaded,
    model: &'a Model,
    placed: Tiered<'a>,
    min_share: f64,
}

/// What is told of assigned customers beside their tiers.
struct Told {
    thresholds: Calibration,
    /// report.html.
    page: String,
    /// What these two took.
    timings: Map<String, Value>,
}

impl Telling<'_> {
    fn tell(&self, document: &TiersDocument, compared: Option<&Compared>) -> Result<Told> {
        let (customers, model, (placements, segmented)) =
            (&self.loaded.customers, self.model, self.placed);
        let mut timings = Map::new();
        let start = Instant::now();
        let thresholds = calibrate::of_run(customers, model, placements, self.min_share)?;
        timings.insert(Stage::Calibrate.name().to_owned(), seconds(start));
        let start = Instant::now();
        let mut others = Map::new();
        if let Some(compared) = compared {
            others.insert("comparison".to_owned(), report::as_read(compared)?);
        }
        // In the order in which a page is made again, for the same bytes.
        others.insert("thresholds".to_owned(), report::as_read(&thresholds)?);
        if let Some(before) = report::previous(&self.out.join("runs"), &self.run_id, model)? {
            others.insert("previous".to_owned(), before);
        }
        let made = report::make(report::Parts {
            run_id: self.run_id.clone(),
            command: self.command,
            customers,
            tiers: &placements.tiers,
            segments: segmented.map(|found| found.labels.as_slice()),
            model,
            rows: report::as_read(&rows(self.loaded))?,
            document: report::as_read(document)?,
            others,
        });
        timings.insert("page".to_owned(), seconds(start));
        Ok(Told {
            thresholds,
            page: made.html,
            timings,
        })
    }
}

/// assignments.parquet.
fn assignments(
    staging: &mut Staging<'_>,
    customers: &Customers,
    (placements, segmented): Tiered<'_>,
    model: &Model,
) -> Result<()> {
    let mut scores = rules::score(customers, &model.scores);
    if let Some(segmented) = segmented {
        scores = segmented.scores.clone().or(scores);
    }
    let rated = (&scores, segmented);
    let table = tables::assignments(customers, placements, rated, model);
    staging.parquet("assignments.parquet", &table)
}

impl Job<'_> {
    /// Places all customers by the model, writes every file, and publishes.
    ///
    /// A fresh run goes through here just as `assign` does, so that both give the same tiers to the last bit. It brings
    /// the matrix that its model was fitted on, which is the one that the model gives.
    pub(super) fn publish(
        mut self,
        model: &Model,
        (loaded, points): (&Loaded, Option<Points>),
        choice: Choice,
        assign: bool,
    ) -> Result<Report> {
        let customers = &loaded.customers;
        let Placed {
            points,
            placements,
            segmented,
            document,
        } = self.place(model, (loaded, points), choice)?;
        let placed = (&placements, segmented.as_ref());
        let mut comparison = if assign {
            self.against_rules(customers, model, placed, points)?
        } else {
            None
        };
        (self.observe)(Stage::Write);
        let start = Instant::now();
        let mut staging = self.folder.stage()?;
        let told = if assign {
            let parts = (placed, &document, comparison.as_ref());
            Some(self.assigned(&mut staging, model, loaded, parts)?)
        } else {
            None
        };
        staging.json("tiers.json", &document)?;
        staging.json("model.json", model)?;
        staging.parquet("rejected.parquet", &Table::of(&loaded.rejected))?;
        if let Some(told) = &told {
            calibrate::stage(&mut staging, &told.thresholds)?;
        }
        if let Some(found) = &mut comparison {
            staging.json("comparison.json", &found.compared)?;
            staging.parquet("moved.parquet", &Table::of(&found.moved))?;
        }
        if let Some(told) = told {
            staging.text("report.html", &told.page)?;
            self.timings.extend(told.timings);
        }
        self.timings
            .insert(Stage::Write.name().to_owned(), seconds(start));
        let published = self.write_manifest(staging, loaded, model.seed, assign)?;
        Ok(Report {
            command: self.command,
            run_id: published.run_id,
            directory: published.path,
            rows: loaded.reconciliation.clone(),
            tiers: document,
            files: files(assign, comparison.is_some()),
            comparison: comparison.map(|found| found.compared),
        })
    }

    /// Writes assignments.parquet, and makes what is told of it meanwhile: neither keeps all cores busy from beginning to end.
    fn assigned(
        &self,
        staging: &mut Staging<'_>,
        model: &Model,
        loaded: &Loaded,
        (placed, document, comparison): (Tiered<'_>, &TiersDocument, Option<&compare::InRun>),
    ) -> Result<Told> {
        let telling = Telling {
            command: self.command,
            run_id: self.run_id(loaded),
            out: Path::new(&self.config.output.out),
            loaded,
            model,
            placed,
            min_share: self.config.cluster.min_share,
        };
        let compared = comparison.map(|found| &found.compared);
        let (written, told) = rayon::join(
            || assignments(staging, &loaded.customers, placed, model),
            || telling.tell(document, compared),
        );
        written.and(told)
    }

    /// Places all customers by the model, and tells of their tiers.
    fn place(
        &mut self,
        model: &Model,
        (loaded, points): (&Loaded, Option<Points>),
        choice: Choice,
    ) -> Result<Placed> {
        let customers = &loaded.customers;
        let (centroids, placer) = (model.centroid_matrix(), model.placer()?);
        self.stage(Stage::Tiers, |_| {
            let points = match points {
                Some(points) => points,
                None => Points {
                    matrix: features::matrix(customers, &model.features)?,
                    sketched: None,
                },
            };
            let placements = tiers::place(points.matrix.view(), &placer);
            let points = model.rules.is_some().then_some(points);
            let segmented = model.rules.as_ref().map(|rules| rules.segments(customers));
            let segmented = segmented.transpose()?;
            let mut warnings = loaded.warnings.clone();
            warnings.extend(choice.warnings);
            warnings.extend(segmented.iter().flat_map(|found| found.warnings.clone()));
            let profiles = tiers::profiles(
                customers,
                &placements,
                &model.tiers,
                &model.features,
                &centroids,
            );
            let document = TiersDocument {
                as_of: customers.as_of.text.clone(),
                customers: customers.len() as u64,
                revenue: customers.total_revenue(),
                decimals: customers.decimals,
                tiers: profiles,
                k_table: choice.k_table,
                k_reason: choice.k_reason,
                breaks: model.breaks.clone(),
                warnings,
            };
            Ok(Placed {
                points,
                placements,
                segmented,
                document,
            })
        })
    }

    /// Holds the rules of the model, where it has some, against its tiers.
    fn against_rules(
        &mut self,
        customers: &Customers,
        model: &Model,
        (placements, segmented): Tiered<'_>,
        points: Option<Points>,
    ) -> Result<Option<compare::InRun>> {
        let (Some(fitted), Some(segmented), Some(points)) = (&model.rules, segmented, points)
        else {
            return Ok(None);
        };
        let rules = (fitted.rules.name.as_str(), segmented);
        self.stage(Stage::Compare, |_| {
            let Points { matrix, sketched } = points;
            let sketched = match sketched {
                Some(sketched) => sketched,
                None => sketch(matrix.view())?,
            };
            let space = Space::of(customers, &model.features, (matrix, sketched));
            compare::in_run(&space, model, placements, rules).map(Some)
        })
    }

    fn write_manifest(
        &self,
        mut staging: Staging<'_>,
        loaded: &Loaded,
        seed: u64,
        current: bool,
    ) -> Result<Published> {
        let run_id = staging.final_name(&self.run_id(loaded));
        let outputs = staging.outputs().to_vec();
        let manifest = Manifest {
            run_id: run_id.clone(),
            command: self.command,
            config: &self.config.effective,
            model: self.model.as_ref(),
            inputs: &loaded.inputs,
            rows: rows(loaded),
            customers: loaded.customers.len() as u64,
            timings: self.timings.clone(),
            peak_memory_bytes: peak_memory_bytes(),
            outputs: &outputs,
            versions: versions(),
            seed,
        };
        staging.json("manifest.json", &manifest)?;
        staging.publish(&run_id, current)
    }
}

/// `rows` of the manifest.
fn rows(loaded: &Loaded) -> Rows {
    let rows = &loaded.reconciliation;
    let rejected = rows.rejected.iter();
    Rows {
        read: rows.read,
        used: rows.used,
        rejected: rejected
            .map(|(reason, &n)| (reason.to_string(), n))
            .collect(),
    }
}

/// Names of the files of a run, as they are told.
fn files(assign: bool, compared: bool) -> Vec<String> {
    let told = [
        ("assignments.parquet", assign),
        ("tiers.json", true),
        ("model.json", true),
        ("thresholds.toml", assign),
        ("thresholds.json", assign),
        ("thresholds.sql", assign),
        ("comparison.json", compared),
        ("moved.parquet", compared),
        ("report.html", assign),
        ("manifest.json", true),
        ("rejected.parquet", true),
    ];
    let there = told.into_iter().filter(|&(_, there)| there);
    there.map(|(name, _)| name.to_owned()).collect()
}

fn versions() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("tiermill", env!("CARGO_PKG_VERSION").to_owned()),
        ("polars", polars::VERSION.to_owned()),
        ("model_format", FORMAT_VERSION.to_string()),
    ])
}
