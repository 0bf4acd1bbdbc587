//! Names of tiers.
//!
//! In: centroids and the config. Out: a code and two unique names for each tier.
//! Invariant: two tiers of one code are told apart by the feature in which they differ most, never by a bare number.
//!
//! The eight names are the majority naming of the segment map of Chinese user operations: 重要 (key) where monetary is
//! high; 价值, 发展, 保持, 挽留 (value, develop, keep, retain) by recency and frequency.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

use super::{Members, bad_names, less_is_better};
use crate::cluster::BandGrid;
use crate::config::{Feature, FeatureConfig, Scale, TiersConfig, Transform};
use crate::error::Result;
use crate::features::Fitted;
use crate::load::Customers;

/// Code (R, F, M; 1 is good), English, Chinese.
const SEGMENTS: [(&str, &str, &str); 8] = [
    ("111", "Key value", "重要价值客户"),
    ("101", "Key develop", "重要发展客户"),
    ("011", "Key keep", "重要保持客户"),
    ("001", "Key retain", "重要挽留客户"),
    ("110", "General value", "一般价值客户"),
    ("100", "General develop", "一般发展客户"),
    ("010", "General keep", "一般保持客户"),
    ("000", "General retain", "一般挽留客户"),
];

/// The code of each tier: each of R, F, M against the mean of all customers, in the transformed feature.
pub(super) fn codes(
    customers: &Customers,
    columns: &[Fitted],
    matrix: ArrayView2<'_, f64>,
    centroids: &Array2<f64>,
    members: &Members<'_>,
) -> Result<Vec<String>> {
    let mut codes = vec![String::new(); centroids.nrows()];
    let n = matrix.nrows();
    let of_columns = super::sums(n, |rows| {
        let mut sums = vec![0.0; matrix.ncols()];
        for row in matrix.slice_axis(Axis(0), rows.into()).outer_iter() {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums
    });
    for feature in [Feature::RecencyDays, Feature::Frequency, Feature::Monetary] {
        let column = columns.iter().position(|column| column.name == feature);
        let (of_tiers, of_all) = match column {
            Some(column) => (
                centroids.column(column).to_vec(),
                of_columns[column] / n as f64,
            ),
            // The clusters do not know this feature; their customers do.
            None => transformed_means(customers, feature, members)?,
        };
        for (code, mean) in codes.iter_mut().zip(of_tiers) {
            let good = if less_is_better(feature) {
                mean < of_all
            } else {
                of_all < mean
            };
            code.push(if good { '1' } else { '0' });
        }
    }
    Ok(codes)
}

/// The code of a cell of a grid: its bands of R, F and M, 0 the worst; 0 for a feature that is not among the columns.
pub fn band_code(grid: &BandGrid, cell: usize, columns: &[Feature]) -> String {
    let bands = grid.bands_of(cell);
    let digit = |feature: Feature| {
        let column = columns.iter().position(|&column| column == feature)?;
        let best = grid.columns[column].len() - 1;
        Some(if less_is_better(feature) {
            best - bands[column]
        } else {
            bands[column]
        })
    };
    let features = [Feature::RecencyDays, Feature::Frequency, Feature::Monetary];
    features
        .map(|feature| digit(feature).unwrap_or(0).to_string())
        .concat()
}

/// The name of a cell of a grid with more than two bands, in both languages. A dimension that is not cut says nothing.
fn band_name(code: &str, n_bands: [usize; 3]) -> (String, String) {
    const LOW: (&str, &str) = ("low", "低");
    const MID: (&str, &str) = ("mid", "中");
    const HIGH: (&str, &str) = ("high", "高");
    let dimensions = [("R", "近度"), ("F", "频次"), ("M", "金额")];
    let digits = code.chars().filter_map(|digit| digit.to_digit(10));
    let parts = dimensions.iter().zip(n_bands).zip(digits);
    let (english, chinese): (Vec<String>, Vec<String>) = parts
        .filter(|&((_, n), _)| 1 < n)
        .map(|(((en, zh), n), digit)| {
            let (word, word_zh) = match (n, digit) {
                (2 | 3, 0) => LOW,
                (3, 1) => MID,
                (2, 1) | (3, 2) => HIGH,
                _ => {
                    let place = digit + 1;
                    return (format!("{en} {place} of {n}"), format!("{zh}{place}级"));
                }
            };
            (format!("{en} {word}"), format!("{zh}{word_zh}"))
        })
        .unzip();
    (english.join(" · "), chinese.join(" · "))
}

/// How many bands each of R, F and M has in a grid; 1 where it is not cut.
pub(super) fn band_counts(grid: &BandGrid, columns: &[Feature]) -> [usize; 3] {
    [Feature::RecencyDays, Feature::Frequency, Feature::Monetary].map(|feature| {
        let column = columns.iter().position(|&column| column == feature);
        column.map_or(1, |column| grid.columns[column].len())
    })
}

fn transformed_means(
    customers: &Customers,
    feature: Feature,
    members: &Members<'_>,
) -> Result<(Vec<f64>, f64)> {
    let plain = FeatureConfig {
        feature,
        transform: Transform::Log1p,
        scale: Scale::Zscore,
        weight: 1.0,
        winsorise: None,
    };
    let (_, matrix) = crate::features::fit_transform(customers, &[plain])?;
    let (values, _) = matrix.into_raw_vec_and_offset();
    let all = values.iter().sum::<f64>() / values.len() as f64;
    Ok((members.means(&values), all))
}

/// English and Chinese name of each tier, of codes with so many bands for R, F and M.
pub(super) fn names(
    codes: &[String],
    columns: &[Fitted],
    centroids: &Array2<f64>,
    (n_bands, config): ([usize; 3], &TiersConfig),
) -> Result<Vec<(String, String)>> {
    for (key, names) in [
        ("tier-names", &config.names),
        ("tier-names-zh", &config.names_zh),
    ] {
        if let Some(names) = names
            && names.len() != codes.len()
        {
            return Err(bad_names(key, names.len(), codes.len()));
        }
    }
    let built_in = |code: &str| match SEGMENTS.iter().find(|(known, _, _)| *known == code) {
        Some((_, english, chinese)) if n_bands.iter().all(|&n| n <= 2) => {
            ((*english).to_owned(), (*chinese).to_owned())
        }
        _ => band_name(code, n_bands),
    };
    let (english, chinese): (Vec<String>, Vec<String>) = codes
        .iter()
        .map(|code| {
            let own = config.code_names.get(code).cloned().unwrap_or_default();
            let (english, chinese) = built_in(code);
            (own.en.unwrap_or(english), own.zh.unwrap_or(chinese))
        })
        .unzip();
    let english = match &config.names {
        Some(names) => names.clone(),
        None => unique(&english, columns, centroids, qualifier_en),
    };
    let chinese = match (&config.names_zh, &config.names) {
        (Some(names), _) | (None, Some(names)) => names.clone(),
        (None, None) => unique(&chinese, columns, centroids, qualifier_zh),
    };
    Ok(english.into_iter().zip(chinese).collect())
}

/// Adds to names that stand more than once what tells their tiers apart.
fn unique(
    names: &[String],
    columns: &[Fitted],
    centroids: &Array2<f64>,
    qualifier: fn(Feature, usize, usize) -> String,
) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (tier, name) in names.iter().enumerate() {
        groups.entry(name).or_default().push(tier);
    }
    let mut unique = names.to_vec();
    for (name, mut tiers) in groups {
        if tiers.len() < 2 {
            continue;
        }
        let column = telling(&tiers, centroids);
        let feature = columns[column].name;
        tiers.sort_by(|&a, &b| {
            let descending = centroids[[b, column]].total_cmp(&centroids[[a, column]]);
            if less_is_better(feature) {
                descending.reverse()
            } else {
                descending
            }
        });
        let count = tiers.len();
        for (place, tier) in tiers.into_iter().enumerate() {
            unique[tier] = format!("{name} · {}", qualifier(feature, place, count));
        }
    }
    unique
}

