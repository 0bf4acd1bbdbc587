//! Where the cells of the page end.
//!
//! In: values of one dimension and the cut points that were published for it. Out: ascending upper bounds, inclusive.
//! Invariant: every published cut point is an edge, and the last edge is at least the greatest value, so that a recount at
//! edges is exact. Between them lie round numbers: whole days, orders, amounts that people say.

use crate::features::ends;

/// Values behind the quantiles: enough to tell where customers are, whatever their number.
const SAMPLE: usize = 32_768;
/// Orders up to which every number is an edge.
const EVERY_ORDER: f64 = 30.0;
/// Beyond, those that people say: every fifth up to a hundred.
const FIFTHS: f64 = 100.0;
/// Days that people say.
const DAYS: [f64; 14] = [
    7.0, 14.0, 21.0, 30.0, 45.0, 60.0, 90.0, 100.0, 120.0, 180.0, 270.0, 365.0, 545.0, 730.0,
];
/// Amounts that people say, times a power of ten.
const AMOUNTS: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 7.5];
/// Steps of a [`Finder`].
const STEPS: usize = 16_384;
/// By how much edges grow beyond.
const GROWTH: f64 = 1.2;

/// What the values of a dimension are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Days.
    Days,
    /// Orders, at least 1.
    Orders,
    /// Amounts, of any size and sign.
    Amount,
}

/// The edges of a dimension, and which of them have to stay.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edges {
    /// Ascending, distinct.
    pub(super) values: Vec<f64>,
    /// Published cut points, what people say, and the last edge.
    pub(super) fixed: Vec<bool>,
}

impl Edges {
    /// About `wanted` edges over the values, and all `cuts`. The sample is every *n*-th row: rows are sorted by customer,
    /// so it is the same for any number of threads.
    pub(super) fn new(unit: Unit, values: &[f64], cuts: &[f64], wanted: usize) -> Self {
        let (_, greatest) = ends(values);
        let mut sample: Vec<f64> = values
            .iter()
            .step_by(values.len().div_ceil(SAMPLE).max(1))
            .copied()
            .collect();
        sample.sort_unstable_by(f64::total_cmp);
        let grid = match unit {
            Unit::Days => days(&sample, greatest, wanted),
            Unit::Orders => orders(greatest),
            Unit::Amount => amounts(&sample, wanted),
        };
        let mut fixed: Vec<f64> = cuts.iter().copied().filter(|cut| cut.is_finite()).collect();
        fixed.push(greatest);
        let least = sample.first().copied().unwrap_or(greatest);
        fixed.extend(said(unit, greatest).filter(|edge| least <= *edge && *edge < greatest));
        let inside = grid
            .into_iter()
            .filter(|&edge| least <= edge && edge < greatest);
        // Adding 0 turns −0 into 0, which would be an edge of its own.
        let mut all: Vec<f64> = inside.chain(fixed.clone()).map(|edge| edge + 0.0).collect();
        all.sort_unstable_by(f64::total_cmp);
        all.dedup();
        let stays = |edge: &f64| fixed.iter().any(|cut| (cut + 0.0).total_cmp(edge).is_eq());
        Self {
            fixed: all.iter().map(stays).collect(),
            values: all,
        }
    }

    /// Tells the bins of values.
    pub(super) fn finder(&self) -> Finder<'_> {
        Finder::new(&self.values)
    }

    /// Without every second edge that may go, and for each old bin the new one; `None` where none may go.
    pub(super) fn coarser(&self) -> Option<(Self, Vec<usize>)> {
        let mut free = 0;
        let keep: Vec<bool> = self
            .fixed
            .iter()
            .map(|&fixed| {
                free += usize::from(!fixed);
                fixed || free % 2 == 0
            })
            .collect();
        if keep.iter().all(|&keep| keep) {
            return None;
        }
        let mut bins = 0;
        let new_bins = keep.iter().map(|&keep| {
            let bin = bins;
            bins += usize::from(keep);
            bin
        });
        let new_bins = new_bins.collect();
        let kept = |at: &usize| keep[*at];
        let places: Vec<usize> = (0..keep.len()).filter(kept).collect();
        let coarser = Self {
            values: places.iter().map(|&at| self.values[at]).collect(),
            fixed: places.iter().map(|&at| self.fixed[at]).collect(),
        };
        Some((coarser, new_bins))
    }
}

/// Bins of millions of values: steps from the least edge to the greatest, and for each step the first edge that is not below it.
/// Steps rise with the values, so that the edges of the steps before a value's are below it and those of the steps after above.
pub(super) struct Finder<'a> {
    edges: &'a [f64],
    steps: Steps,
    firsts: Vec<u32>,
}

