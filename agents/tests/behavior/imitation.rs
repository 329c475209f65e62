//! Imitation of actions: one update by hand, what it learns and what it refuses.

use super::*;
use contrail_agents::contrast::{ContrastConfig, DistillOn, Objective, Representation};
use contrail_agents::gate::GateRule;
use contrail_agents::imitation::{Imitation, ImitationConfig};
use contrail_agents::losses::Debias;
use contrail_agents::{ActMode, AgentError, Augmentation};

/// Adam's epsilon is 1, so that the first step says how large a gradient g was: it is
/// 0.1 g / (|g| + 1).
fn config() -> ImitationConfig {
    ImitationConfig { learning_rate: 0.1, adam_epsilon: 1.0, ..ImitationConfig::default() }
}

fn agent(
    spec: &ObsSpec,
    network: &NetworkConfig,
    config: &ImitationConfig,
    seed: u64,
) -> Imitation {
    Imitation::new((spec, 3), (network, None), config, Device::Cpu, &mut rng(seed))
}

/// Two actions, whose logits at x are (x ln 3, 0).
fn linear(config: &ImitationConfig) -> Imitation {
    let parts = (&hidden(&[]), None);
    let mut agent = Imitation::new((&vector(1), 2), parts, config, Device::Cpu, &mut rng(1));
    let mut state = agent.save();
    set(&mut state, "online/head/0/weight", &[3f32.ln(), 0.0]);
    set(&mut state, "online/head/0/bias", &[0.0, 0.0]);
    agent.restore(&state).unwrap();
    agent
}

fn demonstrations(obs: ObsBatch, actions: Vec<i64>, weights: Vec<f32>) -> Minibatch {
    let rows = actions.len();
    Minibatch {
        next_obs: obs.clone(),
        obs,
        actions: ActionBatch::Discrete(actions),
        n_step_return: vec![0.0; rows],
        discount: vec![0.0; rows],
        weights,
    }
}

/// Action 0 at x = 1 with weight 1, and at x = -1 with weight 1/2.
fn two_rows() -> Minibatch {
    demonstrations(ObsBatch::F32(vec![1.0, -1.0]), vec![0, 0], vec![1.0, 0.5])
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, expected {expected}");
    }
}

/// Probabilities are (3/4, 1/4) and (1/4, 3/4), so losses are ln(4/3) and ln 4. Gradients by the
/// logits, with the mean over two rows and the weights: (-1/8, 1/8) and (-3/16, 3/16). By the
/// weights, which have x in front, ±(1/8 - 3/16): (1/16, -1/16). By the biases (-5/16, 5/16).
#[test]
fn an_update_by_hand() {
    let mut agent = linear(&config());
    let settings = UpdateSettings { detail: true, ..QUIET };
    let report = agent.update(&two_rows(), settings, &mut rng(1)).unwrap();
    assert_near(&report.priorities, &[(4f64 / 3.0).ln(), 4f64.ln()]);
    let metric = |name: &str| report.metrics.iter().find(|m| m.0 == name).unwrap().1 as f32;
    assert_near(&[metric("train/loss")], &[((4f64 / 3.0).ln() + 0.5 * 4f64.ln()) / 2.0]);
    assert_near(&[metric("train/grad_norm")], &[52f64.sqrt() / 16.0]);
    // Right at x = 1, wrong at x = -1.
    assert_near(&[metric("train/accuracy"), metric("train/learning_rate")], &[0.5, 0.1]);
    // 0.1 · (1/16) / (1/16 + 1) = 0.1/17 and 0.1 · (5/16) / (5/16 + 1) = 0.5/21.
    let (weight, bias) = (0.1 / 17.0, 0.5 / 21.0);
    assert_near(&agent.policy_params(), &[3f64.ln() - weight, weight, bias, -bias]);
    assert_eq!(agent.updates(), 1);
}

/// Half the norm is allowed: every gradient is halved, to 1/32 and 5/32.
#[test]
fn a_clipped_update_by_hand() {
    let max_grad_norm = 52f64.sqrt() / 32.0;
    let mut agent = linear(&ImitationConfig { max_grad_norm, ..config() });
    agent.update(&two_rows(), QUIET, &mut rng(1)).unwrap();
    let (weight, bias) = (0.1 / 33.0, 0.5 / 37.0);
    assert_near(&agent.policy_params(), &[3f64.ln() - weight, weight, bias, -bias]);
}

