//! The environment contract.

use crate::{ActionSpace, Context, ContextSpec, EnvError, ObsMut, ObsSpace, RgbFrame};
use serde::{Deserialize, Serialize};

/// What an agent does in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// Index of a discrete action.
    Discrete(usize),
    /// A vector within the bounds of a box.
    Box(&'a [f32]),
}

/// Whether an episode goes on. An enum, not two bools: both at once cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The episode goes on.
    Continue,
    /// The task ended by its own rules; the value of what follows is 0.
    Terminated,
    /// The episode was cut (a time limit, say); the last observation still has a value.
    Truncated,
}

impl Outcome {
    /// Whether `reset` must come next.
    #[must_use]
    pub fn ends_episode(self) -> bool {
        self != Self::Continue
    }
}

/// One response of an environment. The observation is in the caller's buffer; at the end of an
/// episode it is the final observation, never the first of the next episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Reward for the action.
    pub reward: f32,
    /// Whether the episode goes on.
    pub outcome: Outcome,
    /// Simulator ticks this step took: 1, or more under action repeat.
    pub frames: u32,
}

impl Step {
    /// A step of one frame.
    #[must_use]
    pub fn new(reward: f32, outcome: Outcome) -> Self {
        Self { reward, outcome, frames: 1 }
    }
}

/// What an environment looks like from outside; it does not change over its life.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// Name in the registry.
    pub id: String,
    /// Observations.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Context values it understands.
    pub context: ContextSpec,
    /// Steps after which the published environment truncates; the registry wraps it in
    /// [`crate::wrappers::TimeLimit`] with this number.
    pub time_limit_env_steps: Option<u32>,
}

/// An environment: Gymnasium's semantics, fallible, and free of allocation in steady state.
///
/// - `reset` starts an episode. The same seed and context give the same episode under the same
///   actions: all randomness comes from a generator seeded there.
/// - `step` after the end, or before the first `reset`, is an error.
/// - Observations are written into the caller's slice, whose dtype and length are those of
///   `spec().obs`.
/// - `save_state` / `restore_state` carry everything, generator included, so that a restored
///   environment continues exactly.
///
/// [`crate::conformance::check`] tests all of this.
pub trait Environment: Send {
    /// Spaces, contexts, id.
    fn spec(&self) -> &EnvSpec;

    /// Starts an episode and writes its first observation.
    ///
    /// # Errors
    /// If the context is invalid, the buffer does not fit, or the environment fails.
    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError>;

    /// Says which action the next [`Environment::step`] will apply. Environments that share a
    /// worker process compute such steps together; to all others it means nothing. The next call
    /// must be `step` with the same action, or `reset`, which forgets the announcement.
    ///
    /// # Errors
    /// Like `step`; an environment may also leave its errors to `step`.
    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        let _ = action;
        Ok(())
    }

    /// Applies an action and writes the observation that follows.
    ///
    /// # Errors
    /// If the action is not in the action space, the episode is over, the buffer does not fit, or
    /// the environment fails.
    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError>;

    /// Appends the full state to `out`.
    ///
    /// # Errors
    /// [`EnvError::Unsavable`] if environments of this kind cannot be saved in the middle of an
    /// episode, which a run survives: the episode begins anew when the run is resumed.
    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError>;

    /// Continues from a state written by [`Environment::save_state`] of the same environment.
    ///
    /// # Errors
    /// If `state` was not written by this environment.
    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError>;

    /// Draws the current state; resizes `frame` as needed.
    ///
    /// # Errors
    /// If there is nothing to draw.
    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError>;

    /// The discrete action of a good policy in the current state, where the environment knows one:
    /// demonstrations for imitation. `None` where it does not, and outside an episode.
    fn expert_action(&self) -> Option<usize> {
        None
    }
}

impl<E: Environment + ?Sized> Environment for Box<E> {
    fn spec(&self) -> &EnvSpec {
        (**self).spec()
    }
    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        (**self).reset(seed, context, obs)
    }
    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        (**self).announce(action)
    }
    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        (**self).step(action, obs)
    }
    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        (**self).save_state(out)
    }
    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        (**self).restore_state(state)
    }
    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        (**self).render(frame)
    }
    fn expert_action(&self) -> Option<usize> {
        (**self).expert_action()
    }
}
