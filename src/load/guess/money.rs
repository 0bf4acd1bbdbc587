//! How much, and which rows count.
//!
//! In: the columns with their words, and the order that was found. Out: the amount as a column or an SQL expression,
//! the event column, and the condition of `where`.
//! Invariant: an id is never an amount, and a price is none while a column says how many.

use super::who::{Order, are_digits};
use super::words::{TOTAL, Word};
use super::{ColumnProfile, Kind, MAX_REJECTED, Pick, Seen};
use super::{gaps, percent, range, ranked, shown};

/// Most types of events that a person would give weights to.
const MAX_EVENTS: u64 = 50;
/// Types of an event that are a purchase, the plainest first.
const PURCHASES: &str = "purchase purchased buy bought order ordered transaction checkout pay paid payment sale \
    购买 下单 支付 付款 成交";
/// Types of an event that take a purchase back: amounts below zero handle these.
const RETURNS: &str =
    "refund refunded return returned cancel canceled cancelled chargeback 退款 退货 取消";

/// The amount, its pick and the columns that it is made of.
pub(super) struct Amount<'t, 'a> {
    pub(super) pick: Pick,
    pub(super) parts: Vec<&'t Seen<'a>>,
    pub(super) note: Option<String>,
}

/// The amount of a row: a total of the row, else price times quantity, else a total of the order, else the price.
pub(super) fn amount<'t, 'a>(
    table: &'t [Seen<'a>],
    order: Option<&Order>,
) -> Option<Amount<'t, 'a>> {
    let money_of = |price: bool| {
        ranked(table, 25, |seen| {
            let (is_price, score) = money(seen)?;
            (is_price == price).then_some(score)
        })
    };
    let (totals, prices) = (money_of(false), money_of(true));
    let quantities = ranked(table, 0, |seen| {
        let says = seen.head()?.word == Word::Quantity;
        (says && (seen.column.kind.is_number() || seen.column.is_numeric_text())).then_some(0)
    });
    let has_lines = order.is_some_and(|order| !order.seen.column.is_unique());
    // `order_total` beside lines of orders is the total of all lines, again and again.
    let (of_orders, of_rows): (Vec<&Seen>, Vec<&Seen>) = totals
        .into_iter()
        .partition(|seen| has_lines && says_whole_order(seen));
    let product = prices.first().zip(quantities.first());
    let product = product.map(|(price, quantity)| product_amount(price, quantity));
    if let Some((total, others)) = of_rows.split_first() {
        let mut amount = column_amount(total, others, "its name says amount");
        amount
            .pick
            .alternatives
            .extend(product.map(|product| product.pick.value));
        return Some(amount);
    }
    if let Some(product) = product {
        let pick = product.pick.or(&of_orders);
        return Some(Amount { pick, ..product });
    }
    if let Some((total, others)) = of_orders.split_first() {
        let note = format!(
            "{} is named like the total of an order, and an order has several rows: if it stands on each of them, M counts it several times",
            total.shown()
        );
        let amount = column_amount(total, others, "its name says amount");
        return Some(Amount {
            note: Some(note),
            ..amount
        });
    }
    let (price, others) = prices.split_first()?;
    let why = "it is the only money there is, a price, and no column says how many";
    let note = format!("each row is taken for one unit at {}", price.shown());
    let amount = column_amount(price, others, why);
    Some(Amount {
        note: Some(note),
        ..amount
    })
}

/// Whether a column is the price of one rather than a total, and how much it looks like the amount.
fn money(seen: &Seen) -> Option<(bool, i32)> {
    let column = seen.column;
    // `total after discount` is an amount, `discount` is none.
    let after = seen.says(&[Word::After]);
    let bad = [Word::Id, Word::Name, Word::Contact, Word::Score];
    let is_number = column.kind.is_number() || column.is_numeric_text();
    if !is_number || seen.says(&bad) || (!after && seen.says(&[Word::Against])) {
        return None;
    }
    let off = [
        Word::Glue,
        Word::Unit,
        Word::Placed,
        Word::After,
        Word::Against,
    ];
    let head = seen.words.iter().rfind(|said| !off.contains(&said.word))?;
    let totals: Vec<i32> = seen
        .words
        .iter()
        .filter(|said| matches!(said.word, Word::Total | Word::Paid))
        .map(|said| said.weight)
        .collect();
    let is_price = match head.word {
        Word::Total | Word::Paid => false,
        // `total price` is a total, `sales price` is the price of one.
        Word::Price => !totals.contains(&TOTAL),
        _ => return None,
    };
    let best = totals.iter().max().copied().unwrap_or(head.weight);
    let base = if is_price { head.weight } else { best };
    let several = if 1 < totals.len() { 3 } else { 0 };
    let sparse = if 0.5 < column.null_share() { -20 } else { 0 };
    let constant = if column.distinct < 2 { -40 } else { 0 };
    Some((is_price, base + several + sparse + constant))
}

