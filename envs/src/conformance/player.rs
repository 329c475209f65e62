//! An environment under test with its own buffer, and the random actions it is given.

use crate::{
    Action, ActionSpace, Context, Dtype, EnvError, Environment, ObsBuffer, ObsSpace, Prng, Step,
};
use rand::{RngExt, SeedableRng};

/// An environment whose observation buffer is filled with `poison` before each call.
pub(super) struct Player {
    pub(super) env: Box<dyn Environment>,
    pub(super) obs: ObsBuffer,
    pub(super) poison: ObsBuffer,
}

impl Player {
    pub(super) fn new(env: Box<dyn Environment>, space: &ObsSpace) -> Self {
        Self { env, obs: ObsBuffer::zeros(space, 1), poison: valid_obs(space) }
    }

    pub(super) fn reset(&mut self, seed: u64, context: &Context) -> Result<(), EnvError> {
        self.obs.write_row(0, self.poison.as_ref());
        self.env.reset(seed, context, self.obs.as_mut())
    }

    pub(super) fn step(&mut self, action: &OwnedAction) -> Result<Step, EnvError> {
        self.obs.write_row(0, self.poison.as_ref());
        self.env.step(action.as_action(), self.obs.as_mut())
    }
}

/// An observation within all bounds: an element that is never written breaks only its own rule.
fn valid_obs(space: &ObsSpace) -> ObsBuffer {
    let value = |index| {
        let (low, high) = space.bounds(index);
        0.0_f32.max(low).min(high)
    };
    let mut obs = ObsBuffer::zeros(space, 1);
    match &mut obs {
        ObsBuffer::F32(v) => v.iter_mut().enumerate().for_each(|(i, v)| *v = value(i)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a valid byte")]
        ObsBuffer::U8(v) => v.iter_mut().enumerate().for_each(|(i, v)| *v = value(i) as u8),
    }
    obs
}

/// An observation that differs from [`valid_obs`] in every element.
pub(super) fn other_poison(space: &ObsSpace) -> ObsBuffer {
    let mut obs = valid_obs(space);
    match &mut obs {
        ObsBuffer::F32(v) => {
            v.iter_mut().for_each(|v| *v = if *v < 0.0 { 12_345.5 } else { -12_345.5 })
        }
        ObsBuffer::U8(v) => v.iter_mut().for_each(|v| *v = !*v ^ 0x5A),
    }
    obs
}

/// An action that outlives its environment's borrow.
#[derive(Clone, Debug)]
pub(super) enum OwnedAction {
    Discrete(usize),
    Box(Vec<f32>),
}

impl OwnedAction {
    pub(super) fn as_action(&self) -> Action<'_> {
        match self {
            Self::Discrete(index) => Action::Discrete(*index),
            Self::Box(vector) => Action::Box(vector),
        }
    }
}

/// Chooses random actions. One for a check holds each for 1 to 8 steps and likes the bounds, which
/// leads further from the start than independent uniform actions do.
#[derive(Clone)]
pub(super) struct Chooser {
    rng: Prng,
    space: ActionSpace,
    held: OwnedAction,
    env_steps_left: u32,
    uniform: bool,
}

impl Chooser {
    pub(super) fn new(space: &ActionSpace, seed: u64) -> Self {
        let held = OwnedAction::Discrete(0);
        let rng = Prng::seed_from_u64(seed);
        Self { rng, space: space.clone(), held, env_steps_left: 0, uniform: false }
    }

    /// Independent uniform actions.
    pub(super) fn uniform(space: &ActionSpace, seed: u64) -> Self {
        Self { uniform: true, ..Self::new(space, seed) }
    }

    pub(super) fn next(&mut self) -> OwnedAction {
        if self.env_steps_left == 0 {
            self.held = self.draw();
            self.env_steps_left = if self.uniform { 1 } else { self.rng.random_range(1..=8) };
        }
        self.env_steps_left -= 1;
        self.held.clone()
    }

    fn draw(&mut self) -> OwnedAction {
        let (rng, element) = (&mut self.rng, if self.uniform { uniform } else { draw_element });
        match &self.space {
            ActionSpace::Discrete(n) => OwnedAction::Discrete(rng.random_range(0..*n)),
            ActionSpace::Box { low, high } => {
                let bounds = low.iter().zip(high);
                OwnedAction::Box(bounds.map(|(l, h)| element(rng, *l, *h)).collect())
            }
        }
    }
}

