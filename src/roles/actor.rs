//! An actor: a vector of environments, one batched policy call for all of them.

use super::{
    Exploration, Fault, FaultPolicy, MakeEnvs, OnFault, action_row, check_obs, check_reward,
    guarded, obs_batch, row_mut, row_ref,
};
use crate::config::{Behavior, RewardClip};
use crate::memory::{MemoryConfig, SegmentBuilder};
use crate::message::{PolicySnapshot, TransitionBlock};
use crate::replay::{NStepAccumulator, NStepConfig, OneStep};
use crate::subspaces::{Assigned, SubspacePlan};
use anyhow::{Context as _, Error, Result, ensure};
use contrail_agents::{ActionBatch, ObsBatch, Policy};
use contrail_envs::{EnvError, Environment, Prng, SeedStream, Step};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an actor is made of.
pub struct ActorParts {
    /// Its number, from 0.
    pub index: usize,
    /// Makes its environments, wrapped.
    pub make_envs: MakeEnvs,
    /// Number of the stream of its first environment; the others follow.
    pub first_stream: u32,
    /// Where their episodes take place.
    pub plan: Arc<SubspacePlan>,
    /// What follows when one of them fails.
    pub faults: FaultPolicy,
    /// Its own copy of the policy.
    pub policy: Box<dyn Policy>,
    /// Its branch of the root seed.
    pub seeds: SeedStream,
    /// How it explores.
    pub exploration: Exploration,
    /// Who chooses its actions.
    pub behavior: Behavior,
    /// What its transitions look like.
    pub n_step: NStepConfig,
    /// What its segments for the episodic memory look like, if there is one.
    pub memory: Option<MemoryConfig>,
    /// Factor on the reward that the learner sees.
    pub reward_scale: f64,
    /// Bounds of the reward that the learner sees, after scaling.
    pub reward_clip: Option<RewardClip>,
}

/// An episode that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeEnd {
    /// Undiscounted sum of the environment's rewards, before scaling and clipping.
    pub episode_return: f64,
    /// Decisions.
    pub length_env_steps: u64,
    /// Which environment of which actor.
    pub stream: u32,
    /// Number of its subspace, and the context drawn from that.
    pub assigned: Assigned,
}

/// What one vector step of an actor gave, beside its transitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActReport {
    /// Decisions: the number of environments, those included whose answer was lost in a fault.
    pub env_steps: u64,
    /// Simulator ticks.
    pub frames: u64,
    /// Version of the policy that acted.
    pub version: u64,
    /// `[env_steps]` which environment decided, and in which subspace.
    pub played: Vec<(u32, u32)>,
    /// Episodes that ended.
    pub episodes: Vec<EpisodeEnd>,
    /// Faults of environments that were survived.
    pub faults: Vec<Fault>,
    /// Episodes that were given up because of them.
    pub broken_episodes: u64,
    /// Time in the policy.
    pub policy_time: Duration,
    /// Time in the environments.
    pub env_time: Duration,
}

