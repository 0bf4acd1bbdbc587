//! How alike two partitions of the same customers are.
//!
//! In: their cross table. Out: the adjusted Rand index.
//! Invariant: pairs are counted in whole numbers, so that a partition held against itself gives exactly 1.

/// Adjusted Rand index (Hubert and Arabie 1985; scikit-learn's `adjusted_rand_score`) of a cross table, rows laid end to
/// end: 1 for the same partition, 0 on average for a random one.
pub fn adjusted_rand(table: &[u64], columns: usize) -> f64 {
    let pairs = |n: u64| u128::from(n) * u128::from(n.saturating_sub(1)) / 2;
    let columns = columns.max(1);
    let both: u128 = table.iter().map(|&n| pairs(n)).sum();
    let of_a: u128 = table
        .chunks_exact(columns)
        .map(|row| pairs(row.iter().sum()))
        .sum();
    let of_b: u128 = (0..columns)
        .map(|column| pairs(table.iter().skip(column).step_by(columns).sum()))
        .sum();
    if both == of_a && both == of_b {
        return 1.0;
    }
    let (both, of_a, of_b) = (both as f64, of_a as f64, of_b as f64);
    let chance = of_a * of_b / pairs(table.iter().sum()) as f64;
    (both - chance) / (f64::midpoint(of_a, of_b) - chance)
}
