//! The files of a run as data: assignments.parquet and tiers.json.
//!
//! In: customers, placements, scores and the model. Out: a table and a document, both in the form of DESIGN §5 and §8.

use std::ops::Range;

use polars::prelude::*;
use serde::Serialize;

use super::model::{FeatureBands, Model};
use crate::cluster::Quality;
use crate::error::{Error, Result, Warning};
use crate::load::Customers;
use crate::rules::{Scores, Segmented};
use crate::store::{Cells, Table, slices};
use crate::tiers::{Placements, Tier, TierProfile};

/// tiers.json.
#[derive(Debug, Clone, Serialize)]
pub struct TiersDocument {
    /// ISO 8601.
    pub as_of: String,
    /// Customers in all tiers.
    pub customers: u64,
    /// Their total amount.
    pub revenue: f64,
    /// Decimals in which amounts were added up, for those who add up assignments.parquet again.
    pub decimals: u32,
    /// Best first.
    pub tiers: Vec<TierProfile>,
    /// Quality of each k that was tried; empty where the model was given.
    pub k_table: Vec<Quality>,
    /// Why this k, in words.
    pub k_reason: String,
    /// With `method = "breaks"`: where each feature is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaks: Option<Vec<FeatureBands>>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Columns of assignments.parquet after the customer.
const COLUMNS: [&str; 15] = [
    "as_of",
    "recency_days",
    "frequency",
    "monetary",
    "tenure_days",
    "r_score",
    "f_score",
    "m_score",
    "tier",
    "tier_key",
    "tier_name",
    "margin",
    "segment",
    "previous_tier_key",
    "tier_since",
];

/// Refuses a customer column that has the name of one of ours.
///
/// # Errors
/// [`Error::Conflict`].
pub(super) fn check_name(customer: &str) -> Result<()> {
    if COLUMNS.contains(&customer) {
        return Err(Error::Conflict {
            first: format!("`customer = \"{customer}\"`"),
            second: format!("the column `{customer}` of assignments.parquet"),
            hint: "rename the customer column in the input".to_owned(),
        });
    }
    Ok(())
}

/// assignments.parquet.
pub(super) fn assignments<'a>(
    customers: &'a Customers,
    placements: &'a Placements,
    (scores, segmented): (&'a Scores, Option<&'a Segmented>),
    model: &'a Model,
) -> Table<'a> {
    let as_of = || {
        let day = AnyValue::Date(customers.as_of.date.to_epoch_days());
        Cells::Same(Scalar::new(DataType::Date, day))
    };
    let no = |dtype: &DataType| Cells::Same(Scalar::null(dtype.clone()));
    let tiers = |rows| UInt32Chunked::from_slice("tier".into(), &placements.tiers[rows]);
    let by_tier = |of: fn(&Tier) -> &str| {
        let names = StringChunked::from_iter_values("tier".into(), model.tiers.iter().map(of));
        Cells::OneOf(names.into_series(), Box::new(tiers))
    };
    let ranks = model.tiers.iter().map(|tier| tier.rank.cast_signed());
    let ranks = Int32Chunked::from_iter_values("tier".into(), ranks).into_series();
    let ids = customers.ids.series();
    let (float, text) = (DataType::Float64, DataType::String);
    let score = |values| (DataType::Int8, few(values));
    let columns: [(DataType, Cells<'a>); 1 + COLUMNS.len()] = [
        (ids.dtype().clone(), Cells::Distinct(slices(ids))),
        (DataType::Date, as_of()),
        (float.clone(), cells::<Float64Type>(&customers.recency_days)),
        (DataType::Int64, cells::<Int64Type>(&customers.frequency)),
        (float.clone(), cells::<Float64Type>(&customers.monetary)),
        match &customers.tenure_days {
            Some(days) => (float, cells::<Float64Type>(days)),
            None => (float.clone(), no(&float)),
        },
        score(&scores.recency),
        score(&scores.frequency),
        score(&scores.monetary),
        (DataType::Int32, Cells::OneOf(ranks, Box::new(tiers))),
        (text.clone(), by_tier(|tier| &tier.key)),
        (text.clone(), by_tier(|tier| &tier.name)),
        (DataType::Float32, cells::<Float32Type>(&placements.margins)),
        (text.clone(), segmented.map_or_else(|| no(&text), segments)),
        (text.clone(), no(&text)),
        (DataType::Date, as_of()),
    ];
    let mut table = Table::new(customers.len());
    let names = std::iter::once(ids.name().as_str()).chain(COLUMNS);
    for (name, (dtype, cells)) in names.zip(columns) {
        table.add(name, dtype, cells);
    }
    table
}

/// Values of all customers.
fn cells<T: PolarsNumericType>(values: &[T::Native]) -> Cells<'_>
where
    ChunkedArray<T>: IntoSeries,
{
    Cells::Any(Box::new(|rows| {
        ChunkedArray::<T>::from_slice(PlSmallStr::EMPTY, &values[rows]).into_series()
    }))
}

/// Scores of all customers, of which there are few: 0 stands for none.
fn few(scores: &[i8]) -> Cells<'_> {
    let all = Int8Chunked::from_iter_values("score".into(), 0..=i8::MAX);
    let which = |rows: Range<usize>| {
        let scores = scores[rows]
            .iter()
            .map(|&score| score.cast_unsigned().into());
        UInt32Chunked::from_iter_values("score".into(), scores)
    };
    Cells::OneOf(all.into_series(), Box::new(which))
}

/// The English name of the segment of each customer, null where no segment takes one.
fn segments(segmented: &Segmented) -> Cells<'_> {
    let names = segmented.names.iter().map(|name| name.en.as_str());
    let names = StringChunked::from_iter_values("segment".into(), names);
    let labels = |rows: Range<usize>| {
        let labels = segmented.labels[rows].iter().copied();
        UInt32Chunked::from_iter_options("segment".into(), labels)
    };
    Cells::OneOf(names.into_series(), Box::new(labels))
}
