//! Drawing minibatches and taking priorities back.

use super::ring::slot_of;
use super::slots::Link;
use super::{Replay, ReplayError};
use crate::message::{PriorityUpdate, SampledBatch};
use contrail_agents::Minibatch;
use contrail_envs::Prng;
use rand::RngExt;

impl Replay {
    /// Draws `batch_size` transitions with replacement.
    ///
    /// Uniform: each sampleable transition with the same probability; all weights are 1 and
    /// `importance_exponent` has no effect. Prioritized: in proportion to
    /// `p_i = (|td_error_i| + priority_epsilon) ^ priority_exponent`, one from each of
    /// `batch_size` equal segments of the total, with importance weights
    /// `(1/N · 1/P(i)) ^ importance_exponent` divided by the largest one of the minibatch. The
    /// weight multiplies the loss.
    ///
    /// # Errors
    /// [`ReplayError::Empty`] if no transition is sampleable, [`ReplayError::BadConfig`] if
    /// `importance_exponent` is not within 0 to 1.
    ///
    /// # Source
    /// Schaul et al., Prioritized Experience Replay (2016), section 3.3, equation 1, section 3.4
    /// and appendix B.2.1.
    ///
    /// # Differs
    /// Weights are normalized by the maximum over the minibatch, as in the authors' later code;
    /// the paper leaves open over what the maximum runs.
    pub fn sample(
        &self,
        batch_size: usize,
        importance_exponent: f64,
        rng: &mut Prng,
    ) -> Result<SampledBatch, ReplayError> {
        if !(0.0..=1.0).contains(&importance_exponent) {
            return Err(ReplayError::bad_config(
                "importance_exponent",
                importance_exponent,
                "0 to 1",
            ));
        }
        if self.is_empty() {
            return Err(ReplayError::Empty { inserted: self.inserted() });
        }
        let (chosen, weights) = match &self.priorities {
            None => (self.draw_uniform(batch_size, rng), vec![1.0; batch_size]),
            Some(priorities) => {
                let chosen = priorities.draw(batch_size, rng);
                let weights = priorities.weights(&chosen, importance_exponent);
                (chosen, weights)
            }
        };
        Ok(self.collect(&chosen, weights))
    }

    /// Slots of sampleable transitions: any written slot, until it is one. [`Self::check`] bounds
    /// the expected number of tries.
    ///
    /// [`Self::check`]: super::ReplayConfig::check
    fn draw_uniform(&self, batch_size: usize, rng: &mut Prng) -> Vec<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX slots")]
        let written = self.written() as u32;
        let mut chosen = Vec::with_capacity(batch_size);
        while chosen.len() < batch_size {
            let slot = rng.random_range(0..written);
            if let Link::Next(_) = self.slots.records[slot as usize].link {
                chosen.push(slot);
            }
        }
        chosen
    }

    /// Copies the transitions that start at `chosen`.
    fn collect(&self, chosen: &[u32], weights: Vec<f32>) -> SampledBatch {
        let records = || chosen.iter().map(|slot| &self.slots.records[*slot as usize]);
        let next: Vec<u32> = records()
            .map(|record| match record.link {
                Link::Next(next) => next,
                link => panic!("a slot with link {link:?} was drawn"),
            })
            .collect();
        SampledBatch {
            minibatch: Minibatch {
                obs: self.slots.gather_obs(chosen),
                actions: self.slots.gather_actions(chosen),
                n_step_return: records().map(|record| record.n_step_return).collect(),
                discount: records().map(|record| record.discount).collect(),
                next_obs: self.slots.gather_obs(&next),
                weights,
            },
            ids: chosen.iter().map(|slot| self.id_of(*slot as usize)).collect(),
            subspaces: records().map(|record| record.subspace).collect(),
        }
    }

    /// Takes the learner's new priorities; of an id that occurs twice, the later one. Under
    /// uniform sampling they are checked and forgotten. Returns how many were ignored because
    /// their transition was overwritten meanwhile.
    ///
    /// # Errors
    /// [`ReplayError::BadPriority`] for a value that is not finite, and
    /// [`ReplayError::BadPriorityUpdate`] for an id that was never given out, or lists of
    /// different lengths. Then no priority changes.
    pub fn update_priorities(&mut self, update: &PriorityUpdate) -> Result<usize, ReplayError> {
        let PriorityUpdate { ids, priorities: values } = update;
        self.check_update(ids, values)?;
        let (oldest, capacity) = (self.oldest_id(), self.capacity());
        let mut ignored = 0;
        for (id, value) in ids.iter().zip(values) {
            let slot = slot_of(*id, capacity);
            let sampleable = matches!(self.slots.records[slot].link, Link::Next(_));
            if *id < oldest || !sampleable {
                ignored += 1;
            } else if let Some(priorities) = &mut self.priorities {
                priorities.update(slot, *value);
            }
        }
        self.stale_priorities += ignored as u64;
        Ok(ignored)
    }

    fn check_update(&self, ids: &[u64], values: &[f32]) -> Result<(), ReplayError> {
        if ids.len() != values.len() {
            let lengths = format!("{} ids and {} priorities", ids.len(), values.len());
            return Err(ReplayError::BadPriorityUpdate(lengths));
        }
        for (id, value) in ids.iter().zip(values) {
            if *id >= self.next_id {
                let sentence =
                    format!("there is no transition {id} yet, ids end before {}", self.next_id);
                return Err(ReplayError::BadPriorityUpdate(sentence));
            }
            if !value.is_finite() {
                return Err(ReplayError::BadPriority { id: *id, value: *value });
            }
        }
        Ok(())
    }
}
