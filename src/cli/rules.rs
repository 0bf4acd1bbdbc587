//! `tiermill rules`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{JobArgs, print, print_after, problem};
use crate::error::{Error, Result};
use crate::pipeline::freeze as freeze_rules;
use crate::store::write_new;

/// Arguments of `tiermill rules`.
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Find the cut points of rules in the input once, and write them as a rule file
    Freeze(FreezeArgs),
}

/// Arguments of `tiermill rules freeze`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tiermill rules freeze --rules grid-10                   prints the rule file
  tiermill rules freeze --rules grid-10 --to rules.toml   writes it
  tiermill run --rules rules.toml                         uses its cut points")]
struct FreezeArgs {
    /// File to write; `-` prints it instead
    #[arg(long, value_name = "FILE", default_value = "-")]
    to: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn rules(args: &RulesArgs) -> Result<ExitCode> {
    match &args.command {
        RulesCommand::Freeze(args) => freeze(args),
    }
}

fn freeze(args: &FreezeArgs) -> Result<ExitCode> {
    let config = args.job.config()?;
    let to_stdout = args.to == Path::new("-");
    if !to_stdout && args.to.exists() && !args.force {
        // Said before the input is read.
        return Err(Error::Exists {
            path: args.to.clone(),
            hint: "give another name, or `--force` to replace it".to_owned(),
        });
    }
    let frozen = freeze_rules(&config)?;
    problem::print_warnings(&frozen.warnings);
    if to_stdout {
        print(&frozen.text)?;
        return Ok(ExitCode::SUCCESS);
    }
    write_new(&args.to, &frozen.text, args.force)?;
    let to = args.to.display();
    print_after(
        &format!("wrote `{to}`, but "),
        &format!("Wrote {to}. Next: tiermill run --rules {to}\n"),
    )?;
    Ok(ExitCode::SUCCESS)
}
