//! Rules with their cut points, and who is in which segment.
//!
//! In: a [`RuleSet`] and [`Customers`]. Out: [`FittedRules`], which the model keeps; from them a [`Segmented`].
//! Invariant: the segment of a customer is a pure function of the customer and the fitted rules, so that cut points of one
//! night can be used in another.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

use super::condition::Quantity;
use super::cuts::{Ids, Values, complete, halve};
use super::grid::{Axis, Grid};
use super::quintiles::Scores;
use super::scheme::{Cut, Method, Scheme, Side};
use super::segment::SegmentName;
use super::set::{DIMENSIONS, RuleSet};
use crate::config::Feature;
use crate::error::{Error, Result, Warning};
use crate::features::raw;
use crate::load::Customers;

/// Rules as they were found to cut the customers of one night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedRules {
    /// The rules.
    pub rules: RuleSet,
    /// Where the bands end.
    pub cuts: RuleCuts,
}

/// Cut points of each dimension; null for one that no segment looks at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleCuts {
    /// In days.
    pub recency_days: Option<CutLists>,
    /// In orders.
    pub frequency: Option<CutLists>,
    /// In the unit of the amounts.
    pub monetary: Option<CutLists>,
}

/// Ascending cut points: one list, or with nested scores one for each score (F) or pair of scores (M) before, the lowest first.
#[derive(Debug, Clone, PartialEq)]
pub struct CutLists(pub(super) Vec<Vec<Cut>>);

impl CutLists {
    /// The cut points in original units, list by list.
    pub fn values(&self) -> Vec<Vec<f64>> {
        let values = |list: &Vec<Cut>| list.iter().map(|cut| cut.value).collect();
        self.0.iter().map(values).collect()
    }

    pub(super) fn to_value(&self) -> Value {
        let list = |list: &Vec<Cut>| Value::Array(list.iter().map(Cut::to_value).collect());
        Value::Array(self.0.iter().map(list).collect())
    }
}

impl Serialize for CutLists {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CutLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lists = Vec::<Vec<Value>>::deserialize(deserializer)?;
        let list = |list: Vec<Value>| list.iter().map(Cut::of_value).collect::<Option<Vec<Cut>>>();
        let lists: Option<Vec<Vec<Cut>>> = lists.into_iter().map(list).collect();
        lists
            .filter(|lists| {
                lists
                    .iter()
                    .all(|list| list.is_sorted_by(|a, b| a.value <= b.value))
            })
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("expected lists of ascending cut points"))
    }
}

impl RuleCuts {
    pub(super) fn of(&self, dimension: usize) -> Option<&CutLists> {
        [&self.recency_days, &self.frequency, &self.monetary][dimension].as_ref()
    }
}

/// Who is in which segment. Row *i* is customer *i*.
#[derive(Debug, Clone)]
pub struct Segmented {
    /// Names of the segments, in the order of the rules.
    pub names: Vec<SegmentName>,
    /// Index into `names`; `None` where no segment takes the customer.
    pub labels: Vec<Option<u32>>,
    /// Scores by the rules, 0 in a dimension that no segment looks at.
    pub scores: Scores,
    /// Holes of the map, and scores and segments without customers.
    pub warnings: Vec<Warning>,
}

const FEATURES: [Feature; 3] = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];

impl RuleSet {
    /// Finds the cut points in the data; fixed ones stay as they are.
    ///
    /// # Errors
    /// [`RuleFault::CutPoints`](crate::RuleFault::CutPoints) where too few values are distinct; as [`raw`].
    pub fn fit(&self, customers: &Customers) -> Result<FittedRules> {
        if customers.is_empty() {
            return Err(Error::TooFewCustomers { found: 0 });
        }
        let by_id = self.schemes.iter().any(has_ids);
        let ids = by_id.then(|| Ids::of(customers));
        let mut groups = Groups::everybody(customers.len());
        let mut cuts: [Option<CutLists>; 3] = [None, None, None];
        for dimension in 0..3 {
            if !self.needs(dimension) {
                continue;
            }
            let raw = raw(customers, FEATURES[dimension])?;
            let values = values(dimension, &raw, ids.as_ref());
            let lists = self.fit_dimension(dimension, &values, &groups)?;
            if self.nested {
                groups = groups.split(&values, &lists, &self.schemes[dimension]);
            }
            cuts[dimension] = Some(lists);
        }
        let [recency_days, frequency, monetary] = cuts;
        Ok(FittedRules {
            rules: self.clone(),
            cuts: RuleCuts {
                recency_days,
                frequency,
                monetary,
            },
        })
    }

