//! What a backtest tells: backtest.json.
//!
//! In: folds, figures and their resamples. Out: [`Backtest`].
//! Invariant: customers, orders and amounts of tiers are counted exactly; a difference whose interval holds zero is none.

use serde::{Serialize, Serializer};

use super::bootstrap::as_they_are;
use super::cells::Cells;
use super::figures::{Figures, Measure};
use super::verdict::{Verdict, verdict};
use super::{LEVEL, RANDOM, Ranked, Resampling, Trial};
use crate::compare::value::gini_of_each;
use crate::features::quantile::type7;
use crate::load::Future;

/// What is said where an interval holds zero.
const NO_DIFFERENCE: &str = "not distinguishable";
/// What is said where a figure is not defined.
const NOT_DEFINED: &str = "not defined";

/// backtest.json.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// Which tiering is better, for whom, by how much.
    pub verdict: Verdict,
    /// The folds, the latest first.
    pub folds: Vec<Fold>,
    /// Each tiering over the customers of all folds together.
    #[serde(serialize_with = "by_name")]
    pub tierings: Vec<Tried>,
    /// Every pair of tierings in every measure, a − b.
    pub differences: Vec<Difference>,
    /// Share of the resamples that an interval holds.
    pub level: f64,
    /// Resamples behind the intervals.
    pub resamples: usize,
    /// Their seed.
    pub seed: u64,
}

/// One period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fold {
    /// T, where it begins; ISO 8601.
    pub at: String,
    /// Where it ends, exclusive; ISO 8601.
    pub until: String,
    /// Its length.
    pub horizon_days: u32,
    /// Customers with an order before T.
    pub customers: u64,
    /// Share of them with an order in the period.
    pub repeat_rate: f64,
    /// Their orders in the period.
    pub orders: i64,
    /// Their net amount in the period.
    pub revenue: f64,
    /// The same per customer: the base of lift.
    pub revenue_per_customer: f64,
    /// Gini coefficient of that amount over single customers: what no tiering can exceed; null where the whole is not above 0.
    pub gini_of_customers: Option<f64>,
    /// Customers of the period without a tier: without an order before T, or with none in the window.
    pub newcomers: u64,
    /// Their net amount.
    pub newcomers_revenue: f64,
    /// Each tiering in this fold alone.
    #[serde(serialize_with = "by_name")]
    pub tierings: Vec<Tried>,
}

/// How a tiering did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// Its name, the key in JSON.
    #[serde(skip)]
    pub name: String,
    /// How well it told what came.
    #[serde(flatten)]
    pub figures: Figures,
    /// Whether revenue per customer never rises from a tier to the next worse one; over several folds, in each of them.
    pub monotone: bool,
    /// For each measure the bounds of its interval; only over all folds.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "by_measure")]
    pub intervals: Vec<(Measure, Option<[f64; 2]>)>,
    /// Tiers with customers, best first as ranked at T. Over several folds tiers of one name are added up.
    pub tiers: Vec<TierOutcome>,
}

/// What the customers of a tier did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierOutcome {
    /// Its name.
    pub name: String,
    /// Customers at T.
    pub customers: u64,
    /// Share of them with an order in the period.
    pub repeat_rate: f64,
    /// Their orders in the period.
    pub orders: i64,
    /// The same per customer.
    pub orders_per_customer: f64,
    /// Their net amount in the period.
    pub revenue: f64,
    /// The same per customer.
    pub revenue_per_customer: f64,
    /// Customers with an order in the period.
    #[serde(skip)]
    pub buyers: u64,
}

/// One measure of two tierings on the same customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// What was measured.
    pub measure: Measure,
    /// a − b; null where one of them is not defined.
    pub difference: Option<f64>,
    /// Lower bound of its interval.
    pub low: Option<f64>,
    /// Upper bound of its interval.
    pub high: Option<f64>,
    /// `not distinguishable` where the interval holds zero, else `NAME is better`.
    pub verdict: String,
    /// The better one, where there is one.
    pub better: Option<String>,
}

fn by_name<S: Serializer>(tried: &[Tried], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tried.iter().map(|tried| (&tried.name, tried)))
}

