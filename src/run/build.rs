//! From a config to roles.

use super::by_subspace::Judged;
use super::{LoadedPolicy, Roles, UserError, device, set_torch_threads};
use crate::config::{
    Algorithm, Behavior, Config, Device, DistillConfig, EnvConfig, RunConfig, Sampling,
    ScheduleName, TimeLimit,
};
use crate::contrast::ContrastsConfig;
use crate::memory::{CodeSpace, MemoryConfig, Replacement};
use crate::replay::{self, NStepConfig, RateLimiter, Replay};
use crate::roles::{
    Actor, ActorParts, Evaluator, EvaluatorParts, Exploration, FaultPolicy, Learner, MakeEnvs,
    OnFault, Preparer, PreparerParts, SnapshotCell,
};
use crate::subspaces::SubspacePlan;
use anyhow::{Result, bail, ensure};
use contrail_agents::sac::Bounds;
use contrail_agents::{ActionSpec, Agent, ObsSpec, dqn::Dqn, imitation::Imitation, sac::Sac};
use contrail_envs::python::{self, WorkerOutput};
use contrail_envs::wrappers::{
    self, ActionRepeat, FrameStack, NormalizeObs, ObsNormalizer, ObsStats, ShowContext,
};
use contrail_envs::{
    ActionSpace, ContextSpec, Dtype, EnvError, EnvOptions, EnvSpec, Environment, ObsBuffer,
    ObsSpace, Registry, SeedStream,
};
use std::sync::Arc;

/// Most environments that an evaluator steps together.
const EVALUATOR_ENVS: usize = 16;
/// How much more often the memory gives segments of high return or surprise where those are asked
/// for: the exponent of prioritized replay (Schaul et al. 2016, section 3.3).
const PRIORITY_EXPONENT: f64 = 0.6;
/// Added before it, so that no segment is never drawn.
const PRIORITY_EPSILON: f64 = 1e-2;

/// What the agent sees and does, after all wrappers.
#[derive(Clone, Debug, PartialEq)]
pub struct Spaces {
    /// Observations.
    pub obs: ObsSpace,
    /// Actions.
    pub action: ActionSpace,
    /// Context values of an episode.
    pub context: ContextSpec,
}

impl Spaces {
    /// The spaces of `config`'s environment, which must suit its algorithm.
    ///
    /// # Errors
    /// If there is no such environment, or algorithm or network cannot work with it.
    pub fn of(config: &Config, registry: &Registry) -> Result<Self> {
        let bare = registry.make(&config.env.id, &env_options(&config.env))?;
        let normalizer = normalizer(config, bare.spec().obs.len());
        let mut env = wrapped(bare, &config.env, normalizer)?;
        let EnvSpec { obs, action, context, .. } = env.spec().clone();
        config.check_against(&obs, &action)?;
        config.check_subspaces(&context)?;
        try_contexts(config, &mut *env)?;
        Ok(Self { obs, action, context })
    }

    fn obs_spec(&self) -> ObsSpec {
        let bytes = self.obs.dtype == Dtype::U8;
        let scale = if bytes { f64::from(self.obs.bounds(0).1) } else { 1.0 };
        ObsSpec { shape: self.obs.shape.iter().map(|&d| d as i64).collect(), bytes, scale }
    }

    fn action_spec(&self) -> ActionSpec {
        match &self.action {
            ActionSpace::Discrete(n) => ActionSpec::Discrete(*n as i64),
            ActionSpace::Box { low, high } => {
                ActionSpec::Box { low: low.clone(), high: high.clone() }
            }
        }
    }
}

/// Contexts of each subspace that are tried before a run.
const TRIED_CONTEXTS: usize = 5;

/// Begins an episode in some contexts of each subspace, so that what the bounds do not say (a value
/// must be whole, say) is refused before anything is written.
fn try_contexts(config: &Config, env: &mut dyn Environment) -> Result<()> {
    if config.subspaces.is_empty() && config.schedule.name() != ScheduleName::Drifting {
        return Ok(()); // the published environment
    }
    let spec = env.spec().context.clone();
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let seeds = SeedStream::root(config.run.seed).stream("preflight");
    for subspace in &judged(config).subspaces {
        let mut rng = seeds.stream(&subspace.name).rng();
        for _ in 0..TRIED_CONTEXTS {
            let context = subspace.sample(&spec, &mut rng);
            let begun = env.reset(seeds.seed(), &context, obs.as_mut());
            begun.map_err(|error| UserError(format!("subspace {}: {error}", subspace.name)))?;
        }
    }
    Ok(())
}

