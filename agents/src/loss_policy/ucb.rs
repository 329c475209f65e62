//! Discounted upper confidence bounds.

use super::bandit::{Bandit, Choice, one_hot};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Plays the arm with the largest sum of its discounted mean reward and a bonus for doubt.
///
/// After t choices, with discount g: N_i = Σ_{s≤t} g^(t−s) 1{i_s = i}, n = Σ_i N_i, M_i = the mean
/// of the rewards of i that have come, the one of round s weighing g^(t−s); i_{t+1} maximizes
/// M_i + c √(ln n / N_i). An arm never chosen comes first; equal arms go by their index.
///
/// # Source
/// Garivier and Moulines 2011 (arXiv 0805.3415), section 2, D-UCB; c is their 2 B √ξ.
///
/// # Differs
/// Rewards may be late: N counts choices when they are made, so an arm whose reward is on its way
/// is not taken for unknown, while M knows only rewards that have come, and is 0 before the first.
/// ln n is cut at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscountedUcb {
    discount: f64,
    exploration: f64,
    round: u64,
    /// `[A]` N_i as of the last choice.
    pulls: Vec<f64>,
    /// `[A]` discounted weight of the rewards that have come.
    rewarded: Vec<f64>,
    /// `[A]` discounted sum of these rewards.
    sums: Vec<f64>,
}

impl DiscountedUcb {
    /// Forgets by `discount` a round, in (0, 1]; `exploration` is c, >= 0.
    #[must_use]
    pub fn new(arms: usize, discount: f64, exploration: f64) -> Self {
        let zeros = vec![0.0; arms];
        let (pulls, rewarded, sums) = (zeros.clone(), zeros.clone(), zeros);
        Self { discount, exploration, round: 0, pulls, rewarded, sums }
    }

    /// `[A]` what is compared; infinite for an arm that was never chosen.
    #[must_use]
    pub fn indices(&self) -> Vec<f64> {
        let log = self.pulls.iter().sum::<f64>().ln().max(0.0);
        let index = |i: usize| {
            let mean = if self.rewarded[i] > 0.0 { self.sums[i] / self.rewarded[i] } else { 0.0 };
            // 0 also where a count has faded out: as good as never.
            if self.pulls[i] > 0.0 {
                mean + self.exploration * (log / self.pulls[i]).sqrt()
            } else {
                f64::INFINITY
            }
        };
        (0..self.pulls.len()).map(index).collect()
    }

    fn best(&self) -> usize {
        let indices = self.indices();
        (1..indices.len()).fold(0, |best, i| if indices[i] > indices[best] { i } else { best })
    }
}

impl Bandit for DiscountedUcb {
    fn choose(&mut self, state: &[f64], _: &mut dyn Rng) -> Choice {
        let arm = self.best();
        for series in [&mut self.pulls, &mut self.rewarded, &mut self.sums] {
            series.iter_mut().for_each(|value| *value *= self.discount);
        }
        self.pulls[arm] += 1.0;
        self.round += 1;
        Choice { arm, probability: 1.0, state: state.to_vec(), round: self.round }
    }

    fn reward(&mut self, choice: &Choice, reward: f64, share: f64) {
        let age = self.round.saturating_sub(choice.round);
        let weight = share * self.discount.powf(age as f64);
        self.rewarded[choice.arm] += weight;
        self.sums[choice.arm] += weight * reward;
    }

    fn probabilities(&self, _: &[f64]) -> Vec<f64> {
        one_hot(self.best(), self.pulls.len())
    }
}
