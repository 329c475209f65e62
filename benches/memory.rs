//! The episodic memory with MinAtar observations and segments of 8 env steps: insert into a full
//! memory, draw, and look up a code. Look-up must take as long among 100,000 entries as among
//! 1,000. `cargo bench --bench memory`; takes about 0.2 GB.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::print_stdout, reason = "the computed memory is this program's output")]

use contrail::memory::{CodeSpace, EpisodicMemory, MemoryConfig, Segment, SegmentId, SegmentLaw};
use contrail_agents::ActionBatch;
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, Outcome, SeedStream};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use std::hint::black_box;

const HORIZON: usize = 8;
const GROUPS: usize = 8;
const BATCH: usize = 32;
const SUBSPACES: usize = 4;
/// Observations that share a code, on average.
const HOLDERS: u64 = 4;

fn config(capacity_segments: usize) -> MemoryConfig {
    MemoryConfig {
        capacity_segments,
        subspaces: SUBSPACES,
        horizon_env_steps: HORIZON,
        gamma: 0.99,
        obs: ObsSpace::u8(&[4, 10, 10], 1),
        action: ActionSpace::Discrete(6),
        context_len: 6,
        codes: CodeSpace { groups: GROUPS, levels: 8 },
        priority_exponent: 0.6,
        priority_epsilon: 1e-3,
    }
}

/// Segment `number` of a stream of segments that go round the subspaces.
fn rename(segment: &mut Segment, number: u64) {
    segment.episode = number;
    segment.subspace = (number % SUBSPACES as u64) as u32;
    segment.rewards[0] = (number % 7) as f32;
}

fn segment(config: &MemoryConfig) -> Segment {
    Segment {
        stream: 0,
        episode: 0,
        index: 0,
        subspace: 0,
        time_env_steps: 0,
        outcome: Outcome::Continue,
        context: vec![0.5; config.context_len],
        obs: ObsBuffer::zeros(&config.obs, HORIZON + 1),
        actions: ActionBatch::Discrete(vec![1; HORIZON]),
        rewards: vec![0.0; HORIZON],
        surprise: None,
        episode_return: None,
    }
}

/// Code number `code` in base L, group after group.
fn levels(code: u64) -> impl Iterator<Item = u8> {
    (0..GROUPS as u32).map(move |group| (code >> (3 * group) & 7) as u8)
}

/// A full memory whose observations have codes drawn from `observations / HOLDERS` ones.
fn full(capacity: usize) -> (EpisodicMemory, Vec<SegmentId>) {
    let config = config(capacity);
    let mut memory = EpisodicMemory::new(config.clone()).expect("there is memory");
    let mut rng = SeedStream::root(1).rng();
    let mut segment = segment(&config);
    let mut ids = Vec::new();
    for number in 0..capacity as u64 {
        rename(&mut segment, number);
        let id = memory.insert(&segment, &mut rng).expect("the segment is valid");
        ids.push(id.expect("the reservoir is not full"));
    }
    for (number, id) in ids.iter().enumerate() {
        memory.set_codes(*id, 1, &codes(capacity, number as u64)).expect("the codes are valid");
    }
    (memory, ids)
}

fn distinct(capacity: usize) -> u64 {
    (capacity * (HORIZON + 1)) as u64 / HOLDERS
}

fn codes(capacity: usize, number: u64) -> Vec<u8> {
    let code = |j: u64| (number * 9 + j).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    (0..=HORIZON as u64).flat_map(|j| levels(code(j) % distinct(capacity))).collect()
}

fn drawing(group: &mut BenchmarkGroup<'_, WallTime>, memory: &EpisodicMemory) {
    let mut rng = SeedStream::root(2).rng();
    for law in [SegmentLaw::Uniform, SegmentLaw::Return, SegmentLaw::Surprise] {
        group.bench_function(format!("draw 32 ids, {law:?}"), |b| {
            b.iter(|| memory.sample(BATCH, law, None, &mut rng));
        });
    }
    group.bench_function("draw 32 and copy them out", |b| {
        b.iter(|| {
            let ids = memory.sample(BATCH, SegmentLaw::Uniform, None, &mut rng);
            ids.and_then(|ids| memory.batch(&ids))
        });
    });
}

fn all(c: &mut Criterion) {
    for capacity in [1_000, 100_000] {
        println!("{capacity} segments: {} bytes computed", config(capacity).memory_bytes());
        let (mut memory, ids) = full(capacity);
        let mut group = c.benchmark_group(format!("memory of {capacity}"));
        drawing(&mut group, &memory);

        // The same work whatever the capacity; of all codes, the larger memory misses the
        // processor's caches, as any table of its size does.
        for (name, codes) in [("one of 500 codes", 500), ("any code", distinct(capacity))] {
            let mut code = 0;
            group.bench_function(format!("look up {name}"), |b| {
                b.iter(|| {
                    code = (code + 7919) % codes;
                    memory.holders(black_box(code)).count()
                });
            });
        }

        let mut number = 0;
        let mut version = 1;
        group.bench_function("set the codes of a segment", |b| {
            b.iter(|| {
                number = (number + 7919) % capacity;
                version += 1;
                memory.set_codes(ids[number], version, &codes(capacity, version))
            });
        });

        let mut rng = SeedStream::root(3).rng();
        let mut segment = segment(&config(capacity));
        let mut offered = capacity as u64;
        group.bench_function("offer a segment", |b| {
            b.iter(|| {
                rename(&mut segment, offered);
                offered += 1;
                memory.insert(&segment, &mut rng)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
