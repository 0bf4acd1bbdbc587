//! Tables as Parquet.
//!
//! In: columns, each as what makes some of its rows. Out: a file.
//! Invariant: the bytes depend neither on the number of threads nor on which of them was faster.
//!
//! polars encodes each page; what is ours is who knows what: that a column has the same value in every row, or one of a few, or
//! no two alike, is known where it is made, and polars' own writer would have to find out by counting. Only plain values and
//! dictionaries are written, which every reader knows.

use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::*;
use polars_arrow::array::{Array, DictionaryArray, PrimitiveArray};
use polars_arrow::datatypes::{ArrowDataType, IntegerType};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, Encoding, FileWriter,
    SchemaDescriptor, Version, WriteOptions, ZstdLevel, array_to_columns, compress,
    fallible_streaming_iterator, get_dtype_encoding, to_parquet_schema,
};

use super::turns::in_turn;
use crate::error::{Error, Result};

/// Rows of a row group: fixed, so that the bytes do not depend on threads or chunks.
const ROW_GROUP: usize = 262_144;

/// Bytes of a page: a row group's numbers, and its keys of a dictionary, fit into one. polars would count the nulls of a
/// dictionary again with every page, and compares the ends of pages of u64 as if they had a sign.
const PAGE: usize = 16 * ROW_GROUP;

/// A table that is written part by part and never in memory as a whole.
pub struct Table<'a> {
    rows: usize,
    columns: Vec<(Field, Cells<'a>)>,
}

