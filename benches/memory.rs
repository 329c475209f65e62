//! The episodic memory with MinAtar observations and segments of 8 env steps: insert into a full
//! memory, draw, and look up a code; look-up must take as long among 100,000 entries as among
//! 1,000. Then batches of 32 contrasts with 16 negatives of 10,000 segments. `cargo bench --bench memory`; takes about 0.2 GB.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::print_stdout, reason = "the computed memory is this program's output")]

use contrail::contrast::{ContrastSpec, Contrasts, ContrastsConfig, NegativeLaw};
use contrail::memory::{
    CodeSpace, EpisodicMemory, MemoryConfig, Replacement, Segment, SegmentId, SegmentLaw,
};
use contrail_agents::{ActionBatch, Relation};
use contrail_envs::{ActionSpace, ObsBuffer, ObsSpace, Outcome, SeedStream};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use rand::RngExt;
use std::hint::black_box;

const HORIZON: usize = 8;
const GROUPS: usize = 8;
const ACTIONS: usize = 6;
const BATCH: usize = 32;
const SUBSPACES: usize = 4;
/// Action readings of a segment.
const POLICIES: [u8; (HORIZON + 1) * ACTIONS] = [42; (HORIZON + 1) * ACTIONS];
/// Observations that share a code, on average.
const HOLDERS: u64 = 4;

fn config(capacity_segments: usize) -> MemoryConfig {
    MemoryConfig {
        capacity_segments,
        replacement: Replacement::Reservoir,
        subspaces: SUBSPACES,
        horizon_env_steps: HORIZON,
        gamma: 0.99,
        obs: ObsSpace::u8(&[4, 10, 10], 1),
        action: ActionSpace::Discrete(ACTIONS),
        context_len: 6,
        codes: CodeSpace { groups: GROUPS, levels: 8 },
        readings_len: ACTIONS,
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
        memory
            .set_readings(*id, 1, (&codes(capacity, number as u64), &POLICIES))
            .expect("the codes are valid");
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
                memory.set_readings(ids[number], version, (&codes(capacity, version), &POLICIES))
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

/// Memory and ring with 10,000 and 512 different segments that a teacher has read.
fn filled_contrasts() -> Contrasts {
    let capacity = 10_000;
    let config = config(capacity);
    let mut contrasts =
        Contrasts::new(&ContrastsConfig { memory: config.clone(), recent_segments: 512 })
            .expect("there is memory");
    let mut rng = SeedStream::root(4).rng();
    let mut segment = segment(&config);
    for number in 0..capacity as u64 {
        rename(&mut segment, number);
        let ObsBuffer::U8(obs) = &mut segment.obs else { unreachable!("MinAtar's are bytes") };
        obs.iter_mut().for_each(|bit| *bit = u8::from(rng.random_range(0..20) == 0));
        contrasts.insert(&segment, &mut rng).expect("the segment is valid");
    }
    while let Some(request) = contrasts.to_code(1, 64).expect("the stores are valid") {
        let each = request.ids.len() * (HORIZON + 1);
        let code = |_| levels(rng.random_range(0..distinct(capacity)));
        let codes: Vec<u8> = (0..each).flat_map(code).collect();
        let policies: Vec<u8> = (0..each * ACTIONS).map(|_| rng.random()).collect();
        let readings = request.answered(1, &codes, &policies);
        contrasts.take_readings(&readings).expect("the readings fit");
    }
    contrasts
}

fn contrast(c: &mut Criterion) {
    let mut contrasts = filled_contrasts();
    let mut rng = SeedStream::root(5).rng();
    let mut group = c.benchmark_group("contrasts of 10000");
    for relation in Relation::ALL {
        for (name, law) in [
            ("beta 0", NegativeLaw::Weighted { beta: 0.0 }),
            ("beta 1", NegativeLaw::Weighted { beta: 1.0 }),
        ] {
            let spec = ContrastSpec { relation, law, ..ContrastSpec::default() };
            group.bench_function(format!("batch of 32, {}, {name}", relation.as_str()), |b| {
                b.iter(|| contrasts.prepare(&spec, &mut rng).map(|batch| batch.is_some()));
            });
        }
    }
    let mut number = 10_000;
    let mut segment = segment(&config(10_000));
    group.bench_function("insert a segment", |b| {
        b.iter(|| {
            number += 1;
            rename(&mut segment, number);
            contrasts.insert(&segment, &mut rng).map(|id| id.is_some())
        });
    });
    group.finish();
}

criterion_group!(benches, all, contrast);
criterion_main!(benches);
