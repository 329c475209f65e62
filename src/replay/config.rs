//! What a replay holds, how much memory that takes, and what can go wrong.

use super::sum_tree::SumTree;
use super::{slots, streams};
use contrail_envs::{ActionSpace, ObsSpace};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use thiserror::Error;

/// How transitions are chosen. Both draw with replacement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Sampling {
    /// Every sampleable transition with the same probability.
    Uniform,
    /// In proportion to `(|td_error| + priority_epsilon) ^ priority_exponent`.
    Prioritized {
        /// 0 (uniform) to 1 (proportional).
        priority_exponent: f64,
        /// Added to every TD error, above 0, so that none is never sampled again.
        priority_epsilon: f64,
    },
}

/// Shape of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayConfig {
    /// Slots. Each holds one observation with its transition; the final observation of an episode
    /// takes a slot without a transition, so an episode of `L` env steps takes `L + 1` slots.
    pub capacity_transitions: usize,
    /// Observations; they are stored in their own dtype.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Streams that insert: environments of all actors.
    pub streams: usize,
    /// Env steps of the longest window.
    pub n_step: usize,
    /// How transitions are chosen.
    pub sampling: Sampling,
}

impl ReplayConfig {
    /// Bytes of the replay's arrays, all allocated by [`super::Replay::new`]; `u64::MAX` if they
    /// are more than that.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.arrays().iter().fold(0, |total, (_, bytes)| total.saturating_add(*bytes))
    }

    /// Name and bytes of each array.
    fn arrays(&self) -> [(&'static str, u64); 5] {
        let bytes = |factors: &[usize]| {
            factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor as u64))
        };
        let capacity = self.capacity_transitions;
        let tree_nodes = match self.sampling {
            Sampling::Uniform => 0,
            Sampling::Prioritized { .. } => SumTree::node_count(capacity),
        };
        [
            ("observations", bytes(&[capacity, self.obs.bytes()])),
            ("box actions", bytes(&[capacity, self.action_len(), size_of::<f32>()])),
            ("transitions", bytes(&[capacity, size_of::<slots::Record>()])),
            ("sum tree", bytes(&[tree_nodes, size_of::<f64>()])),
            ("streams", bytes(&[self.streams, streams::bytes_a_stream(self.n_step)])),
        ]
    }

    /// Floats of one action; 0 for discrete actions.
    pub(super) fn action_len(&self) -> usize {
        match &self.action {
            ActionSpace::Discrete(_) => 0,
            ActionSpace::Box { low, .. } => low.len(),
        }
    }

    /// Inserted transitions after which one is sampleable for certain, whatever the stream each
    /// came from: up to `n_step` transitions of every stream wait for their successor.
    #[must_use]
    pub fn least_size_to_sample(&self) -> usize {
        self.streams.saturating_mul(self.n_step).saturating_add(1)
    }

    /// Refuses what cannot work.
    ///
    /// The capacity must be at least twice [`Self::least_size_to_sample`]. A slot that is not
    /// sampleable is a transition that waits for its successor, at most `streams * n_step`, or
    /// a final observation, and each of those directly follows a sampleable transition, the
    /// oldest slot perhaps excepted. So in a full ring at least a quarter of the slots is
    /// sampleable: uniform sampling by rejection takes 4 tries or fewer on average, and a full
    /// ring can always be sampled.
    ///
    /// # Errors
    /// [`ReplayError::BadConfig`], naming the value and what is allowed.
    pub fn check(&self) -> Result<(), ReplayError> {
        let bad = |what, value: &dyn Display, allowed: &str| {
            Err(ReplayError::bad_config(what, value, allowed))
        };
        for (what, value) in [("streams", self.streams), ("n_step", self.n_step)] {
            if value == 0 {
                return bad(what, &value, "at least 1");
            }
        }
        if self.obs.is_empty() {
            return bad("observation", &self.obs, "at least one element");
        }
        let (capacity, most) = (self.capacity_transitions, u32::MAX as usize);
        let least = self.least_size_to_sample().saturating_mul(2);
        if capacity < least || capacity > most {
            let allowed = format!(
                "{least} (twice streams * n_step + 1, for {} streams and n_step {}) to {most}",
                self.streams, self.n_step
            );
            return bad("capacity_transitions", &capacity, &allowed);
        }
        if let Sampling::Prioritized { priority_exponent, priority_epsilon } = self.sampling {
            if !(0.0..=1.0).contains(&priority_exponent) {
                return bad("priority_exponent", &priority_exponent, "0 to 1");
            }
            if !(priority_epsilon > 0.0 && priority_epsilon.is_finite()) {
                return bad("priority_epsilon", &priority_epsilon, "a finite number above 0");
            }
        }
        Ok(())
    }

    /// The error for an array that could not be allocated.
    pub(super) fn out_of_memory(&self, what: &'static str) -> ReplayError {
        let bytes = self.arrays().iter().find(|(name, _)| *name == what).map_or(0, |found| found.1);
        ReplayError::OutOfMemory { what, bytes, total_bytes: self.memory_bytes() }
    }
}

/// A fault of the replay or of its caller.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A value out of range.
    #[error("replay: {what} is {value}, allowed: {allowed}")]
    BadConfig {
        /// Which value.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// An array that does not fit into memory.
    #[error(
        "replay: cannot allocate {bytes} bytes for the {what} ({total_bytes} bytes for all of the \
         replay); lower capacity_transitions"
    )]
    OutOfMemory {
        /// Which array.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// Size of all arrays.
        total_bytes: u64,
    },
    /// A block that does not fit the replay, or contradicts itself.
    #[error("replay: cannot insert: {0}")]
    BadBlock(String),
    /// Nothing can be sampled yet.
    #[error(
        "replay: cannot sample: none of the {inserted} transitions inserted so far is sampleable \
         (a transition is once its next_obs has arrived)"
    )]
    Empty {
        /// Transitions inserted so far.
        inserted: u64,
    },
    /// A priority that is not a number, or infinite.
    #[error("replay: the priority of transition {id} is {value}, allowed: finite numbers")]
    BadPriority {
        /// Transition id.
        id: u64,
        /// The offending value.
        value: f32,
    },
    /// A priority update that does not match what was sampled.
    #[error("replay: cannot update priorities: {0}")]
    BadPriorityUpdate(String),
    /// A saved state that is damaged, or belongs to another replay.
    #[error("replay: cannot restore the saved state: {0}")]
    BadState(String),
    /// A saved state that cannot be read.
    #[error("replay: cannot read the saved state: {0}")]
    Io(#[from] std::io::Error),
}

impl ReplayError {
    pub(super) fn bad_config(
        what: &'static str,
        value: impl Display,
        allowed: impl Display,
    ) -> Self {
        Self::BadConfig { what, value: value.to_string(), allowed: allowed.to_string() }
    }
}
