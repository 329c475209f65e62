//! The preparer: keeps the episodic memory, and chooses with the loss policy what is contrasted.

mod align;
mod save;
#[cfg(test)]
mod tests;

pub use align::AlignData;

use crate::config::{ContrastSection, MemorySection, NegativeLawName};
use crate::contrast::{
    AnchorMix, CodingRequest, ContrastReport, ContrastSpec, Contrasts, ContrastsConfig,
    DistanceConfig, NegativeLaw,
};
use crate::memory::{Segment, SegmentId};
use crate::message::{self, DistillJob, TokenUpdate};
use anyhow::{Context as _, Result};
use contrail_agents::Relation;
use contrail_agents::loss_policy::{Choice, LossPolicy, LossPolicyConfig, PolicyState};
use contrail_envs::{Prng, SeedStream};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Env steps that count as one unit of a phase's age.
const PHASE_AGE_UNIT_ENV_STEPS: f64 = 10_000.0;
/// Candidates for behavioral positives for each candidate for negatives.
const POSITIVE_CANDIDATES: usize = 2;
/// Of the episodes of a collection, every so manieth is held out.
const HELD_OUT_PERIOD_EPISODES: u64 = 8;
/// What is left of the old value in the running mean of the decision loss, a measurement.
const LOSS_MEMORY: f64 = 0.95;

/// What a [`Preparer`] is made of.
pub struct PreparerParts {
    /// Shape of the memory and of the current stream.
    pub stores: ContrastsConfig,
    /// What a contrast is.
    pub contrast: ContrastSection,
    /// Who chooses contrasts.
    pub loss_policy: LossPolicyConfig,
    /// What the teacher reads of it, and how often.
    pub memory: MemorySection,
    /// Whether the actors' actions are an expert's.
    pub expert: bool,
    /// Its own seeds.
    pub seeds: SeedStream,
}

/// Episodic memory, current stream and loss policy. It works off the learner's thread and meets
/// the learner in two messages: [`DistillJob`] goes, [`TokenUpdate`] comes back, one for each
/// update and in order.
pub struct Preparer {
    parts: PreparerParts,
    contrasts: Contrasts,
    /// Episodes of a collection that no alignment learns from.
    held_out: Option<Contrasts>,
    policy: LossPolicy,
    /// Arms of jobs that the learner has not answered, the oldest first.
    under_way: VecDeque<UnderWay>,
    books: Books,
}

/// A job that the learner has not answered.
#[derive(Default)]
struct UnderWay {
    /// Its arm; none if there is no contrast in it.
    choice: Option<Choice>,
    /// The memory's segment of each anchor whose loss is told; empty where none is.
    segments: Vec<Option<SegmentId>>,
}

/// What goes on over a resume, beside stores and policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Books {
    rng: Prng,
    /// Decision updates that were prepared.
    updates: u64,
    /// Contrast updates owed, a fraction of one.
    owed: f64,
    /// Arm of the last answered job, whose worth the next answer tells.
    previous: Option<Choice>,
    phase_begun_env_steps: u64,
    mean_loss: Option<f64>,
    state: PolicyState,
    report: ContrastReport,
    collects: bool,
    /// Subspace of the present phase, where that is declared: the current stream takes no other.
    phase_subspace: Option<u32>,
    /// Segments for the teacher to read that are owed, a fraction of one.
    coding_owed: f64,
    /// Curves were asked for and no contrast has reported them yet.
    detail_due: bool,
}

impl Preparer {
    /// A preparer with empty stores.
    ///
    /// # Errors
    /// If the memory cannot be allocated, or the loss policy cannot work.
    pub fn new(parts: PreparerParts) -> Result<Self> {
        let state = PolicyState {
            phase_age: 0.0,
            decision_loss: f64::NAN,
            bound_gap: f64::NAN,
            collision_rate: f64::NAN,
        };
        Ok(Self {
            contrasts: Contrasts::new(&parts.stores)?,
            held_out: None,
            policy: LossPolicy::new(&parts.loss_policy)?,
            under_way: VecDeque::new(),
            books: Books {
                rng: parts.seeds.rng(),
                updates: 0,
                owed: 0.0,
                previous: None,
                phase_begun_env_steps: 0,
                mean_loss: None,
                state,
                report: ContrastReport::default(),
                collects: false,
                phase_subspace: None,
                coding_owed: 0.0,
                detail_due: false,
            },
            parts,
        })
    }

