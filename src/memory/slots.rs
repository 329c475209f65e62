//! The big arrays: one row a slot, and one a place, which is an observation of a slot.

use super::hash::{self, obs_hash};
use super::{MemoryConfig, MemoryError, Segment};
use crate::replay::packed::{PackedObs, Packing};
use crate::replay::slots::{filled, le_bytes, read_values, write_values};
use contrail_agents::ActionBatch;
use contrail_envs::{ActionSpace, ObsSpace, Outcome};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::ops::Range;

/// The scalars of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Segments that the slot held so far; 0 if it is empty.
    pub(super) generation: u32,
    /// Env steps.
    pub(super) len: u32,
    pub(super) stream: u32,
    pub(super) index: u32,
    pub(super) subspace: u32,
    pub(super) episode: u64,
    pub(super) time_env_steps: u64,
    pub(super) outcome: Outcome,
    /// Whether `surprise` was measured, or is the largest of its time.
    pub(super) measured: bool,
    pub(super) surprise: f32,
    pub(super) segment_return: f32,
    /// None until the episode ended.
    pub(super) episode_return: Option<f32>,
    /// Version of the teacher that gave codes and action readings; none before the first.
    pub(super) code_version: Option<u64>,
}

impl Record {
    pub(super) const EMPTY: Self = Self {
        generation: 0,
        len: 0,
        stream: 0,
        index: 0,
        subspace: 0,
        episode: 0,
        time_env_steps: 0,
        outcome: Outcome::Continue,
        measured: false,
        surprise: 0.0,
        segment_return: 0.0,
        episode_return: None,
        code_version: None,
    };
}

#[derive(Debug)]
pub(super) enum Actions {
    /// `[slots, H]`.
    Discrete(Vec<u32>),
    /// `[slots, H, action_len]`.
    Box(Vec<f32>),
}

/// Preallocated rows. What a short segment leaves of its row is zero.
#[derive(Debug)]
pub(super) struct Slots {
    /// `[slots]`.
    pub(super) records: Vec<Record>,
    /// `[slots, H + 1, obs...]`, packed.
    pub(super) obs: PackedObs,
    pub(super) actions: Actions,
    /// `[slots, H]`.
    pub(super) rewards: Vec<f32>,
    /// `[slots, C]`.
    pub(super) contexts: Vec<f32>,
    /// `[slots, H + 1, G]`; zero where there is no code.
    pub(super) codes: Vec<u8>,
    /// `[slots, H + 1, R]`; zero where there is no reading.
    pub(super) policies: Vec<u8>,
    /// `[slots, H + 1]` of the observations as they came; follows from them, so it is not saved.
    pub(super) hashes: Vec<u64>,
    /// H.
    pub(super) horizon: usize,
    context_len: usize,
    /// `(H + 1) * G`.
    code_len: usize,
    /// `(H + 1) * R`.
    policy_len: usize,
    /// Values of the actions of a segment.
    actions_len: usize,
}

impl Slots {
    pub(super) fn allocate(config: &MemoryConfig) -> Result<Self, MemoryError> {
        let (slots, horizon) = (config.slots(), config.horizon_env_steps);
        let full = |what| move |_| config.out_of_memory(what);
        let places = slots * config.obs_a_segment();
        let actions_len = horizon * config.action_len();
        let actions = match &config.action {
            ActionSpace::Discrete(_) => filled(slots * actions_len, 0).map(Actions::Discrete),
            ActionSpace::Box { .. } => filled(slots * actions_len, 0.0).map(Actions::Box),
        };
        Ok(Self {
            records: filled(slots, Record::EMPTY).map_err(full("segments"))?,
            obs: PackedObs::allocate(Packing::of(&config.obs), places)
                .map_err(full("observations"))?,
            actions: actions.map_err(full("actions"))?,
            rewards: filled(slots * horizon, 0.0).map_err(full("rewards"))?,
            contexts: filled(slots * config.context_len, 0.0).map_err(full("contexts"))?,
            codes: filled(places * config.codes.groups, 0).map_err(full("codes"))?,
            policies: filled(places * config.readings_len, 0).map_err(full("action readings"))?,
            hashes: filled(places, 0).map_err(full("hashes"))?,
            horizon,
            context_len: config.context_len,
            code_len: config.obs_a_segment() * config.codes.groups,
            policy_len: config.obs_a_segment() * config.readings_len,
            actions_len,
        })
    }

