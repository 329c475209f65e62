//! What must never be a negative.

use super::*;
use crate::contrast::ContrastReport;
use proptest::prelude::*;

/// Episodes whose observations have `kinds` different values in all, read by a teacher or not.
fn repeating(kinds: u32, episodes: u64, read: bool) -> Contrasts {
    let (mut contrasts, mut rng) = (contrasts(&config()), rng(0));
    for episode in 0..episodes {
        let new = segment((episode % 2) as u32, episode, (0, 4), Continue);
        let value =
            |j: u64| (((episode * 7 + j * 3) * 2_654_435_761 / 256) % u64::from(kinds)) as f32;
        let obs = (0..5).flat_map(|j| [value(j), 0.0]).collect();
        contrasts.insert(&Segment { obs: ObsBuffer::F32(obs), ..new }, &mut rng).unwrap();
    }
    if read {
        read_all(&mut contrasts, 1, |obs| {
            let kind = obs[0] as usize;
            let mut policy = [0; 3];
            policy[kind % 3] = 255;
            ([(kind % 3) as u8, (kind / 3 % 3) as u8], policy)
        });
    }
    contrasts
}

fn law() -> impl Strategy<Value = NegativeLaw> {
    prop_oneof![
        Just(NegativeLaw::Weighted { beta: 0.0 }),
        Just(NegativeLaw::Weighted { beta: 3.0 }),
        Just(NegativeLaw::Hardest)
    ]
}

fn relation() -> impl Strategy<Value = Relation> {
    prop::sample::select(&Relation::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn planted_duplicates_are_never_negatives(
        kinds in 2_u32..20,
        (law, relation) in (law(), relation()),
        [shuffled, shared_negatives] in any::<[bool; 2]>(),
        seed in any::<u64>(),
    ) {
        let mut contrasts = repeating(kinds, 40, true);
        let spec = ContrastSpec { law, positives: 2, shuffled, shared_negatives, ..spec(relation) };
        if let Some(Prepared { batch, report, .. }) = contrasts.prepare(&spec, &mut rng(seed)).unwrap() {
            for (anchor, positives, negatives) in each(&batch) {
                prop_assert!(!negatives.contains(&anchor));
                prop_assert!(positives.iter().all(|(obs, _)| !negatives.contains(obs)));
            }
            // Every observation is encoded once.
            let mut all: Vec<u32> = rows(&batch).iter().map(|obs| obs[0] as u32).collect();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), rows(&batch).len());
            prop_assert_eq!(report.observations, all.len());
            prop_assert!(report.identical_share > 0.0);
        }
    }

    #[test]
    fn no_negative_is_near_or_alike(
        (law, relation) in (law(), relation()),
        within in 1_usize..6,
        seed in any::<u64>(),
    ) {
        // The teacher acts alike in all observations of a step's number, and the same follows:
        // delta masks them, but for those near an end.
        let mut contrasts = filled(&config(), 30);
        read_all(&mut contrasts, 1, |obs| {
            let mut policy = [0; 3];
            policy[obs[1] as usize % 3] = 255;
            ([obs[1] as u8 % 3, 0], policy)
        });
        let spec = ContrastSpec {
            law,
            delta: 0.0,
            temporal_max_env_steps: within,
            negative_candidates: 48,
            ..spec(relation)
        };
        let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
        let ahead = if relation == Relation::Predictive { 1.0 } else { 0.0 };
        for ([episode, step], _, negatives) in each(&batch) {
            let at = step + ahead;
            for [of, other] in negatives {
                prop_assert!(of != episode || (other - at).abs() > within as f32);
                prop_assert!(other != at);
                // Four env steps from 6 on, the episode is over, which tells them apart.
                prop_assert!(at > 6.0 || other > 6.0 || (other - at) % 3.0 != 0.0);
            }
        }
    }
}

#[test]
fn a_report_by_hand() {
    // Two kinds of observations, and nothing read: half of all pairs are masked as identical.
    let mut contrasts = repeating(2, 40, false);
    let spec = ContrastSpec { negatives: 6, ..spec(Relation::Predictive) };
    let Prepared { batch, report, .. } = prepared(&mut contrasts, &spec, &mut rng(0));
    assert_eq!((report.observations, report.distinct_candidates), (2, 2));
    assert_eq!(rows(&batch).len(), 2);
    let masked = report.identical_share;
    assert!(masked > 0.5, "{masked}"); // where anchor and positive differ, all
    assert_eq!((report.alike_share, report.unread_share), (0.0, 1.0));
    assert_eq!((report.reading_age_versions, report.code_collision_share), (0.0, 0.0));
    let missing = batch.negative_weights.iter().filter(|weight| **weight == 0.0).count();
    assert_eq!(report.missing_negatives_share, missing as f64 / (16.0 * 6.0));
    assert!(missing > 0);

    // All codes are equal, and a second teacher, 10 updates on, has read the newest 20 of 40.
    let mut contrasts = filled(&config(), 30);
    read_all(&mut contrasts, 5, |_| ([1, 2], [85; 3]));
    for episode in 30..37 {
        contrasts.insert(&segment(0, episode, (0, 4), Continue), &mut rng(0)).unwrap();
    }
    let request = contrasts.to_code(5, 7).unwrap().unwrap();
    let answer = request.answered(15, &[1, 2].repeat(35), &[85; 105]);
    assert_eq!(contrasts.take_readings(&answer).unwrap().stored, 7);
    let spec = ContrastSpec { memory_share: 0.0, ..spec };
    let Prepared { report, .. } = prepared(&mut contrasts, &spec, &mut rng(0));
    let ContrastReport { code_collision_share, unread_share, negative_equal_groups, .. } = report;
    assert_eq!((code_collision_share, unread_share, negative_equal_groups), (1.0, 0.0, 2.0));
    let age = report.reading_age_versions; // 7 of the newest 20 segments are of version 15
    assert!((4.0..9.0).contains(&age), "{age}");
    assert_eq!(report.curves().len(), 10);
}
