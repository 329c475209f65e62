//! The big arrays: observations, actions and scalars, one row a slot.

use super::packed::{PackedObs, Packing};
use super::{ReplayConfig, ReplayError};
use crate::message::{TransitionBlock, TransitionRow};
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{ActionSpace, ObsRef};
use std::collections::TryReserveError;
use std::io::{self, Read, Write};

/// What a slot's transition is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// No transition starts here: never written, a final observation, or a broken trajectory.
    None,
    /// The transition waits for its successor.
    Waiting,
    /// The transition is sampleable; its `next_obs` is in this slot.
    Next(u32),
}

/// The scalars of one slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) n_step_return: f32,
    pub(super) discount: f32,
    pub(super) subspace: u32,
    /// Discrete actions; 0 for box actions, which have an array of their own.
    action: u32,
    /// Slot of the successor, or [`NO_LINK`] or [`WAITING`]: half of what a [`Link`] takes.
    successor: u32,
    /// Whether it was drawn before.
    pub(super) drawn: bool,
    /// Transitions of the replay inserted up to it, itself included.
    pub(super) born: u64,
}

const NO_LINK: u32 = u32::MAX;
const WAITING: u32 = u32::MAX - 1;

impl Record {
    /// A slot without a transition.
    pub(super) const BLANK: Self = Self {
        n_step_return: 0.0,
        discount: 0.0,
        subspace: 0,
        action: 0,
        successor: NO_LINK,
        drawn: false,
        born: 0,
    };

    /// Bytes in a saved state.
    const SAVED: usize = 29;

    pub(super) fn link(&self) -> Link {
        match self.successor {
            NO_LINK => Link::None,
            WAITING => Link::Waiting,
            slot => Link::Next(slot),
        }
    }

    pub(super) fn set_link(&mut self, link: Link) {
        self.successor = match link {
            Link::None => NO_LINK,
            Link::Waiting => WAITING,
            Link::Next(slot) => slot,
        };
    }

    fn encode(&self) -> [u8; Self::SAVED] {
        let words = [
            self.n_step_return.to_bits(),
            self.discount.to_bits(),
            self.subspace,
            self.action,
            self.successor,
        ];
        let mut bytes = [0; Self::SAVED];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes[20..28].copy_from_slice(&self.born.to_le_bytes());
        bytes[28] = u8::from(self.drawn);
        bytes
    }

    fn decode(bytes: [u8; Self::SAVED]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self {
            n_step_return: f32::from_bits(word(0)),
            discount: f32::from_bits(word(4)),
            subspace: word(8),
            action: word(12),
            successor: word(16),
            born: u64::from(word(20)) | u64::from(word(24)) << 32,
            drawn: bytes[28] != 0,
        }
    }
}

/// Preallocated rows.
#[derive(Debug)]
pub(super) struct Slots {
    /// `[capacity]`.
    pub(super) records: Vec<Record>,
    /// `[capacity, obs...]`, packed.
    obs: PackedObs,
    /// `[capacity, action_len]`; empty for discrete actions.
    box_actions: Vec<f32>,
    /// `None` for discrete actions.
    box_action_len: Option<usize>,
    /// `[capacity, C]`.
    contexts: Vec<f32>,
    context_len: usize,
}

impl Slots {
    /// Allocates `rows` rows and writes to them, so that memory that is not there is missed now and
    /// not hours later.
    pub(super) fn allocate(config: &ReplayConfig, rows: usize) -> Result<Self, ReplayError> {
        let obs = PackedObs::allocate(Packing::of(&config.obs), rows);
        let obs = obs.map_err(|_| config.out_of_memory("observations"))?;
        Ok(Self {
            records: filled(rows, Record::BLANK)
                .map_err(|_| config.out_of_memory("transitions"))?,
            obs,
            box_actions: filled(rows.saturating_mul(config.action_len()), 0.0)
                .map_err(|_| config.out_of_memory("box actions"))?,
            box_action_len: match &config.action {
                ActionSpace::Discrete(_) => None,
                ActionSpace::Box { low, .. } => Some(low.len()),
            },
            contexts: filled(rows.saturating_mul(config.context_len), 0.0)
                .map_err(|_| config.out_of_memory("contexts"))?,
            context_len: config.context_len,
        })
    }

    /// What is not written with every slot is as it was allocated: a slot that holds an episode's
    /// last observation has no action, and is saved with the others.
    pub(super) fn clear(&mut self) {
        self.records.fill(Record::BLANK);
        self.box_actions.fill(0.0);
        self.contexts.fill(0.0);
    }

    pub(super) fn write_obs(&mut self, slot: usize, obs: ObsRef<'_>) {
        self.obs.write(slot, obs);
    }

