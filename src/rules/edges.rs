//! Where rules cut a dimension, however they say it.
//!
//! In: [`FittedRules`]. Out: [`RuleEdges`] of a dimension; the other way, a map with given cut points.
//! Invariant: a bound is told as the rules have it, and on which side it counts.

use toml::Value;

use super::condition::Quantity;
use super::fitted::{CutLists, FittedRules, RuleCuts};
use super::scheme::{Cut, Method, Side};
use super::set::RuleSet;
use crate::config::Feature;
use crate::error::Result;

/// The bounds that rules have in one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleEdges {
    /// Ascending; and whether the bound itself still belongs to the band below.
    pub bounds: Vec<(f64, bool)>,
    /// Whether they stand in the rules, and were not found in the data.
    pub given: bool,
}

impl FittedRules {
    /// Where these rules cut recency, frequency or monetary: at the bounds of its scores, else at those of conditions on the
    /// quantity itself. None where they look at neither, or cut it in more than one way (nested scores, ties by id).
    pub fn edges(&self, feature: Feature) -> Option<RuleEdges> {
        let (dimension, quantity) = match feature {
            Feature::RecencyDays => (0, Quantity::RecencyDays),
            Feature::Frequency => (1, Quantity::Frequency),
            Feature::Monetary => (2, Quantity::Monetary),
            Feature::TenureDays | Feature::Aov => return None,
        };
        if let Some(lists) = self.cuts.of(dimension) {
            let scheme = &self.rules.schemes[dimension];
            let [list] = lists.0.as_slice() else {
                return None;
            };
            if list.iter().any(|cut| cut.tie.is_some()) {
                return None;
            }
            let inclusive = scheme.side == Side::Upper;
            return Some(RuleEdges {
                bounds: list.iter().map(|cut| (cut.value, inclusive)).collect(),
                given: matches!(scheme.method, Method::Fixed(_)) && scheme.halve.is_none(),
            });
        }
        let conditions = self.rules.segments.iter().flat_map(|segment| &segment.any);
        let ranges = conditions.flat_map(|conditions| &conditions.ranges);
        let own = ranges.filter(|&&(other, _)| other == quantity);
        let mut bounds: Vec<(f64, bool)> = own
            .flat_map(|(_, interval)| interval.ends())
            .map(|edge| (edge.value, edge.after))
            .collect();
        bounds.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        bounds.dedup();
        (!bounds.is_empty()).then_some(RuleEdges {
            bounds,
            given: true,
        })
    }
}

impl RuleSet {
    /// This map with given cut points (recency, frequency, monetary), with a name and a description of its own.
    ///
    /// # Errors
    /// As [`RuleSet::check`].
    pub fn cut_at(
        &self,
        (name, description): (&str, &str),
        cuts: [&[f64]; 3],
    ) -> Result<FittedRules> {
        let list = |cuts: &[f64]| {
            let cut = |&value: &f64| Cut { value, tie: None };
            Some(CutLists(vec![cuts.iter().map(cut).collect()]))
        };
        let mut rules = self.clone();
        name.clone_into(&mut rules.name);
        description.clone_into(&mut rules.description);
        let text = Value::String(description.to_owned());
        rules.source.insert("description".to_owned(), text);
        rules.source.remove("name-zh");
        rules.name_zh = None;
        rules.check()?;
        let [recency, frequency, monetary] = cuts;
        Ok(FittedRules {
            rules,
            cuts: RuleCuts {
                recency_days: list(recency),
                frequency: list(frequency),
                monetary: list(monetary),
            },
        })
    }
}
