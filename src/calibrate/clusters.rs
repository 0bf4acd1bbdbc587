//! Clusters as rules: the few thresholds that give customers the tier they have.
//!
//! In: customers with their tiers. Out: [`ClusterRules`]: boxes in original units, a rule file, and how faithful it is.
//! Invariant: the rule file passes its proof, and its fidelity is counted over all customers from the segments that the file
//! itself gives.

use std::borrow::Cow;

use ndarray::ArrayView2;
use serde::Serialize;
use toml::{Table as Toml, Value};

use super::bins::Bins;
use super::line::Line;
use super::tree::{Pruned, Table, Tree, grow, path, tidied};
use super::words;
use crate::config::Feature;
use crate::error::{Error, Result};
use crate::features::raw;
use crate::load::{Customers, from_fixed};
use crate::rules::{Meaning, RuleSet};
use crate::tiers::Tier;

/// Fidelity that rules shall have, where nobody says otherwise.
pub const FIDELITY: f64 = 0.95;
/// Leaves that rules may come from at most, where nobody says otherwise.
pub const MOST_RULES: usize = 24;
/// How many times as many leaves are grown before pruning.
const PAST_NEED: usize = 4;
/// Bounds of a feature that splits choose from.
const BOUNDS: usize = 4_096;
/// Of so many customers at least one is in every leaf.
const SPARSE: u64 = 5_000;

/// Customers on whom bounds are moved and rounded at most.
const TIDIED: usize = 131_072;
/// Share of the customers that moving bounds may put right.
const HOPE: f64 = 0.01;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Faith {
    /// Share of the customers who shall get their tier, 0 to 1.
    pub fidelity: f64,
    /// Leaves at most.
    pub most: usize,
}

/// Tiers, and where their customers lie.
#[derive(Debug, Clone, Copy)]
pub struct Tiered<'a> {
    /// Names, best first.
    pub tiers: &'a [Tier],
    /// For each customer an index into `tiers`.
    pub labels: &'a [u32],
    /// The features of the model.
    pub features: &'a [Feature],
    /// The space that clusters were found in.
    pub matrix: ArrayView2<'a, f64>,
    /// What recency and monetary are, which the proof of the rule file asks.
    pub meaning: Meaning,
    /// As-of of the data that the tiers were found in.
    pub as_of: &'a str,
}

/// Rules in place of clusters.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterRules {
    /// Share of the customers whom the rules put in their tier.
    pub fidelity: f64,
    /// Share of the revenue that comes from them; null where all revenue is not above 0.
    pub revenue_fidelity: Option<f64>,
    /// The fidelity that was asked for.
    pub wanted: f64,
    /// Leaves of the tree.
    pub leaves: usize,
    /// Sum of squared distances to the mean of the own group, scaled, of the rules over that of the tiers; null where the
    /// tiers leave none.
    pub inertia_price: Option<f64>,
    /// One for each box, tier by tier, best first.
    pub rules: Vec<Rule>,
    /// Tiers that no rule leads to.
    pub unreached: Vec<String>,
    /// Fidelity by number of leaves: the trees that pruning leaves, before bounds are rounded.
    pub path: Vec<Step>,
    /// The rule file.
    #[serde(skip)]
    pub toml: String,
}

/// A rule: all bounds hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// English name of the tier.
    pub tier: String,
    /// The rule in words.
    pub words: String,
    /// Bounds by feature.
    #[serde(serialize_with = "as_map")]
    pub bounds: Vec<(Feature, Bounds)>,
    /// Customers in the box.
    pub customers: u64,
    /// Those of them who are of the tier.
    pub right: u64,
}

/// An interval; the lower end is not in it, the upper one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bounds {
    /// Values lie above it.
    pub above: Option<f64>,
    /// Values do not exceed it.
    pub up_to: Option<f64>,
}

/// One tree along the pruning path.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// Leaves.
    pub leaves: usize,
    /// Share of the customers it puts in their tier.
    pub fidelity: f64,
}

fn as_map<S: serde::Serializer>(
    bounds: &[(Feature, Bounds)],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(
        bounds
            .iter()
            .map(|(feature, bounds)| (feature.as_str(), bounds)),
    )
}

