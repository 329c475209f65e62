//! What crosses a thread: owned, versioned plain data, one named type an arrow.

use crate::contrast::{CodingRequest, Readings};
use crate::memory::Segment;
use contrail_agents::{ActionBatch, ContrastBatch, Minibatch};
use contrail_envs::ObsBuffer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Actor to replay: transitions of one vector step of one actor, in time order within a stream.
///
/// Observation `t + span` of a stream is the `next_obs` of transition `t`, and it arrives as the
/// `obs` of a later row, or as the final observation of the episode. So every observation crosses
/// and is stored once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransitionBlock {
    /// Streams whose trajectory broke off before the rows of this block: their environment failed
    /// in the middle of an episode. What still waits for its successor there is dropped.
    pub broken_off: Vec<u32>,
    /// One row a transition.
    pub rows: Vec<TransitionRow>,
    /// `[rows, obs...]`.
    pub obs: ObsBuffer,
    /// `[rows]` or `[rows, action_len]`.
    pub actions: ActionBatch,
    /// `[rows, C]`: the context values of each row's episode.
    pub contexts: Vec<f32>,
    /// Last observations of the episodes that end in this block, in the order of the rows that
    /// have `ends_trajectory`.
    pub final_obs: ObsBuffer,
    /// Segments of episodes that were completed, for the episodic memory.
    pub segments: Vec<Segment>,
}

/// The scalars of one transition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransitionRow {
    /// Which environment of which actor: rows of one stream are consecutive in time.
    pub stream: u32,
    /// Subspace the episode was drawn from.
    pub subspace: u32,
    /// Discounted sum of `span` rewards.
    pub n_step_return: f32,
    /// Product of gammas up to `next_obs`; 0 if the episode terminated on the way.
    pub discount: f32,
    /// Env steps between `obs` and `next_obs`, 1 to n.
    pub span: u32,
    /// Whether this is the last transition of its episode; its successor is in `final_obs`.
    pub ends_trajectory: bool,
}

/// Replay to learner: a minibatch and where its rows came from.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledBatch {
    /// What the update consumes.
    pub minibatch: Minibatch,
    /// `[B]` transition ids, for [`PriorityUpdate`].
    pub ids: Vec<u64>,
    /// `[B]` subspace of each transition.
    pub subspaces: Vec<u32>,
    /// `[B, C]` context values of the episode of each transition.
    pub contexts: Vec<f32>,
}

/// Learner to replay: new priorities of sampled transitions. Ids that were overwritten meanwhile
/// are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorityUpdate {
    /// `[B]` ids of [`SampledBatch::ids`].
    pub ids: Vec<u64>,
    /// `[B]` absolute TD errors (or losses), before the exponent.
    pub priorities: Vec<f32>,
}

/// Learner to actors: immutable parameters, latest wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySnapshot {
    /// Updates done when it was taken.
    pub version: u64,
    /// Flat parameters of the policy network, in the order of its layout.
    pub params: Arc<Vec<f32>>,
}

/// Replay to learner, beside a minibatch: contrasts, and observations for the teacher to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DistillJob {
    /// Contrasts to join the decision update.
    pub joint: Option<Contrasts>,
    /// Contrasts for updates of their own.
    pub alone: Vec<Contrasts>,
    /// Segments whose token codes and action readings are missing or old.
    pub coding: Option<CodingRequest>,
    /// Whether the joint contrasts should report their curves.
    pub detail: bool,
    /// Curves of the memory and the loss policy; empty unless asked for.
    pub metrics: Vec<(String, f64)>,
    /// Histograms; empty unless asked for.
    pub histograms: Vec<(String, Vec<f64>)>,
}

/// Contrasts that the loss policy chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrasts {
    /// Who is compared with whom.
    pub batch: ContrastBatch,
    /// lambda: factor on their loss.
    pub weight: f64,
    /// Whether what they are worth is to be measured.
    pub measured: bool,
    /// Whether the loss of each anchor is to be told.
    pub surprises: bool,
}

/// Learner to memory and loss policy: what the teacher read, and what contrasts were worth.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenUpdate {
    /// Codes and action readings of the segments that were to be read.
    pub readings: Option<Readings>,
    /// `[B]` loss of each anchor of the joint contrasts, where it was to be told.
    pub surprises: Vec<f32>,
    /// What the contrasts of the joint update before were worth to this update's decision loss.
    pub gain: Option<f64>,
    /// Decision loss, in updates with detail.
    pub decision_loss: Option<f64>,
    /// Bound on earlier subspaces less that on current ones, in nats, in updates with detail.
    pub bound_gap: Option<f64>,
}
