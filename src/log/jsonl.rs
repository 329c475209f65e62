//! `metrics.jsonl`: one JSON object a line, its fields in the order they were given.
//!
//! Every record starts with `env_steps`, `frames`, `updates` and `time_s` (seconds of the run,
//! sessions before a resume included). JSON has no NaN and no infinity: they are written as the
//! strings `"NaN"`, `"Infinity"` and `"-Infinity"`, which [`read_number`] reads back.

use super::Counters;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

/// Fields whose values depend on the clock; `*` stands for anything. All others are the same when
/// a run is repeated in serial mode.
pub const CLOCK_FIELDS: &[&str] =
    &["time_s", "time/*", "perf/*", "*_per_s", "*_wait_s", "*_wall_s", "*_duration_s"];

/// Whether the value of the field `name` depends on the clock; see [`CLOCK_FIELDS`].
#[must_use]
pub fn is_clock_field(name: &str) -> bool {
    CLOCK_FIELDS.iter().any(|pattern| {
        if let Some(end) = pattern.strip_prefix('*') {
            name.ends_with(end)
        } else if let Some(start) = pattern.strip_suffix('*') {
            name.starts_with(start)
        } else {
            name == *pattern
        }
    })
}

/// A number of a record, whether it was finite or not; `None` for a text or another thing.
#[must_use]
pub fn read_number(value: &Value) -> Option<f64> {
    match value.as_str() {
        None => value.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    }
}

/// Whether every record has a field of this name, or its kind is told by it.
pub(super) fn is_taken(field: &str) -> bool {
    ["env_steps", "frames", "updates", "time_s", "event"].contains(&field)
}

/// What became of the records of the session before, when a run was resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resumed {
    /// Records that stay.
    pub kept: u64,
    /// Records that were cut off because they are later than the resumed env steps.
    pub later: u64,
    /// Lines that were cut off because they, or one before them, were incomplete or not JSON.
    /// One is usual after a kill.
    pub damaged: u64,
    /// `time_s` of the last record that stays.
    pub time_s: f64,
}

/// The fields by which a record is kept or cut.
#[derive(Deserialize)]
struct Head {
    env_steps: u64,
    time_s: f64,
}

/// Opens the file for appending after the last record that is not later than `env_steps`, and
/// cuts off the rest. A file that is missing is made.
///
/// Records are in the order of time. What follows the first later record was therefore written
/// after the state that the run is resumed from, and will be written again.
pub(super) fn open_and_cut(path: &Path, env_steps: u64) -> io::Result<(File, Resumed)> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let (mut resumed, mut kept_bytes, mut line) = (Resumed::default(), 0, Vec::new());
    let mut reader = BufReader::new(&file);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        let complete = line.ends_with(b"\n");
        match serde_json::from_slice::<Head>(&line) {
            Ok(head) if complete && head.env_steps > env_steps => resumed.later += 1,
            Ok(head) if complete && resumed.later + resumed.damaged == 0 => {
                resumed.kept += 1;
                resumed.time_s = head.time_s;
                kept_bytes += length as u64;
            }
            Ok(_) if complete && resumed.damaged == 0 => resumed.later += 1,
            _ => resumed.damaged += 1,
        }
    }
    file.set_len(kept_bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, resumed))
}

/// Writes records to anything.
pub(super) struct JsonLines<W: Write> {
    out: BufWriter<W>,
    line: Vec<u8>,
    began: Instant,
    time_before_s: f64,
}

impl<W: Write> JsonLines<W> {
    /// `time_before_s`: seconds that earlier sessions of the run took.
    pub(super) fn new(out: W, time_before_s: f64) -> Self {
        let out = BufWriter::with_capacity(1 << 16, out);
        Self { out, line: Vec::new(), began: Instant::now(), time_before_s }
    }

    pub(super) fn scalars<S: AsRef<str>>(
        &mut self,
        counters: Counters,
        values: &[(S, f64)],
    ) -> io::Result<()> {
        self.begin(counters)?;
        for (name, value) in values {
            self.number(name.as_ref(), *value)?;
        }
        self.end()
    }

    /// `finite` is sorted.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        counters: Counters,
        finite: &[f64],
        nonfinite: usize,
    ) -> io::Result<()> {
        self.begin(counters)?;
        self.field("histogram", name)?;
        self.field("count", &finite.len())?;
        self.field("nonfinite", &nonfinite)?;
        if let (Some(min), Some(max)) = (finite.first(), finite.last()) {
            self.number("min", *min)?;
            self.number("median", median(finite))?;
            self.number("mean", finite.iter().sum::<f64>() / finite.len() as f64)?;
            self.number("max", *max)?;
        }
        self.end()
    }

    pub(super) fn event(
        &mut self,
        name: &str,
        counters: Counters,
        fields: &[(&str, Value)],
    ) -> io::Result<()> {
        self.begin(counters)?;
        self.field("event", name)?;
        for (name, value) in fields {
            self.field(name, value)?;
        }
        self.end()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn begin(&mut self, counters: Counters) -> io::Result<()> {
        let time_s = self.time_before_s + self.began.elapsed().as_secs_f64();
        self.line.clear();
        self.field("env_steps", &counters.env_steps)?;
        self.field("frames", &counters.frames)?;
        self.field("updates", &counters.updates)?;
        self.number("time_s", (time_s * 1e3).round() / 1e3)
    }

    fn number(&mut self, name: &str, value: f64) -> io::Result<()> {
        if value.is_finite() {
            self.field(name, &value)
        } else if value.is_nan() {
            self.field(name, "NaN")
        } else {
            self.field(name, if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> io::Result<()> {
        self.line.push(if self.line.is_empty() { b'{' } else { b',' });
        serde_json::to_writer(&mut self.line, name)?;
        self.line.push(b':');
        serde_json::to_writer(&mut self.line, value)?;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.line.extend_from_slice(b"}\n");
        self.out.write_all(&self.line)
    }
}

/// Of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}
