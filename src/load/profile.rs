//! A first look at a Parquet input, for `tiermill init`.
//!
//! In: paths. Out: a [`Profile`]: what each column holds, judged by its first rows.
//! Invariant: it only looks; what the columns mean is `guess`'s to say.

use polars::prelude::*;

use super::guess::{ColumnProfile, Kind};
use super::source::{Source, guarded};
use crate::error::Result;

/// Rows that are looked at: enough for shares and repeats, little enough to be instant.
const ROWS: IdxSize = 200_000;
/// Values of a column that are shown to the guesser.
const SAMPLES: usize = 20;

/// What an input looks like.
#[derive(Debug)]
pub struct Profile {
    /// Rows in all files.
    pub rows: u64,
    /// Files.
    pub files: usize,
    /// Each column.
    pub columns: Vec<ColumnProfile>,
}

/// Looks at the first rows of an input.
///
/// # Errors
/// As opening an input: no files, not Parquet, cut off.
pub fn profile(paths: &[String]) -> Result<Profile> {
    let source = Source::open(paths)?;
    let names = source.common_columns();
    let frame = guarded(&source.place(), || {
        let first = source.scan(&names)?.limit(ROWS);
        first.collect().map_err(|error| source.unreadable(error))
    })?;
    let columns = frame
        .columns()
        .iter()
        .map(|column| look(column.as_materialized_series()))
        .collect();
    Ok(Profile {
        rows: source.rows(),
        files: source.files.len(),
        columns,
    })
}

fn look(series: &Series) -> ColumnProfile {
    let numbers = series
        .cast(&DataType::Float64)
        .ok()
        .filter(|_| series.dtype().is_numeric() || series.dtype().is_decimal());
    let negative = numbers
        .as_ref()
        .and_then(|numbers| numbers.lt(0.0).ok())
        .map_or(0, |mask| mask.sum().unwrap_or(0));
    let samples = samples(series);
    let dates = samples.iter().filter(|text| is_iso(text)).count();
    let filled = series.len() - series.null_count();
    ColumnProfile {
        name: series.name().to_string(),
        kind: kind(series.dtype()),
        dtype: series.dtype().to_string(),
        rows: series.len() as u64,
        nulls: series.null_count() as u64,
        distinct: series.drop_nulls().n_unique().unwrap_or(0) as u64,
        min: numbers
            .as_ref()
            .and_then(|numbers| numbers.min::<f64>().ok().flatten()),
        max: numbers
            .as_ref()
            .and_then(|numbers| numbers.max::<f64>().ok().flatten()),
        negative_share: f64::from(negative) / filled.max(1) as f64,
        dates_share: dates as f64 / samples.len().max(1) as f64,
        samples,
    }
}

fn kind(dtype: &DataType) -> Kind {
    match dtype {
        DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Kind::Text,
        DataType::Binary => Kind::Binary,
        DataType::Date => Kind::Date,
        DataType::Datetime(..) => Kind::Datetime,
        DataType::Boolean => Kind::Boolean,
        DataType::Decimal(..) => Kind::Decimal,
        dtype if dtype.is_integer() => Kind::Integer,
        dtype if dtype.is_float() => Kind::Float,
        _ => Kind::Other,
    }
}

/// The first distinct values, as text, evenly picked so that rare kinds of ids have a chance to show.
fn samples(series: &Series) -> Vec<String> {
    let Ok(distinct) = series.drop_nulls().unique_stable() else {
        return Vec::new();
    };
    let step = (distinct.len() / SAMPLES).max(1);
    (0..distinct.len())
        .step_by(step)
        .take(SAMPLES)
        .map(|row| super::id_text(&distinct, row))
        .collect()
}

fn is_iso(text: &str) -> bool {
    text.get(..10)
        .is_some_and(|day| chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok())
}
