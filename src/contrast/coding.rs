//! What the teacher is asked to read, and its answer.

use super::{ContrastError, Contrasts, Store};
use crate::memory::SegmentId;
use contrail_agents::ObsBatch;
use serde::{Deserialize, Serialize};

/// Requests that are remembered until their answer comes. An answer that never came is forgotten
/// after so many others.
const MOST_ASKED: usize = 256;

/// A segment of one of the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoredId {
    /// Where.
    pub store: Store,
    /// Its id there.
    pub id: SegmentId,
}

/// Segments for the teacher to read: M of them, of up to H env steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodingRequest {
    /// `[M]`.
    pub ids: Vec<StoredId>,
    /// `[M * (H + 1), obs...]`; zeros behind a segment that is shorter.
    pub obs: ObsBatch,
    /// `[M * (H + 1)]` subspace of each observation.
    pub subspaces: Vec<u32>,
    /// `[M]` env steps; a segment has one observation more.
    pub lengths: Vec<u32>,
}

impl CodingRequest {
    /// The answer: what the teacher of `version` read in `obs`. `codes` is `[M * (H + 1), G]`,
    /// `policies` `[M * (H + 1), R]`.
    #[must_use]
    pub fn answered(self, version: u64, codes: &[u8], policies: &[u8]) -> Readings {
        Readings { ids: self.ids, version, codes: codes.to_vec(), policies: policies.to_vec() }
    }
}

/// What a teacher read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// `[M]`.
    pub ids: Vec<StoredId>,
    /// Of the teacher.
    pub version: u64,
    /// `[M, H + 1, G]` levels; empty without tokens.
    pub codes: Vec<u8>,
    /// `[M, H + 1, R]` probabilities of actions, or mean actions as a share of their bounds, as
    /// 0..255.
    pub policies: Vec<u8>,
}

/// What became of readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Segments whose readings were stored.
    pub stored: usize,
    /// Segments that were overwritten meanwhile, or had readings of a newer teacher.
    pub gone: usize,
}

impl Contrasts {
    /// Up to `limit` segments that no teacher has read, or only one of a version before `oldest`:
    /// new ones first, the newest first, then old ones of the memory and of the ring in turn. None
    /// if there is nothing to read. A segment whose answer is still under way is not asked for
    /// again.
    ///
    /// # Errors
    /// None of its own: that of a damaged store.
    pub fn to_code(
        &mut self,
        oldest: u64,
        limit: usize,
    ) -> Result<Option<CodingRequest>, ContrastError> {
        let mut ids = Vec::with_capacity(limit);
        while ids.len() < limit {
            let Some(id) = self.unread.pop_back() else { break };
            if self.stores.recent.view(id).is_some_and(|view| view.version.is_none()) {
                ids.push(StoredId { store: Store::Recent, id });
            }
        }
        for store in Store::BOTH {
            for id in self.stores.of_mut(store).stale(oldest, limit - ids.len()) {
                let id = StoredId { store, id };
                let asked = |id: &StoredId| ids.contains(id) || self.asked.contains(id);
                if !asked(&id) && self.twin(id).is_none_or(|twin| !asked(&twin)) {
                    ids.push(id);
                }
            }
        }
        if ids.is_empty() {
            return Ok(None);
        }
        self.asked.extend(&ids);
        self.asked.drain(..self.asked.len().saturating_sub(MOST_ASKED));
        ids.sort_unstable_by_key(|id| id.store); // so that each store is copied from once
        self.request(ids).map(Some)
    }

    fn request(&self, ids: Vec<StoredId>) -> Result<CodingRequest, ContrastError> {
        let own = |store| {
            let own = ids.iter().filter(move |id| id.store == store);
            own.map(|id| id.id).collect::<Vec<_>>()
        };
        let mut whole = self.stores.memory.batch(&own(Store::Memory))?;
        let newest = self.stores.recent.batch(&own(Store::Recent))?;
        match (&mut whole.obs, newest.obs) {
            (ObsBatch::F32(to), ObsBatch::F32(from)) => to.extend(from),
            (ObsBatch::U8(to), ObsBatch::U8(from)) => to.extend(from),
            _ => unreachable!("both stores have the same observations"),
        }
        whole.lengths.extend(newest.lengths);
        whole.subspaces.extend(newest.subspaces);
        let each = self.stores.memory.config().horizon_env_steps + 1;
        let subspaces = whole.subspaces.into_iter();
        let subspaces = subspaces.flat_map(|own| std::iter::repeat_n(own, each)).collect();
        Ok(CodingRequest { ids, obs: whole.obs, subspaces, lengths: whole.lengths })
    }

    /// The same segment in the other store.
    fn twin(&self, id: StoredId) -> Option<StoredId> {
        let view = self.stores.of(id.store).view(id.id)?;
        let store = id.store.other();
        let id = self.stores.of(store).find(view.episode, view.index)?;
        Some(StoredId { store, id })
    }

    /// Stores what the teacher read, of a segment that is in both stores in both. Segments that are
    /// gone are counted.
    ///
    /// # Errors
    /// [`ContrastError::BadReadings`] if there are not `M * (H + 1)` codes and action readings, and
    /// [`ContrastError::Memory`] for levels that are none.
    pub fn take_readings(&mut self, readings: &Readings) -> Result<Taken, ContrastError> {
        let config = self.stores.memory.config();
        let (groups, bytes) = (config.codes.groups, config.readings_len);
        let (count, each) = (readings.ids.len(), config.horizon_env_steps + 1);
        for (what, len, width) in
            [("codes", readings.codes.len(), groups), ("policies", readings.policies.len(), bytes)]
        {
            if len != count * each * width {
                return Err(ContrastError::BadReadings(format!(
                    "{len} bytes of {what}, expected {count} segments of {each} times {width}"
                )));
            }
        }
        self.asked.retain(|id| !readings.ids.contains(id));
        let mut taken = Taken::default();
        for (row, id) in readings.ids.iter().enumerate() {
            let known = self.stores.of(id.store).view(id.id).map(|view| view.len() + 1);
            let Some(obs) = known else {
                taken.gone += 1;
                continue;
            };
            let codes = &readings.codes[row * each * groups..][..obs * groups];
            let policies = &readings.policies[row * each * bytes..][..obs * bytes];
            let mut stored = false;
            for id in [Some(*id), self.twin(*id)].into_iter().flatten() {
                let store = self.stores.of_mut(id.store);
                stored |= store.set_readings(id.id, readings.version, (codes, policies))?;
            }
            *if stored { &mut taken.stored } else { &mut taken.gone } += 1;
        }
        self.newest_version = self.newest_version.max(readings.version);
        Ok(taken)
    }
}