    fn fit_dimension(
        &self,
        dimension: usize,
        values: &Values<'_>,
        groups: &Groups,
    ) -> Result<CutLists> {
        let scheme = &self.schemes[dimension];
        if let Method::Fixed(lists) = &scheme.method {
            let shift = |cut: &Cut| Cut {
                value: cut.value + scheme.offset,
                tie: cut.tie.clone(),
            };
            let lists = lists.iter().map(|list| list.iter().map(shift).collect());
            return Ok(self.halved(dimension, CutLists(lists.collect()), values, groups));
        }
        let everybody: Vec<usize> = (0..values.raw.len()).collect();
        let mut lists = Vec::with_capacity(groups.count);
        for group in 0..groups.count {
            let rows = groups.rows(group);
            let among = if self.nested && 1 < groups.count {
                format!(" among the {} customers of group {}", rows.len(), group + 1)
            } else {
                String::new()
            };
            let name = FEATURES[dimension].as_str();
            // Nobody is in this group: any cut points will do.
            let rows = if rows.is_empty() { &everybody } else { &rows };
            let cuts = values.fit(rows, scheme)?;
            lists.push(complete(cuts, scheme, self.merge_equal, (name, among))?);
        }
        Ok(self.halved(dimension, CutLists(lists), values, groups))
    }

    /// With `halve-at`: the one cut of each list at which good scores begin.
    fn halved(
        &self,
        dimension: usize,
        lists: CutLists,
        values: &Values<'_>,
        groups: &Groups,
    ) -> CutLists {
        let scheme = &self.schemes[dimension];
        let Some(at) = scheme.halve else {
            return lists;
        };
        let one = |(group, list): (usize, &Vec<Cut>)| {
            let rows = if lists.0.len() == 1 {
                (0..values.raw.len()).collect()
            } else {
                groups.rows(group)
            };
            let bands: Vec<usize> = rows
                .iter()
                .map(|&row| values.band(row, list, scheme.side))
                .collect();
            if bands.is_empty() {
                return list.iter().take(1).cloned().collect();
            }
            halve(list, &bands, at, values.less_is_better)
        };
        CutLists(lists.0.iter().enumerate().map(one).collect())
    }
}

fn has_ids(scheme: &Scheme) -> bool {
    let fixed = match &scheme.method {
        Method::Fixed(lists) => lists.iter().flatten().any(|cut| cut.tie.is_some()),
        _ => false,
    };
    scheme.by_id || fixed
}

fn values<'a>(dimension: usize, values: &'a [f64], ids: Option<&'a Ids>) -> Values<'a> {
    Values {
        raw: values,
        ids,
        less_is_better: dimension == 0,
    }
}

/// The customers among whom the next dimension is cut.
struct Groups {
    /// Group of each customer.
    of: Vec<usize>,
    count: usize,
}

impl Groups {
    fn everybody(customers: usize) -> Self {
        Self {
            of: vec![0; customers],
            count: 1,
        }
    }

    fn rows(&self, group: usize) -> Vec<usize> {
        let rows = self.of.iter().enumerate();
        rows.filter(|&(_, &of)| of == group)
            .map(|(row, _)| row)
            .collect()
    }

    /// Each group once for every score, the lowest first.
    fn split(self, values: &Values<'_>, lists: &CutLists, scheme: &Scheme) -> Self {
        let best = scheme.best();
        let of = (self.of.iter().enumerate())
            .map(|(row, &group)| group * best + score(row, group, values, lists, scheme) - 1);
        Self {
            of: of.collect(),
            count: self.count * best,
        }
    }
}

