//! An episode in, the exact segments out.

use super::*;

/// (episode, index, steps of its observations, outcome, episode return) of each segment.
type Row = (u64, u32, Vec<u32>, Outcome, Option<f32>);

fn rows(segments: &[Segment]) -> Vec<Row> {
    let row = |segment: &Segment| {
        let ObsBuffer::F32(obs) = &segment.obs else { panic!("floats") };
        assert!(obs.chunks(3).all(|obs| obs[1] == segment.episode as f32), "{obs:?}");
        let steps: Vec<u32> = obs.chunks(3).map(|obs| obs[2] as u32).collect();
        let ActionBatch::Discrete(actions) = &segment.actions else { panic!("indices") };
        let acted = steps[..steps.len() - 1].iter().map(|step| i64::from(*step));
        assert_eq!(*actions, acted.collect::<Vec<_>>());
        assert_eq!(segment.rewards, vec![1.0; actions.len()]);
        assert_eq!(segment.time_env_steps, 100 + u64::from(steps[0]));
        assert_eq!(segment.context, [segment.episode as f32]);
        (segment.episode, segment.index, steps, segment.outcome, segment.episode_return)
    };
    segments.iter().map(row).collect()
}

#[test]
fn segments_of_four_by_hand() {
    let mut builder = SegmentBuilder::new(&config(4, 1), 7);
    let mut cut = |len, end| rows(&episode(&mut builder, 0, (len, end)));
    // 10 = 4 + 4 + 2: the tail is short.
    let expected = [
        (0, 0, vec![0, 1, 2, 3, 4], Continue, None),
        (0, 1, vec![4, 5, 6, 7, 8], Continue, None),
        (0, 2, vec![8, 9, 10], Terminated, Some(10.0)),
    ];
    assert_eq!(cut(10, Terminated), expected);
    // 4 is one full segment, and no empty one follows.
    assert_eq!(cut(4, Truncated), [(1, 0, vec![0, 1, 2, 3, 4], Truncated, Some(4.0))]);
    assert_eq!(cut(1, Terminated), [(2, 0, vec![0, 1], Terminated, Some(1.0))]);
    let expected =
        [(3, 0, vec![0, 1, 2, 3, 4], Continue, None), (3, 1, vec![4, 5], Truncated, Some(5.0))];
    assert_eq!(cut(5, Truncated), expected);
}

#[test]
fn a_broken_episode_loses_its_unfinished_segment() {
    let mut builder = SegmentBuilder::new(&config(4, 1), 7);
    let broken = rows(&episode(&mut builder, 0, (6, Continue)));
    assert_eq!(broken, [(0, 0, vec![0, 1, 2, 3, 4], Continue, None)]);
    builder.break_off();
    let next = rows(&episode(&mut builder, 1, (2, Terminated)));
    assert_eq!(next, [(1, 0, vec![0, 1, 2], Terminated, Some(2.0))]);
}

#[test]
fn resumes_in_the_middle_of_a_segment() {
    let mut whole = SegmentBuilder::new(&config(4, 1), 7);
    episode(&mut whole, 0, (6, Continue));
    let json = serde_json::to_string(&whole).unwrap();
    let mut restored: SegmentBuilder = serde_json::from_str(&json).unwrap();
    let expected = episode(&mut whole, 0, (3, Terminated));
    assert_eq!(episode(&mut restored, 0, (3, Terminated)), expected);
    assert_eq!(expected.iter().map(|s| s.rewards.len()).collect::<Vec<_>>(), [4, 1]);
}

#[test]
#[should_panic(expected = "subspace in the middle of an episode")]
fn another_subspace_in_an_episode_is_a_bug() {
    let mut builder = SegmentBuilder::new(&config(4, 2), 7);
    episode(&mut builder, 0, (6, Continue));
    episode(&mut builder, 1, (1, Continue));
}

#[test]
fn segments_that_do_not_fit_are_refused_with_a_sentence() {
    let config = config(4, 2);
    let good = || segment(&config, 1, 0);
    let cases = [
        (Segment { subspace: 2, ..good() }, "its subspace is 2, allowed 0 to 1"),
        (Segment { rewards: vec![], ..good() }, "it has 0 env steps, allowed 1 to 4"),
        (Segment { rewards: vec![0.0; 5], ..good() }, "it has 5 env steps, allowed 1 to 4"),
        (
            Segment { rewards: vec![0.0; 3], ..good() },
            "it has 3 env steps and its episode goes on, expected 4",
        ),
        (
            Segment { obs: ObsBuffer::F32(vec![0.0; 12]), ..good() },
            "obs is F32 with 12 elements, expected 5 observations of F32[3]",
        ),
        (
            Segment { actions: ActionBatch::Discrete(vec![0, 0, 0, 1000]), ..good() },
            "its actions are not 4 of Discrete(1000): 0 to 999",
        ),
        (Segment { context: vec![], ..good() }, "it has 0 context values, expected 1"),
        (
            Segment { rewards: vec![0.0, f32::NAN, 0.0, 0.0], ..good() },
            "a reward, context value, surprise or return is NaN",
        ),
        (
            Segment { rewards: vec![3e38; 4], ..good() },
            "a reward, context value, surprise or return is inf",
        ),
    ];
    let mut rng = SeedStream::root(0).rng();
    for (segment, sentence) in cases {
        let mut memory = memory(&config);
        let error = memory.insert(&segment, &mut rng).unwrap_err().to_string();
        assert_eq!(error, format!("memory: cannot insert: {sentence}"));
        assert_eq!((memory.len(), memory.seen(1)), (0, 0));
    }
    let mut memory = memory(&config);
    memory.insert(&good(), &mut rng).unwrap().unwrap();
    let again = memory.insert(&good(), &mut rng).unwrap_err().to_string();
    let sentence = "segment 0 of episode 0 of stream 0 is stored already";
    assert_eq!(again, format!("memory: cannot insert: {sentence}"));
}
