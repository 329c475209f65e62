//! The two stores that contrasts are drawn from.

use super::{ContrastError, Missing, MissingCounts, StoredId};
use crate::memory::{EpisodicMemory, MemoryConfig, Replacement, Segment, SegmentId};
use contrail_envs::Prng;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;

/// Where a segment is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Store {
    /// The memory: a fair sample of the life of each subspace.
    Memory,
    /// The newest segments: the current stream.
    Recent,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "the memory",
            Self::Recent => "the ring of the newest segments",
        })
    }
}

impl Store {
    pub(super) const BOTH: [Self; 2] = [Self::Memory, Self::Recent];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Memory => Self::Recent,
            Self::Recent => Self::Memory,
        }
    }
}

/// Shape of both stores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastsConfig {
    /// The memory.
    pub memory: MemoryConfig,
    /// Newest segments that count as the current stream, at least 1.
    pub recent_segments: usize,
}

impl ContrastsConfig {
    /// The ring of the newest segments.
    #[must_use]
    pub fn recent(&self) -> MemoryConfig {
        MemoryConfig {
            capacity_segments: self.recent_segments,
            replacement: Replacement::Oldest,
            ..self.memory.clone()
        }
    }

    /// Bytes of both stores; `u64::MAX` if they are more than that.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.memory_bytes().saturating_add(self.recent().memory_bytes())
    }
}

/// Both stores.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) memory: EpisodicMemory,
    pub(super) recent: EpisodicMemory,
}

impl Stores {
    pub(super) fn of(&self, store: Store) -> &EpisodicMemory {
        match store {
            Store::Memory => &self.memory,
            Store::Recent => &self.recent,
        }
    }

    pub(super) fn of_mut(&mut self, store: Store) -> &mut EpisodicMemory {
        match store {
            Store::Memory => &mut self.memory,
            Store::Recent => &mut self.recent,
        }
    }
}

/// The episodic memory, the current stream, and the contrasts that are drawn from both.
#[derive(Debug)]
pub struct Contrasts {
    pub(super) stores: Stores,
    /// New segments of the ring that no teacher has read, the oldest first.
    pub(super) unread: VecDeque<SegmentId>,
    /// Segments whose readings are under way, the oldest request first.
    pub(super) asked: VecDeque<StoredId>,
    /// Newest version of a teacher whose readings were taken.
    pub(super) newest_version: u64,
    pub(super) missing: MissingCounts,
    pub(super) last_missing: Option<Missing>,
}

impl Contrasts {
    /// Empty stores with their arrays allocated.
    ///
    /// # Errors
    /// As [`EpisodicMemory::new`].
    pub fn new(config: &ContrastsConfig) -> Result<Self, ContrastError> {
        let recent = EpisodicMemory::new(config.recent())?;
        let stores = Stores { memory: EpisodicMemory::new(config.memory.clone())?, recent };
        Ok(Self {
            stores,
            unread: VecDeque::new(),
            asked: VecDeque::new(),
            newest_version: 0,
            missing: MissingCounts::default(),
            last_missing: None,
        })
    }

    /// Puts a segment among the newest, and offers it to the memory, which may pass it over.
    /// Returns its id in the memory, if it was taken there.
    ///
    /// # Errors
    /// As [`EpisodicMemory::insert`]. Then nothing changes.
    pub fn insert(
        &mut self,
        segment: &Segment,
        rng: &mut Prng,
    ) -> Result<Option<SegmentId>, ContrastError> {
        for store in Store::BOTH {
            self.stores.of(store).check_new(segment)?;
        }
        if let Some(id) = self.stores.recent.insert(segment, rng)? {
            self.unread.push_back(id);
        }
        if self.unread.len() > self.stores.recent.config().capacity_segments {
            self.unread.pop_front(); // it was overwritten, or waits for its turn among the old
        }
        Ok(self.stores.memory.insert(segment, rng)?)
    }

    /// Offers a segment to the memory alone: it is not of the current stream. Returns its id there,
    /// if it was taken.
    ///
    /// # Errors
    /// As [`EpisodicMemory::insert`]. Then nothing changes.
    pub fn insert_old(
        &mut self,
        segment: &Segment,
        rng: &mut Prng,
    ) -> Result<Option<SegmentId>, ContrastError> {
        Ok(self.stores.memory.insert(segment, rng)?)
    }

    /// Empties the ring of the newest segments: the current stream begins anew.
    ///
    /// # Errors
    /// As [`EpisodicMemory::new`].
    pub fn forget_stream(&mut self) -> Result<(), ContrastError> {
        let config = self.stores.recent.config().clone();
        self.stores.recent = EpisodicMemory::new(config)?;
        self.unread.clear();
        self.asked.retain(|id| id.store == Store::Memory);
        Ok(())
    }

    /// The memory.
    #[must_use]
    pub fn memory(&self) -> &EpisodicMemory {
        &self.stores.memory
    }

    /// The newest segments.
    #[must_use]
    pub fn recent(&self) -> &EpisodicMemory {
        &self.stores.recent
    }

    /// Takes surprises of segments of the memory; see
    /// [`EpisodicMemory::update_surprises`].
    ///
    /// # Errors
    /// As that.
    pub fn update_surprises(
        &mut self,
        ids: &[SegmentId],
        surprises: &[f32],
    ) -> Result<usize, ContrastError> {
        Ok(self.stores.memory.update_surprises(ids, surprises)?)
    }

    /// Newest version of a teacher whose readings were taken; 0 before the first.
    #[must_use]
    pub fn newest_version(&self) -> u64 {
        self.newest_version
    }

    /// How often there was no batch, by reason.
    #[must_use]
    pub fn missing(&self) -> MissingCounts {
        self.missing
    }

    /// Why the last call of [`Self::prepare`] gave no batch; none if it gave one.
    #[must_use]
    pub fn last_missing(&self) -> Option<Missing> {
        self.last_missing
    }
}
