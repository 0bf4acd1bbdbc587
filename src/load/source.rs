//! Input paths become scans.
//!
//! In: files, folders and globs as they were written. Out: [`Source`]: every file with its size, rows and fingerprint,
//! and a lazy scan over all of them.
//! Invariant: after [`Source::open`] each file is known to be whole Parquet; [`Source::scan`] has the columns asked for,
//! with one type each, whatever else the files hold and in whichever order.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use polars::prelude::*;
use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::ranges::{self, Ranges};
use crate::config::RUNS_MARK;
use crate::error::{Error, Result, nearest};

/// The four bytes at both ends of every Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// Extensions that make a file in a folder an input.
const EXTENSIONS: [&str; 3] = ["parquet", "parq", "pq"];

/// One input file, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputFile {
    /// Path as it was opened.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows according to its footer.
    pub rows: u64,
    /// SHA-256 of size and footer. The footer holds the place, size and statistics of every column chunk, which almost
    /// any change of the contents changes; the contents themselves are not hashed, since that would read every column.
    pub fingerprint: String,
}

/// All files of an input.
#[derive(Debug)]
pub(super) struct Source {
    /// In the order in which they are read: by path.
    pub files: Vec<InputFile>,
    schemas: Vec<Arc<Schema>>,
    /// How many leading characters of each path belong to the folder that was named; hive keys come after it.
    roots: Vec<usize>,
    ranges: Ranges,
}

impl Source {
    /// Finds and checks the files behind `paths`.
    ///
    /// # Errors
    /// A path without files, a file that is not Parquet or that is cut off.
    pub(super) fn open(paths: &[String]) -> Result<Self> {
        let mut found: Vec<(PathBuf, usize)> = Vec::new();
        for path in paths {
            found.extend(expand(path)?);
        }
        // The order in which paths were written is nothing that a result may depend on.
        found.sort();
        let mut source = Self {
            files: Vec::with_capacity(found.len()),
            schemas: Vec::with_capacity(found.len()),
            roots: Vec::with_capacity(found.len()),
            ranges: Ranges::default(),
        };
        // A folder and a file in it may both be named; reading the file twice would double every order.
        let mut seen = BTreeSet::new();
        for (path, root) in found {
            let real = path.canonicalize().map_err(Error::io("open", &path))?;
            if seen.insert(real) {
                let (file, schema, ranges) = inspect(&path, root)?;
                source.ranges.add(ranges);
                source.files.push(file);
                source.schemas.push(schema);
                source.roots.push(root);
            }
        }
        Ok(source)
    }

    /// Rows of all files.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Between which whole numbers `column` lies, if every file says so: a hint, see [`Ranges`].
    pub(super) fn range(&self, column: &str) -> Option<(i64, i64)> {
        self.ranges.get(column)
    }

    /// Columns of the first file with their types; hive keys included.
    pub(super) fn schema(&self) -> &Schema {
        &self.schemas[0]
    }

    /// The place to name in a message about the whole input.
    pub(super) fn place(&self) -> String {
        match self.files.as_slice() {
            [only] => only.path.clone(),
            [first, rest @ ..] => format!("{} and {} more", first.path, rest.len()),
            [] => String::new(),
        }
    }

    /// Checks that every file has `column`, with one type.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] naming `key`, or [`Error::SchemaDiffers`].
    pub(super) fn column(&self, key: &'static str, column: &str) -> Result<DataType> {
        let Some(dtype) = self.schema().get(column) else {
            let found: Vec<String> = self
                .schema()
                .iter_names()
                .map(ToString::to_string)
                .collect();
            return Err(Error::MissingColumn {
                place: self.files[0].path.clone(),
                column: column.to_owned(),
                key,
                nearest: nearest(column, found.iter().map(String::as_str)).map(str::to_owned),
                found,
            });
        };
        for (file, schema) in self.files.iter().zip(&self.schemas) {
            let other = schema.get(column);
            if other != Some(dtype) {
                return Err(Error::SchemaDiffers {
                    column: column.to_owned(),
                    first: self.files[0].path.clone(),
                    first_type: dtype.to_string(),
                    second: file.path.clone(),
                    second_type: other.map_or_else(|| "missing".to_owned(), ToString::to_string),
                });
            }
        }
        Ok(dtype.clone())
    }

