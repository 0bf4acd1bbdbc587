//! The folder of runs: written whole or not at all.
//!
//! In: a folder, tables and documents. Out: `runs/<run-id>/` and `current`, which points to the last run published.
//! Invariant: a reader of `current` sees a whole run, or the one before. Files are written under a hidden name, synced,
//! and renamed; whatever goes wrong before that leaves nothing behind. It is the only code that writes.

mod loose;
mod manifest;
mod orders;
mod table;
mod turns;

use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde::Serialize;

pub use loose::LooseFolder;
pub use manifest::{Manifest, ModelFile, Rows, peak_memory_bytes};
pub use orders::{GrowingTable, OrderFiles};
pub use table::{Cells, Part, Table, slices};

use crate::config::RUNS_MARK;
use crate::error::{Error, Result};
use table::write_table;

/// Begins the name of a run that is being written.
const STAGING: &str = ".staging-";
/// The link to the last run, and the name under which it is made.
const CURRENT: &str = "current";
const NEXT: &str = ".current-next";
/// A folder of runs that this process may write to, until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held, so that two runs never write to one folder at once. The system lets go of it when the process ends.
    _lock: File,
}

/// One file of a run, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputFile {
    /// Name inside the run.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the contents, hexadecimal.
    pub sha256: String,
}

impl RunFolder {
    /// Makes or takes over the folder, before any work is done.
    ///
    /// # Errors
    /// [`Error::OutNotOurs`] for a folder with other things in it, [`Error::OutBusy`] while another run writes,
    /// [`Error::CurrentTaken`] where `current` could not be swapped, [`Error::Io`] where the system refuses.
    pub fn open(path: &Path) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(Error::OutIsFile {
                path: path.to_owned(),
            });
        }
        fs::create_dir_all(path).map_err(Error::io("create the folder", path))?;
        let mark = path.join(RUNS_MARK);
        // Listed before the mark is looked for: a run that begins this very moment makes that first.
        let mut entries = fs::read_dir(path).map_err(Error::io("list", path))?;
        if let Some(entry) = entries.next()
            && !mark.exists()
        {
            let entry = entry.map_err(Error::io("list", path))?;
            return Err(Error::OutNotOurs {
                path: path.to_owned(),
                found: entry.file_name().to_string_lossy().into_owned(),
            });
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&mark)
            .map_err(Error::io("write to", path))?;
        take(&lock, path)?;
        let current = path.join(CURRENT);
        if fs::symlink_metadata(&current).is_ok_and(|found| !found.is_symlink()) {
            return Err(Error::CurrentTaken { path: current });
        }
        let runs = path.join("runs");
        fs::create_dir_all(&runs).map_err(Error::io("create the folder", &runs))?;
        // The lock is ours, so whatever is still being staged belongs to a process that was killed.
        for entry in fs::read_dir(&runs).map_err(Error::io("list", &runs))? {
            let entry = entry.map_err(Error::io("list", &runs))?;
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                fs::remove_dir_all(entry.path()).map_err(Error::io("remove", entry.path()))?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Begins a run; nothing of it can be seen until it is published.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn stage(&self) -> Result<Staging<'_>> {
        let path = self
            .path
            .join("runs")
            .join(format!("{STAGING}{}", std::process::id()));
        fs::create_dir(&path).map_err(Error::io("create the folder", &path))?;
        Ok(Staging {
            folder: self,
            path,
            outputs: Vec::new(),
        })
    }
}

/// A run that is being written. Dropped before it is published, it is removed.
#[derive(Debug)]
pub struct Staging<'a> {
    folder: &'a RunFolder,
    path: PathBuf,
    outputs: Vec<OutputFile>,
}

