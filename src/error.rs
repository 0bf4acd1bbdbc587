//! Everything that can go wrong, and everything worth telling although it went well.
//!
//! In: the facts at the place of the fault. Out: one sentence, a hint, an exit code.
//! Invariant: a variant carries facts as fields (where, what was found, what was expected), never a ready sentence.

use std::path::PathBuf;

use polars::error::PolarsError;
use serde::Serialize;

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

    // Input: exit code 1.
    /// An input path that does not exist.
    #[error("no such file or folder: `{}`", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
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
    #[error("`{}` is cut off: {bytes} bytes, and the last four are not `PAR1`", path.display())]
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
    /// A feature that this input cannot give.
    #[error("feature `{feature}` cannot be computed from this input")]
    NoFeature {
        /// The feature.
        feature: &'static str,
        /// What would be needed.
        hint: String,
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
        "{rejected} of {read} rows rejected ({share}), more than `max-rejected` = {limit}: {reasons}"
    )]
    MaxRejected {
        /// Faulty rows.
        rejected: u64,
        /// Rows in the input.
        read: u64,
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

    // Model file: exit code 1.
    /// A model that cannot be read.
    #[error("`{}` is not a tiermill model", path.display())]
    ModelSyntax {
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
    /// The next step, kept apart from the message.
    #[expect(
        clippy::too_many_lines,
        reason = "a table with a line or two for each variant"
    )]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ConfigRead { .. } => {
                Some("`tiermill init PATH` writes a config for a Parquet input".to_owned())
            }
            Self::UnknownKey {
                suggestion, known, ..
            } => Some(match suggestion {
                Some(suggestion) => suggestion.clone(),
                None => format!("known here: {}", quoted(known)),
            }),
            Self::Missing { hint, .. }
            | Self::Conflict { hint, .. }
            | Self::WrongType { hint, .. }
            | Self::NoRows { hint, .. }
            | Self::NoFeature { hint, .. }
            | Self::Exists { hint, .. } => Some(hint.clone()),
            Self::Expression { .. } => Some(
                "the expression is polars SQL over the input's columns, as in `quantity * unit_price` or `status <> 'void'`"
                    .to_owned(),
            ),
            Self::NotFound { .. } => Some(
                "a path on the command line is taken from the current folder, a path in a config file from the folder of that file"
                    .to_owned(),
            ),
            Self::NoMatch { folder, .. } => Some(format!("nothing matches it; look at the folder `{folder}`")),
            Self::NoFiles { found, .. } => Some(if found.is_empty() {
                "it is empty; has the export run?".to_owned()
            } else {
                format!("found instead: {}", quoted(found))
            }),
            Self::Empty { .. } => Some("has the export run?".to_owned()),
            Self::NotParquet { .. } => {
                Some("tiermill reads Parquet; polars, DuckDB or Spark convert CSV and JSON".to_owned())
            }
            Self::Truncated { .. } => Some(
                "the writer was stopped, or the copy is not complete; write it again under another name and rename it when it is whole"
                    .to_owned(),
            ),
            Self::MissingColumn {
                key,
                found,
                nearest,
                ..
            } => {
                let example = nearest.clone().unwrap_or_else(|| "NAME".to_owned());
                Some(format!(
                    "columns found: {}; set `{key}` in [input] or pass `--{key} {example}`",
                    quoted(found)
                ))
            }
            Self::MissingInExpression { column, found, .. } => {
                Some(match nearest(column, found.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`? Columns found: {}", quoted(found)),
                    None => format!("columns found: {}", quoted(found)),
                })
            }
            Self::Damaged { .. } | Self::BadFooter { .. } => Some(
                "the file is damaged: write or copy it again".to_owned(),
            ),
            Self::SchemaDiffers { .. } => Some(
                "write both files with one type, or give them to two runs".to_owned(),
            ),
            Self::AmountTooLarge { .. } | Self::TotalTooLarge { .. } => Some(
                "lower `decimals`, or look at the amounts of this customer: `where` can leave rows out".to_owned(),
            ),
            Self::CustomerTwice { .. } => Some(
                "set `level = \"orders\"` if each row is an order, or make the table one row per customer".to_owned(),
            ),
            Self::TooFewPoints { distinct, .. } => Some(if *distinct < 2 {
                "all customers look the same; add a feature, or look at `tiermill check`".to_owned()
            } else {
                format!("set `k` to {distinct} or less, or `k = \"auto\"`")
            }),
            Self::MaxRejected { .. } => Some(
                "`tiermill check` lists them; leave rows out on purpose with `where`, or raise `max-rejected`".to_owned(),
            ),
            Self::LoneNewestDay { .. } => Some(
                "a date typed wrong would age every customer; set `as-of` (rows at or after it are not used), or raise `max-gap`"
                    .to_owned(),
            ),
            Self::ModelNewer { .. } => Some("update tiermill, or fit again with this one".to_owned()),
            Self::ModelMismatch { .. } => {
                Some("fit again, or give the config that the model was fitted with".to_owned())
            }
            Self::ModelSyntax { .. } | Self::ModelBroken { .. } => {
                Some("`--model` takes the model.json of a run or of `tiermill fit`".to_owned())
            }
            Self::OutNotOurs { found, .. } => {
                Some(format!("it holds `{found}`; give `--out` a new or empty folder"))
            }
            Self::Unreconciled { .. } => Some(
                "has the input changed while it was read? If not, please report this with the config".to_owned(),
            ),
            Self::OutIsFile { .. } => Some("give `--out` a folder".to_owned()),
            Self::Io { action, source, .. }
                if *action == "write" || matches!(source.kind(), std::io::ErrorKind::StorageFull) =>
            {
                Some("nothing was published; is there space left?".to_owned())
            }
            Self::TooFewCustomers { .. } => Some(
                "look at `where`, `window` and the customer column".to_owned(),
            ),
            Self::OutBusy { .. } => Some("wait for it to end, or give another `--out`".to_owned()),
            _ => None,
        }
    }

    /// What the process ends with: 1 the data or the run failed, 2 command line or config, 3 a data-quality limit.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigRead { .. }
            | Self::ConfigSyntax { .. }
            | Self::UnknownKey { .. }
            | Self::BadValue { .. }
            | Self::Missing { .. }
            | Self::Conflict { .. }
            | Self::Expression { .. } => 2,
            Self::MaxRejected { .. } | Self::LoneNewestDay { .. } => 3,
            _ => 1,
        }
    }

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

