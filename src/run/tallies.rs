//! What a row of metrics counts.

use crate::replay::{RateLimiter, Replay, SubspaceStats};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// State of the replay in figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ReplayReport {
    pub(super) size: usize,
    pub(super) samples_per_insert: f64,
    pub(super) dropped_transitions: u64,
    pub(super) stale_priorities: u64,
    pub(super) subspaces: Vec<SubspaceStats>,
}

impl ReplayReport {
    pub(super) fn new(replay: &Replay, limiter: &RateLimiter) -> Self {
        Self {
            size: replay.len(),
            samples_per_insert: limiter.samples_per_insert_so_far(),
            dropped_transitions: replay.dropped_waiting(),
            stale_priorities: replay.stale_priorities(),
            subspaces: replay.subspace_stats(),
        }
    }
}

/// What went wrong with environments since the run began, and was survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounts {
    /// Exceptions, wrong values, deaths and hangs of environments, those in evaluations included.
    pub env_faults: u64,
    /// Times that the environments of a worker were made anew.
    pub env_restarts: u64,
    /// Training episodes that were given up.
    pub broken_episodes: u64,
}

/// Updates between the policy that acted and the learner, over a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lag {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) sum: u64,
    pub(super) count: u64,
}

impl Lag {
    pub(super) fn add(&mut self, lag: u64) {
        self.min = if self.count == 0 { lag } else { self.min.min(lag) };
        self.max = self.max.max(lag);
        self.sum += lag;
        self.count += 1;
    }
}

/// Time spent in each part of the pipeline since the last row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) env: Duration,
    pub(super) policy: Duration,
    pub(super) sample: Duration,
    pub(super) update: Duration,
    /// Part of `update`.
    pub(super) contrast: Duration,
}
