//! What was typed: every section and key that a config file may hold, with its default.

use super::distill::{ContrastSection, Detect, MemorySection, ShiftSection, TeacherSection};
use super::python::{RawContext, Wrapper};
use super::replay::RawReplay;
use super::schedule::RawSchedule;
use super::sections::{
    ActorsConfig, CheckpointConfig, EvaluationConfig, LearnerConfig, LogConfig, RunConfig,
};
use super::split::SplitConfig;
use super::valid::{Algorithm, Config, EpsilonSchedule};
use crate::roles::OnFault;
use contrail_agents::imitation::ImitationConfig;
use contrail_agents::loss_policy::LossPolicyConfig;
use contrail_agents::tokens::TokenConfig;
use contrail_agents::{DqnConfig, NetworkConfig, SacConfig};
use contrail_envs::WrittenSubspace;
use contrail_envs::python::{ImageLayout, PythonOptions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A config as it is written. `TryFrom` makes a [`Config`] of it.
///
/// The fields that are `Option`s with a default of `Some` are those that another key can switch
/// off; `None` leaves them out of the effective config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// How long, where, and from which seed.
    pub run: RunConfig,
    /// The environment and its wrappers.
    pub env: RawEnv,
    /// Who acts.
    pub actors: ActorsConfig,
    /// Which algorithm learns.
    pub algorithm: RawAlgorithm,
    /// Settings of DQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dqn: Option<DqnConfig>,
    /// Settings of SAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sac: Option<SacConfig>,
    /// Settings of imitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imitation: Option<ImitationConfig>,
    /// Shape of the network.
    pub network: NetworkConfig,
    /// Contrastive distillation: what a contrast is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast: Option<ContrastSection>,
    /// Contrastive distillation: tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenConfig>,
    /// Contrastive distillation: who is distilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherSection>,
    /// Contrastive distillation: what contrasts are drawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySection>,
    /// Contrastive distillation: who chooses the contrasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_policy: Option<LossPolicyConfig>,
    /// What happens when the subspace shifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<ShiftSection>,
    /// How actions are varied.
    pub exploration: RawExploration,
    /// What is remembered and how it is drawn.
    pub replay: RawReplay,
    /// When and how much to update.
    pub learner: LearnerConfig,
    /// How progress is measured.
    pub evaluation: EvaluationConfig,
    /// What survives a crash.
    pub checkpoint: CheckpointConfig,
    /// Curves.
    pub log: LogConfig,
    /// Which subspaces are learned in, and which are judged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitConfig>,
    /// Who plays what when.
    pub schedule: RawSchedule,
    /// Named distributions over contexts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subspaces: BTreeMap<String, WrittenSubspace>,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            env: RawEnv::default(),
            actors: ActorsConfig::default(),
            algorithm: RawAlgorithm::default(),
            dqn: Some(DqnConfig::default()),
            sac: Some(SacConfig::default()),
            imitation: Some(ImitationConfig::default()),
            contrast: Some(ContrastSection::default()),
            tokens: Some(TokenConfig::default()),
            teacher: Some(TeacherSection::default()),
            memory: Some(MemorySection::default()),
            loss_policy: Some(LossPolicyConfig::default()),
            shift: Some(ShiftSection::default()),
            network: NetworkConfig::default(),
            exploration: RawExploration::default(),
            replay: RawReplay::default(),
            learner: LearnerConfig::default(),
            evaluation: EvaluationConfig::default(),
            checkpoint: CheckpointConfig::default(),
            log: LogConfig::default(),
            split: Some(SplitConfig::default()),
            schedule: RawSchedule::default(),
            subspaces: BTreeMap::new(),
        }
    }
}

/// Section `[env]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawEnv {
    /// Name in the registry; required.
    pub id: Option<String>,
    /// Absent = the published limit, 0 = none.
    pub time_limit_env_steps: Option<u32>,
    /// Observations stacked along the first axis.
    pub frame_stack: usize,
    /// Simulator ticks per decision.
    pub action_repeat_frames: u32,
    /// `[low, high]`, absent = no clipping; `[-inf, inf]` switches an inherited one off.
    pub reward_clip: Option<[f64; 2]>,
    /// Factor on the reward before clipping.
    pub reward_scale: f64,
    /// Whether observations are shifted and scaled by their running mean and deviation.
    pub normalize_obs: bool,
    /// Whether the agent is told the context of the episode: the oracle among the baselines.
    pub show_context: bool,
    /// What follows when an environment fails in the middle of a run.
    pub on_fault: OnFault,
    /// Faults that a session survives, of all workers together.
    pub max_faults: u64,
    /// Python: the interpreter.
    pub python: PathBuf,
    /// Python: wrappers, the innermost first; `"module:Class"` or a table with name and kwargs.
    pub wrappers: Vec<Wrapper>,
    /// Python: entries of a `Dict` observation that are used; empty = all.
    pub obs_keys: Vec<String>,
    /// Python: order of the axes of image observations.
    pub image_layout: ImageLayout,
    /// Python: whether an observation out of its declared bounds is a fault.
    pub check_obs_bounds: bool,
    /// Python: longest time to import and make the environments of a worker.
    pub start_timeout_s: f64,
    /// Python: longest time for one step of all environments of a worker, or one reset.
    pub step_timeout_s: f64,
    /// Arguments of the constructor by name.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub kwargs: serde_json::Map<String, serde_json::Value>,
    /// Python: context values that the environment takes, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, RawContext>,
}

