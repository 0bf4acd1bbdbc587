//! Tiers: ranks, names in two languages, keys, margins, profiles, warnings that help; and the scores beside them.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, array};
use proptest::prelude::*;
use tiermill::Warning;
use tiermill::cluster::{Clustering, Placer, Shape};
use tiermill::config::{Config, Feature, Scale, Transform};
use tiermill::features::{self, Fitted, skewness};
use tiermill::load::Customers;
use tiermill::rules::{quintiles, score};
use tiermill::tiers::{Placements, TierProfile, Tiers, place, profiles, rank};

use crate::support::{close, config, customers, floats, golden};

/// Recency, frequency, monetary.
type Row = (f64, i64, f64);

/// Customers in clusters of our choice, up to where they become tiers.
struct Clustered {
    config: Config,
    customers: Customers,
    columns: Vec<Fitted>,
    matrix: Array2<f64>,
    clustering: Clustering,
}

impl Clustered {
    fn new(rows: &[Row], labels: &[usize], lines: &str) -> Self {
        let config = config(&format!("input = 'x'\ncustomer = 'x'\ntime = 'x'\n{lines}"));
        let customers = customers(rows);
        let columns = features::fit(&customers, &config.features).unwrap().columns;
        let matrix = features::matrix(&customers, &columns).unwrap();
        let clustering = clustering(&matrix, labels);
        Self {
            config,
            customers,
            columns,
            matrix,
            clustering,
        }
    }

    /// Each customer alone in a cluster.
    fn alone(rows: &[Row], lines: &str) -> Self {
        Self::new(rows, &(0..rows.len()).collect::<Vec<_>>(), lines)
    }

    fn try_rank(&self) -> tiermill::Result<Tiers> {
        let configs = (&self.config.tiers, &self.config.cluster);
        rank(
            &self.customers,
            &self.columns,
            self.matrix.view(),
            &self.clustering,
            configs,
        )
    }

    #[track_caller]
    fn rank(&self) -> Tiers {
        self.try_rank().unwrap()
    }

    /// Profiles of tiers with these customers, whatever their distances are.
    fn profiles(&self, tiers: &Tiers, placed: &[u32]) -> Vec<TierProfile> {
        let placements = Placements {
            tiers: placed.to_vec(),
            margins: vec![1.0; placed.len()],
        };
        let Self {
            customers, columns, ..
        } = self;
        profiles(
            customers,
            &placements,
            &tiers.tiers,
            columns,
            &tiers.centroids,
        )
    }

