//! Contrasts as plain data: which observation is compared with which.

use crate::{ActionBatch, ObsBatch};
use serde::{Deserialize, Serialize};

/// What makes a positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// An observation soon after the anchor in the same episode.
    Temporal,
    /// An observation of the same subspace where the teacher acts alike and the same follows.
    Behavioral,
    /// The same, of another subspace.
    BehavioralAcross,
    /// The next observation; the anchor is what the latent dynamics expect it to be.
    Predictive,
    /// The observation itself under another augmentation.
    MultiView,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Temporal,
        Self::Behavioral,
        Self::BehavioralAcross,
        Self::Predictive,
        Self::MultiView,
    ];
    /// Those that need no augmentation: what a loss policy chooses from unless it is told.
    pub const DEFAULT: [Self; 4] =
        [Self::Temporal, Self::Behavioral, Self::BehavioralAcross, Self::Predictive];

    /// The name as written in configs and curves.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temporal => "temporal",
            Self::Behavioral => "behavioral",
            Self::BehavioralAcross => "behavioral_across",
            Self::Predictive => "predictive",
            Self::MultiView => "multi_view",
        }
    }
}

/// Contrasts of one relation. B anchors, P positives and K negatives each, over N observations.
///
/// Positives and negatives are rows of `obs`, so an observation that serves several contrasts is
/// read once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastBatch {
    /// What makes the positives.
    pub relation: Relation,
    /// `[N, obs...]`.
    pub obs: ObsBatch,
    /// `[B]` rows of `obs`.
    pub anchors: Vec<i64>,
    /// `[B]` actions that followed the anchors.
    pub actions: ActionBatch,
    /// `[B]` rewards of these actions.
    pub rewards: Vec<f32>,
    /// `[B]` 1, or 0 where the episode terminated with that action.
    pub continues: Vec<f32>,
    /// `[B, P]` rows of `obs`.
    pub positives: Vec<i64>,
    /// `[B, P]` weights that sum to 1 in each row; 0 where a row has fewer positives.
    pub positive_weights: Vec<f32>,
    /// `[B, K]` rows of `obs`.
    pub negatives: Vec<i64>,
    /// `[B, K]` 1, or 0 where a row has fewer negatives.
    pub negative_weights: Vec<f32>,
    /// `[B]` 1 where the anchor came from memory, 0 where from the current stream.
    pub from_memory: Vec<f32>,
    /// `[B]` subspace of the anchor.
    pub subspaces: Vec<u32>,
}

impl ContrastBatch {
    /// Number of anchors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether it holds no anchor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}
