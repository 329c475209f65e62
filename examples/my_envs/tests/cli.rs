//! The program: finds libtorch by itself, accepts the configs, and trains to the README's
//! thresholds. Runs with `--features cli` only.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Standard output of `my-envs` with `words`, which must succeed.
fn my_envs(words: &[&str]) -> String {
    let ended = Command::new(env!("CARGO_BIN_EXE_my-envs"))
        .args(words)
        .env_remove("LD_LIBRARY_PATH") // Cargo sets it, a shell does not
        .output()
        .unwrap();
    let (stdout, stderr) =
        (String::from_utf8(ended.stdout).unwrap(), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{words:?}: {stdout}{stderr}");
    stdout
}

fn config(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name);
    path.to_str().unwrap().to_owned()
}

/// Mean return of the best policy of a serial run with seed 1.
fn best_return(name: &str) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let (config, run_dir) = (config(name), dir.path().join("run"));
    let mut words =
        vec!["train", &config, "--mode", "serial", "--device", "cpu", "--quiet", "--json"];
    words.extend(["--run-dir", run_dir.to_str().unwrap()]);
    let result: Value = serde_json::from_str(&my_envs(&words)).unwrap();
    result["best"]["mean_return"].as_f64().unwrap()
}

#[test]
fn lists_own_and_builtin_environments() {
    let list = my_envs(&["envs"]);
    for id in ["Courier-v0", "Mooring-v0", "CartPole-v1"] {
        assert!(list.lines().any(|line| line.starts_with(id)), "{id} is not in\n{list}");
    }
}

#[test]
fn configs_fit_their_environments() {
    for (name, id) in [("courier_dqn.toml", "Courier-v0"), ("mooring_sac.toml", "Mooring-v0")] {
        let effective: Value =
            serde_json::from_str(&my_envs(&["config", &config(name), "--json"])).unwrap();
        assert_eq!(effective["env"]["id"], id);
    }
}

#[test]
fn courier_is_learned() {
    let best = best_return("courier_dqn.toml");
    assert!(best >= 2.2, "{best}");
}

#[test]
fn mooring_is_learned() {
    let best = best_return("mooring_sac.toml");
    assert!(best >= 14.5, "{best}");
}
