//! What a user meets on the command line: refusals that help, and output that programs can read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{binary, contrail};
use std::io::Read as _;
use std::process::Stdio;

/// `contrail train` with `words`; whatever it does, it must not have made the run folder.
fn refused(words: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let mut all = vec!["train"];
    all.extend(words);
    all.extend(["--run-dir", run_dir.to_str().unwrap()]);
    let ended = contrail(&all);
    assert_eq!(ended.code, Some(2), "{words:?}: {ended:?}");
    assert!(!run_dir.exists(), "{words:?}: something was written");
    assert!(ended.stdout.is_empty(), "{words:?}: {}", ended.stdout);
    let errors: Vec<&str> = ended.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{words:?}: {}", ended.stderr);
    errors[0].to_owned()
}

#[test]
fn every_refusal_names_what_is_wrong_and_what_would_be_right() {
    let cases: [(&[&str], &[&str]); 15] = [
        (
            &["--env", "CartPole-v1", "--set", "dqn.learnig_rate=1e-3"],
            &["dqn.learnig_rate", "did you mean", "dqn.learning_rate"],
        ),
        (&["--env", "CartPol-v1", "--algo", "dqn"], &["CartPol-v1", "did you mean", "CartPole-v1"]),
        (
            &["--env", "CartPole-v1", "--set", "dqn.n_step=many"],
            &["dqn.n_step", "many", "a whole number"],
        ),
        (&["--env", "CartPole-v1", "--set", "dqn.gamma=1.5"], &["dqn.gamma", "1.5", "0.0 to 1.0"]),
        (
            &["--env", "CartPole-v1", "--set", "learner.minibatch_size=0"],
            &["learner.minibatch_size", "0", "1 to 65536"],
        ),
        (&["--env", "CartPole-v1", "--set", "sac.gamma=0.9"], &["sac.gamma", "no effect", "dqn"]),
        (
            &["--env", "CartPole-v1", "--algo", "sac"],
            &["sac", "continuous", "CartPole-v1", "Discrete(2)", "use \"dqn\""],
        ),
        (
            &["--env", "Pendulum-v1", "--algo", "dqn"],
            &["dqn", "discrete", "Pendulum-v1", "Box", "use \"sac\""],
        ),
        (
            &["--env", "CartPole-v1", "--set", "network.torso=minatar"],
            &["network.torso", "minatar", "[4]", "use \"mlp\""],
        ),
        (
            &["--env", "CartPole-v1", "--set", "network.torso=minatr"],
            &["network.torso", "minatr", "minatar"],
        ),
        (&["--env", "CartPole-v1", "--device", "cuda:63"], &["run.device", "cuda:63", "cpu"]),
        (&["--env", "CartPole-v1", "--device", "gpu"], &["gpu", "auto, cpu, cuda"]),
        (
            // 64 frames of 4 floats, 100 million times: 102 GB.
            &[
                "--env",
                "CartPole-v1",
                "--set",
                "env.frame_stack=64",
                "--set",
                "replay.capacity_transitions=100_000_000",
            ],
            &["GB of memory", "GB are available", "replay.capacity_transitions", "100000000"],
        ),
        (&["no/such/file.toml"], &["no/such/file.toml", "No such file"]),
        (&["Cargo.toml"], &["Cargo.toml", "unknown key"]),
    ];
    for (words, parts) in cases {
        // The last one has many wrong keys: one line each after the first.
        let error = refused(words);
        for part in parts {
            assert!(error.contains(part), "{words:?}: {part:?} is not in {error}");
        }
    }
}

#[test]
fn folders_that_hold_no_run_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().to_str().unwrap();
    for words in [&["evaluate", nothing][..], &["train", "--resume", "--run-dir", nothing]] {
        let ended = contrail(words);
        assert_eq!(ended.code, Some(2), "{words:?}: {ended:?}");
        assert!(ended.stderr.contains(nothing), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");
}

#[test]
fn help_of_every_command_has_an_example() {
    let help = contrail(&["--help"]);
    assert_eq!(help.code, Some(0));
    let commands = help.stdout.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<String> = commands
        .map_while(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let help = contrail(&[&name, "--help"]);
        assert_eq!(help.code, Some(0));
        let example = help.stdout.lines().skip_while(|line| !line.starts_with("Example"));
        let example = example.skip(1).any(|line| line.trim().starts_with("contrail "));
        assert!(example, "{name}: {}", help.stdout);
    }
}

/// Piped, a run is silent but for its plan: no escape codes, and stdout holds the answer alone.
#[test]
fn train_evaluate_and_json() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let run_dir = run_dir.to_str().unwrap();
    let train = [
        "train",
        "--env",
        "Probe/ObsActionReward-v0",
        "--env-steps",
        "1500",
        "--run-dir",
        run_dir,
        "--json",
    ];
    let ended = contrail(&train);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
    assert!(ended.stderr.lines().count() <= 4, "{}", ended.stderr);
    let result: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let file = std::fs::read_to_string(dir.path().join("run/result.json")).unwrap();
    assert_eq!(result, serde_json::from_str::<serde_json::Value>(&file).unwrap());

    let ended = contrail(&["evaluate", run_dir, "--json", "--episodes", "7"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["episodes"], 7);
    // Without a number of episodes, the evaluation at the end of the run is repeated.
    let ended = contrail(&["evaluate", run_dir, "--json", "--checkpoint", "latest"]);
    let again: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(again, result["last"]);

    let quiet = contrail(&[&train[..7], &["--quiet", "--overwrite"]].concat());
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let missing = contrail(&["evaluate", run_dir, "--checkpoint", "17"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("there is no checkpoint 17"), "{missing:?}");
}

#[test]
fn the_printed_config_is_a_config_and_json_is_json() {
    let words = ["config", "configs/cartpole_rainbow.toml", "--set", "dqn.n_step=5"];
    let printed = contrail(&words);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("printed.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let again = contrail(&["config", file.to_str().unwrap()]);
    assert_eq!(again.stdout, printed.stdout);
    assert!(again.stdout.contains("n_step = 5"));

    let json = contrail(&[&words[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["dqn"]["n_step"], 5);
    let envs = contrail(&["envs", "--json"]);
    let envs: serde_json::Value = serde_json::from_str(&envs.stdout).unwrap();
    let listed = envs.as_array().unwrap().iter().any(|env| env["id"] == "CartPole-v1");
    assert!(listed);
    let one = contrail(&["envs", "CartPole-v1", "--json"]);
    let one: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(one["time_limit_env_steps"], 500);
    assert_eq!(contrail(&["envs", "CartPol-v1"]).code, Some(2));
}

/// `contrail ... | head -1`: the reader goes away before everything is written.
#[test]
fn a_reader_that_leaves_is_no_error() {
    for words in [&["envs", "--json"][..], &["config", "--env", "CartPole-v1"], &["--help"]] {
        let mut command = binary();
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(stderr, "", "{words:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{words:?}");
    }
}
