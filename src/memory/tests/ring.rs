//! The ring of the newest segments, action readings, and access by place.

use super::*;
use crate::memory::{Among, Place, SegmentLaw};
use contrail_envs::Prng;

fn rng(seed: u64) -> Prng {
    SeedStream::root(seed).rng()
}

fn ring(capacity: usize, subspaces: usize) -> MemoryConfig {
    MemoryConfig { replacement: Replacement::Oldest, ..config(capacity, subspaces) }
}

#[test]
fn a_ring_holds_the_newest_of_all_subspaces() {
    let config = ring(4, 3);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let before = rng.clone();
    for number in 0..7 {
        let subspace = u32::from(number >= 4); // 0 0 0 0 1 1 1
        memory.insert(&segment(&config, subspace, number), &mut rng).unwrap().unwrap();
        memory.check_valid().unwrap();
    }
    assert_eq!(rng, before);
    assert_eq!([0, 1, 2].map(|subspace| memory.len_of(subspace)), [1, 3, 0]);
    assert_eq!([0, 1, 2].map(|subspace| memory.seen(subspace)), [4, 3, 0]);
    let stored: Vec<u64> = (0..9).filter(|n| memory.find((0, *n), 0).is_some()).collect();
    assert_eq!(stored, [3, 4, 5, 6]);
    for law in [SegmentLaw::Uniform, SegmentLaw::Return, SegmentLaw::Surprise] {
        for (subspace, expected) in [(0, 1), (1, 3)] {
            let mut drawn = memory.sample(200, law, Some(subspace), &mut rng).unwrap();
            assert!(memory.batch(&drawn).unwrap().subspaces.iter().all(|s| *s == subspace));
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), expected, "{law:?}");
        }
        memory.sample(1, law, Some(2), &mut rng).unwrap_err();
    }
}

#[test]
fn a_ring_draws_in_proportion_within_a_subspace() {
    // Priorities are return above the lowest, and 0.5: 0.5 and 1.5 of subspace 1.
    let config = ring(4, 2);
    let (mut memory, mut rng) = (memory(&config), rng(0));
    for (number, subspace, paid) in [(0, 0, 5.0), (1, 1, 2.0), (2, 1, 3.0), (3, 0, 2.0)] {
        let new = segment(&config, subspace, number);
        let new = Segment { rewards: vec![paid, 0.0, 0.0, 0.0], ..new };
        memory.insert(&new, &mut rng).unwrap();
    }
    let drawn = memory.sample(20_000, SegmentLaw::Return, Some(1), &mut rng).unwrap();
    let lesser = drawn.iter().filter(|id| id.slot == 1).count();
    assert_eq!(drawn.iter().filter(|id| id.slot == 2).count(), 20_000 - lesser);
    // Mean 5,000, standard deviation 61; 3.3 of them once in 1,000 times.
    assert!(lesser.abs_diff(5_000) < 202, "{lesser}");
}

#[test]
fn a_ring_goes_on_after_a_resume() {
    let config = MemoryConfig { readings_len: 2, ..ring(5, 2) };
    let (mut whole, mut rng) = (memory(&config), rng(0));
    for number in 0..13 {
        let id = whole.insert(&segment(&config, (number % 2) as u32, number), &mut rng).unwrap();
        let (codes, policies) = ([number as u8 % 3; 10], [number as u8; 10]);
        whole.set_readings(id.unwrap(), number, (&codes, &policies)).unwrap();
    }
    let saved = |memory: &EpisodicMemory| {
        let mut bytes = Vec::new();
        memory.save(&mut bytes).unwrap();
        bytes
    };
    let mut restored = memory(&config);
    restored.restore(&mut saved(&whole).as_slice()).unwrap();
    for number in 13..30 {
        let new = segment(&config, 0, number);
        for memory in [&mut whole, &mut restored] {
            memory.insert(&new, &mut rng).unwrap();
            memory.check_valid().unwrap();
        }
        assert!(saved(&restored) == saved(&whole));
        assert_eq!(restored.slots.hashes, whole.slots.hashes);
    }
}

