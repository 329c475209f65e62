//! The binary under signals: Ctrl-C, kill -9, a second start in the same folder, a full disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{RAINBOW, binary, checkpoints, contrail, records};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// `contrail train` with [`RAINBOW`] for `env_steps` in threaded mode.
fn train(dir: &Path, env_steps: u64) -> Command {
    let file = dir.join("job.toml");
    fs::write(&file, RAINBOW).unwrap();
    let mut command = binary();
    command.arg("train").arg(file).arg("--run-dir").arg(dir.join("run"));
    command.args(["--mode", "threaded", "--env-steps", &env_steps.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until the run has saved a checkpoint after the first one.
fn second_checkpoint(run_dir: &Path, child: &mut Child) {
    let began = Instant::now();
    while checkpoints(run_dir).last().is_none_or(|at| *at < 1400) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn resume(run_dir: &Path, words: &[&str]) -> common::Ended {
    let run_dir = run_dir.to_str().unwrap();
    let mut all = vec!["train", "--resume", "--run-dir", run_dir];
    all.extend(words);
    contrail(&all)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn kill_9_in_the_middle_and_resume() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let mut child = train(dir.path(), 1_000_000).spawn().unwrap();
    second_checkpoint(&run_dir, &mut child);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let saved = *checkpoints(&run_dir).last().unwrap();
    let until = (saved + 1500).to_string();
    let ended = resume(&run_dir, &["--env-steps", &until, "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let result: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(result["counters"]["env_steps"].as_u64().unwrap() >= saved + 1500);
    // One curve: env steps never go back, nothing twice. An evaluation overlaps with training and
    // is recorded later than rows that are newer.
    let at = |key: &str| -> Vec<u64> {
        let records = records(&run_dir).into_iter().filter(|record| record.contains_key(key));
        records.map(|record| record["env_steps"].as_u64().unwrap()).collect()
    };
    for key in ["rollout/episodes", "eval/mean_reward"] {
        let steps = at(key);
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{key}: {steps:?}");
        assert!(*steps.last().unwrap() >= saved + 1000, "{key}: {steps:?}");
    }
}

#[test]
fn ctrl_c_saves_and_resume_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let mut child = train(dir.path(), 1_000_000).spawn().unwrap();
    second_checkpoint(&run_dir, &mut child);
    let pid = child.id().to_string();
    // The shell has `kill` built in; a small system lacks the program.
    let signal = Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status();
    assert!(signal.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("--resume --run-dir"), "{stdout}");
    let result = fs::read_to_string(run_dir.join("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["end"], "interrupted");
    let saved = *checkpoints(&run_dir).last().unwrap();
    assert_eq!(result["counters"]["env_steps"], saved, "everything is saved");
    let ended = resume(&run_dir, &["--env-steps", &(saved + 600).to_string(), "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let result: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["end"], "finished");
}

#[test]
fn a_folder_with_a_run_is_not_touched_unless_asked() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    fs::create_dir(&run_dir).unwrap();
    fs::write(run_dir.join("notes.txt"), "mine").unwrap(); // no run yet: not in the way
    let output = train(dir.path(), 400).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let metrics = fs::read(run_dir.join("metrics.jsonl")).unwrap();
    let saved = checkpoints(&run_dir);

    let output = train(dir.path(), 300).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    for flag in ["--resume", "--overwrite"] {
        assert!(stderr(&output).contains(flag), "{}", stderr(&output));
    }
    // Something that cannot work does not cost the old run either.
    let impossible = train(dir.path(), 300).args(["--overwrite", "--device", "cuda:63"]).output();
    assert_eq!(impossible.unwrap().status.code(), Some(2));
    assert_eq!(fs::read(run_dir.join("metrics.jsonl")).unwrap(), metrics);
    assert_eq!(checkpoints(&run_dir), saved);

    let output = train(dir.path(), 300).arg("--overwrite").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(checkpoints(&run_dir), [300]);
    assert_eq!(fs::read_to_string(run_dir.join("notes.txt")).unwrap(), "mine");
    let event_files = fs::read_dir(&run_dir).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("events.out")
    });
    assert_eq!(event_files.count(), 1, "the old curves are gone");
}

/// A file size limit stands for a full disk: checkpoints are far below it, the curves reach it.
#[test]
fn curves_that_cannot_be_written_stop_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    fs::write(dir.path().join("job.toml"), RAINBOW).unwrap();
    let script = r#"trap '' XFSZ; ulimit -f 600; exec "$0" "$@""#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_contrail"), "train"])
        .arg(dir.path().join("job.toml"))
        .args(["--env-steps", "100000", "--set", "log.period_env_steps=1", "--run-dir"])
        .arg(&run_dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stderr(&output);
    let error = text.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("cannot write") && error.contains("metrics.jsonl"), "{text}");
    assert!(!checkpoints(&run_dir).is_empty(), "earlier checkpoints stay");
}
