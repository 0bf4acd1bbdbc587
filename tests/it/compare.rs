//! Two tierings of the same customers: figures by hand and by scikit-learn, properties, every bad input, CDNOW.

use insta::assert_snapshot;
use ndarray::Array2;
use polars::datatypes::{Categories, FrozenCategories};
use polars::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use tiermill::cluster::{Effort, silhouette, silhouette_of_labels};
use tiermill::compare::value::{Totals, balance, capture, eta_squared, gini, gini_of_each};
use tiermill::compare::{
    Agreement, Comparison, CrossTable, Matching, Moves, Pairing, Space, Tiering, agreement,
    assignment, compare, expected_mutual_information,
};
use tiermill::config::Feature;
use tiermill::features;
use tiermill::features::sketch::sketch;
use tiermill::load::Customers;

use crate::support::{
    Workdir, close, config, customers, customers_table, floats, golden, read, repository, threads,
    with_type,
};

// Agreement.

fn counts(table: &Value) -> Vec<Vec<u64>> {
    serde_json::from_value(table.clone()).unwrap()
}

fn figures(agreement: &Agreement) -> Value {
    serde_json::to_value(agreement).unwrap()
}

#[test]
fn every_figure_of_agreement_is_that_of_scikit_learn() {
    let golden = golden("golden_compare.json");
    for (name, case) in golden["tables"].as_object().unwrap() {
        let table = CrossTable::of_counts(counts(&case["table"]));
        let found = figures(&agreement(&table));
        for (figure, value) in found.as_object().unwrap() {
            let expected = case[figure].as_f64().unwrap();
            close(
                value.as_f64().unwrap(),
                expected,
                1e-9,
                &format!("{figure} of {name}"),
            );
        }
        let (of_a, of_b) = table.margins();
        let expected = case["expected_mutual_info"].as_f64().unwrap();
        close(
            expected_mutual_information(&of_a, &of_b),
            expected,
            1e-12,
            name,
        );
    }
}

#[test]
fn chance_shares_as_much_as_chi_square_says_among_ten_million() {
    // 2 n times the mutual information of independent tierings is about chi-square with (r − 1)(c − 1) degrees of freedom.
    let (of_a, of_b) = (vec![1_000_000, 3_000_000, 6_000_000], vec![2_500_000; 4]);
    let expected = 6.0 / (2.0 * 10_000_000.0);
    let found = expected_mutual_information(&of_a, &of_b);
    assert!(
        (found / expected - 1.0).abs() < 1e-4,
        "{found:e} against {expected:e}"
    );
}

#[test]
fn without_customers_everything_agrees() {
    let nothing = agreement(&CrossTable::of_counts(vec![vec![0, 0], vec![0, 0]]));
    assert_eq!(
        figures(&nothing),
        json!({
            "adjusted_rand": 1.0, "adjusted_mutual_info": 1.0, "v_measure": 1.0, "homogeneity": 1.0, "completeness": 1.0,
            "variation_of_information": 0.0, "purity_a_by_b": 1.0, "purity_b_by_a": 1.0
        })
    );
}

/// ln n! the long way round.
fn ln_factorial(n: u64) -> f64 {
    (2..=n).map(|i| (i as f64).ln()).sum()
}

/// The expected mutual information by the published formula, term by term.
fn by_formula(of_a: &[u64], of_b: &[u64]) -> f64 {
    let n: u64 = of_a.iter().sum();
    let mut sum = 0.0;
    for &a in of_a {
        for &b in of_b {
            for both in (a + b).saturating_sub(n).max(1)..=a.min(b) {
                let up = [a, b, n - a, n - b].map(ln_factorial).iter().sum::<f64>();
                let down = [n, both, a - both, b - both, n + both - a - b].map(ln_factorial);
                let probability = (up - down.iter().sum::<f64>()).exp();
                let share = both as f64 / n as f64;
                sum += probability * share * (n as f64 * both as f64 / (a as f64 * b as f64)).ln();
            }
        }
    }
    sum
}

/// Tables of 1 to 5 rows and columns with a few customers.
fn small_tables() -> impl Strategy<Value = Vec<Vec<u64>>> {
    (1_usize..=5, 1_usize..=5).prop_flat_map(|(rows, columns)| {
        prop::collection::vec(prop::collection::vec(0_u64..30, columns), rows)
    })
}