    /// Overwrites a slot with a segment that was checked; its record but for the generation is the
    /// caller's.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    pub(super) fn write(&mut self, slot: usize, segment: &Segment) {
        let len = segment.rewards.len();
        let obs_len = segment.obs.len() / (len + 1);
        for j in 0..=self.horizon {
            let place = slot * (self.horizon + 1) + j;
            if j <= len {
                let obs = segment.obs.row(j, obs_len);
                self.obs.write(place, obs);
                self.hashes[place] = obs_hash(obs);
            } else {
                self.obs.blank(place);
                self.hashes[place] = 0;
            }
        }
        let range = slot * self.actions_len..(slot + 1) * self.actions_len;
        match (&mut self.actions, &segment.actions) {
            (Actions::Discrete(own), ActionBatch::Discrete(all)) => {
                overwrite(&mut own[range], all.iter().map(|action| *action as u32));
            }
            (Actions::Box(own), ActionBatch::Box(all)) => {
                overwrite(&mut own[range], all.iter().copied());
            }
            _ => panic!("the actions of a segment that was checked are of another kind"),
        }
        let rewards = &mut self.rewards[slot * self.horizon..][..self.horizon];
        overwrite(rewards, segment.rewards.iter().copied());
        self.contexts[slot * self.context_len..][..self.context_len]
            .copy_from_slice(&segment.context);
        self.codes_mut(slot).fill(0);
        self.policies_mut(slot).fill(0);
    }

    /// `[H + 1, G]` codes of a slot.
    pub(super) fn codes(&self, slot: usize) -> &[u8] {
        &self.codes[slot * self.code_len..][..self.code_len]
    }

    pub(super) fn codes_mut(&mut self, slot: usize) -> &mut [u8] {
        &mut self.codes[slot * self.code_len..][..self.code_len]
    }

    /// `[H + 1, R]` action readings of a slot.
    pub(super) fn policies(&self, slot: usize) -> &[u8] {
        &self.policies[slot * self.policy_len..][..self.policy_len]
    }

    pub(super) fn policies_mut(&mut self, slot: usize) -> &mut [u8] {
        &mut self.policies[slot * self.policy_len..][..self.policy_len]
    }

    /// Rewards of the env steps of a slot.
    pub(super) fn rewards(&self, slot: usize) -> &[f32] {
        &self.rewards[slot * self.horizon..][..self.records[slot].len as usize]
    }

    /// Writes the arrays of some slots, but for the records, little-endian and packed.
    pub(super) fn save(&self, slots: &Range<usize>, out: &mut dyn Write) -> io::Result<()> {
        let of = |each: usize| slots.start * each..slots.end * each;
        self.obs.save(of(self.horizon + 1), out)?;
        match &self.actions {
            Actions::Discrete(all) => {
                write_values(out, &all[of(self.actions_len)], |action| action.to_le_bytes())?;
            }
            Actions::Box(all) => write_values(out, &all[of(self.actions_len)], le_bytes)?,
        }
        write_values(out, &self.rewards[of(self.horizon)], le_bytes)?;
        write_values(out, &self.contexts[of(self.context_len)], le_bytes)?;
        out.write_all(&self.codes[of(self.code_len)])?;
        out.write_all(&self.policies[of(self.policy_len)])
    }

    /// Reads the arrays of some slots, as written by [`Self::save`].
    pub(super) fn restore(&mut self, slots: &Range<usize>, input: &mut dyn Read) -> io::Result<()> {
        let of = |each: usize| slots.start * each..slots.end * each;
        self.obs.restore(of(self.horizon + 1), input)?;
        match &mut self.actions {
            Actions::Discrete(all) => {
                read_values(input, &mut all[of(self.actions_len)], u32::from_le_bytes)?;
            }
            Actions::Box(all) => {
                read_values(input, &mut all[of(self.actions_len)], f32::from_le_bytes)?;
            }
        }
        read_values(input, &mut self.rewards[of(self.horizon)], f32::from_le_bytes)?;
        read_values(input, &mut self.contexts[of(self.context_len)], f32::from_le_bytes)?;
        input.read_exact(&mut self.codes[of(self.code_len)])?;
        input.read_exact(&mut self.policies[of(self.policy_len)])
    }

    /// Computes the hashes of a slot of `len` env steps anew, after its observations were restored.
    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    pub(super) fn hash(&mut self, slot: usize, len: usize, obs: &ObsSpace) {
        let first = slot * (self.horizon + 1);
        let places: Vec<u32> = (first..=first + len).map(|place| place as u32).collect();
        let mut values = hash::empty(obs.dtype);
        self.obs.gather(&places, &mut values);
        let hashes = hash::rows(&values, obs.len());
        self.hashes[first..=first + len].iter_mut().zip(hashes).for_each(|(own, hash)| *own = hash);
    }
}

/// Writes `values` into the front of `row` and zeros behind them.
fn overwrite<T: Copy + Default>(row: &mut [T], mut values: impl Iterator<Item = T>) {
    row.fill_with(|| values.next().unwrap_or_default());
}
