//! An actor: a vector of environments, one batched policy call for all of them.

use super::{action_row, check_obs, check_reward, guarded, obs_batch, row_mut, row_ref};
use crate::config::{EpsilonSchedule, ExplorationConfig, RewardClip};
use crate::message::{PolicySnapshot, TransitionBlock};
use crate::replay::{NStepAccumulator, NStepConfig, OneStep};
use anyhow::{Context as _, Result, ensure};
use contrail_agents::{ActMode, ObsBatch, Policy};
use contrail_envs::{Environment, Prng, SeedStream, Step};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How an actor varies its actions over the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Exploration {
    epsilon: EpsilonSchedule,
    initial_random_env_steps: u64,
}

impl Exploration {
    /// As the config says.
    #[must_use]
    pub fn new(config: &ExplorationConfig) -> Self {
        Self { epsilon: config.epsilon, initial_random_env_steps: config.initial_random_env_steps }
    }

    /// Probability of a uniformly random action after `env_steps` of all actors.
    #[must_use]
    pub fn epsilon(&self, env_steps: u64) -> f64 {
        let EpsilonSchedule { start, end, decay_env_steps } = self.epsilon;
        if env_steps < self.initial_random_env_steps {
            1.0
        } else if env_steps >= decay_env_steps {
            end
        } else {
            start + (end - start) * env_steps as f64 / decay_env_steps as f64
        }
    }

    fn mode(&self, env_steps: u64) -> ActMode {
        if env_steps < self.initial_random_env_steps {
            ActMode::Uniform
        } else {
            ActMode::Explore { epsilon: self.epsilon(env_steps) }
        }
    }
}

/// What an actor is made of.
pub struct ActorParts {
    /// Its number, from 0.
    pub index: usize,
    /// Its environments, wrapped, each with the number of its stream.
    pub envs: Vec<(u32, Box<dyn Environment>)>,
    /// Its own copy of the policy.
    pub policy: Box<dyn Policy>,
    /// Its branch of the root seed.
    pub seeds: SeedStream,
    /// How it explores.
    pub exploration: Exploration,
    /// What its transitions look like.
    pub n_step: NStepConfig,
    /// Factor on the reward that the learner sees.
    pub reward_scale: f64,
    /// Bounds of the reward that the learner sees, after scaling.
    pub reward_clip: Option<RewardClip>,
}

/// An episode that ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeEnd {
    /// Undiscounted sum of the environment's rewards, before scaling and clipping.
    pub episode_return: f64,
    /// Decisions.
    pub length_env_steps: u64,
    /// Subspace it was drawn from.
    pub subspace: u32,
}

/// What one vector step of an actor gave, beside its transitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActReport {
    /// Decisions: the number of environments.
    pub env_steps: u64,
    /// Simulator ticks.
    pub frames: u64,
    /// Version of the policy that acted.
    pub version: u64,
    /// Episodes that ended.
    pub episodes: Vec<EpisodeEnd>,
    /// Time in the policy.
    pub policy_time: Duration,
    /// Time in the environments.
    pub env_time: Duration,
}

/// One environment and its running episode.
struct Stream {
    env: Box<dyn Environment>,
    seeds: SeedStream,
    accumulator: NStepAccumulator,
    episodes_begun: u64,
    episode_return: f64,
    length_env_steps: u64,
}

/// A worker that acts.
pub struct Actor {
    index: usize,
    policy: Box<dyn Policy>,
    version: Option<u64>,
    rng: Prng,
    exploration: Exploration,
    streams: Vec<Stream>,
    n_step: NStepConfig,
    reward_scale: f64,
    reward_clip: Option<RewardClip>,
    obs: ObsBatch,      // [E, obs...]
    next_obs: ObsBatch, // [E, obs...]
}

/// Everything an [`Actor`] needs to continue exactly.
#[derive(Serialize, Deserialize)]
pub struct ActorState {
    rng: Prng,
    obs: ObsBatch,
    streams: Vec<StreamState>,
}

#[derive(Serialize, Deserialize)]
struct StreamState {
    env: Vec<u8>,
    accumulator: NStepAccumulator,
    episodes_begun: u64,
    episode_return: f64,
    length_env_steps: u64,
}

impl Actor {
    /// An actor at the beginning of its first episodes.
    ///
    /// # Errors
    /// If an environment cannot be reset.
    pub fn new(parts: ActorParts) -> Result<Self> {
        let ActorParts {
            index,
            envs,
            policy,
            seeds,
            exploration,
            n_step,
            reward_scale,
            reward_clip,
        } = parts;
        let streams = envs.into_iter().enumerate().map(|(i, (number, env))| {
            let seeds = seeds.stream("env").index(i as u64);
            let accumulator = NStepAccumulator::new(&n_step, number)?;
            Ok(Stream {
                env,
                seeds,
                accumulator,
                episodes_begun: 0,
                episode_return: 0.0,
                length_env_steps: 0,
            })
        });
        let streams = streams.collect::<Result<Vec<_>>>()?;
        let (obs, next_obs) =
            (obs_batch(&n_step.obs, streams.len()), obs_batch(&n_step.obs, streams.len()));
        let rng = seeds.stream("policy").rng();
        let mut actor = Self {
            index,
            policy,
            version: None,
            rng,
            exploration,
            streams,
            n_step,
            reward_scale,
            reward_clip,
            obs,
            next_obs,
        };
        for row in 0..actor.streams.len() {
            actor.begin_episode(row)?;
        }
        actor.obs = actor.next_obs.clone();
        Ok(actor)
    }

