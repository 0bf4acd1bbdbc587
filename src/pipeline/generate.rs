//! Generated orders as tables.
//!
//! In: a [`Plan`] and how ids are to look. Out: a folder of monthly files, and beside it the truth behind them.
//! Invariant: the truth never stands in the folder of the orders, so that the folder as a whole is an input.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike};
use polars::prelude::*;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::generate::{
    Chunk, Dirt, Group, Orders, Plan, Summary, Truth, YEAR_ONE_US, chunks, groups,
};
use crate::store::{GrowingTable, OrderFiles, remove, write_new};

/// The type of generated customer ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdType {
    /// 1, 2, 3, … as 64-bit integers.
    Int,
    /// `C00000001`, …
    String,
}

/// What was generated.
#[derive(Debug, Serialize)]
pub struct Generated {
    /// Folder of the orders.
    pub directory: PathBuf,
    /// Files in it.
    pub files: Vec<String>,
    /// Customer by customer what is true.
    pub truth_table: PathBuf,
    /// The parameters and totals.
    pub truth: PathBuf,
    /// Totals.
    pub summary: Summary,
}

/// The truth file.
#[derive(Serialize)]
struct TruthDocument<'a> {
    plan: &'a Plan,
    id_type: IdType,
    groups: &'a [Group],
    summary: &'a Summary,
}

/// Writes the orders of a plan.
///
/// # Errors
/// [`Error::Exists`] for a folder or a truth that is there already, [`Error::BadValue`] for a folder without a name,
/// [`Error::Io`] where the system refuses.
pub fn generate(
    plan: &Plan,
    id_type: IdType,
    folder: &Path,
    observe: &mut dyn FnMut(u64),
) -> Result<Generated> {
    // The truth is named after the folder.
    let Some(name) = folder.file_name() else {
        return Err(Error::BadValue {
            key: "out".to_owned(),
            found: format!("`{}`", folder.display()),
            expected: "a folder with a name of its own, such as `orders`".to_owned(),
        });
    };
    let beside = |ending: &str| {
        let mut name = name.to_os_string();
        name.push(ending);
        folder.with_file_name(name)
    };
    let (truth_path, json_path) = (beside(".truth.parquet"), beside(".truth.json"));
    let mut files = OrderFiles::create(folder, &[&truth_path, &json_path])?;
    let mut summary = Summary::default();
    let mut truth = GrowingTable::new(&truth_path);
    for chunk in chunks(plan) {
        for (month, rows) in months(&chunk.orders) {
            files.write(&month, table(&chunk, rows, plan, id_type)?)?;
        }
        summary.add(&chunk);
        truth.write(truth_table(&chunk.truth, id_type)?)?;
        observe(summary.total.customers);
    }
    // The orders come last: a folder of orders without its truth would be taken for whole.
    let written = write_truth(plan, id_type, &summary, &json_path)
        .and_then(|()| truth.publish())
        .and_then(|_| files.publish());
    let files = written.inspect_err(|_| {
        for path in [&json_path, &truth_path] {
            remove(path);
        }
    })?;
    Ok(Generated {
        directory: folder.to_owned(),
        files,
        truth_table: truth_path,
        truth: json_path,
        summary,
    })
}

/// The parameters and totals.
fn write_truth(plan: &Plan, id_type: IdType, summary: &Summary, path: &Path) -> Result<()> {
    let document = TruthDocument {
        plan,
        id_type,
        groups: groups(),
        summary,
    };
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Error::io("write", path)(error.into()))?;
    write_new(path, &(text + "\n"), false)
}

/// The rows of each month. Rows are sorted by time, so that a month is a range.
fn months(orders: &Orders) -> BTreeMap<String, Range<usize>> {
    let mut months: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut start = 0;
    while start < orders.len() {
        let Some(day) = DateTime::from_timestamp_micros(orders.ordered_at_us[start]) else {
            break;
        };
        let (year, month) = if day.month() == 12 {
            (day.year() + 1, 1)
        } else {
            (day.year(), day.month() + 1)
        };
        let next = chrono::NaiveDate::from_ymd_opt(year, month, 1)
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .map_or(i64::MAX, |midnight| midnight.and_utc().timestamp_micros());
        let end = start + orders.ordered_at_us[start..].partition_point(|&at| at < next);
        months.insert(format!("{:04}-{:02}", day.year(), day.month()), start..end);
        start = end;
    }
    months
}

fn ids(name: &str, customers: &[u64], id_type: IdType) -> Column {
    match id_type {
        IdType::Int => Int64Chunked::from_iter_values(
            name.into(),
            customers.iter().map(|&id| id.cast_signed()),
        )
        .into_column(),
        IdType::String => StringChunked::from_iter_values(
            name.into(),
            customers.iter().map(|id| format!("C{id:08}")),
        )
        .into_column(),
    }
}

