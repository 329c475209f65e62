//! Every snippet of `docs/environments.md` does what the page says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use clap::Parser;
use common::{config, last, python, records, repo, run};
use contrail::cli::{Cli, Command as Words};
use contrail::config::{Overrides, load};
use contrail_envs::conformance::{CheckOptions, check};
use std::path::Path;
use std::process::{Command, Output};

use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvOptions, EnvSpec,
    Environment, ObsMut, ObsSpace, Outcome, Registry, RgbFrame, SeedStream, Step, state,
};
use rand::RngExt;
use std::process::ExitCode;

/// Keep a boat within 1 m of the buoy at 0. Actions: left, wait, right. Ends beyond 5 m.
struct Boat {
    spec: EnvSpec,
    thrust_m: f32,    // of a step
    x_m: Option<f32>, // None before the first reset and after the end
    wind_m: f32,      // of a step
}

impl Boat {
    fn new(options: &EnvOptions) -> Result<Self, EnvError> {
        let mut thrust_m = 0.5;
        for (key, value) in &options.kwargs {
            match value.as_f64() {
                Some(m) if key == "thrust_m" && (0.0..=0.6).contains(&m) => thrust_m = m as f32,
                _ => {
                    let text = format!("env.kwargs.{key} is {value}, allowed: thrust_m, 0 to 0.6");
                    return Err(EnvError::BadOption(text));
                }
            }
        }
        let wind = ContextValue::new("wind_m", "m", 0.0, (-0.4, 0.4), "drift of each step");
        let spec = EnvSpec {
            id: "Boat-v0".into(),
            obs: ObsSpace::f32(&[1], -6.0, 6.0), // position, m
            action: ActionSpace::Discrete(3),
            context: ContextSpec { values: vec![wind] },
            time_limit_env_steps: Some(50), // the registry cuts there
        };
        Ok(Self { spec, thrust_m, x_m: None, wind_m: 0.0 })
    }
}

impl Environment for Boat {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }
    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let out = obs.f32(&self.spec.id, 1)?;
        let x_m = SeedStream::root(seed).rng().random_range(-2.0..2.0);
        (self.x_m, self.wind_m) = (Some(x_m), context.values[0] as f32);
        out[0] = x_m;
        Ok(())
    }
    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let Some(x_m) = self.x_m else {
            return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when: "without reset" });
        };
        self.spec.action.check(&self.spec.id, action)?;
        let out = obs.f32(&self.spec.id, 1)?;
        let direction = if let Action::Discrete(index) = action { index as f32 - 1.0 } else { 0.0 };
        let x_m = x_m + self.thrust_m * direction + self.wind_m;
        out[0] = x_m;
        let over = x_m.abs() > 5.0;
        self.x_m = (!over).then_some(x_m);
        let reward = if x_m.abs() < 1.0 { 1.0 } else { 0.0 };
        Ok(Step::new(reward, if over { Outcome::Terminated } else { Outcome::Continue }))
    }
    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &(self.x_m, self.wind_m), out)
    }
    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        (self.x_m, self.wind_m) = state::restore(&self.spec.id, bytes)?;
        Ok(())
    }
    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        frame.fill(120, 20, [200, 220, 255]);
        let x = 60 + (10.0 * self.x_m.unwrap_or(0.0)) as i64;
        frame.rect((x - 3, 8), (x + 3, 12), [120, 60, 20]);
        Ok(())
    }
}

fn register(registry: &mut Registry) {
    registry.register_with_options("Boat-v0", |options| Ok(Box::new(Boat::new(options)?)));
}

fn main() -> ExitCode {
    let mut registry = Registry::builtin();
    register(&mut registry);
    contrail::cli::main_with(&registry)
}

/// A fenced block of the page.
struct Block {
    /// What follows the fence.
    language: &'static str,
    text: String,
}

const PAGE: &str = include_str!("../docs/environments.md");

/// Settings that make a run small.
const SMALL: &str = "--env-steps 600 --set learner.learning_starts_env_steps=100 \
    --set exploration.initial_random_env_steps=100 --set evaluation.episodes=1 \
    --set evaluation.final_episodes=1 --set log.period_env_steps=100 --quiet --run-dir run";

