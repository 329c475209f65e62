//! Saving, restoring and checking a replay.

use super::slots::{Link, Record, read_values, write_values};
use super::streams::Stream;
use super::{Replay, ReplayConfig, ReplayError, ring::slot_of};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// First bytes of a saved state; the digit is its version.
const MAGIC: &[u8; 8] = b"CTRLRPL1";

/// A header longer than this is damage: it would be 16 million streams.
const MAX_HEADER_BYTES: u64 = 1 << 28;

/// Everything but the big arrays.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    config: ReplayConfig,
    streams: Vec<Stream>,
    largest_priority: Option<f64>,
    next_id: u64,
    sampleable: u64,
    inserted: u64,
    dropped_waiting: u64,
    stale_priorities: u64,
}

impl Replay {
    /// Writes everything that determines later samples: the written slots, little-endian, array
    /// after array, behind a small header. Takes a few KiB of memory. Give it a buffered writer.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = Header {
            config: self.config.clone(),
            streams: self.streams.clone(),
            largest_priority: self.priorities.as_ref().map(|priorities| priorities.largest),
            next_id: self.next_id,
            sampleable: self.sampleable as u64,
            inserted: self.inserted,
            dropped_waiting: self.dropped_waiting,
            stale_priorities: self.stale_priorities,
        };
        let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.slots.save(self.written(), out)?;
        match &self.priorities {
            Some(priorities) => {
                write_values(out, priorities.tree.values(self.written()), |v| v.to_le_bytes())
            }
            None => Ok(()),
        }
    }

    /// Continues from a state written by [`Replay::save`] of a replay with the same config. Reads
    /// no further than that state.
    ///
    /// # Errors
    /// [`ReplayError::BadState`] if the state is damaged or of another config (then the message
    /// names the value that differs), and [`ReplayError::Io`] if `input` fails or ends early.
    /// After an error past the header the replay is empty.
    pub fn restore(&mut self, input: &mut dyn Read) -> Result<(), ReplayError> {
        let header = read_header(input)?;
        self.check_same_config(&header.config)?;
        self.clear();
        let result = self.fill(&header, input);
        if result.is_err() {
            self.clear();
        }
        result
    }

    fn fill(&mut self, header: &Header, input: &mut dyn Read) -> Result<(), ReplayError> {
        if header.streams.len() != self.streams.len() {
            return Err(ReplayError::BadState("its list of streams is damaged".into()));
        }
        for (stream, saved) in self.streams.iter_mut().zip(&header.streams) {
            saved.check_valid(self.config.n_step).map_err(ReplayError::BadState)?;
            stream.copy_from(saved);
        }
        self.next_id = header.next_id;
        self.inserted = header.inserted;
        self.dropped_waiting = header.dropped_waiting;
        self.stale_priorities = header.stale_priorities;
        self.sampleable = usize::try_from(header.sampleable).unwrap_or(usize::MAX);
        let written = self.written();
        self.slots.restore(written, input)?;
        if let Some(priorities) = &mut self.priorities {
            let none = || ReplayError::BadState("its largest priority is missing".into());
            priorities.largest = header.largest_priority.ok_or_else(none)?;
            priorities
                .tree
                .refill(written, |values| read_values(input, values, f64::from_le_bytes))?;
        }
        self.check_valid().map_err(ReplayError::BadState)
    }

    /// Forgets everything and keeps the memory.
    fn clear(&mut self) {
        self.slots.records.fill(Record::BLANK);
        self.streams.iter_mut().for_each(|stream| stream.copy_from(&Stream::default()));
        if let Some(priorities) = &mut self.priorities {
            priorities.clear();
        }
        (self.next_id, self.inserted, self.sampleable) = (0, 0, 0);
        (self.dropped_waiting, self.stale_priorities) = (0, 0);
    }

    fn check_same_config(&self, saved: &ReplayConfig) -> Result<(), ReplayError> {
        // Each field by its name, so that a new one cannot be forgotten.
        let ReplayConfig { capacity_transitions, obs, action, streams, n_step, sampling } = saved;
        let own = &self.config;
        let fields = [
            difference("capacity_transitions", capacity_transitions, &own.capacity_transitions),
            difference("observation space", obs, &own.obs),
            difference("action space", action, &own.action),
            difference("number of streams", streams, &own.streams),
            difference("n_step", n_step, &own.n_step),
            difference("sampling", sampling, &own.sampling),
        ];
        fields
            .into_iter()
            .flatten()
            .next()
            .map_or(Ok(()), |found| Err(ReplayError::BadState(found)))
    }

    /// Checks every invariant in one pass over the slots; the first violation as a sentence.
    ///
    /// # Errors
    /// The violation.
    pub fn check_valid(&self) -> Result<(), String> {
        let (mut sampleable, mut waiting) = (0, 0);
        for slot in 0..self.capacity() {
            let link = self.slots.records[slot].link;
            self.check_slot(slot, link)?;
            sampleable += usize::from(matches!(link, Link::Next(_)));
            waiting += usize::from(link == Link::Waiting);
        }
        if sampleable != self.sampleable {
            return Err(format!("{sampleable} slots are sampleable, counted {}", self.sampleable));
        }
        let oldest = self.oldest_id();
        for (index, stream) in self.streams.iter().enumerate() {
            stream.check_valid(self.config.n_step).map_err(|e| format!("stream {index}: {e}"))?;
            for entry in stream.waiting().filter(|entry| entry.id >= oldest) {
                let slot = slot_of(entry.id, self.capacity());
                if entry.id >= self.next_id || self.slots.records[slot].link != Link::Waiting {
                    return Err(format!("stream {index}: {entry:?} does not wait in slot {slot}"));
                }
                waiting = waiting.wrapping_sub(1);
            }
        }
        if waiting != 0 {
            return Err(format!("{waiting} waiting slots are in no stream's queue"));
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

fn read_header(input: &mut dyn Read) -> Result<Header, ReplayError> {
    let mut word = [0; 8];
    input.read_exact(&mut word)?;
    if word != *MAGIC {
        return Err(ReplayError::BadState(
            "it does not begin like one, or is of another version".into(),
        ));
    }
    input.read_exact(&mut word)?;
    let len = u64::from_le_bytes(word);
    let mut bytes = Vec::new();
    input.take(len.min(MAX_HEADER_BYTES)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != len {
        return Err(ReplayError::BadState(format!(
            "its header should have {len} bytes and has {}",
            bytes.len()
        )));
    }
    postcard::from_bytes(&bytes)
        .map_err(|e| ReplayError::BadState(format!("its header is damaged: {e}")))
}

/// A sentence if the saved value is not this replay's.
fn difference<T: PartialEq + std::fmt::Debug>(name: &str, saved: &T, own: &T) -> Option<String> {
    (saved != own).then(|| format!("its {name} is {saved:?}, this replay's is {own:?}"))
}
