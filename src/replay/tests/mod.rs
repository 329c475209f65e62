//! Tests of the whole replay; tables and random operations.

mod config;
mod model;
mod n_step;
mod priorities;
mod random;
mod resume;
mod ring;
mod strata;

use super::{Replay, ReplayConfig, Sampling, SubspaceLaw};
use crate::message::{TransitionBlock, TransitionRow};
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace};

/// One-byte observations, two actions, windows of one env step.
fn small_config(capacity_transitions: usize, streams: usize, n_step: usize) -> ReplayConfig {
    ReplayConfig {
        capacity_transitions,
        obs: ObsSpace::u8(&[1], 255),
        action: ActionSpace::Discrete(256),
        context_len: 0,
        streams,
        n_step,
        sampling: Sampling::Uniform,
        subspaces: 100,
        law: SubspaceLaw::Uniform,
        keep_every_subspace: false,
    }
}

fn replay(config: &ReplayConfig) -> Replay {
    Replay::new(config.clone()).unwrap()
}

/// A row whose return and action are its observation.
fn row(stream: u32, obs: u8, span: u32) -> (TransitionRow, u8) {
    let row = TransitionRow {
        stream,
        subspace: stream + 10,
        n_step_return: f32::from(obs),
        discount: 0.5,
        span,
        ends_trajectory: false,
    };
    (row, obs)
}

/// The last row of an episode.
fn end(stream: u32, obs: u8) -> (TransitionRow, u8) {
    let (row, obs) = row(stream, obs, 1);
    (TransitionRow { ends_trajectory: true, ..row }, obs)
}

/// A block of rows for `small_config`.
fn block(rows: &[(TransitionRow, u8)], final_obs: &[u8]) -> TransitionBlock {
    TransitionBlock {
        broken_off: Vec::new(),
        rows: rows.iter().map(|(row, _)| *row).collect(),
        obs: ObsBuffer::U8(rows.iter().map(|(_, obs)| *obs).collect()),
        actions: ActionBatch::Discrete(rows.iter().map(|(_, obs)| i64::from(*obs)).collect()),
        contexts: Vec::new(),
        final_obs: ObsBuffer::U8(final_obs.to_vec()),
        segments: Vec::new(),
    }
}

/// Every sampleable transition of a `small_config` replay, as (obs, next_obs), oldest first.
fn pairs(replay: &mut Replay) -> Vec<(u8, u8)> {
    let mut rng = contrail_envs::SeedStream::root(0).rng();
    if replay.is_empty() {
        return Vec::new();
    }
    let batch = replay.sample(40 * replay.capacity(), 0.0, &mut rng).unwrap();
    let (ObsBatch::U8(obs), ObsBatch::U8(next)) = (&batch.minibatch.obs, &batch.minibatch.next_obs)
    else {
        panic!("u8 observations came out as floats");
    };
    let mut found: Vec<_> = batch.ids.iter().zip(obs.iter().zip(next)).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), replay.len(), "len() counts what can be drawn");
    found.into_iter().map(|(_, (obs, next))| (*obs, *next)).collect()
}
