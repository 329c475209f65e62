//! What is valid: the typed config that the rest of Contrail reads.

use super::checks;
use super::distill::{DistillConfig, ShiftSection};
use super::error::{ConfigError, Problem};
use super::raw::{AlgorithmName, RawConfig, RawEnv};
use super::replay::{ReplayConfig, Sampling};
use super::schedule::Schedule;
use super::sections::{
    ActorsConfig, CheckpointConfig, EvaluationConfig, LearnerConfig, LogConfig, RunConfig,
};
use super::split::{self, SplitConfig};
use crate::roles::OnFault;
use contrail_agents::imitation::ImitationConfig;
use contrail_agents::{DqnConfig, NetworkConfig, SacConfig};
use contrail_envs::python::PythonOptions;
use contrail_envs::{Subspace, WrittenSubspace};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// Everything a run needs to know. Only values that passed every check can be in here, as long as
/// it comes from [`super::load`] or from a [`RawConfig`]. Serialised, it is a config file again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawConfig", into = "RawConfig")]
pub struct Config {
    /// How long, where, and from which seed.
    pub run: RunConfig,
    /// The environment and its wrappers.
    pub env: EnvConfig,
    /// Who acts.
    pub actors: ActorsConfig,
    /// What learns.
    pub algorithm: Algorithm,
    /// Shape of the network.
    pub network: NetworkConfig,
    /// Contrastive distillation, if there is any.
    pub distill: Option<DistillConfig>,
    /// What happens when the subspace shifts.
    pub shift: ShiftSection,
    /// How actions are varied.
    pub exploration: ExplorationConfig,
    /// What is remembered and how it is drawn.
    pub replay: ReplayConfig,
    /// When and how much to update.
    pub learner: LearnerConfig,
    /// How progress is measured.
    pub evaluation: EvaluationConfig,
    /// What survives a crash.
    pub checkpoint: CheckpointConfig,
    /// Curves.
    pub log: LogConfig,
    /// Which subspaces are learned in, and which are judged in; absent = all are learned in.
    pub split: Option<SplitConfig>,
    /// Who plays what when.
    pub schedule: Schedule,
    /// Named distributions over contexts.
    pub subspaces: Vec<Subspace>,
}

/// The environment and its wrappers.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvConfig {
    /// Name in the registry.
    pub id: String,
    /// When an episode is cut.
    pub time_limit: TimeLimit,
    /// Observations stacked along the first axis; 1 = no stacking.
    pub frame_stack: usize,
    /// Simulator ticks per decision; 1 = no repeat.
    pub action_repeat_frames: u32,
    /// Bounds of the reward that the learner sees, after scaling.
    pub reward_clip: Option<RewardClip>,
    /// Factor on the reward that the learner sees.
    pub reward_scale: f64,
    /// Whether observations are shifted and scaled by their running mean and deviation.
    pub normalize_obs: bool,
    /// Whether the agent is told the context of the episode.
    pub show_context: bool,
    /// What follows when an environment fails in the middle of a run.
    pub on_fault: OnFault,
    /// Faults that a session survives, of all workers together.
    pub max_faults: u64,
    /// Arguments of the constructor by name.
    pub kwargs: serde_json::Map<String, serde_json::Value>,
    /// What only environments in Python heed.
    pub python: PythonOptions,
}

/// When an episode is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// After as many steps as in the published environment.
    Published,
    /// Never.
    Off,
    /// After this many env steps.
    EnvSteps(NonZeroU32),
}

impl TimeLimit {
    /// The form of `contrail_envs::EnvOptions`: absent = published, 0 = none.
    #[must_use]
    pub fn as_option(self) -> Option<u32> {
        match self {
            Self::Published => None,
            Self::Off => Some(0),
            Self::EnvSteps(limit) => Some(limit.get()),
        }
    }

    fn from_option(limit: Option<u32>) -> Self {
        match limit.map(NonZeroU32::new) {
            None => Self::Published,
            Some(None) => Self::Off,
            Some(Some(limit)) => Self::EnvSteps(limit),
        }
    }
}

/// Bounds of a clipped reward: finite, `low < high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardClip {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl RewardClip {
    /// The clip as written; `[-inf, inf]`, which switches an inherited one off, is none.
    fn from_pair([low, high]: [f64; 2]) -> Option<Self> {
        (low.is_finite() && high.is_finite()).then_some(Self { low, high })
    }
}

/// What learns, with its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Algorithm {
    /// DQN and its extensions; discrete actions.
    Dqn(DqnConfig),
    /// Soft actor-critic; continuous actions.
    Sac(SacConfig),
    /// Imitation of the actions in the replay; discrete actions.
    Imitation(ImitationConfig),
}

impl Algorithm {
    /// The name, without the settings.
    #[must_use]
    pub fn name(&self) -> AlgorithmName {
        match self {
            Self::Dqn(_) => AlgorithmName::Dqn,
            Self::Sac(_) => AlgorithmName::Sac,
            Self::Imitation(_) => AlgorithmName::Imitation,
        }
    }

    /// Discount factor; imitation has no use for returns.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        match self {
            Self::Dqn(dqn) => dqn.gamma,
            Self::Sac(sac) => sac.gamma,
            Self::Imitation(_) => 0.99,
        }
    }

    /// Rewards summed before the bootstrap.
    #[must_use]
    pub fn n_step(&self) -> usize {
        match self {
            Self::Dqn(dqn) => dqn.n_step,
            Self::Sac(sac) => sac.n_step,
            Self::Imitation(_) => 1,
        }
    }
}

