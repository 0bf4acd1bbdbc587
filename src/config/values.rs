//! The words and numbers that a setting may be.
//!
//! In: text of a flag or a value of the file. Out: a typed value, or a sentence that says what was expected.
//! Invariant: `Display` writes what `FromStr` reads, so a printed config can be fed back.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Declares an enum of words that is the same on the command line, in the file and in JSON.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[value(name = $word)] #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word as it is written in flags, files and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What one row of the input is.
    Level {
        /// An order, an order line or an event.
        Orders = "orders",
        /// A customer, with R, F and M ready.
        Customers = "customers",
    }
}

words! {
    /// What frequency counts.
    Count {
        /// Distinct values of the order column, or rows where there is none.
        Orders = "orders",
        /// Distinct days of a customer.
        Days = "days",
        /// Rows.
        Rows = "rows",
    }
}

words! {
    /// How monetary is made from the amounts.
    Monetary {
        /// Total amount.
        Sum = "sum",
        /// Total amount per order.
        Mean = "mean",
    }
}

words! {
    /// How days are counted from the last order to as-of.
    Recency {
        /// Whole elapsed 24 hours.
        Floor = "floor",
        /// Midnights between the two.
        Calendar = "calendar",
        /// Elapsed time with its fraction.
        Exact = "exact",
    }
}

words! {
    /// What a negative amount is.
    Refunds {
        /// Lowers M; is no order and makes nobody recent.
        Net = "net",
        /// A row like any other.
        Keep = "keep",
        /// Left out, on purpose.
        Drop = "drop",
        /// A fault of the data.
        Reject = "reject",
    }
}

words! {
    /// A quantity of a customer that can become a column of the feature matrix.
    Feature {
        /// Days from the last order to as-of; small is good.
        RecencyDays = "recency_days",
        /// Orders in the window.
        Frequency = "frequency",
        /// Total amount, or amount per order.
        Monetary = "monetary",
        /// Days from the first order to as-of.
        TenureDays = "tenure_days",
        /// Amount per order.
        Aov = "aov",
    }
}

impl Feature {
    /// All of them, in the order of the tables of the file.
    pub const ALL: [Self; 5] = [
        Self::RecencyDays,
        Self::Frequency,
        Self::Monetary,
        Self::TenureDays,
        Self::Aov,
    ];
}

words! {
    /// What is done to a feature to make its distribution less lopsided.
    Transform {
        /// sign(x) · ln(1 + |x|).
        Log1p = "log1p",
        /// Nothing.
        None = "none",
        /// Yeo-Johnson's power family, with the exponent of greatest likelihood.
        YeoJohnson = "yeo-johnson",
    }
}

words! {
    /// How transformed features are made comparable.
    Scale {
        /// (x − mean) / population deviation.
        Zscore = "zscore",
        /// (x − median) / interquartile range.
        Robust = "robust",
        /// (x − min) / (max − min).
        Minmax = "minmax",
        /// Position among the quantiles, 0 to 1.
        Quantile = "quantile",
    }
}

words! {
    /// How tiers are found.
    Method {
        /// Clusters of the feature matrix.
        Kmeans = "kmeans",
        /// Bands of each feature alone, cut where its optimal one-dimensional k-means cuts.
        Breaks = "breaks",
    }
}

words! {
    /// Who computes the clusters.
    Algorithm {
        /// k-means of tiermill: on the sketch first, on all customers last.
        Lloyd = "lloyd",
        /// k-means of linfa-clustering, taken to its end by ours.
        Linfa = "linfa",
        /// Gaussian mixture of linfa-clustering: soft memberships, the likeliest wins.
        Gmm = "gmm",
    }
}

words! {
    /// How results are written to stdout.
    Format {
        /// Tables for people.
        Human = "human",
        /// One JSON document for programs.
        Json = "json",
    }
}

words! {
    /// The SQL that an engine speaks.
    Dialect {
        /// DuckDB.
        Duckdb = "duckdb",
        /// PostgreSQL, 14 or later.
        Postgres = "postgres",
        /// `BigQuery`.
        Bigquery = "bigquery",
        /// Snowflake.
        Snowflake = "snowflake",
        /// Spark SQL, 3.4 or later.
        Spark = "spark",
        /// The SQL of polars.
        Polars = "polars",
    }
}

words! {
    /// What a time column of a table holds.
    TimeType {
        /// The wall clock: a date, or a timestamp without zone.
        Timestamp = "timestamp",
        /// Instants: a timestamp with a zone.
        Instant = "timestamptz",
        /// ISO 8601 text without zone.
        Text = "text",
    }
}

/// The number of clusters: given, or chosen from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum K {
    /// The best of `k-min..=k-max`.
    Auto,
    /// This one.
    Fixed(usize),
}

impl fmt::Display for K {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Fixed(k) => write!(formatter, "{k}"),
        }
    }
}

impl FromStr for K {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<usize>() {
            Ok(k) if 2 <= k => Ok(Self::Fixed(k)),
            Err(_) if text == "auto" => Ok(Self::Auto),
            _ => Err("expected `auto` or a number from 2".to_owned()),
        }
    }
}

impl Serialize for K {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Fixed(k) => serializer.serialize_u64(*k as u64),
        }
    }
}

/// A whole number of days: `365d`, `52w`, or just `365`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(pub u32);

impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}d", self.0)
    }
}

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, factor) = match text.strip_suffix('w') {
            Some(weeks) => (weeks, 7),
            None => (text.strip_suffix('d').unwrap_or(text), 1),
        };
        digits
            .parse::<u32>()
            .ok()
            .and_then(|n| n.checked_mul(factor))
            .filter(|n| (1..=1_000_000).contains(n))
            .map(Self)
            .ok_or_else(|| "expected days or weeks from 1, as in `365d` or `52w`".to_owned())
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part of a whole, 0 to 1: `0.01` or `1%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl Share {
    /// For people: `7 %`, `0.01 %`, with the decimals that were given.
    pub fn percent(self) -> String {
        let text = format!("{:.10}", self.0 * 100.0);
        format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None => (text, 1.0),
        };
        number
            .parse::<f64>()
            .ok()
            .map(|value| value / unit)
            .filter(|value| (0.0..=1.0).contains(value))
            .map(Self)
            .ok_or_else(|| "expected a share from 0 to 1, as in `0.01` or `1%`".to_owned())
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

/// Reads a string, an integer or a float of the file through `FromStr`, so that flags and file share one parser.
struct Scalar<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! deserialize_scalar {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Scalar(std::marker::PhantomData))
            }
        }
    )+};
}

deserialize_scalar!(K, Days, Share);

/// Digits in groups of three, for people: `69659` is 69,659.
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
