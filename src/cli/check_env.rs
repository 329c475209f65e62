//! `contrail check-env`.

use super::{CheckEnvArgs, Exit, print, print_json};
use crate::config::{self, Config, Overrides, TimeLimit};
use crate::run::{UserError, env_options};
use anyhow::Result;
use contrail_envs::conformance::{
    CheckOptions, RandomPlay, Report, Rule, check_id, random_play, steps_per_s,
};
use contrail_envs::python::{self, WorkerOutput};
use contrail_envs::{ContextSpec, EnvError, EnvOptions, Environment, Registry, Subspace};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Episodes of the random policy when the user says nothing.
const RANDOM_EPISODES: u32 = 10;
/// How long each speed is measured.
const SPEED_DURATION: Duration = Duration::from_millis(500);
/// Environments that share a worker where the bridge is measured.
const BRIDGE_ENVS: usize = 8;
/// Lines printed in Python that the report repeats.
const MAX_PYTHON_LINES: usize = 10;

/// Everything, as `--json` prints it.
#[derive(Serialize)]
struct Checked {
    id: String,
    conforms: bool,
    report: Report,
    #[serde(flatten)]
    figures: Measured,
}

/// Figures, or why there are none.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Measured {
    Figures(Figures),
    FiguresError(String),
}

#[derive(Serialize)]
struct Figures {
    random_policy: RandomPolicy,
    /// Of a single environment.
    env_steps_per_s: f64,
    /// For environments in Python.
    bridge: Option<Bridge>,
}

#[derive(Serialize)]
struct RandomPolicy {
    episodes: usize,
    mean_return: f64,
    /// Over episodes.
    std_return: f64,
    mean_length_env_steps: f64,
    /// Whether every episode ended; else some were abandoned.
    complete: bool,
}

#[derive(Serialize)]
struct Bridge {
    envs: usize,
    /// Through the bridge, all environments together.
    env_steps_per_s: f64,
    /// In a plain loop in Python.
    bare_env_steps_per_s: f64,
    /// What the bridge adds to a step.
    overhead_us: f64,
}

pub(super) fn run(args: &CheckEnvArgs, registry: &Registry) -> Result<Exit> {
    let config = load(args)?;
    let id = config.env.id.as_str();
    let options = options(&config);
    let subspaces = chosen(args, &config.subspaces)?;
    // A constructor that panics or fails is a finding, an unknown id is not.
    let first = catch_unwind(AssertUnwindSafe(|| registry.make(id, &options)));
    if let Ok(Err(error @ EnvError::BadOption(_))) = first {
        return Err(error.into());
    }
    let first = first.ok().and_then(Result::ok);
    if let Some(env) = &first {
        check_subspaces(&subspaces, &env.spec().context)?;
    }
    let spec = first.as_ref().map(|env| env.spec().clone());
    let undeclared = subspaces.is_empty();
    let mut report = check_id((registry, id), &options, &check_options(args, id, subspaces));
    let has_contexts = spec.is_some_and(|spec| !spec.context.values.is_empty());
    report.notes.extend(notes(&report, (!wants_pictures(args, id), undeclared && has_contexts)));
    report.notes.extend(python_lines(&options.python.output));
    let conforms = report.conforms();
    let figures = figures(first, (registry, &options), args);
    let checked = Checked { id: id.to_owned(), conforms, report, figures };
    if args.json {
        print_json(&checked)?;
    } else {
        print(&format!("{}\n\n{}", checked.report, checked.figures))?;
    }
    Ok(if conforms { Exit::Done } else { Exit::Failed })
}

fn load(args: &CheckEnvArgs) -> Result<Config> {
    let overrides =
        Overrides { env: args.id.clone(), set: args.set.clone(), ..Overrides::default() };
    Ok(config::load(args.config.as_deref(), &overrides)?)
}

/// The bare environment, cut as the config says; without a limit in the config, as published.
fn options(config: &Config) -> EnvOptions {
    let time_limit_env_steps = match config.env.time_limit {
        TimeLimit::EnvSteps(limit) => Some(limit.get()),
        TimeLimit::Published | TimeLimit::Off => None,
    };
    EnvOptions { time_limit_env_steps, ..env_options(&config.env) }
}

fn check_options(args: &CheckEnvArgs, id: &str, subspaces: Vec<Subspace>) -> CheckOptions {
    let defaults = CheckOptions::default();
    let skip = if wants_pictures(args, id) { Vec::new() } else { vec![Rule::Render] };
    let episodes = args.episodes.unwrap_or(defaults.episodes);
    CheckOptions { seed: args.seed, episodes, skip, subspaces, ..defaults }
}

fn wants_pictures(args: &CheckEnvArgs, id: &str) -> bool {
    args.render || !python::is_python(id)
}

/// The subspaces that were named, or all.
fn chosen(args: &CheckEnvArgs, declared: &[Subspace]) -> Result<Vec<Subspace>> {
    let find = |name: &String| {
        let found = declared.iter().find(|subspace| subspace.name == *name);
        found.cloned().ok_or_else(|| UserError(unknown(name, declared)).into())
    };
    if args.subspace.is_empty() {
        return Ok(declared.to_vec());
    }
    args.subspace.iter().map(find).collect()
}

fn unknown(name: &str, declared: &[Subspace]) -> String {
    let similarity = |subspace: &Subspace| strsim::jaro_winkler(&subspace.name, name);
    let nearest = declared.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest {
        Some(nearest) => {
            format!("--subspace: there is no subspace {name:?}; did you mean {:?}?", nearest.name)
        }
        None => format!(
            "--subspace: there is no subspace {name:?}: the config has no table [subspaces.{name}]"
        ),
    }
}

