//! `tiermill check`.

use std::process::ExitCode;

use super::{JobArgs, print, print_json, problem, render};
use crate::config::Format;
use crate::error::Result;
use crate::pipeline;

pub(super) fn check(args: &JobArgs) -> Result<ExitCode> {
    let config = args.config()?;
    let checked = pipeline::check(&config)?;
    problem::print_warnings(&checked.warnings);
    match config.output.format {
        Format::Json => print_json(&checked)?,
        Format::Human => print(&render::checked(&checked))?,
    }
    match checked.broken {
        Some(limit) => Err(limit),
        None => Ok(ExitCode::SUCCESS),
    }
}
