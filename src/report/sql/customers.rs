//! A ready customer table becomes figures of customers.
//!
//! In: the table. Out: the step `figures`, as from orders.
//! Invariant: a row counts here where no [`Reason`](crate::load::Reason) rejects it in `load`.

use super::dialect::Speech;
use super::select::{Select, Steps};
use super::{SqlQuery, SqlRows, needs, needs_first_order};
use crate::config::{Feature, Monetary};

/// Numbers are below this, or infinite or none at all.
const FINITE: &str = "1e300";

pub(super) fn figures(query: &SqlQuery<'_>, speech: &Speech, steps: &mut Steps) {
    let SqlRows::Customers {
        recency,
        frequency,
        monetary,
        tenure,
        kind,
        day,
    } = &query.rows
    else {
        return;
    };
    let number = |column: &str| speech.as_double(&speech.name(column));
    let mut read = Select::from(&steps.last())
        .column(&speech.name(query.customer), "customer")
        .column(&number(recency), "recency_days")
        .column(&number(frequency), "orders")
        .column(&number(monetary), "monetary");
    if let Some(tenure) = tenure {
        read = read.column(&number(tenure), "tenure_days");
    }
    steps.add("read_rows", read);

    let factor = Speech::float(10_f64.powi(query.decimals.cast_signed()));
    let total = match kind {
        Monetary::Sum => "monetary".to_owned(),
        Monetary::Mean => "monetary * orders".to_owned(),
    };
    let units = speech.whole(&format!("({total} * {factor})"));
    let mut figures = Select::from("read_rows")
        .plain("customer")
        .plain("recency_days")
        .column(&format!("CAST(orders AS {})", speech.bigint), "frequency")
        .plain("monetary");
    if tenure.is_some() {
        figures = figures.plain("tenure_days");
    }
    if needs(query, Feature::Aov) {
        let total = speech.over(&speech.as_double(&units), &factor);
        figures = figures.column(&format!("{total} / orders"), "aov");
    }
    if needs_first_order(query) {
        let first = format!("{day} - CAST(FLOOR(tenure_days) AS {})", speech.bigint);
        figures = figures
            .column(&first, "first_order")
            .column(&day.to_string(), "as_of_day");
    }
    steps.add("figures", usable(figures, speech, tenure.is_some()));
}

/// The rows that no reason rejects.
fn usable(figures: Select, speech: &Speech, has_tenure: bool) -> Select {
    let text = format!("CAST(customer AS {})", speech.text);
    let figures = figures
        .filter("customer IS NOT NULL")
        .filter(&format!("{text} <> ''"))
        .filter(&format!("ABS(monetary) < {FINITE}"))
        .filter("recency_days >= 0e0")
        .filter(&format!("recency_days < {FINITE}"))
        .filter("orders >= 1e0")
        .filter("orders < 9e18")
        .filter("FLOOR(orders) = orders");
    if has_tenure {
        figures
            .filter("tenure_days >= recency_days")
            .filter(&format!("tenure_days < {FINITE}"))
    } else {
        figures
    }
}