fn says_whole_order(seen: &Seen) -> bool {
    seen.words
        .iter()
        .any(|said| said.word == Word::Order && said.weight == 60)
}

fn product_amount<'t, 'a>(price: &'t Seen<'a>, quantity: &'t Seen<'a>) -> Amount<'t, 'a> {
    let reason = format!(
        "{} is the price of one and {} says how many, while no column holds the total of a row",
        price.shown(),
        quantity.shown(),
    );
    Amount {
        pick: Pick::set(
            format!("{} * {}", number_sql(quantity), number_sql(price)),
            reason,
        ),
        parts: vec![quantity, price],
        note: None,
    }
}

fn column_amount<'t, 'a>(seen: &'t Seen<'a>, others: &[&Seen], why: &str) -> Amount<'t, 'a> {
    let reason = seen.because(why, &range(seen.column));
    // A column is named as it is, and needs SQL only to become a number.
    let value = match seen.column.kind {
        Kind::Text => number_sql(seen),
        _ => seen.column.name.clone(),
    };
    Amount {
        pick: Pick::set(value, reason).or(others),
        parts: vec![seen],
        note: None,
    }
}

fn number_sql(seen: &Seen) -> String {
    match seen.column.kind {
        Kind::Text => format!("CAST({} AS DOUBLE)", seen.sql()),
        _ => seen.sql(),
    }
}

/// The column that says what happened.
pub(super) fn event<'t, 'a>(table: &'t [Seen<'a>]) -> Option<&'t Seen<'a>> {
    let fit = ranked(table, 0, |seen| {
        let column = seen.column;
        let few = (2..=MAX_EVENTS).contains(&column.distinct) && !column.is_unique();
        let fits = few && matches!(column.kind, Kind::Text | Kind::Integer);
        let score = match seen.head()?.word {
            Word::Type if seen.says(&[Word::Event]) => 3,
            Word::Event if !seen.says(&[Word::Id]) => 2,
            // The bare word may be the type of anything.
            Word::Type if seen.words.len() == 1 => 1,
            _ => return None,
        };
        fits.then_some(score)
    });
    fit.first().copied()
}

pub(super) fn event_pick(seen: &Seen) -> Pick {
    let samples: Vec<String> = seen
        .column
        .samples
        .iter()
        .take(5)
        .map(|text| shown(text))
        .collect();
    let reason = format!(
        "its name says event, with {} types such as {}, but what each is worth only you know",
        seen.column.distinct,
        samples.join(", ")
    );
    Pick::offer(&*seen.column.name, reason)
}

/// The rows that count. `needed` are the columns without which a row is faulty.
pub(super) fn filter(
    needed: &[Option<&Seen>],
    order: Option<&Order>,
    amount: Option<&Amount>,
    event: Option<&Seen>,
) -> Option<Pick> {
    let parts = amount.map_or(&[][..], |amount| &amount.parts);
    let all = needed.iter().flatten().chain(parts).copied();
    let (mut sql, mut reasons) = without_gaps(&all.collect::<Vec<&Seen>>());
    if let Some((condition, reason)) = event.filter(|_| amount.is_some()).and_then(purchases) {
        sql.push(condition);
        reasons.push(reason);
    }
    let is_negative = parts.iter().any(|seen| 0.0 < seen.column.negative_share);
    let not_above = |seen: &&&Seen| is_negative && seen.column.min.is_none_or(|min| min <= 0.0);
    let above = parts
        .iter()
        .filter(not_above)
        .map(|seen| format!("{} > 0", number_sql(seen)));
    let mut strict: Vec<String> = above.collect();
    let cancelled = order.filter(|order| cancellation(order.seen.column).is_some());
    strict.extend(cancelled.map(|order| format!("{} NOT LIKE 'C%'", order.seen.sql())));
    let stricter = [sql.as_slice(), &strict].concat().join(" AND ");
    if sql.is_empty() {
        let reason =
            "it leaves refunds and cancellations out, where `refunds = \"net\"` lets them lower M";
        return (!strict.is_empty()).then(|| Pick::offer(stricter, reason));
    }
    let mut pick = Pick::set(sql.join(" AND "), reasons.join("; "));
    pick.alternatives
        .extend((!strict.is_empty()).then_some(stricter));
    Some(pick)
}

