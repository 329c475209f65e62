//! Finding checkpoints and reading them back.

use super::{CheckpointError, CheckpointInfo, Manifest};
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// The checkpoints in a folder, to read: safe beside a process that is training.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    dir: PathBuf,
}

impl Checkpoints {
    /// The checkpoints in `dir`; a folder that is missing has none.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The complete checkpoints, oldest first: manifest intact, every file there in its length.
    /// Damaged ones are left out.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self) -> Result<Vec<CheckpointInfo>, CheckpointError> {
        Ok(self.folders()?.into_iter().filter_map(|env_steps| self.info(env_steps).ok()).collect())
    }

    /// The newest checkpoint; `None` if there is none.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] if the newest one is damaged: what to start from instead is
    /// for the user to say.
    pub fn latest(&self) -> Result<Option<CheckpointInfo>, CheckpointError> {
        let Some(newest) = self.folders()?.last().copied() else { return Ok(None) };
        let info = self.info(newest);
        info.map(Some).map_err(|reason| self.damaged(newest, reason))
    }

    /// The checkpoint with the highest metric, the newer of equal ones; `None` if none has one.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn best(&self) -> Result<Option<CheckpointInfo>, CheckpointError> {
        Ok(best_of(&self.list()?).cloned())
    }

    /// Opens a checkpoint after reading every byte of it: no file is opened that is not what was
    /// written.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`], or [`CheckpointError::Damaged`] with the next older one that
    /// is whole.
    pub fn load(&self, env_steps: u64) -> Result<CheckpointReader, CheckpointError> {
        let folders = self.folders()?;
        if !folders.contains(&env_steps) {
            let names: Vec<String> = folders.iter().map(u64::to_string).collect();
            let existing = if names.is_empty() {
                "is none".to_owned()
            } else {
                format!("is {}", names.join(", "))
            };
            return Err(CheckpointError::Missing { env_steps, dir: self.dir.clone(), existing });
        }
        let manifest =
            self.verified(env_steps).map_err(|reason| self.damaged(env_steps, reason))?;
        Ok(CheckpointReader { folder: self.folder(env_steps), manifest })
    }

    /// Where the checkpoints are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn folder(&self, env_steps: u64) -> PathBuf {
        self.dir.join(env_steps.to_string())
    }

    /// Every folder with the name of a checkpoint, oldest first.
    pub(super) fn folders(&self) -> Result<Vec<u64>, CheckpointError> {
        numbered(&self.dir, "")
    }

    fn info(&self, env_steps: u64) -> Result<CheckpointInfo, String> {
        let path = self.folder(env_steps);
        let manifest = Manifest::read(&path, env_steps)?;
        manifest.check_lengths(&path)?;
        Ok(CheckpointInfo { env_steps, metric: manifest.metric, bytes: manifest.bytes(), path })
    }

    fn verified(&self, env_steps: u64) -> Result<Manifest, String> {
        let folder = self.folder(env_steps);
        let manifest = Manifest::read(&folder, env_steps)?;
        manifest.check_contents(&folder)?;
        Ok(manifest)
    }

    fn damaged(&self, env_steps: u64, reason: String) -> CheckpointError {
        let folders = self.folders().unwrap_or_default(); // one error at a time
        let mut older = folders.into_iter().rev().filter(|folder| *folder < env_steps);
        let hint = match older.find(|folder| self.verified(*folder).is_ok()) {
            Some(older) => format!("the next older complete checkpoint is {older}"),
            None => "there is no older complete checkpoint".to_owned(),
        };
        CheckpointError::Damaged { path: self.folder(env_steps), reason, hint }
    }
}

/// The numbers of the entries named `<prefix><number>` in `dir`, in order.
pub(super) fn numbered(dir: &Path, prefix: &str) -> Result<Vec<u64>, CheckpointError> {
    let mut numbers = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        entries => entries.map_err(CheckpointError::io("read", dir))?,
    };
    for entry in entries {
        let name = entry.map_err(CheckpointError::io("read", dir))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let number = digits.and_then(|digits| digits.parse::<u64>().ok());
        // Written as we write it: "+5" and "007" are someone else's.
        numbers.extend(number.filter(|number| digits == Some(number.to_string().as_str())));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// `checkpoints` are oldest first.
pub(super) fn best_of(checkpoints: &[CheckpointInfo]) -> Option<&CheckpointInfo> {
    let measured = checkpoints.iter().filter_map(|info| Some((info.metric?, info)));
    // The last of equal ones, which is what max_by gives.
    measured.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, info)| info)
}

/// A checkpoint that was verified.
#[derive(Debug)]
pub struct CheckpointReader {
    folder: PathBuf,
    manifest: Manifest,
}

impl CheckpointReader {
    /// Env steps of the run when it was saved.
    #[must_use]
    pub fn env_steps(&self) -> u64 {
        self.manifest.env_steps
    }

    /// The number that the best one is chosen by.
    #[must_use]
    pub fn metric(&self) -> Option<f64> {
        self.manifest.metric
    }

    /// Names, lengths in bytes and BLAKE3 checksums of the files, in the order they were written.
    /// Two checkpoints of equal files have equal checksums.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64, &str)> {
        let files = self.manifest.files.iter();
        files.map(|file| (file.name.as_str(), file.bytes, file.blake3.as_str()))
    }

    /// A file to read from its beginning.
    ///
    /// # Errors
    /// If the checkpoint has no such file, or it cannot be opened.
    pub fn open(&self, name: &str) -> Result<BufReader<File>, CheckpointError> {
        let path = self.folder.join(name);
        let known = self.manifest.files.iter().any(|file| file.name == name);
        let opened =
            if known { File::open(&path) } else { Err(io::Error::from(io::ErrorKind::NotFound)) };
        let file = opened.map_err(CheckpointError::io("open", &path))?;
        Ok(BufReader::with_capacity(1 << 18, file))
    }

    /// The value of a file of JSON.
    ///
    /// # Errors
    /// As [`CheckpointReader::open`]; or if the file holds another type.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, CheckpointError> {
        let value = serde_json::from_reader(self.open(name)?).map_err(io::Error::from);
        value.map_err(CheckpointError::io("read", &self.folder.join(name)))
    }
}
