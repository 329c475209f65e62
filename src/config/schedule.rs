//! Section `[schedule]`: who plays what when.

use contrail_envs::{Distribution, Subspace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kinds of schedules by the name that a user writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleName {
    /// Every environment stays in one subspace.
    Pinned,
    /// Every episode draws a subspace.
    #[default]
    Iid,
    /// Every environment has its own shares of the subspaces.
    Dirichlet,
    /// All environments go from one subspace to the next, once.
    Sequential,
    /// All environments go from one subspace to the next, again and again.
    Cyclic,
    /// All environments go through subspaces in random order, again and again.
    Recurring,
    /// A context value moves with time.
    Drifting,
}

/// Section `[schedule]` as written. Each key belongs to some kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSchedule {
    /// Who plays what when.
    pub kind: ScheduleName,
    /// iid: how often each subspace is drawn, relative to the others; 1 for those not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// dirichlet: concentration of the shares; small = every environment in nearly one subspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// sequential, cyclic, recurring: env steps of all actors from one shift to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_env_steps: Option<u64>,
    /// sequential, cyclic: names of the subspaces in turn, repeats allowed; empty = `split.source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<String>>,
    /// drifting: which context value moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_value: Option<String>,
    /// drifting: its value at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_from: Option<f64>,
    /// drifting: its value in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_to: Option<f64>,
    /// drifting: env steps of all actors from start to end; it stays there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_env_steps: Option<u64>,
}

impl Default for RawSchedule {
    /// Every key, so that all are known.
    fn default() -> Self {
        Self {
            kind: ScheduleName::Iid,
            weights: BTreeMap::new(),
            alpha: Some(1.0),
            phase_env_steps: Some(10_000),
            order: Some(Vec::new()),
            drift_value: Some(String::new()),
            drift_from: Some(0.0),
            drift_to: Some(0.0),
            drift_env_steps: Some(10_000),
        }
    }
}

/// Who plays what when. Subspaces are numbered as in [`super::Config::sources`].
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Every environment stays in one subspace. The environments of all actors, in order, are
    /// dealt out in equal contiguous groups: with as many actors as subspaces, an actor each.
    Pinned,
    /// Every episode draws a subspace.
    Iid {
        /// `[subspaces]`, relative.
        weights: Vec<f64>,
    },
    /// Every environment has its own shares of the subspaces, drawn once from a symmetric
    /// Dirichlet distribution; each of its episodes draws from them.
    Dirichlet {
        /// Concentration, above 0.
        alpha: f64,
    },
    /// All environments go through `order` once and stay in the last.
    Sequential {
        /// Env steps of all actors in each phase.
        phase_env_steps: u64,
        /// Subspaces in turn.
        order: Vec<u32>,
    },
    /// All environments go through `order` again and again.
    Cyclic {
        /// Env steps of all actors in each phase.
        phase_env_steps: u64,
        /// Subspaces in turn.
        order: Vec<u32>,
    },
    /// All environments go through subspaces drawn at random, never the same twice in a row.
    Recurring {
        /// Env steps of all actors in each phase.
        phase_env_steps: u64,
    },
    /// Environments are pinned, and in all of them one context value moves.
    Drifting(Drift),
}

/// A context value that moves linearly with the env steps of all actors and then stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Which context value.
    pub value: String,
    /// At env step 0.
    pub from: f64,
    /// From `env_steps` on.
    pub to: f64,
    /// Env steps of all actors from start to end, at least 1.
    pub env_steps: u64,
}

impl Drift {
    /// The value after `env_steps` of all actors.
    #[must_use]
    pub fn at(&self, env_steps: u64) -> f64 {
        let share = (env_steps as f64 / self.env_steps as f64).min(1.0);
        self.from + (self.to - self.from) * share
    }

    /// `subspace` with the value anywhere on its way.
    #[must_use]
    pub fn over(&self, subspace: &Subspace) -> Subspace {
        let way = Distribution::Uniform(self.from.min(self.to), self.from.max(self.to));
        self.replaced(subspace, way)
    }

    /// `subspace` with the value where it stays in the end.
    #[must_use]
    pub fn beyond(&self, subspace: &Subspace) -> Subspace {
        self.replaced(subspace, Distribution::Fixed(self.to))
    }

    fn replaced(&self, subspace: &Subspace, distribution: Distribution) -> Subspace {
        let mut subspace = subspace.clone();
        subspace.values.insert(self.value.clone(), distribution);
        subspace
    }
}