fn by_measure<S: Serializer>(
    intervals: &[(Measure, Option<[f64; 2]>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(intervals.iter().map(|(measure, bounds)| (measure, bounds)))
}

/// Orders and amounts while they are added up.
#[derive(Clone, Copy, Default)]
struct Count {
    customers: u64,
    buyers: u64,
    orders: i64,
    units: i128,
}

impl Count {
    fn add(&mut self, future: &Future, row: usize) {
        self.customers += 1;
        self.buyers += u64::from(0 < future.orders[row]);
        self.orders += future.orders[row];
        self.units += i128::from(future.revenue[row]);
    }

    fn told(self, name: &str, future: &Future) -> TierOutcome {
        outcome(
            name,
            (self.customers, self.buyers, self.orders),
            future.amount(self.units),
        )
    }
}

fn outcome(name: &str, counted: (u64, u64, i64), revenue: f64) -> TierOutcome {
    let (customers, buyers, orders) = counted;
    let n = customers.max(1) as f64;
    TierOutcome {
        name: name.to_owned(),
        customers,
        repeat_rate: buyers as f64 / n,
        orders,
        orders_per_customer: orders as f64 / n,
        revenue,
        revenue_per_customer: revenue / n,
        buyers,
    }
}

/// One fold, alone.
pub(super) fn fold(trial: &Trial<'_>, horizon_days: u32, cells: &[Cells]) -> Fold {
    let future = trial.future;
    let mut all = Count::default();
    for row in 0..future.revenue.len() {
        all.add(future, row);
    }
    let figures = as_they_are(&[cells]);
    let tried = trial.tierings.iter().zip(figures);
    let base = all.told("", future);
    Fold {
        at: trial.at.to_owned(),
        until: trial.until.to_owned(),
        horizon_days,
        customers: all.customers,
        repeat_rate: base.repeat_rate,
        orders: all.orders,
        revenue: base.revenue,
        revenue_per_customer: base.revenue_per_customer,
        gini_of_customers: gini_of_each(&future.revenue),
        newcomers: future.newcomers,
        newcomers_revenue: future.amount(future.newcomers_revenue),
        tierings: tried
            .map(|(tiering, figures)| in_fold(tiering, figures, future))
            .collect(),
    }
}

fn in_fold(tiering: &Ranked, figures: Figures, future: &Future) -> Tried {
    let mut counts = vec![Count::default(); tiering.tiers.len()];
    for (row, &label) in tiering.labels.iter().enumerate() {
        counts[label as usize].add(future, row);
    }
    // Crosswise instead of divided: whole numbers are exact.
    let falls = |pair: &[Count]| {
        pair[1].units * i128::from(pair[0].customers)
            <= pair[0].units * i128::from(pair[1].customers)
    };
    Tried {
        name: tiering.name.clone(),
        figures,
        monotone: counts.windows(2).all(falls),
        intervals: Vec::new(),
        tiers: tiering
            .tiers
            .iter()
            .zip(&counts)
            .map(|(name, count)| count.told(name, future))
            .collect(),
    }
}

/// All folds together.
pub(super) fn put_together(
    folds: Vec<Fold>,
    (figures, drawn): (&[Figures], &[Vec<Figures>]),
    resampling: Resampling,
) -> Backtest {
    let tierings: Vec<Tried> = figures
        .iter()
        .enumerate()
        .map(|(index, &figures)| together(&folds, index, figures, drawn))
        .collect();
    let differences = differences(&tierings, drawn);
    Backtest {
        verdict: verdict(&folds, &tierings, &differences),
        folds,
        tierings,
        differences,
        level: LEVEL,
        resamples: resampling.resamples,
        seed: resampling.seed,
    }
}

fn together(folds: &[Fold], index: usize, figures: Figures, drawn: &[Vec<Figures>]) -> Tried {
    let of_folds: Vec<&Tried> = folds.iter().map(|fold| &fold.tierings[index]).collect();
    let interval = |measure: Measure| {
        let drawn = drawn.iter().map(|figures| figures[index].get(measure));
        (measure, bounds(drawn))
    };
    Tried {
        name: of_folds
            .first()
            .map_or_else(String::new, |tried| tried.name.clone()),
        figures,
        monotone: of_folds.iter().all(|tried| tried.monotone),
        intervals: Measure::ALL.map(interval).to_vec(),
        tiers: added(&of_folds),
    }
}

/// Tiers of one name added up, the best on average first.
fn added(of_folds: &[&Tried]) -> Vec<TierOutcome> {
    let mut names: Vec<(&str, f64, f64)> = Vec::new();
    for tried in of_folds {
        for (rank, tier) in tried.tiers.iter().enumerate() {
            let place = (rank as f64 + 0.5) / tried.tiers.len() as f64;
            match names.iter_mut().find(|(name, ..)| *name == tier.name) {
                Some((_, places, folds)) => {
                    *places += place;
                    *folds += 1.0;
                }
                None => names.push((&tier.name, place, 1.0)),
            }
        }
    }
    names.sort_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)));
    let tiers = |name: &str| {
        let all = of_folds.iter().flat_map(|tried| &tried.tiers);
        all.filter(|tier| tier.name == name).collect::<Vec<_>>()
    };
    let add = |(name, ..): &(&str, f64, f64)| {
        let tiers = tiers(name);
        let counted = (
            tiers.iter().map(|tier| tier.customers).sum(),
            tiers.iter().map(|tier| tier.buyers).sum(),
            tiers.iter().map(|tier| tier.orders).sum(),
        );
        outcome(name, counted, tiers.iter().map(|tier| tier.revenue).sum())
    };
    names.iter().map(add).collect()
}

