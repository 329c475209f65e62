//! The learner: turns minibatches into better parameters.

use crate::contrast::Readings;
use crate::message::{DistillJob, PolicySnapshot, PriorityUpdate, SampledBatch, TokenUpdate};
use anyhow::{Context as _, Result};
use contrail_agents::contrast::{ContrastTask, Distiller, Frozen, Part};
use contrail_agents::{Agent, AgentState, ContrastBatch, ObsBatch, Policy, UpdateSettings};
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
    /// Whether these are curves that were asked for. If not they come late: of contrasts, which are
    /// not in every update.
    pub is_row: bool,
    /// Curves; empty unless asked for.
    pub metrics: Vec<(String, f64)>,
    /// Histograms; empty unless asked for.
    pub histograms: Vec<(String, Vec<f64>)>,
    /// Time in the update, that in the contrasts included.
    pub update_time: Duration,
    /// Time in contrasts and in reading observations for the memory.
    pub contrast_time: Duration,
}

/// All that one update gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// For the replay.
    pub priorities: PriorityUpdate,
    /// For the episodic memory and the loss policy, if contrasts came with the minibatch.
    pub tokens: Option<TokenUpdate>,
    /// For the curves.
    pub report: LearnReport,
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

    /// One update: what the teacher is to read anew, contrasts alone, then the minibatch jointly
    /// with its contrasts. `progress` is the share of the run that is done, `detail` asks for
    /// curves.
    ///
    /// # Errors
    /// If a loss or gradient is not finite.
    pub fn update(
        &mut self,
        batch: SampledBatch,
        distill: Option<DistillJob>,
        (progress, detail): (f64, bool),
    ) -> Result<Learned> {
        let begin = Instant::now();
        let mut learned = LearnReport::default();
        let answer = match distill {
            Some(job) => Some(self.contrast((job, progress), &mut learned)?),
            None => None,
        };
        learned.contrast_time = begin.elapsed();
        let settings = UpdateSettings { progress, detail };
        let report = self.agent.update(&batch.minibatch, settings, &mut self.rng)?;
        let gain = report.contrast.last_gain;
        let metrics = report.metrics.into_iter().chain(report.contrast.metrics);
        learned.metrics.extend(metrics.map(|(name, value)| (name.to_owned(), value)));
        let histograms = report.histograms.into_iter();
        learned.histograms.extend(histograms.map(|(name, values)| (name.to_owned(), values)));
        learned.is_row = detail;
        learned.updates = self.agent.updates();
        learned.update_time = begin.elapsed();
        let value = |name| learned.metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        let tokens = answer.map(|(readings, surprises)| TokenUpdate {
            readings,
            surprises,
            gain,
            decision_loss: value("train/loss"),
            bound_gap: value("aux/bound_earlier")
                .zip(value("aux/bound_current"))
                .map(|(e, c)| e - c),
        });
        let priorities = PriorityUpdate { ids: batch.ids, priorities: report.priorities };
        Ok(Learned { priorities, tokens, report: learned })
    }

    /// Reads what the memory wants read, updates on contrasts alone, and stages the joint ones.
    /// Gives the readings, and the loss of each joint anchor where that is asked for.
    fn contrast(
        &mut self,
        (job, progress): (DistillJob, f64),
        learned: &mut LearnReport,
    ) -> Result<(Option<Readings>, Vec<f32>)> {
        let version = self.agent.updates();
        let distiller = self.agent.distiller_at(progress);
        let mut distiller = distiller.context("the agent cannot be distilled")?;
        let readings = job.coding.map(|request| {
            let coded = distiller.code(&request.obs, &request.subspaces);
            request.answered(version, &coded.codes, &coded.policies)
        });
        for contrasts in &job.alone {
            let task =
                ContrastTask { batch: &contrasts.batch, weight: contrasts.weight, apart: false };
            distiller.update(task, false, &mut self.rng)?;
        }
        let mut surprises = Vec::new();
        if let Some(contrasts) = &job.joint {
            let task = ContrastTask {
                batch: &contrasts.batch,
                weight: contrasts.weight,
                apart: contrasts.measured,
            };
            let metrics = distiller.stage(task, job.detail, &mut self.rng)?;
            if contrasts.surprises {
                surprises = distiller.distillation.staged_losses();
            }
            if job.detail {
                let curves = distiller.stats(&contrasts.batch.obs).curves();
                learned.metrics.extend(curves.into_iter().map(|(name, v)| (name.to_owned(), v)));
            }
            learned.metrics.extend(metrics.into_iter().map(|(name, v)| (name.to_owned(), v)));
        }
        learned.metrics.extend(job.metrics);
        learned.histograms.extend(job.histograms);
        Ok((readings, surprises))
    }

    /// The student and what distils it; none without contrastive distillation.
    pub fn distiller(&mut self) -> Option<Distiller<'_>> {
        self.agent.distiller()
    }

    /// Gives a part of the networks fresh values; see [`Agent::renew`].
    pub fn renew(&mut self, part: Part) {
        self.agent.renew(part, &mut self.rng);
    }

    /// The same of the network that contrasts reach alone: not of critics.
    pub fn renew_student(&mut self, part: Part) {
        let rng = &mut self.rng;
        if let Some(mut distiller) = self.agent.distiller() {
            distiller.renew(part, rng);
        }
    }

    /// Leaves parameters out of further updates; see [`Agent::freeze`].
    pub fn freeze(&mut self, frozen: Frozen) {
        self.agent.freeze(frozen);
    }

    /// See [`Agent::pull_to_here`].
    pub fn pull_to_here(&mut self, coefficient: f64) {
        self.agent.pull_to_here(coefficient);
    }

    /// Renews what the embedding does not use, by its activations on `obs`. Returns how many units;
    /// 0 without contrastive distillation.
    pub fn renew_dormant(&mut self, obs: &ObsBatch) -> usize {
        let rng = &mut self.rng;
        self.agent.distiller().map_or(0, |mut distiller| distiller.renew_dormant(obs, rng))
    }

    /// One update on contrasts alone with a step size of its own, outside the count of updates.
    ///
    /// # Errors
    /// If the agent cannot be distilled, or the loss or gradient is not finite.
    pub fn align(&mut self, batch: &ContrastBatch, learning_rate: f64) -> Result<()> {
        let mut distiller = self.agent.distiller().context("the agent cannot be distilled")?;
        distiller.step.learning_rate = learning_rate;
        Ok(distiller.align(batch, &mut self.rng)?)
    }

    /// Weights, moments and counters, to come back to.
    #[must_use]
    pub fn agent_state(&self) -> AgentState {
        self.agent.save()
    }

    /// Comes back to what [`Learner::agent_state`] gave.
    ///
    /// # Errors
    /// If the state belongs to another network or algorithm.
    pub fn set_agent_state(&mut self, state: &AgentState) -> Result<()> {
        Ok(self.agent.restore(state)?)
    }

    /// See [`Agent::settle`].
    pub fn settle(&mut self) {
        self.agent.settle();
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
