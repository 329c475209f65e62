//! Gradient bandit with preferences that depend on the state.

use super::bandit::{Bandit, Choice, drawn, softmax, with_uniform};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Softmax over preferences that are linear in the features, moved along the policy gradient.
///
/// H_i = θ_i·x, π = softmax(H), played p = (1 − u) π + u / A. With the reward r of arm i chosen at
/// x, and the baseline b = v·x: θ_j ← θ_j + η (r − b) (1{j = i} − π_j(x)) x for every arm j, then
/// v ← v + ρ (r − b) x / |x|².
///
/// # Source
/// Sutton and Barto 2018, "Reinforcement learning", section 2.8, equation 2.12.
///
/// # Differs
/// There H has no state and b is the mean of all rewards; here both are linear in x, which is the
/// same where x is a constant 1 and `discount` is 1. ρ is one over the number of rewards so far,
/// but not below 1 − discount: old rewards fade, and so do preferences, θ ← discount · θ before each
/// step; the first reward is its own baseline. The uniform share u is ours and its draws are not
/// corrected for, so that an arm whose π is almost 0 can still rise at once. π is that of the
/// moment when the reward comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientBandit {
    learning_rate: f64,
    uniform_share: f64,
    discount: f64,
    round: u64,
    /// Rounds paid so far; parts of rounds count as parts.
    rewarded: f64,
    /// `[A][F]` θ.
    preferences: Vec<Vec<f64>>,
    /// `[F]` v.
    baseline: Vec<f64>,
}

/// Rates of a gradient bandit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientRates {
    /// Step size of the preferences (η), > 0.
    pub learning_rate: f64,
    /// Share of the choices that is uniform (u), 0 to 1.
    pub uniform_share: f64,
    /// What is left of preferences, and of an old reward in the baseline, after each round, in (0, 1].
    pub discount: f64,
}

impl GradientBandit {
    /// All preferences 0. `features`: length of the states.
    #[must_use]
    pub fn new(arms: usize, features: usize, rates: GradientRates) -> Self {
        Self {
            learning_rate: rates.learning_rate,
            uniform_share: rates.uniform_share,
            discount: rates.discount,
            round: 0,
            rewarded: 0.0,
            preferences: vec![vec![0.0; features]; arms],
            baseline: vec![0.0; features],
        }
    }

    /// `[A]` π.
    fn softmax(&self, state: &[f64]) -> Vec<f64> {
        softmax(&self.preferences.iter().map(|theta| dot(theta, state)).collect::<Vec<f64>>())
    }
}

impl Bandit for GradientBandit {
    fn choose(&mut self, state: &[f64], rng: &mut dyn Rng) -> Choice {
        self.round += 1;
        drawn(&self.probabilities(state), state, self.round, rng)
    }

    fn reward(&mut self, choice: &Choice, reward: f64, share: f64) {
        let state = &choice.state;
        let norm = dot(state, state).max(f64::EPSILON);
        if self.rewarded <= 0.0 {
            // The first reward teaches what is usual, not that its arm is good.
            add(&mut self.baseline, reward / norm, state);
        }
        let advantage = reward - dot(&self.baseline, state);
        let pi = self.softmax(state);
        let kept = self.discount.powf(share);
        for (arm, theta) in self.preferences.iter_mut().enumerate() {
            // Or an arm that was best for long could not be left: at π = 1 its gradient is 0.
            theta.iter_mut().for_each(|value| *value *= kept);
            let indicator = if arm == choice.arm { 1.0 } else { 0.0 };
            let step = self.learning_rate * share * advantage * (indicator - pi[arm]);
            add(theta, step, state);
        }
        self.rewarded += share;
        let rate = (share / self.rewarded).max(1.0 - self.discount.powf(share));
        add(&mut self.baseline, rate * advantage / norm, state);
    }

    fn probabilities(&self, state: &[f64]) -> Vec<f64> {
        with_uniform(self.softmax(state), self.uniform_share)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// vector += factor * direction.
fn add(vector: &mut [f64], factor: f64, direction: &[f64]) {
    vector.iter_mut().zip(direction).for_each(|(value, d)| *value += factor * d);
}
