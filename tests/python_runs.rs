//! Whole runs on environments in Python: they learn, survive the death of workers without mixing
//! episodes, stop when they should, resume, and leave no process behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    binary, checkpoint, checkpoints, config, go, last, python, records, repo, resume, run,
};
use contrail::config::{Config, Overrides, load};
use contrail::replay::{Replay, ReplayConfig, Sampling, SubspaceLaw};
use contrail::run::{RunEnd, Summary};
use contrail_agents::ObsBatch;
use contrail_envs::{ActionSpace, ObsSpace, Registry, SeedStream};
use rand::RngExt;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SMALL: &str = r#"
    [run]
    device = "cpu"
    env_steps = 300
    [actors]
    count = 2
    envs_per_actor = 2
    [network]
    hidden_units = [8]
    [dqn]
    n_step = 3
    [replay]
    capacity_transitions = 200000
    [learner]
    minibatch_size = 8
    learning_starts_env_steps = 100
    samples_per_insert = 2.0
    [evaluation]
    period_env_steps = 1000
    episodes = 4
    final_episodes = 2
    [log]
    period_env_steps = 100
"#;

/// [`SMALL`] on a test environment.
fn small(name: &str, set: &[&str]) -> Config {
    let id = format!("env.id=gym:tests.python.test_envs:{name}");
    let python = format!("env.python={}", python().display());
    let mut all = vec![id.as_str(), &python];
    all.extend(set);
    config(SMALL, &all)
}

/// A file of `configs/` with the interpreter of the tests.
fn committed(file: &str, set: &[&str]) -> Config {
    let python = format!("env.python={}", python().display());
    let set = set.iter().map(ToString::to_string).chain([python, "run.device=cpu".into()]);
    let overrides = Overrides { set: set.collect(), ..Overrides::default() };
    load(Some(&repo(file)), &overrides).unwrap()
}

/// Workers that the process `parent` started.
fn workers(parent: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.unwrap().file_name().to_string_lossy().parse().ok());
    pids.filter(|pid| is_worker(*pid) && parent_of(*pid) == Some(parent)).collect()
}

fn is_worker(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).contains("contrail-worker"))
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
    sent.unwrap(); // it may be gone already
}

#[track_caller]
fn wait_until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn cartpole_of_gymnasium_is_solved() {
    let set = ["run.mode=serial", "run.seed=1", "evaluation.final_episodes=50"];
    let dir = tempfile::tempdir().unwrap();
    let config = committed("configs/gym_cartpole_dqn.toml", &set);
    let best = run(&config, &Registry::builtin(), dir.path()).unwrap().best.unwrap();
    assert_eq!(best.mean_return, 500.0, "{best:?}");
}

/// Committed configs, Atari shortened, without a warning of Python or ours.
#[test]
fn atari_and_minigrid_train_without_a_warning() {
    let atari = [
        "run.env_steps=1200",
        "learner.learning_starts_env_steps=1000",
        "exploration.initial_random_env_steps=1000",
        "env.time_limit_env_steps=200",
        "evaluation.final_episodes=1",
    ];
    let jobs: [(&str, &[&str]); 2] =
        [("configs/gym_ale_breakout_dqn.toml", &atari), ("configs/gym_minigrid_dqn.toml", &[])];
    for (file, set) in jobs {
        let dir = tempfile::tempdir().unwrap();
        let config = committed(file, set);
        let summary = run(&config, &Registry::builtin(), dir.path()).unwrap();
        assert_eq!(summary.counters.env_steps, config.run.env_steps, "{file}");
        assert!(summary.counters.updates >= 50, "{file}: {:?}", summary.counters);
        for record in records(dir.path()) {
            let text = format!("{record:?}").to_lowercase();
            assert!(!text.contains("warn") && !text.contains("fault\""), "{file}: {text}");
        }
    }
}

