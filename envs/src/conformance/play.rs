//! Figures of random play: what it earns, and how fast it goes.

use super::player::{Chooser, OwnedAction};
use crate::{ActionSpace, EnvError, Environment, ObsBuffer, ObsMut, SeedStream, Step};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Actions that are drawn before the clock runs, and used in turn.
const ACTIONS: usize = 4096;
/// Vector steps from one look at the clock to the next.
const TURNS: usize = 16;

/// The policy that draws every action anew, uniformly. Actions of a box are uniform within its
/// bounds; where those are far apart, within 10 of the allowed value nearest to 0.
pub struct RandomActions(Chooser);

impl RandomActions {
    /// Actions of `space`, always the same ones under the same seed.
    #[must_use]
    pub fn new(space: &ActionSpace, seed: u64) -> Self {
        Self(Chooser::uniform(space, seed))
    }

    /// Steps `env`, which has that space, with the next action.
    ///
    /// # Errors
    /// Whatever the environment fails with.
    pub fn step(&mut self, env: &mut dyn Environment, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        env.step(self.0.next().as_action(), obs)
    }
}

/// Episodes of the policy that draws every action anew, uniformly.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RandomPlay {
    /// Undiscounted returns, in order.
    pub returns: Vec<f64>,
    /// Lengths in env steps, in the same order.
    pub lengths_env_steps: Vec<u32>,
    /// Whether all episodes ended by themselves; else some were abandoned.
    pub complete: bool,
}

/// Plays `episodes` episodes of [`RandomActions`] with the default context, each abandoned after
/// `max_env_steps`.
///
/// # Errors
/// Whatever the environment fails with.
pub fn random_play(
    env: &mut dyn Environment,
    seed: u64,
    (episodes, max_env_steps): (u32, u32),
) -> Result<RandomPlay, EnvError> {
    let spec = env.spec().clone();
    let context = spec.context.default_context();
    let mut obs = ObsBuffer::zeros(&spec.obs, 1);
    let mut play = RandomPlay { complete: true, ..RandomPlay::default() };
    for index in 0..episodes {
        let stream = SeedStream::root(seed).stream("random play").index(u64::from(index));
        let mut actions = RandomActions::new(&spec.action, stream.stream("actions").seed());
        env.reset(stream.stream("env").seed(), &context, obs.as_mut())?;
        let (mut episode_return, mut length_env_steps, mut ended) = (0.0, 0, false);
        while !ended && length_env_steps < max_env_steps {
            let step = actions.step(env, obs.as_mut())?;
            episode_return += f64::from(step.reward);
            length_env_steps += 1;
            ended = step.outcome.ends_episode();
        }
        play.returns.push(episode_return);
        play.lengths_env_steps.push(length_env_steps);
        play.complete &= ended;
    }
    Ok(play)
}

/// Env steps a second, of all `envs` together, when they are stepped in turn for `duration` as an
/// actor does: all actions are announced, then all steps are taken. Resets count as time.
///
/// # Errors
/// Whatever an environment fails with.
pub fn steps_per_s(
    envs: &mut [Box<dyn Environment>],
    seed: u64,
    duration: Duration,
) -> Result<f64, EnvError> {
    let Some(spec) = envs.first().map(|env| env.spec().clone()) else { return Ok(0.0) };
    let envs_len = envs.len();
    let stream = SeedStream::root(seed).stream("steps_per_s");
    let mut chooser = Chooser::uniform(&spec.action, stream.stream("actions").seed());
    let actions: Vec<OwnedAction> = (0..ACTIONS).map(|_| chooser.next()).collect();
    let context = spec.context.default_context();
    let mut seeds = (1..).map(|episode| stream.stream("env").index(episode).seed());
    let mut reset = |env: &mut dyn Environment, obs: &mut ObsBuffer| {
        env.reset(seeds.next().unwrap_or_default(), &context, obs.as_mut())
    };
    let mut obs = ObsBuffer::zeros(&spec.obs, 1);
    for env in &mut *envs {
        reset(&mut **env, &mut obs)?;
    }
    let (begin, mut turns) = (Instant::now(), 0_usize);
    while begin.elapsed() < duration {
        for turn in turns..turns + TURNS {
            let action = |index: usize| actions[(turn * envs_len + index) % ACTIONS].as_action();
            for (index, env) in envs.iter_mut().enumerate() {
                env.announce(action(index))?;
            }
            for (index, env) in envs.iter_mut().enumerate() {
                if env.step(action(index), obs.as_mut())?.outcome.ends_episode() {
                    reset(&mut **env, &mut obs)?;
                }
            }
        }
        turns += TURNS;
    }
    Ok((turns * envs_len) as f64 / begin.elapsed().as_secs_f64())
}
