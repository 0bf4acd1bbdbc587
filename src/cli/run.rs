//! `tiermill run` and `tiermill fit`.

use std::process::ExitCode;

use super::{JobArgs, json, print_after, problem, progress::Progress, render};
use crate::config::{Config, Format};
use crate::error::Result;
use crate::pipeline::{self, Observer, Report, Stage};

/// `tiermill run`.
pub(super) fn run(args: &JobArgs) -> Result<ExitCode> {
    job(&args.config()?, pipeline::run)
}

/// `tiermill fit`.
pub(super) fn fit(args: &JobArgs) -> Result<ExitCode> {
    job(&args.config()?, pipeline::fit)
}

/// Runs a job with progress, and prints its report.
pub(super) fn job(
    config: &Config,
    work: impl FnOnce(&Config, Observer<'_>) -> Result<Report>,
) -> Result<ExitCode> {
    let report = {
        let stages: &[Stage] = match config.rules {
            Some(_) => &Stage::WITH_RULES,
            None => &Stage::ALL,
        };
        let mut progress = Progress::new(config.output.quiet, stages);
        work(config, &mut |stage| progress.stage(stage))?
    };
    problem::print_warnings(&report.tiers.warnings);
    let text = match config.output.format {
        Format::Json => json(&report)?,
        Format::Human => render::report(&report, config.output.explain),
    };
    let done = format!("published `{}`, but ", report.directory.display());
    print_after(&done, &text)?;
    Ok(ExitCode::SUCCESS)
}
