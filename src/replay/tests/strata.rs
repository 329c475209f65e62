//! A ring for each subspace: who keeps what, how often each is drawn, and what is counted.

use super::*;
use crate::message::{PriorityUpdate, SampledBatch};
use contrail_envs::{Prng, SeedStream};

/// A row of an episode in `subspace`.
fn of(subspace: u32, row: (TransitionRow, u8)) -> (TransitionRow, u8) {
    (TransitionRow { subspace, ..row.0 }, row.1)
}

fn strata(capacity: usize, subspaces: usize, law: SubspaceLaw) -> ReplayConfig {
    ReplayConfig { subspaces, law, keep_every_subspace: true, ..small_config(capacity, 2, 1) }
}

/// Episodes of one env step, `sizes[s]` of them in subspace `s`.
fn filled(config: &ReplayConfig, sizes: &[u8]) -> Replay {
    let mut replay = replay(config);
    for (subspace, size) in sizes.iter().enumerate() {
        for obs in 0..*size {
            replay.insert(&block(&[of(subspace as u32, end(0, obs))], &[obs])).unwrap();
        }
    }
    replay
}

fn sizes(replay: &Replay) -> Vec<u64> {
    replay.subspace_stats().iter().map(|stats| stats.size).collect()
}

#[test]
fn each_subspace_has_a_ring_and_ids_of_its_own() {
    // 3 rings of 7, 7 and 6 slots. The streams change subspace from episode to episode.
    let mut replay = replay(&strata(20, 3, SubspaceLaw::Uniform));
    assert_eq!(replay.config().ring_capacities().collect::<Vec<_>>(), [7, 7, 6]);
    let rows = [
        of(2, row(0, 10, 1)),
        of(0, row(1, 50, 1)),
        of(2, end(0, 11)),
        of(0, row(0, 20, 1)),
        of(0, end(1, 51)),
        of(0, end(0, 21)),
    ];
    replay.insert(&block(&rows, &[12, 52, 22])).unwrap();
    // Ring 0 holds 50 20 51 52f 21 22f as its ids 0 to 5, which are 0, 3, ... 15 outside; ring 2
    // holds 10 11 12f, which are 2, 5, 8.
    let mut rng = SeedStream::root(0).rng();
    let batch = replay.sample(200, 0.0, &mut rng).unwrap();
    let ObsBatch::U8(obs) = &batch.minibatch.obs else { panic!("bytes") };
    let mut found: Vec<_> =
        batch.ids.iter().zip(obs).zip(&batch.subspaces).map(|((id, o), s)| (*id, *o, *s)).collect();
    found.sort_unstable();
    found.dedup();
    let expected = [(0, 50, 0), (2, 10, 2), (3, 20, 0), (5, 11, 2), (6, 51, 0), (12, 21, 0)];
    assert_eq!(found, expected);
    assert_eq!(pairs(&mut replay), [(50, 51), (10, 11), (20, 21), (11, 12), (51, 52), (21, 22)]);
    replay.check_valid().unwrap();
}

#[test]
fn a_row_of_another_subspace_in_an_episode_is_refused() {
    let kept = ReplayConfig { n_step: 3, ..strata(1400, 100, SubspaceLaw::Uniform) };
    for config in [small_config(20, 2, 3), kept] {
        let mut replay = replay(&config);
        replay.insert(&block(&[of(4, row(0, 1, 3))], &[])).unwrap();
        let refusal = |replay: &mut Replay, subspace| {
            let error = replay.insert(&block(&[of(subspace, row(0, 2, 3))], &[])).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            refusal(&mut replay, 5),
            "replay: cannot insert: row 0 of stream 0 has subspace 5, allowed 4 until its episode \
             ends"
        );
        assert_eq!(
            refusal(&mut replay, 100),
            "replay: cannot insert: row 0 of stream 0 has subspace 100, allowed 0 to 99"
        );
        // After the end, and after a break, another one may begin.
        let rows = [of(4, row(0, 2, 2)), of(4, end(0, 3)), of(5, row(0, 4, 3))];
        replay.insert(&block(&rows, &[9])).unwrap();
        let next = block(&[of(6, end(0, 7))], &[8]);
        replay.insert(&TransitionBlock { broken_off: vec![0], ..next }).unwrap();
        assert_eq!(replay.dropped_waiting(), 1);
        assert_eq!(pairs(&mut replay).len(), 4);
        replay.check_valid().unwrap();
    }
}