/// How the bare environment of `config` is made.
#[must_use]
pub fn env_options(config: &EnvConfig) -> EnvOptions {
    // A published limit counts the simulator's ticks, a configured one decisions.
    let time_limit_env_steps = match config.time_limit {
        TimeLimit::Published => None,
        TimeLimit::Off | TimeLimit::EnvSteps(_) => Some(0),
    };
    EnvOptions {
        time_limit_env_steps,
        kwargs: config.kwargs.clone(),
        python: config.python.clone(),
    }
}

/// `env` in the wrappers of `config`; `normalizer` must be given where the config asks for it.
fn wrapped(
    mut env: Box<dyn Environment>,
    config: &EnvConfig,
    normalizer: Option<Arc<ObsNormalizer>>,
) -> Result<Box<dyn Environment>, EnvError> {
    if config.action_repeat_frames > 1 {
        env = Box::new(ActionRepeat::new(env, config.action_repeat_frames)?);
    }
    if let TimeLimit::EnvSteps(limit) = config.time_limit {
        env = Box::new(wrappers::TimeLimit::new(env, limit.get()));
    }
    if let Some(normalizer) = normalizer {
        env = Box::new(NormalizeObs::new(env, normalizer)?);
    }
    if config.frame_stack > 1 {
        env = Box::new(FrameStack::new(env, config.frame_stack)?);
    }
    if config.show_context {
        env = Box::new(ShowContext::new(env)?);
    }
    Ok(env)
}

/// What makes the `count` environments of one worker, at its start and after a fault.
fn make_envs(
    config: &EnvConfig,
    registry: &Registry,
    (normalizer, count): (Option<Arc<ObsNormalizer>>, usize),
) -> MakeEnvs {
    let (config, registry) = (config.clone(), registry.clone());
    let options = env_options(&config);
    Box::new(move || {
        let envs = registry.make_batch(&config.id, &options, count)?;
        envs.into_iter().map(|env| wrapped(env, &config, normalizer.clone())).collect()
    })
}

/// Length of one observation before frames are stacked and the context is shown.
fn bare_obs_len(config: &Config, spaces: &Spaces) -> usize {
    let stacked = match spaces.obs.shape[..] {
        // The context comes last along the first axis.
        [first, ..] if config.env.show_context => {
            spaces.obs.len() / first * (first - spaces.context.values.len())
        }
        _ => spaces.obs.len(),
    };
    stacked / config.env.frame_stack
}

/// Shared statistics for [`NormalizeObs`], if the config asks for it. `obs_len` is the length of
/// one observation before frames are stacked and the context is shown.
fn normalizer(config: &Config, obs_len: usize) -> Option<Arc<ObsNormalizer>> {
    config.env.normalize_obs.then(|| Arc::new(ObsNormalizer::new(obs_len)))
}

/// Every role, fresh.
pub(super) fn roles(
    config: &Config,
    registry: &Registry,
    spaces: &Spaces,
    output: &WorkerOutput,
) -> Result<Roles> {
    let seeds = SeedStream::root(config.run.seed);
    let env = &mut config.env.clone();
    env.python.output = output.clone();
    let agent = agent(config, spaces, seeds)?;
    let learner =
        Learner::new(agent, seeds.stream("learner"), config.learner.snapshot_period_updates);
    let normalizer = normalizer(config, bare_obs_len(config, spaces));
    let faults = FaultPolicy::new(config.env.on_fault, config.env.max_faults);
    let n_step = NStepConfig {
        n_step: config.algorithm.n_step(),
        gamma: config.algorithm.gamma(),
        obs: spaces.obs.clone(),
        action: spaces.action.clone(),
        context_len: spaces.context.values.len(),
    };
    let plan = Arc::new(SubspacePlan::new(config, &spaces.context)?);
    let stores = contrasts_config(config, spaces);
    let actor = |index: usize| {
        let count = config.actors.envs_per_actor;
        Actor::new(ActorParts {
            index,
            make_envs: make_envs(env, registry, (normalizer.clone(), count)),
            first_stream: (index * count) as u32,
            plan: Arc::clone(&plan),
            faults: faults.clone(),
            policy: learner.policy(),
            seeds: seeds.stream("actor").index(index as u64),
            exploration: Exploration::new(&config.exploration),
            behavior: config.actors.behavior,
            n_step: n_step.clone(),
            memory: stores.as_ref().map(|stores| stores.memory.clone()),
            reward_scale: config.env.reward_scale,
            reward_clip: config.env.reward_clip,
        })
    };
    let actors = (0..config.actors.count).map(actor).collect::<Result<_>>()?;
    let replay_config = replay_config(config, spaces);
    let limiter = limiter(config, &replay_config)?;
    let replay = Replay::new(replay_config)?;
    let envs = (&*env, registry);
    let (evaluator, eval_normalizer) = evaluator(config, envs, (&learner, spaces, faults))?;
    let snapshots = SnapshotCell::new(learner.snapshot());
    let sampler_rng = seeds.stream("replay").rng();
    Ok(Roles {
        plan,
        actors,
        replay,
        preparer: preparer(config, stores, seeds)?,
        limiter,
        learner,
        evaluator,
        eval_normalizer,
        normalizer,
        snapshots,
        sampler_rng,
    })
}