/// What stands in a column.
pub enum Cells<'a> {
    /// The same value in every row.
    Same(Scalar),
    /// One of a few values, or none: which of them, row by row, and 0 behind a null.
    OneOf(Series, Part<'a, UInt32Chunked>),
    /// Values of which no two are alike.
    Distinct(Part<'a, Series>),
    /// Values that nothing is known of.
    Any(Part<'a, Series>),
}

/// Makes some of the rows of a column.
pub type Part<'a, T> = Box<dyn Fn(Range<usize>) -> T + Sync + 'a>;

impl<'a> Table<'a> {
    /// A table of so many rows, without columns.
    pub fn new(rows: usize) -> Self {
        Self {
            rows,
            columns: Vec::new(),
        }
    }

    /// A table that is in memory.
    pub fn of(frame: &'a DataFrame) -> Self {
        let mut table = Self::new(frame.height());
        for column in frame.columns() {
            let series = column.as_materialized_series();
            table.add(
                column.name().as_str(),
                column.dtype().clone(),
                Cells::Any(slices(series)),
            );
        }
        table
    }

    /// Puts a column behind the others.
    pub fn add(&mut self, name: &str, dtype: DataType, cells: Cells<'a>) {
        self.columns.push((Field::new(name.into(), dtype), cells));
    }
}

/// Rows of a column that is in memory.
pub fn slices(series: &Series) -> Part<'_, Series> {
    Box::new(|rows| series.slice(rows.start.cast_signed() as i64, rows.len()))
}

/// Writes a table: row groups are encoded and compressed side by side, and written in their order.
///
/// The bytes depend neither on that nor on the number of cores.
pub(super) fn write_table(file: impl Write + Send, table: &Table<'_>, name: &str) -> Result<()> {
    let fault = || Error::polars(format!("write {name}"));
    let format = Format::new(table).map_err(fault())?;
    let writer =
        FileWriter::try_new(file, format.schema.clone(), format.options).map_err(fault())?;
    let writer = Mutex::new(writer);
    let rows_of = |group: usize| group * ROW_GROUP..table.rows.min((group + 1) * ROW_GROUP);
    // What is the same in every row is encoded once for all row groups of as many rows.
    let first = rows_of(0);
    let repeated = |(cells, at): (&Cells<'_>, usize)| match cells {
        Cells::Same(_) => format.chunk(table, at, first.clone()).map(Some),
        _ => Ok(None),
    };
    let cells = table.columns.iter().map(|(_, cells)| cells);
    let repeated: PolarsResult<Vec<Option<Chunk>>> = cells.zip(0..).map(repeated).collect();
    let repeated = repeated.map_err(fault())?;
    let row_group = |group: usize| {
        let rows = rows_of(group);
        let chunks = repeated
            .iter()
            .zip(0..)
            .map(|(repeated, at)| match repeated {
                Some(chunk) if rows.len() == first.len() => Ok(chunk.clone()),
                _ => format.chunk(table, at, rows.clone()),
            });
        let chunks: PolarsResult<Vec<Chunk>> = chunks.collect();
        Ok((rows.len() as u64, chunks.map_err(fault())?))
    };
    let write = |(rows, chunks): (u64, Vec<Chunk>)| {
        let columns = chunks.iter().flat_map(|chunk| chunk.iter()).map(|pages| {
            let pages = fallible_streaming_iterator::convert(pages.iter().map(PolarsResult::Ok));
            Ok(DynStreamingIterator::new(pages))
        });
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(rows, DynIter::new(columns)).map_err(fault())
    };
    in_turn(table.rows.div_ceil(ROW_GROUP), row_group, write)?;
    let mut writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
    writer.end(None).map(|_| ()).map_err(fault())
}

/// A column of a row group, ready to be written: the pages of each of its leaves, of which a nested one has several.
type Chunk = Arc<Vec<Vec<CompressedPage>>>;

/// How a table stands in its file.
struct Format {
    schema: ArrowSchema,
    types: SchemaDescriptor,
    options: WriteOptions,
}

impl Format {
    fn new(table: &Table<'_>) -> PolarsResult<Self> {
        let fields = table.columns.iter().map(|(field, _)| field.clone());
        let schema = fields.collect::<Schema>().to_arrow(CompatLevel::newest());
        // The fastest level: level 3 makes 64.0 MB of 5 M customers instead of 65.0, for 0.1 s of CPU more.
        let compression = CompressionOptions::Zstd(Some(ZstdLevel::try_new(1)?));
        Ok(Self {
            types: to_parquet_schema(&schema)?,
            schema,
            options: WriteOptions {
                statistics: StatisticsOptions::default(),
                compression,
                version: Version::V1,
                data_page_size: Some(PAGE),
            },
        })
    }

    /// Encodes some rows of column `at` and compresses them.
    fn chunk(&self, table: &Table<'_>, at: usize, rows: Range<usize>) -> PolarsResult<Chunk> {
        let (field, cells) = &table.columns[at];
        let (array, encoding) = cells.laid_out(field, rows)?;
        let leaves = array_to_columns(
            array,
            self.types.fields()[at].clone(),
            self.options,
            &encoding,
        )?;
        let compressed =
            |page: PolarsResult<_>| Ok(compress(page?, Vec::new(), self.options.compression)?);
        let leaves = leaves
            .into_iter()
            .map(|pages| pages.map(compressed).collect());
        Ok(Arc::new(leaves.collect::<PolarsResult<_>>()?))
    }
}

impl Cells<'_> {
    /// Some rows as an array, with the encoding of each of its leaves.
    fn laid_out(
        &self,
        field: &Field,
        rows: Range<usize>,
    ) -> PolarsResult<(Box<dyn Array>, Vec<Encoding>)> {
        let series = match self {
            Self::Same(value) => Column::new_scalar(field.name.clone(), value.clone(), rows.len())
                .take_materialized_series(),
            Self::OneOf(values, which) => {
                let keys = which(rows).rechunk().downcast_as_array().clone();
                return Ok((dictionary(values, keys)?, vec![Encoding::RleDictionary]));
            }
            Self::Distinct(part) | Self::Any(part) => part(rows).rechunk(),
        };
        if let Some((days, keys)) = series.f64().ok().and_then(days) {
            return Ok((dictionary(&days, keys)?, vec![Encoding::RleDictionary]));
        }
        let array = series.to_arrow(0, CompatLevel::newest());
        // polars would count how many there are before it makes no dictionary: of floats it makes none.
        let has_own = matches!(array.dtype(), ArrowDataType::Dictionary(..));
        let is_plain = matches!(self, Self::Distinct(_)) && !has_own || series.dtype().is_float();
        let encoding = if is_plain {
            vec![Encoding::Plain]
        } else {
            get_dtype_encoding(array.dtype())
        };
        Ok((array, encoding))
    }
}

