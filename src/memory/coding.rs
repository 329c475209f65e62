//! Token codes of stored segments: set, found, refreshed.

use super::{EpisodicMemory, MemoryError, Place, SegmentId};

impl EpisodicMemory {
    /// Stores the codes of all observations of a segment, given by the encoder of `version`.
    /// `codes` is `[len + 1, G]`. False if the segment is gone, or has codes of a newer encoder.
    ///
    /// # Errors
    /// [`MemoryError::BadCodes`] if the codes are not as many, or not of the code space; then
    /// nothing changes.
    pub fn set_codes(
        &mut self,
        id: SegmentId,
        version: u64,
        codes: &[u8],
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
        codes.chunks_exact(space.groups).try_for_each(|code| space.pack(code).map(|_| ()))?;
        if record.code_version.is_some_and(|newer| newer > version) {
            return Ok(false);
        }
        self.forget_codes(slot);
        self.slots.codes_mut(slot)[..codes.len()].copy_from_slice(codes);
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

    /// Number of each observation of a slot, and its code; empty if they were not coded.
    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    pub(super) fn codes_of(&self, slot: usize) -> Vec<(u32, u64)> {
        let record = &self.slots.records[slot];
        if record.code_version.is_none() {
            return Vec::new();
        }
        let first = slot * (self.slots.horizon + 1);
        let levels = self.config.codes.levels as u64;
        let pack = |code: &[u8]| {
            code.iter().rev().fold(0, |packed: u64, level| {
                packed.wrapping_mul(levels).wrapping_add(u64::from(*level))
            })
        };
        let codes = self.slots.codes(slot).chunks_exact(self.config.codes.groups);
        let coded = codes.take(record.len as usize + 1).enumerate();
        coded.map(|(j, code)| ((first + j) as u32, pack(code))).collect()
    }

    /// The codes of a segment, `[len + 1, G]`, and the version of their encoder; none if it is gone
    /// or was not coded.
    #[must_use]
    pub fn codes(&self, id: SegmentId) -> Option<(&[u8], u64)> {
        let slot = self.slot(id)?;
        let record = &self.slots.records[slot];
        let len = (record.len as usize + 1) * self.config.codes.groups;
        record.code_version.map(|version| (&self.slots.codes(slot)[..len], version))
    }

    /// Up to `limit` segments whose codes are older than `version`, or absent. Each call goes on
    /// where the one before stopped, so that all segments have their turn; it looks at each slot
    /// once at most.
    pub fn stale(&mut self, version: u64, limit: usize) -> Vec<SegmentId> {
        let slots = self.slots.records.len();
        let mut found = Vec::with_capacity(limit.min(slots));
        for _ in 0..slots {
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
    /// from the history of this memory. Codes of different encoder versions are found alike.
    #[must_use]
    pub fn holders(&self, code: u64) -> impl ExactSizeIterator<Item = Place> {
        let obs_a_segment = self.slots.horizon + 1;
        self.index.get(code).iter().map(move |place| {
            let place = *place as usize;
            let segment = self.id_of(place / obs_a_segment);
            Place { segment, position: place % obs_a_segment }
        })
    }
}
