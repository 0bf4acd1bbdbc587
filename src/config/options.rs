//! What a user may say: one struct that is both the flags and `tiermill.toml`.
//!
//! In: the command line through clap, the file through serde. Out: [`Options`], every field optional.
//! Invariant: the name of a flag is the name of its key, and no key stands in two tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::values::{
    Algorithm, Count, Days, Feature, Format, K, Level, Method, Monetary, Recency, Refunds, Scale,
    Share, Transform,
};

/// Everything that can be set, by flag or by file; a field that is `None` was not said.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// `[input]`: where the rows are and what their columns mean.
    #[command(flatten)]
    pub input: InputOptions,
    /// `[rfm]`: what recency, frequency and monetary are.
    #[command(flatten)]
    pub rfm: RfmOptions,
    /// `[features]`: how they become a matrix.
    #[command(flatten)]
    pub features: FeaturesOptions,
    /// `[cluster]`: how clusters are found.
    #[command(flatten)]
    pub cluster: ClusterOptions,
    /// `[tiers]`: how clusters are ranked and named.
    #[command(flatten)]
    pub tiers: TiersOptions,
    /// `[rules]`: fixed thresholds beside the tiers.
    #[command(flatten)]
    pub rules: RulesOptions,
    /// `[output]`: what is written, and where.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// `[input]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Input")]
pub struct InputOptions {
    /// Parquet files, folders (also hive-partitioned) or globs
    #[arg(long, value_name = "PATH", num_args = 1..)]
    #[serde(
        deserialize_with = "one_or_many",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Vec<String>>,
    /// What a row is: an order, order line or event, or a customer with R, F and M ready
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Column that identifies the customer (integer, string or binary)
    #[arg(long, value_name = "COLUMN")]
    pub customer: Option<String>,
    /// Column with the time of the order (Date, Datetime or ISO string)
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Column with the amount, or an SQL expression such as `quantity * unit_price`
    #[arg(long, value_name = "COLUMN|SQL")]
    pub amount: Option<String>,
    /// Column that identifies the order, where an order has several rows
    #[arg(long, value_name = "COLUMN")]
    pub order: Option<String>,
    /// Column with the type of the event, for `[features.monetary] weights`
    #[arg(long, value_name = "COLUMN")]
    pub event: Option<String>,
    /// SQL condition for the rows that count, such as `quantity > 0`
    #[arg(long = "where", value_name = "SQL")]
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Count exact duplicate rows once
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub deduplicate: Option<bool>,
    /// Column with days since the last order (with `level = "customers"`)
    #[arg(long, value_name = "COLUMN")]
    pub recency_column: Option<String>,
    /// Column with the number of orders (with `level = "customers"`)
    #[arg(long, value_name = "COLUMN")]
    pub frequency_column: Option<String>,
    /// Column with the amount per customer (with `level = "customers"`)
    #[arg(long, value_name = "COLUMN")]
    pub monetary_column: Option<String>,
    /// Column with days since the first order, if there is one (with `level = "customers"`)
    #[arg(long, value_name = "COLUMN")]
    pub tenure_column: Option<String>,
    /// Zone whose midnights count, such as `Asia/Shanghai` (times with a zone are converted to it)
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Decimals of the fixed point in which amounts are summed (Decimal columns keep their own)
    #[arg(long, value_name = "N")]
    pub decimals: Option<u32>,
    /// Share of faulty rows above which nothing is published
    #[arg(long, value_name = "SHARE")]
    pub max_rejected: Option<Share>,
}

/// `[rfm]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Recency, frequency, monetary")]
pub struct RfmOptions {
    /// Moment to look from, exclusive [default: midnight after the newest order]
    #[arg(long, value_name = "DATE|TIME")]
    pub as_of: Option<String>,
    /// Use only the orders of this long before as-of [default: all]
    #[arg(long, value_name = "DAYS")]
    pub window: Option<Days>,
    /// Without `as-of`: widest gap before the newest orders that is believed
    #[arg(long, value_name = "DAYS")]
    pub max_gap: Option<Days>,
    /// What frequency counts
    #[arg(long, value_name = "WHAT")]
    pub count: Option<Count>,
    /// How days since the last order are counted
    #[arg(long, value_name = "HOW")]
    pub recency: Option<Recency>,
    /// Total amount, or amount per order
    #[arg(long, value_name = "HOW")]
    pub monetary: Option<Monetary>,
    /// What negative amounts are
    #[arg(long, value_name = "POLICY")]
    pub refunds: Option<Refunds>,
}

