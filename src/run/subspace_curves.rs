//! Curves by subspace: what was played where, how it went, and when the schedule shifted.

use crate::replay::SubspaceStats;
use crate::roles::EpisodeEnd;
use crate::stats::mean;
use crate::subspaces::{Skew, SubspacePlan};
use contrail_envs::Subspace;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Episodes behind the means of a subspace.
const WINDOW_EPISODES: usize = 100;

/// What a resumed run needs to go on with these curves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SubspaceState {
    /// `[subspaces]` the newest episodes of each.
    windows: Vec<VecDeque<EpisodeEnd>>,
    /// `[subspaces]` episodes since the run began.
    episodes: Vec<u64>,
    skew: Skew,
    /// Phases that were announced.
    phases_begun: usize,
}

/// A shift of the schedule.
pub(super) struct Shift {
    /// Number of the phase that begins, from 0.
    pub(super) phase: usize,
    /// Env steps of all actors at which it was declared to begin.
    pub(super) from_env_steps: u64,
    /// Name of its subspace.
    pub(super) subspace: String,
    /// Name of the subspace before; absent at the first phase.
    pub(super) before: Option<String>,
}

/// Collects episodes and makes rows of curves.
pub(super) struct SubspaceCurves {
    plan: Arc<SubspacePlan>,
    state: SubspaceState,
}

impl SubspaceCurves {
    pub(super) fn new(plan: Arc<SubspacePlan>, streams: usize, state: SubspaceState) -> Self {
        let count = plan.subspaces().len();
        let state = if state.windows.len() == count {
            state
        } else {
            SubspaceState {
                windows: vec![VecDeque::new(); count],
                episodes: vec![0; count],
                skew: Skew::new(streams, count),
                phases_begun: 0,
            }
        };
        Self { plan, state }
    }

    pub(super) fn state(&self) -> SubspaceState {
        self.state.clone()
    }

    /// Whether there is more than the published environment to speak of.
    fn is_plain(&self) -> bool {
        let first = &self.plan.subspaces()[0];
        self.plan.subspaces().len() == 1
            && first.values.is_empty()
            && first.contexts.is_empty()
            && self.plan.drifted(0).is_none()
    }

    /// Env steps, each as environment and subspace.
    pub(super) fn played(&mut self, env_steps: &[(u32, u32)]) {
        env_steps.iter().for_each(|step| self.state.skew.add(*step, 1));
    }

    pub(super) fn ended(&mut self, episode: &EpisodeEnd) {
        let subspace = episode.assigned.subspace;
        self.state.episodes[subspace as usize] += 1;
        let window = &mut self.state.windows[subspace as usize];
        window.push_back(episode.clone());
        if window.len() > WINDOW_EPISODES {
            window.pop_front();
        }
    }

    /// Shifts up to `env_steps` that were not announced yet.
    pub(super) fn shifts(&mut self, env_steps: u64) -> Vec<Shift> {
        let name = |number: u32| self.plan.subspaces()[number as usize].name.clone();
        let phases = self.plan.phases();
        let begun = phases.partition_point(|phase| phase.from_env_steps <= env_steps);
        let shift = |number: usize| Shift {
            phase: number,
            from_env_steps: phases[number].from_env_steps,
            subspace: name(phases[number].subspace),
            before: number.checked_sub(1).map(|before| name(phases[before].subspace)),
        };
        let shifts = (self.state.phases_begun..begun).map(shift).collect();
        self.state.phases_begun = begun.max(self.state.phases_begun);
        shifts
    }

    /// Ends a period of the log and gives its curves; none for the published environment alone.
    pub(super) fn row(&mut self, env_steps: u64, replay: &[SubspaceStats]) -> Vec<(String, f64)> {
        self.state.skew.end_period();
        let mut row = Vec::new();
        if self.is_plain() {
            return row;
        }
        let played = self.state.skew.env_steps();
        for (number, subspace) in self.plan.subspaces().iter().enumerate() {
            let mut add = |curve: &str, value: f64| {
                row.push((format!("subspace/{}/{curve}", subspace.name), value));
            };
            add("episodes", self.state.episodes[number] as f64);
            add("env_steps", played[number] as f64);
            if let Some(stored) = replay.get(number) {
                add("replay_size", stored.size as f64);
                add("replay_age", stored.age_env_steps);
                add("replay_reuse", stored.reuse);
                add("replay_coverage", stored.coverage);
                add("replay_forgotten", stored.forgotten as f64);
            }
            let window = &self.state.windows[number];
            if window.is_empty() {
                continue;
            }
            let mean_of = |value: &dyn Fn(&EpisodeEnd) -> f64| {
                mean(&window.iter().map(value).collect::<Vec<_>>())
            };
            add("ep_rew_mean", mean_of(&|e| e.episode_return));
            add("ep_len_mean", mean_of(&|e| e.length_env_steps as f64));
            for (index, value) in self.plan.spec().values.iter().enumerate() {
                if self.varies(subspace, &value.name) {
                    let context = mean_of(&|e| e.assigned.context.values[index]);
                    add(&format!("context/{}", value.name), context);
                }
            }
        }
        let skew = &self.state.skew;
        row.extend(skew.between_envs_bits().map(|b| ("schedule/js_between_envs".to_owned(), b)));
        row.extend(skew.over_time_bits().map(|b| ("schedule/js_over_time".to_owned(), b)));
        if self.state.phases_begun > 0 {
            row.push(("schedule/phase".to_owned(), (self.state.phases_begun - 1) as f64));
        }
        row.extend(
            self.plan.drifted(env_steps).map(|(_, v)| ("schedule/drift_value".to_owned(), v)),
        );
        row
    }

    /// Whether `value` is something that `subspace` or the drift sets.
    fn varies(&self, subspace: &Subspace, value: &str) -> bool {
        subspace.values.contains_key(value)
            || subspace.contexts.iter().any(|context| context.contains_key(value))
            || self.plan.drifted(0).is_some_and(|(drifting, _)| drifting == value)
    }

    /// Measured skew: between environments and over time, in bits.
    pub(super) fn skew_bits(&self) -> (Option<f64>, Option<f64>) {
        (self.state.skew.between_envs_bits(), self.state.skew.over_time_bits())
    }
}