/// Numbers of days as keys of a list of whole numbers, as polars does it with integers; `None` where one is not whole, or
/// where the list would be long in comparison.
fn days(values: &Float64Chunked) -> Option<(Series, PrimitiveArray<u32>)> {
    let rows = values.cont_slice().ok()?;
    let bound = u32::try_from(rows.len() / 4).ok()?;
    let key = |&value: &f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what changes is refused"
        )]
        let key = value as u32;
        (key < bound && f64::from(key).to_bits() == value.to_bits()).then_some(key)
    };
    let keys: Vec<u32> = rows.iter().map(key).collect::<Option<_>>()?;
    let days = (0..=*keys.iter().max()?).map(f64::from);
    let days = Float64Chunked::from_iter_values(values.name().clone(), days).into_series();
    Some((days, PrimitiveArray::from_vec(keys)))
}

/// A dictionary of those of `values` that a key points to: they are what a file says of its least and greatest.
fn dictionary(values: &Series, keys: PrimitiveArray<u32>) -> PolarsResult<Box<dyn Array>> {
    let mut used = vec![false; values.len()];
    for key in keys.non_null_values_iter() {
        used[key as usize] = true;
    }
    let (values, keys) = if used.iter().all(|&used| used) {
        (values.clone(), keys)
    } else {
        let mut next = 0;
        let places: Vec<u32> = used
            .iter()
            .map(|&used| {
                let place = next;
                next += u32::from(used);
                place
            })
            .collect();
        let moved: Vec<u32> = keys
            .values_iter()
            .map(|&key| places[key as usize])
            .collect();
        let used = BooleanChunked::from_slice(values.name().clone(), &used);
        (values.filter(&used)?, keys.with_values(moved.into()))
    };
    let values = values.rechunk().to_arrow(0, CompatLevel::newest());
    let dtype = Box::new(values.dtype().clone());
    let dtype = ArrowDataType::Dictionary(IntegerType::UInt32, dtype, false);
    Ok(DictionaryArray::try_new(dtype, keys, values)?.boxed())
}

#[cfg(test)]
mod tests {
    use polars_parquet::read::read_metadata;

    use super::*;

    const ROWS: usize = 3 * ROW_GROUP + 5;

