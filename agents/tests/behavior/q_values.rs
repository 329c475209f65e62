//! Q-values of hand-made weights, read from an update's histogram `train/q_values` `[B, A]`.
//!
//! Networks have no hidden layer and zero matrices, so their biases are their outputs.

use super::*;

/// Q-values and priorities of the first rows of an update with the given biases. The return is 0
/// and all transitions are terminated, so the target is 0.
fn report(config: &DqnConfig, biases: &[(&str, &[f32])]) -> (Vec<f64>, Vec<f32>) {
    let mut agent = dqn(&hidden(&[]), config, 1);
    let mut state = agent.save();
    for array in &mut state.arrays {
        array.values.fill(0.0);
    }
    for (name, values) in biases {
        set(&mut state, name, values);
    }
    agent.restore(&state).unwrap();
    let mut batch = dqn_batch(0); // its actions are 0, 1, 2, 0, ...
    batch.n_step_return.fill(0.0);
    batch.discount.fill(0.0);
    let report =
        agent.update(&batch, UpdateSettings { progress: 0.0, detail: true }, &mut rng(0)).unwrap();
    let (name, values) = &report.histograms[0];
    assert_eq!(*name, "train/q_values");
    assert_eq!(values.len(), ROWS * 3);
    (values[..3].to_vec(), report.priorities[..3].to_vec())
}

#[track_caller]
fn check_close(have: &[f64], want: &[f64]) {
    assert_eq!(have.len(), want.len());
    assert!(
        have.iter().zip(want).all(|(h, w)| (h - w).abs() < 1e-6),
        "{have:?}, expected {want:?}"
    );
}

#[test]
fn mean() {
    let (q, priorities) =
        report(&DqnConfig::default(), &[("online/advantage/0/bias", &[2.0, -3.0, 0.25])]);
    check_close(&q, &[2.0, -3.0, 0.25]);
    // Rows take the actions 0, 1, 2; the priority is |0 - q| of that action.
    assert_eq!(priorities, [2.0, 3.0, 0.25]);
}

#[test]
fn dueling_subtracts_the_mean_advantage() {
    let config = DqnConfig { dueling: true, ..DqnConfig::default() };
    // V = 10, A = (1, 2, 6) with mean 3: Q = (8, 9, 13).
    let (q, priorities) = report(
        &config,
        &[("online/value/0/bias", &[10.0]), ("online/advantage/0/bias", &[1.0, 2.0, 6.0])],
    );
    check_close(&q, &[8.0, 9.0, 13.0]);
    assert_eq!(priorities, [8.0, 9.0, 13.0]);
    // A constant on all advantages changes nothing.
    let (shifted, _) = report(
        &config,
        &[("online/value/0/bias", &[10.0]), ("online/advantage/0/bias", &[101.0, 102.0, 106.0])],
    );
    check_close(&shifted, &[8.0, 9.0, 13.0]);
}

#[test]
fn c51_is_the_probability_weighted_support() {
    let config = DqnConfig {
        distribution: Distribution::C51,
        num_atoms: 3,
        support_min: -1.0,
        support_max: 3.0,
        ..DqnConfig::default()
    };
    let (ln2, ln3) = (2.0f32.ln(), 3.0f32.ln());
    // Support -1, 1, 3. p = (1, 1, 1)/3: 1. p = (1, 1, 2)/4: 1.5. p = (3, 1, 1)/5: 0.2.
    let logits = [0.0, 0.0, 0.0, 0.0, 0.0, ln2, ln3, 0.0, 0.0];
    let (q, priorities) = report(&config, &[("online/advantage/0/bias", &logits)]);
    check_close(&q, &[1.0, 1.5, 0.2]);
    // The target 0 lies halfway between the atoms -1 and 1: y = (1/2, 1/2, 0).
    // Cross-entropy: log 3; log 4; (log 5/3 + log 5)/2.
    let want = [3.0f64.ln(), 4.0f64.ln(), f64::midpoint((5.0f64 / 3.0).ln(), 5.0f64.ln())];
    check_close(&priorities.map_f64(), &want);
}

#[test]
fn dueling_c51_subtracts_per_atom() {
    let config = DqnConfig {
        distribution: Distribution::C51,
        dueling: true,
        num_atoms: 2,
        support_min: 0.0,
        support_max: 1.0,
        ..DqnConfig::default()
    };
    // Second logits: V = log 3, A = (1, 2, 3) log 2 with mean 2 log 2:
    // logits (0, log 3/2), (0, log 3), (0, log 6); Q = p₂ = 3/5, 3/4, 6/7.
    let ln2 = 2.0f32.ln();
    let biases: [(&str, &[f32]); 2] = [
        ("online/value/0/bias", &[0.0, 3.0f32.ln()]),
        ("online/advantage/0/bias", &[0.0, ln2, 0.0, 2.0 * ln2, 0.0, 3.0 * ln2]),
    ];
    let (q, _) = report(&config, &biases);
    check_close(&q, &[0.6, 0.75, 6.0 / 7.0]);
}

#[test]
fn quantiles_average() {
    let config =
        DqnConfig { distribution: Distribution::Quantile, num_atoms: 2, ..DqnConfig::default() };
    let (q, priorities) =
        report(&config, &[("online/advantage/0/bias", &[0.0, 3.0, 1.0, 1.0, -5.0, 0.0])]);
    check_close(&q, &[1.5, 1.0, -2.5]);
    // All targets are 0, so u = -θ. τ = (1/4, 3/4).
    // (0, 3): u₂ = -3, |3/4 - 1| 2.5 = 0.625. (1, 1): (3/4 + 1/4) 0.5 = 0.5. (-5, 0): 1/4 4.5 = 1.125.
    check_close(&priorities.map_f64(), &[0.625, 0.5, 1.125]);
}

trait MapF64 {
    fn map_f64(&self) -> Vec<f64>;
}

impl MapF64 for Vec<f32> {
    fn map_f64(&self) -> Vec<f64> {
        self.iter().map(|&v| v.into()).collect()
    }
}