    /// Mean of a feature over the customers of each tier, best tier first.
    fn means(&self, tiers: &Tiers, feature: Feature) -> Vec<f64> {
        let values = features::raw(&self.customers, feature).unwrap();
        let placed = place(
            self.matrix.view(),
            &Placer::Nearest(tiers.centroids.clone()),
        )
        .tiers;
        let mean = |tier: usize| {
            let own: Vec<f64> = values
                .iter()
                .zip(&placed)
                .filter(|(_, at)| **at as usize == tier)
                .map(|(value, _)| *value)
                .collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        (0..tiers.tiers.len()).map(mean).collect()
    }
}

/// A clustering as `cluster` would return it: centroids are means, in the order of their coordinates.
fn clustering(matrix: &Array2<f64>, labels: &[usize]) -> Clustering {
    let k = labels.iter().max().unwrap() + 1;
    let mut means = vec![vec![0.0; matrix.ncols()]; k];
    let mut sizes = vec![0.0; k];
    for (row, &label) in matrix.outer_iter().zip(labels) {
        sizes[label] += 1.0;
        means[label]
            .iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
    }
    for (mean, size) in means.iter_mut().zip(&sizes) {
        mean.iter_mut().for_each(|value| *value /= size);
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| means[a].partial_cmp(&means[b]).unwrap());
    let place = |label: usize| order.iter().position(|&old| old == label).unwrap();
    let labels: Vec<u32> = labels
        .iter()
        .map(|&label| u32::try_from(place(label)).unwrap())
        .collect();
    Clustering {
        shape: Shape::Centroids,
        centroids: Array2::from_shape_fn((k, matrix.ncols()), |(row, column)| {
            means[order[row]][column]
        }),
        sizes: (0..k)
            .map(|cluster| {
                labels
                    .iter()
                    .filter(|label| **label as usize == cluster)
                    .count() as u64
            })
            .collect(),
        labels,
        inertia: 0.0,
        n_iter: 1,
        converged: true,
    }
}

/// One customer for each corner of the cube of good and bad R, F and M.
fn corners() -> Vec<(String, Row)> {
    let corner = |number: u32| {
        let code = format!("{number:03b}");
        let good = |at: usize| &code[at..=at] == "1";
        let row = (
            if good(0) { 3.0 } else { 200.0 },
            if good(1) { 20 } else { 1 },
            if good(2) { 900.0 } else { 8.0 },
        );
        (code, row)
    };
    (0..8).map(corner).collect()
}

fn rows(of: &[(String, Row)]) -> Vec<Row> {
    of.iter().map(|(_, row)| *row).collect()
}

#[test]
fn each_of_the_eight_codes_has_its_name_in_both_languages() {
    let tiers = Clustered::alone(&rows(&corners()), "").rank();
    let named: BTreeMap<&str, (&str, &str)> = tiers
        .tiers
        .iter()
        .map(|tier| {
            (
                tier.code.as_str(),
                (tier.name.as_str(), tier.name_zh.as_str()),
            )
        })
        .collect();
    let expected = BTreeMap::from([
        ("111", ("Key value", "重要价值客户")),
        ("101", ("Key develop", "重要发展客户")),
        ("011", ("Key keep", "重要保持客户")),
        ("001", ("Key retain", "重要挽留客户")),
        ("110", ("General value", "一般价值客户")),
        ("100", ("General develop", "一般发展客户")),
        ("010", ("General keep", "一般保持客户")),
        ("000", ("General retain", "一般挽留客户")),
    ]);
    assert_eq!(named, expected);
    // Four spend 900 and four 8: the ranks say so, and so do the codes.
    assert!(
        tiers
            .tiers
            .iter()
            .all(|tier| (tier.rank <= 4) == tier.code.ends_with('1'))
    );
}

#[test]
fn a_code_is_that_of_the_centroid_and_not_of_its_best_customer() {
    // Ten customers, of which the two in the first tier spend less on average than all do.
    let mut people = vec![(3.0, 20, 40.0), (3.0, 20, 1.0)];
    people.extend([(90.0, 2, 30.0); 8]);
    let labels = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    let tiers = Clustered::new(&people, &labels, "transform = 'none'").rank();
    assert_eq!(
        tiers
            .tiers
            .iter()
            .map(|tier| tier.code.as_str())
            .collect::<Vec<_>>(),
        ["001", "110"]
    );
}

#[test]
fn features_that_the_clusters_do_not_know_still_make_the_code() {
    let tiers = Clustered::alone(&rows(&corners()), "features = ['recency_days', 'aov']").rank();
    let codes: BTreeSet<&str> = tiers.tiers.iter().map(|tier| tier.code.as_str()).collect();
    assert_eq!(codes.len(), 8);
}

#[test]
fn tiers_are_ranked_by_any_feature_and_few_days_are_the_good_ones() {
    let people: Vec<Row> = vec![
        (10.0, 5, 70.0),
        (30.0, 1, 90.0),
        (20.0, 9, 10.0),
        (40.0, 3, 40.0),
        (50.0, 2, 60.0),
    ];
    for (feature, best, worst) in [
        ("recency_days", 0, 4),
        ("frequency", 2, 1),
        ("monetary", 1, 2),
        ("aov", 1, 2),
    ] {
        let clustered = Clustered::alone(&people, &format!("rank-by = '{feature}'"));
        let tiers = clustered.rank();
        let ranks: Vec<u32> = tiers.tiers.iter().map(|tier| tier.rank).collect();
        assert_eq!(ranks, [1, 2, 3, 4, 5]);
        let means = clustered.means(&tiers, clustered.config.tiers.rank_by);
        let sorted = if feature == "recency_days" {
            means.is_sorted()
        } else {
            means.iter().rev().is_sorted()
        };
        assert!(sorted, "{feature}: {means:?}");
        let placed = place(
            clustered.matrix.view(),
            &Placer::Nearest(tiers.centroids.clone()),
        )
        .tiers;
        assert_eq!((placed[best], placed[worst]), (0, 4), "{feature}");
    }
    let mut clustered = Clustered::alone(&people, "rank-by = 'tenure_days'");
    clustered.customers.tenure_days = Some(vec![60.0, 50.0, 99.0, 70.0, 80.0]);
    let tiers = clustered.rank();
    assert_eq!(
        place(
            clustered.matrix.view(),
            &Placer::Nearest(tiers.centroids.clone())
        )
        .tiers,
        [3, 4, 0, 2, 1]
    );
    clustered.customers.tenure_days = None;
    assert!(clustered.try_rank().is_err(), "nobody has a tenure");
}

#[test]
fn ranks_are_by_the_mean_of_the_customers_and_not_by_the_centroid() {
    // The means of log1p are 3.5 and 3.0; the means are 50 and 100.
    let people = [
        (9.0, 1, 50.0),
        (9.0, 1, 50.0),
        (1.0, 3, 0.0),
        (1.0, 3, 200.0),
    ];
    let clustered = Clustered::new(&people, &[0, 0, 1, 1], "");
    let tiers = clustered.rank();
    assert_eq!(
        place(
            clustered.matrix.view(),
            &Placer::Nearest(tiers.centroids.clone())
        )
        .tiers,
        [1, 1, 0, 0]
    );
    let of_money = tiers.centroids.column(2);
    assert!(
        of_money[0] < of_money[1],
        "the centroids alone would rank them the other way round"
    );
}

#[test]
fn equal_means_are_ranked_by_coordinates_whatever_the_cluster_numbers_were() {
    let people = [
        (3.0, 4, 50.0),
        (30.0, 2, 50.0),
        (300.0, 1, 50.0),
        (9.0, 1, 80.0),
    ];
    let first = Clustered::new(&people, &[0, 1, 2, 3], "").rank();
    for labels in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
        let again = Clustered::new(&people, &labels, "").rank();
        assert_eq!(
            (again.tiers, again.centroids),
            (first.tiers.clone(), first.centroids.clone())
        );
    }
    assert!(
        first.centroids[[1, 0]] < first.centroids[[2, 0]],
        "of two alike the smaller coordinates come first"
    );
    assert!(first.centroids[[2, 0]] < first.centroids[[3, 0]]);
}

