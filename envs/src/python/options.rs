//! What a user may say about an environment in Python.

use crate::ContextValue;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Options of environments in Python; other environments ignore them.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonOptions {
    /// The interpreter, which has the environment's packages.
    pub interpreter: PathBuf,
    /// Wrappers in Python, applied in this order.
    pub wrappers: Vec<PythonWrapper>,
    /// Entries of a `Dict` observation that are used; empty = all.
    pub obs_keys: Vec<String>,
    /// Order of the axes of image observations.
    pub image_layout: ImageLayout,
    /// Context values that the environment takes, and how.
    pub contexts: Vec<PythonContext>,
    /// Whether an observation out of its declared bounds is a fault.
    pub check_obs_bounds: bool,
    /// Whether pictures will be asked for (`render_mode = "rgb_array"`).
    pub render: bool,
    /// Longest time a worker may take to import and make its environments.
    pub start_timeout: Duration,
    /// Longest time a worker may take to answer: one step of all its environments, or one reset.
    pub step_timeout: Duration,
    /// Where what workers print goes.
    pub output: WorkerOutput,
}

impl Default for PythonOptions {
    fn default() -> Self {
        Self {
            interpreter: "python3".into(),
            wrappers: Vec::new(),
            obs_keys: Vec::new(),
            image_layout: ImageLayout::Auto,
            contexts: Vec::new(),
            check_obs_bounds: true,
            render: false,
            start_timeout: Duration::from_secs(120),
            step_timeout: Duration::from_secs(30),
            output: WorkerOutput::default(),
        }
    }
}

/// A wrapper class in Python.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PythonWrapper {
    /// `module:Class`.
    pub name: String,
    /// Further arguments by name.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub kwargs: serde_json::Map<String, Value>,
}

/// Which axis of an image holds its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageLayout {
    /// The shortest of the first and the last axis.
    #[default]
    Auto,
    /// `[C, H, W]`, as Contrail's networks read them.
    ChannelsFirst,
    /// `[H, W, C]`; the axes are moved.
    ChannelsLast,
}

/// A context value of an environment in Python.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonContext {
    /// Name, unit, default, bounds.
    pub value: ContextValue,
    /// How the environment takes it.
    pub via: ContextVia,
    /// What Python gets.
    pub kind: ContextKind,
}

/// How a value reaches an environment in Python at the beginning of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextVia {
    /// Entry of the `options` of `reset`.
    ResetOption,
    /// Argument of the constructor: the environment is made anew where the value changes.
    Kwarg,
    /// Attribute of the unwrapped environment; dots lead to attributes of attributes.
    Attribute,
}

/// Type of a value in Python.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextKind {
    /// `float`.
    Float,
    /// `int`: the value is rounded.
    Int,
    /// `bool`: 0 or 1.
    Bool,
    /// One of these, by index.
    Choice(Vec<Value>),
}

impl ContextKind {
    /// What Python gets for `value`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bounds were checked")]
    pub fn to_python(&self, value: f64) -> Value {
        match self {
            Self::Float => value.into(),
            Self::Int => (value.round() as i64).into(),
            Self::Bool => (value >= 0.5).into(),
            Self::Choice(choices) => {
                choices.get(value.round() as usize).cloned().unwrap_or(Value::Null)
            }
        }
    }
}

/// Lines that are kept until somebody reads them; an environment that prints at every step must
/// not fill the memory.
const MAX_LINES: usize = 200;

/// What workers print, line by line, for whoever keeps a log. Clones share the lines.
#[derive(Clone, Debug, Default)]
pub struct WorkerOutput {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<WorkerLine>,
    dropped: u64,
}

/// A line that a worker printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerLine {
    /// Which worker of this process.
    pub worker: u64,
    /// The line, without its end.
    pub text: String,
}

impl WorkerOutput {
    /// Takes the lines since the last call, and how many more were dropped for want of room.
    #[must_use]
    pub fn take(&self) -> (Vec<WorkerLine>, u64) {
        let mut lines = self.lines.lock();
        let dropped = std::mem::take(&mut lines.dropped);
        (lines.kept.drain(..).collect(), dropped)
    }

    pub(super) fn push(&self, line: WorkerLine) {
        let mut lines = self.lines.lock();
        if lines.kept.len() < MAX_LINES {
            lines.kept.push_back(line);
        } else {
            lines.dropped += 1;
        }
    }
}

/// Where output goes makes no difference between two options.
impl PartialEq for WorkerOutput {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
