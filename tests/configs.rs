//! Every file of `configs/` is valid, and its effective config reads back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::binary;
use contrail::config::{Overrides, Schedule, ScheduleName, from_toml, load};
use contrail::run::Spaces;
use contrail_envs::Registry;
use contrail_envs::python::is_python;
use std::path::{Path, PathBuf};

#[test]
fn every_file_of_configs_is_valid() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = toml_files(&configs);
    assert!(files.len() >= 30, "{files:?}");
    for file in files {
        let config =
            load(Some(&file), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let again = from_toml("effective.toml", &config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config, "{}", file.display());
        if !is_python(&config.env.id) {
            let spaces = Spaces::of(&config, &Registry::builtin());
            spaces.unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
        }
    }
}

/// Those of the folder and of the folders in it, in order.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = listed.partition(|path| path.is_dir());
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.extend(folders.iter().flat_map(|folder| toml_files(folder)));
    files.sort();
    files
}

/// Contrastive distillation, small, with a contrast in every update: no arm is "none".
const DISTILLED: [&str; 11] = [
    "contrast.enabled=true",
    "contrast.updates_per_update=1.0",
    "loss_policy.kind=uniform",
    "loss_policy.with_none=false",
    "log.period_env_steps=100",
    "contrast.anchors=8",
    "contrast.negatives=4",
    "contrast.candidates=8",
    "memory.segments=400",
    "memory.recent_segments=100",
    "run.mode=threaded",
];

/// Every baseline and ablation runs from the beginning to the end, its shift included.
#[test]
fn every_method_runs() {
    let small = |study: &str| -> &[&str] {
        match study {
            "minatar" => &[
                "run.env_steps=1200",
                "learner.learning_starts_env_steps=200",
                "exploration.initial_random_env_steps=200",
                "log.period_env_steps=200",
                "replay.capacity_transitions=2000",
                "evaluation.final_episodes=1",
            ],
            _ => &[
                "run.env_steps=400",
                "learner.learning_starts_env_steps=200",
                "learner.samples_per_insert=2.0",
                "log.period_env_steps=200",
                "evaluation.final_episodes=1",
            ],
        }
    };
    for study in ["minatar", "jumping"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/methods").join(study);
        for method in std::fs::read_dir(folder).unwrap() {
            let (method, dir) = (method.unwrap().path(), tempfile::tempdir().unwrap());
            let config = load(Some(&method), &Overrides::default()).unwrap();
            let mut command = binary();
            command.arg("train").arg(&method).arg("--run-dir").arg(dir.path().join("run"));
            let mut settings = small(study).to_vec();
            if config.schedule.name() == ScheduleName::Sequential {
                settings.extend(["schedule.phase_env_steps=600"]);
            }
            if config.shift.random_env_steps > 0 {
                settings.extend(["shift.random_env_steps=200"]);
            }
            if config.shift.align.part().is_none_or(|part| part.as_str() != "none") {
                settings.extend(["shift.align_updates=12", "shift.align_anchors=16"]);
            }
            if config.shift.guard_env_steps > 0 {
                settings.extend(["shift.guard_env_steps=60"]);
            }
            if config.distill.is_some() {
                settings.extend(["contrast.warmup_updates=0", "contrast.updates_per_update=1.0"]);
            }
            for setting in settings {
                command.args(["--set", setting]);
            }
            let output = command.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {errors}", method.display());
            let log = Log::of(&dir.path().join("run"));
            assert_eq!(
                log.rows_with("aux/loss") > 0,
                config.distill.is_some(),
                "{}",
                method.display()
            );
            let shifts =
                matches!(&config.schedule, Schedule::Sequential { order, .. } if order.len() > 1);
            assert_eq!(log.has_event("shift_settles"), shifts, "{}", method.display());
        }
    }
}

/// The rows of `metrics.jsonl`.
struct Log(Vec<serde_json::Value>);