/// The column that tells these tiers apart best: the one whose two nearest neighbours lie farthest apart, and among
/// equals the widest. Two tiers that are alike in a feature are not told apart by it, however far a third one lies.
fn telling(tiers: &[usize], centroids: &Array2<f64>) -> usize {
    let gaps = |column: usize| {
        let mut values: Vec<f64> = tiers
            .iter()
            .map(|&tier| centroids[[tier, column]])
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let nearest = values
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(f64::INFINITY, f64::min);
        let widest = values[values.len() - 1] - values[0];
        (nearest, widest)
    };
    (0..centroids.ncols())
        .max_by(|&a, &b| {
            let ((near_a, wide_a), (near_b, wide_b)) = (gaps(a), gaps(b));
            near_a
                .total_cmp(&near_b)
                .then(wide_a.total_cmp(&wide_b))
                .then(b.cmp(&a))
        })
        .unwrap_or(0)
}

/// `highest spend`, `second highest spend`, …, `lowest spend`; place 0 is best.
fn qualifier_en(feature: Feature, place: usize, count: usize) -> String {
    let (best, worst) = match feature {
        Feature::RecencyDays => ("most recent", "least recent"),
        Feature::Frequency => ("most orders", "fewest orders"),
        Feature::Monetary => ("highest spend", "lowest spend"),
        Feature::TenureDays => ("longest known", "newest"),
        Feature::Aov => ("largest orders", "smallest orders"),
    };
    match place {
        0 => best.to_owned(),
        end if end + 1 == count => worst.to_owned(),
        _ => {
            const ORDINALS: [&str; 9] = [
                "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
                "tenth",
            ];
            let ordinal = ORDINALS
                .get(place - 1)
                .map_or_else(|| numbered(place + 1), |&word| word.to_owned());
            format!("{ordinal} {best}")
        }
    }
}