/// The algorithm with fresh weights.
pub(super) fn agent(config: &Config, spaces: &Spaces, seeds: SeedStream) -> Result<Box<dyn Agent>> {
    let device = device::resolve(config.run.device)?;
    let obs = spaces.obs_spec();
    let mut rng = seeds.stream("learner/init").rng();
    let representation = config.distill.as_ref().map(DistillConfig::representation);
    let network = (&config.network, representation.as_ref());
    Ok(match (&config.algorithm, spaces.action_spec()) {
        (Algorithm::Dqn(dqn), ActionSpec::Discrete(actions)) => {
            Box::new(Dqn::distilled((&obs, actions), network, dqn, device, &mut rng))
        }
        (Algorithm::Sac(sac), ActionSpec::Box { low, high }) => {
            let bounds = Bounds::new(&low, &high)?;
            Box::new(Sac::distilled((&obs, &bounds), network, sac, device, &mut rng))
        }
        (Algorithm::Imitation(imitation), ActionSpec::Discrete(actions)) => {
            Box::new(Imitation::new((&obs, actions), network, imitation, device, &mut rng))
        }
        (algorithm, action) => {
            bail!("{} does not suit the action space {action:?}", algorithm.name().as_str())
        }
    })
}

/// An evaluator for a saved policy, on the CPU.
pub(super) fn lone_evaluator(
    config: &Config,
    registry: &Registry,
    policy: &LoadedPolicy,
) -> Result<Evaluator> {
    set_torch_threads(config);
    let config =
        &Config { run: RunConfig { device: Device::Cpu, ..config.run.clone() }, ..config.clone() };
    let spaces = Spaces::of(config, registry)?;
    let seeds = SeedStream::root(config.run.seed);
    let learner = Learner::new(agent(config, &spaces, seeds)?, seeds, 1);
    let (saved, expected) = (policy.params.len(), learner.num_policy_params());
    ensure!(
        saved == expected,
        "the saved policy has {saved} parameters, the config's network {expected}"
    );
    // A policy that is measured by itself stops at the first fault: there is nothing to lose.
    let stop = FaultPolicy::new(OnFault::Stop, 0);
    let envs = (&config.env, registry);
    let (evaluator, normalizer) = evaluator(config, envs, (&learner, &spaces, stop))?;
    if let (Some(normalizer), Some(stats)) = (normalizer, policy.stats.clone()) {
        normalizer.set_stats(stats)?;
    }
    Ok(evaluator)
}

/// Where a policy of `config` is measured.
pub(super) fn judged(config: &Config) -> Judged {
    Judged::of(config)
}

/// An evaluator with its own environments, whose statistics are fixed by
/// [`super::Run::refresh_evaluator`].
pub(super) fn evaluator(
    config: &Config,
    (env, registry): (&EnvConfig, &Registry),
    (learner, spaces, faults): (&Learner, &Spaces, FaultPolicy),
) -> Result<(Evaluator, Option<Arc<ObsNormalizer>>)> {
    let episodes = config.evaluation.episodes.max(config.evaluation.final_episodes) as usize;
    let normalizer = match normalizer(config, bare_obs_len(config, spaces)) {
        Some(n) => Some(Arc::new(ObsNormalizer::frozen(ObsStats::empty(n.len()))?)),
        None => None,
    };
    let subspaces = judged(config).subspaces;
    let count = (episodes * subspaces.len()).clamp(1, EVALUATOR_ENVS);
    let parts = EvaluatorParts {
        make_envs: make_envs(env, registry, (normalizer.clone(), count)),
        faults,
        policy: learner.policy(),
        subspaces,
        epsilon: config.evaluation.epsilon,
    };
    Ok((Evaluator::new(parts)?, normalizer))
}

