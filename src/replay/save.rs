//! Saving and restoring a replay.

use super::slots::{read_values, write_values};
use super::stats::Ledger;
use super::streams::Stream;
use super::{Replay, ReplayConfig, ReplayError, ring::Ring};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// First bytes of a saved state; the digit is its version.
const MAGIC: &[u8; 8] = b"CTRLRPL2";

/// A header longer than this is damage: it would be 16 million streams.
const MAX_HEADER_BYTES: u64 = 1 << 28;

/// Everything but the big arrays.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    config: ReplayConfig,
    streams: Vec<Stream>,
    ledger: Ledger,
    rings: Vec<RingHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RingHeader {
    largest_priority: Option<f64>,
    next_id: u64,
    sampleable: u64,
}

impl Replay {
    /// Writes everything that determines later samples: the written slots, little-endian and
    /// packed, ring after ring and array after array, behind a small header. Takes a few KiB of
    /// memory. Give it a buffered writer.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let ring_header = |ring: &Ring| RingHeader {
            largest_priority: ring.priorities.as_ref().map(|priorities| priorities.largest),
            next_id: ring.next_id,
            sampleable: ring.sampleable as u64,
        };
        let header = Header {
            config: self.config.clone(),
            streams: self.streams.clone(),
            ledger: self.ledger.clone(),
            rings: self.rings.iter().map(ring_header).collect(),
        };
        let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for ring in &self.rings {
            ring.slots.save(ring.written(), out)?;
            if let Some(priorities) = &ring.priorities {
                let values = priorities.tree.values(ring.written());
                write_values(out, values, |value| value.to_le_bytes())?;
            }
        }
        Ok(())
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
        let result = self.fill(header, input);
        if result.is_err() {
            self.clear();
        }
        result
    }

    fn fill(&mut self, header: Header, input: &mut dyn Read) -> Result<(), ReplayError> {
        let lengths = [
            ("streams", header.streams.len(), self.streams.len()),
            ("rings", header.rings.len(), self.rings.len()),
            ("subspaces", header.ledger.counts.len(), self.config.subspaces),
        ];
        if let Some((name, _, _)) = lengths.iter().find(|(_, saved, own)| saved != own) {
            return Err(ReplayError::BadState(format!("its list of {name} is damaged")));
        }
        for (stream, saved) in self.streams.iter_mut().zip(&header.streams) {
            saved.check_valid(&self.config).map_err(ReplayError::BadState)?;
            stream.copy_from(saved);
        }
        self.ledger = header.ledger;
        for (ring, saved) in self.rings.iter_mut().zip(&header.rings) {
            fill_ring(ring, saved, input)?;
        }
        self.check_valid().map_err(ReplayError::BadState)
    }

    fn check_same_config(&self, saved: &ReplayConfig) -> Result<(), ReplayError> {
        // Each field by its name, so that a new one cannot be forgotten.
        let ReplayConfig {
            capacity_transitions,
            obs,
            action,
            context_len,
            streams,
            n_step,
            sampling,
            subspaces,
            law,
            keep_every_subspace,
        } = saved;
        let own = &self.config;
        let fields = [
            difference("capacity_transitions", capacity_transitions, &own.capacity_transitions),
            difference("observation space", obs, &own.obs),
            difference("action space", action, &own.action),
            difference("number of context values", context_len, &own.context_len),
            difference("number of streams", streams, &own.streams),
            difference("n_step", n_step, &own.n_step),
            difference("sampling", sampling, &own.sampling),
            difference("number of subspaces", subspaces, &own.subspaces),
            difference("subspace law", law, &own.law),
            difference("keep_every_subspace", keep_every_subspace, &own.keep_every_subspace),
        ];
        fields
            .into_iter()
            .flatten()
            .next()
            .map_or(Ok(()), |found| Err(ReplayError::BadState(found)))
    }
}

fn fill_ring(ring: &mut Ring, saved: &RingHeader, input: &mut dyn Read) -> Result<(), ReplayError> {
    ring.next_id = saved.next_id;
    ring.sampleable = usize::try_from(saved.sampleable).unwrap_or(usize::MAX);
    let written = ring.written();
    ring.slots.restore(written, input)?;
    if let Some(priorities) = &mut ring.priorities {
        let none = || ReplayError::BadState("its largest priority is missing".into());
        priorities.largest = saved.largest_priority.ok_or_else(none)?;
        priorities.tree.refill(written, |values| read_values(input, values, f64::from_le_bytes))?;
    }
    Ok(())
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
