//! Proportional sampling by hand.

use super::*;
use crate::message::PriorityUpdate;
use contrail_envs::SeedStream;

/// Four transitions with ids 0, 2, 4, 6 whose `|td_error| + 0.5` are 1, 2, 3, 4.
fn four(priority_exponent: f64) -> Replay {
    let sampling = Sampling::Prioritized { priority_exponent, priority_epsilon: 0.5 };
    let mut replay = replay(&ReplayConfig { sampling, ..small_config(10, 1, 1) });
    for obs in [0, 10, 20, 30] {
        replay.insert(&block(&[end(0, obs)], &[obs + 1])).unwrap();
    }
    let update = PriorityUpdate { ids: vec![0, 2, 4, 6], priorities: vec![0.5, -1.5, 2.5, 3.5] };
    assert_eq!(replay.update_priorities(&update).unwrap(), 0);
    replay
}

fn priority(replay: &Replay, slot: usize) -> f64 {
    replay.rings[0].priorities.as_ref().unwrap().tree.get(slot)
}

#[test]
fn drawn_in_proportion() {
    // The total is 10, so 10 segments have length 1 and each lies within one transition's share:
    // the counts are exact whatever the random numbers.
    let mut replay = four(1.0);
    for seed in 0..20 {
        let mut rng = SeedStream::root(seed).rng();
        let batch = replay.sample(10, 1.0, &mut rng).unwrap();
        assert_eq!(batch.ids, [0, 2, 2, 4, 4, 4, 6, 6, 6, 6]);
        // Weights are 1/p over the largest, 1/1.
        let third = (1.0_f64 / 3.0) as f32;
        let weights = [1.0, 0.5, 0.5, third, third, third, 0.25, 0.25, 0.25, 0.25];
        assert_eq!(batch.minibatch.weights, weights);
    }
}

#[test]
fn exponents_by_hand() {
    // priority_exponent 1/2: p is 1, √2, √3, 2. importance_exponent 0: all weights are 1.
    let mut replay = four(0.5);
    for (slot, p) in [(0, 1.0), (2, 2.0_f64.sqrt()), (4, 3.0_f64.sqrt()), (6, 2.0)] {
        assert!((priority(&replay, slot) - p).abs() < 1e-12, "slot {slot}");
    }
    let mut rng = SeedStream::root(0).rng();
    assert_eq!(replay.sample(8, 0.0, &mut rng).unwrap().minibatch.weights, [1.0; 8]);
    // importance_exponent 1/2 of p = 1 and 4 with priority_exponent 1: 1 and √(1/4).
    let batch = four(1.0).sample(10, 0.5, &mut rng).unwrap();
    assert_eq!((batch.minibatch.weights[0], batch.minibatch.weights[9]), (1.0, 0.5));
    // priority_exponent 0 is uniform: 8 segments, 2 for each of the 4.
    let batch = four(0.0).sample(8, 1.0, &mut rng).unwrap();
    assert_eq!(batch.ids, [0, 0, 2, 2, 4, 4, 6, 6]);
    assert_eq!(batch.minibatch.weights, [1.0; 8]);
}

#[test]
fn new_transitions_get_the_largest_priority_so_far() {
    let mut replay = four(1.0);
    let update = PriorityUpdate { ids: vec![6], priorities: vec![0.0] };
    replay.update_priorities(&update).unwrap();
    assert_eq!(priority(&replay, 6), 0.5);
    replay.insert(&block(&[end(0, 40)], &[41])).unwrap(); // slots 8 and 9
    assert_eq!(priority(&replay, 8), 4.0); // the 4 that transition 6 had
    assert_eq!(priority(&replay, 9), 0.0); // a final observation is never drawn
    replay.check_valid().unwrap();
}

#[test]
fn overwritten_ids_are_ignored_and_counted() {
    let mut replay = four(1.0);
    replay.insert(&block(&[end(0, 40), end(0, 50)], &[41, 51])).unwrap(); // ids 8 to 11
    // Ids 0 and 1 are overwritten by 10 and 11, which are in their slots.
    let update = PriorityUpdate { ids: vec![0, 2], priorities: vec![99.0, 5.5] };
    assert_eq!(replay.update_priorities(&update).unwrap(), 1);
    assert_eq!(replay.stale_priorities(), 1);
    assert_eq!((priority(&replay, 0), priority(&replay, 2)), (4.0, 6.0));
    replay.check_valid().unwrap();
}

#[test]
fn of_two_values_for_an_id_the_later_one_stays() {
    let mut replay = four(1.0);
    let update = PriorityUpdate { ids: vec![2, 2], priorities: vec![8.5, 1.5] };
    replay.update_priorities(&update).unwrap();
    assert_eq!(priority(&replay, 2), 2.0);
}

#[test]
fn bad_updates_change_nothing() {
    let cases = [
        (
            vec![0, 4],
            vec![9.0, f32::NAN],
            "the priority of transition 4 is NaN, allowed: finite numbers",
        ),
        (
            vec![0, 4],
            vec![9.0, f32::INFINITY],
            "the priority of transition 4 is inf, allowed: finite numbers",
        ),
        (vec![0, 4], vec![9.0], "cannot update priorities: 2 ids and 1 priorities"),
        (
            vec![0, 8],
            vec![9.0, 1.0],
            "cannot update priorities: there is no transition 8 yet, ids end before 8",
        ),
    ];
    for (ids, priorities, sentence) in cases {
        let mut replay = four(1.0);
        let error = replay.update_priorities(&PriorityUpdate { ids, priorities }).unwrap_err();
        assert_eq!(error.to_string(), format!("replay: {sentence}"));
        assert_eq!(priority(&replay, 0), 1.0);
    }
    let mut rng = SeedStream::root(0).rng();
    assert_eq!(
        four(1.0).sample(1, 1.5, &mut rng).unwrap_err().to_string(),
        "replay: importance_exponent is 1.5, allowed: 0 to 1"
    );
}

#[test]
fn uniform_sampling_checks_and_forgets_priorities() {
    let mut replay = replay(&small_config(10, 1, 1));
    replay.insert(&block(&[end(0, 0)], &[1])).unwrap();
    let good = PriorityUpdate { ids: vec![0], priorities: vec![1.0] };
    assert_eq!(replay.update_priorities(&good).unwrap(), 0);
    let bad = PriorityUpdate { ids: vec![0], priorities: vec![f32::NAN] };
    assert!(replay.update_priorities(&bad).is_err());
}
