//! TensorBoard event files: scalars, histograms, texts and hyper-parameters.
//!
//! Of `tensorboard-rs` this uses the messages and the record format (length, masked CRC-32C), not
//! its `SummaryWriter`: that one writes from a thread of its own, through a queue without a bound,
//! and panics in that thread on the first I/O error and in the caller's on the next call. Here an
//! error is a value: the log falls silent and keeps the reason.

use super::Counters;
use super::buckets::buckets;
use super::event_file::{create, cut_after, unix_time_s};
use protobuf::Message;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tensorboard_proto::api::{DataType as HparamType, Experiment, Status};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::plugin_text::TextPluginData;
use tensorboard_proto::summary::{Summary, Summary_Value};
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;
use tensorboard_rs::summary::histogram_raw;

/// The value of a hyper-parameter in TensorBoard's HPARAMS tab.
#[derive(Clone, Debug, PartialEq)]
pub enum HparamValue {
    /// A number; NaN and infinities are shown as text.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// Anything else.
    Text(String),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// All env steps were done.
    Finished,
    /// An error stopped it.
    Failed,
    /// The user stopped it; it may be resumed.
    Interrupted,
}

/// Markdown that shows `text` as it is, in a fixed-width font.
#[must_use]
pub fn code_block(text: &str) -> String {
    // Indented, not fenced: nothing in the text can end the block.
    text.lines().map(|line| format!("    {line}\n")).collect()
}

type Records = RecordWriter<Box<dyn Write + Send>>;

/// An event file, or the reason why there is none any more.
pub(super) struct EventLog {
    records: Option<Records>,
    name: String,
    fault: String,
    fault_taken: bool,
}

impl EventLog {
    /// Starts an event file in `run_dir`. With `resume_at`, later points of earlier files go.
    pub(super) fn open(run_dir: &Path, resume_at: Option<u64>) -> Self {
        let cut = resume_at.map_or(Ok(()), |env_steps| cut_after(run_dir, env_steps));
        match cut.and_then(|()| create(run_dir)) {
            Ok((path, file)) => {
                let out = BufWriter::with_capacity(1 << 16, file);
                Self::start(Box::new(out), path.display().to_string(), resume_at)
            }
            Err(cause) => {
                let name = format!("an event file in {}", run_dir.display());
                let mut log =
                    Self { records: None, name, fault: String::new(), fault_taken: false };
                log.fail(&cause);
                log
            }
        }
    }

    fn start(out: Box<dyn Write + Send>, name: String, resume_at: Option<u64>) -> Self {
        let records = Some(RecordWriter::new(out));
        let mut log = Self { records, name, fault: String::new(), fault_taken: false };
        let mut version = Event::new();
        version.set_file_version("brain.Event:2".to_owned());
        log.write(0, version);
        if let Some(env_steps) = resume_at {
            // For a TensorBoard that has the later points in memory: it drops those at the step of
            // this event and after it.
            let mut session = SessionLog::new();
            session.set_status(SessionLog_SessionStatus::START);
            let mut start = Event::new();
            start.set_session_log(session);
            log.write(env_steps.saturating_add(1), start);
        }
        log.flush();
        log
    }

    pub(super) fn scalars<S: AsRef<str>>(&mut self, counters: Counters, values: &[(S, f64)]) {
        let mut summary = Summary::new();
        for (name, value) in values {
            let mut point = Summary_Value::new();
            point.set_tag(name.as_ref().to_owned());
            #[expect(clippy::cast_possible_truncation, reason = "TensorBoard keeps f32")]
            point.set_simple_value(*value as f32);
            summary.mut_value().push(point);
        }
        self.summary(counters.env_steps, summary);
    }

    /// `finite` is sorted.
    pub(super) fn histogram(&mut self, name: &str, counters: Counters, finite: &[f64]) {
        let (Some(min), Some(max)) = (finite.first(), finite.last()) else { return };
        let (limits, counts) = buckets(finite);
        let (sum, squares) = finite.iter().fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let num = finite.len() as f64;
        let summary = histogram_raw(name, *min, *max, num, sum, squares, &limits, &counts);
        self.summary(counters.env_steps, summary);
    }

    pub(super) fn text(&mut self, name: &str, counters: Counters, markdown: &str) {
        let mut value = Summary_Value::new();
        value.set_tag(name.to_owned());
        let plugin = value.mut_metadata().mut_plugin_data();
        plugin.set_plugin_name("text".to_owned());
        let content = TextPluginData::new().write_to_bytes();
        let tensor = value.mut_tensor();
        tensor.set_dtype(DataType::DT_STRING);
        tensor.mut_tensor_shape(); // present and empty: rank 0
        tensor.mut_string_val().push(markdown.as_bytes().to_vec());
        self.plugin_value(counters.env_steps, value, content);
    }

