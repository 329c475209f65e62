//! Drawing minibatches and taking priorities back.

use super::{Replay, ReplayError};
use crate::message::{PriorityUpdate, SampledBatch};
use contrail_agents::{ActionBatch, Minibatch, ObsBatch};
use contrail_envs::{ActionSpace, Dtype, Prng};
use rand::RngExt;

impl Replay {
    /// Draws `batch_size` transitions with replacement. With a ring for each subspace, the law
    /// gives each row of the minibatch its subspace `s` with probability `w_s`, independently of
    /// the other rows; the rows of a subspace follow each other. Then, within the ring:
    ///
    /// Uniform: each sampleable transition with the same probability; all weights are 1 and
    /// `importance_exponent` has no effect. Prioritized: in proportion to
    /// `p_i = (|td_error_i| + priority_epsilon) ^ priority_exponent`, one from each of as many
    /// equal segments of the ring's total as there are rows to draw.
    ///
    /// The importance weight corrects for the priorities and not for the law, which says what the
    /// minibatch should be like. It compares the mixture that the law alone would give,
    /// `Q(i) = w_s · 1/N_s`, with what is drawn, `P(i) = w_s · p_i / Σ_{j in s} p_j`:
    ///
    /// ```text
    /// weight_i = (Q(i) / P(i)) ^ β / max_j (Q(j) / P(j)) ^ β,   Q(i) / P(i) = p̄_s / p_i
    /// ```
    ///
    /// where `p̄_s` is the mean priority of the `N_s` sampleable transitions of the ring, the
    /// maximum runs over the minibatch, and `β` is `importance_exponent`. With one ring this is
    /// `(1/N · 1/P(i)) ^ β` over its maximum. The weight multiplies the loss.
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
    /// the paper leaves open over what the maximum runs. Strata and their laws are ours.
    pub fn sample(
        &mut self,
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
        let rows = self.rows_of_rings(batch_size, rng);
        let mut batch = self.empty_batch(batch_size);
        let mut relative = Vec::with_capacity(batch_size);
        let rings = self.rings.len() as u64;
        for ((index, ring), count) in self.rings.iter_mut().enumerate().zip(rows) {
            if count == 0 {
                continue;
            }
            let chosen = ring.draw(count, rng);
            if let Some(priorities) = &ring.priorities {
                // One ring's mean would cancel.
                let sampleable = if rings == 1 { None } else { Some(ring.sampleable) };
                relative.extend(priorities.relative(&chosen, sampleable));
            }
            let drawn = batch.ids.len();
            ring.collect(&chosen, &mut batch, &mut self.ledger);
            batch.ids[drawn..].iter_mut().for_each(|id| *id = *id * rings + index as u64);
        }
        batch.minibatch.weights = match self.config.sampling {
            super::Sampling::Uniform => vec![1.0; batch_size],
            super::Sampling::Prioritized { .. } => weights(&relative, importance_exponent),
        };
        Ok(batch)
    }

    /// Rows of the minibatch that come from each ring. A single ring costs no random number.
    fn rows_of_rings(&self, batch_size: usize, rng: &mut Prng) -> Vec<usize> {
        if self.rings.len() == 1 {
            return vec![batch_size];
        }
        let sizes = self.rings.iter().map(|ring| ring.sampleable);
        let mut ends = self.config.law.weights(sizes); // then their running sums
        let last = ends.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
        let mut total = 0.0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        let mut rows = vec![0; ends.len()];
        for _ in 0..batch_size {
            let position = rng.random::<f64>() * total;
            // The first end beyond the position; one with weight 0 is never the first.
            rows[ends.partition_point(|end| *end <= position).min(last)] += 1;
        }
        rows
    }

    /// A batch without rows and with room for `batch_size`.
    fn empty_batch(&self, batch_size: usize) -> SampledBatch {
        let obs = || {
            let len = batch_size * self.config.obs.len();
            match self.config.obs.dtype {
                Dtype::F32 => ObsBatch::F32(Vec::with_capacity(len)),
                Dtype::U8 => ObsBatch::U8(Vec::with_capacity(len)),
            }
        };
        let floats = |each: usize| Vec::with_capacity(batch_size * each);
        SampledBatch {
            minibatch: Minibatch {
                obs: obs(),
                actions: match &self.config.action {
                    ActionSpace::Discrete(_) => {
                        ActionBatch::Discrete(Vec::with_capacity(batch_size))
                    }
                    ActionSpace::Box { low, .. } => ActionBatch::Box(floats(low.len())),
                },
                n_step_return: floats(1),
                discount: floats(1),
                next_obs: obs(),
                weights: Vec::new(),
            },
            ids: Vec::with_capacity(batch_size),
            subspaces: Vec::with_capacity(batch_size),
            contexts: floats(self.config.context_len),
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
        let mut ignored = 0;
        for (id, value) in ids.iter().zip(values) {
            let (ring, id) = self.split_id(*id);
            ignored += usize::from(!self.rings[ring].update_priority(id, *value));
        }
        self.ledger.stale_priorities += ignored as u64;
        Ok(ignored)
    }

    /// The ring of an id, and the id within it.
    #[expect(clippy::cast_possible_truncation, reason = "less than the number of rings")]
    fn split_id(&self, id: u64) -> (usize, u64) {
        let rings = self.rings.len() as u64;
        ((id % rings) as usize, id / rings)
    }

    fn check_update(&self, ids: &[u64], values: &[f32]) -> Result<(), ReplayError> {
        if ids.len() != values.len() {
            let lengths = format!("{} ids and {} priorities", ids.len(), values.len());
            return Err(ReplayError::BadPriorityUpdate(lengths));
        }
        for (id, value) in ids.iter().zip(values) {
            let (ring, local) = self.split_id(*id);
            let next = self.rings[ring].next_id;
            if local >= next {
                let end = next * self.rings.len() as u64 + ring as u64;
                let sentence = format!("there is no transition {id} yet, ids end before {end}");
                return Err(ReplayError::BadPriorityUpdate(sentence));
            }
            if !value.is_finite() {
                return Err(ReplayError::BadPriority { id: *id, value: *value });
            }
        }
        Ok(())
    }
}

/// `(min_j r_j / r_i) ^ exponent` of priorities relative to the mean of their ring.
#[expect(clippy::cast_possible_truncation, reason = "0 to 1 in f32")]
fn weights(relative: &[f64], exponent: f64) -> Vec<f32> {
    let least = relative.iter().copied().fold(f64::INFINITY, f64::min);
    relative.iter().map(|value| (least / value).powf(exponent) as f32).collect()
}