/// How a value is told its step.
#[derive(Debug, Clone, Copy)]
enum Steps {
    /// All are equally wide.
    Even { least: f64, per_unit: f64 },
    /// Their width doubles with every doubling of the value: they are the first bits of the number (those of positive numbers,
    /// read as whole ones, stand in their order). What lies below the least positive edge is in the first.
    Growing { least: u64, shift: u32 },
}

impl Steps {
    fn even(edges: &[f64]) -> Self {
        let least = edges.first().copied().unwrap_or(0.0);
        let width = edges.last().copied().unwrap_or(0.0) - least;
        let per_unit = if 0.0 < width {
            (STEPS - 1) as f64 / width
        } else {
            0.0
        };
        Self::Even { least, per_unit }
    }

    fn growing(edges: &[f64]) -> Self {
        let mut positive = edges.iter().copied().filter(|&edge| 0.0 < edge);
        let least = positive.next().unwrap_or(1.0).to_bits();
        let width = positive
            .next_back()
            .map_or(0, |edge| edge.to_bits() - least);
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(STEPS.ilog2());
        Self::Growing { least, shift }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates at both ends, as it should"
    )]
    fn of(self, value: f64) -> usize {
        let step = match self {
            Self::Even { least, per_unit } => ((value - least) * per_unit) as usize,
            Self::Growing { least, shift } if 0.0 < value => {
                (value.to_bits().saturating_sub(least) >> shift) as usize
            }
            Self::Growing { .. } => 0,
        };
        step.min(STEPS - 1)
    }

    /// How many edges share their step with the one before.
    fn crowd(self, edges: &[f64]) -> usize {
        let steps = edges.windows(2);
        steps
            .filter(|two| self.of(two[0]) == self.of(two[1]))
            .count()
    }
}

impl<'a> Finder<'a> {
    fn new(edges: &'a [f64]) -> Self {
        let (even, growing) = (Steps::even(edges), Steps::growing(edges));
        let is_even = even.crowd(edges) <= growing.crowd(edges);
        let steps = if is_even { even } else { growing };
        let mut next = 0;
        let firsts = (0..=STEPS).map(|step| {
            while next < edges.len() && steps.of(edges[next]) < step {
                next += 1;
            }
            u32::try_from(next).unwrap_or(u32::MAX)
        });
        Self {
            firsts: firsts.collect(),
            edges,
            steps,
        }
    }

    /// The first bin whose upper bound a value does not pass.
    pub(super) fn bin(&self, value: f64) -> usize {
        let step = self.steps.of(value);
        let (first, end) = (self.firsts[step] as usize, self.firsts[step + 1] as usize);
        let edges = &self.edges[first..end];
        // Mostly there is none or one.
        match edges {
            [] => first,
            &[edge] => first + usize::from(edge < value),
            _ => first + edges.partition_point(|&edge| edge < value),
        }
    }
}

/// Numbers that people set as thresholds, whatever the customers are like.
fn said(unit: Unit, greatest: f64) -> impl Iterator<Item = f64> {
    let days = (unit == Unit::Days).then_some(DAYS).into_iter().flatten();
    let powers = (unit == Unit::Amount && 1.0 < greatest).then_some(0..=15);
    let amounts = powers.into_iter().flatten().flat_map(|power| {
        let scale = 10_f64.powi(power);
        AMOUNTS.map(move |digits| digits * scale)
    });
    days.chain(amounts)
}

/// Three fifths of the edges are even, since days are read on a calendar; the others lie where the customers are.
fn days(sample: &[f64], greatest: f64, wanted: usize) -> Vec<f64> {
    let even = wanted * 3 / 5;
    let step = (greatest / even.max(1) as f64).ceil().max(1.0);
    let evenly = (0..=even).map(|at| at as f64 * step);
    let quantiles = quantiles(sample, wanted - even).into_iter();
    evenly.chain(quantiles.map(f64::floor)).collect()
}

fn orders(greatest: f64) -> Vec<f64> {
    let mut edges = Vec::new();
    let mut edge = 1.0;
    while edge < greatest {
        edges.push(edge);
        edge = if edge < EVERY_ORDER {
            edge + 1.0
        } else if edge < FIFTHS {
            edge + 5.0
        } else {
            rounded(edge * GROWTH, 2)
        };
    }
    edges
}

