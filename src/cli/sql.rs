//! `tiermill sql`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{JobArgs, print};
use crate::config::{Dialect, TimeType};
use crate::error::Result;
use crate::pipeline::{SqlRequest, sql as write_sql};

/// Arguments of `tiermill sql`.
#[derive(Debug, Args)]
#[command(after_help = "\
What the model was fitted with holds (window, where, refunds, …); only columns are named anew:
  tiermill sql --model out/current/model.json --dialect duckdb \\
    --table \"read_parquet('orders/*.parquet')\" \\
    --customer customer_id --time ordered_at --amount amount > tiers.sql
  tiermill sql --model model.json --dialect snowflake --table SALES.ORDERS \\
    --config tiermill.toml --as-of 2024-01-31 --time-type timestamp")]
pub(super) struct SqlArgs {
    /// model.json of a run or of `tiermill fit`
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The engine that will read the query
    #[arg(long, value_name = "DIALECT")]
    dialect: Dialect,
    /// Table of the orders: a name, or an expression such as `read_parquet('orders.parquet')`
    #[arg(long, value_name = "NAME|EXPR")]
    table: String,
    /// What the time column holds [default: as in `input` where that is set, else timestamp]
    #[arg(long, value_name = "TYPE")]
    time_type: Option<TimeType>,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn sql(args: &SqlArgs) -> Result<ExitCode> {
    let [flags, file] = args.job.layers()?;
    let query = write_sql(&SqlRequest {
        model: &args.model,
        dialect: args.dialect,
        table: &args.table,
        time_type: args.time_type,
        flags: &flags,
        file: &file,
    })?;
    print(&query)?;
    Ok(ExitCode::SUCCESS)
}
