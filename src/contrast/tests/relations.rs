//! What becomes a positive, and where anchors come from.

use super::*;
use crate::contrast::Missing;

fn unlike(obs: &[f32]) -> ([u8; 2], [u8; 3]) {
    let step = obs[1] as usize;
    let mut policy = [0; 3];
    policy[step % 3] = 255;
    ([(step % 3) as u8, (step / 3 % 3) as u8], policy)
}

#[test]
fn temporal_positives_stay_within_their_episode() {
    // Episodes of 10 env steps: an anchor at 9 has one positive, the final observation.
    let mut contrasts = filled(&config(), 12);
    let spec = ContrastSpec { positives: 2, ..spec(Relation::Temporal) };
    let (mut rng, mut offsets, mut last) = (rng(1), [0; 5], 0);
    for _ in 0..200 {
        let prepared = prepared(&mut contrasts, &spec, &mut rng);
        for ([episode, step], positives, _) in each(&prepared.batch) {
            assert_eq!(positives.len(), if step == 9.0 { 1 } else { 2 });
            last += usize::from(step == 9.0);
            assert!((positives.iter().map(|(_, weight)| weight).sum::<f32>() - 1.0).abs() < 1e-6);
            for ([of, at], _) in positives {
                assert_eq!(of, episode);
                assert!((1.0..=3.0).contains(&(at - step)) && at <= 10.0, "{step} and {at}");
                if step <= 7.0 {
                    offsets[(at - step) as usize] += 1;
                }
            }
        }
    }
    assert!(last > 100);
    // Each of 1, 2 and 3 env steps is one of two positives alike; about 1,700 of each.
    let total: i32 = offsets.iter().sum();
    assert!(offsets[1..4].iter().all(|n| (n - total / 3).abs() < 150), "{offsets:?}");
}

#[test]
fn predictive_positives_are_the_next_observation_and_what_followed_is_right() {
    let mut contrasts = filled(&config(), 12);
    let spec = ContrastSpec { positives: 3, ..spec(Relation::Predictive) };
    let mut ends = 0;
    for seed in 0..40 {
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
        let ActionBatch::Discrete(actions) = &batch.actions else { panic!("indices") };
        for (a, ([episode, step], positives, negatives)) in each(&batch).into_iter().enumerate() {
            assert_eq!(positives, [([episode, step + 1.0], 1.0)]);
            assert_eq!(actions[a], step as i64 % 3);
            assert_eq!(batch.rewards[a], 1.0);
            assert_eq!(batch.continues[a], if step == 9.0 { 0.0 } else { 1.0 });
            assert_eq!(batch.subspaces[a], episode as u32 % 2);
            ends += usize::from(step == 9.0);
            // Masked within 3 env steps of the *next* observation, the anchor among them.
            let near = |[of, at]: &[f32; 2]| *of == episode && (at - step - 1.0).abs() <= 3.0;
            assert!(!negatives.iter().any(near), "{step}: {negatives:?}");
        }
        assert_eq!(batch.positives.len(), 16 * 3);
        let n = rows(&batch).len() as i64;
        assert!(batch.positives.iter().chain(&batch.negatives).all(|row| (0..n).contains(row)));
    }
    assert!(ends > 20);
}

#[test]
fn a_share_of_the_anchors_comes_from_memory() {
    let mut contrasts = filled(&config(), 40); // 120 segments, the newest 20 are of episode 33 on
    for (share, memory) in [(0.5, 8), (0.0, 0), (1.0, 16), (0.25, 4)] {
        let spec = ContrastSpec { memory_share: share, ..spec(Relation::Temporal) };
        let mut old = 0;
        for seed in 0..30 {
            let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
            assert_eq!(batch.from_memory.iter().sum::<f32>() as usize, memory);
            for ((obs, _, negatives), from_memory) in each(&batch).iter().zip(&batch.from_memory) {
                assert!(*from_memory == 1.0 || obs[0] >= 33.0);
                old += usize::from(obs[0] < 33.0);
                assert!(share > 0.0 || negatives.iter().all(|obs| obs[0] >= 33.0));
            }
        }
        assert_eq!(old > 0, share > 0.0);
    }
}

