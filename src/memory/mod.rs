//! Episodic memory: short segments of episodes, beside the replay, in one reservoir a subspace or in
//! a ring. Plain data, no tensors, no threads and no clocks; a runner guards and wires it.
//!
//! ```text
//! Step -> SegmentBuilder -> Segment -> EpisodicMemory::insert -> sample, neighbor, holders -> ids
//!                    teacher's readings of it, surprise -^   ids -> SegmentBatch, SegmentView
//! ```

mod batch;
mod codes;
mod coding;
mod config;
mod error;
mod hash;
mod index;
mod laws;
mod save;
mod segment;
mod slots;
mod store;
mod valid;
mod view;

pub use batch::SegmentBatch;
pub use codes::CodeSpace;
pub use config::{MemoryConfig, Replacement};
pub use error::MemoryError;
pub use laws::SegmentLaw;
pub use segment::{Segment, SegmentBuilder};
pub use store::{EpisodicMemory, Place, SegmentId};
pub use view::{Among, SegmentView};

#[cfg(test)]
mod tests;