/// The blocks whose language begins with `language`; there must be some.
fn blocks(language: &str) -> Vec<Block> {
    let (mut found, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in PAGE.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some(Block { language, text: String::new() }),
            (Some(_), Some(block)) => found.push(block),
            (None, Some(block)) => {
                open = Some(Block { text: block.text + line + "\n", ..block });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found.retain(|block| block.language.split([' ', ',']).next() == Some(language));
    assert!(!found.is_empty(), "there is no block of {language:?}");
    found
}

/// The block of `language` that begins with the comment `# name`.
fn named(language: &str, name: &str) -> String {
    let head = format!("# {name}\n");
    let mut found = blocks(language).into_iter().filter(|block| block.text.starts_with(&head));
    found.next().unwrap_or_else(|| panic!("no block begins with {head:?}")).text
}

/// A folder with the Python environment of the page and its config.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("boat.py"), named("python", "boat.py")).unwrap();
    std::fs::write(dir.path().join("boat.toml"), named("toml", "boat.toml")).unwrap();
    dir
}

/// What a shell makes of `line` in `dir`, where `contrail` and `python3` are those of the tests.
fn shell(dir: &Path, line: &str) -> Output {
    let contrail = Path::new(env!("CARGO_BIN_EXE_contrail"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = [contrail, &python()].map(|program| program.parent().unwrap().to_owned());
    let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path)));
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(dir).env("PATH", path.unwrap());
    command.output().unwrap()
}

/// The lines of a block that call `contrail`, and their exit codes.
fn calls(block: &Block) -> impl Iterator<Item = (&str, i32)> {
    let calls = block.text.lines().filter(|line| line.starts_with("contrail "));
    calls.map(|line| match line.split_once(" # exit code ") {
        Some((line, code)) => (line, code.parse().unwrap()),
        None => (line, 0),
    })
}

/// Names in backticks that begin with `prefix`, without it.
fn names(prefix: &str) -> Vec<&'static str> {
    let begins = |code: &'static str| code.strip_prefix(prefix);
    let text = PAGE.lines().filter(|line| !line.starts_with("```"));
    let spans = text.flat_map(|line| line.split('`').skip(1).step_by(2));
    let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    spans.filter_map(begins).map(|name| name.split(end).next().unwrap()).collect()
}

#[test]
fn the_page_is_well_formed() {
    let known = ["rust,no_run", "rs", "python", "toml", "sh", "sh run", "text"];
    let fences: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("```")).collect();
    for fence in fences.iter().step_by(2) {
        assert!(known.contains(fence), "a block of {fence:?} is tested by nobody");
    }
    assert!(fences.iter().skip(1).step_by(2).all(|fence| fence.is_empty()));
    let links = PAGE.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.starts_with("https://")) {
        assert!(repo("docs").join(link).exists(), "{link}");
    }
}

#[test]
fn rust_blocks_are_code_that_is_tested() {
    for block in blocks("rust") {
        assert!(include_str!("docs.rs").contains(&block.text), "not in this file: {}", block.text);
    }
    let docs = include_str!("../envs/src/gymnasium_rs/mod.rs").lines();
    let docs =
        docs.filter_map(|line| line.strip_prefix("//!")).map(|l| l.strip_prefix(' ').unwrap_or(l));
    let shown: String =
        docs.filter(|line| !line.starts_with("# Ok::")).flat_map(|line| [line, "\n"]).collect();
    for block in blocks("rs") {
        assert!(shown.contains(&format!("```\n{}```\n", block.text)), "{}", block.text);
    }
}

#[test]
fn the_boat_in_rust_keeps_the_contract_and_is_trained() {
    let mut registry = Registry::builtin();
    register(&mut registry);
    let make = |thrust_m: f64| {
        let kwargs = serde_json::json!({ "thrust_m": thrust_m }).as_object().unwrap().clone();
        registry.make("Boat-v0", &EnvOptions { kwargs, ..EnvOptions::default() })
    };
    let report = check(&|| make(0.3), &CheckOptions::default());
    assert!(report.conforms(), "{report}");
    let refused = make(0.7).err().unwrap().to_string();
    assert!(refused.contains("env.kwargs.thrust_m is 0.7"), "{refused}");
    let settings = ["run.env_steps=600", "learner.learning_starts_env_steps=100"];
    let few = ["evaluation.final_episodes=1", "log.period_env_steps=100", "run.device=cpu"];
    let small = config("[env]\nid = \"Boat-v0\"", &[&settings[..], &few].concat());
    let dir = tempfile::tempdir().unwrap();
    run(&small, &registry, dir.path()).unwrap();
    assert!(last(dir.path(), "rollout/ep_len_mean") <= 50.0);
}