#[test]
fn phases_are_forgotten_by_one_ring_and_kept_by_strata() {
    // 100 one-step episodes (200 slots) of subspace 0, then as many of subspace 1; 60 slots.
    let phases = |keep_every_subspace| {
        let config = ReplayConfig { subspaces: 2, keep_every_subspace, ..small_config(60, 1, 1) };
        filled(&config, &[100, 100])
    };
    let (mut plain, mut kept) = (phases(false), phases(true));
    assert_eq!((sizes(&plain), sizes(&kept)), (vec![0, 30], vec![15, 15]));
    let forgotten = |replay: &Replay| replay.subspace_stats()[0].forgotten;
    assert_eq!((forgotten(&plain), forgotten(&kept)), (100, 85));
    let mut rng = SeedStream::root(0).rng();
    let mut drawn = |replay: &mut Replay| replay.sample(1000, 0.0, &mut rng).unwrap().subspaces;
    assert!(drawn(&mut plain).iter().all(|subspace| *subspace == 1));
    assert!(drawn(&mut kept).contains(&0));
    // What is kept of subspace 0 is its newest part: episodes 85 to 99.
    let of_zero: Vec<u8> = pairs(&mut kept).iter().map(|(obs, _)| *obs).collect();
    assert!(of_zero.iter().all(|obs| *obs >= 85), "{of_zero:?}");
}

/// Pearson's statistic of the drawn subspaces against `expected` shares.
fn chi_square(subspaces: &[u32], expected: &[f64]) -> f64 {
    let term = |(subspace, share): (usize, &f64)| {
        let drawn = subspaces.iter().filter(|drawn| **drawn as usize == subspace).count() as f64;
        let mean = share * subspaces.len() as f64;
        if mean == 0.0 && drawn == 0.0 { 0.0 } else { (drawn - mean).powi(2) / mean }
    };
    expected.iter().enumerate().map(term).sum()
}

#[test]
fn the_drawn_shares_follow_the_law() {
    // 16, 0, 64 and 100 transitions; the third law takes square roots: 4, 0, 8, 10.
    let counts = [16, 0, 64, 100];
    let cases = [
        (SubspaceLaw::Uniform, [16.0 / 180.0, 0.0, 64.0 / 180.0, 100.0 / 180.0]),
        (SubspaceLaw::Temperature(1.0), [16.0 / 180.0, 0.0, 64.0 / 180.0, 100.0 / 180.0]),
        (SubspaceLaw::Temperature(2.0), [4.0 / 22.0, 0.0, 8.0 / 22.0, 10.0 / 22.0]),
        (SubspaceLaw::Temperature(f64::INFINITY), [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]),
        (SubspaceLaw::Quota(vec![3.0, 4.0, 1.0, 2.0]), [0.5, 0.0, 1.0 / 6.0, 1.0 / 3.0]),
    ];
    for sampling in [Sampling::Uniform, PRIORITIZED] {
        for (law, expected) in &cases {
            let config = ReplayConfig { sampling, ..strata(1000, 4, law.clone()) };
            let mut replay = filled(&config, &counts);
            let mut rng = SeedStream::root(9).rng();
            let drawn = replay.sample(30_000, 0.0, &mut rng).unwrap().subspaces;
            let found = chi_square(&drawn, expected);
            // Two degrees of freedom: above 18.4 once in 10,000 times.
            assert!(found < 18.4, "{law:?} {sampling:?}: {found}");
            // The test can fail: against the shares of another law the statistic is far off.
            let other = if expected[0] < 0.1 { 0.4 } else { 0.05 };
            let rest = (1.0 - other) / 2.0;
            assert!(chi_square(&drawn, &[other, 0.0, rest, rest]) > 1000.0, "{law:?}");
        }
    }
}

const PRIORITIZED: Sampling =
    Sampling::Prioritized { priority_exponent: 1.0, priority_epsilon: 0.5 };

