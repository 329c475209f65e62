//! Exponential weights that never stop looking.

use super::bandit::{Bandit, Choice, drawn, softmax, with_uniform};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::E;

/// Exponential weights with a uniform share, for rewards that an adversary may set.
///
/// With A arms: p_i = (1 − γ) w_i / Σ_j w_j + γ / A; the reward x in [0, 1] of arm i is worth
/// x̂_i = x / p_i, that of the others 0; w_j ← w_j exp(γ x̂_j / A) + (e α / A) Σ_k w_k.
///
/// # Source
/// Auer, Cesa-Bianchi, Freund, Schapire 2002, "The nonstochastic multiarmed bandit problem",
/// Figure 4 (Exp3.S).
///
/// # Differs
/// x = (1 + reward) / 2. p_i is the probability at the time of the choice, however late its
/// reward. A reward that stands for a share of a round counts with that share, in the exponent and
/// in α. Weights are kept as logarithms, and divided by the largest after each step, which changes
/// no probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exp3S {
    uniform_share: f64,
    weight_sharing: f64,
    round: u64,
    /// `[A]` ln w_i; the largest is 0.
    log_weights: Vec<f64>,
}

impl Exp3S {
    /// `uniform_share` is γ, in (0, 1]; `weight_sharing` is α, >= 0.
    #[must_use]
    pub fn new(arms: usize, uniform_share: f64, weight_sharing: f64) -> Self {
        Self { uniform_share, weight_sharing, round: 0, log_weights: vec![0.0; arms] }
    }
}

impl Bandit for Exp3S {
    fn choose(&mut self, state: &[f64], rng: &mut dyn Rng) -> Choice {
        self.round += 1;
        drawn(&self.probabilities(state), state, self.round, rng)
    }

    fn reward(&mut self, choice: &Choice, reward: f64, share: f64) {
        let arms = self.log_weights.len() as f64;
        let estimate = f64::midpoint(1.0, reward) / choice.probability;
        let shared = (E * self.weight_sharing * share / arms).ln() + log_sum(&self.log_weights);
        self.log_weights[choice.arm] += self.uniform_share * estimate * share / arms;
        for log_weight in &mut self.log_weights {
            *log_weight = log_sum(&[*log_weight, shared]);
        }
        let largest = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.log_weights.iter_mut().for_each(|log_weight| *log_weight -= largest);
    }

    fn probabilities(&self, _: &[f64]) -> Vec<f64> {
        with_uniform(softmax(&self.log_weights), self.uniform_share)
    }
}

/// ln Σ exp(x) of values of which one at least is finite; −∞ adds nothing.
fn log_sum(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}
