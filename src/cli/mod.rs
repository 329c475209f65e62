//! The command line.

mod args;
mod bench;
mod check_env;
mod envs;
mod evaluate;
mod picture;
mod record;
mod train;

pub use args::{
    BenchCommand, BenchEnvArgs, CheckEnvArgs, CheckpointChoice, Cli, Command, ConfigArgs,
    ConfigSource, EnvsArgs, EvaluateArgs, RecordArgs, TrainArgs,
};

use crate::config::ConfigError;
use crate::run::UserError;
use anyhow::Result;
use clap::Parser;
use contrail_envs::{EnvError, Registry};
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// How a command ended, as a shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed while running.
    Failed = 1,
    /// Bad usage or config; nothing was written.
    BadUsage = 2,
    /// Interrupted; what was done is saved.
    Interrupted = 130,
}

/// Runs the command line with the environments of `registry`, and returns the exit code. A program
/// with environments of its own is three lines: a registry, `register`, and this.
pub fn main_with(registry: &Registry) -> ExitCode {
    let command = Cli::parse().command;
    let result = match command {
        Command::Train(args) => train::run(&args, registry),
        Command::Evaluate(args) => evaluate::run(&args, registry),
        Command::Record(args) => record::run(&args, registry),
        Command::Envs(args) => envs::run(&args, registry),
        Command::Bench(BenchCommand::Env(args)) => bench::env(&args, registry),
        Command::CheckEnv(args) => check_env::run(&args, registry),
        Command::Config(args) => show_config(&args, registry),
    };
    let exit = result.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return Exit::Done; // the reader of our output has seen enough
        }
        // Nowhere to report that standard error is closed.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        if is_usage(&error) { Exit::BadUsage } else { Exit::Failed }
    });
    ExitCode::from(exit as u8)
}

/// Whether the user asked for something impossible, rather than something failed.
fn is_usage(error: &anyhow::Error) -> bool {
    let env_choice =
        error.downcast_ref::<EnvError>().is_some_and(|e| matches!(e, EnvError::BadOption(_)));
    env_choice || error.is::<ConfigError>() || error.is::<UserError>()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

fn show_config(args: &ConfigArgs, registry: &Registry) -> Result<Exit> {
    let config = args.source.load()?;
    crate::run::Spaces::of(&config, registry)?;
    if args.json {
        print_json(&config)?;
    } else {
        print(&config.to_toml()?)?;
    }
    Ok(Exit::Done)
}

/// Writes `text` to standard output.
fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Writes `value` as one JSON object to standard output.
fn print_json<T: Serialize>(value: &T) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

#[cfg(test)]
mod tests;