/// `11th`, `21st`, `22nd`, `23rd`.
fn numbered(n: usize) -> String {
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// The same in Chinese; between the ends stands an ordinal.
fn qualifier_zh(feature: Feature, place: usize, count: usize) -> String {
    let (best, (before, after), worst) = match feature {
        Feature::RecencyDays => ("最近购买", ("第", "近购买"), "最久未购"),
        Feature::Frequency => ("订单最多", ("订单第", "多"), "订单最少"),
        Feature::Monetary => ("消费最高", ("消费第", "高"), "消费最低"),
        Feature::TenureDays => ("首购最早", ("首购第", "早"), "首购最晚"),
        Feature::Aov => ("客单价最高", ("客单价第", "高"), "客单价最低"),
    };
    match place {
        0 => best.to_owned(),
        end if end + 1 == count => worst.to_owned(),
        _ => {
            const DIGITS: [&str; 9] = ["二", "三", "四", "五", "六", "七", "八", "九", "十"];
            let ordinal = DIGITS
                .get(place - 1)
                .map_or_else(|| (place + 1).to_string(), |&digit| digit.to_owned());
            format!("{before}{ordinal}{after}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_name_both_ends_and_count_between_them() {
        let english: Vec<String> = (0..4)
            .map(|place| qualifier_en(Feature::Monetary, place, 4))
            .collect();
        assert_eq!(
            english,
            [
                "highest spend",
                "second highest spend",
                "third highest spend",
                "lowest spend"
            ]
        );
        let chinese = |feature| [0, 1, 2].map(|place| qualifier_zh(feature, place, 3));
        for (feature, expected) in [
            (Feature::RecencyDays, ["最近购买", "第二近购买", "最久未购"]),
            (Feature::Frequency, ["订单最多", "订单第二多", "订单最少"]),
            (Feature::Monetary, ["消费最高", "消费第二高", "消费最低"]),
            (Feature::TenureDays, ["首购最早", "首购第二早", "首购最晚"]),
            (Feature::Aov, ["客单价最高", "客单价第二高", "客单价最低"]),
        ] {
            assert_eq!(chinese(feature), expected);
        }
    }

    #[test]
    fn bands_are_named_by_how_many_their_own_dimension_has() {
        let name = |code, n_bands| band_name(code, n_bands);
        let both = |english: &str, chinese: &str| (english.to_owned(), chinese.to_owned());
        assert_eq!(
            name("212", [3, 2, 3]),
            both("R high · F high · M high", "近度高 · 频次高 · 金额高")
        );
        assert_eq!(
            name("101", [3, 2, 4]),
            both("R mid · F low · M 2 of 4", "近度中 · 频次低 · 金额2级")
        );
        assert_eq!(
            name("200", [3, 1, 3]),
            both("R high · M low", "近度高 · 金额低")
        );
    }

    #[test]
    fn the_map_names_each_of_the_eight_codes_once() {
        let codes: std::collections::BTreeSet<&str> =
            SEGMENTS.iter().map(|&(code, _, _)| code).collect();
        let expected: Vec<String> = (0..8).map(|n| format!("{n:03b}")).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected);
    }
}