fn check_subspaces(subspaces: &[Subspace], context: &ContextSpec) -> Result<()> {
    let faults = subspaces.iter().try_for_each(|subspace| subspace.check(context));
    Ok(faults.map_err(|error| UserError(error.to_string()))?)
}

/// What else limits the report: pictures that were not looked at, subspaces that were not declared.
fn notes(report: &Report, (no_pictures, no_subspaces): (bool, bool)) -> Vec<String> {
    let envpool = report.id.starts_with("envpool:");
    let table = [
        (no_pictures, "pictures of environments in Python are checked with --render"),
        (no_subspaces, "no subspace is declared: [subspaces.NAME] in --config does"),
        (
            envpool && report.broken_rules().contains(&Rule::Deterministic),
            "EnvPool takes a seed once, when a pool begins, and none at a reset, so no episode can \
             be played again by its seed",
        ),
    ];
    table.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note.to_owned()).collect()
}

/// What environments in Python printed, each line once.
fn python_lines(output: &WorkerOutput) -> Vec<String> {
    let (lines, dropped) = output.take();
    let mut seen = BTreeSet::new();
    let distinct: Vec<String> =
        lines.iter().map(|line| plain(&line.text)).filter(|t| seen.insert(t.clone())).collect();
    let more = distinct.len().saturating_sub(MAX_PYTHON_LINES) as u64 + dropped;
    let mut notes: Vec<String> =
        distinct.iter().take(MAX_PYTHON_LINES).map(|text| format!("Python says: {text}")).collect();
    if more > 0 {
        notes.push(format!("Python says {more} more lines"));
    }
    notes
}

/// `text` without the codes that color it in a terminal.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// Figures of `env`, which is not there if it cannot be made.
fn figures(
    env: Option<Box<dyn Environment>>,
    made_from: (&Registry, &EnvOptions),
    args: &CheckEnvArgs,
) -> Measured {
    let Some(env) = env else { return Measured::FiguresError("it cannot be made".into()) };
    match catch_unwind(AssertUnwindSafe(|| measure(env, made_from, args))) {
        Ok(Ok(figures)) => Measured::Figures(figures),
        Ok(Err(error)) => Measured::FiguresError(error.to_string()),
        Err(_) => Measured::FiguresError("it panicked".into()),
    }
}

fn measure(
    mut env: Box<dyn Environment>,
    (registry, options): (&Registry, &EnvOptions),
    args: &CheckEnvArgs,
) -> Result<Figures, EnvError> {
    let id = env.spec().id.clone();
    let episodes = args.episodes.unwrap_or(RANDOM_EPISODES);
    let max_env_steps = CheckOptions::default().max_env_steps_per_episode;
    let play = random_play(&mut *env, args.seed, (episodes, max_env_steps))?;
    let env_steps_per_s = steps_per_s(&mut [env], args.seed, SPEED_DURATION)?;
    let bridge = if python::is_python(&id) {
        let mut envs = registry.make_batch(&id, options, BRIDGE_ENVS)?;
        let through = steps_per_s(&mut envs, args.seed, SPEED_DURATION)?;
        drop(envs);
        let bare = python::bare_loop(&id, options, (BRIDGE_ENVS, SPEED_DURATION))?;
        Some(Bridge::new(through, bare.steps as f64 / bare.seconds))
    } else {
        None
    };
    Ok(Figures { random_policy: RandomPolicy::new(&play), env_steps_per_s, bridge })
}

impl RandomPolicy {
    fn new(play: &RandomPlay) -> Self {
        let episodes = play.returns.len();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / episodes as f64;
        let mean_return = mean(&mut play.returns.iter().copied());
        let variance = mean(&mut play.returns.iter().map(|r| (r - mean_return).powi(2)));
        Self {
            episodes,
            mean_return,
            std_return: variance.sqrt(),
            mean_length_env_steps: mean(&mut play.lengths_env_steps.iter().map(|&l| f64::from(l))),
            complete: play.complete,
        }
    }
}

impl Bridge {
    fn new(env_steps_per_s: f64, bare_env_steps_per_s: f64) -> Self {
        let overhead_us = 1e6 / env_steps_per_s - 1e6 / bare_env_steps_per_s;
        Self { envs: BRIDGE_ENVS, env_steps_per_s, bare_env_steps_per_s, overhead_us }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = match self {
            Self::Figures(figures) => figures,
            // A traceback ends with what went wrong; the report has the whole of it.
            Self::FiguresError(error) => {
                return writeln!(f, "  no figures: {}", error.lines().last().unwrap_or_default());
            }
        };
        let random = &figures.random_policy;
        let abandoned = if random.complete { "" } else { ", some abandoned" };
        writeln!(
            f,
            "  random policy  return {:.2} +- {:.2}, length {:.1} env steps\n{:17}({} episodes{abandoned})",
            random.mean_return,
            random.std_return,
            random.mean_length_env_steps,
            "",
            random.episodes
        )?;
        writeln!(
            f,
            "  speed          {:.0} env steps/s, one environment",
            figures.env_steps_per_s
        )?;
        let Some(bridge) = &figures.bridge else { return Ok(()) };
        writeln!(
            f,
            "  bridge         {:.0} env steps/s, {} environments; a loop in Python {:.0}:\n\
             {:17}{:+.1} us a step, {:.0} % of the loop's speed",
            bridge.env_steps_per_s,
            bridge.envs,
            bridge.bare_env_steps_per_s,
            "",
            bridge.overhead_us,
            100.0 * bridge.env_steps_per_s / bridge.bare_env_steps_per_s
        )
    }
}