fn turned(table: &[Vec<u64>]) -> Vec<Vec<u64>> {
    (0..table[0].len())
        .map(|column| table.iter().map(|row| row[column]).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expected_information_is_that_of_the_published_formula(table in small_tables()) {
        let (of_a, of_b) = CrossTable::of_counts(table).margins();
        let (found, expected) = (expected_mutual_information(&of_a, &of_b), by_formula(&of_a, &of_b));
        prop_assert!((found - expected).abs() < 1e-11, "{found} against {expected}");
    }

    #[test]
    fn agreement_does_not_ask_which_side_is_which(table in small_tables()) {
        let (one, other) = (agreement(&CrossTable::of_counts(table.clone())), agreement(&CrossTable::of_counts(turned(&table))));
        let pairs = [
            (one.adjusted_rand, other.adjusted_rand), (one.adjusted_mutual_info, other.adjusted_mutual_info),
            (one.v_measure, other.v_measure), (one.variation_of_information, other.variation_of_information),
            (one.homogeneity, other.completeness), (one.completeness, other.homogeneity),
            (one.purity_a_by_b, other.purity_b_by_a), (one.purity_b_by_a, other.purity_a_by_b),
        ];
        for (a, b) in pairs {
            prop_assert!((a - b).abs() < 1e-9, "{one:?} against {other:?}");
        }
    }

    #[test]
    fn tiers_in_another_order_agree_as_much(table in small_tables().prop_flat_map(|table| (Just(table.clone()), Just(table).prop_shuffle()))) {
        let one = figures(&agreement(&CrossTable::of_counts(table.0)));
        let other = figures(&agreement(&CrossTable::of_counts(table.1)));
        for (name, value) in one.as_object().unwrap() {
            prop_assert!((value.as_f64().unwrap() - other[name].as_f64().unwrap()).abs() < 1e-9, "{name}");
        }
    }

    #[test]
    fn a_tiering_agrees_with_itself(sizes in prop::collection::vec(1_u64..1_000_000, 2..8)) {
        let diagonal = (0..sizes.len()).map(|i| (0..sizes.len()).map(|j| if i == j { sizes[i] } else { 0 }).collect()).collect();
        let same = agreement(&CrossTable::of_counts(diagonal));
        prop_assert_eq!(same.adjusted_rand, 1.0);
        prop_assert_eq!((same.purity_a_by_b, same.purity_b_by_a), (1.0, 1.0));
        for one in [same.adjusted_mutual_info, same.v_measure, same.homogeneity, same.completeness] {
            prop_assert!((one - 1.0).abs() < 1e-9, "{same:?}");
        }
        prop_assert!(same.variation_of_information < 1e-9);
    }

    #[test]
    fn independent_tierings_agree_by_chance_only(labels in prop::collection::vec((0_u64..4, 0_u64..3), 2_000)) {
        let mut table = vec![vec![0; 3]; 4];
        for (a, b) in labels {
            table[a as usize][b as usize] += 1;
        }
        let chance = agreement(&CrossTable::of_counts(table));
        prop_assert!(chance.adjusted_rand.abs() < 0.02 && chance.adjusted_mutual_info.abs() < 0.02, "{chance:?}");
    }

    #[test]
    fn no_other_assignment_keeps_more(table in small_tables()) {
        fn best(table: &[Vec<u64>], taken: &mut Vec<usize>) -> u64 {
            let Some((row, rest)) = table.split_first() else { return 0 };
            let mut most = best(rest, taken);
            for column in 0..row.len() {
                if !taken.contains(&column) {
                    taken.push(column);
                    most = most.max(row[column] + best(rest, taken));
                    taken.pop();
                }
            }
            most
        }
        let columns = table[0].len();
        let assigned = assignment(&table, columns);
        let mut used: Vec<usize> = assigned.iter().flatten().copied().collect();
        let kept: u64 = assigned.iter().zip(&table).filter_map(|(column, row)| column.map(|column| row[column])).sum();
        prop_assert_eq!(used.len(), table.len().min(columns));
        used.sort_unstable();
        used.dedup();
        prop_assert_eq!(used.len(), table.len().min(columns), "a column twice");
        prop_assert_eq!(kept, best(&table, &mut Vec::new()));
    }
}

// Value.

#[test]
fn lorenz_gini_and_capture_by_hand() {
    // Tiers of 1, 3 and 6 customers with 50, 30 and 20: means 50, 10 and 3⅓.
    let labels = [1, 2, 0, 2, 1, 2, 2, 1, 2, 2];
    let amounts = [10, 4, 50, 4, 12, 4, 4, 8, 2, 2];
    let totals = Totals::new(&labels, &amounts, 3);
    assert_eq!(
        (&totals.sizes[..], &totals.outcomes[..]),
        (&[1, 3, 6][..], &[50, 30, 20][..])
    );
    assert_eq!(totals.by_mean(), [0, 1, 2]);
    let curve = totals.lorenz(&[0, 1, 2]).unwrap();
    assert_eq!(curve, [[0.0, 0.0], [0.6, 0.2], [0.9, 0.5], [1.0, 1.0]]);
    // 1 − (0.6 × 0.2 + 0.3 × 0.7 + 0.1 × 1.5)
    close(gini(&curve), 0.52, 1e-12, "gini");
    close(
        capture(&curve, 0.1),
        0.5,
        1e-12,
        "the best tenth is the first tier",
    );
    close(
        capture(&curve, 0.2),
        0.6,
        1e-12,
        "and a third of the second",
    );
    close(capture(&curve, 1.0), 1.0, 1e-12, "all");
    close(capture(&curve, 0.0), 0.0, 1e-12, "nobody");
    // In the order from worst to best the same area lies above the diagonal.
    close(
        gini(&totals.lorenz(&[2, 1, 0]).unwrap()),
        -0.52,
        1e-12,
        "turned",
    );
    assert_eq!(Totals::new(&[0, 1], &[5, -5], 2).lorenz(&[0, 1]), None);
}

#[test]
fn the_gini_of_single_customers_by_hand() {
    assert_eq!(gini_of_each(&[7, 7, 7, 7]), Some(0.0));
    // One of four has all: 1 − 1/4.
    assert_eq!(gini_of_each(&[0, 100, 0, 0]), Some(0.75));
    assert_eq!(gini_of_each(&[-3, 3]), None);
    // 2 × (1·1 + 2·2 + 3·3) / (3 · 6) − 4/3
    close(
        gini_of_each(&[3, 1, 2]).unwrap(),
        2.0 / 9.0,
        1e-12,
        "1, 2, 3",
    );
}

#[test]
fn eta_squared_and_balance_by_hand() {
    // Means 2 and 6 around 4: 4 × 4 between, 16 + 4 within.
    let values = [1.0, 3.0, 5.0, 7.0];
    close(
        eta_squared(&[0, 0, 1, 1], &values).unwrap(),
        16.0 / 20.0,
        1e-12,
        "two and two",
    );
    close(
        eta_squared(&[0, 1, 2, 3], &values).unwrap(),
        1.0,
        1e-12,
        "each alone",
    );
    close(
        eta_squared(&[0, 0, 0, 0], &values).unwrap(),
        0.0,
        1e-12,
        "all together",
    );
    assert_eq!(eta_squared(&[0, 1], &[5.0, 5.0]), None);
    // A large mean takes no digits away.
    let far: Vec<f64> = values.iter().map(|value| value + 1e9).collect();
    close(
        eta_squared(&[0, 0, 1, 1], &far).unwrap(),
        0.8,
        1e-9,
        "far away",
    );
    close(balance(&[5, 5, 0, 5]).unwrap(), 1.0, 1e-12, "all alike");
    assert_eq!(balance(&[9, 0]), None);
    close(
        balance(&[1, 3]).unwrap(),
        0.811_278_124_459_132_8,
        1e-12,
        "a quarter",
    );
}

const EFFORT: Effort = Effort {
    exact: 10_000,
    pieces: 10_000,
    sample: 0,
};

#[test]
fn the_silhouette_of_any_labels_is_that_of_all_pairs() {
    let golden = golden("golden_cluster.json");
    let rows: Vec<Vec<f64>> = golden["blobs"]["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(floats)
        .collect();
    let matrix = Array2::from_shape_fn((rows.len(), 3), |(row, column)| rows[row][column]);
    let sketched = sketch(matrix.view()).unwrap();
    for (k, spread) in [(2, 1), (3, 7), (7, 3), (50, 11)] {
        let labels: Vec<u32> = (0..rows.len())
            .map(|row| (row * spread % k) as u32)
            .collect();
        let found = silhouette_of_labels(&sketched, &labels, EFFORT).unwrap();
        assert!(found.exact && found.error.is_none());
        close(
            found.mean,
            silhouette(matrix.view(), &labels, k),
            1e-9,
            &format!("{k} labels"),
        );
    }
    assert_eq!(
        silhouette_of_labels(&sketched, &vec![3; rows.len()], EFFORT),
        None
    );
}

#[test]
fn among_few_pieces_the_silhouette_is_nearly_the_same() {
    let table: Vec<(f64, i64, f64)> = (0..3_000)
        .map(|i: i64| ((i * 37 % 500) as f64, i * 13 % 17 + 1, (i * i % 977) as f64))
        .collect();
    let people = customers(&table);
    let columns = features::fit(&people, &config(COLUMNS_OF_TABLE).features)
        .unwrap()
        .columns;
    let matrix = features::matrix(&people, &columns).unwrap();
    let sketched = sketch(matrix.view()).unwrap();
    let labels: Vec<u32> = people
        .frequency
        .iter()
        .map(|orders| u32::from(6 < *orders))
        .collect();
    let measured = |effort| silhouette_of_labels(&sketched, &labels, effort).unwrap();
    let (all, few) = (
        measured(EFFORT),
        measured(Effort {
            exact: 0,
            pieces: 300,
            sample: 0,
        }),
    );
    assert!(all.exact && !few.exact && few.error.is_none());
    close(
        all.mean,
        silhouette(matrix.view(), &labels, 2),
        1e-9,
        "all pieces",
    );
    close(few.mean, all.mean, 0.05, "few pieces");
    // A sample of finer pieces takes most of that off, and says how much may be left.
    let sampled = measured(Effort {
        exact: 0,
        pieces: 300,
        sample: 1_000,
    });
    let (off, error) = ((sampled.mean - all.mean).abs(), sampled.error.unwrap());
    assert!(!sampled.exact && 0.0 < error && error < 0.01, "{sampled:?}");
    assert!(
        off <= error && off < (few.mean - all.mean).abs() / 2.0,
        "{few:?} {sampled:?} {all:?}"
    );
}

// Who moves.

const COLUMNS_OF_TABLE: &str =
    "input = 'x'\ncustomer = 'id'\nlevel = 'customers'\nas-of = 2024-01-31";

fn tiering(name: &str, names: &[&str], labels: &[u32]) -> Tiering {
    Tiering {
        name: name.to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        labels: labels.to_vec(),
        ranked: false,
        margins: None,
    }
}

fn compared(people: &Customers, a: &Tiering, b: &Tiering) -> (Comparison, Moves) {
    let columns = features::fit(people, &config(COLUMNS_OF_TABLE).features)
        .unwrap()
        .columns;
    let space = Space::new(people, &columns).unwrap();
    compare(&space, a, b, 42).unwrap()
}

/// Eight customers: recency, orders, amount.
const EIGHT: [(f64, i64, f64); 8] = [
    (3.0, 9, 900.0),
    (5.0, 8, 700.5),
    (9.0, 7, 650.0),
    (200.0, 8, 800.0),
    (210.0, 2, 30.25),
    (250.0, 1, 20.0),
    (300.0, 1, 10.0),
    (8.0, 1, 15.0),
];

#[test]
fn eight_customers_on_paper() {
    let people = customers(&EIGHT);
    let a = tiering(
        "rules",
        &["Champions", "At Risk", "Lost"],
        &[0, 0, 0, 1, 1, 2, 2, 2],
    );
    let mut b = tiering("data", &["Good", "Poor"], &[0, 0, 0, 0, 1, 1, 1, 1]);
    b.margins = Some(vec![0.9, 0.8, 0.7, 0.25, 0.6, 0.5, 0.4, f32::NAN]);
    let (found, moves) = compared(&people, &a, &b);
    assert_eq!(found.cross_table.customers, [[3, 0], [1, 1], [0, 3]]);
    assert_eq!(
        found.cross_table.units,
        [[22_505_000, 0], [8_000_000, 302_500], [0, 450_000]]
    );
    assert_eq!(
        found.cross_table.revenue,
        [[2250.5, 0.0], [800.0, 30.25], [0.0, 45.0]]
    );
    // Champions are Good and Lost are Poor; At Risk is left over and goes where most are, to the first of two alike.
    assert_eq!(found.moved.matched_by, Pairing::Overlap);
    let matched: Vec<(&str, &str)> = found
        .moved
        .matched
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_deref().unwrap()))
        .collect();
    assert_eq!(
        matched,
        [("Champions", "Good"), ("At Risk", "Good"), ("Lost", "Poor")]
    );
    assert_eq!((moves.rows, moves.a, moves.b), (vec![4], vec![1], vec![1]));
    assert_eq!(moves.margins, [0.6]);
    assert_eq!(
        (
            found.moved.customers,
            found.moved.share,
            found.moved.revenue
        ),
        (1, 0.125, 30.25)
    );
    assert_snapshot!(found.moved.flows[0].words, @"1 customer that rules calls At Risk is, by data, Poor: last order 210 days ago (all of At Risk: 205), 0.07 times the spend");
    let plan = serde_json::to_value(&found.plan).unwrap();
    assert_eq!(
        plan,
        json!([
            {"segment": "Good", "was": ["Champions", "At Risk"],
             "customers": {"before": 5, "leave": 1, "enter": 0, "after": 4, "net": -1},
             "revenue": {"before": 3080.75, "leave": 30.25, "enter": 0.0, "after": 3050.5, "net": -30.25}},
            {"segment": "Poor", "was": ["Lost"],
             "customers": {"before": 3, "leave": 0, "enter": 1, "after": 4, "net": 1},
             "revenue": {"before": 45.0, "leave": 0.0, "enter": 30.25, "after": 75.25, "net": 30.25}}
        ])
    );
    let value = &found.value.b;
    assert_eq!(
        (value.top_tier.as_str(), value.figures.top_share),
        ("Good", 0.5)
    );
    close(
        value.figures.top_capture.unwrap(),
        3050.5 / 3125.75,
        1e-12,
        "capture of the top tier",
    );
    close(
        value.figures.gini.unwrap(),
        3050.5 / 3125.75 - 0.5,
        1e-12,
        "gini of two halves",
    );
    close(value.figures.balance.unwrap(), 1.0, 1e-12, "two halves");
    assert_eq!(value.lorenz.as_ref().unwrap()[1], [0.5, 75.25 / 3125.75]);
    let recency: Vec<f64> = EIGHT.iter().map(|row| row.0).collect();
    assert_eq!(
        value.figures.eta2["recency_days"].as_f64(),
        eta_squared(&b.labels, &recency)
    );
}

