//! Five whole updates of DQN against autograd and `torch.optim.Adam`: `make_dqn` of
//! make_golden.py.
//!
//! Together the four cases switch on everything: double, dueling, noisy layers, both
//! distributions, layer normalisation, a convolution, terminated transitions, importance weights,
//! clipping, a falling learning rate, full and partial target updates. f32.

use crate::generator;
use crate::golden::{Golden, bits, image, numbers, weights};
use contrail_agents::dqn::Dqn;
use contrail_agents::{
    ActionBatch, Agent, AgentState, Distribution, DqnConfig, Minibatch, NetworkConfig, ObsBatch,
    ObsSpec, Torso, UpdateSettings,
};
use tch::Device;

/// Five Adam steps amplify the rounding of a gradient; 3e-7 was measured.
const TOLERANCE: f64 = 3e-6;
const ROWS: usize = 8;

/// `minibatch` of make_golden.py.
pub(crate) fn dqn_batch(seed: u32, spec: &ObsSpec, actions: i64) -> Minibatch {
    let len = ROWS * spec.len() as usize;
    let obs = |seed| {
        if spec.bytes {
            ObsBatch::U8(image(seed, len, 256))
        } else {
            ObsBatch::F32(numbers(seed, len, 2.0))
        }
    };
    let magnitudes = |seed| numbers(seed, ROWS, 1.0).into_iter().map(f32::abs);
    Minibatch {
        obs: obs(seed),
        next_obs: obs(seed + 1),
        actions: ActionBatch::Discrete(
            bits(seed + 2, ROWS).into_iter().map(|x| i64::from(x) % actions).collect(),
        ),
        n_step_return: numbers(seed + 3, ROWS, 2.0),
        discount: magnitudes(seed + 4)
            .enumerate()
            .map(|(i, d)| if i % 4 == 0 { 0.0 } else { d })
            .collect(),
        weights: magnitudes(seed + 5).collect(),
    }
}

/// A state with the weights of `fill` in every array under `prefix`, in order.
pub(crate) fn fill_state(state: &mut AgentState, prefix: &str, seed: u32) -> Vec<f32> {
    let mut all = Vec::new();
    let own = state
        .arrays
        .iter_mut()
        .filter(|a| a.name.starts_with(prefix) && !a.name.contains("/adam/"));
    for (i, array) in own.enumerate() {
        array.values = weights(seed + i as u32, &array.name, &array.shape);
        all.extend(&array.values);
    }
    all
}

/// Parameters under `prefix`, in order.
pub(crate) fn saved(state: &AgentState, prefix: &str) -> Vec<f32> {
    let own =
        state.arrays.iter().filter(|a| a.name.starts_with(prefix) && !a.name.contains("/adam/"));
    own.flat_map(|a| a.values.clone()).collect()
}

struct Case {
    name: &'static str,
    spec: ObsSpec,
    actions: i64,
    network: NetworkConfig,
    config: DqnConfig,
}

fn check(case: &Case) {
    tch::set_num_threads(1);
    let golden = Golden::parse(include_str!("../golden/dqn.json"));
    let Case { name, spec, actions, network, config } = case;
    let mut agent = Dqn::new((spec, *actions), network, config, Device::Cpu, &mut generator());
    let mut state = agent.save();
    // The target network has other weights than the online one, so that mixing them up is seen.
    let target = fill_state(&mut state, "online/", 2500);
    fill_state(&mut state, "online/", 2000);
    state.arrays.iter_mut().find(|a| a.name == "target").unwrap().values = target;
    agent.restore(&state).unwrap();
    let mut rng = generator();
    for update in 0..5 {
        let batch = dqn_batch(3000 + 10 * update, spec, *actions);
        let settings = UpdateSettings { progress: f64::from(update) / 10.0, detail: true };
        let report = agent.update(&batch, settings, &mut rng).unwrap();
        golden.check_slice(&format!("{name}/priorities{update}"), &report.priorities, TOLERANCE);
        let metric = |key: &str| report.metrics.iter().find(|m| m.0 == key).unwrap().1 as f32;
        let metrics = ["train/loss", "train/grad_norm", "train/q_mean", "train/q_max"].map(metric);
        golden.check_slice(&format!("{name}/metrics{update}"), &metrics, TOLERANCE);
    }
    let state = agent.save();
    golden.check_slice(&format!("{name}/online"), &saved(&state, "online/"), TOLERANCE);
    golden.check_slice(&format!("{name}/target"), &saved(&state, "target"), TOLERANCE);
    assert_eq!(agent.policy_params(), saved(&state, "online/"), "actors get the online network");
}

/// Settings that all cases share.
fn config(distribution: Distribution, num_atoms: i64) -> DqnConfig {
    DqnConfig {
        distribution,
        num_atoms,
        support_min: -2.0,
        support_max: 2.0,
        learning_rate: 1e-2,
        learning_rate_final: 2e-3,
        adam_epsilon: 1.5e-4,
        max_grad_norm: 0.5,
        target_update_period_updates: 2,
        ..DqnConfig::default()
    }
}

fn vector(len: i64) -> ObsSpec {
    ObsSpec { shape: vec![len], bytes: false, scale: 1.0 }
}

fn hidden(units: &[i64]) -> NetworkConfig {
    NetworkConfig { torso: Torso::Mlp, hidden_units: units.to_vec(), layer_norm: false }
}

#[test]
fn double_dqn() {
    let config = config(Distribution::Mean, 1);
    check(&Case { name: "mean", spec: vector(5), actions: 3, network: hidden(&[16, 12]), config });
}

#[test]
fn dueling_c51_with_layer_norm() {
    let config = DqnConfig { dueling: true, target_ema_rate: 0.5, ..config(Distribution::C51, 11) };
    let network = NetworkConfig { layer_norm: true, ..hidden(&[12, 10]) };
    check(&Case { name: "c51", spec: vector(5), actions: 3, network, config });
}

#[test]
fn quantile_regression_on_images() {
    let config =
        DqnConfig { double: false, target_ema_rate: 0.5, ..config(Distribution::Quantile, 6) };
    let network = NetworkConfig { torso: Torso::Minatar, ..hidden(&[8]) };
    let spec = ObsSpec { shape: vec![2, 5, 5], bytes: true, scale: 255.0 };
    check(&Case { name: "quantile", spec, actions: 3, network, config });
}

#[test]
fn rainbow_with_known_noise() {
    let config = DqnConfig { dueling: true, noisy: true, ..config(Distribution::C51, 7) };
    check(&Case { name: "rainbow", spec: vector(4), actions: 2, network: hidden(&[8]), config });
}
