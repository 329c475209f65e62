//! Tables by hand, and the proof that each learner finds a best arm that changes.

use super::*;
use crate::Relation;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
}

fn known() -> PolicyState {
    PolicyState { phase_age: 1.0, decision_loss: 1.0, bound_gap: 0.0, collision_rate: 0.5 }
}

/// A config of five arms.
fn five(kind: LossPolicyKind) -> LossPolicyConfig {
    LossPolicyConfig {
        kind,
        relations: vec![Relation::Temporal, Relation::Predictive],
        betas: vec![0.0, 1.0],
        weights: vec![0.5],
        with_none: true,
        period_updates: 1,
        ..LossPolicyConfig::default()
    }
}

#[test]
fn arms_are_the_grid_with_weights_running_fastest() {
    let arms = arms(&[Relation::Temporal, Relation::Predictive], &[0.0, 1.5], &[0.5, 2.0], true);
    let names: Vec<String> = arms.iter().map(Arm::name).collect();
    assert_eq!(
        names[..4],
        [
            "none",
            "temporal/beta0/weight0.5",
            "temporal/beta0/weight2",
            "temporal/beta1.5/weight0.5"
        ]
    );
    assert_eq!(names.len(), 9);
    assert_eq!(names[8], "predictive/beta1.5/weight2");
}

#[test]
fn what_cannot_work_is_refused_by_key_value_and_what_is_allowed() {
    let ok = five(LossPolicyKind::DiscountedUcb);
    let cases = [
        (LossPolicyConfig { period_updates: 0, ..ok.clone() }, "period_updates is 0; allowed is 1"),
        (LossPolicyConfig { discount: 1.5, ..ok.clone() }, "discount is 1.5; allowed is above 0"),
        (LossPolicyConfig { exploration: f64::NAN, ..ok.clone() }, "exploration is NaN"),
        (LossPolicyConfig { betas: vec![-1.0], ..ok.clone() }, "betas[0] is -1; allowed is 0 to"),
        (LossPolicyConfig { weights: vec![1.0, 1.0], ..ok.clone() }, "weights names 1 twice"),
        (LossPolicyConfig { weights: vec![], ..ok.clone() }, "weights 0; each needs one"),
        (LossPolicyConfig { kind: LossPolicyKind::Fixed, ..ok.clone() }, "\"fixed\" with 5 arms"),
        (LossPolicyConfig { reward_smoothing: 1.0, ..ok.clone() }, "reward_smoothing is 1"),
        (
            LossPolicyConfig { relations: vec![], with_none: false, ..ok.clone() },
            "is empty while with_none is false",
        ),
    ];
    assert!(ok.check().is_ok());
    for (config, part) in cases {
        let text = config.check().unwrap_err().to_string();
        assert!(text.contains("loss_policy.") && text.contains(part), "{text} has no {part}");
    }
}