/// Names must be unique in both languages, and nobody may have to guess what a number means.
#[track_caller]
fn check_names(tiers: &Tiers) {
    for names in [
        tiers
            .tiers
            .iter()
            .map(|tier| &tier.name)
            .collect::<Vec<_>>(),
        tiers
            .tiers
            .iter()
            .map(|tier| &tier.name_zh)
            .collect::<Vec<_>>(),
    ] {
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in names {
            let bare = name
                .split([' ', '·'])
                .any(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!bare && !name.is_empty(), "{name}");
        }
    }
}

#[test]
fn tiers_of_one_code_are_told_apart_by_what_differs_most() {
    for (people, english, chinese) in [
        (
            // Alike in recency and frequency, far apart in money.
            vec![
                (3.0, 20, 90_000.0),
                (3.1, 21, 900.0),
                (500.0, 1, 1.0),
                (490.0, 1, 1.1),
            ],
            ["Key value · highest spend", "Key value · lowest spend"],
            ["重要价值客户 · 消费最高", "重要价值客户 · 消费最低"],
        ),
        (
            vec![
                (1.0, 20, 910.0),
                (19.0, 21, 900.0),
                (500.0, 1, 1.0),
                (490.0, 1, 1.1),
            ],
            ["Key value · most recent", "Key value · least recent"],
            ["重要价值客户 · 最近购买", "重要价值客户 · 最久未购"],
        ),
        (
            vec![
                (3.0, 8, 910.0),
                (3.1, 90, 900.0),
                (500.0, 1, 1.0),
                (490.0, 1, 1.1),
            ],
            ["Key value · fewest orders", "Key value · most orders"],
            ["重要价值客户 · 订单最少", "重要价值客户 · 订单最多"],
        ),
    ] {
        let tiers = Clustered::alone(&people, "").rank();
        check_names(&tiers);
        assert_eq!(
            [&tiers.tiers[0].name, &tiers.tiers[1].name],
            english.each_ref()
        );
        assert_eq!(
            [&tiers.tiers[0].name_zh, &tiers.tiers[1].name_zh],
            chinese.each_ref()
        );
        assert_eq!([&tiers.tiers[0].code, &tiers.tiers[1].code], ["111", "111"]);
    }
}

