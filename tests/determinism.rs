//! Serial mode is bit-reproducible: same seed, same files; and threaded mode does the same amount
//! of work.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Event, Meddle, RAINBOW, SAC, checkpoint, config, meddled, run, timeless_records};
use contrail::config::Config;
use contrail_envs::Registry;
use std::collections::BTreeMap;
use std::time::Duration;

type Records = Vec<BTreeMap<String, serde_json::Value>>;

/// Records without the clock, and the files of the last checkpoint.
fn trace(config: &Config) -> (Records, BTreeMap<String, Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let summary = run(config, &Registry::builtin(), dir.path()).unwrap();
    (timeless_records(dir.path()), checkpoint(dir.path(), summary.counters.env_steps))
}

fn check_reproducible(toml: &str) {
    let config = |seed: &str| config(toml, &[&format!("run.seed={seed}")]);
    let (records, files) = trace(&config("5"));
    assert!(records.iter().any(|r| r.contains_key("train/loss")), "nothing was learned");
    for name in ["agent.safetensors", "policy.safetensors", "actors.bin", "replay.bin"] {
        assert!(files.contains_key(name), "{name} is not in {:?}", files.keys());
    }
    let (again, files_again) = trace(&config("5"));
    for (a, b) in records.iter().zip(&again) {
        assert_eq!(a, b);
    }
    assert_eq!(records.len(), again.len());
    for (name, bytes) in &files {
        assert!(*bytes == files_again[name], "{name} differs");
    }
    let (other, other_files) = trace(&config("6"));
    assert_ne!(records, other);
    for name in ["agent.safetensors", "actors.bin", "replay.bin"] {
        assert!(files[name] != other_files[name], "{name} does not depend on the seed");
    }
}

#[test]
fn rainbow_is_reproducible() {
    check_reproducible(RAINBOW);
}

#[test]
fn sac_is_reproducible() {
    check_reproducible(SAC);
}

/// Also when the learner waits for the actors all the time, or they for the learner: in the end
/// as many updates are done as the config asks for, and not one more.
#[test]
fn both_modes_do_the_same_amount_of_work() {
    // With longer windows, how many are still open at the end depends on the episodes.
    let jobs = [(RAINBOW, "CartPole-v1", "dqn.n_step=1"), (SAC, "Pendulum-v1", "sac.n_step=1")];
    for (toml, inner, n_step) in jobs {
        for pause in [Duration::ZERO, Duration::from_micros(300)] {
            let registry = meddled(inner, move |_, event| {
                if let Event::Step(_) = event {
                    std::thread::sleep(pause);
                }
                Meddle::Nothing
            });
            let counters = |mode: &str| {
                let dir = tempfile::tempdir().unwrap();
                let config =
                    config(toml, &["env.id=Meddled-v0", n_step, &format!("run.mode={mode}")]);
                run(&config, &registry, dir.path()).unwrap().counters
            };
            assert_eq!(counters("threaded"), counters("serial"), "{inner} {pause:?}");
        }
    }
}
