//! Which setting wins, and how `--set` is read.

use super::{dqn, parse, refusal, set};
use crate::config::{
    Algorithm, Config, ConfigError, Device, EpsilonSchedule, Mode, Overrides, RewardClip, Sampling,
    TimeLimit, from_toml, load,
};
use std::path::Path;

#[test]
fn defaults_are_the_documented_ones() {
    let config = parse("").unwrap();
    assert_eq!(
        (config.run.seed, config.run.mode, config.run.env_steps),
        (1, Mode::Threaded, 100_000)
    );
    assert_eq!((config.run.device, config.run.torch_threads), (Device::Auto, 1));
    assert_eq!(config.env.time_limit, TimeLimit::Published);
    assert_eq!((config.env.frame_stack, config.env.action_repeat_frames), (1, 1));
    assert_eq!((config.env.reward_clip, config.env.normalize_obs), (None, false));
    assert_eq!(config.actors.total_envs(), 1);
    assert_eq!(config.algorithm, Algorithm::Dqn(contrail_agents::DqnConfig::default()));
    let epsilon = EpsilonSchedule { start: 1.0, end: 0.05, decay_env_steps: 10_000 };
    assert_eq!(config.exploration.epsilon, epsilon);
    assert_eq!(config.exploration.initial_random_env_steps, 1000);
    assert_eq!(config.replay.sampling, Sampling::Uniform);
    assert_eq!(
        (config.learner.minibatch_size, config.learner.learning_starts_env_steps),
        (64, 1000)
    );
    assert_eq!((config.evaluation.episodes, config.evaluation.final_episodes), (10, 100));
    assert_eq!((config.checkpoint.period_env_steps, config.checkpoint.keep_last), (25_000, 2));
    assert_eq!(config.log.period_env_steps, 1000);
}

#[test]
fn later_layers_win() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    // Each key is set by one layer more than the one before it.
    write(
        "base.toml",
        "[env]\nid='A-v0'\n[run]\nseed=10\ntorch_threads=10\nenv_steps=10_000\n[dqn]\nn_step=10\n",
    );
    write(
        "sub/middle.toml",
        "extends='../base.toml'\n[run]\ntorch_threads=20\nenv_steps=20_000\n[dqn]\nn_step=20\n",
    );
    let file = write(
        "method.toml",
        "extends='sub/middle.toml'\n[run]\nenv_steps=30_000\n[dqn]\nn_step=30\n",
    );
    let overrides = Overrides {
        seed: Some(40),
        env_steps: Some(40_000),
        set: vec!["dqn.n_step=50".into(), "dqn.n_step=60".into(), "run.seed=50".into()],
        ..Overrides::default()
    };
    let plain = load(Some(&file), &Overrides::default()).unwrap();
    let seen = |c: &Config| (c.run.seed, c.run.torch_threads, c.run.env_steps, dqn(c).n_step);
    assert_eq!(seen(&plain), (10, 20, 30_000, 30));
    let overridden = load(Some(&file), &overrides).unwrap();
    assert_eq!(seen(&overridden), (50, 20, 40_000, 60));
    assert_eq!(overridden.env.id, "A-v0");
    let env = Overrides { env: Some("B-v0".into()), ..Overrides::default() };
    assert_eq!(load(Some(&file), &env).unwrap().env.id, "B-v0");
}

#[test]
fn circles_of_extends_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.toml", "extends = 'b.toml'");
    write("b.toml", "extends = './a.toml'");
    write("self.toml", "extends = 'self.toml'");
    write("orphan.toml", "extends = 'nowhere.toml'");
    write("number.toml", "extends = 3");
    let error =
        |name: &str| load(Some(&folder.path().join(name)), &Overrides::default()).unwrap_err();
    for name in ["a.toml", "self.toml"] {
        assert!(matches!(error(name), ConfigError::Cycle(_)), "{}", error(name));
    }
    let text = error("a.toml").to_string();
    assert!(text.contains("a.toml extends ") && text.contains("b.toml extends "), "{text}");
    assert!(
        matches!(error("orphan.toml"), ConfigError::Read { path, .. } if path.ends_with("nowhere.toml"))
    );
    assert!(error("number.toml").to_string().contains("extends is 3, expected the path"));
}

