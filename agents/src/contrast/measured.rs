//! Curves of contrasts.

use super::{Distillation, Objective};
use crate::gate::Gated;
use crate::{ContrastBatch, losses, scalar};
use tch::Tensor;

/// A loss, and what curves need of it.
pub(super) struct ContrastLoss {
    pub(super) total: Tensor,      // scalar
    pub(super) per_anchor: Tensor, // [B], no grad
    pub(super) measured: Option<Measured>,
}

/// What is measured of contrasts where curves are asked for.
pub(super) struct Measured {
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
        let per_anchor = scalar::floats(&loss.per_anchor);
        let accuracy = scalar::floats(&measured.accuracy);
        // An anchor has fewer than K negatives where most candidates are masked.
        let columns = (batch.negative_weights.len() / batch.len()).max(1);
        let negatives = batch.negative_weights.chunks(columns);
        let negatives: Vec<f64> =
            negatives.map(|own| own.iter().map(|w| f64::from(*w)).sum()).collect();
        let bounds: Vec<f64> = per_anchor
            .iter()
            .zip(&negatives)
            .map(|(loss, negatives)| losses::information_bound(f64::from(*loss), *negatives))
            .collect();
        let all = |_: &u32| true;
        let current = |subspace: &u32| self.current_subspaces.contains(subspace);
        let earlier = |subspace: &u32| !current(subspace);
        let mean = |values: &[f64], chosen: &dyn Fn(&u32) -> bool| {
            let chosen =
                values.iter().zip(&batch.subspaces).filter(|(_, subspace)| chosen(subspace));
            let (sum, count) =
                chosen.fold((0.0, 0u32), |(sum, count), (v, _)| (sum + v, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let mut metrics = vec![
            ("aux/loss", scalar::double(&loss.total)),
            ("aux/negatives", negatives.iter().sum::<f64>() / batch.len() as f64),
            ("aux/alignment", scalar::double(&measured.alignment)),
            ("aux/uniformity", scalar::double(&measured.uniformity)),
            ("aux/outcome_loss", measured.outcome),
            ("aux/distillation", measured.distillation),
        ];
        let accuracy: Vec<f64> = accuracy.iter().map(|a| f64::from(*a)).collect();
        let mut named = vec![("aux/accuracy", mean(&accuracy, &all))];
        if self.config.objective == Objective::Contrast {
            named.push(("aux/bound", mean(&bounds, &all)));
        }
        // Without phases nothing is earlier.
        if self.config.objective == Objective::Contrast && !self.current_subspaces.is_empty() {
            named.push(("aux/bound_current", mean(&bounds, &current)));
            named.push(("aux/bound_earlier", mean(&bounds, &earlier)));
        }
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
