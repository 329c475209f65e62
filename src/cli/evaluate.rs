//! `contrail evaluate`.

use super::{CheckpointChoice, EvaluateArgs, Exit, print, print_json};
use crate::config::{self, Config, Overrides};
use crate::run::{self, CONFIG_FILE, EvaluationSummary, LoadedPolicy, Spaces, UserError};
use crate::subspaces::LeakReport;
use anyhow::Result;
use contrail_envs::{Registry, SeedStream};
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
    if let Some(file) = &args.split {
        let overrides = Overrides { env: Some(config.env.id.clone()), ..Overrides::default() };
        config = config.with_split_of(&config::load(Some(file), &overrides)?);
    }
    let spaces = Spaces::of(&config, registry)?;
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
        print(&format!(
            "{}, policy after {} env steps, {} episodes:\n  return {:.2} +- {:.2} (min {:.2}, max {:.2}), length {:.1} env steps\n",
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
