//! Every registered environment keeps every rule of the contract, bare and under wrappers.

use contrail_envs::conformance::{CheckOptions, Rule, check, check_id};
use contrail_envs::wrappers::{
    ActionRepeat, FrameStack, NormalizeObs, ObsNormalizer, ObsStats, RewardClip, RewardScale,
    ShowContext,
};
use contrail_envs::{
    ContextValue, Distribution, EnvError, EnvOptions, Environment, Registry, Subspace,
};
use std::collections::BTreeMap;
use std::sync::Arc;

type Made = Result<Box<dyn Environment>, EnvError>;

#[test]
fn every_builtin_environment() {
    let registry = Registry::builtin();
    let ids: Vec<_> = registry.ids().collect();
    assert!(ids.len() >= 12, "only {} environments are registered: {ids:?}", ids.len());
    for id in ids {
        let options = CheckOptions { episodes: 2, ..CheckOptions::default() };
        let report = check_id((&registry, id), &EnvOptions::default(), &options);
        assert!(report.conforms(), "{report}");
        for rule in Rule::ALL {
            // Random play may not reach an end; subspaces have a test of their own.
            let needs_luck = matches!(
                rule,
                Rule::TimeLimit | Rule::StepAfterEnd | Rule::FinalObs | Rule::SubspacesDiffer
            );
            assert!(needs_luck || report.checked.contains(&rule), "{rule:?}\n{report}");
        }
    }
}

/// Context values whose two ends random play cannot tell apart.
fn alike(id: &str, value: &str) -> bool {
    match value {
        // It is drawn only, as in Gymnasium.
        "link_length_2" => true,
        // Two games do not ramp, in the others random play does not last long enough.
        "difficulty_ramping" => true,
        // The speed of the start is lost among 200 random torques.
        "initial_velocity_max" => true,
        // Random play does not reach the goal.
        "goal_velocity" | "max_position" => id == "MountainCar-v0",
        // Good and bad rewards are equally likely, so their signs may be exchanged.
        "reward_scale" => id == "Probe/ActionReward-v0" || id == "Probe/ObsActionReward-v0",
        _ => false,
    }
}

/// Context values of things that random play of `MiniGrid` seldom sees; the tests beside these
/// environments look at the grid instead.
fn seldom_seen(id: &str, value: &str) -> bool {
    id.starts_with("MiniGrid-") && (value.ends_with("_color") || value.ends_with("_type"))
}

/// Each context value alone, at its lowest and at its highest.
#[test]
fn every_context_value_of_every_builtin_environment_makes_a_difference() {
    let registry = Registry::builtin();
    let end = |value: &ContextValue, name: &str, at: f64| {
        let values = BTreeMap::from([(value.name.clone(), Distribution::Fixed(at))]);
        Subspace { name: format!("{} {name}", value.name), values, ..Subspace::default() }
    };
    let mut differing = 0;
    for id in registry.ids() {
        let spec = registry.make(id, &EnvOptions::default()).unwrap().spec().clone();
        for value in spec.context.values.iter().filter(|value| !seldom_seen(id, &value.name)) {
            let subspaces = vec![end(value, "low", value.low), end(value, "high", value.high)];
            let options = CheckOptions { episodes: 1, subspaces, ..CheckOptions::default() };
            let report = check_id((&registry, id), &EnvOptions::default(), &options);
            let differ = report.subspaces[0].differ;
            assert_eq!(differ, !alike(id, &value.name), "{} of {report}", value.name);
            assert_eq!(report.conforms(), differ, "{report}");
            differing += u32::from(differ);
        }
    }
    assert!(differing >= 40, "{differing}");
}

/// The same with a time limit that random play always reaches.
#[test]
fn every_builtin_environment_is_cut_on_time() {
    let registry = Registry::builtin();
    for id in registry.ids() {
        let options = EnvOptions { time_limit_env_steps: Some(2), ..EnvOptions::default() };
        let short = CheckOptions { max_env_steps_per_episode: 10, ..CheckOptions::default() };
        let report = check_id((&registry, id), &options, &short);
        assert!(report.conforms(), "{report}");
        let cut = report.truncated == 0 || report.checked.contains(&Rule::FinalObs);
        assert!(cut, "{report}");
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
    let wrappers: [(&str, Wrap); 7] = [
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
        ("show context", |env| boxed(ShowContext::new(env)?)),
    ];
    let registry = Registry::builtin();
    let options =
        CheckOptions { episodes: 2, max_env_steps_per_episode: 100, ..CheckOptions::default() };
    for id in registry.ids() {
        let bare = registry.make(id, &EnvOptions::default()).unwrap();
        let has_context = !bare.spec().context.values.is_empty();
        for (name, wrap) in
            wrappers.into_iter().filter(|(n, _)| has_context || *n != "show context")
        {
            let make = || wrap(registry.make(id, &EnvOptions::default())?);
            let report = check(&make, &options);
            assert!(report.conforms(), "{name} around {report}");
            assert_eq!(report.id, id, "{name} keeps the inner id");
        }
    }
}
