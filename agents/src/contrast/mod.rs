//! Contrastive distillation, from contrasts to a step of the network's parameters.
//!
//! A student (the online network) reads anchors, a teacher (its moving average) reads what they
//! are compared with, and the loss pulls the student's reading towards the positives and away from
//! the negatives. One relation is special: in a *predictive* contrast the anchor is what latent
//! dynamics expect after an action, and the student reads what followed.

mod distillation;
mod distiller;
mod heads;
mod indices;
mod loss;
mod measured;
mod part;
mod saved;

pub use distillation::Distillation;
pub use distiller::{Distiller, RepresentationStats};
pub use heads::ContrastHeads;
pub use part::{Frozen, Part};

use crate::augment::Augmentation;
use crate::gate::GateRule;
use crate::losses::Debias;
use crate::params::{Layout, Params};
use crate::tokens::TokenConfig;
use crate::trunk::{Reading, Trunk};
use crate::{ContrastBatch, ObsSpec};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// What a contrast is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The contrastive loss.
    Contrast,
    /// Normalised squared error to the positives, negatives unused: the ablation that takes the
    /// contrast out (Schwarzer et al. 2021, SPR).
    SquaredError,
    /// Nothing: distillation of the teacher, and the heads of the predictive relation, alone.
    None,
}

/// Which anchors the student is distilled on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistillOn {
    /// Those from memory of earlier subspaces: what the teacher knew is kept.
    #[default]
    Earlier,
    /// Those of the current stream: the teacher shows what it would do now (kickstarting).
    Current,
    /// All: where the student's view is varied, it learns to act as the teacher does without.
    All,
}

/// The learner's side of contrastive distillation.
#[derive(Clone, Debug, PartialEq)]
pub struct ContrastConfig {
    /// Divides the cosines, above 0.
    pub temperature: f64,
    /// Units of a linear projection before cosines are taken; 0 = the embedding itself.
    pub projection_units: i64,
    /// Units of the hidden layer of the latent dynamics and of the outcome head.
    pub dynamics_units: i64,
    /// What a contrast is made into.
    pub objective: Objective,
    /// Assumed share of false negatives and hardness of the importance weights.
    pub debias: Debias,
    /// eta: factor on KL(teacher || student) of the action readings, on the anchors of `distill_on`.
    pub distillation_weight: f64,
    /// Which anchors that is for.
    pub distill_on: DistillOn,
    /// Divides the logits of action readings, above 0.
    pub policy_temperature: f64,
    /// Factor on the loss of the reward and continuation heads, in predictive contrasts.
    pub outcome_weight: f64,
    /// How the student's view of an observation is varied.
    pub augmentation: Augmentation,
    /// What happens to an auxiliary gradient that opposes the decision gradient.
    pub gate: GateRule,
    /// Fraction of the student mixed into the teacher after every update.
    pub teacher_ema_rate: f64,
    /// Frozen teachers that are kept, at least 1.
    pub teacher_pool: usize,
}

/// What a network is built with to be distilled.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Its tokens; none = embeddings alone.
    pub tokens: Option<TokenConfig>,
    /// Its contrasts.
    pub contrast: ContrastConfig,
}

/// A decision network that can be distilled.
pub trait DecisionNetwork {
    /// All parameters.
    fn layout(&self) -> &Layout;
    /// Observations.
    fn obs(&self) -> &ObsSpec;
    /// The part that reads them.
    fn trunk(&self) -> &Trunk;
    /// Heads of contrastive distillation, if the network was built with them.
    fn contrast_heads(&self) -> Option<&ContrastHeads>;
    /// Logits of discrete actions or means of continuous ones in [-1, 1], `[B, A]`.
    fn action_reading(&self, params: &Params, reading: &Reading) -> Tensor;
}

/// Contrasts with the factor on their loss.
#[derive(Clone, Copy, Debug)]
pub struct ContrastTask<'a> {
    /// The contrasts.
    pub batch: &'a ContrastBatch,
    /// lambda.
    pub weight: f64,
    /// Whether its gradient is wanted apart from the decision's, to measure what it is worth. If
    /// not, and no gate looks at it, both losses share one backward pass.
    pub apart: bool,
}

/// What a contrastive update gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContrastReport {
    /// How much the contrast update *before* this one turned the step towards this update's
    /// decision gradient: cos(g, d + a) - cos(g, d), of the decision gradient g now, and d and what
    /// the gate left of the auxiliary gradient, a, then, on the shared parameters. None if there was none, -2 to 2.
    pub last_gain: Option<f64>,
    /// Names and values of curves; empty unless asked for.
    pub metrics: Vec<(&'static str, f64)>,
}

/// Teacher's readings of observations as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodedObs {
    /// `[N, G]` levels; empty without tokens.
    pub codes: Vec<u8>,
    /// `[N, A]` probabilities or means as 0..255.
    pub policies: Vec<u8>,
}
