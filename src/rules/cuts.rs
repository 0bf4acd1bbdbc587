//! Where the bands of a dimension end.
//!
//! In: the values of customers and a [`Scheme`]. Out: cut points, ascending, one fewer than bands; and the band of a value.
//! Invariant: the band of a customer is a pure function of its value (and id, with `ties = "by-id"`) and the cut points.

use std::cmp::Ordering;

use polars::prelude::AnyValue;

use super::scheme::{Cut, Halve, Method, Scheme, Side, Tie};
use crate::cluster::breaks::{breaks, distinct, in_units, whole_factor};
use crate::error::{Error, Result, RuleFault};
use crate::features::quantile::type7_step;
use crate::load::Customers;

/// The ids by which equal values are ranked.
#[derive(Debug)]
pub(super) enum Ids {
    /// Numbers, or texts that are all whole numbers.
    Numbers(Vec<i128>),
    /// Anything else; bytes as hexadecimal digits, which sort alike.
    Texts(Vec<String>),
}

impl Ids {
    pub(super) fn of(customers: &Customers) -> Self {
        let series = customers.ids.series();
        let texts: Vec<String> = (0..customers.len())
            .map(|row| match series.get(row) {
                Ok(AnyValue::Binary(bytes)) => hex::encode(bytes),
                Ok(AnyValue::BinaryOwned(bytes)) => hex::encode(bytes),
                _ => customers.ids.text(row),
            })
            .collect();
        let numbers: Option<Vec<i128>> = texts.iter().map(|text| whole(text)).collect();
        match numbers {
            Some(numbers) => Self::Numbers(numbers),
            None => Self::Texts(texts),
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers(numbers) => numbers[row].to_string(),
            Self::Texts(texts) => texts[row].clone(),
        }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a].cmp(&numbers[b]),
            Self::Texts(texts) => texts[a].cmp(&texts[b]),
        }
    }

    /// Whether customer `row` comes after the customer with this id.
    fn is_after(&self, row: usize, id: &str) -> bool {
        match (self, whole(id)) {
            (Self::Numbers(numbers), Some(id)) => id < numbers[row],
            _ => *id < *self.text(row),
        }
    }
}

/// Digits with an optional minus.
fn whole(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The values of one dimension, for all customers.
#[derive(Debug)]
pub(super) struct Values<'a> {
    /// In the unit of the dimension; row *i* is customer *i*.
    pub raw: &'a [f64],
    /// Where somebody asks for them.
    pub ids: Option<&'a Ids>,
    /// Whether small is good.
    pub less_is_better: bool,
}

impl Values<'_> {
    /// The band of a customer, from 1, ascending with the value.
    pub(super) fn band(&self, row: usize, cuts: &[Cut], side: Side) -> usize {
        let value = self.raw[row];
        let above = |cut: &Cut| match (&cut.tie, self.ids) {
            (Some(tie), Some(ids)) if value.total_cmp(&cut.value).is_eq() => {
                ids.is_after(row, &tie.id) != tie.above
            }
            _ => match side {
                Side::Upper => cut.value < value,
                Side::Lower => cut.value <= value,
            },
        };
        cuts.partition_point(above) + 1
    }

    /// Cut points among some of the customers, and how many of them are distinct.
    pub(super) fn fit(&self, rows: &[usize], scheme: &Scheme) -> Result<Vec<Cut>> {
        let mut sorted: Vec<f64> = rows.iter().map(|&row| self.raw[row]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let plain = |values: Vec<f64>| -> Vec<Cut> {
            let cut = |value: f64| Cut {
                value: value + scheme.offset + 0.0,
                tie: None,
            };
            values.into_iter().map(cut).collect()
        };
        let last = sorted.len() - 1;
        Ok(match &scheme.method {
            Method::Fixed(_) => Vec::new(),
            Method::Quantile if scheme.by_id => self.ranked(rows, scheme),
            Method::Quantile => plain(
                (1..scheme.bands)
                    .map(|step| type7_step(&sorted, step, scheme.bands))
                    .collect(),
            ),
            Method::Mean => plain(vec![mean(&sorted)]),
            Method::Median => plain(vec![type7_step(&sorted, 1, 2)]),
            Method::NaturalBreaks => plain(natural(&sorted, scheme)?),
            Method::TopPercent(shares) => {
                let n = sorted.len() as f64;
                // A share of customers that is whole but for rounding is whole.
                let count = |share: &f64| (n * share / 100.0 - 1e-9).ceil().max(1.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of the number of customers, from 1"
                )]
                let counts = shares.iter().map(|share| count(share) as usize);
                self.top(rows, &sorted, &counts.collect::<Vec<_>>(), scheme)
            }
            Method::TopN(numbers) => {
                let all = last + 1;
                let counts = numbers
                    .iter()
                    .map(|&n| usize::try_from(n).unwrap_or(all).min(all));
                self.top(rows, &sorted, &counts.collect::<Vec<_>>(), scheme)
            }
        })
    }

    /// Rows by value, equal ones by id; with `descending` the greatest value first.
    fn order(&self, rows: &[usize], descending: bool) -> Vec<usize> {
        let mut order = rows.to_vec();
        order.sort_by(|&a, &b| {
            let values = self.raw[a].total_cmp(&self.raw[b]);
            let values = if descending { values.reverse() } else { values };
            values.then_with(|| self.ids.map_or(Ordering::Equal, |ids| ids.compare(a, b)))
        });
        order
    }

    /// Quantiles of the ranks 1, 2, …: each cut is the last customer below it.
    fn ranked(&self, rows: &[usize], scheme: &Scheme) -> Vec<Cut> {
        let order = self.order(rows, false);
        let last = order.len() - 1;
        let at = |step: usize| {
            let place = step * last;
            match scheme.side {
                Side::Upper => place / scheme.bands,
                // A customer whose rank is the quantile itself lies above.
                Side::Lower => place.div_ceil(scheme.bands).saturating_sub(1),
            }
        };
        (1..scheme.bands)
            .map(|step| self.cut_at(order[at(step)], false))
            .collect()
    }

    fn cut_at(&self, row: usize, above: bool) -> Cut {
        Cut {
            value: self.raw[row],
            tie: self.ids.map(|ids| Tie {
                id: ids.text(row),
                above,
            }),
        }
    }

    /// Cuts behind the best so many.
    fn top(&self, rows: &[usize], sorted: &[f64], counts: &[usize], scheme: &Scheme) -> Vec<Cut> {
        let best_is_high = !self.less_is_better;
        let mut cuts: Vec<Cut> = if scheme.by_id {
            let order = self.order(rows, best_is_high);
            let rows = counts.iter().map(|&count| order[count - 1]);
            rows.map(|row| self.cut_at(row, best_is_high)).collect()
        } else {
            let value = |&count: &usize| {
                let edge = if best_is_high {
                    sorted[sorted.len() - count]
                } else {
                    sorted[count - 1]
                };
                Cut {
                    value: part(sorted, edge, best_is_high, scheme.side) + scheme.offset + 0.0,
                    tie: None,
                }
            };
            counts.iter().map(value).collect()
        };
        if best_is_high {
            cuts.reverse();
        }
        cuts
    }
}

