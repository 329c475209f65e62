//! Every variant of every algorithm, through the whole system, on environments whose values are
//! known by hand (the table is in `contrail_envs::builtin::probe`).
//!
//! The values are those of the logged histogram of Q-values: its least and its largest entry,
//! averaged over the last rows because noisy networks draw new noise for each.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{config, records, run};
use contrail_envs::Registry;

const SEEDS: std::ops::Range<u32> = 0..3;
const TOLERANCE: f64 = 0.1;
/// Rows of metrics at the end that count.
const ROWS: usize = 20;

/// Discount factor 0.5: the value of `Truncation` is 1/(1 - 0.5) = 2, and a learner that takes
/// truncation for termination finds 1. Episodes of `Truncation` are cut at `LIMIT`.
const BASE: &str = r#"
    [run]
    mode = "serial"
    device = "cpu"
    env_steps = 500
    [network]
    hidden_units = [32]
    [dqn]
    gamma = 0.5
    learning_rate = 5e-3
    learning_rate_final = 1e-4
    target_update_period_updates = 20
    num_atoms = 21
    support_min = -3.0
    support_max = 3.0
    [sac]
    gamma = 0.5
    policy_learning_rate = 5e-3
    critic_learning_rate = 5e-3
    learn_entropy_coefficient = false
    entropy_coefficient = 0.005
    target_ema_rate = 0.05
    [exploration]
    epsilon_start = 1.0
    epsilon_end = 1.0
    initial_random_env_steps = 100
    [replay]
    capacity_transitions = 1000
    [learner]
    minibatch_size = 32
    learning_starts_env_steps = 50
    samples_per_insert = 32.0
    [evaluation]
    episodes = 0
    final_episodes = 20
    [checkpoint]
    period_env_steps = 0
    [log]
    period_env_steps = 10
"#;

/// Probe, and the least and largest Q-value; the least is not known where actions that are never
/// right are also never tried again.
const PROBES: [(&str, Option<f64>, f64); 6] = [
    ("ConstantReward-v0", Some(1.0), 1.0),
    ("ObsReward-v0", Some(-1.0), 1.0),
    ("DelayedReward-v0", Some(0.5), 1.0),
    ("Truncation-v0", Some(2.0), 2.0),
    ("ActionReward-v0", None, 1.0),
    ("ObsActionReward-v0", None, 1.0),
];

const CONTINUOUS_PROBES: [(&str, Option<f64>, f64); 6] = [
    ("ContinuousConstantReward-v0", Some(1.0), 1.0),
    ("ContinuousObsReward-v0", Some(-1.0), 1.0),
    ("ContinuousDelayedReward-v0", Some(0.5), 1.0),
    ("ContinuousTruncation-v0", Some(2.0), 2.0),
    ("ContinuousAction-v0", None, 0.0),
    ("ContinuousObsAction-v0", None, 0.0),
];

/// Trains on each probe with each seed and compares values and greedy return.
fn check(set: &[&str], probes: &[(&str, Option<f64>, f64)]) {
    for (probe, low, high) in probes {
        for seed in SEEDS {
            let (id, seed) = (format!("env.id=Probe/{probe}"), format!("run.seed={seed}"));
            let mut all = vec![id.as_str(), seed.as_str()];
            all.extend(set);
            if probe.contains("Truncation") {
                all.push("env.time_limit_env_steps=5"); // so that long windows are cut too
            }
            let dir = tempfile::tempdir().unwrap();
            let summary = run(&config(BASE, &all), &Registry::builtin(), dir.path()).unwrap();
            let mut histograms = records(dir.path());
            histograms.retain(|r| r.get("histogram").is_some_and(|name| name == "train/q_values"));
            let rows = &histograms[histograms.len() - ROWS..];
            let mean = |field: &str| {
                rows.iter().map(|r| r[field].as_f64().unwrap()).sum::<f64>() / ROWS as f64
            };
            let close = |found: f64, right: f64| (found - right).abs() <= TOLERANCE;
            let place = format!("{probe} {seed} {set:?}");
            if let Some(low) = low {
                assert!(close(mean("min"), *low), "{place}: least {}", mean("min"));
            }
            assert!(close(mean("max"), *high), "{place}: largest {}", mean("max"));
            if low.is_none() {
                // The right action: 1 a step, or a squared distance of at most 0.1 squared.
                let returned = summary.last.unwrap().min_return;
                assert!(returned >= high - 0.01, "{place}: greedy return {returned}");
            }
        }
    }
}

#[test]
fn dqn() {
    check(&["dqn.double=false"], &PROBES);
}

#[test]
fn double_dueling() {
    check(&["dqn.double=true", "dqn.dueling=true"], &PROBES);
}

#[test]
fn n_step() {
    check(&["dqn.n_step=3"], &PROBES);
}

#[test]
fn prioritized() {
    // With a larger exponent a minibatch may hold one of two observations only.
    check(&["replay.sampling=prioritized", "replay.priority_exponent=0.2"], &PROBES);
}

#[test]
fn c51() {
    check(&["dqn.distribution=c51"], &PROBES);
}

#[test]
fn quantile() {
    check(&["dqn.distribution=quantile"], &PROBES);
}

#[test]
fn noisy() {
    // Noise has to fade before values are exact, which takes longer than learning them.
    check(&["dqn.noisy=true", "run.env_steps=1000"], &PROBES);
}

#[test]
fn rainbow() {
    let all = [
        "dqn.n_step=3",
        "dqn.dueling=true",
        "dqn.noisy=true",
        "dqn.distribution=c51",
        "replay.sampling=prioritized",
        "replay.priority_exponent=0.2",
    ];
    check(&all, &PROBES);
}

#[test]
fn sac() {
    check(&["algorithm.name=sac"], &CONTINUOUS_PROBES);
}

#[test]
fn sac_n_step() {
    check(&["algorithm.name=sac", "sac.n_step=3"], &CONTINUOUS_PROBES[..4]);
}
