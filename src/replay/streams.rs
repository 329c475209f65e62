//! Which transitions wait for their successor, stream by stream.

use super::ReplayConfig;
use crate::message::TransitionRow;
use serde::{Deserialize, Serialize};
use std::collections::{TryReserveError, VecDeque};

/// A stored transition whose `next_obs` has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// Its id.
    pub(super) id: u64,
    /// Position in the stream of the observation it waits for.
    target: u64,
}

/// One environment's sequence of transitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stream {
    /// Position of the next observation: the number of transitions so far. The final observation
    /// of an episode shares its position with the first of the next, which is unambiguous because
    /// nothing waits across the two.
    position: u64,
    /// Span of the newest transition, 1 at the end of an episode; 0 after a break.
    last_span: u32,
    /// Subspace of the running episode; none between episodes.
    subspace: Option<u32>,
    /// Oldest first, so in the order of their targets; at most n of them.
    waiting: VecDeque<Waiting>,
}

/// Bytes that [`Stream::allocate`] takes for each stream.
pub(super) fn bytes_a_stream(n_step: usize) -> usize {
    n_step.saturating_mul(size_of::<Waiting>()).saturating_add(size_of::<Stream>())
}

impl Stream {
    /// `count` streams at the start of an episode, each with room for `n_step` waiting
    /// transitions.
    pub(super) fn allocate(count: usize, n_step: usize) -> Result<Vec<Self>, TryReserveError> {
        let mut streams = Vec::new();
        streams.try_reserve_exact(count)?;
        for _ in 0..count {
            let mut stream = Self::default();
            stream.waiting.try_reserve_exact(n_step)?;
            streams.push(stream);
        }
        Ok(streams)
    }

    /// The smallest span that the next transition may have: its window must not end before the
    /// window of the transition before it.
    pub(super) fn least_span(&self) -> u32 {
        self.last_span.saturating_sub(1).max(1)
    }

    /// Takes out one transition that waits for the observation arriving now.
    pub(super) fn pop_arrived(&mut self) -> Option<Waiting> {
        let arrived = self.waiting.front().is_some_and(|oldest| oldest.target == self.position);
        if arrived { self.waiting.pop_front() } else { None }
    }

    /// Subspace of the running episode; none between episodes.
    pub(super) fn subspace(&self) -> Option<u32> {
        self.subspace
    }

    /// Counts the observation of transition `id`, which waits for the observation `span` later.
    pub(super) fn push_transition(&mut self, id: u64, row: &TransitionRow) {
        self.waiting.push_back(Waiting { id, target: self.position + u64::from(row.span) });
        self.last_span = row.span;
        self.subspace = Some(row.subspace);
        self.position += 1;
    }

    /// The final observation has arrived; nothing waits anymore.
    pub(super) fn end_trajectory(&mut self) {
        self.subspace = None;
    }

    /// Takes out everything that waits, because the trajectory breaks off here.
    pub(super) fn break_off(&mut self) -> impl Iterator<Item = Waiting> {
        self.last_span = 0;
        self.subspace = None;
        self.waiting.drain(..)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Takes over the contents of `saved` and keeps the memory.
    pub(super) fn copy_from(&mut self, saved: &Self) {
        (self.position, self.last_span) = (saved.position, saved.last_span);
        self.subspace = saved.subspace;
        self.waiting.clear();
        self.waiting.extend(saved.waiting.iter().copied());
    }

    pub(super) fn check_valid(&self, config: &ReplayConfig) -> Result<(), String> {
        let targets = || self.waiting.iter().map(|waiting| waiting.target);
        let n_step = config.n_step;
        let known = self.subspace.is_none_or(|subspace| (subspace as usize) < config.subspaces);
        if !known || (self.subspace.is_none() && !self.waiting.is_empty()) {
            return Err(format!("{:?} wait in subspace {:?}", self.waiting, self.subspace));
        }
        if self.waiting.len() > n_step {
            return Err(format!("{} transitions wait, at most {n_step} can", self.waiting.len()));
        }
        if !targets().is_sorted() || targets().any(|target| target < self.position) {
            return Err(format!("targets {:?} at {}", self.waiting, self.position));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<Waiting>()
    }
}
