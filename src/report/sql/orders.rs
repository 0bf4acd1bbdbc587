//! Orders become figures of customers, as `load` makes them.
//!
//! In: the table. Out: steps up to `figures`: customer, `recency_days`, frequency, monetary, and what else is looked at.
//! Invariant: a row counts here where no [`Reason`](crate::load::Reason) rejects it there.

use super::dialect::{DAY, Speech};
use super::select::{Select, Steps, case};
use super::{SqlOrders, SqlQuery, Worth, needs, needs_first_order, portable};
use crate::config::{Count, Feature, Monetary, Recency, Refunds};
use crate::error::Result;

/// Microseconds of 1900-01-01: earlier orders are placeholders, as in `load`.
const EARLIEST: &str = "-2208988800000000";
/// Amounts are below this, or infinite or no number at all: every engine says no to those.
const FINITE: &str = "1e300";

/// The rows that count whenever they were: customer, `time_us`, units, and what tells orders apart.
pub(super) fn used_rows(
    query: &SqlQuery<'_>,
    orders: &SqlOrders<'_>,
    speech: &Speech,
    steps: &mut Steps,
) -> Result<()> {
    let time = speech.micros(&speech.name(orders.time), orders.time_type)?;
    let amount = amount(orders, speech)?;
    let read = Select::from(&steps.last())
        .column(&speech.name(query.customer), "customer")
        .column(&time, "time_us");
    let read = match orders.order {
        Some(order) => read.column(&speech.name(order), "order_id"),
        None => read,
    };
    let read = match &amount {
        Some(amount) => read.column(amount, "amount"),
        None => read,
    };
    steps.add("read_rows", read);

    let units = match (&amount, orders.scale) {
        (None, _) => "1".to_owned(),
        (Some(_), Some(_)) => "amount".to_owned(),
        (Some(_), None) => {
            let units = speech.whole(&format!("(amount * {})", factor(query.decimals)));
            case(vec![(format!("ABS(amount) < {FINITE}"), units)], None)
        }
    };
    let priced = Select::from(&steps.last())
        .plain("*")
        .column(&units, "units");
    let priced = match orders.count {
        Count::Days => priced.column(&speech.day("time_us", orders.zone)?, "order_day"),
        Count::Orders | Count::Rows => priced,
    };
    steps.add("priced_rows", priced);

    let text = format!("CAST(customer AS {})", speech.text);
    let used = Select::from(&steps.last())
        .plain("*")
        .filter("customer IS NOT NULL")
        .filter(&format!("{text} <> ''"))
        .filter(&format!("time_us >= {EARLIEST}"));
    let used = match &amount {
        Some(_) => used.filter("units IS NOT NULL"),
        None => used,
    };
    let used = match orders.order {
        Some(_) => used.filter("order_id IS NOT NULL"),
        None => used,
    };
    let drops = matches!(orders.refunds, Refunds::Drop | Refunds::Reject);
    let used = if drops && amount.is_some() {
        used.filter("units >= 0")
    } else {
        used
    };
    steps.add("used_rows", used);
    Ok(())
}

/// What a row is worth, before it is rounded; `None` where every row is worth one.
fn amount(orders: &SqlOrders<'_>, speech: &Speech) -> Result<Option<String>> {
    let number = match &orders.worth {
        Worth::One => return Ok(None),
        Worth::Column(column) => speech.name(column),
        Worth::Expression(text) => portable::amount(text, speech, orders.scale.is_none())?,
        Worth::Events(column, weights) => {
            let event = format!("CAST({} AS {})", speech.name(column), speech.text);
            let cases = weights.iter().map(|(name, &weight)| {
                let holds = format!("{event} = {}", speech.string(name));
                (holds, Speech::float(weight))
            });
            case(cases.collect(), Some(Speech::float(0.0)))
        }
    };
    Ok(Some(match orders.scale {
        Some(scale) if speech.decimal == "BIGNUMERIC" => {
            format!("ROUND(CAST({number} AS BIGNUMERIC), {scale})")
        }
        Some(scale) => format!("CAST({number} AS {}(38, {scale}))", speech.decimal),
        None => speech.as_double(&number),
    }))
}

fn factor(decimals: u32) -> String {
    Speech::float(10_f64.powi(decimals.cast_signed()))
}

/// Whether negative amounts are refunds, which are no orders.
fn has_refunds(orders: &SqlOrders<'_>) -> bool {
    orders.refunds == Refunds::Net && !matches!(orders.worth, Worth::One)
}

/// `value` where the row is an order, else null.
fn of_order(orders: &SqlOrders<'_>, value: &str) -> String {
    if has_refunds(orders) {
        case(vec![("units >= 0".to_owned(), value.to_owned())], None)
    } else {
        value.to_owned()
    }
}

