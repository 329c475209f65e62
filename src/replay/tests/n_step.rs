//! A trajectory in, the exact transitions out. Gamma is 1/2 everywhere, observation `k` of a
//! trajectory is the number `first + k`, and the action from it is its negative.

use crate::message::{TransitionBlock, TransitionRow};
use crate::replay::{NStepAccumulator, NStepConfig, OneStep};
use contrail_agents::ActionBatch;
use contrail_envs::Outcome::{self, Continue, Terminated, Truncated};
use contrail_envs::{Action, ActionSpace, ObsBuffer, ObsRef, ObsSpace};

const STREAM: u32 = 7;

fn config(n_step: usize) -> NStepConfig {
    NStepConfig {
        n_step,
        gamma: 0.5,
        obs: ObsSpace::f32(&[1], -1e9, 1e9),
        action: ActionSpace::Box { low: vec![-1e9], high: vec![1e9] },
        context_len: 2,
    }
}

/// Rewards of one episode, how it ended, and the number of its first observation, which is also
/// its subspace and its first context value; the second is 0.1.
type Episode<'a> = (&'a [f32], Outcome, u8);

/// (obs, return, discount, span) of one row.
type Row = (u8, f32, f32, u32);

/// What each env step appended: rows, then whether the episode ended with them.
fn run(accumulator: &mut NStepAccumulator, episodes: &[Episode<'_>]) -> Vec<TransitionBlock> {
    let mut blocks = Vec::new();
    for (rewards, outcome, first) in episodes {
        for (k, reward) in rewards.iter().enumerate() {
            let obs = f32::from(*first) + k as f32;
            let mut block = config(accumulator_n(accumulator)).new_block(1);
            let last = k + 1 == rewards.len();
            accumulator.push(
                OneStep {
                    obs: ObsRef::F32(&[obs]),
                    action: Action::Box(&[-obs]),
                    reward: *reward,
                    outcome: if last { *outcome } else { Continue },
                    next_obs: ObsRef::F32(&[obs + 1.0]),
                    subspace: u32::from(*first),
                    context: &[f64::from(*first), 0.1],
                },
                &mut block,
            );
            blocks.push(block);
        }
    }
    blocks
}

fn accumulator_n(accumulator: &NStepAccumulator) -> usize {
    accumulator.discounts.len() - 1
}

/// The block of one env step: `rows`, and `final_obs` if the episode ended with it.
fn expected(subspace: u8, rows: &[Row], final_obs: Option<f32>) -> TransitionBlock {
    let last = rows.len().wrapping_sub(1);
    TransitionBlock {
        broken_off: Vec::new(),
        rows: rows
            .iter()
            .enumerate()
            .map(|(index, (_, n_step_return, discount, span))| TransitionRow {
                stream: STREAM,
                subspace: u32::from(subspace),
                n_step_return: *n_step_return,
                discount: *discount,
                span: *span,
                ends_trajectory: index == last && final_obs.is_some(),
            })
            .collect(),
        obs: ObsBuffer::F32(rows.iter().map(|row| f32::from(row.0)).collect()),
        actions: ActionBatch::Box(rows.iter().map(|row| -f32::from(row.0)).collect()),
        contexts: rows.iter().flat_map(|_| [f32::from(subspace), 0.1]).collect(),
        final_obs: ObsBuffer::F32(final_obs.into_iter().collect()),
        segments: Vec::new(),
    }
}

fn check(n: usize, episodes: &[Episode<'_>], blocks: &[TransitionBlock]) {
    let mut accumulator = NStepAccumulator::new(&config(n), STREAM).unwrap();
    assert_eq!(run(&mut accumulator, episodes), blocks, "n = {n}, {episodes:?}");
}

#[test]
fn one_step() {
    for (outcome, discount) in [(Terminated, 0.0), (Truncated, 0.5)] {
        check(
            1,
            &[(&[1.0, 2.0, 4.0], outcome, 20)],
            &[
                expected(20, &[(20, 1.0, 0.5, 1)], None),
                expected(20, &[(21, 2.0, 0.5, 1)], None),
                expected(20, &[(22, 4.0, discount, 1)], Some(23.0)),
            ],
        );
    }
}

#[test]
fn three_steps_terminated() {
    check(
        3,
        &[(&[1.0, 2.0, 4.0, 8.0, 16.0], Terminated, 20)],
        &[
            expected(20, &[], None),
            expected(20, &[], None),
            expected(20, &[(20, 3.0, 0.125, 3)], None), // 1 + 2/2 + 4/4
            expected(20, &[(21, 6.0, 0.125, 3)], None), // 2 + 4/2 + 8/4
            expected(
                20,
                &[
                    (22, 12.0, 0.0, 3), // 4 + 8/2 + 16/4
                    (23, 16.0, 0.0, 2), // 8 + 16/2
                    (24, 16.0, 0.0, 1),
                ],
                Some(25.0),
            ),
        ],
    );
}

#[test]
fn three_steps_truncated() {
    check(
        3,
        &[(&[1.0, 2.0, 4.0, 8.0], Truncated, 20)],
        &[
            expected(20, &[], None),
            expected(20, &[], None),
            expected(20, &[(20, 3.0, 0.125, 3)], None),
            expected(20, &[(21, 6.0, 0.125, 3), (22, 8.0, 0.25, 2), (23, 8.0, 0.5, 1)], Some(24.0)),
        ],
    );
}

#[test]
fn window_longer_than_the_episode() {
    for (outcome, discounts) in [(Terminated, [0.0; 2]), (Truncated, [0.25, 0.5])] {
        check(
            5,
            &[(&[1.0, 2.0], outcome, 20)],
            &[
                expected(20, &[], None),
                expected(20, &[(20, 2.0, discounts[0], 2), (21, 2.0, discounts[1], 1)], Some(22.0)),
            ],
        );
    }
    check(3, &[(&[9.0], Terminated, 20)], &[expected(20, &[(20, 9.0, 0.0, 1)], Some(21.0))]);
}

#[test]
fn no_window_crosses_an_episode() {
    check(
        3,
        &[
            (&[1.0, 2.0], Truncated, 20),
            (&[100.0, 200.0, 400.0], Terminated, 50),
            (&[7.0], Truncated, 90),
        ],
        &[
            expected(20, &[], None),
            expected(20, &[(20, 2.0, 0.25, 2), (21, 2.0, 0.5, 1)], Some(22.0)),
            expected(50, &[], None),
            expected(50, &[], None),
            expected(
                50,
                &[(50, 300.0, 0.0, 3), (51, 400.0, 0.0, 2), (52, 400.0, 0.0, 1)],
                Some(53.0),
            ),
            expected(90, &[(90, 7.0, 0.5, 1)], Some(91.0)),
        ],
    );
}

#[test]
fn resumes_in_the_middle_of_an_episode() {
    let mut whole = NStepAccumulator::new(&config(3), STREAM).unwrap();
    let mut saved = whole.clone();
    let episodes: [Episode<'_>; 2] =
        [(&[1.0, 2.0, 4.0, 8.0], Continue, 20), (&[16.0, 32.0], Terminated, 20)];
    let uninterrupted = run(&mut whole, &episodes);
    run(&mut saved, &episodes[..1]);
    let json = serde_json::to_string(&saved).unwrap();
    let mut restored: NStepAccumulator = serde_json::from_str(&json).unwrap();
    assert_eq!(run(&mut restored, &episodes[1..]), uninterrupted[4..]);
}

#[test]
fn a_block_is_filled_again_without_growing() {
    let config = config(4);
    let mut accumulators = [0, 1].map(|stream| NStepAccumulator::new(&config, stream).unwrap());
    let mut block = config.new_block(2);
    let capacities = |block: &TransitionBlock| {
        let (ObsBuffer::F32(obs), ObsBuffer::F32(last)) = (&block.obs, &block.final_obs) else {
            panic!("the config asks for floats");
        };
        (block.rows.capacity(), obs.capacity(), last.capacity())
    };
    let before = capacities(&block);
    for k in 0..8 {
        block.clear();
        for accumulator in &mut accumulators {
            let outcome = if k % 4 == 3 { Truncated } else { Continue };
            let (obs, action, next_obs) =
                (ObsRef::F32(&[0.0]), Action::Box(&[0.0]), ObsRef::F32(&[1.0]));
            let (subspace, context) = (0, &[0.0; 2][..]);
            let step = OneStep { obs, action, reward: 1.0, outcome, next_obs, subspace, context };
            accumulator.push(step, &mut block);
        }
        assert_eq!(block.rows.len(), if k % 4 == 3 { 8 } else { 0 });
    }
    assert_eq!(capacities(&block), before);
}

#[test]
fn refuses_a_bad_config() {
    let refusal = |n_step, gamma| {
        let config = NStepConfig { gamma, ..config(n_step) };
        NStepAccumulator::new(&config, 0).unwrap_err().to_string()
    };
    assert_eq!(refusal(0, 0.9), "replay: n_step is 0, allowed: at least 1 env step");
    assert_eq!(refusal(1, 1.1), "replay: gamma is 1.1, allowed: 0 to 1");
    assert_eq!(refusal(1, f64::NAN), "replay: gamma is NaN, allowed: 0 to 1");
}

fn push_one(accumulator: &mut NStepAccumulator, next_obs: ObsRef<'_>, context: &[f64]) {
    let step = OneStep {
        obs: ObsRef::F32(&[0.0]),
        action: Action::Box(&[0.0]),
        reward: 0.0,
        outcome: Continue,
        next_obs,
        subspace: 0,
        context,
    };
    accumulator.push(step, &mut config(2).new_block(1));
}

#[test]
#[should_panic(expected = "dtype of next_obs")]
fn another_dtype_is_a_bug() {
    let mut accumulator = NStepAccumulator::new(&config(2), 0).unwrap();
    push_one(&mut accumulator, ObsRef::U8(&[0]), &[0.0; 2]);
}

#[test]
#[should_panic(expected = "context value 0.5 became 0.25 in the middle of an episode")]
fn another_context_in_an_episode_is_a_bug() {
    let mut accumulator = NStepAccumulator::new(&config(2), 0).unwrap();
    push_one(&mut accumulator, ObsRef::F32(&[0.0]), &[0.0, 0.5]);
    push_one(&mut accumulator, ObsRef::F32(&[0.0]), &[0.0, 0.25]);
}
