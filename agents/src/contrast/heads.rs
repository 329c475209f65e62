//! Heads that only contrastive distillation reads.

use super::ContrastConfig;
use crate::ActionSpec;
use crate::knowledge::Knowledge;
use crate::nn::{Mlp, MlpOptions, Noise};
use crate::params::{Layout, Params};
use crate::trunk::Reading;
use tch::Tensor;

/// Parameters that only contrastive distillation uses. They live in the network's layout, behind
/// the others, so that snapshots, checkpoints and the optimiser know nothing of them.
#[derive(Debug)]
pub struct ContrastHeads {
    pub(super) projection: Option<Mlp>,
    pub(super) knowledge: Knowledge,
    pub(super) discrete: bool,
}

impl ContrastHeads {
    /// Heads for embeddings of length `embedding`.
    pub fn new(
        layout: &mut Layout,
        embedding: i64,
        action: &ActionSpec,
        config: &ContrastConfig,
    ) -> Self {
        let units = config.projection_units;
        let projection = (units > 0)
            .then(|| Mlp::new(layout, "projection", &[embedding, units], MlpOptions::default()));
        let knowledge = Knowledge::new(layout, embedding, action, config.dynamics_units);
        let discrete = matches!(action, ActionSpec::Discrete(_));
        Self { projection, knowledge, discrete }
    }

    /// What cosines are taken of: the projected embedding and the tokens, `[B, ...]` each.
    pub(super) fn views(&self, params: &Params, reading: &Reading) -> Vec<Tensor> {
        let feature = match &self.projection {
            Some(projection) => projection.forward(params, &reading.h, &mut Noise::Off),
            None => reading.h.shallow_clone(),
        };
        let tokens = reading.tokens.iter().map(|tokens| tokens.values.shallow_clone());
        std::iter::once(feature).chain(tokens).collect()
    }
}
