//! Five whole updates of SAC against autograd and `torch.optim.Adam` on the same normal draws:
//! `make_sac` of make_golden.py. f32.

use crate::dqn::{dqn_batch, fill_state, saved};
use crate::generator;
use crate::golden::Golden;
use contrail_agents::sac::{Bounds, Sac};
use contrail_agents::{
    ActionBatch, Agent, Minibatch, NetworkConfig, ObsSpec, SacConfig, Torso, UpdateSettings,
};
use tch::Device;

const TOLERANCE: f64 = 3e-6;

fn check(name: &str, max_grad_norm: f64) {
    tch::set_num_threads(1);
    let golden = Golden::parse(include_str!("../golden/sac.json"));
    let spec = ObsSpec { shape: vec![3], bytes: false, scale: 1.0 };
    let bounds = Bounds::new(&[-2.0, 0.5], &[1.0, 4.0]).unwrap();
    let network = NetworkConfig { torso: Torso::Mlp, hidden_units: vec![8, 8], layer_norm: false };
    let config = SacConfig {
        policy_learning_rate: 1e-3,
        critic_learning_rate: 2e-3,
        entropy_learning_rate: 3e-3,
        entropy_coefficient: 0.3,
        target_ema_rate: 0.05,
        max_grad_norm,
        ..SacConfig::default()
    };
    let mut agent = Sac::new((&spec, &bounds), &network, &config, Device::Cpu, &mut generator());
    let mut state = agent.save();
    let target = fill_state(&mut state, "critics/", 4200);
    fill_state(&mut state, "policy/", 4000);
    fill_state(&mut state, "critics/", 4100);
    state.arrays.iter_mut().find(|a| a.name == "target_critics").unwrap().values = target;
    agent.restore(&state).unwrap();
    let mut rng = generator();
    for update in 0..5 {
        let actions = ActionBatch::Box(golden.floats(&format!("{name}/actions{update}")));
        let batch = Minibatch { actions, ..dqn_batch(5000 + 10 * update, &spec, 2) };
        let settings = UpdateSettings { progress: 0.0, detail: true };
        let report = agent.update(&batch, settings, &mut rng).unwrap();
        golden.check_slice(&format!("{name}/priorities{update}"), &report.priorities, TOLERANCE);
        let metric = |key: &str| report.metrics.iter().find(|m| m.0 == key).unwrap().1 as f32;
        let metrics = ["train/critic_loss", "train/actor_loss", "train/ent_coef", "train/entropy"]
            .map(metric);
        golden.check_slice(&format!("{name}/metrics{update}"), &metrics, TOLERANCE);
    }
    let state = agent.save();
    golden.check_slice(&format!("{name}/policy"), &saved(&state, "policy/"), TOLERANCE);
    golden.check_slice(&format!("{name}/critics"), &saved(&state, "critics/"), TOLERANCE);
    golden.check_slice(&format!("{name}/targets"), &saved(&state, "target_critics"), TOLERANCE);
    golden.check_slice(
        &format!("{name}/log_alpha"),
        &saved(&state, "entropy_coefficient/log"),
        TOLERANCE,
    );
}

#[test]
fn five_updates() {
    check("plain", 0.0);
}

#[test]
fn five_updates_with_clipping() {
    check("clip", 0.5);
}
