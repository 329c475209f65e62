//! The evaluator: greedy episodes on environments and seeds of its own.

use super::{
    Fault, FaultPolicy, MakeEnvs, action_row, check_obs, check_reward, guarded, obs_batch, row_mut,
    row_ref,
};
use crate::config::DEFAULT_SUBSPACE;
use anyhow::{Context as _, Error, Result};
use contrail_agents::{ActMode, ObsBatch, Policy};
use contrail_envs::{
    Action, Context, Environment, ObsSpace, Prng, RgbFrame, SeedStream, Step, Subspace,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Where an evaluation cuts an episode that does not end: an environment without a time limit must
/// not hang a run. A hundred thousand decisions are more than any published limit.
const MAX_EPISODE_ENV_STEPS: u64 = 100_000;

/// Most episodes of an evaluation within a budget.
const MAX_BUDGETED_EPISODES: u64 = 1000;

/// What an evaluator is made of.
pub struct EvaluatorParts {
    /// Makes environments that never train; at least one.
    pub make_envs: MakeEnvs,
    /// What follows when one of them fails. An episode that is not to stop the run is played
    /// again from its beginning: leaving it out would prefer episodes without faults.
    pub faults: FaultPolicy,
    /// Its own copy of the policy.
    pub policy: Box<dyn Policy>,
    /// Where episodes take place; at least one.
    pub subspaces: Vec<Subspace>,
    /// Probability of a uniformly random action.
    pub epsilon: f64,
}

/// A worker that measures.
pub struct Evaluator {
    make_envs: MakeEnvs,
    faults: FaultPolicy,
    envs: Vec<Box<dyn Environment>>,
    policy: Box<dyn Policy>,
    subspaces: Vec<Subspace>,
    epsilon: f64,
    space: ObsSpace,
    obs: ObsBatch, // [E, obs...]
}

/// Results of an evaluation: subspace by subspace, within each in the order of the episodes' seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of each episode's subspace.
    pub subspaces: Vec<u32>,
    /// `[subspaces]` contexts that were gone through in order, again and again; 0 = each episode
    /// drew one.
    pub cycles: Vec<usize>,
    /// Undiscounted sum of rewards of each episode.
    pub returns: Vec<f64>,
    /// Decisions of each episode.
    pub lengths_env_steps: Vec<u64>,
    /// Faults of environments that were survived.
    pub faults: Vec<Fault>,
}

impl Evaluation {
    /// The part that was played in some subspaces, without the faults.
    #[must_use]
    pub fn part(&self, within: impl Fn(u32) -> bool) -> Self {
        let mut part = Self { cycles: self.cycles.clone(), ..Self::default() };
        let episodes = self.subspaces.iter().zip(&self.returns).zip(&self.lengths_env_steps);
        for ((subspace, episode_return), length) in episodes.filter(|((s, _), _)| within(**s)) {
            part.subspaces.push(*subspace);
            part.returns.push(*episode_return);
            part.lengths_env_steps.push(*length);
        }
        part
    }

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

/// What an evaluation may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Number of the subspace to play in.
    pub subspace: u32,
    /// Env steps, at least 1.
    pub env_steps: u64,
    /// Episodes side by side, at least 1 and at most as many as there are environments.
    pub lanes: usize,
}

/// What came of episodes within a budget of env steps.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetedReturn {
    /// Mean return of all episodes, those that were cut short included.
    pub mean_return: f64,
    /// Standard error of that mean over the episodes.
    pub std_error: f64,
    /// Episodes that were begun.
    pub episodes: usize,
    /// Env steps that were used; more than the budget by less than one vector step.
    pub env_steps: u64,
    /// Faults of environments that were survived.
    pub faults: Vec<Fault>,
}

/// An episode that an environment is busy with.
#[derive(Clone, Copy)]
struct Running {
    episode: usize,
    episode_return: f64,
    length_env_steps: u64,
}

impl Running {
    fn new(episode: usize) -> Self {
        Self { episode, episode_return: 0.0, length_env_steps: 0 }
    }
}

/// Where and with which seed an episode begins.
struct Trial {
    subspace: u32,
    context: Context,
    seed: u64,
}

/// The episodes of an evaluation: waiting, running (one slot an environment), done.
struct Round {
    trials: Vec<Trial>,
    waiting: VecDeque<usize>,
    running: Vec<Option<Running>>,
    results: Vec<(f64, u64)>,
}

impl Round {
    fn new(trials: Vec<Trial>, envs: usize) -> Self {
        let (waiting, results) = ((0..trials.len()).collect(), vec![(0.0, 0); trials.len()]);
        Self { trials, waiting, running: vec![None; envs], results }
    }

    /// Environments that play.
    fn busy(&self) -> u64 {
        self.running.iter().flatten().count() as u64
    }