    /// Writes the scalars, action and context of row `index` of `block`, which was checked against
    /// the config. The transition waits for its successor.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    pub(super) fn write_transition(&mut self, slot: usize, block: &TransitionBlock, index: usize) {
        let action = match &block.actions {
            ActionBatch::Discrete(all) => all[index] as u32,
            ActionBatch::Box(all) => {
                let len = self.box_action_len.unwrap_or_default();
                self.box_actions[slot * len..(slot + 1) * len]
                    .copy_from_slice(&all[index * len..(index + 1) * len]);
                0
            }
        };
        let len = self.context_len;
        self.contexts[slot * len..][..len].copy_from_slice(&block.contexts[index * len..][..len]);
        let TransitionRow { subspace, n_step_return, discount, .. } = block.rows[index];
        let (successor, drawn, born) = (WAITING, false, 0);
        self.records[slot] =
            Record { n_step_return, discount, subspace, action, successor, drawn, born };
    }

    /// Appends the observations of `slots`.
    pub(super) fn gather_obs(&self, slots: &[u32], to: &mut ObsBatch) {
        self.obs.gather(slots, to);
    }

    /// Appends the actions of `slots`.
    pub(super) fn gather_actions(&self, slots: &[u32], to: &mut ActionBatch) {
        match (to, self.box_action_len) {
            (ActionBatch::Box(to), Some(len)) => gather(&self.box_actions, (len, slots), to),
            (ActionBatch::Discrete(to), None) => {
                to.extend(slots.iter().map(|slot| i64::from(self.records[*slot as usize].action)));
            }
            (to, _) => panic!("the batch is for other actions: {to:?}"),
        }
    }

    /// Appends the contexts of `slots`.
    pub(super) fn gather_contexts(&self, slots: &[u32], to: &mut Vec<f32>) {
        gather(&self.contexts, (self.context_len, slots), to);
    }

    /// Writes the first `rows` rows, little-endian and packed, array after array.
    pub(super) fn save(&self, rows: usize, out: &mut dyn Write) -> io::Result<()> {
        write_values(out, &self.records[..rows], Record::encode)?;
        self.obs.save(0..rows, out)?;
        let action_len = self.box_action_len.unwrap_or_default();
        write_values(out, &self.box_actions[..rows * action_len], le_bytes)?;
        write_values(out, &self.contexts[..rows * self.context_len], le_bytes)
    }

    /// Reads the first `rows` rows, as written by [`Self::save`].
    pub(super) fn restore(&mut self, rows: usize, input: &mut dyn Read) -> io::Result<()> {
        read_values(input, &mut self.records[..rows], Record::decode)?;
        self.obs.restore(0..rows, input)?;
        let action_len = self.box_action_len.unwrap_or_default();
        read_values(input, &mut self.box_actions[..rows * action_len], f32::from_le_bytes)?;
        let contexts = &mut self.contexts[..rows * self.context_len];
        read_values(input, contexts, f32::from_le_bytes)
    }

    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.obs.allocated_bytes()
            + self.records.capacity() * size_of::<Record>()
            + (self.box_actions.capacity() + self.contexts.capacity()) * size_of::<f32>()
    }
}

pub(crate) fn le_bytes(value: &f32) -> [u8; 4] {
    value.to_le_bytes()
}

pub(crate) fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(len)?;
    values.resize(len, value);
    Ok(values)
}

/// Appends the rows `slots` of `rows`, which have `len` values each.
pub(super) fn gather<T: Copy>(rows: &[T], (len, slots): (usize, &[u32]), to: &mut Vec<T>) {
    for slot in slots {
        to.extend_from_slice(&rows[*slot as usize * len..][..len]);
    }
}

/// Values a piece, so that saving takes a few KiB of memory beside the array.
const PIECE: usize = 4096;

/// Writes `values`, each as `W` bytes.
pub(crate) fn write_values<T, const W: usize>(
    out: &mut dyn Write,
    values: &[T],
    encode: impl Fn(&T) -> [u8; W],
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(PIECE.min(values.len()) * W);
    for piece in values.chunks(PIECE) {
        bytes.clear();
        piece.iter().for_each(|value| bytes.extend_from_slice(&encode(value)));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Fills `values` from `W` bytes each.
pub(crate) fn read_values<T, const W: usize>(
    input: &mut dyn Read,
    values: &mut [T],
    decode: impl Fn([u8; W]) -> T,
) -> io::Result<()> {
    let mut bytes = vec![0; PIECE.min(values.len()) * W];
    for piece in values.chunks_mut(PIECE) {
        let bytes = &mut bytes[..piece.len() * W];
        input.read_exact(bytes)?;
        for (value, bytes) in piece.iter_mut().zip(bytes.as_chunks::<W>().0) {
            *value = decode(*bytes);
        }
    }
    Ok(())
}
