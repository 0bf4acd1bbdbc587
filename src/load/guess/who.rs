//! Who bought, when, and in which order.
//!
//! In: the columns with their words. Out: those that fit, the best first, and the picks with their reasons.
//! Invariant: a type that the load cannot read is never chosen, however good the name; a note says so instead.

use super::words::{Said, Word};
use super::{ColumnProfile, Guess, Kind, MAX_REJECTED, Pick, Seen};
use super::{percent, ranked, shown, thousands};

/// Score from which a column is taken for a customer or an order.
const SURE: i32 = 40;

/// The columns that could be the customer.
pub(super) fn customers<'t, 'a>(table: &'t [Seen<'a>]) -> Vec<&'t Seen<'a>> {
    let named = ranked(table, SURE, |seen| {
        let column = seen.column;
        let fits = column.kind.is_id() && !column.is_time();
        let values = match column.distinct {
            0 | 1 => -40,
            // In a table of orders somebody has to come twice.
            _ if column.is_unique() => -25,
            _ if 0.5 < column.null_share() => -10,
            _ => 10,
        };
        fits.then_some(customer_name(seen)? + values)
    });
    // A customer of a type that cannot be read is told in a note; nothing else may stand in for it.
    let is_told = table.iter().any(|seen| customer_name(seen).is_some());
    if named.is_empty() && !is_told {
        only_id(table)
    } else {
        named
    }
}

/// How much a name says customer; nothing if it says something else.
pub(super) fn customer_name(seen: &Seen) -> Option<i32> {
    let contact = seen.says(&[Word::Contact]);
    let base = match seen.head() {
        Some(Said {
            word: Word::Customer,
            weight,
        }) => weight,
        None if contact => 35,
        _ => return None,
    };
    let suffix = match seen
        .words
        .iter()
        .filter(|said| said.word == Word::Id)
        .count()
    {
        0 if contact => 12,
        0 if seen.says(&[Word::Name]) => 2,
        0 => 10,
        1 => 20,
        // `customer_unique_id` beside `customer_id`.
        _ => 22,
    };
    // Whoever updated a row, or sold the thing, is a user too.
    let other = seen.says(&[Word::Against, Word::Placed, Word::Thing]);
    Some(base + suffix - if other { 15 } else { 0 })
}

/// Where no name says customer: the column that could be an id and comes back, if there is just one.
fn only_id<'t, 'a>(table: &'t [Seen<'a>]) -> Vec<&'t Seen<'a>> {
    let left = ranked(table, 0, |seen| {
        let column = seen.column;
        let comes_back = !column.is_unique() && column.repeats() <= 100.0;
        let vague = seen
            .words
            .iter()
            .all(|said| matches!(said.word, Word::Id | Word::Unknown));
        (vague && comes_back && column.kind.is_id() && !column.is_time()).then_some(0)
    });
    if left.len() == 1 { left } else { Vec::new() }
}

pub(super) fn customer_pick(seen: &Seen) -> Pick {
    let column = seen.column;
    let name = match (seen.head(), seen.says(&[Word::Contact])) {
        (
            Some(Said {
                word: Word::Customer,
                ..
            }),
            _,
        ) => "its name says customer",
        (_, true) => "there is no customer id, and an address or number stands for the person",
        _ => {
            "it is the only column that could be an id and comes back, but its name does not say so, so check it"
        }
    };
    let rows = thousands(column.rows);
    let counts = if column.is_unique() {
        format!("no value comes twice in {rows} rows, so check it")
    } else {
        format!(
            "{} different values in {rows} rows",
            thousands(column.distinct)
        )
    };
    Pick::set(&*column.name, seen.because(name, &counts))
}

