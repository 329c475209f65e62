//! Curves of contrasts.

use super::Distillation;
use crate::gate::Gated;
use crate::{ContrastBatch, losses, scalar};
use tch::Tensor;

/// A loss, and what curves need of it.
pub(super) struct ContrastLoss {
    pub(super) total: Tensor, // scalar
    pub(super) measured: Option<Measured>,
}

/// What is measured of contrasts where curves are asked for.
pub(super) struct Measured {
    pub(super) per_anchor: Tensor, // [B]
    pub(super) accuracy: Tensor,   // [B]
    pub(super) alignment: Tensor,  // scalar
    pub(super) uniformity: Tensor, // scalar
    pub(super) outcome: f64,
    pub(super) distillation: f64,
}

impl Distillation {
    /// Empty if nothing was measured.
    pub(super) fn metrics(
        &self,
        loss: &ContrastLoss,
        batch: &ContrastBatch,
    ) -> Vec<(&'static str, f64)> {
        let Some(measured) = &loss.measured else { return Vec::new() };
        let per_anchor = scalar::floats(&measured.per_anchor);
        let accuracy = scalar::floats(&measured.accuracy);
        let negatives = f64::from(batch.negative_weights.iter().sum::<f32>()) / batch.len() as f64;
        let mean = |values: &[f32], current: Option<bool>| {
            let chosen = values.iter().zip(&batch.subspaces).filter(|(_, subspace)| {
                current.is_none_or(|c| self.current_subspaces.contains(subspace) == c)
            });
            let (sum, count) =
                chosen.fold((0.0, 0u32), |(sum, count), (v, _)| (sum + f64::from(*v), count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let mut metrics = vec![
            ("aux/loss", scalar::double(&loss.total)),
            ("aux/negatives", negatives),
            ("aux/alignment", scalar::double(&measured.alignment)),
            ("aux/uniformity", scalar::double(&measured.uniformity)),
            ("aux/outcome_loss", measured.outcome),
            ("aux/distillation", measured.distillation),
        ];
        let bound = |loss| losses::information_bound(loss, negatives);
        let named = [
            ("aux/accuracy", mean(&accuracy, None)),
            ("aux/bound", mean(&per_anchor, None).map(bound)),
            ("aux/bound_current", mean(&per_anchor, Some(true)).map(bound)),
            ("aux/bound_earlier", mean(&per_anchor, Some(false)).map(bound)),
        ];
        metrics.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        metrics
    }
}

/// Curves of two gradients.
pub(super) fn gradient_metrics(gated: &Gated) -> Vec<(&'static str, f64)> {
    vec![
        ("aux/gradient_cosine", gated.cosine),
        ("aux/decision_gradient_norm", gated.decision_norm),
        ("aux/auxiliary_gradient_norm", gated.auxiliary_norm),
        ("aux/gradient_dropped", f64::from(u8::from(gated.dropped))),
    ]
}
