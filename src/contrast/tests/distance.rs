//! Distances of two segments, and weights, by hand.

use super::*;
use crate::contrast::positives::weighted;
use crate::contrast::table::{Metric, Spot, Table};
use crate::memory::Place;

const DISTANCE: DistanceConfig = DistanceConfig {
    horizon_env_steps: 2,
    gamma: 0.5,
    reward_coefficient: 2.0,
    behavior: BehaviorOf::Teacher,
    after_end: AfterEnd::Unlike,
    width: 0.5,
};

/// Segments of two env steps: rewards and action readings of each, and how they end.
type Row = ([f32; 2], [[u8; 2]; 3], Outcome);

/// Distances of position `at[0]` of the first from position `at[1]` of the second, which follows
/// in the same episode as the first, or is of another.
fn distances(first: Row, second: Row, action: &ActionSpace, at: &[[usize; 2]]) -> Vec<Option<f64>> {
    distances_by(&DISTANCE, [[0; 2]; 2], (first, second), action, at)
}

/// The same by a config of its own and with the discrete actions of each.
fn distances_by(
    config_of: &DistanceConfig,
    actions: [[i64; 2]; 2],
    (first, second): (Row, Row),
    action: &ActionSpace,
    at: &[[usize; 2]],
) -> Vec<Option<f64>> {
    let mut config = config();
    config.memory.horizon_env_steps = 2;
    config.memory.readings_len = 2;
    config.memory.action = action.clone();
    let (mut contrasts, mut rng) = (contrasts(&config), rng(0));
    let ids =
        [first, second].into_iter().zip([0, 1]).map(|((rewards, policies, outcome), number)| {
            let new = Segment {
                rewards: rewards.to_vec(),
                actions: match action {
                    ActionSpace::Discrete(_) => {
                        ActionBatch::Discrete(actions[number as usize].to_vec())
                    }
                    ActionSpace::Box { .. } => ActionBatch::Box(vec![0.0; 4]),
                },
                ..segment(0, number, (0, 2), outcome)
            };
            let id = contrasts.insert(&new, &mut rng).unwrap().unwrap();
            let readings = (&[0; 6][..], policies.as_flattened());
            assert!(contrasts.stores.memory.set_readings(id, 1, readings).unwrap());
            id
        });
    let ids: Vec<_> = ids.collect();
    let metric = Metric::new(config_of, action, 2);
    let table = |segment: usize, position| {
        let place = Place { segment: ids[segment], position };
        let mut table = Table::new(codes());
        let spot = Spot::of(&contrasts.stores, Store::Memory, place).unwrap();
        table.push(&contrasts.stores, spot, Some(&metric));
        table
    };
    let distance = |[a, b]: &[usize; 2]| table(0, *a).distance(0, (&table(1, *b), 0), &metric);
    at.iter().map(distance).collect()
}

fn are(found: &[Option<f64>], expected: &[f64]) {
    let close = |(found, expected): (&Option<f64>, &f64)| {
        found.is_some_and(|found| (found - expected).abs() < 1e-9)
    };
    let all = found.len() == expected.len() && found.iter().zip(expected).all(close);
    assert!(all, "{found:?}, expected {expected:?}");
}

#[test]
fn two_segments_by_hand() {
    let discrete = ActionSpace::Discrete(2);
    let x = ([1.0, 0.0], [[255, 0], [0, 255], [255, 0]], Continue);
    let y = ([1.0, 3.0], [[0, 255], [0, 255], [204, 51]], Continue);
    let found = distances(x, y, &discrete, &[[0, 0], [1, 1], [0, 1], [2, 2]]);
    let expected = [
        1.0 + 0.5 * (0.0 + 2.0 * 3.0),
        // Of two rewards the first is known, |0 - 3|: it stands for 1 + 0.5.
        0.5 * 0.2 + 2.0 * 3.0 * 1.5,
        // x over two steps, y from its second: (255, 0) and (0, 255), then (0, 255) and (204, 51).
        1.0 + 0.5 * 0.8 + 2.0 * 2.0 * 1.5,
        // Action readings alone, of one step for two.
        0.2 * 1.5,
    ];
    are(&found, &expected);
}

#[test]
fn an_ended_episode_is_unlike_one_that_goes_on_by_hand() {
    let discrete = ActionSpace::Discrete(2);
    let same = [[255, 0]; 3];
    let (x, y) = (([0.0, 1.0], same, Terminated), ([0.0, 1.0], same, Continue));
    let found = distances(x, y, &discrete, &[[0, 0], [1, 1], [2, 2]]);
    // After position 1 of x there is nothing; y goes on, with an unknown reward. At position 2 x is
    // over: unlike in the one step that is known of y, which stands for both.
    are(&found, &[0.0, 0.5 * 1.0, 1.5]);
    let z = ([0.0, 1.0], [[0, 255]; 3], Terminated);
    let found = distances(x, z, &discrete, &[[0, 0], [1, 1], [2, 2], [0, 1]]);
    // Both over is alike, whatever is read in final observations. From x 0 and z 1: unlike
    // policies, then over against not; rewards 0 and 1, then 1 and 0.
    are(&found, &[1.5, 1.0, 0.0, 1.5 + 2.0 * (1.0 + 0.5)]);
    let cut = ([0.0, 1.0], same, Outcome::Truncated);
    are(&distances(cut, y, &discrete, &[[1, 1]]), &[0.0]);
}

