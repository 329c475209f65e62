//! Range of every number, and what must hold between keys.

use super::error::Problem;
use super::raw::{AlgorithmName, RawConfig, RawEnv};
use super::schedule::RawSchedule;
use super::split;
use contrail_agents::imitation::ImitationConfig;
use contrail_agents::{DqnConfig, NetworkConfig, SacConfig};
use contrail_envs::python::PythonWrapper;
use serde_json::Value;
use std::fmt::Debug;
use std::ops::RangeInclusive;

/// Longest run, in env steps: far beyond any real one, and counters cannot overflow below it.
pub(super) const MAX_ENV_STEPS: u64 = 1_000_000_000_000;
/// Environments of all actors together.
const MAX_TOTAL_ENVS: usize = 4096;
/// Transitions in replay.
const MAX_CAPACITY: usize = 100_000_000;
/// Rewards in one n-step return.
const MAX_N_STEP: usize = 1000;

/// Everything that is wrong with the values of `raw`.
pub(super) fn problems(raw: &RawConfig) -> Vec<Problem> {
    let mut checks = Checks::default();
    run_and_env(&mut checks, raw);
    python(&mut checks, &raw.env);
    if let Some(dqn) = &raw.dqn {
        self::dqn(&mut checks, dqn);
    }
    if let Some(sac) = &raw.sac {
        self::sac(&mut checks, sac);
    }
    if let Some(imitation) = &raw.imitation {
        self::imitation(&mut checks, imitation);
    }
    network(&mut checks, &raw.network);
    checks.distill(raw);
    exploration_and_replay(&mut checks, raw);
    roles(&mut checks, raw);
    schedule(&mut checks, &raw.schedule);
    checks.problems.extend(split::problems(raw));
    if checks.problems.is_empty() {
        between_keys(&mut checks, raw);
    }
    checks.problems
}

#[derive(Default)]
pub(super) struct Checks {
    problems: Vec<Problem>,
}

impl Checks {
    pub(super) fn refuse(&mut self, key: &'static str, text: String) {
        self.problems.push(Problem { key, text });
    }

    /// `allowed.contains` is false for NaN.
    pub(super) fn within<T: PartialOrd + Debug>(
        &mut self,
        key: &'static str,
        value: T,
        allowed: RangeInclusive<T>,
    ) {
        if !allowed.contains(&value) {
            let (low, high) = (allowed.start(), allowed.end());
            self.refuse(key, format!("{key} is {value:?}, allowed {low:?} to {high:?}"));
        }
    }

    pub(super) fn positive(&mut self, key: &'static str, value: f64, high: f64) {
        let inside = value > 0.0 && value <= high; // false for NaN
        if !inside {
            self.refuse(key, format!("{key} is {value:?}, allowed above 0 and up to {high:?}"));
        }
    }

    /// `low < high`, and neither is NaN.
    fn ordered(&mut self, key: &'static str, low: f64, high: f64) {
        let ordered = low < high; // false for NaN
        if !ordered {
            self.refuse(
                key,
                format!("{key} is {low:?}, allowed a number below the upper bound {high:?}"),
            );
        }
    }
}

fn run_and_env(checks: &mut Checks, raw: &RawConfig) {
    // TOML has no larger integer, and the effective config must be writable.
    checks.within("run.seed", raw.run.seed, 0..=i64::MAX as u64);
    checks.within("run.env_steps", raw.run.env_steps, 1..=MAX_ENV_STEPS);
    checks.within("run.torch_threads", raw.run.torch_threads, 1..=1024);
    if raw.env.id.as_deref().unwrap_or_default().trim().is_empty() {
        checks.refuse(
            "env.id",
            "env.id is not set; name an environment in the config or with --env \
             (`contrail envs` lists them)"
                .to_owned(),
        );
    }
    checks.within("env.frame_stack", raw.env.frame_stack, 1..=64);
    checks.within("env.action_repeat_frames", raw.env.action_repeat_frames, 1..=1000);
    checks.positive("env.reward_scale", raw.env.reward_scale, 1e6);
    if let Some([low, high]) = raw.env.reward_clip {
        let ordered = low < high; // false for NaN
        if !ordered || low.is_finite() != high.is_finite() {
            checks.refuse(
                "env.reward_clip",
                format!(
                    "env.reward_clip is [{low:?}, {high:?}], allowed two finite numbers, the lower first, \
                     or [-inf, inf] for no clipping"
                ),
            );
        }
    }
}

/// Longest time limit of a worker, a week.
const MAX_TIMEOUT_S: f64 = 604_800.0;

