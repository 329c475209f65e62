//! Classic control with Gymnasium's semantics: equations in `f64`, observations cast to `f32`.
//!
//! Each task is a [`Dynamics`]: its equations and its drawing, nothing else. [`ClassicEnv`] turns
//! any of them into an [`Environment`]; what the five share is written there, once.
//!
//! The time limits are in the spec and applied by the registry; the environments here never
//! truncate. `envs/tests/classic_parity.rs` replays trajectories recorded from Gymnasium.

mod acrobot;
mod cartpole;
mod mountain_car;
mod mountain_car_continuous;
mod pendulum;

pub use acrobot::{Acrobot, AcrobotDynamics};
pub use cartpole::{CartPole, CartPoleDynamics};
pub use mountain_car::{MountainCar, MountainCarDynamics};
pub use mountain_car_continuous::{MountainCarContinuous, MountainCarContinuousDynamics};
pub use pendulum::{Pendulum, PendulumDynamics};

use crate::{
    Action, Context, EnvError, EnvSpec, Environment, ObsMut, Outcome, Prng, Registry, RgbFrame,
    Step, state,
};
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Adds the five environments under their Gymnasium ids.
pub(super) fn register(registry: &mut Registry) {
    registry.register("CartPole-v1", || Ok(Box::new(CartPole::new())));
    registry.register("Acrobot-v1", || Ok(Box::new(Acrobot::new())));
    registry.register("MountainCar-v0", || Ok(Box::new(MountainCar::new())));
    registry.register("MountainCarContinuous-v0", || Ok(Box::new(MountainCarContinuous::new())));
    registry.register("Pendulum-v1", || Ok(Box::new(Pendulum::new())));
}

/// The equations of one task under one context, with its random start and its drawing.
///
/// Implementations are plain numbers read from a context: the moving state is passed in, and
/// randomness is used in [`Dynamics::start`] only.
pub trait Dynamics: Copy + Send {
    /// Physical state, normally `[f64; N]`.
    type State: Copy + Send + Default + Serialize + DeserializeOwned;

    /// Id, spaces (`f32` observations; actions discrete or a box of one number), context values,
    /// time limit.
    fn spec() -> EnvSpec;

    /// Reads the parameters; `values` are in the order of the spec and already checked.
    fn from_context(values: &[f64]) -> Self;

    /// Draws the state in which an episode starts.
    fn start(&self, rng: &mut Prng) -> Self::State;

    /// Moves `state` by one step and returns the reward and whether the task ended. `action` is
    /// the index of a discrete action or the one number of a box, already checked.
    fn advance(&self, state: &mut Self::State, action: f64) -> (f64, Outcome);

    /// Writes the observation of `state`.
    fn observe(&self, state: &Self::State, obs: &mut [f32]);

    /// Draws `state`; `last_action` is as in [`Dynamics::advance`], and `None` at the start.
    fn draw(&self, state: &Self::State, last_action: Option<f64>, frame: &mut RgbFrame);
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    BeforeFirstReset,
    Running,
    Over,
}

/// The environment made of some [`Dynamics`].
///
/// # Errors
/// A non-finite observation is [`EnvError::Failed`] and ends the episode: it must not reach a
/// replay buffer.
#[derive(Clone, Debug)]
pub struct ClassicEnv<D: Dynamics> {
    spec: EnvSpec,
    phase: Phase,
    context: Context,
    dynamics: D,
    state: D::State,
    last_action: Option<f64>,
}

impl<D: Dynamics> ClassicEnv<D> {
    /// The environment before its first reset, under the published context.
    #[must_use]
    pub fn new() -> Self {
        let spec = D::spec();
        let context = spec.context.default_context();
        let dynamics = D::from_context(&context.values);
        let (phase, state) = (Phase::BeforeFirstReset, D::State::default());
        Self { spec, phase, context, dynamics, state, last_action: None }
    }

    /// The physical state, in the units that its dynamics document.
    #[must_use]
    pub fn physics(&self) -> D::State {
        self.state
    }

    /// Goes on from `state` under the present context, as if an episode had started there.
    pub fn set_physics(&mut self, state: D::State) {
        (self.state, self.phase, self.last_action) = (state, Phase::Running, None);
    }

    fn check_running(&self) -> Result<(), EnvError> {
        let when = match self.phase {
            Phase::Running => return Ok(()),
            Phase::BeforeFirstReset => "before the first reset",
            Phase::Over => "after the end of the episode",
        };
        Err(EnvError::NeedsReset { env: self.spec.id.clone(), when })
    }

    fn failed(&self, reason: String) -> EnvError {
        EnvError::Failed { env: self.spec.id.clone(), reason }
    }
}

