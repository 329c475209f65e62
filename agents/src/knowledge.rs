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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::floats;

    #[track_caller]
    fn assert_near(found: &Tensor, expected: &[f64]) {
        let found = floats(found);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    fn bounded() -> ActionSpec {
        ActionSpec::Box { low: vec![-1.0, 10.0], high: vec![3.0, 20.0] }
    }

    /// Embeddings of two numbers, two actions, one hidden unit. Inputs are (h, one-hot action), so
    /// the hidden unit of the dynamics is max(0, h₀ + 2 h₁ + 3 [action 1] - 1), and the next
    /// embedding twice of it and 5 less it. The outcome's hidden unit is max(0, h₀ + 4 [action 0]),
    /// the reward half of it, and the logit of going on it less 1.
    #[test]
    fn what_is_expected_by_hand() {
        let mut layout = Layout::default();
        let knowledge = Knowledge::new(&mut layout, 2, &ActionSpec::Discrete(2), 1);
        let names: Vec<&str> = layout.entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["dynamics/0/weight", "dynamics/0/bias", "dynamics/1/weight", "dynamics/1/bias"]
        );
        assert_eq!(
            names[4..],
            ["outcome/0/weight", "outcome/0/bias", "outcome/1/weight", "outcome/1/bias"]
        );
        let dynamics = [1.0, 2.0, 0.0, 3.0, -1.0, 2.0, -1.0, 0.0, 5.0];
        let outcome = [1.0, 0.0, 4.0, 0.0, 0.0, 0.5, 1.0, 0.0, -1.0];
        let params = Params::new(&layout, &[dynamics, outcome].concat(), Device::Cpu, false);
        let h = Tensor::from_slice2(&[[1.0f32, 0.5], [1.0, 0.5], [-9.0, 0.0]]);
        let actions = ActionBatch::Discrete(vec![0, 1, 1]);
        let actions = knowledge.actions(&actions, Device::Cpu).unwrap();
        assert_near(&actions, &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        let expected = knowledge.expected(&params, &h, &actions);
        // Hidden units of the dynamics: 1 + 1 - 1 = 1; 1 + 3 = 4; below 0.
        assert_near(&expected.h, &[2.0, 4.0, 8.0, 1.0, 0.0, 5.0]);
        // Of the outcome: 5; 1; below 0.
        assert_near(&expected.reward, &[2.5, 0.5, 0.0]);
        assert_near(&expected.continues, &[4.0, 0.0, -1.0]);
    }

    #[test]
    fn continuous_actions_are_read_between_their_bounds() {
        let mut layout = Layout::default();
        let knowledge = Knowledge::new(&mut layout, 2, &bounded(), 1);
        let actions = ActionBatch::Box(vec![-1.0, 20.0, 1.0, 12.5]);
        let actions = knowledge.actions(&actions, Device::Cpu).unwrap();
        assert_eq!(actions.size(), [2, 2]);
        assert_near(&actions, &[-1.0, 1.0, 0.0, -0.5]);
    }

    #[test]
    fn actions_of_another_kind_are_refused() {
        let (discrete, real) = (ActionBatch::Discrete(vec![0]), ActionBatch::Box(vec![0.0, 10.0]));
        for (spec, actions) in [(ActionSpec::Discrete(2), real), (bounded(), discrete)] {
            let knowledge = Knowledge::new(&mut Layout::default(), 2, &spec, 1);
            let refused = knowledge.actions(&actions, Device::Cpu).unwrap_err().to_string();
            assert!(refused.contains("actions of another kind"), "{refused}");
        }
    }

    /// Logits of ln 3 say that the episode goes on with 3/4.
    #[test]
    fn the_loss_of_outcomes_by_hand() {
        let of = |values: &[f32]| Tensor::from_slice(values);
        let logit = 3f32.ln();
        let expected = Expected {
            h: Tensor::zeros([4, 1], tch::kind::FLOAT_CPU),
            reward: of(&[0.5, 0.0, 1.0, -1.0]),
            continues: of(&[0.0, logit, logit, -60.0]),
        };
        let loss = expected.outcome_loss(&of(&[1.5, 0.0, 1.0, 1.0]), &of(&[1.0, 1.0, 0.0, 0.0]));
        let ln = |x: f64| x.ln();
        // 1 + ln 2; -ln(3/4); -ln(1/4); 4 + 0.
        assert_near(&loss, &[1.0 + ln(2.0), -ln(0.75), -ln(0.25), 4.0]);
    }
}
