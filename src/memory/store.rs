//! The memory: reservoirs of segments, found by id, by time and by code.

use super::hash::MixerBuilder;
use super::index::CodeIndex;
use super::laws::Trees;
use super::slots::{Record, Slots};
use super::{MemoryConfig, MemoryError, Replacement, Segment};
use contrail_envs::Prng;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A stored segment. Once it is overwritten its id is known as gone and never means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// An observation of a stored segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The segment.
    pub segment: SegmentId,
    /// Env steps from its beginning, 0 to its length.
    pub position: usize,
}

/// Stream, episode and number of a segment.
pub(super) type Key = (u32, u64, u32);

/// Most bytes of the index from [`Key`] to slot.
pub(super) fn episode_index_bytes(slots: usize) -> u64 {
    let table = (slots as u64).saturating_mul(8).div_ceil(7).next_power_of_two();
    table.saturating_mul(size_of::<(Key, u32)>() as u64 + 1)
}

/// Segments of episodes, a reservoir for each subspace or one ring for all
/// ([`super::Replacement`]).
///
/// A reservoir of `c` slots keeps each of the `k` segments that its subspace has seen with the
/// same probability `c / k`, so the memory is a fair sample of the whole life of a subspace, however
/// long ago it was visited. Laws of drawing are in [`super::SegmentLaw`].
///
/// # Source
/// Algorithm R (Waterman), in Vitter, Random Sampling with a Reservoir (1985), section 2.
///
/// # Differs
/// A reservoir a subspace, rather than one; segments and not single records.
#[derive(Debug)]
pub struct EpisodicMemory {
    pub(super) config: MemoryConfig,
    pub(super) slots: Slots,
    /// `[strata]`.
    pub(super) trees: Vec<Trees>,
    pub(super) index: CodeIndex,
    pub(super) episodes: HashMap<Key, u32, MixerBuilder>,
    /// `[subspaces]` segments offered.
    pub(super) seen: Vec<u64>,
    /// `[subspaces]` segments stored.
    pub(super) held: Vec<usize>,
    /// Largest surprise measured, which segments get whose own was not; 1 at first.
    pub(super) largest_surprise: f32,
    /// Smallest return of a segment stored so far.
    pub(super) lowest_return: f32,
    /// Where the next search for stale codes begins.
    pub(super) stale_cursor: usize,
}

impl EpisodicMemory {
    /// An empty memory with its arrays allocated.
    ///
    /// # Errors
    /// [`MemoryError::BadConfig`] if `config` does not pass [`MemoryConfig::check`], and
    /// [`MemoryError::OutOfMemory`] if an array cannot be allocated.
    pub fn new(config: MemoryConfig) -> Result<Self, MemoryError> {
        config.check()?;
        let slots = Slots::allocate(&config)?;
        let full = |what| config.out_of_memory(what);
        let trees = (0..config.strata()).map(|_| Trees::allocate(config.segments_a_stratum()));
        let trees = trees.collect::<Result<_, _>>().map_err(|_| full("sum trees"))?;
        let index = CodeIndex::allocate(config.slots() * config.obs_a_segment())
            .map_err(|_| full("code index"))?;
        let mut episodes = HashMap::default();
        episodes.try_reserve(config.slots()).map_err(|_| full("episode index"))?;
        Ok(Self {
            slots,
            trees,
            index,
            episodes,
            seen: vec![0; config.subspaces],
            held: vec![0; config.subspaces],
            largest_surprise: 1.0,
            lowest_return: f32::INFINITY,
            stale_cursor: 0,
            config,
        })
    }

    /// Shape of this memory.
    #[must_use]
    pub fn config(&self) -> &MemoryConfig {
        &self.config
    }