impl Schedule {
    /// What `problems` accepted; `sources` are the names of the source subspaces.
    pub(super) fn of(raw: RawSchedule, sources: &[String]) -> Self {
        let default = RawSchedule::default();
        let phase_env_steps = raw.phase_env_steps.or(default.phase_env_steps).unwrap_or(1);
        let number = |name: &String| sources.iter().position(|s| s == name).map(|n| n as u32);
        let mut order: Vec<u32> = raw.order.unwrap_or_default().iter().filter_map(number).collect();
        if order.is_empty() {
            order = (0..sources.len() as u32).collect();
        }
        let weight = |name| raw.weights.get(name).copied().unwrap_or(1.0);
        match raw.kind {
            ScheduleName::Pinned => Self::Pinned,
            ScheduleName::Iid => Self::Iid { weights: sources.iter().map(weight).collect() },
            ScheduleName::Dirichlet => Self::Dirichlet { alpha: raw.alpha.unwrap_or(1.0) },
            ScheduleName::Sequential => Self::Sequential { phase_env_steps, order },
            ScheduleName::Cyclic => Self::Cyclic { phase_env_steps, order },
            ScheduleName::Recurring => Self::Recurring { phase_env_steps },
            ScheduleName::Drifting => Self::Drifting(Drift {
                value: raw.drift_value.unwrap_or_default(),
                from: raw.drift_from.unwrap_or_default(),
                to: raw.drift_to.unwrap_or_default(),
                env_steps: raw.drift_env_steps.or(default.drift_env_steps).unwrap_or(1),
            }),
        }
    }

    /// As it is written, with the keys of its kind alone.
    pub(super) fn written(self, sources: &[String]) -> RawSchedule {
        let mut raw = RawSchedule {
            kind: self.name(),
            weights: BTreeMap::new(),
            alpha: None,
            phase_env_steps: None,
            order: None,
            drift_value: None,
            drift_from: None,
            drift_to: None,
            drift_env_steps: None,
        };
        let names = |order: Vec<u32>| order.iter().map(|n| sources[*n as usize].clone()).collect();
        match self {
            Self::Pinned => {}
            Self::Iid { weights } => {
                let all = sources.iter().cloned().zip(weights);
                raw.weights =
                    all.filter(|(_, weight)| weight.to_bits() != 1_f64.to_bits()).collect();
            }
            Self::Dirichlet { alpha } => raw.alpha = Some(alpha),
            Self::Sequential { phase_env_steps, order }
            | Self::Cyclic { phase_env_steps, order } => {
                (raw.phase_env_steps, raw.order) = (Some(phase_env_steps), Some(names(order)));
            }
            Self::Recurring { phase_env_steps } => raw.phase_env_steps = Some(phase_env_steps),
            Self::Drifting(drift) => {
                raw.drift_value = Some(drift.value);
                (raw.drift_from, raw.drift_to) = (Some(drift.from), Some(drift.to));
                raw.drift_env_steps = Some(drift.env_steps);
            }
        }
        raw
    }

    /// The name as written.
    #[must_use]
    pub fn name(&self) -> ScheduleName {
        match self {
            Self::Pinned => ScheduleName::Pinned,
            Self::Iid { .. } => ScheduleName::Iid,
            Self::Dirichlet { .. } => ScheduleName::Dirichlet,
            Self::Sequential { .. } => ScheduleName::Sequential,
            Self::Cyclic { .. } => ScheduleName::Cyclic,
            Self::Recurring { .. } => ScheduleName::Recurring,
            Self::Drifting(_) => ScheduleName::Drifting,
        }
    }

    /// Why setting the key `name` of `[schedule]` changes nothing, if so.
    pub(super) fn without_effect(&self, name: &str) -> Option<&'static str> {
        let kind = self.name();
        let phases = [ScheduleName::Sequential, ScheduleName::Cyclic, ScheduleName::Recurring];
        let (idle, why) = match name.split('.').next().unwrap_or_default() {
            "weights" => (kind != ScheduleName::Iid, "schedule.kind is not \"iid\""),
            "alpha" => (kind != ScheduleName::Dirichlet, "schedule.kind is not \"dirichlet\""),
            "phase_env_steps" => (
                !phases.contains(&kind),
                "schedule.kind is not \"sequential\", \"cyclic\" or \"recurring\"",
            ),
            "order" => {
                (!phases[..2].contains(&kind), "schedule.kind is not \"sequential\" or \"cyclic\"")
            }
            key if key.starts_with("drift_") => {
                (kind != ScheduleName::Drifting, "schedule.kind is not \"drifting\"")
            }
            _ => (false, ""),
        };
        idle.then_some(why)
    }
}
