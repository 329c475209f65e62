//! Writing the files of a checkpoint, as streams.

use super::manifest::{FileEntry, MANIFEST_FILE};
use super::{CheckpointError, Manifest, sync_dir};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Takes the files of one checkpoint.
#[derive(Debug)]
pub struct CheckpointWriter {
    folder: PathBuf,
    files: Vec<FileEntry>,
    /// Why a file is not what was written to it, whether or not the caller looked.
    fault: Option<String>,
}

impl CheckpointWriter {
    /// Begins a file. Bytes go to disk as they come; it ends when it is dropped, or by
    /// [`CheckpointFile::finish`], which tells at once if something went wrong.
    ///
    /// # Errors
    /// If the name is taken or is not letters, digits, `.`, `_` and `-`, or the file cannot be
    /// created.
    pub fn file(&mut self, name: &str) -> Result<CheckpointFile<'_>, CheckpointError> {
        self.check_name(name)?;
        let path = self.folder.join(name);
        let file = File::create_new(&path).map_err(CheckpointError::io("create", &path))?;
        let sink =
            HashedFile { file, path, hasher: blake3::Hasher::new(), bytes: 0, refused: None };
        let out = BufWriter::with_capacity(1 << 18, sink);
        Ok(CheckpointFile { writer: self, name: name.to_owned(), out, ended: false })
    }

    /// Writes a file of JSON. Finite floats come back exactly; JSON has no NaN and no infinity, so
    /// what may hold those goes into a binary file.
    ///
    /// # Errors
    /// As [`CheckpointWriter::file`]; or if `value` cannot be written as JSON.
    pub fn write_json<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), CheckpointError> {
        let path = self.folder.join(name);
        let mut file = self.file(name)?;
        let written = serde_json::to_writer_pretty(&mut file, value).map_err(io::Error::from);
        written.map_err(CheckpointError::io("write", &path))?;
        file.finish()
    }

    fn check_name(&self, name: &str) -> Result<(), CheckpointError> {
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let reason = if name.is_empty() || name.starts_with('.') || !name.chars().all(usable) {
            "only letters, digits, '.', '_' and '-' are allowed, and no '.' in front"
        } else if name == MANIFEST_FILE {
            "the store writes that itself"
        } else if self.files.iter().any(|file| file.name == name) {
            "it has one already"
        } else {
            return Ok(());
        };
        Err(CheckpointError::BadName { name: name.to_owned(), reason })
    }
}

/// A file of a checkpoint that is being written. A checkpoint with a file that could not be written
/// in full is not saved, even if the caller ignores the error.
#[derive(Debug)]
pub struct CheckpointFile<'a> {
    writer: &'a mut CheckpointWriter,
    name: String,
    out: BufWriter<HashedFile>,
    ended: bool,
}

impl CheckpointFile<'_> {
    /// Flushes the file to disk and enters it in the manifest.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> Result<(), CheckpointError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), CheckpointError> {
        self.ended = true;
        let flushed = self.out.flush();
        let sink = self.out.get_ref();
        let refused = sink.refused.map_or(Ok(()), |kind| Err(io::Error::from(kind)));
        let synced = flushed.and(refused).and_then(|()| sink.file.sync_all());
        let ended = synced.map_err(CheckpointError::io("write", &sink.path));
        match &ended {
            Ok(()) => self.writer.files.push(FileEntry {
                name: std::mem::take(&mut self.name),
                bytes: sink.bytes,
                blake3: sink.hasher.finalize().to_hex().to_string(),
            }),
            Err(error) => self.writer.fault = Some(error.to_string()),
        }
        ended
    }
}

impl Drop for CheckpointFile<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.end(); // the writer keeps the error
        }
    }
}

impl Write for CheckpointFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        written.map_err(|e| named(&self.out.get_ref().path, &e))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        flushed.map_err(|e| named(&self.out.get_ref().path, &e))
    }
}

/// An I/O error that says which file.
fn named(path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot write {}: {cause}", path.display()))
}

/// A file whose checksum grows with it.
#[derive(Debug)]
struct HashedFile {
    file: File,
    path: PathBuf,
    hasher: blake3::Hasher,
    bytes: u64,
    /// The first error: a later write that succeeds does not make up for it.
    refused: Option<io::ErrorKind>,
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.refused.get_or_insert(e.kind());
            }
        })?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a complete checkpoint of `(env_steps, metric)` into the new folder `folder`.
pub(super) fn write_folder<F>(
    folder: &Path,
    (env_steps, metric): (u64, Option<f64>),
    write: F,
) -> anyhow::Result<()>
where
    F: FnOnce(&mut CheckpointWriter) -> anyhow::Result<()>,
{
    fs::create_dir(folder).map_err(CheckpointError::io("create", folder))?;
    let mut writer = CheckpointWriter { folder: folder.to_owned(), files: Vec::new(), fault: None };
    write(&mut writer)?;
    if let Some(fault) = writer.fault {
        anyhow::bail!(fault);
    }
    let path = folder.join(MANIFEST_FILE);
    let text = Manifest::new(env_steps, metric, writer.files).seal()?;
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(CheckpointError::io("write", &path))?;
    Ok(sync_dir(folder)?)
}
