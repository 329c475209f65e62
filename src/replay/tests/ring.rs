//! What is stored, linked, overwritten and refused.

use super::*;
use crate::replay::ReplayError;
use contrail_envs::SeedStream;

#[test]
fn one_stream_by_hand() {
    let mut replay = replay(&small_config(6, 1, 1));
    // slots: 0 1 _ _ _ _
    replay.insert(&block(&[row(0, 0, 1), row(0, 1, 1)], &[])).unwrap();
    assert_eq!(pairs(&mut replay), [(0, 1)]); // 1 waits for its successor
    // slots: 0 1 2 3f _ _, where f marks a final observation
    replay.insert(&block(&[end(0, 2)], &[3])).unwrap();
    assert_eq!(pairs(&mut replay), [(0, 1), (1, 2), (2, 3)]);
    // slots: 12f 1 2 3f 10 11: transition 0 is overwritten
    replay.insert(&block(&[row(0, 10, 1), end(0, 11)], &[12])).unwrap();
    assert_eq!(pairs(&mut replay), [(1, 2), (2, 3), (10, 11), (11, 12)]);
    // slots: 12f 20 21 3f 10 11
    replay.insert(&block(&[row(0, 20, 1), row(0, 21, 1)], &[])).unwrap();
    assert_eq!(pairs(&mut replay), [(10, 11), (11, 12), (20, 21)]);
    assert_eq!((replay.len(), replay.capacity(), replay.inserted()), (3, 6, 7));
    assert_eq!(replay.dropped_waiting(), 0);
    replay.check_valid().unwrap();
}

#[test]
fn windows_of_three_by_hand() {
    // One episode of 5 env steps, all windows end at the next-but-two observation or the last.
    let mut replay = replay(&small_config(20, 1, 3));
    replay.insert(&block(&[row(0, 0, 3), row(0, 1, 3), row(0, 2, 3)], &[])).unwrap();
    assert_eq!(pairs(&mut replay), []);
    replay.insert(&block(&[row(0, 3, 2)], &[])).unwrap();
    assert_eq!(pairs(&mut replay), [(0, 3)]);
    replay.insert(&block(&[end(0, 4)], &[5])).unwrap();
    assert_eq!(pairs(&mut replay), [(0, 3), (1, 4), (2, 5), (3, 5), (4, 5)]);
}

#[test]
fn streams_are_linked_apart() {
    let mut replay = replay(&small_config(20, 3, 1));
    let rows = [row(2, 100, 1), row(0, 0, 1), end(2, 101), row(0, 1, 1), end(1, 50), row(0, 2, 1)];
    replay.insert(&block(&rows, &[102, 51])).unwrap();
    assert_eq!(pairs(&mut replay), [(100, 101), (0, 1), (101, 102), (1, 2), (50, 51)]);
}

#[test]
fn a_slow_stream_loses_what_is_overwritten_while_it_waits() {
    let mut replay = replay(&small_config(6, 2, 1));
    replay.insert(&block(&[row(1, 200, 1)], &[])).unwrap(); // slot 0
    for obs in 0..5 {
        replay.insert(&block(&[row(0, obs, 1)], &[])).unwrap(); // slots 1 to 5
    }
    assert_eq!(replay.dropped_waiting(), 0);
    replay.insert(&block(&[row(0, 5, 1)], &[])).unwrap(); // slot 0 again
    assert_eq!(replay.dropped_waiting(), 1);
    replay.check_valid().unwrap();
    // The successor of 200 arrives too late, in the slot of 0; from there the stream goes on.
    replay.insert(&block(&[row(1, 201, 1), row(1, 202, 1)], &[])).unwrap();
    assert_eq!(pairs(&mut replay), [(2, 3), (3, 4), (4, 5), (201, 202)]);
    assert_eq!(replay.dropped_waiting(), 1);
}

#[test]
fn a_successor_may_take_the_very_slot_of_its_transition() {
    let mut replay = replay(&small_config(6, 2, 1));
    replay.insert(&block(&[row(1, 200, 1)], &[])).unwrap();
    for obs in 0..5 {
        replay.insert(&block(&[row(0, obs, 1)], &[])).unwrap();
    }
    replay.insert(&block(&[row(1, 201, 1)], &[])).unwrap();
    assert_eq!(replay.dropped_waiting(), 1);
    assert_eq!(pairs(&mut replay), [(0, 1), (1, 2), (2, 3), (3, 4)]);
    replay.check_valid().unwrap();
}

