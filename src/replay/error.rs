//! What can go wrong in a replay.

use std::fmt::Display;
use thiserror::Error;

/// A fault of the replay or of its caller.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A value out of range.
    #[error("replay: {what} is {value}, allowed: {allowed}")]
    BadConfig {
        /// Which value.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// An array that does not fit into memory.
    #[error(
        "replay: cannot allocate {bytes} bytes for the {what} ({total_bytes} bytes for all of the \
         replay); lower capacity_transitions"
    )]
    OutOfMemory {
        /// Which array.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// Size of all arrays.
        total_bytes: u64,
    },
    /// A block that does not fit the replay, or contradicts itself.
    #[error("replay: cannot insert: {0}")]
    BadBlock(String),
    /// Nothing can be sampled yet.
    #[error(
        "replay: cannot sample: none of the {inserted} transitions inserted so far is sampleable \
         (a transition is once its next_obs has arrived)"
    )]
    Empty {
        /// Transitions inserted so far.
        inserted: u64,
    },
    /// A priority that is not a number, or infinite.
    #[error("replay: the priority of transition {id} is {value}, allowed: finite numbers")]
    BadPriority {
        /// Transition id.
        id: u64,
        /// The offending value.
        value: f32,
    },
    /// A priority update that does not match what was sampled.
    #[error("replay: cannot update priorities: {0}")]
    BadPriorityUpdate(String),
    /// A saved state that is damaged, or belongs to another replay.
    #[error("replay: cannot restore the saved state: {0}")]
    BadState(String),
    /// A saved state that cannot be read.
    #[error("replay: cannot read the saved state: {0}")]
    Io(#[from] std::io::Error),
}

impl ReplayError {
    pub(super) fn bad_config(
        what: &'static str,
        value: impl Display,
        allowed: impl Display,
    ) -> Self {
        Self::BadConfig { what, value: value.to_string(), allowed: allowed.to_string() }
    }
}
