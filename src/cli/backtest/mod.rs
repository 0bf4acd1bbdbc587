//! `tiermill backtest`.

mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::progress::Progress;
use super::{JobArgs, print, print_json, problem, with_threads, within};
use crate::config::{Config, Days, Format, parse_moment};
use crate::error::Result;
use crate::pipeline::{self, Asked, Stage};

/// Folds beyond which there is nothing to learn.
const MAX_FOLDS: usize = 100;
/// Resamples from which a bound of a 90 % interval means something, and beyond which it does not move.
const RESAMPLES: std::ops::RangeInclusive<usize> = 100..=100_000;

/// Arguments of `tiermill backtest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Tiers are made of the orders before --at alone, as a run on that day would have made them, and judged by the orders of the
horizon after it. These compete:
  clusters    k-means, by the config
  breaks      bands of each dimension, by the config
  NAME        the rules of the config (--rules), and each of --against
  quantile    the sum of the quintile scores of R, F and M
  random      customers dealt into tiers of the sizes of the clusters: the floor

  tiermill backtest --at 2024-01-01 --horizon 90d
  tiermill backtest --at 2024-01-01 --horizon 90d --folds 4 --against eight my-rules.toml
  tiermill backtest --at 2024-01-01 --horizon 26w --format json | jq '.differences[] | select(.measure == \"gini\")'

With --folds, each fold begins a horizon before the one above it. Clusters, breaks and rules are ranked by their mean
revenue before --at. The verdict is `not distinguishable` where the 90 % interval of the difference holds zero.
The data ends at midnight after its newest order, or at --as-of. Nothing is written without --out.")]
pub(super) struct BacktestArgs {
    /// Day or time from which tiers know nothing
    #[arg(long, value_name = "DATE|TIME")]
    at: String,
    /// How long after it customers are watched, as in `90d` or `26w`
    #[arg(long, value_name = "DAYS")]
    horizon: Days,
    /// Folds, each a horizon before the one above it
    #[arg(long, value_name = "N", default_value_t = 1)]
    folds: usize,
    /// Further rules: built-in maps (`tiermill maps`) and rule files
    #[arg(long, value_name = "NAME|FILE", num_args = 1..)]
    against: Vec<String>,
    /// Resamples of the customers behind each interval
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    resamples: usize,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn backtest(args: &BacktestArgs) -> Result<ExitCode> {
    let [flags, file] = args.job.layers()?;
    let config = Config::new(&flags, &file)?;
    let asked = Asked {
        at: parse_moment("at", &args.at)?,
        horizon: args.horizon,
        folds: within("folds", args.folds, 1..=MAX_FOLDS)?,
        against: args.against.clone(),
        resamples: within("resamples", args.resamples, RESAMPLES)?,
        out: flags.output.out.as_ref().map(PathBuf::from),
    };
    with_threads(config.output.threads)?;
    let backtested = {
        let mut progress = Progress::new(config.output.quiet, &Stage::OF_BACKTEST);
        pipeline::backtest(&config, &asked, &mut |stage| progress.stage(stage))?
    };
    problem::print_warnings(&backtested.warnings);
    match config.output.format {
        Format::Json => print_json(&backtested)?,
        Format::Human => print(&text::backtested(&backtested))?,
    }
    Ok(ExitCode::SUCCESS)
}