    /// Chooses an action for every environment, steps each, and appends what became final to a
    /// new block. `env_steps` is the count of all actors before this step.
    ///
    /// # Errors
    /// If the policy or an environment fails; the error names actor and environment.
    pub fn step(
        &mut self,
        snapshot: &PolicySnapshot,
        env_steps: u64,
    ) -> Result<(TransitionBlock, ActReport)> {
        if self.version != Some(snapshot.version) {
            self.policy.load(&snapshot.params);
            self.version = Some(snapshot.version);
        }
        let begin = Instant::now();
        let actions = self
            .policy
            .act(&self.obs, self.exploration.mode(env_steps), &mut self.rng)
            .with_context(|| format!("actor {}", self.index))?;
        let acted = Instant::now();
        let rows = self.streams.len();
        let mut block = self.n_step.new_block(rows);
        let mut report =
            ActReport { env_steps: rows as u64, version: snapshot.version, ..ActReport::default() };
        for row in 0..rows {
            let step = self
                .step_stream(row, action_row(&actions, row, rows), &mut block)
                .with_context(|| format!("actor {}, environment {row}", self.index))?;
            report.frames += u64::from(step.frames);
            if step.outcome.ends_episode() {
                report.episodes.push(self.streams[row].ended());
                self.begin_episode(row)?;
            }
        }
        std::mem::swap(&mut self.obs, &mut self.next_obs);
        report.policy_time = acted - begin;
        report.env_time = acted.elapsed();
        Ok((block, report))
    }

    fn step_stream(
        &mut self,
        row: usize,
        action: contrail_envs::Action<'_>,
        block: &mut TransitionBlock,
    ) -> Result<Step> {
        let len = self.n_step.obs.len();
        let stream = &mut self.streams[row];
        let step = guarded(|| stream.env.step(action, row_mut(&mut self.next_obs, row, len)))?;
        check_reward(step.reward)?;
        check_obs(row_ref(&self.next_obs, row, len))?;
        stream.episode_return += f64::from(step.reward);
        stream.length_env_steps += 1;
        let mut reward = f64::from(step.reward) * self.reward_scale;
        if let Some(clip) = self.reward_clip {
            reward = reward.clamp(clip.low, clip.high);
        }
        let one = OneStep {
            obs: row_ref(&self.obs, row, len),
            action,
            reward: reward as f32,
            outcome: step.outcome,
            next_obs: row_ref(&self.next_obs, row, len),
            subspace: 0,
        };
        stream.accumulator.push(one, block);
        Ok(step)
    }

    /// Resets environment `row`; its first observation takes the place of the final one, which is
    /// in the block by now.
    fn begin_episode(&mut self, row: usize) -> Result<()> {
        let stream = &mut self.streams[row];
        let seed = stream.seeds.index(stream.episodes_begun).seed();
        stream.episodes_begun += 1;
        let context = stream.env.spec().context.default_context();
        let len = self.n_step.obs.len();
        guarded(|| stream.env.reset(seed, &context, row_mut(&mut self.next_obs, row, len)))
            .and_then(|()| check_obs(row_ref(&self.next_obs, row, len)))
            .with_context(|| {
                format!("actor {}, environment {row}: reset with seed {seed}", self.index)
            })
    }

    /// Number of its environments: decisions of one step.
    #[must_use]
    pub fn num_envs(&self) -> usize {
        self.streams.len()
    }

    /// Everything needed to continue exactly.
    ///
    /// # Errors
    /// If an environment cannot be saved.
    pub fn save(&self) -> Result<ActorState> {
        let streams = self.streams.iter().map(|stream| {
            let mut env = Vec::new();
            stream.env.save_state(&mut env)?;
            Ok(StreamState {
                env,
                accumulator: stream.accumulator.clone(),
                episodes_begun: stream.episodes_begun,
                episode_return: stream.episode_return,
                length_env_steps: stream.length_env_steps,
            })
        });
        Ok(ActorState {
            rng: self.rng.clone(),
            obs: self.obs.clone(),
            streams: streams.collect::<Result<_>>()?,
        })
    }

    /// Continues from what [`Actor::save`] gave.
    ///
    /// # Errors
    /// If the state belongs to an actor with other environments.
    pub fn restore(&mut self, state: ActorState) -> Result<()> {
        let (have, want) = (state.streams.len(), self.streams.len());
        ensure!(
            have == want,
            "actor {}: {have} environments were saved, this run has {want}",
            self.index
        );
        for (stream, saved) in self.streams.iter_mut().zip(state.streams) {
            stream.env.restore_state(&saved.env)?;
            stream.accumulator = saved.accumulator;
            stream.episodes_begun = saved.episodes_begun;
            stream.episode_return = saved.episode_return;
            stream.length_env_steps = saved.length_env_steps;
        }
        (self.rng, self.obs) = (state.rng, state.obs);
        self.next_obs = self.obs.clone();
        Ok(())
    }
}

impl Stream {
    /// The episode that just ended; its sums start anew.
    fn ended(&mut self) -> EpisodeEnd {
        EpisodeEnd {
            episode_return: std::mem::take(&mut self.episode_return),
            length_env_steps: std::mem::take(&mut self.length_env_steps),
            subspace: 0,
        }
    }
}