/// The cut point that parts the value `edge` and better ones from all others.
fn part(sorted: &[f64], edge: f64, best_is_high: bool, side: Side) -> f64 {
    let below = sorted.partition_point(|value| *value < edge);
    let above = sorted.partition_point(|value| *value <= edge);
    let (lower, upper) = if best_is_high {
        (below.checked_sub(1).map(|at| sorted[at]), Some(edge))
    } else {
        (Some(edge), sorted.get(above).copied())
    };
    // Where nobody is on the other side, the next number is as good as any.
    match side {
        Side::Upper => lower.unwrap_or_else(|| edge.next_down()),
        Side::Lower => upper.unwrap_or_else(|| edge.next_up()),
    }
}

/// The mean of ascending values; between the least and the greatest whatever rounding does.
fn mean(sorted: &[f64]) -> f64 {
    let mean = compensated_sum(sorted.iter().copied()) / sorted.len() as f64;
    mean.clamp(sorted[0], sorted[sorted.len() - 1])
}

/// A sum in which what each step loses is added at the end (Neumaier 1974).
pub fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if value.abs() <= sum.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// The bounds of the bands that lie closest to their means.
fn natural(sorted: &[f64], scheme: &Scheme) -> Result<Vec<f64>> {
    let factor = whole_factor(sorted);
    let whole: Vec<i64> = sorted
        .iter()
        .map(|&value| in_units(value, factor))
        .collect();
    let (values, counts) = distinct(&whole);
    let all = breaks(&values, &counts, scheme.bands).map_err(|source| Error::Breaks {
        source: source.into(),
    })?;
    let upper = all
        .last()
        .map(|breaks| breaks.upper.clone())
        .unwrap_or_default();
    Ok(upper
        .into_iter()
        .map(|upper| {
            let next = whole.partition_point(|value| *value <= upper);
            match scheme.side {
                Side::Upper => sorted[next - 1],
                Side::Lower => sorted[next],
            }
        })
        .collect())
}

/// Refuses cut points that coincide, unless that is wanted; then there are as many all the same, some of them equal, and
/// the scores between them are given to nobody.
pub(super) fn complete(
    mut cuts: Vec<Cut>,
    scheme: &Scheme,
    merge_equal: bool,
    of: (&'static str, String),
) -> Result<Vec<Cut>> {
    let expected = scheme.bands - 1;
    let distinct = cuts.chunk_by(|a, b| a == b).count();
    if distinct < expected && !merge_equal {
        let (dimension, group) = of;
        return Err(RuleFault::CutPoints {
            dimension,
            found: distinct,
            expected,
            group,
        }
        .into());
    }
    // The best band stays the best: the last cut is repeated, so that the bands before it are the empty ones.
    while let (true, Some(last)) = (cuts.len() < expected, cuts.last().cloned()) {
        cuts.push(last);
    }
    Ok(cuts)
}

/// The one cut point at which scores of 2 begin, out of those of more bands.
pub(super) fn halve(cuts: &[Cut], bands_of: &[usize], at: Halve, less_is_better: bool) -> Vec<Cut> {
    let bands = cuts.len() + 1;
    let mut scores: Vec<f64> = bands_of
        .iter()
        .map(|&band| if less_is_better { bands + 1 - band } else { band } as f64)
        .collect();
    scores.sort_unstable_by(f64::total_cmp);
    let threshold = match at {
        Halve::Mean => mean(&scores),
        Halve::Median => type7_step(&scores, 1, 2),
    };
    // Scores above the threshold are good. The number of bands that are not:
    let poor = (1..=bands)
        .filter(|&score| score as f64 <= threshold)
        .count();
    let poor = poor.min(bands - 1);
    let place = if less_is_better { bands - poor } else { poor };
    cuts.get(place.max(1) - 1).cloned().into_iter().collect()
}
