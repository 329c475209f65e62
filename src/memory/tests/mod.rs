//! Tests of the whole memory; tables and random operations.

mod builder;
mod codes;
mod random;
mod reservoir;
mod resume;
mod ring;

use super::{
    CodeSpace, EpisodicMemory, MemoryConfig, Replacement, Segment, SegmentBuilder, SegmentId,
};
use crate::replay::OneStep;
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::Outcome::{self, Continue, Terminated, Truncated};
use contrail_envs::{Action, ActionSpace, ObsBuffer, ObsRef, ObsSpace, SeedStream};

/// Observations `[stream, episode, step]`, the action from each is its step, windows of 4 env
/// steps, codes of 2 groups of 3 levels.
fn config(capacity_segments: usize, subspaces: usize) -> MemoryConfig {
    MemoryConfig {
        capacity_segments,
        replacement: Replacement::Reservoir,
        subspaces,
        horizon_env_steps: 4,
        gamma: 0.5,
        obs: ObsSpace::f32(&[3], 0.0, 1e9),
        action: ActionSpace::Discrete(1000),
        context_len: 1,
        codes: CodeSpace { groups: 2, levels: 3 },
        readings_len: 0,
        priority_exponent: 1.0,
        priority_epsilon: 0.5,
    }
}

fn memory(config: &MemoryConfig) -> EpisodicMemory {
    EpisodicMemory::new(config.clone()).unwrap()
}

/// Segments of one episode of `len` env steps with reward 1 each; it begins at env step 100 and
/// its context is its number.
fn episode(
    builder: &mut SegmentBuilder,
    subspace: u32,
    (len, end): (u32, Outcome),
) -> Vec<Segment> {
    let (stream, number) = builder.episode();
    let obs = |step: u32| [stream as f32, number as f32, step as f32];
    let steps = (0..len).filter_map(|step| {
        let outcome = if step + 1 == len { end } else { Continue };
        let (now, next) = (obs(step), obs(step + 1));
        let one = OneStep {
            obs: ObsRef::F32(&now),
            action: Action::Discrete(step as usize),
            reward: 1.0,
            outcome,
            next_obs: ObsRef::F32(&next),
            subspace,
            context: &[number as f64],
        };
        builder.push(one, 100 + u64::from(step)).cloned()
    });
    steps.collect()
}

/// A full segment: number 0 of episode `number` of stream 0, which goes on.
fn segment(config: &MemoryConfig, subspace: u32, number: u64) -> Segment {
    let mut builder = SegmentBuilder::new(config, 0);
    let first = episode(&mut builder, subspace, (4, Continue)).remove(0);
    Segment { episode: number, ..first }
}