/// The score of a customer, from 1.
fn score(
    row: usize,
    group: usize,
    values: &Values<'_>,
    lists: &CutLists,
    scheme: &Scheme,
) -> usize {
    let Some(list) = lists.0.get(group).or(lists.0.first()) else {
        return 1;
    };
    let band = values.band(row, list, scheme.side);
    if values.less_is_better {
        list.len() + 2 - band
    } else {
        band
    }
}

impl FittedRules {
    /// Places every customer.
    ///
    /// # Errors
    /// As [`raw`], for a quantity that the customers do not have.
    pub fn segments(&self, customers: &Customers) -> Result<Segmented> {
        let rules = &self.rules;
        let mut warnings = rules.check()?;
        let scores = self.scores(customers)?;
        let grid = Grid::new(rules)?;
        let columns: Vec<Vec<f64>> = grid
            .axes
            .iter()
            .map(|axis| column(axis, customers, &scores))
            .collect::<Result<_>>()?;
        let labels: Vec<Option<u32>> = (0..customers.len())
            .into_par_iter()
            .map(|row| {
                let positions = grid.axes.iter().zip(&columns);
                let cell =
                    grid.index(positions.map(|(axis, column)| axis.position(column[row])))?;
                grid.matches[cell].first().copied()
            })
            .collect();
        warnings.extend(self.empty_scores(&scores));
        warnings.extend(unmatched(&labels, &rules.name));
        Ok(Segmented {
            names: rules.names(),
            labels,
            scores,
            warnings,
        })
    }

    /// Upper bounds, inclusive, of the bands of R, F and M; where the rules count a cut point to the band above it, the
    /// greatest value of these customers below it. `None` where no bound tells who is in a band: for nested scores, whose
    /// cuts depend on the customer, and for cuts between customers of one value (`ties = "by-id"`).
    pub fn upper_bounds(&self, customers: &Customers) -> Option<[Vec<f64>; 3]> {
        let lists = [0, 1, 2].map(|dimension| self.cuts.of(dimension).map(|lists| &lists.0));
        let mut cuts = lists.iter().copied().flatten().flatten().flatten();
        if self.rules.nested || cuts.any(|cut| cut.tie.is_some()) {
            return None;
        }
        let mut bounds: [Vec<f64>; 3] = Default::default();
        for (dimension, bounds) in bounds.iter_mut().enumerate() {
            let cuts = lists[dimension].into_iter().flatten().flatten();
            bounds.extend(cuts.map(|cut| cut.value));
            if self.rules.schemes[dimension].side == Side::Lower {
                let values = raw(customers, FEATURES[dimension]).ok()?;
                for cut in bounds {
                    *cut = below(&values, *cut);
                }
            }
        }
        Some(bounds)
    }

    /// Whether there is a list of cut points for each score that is needed, as long as its bands ask for.
    pub fn fits(&self) -> bool {
        let mut groups = 1;
        (0..3).all(|dimension| {
            let best = self.rules.schemes[dimension].best();
            let lists = self.cuts.of(dimension).map(|lists| &lists.0);
            let sound = match lists {
                None => !self.rules.needs(dimension),
                Some(lists) => {
                    [1, groups].contains(&lists.len())
                        && lists.iter().all(|list| list.len() + 1 == best)
                }
            };
            if self.rules.nested && lists.is_some() {
                groups *= best;
            }
            sound
        })
    }

    /// Scores every customer in the dimensions that the rules look at.
    fn scores(&self, customers: &Customers) -> Result<Scores> {
        let n = customers.len();
        let tied = (0..3).filter_map(|d| self.cuts.of(d));
        let by_id = tied
            .flat_map(|lists| lists.0.iter().flatten())
            .any(|cut| cut.tie.is_some());
        let ids = by_id.then(|| Ids::of(customers));
        let mut all = [vec![0_i8; n], vec![0; n], vec![0; n]];
        let mut groups = Groups::everybody(n);
        for (dimension, scores) in all.iter_mut().enumerate() {
            let Some(lists) = self.cuts.of(dimension) else {
                continue;
            };
            let scheme = &self.rules.schemes[dimension];
            let raw = raw(customers, FEATURES[dimension])?;
            let values = values(dimension, &raw, ids.as_ref());
            scores.par_iter_mut().enumerate().for_each(|(row, found)| {
                let score = score(row, groups.of[row], &values, lists, scheme);
                *found = i8::try_from(score).unwrap_or(i8::MAX);
            });
            if self.rules.nested {
                groups = groups.split(&values, lists, scheme);
            }
        }
        let [recency, frequency, monetary] = all;
        Ok(Scores {
            recency,
            frequency,
            monetary,
        })
    }

