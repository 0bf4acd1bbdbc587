//! Generated orders as files: one per month, written while they are made.
//!
//! In: tables of orders, each of one month. Out: `orders-2024-01.parquet`, … in a folder that appears when it is whole.
//! Invariant: what is in memory is a buffer per month, whatever the number of orders.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use super::{create, sync_folder, write_parquet};
use crate::error::{Error, Result};

/// Rows of a month that are collected before they become a row group.
const BUFFER: usize = 131_072;

/// A folder of order files that is being written. Dropped before it is published, it is removed.
pub struct OrderFiles {
    folder: PathBuf,
    staging: PathBuf,
    months: BTreeMap<String, Month>,
}

struct Month {
    path: PathBuf,
    writer: BatchedWriter<BufWriter<File>>,
    buffer: Option<DataFrame>,
}

impl OrderFiles {
    /// Begins a folder.
    ///
    /// # Errors
    /// [`Error::Exists`] for a folder with something in it, [`Error::Io`].
    pub fn create(folder: &Path) -> Result<Self> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
            || folder.is_file()
        {
            return Err(Error::Exists {
                path: folder.to_owned(),
                hint: "give `--out` a new or empty folder".to_owned(),
            });
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let staging = folder.with_file_name(format!(".{name}.writing"));
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(Error::io("remove", &staging))?;
        }
        fs::create_dir_all(&staging).map_err(Error::io("create the folder", &staging))?;
        Ok(Self {
            folder: folder.to_owned(),
            staging,
            months: BTreeMap::new(),
        })
    }

    /// Adds orders of one month, `2024-01`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn write(&mut self, month: &str, orders: DataFrame) -> Result<()> {
        if !self.months.contains_key(month) {
            let path = self.staging.join(format!("orders-{month}.parquet"));
            let writer = ParquetWriter::new(BufWriter::with_capacity(1 << 20, create(&path)?))
                .batched(orders.schema())
                .map_err(Error::polars("begin a file of orders"))?;
            let fresh = Month {
                path,
                writer,
                buffer: None,
            };
            self.months.insert(month.to_owned(), fresh);
        }
        let Some(file) = self.months.get_mut(month) else {
            return Ok(());
        };
        match &mut file.buffer {
            Some(buffer) => {
                buffer
                    .vstack_mut(&orders)
                    .map_err(Error::polars("collect orders"))?;
            }
            None => file.buffer = Some(orders),
        }
        if file
            .buffer
            .as_ref()
            .is_some_and(|buffer| BUFFER <= buffer.height())
        {
            file.flush()?;
        }
        Ok(())
    }

    /// Writes what is left, and puts the folder in its place.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Polars`].
    pub fn publish(mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for month in self.months.values_mut() {
            month.flush()?;
            month
                .writer
                .finish()
                .map_err(|error| fault(&month.path, error))?;
            let file = File::options().write(true).open(&month.path);
            file.and_then(|file| file.sync_all())
                .map_err(Error::io("sync", &month.path))?;
            names.push(
                month
                    .path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
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

impl Month {
    fn flush(&mut self) -> Result<()> {
        let Some(mut buffer) = self.buffer.take() else {
            return Ok(());
        };
        buffer.rechunk_mut();
        self.writer
            .write_batch(&buffer)
            .map_err(|error| fault(&self.path, error))
    }
}

fn fault(path: &Path, source: PolarsError) -> Error {
    Error::Polars {
        action: format!("write `{}`", path.display()),
        source,
    }
}

/// Writes one table to one file.
///
/// # Errors
/// [`Error::Io`], [`Error::Polars`].
pub fn write_table(path: &Path, table: &mut DataFrame) -> Result<()> {
    write_parquet(BufWriter::new(create(path)?), path, table)
}