    /// Puts segments among the newest, and offers them to the memory. Those of an episode that
    /// began before a declared shift are not of the current stream, and go to the memory alone.
    ///
    /// # Errors
    /// If a segment does not fit, or comes twice.
    pub fn insert(&mut self, segments: &[Segment]) -> Result<()> {
        for segment in segments {
            if self.books.phase_subspace.is_some_and(|own| own != segment.subspace) {
                self.contrasts.insert_old(segment, &mut self.books.rng)?;
                continue;
            }
            // Streams whose episodes are equally long take turns, or all would be held out at once.
            let turn = (segment.episode + u64::from(segment.stream)) % HELD_OUT_PERIOD_EPISODES;
            let held_out = self.books.collects && turn == HELD_OUT_PERIOD_EPISODES - 1;
            match &mut self.held_out {
                Some(store) if held_out => store.insert(segment, &mut self.books.rng)?,
                _ => self.contrasts.insert(segment, &mut self.books.rng)?,
            };
        }
        Ok(())
    }

    /// What goes to the learner with the next minibatch. `detail` asks for curves.
    ///
    /// # Errors
    /// If a store is damaged.
    pub fn prepare(&mut self, env_steps: u64, detail: bool) -> Result<DistillJob> {
        self.books.updates += 1;
        self.books.detail_due |= detail;
        self.books.owed += self.parts.contrast.updates_per_update;
        self.books.coding_owed += self.parts.memory.coded_per_update;
        let count = self.books.owed.floor();
        self.books.owed -= count;
        let (mut job, mut chosen) = (DistillJob::default(), UnderWay::default());
        if count >= 1.0 {
            // The teacher reads when there is a contrast, so that the cost of both is one dial.
            job.coding = self.next_coding()?;
            if self.books.updates > self.parts.contrast.warmup_updates {
                chosen = self.choose(env_steps, count as usize, &mut job)?;
            }
        }
        self.under_way.push_back(chosen);
        job.detail = self.books.detail_due && job.joint.is_some();
        if job.detail {
            self.books.detail_due = false;
            let drawn = self.books.report.curves().into_iter();
            job.metrics.extend(drawn.map(|(name, value)| (name.to_owned(), value)));
        }
        if detail {
            job.metrics.extend(self.metrics());
            job.histograms = vec![("loss_policy/arms".into(), self.policy.choice_histogram())];
        }
        Ok(job)
    }

    /// Segments for the teacher to read, if some were not read for long: what is owed since the
    /// contrast before. Where there is less to read, the rest is not owed later.
    fn next_coding(&mut self) -> Result<Option<CodingRequest>> {
        let age = self.parts.memory.readings_age_updates;
        let oldest = self.contrasts.newest_version().saturating_sub(age);
        let limit = self.books.coding_owed.floor();
        self.books.coding_owed -= limit;
        if limit < 1.0 {
            return Ok(None);
        }
        Ok(self.contrasts.to_code(oldest, limit as usize)?)
    }

    /// Lets the loss policy choose an arm and draws `count` batches of it, of which the last joins
    /// the decision update. An arm without contrast is paid its 0 at once.
    ///
    /// How badly what followed was expected is the loss of a predictive contrast: that is what
    /// surprises, where segments are drawn by it.
    fn choose(&mut self, env_steps: u64, count: usize, job: &mut DistillJob) -> Result<UnderWay> {
        let age = env_steps.saturating_sub(self.books.phase_begun_env_steps);
        self.books.state.phase_age = age as f64 / PHASE_AGE_UNIT_ENV_STEPS;
        let choice = self.policy.choose(&self.books.state, &mut self.books.rng);
        let arm = self.policy.arms()[choice.arm].clone();
        let Some(relation) = arm.relation else {
            self.policy.reward(&choice, 0.0)?;
            return Ok(UnderWay::default());
        };
        let surprises =
            relation == Relation::Predictive && self.parts.contrast.memory_by_surprise > 0.0;
        let mut segments = Vec::new();
        let expert = self.parts.expert && self.books.detail_due;
        let spec = ContrastSpec { expert, ..self.spec(relation, arm.beta) };
        // A single arm is compared with nothing.
        let measured = self.parts.loss_policy.kind.compares();
        for _ in 0..count {
            let prepared = self.contrasts.prepare(&spec, &mut self.books.rng)?;
            let Some(prepared) = prepared else { break };
            self.books.report = prepared.report;
            if self.parts.stores.memory.codes.groups > 0 {
                self.books.state.collision_rate = prepared.report.code_collision_share;
            }
            let (batch, weight) = (prepared.batch, arm.weight);
            segments = if surprises { prepared.segments } else { Vec::new() };
            job.alone.push(message::Contrasts { batch, weight, measured, surprises });
        }
        job.joint = job.alone.pop();
        if job.joint.is_none() {
            // Nothing to draw from is no contrast, and worth as much; or it would be tried for ever.
            self.policy.reward(&choice, 0.0)?;
            return Ok(UnderWay::default());
        }
        Ok(UnderWay { choice: Some(choice), segments })
    }

