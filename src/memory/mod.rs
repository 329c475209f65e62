//! Episodic memory: short segments of episodes, one reservoir a subspace, beside the replay. Plain
//! data, no tensors, no threads and no clocks; a runner guards and wires it.
//!
//! ```text
//! Step -> SegmentBuilder -> Segment -> EpisodicMemory::insert -> sample, neighbor, holders -> ids
//!                           codes of its observations, surprise -^        ids -> SegmentBatch
//! ```

mod batch;
mod codes;
mod coding;
mod config;
mod error;
mod index;
mod laws;
mod save;
mod segment;
mod slots;
mod store;
mod valid;

pub use batch::SegmentBatch;
pub use codes::CodeSpace;
pub use config::MemoryConfig;
pub use error::MemoryError;
pub use laws::SegmentLaw;
pub use segment::{Segment, SegmentBuilder};
pub use store::{EpisodicMemory, Place, SegmentId};

#[cfg(test)]
mod tests;
