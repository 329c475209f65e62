//! Names of keys: which exist, which is nearest to a misspelt one, which have no effect.

use super::distill::Detect;
use super::raw::{AlgorithmName, RawConfig};
use super::replay::Sampling;
use super::valid::{Algorithm, Config};
use crate::replay::SubspaceLaw;
use contrail_agents::{Distribution, DqnConfig};
use serde_json::Value;
use strsim::normalized_damerau_levenshtein as similarity;

/// Below this similarity a suggestion would be a guess.
const MIN_SIMILARITY: f64 = 0.5;

/// The top-level key that names a base file; files only.
pub(super) const EXTENDS: &str = "extends";

/// Sections whose entries are the user's to name. Each is one value here; layers add to it.
pub(super) const OPEN: [&str; 5] =
    ["env.contexts", "env.kwargs", "replay.subspace_quota", "schedule.weights", "subspaces"];

/// Every key of a config in dotted form, `section.key`, optional ones included, in alphabetical
/// order. They are read off [`RawConfig`] itself, so that there is no second list to maintain.
///
/// # Errors
/// If the default config cannot be serialised, which would be a bug.
pub fn known_keys() -> Result<Vec<String>, serde_json::Error> {
    let mut keys = Vec::new();
    collect(&serde_json::to_value(RawConfig::default())?, "", &mut keys);
    keys.extend(OPEN.map(str::to_owned));
    keys.sort();
    Ok(keys)
}

fn collect(value: &Value, path: &str, keys: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                collect(entry, &format!("{path}{dot}{name}"), keys);
            }
        }
        _ => keys.push(path.to_owned()),
    }
}

/// Why `key` is refused: a sentence with the nearest of `known`. Settings of an algorithm other
/// than `algorithm` are suggested only to who wrote its section.
pub(super) fn unknown(key: &str, known: &[String], algorithm: &str) -> String {
    if key == EXTENDS {
        return format!("{EXTENDS:?} is allowed in config files alone");
    }
    let is_section = |k: &&String| k.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    if let Some(example) = known.iter().find(is_section) {
        return format!("{key:?} is a section, not a value; its keys are written like {example:?}");
    }
    let section = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let idle = |candidate: &str| {
        let owner = section(candidate);
        owner != algorithm
            && owner != section(key)
            && AlgorithmName::NAMES.contains(&owner.as_str())
    };
    let candidates = known.iter().map(String::as_str).filter(|k| !idle(k)).chain([EXTENDS]);
    let nearest = candidates
        .map(|candidate| (nearness(key, candidate), candidate))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((score, nearest)) if score >= MIN_SIMILARITY => {
            format!("unknown key {key:?}; did you mean {nearest:?}?")
        }
        _ => format!("unknown key {key:?}; the sections are {}", sections(known)),
    }
}

/// The better of the whole key and of its last part, which finds a key in the wrong section. The
/// whole key also decides between equal last parts.
fn nearness(key: &str, candidate: &str) -> f64 {
    let whole = similarity(key, candidate);
    let part = similarity(last_part(key), last_part(candidate));
    whole.max(0.95 * part + 0.05 * whole)
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn sections(known: &[String]) -> String {
    let mut names: Vec<&str> = known.iter().filter_map(|k| k.split('.').next()).collect();
    names.dedup(); // `known` is sorted
    names.join(", ")
}

/// Why setting `key` changes nothing in `config`, if so.
pub(super) fn without_effect(key: &str, config: &Config) -> Option<&'static str> {
    let (section, name) = key.split_once('.')?;
    match (section, &config.algorithm) {
        ("contrast", _) if config.distill.is_none() => {
            (name != "enabled").then_some("contrast.enabled is false")
        }
        ("tokens" | "teacher" | "memory" | "loss_policy", _) if config.distill.is_none() => {
            Some("contrast.enabled is false")
        }
        ("tokens", _) if config.distill.as_ref().is_some_and(|d| !d.tokens.enabled) => {
            (name != "enabled").then_some("tokens.enabled is false")
        }
        ("shift", _) if config.shift.detect == Detect::Off => {
            (name != "detect").then_some("shift.detect is \"off\"")
        }
        ("shift", _) if name == "accuracy_drop" => {
            (config.shift.detect != Detect::Accuracy).then_some("shift.detect is not \"accuracy\"")
        }
        ("sac" | "imitation", Algorithm::Dqn(_)) => Some("algorithm.name is \"dqn\""),
        ("dqn" | "imitation", Algorithm::Sac(_)) => Some("algorithm.name is \"sac\""),
        ("dqn" | "sac", Algorithm::Imitation(_)) => Some("algorithm.name is \"imitation\""),
        ("dqn", Algorithm::Dqn(dqn)) => dqn_without_effect(name, dqn),
        ("sac", Algorithm::Sac(sac)) if !sac.learn_entropy_coefficient => {
            matches!(name, "entropy_learning_rate" | "target_entropy_per_dimension")
                .then_some("sac.learn_entropy_coefficient is false")
        }
        ("exploration", Algorithm::Sac(_)) if name.starts_with("epsilon_") => {
            Some("algorithm.name is \"sac\", which explores by its own policy")
        }
        ("exploration", Algorithm::Dqn(dqn)) if dqn.noisy && name.starts_with("epsilon_") => {
            Some("dqn.noisy is true, which explores by noise on the weights")
        }
        ("exploration", Algorithm::Imitation(_)) if name.starts_with("epsilon_") => {
            Some("algorithm.name is \"imitation\", which does not explore")
        }
        ("evaluation", Algorithm::Sac(_)) if name == "epsilon" => Some("algorithm.name is \"sac\""),
        ("replay", _) if name == "subspace_temperature" => {
            (!matches!(config.replay.law, SubspaceLaw::Temperature(_)))
                .then_some("replay.subspace_law is not \"temperature\"")
        }
        ("replay", _) if name.starts_with("subspace_quota") => {
            (!matches!(config.replay.law, SubspaceLaw::Quota(_)))
                .then_some("replay.subspace_law is not \"quota\"")
        }
        ("schedule", _) => config.schedule.without_effect(name),
        ("replay", _)
            if config.replay.sampling == Sampling::Uniform && name.contains("_exponent") =>
        {
            Some("replay.sampling is \"uniform\"")
        }
        _ => None,
    }
}

fn dqn_without_effect(name: &str, dqn: &DqnConfig) -> Option<&'static str> {
    match name {
        "support_min" | "support_max" if dqn.distribution != Distribution::C51 => {
            Some("dqn.distribution is not \"c51\"")
        }
        "num_atoms" if dqn.distribution == Distribution::Mean => {
            Some("dqn.distribution is \"mean\"")
        }
        _ => None,
    }
}
