//! `tiermill config`.

use std::process::ExitCode;

use super::{JobArgs, print, print_json};
use crate::config::{Config, Format, defaults, merge};
use crate::error::{Error, Result};
use crate::pipeline::rule_set;

/// Prints what is in force, and then says what is wrong with it, if anything is.
pub(super) fn config(args: &JobArgs) -> Result<ExitCode> {
    let mut merged = {
        let [flags, file] = args.layers()?;
        merge([&flags, &file, &defaults()])?
    };
    let paths = merged.input.input.iter_mut().flatten();
    for path in paths.chain(&mut merged.output.out) {
        *path = absolute(path);
    }
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
    rule_set(&Config::try_from(merged)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A path as it is from everywhere: the text may be fed back in another folder.
fn absolute(path: &str) -> String {
    if path.contains("://") {
        return path.to_owned();
    }
    std::path::absolute(path).map_or_else(
        |_| path.to_owned(),
        |absolute| absolute.to_string_lossy().into_owned(),
    )
}
