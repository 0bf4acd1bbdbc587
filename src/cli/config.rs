//! `tiermill config`.

use std::process::ExitCode;

use super::{JobArgs, print, print_json};
use crate::config::{Config, Format, defaults, merge};
use crate::error::{Error, Result};

/// Prints what is in force, and then says what is wrong with it, if anything is.
pub(super) fn config(args: &JobArgs) -> Result<ExitCode> {
    let merged = merge([&args.options, &args.file()?, &defaults()])?;
    if merged.output.format == Some(Format::Json) {
        print_json(&merged)?;
    } else {
        let text = toml::to_string_pretty(&merged).map_err(|error| Error::BadValue {
            key: "config".to_owned(),
            found: error.to_string(),
            expected: "values that TOML can hold".to_owned(),
        })?;
        print(&text)?;
    }
    Config::try_from(merged)?;
    Ok(ExitCode::SUCCESS)
}