impl<D: Dynamics> Default for ClassicEnv<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Dynamics> Environment for ClassicEnv<D> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.f32(&self.spec.id, self.spec.obs.len())?;
        self.context.values.clone_from(&context.values);
        self.dynamics = D::from_context(&context.values);
        // Only the start is random, so the generator need not outlive it, nor be saved.
        self.set_physics(self.dynamics.start(&mut Prng::seed_from_u64(seed)));
        self.dynamics.observe(&self.state, obs);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        self.check_running()?;
        self.spec.action.check(&self.spec.id, action)?;
        let obs = obs.f32(&self.spec.id, self.spec.obs.len())?;
        let action = match action {
            Action::Discrete(index) => index as f64,
            Action::Box(values) => f64::from(values[0]),
        };
        let (reward, outcome) = self.dynamics.advance(&mut self.state, action);
        self.dynamics.observe(&self.state, obs);
        self.last_action = Some(action);
        if outcome.ends_episode() {
            self.phase = Phase::Over;
        }
        if obs.iter().any(|value| !value.is_finite()) {
            self.phase = Phase::Over;
            let context = &self.context.values;
            return Err(self.failed(format!(
                "the observation became {obs:?} under the context {context:?}; \
                 every element must be finite"
            )));
        }
        Ok(Step::new(reward as f32, outcome))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        let saved = (self.phase, &self.context, self.state, self.last_action);
        state::save(&self.spec.id, &saved, out)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let (phase, context, state, last_action): (Phase, Context, D::State, Option<f64>) =
            state::restore(&self.spec.id, bytes)?;
        self.spec
            .context
            .check(&context)
            .map_err(|e| EnvError::BadState { env: self.spec.id.clone(), reason: e.to_string() })?;
        self.dynamics = D::from_context(&context.values);
        (self.phase, self.context, self.state) = (phase, context, state);
        self.last_action = last_action;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        if self.phase == Phase::BeforeFirstReset {
            return Err(self.failed("there is nothing to draw before the first reset".to_owned()));
        }
        self.dynamics.draw(&self.state, self.last_action, frame);
        Ok(())
    }
}

/// [`Outcome::Terminated`] if the task's own rule says so.
fn terminated_if(rule: bool) -> Outcome {
    if rule { Outcome::Terminated } else { Outcome::Continue }
}

/// One of a range, which may be a single point; that takes no random number.
fn uniform((low, high): (f64, f64), rng: &mut Prng) -> f64 {
    if low < high { rng.random_range(low..high) } else { low }
}

/// Background of every drawing.
const WHITE: [u8; 3] = [255, 255, 255];
/// Outlines and lines of every drawing.
const INK: [u8; 3] = [30, 30, 30];

#[cfg(test)]
mod tests {
    use super::*;

    /// The code that all five share, shown on `CartPole`.
    #[test]
    fn shared_bookkeeping() {
        let mut env = CartPole::new();
        let context = env.spec().context.default_context();
        let mut obs = [0.0; 4];
        let step = |env: &mut CartPole, action| env.step(action, ObsMut::F32(&mut [0.0; 4]));

        let early = step(&mut env, Action::Discrete(0)).unwrap_err().to_string();
        assert_eq!(early, "CartPole-v1: step was called before the first reset; call reset first");
        assert!(env.render(&mut RgbFrame::default()).is_err());

        env.reset(1, &context, ObsMut::F32(&mut obs)).unwrap();
        let before = env.physics();
        let invalid = step(&mut env, Action::Discrete(2)).unwrap_err();
        assert!(matches!(invalid, EnvError::InvalidAction { .. }), "{invalid}");
        let short = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0; 3])).unwrap_err();
        assert!(matches!(short, EnvError::BadBuffer { .. }), "{short}");
        assert_eq!(env.physics(), before, "a refused step changes nothing");

        env.set_physics([2.5, 0.0, 0.0, 0.0]);
        assert_eq!(step(&mut env, Action::Discrete(0)).unwrap().outcome, Outcome::Terminated);
        let late = step(&mut env, Action::Discrete(0)).unwrap_err().to_string();
        assert_eq!(
            late,
            "CartPole-v1: step was called after the end of the episode; call reset first"
        );
    }

    #[test]
    fn a_state_that_is_not_finite_is_an_error() {
        let mut env = CartPole::new();
        env.set_physics([0.0, f64::NAN, 0.0, 0.0]);
        let error = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0; 4])).unwrap_err();
        assert!(matches!(error, EnvError::Failed { .. }), "{error}");
        assert!(error.to_string().contains("NaN"), "{error}");
        let next = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0; 4])).unwrap_err();
        assert!(matches!(next, EnvError::NeedsReset { .. }), "{next}");
    }

    #[test]
    fn a_saved_state_carries_the_context_and_refuses_a_bad_one() {
        let mut env = Pendulum::new();
        let context = env.spec().context.with(&[("gravity", 3.0)]).unwrap();
        env.reset(5, &context, ObsMut::F32(&mut [0.0; 3])).unwrap();
        let mut saved = Vec::new();
        env.save_state(&mut saved).unwrap();
        let mut other = Pendulum::new();
        other.restore_state(&saved).unwrap();
        let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
        let step_a = env.step(Action::Box(&[1.5]), ObsMut::F32(&mut a)).unwrap();
        let step_b = other.step(Action::Box(&[1.5]), ObsMut::F32(&mut b)).unwrap();
        assert_eq!((a, step_a), (b, step_b));

        // Gravity -1 m/s^2 is below its bound.
        let mut bad = Vec::new();
        let mut values = env.spec().context.default_context().values;
        values[0] = -1.0;
        let parts = (Phase::Running, Context { values }, [0.0, 0.0], None::<f64>);
        state::save("Pendulum-v1", &parts, &mut bad).unwrap();
        let error = other.restore_state(&bad).unwrap_err();
        assert!(matches!(error, EnvError::BadState { .. }), "{error}");
    }
}
