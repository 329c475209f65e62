//! Who stays, who is drawn, and what comes out.

use super::*;
use crate::memory::{Place, SegmentLaw};
use contrail_envs::Prng;

fn rng(seed: u64) -> Prng {
    SeedStream::root(seed).rng()
}

/// Pearson's statistic of counts that should be alike.
fn chi_square(counts: &[u32]) -> f64 {
    let mean = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum()
}

/// Which of `seen` segments a reservoir of `capacity` kept, summed over 4,000 seeds.
fn kept(capacity: usize, seen: u64) -> Vec<u32> {
    let config = config(capacity, 1);
    let all: Vec<Segment> = (0..seen).map(|number| segment(&config, 0, number)).collect();
    let mut counts = vec![0; seen as usize];
    for seed in 0..4000 {
        let (mut memory, mut rng) = (memory(&config), rng(seed));
        for segment in &all {
            memory.insert(segment, &mut rng).unwrap();
        }
        assert_eq!((memory.len(), memory.seen(0)), (capacity.min(seen as usize), seen));
        for slot in 0..memory.len() {
            counts[memory.slots.records[slot].episode as usize] += 1;
        }
    }
    counts
}

#[test]
fn every_segment_stays_with_the_same_probability() {
    // 20 segments: above 43.8 with 19 degrees of freedom once in 1,000 times. Draws without
    // replacement vary less than the statistic assumes.
    for capacity in [1, 3, 10, 19] {
        let counts = kept(capacity, 20);
        let found = chi_square(&counts);
        assert!(found < 43.8, "capacity {capacity}: {found}, {counts:?}");
    }
    assert_eq!(kept(20, 20), [4000; 20]);
    // The test can fail: a ring, which keeps the last 10, is far off.
    assert!(chi_square(&[[0; 10], [4000; 10]].concat()) > 10_000.0);
}

#[test]
fn an_overwritten_segment_is_known_as_gone() {
    let config = config(1, 1);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let first = memory.insert(&segment(&config, 0, 0), &mut rng).unwrap().unwrap();
    assert!(memory.contains(first));
    let second = (1..100).find_map(|n| memory.insert(&segment(&config, 0, n), &mut rng).unwrap());
    let second = second.unwrap();
    assert!(!memory.contains(first) && memory.contains(second) && first != second);
    assert!(!memory.set_readings(first, 1, (&[0; 10], &[])).unwrap());
    assert_eq!(memory.update_surprises(&[first, second], &[1.0, 2.0]).unwrap(), 1);
    assert_eq!(memory.codes(first), None);
    let error = memory.batch(&[second, first]).unwrap_err().to_string();
    assert_eq!(error, "memory: cannot sample: segment 1 of slot 0 was overwritten");
    assert_eq!(memory.neighbor(Place { segment: first, position: 0 }, 0), None);
    memory.check_valid().unwrap();
}

#[test]
fn a_subspace_is_overwritten_only_by_itself() {
    let config = config(6, 3);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let first = memory.insert(&segment(&config, 2, 0), &mut rng).unwrap().unwrap();
    for number in 1..500 {
        memory.insert(&segment(&config, 0, number), &mut rng).unwrap();
    }
    assert!(memory.contains(first));
    assert_eq!([0, 1, 2].map(|subspace| memory.len_of(subspace)), [2, 0, 1]);
    assert_eq!([0, 1, 2].map(|subspace| memory.seen(subspace)), [499, 0, 1]);
}

#[test]
fn neighbors_by_hand() {
    // An episode of 10: segments 0 (steps 0 to 4), 1 (4 to 8) and 2 (8 to 10).
    let config = config(20, 1);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let mut builder = SegmentBuilder::new(&config, 0);
    let mut ids: Vec<SegmentId> = Vec::new();
    for segment in episode(&mut builder, 0, (10, Terminated)) {
        ids.push(memory.insert(&segment, &mut rng).unwrap().unwrap());
    }
    for segment in episode(&mut builder, 0, (3, Terminated)) {
        memory.insert(&segment, &mut rng).unwrap();
    }
    let place = |segment: usize, position| Place { segment: ids[segment], position };
    let cases = [
        // from, offset, to
        ((0, 1), 2, Some((0, 3))),
        ((0, 1), 3, Some((1, 0))), // step 4: the next segment is preferred
        ((0, 4), 0, Some((1, 0))),
        ((0, 1), 8, Some((2, 1))),
        ((0, 0), 10, Some((2, 2))), // the final observation
        ((0, 0), 11, None),         // never into the next episode
        ((2, 1), -9, Some((0, 0))),
        ((2, 1), -10, None),
        ((2, 3), -1, None), // there is no such place
    ];
    for ((segment, position), offset, to) in cases {
        let found = memory.neighbor(place(segment, position), offset);
        assert_eq!(found, to.map(|(s, p)| place(s, p)), "{segment}, {position} {offset:+}");
    }
    // Without segment 1, step 4 is still the last of segment 0, and step 5 is lost.
    let mut part = super::memory(&config);
    let mut builder = SegmentBuilder::new(&config, 0);
    let cut = episode(&mut builder, 0, (10, Terminated));
    let first = part.insert(&cut[0], &mut rng).unwrap().unwrap();
    part.insert(&cut[2], &mut rng).unwrap();
    let from = Place { segment: first, position: 0 };
    assert_eq!(part.neighbor(from, 4), Some(Place { segment: first, position: 4 }));
    assert_eq!(part.neighbor(from, 5), None);
}

