//! Values as whole numbers, for whoever asks for [`breaks`](super::breaks) of fractions.
//!
//! In: values. Out: the factor that makes whole numbers of them.
//! Invariant: a function of the set of values; every value times the factor stays below 2^61.

/// What makes whole numbers of the values: a power of ten or the microseconds of a day where that is exact, else as fine as
/// 61 bits allow.
pub fn whole_factor(values: &[f64]) -> f64 {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    const EXACT_FACTORS: [f64; 6] = [1.0, 1e2, 1e4, 1e6, 1e8, 86_400_000_000.0];
    let greatest = values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let exact = |factor: &f64| {
        greatest * factor < EXACT
            && values
                .iter()
                .all(|value| ((value * factor).round() / factor).total_cmp(value).is_eq())
    };
    EXACT_FACTORS.into_iter().find(exact).unwrap_or_else(|| {
        let bits = greatest.log2().ceil().max(-900.0);
        2_f64.powf(60.0 - bits)
    })
}

/// A value in units of the factor.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the factor keeps the greatest value below 2^61"
)]
pub fn in_units(value: f64, factor: f64) -> i64 {
    (value * factor).round() as i64
}
