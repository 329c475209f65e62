//! Ranges of values, and round trips.

use super::{refusal, set};
use crate::config::{
    Config, Overrides, Prioritized, RawConfig, Sampling, TimeLimit, from_toml, known_keys, load,
};
use std::num::NonZeroU32;

/// Every number of a config: NaN, infinities and absurd sizes are refused by name. The list comes
/// from the config itself, so that a new key without a range check fails here.
#[test]
fn every_numeric_key_has_a_range() {
    let default = serde_json::to_value(RawConfig::default()).unwrap();
    let mut floats = 0;
    let mut counts = 0;
    for key in known_keys().unwrap() {
        let pointer = format!("/{}", key.replace('.', "/"));
        let Some(value) = default.pointer(&pointer) else {
            continue; // a section whose entries are the user's to name
        };
        let absurd: &[&str] = if value.is_f64() {
            floats += 1;
            &["nan", "inf", "-inf", "1e300", "-1e300"]
        } else if key == "run.seed" {
            &["-1"] // any seed of TOML is a good seed
        } else if value.is_number() {
            counts += 1;
            &["9223372036854775807", "-1"]
        } else {
            continue;
        };
        for bad in absurd {
            let section = key.split('.').next().unwrap();
            let algorithm = if section == "sac" { "sac" } else { "dqn" };
            let text =
                refusal(set(&[&format!("algorithm.name={algorithm}"), &format!("{key}={bad}")]));
            assert!(text.contains(&format!("{key} is ")), "{key}={bad}: {text}");
            assert!(text.contains("allowed") || text.contains("expected"), "{key}={bad}: {text}");
        }
    }
    assert!(floats >= 20 && counts >= 20, "{floats} floats, {counts} counts");
}

#[test]
fn ranges_end_where_they_should() {
    let accepted = [
        "dqn.gamma=0",
        "dqn.gamma=1",
        "dqn.target_ema_rate=1",
        "dqn.max_grad_norm=0",
        "dqn.learning_rate_final=0",
        "exploration.epsilon_end=0",
        "exploration.epsilon_start=1",
        "exploration.epsilon_decay_env_steps=0",
        "evaluation.episodes=0",
        "evaluation.final_episodes=0",
        "checkpoint.period_env_steps=0",
        "env.time_limit_env_steps=0",
        "run.seed=9223372036854775807",
        "run.seed=0",
        "actors.count=4096",
        "learner.learning_starts_env_steps=100000", // all of run.env_steps
        "replay.capacity_transitions=1000",
    ];
    for assignment in accepted {
        assert!(set(&[assignment]).is_ok(), "{assignment}: {}", refusal(set(&[assignment])));
    }
    let refused: [&[&str]; 21] = [
        &["dqn.gamma=1.0000001"],
        &["dqn.target_ema_rate=0"],
        &["dqn.n_step=0"],
        &["dqn.num_atoms=1"],
        &["exploration.epsilon_end=-0.1"],
        &["run.env_steps=0"],
        &["actors.count=0"],
        &["actors.count=64", "actors.envs_per_actor=65"],
        &["learner.learning_starts_env_steps=100001", "replay.capacity_transitions=200000"],
        &["replay.capacity_transitions=999"], // below learning_starts
        &["learner.learning_starts_env_steps=0", "replay.capacity_transitions=63"], // below the minibatch
        &["actors.count=4096", "dqn.n_step=24"], // 4096 * 25 windows > 100000
        &["network.hidden_units=[]"],
        &["network.hidden_units=[64,0]"],
        &["env.reward_clip=[1,1]"],
        &["env.reward_clip=[nan,1]"],
        &["env.reward_clip=[0,nan]"],
        &["env.reward_clip=[-inf,1]"],
        &["env.reward_clip=[inf,-inf]"],
        &["env.id= "],
        &["learner.minibatch_size=0"],
    ];
    for assignments in refused {
        assert!(set(assignments).is_err(), "{assignments:?}");
    }
    let c51 = ["dqn.distribution=c51", "dqn.support_min=10"];
    assert!(
        refusal(set(&c51))
            .contains("dqn.support_min is 10.0, allowed a number below the upper bound 10.0")
    );
    assert!(refusal(from_toml("test.toml", "")).starts_with("env.id is not set"));
    let seed =
        Overrides { env: Some("Test-v0".into()), seed: Some(u64::MAX), ..Overrides::default() };
    assert!(
        refusal(load(None, &seed))
            .starts_with("--seed: run.seed is \"18446744073709551615\", expected")
    );
}