/// One ends after two env steps, the other goes on.
#[test]
fn an_ended_episode_that_stays_acts_as_it_did_last_by_hand() {
    let discrete = ActionSpace::Discrete(2);
    let stays = DistanceConfig { after_end: AfterEnd::Stays, ..DISTANCE };
    let (left, right) = ([255, 0], [0, 255]);
    let x = ([0.0; 2], [left, right, left], Terminated);
    let y = ([0.0; 2], [left, right, right], Continue);
    let at = [[0, 0], [1, 1], [1, 2], [0, 1], [2, 2]];
    let found = distances_by(&stays, [[0; 2]; 2], (x, y), &discrete, &at);
    // From position 1 on x goes right for ever, whatever is read where it is over, as y does. At
    // position 2 of x nobody acts.
    assert_eq!(found, [Some(0.0), Some(0.0), Some(0.0), Some(1.0), None]);
    // What was cut off does not stay: where it was cut the teacher read left, and y goes right.
    let cut = ([0.0; 2], [left, right, left], Outcome::Truncated);
    are(&distances_by(&stays, [[0; 2]; 2], (cut, y), &discrete, &[[1, 1]]), &[0.5]);
    // Rewards end: of x none follows, and y had 3.
    let z = ([0.0, 3.0], [right; 3], Terminated);
    are(&distances_by(&stays, [[0; 2]; 2], (x, z), &discrete, &[[1, 0]]), &[0.5 * 2.0 * 3.0]);
}

#[test]
fn the_actor_s_behavior_is_its_actions_by_hand() {
    let discrete = ActionSpace::Discrete(2);
    let actor = DistanceConfig { behavior: BehaviorOf::Actor, ..DISTANCE };
    // The teacher reads the same of both.
    let x = ([0.0; 2], [[255, 0]; 3], Continue);
    let at = [[0, 0], [1, 1], [0, 1], [2, 2]];
    let found = distances_by(&actor, [[0, 1], [0, 0]], (x, x), &discrete, &at);
    // 0 and 1 against 0 and 0; then 1 against 0, one known step of two; 0 against 0; no action.
    assert_eq!(found, [Some(0.5), Some(1.5), Some(0.0), None]);
}

#[test]
fn continuous_actions_differ_by_their_share_of_the_bounds() {
    let space = ActionSpace::Box { low: vec![-1.0; 2], high: vec![1.0; 2] };
    let x = ([0.0; 2], [[255, 0], [51, 0], [0, 0]], Continue);
    let y = ([0.0; 2], [[0, 0], [0, 0], [0, 0]], Continue);
    // Half of the dimensions differ wholly, then by a fifth.
    are(&distances(x, y, &space, &[[0, 0]]), &[0.5 + 0.5 * 0.1]);
}

#[test]
fn distances_go_on_in_the_next_segment_and_need_readings() {
    let mut contrasts = filled(&config(), 2);
    let metric = Metric::new(
        &DistanceConfig { horizon_env_steps: 4, gamma: 1.0, ..DISTANCE },
        &ActionSpace::Discrete(3),
        3,
    );
    let table = |contrasts: &Contrasts, episode, index, position| {
        let segment = contrasts.memory().find((0, episode), index).unwrap();
        let spot = Spot::of(&contrasts.stores, Store::Memory, Place { segment, position }).unwrap();
        let mut table = Table::new(codes());
        table.push(&contrasts.stores, spot, Some(&metric));
        table
    };
    let (a, b) = (table(&contrasts, 0, 0, 2), table(&contrasts, 1, 0, 3));
    assert_eq!(a.distance(0, (&b, 0), &metric), None);
    // The teacher acts by the number of the step: from 2 and 3 on, it differs at 2 (0 and 1 are
    // "a", 3 and later "c").
    read_all(&mut contrasts, 1, |obs| {
        let action = if obs[1] < 3.0 { 0 } else { 2 };
        let mut policy = [0; 3];
        policy[action] = 255;
        ([0; 2], policy)
    });
    let (a, b) = (table(&contrasts, 0, 0, 2), table(&contrasts, 1, 0, 3));
    assert_eq!(a.distance(0, (&b, 0), &metric), Some(1.0));
    // From 7 and 8: three steps of each episode are left of 10, and two: one step over against not.
    let (a, b) = (table(&contrasts, 0, 1, 3), table(&contrasts, 1, 2, 0));
    assert_eq!(a.distance(0, (&b, 0), &metric), Some(1.0 + 2.0 * 1.0));
}

#[test]
fn weights_by_hand() {
    let contrasts = filled(&config(), 2);
    let segment = contrasts.memory().find((0, 0), 0).unwrap();
    let spot = Spot::of(&contrasts.stores, Store::Memory, Place { segment, position: 0 }).unwrap();
    let ln2 = std::f64::consts::LN_2;
    // exp(-d / 0.5): 1, 1/2 and 1/4 of the first.
    let found = weighted(&[(0.1, spot), (0.1 + ln2 / 2.0, spot), (0.1 + ln2, spot)], 0.5);
    let weights: Vec<f32> = found.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights.len(), 3);
    for (found, expected) in weights.iter().zip([4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0]) {
        assert!((found - expected).abs() < 1e-6, "{weights:?}");
    }
    assert!(weighted(&[], 0.5).is_empty());
}