#[test]
fn features_of_the_state_by_hand() {
    // 1 - 2/(1+3) = 0.5; tanh(ln 1) = 0; tanh(0) = 0; 2*0.25 - 1 = -0.5; constant 1.
    let state =
        PolicyState { phase_age: 3.0, decision_loss: 1.0, bound_gap: 0.0, collision_rate: 0.25 };
    assert_eq!(state.features(), [0.5, 0.0, 0.0, -0.5, 1.0]);
    let nan = f64::NAN;
    let unknown =
        PolicyState { phase_age: nan, decision_loss: nan, bound_gap: nan, collision_rate: nan };
    assert_eq!(unknown.features(), [0.0, 0.0, 0.0, 0.0, 1.0]);
    let extreme =
        PolicyState { phase_age: 0.0, decision_loss: 0.0, bound_gap: 1e9, collision_rate: 7.0 };
    assert_eq!(extreme.features(), [-1.0, -1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn discounted_ucb_by_hand() {
    // Discount 1/2, c = 1, two arms. Both are tried once, in order of their index.
    let mut ucb = DiscountedUcb::new(2, 0.5, 1.0);
    let first = ucb.choose(&[1.0], &mut rng(0));
    ucb.reward(&first, 0.2, 1.0);
    let second = ucb.choose(&[1.0], &mut rng(0));
    ucb.reward(&second, 0.6, 1.0);
    assert_eq!((first.arm, second.arm), (0, 1));
    // N = (0.5, 1), n = 1.5, ln n = 0.405465; means are 0.2 and 0.6 whatever the discount.
    let log = 1.5f64.ln();
    let expected = [0.2 + (log / 0.5).sqrt(), 0.6 + log.sqrt()];
    for (found, expected) in ucb.indices().into_iter().zip(expected) {
        close(found, expected);
    }
    // 0.2 + 0.9005 = 1.1005 < 0.6 + 0.6368 = 1.2368.
    assert_eq!(ucb.choose(&[1.0], &mut rng(0)).arm, 1);
}

#[test]
fn a_late_reward_weighs_what_its_round_weighs_by_then() {
    let mut ucb = DiscountedUcb::new(1, 0.5, 0.0);
    let early = ucb.choose(&[], &mut rng(0));
    let late = ucb.choose(&[], &mut rng(0));
    ucb.reward(&late, 1.0, 1.0);
    ucb.reward(&early, 0.0, 1.0); // weighs 1/2 of the later one
    close(ucb.indices()[0], 1.0 / 1.5);
}

#[test]
fn exp3_s_by_hand() {
    // Two arms, gamma 0.5, alpha 0. p = 1/2 each. Arm 0 earns 1, so x = 1 and x/p = 2:
    // w_0 = exp(0.5 * 2 / 2) = e^0.5, w_1 = 1. p_0 = 0.5 * e^0.5 / (e^0.5 + 1) + 0.25.
    let mut exp3 = Exp3S::new(2, 0.5, 0.0);
    close(exp3.probabilities(&[])[0], 0.5);
    let choice = Choice { arm: 0, probability: 0.5, state: vec![], round: 1 };
    exp3.reward(&choice, 1.0, 1.0);
    let w = 0.5f64.exp();
    close(exp3.probabilities(&[])[0], 0.5 * w / (w + 1.0) + 0.25);
    // With alpha each arm gets e * alpha / 2 of all weight: (1.2 + s, 1 + s) in these units.
    let mut sharing = Exp3S::new(2, 0.5, 0.1);
    sharing.reward(&choice, 1.0, 1.0);
    let s = std::f64::consts::E * 0.1 / 2.0 * 2.0;
    close(sharing.probabilities(&[])[0], 0.5 * (w + s) / (w + 1.0 + 2.0 * s) + 0.25);
}

#[test]
fn gradient_bandit_by_hand() {
    let rates = GradientRates { learning_rate: 1.0, uniform_share: 0.0, discount: 1.0 };
    let mut bandit = GradientBandit::new(2, 1, rates);
    let of = |arm| Choice { arm, probability: 0.5, state: vec![1.0], round: 1 };
    // The first reward, 0.2, is its own baseline: nothing moves.
    bandit.reward(&of(0), 0.2, 1.0);
    close(bandit.probabilities(&[1.0])[0], 0.5);
    // 1.0 for arm 1: advantage 0.8, theta = (-0.8/2, 0.8/2), so H_1 - H_0 = 0.8.
    bandit.reward(&of(1), 1.0, 1.0);
    close(bandit.probabilities(&[1.0])[1], 1.0 / (1.0 + (-0.8f64).exp()));
}

#[test]
fn an_arm_is_kept_for_its_period_and_paid_in_shares() {
    let config = LossPolicyConfig { period_updates: 3, ..five(LossPolicyKind::Uniform) };
    let mut policy = LossPolicy::new(&config).unwrap();
    let mut rng = rng(1);
    let arms: Vec<usize> = (0..30).map(|_| policy.choose(&known(), &mut rng).arm).collect();
    assert!(arms.chunks(3).all(|round| round.iter().all(|arm| *arm == round[0])), "{arms:?}");
    assert!(arms.iter().any(|arm| *arm != arms[0]));
    assert_eq!(policy.counts().iter().sum::<u64>(), 30);
    let choice = policy.choose(&known(), &mut rng);
    policy.reward(&choice, 0.3).unwrap();
    policy.reward(&choice, 0.5).unwrap();
    close(policy.mean_rewards()[choice.arm].unwrap(), 0.4);
}

#[test]
fn rewards_that_are_no_numbers_and_foreign_choices_are_refused() {
    let mut policy = LossPolicy::new(&five(LossPolicyKind::DiscountedUcb)).unwrap();
    let choice = policy.choose(&known(), &mut rng(0));
    let text = policy.reward(&choice, f64::NAN).unwrap_err().to_string();
    assert!(text.contains("none is NaN"), "{text}");
    let foreign = [
        Choice { arm: 5, ..choice.clone() },
        Choice { probability: 0.0, ..choice.clone() },
        Choice { state: vec![], ..choice.clone() },
    ];
    for (choice, part) in foreign.iter().zip(["of arm 5", "probability 0", "has the state []"]) {
        let text = policy.reward(choice, 0.0).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn regret_by_hand() {
    // Probabilities 1/2, arms 0 and 1. Arm 0 earned 1 + 0, arm 1 earned 0.5: estimates are
    // 1/0.5 + 0/0.5 = 2 and 0.5/0.5 = 1; earned 1.5, so the regret is 0.5.
    let mut policy = LossPolicy::new(&LossPolicyConfig {
        relations: vec![Relation::Temporal],
        betas: vec![0.0],
        ..five(LossPolicyKind::Uniform)
    })
    .unwrap();
    let of = |arm| Choice { arm, probability: 0.5, state: vec![1.0; 5], round: 1 };
    let rewards = [(0, 1.0), (0, 0.0), (1, 0.5)];
    for (arm, reward) in rewards {
        policy.reward(&of(arm), reward).unwrap();
    }
    let estimates = policy.fixed_arm_rewards();
    close(estimates[0], 2.0);
    close(estimates[1], 1.0);
    close(policy.regret(), 0.5);
    assert_eq!(policy.best_fixed_arm(), 0);
}

#[test]
fn a_saved_policy_goes_on_as_the_same() {
    for kind in [
        LossPolicyKind::Uniform,
        LossPolicyKind::DiscountedUcb,
        LossPolicyKind::Exp3S,
        LossPolicyKind::GradientBandit,
    ] {
        let mut policy = LossPolicy::new(&five(kind)).unwrap();
        let mut numbers = rng(3);
        for _ in 0..20 {
            let choice = policy.choose(&known(), &mut numbers);
            policy.reward(&choice, 0.1 * choice.arm as f64).unwrap();
        }
        let text = serde_json::to_string(&policy).unwrap();
        let mut again: LossPolicy = serde_json::from_str(&text).unwrap();
        let mut same = numbers.clone();
        for _ in 0..20 {
            let (a, b) = (policy.choose(&known(), &mut numbers), again.choose(&known(), &mut same));
            assert_eq!(a, b, "{kind:?}");
            policy.reward(&a, 0.2).unwrap();
            again.reward(&b, 0.2).unwrap();
        }
        assert_eq!(policy, again, "{kind:?}");
    }
}

#[test]
fn curves_and_histogram_tell_what_was_chosen() {
    let mut policy = LossPolicy::new(&five(LossPolicyKind::DiscountedUcb)).unwrap();
    for _ in 0..5 {
        let choice = policy.choose(&known(), &mut rng(0));
        policy.reward(&choice, if choice.arm == 2 { 0.5 } else { 0.0 }).unwrap();
    }
    assert_eq!(policy.choice_histogram(), [0.0, 1.0, 2.0, 3.0, 4.0], "each once, at first");
    assert!(policy.choice_histogram().is_empty(), "read");
    let metrics = policy.metrics();
    let value = |name: &str| metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    assert_eq!(value("loss_policy/updates"), Some(5.0));
    assert_eq!(value("loss_policy/best_fixed_arm"), Some(2.0));
    assert_eq!(value("loss_policy/temporal/beta1/weight0.5/reward_mean"), Some(0.5));
    assert!(value("loss_policy/regret").is_some() && value("loss_policy/choice_entropy").is_some());
}

/// Rounds of a phase; the best arm changes with each.
const PHASE: u64 = 1000;

/// The planted world: in each phase another arm is worth 0.5, the others 0; rewards are noisy.
fn worth(round: u64, arm: usize, noise: &mut dyn Rng) -> f64 {
    let best = [1, 3, 0, 4][(round / PHASE) as usize % 4];
    let mean = if arm == best { 0.5 } else { 0.0 };
    (mean + 0.6 * (noise.random::<f64>() - 0.5)).clamp(-1.0, 1.0)
}

/// What a policy earns an update, and its share of the best arm in the last half of each phase.
fn played(kind: LossPolicyKind, seed: u64) -> (f64, f64) {
    let config = LossPolicyConfig { state_features: false, weight_sharing: 1e-3, ..five(kind) };
    let mut policy = LossPolicy::new(&config).unwrap();
    let (mut numbers, mut noise) = (rng(seed), rng(seed + 1000));
    let (mut earned, mut best, mut late) = (0.0, 0u64, 0u64);
    for round in 0..4 * PHASE {
        let choice = policy.choose(&known(), &mut numbers);
        let reward = worth(round, choice.arm, &mut noise);
        policy.reward(&choice, reward).unwrap();
        earned += reward;
        if round % PHASE >= PHASE / 2 {
            late += 1;
            best += u64::from(choice.arm == [1, 3, 0, 4][(round / PHASE) as usize]);
        }
    }
    (earned / (4 * PHASE) as f64, best as f64 / late as f64)
}

/// Uniform choice finds the best arm once in five and earns 0.1. Each learner must find it in most
/// of the choices of the second half of a phase and earn at least twice as much, on every seed.
#[test]
fn learners_find_a_best_arm_that_changes_and_beat_uniform_choice() {
    for seed in 0..5 {
        let (uniform, share) = played(LossPolicyKind::Uniform, seed);
        assert!((uniform - 0.1).abs() < 0.02 && (share - 0.2).abs() < 0.05, "{uniform} {share}");
        for kind in
            [LossPolicyKind::DiscountedUcb, LossPolicyKind::Exp3S, LossPolicyKind::GradientBandit]
        {
            let (earned, share) = played(kind, seed);
            assert!(share > 0.5, "{kind:?}, seed {seed}: the best arm in {share} of choices");
            assert!(earned > 2.0 * uniform, "{kind:?}, seed {seed}: {earned} against {uniform}");
        }
    }
}

/// With the state the gradient bandit learns that another arm is best early than late in a phase.
#[test]
fn the_gradient_bandit_learns_what_is_best_in_which_state() {
    let config = LossPolicyConfig { uniform_share: 0.1, ..five(LossPolicyKind::GradientBandit) };
    let mut policy = LossPolicy::new(&config).unwrap();
    let mut numbers = rng(7);
    let at = |phase_age| PolicyState { phase_age, ..known() };
    for round in 0..6000 {
        let early = round % 2 == 0;
        let choice = policy.choose(&at(if early { 0.0 } else { 1e6 }), &mut numbers);
        let best = if early { 1 } else { 4 };
        policy.reward(&choice, if choice.arm == best { 0.5 } else { 0.0 }).unwrap();
    }
    let early = policy.probabilities(&at(0.0))[1];
    let late = policy.probabilities(&at(1e6))[4];
    assert!(early > 0.7 && late > 0.7, "{early} {late}");
}