    /// Names of all columns, which every file has to have with one type.
    ///
    /// # Errors
    /// [`Error::SchemaDiffers`].
    pub(super) fn every_column(&self) -> Result<Vec<String>> {
        for (file, schema) in self.files.iter().zip(&self.schemas) {
            let more = schema
                .iter()
                .find(|(name, _)| !self.schema().contains(name));
            if let Some((name, dtype)) = more {
                return Err(Error::SchemaDiffers {
                    column: name.to_string(),
                    first: self.files[0].path.clone(),
                    first_type: "missing".to_owned(),
                    second: file.path.clone(),
                    second_type: dtype.to_string(),
                });
            }
        }
        let names = self.schema().iter_names().map(ToString::to_string);
        let names: Vec<String> = names.collect();
        for name in &names {
            self.column("deduplicate", name)?;
        }
        Ok(names)
    }

    /// Names of the columns that every file has with one type, in the order of the first file.
    pub(super) fn common_columns(&self) -> Vec<String> {
        self.schema()
            .iter()
            .filter(|&(name, dtype)| {
                self.schemas
                    .iter()
                    .all(|schema| schema.get(name) == Some(dtype))
            })
            .map(|(name, _)| name.to_string())
            .collect()
    }

    /// A lazy scan of `columns`, of all files.
    ///
    /// Files of one schema are one scan; files whose other columns differ, or stand in another order, are scans of
    /// their own laid end to end.
    ///
    /// # Errors
    /// Whatever polars finds wrong with the files.
    pub(super) fn scan(&self, columns: &[String]) -> Result<LazyFrame> {
        self.scan_all(columns, None)
    }

    /// The same with the path of each row's file in the column `file`.
    ///
    /// # Errors
    /// Whatever polars finds wrong with the files.
    pub(super) fn scan_with_file(&self, columns: &[String], file: &str) -> Result<LazyFrame> {
        self.scan_all(columns, Some(file))
    }

    fn scan_all(&self, columns: &[String], file: Option<&str>) -> Result<LazyFrame> {
        let wanted: Vec<Expr> = columns
            .iter()
            .map(String::as_str)
            .chain(file)
            .map(col)
            .collect();
        let mut scans = Vec::new();
        let mut start = 0;
        for end in 1..=self.files.len() {
            let alike = end < self.files.len()
                && self.schemas[end] == self.schemas[start]
                && self.roots[end] == self.roots[start];
            if !alike {
                scans.push(self.scan_alike(start..end, file)?.select(wanted.clone()));
                start = end;
            }
        }
        if scans.len() == 1 {
            return Ok(scans.swap_remove(0));
        }
        concat(scans, UnionArgs::default()).map_err(|source| self.unreadable(source))
    }

    fn scan_alike(&self, range: std::ops::Range<usize>, file: Option<&str>) -> Result<LazyFrame> {
        let root = self.roots[range.start];
        let files = &self.files[range];
        let hive = files
            .iter()
            .any(|file| !hive_keys(&file.path, root).is_empty());
        let args = ScanArgsParquet {
            glob: false,
            hive_options: HiveOptions {
                enabled: Some(hive),
                hive_start_idx: root,
                schema: None,
                try_parse_dates: true,
            },
            include_file_paths: file.map(Into::into),
            // Nearly every row is usable: to read the columns that say so first, and the others by what they say, would be more work.
            parallel: ParallelStrategy::RowGroups,
            ..ScanArgsParquet::default()
        };
        let paths = files
            .iter()
            .map(|file| PlRefPath::new(&file.path))
            .collect();
        LazyFrame::scan_parquet_files(paths, args).map_err(|source| Error::Read {
            place: self.place(),
            source,
        })
    }

    /// Runs a query over these files in the streaming engine.
    ///
    /// # Errors
    /// [`Error::Read`].
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "polars does not export the name of the type"
    )]
    pub(super) fn collect(&self, query: LazyFrame) -> Result<DataFrame> {
        query
            .collect_with_engine(Engine::Streaming)
            .map(|result| result.unwrap_single())
            .map_err(|source| self.unreadable(source))
    }

    /// The error for a fault that only shows while reading; of several files the first that cannot be read alone.
    pub(super) fn unreadable(&self, source: PolarsError) -> Error {
        if 1 < self.files.len() {
            for (index, file) in self.files.iter().enumerate() {
                let alone = guarded(&file.path, || {
                    let scan = self.scan_alike(index..index + 1, None)?;
                    scan.collect().map_err(|source| Error::Read {
                        place: file.path.clone(),
                        source,
                    })
                });
                if let Err(error) = alone {
                    return error;
                }
            }
        }
        Error::Read {
            place: self.place(),
            source,
        }
    }
}