/// Uniform within the bounds, and one time in four exactly a bound.
fn draw_element(rng: &mut Prng, low: f32, high: f32) -> f32 {
    let (least, most) = near(low, high);
    match rng.random_range(0..8) {
        0 => least,
        1 => most,
        _ => uniform(rng, low, high),
    }
}

fn uniform(rng: &mut Prng, low: f32, high: f32) -> f32 {
    let (low, high) = near(low, high);
    (low + (high - low) * rng.random::<f32>()).clamp(low, high)
}

/// Bounds that are far apart, drawn to within 10 of the allowed value nearest to 0.
fn near(low: f32, high: f32) -> (f32, f32) {
    let center = 0.0_f32.max(low).min(high);
    (low.max(center - 10.0), high.min(center + 10.0))
}

/// Actions outside `space`, each with a name.
pub(super) fn invalid_actions(space: &ActionSpace) -> Vec<(&'static str, OwnedAction)> {
    match space {
        ActionSpace::Discrete(n) => vec![
            ("the first index out of range", OwnedAction::Discrete(*n)),
            ("the largest index", OwnedAction::Discrete(usize::MAX)),
            ("a box action instead of an index", OwnedAction::Box(vec![0.0])),
        ],
        ActionSpace::Box { low, high } => {
            let valid: Vec<f32> =
                low.iter().zip(high).map(|(l, h)| 0.0_f32.max(*l).min(*h)).collect();
            let longer = [&valid[..], &valid[..1]].concat();
            let shorter = valid[1..].to_vec();
            let mut actions = vec![
                ("an index instead of a box action", OwnedAction::Discrete(0)),
                ("an action with an element too many", OwnedAction::Box(longer)),
                ("an action with an element too few", OwnedAction::Box(shorter)),
            ];
            // Each element alone: one that is never looked at stays visible.
            for index in 0..valid.len() {
                let mut with = |name, value: f32| {
                    let mut vector = valid.clone();
                    vector[index] = value;
                    actions.push((name, OwnedAction::Box(vector)));
                };
                with("an action with a NaN", f32::NAN);
                if high[index] < f32::INFINITY {
                    with("an action above its bounds", high[index].next_up());
                }
                if low[index] > f32::NEG_INFINITY {
                    with("an action below its bounds", low[index].next_down());
                }
            }
            actions
        }
    }
}

/// Buffers that do not fit `space`, each with a name.
pub(super) fn wrong_buffers(space: &ObsSpace) -> Vec<(&'static str, ObsBuffer)> {
    let other = match space.dtype {
        Dtype::F32 => Dtype::U8,
        Dtype::U8 => Dtype::F32,
    };
    vec![
        ("a buffer with an element too many", ObsBuffer::zeros_of(space.dtype, space.len() + 1)),
        ("a buffer with an element too few", ObsBuffer::zeros_of(space.dtype, space.len() - 1)),
        ("a buffer of the other dtype", ObsBuffer::zeros_of(other, space.len())),
    ]
}

/// Where two observations differ; two NaN are the same.
pub(super) fn obs_difference(left: &ObsBuffer, right: &ObsBuffer) -> Option<String> {
    if left == right {
        return None; // by far the usual case, and much faster than the loop
    }
    let (left, right) = (left.as_ref(), right.as_ref());
    let index = (0..left.len()).find(|i| left.get(*i).to_bits() != right.get(*i).to_bits())?;
    let (left, right) = (left.get(index), right.get(index));
    Some(format!("observation element {index} is {left} and {right}"))
}

/// Where two answers to the same step differ.
pub(super) fn step_difference(
    left: &Result<Step, EnvError>,
    right: &Result<Step, EnvError>,
) -> Option<String> {
    match (left, right) {
        (Ok(l), Ok(r)) if l.reward.to_bits() != r.reward.to_bits() => {
            Some(format!("the reward is {} and {}", l.reward, r.reward))
        }
        (Ok(l), Ok(r)) if l.outcome != r.outcome => {
            Some(format!("the outcome is {:?} and {:?}", l.outcome, r.outcome))
        }
        (Ok(l), Ok(r)) if l.frames != r.frames => {
            Some(format!("the step takes {} and {} frames", l.frames, r.frames))
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Some(format!("only one fails: {error}")),
        _ => None,
    }
}