/// Finds the rules.
///
/// # Errors
/// As [`raw`]; [`Error::TooFewCustomers`] without customers.
pub fn cluster_rules(
    customers: &Customers,
    tiered: &Tiered<'_>,
    faith: Faith,
) -> Result<ClusterRules> {
    if customers.is_empty() {
        return Err(Error::TooFewCustomers { found: 0 });
    }
    let table = table(customers, tiered)?;
    let n = customers.len() as u64;
    let grown = grow(&table, faith.most.max(2) * PAST_NEED, (n / SPARSE).max(1));
    let trees = path(&grown, &table);
    let chosen = choose(&trees, &table, faith);
    let mut boxes = boxes(&chosen, &table);
    merge(&mut boxes);
    let mut rules: Vec<Rule> = Vec::new();
    for (tier, bounds) in &boxes {
        let (customers, right) = inside(&table, bounds, *tier);
        let bounds: Vec<(Feature, Bounds)> = bounds
            .iter()
            .map(|&(at, bounds)| (table.features[at], bounds))
            .collect();
        rules.push(Rule {
            tier: tiered.tiers[*tier as usize].name.clone(),
            words: words::rule(&bounds),
            bounds,
            customers,
            right,
        });
    }
    let toml = file(&rules, tiered, customers)?;
    let told = counted(&toml, customers, tiered)?;
    Ok(ClusterRules {
        fidelity: told.fidelity,
        revenue_fidelity: told.revenue_fidelity,
        wanted: faith.fidelity,
        leaves: chosen.leaves().len(),
        inertia_price: told.inertia_price,
        unreached: tiered
            .tiers
            .iter()
            .filter(|tier| rules.iter().all(|rule| rule.tier != tier.name))
            .map(|tier| tier.name.clone())
            .collect(),
        path: steps(&trees, n),
        rules,
        toml,
    })
}

/// The customers with the features that rules may look at: R, F, M, amount per order, and what the model looks at.
fn table<'a>(customers: &Customers, tiered: &Tiered<'a>) -> Result<Table<'a>> {
    let mut features = vec![
        Feature::RecencyDays,
        Feature::Frequency,
        Feature::Monetary,
        Feature::Aov,
    ];
    let others = tiered
        .features
        .iter()
        .filter(|feature| !features.contains(feature));
    let others: Vec<Feature> = others.copied().collect();
    features.extend(others);
    let k = tiered.tiers.len();
    let columns: Vec<Vec<f64>> = features
        .iter()
        .map(|&feature| raw(customers, feature).map(Cow::into_owned))
        .collect::<Result<_>>()?;
    let bounds = features.iter().map(|&feature| {
        let line = Line::of(customers, feature, (tiered.labels, k))?;
        Ok(Bins::of(&line, BOUNDS).tops)
    });
    Ok(Table {
        bounds: bounds.collect::<Result<_>>()?,
        features,
        columns,
        tiers: tiered.labels,
        k,
    })
}

/// The smallest tree that is faithful enough once its bounds are tidied; else the best of those that are small enough.
///
/// Bounds are tidied on a sample, which costs the same however many customers there are; what they are worth is counted on all.
fn choose(trees: &[Pruned], table: &Table<'_>, faith: Faith) -> Tree {
    let step = table.tiers.len().div_ceil(TIDIED);
    let tiers: Vec<u32> = table.tiers.iter().copied().step_by(step).collect();
    let some = Table {
        features: table.features.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| column.iter().copied().step_by(step).collect())
            .collect(),
        bounds: Vec::new(),
        tiers: &tiers,
        k: table.k,
    };
    let share = tiers.len() as f64 / table.tiers.len() as f64;
    let tidy = |tree: &Tree, floor: u64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of the number of customers"
        )]
        let floor_of_some = (floor as f64 * share).ceil() as u64;
        let found = tidied(tree, &some, floor_of_some);
        // The sample may have lost a tier's last customer of a leaf: who is in which leaf is counted on all.
        found.recounted(table)
    };
    let n = table.tiers.len() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the number of customers"
    )]
    let floor = (faith.fidelity * n - 1e-9).ceil() as u64;
    // Bounds that are moved put some more right: trees that miss by little get their chance.
    let hopeful = (faith.fidelity - HOPE) * n;
    let small = || {
        trees
            .iter()
            .rev()
            .filter(|pruned| pruned.leaves <= faith.most)
    };
    for pruned in small().filter(|pruned| hopeful <= pruned.right as f64) {
        let tree = tidy(&pruned.tree, floor);
        if floor <= tree.right() {
            return tree;
        }
        if floor <= pruned.right {
            return pruned.tree.clone();
        }
    }
    let best = small().max_by(|a, b| a.right.cmp(&b.right).then(b.leaves.cmp(&a.leaves)));
    best.or(trees.last()).map_or_else(
        || Tree { nodes: Vec::new() },
        |pruned| {
            let tree = tidy(&pruned.tree, pruned.right);
            if tree.right() < pruned.right {
                pruned.tree.clone()
            } else {
                tree
            }
        },
    )
}

/// Bounds of a box, by index of the feature.
type Sides = Vec<(usize, Bounds)>;
/// A tier and a box.
type Box = (u32, Sides);

