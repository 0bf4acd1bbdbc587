//! A table of customers with a label each becomes labels by customer.
//!
//! In: assignments.parquet of a run, or any Parquet with a customer and a label column. Out: [`Labelled`].
//! Invariant: customers are sorted by id and stand once; labels keep their order by value, so that names do not depend on
//! the order of rows. A customer without a label has the label [`NO_LABEL`]: nobody is dropped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use polars::prelude::*;

use super::customers::first_days;
use super::meaning::{check_customer, customer_order, type_name};
use super::source::{Source, guarded};
use super::{AsOfMoment, CustomerIds, Customers, id_text};
use crate::config::Monetary;
use crate::error::{CompareFault, Error, Result, Warning};

/// The label of customers without one.
pub const NO_LABEL: &str = "(none)";
/// Labels beyond which a column is something else.
const MAX_LABELS: usize = 1_000;
/// Columns that make a table the assignments of a run.
const OF_RUN: [&str; 5] = ["tier", "tier_name", "recency_days", "frequency", "monetary"];
/// Names that a column of labels may have without being asked for.
const LABELS: [&str; 3] = ["tier", "segment", "tier_name"];
/// Names that a column of customers may have without being asked for.
const CUSTOMERS: [&str; 7] = [
    "customer_id",
    "customer",
    "customerid",
    "client_id",
    "user_id",
    "member_id",
    "id",
];

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct LabelQuery<'a> {
    /// A file, a folder or a glob.
    pub path: &'a str,
    /// Column of the customer, where it is set.
    pub customer: Option<&'a str>,
    /// Column of the label, where it was asked for.
    pub label: Option<&'a str>,
    /// What is known of assignments of a run.
    pub run: &'a RunFacts,
}

/// What the documents of a run know of its assignments, and the table alone does not.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// What `monetary` is.
    pub monetary: Monetary,
    /// Decimals in which the amounts were added up.
    pub decimals: u32,
    /// As-of with its time of day.
    pub as_of: Option<String>,
}

/// What is taken of a table without documents.
impl Default for RunFacts {
    fn default() -> Self {
        Self {
            monetary: Monetary::Sum,
            decimals: 4,
            as_of: None,
        }
    }
}

/// Customers with a label each, sorted by id.
#[derive(Debug)]
pub struct Labelled {
    /// Ids, ascending, distinct, none null.
    pub ids: CustomerIds,
    /// Column of the labels.
    pub column: String,
    /// Distinct labels, ascending.
    pub names: Vec<String>,
    /// For each customer an index into `names`.
    pub labels: Vec<u32>,
    /// Whether labels are ranks, 1 the best.
    pub ranked: bool,
    /// Margins, where a model placed the customers by these labels; NaN where one is missing.
    pub margins: Option<Vec<f32>>,
    /// R, F and M, where the table is the assignments of a run.
    pub customers: Option<Customers>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Reads a table of labels.
///
/// # Errors
/// What can be wrong with the files; columns that are missing or of another type; a customer with two labels.
pub fn labels(query: LabelQuery<'_>) -> Result<Labelled> {
    let source = Source::open(&[query.path.to_owned()])?;
    guarded(&source.place(), || read(&source, query))
}

fn read(source: &Source, query: LabelQuery<'_>) -> Result<Labelled> {
    let columns = Chosen::new(source, query)?;
    let frame = source.collect(source.scan(&columns.needed(source))?)?;
    let customer = columns.customer.as_str();
    check_customer(source, customer, frame.schema().get(customer))?;
    let rows = frame.height();
    let order = customer_order(customer, frame.schema().get(customer));
    let frame = frame
        .lazy()
        .filter(col(customer).is_not_null())
        .sort_by_exprs([order], SortMultipleOptions::default())
        .collect()
        .map_err(Error::polars("sort the customers"))?;
    let mut warnings = Vec::new();
    if frame.height() < rows {
        let n = rows - frame.height();
        let message = format!("rows of `{}` without a customer: {n}", source.place());
        warnings.push(Warning::new("null_customers", message));
    }
    let ids = frame
        .column(customer)
        .map(|ids| ids.as_materialized_series().rechunk())
        .map_err(reading())?;
    check_once(source, &ids)?;
    let label = frame.column(&columns.label).map_err(reading())?;
    let (names, labels, unlabelled) = distinct(source, label.as_materialized_series())?;
    if 0 < unlabelled {
        let message = format!(
            "customers of `{}` without `{}`: {unlabelled}; they are the group {NO_LABEL}",
            source.place(),
            columns.label
        );
        warnings.push(Warning::new("customers_without_label", message));
    }
    let names = match &columns.names {
        Some(column) => spelled(&frame, column, (&names, &labels))?,
        None => names,
    };
    Ok(Labelled {
        customers: columns
            .of_run
            .then(|| customers(&frame, &ids, query.run))
            .transpose()?
            .flatten(),
        margins: columns.margin.then(|| margins(&frame)).transpose()?,
        ids: CustomerIds(ids),
        column: columns.label,
        names,
        labels,
        ranked: columns.ranked,
        warnings,
    })
}

fn reading() -> impl FnOnce(PolarsError) -> Error {
    Error::polars("read the labels")
}

/// Which columns are read, and what they are.
struct Chosen {
    customer: String,
    label: String,
    /// Where labels are ranks: the column that names them.
    names: Option<String>,
    ranked: bool,
    margin: bool,
    of_run: bool,
}

impl Chosen {
    fn new(source: &Source, query: LabelQuery<'_>) -> Result<Self> {
        let schema = source.schema();
        let found: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        let has = |name: &str| schema.contains(name);
        let of_run = OF_RUN.iter().all(|name| has(name));
        if let Some(label) = query.label {
            source.column("label", label)?;
        }
        let customer = customer(source, &found, query, of_run)?;
        let label = match query.label {
            Some(label) => label.to_owned(),
            None => label(&found, &customer)?,
        };
        let is_rank = label == "tier" && schema.get("tier").is_some_and(DataType::is_integer);
        let by_model = ["tier", "tier_name", "tier_key"].contains(&label.as_str());
        Ok(Self {
            names: (is_rank && of_run).then(|| "tier_name".to_owned()),
            ranked: is_rank,
            margin: of_run && by_model && has("margin"),
            of_run,
            customer,
            label,
        })
    }

