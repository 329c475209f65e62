//! Tokens: a discrete code of an embedding by finite scalar quantisation, what is measured of
//! codes and embeddings, and the alarm for their collapse.

mod collapse;
mod stats;

pub use collapse::{CollapseAlarm, CollapseLimits};
pub use stats::{DORMANT_THRESHOLD, TokenStats, dormant_mask, dormant_units, effective_rank};

use crate::nn::{Mlp, MlpOptions, Noise};
use crate::params::{Layout, Params};
use crate::scalar;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Section `[tokens]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenConfig {
    /// Whether there are tokens.
    pub enabled: bool,
    /// G: groups of a code.
    pub groups: i64,
    /// L: levels of a group, 2 to 255. With an odd L a code of middle levels has values of 0 alone
    /// and so no direction; with an even L no value is 0.
    pub levels: i64,
    /// E: units of the embedding of a code that the decision reads.
    pub embedding_units: i64,
    /// Whether the decision reads it.
    pub feed_decision: bool,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self { enabled: true, groups: 8, levels: 5, embedding_units: 32, feed_decision: true }
    }
}

/// Embedding h -> code -> embedding of the code that the decision reads.
#[derive(Debug)]
pub struct TokenHead {
    projection: Mlp,
    embedding: Mlp,
    inputs: i64,
    levels: i64,
}

/// The codes of a batch of observations.
#[derive(Debug)]
pub struct Tokens {
    /// `[B, G]` one of L evenly spaced values in [-1, 1]; its gradient is that of `soft`.
    pub values: Tensor,
    /// `[B, G]` in [-1, 1], before rounding.
    pub soft: Tensor,
    /// `[B, G]` whole numbers from 0 to L - 1, no grad.
    pub levels: Tensor,
    /// L.
    pub num_levels: i64,
}

impl TokenHead {
    /// A head for embeddings of length `inputs`.
    ///
    /// # Panics
    /// If L is not 2 to 256; the configuration is checked before.
    pub fn new(layout: &mut Layout, name: &str, inputs: i64, config: &TokenConfig) -> Self {
        assert_levels(config.levels);
        let mut linear =
            |name: &str, units: [i64; 2]| Mlp::new(layout, name, &units, MlpOptions::default());
        let projection = linear(name, [inputs, config.groups]);
        let embedding =
            linear(&format!("{name}_embedding"), [config.groups, config.embedding_units]);
        Self { projection, embedding, inputs, levels: config.levels }
    }

    /// h: `[B, D]` -> codes.
    ///
    /// Each row of h is first brought to mean 0 and variance 1, without parameters. Fresh layers
    /// shrink their inputs; projected as it is, h would round to the middle level everywhere.
    pub fn tokens(&self, params: &Params, h: &Tensor) -> Tokens {
        let h = h.layer_norm([self.inputs], None::<Tensor>, None::<Tensor>, 1e-5, false);
        quantize(&self.projection.forward(params, &h, &mut Noise::Off), self.levels)
    }

    /// The embedding of codes that the decision reads, `[B, E]`.
    pub fn embedding(&self, params: &Params, tokens: &Tokens) -> Tensor {
        self.embedding.forward(params, &tokens.values, &mut Noise::Off)
    }
}

/// Bounds `x` by tanh and rounds it to L levels, with a straight-through gradient:
/// level = ⌊(tanh(x) + 1) · (L − 1)/2 + ½⌋, value = 2 level/(L − 1) − 1, ∂value/∂x = 1 − tanh²(x).
///
/// # Shapes
/// x: `[B, G]` · returns [`Tokens`].
///
/// # Source
/// Mentzer et al. 2023 (arXiv 2309.15505), section 3.1 and appendix A.1. There an even L is
/// rounded after subtracting half a level; in the count from 0 used here, that is this formula.
///
/// # Differs
/// The paper divides by ⌊L/2⌋, so that the values of an even L are not symmetric (L = 4: −1, −½,
/// 0, ½); here they are (−1, −⅓, ⅓, 1). For an even L the paper also shifts x so that 0 falls
/// into the middle of a level; here 0 parts the two middle levels: at L = 2 the paper's shift
/// leaves level 0 to x < −1.56 and a fresh head would not reach it. No shrinking by ε: the ends of
/// tanh round to the end levels.
///
/// # Panics
/// If L is not 2 to 256.
pub fn quantize(x: &Tensor, levels: i64) -> Tokens {
    assert_levels(levels);
    let top = (levels - 1) as f64;
    let soft = x.tanh();
    let level = ((soft.detach() + 1.0) * (top / 2.0) + 0.5).floor();
    let hard: Tensor = &level * (2.0 / top) - 1.0;
    let values = if soft.requires_grad() {
        // The difference is 0, and exactly so: equal codes have equal values.
        hard + (&soft - soft.detach())
    } else {
        hard
    };
    Tokens { values, soft, levels: level, num_levels: levels }
}

/// Levels as bytes, `[B * G]`, row-major.
#[must_use]
pub fn code_bytes(tokens: &Tokens) -> Vec<u8> {
    scalar::floats(&tokens.levels).into_iter().map(|level| level as u8).collect()
}

#[track_caller]
fn assert_levels(levels: i64) {
    assert!((2..=256).contains(&levels), "a token has {levels} levels; 2 to 256 are allowed");
}

#[cfg(test)]
mod tests;
