//! `tiermill compare`.

mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

pub(super) use text::summary;

use super::progress::Progress;
use super::{JobArgs, print, print_json, problem, with_threads};
use crate::config::{Config, Format};
use crate::error::{Error, Result};
use crate::pipeline::{self, Question, Stage};

/// Arguments of `tiermill compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
A and B are each one of:
  out, out/current, a folder in out/runs     the tiers of a published run
  FILE.parquet                               any table with a customer and a label
  clusters                                   tiers fitted now, by the config
  rules                                      segments of the rules of the config
  eight, grid-10, … or RULES.toml            segments of a rule map (`tiermill maps`) or rule file

  tiermill compare eight clusters
  tiermill compare rules clusters --rules my-rules.toml
  tiermill compare segments.parquet out/current
  tiermill compare out/runs/<last week> out/current --plan
  tiermill compare out out --label tier --label segment
  tiermill compare crm.parquet clusters --k 5 --label grade --out comparison

Recency, frequency and amounts come from the run, where a side is one; else from --input.
Nothing is written without --out.")]
pub(super) struct CompareArgs {
    /// A tiering: a run, a table of labels, `clusters`, a rule map or rule file
    a: String,
    /// The tiering to hold against it
    b: String,
    /// Column of the labels; twice for another one in B [default: tier, segment, or the only one]
    #[arg(long, value_name = "COLUMN")]
    label: Vec<String>,
    /// Show what changes by segment if B takes the place of A
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn compare(args: &CompareArgs) -> Result<ExitCode> {
    let [flags, file] = args.job.layers()?;
    let config = Config::for_comparison(&flags, &file)?;
    with_threads(config.output.threads)?;
    if 2 < args.label.len() {
        return Err(Error::BadValue {
            key: "label".to_owned(),
            found: format!("{} columns", args.label.len()),
            expected: "one for both sides, or one for each".to_owned(),
        });
    }
    let question = Question {
        a: args.a.clone(),
        b: args.b.clone(),
        labels: args.label.clone(),
        input_named: flags.input.input.is_some(),
        out: flags.output.out.as_ref().map(PathBuf::from),
    };
    let compared = {
        let mut progress = Progress::new(config.output.quiet, &Stage::OF_COMPARISON);
        pipeline::compare(&config, &question, &mut |stage| progress.stage(stage))?
    };
    problem::print_warnings(&compared.warnings);
    match config.output.format {
        Format::Json => print_json(&compared)?,
        Format::Human => print(&text::compared(&compared, args.plan))?,
    }
    Ok(ExitCode::SUCCESS)
}
