//! The ring of stored observations and the transitions that start at them.

use super::priorities::Priorities;
use super::slots::{Link, Record, Slots};
use super::streams::Stream;
use super::{ReplayConfig, ReplayError, Sampling, check};
use crate::message::TransitionBlock;
use contrail_envs::ObsRef;

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
/// the successor arrives; it is dropped and counted in [`Replay::dropped_waiting`].
///
/// Ids count slot writes, final observations included, so they grow but leave gaps; `id mod
/// capacity` is the slot.
#[derive(Debug)]
pub struct Replay {
    pub(super) config: ReplayConfig,
    pub(super) slots: Slots,
    pub(super) streams: Vec<Stream>,
    pub(super) priorities: Option<Priorities>,
    pub(super) next_id: u64,
    pub(super) sampleable: usize,
    pub(super) inserted: u64,
    pub(super) dropped_waiting: u64,
    pub(super) stale_priorities: u64,
}

impl Replay {
    /// An empty replay with all its memory allocated and touched.
    ///
    /// # Errors
    /// [`ReplayError::BadConfig`] if `config` does not pass [`ReplayConfig::check`], and
    /// [`ReplayError::OutOfMemory`] if an array cannot be allocated. A system that promises more
    /// memory than it has may still end the process: compare [`ReplayConfig::memory_bytes`] first.
    pub fn new(config: ReplayConfig) -> Result<Self, ReplayError> {
        config.check()?;
        let slots = Slots::allocate(&config)?;
        let streams = Stream::allocate(config.streams, config.n_step)
            .map_err(|_| config.out_of_memory("streams"))?;
        let priorities = match config.sampling {
            Sampling::Uniform => None,
            Sampling::Prioritized { priority_exponent, priority_epsilon } => Some(
                Priorities::allocate(
                    config.capacity_transitions,
                    priority_exponent,
                    priority_epsilon,
                )
                .map_err(|_| config.out_of_memory("sum tree"))?,
            ),
        };
        let (next_id, sampleable, inserted) = (0, 0, 0);
        let (dropped_waiting, stale_priorities) = (0, 0);
        Ok(Self {
            config,
            slots,
            streams,
            priorities,
            next_id,
            sampleable,
            inserted,
            dropped_waiting,
            stale_priorities,
        })
    }

    /// Shape of this replay.
    #[must_use]
    pub fn config(&self) -> &ReplayConfig {
        &self.config
    }

    /// Transitions that can be sampled now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sampleable
    }

    /// Whether no transition can be sampled now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sampleable == 0
    }

    /// Slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.config.capacity_transitions
    }

    /// Transitions inserted so far, overwritten ones included.
    #[must_use]
    pub fn inserted(&self) -> u64 {
        self.inserted
    }

    /// Transitions dropped so far because they were overwritten, or their trajectory broken off,
    /// before their successor arrived: they could never be sampled.
    #[must_use]
    pub fn dropped_waiting(&self) -> u64 {
        self.dropped_waiting
    }

    /// New priorities ignored so far because their transition was overwritten in the meantime.
    #[must_use]
    pub fn stale_priorities(&self) -> u64 {
        self.stale_priorities
    }

    /// Stores the transitions of a block.
    ///
    /// # Errors
    /// [`ReplayError::BadBlock`] if the block does not have the shape of the config, or a row
    /// contradicts the rows of its stream before it. The rows before the offending one stay.
    pub fn insert(&mut self, block: &TransitionBlock) -> Result<(), ReplayError> {
        check::shape(&self.config, block)?;
        let obs_len = self.config.obs.len();
        let mut ended = 0;
        for &stream in &block.broken_off {
            self.break_off(stream);
        }
        for (index, row) in block.rows.iter().enumerate() {
            check::row(&self.config, &self.streams, block, index)?;
            let stream = row.stream as usize;
            let (id, slot) = self.arrive(stream, block.obs.row(index, obs_len));
            self.slots.write_transition(slot, row, &block.actions, index);
            self.streams[stream].push_transition(id, row.span);
            self.inserted += 1;
            if row.ends_trajectory {
                self.arrive(stream, block.final_obs.row(ended, obs_len));
                ended += 1;
            }
        }
        Ok(())
    }

    /// Breaks off the trajectory of a stream: the transitions that wait for a successor are dropped
    /// and counted.
    fn break_off(&mut self, stream: u32) {
        let oldest = self.oldest_id();
        for waiting in self.streams[stream as usize].break_off().filter(|w| w.id >= oldest) {
            let slot = slot_of(waiting.id, self.config.capacity_transitions);
            self.slots.records[slot].link = Link::None;
            self.dropped_waiting += 1;
        }
    }

    /// Stores an observation in the oldest slot and links the transitions that waited for it.
    fn arrive(&mut self, stream: usize, obs: ObsRef<'_>) -> (u64, usize) {
        let id = self.next_id;
        let slot = slot_of(id, self.capacity());
        match self.slots.records[slot].link {
            Link::None => {}
            Link::Waiting => self.dropped_waiting += 1,
            Link::Next(_) => {
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
        while let Some(waiting) = self.streams[stream].pop_arrived() {
            if waiting.id >= oldest {
                self.link(slot_of(waiting.id, self.capacity()), slot);
            } // else it was overwritten, and counted then
        }
        (id, slot)
    }

    fn link(&mut self, slot: usize, next: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX slots")]
        let next = next as u32;
        self.slots.records[slot].link = Link::Next(next);
        self.sampleable += 1;
        if let Some(priorities) = &mut self.priorities {
            priorities.add(slot);
        }
    }

    /// Slots written at least once.
    pub(super) fn written(&self) -> usize {
        usize::try_from(self.next_id).map_or(self.capacity(), |id| id.min(self.capacity()))
    }

    /// Id of the oldest slot not overwritten.
    pub(super) fn oldest_id(&self) -> u64 {
        self.next_id.saturating_sub(self.capacity() as u64)
    }

    /// Id of the newest write to a written slot.
    pub(super) fn id_of(&self, slot: usize) -> u64 {
        let newest = self.next_id - 1;
        let capacity = self.capacity();
        let behind = (slot_of(newest, capacity) + capacity - slot) % capacity;
        newest - behind as u64
    }
}

/// Slot that holds the observation written with `id`.
#[expect(clippy::cast_possible_truncation, reason = "less than capacity")]
pub(super) fn slot_of(id: u64, capacity: usize) -> usize {
    (id % capacity as u64) as usize
}
