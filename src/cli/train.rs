//! `contrail train`.

use super::{Exit, TrainArgs, print, print_json};
use crate::config::{self, Config, Overrides};
use crate::log::METRICS_FILE;
use crate::run::{self, CONFIG_FILE, RunEnd, Summary, TrainOptions, UserError};
use anyhow::{Context as _, Result};
use contrail_envs::Registry;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn run(args: &TrainArgs, registry: &Registry) -> Result<Exit> {
    let config = load_config(args)?;
    let run_dir = args.run_dir.clone().unwrap_or_else(|| default_run_dir(&config));
    // Everything that can be refused is refused before the first file is written.
    let memory = run::preflight(&config, registry)?;
    claim(&run_dir, args)?;
    if !args.quiet {
        // Nowhere to report that standard error is closed.
        let _ = writeln!(std::io::stderr(), "run folder: {}\n{memory}", run_dir.display());
    }
    let stop = Arc::new(AtomicBool::new(false));
    handle_interrupts(&stop)?;
    let options = TrainOptions {
        run_dir: run_dir.clone(),
        resume: args.resume,
        quiet: args.quiet,
        stop: &stop,
    };
    let summary = run::train(&config, registry, &options)?;
    if args.json {
        print_json(&summary)?;
    } else if !args.quiet {
        print(&report(&summary, &run_dir))?;
    }
    Ok(match summary.end {
        RunEnd::Finished => Exit::Done,
        RunEnd::Interrupted => Exit::Interrupted,
    })
}

/// The config as typed, or that of the run to resume with what was typed on top.
fn load_config(args: &TrainArgs) -> Result<Config> {
    match (&args.run_dir, args.resume) {
        (Some(run_dir), true) => {
            let file = run_dir.join(CONFIG_FILE);
            if !file.exists() {
                let text = format!(
                    "there is no run to resume in {}: it holds no {CONFIG_FILE}",
                    run_dir.display()
                );
                return Err(UserError(text).into());
            }
            let overrides: Overrides = args.source.overrides();
            Ok(config::load(Some(&file), &overrides)?)
        }
        _ => Ok(args.source.load()?),
    }
}

/// `runs/{env}__{algo}__{seed}__{time}`, with no character that a path gives a meaning to.
fn default_run_dir(config: &Config) -> PathBuf {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
    let env: String = config
        .env
        .id
        .chars()
        .map(|c| if c.is_alphanumeric() || "-._".contains(c) { c } else { '-' })
        .collect();
    let (algo, seed) = (config.algorithm.name().as_str(), config.run.seed);
    Path::new("runs").join(format!("{env}__{algo}__{seed}__{time}"))
}

/// Refuses a folder that holds a run, unless the user said what to do with it.
fn claim(run_dir: &Path, args: &TrainArgs) -> Result<()> {
    let holds_run = [CONFIG_FILE, METRICS_FILE].iter().any(|name| run_dir.join(name).exists());
    if args.resume || !holds_run {
        return Ok(());
    }
    let dir = run_dir.display();
    if !args.overwrite {
        let text = format!(
            "{dir} already holds a run: add --resume to continue it, or --overwrite to start over"
        );
        return Err(UserError(text).into());
    }
    empty(run_dir).with_context(|| format!("cannot empty {dir}"))
}

/// Removes what runs write, and nothing else.
fn empty(run_dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(run_dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "checkpoints" {
            fs::remove_dir_all(entry.path())?;
        } else if name.starts_with("events.out.tfevents.")
            || run::RUN_FILES.contains(&name.as_str())
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The first Ctrl-C ends the run after saving it, the second at once.
fn handle_interrupts(stop: &Arc<AtomicBool>) -> Result<()> {
    let stop = Arc::clone(stop);
    let handler = move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    match ctrlc::set_handler(handler) {
        // A program that trains twice in one process keeps its first handler.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        Err(error) => Err(error).context("cannot listen for Ctrl-C"),
    }
}

fn report(summary: &Summary, run_dir: &Path) -> String {
    let dir = run_dir.display();
    // As it was called, so that the lines below can be typed as they are.
    let contrail = std::env::args().next().unwrap_or_else(|| "contrail".to_owned());
    let counters = summary.counters;
    let done = format!(
        "{} env steps, {} updates in {:.0} s",
        counters.env_steps, counters.updates, summary.time_s
    );
    if summary.end == RunEnd::Interrupted {
        return format!(
            "interrupted after {done}; everything is saved\n  continue:  {contrail} train --resume --run-dir {dir}\n"
        );
    }
    let mut text = format!("done: {done}\n");
    let policies = [("best policy", &summary.best), ("last policy", &summary.last)];
    for (name, evaluation) in
        policies.into_iter().filter_map(|(name, e)| e.as_ref().map(|e| (name, e)))
    {
        let on_sources = if evaluation.by_subspace.is_some() { " in sources" } else { "" };
        text += &format!(
            "{name} (after {} env steps): return {:.1} +- {:.1} over {} episodes{on_sources}\n",
            evaluation.policy_env_steps,
            evaluation.mean_return,
            evaluation.std_return,
            evaluation.episodes
        );
        // Often the best policy is the last one: one table then.
        let again = name == "last policy"
            && summary
                .best
                .as_ref()
                .is_some_and(|b| b.policy_env_steps == evaluation.policy_env_steps);
        if let Some(by_subspace) = evaluation.by_subspace.as_ref().filter(|_| !again) {
            text += &by_subspace.table();
        }
    }
    text + &format!(
        "  curves:    tensorboard --logdir {}\n  evaluate:  {contrail} evaluate {dir}\n  \
         watch:     {contrail} record {dir} --out episode.png --every 4\n",
        logdir(run_dir)
    )
}

/// The folder that TensorBoard is pointed to: that of all runs.
fn logdir(run_dir: &Path) -> String {
    match run_dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
        _ => run_dir.display().to_string(),
    }
}
