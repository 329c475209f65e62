//! Segments as arrays.

use super::slots::Actions;
use super::{EpisodicMemory, MemoryError, SegmentId};
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{Dtype, Outcome};

/// Stored segments. H is the horizon of the config; what a short segment leaves of its row is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentBatch {
    /// `[B, H + 1, obs...]`.
    pub obs: ObsBatch,
    /// `[B, H]` or `[B, H, action_len]`.
    pub actions: ActionBatch,
    /// `[B, H]`.
    pub rewards: Vec<f32>,
    /// `[B, H]` discounted sum of the rewards from the env step to the end of the segment.
    pub n_step_return: Vec<f32>,
    /// `[B, H]` product of gammas from the env step to the last observation of the segment; 0 if
    /// the episode terminated there.
    pub discount: Vec<f32>,
    /// `[B]` env steps, 1 to H.
    pub lengths: Vec<u32>,
    /// `[B, C]`.
    pub contexts: Vec<f32>,
    /// `[B]`.
    pub subspaces: Vec<u32>,
    /// `[B]` stream and number of the episode within it.
    pub episodes: Vec<(u32, u64)>,
    /// `[B]` env steps of all actors at the beginning of the segment.
    pub times_env_steps: Vec<u64>,
    /// `[B]` how badly what happened was expected; none if it was not measured.
    pub surprises: Vec<Option<f32>>,
    /// `[B]` undiscounted.
    pub segment_returns: Vec<f32>,
    /// `[B]` undiscounted; none while the episode goes on, or if it broke off.
    pub episode_returns: Vec<Option<f32>>,
    /// `[B, H + 1, G]`.
    pub codes: Vec<u8>,
    /// `[B, H + 1, R]` action readings.
    pub policies: Vec<u8>,
    /// `[B]` version of the teacher that gave codes and readings; none if there are none.
    pub code_versions: Vec<Option<u64>>,
}

impl EpisodicMemory {
    /// Copies segments out.
    ///
    /// # Errors
    /// [`MemoryError::Empty`] if one of them is gone.
    pub fn batch(&self, ids: &[SegmentId]) -> Result<SegmentBatch, MemoryError> {
        let gone = |id: &SegmentId| {
            let SegmentId { slot, generation } = id;
            MemoryError::Empty(format!("segment {generation} of slot {slot} was overwritten"))
        };
        let slots = ids.iter().map(|id| self.slot(*id).ok_or_else(|| gone(id)));
        let slots: Vec<usize> = slots.collect::<Result<_, _>>()?;
        let records = || slots.iter().map(|slot| &self.slots.records[*slot]);
        let (n_step_return, discount) = self.returns(&slots);
        Ok(SegmentBatch {
            obs: self.gather_obs(&slots),
            actions: self.gather_actions(&slots),
            rewards: rows(&self.slots.rewards, self.slots.horizon, &slots),
            n_step_return,
            discount,
            lengths: records().map(|record| record.len).collect(),
            contexts: rows(&self.slots.contexts, self.config.context_len, &slots),
            subspaces: records().map(|record| record.subspace).collect(),
            episodes: records().map(|record| (record.stream, record.episode)).collect(),
            times_env_steps: records().map(|record| record.time_env_steps).collect(),
            surprises: records().map(|r| r.measured.then_some(r.surprise)).collect(),
            segment_returns: records().map(|record| record.segment_return).collect(),
            episode_returns: records().map(|record| record.episode_return).collect(),
            codes: slots.iter().flat_map(|slot| self.slots.codes(*slot)).copied().collect(),
            policies: slots.iter().flat_map(|slot| self.slots.policies(*slot)).copied().collect(),
            code_versions: records().map(|record| record.code_version).collect(),
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    fn gather_obs(&self, slots: &[usize]) -> ObsBatch {
        let each = self.slots.horizon + 1;
        let places = slots.iter().flat_map(|slot| slot * each..(slot + 1) * each);
        let places: Vec<u32> = places.map(|place| place as u32).collect();
        let len = places.len() * self.config.obs.len();
        let mut obs = match self.config.obs.dtype {
            Dtype::F32 => ObsBatch::F32(Vec::with_capacity(len)),
            Dtype::U8 => ObsBatch::U8(Vec::with_capacity(len)),
        };
        self.slots.obs.gather(&places, &mut obs);
        obs
    }

    fn gather_actions(&self, slots: &[usize]) -> ActionBatch {
        let len = self.slots.horizon * self.config.action_len();
        match &self.slots.actions {
            Actions::Discrete(all) => {
                ActionBatch::Discrete(rows(all, len, slots).into_iter().map(i64::from).collect())
            }
            Actions::Box(all) => ActionBatch::Box(rows(all, len, slots)),
        }
    }

    /// `[B, H]` returns and discounts to the end of each segment.
    #[expect(clippy::cast_possible_truncation, reason = "batches carry f32")]
    fn returns(&self, slots: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let (horizon, gamma) = (self.slots.horizon, self.config.gamma);
        let mut returns = vec![0.0; slots.len() * horizon];
        let mut discounts = vec![0.0; slots.len() * horizon];
        for (row, slot) in slots.iter().enumerate() {
            let terminated = self.slots.records[*slot].outcome == Outcome::Terminated;
            let (mut sum, mut product) = (0.0, if terminated { 0.0 } else { 1.0 });
            for (j, reward) in self.slots.rewards(*slot).iter().enumerate().rev() {
                sum = f64::from(*reward) + gamma * sum;
                product *= gamma;
                returns[row * horizon + j] = sum as f32;
                discounts[row * horizon + j] = product as f32;
            }
        }
        (returns, discounts)
    }
}

/// `len` values of each slot.
fn rows<T: Copy>(all: &[T], len: usize, slots: &[usize]) -> Vec<T> {
    let mut gathered = Vec::with_capacity(slots.len() * len);
    slots.iter().for_each(|slot| gathered.extend_from_slice(&all[slot * len..][..len]));
    gathered
}