impl Staging<'_> {
    /// Writes a table.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn parquet(&mut self, name: &str, table: &Table<'_>) -> Result<()> {
        self.file(name, |file| write_table(file, table, name))
    }

    /// Writes a JSON document.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn json(&mut self, name: &str, document: &impl Serialize) -> Result<()> {
        self.file(name, |file| write_json(file, document, name))
    }

    /// Writes a text.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the system refuses.
    pub fn text(&mut self, name: &str, text: &str) -> Result<()> {
        self.file(name, |file| write_bytes(file, text.as_bytes(), name))
    }

    /// Files written so far, for the manifest.
    pub fn outputs(&self) -> &[OutputFile] {
        &self.outputs
    }

    /// Gives the run its name, and lets `current` point to it if it is `current` from now on.
    ///
    /// A run of the same name stays: the new one gets a number behind it.
    ///
    /// # Errors
    /// [`Error::Io`]; then nothing is published. [`Error::NotSynced`]; then it is.
    pub fn publish(mut self, run_id: &str, current: bool) -> Result<Published> {
        sync_folder(&self.path)?;
        let folder = &self.folder.path;
        let runs = folder.join("runs");
        let (run_id, path) = free_name(&runs, run_id);
        if current {
            link_next(folder, &run_id)?;
        }
        fs::rename(&self.path, &path).map_err(Error::io("publish", &path))?;
        // A run that `current` does not get to is taken back.
        self.path.clone_from(&path);
        sync_folder(&runs)?;
        if current {
            let current = folder.join(CURRENT);
            fs::rename(folder.join(NEXT), &current).map_err(Error::io("publish", &current))?;
        }
        // From here on there is nothing to clean up.
        self.path = PathBuf::new();
        match sync_folder(folder) {
            Err(Error::Io { source, .. }) => Err(Error::NotSynced { path, source }),
            other => other.map(|()| Published { run_id, path }),
        }
    }

    /// The name under which [`Self::publish`] will publish.
    pub fn final_name(&self, run_id: &str) -> String {
        free_name(&self.folder.path.join("runs"), run_id).0
    }

    fn file(&mut self, name: &str, write: impl FnOnce(&mut Hashing) -> Result<()>) -> Result<()> {
        let path = self.path.join(name);
        // Where the run will stand, or would have: the hidden name is nobody's business.
        let shown = self.folder.path.join("runs").join(name);
        let fault = || Error::io("write", shown.clone());
        let mut file = Hashing {
            file: BufWriter::with_capacity(1 << 20, create(&path)?),
            hash: Context::new(&SHA256),
            bytes: 0,
            failed: None,
        };
        let written = write(&mut file);
        if let Some(error) = file.failed.take() {
            // Writers wrap the reason into something of their own.
            return Err(fault()(error));
        }
        written?;
        let inner = file
            .file
            .into_inner()
            .map_err(|error| fault()(error.into_error()))?;
        inner.sync_all().map_err(fault())?;
        self.outputs.push(OutputFile {
            path: name.to_owned(),
            bytes: file.bytes,
            sha256: hex::encode(file.hash.finish()),
        });
        Ok(())
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // An error is on its way out already, and the next run tries again.
            let _ = fs::remove_dir_all(&self.path);
            let _ = fs::remove_file(self.folder.path.join(NEXT));
        }
    }
}

/// A run that readers can see.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its name.
    pub run_id: String,
    /// Its folder.
    pub path: PathBuf,
}

/// The first of `id`, `id-2`, `id-3`, … that is free.
fn free_name(runs: &Path, id: &str) -> (String, PathBuf) {
    let mut name = id.to_owned();
    let mut number = 1;
    while runs.join(&name).exists() {
        number += 1;
        name = format!("{id}-{number}");
    }
    let path = runs.join(&name);
    (name, path)
}

/// Makes the link that is renamed to `current` later, so that there is no moment without one.
fn link_next(folder: &Path, run_id: &str) -> Result<()> {
    let next = folder.join(NEXT);
    let _ = fs::remove_file(&next);
    std::os::unix::fs::symlink(Path::new("runs").join(run_id), &next)
        .map_err(Error::io("create the link", &next))
}

/// Takes a lock for as long as the file is open; whoever holds it already writes to `path`.
fn take(lock: &File, path: &Path) -> Result<()> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::OutBusy {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync", path))
}

fn write_json(mut file: impl Write, document: &impl Serialize, name: &str) -> Result<()> {
    let mut buffered = BufWriter::new(&mut file);
    serde_json::to_writer_pretty(&mut buffered, document)
        .map_err(std::io::Error::from)
        .and_then(|()| buffered.write_all(b"\n"))
        .and_then(|()| buffered.flush())
        .map_err(Error::io("write", name))
}