    /// Names of all columns that are needed, each once.
    fn needed(&self, source: &Source) -> Vec<String> {
        let own = [&self.customer, &self.label];
        let own = own.into_iter().chain(&self.names).map(String::as_str);
        let margin = self.margin.then_some("margin");
        let figures = [
            "as_of",
            "recency_days",
            "frequency",
            "monetary",
            "tenure_days",
        ];
        let figures = figures
            .into_iter()
            .filter(|name| self.of_run && source.schema().contains(name));
        let all: BTreeSet<&str> = own.chain(margin).chain(figures).collect();
        all.into_iter().map(str::to_owned).collect()
    }
}

/// The column of the customer: the one that is set; the first of a run; a usual name; or the one beside the label.
fn customer(
    source: &Source,
    found: &[String],
    query: LabelQuery<'_>,
    of_run: bool,
) -> Result<String> {
    let is = |name: &str| {
        found
            .iter()
            .find(|column| column.eq_ignore_ascii_case(name))
    };
    if let Some(set) = query
        .customer
        .filter(|set| found.iter().any(|name| name == set))
    {
        return Ok(set.to_owned());
    }
    if let (true, Some(first)) = (of_run, found.first()) {
        return Ok(first.clone());
    }
    let usual = CUSTOMERS.iter().find_map(|name| is(name));
    if let Some(usual) = usual.filter(|usual| Some(usual.as_str()) != query.label) {
        return Ok(usual.clone());
    }
    let label = query.label.or_else(|| {
        let named = LABELS.into_iter().find(|name| is(name).is_some());
        named.filter(|_| found.len() == 2)
    });
    let others: Vec<&String> = found
        .iter()
        .filter(|name| Some(name.as_str()) != label)
        .collect();
    match (others.as_slice(), label, query.customer) {
        ([only], Some(_), _) => Ok((*only).clone()),
        (_, _, Some(set)) => source.column("customer", set).map(|_| set.to_owned()),
        (_, _, None) => Err(Error::Missing {
            key: "customer",
            hint: format!(
                "name the column with the customers: `--customer COLUMN`; columns found: {}",
                found.join(", ")
            ),
        }),
    }
}

/// The column of the label: `tier`, `segment`, `tier_name`, or the only one beside the customer.
fn label(found: &[String], customer: &str) -> Result<String> {
    let others: Vec<&String> = found.iter().filter(|name| *name != customer).collect();
    let named = LABELS
        .iter()
        .find_map(|&name| others.iter().find(|column| **column == name));
    match (named, others.as_slice()) {
        (Some(named), _) => Ok((*named).clone()),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => Err(Error::Missing {
            key: "label",
            hint: format!(
                "name the column with the tiers: `--label COLUMN`; columns found: {}",
                found.join(", ")
            ),
        }),
    }
}

/// Refuses a customer who stands twice; ids are sorted, so copies are neighbours.
fn check_once(source: &Source, ids: &Series) -> Result<()> {
    let last = ids.len().saturating_sub(1);
    let twice = ids
        .head(Some(last))
        .equal(&ids.slice(1, last))
        .map_err(Error::polars("compare the customer ids"))?;
    let Some(row) = twice.iter().position(|same| same == Some(true)) else {
        return Ok(());
    };
    let same = twice
        .iter()
        .skip(row)
        .take_while(|same| *same == Some(true));
    Err(Error::from(CompareFault::TwoLabels {
        place: source.place(),
        customer: id_text(ids, row),
        rows: same.count() as u64 + 1,
    }))
}

/// Distinct labels in order, the label of each row, and how many rows have none.
fn distinct(source: &Source, column: &Series) -> Result<(Vec<String>, Vec<u32>, usize)> {
    match column.dtype() {
        dtype if dtype.is_integer() => {
            let values = column.cast(&DataType::Int128).map_err(reading())?;
            let values = values.i128().map_err(reading())?;
            numbered(source, column, values.iter())
        }
        DataType::String | DataType::Boolean | DataType::Categorical(..) | DataType::Enum(..) => {
            let values = column.cast(&DataType::String).map_err(reading())?;
            let values = values.str().map_err(reading())?;
            numbered(source, column, values.iter())
        }
        other => Err(Error::WrongType {
            place: source.place(),
            column: column.name().to_string(),
            found: type_name(Some(other)),
            expected: "labels: a text or a whole number",
            hint: "name another column with `--label`".to_owned(),
        }),
    }
}

fn numbered<T: Ord + Copy + ToString>(
    source: &Source,
    column: &Series,
    values: impl Iterator<Item = Option<T>>,
) -> Result<(Vec<String>, Vec<u32>, usize)> {
    // First by appearance, then by value.
    let mut seen: BTreeMap<T, u32> = BTreeMap::new();
    let mut numbers = Vec::with_capacity(column.len());
    for value in values {
        let Some(value) = value else {
            numbers.push(u32::MAX);
            continue;
        };
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        numbers.push(*seen.entry(value).or_insert(next));
        if MAX_LABELS < seen.len() {
            return Err(Error::from(CompareFault::TooManyLabels {
                place: source.place(),
                column: column.name().to_string(),
                limit: MAX_LABELS,
            }));
        }
    }
    let mut names: Vec<String> = seen.keys().map(ToString::to_string).collect();
    let mut places = vec![0; names.len()];
    for (place, &number) in (0_u32..).zip(seen.values()) {
        places[number as usize] = place;
    }
    // A label may be called so already; two groups of one name nobody could tell apart.
    let none = names.iter().position(|name| name == NO_LABEL);
    let place = none.unwrap_or(names.len());
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let mut unlabelled = 0;
    for number in &mut numbers {
        unlabelled += usize::from(*number == u32::MAX);
        *number = places.get(*number as usize).copied().unwrap_or(place);
    }
    if 0 < unlabelled && none.is_none() {
        names.push(NO_LABEL.to_owned());
    }
    Ok((names, numbers, unlabelled))
}

/// The names of ranks.
fn spelled(
    frame: &DataFrame,
    column: &str,
    (names, labels): (&[String], &[u32]),
) -> Result<Vec<String>> {
    let texts = frame
        .column(column)
        .and_then(|column| column.cast(&DataType::String));
    let texts = texts.map_err(reading())?;
    let texts = texts.str().map_err(reading())?;
    let mut spelled: Vec<Option<String>> = vec![None; names.len()];
    for (text, &label) in texts.iter().zip(labels) {
        let known = &mut spelled[label as usize];
        if let (None, Some(text)) = (known.as_ref(), text) {
            *known = Some(text.to_owned());
        }
    }
    let names = names.iter().zip(spelled);
    Ok(names
        .map(|(rank, name)| name.unwrap_or_else(|| rank.clone()))
        .collect())
}

fn margins(frame: &DataFrame) -> Result<Vec<f32>> {
    let margins = frame
        .column("margin")
        .and_then(|column| column.cast(&DataType::Float32));
    let margins = margins.map_err(reading())?;
    let margins = margins.f32().map_err(reading())?;
    Ok(margins
        .iter()
        .map(|margin| margin.unwrap_or(f32::NAN))
        .collect())
}

/// R, F and M of the assignments of a run; `None` where one is missing or no number.
fn customers(frame: &DataFrame, ids: &Series, run: &RunFacts) -> Result<Option<Customers>> {
    let floats = |name: &str| -> Result<Option<Vec<f64>>> {
        let column = frame
            .column(name)
            .and_then(|column| column.cast(&DataType::Float64));
        let column = column.map_err(reading())?;
        let values = column.f64().map_err(reading())?;
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        Ok(values.iter().map(finite).collect())
    };
    let whole = frame
        .column("frequency")
        .and_then(|column| column.cast(&DataType::Int64));
    let whole = whole.map_err(reading())?;
    let whole: Option<Vec<i64>> = whole.i64().map_err(reading())?.iter().collect();
    let (Some(recency_days), Some(frequency), Some(amounts)) =
        (floats("recency_days")?, whole, floats("monetary")?)
    else {
        return Ok(None);
    };
    let tenure_days = match frame.column("tenure_days") {
        Ok(_) => floats("tenure_days")?,
        Err(_) => None,
    };
    let mut revenue = Vec::with_capacity(amounts.len());
    for (row, (&amount, &orders)) in amounts.iter().zip(&frequency).enumerate() {
        let total = match run.monetary {
            Monetary::Sum => amount,
            Monetary::Mean => amount * orders as f64,
        };
        let units = fixed(total, run.decimals).ok_or_else(|| Error::AmountTooLarge {
            customer: id_text(ids, row),
            amount: total.to_string(),
            decimals: run.decimals,
            decimal: None,
        })?;
        revenue.push(units);
    }
    let as_of = as_of(frame, run);
    Ok(Some(Customers {
        ids: CustomerIds(ids.clone()),
        first_order: tenure_days.as_deref().map(|days| first_days(&as_of, days)),
        as_of,
        recency_days,
        frequency,
        monetary: amounts,
        tenure_days,
        revenue,
        decimals: run.decimals,
    }))
}

/// An amount in units of the fixed point: the one that it was printed from, as long as that has 51 bits.
#[expect(clippy::cast_possible_truncation, reason = "checked: it is below 2^63")]
fn fixed(amount: f64, decimals: u32) -> Option<i64> {
    let units = (amount * 10_f64.powi(decimals.cast_signed())).round();
    (units.abs() < i64::MAX as f64).then_some(units as i64)
}

/// The day of the run, with the time of day where that is known.
fn as_of(frame: &DataFrame, run: &RunFacts) -> AsOfMoment {
    let day = frame.column("as_of").ok().and_then(|column| {
        let days = column
            .cast(&DataType::Date)
            .ok()?
            .cast(&DataType::Int32)
            .ok()?;
        days.i32().ok()?.first()
    });
    let date = day.and_then(NaiveDate::from_epoch_days).unwrap_or_default();
    let known = run.as_of.as_ref();
    let known = known.filter(|text| text.starts_with(&date.to_string()));
    AsOfMoment {
        text: known.cloned().unwrap_or_else(|| format!("{date}T00:00:00")),
        date,
    }
}

/// The rows of two sorted lists of ids that stand in both, in the order of the ids.
///
/// # Errors
/// [`CompareFault::OtherIds`] where the types cannot be compared exactly: texts against numbers.
pub fn common(
    (a, name_a): (&CustomerIds, &str),
    (b, name_b): (&CustomerIds, &str),
) -> Result<(Vec<u32>, Vec<u32>)> {
    match (Keys::of(a)?, Keys::of(b)?) {
        (Keys::Numbers(a), Keys::Numbers(b)) => Ok(merged(a.iter(), b.iter())),
        (Keys::Bytes(a), Keys::Bytes(b)) => Ok(merged(a.iter().flatten(), b.iter().flatten())),
        _ => Err(Error::from(CompareFault::OtherIds {
            a: name_a.to_owned(),
            a_type: type_name(Some(a.series().dtype())),
            b: name_b.to_owned(),
            b_type: type_name(Some(b.series().dtype())),
        })),
    }
}

/// Ids in a form that can be compared: integers of any width as numbers, texts and binary as bytes.
pub(super) enum Keys {
    Numbers(Vec<i128>),
    Bytes(BinaryChunked),
}

impl Keys {
    pub(super) fn of(ids: &CustomerIds) -> Result<Self> {
        let fault = || Error::polars("compare the customer ids");
        let series = ids.series();
        if series.dtype().is_integer() {
            let numbers = series.cast(&DataType::Int128).map_err(fault())?;
            let numbers = numbers.i128().map_err(fault())?;
            return Ok(Self::Numbers(numbers.into_no_null_iter().collect()));
        }
        let text = match series.dtype() {
            DataType::Binary => series.clone(),
            _ => series.cast(&DataType::String).map_err(fault())?,
        };
        let bytes = text.cast(&DataType::Binary).map_err(fault())?;
        Ok(Self::Bytes(bytes.binary().map_err(fault())?.clone()))
    }
}

/// Where two ascending lists have the same.
fn merged<T: Ord>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>) -> (Vec<u32>, Vec<u32>) {
    let (mut a, mut b) = ((0_u32..).zip(a).peekable(), (0_u32..).zip(b).peekable());
    let (mut rows_a, mut rows_b) = (Vec::new(), Vec::new());
    while let (Some((row_a, of_a)), Some((row_b, of_b))) = (a.peek(), b.peek()) {
        let order = of_a.cmp(of_b);
        if order.is_eq() {
            rows_a.push(*row_a);
            rows_b.push(*row_b);
        }
        if order.is_le() {
            a.next();
        }
        if order.is_ge() {
            b.next();
        }
    }
    (rows_a, rows_b)
}
