//! The replay: one ring for all subspaces, or one for each.

use super::ring::Ring;
use super::stats::Ledger;
use super::streams::Stream;
use super::{ReplayConfig, ReplayError, SubspaceStats, check};
use crate::message::TransitionBlock;

/// Stored transitions of all streams.
///
/// One ring holds all subspaces and overwrites the oldest transition, whatever its subspace. If the
/// config keeps every subspace, or its law draws them otherwise than as stored, each subspace has a
/// ring of its own (a stratum) with an equal share of the capacity, and is overwritten only by
/// itself. An episode lies in one subspace, so no window spans two rings.
///
/// Ids are unique: `id mod strata` is the ring, `id div strata` counts the slots written there.
#[derive(Debug)]
pub struct Replay {
    pub(super) config: ReplayConfig,
    /// One, or one a subspace.
    pub(super) rings: Vec<Ring>,
    pub(super) streams: Vec<Stream>,
    pub(super) ledger: Ledger,
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
        let rings = config.ring_capacities().map(|capacity| Ring::allocate(&config, capacity));
        let rings = rings.collect::<Result<_, _>>()?;
        let streams = Stream::allocate(config.streams, config.n_step)
            .map_err(|_| config.out_of_memory("streams"))?;
        let ledger = Ledger::new(config.subspaces);
        Ok(Self { config, rings, streams, ledger })
    }

    /// Shape of this replay.
    #[must_use]
    pub fn config(&self) -> &ReplayConfig {
        &self.config
    }

    /// Transitions that can be sampled now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rings.iter().map(|ring| ring.sampleable).sum()
    }

    /// Whether no transition can be sampled now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.config.capacity_transitions
    }

    /// Transitions inserted so far, overwritten ones included.
    #[must_use]
    pub fn inserted(&self) -> u64 {
        self.ledger.inserted
    }

    /// Transitions dropped so far because they were overwritten, or their trajectory broken off,
    /// before their successor arrived: they could never be sampled.
    #[must_use]
    pub fn dropped_waiting(&self) -> u64 {
        self.ledger.dropped_waiting
    }

    /// New priorities ignored so far because their transition was overwritten in the meantime.
    #[must_use]
    pub fn stale_priorities(&self) -> u64 {
        self.ledger.stale_priorities
    }

    /// What is stored of each subspace, and what became of it: one entry a subspace, in time
    /// proportional to their number.
    #[must_use]
    pub fn subspace_stats(&self) -> Vec<SubspaceStats> {
        self.ledger.stats()
    }

    /// Stores the transitions of a block.
    ///
    /// # Errors
    /// [`ReplayError::BadBlock`] if the block does not have the shape of the config, an observation
    /// is out of its bounds, or a row contradicts the rows of its stream before it. The rows before
    /// the offending one stay.
    pub fn insert(&mut self, block: &TransitionBlock) -> Result<(), ReplayError> {
        check::shape(&self.config, block)?;
        let obs_len = self.config.obs.len();
        let mut ended = 0;
        for &stream in &block.broken_off {
            let stream = &mut self.streams[stream as usize];
            if let Some(subspace) = stream.subspace() {
                let ring = ring_of(subspace, self.rings.len());
                self.rings[ring].break_off(stream, &mut self.ledger);
            }
        }
        for (index, row) in block.rows.iter().enumerate() {
            check::row(&self.config, &self.streams, block, index)?;
            let final_obs = row.ends_trajectory.then(|| block.final_obs.row(ended, obs_len));
            ended += usize::from(row.ends_trajectory);
            let ring = ring_of(row.subspace, self.rings.len());
            self.rings[ring].insert(
                &mut self.streams[row.stream as usize],
                (block, index),
                (block.obs.row(index, obs_len), final_obs),
                &mut self.ledger,
            );
        }
        Ok(())
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.rings.iter_mut().for_each(Ring::clear);
        self.streams.iter_mut().for_each(|stream| stream.copy_from(&Stream::default()));
        self.ledger = Ledger::new(self.config.subspaces);
    }
}

/// The ring of a subspace.
pub(super) fn ring_of(subspace: u32, rings: usize) -> usize {
    if rings == 1 { 0 } else { subspace as usize }
}