fn write_bytes(mut file: impl Write, contents: &[u8], name: &str) -> Result<()> {
    file.write_all(contents)
        .and_then(|()| file.flush())
        .map_err(Error::io("write", name))
}

#[expect(clippy::disallowed_methods, reason = "store is the code that writes")]
fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(Error::io("create", path))
}

/// Counts and hashes what is written.
struct Hashing {
    file: BufWriter<File>,
    hash: Context,
    bytes: u64,
    /// Why the system refused, if it did.
    failed: Option<std::io::Error>,
}

impl Hashing {
    /// Keeps the reason of a failure: the writers above wrap it into something of their own.
    fn keep<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        result.map_err(|error| {
            let copy = std::io::Error::new(error.kind(), error.to_string());
            self.failed = Some(error);
            copy
        })
    }
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(buffer);
        let written = self.keep(written)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.file.flush();
        self.keep(flushed)
    }
}

/// Writes a text where there is none yet.
///
/// # Errors
/// [`Error::Exists`], [`Error::Io`].
pub fn write_new(path: &Path, text: &str, overwrite: bool) -> Result<()> {
    if path.exists() && !overwrite {
        return Err(Error::Exists {
            path: path.to_owned(),
            hint: "give another name, or `--force` to replace it".to_owned(),
        });
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    }
    whole(path, |file| {
        file.write_all(text.as_bytes())
            .map_err(Error::io("write", path))
    })
}

/// Writes a file under a hidden name beside its own, and renames it: whatever goes wrong, a file that was there stays.
fn whole(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    // Not the link is replaced, but what it points to.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if target.exists() && !target.is_file() {
        // A device is written to; no file takes its place.
        return write(&mut create(path)?);
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let hidden = target.with_file_name(format!(".{name}-{}", std::process::id()));
    let fault = |action| Error::io(action, path);
    let mut options = File::options();
    let created = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&hidden);
    let mut file = created.map_err(fault("create"))?;
    let written = write(&mut file).and_then(|()| {
        file.sync_all().map_err(fault("write"))?;
        fs::rename(&hidden, &target).map_err(fault("write"))
    });
    if written.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    written?;
    if let Some(folder) = target.parent() {
        // The file is there; not every file system can sync a folder.
        let _ = sync_folder(folder);
    }
    Ok(())
}

/// Takes back a file of a job that failed; whether it was there does not matter any more.
pub fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// A document of all runs in a folder that have it, with their names, in the order of these. A folder without runs has none.
///
/// # Errors
/// [`Error::Io`] where the system refuses.
pub fn documents_of_runs(folder: &Path, name: &str) -> Result<Vec<(String, String)>> {
    let runs = folder.join("runs");
    if !runs.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&runs).map_err(Error::io("list", &runs))? {
        let entry = entry.map_err(Error::io("list", &runs))?;
        let run_id = entry.file_name().to_string_lossy().into_owned();
        let document = entry.path().join(name);
        if !run_id.starts_with(STAGING) && document.is_file() {
            found.push((run_id, read_model(&document)?));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a model file.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Io`].
#[expect(
    clippy::disallowed_methods,
    reason = "models and documents of runs are the one thing that store reads"
)]
pub fn read_model(path: &Path) -> Result<String> {
    if !path.exists() {
        return Err(Error::NotFound {
            path: path.to_owned(),
        });
    }
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// The run of the latest day before the one that a run id begins with, among the folders of published runs.
///
/// Of several runs of that day it is the last by name. Runs without assignments are none.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub fn previous_run(runs: &Path, run_id: &str) -> Result<Option<PathBuf>> {
    if !runs.is_dir() {
        return Ok(None);
    }
    let day = |name: &str| name.get(..10).map(str::to_owned);
    let today = day(run_id);
    let mut found: Option<PathBuf> = None;
    for entry in fs::read_dir(runs).map_err(Error::io("list", runs))? {
        let path = entry.map_err(Error::io("list", runs))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let earlier = !name.starts_with('.') && day(&name) < today;
        let whole = [
            "assignments.parquet",
            "tiers.json",
            "model.json",
            "manifest.json",
        ];
        if earlier
            && whole.iter().all(|file| path.join(file).exists())
            && found.as_ref() < Some(&path)
        {
            found = Some(path);
        }
    }
    Ok(found)
}
