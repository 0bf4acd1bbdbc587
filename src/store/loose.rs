//! Files in a folder that a person named: no run, no manifest.
//!
//! In: a folder, tables and documents. Out: the files, each under its name.
//! Invariant: a reader sees the old file or the new one, whole; a published run is never changed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Table, whole, write_bytes, write_json, write_table};
use crate::error::{Error, Result};

/// A folder for files that stand alone.
#[derive(Debug)]
pub struct LooseFolder {
    path: PathBuf,
}

impl LooseFolder {
    /// Makes the folder, or takes one that is there.
    ///
    /// # Errors
    /// [`Error::OutIsFile`]; [`Error::Exists`] for a published run; [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(Error::OutIsFile {
                path: path.to_owned(),
            });
        }
        let manifest = path.join("manifest.json");
        if manifest.exists() {
            return Err(Error::Exists {
                path: manifest,
                hint: "a published run is never changed; give `--out` another folder".to_owned(),
            });
        }
        fs::create_dir_all(path).map_err(Error::io("create the folder", path))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Writes a table, and says where it is.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn parquet(&self, name: &str, table: &Table<'_>) -> Result<PathBuf> {
        self.file(name, |file| write_table(file, table, name))
    }

    /// Writes a JSON document, and says where it is.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn json(&self, name: &str, document: &impl Serialize) -> Result<PathBuf> {
        self.file(name, |file| write_json(file, document, name))
    }

    /// Writes a text, and says where it is.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn text(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.bytes(name, text.as_bytes())
    }

    /// Writes what is no text, and says where it is.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn bytes(&self, name: &str, contents: &[u8]) -> Result<PathBuf> {
        self.file(name, |file| write_bytes(file, contents, name))
    }

    fn file(&self, name: &str, write: impl FnOnce(&mut fs::File) -> Result<()>) -> Result<PathBuf> {
        let path = self.path.join(name);
        whole(&path, write).map(|()| path)
    }
}
