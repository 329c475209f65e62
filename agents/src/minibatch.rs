//! Plain data that enters and leaves an algorithm: no tensors, so it can cross a thread.

use serde::{Deserialize, Serialize};

/// Observations, one after the other: `[B, obs...]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ObsBatch {
    /// Floats.
    F32(Vec<f32>),
    /// Bytes.
    U8(Vec<u8>),
}

impl ObsBatch {
    /// Number of elements of all observations.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::U8(v) => v.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Actions, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActionBatch {
    /// `[B]` indices.
    Discrete(Vec<i64>),
    /// `[B, action_len]` floats in the environment's units.
    Box(Vec<f32>),
}

/// What one update consumes. `B` transitions; every vector has `B` rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Minibatch {
    /// `[B, obs...]`.
    pub obs: ObsBatch,
    /// `[B]` or `[B, action_len]`.
    pub actions: ActionBatch,
    /// `[B]` discounted sum of up to n rewards, without the bootstrap term.
    pub n_step_return: Vec<f32>,
    /// `[B]` product of gammas up to `next_obs`; 0 if the episode terminated on the way.
    pub discount: Vec<f32>,
    /// `[B, obs...]` observation that the bootstrap value is read from.
    pub next_obs: ObsBatch,
    /// `[B]` importance weights, at most 1; all 1 under uniform sampling.
    pub weights: Vec<f32>,
}

impl Minibatch {
    /// Number of transitions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.discount.len()
    }

    /// Whether it holds no transition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.discount.is_empty()
    }
}