/// Orders of one month, with their dirt laid over them.
fn table(chunk: &Chunk, rows: Range<usize>, plan: &Plan, id_type: IdType) -> Result<DataFrame> {
    let orders = &chunk.orders;
    let dirt = DirtOf::rows(chunk, &rows);
    let times = dirt.replaced(
        &orders.ordered_at_us[rows.clone()],
        Dirt::YearOne,
        YEAR_ONE_US,
    );
    let amounts: Vec<f64> = orders.amount_cents[rows.clone()]
        .iter()
        .map(|&cents| cents as f64 / 100.0)
        .collect();
    let amounts = dirt.replaced(&amounts, Dirt::NanAmount, f64::NAN);
    let build = || {
        let time = Int64Chunked::from_vec("ordered_at".into(), times)
            .into_column()
            .cast(&DataType::Datetime(TimeUnit::Microseconds, None))?;
        let customer = ids("customer_id", &orders.customer[rows.clone()], id_type);
        let amount = Float64Chunked::from_vec("amount".into(), amounts).into_column();
        let mut columns = vec![
            Int64Chunked::from_slice("order_id".into(), &orders.order_id[rows.clone()])
                .into_column(),
            dirt.nulled(customer, Dirt::NullCustomer)?,
            dirt.nulled(time, Dirt::NullTime)?,
            dirt.nulled(amount, Dirt::NullAmount)?,
        ];
        if plan.line_items {
            let prices = orders.unit_price_cents[rows.clone()]
                .iter()
                .map(|&cents| cents as f64 / 100.0);
            columns.extend([
                Int32Chunked::from_slice("line".into(), &orders.line[rows.clone()]).into_column(),
                Int32Chunked::from_slice("quantity".into(), &orders.quantity[rows.clone()])
                    .into_column(),
                Float64Chunked::from_iter_values("unit_price".into(), prices).into_column(),
            ]);
        }
        DataFrame::new(rows.len(), columns)
    };
    build().map_err(Error::polars("put orders together"))
}

/// The spoilt rows of a range, numbered from its start.
struct DirtOf {
    rows: Vec<(usize, Dirt)>,
    height: usize,
}

impl DirtOf {
    fn rows(chunk: &Chunk, range: &Range<usize>) -> Self {
        let first = chunk.dirt.partition_point(|(row, _)| *row < range.start);
        let end = chunk.dirt.partition_point(|(row, _)| *row < range.end);
        let rows = chunk.dirt[first..end]
            .iter()
            .map(|&(row, kind)| (row - range.start, kind))
            .collect();
        Self {
            rows,
            height: range.len(),
        }
    }

    fn of(&self, kind: Dirt) -> impl Iterator<Item = usize> + '_ {
        self.rows
            .iter()
            .filter(move |(_, found)| *found == kind)
            .map(|&(row, _)| row)
    }

    /// The values with another one in the rows of a kind.
    fn replaced<T: Copy>(&self, values: &[T], kind: Dirt, with: T) -> Vec<T> {
        let mut values = values.to_vec();
        for row in self.of(kind) {
            values[row] = with;
        }
        values
    }

    /// The column with nulls in the rows of a kind.
    fn nulled(&self, column: Column, kind: Dirt) -> PolarsResult<Column> {
        let mut keep = vec![true; self.height];
        for row in self.of(kind) {
            keep[row] = false;
        }
        if keep.iter().all(|&keep| keep) {
            return Ok(column);
        }
        let nothing = Series::full_null(column.name().clone(), self.height, column.dtype());
        let keep: BooleanChunked = keep.into_iter().map(Some).collect();
        column
            .take_materialized_series()
            .zip_with(&keep, &nothing)
            .map(IntoColumn::into_column)
    }
}

/// What is true of each customer.
fn truth_table(truth: &Truth, id_type: IdType) -> Result<DataFrame> {
    let names =
        StringChunked::from_iter_values("group".into(), groups().iter().map(|group| group.name));
    let build = || {
        let group: Vec<IdxSize> = truth
            .group
            .iter()
            .map(|&group| IdxSize::from(group))
            .collect();
        let columns = vec![
            ids("customer_id", &truth.customer, id_type),
            names
                .take(&IdxCa::from_vec("group".into(), group))?
                .into_column(),
            Float64Chunked::from_slice("rate_per_day".into(), &truth.rate_per_day).into_column(),
            Int64Chunked::from_slice("dropout".into(), &truth.dropout_us)
                .into_column()
                .cast(&DataType::Datetime(TimeUnit::Microseconds, None))?,
            Float64Chunked::from_slice("spend_log_mean".into(), &truth.spend_log_mean)
                .into_column(),
            UInt32Chunked::from_slice("orders".into(), &truth.orders).into_column(),
            UInt32Chunked::from_slice("refunds".into(), &truth.refunds).into_column(),
            Int64Chunked::from_slice("spent_cents".into(), &truth.spent_cents).into_column(),
            Int64Chunked::from_slice("refunded_cents".into(), &truth.refunded_cents).into_column(),
        ];
        DataFrame::new(truth.customer.len(), columns)
    };
    build().map_err(Error::polars("put the truth together"))
}