/// Workers are killed at random while both actors and the evaluator use them. Observations say
/// process, episode and step, so a transition across a restart would show.
/// `CONTRAIL_KILL_SECONDS=120` makes it longer.
#[test]
fn killed_workers_are_replaced_and_no_transition_spans_a_restart() {
    let seconds = std::env::var("CONTRAIL_KILL_SECONDS").map_or(12, |s| s.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let config = small(
        "Counting-v0",
        &["run.env_steps=100000000", "env.on_fault=restart", "env.max_faults=1000000"],
    );
    let stop = AtomicBool::new(false);
    let (summary, kills) = std::thread::scope(|scope| {
        let training =
            scope.spawn(|| go(&config, &Registry::builtin(), &run_dir, (false, &stop)).unwrap());
        // A worker that cannot start at all is a mistake of the user's, and ends the run.
        wait_until("training begins", 60, || {
            fs::read_to_string(run_dir.join("metrics.jsonl"))
                .is_ok_and(|log| log.contains("rollout/episodes"))
        });
        let mut rng = SeedStream::root(3).rng();
        let (began, mut kills) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_secs(seconds) && !training.is_finished() {
            std::thread::sleep(Duration::from_millis(rng.random_range(100..900)));
            let alive = workers_of("Counting-v0");
            if !alive.is_empty() {
                signal(alive[rng.random_range(0..alive.len())], "-KILL");
                kills += 1;
            }
        }
        std::thread::sleep(Duration::from_secs(2)); // the last one is replaced and steps
        stop.store(true, Ordering::Relaxed);
        (training.join().unwrap(), kills)
    });
    check_survival(&summary, &run_dir, kills);
    let text = format!("{:?}, {} kills", summary.faults, kills);
    fs::write(repo("target/killed_workers.txt"), text).unwrap();
}

/// Workers of this process with the environment `name`; other tests have other ones.
fn workers_of(name: &str) -> Vec<u32> {
    let named = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(name))
    };
    workers(std::process::id()).into_iter().filter(named).collect()
}

fn check_survival(summary: &Summary, run_dir: &Path, kills: u64) {
    assert_eq!(summary.end, RunEnd::Interrupted);
    let faults = summary.faults;
    // A worker that is killed while it starts or ends need not be noticed.
    assert!(faults.env_restarts >= kills / 2 && kills > 5, "{faults:?} after {kills} kills");
    assert!(faults.broken_episodes > 0 && faults.env_faults >= faults.env_restarts, "{faults:?}");
    assert!(last(run_dir, "actor/env_restarts") > 0.0);
    assert!(last(run_dir, "replay/dropped_transitions") > 0.0);
    let events =
        records(run_dir).into_iter().filter(|r| r.get("event").is_some_and(|e| e == "env_fault"));
    assert_eq!(events.count() as u64, faults.env_faults);
    let newest = *checkpoints(run_dir).last().unwrap();
    assert!(newest > 1000, "{newest} env steps");
    let mut replay = saved_replay(run_dir, newest);
    let mut rng = SeedStream::root(1).rng();
    let batch = replay.sample(50_000, 0.0, &mut rng).unwrap().minibatch;
    let (ObsBatch::F32(obs), ObsBatch::F32(next)) = (&batch.obs, &batch.next_obs) else {
        panic!("bytes")
    };
    let mut processes = std::collections::BTreeSet::new();
    for (obs, next) in obs.chunks_exact(4).zip(next.chunks_exact(4)) {
        assert_eq!(obs[..2], next[..2], "process and episode of {obs:?} to {next:?}");
        let span = next[2] - obs[2];
        assert!((1.0..=3.0).contains(&span), "{obs:?} to {next:?}");
        processes.insert(obs[0] as u32);
    }
    assert!(processes.len() > 4, "{processes:?}: transitions of two processes an actor at least");
}

fn saved_replay(run_dir: &Path, env_steps: u64) -> Replay {
    let mut replay = Replay::new(ReplayConfig {
        capacity_transitions: 200_000,
        obs: ObsSpace::f32(&[4], -1.0, 1e9),
        action: ActionSpace::Discrete(3),
        context_len: 0,
        streams: 4,
        n_step: 3,
        sampling: Sampling::Uniform,
        subspaces: 1,
        law: SubspaceLaw::Uniform,
        keep_every_subspace: false,
    })
    .unwrap();
    let bytes = checkpoint(run_dir, env_steps).remove("replay.bin").unwrap();
    replay.restore(&mut bytes.as_slice()).unwrap();
    replay
}

