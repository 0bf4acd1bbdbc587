//! Conditions of segments: which quantity, and between which bounds.
//!
//! In: a key and a value of a rule file. Out: a [`Quantity`] and an [`Interval`], or what was expected.
//! Invariant: a condition is one interval, so that whole maps can be cut into cells.
//!
//! A value is a number (`5`), two ends that both count (`[4, 5]`, `"4-5"`), or comparisons (`"> 365"`,
//! `"> 365 and <= 730"`). Days may be written `730d`. First orders are compared with dates, or `"within 365d"` of as-of.

use chrono::NaiveDate;
use toml::Value;

use super::interval::Interval;

/// What a condition may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quantity {
    /// Score of recency.
    R,
    /// Score of frequency.
    F,
    /// Score of monetary.
    M,
    /// Weighted mean of the scores F and M.
    Fm,
    /// Weighted sum of the scores.
    Sum,
    RecencyDays,
    Frequency,
    Monetary,
    Aov,
    TenureDays,
    /// Day of the first order, in days since 1970.
    FirstOrder,
    /// The same in days since as-of: never above 0.
    FirstOrderAgo,
}

impl Quantity {
    /// The scores of the three dimensions.
    pub(super) const SCORES: [Self; 3] = [Self::R, Self::F, Self::M];
    /// Those that are no scores.
    pub(super) const RAW: [Self; 7] = [
        Self::RecencyDays,
        Self::Frequency,
        Self::Monetary,
        Self::Aov,
        Self::TenureDays,
        Self::FirstOrder,
        Self::FirstOrderAgo,
    ];
    /// Keys of a rule file, in the order of the enum.
    pub(super) const KEYS: [&str; 11] = [
        "r",
        "f",
        "m",
        "fm",
        "sum",
        "recency_days",
        "frequency",
        "monetary",
        "aov",
        "tenure_days",
        "first_order",
    ];

    /// The quantity that a key names, in any case and with either hyphen.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Some(match key.to_lowercase().replace('-', "_").as_str() {
            "r" => Self::R,
            "f" => Self::F,
            "m" => Self::M,
            "fm" => Self::Fm,
            "sum" => Self::Sum,
            "recency_days" => Self::RecencyDays,
            "frequency" => Self::Frequency,
            "monetary" => Self::Monetary,
            "aov" => Self::Aov,
            "tenure_days" => Self::TenureDays,
            "first_order" => Self::FirstOrder,
            _ => return None,
        })
    }

    /// Its key.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::R => "r",
            Self::F => "f",
            Self::M => "m",
            Self::Fm => "fm",
            Self::Sum => "sum",
            Self::RecencyDays => "recency_days",
            Self::Frequency => "frequency",
            Self::Monetary => "monetary",
            Self::Aov => "aov",
            Self::TenureDays => "tenure_days",
            Self::FirstOrder | Self::FirstOrderAgo => "first_order",
        }
    }

    fn is_days(self) -> bool {
        matches!(self, Self::RecencyDays | Self::TenureDays)
    }

    /// The values that a customer can have.
    pub(super) fn domain(self) -> Interval {
        match self {
            Self::RecencyDays | Self::TenureDays => Interval::at_least(0.0),
            Self::Frequency => Interval::at_least(1.0),
            Self::FirstOrderAgo => Interval::at_most(0.0),
            _ => Interval::ALL,
        }
    }

    /// A bound as people write it.
    pub(super) fn print(self, value: f64) -> String {
        match self {
            Self::FirstOrder => {
                date(value).map_or_else(|| value.to_string(), |day| day.to_string())
            }
            Self::FirstOrderAgo => format!("as-of - {}d", -value),
            _ => value.to_string(),
        }
    }
}

/// The day so many days after 1970-01-01.
fn date(days: f64) -> Option<NaiveDate> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounds were read from dates; anything else saturates and is no date"
    )]
    NaiveDate::from_epoch_days(days as i32)
}

