//! `contrail bench env`: how fast an environment steps, in pairs of measurements taken in turn.

mod cores;

use super::{BenchEnvArgs, Exit, print, print_json};
use crate::config::{self, Overrides};
use crate::run::env_options;
use anyhow::Result;
use contrail_envs::conformance::steps_per_s;
use contrail_envs::{EnvError, EnvOptions, Environment, Registry, python};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// Environments of a pool that are stepped together where nothing else is said: a batch of less
/// spends its time between Python and the pool, one of more gains little (see benches/peers.sh).
const POOL_ENVS: usize = 256;

/// All rounds of one environment.
#[derive(Serialize)]
struct Bench {
    #[serde(flatten)]
    own: Side,
    peer: Option<Side>,
    rounds: Vec<Round>,
    /// Of the rounds' ratios.
    median_ratio: Option<f64>,
    median_ratio_per_core: Option<f64>,
}

/// One of the two that are compared.
#[derive(Serialize)]
struct Side {
    id: String,
    /// Environments that step together.
    envs: usize,
    median_env_steps_per_s: f64,
}

/// One measurement of each, one right after the other.
#[derive(Clone, Copy, Serialize)]
struct Round {
    /// Random actions through Contrail, resets with their seeds included.
    #[serde(flatten)]
    own: Speed,
    /// A plain Python loop that resets without seeds.
    peer: Option<Speed>,
    ratio: Option<f64>,
    /// Of env steps in a second of CPU time: other work on the machine makes no difference to it.
    ratio_per_core: Option<f64>,
}

#[derive(Clone, Copy, Serialize)]
struct Speed {
    env_steps_per_s: f64,
    /// Cores kept busy, workers in Python included, where the system tells.
    cores: Option<f64>,
}

impl Speed {
    fn per_core(self) -> Option<f64> {
        self.cores.filter(|cores| *cores > 0.0).map(|cores| self.env_steps_per_s / cores)
    }
}

impl Round {
    fn new(own: Speed, peer: Option<Speed>) -> Self {
        let ratio = peer.map(|peer| own.env_steps_per_s / peer.env_steps_per_s);
        let per_core = own.per_core().zip(peer.and_then(Speed::per_core));
        Self { own, peer, ratio, ratio_per_core: per_core.map(|(own, peer)| own / peer) }
    }
}

/// What runs in a plain Python loop.
struct Peer {
    id: String,
    envs: usize,
    options: EnvOptions,
}

impl Peer {
    /// The one that was asked for, or the environment itself if it is in Python.
    fn of(id: &str, options: &EnvOptions, args: &BenchEnvArgs) -> Result<Option<Self>, EnvError> {
        let Some(against) = &args.against else {
            let (id, options) = (id.to_owned(), options.clone());
            return Ok(python::is_python(&id).then_some(Self { id, envs: args.envs, options }));
        };
        if !python::is_python(against) {
            return Err(EnvError::BadOption(format!(
                "--against is {against:?}, allowed are environments in Python: gym:ID or envpool:ID"
            )));
        }
        // Arguments and time limit are those of the environment that is compared.
        let mut options = EnvOptions { python: options.python.clone(), ..EnvOptions::default() };
        let is_pool = against.starts_with("envpool:");
        if is_pool {
            options.kwargs.insert("num_threads".to_owned(), json!(1));
        }
        let envs = args.against_envs.unwrap_or(if is_pool { POOL_ENVS } else { 1 });
        Ok(Some(Self { id: against.clone(), envs, options }))
    }
}

pub(super) fn env(args: &BenchEnvArgs, registry: &Registry) -> Result<Exit> {
    let overrides =
        Overrides { env: args.id.clone(), set: args.set.clone(), ..Overrides::default() };
    let config = config::load(args.config.as_deref(), &overrides)?;
    let (id, options) = (config.env.id.as_str(), env_options(&config.env));
    let peer = Peer::of(id, &options, args)?;
    let duration = Duration::from_secs_f64(args.seconds);
    let rounds = (0..args.rounds).map(|number| {
        let mut envs = registry.make_batch(id, &options, args.envs)?;
        let own = own_speed((id, &mut envs), u64::from(number), duration)?;
        drop(envs); // its worker must not share the core with the plain loop
        let peer = peer.as_ref().map(|peer| peer_speed(peer, duration)).transpose()?;
        Ok(Round::new(own, peer))
    });
    let bench = summary((id, args.envs), peer.as_ref(), rounds.collect::<Result<_>>()?);
    if args.json {
        print_json(&bench)?
    } else {
        print(&text(&bench))?
    }
    Ok(Exit::Done)
}

