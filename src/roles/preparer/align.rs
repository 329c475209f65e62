//! What a shift needs of the preparer: a collection of which a part is held out, and batches of it.

use super::Preparer;
use crate::contrast::{ContrastSpec, Contrasts, ContrastsConfig, Missing, NegativeLaw};
use anyhow::Result;
use contrail_agents::{ContrastBatch, Relation};
use contrail_envs::Prng;
use serde::{Deserialize, Serialize};

/// Which stores an alignment's anchors come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignData {
    /// The current stream alone.
    Stream,
    /// Half current stream, half memory.
    Mixed,
}

impl Preparer {
    /// A shift, to `subspace` if that was declared: the current stream begins anew, and is of that
    /// subspace alone. The memory stays. If `holds_out`, some episodes are kept apart until
    /// [`Preparer::end_collection`].
    ///
    /// # Errors
    /// If there is no memory for what is kept apart.
    pub fn begin_phase(
        &mut self,
        env_steps: u64,
        subspace: Option<u32>,
        holds_out: bool,
    ) -> Result<()> {
        self.contrasts.forget_stream()?;
        self.books.phase_subspace = subspace;
        self.books.phase_begun_env_steps = env_steps;
        self.books.collects = holds_out;
        self.held_out = None;
        if holds_out {
            self.held_out = Some(Contrasts::new(&self.held_out_stores())?);
        }
        Ok(())
    }

    /// Segments are no longer held out, and those that were are let go.
    pub fn end_collection(&mut self) {
        self.books.collects = false;
        self.held_out = None;
    }

    /// A ring alone: the smallest memory beside it.
    pub(super) fn held_out_stores(&self) -> ContrastsConfig {
        let mut stores = self.parts.stores.clone();
        stores.memory.capacity_segments = stores.memory.subspaces;
        stores
    }

    /// Predictive contrasts with random negatives: what alignment and its judges use. None while
    /// there is too little to draw from.
    ///
    /// # Errors
    /// If the spec is refused.
    pub fn align_batch(
        &mut self,
        data: AlignData,
        anchors: usize,
    ) -> Result<Option<ContrastBatch>> {
        let share = if data == AlignData::Mixed { 0.5 } else { 0.0 };
        let spec = self.align_spec(share, anchors);
        Ok(self.contrasts.prepare(&spec, &mut self.books.rng)?.map(|prepared| prepared.batch))
    }

    /// The same from the episodes that were held out; never shuffled.
    ///
    /// # Errors
    /// If the spec is refused.
    pub fn held_out_batch(&mut self, anchors: usize) -> Result<Option<ContrastBatch>> {
        let spec = ContrastSpec { shuffled: false, ..self.align_spec(0.0, anchors) };
        let Some(held_out) = &mut self.held_out else { return Ok(None) };
        Ok(held_out.prepare(&spec, &mut self.books.rng)?.map(|prepared| prepared.batch))
    }

    /// The same from the current stream, to watch for a shift that nobody declared; drawn by `rng`,
    /// so that looking changes nothing.
    ///
    /// # Errors
    /// If the spec is refused.
    pub fn stream_batch(
        &mut self,
        anchors: usize,
        rng: &mut Prng,
    ) -> Result<Option<ContrastBatch>> {
        let spec = ContrastSpec { shuffled: false, ..self.align_spec(0.0, anchors) };
        Ok(self.contrasts.prepare(&spec, rng)?.map(|prepared| prepared.batch))
    }

    fn align_spec(&self, memory_share: f64, anchors: usize) -> ContrastSpec {
        let spec = self.spec(Relation::Predictive, 0.0);
        ContrastSpec {
            anchors,
            negatives: (anchors - 1).max(1),
            negative_candidates: anchors.max(2),
            memory_share,
            law: NegativeLaw::Weighted { beta: 0.0 },
            delta: -1.0,
            ..spec
        }
    }

    /// Why the last batch was not drawn, if it was not.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        self.contrasts.last_missing()
    }

    /// The same of those that were held out.
    #[must_use]
    pub fn missing_held_out(&self) -> Option<Missing> {
        self.held_out.as_ref().and_then(Contrasts::last_missing)
    }

    /// Segments of the current stream that were held out.
    #[must_use]
    pub fn held_out_segments(&self) -> usize {
        self.held_out.as_ref().map_or(0, |held_out| held_out.recent().len())
    }
}
