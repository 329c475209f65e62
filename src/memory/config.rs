//! What a memory holds, and how much memory that takes.

use super::slots::Record;
use super::{CodeSpace, MemoryError, index};
use crate::replay::SumTree;
use crate::replay::packed::Packing;
use contrail_envs::{ActionSpace, ObsSpace};
use serde::{Deserialize, Serialize};

/// Who gives way to a new segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// A reservoir for each subspace: every segment that a subspace has seen is kept with the same
    /// probability.
    Reservoir,
    /// One ring for all subspaces: the oldest. What is stored are the newest segments, the current
    /// stream.
    Oldest,
}

/// Shape of an episodic memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryConfig {
    /// Segments in all. With reservoirs, each subspace has an equal share; what the division
    /// leaves is not used.
    pub capacity_segments: usize,
    /// Who gives way to a new segment.
    pub replacement: Replacement,
    /// Subspaces that segments come from, numbered from 0; at least 1.
    pub subspaces: usize,
    /// H: env steps of a segment, at least 1.
    pub horizon_env_steps: usize,
    /// Discount factor of one env step, 0 to 1.
    pub gamma: f64,
    /// Observations; bytes are stored in as few bits as their upper bound allows.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Context values of an episode.
    pub context_len: usize,
    /// Token codes of observations.
    pub codes: CodeSpace,
    /// R: bytes of the teacher's action reading of an observation, one for each discrete action or
    /// dimension; 0 = none are stored.
    pub readings_len: usize,
    /// Exponent on surprise or return when segments are drawn by it: 0 (uniform) to 1
    /// (proportional).
    pub priority_exponent: f64,
    /// Added before the exponent, above 0, so that no segment is never drawn.
    pub priority_epsilon: f64,
}

impl MemoryConfig {
    /// Rows of slots that are filled and overwritten independently: reservoirs, or the one ring.
    pub(super) fn strata(&self) -> usize {
        match self.replacement {
            Replacement::Reservoir => self.subspaces,
            Replacement::Oldest => 1,
        }
    }

    /// Segments of each reservoir, or of the ring.
    #[must_use]
    pub fn segments_a_stratum(&self) -> usize {
        self.capacity_segments / self.strata().max(1)
    }

    /// Stratum of a subspace.
    pub(super) fn stratum(&self, subspace: usize) -> usize {
        match self.replacement {
            Replacement::Reservoir => subspace,
            Replacement::Oldest => 0,
        }
    }

    /// Segments of all strata.
    pub(super) fn slots(&self) -> usize {
        self.segments_a_stratum().saturating_mul(self.strata())
    }

    /// Observations of a full segment: one before each env step, and the final one.
    pub(super) fn obs_a_segment(&self) -> usize {
        self.horizon_env_steps.saturating_add(1)
    }

    /// Values of one action.
    pub(super) fn action_len(&self) -> usize {
        match &self.action {
            ActionSpace::Discrete(_) => 1,
            ActionSpace::Box { low, .. } => low.len(),
        }
    }

    /// Bytes of the memory's arrays, all allocated by [`super::EpisodicMemory::new`], and of the
    /// code index when every observation has a code of its own; `u64::MAX` if they are more than
    /// that.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let product = |factors: &[usize]| {
            factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor as u64))
        };
        let (slots, horizon, obs) = (self.slots(), self.horizon_env_steps, self.obs_a_segment());
        let trees = SumTree::node_count(self.segments_a_stratum());
        let places = slots.saturating_mul(obs);
        [
            product(&[places, Packing::of(&self.obs).bytes_a_row()]),
            product(&[slots, horizon, self.action_len(), size_of::<f32>()]),
            product(&[slots, horizon, size_of::<f32>()]),
            product(&[slots, self.context_len, size_of::<f32>()]),
            product(&[places, self.codes.groups]),
            product(&[places, self.readings_len]),
            product(&[places, size_of::<u64>()]),
            product(&[slots, size_of::<Record>()]),
            product(&[2, self.strata(), trees, size_of::<f64>()]),
            index::most_bytes(places),
            super::store::episode_index_bytes(slots),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`MemoryError::BadConfig`], naming the value and what is allowed.
    pub fn check(&self) -> Result<(), MemoryError> {
        let bad = |what, value: &dyn std::fmt::Display, allowed: &str| {
            Err(MemoryError::bad_config(what, value, allowed))
        };
        let counts = [("subspaces", self.subspaces), ("horizon_env_steps", self.horizon_env_steps)];
        for (what, value) in counts {
            if value == 0 {
                return bad(what, &value, "at least 1");
            }
        }
        if self.obs.is_empty() {
            return bad("observation", &self.obs, "at least one element");
        }
        if self.segments_a_stratum() == 0 {
            let allowed = match self.replacement {
                Replacement::Reservoir => {
                    format!("at least {}, one for each subspace", self.subspaces)
                }
                Replacement::Oldest => "at least 1".into(),
            };
            return bad("capacity_segments", &self.capacity_segments, &allowed);
        }
        let places = self.slots().saturating_mul(self.obs_a_segment());
        if places >= u32::MAX as usize {
            let allowed = "less than 4294967295 observations in all segments";
            return bad("capacity_segments", &self.capacity_segments, allowed);
        }
        for (what, value) in [("gamma", self.gamma), ("priority_exponent", self.priority_exponent)]
        {
            if !(0.0..=1.0).contains(&value) {
                return bad(what, &value, "0 to 1");
            }
        }
        if !(self.priority_epsilon > 0.0 && self.priority_epsilon.is_finite()) {
            return bad("priority_epsilon", &self.priority_epsilon, "a finite number above 0");
        }
        self.codes.check()
    }

    /// The error for an array that could not be allocated.
    pub(super) fn out_of_memory(&self, what: &'static str) -> MemoryError {
        MemoryError::OutOfMemory { what, total_bytes: self.memory_bytes() }
    }
}