#[test]
fn importance_weights_of_a_mixture_by_hand() {
    // Subspace 0 has priorities 1 and 3 (mean 2), subspace 1 has 10, 20, 30 (mean 20), so p̄/p is
    // 2 and 2/3; 2, 1 and 2/3. The largest is 2.
    let config = ReplayConfig {
        sampling: PRIORITIZED,
        ..strata(100, 2, SubspaceLaw::Quota(vec![0.9, 0.1]))
    };
    let mut replay = filled(&config, &[2, 3]);
    let ids = vec![0, 4, 1, 5, 9]; // of ring 0: 0 and 2; of ring 1: 0, 2, 4
    let priorities = vec![0.5, 2.5, 9.5, 19.5, 29.5];
    assert_eq!(replay.update_priorities(&PriorityUpdate { ids, priorities }).unwrap(), 0);
    let mut rng = SeedStream::root(1).rng();
    let batch = replay.sample(400, 1.0, &mut rng).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for (id, weight) in batch.ids.iter().zip(&batch.minibatch.weights) {
        seen.insert(*id, *weight);
    }
    let third = (1.0_f64 / 3.0) as f32;
    let expected = [(0, 1.0), (1, 1.0), (4, third), (5, 0.5), (9, third)];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    // With weights 1 the two subspaces would be drawn 0.9 to 0.1, and within them 1 : 3 and
    // 1 : 2 : 3. Weighted sums must be the quota, alike within each subspace: 0.9/2 and 0.1/3.
    let many = replay.sample(200_000, 1.0, &mut rng).unwrap();
    let mass = |of: u64| -> f64 {
        let rows = many.ids.iter().zip(&many.minibatch.weights);
        rows.filter(|(id, _)| **id == of).map(|(_, weight)| f64::from(*weight)).sum()
    };
    let total: f64 = [0, 1, 4, 5, 9].map(mass).iter().sum();
    for (id, share) in [(0, 0.45), (4, 0.45), (1, 0.1 / 3.0), (5, 0.1 / 3.0), (9, 0.1 / 3.0)] {
        let found = mass(id) / total;
        assert!((found - share).abs() < 0.02 * share.max(0.1), "id {id}: {found} for {share}");
    }
}

#[test]
fn stats_by_hand() {
    let mut replay = filled(&strata(21, 3, SubspaceLaw::Uniform), &[1, 0, 3]);
    replay.insert(&block(&[of(2, row(1, 9, 1))], &[])).unwrap(); // waits
    let mut rng = SeedStream::root(2).rng();
    // 5 were inserted. Number 1 is in subspace 0; 2, 3, 4 in subspace 2, and number 5 waits there.
    let stats = replay.subspace_stats();
    assert_eq!([stats[0].size, stats[1].size, stats[2].size], [1, 0, 3]);
    assert_eq!([stats[0].share, stats[1].share, stats[2].share], [0.25, 0.0, 0.75]);
    assert_eq!([stats[0].age_env_steps, stats[1].age_env_steps], [4.0, 0.0]);
    assert_eq!(stats[2].age_env_steps, 2.0); // (3 + 2 + 1) / 3
    assert_eq!([stats[0].inserted, stats[1].inserted, stats[2].inserted], [1, 0, 4]);
    let none = stats.iter().all(|s| s.sampled == 0 && s.coverage == 0.0 && s.reuse == 0.0);
    assert!(none && stats.iter().all(|s| s.forgotten == 0));
    let drawn = replay.sample(100, 0.0, &mut rng).unwrap().subspaces;
    let stats = replay.subspace_stats();
    let of_two = drawn.iter().filter(|subspace| **subspace == 2).count() as u64;
    assert_eq!([stats[0].sampled, stats[2].sampled], [100 - of_two, of_two]);
    assert_eq!((stats[2].reuse, stats[1].reuse), (of_two as f64 / 4.0, 0.0));
    assert_eq!([stats[0].coverage, stats[1].coverage, stats[2].coverage], [1.0, 0.0, 1.0]);
    // A new transition in subspace 0 was not drawn yet: half of two.
    replay.insert(&block(&[of(0, end(0, 7))], &[8])).unwrap();
    assert_eq!(replay.subspace_stats()[0].coverage, 0.5);
    // Ring 0 has 7 slots: of 5 one-step episodes the third and later overwrite the first two.
    for obs in 20..23 {
        replay.insert(&block(&[of(0, end(0, obs))], &[obs])).unwrap();
    }
    let first = replay.subspace_stats()[0];
    assert_eq!((first.size, first.forgotten, first.inserted), (3, 2, 5));
    assert_eq!(first.coverage, 0.0);
    assert_eq!(first.age_env_steps, 1.0); // the last three inserted: 2, 1, 0
}

