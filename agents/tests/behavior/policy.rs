//! Action choice.

use super::*;
use contrail_agents::Augmentation;
use contrail_agents::{ActMode, AgentError, Policy};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Discrete actions of `policy` for observations of 4 numbers.
fn discrete(policy: &mut dyn Policy, obs: &[f32], mode: ActMode, seed: u64) -> Vec<i64> {
    match policy.act(&ObsBatch::F32(obs.to_vec()), mode, &mut rng(seed)).unwrap() {
        ActionBatch::Discrete(actions) => actions,
        ActionBatch::Box(_) => panic!("DQN chose continuous actions"),
    }
}

fn continuous(policy: &mut dyn Policy, obs: &[f32], mode: ActMode, seed: u64) -> Vec<f32> {
    match policy.act(&ObsBatch::F32(obs.to_vec()), mode, &mut rng(seed)).unwrap() {
        ActionBatch::Box(actions) => actions,
        ActionBatch::Discrete(_) => panic!("SAC chose discrete actions"),
    }
}

/// A DQN policy whose Q-values are the first three numbers of the observation.
fn identity_policy() -> Box<dyn Policy> {
    let agent = dqn(&hidden(&[]), &DqnConfig::default(), 1);
    let mut policy = agent.policy();
    let matrix = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    policy.load(&[matrix.concat(), vec![0.0; 3]].concat());
    policy
}

#[test]
fn greedy_takes_the_largest_value_and_the_first_of_equals() {
    let obs = [
        [3.0, 1.0, 2.0, 0.0],
        [-3.0, -1.0, -2.0, 0.0],
        [0.0, 0.0, 0.5, 9.0],
        [1.0, 1.0, 0.0, 0.0],
        [0.0, 2.0, 2.0, 0.0],
    ];
    assert_eq!(
        discrete(&mut *identity_policy(), obs.as_flattened(), ActMode::Greedy, 0),
        [0, 1, 2, 0, 1]
    );
    let never = ActMode::Explore { epsilon: 0.0 };
    assert_eq!(discrete(&mut *identity_policy(), obs.as_flattened(), never, 0), [0, 1, 2, 0, 1]);
}

/// χ² of the counts of three actions against `shares`.
fn chi_square(actions: &[i64], shares: [f64; 3]) -> f64 {
    let statistic = |(action, share): (i64, f64)| {
        let expected = share * actions.len() as f64;
        let count = actions.iter().filter(|&&a| a == action).count() as f64;
        (count - expected).powi(2) / expected
    };
    (0..).zip(shares).map(statistic).sum()
}

#[test]
fn exploration_is_uniform_with_probability_epsilon() {
    let obs = [0.0, 5.0, 1.0, 0.0].repeat(9000); // action 1 is greedy
    let mut policy = identity_policy();
    // 13.8 is exceeded once in a thousand seeds (χ², two degrees of freedom).
    for (mode, shares) in [
        (ActMode::Uniform, [1.0 / 3.0; 3]),
        (ActMode::Explore { epsilon: 1.0 }, [1.0 / 3.0; 3]),
        (ActMode::Explore { epsilon: 0.3 }, [0.1, 0.8, 0.1]),
    ] {
        let actions = discrete(&mut *policy, &obs, mode, 3);
        assert_eq!(actions.len(), 9000);
        assert!(actions.iter().all(|a| (0..3).contains(a)));
        let statistic = chi_square(&actions, shares);
        assert!(statistic < 13.8, "{mode:?}: χ² = {statistic}");
    }
    let skewed = discrete(&mut *policy, &obs, ActMode::Explore { epsilon: 0.2 }, 3);
    assert!(chi_square(&skewed, [0.1, 0.8, 0.1]) > 13.8, "the statistic tells 0.2 from 0.3");
}

#[test]
fn noisy_networks_explore_by_noise_and_are_greedy_without() {
    let config = DqnConfig { noisy: true, ..DqnConfig::default() };
    let mut policy = dqn(&hidden(&[8]), &config, 1).policy();
    let obs = [0.1, 0.0, -0.1, 0.0];
    let mut chosen = |mode| {
        (0..50).map(|seed| discrete(&mut *policy, &obs, mode, seed)[0]).collect::<Vec<i64>>()
    };
    let greedy = chosen(ActMode::Greedy);
    assert!(greedy.iter().all(|a| *a == greedy[0]), "greedy has no noise");
    let noisy = chosen(ActMode::Explore { epsilon: 0.0 });
    assert!(noisy.iter().any(|a| *a != noisy[0]), "fresh noise changes the choice");
}

