//! Settings of networks and algorithms: valid values only, units in the names.

use crate::Augmentation;
use serde::{Deserialize, Serialize};

/// The part of a network that turns an observation into an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Torso {
    /// Fully connected layers over the flattened observation.
    Mlp,
    /// One 3x3 convolution with 16 channels (Young and Tian 2019).
    Minatar,
    /// Three convolutions for 84x84 images (Mnih et al. 2015).
    Nature,
    /// Residual convolutions (Espeholt et al. 2018), the deep variant without its recurrent core.
    Impala,
}

/// Shape of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// How observations become an embedding.
    pub torso: Torso,
    /// Units of the fully connected layers that follow the torso.
    pub hidden_units: Vec<i64>,
    /// Whether layer normalization follows each fully connected layer.
    pub layer_norm: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { torso: Torso::Mlp, hidden_units: vec![256, 256], layer_norm: false }
    }
}

/// How the return is represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Its mean alone.
    Mean,
    /// Probabilities on a fixed support (C51: Bellemare et al. 2017).
    C51,
    /// Values at fixed quantile fractions (QR-DQN: Dabney et al. 2018).
    Quantile,
}

/// DQN and its extensions; all switched on is Rainbow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DqnConfig {
    /// Discount factor.
    pub gamma: f64,
    /// Rewards summed before the bootstrap.
    pub n_step: usize,
    /// Whether the online network chooses the bootstrap action (van Hasselt et al. 2016).
    pub double: bool,
    /// Whether value and advantage are separate streams (Wang et al. 2016).
    pub dueling: bool,
    /// Whether exploration is by noise on the weights (Fortunato et al. 2018).
    pub noisy: bool,
    /// How the return is represented.
    pub distribution: Distribution,
    /// Atoms (C51) or quantiles.
    pub num_atoms: i64,
    /// Smallest return of the C51 support.
    pub support_min: f64,
    /// Largest return of the C51 support.
    pub support_max: f64,
    /// Adam's step size at the start.
    pub learning_rate: f64,
    /// Adam's step size at the end of the run, reached linearly.
    pub learning_rate_final: f64,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Largest global gradient norm; 0 switches clipping off.
    pub max_grad_norm: f64,
    /// Updates between copies of the online network to the target network.
    pub target_update_period_updates: u64,
    /// Fraction of the online network mixed into the target at each copy; 1 is a full copy.
    pub target_ema_rate: f64,
    /// How the observations of a minibatch are varied, those that follow by numbers of their own
    /// (Yarats et al. 2021, with one view of each).
    pub augmentation: Augmentation,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            gamma: 0.99,
            n_step: 1,
            double: true,
            dueling: false,
            noisy: false,
            distribution: Distribution::Mean,
            num_atoms: 51,
            support_min: -10.0,
            support_max: 10.0,
            learning_rate: 2.5e-4,
            learning_rate_final: 2.5e-4,
            adam_epsilon: 1e-8,
            max_grad_norm: 10.0,
            target_update_period_updates: 1000,
            target_ema_rate: 1.0,
            augmentation: Augmentation::None,
        }
    }
}

/// Soft actor-critic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SacConfig {
    /// Discount factor.
    pub gamma: f64,
    /// Rewards summed before the bootstrap.
    pub n_step: usize,
    /// Adam's step size of the policy.
    pub policy_learning_rate: f64,
    /// Adam's step size of both critics.
    pub critic_learning_rate: f64,
    /// Adam's step size of the entropy coefficient.
    pub entropy_learning_rate: f64,
    /// Entropy coefficient at the start.
    pub entropy_coefficient: f64,
    /// Whether the entropy coefficient is learned.
    pub learn_entropy_coefficient: bool,
    /// Entropy that a learned coefficient aims at, per action dimension.
    pub target_entropy_per_dimension: f64,
    /// Fraction of the online critics mixed into their targets after every update.
    pub target_ema_rate: f64,
    /// Largest global gradient norm of policy and critics; 0 switches clipping off.
    pub max_grad_norm: f64,
}

impl Default for SacConfig {
    fn default() -> Self {
        Self {
            gamma: 0.99,
            n_step: 1,
            policy_learning_rate: 3e-4,
            critic_learning_rate: 3e-4,
            entropy_learning_rate: 3e-4,
            entropy_coefficient: 1.0,
            learn_entropy_coefficient: true,
            target_entropy_per_dimension: -1.0,
            target_ema_rate: 0.005,
            max_grad_norm: 0.0,
        }
    }
}
