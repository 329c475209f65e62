//! A restored replay goes on exactly.

use super::*;
use crate::message::{PriorityUpdate, SampledBatch};
use contrail_envs::{Prng, SeedStream};

fn config(sampling: Sampling, capacity: usize) -> ReplayConfig {
    ReplayConfig { sampling, ..small_config(capacity, 2, 3) }
}

const PRIORITIZED: Sampling =
    Sampling::Prioritized { priority_exponent: 0.6, priority_epsilon: 1e-3 };

/// Episodes of 5 env steps on stream 0, of 2 on stream 1; turns `from` to `to`.
fn go_on(replay: &mut Replay, rng: &mut Prng, from: u8, to: u8) -> Vec<SampledBatch> {
    let mut batches = Vec::new();
    for turn in from..to {
        let fast = match turn % 5 {
            3 => row(0, turn, 2),
            4 => end(0, turn),
            _ => row(0, turn, 3),
        };
        let slow = if turn % 2 == 0 { row(1, turn, 2) } else { end(1, turn) };
        let mut finals = Vec::new();
        finals.extend((turn % 5 == 4).then_some(turn + 1));
        finals.extend((turn % 2 == 1).then_some(turn + 1));
        replay.insert(&block(&[fast, slow], &finals)).unwrap();
        if !replay.is_empty() {
            let batch = replay.sample(8, 0.5, rng).unwrap();
            let priorities = batch.ids.iter().map(|id| (id % 7) as f32).collect();
            replay
                .update_priorities(&PriorityUpdate { ids: batch.ids.clone(), priorities })
                .unwrap();
            batches.push(batch);
        }
    }
    batches
}

fn saved(replay: &Replay) -> Vec<u8> {
    let mut bytes = Vec::new();
    replay.save(&mut bytes).unwrap();
    bytes
}

/// In what is saved too, where slots that hold the end of an episode have no action and no context.
#[test]
fn a_cleared_replay_is_as_a_new_one() {
    for sampling in [Sampling::Uniform, PRIORITIZED] {
        let action = ActionSpace::Box { low: vec![-1.0], high: vec![1.0] };
        let config = ReplayConfig { action, context_len: 1, ..small_config(30, 1, 1) };
        let config = ReplayConfig { sampling, ..config };
        let fill = |replay: &mut Replay, from: u8, to: u8| {
            for turn in from..to {
                let last = turn % 3 == 2;
                let row = if last { end(0, turn) } else { row(0, turn, 1) };
                let block = TransitionBlock {
                    actions: ActionBatch::Box(vec![f32::from(turn) / 255.0]),
                    contexts: vec![f32::from(turn)],
                    ..block(&[row], if last { &[0] } else { &[] })
                };
                replay.insert(&block).unwrap();
            }
        };
        let (mut cleared, mut new) = (replay(&config), replay(&config));
        fill(&mut cleared, 1, 60);
        cleared.clear();
        assert!(cleared.is_empty() && cleared.inserted() == 0);
        for replay in [&mut cleared, &mut new] {
            fill(replay, 60, 70);
        }
        assert!(saved(&cleared) == saved(&new), "{sampling:?}");
    }
}

#[test]
fn the_same_samples_follow() {
    // Saved before anything, before and after the ring of 30 slots wrapped, and within episodes.
    for sampling in [Sampling::Uniform, PRIORITIZED] {
        for pause in [0, 1, 7, 23, 48] {
            let mut replay = replay(&config(sampling, 30));
            let mut rng = SeedStream::root(5).rng();
            go_on(&mut replay, &mut rng, 0, pause);
            let bytes = saved(&replay);
            let mut restored = super::replay(&config(sampling, 30));
            let mut other_rng = SeedStream::root(6).rng();
            go_on(&mut restored, &mut other_rng, 0, 13); // what was there before is gone
            let mut input = bytes.as_slice();
            restored.restore(&mut input).unwrap();
            assert!(input.is_empty());
            assert_eq!(saved(&restored), bytes);
            let mut rng_again = rng.clone();
            let expected = go_on(&mut replay, &mut rng, pause, 60);
            assert!(expected.len() >= 12);
            assert_eq!(go_on(&mut restored, &mut rng_again, pause, 60), expected);
            assert_eq!(saved(&restored), saved(&replay));
        }
    }
}

#[test]
fn only_written_slots_are_saved() {
    let mut replay = replay(&config(PRIORITIZED, 10_000));
    let empty = saved(&replay).len();
    replay.insert(&block(&[row(0, 0, 1), row(0, 1, 1)], &[])).unwrap();
    // Two slots of 1 byte of observation, 29 of scalars and 8 of priority; the header has
    // numbers of variable length.
    let grown = saved(&replay).len() - empty;
    assert!((2 * 38..2 * 38 + 16).contains(&grown), "{grown}");
}

#[test]
fn another_config_is_refused_by_name() {
    let uniform = config(Sampling::Uniform, 30);
    let cases = [
        (config(Sampling::Uniform, 31), "its capacity_transitions is 30, this replay's is 31"),
        (ReplayConfig { n_step: 2, ..uniform.clone() }, "its n_step is 3, this replay's is 2"),
        (
            ReplayConfig { streams: 1, ..uniform.clone() },
            "its number of streams is 2, this replay's is 1",
        ),
        (
            ReplayConfig { context_len: 2, ..uniform.clone() },
            "its number of context values is 0, this replay's is 2",
        ),
        (
            ReplayConfig { action: ActionSpace::Discrete(3), ..uniform.clone() },
            "its action space is Discrete(256), this replay's is Discrete(3)",
        ),
        (
            config(PRIORITIZED, 30),
            "its sampling is Uniform, this replay's is Prioritized { priority_exponent: 0.6, \
             priority_epsilon: 0.001 }",
        ),
    ];
    let bytes = saved(&replay(&uniform));
    for (config, sentence) in cases {
        let error = replay(&config).restore(&mut bytes.as_slice()).unwrap_err().to_string();
        assert_eq!(error, format!("replay: cannot restore the saved state: {sentence}"));
    }
    let other_obs = ReplayConfig { obs: ObsSpace::u8(&[2], 255), ..uniform };
    let error = replay(&other_obs).restore(&mut bytes.as_slice()).unwrap_err().to_string();
    assert!(error.contains("its observation space is"), "{error}");
}

#[test]
fn damage_is_an_error_and_leaves_an_empty_replay() {
    let mut whole = replay(&config(PRIORITIZED, 30));
    go_on(&mut whole, &mut SeedStream::root(5).rng(), 0, 40);
    let bytes = saved(&whole);
    for len in 0..bytes.len() {
        let mut damaged = replay(&config(PRIORITIZED, 30));
        assert!(damaged.restore(&mut &bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        assert!(damaged.is_empty());
        damaged.check_valid().unwrap();
    }
    // Any one bit turned over: an error, or a value of a transition that cannot be told from
    // another. Never a panic, never an invalid replay.
    for at in 0..bytes.len() * 8 {
        let mut turned = bytes.clone();
        turned[at / 8] ^= 1 << (at % 8);
        let mut damaged = replay(&config(PRIORITIZED, 30));
        let outcome = damaged.restore(&mut turned.as_slice());
        damaged.check_valid().unwrap();
        assert!(outcome.is_ok() || damaged.is_empty(), "bit {at}");
    }
    let mut other = replay(&config(PRIORITIZED, 30));
    let error = other.restore(&mut b"PK\x03\x04 something else".as_slice()).unwrap_err();
    assert!(error.to_string().contains("does not begin like one"), "{error}");
}
