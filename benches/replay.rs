//! A full replay of a million transitions. First the resident memory of the replays that users
//! meet, in bytes a transition; then the speed of insert and sample, with observations packed to a
//! bit an element and, for comparison in the same run, a byte an element; uniform and prioritized.
//! `cargo bench --bench replay`; takes about 0.6 GB.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::print_stdout, reason = "the memory table is this program's output")]

use contrail::message::{PriorityUpdate, TransitionBlock, TransitionRow};
use contrail::replay::{Replay, ReplayConfig, Sampling, SubspaceLaw};
use contrail_agents::ActionBatch;
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, SeedStream};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

const TRANSITIONS: usize = 1_000_000;
const STREAMS: usize = 16;
const EPISODE_VECTOR_STEPS: usize = 100;
const BATCH: usize = 32;
const CONTEXT_LEN: usize = 6;
const PRIORITIZED: Sampling =
    Sampling::Prioritized { priority_exponent: 0.6, priority_epsilon: 1e-6 };

fn config(obs: ObsSpace, sampling: Sampling) -> ReplayConfig {
    ReplayConfig {
        capacity_transitions: TRANSITIONS,
        obs,
        action: ActionSpace::Discrete(6),
        context_len: CONTEXT_LEN,
        streams: STREAMS,
        n_step: 3,
        sampling,
        subspaces: 1,
        law: SubspaceLaw::Uniform,
        keep_every_subspace: false,
    }
}

/// The blocks of one episode, one vector step of all streams each; inserted round and round.
fn episode(config: &ReplayConfig) -> Vec<TransitionBlock> {
    let block = |vector_step: usize| {
        let left = EPISODE_VECTOR_STEPS - vector_step;
        let row = |stream| TransitionRow {
            stream,
            subspace: stream % config.subspaces as u32,
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
            contexts: vec![0.5; STREAMS * CONTEXT_LEN],
            final_obs: ObsBuffer::zeros(&config.obs, if left == 1 { STREAMS } else { 0 }),
            segments: Vec::new(),
        }
    };
    (0..EPISODE_VECTOR_STEPS).map(block).collect()
}

/// A replay in which every slot was written.
fn full(config: ReplayConfig, blocks: &[TransitionBlock]) -> Replay {
    let mut replay = Replay::new(config).expect("there is memory");
    let mut next = blocks.iter().cycle();
    while replay.inserted() < TRANSITIONS as u64 + 10_000 {
        replay.insert(next.next().expect("a cycle has no end")).expect("the blocks are valid");
    }
    replay
}

fn resident_bytes() -> u64 {
    let pid = sysinfo::get_current_pid().expect("this is a process");
    let mut system = System::new();
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing().with_memory(),
    );
    system.process(pid).expect("this process").memory()
}

/// Not a timing: prints what a full replay of a million transitions adds to the resident memory.
fn memory(_: &mut Criterion) {
    let cases = [
        ("MinAtar Asterix, Breakout", ObsSpace::u8(&[4, 10, 10], 1)),
        ("MinAtar SpaceInvaders", ObsSpace::u8(&[6, 10, 10], 1)),
        ("MinAtar Freeway", ObsSpace::u8(&[7, 10, 10], 1)),
        ("MinAtar Seaquest", ObsSpace::u8(&[10, 10, 10], 1)),
        ("MiniGrid compact", ObsSpace::u8(&[3, 7, 7], 10)),
        ("MiniGrid planes", ObsSpace::u8(&[32, 7, 7], 1)),
    ];
    // Of the whole program: what an earlier replay freed and the allocator kept is used again.
    let before = resident_bytes();
    for (name, obs) in cases {
        for (law, sampling) in [("uniform", Sampling::Uniform), ("prioritized", PRIORITIZED)] {
            let config = config(obs.clone(), sampling);
            let (computed, blocks) = (config.memory_bytes(), episode(&config));
            let replay = full(config, &blocks);
            let resident = resident_bytes().saturating_sub(before);
            println!(
                "memory of {TRANSITIONS} transitions, {name} {obs}, {law}: resident {:.3} GB, \
                 computed {:.3} GB",
                resident as f64 / 1e9,
                computed as f64 / 1e9
            );
            drop(black_box(replay));
        }
    }
}

fn speed(c: &mut Criterion, name: &str, config: &ReplayConfig) {
    let blocks = episode(config);
    let mut replay = full(config.clone(), &blocks);
    let mut next = blocks.iter().cycle();
    let mut rng = SeedStream::root(1).rng();
    let mut group = c.benchmark_group(format!("replay/{name}"));

    group.throughput(Throughput::Elements(STREAMS as u64));
    group.bench_function("insert 16", |b| {
        b.iter(|| replay.insert(next.next().expect("a cycle has no end")));
    });

    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("sample 32", |b| b.iter(|| replay.sample(BATCH, 0.4, &mut rng)));

    let ids = replay.sample(BATCH, 0.4, &mut rng).expect("the replay is full").ids;
    let update = PriorityUpdate { ids, priorities: (0..BATCH).map(|i| i as f32).collect() };
    group.bench_function("update 32 priorities", |b| {
        b.iter(|| replay.update_priorities(black_box(&update)));
    });
    group.finish();
}

fn speeds(c: &mut Criterion) {
    // An upper bound of 255 takes a byte an element, one of 1 a bit.
    for (layout, high) in [("byte", 255), ("bit", 1)] {
        for (law, sampling) in [("uniform", Sampling::Uniform), ("prioritized", PRIORITIZED)] {
            let config = config(ObsSpace::u8(&[4, 10, 10], high), sampling);
            speed(c, &format!("{law}, a {layout} an element"), &config);
        }
    }
    let one = config(ObsSpace::u8(&[4, 10, 10], 1), Sampling::Uniform);
    let strata = ReplayConfig { subspaces: 4, keep_every_subspace: true, ..one };
    speed(c, "uniform, a bit an element, a ring for each of 4 subspaces", &strata);
}

criterion_group!(benches, memory, speeds);
criterion_main!(benches);
