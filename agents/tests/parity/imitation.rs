//! Five whole updates of imitation against autograd and `torch.optim.Adam`: `make_imitation` of
//! make_golden.py, with weights and clipping, with and without a penalty. f32.

use crate::dqn::{dqn_batch, fill_state, saved};
use crate::generator;
use crate::golden::Golden;
use contrail_agents::imitation::{Imitation, ImitationConfig};
use contrail_agents::{Agent, NetworkConfig, ObsSpec, UpdateSettings};
use tch::Device;

/// Five Adam steps amplify the rounding of a gradient.
const TOLERANCE: f64 = 3e-6;

fn check(name: &str, l2: f64) {
    tch::set_num_threads(1);
    let golden = Golden::parse(include_str!("../golden/imitation.json"));
    let spec = ObsSpec { shape: vec![5], bytes: false, scale: 1.0 };
    let network = NetworkConfig { hidden_units: vec![16, 12], ..NetworkConfig::default() };
    let config = ImitationConfig {
        learning_rate: 1e-2,
        adam_epsilon: 1.5e-4,
        max_grad_norm: 0.5,
        l2,
        ..ImitationConfig::default()
    };
    let parts = (&network, None);
    let mut agent = Imitation::new((&spec, 3), parts, &config, Device::Cpu, &mut generator());
    let mut state = agent.save();
    fill_state(&mut state, "online/", 6000);
    agent.restore(&state).unwrap();
    for update in 0..5 {
        let batch = dqn_batch(6100 + 10 * update, &spec, 3);
        let settings = UpdateSettings { progress: 0.0, detail: true };
        let report = agent.update(&batch, settings, &mut generator()).unwrap();
        golden.check_slice(&format!("{name}/priorities{update}"), &report.priorities, TOLERANCE);
        let metric = |key: &str| report.metrics.iter().find(|m| m.0 == key).unwrap().1 as f32;
        let metrics = ["train/loss", "train/grad_norm", "train/accuracy"].map(metric);
        golden.check_slice(&format!("{name}/metrics{update}"), &metrics, TOLERANCE);
    }
    golden.check_slice(&format!("{name}/online"), &saved(&agent.save(), "online/"), TOLERANCE);
}

#[test]
fn without_a_penalty() {
    check("plain", 0.0);
}

#[test]
fn with_a_penalty() {
    check("penalty", 0.1);
}