/// The running episode of one environment.
struct Stream {
    number: u32,
    seeds: SeedStream,
    accumulator: NStepAccumulator,
    /// What the episodic memory gets, if there is one.
    segments: Option<SegmentBuilder>,
    /// Where the running episode takes place.
    assigned: Assigned,
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
    behavior: Behavior,
    make_envs: MakeEnvs,
    plan: Arc<SubspacePlan>,
    /// Env steps of all actors before the next step, if they take turns: what the schedule reads
    /// for an episode that begins now.
    next_env_steps: u64,
    faults: FaultPolicy,
    envs: Vec<Box<dyn Environment>>,
    /// One for each environment.
    streams: Vec<Stream>,
    /// Streams that broke off since the last block.
    broken_off: Vec<u32>,
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
    next_env_steps: u64,
    obs: ObsBatch,
    streams: Vec<StreamState>,
    broken_off: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct StreamState {
    /// Absent if environments of this kind cannot be saved.
    env: Option<Vec<u8>>,
    accumulator: NStepAccumulator,
    segments: Option<SegmentBuilder>,
    assigned: Assigned,
    episodes_begun: u64,
    episode_return: f64,
    length_env_steps: u64,
}

impl Actor {
    /// An actor at the beginning of its first episodes.
    ///
    /// # Errors
    /// If an environment cannot be made or reset.
    pub fn new(parts: ActorParts) -> Result<Self> {
        let ActorParts { index, make_envs, first_stream, policy, seeds, n_step, .. } = parts;
        let envs = make_envs()?;
        let streams = (first_stream..).zip(0..envs.len() as u64).map(|(number, i)| {
            Ok(Stream {
                number,
                seeds: seeds.stream("env").index(i),
                accumulator: NStepAccumulator::new(&n_step, number)?,
                segments: parts.memory.as_ref().map(|m| SegmentBuilder::new(m, number)),
                assigned: Assigned::default(),
                episodes_begun: 0,
                episode_return: 0.0,
                length_env_steps: 0,
            })
        });
        let streams = streams.collect::<Result<Vec<_>>>()?;
        let (obs, next_obs) =
            (obs_batch(&n_step.obs, streams.len()), obs_batch(&n_step.obs, streams.len()));
        let mut actor = Self {
            index,
            policy,
            version: None,
            rng: seeds.stream("policy").rng(),
            exploration: parts.exploration,
            behavior: parts.behavior,
            make_envs,
            plan: parts.plan,
            next_env_steps: 0,
            faults: parts.faults,
            envs,
            streams,
            broken_off: Vec::new(),
            n_step,
            reward_scale: parts.reward_scale,
            reward_clip: parts.reward_clip,
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
    /// If the policy fails, or an environment in a way that the fault policy does not survive; the
    /// error names actor and environment.
    pub fn step(
        &mut self,
        snapshot: &PolicySnapshot,
        env_steps: u64,
    ) -> Result<(TransitionBlock, ActReport)> {
        if self.version != Some(snapshot.version) {
            self.policy.load(&snapshot.params);
            self.version = Some(snapshot.version);
        }
        self.next_env_steps = env_steps + self.plan.streams();
        let begin = Instant::now();
        let actions = match self.behavior {
            Behavior::Policy => {
                let mode = self.exploration.mode(env_steps);
                self.policy.act(&self.obs, mode, &mut self.rng).map_err(Error::from)
            }
            Behavior::Expert => self.expert_actions(),
        };
        let actions = actions.with_context(|| format!("actor {}", self.index))?;
        let acted = Instant::now();
        let rows = self.streams.len();
        let mut block = self.n_step.new_block(rows);
        block.broken_off.append(&mut self.broken_off);
        let mut report = ActReport {
            env_steps: rows as u64,
            version: snapshot.version,
            played: self.streams.iter().map(|s| (s.number, s.assigned.subspace)).collect(),
            ..ActReport::default()
        };
        self.step_envs((&actions, env_steps), &mut block, &mut report)?;
        std::mem::swap(&mut self.obs, &mut self.next_obs);
        report.policy_time = acted - begin;
        report.env_time = acted.elapsed();
        Ok((block, report))
    }

    /// Acts at random until `env_steps` of all actors.
    pub fn act_randomly_until(&mut self, env_steps: u64) {
        self.exploration.act_randomly_until(env_steps);
    }

    /// Reads the next policy whatever its version says: a shift changes parameters between updates.
    pub fn forget_policy(&mut self) {
        self.version = None;
    }

    /// What the environments' own experts do.
    fn expert_actions(&self) -> Result<ActionBatch> {
        let action = |env: &dyn Environment| {
            let expert = env.expert_action().and_then(|action| i64::try_from(action).ok());
            expert.with_context(|| {
                let id = &env.spec().id;
                format!("actors.behavior is \"expert\", and {id} knows no expert")
            })
        };
        let actions = self.envs.iter().map(|env| action(&**env)).collect::<Result<_>>()?;
        Ok(ActionBatch::Discrete(actions))
    }

    /// Steps every environment. After a fault that took all of them, all are at the beginning of
    /// new episodes, and the steps not yet asked for are lost.
    fn step_envs(
        &mut self,
        (actions, env_steps): (&ActionBatch, u64),
        block: &mut TransitionBlock,
        report: &mut ActReport,
    ) -> Result<()> {
        let rows = self.streams.len();
        for row in 0..rows {
            self.envs[row].announce(action_row(actions, row, rows))?;
        }
        for row in 0..rows {
            let at = env_steps + row as u64;
            let stepped = self.step_env((row, at), action_row(actions, row, rows), block);
            let survived = match stepped {
                Ok(step) => {
                    report.frames += u64::from(step.frames);
                    if !step.outcome.ends_episode() {
                        continue;
                    }
                    report.episodes.push(self.streams[row].ended());
                    self.begin_episode(row)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = survived
                && self.recover(row, error, report)? == OnFault::Restart
            {
                break;
            }
        }
        Ok(())
    }

    fn step_env(
        &mut self,
        (row, env_steps): (usize, u64),
        action: contrail_envs::Action<'_>,
        block: &mut TransitionBlock,
    ) -> Result<Step> {
        let len = self.n_step.obs.len();
        let (env, stream) = (&mut self.envs[row], &mut self.streams[row]);
        let step = guarded(|| env.step(action, row_mut(&mut self.next_obs, row, len)))
            .and_then(|step| {
                check_reward(step.reward)
                    .and_then(|()| check_obs(row_ref(&self.next_obs, row, len)))
                    .with_context(|| env.spec().id.clone())?;
                Ok(step)
            })
            .with_context(|| {
                let step = stream.length_env_steps + 1;
                format!("actor {}, environment {row}, step {step} of its episode", self.index)
            })?;
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
            subspace: stream.assigned.subspace,
            context: &stream.assigned.context.values,
        };
        if let Some(builder) = &mut stream.segments {
            block.segments.extend(builder.push(one, env_steps).cloned());
        }
        stream.accumulator.push(one, block);
        Ok(step)
    }

    /// After a fault of environment `row`: begins a new episode there, or in all environments.
    /// Says which.
    fn recover(&mut self, row: usize, error: Error, report: &mut ActReport) -> Result<OnFault> {
        let (on_fault, text) = self.faults.decide(error)?;
        if on_fault == OnFault::SkipEpisode {
            self.break_off(row, report);
            match self.begin_episode(row) {
                Ok(()) => {
                    report.faults.push(Fault { text, restarted: false });
                    return Ok(OnFault::SkipEpisode);
                }
                Err(error) => {
                    report.faults.push(Fault { text, restarted: false });
                    return self.restart(self.faults.decide(error)?.1, report);
                }
            }
        }
        self.restart(text, report)
    }

    /// Makes all environments anew, until that succeeds or no fault is left.
    fn restart(&mut self, mut text: String, report: &mut ActReport) -> Result<OnFault> {
        for row in 0..self.streams.len() {
            self.break_off(row, report);
        }
        loop {
            report.faults.push(Fault { text, restarted: true });
            self.envs.clear(); // ends their worker before the next one begins
            let made = guarded(&self.make_envs)
                .with_context(|| format!("actor {}: its environments cannot be made", self.index));
            let begun = made.and_then(|envs| {
                self.envs = envs;
                (0..self.streams.len()).try_for_each(|row| self.begin_episode(row))
            });
            match begun {
                Ok(()) => return Ok(OnFault::Restart),
                Err(error) => text = self.faults.decide(error)?.1,
            }
        }
    }

    /// Gives up the episode of `row`: its open windows are forgotten here, and by the replay
    /// before it reads the next block.
    fn break_off(&mut self, row: usize, report: &mut ActReport) {
        let stream = &mut self.streams[row];
        stream.accumulator.break_off();
        if let Some(builder) = &mut stream.segments {
            builder.break_off();
        }
        if stream.length_env_steps > 0 {
            report.broken_episodes += 1;
        }
        stream.ended();
        self.broken_off.push(stream.number);
    }

    /// Resets environment `row`; its first observation takes the place of the final one, which is
    /// in the block by now.
    fn begin_episode(&mut self, row: usize) -> Result<()> {
        let stream = &mut self.streams[row];
        let seed = stream.seeds.index(stream.episodes_begun).seed();
        stream.assigned =
            self.plan.assign(stream.number, stream.episodes_begun, self.next_env_steps);
        stream.episodes_begun += 1;
        let (env, context) = (&mut self.envs[row], &stream.assigned.context);
        let len = self.n_step.obs.len();
        guarded(|| env.reset(seed, context, row_mut(&mut self.next_obs, row, len)))
            .and_then(|()| check_obs(row_ref(&self.next_obs, row, len)))
            .with_context(|| {
                format!("actor {}, environment {row}, reset with seed {seed}", self.index)
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
        let streams = self.envs.iter().zip(&self.streams).map(|(env, stream)| {
            let mut state = Vec::new();
            let env = match env.save_state(&mut state) {
                Ok(()) => Some(state),
                Err(EnvError::Unsavable { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            Ok(StreamState {
                env,
                accumulator: stream.accumulator.clone(),
                segments: stream.segments.clone(),
                assigned: stream.assigned.clone(),
                episodes_begun: stream.episodes_begun,
                episode_return: stream.episode_return,
                length_env_steps: stream.length_env_steps,
            })
        });
        Ok(ActorState {
            rng: self.rng.clone(),
            next_env_steps: self.next_env_steps,
            obs: self.obs.clone(),
            streams: streams.collect::<Result<_>>()?,
            broken_off: self.broken_off.clone(),
        })
    }

    /// Continues from what [`Actor::save`] gave. Environments that could not be saved begin new
    /// episodes; returns how many.
    ///
    /// # Errors
    /// If the state belongs to an actor with other environments.
    pub fn restore(&mut self, state: ActorState) -> Result<u64> {
        let (have, want) = (state.streams.len(), self.streams.len());
        ensure!(
            have == want,
            "actor {}: {have} environments were saved, this run has {want}",
            self.index
        );
        (self.rng, self.broken_off) = (state.rng, state.broken_off);
        self.next_env_steps = state.next_env_steps;
        self.next_obs = state.obs;
        let mut begun_anew = 0;
        for (row, saved) in state.streams.into_iter().enumerate() {
            let stream = &mut self.streams[row];
            stream.accumulator = saved.accumulator;
            stream.segments = saved.segments.or(stream.segments.take());
            stream.assigned = saved.assigned;
            stream.episodes_begun = saved.episodes_begun;
            stream.episode_return = saved.episode_return;
            stream.length_env_steps = saved.length_env_steps;
            if let Some(env) = saved.env {
                self.envs[row].restore_state(&env)?;
            } else {
                self.break_off(row, &mut ActReport::default());
                self.begin_episode(row)?;
                begun_anew += 1;
            }
        }
        self.obs = self.next_obs.clone();
        Ok(begun_anew)
    }
}

impl Stream {
    /// The episode that just ended; its sums start anew.
    fn ended(&mut self) -> EpisodeEnd {
        EpisodeEnd {
            episode_return: std::mem::take(&mut self.episode_return),
            length_env_steps: std::mem::take(&mut self.length_env_steps),
            stream: self.number,
            assigned: self.assigned.clone(),
        }
    }
}
