//! `tiermill assign`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{JobArgs, run};
use crate::error::Result;
use crate::pipeline;

/// Arguments of `tiermill assign`.
#[derive(Debug, Args)]
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
