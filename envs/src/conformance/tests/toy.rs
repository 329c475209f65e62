//! A small environment that can be broken in many ways.

use crate::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvSpec, Environment,
    ObsMut, ObsSpace, Outcome, Prng, RgbFrame, Step, state,
};
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Steps after which [`Toy`] truncates.
pub(super) const LIMIT_ENV_STEPS: u32 = 8;

/// What is wrong with a [`Toy`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    ConstructorFailsLater,
    ConstructorPanics,
    BoundsUpsideDown,
    TooFewBounds,
    DefaultOutOfBounds,
    SpecChanges,
    PanicsInStep,
    ValidStepFails,
    ExtremeContextFails,
    ObsTooHigh,
    ObsNan,
    RewardInfinite,
    NoFrame,
    CutsEarly,
    NeverCuts,
    StepsBeforeReset,
    StepsAfterEnd,
    TakesLongBuffers,
    PanicsOnShortBuffers,
    TakesAnyContext,
    TakesAnyState,
    PanicsOnBadStates,
    Nondeterministic,
    RemembersEpisodes,
    LeavesElement,
    AddsToBuffer,
    TakesIndexTooHigh,
    TakesNan,
    TakesTooMuch,
    TakesLongActions,
    DrawsBeforeRefusing,
    ForgetsGenerator,
    ForgetsSteps,
    ForgetsEnd,
    OverwritesSaved,
    CannotSave,
    StatesItCannotSave,
    BeginsAnewAtLimit,
    IgnoresContext,
    ReseedsByContext,
    EmptyPicture,
    ShortPicture,
    DrawsOver,
    NoPicture,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    BeforeReset,
    Running,
    Over,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    phase: Phase,
    rng: Prng,
    pub(super) steps: u32,
    position: f32,
    wind: f32,
    resets: u32,
}

/// A random position, drawn anew each step and moved by the wind; terminates above 0.9, is cut
/// after 8 steps. Observation: steps and position.
pub(super) struct Toy {
    pub(super) spec: EnvSpec,
    fault: Fault,
    pub(super) state: State,
    pub(super) limit_env_steps: u32,
    /// Shared by all environments of a check.
    made: Arc<AtomicU32>,
}

