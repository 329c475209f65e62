//! Heads that know what follows: the next embedding, the reward, whether the episode goes on.

use crate::nn::{Mlp, MlpOptions, Noise};
use crate::params::{Layout, Params};
use crate::{ActionBatch, ActionSpec, AgentError};
use tch::{Device, Kind, Reduction, Tensor};

/// Latent dynamics P(h, a) with a reward head and a continuation head.
///
/// # Source
/// Model-based transfer: Sun et al. 2022 (arXiv 2201.00248), where latent dynamics and rewards
/// learned on a source regularise the encoder on a target.
///
/// # Differs
/// Also a continuation head; here the dynamics are the anchor of a contrast, there a regression.
#[derive(Debug)]
pub(crate) struct Knowledge {
    dynamics: Mlp,
    outcome: Mlp,
    action: ActionSpec,
}

/// What the heads expect after an action.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The next embedding, `[B, D]`.
    pub h: Tensor,
    /// The reward, `[B]`.
    pub reward: Tensor,
    /// Logit of the probability that the episode goes on, `[B]`.
    pub continues: Tensor,
}

impl Knowledge {
    /// Heads for embeddings of length `embedding`, with one hidden layer of `units`.
    pub(crate) fn new(
        layout: &mut Layout,
        embedding: i64,
        action: &ActionSpec,
        units: i64,
    ) -> Self {
        let inputs = embedding + action_len(action);
        let mut head = |name: &str, outputs| {
            Mlp::new(layout, name, &[inputs, units, outputs], MlpOptions::default())
        };
        let dynamics = head("dynamics", embedding);
        let outcome = head("outcome", 2);
        Self { dynamics, outcome, action: action.clone() }
    }

    /// h: `[B, D]`, actions: `[B, action_len]` of [`Knowledge::actions`].
    pub(crate) fn expected(&self, params: &Params, h: &Tensor, actions: &Tensor) -> Expected {
        let input = Tensor::cat(&[h, actions], -1); // [B, D + action_len]
        let outcome = self.outcome.forward(params, &input, &mut Noise::Off); // [B, 2]
        Expected {
            h: self.dynamics.forward(params, &input, &mut Noise::Off),
            reward: outcome.select(1, 0),
            continues: outcome.select(1, 1),
        }
    }

    /// Actions as the heads read them, `[B, action_len]`: one-hot, or scaled to [-1, 1].
    ///
    /// # Errors
    /// [`AgentError::Unsuitable`] if the actions are not of the environment's kind.
    pub(crate) fn actions(
        &self,
        actions: &ActionBatch,
        device: Device,
    ) -> Result<Tensor, AgentError> {
        match (&self.action, actions) {
            (ActionSpec::Discrete(n), ActionBatch::Discrete(actions)) => {
                let indices = Tensor::from_slice(actions).to_device(device);
                Ok(indices.one_hot(*n).to_kind(Kind::Float))
            }
            (ActionSpec::Box { low, high }, ActionBatch::Box(actions)) => {
                let of = |values: &[f32]| Tensor::from_slice(values).to_device(device);
                let (low, high) = (of(low), of(high));
                let actions = of(actions).view([-1, low.size()[0]]);
                Ok((actions - &low) / (high - low) * 2.0 - 1.0)
            }
            _ => Err(AgentError::Unsuitable(
                "contrasts have actions of another kind than the network's".into(),
            )),
        }
    }
}

impl Expected {
    /// Squared error of the reward plus cross-entropy of the continuation, `[B]`.
    ///
    /// # Shapes
    /// rewards: `[B]` · continues: `[B]` 0 or 1 · returns `[B]`.
    pub(crate) fn outcome_loss(&self, rewards: &Tensor, continues: &Tensor) -> Tensor {
        let reward = (&self.reward - rewards).square();
        let goes_on = self.continues.binary_cross_entropy_with_logits::<Tensor>(
            continues,
            None,
            None,
            Reduction::None,
        );
        reward + goes_on
    }
}

fn action_len(action: &ActionSpec) -> i64 {
    match action {
        ActionSpec::Discrete(n) => *n,
        ActionSpec::Box { low, .. } => low.len() as i64,
    }
}
