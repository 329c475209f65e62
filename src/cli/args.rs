//! What can be typed: commands, arguments, flags, and the texts of `--help`.

use crate::config::{AlgorithmName, Config, ConfigError, Overrides, load};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

/// Reinforcement-learning agents that keep working while their environment shifts.
#[derive(Debug, Parser)]
#[command(
    name = "contrail",
    version,
    after_help = "Example:\n  contrail train --env CartPole-v1 --algo dqn\n\n\
                  Exit codes: 0 done, 1 failed while running, 2 bad usage or config, 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an agent and write its run folder.
    Train(Box<TrainArgs>),
    /// Measure a trained agent.
    Evaluate(EvaluateArgs),
    /// Play one episode of a trained agent into an animated PNG.
    Record(RecordArgs),
    /// List environments, or describe one.
    Envs(EnvsArgs),
    /// Check that an environment keeps its contract, and measure it.
    CheckEnv(CheckEnvArgs),
    /// Measure how fast something is.
    #[command(subcommand, after_help = "Example:\n  contrail bench env gym:CartPole-v1")]
    Bench(BenchCommand),
    /// Print the effective config, and check it.
    Config(Box<ConfigArgs>),
}

/// Where settings come from, weakest first: CONFIG (or the tuned settings of ENV), flags, --set.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigSource {
    /// Config file (TOML); without one, the tuned settings of ENV, or the defaults.
    #[arg(value_name = "CONFIG", required_unless_present_any = ["env", "set"])]
    pub config: Option<PathBuf>,

    /// Environment (key env.id); `contrail envs` lists them.
    #[arg(long, value_name = "ID")]
    pub env: Option<String>,

    /// Algorithm (key algorithm.name).
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(AlgorithmName::NAMES))]
    pub algo: Option<String>,

    /// Root of every random number (key run.seed).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// auto, cpu, cuda or cuda:N (key run.device).
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,

    /// Length of the run, 200000 or 2e5 (key run.env_steps).
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub env_steps: Option<u64>,

    /// Threads for every role, or all roles in one thread and bit-reproducible (key run.mode).
    #[arg(long, value_name = "MODE", value_parser = ["threaded", "serial"])]
    pub mode: Option<String>,

    /// Sets any key of the config, as in --set dqn.learning_rate=1e-3; repeatable, the last wins.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigSource {
    /// The settings that were typed beside the file.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides {
            env: self.env.clone(),
            algo: self.algo.clone(),
            seed: self.seed,
            device: self.device.clone(),
            mode: self.mode.clone(),
            env_steps: self.env_steps,
            set: self.set.clone(),
        }
    }

    /// The config that all of this amounts to.
    ///
    /// # Errors
    /// Whatever [`load`] refuses.
    pub fn load(&self) -> Result<Config, ConfigError> {
        load(self.config.as_deref(), &self.overrides())
    }
}

/// `contrail train`.
#[derive(Debug, Args)]
#[command(
    mut_arg("config", |arg| arg.required_unless_present("resume")),
    override_usage = "contrail train CONFIG [OPTIONS]\n       contrail train --env ID --algo NAME [OPTIONS]\n       \
                      contrail train --resume --run-dir DIR [OPTIONS]",
    after_help = "Examples:\n  \
        contrail train configs/quickstart.toml\n  \
        contrail train --env CartPole-v1 --algo dqn --seed 3\n  \
        contrail train configs/cartpole_dqn.toml --set dqn.n_step=3 --set replay.sampling=prioritized\n  \
        contrail train --resume --run-dir runs/my_run"
)]
pub struct TrainArgs {
    /// Settings.
    #[command(flatten)]
    pub source: ConfigSource,

    /// Folder for everything the run writes [default: runs/{env}__{algo}__{seed}__{time}].
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,

    /// Go on from the newest checkpoint of the run folder, with its config.
    #[arg(long, requires = "run_dir", conflicts_with_all = ["overwrite", "config", "env", "algo"])]
    pub resume: bool,

    /// Empty the run folder first if it holds a run.
    #[arg(long)]
    pub overwrite: bool,

    /// Print the content of result.json on stdout at the end.
    #[arg(long)]
    pub json: bool,

    /// No progress bar and no messages, errors excepted.
    #[arg(long, short)]
    pub quiet: bool,
}

/// `contrail evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    contrail evaluate runs/my_run\n  \
    contrail evaluate runs/my_run --episodes 20 --checkpoint 50000 --json\n  \
    contrail evaluate runs/my_run --split configs/suites/cartpole_pole_length.toml")]
pub struct EvaluateArgs {
    /// Folder of a run.
    #[arg(value_name = "RUN_DIR")]
    pub run_dir: PathBuf,

    /// Config file (TOML) whose subspaces and split say where to play [default: those of the
    /// run]. The table tells subspaces apart, and sources from targets.
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,

    /// Episodes to play in each subspace [default: evaluation.final_episodes of the run].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub episodes: Option<u32>,

    /// Root of every random number of the evaluation [default: that of the run's final evaluation].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Which checkpoint: best, latest, or the env steps at which it was taken.
    #[arg(long, value_name = "best|latest|ENV_STEPS", default_value = "best")]
    pub checkpoint: CheckpointChoice,

    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `contrail record`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  contrail record runs/my_run --out episode.png --every 4")]
pub struct RecordArgs {
    /// Folder of a run.
    #[arg(value_name = "RUN_DIR")]
    pub run_dir: PathBuf,

    /// Subspace of the run's config to play in [default: its first source].
    #[arg(long, value_name = "NAME")]
    pub subspace: Option<String>,

    /// Picture to write: animated PNG, which browsers play.
    #[arg(long, value_name = "FILE", default_value = "episode.png")]
    pub out: PathBuf,

