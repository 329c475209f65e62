//! What a run came to: `result.json`.

use super::by_subspace::{BySubspace, Judged};
use super::tallies::FaultCounts;
use crate::log::Counters;
use crate::roles::Evaluation;
use serde::{Deserialize, Serialize};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// All env steps were used.
    Finished,
    /// It was asked to stop; `--resume` continues it.
    Interrupted,
}

/// An evaluation in figures, over the episodes in subspaces that are learned in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationSummary {
    /// Env steps after which the policy was taken.
    pub policy_env_steps: u64,
    /// Episodes.
    pub episodes: usize,
    /// Mean return.
    pub mean_return: f64,
    /// Standard deviation of the returns over episodes.
    pub std_return: f64,
    /// Smallest return.
    pub min_return: f64,
    /// Largest return.
    pub max_return: f64,
    /// Mean length of an episode in env steps.
    pub mean_length_env_steps: f64,
    /// The same subspace by subspace, targets included, if there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_subspace: Option<BySubspace>,
}

impl EvaluationSummary {
    /// The figures of `evaluation`, of a policy taken after `policy_env_steps`.
    #[must_use]
    pub fn new(policy_env_steps: u64, judged: &Judged, evaluation: &Evaluation) -> Self {
        let by_subspace = BySubspace::new(judged, evaluation);
        let evaluation = judged.on_sources(evaluation);
        let returns = evaluation.returns.iter().copied();
        Self {
            policy_env_steps,
            episodes: evaluation.returns.len(),
            mean_return: evaluation.mean_return(),
            std_return: evaluation.std_return(),
            min_return: returns.clone().fold(f64::INFINITY, f64::min),
            max_return: returns.fold(f64::NEG_INFINITY, f64::max),
            mean_length_env_steps: evaluation.mean_length(),
            by_subspace,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Environment.
    pub env: String,
    /// Algorithm.
    pub algorithm: String,
    /// Root seed.
    pub seed: u64,
    /// Why it ended.
    pub end: RunEnd,
    /// How far it came.
    pub counters: Counters,
    /// BLAKE3 checksum of the last policy's parameters: equal for equal serial runs on the CPU.
    pub policy_blake3: String,
    /// Seconds of the run, sessions before a resume included.
    pub time_s: f64,
    /// What went wrong with environments and was survived.
    #[serde(default)]
    pub faults: FaultCounts,
    /// How uneven the environments' shares of the subspaces were: generalised Jensen-Shannon
    /// divergence in bits.
    #[serde(default)]
    pub js_between_envs_bits: Option<f64>,
    /// How much the shares changed from one period of the log to the next, likewise.
    #[serde(default)]
    pub js_over_time_bits: Option<f64>,
    /// The last policy on fresh seeds.
    pub last: Option<EvaluationSummary>,
    /// The best policy of the periodic evaluations, on the same fresh seeds.
    pub best: Option<EvaluationSummary>,
}

impl Summary {
    /// The policy to use: the best of the periodic evaluations, or the last if there were none.
    #[must_use]
    pub fn headline(&self) -> Option<&EvaluationSummary> {
        self.best.as_ref().or(self.last.as_ref())
    }
}