/// `[features]`, with a table per feature for what differs.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Features")]
pub struct FeaturesOptions {
    /// Columns of the feature matrix
    #[arg(long, value_name = "FEATURE", num_args = 1.., value_delimiter = ',')]
    pub features: Option<Vec<Feature>>,
    /// Transform of all features
    #[arg(long, value_name = "TRANSFORM")]
    pub transform: Option<Transform>,
    /// Scale of all features
    #[arg(long, value_name = "SCALE")]
    pub scale: Option<Scale>,
    /// Clip this share of customers at both ends of all features [default: none]
    #[arg(long, value_name = "SHARE")]
    pub winsorise: Option<Share>,
    /// `[features.recency_days]`.
    #[arg(skip)]
    #[serde(
        rename = "recency_days",
        skip_serializing_if = "FeatureOptions::is_empty"
    )]
    pub recency_days: FeatureOptions,
    /// `[features.frequency]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "FeatureOptions::is_empty")]
    pub frequency: FeatureOptions,
    /// `[features.monetary]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "FeatureOptions::is_empty")]
    pub monetary: FeatureOptions,
    /// `[features.tenure_days]`.
    #[arg(skip)]
    #[serde(
        rename = "tenure_days",
        skip_serializing_if = "FeatureOptions::is_empty"
    )]
    pub tenure_days: FeatureOptions,
    /// `[features.aov]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "FeatureOptions::is_empty")]
    pub aov: FeatureOptions,
}

impl FeaturesOptions {
    /// The table of one feature.
    pub(super) fn of(&self, feature: Feature) -> &FeatureOptions {
        match feature {
            Feature::RecencyDays => &self.recency_days,
            Feature::Frequency => &self.frequency,
            Feature::Monetary => &self.monetary,
            Feature::TenureDays => &self.tenure_days,
            Feature::Aov => &self.aov,
        }
    }
}

/// `[features.NAME]`: what differs from `[features]` for this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FeatureOptions {
    /// Its own transform.
    pub transform: Option<Transform>,
    /// Its own scale.
    pub scale: Option<Scale>,
    /// Its own share to clip at both ends.
    pub winsorise: Option<Share>,
    /// How much it counts, 0.000001 to 1,000,000: the scaled feature is multiplied by this.
    pub weight: Option<f64>,
    /// Only in `[features.monetary]`: what each type of event is worth.
    pub weights: Option<BTreeMap<String, f64>>,
}

impl FeatureOptions {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `[cluster]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Clusters")]
pub struct ClusterOptions {
    /// How tiers are found
    #[arg(long, value_name = "METHOD")]
    pub method: Option<Method>,
    /// Who computes the clusters
    #[arg(long, value_name = "ALGORITHM")]
    pub algorithm: Option<Algorithm>,
    /// Number of tiers, or `auto`: the best silhouette of k-min..k-max
    #[arg(long, value_name = "auto|N")]
    pub k: Option<K>,
    /// Smallest number of tiers that `auto` tries
    #[arg(long, value_name = "N")]
    pub k_min: Option<usize>,
    /// Largest number of tiers that `auto` tries
    #[arg(long, value_name = "N")]
    pub k_max: Option<usize>,
    /// With `method = "breaks"`: bands of each feature, 2 to 5
    #[arg(long, value_name = "N")]
    pub bands: Option<usize>,
    /// Restarts, of which the best is kept
    #[arg(long, value_name = "N")]
    pub n_runs: Option<usize>,
    /// Iterations at which a restart is given up
    #[arg(long, value_name = "N")]
    pub max_iter: Option<u64>,
    /// Seed of the random starts
    // TOML has no whole numbers beyond 63 bits.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Share of the customers under which a tier is reported as small
    #[arg(long, value_name = "SHARE")]
    pub min_share: Option<Share>,
}

/// `[tiers]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Tiers")]
pub struct TiersOptions {
    /// Feature whose mean ranks the tiers, best first
    #[arg(long, value_name = "FEATURE")]
    pub rank_by: Option<Feature>,
    /// Names by rank, best first; as many as there are tiers
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub tier_names: Option<Vec<String>>,
    /// Chinese names by rank, best first
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub tier_names_zh: Option<Vec<String>>,
    /// Names by the code of the centroid: `111 = { en = "VIP", zh = "贵宾" }`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_names: Option<BTreeMap<String, CodeName>>,
}

/// A name in two languages; what is left out stays as built in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodeName {
    /// English.
    pub en: Option<String>,
    /// Chinese.
    pub zh: Option<String>,
}