    /// Env steps from one picture to the next.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub every: u32,

    /// Most pictures; the episode is played on without.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pictures: u32,

    /// Root of every random number of the episode [default: that of the run's final evaluation].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Which checkpoint: best, latest, or the env steps at which it was taken.
    #[arg(long, value_name = "best|latest|ENV_STEPS", default_value = "best")]
    pub checkpoint: CheckpointChoice,
}

/// `contrail envs`.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("subject").args(["id", "config"]).multiple(true),
    after_help = "Examples:\n  contrail envs\n  contrail envs CartPole-v1 --json\n  \
    contrail envs gym:CartPole-v1 --set env.python=venv/bin/python\n  \
    contrail envs --config my.toml --picture subspaces.png"
)]
pub struct EnvsArgs {
    /// Environment to describe; all are listed without one.
    #[arg(value_name = "ID")]
    pub id: Option<String>,

    /// Sets a key of [env] that the environment needs; repeatable, the last wins.
    #[arg(long, value_name = "KEY=VALUE", requires = "subject")]
    pub set: Vec<String>,

    /// Config file (TOML) whose subspaces --picture draws; without ID, in its environment.
    #[arg(long, value_name = "FILE", requires = "picture")]
    pub config: Option<PathBuf>,

    /// PNG to draw: a row of contexts, drawn at random, for each subspace of --config.
    #[arg(long, value_name = "FILE", requires = "config", conflicts_with = "json")]
    pub picture: Option<PathBuf>,

    /// Print JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `contrail check-env`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    contrail check-env CartPole-v1\n  \
    contrail check-env gym:ALE/Pong-v5 --set env.python=my_venv/bin/python\n  \
    contrail check-env --config my.toml --subspace moon --subspace mars\n\n\
    Exit codes: 0 it keeps every rule, 1 it breaks one, 2 bad usage or config.")]
pub struct CheckEnvArgs {
    /// Environment; without one, that of the config. It is checked bare: without frame stack,
    /// action repeat, normalization and reward changes of a config.
    #[arg(value_name = "ID", required_unless_present = "config")]
    pub id: Option<String>,

    /// Config file (TOML) with options of the environment and with subspaces.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Subspace of the config that must be told apart by random play: one from the default
    /// context, several from each other; repeatable [default: all].
    #[arg(long, value_name = "NAME")]
    pub subspace: Vec<String>,

    /// Sets any key of the config, as in --set env.kwargs.size=8; repeatable, the last wins.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Episodes to play [default: 4 for the rules, 10 for the random policy].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub episodes: Option<u32>,

    /// Root of every random number of the check.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Check the pictures of an environment in Python too, which may need further packages.
    #[arg(long)]
    pub render: bool,

    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `contrail config`.
#[derive(Debug, Args)]
#[command(
    mut_arg("config", |arg| arg.help("Config file (TOML) to check and complete")),
    after_help = "Examples:\n  \
        contrail config configs/cartpole_dqn.toml --set dqn.n_step=3\n  \
        contrail config --env CartPole-v1 --algo dqn > my.toml"
)]
pub struct ConfigArgs {
    /// Settings.
    #[command(flatten)]
    pub source: ConfigSource,

    /// Print JSON instead of TOML.
    #[arg(long)]
    pub json: bool,
}

/// `contrail bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Env steps a second; in Python also those of a plain loop, measured in turn.
    Env(BenchEnvArgs),
}

/// `contrail bench env`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  contrail bench env CartPole-v1\n  \
    contrail bench env gym:CartPole-v1 --envs 8 --rounds 5 --set env.python=venv/bin/python\n  \
    contrail bench env CartPole-v1 --against envpool:CartPole-v1 --set env.python=venv/bin/python")]
pub struct BenchEnvArgs {
    /// Environment; without one, that of the config. It is measured bare, without wrappers.
    #[arg(value_name = "ID", required_unless_present = "config")]
    pub id: Option<String>,

    /// Config file (TOML) with options of the environment.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Environment in Python that is measured in turn with it, in a plain Python loop without
    /// Contrail: gym:ID, or envpool:ID with one thread [default: ID, if that is in Python].
    #[arg(long, value_name = "ID")]
    pub against: Option<String>,

    /// Environments of --against that step together [default: 1; of EnvPool 256].
    #[arg(long, value_name = "N", requires = "against", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub against_envs: Option<usize>,

    /// Sets any key of the config; repeatable, the last wins.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Environments that step together; in Python they share a worker.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub envs: usize,

    /// Length of one measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = parse_seconds)]
    pub seconds: f64,

    /// Measurements of each kind.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,

    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// A positive duration of at most an hour.
fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err(format!("{text:?} is not a duration, allowed above 0 and up to 3600 seconds")),
    }
}

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointChoice {
    /// That of the best periodic evaluation.
    Best,
    /// The newest.
    Latest,
    /// That of this number of env steps.
    EnvSteps(u64),
}

impl FromStr for CheckpointChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            "latest" => Ok(Self::Latest),
            _ => parse_count(text).map(Self::EnvSteps).map_err(|_| {
                format!("{text:?} is neither best, nor latest, nor a number of env steps")
            }),
        }
    }
}

/// A count as people write it: `200000`, `200_000`, `2e5`.
pub(super) fn parse_count(text: &str) -> Result<u64, String> {
    /// 2^53, up to which a float holds every count exactly.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    let digits = text.replace('_', "");
    if let Ok(count) = digits.parse() {
        return Ok(count);
    }
    match digits.parse::<f64>() {
        Ok(count) if count.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&count) => Ok(count as u64),
        _ => Err(format!("{text:?} is not a count, expected a whole number such as 200000 or 2e5")),
    }
}
