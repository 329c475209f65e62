//! The big arrays: observations, actions and scalars, one row a slot.

use super::{ReplayConfig, ReplayError};
use crate::message::TransitionRow;
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{ActionSpace, Dtype, ObsBuffer, ObsRef};
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
    pub(super) link: Link,
}

impl Record {
    /// A slot without a transition.
    pub(super) const BLANK: Self =
        Self { n_step_return: 0.0, discount: 0.0, subspace: 0, action: 0, link: Link::None };

    /// Bytes in a saved state.
    const SAVED: usize = 20;
    const SAVED_NONE: u32 = u32::MAX;
    const SAVED_WAITING: u32 = u32::MAX - 1;

    fn encode(&self) -> [u8; Self::SAVED] {
        let link = match self.link {
            Link::None => Self::SAVED_NONE,
            Link::Waiting => Self::SAVED_WAITING,
            Link::Next(slot) => slot,
        };
        let words = [
            self.n_step_return.to_bits(),
            self.discount.to_bits(),
            self.subspace,
            self.action,
            link,
        ];
        let mut bytes = [0; Self::SAVED];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
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
            link: match word(16) {
                Self::SAVED_NONE => Link::None,
                Self::SAVED_WAITING => Link::Waiting,
                slot => Link::Next(slot),
            },
        }
    }
}

/// Preallocated rows.
#[derive(Debug)]
pub(super) struct Slots {
    /// `[capacity]`.
    pub(super) records: Vec<Record>,
    /// `[capacity, obs...]`.
    obs: ObsBuffer,
    obs_len: usize,
    /// `[capacity, action_len]`; empty for discrete actions.
    box_actions: Vec<f32>,
    /// `None` for discrete actions.
    box_action_len: Option<usize>,
}

impl Slots {
    /// Allocates all rows and writes to them, so that memory that is not there is missed now and
    /// not hours later.
    pub(super) fn allocate(config: &ReplayConfig) -> Result<Self, ReplayError> {
        let (rows, obs_len) = (config.capacity_transitions, config.obs.len());
        let obs = match config.obs.dtype {
            Dtype::F32 => filled(rows.saturating_mul(obs_len), 0.0).map(ObsBuffer::F32),
            Dtype::U8 => filled(rows.saturating_mul(obs_len), 0).map(ObsBuffer::U8),
        };
        let obs = obs.map_err(|_| config.out_of_memory("observations"))?;
        Ok(Self {
            records: filled(rows, Record::BLANK)
                .map_err(|_| config.out_of_memory("transitions"))?,
            obs,
            obs_len,
            box_actions: filled(rows.saturating_mul(config.action_len()), 0.0)
                .map_err(|_| config.out_of_memory("box actions"))?,
            box_action_len: match &config.action {
                ActionSpace::Discrete(_) => None,
                ActionSpace::Box { low, .. } => Some(low.len()),
            },
        })
    }

    pub(super) fn write_obs(&mut self, slot: usize, obs: ObsRef<'_>) {
        self.obs.write_row(slot, obs);
    }

    /// Writes the scalars of `row` and action `index` of `actions`, which were checked against the
    /// config. The transition waits for its successor.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    pub(super) fn write_transition(
        &mut self,
        slot: usize,
        row: &TransitionRow,
        actions: &ActionBatch,
        index: usize,
    ) {
        let action = match actions {
            ActionBatch::Discrete(all) => all[index] as u32,
            ActionBatch::Box(all) => {
                let len = self.box_action_len.unwrap_or_default();
                self.box_actions[slot * len..(slot + 1) * len]
                    .copy_from_slice(&all[index * len..(index + 1) * len]);
                0
            }
        };
        let TransitionRow { subspace, n_step_return, discount, .. } = *row;
        self.records[slot] =
            Record { n_step_return, discount, subspace, action, link: Link::Waiting };
    }

    /// `[B, obs...]` of `slots`.
    pub(super) fn gather_obs(&self, slots: &[u32]) -> ObsBatch {
        match &self.obs {
            ObsBuffer::F32(all) => ObsBatch::F32(gather(all, self.obs_len, slots)),
            ObsBuffer::U8(all) => ObsBatch::U8(gather(all, self.obs_len, slots)),
        }
    }

    /// `[B]` or `[B, action_len]` of `slots`.
    pub(super) fn gather_actions(&self, slots: &[u32]) -> ActionBatch {
        match self.box_action_len {
            Some(len) => ActionBatch::Box(gather(&self.box_actions, len, slots)),
            None => ActionBatch::Discrete(
                slots.iter().map(|slot| i64::from(self.records[*slot as usize].action)).collect(),
            ),
        }
    }

    /// Writes the first `rows` rows, little-endian, array after array.
    pub(super) fn save(&self, rows: usize, out: &mut dyn Write) -> io::Result<()> {
        write_values(out, &self.records[..rows], Record::encode)?;
        match &self.obs {
            ObsBuffer::F32(all) => write_values(out, &all[..rows * self.obs_len], le_bytes)?,
            ObsBuffer::U8(all) => out.write_all(&all[..rows * self.obs_len])?,
        }
        let action_len = self.box_action_len.unwrap_or_default();
        write_values(out, &self.box_actions[..rows * action_len], le_bytes)
    }

    /// Reads the first `rows` rows, as written by [`Self::save`].
    pub(super) fn restore(&mut self, rows: usize, input: &mut dyn Read) -> io::Result<()> {
        read_values(input, &mut self.records[..rows], Record::decode)?;
        let obs_len = self.obs_len;
        match &mut self.obs {
            ObsBuffer::F32(all) => {
                read_values(input, &mut all[..rows * obs_len], f32::from_le_bytes)?;
            }
            ObsBuffer::U8(all) => input.read_exact(&mut all[..rows * obs_len])?,
        }
        let action_len = self.box_action_len.unwrap_or_default();
        read_values(input, &mut self.box_actions[..rows * action_len], f32::from_le_bytes)
    }

    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        let obs = match &self.obs {
            ObsBuffer::F32(all) => all.capacity() * size_of::<f32>(),
            ObsBuffer::U8(all) => all.capacity(),
        };
        obs + self.records.capacity() * size_of::<Record>()
            + self.box_actions.capacity() * size_of::<f32>()
    }
}

fn le_bytes(value: &f32) -> [u8; 4] {
    value.to_le_bytes()
}

fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(len)?;
    values.resize(len, value);
    Ok(values)
}

fn gather<T: Copy>(rows: &[T], len: usize, slots: &[u32]) -> Vec<T> {
    let mut gathered = Vec::with_capacity(slots.len() * len);
    for slot in slots {
        gathered.extend_from_slice(&rows[*slot as usize * len..][..len]);
    }
    gathered
}

/// Values a piece, so that saving takes a few KiB of memory beside the array.
const PIECE: usize = 4096;

/// Writes `values`, each as `W` bytes.
pub(super) fn write_values<T, const W: usize>(
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
pub(super) fn read_values<T, const W: usize>(
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
