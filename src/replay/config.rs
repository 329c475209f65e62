//! What a replay holds, how much memory that takes, and what can go wrong.

use super::law::SubspaceLaw;
use super::packed::Packing;
use super::stats::Counts;
use super::sum_tree::SumTree;
use super::{ReplayError, slots, streams};
use contrail_envs::{ActionSpace, ObsSpace};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

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
    /// Observations; bytes are stored in as few bits as their upper bound allows.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Context values of an episode.
    pub context_len: usize,
    /// Streams that insert: environments of all actors.
    pub streams: usize,
    /// Env steps of the longest window.
    pub n_step: usize,
    /// How transitions are chosen.
    pub sampling: Sampling,
    /// Subspaces that transitions come from, numbered from 0; at least 1.
    pub subspaces: usize,
    /// How often each subspace is drawn.
    pub law: SubspaceLaw,
    /// Whether each subspace has an equal share of the capacity to itself, so that none is
    /// forgotten while another is visited. A law other than [`SubspaceLaw::Uniform`] implies it.
    pub keep_every_subspace: bool,
}

impl ReplayConfig {
    /// Bytes of the replay's arrays, all allocated by [`super::Replay::new`]; `u64::MAX` if they
    /// are more than that.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.arrays().iter().fold(0, |total, (_, bytes)| total.saturating_add(*bytes))
    }

    /// Name and bytes of each array.
    fn arrays(&self) -> [(&'static str, u64); 7] {
        let bytes = |factors: &[usize]| {
            factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor as u64))
        };
        let capacity = self.capacity_transitions;
        let tree_nodes = match self.sampling {
            Sampling::Uniform => 0,
            Sampling::Prioritized { .. } => {
                self.ring_capacities().map(SumTree::node_count).fold(0, usize::saturating_add)
            }
        };
        [
            ("observations", bytes(&[capacity, Packing::of(&self.obs).bytes_a_row()])),
            ("box actions", bytes(&[capacity, self.action_len(), size_of::<f32>()])),
            ("contexts", bytes(&[capacity, self.context_len, size_of::<f32>()])),
            ("transitions", bytes(&[capacity, size_of::<slots::Record>()])),
            ("sum tree", bytes(&[tree_nodes, size_of::<f64>()])),
            ("streams", bytes(&[self.streams, streams::bytes_a_stream(self.n_step)])),
            ("subspaces", bytes(&[self.subspaces, size_of::<Counts>()])),
        ]
    }

    /// Slots of each ring: all of them in one, or an equal share for each subspace, the first ones
    /// a slot more where the division leaves some.
    pub(super) fn ring_capacities(&self) -> impl Iterator<Item = usize> + use<> {
        let strata = self.keep_every_subspace || self.law != SubspaceLaw::Uniform;
        let rings = if strata { self.subspaces.max(1) } else { 1 };
        let (share, left) = (self.capacity_transitions / rings, self.capacity_transitions % rings);
        (0..rings).map(move |ring| share + usize::from(ring < left))
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
    /// The capacity of each ring must be at least twice [`Self::least_size_to_sample`]. A slot that is not
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
        let counts =
            [("streams", self.streams), ("n_step", self.n_step), ("subspaces", self.subspaces)];
        for (what, value) in counts {
            if value == 0 {
                return bad(what, &value, "at least 1");
            }
        }
        if self.obs.is_empty() {
            return bad("observation", &self.obs, "at least one element");
        }
        self.check_capacity()?;
        if let Err((value, allowed)) = self.law.check(self.subspaces) {
            return bad("the subspace law", &value, &allowed);
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

    /// Refuses a capacity that is too small for the streams of every ring, or too large for slot
    /// numbers, the two largest of which mark slots without a successor.
    fn check_capacity(&self) -> Result<(), ReplayError> {
        let (capacity, most) = (self.capacity_transitions, u32::MAX as usize - 1);
        let each = self.least_size_to_sample().saturating_mul(2);
        let rings = self.ring_capacities().count();
        let least = each.saturating_mul(rings);
        if capacity >= least && capacity <= most {
            return Ok(());
        }
        let (streams, n_step) = (self.streams, self.n_step);
        let reason = if rings == 1 {
            "twice streams * n_step + 1".into()
        } else {
            format!("{each}, twice streams * n_step + 1, in each of {rings} subspaces")
        };
        let allowed =
            format!("{least} ({reason}, for {streams} streams and n_step {n_step}) to {most}");
        Err(ReplayError::bad_config("capacity_transitions", capacity, allowed))
    }

    /// The error for an array that could not be allocated.
    pub(super) fn out_of_memory(&self, what: &'static str) -> ReplayError {
        let bytes = self.arrays().iter().find(|(name, _)| *name == what).map_or(0, |found| found.1);
        ReplayError::OutOfMemory { what, bytes, total_bytes: self.memory_bytes() }
    }
}
