//! What must hold for any orders: random tables through the whole pipeline.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;
use proptest::prelude::*;
use tiermill::config::Config;
use tiermill::pipeline::{Report, assign, run};

use crate::support::{Workdir, config, read, with_type};

/// Customer, day since 1970, cents.
type Order = (u8, i32, i32);

/// 2024-01-01.
const START: i32 = 19_723;
/// As-of of all runs here: 2024-08-01, after every order.
const END: i32 = 19_936;

/// Orders of 4 to 12 customers. Each has one of their own, so that no two are alike; the rest is chance, with refunds.
fn orders() -> impl Strategy<Value = Vec<Order>> {
    let more = prop::collection::vec((0_u8..12, START..END - 40, -3_000_i32..20_000), 0..40);
    (4_u8..=12, more).prop_map(|(customers, more)| {
        let own = (0..customers).map(|customer| {
            (
                customer,
                START + i32::from(customer) * 9,
                700 * (i32::from(customer) + 1),
            )
        });
        own.chain(
            more.into_iter()
                .map(|(customer, day, cents)| (customer % customers, day, cents)),
        )
        .collect()
    })
}

fn table(orders: &[Order]) -> DataFrame {
    let frame = df!(
        "who" => orders.iter().map(|order| format!("c{:02}", order.0)).collect::<Vec<_>>(),
        "at" => orders.iter().map(|order| order.1).collect::<Vec<_>>(),
        "paid" => orders.iter().map(|order| f64::from(order.2) / 100.0).collect::<Vec<_>>(),
    );
    with_type(frame.unwrap(), "at", &DataType::Date)
}

/// A config for `orders.parquet` in this folder.
fn settings(work: &Workdir, lines: &str) -> Config {
    let folder = work.path().display();
    config(&format!(
        "input = '{folder}/orders.parquet'\nout = '{folder}/out'\ncustomer = 'who'\ntime = 'at'\namount = 'paid'\n\
         k-max = 3\nn-runs = 2\n{lines}"
    ))
}

/// A published run of these orders.
struct Ran {
    work: Workdir,
    report: Report,
}

impl Ran {
    fn new(orders: &[Order], lines: &str) -> Self {
        let work = Workdir::new();
        work.parquet("orders.parquet", table(orders));
        let config = settings(&work, &format!("as-of = 2024-08-01\n{lines}"));
        let report = run(&config, &mut |_| {}).unwrap();
        Self { work, report }
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.report.directory.join(name)).unwrap()
    }

    fn assignments(&self) -> DataFrame {
        read(&self.report.directory.join("assignments.parquet"))
    }

    fn model(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes("model.json")).unwrap()
    }
}

fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    frame
        .column(column)
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .map(|value| value.unwrap().to_owned())
        .collect()
}

fn numbers(frame: &DataFrame, column: &str) -> Vec<f64> {
    let cast = frame
        .column(column)
        .unwrap()
        .cast(&DataType::Float64)
        .unwrap();
    cast.f64().unwrap().into_no_null_iter().collect()
}

/// Exact R, F and M by customer, and cents, the long way round.
fn by_hand(orders: &[Order]) -> BTreeMap<String, (f64, f64, i64)> {
    let mut people: BTreeMap<String, (i32, f64, i64)> = BTreeMap::new();
    for (customer, day, cents) in orders {
        let own = people
            .entry(format!("c{customer:02}"))
            .or_insert((i32::MIN, 0.0, 0));
        if 0 <= *cents {
            own.0 = own.0.max(*day);
            own.1 += 1.0;
        }
        own.2 += i64::from(*cents);
    }
    people
        .into_iter()
        .map(|(customer, (last, orders, cents))| (customer, (f64::from(END - last), orders, cents)))
        .collect()
}

