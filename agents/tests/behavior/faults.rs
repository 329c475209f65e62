//! NaN, infinity and unsuitable input end an update and leave the agent as it was.

use super::*;
use contrail_agents::AgentError;
use contrail_agents::optim::{AdamStep, Trainable};
use contrail_agents::params::{Init, Layout};
use tch::Kind;

type Damage = (&'static str, fn(&mut Minibatch, f32));

const DAMAGES: [Damage; 5] = [
    ("n_step_return", |b, bad| b.n_step_return[3] = bad),
    ("discount", |b, bad| b.discount[3] = bad),
    ("weights", |b, bad| b.weights[3] = bad),
    ("obs", |b, bad| {
        if let ObsBatch::F32(obs) = &mut b.obs {
            obs[5] = bad
        }
    }),
    ("next_obs", |b, bad| {
        if let ObsBatch::F32(obs) = &mut b.next_obs {
            obs[5] = bad
        }
    }),
];

/// NaN anywhere in a minibatch is refused, nothing changes, and the next good update is the one
/// that would have come without it.
fn check(agent: &mut dyn Agent, twin: &mut dyn Agent, batch: fn(u64) -> Minibatch, bad: &[f32]) {
    let before = agent.save();
    for (name, damage) in DAMAGES {
        for &bad in bad {
            let mut damaged = batch(0);
            damage(&mut damaged, bad);
            match agent.update(&damaged, QUIET, &mut rng(0)) {
                Err(AgentError::NotFinite { value, update, .. }) => {
                    assert!(!value.is_finite());
                    assert_eq!(update, 1, "the number of the update that failed");
                }
                other => panic!("{bad} in {name} gave {other:?}"),
            }
            assert_eq!(agent.save(), before, "{bad} in {name} changed the agent");
        }
    }
    run(agent, batch, 1..4);
    run(twin, batch, 1..4);
    assert_eq!(agent.save(), twin.save());
}

#[test]
fn dqn_refuses_nan_with_every_switch() {
    for (network, config) in all_dqn_settings() {
        let (mut agent, mut twin) = (dqn(&network, &config, 1), dqn(&network, &config, 1));
        check(&mut agent, &mut twin, dqn_batch, &[f32::NAN]);
    }
}

#[test]
fn sac_refuses_nan() {
    let (mut agent, mut twin) = (
        sac(&hidden(&[8]), &SacConfig::default(), 1),
        sac(&hidden(&[8]), &SacConfig::default(), 1),
    );
    check(&mut agent, &mut twin, sac_batch, &[f32::NAN]);
}

/// The gradient of a Huber loss is finite where the loss is infinite.
#[test]
fn an_infinite_loss_is_refused() {
    for distribution in [Distribution::Mean, Distribution::Quantile] {
        let config = DqnConfig { distribution, num_atoms: 5, ..DqnConfig::default() };
        let mut agent = dqn(&hidden(&[8]), &config, 1);
        let before = agent.save();
        let mut batch = dqn_batch(0);
        batch.n_step_return[3] = f32::INFINITY;
        let result = agent.update(&batch, QUIET, &mut rng(0));
        assert!(
            matches!(result, Err(AgentError::NotFinite { .. })),
            "{distribution:?} gave {result:?}"
        );
        assert_eq!(agent.save(), before);
    }
}

#[test]
fn actions_of_the_wrong_kind_are_refused() {
    let result =
        dqn(&hidden(&[8]), &DqnConfig::default(), 1).update(&sac_batch(0), QUIET, &mut rng(0));
    assert!(matches!(result, Err(AgentError::Unsuitable(text)) if text.contains("continuous")));
    let result =
        sac(&hidden(&[8]), &SacConfig::default(), 1).update(&dqn_batch(0), QUIET, &mut rng(0));
    assert!(matches!(result, Err(AgentError::Unsuitable(text)) if text.contains("discrete")));
}

/// A parameter that the loss does not reach has the gradient 0, as `optimizer.zero_grad` with
/// `set_to_none=False` has it in `PyTorch`.
#[test]
fn a_parameter_out_of_the_loss_stays() {
    let mut layout = Layout::default();
    for name in ["a", "b", "c"] {
        layout.add(name, &[2], Init::Constant(1.0));
    }
    let mut trainable = Trainable::new(&layout, &[1.0; 6], Device::Cpu);
    // √v hides the sizes of gradients in the first step: it is the learning rate.
    let step = AdamStep { learning_rate: 0.5, epsilon: 1e-8, max_grad_norm: 0.0 };
    let check = |trainable: &mut Trainable, index: usize, want: [f32; 6]| {
        let loss = trainable.params().views()[index].sum(Kind::Float);
        let norm = trainable.minimize(&loss, step).unwrap();
        assert!((norm - 2.0f64.sqrt()).abs() < 1e-6, "the gradient is (1, 1), its norm {norm}");
        let values = trainable.values();
        assert!(
            values.iter().zip(want).all(|(v, w)| (v - w).abs() < 1e-6),
            "{values:?}, expected {want:?}"
        );
    };
    check(&mut trainable, 1, [1.0, 1.0, 0.5, 0.5, 1.0, 1.0]);
    // Second step, t = 2: for b, m = 0.09, v = 0.000999, and m̂/√v̂ = (0.09/0.19)/√(0.000999/0.001999)
    // = 0.670058; for c, m̂/√v̂ = (0.1/0.19)/√(0.001/0.001999) = 0.744137.
    let (b, c) = (0.5 - 0.5 * 0.670_058, 1.0 - 0.5 * 0.744_137);
    check(&mut trainable, 2, [1.0, 1.0, b, b, c, c]);
}

/// The norm of many equal gradients, against √P: partial sums in f32 must not lose small terms.
#[test]
fn the_norm_of_two_million_gradients_is_exact() {
    let count = 2_000_003;
    let mut layout = Layout::default();
    layout.add("p", &[count], Init::Constant(0.0));
    let mut trainable = Trainable::new(&layout, &vec![0.0; count as usize], Device::Cpu);
    let loss = (&trainable.params().views()[0] * 0.1).sum(Kind::Float);
    let step = AdamStep { learning_rate: 0.0, epsilon: 1e-8, max_grad_norm: 0.0 };
    let norm = trainable.minimize(&loss, step).unwrap();
    let want = (0.1f32 as f64) * (count as f64).sqrt();
    assert!((norm / want - 1.0).abs() < 1e-6, "{norm}, exact {want}");
}
