//! Cuts episodes after a number of steps.

use super::{restore_around, save_around};
use crate::{Action, Context, EnvError, EnvSpec, Environment, ObsMut, Outcome, RgbFrame, Step};

/// Truncates an episode at step `limit_env_steps`, unless it ends by itself at or before that step.
///
/// The observation is not changed: a learner must bootstrap from the last one. Put it around an
/// environment that has no time limit yet: of two, the shorter one cuts, and the spec names the
/// outer one.
pub struct TimeLimit<E> {
    env: E,
    spec: EnvSpec,
    limit_env_steps: u32,
    elapsed_env_steps: u32,
}

impl<E: Environment> TimeLimit<E> {
    /// `env` with at most `limit_env_steps` steps an episode.
    ///
    /// # Panics
    /// If `limit_env_steps` is 0: an episode without a step does not exist.
    #[must_use]
    pub fn new(env: E, limit_env_steps: u32) -> Self {
        assert!(limit_env_steps > 0, "a time limit must be at least 1 env step, got 0");
        let mut spec = env.spec().clone();
        spec.time_limit_env_steps = Some(limit_env_steps);
        Self { env, spec, limit_env_steps, elapsed_env_steps: 0 }
    }
}

impl<E: Environment> Environment for TimeLimit<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.env.reset(seed, context, obs)?;
        self.elapsed_env_steps = 0;
        Ok(())
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        if self.elapsed_env_steps >= self.limit_env_steps {
            return Ok(()); // `step` will refuse
        }
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        // The inner environment does not know that it was cut; it refuses all other wrong calls.
        if self.elapsed_env_steps >= self.limit_env_steps {
            let when = "after the end of the episode";
            return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when });
        }
        let mut step = self.env.step(action, obs)?;
        self.elapsed_env_steps += 1;
        let cut = self.elapsed_env_steps == self.limit_env_steps;
        if cut && step.outcome == Outcome::Continue {
            step.outcome = Outcome::Truncated;
        }
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        save_around("TimeLimit", &self.env, &self.elapsed_env_steps, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let (elapsed_env_steps, inner) = restore_around("TimeLimit", &self.env, state)?;
        self.env.restore_state(&inner)?;
        self.elapsed_env_steps = elapsed_env_steps;
        Ok(())
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
    use super::super::counting::{Counting, first_obs, play};
    use super::*;
    use Outcome::{Continue, Terminated, Truncated};

    #[test]
    fn truncates_at_the_limit_unless_the_episode_ends_there() {
        // (inner episode length, limit) -> the outcome of every step
        let table: [(u32, u32, &[Outcome]); 5] = [
            (9, 3, &[Continue, Continue, Truncated]),
            (9, 1, &[Truncated]),
            (3, 3, &[Continue, Continue, Terminated]),
            (2, 3, &[Continue, Terminated]),
            (1, 1, &[Terminated]),
        ];
        for (length, limit, expected) in table {
            let mut env = TimeLimit::new(Counting::new(length), limit);
            assert_eq!(env.spec().time_limit_env_steps, Some(limit));
            for episode in 0..2 {
                let outcomes: Vec<_> = play(&mut env).iter().map(|(_, s)| s.outcome).collect();
                assert_eq!(outcomes, expected, "length {length}, limit {limit}, episode {episode}");
                let error = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0])).unwrap_err();
                assert!(matches!(error, EnvError::NeedsReset { .. }), "{error}");
            }
        }
    }

    #[test]
    fn a_refused_step_does_not_count() {
        let mut env = TimeLimit::new(Counting::new(9), 2);
        first_obs(&mut env);
        let mut obs = [0.0];
        assert!(env.step(Action::Discrete(7), ObsMut::F32(&mut obs)).is_err());
        let step = env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        assert_eq!((obs, step.outcome), ([1.0], Continue));
    }

    #[test]
    fn a_restored_episode_is_cut_at_the_same_step() {
        let mut env = TimeLimit::new(Counting::new(9), 3);
        first_obs(&mut env);
        let mut obs = [0.0];
        env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        let mut saved = Vec::new();
        env.save_state(&mut saved).unwrap();

        let mut restored = TimeLimit::new(Counting::new(9), 3);
        restored.restore_state(&saved).unwrap();
        for expected in [Continue, Truncated] {
            let step = restored.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
            assert_eq!(step.outcome, expected);
        }
        assert_eq!(obs, [3.0]);
    }

    #[test]
    fn the_state_of_the_bare_environment_is_refused() {
        let mut bare = Counting::new(9);
        first_obs(&mut bare);
        let mut saved = Vec::new();
        bare.save_state(&mut saved).unwrap();
        assert!(TimeLimit::new(bare, 3).restore_state(&saved).is_err());
    }
}