fn chance() -> ProptestConfig {
    ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(chance())]

    #[test]
    fn every_customer_is_assigned_once_with_their_own_numbers(orders in orders()) {
        let ran = Ran::new(&orders, "");
        let frame = ran.assignments();
        let customers = texts(&frame, "who");
        let expected = by_hand(&orders);
        prop_assert_eq!(&customers, &expected.keys().cloned().collect::<Vec<_>>());
        let columns = ["recency_days", "frequency", "monetary"].map(|column| numbers(&frame, column));
        for (row, (recency, frequency, cents)) in expected.values().enumerate() {
            prop_assert_eq!((columns[0][row], columns[1][row]), (*recency, *frequency));
            prop_assert_eq!(columns[2][row], *cents as f64 / 100.0);
        }
        let document = &ran.report.tiers;
        prop_assert_eq!(document.customers, customers.len() as u64);
        let ranks = numbers(&frame, "tier");
        for tier in &document.tiers {
            let members = ranks.iter().filter(|rank| **rank == f64::from(tier.rank)).count();
            prop_assert_eq!(tier.customers, members as u64);
        }
        prop_assert_eq!(document.tiers.iter().map(|tier| tier.customers).sum::<u64>(), document.customers);
        let rows = &ran.report.rows;
        prop_assert_eq!((rows.read, rows.used), (orders.len() as u64, orders.len() as u64));
    }

    #[test]
    fn money_adds_up_to_the_cent(orders in orders()) {
        let ran = Ran::new(&orders, "");
        let cents: BTreeMap<String, i64> = by_hand(&orders).into_iter().map(|(customer, own)| (customer, own.2)).collect();
        prop_assert_eq!(ran.report.tiers.revenue, cents.values().sum::<i64>() as f64 / 100.0);
        let frame = ran.assignments();
        let (customers, ranks) = (texts(&frame, "who"), numbers(&frame, "tier"));
        for tier in &ran.report.tiers.tiers {
            let own = customers.iter().zip(&ranks).filter(|(_, rank)| **rank == f64::from(tier.rank));
            let total: i64 = own.map(|(customer, _)| cents[customer]).sum();
            prop_assert_eq!(tier.revenue, total as f64 / 100.0);
        }
    }

    #[test]
    fn tiers_are_monotone_in_what_ranks_them(orders in orders(), by in 0_usize..5) {
        let by = ["recency_days", "frequency", "monetary", "tenure_days", "aov"][by];
        let ran = Ran::new(&orders, &format!("rank-by = '{by}'"));
        let frame = ran.assignments();
        let ranks = numbers(&frame, "tier");
        let values = if by == "aov" {
            let (money, orders) = (numbers(&frame, "monetary"), numbers(&frame, "frequency"));
            money.iter().zip(orders).map(|(money, orders)| money / orders).collect()
        } else {
            numbers(&frame, by)
        };
        let means: Vec<f64> = ran.report.tiers.tiers.iter().map(|tier| {
            let own: Vec<f64> = values.iter().zip(&ranks).filter(|(_, rank)| **rank == f64::from(tier.rank)).map(|(value, _)| *value).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            if by == "recency_days" { mean } else { -mean }
        }).collect();
        prop_assert!(means.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9 * pair[1].abs()), "{by}: {means:?}");
    }

    #[test]
    fn a_later_as_of_ages_everybody_and_changes_nothing_else(orders in orders(), days in 1_i32..400) {
        let ran = Ran::new(&orders, "");
        let before = ran.assignments();
        let later = chrono::NaiveDate::from_epoch_days(END + days).unwrap();
        let config = settings(&ran.work, &format!("as-of = {later}"));
        let after = read(&run(&config, &mut |_| {}).unwrap().directory.join("assignments.parquet"));
        for column in ["recency_days", "tenure_days"] {
            let expected: Vec<f64> = numbers(&before, column).iter().map(|value| value + f64::from(days)).collect();
            prop_assert_eq!(numbers(&after, column), expected, "{}", column);
        }
        for column in ["who", "frequency", "monetary", "f_score", "m_score"] {
            prop_assert!(after.column(column).unwrap().equals(before.column(column).unwrap()), "{column}");
        }
        prop_assert!(numbers(&after, "r_score") == numbers(&before, "r_score"), "equal steps keep their quintiles");
    }

    #[test]
    fn the_order_of_rows_changes_no_byte(orders in orders().prop_flat_map(|orders| (Just(orders.clone()), Just(orders).prop_shuffle()))) {
        let (sorted, shuffled) = orders;
        let (one, other) = (Ran::new(&sorted, ""), Ran::new(&shuffled, ""));
        for file in ["assignments.parquet", "tiers.json", "model.json"] {
            prop_assert!(one.bytes(file) == other.bytes(file), "{file}");
        }
    }

    #[test]
    fn the_saved_model_assigns_what_the_run_assigned(orders in orders(), settings_of in 0_usize..4) {
        let lines = ["", "scale = 'quantile'", "transform = 'yeo-johnson'\nscale = 'robust'", "winsorise = 0.1\nscale = 'minmax'"][settings_of];
        let ran = Ran::new(&orders, lines);
        let config = settings(&ran.work, &format!("as-of = 2024-08-01\n{lines}"));
        let again = assign(&config, &ran.report.directory.join("model.json"), &mut |_| {}).unwrap();
        for file in ["assignments.parquet", "model.json"] {
            prop_assert!(std::fs::read(again.directory.join(file)).unwrap() == ran.bytes(file), "{file}");
        }
    }

    #[test]
    fn scores_go_from_1_to_5_and_never_against_the_value(orders in orders()) {
        let ran = Ran::new(&orders, "");
        let (frame, cuts) = (ran.assignments(), ran.model()["scores"].clone());
        for (score, value, best) in [("r_score", "recency_days", -1.0), ("f_score", "frequency", 1.0), ("m_score", "monetary", 1.0)] {
            let cuts: Vec<f64> = cuts[value].as_array().unwrap().iter().map(|cut| cut.as_f64().unwrap()).collect();
            prop_assert!(cuts.len() == 4 && cuts.is_sorted(), "{value}: {cuts:?}");
            let (scores, values) = (numbers(&frame, score), numbers(&frame, value));
            prop_assert!(scores.iter().all(|score| [1.0, 2.0, 3.0, 4.0, 5.0].contains(score)));
            for (a, score_a) in values.iter().zip(&scores) {
                for (b, score_b) in values.iter().zip(&scores) {
                    prop_assert!(a != b || score_a == score_b, "{value}: equal values, equal scores");
                    prop_assert!(a * best <= b * best || score_a >= score_b, "{value}: {a} has {score_a}, {b} has {score_b}");
                }
            }
        }
    }

    #[test]
    fn margins_and_centroids_say_where_the_nearest_tier_is(orders in orders()) {
        let ran = Ran::new(&orders, "");
        let (frame, model) = (ran.assignments(), ran.model());
        let margins = numbers(&frame, "margin");
        prop_assert!(margins.iter().all(|margin| (0.0..=1.0).contains(margin)));
        let keys: BTreeSet<String> = texts(&frame, "tier_key").into_iter().collect();
        let known: BTreeSet<String> = model["tiers"].as_array().unwrap().iter().map(|tier| tier["key"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(keys, known);
        let scaled = |row: usize| -> Vec<f64> {
            let features = model["features"].as_array().unwrap();
            features.iter().map(|feature| {
                let value = numbers(&frame, feature["name"].as_str().unwrap())[row];
                let log = value.abs().ln_1p().copysign(value);
                (log - feature["center"].as_f64().unwrap()) / feature["spread"].as_f64().unwrap()
            }).collect()
        };
        let ranks = numbers(&frame, "tier");
        for (row, margin) in margins.iter().enumerate() {
            let point = scaled(row);
            let mut distances: Vec<(f64, f64)> = model["centroids"].as_array().unwrap().iter().zip(1..).map(|(centroid, rank)| {
                let squared: f64 = point.iter().zip(centroid.as_array().unwrap()).map(|(a, b)| (a - b.as_f64().unwrap()).powi(2)).sum();
                (squared.sqrt(), f64::from(rank))
            }).collect();
            distances.sort_by(|a, b| a.0.total_cmp(&b.0));
            let [(first, rank), (second, _), ..] = distances[..] else { panic!("{distances:?}") };
            prop_assert!((margin - (second - first) / (second + first)).abs() < 1e-6);
            prop_assert!(*margin < 1e-6 || rank == ranks[row], "row {row}: {distances:?}");
        }
    }
}
