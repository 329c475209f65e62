//! What is known about stored observations, without copies, and uniform draws of them.

use super::{EpisodicMemory, Place, Replacement, SegmentId};
use crate::memory::slots::Actions;
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{Outcome, Prng};
use rand::RngExt;

/// Which segments an observation is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those of a subspace.
    Only(u32),
    /// Those of all other subspaces.
    Except(u32),
}

/// Draws from a ring before all its segments are looked at for one of the right subspace.
const RING_TRIES: usize = 16;

/// A stored segment. `len` is its number of env steps.
#[derive(Clone, Copy, Debug)]
pub struct SegmentView<'a> {
    /// Subspace of its episode.
    pub subspace: u32,
    /// Stream, and number of the episode within it.
    pub episode: (u32, u64),
    /// Number of the segment within its episode.
    pub index: u32,
    /// Env steps of the episode before the segment.
    pub begin: u64,
    /// How its last env step ended; `Continue` if the episode goes on.
    pub outcome: Outcome,
    /// `[C]` context values of its episode.
    pub context: &'a [f32],
    /// `[len]`.
    pub rewards: &'a [f32],
    /// `[len + 1]` fixed 64-bit hashes of its observations.
    pub hashes: &'a [u64],
    /// Version of the teacher that gave codes and readings; none if it was not read yet.
    pub version: Option<u64>,
    /// `[len + 1, G]` levels; zeros before it was read.
    pub codes: &'a [u8],
    /// `[len + 1, R]` action readings; zeros before it was read.
    pub policies: &'a [u8],
}

impl SegmentView<'_> {
    /// Env steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether it has no env step; a stored segment has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }
}

