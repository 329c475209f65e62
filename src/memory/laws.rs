//! How segments are drawn.

use super::{EpisodicMemory, MemoryError, Replacement, SegmentId};
use crate::replay::SumTree;
use contrail_envs::Prng;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::TryReserveError;

/// What the probability of a segment is proportional to, with `epsilon` and `exponent` of the
/// config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SegmentLaw {
    /// All alike.
    Uniform,
    /// `(return - lowest + epsilon) ^ exponent` of the segment's undiscounted return, `lowest`
    /// being the smallest that any segment had so far: returns may be negative.
    Return,
    /// `(surprise + epsilon) ^ exponent`; where surprise was not measured, the largest so far.
    Surprise,
}

/// The priorities of one stratum.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) by_return: SumTree,
    pub(super) by_surprise: SumTree,
}

impl Trees {
    pub(super) fn allocate(capacity: usize) -> Result<Self, TryReserveError> {
        Ok(Self { by_return: SumTree::new(capacity)?, by_surprise: SumTree::new(capacity)? })
    }
}

impl EpisodicMemory {
    /// Draws `count` segments with replacement, of all subspaces or of one. From one subspace of a
    /// ring, each draw looks at all its segments.
    ///
    /// # Errors
    /// [`MemoryError::Empty`] if there is none to draw.
    pub fn sample(
        &self,
        count: usize,
        law: SegmentLaw,
        subspace: Option<u32>,
        rng: &mut Prng,
    ) -> Result<Vec<SegmentId>, MemoryError> {
        let strata = self.drawn_from(subspace)?;
        if let (Replacement::Oldest, Some(subspace)) = (self.config.replacement, subspace) {
            return Ok((0..count).map(|_| self.draw_by_scan(law, subspace, rng)).collect());
        }
        let capacity = self.config.segments_a_stratum();
        let mut drawn = Vec::with_capacity(count);
        match law {
            SegmentLaw::Uniform => {
                let total: usize = strata.clone().map(|s| self.used_of(s)).sum();
                for _ in 0..count {
                    let mut left = rng.random_range(0..total);
                    for s in strata.clone() {
                        if left < self.used_of(s) {
                            drawn.push(self.id_of(s * capacity + left));
                            break;
                        }
                        left -= self.used_of(s);
                    }
                }
            }
            SegmentLaw::Return | SegmentLaw::Surprise => {
                let tree = |s: usize| match law {
                    SegmentLaw::Return => &self.trees[s].by_return,
                    _ => &self.trees[s].by_surprise,
                };
                let held = strata.filter(|s| self.used_of(*s) > 0).collect::<Vec<_>>();
                let total: f64 = held.iter().map(|s| tree(*s).total()).sum();
                for _ in 0..count {
                    let (mut left, mut of) = (rng.random::<f64>() * total, held[0]);
                    for s in &held {
                        of = *s;
                        if left < tree(*s).total() {
                            break;
                        }
                        left -= tree(*s).total();
                    }
                    drawn.push(self.id_of(of * capacity + tree(of).find(left)));
                }
            }
        }
        Ok(drawn)
    }

    /// One segment of a subspace that has one, all segments of the ring looked at.
    fn draw_by_scan(&self, law: SegmentLaw, subspace: u32, rng: &mut Prng) -> SegmentId {
        let own = || (0..self.used_of(0)).filter(|s| self.slots.records[*s].subspace == subspace);
        let weight = |slot: usize| match law {
            SegmentLaw::Uniform => 1.0,
            SegmentLaw::Return => self.trees[0].by_return.get(slot),
            SegmentLaw::Surprise => self.trees[0].by_surprise.get(slot),
        };
        let mut left = rng.random::<f64>() * own().map(weight).sum::<f64>();
        let mut drawn = 0;
        for slot in own() {
            drawn = slot;
            if left < weight(slot) {
                break;
            }
            left -= weight(slot);
        }
        self.id_of(drawn)
    }