/// Reads the condition on a quantity; the error says what was expected.
pub(super) fn read(quantity: Quantity, value: &Value) -> Result<(Quantity, Interval), String> {
    if quantity == Quantity::FirstOrder {
        let dates = value.as_str().and_then(read_dates);
        return dates.ok_or_else(|| expected(quantity));
    }
    let interval = match value {
        Value::Integer(_) | Value::Float(_) => number(value).map(Interval::point),
        Value::Array(ends) => match ends.as_slice() {
            [low, high] => number(low)
                .zip(number(high))
                .map(|(low, high)| Interval::closed(low, high)),
            _ => None,
        },
        Value::String(text) => read_numbers(text, |text| bound(quantity, text)),
        _ => None,
    };
    let interval = interval.ok_or_else(|| expected(quantity))?;
    if interval.is_empty() {
        return Err("the lower bound first, and something between the two".to_owned());
    }
    Ok((quantity, interval))
}

fn expected(quantity: Quantity) -> String {
    match quantity {
        Quantity::FirstOrder | Quantity::FirstOrderAgo => {
            "`\">= 2024-01-01\"`, `\"< 2024-01-01\"`, `\"in 2024\"`, `\"within 365d\"` or `\"not within 365d\"`".to_owned()
        }
        quantity if quantity.is_days() => {
            "days, as in `\"> 365\"`, `\"> 365 and <= 730\"` or `[0, 30]`".to_owned()
        }
        Quantity::Frequency | Quantity::Monetary | Quantity::Aov => {
            "a number or a range, as in `\">= 100\"`, `\"> 10 and <= 50\"` or `[1, 3]`".to_owned()
        }
        _ => "a score or a range, as in `5`, `[4, 5]`, `\"4-5\"` or `\">= 4\"`".to_owned(),
    }
}

/// A finite number.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        #[expect(
            clippy::cast_precision_loss,
            reason = "a bound beyond 2^53 means no other customers than the number next to it"
        )]
        Value::Integer(number) => *number as f64,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A bound in a text; days may say so.
fn bound(quantity: Quantity, text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = if quantity.is_days() {
        text.strip_suffix('d').map_or(text, str::trim_end)
    } else {
        text
    };
    digits.parse::<f64>().ok().filter(|bound| bound.is_finite())
}

/// Comparisons joined by `and` or a comma; or a range.
fn read_numbers(text: &str, bound: impl Fn(&str) -> Option<f64>) -> Option<Interval> {
    let mut all = Interval::ALL;
    for part in text.split(" and ").flat_map(|part| part.split(',')) {
        all = all.and(match comparison(part.trim(), &bound) {
            Some(interval) => interval,
            None => range(part.trim(), &bound)?,
        });
    }
    Some(all)
}

fn comparison(text: &str, bound: impl Fn(&str) -> Option<f64>) -> Option<Interval> {
    type Maker = (&'static [&'static str], fn(f64) -> Interval);
    let makers: [Maker; 5] = [
        (&["<=", "≤"], Interval::at_most),
        (&[">=", "≥"], Interval::at_least),
        (&["<"], Interval::below),
        (&[">"], Interval::above),
        (&["==", "="], Interval::point),
    ];
    makers.iter().find_map(|(signs, make)| {
        let rest = signs.iter().find_map(|sign| text.strip_prefix(sign))?;
        bound(rest).map(make)
    })
}

/// `5`, `4-5`, `4..5`, `4 to 5`.
fn range(text: &str, bound: impl Fn(&str) -> Option<f64>) -> Option<Interval> {
    if let Some(number) = bound(text) {
        return Some(Interval::point(number));
    }
    let ends = ["..", " to ", "–"]
        .iter()
        .find_map(|between| text.split_once(between))
        // A minus in front belongs to the number.
        .or_else(|| {
            let at = text.get(1..)?.find('-')? + 1;
            Some((&text[..at], &text[at + 1..]))
        })?;
    Some(Interval::closed(bound(ends.0)?, bound(ends.1)?))
}

