//! The command line: one file per subcommand.
//!
//! In: arguments. Out: results on stdout, everything else on stderr, an exit code.
//! Invariant: it is the only code that prints, and it computes nothing.

mod assign;
mod backtest;
mod calibrate;
mod check;
mod compare;
mod config;
mod generate;
mod init;
mod maps;
mod plain;
mod problem;
mod progress;
mod render;
mod report;
mod rules;
mod run;
mod shell;
mod sql;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use toml::{Table, Value};

use crate::config::{Config, Options, RulesOptions, defaults, parse, with_rules};
use crate::error::{Error, Result, RuleFault};
use crate::rules::RuleSet;

/// The file that is read where `--config` is not given.
const CONFIG_FILE: &str = "tiermill.toml";

#[derive(Debug, Parser)]
#[command(
    name = "tiermill",
    version,
    about = "Turns a table of orders into customer tiers, every night, unattended",
    long_about = None,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
First time:
  tiermill init orders.parquet        guesses the columns, writes tiermill.toml
  tiermill check                      what would be rejected, and why
  tiermill run                        the nightly job

Every night:
  tiermill run --quiet --config /etc/tiermill.toml || alert \"tiermill: exit $?\"

Fit once, assign often:
  tiermill fit --k 5 --out models
  tiermill assign --model models/runs/<run>/model.json

Exit codes:
  0 done
  1 the data or the run failed
  2 command line or config
  3 a data-quality limit was broken, nothing published"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at a Parquet input, guess the columns, write a commented config
    Init(init::InitArgs),
    /// Check config and data without modelling: what would be rejected, and why
    #[command(
        after_help = "Reads everything that `run` would read, publishes nothing, and ends with 3 where a limit is broken:
  tiermill check
  tiermill check --input orders.parquet --customer id --time date --amount total --format json"
    )]
    Check(JobArgs),
    /// The nightly job: load, find tiers, assign, publish
    #[command(
        after_help = "With a config (tiermill.toml of this folder, or --config):
  tiermill run
  tiermill run --k 5 --out /data/tiers

Without one:
  tiermill run --input 'sales/*.parquet' --window 730d \\
    --customer customer_id --time invoice_date --order invoice_no \\
    --amount \"quantity * unit_price\" --where \"quantity > 0\"

For a program:
  tiermill run --quiet --format json |
    jq '.tiers[] | [.rank, .name, .customers]'"
    )]
    Run(JobArgs),
    /// Fit a model and publish it without assignments
    #[command(after_help = "A run without assignments; `current` stays where it is:
  tiermill fit --k 5 --out models
  tiermill assign --model models/runs/<run>/model.json")]
    Fit(JobArgs),
    /// Give every customer a tier of a saved model
    Assign(assign::AssignArgs),
    /// Hold two tierings of the same customers against each other
    Compare(compare::CompareArgs),
    /// Make tiers as of a day in the past, and judge them by what came after
    Backtest(backtest::BacktestArgs),
    /// Cut points of each dimension, how sure they are, and the clusters as rules
    Calibrate(calibrate::CalibrateArgs),
    /// Print the effective config as TOML that can be fed back
    #[command(after_help = "\
Examples:
  tiermill config                      what is in force, defaults included
  tiermill config --k 4 > new.toml     the same with another k, to a new file:
                                       the shell empties the one it writes to")]
    Config(JobArgs),
    /// List the built-in segment maps, show one, or prove one whole
    Maps(maps::MapsArgs),
    /// Work with rule files: freeze their cut points
    Rules(rules::RulesArgs),
    /// Make the page of a published run again, with a backtest or charts if asked
    Report(report::ReportArgs),
    /// Print a model as SQL: orders in, the tier of every customer out
    Sql(sql::SqlArgs),
    /// Make orders with a known truth, any size
    Generate(generate::GenerateArgs),
    /// Print completions for a shell
    Completions(shell::CompletionsArgs),
    /// Print the man page, or write one per command into a folder
    Man(shell::ManArgs),
}

/// What every job takes: a config file, and flags that win over it.
#[derive(Debug, Args)]
struct JobArgs {
    /// Config file [default: tiermill.toml in this folder, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl JobArgs {
    /// The options of the file; none where there is no file.
    fn file(&self) -> Result<Options> {
        config_file(self.config.as_deref())
    }

    /// The flags and the options of the file, both with the text of the rule files that they name. Rules by flag replace
    /// those of the file as a whole.
    fn layers(&self) -> Result<[Options; 2]> {
        let (mut flags, mut file) = (self.options.clone(), self.file()?);
        if flags.rules.rules.is_some() {
            file.rules = RulesOptions::default();
        }
        with_rules(&mut flags, &read_rules)?;
        with_rules(&mut file, &read_rules)?;
        Ok([flags, file])
    }

    /// Flags over file over defaults; then the threads, which have to be known before polars starts.
    fn config(&self) -> Result<Config> {
        let [flags, file] = self.layers()?;
        let config = Config::new(&flags, &file)?;
        with_threads(config.output.threads)?;
        Ok(config)
    }
}

/// The options of a config file, or of the one in this folder; none where there is none.
fn config_file(path: Option<&Path>) -> Result<Options> {
    let path = match path {
        Some(path) => path,
        None if Path::new(CONFIG_FILE).exists() => Path::new(CONFIG_FILE),
        None => return Ok(Options::default()),
    };
    parse(&read_config(path)?, path)
}