#[test]
fn a_policy_keeps_its_parameters_until_it_loads_others() {
    let mut agent =
        dqn(&hidden(&[8]), &DqnConfig { learning_rate: 0.1, ..DqnConfig::default() }, 1);
    let mut policy = agent.policy();
    let ObsBatch::F32(obs) = dqn_batch(7).obs else { unreachable!() };
    let before = discrete(&mut *policy, &obs, ActMode::Greedy, 0);
    run(&mut agent, dqn_batch, 0..30);
    assert_eq!(discrete(&mut *policy, &obs, ActMode::Greedy, 0), before);
    let after = discrete(&mut *agent.policy(), &obs, ActMode::Greedy, 0);
    assert_ne!(before, after, "the updates changed the choice");
    policy.load(&agent.policy_params());
    assert_eq!(discrete(&mut *policy, &obs, ActMode::Greedy, 0), after);
}

#[test]
fn not_a_number_is_refused() {
    for (agent, len) in [
        (Box::new(dqn(&hidden(&[]), &DqnConfig::default(), 1)) as Box<dyn Agent>, 15),
        (Box::new(sac(&hidden(&[]), &SacConfig::default(), 1)), 20),
    ] {
        let mut policy = agent.policy();
        policy.load(&vec![f32::NAN; len]);
        for mode in [ActMode::Greedy, ActMode::Explore { epsilon: 0.5 }] {
            let result = policy.act(&ObsBatch::F32(vec![1.0; 4]), mode, &mut rng(0));
            assert!(
                matches!(result, Err(AgentError::NotFinite { .. })),
                "{mode:?} gave {result:?}"
            );
        }
    }
}

#[test]
fn parameters_of_another_network_are_a_bug() {
    let mut policy = dqn(&hidden(&[]), &DqnConfig::default(), 1).policy();
    assert!(catch_unwind(AssertUnwindSafe(|| policy.load(&[0.0; 14]))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| policy.load(&[0.0; 1]))).is_err());
}

/// A SAC policy whose head is `[mean0, mean1, log_std0, log_std1]` for every observation.
fn constant_sac(head: [f32; 4]) -> Box<dyn Policy> {
    let mut policy = sac(&hidden(&[]), &SacConfig::default(), 1).policy();
    policy.load(&[[0.0; 16].as_slice(), &head].concat());
    policy
}

#[test]
fn greedy_sac_is_the_tanh_of_the_mean_within_the_bounds() {
    let obs = [0.0; 4];
    // Bounds -3 to 1 and 0.5 to 0.75. tanh 0 = 0: the middles -1 and 0.625.
    assert_eq!(
        continuous(&mut *constant_sac([0.0, 0.0, 2.0, 2.0]), &obs, ActMode::Greedy, 0),
        [-1.0, 0.625]
    );
    // Saturated: the bounds themselves, never past them.
    assert_eq!(
        continuous(&mut *constant_sac([100.0, -100.0, 0.0, 0.0]), &obs, ActMode::Greedy, 0),
        [1.0, 0.5]
    );
    // tanh(½ ln 3) = 1/2: -3 + 0.75 * 4 = 0 and 0.5 + 0.75 * 0.25 = 0.6875.
    let half = 0.5 * 3.0f32.ln();
    let actions = continuous(&mut *constant_sac([half, half, 0.0, 0.0]), &obs, ActMode::Greedy, 0);
    assert!((actions[0]).abs() < 1e-6 && (actions[1] - 0.6875).abs() < 1e-6, "{actions:?}");
    // The smallest log_std is -20, so that a sample is the mean but for e⁻²⁰.
    let actions = continuous(
        &mut *constant_sac([half, half, -1e9, -1e9]),
        &obs,
        ActMode::Explore { epsilon: 0.0 },
        0,
    );
    assert!((actions[0]).abs() < 1e-6 && (actions[1] - 0.6875).abs() < 1e-6, "{actions:?}");
}

#[test]
fn sac_actions_stay_within_their_own_bounds() {
    let obs = [0.3; 4].repeat(5000);
    for (mode, head) in [
        (ActMode::Uniform, [0.0; 4]),
        (ActMode::Explore { epsilon: 0.0 }, [0.0, 0.0, 1e9, 1e9]), // log_std is at most 2
        (ActMode::Explore { epsilon: 0.0 }, [30.0, -30.0, 2.0, 2.0]),
    ] {
        let actions = continuous(&mut *constant_sac(head), &obs, mode, 5);
        assert_eq!(actions.len(), 10_000);
        let (rows, _) = actions.as_chunks::<2>();
        assert!(
            rows.iter().all(|a| (-3.0..=1.0).contains(&a[0]) && (0.5..=0.75).contains(&a[1])),
            "{mode:?} {head:?}"
        );
    }
}

/// log_std is at most 2, σ = e² = 7.389: P(|u| < 1) = 0.1077, as often the action lies within
/// tanh 1 = 0.76159 of the middle -1, in half widths of 2.
#[test]
fn the_largest_spread_of_sac_is_limited() {
    let explore = ActMode::Explore { epsilon: 0.0 };
    let obs = [0.0; 4].repeat(5000);
    let actions = continuous(&mut *constant_sac([0.0, 0.0, 1e9, 1e9]), &obs, explore, 5);
    let near = actions.iter().step_by(2).filter(|&&a| (a + 1.0).abs() < 2.0 * 0.761_59).count();
    // Standard error 0.0044; four of them.
    assert!((near as f64 / 5000.0 - 0.1077).abs() < 0.0176, "{near} of 5000");
}

