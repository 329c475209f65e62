//! From env steps to transitions: the only reader of [`Outcome`].

use crate::message::{TransitionBlock, TransitionRow};
use crate::replay::ReplayError;
use contrail_agents::ActionBatch;
use contrail_envs::{Action, ActionSpace, ObsBuffer, ObsRef, ObsSpace, Outcome};
use serde::{Deserialize, Serialize};

/// What the transitions of a run have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NStepConfig {
    /// Env steps of a full window, at least 1.
    pub n_step: usize,
    /// Discount factor of one env step, 0 to 1.
    pub gamma: f64,
    /// Observations.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Context values of an episode.
    pub context_len: usize,
}

impl NStepConfig {
    /// An empty block that takes one vector step of `streams` streams without growing, even if
    /// all their episodes end at once.
    #[must_use]
    pub fn new_block(&self, streams: usize) -> TransitionBlock {
        let (rows, dtype) = (streams * self.n_step, self.obs.dtype);
        TransitionBlock {
            broken_off: Vec::new(),
            rows: Vec::with_capacity(rows),
            obs: ObsBuffer::with_capacity(dtype, rows * self.obs.len()),
            actions: match &self.action {
                ActionSpace::Discrete(_) => ActionBatch::Discrete(Vec::with_capacity(rows)),
                ActionSpace::Box { low, .. } => {
                    ActionBatch::Box(Vec::with_capacity(rows * low.len()))
                }
            },
            contexts: Vec::with_capacity(rows * self.context_len),
            final_obs: ObsBuffer::with_capacity(dtype, streams * self.obs.len()),
            segments: Vec::new(),
        }
    }
}

impl TransitionBlock {
    /// Forgets the rows and keeps the memory, so that a block that came back can be filled again.
    pub fn clear(&mut self) {
        self.broken_off.clear();
        self.rows.clear();
        self.obs.clear();
        self.segments.clear();
        match &mut self.actions {
            ActionBatch::Discrete(actions) => actions.clear(),
            ActionBatch::Box(actions) => actions.clear(),
        }
        self.contexts.clear();
        self.final_obs.clear();
    }
}

/// One env step as an actor saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneStep<'a> {
    /// Observation that the action was chosen from.
    pub obs: ObsRef<'a>,
    /// The action.
    pub action: Action<'a>,
    /// Reward received after it.
    pub reward: f32,
    /// Whether the episode goes on.
    pub outcome: Outcome,
    /// Observation that followed; at the end of an episode its final observation.
    pub next_obs: ObsRef<'a>,
    /// Subspace the episode was drawn from.
    pub subspace: u32,
    /// `[C]` context values of the episode, in the order of the environment's `ContextSpec`.
    pub context: &'a [f64],
}

/// Turns the env steps of one stream into n-step transitions.
///
/// Each env step starts one transition, whose window holds the next `n` rewards of the episode,
/// or fewer at its end: `n_step_return = Σ_{k<span} gammaᵏ r_{t+1+k}`. A window never crosses an
/// episode:
///
/// ```text
/// n = 3, episode of 4 env steps, rewards r1 r2 r3 r4
/// after r3   row 0: r1 + γ r2 + γ² r3   span 3   discount γ³
/// after r4   row 1: r2 + γ r3 + γ² r4   span 3   discount 0 if terminated, γ³ if truncated
///            row 2: r3 + γ r4           span 2   discount 0               , γ²
///            row 3: r4                  span 1   discount 0               , γ    ends_trajectory
/// ```
///
/// # Source
/// n-step returns of Sutton and Barto, Reinforcement Learning (2nd ed. 2018), section 7.1; the
/// tails follow the accumulator of `dqn_zoo`.
///
/// # Differs
/// None in the numbers. Only the last observation of an episode is emitted as a successor of its
/// own; every other one is the `obs` of a later row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NStepAccumulator {
    stream: u32,
    gamma: f64,
    obs_len: usize,
    /// Subspace of the running episode.
    subspace: u32,
    /// `[C]`, of the running episode.
    context: Vec<f32>,
    /// Rewards of the steps whose windows are open: a ring of n, `len` of them from `head` on.
    rewards: Vec<f32>,
    /// `[n, obs...]`.
    obs: ObsBuffer,
    /// `[n]` or `[n, action_len]`.
    actions: ActionBatch,
    /// gamma^span for span 0 to n.
    pub(super) discounts: Vec<f32>,
    head: usize,
    len: usize,
}

impl NStepAccumulator {
    /// An accumulator for the stream numbered `stream`.
    ///
    /// # Errors
    /// [`ReplayError::BadConfig`] if `n_step` is 0, or `gamma` is not within 0 to 1.
    pub fn new(config: &NStepConfig, stream: u32) -> Result<Self, ReplayError> {
        let n = config.n_step;
        if n == 0 {
            return Err(ReplayError::bad_config("n_step", n, "at least 1 env step"));
        }
        if !(0.0..=1.0).contains(&config.gamma) {
            return Err(ReplayError::bad_config("gamma", config.gamma, "0 to 1"));
        }
        Ok(Self {
            stream,
            gamma: config.gamma,
            obs_len: config.obs.len(),
            subspace: 0,
            context: vec![0.0; config.context_len],
            rewards: vec![0.0; n],
            obs: ObsBuffer::zeros(&config.obs, n),
            actions: match &config.action {
                ActionSpace::Discrete(_) => ActionBatch::Discrete(vec![0; n]),
                ActionSpace::Box { low, .. } => ActionBatch::Box(vec![0.0; n * low.len()]),
            },
            discounts: discounts(config.gamma, n),
            head: 0,
            len: 0,
        })
    }