#[test]
fn anchors_from_memory_follow_their_mix() {
    // One segment of 40 pays 100, and one is the only one that surprised.
    let mut contrasts = contrasts(&config());
    for episode in 0..40 {
        let paid = if episode == 7 { 100.0 } else { 0.0 };
        let new = Segment {
            rewards: vec![paid; 4],
            surprise: Some(if episode == 9 { 500.0 } else { 0.0 }),
            ..segment(0, episode, (0, 4), Continue)
        };
        contrasts.insert(&new, &mut rng(0)).unwrap();
    }
    for (by_return, by_surprise) in [(0.0, 0.0), (0.5, 0.0), (0.25, 0.5), (0.0, 1.0)] {
        let anchors_from = AnchorMix { by_return, by_surprise };
        let spec = ContrastSpec {
            anchors: 2_000,
            memory_share: 1.0,
            anchors_from,
            ..spec(Relation::Predictive)
        };
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(2));
        let of = |episode: f32| {
            let anchors = each(&batch);
            anchors.iter().filter(|(obs, ..)| obs[0] == episode).count() as f64 / 2_000.0
        };
        // Priorities 400.5 of 400.5 + 39 * 0.5, and 500.5 of 500.5 + 39 * 0.5.
        let uniform = (1.0 - by_return - by_surprise) / 40.0;
        let rest = 0.5 / 420.0 * by_return + 0.5 / 520.0 * by_surprise;
        let paid = uniform + by_return * 400.5 / 420.0 + 0.5 / 520.0 * by_surprise;
        let surprised = uniform + by_surprise * 500.5 / 520.0 + 0.5 / 420.0 * by_return;
        for (episode, expected) in [(7.0, paid), (9.0, surprised), (11.0, uniform + rest)] {
            let deviation = (expected * (1.0 - expected) / 2_000.0).sqrt();
            let found = of(episode);
            assert!((found - expected).abs() <= 3.5 * deviation, "{episode}: {found}, {expected}");
        }
    }
}

#[test]
fn across_takes_other_subspaces_only_and_behavioral_the_same() {
    let mut contrasts = filled(&config(), 60);
    read_all(&mut contrasts, 1, unlike);
    for (relation, across) in [(Relation::BehavioralAcross, true), (Relation::Behavioral, false)] {
        let spec = ContrastSpec { positives: 3, ..spec(relation) };
        for seed in 0..30 {
            let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
            for ((anchor, positives, _), subspace) in each(&batch).iter().zip(&batch.subspaces) {
                assert_eq!(anchor[0] as u32 % 2, *subspace);
                let total: f32 = positives.iter().map(|(_, weight)| weight).sum();
                assert!((total - 1.0).abs() < 1e-5 && !positives.is_empty(), "{positives:?}");
                for (obs, _) in positives {
                    assert_eq!(obs[0] as u32 % 2 != *subspace, across);
                    assert!(obs[0] != anchor[0] || (obs[1] - anchor[1]).abs() > 3.0);
                }
            }
        }
    }
}

/// Of eleven steps in twelve the action is 0, of one it is 1.
#[test]
fn anchors_of_rare_actions_are_as_many() {
    let (mut contrasts, mut rng) = (contrasts(&config()), rng(0));
    for episode in 0..100 {
        for (index, outcome) in [(0, Continue), (1, Continue), (2, Terminated)] {
            let actions = vec![0, 0, 0, i64::from(index == 1)];
            let segment = Segment {
                actions: ActionBatch::Discrete(actions),
                ..segment(0, episode, (index, 4), outcome)
            };
            contrasts.insert(&segment, &mut rng).unwrap();
        }
    }
    let mut share = |balance_actions| {
        let spec = ContrastSpec { balance_actions, anchors: 500, ..spec(Relation::Predictive) };
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng);
        let ActionBatch::Discrete(actions) = batch.actions else { panic!("discrete") };
        actions.iter().filter(|action| **action == 1).count() as f64 / 500.0
    };
    // One step in twelve, within five deviations; then one anchor in three, and one in twelve of
    // the third that wants action 2, which nobody took: 0.361.
    assert!((share(false) - 1.0 / 12.0).abs() < 0.062, "{}", share(false));
    assert!((share(true) - 0.361).abs() < 0.108, "{}", share(true));
}

/// The teacher acts by the number of the step modulo 3: at distance 0 are equal remainders.
#[test]
fn behavioral_positives_are_within_reach() {
    let mut contrasts = filled(&config(), 60);
    read_all(&mut contrasts, 1, unlike);
    // Few candidates, so that the nearest is often of another remainder.
    let all = ContrastSpec { positive_candidates: 6, ..spec(Relation::Behavioral) };
    let mut unlike_positives = |reach| {
        let spec = ContrastSpec { reach, ..all };
        let of = |seed| {
            let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
            let pairs = each(&batch);
            let differs = |(a, p, _): &&Contrast| (a[1] - p[0].0[1]) % 3.0 != 0.0;
            pairs.iter().filter(differs).count()
        };
        (0..30).map(of).sum::<usize>()
    };
    assert!(unlike_positives(f64::INFINITY) > 50);
    assert_eq!(unlike_positives(0.0), 0);
}

