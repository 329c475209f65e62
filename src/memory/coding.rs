//! What the teacher reads in stored segments, codes and action readings: set, found, refreshed.

use super::{EpisodicMemory, MemoryError, Place, SegmentId};

/// Slots that one search for old codes looks at, so that its time is bounded.
const MOST_LOOKED_AT: usize = 1024;

impl EpisodicMemory {
    /// Stores what the teacher of `version` read in all observations of a segment: `codes` is
    /// `[len + 1, G]`, and `policies`, its action readings, `[len + 1, R]`. False if the segment is
    /// gone, or has readings of a newer teacher.
    ///
    /// # Errors
    /// [`MemoryError::BadCodes`] if codes or readings are not as many, or codes not of the code
    /// space; then nothing changes.
    pub fn set_readings(
        &mut self,
        id: SegmentId,
        version: u64,
        (codes, policies): (&[u8], &[u8]),
    ) -> Result<bool, MemoryError> {
        let Some(slot) = self.slot(id) else { return Ok(false) };
        let (record, space) = (self.slots.records[slot], self.config.codes);
        let count = record.len as usize + 1;
        if codes.len() != count * space.groups {
            return Err(MemoryError::BadCodes(format!(
                "{} levels, expected {count} codes of {} groups",
                codes.len(),
                space.groups
            )));
        }
        if policies.len() != count * self.config.readings_len {
            return Err(MemoryError::BadCodes(format!(
                "action readings of {} bytes, expected {count} of {}",
                policies.len(),
                self.config.readings_len
            )));
        }
        let mut each = codes.chunks_exact(space.groups.max(1));
        each.try_for_each(|code| space.pack(code).map(|_| ()))?;
        if record.code_version.is_some_and(|newer| newer > version) {
            return Ok(false);
        }
        self.forget_codes(slot);
        self.slots.codes_mut(slot)[..codes.len()].copy_from_slice(codes);
        self.slots.policies_mut(slot)[..policies.len()].copy_from_slice(policies);
        self.slots.records[slot].code_version = Some(version);
        for (place, code) in self.codes_of(slot) {
            self.index.insert(code, place);
        }
        Ok(true)
    }

    /// Takes the codes of a slot out of the index.
    pub(super) fn forget_codes(&mut self, slot: usize) {
        for (place, code) in self.codes_of(slot) {
            self.index.remove(code, place);
        }
        self.slots.records[slot].code_version = None;
    }

    /// Number of each observation of a slot, and its code; empty if they have none.
    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    pub(super) fn codes_of(&self, slot: usize) -> Vec<(u32, u64)> {
        let record = &self.slots.records[slot];
        if record.code_version.is_none() || self.config.codes.groups == 0 {
            return Vec::new();
        }
        let first = slot * (self.slots.horizon + 1);
        let codes = self.slots.codes(slot).chunks_exact(self.config.codes.groups);
        let coded = codes.take(record.len as usize + 1).enumerate();
        coded.map(|(j, code)| ((first + j) as u32, self.config.codes.number(code))).collect()
    }

    /// The codes of a segment, `[len + 1, G]`, and the version of their teacher; none if it is gone
    /// or was not read.
    #[must_use]
    pub fn codes(&self, id: SegmentId) -> Option<(&[u8], u64)> {
        let slot = self.slot(id)?;
        let record = &self.slots.records[slot];
        let len = (record.len as usize + 1) * self.config.codes.groups;
        record.code_version.map(|version| (&self.slots.codes(slot)[..len], version))
    }

    /// Up to `limit` segments whose readings are older than `version`, or absent. Each call goes on
    /// where the one before stopped, so that all segments have their turn; it looks at each slot
    /// once at most, and at 1,024 slots.
    pub fn stale(&mut self, version: u64, limit: usize) -> Vec<SegmentId> {
        let slots = self.slots.records.len();
        let mut found = Vec::with_capacity(limit.min(slots));
        for _ in 0..slots.min(MOST_LOOKED_AT) {
            if found.len() == limit {
                break;
            }
            let record = &self.slots.records[self.stale_cursor];
            if record.len > 0 && record.code_version.is_none_or(|coded| coded < version) {
                found.push(self.id_of(self.stale_cursor));
            }
            self.stale_cursor = (self.stale_cursor + 1) % slots;
        }
        found
    }

    /// The observations that have a code ([`super::CodeSpace::pack`]), in an order that follows
    /// from the history of this memory. Codes of different versions are found alike.
    #[must_use]
    pub fn holders(&self, code: u64) -> impl ExactSizeIterator<Item = Place> {
        self.index.get(code).iter().map(|place| self.place(*place as usize))
    }
}
