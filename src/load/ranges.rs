//! Between which whole numbers the columns of Parquet files lie.
//!
//! In: the footers of files. Out: for a column the least and the greatest number of all files.
//! Invariant: a hint and no promise: it is what writers said of their files. A column of which one row group says nothing has
//! none.

use std::collections::BTreeMap;

use polars::io::parquet::read::FileMetadata;
use polars::prelude::{DataType, Schema};

/// Least and greatest.
type Range = (i64, i64);

/// The ranges of one file, by column.
pub(super) type OfFile = BTreeMap<String, Range>;

/// The ranges of all files that were added, by column; `None` before the first.
#[derive(Debug, Default)]
pub(super) struct Ranges(Option<OfFile>);

impl Ranges {
    /// Adds a file.
    pub(super) fn add(&mut self, mut file: OfFile) {
        self.0 = Some(match self.0.take() {
            None => file,
            Some(all) => all
                .into_iter()
                .filter_map(|(column, range)| {
                    let other = file.remove(&column)?;
                    Some((column, both(range, other)))
                })
                .collect(),
        });
    }

    /// The range of a column.
    pub(super) fn get(&self, column: &str) -> Option<Range> {
        self.0.as_ref()?.get(column).copied()
    }
}

/// The ranges that a footer tells of columns of whole numbers.
pub(super) fn of_file(footer: &FileMetadata, schema: &Schema) -> OfFile {
    let columns = schema.iter().filter(|(_, dtype)| in_64_bits(dtype));
    let ranges = columns.filter_map(|(name, _)| Some((name.to_string(), range(footer, name)?)));
    ranges.collect()
}

/// Whether every number of the type is an i64.
pub(super) fn in_64_bits(dtype: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32};
    matches!(
        dtype,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32
    )
}

fn range(footer: &FileMetadata, column: &str) -> Option<Range> {
    let mut all: Option<Range> = None;
    for group in &footer.row_groups {
        let mut chunks = group.columns_under_root_iter(column)?;
        let statistics = chunks.next()?.statistics(&footer.footer_buf)?.ok()?;
        let (least, greatest) = match (statistics.as_int64(), statistics.as_int32()) {
            (Some(of), _) => (of.min_value?, of.max_value?),
            (_, Some(of)) => (of.min_value?.into(), of.max_value?.into()),
            _ => return None,
        };
        let found = (least, greatest);
        all = Some(all.map_or(found, |all| both(all, found)));
    }
    all.filter(|(least, greatest)| least <= greatest)
}

/// The range of two.
fn both((a, z): Range, (other_a, other_z): Range) -> Range {
    (a.min(other_a), z.max(other_z))
}
