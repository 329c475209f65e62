//! Names of event files, and what a resume cuts from those of earlier sessions.

use protobuf::Message;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tensorboard_proto::event::Event;
use tensorboard_rs::masked_crc32c::masked_crc32c;

const PREFIX: &str = "events.out.tfevents.";

/// A new event file whose name sorts after those of earlier sessions: TensorBoard reads a run's
/// files in the order of their names, and the clock may have been set back.
pub(super) fn create(run_dir: &Path) -> io::Result<(PathBuf, File)> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
    let mut time_s = unix_time_s() as u64;
    for path in event_files(run_dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stamp = name.trim_start_matches(PREFIX).split('.').next().unwrap_or_default();
        if let Ok(earlier_s) = stamp.parse::<u64>() {
            time_s = time_s.max(earlier_s.saturating_add(1));
        }
    }
    let (host, process) = (host_name(), std::process::id());
    let path = run_dir.join(format!("{PREFIX}{time_s:010}.{host}.{process}.0"));
    let file = File::create_new(&path)?;
    Ok((path, file))
}

/// Cuts every event file of `run_dir` before its first event that is later than `env_steps`, or
/// that is damaged or incomplete. TensorBoard 2.21 keeps such points, whatever the next file says.
pub(super) fn cut_after(run_dir: &Path, env_steps: u64) -> io::Result<()> {
    for path in event_files(run_dir)? {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        let kept = kept_length(&file, length, env_steps)?;
        if kept < length {
            file.set_len(kept)?;
        }
    }
    Ok(())
}

/// Bytes before the first event that has to go.
///
/// A record is the length of the data (u64), the CRC of the length (u32), the data, and its CRC
/// (u32), all little endian.
fn kept_length(file: &File, length: u64, env_steps: u64) -> io::Result<u64> {
    let (mut reader, mut kept) = (BufReader::with_capacity(1 << 16, file), 0);
    let (mut header, mut footer, mut data) = ([0; 12], [0; 4], Vec::new());
    while length - kept > 16 {
        reader.read_exact(&mut header)?;
        let mut data_length = [0; 8];
        data_length.copy_from_slice(&header[..8]);
        let data_length = u64::from_le_bytes(data_length);
        if data_length > length - kept - 16 {
            break; // incomplete, or the length is damaged
        }
        data.clear();
        (&mut reader).take(data_length).read_to_end(&mut data)?;
        reader.read_exact(&mut footer)?;
        let intact = masked_crc32c(&header[..8]).to_le_bytes() == header[8..]
            && masked_crc32c(&data).to_le_bytes() == footer;
        let Some(event) = intact.then(|| Event::parse_from_bytes(&data).ok()).flatten() else {
            break;
        };
        if u64::try_from(event.get_step()).is_ok_and(|step| step > env_steps) {
            break;
        }
        kept += 16 + data_length;
    }
    Ok(kept)
}

/// In the order of their names.
fn event_files(run_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(run_dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The host's name, for people who collect runs of several machines in one folder.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let usable = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let name: String = name.trim().chars().filter(usable).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

pub(super) fn unix_time_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensorboard_rs::record_writer::RecordWriter;

    /// Records of events at these steps, and where each record ends.
    fn records(steps: &[i64]) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for step in steps {
            let mut event = Event::new();
            event.set_step(*step);
            RecordWriter::new(&mut bytes).write(&event.write_to_bytes().unwrap()).unwrap();
            ends.push(bytes.len() as u64);
        }
        (bytes, ends)
    }

    fn length_after_cut(bytes: &[u8], env_steps: u64) -> u64 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.out.tfevents.1.host.1.0");
        std::fs::write(&path, bytes).unwrap();
        cut_after(dir.path(), env_steps).unwrap();
        std::fs::metadata(path).unwrap().len()
    }

    #[test]
    fn later_events_are_cut() {
        // The text at step 0 behind 300 belongs to the abandoned future too.
        let (bytes, ends) = records(&[0, 100, 200, 200, 300, 0, 400]);
        for (env_steps, expected) in [(0, ends[0]), (199, ends[1]), (200, ends[3]), (400, ends[6])]
        {
            assert_eq!(length_after_cut(&bytes, env_steps), expected, "at {env_steps}");
        }
        assert_eq!(length_after_cut(&[], 5), 0);
    }

    #[test]
    fn damage_is_cut_wherever_it_is() {
        let (bytes, ends) = records(&[100, 200, 300]);
        let end = bytes.len();
        for length in ends[1] as usize..end {
            assert_eq!(length_after_cut(&bytes[..length], 900), ends[1], "cut to {length} bytes");
        }
        for at in ends[1] as usize..end {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(length_after_cut(&flipped, 900), ends[1], "byte {at} flipped");
        }
    }
}
