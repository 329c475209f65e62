//! A memory with known classes: what behaves alike is found, whatever it looks like.

use super::*;
use crate::contrast::false_negative_share;

/// Segments of one of three classes each: the class is what the teacher does there and what is
/// paid. Observations are `[number, class]`, codes follow the number.
fn planted() -> Contrasts {
    let (mut contrasts, mut rng) = (contrasts(&config()), rng(0));
    for episode in 0..150_u64 {
        let class = episode * 2_654_435_761 / 512 % 3;
        let new = segment((episode % 2) as u32, episode, (0, 4), Continue);
        let obs = (0..5).flat_map(|j| [(episode * 5 + j) as f32, class as f32]).collect();
        let rewards = vec![class as f32; 4];
        let new = Segment { obs: ObsBuffer::F32(obs), rewards, ..new };
        contrasts.insert(&new, &mut rng).unwrap();
    }
    read_all(&mut contrasts, 1, |obs| {
        let mut policy = [15; 3];
        policy[obs[1] as usize] = 225;
        ([obs[0] as u8 % 3, obs[0] as u8 % 2], policy)
    });
    contrasts
}

fn classes(batch: &ContrastBatch) -> Vec<u32> {
    rows(batch).iter().map(|obs| obs[1] as u32).collect()
}

#[test]
fn positives_are_of_the_class_of_their_anchor() {
    let mut contrasts = planted();
    for relation in [Relation::Behavioral, Relation::BehavioralAcross] {
        let spec = ContrastSpec { positives: 2, ..spec(relation) };
        let (mut own, mut all) = (0, 0);
        for seed in 0..50 {
            let Prepared { batch, .. } = prepared(&mut contrasts, &spec, &mut rng(seed));
            for (anchor, positives, _) in each(&batch) {
                all += positives.len();
                own += positives.iter().filter(|(obs, _)| obs[1] == anchor[1]).count();
            }
        }
        assert!(own as f64 > 0.95 * f64::from(all as u32), "{relation:?}: {own} of {all}");
        assert!(all > 1500);
    }
}

#[test]
fn a_distance_keeps_the_class_out_of_the_negatives() {
    let mut contrasts = planted();
    let share = |contrasts: &mut Contrasts, delta, law| {
        let spec =
            ContrastSpec { delta, law, negative_candidates: 32, ..spec(Relation::Behavioral) };
        let each = (0..40).map(|seed| {
            let Prepared { batch, report, .. } = prepared(contrasts, &spec, &mut rng(seed));
            assert_eq!(report.alike_share > 0.2, delta >= 0.0);
            false_negative_share(&batch, &classes(&batch))
        });
        each.sum::<f64>() / 40.0
    };
    for law in [NegativeLaw::Weighted { beta: 0.0 }, NegativeLaw::Weighted { beta: 2.0 }] {
        assert_eq!(share(&mut contrasts, 0.1, law), 0.0);
        let random = share(&mut contrasts, -1.0, law);
        assert!((0.25..0.42).contains(&random), "{law:?}: {random}"); // a third
    }
}

#[test]
fn the_same_seed_gives_the_same_batch() {
    let (mut a, mut b) = (planted(), planted());
    for relation in Relation::ALL {
        let spec = ContrastSpec { relation, delta: 0.25, ..ContrastSpec::default() };
        let (first, second) =
            (prepared(&mut a, &spec, &mut rng(7)), prepared(&mut b, &spec, &mut rng(7)));
        assert_eq!(first, second);
        assert!(first.report.observations <= 32 + 32 + 64);
        assert_ne!(first.batch, prepared(&mut a, &spec, &mut rng(8)).batch);
    }
}
