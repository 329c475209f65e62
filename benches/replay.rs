//! Insert and sample of a full replay of a million MinAtar observations (400 bytes each), by
//! uniform and by prioritized sampling. `cargo bench --bench replay`; takes about 0.5 GB.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use contrail::message::{PriorityUpdate, TransitionBlock, TransitionRow};
use contrail::replay::{Replay, ReplayConfig, Sampling};
use contrail_agents::ActionBatch;
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, SeedStream};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const STREAMS: usize = 16;
const EPISODE_VECTOR_STEPS: usize = 100;
const BATCH: usize = 32;

fn config(sampling: Sampling) -> ReplayConfig {
    ReplayConfig {
        capacity_transitions: 1_000_000,
        obs: ObsSpace::u8(&[4, 10, 10], 1),
        action: ActionSpace::Discrete(6),
        streams: STREAMS,
        n_step: 3,
        sampling,
    }
}

/// The blocks of one episode, one vector step of all streams each; inserted round and round.
fn episode(config: &ReplayConfig) -> Vec<TransitionBlock> {
    let block = |vector_step: usize| {
        let left = EPISODE_VECTOR_STEPS - vector_step;
        let row = |stream| TransitionRow {
            stream,
            subspace: 0,
            n_step_return: 1.0,
            discount: 0.97,
            span: left.min(config.n_step) as u32,
            ends_trajectory: left == 1,
        };
        TransitionBlock {
            broken_off: Vec::new(),
            rows: (0..STREAMS as u32).map(row).collect(),
            obs: ObsBuffer::zeros(&config.obs, STREAMS),
            actions: ActionBatch::Discrete(vec![0; STREAMS]),
            final_obs: ObsBuffer::zeros(&config.obs, if left == 1 { STREAMS } else { 0 }),
        }
    };
    (0..EPISODE_VECTOR_STEPS).map(block).collect()
}

fn bench(c: &mut Criterion, name: &str, sampling: Sampling) {
    let config = config(sampling);
    let blocks = episode(&config);
    let mut replay = Replay::new(config).expect("0.5 GB of memory");
    let mut next = blocks.iter().cycle();
    let mut insert = |replay: &mut Replay| {
        replay.insert(next.next().expect("a cycle has no end")).expect("the blocks are valid");
    };
    while replay.inserted() < 1_100_000 {
        insert(&mut replay);
    }
    let mut rng = SeedStream::root(1).rng();
    let mut group = c.benchmark_group(format!("replay/{name}"));

    group.throughput(Throughput::Elements(STREAMS as u64));
    group.bench_function("insert 16", |b| b.iter(|| insert(&mut replay)));

    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("sample 32", |b| b.iter(|| replay.sample(BATCH, 0.4, &mut rng)));

    let ids = replay.sample(BATCH, 0.4, &mut rng).expect("the replay is full").ids;
    let update = PriorityUpdate { ids, priorities: (0..BATCH).map(|i| i as f32).collect() };
    group.bench_function("update 32 priorities", |b| {
        b.iter(|| replay.update_priorities(black_box(&update)));
    });
    group.finish();
}

fn uniform(c: &mut Criterion) {
    bench(c, "uniform", Sampling::Uniform);
}

fn prioritized(c: &mut Criterion) {
    bench(
        c,
        "prioritized",
        Sampling::Prioritized { priority_exponent: 0.6, priority_epsilon: 1e-6 },
    );
}

criterion_group!(benches, uniform, prioritized);
criterion_main!(benches);