#[test]
fn a_batch_by_hand() {
    let config = config(20, 2);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let mut builder = SegmentBuilder::new(&config, 7);
    let mut ids = Vec::new();
    for segment in episode(&mut builder, 1, (6, Terminated)) {
        ids.push(memory.insert(&segment, &mut rng).unwrap().unwrap());
    }
    ids.push(
        memory.insert(&episode(&mut builder, 0, (1, Truncated))[0], &mut rng).unwrap().unwrap(),
    );
    memory.set_readings(ids[1], 9, (&[0, 1, 2, 0, 1, 1], &[])).unwrap();
    memory.update_surprises(&[ids[0]], &[-3.0]).unwrap();
    let batch = memory.batch(&[ids[1], ids[0], ids[2]]).unwrap();
    let ObsBatch::F32(obs) = &batch.obs else { panic!("floats") };
    assert_eq!(obs[..9], [7.0, 0.0, 4.0, 7.0, 0.0, 5.0, 7.0, 0.0, 6.0]);
    assert_eq!(obs[9..15], [0.0; 6]); // two env steps and the final observation, then nothing
    assert_eq!(obs[15..18], [7.0, 0.0, 0.0]);
    let ActionBatch::Discrete(actions) = &batch.actions else { panic!("indices") };
    assert_eq!(*actions, [4, 5, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]);
    assert_eq!(batch.rewards, [1., 1., 0., 0., 1., 1., 1., 1., 1., 0., 0., 0.]);
    // gamma is 1/2: 1 + 1/2, 1; then 1 + 1/2 + 1/4 + 1/8 and so on.
    let returns = [1.5, 1.0, 0.0, 0.0, 1.875, 1.75, 1.5, 1.0, 1.0, 0.0, 0.0, 0.0];
    assert_eq!(batch.n_step_return, returns);
    let discount = [0.0, 0.0, 0.0, 0.0, 0.0625, 0.125, 0.25, 0.5, 0.5, 0.0, 0.0, 0.0];
    assert_eq!(batch.discount, discount);
    assert_eq!(batch.lengths, [2, 4, 1]);
    assert_eq!((batch.contexts, batch.subspaces), (vec![0.0, 0.0, 1.0], vec![1, 1, 0]));
    assert_eq!(batch.episodes, [(7, 0), (7, 0), (7, 1)]);
    assert_eq!(batch.times_env_steps, [104, 100, 100]);
    assert_eq!(batch.surprises, [None, Some(3.0), None]);
    assert_eq!(batch.segment_returns, [2.0, 4.0, 1.0]);
    // The first segment learned of the episode's return when the second came.
    assert_eq!(batch.episode_returns, [Some(6.0), Some(6.0), Some(1.0)]);
    assert_eq!(batch.codes[..10], [0, 1, 2, 0, 1, 1, 0, 0, 0, 0]);
    assert_eq!(batch.code_versions, [Some(9), None, None]);
}

/// Segments with returns -3, -1, 0, 4 and surprises 0.5, 1.5, 3.5, 2.5: two in subspace 0, then two
/// in subspace 2. With epsilon 1/2 the priorities are 0.5, 2.5, 3.5, 7.5 and 1, 2, 4, 3.
fn four() -> (EpisodicMemory, Vec<SegmentId>) {
    let config = config(9, 3);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let rows = [(0, -1.0, 1.5), (0, -3.0, 0.5), (2, 0.0, 3.5), (2, 4.0, 2.5)];
    let mut insert = |(number, (subspace, paid, surprise)): (usize, (u32, f32, f32))| {
        let segment = segment(&config, subspace, number as u64);
        let segment =
            Segment { rewards: vec![paid, 0.0, 0.0, 0.0], surprise: Some(-surprise), ..segment };
        memory.insert(&segment, &mut rng).unwrap().unwrap()
    };
    let ids = rows.into_iter().enumerate().map(&mut insert).collect::<Vec<_>>();
    memory.check_valid().unwrap();
    let ids = vec![ids[1], ids[0], ids[2], ids[3]];
    (memory, ids)
}

#[test]
fn drawn_in_proportion() {
    let cases = [
        (SegmentLaw::Uniform, None, [0.25, 0.25, 0.25, 0.25]),
        (SegmentLaw::Uniform, Some(2), [0.0, 0.0, 0.5, 0.5]),
        (SegmentLaw::Return, None, [0.5 / 14.0, 2.5 / 14.0, 3.5 / 14.0, 7.5 / 14.0]),
        (SegmentLaw::Return, Some(0), [1.0 / 6.0, 5.0 / 6.0, 0.0, 0.0]),
        (SegmentLaw::Surprise, None, [0.1, 0.2, 0.4, 0.3]),
        (SegmentLaw::Surprise, Some(2), [0.0, 0.0, 4.0 / 7.0, 3.0 / 7.0]),
    ];
    let (memory, ids) = four();
    for (law, subspace, shares) in cases {
        let drawn = memory.sample(20_000, law, subspace, &mut rng(3)).unwrap();
        let term = |(id, share): (&SegmentId, f64)| {
            let count = drawn.iter().filter(|drawn| *drawn == id).count() as f64;
            let mean = share * 20_000.0;
            if mean == 0.0 && count == 0.0 { 0.0 } else { (count - mean).powi(2) / mean }
        };
        let found: f64 = ids.iter().zip(shares).map(term).sum();
        // Three degrees of freedom: above 16.3 once in 1,000 times.
        assert!(found < 16.3, "{law:?} {subspace:?}: {found}");
    }
}