    /// The strata to draw from, one of which holds a segment.
    fn drawn_from(&self, subspace: Option<u32>) -> Result<std::ops::Range<usize>, MemoryError> {
        let Some(subspace) = subspace else {
            let none = || MemoryError::Empty("no segment is stored".into());
            return (!self.is_empty()).then_some(0..self.config.strata()).ok_or_else(none);
        };
        let own = subspace as usize;
        if own >= self.config.subspaces {
            let last = self.config.subspaces - 1;
            let sentence = format!("there is no subspace {subspace}, allowed 0 to {last}");
            return Err(MemoryError::Empty(sentence));
        }
        if self.len_of(own) == 0 {
            return Err(MemoryError::Empty(format!("no segment of subspace {subspace} is stored")));
        }
        let stratum = self.config.stratum(own);
        Ok(stratum..stratum + 1)
    }

    /// Takes new surprises of segments, how badly what happened there was expected; of an id that occurs twice, the later
    /// one. Returns how many were ignored because their segment is gone.
    ///
    /// # Errors
    /// [`MemoryError::BadSurprise`] for a value that is not finite, or lists of different lengths.
    /// Then nothing changes.
    pub fn update_surprises(
        &mut self,
        ids: &[SegmentId],
        surprises: &[f32],
    ) -> Result<usize, MemoryError> {
        if ids.len() != surprises.len() {
            let lengths = format!("{} ids and {} values", ids.len(), surprises.len());
            return Err(MemoryError::BadSurprise(lengths));
        }
        if let Some(value) = surprises.iter().find(|value| !value.is_finite()) {
            return Err(MemoryError::BadSurprise(format!("{value}, allowed: finite numbers")));
        }
        let mut ignored = 0;
        for (id, surprise) in ids.iter().zip(surprises) {
            let Some(slot) = self.slot(*id) else {
                ignored += 1;
                continue;
            };
            let record = &mut self.slots.records[slot];
            (record.surprise, record.measured) = (surprise.abs(), true);
            self.largest_surprise = self.largest_surprise.max(surprise.abs());
            self.set_priorities(slot);
        }
        Ok(ignored)
    }

    /// Sets the priorities of a slot from its record.
    pub(super) fn set_priorities(&mut self, slot: usize) {
        let record = &self.slots.records[slot];
        if record.segment_return < self.lowest_return {
            // Every priority by return changes. That is rare: the n-th of many returns alike is
            // the lowest so far with probability 1/n.
            self.lowest_return = record.segment_return;
            self.fill_trees();
            return;
        }
        let (by_return, by_surprise) = self.priorities(slot);
        let capacity = self.config.segments_a_stratum();
        let trees = &mut self.trees[slot / capacity];
        trees.by_return.set(slot % capacity, by_return);
        trees.by_surprise.set(slot % capacity, by_surprise);
    }

    /// What the leaves of a stored segment must be: by return, by surprise.
    pub(super) fn priorities(&self, slot: usize) -> (f64, f64) {
        let record = &self.slots.records[slot];
        let priority =
            |value: f64| (value + self.config.priority_epsilon).powf(self.config.priority_exponent);
        let above = f64::from(record.segment_return) - f64::from(self.lowest_return);
        (priority(above), priority(f64::from(record.surprise)))
    }

    /// Computes all leaves anew.
    pub(super) fn fill_trees(&mut self) {
        let capacity = self.config.segments_a_stratum();
        let mut trees = std::mem::take(&mut self.trees);
        for (stratum, trees) in trees.iter_mut().enumerate() {
            let first = stratum * capacity;
            let stored = |row: usize| self.slots.records[first + row].len > 0;
            let leaf = |row: usize| {
                if stored(row) { self.priorities(first + row) } else { (0.0, 0.0) }
            };
            trees.by_return.fill(capacity, |row| leaf(row).0);
            trees.by_surprise.fill(capacity, |row| leaf(row).1);
        }
        self.trees = trees;
    }
}
