//! Everything that can go wrong, and everything worth telling although it went well.
//!
//! In: the facts at the place of the fault. Out: one sentence, a hint, an exit code.
//! Invariant: a variant carries facts as fields (where, what was found, what was expected), never a ready sentence.

mod backtest;
mod compare;
mod exit_code;
mod hint;
mod rules;
mod warning;

use std::path::PathBuf;

use polars::error::PolarsError;

pub use backtest::BacktestFault;
pub use compare::CompareFault;
pub(crate) use hint::nearest;
pub use rules::RuleFault;
pub use warning::Warning;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run stopped.
///
/// The text says what was found and what was expected; [`Error::hint`] says what to do next; [`Error::exit_code`] is
/// what the process ends with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Command line and config: exit code 2.
    /// The config file could not be read.
    #[error("cannot read the config `{}`", path.display())]
    ConfigRead {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The config file is not TOML.
    #[error("`{}` is not valid TOML", path.display())]
    ConfigSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A key that no table knows.
    #[error("unknown key `{key}` {place}")]
    UnknownKey {
        /// `in [input]`, or `at the top level`.
        place: String,
        /// The key as written.
        key: String,
        /// The nearest known key, or the table that the key belongs to.
        suggestion: Option<String>,
        /// The keys that this place knows.
        known: Vec<String>,
    },
    /// A key or flag with a value that it cannot have.
    #[error("`{key}` is {found}, expected {expected}")]
    BadValue {
        /// The key, which is also the flag.
        key: String,
        /// What was written.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A key that has no default and was not given.
    #[error("`{key}` is not set")]
    Missing {
        /// The key, which is also the flag.
        key: &'static str,
        /// How to set it.
        hint: String,
    },
    /// Two settings that contradict each other.
    #[error("{first} and {second} cannot go together")]
    Conflict {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Why, and which to drop.
        hint: String,
    },
    /// An SQL expression of the config that polars cannot read.
    #[error("cannot read `{key} = \"{text}\"` as an SQL expression")]
    Expression {
        /// `amount` or `where`.
        key: &'static str,
        /// The expression as written.
        text: String,
        /// polars' reason.
        source: PolarsError,
    },
    /// Something that a dialect has no words for.
    #[error("{what} cannot be said in the SQL of {dialect}")]
    NoSql {
        /// The setting, or the part of an expression.
        what: String,
        /// The dialect.
        dialect: &'static str,
        /// The way around it.
        hint: String,
    },

    /// Rules that cannot be run, or customers that they cannot score.
    #[error(transparent)]
    Rules(Box<RuleFault>),
    /// Two tierings that cannot be compared.
    #[error(transparent)]
    Comparison(Box<CompareFault>),
    /// Tiers that cannot be tested on what came after them.
    #[error(transparent)]
    Backtest(Box<BacktestFault>),

    // Input: exit code 1.
    /// An input path that does not exist.
    #[error("no such file or folder: `{}`", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// An input that is not on a disk of this machine.
    #[error("`{place}` is a URL, expected a file, a folder or a glob")]
    NotLocal {
        /// The path.
        place: String,
    },
    /// A folder or glob without Parquet files.
    #[error("no Parquet files in `{place}`")]
    NoFiles {
        /// The folder or glob.
        place: String,
        /// What is there instead.
        found: Vec<String>,
    },
    /// A glob that matches nothing.
    #[error("no Parquet files match `{glob}`")]
    NoMatch {
        /// The glob.
        glob: String,
        /// The folder in front of its first star.
        folder: String,
    },
    /// A file without a byte.
    #[error("`{}` is empty (0 bytes), expected a Parquet file", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file that is something else.
    #[error("`{}` is not a Parquet file: it begins with {found}, expected `PAR1`", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// Its first bytes, printable.
        found: String,
    },
    /// A Parquet file whose end is missing.
    #[error("`{}` is cut off: {bytes} bytes, and the footer that ends a Parquet file is missing", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A Parquet file whose footer does not fit into it.
    #[error("`{}` is damaged: its footer says {footer} bytes, the file has {bytes}", path.display())]
    BadFooter {
        /// The file.
        path: PathBuf,
        /// Bytes of the footer according to its length field.
        footer: u64,
        /// Size of the file.
        bytes: u64,
    },
    /// A file that polars gave up on.
    #[error("cannot read `{place}`: {message}")]
    Damaged {
        /// The file, or the list of files.
        place: String,
        /// What polars said.
        message: String,
    },
    /// A file that cannot be opened or whose contents are damaged.
    #[error("cannot read `{place}`")]
    Read {
        /// The file, or the list of files.
        place: String,
        /// Why.
        source: PolarsError,
    },
    /// A column that the config names and the file has not.
    #[error("`{place}` has no column `{column}`")]
    MissingColumn {
        /// The file.
        place: String,
        /// The column as named by the config.
        column: String,
        /// The key that names it.
        key: &'static str,
        /// The columns that are there.
        found: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },
    /// A column that an expression names and the file has not.
    #[error("`{place}` has no column `{column}`, which `{key} = \"{expression}\"` needs")]
    MissingInExpression {
        /// The file.
        place: String,
        /// The column.
        column: String,
        /// `amount` or `where`.
        key: &'static str,
        /// The expression.
        expression: Box<str>,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A column of a type that cannot play its part.
    #[error("column `{column}` of `{place}` is {found}, expected {expected}")]
    WrongType {
        /// The file.
        place: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The types that would do.
        expected: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// Two files of one input that do not agree.
    #[error("column `{column}` is {first_type} in `{first}` and {second_type} in `{second}`")]
    SchemaDiffers {
        /// The column.
        column: String,
        /// The first file.
        first: String,
        /// The type there (`missing` where it is not there).
        first_type: String,
        /// The other file.
        second: String,
        /// The type there.
        second_type: String,
    },
    /// Nothing is left to work with.
    #[error("no usable rows: {read} read, {rejected}")]
    NoRows {
        /// Rows in the input.
        read: u64,
        /// `3 null_time, 2 before_window`.
        rejected: String,
        /// What to do about it.
        hint: String,
    },
    /// The account of the rows does not add up. It is a fault of tiermill, or the input changed while it was read.
    #[error("{read} rows read, but {used} used and {rejected} rejected")]
    Unreconciled {
        /// Rows according to the files.
        read: u64,
        /// Rows that made the customers.
        used: u64,
        /// Rows that were counted as rejected.
        rejected: u64,
    },
    /// An amount that the fixed point cannot hold.
    #[error(
        "customer `{customer}` has an amount of {amount}, more than {decimals} decimals leave room for"
    )]
    AmountTooLarge {
        /// The customer.
        customer: String,
        /// The amount.
        amount: String,
        /// Decimals in force.
        decimals: u32,
        /// The Decimal that they are the scale of.
        decimal: Option<String>,
    },
    /// A sum that the fixed point cannot hold.
    #[error(
        "the amounts of customer `{customer}` add up to {total}, more than {decimals} decimals leave room for"
    )]
    TotalTooLarge {
        /// The customer.
        customer: String,
        /// The exact total.
        total: String,
        /// Decimals in force.
        decimals: u32,
        /// The Decimal that they are the scale of.
        decimal: Option<String>,
    },
    /// A ready customer table with a customer twice.
    #[error(
        "customer `{customer}` has {rows} rows in a table with `level = \"customers\"`, expected one"
    )]
    CustomerTwice {
        /// The customer.
        customer: String,
        /// Rows found.
        rows: u64,
    },
    /// Too few customers for any tiers.
    #[error("{found} customer{}: tiers need at least 2", if *found == 1 { "" } else { "s" })]
    TooFewCustomers {
        /// Customers found.
        found: usize,
    },
    /// More clusters asked for than there are different customers.
    #[error("k = {k}, but the customers have only {distinct} distinct point{} in feature space", if *distinct == 1 { "" } else { "s" })]
    TooFewPoints {
        /// Clusters asked for.
        k: usize,
        /// Distinct points found.
        distinct: usize,
    },
    /// A feature with a value that is not a number.
    #[error("feature `{feature}` of customer `{customer}` is {value}, expected a finite number")]
    NotFinite {
        /// The feature.
        feature: &'static str,
        /// The customer.
        customer: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// A feature whose values are too large to be squared and added.
    #[error("feature `{feature}` cannot be scaled: customer `{customer}` has {value}")]
    NotScalable {
        /// The feature.
        feature: &'static str,
        /// The customer with the largest value.
        customer: String,
        /// That value, printable.
        value: String,
    },
    /// A cell of the matrix that is not a number.
    #[error("row {row} of the matrix has {value} in column {column}, expected a finite number")]
    BadPoint {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A feature that this input cannot give.
    #[error("feature `{feature}` cannot be computed from this input")]
    NoFeature {
        /// The feature.
        feature: &'static str,
        /// What would be needed.
        hint: String,
    },
    /// More customers than their numbers have room for.
    #[error("{customers} customers, expected at most {limit}")]
    TooManyCustomers {
        /// Customers found.
        customers: usize,
        /// The most.
        limit: u64,
    },
    /// Two sketches that count in different units.
    #[error(
        "the sketches have different grids: their features, or the reach of their values, differ"
    )]
    OtherGrid,
    /// A table that is none of a sketch.
    #[error("column `{column}` of the sketch table: {found}, expected {expected}")]
    SketchTable {
        /// The column.
        column: &'static str,
        /// What it has, and in which row (from 0).
        found: String,
        /// What a sketch would have written.
        expected: String,
    },
    /// A part of a model that does not fit the others.
    #[error("`{part}` of the model does not fit its other parts")]
    ModelPart {
        /// The key in model.json.
        part: &'static str,
    },
    /// No mixture was found.
    #[error("no Gaussian mixture of k = {k} was found")]
    Mixture {
        /// Components asked for.
        k: usize,
        /// Why not, as linfa says it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Values that cannot be cut into bands.
    #[error("cannot cut a feature into bands")]
    Breaks {
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// linfa refused a dataset.
    #[error("linfa refused the dataset")]
    Dataset {
        /// linfa's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// linfa-clustering refused.
    #[error("k-means failed at k = {k}")]
    KMeans {
        /// Clusters asked for.
        k: usize,
        /// linfa's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    // A limit of data quality: exit code 3.
    /// Too many rows had to be rejected.
    #[error(
        "{rejected} of {looked_at} rows rejected ({share}), more than `max-rejected` = {limit}: {reasons}"
    )]
    MaxRejected {
        /// Faulty rows.
        rejected: u64,
        /// Rows that were looked at for faults.
        looked_at: u64,
        /// Their share, printable.
        share: String,
        /// The limit, printable.
        limit: String,
        /// `120 null_customer, 3 bad_amount`.
        reasons: String,
    },
    /// The newest day stands alone.
    #[error(
        "the newest orders ({rows} on or after {newest}) lie {gap_days} days after the ones before ({before}), more than `max-gap` = {limit_days} days"
    )]
    LoneNewestDay {
        /// First day after the gap.
        newest: String,
        /// Rows after the gap.
        rows: u64,
        /// The newest day before the gap.
        before: String,
        /// Days between the two.
        gap_days: i64,
        /// `max-gap`.
        limit_days: i64,
    },

    // Model file: exit code 1, but for a config that does not fit it.
    /// A model that cannot be read.
    #[error("`{}` is not a tiermill model", path.display())]
    ModelSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A document of a run that cannot be read.
    #[error("`{}` is not the JSON of a run", path.display())]
    DocumentSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A model written by a later version.
    #[error("model `{}` has format version {found}, this tiermill reads up to {known}", path.display())]
    ModelNewer {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// A model whose parts do not fit together.
    #[error("model `{}` has {found} {what}, expected {expected}", path.display())]
    ModelBroken {
        /// The file.
        path: PathBuf,
        /// What was counted.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A model that was fitted under another config.
    #[error("model `{}` was fitted with `{what}` = {model}, the config says {config}", path.display())]
    ModelMismatch {
        /// The file.
        path: PathBuf,
        /// The setting.
        what: String,
        /// Its value in the model.
        model: String,
        /// Its value now.
        config: String,
    },

    // Output: exit code 1.
    /// A folder that holds something else.
    #[error("`{}` is not empty and was not made by tiermill", path.display())]
    OutNotOurs {
        /// The folder.
        path: PathBuf,
        /// Something that is in it.
        found: String,
    },
    /// A file stands where a folder has to be.
    #[error("`{}` is a file, expected a folder", path.display())]
    OutIsFile {
        /// The path.
        path: PathBuf,
    },
    /// Something stands where the link to the last run has to be.
    #[error("`{}` is not the link that points to the last run", path.display())]
    CurrentTaken {
        /// The path.
        path: PathBuf,
    },
    /// Another run is writing there.
    #[error("another tiermill is writing to `{}`", path.display())]
    OutBusy {
        /// The folder.
        path: PathBuf,
    },
    /// A file that exists and would be overwritten.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// How to go on.
        hint: String,
    },
    /// The system refused to read, write, make or move something.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `write`, `create the folder`, …
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A run is published, and the system could not make sure that it stays.
    #[error("published `{}`, but `current` could not be synced to the disk", path.display())]
    NotSynced {
        /// The run.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The work is done, and nobody can be told.
    #[error("{done}the report could not be printed to stdout")]
    Stdout {
        /// ``published `out/runs/…`, but ``, or nothing where printing was all.
        done: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that polars could not write or compute.
    #[error("cannot {action}")]
    Polars {
        /// What was being done.
        action: String,
        /// polars' reason.
        source: PolarsError,
    },
}

impl Error {
    /// For polars calls: `.map_err(Error::polars("sort the customers"))`.
    pub(crate) fn polars(action: impl Into<String>) -> impl FnOnce(PolarsError) -> Self {
        let action = action.into();
        move |source| Self::Polars { action, source }
    }

    /// For file calls: `.map_err(Error::io("write", &path))`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
