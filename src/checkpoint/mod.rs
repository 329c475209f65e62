//! Checkpoints: complete or absent, whenever the process is killed.
//!
//! A checkpoint is a folder named by its env steps. It is written beside, as `.saving-<env_steps>`:
//! each file is flushed to disk, then `manifest.json` with the length and BLAKE3 checksum of every
//! file and of itself, then the folder; then it is renamed, and its parent is flushed. What is
//! replaced or removed is renamed first (`.replaced-<env_steps>`, `.removing-<env_steps>`). No such
//! name can be taken for a checkpoint, and [`CheckpointStore::open`] clears what a kill left.

mod manifest;
mod reader;
mod writer;

pub use reader::{CheckpointReader, Checkpoints};
pub use writer::{CheckpointFile, CheckpointWriter};

use manifest::Manifest;
use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use thiserror::Error;

const SAVING: &str = ".saving-";
const REPLACED: &str = ".replaced-";
const REMOVING: &str = ".removing-";

/// What can go wrong with checkpoints.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A save failed; it left nothing behind.
    #[error("checkpoint {env_steps} was not saved, earlier ones are as they were: {cause:#}")]
    NotSaved {
        /// The checkpoint.
        env_steps: u64,
        /// The cause.
        cause: anyhow::Error,
    },
    /// A checkpoint that does not exist.
    #[error("there is no checkpoint {env_steps} in {}; there {existing}", dir.display())]
    Missing {
        /// What was asked for.
        env_steps: u64,
        /// Where.
        dir: PathBuf,
        /// Those that exist, as text.
        existing: String,
    },
    /// A checkpoint that is not what was written.
    #[error("checkpoint {} is damaged: {reason}; {hint}", path.display())]
    Damaged {
        /// The checkpoint's folder.
        path: PathBuf,
        /// Which file, what was found, what was expected.
        reason: String,
        /// The next older complete checkpoint, as text.
        hint: String,
    },
    /// A file name that cannot be used.
    #[error("a checkpoint cannot have a file called {name:?}: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A save that is older than what is there: two futures of one run would be mixed.
    #[error(
        "checkpoint {env_steps} was not saved: {newest} is newer; discard what is after the resumed env steps first"
    )]
    NewerExists {
        /// What was to be saved.
        env_steps: u64,
        /// The newest that is there.
        newest: u64,
    },
}

impl CheckpointError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Io { action, path, cause }
    }
}

/// A complete checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointInfo {
    /// Env steps of the run when it was saved: its name.
    pub env_steps: u64,
    /// The number that the best one is chosen by; higher is better.
    pub metric: Option<f64>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Its folder.
    pub path: PathBuf,
}

/// The checkpoints of a run that is being trained. One process may hold this at a time; to read
/// only, use [`Checkpoints`].
#[derive(Debug)]
pub struct CheckpointStore {
    checkpoints: Checkpoints,
    keep_last: usize,
    leftovers: Vec<String>,
}

