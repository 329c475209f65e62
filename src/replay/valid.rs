//! The invariants of a replay.

use super::Replay;
use super::ring::{Ring, slot_of};
use super::slots::Link;
use super::stats::Held;
use super::store::ring_of;

impl Replay {
    /// Checks every invariant in one pass over the slots; the first violation as a sentence.
    ///
    /// # Errors
    /// The violation.
    pub fn check_valid(&self) -> Result<(), String> {
        let mut held = vec![Held::default(); self.config.subspaces];
        let mut waiting = 0;
        for (index, ring) in self.rings.iter().enumerate() {
            let name = |sentence| format!("ring {index}: {sentence}");
            ring.check_valid().map_err(name)?;
            waiting += self.count(index, &mut held).map_err(name)?;
        }
        for (subspace, (counts, held)) in self.ledger.counts.iter().zip(&held).enumerate() {
            if counts.held != *held {
                let counted = counts.held;
                return Err(format!("subspace {subspace}: counted {counted:?}, held are {held:?}"));
            }
        }
        for (index, stream) in self.streams.iter().enumerate() {
            stream.check_valid(&self.config).map_err(|e| format!("stream {index}: {e}"))?;
            let ring = &self.rings[stream.subspace().map_or(0, |s| ring_of(s, self.rings.len()))];
            let oldest = ring.oldest_id();
            for entry in stream.waiting().filter(|entry| entry.id >= oldest) {
                let record = &ring.slots.records[slot_of(entry.id, ring.capacity())];
                let waits = record.link() == Link::Waiting
                    && entry.id < ring.next_id
                    && Some(record.subspace) == stream.subspace();
                if !waits {
                    return Err(format!("stream {index}: {entry:?} does not wait in its slot"));
                }
                waiting = waiting.wrapping_sub(1);
            }
        }
        if waiting != 0 {
            return Err(format!("{waiting} waiting slots are in no stream's queue"));
        }
        Ok(())
    }

    /// Adds what a ring holds of each subspace to `held`; returns its waiting transitions.
    fn count(&self, index: usize, held: &mut [Held]) -> Result<usize, String> {
        let mut waiting = 0;
        for (slot, record) in self.rings[index].slots.records.iter().enumerate() {
            let (subspace, link) = (record.subspace, record.link());
            if link == Link::None {
                continue;
            }
            let there = (subspace as usize) < self.config.subspaces
                && ring_of(subspace, self.rings.len()) == index;
            if !there || record.born > self.ledger.inserted {
                let born = record.born;
                return Err(format!("slot {slot} has subspace {subspace} and number {born}"));
            }
            if let Link::Next(_) = link {
                held[subspace as usize].add(record);
            } else {
                waiting += 1;
            }
        }
        Ok(waiting)
    }
}

impl Ring {
    fn check_valid(&self) -> Result<(), String> {
        let mut sampleable = 0;
        for slot in 0..self.capacity() {
            let link = self.slots.records[slot].link();
            self.check_slot(slot, link)?;
            sampleable += usize::from(matches!(link, Link::Next(_)));
        }
        if sampleable != self.sampleable {
            return Err(format!("{sampleable} slots are sampleable, counted {}", self.sampleable));
        }
        self.priorities.as_ref().map_or(Ok(()), |priorities| priorities.tree.check_valid())
    }

    fn check_slot(&self, slot: usize, link: Link) -> Result<(), String> {
        let written = self.written();
        if link != Link::None && slot >= written {
            return Err(format!("slot {slot} is linked and was never written"));
        }
        if let Link::Next(next) = link {
            let next = next as usize;
            if next >= written || self.id_of(next) <= self.id_of(slot) {
                return Err(format!("slot {slot} has its successor in the older slot {next}"));
            }
        }
        if let Some(priorities) = &self.priorities {
            let value = priorities.tree.get(slot);
            let fits = if let Link::Next(_) = link { value > 0.0 } else { value == 0.0 };
            if !fits || value > priorities.largest {
                return Err(format!("slot {slot} with link {link:?} has priority {value}"));
            }
        }
        Ok(())
    }
}