    /// Segments stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.iter().sum()
    }

    /// Whether no segment is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Segments stored of a subspace.
    ///
    /// # Panics
    /// If there is no such subspace: a bug of the caller.
    #[must_use]
    pub fn len_of(&self, subspace: usize) -> usize {
        self.held[subspace]
    }

    /// Segments offered to a stratum.
    fn offered(&self, stratum: usize) -> u64 {
        match self.config.replacement {
            Replacement::Reservoir => self.seen[stratum],
            Replacement::Oldest => self.seen.iter().fold(0, |sum, seen| sum.saturating_add(*seen)),
        }
    }

    /// Slots in use of a stratum: it fills from its first slot on.
    pub(super) fn used_of(&self, stratum: usize) -> usize {
        let capacity = self.config.segments_a_stratum();
        usize::try_from(self.offered(stratum)).map_or(capacity, |offered| offered.min(capacity))
    }

    /// Segments of a subspace that were offered so far.
    ///
    /// # Panics
    /// If there is no such subspace: a bug of the caller.
    #[must_use]
    pub fn seen(&self, subspace: usize) -> u64 {
        self.seen[subspace]
    }

    /// Offers a segment to the reservoir of its subspace, or puts it into the ring, which uses no
    /// random number. Returns its id, or none if the reservoir passed it over. The last segment of an episode tells the others their episode's return.
    ///
    /// # Errors
    /// [`MemoryError::BadSegment`] if it does not fit the config, or is stored already.
    pub fn insert(
        &mut self,
        segment: &Segment,
        rng: &mut Prng,
    ) -> Result<Option<SegmentId>, MemoryError> {
        self.check_new(segment)?;
        let key = (segment.stream, segment.episode, segment.index);
        if let Some(episode_return) = segment.episode_return {
            self.end_episode(key, episode_return);
        }
        let subspace = segment.subspace as usize;
        self.seen[subspace] += 1;
        let stratum = self.config.stratum(subspace);
        let (offered, capacity) = (self.offered(stratum), self.config.segments_a_stratum());
        let row = match self.config.replacement {
            Replacement::Oldest => (offered - 1) % capacity as u64,
            Replacement::Reservoir if offered <= capacity as u64 => offered - 1,
            Replacement::Reservoir => rng.random_range(0..offered),
        };
        let Some(row) = usize::try_from(row).ok().filter(|row| *row < capacity) else {
            return Ok(None);
        };
        let slot = stratum * capacity + row;
        self.evict(slot);
        Ok(Some(self.store(slot, segment, key)))
    }

    /// Refuses a segment that [`Self::insert`] would refuse.
    pub(crate) fn check_new(&self, segment: &Segment) -> Result<(), MemoryError> {
        segment.check(&self.config)?;
        let key @ (stream, episode, index) = (segment.stream, segment.episode, segment.index);
        if self.episodes.contains_key(&key) {
            return Err(MemoryError::BadSegment(format!(
                "segment {index} of episode {episode} of stream {stream} is stored already"
            )));
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "slots and lengths are u32")]
    fn store(&mut self, slot: usize, segment: &Segment, key: Key) -> SegmentId {
        self.slots.write(slot, segment);
        if let Some(surprise) = segment.surprise {
            self.largest_surprise = self.largest_surprise.max(surprise.abs());
        }
        let generation = self.slots.records[slot].generation.wrapping_add(1).max(1);
        let record = Record {
            generation,
            len: segment.rewards.len() as u32,
            stream: segment.stream,
            index: segment.index,
            subspace: segment.subspace,
            episode: segment.episode,
            time_env_steps: segment.time_env_steps,
            outcome: segment.outcome,
            measured: segment.surprise.is_some(),
            surprise: segment.surprise.map_or(self.largest_surprise, f32::abs),
            segment_return: segment.segment_return(),
            episode_return: segment.episode_return,
            code_version: None,
        };
        self.slots.records[slot] = record;
        self.episodes.insert(key, slot as u32);
        self.held[segment.subspace as usize] += 1;
        self.set_priorities(slot);
        SegmentId { slot: slot as u32, generation }
    }

    /// Takes the segment of a slot out of every index.
    fn evict(&mut self, slot: usize) {
        let record = self.slots.records[slot];
        if record.len > 0 {
            self.forget_codes(slot);
            self.episodes.remove(&(record.stream, record.episode, record.index));
            self.held[record.subspace as usize] -= 1;
        }
    }

    fn end_episode(&mut self, (stream, episode, index): Key, episode_return: f32) {
        for index in 0..index {
            if let Some(slot) = self.episodes.get(&(stream, episode, index)) {
                self.slots.records[*slot as usize].episode_return = Some(episode_return);
            }
        }
    }

    /// Slot of a segment, if it is still stored.
    pub(super) fn slot(&self, id: SegmentId) -> Option<usize> {
        let slot = id.slot as usize;
        let there = self.slots.records.get(slot)?.generation == id.generation;
        (there && id.generation > 0).then_some(slot)
    }

    /// Whether a segment is still stored.
    #[must_use]
    pub fn contains(&self, id: SegmentId) -> bool {
        self.slot(id).is_some()
    }

    #[expect(clippy::cast_possible_truncation, reason = "slots are u32")]
    pub(super) fn id_of(&self, slot: usize) -> SegmentId {
        SegmentId { slot: slot as u32, generation: self.slots.records[slot].generation }
    }

    /// The observation `offset_env_steps` after a place of the same episode (before it, if
    /// negative), if that is still stored. The last observation of a segment is also the first of
    /// the next; the next is preferred.
    #[must_use]
    pub fn neighbor(&self, place: Place, offset_env_steps: i64) -> Option<Place> {
        let record = &self.slots.records[self.slot(place.segment)?];
        let horizon = self.slots.horizon as u64;
        if place.position > record.len as usize {
            return None;
        }
        let from = u64::from(record.index) * horizon + place.position as u64;
        let at = from.checked_add_signed(offset_env_steps)?;
        let (index, position) = (at / horizon, at % horizon);
        let there = |index: u64, position: u64| {
            let key = (record.stream, record.episode, u32::try_from(index).ok()?);
            let slot = *self.episodes.get(&key)? as usize;
            let inside = position <= u64::from(self.slots.records[slot].len);
            let position = usize::try_from(position).ok()?;
            inside.then(|| Place { segment: self.id_of(slot), position })
        };
        there(index, position).or_else(|| match position {
            0 => there(index.checked_sub(1)?, horizon),
            _ => None,
        })
    }
}
