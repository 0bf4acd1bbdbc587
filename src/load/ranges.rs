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

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use crate::load::source::Source;

    /// What is told of the column `id` of files with these ids, in row groups of two rows.
    #[expect(clippy::disallowed_methods, reason = "a test writes its own input")]
    fn told(files: &[Column], statistics: StatisticsOptions) -> Option<(i64, i64)> {
        let folder = tempfile::tempdir().ok()?;
        for (number, ids) in files.iter().enumerate() {
            let path = folder.path().join(format!("{number}.parquet"));
            let mut table = DataFrame::new(ids.len(), vec![ids.clone()]).ok()?;
            let file = std::fs::File::create(path).ok()?;
            let writer = ParquetWriter::new(file).with_row_group_size(Some(2));
            assert!(
                writer
                    .with_statistics(statistics)
                    .finish(&mut table)
                    .is_ok()
            );
        }
        let source = Source::open(&[folder.path().display().to_string()]);
        assert!(source.is_ok(), "{source:?}");
        source.ok()?.range("id")
    }

    #[test]
    fn files_tell_the_range_of_their_numbers() {
        let wide = |ids: &[i64]| Int64Chunked::from_slice("id".into(), ids).into_column();
        let all = StatisticsOptions::default();
        let one = [wide(&[5, -3, 70, 12, 9])];
        assert_eq!(told(&one, all), Some((-3, 70)));
        let two = [wide(&[5, 6]), wide(&[1_000, i64::MAX])];
        assert_eq!(told(&two, all), Some((5, i64::MAX)));
        let narrow = UInt32Chunked::from_slice("id".into(), &[7, 8, 11]).into_column();
        assert_eq!(told(&[narrow], all), Some((7, 11)));
        // Nothing is told where a writer or a row group tells nothing, nor of other types.
        assert_eq!(told(&one, StatisticsOptions::empty()), None);
        let gaps = Int64Chunked::from_slice_options("id".into(), &[Some(1), Some(2), None, None]);
        assert_eq!(told(&[gaps.into_column()], all), None);
        let texts = StringChunked::from_slice("id".into(), &["a", "b"]).into_column();
        assert_eq!(told(&[texts], all), None);
    }
}