#[test]
fn values_of_set_are_toml_or_bare_words() {
    let config = set(&[
        "dqn.learning_rate=1e-3",
        "dqn.dueling = true",
        "network.hidden_units=[64,32]",
        "run.mode=serial",
        "run.device=cuda:2",
        "env.id=MinAtar/Breakout-v1",
        "env.reward_clip=[-1,1]",
        "run.env_steps=2e5",
        "replay.capacity_transitions=50_000",
    ])
    .unwrap();
    assert_eq!(dqn(&config).learning_rate, 1e-3);
    assert!(dqn(&config).dueling);
    assert_eq!(config.network.hidden_units, [64, 32]);
    assert_eq!((config.run.mode, config.run.device), (Mode::Serial, Device::Cuda(2)));
    assert_eq!(config.env.id, "MinAtar/Breakout-v1");
    assert_eq!(config.env.reward_clip, Some(RewardClip { low: -1.0, high: 1.0 }));
    assert_eq!((config.run.env_steps, config.replay.capacity_transitions), (200_000, 50_000));
    assert_eq!(set(&["env.id=\"Quoted-v0\""]).unwrap().env.id, "Quoted-v0");
}

#[test]
fn malformed_sets_are_refused() {
    for (assignment, part) in [
        ("run.seed", "expected key=value"),
        ("=3", "neither of them empty"),
        ("run.seed=", "neither of them empty"),
        ("network.hidden_units=[64", "is not a TOML value"),
        ("extends=a.toml", "allowed in config files alone"),
        ("run.seed=1\nrun.env_steps=2", "run.seed is \""), // one value, not two assignments
    ] {
        let text = refusal(set(&[assignment]));
        assert!(
            text.starts_with(&format!("--set {assignment}: ")) && text.contains(part),
            "{text}"
        );
    }
}

#[test]
fn a_learning_rate_alone_is_constant() {
    let rates = |config: &Config| (dqn(config).learning_rate, dqn(config).learning_rate_final);
    assert_eq!(rates(&set(&["dqn.learning_rate=1e-3"]).unwrap()), (1e-3, 1e-3));
    assert_eq!(
        rates(&set(&["dqn.learning_rate=1e-3", "dqn.learning_rate_final=0"]).unwrap()),
        (1e-3, 0.0)
    );
    assert_eq!(rates(&parse("").unwrap()), (2.5e-4, 2.5e-4));
}

#[test]
fn an_environment_without_a_file_gets_its_tuned_settings() {
    let named = |env: &str, algo: Option<&str>, set: &[&str]| {
        let overrides = Overrides {
            env: Some(env.into()),
            algo: algo.map(Into::into),
            set: set.iter().map(ToString::to_string).collect(),
            ..Overrides::default()
        };
        load(None, &overrides).unwrap()
    };
    let file = |name: &str| {
        load(
            Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name)),
            &Overrides::default(),
        )
        .unwrap()
    };
    assert_eq!(named("CartPole-v1", Some("dqn"), &[]), file("cartpole_dqn.toml"));
    assert_eq!(named("Pendulum-v1", None, &[]), file("pendulum_sac.toml"));
    assert_eq!(dqn(&named("CartPole-v1", Some("dqn"), &["dqn.n_step=4"])).n_step, 4);
    // The strongest setting decides which environment is meant.
    assert_eq!(named("Elsewhere-v0", None, &["env.id=CartPole-v1"]), file("cartpole_dqn.toml"));
    let other = named("Elsewhere-v0", Some("sac"), &[]);
    assert_eq!(other.algorithm, Algorithm::Sac(contrail_agents::SacConfig::default()));
    let game = named("MinAtar/Asterix-v1", Some("dqn"), &[]);
    assert_eq!(
        (game.env.id.as_str(), game.network.torso),
        ("MinAtar/Asterix-v1", contrail_agents::Torso::Minatar)
    );
}

#[test]
fn unreadable_and_malformed_files_are_named() {
    let error = load(Some(Path::new("nowhere.toml")), &Overrides::default()).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the config nowhere.toml: "), "{error}");
    let error = from_toml("bad.toml", "[run\nseed = 1").unwrap_err();
    assert!(error.to_string().starts_with("bad.toml is not valid TOML: "), "{error}");
    let error = from_toml("twice.toml", "[run]\nseed = 1\nseed = 2\n").unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
}
