//! What was chosen and what it earned.

use super::bandit::Choice;
use super::regret::Regret;
use serde::{Deserialize, Serialize};

/// Counts, means and regret of A arms. One entry a choice that was handed out, which is one
/// auxiliary update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Books {
    discount: f64,
    /// `[A]` updates chosen.
    pub(super) updates: Vec<u64>,
    /// `[A]` updates chosen since the histogram was last read.
    pub(super) unread: Vec<u64>,
    /// `[A]` discounted number of rounds.
    rounds: Vec<f64>,
    /// All rewards.
    total: Means,
    /// The same, discounted once a round.
    recent: Means,
    pub(super) regret: Regret,
    /// Rewards so far.
    pub(super) rewards: u64,
    /// Rewards that were beyond the scale and cut.
    pub(super) cut: u64,
}

/// Weighted sums of rewards by arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Means {
    weights: Vec<f64>,
    sums: Vec<f64>,
}

impl Means {
    fn of(&self, arm: usize) -> Option<f64> {
        (self.weights[arm] > 0.0).then(|| self.sums[arm] / self.weights[arm])
    }

    fn overall(&self) -> Option<f64> {
        let weight: f64 = self.weights.iter().sum();
        (weight > 0.0).then(|| self.sums.iter().sum::<f64>() / weight)
    }
}

impl Books {
    pub(super) fn new(arms: usize, discount: f64, regret: Regret) -> Self {
        let means = Means { weights: vec![0.0; arms], sums: vec![0.0; arms] };
        Self {
            discount,
            updates: vec![0; arms],
            unread: vec![0; arms],
            rounds: vec![0.0; arms],
            total: means.clone(),
            recent: means,
            regret,
            rewards: 0,
            cut: 0,
        }
    }

    /// A new round was opened on `arm`.
    pub(super) fn open_round(&mut self, arm: usize) {
        let Means { weights, sums } = &mut self.recent;
        for series in [&mut self.rounds, weights, sums] {
            series.iter_mut().for_each(|value| *value *= self.discount);
        }
        self.rounds[arm] += 1.0;
    }

    /// A choice of `arm` was handed out for one update.
    pub(super) fn hand_out(&mut self, arm: usize) {
        self.updates[arm] += 1;
        self.unread[arm] += 1;
    }

    /// A reward came that stands for `updates` updates.
    pub(super) fn pay(&mut self, choice: &Choice, reward: f64, updates: f64) {
        self.rewards += 1;
        for means in [&mut self.total, &mut self.recent] {
            means.weights[choice.arm] += updates;
            means.sums[choice.arm] += updates * reward;
        }
        self.regret.add(choice, reward, updates);
    }

    /// Mean reward of an update with `arm`; none before the first.
    pub(super) fn mean(&self, arm: usize) -> Option<f64> {
        self.total.of(arm)
    }

    /// The same, discounted.
    pub(super) fn recent_mean(&self, arm: usize) -> Option<f64> {
        self.recent.of(arm)
    }

    /// Mean reward of an update with any arm, discounted.
    pub(super) fn recent_overall(&self) -> Option<f64> {
        self.recent.overall()
    }

    /// `[A]` discounted share of each arm in the rounds; zeros before the first.
    pub(super) fn shares(&self) -> Vec<f64> {
        let sum: f64 = self.rounds.iter().sum();
        self.rounds.iter().map(|n| if sum > 0.0 { n / sum } else { 0.0 }).collect()
    }

    /// Entropy of the shares, nats.
    pub(super) fn entropy(&self) -> f64 {
        let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        self.shares().into_iter().map(part).sum()
    }
}
