//! The learner: turns minibatches into better parameters.

use crate::message::{PolicySnapshot, PriorityUpdate, SampledBatch};
use anyhow::Result;
use contrail_agents::{Agent, AgentState, Policy, UpdateSettings};
use contrail_envs::{Prng, SeedStream};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker that updates.
pub struct Learner {
    agent: Box<dyn Agent>,
    rng: Prng,
    snapshot_period_updates: u64,
}

/// What one update gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearnReport {
    /// Updates done so far, this one included.
    pub updates: u64,
    /// Curves; empty unless asked for.
    pub metrics: Vec<(&'static str, f64)>,
    /// Histograms; empty unless asked for.
    pub histograms: Vec<(&'static str, Vec<f64>)>,
    /// Time in the update.
    pub update_time: Duration,
}

/// Everything a [`Learner`] needs to continue exactly, beside its arrays.
#[derive(Serialize, Deserialize)]
pub struct LearnerState {
    /// Weights, targets, moments and counters.
    pub agent: AgentState,
    /// Its generator.
    pub rng: Prng,
}

impl Learner {
    /// A learner for `agent`, which offers its parameters every `snapshot_period_updates`.
    #[must_use]
    pub fn new(agent: Box<dyn Agent>, seeds: SeedStream, snapshot_period_updates: u64) -> Self {
        Self { agent, rng: seeds.rng(), snapshot_period_updates }
    }

    /// One update. `progress` is the share of the run that is done, `detail` asks for curves.
    ///
    /// # Errors
    /// If a loss or gradient is not finite.
    pub fn update(
        &mut self,
        batch: SampledBatch,
        progress: f64,
        detail: bool,
    ) -> Result<(PriorityUpdate, LearnReport)> {
        let begin = Instant::now();
        let settings = UpdateSettings { progress, detail };
        let report = self.agent.update(&batch.minibatch, settings, &mut self.rng)?;
        let learned = LearnReport {
            updates: self.agent.updates(),
            metrics: report.metrics,
            histograms: report.histograms,
            update_time: begin.elapsed(),
        };
        Ok((PriorityUpdate { ids: batch.ids, priorities: report.priorities }, learned))
    }

    /// Updates done.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.agent.updates()
    }

    /// The current parameters, if it is time to offer them.
    #[must_use]
    pub fn due_snapshot(&self) -> Option<PolicySnapshot> {
        self.updates().is_multiple_of(self.snapshot_period_updates).then(|| self.snapshot())
    }

    /// The current parameters.
    #[must_use]
    pub fn snapshot(&self) -> PolicySnapshot {
        PolicySnapshot { version: self.updates(), params: Arc::new(self.agent.policy_params()) }
    }

    /// A policy for an actor or evaluator to own.
    #[must_use]
    pub fn policy(&self) -> Box<dyn Policy> {
        self.agent.policy()
    }

    /// Number of parameters of the policy alone.
    #[must_use]
    pub fn num_policy_params(&self) -> usize {
        self.agent.policy_params().len()
    }

    /// Everything needed to continue exactly.
    #[must_use]
    pub fn save(&self) -> LearnerState {
        LearnerState { agent: self.agent.save(), rng: self.rng.clone() }
    }

    /// Continues from what [`Learner::save`] gave.
    ///
    /// # Errors
    /// If the state belongs to another network or algorithm.
    pub fn restore(&mut self, state: LearnerState) -> Result<()> {
        self.agent.restore(&state.agent)?;
        self.rng = state.rng;
        Ok(())
    }
}