    /// Takes one env step and appends to `block` the transitions that became final with it: none
    /// while the first window fills, then one a step, and all open ones at the end of an episode.
    ///
    /// # Panics
    /// If an observation, the action or the context does not have the dtype and length of the
    /// config, `block` was made for other ones, or subspace or context change within an episode: a
    /// bug of the caller.
    pub fn push(&mut self, step: OneStep<'_>, block: &mut TransitionBlock) {
        for (name, obs) in [("obs", step.obs), ("next_obs", step.next_obs)] {
            assert_eq!(obs.len(), self.obs_len, "number of elements of {name}");
            assert_eq!(obs.dtype(), self.obs.dtype(), "dtype of {name}");
        }
        self.enter_episode(&step);
        let n = self.rewards.len();
        let tail = (self.head + self.len) % n;
        self.rewards[tail] = step.reward;
        self.obs.write_row(tail, step.obs);
        write_action(&mut self.actions, tail, step.action);
        self.len += 1;
        if step.outcome == Outcome::Continue {
            if self.len == n {
                self.emit_oldest(step.outcome, block);
            }
            return;
        }
        while self.len > 0 {
            self.emit_oldest(step.outcome, block);
        }
        block.final_obs.extend(step.next_obs);
    }

    /// Takes the subspace and the context of the step's episode, which is the running one if a
    /// window is open.
    #[expect(clippy::cast_possible_truncation, reason = "messages carry f32")]
    fn enter_episode(&mut self, step: &OneStep<'_>) {
        assert_eq!(step.context.len(), self.context.len(), "number of context values");
        if self.len > 0 {
            assert_eq!(step.subspace, self.subspace, "subspace in the middle of an episode");
        }
        self.subspace = step.subspace;
        for (own, value) in self.context.iter_mut().zip(step.context) {
            let value = *value as f32;
            let goes_on = self.len == 0 || own.to_bits() == value.to_bits();
            assert!(goes_on, "context value {own} became {value} in the middle of an episode");
            *own = value;
        }
    }

    /// Forgets the open windows: the episode broke off.
    pub fn break_off(&mut self) {
        (self.head, self.len) = (0, 0);
    }

    /// Appends the oldest open transition, whose window reaches to the newest step.
    #[expect(clippy::cast_possible_truncation, reason = "f32 in messages; span is at most n")]
    fn emit_oldest(&mut self, outcome: Outcome, block: &mut TransitionBlock) {
        let (n, span, oldest) = (self.rewards.len(), self.len, self.head);
        let reward = |k: usize| f64::from(self.rewards[(oldest + k) % n]);
        let n_step_return = (0..span).rev().fold(0.0, |ret, k| reward(k) + self.gamma * ret);
        block.rows.push(TransitionRow {
            stream: self.stream,
            subspace: self.subspace,
            n_step_return: n_step_return as f32,
            discount: if outcome == Outcome::Terminated { 0.0 } else { self.discounts[span] },
            span: span as u32,
            ends_trajectory: outcome.ends_episode() && span == 1,
        });
        block.obs.extend(self.obs.row(oldest, self.obs_len));
        append_action(&mut block.actions, &self.actions, oldest, n);
        block.contexts.extend_from_slice(&self.context);
        self.head = (oldest + 1) % n;
        self.len -= 1;
    }
}

/// gamma^span for span 0 to n, by repeated multiplication: the same bits on every machine.
#[expect(clippy::cast_possible_truncation, reason = "messages carry f32")]
fn discounts(gamma: f64, n: usize) -> Vec<f32> {
    std::iter::successors(Some(1.0), |power| Some(power * gamma))
        .take(n + 1)
        .map(|power: f64| power as f32)
        .collect()
}

fn write_action(actions: &mut ActionBatch, row: usize, action: Action<'_>) {
    match (actions, action) {
        #[expect(clippy::cast_possible_wrap, reason = "an action index is small")]
        (ActionBatch::Discrete(all), Action::Discrete(action)) => all[row] = action as i64,
        (ActionBatch::Box(all), Action::Box(action)) => {
            all[row * action.len()..(row + 1) * action.len()].copy_from_slice(action);
        }
        (_, action) => panic!("{action:?} is not of the kind of the accumulator's action space"),
    }
}

/// Appends row `row` of `from`, which has `rows` rows.
fn append_action(to: &mut ActionBatch, from: &ActionBatch, row: usize, rows: usize) {
    match (to, from) {
        (ActionBatch::Discrete(to), ActionBatch::Discrete(from)) => to.push(from[row]),
        (ActionBatch::Box(to), ActionBatch::Box(from)) => {
            let len = from.len() / rows;
            to.extend_from_slice(&from[row * len..(row + 1) * len]);
        }
        _ => panic!("the block was made for another kind of action"),
    }
}