    /// The spec of an arm.
    fn spec(&self, relation: Relation, beta: f64) -> ContrastSpec {
        let contrast = &self.parts.contrast;
        ContrastSpec {
            relation,
            law: match contrast.negative_law {
                NegativeLawName::Weighted => NegativeLaw::Weighted { beta },
                NegativeLawName::Hardest => NegativeLaw::Hardest,
            },
            anchors: contrast.anchors,
            positives: if relation == Relation::Predictive { 1 } else { contrast.positives },
            negatives: contrast.negatives,
            positive_candidates: contrast.candidates * POSITIVE_CANDIDATES,
            negative_candidates: contrast.candidates,
            shared_negatives: true,
            memory_share: contrast.memory_share,
            anchors_from: AnchorMix {
                by_return: contrast.memory_by_return,
                by_surprise: contrast.memory_by_surprise,
            },
            reach: contrast.positive_distance,
            balance_actions: contrast.balance_actions,
            delta: contrast.negative_distance,
            temporal_max_env_steps: contrast.temporal_max_env_steps,
            distance: DistanceConfig {
                horizon_env_steps: contrast.distance_horizon_env_steps,
                gamma: contrast.distance_gamma,
                reward_coefficient: contrast.distance_reward_weight,
                behavior: contrast.distance_behavior,
                after_end: contrast.distance_after_end,
                width: contrast.positive_width,
            },
            shuffled: contrast.shuffled,
            expert: false,
        }
    }

    /// Takes the answer to the oldest job that was not answered.
    ///
    /// # Errors
    /// If readings or a reward do not belong here.
    pub fn take(&mut self, update: &TokenUpdate) -> Result<()> {
        if let Some(readings) = &update.readings {
            self.contrasts.take_readings(readings)?;
        }
        let answered = self.under_way.pop_front().context("an answer came to no job")?;
        if let (Some(choice), Some(gain)) = (&self.books.previous, update.gain) {
            self.policy.reward(choice, gain)?;
        }
        self.books.previous = answered.choice;
        let told = answered.segments.iter().zip(&update.surprises);
        let (ids, surprises): (Vec<SegmentId>, Vec<f32>) =
            told.filter_map(|(id, surprise)| Some(((*id)?, *surprise))).unzip();
        self.contrasts.update_surprises(&ids, &surprises)?;
        if let Some(loss) = update.decision_loss {
            let mean = self.books.mean_loss.unwrap_or(loss);
            self.books.state.decision_loss = if mean > 0.0 { loss / mean } else { f64::NAN };
            self.books.mean_loss = Some(LOSS_MEMORY * mean + (1.0 - LOSS_MEMORY) * loss);
        }
        if let Some(gap) = update.bound_gap {
            self.books.state.bound_gap = gap;
        }
        Ok(())
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = self.policy.metrics();
        metrics.push(("aux/memory_segments".into(), self.contrasts.memory().len() as f64));
        metrics.push(("aux/stream_segments".into(), self.contrasts.recent().len() as f64));
        let missing = self.contrasts.missing();
        let counts = [
            ("segments", missing.segments),
            ("readings", missing.readings),
            ("positives", missing.positives),
            ("other_subspace", missing.other_subspace),
        ];
        let missing = counts.map(|(why, n)| (format!("aux/missing_{why}"), n as f64));
        metrics.extend(missing);
        metrics
    }

    /// Segments of the current stream.
    #[must_use]
    pub fn stream_segments(&self) -> usize {
        self.contrasts.recent().len()
    }

    /// The loss policy.
    #[must_use]
    pub fn loss_policy(&self) -> &LossPolicy {
        &self.policy
    }
}
