//! The evaluator: greedy episodes on environments and seeds of its own.

use super::{action_row, check_obs, check_reward, guarded, obs_batch, row_mut, row_ref};
use anyhow::{Context as _, Result};
use contrail_agents::{ActMode, ObsBatch, Policy};
use contrail_envs::{Action, Environment, ObsSpace, RgbFrame, SeedStream, Step};
use serde::{Deserialize, Serialize};

/// Where an evaluation cuts an episode that does not end: an environment without a time limit must
/// not hang a run. A hundred thousand decisions are more than any published limit.
const MAX_EPISODE_ENV_STEPS: u64 = 100_000;

/// What an evaluator is made of.
pub struct EvaluatorParts {
    /// Environments that never train.
    pub envs: Vec<Box<dyn Environment>>,
    /// Its own copy of the policy.
    pub policy: Box<dyn Policy>,
    /// Probability of a uniformly random action.
    pub epsilon: f64,
}

/// A worker that measures.
pub struct Evaluator {
    envs: Vec<Box<dyn Environment>>,
    policy: Box<dyn Policy>,
    epsilon: f64,
    space: ObsSpace,
    obs: ObsBatch, // [E, obs...]
}

/// Results of an evaluation, in the order of the episodes' seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Undiscounted sum of rewards of each episode.
    pub returns: Vec<f64>,
    /// Decisions of each episode.
    pub lengths_env_steps: Vec<u64>,
}

impl Evaluation {
    /// Mean return; NaN without episodes.
    #[must_use]
    pub fn mean_return(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len() as f64
    }

    /// Standard deviation of the returns over episodes (population).
    #[must_use]
    pub fn std_return(&self) -> f64 {
        let mean = self.mean_return();
        let squares = self.returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>();
        (squares / self.returns.len() as f64).sqrt()
    }

    /// Mean length; NaN without episodes.
    #[must_use]
    pub fn mean_length(&self) -> f64 {
        self.lengths_env_steps.iter().sum::<u64>() as f64 / self.lengths_env_steps.len() as f64
    }
}

/// An episode that an environment is busy with.
#[derive(Clone, Copy)]
struct Running {
    episode: usize,
    episode_return: f64,
    length_env_steps: u64,
}

impl Evaluator {
    /// An evaluator.
    ///
    /// # Panics
    /// If there is no environment: a bug.
    #[must_use]
    pub fn new(parts: EvaluatorParts) -> Self {
        let EvaluatorParts { envs, policy, epsilon } = parts;
        let space = envs[0].spec().obs.clone();
        let obs = obs_batch(&space, envs.len());
        Self { envs, policy, epsilon, space, obs }
    }

    /// Plays `episodes` episodes with `params`. Episode `i` is the same whatever the number of
    /// environments: its seed is number `i` of `seeds`, and all `episodes` are played to their
    /// end (at most 100,000 env steps), so that short ones are not preferred.
    ///
    /// # Errors
    /// If the policy or an environment fails.
    pub fn evaluate(
        &mut self,
        params: &[f32],
        episodes: usize,
        seeds: SeedStream,
    ) -> Result<Evaluation> {
        self.policy.load(params);
        let mut rng = seeds.stream("policy").rng();
        let mode = self.mode();
        let mut results = vec![(0.0, 0); episodes];
        let mut next = 0;
        let mut running = vec![None; self.envs.len()];
        loop {
            for (row, slot) in running.iter_mut().enumerate() {
                if slot.is_none() && next < episodes {
                    self.begin(row, seeds.stream("episode").index(next as u64).seed())?;
                    *slot =
                        Some(Running { episode: next, episode_return: 0.0, length_env_steps: 0 });
                    next += 1;
                }
            }
            if running.iter().all(Option::is_none) {
                break;
            }
            let actions = self.policy.act(&self.obs, mode, &mut rng).context("evaluator")?;
            let rows = self.envs.len();
            for (row, slot) in running.iter_mut().enumerate() {
                let Some(run) = slot else { continue };
                let step = self
                    .step(row, action_row(&actions, row, rows))
                    .with_context(|| format!("evaluator, environment {row}"))?;
                run.episode_return += f64::from(step.reward);
                run.length_env_steps += 1;
                if step.outcome.ends_episode() || run.length_env_steps >= MAX_EPISODE_ENV_STEPS {
                    results[run.episode] = (run.episode_return, run.length_env_steps);
                    *slot = None;
                }
            }
        }
        let (returns, lengths_env_steps) = results.into_iter().unzip();
        Ok(Evaluation { returns, lengths_env_steps })
    }

    /// Plays one episode with `params` and shows a picture of every state, the first and the last
    /// included. Returns the episode's return.
    ///
    /// # Errors
    /// If the policy, the environment or `show` fails.
    pub fn watch(
        &mut self,
        params: &[f32],
        seeds: SeedStream,
        show: &mut dyn FnMut(&RgbFrame) -> Result<()>,
    ) -> Result<f64> {
        self.policy.load(params);
        let mut rng = seeds.stream("policy").rng();
        let mut frame = RgbFrame::default();
        let mut episode_return = 0.0;
        self.begin(0, seeds.stream("episode").index(0).seed())?;
        loop {
            self.envs[0].render(&mut frame)?;
            show(&frame)?;
            let actions = self.policy.act(&self.obs, self.mode(), &mut rng)?;
            let step = self.step(0, action_row(&actions, 0, self.envs.len()))?;
            episode_return += f64::from(step.reward);
            if step.outcome.ends_episode() {
                self.envs[0].render(&mut frame)?;
                show(&frame)?;
                return Ok(episode_return);
            }
        }
    }

    fn mode(&self) -> ActMode {
        if self.epsilon > 0.0 {
            ActMode::Explore { epsilon: self.epsilon }
        } else {
            ActMode::Greedy
        }
    }

    fn begin(&mut self, row: usize, seed: u64) -> Result<()> {
        let context = self.envs[row].spec().context.default_context();
        let len = self.space.len();
        guarded(|| self.envs[row].reset(seed, &context, row_mut(&mut self.obs, row, len)))
            .and_then(|()| check_obs(row_ref(&self.obs, row, len)))
            .with_context(|| format!("evaluator, environment {row}: reset with seed {seed}"))
    }

    fn step(&mut self, row: usize, action: Action<'_>) -> Result<Step> {
        let len = self.space.len();
        let step = guarded(|| self.envs[row].step(action, row_mut(&mut self.obs, row, len)))?;
        check_reward(step.reward)?;
        check_obs(row_ref(&self.obs, row, len))?;
        Ok(step)
    }
}