#[test]
fn uniform_sac_actions_fill_the_bounds() {
    let obs = [0.0; 4].repeat(5000);
    let actions = continuous(&mut *constant_sac([9.0; 4]), &obs, ActMode::Uniform, 5);
    for (dimension, (low, high)) in [(-3.0, 1.0), (0.5, 0.75)].into_iter().enumerate() {
        let column: Vec<f64> = actions
            .iter()
            .skip(dimension)
            .step_by(2)
            .map(|&a| (f64::from(a) - low) / (high - low))
            .collect();
        let share =
            |part: f64| column.iter().filter(|&&u| u < part).count() as f64 / column.len() as f64;
        // Standard error at most 0.0071; four of them.
        for part in [0.1, 0.25, 0.5, 0.75, 0.9] {
            assert!(
                (share(part) - part).abs() < 0.028,
                "dimension {dimension}: {} below {part}",
                share(part)
            );
        }
    }
}

#[test]
fn explored_sac_actions_have_the_moments_of_a_squashed_normal() {
    // Mean 0, log_std 0: E tanh u = 0, E tanh² u = 0.3943 (numerical integration).
    let obs = [0.0; 4].repeat(20_000);
    let actions =
        continuous(&mut *constant_sac([0.0; 4]), &obs, ActMode::Explore { epsilon: 0.0 }, 5);
    let unit: Vec<f64> = actions.iter().step_by(2).map(|&a| (f64::from(a) + 1.0) / 2.0).collect();
    let count = unit.len() as f64;
    let (mean, square) =
        (unit.iter().sum::<f64>() / count, unit.iter().map(|a| a * a).sum::<f64>() / count);
    // Standard errors 0.0044 and 0.0023; four of them.
    assert!(mean.abs() < 0.018, "mean {mean}");
    assert!((square - 0.3943).abs() < 0.0092, "mean square {square}");
}

#[test]
fn bounds_must_be_finite_and_ordered() {
    assert!(Bounds::new(&[-1.0, 0.0], &[1.0, 0.1]).is_ok());
    let bad: [(f32, f32); 8] = [
        (f32::NAN, 1.0),
        (0.0, f32::NAN),
        (f32::NEG_INFINITY, 1.0),
        (0.0, f32::INFINITY),
        (1.0, 0.0),
        (1.0, 1.0),
        (-f32::MAX, f32::MAX), // their distance is infinite
        (f32::NEG_INFINITY, f32::INFINITY),
    ];
    for (low, high) in bad {
        match Bounds::new(&[-1.0, low], &[1.0, high]) {
            Err(AgentError::Unsuitable(text)) => {
                assert!(text.contains("action 1 has bounds"), "{text}")
            }
            other => panic!("{low} to {high} gave {other:?}"),
        }
    }
    assert!(Bounds::new(&[0.0, 0.0], &[1.0]).is_err(), "one bound is missing");
    assert!(Bounds::new(&[0.0], &[1.0, 1.0]).is_err(), "one bound is missing");
    assert!(Bounds::new(&[], &[]).is_err(), "there is no action");
}

/// A shift changes an image of one color not at all, so the generator matters where another is.
#[test]
fn dqn_varies_the_observations_of_a_minibatch_and_those_that_follow() {
    let spec = ObsSpec { shape: vec![1, 4, 4], bytes: true, scale: 255.0 };
    let plain = || ObsBatch::U8(vec![7; ROWS * 16]);
    let images = || ObsBatch::U8((0..ROWS * 16).map(|i| (i * 37 % 256) as u8).collect());
    let updated = |augmentation, obs: &ObsBatch, next_obs: &ObsBatch, seed| {
        let config = DqnConfig { augmentation, learning_rate: 1e-2, ..DqnConfig::default() };
        let network = NetworkConfig { torso: Torso::Minatar, ..hidden(&[8]) };
        let mut agent = Dqn::new((&spec, 3), &network, &config, Device::Cpu, &mut rng(1));
        let (obs, next_obs) = (obs.clone(), next_obs.clone());
        let batch = Minibatch { obs, next_obs, ..dqn_batch(1) };
        agent.update(&batch, QUIET, &mut rng(seed)).unwrap();
        agent.save()
    };
    for (obs, next_obs, varies) in
        [(plain(), plain(), false), (images(), plain(), true), (plain(), images(), true)]
    {
        let shifted = [5, 5, 6].map(|s| updated(Augmentation::RandomShift, &obs, &next_obs, s));
        assert_eq!(shifted[0], shifted[1]);
        assert_eq!(shifted[0] != shifted[2], varies);
        let [a, b] = [5, 6].map(|s| updated(Augmentation::None, &obs, &next_obs, s));
        assert_eq!(a, b);
    }
}
