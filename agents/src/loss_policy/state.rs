//! What a choice may depend on.

use serde::{Deserialize, Serialize};

/// Numbers of the run at the moment of a choice. What is not known yet is NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyState {
    /// Env steps since the last shift, in units of a scale that the caller sets; >= 0.
    pub phase_age: f64,
    /// Decision loss over its running mean: 1 is as usual; >= 0.
    pub decision_loss: f64,
    /// Bound on the mutual information on source data less that on target data, nats.
    pub bound_gap: f64,
    /// Share of random pairs of observations that have the same token code, 0 to 1.
    pub collision_rate: f64,
}

impl PolicyState {
    /// Number of features.
    pub const FEATURES: usize = 5;

    /// The numbers squashed into [-1, 1] in the order of the fields, then a constant 1.
    ///
    /// | feature | -1 at | 0 at | 1 at |
    /// |---|---|---|---|
    /// | 1 - 2 / (1 + phase_age) | 0 | 1 | infinity |
    /// | tanh(ln decision_loss) | 0 | 1 | infinity |
    /// | tanh(bound_gap) | -infinity | 0 | infinity |
    /// | 2 collision_rate - 1 | 0 | 0.5 | 1 |
    ///
    /// NaN gives 0, a value out of its range the nearest end.
    #[must_use]
    pub fn features(&self) -> [f64; Self::FEATURES] {
        [
            squashed(1.0 - 2.0 / (1.0 + self.phase_age.max(0.0)), self.phase_age),
            squashed(self.decision_loss.max(0.0).ln().tanh(), self.decision_loss),
            squashed(self.bound_gap.tanh(), self.bound_gap),
            squashed(2.0 * self.collision_rate - 1.0, self.collision_rate),
            1.0,
        ]
    }
}

/// `value` within [-1, 1]; 0 if the number `of` which it was made is NaN.
///
/// `f64::max` drops a NaN, so the value alone does not tell.
fn squashed(value: f64, of: f64) -> f64 {
    if of.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) }
}