/// The shape of the stores that contrasts are drawn from, if there are contrasts.
pub(super) fn contrasts_config(config: &Config, spaces: &Spaces) -> Option<ContrastsConfig> {
    let distill = config.distill.as_ref()?;
    let tokens = distill.tokens.enabled.then_some(&distill.tokens);
    let codes = CodeSpace {
        groups: tokens.map_or(0, |tokens| tokens.groups as usize),
        levels: tokens.map_or(2, |tokens| tokens.levels as usize),
    };
    let memory = MemoryConfig {
        capacity_segments: distill.memory.segments,
        replacement: Replacement::Reservoir,
        subspaces: config.sources().len(),
        horizon_env_steps: distill.memory.segment_env_steps,
        gamma: config.algorithm.gamma(),
        obs: stored_obs(config, spaces),
        action: spaces.action.clone(),
        context_len: spaces.context.values.len(),
        codes,
        readings_len: match &spaces.action {
            ActionSpace::Discrete(n) => *n,
            ActionSpace::Box { low, .. } => low.len(),
        },
        priority_exponent: PRIORITY_EXPONENT,
        priority_epsilon: PRIORITY_EPSILON,
    };
    Some(ContrastsConfig { memory, recent_segments: distill.memory.recent_segments })
}

/// Episodic memory and loss policy, if there are contrasts.
fn preparer(
    config: &Config,
    stores: Option<ContrastsConfig>,
    seeds: SeedStream,
) -> Result<Option<Preparer>> {
    let Some((distill, stores)) = config.distill.as_ref().zip(stores) else { return Ok(None) };
    let parts = PreparerParts {
        stores,
        contrast: distill.contrast.clone(),
        loss_policy: distill.loss_policy.clone(),
        memory: distill.memory.clone(),
        expert: config.actors.behavior == Behavior::Expert,
        seeds: seeds.stream("contrast"),
    };
    Preparer::new(parts).map(Some)
}

/// Observations as they are stored; where they are not checked nothing is packed, so that nothing
/// need fit.
fn stored_obs(config: &Config, spaces: &Spaces) -> ObsSpace {
    let mut obs = spaces.obs.clone();
    if python::is_python(&config.env.id) && !config.env.python.check_obs_bounds {
        obs.high = vec![f32::INFINITY];
    }
    obs
}

/// The shape of the replay.
pub(super) fn replay_config(config: &Config, spaces: &Spaces) -> replay::ReplayConfig {
    let sampling = match config.replay.sampling {
        Sampling::Uniform => replay::Sampling::Uniform,
        Sampling::Prioritized(p) => replay::Sampling::Prioritized {
            priority_exponent: p.priority_exponent,
            priority_epsilon: 1e-6,
        },
    };
    replay::ReplayConfig {
        capacity_transitions: config.replay.capacity_transitions,
        obs: stored_obs(config, spaces),
        action: spaces.action.clone(),
        context_len: spaces.context.values.len(),
        streams: config.actors.total_envs(),
        n_step: config.algorithm.n_step(),
        sampling,
        subspaces: config.sources().len(),
        law: config.replay.law.clone(),
        keep_every_subspace: config.replay.keep_every_subspace,
    }
}

/// A limiter for an empty replay.
pub(super) fn limiter(config: &Config, replay: &replay::ReplayConfig) -> Result<RateLimiter> {
    let batch = config.learner.minibatch_size as u64;
    let starts = config.learner.learning_starts_env_steps;
    let starts = starts.max(replay.least_size_to_sample() as u64);
    // Room for two vector steps of every actor, so that actors and learner overlap, and no more,
    // so that the learner's data is fresh.
    let vector_steps = 2.0 * config.actors.total_envs() as f64 * config.learner.samples_per_insert;
    let buffer = vector_steps.max(2.0 * batch as f64);
    Ok(RateLimiter::new(config.learner.samples_per_insert, starts, buffer, batch)?)
}