#[test]
fn what_was_not_measured_counts_as_the_largest() {
    let (mut memory, ids) = four();
    let config = memory.config().clone();
    let new = memory.insert(&segment(&config, 1, 50), &mut rng(0)).unwrap().unwrap();
    let surprise = |memory: &EpisodicMemory, id| memory.trees[id_subspace(id)].by_surprise.total();
    assert_eq!(surprise(&memory, new), 4.0); // 3.5 + 0.5
    memory.update_surprises(&[new, new], &[9.0, -0.25]).unwrap();
    assert_eq!(surprise(&memory, new), 0.75);
    assert_eq!(memory.largest_surprise, 9.0);
    let bad = memory.update_surprises(&[ids[0], ids[1]], &[1.0, f32::NAN]).unwrap_err();
    assert_eq!(bad.to_string(), "memory: cannot update surprises: NaN, allowed: finite numbers");
    let bad = memory.update_surprises(&[ids[0]], &[]).unwrap_err().to_string();
    assert_eq!(bad, "memory: cannot update surprises: 1 ids and 0 values");
    memory.check_valid().unwrap();
}

/// `four` has 3 slots a subspace.
fn id_subspace(id: SegmentId) -> usize {
    id.slot as usize / 3
}

#[test]
fn nothing_to_draw_is_an_error() {
    let refusal = |memory: &EpisodicMemory, subspace| {
        memory.sample(1, SegmentLaw::Uniform, subspace, &mut rng(0)).unwrap_err().to_string()
    };
    let none = memory(&config(9, 3));
    assert_eq!(refusal(&none, None), "memory: cannot sample: no segment is stored");
    let (some, _) = four();
    assert_eq!(
        refusal(&some, Some(1)),
        "memory: cannot sample: no segment of subspace 1 is stored"
    );
    assert_eq!(
        refusal(&some, Some(3)),
        "memory: cannot sample: there is no subspace 3, allowed 0 to 2"
    );
}

#[test]
fn bad_configs_are_refused_with_a_sentence() {
    let good = || config(9, 3);
    let cases = [
        (config(2, 3), "capacity_segments is 2, allowed: at least 3, one for each subspace"),
        (config(9, 0), "subspaces is 0, allowed: at least 1"),
        (
            MemoryConfig { horizon_env_steps: 0, ..good() },
            "horizon_env_steps is 0, allowed: at least 1",
        ),
        (MemoryConfig { gamma: 1.5, ..good() }, "gamma is 1.5, allowed: 0 to 1"),
        (
            MemoryConfig { priority_epsilon: 0.0, ..good() },
            "priority_epsilon is 0, allowed: a finite number above 0",
        ),
        (
            config(1 << 31, 1),
            "capacity_segments is 2147483648, allowed: less than 4294967295 observations in all \
             segments",
        ),
    ];
    for (config, sentence) in cases {
        let error = EpisodicMemory::new(config).unwrap_err().to_string();
        assert_eq!(error, format!("memory: {sentence}"));
    }
}

#[test]
fn memory_is_what_is_allocated() {
    // 21 segments of 5 observations of 4 bits each element of 9, so 5 bytes.
    let config = MemoryConfig { obs: ObsSpace::u8(&[9], 15), readings_len: 6, ..config(23, 3) };
    let memory = memory(&config);
    let slots = &memory.slots;
    let trees: usize = memory
        .trees
        .iter()
        .map(|trees| trees.by_return.allocated_bytes() + trees.by_surprise.allocated_bytes())
        .sum();
    assert_eq!(trees, 3 * 2 * 16 * 8);
    assert_eq!(slots.obs.allocated_bytes(), 21 * 5 * 5);
    let record = size_of::<crate::memory::slots::Record>();
    let arrays = slots.obs.allocated_bytes() + 4 * slots.rewards.capacity() * 2; // and actions
    let arrays = arrays + 4 * slots.contexts.capacity() + slots.codes.capacity();
    let arrays = arrays + slots.policies.capacity() + 8 * slots.hashes.capacity();
    let arrays = arrays + slots.records.capacity() * record + trees;
    assert_eq!(arrays, 21 * (25 + 16 + 16 + 4 + 10 + 30 + 40 + record) + trees);
    let indices =
        crate::memory::index::most_bytes(21 * 5) + crate::memory::store::episode_index_bytes(21);
    assert_eq!(config.memory_bytes(), arrays as u64 + indices);
}
