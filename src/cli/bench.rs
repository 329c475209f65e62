//! `contrail bench env`: how fast an environment steps, in pairs of measurements taken in turn.

use super::{BenchEnvArgs, Exit, print, print_json};
use crate::config::{self, Overrides};
use crate::run::env_options;
use anyhow::Result;
use contrail_envs::conformance::steps_per_s;
use contrail_envs::{EnvOptions, Registry, python};
use serde::Serialize;
use std::time::Duration;

/// All rounds of one environment.
#[derive(Serialize)]
struct Bench {
    id: String,
    envs: usize,
    rounds: Vec<Round>,
    median_env_steps_per_s: f64,
    /// Of the rounds' ratios, for environments in Python.
    median_ratio: Option<f64>,
}

/// One measurement of each kind, one right after the other.
#[derive(Clone, Copy, Serialize)]
struct Round {
    /// Random actions through Contrail, resets with their seeds included.
    env_steps_per_s: f64,
    /// The same number of environments in a plain Python loop that resets without seeds.
    bare_env_steps_per_s: Option<f64>,
}

impl Round {
    fn ratio(self) -> Option<f64> {
        Some(self.env_steps_per_s / self.bare_env_steps_per_s?)
    }
}

pub(super) fn env(args: &BenchEnvArgs, registry: &Registry) -> Result<Exit> {
    let overrides =
        Overrides { env: args.id.clone(), set: args.set.clone(), ..Overrides::default() };
    let config = config::load(args.config.as_deref(), &overrides)?;
    let (id, options) = (config.env.id.as_str(), env_options(&config.env));
    let rounds = (0..args.rounds)
        .map(|number| round((id, number), registry, (&options, args)))
        .collect::<Result<Vec<_>>>()?;
    let ratios: Option<Vec<f64>> = rounds.iter().map(|round| round.ratio()).collect();
    let bench = Bench {
        id: id.to_owned(),
        envs: args.envs,
        median_env_steps_per_s: median(rounds.iter().map(|r| r.env_steps_per_s).collect()),
        median_ratio: ratios.map(median),
        rounds,
    };
    if args.json {
        print_json(&bench)?
    } else {
        print(&text(&bench))?
    }
    Ok(Exit::Done)
}

fn round(
    (id, number): (&str, u32),
    registry: &Registry,
    (options, args): (&EnvOptions, &BenchEnvArgs),
) -> Result<Round> {
    let duration = Duration::from_secs_f64(args.seconds);
    let mut envs = registry.make_batch(id, options, args.envs)?;
    let env_steps_per_s = steps_per_s(&mut envs, u64::from(number), duration)?;
    drop(envs); // its worker must not share the core with the plain loop
    let bare_env_steps_per_s = if python::is_python(id) {
        let bare = python::bare_loop(id, options, (args.envs, duration))?;
        Some(bare.steps as f64 / bare.seconds)
    } else {
        None
    };
    Ok(Round { env_steps_per_s, bare_env_steps_per_s })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

fn text(bench: &Bench) -> String {
    let mut text = format!("{}, {} environments together, env steps/s\n", bench.id, bench.envs);
    for (number, round) in bench.rounds.iter().enumerate() {
        text += &format!("  round {:<2} {:>12.0}", number + 1, round.env_steps_per_s);
        if let (Some(bare), Some(ratio)) = (round.bare_env_steps_per_s, round.ratio()) {
            text += &format!("   bare Python loop {bare:>12.0}   ratio {ratio:.2}");
        }
        text += "\n";
    }
    text += &format!("  median   {:>12.0}", bench.median_env_steps_per_s);
    if let Some(ratio) = bench.median_ratio {
        text += &format!("{:>50}", format!("ratio {ratio:.2}"));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }

    #[test]
    fn a_ratio_needs_both() {
        let round = |bare_env_steps_per_s| Round { env_steps_per_s: 60.0, bare_env_steps_per_s };
        assert_eq!(round(Some(80.0)).ratio(), Some(0.75));
        assert_eq!(round(None).ratio(), None);
    }
}
