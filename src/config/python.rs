//! The keys of `[env]` that only environments in Python heed, and the whole of `[env]` as written.

use super::raw::RawEnv;
use super::valid::EnvConfig;
use contrail_envs::ContextValue;
use contrail_envs::python::{ContextKind, ContextVia, PythonContext, PythonWrapper};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entry of `env.wrappers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wrapper {
    /// `"module:Class"`.
    Name(String),
    /// `{ name = "module:Class", kwargs = { .. } }`.
    Full(PythonWrapper),
}

impl From<Wrapper> for PythonWrapper {
    fn from(wrapper: Wrapper) -> Self {
        match wrapper {
            Wrapper::Name(name) => Self { name, kwargs: serde_json::Map::new() },
            Wrapper::Full(full) => full,
        }
    }
}

impl From<PythonWrapper> for Wrapper {
    fn from(wrapper: PythonWrapper) -> Self {
        if wrapper.kwargs.is_empty() { Self::Name(wrapper.name) } else { Self::Full(wrapper) }
    }
}

/// A table of `env.contexts`, whose name is the value's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContext {
    /// How the environment takes it.
    pub via: ContextVia,
    /// Value when nothing else is said.
    pub default: f64,
    /// Smallest allowed value; not for choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Largest allowed value; not for choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Unit.
    #[serde(default = "no_unit")]
    pub unit: String,
    /// What it changes.
    #[serde(default)]
    pub doc: String,
    /// Type in Python.
    #[serde(default)]
    pub kind: RawKind,
    /// For kind "choice": the values in Python, which the context value indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
}

fn no_unit() -> String {
    "1".to_owned()
}

/// Type of a context value in Python.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawKind {
    /// `float`.
    #[default]
    Float,
    /// `int`.
    Int,
    /// `bool`, 0 or 1.
    Bool,
    /// One of `choices`, by index.
    Choice,
}

impl RawContext {
    /// The context value `name`.
    ///
    /// # Errors
    /// A sentence without its key if bounds are missing, superfluous or upside down.
    pub(super) fn named(&self, name: &str) -> Result<PythonContext, String> {
        let (kind, bounds) = match (self.kind, self.choices.len()) {
            (RawKind::Choice, 0) => return Err("is a choice without choices".to_owned()),
            (RawKind::Choice, n) => {
                (ContextKind::Choice(self.choices.clone()), Some((0.0, (n - 1) as f64)))
            }
            (_, 1..) => return Err("has choices, but its kind is not \"choice\"".to_owned()),
            (RawKind::Bool, 0) => (ContextKind::Bool, Some((0.0, 1.0))),
            (RawKind::Float, 0) => (ContextKind::Float, None),
            (RawKind::Int, 0) => (ContextKind::Int, None),
        };
        let (low, high) = match (bounds, self.low, self.high) {
            (Some(bounds), None, None) => bounds,
            (None, Some(low), Some(high)) => (low, high),
            (Some(_), ..) => return Err("has low or high, which follow from its kind".to_owned()),
            (None, ..) => return Err("needs both low and high".to_owned()),
        };
        let ordered = low <= self.default && self.default <= high; // false for NaN
        if !ordered {
            let default = self.default;
            return Err(format!("has default {default}, allowed {low} to {high}"));
        }
        let mut value = ContextValue::new(name, &self.unit, self.default, (low, high), &self.doc);
        value.name = name.to_owned();
        Ok(PythonContext { value, via: self.via.clone(), kind })
    }

    fn written(context: PythonContext) -> (String, Self) {
        let PythonContext { value, via, kind } = context;
        let (kind, choices) = match kind {
            ContextKind::Float => (RawKind::Float, Vec::new()),
            ContextKind::Int => (RawKind::Int, Vec::new()),
            ContextKind::Bool => (RawKind::Bool, Vec::new()),
            ContextKind::Choice(choices) => (RawKind::Choice, choices),
        };
        let bounded = matches!(kind, RawKind::Float | RawKind::Int);
        let raw = Self {
            via,
            default: value.default,
            low: bounded.then_some(value.low),
            high: bounded.then_some(value.high),
            unit: value.unit,
            doc: value.doc,
            kind,
            choices,
        };
        (value.name, raw)
    }
}

impl From<EnvConfig> for RawEnv {
    fn from(env: EnvConfig) -> Self {
        let python = env.python;
        Self {
            id: Some(env.id),
            time_limit_env_steps: env.time_limit.as_option(),
            frame_stack: env.frame_stack,
            action_repeat_frames: env.action_repeat_frames,
            reward_clip: env.reward_clip.map(|clip| [clip.low, clip.high]),
            reward_scale: env.reward_scale,
            normalize_obs: env.normalize_obs,
            show_context: env.show_context,
            on_fault: env.on_fault,
            max_faults: env.max_faults,
            python: python.interpreter,
            wrappers: python.wrappers.into_iter().map(Into::into).collect(),
            obs_keys: python.obs_keys,
            image_layout: python.image_layout,
            check_obs_bounds: python.check_obs_bounds,
            start_timeout_s: python.start_timeout.as_secs_f64(),
            step_timeout_s: python.step_timeout.as_secs_f64(),
            kwargs: env.kwargs,
            contexts: python.contexts.into_iter().map(RawContext::written).collect(),
        }
    }
}
