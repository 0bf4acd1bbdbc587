//! Which k, and why: in words, with what speaks against it.
//!
//! In: the k table and the gaps. Out: a [`Choice`].
//! Invariant: a k whose clusters would not come out again, or of which one is too small to be of use, is only taken where
//! no other is left; what was left out, and that there is no structure or no elbow, is said.

use std::fmt::Write;

use super::quality::Quality;
use crate::config::Share;
use crate::error::Warning;

/// A clustering that resampled customers agree with less than this would not come out again.
pub const STABILITY_FLOOR: f64 = 0.75;
/// Inertia has an elbow where it fell at least so many times faster before than it falls after. An even square, which
/// four clusters cut best, has 2.1 there.
const ELBOW: f64 = 2.5;
/// A gap below this is none; with a standard error of 0.04 in an even cloud.
const GAP: f64 = 0.1;

/// The k that was taken.
#[derive(Debug)]
pub(super) struct Choice {
    /// Its place in the table.
    pub(super) index: usize,
    pub(super) reason: String,
    pub(super) warnings: Vec<Warning>,
}

/// A k that was set.
pub(super) fn set(k: usize) -> Choice {
    Choice {
        index: 0,
        reason: format!("k = {k} was set"),
        warnings: Vec::new(),
    }
}

/// What is known beside the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Sum of squared distances from the mean of all: the inertia of one cluster.
    pub(super) whole: f64,
    /// Share under which a cluster is too small.
    pub(super) min_share: f64,
    /// Distinct points, where they limit k.
    pub(super) distinct: Option<usize>,
}

/// Takes the k with the best silhouette among those that pass both guards, the smaller of two alike.
pub(super) fn choose(table: &[Quality], evidence: Evidence) -> Choice {
    let guards = Guards { table, evidence };
    let all: Vec<usize> = (0..table.len()).collect();
    let passes: Vec<usize> = all.iter().copied().filter(|&i| guards.pass(i)).collect();
    let pool = if passes.is_empty() { &all } else { &passes };
    let better = |best: usize, next: usize| {
        if table[best].silhouette < table[next].silhouette {
            next
        } else {
            best
        }
    };
    let index = pool.iter().copied().reduce(better).unwrap_or(0);
    let taken = &table[index];
    let span = format!("{}..{}", table[0].k, table[table.len() - 1].k);
    let mut reason = format!(
        "k = {} has the highest silhouette ({:.3}) of k = {span}",
        taken.k, taken.silhouette
    );
    let mut warnings = Vec::new();
    if passes.is_empty() {
        reason.push_str(" and, like all of them, fails a guard");
        warnings.push(Warning::new(
            "no_k_passes",
            format!(
                "every k of {span} has a tier under {} (`min-share`) or a stability under {STABILITY_FLOOR}; k = {} has the best silhouette",
                Share(evidence.min_share).percent(),
                taken.k
            ),
        ));
    } else if passes.len() < table.len() {
        reason.push_str(" that pass the guards");
        reason.push_str(&guards.left_out());
    }
    match elbow(table, evidence.whole) {
        Some(k) if k == taken.k => reason.push_str("; inertia has its elbow there too"),
        Some(k) => {
            let _ = write!(reason, "; inertia has its elbow at k = {k}");
        }
        None if 3 <= table.len() => reason.push_str("; inertia has no elbow"),
        None => {}
    }
    if let Some(distinct) = evidence.distinct {
        let _ = write!(reason, "; there are only {distinct} distinct points");
    }
    Choice {
        index,
        reason,
        warnings,
    }
}

/// What a k has to pass.
struct Guards<'a> {
    table: &'a [Quality],
    evidence: Evidence,
}

impl Guards<'_> {
    fn small(&self, index: usize) -> bool {
        self.table[index].smallest_share < self.evidence.min_share
    }

    fn unstable(&self, index: usize) -> bool {
        let stability = self.table[index].stability;
        stability.is_some_and(|mean| mean < STABILITY_FLOOR)
    }

    fn pass(&self, index: usize) -> bool {
        !self.small(index) && !self.unstable(index)
    }

    /// Which k did not pass, and why.
    fn left_out(&self) -> String {
        let listed = |fails: &dyn Fn(usize) -> bool| {
            let failing = (0..self.table.len()).filter(|&index| fails(index));
            let ks: Vec<String> = failing
                .map(|index| self.table[index].k.to_string())
                .collect();
            ks.join(", ")
        };
        let small = listed(&|index| self.small(index));
        let unstable = listed(&|index| !self.small(index) && self.unstable(index));
        let mut text = String::new();
        if !small.is_empty() {
            let share = Share(self.evidence.min_share).percent();
            let _ = write!(
                text,
                "; not k = {small}: too small a tier (`min-share` {share})"
            );
        }
        if !unstable.is_empty() {
            let _ = write!(
                text,
                "; not k = {unstable}: other customers would give other tiers (stability under {STABILITY_FLOOR})"
            );
        }
        text
    }
}

