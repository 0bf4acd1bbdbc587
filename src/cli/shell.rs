//! `tiermill completions` and `tiermill man`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::{command, print};
use crate::error::{Error, Result};
use crate::store::write_new;

/// Arguments of `tiermill completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Arguments of `tiermill man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder that receives tiermill.1, tiermill-run.1, … [default: the main page to stdout]
    folder: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "tiermill", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode> {
    let page = |command: Command| {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(Error::io("write", "tiermill.1"))?;
        Ok::<_, Error>(String::from_utf8_lossy(&page).into_owned())
    };
    // `tiermill help` has nothing to say that a page could hold.
    let mut main = command().disable_help_subcommand(true);
    let Some(folder) = &args.folder else {
        print(&page(main)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let front = page(main.clone())?;
    // Building gives subcommands the name that one types, `tiermill run`.
    main.build();
    for command in main.get_subcommands() {
        let name = format!("tiermill-{}", command.get_name());
        write_new(
            &folder.join(format!("{name}.1")),
            &page(command.clone())?,
            true,
        )?;
    }
    write_new(&folder.join("tiermill.1"), &front, true)?;
    Ok(ExitCode::SUCCESS)
}