/// The boxes of all leaves that anything can be in, tier by tier. Tidying moves bounds one by one, and so past those above
/// them.
fn boxes(tree: &Tree, table: &Table<'_>) -> Vec<Box> {
    let mut boxes: Vec<Box> = Vec::new();
    let mut open = vec![(0, vec![Bounds::default(); table.features.len()])];
    while let Some((node, bounds)) = open.pop() {
        let Some(split) = tree.nodes[node].split else {
            let is_empty = |bounds: &Bounds| {
                let ends = bounds.above.zip(bounds.up_to);
                ends.is_some_and(|(above, up_to)| up_to <= above)
            };
            if bounds.iter().any(is_empty) {
                continue;
            }
            let set = bounds
                .into_iter()
                .enumerate()
                .filter(|(_, bounds)| *bounds != Bounds::default());
            boxes.push((tree.nodes[node].tier(), set.collect()));
            continue;
        };
        let (mut left, mut right) = (bounds.clone(), bounds);
        let up_to = &mut left[split.feature].up_to;
        *up_to = Some(up_to.map_or(split.bound, |bound| bound.min(split.bound)));
        let above = &mut right[split.feature].above;
        *above = Some(above.map_or(split.bound, |bound| bound.max(split.bound)));
        open.extend([(split.right, right), (split.left, left)]);
    }
    boxes.sort_by_key(|&(tier, _)| tier);
    boxes
}

/// Puts two boxes of one tier together where they are one box.
fn merge(boxes: &mut Vec<Box>) {
    while let Some((first, second, together)) = mergeable(boxes) {
        boxes[first].1 = together;
        boxes.remove(second);
    }
}

fn mergeable(boxes: &[Box]) -> Option<(usize, usize, Sides)> {
    for (first, a) in boxes.iter().enumerate() {
        for (second, b) in boxes.iter().enumerate().skip(first + 1) {
            if a.0 == b.0
                && let Some(together) = together(&a.1, &b.1)
            {
                return Some((first, second, together));
            }
        }
    }
    None
}

/// The box that two boxes are, which differ in one feature and touch there.
fn together(a: &[(usize, Bounds)], b: &[(usize, Bounds)]) -> Option<Sides> {
    let of = |bounds: &[(usize, Bounds)], feature: usize| {
        let found = bounds.iter().find(|(own, _)| *own == feature);
        found.map_or_else(Bounds::default, |&(_, bounds)| bounds)
    };
    let mut features: Vec<usize> = a.iter().chain(b).map(|&(feature, _)| feature).collect();
    features.sort_unstable();
    features.dedup();
    let differ: Vec<usize> = features
        .iter()
        .copied()
        .filter(|&feature| of(a, feature) != of(b, feature))
        .collect();
    let &[feature] = differ.as_slice() else {
        return None;
    };
    let (mut low, mut high) = (of(a, feature), of(b, feature));
    if low.up_to.is_none() || low.up_to != high.above {
        std::mem::swap(&mut low, &mut high);
    }
    if low.up_to.is_none() || low.up_to != high.above {
        return None;
    }
    let merged = Bounds {
        above: low.above,
        up_to: high.up_to,
    };
    let all = features
        .into_iter()
        .map(|own| (own, if own == feature { merged } else { of(a, own) }));
    Some(
        all.filter(|(_, bounds)| *bounds != Bounds::default())
            .collect(),
    )
}

/// Customers in a box, and those of them who are of a tier.
fn inside(table: &Table<'_>, bounds: &[(usize, Bounds)], tier: u32) -> (u64, u64) {
    let (mut all, mut right) = (0, 0);
    for (row, &own) in table.tiers.iter().enumerate() {
        let holds = |&(feature, bounds): &(usize, Bounds)| {
            let value = table.columns[feature][row];
            bounds.above.is_none_or(|above| above < value)
                && bounds.up_to.is_none_or(|up_to| value <= up_to)
        };
        if bounds.iter().all(holds) {
            all += 1;
            right += u64::from(own == tier);
        }
    }
    (all, right)
}

/// One step for each number of leaves.
fn steps(trees: &[Pruned], n: u64) -> Vec<Step> {
    let step = |pruned: &Pruned| Step {
        leaves: pruned.leaves,
        fidelity: pruned.right as f64 / n as f64,
    };
    trees.iter().rev().map(step).collect()
}

