//! A restored memory goes on exactly.

use super::*;
use crate::memory::SegmentLaw;
use contrail_envs::Prng;

/// Episodes `from` to `to` of 1 to 9 env steps, with draws, codes and surprises between.
fn go_on(
    memory: &mut EpisodicMemory,
    builder: &mut SegmentBuilder,
    rng: &mut Prng,
    episodes: std::ops::Range<u32>,
) -> Vec<SegmentId> {
    let mut drawn = Vec::new();
    for number in episodes {
        let cut = episode(builder, number % 2, (1 + number * 7 % 9, Terminated));
        for segment in cut {
            memory.insert(&segment, rng).unwrap();
        }
        for (law, subspace) in [
            (SegmentLaw::Uniform, None),
            (SegmentLaw::Return, Some(0)),
            (SegmentLaw::Surprise, None),
        ] {
            let ids = memory.sample(4, law, subspace, rng).unwrap();
            let surprises: Vec<f32> = ids.iter().map(|id| (id.slot % 5) as f32).collect();
            memory.update_surprises(&ids, &surprises).unwrap();
            drawn.extend(ids);
        }
        for id in memory.stale(u64::from(number), 2) {
            let len = memory.batch(&[id]).unwrap().lengths[0] as usize;
            let codes: Vec<u8> =
                (0..2 * (len + 1)).map(|i| ((number as usize + i) % 3) as u8).collect();
            memory.set_readings(id, u64::from(number), (&codes, &[])).unwrap();
        }
        drawn.extend(memory.holders(u64::from(number % 9)).map(|place| place.segment));
    }
    drawn
}

fn saved(memory: &EpisodicMemory) -> Vec<u8> {
    let mut bytes = Vec::new();
    memory.save(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_same_answers_follow() {
    for pause in [0, 1, 5, 40] {
        let config = config(12, 2);
        let mut whole = memory(&config);
        let (mut builder, mut rng) = (SegmentBuilder::new(&config, 0), SeedStream::root(5).rng());
        go_on(&mut whole, &mut builder, &mut rng, 0..pause);
        let bytes = saved(&whole);
        let mut restored = memory(&config);
        let mut other = (SegmentBuilder::new(&config, 3), SeedStream::root(6).rng());
        go_on(&mut restored, &mut other.0, &mut other.1, 0..9); // what was there before is gone
        let mut input = bytes.as_slice();
        restored.restore(&mut input).unwrap();
        assert!(input.is_empty());
        assert!(saved(&restored) == bytes);
        let (mut builder_again, mut rng_again) = (builder.clone(), rng.clone());
        let expected = go_on(&mut whole, &mut builder, &mut rng, pause..80);
        let found = go_on(&mut restored, &mut builder_again, &mut rng_again, pause..80);
        assert!(expected.len() > 400);
        assert_eq!(found, expected, "after {pause} episodes");
        assert!(saved(&restored) == saved(&whole), "after {pause} episodes");
    }
}

#[test]
fn damage_is_an_error_and_leaves_an_empty_memory() {
    let config = config(6, 2);
    let mut whole = memory(&config);
    let (mut builder, mut rng) = (SegmentBuilder::new(&config, 0), SeedStream::root(5).rng());
    go_on(&mut whole, &mut builder, &mut rng, 0..20);
    let bytes = saved(&whole);
    for len in 0..bytes.len() {
        let mut damaged = memory(&config);
        assert!(damaged.restore(&mut &bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        assert!(damaged.is_empty());
        damaged.check_valid().unwrap();
    }
    // Any one bit turned over: an error, or a value that cannot be told from another.
    for at in 0..bytes.len() * 8 {
        let mut turned = bytes.clone();
        turned[at / 8] ^= 1 << (at % 8);
        let mut damaged = memory(&config);
        let outcome = damaged.restore(&mut turned.as_slice());
        damaged.check_valid().unwrap();
        assert!(outcome.is_ok() || damaged.is_empty(), "bit {at}");
    }
    let other = MemoryConfig { gamma: 0.25, ..config };
    let error = memory(&other).restore(&mut bytes.as_slice()).unwrap_err().to_string();
    assert!(error.contains("it is of MemoryConfig"), "{error}");
}