/// The files behind one path as it was written, each with the length of the part before its hive keys.
fn expand(written: &str) -> Result<Vec<(PathBuf, usize)>> {
    let plain = plain(written);
    let path = plain.as_path();
    if path.is_dir() {
        let mut files = Vec::new();
        let mut others = Vec::new();
        walk(path, &mut files, &mut others)?;
        if files.is_empty() {
            others.sort();
            return Err(Error::NoFiles {
                place: written.to_owned(),
                found: others,
            });
        }
        let root = path.as_os_str().len();
        return Ok(files.into_iter().map(|file| (file, root)).collect());
    }
    if path.exists() {
        let root = path.parent().map_or(0, |folder| folder.as_os_str().len());
        return Ok(vec![(path.to_owned(), root)]);
    }
    if written.contains("://") {
        return Err(Error::NotLocal {
            place: written.to_owned(),
        });
    }
    let pattern = path.to_string_lossy();
    match pattern.find(['*', '?', '[']) {
        Some(star) => matching(written, &pattern, pattern[..star].rfind('/').unwrap_or(0)),
        None => Err(Error::NotFound {
            path: written.into(),
        }),
    }
}

/// The files that match a glob, whose first `root` characters are a folder.
fn matching(written: &str, pattern: &str, root: usize) -> Result<Vec<(PathBuf, usize)>> {
    let matches = glob::glob(pattern).map_err(|error| Error::BadValue {
        key: "input".to_owned(),
        found: format!("`{written}`"),
        expected: format!("a glob ({error})"),
    })?;
    let mut files = Vec::new();
    let mut others = Vec::new();
    for entry in matches {
        // A folder that cannot be listed may hold half the orders.
        let entry = entry.map_err(|error| {
            let folder = error.path().to_owned();
            Error::io("list", folder)(error.into())
        })?;
        if !is_meant(&entry, pattern, root) {
            others.push(entry.display().to_string());
        } else if entry.is_dir() {
            walk(&entry, &mut files, &mut others)?;
        } else {
            files.push(entry);
        }
    }
    if files.is_empty() && !others.is_empty() {
        others.sort();
        return Err(Error::NoFiles {
            place: written.to_owned(),
            found: others,
        });
    }
    if files.is_empty() {
        let folder = if root == 0 { "." } else { &pattern[..root] };
        return Err(Error::NoMatch {
            glob: written.to_owned(),
            folder: folder.to_owned(),
        });
    }
    Ok(files.into_iter().map(|file| (file, root)).collect())
}

/// Whether a wildcard may stand for what it matches: as in a folder, neither for marks of other programs nor for what was
/// made from the input. What the pattern spells out is meant.
fn is_meant(found: &Path, pattern: &str, root: usize) -> bool {
    let spelled_out = |name: &str| {
        let mut hidden = pattern.split('/').filter(|part| is_hidden(part));
        hidden.any(|part| glob::Pattern::new(part).is_ok_and(|part| part.matches(name)))
    };
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    let any_file = last.contains(['*', '?', '[']);
    let mut matched = found
        .ancestors()
        .take_while(|part| root < part.as_os_str().len());
    matched.all(|part| {
        let name = part.file_name().unwrap_or_default().to_string_lossy();
        let is_run_folder = || part.join(RUNS_MARK).exists();
        (!is_hidden(&name) || spelled_out(&name)) && !(any_file && is_run_folder())
    })
}

/// Names that begin with `.` or `_` are marks of other programs.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// A path without `.` and doubled `/`: what comes back from the file system has neither, and its hive keys are found by
/// where they begin.
fn plain(written: &str) -> PathBuf {
    let parts = Path::new(written).components();
    let plain: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
    if plain.as_os_str().is_empty() && !written.is_empty() {
        ".".into()
    } else {
        plain
    }
}

/// Collects the Parquet files under a folder, but for hidden ones; a folder of runs holds what was made from the input.
fn walk(folder: &Path, files: &mut Vec<PathBuf>, others: &mut Vec<String>) -> Result<()> {
    for entry in folder.read_dir().map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let hidden = is_hidden(&name);
        if path.is_dir() && path.join(RUNS_MARK).exists() {
            others.push(name);
        } else if path.is_dir() && !hidden {
            walk(&path, files, others)?;
        } else if !hidden
            && path.extension().is_some_and(|extension| {
                EXTENSIONS
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            })
        {
            files.push(path);
        } else {
            others.push(name);
        }
    }
    Ok(())
}

/// `year=2024/month=01` in the folders of a path, after its first `root` characters.
fn hive_keys(path: &str, root: usize) -> Vec<(&str, &str)> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders
        .get(root..)
        .unwrap_or("")
        .split('/')
        .filter_map(|folder| folder.split_once('='))
        .collect()
}

