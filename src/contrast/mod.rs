//! Contrasts from memory: who is compared with whom. Plain data, no tensors, no threads and no
//! clocks; a runner wires it.
//!
//! ```text
//! Segment -> Contrasts::insert -> recent (ring), memory (reservoirs) -> prepare -> ContrastBatch
//! learner <- CodingRequest <- to_code     take_readings <- Readings <- learner's teacher
//! ```

mod anchors;
mod coding;
mod error;
mod negatives;
mod positives;
mod prepare;
mod report;
mod rows;
mod save;
mod spec;
mod store;
mod table;
mod truth;

pub use coding::{CodingRequest, Readings, StoredId, Taken};
pub use error::{ContrastError, Missing, MissingCounts};
pub use prepare::Prepared;
pub use report::{ContrastReport, false_negative_share};
pub use spec::{AfterEnd, AnchorMix, BehaviorOf, ContrastSpec, DistanceConfig, NegativeLaw};
pub use store::{Contrasts, ContrastsConfig, Store};

#[cfg(test)]
mod tests;