/// `contrail config` makes the environment, with its wrappers and contexts, before it prints.
#[test]
fn every_config_is_accepted_with_its_environment() {
    let dir = folder();
    for block in blocks("toml") {
        if let Some(manifest) = block.text.strip_prefix("# Cargo.toml\n") {
            let manifest: toml::Table = manifest.parse().unwrap();
            let features = &manifest["dependencies"]["contrail-envs"]["features"];
            assert_eq!(features[0].as_str(), Some("gymnasium-rs"));
            continue;
        }
        let file = dir.path().join("block.toml");
        std::fs::write(&file, &block.text).unwrap();
        load(Some(&file), &Overrides::default()).unwrap_or_else(|e| panic!("{e}: {}", block.text));
        let shown = shell(dir.path(), "contrail config block.toml");
        assert_eq!(shown.status.code(), Some(0), "{shown:?}: {}", block.text);
    }
}

#[test]
fn every_command_is_understood() {
    let dir = folder();
    for (line, _) in blocks("sh").iter().flat_map(calls) {
        let words = shell(dir.path(), &format!("printf '%s\\n' {line}"));
        let words = String::from_utf8(words.stdout).unwrap();
        let parsed = Cli::try_parse_from(words.lines()).unwrap_or_else(|e| panic!("{line}: {e}"));
        if let Words::Train(args) = parsed.command
            && args.source.config.is_none()
        {
            args.source.load().unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
}

#[test]
fn commands_that_can_be_run_here_do_what_the_page_says() {
    let dir = folder();
    let all = blocks("sh");
    let runnable = all.iter().filter(|block| block.language == "sh run");
    let mut ran = Vec::new();
    for (line, code) in runnable.flat_map(calls) {
        let more = if line.starts_with("contrail train ") { SMALL } else { "" };
        let ended = shell(dir.path(), &format!("{line} {more}"));
        let (out, err) = (&ended.stdout, &ended.stderr);
        let text = [out, err].map(|bytes| String::from_utf8_lossy(bytes)).join("\n");
        assert_eq!(ended.status.code(), Some(code), "{line}: {text}");
        ran.push((line, text));
    }
    let said = |line: &str| {
        let found = ran.iter().find(|(ran, _)| *ran == line);
        &found.unwrap_or_else(|| panic!("{line} is not run")).1
    };
    let boat = said("contrail check-env --config boat.toml");
    assert!(boat.contains("ok        subspaces-differ"), "{boat}");
    let pool = said("contrail check-env envpool:CartPole-v1");
    assert!(pool.contains("BROKEN    deterministic"), "{pool}");
    said("contrail train boat.toml");
    let run_dir = dir.path().join("run");
    assert_eq!(last(&run_dir, "actor/env_faults"), 0.0);
    let curves = records(&run_dir);
    for group in ["actor/", "rollout/", "replay/"] {
        for name in names(group) {
            let name = format!("{group}{name}");
            assert!(curves.iter().any(|row| row.contains_key(&name)), "there is no curve {name}");
        }
    }
    assert_eq!((names("actor/").len(), names("rollout/").len(), names("replay/").len()), (2, 1, 1));
}

#[test]
fn every_key_of_env_in_the_text_exists() {
    let config = config(&named("toml", "boat.toml"), &["env.time_limit_env_steps=9"]);
    let effective: toml::Table = config.to_toml().unwrap().parse().unwrap();
    let keys = names("env.");
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        assert!(effective["env"].get(key).is_some(), "env.{key}");
    }
}

/// What a line of the sample says is what `check-env` prints, up to its figures.
#[test]
fn the_sample_of_check_env_is_real() {
    let dir = folder();
    let ended = shell(dir.path(), "contrail check-env CartPole-v1");
    let real = String::from_utf8(ended.stdout).unwrap();
    let sample = &blocks("text")[0].text;
    let figures = "  speed ";
    for line in sample.lines().filter(|line| !line.starts_with(figures)) {
        assert!(real.lines().any(|real| real == line), "{line:?} is not in {real}");
    }
}
