//! Where metrics go: `metrics.jsonl` and a TensorBoard event file, both in the run folder.
//!
//! `metrics.jsonl` is the record of a run: complete, readable line by line, and an error if it
//! cannot be written. TensorBoard is a view: if its file cannot be written, training goes on, and
//! the reason is reported once ([`MetricLog::take_warning`]).

mod buckets;
mod event_file;
mod jsonl;
mod progress;
mod tensorboard;

pub use jsonl::{CLOCK_FIELDS, Resumed, is_clock_field, read_number};
pub use progress::Progress;
pub use tensorboard::{HparamValue, RunEnd, code_block};

use jsonl::JsonLines;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tensorboard::EventLog;
use thiserror::Error;

/// Name of the record of a run in its folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// A record waits no longer than this for the next one to push it to the files, so that a curve
/// can be watched while it grows.
const FLUSH_PERIOD: Duration = Duration::from_secs(5);

/// How far a run is, in the three units that steps are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Decisions of all actors: the x axis of every curve.
    pub env_steps: u64,
    /// Simulator ticks, after action repeat.
    pub frames: u64,
    /// Gradient steps.
    pub updates: u64,
}

/// What can go wrong when metrics are written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// "open", "read", "cut", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A new run in the folder of an old one.
    #[error("{} already exists: resume that run, or choose another run folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// An event with a field that every record already has.
    #[error(
        "event {event:?} has a field called {field:?}; env_steps, frames, updates, time_s and event are taken"
    )]
    TakenField {
        /// The event.
        event: String,
        /// The field.
        field: String,
    },
}

/// Writes the metrics of one run. Lives on the main thread: other threads send it their numbers.
pub struct MetricLog {
    jsonl: JsonLines<File>,
    events: EventLog,
    path: PathBuf,
    resumed: Option<Resumed>,
    warned: bool,
    flushed_at: Instant,
}