/// Settings of subspaces, splits, schedules and the replay by subspace.
fn about_subspaces() -> Vec<Vec<&'static str>> {
    let two = ["subspaces.a.g=1.0", "subspaces.b.g=2.0"];
    let split = [
        "split.source=['b','a']",
        "split.target=['c']",
        "split.kind=goal",
        "subspaces.c.g={uniform=[3.0,4.0]}",
    ];
    let joined = |all: &[&[&'static str]]| all.concat();
    vec![
        joined(&[&two, &["schedule.kind=iid", "schedule.weights.a=2.5"]]),
        joined(&[&two, &split, &["schedule.kind=dirichlet", "schedule.alpha=0.3"]]),
        joined(&[&two, &split, &["schedule.kind=cyclic", "schedule.order=['a','b','b']"]]),
        joined(&[&two, &["schedule.kind=recurring", "schedule.phase_env_steps=77"]]),
        joined(&[
            &two,
            &[
                "actors.count=2",
                "schedule.kind=drifting",
                "schedule.drift_value=h",
                "schedule.drift_to=3.0",
            ],
        ]),
        joined(&[&two, &["replay.subspace_law=temperature", "replay.subspace_temperature=3.5"]]),
        joined(&[&two, &["replay.subspace_law=quota", "replay.subspace_quota={a=1.0,b=3.0}"]]),
        joined(&[&two, &["replay.keep_every_subspace=true", "subspaces.b.except=['a']"]]),
        vec![
            "subspaces.a.contexts=[{g=1.0,m=2.0},{g=3.0}]",
            "subspaces.b.g={normal={mean=1.0,std=1.0,low=0.0,high=2.0}}",
        ],
    ]
}

#[test]
fn the_effective_config_parses_back() {
    let subspaces = about_subspaces();
    let mut cases: Vec<&[&str]> = vec![
        &[],
        &["algorithm.name=sac", "sac.gamma=0.9"],
        &["dqn.noisy=true"],
        &["replay.sampling=prioritized", "replay.importance_exponent_end=0.7"],
        &["env.time_limit_env_steps=0", "env.reward_clip=[-inf,inf]", "run.device=cuda"],
        &[
            "env.id=gym:X-v0",
            "env.python=/usr/bin/python3",
            "env.on_fault=skip_episode",
            "env.kwargs.size=8",
            "env.kwargs.nested={a=[1,2],b='x'}",
            "env.obs_keys=['image','direction']",
            "env.image_layout=channels_last",
            "env.wrappers=['m:A',{name='m:B',kwargs={k=1}}]",
            "env.contexts.g={via='attribute',default=9.8,low=1,high=20,unit='m/s^2'}",
            "env.contexts.c={via='kwarg',kind='choice',default=1,choices=['a','b']}",
            "env.step_timeout_s=2.5",
            "subspaces.moon.g=1.6",
            "subspaces.moon.c={choice=[0,1]}",
        ],
        &["env.time_limit_env_steps=77", "env.reward_clip=[-1,0.1]", "env.reward_scale=0.3"],
        &[
            "dqn.adam_epsilon=1.5e-8",
            "run.seed=9223372036854775807",
            "exploration.epsilon_end=0.07",
        ],
    ];
    cases.extend(subspaces.iter().map(Vec::as_slice));
    for assignments in cases {
        let config = set(assignments).unwrap();
        let text = config.to_toml().unwrap();
        assert_eq!(from_toml("effective.toml", &text).unwrap(), config, "{assignments:?}\n{text}");
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<Config>(&json).unwrap(),
            config,
            "{assignments:?}\n{json}"
        );
    }
    let text = set(&["algorithm.name=sac"]).unwrap().to_toml().unwrap();
    for absent in ["[dqn]", "epsilon_start", "priority_exponent"] {
        assert!(!text.contains(absent), "{absent} has no effect and is written:\n{text}");
    }
}

#[test]
fn typed_values_of_the_environment() {
    let limit = |text: &str| set(&[text]).unwrap().env.time_limit;
    assert_eq!(limit("env.time_limit_env_steps=0"), TimeLimit::Off);
    assert_eq!(
        limit("env.time_limit_env_steps=9"),
        TimeLimit::EnvSteps(NonZeroU32::new(9).unwrap())
    );
    assert_eq!(TimeLimit::Published.as_option(), None);
    assert_eq!(TimeLimit::Off.as_option(), Some(0));
    assert_eq!(set(&["env.reward_clip=[-inf,inf]"]).unwrap().env.reward_clip, None);
    let sampling = set(&["replay.sampling=prioritized"]).unwrap().replay.sampling;
    let expected = Prioritized {
        priority_exponent: 0.6,
        importance_exponent_start: 0.4,
        importance_exponent_end: 1.0,
    };
    assert_eq!(sampling, Sampling::Prioritized(expected));
}
