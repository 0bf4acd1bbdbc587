//! Tables in which a row is a customer, with R, F and M ready.
//!
//! In: the columns with their words. Out: a guess with `level = "customers"`, or nothing where the table is another.
//! Invariant: such a table has an id that never comes twice and at least two of R, F and M.

use super::money::filter;
use super::who::{customer_name, times};
use super::words::Word;
use super::{Guess, MAX_REJECTED, Pick, Seen};
use super::{range, ranked, thousands};
use crate::config::Level;

/// The guess about a table of customers.
pub(super) fn customer_table(table: &[Seen]) -> Option<Guess> {
    let ids = ranked(table, 15, |seen| {
        let column = seen.column;
        let fits = column.kind.is_id() && column.is_unique();
        let is_id = seen.head().is_none() && seen.says(&[Word::Id]);
        let name = customer_name(seen).or(is_id.then_some(15))?;
        (fits && column.null_share() <= MAX_REJECTED).then_some(name)
    });
    let (customer, other_ids) = ids.split_first()?;
    let is_count = |seen: &Seen| seen.head().is_some_and(|head| head.word == Word::Count);
    let recency = numbers(table, "r", is_recency);
    let frequency = numbers(table, "f", is_count);
    let monetary = numbers(table, "m", is_total);
    // `last_order_date` stands in a table of customers too, `order_date` only in one of orders.
    let aside = [Word::First, Word::Last, Word::Customer, Word::Against];
    let of_orders = times(table).iter().any(|seen| !seen.says(&aside));
    let found = [&recency, &frequency, &monetary]
        .into_iter()
        .filter_map(|columns| columns.first());
    let shown: Vec<String> = found.map(|seen| seen.shown()).collect();
    if shown.len() < 2 || (recency.is_empty() && of_orders) {
        return None;
    }
    let rows = thousands(customer.column.rows);
    let twice = format!("no value comes twice in {rows} rows");
    let reason = format!(
        "no customer comes twice in {rows} rows, beside {}",
        shown.join(", ")
    );
    let mut guess = Guess::empty(Level::Customers, reason);
    let named = if customer_name(customer).is_some() {
        "its name says customer"
    } else {
        "it is an id"
    };
    guess.customer =
        Some(Pick::set(&*customer.column.name, customer.because(named, &twice)).or(other_ids));
    guess.recency = pick(&recency, "its name says days since the last order");
    guess.frequency = pick(&frequency, "its name says how many orders");
    guess.monetary = pick(&monetary, "its name says amount");
    guess.tenure = pick(
        &numbers(table, "", is_tenure),
        "its name says days since the first order",
    );
    let needed = [&recency, &frequency, &monetary].map(|columns| columns.first().copied());
    guess.filter = filter(&needed, None, None, None);
    guess.notes = notes(table, &mut guess.recency, &frequency);
    Some(guess)
}

/// Number columns that mean something, else the one that is called by its letter; never scores, nor counts of items.
fn numbers<'t, 'a>(
    table: &'t [Seen<'a>],
    letter: &str,
    means: impl Fn(&Seen) -> bool,
) -> Vec<&'t Seen<'a>> {
    let not = [Word::Score, Word::Thing, Word::Against];
    let named = ranked(table, 0, |seen| {
        let fits = seen.column.kind.is_number() && !seen.says(&not);
        (fits && means(seen)).then(|| seen.words.iter().map(|said| said.weight).sum())
    });
    if !named.is_empty() {
        return named;
    }
    ranked(table, 0, |seen| {
        let column = seen.column;
        let is_score = column.max.is_none_or(|max| max <= 5.0);
        let is_letter = column.name.trim().eq_ignore_ascii_case(letter);
        (is_letter && column.kind.is_number() && !is_score).then_some(0)
    })
}

fn is_recency(seen: &Seen) -> bool {
    seen.says(&[Word::Recency]) || (seen.says(&[Word::Days]) && seen.says(&[Word::Last]))
}

fn is_total(seen: &Seen) -> bool {
    let head = seen.head().map(|head| head.word);
    matches!(head, Some(Word::Total | Word::Paid)) && !seen.says(&[Word::Id])
}

fn is_tenure(seen: &Seen) -> bool {
    seen.says(&[Word::Tenure]) || (seen.says(&[Word::Days]) && seen.says(&[Word::First]))
}

fn pick(columns: &[&Seen], why: &str) -> Option<Pick> {
    let (seen, others) = columns.split_first()?;
    let reason = seen.because(why, &range(seen.column));
    Some(Pick::set(&*seen.column.name, reason).or(others))
}

/// What has to be known; takes the recency back where it counts something else.
fn notes(table: &[Seen], recency: &mut Option<Pick>, frequency: &[&Seen]) -> Vec<String> {
    let mut notes = vec![
        "a table of customers has no times, so `as-of` must be set: the day up to which its numbers were counted"
            .to_owned(),
    ];
    let has = |name: &str| table.iter().any(|seen| seen.column.name == name);
    if has("T") && has("recency") && has("frequency") {
        *recency = None;
        notes.push(
            "`recency`, `frequency` and `T` look like a table for lifetime models, where recency runs from the first to the last order and frequency leaves out the first: make columns of `T - recency` and `frequency + 1`"
                .to_owned(),
        );
    } else if let Some(seen) = frequency
        .first()
        .filter(|seen| seen.column.min.is_some_and(|min| min < 1.0))
    {
        notes.push(format!(
            "{} begins below 1, but a customer has at least one order: leave the others out with `where`",
            seen.shown()
        ));
    }
    if recency.is_none()
        && let Some(seen) = times(table).first()
    {
        notes.push(format!(
            "{} is a date, and `recency-column` needs the days from it to as-of",
            seen.shown()
        ));
    }
    notes
}
