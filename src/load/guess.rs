//! What the columns of a strange table mean, guessed from their names, types and values.
//!
//! In: one [`ColumnProfile`] per column, in the order of the file. Out: a [`Guess`], every choice with its reason.
//! Invariant: a column is chosen for what its name says and its type allows; counts only decide between such columns,
//! or step in, and say so, where a single column is left. The same profiles give the same guess. It opens no file.

use crate::config::Level;

mod money;
mod page;
mod ready;
mod who;
mod words;

use words::{Said, Word, words};

pub use page::{explain, to_toml};

/// Share of faulty rows from which a run stops by default: what is guessed must not lead into it.
const MAX_REJECTED: f64 = 0.01;
/// Words that SQL takes for its own when they stand bare.
const RESERVED: &str = "all and any array as asc at between by case cast check column create cross current date day \
    default delete desc distinct drop else end except exists extract false fetch filter first float for from full \
    function group having hour in index inner insert int intersect interval into is join key last left like limit \
    minute month natural not null offset on or order outer over partition position primary range right row rows \
    schema second select session set some start sum table then time timestamp to true type union unique unnest \
    update user using value values view when where window with year";

/// What a column holds, as far as a guess cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers of any width.
    Integer,
    /// Floating point.
    Float,
    /// Fixed point.
    Decimal,
    /// Strings, also categorical ones.
    Text,
    /// Bytes.
    Binary,
    /// Days.
    Date,
    /// Moments, with or without zone.
    Datetime,
    /// Yes or no.
    Boolean,
    /// Lists, structs and whatever else.
    Other,
}

impl Kind {
    /// Whether it can hold amounts and counts.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float | Self::Decimal)
    }

    /// Whether it can hold ids.
    pub fn is_id(self) -> bool {
        matches!(self, Self::Integer | Self::Text | Self::Binary)
    }
}

/// A column in figures: its type, and what a look at its first rows found.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnProfile {
    /// Its name in the file.
    pub name: String,
    /// Its type, coarsely.
    pub kind: Kind,
    /// Its type as polars prints it, such as `datetime[μs]`.
    pub dtype: String,
    /// Rows looked at, nulls included.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Different values; null is none of them.
    pub distinct: u64,
    /// Smallest value of a number.
    pub min: Option<f64>,
    /// Largest value of a number.
    pub max: Option<f64>,
    /// Share of the values below zero, 0 to 1.
    pub negative_share: f64,
    /// Some 20 different values as text; all of them, where there are no more.
    pub samples: Vec<String>,
    /// Share of a text's values that read as ISO dates or times, 0 to 1.
    pub dates_share: f64,
}

impl ColumnProfile {
    fn filled(&self) -> u64 {
        self.rows.saturating_sub(self.nulls)
    }

    fn null_share(&self) -> f64 {
        share(self.nulls, self.rows)
    }

    /// No value comes twice.
    fn is_unique(&self) -> bool {
        1 < self.filled() && self.filled() <= self.distinct
    }

    /// Rows per value.
    fn repeats(&self) -> f64 {
        share(self.filled(), self.distinct)
    }

    /// Text such as `12.50`, which SQL can cast.
    fn is_numeric_text(&self) -> bool {
        let number = |text: &String| text.trim().parse::<f64>().is_ok_and(f64::is_finite);
        self.kind == Kind::Text && !self.samples.is_empty() && self.samples.iter().all(number)
    }

    /// Whether it can hold the time of an order.
    pub fn is_time(&self) -> bool {
        match self.kind {
            Kind::Date | Kind::Datetime => true,
            Kind::Text => 0.5 < self.dates_share,
            _ => false,
        }
    }
}

/// One choice and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Name of a column, an SQL expression, or a word of the config.
    pub value: String,
    /// Why, as the clause after `because`: the evidence in names, types and counts.
    pub reason: String,
    /// What else it could be, the likeliest first.
    pub alternatives: Vec<String>,
    /// Whether it is set; otherwise it is only offered, as a comment.
    pub active: bool,
}

impl Pick {
    fn set(value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            reason: reason.into(),
            alternatives: Vec::new(),
            active: true,
        }
    }

    fn offer(value: impl Into<String>, reason: impl Into<String>) -> Self {
        let active = false;
        Self {
            active,
            ..Self::set(value, reason)
        }
    }

    fn or(mut self, others: &[&Seen]) -> Self {
        self.alternatives = others.iter().map(|seen| seen.column.name.clone()).collect();
        self
    }
}