/// How actions are varied.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplorationConfig {
    /// Probability of a uniformly random action; [`EpsilonSchedule::OFF`] where the algorithm
    /// explores by itself (SAC, and DQN with noisy layers).
    pub epsilon: EpsilonSchedule,
    /// Env steps of all actors at the start with uniformly random actions.
    pub initial_random_env_steps: u64,
}

/// A probability that falls (or rises) linearly and then stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpsilonSchedule {
    /// At env step 0.
    pub start: f64,
    /// From `decay_env_steps` on.
    pub end: f64,
    /// Env steps from `start` to `end`; 0 = `end` at once.
    pub decay_env_steps: u64,
}

impl EpsilonSchedule {
    /// No random action ever.
    pub const OFF: Self = Self { start: 0.0, end: 0.0, decay_env_steps: 0 };
}

impl Default for EpsilonSchedule {
    fn default() -> Self {
        Self { start: 1.0, end: 0.05, decay_env_steps: 10_000 }
    }
}

impl Config {
    /// Whether `exploration.epsilon_*` have an effect.
    #[must_use]
    pub fn uses_epsilon(&self) -> bool {
        matches!(&self.algorithm, Algorithm::Dqn(dqn) if !dqn.noisy)
    }

    /// The config as a file that [`super::load`] reads back to an equal config.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if a value has no form in TOML, which no checked value lacks.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError::Write(error.to_string()))
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = ConfigError;

    fn try_from(raw: RawConfig) -> Result<Self, ConfigError> {
        let sentences = |problems: Vec<Problem>| problems.into_iter().map(|p| p.text).collect();
        validate(raw).map_err(|problems| ConfigError::Invalid(sentences(problems)))
    }
}

/// Makes a config of what was typed, or says everything that is wrong with it.
pub(super) fn validate(raw: RawConfig) -> Result<Config, Vec<Problem>> {
    let problems = checks::problems(&raw);
    if !problems.is_empty() {
        return Err(problems);
    }
    let default = EpsilonSchedule::default();
    let sources = split::sources(&raw);
    let epsilon = EpsilonSchedule {
        start: raw.exploration.epsilon_start.unwrap_or(default.start),
        end: raw.exploration.epsilon_end.unwrap_or(default.end),
        decay_env_steps: raw.exploration.epsilon_decay_env_steps.unwrap_or(default.decay_env_steps),
    };
    let mut config = Config {
        run: raw.run,
        env: env(raw.env),
        actors: raw.actors,
        algorithm: match raw.algorithm.name {
            AlgorithmName::Dqn => Algorithm::Dqn(raw.dqn.unwrap_or_default()),
            AlgorithmName::Sac => Algorithm::Sac(raw.sac.unwrap_or_default()),
            AlgorithmName::Imitation => Algorithm::Imitation(raw.imitation.unwrap_or_default()),
        },
        network: raw.network,
        distill: raw.contrast.filter(|contrast| contrast.enabled).map(|contrast| DistillConfig {
            contrast,
            tokens: raw.tokens.unwrap_or_default(),
            teacher: raw.teacher.unwrap_or_default(),
            memory: raw.memory.unwrap_or_default(),
            loss_policy: raw.loss_policy.unwrap_or_default(),
        }),
        shift: raw.shift.unwrap_or_default(),
        exploration: ExplorationConfig {
            epsilon,
            initial_random_env_steps: raw.exploration.initial_random_env_steps,
        },
        replay: ReplayConfig {
            capacity_transitions: raw.replay.capacity_transitions,
            sampling: Sampling::from_raw(&raw.replay),
            law: raw.replay.law(&sources),
            keep_every_subspace: raw.replay.keep_every_subspace,
        },
        learner: raw.learner,
        evaluation: raw.evaluation,
        checkpoint: raw.checkpoint,
        log: raw.log,
        split: raw.split.filter(|split| !split.source.is_empty()),
        schedule: Schedule::of(raw.schedule, &sources),
        subspaces: WrittenSubspace::resolve(&raw.subspaces)
            .map_err(|error| vec![Problem { key: "subspaces", text: error.to_string() }])?,
    };
    if !config.uses_epsilon() {
        config.exploration.epsilon = EpsilonSchedule::OFF;
    }
    Ok(config)
}

/// What `checks` accepted.
fn env(raw: RawEnv) -> EnvConfig {
    let contexts = raw.contexts.iter().filter_map(|(name, context)| context.named(name).ok());
    EnvConfig {
        python: PythonOptions {
            interpreter: raw.python,
            wrappers: raw.wrappers.into_iter().map(Into::into).collect(),
            obs_keys: raw.obs_keys,
            image_layout: raw.image_layout,
            contexts: contexts.collect(),
            check_obs_bounds: raw.check_obs_bounds,
            start_timeout: Duration::from_secs_f64(raw.start_timeout_s),
            step_timeout: Duration::from_secs_f64(raw.step_timeout_s),
            ..PythonOptions::default()
        },
        id: raw.id.unwrap_or_default(), // `checks` refuses an absent one
        time_limit: TimeLimit::from_option(raw.time_limit_env_steps),
        frame_stack: raw.frame_stack,
        action_repeat_frames: raw.action_repeat_frames,
        reward_clip: raw.reward_clip.and_then(RewardClip::from_pair),
        reward_scale: raw.reward_scale,
        normalize_obs: raw.normalize_obs,
        show_context: raw.show_context,
        on_fault: raw.on_fault,
        max_faults: raw.max_faults,
        kwargs: raw.kwargs,
    }
}
