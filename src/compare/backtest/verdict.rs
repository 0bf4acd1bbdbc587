//! The answer in words: which tiering is better, for whom, by how much.
//!
//! In: the figures of all tierings and their differences. Out: [`Verdict`].
//! Invariant: nothing is called better whose interval holds zero. Tierings are judged by the Gini coefficient of the future
//! revenue, which asks for the whole order of the tiers and not only for the first.

use serde::Serialize;

use super::figures::Measure;
use super::result::{Difference, Fold, TierOutcome, Tried};
use crate::config::grouped;

/// Which tiering is better.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The tiering with the greatest Gini coefficient, random tiers aside; null where none is defined.
    pub best: Option<String>,
    /// What was asked.
    pub measure: Measure,
    /// Tierings that it is better than.
    pub better_than: Vec<String>,
    /// Tierings that it cannot be told from.
    pub no_difference: Vec<String>,
    /// What its best fifth of the customers brings beside that of each other tiering that is not random.
    pub gains: Vec<Gain>,
    /// The same for people.
    pub words: Vec<String>,
}

/// How much more the best fifth of the customers of one tiering brings than that of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// The other tiering.
    pub over: String,
    /// Share of the future revenue, the one minus the other.
    pub share: f64,
    /// The same in revenue, over all folds.
    pub revenue: f64,
}

/// Judges.
pub(super) fn verdict(folds: &[Fold], tierings: &[Tried], differences: &[Difference]) -> Verdict {
    let measure = Measure::Gini;
    let mut verdict = Verdict {
        best: None,
        measure,
        better_than: Vec::new(),
        no_difference: Vec::new(),
        gains: Vec::new(),
        words: Vec::new(),
    };
    let known = tierings
        .iter()
        .filter(|tried| !tried.is_random())
        .filter_map(|tried| Some((tried, tried.figures.get(measure)?)));
    // Of equals the first.
    let best = known.reduce(|best, next| if best.1 < next.1 { next } else { best });
    let Some((best, gini)) = best else {
        verdict
            .words
            .push("Nothing can be said: the customers brought no revenue in the period".to_owned());
        return verdict;
    };
    let against: Vec<Difference> = differences
        .iter()
        .filter(|difference| difference.measure == measure)
        .filter(|difference| [&difference.a, &difference.b].contains(&&best.name))
        .map(|difference| difference.from(&best.name))
        .collect();
    let those = |wanted: Option<&String>| -> Vec<&Difference> {
        let found = against.iter();
        found
            .filter(|difference| difference.better.as_ref() == wanted)
            .collect()
    };
    let (beaten, even) = (those(Some(&best.name)), those(None));
    let worse: Vec<&Difference> = against
        .iter()
        .filter(|difference| difference.better.as_ref() == Some(&difference.b))
        .collect();
    verdict
        .words
        .push(which(best, gini, [&beaten, &even, &worse]));
    verdict.words.extend(but(best, tierings, differences));
    verdict.gains = gains(folds, best, tierings);
    verdict.words.extend(by_how_much(best, &verdict.gains));
    verdict.words.extend(for_whom(best, tierings));
    let names = |differences: &[&Difference]| {
        let names = differences.iter().map(|difference| difference.b.clone());
        names.collect()
    };
    verdict.better_than = names(&beaten);
    verdict.no_difference = names(&even);
    verdict.best = Some(best.name.clone());
    verdict
}

fn which(best: &Tried, gini: f64, [beaten, even, worse]: [&[&Difference]; 3]) -> String {
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"));
    let listed = |words: &str, differences: &[&Difference]| {
        let one = |difference: &&Difference| {
            format!(
                "{} by {} ({} to {})",
                difference.b,
                figure(difference.difference),
                figure(difference.low),
                figure(difference.high)
            )
        };
        let all: Vec<String> = differences.iter().map(one).collect();
        (!all.is_empty()).then(|| format!("{words} {}", all.join(", ")))
    };
    let parts = [
        listed("better than", beaten),
        listed("not distinguishable from", even),
        listed("worse than", worse),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return format!("{}: Gini of what came after {gini:.3}", best.name);
    }
    let place = if beaten.is_empty() {
        "comes first, but beats none"
    } else if even.is_empty() {
        "is the best"
    } else {
        "comes first"
    };
    format!(
        "{} {place} (Gini of what came after {gini:.3}): {}",
        best.name,
        parts.join("; ")
    )
}

