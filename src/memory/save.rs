//! Saving and restoring a memory.

use super::slots::Record;
use super::{EpisodicMemory, MemoryConfig, MemoryError};
use crate::replay::slots::{read_values, write_values};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::ops::Range;

/// First bytes of a saved state; the digit is its version.
const MAGIC: &[u8; 8] = b"CTRLMEM2";

/// A header longer than this is damage: it would be four million segments.
const MAX_HEADER_BYTES: u64 = 1 << 28;

/// Everything but the big arrays.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    config: MemoryConfig,
    seen: Vec<u64>,
    largest_surprise: f32,
    lowest_return: f32,
    stale_cursor: u64,
    /// Of the stored segments, stratum after stratum.
    records: Vec<Record>,
}

impl EpisodicMemory {
    /// Slots in use, stratum after stratum.
    pub(super) fn used(&self) -> impl Iterator<Item = Range<usize>> + use<'_> {
        let capacity = self.config.segments_a_stratum();
        (0..self.config.strata()).map(move |s| s * capacity..s * capacity + self.used_of(s))
    }

    /// Writes everything that determines later answers: the used slots, little-endian and packed,
    /// behind a header with their scalars. Give it a buffered writer.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = Header {
            config: self.config.clone(),
            seen: self.seen.clone(),
            largest_surprise: self.largest_surprise,
            lowest_return: self.lowest_return,
            stale_cursor: self.stale_cursor as u64,
            records: self.used().flat_map(|slots| &self.slots.records[slots]).copied().collect(),
        };
        let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let each = self.slots.horizon + 1;
        for slots in self.used() {
            self.slots.save(&slots, out)?;
            let positions = &self.index.positions()[slots.start * each..slots.end * each];
            write_values(out, positions, |position| position.to_le_bytes())?;
        }
        Ok(())
    }

    /// Continues from a state written by [`EpisodicMemory::save`] of a memory with the same config.
    /// Reads no further than that state.
    ///
    /// # Errors
    /// [`MemoryError::BadState`] if the state is damaged or of another config, and
    /// [`MemoryError::Io`] if `input` fails or ends early. After an error past the header the
    /// memory is empty.
    pub fn restore(&mut self, input: &mut dyn Read) -> Result<(), MemoryError> {
        let header = read_header(input)?;
        if header.config != self.config {
            let (saved, own) = (&header.config, &self.config);
            return Err(MemoryError::BadState(format!("it is of {saved:?}, this one is {own:?}")));
        }
        self.clear();
        let result = self.fill(header, input);
        if result.is_err() {
            self.clear();
        }
        result
    }

    #[expect(clippy::cast_possible_truncation, reason = "slots are u32")]
    fn fill(&mut self, header: Header, input: &mut dyn Read) -> Result<(), MemoryError> {
        let damaged = |what| Err(MemoryError::BadState(format!("its {what} is damaged")));
        if header.seen.len() != self.seen.len() {
            return damaged("list of subspaces");
        }
        self.seen = header.seen;
        self.largest_surprise = header.largest_surprise;
        self.lowest_return = header.lowest_return;
        self.stale_cursor = usize::try_from(header.stale_cursor).unwrap_or(usize::MAX);
        let used: usize = (0..self.config.strata()).map(|s| self.used_of(s)).sum();
        if header.records.len() != used || self.stale_cursor >= self.slots.records.len() {
            return damaged("list of segments");
        }
        let each = self.slots.horizon + 1;
        let mut positions = vec![0; self.slots.records.len() * each];
        let mut records = header.records.into_iter();
        for slots in self.used().collect::<Vec<_>>() {
            self.slots.restore(&slots, input)?;
            let own = &mut positions[slots.start * each..slots.end * each];
            read_values(input, own, u32::from_le_bytes)?;
            for (slot, record) in slots.zip(&mut records) {
                let (len, subspace) = (record.len as usize, record.subspace as usize);
                let known = subspace < self.config.subspaces;
                if len == 0 || len >= each || record.generation == 0 || !known {
                    return damaged("list of segments");
                }
                self.slots.records[slot] = record;
                self.held[subspace] += 1;
                self.slots.hash(slot, len, &self.config.obs);
                self.episodes.insert((record.stream, record.episode, record.index), slot as u32);
            }
        }
        let coded = (0..self.slots.records.len()).flat_map(|slot| self.codes_of(slot));
        let entries: Vec<_> =
            coded.map(|(place, code)| (code, place, positions[place as usize])).collect();
        if !self.index.refill(entries.into_iter()) {
            return damaged("code index");
        }
        self.check_records().map_err(MemoryError::BadState)?;
        self.fill_trees();
        self.check_valid().map_err(MemoryError::BadState)
    }

    /// Forgets everything and keeps the memory.
    fn clear(&mut self) {
        self.slots.records.fill(Record::EMPTY);
        self.index.clear();
        self.episodes.clear();
        self.seen.fill(0);
        self.held.fill(0);
        (self.largest_surprise, self.lowest_return) = (1.0, f32::INFINITY);
        self.stale_cursor = 0;
        self.fill_trees();
    }
}

fn read_header(input: &mut dyn Read) -> Result<Header, MemoryError> {
    let mut word = [0; 8];
    input.read_exact(&mut word)?;
    if word != *MAGIC {
        let sentence = "it does not begin like one, or is of another version";
        return Err(MemoryError::BadState(sentence.into()));
    }
    input.read_exact(&mut word)?;
    let len = u64::from_le_bytes(word);
    let mut bytes = Vec::new();
    input.take(len.min(MAX_HEADER_BYTES)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != len {
        let have = bytes.len();
        let sentence = format!("its header should have {len} bytes and has {have}");
        return Err(MemoryError::BadState(sentence));
    }
    postcard::from_bytes(&bytes)
        .map_err(|error| MemoryError::BadState(format!("its header is damaged: {error}")))
}
