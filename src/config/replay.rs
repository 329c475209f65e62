//! Section `[replay]`: what is remembered and how it is drawn, as written and as valid.

use crate::replay::SubspaceLaw;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How minibatches are drawn, by the name that a user writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingName {
    /// Every transition alike.
    Uniform,
    /// In proportion to a power of the last error (Schaul et al. 2016).
    Prioritized,
}

/// How often each subspace is drawn, by the name that a user writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubspaceLawName {
    /// Every stored transition alike.
    Uniform,
    /// In proportion to a power of what is stored of each.
    Temperature,
    /// In fixed shares.
    Quota,
}

/// Section `[replay]` as written. The exponents belong to prioritized sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawReplay {
    /// Transitions that are remembered.
    pub capacity_transitions: usize,
    /// How minibatches are drawn.
    pub sampling: SamplingName,
    /// Power of the priority in the sampling probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_exponent: Option<f64>,
    /// Power of the importance weight at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_exponent_start: Option<f64>,
    /// Power of the importance weight at the end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_exponent_end: Option<f64>,
    /// How often each subspace is drawn.
    pub subspace_law: SubspaceLawName,
    /// Temperature: 1 = as stored; the higher, the more alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subspace_temperature: Option<f64>,
    /// Quota: share of each source subspace, relative to the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subspace_quota: BTreeMap<String, f64>,
    /// Whether each source subspace has an equal share of the capacity to itself. A law other than
    /// "uniform" implies it.
    pub keep_every_subspace: bool,
}

impl Default for RawReplay {
    fn default() -> Self {
        let exponents = Prioritized::default();
        Self {
            capacity_transitions: 100_000,
            sampling: SamplingName::Uniform,
            priority_exponent: Some(exponents.priority_exponent),
            importance_exponent_start: Some(exponents.importance_exponent_start),
            importance_exponent_end: Some(exponents.importance_exponent_end),
            subspace_law: SubspaceLawName::Uniform,
            subspace_temperature: Some(1.0),
            subspace_quota: BTreeMap::new(),
            keep_every_subspace: false,
        }
    }
}

impl RawReplay {
    /// As it is written, with the keys of its sampling and of its law alone.
    pub(super) fn written(replay: ReplayConfig, sources: &[String]) -> Self {
        let (sampling, exponents) = match replay.sampling {
            Sampling::Uniform => (SamplingName::Uniform, None),
            Sampling::Prioritized(p) => (SamplingName::Prioritized, Some(p)),
        };
        let (law, temperature, quota) = match replay.law {
            SubspaceLaw::Uniform => (SubspaceLawName::Uniform, None, Vec::new()),
            SubspaceLaw::Temperature(t) => (SubspaceLawName::Temperature, Some(t), Vec::new()),
            SubspaceLaw::Quota(shares) => (SubspaceLawName::Quota, None, shares),
        };
        Self {
            capacity_transitions: replay.capacity_transitions,
            sampling,
            priority_exponent: exponents.map(|p| p.priority_exponent),
            importance_exponent_start: exponents.map(|p| p.importance_exponent_start),
            importance_exponent_end: exponents.map(|p| p.importance_exponent_end),
            subspace_law: law,
            subspace_temperature: temperature,
            subspace_quota: sources.iter().cloned().zip(quota).collect(),
            keep_every_subspace: replay.keep_every_subspace,
        }
    }

    /// How often each subspace is drawn; `sources` are the names of the source subspaces.
    pub(super) fn law(&self, sources: &[String]) -> SubspaceLaw {
        let share = |name| self.subspace_quota.get(name).copied().unwrap_or_default();
        match self.subspace_law {
            SubspaceLawName::Uniform => SubspaceLaw::Uniform,
            SubspaceLawName::Temperature => {
                SubspaceLaw::Temperature(self.subspace_temperature.unwrap_or(1.0))
            }
            SubspaceLawName::Quota => SubspaceLaw::Quota(sources.iter().map(share).collect()),
        }
    }
}

/// What is remembered and how it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayConfig {
    /// Transitions that are remembered, of all actors together.
    pub capacity_transitions: usize,
    /// How minibatches are drawn.
    pub sampling: Sampling,
    /// How often each source subspace is drawn.
    pub law: SubspaceLaw,
    /// Whether each source subspace has a share of the capacity to itself.
    pub keep_every_subspace: bool,
}

/// How minibatches are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Every transition alike.
    Uniform,
    /// In proportion to a power of the last error (Schaul et al. 2016).
    Prioritized(Prioritized),
}

/// Exponents of prioritized sampling (Schaul et al. 2016: alpha and beta).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prioritized {
    /// Power of the priority in the sampling probability.
    pub priority_exponent: f64,
    /// Power of the importance weight at the start.
    pub importance_exponent_start: f64,
    /// Power of the importance weight at the end of the run, reached linearly.
    pub importance_exponent_end: f64,
}

impl Sampling {
    pub(super) fn from_raw(raw: &RawReplay) -> Self {
        let default = Prioritized::default();
        match raw.sampling {
            SamplingName::Uniform => Self::Uniform,
            SamplingName::Prioritized => Self::Prioritized(Prioritized {
                priority_exponent: raw.priority_exponent.unwrap_or(default.priority_exponent),
                importance_exponent_start: raw
                    .importance_exponent_start
                    .unwrap_or(default.importance_exponent_start),
                importance_exponent_end: raw
                    .importance_exponent_end
                    .unwrap_or(default.importance_exponent_end),
            }),
        }
    }
}

impl Default for Prioritized {
    fn default() -> Self {
        Self {
            priority_exponent: 0.6,
            importance_exponent_start: 0.4,
            importance_exponent_end: 1.0,
        }
    }
}