impl MetricLog {
    /// Opens the logs of a run in `run_dir`, which is created if need be.
    ///
    /// With `resume_at`, the records of an earlier session that are later than that many env steps
    /// are cut off, an incomplete last line too, and `time_s` goes on from the last record that
    /// stays. Records made at exactly `resume_at` stay: so a runner logs and flushes first and
    /// saves its checkpoint after.
    ///
    /// # Errors
    /// If `metrics.jsonl` exists and `resume_at` is `None`, or if it cannot be opened, read or cut.
    pub fn open(run_dir: &Path, resume_at: Option<u64>) -> Result<Self, LogError> {
        let path = run_dir.join(METRICS_FILE);
        let fault = |action| {
            let path = path.clone();
            move |cause| LogError::Io { action, path, cause }
        };
        std::fs::create_dir_all(run_dir).map_err(fault("create the folder of"))?;
        let (file, resumed) = match resume_at {
            Some(env_steps) => {
                let (file, resumed) =
                    jsonl::open_and_cut(&path, env_steps).map_err(fault("read and cut"))?;
                (file, Some(resumed))
            }
            None => match File::create_new(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(LogError::Exists { path });
                }
                other => (other.map_err(fault("create"))?, None),
            },
        };
        Ok(Self {
            jsonl: JsonLines::new(file, resumed.map_or(0.0, |r| r.time_s)),
            events: EventLog::open(run_dir, resume_at),
            path,
            resumed,
            warned: false,
            flushed_at: Instant::now(),
        })
    }

    /// What became of the records of the session before; `None` for a new run.
    #[must_use]
    pub fn resumed(&self) -> Option<Resumed> {
        self.resumed
    }

    /// Records one number.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be written.
    pub fn scalar(&mut self, name: &str, counters: Counters, value: f64) -> Result<(), LogError> {
        self.scalars(counters, &[(name, value)])
    }

    /// Records numbers taken at the same time: one line, in the order given. Names must differ.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be written.
    pub fn scalars<S: AsRef<str>>(
        &mut self,
        counters: Counters,
        values: &[(S, f64)],
    ) -> Result<(), LogError> {
        debug_assert!(
            (1..values.len())
                .all(|i| values[..i].iter().all(|v| v.0.as_ref() != values[i].0.as_ref())),
            "a record at {} env steps has two values of one name",
            counters.env_steps
        );
        let written = self.jsonl.scalars(counters, values);
        self.check(written)?;
        self.events.scalars(counters, values);
        self.after_record(counters)
    }

    /// Records how `values` are distributed: a histogram in TensorBoard, and a line with count,
    /// minimum, median, mean and maximum. NaN and infinities are counted apart, and shown in
    /// TensorBoard as the scalar `<name>/nonfinite` if there are any.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be written.
    pub fn histogram(
        &mut self,
        name: &str,
        counters: Counters,
        values: &[f64],
    ) -> Result<(), LogError> {
        let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        finite.sort_unstable_by(f64::total_cmp);
        let nonfinite = values.len() - finite.len();
        let written = self.jsonl.histogram(name, counters, &finite, nonfinite);
        self.check(written)?;
        self.events.histogram(name, counters, &finite);
        if nonfinite > 0 {
            self.events.scalars(counters, &[(format!("{name}/nonfinite"), nonfinite as f64)]);
        }
        self.after_record(counters)
    }

    /// Shows a text, as Markdown, in TensorBoard only. [`code_block`] keeps a text as it is.
    pub fn text(&mut self, name: &str, counters: Counters, markdown: &str) {
        self.events.text(name, counters, markdown);
    }

    /// Fills TensorBoard's HPARAMS tab, once, when the run begins: the settings of this run, and
    /// the names of the scalars to compare runs by. The tab reads the last value of each.
    pub fn hparams(&mut self, values: &[(String, HparamValue)], metric_names: &[&str]) {
        self.events.hparams(values, metric_names);
    }

    /// Records that something happened (a fault, a warning, a shift of phase): a line with
    /// `"event": name` and the fields in the order given, in `metrics.jsonl` only.
    ///
    /// # Errors
    /// If a field has a name that every record has, or `metrics.jsonl` cannot be written.
    pub fn event(
        &mut self,
        name: &str,
        counters: Counters,
        fields: &[(&str, Value)],
    ) -> Result<(), LogError> {
        if let Some((field, _)) = fields.iter().find(|(field, _)| jsonl::is_taken(field)) {
            return Err(LogError::TakenField { event: name.into(), field: (*field).into() });
        }
        let written = self.jsonl.event(name, counters, fields);
        self.check(written)?;
        self.after_record(counters)
    }

    /// Why TensorBoard gets nothing any more, as a sentence; `Some` once, if it ever happens.
    pub fn take_warning(&mut self) -> Option<String> {
        self.events.take_fault()
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be written.
    pub fn flush(&mut self) -> Result<(), LogError> {
        self.flushed_at = Instant::now();
        self.events.flush();
        let written = self.jsonl.flush();
        self.check(written)
    }

    /// Ends the session. An interrupted run is left open in the HPARAMS tab: it may be resumed.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be written.
    pub fn close(mut self, end: RunEnd) -> Result<(), LogError> {
        self.events.end(end);
        self.flush()
    }

    fn check(&self, written: io::Result<()>) -> Result<(), LogError> {
        written.map_err(|cause| LogError::Io { action: "write", path: self.path.clone(), cause })
    }

    fn after_record(&mut self, counters: Counters) -> Result<(), LogError> {
        if self.flushed_at.elapsed() >= FLUSH_PERIOD {
            self.flush()?;
        }
        if !self.warned && self.events.is_faulty() {
            self.warned = true; // first, so that the record below does not come here again
            let reason = self.events.fault_text();
            self.event("tensorboard_failed", counters, &[("reason", Value::from(reason))])?;
        }
        Ok(())
    }
}

impl Drop for MetricLog {
    /// A run that fails still leaves what it logged; an error has no one left to go to.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests;