#[test]
fn a_view_by_hand() {
    let config = MemoryConfig { readings_len: 2, ..config(20, 2) };
    let (mut memory, mut rng) = (memory(&config), rng(0));
    let mut builder = SegmentBuilder::new(&config, 7);
    let ids: Vec<SegmentId> = episode(&mut builder, 1, (6, Terminated))
        .iter()
        .map(|segment| memory.insert(segment, &mut rng).unwrap().unwrap())
        .collect();
    assert_eq!(memory.find((7, 0), 1), Some(ids[1]));
    assert_eq!(memory.find((7, 0), 2), None);
    let view = memory.view(ids[1]).unwrap();
    assert_eq!((view.subspace, view.episode, view.index, view.begin), (1, (7, 0), 1, 4));
    assert_eq!((view.outcome, view.context, view.rewards), (Terminated, &[0.0][..], &[1.0; 2][..]));
    assert_eq!((view.len(), view.version, view.codes.len()), (2, None, 6));
    // Its first observation is the last of the segment before.
    assert_eq!(view.hashes.len(), 3);
    assert_eq!(view.hashes[0], memory.view(ids[0]).unwrap().hashes[4]);
    assert_ne!(view.hashes[0], view.hashes[1]);

    let readings = (&[0, 1, 2, 0, 1, 1][..], &[10, 20, 30, 40, 50, 60][..]);
    assert!(memory.set_readings(ids[1], 9, readings).unwrap());
    let view = memory.view(ids[1]).unwrap();
    assert_eq!((view.version, view.codes, view.policies), (Some(9), readings.0, readings.1));
    let batch = memory.batch(&[ids[0], ids[1]]).unwrap();
    assert_eq!(batch.policies, [&[0; 10], readings.1, &[0; 4]].concat());
    let bad = memory.set_readings(ids[1], 10, (readings.0, &[0; 5])).unwrap_err().to_string();
    assert_eq!(bad, "memory: cannot set codes: action readings of 5 bytes, expected 3 of 2");
    assert_eq!(memory.view(ids[1]).unwrap().version, Some(9));

    let mut obs = ObsBatch::F32(Vec::new());
    let at = |segment: usize, position| Place { segment: ids[segment], position };
    memory.gather_places(&[at(1, 2), at(0, 1)], &mut obs);
    assert_eq!(obs, ObsBatch::F32(vec![7.0, 0.0, 6.0, 7.0, 0.0, 1.0]));
    let mut actions = ActionBatch::Discrete(Vec::new());
    memory.push_action(at(1, 1), &mut actions);
    assert_eq!(actions, ActionBatch::Discrete(vec![5]));
}

/// Above 3.3 standard deviations of a count once in 1,000 times.
fn is_share(count: usize, of: usize, share: f64) -> bool {
    let (mean, n) = (of as f64 * share, of as f64);
    (count as f64 - mean).abs() <= 3.3 * (n * share * (1.0 - share)).sqrt()
}

#[test]
fn observations_are_drawn_alike_whatever_their_segment() {
    for replacement in [Replacement::Reservoir, Replacement::Oldest] {
        let config = MemoryConfig { replacement, ..config(9, 3) };
        let (mut memory, mut rng) = (memory(&config), rng(0));
        assert_eq!(memory.random_obs(Among::All, &mut rng), None);
        // Of 5 and 2 observations (subspace 0), and 3 (subspace 2).
        let mut builder = SegmentBuilder::new(&config, 0);
        for (subspace, len) in [(0, 5), (2, 2)] {
            for segment in episode(&mut builder, subspace, (len, Terminated)) {
                memory.insert(&segment, &mut rng).unwrap();
            }
        }
        let cases = [
            (Among::All, 0.2, 0.3),
            (Among::Except(2), 2.0 / 7.0, 0.0),
            (Among::Except(0), 0.0, 1.0),
            (Among::Only(2), 0.0, 1.0),
        ];
        for (among, second, last) in cases {
            let (mut of_second, mut of_last) = (0, 0);
            for _ in 0..5_000 {
                let place = memory.random_obs(among, &mut rng).unwrap();
                let view = memory.view(place.segment).unwrap();
                assert!(place.position <= view.len());
                of_second += usize::from(view.index == 1);
                of_last += usize::from(view.subspace == 2);
            }
            assert!(is_share(of_second, 5_000, second), "{among:?}: {of_second}");
            assert!(is_share(of_last, 5_000, last), "{among:?}: {of_last}");
        }
        // 4, 1 and 2 of 7 steps.
        let draws = (0..5_000).map(|_| memory.random_step(Among::All, &mut rng).unwrap());
        let draws: Vec<Place> = draws.collect();
        let of = |place: &Place| memory.view(place.segment).unwrap();
        assert!(draws.iter().all(|place| place.position < of(place).len()));
        let short = draws.iter().filter(|place| of(place).index == 1).count();
        assert!(is_share(short, 5_000, 1.0 / 7.0), "{short}");
        assert_eq!(memory.random_obs(Among::Only(1), &mut rng), None);
    }
}
