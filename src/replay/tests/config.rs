//! What a replay takes in memory, and configs that cannot work.

use super::*;

#[test]
fn memory_is_what_is_allocated() {
    let prioritized = Sampling::Prioritized { priority_exponent: 0.6, priority_epsilon: 1e-6 };
    let small = small_config(100, 3, 5);
    let planes = ReplayConfig { obs: ObsSpace::u8(&[4, 10, 10], 1), ..small.clone() };
    let boxed = ReplayConfig {
        obs: ObsSpace::f32(&[4, 10, 10], 0.0, 1.0),
        action: ActionSpace::Box { low: vec![0.0; 6], high: vec![1.0; 6] },
        context_len: 5,
        sampling: prioritized,
        ..small_config(129, 7, 2)
    };
    // 32 bytes of scalars a slot, a bit an element of binary planes, and a stream's own bytes plus 16 a waiting transition.
    let stream = size_of::<crate::replay::streams::Stream>() as u64;
    let counts = 100 * size_of::<crate::replay::stats::Counts>() as u64;
    let cases = [
        (small, 100 * (1 + 32) + 3 * (stream + 5 * 16) + counts),
        (planes, 100 * (50 + 32) + 3 * (stream + 5 * 16) + counts),
        // The tree has 2 * 256 nodes of 8 bytes.
        (boxed, 129 * (1600 + 24 + 32 + 20) + 2 * 256 * 8 + 7 * (stream + 2 * 16) + counts),
    ];
    for (config, bytes) in cases {
        assert_eq!(config.memory_bytes(), bytes);
        let replay = replay(&config);
        let tree = replay.rings[0].priorities.as_ref().map_or(0, |p| p.tree.allocated_bytes());
        let waiting: usize = replay.streams.iter().map(|s| s.allocated_bytes()).sum();
        let streams = replay.streams.capacity() as u64 * stream;
        let allocated = replay.rings[0].slots.allocated_bytes() + tree + waiting;
        assert_eq!(allocated as u64 + streams + counts, bytes);
    }
}

#[test]
fn too_much_memory_is_an_error() {
    let obs = ObsSpace::f32(&[1 << 30], 0.0, 1.0);
    let config = ReplayConfig { obs, ..small_config(1 << 31, 1, 1) };
    let error = Replay::new(config).unwrap_err().to_string();
    assert!(
        error.starts_with("replay: cannot allocate 9223372036854775808 bytes for the observations"),
        "{error}"
    );
}

#[test]
fn bad_configs_are_refused_with_a_sentence() {
    let prioritized = |priority_exponent, priority_epsilon| ReplayConfig {
        sampling: Sampling::Prioritized { priority_exponent, priority_epsilon },
        ..small_config(20, 1, 1)
    };
    let no_obs = ReplayConfig { obs: ObsSpace::u8(&[0], 1), ..small_config(20, 1, 1) };
    let cases = [
        (small_config(20, 0, 1), "streams is 0, allowed: at least 1"),
        (small_config(20, 1, 0), "n_step is 0, allowed: at least 1"),
        (
            ReplayConfig { subspaces: 0, ..small_config(20, 1, 1) },
            "subspaces is 0, allowed: at least 1",
        ),
        (
            small_config(13, 2, 3),
            "capacity_transitions is 13, allowed: 14 (twice streams * n_step + 1, for 2 streams \
             and n_step 3) to 4294967294",
        ),
        (no_obs, "observation is U8[0], allowed: at least one element"),
        (prioritized(1.5, 1e-6), "priority_exponent is 1.5, allowed: 0 to 1"),
        (prioritized(0.5, 0.0), "priority_epsilon is 0, allowed: a finite number above 0"),
    ];
    for (config, sentence) in cases {
        assert_eq!(Replay::new(config).unwrap_err().to_string(), format!("replay: {sentence}"));
    }
}
