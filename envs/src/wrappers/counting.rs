//! A counting environment for the tests of the wrappers: its numbers can be told in advance.

use crate::{
    Action, ActionSpace, Context, ContextSpec, EnvError, EnvSpec, Environment, ObsMut, ObsSpace,
    Outcome, RgbFrame, Step, state,
};

/// Observation and reward of step t are t (the first observation is 0); the episode terminates at
/// step `length`. One action.
pub(super) struct Counting {
    spec: EnvSpec,
    length: u32,
    /// Steps taken; `None` before the first reset.
    steps: Option<u32>,
}

impl Counting {
    pub(super) fn new(length: u32) -> Self {
        Self::with_obs(length, ObsSpace::f32(&[1], 0.0, 255.0))
    }

    /// The same with another observation space; every element is t.
    pub(super) fn with_obs(length: u32, obs: ObsSpace) -> Self {
        Self::with_context(length, obs, ContextSpec::default())
    }

    /// The same with a context that changes nothing.
    pub(super) fn with_context(length: u32, obs: ObsSpace, context: ContextSpec) -> Self {
        let spec = EnvSpec {
            id: "Counting-v0".into(),
            obs,
            action: ActionSpace::Discrete(1),
            context,
            time_limit_env_steps: None,
        };
        Self { spec, length, steps: None }
    }

    fn write(&self, mut obs: ObsMut<'_>, steps: u32) -> Result<(), EnvError> {
        let len = self.spec.obs.len();
        let value = u8::try_from(steps).unwrap();
        if let ObsMut::U8(_) = obs {
            obs.u8(&self.spec.id, len)?.fill(value);
        } else {
            obs.f32(&self.spec.id, len)?.fill(f32::from(value));
        }
        Ok(())
    }
}

impl Environment for Counting {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        self.write(obs, 0)?;
        self.steps = Some(0);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let steps = match self.steps {
            Some(steps) if steps < self.length => steps + 1,
            _ => {
                return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when: "too late" });
            }
        };
        self.spec.action.check(&self.spec.id, action)?;
        self.write(obs, steps)?;
        self.steps = Some(steps);
        let over = steps == self.length;
        let outcome = if over { Outcome::Terminated } else { Outcome::Continue };
        Ok(Step::new(f32::from(u8::try_from(steps).unwrap()), outcome))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &self.steps, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.steps = state::restore(&self.spec.id, state)?;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        frame.fill(1, 1, [0; 3]);
        Ok(())
    }
}

/// Resets a float environment and returns its first observation.
pub(super) fn first_obs(env: &mut dyn Environment) -> Vec<f32> {
    let mut obs = vec![f32::NAN; env.spec().obs.len()];
    let context = env.spec().context.default_context();
    env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap();
    obs
}

/// Plays one episode of a float environment with action 0: the observation and step of each.
pub(super) fn play(env: &mut dyn Environment) -> Vec<(Vec<f32>, Step)> {
    first_obs(env);
    let mut episode: Vec<(Vec<f32>, Step)> = Vec::new();
    while episode.last().is_none_or(|(_, step)| step.outcome == Outcome::Continue) {
        let mut obs = vec![f32::NAN; env.spec().obs.len()];
        let step = env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        episode.push((obs, step));
    }
    episode
}