    pub(super) fn hparams(&mut self, values: &[(String, HparamValue)], metric_names: &[&str]) {
        let mut data = HParamsPluginData::new();
        data.set_experiment(experiment(values, metric_names));
        self.hparams_value("_hparams_/experiment", &data);
        let mut start = SessionStartInfo::new();
        start.set_start_time_secs(unix_time_s());
        for (name, value) in values {
            let slot = start.mut_hparams().entry(name.clone()).or_default();
            match value {
                HparamValue::Number(v) if v.is_finite() => slot.set_number_value(*v),
                HparamValue::Number(v) => slot.set_string_value(v.to_string()),
                HparamValue::Bool(v) => slot.set_bool_value(*v),
                HparamValue::Text(v) => slot.set_string_value(v.clone()),
            }
        }
        let mut data = HParamsPluginData::new();
        data.set_session_start_info(start);
        self.hparams_value("_hparams_/session_start_info", &data);
    }

    pub(super) fn end(&mut self, end: RunEnd) {
        let status = match end {
            RunEnd::Finished => Status::STATUS_SUCCESS,
            RunEnd::Failed => Status::STATUS_FAILURE,
            RunEnd::Interrupted => return,
        };
        let mut info = SessionEndInfo::new();
        info.set_status(status);
        info.set_end_time_secs(unix_time_s());
        let mut data = HParamsPluginData::new();
        data.set_session_end_info(info);
        self.hparams_value("_hparams_/session_end_info", &data);
    }

    pub(super) fn flush(&mut self) {
        if let Some(Err(cause)) = self.records.as_mut().map(RecordWriter::flush) {
            self.fail(&cause);
        }
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.records.is_none()
    }

    pub(super) fn fault_text(&self) -> &str {
        &self.fault
    }

    pub(super) fn take_fault(&mut self) -> Option<String> {
        let tell = self.is_faulty() && !self.fault_taken;
        self.fault_taken |= tell;
        tell.then(|| self.fault.clone())
    }

    fn hparams_value(&mut self, tag: &str, data: &HParamsPluginData) {
        let mut value = Summary_Value::new();
        value.set_tag(tag.to_owned());
        value.mut_metadata().mut_plugin_data().set_plugin_name("hparams".to_owned());
        self.plugin_value(0, value, data.write_to_bytes());
    }

    fn plugin_value(
        &mut self,
        env_steps: u64,
        mut value: Summary_Value,
        content: protobuf::ProtobufResult<Vec<u8>>,
    ) {
        match content {
            Ok(bytes) => value.mut_metadata().mut_plugin_data().set_content(bytes),
            Err(cause) => return self.fail(&io::Error::other(cause)),
        }
        let mut summary = Summary::new();
        summary.mut_value().push(value);
        self.summary(env_steps, summary);
    }

    fn summary(&mut self, env_steps: u64, summary: Summary) {
        let mut event = Event::new();
        event.set_summary(summary);
        self.write(env_steps, event);
    }

    fn write(&mut self, env_steps: u64, mut event: Event) {
        let Some(records) = &mut self.records else { return };
        event.set_wall_time(unix_time_s());
        event.set_step(i64::try_from(env_steps).unwrap_or(i64::MAX));
        let written = event
            .write_to_bytes()
            .map_err(io::Error::other)
            .and_then(|bytes| records.write(&bytes));
        if let Err(cause) = written {
            self.fail(&cause);
        }
    }

    fn fail(&mut self, cause: &io::Error) {
        self.records = None;
        self.fault = format!(
            "cannot write {}: {cause}; TensorBoard gets nothing more, metrics.jsonl goes on",
            self.name
        );
    }
}

fn experiment(values: &[(String, HparamValue)], metric_names: &[&str]) -> Experiment {
    let mut experiment = Experiment::new();
    experiment.set_time_created_secs(unix_time_s());
    for (name, value) in values {
        let info = experiment.mut_hparam_infos().push_default();
        info.set_name(name.clone());
        info.set_field_type(match value {
            HparamValue::Number(v) if v.is_finite() => HparamType::DATA_TYPE_FLOAT64,
            HparamValue::Bool(_) => HparamType::DATA_TYPE_BOOL,
            HparamValue::Number(_) | HparamValue::Text(_) => HparamType::DATA_TYPE_STRING,
        });
    }
    for name in metric_names {
        let info = experiment.mut_metric_infos().push_default();
        info.mut_name().set_tag((*name).to_owned());
    }
    experiment
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes, then the disk is full.
    struct FullDisk {
        room: usize,
    }

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() > self.room {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_silences_it_and_is_told_once() {
        let mut log = EventLog::start(Box::new(FullDisk { room: 200 }), "the file".into(), None);
        assert_eq!(log.take_fault(), None);
        for env_steps in 0..10 {
            let counters = Counters { env_steps, ..Counters::default() };
            log.scalars(counters, &[("rollout/ep_rew_mean", 1.0)]);
        }
        log.histogram("q", Counters::default(), &[1.0]);
        log.text("config", Counters::default(), "x");
        log.end(RunEnd::Failed);
        log.flush();
        let fault = log.take_fault().unwrap();
        assert!(fault.starts_with("cannot write the file: no storage space"), "{fault}");
        assert_eq!(log.take_fault(), None);
    }
}
