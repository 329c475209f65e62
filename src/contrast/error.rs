//! What can go wrong, and what may be missing without anything being wrong.

use super::Store;
use crate::memory::MemoryError;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use thiserror::Error;

/// A fault of the caller, or of what was read.
#[derive(Debug, Error)]
pub enum ContrastError {
    /// A value out of range.
    #[error("contrast: {what} is {value}, allowed: {allowed}")]
    BadSpec {
        /// Which value.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Readings that do not answer a request.
    #[error("contrast: cannot take readings: {0}")]
    BadReadings(String),
    /// A saved state that is damaged.
    #[error("contrast: cannot restore the saved state: {0}")]
    BadState(String),
    /// A saved state that cannot be read.
    #[error("contrast: cannot read the saved state: {0}")]
    Io(#[from] std::io::Error),
    /// A fault of one of the memories.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl ContrastError {
    pub(super) fn bad_spec(what: &'static str, value: impl Display, allowed: &str) -> Self {
        Self::BadSpec { what, value: value.to_string(), allowed: allowed.into() }
    }
}

/// Why there is no contrast yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// Too few segments in a store that anchors come from.
    #[error("{store} holds {held} segments, {needed} are needed")]
    Segments {
        /// Which store.
        store: Store,
        /// So many.
        held: usize,
        /// At least.
        needed: usize,
    },
    /// The teacher has read too few segments to compare behavior.
    #[error("{tries} anchors were drawn and the teacher has read none of them")]
    Readings {
        /// Anchors drawn.
        tries: usize,
    },
    /// No candidate for a positive was left.
    #[error("{tries} anchors were drawn and none of them has a positive")]
    Positives {
        /// Anchors drawn.
        tries: usize,
    },
    /// Contrasts across subspaces where all segments are of one.
    #[error("segments of one subspace are held, 2 are needed for contrasts across subspaces")]
    OtherSubspace,
}

/// How often each [`Missing`] was the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingCounts {
    /// [`Missing::Segments`].
    pub segments: u64,
    /// [`Missing::Readings`].
    pub readings: u64,
    /// [`Missing::Positives`].
    pub positives: u64,
    /// [`Missing::OtherSubspace`].
    pub other_subspace: u64,
}

impl MissingCounts {
    pub(super) fn add(&mut self, missing: Missing) {
        *match missing {
            Missing::Segments { .. } => &mut self.segments,
            Missing::Readings { .. } => &mut self.readings,
            Missing::Positives { .. } => &mut self.positives,
            Missing::OtherSubspace => &mut self.other_subspace,
        } += 1;
    }
}
