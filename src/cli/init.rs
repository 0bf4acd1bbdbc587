//! `tiermill init`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{CONFIG_FILE, print, print_after};
use crate::error::{Error, Result};
use crate::load::guess::{explain, guess, to_toml};
use crate::load::profile;
use crate::store::write_new;

/// Arguments of `tiermill init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tiermill init orders.parquet            writes tiermill.toml, and says why
  tiermill init 'sales/*.parquet' --to -  prints the config instead")]
pub(super) struct InitArgs {
    /// Parquet files, folders or globs
    #[arg(required = true, value_name = "PATH")]
    input: Vec<String>,
    /// File to write; `-` prints the config instead
    #[arg(long, value_name = "FILE", default_value = CONFIG_FILE)]
    to: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub(super) fn init(args: &InitArgs) -> Result<ExitCode> {
    let profile = profile(&args.input)?;
    let guess = guess(&profile.columns);
    let input = paths_from(&args.to, &args.input)?;
    let config = to_toml(&guess, &input, &profile.columns);
    if args.to == Path::new("-") {
        print(&config)?;
        return Ok(ExitCode::SUCCESS);
    }
    write_new(&args.to, &config, args.force)?;
    let mut text = format!(
        "Looked at {} of {} rows in {} file{}.\n\n",
        profile.columns.first().map_or(0, |column| column.rows),
        profile.rows,
        profile.files,
        if profile.files == 1 { "" } else { "s" }
    );
    for line in explain(&guess) {
        text += &line;
        text.push('\n');
    }
    let config = if args.to == Path::new(CONFIG_FILE) {
        String::new()
    } else {
        format!(" --config {}", args.to.display())
    };
    let to = args.to.display();
    print_after(
        &format!("wrote `{to}`, but "),
        &format!("{text}\nWrote {to}. Next: tiermill check{config}\n"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The inputs as the config has to name them: from its own folder, or from the root where that is another one.
fn paths_from(config: &Path, inputs: &[String]) -> Result<Vec<String>> {
    let here = config
        .parent()
        .is_none_or(|folder| folder.as_os_str().is_empty());
    if here {
        return Ok(inputs.to_vec());
    }
    let folder = std::env::current_dir().map_err(Error::io("find", "."))?;
    Ok(inputs
        .iter()
        .map(|input| folder.join(input).to_string_lossy().into_owned())
        .collect())
}
