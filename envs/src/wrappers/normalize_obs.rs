//! Normalises observations by their running mean and variance.

use crate::{
    Action, Context, EnvError, EnvSpec, Environment, ObsBuffer, ObsMut, ObsRef, ObsSpace, RgbFrame,
    Step,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Added to the variance before the root is taken.
const EPSILON: f64 = 1e-8;
/// Normalised observations are clipped to plus and minus this.
const CLIP: f32 = 10.0;

/// Mean and variance of a stream of observations, one of each an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObsStats {
    /// Observations seen.
    pub count: u64,
    /// `[D]`: mean.
    pub mean: Vec<f64>,
    /// `[D]`: sum of squared differences from the mean.
    pub m2: Vec<f64>,
}

impl ObsStats {
    /// Statistics of `len` elements that have seen nothing.
    #[must_use]
    pub fn empty(len: usize) -> Self {
        Self { count: 0, mean: vec![0.0; len], m2: vec![0.0; len] }
    }

    /// Variance of element `index` (of the population: `m2 / count`), or 1 if nothing was seen, so
    /// that untrained statistics change nothing.
    #[must_use]
    pub fn variance(&self, index: usize) -> f64 {
        if self.count == 0 { 1.0 } else { self.m2[index] / self.count as f64 }
    }

    /// Takes in one observation.
    ///
    /// mean' = mean + δ/n, m2' = m2 + δ (x − mean'), with δ = x − mean
    ///
    /// # Source
    /// Welford (1962).
    ///
    /// # Panics
    /// If `obs` has another length: a bug of the caller.
    pub fn push(&mut self, obs: ObsRef<'_>) {
        assert_eq!(obs.len(), self.mean.len(), "observation and statistics differ in length");
        self.count += 1;
        let weight = 1.0 / self.count as f64;
        for (index, (mean, m2)) in self.mean.iter_mut().zip(&mut self.m2).enumerate() {
            let value = f64::from(obs.get(index));
            let delta = value - *mean;
            *mean += delta * weight;
            *m2 += delta * (value - *mean);
        }
    }

    /// Takes in the statistics of another stream, as if its observations had been pushed here.
    ///
    /// n = n₁ + n₂, mean = mean₁ + δ n₂/n, m2 = m2₁ + m2₂ + δ² n₁ n₂/n, with δ = mean₂ − mean₁
    ///
    /// # Source
    /// Chan, Golub, `LeVeque` (1979), equation 2.1.
    ///
    /// # Panics
    /// If `other` has another length: a bug of the caller.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(other.mean.len(), self.mean.len(), "the statistics differ in length");
        if other.count == 0 {
            return;
        }
        let (n1, n2) = (self.count as f64, other.count as f64);
        let n = n1 + n2;
        for index in 0..self.mean.len() {
            let delta = other.mean[index] - self.mean[index];
            self.mean[index] += delta * n2 / n;
            self.m2[index] += other.m2[index] + delta * delta * n1 * n2 / n;
        }
        self.count += other.count;
    }

    fn check(&self, len: usize) -> Result<(), EnvError> {
        let sound = |v: &[f64]| v.iter().all(|x| x.is_finite());
        let nonnegative = self.m2.iter().all(|x| *x >= 0.0);
        if self.mean.len() != len || self.m2.len() != len {
            return Err(EnvError::BadOption(format!(
                "observation statistics have {} means and {} variances, expected {len} of each",
                self.mean.len(),
                self.m2.len()
            )));
        }
        if !sound(&self.mean) || !sound(&self.m2) || !nonnegative {
            let message = "observation statistics must be finite, and variances at least 0";
            return Err(EnvError::BadOption(message.into()));
        }
        Ok(())
    }
}

/// Statistics shared by the [`NormalizeObs`] of all actors.
///
/// They belong to the policy, not to an environment: store [`ObsNormalizer::stats`] in the
/// checkpoint beside the network, and evaluate with [`ObsNormalizer::frozen`]. A policy that is
/// evaluated with fresh statistics sees other inputs than it was trained on and looks broken.
/// `Environment::save_state` does not contain them.
pub struct ObsNormalizer {
    stats: Mutex<ObsStats>,
    learns: bool,
}