/// What each key of `[input]` probably is; `None` where no column fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// What a row is.
    pub level: Level,
    /// Why, as the clause after `because`.
    pub level_reason: String,
    /// Column that identifies the customer.
    pub customer: Option<Pick>,
    /// Column with the time of the order.
    pub time: Option<Pick>,
    /// Column or SQL expression of the amount.
    pub amount: Option<Pick>,
    /// Column that identifies the order; only offered where each row is an order.
    pub order: Option<Pick>,
    /// Column with the type of the event; only ever offered, since its weights are a person's to give.
    pub event: Option<Pick>,
    /// The types of event that were seen.
    pub event_values: Vec<String>,
    /// SQL condition for the rows that count (`where`).
    pub filter: Option<Pick>,
    /// What frequency counts, where the default may mislead.
    pub count: Option<Pick>,
    /// Whether exact duplicates count once; only ever offered.
    pub deduplicate: Option<Pick>,
    /// Days since the last order, in a table of customers.
    pub recency: Option<Pick>,
    /// Number of orders, in a table of customers.
    pub frequency: Option<Pick>,
    /// Amount, in a table of customers.
    pub monetary: Option<Pick>,
    /// Days since the first order, in a table of customers.
    pub tenure: Option<Pick>,
    /// What a person should know before the first run; without a full stop.
    pub notes: Vec<String>,
}

impl Guess {
    fn empty(level: Level, level_reason: String) -> Self {
        Self {
            level,
            level_reason,
            customer: None,
            time: None,
            amount: None,
            order: None,
            event: None,
            event_values: Vec::new(),
            filter: None,
            count: None,
            deduplicate: None,
            recency: None,
            frequency: None,
            monetary: None,
            tenure: None,
            notes: Vec::new(),
        }
    }

    /// Keys that a run needs and that no column was found for.
    pub fn missing(&self) -> Vec<&'static str> {
        let needed: &[(&str, &Option<Pick>)] = match self.level {
            Level::Orders => &[("customer", &self.customer), ("time", &self.time)],
            Level::Customers => &[
                ("customer", &self.customer),
                ("recency-column", &self.recency),
                ("frequency-column", &self.frequency),
                ("monetary-column", &self.monetary),
            ],
        };
        let absent = needed.iter().filter(|(_, pick)| pick.is_none());
        absent.map(|&(key, _)| key).collect()
    }
}

/// Guesses what the columns of a table mean.
///
/// ```
/// use tiermill::load::guess::{ColumnProfile, Kind, guess};
///
/// let column = |name: &str, kind, distinct| ColumnProfile {
///     name: name.to_owned(), kind, dtype: String::new(), rows: 1000, nulls: 0, distinct,
///     min: None, max: None, negative_share: 0.0, samples: Vec::new(), dates_share: 0.0,
/// };
/// let guess = guess(&[column("buyer", Kind::Text, 300), column("paid_at", Kind::Datetime, 900)]);
/// assert_eq!(guess.customer.map(|pick| pick.value).as_deref(), Some("buyer"));
/// assert_eq!(guess.time.map(|pick| pick.value).as_deref(), Some("paid_at"));
/// ```
pub fn guess(columns: &[ColumnProfile]) -> Guess {
    let table: Vec<Seen> = columns.iter().map(Seen::new).collect();
    ready::customer_table(&table).unwrap_or_else(|| order_table(&table))
}

/// A row is an order, a line of one, or an event.
fn order_table(table: &[Seen]) -> Guess {
    let customers = who::customers(table);
    let times = who::times(table);
    let customer = customers.first().copied();
    let time = times.first().copied();
    let (order, order_note) = who::order(table, customer);
    let amount = money::amount(table, order.as_ref());
    let event = money::event(table);
    let mut guess = Guess::empty(Level::Orders, level_reason(customer));
    guess.customer = customer.map(|seen| who::customer_pick(seen).or(&customers[1..]));
    guess.time = time.map(|seen| who::time_pick(seen).or(&times[1..]));
    let needed = [customer, time, order.as_ref().and_then(who::Order::set)];
    guess.filter = money::filter(&needed, order.as_ref(), amount.as_ref(), event);
    guess.deduplicate = order
        .as_ref()
        .and_then(|order| who::deduplicate(table, order));
    guess.notes.extend(order_note);
    guess
        .notes
        .extend(money::refund_note(order.as_ref(), amount.as_ref()));
    guess
        .notes
        .extend(amount.as_ref().and_then(|amount| amount.note.clone()));
    if let (None, Some(event)) = (&amount, event) {
        guess.event = Some(money::event_pick(event));
        guess.event_values.clone_from(&event.column.samples);
    }
    guess.amount = amount.map(|amount| amount.pick);
    guess.order = order.map(|order| order.pick);
    guess.count = who::count(&guess);
    guess.notes.extend(who::missing_notes(&guess, table));
    guess
}

