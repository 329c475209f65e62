//! From env steps to minibatches: n-step windows, the rings that store them, and the limiter that
//! keeps sampling and inserting in step. No threads and no clocks; a runner guards and wires it.
//!
//! ```text
//! Step -> NStepAccumulator -> TransitionBlock -> Replay::insert -> Replay::sample -> SampledBatch
//!                                                   ^ PriorityUpdate, from the learner
//! ```

mod bits;
mod check;
mod config;
mod error;
mod law;
mod limiter;
mod n_step;
pub(crate) mod packed;
mod priorities;
mod ring;
mod sample;
mod save;
pub(crate) mod slots;
mod stats;
mod store;
mod streams;
mod sum_tree;
mod valid;

pub use config::{ReplayConfig, Sampling};
pub use error::ReplayError;
pub use law::SubspaceLaw;
pub use limiter::RateLimiter;
pub use n_step::{NStepAccumulator, NStepConfig, OneStep};
pub use stats::SubspaceStats;
pub use store::Replay;
pub use sum_tree::SumTree;

#[cfg(test)]
mod tests;
