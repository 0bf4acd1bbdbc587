//! Rules as people say them.
//!
//! In: bounds of features. Out: `ordered within 45 days, and spent over 310`.
//! Invariant: numbers are those of the rule file, to the last digit.

use super::clusters::Bounds;
use crate::config::{Feature, grouped};

/// All bounds of a rule; `everybody` where there is none.
pub(super) fn rule(bounds: &[(Feature, Bounds)]) -> String {
    let parts: Vec<String> = bounds
        .iter()
        .map(|&(feature, bounds)| part(feature, bounds))
        .collect();
    if parts.is_empty() {
        return "everybody".to_owned();
    }
    parts.join(", and ")
}

fn part(feature: Feature, bounds: Bounds) -> String {
    let (above, up_to) = (bounds.above.map(said), bounds.up_to.map(said));
    match (feature, above, up_to) {
        (Feature::Frequency, _, _) => orders(bounds),
        (Feature::RecencyDays, None, Some(high)) => format!("ordered within {high} days"),
        (Feature::RecencyDays, Some(low), None) => format!("last ordered over {low} days ago"),
        (Feature::RecencyDays, Some(low), Some(high)) => {
            format!("last ordered over {low} and up to {high} days ago")
        }
        (Feature::TenureDays, None, Some(high)) => format!("first ordered within {high} days"),
        (Feature::TenureDays, Some(low), None) => format!("first ordered over {low} days ago"),
        (Feature::TenureDays, Some(low), Some(high)) => {
            format!("first ordered over {low} and up to {high} days ago")
        }
        (Feature::Aov, None, Some(high)) => format!("spent up to {high} per order"),
        (Feature::Aov, Some(low), None) => format!("spent over {low} per order"),
        (Feature::Aov, Some(low), Some(high)) => {
            format!("spent over {low} and up to {high} per order")
        }
        (Feature::Monetary, None, Some(high)) => format!("spent up to {high}"),
        (Feature::Monetary, Some(low), None) => format!("spent over {low}"),
        (Feature::Monetary, Some(low), Some(high)) => format!("spent over {low} and up to {high}"),
        (_, None, None) => "anything".to_owned(),
    }
}

/// Orders are whole, and people count them.
fn orders(bounds: Bounds) -> String {
    let low = bounds.above.map(|above| above.floor() + 1.0);
    let high = bounds.up_to.map(f64::floor);
    let plural = |n: f64| if n < 1.5 { "order" } else { "orders" };
    match (low, high) {
        (None, None) => "any number of orders".to_owned(),
        (Some(low), None) => format!("{} or more orders", said(low)),
        (None, Some(high)) if high < 1.5 => "one order".to_owned(),
        (None, Some(high)) => format!("up to {} orders", said(high)),
        (Some(low), Some(high)) if low.total_cmp(&high).is_eq() => {
            format!("{} {}", said(low), plural(low))
        }
        (Some(low), Some(high)) => format!("{} to {} orders", said(low), said(high)),
    }
}

/// A number with its thousands apart.
fn said(value: f64) -> String {
    let text = value.abs().to_string();
    let sign = if value < 0.0 { "-" } else { "" };
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
        None => format!("{sign}{}", grouped(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_like_sentences() {
        let bounds = |above, up_to| Bounds { above, up_to };
        let said = |list: &[(Feature, Bounds)]| rule(list);
        assert_eq!(
            said(&[
                (Feature::RecencyDays, bounds(None, Some(45.0))),
                (Feature::Monetary, bounds(Some(1_310.5), None)),
            ]),
            "ordered within 45 days, and spent over 1,310.5"
        );
        assert_eq!(
            said(&[(Feature::Frequency, bounds(Some(2.0), Some(3.0)))]),
            "3 orders"
        );
        assert_eq!(
            said(&[(Feature::Frequency, bounds(None, Some(1.0)))]),
            "one order"
        );
        assert_eq!(
            said(&[(Feature::Frequency, bounds(Some(2.0), None))]),
            "3 or more orders"
        );
        assert_eq!(said(&[]), "everybody");
    }
}
