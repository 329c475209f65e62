//! How uneven the data is: between the environments, and over time.

use serde::{Deserialize, Serialize};

/// Env steps by subspace, of every environment and of every period of the log.
///
/// Both figures are the generalised Jensen-Shannon divergence in bits (Lin 1991): the entropy of
/// the pooled shares less the mean entropy of the parts, each part weighted by its env steps. It
/// is 0 where all parts have the same shares, and at most log2 of the number of subspaces, or of
/// parts, where no two parts share a subspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skew {
    /// `[streams][subspaces]` env steps since the run began.
    of_stream: Vec<Vec<u64>>,
    /// `[subspaces]` env steps of the running period.
    period: Vec<u64>,
    /// Sum over finished periods of env steps times entropy in bits.
    entropy_sum: f64,
    /// `[subspaces]` env steps of the finished periods.
    finished: Vec<u64>,
}

impl Skew {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(streams: usize, subspaces: usize) -> Self {
        Self {
            of_stream: vec![vec![0; subspaces]; streams],
            period: vec![0; subspaces],
            entropy_sum: 0.0,
            finished: vec![0; subspaces],
        }
    }

    /// Environment `stream` took `env_steps` in `subspace`.
    pub fn add(&mut self, (stream, subspace): (u32, u32), env_steps: u64) {
        self.of_stream[stream as usize][subspace as usize] += env_steps;
        self.period[subspace as usize] += env_steps;
    }

    /// Ends the running period.
    pub fn end_period(&mut self) {
        self.entropy_sum += total(&self.period) * entropy_bits(&self.period);
        for (all, period) in self.finished.iter_mut().zip(&mut self.period) {
            *all += std::mem::take(period);
        }
    }

    /// Between the environments, since the run began; `None` before the first env step.
    #[must_use]
    pub fn between_envs_bits(&self) -> Option<f64> {
        jensen_shannon_bits(&self.of_stream)
    }

    /// Between the finished periods; `None` before the first.
    #[must_use]
    pub fn over_time_bits(&self) -> Option<f64> {
        let steps = total(&self.finished);
        (steps > 0.0).then(|| (entropy_bits(&self.finished) - self.entropy_sum / steps).max(0.0))
    }

    /// Env steps in each subspace since the run began.
    #[must_use]
    pub fn env_steps(&self) -> Vec<u64> {
        let mut sum = vec![0; self.period.len()];
        for row in &self.of_stream {
            sum.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
        }
        sum
    }
}

/// The generalised Jensen-Shannon divergence of `parts`, `[parts][kinds]` counts, each part
/// weighted by its total; `None` if all are 0.
#[must_use]
pub fn jensen_shannon_bits(parts: &[Vec<u64>]) -> Option<f64> {
    let kinds = parts.first()?.len();
    let pooled: Vec<u64> = (0..kinds).map(|kind| parts.iter().map(|p| p[kind]).sum()).collect();
    let all = total(&pooled);
    let within: f64 = parts.iter().map(|part| total(part) * entropy_bits(part)).sum();
    // Rounding may leave a little below 0.
    (all > 0.0).then(|| (entropy_bits(&pooled) - within / all).max(0.0))
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}

/// Shannon entropy of the shares of `counts`; 0 without any.
fn entropy_bits(counts: &[u64]) -> f64 {
    let all = total(counts);
    let part = |n: &u64| {
        let share = *n as f64 / all;
        if *n == 0 { 0.0 } else { -share * share.log2() }
    };
    counts.iter().map(part).sum()
}