#[test]
fn the_fault_policy_is_kept() {
    let result = |set: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let all = [set, &["run.mode=serial", "actors.count=1", "evaluation.episodes=0"]].concat();
        run(&small("Faulty-v0", &all), &Registry::builtin(), dir.path())
    };
    // Two environments whose first three episodes break off at step 2.
    let raises = ["env.kwargs.fault=raise", "env.kwargs.times=3", "evaluation.final_episodes=0"];
    let error = format!("{:#}", result(&raises).unwrap_err());
    for part in ["actor 0, environment 0", "step 2 of its episode", "ValueError", "test_envs.py"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let skipped = result(&[&raises[..], &["env.on_fault=skip_episode"]].concat()).unwrap().faults;
    assert_eq!((skipped.env_faults, skipped.env_restarts, skipped.broken_episodes), (6, 0, 6));
    let not_a_number = ["env.kwargs.fault=nan_reward", "env.kwargs.times=3"];
    let skip = ["env.on_fault=skip_episode", "evaluation.final_episodes=0"];
    let skipped = result(&[&not_a_number[..], &skip].concat()).unwrap().faults;
    assert_eq!((skipped.env_faults, skipped.env_restarts, skipped.broken_episodes), (6, 0, 6));
    // Each new environment breaks again, so the limit is reached; a dead worker cannot be skipped.
    for (kind, policy) in [("raise", "restart"), ("exit", "restart"), ("exit", "skip_episode")] {
        let kind = format!("env.kwargs.fault={kind}");
        let policy = format!("env.on_fault={policy}");
        let error = result(&[&kind, &policy, "env.max_faults=5"]).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("one fault more than the 5 that env.max_faults allows"), "{error}");
    }
}

#[test]
fn environments_that_cannot_be_saved_begin_anew_on_resume() {
    let dir = tempfile::tempdir().unwrap();
    let set = ["run.mode=serial", "checkpoint.period_env_steps=200"];
    run(&small("Pickled-v0", &set), &Registry::builtin(), dir.path()).unwrap();
    let longer = [&set[..], &["run.env_steps=500"]].concat();
    let summary = resume(&small("Pickled-v0", &longer), &Registry::builtin(), dir.path()).unwrap();
    assert_eq!(summary.counters.env_steps, 500);
    let note = records(dir.path())
        .into_iter()
        .find(|record| record.get("event").is_some_and(|e| e == "episodes_begun_anew"))
        .unwrap();
    assert!(note["text"].as_str().unwrap().contains("cannot be saved"), "{note:?}");
}

/// A training process on the test environment `name`, and its workers once they step.
fn training(dir: &Path, (name, set): (&str, &[&str])) -> (Child, Vec<u32>) {
    let file = dir.join("job.toml");
    fs::write(&file, SMALL).unwrap();
    let mut command = binary();
    command.arg("train").arg(&file).arg("--run-dir").arg(dir.join("run")).arg("--quiet");
    command.args(["--env-steps", "100000000", "--env"]);
    command.arg(format!("gym:tests.python.test_envs:{name}"));
    command.arg("--set").arg(format!("env.python={}", python().display()));
    for assignment in set {
        command.args(["--set", assignment]);
    }
    let child = command.stderr(Stdio::null()).current_dir(repo("")).spawn().unwrap();
    let id = child.id();
    wait_until("three workers", 60, || workers(id).len() == 3);
    std::thread::sleep(Duration::from_millis(500)); // they are busy now
    (child, workers(id))
}

#[test]
fn no_worker_outlives_its_parent() {
    let busy = ("Counting-v0", &[][..]);
    let stuck = ("Faulty-v0", &["env.kwargs.fault=hang_in_c"][..]);
    for (job, name, code) in
        [(busy, "-KILL", None), (busy, "-INT", Some(130)), (stuck, "-KILL", None)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, workers) = training(dir.path(), job);
        signal(child.id(), name);
        assert_eq!(child.wait().unwrap().code(), code, "{job:?} {name}");
        wait_until("the workers are gone", 5, || !workers.iter().any(|pid| is_worker(*pid)));
    }
}