#[test]
fn the_feature_that_decides_is_the_one_that_differs_most() {
    // Customer 4 spends like the poor and buys as late as them; what sets the two tiers apart is the amount.
    let people = customers(&[
        (10.0, 5, 1000.0),
        (11.0, 5, 1100.0),
        (10.0, 5, 1.0),
        (11.0, 5, 1.1),
        (10.0, 5, 1.05),
        (300.0, 5, 1.0),
    ]);
    let a = tiering("a", &["x", "y"], &[0, 0, 1, 1, 0, 1]);
    let b = tiering("b", &["x", "y"], &[0, 0, 1, 1, 1, 1]);
    let (found, moves) = compared(&people, &a, &b);
    assert_eq!(
        (moves.rows, moves.decides),
        (vec![4], vec![Feature::Monetary])
    );
    assert_eq!(found.moved.flows[0].decides, Feature::Monetary);
}

#[test]
fn tiers_are_matched_by_name_then_by_rank_then_by_overlap() {
    let mut table = CrossTable::of_counts(vec![vec![1, 9], vec![9, 1]]);
    let counterparts = |table: &CrossTable, ranked| {
        let matching = Matching::new(table, ranked);
        (matching.by, matching.counterparts)
    };
    table.rows = vec!["gold".into(), "iron".into()];
    table.columns = vec!["top".into(), "rest".into()];
    assert_eq!(
        counterparts(&table, (true, true)),
        (Pairing::Ranks, vec![Some(0), Some(1)])
    );
    assert_eq!(
        counterparts(&table, (true, false)),
        (Pairing::Overlap, vec![Some(1), Some(0)])
    );
    table.columns = vec!["iron".into(), "gold".into()];
    assert_eq!(
        counterparts(&table, (true, true)),
        (Pairing::Names, vec![Some(1), Some(0)])
    );
    // What is left over is no pair: one customer of the third tier lies in the first of B, and most of both are elsewhere.
    let mut table = CrossTable::of_counts(vec![vec![6, 90, 0], vec![0, 1, 70], vec![1, 40, 0]]);
    table.rows = ["a", "b", "c"].map(str::to_owned).to_vec();
    let expected = vec![Some(1), Some(2), Some(1)];
    assert_eq!(
        counterparts(&table, (false, true)),
        (Pairing::Overlap, expected)
    );
    // Four tiers for two: the two best fits are taken, the third goes where most are, the empty one nowhere.
    let mut table = CrossTable::of_counts(vec![vec![8, 0], vec![7, 2], vec![1, 5], vec![0, 0]]);
    table.rows = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let expected = vec![Some(0), Some(0), Some(1), None];
    assert_eq!(
        counterparts(&table, (true, true)),
        (Pairing::Overlap, expected)
    );
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let people = customers(&EIGHT);
    let columns = features::fit(&people, &config(COLUMNS_OF_TABLE).features)
        .unwrap()
        .columns;
    let space = Space::new(&people, &columns).unwrap();
    let good = tiering("good", &["x"], &[0; 8]);
    let refused = |bad: &Tiering| compare(&space, &good, bad, 42).unwrap_err().to_string();
    assert_snapshot!(refused(&tiering("short", &["x"], &[0; 7])), @"`short` has 7 labels, expected 8");
    assert_snapshot!(refused(&tiering("wild", &["x"], &[0, 0, 0, 0, 0, 0, 0, 2])), @"`wild` has 3 labels, expected 1");
}

