//! What to do about an error: the next step, kept apart from the message.
//!
//! In: an [`Error`]. Out: one sentence, or none where the message says it all.

use super::Error;

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
            Self::ConfigSyntax { source, .. } => twice(source),
            Self::UnknownKey {
                suggestion, known, ..
            } => Some(match suggestion {
                Some(suggestion) => suggestion.clone(),
                None => format!("known here: {}", quoted(known)),
            }),
            Self::Rules(fault) => Some(fault.hint()),
            Self::Comparison(fault) => fault.hint(),
            Self::Backtest(fault) => fault.hint(),
            Self::Missing { hint, .. }
            | Self::Conflict { hint, .. }
            | Self::WrongType { hint, .. }
            | Self::NoRows { hint, .. }
            | Self::NoSql { hint, .. }
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
            Self::NotLocal { .. } => Some(
                "tiermill reads files of this machine: mount the bucket (gcsfuse, rclone, s3fs), or copy it first (`aws s3 sync`, `curl`), and give the path"
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
                key: "label",
                found,
                ..
            } => Some(format!("columns found: {}", quoted(found))),
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
            // The words of `todo!` and `unimplemented!`, with which polars gives up on types that it cannot read yet.
            Self::Damaged { message, .. } if message.contains("not yet implemented") => Some(
                "polars cannot read the type of one of its columns: cast it where it is written"
                    .to_owned(),
            ),
            Self::Damaged { .. } | Self::BadFooter { .. } => Some(
                "the file is damaged: write or copy it again".to_owned(),
            ),
            Self::SchemaDiffers { .. } => Some(
                "write both files with one type, or give them to two runs".to_owned(),
            ),
            Self::AmountTooLarge {
                decimal: Some(decimal),
                ..
            }
            | Self::TotalTooLarge {
                decimal: Some(decimal),
                ..
            } => Some(format!(
                "a Decimal keeps its scale: narrow it with `--amount 'CAST({decimal} AS DECIMAL(18, 4))'`, or look at the amounts of this customer: `where` can leave rows out"
            )),
            Self::AmountTooLarge { .. } | Self::TotalTooLarge { .. } => Some(
                "lower `decimals`, or look at the amounts of this customer: `where` can leave rows out".to_owned(),
            ),
            Self::NotScalable { .. } => Some(
                "leave the customer out with `where`, or tame the feature: `transform = \"log1p\"`, `winsorise = 0.001`"
                    .to_owned(),
            ),
            Self::CustomerTwice { .. } => Some(
                "set `level = \"orders\"` if each row is an order, or make the table one row per customer".to_owned(),
            ),
            Self::TooFewPoints { distinct, .. } => Some(if *distinct < 2 {
                "all customers look the same; add a feature, or look at `tiermill check`".to_owned()
            } else {
                format!("set `k` to {distinct} or less; with `k = \"auto\"`, `k-min`")
            }),
            Self::Mixture { .. } => Some(
                "lower `k`, raise `max-iter`, or leave it to `k = \"auto\"`; `algorithm = \"lloyd\"` needs no width of its clusters"
                    .to_owned(),
            ),
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
            Self::CurrentTaken { .. } => {
                Some("move it away, or give another `--out`".to_owned())
            }
            Self::OutIsFile { .. } => Some("give `--out` a folder".to_owned()),
            Self::Io { action, source, .. }
                if *action == "write" || matches!(source.kind(), std::io::ErrorKind::StorageFull) =>
            {
                Some("nothing was published; is there space left?".to_owned())
            }
            Self::NotSynced { .. } => Some(
                "readers see the run; after a power cut `current` may point to the one before".to_owned(),
            ),
            Self::TooFewCustomers { .. } => Some(
                "look at `where`, `window` and the customer column".to_owned(),
            ),
            Self::OutBusy { .. } => Some("wait for it to end, or give another `--out`".to_owned()),
            _ => None,
        }
    }
}

/// For a table whose name is taken by a key above it, which TOML only calls a duplicate.
fn twice(error: &toml::de::Error) -> Option<String> {
    let is_table = error.to_string().contains("| [");
    (is_table && error.message().contains("duplicate key")).then(|| {
        "a table has the name of a key above it; move the key into the table, as in `[input]` and below it `input = \"orders/\"`"
            .to_owned()
    })
}

/// `` `a`, `b`, `c` `` (at most twelve, then how many more).
pub(super) fn quoted(names: &[String]) -> String {
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