impl CheckpointStore {
    /// Opens the checkpoints in `dir`, which is created if need be, and clears what interrupted
    /// saves and removals left. After each save, the newest `keep_last` (at least
    /// one) stay, and the best.
    ///
    /// # Errors
    /// If the folder cannot be created, read or cleared.
    pub fn open(dir: &Path, keep_last: usize) -> Result<Self, CheckpointError> {
        fs::create_dir_all(dir).map_err(CheckpointError::io("create", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        let checkpoints = Checkpoints::new(dir);
        let leftovers = clear_leftovers(&checkpoints)?;
        Ok(Self { checkpoints, keep_last, leftovers })
    }

    /// What [`CheckpointStore::open`] cleared, a sentence each.
    #[must_use]
    pub fn leftovers(&self) -> &[String] {
        &self.leftovers
    }

    /// Saves a checkpoint, then removes those that are neither among the newest nor the best.
    /// Returns what was removed. While it is written there is one more checkpoint on disk than
    /// stay.
    ///
    /// A checkpoint of the same `env_steps` is replaced: after a resume, or an evaluation, it may
    /// differ. A `metric` that is NaN or infinite counts as none; of equal ones the newer is best.
    ///
    /// # Errors
    /// If there is a newer checkpoint, `write` fails, or a file cannot be written: then nothing
    /// has changed. [`CheckpointError::Io`] if this one is saved but an older one cannot be removed.
    pub fn save<F>(
        &self,
        env_steps: u64,
        metric: Option<f64>,
        write: F,
    ) -> Result<Vec<u64>, CheckpointError>
    where
        F: FnOnce(&mut CheckpointWriter) -> anyhow::Result<()>,
    {
        if let Some(newest) = self.folders()?.last().copied().filter(|newest| *newest > env_steps) {
            return Err(CheckpointError::NewerExists { env_steps, newest });
        }
        let saving = self.dir().join(format!("{SAVING}{env_steps}"));
        let metric = metric.filter(|metric| metric.is_finite());
        let saved = remove_if_there(&saving)
            .map_err(anyhow::Error::from)
            .and_then(|()| writer::write_folder(&saving, (env_steps, metric), write))
            .and_then(|()| Ok(self.publish(&saving, env_steps)?));
        if let Err(cause) = saved {
            // Best effort: the next save, or `open`, tries again.
            let _ = fs::remove_dir_all(&saving);
            return Err(CheckpointError::NotSaved { env_steps, cause });
        }
        self.remove_superseded()
    }

    /// Removes the checkpoints after `env_steps`: a run that is resumed there abandons them.
    /// Returns what was removed.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn discard_after(&self, env_steps: u64) -> Result<Vec<u64>, CheckpointError> {
        let mut folders = self.folders()?;
        folders.retain(|folder| *folder > env_steps);
        self.remove(folders)
    }

    /// Renames a complete folder to its final name.
    fn publish(&self, saving: &Path, env_steps: u64) -> Result<(), CheckpointError> {
        let folder = self.folder(env_steps);
        let replaced = self.dir().join(format!("{REPLACED}{env_steps}"));
        let replaces = folder.exists();
        if replaces {
            remove_if_there(&replaced)?;
            rename(&folder, &replaced)?;
        }
        if let Err(error) = rename(saving, &folder) {
            if replaces {
                rename(&replaced, &folder)?;
            }
            return Err(error);
        }
        sync_dir(self.dir())?;
        if replaces { remove_if_there(&replaced) } else { Ok(()) }
    }

    fn remove_superseded(&self) -> Result<Vec<u64>, CheckpointError> {
        let complete = self.list()?;
        let newest = complete.iter().rev().take(self.keep_last.max(1));
        let mut keep: Vec<u64> = newest.map(|info| info.env_steps).collect();
        keep.extend(reader::best_of(&complete).map(|info| info.env_steps));
        let mut folders = self.folders()?; // damaged ones too
        folders.retain(|folder| !keep.contains(folder));
        self.remove(folders)
    }

    fn remove(&self, folders: Vec<u64>) -> Result<Vec<u64>, CheckpointError> {
        for env_steps in &folders {
            let removing = self.dir().join(format!("{REMOVING}{env_steps}"));
            remove_if_there(&removing)?;
            rename(&self.folder(*env_steps), &removing)?;
            sync_dir(self.dir())?;
            remove_if_there(&removing)?;
        }
        Ok(folders)
    }
}

impl Deref for CheckpointStore {
    type Target = Checkpoints;

    fn deref(&self) -> &Checkpoints {
        &self.checkpoints
    }
}

/// Clears what a killed process left; what it was about to replace comes back.
fn clear_leftovers(checkpoints: &Checkpoints) -> Result<Vec<String>, CheckpointError> {
    let mut done = Vec::new();
    for (prefix, why) in [
        (REPLACED, "it was replaced by a newer save"),
        (SAVING, "its save was interrupted"),
        (REMOVING, "its removal was interrupted"),
    ] {
        for env_steps in reader::numbered(checkpoints.dir(), prefix)? {
            let leftover = checkpoints.dir().join(format!("{prefix}{env_steps}"));
            let folder = checkpoints.folder(env_steps);
            if prefix == REPLACED && !folder.exists() {
                rename(&leftover, &folder)?;
                done.push(format!("restored checkpoint {env_steps}: replacing it was interrupted"));
            } else {
                remove_if_there(&leftover)?;
                done.push(format!("removed {}: {why}", leftover.display()));
            }
        }
    }
    sync_dir(checkpoints.dir())?;
    Ok(done)
}

fn rename(from: &Path, to: &Path) -> Result<(), CheckpointError> {
    fs::rename(from, to).map_err(CheckpointError::io("rename", from))
}

fn remove_if_there(folder: &Path) -> Result<(), CheckpointError> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(CheckpointError::io("remove", folder)(cause))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a folder survive a loss of power. Where a folder cannot be opened (not
/// Unix), the system is trusted.
fn sync_dir(dir: &Path) -> Result<(), CheckpointError> {
    if cfg!(unix) {
        let synced = File::open(dir).and_then(|folder| folder.sync_all());
        synced.map_err(CheckpointError::io("flush", dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