/// The rule file: a segment for each tier that has a rule.
fn file(rules: &[Rule], tiered: &Tiered<'_>, customers: &Customers) -> Result<String> {
    let mut segments = Vec::new();
    for tier in tiered.tiers {
        let own: Vec<&Rule> = rules.iter().filter(|rule| rule.tier == tier.name).collect();
        if own.is_empty() {
            continue;
        }
        let mut segment = Toml::new();
        segment.insert("name".to_owned(), Value::String(tier.name.clone()));
        segment.insert("name-zh".to_owned(), Value::String(tier.name_zh.clone()));
        match own.as_slice() {
            [rule] if rule.bounds.is_empty() => {
                segment.insert("otherwise".to_owned(), Value::Boolean(true));
            }
            [rule] => segment.extend(conditions(rule)),
            own => {
                let any = own.iter().map(|rule| Value::Table(conditions(rule)));
                segment.insert("any".to_owned(), Value::Array(any.collect()));
            }
        }
        segments.push(Value::Table(segment));
    }
    let description = format!(
        "Thresholds that stand for the tiers of {} customers as of {}.",
        customers.len(),
        customers.as_of.text
    );
    let table = Toml::from_iter([
        (
            "name".to_owned(),
            Value::String("clusters-as-rules".to_owned()),
        ),
        ("description".to_owned(), Value::String(description)),
        (
            "fitted-as-of".to_owned(),
            Value::String(tiered.as_of.to_owned()),
        ),
        ("segments".to_owned(), Value::Array(segments)),
    ]);
    let text = toml::to_string(&table).map_err(|error| Error::BadValue {
        key: "rules".to_owned(),
        found: error.to_string(),
        expected: "values that TOML can hold".to_owned(),
    })?;
    Ok(format!(
        "# Made by `tiermill calibrate`: the clusters as rules.\n\n{text}"
    ))
}

fn conditions(rule: &Rule) -> Toml {
    let condition = |(feature, bounds): &(Feature, Bounds)| {
        let above = bounds.above.map(|cut| format!("> {cut}"));
        let up_to = bounds.up_to.map(|cut| format!("<= {cut}"));
        let both: Vec<String> = above.into_iter().chain(up_to).collect();
        (feature.to_string(), Value::String(both.join(" and ")))
    };
    rule.bounds.iter().map(condition).collect()
}

/// What the rule file gives, counted over all customers.
struct Counted {
    fidelity: f64,
    revenue_fidelity: Option<f64>,
    inertia_price: Option<f64>,
}

fn counted(toml: &str, customers: &Customers, tiered: &Tiered<'_>) -> Result<Counted> {
    let rules = RuleSet::read(toml, std::path::Path::new("clusters.toml"))?.under(tiered.meaning);
    rules.check()?;
    let segmented = rules.fit(customers)?.segments(customers)?;
    let tier_of: Vec<usize> = segmented
        .names
        .iter()
        .map(|name| {
            tiered
                .tiers
                .iter()
                .position(|tier| tier.name == name.en)
                .unwrap_or(usize::MAX)
        })
        .collect();
    let given: Vec<usize> = segmented
        .labels
        .iter()
        .map(|label| label.map_or(usize::MAX, |label| tier_of[label as usize]))
        .collect();
    let mut right = 0_u64;
    let (mut revenue, mut all) = (0_i128, 0_i128);
    for ((&given, &own), &units) in given.iter().zip(tiered.labels).zip(&customers.revenue) {
        all += i128::from(units);
        if given == own as usize {
            right += 1;
            revenue += i128::from(units);
        }
    }
    let own: Vec<usize> = tiered.labels.iter().map(|&tier| tier as usize).collect();
    let k = tiered.tiers.len();
    let (before, after) = (
        inertia(tiered.matrix, &own, k),
        inertia(tiered.matrix, &given, k),
    );
    let amount = |units| from_fixed(units, customers.decimals);
    Ok(Counted {
        fidelity: right as f64 / customers.len() as f64,
        revenue_fidelity: (0 < all).then(|| amount(revenue) / amount(all)),
        inertia_price: (0.0 < before).then(|| after / before),
    })
}

/// Sum of squared distances to the mean of the own group.
fn inertia(matrix: ArrayView2<'_, f64>, groups: &[usize], k: usize) -> f64 {
    let d = matrix.ncols();
    let (mut sums, mut sizes) = (vec![0.0; k * d], vec![0_u64; k]);
    for (row, &group) in matrix.outer_iter().zip(groups) {
        if group < k {
            sizes[group] += 1;
            for (sum, value) in sums[group * d..].iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
    let mut total = 0.0;
    for (row, &group) in matrix.outer_iter().zip(groups) {
        if group < k {
            let n = sizes[group] as f64;
            let parts = sums[group * d..].iter().zip(row);
            total += parts
                .map(|(sum, value)| (value - sum / n).powi(2))
                .sum::<f64>();
        }
    }
    total
}
