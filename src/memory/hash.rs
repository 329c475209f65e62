//! Hashes of observations: the same in every run and on every machine.

use contrail_agents::ObsBatch;
use contrail_envs::{Dtype, ObsRef};
use std::hash::{BuildHasherDefault, Hasher};

/// A hash of an observation's elements, by which equal observations are known.
///
/// Eight bytes at a time go through a bijection of 64 bits, so two observations that differ in one
/// word never share a hash, and others do with a probability of about `2^-64`. Floats count by their
/// bits: 0 and −0 are different.
#[must_use]
pub(super) fn obs_hash(obs: ObsRef<'_>) -> u64 {
    match obs {
        ObsRef::U8(bytes) => bytes_hash(bytes),
        ObsRef::F32(values) => floats_hash(values),
    }
}

fn bytes_hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash =
        words.iter().fold(mix(bytes.len() as u64), |h, word| mix(h ^ u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(last))
}

fn floats_hash(values: &[f32]) -> u64 {
    let (pairs, rest) = values.as_chunks::<2>();
    let word = |low: f32, high: f32| u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32;
    let hash =
        pairs.iter().fold(mix(values.len() as u64), |h, [low, high]| mix(h ^ word(*low, *high)));
    mix(hash ^ rest.first().map_or(0, |last| word(*last, 0.0)))
}

/// Finalizer of `SplitMix64` (Steele, Lea, Flood 2014): a bijection that scatters every bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes keys of a few words by [`mix`], which is many times as fast as the standard library's
/// hash. Keys are counters and codes; nobody chooses them to collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mixer(u64);

/// For maps with keys of a few words.
pub(super) type MixerBuilder = BuildHasherDefault<Mixer>;

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0 ^ bytes_hash(bytes));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A batch for no observation.
pub(super) fn empty(dtype: Dtype) -> ObsBatch {
    match dtype {
        Dtype::F32 => ObsBatch::F32(Vec::new()),
        Dtype::U8 => ObsBatch::U8(Vec::new()),
    }
}

/// Hashes of observations of `len` elements each, which is at least 1.
pub(super) fn rows(obs: &ObsBatch, len: usize) -> Vec<u64> {
    match obs {
        ObsBatch::F32(values) => values.chunks_exact(len).map(floats_hash).collect(),
        ObsBatch::U8(bytes) => bytes.chunks_exact(len).map(bytes_hash).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_element_and_the_length_count() {
        let zeros = [0_u8; 20];
        let mut hashes = BTreeSet::new();
        for len in 1..=20 {
            hashes.insert(obs_hash(ObsRef::U8(&zeros[..len])));
        }
        for at in 0..20 {
            for value in 1..=255 {
                let mut obs = zeros;
                obs[at] = value;
                hashes.insert(obs_hash(ObsRef::U8(&obs)));
            }
        }
        for at in 0..5 {
            for value in [1.0, -1.0, -0.0, f32::MIN_POSITIVE] {
                let mut obs = [0.0; 5];
                obs[at] = value;
                hashes.insert(obs_hash(ObsRef::F32(&obs)));
            }
        }
        assert_eq!(hashes.len(), 20 + 20 * 255 + 5 * 4);
    }

    #[test]
    fn fixed_for_good() {
        // SplitMix64's first number from state 0, its published test vector.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(obs_hash(ObsRef::U8(&[1])), mix(mix(1) ^ 1));
        assert_eq!(obs_hash(ObsRef::F32(&[0.0, 0.0])), mix(mix(mix(2))));
        assert_eq!(rows(&ObsBatch::U8(vec![3, 4]), 1), [mix(mix(1) ^ 3), mix(mix(1) ^ 4)]);
    }
}
