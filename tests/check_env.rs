//! `contrail check-env`: exit codes, and what it says of environments with one fault each.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ended, binary, contrail, python, repo};
use serde_json::Value;
use std::path::Path;

/// A folder with a config that holds `text`.
fn config(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("subspaces.toml");
    std::fs::write(&file, text).unwrap();
    (dir, file.to_str().unwrap().to_owned())
}

const CARTPOLE: &str = r#"
    [env]
    id = "CartPole-v1"
    [subspaces.short]
    pole_half_length = 0.1
    [subspaces.long]
    pole_half_length = { uniform = [2.0, 5.0] }
    [subspaces.published]
    pole_half_length = 0.5
    [subspaces.crushing]
    gravity = 1000.0
"#;

#[test]
fn a_sound_environment_is_done_in_lines_of_80_columns() {
    let ended = contrail(&["check-env", "Pendulum-v1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["Pendulum-v1 conforms.", "random policy  return -", "env steps/s"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let too_long: Vec<_> = ended.stdout.lines().filter(|l| l.chars().count() > 80).collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn what_cannot_be_checked_is_bad_usage() {
    let (_dir, file) = config(CARTPOLE);
    let table: [(&[&str], &[&str]); 6] = [
        (&["CartPol-v1"], &["CartPol-v1", "did you mean", "CartPole-v1"]),
        (&["CartPole-v1", "--set", "env.idd=3"], &["env.idd"]),
        (&["CartPole-v1", "--subspace", "moon"], &["\"moon\"", "[subspaces.moon]"]),
        (&["--config", &file, "--subspace", "shorp"], &["\"shorp\"", "did you mean \"short\"?"]),
        (
            &["--config", &file, "--subspace", "crushing"],
            &["subspace crushing: context value gravity is 1000 m/s^2, allowed 0.1 to 100"],
        ),
        (&[], &["required", "ID"]),
    ];
    for (words, parts) in table {
        let ended = contrail(&[&["check-env"], words].concat());
        assert_eq!(ended.code, Some(2), "{words:?}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{words:?}: {ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{words:?}: {part:?} is not in {ended:?}");
        }
    }
}

#[test]
fn subspaces_that_differ_are_done_and_others_fail() {
    let (_dir, file) = config(CARTPOLE);
    let named = |names: &[&str]| {
        let mut words = vec!["check-env", "--json", "--config", &file];
        names.iter().for_each(|name| words.extend(["--subspace", name]));
        let ended = contrail(&words);
        (ended.code, parsed(&ended))
    };
    let (code, differing) = named(&["short", "long"]);
    assert_eq!(code, Some(0), "{differing:#}");
    let comparison = &differing["report"]["subspaces"][0];
    assert_eq!((&comparison["left"], &comparison["right"]), (&"short".into(), &"long".into()));
    assert!(comparison["p_value"].as_f64().unwrap() < 0.001, "{comparison}");
    assert_eq!(differing["figures"]["random_policy"]["episodes"], 10);
    assert!(differing["figures"]["env_steps_per_s"].as_f64().unwrap() > 1000.0);
    assert_eq!(differing["figures"]["bridge"], Value::Null);

    // The published length is the default: one declared subspace is compared with that.
    let (code, alike) = named(&["published"]);
    assert_eq!((code, rules(&alike)), (Some(1), vec!["subspaces-differ".to_owned()]), "{alike:#}");
    assert_eq!(alike["report"]["subspaces"][0]["p_value"], 1.0);
}

const WIND: &str = r#"
    [env.contexts.wind]
    via = "attribute"
    default = 0.0
    low = -0.5
    high = 0.5
    [subspaces.calm]
    wind = 0.0
    [subspaces.storm]
    wind = 0.3
"#;

/// `check-env` on `name` of `tests/python/broken_envs.py`.
fn check_python(name: &str, file: &str, words: &[&str]) -> Ended {
    let interpreter = format!("env.python={:?}", python());
    let id = format!("gym:broken_envs:Broken/{name}-v0");
    let output = binary()
        .env("PYTHONPATH", repo("tests/python"))
        .args(["check-env", &id, "--config", file, "--set", &interpreter])
        .args(words)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn parsed(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Names of the broken rules, each once.
fn rules(checked: &Value) -> Vec<String> {
    let violations = checked["report"]["violations"].as_array().unwrap();
    let mut rules: Vec<_> =
        violations.iter().map(|v| v["rule"].as_str().unwrap().to_owned()).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// Each broken environment, the only rule that it breaks, and what its first violation says.
const BROKEN: [(&str, &str, &[&str]); 16] = [
    ("Aliasing", "aliasing", &["returned before step 1", "return a copy"]),
    ("WrongDtype", "valid-calls", &["dtype float64 and shape (2,)", "declares dtype float32"]),
    ("WrongShape", "valid-calls", &["shape (1, 2)", "declares dtype float32 and shape (2,)"]),
    ("ResetAlone", "valid-calls", &["reset returned", "expected a pair"]),
    ("OldStep", "valid-calls", &["in step", "not enough values to unpack"]),
    ("Nan", "obs-in-space", &["step 3: element 1 is NaN, allowed -1 to 1"]),
    (
        "OutOfBounds",
        "obs-in-space",
        &["step 3: element 0 is -1, allowed 0 to 1000; element 1 is 1.5, allowed -1 to 1"],
    ),
    ("RewardNan", "reward-finite", &["step 3: it is NaN"]),
    ("Unseeded", "deterministic", &["at step 1", "the reward is"]),
    ("Remembers", "reset-complete", &["at step 1", "the reward is"]),
    ("IgnoresContext", "subspaces-differ", &["\"calm\" and \"storm\" look alike (p = 1.0000)"]),
    ("Raises", "valid-calls", &["in step", "ValueError: the motor is jammed"]),
    ("Unfaithful", "save-restore", &["after the restore, at step 1"]),
    ("Autoreset", "final-obs", &["at the end (step 12)", "first of the next episode"]),
    ("BeginsAnewAtLimit", "final-obs", &["step 12: with and without the limit"]),
    ("CutsEarly", "time-limit", &["step 8: truncated, the spec says 12"]),
];

#[test]
fn each_fault_in_python_breaks_exactly_its_rule() {
    let (_dir, file) = config(WIND);
    let check = |(name, rule, parts): &(&str, &str, &[&str])| {
        let ended = check_python(name, &file, &["--json"]);
        let checked = parsed(&ended);
        assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
        assert_eq!(rules(&checked), [*rule], "{name}: {checked:#}");
        let detail = checked["report"]["violations"][0]["detail"].as_str().unwrap();
        for part in *parts {
            assert!(detail.contains(part), "{name}: {part:?} is not in {detail}");
        }
    };
    let (first, second) = BROKEN.split_at(BROKEN.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| second.iter().for_each(check));
        first.iter().for_each(check);
        other.join().unwrap();
    });
}

#[test]
fn a_sound_environment_in_python_is_done_with_the_bridge_measured() {
    let (_dir, file) = config(WIND);
    let ended = check_python("Sound", &file, &["--json"]);
    let checked = parsed(&ended);
    assert_eq!((ended.code, rules(&checked)), (Some(0), Vec::new()), "{checked:#}");
    let seen = checked["report"]["checked"].as_array().unwrap();
    for rule in ["aliasing", "final-obs", "subspaces-differ", "save-restore", "time-limit"] {
        assert!(seen.contains(&rule.into()), "{rule}: {checked:#}");
    }
    assert_eq!(checked["report"]["skipped"], Value::from(vec!["render"]));
    let bridge = &checked["figures"]["bridge"];
    let figure = |name: &str| bridge[name].as_f64().unwrap();
    let (through, bare) = (figure("env_steps_per_s"), figure("bare_env_steps_per_s"));
    assert!(through > 1000.0 && bare > 1000.0, "{bridge}");
    assert!((figure("overhead_us") - (1e6 / through - 1e6 / bare)).abs() < 1e-6, "{bridge}");
}

#[test]
fn a_state_that_cannot_be_pickled_is_no_fault_and_the_consequence_is_said() {
    let (_dir, file) = config(WIND);
    let ended = check_python("Unsavable", &file, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    let text = words.join(" ");
    for part in [
        "skipped save-restore",
        "when a run is resumed, the episodes that were under way begin anew",
    ] {
        assert!(text.contains(part), "{part}: {}", ended.stdout);
    }
}

#[test]
fn an_environment_that_python_does_not_have_is_bad_usage() {
    let (_dir, file) = config(WIND);
    let ended = check_python("Missing", &file, &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("Missing"), "{ended:?}");
    let no_python = ["check-env", "gym:CartPole-v1", "--set", "env.python=no/such/python"];
    let ended = contrail(&no_python);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no/such/python") && !Path::new("no/such/python").exists());
}