fn python(checks: &mut Checks, raw: &RawEnv) {
    checks.positive("env.start_timeout_s", raw.start_timeout_s, MAX_TIMEOUT_S);
    checks.positive("env.step_timeout_s", raw.step_timeout_s, MAX_TIMEOUT_S);
    checks.within("env.max_faults", raw.max_faults, 0..=1_000_000_000);
    if raw.python.as_os_str().is_empty() {
        checks.refuse("env.python", "env.python is empty, expected an interpreter".to_owned());
    }
    for (name, value) in &raw.kwargs {
        if has_null(value) {
            let text = format!(
                "env.kwargs.{name} holds NaN or an infinity, allowed: finite numbers, text, \
                 true, false, lists and tables"
            );
            checks.refuse("env.kwargs", text);
        }
    }
    for wrapper in &raw.wrappers {
        let name = PythonWrapper::from(wrapper.clone()).name;
        let parts = name.split_once(':');
        if !parts.is_some_and(|(module, class)| !module.is_empty() && !class.is_empty()) {
            let text = format!("env.wrappers has {name:?}, expected \"module:Class\"");
            checks.refuse("env.wrappers", text);
        }
    }
    for (name, context) in &raw.contexts {
        if let Err(reason) = context.named(name) {
            checks.refuse("env.contexts", format!("env.contexts.{name} {reason}"));
        }
    }
}

/// A float that JSON cannot hold arrives as null, which TOML cannot write.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.iter().any(has_null),
        Value::Object(all) => all.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn dqn(checks: &mut Checks, dqn: &DqnConfig) {
    checks.within("dqn.gamma", dqn.gamma, 0.0..=1.0);
    checks.within("dqn.n_step", dqn.n_step, 1..=MAX_N_STEP);
    checks.within("dqn.num_atoms", dqn.num_atoms, 2..=10_000);
    checks.within("dqn.support_min", dqn.support_min, -1e9..=1e9);
    checks.within("dqn.support_max", dqn.support_max, -1e9..=1e9);
    checks.ordered("dqn.support_min", dqn.support_min, dqn.support_max);
    checks.positive("dqn.learning_rate", dqn.learning_rate, 1.0);
    checks.within("dqn.learning_rate_final", dqn.learning_rate_final, 0.0..=1.0);
    checks.positive("dqn.adam_epsilon", dqn.adam_epsilon, 1.0);
    checks.within("dqn.max_grad_norm", dqn.max_grad_norm, 0.0..=1e9);
    checks.within(
        "dqn.target_update_period_updates",
        dqn.target_update_period_updates,
        1..=1_000_000_000,
    );
    checks.positive("dqn.target_ema_rate", dqn.target_ema_rate, 1.0);
}

fn sac(checks: &mut Checks, sac: &SacConfig) {
    checks.within("sac.gamma", sac.gamma, 0.0..=1.0);
    checks.within("sac.n_step", sac.n_step, 1..=MAX_N_STEP);
    checks.positive("sac.policy_learning_rate", sac.policy_learning_rate, 1.0);
    checks.positive("sac.critic_learning_rate", sac.critic_learning_rate, 1.0);
    checks.positive("sac.entropy_learning_rate", sac.entropy_learning_rate, 1.0);
    if sac.learn_entropy_coefficient {
        // Its logarithm is what is learned.
        checks.positive("sac.entropy_coefficient", sac.entropy_coefficient, 1e3);
    } else {
        checks.within("sac.entropy_coefficient", sac.entropy_coefficient, 0.0..=1e3);
    }
    checks.within(
        "sac.target_entropy_per_dimension",
        sac.target_entropy_per_dimension,
        -100.0..=100.0,
    );
    checks.positive("sac.target_ema_rate", sac.target_ema_rate, 1.0);
    checks.within("sac.max_grad_norm", sac.max_grad_norm, 0.0..=1e9);
}

fn imitation(checks: &mut Checks, imitation: &ImitationConfig) {
    checks.positive("imitation.learning_rate", imitation.learning_rate, 1.0);
    checks.positive("imitation.adam_epsilon", imitation.adam_epsilon, 1.0);
    checks.within("imitation.max_grad_norm", imitation.max_grad_norm, 0.0..=1e9);
    checks.within("imitation.l2", imitation.l2, 0.0..=1e3);
}

fn network(checks: &mut Checks, network: &NetworkConfig) {
    let units = &network.hidden_units;
    let allowed = (1..=16).contains(&units.len()) && units.iter().all(|u| (1..=16_384).contains(u));
    if !allowed {
        checks.refuse(
            "network.hidden_units",
            format!(
                "network.hidden_units is {units:?}, allowed 1 to 16 layers of \
                 1 to 16384 units each"
            ),
        );
    }
}