/// Where another tiering is better in a measure that does not ask how large tiers are, and where tiers are not equally many.
fn but(best: &Tried, tierings: &[Tried], differences: &[Difference]) -> Option<String> {
    let better = |measure: Measure, name: &str| {
        let of = |difference: &&Difference| {
            let sides = [&difference.a, &difference.b];
            difference.measure == measure && sides.contains(&&best.name)
        };
        let winners = differences
            .iter()
            .filter(of)
            .filter_map(|found| found.better.clone());
        let winners: Vec<String> = winners.filter(|winner| *winner != best.name).collect();
        (!winners.is_empty()).then(|| format!("{} in {name}", winners.join(", ")))
    };
    let measures = [
        (Measure::Capture20, "what its best fifth brings"),
        (Measure::RankCorrelation, "rank correlation"),
    ];
    let found = measures.map(|(measure, name)| better(measure, name));
    let mut parts: Vec<String> = found.into_iter().flatten().collect();
    if !parts.is_empty() {
        parts = vec![format!("better than it: {}", parts.join("; "))];
    }
    let sizes = tierings.iter().filter(|tried| !tried.is_random());
    let fewer = |tried: &&Tried| tried.tiers.len() < best.tiers.len();
    let fewer: Vec<String> = sizes
        .filter(fewer)
        .map(|tried| format!("{} {}", tried.name, tried.tiers.len()))
        .collect();
    if !fewer.is_empty() {
        let own = best.tiers.len();
        parts.push(format!(
            "more tiers tell more: {} has {own}, {}",
            best.name,
            fewer.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| format!("But {}", parts.join("; ")))
}

fn gains(folds: &[Fold], best: &Tried, tierings: &[Tried]) -> Vec<Gain> {
    let revenue: f64 = folds.iter().map(|fold| fold.revenue).sum();
    let of_best = best.figures.capture_20;
    let others = tierings
        .iter()
        .filter(|tried| tried.name != best.name && !tried.is_random());
    others
        .filter_map(|other| {
            let share = of_best? - other.figures.capture_20?;
            Some(Gain {
                over: other.name.clone(),
                share,
                revenue: share * revenue,
            })
        })
        .collect()
}

fn by_how_much(best: &Tried, gains: &[Gain]) -> Option<String> {
    let share = best.figures.capture_20?;
    let one = |gain: &Gain| {
        let whole = format!("{:.0}", gain.revenue.abs());
        let more = if gain.revenue < 0.0 { "less" } else { "more" };
        format!("{} {more} than that of {}", grouped(&whole), gain.over)
    };
    let told: Vec<String> = gains.iter().map(one).collect();
    let tail = if told.is_empty() {
        String::new()
    } else {
        format!(": {}", told.join(", "))
    };
    Some(format!(
        "Its best fifth of the customers brought {:.1} % of the revenue{tail}",
        share * 100.0
    ))
}

/// The top tiers side by side.
fn for_whom(best: &Tried, tierings: &[Tried]) -> Option<String> {
    let told = |tried: &Tried| {
        let tier: &TierOutcome = tried.tiers.first()?;
        Some(format!(
            "{} of {}: {} customers, {:.1} % bought again, {:.2} each",
            tier.name,
            tried.name,
            grouped(&tier.customers.to_string()),
            tier.repeat_rate * 100.0,
            tier.revenue_per_customer
        ))
    };
    let others = tierings
        .iter()
        .filter(|tried| tried.name != best.name && !tried.is_random());
    let told: Option<Vec<String>> = std::iter::once(best).chain(others).map(told).collect();
    told.map(|told| format!("Top tiers: {}", told.join("; ")))
}
