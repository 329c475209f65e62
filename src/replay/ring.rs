//! A ring of stored observations and the transitions that start at them.

use super::priorities::Priorities;
use super::slots::{Link, Record, Slots};
use super::stats::Ledger;
use super::streams::Stream;
use super::{ReplayConfig, ReplayError, Sampling};
use crate::message::{SampledBatch, TransitionBlock};
use contrail_envs::{ObsRef, Prng};
use rand::RngExt;

/// A preallocated ring that all streams write to.
///
/// Every observation is stored once, in the slot of the transition that starts there; the final
/// observation of an episode has a slot without a transition. A transition does not hold its
/// `next_obs` but the number of the slot where that arrived, `span` observations later in its
/// stream. Until then it waits and cannot be sampled.
///
/// Slots are written in turn and the oldest is overwritten. A successor always arrives later than
/// its transition, so it is also overwritten later: a sampleable transition has both observations
/// intact. A stream much slower than the others may have a waiting transition overwritten before
/// the successor arrives; it is dropped and counted.
///
/// Ids count slot writes of this ring, final observations included, so they grow but leave gaps;
/// `id mod capacity` is the slot.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) slots: Slots,
    pub(super) priorities: Option<Priorities>,
    pub(super) next_id: u64,
    pub(super) sampleable: usize,
    capacity: usize,
}

