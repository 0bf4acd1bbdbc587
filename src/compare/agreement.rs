//! How far two tierings agree, whatever their tiers are called.
//!
//! In: their cross table. Out: an [`Agreement`].
//! Invariant: every figure is a function of the table alone, the same for tiers in another order, and equal to
//! scikit-learn's `metrics.cluster` to 1e-9. Logarithms are natural. It does not look at customers one by one, so its
//! price does not grow with them (but for the root of them in [`expected_mutual_information`]).

use serde::Serialize;

use super::CrossTable;
use crate::cluster::adjusted_rand;

/// Likeness of two tierings of the same customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Pairs of customers on which both agree, corrected for chance: 1 the same, 0 as by chance (Hubert and Arabie 1985).
    pub adjusted_rand: f64,
    /// Shared information over the mean of both entropies, corrected for chance (Vinh, Epps and Bailey 2010).
    pub adjusted_mutual_info: f64,
    /// Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007).
    pub v_measure: f64,
    /// 1 where each tier of B holds customers of a single tier of A.
    pub homogeneity: f64,
    /// 1 where the customers of each tier of A stay together in B.
    pub completeness: f64,
    /// What has to be told to get from one to the other, in nats; 0 for the same (Meilă 2007).
    pub variation_of_information: f64,
    /// Share of customers who are in the tier of A that is the most frequent one in their tier of B.
    pub purity_a_by_b: f64,
    /// Share of customers who are in the tier of B that is the most frequent one in their tier of A.
    pub purity_b_by_a: f64,
}

/// Measures a cross table. Without customers everything agrees.
///
/// # Example
/// ```
/// use tiermill::compare::{CrossTable, agreement};
///
/// let same = CrossTable::of_counts(vec![vec![3, 0], vec![0, 2]]);
/// assert_eq!(agreement(&same).adjusted_rand, 1.0);
/// ```
pub fn agreement(table: &CrossTable) -> Agreement {
    let (of_a, of_b) = table.margins();
    let n: u64 = of_a.iter().sum();
    let cells: Vec<u64> = table.customers.concat();
    let (entropy_a, entropy_b) = (entropy(&of_a, n), entropy(&of_b, n));
    let shared = mutual_information(table, (&of_a, &of_b), n);
    let of = |whole: f64| {
        if 0.0 < whole {
            (shared / whole).min(1.0)
        } else {
            1.0
        }
    };
    let (homogeneity, completeness) = (of(entropy_a), of(entropy_b));
    let both = homogeneity + completeness;
    let largest = |groups: &mut dyn Iterator<Item = u64>| {
        if n == 0 {
            1.0
        } else {
            groups.sum::<u64>() as f64 / n as f64
        }
    };
    let columns = of_b.len();
    let in_column = |column: usize| table.customers.iter().map(move |row| row[column]);
    let in_row = |row: &Vec<u64>| row.iter().copied().max().unwrap_or(0);
    Agreement {
        adjusted_rand: adjusted_rand(&cells, columns),
        adjusted_mutual_info: adjusted(shared, (entropy_a, entropy_b), (&of_a, &of_b)),
        v_measure: if 0.0 < both {
            2.0 * homogeneity * completeness / both
        } else {
            0.0
        },
        homogeneity,
        completeness,
        variation_of_information: (entropy_a + entropy_b - 2.0 * shared).max(0.0),
        purity_a_by_b: largest(
            &mut (0..columns).map(|column| in_column(column).max().unwrap_or(0)),
        ),
        purity_b_by_a: largest(&mut table.customers.iter().map(in_row)),
    }
}

/// −Σ p ln p of group sizes.
pub(super) fn entropy(sizes: &[u64], n: u64) -> f64 {
    let n = n as f64;
    let sizes = sizes.iter().filter(|&&size| 0 < size);
    sizes
        .map(|&size| size as f64 / n * (n / size as f64).ln())
        .sum()
}

