//! What a decision network is built on: an observation becomes an embedding, and tokens of it.

use crate::nn::{Encoder, Mlp, MlpOptions, Noise};
use crate::params::{Layout, Params};
use crate::tokens::{TokenConfig, TokenHead, Tokens};
use crate::{NetworkConfig, ObsSpec};
use tch::Tensor;

/// Observation -> embedding h `[B, D]` -> tokens z -> what the decision heads read.
///
/// Without tokens it is a torso and fully connected layers, and the heads read h.
#[derive(Debug)]
pub struct Trunk {
    encoder: Encoder,
    shared: Mlp,
    tokens: Option<TokenHead>,
    feed_decision: bool,
    embedding: i64,
    inputs: i64,
}

/// A trunk's reading of observations.
#[derive(Debug)]
pub struct Reading {
    /// The embedding h, `[B, D]`.
    pub h: Tensor,
    /// Its tokens, if the network has a token head.
    pub tokens: Option<Tokens>,
}

impl Trunk {
    /// The torso of `network`, fully connected layers of `hidden_units`, and a token head if
    /// `tokens` asks for one. No hidden units: h is what the torso gives.
    pub fn new(
        layout: &mut Layout,
        obs: &ObsSpec,
        (network, hidden_units): (&NetworkConfig, &[i64]),
        noisy: bool,
        tokens: Option<&TokenConfig>,
    ) -> Self {
        let encoder = Encoder::new(layout, "encoder", network, obs);
        let units: Vec<i64> =
            std::iter::once(encoder.features()).chain(hidden_units.iter().copied()).collect();
        let options = MlpOptions { noisy, layer_norm: network.layer_norm, activate_last: true };
        let shared = Mlp::new(layout, "shared", &units, options);
        let embedding = hidden_units.last().copied().unwrap_or(encoder.features());
        let head = tokens.map(|config| TokenHead::new(layout, "tokens", embedding, config));
        let feed_decision = tokens.is_some_and(|config| config.feed_decision);
        let extra = tokens.filter(|_| feed_decision).map_or(0, |config| config.embedding_units);
        Self { encoder, shared, tokens: head, feed_decision, embedding, inputs: embedding + extra }
    }

    /// D, the length of the embedding.
    #[must_use]
    pub fn embedding(&self) -> i64 {
        self.embedding
    }

    /// Length of what the decision heads read.
    #[must_use]
    pub fn inputs(&self) -> i64 {
        self.inputs
    }

    /// x: `[B, obs...]` -> h and tokens.
    pub fn read(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Reading {
        let h = self.embed(params, x, noise);
        self.reading(params, h)
    }

    /// x: `[B, obs...]` -> h `[B, D]`.
    pub fn embed(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        self.shared.forward(params, &self.encoder.forward(params, x), noise)
    }

    /// The reading whose embedding is `h`.
    pub fn reading(&self, params: &Params, h: Tensor) -> Reading {
        let tokens = self.tokens.as_ref().map(|head| head.tokens(params, &h));
        Reading { h, tokens }
    }

    /// What the decision heads read: h, and the embedding of the tokens behind it if they feed the
    /// decision. `[B, inputs]`.
    pub fn decision_input(&self, params: &Params, reading: &Reading) -> Tensor {
        match (&self.tokens, &reading.tokens) {
            (Some(head), Some(tokens)) if self.feed_decision => {
                Tensor::cat(&[&reading.h, &head.embedding(params, tokens)], -1)
            }
            _ => reading.h.shallow_clone(),
        }
    }

    /// x: `[B, obs...]` -> `[B, inputs]`.
    pub fn forward(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        let reading = self.read(params, x, noise);
        self.decision_input(params, &reading)
    }
}