    /// Scores that nobody has: cut points that coincide, or lie beyond all values.
    fn empty_scores(&self, scores: &Scores) -> Vec<Warning> {
        let all = [&scores.recency, &scores.frequency, &scores.monetary];
        let mut warnings = Vec::new();
        for (dimension, scores) in all.into_iter().enumerate() {
            if self.cuts.of(dimension).is_none() || !self.rules.uses(dimension) {
                continue;
            }
            let best = self.rules.schemes[dimension].best();
            let has = |score: usize| {
                scores
                    .iter()
                    .any(|&found| usize::try_from(found) == Ok(score))
            };
            let empty: Vec<String> = (1..=best)
                .filter(|&score| !has(score))
                .map(|score| score.to_string())
                .collect();
            if !empty.is_empty() {
                let message = format!(
                    "rules `{}`: nobody has the score {} of {best} in {}; its cut points are {}",
                    self.rules.name,
                    empty.join(" or "),
                    DIMENSIONS[dimension],
                    self.printed(dimension)
                );
                warnings.push(Warning::new("empty_scores", message));
            }
        }
        warnings
    }

    /// The cut points of a dimension that is not nested, for a message.
    fn printed(&self, dimension: usize) -> String {
        let lists = self
            .cuts
            .of(dimension)
            .map(CutLists::values)
            .unwrap_or_default();
        match lists.as_slice() {
            [list] => list
                .iter()
                .map(f64::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            lists => format!("{} lists", lists.len()),
        }
    }
}

/// The greatest value below a cut point; the next number where there is none.
fn below(values: &[f64], cut: f64) -> f64 {
    let values = values.iter().copied().filter(|&value| value < cut);
    values.reduce(f64::max).unwrap_or_else(|| cut.next_down())
}

/// The values of all customers along an axis.
fn column(axis: &Axis, customers: &Customers, scores: &Scores) -> Result<Vec<f64>> {
    let of = |scores: &[i8]| Ok(scores.iter().map(|&score| f64::from(score)).collect());
    match axis.quantity {
        Quantity::R => of(&scores.recency),
        Quantity::F => of(&scores.frequency),
        Quantity::M => of(&scores.monetary),
        Quantity::RecencyDays => raw(customers, Feature::RecencyDays).map(Cow::into_owned),
        Quantity::Frequency => raw(customers, Feature::Frequency).map(Cow::into_owned),
        Quantity::Monetary => raw(customers, Feature::Monetary).map(Cow::into_owned),
        Quantity::Aov => raw(customers, Feature::Aov).map(Cow::into_owned),
        Quantity::TenureDays => raw(customers, Feature::TenureDays).map(Cow::into_owned),
        Quantity::FirstOrder | Quantity::FirstOrderAgo => {
            let days = customers.first_order.as_ref().ok_or_else(|| Error::NoFeature {
                feature: "first_order",
                hint: "the customer table has no first orders; set `tenure-column`, or leave `first_order` out of the rules"
                    .to_owned(),
            })?;
            let from = if axis.quantity == Quantity::FirstOrder {
                0
            } else {
                customers.as_of.date.to_epoch_days()
            };
            Ok(days
                .iter()
                .map(|&day| f64::from(day) - f64::from(from))
                .collect())
        }
        // They are no axes: they follow from the scores.
        Quantity::Fm | Quantity::Sum => Ok(vec![0.0; customers.len()]),
    }
}

fn unmatched(labels: &[Option<u32>], name: &str) -> Option<Warning> {
    let n = labels.iter().filter(|label| label.is_none()).count();
    (0 < n).then(|| {
        let message = format!(
            "rules `{name}`: {n} of {} customers are in no segment",
            labels.len()
        );
        Warning::new("no_segment", message)
    })
}
