//! Generated tables as files, written while they are made.
//!
//! In: pieces of tables. Out: `orders-2024-01.parquet`, … in a folder that appears when it is whole; or one file.
//! Invariant: what is in memory is a buffer per file, whatever the number of rows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use super::{create, sync_folder, take};
use crate::error::{Error, Result};

/// Rows of a file that are collected before they become a row group.
const BUFFER: usize = 131_072;

/// One Parquet file that grows, under a name that is not its own yet. Dropped before it is published, it is removed.
pub struct GrowingTable {
    path: PathBuf,
    writing: PathBuf,
    writer: Option<BatchedWriter<BufWriter<File>>>,
    buffer: Option<DataFrame>,
}

impl GrowingTable {
    /// Begins a file that will stand at `path`.
    pub fn new(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            writing: path.with_file_name(format!(".{name}.writing")),
            path: path.to_owned(),
            writer: None,
            buffer: None,
        }
    }

    /// Adds rows; all pieces have the same columns.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn write(&mut self, rows: DataFrame) -> Result<()> {
        match &mut self.buffer {
            Some(buffer) => {
                buffer
                    .vstack_mut(&rows)
                    .map_err(|error| fault(&self.path, error))?;
            }
            None => self.buffer = Some(rows),
        }
        if self
            .buffer
            .as_ref()
            .is_some_and(|buffer| BUFFER <= buffer.height())
        {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is left and gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn publish(mut self) -> Result<String> {
        self.flush()?;
        if let Some(writer) = self.writer.take() {
            writer.finish().map_err(|error| fault(&self.path, error))?;
        }
        let file = File::options().write(true).open(&self.writing);
        file.and_then(|file| file.sync_all())
            .map_err(Error::io("sync", &self.writing))?;
        fs::rename(&self.writing, &self.path).map_err(Error::io("publish", &self.path))?;
        self.writing = PathBuf::new();
        Ok(self
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(mut buffer) = self.buffer.take() else {
            return Ok(());
        };
        buffer.rechunk_mut();
        if self.writer.is_none() {
            let file = BufWriter::with_capacity(1 << 20, create(&self.writing)?);
            let writer = ParquetWriter::new(file).batched(buffer.schema());
            self.writer = Some(writer.map_err(|error| fault(&self.path, error))?);
        }
        match &mut self.writer {
            Some(writer) => writer
                .write_batch(&buffer)
                .map_err(|error| fault(&self.path, error)),
            None => Ok(()),
        }
    }
}

impl Drop for GrowingTable {
    fn drop(&mut self) {
        if !self.writing.as_os_str().is_empty() {
            // An error is on its way out already.
            let _ = fs::remove_file(&self.writing);
        }
    }
}

/// A folder of order files, one per month, that is being written. Dropped before it is published, it is removed.
pub struct OrderFiles {
    folder: PathBuf,
    staging: PathBuf,
    /// The staging folder, held, so that two processes never write to one folder at once.
    _lock: File,
    months: BTreeMap<String, GrowingTable>,
}

impl OrderFiles {
    /// Begins a folder; none of the paths `beside` it may be taken.
    ///
    /// # Errors
    /// [`Error::Exists`] for what is there already, [`Error::OutBusy`] while another process writes, [`Error::Io`].
    pub fn create(folder: &Path, beside: &[&Path]) -> Result<Self> {
        if folder.is_file()
            || folder.is_symlink()
            || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
        {
            return Err(taken(folder, "give `--out` a new or empty folder"));
        }
        if let Some(path) = beside
            .iter()
            .find(|path| fs::symlink_metadata(path).is_ok())
        {
            return Err(taken(path, "give another `--out`, or move it away"));
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let staging = folder.with_file_name(format!(".{name}.writing"));
        fs::create_dir_all(&staging).map_err(Error::io("create the folder", &staging))?;
        let lock = File::open(&staging).map_err(Error::io("open", &staging))?;
        take(&lock, folder)?;
        // The lock is ours, so whatever stands there belongs to a process that was killed.
        for entry in fs::read_dir(&staging).map_err(Error::io("list", &staging))? {
            let entry = entry.map_err(Error::io("list", &staging))?;
            fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            staging,
            _lock: lock,
            months: BTreeMap::new(),
        })
    }

    /// Adds orders of one month, `2024-01`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn write(&mut self, month: &str, orders: DataFrame) -> Result<()> {
        let path = self.staging.join(format!("orders-{month}.parquet"));
        self.months
            .entry(month.to_owned())
            .or_insert_with(|| GrowingTable::new(&path))
            .write(orders)
    }

    /// Writes what is left, and puts the folder in its place.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn publish(mut self) -> Result<Vec<String>> {
        let months = std::mem::take(&mut self.months).into_values();
        let names = months
            .map(GrowingTable::publish)
            .collect::<Result<Vec<String>>>()?;
        if self.folder.exists() {
            fs::remove_dir(&self.folder).map_err(Error::io("replace", &self.folder))?;
        }
        fs::rename(&self.staging, &self.folder).map_err(Error::io("publish", &self.folder))?;
        self.staging = PathBuf::new();
        if let Some(parent) = self
            .folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_folder(parent)?;
        }
        Ok(names)
    }
}

impl Drop for OrderFiles {
    fn drop(&mut self) {
        if !self.staging.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.staging);
        }
    }
}

fn taken(path: &Path, hint: &str) -> Error {
    Error::Exists {
        path: path.to_owned(),
        hint: hint.to_owned(),
    }
}

fn fault(path: &Path, source: PolarsError) -> Error {
    Error::Polars {
        action: format!("write `{}`", path.display()),
        source,
    }
}
