//! Misspelt keys, wrong types and idle settings are refused in words.

use super::{parse, refusal, set};
use crate::config::{EpsilonSchedule, from_toml};

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (written, nearest) in [
        ("learner.learning_rat", "dqn.learning_rate"), // wrong section and a slip
        ("learner.learning_rate", "dqn.learning_rate"), // wrong section
        ("exploration.gamma", "dqn.gamma"),
        ("dqn.gama", "dqn.gamma"),
        ("sac.gama", "sac.gamma"),
        ("dqn.batch_size", "learner.minibatch_size"),
        ("run.env_step", "run.env_steps"),
        ("env.timelimit_env_steps", "env.time_limit_env_steps"), // an optional key
        ("env.reward_clips", "env.reward_clip"),
        ("seed", "run.seed"),
        ("actor.count", "actors.count"),
    ] {
        let text = refusal(set(&[&format!("{written}=1")]));
        let expected =
            format!("--set {written}=1: unknown key {written:?}; did you mean {nearest:?}?");
        assert_eq!(text, expected);
    }
    let under_sac = refusal(set(&["algorithm.name=sac", "exploration.gamma=1"]));
    assert!(under_sac.contains("did you mean \"sac.gamma\"?"), "{under_sac}");
    assert_eq!(
        refusal(parse("[learner]\nlearning_rat = 1\n")),
        "test.toml: unknown key \"learner.learning_rat\"; did you mean \"dqn.learning_rate\"?"
    );
    let sections = "the sections are actors, algorithm, checkpoint, contrast, dqn, env, \
                    evaluation, exploration, imitation, learner, log, loss_policy, memory, \
                    network, replay, run, sac, schedule, shift, split, subspaces, teacher, tokens";
    assert_eq!(refusal(parse("[zzz]\n")), format!("test.toml: unknown key \"zzz\"; {sections}"));
    assert!(refusal(set(&["learner=3"])).contains("\"learner\" is a section, not a value"));
    assert!(refusal(parse("[run.seed]\nx = 1\n")).contains("did you mean \"run.seed\"?"));
    assert!(refusal(from_toml("test.toml", "extend = 'a'")).contains("did you mean \"extends\"?"));
    assert!(refusal(from_toml("test.toml", "'dqn.gamma' = 1")).contains("unknown key"));
    assert!(parse("[dqn]\n").is_ok(), "an empty section changes nothing");
}

#[test]
fn wrong_types_name_key_value_and_expectation() {
    for (written, expected) in [
        ("dqn.gamma=high", "dqn.gamma is \"high\", expected a number"),
        ("run.env_steps=many", "run.env_steps is \"many\", expected a whole number, 0 or more"),
        ("run.env_steps=1.5", "run.env_steps is 1.5, expected a whole number, 0 or more"),
        ("run.env_steps=-1", "run.env_steps is -1, expected a whole number, 0 or more"),
        ("dqn.double=1", "dqn.double is 1, expected true or false"),
        ("env.id=7", "env.id is 7, expected text"),
        ("network.hidden_units=64", "network.hidden_units is 64, expected a list"),
        (
            "network.hidden_units=[1, \"b\"]",
            "network.hidden_units is [1, \"b\"], expected a list, each element a whole number",
        ),
        ("env.reward_clip=[1]", "env.reward_clip is [1], expected a list of two numbers"),
        ("run.mode=fast", "run.mode is \"fast\", expected \"threaded\" or \"serial\""),
        (
            "algorithm.name=ppo",
            "algorithm.name is \"ppo\", expected one of \"dqn\", \"sac\", \"imitation\"",
        ),
        (
            "run.device=gpu",
            "run.device is \"gpu\", expected auto, cpu, cuda or cuda:N with N from 0 to 63",
        ),
        (
            "run.device=cuda:64",
            "run.device is \"cuda:64\", expected auto, cpu, cuda or cuda:N with N from 0 to 63",
        ),
        (
            "dqn.distribution=c52",
            "dqn.distribution is \"c52\", expected one of \"mean\", \"c51\", \"quantile\"",
        ),
    ] {
        assert_eq!(refusal(set(&[written])), format!("--set {written}: {expected}"));
    }
}

#[test]
fn all_problems_are_reported_one_a_line() {
    let text = refusal(parse("[dqn]\ngama = 1\ngamma = 'a'\n[foo]\nbar = 1\n"));
    assert_eq!(text.lines().count(), 3, "{text}");
    let text =
        refusal(parse("[dqn]\ngamma = 2\nlearning_rate = 0.0\n[log]\nperiod_env_steps = 0\n"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "test.toml: dqn.gamma is 2.0, allowed 0.0 to 1.0",
            "test.toml: dqn.learning_rate is 0.0, allowed above 0 and up to 1.0",
            "test.toml: log.period_env_steps is 0, allowed 1 to 1000000000000",
        ]
    );
}

