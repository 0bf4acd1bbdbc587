//! `tiermill generate`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;

use super::{json, print_after, progress::Counter, render::count};
use crate::config::{Format, Share};
use crate::error::Result;
use crate::generate::Plan;
use crate::pipeline::{Generated, IdType, generate as generate_orders};

/// Arguments of `tiermill generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The truth stands beside the folder: DIR.truth.parquet (group, rate, dropout and
spend of each customer) and DIR.truth.json (parameters of the groups, totals).

4.6 million orders in 24 monthly files, and their tiers:
  tiermill generate --customers 1000000 --out orders
  tiermill run --input orders --customer customer_id --time ordered_at \\
    --amount amount")]
pub(super) struct GenerateArgs {
    /// Customers
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    customers: u64,
    /// Days over which they order
    #[arg(long, value_name = "D", default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Seed; the same seed gives the same orders
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// New or empty folder for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// First day
    #[arg(long, value_name = "DATE", default_value = "2023-01-01")]
    start: NaiveDate,
    /// Type of the customer ids
    #[arg(long, value_name = "TYPE", default_value = "int")]
    id_type: IdType,
    /// A row per order line, with quantity and unit price
    #[arg(long)]
    line_items: bool,
    /// Share of the orders that are refunded later
    #[arg(long, value_name = "SHARE", default_value = "0")]
    refunds: Share,
    /// Share of the rows that are spoilt: nulls, NaN, year 1, copies
    #[arg(long, value_name = "SHARE", default_value = "0")]
    dirt: Share,
    /// Tables for people, or one JSON document for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn generate(args: &GenerateArgs) -> Result<ExitCode> {
    let plan = Plan {
        customers: args.customers,
        days: args.days,
        start: i64::from(args.start.to_epoch_days()),
        seed: args.seed,
        line_items: args.line_items,
        refunds: args.refunds.0,
        dirt: args.dirt.0,
    };
    let generated = {
        let mut counter = Counter::new(args.customers, args.quiet);
        generate_orders(&plan, args.id_type, &args.out, &mut |customers| {
            counter.at(customers);
        })?
    };
    let text = match args.format {
        Format::Json => json(&generated)?,
        Format::Human => summary(&generated),
    };
    let done = format!("wrote `{}`, but ", generated.directory.display());
    print_after(&done, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// What was generated, and where the truth is.
fn summary(generated: &Generated) -> String {
    let total = &generated.summary.total;
    let mut text = format!(
        "{} orders of {} customers in {} rows, {} files in {}\n",
        count(total.orders),
        count(total.customers),
        count(generated.summary.rows),
        generated.files.len(),
        generated.directory.display()
    );
    if 0 < total.refunds {
        let _ = writeln!(text, "{} of them refunded", count(total.refunds));
    }
    let dirty = generated.summary.dirty.total();
    if 0 < dirty {
        let _ = writeln!(text, "{} spoilt rows", count(dirty));
    }
    let _ = writeln!(
        text,
        "The truth: {} and {}",
        generated.truth_table.display(),
        generated.truth.display()
    );
    text
}