/// The columns that could be the time of the order.
pub(super) fn times<'t, 'a>(table: &'t [Seen<'a>]) -> Vec<&'t Seen<'a>> {
    let minus = |yes: bool, points: i32| if yes { -points } else { 0 };
    ranked(table, 30, |seen| {
        let column = seen.column;
        column.is_time().then_some(())?;
        let nulls = column.null_share();
        let score = 60
            + minus(!seen.says(&[Word::Date]), 20)
            + seen
                .words
                .iter()
                .copied()
                .map(said_of_order)
                .max()
                .unwrap_or(0)
            + minus(seen.says(&[Word::Against, Word::First, Word::Last]), 45)
            + minus(seen.says(&[Word::Customer, Word::Thing]), 25)
            + minus(MAX_REJECTED < nulls, 8)
            + minus(0.5 < nulls, 20)
            + minus(column.distinct < 2, 30)
            + minus(column.kind == Kind::Text && column.dates_share < 0.9, 20);
        Some(score)
    })
}

/// How well a word beside `date` says that it is the date of the order.
fn said_of_order(said: Said) -> i32 {
    match said.word {
        Word::Placed => said.weight,
        Word::Order => 20,
        Word::Paid => 15,
        Word::Event => 10,
        _ => 0,
    }
}

pub(super) fn time_pick(seen: &Seen) -> Pick {
    let column = seen.column;
    let name = if seen.says(&[Word::Date]) {
        "its name says when"
    } else {
        "it holds times"
    };
    let such = column
        .samples
        .first()
        .map_or_else(String::new, |text| shown(text));
    let values = match column.kind {
        Kind::Text => format!(
            "{} of its values read as ISO times, such as {such}",
            percent(column.dates_share)
        ),
        _ if such.is_empty() => such,
        _ => format!("such as {such}"),
    };
    Pick::set(&*column.name, seen.because(name, &values))
}

/// The order column with its pick.
pub(super) struct Order<'t, 'a> {
    pub(super) seen: &'t Seen<'a>,
    pub(super) pick: Pick,
}

impl<'t, 'a> Order<'t, 'a> {
    /// The column, where it is set and not only offered.
    pub(super) fn set(&self) -> Option<&'t Seen<'a>> {
        self.pick.active.then_some(self.seen)
    }
}

/// The order column, and a note if one was passed over.
pub(super) fn order<'t, 'a>(
    table: &'t [Seen<'a>],
    customer: Option<&Seen>,
) -> (Option<Order<'t, 'a>>, Option<String>) {
    let named = ranked(table, SURE, |seen| {
        let column = seen.column;
        let fits = column.kind.is_id() && !column.is_time() && 1 < column.distinct;
        fits.then_some(order_name(seen)?)
    });
    // An order belongs to one customer, so there are never fewer orders than customers.
    let customers = customer.map_or(0, |seen| seen.column.distinct);
    let (fit, few): (Vec<&Seen>, Vec<&Seen>) = named
        .into_iter()
        .partition(|seen| customers <= seen.column.distinct);
    let note = few.first().map(|seen| {
        format!(
            "{} is named like an order but has only {} values for {} customers, so it identifies no order",
            seen.shown(),
            thousands(seen.column.distinct),
            thousands(customers)
        )
    });
    let order = fit.split_first().map(|(&seen, others)| Order {
        seen,
        pick: order_pick(seen).or(others),
    });
    (order, note)
}

fn order_name(seen: &Seen) -> Option<i32> {
    let has_id = seen.says(&[Word::Id]);
    let base = match seen.head() {
        Some(Said {
            word: Word::Order,
            weight,
        }) => weight,
        Some(Said {
            word: Word::Placed, ..
        }) if has_id => 50,
        // Web shops export the order under `Name`, with values such as #1001.
        None if seen.says(&[Word::Name]) && are_hash_numbers(&seen.column.samples) => 45,
        _ => return None,
    };
    let other = seen.says(&[Word::Against, Word::Thing]);
    Some(base + if has_id { 20 } else { 5 } - if other { 30 } else { 0 })
}

fn are_hash_numbers(samples: &[String]) -> bool {
    let numbered = |text: &String| text.strip_prefix('#').is_some_and(are_digits);
    !samples.is_empty() && samples.iter().all(numbered)
}