/// `[rules]`: a map or a file, and what is laid over it. What the parts mean is checked by `rules`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Rules")]
pub struct RulesOptions {
    /// Segments by fixed rules beside the tiers: a built-in map (`tiermill maps`) or a rule file
    #[arg(long, value_name = "NAME|FILE")]
    pub rules: Option<String>,
    /// Name of a built-in map.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// A rule file.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What results call the rules.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Value>,
    /// Chinese name.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_zh: Option<Value>,
    /// Where the rules come from.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Value>,
    /// Until when the data reached in which cut points were found.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fitted_as_of: Option<Value>,
    /// Cells that no segment takes are reported and not refused.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_gaps: Option<Value>,
    /// Cells that several segments match are reported and not refused.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_overlap: Option<Value>,
    /// Cut points that coincide make fewer bands and no error.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_equal: Option<Value>,
    /// `[rules.scores]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Value>,
    /// `[[rules.segments]]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Value>,
    /// `[rules.rename]`.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<Value>,
}

impl RulesOptions {
    /// Keys of a rule file.
    pub(super) const PARTS: [&str; 10] = [
        "name",
        "name-zh",
        "description",
        "fitted-as-of",
        "allow-gaps",
        "allow-overlap",
        "merge-equal",
        "scores",
        "segments",
        "rename",
    ];

    fn parts(&mut self) -> [&mut Option<Value>; 10] {
        [
            &mut self.name,
            &mut self.name_zh,
            &mut self.description,
            &mut self.fitted_as_of,
            &mut self.allow_gaps,
            &mut self.allow_overlap,
            &mut self.merge_equal,
            &mut self.scores,
            &mut self.segments,
            &mut self.rename,
        ]
    }

    /// The parts of a rule file that were said, as such a file.
    pub fn definition(&self) -> Table {
        let mut copy = self.clone();
        let parts = Self::PARTS.into_iter().zip(copy.parts());
        parts
            .filter_map(|(key, value)| Some((key.to_owned(), value.take()?)))
            .collect()
    }

    /// Puts the parts of a rule file in.
    pub(super) fn define(&mut self, mut table: Table) {
        for (key, part) in Self::PARTS.into_iter().zip(self.parts()) {
            *part = table.remove(key);
        }
    }
}

/// `[output]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Folder that receives the runs
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,
    /// Tables for people, or one JSON document for programs
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// No progress on stderr; warnings and errors stay
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub quiet: Option<bool>,
    /// Show how good every number of tiers that was tried would have been
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub explain: Option<bool>,
    /// Threads [default: all cores]; the result does not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Rows of each reason kept in rejected.parquet; all are counted
    #[arg(long, value_name = "N")]
    pub rejected_cap: Option<usize>,
}

/// Lets `input = "one"` stand for `input = ["one"]`.
fn one_or_many<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a path or a list of paths")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}

/// The tables of the file with the keys that each knows, in file order; also the catalogue of flags.
pub fn catalogue() -> Vec<(&'static str, Vec<String>)> {
    fn keys<A: clap::Args>() -> Vec<String> {
        A::augment_args(clap::Command::new("keys"))
            .get_arguments()
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect()
    }
    let mut features_keys = keys::<FeaturesOptions>();
    features_keys.extend(Feature::ALL.map(|feature| feature.as_str().to_owned()));
    let mut tiers_keys = keys::<TiersOptions>();
    tiers_keys.push("code-names".to_owned());
    let mut rules_keys = keys::<RulesOptions>();
    let parts = ["map", "file"].into_iter().chain(RulesOptions::PARTS);
    rules_keys.extend(parts.map(str::to_owned));
    vec![
        ("input", keys::<InputOptions>()),
        ("rfm", keys::<RfmOptions>()),
        ("features", features_keys),
        ("cluster", keys::<ClusterOptions>()),
        ("tiers", tiers_keys),
        ("rules", rules_keys),
        ("output", keys::<OutputOptions>()),
    ]
}
