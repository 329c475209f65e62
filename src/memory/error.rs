//! What can go wrong in a memory.

use std::fmt::Display;
use thiserror::Error;

/// A fault of the episodic memory or of its caller.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// A value out of range.
    #[error("memory: {what} is {value}, allowed: {allowed}")]
    BadConfig {
        /// Which value.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// An array that does not fit into memory.
    #[error("memory: cannot allocate the {what} ({total_bytes} bytes for all of the memory)")]
    OutOfMemory {
        /// Which array.
        what: &'static str,
        /// Size of all arrays.
        total_bytes: u64,
    },
    /// A segment that does not fit the memory, or contradicts itself.
    #[error("memory: cannot insert: {0}")]
    BadSegment(String),
    /// Token codes that cannot be.
    #[error("memory: cannot set codes: {0}")]
    BadCodes(String),
    /// A surprise that cannot be.
    #[error("memory: cannot update surprises: {0}")]
    BadSurprise(String),
    /// Nothing to sample from.
    #[error("memory: cannot sample: {0}")]
    Empty(String),
    /// A saved state that is damaged, or belongs to another memory.
    #[error("memory: cannot restore the saved state: {0}")]
    BadState(String),
    /// A saved state that cannot be read.
    #[error("memory: cannot read the saved state: {0}")]
    Io(#[from] std::io::Error),
}

impl MemoryError {
    pub(super) fn bad_config(
        what: &'static str,
        value: impl Display,
        allowed: impl Display,
    ) -> Self {
        Self::BadConfig { what, value: value.to_string(), allowed: allowed.to_string() }
    }
}
