//! `tiermill assign`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{JobArgs, run};
use crate::error::Result;
use crate::pipeline;

/// Arguments of `tiermill assign`.
#[derive(Debug, Args)]
#[command(after_help = "\
The config has to mean the same R, F and M as the one that the model was fitted with; columns may have other names:
  tiermill assign --model out/current/model.json --input tonight.parquet")]
pub(super) struct AssignArgs {
    /// model.json of a run or of `tiermill fit`
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn assign(args: &AssignArgs) -> Result<ExitCode> {
    run::job(&args.job.config()?, |config, observe| {
        pipeline::assign(config, &args.model, observe)
    })
}