/// Recency, orders and amount of each customer, and their labels on both sides.
type LabelledTable = (Vec<(f64, i64, f64)>, Vec<u32>, Vec<u32>);

/// Customers with labels of 4 and of 3 tiers; some tiers may stay empty.
fn labelled() -> impl Strategy<Value = LabelledTable> {
    prop::collection::vec(
        ((0_u32..400, 1_i64..20, 0_u32..5_000), 0_u32..4, 0_u32..3),
        6..60,
    )
    .prop_map(|rows| {
        let people = rows.iter().enumerate();
        (
            people
                .map(|(i, row)| {
                    (
                        f64::from(row.0.0),
                        row.0.1,
                        f64::from(row.0.2) / 4.0 + i as f64,
                    )
                })
                .collect(),
            rows.iter().map(|row| row.1).collect(),
            rows.iter().map(|row| row.2).collect(),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_customer_and_every_cent_is_told_once((table, a, b) in labelled()) {
        let people = customers(&table);
        let a = tiering("a", &["p", "q", "r", "s"], &a);
        let b = tiering("b", &["x", "y", "z"], &b);
        let (found, moves) = compared(&people, &a, &b);
        let cross = &found.cross_table;
        prop_assert_eq!(cross.margins(), (a.sizes(), b.sizes()));
        let all: i128 = people.revenue.iter().map(|&units| i128::from(units)).sum();
        prop_assert_eq!(cross.units.concat().iter().sum::<i128>(), all);
        prop_assert_eq!(found.moved.customers, found.moved.flows.iter().map(|flow| flow.customers).sum::<u64>());
        prop_assert_eq!(found.moved.customers, moves.rows.len() as u64);
        for segment in &found.plan {
            let change = segment.customers;
            prop_assert_eq!(change.before - change.leave + change.enter, change.after);
            prop_assert_eq!(change.after - change.before, change.net);
            let change = segment.revenue;
            prop_assert!((change.before - change.leave + change.enter - change.after).abs() < 1e-6);
        }
        prop_assert_eq!(found.plan.iter().map(|segment| segment.customers.before).sum::<i64>(), table.len() as i64);
        prop_assert_eq!(found.plan.iter().map(|segment| segment.customers.after).sum::<i64>(), table.len() as i64);
        prop_assert_eq!(found.plan.iter().map(|segment| segment.customers.enter).sum::<i64>(), found.moved.customers as i64);
        let most = found.gini_of_customers.unwrap() + 1e-9;
        prop_assert!(found.value.a.figures.gini.unwrap() <= most && found.value.random.figures.gini.unwrap() <= most);
        prop_assert!((0.0..=1.0).contains(&found.value.a.figures.top_share));
    }

    #[test]
    fn nobody_moves_from_a_tiering_to_itself((table, a, _) in labelled()) {
        let people = customers(&table);
        let a = tiering("a", &["p", "q", "r", "s"], &a);
        let renamed = Tiering { names: ["1", "2", "3", "4"].map(str::to_owned).to_vec(), ..a.clone() };
        for b in [&a, &renamed] {
            let (found, moves) = compared(&people, &a, b);
            prop_assert_eq!((found.moved.customers, moves.rows.len()), (0, 0));
            prop_assert_eq!(found.agreement.adjusted_rand, 1.0);
            prop_assert_eq!(&found.value.a.figures.eta2, &found.value.b.figures.eta2);
            prop_assert!(found.plan.iter().all(|segment| segment.customers.net == 0));
        }
    }
}

#[test]
fn random_tiers_are_worth_nothing_and_the_seed_decides_them() {
    let table: Vec<(f64, i64, f64)> = (0..2_000)
        .map(|i: i64| ((i * 7 % 365) as f64, i % 9 + 1, (i * 31 % 1_009) as f64))
        .collect();
    let people = customers(&table);
    let labels: Vec<u32> = people
        .monetary
        .iter()
        .map(|amount| u32::from(*amount < 800.0) + u32::from(*amount < 300.0))
        .collect();
    let by_amount = tiering("by amount", &["high", "mid", "low"], &labels);
    let columns = features::fit(&people, &config(COLUMNS_OF_TABLE).features)
        .unwrap()
        .columns;
    let space = Space::new(&people, &columns).unwrap();
    let of_seed = |seed| {
        compare(&space, &by_amount, &by_amount, seed)
            .unwrap()
            .0
            .value
    };
    let (value, floor) = (of_seed(1).a, of_seed(1).random);
    assert!(
        0.25 < value.figures.gini.unwrap() && floor.figures.gini.unwrap() < 0.05,
        "{floor:?}"
    );
    assert!(
        (floor.figures.top_capture.unwrap() - value.figures.top_share).abs() < 0.02,
        "{floor:?}"
    );
    assert!(
        (floor.figures.capture_20.unwrap() - 0.2).abs() < 0.02,
        "{floor:?}"
    );
    assert!(
        floor.figures.eta2["monetary"].as_f64().unwrap() < 0.01
            && 0.7 < value.figures.eta2["monetary"].as_f64().unwrap()
    );
    assert!(floor.figures.silhouette.unwrap() < 0.0 && 0.0 < value.figures.silhouette.unwrap());
    close(
        floor.figures.top_share,
        value.figures.top_share,
        1e-12,
        "share of the top tier",
    );
    close(
        floor.figures.balance.unwrap(),
        value.figures.balance.unwrap(),
        1e-12,
        "balance",
    );
    assert_eq!(floor.draws, 5);
    assert_eq!(of_seed(1), of_seed(1));
    assert_ne!(of_seed(1).random, of_seed(2).random);
    assert_eq!(threads(1, || of_seed(7)), threads(4, || of_seed(7)));
}

// From files.

/// A table as a run would publish it, with the tiers of [`EIGHT`] by amount.
fn assignments() -> DataFrame {
    let mut frame = customers_table(&EIGHT);
    frame
        .insert_column(1, Column::new("as_of".into(), ["2024-01-31"; 8]))
        .unwrap();
    let mut frame = with_type(frame, "as_of", &DataType::Date);
    let tiers = [1, 1, 2, 1, 2, 3, 3, 3];
    let names = ["Best", "Middle", "Last"];
    frame
        .with_column(Column::new("tier".into(), tiers))
        .unwrap();
    frame
        .with_column(Column::new(
            "tier_name".into(),
            tiers.map(|tier| names[tier as usize - 1]),
        ))
        .unwrap();
    frame
        .with_column(Column::new(
            "margin".into(),
            [0.9_f32, 0.8, 0.1, 0.7, 0.6, 0.5, 0.4, 0.3],
        ))
        .unwrap();
    frame
}

/// The labels of six of the eight customers, and of one that nobody else knows.
fn grades() -> DataFrame {
    df!(
        "id" => ["c0006", "c0000", "c0001", "c0002", "c0003", "c0004", "x"],
        "grade" => ["c", "a", "a", "a", "b", "b", "b"],
    )
    .unwrap()
}

fn with_tables() -> Workdir {
    let work = Workdir::new();
    work.parquet("assignments.parquet", assignments());
    work.parquet("grades.parquet", grades());
    work
}

#[test]
fn customers_of_one_side_only_are_counted_and_told() {
    let work = with_tables();
    let ran = work
        .tiermill("compare grades.parquet assignments.parquet --format json")
        .success();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        found["coverage"],
        json!({"customers_a": 7, "customers_b": 8, "only_a": 1, "only_b": 2, "without_orders": 0})
    );
    assert_eq!(found["customers"], 6);
    assert_eq!(found["cross_table"]["rows"], json!(["a", "b", "c"]));
    assert_eq!(
        found["cross_table"]["columns"],
        json!(["Best", "Middle", "Last"])
    );
    assert_eq!(
        found["cross_table"]["customers"],
        json!([[2, 1, 0], [1, 1, 0], [0, 0, 1]])
    );
    assert_eq!(
        found["cross_table"]["revenue"],
        json!([[1600.5, 650.0, 0.0], [800.0, 30.25, 0.0], [0.0, 0.0, 10.0]])
    );
    assert_snapshot!(ran.problem(), @"
    exit 0
    warning: customers only in grades.parquet: 1, only in assignments.parquet: 2; they are not compared [only_in_one]
    ");
}

#[test]
fn a_comparison_as_people_read_it() {
    let work = with_tables();
    let ran = work
        .tiermill("compare grades.parquet assignments.parquet --plan --quiet")
        .success();
    assert_snapshot!(ran.answer(), @"
    6 customers in both, as of 2024-01-31
    A = grades.parquet: 7 customers, 1 of them only here
    B = assignments.parquet: 8 customers, 2 of them only here

    Tiers
     A   Tier  Customers   Share   Revenue   Share  Per customer
     A1  a             3  50.0 %  2,250.50  72.8 %        750.17
     A2  b             2  33.3 %    830.25  26.9 %        415.12
     A3  c             1  16.7 %        10   0.3 %            10

     B   Tier    Customers   Share   Revenue   Share  Per customer
     B1  Best            3  50.0 %  2,400.50  77.7 %        800.17
     B2  Middle          2  33.3 %    680.25  22.0 %        340.12
     B3  Last            1  16.7 %        10   0.3 %            10

    Customers by tier of A (rows) and of B
           B1  B2  B3
     A1 a   2   1   ·
     A2 b   1   1   ·
     A3 c   ·   ·   1

    Agreement (1 the same, 0 as by chance)
    Adjusted Rand -0.023, adjusted mutual information -0.015
    V-measure 0.457 (homogeneity 0.457, completeness 0.457), variation of information 1.099 nats
    66.7 % of the customers are in the most frequent tier of A of their tier in B, 66.7 % the other way round

    Value
                                   A       B         Random A         Random B
     Gini of revenue           0.272   0.312    0.141 ± 0.114    0.145 ± 0.109
     Top tier: revenue        72.8 %  77.7 %  54.2 % ± 13.4 %  55.4 % ± 11.7 %
     Top tier: customers      50.0 %  50.0 %   50.0 % ± 0.0 %   50.0 % ± 0.0 %
     Best 20 %: revenue       29.1 %  31.1 %   27.6 % ± 2.3 %   27.2 % ± 2.5 %
     η² recency_days           0.999   0.468    0.376 ± 0.254    0.387 ± 0.245
     η² frequency              0.660   0.776    0.286 ± 0.389    0.272 ± 0.383
     η² monetary               0.571   0.725    0.261 ± 0.400    0.261 ± 0.393
     η² recency_days, scaled   0.979   0.312    0.400 ± 0.186    0.408 ± 0.176
     η² frequency, scaled      0.733   0.793    0.294 ± 0.375    0.278 ± 0.379
     η² monetary, scaled       0.719   0.755    0.291 ± 0.380    0.279 ± 0.386
     Silhouette                0.265  -0.098   -0.301 ± 0.191   -0.313 ± 0.187
     Balance of sizes          0.921   0.921    0.921 ± 0.000    0.921 ± 0.000
    Random: customers dealt at random into tiers of the sizes of A, of B: mean ± deviation between deals.
    Gini 0: all tiers spend alike.
    No tiering can exceed a Gini of 0.367, that of single customers.

    2 customers (33.3 %) with a revenue of 1,450 change places; tiers are matched so that most customers stay
    - 1 customer that A calls a is, by B, Middle: last order 9 days ago (all of a: 5), 0.87 times the spend
    - 1 customer that A calls b is, by B, Best: last order 200 days ago (all of b: 205), twice the spend

    Plan: if assignments.parquet takes the place of grades.parquet
    Customers
     Segment of B  Takes the place of  Before  Leave  Enter  After  Net
     Best          a                        3      1      1      3    0
     Middle        b                        2      1      1      2    0
     Last          c                        1      0      0      1    0

    Revenue
     Segment of B    Before  Leaves  Enters     After   Net
     Best          2,250.50     650     800  2,400.50  +150
     Middle          830.25     800     650    680.25  -150
     Last                10       0       0        10     0
    ");
    let widest = ran
        .stdout
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap();
    assert!(widest <= 120, "{widest} columns");
}

#[test]
fn files_are_written_where_a_folder_is_named_and_only_there() {
    let work = with_tables();
    let ran = work
        .tiermill("compare grades.parquet assignments.parquet --out told --format json --quiet")
        .success();
    let document = std::fs::read_to_string(work.join("told/comparison.json")).unwrap();
    assert_eq!(document, ran.stdout);
    let moved = read(&work.join("told/moved.parquet"));
    let texts = |column: &str| -> Vec<String> {
        let column = moved.column(column).unwrap().str().unwrap();
        column.iter().map(|text| text.unwrap().to_owned()).collect()
    };
    assert_eq!(texts("id"), ["c0002", "c0003"]);
    assert_eq!(texts("tier_a"), ["a", "b"]);
    assert_eq!(texts("tier_b"), ["Middle", "Best"]);
    let numbers = |column: &str| -> Vec<f64> {
        let column = moved
            .column(column)
            .unwrap()
            .cast(&DataType::Float64)
            .unwrap();
        column.f64().unwrap().into_no_null_iter().collect()
    };
    assert_eq!(numbers("margin"), [f64::from(0.1_f32), f64::from(0.7_f32)]);
    assert_eq!(numbers("revenue"), [650.0, 800.0]);
    let known = ["recency_days", "frequency", "monetary"];
    assert!(
        texts("decides")
            .iter()
            .all(|feature| known.contains(&feature.as_str()))
    );
    assert_eq!(moved.width(), 6);
    // Again, over what is there; and a name in the folder that is none of ours stays.
    work.write("told/notes.txt", "mine");
    work.tiermill("compare grades.parquet assignments.parquet --out told --quiet")
        .success();
    let mut names: Vec<String> = std::fs::read_dir(work.join("told"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["comparison.json", "moved.parquet", "notes.txt"]);
    assert!(!work.join("out").exists());
}

#[test]
fn a_label_of_either_side_can_be_named() {
    let work = with_tables();
    let mut more = grades();
    more.with_column(Column::new(
        "region".into(),
        ["n", "s", "n", "s", "n", "s", "n"],
    ))
    .unwrap();
    work.parquet("more.parquet", more);
    let of = |arguments: &str| -> Value {
        let ran = work
            .tiermill(&format!("compare {arguments} --format json --quiet"))
            .success();
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let found = of("more.parquet assignments.parquet --label region --label tier_name");
    assert_eq!(found["cross_table"]["rows"], json!(["n", "s"]));
    assert_eq!(
        found["cross_table"]["columns"],
        json!(["Best", "Last", "Middle"])
    );
    let found = of("assignments.parquet assignments.parquet --label tier --label tier_name");
    assert_eq!(
        (&found["a"], &found["b"]),
        (
            &json!("assignments.parquet tier"),
            &json!("assignments.parquet tier_name")
        )
    );
    assert_eq!(
        (
            found["adjusted_rand"].as_f64(),
            found["moved"]["matched_by"].as_str()
        ),
        (Some(1.0), Some("names"))
    );
}

#[test]
fn customers_without_a_label_are_a_group_of_their_own() {
    let work = with_tables();
    let labels = [
        Some("a"),
        None,
        Some("b"),
        None,
        Some("a"),
        Some("b"),
        Some("a"),
        Some("b"),
    ];
    let ids: Vec<String> = (0..8).map(|row| format!("c{row:04}")).collect();
    work.parquet(
        "holes.parquet",
        df!("id" => ids, "segment" => labels.as_slice()).unwrap(),
    );
    let ran = work
        .tiermill("compare holes.parquet assignments.parquet --format json")
        .success();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["cross_table"]["rows"], json!(["a", "b", "(none)"]));
    assert_eq!(found["customers"], 8);
    assert_snapshot!(ran.problem(), @"
    exit 0
    warning: customers of `holes.parquet` without `segment`: 2; they are the group (none) [customers_without_label]
    ");
}

#[test]
fn numbers_of_any_width_are_compared_and_the_order_of_rows_does_not_matter() {
    let work = Workdir::new();
    let mut run = assignments();
    run.replace(
        "id",
        Column::new("id".into(), [-5_i64, 3, 10, 40, 70, 200, 1_000, 70_000]),
    )
    .unwrap();
    work.parquet("run.parquet", run);
    let labels = |ids: Vec<i64>, labels: Vec<&str>, dtype: &DataType| {
        let ids = Column::new("id".into(), ids).cast(dtype).unwrap();
        DataFrame::new(8, vec![ids, Column::new("grade".into(), labels)]).unwrap()
    };
    let ids = vec![-5, 3, 10, 40, 70, 200, 1_000, 70_000];
    work.parquet(
        "sorted.parquet",
        labels(
            ids,
            vec!["a", "a", "b", "b", "a", "c", "c", "c"],
            &DataType::Int64,
        ),
    );
    let shuffled = vec![70_000, 10, -5, 1_000, 3, 200, 40, 70];
    work.parquet(
        "shuffled.parquet",
        labels(
            shuffled,
            vec!["c", "b", "a", "c", "a", "c", "b", "a"],
            &DataType::Int32,
        ),
    );
    let told = |file: &str, threads: usize| {
        let arguments =
            format!("compare {file} run.parquet --format json --quiet --threads {threads}");
        work.tiermill(&arguments)
            .success()
            .stdout
            .replace(file, "FILE")
    };
    let one = told("sorted.parquet", 1);
    assert_eq!(one, told("shuffled.parquet", 1));
    assert_eq!(one, told("sorted.parquet", 3));
    assert!(one.contains("\"customers\": 8"), "{one}");
}

#[test]
fn ids_of_an_enum_are_compared_as_texts() {
    let work = with_tables();
    let listed: Vec<String> = (0..8).rev().map(|id| format!("c{id:04}")).collect();
    let listed = FrozenCategories::new(listed.iter().map(String::as_str)).unwrap();
    for dtype in [
        DataType::from_frozen_categories(listed),
        DataType::from_categories(Categories::global()),
    ] {
        work.parquet(
            "other/assignments.parquet",
            with_type(assignments(), "id", &dtype),
        );
        let told = |b: &str| {
            let ran = work
                .tiermill(&format!("compare grades.parquet {b} --format json"))
                .success();
            ran.stdout.replace("other/", "")
        };
        assert_eq!(
            told("other/assignments.parquet"),
            told("assignments.parquet"),
            "{dtype}"
        );
    }
}

#[test]
fn amounts_of_a_run_with_mean_monetary_are_multiplied_back() {
    let work = Workdir::new();
    work.parquet("run/assignments.parquet", assignments());
    work.write(
        "run/manifest.json",
        r#"{"config": {"rfm": {"monetary": "mean"}}}"#,
    );
    let ran = work
        .tiermill("compare run run --format json --quiet")
        .success();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected: f64 = EIGHT.iter().map(|row| row.1 as f64 * row.2).sum();
    assert_eq!(found["revenue"].as_f64(), Some(expected));
    assert_eq!(found["a"], "run");
}

#[test]
fn a_word_that_is_a_name_and_a_folder_means_the_name_and_says_so() {
    let work = with_tables();
    let plain = work
        .tiermill("compare eight assignments.parquet --format json --quiet")
        .success();
    work.parquet("eight/part.parquet", grades());
    let named = work
        .tiermill("compare eight assignments.parquet --format json --quiet")
        .success();
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(document(&plain.stdout)["a"], "eight");
    assert_eq!(
        document(&named.stdout)["cross_table"],
        document(&plain.stdout)["cross_table"]
    );
    assert!(
        named.stderr.contains("`eight` is the built-in map; for the file or folder of that name write `./eight` [name_and_path]"),
        "{}",
        named.stderr
    );
    assert!(!plain.stderr.contains("name_and_path"), "{}", plain.stderr);
    let folder = work
        .tiermill("compare ./eight assignments.parquet --format json --quiet")
        .success();
    assert_eq!(document(&folder.stdout)["a"], "./eight");
    assert_ne!(
        document(&folder.stdout)["cross_table"],
        document(&plain.stdout)["cross_table"]
    );
    // A name with a dot in it is no file.
    let dotted = work
        .tiermill("compare rfm-r-0.3 assignments.parquet --format json --quiet")
        .success();
    assert_eq!(document(&dotted.stdout)["a"], "rfm-r-0.3");
}

#[test]
fn names_do_not_reach_the_terminal_raw_and_do_not_widen_tables() {
    let work = with_tables();
    let long = "x".repeat(300);
    let evil = "\u{1b}[31mred\u{7}\nline \u{202e}sdrawkcab";
    let labels: Vec<&str> = (0..4)
        .map(|row| if row < 2 { evil } else { &long })
        .collect();
    let ids: Vec<String> = column_of(&assignments(), "id");
    let ids: Vec<&String> = ids.iter().take(4).collect();
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    work.parquet("evil.parquet", df!("id" => ids, "grade" => labels).unwrap());
    let ran = work
        .tiermill("compare evil.parquet assignments.parquet --plan --quiet")
        .success();
    let text = format!("{}{}", ran.stdout, ran.stderr);
    // Colours of our own are left out where nobody looks.
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.contains("\\u{1b}[31mred\\u{7}\\nline"), "{text}");
    let tables = ran
        .stdout
        .lines()
        .filter(|line| !line.starts_with("- ") && !line.starts_with("  "));
    let widest = tables.map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 160, "{widest}\n{}", ran.stdout);
    let json = work
        .tiermill("compare evil.parquet assignments.parquet --format json --quiet")
        .success();
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    let rows = document["cross_table"]["rows"].as_array().unwrap();
    assert!(rows.contains(&Value::from(evil)) && rows.contains(&Value::from(long)));
}

fn column_of(frame: &DataFrame, name: &str) -> Vec<String> {
    let column = frame.column(name).unwrap().str().unwrap();
    column.iter().flatten().map(str::to_owned).collect()
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let work = with_tables();
    let numbers = df!("id" => [1_i64, 2], "grade" => ["a", "b"]).unwrap();
    work.parquet("numbers.parquet", numbers);
    work.parquet(
        "others.parquet",
        df!("id" => ["y", "z"], "grade" => ["a", "b"]).unwrap(),
    );
    work.parquet(
        "twice.parquet",
        df!("id" => ["y", "z", "z"], "grade" => ["a", "b", "c"]).unwrap(),
    );
    work.parquet(
        "wide.parquet",
        df!("id" => ["y"], "one" => ["a"], "two" => ["b"]).unwrap(),
    );
    work.parquet(
        "floats.parquet",
        df!("id" => ["y"], "share" => [0.5]).unwrap(),
    );
    work.parquet(
        "nobody.parquet",
        df!("who_knows" => ["y"], "one" => ["a"], "two" => ["b"]).unwrap(),
    );
    let many: Vec<String> = (0..1_001).map(|row| row.to_string()).collect();
    work.parquet(
        "many.parquet",
        df!("id" => &many, "grade" => &many).unwrap(),
    );
    work.write("model.json", "{}");
    work.write(
        "own.toml",
        "[rules]\nmap = 'eight'\n[rfm]\nrecency = 'floor'",
    );
    work.write("fitted/model.json", "{}");
    work.write("published/manifest.json", "{}");
    work.write("file", "");
    let told = |arguments: &str| work.tiermill(&format!("compare {arguments}")).problem();
    assert_snapshot!(told("numbers.parquet assignments.parquet"), @"
    exit 1
    error: customer ids are i64 in `numbers.parquet` and str in `assignments.parquet`

    hint: write both with one type: `007` and 7 may be two customers, so texts and numbers are not compared
    ");
    assert_snapshot!(told("others.parquet assignments.parquet"), @"
    exit 1
    error: `others.parquet` and `assignments.parquet` have no customer in common

    hint: are both of the same shop? Customers are compared as they are written, capitals and blanks included
    ");
    assert_snapshot!(told("twice.parquet assignments.parquet"), @"
    exit 1
    error: customer `z` has 2 rows in `twice.parquet`, expected one with its tier

    hint: a table of tiers has one row for each customer; drop the copies where it is written
    ");
    assert_snapshot!(told("wide.parquet assignments.parquet"), @"
    exit 2
    error: `label` is not set

    hint: name the column with the tiers: `--label COLUMN`; columns found: id, one, two
    ");
    assert_snapshot!(told("floats.parquet assignments.parquet"), @"
    exit 1
    error: column `share` of `floats.parquet` is f64, expected labels: a text or a whole number

    hint: name another column with `--label`
    ");
    assert_snapshot!(told("many.parquet assignments.parquet"), @"
    exit 1
    error: column `grade` of `many.parquet` has more than 1000 different values, expected the names of tiers

    hint: name the column with the tiers: `--label COLUMN`
    ");
    assert_snapshot!(told("nobody.parquet assignments.parquet --label one"), @"
    exit 2
    error: `customer` is not set

    hint: name the column with the customers: `--customer COLUMN`; columns found: who_knows, one, two
    ");
    assert_snapshot!(told("grades.parquet assignments.parquet --label grad"), @"
    exit 1
    error: `grades.parquet` has no column `grad`

    hint: columns found: `id`, `grade`
    ");
    assert_snapshot!(told("grades.parquet assignments.parquet --label a --label b --label c"), @"
    exit 2
    error: `label` is 3 columns, expected one for both sides, or one for each
    ");
    assert_snapshot!(told("quux assignments.parquet"), @"
    exit 2
    error: `quux` is no tiering: no file, folder or map has that name

    hint: give a run (`out/current`), a Parquet file with a customer and a label, `clusters`, a rule file, or a map: eight, eight-b, grid-10, enumerated-11, rfm-r-0.2, rfm-r-0.3, pymc, putler-11, bands-27
    ");
    assert_snapshot!(told("eightt assignments.parquet"), @"
    exit 2
    error: `eightt` is no tiering: no file, folder or map has that name

    hint: did you mean `eight`? Otherwise give a run (`out/current`), a Parquet file with a customer and a label, `clusters`, a rule file, or a map: eight, eight-b, grid-10, enumerated-11, rfm-r-0.2, rfm-r-0.3, pymc, putler-11, bands-27
    ");
    assert_snapshot!(told("own.toml assignments.parquet"), @"
    exit 2
    error: `own.toml` is a config (it has `rfm`), expected a rule file

    hint: its own rules are called `rules`: `tiermill compare rules clusters --config own.toml`
    ");
    assert_snapshot!(told("gone.toml assignments.parquet"), @"
    exit 2
    error: cannot read the rule file `gone.toml`
      Caused by: entity not found

    hint: `tiermill maps` lists the built-in maps; `tiermill maps NAME --toml` prints one to begin a rule file with
    ");
    assert_snapshot!(told("rules assignments.parquet"), @"
    exit 2
    error: `rules` is not set

    hint: name them: `--rules eight`, or a table [rules] in tiermill.toml
    ");
    assert_snapshot!(told("gardes.parquet assignments.parquet"), @"
    exit 1
    error: no such file or folder: `gardes.parquet`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    ");
    assert_snapshot!(told("model.json assignments.parquet"), @"
    exit 2
    error: `model.json` is no tiering: it is a JSON document

    hint: give the folder of the run, or its assignments.parquet
    ");
    assert_snapshot!(told("fitted assignments.parquet"), @"
    exit 2
    error: `fitted` is no tiering: it is a run without assignments

    hint: `tiermill assign --model` makes one with them
    ");
    assert_snapshot!(told("grades.parquet grades.parquet"), @"
    exit 2
    error: `input` is not set

    hint: neither side brings recency, frequency and amounts along: give the orders with `--input PATH`
    ");
    assert_snapshot!(told("clusters assignments.parquet"), @"
    exit 2
    error: `input` is not set

    hint: `clusters` are fitted on orders: give them with `--input PATH`
    ");
    assert_snapshot!(told("grades.parquet assignments.parquet --out published"), @"
    exit 1
    error: `published/manifest.json` exists already

    hint: a published run is never changed; give `--out` another folder
    ");
    assert_snapshot!(told("grades.parquet assignments.parquet --out file"), @"
    exit 1
    error: `file` is a file, expected a folder

    hint: give `--out` a folder
    ");
    assert_snapshot!(told("grades.parquet assignments.parquet --input nowhere --customer id --time t"), @"
    exit 1
    error: no such file or folder: `nowhere`

    hint: a path on the command line is taken from the current folder, a path in a config file from the folder of that file
    ");
}

#[test]
fn cdnow_in_three_and_in_five_tiers() {
    let work = Workdir::new();
    let data = repository().join("data/cdnow.parquet");
    let flags = format!(
        "--input {} --customer customer_id --time date --amount amount --count days --as-of 1998-07-01 --quiet",
        data.display()
    );
    work.tiermill(&format!("run {flags} --k 3 --out out3"))
        .success();
    let told = work
        .tiermill(&format!("run {flags} --k 5 --out out5 --rules eight"))
        .success();
    for file in ["comparison.json", "moved.parquet"] {
        assert!(!work.join("out3/current").join(file).exists());
        assert!(work.join("out5/current").join(file).exists());
        assert!(told.stdout.contains(file), "{}", told.stdout);
    }
    assert!(
        told.stdout.contains("Rules eight (A) against clusters (B)"),
        "{}",
        told.stdout
    );
    // What the run says of its rules is what its two columns say.
    let in_run = std::fs::read(work.join("out5/current/comparison.json")).unwrap();
    let in_run: Value = serde_json::from_slice(&in_run).unwrap();
    let columns = work
        .tiermill("compare out5 out5 --label segment --label tier --format json --quiet")
        .success();
    let columns: Value = serde_json::from_str(&columns.stdout).unwrap();
    assert_eq!(
        (&in_run["a"], &in_run["b"]),
        (&json!("eight"), &json!("clusters"))
    );
    for figure in [
        "adjusted_rand",
        "adjusted_mutual_info",
        "v_measure",
        "purity_a_by_b",
    ] {
        close(
            in_run[figure].as_f64().unwrap(),
            columns[figure].as_f64().unwrap(),
            1e-12,
            figure,
        );
    }
    for figure in ["customers", "share", "revenue", "matched_by"] {
        assert_eq!(
            in_run["moved"][figure], columns["moved"][figure],
            "{figure}"
        );
    }
    assert_eq!(
        in_run["value"]["b"]["tiers"],
        columns["value"]["b"]["tiers"]
    );
    let moved = read(&work.join("out5/current/moved.parquet"));
    assert_eq!(
        moved.height() as u64,
        in_run["moved"]["customers"].as_u64().unwrap()
    );
    let ran = work
        .tiermill("compare out3 out5/current --out told --format json --quiet")
        .success();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let tiers = [3, 5].map(|k| read(&work.join(&format!("out{k}/current/assignments.parquet"))));
    let ranks = tiers.each_ref().map(|frame| {
        frame
            .column("tier")
            .unwrap()
            .i32()
            .unwrap()
            .into_no_null_iter()
            .collect::<Vec<_>>()
    });
    let amounts: Vec<f64> = tiers[0]
        .column("monetary")
        .unwrap()
        .f64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    let mut customers = vec![vec![0_u64; 5]; 3];
    let mut cents = vec![vec![0_i64; 5]; 3];
    for ((a, b), amount) in ranks[0].iter().zip(&ranks[1]).zip(&amounts) {
        customers[*a as usize - 1][*b as usize - 1] += 1;
        cents[*a as usize - 1][*b as usize - 1] += (amount * 100.0).round() as i64;
    }
    assert_eq!(counts(&found["cross_table"]["customers"]), customers);
    let revenue: Vec<Vec<f64>> = cents
        .iter()
        .map(|row| row.iter().map(|&cents| cents as f64 / 100.0).collect())
        .collect();
    assert_eq!(found["cross_table"]["revenue"], json!(revenue));
    assert_eq!(found["revenue"], 2_500_315.63);
    let expected = figures(&agreement(&CrossTable::of_counts(customers)));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name}");
    }
    // The silhouette in the space of the run is that of the run, as the k table of scikit-learn has it.
    let golden = golden("golden_cluster.json");
    for (side, k) in [("a", "k3"), ("b", "k5")] {
        let silhouette = golden["cdnow"]["clusters"][k]["silhouette"]
            .as_f64()
            .unwrap();
        close(
            found["value"][side]["silhouette"].as_f64().unwrap(),
            silhouette,
            0.01,
            side,
        );
    }
    let moved = read(&work.join("told/moved.parquet"));
    assert_eq!(
        moved.height() as u64,
        found["moved"]["customers"].as_u64().unwrap()
    );
    assert_eq!(moved.column("margin").unwrap().null_count(), 0);
    // Fitted on the spot, the same five tiers come out, and nobody moves.
    let again = work
        .tiermill(&format!(
            "compare out5 clusters {flags} --k 5 --format json"
        ))
        .success();
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&again["adjusted_rand"], &again["moved"]["customers"]),
        (&json!(1.0), &json!(0))
    );
}

#[test]
fn a_label_may_have_the_name_of_those_without_one() {
    let work = with_tables();
    let table =
        df!("customer" => ["ann", "bob", "cat"], "grade" => [Some("(none)"), None, Some("x")]);
    work.parquet("odd.parquet", table.unwrap());
    let orders = df!(
        "customer" => ["ann", "bob", "cat"],
        "date" => ["2024-01-01", "2024-01-02", "2024-01-03"],
        "amount" => [1.0, 2.0, 3.0]
    );
    work.parquet("orders.parquet", orders.unwrap());
    let flags = "--input orders.parquet --customer customer --time date --amount amount";
    let ran = work
        .tiermill(&format!(
            "compare odd.parquet odd.parquet {flags} --format json"
        ))
        .success();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["cross_table"]["rows"], json!(["(none)", "x"]));
    assert_eq!(found["cross_table"]["customers"], json!([[2, 0], [0, 1]]));
    assert_eq!(found["moved"]["customers"], 0);
}

#[test]
fn rules_are_held_against_a_run_as_of_that_run() {
    let work = Workdir::new();
    let data = repository().join("data/cdnow.parquet");
    let flags = format!(
        "--input {} --customer customer_id --time date --amount amount --count days --quiet",
        data.display()
    );
    work.tiermill(&format!(
        "run {flags} --k 3 --n-runs 1 --as-of 1998-01-01T12:50 --out out"
    ))
    .success();
    let compared = |more: &str| -> Value {
        let ran = work
            .tiermill(&format!("compare out grid-10 {flags} {more} --format json"))
            .success();
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let codes = |found: &Value| -> Vec<String> {
        let warnings = found["warnings"].as_array().unwrap().iter();
        warnings
            .map(|warning| warning["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let own = compared("");
    assert_eq!(own["as_of"], "1998-01-01T12:50:00");
    assert!(!codes(&own).contains(&"other_as_of".to_owned()));
    let later = compared("--as-of 1998-07-01");
    assert_eq!(later["as_of"], "1998-07-01T00:00:00");
    assert!(codes(&later).contains(&"other_as_of".to_owned()));
    let earlier = compared("--as-of 1998-01-01");
    assert!(earlier["warnings"].as_array().unwrap().contains(&json!({
        "code": "other_as_of",
        "message": "a run is as of 1998-01-01T12:50:00; recency and amounts are as of 1998-01-01"
    })));
}
