//! From env steps to minibatches: n-step windows, the ring that stores them, and the limiter that
//! keeps sampling and inserting in step. No threads and no clocks; a runner guards and wires it.
//!
//! ```text
//! Step -> NStepAccumulator -> TransitionBlock -> Replay::insert -> Replay::sample -> SampledBatch
//!                                                   ^ PriorityUpdate, from the learner
//! ```

mod check;
mod config;
mod limiter;
mod n_step;
mod priorities;
mod ring;
mod sample;
mod save;
mod slots;
mod streams;
mod sum_tree;

pub use config::{ReplayConfig, ReplayError, Sampling};
pub use limiter::RateLimiter;
pub use n_step::{NStepAccumulator, NStepConfig, OneStep};
pub use ring::Replay;
pub use sum_tree::SumTree;

#[cfg(test)]
mod tests;
