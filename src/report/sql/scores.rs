//! Scores and segments, by cut points that are frozen.
//!
//! In: the step `placed`, the cut points of the scores and the rules. Out: `r_score`, `f_score`, `m_score`, and with rules
//! `segment`, null where no segment takes the customer.
//! Invariant: segments stand in the order of the rules, so that the first that holds wins.

use super::SqlQuery;
use super::dialect::Speech;
use super::place::raw;
use super::select::{Select, Steps, all, any, case};
use crate::config::Feature;
use crate::error::Result;
use crate::rules::{Bound, Measure, PlainScore, Terms};

const SCORES: [&str; 3] = ["r_score", "f_score", "m_score"];
const STEPS: [&str; 3] = ["r_scored", "f_scored", "m_scored"];
const FEATURES: [Feature; 3] = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];
/// Half of what sums of scores are rounded to.
const ROUNDED: f64 = 5e-10;

pub(super) fn scored(query: &SqlQuery<'_>, speech: &Speech, steps: &mut Steps) -> Result<()> {
    let cuts = &query.scores;
    let quintiles = [&cuts.recency_days, &cuts.frequency, &cuts.monetary];
    // The group among which the next dimension of nested rules is scored, from 0.
    let mut group = String::from("0");
    for dimension in 0..3 {
        let plain = query.rules.as_ref();
        let own = plain.and_then(|plain| plain.scores[dimension].as_ref());
        let value = raw(FEATURES[dimension], speech);
        let less_is_better = dimension == 0;
        let score = match own {
            None => score(&value, quintiles[dimension], (true, less_is_better)),
            Some(own) if own.by_id => {
                return Err(speech.refusal(
                    "`ties = \"by-id\"`".to_owned(),
                    "equal values are parted by the order of ids there; score equal values alike",
                ));
            }
            Some(own) => by_group(&value, own, &group, less_is_better),
        };
        let select = Select::from(&steps.last()).plain("*");
        steps.add(STEPS[dimension], select.column(&score, SCORES[dimension]));
        if let (Some(own), true) = (own, plain.is_some_and(|plain| plain.nested)) {
            group = format!("({group}) * {} + {} - 1", own.best, SCORES[dimension]);
        }
    }
    if let Some(plain) = &query.rules {
        let segments = plain.segments.iter().map(|segment| {
            let holds: Vec<String> = segment
                .any
                .iter()
                .map(|terms| terms_sql(terms, speech))
                .collect();
            (any(&holds), speech.string(&segment.name))
        });
        let segment = case(segments.collect(), None);
        let select = Select::from(&steps.last()).plain("*");
        steps.add("segmented", select.column(&segment, "segment"));
    }
    Ok(())
}

/// The score of a value, from 1, the best the number of bands.
fn score(value: &str, cuts: &[f64], (upper_inclusive, less_is_better): (bool, bool)) -> String {
    let sign = if upper_inclusive { "<=" } else { "<" };
    let bands = cuts.len() + 1;
    let of_band = |band: usize| {
        let score = if less_is_better {
            bands + 1 - band
        } else {
            band
        };
        score.to_string()
    };
    let cases = cuts.iter().zip(1..);
    let cases = cases.map(|(&cut, band)| {
        (
            format!("{value} {sign} {}", Speech::float(cut)),
            of_band(band),
        )
    });
    case(cases.collect(), Some(of_band(bands)))
}

/// The same where each group has cut points of its own.
fn by_group(value: &str, own: &PlainScore, group: &str, less_is_better: bool) -> String {
    let how = (own.upper_inclusive, less_is_better);
    match own.lists.as_slice() {
        [] => "1".to_owned(),
        [one] => score(value, one, how),
        lists => {
            let cases = lists.iter().enumerate();
            let cases =
                cases.map(|(index, list)| (format!("{group} = {index}"), score(value, list, how)));
            case(cases.collect(), None)
        }
    }
}

fn terms_sql(terms: &Terms, speech: &Speech) -> String {
    let mut holds: Vec<String> = terms
        .ranges
        .iter()
        .flat_map(|(measure, bounds)| range(*measure, *bounds, speech))
        .collect();
    let cells = terms.cells.iter().map(|code| {
        let digits = code.iter().zip(SCORES);
        let digits = digits.filter_map(|(digit, score)| Some(format!("{score} = {}", (*digit)?)));
        all(&digits.collect::<Vec<_>>())
    });
    let cells: Vec<String> = cells.collect();
    if !cells.is_empty() {
        holds.push(any(&cells));
    }
    all(&holds)
}

fn range(measure: Measure, [low, high]: [Option<Bound>; 2], speech: &Speech) -> Vec<String> {
    let (value, slack) = match measure {
        Measure::Score(dimension) => (SCORES[dimension].to_owned(), 0.0),
        Measure::Weighted(weights) => {
            let terms = weights.iter().zip(SCORES);
            let terms = terms.filter(|&(&weight, _)| weight != 0.0);
            let terms =
                terms.map(|(&weight, score)| format!("{} * {score}", Speech::float(weight)));
            let sum = terms.collect::<Vec<_>>().join(" + ");
            (format!("({sum})"), ROUNDED)
        }
        Measure::Of(feature) => (raw(feature, speech), 0.0),
        Measure::FirstOrder => ("first_order".to_owned(), 0.0),
        Measure::FirstOrderAgo => ("(first_order - as_of_day)".to_owned(), 0.0),
    };
    if let (Some(low), Some(high), Measure::Score(_)) = (low, high, measure)
        && low == high
        && low.inclusive
    {
        return vec![format!("{value} = {}", low.value)];
    }
    let bound = |bound: Bound, sign: &str, toward: f64| {
        let equal = if bound.inclusive { "=" } else { "" };
        // What is rounded to the bound is the bound.
        let slack = if bound.inclusive { slack } else { -slack };
        format!(
            "{value} {sign}{equal} {}",
            Speech::float(bound.value + toward * slack)
        )
    };
    let low = low.map(|low| bound(low, ">", -1.0));
    let high = high.map(|high| bound(high, "<", 1.0));
    low.into_iter().chain(high).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_bands() {
        assert_eq!(
            score("r", &[1.0, 2.5], (true, true)),
            "CASE WHEN r <= 1e0 THEN 3 WHEN r <= 2.5000000000000000e0 THEN 2 ELSE 1 END"
        );
        assert_eq!(
            score("m", &[-4.0], (false, false)),
            "CASE WHEN m < (-4e0) THEN 1 ELSE 2 END"
        );
    }

    #[test]
    fn a_sum_that_rounds_to_its_bound_is_inside() {
        let speech = Speech::of(crate::config::Dialect::Duckdb);
        let at = |inclusive| {
            Some(Bound {
                value: 7.0,
                inclusive,
            })
        };
        let sum = Measure::Weighted([1.0, 0.5, 0.0]);
        assert_eq!(
            range(sum, [at(true), None], &speech),
            ["(1e0 * r_score + 5.0000000000000000e-1 * f_score) >= 6.9999999995000000e0"]
        );
        assert_eq!(
            range(sum, [None, at(false)], &speech),
            ["(1e0 * r_score + 5.0000000000000000e-1 * f_score) < 6.9999999995000000e0"]
        );
    }
}