#[test]
fn broken_off_trajectories_are_not_linked_to_what_follows() {
    let mut replay = replay(&small_config(20, 2, 2));
    replay.insert(&block(&[row(0, 0, 2), row(0, 1, 2), row(0, 2, 2), row(1, 50, 2)], &[])).unwrap();
    let next = block(&[row(0, 10, 2), end(0, 11), row(1, 51, 1), end(1, 60)], &[12, 61]);
    replay.insert(&TransitionBlock { broken_off: vec![0], ..next }).unwrap();
    assert_eq!(replay.dropped_waiting(), 2); // 1 and 2; stream 1 goes on
    replay.check_valid().unwrap();
    assert_eq!(pairs(&mut replay), [(0, 2), (50, 60), (10, 12), (11, 12), (51, 60), (60, 61)]);
}

#[test]
fn every_field_comes_out_with_its_transition() {
    let config = ReplayConfig {
        obs: ObsSpace::f32(&[2], -1e9, 1e9),
        action: ActionSpace::Box { low: vec![-1e9; 3], high: vec![1e9; 3] },
        context_len: 2,
        ..small_config(12, 2, 1)
    };
    let mut replay = replay(&config);
    let mut rows: Vec<_> = [row(0, 1, 1), end(1, 2), end(0, 3)].map(|(row, _)| row).into();
    (rows[1].discount, rows[1].subspace) = (0.0, 77);
    let block = TransitionBlock {
        broken_off: Vec::new(),
        rows,
        obs: ObsBuffer::F32(vec![1.0, 1.5, 2.0, 2.5, 3.0, 3.5]),
        actions: ActionBatch::Box(vec![1.0, 1.1, 1.2, 2.0, 2.1, 2.2, 3.0, 3.1, 3.2]),
        contexts: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        final_obs: ObsBuffer::F32(vec![20.0, 20.5, 30.0, 30.5]),
        segments: Vec::new(),
    };
    replay.insert(&block).unwrap();
    let mut rng = SeedStream::root(1).rng();
    let batch = replay.sample(60, 0.4, &mut rng).unwrap();
    let minibatch = &batch.minibatch;
    let (ObsBatch::F32(obs), ObsBatch::F32(next)) = (&minibatch.obs, &minibatch.next_obs) else {
        panic!("float observations came out as bytes");
    };
    let ActionBatch::Box(actions) = &minibatch.actions else { panic!("box actions") };
    let mut seen = [0; 3];
    for b in 0..60 {
        // id, obs, action, return, discount, next_obs, subspace, context
        let expected = match batch.ids[b] {
            0 => ([1.0, 1.5], [1.0, 1.1, 1.2], 1.0, 0.5, [3.0, 3.5], 10, [0.1, 0.2]),
            1 => ([2.0, 2.5], [2.0, 2.1, 2.2], 2.0, 0.0, [20.0, 20.5], 77, [0.3, 0.4]),
            3 => ([3.0, 3.5], [3.0, 3.1, 3.2], 3.0, 0.5, [30.0, 30.5], 10, [0.5, 0.6]),
            id => panic!("id {id} has no transition"),
        };
        seen[[0, 1, 3].iter().position(|id| *id == batch.ids[b]).unwrap()] += 1;
        assert_eq!(obs[2 * b..2 * b + 2], expected.0);
        assert_eq!(actions[3 * b..3 * b + 3], expected.1);
        assert_eq!((minibatch.n_step_return[b], minibatch.discount[b]), (expected.2, expected.3));
        assert_eq!(next[2 * b..2 * b + 2], expected.4);
        assert_eq!(batch.contexts[2 * b..2 * b + 2], expected.6);
        assert_eq!((batch.subspaces[b], minibatch.weights[b]), (expected.5, 1.0));
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn uniform_means_equally_often() {
    // 4 sampleable transitions among 8 written slots.
    let mut replay = replay(&small_config(50, 1, 1));
    for obs in [0, 10, 20, 30] {
        replay.insert(&block(&[end(0, obs)], &[obs + 1])).unwrap();
    }
    let mut rng = SeedStream::root(3).rng();
    let ids = replay.sample(40_000, 0.0, &mut rng).unwrap().ids;
    for id in [0, 2, 4, 6] {
        let count = ids.iter().filter(|drawn| **drawn == id).count();
        // 10,000 expected, standard deviation 87
        assert!((9_650..10_350).contains(&count), "id {id}: {count}");
    }
}

#[test]
fn bad_rows_are_refused_with_a_sentence() {
    let mut ends_with_span_2 = end(0, 1);
    ends_with_span_2.0.span = 2;
    let (mut nan, mut negative) = (row(0, 1, 1), row(0, 1, 1));
    (nan.0.n_step_return, negative.0.discount) = (f32::NAN, -0.5);
    let with_action = |action| TransitionBlock {
        actions: ActionBatch::Discrete(vec![action]),
        ..block(&[row(0, 1, 1)], &[])
    };
    let shrinks_by_2 = block(&[row(0, 1, 3), row(0, 2, 1)], &[]);
    refused(&[
        (block(&[row(2, 1, 1)], &[]), "row 0 of stream 2 has stream 2, allowed 0 to 1"),
        (block(&[row(0, 1, 0)], &[]), "row 0 of stream 0 has span 0, allowed 1 to 3"),
        (block(&[row(0, 1, 4)], &[]), "row 0 of stream 0 has span 4, allowed 1 to 3"),
        (shrinks_by_2, "row 1 of stream 0 has span 1, allowed 2 to 3"),
        (
            block(&[ends_with_span_2], &[9]),
            "row 0 of stream 0 has span 2, allowed 1 at the end of a trajectory",
        ),
        (block(&[row(0, 1, 3), end(0, 2)], &[9]), "row 1 of stream 0 has span 1, allowed 2 to 3"),
        (block(&[nan], &[]), "row 0 of stream 0 has return NaN, allowed finite numbers"),
        (block(&[negative], &[]), "row 0 of stream 0 has discount -0.5, allowed 0 to 1"),
        (with_action(256), "row 0 of stream 0 has action 256, allowed 0 to 255"),
        (with_action(-1), "row 0 of stream 0 has action -1, allowed 0 to 255"),
    ]);
}

#[test]
fn blocks_of_another_shape_are_refused_with_a_sentence() {
    let one = || block(&[row(0, 1, 1)], &[]);
    let floats = TransitionBlock { obs: ObsBuffer::F32(vec![1.0]), ..one() };
    let boxed = TransitionBlock { actions: ActionBatch::Box(vec![1.0]), ..one() };
    let with_context = TransitionBlock { contexts: vec![1.0], ..one() };
    let no_action = TransitionBlock { actions: ActionBatch::Discrete(vec![]), ..one() };
    refused(&[
        (
            block(&[end(0, 1)], &[]),
            "final_obs is U8 with 0 elements, expected 1 observations of U8[1]",
        ),
        (
            block(&[row(0, 1, 1)], &[9]),
            "final_obs is U8 with 1 elements, expected 0 observations of U8[1]",
        ),
        (with_context, "contexts has 1 values, expected 0: 1 rows of 0"),
        (floats, "obs is F32 with 1 elements, expected 1 observations of U8[1]"),
        (boxed, "1 action floats for 1 rows of Discrete(256): 0 to 255"),
        (no_action, "0 action indices for 1 rows of Discrete(256): 0 to 255"),
    ]);
}

#[test]
fn observations_out_of_bounds_are_refused_and_not_cut() {
    let config = ReplayConfig { obs: ObsSpace::u8(&[1], 10), ..small_config(20, 2, 3) };
    let cases = [
        (block(&[row(0, 1, 1), row(0, 11, 1)], &[]), "obs: element 0 of observation 1 is 11"),
        (block(&[end(0, 1)], &[16]), "final_obs: element 0 of observation 0 is 16"),
    ];
    for (block, sentence) in cases {
        let mut replay = replay(&config);
        let error = replay.insert(&block).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("replay: cannot insert: {sentence}, allowed 0 to 10")
        );
        assert_eq!(replay.inserted(), 0);
    }
}

#[test]
fn packed_observations_come_out_as_bytes() {
    for high in [1, 3, 15, 16] {
        let obs = ObsSpace::u8(&[1], high);
        let mut replay = replay(&ReplayConfig { obs, ..small_config(20, 1, 1) });
        replay.insert(&block(&[row(0, 1, 1), end(0, 0)], &[high])).unwrap();
        assert_eq!(pairs(&mut replay), [(1, 0), (0, high)]);
    }
}

fn refused(cases: &[(TransitionBlock, &str)]) {
    for (block, sentence) in cases {
        let mut replay = replay(&small_config(20, 2, 3));
        let error = replay.insert(block).unwrap_err();
        assert_eq!(error.to_string(), format!("replay: cannot insert: {sentence}"));
        replay.check_valid().unwrap();
    }
}

#[test]
fn an_empty_replay_cannot_be_sampled() {
    let mut replay = replay(&small_config(20, 1, 1));
    let mut rng = SeedStream::root(0).rng();
    assert!(matches!(replay.sample(1, 0.0, &mut rng), Err(ReplayError::Empty { inserted: 0 })));
    replay.insert(&block(&[row(0, 0, 1)], &[])).unwrap();
    assert_eq!(
        replay.sample(1, 0.0, &mut rng).unwrap_err().to_string(),
        "replay: cannot sample: none of the 1 transitions inserted so far is sampleable (a \
         transition is once its next_obs has arrived)"
    );
}
