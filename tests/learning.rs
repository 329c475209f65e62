//! The committed jobs learn what they promise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{repo, run};
use contrail::config::{Config, Overrides, load};
use contrail_envs::Registry;

fn committed(file: &str, set: &[&str]) -> Config {
    let set = set.iter().map(ToString::to_string).collect();
    load(Some(&repo(file)), &Overrides { set, ..Overrides::default() }).unwrap()
}

/// Serial mode, so that the result of this seed is the same on every run of one machine.
#[test]
fn cartpole_is_solved() {
    let set = ["run.mode=serial", "run.seed=1", "run.device=cpu", "evaluation.final_episodes=50"];
    let config = committed("configs/cartpole_dqn.toml", &set);
    let dir = tempfile::tempdir().unwrap();
    let best = run(&config, &Registry::builtin(), dir.path()).unwrap().best.unwrap();
    assert!(best.mean_return >= 475.0, "{best:?}");
    assert_eq!(best.episodes, 50);
}

/// Threads change the order of events, never the same way twice: a low bar, far above the 22 of
/// random actions.
#[test]
fn cartpole_is_learned_with_threads() {
    let set = [
        "run.env_steps=12000",
        "run.device=cpu",
        "actors.count=2",
        "evaluation.period_env_steps=2000",
        "evaluation.final_episodes=50",
    ];
    let config = committed("configs/quickstart.toml", &set);
    let dir = tempfile::tempdir().unwrap();
    let best = run(&config, &Registry::builtin(), dir.path()).unwrap().best.unwrap();
    assert!(best.mean_return >= 100.0, "{best:?}");
}