impl ObsNormalizer {
    /// Empty statistics of observations of `len` elements; every observation updates them.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { stats: Mutex::new(ObsStats::empty(len)), learns: true }
    }

    /// Fixed statistics, for evaluation: no observation ever updates them.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `stats` is not finite or its parts differ in length.
    pub fn frozen(stats: ObsStats) -> Result<Self, EnvError> {
        stats.check(stats.mean.len())?;
        Ok(Self { stats: Mutex::new(stats), learns: false })
    }

    /// Whether observations never update the statistics.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        !self.learns
    }

    /// Number of elements of an observation.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stats.lock().mean.len()
    }

    /// Whether observations have no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of the statistics.
    #[must_use]
    pub fn stats(&self) -> ObsStats {
        self.stats.lock().clone()
    }

    /// Replaces the statistics, frozen ones too: those of a checkpoint or of a newer policy.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `stats` has another length or is not finite; nothing changes.
    pub fn set_stats(&self, stats: ObsStats) -> Result<(), EnvError> {
        let mut own = self.stats.lock();
        stats.check(own.mean.len())?;
        *own = stats;
        Ok(())
    }

    /// Takes in `obs` `[D]` unless frozen, then writes it normalised to `out` `[D]`:
    /// clip((obs − mean) / √(variance + 1e-8), −10, 10).
    ///
    /// # Errors
    /// [`EnvError::Failed`] if an element is NaN or infinite, which would spoil the statistics of
    /// all actors for good; they stay as they were.
    ///
    /// # Panics
    /// If a length differs: a bug of the caller.
    pub fn normalize(&self, env: &str, obs: ObsRef<'_>, out: &mut [f32]) -> Result<(), EnvError> {
        if let Some(index) = (0..obs.len()).find(|i| !obs.get(*i).is_finite()) {
            let reason = format!(
                "observation element {index} is {}, cannot normalise it; it must be finite",
                obs.get(index)
            );
            return Err(EnvError::Failed { env: env.into(), reason });
        }
        let mut stats = self.stats.lock();
        if self.learns {
            stats.push(obs);
        }
        assert_eq!(out.len(), stats.mean.len(), "output and statistics differ in length");
        for (index, out) in out.iter_mut().enumerate() {
            let centered = f64::from(obs.get(index)) - stats.mean[index];
            let scaled = centered / (stats.variance(index) + EPSILON).sqrt();
            *out = (scaled as f32).clamp(-CLIP, CLIP);
        }
        Ok(())
    }
}

/// Normalises observations with a shared [`ObsNormalizer`]. Observations become `f32` of the same
/// shape within plus and minus 10, bytes included. It has no state of its own.
pub struct NormalizeObs<E> {
    env: E,
    spec: EnvSpec,
    normalizer: Arc<ObsNormalizer>,
    /// `[D]`: what the inner environment writes.
    raw: ObsBuffer,
}

impl<E: Environment> NormalizeObs<E> {
    /// `env` with observations normalised by `normalizer`.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `normalizer` is for observations of another length.
    pub fn new(env: E, normalizer: Arc<ObsNormalizer>) -> Result<Self, EnvError> {
        let mut spec = env.spec().clone();
        if normalizer.len() != spec.obs.len() {
            return Err(EnvError::BadOption(format!(
                "{}: the normaliser is for observations of {} elements, they have {}",
                spec.id,
                normalizer.len(),
                spec.obs.len()
            )));
        }
        let raw = ObsBuffer::zeros(&spec.obs, 1);
        spec.obs = ObsSpace::f32(&spec.obs.shape, -CLIP, CLIP);
        Ok(Self { env, spec, normalizer, raw })
    }
}

impl<E: Environment> Environment for NormalizeObs<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        let out = obs.f32(&self.spec.id, self.raw.len())?;
        self.env.reset(seed, context, self.raw.as_mut())?;
        self.normalizer.normalize(&self.spec.id, self.raw.as_ref(), out)
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let out = obs.f32(&self.spec.id, self.raw.len())?;
        let step = self.env.step(action, self.raw.as_mut())?;
        self.normalizer.normalize(&self.spec.id, self.raw.as_ref(), out)?;
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        self.env.save_state(out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.env.restore_state(state)
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.env.render(frame)
    }

    fn expert_action(&self) -> Option<usize> {
        self.env.expert_action()
    }
}

#[cfg(test)]
mod tests;
