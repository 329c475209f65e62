//! Probe environments: a learner's value and policy on them are known by hand, so each failure
//! names the part that is broken. All have an observation of one float, and a frame of 96 x 96.
//!
//! | Probe (γ = discount factor) | Observation | Reward, length | Right answer | Tests |
//! |---|---|---|---|---|
//! | `ConstantReward` | 0 | 1, one step | value 1 | the value loss |
//! | `ObsReward` | −1 or 1 at random | the observation, one step | value = observation | that the value reads the observation |
//! | `DelayedReward` | 0, then 1 | 1 at the second of two steps | values γ, then 1 | discounting |
//! | `ActionReward` | 0 | 1 for action 1, −1 for action 0, one step | action 1, value 1 | the policy |
//! | `ObsActionReward` | −1 or 1 at random | 1 if the action (0 for −1, 1 for 1) matches, else −1, one step | the matching action, value 1 | policy and observation together |
//! | `Truncation` | 0 | 1, truncated after one step | value 1/(1 − γ) | that truncation bootstraps; 1 if it is taken for termination |
//!
//! `Continuous...` has an action in [−1, 1]. It is ignored by `ContinuousConstantReward`,
//! `ContinuousObsReward`, `ContinuousDelayedReward` and `ContinuousTruncation`. The reward of
//! `ContinuousAction` is −(a − 0.5)², that of `ContinuousObsAction` −(a − observation)² with
//! observation −0.5 or 0.5; the best value of both is 0.
//!
//! # Source
//! Andy Jones, "Debugging RL, Without the Agonizing Pain" (2021), for the first five.
//!
//! # Differs
//! The observation after the last step repeats the one before it. `Truncation` and the continuous
//! probes are ours. The context value `reward_scale` multiplies rewards.

use crate::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvSpec, Environment,
    ObsMut, ObsSpace, Outcome, Prng, Registry, RgbFrame, Step, state,
};
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// What a probe shows.
#[derive(Clone, Copy)]
enum Shows {
    /// 0 at all times.
    Zero,
    /// Plus or minus a number, drawn at reset.
    Sign(f32),
    /// The number of steps taken, at most 1.
    StepIndex,
}

/// What a probe pays.
#[derive(Clone, Copy)]
enum Pays {
    One,
    Obs,
    OneAtEnd,
    /// 1 for action 1, −1 for action 0.
    ActionSign,
    /// The same times the observation.
    ActionSignTimesObs,
    /// Minus the squared distance of the action from a number.
    NearTo(f32),
    NearToObs,
}

/// What an agent may do in a probe.
#[derive(Clone, Copy)]
enum Acts {
    /// One of so many.
    Discrete(usize),
    /// One float in [−1, 1].
    Unit,
}

/// When an episode ends.
#[derive(Clone, Copy)]
enum Ends {
    /// Terminates after so many steps.
    After(u32),
    /// Never by itself; the spec names a time limit of one step.
    CutAfterOne,
}

type Definition = (&'static str, Shows, Acts, Pays, Ends);

const PROBES: [Definition; 12] = [
    ("Probe/ConstantReward-v0", Shows::Zero, Acts::Discrete(1), Pays::One, Ends::After(1)),
    ("Probe/ObsReward-v0", Shows::Sign(1.0), Acts::Discrete(1), Pays::Obs, Ends::After(1)),
    ("Probe/DelayedReward-v0", Shows::StepIndex, Acts::Discrete(1), Pays::OneAtEnd, Ends::After(2)),
    ("Probe/ActionReward-v0", Shows::Zero, Acts::Discrete(2), Pays::ActionSign, Ends::After(1)),
    (
        "Probe/ObsActionReward-v0",
        Shows::Sign(1.0),
        Acts::Discrete(2),
        Pays::ActionSignTimesObs,
        Ends::After(1),
    ),
    ("Probe/Truncation-v0", Shows::Zero, Acts::Discrete(1), Pays::One, Ends::CutAfterOne),
    ("Probe/ContinuousConstantReward-v0", Shows::Zero, Acts::Unit, Pays::One, Ends::After(1)),
    ("Probe/ContinuousObsReward-v0", Shows::Sign(1.0), Acts::Unit, Pays::Obs, Ends::After(1)),
    (
        "Probe/ContinuousDelayedReward-v0",
        Shows::StepIndex,
        Acts::Unit,
        Pays::OneAtEnd,
        Ends::After(2),
    ),
    ("Probe/ContinuousAction-v0", Shows::Zero, Acts::Unit, Pays::NearTo(0.5), Ends::After(1)),
    ("Probe/ContinuousObsAction-v0", Shows::Sign(0.5), Acts::Unit, Pays::NearToObs, Ends::After(1)),
    ("Probe/ContinuousTruncation-v0", Shows::Zero, Acts::Unit, Pays::One, Ends::CutAfterOne),
];

pub(crate) fn register(registry: &mut Registry) {
    for definition in PROBES {
        registry.register(definition.0, move || Ok(Box::new(Probe::from(definition))));
    }
}

/// Ids of all probes.
pub fn ids() -> impl Iterator<Item = &'static str> {
    PROBES.iter().map(|definition| definition.0)
}