    /// One column of each kind, in which every row group has something of its own.
    fn table(rows: usize) -> Table<'static> {
        let mut table = Table::new(rows);
        let day = Scalar::new(DataType::Date, AnyValue::Date(19_000));
        table.add("day", DataType::Date, Cells::Same(day));
        let none = Scalar::null(DataType::String);
        table.add("none", DataType::String, Cells::Same(none));
        let ids = |rows: Range<usize>| {
            let id = |row| match row {
                0 => i64::MIN,
                row if row + 1 == ROWS => i64::MAX,
                row => (row * row).cast_signed() as i64 - 1_000_000,
            };
            Int64Chunked::from_iter_values("id".into(), rows.map(id)).into_series()
        };
        table.add("id", DataType::Int64, Cells::Distinct(Box::new(ids)));
        let names =
            StringChunked::from_iter_values("name".into(), ["a", "b", "c", "d"].into_iter());
        let name = |rows: Range<usize>| {
            // The second row group has only "c" and nulls, the third only nulls.
            let name = |row: usize| match row / ROW_GROUP {
                0 => (!row.is_multiple_of(5))
                    .then_some(u32::from(row % 7 < 3) + u32::from(row % 3 < 2) * 2),
                1 => (row.is_multiple_of(3)).then_some(2),
                2 => None,
                _ => Some(1),
            };
            UInt32Chunked::from_iter_options("name".into(), rows.map(name))
        };
        let names = Cells::OneOf(names.into_series(), Box::new(name));
        table.add("name", DataType::String, names);
        let floats = |of: fn(usize) -> f64| -> Cells<'static> {
            Cells::Any(Box::new(move |rows: Range<usize>| {
                Float64Chunked::from_iter_values("f".into(), rows.map(of)).into_series()
            }))
        };
        table.add(
            "days",
            DataType::Float64,
            floats(|row| (row % 700 * 2) as f64),
        );
        table.add(
            "amount",
            DataType::Float64,
            floats(|row| row as f64 / 100.0),
        );
        // Whole but for what a list of whole numbers would lose.
        let zeros = |row| if row == 7 { -0.0 } else { 0.0 };
        table.add("zero", DataType::Float64, floats(zeros));
        table.add(
            "nan",
            DataType::Float64,
            floats(|row| if row == 9 { f64::NAN } else { 3.0 }),
        );
        table.add(
            "far",
            DataType::Float64,
            floats(|row| if row == 9 { 4e9 } else { -3.0 }),
        );
        table
    }

    /// The table as it stands in memory.
    fn in_memory(table: &Table<'_>) -> Option<DataFrame> {
        let column = |(field, cells): &(Field, Cells<'_>)| {
            let rows = 0..table.rows;
            let series = match cells {
                Cells::Same(value) => Series::full_null(PlSmallStr::EMPTY, 0, value.dtype())
                    .extend_constant(value.value().clone(), table.rows)
                    .ok()?,
                Cells::OneOf(values, which) => values.take(&which(rows)).ok()?,
                Cells::Distinct(part) | Cells::Any(part) => part(rows),
            };
            Some(series.with_name(field.name.clone()).into_column())
        };
        let columns = table.columns.iter().map(column).collect::<Option<_>>()?;
        DataFrame::new(table.rows, columns).ok()
    }

    /// Each value as text, with the sign of zero.
    fn bits(frame: &DataFrame) -> Vec<Option<Vec<u64>>> {
        let bits = |column: &Column| {
            let values = column.as_materialized_series().f64().ok()?.rechunk();
            Some(
                values
                    .cont_slice()
                    .ok()?
                    .iter()
                    .map(|value| value.to_bits())
                    .collect(),
            )
        };
        frame.columns().iter().map(bits).collect()
    }

    fn written(table: &Table<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = write_table(&mut bytes, table, "test");
        assert!(written.is_ok(), "{written:?}");
        bytes
    }

    fn read(bytes: &[u8]) -> DataFrame {
        ParquetReader::new(std::io::Cursor::new(bytes))
            .finish()
            .unwrap_or_default()
    }

    #[test]
    fn a_table_comes_back_to_the_bit() {
        for rows in [0, 1, 5, ROW_GROUP, ROWS] {
            let table = table(rows);
            let bytes = written(&table);
            let (read, expected) = (read(&bytes), in_memory(&table).unwrap_or_default());
            assert_eq!(read.schema(), expected.schema(), "{rows}");
            assert!(read.equals_missing(&expected), "{rows}");
            assert_eq!(bits(&read), bits(&expected), "{rows}");
        }
    }

    #[test]
    fn a_table_in_memory_is_written_alike_however_it_is_cut() {
        let table = table(ROWS);
        let mut frame = in_memory(&table).unwrap_or_default();
        let mut first = frame.slice(0, 1_000);
        let rest = frame.slice(1_000, ROWS);
        assert!(first.vstack_mut(&rest).is_ok());
        frame.rechunk_mut();
        let bytes = written(&Table::of(&first));
        assert!(read(&bytes).equals_missing(&frame));
        assert_eq!(bytes, written(&Table::of(&frame)));
    }

    #[test]
    fn a_file_says_of_each_row_group_what_is_in_it() {
        let bytes = written(&table(ROWS));
        let Ok(footer) = read_metadata(&mut std::io::Cursor::new(&bytes)) else {
            panic!("no footer");
        };
        let groups = &footer.row_groups;
        assert_eq!(groups.len(), 4);
        let rows = [ROW_GROUP, ROW_GROUP, ROW_GROUP, 5];
        for (group, rows) in groups.iter().zip(rows) {
            assert_eq!(group.num_rows(), rows);
        }
        let told = |column: usize, group: usize| {
            let statistics = groups[group]
                .parquet_columns()
                .get(column)?
                .statistics(&footer.footer_buf)?
                .ok();
            let statistics = statistics?;
            let text = |value: &Option<Vec<u8>>| {
                value
                    .clone()
                    .map(|text| String::from_utf8_lossy(&text).into_owned())
            };
            match statistics {
                polars_parquet::parquet::statistics::Statistics::Binary(found) => Some((
                    found.null_count,
                    text(&found.min_value),
                    text(&found.max_value),
                )),
                _ => None,
            }
        };
        let nulls = |n: usize| Some(n.cast_signed() as i64);
        let text = |text: &str| Some(text.to_owned());
        let fifth = ROW_GROUP.div_ceil(5);
        assert_eq!(told(3, 0), Some((nulls(fifth), text("a"), text("d"))));
        let two_thirds = (ROW_GROUP..2 * ROW_GROUP)
            .filter(|row| !row.is_multiple_of(3))
            .count();
        assert_eq!(told(3, 1), Some((nulls(two_thirds), text("c"), text("c"))));
        assert_eq!(told(3, 2), Some((nulls(ROW_GROUP), None, None)));
        assert_eq!(told(3, 3), Some((nulls(0), text("b"), text("b"))));
        assert_eq!(told(1, 0), Some((nulls(ROW_GROUP), None, None)));
        assert_eq!(told(1, 3), Some((nulls(5), None, None)));
    }

    #[test]
    fn numbers_have_their_ends_in_each_row_group() {
        let bytes = written(&table(ROWS));
        let Ok(footer) = read_metadata(&mut std::io::Cursor::new(&bytes)) else {
            panic!("no footer");
        };
        let ends = |column: usize, group: usize| {
            let column = &footer.row_groups[group].parquet_columns()[column];
            let told = column.statistics(&footer.footer_buf)?.ok()?;
            if let Some(told) = told.as_double() {
                return Some([told.min_value?, told.max_value?]);
            }
            if let Some(told) = told.as_int32() {
                return Some([told.min_value?.into(), told.max_value?.into()]);
            }
            let told = told.as_int64()?;
            Some([told.min_value? as f64, told.max_value? as f64])
        };
        let id = |row: usize| (row * row) as f64 - 1e6;
        assert_eq!(ends(0, 3), Some([19_000.0; 2]));
        assert_eq!(ends(2, 0), Some([i64::MIN as f64, id(ROW_GROUP - 1)]));
        assert_eq!(ends(2, 1), Some([id(ROW_GROUP), id(2 * ROW_GROUP - 1)]));
        assert_eq!(ends(2, 3), Some([id(3 * ROW_GROUP), i64::MAX as f64]));
        assert_eq!(ends(4, 1), Some([0.0, 1_398.0]));
        // 786,432 is 332 more than a multiple of 700.
        assert_eq!(ends(4, 3), Some([664.0, 672.0]));
        let amount = |row: usize| row as f64 / 100.0;
        assert_eq!(
            ends(5, 2),
            Some([amount(2 * ROW_GROUP), amount(3 * ROW_GROUP - 1)])
        );
    }

    #[test]
    fn numbers_without_a_sign_have_their_own_ends() {
        for crossing in [100_000, 233_016, 240_000] {
            let id = move |row: usize| (1_u64 << 63) - crossing + row as u64;
            let ids = move |rows: Range<usize>| {
                UInt64Chunked::from_iter_values("id".into(), rows.map(id)).into_series()
            };
            let mut table = Table::new(ROW_GROUP);
            let cells = Cells::Distinct(Box::new(ids));
            table.add("id", DataType::UInt64, cells);
            let bytes = written(&table);
            let footer = read_metadata(&mut std::io::Cursor::new(&bytes)).ok();
            let ends = footer.and_then(|footer| {
                let column = &footer.row_groups[0].parquet_columns()[0];
                let told = column.statistics(&footer.footer_buf)?.ok()?;
                let told = told.as_int64()?;
                Some([told.min_value?, told.max_value?].map(i64::cast_unsigned))
            });
            assert_eq!(ends, Some([id(0), id(ROW_GROUP - 1)]), "{crossing}");
        }
    }

    #[test]
    fn days_take_few_bits() {
        let bytes = written(&table(ROWS));
        let footer = read_metadata(&mut std::io::Cursor::new(&bytes));
        let groups = footer.map(|footer| footer.row_groups).unwrap_or_default();
        let size = |column: usize| groups[1].parquet_columns()[column].uncompressed_size();
        // Before compression 10 bits for each day.
        let ten_bits = ROW_GROUP.cast_signed() as i64 * 10 / 8 + 10_000;
        assert!(size(4) < ten_bits, "{}", size(4));
    }

    /// Fails once it has taken so many bytes.
    struct Disk {
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            if self.room < buffer.len() {
                return Err(std::io::Error::other("full"));
            }
            self.room -= buffer.len();
            Ok(buffer.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_ends_the_table() {
        let table = table(ROWS);
        assert!(write_table(Disk { room: usize::MAX }, &table, "test").is_ok());
        for room in [0, 100, 1 << 20] {
            assert!(
                write_table(Disk { room }, &table, "test").is_err(),
                "{room}"
            );
        }
    }
}