#[expect(clippy::disallowed_methods, reason = "cli reads the config file")]
fn read_config(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::ConfigRead {
        path: path.to_owned(),
        source,
    })
}

/// The text of a rule file that is sound by itself: what is wrong in it is said with its name.
fn read_rules(path: &Path) -> Result<String> {
    let text = read_config(path).map_err(|error| match error {
        Error::ConfigRead { path, source } => RuleFault::Read {
            place: path,
            source,
        }
        .into(),
        other => other,
    })?;
    RuleSet::read(&text, path)?;
    Ok(text)
}

/// Parses, works, prints; the exit code is the one of DESIGN §4.
pub fn main() -> ExitCode {
    problem::hold_panics();
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    match std::panic::catch_unwind(|| dispatch(cli.command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            problem::print_error(&error);
            ExitCode::from(error.exit_code())
        }
        Err(_) => {
            problem::print_panic();
            ExitCode::FAILURE
        }
    }
}

/// The command line, with the default of each setting in its help.
fn command() -> clap::Command {
    let defaults = Table::try_from(defaults()).unwrap_or_default();
    let defaults: BTreeMap<String, Value> = defaults
        .into_iter()
        .filter_map(|(_, table)| match table {
            Value::Table(table) => Some(table),
            _ => None,
        })
        .flatten()
        .collect();
    let of_job = |name: &str| {
        [
            "check",
            "run",
            "fit",
            "assign",
            "compare",
            "backtest",
            "calibrate",
            "config",
            "freeze",
        ]
        .contains(&name)
    };
    let with_defaults = |command: clap::Command| {
        if !of_job(command.get_name()) {
            return command;
        }
        let command_name = command.get_name().to_owned();
        let loose = match command_name.as_str() {
            "compare" => Some("Folder for comparison.json and moved.parquet [default: none]"),
            "backtest" => Some("Folder for backtest.json and backtest.parquet [default: none]"),
            "calibrate" => {
                Some("Folder for thresholds.toml, .json, .sql and clusters.toml [default: none]")
            }
            _ => None,
        };
        command.mut_args(|arg| {
            if let (Some(help), Some("out")) = (loose, arg.get_long()) {
                return arg.help(help);
            }
            if command_name == "calibrate" && arg.get_long() == Some("bands") {
                return arg.help("Bands of each dimension in thresholds.toml, 2 to 5 [default: natural breaks 2, or 3 where a third is worth it; quantiles 5; else what the scheme has]");
            }
            let default = arg.get_long().and_then(|key| defaults.get(key));
            match (default, arg.get_help()) {
                (Some(default), Some(help)) => {
                    let help = format!("{help} [default: {}]", said(default));
                    arg.help(help)
                }
                _ => arg,
            }
        })
    };
    Cli::command().mut_subcommands(|command| match command.get_name() {
        "rules" => command.mut_subcommands(with_defaults),
        _ => with_defaults(command),
    })
}

/// A value as a flag would say it.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(said).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Init(args) => init::init(&args),
        Command::Check(args) => check::check(&args),
        Command::Run(args) => run::run(&args),
        Command::Fit(args) => run::fit(&args),
        Command::Assign(args) => assign::assign(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Backtest(args) => backtest::backtest(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Config(args) => config::config(&args),
        Command::Maps(args) => maps::maps(&args),
        Command::Rules(args) => rules::rules(&args),
        Command::Report(args) => report::report(&args),
        Command::Sql(args) => sql::sql(&args),
        Command::Generate(args) => generate::generate(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    }
}

/// Writes a result to stdout. A reader that has gone away (`| head`) is no fault of the run.
fn print(text: &str) -> Result<()> {
    print_after("", text)
}

/// The same for a document.
fn print_json(document: &impl serde::Serialize) -> Result<()> {
    print_after("", &json(document)?)
}

/// Writes the report of work that stays done where it cannot be printed: the error says what was done.
fn print_after(done: &str, text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Stdout {
            done: done.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn json(document: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Error::Stdout {
        done: String::new(),
        source: error.into(),
    })?;
    Ok(text + "\n")
}

/// Begins anew with the number of threads in the environment, where polars looks for it before its first query.
///
/// Setting it from inside the process would be unsafe, and too late for its pools.
fn with_threads(threads: Option<usize>) -> Result<()> {
    use std::os::unix::process::CommandExt;
    const VARIABLES: [&str; 2] = ["POLARS_MAX_THREADS", "RAYON_NUM_THREADS"];
    let Some(threads) = threads.map(|threads| threads.to_string()) else {
        return Ok(());
    };
    if VARIABLES
        .iter()
        .all(|name| std::env::var(name).is_ok_and(|value| value == threads))
    {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(Error::io("find", "tiermill"))?;
    let mut again = std::process::Command::new(&program);
    again.args(std::env::args_os().skip(1));
    for name in VARIABLES {
        again.env(name, &threads);
    }
    Err(Error::io("start", program)(again.exec()))
}

/// A number of the command line that lies in its range.
fn within(key: &str, found: usize, range: std::ops::RangeInclusive<usize>) -> Result<usize> {
    if range.contains(&found) {
        return Ok(found);
    }
    Err(Error::BadValue {
        key: key.to_owned(),
        found: found.to_string(),
        expected: format!("{} to {}", range.start(), range.end()),
    })
}
