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
use crate::tiers::{Placements, TierProfile};

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

/// The English name of the segment of each of some customers, null where no segment takes one.
fn segments(segmented: &Segmented, rows: Range<usize>) -> PolarsResult<Column> {
    let names = segmented.names.iter().map(|name| name.en.as_str());
    let names = StringChunked::from_iter_values("segment".into(), names);
    let rows = IdxCa::from_iter_options("row".into(), segmented.labels[rows].iter().copied());
    Ok(names.take(&rows)?.into_column())
}

/// assignments.parquet: some of its rows, in one chunk.
pub(super) fn assignments(
    customers: &Customers,
    placements: &Placements,
    rated: (&Scores, Option<&Segmented>),
    model: &Model,
    rows: Range<usize>,
) -> Result<DataFrame> {
    let (scores, segmented) = rated;
    let n = rows.len();
    let placed = &placements.tiers[rows.clone()];
    let by_tier = |name: &str, of: fn(&crate::tiers::Tier) -> &str| {
        let names = StringChunked::from_iter_values(name.into(), model.tiers.iter().map(of));
        let tiers = IdxCa::from_slice("tier".into(), placed);
        names.take(&tiers).map(IntoColumn::into_column)
    };
    let as_of = |name: &str| {
        let day = customers.as_of.date.to_epoch_days();
        Column::new_scalar(
            name.into(),
            Scalar::new(DataType::Date, AnyValue::Date(day)),
            n,
        )
    };
    let no_text = |name: &str| Column::full_null(name.into(), n, &DataType::String);
    let floats = |name: &str, values: &[f64]| {
        Float64Chunked::from_slice(name.into(), &values[rows.clone()]).into_column()
    };
    let bytes = |name: &str, values: &[i8]| {
        Int8Chunked::from_slice(name.into(), &values[rows.clone()]).into_column()
    };
    let orders = &customers.frequency[rows.clone()];
    let margins = &placements.margins[rows.clone()];
    let ranks: Vec<i32> = placed.iter().map(|&tier| tier.cast_signed() + 1).collect();
    let ids = customers.ids.series();
    let columns = || {
        Ok(vec![
            ids.slice(rows.start.cast_signed() as i64, n).into_column(),
            as_of("as_of"),
            floats("recency_days", &customers.recency_days),
            Int64Chunked::from_slice("frequency".into(), orders).into_column(),
            floats("monetary", &customers.monetary),
            match &customers.tenure_days {
                Some(days) => floats("tenure_days", days),
                None => Column::full_null("tenure_days".into(), n, &DataType::Float64),
            },
            bytes("r_score", &scores.recency),
            bytes("f_score", &scores.frequency),
            bytes("m_score", &scores.monetary),
            Int32Chunked::from_vec("tier".into(), ranks).into_column(),
            by_tier("tier_key", |tier| &tier.key)?,
            by_tier("tier_name", |tier| &tier.name)?,
            Float32Chunked::from_slice("margin".into(), margins).into_column(),
            match segmented {
                Some(segmented) => segments(segmented, rows.clone())?,
                None => no_text("segment"),
            },
            no_text("previous_tier_key"),
            as_of("tier_since"),
        ])
    };
    let mut table = columns()
        .and_then(|columns| DataFrame::new(n, columns))
        .map_err(Error::polars("put the assignments together"))?;
    table.rechunk_mut();
    Ok(table)
}