/// A probe environment; see the [module](self) for what each does.
pub struct Probe {
    spec: EnvSpec,
    shows: Shows,
    pays: Pays,
    ends: Ends,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Phase {
    BeforeReset,
    Running,
    Over,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct State {
    phase: Phase,
    obs: f32,
    steps: u32,
    reward_scale: f32,
    /// The last action: the float, or the index; `None` after a reset. It is drawn.
    action: Option<f32>,
}

impl Probe {
    /// The probe called `id`, without its time limit.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if there is no such probe.
    pub fn new(id: &str) -> Result<Self, EnvError> {
        let definition = PROBES.into_iter().find(|definition| definition.0 == id);
        definition.map(Self::from).ok_or_else(|| {
            let known: Vec<_> = ids().collect();
            EnvError::BadOption(format!("there is no probe {id:?}; there are {}", known.join(", ")))
        })
    }

    /// The observation after `self.state.steps` steps.
    fn obs(&self) -> f32 {
        match self.shows {
            Shows::Zero => 0.0,
            Shows::Sign(_) => self.state.obs,
            Shows::StepIndex => self.state.steps.min(1) as f32,
        }
    }

    /// The reward for `action`, taken at the observation `obs`; `last` if the episode ends.
    fn reward(&self, obs: f32, action: f32, last: bool) -> f32 {
        let action_sign = 2.0 * action - 1.0;
        match self.pays {
            Pays::One => 1.0,
            Pays::Obs => obs,
            Pays::OneAtEnd => f32::from(u8::from(last)),
            Pays::ActionSign => action_sign,
            Pays::ActionSignTimesObs => action_sign * obs,
            Pays::NearTo(best) => -(action - best).powi(2),
            Pays::NearToObs => -(action - obs).powi(2),
        }
    }
}

impl From<Definition> for Probe {
    fn from((id, shows, acts, pays, ends): Definition) -> Self {
        let (low, high) = match shows {
            // Not 0 to 0: who rescales observations by their bounds would divide by 0.
            Shows::Zero => (-1.0, 1.0),
            Shows::Sign(size) => (-size, size),
            Shows::StepIndex => (0.0, 1.0),
        };
        let action = match acts {
            Acts::Discrete(n) => ActionSpace::Discrete(n),
            Acts::Unit => ActionSpace::Box { low: vec![-1.0], high: vec![1.0] },
        };
        let doc = "multiplies the reward";
        let spec = EnvSpec {
            id: id.to_owned(),
            obs: ObsSpace::f32(&[1], low, high),
            action,
            context: ContextSpec {
                values: vec![ContextValue::new("reward_scale", "1", 1.0, (-10.0, 10.0), doc)],
            },
            time_limit_env_steps: matches!(ends, Ends::CutAfterOne).then_some(1),
        };
        let (phase, action) = (Phase::BeforeReset, None);
        let state = State { phase, obs: 0.0, steps: 0, reward_scale: 1.0, action };
        Self { spec, shows, pays, ends, state }
    }
}

impl Environment for Probe {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    #[expect(clippy::cast_possible_truncation, reason = "a reward scale needs no f64")]
    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let out = obs.f32(&self.spec.id, 1)?;
        let size = if let Shows::Sign(size) = self.shows { size } else { 0.0 };
        let positive = Prng::seed_from_u64(seed).random_bool(0.5);
        self.state = State {
            phase: Phase::Running,
            obs: if positive { size } else { -size },
            steps: 0,
            reward_scale: context.values[0] as f32,
            action: None,
        };
        out[0] = self.obs();
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let when = match self.state.phase {
            Phase::Running => None,
            Phase::BeforeReset => Some("before the first reset"),
            Phase::Over => Some("after the end of the episode"),
        };
        if let Some(when) = when {
            return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when });
        }
        self.spec.action.check(&self.spec.id, action)?;
        let out = obs.f32(&self.spec.id, 1)?;
        let action = match action {
            Action::Discrete(index) => index as f32,
            Action::Box(vector) => vector[0],
        };
        let obs = self.obs();
        self.state.steps += 1;
        self.state.action = Some(action);
        let last = matches!(self.ends, Ends::After(steps) if steps == self.state.steps);
        if last {
            self.state.phase = Phase::Over;
        }
        out[0] = self.obs();
        let reward = self.state.reward_scale * self.reward(obs, action, last);
        Ok(Step::new(reward, if last { Outcome::Terminated } else { Outcome::Continue }))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &self.state, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.state = state::restore(&self.spec.id, state)?;
        Ok(())
    }

    /// Upper half: the observation, lower half: the last action; blue below 0, red above, gray
    /// without an action.
    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        frame.fill(96, 96, color(self.obs()));
        frame.rect((0, 48), (96, 96), self.state.action.map_or([128; 3], color));
        Ok(())
    }
}

/// Blue for −1, white for 0, red for 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn color(value: f32) -> [u8; 3] {
    let fade = (255.0 * (1.0 - value.abs().min(1.0))) as u8;
    if value < 0.0 { [fade, fade, 255] } else { [255, fade, fade] }
}

#[cfg(test)]
mod tests;