/// l2 = 1/2: the loss gets 1/4 ln²3, the gradient by the one weight that is not 0 gets 1/2 ln 3.
#[test]
fn the_penalty_by_hand() {
    let mut agent = linear(&ImitationConfig { l2: 0.5, ..config() });
    let settings = UpdateSettings { detail: true, ..QUIET };
    let report = agent.update(&two_rows(), settings, &mut rng(1)).unwrap();
    let data = ((4f64 / 3.0).ln() + 0.5 * 4f64.ln()) / 2.0;
    let loss = report.metrics.iter().find(|m| m.0 == "train/loss").unwrap().1 as f32;
    assert_near(&[loss], &[data + 0.25 * 3f64.ln().powi(2)]);
    let gradient = 1.0 / 16.0 + 0.5 * 3f64.ln();
    let first = 3f64.ln() - 0.1 * gradient / (gradient + 1.0);
    let (weight, bias) = (0.1 / 17.0, 0.5 / 21.0);
    assert_near(&agent.policy_params(), &[first, weight, bias, -bias]);
    // Priorities are of the demonstrations alone.
    assert_near(&report.priorities, &[(4f64 / 3.0).ln(), 4f64.ln()]);
}

fn distilled(l2: f64) -> Imitation {
    let contrast = ContrastConfig {
        temperature: 0.1,
        projection_units: 4,
        dynamics_units: 4,
        objective: Objective::Contrast,
        debias: Debias::default(),
        distillation_weight: 0.0,
        distill_on: DistillOn::Earlier,
        policy_temperature: 1.0,
        outcome_weight: 1.0,
        augmentation: Augmentation::None,
        gate: GateRule::Off,
        teacher_ema_rate: 0.01,
        teacher_pool: 1,
    };
    let representation = Representation { tokens: None, contrast };
    let (network, config) = (hidden(&[6]), ImitationConfig { l2, ..config() });
    let parts = (&network, Some(&representation));
    Imitation::new((&vector(4), 3), parts, &config, Device::Cpu, &mut rng(1))
}

#[test]
fn the_penalty_is_on_all_parameters_those_of_contrasts_too() {
    let first_moments = |l2: f64| {
        let mut agent = distilled(l2);
        let start = agent.policy_params();
        agent.update(&dqn_batch(1), QUIET, &mut rng(1)).unwrap();
        let state = agent.save();
        let m = state.arrays.iter().find(|a| a.name == "online/adam/m").unwrap().values.clone();
        (start, m)
    };
    let ((start, with), (_, without)) = (first_moments(0.3), first_moments(0.0));
    for ((theta, with), without) in start.iter().zip(with).zip(without) {
        // m = 0.1 g after the first update.
        assert!((with - without - 0.1 * 0.3 * theta).abs() < 1e-6, "{theta}: {with} {without}");
    }
}

/// Points near the corners of a triangle, the class the corner.
fn corners(seed: u64, rows: usize) -> (ObsBatch, Vec<i64>) {
    let mut rng = rng(seed);
    let actions: Vec<i64> = (0..rows).map(|_| rng.random_range(0..3)).collect();
    let corner = [[0.0, 1.0], [1.0, -1.0], [-1.0, -1.0]];
    let mut point =
        |action: i64| corner[action as usize].map(|c| c + rng.random_range(-0.4f32..0.4));
    let obs = actions.iter().flat_map(|action| point(*action)).collect();
    (ObsBatch::F32(obs), actions)
}

#[test]
fn three_classes_are_learned_without_a_fault() {
    for augmentation in [Augmentation::None, Augmentation::RandomConv] {
        // Vectors are no images: a random convolution leaves them as they are.
        let config =
            ImitationConfig { learning_rate: 1e-2, augmentation, ..ImitationConfig::default() };
        let mut agent = agent(&vector(2), &hidden(&[16]), &config, 1);
        for seed in 0..200 {
            let (obs, actions) = corners(seed, 32);
            let weights = vec![1.0; 32];
            agent.update(&demonstrations(obs, actions, weights), QUIET, &mut rng(1)).unwrap();
        }
        let (obs, actions) = corners(9999, 300);
        let chosen = agent.policy().act(&obs, ActMode::Greedy, &mut rng(1)).unwrap();
        assert_eq!(chosen, ActionBatch::Discrete(actions), "{augmentation:?}");
    }
}