impl Ring {
    /// An empty ring of `capacity` slots with all its memory allocated and touched.
    pub(super) fn allocate(config: &ReplayConfig, capacity: usize) -> Result<Self, ReplayError> {
        let slots = Slots::allocate(config, capacity)?;
        let priorities = match config.sampling {
            Sampling::Uniform => None,
            Sampling::Prioritized { priority_exponent, priority_epsilon } => Some(
                Priorities::allocate(capacity, priority_exponent, priority_epsilon)
                    .map_err(|_| config.out_of_memory("sum tree"))?,
            ),
        };
        Ok(Self { slots, priorities, next_id: 0, sampleable: 0, capacity })
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Stores row `index` of a block, which was checked, and at the end of an episode the final
    /// observation.
    pub(super) fn insert(
        &mut self,
        stream: &mut Stream,
        (block, index): (&TransitionBlock, usize),
        (obs, final_obs): (ObsRef<'_>, Option<ObsRef<'_>>),
        ledger: &mut Ledger,
    ) {
        let row = &block.rows[index];
        let (id, slot) = self.arrive(stream, obs, ledger);
        self.slots.write_transition(slot, block, index);
        self.slots.records[slot].born = ledger.insert(row.subspace);
        stream.push_transition(id, row);
        if let Some(final_obs) = final_obs {
            self.arrive(stream, final_obs, ledger);
            stream.end_trajectory();
        }
    }

    /// Breaks off the trajectory of a stream: the transitions that wait for a successor are dropped
    /// and counted.
    pub(super) fn break_off(&mut self, stream: &mut Stream, ledger: &mut Ledger) {
        let oldest = self.oldest_id();
        for waiting in stream.break_off().filter(|waiting| waiting.id >= oldest) {
            let slot = slot_of(waiting.id, self.capacity);
            self.slots.records[slot].set_link(Link::None);
            ledger.dropped_waiting += 1;
        }
    }

    /// Stores an observation in the oldest slot and links the transitions that waited for it.
    fn arrive(
        &mut self,
        stream: &mut Stream,
        obs: ObsRef<'_>,
        ledger: &mut Ledger,
    ) -> (u64, usize) {
        let id = self.next_id;
        let slot = slot_of(id, self.capacity);
        let overwritten = &self.slots.records[slot];
        match overwritten.link() {
            Link::None => {}
            Link::Waiting => ledger.dropped_waiting += 1,
            Link::Next(_) => {
                ledger.forget(overwritten);
                self.sampleable -= 1;
                if let Some(priorities) = &mut self.priorities {
                    priorities.remove(slot);
                }
            }
        }
        self.slots.records[slot] = Record::BLANK;
        self.slots.write_obs(slot, obs);
        self.next_id += 1;
        let oldest = self.oldest_id();
        while let Some(waiting) = stream.pop_arrived() {
            if waiting.id >= oldest {
                self.link(slot_of(waiting.id, self.capacity), slot, ledger);
            } // else it was overwritten, and counted then
        }
        (id, slot)
    }

    fn link(&mut self, slot: usize, next: usize, ledger: &mut Ledger) {
        #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX slots")]
        let next = next as u32;
        self.slots.records[slot].set_link(Link::Next(next));
        ledger.add(&self.slots.records[slot]);
        self.sampleable += 1;
        if let Some(priorities) = &mut self.priorities {
            priorities.add(slot);
        }
    }

    /// `count` slots of sampleable transitions, of which there must be one.
    pub(super) fn draw(&self, count: usize, rng: &mut Prng) -> Vec<u32> {
        match &self.priorities {
            None => self.draw_uniform(count, rng),
            Some(priorities) => priorities.draw(count, rng),
        }
    }

    /// Any written slot, until it is sampleable. [`ReplayConfig::check`] bounds the expected number
    /// of tries.
    fn draw_uniform(&self, count: usize, rng: &mut Prng) -> Vec<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX slots")]
        let written = self.written() as u32;
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let slot = rng.random_range(0..written);
            if let Link::Next(_) = self.slots.records[slot as usize].link() {
                chosen.push(slot);
            }
        }
        chosen
    }

    /// Appends the transitions that start at `chosen` to `batch`, without weights and with ids of
    /// this ring, and counts them as drawn.
    pub(super) fn collect(
        &mut self,
        chosen: &[u32],
        batch: &mut SampledBatch,
        ledger: &mut Ledger,
    ) {
        let mut next = Vec::with_capacity(chosen.len());
        for slot in chosen {
            let record = &mut self.slots.records[*slot as usize];
            ledger.draw(record);
            match record.link() {
                Link::Next(slot) => next.push(slot),
                link => panic!("a slot with link {link:?} was drawn"),
            }
            batch.minibatch.n_step_return.push(record.n_step_return);
            batch.minibatch.discount.push(record.discount);
            batch.subspaces.push(record.subspace);
        }
        batch.ids.extend(chosen.iter().map(|slot| self.id_of(*slot as usize)));
        self.slots.gather_obs(chosen, &mut batch.minibatch.obs);
        self.slots.gather_obs(&next, &mut batch.minibatch.next_obs);
        self.slots.gather_actions(chosen, &mut batch.minibatch.actions);
        self.slots.gather_contexts(chosen, &mut batch.contexts);
    }

    /// Takes the new priority of a transition. Says whether it is still there.
    pub(super) fn update_priority(&mut self, id: u64, value: f32) -> bool {
        let slot = slot_of(id, self.capacity);
        let sampleable = matches!(self.slots.records[slot].link(), Link::Next(_));
        if id < self.oldest_id() || !sampleable {
            return false;
        }
        if let Some(priorities) = &mut self.priorities {
            priorities.update(slot, value);
        }
        true
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        if let Some(priorities) = &mut self.priorities {
            priorities.clear();
        }
        (self.next_id, self.sampleable) = (0, 0);
    }

    /// Slots written at least once.
    pub(super) fn written(&self) -> usize {
        usize::try_from(self.next_id).map_or(self.capacity, |id| id.min(self.capacity))
    }

    /// Id of the oldest slot not overwritten.
    pub(super) fn oldest_id(&self) -> u64 {
        self.next_id.saturating_sub(self.capacity as u64)
    }

    /// Id of the newest write to a written slot.
    pub(super) fn id_of(&self, slot: usize) -> u64 {
        let newest = self.next_id - 1;
        let behind = (slot_of(newest, self.capacity) + self.capacity - slot) % self.capacity;
        newest - behind as u64
    }
}

/// Slot that holds the observation written with `id`.
#[expect(clippy::cast_possible_truncation, reason = "less than capacity")]
pub(super) fn slot_of(id: u64, capacity: usize) -> usize {
    (id % capacity as u64) as usize
}
