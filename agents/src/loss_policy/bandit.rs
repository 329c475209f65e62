//! What every learner of choices does, and the two that learn nothing.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// A ticket: what was chosen. It is handed back with its reward, which may come after several
/// later choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Index of the arm.
    pub arm: usize,
    /// Probability that the arm had when it was chosen; 1 from a deterministic learner.
    pub probability: f64,
    /// Features that the choice was made from.
    pub state: Vec<f64>,
    /// Number of the choice of this learner, from 1.
    pub round: u64,
}

/// A learner that chooses one of A arms, round after round, and learns from delayed rewards.
pub trait Bandit {
    /// Opens a round. `state`: `[F]` features, of the same length every time.
    fn choose(&mut self, state: &[f64], rng: &mut dyn Rng) -> Choice;

    /// Learns from `reward`, -1 to 1, of an earlier choice.
    ///
    /// `share`, in (0, 1], is the part of the round that the reward stands for: a round whose
    /// arm was kept for 8 updates may be paid in eight rewards of share 1/8 each.
    fn reward(&mut self, choice: &Choice, reward: f64, share: f64);

    /// `[A]` probabilities of the arms in the next round, given `state`.
    fn probabilities(&self, state: &[f64]) -> Vec<f64>;
}

/// Always the first arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    arms: usize,
    round: u64,
}

impl Fixed {
    /// Plays the first of `arms` arms.
    #[must_use]
    pub fn new(arms: usize) -> Self {
        Self { arms, round: 0 }
    }
}

impl Bandit for Fixed {
    fn choose(&mut self, state: &[f64], _: &mut dyn Rng) -> Choice {
        self.round += 1;
        Choice { arm: 0, probability: 1.0, state: state.to_vec(), round: self.round }
    }

    fn reward(&mut self, _: &Choice, _: f64, _: f64) {}

    fn probabilities(&self, _: &[f64]) -> Vec<f64> {
        one_hot(0, self.arms)
    }
}

/// All arms alike, whatever they earn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uniform {
    arms: usize,
    round: u64,
}

impl Uniform {
    /// Draws from `arms` arms.
    #[must_use]
    pub fn new(arms: usize) -> Self {
        Self { arms, round: 0 }
    }
}

impl Bandit for Uniform {
    fn choose(&mut self, state: &[f64], rng: &mut dyn Rng) -> Choice {
        self.round += 1;
        drawn(&self.probabilities(state), state, self.round, rng)
    }

    fn reward(&mut self, _: &Choice, _: f64, _: f64) {}

    fn probabilities(&self, _: &[f64]) -> Vec<f64> {
        vec![1.0 / self.arms as f64; self.arms]
    }
}

/// An arm drawn with `probabilities`; takes one number from `rng`.
pub(super) fn drawn(probabilities: &[f64], state: &[f64], round: u64, rng: &mut dyn Rng) -> Choice {
    let mut left: f64 = rng.random();
    // Rounding may leave a rest after the last arm: then it is the last one that can be drawn.
    let mut arm = probabilities.iter().rposition(|&p| p > 0.0).unwrap_or(0);
    for (i, &p) in probabilities.iter().enumerate() {
        if left < p {
            arm = i;
            break;
        }
        left -= p;
    }
    Choice { arm, probability: probabilities[arm], state: state.to_vec(), round }
}

/// `[len]` zeros and a one at `index`.
pub(super) fn one_hot(index: usize, len: usize) -> Vec<f64> {
    let mut probabilities = vec![0.0; len];
    probabilities[index] = 1.0;
    probabilities
}

/// `[A]` exp(logits) over their sum, without overflow.
pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Mixes a uniform distribution into `probabilities` with weight `share`.
pub(super) fn with_uniform(probabilities: Vec<f64>, share: f64) -> Vec<f64> {
    let floor = share / probabilities.len() as f64;
    probabilities.into_iter().map(|p| (1.0 - share) * p + floor).collect()
}
