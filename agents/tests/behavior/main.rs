//! What agents and policies promise beyond numbers: resume, determinism, refusal, action choice.

#![allow(clippy::unwrap_used)] // a test panics when it fails

mod contrast;
mod faults;
mod imitation;
mod policy;
mod q_values;
mod resume;

use contrail_agents::dqn::Dqn;
use contrail_agents::sac::{Bounds, Sac};
use contrail_agents::{
    ActionBatch, Agent, AgentState, Distribution, DqnConfig, Minibatch, NetworkConfig, ObsBatch,
    ObsSpec, SacConfig, Torso, UpdateSettings,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tch::Device;

const ROWS: usize = 16;
const QUIET: UpdateSettings = UpdateSettings { progress: 0.0, detail: false };

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    tch::set_num_threads(1);
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn vector(len: i64) -> ObsSpec {
    ObsSpec { shape: vec![len], bytes: false, scale: 1.0 }
}

fn hidden(units: &[i64]) -> NetworkConfig {
    NetworkConfig { torso: Torso::Mlp, hidden_units: units.to_vec(), layer_norm: false }
}

/// A DQN of 4 numbers and 3 actions.
fn dqn(network: &NetworkConfig, config: &DqnConfig, seed: u64) -> Dqn {
    Dqn::new((&vector(4), 3), network, config, Device::Cpu, &mut rng(seed))
}

/// A SAC of 4 numbers and 2 actions with bounds on one side of zero and across it.
fn sac(network: &NetworkConfig, config: &SacConfig, seed: u64) -> Sac {
    Sac::new((&vector(4), &bounds()), network, config, Device::Cpu, &mut rng(seed))
}

fn bounds() -> Bounds {
    Bounds::new(&[-3.0, 0.5], &[1.0, 0.75]).unwrap()
}

/// A minibatch for [`dqn`].
fn dqn_batch(seed: u64) -> Minibatch {
    let mut rng = rng(seed);
    let mut floats =
        |count: usize| (0..count).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect::<Vec<f32>>();
    let (obs, next_obs) = (ObsBatch::F32(floats(ROWS * 4)), ObsBatch::F32(floats(ROWS * 4)));
    let n_step_return = floats(ROWS);
    let discount = (0..ROWS).map(|i| if i % 5 == 0 { 0.0 } else { 0.97 }).collect();
    let weights = (0..ROWS).map(|i| 1.0 / (i + 1) as f32).collect();
    let actions = ActionBatch::Discrete((0..ROWS).map(|i| (i % 3) as i64).collect());
    Minibatch { obs, actions, n_step_return, discount, next_obs, weights }
}

/// A minibatch for [`sac`].
fn sac_batch(seed: u64) -> Minibatch {
    let mut rng = rng(seed + 1000);
    let mut pair = || [rng.random_range(-3.0f32..1.0), rng.random_range(0.5f32..0.75)];
    let actions = ActionBatch::Box((0..ROWS).flat_map(|_| pair()).collect());
    Minibatch { actions, ..dqn_batch(seed) }
}

/// Every combination of DQN's switches: 2 x 2 x 2 x 3 x 2.
fn all_dqn_settings() -> Vec<(NetworkConfig, DqnConfig)> {
    let mut all = Vec::new();
    for switches in 0..16 {
        let on = |bit: i32| switches >> bit & 1 == 1;
        for distribution in [Distribution::Mean, Distribution::C51, Distribution::Quantile] {
            let network = NetworkConfig { layer_norm: on(0), ..hidden(&[8, 6]) };
            let config = DqnConfig {
                double: on(1),
                dueling: on(2),
                noisy: on(3),
                distribution,
                num_atoms: 7,
                support_min: -2.0,
                support_max: 2.0,
                learning_rate: 1e-2,
                target_update_period_updates: 3,
                target_ema_rate: 0.5,
                ..DqnConfig::default()
            };
            all.push((network, config));
        }
    }
    all
}

/// Updates on the minibatches of `seeds`, with a generator that starts at the first of them.
fn run(agent: &mut dyn Agent, batch: impl Fn(u64) -> Minibatch, seeds: std::ops::Range<u64>) {
    let mut rng = rng(seeds.start);
    for seed in seeds {
        agent.update(&batch(seed), QUIET, &mut rng).unwrap();
    }
}

/// Replaces the values of one array of a state.
fn set(state: &mut AgentState, name: &str, values: &[f32]) {
    let array = state
        .arrays
        .iter_mut()
        .find(|a| a.name == name)
        .unwrap_or_else(|| panic!("no array {name}"));
    assert_eq!(array.values.len(), values.len(), "length of {name}");
    array.values = values.to_vec();
}
