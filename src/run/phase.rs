//! How the present phase goes: what is earned since the last shift.

use crate::roles::EpisodeEnd;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Episodes behind the mean of a phase.
const WINDOW_EPISODES: usize = 50;

/// Returns since the last shift, or since the run began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Phase {
    begun_env_steps: u64,
    /// Episodes of another subspace than this one began before the shift and do not count.
    subspace: Option<u32>,
    window: VecDeque<f64>,
    episodes: u64,
    /// Area under the curve of the window's mean, and the env steps it is over.
    area: f64,
    area_env_steps: u64,
}

impl Phase {
    pub(super) fn begin(&mut self, env_steps: u64, subspace: Option<u32>) {
        *self = Self { begun_env_steps: env_steps, subspace, ..Self::default() };
    }

    pub(super) fn ended(&mut self, episode: &EpisodeEnd) {
        if self.subspace.is_some_and(|own| own != episode.assigned.subspace) {
            return;
        }
        self.episodes += 1;
        self.window.push_back(episode.episode_return);
        if self.window.len() > WINDOW_EPISODES {
            self.window.pop_front();
        }
    }

    /// `env_steps` were taken under the window as it is.
    pub(super) fn passed(&mut self, env_steps: u64) {
        if let Some(mean) = self.mean_return() {
            self.area += mean * env_steps as f64;
            self.area_env_steps += env_steps;
        }
    }

    /// Mean return of up to the last 50 episodes of the phase.
    pub(super) fn mean_return(&self) -> Option<f64> {
        let sum: f64 = self.window.iter().sum();
        (!self.window.is_empty()).then(|| sum / self.window.len() as f64)
    }

    pub(super) fn curves(&self, env_steps: u64) -> Vec<(String, f64)> {
        let mut curves = vec![
            ("phase/env_steps".to_owned(), env_steps.saturating_sub(self.begun_env_steps) as f64),
            ("phase/episodes".to_owned(), self.episodes as f64),
        ];
        if let Some(mean) = self.mean_return() {
            curves.push(("phase/ep_rew_mean_50".to_owned(), mean));
        }
        if self.area_env_steps > 0 {
            curves.push(("phase/auc".to_owned(), self.area / self.area_env_steps as f64));
        }
        curves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subspaces::Assigned;
    use contrail_envs::Context;

    fn episode(subspace: u32, episode_return: f64) -> EpisodeEnd {
        let assigned = Assigned { subspace, context: Context::default() };
        EpisodeEnd { episode_return, length_env_steps: 1, assigned, stream: 0 }
    }

    #[test]
    fn area_is_under_the_mean_of_the_phases_own_episodes() {
        // 10 env steps before the first episode do not count. Then 10 under a mean of 2, and 30
        // under (2 + 6) / 2 = 4: (10 * 2 + 30 * 4) / 40 = 3.5. Subspace 0 is of the phase before.
        let mut phase = Phase::default();
        phase.begin(100, Some(1));
        phase.passed(10);
        phase.ended(&episode(0, 99.0));
        phase.ended(&episode(1, 2.0));
        phase.passed(10);
        phase.ended(&episode(1, 6.0));
        phase.passed(30);
        let curves = phase.curves(150);
        let value = |name: &str| curves.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        assert_eq!(value("phase/auc"), Some(3.5));
        assert_eq!(value("phase/ep_rew_mean_50"), Some(4.0));
        assert_eq!(value("phase/env_steps"), Some(50.0));
        assert_eq!(value("phase/episodes"), Some(2.0));
    }

    #[test]
    fn the_window_is_of_fifty_episodes() {
        let mut phase = Phase::default();
        for number in 0..60 {
            phase.ended(&episode(0, f64::from(number)));
        }
        assert_eq!(phase.mean_return(), Some(34.5)); // 10 to 59
    }
}
