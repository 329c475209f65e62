//! `contrail evaluate`.

use super::{EvaluateArgs, Exit, print, print_json};
use crate::config;
use crate::run::{self, CONFIG_FILE, UserError};
use anyhow::Result;
use contrail_envs::{Registry, SeedStream};

pub(super) fn run(args: &EvaluateArgs, registry: &Registry) -> Result<Exit> {
    let file = args.run_dir.join(CONFIG_FILE);
    if !file.exists() {
        let text = format!("{} holds no run: there is no {CONFIG_FILE}", args.run_dir.display());
        return Err(UserError(text).into());
    }
    let config = config::load(Some(&file), &config::Overrides::default())?;
    let policy = run::load_policy(&args.run_dir, args.checkpoint)?;
    let episodes = args.episodes.unwrap_or(config.evaluation.final_episodes).max(1) as usize;
    let seeds = match args.seed {
        Some(seed) => SeedStream::root(seed).stream("evaluate"),
        None => run::final_evaluation_seeds(&config),
    };
    let summary = run::evaluate(&config, registry, &policy, (episodes, seeds))?;
    if args.json {
        print_json(&summary)?;
    } else {
        print(&format!(
            "{}, policy after {} env steps: return {:.2} +- {:.2} (min {:.2}, max {:.2}), length {:.1} env steps, {} episodes\n",
            config.env.id,
            summary.policy_env_steps,
            summary.mean_return,
            summary.std_return,
            summary.min_return,
            summary.max_return,
            summary.mean_length_env_steps,
            summary.episodes
        ))?;
    }
    Ok(Exit::Done)
}