#[test]
fn a_third_tier_far_off_does_not_decide_what_tells_the_other_two_apart() {
    // In money two are alike and one is far; in recency all three differ.
    let people = [
        (1.0, 20, 9_000_000.0),
        (5.0, 20, 900.0),
        (30.0, 20, 900.5),
        (900.0, 1, 1.0),
        (880.0, 1, 1.0),
        (870.0, 1, 1.0),
    ];
    let tiers = Clustered::alone(&people, "").rank();
    check_names(&tiers);
    let names: Vec<&str> = tiers.tiers[..3]
        .iter()
        .map(|tier| tier.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "Key value · most recent",
            "Key value · least recent",
            "Key value · second most recent"
        ]
    );
}

#[test]
fn fifty_tiers_of_one_code_have_fifty_names_and_keys() {
    let mut people: Vec<Row> = (0..48)
        .map(|n| (3.0, 20, 1_000.0 + f64::from(n) * 20.0))
        .collect();
    people.extend([(9_000.0, 1, 0.0), (9_500.0, 1, 0.0)]);
    let tiers = Clustered::alone(&people, "").rank();
    check_names(&tiers);
    let keys: Vec<&str> = tiers.tiers.iter().map(|tier| tier.key.as_str()).collect();
    assert_eq!(keys[..3], ["tier-a", "tier-b", "tier-c"]);
    assert_eq!(
        keys[24..29],
        ["tier-y", "tier-z", "tier-aa", "tier-ab", "tier-ac"]
    );
    assert_eq!(keys[49], "tier-ax");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(tiers.tiers[1].name, "Key value · second highest spend");
    assert_eq!(tiers.tiers[1].name_zh, "重要价值客户 · 消费第二高");
    for (place, ordinal) in [
        (10, "11th"),
        (20, "21st"),
        (21, "22nd"),
        (22, "23rd"),
        (30, "31st"),
    ] {
        assert_eq!(
            tiers.tiers[place].name,
            format!("Key value · {ordinal} highest spend")
        );
    }
}

#[test]
fn names_come_from_the_config_by_rank_or_by_code() {
    let people = rows(&corners());
    let pick = |codes: [usize; 3]| codes.map(|at| people[at]);
    let three = pick([7, 4, 0]);
    let names = |lines: &str| {
        let tiers = Clustered::alone(&three, lines).rank().tiers;
        tiers
            .into_iter()
            .map(|tier| (tier.name, tier.name_zh))
            .collect::<Vec<_>>()
    };
    let own = |list: [(&str, &str); 3]| {
        list.map(|(name, zh)| (name.to_owned(), zh.to_owned()))
            .to_vec()
    };
    assert_eq!(
        names("k = 3\ntier-names = ['Gold', 'Silver', 'Bronze']"),
        own([("Gold", "Gold"), ("Silver", "Silver"), ("Bronze", "Bronze")])
    );
    assert_eq!(
        names(
            "k = 3\ntier-names = ['Gold', 'Silver', 'Bronze']\ntier-names-zh = ['金', '银', '铜']"
        ),
        own([("Gold", "金"), ("Silver", "银"), ("Bronze", "铜")])
    );
    assert_eq!(
        names("k = 3\ntier-names-zh = ['金', '银', '铜']"),
        own([
            ("Key value", "金"),
            ("General develop", "银"),
            ("General retain", "铜")
        ])
    );
    assert_eq!(
        names("[tiers.code-names]\n111 = { en = 'VIP', zh = '贵宾' }\n100 = { en = 'New' }"),
        own([
            ("VIP", "贵宾"),
            ("New", "一般发展客户"),
            ("General retain", "一般挽留客户")
        ])
    );
}

