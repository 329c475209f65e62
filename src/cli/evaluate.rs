//! `contrail evaluate`.

use super::{CheckpointChoice, EvaluateArgs, Exit, print, print_json};
use crate::config::{self, Config, Overrides};
use crate::run::{self, CONFIG_FILE, EvaluationSummary, LoadedPolicy, Spaces, UserError};
use crate::subspaces::LeakReport;
use anyhow::Result;
use contrail_envs::{Registry, SeedStream, Split, SplitKind, Subspace};
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

/// A trained policy with what it was trained under, and seeds to try it on.
pub(super) struct Trained {
    pub(super) config: Config,
    pub(super) policy: LoadedPolicy,
    pub(super) seeds: SeedStream,
}

/// Reads a policy from `run_dir`. Without a seed, the seeds are those of the run's final
/// evaluation.
pub(super) fn load(
    run_dir: &Path,
    checkpoint: CheckpointChoice,
    seed: Option<u64>,
) -> Result<Trained> {
    let file = run_dir.join(CONFIG_FILE);
    if !file.exists() {
        let text = format!("{} holds no run: there is no {CONFIG_FILE}", run_dir.display());
        return Err(UserError(text).into());
    }
    let config = config::load(Some(&file), &config::Overrides::default())?;
    let policy = run::load_policy(run_dir, checkpoint)?;
    let seeds = match seed {
        Some(seed) => SeedStream::root(seed).stream("evaluate"),
        None => run::final_evaluation_seeds(&config),
    };
    Ok(Trained { config, policy, seeds })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    summary: &'a EvaluationSummary,
    /// Absent without targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    leak_check: Option<&'a LeakReport>,
}

pub(super) fn run(args: &EvaluateArgs, registry: &Registry) -> Result<Exit> {
    let Trained { mut config, policy, seeds } = load(&args.run_dir, args.checkpoint, args.seed)?;
    let trained = config.judged_sources();
    if let Some(file) = &args.split {
        config = with_split_of(&config, file)?;
    }
    let spaces = Spaces::of(&config, registry)?;
    if args.split.is_some() {
        warn_of_overlap(&trained, &config, &spaces);
    }
    let leaks = run::leak_check(&config, registry)?;
    let episodes = args.episodes.unwrap_or(config.evaluation.final_episodes).max(1) as usize;
    let summary = run::evaluate(&config, registry, &policy, (episodes, seeds))?;
    if args.json {
        print_json(&Printed { summary: &summary, leak_check: leaks.as_ref() })?;
    } else {
        for warning in leaks.iter().flat_map(|leaks| leaks.warnings(&spaces.context)) {
            // Nowhere to report that standard error is closed.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        let on_sources = if summary.by_subspace.is_some() { " in sources" } else { "" };
        print(&format!(
            "{}, policy after {} env steps, {} episodes{on_sources}:\n  return {:.2} +- {:.2} (min {:.2}, max {:.2}), length {:.1} env steps\n",
            config.env.id,
            summary.policy_env_steps,
            summary.episodes,
            summary.mean_return,
            summary.std_return,
            summary.min_return,
            summary.max_return,
            summary.mean_length_env_steps,
        ))?;
        if let Some(by_subspace) = &summary.by_subspace {
            print(&by_subspace.table())?;
        }
    }
    Ok(Exit::Done)
}

/// `config` with the subspaces and the split of `file`, which is for the same environment; of the
/// rest of the file only its `env.contexts` matter.
fn with_split_of(config: &Config, file: &Path) -> Result<Config> {
    let id = &config.env.id;
    // A file for another schedule may need more environments than the run has.
    let set = vec!["schedule.kind=iid".to_owned()];
    let named = config::load(Some(file), &Overrides { set: set.clone(), ..Overrides::default() });
    let refuse =
        |what: String| Err(UserError(format!("--split: {} {what}", file.display())).into());
    if let Ok(other) = &named
        && other.env.id != *id
    {
        return refuse(format!("is for {}, the run for {id}", other.env.id));
    }
    let overrides = Overrides { env: Some(id.clone()), set, ..Overrides::default() };
    let other = config::load(Some(file), &overrides)?;
    if other.subspaces.is_empty() {
        return refuse("has no [subspaces.NAME]".to_owned());
    }
    let mut config = config.with_split_of(&other);
    if !other.env.python.contexts.is_empty() {
        config.env.python.contexts = other.env.python.contexts;
    }
    Ok(config)
}

/// Says where the file calls a target what the policy has learned in.
fn warn_of_overlap(trained: &[Subspace], config: &Config, spaces: &Spaces) {
    for target in config.targets() {
        for source in trained {
            let (kind, source) = (SplitKind::Interpolation, vec![source.clone()]);
            let split = Split { kind, source, target: vec![target.clone()] };
            if let Err(error) = split.check(&spaces.context) {
                // Nowhere to report that standard error is closed.
                let _ =
                    writeln!(std::io::stderr(), "warning: the policy has met a target: {error}");
            }
        }
    }
}
