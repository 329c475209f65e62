//! Tests of configs, and what they share.

mod layers;
mod refusals;
mod spaces;
mod values;

use super::{Algorithm, Config, ConfigError, Overrides, from_toml, load};

const MINIMAL: &str = "[env]\nid = \"Test-v0\"\n";

fn parse(more: &str) -> Result<Config, ConfigError> {
    from_toml("test.toml", &format!("{MINIMAL}{more}"))
}

/// The config of a minimal file with these `--set`s on top.
fn set(assignments: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.toml");
    std::fs::write(&file, MINIMAL).unwrap();
    let set = assignments.iter().map(ToString::to_string).collect();
    load(Some(&file), &Overrides { set, ..Overrides::default() })
}

fn dqn(config: &Config) -> &contrail_agents::DqnConfig {
    match &config.algorithm {
        Algorithm::Dqn(dqn) => dqn,
        Algorithm::Sac(_) | Algorithm::Imitation(_) => panic!("expected dqn"),
    }
}

fn refusal(result: Result<Config, ConfigError>) -> String {
    result.expect_err("expected a refusal").to_string()
}
