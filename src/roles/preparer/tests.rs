//! What surprises: the loss of a predictive contrast becomes its segment's chance to be drawn.

use super::{Preparer, PreparerParts};
use crate::config::{ContrastSection, MemorySection};
use crate::contrast::ContrastsConfig;
use crate::memory::{CodeSpace, MemoryConfig, Replacement, Segment};
use crate::message::{DistillJob, TokenUpdate};
use contrail_agents::loss_policy::{LossPolicyConfig, LossPolicyKind};
use contrail_agents::{ActionBatch, Relation};
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, Outcome, SeedStream};

const SEGMENTS: u64 = 12;

/// A memory of twelve episodes of one step, observations `[episode, step]`; every anchor is of the
/// memory, and one contrast goes with every update.
fn preparer(relation: Relation, memory_by_surprise: f64) -> Preparer {
    let memory = MemoryConfig {
        capacity_segments: 100,
        replacement: Replacement::Reservoir,
        subspaces: 2,
        horizon_env_steps: 1,
        gamma: 0.9,
        obs: ObsSpace::f32(&[2], -1e9, 1e9),
        action: ActionSpace::Discrete(2),
        context_len: 0,
        codes: CodeSpace { groups: 0, levels: 2 },
        readings_len: 2,
        priority_exponent: 1.0,
        priority_epsilon: 0.5,
    };
    let contrast = ContrastSection {
        enabled: true,
        updates_per_update: 1.0,
        warmup_updates: 0,
        anchors: 8,
        positives: 1,
        negatives: 2,
        candidates: 8,
        memory_share: 1.0,
        memory_by_return: 0.0,
        memory_by_surprise,
        negative_distance: -1.0,
        ..ContrastSection::default()
    };
    let loss_policy = LossPolicyConfig {
        kind: LossPolicyKind::Fixed,
        relations: vec![relation],
        betas: vec![0.0],
        weights: vec![1.0],
        with_none: false,
        ..LossPolicyConfig::default()
    };
    let mut preparer = Preparer::new(PreparerParts {
        stores: ContrastsConfig { memory, recent_segments: 4 },
        contrast,
        loss_policy,
        memory: MemorySection { coded_per_update: 0.0, ..MemorySection::default() },
        expert: false,
        seeds: SeedStream::root(1),
    })
    .unwrap();
    preparer.insert(&(0..SEGMENTS).map(segment).collect::<Vec<_>>()).unwrap();
    preparer
}

/// An episode of one step.
fn segment(episode: u64) -> Segment {
    Segment {
        stream: 0,
        episode,
        index: 0,
        subspace: 0,
        time_env_steps: 0,
        outcome: Outcome::Terminated,
        context: vec![],
        obs: ObsBuffer::F32(vec![episode as f32, 0.0, episode as f32, 1.0]),
        actions: ActionBatch::Discrete(vec![0]),
        rewards: vec![1.0],
        surprise: None,
        episode_return: Some(1.0),
    }
}

/// An episode that began before a declared shift ends after it.
#[test]
fn the_current_stream_is_of_the_declared_subspace_alone() {
    let mut preparer = preparer(Relation::Predictive, 0.0);
    for (declared, expected) in [(Some(1), 1), (None, 2)] {
        for holds_out in [false, true] {
            preparer.begin_phase(100, declared, holds_out).unwrap();
            let first = preparer.contrasts.memory().len() as u64;
            let old = Segment { episode: 7 + 8 * first, ..segment(0) };
            let new = Segment { episode: 8 + 8 * first, subspace: 1, ..segment(0) };
            preparer.insert(&[old, new]).unwrap();
            let stream = preparer.stream_segments() + preparer.held_out_segments();
            assert_eq!(stream, expected, "{declared:?}, held out: {holds_out}");
        }
    }
}

/// Of several contrasts an update the last joins the decision and the others go alone.
#[test]
fn contrasts_are_as_many_as_the_dial_says() {
    for (dial, expected) in [
        (0.125, [0, 0, 0, 0, 0, 0, 0, 1]),
        (0.75, [0, 1, 1, 1, 0, 1, 1, 1]),
        (1.0, [1; 8]),
        (2.5, [2, 3, 2, 3, 2, 3, 2, 3]),
    ] {
        let mut preparer = preparer(Relation::Predictive, 0.0);
        preparer.parts.contrast.updates_per_update = dial;
        let mut count = || {
            let job = preparer.prepare(0, false).unwrap();
            assert!(job.joint.is_some() || job.alone.is_empty());
            job.alone.len() + usize::from(job.joint.is_some())
        };
        assert_eq!([(); 8].map(|()| count()), expected, "{dial}");
    }
}

/// Half a segment an update, a contrast every eighth: four at once, of what the teacher has not
/// read.
#[test]
fn what_the_teacher_reads_is_counted_in_decision_updates() {
    let mut preparer = preparer(Relation::Predictive, 0.0);
    preparer.parts.memory.coded_per_update = 0.5;
    preparer.parts.contrast.updates_per_update = 0.125;
    let read = |job: DistillJob| job.coding.map_or(0, |request| request.ids.len());
    let counts: Vec<usize> = (0..24).map(|_| read(preparer.prepare(0, false).unwrap())).collect();
    let expected = |update: usize| if update % 8 == 7 { 4 } else { 0 };
    assert_eq!(counts, (0..24).map(expected).collect::<Vec<_>>());
}

/// Episode of each anchor of the joint contrasts.
fn episodes(job: &DistillJob) -> Vec<u64> {
    let batch = &job.joint.as_ref().expect("there is enough to draw from").batch;
    let contrail_agents::ObsBatch::F32(obs) = &batch.obs else { panic!("floats") };
    let row = |row: &i64| obs[2 * usize::try_from(*row).unwrap()] as u64;
    batch.anchors.iter().map(row).collect()
}

/// Three in four anchors are of what surprised. Episode 9 is expected badly, loss 20 against 0.
/// When all are measured it is drawn with probability 1/4 · 1/12 + 3/4 · 20.5 / (20.5 + 11 · 0.5).
#[test]
fn what_was_expected_badly_comes_again() {
    let mut preparer = preparer(Relation::Predictive, 0.75);
    let (mut nine, mut all) = (0u32, 0u32);
    for update in 0..600 {
        let job = preparer.prepare(0, false).unwrap();
        assert!(job.joint.as_ref().unwrap().surprises);
        let episodes = episodes(&job);
        if update >= 100 {
            nine += episodes.iter().filter(|episode| **episode == 9).count() as u32;
            all += episodes.len() as u32;
        }
        let surprises = episodes.iter().map(|e| if *e == 9 { 20.0 } else { 0.0 }).collect();
        let update = TokenUpdate {
            readings: None,
            surprises,
            gain: None,
            decision_loss: None,
            bound_gap: None,
        };
        preparer.take(&update).unwrap();
    }
    let expected = 0.25 / 12.0 + 0.75 * 20.5 / 26.0; // 0.612
    let found = f64::from(nine) / f64::from(all);
    // Four standard errors of 4000 draws.
    assert!((found - expected).abs() < 0.031, "{found} for {expected}");
}

#[test]
fn nothing_is_told_where_nothing_is_drawn_by_it_or_nothing_was_expected() {
    for (relation, by_surprise) in [(Relation::Predictive, 0.0), (Relation::Temporal, 0.75)] {
        let job = preparer(relation, by_surprise).prepare(0, false).unwrap();
        assert!(job.joint.is_none_or(|joint| !joint.surprises), "{relation:?}");
    }
}