/// Checks both ends of a file, and reads its footer.
fn inspect(path: &Path, root: usize) -> Result<(InputFile, Arc<Schema>, ranges::OfFile)> {
    let name = path.to_string_lossy().into_owned();
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let bytes = file.metadata().map_err(Error::io("read", path))?.len();
    let mut head = [0; 4];
    let got = file.read(&mut head).map_err(Error::io("read", path))?;
    if got == 0 {
        return Err(Error::Empty {
            path: path.to_owned(),
        });
    }
    if got < head.len() || &head != MAGIC {
        return Err(Error::NotParquet {
            path: path.to_owned(),
            found: format!("`{}`", head[..got].escape_ascii()),
        });
    }
    let footer = read_footer(&mut file, path, bytes)?;
    let damaged = |source| Error::Read {
        place: name.clone(),
        source,
    };
    let (rows, mut schema, ranges) = guarded(&name, || {
        let mut reader = ParquetReader::new(file);
        let rows = reader.num_rows().map_err(damaged)? as u64;
        let arrow = reader.schema().map_err(damaged)?;
        check_zones(&name, &arrow)?;
        let schema = Schema::from_arrow_schema(arrow.as_ref());
        let ranges = ranges::of_file(reader.get_metadata().map_err(damaged)?, &schema);
        Ok((rows, schema, ranges))
    })?;
    for (key, _) in hive_keys(&name, root) {
        // polars infers the type over all values of a key, so no single file knows it: asked for when it is scanned.
        schema.insert(key.into(), DataType::Unknown(UnknownKind::Any));
    }
    let mut hash = Context::new(&SHA256);
    hash.update(&bytes.to_le_bytes());
    hash.update(&footer);
    let fingerprint = format!("sha256:{}", hex::encode(hash.finish()));
    Ok((
        InputFile {
            path: name,
            bytes,
            rows,
            fingerprint,
        },
        Arc::new(schema),
        ranges,
    ))
}

/// Refuses a zone that polars would stumble over, whether the column is needed or not.
fn check_zones(place: &str, schema: &ArrowSchema) -> Result<()> {
    for field in schema.iter_values() {
        if let ArrowDataType::Timestamp(_, Some(zone)) = &field.dtype
            // As polars asks: `+00:00` is UTC to it, and what a file has that says no more than that its times are instants.
            && TimeZone::opt_try_new(Some(zone.clone())).is_err()
        {
            return Err(Error::WrongType {
                place: place.to_owned(),
                column: field.name.to_string(),
                found: format!("a time with the zone `{zone}`"),
                expected: "a named zone such as `UTC` or `Asia/Kolkata`",
                hint: "convert the column to UTC before it is written".to_owned(),
            });
        }
    }
    Ok(())
}

/// Runs what reads a file. polars panics over some damages and some types; that is a fault of the file to us.
pub(super) fn guarded<T>(place: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(payload) => {
            let message = payload
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "polars gave up".to_owned());
            Err(Error::Damaged {
                place: place.to_owned(),
                message,
            })
        }
    }
}

/// The bytes of the footer of a file of `bytes` bytes.
fn read_footer(file: &mut File, path: &Path, bytes: u64) -> Result<Vec<u8>> {
    /// Four bytes of length and four of magic.
    const TAIL: u64 = 8;
    let fault = || Error::io("read", path);
    let room = bytes.saturating_sub(TAIL + MAGIC.len() as u64);
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL)))
        .and_then(|_| file.read_exact(&mut tail[..usize::try_from(bytes.min(TAIL)).unwrap_or(0)]))
        .map_err(fault())?;
    let [a, b, c, d, magic @ ..] = tail;
    if bytes < TAIL + MAGIC.len() as u64 || &magic != MAGIC {
        return Err(Error::Truncated {
            path: path.to_owned(),
            bytes,
        });
    }
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    if room < footer {
        let path = path.to_owned();
        return Err(Error::BadFooter {
            path,
            footer,
            bytes,
        });
    }
    let mut contents = vec![0; usize::try_from(footer).unwrap_or(0)];
    file.seek(SeekFrom::Start(bytes - TAIL - footer))
        .and_then(|_| file.read_exact(&mut contents))
        .map_err(fault())?;
    Ok(contents)
}

/// A column of integers.
pub(super) fn i64_column(frame: &DataFrame, name: &str) -> Result<Vec<i64>> {
    let column = frame
        .column(name)
        .and_then(|column| column.cast(&DataType::Int64))
        .map_err(Error::polars("read the counts"))?;
    let values = column.i64().map_err(Error::polars("read the counts"))?;
    Ok(values.iter().map(|value| value.unwrap_or(0)).collect())
}
