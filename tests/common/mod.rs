//! Shared by the whole-system tests: small configs, runs in temporary folders, the files they
//! leave, the `contrail` binary, and an environment that can be meddled with.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses a part")]

use anyhow::Result;
use contrail::config::{Config, Overrides, load};
use contrail::run::{Summary, TrainOptions, train};
use contrail_envs::{
    Action, Context, EnvError, EnvOptions, EnvSpec, Environment, ObsMut, Registry, RgbFrame, Step,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// A run that hangs fails its test after this long; the slowest takes a tenth of it.
const HANG: Duration = Duration::from_secs(120);

/// A small run with everything that draws random numbers: exploration by noise, prioritized sampling, several
/// actors with several environments, evaluations, shared statistics.
pub(crate) const RAINBOW: &str = r#"
    [run]
    mode = "serial"
    device = "cpu"
    env_steps = 1500
    [env]
    id = "CartPole-v1"
    normalize_obs = true
    [actors]
    count = 2
    envs_per_actor = 3
    [network]
    hidden_units = [24]
    [dqn]
    n_step = 3
    dueling = true
    noisy = true
    distribution = "c51"
    support_max = 100.0
    support_min = 0.0
    [exploration]
    initial_random_env_steps = 100
    [replay]
    capacity_transitions = 1000
    sampling = "prioritized"
    [learner]
    minibatch_size = 16
    learning_starts_env_steps = 200
    samples_per_insert = 8.0
    snapshot_period_updates = 3
    [evaluation]
    period_env_steps = 400
    episodes = 3
    final_episodes = 3
    [checkpoint]
    period_env_steps = 700
    keep_last = 100
    [log]
    period_env_steps = 100
"#;

/// Soft actor-critic with several actors.
pub(crate) const SAC: &str = r#"
    [run]
    mode = "serial"
    device = "cpu"
    env_steps = 500
    [env]
    id = "Pendulum-v1"
    reward_scale = 0.1
    [actors]
    count = 2
    envs_per_actor = 2
    [algorithm]
    name = "sac"
    [network]
    hidden_units = [24]
    [exploration]
    initial_random_env_steps = 100
    [replay]
    capacity_transitions = 1000
    [learner]
    minibatch_size = 16
    learning_starts_env_steps = 100
    samples_per_insert = 16.0
    [evaluation]
    period_env_steps = 200
    episodes = 2
    final_episodes = 2
    [log]
    period_env_steps = 100
"#;

/// The config of the file text `toml` with `key=value` settings on top.
pub(crate) fn config(toml: &str, set: &[&str]) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.toml");
    std::fs::write(&file, toml).unwrap();
    let set = set.iter().map(ToString::to_string).collect();
    load(Some(&file), &Overrides { set, ..Overrides::default() })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Trains into `run_dir`, quietly.
pub(crate) fn run(config: &Config, registry: &Registry, run_dir: &Path) -> Result<Summary> {
    go(config, registry, run_dir, (false, &AtomicBool::new(false)))
}

/// Continues the run in `run_dir`.
pub(crate) fn resume(config: &Config, registry: &Registry, run_dir: &Path) -> Result<Summary> {
    go(config, registry, run_dir, (true, &AtomicBool::new(false)))
}

/// Trains, or resumes, until `stop` is set.
pub(crate) fn go(
    config: &Config,
    registry: &Registry,
    run_dir: &Path,
    (resume, stop): (bool, &AtomicBool),
) -> Result<Summary> {
    tch::set_num_threads(1);
    train(
        config,
        registry,
        &TrainOptions { run_dir: run_dir.to_owned(), resume, quiet: true, stop },
    )
}

/// Like [`run`], but a run that hangs fails the test.
pub(crate) fn run_or_hang(config: &Config, registry: &Registry, run_dir: &Path) -> Result<Summary> {
    let (config, registry, run_dir) = (config.clone(), registry.clone(), run_dir.to_owned());
    let (done, result) = sync_channel(1);
    std::thread::spawn(move || drop(done.send(run(&config, &registry, &run_dir))));
    result.recv_timeout(HANG).expect("the run hangs, or its thread panicked")
}

/// The records of `metrics.jsonl`.
pub(crate) fn records(run_dir: &Path) -> Vec<BTreeMap<String, Value>> {
    let text = std::fs::read_to_string(run_dir.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records without what depends on the clock.
pub(crate) fn timeless_records(run_dir: &Path) -> Vec<BTreeMap<String, Value>> {
    let mut records = records(run_dir);
    for record in &mut records {
        record.retain(|name, _| !contrail::log::is_clock_field(name));
    }
    records
}

/// The last value of the metric `name`.
pub(crate) fn last(run_dir: &Path, name: &str) -> f64 {
    let value = records(run_dir).iter().rev().find_map(|record| record.get(name).cloned());
    value.and_then(|v| v.as_f64()).unwrap_or_else(|| panic!("no {name} was logged"))
}

/// Name and content of every file of the checkpoint after `env_steps`.
pub(crate) fn checkpoint(run_dir: &Path, env_steps: u64) -> BTreeMap<String, Vec<u8>> {
    let folder = run_dir.join("checkpoints").join(env_steps.to_string());
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Env steps of the checkpoints of a run, in order.
pub(crate) fn checkpoints(run_dir: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(run_dir.join("checkpoints")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut found: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
    found.sort_unstable();
    found
}

/// A file of the repository.
pub(crate) fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The interpreter with the packages of `tests/python/requirements.txt`.
pub(crate) fn python() -> PathBuf {
    let path = repo(".venv-test/bin/python");
    assert!(path.exists(), "there is no {}: run scripts/python_envs.sh", path.display());
    path
}

/// The `contrail` binary.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_contrail"))
}

/// What a command left in a shell.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `contrail` with `words`.
pub(crate) fn contrail(words: &[&str]) -> Ended {
    let output = binary().args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a [`Meddled`] environment is about to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// With the seed.
    Reset(u64),
    /// Steps of this instance so far, all episodes together.
    Step(u64),
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meddle {
    Nothing,
    Fail,
    Panic,
    /// A reward of this size.
    Reward(f32),
    /// An observation of this value.
    Obs(f32),
}

/// Called with the number of the instance, in the order of their first resets: first those of the
/// actors, then those of the evaluator.
type Hook = Arc<dyn Fn(usize, Event) -> Meddle + Send + Sync>;

/// An environment that does as its hook says.
struct Meddled {
    env: Box<dyn Environment>,
    instance: Option<usize>,
    instances: Arc<AtomicUsize>,
    steps: u64,
    hook: Hook,
}

/// A registry where `Meddled-v0` is the built-in environment `inner` with a hook.
pub(crate) fn meddled(
    inner: &'static str,
    hook: impl Fn(usize, Event) -> Meddle + Send + Sync + 'static,
) -> Registry {
    let (hook, instances): (Hook, _) = (Arc::new(hook), Arc::new(AtomicUsize::new(0)));
    let mut registry = Registry::builtin();
    registry.register("Meddled-v0", move || {
        let env = Registry::builtin().make(inner, &EnvOptions::default())?;
        let (instances, hook) = (Arc::clone(&instances), Arc::clone(&hook));
        Ok(Box::new(Meddled { env, instance: None, instances, steps: 0, hook }))
    });
    registry
}

impl Meddled {
    fn ask(&mut self, event: Event) -> Result<Meddle, EnvError> {
        let next = || self.instances.fetch_add(1, Ordering::Relaxed);
        let instance = *self.instance.get_or_insert_with(next);
        match (self.hook)(instance, event) {
            Meddle::Fail => Err(EnvError::Failed {
                env: "Meddled-v0".into(),
                reason: "the simulator lost its licence".into(),
            }),
            Meddle::Panic => panic!("the simulator fell over"),
            other => Ok(other),
        }
    }
}

impl Environment for Meddled {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.ask(Event::Reset(seed))?;
        self.env.reset(seed, context, obs)
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let meddle = self.ask(Event::Step(self.steps))?;
        self.steps += 1;
        let step = self.env.step(action, obs.reborrow())?;
        if let (Meddle::Obs(value), ObsMut::F32(all)) = (meddle, obs) {
            all.fill(value);
        }
        Ok(match meddle {
            Meddle::Reward(reward) => Step { reward, ..step },
            _ => step,
        })
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        self.env.save_state(out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.env.restore_state(state)
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.env.render(frame)
    }
}

/// Brings a finished run back to what a kill right before its end would have left: the logs and
/// the best policy of all of it, the checkpoints up to `env_steps`.
pub(crate) fn forget_after(run_dir: &Path, env_steps: u64) {
    std::fs::remove_file(run_dir.join("result.json")).unwrap();
    assert!(env_steps == 0 || checkpoints(run_dir).contains(&env_steps));
    for late in checkpoints(run_dir).into_iter().filter(|at| *at > env_steps) {
        std::fs::remove_dir_all(run_dir.join("checkpoints").join(late.to_string())).unwrap();
    }
}

/// The same curves and the same checkpoint at the end.
pub(crate) fn assert_same(a: &Path, b: &Path, env_steps: u64, what: &str) {
    let (records, others) = (timeless_records(a), timeless_records(b));
    for (record, other) in records.iter().zip(&others) {
        assert_eq!(record, other, "{what}");
    }
    assert_eq!(records.len(), others.len(), "{what}");
    let (files, other_files) = (checkpoint(a, env_steps), checkpoint(b, env_steps));
    assert!(files.keys().eq(other_files.keys()), "{what}");
    for (name, bytes) in &files {
        if ["actors.bin", "manifest.json"].contains(&name.as_str()) && what.contains("gym:") {
            continue; // pickles of equal Python objects differ in their bytes, and so in their checksums
        }
        assert!(*bytes == other_files[name], "{what}: {name} differs");
    }
}
