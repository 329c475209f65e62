//! How random actions give way to chosen ones.

use crate::config::{EpsilonSchedule, ExplorationConfig};
use contrail_agents::ActMode;

/// How an actor varies its actions over the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Exploration {
    epsilon: EpsilonSchedule,
    initial_random_env_steps: u64,
}

impl Exploration {
    /// As the config says.
    #[must_use]
    pub fn new(config: &ExplorationConfig) -> Self {
        Self { epsilon: config.epsilon, initial_random_env_steps: config.initial_random_env_steps }
    }

    /// Acts at random until `env_steps` of all actors, as at the start of a run.
    pub fn act_randomly_until(&mut self, env_steps: u64) {
        self.initial_random_env_steps = self.initial_random_env_steps.max(env_steps);
    }

    /// Probability of a uniformly random action after `env_steps` of all actors.
    #[must_use]
    pub fn epsilon(&self, env_steps: u64) -> f64 {
        let EpsilonSchedule { start, end, decay_env_steps } = self.epsilon;
        if env_steps < self.initial_random_env_steps {
            1.0
        } else if env_steps >= decay_env_steps {
            end
        } else {
            start + (end - start) * env_steps as f64 / decay_env_steps as f64
        }
    }

    pub(super) fn mode(&self, env_steps: u64) -> ActMode {
        if env_steps < self.initial_random_env_steps {
            ActMode::Uniform
        } else {
            ActMode::Explore { epsilon: self.epsilon(env_steps) }
        }
    }
}
