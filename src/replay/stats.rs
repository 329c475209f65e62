//! What is stored of each subspace, counted as it comes and goes.

use super::slots::Record;
use serde::{Deserialize, Serialize};

/// One subspace's part in the replay. Stored are the sampleable transitions; one that still waits
/// for its successor is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubspaceStats {
    /// Sampleable transitions.
    pub size: u64,
    /// Its share of all sampleable transitions; 0 if there are none.
    pub share: f64,
    /// Mean age of its sampleable transitions, in transitions inserted since, of all subspaces;
    /// 0 if there are none.
    pub age_env_steps: f64,
    /// Transitions drawn for each one inserted, over the whole life of the replay; 0 before the
    /// first. For the reuse between two moments take the differences of `sampled` and `inserted`.
    pub reuse: f64,
    /// Share of its sampleable transitions that were drawn at least once; 0 if there are none.
    pub coverage: f64,
    /// Sampleable transitions that were overwritten.
    pub forgotten: u64,
    /// Transitions inserted, overwritten ones included.
    pub inserted: u64,
    /// Transitions drawn, each as often as it was.
    pub sampled: u64,
}

/// The counters of one subspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) inserted: u64,
    pub(super) sampled: u64,
    pub(super) forgotten: u64,
    pub(super) held: Held,
}

/// What the slots hold of one subspace: a function of their records, kept up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Sampleable transitions.
    pub(super) size: u64,
    /// Those that were drawn at least once.
    pub(super) drawn: u64,
    /// Sum of their [`Record::born`]; more than a u64 can hold after a long life.
    born: u128,
}

impl Held {
    pub(super) fn add(&mut self, record: &Record) {
        self.size += 1;
        self.drawn += u64::from(record.drawn);
        self.born += u128::from(record.born);
    }

    fn remove(&mut self, record: &Record) {
        self.size -= 1;
        self.drawn -= u64::from(record.drawn);
        self.born -= u128::from(record.born);
    }
}

/// The counters of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) inserted: u64,
    pub(super) dropped_waiting: u64,
    pub(super) stale_priorities: u64,
    /// `[subspaces]`.
    pub(super) counts: Vec<Counts>,
}

impl Ledger {
    pub(super) fn new(subspaces: usize) -> Self {
        let counts = vec![Counts::default(); subspaces];
        Self { inserted: 0, dropped_waiting: 0, stale_priorities: 0, counts }
    }

    /// Counts an inserted transition; returns its number, from 1, for [`Record::born`].
    pub(super) fn insert(&mut self, subspace: u32) -> u64 {
        self.inserted += 1;
        self.counts[subspace as usize].inserted += 1;
        self.inserted
    }

    /// A transition became sampleable.
    pub(super) fn add(&mut self, record: &Record) {
        self.counts[record.subspace as usize].held.add(record);
    }

    /// A sampleable transition was overwritten.
    pub(super) fn forget(&mut self, record: &Record) {
        let counts = &mut self.counts[record.subspace as usize];
        counts.forgotten += 1;
        counts.held.remove(record);
    }

    /// A sampleable transition was drawn.
    pub(super) fn draw(&mut self, record: &mut Record) {
        let counts = &mut self.counts[record.subspace as usize];
        counts.sampled += 1;
        if !record.drawn {
            record.drawn = true;
            counts.held.drawn += 1;
        }
    }

    /// One entry a subspace.
    pub(super) fn stats(&self) -> Vec<SubspaceStats> {
        let stored: u64 = self.counts.iter().map(|counts| counts.held.size).sum();
        let ratio =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let stats = |counts: &Counts| {
            let Counts { inserted, sampled, forgotten, held } = *counts;
            let Held { size, drawn, born } = held;
            let ages = u128::from(self.inserted) * u128::from(size) - born;
            SubspaceStats {
                size,
                share: ratio(size, stored),
                age_env_steps: if size == 0 { 0.0 } else { ages as f64 / size as f64 },
                reuse: ratio(sampled, inserted),
                coverage: ratio(drawn, size),
                forgotten,
                inserted,
                sampled,
            }
        };
        self.counts.iter().map(stats).collect()
    }
}
