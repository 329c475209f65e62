//! Faults reach the caller with their cause, nothing hangs, and what was saved before stays.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Event, Meddle, checkpoints, config, meddled, resume, run_or_hang};
use contrail::cli::CheckpointChoice;
use contrail::run::load_policy;
use contrail_envs::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MODES: [&str; 2] = ["serial", "threaded"];

const DQN: &str = r#"
    [run]
    device = "cpu"
    env_steps = 2000
    [env]
    id = "Meddled-v0"
    [actors]
    count = 2
    envs_per_actor = 2
    [network]
    hidden_units = [16]
    [replay]
    capacity_transitions = 2000
    [exploration]
    initial_random_env_steps = 0
    epsilon_decay_env_steps = 100
    [learner]
    minibatch_size = 8
    learning_starts_env_steps = 100
    samples_per_insert = 2.0
    [evaluation]
    period_env_steps = 500
    episodes = 2
    final_episodes = 2
    [checkpoint]
    period_env_steps = 200
"#;

/// The second environment of the second actor.
const VICTIM: usize = 3;

/// Steps of the victim before the fault. Its actor has made twice as many env steps then, so this
/// is after the checkpoint at 200 whatever the other actor did, and before the end.
const GOOD_STEPS: u64 = 150;

/// `CartPole-v1` that meddles with the victim's step after [`GOOD_STEPS`], while armed.
fn cartpole(meddle: Meddle) -> (Registry, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&armed);
    let registry = meddled("CartPole-v1", move |instance, event| match event {
        Event::Step(GOOD_STEPS) if instance == VICTIM => {
            seen.store(false, Ordering::Relaxed);
            meddle
        }
        _ => Meddle::Nothing,
    });
    (registry, armed)
}

#[test]
fn a_fault_of_one_environment_ends_the_run_with_its_cause() {
    let cases = [
        (Meddle::Fail, "the simulator lost its licence"),
        (Meddle::Panic, "the simulator fell over"),
        (Meddle::Reward(f32::NAN), "NaN"),
        (Meddle::Reward(f32::INFINITY), "inf"),
        (Meddle::Obs(f32::NAN), "NaN"),
    ];
    for mode in MODES {
        for (meddle, cause) in cases {
            let dir = tempfile::tempdir().unwrap();
            let (registry, armed) = cartpole(meddle);
            let config = config(DQN, &[&format!("run.mode={mode}")]);
            let began = Instant::now();
            let error = run_or_hang(&config, &registry, dir.path()).unwrap_err();
            assert!(began.elapsed() < Duration::from_secs(30), "{mode} {meddle:?}");
            let text = format!("{error:#}");
            assert!(!armed.load(Ordering::Relaxed), "{mode} {meddle:?}: {text}");
            for part in ["actor 1, environment 1", cause] {
                assert!(text.contains(part), "{mode} {meddle:?}: {text}");
            }
            assert!(!text.contains('\n'), "{text}");
            // What was saved before is whole, and the run goes on from there.
            assert!(checkpoints(dir.path()).iter().any(|env_steps| *env_steps >= 200));
            load_policy(dir.path(), CheckpointChoice::Latest).unwrap();
            let summary = resume(&config, &registry, dir.path()).unwrap();
            assert_eq!(summary.counters.env_steps, 2000, "{mode} {meddle:?}");
        }
    }
}

#[test]
fn a_fault_at_reset_names_the_environment() {
    for mode in MODES {
        for (meddle, cause) in [(Meddle::Fail, "licence"), (Meddle::Panic, "fell over")] {
            let dir = tempfile::tempdir().unwrap();
            let resets = std::sync::atomic::AtomicU64::new(0);
            let registry = meddled("CartPole-v1", move |instance, event| match event {
                Event::Reset(_) if instance == VICTIM => {
                    let first = resets.fetch_add(1, Ordering::Relaxed) == 0;
                    if first { Meddle::Nothing } else { meddle }
                }
                _ => Meddle::Nothing,
            });
            let config = config(DQN, &[&format!("run.mode={mode}")]);
            let error = run_or_hang(&config, &registry, dir.path()).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains("actor 1, environment 1") && text.contains(cause), "{text}");
        }
    }
}

#[test]
fn a_fault_of_the_evaluator_ends_the_run_with_its_cause() {
    let cases = [
        (Meddle::Fail, "licence"),
        (Meddle::Panic, "fell over"),
        (Meddle::Reward(f32::NAN), "NaN"),
        (Meddle::Obs(f32::NAN), "NaN"),
    ];
    for mode in MODES {
        for (meddle, cause) in cases {
            let dir = tempfile::tempdir().unwrap();
            // Instances after the actors' are the evaluator's.
            let registry = meddled("CartPole-v1", move |instance, event| match event {
                Event::Step(3) if instance > VICTIM => meddle,
                _ => Meddle::Nothing,
            });
            let config = config(DQN, &[&format!("run.mode={mode}")]);
            let error = run_or_hang(&config, &registry, dir.path()).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains("evaluator") && text.contains(cause), "{mode}: {text}");
            assert!(!checkpoints(dir.path()).is_empty(), "{mode} {meddle:?}");
        }
    }
}

/// Squares of 1e30 are infinite in f32: the critics' loss is the first thing that breaks.
#[test]
fn a_learner_that_loses_its_numbers_stops_the_run_and_names_the_tensor() {
    for mode in MODES {
        let dir = tempfile::tempdir().unwrap();
        let registry = meddled("Pendulum-v1", |_, event| match event {
            Event::Step(100) => Meddle::Reward(1e30),
            _ => Meddle::Nothing,
        });
        let mode = format!("run.mode={mode}");
        let config = config(DQN, &["algorithm.name=sac", &mode]);
        let error = run_or_hang(&config, &registry, dir.path()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("became") && text.contains("at update"), "{mode}: {text}");
        assert!(text.contains("grad") || text.contains("loss"), "{mode}: {text}");
        // No broken weights were saved.
        let policy = load_policy(dir.path(), CheckpointChoice::Latest).unwrap();
        assert!(policy.params.iter().all(|p| p.is_finite()));
    }
}

/// An n-step return beyond f32 is refused before it is stored.
#[test]
fn a_return_that_overflows_is_refused() {
    for mode in MODES {
        let dir = tempfile::tempdir().unwrap();
        let registry = meddled("CartPole-v1", |_, event| match event {
            Event::Step(_) => Meddle::Reward(3e38),
            Event::Reset(_) => Meddle::Nothing,
        });
        let config = config(DQN, &["dqn.n_step=3", &format!("run.mode={mode}")]);
        let error = run_or_hang(&config, &registry, dir.path()).unwrap_err();
        assert!(format!("{error:#}").contains("return inf, allowed finite"), "{error:#}");
    }
}
