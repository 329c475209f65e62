//! One root seed, named streams, one generator type.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator used everywhere: small, fast, serialisable.
pub type Prng = Xoshiro256PlusPlus;

/// A named branch of the root seed. Streams with different names are independent, and adding a
/// stream never moves another.
///
/// ```
/// use contrail_envs::SeedStream;
/// let root = SeedStream::root(7);
/// let actor = root.stream("actor/0");
/// assert_eq!(actor.stream("env").seed(), root.stream("actor/0").stream("env").seed());
/// assert_ne!(actor.seed(), root.stream("actor/1").seed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedStream(u64);

impl SeedStream {
    /// The stream of a run's root seed.
    #[must_use]
    pub fn root(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The branch called `name`.
    #[must_use]
    pub fn stream(self, name: &str) -> Self {
        // The separator keeps ("a", "bc") and ("ab", "c") apart.
        let hash =
            name.bytes().chain([0xff]).fold(self.0, |hash, byte| mix(hash ^ u64::from(byte)));
        Self(hash)
    }

    /// The branch with a number, for example one an episode.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        // 0xfe is no byte of a name, so a number never meets one; mixing in between keeps the
        // seed of a root and the number of a branch from being exchanged.
        Self(mix(mix(self.0 ^ 0xfe) ^ index))
    }

    /// A seed drawn from this stream.
    #[must_use]
    pub fn seed(self) -> u64 {
        self.0
    }

    /// A generator for this stream.
    #[must_use]
    pub fn rng(self) -> Prng {
        Prng::seed_from_u64(self.0)
    }
}

/// Finaliser of `SplitMix64` (Steele, Lea, Flood 2014): a bijection that scatters every bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
