//! Configuration in two steps: what was typed ([`RawConfig`]) becomes what is valid ([`Config`]).
//!
//! Settings come in layers, and a later one wins: defaults, the base files that a file `extends`,
//! the file, flags such as `--seed`, and `--set key=value` in order. Without a file, the tuned
//! settings for the environment take its place, if there are any. Every refused key or value is
//! named with the place where it was written.

mod checks;
mod distill;
mod distill_checks;
mod error;
mod keys;
mod layers;
mod merge;
mod presets;
mod python;
mod raw;
mod replay;
mod schedule;
mod sections;
mod spaces;
mod split;
mod valid;

#[cfg(test)]
mod tests;

pub use distill::{
    Align, ContrastSection, Detect, DistillConfig, MemorySection, NegativeLawName, ShiftSection,
    Start, TeacherSection,
};
pub use error::ConfigError;
pub use keys::known_keys;
pub use python::{RawContext, RawKind, Wrapper};
pub use raw::{AlgorithmName, RawAlgorithm, RawConfig, RawEnv, RawExploration};
pub use replay::{Prioritized, RawReplay, ReplayConfig, Sampling, SamplingName, SubspaceLawName};
pub use schedule::{Drift, RawSchedule, Schedule, ScheduleName};
pub use sections::{
    ActorsConfig, Behavior, CheckpointConfig, Device, EvaluationConfig, LearnerConfig, LogConfig,
    Mode, RunConfig,
};
pub use split::{DEFAULT_SUBSPACE, SplitConfig};
pub use valid::{
    Algorithm, Config, EnvConfig, EpsilonSchedule, ExplorationConfig, RewardClip, TimeLimit,
};

use std::path::Path;

/// Settings from the command line. Flags are weaker than `set`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--env`: `env.id`.
    pub env: Option<String>,
    /// `--algo`: `algorithm.name`.
    pub algo: Option<String>,
    /// `--seed`: `run.seed`.
    pub seed: Option<u64>,
    /// `--device`: `run.device`.
    pub device: Option<String>,
    /// `--mode`: `run.mode`.
    pub mode: Option<String>,
    /// `--env-steps`: `run.env_steps`.
    pub env_steps: Option<u64>,
    /// `--set`, each `key=value` with a TOML value; a bare word is text.
    pub set: Vec<String>,
}

/// Reads a config file, or the tuned settings of `overrides.env` if there is no file, with
/// `overrides` on top.
///
/// `dqn.learning_rate_final` follows `dqn.learning_rate` unless a layer sets it. A key that has no
/// effect (`sac.gamma` under DQN, say) is accepted in a file, where an heir may need it, and
/// refused in `--set`.
///
/// # Errors
/// A file that cannot be read or is not TOML, a circle of `extends`, or
/// [`ConfigError::Invalid`] with a sentence for every refused key and value.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
    merge::merge(&layers::stack(file, overrides)?)
}

/// Reads a config from text; `origin` names it in errors. There is no folder that `extends` could
/// refer to, so that key is refused.
///
/// # Errors
/// Like [`load`].
pub fn from_toml(origin: &str, text: &str) -> Result<Config, ConfigError> {
    merge::merge(&[layers::from_text(origin, text)?])
}
