//! `tiermill report`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::render::count;
use super::{print, print_json, problem};
use crate::config::Format;
use crate::error::Result;
use crate::pipeline::{self, PageAsked};

/// Arguments of `tiermill report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tiermill report out                                  report.html of the current run, in this folder
  tiermill report out/runs/2024-01-01-… --out mail/report.html --charts
  tiermill backtest --at 2024-01-01 --horizon 90d --out backtest
  tiermill report out --backtest backtest/backtest.json

Every run has its report.html already; a published run is never changed. The page is one file that needs no network.")]
pub(super) struct ReportArgs {
    /// The folder of a run, `out/current`, or a folder of runs
    run: PathBuf,
    /// backtest.json of `tiermill backtest --out`, to be shown on the page
    #[arg(long, value_name = "FILE")]
    backtest: Option<PathBuf>,
    /// File to write, with its folder; one that is there is replaced
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Also write charts as SVG and PNG files, for mail, beside the page
    #[arg(long)]
    charts: bool,
    /// A line for people, or one JSON document for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub(super) fn report(args: &ReportArgs) -> Result<ExitCode> {
    let written = pipeline::report(&PageAsked {
        run: args.run.clone(),
        backtest: args.backtest.clone(),
        out: args.out.clone(),
        charts: args.charts,
    })?;
    problem::print_warnings(&written.warnings);
    match args.format {
        Format::Json => print_json(&written)?,
        Format::Human => {
            let files: Vec<String> = written
                .files
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            print(&format!(
                "{}\n{} KB, {} cells of run {}\n",
                files.join("\n"),
                count(written.bytes / 1000),
                count(written.cells as u64),
                written.run_id
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