fn own_speed(
    (id, envs): (&str, &mut [Box<dyn Environment>]),
    seed: u64,
    duration: Duration,
) -> Result<Speed> {
    let mut run = || cores::of_self(|| steps_per_s(envs, seed, duration));
    if !python::is_python(id) {
        let (env_steps_per_s, cores) = run();
        return Ok(Speed { env_steps_per_s: env_steps_per_s?, cores });
    }
    let ((env_steps_per_s, own), worker) = cores::of_child(duration, run);
    let cores = own.zip(worker).map(|(own, worker)| own + worker);
    Ok(Speed { env_steps_per_s: env_steps_per_s?, cores })
}

fn peer_speed(peer: &Peer, duration: Duration) -> Result<Speed> {
    let run = || python::bare_loop(&peer.id, &peer.options, (peer.envs, duration));
    let (bare, cores) = cores::of_child(duration, run);
    let bare = bare?;
    Ok(Speed { env_steps_per_s: bare.steps as f64 / bare.seconds, cores })
}

fn summary((id, envs): (&str, usize), peer: Option<&Peer>, rounds: Vec<Round>) -> Bench {
    let of_peer = |round: &Round| round.peer.map(|speed| speed.env_steps_per_s);
    let peer = peer.and_then(|peer| {
        let median_env_steps_per_s =
            rounds.iter().map(of_peer).collect::<Option<_>>().map(median)?;
        Some(Side { id: peer.id.clone(), envs: peer.envs, median_env_steps_per_s })
    });
    let median_of = |ratio: fn(&Round) -> Option<f64>| {
        rounds.iter().map(ratio).collect::<Option<_>>().map(median)
    };
    let (median_ratio, median_ratio_per_core) =
        (median_of(|round| round.ratio), median_of(|round| round.ratio_per_core));
    let speeds = rounds.iter().map(|round| round.own.env_steps_per_s).collect();
    let own = Side { id: id.to_owned(), envs, median_env_steps_per_s: median(speeds) };
    Bench { own, peer, median_ratio, median_ratio_per_core, rounds }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

fn text(bench: &Bench) -> String {
    let Side { id, envs, .. } = &bench.own;
    let mut text = format!("{id}, {envs} environments together, env steps/s (cores busy)\n");
    if let Some(Side { id, envs, .. }) = &bench.peer {
        text += &format!("against {id}, {envs} together, in a plain Python loop\n");
    }
    for (number, round) in bench.rounds.iter().enumerate() {
        text += &format!("  round {:<2} {}", number + 1, speed(round.own));
        if let (Some(peer), Some(ratio)) = (round.peer, round.ratio) {
            let ratios = ratios(ratio, round.ratio_per_core);
            text += &format!("   against {}   {ratios}", speed(peer));
        }
        text += "\n";
    }
    text += &format!("  median   {:>12.0}", bench.own.median_env_steps_per_s);
    if let (Some(peer), Some(ratio)) = (&bench.peer, bench.median_ratio) {
        let blank = " ".repeat(7); // where a round has its cores
        let ratios = ratios(ratio, bench.median_ratio_per_core);
        text +=
            &format!("{blank}   against {:>12.0}{blank}   {ratios}", peer.median_env_steps_per_s);
    }
    text + "\n"
}

fn ratios(ratio: f64, per_core: Option<f64>) -> String {
    let per_core = per_core.map_or_else(String::new, |ratio| format!(", per core {ratio:.2}"));
    format!("ratio {ratio:.2}{per_core}")
}

/// A speed with the cores that it took, always as wide.
fn speed(Speed { env_steps_per_s, cores }: Speed) -> String {
    let cores = cores.map_or_else(|| "(?)".to_owned(), |cores| format!("({cores:.2})"));
    format!("{env_steps_per_s:>12.0} {cores:<6}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{BenchCommand, Cli, Command};
    use clap::Parser;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }

    fn at(env_steps_per_s: f64) -> Speed {
        Speed { env_steps_per_s, cores: Some(1.0) }
    }

    #[test]
    fn a_ratio_needs_both() {
        assert_eq!(Round::new(at(60.0), Some(at(80.0))).ratio, Some(0.75));
        assert_eq!(Round::new(at(60.0), None).ratio, None);
        // Half a core against 1.5 cores.
        let [own, peer] = [(60.0, 0.5), (80.0, 1.5)]
            .map(|(env_steps_per_s, cores)| Speed { env_steps_per_s, cores: Some(cores) });
        assert_eq!(Round::new(own, Some(peer)).ratio_per_core, Some(2.25));
        let unknown = Speed { cores: None, ..peer };
        assert_eq!(Round::new(own, Some(unknown)).ratio_per_core, None);
    }

    fn args(words: &[&str]) -> BenchEnvArgs {
        let words = ["contrail", "bench", "env"].iter().chain(words);
        let Command::Bench(BenchCommand::Env(args)) = Cli::parse_from(words).command else {
            panic!("it is another command")
        };
        args
    }

    #[test]
    fn a_peer_is_in_python_and_a_pool_has_one_thread() {
        let options = EnvOptions { time_limit_env_steps: Some(7), ..EnvOptions::default() };
        let peer = |id, words: &[&str]| Peer::of(id, &options, &args(words));
        assert!(peer("CartPole-v1", &["CartPole-v1"]).unwrap().is_none());
        let itself = peer("gym:X-v0", &["gym:X-v0", "--envs", "3"]).unwrap().unwrap();
        assert_eq!((itself.id.as_str(), itself.envs), ("gym:X-v0", 3));
        assert_eq!(itself.options, options);
        for (against, more, envs, kwargs) in [
            ("gym:X-v0", &[][..], 1, "{}"),
            ("gym:X-v0", &["--against-envs", "5"], 5, "{}"),
            ("envpool:X-v0", &[], 256, r#"{"num_threads":1}"#),
        ] {
            let words = [&["CartPole-v1", "--against", against], more].concat();
            let found = peer("CartPole-v1", &words).unwrap().unwrap();
            assert_eq!((found.id.as_str(), found.envs), (against, envs), "{words:?}");
            assert_eq!(serde_json::to_string(&found.options.kwargs).unwrap(), kwargs);
            assert_eq!(found.options.time_limit_env_steps, None);
        }
        let refused = peer("CartPole-v1", &["CartPole-v1", "--against", "Acrobot-v1"]);
        let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("\"Acrobot-v1\"") && text.contains("gym:ID or envpool:ID"), "{text}");
    }

    #[test]
    fn the_table_and_the_json_say_both() {
        let options = EnvOptions::default();
        let peer = Peer { id: "gym:A-v0".into(), envs: 1, options };
        let rounds = [(600.0, 30.0), (400.0, 10.0), (500.0, 20.0)];
        let rounds = rounds.map(|(own, peer)| Round::new(at(own), Some(at(peer)))).to_vec();
        let bench = summary(("A-v0", 8), Some(&peer), rounds);
        let json = serde_json::to_value(&bench).unwrap();
        assert_eq!(json["median_env_steps_per_s"], 500.0);
        assert_eq!(json["peer"]["median_env_steps_per_s"], 20.0);
        assert_eq!(
            (&json["median_ratio"], &json["rounds"][1]["ratio"]),
            (&25.0.into(), &40.0.into())
        );
        assert_eq!(json["rounds"][1]["peer"]["cores"], 1.0);
        let text = text(&bench);
        assert!(text.contains("against gym:A-v0, 1 together, in a plain Python loop"), "{text}");
        let last = text.lines().last().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(last, "median 500 against 20 ratio 25.00, per core 25.00");
    }
}
