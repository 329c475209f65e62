//! Saving and restoring both stores.

use super::{ContrastError, Contrasts, MissingCounts};
use crate::memory::SegmentId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// First bytes of a saved state; the digit is its version.
const MAGIC: &[u8; 8] = b"CTRLCON1";

/// A header longer than this is damage.
const MAX_HEADER_BYTES: u64 = 1 << 26;

/// Everything but the stores.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    unread: VecDeque<SegmentId>,
    newest_version: u64,
    missing: MissingCounts,
}

impl Contrasts {
    /// Writes everything that determines later answers. Give it a buffered writer.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = Header {
            unread: self.unread.clone(),
            newest_version: self.newest_version,
            missing: self.missing,
        };
        let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.stores.memory.save(out)?;
        self.stores.recent.save(out)
    }

    /// Continues from a state written by [`Contrasts::save`] with the same config. Reads no further
    /// than that state. What was missing last is forgotten, how often
    /// is not. Answers that were under way will not come, and are asked for again.
    ///
    /// # Errors
    /// [`ContrastError::BadState`] if the state is damaged, [`ContrastError::Io`] if `input` fails
    /// or ends early, and [`ContrastError::Memory`] where a store refuses its part. After an error
    /// the stores may be empty, or only one restored: do not go on.
    pub fn restore(&mut self, input: &mut dyn Read) -> Result<(), ContrastError> {
        let bad = |sentence: &str| ContrastError::BadState(sentence.into());
        let mut word = [0; 8];
        input.read_exact(&mut word)?;
        if word != *MAGIC {
            return Err(bad("it does not begin like one, or is of another version"));
        }
        input.read_exact(&mut word)?;
        let len = u64::from_le_bytes(word);
        let mut bytes = Vec::new();
        (&mut *input).take(len.min(MAX_HEADER_BYTES)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != len {
            return Err(bad("its header is cut short"));
        }
        let header: Header = postcard::from_bytes(&bytes)
            .map_err(|error| bad(&format!("its header is damaged: {error}")))?;
        self.stores.memory.restore(input)?;
        self.stores.recent.restore(input)?;
        if header.unread.len() > self.stores.recent.config().capacity_segments {
            return Err(bad("it waits for more segments to be read than there are"));
        }
        (self.unread, self.newest_version) = (header.unread, header.newest_version);
        self.asked.clear();
        (self.missing, self.last_missing) = (header.missing, None);
        Ok(())
    }
}
