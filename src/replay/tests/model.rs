//! A replay as lists of what was written, scanned from end to end.

use crate::replay::SubspaceStats;
use std::collections::VecDeque;

/// One written slot: id, stream, number of the observation in its stream, and for a transition
/// the number of its `next_obs`; all observations of an episode have the same number `episode`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) id: u64,
    pub(super) stream: u32,
    pub(super) number: u32,
    pub(super) episode: u32,
    pub(super) subspace: u32,
    pub(super) next: Option<u32>,
    /// Transitions inserted up to it.
    pub(super) born: u64,
    pub(super) drawn: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub(super) inserted: u64,
    pub(super) sampled: u64,
    pub(super) forgotten: u64,
}

/// The last slots written to each ring, oldest first.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) capacities: Vec<usize>,
    pub(super) rings: Vec<VecDeque<Written>>,
    pub(super) next_ids: Vec<u64>,
    /// Observations each stream has written.
    pub(super) numbers: Vec<u32>,
    /// Episode that each stream is in.
    pub(super) episodes: Vec<u32>,
    /// `[subspaces]`.
    pub(super) counts: Vec<Count>,
    pub(super) inserted: u64,
    pub(super) dropped: u64,
}

impl Model {
    /// Episodes go round the subspaces.
    pub(super) fn subspace(&self, stream: u32) -> u32 {
        (stream + self.episodes[stream as usize]) % self.counts.len() as u32
    }

    pub(super) fn write(&mut self, stream: u32, span: Option<u32>) {
        let (rings, subspace) = (self.rings.len(), self.subspace(stream));
        let ring = if rings == 1 { 0 } else { subspace as usize };
        if self.rings[ring].len() == self.capacities[ring] {
            let oldest = self.rings[ring].pop_front().unwrap();
            if self.is_sampleable(&oldest) {
                self.counts[oldest.subspace as usize].forgotten += 1;
            } else {
                self.dropped += u64::from(oldest.next.is_some());
            }
        }
        if span.is_some() {
            self.inserted += 1;
            self.counts[subspace as usize].inserted += 1;
        }
        let number = self.numbers[stream as usize];
        let next = span.map(|span| number + span);
        let episode = self.episodes[stream as usize];
        let id = self.next_ids[ring] * rings as u64 + ring as u64;
        let (born, drawn) = (self.inserted, false);
        let written = Written { id, stream, number, episode, subspace, next, born, drawn };
        self.rings[ring].push_back(written);
        self.next_ids[ring] += 1;
        self.numbers[stream as usize] += 1;
        self.episodes[stream as usize] += u32::from(span.is_none());
    }

    pub(super) fn is_sampleable(&self, slot: &Written) -> bool {
        slot.next.is_some_and(|next| next < self.numbers[slot.stream as usize])
    }

    pub(super) fn sampleable(&self) -> impl Iterator<Item = &Written> {
        self.rings.iter().flatten().filter(|slot| self.is_sampleable(slot))
    }

    pub(super) fn break_off(&mut self, stream: u32) {
        self.episodes[stream as usize] += 1;
        let numbers = self.numbers.clone();
        for slot in self.rings.iter_mut().flatten().filter(|slot| slot.stream == stream) {
            let waits = |next| next >= numbers[stream as usize];
            if slot.next.is_some_and(waits) {
                slot.next = None;
                self.dropped += 1;
            }
        }
    }

    pub(super) fn draw(&mut self, id: u64) -> Written {
        let slot = *self.sampleable().find(|slot| slot.id == id).unwrap();
        self.counts[slot.subspace as usize].sampled += 1;
        self.rings.iter_mut().flatten().find(|slot| slot.id == id).unwrap().drawn = true;
        slot
    }

    pub(super) fn stats(&self, subspace: usize) -> SubspaceStats {
        let all = self.sampleable().count() as u64;
        let own = || self.sampleable().filter(|slot| slot.subspace as usize == subspace);
        let ratio = |part: u64, whole| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let size = own().count() as u64;
        let Count { inserted, sampled, forgotten } = self.counts[subspace];
        SubspaceStats {
            size,
            share: ratio(size, all),
            age_env_steps: ratio(own().map(|slot| self.inserted - slot.born).sum(), size),
            reuse: ratio(sampled, inserted),
            coverage: ratio(own().filter(|slot| slot.drawn).count() as u64, size),
            forgotten,
            inserted,
            sampled,
        }
    }
}
