//! A run that was stopped or killed continues as if nothing had happened.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    Event, Meddle, RAINBOW, SAC, assert_same, checkpoint, checkpoints, config, forget_after, go,
    last, meddled, records, resume, run,
};
use contrail::config::Config;
use contrail::run::RunEnd;
use contrail_envs::Registry;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Prioritized replay, windows of 3 steps, noise on weights, shared statistics of observations,
/// snapshots that are older than the learner; then SAC; then schedules; then an environment in
/// Python.
fn jobs() -> [(Config, u64); 4] {
    // No multiple of it is near the number of updates at the checkpoint: about 245 to 251.
    let older = "learner.snapshot_period_updates=40";
    let python = format!("env.python={}", common::python().display());
    let sac = ["checkpoint.keep_last=100", "checkpoint.period_env_steps=250"];
    let schedules = [
        older,
        "dqn.noisy=false",
        "exploration.epsilon_decay_env_steps=1200",
        "dqn.learning_rate_final=1e-5",
        "log.period_env_steps=300", // so that a row is under way at the checkpoint
    ];
    [
        (config(RAINBOW, &[older]), 1500),
        (config(SAC, &sac), 500),
        (config(RAINBOW, &schedules), 1500),
        (config(RAINBOW, &["env.id=gym:CartPole-v1", &python]), 1500),
    ]
}

#[test]
fn a_killed_serial_run_continues_exactly() {
    for (config, end) in jobs() {
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let registry = Registry::builtin();
        run(&config, &registry, whole.path()).unwrap();
        run(&config, &registry, killed.path()).unwrap();
        let middle = checkpoints(killed.path())[0];
        assert!(middle < end && checkpoint(whole.path(), end).len() >= 5);
        // The hard case is in there: actors that act with an older policy than the learner's.
        let ahead = checkpoint(killed.path(), middle).contains_key("published.safetensors");
        assert_eq!(ahead, config.learner.snapshot_period_updates > 1);
        forget_after(killed.path(), middle);
        resume(&config, &registry, killed.path()).unwrap();
        let (algorithm, env) = (config.algorithm.name().as_str(), &config.env.id);
        let what = format!("{algorithm} on {env} from {middle}");
        assert_same(whole.path(), killed.path(), end, &what);
    }
}

#[test]
fn a_stopped_serial_run_continues_exactly() {
    for (stop_at, job) in [(93, 0), (150, 2)] {
        let (mut config, end) = jobs()[job].clone();
        config.env.id = "Meddled-v0".into();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let registry = meddled("CartPole-v1", move |instance, event| {
            // An environment of an actor, not of the evaluator.
            if let (0, Event::Step(steps)) = (instance, event) {
                flag.store(steps == stop_at, Ordering::Relaxed);
            }
            Meddle::Nothing
        });
        let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let calm = meddled("CartPole-v1", |_, _| Meddle::Nothing);
        run(&config, &calm, whole.path()).unwrap();
        let summary = go(&config, &registry, stopped.path(), (false, &stop)).unwrap();
        assert_eq!(summary.end, RunEnd::Interrupted);
        assert_eq!(checkpoints(stopped.path()).last(), Some(&summary.counters.env_steps));
        assert!(summary.counters.env_steps < end);
        let summary = resume(&config, &calm, stopped.path()).unwrap();
        assert_eq!(summary.end, RunEnd::Finished);
        assert_same(whole.path(), stopped.path(), end, &format!("stopped at {stop_at}"));
    }
}

/// The folder holds curves and a best policy then, but no checkpoint.
#[test]
fn a_run_killed_before_its_first_checkpoint_starts_over() {
    let (config, end) = jobs()[0].clone();
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&config, &Registry::builtin(), whole.path()).unwrap();
    run(&config, &Registry::builtin(), killed.path()).unwrap();
    forget_after(killed.path(), 0);
    resume(&config, &Registry::builtin(), killed.path()).unwrap();
    assert_same(whole.path(), killed.path(), end, "from nothing");
}