#[test]
fn keys_without_effect_are_refused_in_sets_and_accepted_in_files() {
    for (assignments, reason) in [
        (vec!["sac.gamma=0.9"], "algorithm.name is \"dqn\""),
        (vec!["algorithm.name=sac", "dqn.gamma=0.9"], "algorithm.name is \"sac\""),
        (vec!["algorithm.name=sac", "evaluation.epsilon=0.1"], "algorithm.name is \"sac\""),
        (
            vec!["algorithm.name=sac", "exploration.epsilon_end=0.1"],
            "algorithm.name is \"sac\", which",
        ),
        (vec!["dqn.noisy=true", "exploration.epsilon_end=0.1"], "dqn.noisy is true"),
        (vec!["dqn.num_atoms=11"], "dqn.distribution is \"mean\""),
        (vec!["dqn.distribution=quantile", "dqn.support_min=0"], "dqn.distribution is not \"c51\""),
        (vec!["replay.priority_exponent=0.5"], "replay.sampling is \"uniform\""),
        (
            vec![
                "algorithm.name=sac",
                "sac.learn_entropy_coefficient=false",
                "sac.entropy_learning_rate=1e-3",
            ],
            "sac.learn_entropy_coefficient is false",
        ),
    ] {
        let last = assignments[assignments.len() - 1];
        let key = last.split('=').next().unwrap();
        let text = refusal(set(&assignments));
        assert!(
            text.starts_with(&format!("--set {last}: {key} has no effect, because {reason}")),
            "{text}"
        );
    }
    let both = parse("[sac]\ngamma = 0.5\n[dqn]\nnoisy = true\n[exploration]\nepsilon_end = 0.1\n")
        .unwrap();
    assert_eq!(both.exploration.epsilon, EpsilonSchedule::OFF);
    assert!(set(&["dqn.distribution=quantile", "dqn.num_atoms=11"]).is_ok());
    assert!(set(&["replay.sampling=prioritized", "replay.priority_exponent=0.5"]).is_ok());
}

#[test]
fn what_a_user_names_is_refused_by_its_name() {
    for (assignment, expected) in [
        ("env.kwargs.size=nan", "env.kwargs.size holds NaN or an infinity"),
        ("env.kwargs.a={b=[1,inf]}", "env.kwargs.a holds NaN or an infinity"),
        ("env.kwargs=5", "env.kwargs is 5, expected a table"),
        ("env.wrappers=['Wrapper']", "env.wrappers has \"Wrapper\", expected \"module:Class\""),
        ("env.on_fault=retry", "env.on_fault is \"retry\", expected"),
        ("env.step_timeout_s=0", "env.step_timeout_s is 0.0, allowed above 0"),
        ("env.contexts.g={via='attribute',default=1}", "env.contexts.g needs both low and high"),
        ("env.contexts.g.default=1", "missing field `via`"),
        (
            "env.contexts.g={via='attribute',default=9,low=0,high=5}",
            "env.contexts.g has default 9, allowed 0 to 5",
        ),
        (
            "env.contexts.g={via='kwarg',kind='choice',default=0}",
            "env.contexts.g is a choice without choices",
        ),
        ("subspaces.moon.g={uniform=[1]}", "uniform"),
        ("subspaces.a%b.g=1", "a subspace is called \"a%b\", allowed: 1 to 64 letters"),
        ("replay.subspace_quota={moon=0.5}", "replay.subspace_quota has \"moon\", expected one of"),
        ("replay.subspace_quota={default=0.0}", "replay.subspace_quota.default is 0.0, allowed"),
        ("replay.subspace_law=quota", "replay.subspace_quota has no share for \"default\""),
        ("replay.subspace_temperature=2.0", "replay.subspace_law is not \"temperature\""),
        ("schedule.weights={moon=1.0}", "schedule.weights has \"moon\", expected one of"),
        ("schedule.weights={default=0.0}", "schedule.weights.default is 0.0, allowed above 0"),
        ("schedule.weights={default=1e308}", "schedule.weights.default is 1e308, allowed above 0"),
        ("schedule.kind=recurring", "needs at least 2 source subspaces, there is 1"),
        ("schedule.kind=drifting", "needs schedule.drift_value"),
        ("schedule.kind=cyclc", "schedule.kind is \"cyclc\", expected one of"),
        ("schedule.order=['x']", "schedule.order has \"x\", expected one of \"default\""),
        ("split.source=['x']", "split.source has \"x\", but there is no [subspaces.NAME] at all"),
    ] {
        let text = refusal(set(&[assignment]));
        assert!(text.contains(expected), "{assignment}: {text}");
    }
}

#[test]
fn layers_add_to_what_a_user_names() {
    let config = set(&[
        "env.kwargs.size=8",
        "env.kwargs.theme=dark",
        "env.kwargs.size=9",
        "env.contexts.g={via='attribute',default=1,low=0,high=5}",
        "env.contexts.g.default=2",
    ])
    .unwrap();
    let kwargs = serde_json::json!({"size": 9, "theme": "dark"});
    assert_eq!(serde_json::Value::Object(config.env.kwargs), kwargs);
    assert_eq!(config.env.python.contexts[0].value.default, 2.0);
}
