//! Applies each action several times.

use crate::{Action, Context, EnvError, EnvSpec, Environment, ObsMut, RgbFrame, Step};

/// Applies each action `k` times, or fewer if the episode ends. The reward is the sum, the
/// observation the last one, and `Step::frames` the sum of the inner frames.
///
/// A time limit inside counts inner steps, so the spec of this wrapper names `limit / k`, rounded
/// up. It has no state of its own.
pub struct ActionRepeat<E> {
    env: E,
    spec: EnvSpec,
    k: u32,
}

impl<E: Environment> ActionRepeat<E> {
    /// `env` with each action applied `k` times.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `k` is 0.
    pub fn new(env: E, k: u32) -> Result<Self, EnvError> {
        let mut spec = env.spec().clone();
        if k == 0 {
            let message = format!("{}: an action must be applied at least once, got 0", spec.id);
            return Err(EnvError::BadOption(message));
        }
        spec.time_limit_env_steps = spec.time_limit_env_steps.map(|limit| limit.div_ceil(k));
        Ok(Self { env, spec, k })
    }
}

impl<E: Environment> Environment for ActionRepeat<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, context, obs)
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let mut total = self.env.step(action, obs.reborrow())?;
        for _ in 1..self.k {
            if total.outcome.ends_episode() {
                break;
            }
            let step = self.env.step(action, obs.reborrow())?;
            total.reward += step.reward;
            total.frames += step.frames;
            total.outcome = step.outcome;
        }
        Ok(total)
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
    use super::super::{FrameStack, TimeLimit};
    use super::*;
    use crate::Outcome::{Continue, Terminated, Truncated};

    #[test]
    fn sums_rewards_and_frames_and_stops_at_the_end() {
        // An inner episode of 5 steps with rewards 1 to 5, three at a time: 1+2+3, 4+5.
        let mut env = ActionRepeat::new(Counting::new(5), 3).unwrap();
        let expected = [
            (vec![3.0], Step { reward: 6.0, outcome: Continue, frames: 3 }),
            (vec![5.0], Step { reward: 9.0, outcome: Terminated, frames: 2 }),
        ];
        assert_eq!(play(&mut env), expected);
    }

    #[test]
    fn nested_repeats_multiply_frames() {
        let inner = ActionRepeat::new(Counting::new(9), 2).unwrap();
        let frames: Vec<_> = play(&mut ActionRepeat::new(inner, 2).unwrap())
            .iter()
            .map(|(_, step)| step.frames)
            .collect();
        assert_eq!(frames, [4, 4, 1]);
    }

    #[test]
    fn an_inner_time_limit_counts_inner_steps() {
        let env = TimeLimit::new(Counting::new(99), 5);
        let mut env = ActionRepeat::new(env, 2).unwrap();
        let outcomes: Vec<_> = play(&mut env).iter().map(|(_, step)| step.outcome).collect();
        assert_eq!(outcomes, [Continue, Continue, Truncated]);
        assert_eq!(env.spec().time_limit_env_steps, Some(3));
    }

    #[test]
    fn a_stack_outside_sees_only_the_last_of_the_repeated_observations() {
        let env = ActionRepeat::new(Counting::new(4), 2).unwrap();
        let obs: Vec<_> =
            play(&mut FrameStack::new(env, 2).unwrap()).into_iter().map(|e| e.0).collect();
        assert_eq!(obs, [[0.0, 2.0], [2.0, 4.0]]);
    }

    #[test]
    fn refuses_zero() {
        assert!(ActionRepeat::new(Counting::new(5), 0).is_err());
    }
}
