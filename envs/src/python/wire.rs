//! What crosses the socket as JSON when a worker starts, and when a request fails.

use super::options::{ImageLayout, PythonWrapper};
use crate::{ActionSpace, Dtype, ObsSpace};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// First request: everything the worker needs to make its environments.
#[derive(Serialize)]
pub(super) struct Init<'a> {
    pub(super) family: &'a str,
    pub(super) id: &'a str,
    pub(super) count: usize,
    pub(super) kwargs: &'a Map<String, Value>,
    pub(super) wrappers: &'a [PythonWrapper],
    pub(super) obs_keys: &'a [String],
    pub(super) image_layout: ImageLayout,
    pub(super) contexts: bool,
    pub(super) unlimited: bool,
    pub(super) render: bool,
}

/// Answer to [`Init`].
#[derive(Deserialize)]
pub(super) struct Ready {
    pub(super) obs: RawObs,
    pub(super) action: RawAction,
    pub(super) time_limit: Option<u32>,
    pub(super) offsets: Offsets,
    pub(super) notes: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RawObs {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) low: Vec<Bound>,
    pub(super) high: Vec<Bound>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum RawAction {
    Discrete { n: usize },
    Box { low: Vec<Bound>, high: Vec<Bound> },
}

/// A bound; JSON has no infinity.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Bound {
    Finite(f64),
    Infinite(String),
}

/// Where the parts of the shared memory begin, and where it ends, in bytes.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Offsets {
    pub(super) commands: usize,
    pub(super) cursor: usize,
    pub(super) rewards: usize,
    pub(super) outcomes: usize,
    pub(super) obs: usize,
    pub(super) size: usize,
}

/// A step that failed in Python.
#[derive(Deserialize)]
pub(super) struct RowFault {
    pub(super) row: usize,
    pub(super) reason: String,
}

#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) refused: bool,
    pub(super) reason: String,
}

impl RawObs {
    pub(super) fn space(self) -> ObsSpace {
        ObsSpace {
            dtype: self.dtype,
            shape: self.shape,
            low: self.low.iter().map(Bound::value).collect(),
            high: self.high.iter().map(Bound::value).collect(),
        }
    }
}

impl RawAction {
    pub(super) fn space(self) -> ActionSpace {
        match self {
            Self::Discrete { n } => ActionSpace::Discrete(n),
            Self::Box { low, high } => ActionSpace::Box {
                low: low.iter().map(Bound::value).collect(),
                high: high.iter().map(Bound::value).collect(),
            },
        }
    }
}

impl Bound {
    #[expect(clippy::cast_possible_truncation, reason = "bounds are f32 in the contract")]
    fn value(&self) -> f32 {
        match self {
            Self::Finite(value) => *value as f32,
            Self::Infinite(sign) if sign.starts_with('-') => f32::NEG_INFINITY,
            Self::Infinite(_) => f32::INFINITY,
        }
    }
}
