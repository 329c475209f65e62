//! Changes rewards.

use crate::{Action, Context, EnvError, EnvSpec, Environment, ObsMut, RgbFrame, Step};

/// Clips every reward to `low..=high`. It has no state of its own.
pub struct RewardClip<E> {
    env: E,
    low: f32,
    high: f32,
}

impl<E: Environment> RewardClip<E> {
    /// `env` with rewards in `low..=high`.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `low > high` or either is NaN.
    pub fn new(env: E, low: f32, high: f32) -> Result<Self, EnvError> {
        let ordered = low <= high; // false for NaN
        if !ordered {
            return Err(EnvError::BadOption(format!(
                "{}: cannot clip rewards to {low} to {high}; the lower bound must not be above the \
                 upper one",
                env.spec().id
            )));
        }
        Ok(Self { env, low, high })
    }
}

impl<E: Environment> Environment for RewardClip<E> {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, context, obs)
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, obs)?;
        Ok(Step { reward: step.reward.clamp(self.low, self.high), ..step })
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        self.env.save_state(out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.env.restore_state(state)
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.env.render(frame)
    }

    fn expert_action(&self) -> Option<usize> {
        self.env.expert_action()
    }
}

/// Multiplies every reward by a factor. It has no state of its own.
pub struct RewardScale<E> {
    env: E,
    factor: f32,
}

impl<E: Environment> RewardScale<E> {
    /// `env` with rewards times `factor`.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `factor` is infinite or NaN.
    pub fn new(env: E, factor: f32) -> Result<Self, EnvError> {
        if !factor.is_finite() {
            let id = &env.spec().id;
            let message = format!("{id}: cannot scale rewards by {factor}; it must be finite");
            return Err(EnvError::BadOption(message));
        }
        Ok(Self { env, factor })
    }
}

impl<E: Environment> Environment for RewardScale<E> {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, context, obs)
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let step = self.env.step(action, obs)?;
        Ok(Step { reward: step.reward * self.factor, ..step })
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        self.env.save_state(out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.env.restore_state(state)
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.env.render(frame)
    }

    fn expert_action(&self) -> Option<usize> {
        self.env.expert_action()
    }
}

#[cfg(test)]
mod tests {
    use super::super::counting::{Counting, play};
    use super::*;

    fn rewards(mut env: impl Environment) -> Vec<f32> {
        play(&mut env).iter().map(|(_, step)| step.reward).collect()
    }

    #[test]
    fn clips_and_scales_each_reward() {
        // The inner rewards are 1, 2, 3, 4.
        let counting = || Counting::new(4);
        assert_eq!(rewards(RewardClip::new(counting(), 2.0, 3.0).unwrap()), [2.0, 2.0, 3.0, 3.0]);
        assert_eq!(rewards(RewardScale::new(counting(), -0.5).unwrap()), [-0.5, -1.0, -1.5, -2.0]);
        // The outer wrapper comes last: clip(2 r) to 5, and 2 clip(r) to 2.25.
        let inner = RewardScale::new(counting(), 2.0).unwrap();
        assert_eq!(rewards(RewardClip::new(inner, 0.0, 5.0).unwrap()), [2.0, 4.0, 5.0, 5.0]);
        let inner = RewardClip::new(counting(), 0.0, 2.25).unwrap();
        assert_eq!(rewards(RewardScale::new(inner, 2.0).unwrap()), [2.0, 4.0, 4.5, 4.5]);
    }

    #[test]
    fn refuses_bad_bounds_and_factors() {
        assert!(RewardClip::new(Counting::new(1), 1.0, -1.0).is_err());
        assert!(RewardClip::new(Counting::new(1), f32::NAN, 1.0).is_err());
        assert!(RewardScale::new(Counting::new(1), f32::INFINITY).is_err());
    }
}