/// Rows without customer, time or amount are faults, and too many of them stop a run: leave them out on purpose.
fn without_gaps(needed: &[&Seen]) -> (Vec<String>, Vec<String>) {
    let gappy: Vec<&Seen> = needed
        .iter()
        .copied()
        .filter(|seen| 0 < seen.column.nulls)
        .collect();
    if gappy
        .iter()
        .map(|seen| seen.column.null_share())
        .sum::<f64>()
        <= MAX_REJECTED
    {
        return (Vec::new(), Vec::new());
    }
    let sql = gappy
        .iter()
        .map(|seen| format!("{} IS NOT NULL", seen.sql()))
        .collect();
    let reason = |seen: &&Seen| format!("{} is {}", seen.shown(), gaps(seen.column));
    let mut reasons: Vec<String> = gappy.iter().map(reason).collect();
    if let Some(last) = reasons.last_mut() {
        last.push_str(
            ", and a run stops where more than 1 % of the rows are faulty (`max-rejected`)",
        );
    }
    (sql, reasons)
}

/// In a log that has amounts on all events, only the purchases are orders.
fn purchases(event: &Seen) -> Option<(String, String)> {
    let samples = if event.column.kind == Kind::Text {
        &*event.column.samples
    } else {
        &[]
    };
    let is = |word: &str, text: &String| text.to_lowercase() == word;
    let in_list = |list: &str, text: &String| list.split_whitespace().any(|word| is(word, text));
    let mut plainest = PURCHASES.split_whitespace();
    let bought = plainest.find_map(|word| samples.iter().find(|text| is(word, text)))?;
    let other = samples
        .iter()
        .find(|text| !in_list(PURCHASES, text) && !in_list(RETURNS, text))?;
    Some((
        format!("{} = '{}'", event.sql(), bought.replace('\'', "''")),
        format!(
            "{} is also {}, which is no order",
            event.shown(),
            shown(other)
        ),
    ))
}

/// A sample such as `C536379` where most are plain numbers.
fn cancellation(column: &ColumnProfile) -> Option<&String> {
    let is_cancelled = |text: &&String| text.strip_prefix('C').is_some_and(are_digits);
    let cancelled = column.samples.iter().filter(is_cancelled);
    let plain = column
        .samples
        .iter()
        .filter(|text| are_digits(text))
        .count();
    let few = cancelled.clone().count() < plain;
    cancelled.into_iter().next().filter(|_| few)
}

/// What the data shows of refunds, and who handles them.
pub(super) fn refund_note(order: Option<&Order>, amount: Option<&Amount>) -> Option<String> {
    let cancelled = order.and_then(|order| cancellation(order.seen.column));
    let parts = amount.map_or(&[][..], |amount| &amount.parts);
    let negative = parts.iter().find(|seen| 0.0 < seen.column.negative_share);
    let cancelled = cancelled.map(|text| format!("orders such as {} look cancelled", shown(text)));
    let so = if negative.is_some() {
        "`refunds = \"net\"` (the default) handles this: refunds lower M, are no orders and make nobody recent"
    } else {
        "but no amount is below zero, so `refunds` does not see them; think about the `where` that is offered"
    };
    let negative = negative.map(|seen| {
        let share = percent(seen.column.negative_share);
        format!("{share} of {} are below zero", seen.shown())
    });
    let evidence: Vec<String> = cancelled.into_iter().chain(negative).collect();
    (!evidence.is_empty()).then(|| format!("{}; {so}", evidence.join(" and ")))
}