impl Toy {
    pub(super) fn new(fault: Fault, action: ActionSpace, made: &Arc<AtomicU32>) -> Self {
        let value = ContextValue::new("wind", "m/s", 0.0, (-1.0, 1.0), "moves the position");
        let mut spec = EnvSpec {
            id: "Toy-v0".into(),
            obs: ObsSpace::f32_vector(&[0.0, -1.0], &[f32::INFINITY, 1.0]),
            action,
            context: ContextSpec { values: vec![value] },
            time_limit_env_steps: Some(LIMIT_ENV_STEPS),
        };
        match fault {
            Fault::BoundsUpsideDown => spec.obs.low[1] = 2.0,
            Fault::TooFewBounds => spec.obs = ObsSpace { shape: vec![3], ..spec.obs },
            Fault::DefaultOutOfBounds => spec.context.values[0].default = 3.0,
            _ => {}
        }
        let rng = Prng::seed_from_u64(0);
        let state =
            State { phase: Phase::BeforeReset, rng, steps: 0, position: 0.0, wind: 0.0, resets: 0 };
        let limit_env_steps = match fault {
            Fault::CutsEarly => LIMIT_ENV_STEPS - 1,
            Fault::NeverCuts => u32::MAX,
            _ => LIMIT_ENV_STEPS,
        };
        Self { spec, fault, state, limit_env_steps, made: made.clone() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn observe(&self, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        let long = self.has(Fault::TakesLongBuffers);
        let out = match &mut obs {
            ObsMut::F32(v) if long && v.len() > 2 => &mut v[..2],
            ObsMut::F32(v) if self.has(Fault::PanicsOnShortBuffers) && v.len() < 2 => {
                panic!("no room in {} elements", v.len())
            }
            _ => obs.f32("Toy-v0", 2)?,
        };
        out[0] = self.state.steps as f32;
        let late = self.state.steps == 3;
        match self.fault {
            Fault::LeavesElement if late => {}
            Fault::AddsToBuffer if late => out[1] = (out[1] * 0.001).clamp(-1.0, 1.0),
            Fault::ObsTooHigh if late => out[1] = 1.5,
            Fault::ObsNan if late => out[1] = f32::NAN,
            _ => out[1] = self.state.position,
        }
        Ok(())
    }

    /// Refuses what the sound toy refuses, less what the fault lets through.
    fn check_action(&self, action: Action<'_>) -> Result<(), EnvError> {
        let accepted = match (self.fault, action) {
            (Fault::TakesIndexTooHigh, Action::Discrete(index)) => index == 3,
            (Fault::TakesNan, Action::Box(v)) => v.len() == 2 && v.iter().any(|x| x.is_nan()),
            (Fault::TakesTooMuch, Action::Box(v)) => v.len() == 2 && v[1] > 0.5,
            (Fault::TakesLongActions, Action::Box(v)) => v.len() > 2,
            _ => false,
        };
        if accepted { Ok(()) } else { self.spec.action.check("Toy-v0", action) }
    }

    fn check_phase(&self) -> Result<(), EnvError> {
        let accepted = match self.state.phase {
            Phase::Running => true,
            Phase::BeforeReset => self.has(Fault::StepsBeforeReset),
            Phase::Over => self.has(Fault::StepsAfterEnd),
        };
        let error = || EnvError::NeedsReset { env: "Toy-v0".into(), when: "now" };
        accepted.then_some(()).ok_or_else(error)
    }

    pub(super) fn failed(reason: &str) -> EnvError {
        EnvError::Failed { env: "Toy-v0".into(), reason: reason.into() }
    }

    fn outcome(&self) -> Outcome {
        match () {
            () if self.state.position > 0.9 => Outcome::Terminated,
            () if self.state.steps == self.limit_env_steps => Outcome::Truncated,
            () => Outcome::Continue,
        }
    }
}

impl Environment for Toy {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        if !self.has(Fault::TakesAnyContext) {
            self.spec.context.check(context)?;
        }
        if self.has(Fault::ExtremeContextFails) && context.values[0] == 1.0 {
            return Err(Self::failed("too much wind"));
        }
        let state = &mut self.state;
        (state.phase, state.steps, state.position) = (Phase::Running, 0, 0.0);
        state.wind = match self.fault {
            Fault::IgnoresContext | Fault::ReseedsByContext => 0.0,
            _ => context.values.first().copied().unwrap_or_default().clamp(-1.0, 1.0) as f32,
        };
        let reseeds = self.fault == Fault::ReseedsByContext;
        let salt = if reseeds { context.values[0].to_bits() } else { 0 };
        state.rng = Prng::seed_from_u64(seed ^ salt);
        state.resets += 1;
        self.observe(obs)
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        self.check_phase()?;
        if self.has(Fault::DrawsBeforeRefusing) {
            self.state.rng.random::<f32>();
        }
        self.check_action(action)?;
        let state = &mut self.state;
        state.steps += 1;
        let drawn: f32 = state.rng.random_range(-1.0..=1.0);
        state.position = drawn * (1.0 - state.wind.abs() / 2.0) + state.wind / 2.0;
        match self.fault {
            Fault::PanicsInStep if state.steps == 3 => panic!("a bug at step 3"),
            Fault::ValidStepFails if state.steps == 3 => return Err(Self::failed("lost")),
            Fault::SpecChanges => self.spec.time_limit_env_steps = None,
            Fault::Nondeterministic => {
                state.position *= (1 + self.made.fetch_add(1, Relaxed) % 2) as f32 / 2.0;
            }
            Fault::RemembersEpisodes if state.resets > 1 => state.position *= 0.5,
            _ => {}
        }
        let outcome = self.outcome();
        if outcome.ends_episode() {
            self.state.phase = Phase::Over;
        }
        let late = self.state.steps == 4;
        let infinite = self.has(Fault::RewardInfinite) && late;
        let reward = if infinite { f32::INFINITY } else { self.state.position };
        let frames = u32::from(!(self.has(Fault::NoFrame) && late));
        if self.has(Fault::BeginsAnewAtLimit) && outcome == Outcome::Truncated {
            (self.state.steps, self.state.position) = (0, 0.0);
        }
        self.observe(obs)?;
        Ok(Step { reward, outcome, frames })
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        let mut saved = self.state.clone();
        match self.fault {
            Fault::StatesItCannotSave => {
                let reason = "it lives elsewhere".into();
                return Err(EnvError::Unsavable { env: "Toy-v0".into(), reason });
            }
            Fault::CannotSave => return Err(Self::failed("it cannot be saved")),
            Fault::OverwritesSaved => out.clear(),
            Fault::ForgetsGenerator => saved.rng = Prng::seed_from_u64(0),
            Fault::ForgetsSteps => saved.steps = 0,
            Fault::ForgetsEnd => saved.phase = Phase::Running,
            _ => {}
        }
        state::save("Toy-v0", &saved, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        match state::restore("Toy-v0", state) {
            Ok(restored) => self.state = restored,
            Err(_) if self.has(Fault::TakesAnyState) => {}
            Err(error) if self.has(Fault::PanicsOnBadStates) => panic!("{error}"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        match self.fault {
            Fault::NoPicture => return Err(Self::failed("nothing to draw")),
            Fault::EmptyPicture => frame.fill(0, 4, [0; 3]),
            Fault::DrawsOver if frame.width > 0 => {}
            _ => frame.fill(4, 4, [200; 3]),
        }
        if self.has(Fault::ShortPicture) {
            frame.pixels.pop();
        }
        Ok(())
    }
}