impl Default for RawEnv {
    fn default() -> Self {
        let python = PythonOptions::default();
        Self {
            id: None,
            time_limit_env_steps: None,
            frame_stack: 1,
            action_repeat_frames: 1,
            reward_clip: None,
            reward_scale: 1.0,
            normalize_obs: false,
            show_context: false,
            on_fault: OnFault::Stop,
            max_faults: 100,
            python: python.interpreter,
            wrappers: Vec::new(),
            obs_keys: Vec::new(),
            image_layout: python.image_layout,
            check_obs_bounds: python.check_obs_bounds,
            start_timeout_s: python.start_timeout.as_secs_f64(),
            step_timeout_s: python.step_timeout.as_secs_f64(),
            kwargs: serde_json::Map::new(),
            contexts: BTreeMap::new(),
        }
    }
}

/// Algorithms by the name that a user writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmName {
    /// DQN and its extensions up to Rainbow; discrete actions.
    Dqn,
    /// Soft actor-critic; continuous actions.
    Sac,
    /// Imitation of the actions in the replay; discrete actions.
    Imitation,
}

impl AlgorithmName {
    /// The names as written.
    pub const NAMES: [&str; 3] = [Self::Dqn.as_str(), Self::Sac.as_str(), Self::Imitation.as_str()];

    /// The name as written, which is also the name of the algorithm's section.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dqn => "dqn",
            Self::Sac => "sac",
            Self::Imitation => "imitation",
        }
    }
}

/// Section `[algorithm]` as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawAlgorithm {
    /// Which algorithm; its settings are in the section of its name.
    pub name: AlgorithmName,
}

impl Default for RawAlgorithm {
    fn default() -> Self {
        Self { name: AlgorithmName::Dqn }
    }
}

/// Section `[exploration]` as written. The epsilons belong to DQN without noisy layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawExploration {
    /// Probability of a random action at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_start: Option<f64>,
    /// Probability of a random action at the end of the decay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_end: Option<f64>,
    /// Env steps of the linear decay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_decay_env_steps: Option<u64>,
    /// Env steps of all actors at the start with uniformly random actions.
    pub initial_random_env_steps: u64,
}

impl Default for RawExploration {
    fn default() -> Self {
        let epsilon = EpsilonSchedule::default();
        Self {
            epsilon_start: Some(epsilon.start),
            epsilon_end: Some(epsilon.end),
            epsilon_decay_env_steps: Some(epsilon.decay_env_steps),
            initial_random_env_steps: 1000,
        }
    }
}

impl From<Config> for RawConfig {
    fn from(config: Config) -> Self {
        let epsilon = config.uses_epsilon().then_some(config.exploration.epsilon);
        let name = config.algorithm.name();
        let sources = config.source_names();
        let (dqn, sac, imitation) = match config.algorithm {
            Algorithm::Dqn(dqn) => (Some(dqn), None, None),
            Algorithm::Sac(sac) => (None, Some(sac), None),
            Algorithm::Imitation(imitation) => (None, None, Some(imitation)),
        };
        let distill = config.distill;
        Self {
            run: config.run,
            env: config.env.into(),
            actors: config.actors,
            algorithm: RawAlgorithm { name },
            dqn,
            sac,
            imitation,
            network: config.network,
            contrast: distill.as_ref().map(|d| d.contrast.clone()),
            tokens: distill.as_ref().map(|d| d.tokens.clone()),
            teacher: distill.as_ref().map(|d| d.teacher.clone()),
            memory: distill.as_ref().map(|d| d.memory.clone()),
            loss_policy: distill.as_ref().map(|d| d.loss_policy.clone()),
            shift: (config.shift.detect != Detect::Off).then_some(config.shift),
            exploration: RawExploration {
                epsilon_start: epsilon.map(|e| e.start),
                epsilon_end: epsilon.map(|e| e.end),
                epsilon_decay_env_steps: epsilon.map(|e| e.decay_env_steps),
                initial_random_env_steps: config.exploration.initial_random_env_steps,
            },
            replay: RawReplay::written(config.replay, &sources),
            learner: config.learner,
            evaluation: config.evaluation,
            checkpoint: config.checkpoint,
            log: config.log,
            split: config.split,
            schedule: config.schedule.written(&sources),
            subspaces: config.subspaces.into_iter().map(|s| (s.name.clone(), s.into())).collect(),
        }
    }
}