pub(super) fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn order_pick(seen: &Seen) -> Pick {
    let column = seen.column;
    let name = match seen.head() {
        Some(_) => "its name says order",
        None => "its values look like order numbers",
    };
    let rows = thousands(column.rows);
    if MAX_REJECTED < column.null_share() {
        let but = "but rows without an order would be rejected";
        return Pick::offer(&*column.name, seen.because(name, but));
    }
    if column.is_unique() {
        let but = format!(
            "but it differs on all {rows} rows looked at, so a row is an order, and counting rows is faster"
        );
        return Pick::offer(&*column.name, seen.because(name, &but));
    }
    let lines = format!(
        "{} different values in {rows} rows, so an order has {:.1} rows",
        thousands(column.distinct),
        column.repeats()
    );
    Pick::set(&*column.name, seen.because(name, &lines))
}

/// Exact duplicates are worth a thought where the lines of an order have no number.
pub(super) fn deduplicate(table: &[Seen], order: &Order) -> Option<Pick> {
    let has_lines = !order.seen.column.is_unique();
    let numbered = table.iter().any(|seen| {
        seen.column.is_unique()
            || (seen.says(&[Word::Thing]) && seen.says(&[Word::Order]) && seen.says(&[Word::Id]))
    });
    (has_lines && !numbered).then(|| {
        Pick::offer(
            "true",
            "rows have no number of their own, so two equal rows may be one that came twice",
        )
    })
}

/// What frequency should count where no column identifies an order.
pub(super) fn count(guess: &Guess) -> Option<Pick> {
    if guess.customer.is_none() || guess.order.is_some() {
        return None;
    }
    if guess.amount.is_none() && guess.event.is_some() {
        let reason = "a row is an event and no column identifies a session, so days of use say more than rows";
        return Some(Pick::set("days", reason));
    }
    let reason =
        "no column identifies an order, so two rows of a customer on one day count as two orders";
    Some(Pick::offer("days", reason))
}

/// Why a column with the right name was not taken.
pub(super) fn missing_notes(guess: &Guess, table: &[Seen]) -> Vec<String> {
    let mut notes = Vec::new();
    if guess.customer.is_none() {
        let floats = table.iter().filter(|seen| seen.column.kind == Kind::Float);
        notes.extend(floats.filter(|seen| customer_name(seen).is_some()).map(|seen| {
            format!(
                "{} is named like a customer but is {}: cast it to a whole number first (pandas turns ids with gaps into floats)",
                seen.shown(),
                seen.column.dtype
            )
        }));
    }
    if guess.time.is_none() {
        notes.extend(table.iter().filter_map(time_note));
    }
    notes
}

fn time_note(seen: &Seen) -> Option<String> {
    let column = seen.column;
    let is_date = seen.head().is_some_and(|head| head.word == Word::Date);
    let may_be = is_date || seen.says(&[Word::Placed, Word::Date]);
    let looks = match column.kind {
        Kind::Integer | Kind::Float if may_be => epoch(column),
        Kind::Text if is_date => Some("does not read as ISO times"),
        _ => None,
    };
    let looks = match looks {
        None if !is_date || !column.kind.is_number() => return None,
        looks => looks.map_or_else(String::new, |looks| format!(", which {looks}")),
    };
    Some(format!(
        "{} is named like a time but is {}{looks}: make it a Date or Datetime first",
        seen.shown(),
        column.dtype
    ))
}

/// What a number that is named like a time counts.
fn epoch(column: &ColumnProfile) -> Option<&'static str> {
    let (min, max) = column.min.zip(column.max)?;
    if 19_000_101.0 <= min && max <= 21_991_231.0 {
        return Some("looks like days as 20240131");
    }
    // 2e8 seconds is 1976 and 5e9 is 2128: between them lie the orders of every shop that has a computer.
    let units = [
        (1.0, "looks like seconds since 1970"),
        (1e3, "looks like milliseconds since 1970"),
        (1e6, "looks like microseconds since 1970"),
        (1e9, "looks like nanoseconds since 1970"),
    ];
    let fits = |factor: f64| 2e8 * factor <= min && max <= 5e9 * factor;
    units
        .iter()
        .find(|&&(factor, _)| fits(factor))
        .map(|&(_, looks)| looks)
}
