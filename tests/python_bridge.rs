//! The Python bridge against small environments whose answers are known: spaces, values, ends of
//! episodes, contexts, faults, saved states, and what is left of the processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::python;
use contrail_envs::python::{
    ContextKind, ContextVia, ImageLayout, PythonContext, PythonOptions, PythonWrapper,
};
use contrail_envs::{
    Action, ActionSpace, Context, ContextValue, Dtype, EnvError, EnvOptions, Environment,
    ObsBuffer, ObsSpace, Outcome, Registry, Step,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// Options for an environment with the keyword arguments `kwargs`.
fn options(kwargs: serde_json::Value) -> EnvOptions {
    EnvOptions {
        kwargs: kwargs.as_object().unwrap().clone(),
        python: PythonOptions { interpreter: python(), ..PythonOptions::default() },
        ..EnvOptions::default()
    }
}

/// `count` test environments in one worker.
fn batch(name: &str, options: &EnvOptions, count: usize) -> Vec<Box<dyn Environment>> {
    let id = format!("gym:tests.python.test_envs:{name}");
    Registry::builtin().make_batch(&id, options, count).unwrap_or_else(|e| panic!("{e}"))
}

fn one(name: &str, kwargs: serde_json::Value) -> Box<dyn Environment> {
    batch(name, &options(kwargs), 1).pop().unwrap()
}

/// Why a test environment is refused.
fn refusal(name: &str, options: &EnvOptions) -> String {
    let id = format!("gym:tests.python.test_envs:{name}");
    match Registry::builtin().make(&id, options) {
        Ok(_) => panic!("{name} was made"),
        Err(error @ EnvError::BadOption(_)) => error.to_string(),
        Err(error) => panic!("not a matter of options: {error}"),
    }
}

fn values(buffer: &ObsBuffer) -> Vec<f32> {
    (0..buffer.len()).map(|i| buffer.as_ref().get(i)).collect()
}

fn reset(env: &mut dyn Environment) -> Vec<f32> {
    let context = env.spec().context.default_context();
    reset_in(env, &context)
}

fn reset_in(env: &mut dyn Environment, context: &Context) -> Vec<f32> {
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    env.reset(0, context, obs.as_mut()).unwrap_or_else(|e| panic!("{e}"));
    values(&obs)
}

fn step(env: &mut dyn Environment, action: Action<'_>) -> Result<(Vec<f32>, Step), EnvError> {
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let step = env.step(action, obs.as_mut())?;
    Ok((values(&obs), step))
}

/// The error of step 2 of a faulty environment.
fn fault(kwargs: serde_json::Value) -> String {
    let mut options = options(kwargs);
    options.python.step_timeout = Duration::from_secs(2);
    let mut env = batch("Faulty-v0", &options, 1).pop().unwrap();
    reset(&mut *env);
    step(&mut *env, Action::Discrete(0)).unwrap_or_else(|e| panic!("{e}"));
    step(&mut *env, Action::Discrete(0)).unwrap_err().to_string()
}

#[test]
fn observations_of_every_kind() {
    let shape = |dtype, shape: &[usize], low: &[f32], high: &[f32]| ObsSpace {
        dtype,
        shape: shape.into(),
        low: low.into(),
        high: high.into(),
    };
    let (f32, u8) = (Dtype::F32, Dtype::U8);
    let inf = f32::INFINITY;
    let pixels: Vec<f32> = (0..60).map(|i| i as f32).collect();
    // Element (y, x, c) of an image of 4 rows, 5 columns, 3 channels is 15 y + 3 x + c.
    let moved: Vec<f32> = (0..3)
        .flat_map(|c| (0..20).map(move |at| (15 * (at / 5) + 3 * (at % 5) + c) as f32))
        .collect();
    let table = [
        ("vector64", shape(f32, &[2], &[-2.0], &[3.0]), vec![-1.5, 2.5]),
        ("scalar", shape(f32, &[1], &[0.0], &[1.0]), vec![0.25]),
        ("unbounded", shape(f32, &[2], &[-inf], &[inf]), vec![1e9, -1e9]),
        ("whole", shape(f32, &[3], &[0.0], &[9.0]), vec![1.0, 2.0, 9.0]),
        ("gray", shape(u8, &[1, 2, 3], &[0.0], &[255.0]), vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("rgb", shape(u8, &[3, 4, 5], &[0.0], &[255.0]), moved),
        ("planes", shape(u8, &[3, 4, 5], &[0.0], &[255.0]), pixels),
        ("index", shape(f32, &[3], &[0.0], &[1.0]), vec![0.0, 1.0, 0.0]),
        ("bits", shape(f32, &[3], &[0.0], &[1.0]), vec![1.0, 0.0, 1.0]),
        ("digits", shape(f32, &[5], &[0.0], &[1.0]), vec![0.0, 1.0, 0.0, 0.0, 1.0]),
        ("dict", shape(f32, &[4], &[0.0], &[9.0, 9.0, 1.0, 1.0]), vec![4.0, 5.0, 0.0, 1.0]),
    ];
    for (name, space, expected) in table {
        let mut env = one("Spaces-v0", json!({ "obs": name }));
        assert_eq!(env.spec().obs, space, "{name}");
        assert_eq!(reset(&mut *env), expected, "{name}");
        let (after, _) = step(&mut *env, Action::Discrete(0)).unwrap();
        assert_eq!(after, expected, "{name}");
    }
    let mut keys = options(json!({"obs": "words"}));
    keys.python.obs_keys = vec!["far".into()];
    let mut env = batch("Spaces-v0", &keys, 1).pop().unwrap();
    assert_eq!(env.spec().obs, shape(f32, &[2], &[0.0], &[9.0]));
    assert_eq!(reset(&mut *env), [4.0, 5.0]);
    let mut first = options(json!({"obs": "rgb"}));
    first.python.image_layout = ImageLayout::ChannelsFirst;
    assert_eq!(batch("Spaces-v0", &first, 1)[0].spec().obs.shape, [4, 5, 3]);
}

#[test]
fn actions_of_every_kind() {
    // The reward is the action's digits; a box is clipped to its float64 bounds.
    let joint = ActionSpace::Discrete(6);
    let table = [
        ("discrete", ActionSpace::Discrete(3), Action::Discrete(0), -1.0),
        ("discrete", ActionSpace::Discrete(3), Action::Discrete(2), 1.0),
        ("bits", ActionSpace::Discrete(4), Action::Discrete(2), 1.0),
        ("bits", ActionSpace::Discrete(4), Action::Discrete(3), 1.1),
        ("digits", joint.clone(), Action::Discrete(0), 0.0),
        ("digits", joint.clone(), Action::Discrete(2), 0.2),
        ("digits", joint, Action::Discrete(5), 1.2),
        (
            "box",
            ActionSpace::Box { low: vec![-0.1, -2.0], high: vec![0.1, 2.0] },
            Action::Box(&[0.1, -2.0]),
            0.1 - 0.2,
        ),
    ];
    for (name, space, action, reward) in table {
        let mut env = one("Spaces-v0", json!({ "action": name }));
        assert_eq!(env.spec().action, space, "{name}");
        reset(&mut *env);
        let (_, answer) = step(&mut *env, action).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!((answer.reward - reward).abs() < 1e-6, "{name} {action:?}: {}", answer.reward);
    }
    let mut env = one("Spaces-v0", json!({}));
    reset(&mut *env);
    let refused = step(&mut *env, Action::Discrete(3)).unwrap_err();
    assert!(matches!(refused, EnvError::InvalidAction { .. }), "{refused}");
}

#[test]
fn what_cannot_be_taken_is_refused_with_a_sentence() {
    let with = |kwargs, change: &dyn Fn(&mut EnvOptions)| {
        let mut options = options(kwargs);
        change(&mut options);
        options
    };
    let plain: &dyn Fn(&mut EnvOptions) = &|_| {};
    let table: [(EnvOptions, &[&str]); 9] = [
        (
            with(json!({"obs": "words"}), plain),
            &["the observation['word'] is a Text space", "env.obs_keys can choose of ['far']"],
        ),
        (with(json!({"obs": "sequence"}), plain), &["is a Sequence space"]),
        (with(json!({"action": "many"}), plain), &["10000 combinations", "at most 4096"]),
        (with(json!({"action": "counts"}), plain), &["int32", "Box of floats"]),
        (with(json!({"action": "dict"}), plain), &["actions are a Dict space"]),
        (
            with(json!({"obs": "dict"}), &|o| o.python.obs_keys = vec!["near".into()]),
            &["env.obs_keys names 'near'", "['far', 'kind']"],
        ),
        (
            with(json!({}), &|o| o.python.obs_keys = vec!["far".into()]),
            &["observations are a Box space, not a Dict"],
        ),
        (
            with(json!({}), &|o| {
                let kwargs = serde_json::Map::new();
                o.python.wrappers = vec![PythonWrapper { name: "gymnasium:Rapper".into(), kwargs }];
            }),
            &["env.wrappers names 'gymnasium:Rapper'", "cannot be imported"],
        ),
        (
            with(json!({}), &|o| o.python.interpreter = "/nowhere/python3".into()),
            &["env.python: cannot start /nowhere/python3"],
        ),
    ];
    for (options, parts) in table {
        let text = refusal("Spaces-v0", &options);
        for part in parts.iter().chain(&["gym:tests.python.test_envs:Spaces-v0"]) {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }
    let unknown = Registry::builtin().make("gym:CartPol-v1", &options(json!({})));
    let text = unknown.err().unwrap().to_string();
    assert!(text.contains("gym:CartPol-v1") && text.contains("CartPole"), "{text}");
}

/// Three environments in one worker step together; each gets its own answer.
#[test]
fn rows_of_a_worker_do_not_mix() {
    let mut envs = batch("Counting-v0", &options(json!({"length": 2})), 3);
    let process = reset(&mut *envs[0])[0];
    assert_eq!(reset(&mut *envs[1]), [process, 0.0, 0.0, -1.0]);
    reset(&mut *envs[2]);
    reset(&mut *envs[2]); // row 2 is one episode ahead, which lasts 3 steps and is cut
    let mut ends = Vec::new();
    for t in 1..=3_usize {
        for (row, env) in envs.iter_mut().enumerate().filter(|(row, _)| t < 3 || *row == 2) {
            env.announce(Action::Discrete((row + t) % 3)).unwrap();
        }
        // Asked for in another order than announced.
        for row in (0..3).rev().filter(|row| t < 3 || *row == 2) {
            let (obs, step) = step(&mut *envs[row], Action::Discrete((row + t) % 3)).unwrap();
            let episode = if row == 2 { 1.0 } else { 0.0 };
            assert_eq!(obs, [process, episode, t as f32, ((row + t) % 3) as f32]);
            assert_eq!(step.reward, 10.0 * episode + t as f32);
            if step.outcome.ends_episode() {
                ends.push((row, t, step.outcome));
            }
        }
    }
    let (cut, over) = (Outcome::Truncated, Outcome::Terminated);
    assert_eq!(ends, [(1, 2, over), (0, 2, over), (2, 3, cut)]);
    let after = step(&mut *envs[0], Action::Discrete(0)).unwrap_err();
    assert!(matches!(after, EnvError::NeedsReset { .. }), "{after}");
    // A reset forgets what was announced; the others go on.
    reset(&mut *envs[0]);
    envs[0].announce(Action::Discrete(1)).unwrap();
    assert_eq!(reset(&mut *envs[0]), [process, 2.0, 0.0, -1.0]);
    let (obs, _) = step(&mut *envs[0], Action::Discrete(2)).unwrap();
    assert_eq!(obs, [process, 2.0, 1.0, 2.0]);
}

#[test]
fn published_time_limits_hold_and_can_be_replaced() {
    let length = |limit| {
        let options = EnvOptions { time_limit_env_steps: limit, ..options(json!({"length": 4})) };
        let mut env = batch("Cut-v0", &options, 1).pop().unwrap();
        let named = env.spec().time_limit_env_steps;
        reset(&mut *env);
        let mut steps = 0;
        loop {
            steps += 1;
            let (_, step) = step(&mut *env, Action::Discrete(0)).unwrap();
            if step.outcome.ends_episode() {
                return (named, steps, step.outcome);
            }
        }
    };
    assert_eq!(length(None), (Some(2), 2, Outcome::Truncated));
    assert_eq!(length(Some(3)), (Some(3), 3, Outcome::Truncated));
    assert_eq!(length(Some(0)), (None, 4, Outcome::Terminated));
}

#[test]
fn contexts_reach_constructor_reset_and_attributes() {
    let value = |name: &str, via, kind, (low, high)| PythonContext {
        value: ContextValue::new(name, "1", low, (low, high), ""),
        via,
        kind,
    };
    let mut options = options(json!({}));
    options.python.contexts = vec![
        value("size", ContextVia::Kwarg, ContextKind::Int, (1.0, 5.0)),
        value(
            "theme",
            ContextVia::Kwarg,
            ContextKind::Choice(vec![json!("plain"), json!("dark")]),
            (0.0, 1.0),
        ),
        value("goal", ContextVia::ResetOption, ContextKind::Float, (0.0, 9.0)),
        value("wind", ContextVia::Attribute, ContextKind::Float, (-1.0, 1.0)),
        value("physics.gravity", ContextVia::Attribute, ContextKind::Float, (1.0, 20.0)),
    ];
    let mut env = batch("Contextual-v0", &options, 1).pop().unwrap();
    assert_eq!(reset(&mut *env), [10.0, 0.0, -1.0, 1.0]);
    let context = Context { values: vec![3.0, 1.0, 2.5, 0.5, 9.5] };
    assert_eq!(reset_in(&mut *env, &context), [31.0, 2.5, 0.5, 9.5]);
    let context = Context { values: vec![3.0, 0.0, 2.5, 0.5, 9.5] };
    assert_eq!(reset_in(&mut *env, &context), [30.0, 2.5, 0.5, 9.5]);
    let outside = Context { values: vec![6.0, 0.0, 0.0, 0.0, 9.5] };
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let error = env.reset(0, &outside, obs.as_mut()).unwrap_err().to_string();
    assert!(error.contains("size is 6") && error.contains("1 to 5"), "{error}");
    options.python.contexts =
        vec![value("mass", ContextVia::Attribute, ContextKind::Float, (0.0, 1.0))];
    let mut env = batch("Contextual-v0", &options, 1).pop().unwrap();
    let context = Context { values: vec![0.5] };
    let error = env.reset(0, &context, obs.as_mut()).unwrap_err().to_string();
    assert!(error.contains("'mass'") && error.contains("no such attribute"), "{error}");
}

#[test]
fn wrappers_in_python_are_applied() {
    let mut options = options(json!({}));
    let kwargs = json!({"by": 2}).as_object().unwrap().clone();
    options.python.wrappers =
        vec![PythonWrapper { name: "tests.python.test_envs:Ignores".into(), kwargs }];
    let mut env = batch("Counting-v0", &options, 1).pop().unwrap();
    reset(&mut *env);
    assert_eq!(step(&mut *env, Action::Discrete(0)).unwrap().0[3], 2.0);
}

#[test]
fn every_fault_names_environment_worker_and_cause() {
    let table: [(&str, &[&str]); 10] = [
        ("raise", &["ValueError: the simulator lost its licence", "test_envs.py", "in step"]),
        ("exit", &["the worker ended (exit status: 7)"]),
        ("segfault", &["signal: 11", "Segmentation fault", "test_envs.py"]),
        ("hang", &["no answer within 2s", "test_envs.py"]),
        ("hang_in_c", &["no answer within 2s", "test_envs.py"]),
        ("nan", &["element 0 is NaN"]),
        ("shape", &["shape (3,)", "the space declares dtype float32 and shape (4,)"]),
        ("dtype", &["dtype float64", "the space declares dtype float32"]),
        ("list", &["of type list", "the space declares dtype float32"]),
        ("bounds", &["element 2 is -7, allowed -1 to 1000000000", "env.check_obs_bounds"]),
    ];
    let more: [(&str, &[&str]); 2] = [
        ("reward", &["ValueError", "could not convert string to float"]),
        ("four", &["step returned", "expected observation, reward, terminated, truncated, info"]),
    ];
    for (kind, parts) in table.iter().chain(&more) {
        let text = fault(json!({ "fault": kind }));
        let whom = ["gym:tests.python.test_envs:Faulty-v0", "worker ", "environment 0"];
        for part in parts.iter().chain(&whom) {
            assert!(text.contains(part), "{kind}: {part:?} is not in: {text}");
        }
        let own = text.contains("<contrail worker>") && !text.contains("it printed last");
        assert!(!own, "{kind}: the worker's own frames: {text}");
    }
    let mut env = one("Faulty-v0", json!({"fault": "reset"}));
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let error = env.reset(0, &Context::default(), obs.as_mut()).unwrap_err().to_string();
    assert!(error.contains("the reset broke") && error.contains("environment 0, reset"), "{error}");
}

#[test]
fn after_a_death_every_call_says_so_and_nothing_hangs() {
    let mut envs = batch("Faulty-v0", &options(json!({"fault": "exit"})), 2);
    reset(&mut *envs[0]);
    reset(&mut *envs[1]);
    step(&mut *envs[0], Action::Discrete(0)).unwrap();
    step(&mut *envs[0], Action::Discrete(0)).unwrap_err();
    let begin = Instant::now();
    let error = step(&mut *envs[1], Action::Discrete(0)).unwrap_err().to_string();
    assert!(error.contains("it is gone") && error.contains("exit status: 7"), "{error}");
    let mut saved = Vec::new();
    assert!(envs[1].save_state(&mut saved).is_err());
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_exception_in_one_row_leaves_the_others_alone() {
    let options = options(json!({"fault": "raise", "times": 1}));
    let mut envs = batch("Faulty-v0", &options, 2);
    reset(&mut *envs[0]);
    reset(&mut *envs[1]);
    reset(&mut *envs[1]); // its second episode, in which nothing happens
    for t in 1..=2 {
        for env in &mut envs {
            env.announce(Action::Discrete(0)).unwrap();
        }
        assert_eq!(step(&mut *envs[0], Action::Discrete(0)).is_err(), t == 2);
        assert_eq!(step(&mut *envs[1], Action::Discrete(0)).unwrap().0[2], t as f32);
    }
    assert_eq!(reset(&mut *envs[0])[1], 1.0);
    assert_eq!(step(&mut *envs[0], Action::Discrete(0)).unwrap().0[2], 1.0);
}

#[test]
fn what_an_environment_prints_disturbs_nothing_and_is_kept() {
    let options = options(json!({"fault": "print"}));
    let mut env = batch("Faulty-v0", &options, 1).pop().unwrap();
    reset(&mut *env);
    for t in 1..=4 {
        assert_eq!(step(&mut *env, Action::Discrete(0)).unwrap().0[2], t as f32);
    }
    drop(env); // its last line has arrived then
    let (lines, dropped) = options.python.output.take();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let expected =
        ["hello from the environment", "and to stderr", "raw bytes to file descriptor 1"];
    assert_eq!((texts, dropped), (expected.to_vec(), 0));
}

#[test]
fn a_saved_environment_continues_exactly() {
    let registry = Registry::builtin();
    let options = options(json!({}));
    let make = || registry.make("gym:CartPole-v1", &options).unwrap();
    let (mut env, mut other) = (make(), make());
    reset(&mut *env);
    reset(&mut *other);
    for _ in 0..3 {
        step(&mut *env, Action::Discrete(1)).unwrap();
    }
    let mut saved = Vec::new();
    env.save_state(&mut saved).unwrap();
    other.restore_state(&saved).unwrap();
    loop {
        let (a, b) = (step(&mut *env, Action::Discrete(1)), step(&mut *other, Action::Discrete(1)));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a, b);
        if a.1.outcome.ends_episode() {
            break;
        }
    }
    assert!(matches!(other.restore_state(b"garbage"), Err(EnvError::BadState { .. })));
    for (name, why) in [("Pickled-v0", "EzPickle"), ("Locked-v0", "cannot be pickled")] {
        let mut env = one(name, json!({}));
        reset(&mut *env);
        match env.save_state(&mut Vec::new()) {
            Err(EnvError::Unsavable { reason, .. }) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_episode_in_another_worker() {
    let registry = Registry::builtin();
    let options = options(json!({}));
    let mut envs = registry.make_batch("gym:CartPole-v1", &options, 2).unwrap();
    envs.push(registry.make("gym:CartPole-v1", &options).unwrap());
    let first: Vec<_> = [5_u64 << 40, 6 << 40, 5 << 40]
        .into_iter()
        .zip(&mut envs)
        .map(|(seed, env)| {
            let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
            env.reset(seed, &Context::default(), obs.as_mut()).unwrap();
            values(&obs)
        })
        .collect();
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0], first[1]);
}

#[test]
fn automatic_resets_give_the_final_observation() {
    let mut env = one("AutoReset-v0", json!({"length": 2}));
    let process = reset(&mut *env)[0];
    step(&mut *env, Action::Discrete(0)).unwrap();
    let (obs, answer) = step(&mut *env, Action::Discrete(1)).unwrap();
    assert_eq!(obs, [process, 0.0, 2.0, 1.0]);
    assert_eq!(answer.outcome, Outcome::Terminated);
}

/// Gymnasium 0.29: the same calls, and its own wrapper that resets by itself.
#[test]
fn an_old_gymnasium_is_served() {
    let mut options = options(json!({"autoreset": true}));
    options.python.interpreter = common::repo(".venv-test-0.29/bin/python");
    let mut env = Registry::builtin().make("gym:CartPole-v1", &options).unwrap();
    assert_eq!(env.spec().time_limit_env_steps, Some(500));
    reset(&mut *env);
    loop {
        let (obs, step) = step(&mut *env, Action::Discrete(1)).unwrap();
        if step.outcome.ends_episode() {
            // The pole has fallen (12 degrees); at a reset it is within 0.05 rad.
            assert!(obs[2].abs() > 0.2, "{obs:?}");
            break;
        }
    }
    let unlimited = EnvOptions { time_limit_env_steps: Some(0), ..options };
    let env = Registry::builtin().make("gym:MountainCar-v0", &unlimited).unwrap();
    assert_eq!(env.spec().time_limit_env_steps, None);
}

#[test]
fn envpool_is_played_row_by_row() {
    let mut envs = Registry::builtin()
        .make_batch("envpool:CartPole-v1", &options(json!({"num_threads": 1})), 3)
        .unwrap();
    assert_eq!(envs[0].spec().action, ActionSpace::Discrete(2));
    let firsts: Vec<_> = envs.iter_mut().map(|env| reset(&mut **env)).collect();
    assert_ne!(firsts[0], firsts[1]);
    let mut ends = 0;
    for t in 0..200 {
        for (row, env) in envs.iter_mut().enumerate() {
            env.announce(Action::Discrete(row % 2)).unwrap();
            assert_eq!(env.spec().obs.len(), 4, "{t}");
        }
        for (row, env) in envs.iter_mut().enumerate() {
            let (obs, answer) = step(&mut **env, Action::Discrete(row % 2)).unwrap();
            if answer.outcome.ends_episode() {
                ends += 1;
                assert_eq!(answer.outcome, Outcome::Terminated);
                assert!(obs[2].abs() > 0.2, "{obs:?}");
                assert!(reset(&mut **env)[2].abs() <= 0.05);
            }
        }
    }
    assert!(ends > 30, "{ends}"); // pushed one way, the pole falls after about 10 steps
}
