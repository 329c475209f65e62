//! Sections that are written and used in the same form; their values are checked in `valid`.

use serde::{Deserialize, Serialize};

/// How the roles share the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Actors, replay and learner each in threads of their own.
    Threaded,
    /// All roles in one thread, in a fixed order: bit-reproducible on CPU.
    Serial,
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// A GPU if one can be used, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this index.
    Cuda(usize),
}

/// More GPUs than one machine holds; keeps a typing slip out of libtorch.
const MAX_CUDA_INDEX: usize = 63;

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let index = |digits: &str| digits.parse().ok().filter(|index| *index <= MAX_CUDA_INDEX);
        match text.as_str() {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            other => other.strip_prefix("cuda:").and_then(index).map(Self::Cuda),
        }
        .ok_or_else(|| {
            format!(
                "unknown device, expected auto, cpu, cuda or cuda:N \
                 with N from 0 to {MAX_CUDA_INDEX}"
            )
        })
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => "auto".to_owned(),
            Device::Cpu => "cpu".to_owned(),
            Device::Cuda(index) => format!("cuda:{index}"),
        }
    }
}

/// Section `[run]`: how long, where, and from which seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Root of every random stream. At most `i64::MAX`, the largest integer of TOML.
    pub seed: u64,
    /// How the roles share the machine.
    pub mode: Mode,
    /// Decisions of all actors together after which the run ends.
    pub env_steps: u64,
    /// Where the learner's tensors live.
    pub device: Device,
    /// Threads that libtorch may use within one operation.
    pub torch_threads: u32,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            mode: Mode::Threaded,
            env_steps: 100_000,
            device: Device::Auto,
            torch_threads: 1,
        }
    }
}

/// Section `[actors]`: who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorsConfig {
    /// Actor threads (in serial mode: actors that take turns).
    pub count: usize,
    /// Environments that one actor steps together.
    pub envs_per_actor: usize,
    /// Who chooses the actions.
    pub behavior: Behavior,
}

/// Who chooses an actor's actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behavior {
    /// The policy that is learned, as it explores.
    Policy,
    /// A good policy that the environment knows: demonstrations for imitation.
    Expert,
}

impl ActorsConfig {
    /// Environments of all actors together.
    #[must_use]
    pub fn total_envs(&self) -> usize {
        self.count * self.envs_per_actor
    }
}

impl Default for ActorsConfig {
    fn default() -> Self {
        Self { count: 1, envs_per_actor: 1, behavior: Behavior::Policy }
    }
}

/// Section `[learner]`: when and how much to update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnerConfig {
    /// Transitions of one update.
    pub minibatch_size: usize,
    /// Env steps of all actors before the first update.
    pub learning_starts_env_steps: u64,
    /// Sampled transitions per inserted one: `minibatch_size` times updates per env step.
    pub samples_per_insert: f64,
    /// Updates between two parameter snapshots for the actors.
    pub snapshot_period_updates: u64,
}

impl Default for LearnerConfig {
    fn default() -> Self {
        Self {
            minibatch_size: 64,
            learning_starts_env_steps: 1000,
            samples_per_insert: 32.0,
            snapshot_period_updates: 1,
        }
    }
}

/// Section `[evaluation]`: how progress is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Env steps of training between two evaluations.
    pub period_env_steps: u64,
    /// Episodes of each periodic evaluation; 0 = no periodic evaluation.
    pub episodes: u32,
    /// Episodes of the evaluation at the end; 0 = none.
    pub final_episodes: u32,
    /// Probability of a uniformly random action while evaluating (DQN).
    pub epsilon: f64,
    /// Return from which an episode counts as solved; absent = no such count.
    pub success_return: Option<f64>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            period_env_steps: 10_000,
            episodes: 10,
            final_episodes: 100,
            epsilon: 0.0,
            success_return: None,
        }
    }
}

/// Section `[checkpoint]`: what survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Env steps between two checkpoints; 0 = only at the end.
    pub period_env_steps: u64,
    /// Newest checkpoints that are kept.
    pub keep_last: usize,
    /// Whether a checkpoint holds the replay; without it a resumed run refills the replay first.
    pub save_replay: bool,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { period_env_steps: 25_000, keep_last: 2, save_replay: true }
    }
}

/// Section `[log]`: curves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Env steps between two rows of metrics.
    pub period_env_steps: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { period_env_steps: 1000 }
    }
}
