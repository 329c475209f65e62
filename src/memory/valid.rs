//! The invariants of a memory.

use super::EpisodicMemory;

impl EpisodicMemory {
    /// Checks every invariant in one pass over the slots; the first violation as a sentence.
    ///
    /// # Errors
    /// The violation.
    pub fn check_valid(&self) -> Result<(), String> {
        self.check_records()?;
        let capacity = self.config.segments_a_stratum();
        let mut coded = 0;
        for (stratum, slots) in self.used().enumerate() {
            let trees = &self.trees[stratum];
            trees.by_return.check_valid()?;
            trees.by_surprise.check_valid()?;
            for slot in stratum * capacity..(stratum + 1) * capacity {
                let leaf = slot % capacity;
                let found = (trees.by_return.get(leaf), trees.by_surprise.get(leaf));
                let used = slots.contains(&slot);
                let expected = if used { self.priorities(slot) } else { (0.0, 0.0) };
                if found != expected {
                    return Err(format!(
                        "slot {slot} has priorities {found:?}, its record says {expected:?}"
                    ));
                }
                for (place, code) in self.codes_of(slot) {
                    let holders = self.index.get(code);
                    let position = self.index.positions()[place as usize] as usize;
                    if holders.get(position) != Some(&place) {
                        return Err(format!("place {place} is not where code {code} has it"));
                    }
                    coded += 1;
                }
            }
        }
        if coded != self.index.len() {
            let held = self.index.len();
            return Err(format!("the code index holds {held} places, {coded} are coded"));
        }
        Ok(())
    }

    /// The part of [`Self::check_valid`] that looks at records alone.
    pub(super) fn check_records(&self) -> Result<(), String> {
        let (mut used, horizon) = (vec![false; self.slots.records.len()], self.slots.horizon);
        self.used().for_each(|slots| used[slots].fill(true));
        for (slot, record) in self.slots.records.iter().enumerate() {
            let len = record.len as usize;
            if used[slot] != (len > 0) || len > horizon {
                return Err(format!("slot {slot} holds {len} env steps, used: {}", used[slot]));
            }
            if !used[slot] {
                continue;
            }
            let stratum = self.config.stratum(record.subspace as usize);
            if slot / self.config.segments_a_stratum() != stratum {
                return Err(format!("slot {slot} holds a segment of subspace {}", record.subspace));
            }
            let key = (record.stream, record.episode, record.index);
            if self.episodes.get(&key).is_none_or(|found| *found as usize != slot) {
                return Err(format!("slot {slot} is not found as {key:?}"));
            }
            if !record.outcome.ends_episode() && len != horizon {
                return Err(format!("slot {slot} is short and its episode goes on"));
            }
            let (surprise, lowest) = (record.surprise, self.lowest_return);
            let in_range = (0.0..=self.largest_surprise).contains(&surprise)
                && self.largest_surprise.is_finite()
                && lowest.is_finite()
                && record.segment_return.is_finite()
                && record.segment_return >= lowest;
            if !in_range {
                let segment_return = record.segment_return;
                return Err(format!(
                    "slot {slot} has surprise {surprise} and return {segment_return}"
                ));
            }
        }
        if let Some(s) = (0..self.seen.len()).find(|s| self.seen[*s] < self.held[*s] as u64) {
            let (held, seen) = (self.held[s], self.seen[s]);
            return Err(format!("{held} segments of subspace {s} are held, {seen} were offered"));
        }
        let count = used.iter().filter(|used| **used).count();
        if count != self.episodes.len() {
            let known = self.episodes.len();
            return Err(format!("{count} slots are used, the episode index has {known}"));
        }
        Ok(())
    }
}
