//! Every registered environment keeps every rule of the contract, bare and under wrappers.

use contrail_envs::conformance::{CheckOptions, Rule, check};
use contrail_envs::wrappers::{
    ActionRepeat, FrameStack, NormalizeObs, ObsNormalizer, ObsStats, RewardClip, RewardScale,
};
use contrail_envs::{EnvError, EnvOptions, Environment, Registry};
use std::sync::Arc;

type Made = Result<Box<dyn Environment>, EnvError>;

/// Fails with the report of `name` unless it conforms and every rule was put to the test, less
/// the time limit, which random play may not reach.
fn assert_conforms(name: &str, make: &dyn Fn() -> Made) {
    let options = CheckOptions { episodes: 2, ..CheckOptions::default() };
    let report = check(make, &options);
    assert!(report.conforms(), "{name}\n{report}");
    for rule in Rule::ALL {
        let needs_luck = matches!(rule, Rule::TimeLimit | Rule::StepAfterEnd);
        assert!(needs_luck || report.checked.contains(&rule), "{name}: {rule:?}\n{report}");
    }
}

#[test]
fn every_builtin_environment() {
    let registry = Registry::builtin();
    let ids: Vec<_> = registry.ids().collect();
    assert!(ids.len() >= 12, "only {} environments are registered: {ids:?}", ids.len());
    for id in ids {
        assert_conforms(id, &|| registry.make(id, &EnvOptions::default()));
    }
}

/// The same with a time limit that random play always reaches.
#[test]
fn every_builtin_environment_is_cut_on_time() {
    let registry = Registry::builtin();
    for id in registry.ids() {
        let options = EnvOptions { time_limit_env_steps: Some(2) };
        let make = || registry.make(id, &options);
        let report = check(
            &make,
            &CheckOptions { max_env_steps_per_episode: 10, ..CheckOptions::default() },
        );
        assert!(report.conforms(), "{report}");
        assert_eq!(report.episodes, report.terminated + report.truncated, "{report}");
        assert!(report.checked.contains(&Rule::StepAfterEnd), "{report}");
    }
}

fn boxed<E: Environment + 'static>(env: E) -> Made {
    Ok(Box::new(env))
}

/// Statistics with a mean of 0.5 and a variance of 4.
fn frozen(env: &dyn Environment) -> Result<Arc<ObsNormalizer>, EnvError> {
    let len = env.spec().obs.len();
    let stats = ObsStats { count: 2, mean: vec![0.5; len], m2: vec![8.0; len] };
    Ok(Arc::new(ObsNormalizer::frozen(stats)?))
}

#[test]
fn every_wrapper_around_every_builtin_environment() {
    type Wrap = fn(Box<dyn Environment>) -> Made;
    let wrappers: [(&str, Wrap); 6] = [
        ("frame stack", |env| boxed(FrameStack::new(env, 3)?)),
        ("action repeat", |env| boxed(ActionRepeat::new(env, 3)?)),
        ("reward clip", |env| boxed(RewardClip::new(env, -0.5, 0.25)?)),
        ("reward scale", |env| boxed(RewardScale::new(env, -3.0)?)),
        ("normalize", |env| {
            let normalizer = frozen(&*env)?;
            boxed(NormalizeObs::new(env, normalizer)?)
        }),
        ("repeat, clip, normalize, stack", |env| {
            let normalizer = frozen(&*env)?;
            let env = RewardClip::new(ActionRepeat::new(env, 2)?, -1.0, 1.0)?;
            boxed(FrameStack::new(NormalizeObs::new(env, normalizer)?, 2)?)
        }),
    ];
    let registry = Registry::builtin();
    let options =
        CheckOptions { episodes: 2, max_env_steps_per_episode: 100, ..CheckOptions::default() };
    for id in registry.ids() {
        for (name, wrap) in wrappers {
            let make = || wrap(registry.make(id, &EnvOptions::default())?);
            let report = check(&make, &options);
            assert!(report.conforms(), "{name} around {report}");
            assert_eq!(report.id, id, "{name} keeps the inner id");
        }
    }
}
