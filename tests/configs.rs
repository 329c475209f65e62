//! Every file of `configs/` is valid, and its effective config reads back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::binary;
use contrail::config::{Overrides, from_toml, load};
use contrail::run::Spaces;
use contrail_envs::Registry;
use contrail_envs::python::is_python;
use std::path::{Path, PathBuf};

#[test]
fn every_file_of_configs_is_valid() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let listed = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> =
        listed(configs.clone()).chain(listed(configs.join("suites"))).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
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

/// One command trains on the sources and judges on the targets: a table on the terminal, in
/// `result.json` and in TensorBoard.
#[test]
fn every_suite_trains_and_is_judged_by_subspace() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/suites");
    let small = [
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
    for suite in std::fs::read_dir(suites).unwrap() {
        let (suite, dir) = (suite.unwrap().path(), tempfile::tempdir().unwrap());
        let run_dir = dir.path().join("run");
        let mut command = binary();
        command.arg("train").arg(&suite).arg("--run-dir").arg(&run_dir);
        for setting in small {
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
        let events = std::fs::read_dir(&run_dir).unwrap().map(|e| e.unwrap().path());
        let events = events.filter(|p| p.to_string_lossy().contains("tfevents"));
        let events: Vec<u8> = events.flat_map(|path| std::fs::read(path).unwrap()).collect();
        let has = |text: &str| events.windows(text.len()).any(|w| w == text.as_bytes());
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