fn exploration_and_replay(checks: &mut Checks, raw: &RawConfig) {
    for (key, probability) in [
        ("exploration.epsilon_start", raw.exploration.epsilon_start),
        ("exploration.epsilon_end", raw.exploration.epsilon_end),
        ("replay.priority_exponent", raw.replay.priority_exponent),
        ("replay.importance_exponent_start", raw.replay.importance_exponent_start),
        ("replay.importance_exponent_end", raw.replay.importance_exponent_end),
    ] {
        checks.within(key, probability.unwrap_or_default(), 0.0..=1.0);
    }
    checks.within(
        "exploration.epsilon_decay_env_steps",
        raw.exploration.epsilon_decay_env_steps.unwrap_or_default(),
        0..=MAX_ENV_STEPS,
    );
    checks.within(
        "exploration.initial_random_env_steps",
        raw.exploration.initial_random_env_steps,
        0..=MAX_ENV_STEPS,
    );
    let temperature = raw.replay.subspace_temperature.unwrap_or(1.0);
    checks.positive("replay.subspace_temperature", temperature, 1e6);
    checks.within("replay.capacity_transitions", raw.replay.capacity_transitions, 1..=MAX_CAPACITY);
}

fn schedule(checks: &mut Checks, raw: &RawSchedule) {
    let defaults = RawSchedule::default();
    checks.within("schedule.alpha", raw.alpha.unwrap_or(1.0), 1e-3..=1e3);
    for (key, value) in [
        ("schedule.phase_env_steps", raw.phase_env_steps.or(defaults.phase_env_steps)),
        ("schedule.drift_env_steps", raw.drift_env_steps.or(defaults.drift_env_steps)),
    ] {
        checks.within(key, value.unwrap_or(1), 1..=MAX_ENV_STEPS);
    }
    for (key, value) in
        [("schedule.drift_from", raw.drift_from), ("schedule.drift_to", raw.drift_to)]
    {
        checks.within(key, value.unwrap_or_default(), -1e9..=1e9);
    }
}

fn roles(checks: &mut Checks, raw: &RawConfig) {
    checks.within("actors.count", raw.actors.count, 1..=MAX_TOTAL_ENVS);
    checks.within("actors.envs_per_actor", raw.actors.envs_per_actor, 1..=MAX_TOTAL_ENVS);
    let learner = &raw.learner;
    checks.within("learner.minibatch_size", learner.minibatch_size, 1..=65_536);
    checks.within(
        "learner.learning_starts_env_steps",
        learner.learning_starts_env_steps,
        0..=MAX_ENV_STEPS,
    );
    checks.positive("learner.samples_per_insert", learner.samples_per_insert, 1e6);
    checks.within(
        "learner.snapshot_period_updates",
        learner.snapshot_period_updates,
        1..=1_000_000,
    );
    let evaluation = &raw.evaluation;
    checks.within("evaluation.period_env_steps", evaluation.period_env_steps, 1..=MAX_ENV_STEPS);
    checks.within("evaluation.episodes", evaluation.episodes, 0..=100_000);
    checks.within("evaluation.final_episodes", evaluation.final_episodes, 0..=100_000);
    checks.within("evaluation.epsilon", evaluation.epsilon, 0.0..=1.0);
    let success = evaluation.success_return.unwrap_or_default();
    checks.within("evaluation.success_return", success, -1e9..=1e9);
    checks.within(
        "checkpoint.period_env_steps",
        raw.checkpoint.period_env_steps,
        0..=MAX_ENV_STEPS,
    );
    checks.within("checkpoint.keep_last", raw.checkpoint.keep_last, 1..=1000);
    checks.within("log.period_env_steps", raw.log.period_env_steps, 1..=MAX_ENV_STEPS);
}

/// Needs values in range, so that nothing overflows.
fn between_keys(checks: &mut Checks, raw: &RawConfig) {
    let total_envs = raw.actors.total_envs();
    if total_envs > MAX_TOTAL_ENVS {
        checks.refuse(
            "actors.envs_per_actor",
            format!(
                "actors.count times actors.envs_per_actor is {total_envs}, allowed at most {MAX_TOTAL_ENVS}"
            ),
        );
    }
    checks.shift_between_keys(raw);
    let (starts, run) = (raw.learner.learning_starts_env_steps, raw.run.env_steps);
    if starts > run {
        checks.refuse(
            "learner.learning_starts_env_steps",
            format!(
                "learner.learning_starts_env_steps is {starts}, allowed at most run.env_steps, which is {run}: \
                 the run would end before the first update"
            ),
        );
    }
    let n_step = match raw.algorithm.name {
        AlgorithmName::Dqn => raw.dqn.as_ref().map_or(1, |dqn| dqn.n_step),
        AlgorithmName::Sac => raw.sac.as_ref().map_or(1, |sac| sac.n_step),
        AlgorithmName::Imitation => 1,
    };
    let capacity = raw.replay.capacity_transitions as u64;
    let windows = (total_envs * (n_step + 1)) as u64;
    for (needed, what) in [
        (raw.learner.minibatch_size as u64, "learner.minibatch_size"),
        (starts, "learner.learning_starts_env_steps"),
        (windows, "one n-step window of every environment"),
    ] {
        if capacity < needed {
            checks.refuse(
                "replay.capacity_transitions",
                format!(
                    "replay.capacity_transitions is {capacity}, allowed at least {needed} ({what})"
                ),
            );
        }
    }
}