impl Log {
    fn of(run_dir: &Path) -> Self {
        let text = std::fs::read_to_string(run_dir.join("metrics.jsonl")).unwrap();
        Self(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn rows_with(&self, curve: &str) -> usize {
        self.0.iter().filter(|row| row.get(curve).is_some_and(serde_json::Value::is_number)).count()
    }

    fn has_event(&self, name: &str) -> bool {
        self.0.iter().any(|row| row.get("event").is_some_and(|event| event == name))
    }
}

/// Whether the event files of a run tell of `text`.
fn in_tensorboard(run_dir: &Path) -> impl Fn(&str) -> bool {
    let events = std::fs::read_dir(run_dir).unwrap().map(|e| e.unwrap().path());
    let events = events.filter(|p| p.to_string_lossy().contains("tfevents"));
    let events: Vec<u8> = events.flat_map(|path| std::fs::read(path).unwrap()).collect();
    move |text| events.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Settings that make a suite small.
const SMALL: [&str; 10] = [
    "run.env_steps=1000",
    "learner.learning_starts_env_steps=500",
    "learner.minibatch_size=8",
    "learner.samples_per_insert=0.5",
    "exploration.initial_random_env_steps=500",
    "evaluation.period_env_steps=900",
    "evaluation.episodes=1",
    "evaluation.final_episodes=2",
    "log.period_env_steps=500",
    "replay.capacity_transitions=2000",
];

/// Every suite with contrastive distillation: in the threads of a user's run, then resumed and longer
/// in one thread.
#[test]
fn every_suite_trains_distilled_and_resumes() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/suites");
    for suite in std::fs::read_dir(suites).unwrap() {
        let (suite, dir) = (suite.unwrap().path(), tempfile::tempdir().unwrap());
        let run_dir = dir.path().join("run");
        let mut first = binary();
        first.arg("train").arg(&suite).arg("--run-dir").arg(&run_dir);
        for setting in SMALL.into_iter().chain(DISTILLED) {
            first.args(["--set", setting]);
        }
        let mut longer = binary();
        longer.args(["train", "--resume", "--quiet", "--run-dir"]).arg(&run_dir);
        longer.args(["--set", "run.env_steps=1200", "--set", "run.mode=serial"]);
        let mut rows = 0;
        for mut command in [first, longer] {
            let output = command.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {errors}", suite.display());
            let log = Log::of(&run_dir);
            let now = log.rows_with("aux/loss");
            assert!(now > rows, "{}: {now} rows after {rows}", suite.display());
            rows = now;
        }
        let has = in_tensorboard(&run_dir);
        assert!(has("aux/loss") && has("loss_policy/regret"), "{}", suite.display());
    }
}

/// One command trains on the sources and judges on the targets: a table on the terminal, in
/// `result.json` and in TensorBoard.
#[test]
fn every_suite_trains_and_is_judged_by_subspace() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/suites");
    for suite in std::fs::read_dir(suites).unwrap() {
        let (suite, dir) = (suite.unwrap().path(), tempfile::tempdir().unwrap());
        let run_dir = dir.path().join("run");
        let mut command = binary();
        command.arg("train").arg(&suite).arg("--run-dir").arg(&run_dir);
        for setting in SMALL {
            command.args(["--set", setting]);
        }
        let output = command.output().unwrap();
        let (table, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {errors}", suite.display());
        assert!(!errors.contains("warning"), "{}: {errors}", suite.display());
        let config = load(Some(&suite), &Overrides::default()).unwrap();
        let (sources, targets) = (config.sources(), config.targets());
        assert!(!targets.is_empty(), "{}", suite.display());
        let has = in_tensorboard(&run_dir);
        assert!(has("eval/final_by_subspace") && has("generalization gap"), "{}", suite.display());
        let sides = [("source", &sources), ("target", &targets)];
        for (side, subspace) in
            sides.iter().flat_map(|(side, all)| all.iter().map(move |s| (side, s)))
        {
            let name = &subspace.name;
            let mut row = table.lines().map(|l| l.split_whitespace().take(2).collect::<Vec<_>>());
            assert!(row.any(|row| row == [name.as_str(), side]), "{name} {side}: {table}");
            assert!(has(&format!("subspace/{name}/eval_mean_reward")), "{name}");
        }
    }
}
