//! `manifest.json`: what a checkpoint consists of. It is written last.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Name of the manifest in a checkpoint.
pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// Raised when a version before it can no longer read what is written.
const FORMAT_VERSION: u32 = 1;

/// Stands in the text for the manifest's own checksum while that is computed.
const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format_version: u32,
    manifest_blake3: String,
    pub(super) env_steps: u64,
    pub(super) metric: Option<f64>,
    pub(super) files: Vec<FileEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

/// What a manifest of any version says.
#[derive(Deserialize)]
struct Seal {
    format_version: u32,
    manifest_blake3: String,
}

impl Manifest {
    pub(super) fn new(env_steps: u64, metric: Option<f64>, files: Vec<FileEntry>) -> Self {
        let (format_version, manifest_blake3) = (FORMAT_VERSION, UNSEALED.to_owned());
        Self { format_version, manifest_blake3, env_steps, metric, files }
    }

    /// The text to write, with its own checksum in it.
    pub(super) fn seal(&self) -> io::Result<String> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let checksum = blake3::hash(text.as_bytes()).to_hex();
        Ok(text.replacen(UNSEALED, &checksum, 1))
    }

    /// Reads the manifest of the checkpoint in `folder`, or says what is wrong with it.
    pub(super) fn read(folder: &Path, env_steps: u64) -> Result<Self, String> {
        let text = std::fs::read_to_string(folder.join(MANIFEST_FILE))
            .map_err(|e| unreadable(MANIFEST_FILE, &e))?;
        let not_json = |e: serde_json::Error| format!("{MANIFEST_FILE} cannot be read: {e}");
        let seal: Seal = serde_json::from_str(&text).map_err(not_json)?;
        let unsealed = text.replacen(&seal.manifest_blake3, UNSEALED, 1);
        let found = blake3::hash(unsealed.as_bytes()).to_hex();
        if *found != *seal.manifest_blake3 {
            return Err(checksum_differs(MANIFEST_FILE, &found, &seal.manifest_blake3));
        }
        if seal.format_version != FORMAT_VERSION {
            return Err(format!(
                "{MANIFEST_FILE} has format version {}, this program reads {FORMAT_VERSION}",
                seal.format_version
            ));
        }
        let manifest: Self = serde_json::from_str(&text).map_err(not_json)?;
        if manifest.env_steps != env_steps {
            return Err(format!(
                "{MANIFEST_FILE} is of {} env steps, expected {env_steps}",
                manifest.env_steps
            ));
        }
        Ok(manifest)
    }

    /// Whether every file is there in its length; cheap.
    pub(super) fn check_lengths(&self, folder: &Path) -> Result<(), String> {
        for file in &self.files {
            let found = std::fs::metadata(folder.join(&file.name))
                .map_err(|e| unreadable(&file.name, &e))?
                .len();
            if found != file.bytes {
                return Err(format!("{} has {found} bytes, expected {}", file.name, file.bytes));
            }
        }
        Ok(())
    }

    /// Whether every byte of every file is what was written; reads all of them.
    pub(super) fn check_contents(&self, folder: &Path) -> Result<(), String> {
        self.check_lengths(folder)?;
        for file in &self.files {
            let found =
                checksum(&folder.join(&file.name)).map_err(|e| unreadable(&file.name, &e))?;
            if found != file.blake3 {
                return Err(checksum_differs(&file.name, &found, &file.blake3));
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

fn unreadable(name: &str, cause: &io::Error) -> String {
    if cause.kind() == io::ErrorKind::NotFound {
        format!("{name} is missing")
    } else {
        format!("{name} cannot be read: {cause}")
    }
}

fn checksum_differs(name: &str, found: &str, expected: &str) -> String {
    format!("{name} has checksum {found}, expected {expected}")
}

fn checksum(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, blake3::Hasher::new());
    let mut block = vec![0; 1 << 18];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&block[..length]);
    }
}