#[test]
fn a_finished_run_can_be_made_longer() {
    let dir = tempfile::tempdir().unwrap();
    let set = ["run.env_steps=800", "evaluation.period_env_steps=400"];
    run(&config(RAINBOW, &set), &Registry::builtin(), dir.path()).unwrap();
    let set = ["run.env_steps=1600", "evaluation.period_env_steps=400"];
    let summary = resume(&config(RAINBOW, &set), &Registry::builtin(), dir.path()).unwrap();
    assert_eq!(summary.counters.env_steps, 1602); // 267 turns of 6 environments
    let evaluated: Vec<u64> = records(dir.path())
        .iter()
        .filter(|record| record.contains_key("eval/mean_reward"))
        .map(|record| record["env_steps"].as_u64().unwrap())
        .collect();
    assert_eq!(evaluated, [402, 801, 1200, 1602], "each evaluation once");
}

#[test]
fn without_a_saved_replay_a_resumed_run_fills_a_new_one() {
    for mode in ["serial", "threaded"] {
        let set = ["checkpoint.save_replay=false", &format!("run.mode={mode}")];
        let config = config(RAINBOW, &set);
        let dir = tempfile::tempdir().unwrap();
        let whole = run(&config, &Registry::builtin(), dir.path()).unwrap();
        assert!(!checkpoint(dir.path(), 1500).contains_key("replay.bin"));
        forget_after(dir.path(), checkpoints(dir.path())[0]);
        let summary = resume(&config, &Registry::builtin(), dir.path()).unwrap();
        assert_eq!(summary.counters.env_steps, whole.counters.env_steps);
        // It waited for 200 env steps again, and then did an update every 2.
        let fewer = whole.counters.updates - summary.counters.updates;
        assert!((95..=105).contains(&fewer), "{mode}: {fewer} updates fewer");
        assert!(last(dir.path(), "replay/size") <= 810.0); // what came after 702
    }
}

/// The best policy at the checkpoint was replaced by a better one after it; that one is
/// abandoned, and nothing as good comes again.
#[test]
fn a_best_policy_that_was_lost_does_not_fail_the_run() {
    let count = Arc::new(AtomicU64::new(0));
    let config = config(RAINBOW, &["env.id=Meddled-v0"]);
    let registry = meddled("CartPole-v1", move |instance, event| match event {
        // Environments of the evaluator pay less and less.
        Event::Step(_) if instance >= config.actors.total_envs() => {
            Meddle::Reward(1.0 / (1 + count.fetch_add(1, Ordering::Relaxed)) as f32)
        }
        _ => Meddle::Nothing,
    });
    let config = common::config(RAINBOW, &["env.id=Meddled-v0"]);
    let dir = tempfile::tempdir().unwrap();
    run(&config, &registry, dir.path()).unwrap();
    forget_after(dir.path(), 702);
    let best = dir.path().join("checkpoints/best");
    for entry in fs::read_dir(&best).unwrap() {
        fs::rename(entry.unwrap().path(), best.join("1200")).unwrap();
    }
    let summary = resume(&config, &registry, dir.path()).unwrap();
    let best = summary.best.expect("the best of what came after the resume");
    assert!(best.policy_env_steps >= 702, "{best:?}");
}

/// A resume that is refused leaves the run as it was.
#[test]
fn a_resume_with_another_network_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = config(RAINBOW, &[]);
    run(&first, &Registry::builtin(), dir.path()).unwrap();
    forget_after(dir.path(), 702);
    let config_file = fs::read(dir.path().join("config.toml")).unwrap();
    let metrics = fs::read(dir.path().join("metrics.jsonl")).unwrap();
    for change in ["network.hidden_units=[8]", "actors.count=1", "dqn.n_step=2"] {
        let changed = config(RAINBOW, &[change]);
        let error = resume(&changed, &Registry::builtin(), dir.path()).unwrap_err();
        assert!(!format!("{error:#}").is_empty());
        assert_eq!(fs::read(dir.path().join("config.toml")).unwrap(), config_file, "{change}");
        assert_eq!(fs::read(dir.path().join("metrics.jsonl")).unwrap(), metrics, "{change}");
    }
    resume(&first, &Registry::builtin(), dir.path()).unwrap();
}
