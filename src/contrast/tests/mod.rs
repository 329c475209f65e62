//! Tests of contrasts: tables by hand, laws by counting, and whole batches.

mod coding;
mod distance;
mod duplicates;
mod laws;
mod planted;
mod relations;
mod resume;
mod specs;
mod truth;

use super::{
    AfterEnd, AnchorMix, BehaviorOf, ContrastSpec, Contrasts, ContrastsConfig, DistanceConfig,
    NegativeLaw, Prepared, Store,
};
use crate::memory::{CodeSpace, MemoryConfig, Replacement, Segment};
use contrail_agents::{ActionBatch, ContrastBatch, ObsBatch, Relation};
use contrail_envs::Outcome::{self, Continue, Terminated, Truncated};
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, Prng, SeedStream};

fn codes() -> CodeSpace {
    CodeSpace { groups: 2, levels: 3 }
}

/// Windows of 4 env steps, 3 actions, codes of 2 groups of 3 levels, observations
/// `[episode, step]`.
fn config() -> ContrastsConfig {
    let memory = MemoryConfig {
        capacity_segments: 400,
        replacement: Replacement::Reservoir,
        subspaces: 2,
        horizon_env_steps: 4,
        gamma: 0.9,
        obs: ObsSpace::f32(&[2], -1e9, 1e9),
        action: ActionSpace::Discrete(3),
        context_len: 0,
        codes: codes(),
        readings_len: 3,
        priority_exponent: 1.0,
        priority_epsilon: 0.5,
    };
    ContrastsConfig { memory, recent_segments: 20 }
}

fn contrasts(config: &ContrastsConfig) -> Contrasts {
    Contrasts::new(config).unwrap()
}

fn rng(seed: u64) -> Prng {
    SeedStream::root(seed).rng()
}

/// Everything plain: uniform negatives, no mask by distance, anchors uniform.
fn spec(relation: Relation) -> ContrastSpec {
    ContrastSpec {
        relation,
        law: NegativeLaw::Weighted { beta: 0.0 },
        anchors: 16,
        negatives: 4,
        negative_candidates: 16,
        delta: -1.0,
        anchors_from: AnchorMix::default(),
        ..ContrastSpec::default()
    }
}

/// Number `index` of an episode of stream 0: observations `[episode, step]`, rewards 1, actions
/// `step % 3`.
fn segment(subspace: u32, episode: u64, (index, len): (u32, usize), outcome: Outcome) -> Segment {
    let steps = || (0..=len).map(|j| index as usize * 4 + j);
    let obs = steps().flat_map(|step| [episode as f32, step as f32]).collect();
    let actions = steps().take(len).map(|step| (step % 3) as i64).collect();
    Segment {
        stream: 0,
        episode,
        index,
        subspace,
        time_env_steps: 0,
        outcome,
        context: vec![],
        obs: ObsBuffer::F32(obs),
        actions: ActionBatch::Discrete(actions),
        rewards: vec![1.0; len],
        surprise: None,
        episode_return: outcome.ends_episode().then_some(0.0),
    }
}

/// Whole episodes of 4 + 4 + 2 env steps, one subspace after the other.
fn filled(config: &ContrastsConfig, episodes: u64) -> Contrasts {
    let (mut contrasts, mut rng) = (contrasts(config), rng(0));
    for episode in 0..episodes {
        let subspace = (episode % config.memory.subspaces as u64) as u32;
        for (index, len, outcome) in [(0, 4, Continue), (1, 4, Continue), (2, 2, Terminated)] {
            let new = segment(subspace, episode, (index, len), outcome);
            contrasts.insert(&new, &mut rng).unwrap();
        }
    }
    contrasts
}

/// Lets a teacher read everything: each level and byte is a function of observation and position.
fn read_all(contrasts: &mut Contrasts, version: u64, read: impl Fn(&[f32]) -> ([u8; 2], [u8; 3])) {
    while let Some(request) = contrasts.to_code(version, 8).unwrap() {
        let ObsBatch::F32(obs) = &request.obs else { panic!("floats") };
        let (codes, policies): (Vec<_>, Vec<_>) = obs.chunks(2).map(&read).unzip();
        let readings =
            request.clone().answered(version, codes.as_flattened(), policies.as_flattened());
        let taken = contrasts.take_readings(&readings).unwrap();
        assert_eq!((taken.stored, taken.gone), (request.ids.len(), 0));
    }
}

/// `[N][2]`.
fn rows(batch: &ContrastBatch) -> Vec<[f32; 2]> {
    let ObsBatch::F32(obs) = &batch.obs else { panic!("floats") };
    obs.as_chunks::<2>().0.to_vec()
}

/// (anchor, positives with their weights, negatives), those of weight 0 left out.
type Contrast = ([f32; 2], Vec<([f32; 2], f32)>, Vec<[f32; 2]>);

fn each(batch: &ContrastBatch) -> Vec<Contrast> {
    let rows = rows(batch);
    let (b, row) = (batch.len(), |row: &i64| rows[usize::try_from(*row).unwrap()]);
    let (p, k) = (batch.positives.len() / b, batch.negatives.len() / b);
    let one = |a: usize| {
        let positives = batch.positives[a * p..][..p].iter().map(row);
        let positives = positives.zip(batch.positive_weights[a * p..][..p].iter().copied());
        let negatives = batch.negatives[a * k..][..k].iter().map(row);
        let negatives = negatives.zip(&batch.negative_weights[a * k..][..k]);
        (
            row(&batch.anchors[a]),
            positives.filter(|(_, weight)| *weight > 0.0).collect(),
            negatives.filter(|(_, weight)| **weight > 0.0).map(|(obs, _)| obs).collect(),
        )
    };
    (0..b).map(one).collect()
}

fn prepared(contrasts: &mut Contrasts, spec: &ContrastSpec, rng: &mut Prng) -> Prepared {
    let prepared = contrasts.prepare(spec, rng).unwrap();
    prepared.unwrap_or_else(|| panic!("{:?}", contrasts.last_missing()))
}