/// The k after which inertia falls far more slowly than before: slopes of log inertia over log k, which a cloud without
/// groups has all alike.
pub(super) fn elbow(table: &[Quality], whole: f64) -> Option<usize> {
    let mut points = vec![(1.0_f64, whole)];
    if table.first().is_some_and(|first| first.k != 2) {
        points.clear();
    }
    points.extend(
        table
            .iter()
            .map(|quality| (quality.k as f64, quality.inertia)),
    );
    let slope = |a: (f64, f64), b: (f64, f64)| {
        (a.1 / b.1.max(whole * f64::EPSILON)).ln() / (b.0 / a.0).ln()
    };
    let bends = points.windows(3).map(|three| {
        let (before, after) = (slope(three[0], three[1]), slope(three[1], three[2]));
        (before / after.max(f64::EPSILON), three[1].0)
    });
    let best = bends.reduce(|best, next| if best.0 < next.0 { next } else { best })?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "k was a usize"
    )]
    (ELBOW <= best.0).then_some(best.1 as usize)
}

/// Says so where the data fall apart no faster than an even cloud, by their gaps and standard errors.
pub(super) fn structure(gaps: &[(f64, f64)]) -> Option<Warning> {
    let found = gaps.iter().any(|&(gap, error)| GAP.max(2.0 * error) < gap);
    let largest = gaps
        .iter()
        .map(|(gap, _)| *gap)
        .fold(f64::NEG_INFINITY, f64::max);
    (!found && !gaps.is_empty()).then(|| {
        Warning::new(
            "no_structure",
            format!(
                "no structure: inertia falls no faster than in an even cloud (largest gap {largest:.2}, groups begin at {GAP}); the tiers cut a cloud, they do not find groups"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table from k = 2 on: silhouette, smallest share, stability.
    fn reason(rows: &[(f64, f64, f64)]) -> (usize, String, Vec<&'static str>) {
        let table: Vec<Quality> = (2..)
            .zip(rows)
            .map(|(k, &(silhouette, smallest_share, stability))| Quality {
                k,
                // One over k squared: the fall of an even line, without an elbow.
                inertia: 900.0 / (k * k) as f64,
                silhouette,
                simplified_silhouette: silhouette,
                calinski_harabasz: 1.0,
                davies_bouldin: 1.0,
                smallest_share,
                stability: Some(stability),
                stability_spread: Some(0.0),
            })
            .collect();
        let evidence = Evidence {
            whole: 900.0,
            min_share: 0.05,
            distinct: None,
        };
        let choice = choose(&table, evidence);
        let codes = choice.warnings.iter().map(|warning| warning.code).collect();
        (table[choice.index].k, choice.reason, codes)
    }

    #[test]
    fn a_k_that_fails_a_guard_is_left_out_and_named() {
        let all = reason(&[(0.4, 0.3, 0.9), (0.5, 0.2, 0.75), (0.5, 0.05, 1.0)]);
        let best = "k = 3 has the highest silhouette (0.500) of k = 2..4; inertia has no elbow";
        assert_eq!(all, (3, best.to_owned(), vec![]));
        let some = reason(&[(0.4, 0.3, 0.9), (0.7, 0.2, 0.74), (0.9, 0.04, 0.1)]);
        let guarded = "k = 2 has the highest silhouette (0.400) of k = 2..4 that pass the guards; \
            not k = 4: too small a tier (`min-share` 5 %); \
            not k = 3: other customers would give other tiers (stability under 0.75); \
            inertia has no elbow";
        assert_eq!(some, (2, guarded.to_owned(), vec![]));
        let (k, reason, codes) = reason(&[(0.4, 0.3, 0.7), (0.6, 0.01, 0.9)]);
        assert_eq!((k, codes), (3, vec!["no_k_passes"]), "{reason}");
    }

    #[test]
    fn structure_is_a_gap_larger_than_its_error() {
        for (gaps, found) in [
            (vec![], true),
            (vec![(0.05, 0.01), (0.2, 0.02)], true),
            (vec![(0.05, 0.01), (0.2, 0.15)], false),
            (vec![(-0.3, 0.01), (0.1, 0.0)], false),
        ] {
            assert_eq!(structure(&gaps).is_none(), found, "{gaps:?}");
        }
    }
}