/// `` `a`, `b`, `c` `` (at most twelve, then how many more).
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    if SHOWN < names.len() {
        let last = shown.pop().unwrap_or_default();
        shown.push(format!("{last} and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

/// The known name nearest to a mistyped one, if any is near enough to be meant.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Jaro-Winkler likeness from which a name may be meant.
    const LIKE: f64 = 0.75;
    /// Letters from which a name inside another one is no accident.
    const TELLING: usize = 4;
    let typed = typed.to_lowercase();
    let contains = |name: &str| {
        let (short, long) = if name.len() < typed.len() {
            (name, typed.as_str())
        } else {
            (typed.as_str(), name)
        };
        TELLING <= short.len() && long.contains(short)
    };
    known
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let likeness = strsim::jaro_winkler(&typed, &lower);
            (
                if contains(&lower) {
                    likeness.max(LIKE)
                } else {
                    likeness
                },
                name,
            )
        })
        .filter(|&(likeness, _)| LIKE <= likeness)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

/// Something that did not stop the run and that a person should know.
///
/// Warnings travel in the results: the same value is printed, written to tiers.json and shown in the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// Stable, for programs: `constant_feature`, `net_not_positive`, …
    pub code: &'static str,
    /// For people: what was found and what to do.
    pub message: String,
}

impl Warning {
    /// A warning with its stable code and its sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
