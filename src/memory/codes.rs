//! Token codes as numbers.

use super::MemoryError;
use serde::{Deserialize, Serialize};

/// The codes that an encoder gives: G groups of L levels each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSpace {
    /// G; 0 = observations have no codes, and none is found by code.
    pub groups: usize,
    /// L, 2 to 256; `L^G` must be at most 2^64.
    pub levels: usize,
}

impl CodeSpace {
    /// Refuses codes that do not fit a u64, or levels that do not fit a byte.
    ///
    /// # Errors
    /// [`MemoryError::BadConfig`], naming the value and what is allowed.
    pub fn check(&self) -> Result<(), MemoryError> {
        if !(2..=256).contains(&self.levels) {
            return Err(MemoryError::bad_config("code levels", self.levels, "2 to 256"));
        }
        let groups = u32::try_from(self.groups).unwrap_or(u32::MAX);
        let codes = (self.levels as u128).checked_pow(groups);
        if codes.is_none_or(|codes| codes > 1 << 64) {
            let value = format!("{} groups of {} levels", self.groups, self.levels);
            return Err(MemoryError::bad_config("the code", value, "at most 2^64 codes"));
        }
        Ok(())
    }

    /// The number of a code: `Σ_g code_g · L^g`.
    ///
    /// # Errors
    /// [`MemoryError::BadCodes`] if there are not G levels below L.
    pub fn pack(&self, code: &[u8]) -> Result<u64, MemoryError> {
        let Self { groups, levels } = *self;
        if code.len() != groups || !code.iter().all(|level| usize::from(*level) < levels) {
            let sentence = format!("{code:?} is not {groups} levels below {levels}");
            return Err(MemoryError::BadCodes(sentence));
        }
        Ok(self.number(code))
    }

    /// [`Self::pack`] of levels that are known to be good; of others, some number.
    pub(crate) fn number(&self, code: &[u8]) -> u64 {
        let levels = self.levels as u64;
        code.iter().rev().fold(0, |packed: u64, level| {
            packed.wrapping_mul(levels).wrapping_add(u64::from(*level))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_by_hand() {
        let space = CodeSpace { groups: 3, levels: 5 };
        for (code, packed) in [([0, 0, 0], 0), ([4, 0, 0], 4), ([1, 2, 3], 86), ([4, 4, 4], 124)] {
            assert_eq!(space.pack(&code).unwrap(), packed); // 1 + 2 * 5 + 3 * 25 = 86
        }
        assert_eq!(CodeSpace { groups: 8, levels: 256 }.pack(&[255; 8]).unwrap(), u64::MAX);
        for code in [&[0, 0][..], &[0, 0, 5], &[0; 4]] {
            let error = space.pack(code).unwrap_err().to_string();
            let sentence = format!("memory: cannot set codes: {code:?} is not 3 levels below 5");
            assert_eq!(error, sentence);
        }
    }

    #[test]
    fn spaces_beyond_a_u64_are_refused() {
        for (groups, levels) in [(8, 256), (64, 2), (1, 2), (27, 5), (0, 2)] {
            assert!(CodeSpace { groups, levels }.check().is_ok(), "{groups} of {levels}");
        }
        let cases = [
            (2, 1, "code levels is 1, allowed: 2 to 256"),
            (2, 257, "code levels is 257, allowed: 2 to 256"),
            (9, 256, "the code is 9 groups of 256 levels, allowed: at most 2^64 codes"),
            (28, 5, "the code is 28 groups of 5 levels, allowed: at most 2^64 codes"),
            (500, 2, "the code is 500 groups of 2 levels, allowed: at most 2^64 codes"),
        ];
        for (groups, levels, sentence) in cases {
            let error = CodeSpace { groups, levels }.check().unwrap_err().to_string();
            assert_eq!(error, format!("memory: {sentence}"));
        }
    }
}