#[test]
fn only_a_random_convolution_of_images_reads_the_generator() {
    let spec = ObsSpec { shape: vec![1, 4, 4], bytes: true, scale: 255.0 };
    let network = NetworkConfig { torso: Torso::Minatar, ..hidden(&[8]) };
    let obs = ObsBatch::U8((0..8 * 16).map(|i| (i * 37 % 256) as u8).collect());
    let batch = demonstrations(obs, (0..8).map(|i| i % 3).collect(), vec![1.0; 8]);
    for augmentation in [Augmentation::None, Augmentation::RandomConv] {
        let config = ImitationConfig { augmentation, ..config() };
        let updated = [5, 5, 6].map(|seed| {
            let mut agent = agent(&spec, &network, &config, 1);
            agent.update(&batch, QUIET, &mut rng(seed)).unwrap();
            agent.save()
        });
        assert_eq!(updated[0], updated[1], "{augmentation:?}");
        assert_eq!(updated[0] == updated[2], augmentation == Augmentation::None);
    }
}

#[test]
fn a_policy_acts_greedily_explores_or_draws_uniformly() {
    let agent = linear(&config());
    let mut policy = agent.policy();
    let obs = ObsBatch::F32([1.0, -1.0].repeat(500));
    let mut share = |mode: ActMode| {
        let ActionBatch::Discrete(chosen) = policy.act(&obs, mode, &mut rng(3)).unwrap() else {
            panic!("actions are discrete")
        };
        // Greedy is 0 at x = 1 and 1 at x = -1.
        let greedy = chosen.iter().enumerate().filter(|(i, a)| **a == (*i % 2) as i64).count();
        greedy as f64 / chosen.len() as f64
    };
    assert_eq!(share(ActMode::Greedy), 1.0);
    assert_eq!(share(ActMode::Explore { epsilon: 0.0 }), 1.0);
    // A uniform action is the greedy one half of the time; five deviations are 0.08 at most.
    for (mode, expected) in [
        (ActMode::Explore { epsilon: 0.4 }, 0.8),
        (ActMode::Explore { epsilon: 1.0 }, 0.5),
        (ActMode::Uniform, 0.5),
    ] {
        let found = share(mode);
        assert!((found - expected).abs() < 0.08, "{mode:?}: {found}");
    }
}

#[test]
fn continuous_actions_and_broken_numbers_are_refused() {
    let mut agent = linear(&config());
    let batch = Minibatch { actions: ActionBatch::Box(vec![0.0; 2]), ..two_rows() };
    let refused = agent.update(&batch, QUIET, &mut rng(1)).unwrap_err();
    assert!(refused.to_string().contains("needs discrete ones"), "{refused}");
    let before = agent.save();
    let batch = Minibatch { obs: ObsBatch::F32(vec![f32::NAN, 1.0]), ..two_rows() };
    let refused = agent.update(&batch, QUIET, &mut rng(1)).unwrap_err();
    assert!(matches!(refused, AgentError::NotFinite { .. }), "{refused}");
    assert_eq!(agent.save(), before);
    let refused = agent.policy().act(&batch.obs, ActMode::Greedy, &mut rng(1)).unwrap_err();
    assert!(matches!(refused, AgentError::NotFinite { .. }), "{refused}");
}

#[test]
fn a_restored_agent_continues_to_the_bit() {
    let config = ImitationConfig { l2: 1e-3, ..config() };
    let [mut first, mut second] =
        [1, 2].map(|seed| agent(&vector(4), &hidden(&[8]), &config, seed));
    run(&mut first, dqn_batch, 0..5);
    second.restore(&first.save()).unwrap();
    run(&mut first, dqn_batch, 5..10);
    run(&mut second, dqn_batch, 5..10);
    assert_eq!(first.save(), second.save());
}