fn level_reason(customer: Option<&Seen>) -> String {
    match customer.map(|seen| seen.column) {
        Some(column) if column.is_unique() => {
            "no customer comes twice, but R, F and M are not there either".to_owned()
        }
        Some(column) => format!("a customer has {:.1} rows on average", column.repeats()),
        None => "nothing looks like one row per customer".to_owned(),
    }
}

/// A column with the words of its name.
#[derive(Debug)]
struct Seen<'a> {
    column: &'a ColumnProfile,
    words: Vec<Said>,
}

impl<'a> Seen<'a> {
    fn new(column: &'a ColumnProfile) -> Self {
        Self {
            column,
            words: words(&column.name),
        }
    }

    fn says(&self, wanted: &[Word]) -> bool {
        self.words.iter().any(|said| wanted.contains(&said.word))
    }

    /// The last word that names a thing: `order` in `customer_order_no`. What stands last is what the column is.
    fn head(&self) -> Option<Said> {
        let trailing = [Word::Id, Word::Contact, Word::Name, Word::Glue, Word::Unit];
        let mut backwards = self.words.iter().rev();
        backwards
            .find(|said| !trailing.contains(&said.word))
            .copied()
    }

    fn shown(&self) -> String {
        shown(&self.column.name)
    }

    fn sql(&self) -> String {
        identifier(&self.column.name)
    }

    /// A clause about the column, with its type, its range and its gaps.
    fn because(&self, clause: &str, more: &str) -> String {
        let column = self.column;
        let mut text = format!("{clause} ({})", column.dtype);
        for part in [more, &gaps(column)] {
            if !part.is_empty() {
                text.push_str("; ");
                text.push_str(part);
            }
        }
        text
    }
}

/// Columns by score, the best first; of equals the one further left, since tables begin with what matters.
fn ranked<'t, 'a>(
    table: &'t [Seen<'a>],
    least: i32,
    score: impl Fn(&Seen) -> Option<i32>,
) -> Vec<&'t Seen<'a>> {
    let scores = table.iter().filter_map(|seen| Some((score(seen)?, seen)));
    let mut fit: Vec<(i32, &Seen)> = scores.filter(|&(score, _)| least <= score).collect();
    fit.sort_by_key(|&(score, _)| -score);
    fit.into_iter().map(|(_, seen)| seen).collect()
}

/// An SQL identifier, in double quotes where SQL would read it as something else.
pub fn identifier(name: &str) -> String {
    let small = |c: char| c.is_ascii_lowercase() || c == '_';
    let plain = name.starts_with(small) && name.chars().all(|c| small(c) || c.is_ascii_digit());
    if plain && !RESERVED.split_whitespace().any(|word| word == name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A name or value in backticks, safe on a terminal and in a comment: on one line and not too long.
pub fn shown(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars().take(60) {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    let more = if text.chars().nth(60).is_some() {
        "…"
    } else {
        ""
    };
    format!("`{safe}{more}`")
}

fn gaps(column: &ColumnProfile) -> String {
    if column.nulls == 0 {
        return String::new();
    }
    let (nulls, rows) = (thousands(column.nulls), thousands(column.rows));
    format!(
        "empty in {nulls} of {rows} rows ({})",
        percent(column.null_share())
    )
}

fn range(column: &ColumnProfile) -> String {
    let (Some(min), Some(max)) = (column.min, column.max) else {
        return String::new();
    };
    // Cents are shown and the dust of floating point is not.
    let [min, max] = [min, max].map(|value| (value * 1e4).round() / 1e4);
    let negative = percent(column.negative_share);
    if 0.0 < column.negative_share {
        format!("from {min} to {max}, {negative} of them below zero")
    } else {
        format!("from {min} to {max}")
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// `24.9 %`, and never 0 for what there is.
fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if 0.0 < percent && percent < 0.1 => "under 0.1 %".to_owned(),
        percent if (percent - percent.round()).abs() < 0.05 => format!("{percent:.0} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// `541,909`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if 0 < i && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(super) mod tests;