/// Dates, or spans before as-of; not both.
fn read_dates(text: &str) -> Option<(Quantity, Interval)> {
    let days = |text: &str| bound(Quantity::TenureDays, text).filter(|days| 0.0 <= *days);
    let trimmed = text.trim();
    if let Some(span) = trimmed.strip_prefix("not within ") {
        return Some((Quantity::FirstOrderAgo, Interval::below(-days(span)?)));
    }
    if let Some(span) = trimmed.strip_prefix("within ") {
        return Some((Quantity::FirstOrderAgo, Interval::at_least(-days(span)?)));
    }
    if let Some(year) = trimmed.strip_prefix("in ") {
        let year: i32 = year.trim().parse().ok()?;
        let first = |year| NaiveDate::from_ymd_opt(year, 1, 1);
        let (from, to) = (first(year)?, first(year.checked_add(1)?)?);
        let interval = Interval::at_least(epoch(from)).and(Interval::below(epoch(to)));
        return Some((Quantity::FirstOrder, interval));
    }
    let words = trimmed
        .replace("before ", "< ")
        .replace("since ", ">= ")
        .replace("after ", "> ");
    let day = |text: &str| {
        NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
            .ok()
            .map(epoch)
    };
    let ago = |text: &str| {
        let rest = text.trim().strip_prefix("as-of")?.trim();
        Some(-days(rest.strip_prefix('-')?.trim())?)
    };
    let interval = |bound: &dyn Fn(&str) -> Option<f64>| {
        let mut all = Interval::ALL;
        for part in words.split(" and ").flat_map(|part| part.split(',')) {
            all = all.and(comparison(part.trim(), bound)?);
        }
        (!all.is_empty()).then_some(all)
    };
    interval(&day)
        .map(|dates| (Quantity::FirstOrder, dates))
        .or_else(|| interval(&ago).map(|span| (Quantity::FirstOrderAgo, span)))
}

fn epoch(day: NaiveDate) -> f64 {
    f64::from(day.to_epoch_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(quantity: Quantity, value: impl Into<Value>) -> String {
        match read(quantity, &value.into()) {
            Ok((quantity, interval)) => {
                interval.text(quantity.key(), |value| quantity.print(value))
            }
            Err(expected) => format!("expected {expected}"),
        }
    }

    #[test]
    fn one_condition_can_be_written_in_several_ways() {
        let ends = || Value::Array(vec![Value::Integer(4), Value::Integer(5)]);
        assert_eq!(said(Quantity::R, ends()), "4 <= r <= 5");
        for text in ["4-5", "4..5", "4 to 5", ">= 4 and <= 5", ">=4, <=5"] {
            assert_eq!(said(Quantity::R, text), "4 <= r <= 5", "{text}");
        }
        assert_eq!(said(Quantity::R, 5), "r = 5");
        assert_eq!(
            said(Quantity::RecencyDays, "> 365d and <= 730"),
            "365 < recency_days <= 730"
        );
        assert_eq!(said(Quantity::Monetary, "-5--1"), "-5 <= monetary <= -1");
        assert_eq!(said(Quantity::Monetary, "< 0.5"), "monetary < 0.5");
    }

    #[test]
    fn first_orders_are_compared_with_dates_or_with_as_of() {
        for (text, expected) in [
            (">= 2015-01-01", "first_order >= 2015-01-01"),
            ("before 2015-01-01", "first_order < 2015-01-01"),
            ("in 2015", "2015-01-01 <= first_order < 2016-01-01"),
            ("within 365d", "first_order >= as-of - 365d"),
            ("not within 365d", "first_order < as-of - 365d"),
            ("> as-of - 30d", "first_order > as-of - 30d"),
        ] {
            assert_eq!(said(Quantity::FirstOrder, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "5-4",
            "> 5 and < 5",
            "many",
            "",
            "> ",
            "1-2-3",
            "> 1 or < 0",
        ] {
            assert!(said(Quantity::R, text).starts_with("expected "), "{text}");
        }
        for text in [
            "2015",
            "> 2015-13-01",
            "within",
            "> 2015-01-01 and < as-of - 3d",
            "< 2014-01-01 and > 2015-01-01",
        ] {
            assert!(
                said(Quantity::FirstOrder, text).starts_with("expected "),
                "{text}"
            );
        }
        assert!(said(Quantity::R, f64::NAN).starts_with("expected "));
        assert!(said(Quantity::R, true).starts_with("expected "));
    }
}
