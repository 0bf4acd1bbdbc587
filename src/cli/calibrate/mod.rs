//! `tiermill calibrate`.

mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::progress::Progress;
use super::{JobArgs, print, print_json, problem, with_threads, within};
use crate::calibrate::{FIDELITY, Faith, MOST_RULES, SCHEMES, USUAL_SCHEME, Wanted};
use crate::config::{Config, Format};
use crate::error::{Error, Result};
use crate::pipeline::{self, Calibrating, Stage};

/// Resamples from which a bound of a 90 % interval means something, and beyond which it does not move.
const RESAMPLES: std::ops::RangeInclusive<usize> = 100..=100_000;
/// Rules beyond which nobody reads them.
const RULES: std::ops::RangeInclusive<usize> = 2..=256;

/// Arguments of `tiermill calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every way to cut recency, frequency and monetary, in their own units, with 90 % intervals and in round numbers:
  natural-breaks       bands that lie closest to their means (one-dimensional k-means), 2 to 5
  natural-breaks-log   the same on log1p of the values: great amounts do not decide alone
  quantile             evenly spaced quantiles, 2 to 5 bands
  mean, median         one cut point
  top-percent          the best fifth of the customers (80/20)
  rules                the rules of the config (--rules)
  kmeans               where the k-means tiers divide the dimension

And the clusters as rules: few thresholds that put customers in the tier they have.

  tiermill calibrate
  tiermill calibrate --model out/current/model.json --rules eight --explain
  tiermill calibrate --out thresholds --scheme quantile --bands 5
  tiermill compare clusters thresholds/clusters.toml
  tiermill run --rules thresholds/thresholds.toml

Nothing is written without --out. With it: thresholds.toml (rules by --scheme), clusters.toml (the clusters as rules),
thresholds.json (all of it) and thresholds.sql. Past runs are looked for in --runs.")]
pub(super) struct CalibrateArgs {
    /// Model whose tiers count [default: those that the config finds]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Scheme of thresholds.toml
    #[arg(long, value_name = "NAME", default_value = USUAL_SCHEME, value_parser = SCHEMES)]
    scheme: String,
    /// Share of the customers whom the clusters as rules shall put in their tier, above 0 and up to 1
    #[arg(long, value_name = "SHARE", default_value_t = FIDELITY)]
    fidelity: f64,
    /// Rules that they may take at most, before some are put together, 2 to 256
    #[arg(long, value_name = "N", default_value_t = MOST_RULES)]
    max_rules: usize,
    /// Resamples of the customers behind each interval, 100 to 100000
    #[arg(long, value_name = "N", default_value_t = 200)]
    resamples: usize,
    /// Folder of the runs whose cut points are told [default: `out` of the config]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn calibrate(args: &CalibrateArgs) -> Result<ExitCode> {
    let [flags, file] = args.job.layers()?;
    let config = Config::new(&flags, &file)?;
    if !(0.0 < args.fidelity && args.fidelity <= 1.0) {
        return Err(Error::BadValue {
            key: "fidelity".to_owned(),
            found: args.fidelity.to_string(),
            expected: "a share above 0 and up to 1, as in `0.95`".to_owned(),
        });
    }
    // `--out` is where the files go; the runs of every night lie where the config says.
    let runs = match &args.runs {
        Some(folder) if !folder.join("runs").is_dir() => {
            return Err(Error::BadValue {
                key: "runs".to_owned(),
                found: folder.display().to_string(),
                expected: "the `--out` of past runs, a folder that holds `runs/`".to_owned(),
            });
        }
        given => given.clone().or(file.output.out.map(PathBuf::from)),
    };
    let asked = Calibrating {
        model: args.model.clone(),
        wanted: Wanted {
            scheme: Some(args.scheme.clone()),
            bands: flags.cluster.bands,
            min_share: config.cluster.min_share,
            tiers_as_of: None,
        },
        faith: Faith {
            fidelity: args.fidelity,
            most: within("max-rules", args.max_rules, RULES)?,
        },
        resamples: within("resamples", args.resamples, RESAMPLES)?,
        runs: runs.unwrap_or_else(|| PathBuf::from("out")),
        out: flags.output.out.as_ref().map(PathBuf::from),
    };
    with_threads(config.output.threads)?;
    let calibrated = {
        let mut progress = Progress::new(config.output.quiet, &Stage::OF_CALIBRATION);
        pipeline::calibrate(&config, &asked, &mut |stage| progress.stage(stage))?
    };
    problem::print_warnings(&calibrated.warnings);
    match config.output.format {
        Format::Json => print_json(&calibrated)?,
        Format::Human => print(&text::calibrated(&calibrated, config.output.explain))?,
    }
    Ok(ExitCode::SUCCESS)
}
