//! What a segment has to do.

use crate::config::{Config, Sampling};
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a segment goes, and what its updates need to know.
pub(super) struct Plan<'a> {
    pub(super) until_env_steps: u64,
    total_env_steps: u64,
    pub(super) minibatch_size: usize,
    importance_exponent: (f64, f64),
    stop: &'a AtomicBool,
}

impl<'a> Plan<'a> {
    /// A segment up to `until_env_steps`.
    pub(super) fn new(config: &Config, until_env_steps: u64, stop: &'a AtomicBool) -> Self {
        let importance_exponent = match config.replay.sampling {
            Sampling::Uniform => (0.0, 0.0),
            Sampling::Prioritized(p) => (p.importance_exponent_start, p.importance_exponent_end),
        };
        Self {
            until_env_steps,
            total_env_steps: config.run.env_steps,
            minibatch_size: config.learner.minibatch_size,
            importance_exponent,
            stop,
        }
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Share of the run that is done after `env_steps`.
    pub(super) fn progress(&self, env_steps: u64) -> f64 {
        (env_steps as f64 / self.total_env_steps as f64).min(1.0)
    }

    /// Importance exponent after `env_steps`, linear over the run.
    pub(super) fn importance_exponent(&self, env_steps: u64) -> f64 {
        let (start, end) = self.importance_exponent;
        start + (end - start) * self.progress(env_steps)
    }
}