    /// Returns of the episodes that ended, and of those under way so far.
    fn returns(&self) -> (Vec<f64>, Vec<f64>) {
        let ended = self.results.iter().filter(|(_, length)| *length > 0).map(|(r, _)| *r);
        let unfinished = self.running.iter().flatten().map(|run| run.episode_return);
        (ended.collect(), unfinished.collect())
    }

    fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.running.iter().all(Option::is_none)
    }

    /// All running episodes wait again.
    fn begin_again(&mut self) {
        for run in self.running.iter_mut().rev().filter_map(Option::take) {
            self.waiting.push_front(run.episode);
        }
    }
}

/// Mean and its standard error: 0 and 0 of nothing, error 0 of a single value.
pub fn mean_and_std_error(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

impl Evaluator {
    /// An evaluator.
    ///
    /// # Errors
    /// If its environments cannot be made.
    pub fn new(parts: EvaluatorParts) -> Result<Self> {
        let EvaluatorParts { make_envs, faults, policy, subspaces, epsilon } = parts;
        let envs = make_envs()?;
        let space = envs[0].spec().obs.clone();
        let obs = obs_batch(&space, envs.len());
        Ok(Self { make_envs, faults, envs, policy, subspaces, epsilon, space, obs })
    }

    /// Plays `episodes` episodes in each subspace with `params`. Where epsilon is 0, episode `i` of
    /// a subspace is the same whatever the number of environments and the other subspaces: its
    /// seed is number `i` of those of the subspace, and all are played to their end (at most
    /// 100,000 env steps), so that short ones are not preferred. Its context is drawn from the
    /// subspace. One with no more contexts than `episodes` is gone through in order instead, as
    /// often as it fits whole, so that each context weighs the same.
    ///
    /// # Errors
    /// If the policy fails, or an environment in a way that the fault policy does not survive.
    pub fn evaluate(
        &mut self,
        params: &[f32],
        episodes: usize,
        seeds: SeedStream,
    ) -> Result<Evaluation> {
        self.policy.load(params);
        let trials = self.trials(episodes, seeds);
        self.play(trials, seeds)
    }

    /// Plays trials to their end.
    fn play(
        &mut self,
        (trials, cycles): (Vec<Trial>, Vec<usize>),
        seeds: SeedStream,
    ) -> Result<Evaluation> {
        let mut rng = seeds.stream("policy").rng();
        let mut round = Round::new(trials, self.envs.len());
        let mut faults = Vec::new();
        while !round.is_over() {
            if let Err(error) = self.play_on(&mut round, &mut rng) {
                round.begin_again();
                self.restart(error, &mut faults)?;
            }
        }
        let (returns, lengths_env_steps) = round.results.into_iter().unzip();
        let subspaces = round.trials.into_iter().map(|trial| trial.subspace).collect();
        Ok(Evaluation { subspaces, cycles, returns, lengths_env_steps, faults })
    }

    /// Plays `episodes` episodes of one subspace with `params`, all to their end.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn evaluate_in(
        &mut self,
        params: &[f32],
        (subspace, episodes): (u32, usize),
        seeds: SeedStream,
    ) -> Result<Evaluation> {
        self.policy.load(params);
        let trials = self.trials_in(subspace, episodes, seeds);
        self.play((trials, Vec::new()), seeds)
    }

    /// Plays episodes of one subspace with `params` until the budget is used, side by side in its
    /// lanes. The episodes under way then count as far as they came.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn evaluate_within(
        &mut self,
        params: &[f32],
        budget: Budget,
        seeds: SeedStream,
    ) -> Result<BudgetedReturn> {
        self.policy.load(params);
        let mut rng = seeds.stream("policy").rng();
        let lanes = self.envs.len().min(budget.lanes);
        // One env step each at least, so this many cannot run out before the budget does.
        let count = budget.env_steps.min(MAX_BUDGETED_EPISODES) as usize;
        let trials = self.trials_in(budget.subspace, count, seeds);
        let mut round = Round::new(trials, lanes);
        let (mut faults, mut used) = (Vec::new(), 0);
        while !round.is_over() && used < budget.env_steps {
            let busy = (lanes as u64).min(round.waiting.len() as u64 + round.busy());
            if let Err(error) = self.play_on(&mut round, &mut rng) {
                round.begin_again();
                self.restart(error, &mut faults)?;
            }
            used += busy;
        }
        let (returns, unfinished) = round.returns();
        let all: Vec<f64> = returns.iter().chain(&unfinished).copied().collect();
        let (mean_return, std_error) = mean_and_std_error(&all);
        let (episodes, env_steps) = (all.len(), used);
        Ok(BudgetedReturn { mean_return, std_error, episodes, env_steps, faults })
    }

    fn trials_in(&self, number: u32, count: usize, seeds: SeedStream) -> Vec<Trial> {
        let (spec, subspace) = (&self.envs[0].spec().context, &self.subspaces[number as usize]);
        let mut rng = seeds.stream("context").rng();
        let trial = |episode| Trial {
            subspace: number,
            context: subspace.sample(spec, &mut rng),
            seed: seeds.stream("episode").index(episode).seed(),
        };
        (0..count as u64).map(trial).collect()
    }

    /// The episodes to play, and the cycle of contexts of each subspace.
    fn trials(&self, episodes: usize, seeds: SeedStream) -> (Vec<Trial>, Vec<usize>) {
        let spec = &self.envs[0].spec().context;
        let (mut trials, mut cycles) = (Vec::new(), Vec::new());
        for (number, subspace) in (0..).zip(&self.subspaces) {
            let few = subspace.equally_likely(spec);
            let few = few.filter(|all| (1..=episodes).contains(&all.len()));
            let cycle = few.as_ref().map_or(0, Vec::len);
            // Seeds of its own, so that subspaces are independent samples. The published
            // environment alone has those it always had.
            let own = match subspace.name.as_str() {
                DEFAULT_SUBSPACE => seeds,
                name => seeds.stream("subspace").stream(name),
            };
            let mut rng = own.stream("context").rng();
            let whole = episodes - episodes.checked_rem(cycle).unwrap_or(0);
            trials.extend((0..whole).map(|episode| Trial {
                subspace: number,
                context: match &few {
                    Some(all) => all[episode % all.len()].clone(),
                    None => subspace.sample(spec, &mut rng),
                },
                seed: own.stream("episode").index(episode as u64).seed(),
            }));
            cycles.push(cycle);
        }
        (trials, cycles)
    }

    /// Begins episodes where an environment is free, and steps those that are busy once.
    fn play_on(&mut self, round: &mut Round, rng: &mut Prng) -> Result<()> {
        for row in 0..round.running.len() {
            if round.running[row].is_none()
                && let Some(episode) = round.waiting.pop_front()
            {
                round.running[row] = Some(Running::new(episode));
                let trial = &round.trials[episode];
                self.begin(row, trial.seed, &trial.context)?;
            }
        }
        let actions = self.policy.act(&self.obs, self.mode(), rng).context("evaluator")?;
        let rows = self.envs.len();
        for row in (0..round.running.len()).filter(|row| round.running[*row].is_some()) {
            self.envs[row].announce(action_row(&actions, row, rows))?;
        }
        for row in 0..round.running.len() {
            let Some(run) = &mut round.running[row] else { continue };
            let step = self.step(row, action_row(&actions, row, rows)).with_context(|| {
                let step = run.length_env_steps + 1;
                format!("evaluator, environment {row}, step {step} of its episode")
            })?;
            run.episode_return += f64::from(step.reward);
            run.length_env_steps += 1;
            if step.outcome.ends_episode() || run.length_env_steps >= MAX_EPISODE_ENV_STEPS {
                round.results[run.episode] = (run.episode_return, run.length_env_steps);
                round.running[row] = None;
            }
        }
        Ok(())
    }

    /// Makes all environments anew, until that succeeds or no fault is left.
    fn restart(&mut self, error: Error, faults: &mut Vec<Fault>) -> Result<()> {
        let mut error = error;
        loop {
            let text = self.faults.decide(error)?.1;
            faults.push(Fault { text, restarted: true });
            self.envs.clear(); // ends their worker before the next one begins
            match guarded(&self.make_envs).context("evaluator: its environments cannot be made") {
                Ok(envs) => {
                    self.envs = envs;
                    return Ok(());
                }
                Err(again) => error = again,
            }
        }
    }

    /// Plays the first episode of the first subspace with `params` and shows a picture of every
    /// state, the first and the last included. Returns the episode's return.
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
        let (mut episode_return, mut env_steps) = (0.0, 0);
        if let Some(trial) = self.trials(1, seeds).0.first() {
            self.begin(0, trial.seed, &trial.context)?;
        }
        loop {
            self.envs[0].render(&mut frame)?;
            show(&frame)?;
            let actions = self.policy.act(&self.obs, self.mode(), &mut rng)?;
            let step = self.step(0, action_row(&actions, 0, self.envs.len()))?;
            episode_return += f64::from(step.reward);
            env_steps += 1;
            if step.outcome.ends_episode() || env_steps >= MAX_EPISODE_ENV_STEPS {
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

    fn begin(&mut self, row: usize, seed: u64, context: &Context) -> Result<()> {
        let len = self.space.len();
        guarded(|| self.envs[row].reset(seed, context, row_mut(&mut self.obs, row, len)))
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