#[test]
fn as_many_names_as_tiers_are_needed() {
    let three = [(1.0, 9, 9.0), (5.0, 5, 5.0), (9.0, 1, 1.0)];
    for key in ["tier-names", "tier-names-zh"] {
        // The config knows k = 2; only here it shows that there are three.
        let error = Clustered::alone(&three, &format!("k = 2\n{key} = ['A', 'B']"))
            .try_rank()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{key}` is 2 names, expected 3, one for each tier")
        );
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn names_by_code_that_are_alike_are_told_apart_too() {
    let people = rows(&corners());
    let lines: String = (0..8)
        .map(|code| format!("{code:03b} = {{ en = 'Same', zh = '同' }}\n"))
        .collect();
    let tiers = Clustered::alone(&people, &format!("[tiers.code-names]\n{lines}")).rank();
    check_names(&tiers);
    assert!(
        tiers
            .tiers
            .iter()
            .all(|tier| tier.name.starts_with("Same · ") && tier.name_zh.starts_with("同 · "))
    );
}

#[test]
fn a_margin_is_0_on_the_border_and_1_at_the_centroid() {
    let centroids = array![[0.0, 0.0], [4.0, 0.0], [100.0, 0.0]];
    let points = array![
        [0.0, 0.0],
        [2.0, 0.0],
        [2.0, 7.0],
        [1.0, 0.0],
        [3.0, 0.0],
        [1e9, 0.0]
    ];
    let Placements { tiers, margins } = place(points.view(), &Placer::Nearest(centroids.clone()));
    assert_eq!(
        tiers,
        [0, 0, 0, 0, 1, 2],
        "of two at one distance the better tier"
    );
    assert_eq!(margins[..5], [1.0, 0.0, 0.0, 0.5, 0.5]);
    assert!(0.0 < margins[5] && margins[5] < 1e-6);
    let alone = place(points.view(), &Placer::Nearest(array![[3.0, 3.0]]));
    assert_eq!((alone.tiers, alone.margins), (vec![0; 6], vec![1.0; 6]));
    let twins = place(
        array![[5.0, 5.0], [6.0, 6.0]].view(),
        &Placer::Nearest(array![[5.0, 5.0], [5.0, 5.0]]),
    );
    assert_eq!((twins.tiers, twins.margins), (vec![0; 2], vec![0.0; 2]));
}

/// Two customers in the first tier and three in the second.
fn two_profiles() -> (TierProfile, TierProfile) {
    let first = [(1.0, 4, 100.0), (3.0, 2, 300.5)];
    let second = [(40.0, 1, -20.25), (60.0, 1, 5.0), (61.0, 3, 10.75)];
    let clustered = Clustered::new(&[&first[..], &second[..]].concat(), &[0, 0, 1, 1, 1], "");
    let found = clustered.profiles(&clustered.rank(), &[0, 0, 1, 1, 1]);
    let [best, rest] = <[TierProfile; 2]>::try_from(found).unwrap();
    (best, rest)
}

#[test]
fn profiles_add_up_to_all_customers_and_all_money() {
    let (best, rest) = two_profiles();
    assert_eq!(
        (best.customers, best.customer_share, best.revenue),
        (2, 0.4, 400.5)
    );
    assert_eq!(
        (rest.customers, rest.customer_share, rest.revenue),
        (3, 0.6, -4.5)
    );
    let shares = (best.revenue_share.unwrap(), rest.revenue_share.unwrap());
    close(
        shares.0,
        400.5 / 396.0,
        1e-12,
        "more than all, beside a tier that cost money",
    );
    close(shares.0 + shares.1, 1.0, 1e-12, "both shares");
}

#[test]
fn profiles_describe_the_customers_of_a_tier() {
    let (best, rest) = two_profiles();
    let days = rest.recency_days.unwrap();
    close(days.mean, 161.0 / 3.0, 1e-12, "mean");
    assert_eq!((days.median, days.min, days.max), (60.0, 40.0, 61.0));
    let money = best.monetary.unwrap();
    assert_eq!(
        (money.mean, money.median, money.min, money.max),
        (200.25, 200.25, 100.0, 300.5)
    );
    assert_eq!(rest.frequency.unwrap().median, 1.0);
    // The mean of the logs of 1 + 1 and 1 + 3.
    let centroid = best.centroid["recency_days"].as_f64().unwrap();
    close(
        centroid,
        8_f64.sqrt() - 1.0,
        1e-9,
        "centroid of 1 and 3 days",
    );
    let features: Vec<&String> = best.centroid.keys().collect();
    assert_eq!(features, ["recency_days", "frequency", "monetary"]);
    assert_eq!(best.centroid_scaled.len(), 3);
    assert_eq!(
        (best.key.as_str(), best.rank, rest.key.as_str(), rest.rank),
        ("tier-a", 1, "tier-b", 2)
    );
}

#[test]
fn a_tier_without_customers_and_a_total_of_nothing_are_null_and_no_nan() {
    let people = [(1.0, 4, 0.0), (3.0, 2, 0.0), (9.0, 1, 0.0)];
    let clustered = Clustered::new(&people, &[0, 0, 1], "");
    let found = clustered.profiles(&clustered.rank(), &[0, 0, 0]);
    let empty = &found[1];
    assert_eq!((empty.customers, empty.revenue_share), (0, None));
    let spreads = [empty.recency_days, empty.frequency, empty.monetary];
    assert!(spreads.iter().all(Option::is_none), "{spreads:?}");
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains("\"revenue_share\":null"), "{text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
}

/// The setting that a warning recommends: feature, key, value and the skewness that it promises.
fn advice(message: &str) -> Option<(String, String, String, Option<f64>)> {
    let (_, rest) = message.split_once("`[features.")?;
    let (feature, rest) = rest.split_once("] ")?;
    let (setting, rest) = rest.split_once('`')?;
    let (key, value) = setting.split_once(" = ")?;
    let promised = rest
        .split_once("would bring it to ")
        .map(|(_, skew)| skew.parse().unwrap());
    Some((
        feature.to_owned(),
        key.to_owned(),
        value.trim_matches('"').to_owned(),
        promised,
    ))
}

/// The skewness of one column under this config.
fn column_skewness(customers: &Customers, config: &Config, feature: &str) -> f64 {
    let column = config
        .features
        .iter()
        .position(|own| own.feature.as_str() == feature)
        .unwrap();
    let fitted = features::fit(customers, &config.features).unwrap().columns;
    skewness(
        &features::matrix(customers, &fitted)
            .unwrap()
            .column(column)
            .to_vec(),
    )
}

/// Whatever a warning recommends must help.
#[track_caller]
fn check_advice(clustered: &Clustered, lines: &str, warnings: &[Warning]) {
    for warning in warnings {
        let Some((feature, key, value, promised)) = advice(&warning.message) else {
            continue;
        };
        let before = column_skewness(&clustered.customers, &clustered.config, &feature);
        let better = config(&format!(
            "input = 'x'\ncustomer = 'x'\ntime = 'x'\n{lines}\n[features.{feature}]\n{key} = '{value}'"
        ));
        let after = column_skewness(&clustered.customers, &better, &feature);
        let text = &warning.message;
        assert!(
            after.abs() < 0.85 * before.abs(),
            "from {before} to {after}: {text}"
        );
        if let Some(promised) = promised {
            close(after, promised, 0.051, text);
        }
    }
}

#[test]
fn a_tier_with_almost_everybody_is_a_warning_that_names_what_helps() {
    // Money over six orders of magnitude, taken as it is.
    let people: Vec<Row> = (0..100)
        .map(|n| {
            (
                f64::from(n),
                i64::from(n % 7 + 1),
                (f64::from(n) / 7.0).exp(),
            )
        })
        .collect();
    let labels: Vec<usize> = (0..100).map(|n| usize::from(97 <= n)).collect();
    let lines = "transform = 'none'\nmin-share = '5%'";
    let clustered = Clustered::new(&people, &labels, lines);
    let warnings = clustered.rank().warnings;
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["dominant_tier", "small_tiers"]);
    assert!(
        warnings[0]
            .message
            .starts_with("one tier holds 97.0 % of the customers; `monetary` has a skewness of ")
    );
    assert!(
        warnings[1]
            .message
            .starts_with("1 tier holds less than 5 % of the customers (`min-share`); "),
        "{warnings:?}"
    );
    let (feature, key, value, promised) = advice(&warnings[0].message).unwrap();
    assert_eq!((feature.as_str(), key.as_str()), ("monetary", "transform"));
    assert!(value != "none" && promised.is_some(), "{warnings:?}");
    check_advice(&clustered, lines, &warnings);
}

#[test]
fn several_small_tiers_are_each_below_the_share_that_was_set() {
    let people: Vec<Row> = (0..100)
        .map(|n| (f64::from(n), i64::from(n % 7 + 1), f64::from(n)))
        .collect();
    let labels: Vec<usize> = (0..100).map(|n: usize| n.saturating_sub(97)).collect();
    let clustered = Clustered::new(&people, &labels, "min-share = 0.07");
    let warnings = clustered.rank().warnings;
    let small = &warnings[1].message;
    assert!(
        small.starts_with("2 tiers each hold less than 7 % of the customers (`min-share`); "),
        "{small}"
    );
}

#[test]
fn a_feature_that_is_one_value_for_almost_everybody_gets_no_false_promise() {
    let people: Vec<Row> = (0..100)
        .map(|n| {
            (
                f64::from(n),
                if n < 97 { 1 } else { i64::from(n) * 10 },
                50.0 + f64::from(n),
            )
        })
        .collect();
    let labels: Vec<usize> = (0..100).map(|n| usize::from(97 <= n)).collect();
    for lines in [
        "",
        "transform = 'none'",
        "transform = 'yeo-johnson'",
        "scale = 'quantile'",
    ] {
        let clustered = Clustered::new(&people, &labels, lines);
        let warnings = clustered.rank().warnings;
        assert_eq!(warnings[0].code, "dominant_tier");
        check_advice(&clustered, lines, &warnings);
    }
}

#[test]
fn shares_at_the_limits_are_no_warning() {
    let people: Vec<Row> = (0..100)
        .map(|n| (f64::from(n), i64::from(n % 7 + 1), f64::from(n)))
        .collect();
    let with = |small: u32| {
        let labels: Vec<usize> = (0..100).map(|n| usize::from(n < small)).collect();
        let warnings = Clustered::new(&people, &labels, "min-share = 0.05")
            .rank()
            .warnings;
        warnings
            .iter()
            .map(|warning| warning.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(with(5), Vec::<&str>::new(), "95 % and 5 % are allowed");
    assert_eq!(with(4), ["dominant_tier", "small_tiers"]);
}

#[test]
fn scores_are_quintiles_of_type_7_with_5_for_the_best() {
    let golden = golden("golden_features.json");
    for (name, figures) in golden["cases"].as_object().unwrap() {
        let values = floats(&figures["values"]);
        let mut people = customers(&values.iter().map(|_| (1.0, 1, 1.0)).collect::<Vec<_>>());
        people.monetary.clone_from(&values);
        people.recency_days.clone_from(&values);
        let cuts = quintiles(&people).unwrap();
        let expected = floats(&figures["quantiles_type7"]);
        for (found, expected) in cuts
            .monetary
            .iter()
            .chain(&cuts.recency_days)
            .zip(expected.iter().chain(&expected))
        {
            close(*found, *expected, 1e-9, name);
        }
        let scores = score(&people, &cuts);
        for row in 0..values.len() {
            let below = cuts
                .monetary
                .iter()
                .filter(|cut| **cut < values[row])
                .count();
            assert_eq!(
                scores.monetary[row],
                i8::try_from(below + 1).unwrap(),
                "{name}"
            );
            assert_eq!(
                scores.recency[row],
                6 - scores.monetary[row],
                "{name}: few days are the good ones"
            );
        }
    }
}

#[test]
fn scores_of_six_customers_by_hand() {
    let people = customers(&[
        (2.0, 3, 60.5),
        (77.0, 1, 5.25),
        (1.0, 2, 150.0),
        (31.0, 2, 15.0),
        (61.0, 1, 0.0),
        (17.0, 1, 10.0),
    ]);
    let cuts = quintiles(&people).unwrap();
    assert_eq!(cuts.recency_days, [2.0, 17.0, 31.0, 61.0]);
    assert_eq!(cuts.frequency, [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(cuts.monetary, [5.25, 10.0, 15.0, 60.5]);
    let scores = score(&people, &cuts);
    assert_eq!(scores.recency, [5, 1, 5, 3, 2, 4]);
    assert_eq!(scores.frequency, [5, 1, 3, 3, 1, 1]);
    assert_eq!(scores.monetary, [4, 1, 5, 3, 1, 2]);
}

/// Distinct customers, some of them alike in one or two features.
fn crowd() -> impl Strategy<Value = Vec<Row>> {
    let one = (0_i32..40, 1_i64..20, -50_i32..500);
    prop::collection::btree_set(one, 3..50).prop_map(|rows| {
        rows.into_iter()
            .map(|(recency, frequency, monetary)| {
                (f64::from(recency), frequency, f64::from(monetary))
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_are_unique_and_true_for_any_centroids(rows in crowd(), aov in any::<bool>()) {
        let lines = if aov { "features = ['recency_days', 'frequency', 'monetary', 'aov']" } else { "" };
        let clustered = Clustered::alone(&rows, lines);
        let tiers = clustered.rank();
        check_names(&tiers);
        // Whoever is called the most is the most, among those of the same code.
        let means = |feature| clustered.means(&tiers, feature);
        for (word, feature) in [
            ("· highest spend", Feature::Monetary),
            ("· most orders", Feature::Frequency),
            ("· largest orders", Feature::Aov),
            ("· least recent", Feature::RecencyDays),
        ] {
            let values = means(feature);
            for (index, tier) in tiers.tiers.iter().enumerate().filter(|(_, tier)| tier.name.ends_with(word)) {
                let most = tiers.tiers.iter().zip(&values).filter(|(other, _)| other.code == tier.code).map(|(_, value)| *value).fold(f64::MIN, f64::max);
                prop_assert_eq!(values[index], most, "{} has {:?}", &tier.name, &values);
            }
        }
    }

    #[test]
    fn a_recommended_setting_always_helps(rows in crowd(), transform in 0_usize..3, quantile in any::<bool>()) {
        let transform = [Transform::None, Transform::Log1p, Transform::YeoJohnson][transform];
        let scale = if quantile { Scale::Quantile } else { Scale::Zscore };
        let lines = format!("transform = '{transform}'\nscale = '{scale}'\nmin-share = 1");
        let clustered = Clustered::alone(&rows, &lines);
        check_advice(&clustered, &lines, &clustered.rank().warnings);
    }
}