/// Edges of two digits, or of as many as it takes to tell the customers apart.
fn amounts(sample: &[f64], wanted: usize) -> Vec<f64> {
    let even = wanted * 3 / 5;
    let positive = &sample[sample.partition_point(|&value| value <= 0.0)..];
    let mut raw = quantiles(sample, wanted - even);
    // From the least but for a thousandth, who may have spent a cent, to the greatest of all.
    let ends = (positive.get(positive.len() / 1_000), positive.last());
    if let (Some(low), Some(high)) = ends {
        let ratio = (high / low).ln() / even.max(1) as f64;
        raw.extend((0..=even).map(|at| low * (at as f64 * ratio).exp()));
    }
    let mut edges = Vec::new();
    for digits in 2..=6 {
        edges = raw.iter().map(|&edge| rounded(edge, digits)).collect();
        edges.sort_unstable_by(f64::total_cmp);
        edges.dedup();
        if wanted * 3 / 4 <= edges.len() {
            break;
        }
    }
    // Those who brought nothing are apart from those who brought little.
    edges.push(0.0);
    edges
}

fn quantiles(sorted: &[f64], wanted: usize) -> Vec<f64> {
    let last = sorted.len().saturating_sub(1);
    let place = |at: usize| at * last / (wanted + 1).max(1);
    (1..=wanted)
        .filter_map(|at| sorted.get(place(at)).copied())
        .collect()
}

/// A value of so many significant digits, written as people would: 1.25 and not 1.2500000000000002.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1))
        .parse()
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_cut_point_is_an_edge_and_stays_one() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        let mut edges = Edges::new(Unit::Days, &values, &[37.5, 368.221], 64);
        let mut rounds = 0;
        loop {
            assert!(edges.values.contains(&37.5) && edges.values.contains(&368.221));
            assert_eq!(edges.values.last(), Some(&999.0));
            assert!(edges.values.is_sorted_by(|a, b| a < b));
            let Some((coarser, bins)) = edges.coarser() else {
                break;
            };
            for &value in &values {
                assert_eq!(bins[edges.finder().bin(value)], coarser.finder().bin(value));
            }
            edges = coarser;
            rounds += 1;
        }
        // The cut points, the greatest, and all that people say but for 1,000 days and more.
        assert_eq!((edges.values.len(), 4 < rounds), (3 + DAYS.len(), true));
    }

    #[test]
    fn a_value_on_an_edge_belongs_below_it() {
        let edges = Edges::new(Unit::Orders, &[1.0, 2.0, 3.0], &[], 64);
        assert_eq!(edges.values, [1.0, 2.0, 3.0]);
        assert_eq!(
            [1.0, 2.0, 3.0].map(|value| edges.finder().bin(value)),
            [0, 1, 2]
        );
    }

    #[test]
    fn a_finder_finds_the_same_bins() {
        let values: Vec<f64> = (0..4_000)
            .map(|at| f64::from(at * at) / 97.0 - 5_000.0)
            .collect();
        for unit in [Unit::Days, Unit::Orders, Unit::Amount] {
            let edges = Edges::new(unit, &values, &[0.1, -3.5, 1e-9], 64);
            let finder = edges.finder();
            let all = values.iter().chain(&edges.values).copied();
            for value in all.flat_map(|value| [value.next_down(), value, value.next_up()]) {
                let expected = edges.values.partition_point(|&edge| edge < value);
                assert_eq!(finder.bin(value), expected, "{unit:?} {value}");
            }
        }
        let amounts: Vec<f64> = (0..4_000).map(|at| (f64::from(at) / 300.0).exp()).collect();
        let edges = Edges::new(Unit::Amount, &amounts, &[], 64);
        assert!(matches!(edges.finder().steps, Steps::Growing { .. }));
        for value in amounts.iter().chain(&[-7.0, -0.0, 0.0, 5e-324, 0.1]) {
            let expected = edges.values.partition_point(|edge| edge < value);
            assert_eq!(edges.finder().bin(*value), expected, "{value}");
        }
        let one = Edges::new(Unit::Amount, &[3.0], &[], 64);
        assert_eq!(one.finder().bin(3.0), 0);
    }

    #[test]
    fn amounts_that_differ_little_are_told_apart() {
        let values: Vec<f64> = (0..500).map(|at| 100.0 + f64::from(at) / 100.0).collect();
        let edges = Edges::new(Unit::Amount, &values, &[], 64);
        assert!(40 < edges.values.len(), "{:?}", edges.values);
    }

    #[test]
    fn nothing_below_zero_is_lost() {
        let values = [-50.0, -1.0, 0.0, 0.0, 12.0, 900.0];
        let edges = Edges::new(Unit::Amount, &values, &[], 64);
        assert!(edges.values.contains(&0.0));
        assert!(
            values
                .iter()
                .all(|&value| edges.finder().bin(value) < edges.values.len())
        );
    }
}