impl EpisodicMemory {
    /// All about a segment; none if it is gone.
    #[must_use]
    pub fn view(&self, id: SegmentId) -> Option<SegmentView<'_>> {
        let slot = self.slot(id)?;
        let record = &self.slots.records[slot];
        let (obs, context) = (record.len as usize + 1, self.config.context_len);
        Some(SegmentView {
            subspace: record.subspace,
            episode: (record.stream, record.episode),
            index: record.index,
            begin: u64::from(record.index) * self.slots.horizon as u64,
            outcome: record.outcome,
            context: &self.slots.contexts[slot * context..][..context],
            rewards: self.slots.rewards(slot),
            hashes: &self.slots.hashes[slot * (self.slots.horizon + 1)..][..obs],
            version: record.code_version,
            codes: &self.slots.codes(slot)[..obs * self.config.codes.groups],
            policies: &self.slots.policies(slot)[..obs * self.config.readings_len],
        })
    }

    /// A segment by its stream, episode and number, if it is stored.
    #[must_use]
    pub fn find(&self, (stream, episode): (u32, u64), index: u32) -> Option<SegmentId> {
        let slot = self.episodes.get(&(stream, episode, index))?;
        Some(self.id_of(*slot as usize))
    }

    /// Number of observations that have a code ([`super::CodeSpace::pack`]).
    #[must_use]
    pub fn holder_count(&self, code: u64) -> usize {
        self.index.get(code).len()
    }

    /// One of the observations that have a code, `number` below [`Self::holder_count`].
    #[must_use]
    pub fn holder(&self, code: u64, number: usize) -> Option<Place> {
        self.index.get(code).get(number).map(|place| self.place(*place as usize))
    }

    pub(super) fn place(&self, place: usize) -> Place {
        let obs_a_segment = self.slots.horizon + 1;
        Place { segment: self.id_of(place / obs_a_segment), position: place % obs_a_segment }
    }

    /// An observation, each stored one with the same probability. None if there is none.
    #[must_use]
    pub fn random_obs(&self, among: Among, rng: &mut Prng) -> Option<Place> {
        self.random_place(among, 1, rng)
    }

    /// An observation that an action followed, each with the same probability; as
    /// [`Self::random_obs`].
    #[must_use]
    pub fn random_step(&self, among: Among, rng: &mut Prng) -> Option<Place> {
        self.random_place(among, 0, rng)
    }

    /// Rejection makes observations of short segments as probable as others: at least one place of
    /// H is taken, so the loop ends.
    fn random_place(&self, among: Among, beyond: usize, rng: &mut Prng) -> Option<Place> {
        loop {
            let slot = self.random_slot(among, rng)?;
            let position = rng.random_range(0..self.slots.horizon + beyond);
            if position < self.slots.records[slot].len as usize + beyond {
                return Some(Place { segment: self.id_of(slot), position });
            }
        }
    }

    /// A used slot, all alike.
    fn random_slot(&self, among: Among, rng: &mut Prng) -> Option<usize> {
        let taken = |subspace: u32| match among {
            Among::All => true,
            Among::Only(own) => subspace == own,
            Among::Except(own) => subspace != own,
        };
        #[expect(clippy::cast_possible_truncation, reason = "subspaces are u32")]
        let subspaces = || (0..self.held.len()).filter(|s| taken(*s as u32));
        let total: usize = subspaces().map(|s| self.held[s]).sum();
        if total == 0 {
            return None;
        }
        if self.config.replacement == Replacement::Oldest {
            let fits = |slot: &usize| taken(self.slots.records[*slot].subspace);
            let used = self.used_of(0);
            return (0..RING_TRIES).map(|_| rng.random_range(0..used)).find(fits).or_else(|| {
                (0..used).filter(fits).nth(rng.random_range(0..total)) // a rare subspace
            });
        }
        let (capacity, mut left) = (self.config.segments_a_stratum(), rng.random_range(0..total));
        for s in subspaces() {
            if left < self.held[s] {
                return Some(s * capacity + left);
            }
            left -= self.held[s];
        }
        None
    }

    /// Appends observations to `to`, `[places, obs...]`.
    ///
    /// # Panics
    /// If one of them is gone, or `to` has another dtype: a bug of the caller.
    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    pub(crate) fn gather_places(&self, places: &[Place], to: &mut ObsBatch) {
        let row = |place: &Place| {
            let slot = self.slot(place.segment);
            assert!(slot.is_some(), "{place:?} is gone");
            (slot.unwrap_or_default() * (self.slots.horizon + 1) + place.position) as u32
        };
        let rows: Vec<u32> = places.iter().map(row).collect();
        self.slots.obs.gather(&rows, to);
    }

    /// The discrete action that followed an observation. None if the observation is gone, no action
    /// followed, or actions are continuous.
    pub(crate) fn discrete_action(&self, place: Place) -> Option<usize> {
        let slot = self.slot(place.segment)?;
        let followed = place.position < self.slots.records[slot].len as usize;
        match &self.slots.actions {
            Actions::Discrete(all) if followed => {
                Some(all[slot * self.slots.horizon + place.position] as usize)
            }
            _ => None,
        }
    }

    /// Appends the action that followed an observation to `to`.
    ///
    /// # Panics
    /// If the observation is gone or no action followed, or `to` is of another kind: a bug of the
    /// caller.
    pub(crate) fn push_action(&self, place: Place, to: &mut ActionBatch) {
        let slot = self.slot(place.segment);
        let step = slot.filter(|slot| place.position < self.slots.records[*slot].len as usize);
        assert!(step.is_some(), "no action follows {place:?}");
        let row = step.unwrap_or_default() * self.slots.horizon + place.position;
        match (&self.slots.actions, to) {
            (Actions::Discrete(all), ActionBatch::Discrete(to)) => to.push(i64::from(all[row])),
            (Actions::Box(all), ActionBatch::Box(to)) => {
                let len = self.config.action_len();
                to.extend_from_slice(&all[row * len..][..len]);
            }
            (_, to) => panic!("the batch is for other actions: {to:?}"),
        }
    }
}