#[test]
fn what_is_missing_is_said_and_counted() {
    let (mut contrasts, mut rng) = (contrasts(&config()), rng(0));
    let mut none = |contrasts: &mut Contrasts, relation| {
        assert_eq!(contrasts.prepare(&spec(relation), &mut rng).unwrap(), None);
        contrasts.last_missing().unwrap()
    };
    let found = none(&mut contrasts, Relation::Predictive);
    assert_eq!(found, Missing::Segments { store: Store::Memory, held: 0, needed: 3 }); // 2 * (1 + 1 + 4) / 4
    assert_eq!(found.to_string(), "the memory holds 0 segments, 3 are needed");
    for episode in 0..30 {
        contrasts.insert(&segment(1, episode, (0, 4), Continue), &mut rng_of(episode)).unwrap();
    }
    let found = none(&mut contrasts, Relation::BehavioralAcross);
    assert_eq!(found, Missing::OtherSubspace);
    contrasts.insert(&segment(0, 99, (0, 4), Continue), &mut rng_of(99)).unwrap();
    let found = none(&mut contrasts, Relation::BehavioralAcross);
    assert_eq!(found, Missing::Readings { tries: 16 });
    assert_eq!(none(&mut contrasts, Relation::Behavioral), Missing::Readings { tries: 16 });
    let counts = contrasts.missing();
    assert_eq!((counts.segments, counts.readings), (1, 2));
    assert_eq!((counts.positives, counts.other_subspace), (0, 1));
    prepared(&mut contrasts, &spec(Relation::Temporal), &mut rng_of(0));
    assert_eq!(contrasts.last_missing(), None);

    // One episode of four env steps, all within 4: nobody is a positive of another.
    let mut one = super::contrasts(&config());
    for index in 0..3 {
        one.insert(&segment(0, 0, (index, 4), Continue), &mut rng_of(0)).unwrap();
    }
    read_all(&mut one, 1, unlike);
    let narrow = ContrastSpec { temporal_max_env_steps: 50, ..spec(Relation::Behavioral) };
    assert_eq!(one.prepare(&narrow, &mut rng_of(0)).unwrap(), None);
    assert_eq!(one.last_missing(), Some(Missing::Positives { tries: 16 }));
}

fn rng_of(seed: u64) -> Prng {
    super::rng(seed)
}

#[test]
fn shuffled_positives_are_other_anchors_own() {
    let mut contrasts = filled(&config(), 60);
    let plain = ContrastSpec { anchors: 32, ..spec(Relation::Predictive) };
    let spec = ContrastSpec { shuffled: true, ..plain };
    for seed in 0..20 {
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
        let contrasts_ = each(&batch);
        let mut wanted: Vec<_> =
            contrasts_.iter().map(|(a, ..)| (a[0] as u32, a[1] as u32 + 1)).collect();
        let mut found: Vec<_> =
            contrasts_.iter().map(|(_, p, _)| (p[0].0[0] as u32, p[0].0[1] as u32)).collect();
        let own = wanted.iter().zip(&found).filter(|(a, b)| a == b).count();
        assert!(own <= 2, "{own}"); // an anchor that was drawn twice may meet its twin's
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(wanted, found);
        for (_, positives, negatives) in contrasts_ {
            assert!(!negatives.contains(&positives[0].0));
        }
        // The same anchors as without, and what followed them is still right.
        let plain = prepared(&mut contrasts, &plain, &mut rng(seed)).batch;
        let anchors = |batch: &ContrastBatch| each(batch).iter().map(|c| c.0).collect::<Vec<_>>();
        assert_eq!(anchors(&plain), anchors(&batch));
        assert_eq!((plain.rewards, plain.continues), (batch.rewards, batch.continues));
        assert_eq!(plain.actions, batch.actions);
    }
}

#[test]
fn continuous_actions_and_truncation() {
    let mut config = config();
    config.memory.action = ActionSpace::Box { low: vec![-9.0; 2], high: vec![9.0; 2] };
    let mut contrasts = contrasts(&config);
    for episode in 0..20 {
        let outcome = if episode % 2 == 0 { Outcome::Truncated } else { Terminated };
        let actions = (0..4).flat_map(|step| [step as f32, episode as f32]).collect();
        let actions = ActionBatch::Box(actions);
        let new = Segment { actions, ..segment(0, episode, (0, 4), outcome) };
        contrasts.insert(&new, &mut rng(0)).unwrap();
    }
    let spec = ContrastSpec { anchors: 64, ..spec(Relation::Predictive) };
    let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(0));
    let ActionBatch::Box(actions) = &batch.actions else { panic!("floats") };
    let mut ends = [0, 0];
    for (a, ([episode, step], ..)) in each(&batch).into_iter().enumerate() {
        assert_eq!(actions[a * 2..][..2], [step, episode]);
        let terminates = step == 3.0 && episode as u32 % 2 == 1;
        assert_eq!(batch.continues[a], if terminates { 0.0 } else { 1.0 });
        ends[usize::from(terminates)] += usize::from(step == 3.0);
    }
    assert!(ends.iter().all(|n| *n > 0), "{ends:?}");
}

#[test]
fn of_two_views_the_anchor_is_its_own_positive_and_no_negative() {
    let mut contrasts = filled(&config(), 12);
    let spec = ContrastSpec { positives: 2, ..spec(Relation::MultiView) };
    for seed in 0..20 {
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
        assert!(batch.positives.chunks(2).zip(&batch.anchors).all(|(p, a)| p[0] == *a));
        for (anchor, positives, negatives) in each(&batch) {
            assert_eq!(positives, [(anchor, 1.0)]);
            assert!(!negatives.is_empty() && !negatives.contains(&anchor));
        }
    }
    // Shuffled, none keeps its own.
    let spec = ContrastSpec { shuffled: true, ..spec };
    let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(1));
    assert!(batch.positives.chunks(2).zip(&batch.anchors).any(|(p, a)| p[0] != *a));
}