/// The interval in the middle of the resamples in which a figure is defined (percentile bootstrap, Efron 1979).
fn bounds(drawn: impl Iterator<Item = Option<f64>>) -> Option<[f64; 2]> {
    let mut drawn: Vec<f64> = drawn.flatten().collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    (!drawn.is_empty()).then(|| [type7(&drawn, tail), type7(&drawn, 1.0 - tail)])
}

/// All pairs in all measures.
fn differences(tierings: &[Tried], drawn: &[Vec<Figures>]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (first, a) in tierings.iter().enumerate() {
        for (second, b) in tierings.iter().enumerate().skip(first + 1) {
            for measure in Measure::ALL {
                let minus = |a: &Figures, b: &Figures| Some(a.get(measure)? - b.get(measure)?);
                let interval = bounds(
                    drawn
                        .iter()
                        .map(|drawn| minus(&drawn[first], &drawn[second])),
                );
                let difference = minus(&a.figures, &b.figures);
                differences.push(told((a, b), measure, difference, interval));
            }
        }
    }
    differences
}

fn told(
    (a, b): (&Tried, &Tried),
    measure: Measure,
    difference: Option<f64>,
    interval: Option<[f64; 2]>,
) -> Difference {
    let better = match interval {
        Some([low, _]) if 0.0 < low => Some(a.name.clone()),
        Some([_, high]) if high < 0.0 => Some(b.name.clone()),
        _ => None,
    };
    let defined = difference.is_some() && interval.is_some();
    Difference {
        a: a.name.clone(),
        b: b.name.clone(),
        measure,
        difference,
        low: interval.map(|[low, _]| low),
        high: interval.map(|[_, high]| high),
        verdict: match &better {
            Some(better) => format!("{better} is better"),
            None if defined => NO_DIFFERENCE.to_owned(),
            None => NOT_DEFINED.to_owned(),
        },
        better,
    }
}

impl Backtest {
    /// a − b in a measure, whichever of the two was named first.
    pub fn difference(&self, a: &str, b: &str, measure: Measure) -> Option<Difference> {
        let of = |difference: &&Difference| {
            difference.measure == measure
                && [(a, b), (b, a)].contains(&(&*difference.a, &*difference.b))
        };
        let found = self.differences.iter().find(of)?;
        Some(found.from(a))
    }
}

impl Difference {
    /// The same with `a` in front.
    #[must_use]
    pub fn from(&self, a: &str) -> Self {
        if self.a == a {
            return self.clone();
        }
        let minus = |value: Option<f64>| value.map(|value| 0.0 - value);
        Self {
            a: self.b.clone(),
            b: self.a.clone(),
            difference: minus(self.difference),
            low: minus(self.high),
            high: minus(self.low),
            ..self.clone()
        }
    }
}

impl Tried {
    /// Whether its tiers were dealt at random.
    pub fn is_random(&self) -> bool {
        self.name == RANDOM
    }
}