fn mutual_information(table: &CrossTable, (of_a, of_b): (&[u64], &[u64]), n: u64) -> f64 {
    let n = n as f64;
    let mut sum = 0.0;
    for (row, &a) in table.customers.iter().zip(of_a) {
        for (&both, &b) in row.iter().zip(of_b) {
            if 0 < both {
                let both = both as f64;
                sum += both / n * (both / a as f64 * (n / b as f64)).ln();
            }
        }
    }
    sum.max(0.0)
}

/// (shared − expected) / (mean entropy − expected), with the special cases of scikit-learn.
fn adjusted(shared: f64, (entropy_a, entropy_b): (f64, f64), margins: (&[u64], &[u64])) -> f64 {
    let groups = |sizes: &[u64]| sizes.iter().filter(|&&size| 0 < size).count();
    let (groups_a, groups_b) = (groups(margins.0), groups(margins.1));
    if groups_a <= 1 && groups_b <= 1 {
        return 1.0;
    }
    if groups_a == 1 || groups_b == 1 {
        return 0.0;
    }
    let expected = expected_mutual_information(margins.0, margins.1);
    // Both may be 0 but for rounding; their signs decide then, as in scikit-learn.
    let at_least = |value: f64| {
        if value < 0.0 {
            value.min(-f64::EPSILON)
        } else {
            value.max(f64::EPSILON)
        }
    };
    let most = f64::midpoint(entropy_a, entropy_b);
    at_least(shared - expected) / at_least(most - expected)
}

/// The mutual information that two tierings of these sizes share on average, over all ways to deal customers into them
/// (Vinh, Epps and Bailey 2010, formula 24a), in nats.
///
/// How many customers tiers of a and b have in common follows the hypergeometric distribution. Its probabilities are
/// walked from the mode outwards, each from its neighbour, until they no longer count, and divided by their sum: no
/// logarithm of a factorial is needed, whose rounding grows with the customers, and only some ten deviations on both
/// sides of the mode are visited, whatever the sizes.
pub fn expected_mutual_information(of_a: &[u64], of_b: &[u64]) -> f64 {
    let n: u64 = of_a.iter().sum();
    let mut sum = 0.0;
    for &a in of_a.iter().filter(|&&a| 0 < a) {
        for &b in of_b.iter().filter(|&&b| 0 < b) {
            sum += expected_term(a, b, n);
        }
    }
    sum
}

/// E[x/n · ln(n x / (a b))] for x customers in common.
fn expected_term(a: u64, b: u64, n: u64) -> f64 {
    /// A probability this far below that of the mode, with all behind it, is lost in rounding.
    const NOTHING: f64 = 1e-22;
    let (least, most) = ((a + b).saturating_sub(n), a.min(b));
    let mode = (u128::from(a) + 1) * (u128::from(b) + 1) / (u128::from(n) + 2);
    let mode = u64::try_from(mode).unwrap_or(most).clamp(least, most);
    let (whole, expected) = (n as f64, a as f64 / n as f64 * b as f64);
    let value = |x: u64| {
        if x == 0 {
            0.0
        } else {
            x as f64 / whole * (x as f64 / expected).ln()
        }
    };
    // P(x + 1) / P(x). From `least` on, n + x + 1 is more than a + b.
    let step = |x: u64| {
        let up = (a - x) as f64 * (b - x) as f64;
        let down = (x + 1) as f64 * (n + x + 1 - a - b) as f64;
        up / down
    };
    let (mut weights, mut sum) = (1.0, value(mode));
    let mut probability = 1.0;
    for x in mode..most {
        probability *= step(x);
        if probability < NOTHING {
            break;
        }
        weights += probability;
        sum += probability * value(x + 1);
    }
    probability = 1.0;
    for x in (least..mode).rev() {
        probability /= step(x);
        if probability < NOTHING {
            break;
        }
        weights += probability;
        sum += probability * value(x);
    }
    sum / weights
}
