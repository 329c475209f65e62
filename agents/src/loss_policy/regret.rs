//! What the best arm, held throughout, would have earned beyond what was earned.

use super::bandit::Choice;
use serde::{Deserialize, Serialize};

/// Sums from which regret is estimated. Unit: reward x updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Regret {
    earned: f64,
    updates: f64,
    by_arm: ByArm,
}

/// What each arm would have earned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ByArm {
    /// Sums of reward / probability: each is without bias.
    Weighted(Vec<f64>),
    /// Means within windows of time: for choices without probabilities.
    Windowed(Windows),
}

/// In each window an arm is worth its own mean reward there; where it was not tried, its last
/// mean; before it was ever tried, the mean of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Windows {
    /// Updates a window, at least.
    length: f64,
    /// `[A]` sums of the closed windows.
    closed: Vec<f64>,
    /// `[A]` mean in the last window in which the arm was tried.
    last: Vec<Option<f64>>,
    /// `[A]` updates in the open window.
    weights: Vec<f64>,
    /// `[A]` rewards in the open window.
    sums: Vec<f64>,
}

impl Regret {
    /// For choices that carry their probability.
    pub(super) fn weighted(arms: usize) -> Self {
        Self { earned: 0.0, updates: 0.0, by_arm: ByArm::Weighted(vec![0.0; arms]) }
    }

    /// For choices that do not, in windows of `length` updates.
    pub(super) fn windowed(arms: usize, length: f64) -> Self {
        let zeros = vec![0.0; arms];
        let (closed, weights, sums) = (zeros.clone(), zeros.clone(), zeros);
        let windows = Windows { length, closed, last: vec![None; arms], weights, sums };
        Self { earned: 0.0, updates: 0.0, by_arm: ByArm::Windowed(windows) }
    }

    pub(super) fn add(&mut self, choice: &Choice, reward: f64, updates: f64) {
        self.earned += updates * reward;
        self.updates += updates;
        match &mut self.by_arm {
            ByArm::Weighted(sums) => sums[choice.arm] += updates * reward / choice.probability,
            ByArm::Windowed(windows) => windows.add(choice.arm, reward, updates),
        }
    }

    /// `[A]` what each arm, held throughout, would have earned.
    pub(super) fn fixed_arms(&self) -> Vec<f64> {
        match &self.by_arm {
            ByArm::Weighted(sums) => sums.clone(),
            ByArm::Windowed(windows) => windows.totals(),
        }
    }

    /// Index of the arm that would have earned most, the first of equal ones.
    pub(super) fn best_arm(&self) -> usize {
        let sums = self.fixed_arms();
        (1..sums.len()).fold(0, |best, i| if sums[i] > sums[best] { i } else { best })
    }

    /// What the best arm would have earned, less what was earned.
    pub(super) fn total(&self) -> f64 {
        self.fixed_arms()[self.best_arm()] - self.earned
    }

    /// The same an update; none before the first reward.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.updates > 0.0).then(|| self.total() / self.updates)
    }
}

impl Windows {
    fn add(&mut self, arm: usize, reward: f64, updates: f64) {
        self.weights[arm] += updates;
        self.sums[arm] += updates * reward;
        if self.weights.iter().sum::<f64>() < self.length {
            return;
        }
        self.closed = self.totals();
        for arm in 0..self.closed.len() {
            self.last[arm] = self.open_mean(arm).or(self.last[arm]);
        }
        self.weights.fill(0.0);
        self.sums.fill(0.0);
    }

    fn open_mean(&self, arm: usize) -> Option<f64> {
        (self.weights[arm] > 0.0).then(|| self.sums[arm] / self.weights[arm])
    }

    /// `[A]` closed windows and the open one.
    fn totals(&self) -> Vec<f64> {
        let weight: f64 = self.weights.iter().sum();
        if weight <= 0.0 {
            return self.closed.clone();
        }
        let overall = self.sums.iter().sum::<f64>() / weight;
        let worth = |arm: usize| self.open_mean(arm).or(self.last[arm]).unwrap_or(overall);
        (0..self.closed.len()).map(|arm| self.closed[arm] + weight * worth(arm)).collect()
    }
}