/// Adds the rows up by customer, and turns times and sums into R, F and M.
pub(super) fn figures(
    query: &SqlQuery<'_>,
    orders: &SqlOrders<'_>,
    speech: &Speech,
    steps: &mut Steps,
) -> Result<()> {
    let bounds = Bounds::new(orders, speech, steps)?;
    let grouped = per_customer(query.decimals, orders, &bounds, speech);
    steps.add("per_customer", grouped);

    let aov = format!("revenue / {}", speech.as_double("frequency"));
    let monetary = match orders.monetary {
        Monetary::Sum => "revenue",
        Monetary::Mean => &aov,
    };
    let mut figures = bounds
        .beside(Select::from("per_customer"))
        .plain("customer")
        .column(
            &bounds.days_since("last_us", orders, speech)?,
            "recency_days",
        )
        .plain("frequency")
        .column(monetary, "monetary");
    if needs(query, Feature::TenureDays) {
        let tenure = bounds.days_since("first_us", orders, speech)?;
        figures = figures.column(&tenure, "tenure_days");
    }
    if needs(query, Feature::Aov) {
        figures = figures.column(&aov, "aov");
    }
    if needs_first_order(query) {
        figures = figures
            .column(&speech.day("first_us", orders.zone)?, "first_order")
            .column(&bounds.day, "as_of_day");
    }
    steps.add("figures", figures);
    Ok(())
}

/// First and last order, their number and the total of each customer.
fn per_customer(decimals: u32, orders: &SqlOrders<'_>, bounds: &Bounds, speech: &Speech) -> Select {
    let n_orders = match (orders.count, orders.order) {
        (Count::Days, _) => format!("COUNT(DISTINCT {})", of_order(orders, "order_day")),
        (Count::Orders, Some(_)) => format!("COUNT(DISTINCT {})", of_order(orders, "order_id")),
        (Count::Orders | Count::Rows, _) => format!("COUNT({})", of_order(orders, "time_us")),
    };
    let decimals = match (&orders.worth, orders.scale) {
        (Worth::One, _) | (_, Some(_)) => None,
        _ => Some(decimals),
    };
    let total = speech.as_double("SUM(units)");
    let total = match decimals {
        Some(decimals) if decimals != 0 => speech.over(&total, &factor(decimals)),
        _ => total,
    };
    let having = has_refunds(orders).then(|| format!("COUNT({}) > 0", of_order(orders, "time_us")));
    let grouped = bounds
        .beside(Select::from("used_rows"))
        .plain("customer")
        .column(&format!("MAX({})", of_order(orders, "time_us")), "last_us")
        .column(&format!("MIN({})", of_order(orders, "time_us")), "first_us")
        .column(&n_orders, "frequency")
        .column(&total, "revenue")
        .filter(&format!("time_us < {}", bounds.as_of));
    let grouped = match &bounds.from {
        Some(from) => grouped.filter(&format!("time_us >= {from}")),
        None => grouped,
    };
    grouped.group_by("customer", having)
}

/// As-of and the begin of the window as SQL: numbers, or columns of the step `moment`.
struct Bounds {
    as_of: String,
    day: String,
    from: Option<String>,
    asked: bool,
}

impl Bounds {
    fn new(orders: &SqlOrders<'_>, speech: &Speech, steps: &mut Steps) -> Result<Self> {
        if let Some(since) = orders.since {
            return Ok(Self {
                as_of: since.as_of.to_string(),
                day: since.day.to_string(),
                from: since.from.map(|from| from.to_string()),
                asked: false,
            });
        }
        let newest = speech.day(
            &format!("MAX({})", of_order(orders, "time_us")),
            orders.zone,
        )?;
        let newest = Select::from("used_rows").column(&format!("{newest} + 1"), "as_of_day");
        steps.add("newest", newest);
        let mut moment = Select::from("newest")
            .plain("as_of_day")
            .column(&speech.midnight("as_of_day", orders.zone)?, "as_of_us");
        let from = orders
            .window
            .map(|window| format!("as_of_day - {}", window.0));
        if let Some(from) = &from {
            moment = moment.column(&speech.midnight(from, orders.zone)?, "from_us");
        }
        steps.add("moment", moment);
        Ok(Self {
            as_of: "as_of_us".to_owned(),
            day: "as_of_day".to_owned(),
            from: from.map(|_| "from_us".to_owned()),
            asked: true,
        })
    }

    fn beside(&self, select: Select) -> Select {
        if self.asked {
            select.beside("moment")
        } else {
            select
        }
    }

    /// Days from a column of microseconds to as-of, as a double.
    fn days_since(&self, micros: &str, orders: &SqlOrders<'_>, speech: &Speech) -> Result<String> {
        let elapsed = speech.as_double(&format!("({} - {micros})", self.as_of));
        Ok(match orders.recency {
            Recency::Floor => format!("FLOOR({})", speech.over(&elapsed, &format!("{DAY}e0"))),
            Recency::Exact => speech.over(&elapsed, &format!("{DAY}e0")),
            Recency::Calendar => {
                let day = speech.day(micros, orders.zone)?;
                speech.as_double(&format!("({} - {day})", self.day))
            }
        })
    }
}