fn go_on(replay: &mut Replay, rng: &mut Prng, turns: std::ops::Range<u8>) -> Vec<SampledBatch> {
    let mut batches = Vec::new();
    for turn in turns {
        let subspace = u32::from(turn / 3 % 3);
        let rows = match turn % 3 {
            2 => block(&[of(subspace, end(0, turn))], &[turn]),
            _ => block(&[of(subspace, row(0, turn, 1))], &[]),
        };
        replay.insert(&rows).unwrap();
        if let Ok(batch) = replay.sample(8, 0.5, rng) {
            let priorities = batch.ids.iter().map(|id| (id % 7) as f32).collect();
            let ids = batch.ids.clone();
            replay.update_priorities(&PriorityUpdate { ids, priorities }).unwrap();
            batches.push(batch);
        }
    }
    batches
}

#[test]
fn strata_resume_exactly_and_damage_is_an_error() {
    let quota = SubspaceLaw::Quota(vec![0.2, 0.5, 0.3]);
    for law in [SubspaceLaw::Uniform, SubspaceLaw::Temperature(2.0), quota] {
        let config = ReplayConfig { sampling: PRIORITIZED, ..strata(40, 3, law) };
        let (mut whole, mut rng) = (replay(&config), SeedStream::root(5).rng());
        go_on(&mut whole, &mut rng, 0..101);
        let mut bytes = Vec::new();
        whole.save(&mut bytes).unwrap();
        let mut restored = replay(&config);
        restored.restore(&mut bytes.as_slice()).unwrap();
        assert_eq!(restored.subspace_stats(), whole.subspace_stats());
        let mut rng_again = rng.clone();
        let expected = go_on(&mut whole, &mut rng, 101..200);
        assert_eq!(go_on(&mut restored, &mut rng_again, 101..200), expected);
        for at in 0..bytes.len() * 8 {
            let mut turned = bytes.clone();
            turned[at / 8] ^= 1 << (at % 8);
            let mut damaged = replay(&config);
            let outcome = damaged.restore(&mut turned.as_slice());
            damaged.check_valid().unwrap();
            assert_eq!(damaged.subspace_stats().len(), 3);
            assert!(outcome.is_ok() || damaged.is_empty(), "bit {at}");
        }
    }
}

#[test]
fn bad_strata_are_refused_with_the_numbers() {
    let cases = [
        (
            ReplayConfig { n_step: 3, ..strata(69, 5, SubspaceLaw::Uniform) },
            "capacity_transitions is 69, allowed: 70 (14, twice streams * n_step + 1, in each of 5 \
             subspaces, for 2 streams and n_step 3) to 4294967294",
        ),
        (
            strata(100, 2, SubspaceLaw::Temperature(0.0)),
            "the subspace law is temperature 0, allowed: a number above 0, infinity included",
        ),
        (
            strata(100, 2, SubspaceLaw::Quota(vec![1.0])),
            "the subspace law is quota [1.0], allowed: a number above 0 for each of 2 \
             subspaces, a finite sum",
        ),
    ];
    for (config, sentence) in cases {
        assert_eq!(Replay::new(config).unwrap_err().to_string(), format!("replay: {sentence}"));
    }
    // One ring for all does not care how many subspaces there are.
    assert!(Replay::new(ReplayConfig { subspaces: 1000, ..small_config(14, 2, 3) }).is_ok());
}

#[test]
fn strata_take_the_memory_they_say() {
    let config = ReplayConfig { sampling: PRIORITIZED, ..strata(100, 3, SubspaceLaw::Uniform) };
    let replay = replay(&config);
    // Rings of 34, 33 and 33 slots have trees of 2 * 64 nodes each.
    let trees: usize = replay
        .rings
        .iter()
        .map(|ring| ring.priorities.as_ref().unwrap().tree.allocated_bytes())
        .sum();
    assert_eq!(trees, 3 * 128 * 8);
    let slots: usize = replay.rings.iter().map(|ring| ring.slots.allocated_bytes()).sum();
    assert_eq!(slots, 100 * 33);
    let one = ReplayConfig { keep_every_subspace: false, ..config.clone() };
    assert_eq!(config.memory_bytes() - one.memory_bytes(), (3 * 128 - 256) * 8);
}
