//! What a saved policy is asked for: its return, or one episode to look at.

use super::{EvaluationSummary, LoadedPolicy, build};
use crate::config::Config;
use anyhow::Result;
use contrail_envs::{Registry, RgbFrame, SeedStream};

/// Measures a saved policy on `episodes` episodes.
///
/// # Errors
/// If the policy does not fit the environment or the network of `config`, or an episode fails.
pub fn evaluate(
    config: &Config,
    registry: &Registry,
    policy: &LoadedPolicy,
    (episodes, seeds): (usize, SeedStream),
) -> Result<EvaluationSummary> {
    let mut evaluator = build::lone_evaluator(config, registry, policy)?;
    let evaluation = evaluator.evaluate(&policy.params, episodes, seeds)?;
    Ok(EvaluationSummary::new(policy.env_steps, &build::judged(config), &evaluation))
}

/// Plays one episode of a saved policy and shows a picture of every state. Returns the episode's
/// return.
///
/// # Errors
/// If the policy does not fit `config`, the environment cannot be drawn, or `show` fails.
pub fn record(
    config: &Config,
    registry: &Registry,
    (policy, seeds): (&LoadedPolicy, SeedStream),
    show: &mut dyn FnMut(&RgbFrame) -> Result<()>,
) -> Result<f64> {
    let mut config = config.clone();
    config.env.python.render = true;
    build::lone_evaluator(&config, registry, policy)?.watch(&policy.params, seeds, show)
}
