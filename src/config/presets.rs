//! Tuned settings that come with the binary, used when an environment is named without a file.

use super::error::ConfigError;
use super::layers::{Layer, from_text};

/// A file of `configs/`, compiled in.
struct Preset {
    env: &'static str,
    algo: &'static str,
    name: &'static str,
    text: &'static str,
}

macro_rules! preset {
    ($env:literal, $algo:literal, $name:literal) => {
        Preset {
            env: $env,
            algo: $algo,
            name: concat!("configs/", $name),
            text: include_str!(concat!("../../configs/", $name)),
        }
    };
}

/// At most one entry for an environment and algorithm; of two algorithms the first is the one
/// used when none is named.
const PRESETS: &[Preset] = &[
    preset!("CartPole-v1", "dqn", "cartpole_dqn.toml"),
    preset!("Acrobot-v1", "dqn", "acrobot_dqn.toml"),
    preset!("MountainCar-v0", "dqn", "mountain_car_dqn.toml"),
    preset!("Pendulum-v1", "sac", "pendulum_sac.toml"),
    preset!("MinAtar/Breakout-v1", "dqn", "minatar_breakout_dqn.toml"),
    preset!("MinAtar/SpaceInvaders-v1", "dqn", "minatar_space_invaders_dqn.toml"),
];

/// Other MinAtar games share the image size and the reward scale of this one.
const MINATAR: (&str, &str) = ("MinAtar/", "MinAtar/Breakout-v1");

/// The tuned settings for an environment, or no layer. Without an algorithm, that of the settings.
pub(super) fn layer(env: Option<&str>, algo: Option<&str>) -> Result<Vec<Layer>, ConfigError> {
    match env.and_then(|env| find(env, algo)) {
        Some(preset) => Ok(vec![from_text(preset.name, preset.text)?]),
        None => Ok(Vec::new()),
    }
}

fn find(env: &str, algo: Option<&str>) -> Option<&'static Preset> {
    let exact = |id: &str| {
        PRESETS
            .iter()
            .find(|preset| preset.env == id && algo.is_none_or(|algo| algo == preset.algo))
    };
    // Gymnasium's environment of the same name has the same dynamics.
    let env = env.strip_prefix("gym:").unwrap_or(env);
    let (prefix, similar) = MINATAR;
    exact(env).or_else(|| env.starts_with(prefix).then(|| exact(similar)).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_agrees_with_the_files() {
        for preset in PRESETS {
            let layer = from_text(preset.name, preset.text).unwrap();
            let text =
                |section: &str, key: &str| layer.table[section][key].as_str().map(str::to_owned);
            assert_eq!(text("env", "id").as_deref(), Some(preset.env), "{}", preset.name);
            assert_eq!(text("algorithm", "name").as_deref(), Some(preset.algo), "{}", preset.name);
            assert!(!layer.table.contains_key("extends"), "{} cannot be compiled in", preset.name);
        }
    }

    #[test]
    fn finds_by_environment_and_algorithm() {
        let name = |env, algo| find(env, algo).map(|preset| preset.name);
        assert_eq!(name("CartPole-v1", Some("dqn")), Some("configs/cartpole_dqn.toml"));
        assert_eq!(name("CartPole-v1", Some("sac")), None);
        assert_eq!(name("Pendulum-v1", None), Some("configs/pendulum_sac.toml"));
        assert_eq!(name("MinAtar/Asterix-v1", None), Some("configs/minatar_breakout_dqn.toml"));
        assert_eq!(name("Elsewhere-v0", None), None);
    }
}
