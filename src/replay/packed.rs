//! Observations in as few bits an element as their space allows.

use super::bits::{pack, pack_2, pack_4, pack_8, unpack, unpack_2, unpack_4, unpack_8};
use super::slots::{filled, gather, le_bytes, read_values, write_values};
use contrail_agents::ObsBatch;
use contrail_envs::{Dtype, ObsRef, ObsSpace};
use std::collections::TryReserveError;
use std::io::{self, Read, Write};
use std::ops::Range;

/// How the elements of one observation lie in memory; a function of its space alone.
///
/// Bytes with an upper bound of at most 1, 3 or 15 take 1, 2 or 4 bits, the first element in the
/// lowest bits of the first byte; rows are padded to a byte. Other bytes take a byte, floats four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packing {
    dtype: Dtype,
    /// Elements of an observation.
    len: usize,
    /// Largest value that is stored: the space's, or any byte where a whole one is stored.
    bound: u8,
    /// Elements in a byte: 8, 4, 2 or 1.
    per_byte: usize,
}

impl Packing {
    /// The packing of a space. Bounds that differ from element to element count as the largest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    pub(crate) fn of(space: &ObsSpace) -> Self {
        let high = space.high.iter().copied().fold(0.0, f32::max);
        let bound = high.clamp(0.0, 255.0) as u8;
        let (per_byte, bound) = match bound {
            0..=1 => (8, bound),
            2..=3 => (4, bound),
            4..=15 => (2, bound),
            16.. => (1, u8::MAX),
        };
        Self { dtype: space.dtype, len: space.len(), bound, per_byte }
    }

    /// Bytes of one stored observation.
    pub(crate) fn bytes_a_row(&self) -> usize {
        match self.dtype {
            Dtype::F32 => self.len.saturating_mul(size_of::<f32>()),
            Dtype::U8 => self.len.div_ceil(self.per_byte),
        }
    }

    /// Refuses bytes that are packed and beyond the bound of their space: the offending
    /// observation, element and value as a sentence.
    pub(crate) fn check(&self, obs: ObsRef<'_>) -> Result<(), String> {
        let (ObsRef::U8(values), bound) = (obs, self.bound) else { return Ok(()) };
        if values.iter().fold(0, |largest, value| largest.max(*value)) <= bound {
            return Ok(()); // one pass that the compiler vectorizes
        }
        let offending = values.iter().enumerate().find(|(_, value)| **value > bound);
        offending.map_or(Ok(()), |(at, value)| {
            let (row, element) = (at / self.len, at % self.len);
            Err(format!("element {element} of observation {row} is {value}, allowed 0 to {bound}"))
        })
    }

    fn pack(&self, values: &[u8], packed: &mut [u8]) {
        match self.per_byte {
            8 => pack(values, packed, pack_8),
            4 => pack(values, packed, pack_4),
            2 => pack(values, packed, pack_2),
            _ => packed.copy_from_slice(values),
        }
    }

    fn unpack(&self, packed: &[u8], values: &mut [u8]) {
        match self.per_byte {
            8 => unpack(packed, values, unpack_8),
            4 => unpack(packed, values, unpack_4),
            2 => unpack(packed, values, unpack_2),
            _ => values.copy_from_slice(packed),
        }
    }
}

#[derive(Debug)]
enum Rows {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

/// Preallocated rows of packed observations.
#[derive(Debug)]
pub(crate) struct PackedObs {
    packing: Packing,
    rows: Rows,
}

impl PackedObs {
    /// Allocates `rows` rows and writes to them, so that memory that is not there is missed now.
    pub(crate) fn allocate(packing: Packing, rows: usize) -> Result<Self, TryReserveError> {
        let rows = match packing.dtype {
            Dtype::F32 => Rows::F32(filled(rows.saturating_mul(packing.len), 0.0)?),
            Dtype::U8 => Rows::U8(filled(rows.saturating_mul(packing.bytes_a_row()), 0)?),
        };
        Ok(Self { packing, rows })
    }

    /// Overwrites row `row` with an observation that passed [`Packing::check`].
    ///
    /// # Panics
    /// If `obs` has another dtype or length: a bug of the caller.
    pub(crate) fn write(&mut self, row: usize, obs: ObsRef<'_>) {
        let (packing, width) = (self.packing, self.width());
        assert_eq!(obs.len(), packing.len, "elements of an observation");
        match (&mut self.rows, obs) {
            (Rows::F32(all), ObsRef::F32(obs)) => {
                all[row * width..][..width].copy_from_slice(obs);
            }
            (Rows::U8(all), ObsRef::U8(obs)) => {
                packing.pack(obs, &mut all[row * width..][..width]);
            }
            (_, obs) => panic!("cannot store {:?} as {:?}", obs.dtype(), packing.dtype),
        }
    }

    /// Fills row `row` with zeros.
    pub(crate) fn blank(&mut self, row: usize) {
        let width = self.width();
        match &mut self.rows {
            Rows::F32(all) => all[row * width..][..width].fill(0.0),
            Rows::U8(all) => all[row * width..][..width].fill(0),
        }
    }

    /// Appends `[B, obs...]` of `rows`, unpacked.
    ///
    /// # Panics
    /// If `to` has another dtype: a bug of the caller.
    pub(crate) fn gather(&self, rows: &[u32], to: &mut ObsBatch) {
        let (len, width) = (self.packing.len, self.width());
        match (&self.rows, to) {
            (Rows::F32(all), ObsBatch::F32(to)) => gather(all, (len, rows), to),
            (Rows::U8(all), ObsBatch::U8(to)) if self.packing.per_byte == 1 => {
                gather(all, (len, rows), to);
            }
            (Rows::U8(all), ObsBatch::U8(to)) => {
                // Copied first and unpacked then: the short copies let the processor wait for the
                // cache misses of many rows at the same time.
                let mut packed = Vec::with_capacity(rows.len() * width);
                gather(all, (width, rows), &mut packed);
                let begin = to.len();
                to.resize(begin + rows.len() * len, 0);
                let unpacked = to[begin..].chunks_exact_mut(len);
                for (packed, values) in packed.chunks_exact(width).zip(unpacked) {
                    self.packing.unpack(packed, values);
                }
            }
            _ => panic!("cannot gather {:?} as the other dtype", self.packing.dtype),
        }
    }

    /// Writes some rows, packed, floats little-endian.
    pub(crate) fn save(&self, rows: Range<usize>, out: &mut dyn Write) -> io::Result<()> {
        let range = rows.start * self.width()..rows.end * self.width();
        match &self.rows {
            Rows::F32(all) => write_values(out, &all[range], le_bytes),
            Rows::U8(all) => out.write_all(&all[range]),
        }
    }

    /// Reads some rows, as written by [`Self::save`].
    pub(crate) fn restore(&mut self, rows: Range<usize>, input: &mut dyn Read) -> io::Result<()> {
        let range = rows.start * self.width()..rows.end * self.width();
        match &mut self.rows {
            Rows::F32(all) => read_values(input, &mut all[range], f32::from_le_bytes),
            Rows::U8(all) => input.read_exact(&mut all[range]),
        }
    }

    /// Floats or bytes of a row.
    fn width(&self) -> usize {
        match self.packing.dtype {
            Dtype::F32 => self.packing.len,
            Dtype::U8 => self.packing.bytes_a_row(),
        }
    }

    #[cfg(test)]
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.rows {
            Rows::F32(all) => all.capacity() * size_of::<f32>(),
            Rows::U8(all) => all.capacity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_by_hand() {
        let cases: [(u8, &[u8], &[u8]); 4] = [
            // ten bits: 1,0,1,1,0,0,0,0 is 1 + 4 + 8, then 0,1 is 2
            (1, &[1, 0, 1, 1, 0, 0, 0, 0, 0, 1], &[13, 2]),
            // 3 + 4·0 + 16·2 + 64·1, then 2
            (3, &[3, 0, 2, 1, 2], &[99, 2]),
            // 10 + 16·1, then 7
            (10, &[10, 1, 7], &[26, 7]),
            (200, &[200, 0, 16], &[200, 0, 16]),
        ];
        for (high, values, bytes) in cases {
            let packing = Packing::of(&ObsSpace::u8(&[values.len()], high));
            assert_eq!(packing.bytes_a_row(), bytes.len());
            let mut packed = vec![0xff; bytes.len()]; // what was there before is gone
            packing.pack(values, &mut packed);
            assert_eq!(packed, bytes, "high {high}");
        }
    }

    #[test]
    fn bits_follow_from_the_largest_bound() {
        let bytes = |high: Vec<f32>| {
            let space = ObsSpace { shape: vec![8], high, ..ObsSpace::u8(&[8], 0) };
            Packing::of(&space).bytes_a_row()
        };
        let cases = [(0.0, 1), (1.0, 1), (2.0, 2), (3.0, 2), (4.0, 4), (15.0, 4), (16.0, 8)];
        for (high, expected) in cases {
            assert_eq!(bytes(vec![high]), expected, "high {high}");
        }
        assert_eq!(bytes(vec![f32::INFINITY]), 8);
        assert_eq!(bytes(vec![1.0, 0.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0]), 2);
        assert_eq!(Packing::of(&ObsSpace::f32(&[3, 2], 0.0, 1.0)).bytes_a_row(), 24);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let packing = Packing::of(&ObsSpace::u8(&[3], 10));
        assert_eq!(packing.check(ObsRef::U8(&[0, 10, 3, 10, 10, 10])), Ok(()));
        let sentence = "element 1 of observation 1 is 11, allowed 0 to 10";
        assert_eq!(packing.check(ObsRef::U8(&[0, 10, 3, 10, 11, 99])), Err(sentence.into()));
        let whole = Packing::of(&ObsSpace::u8(&[1], 16));
        assert_eq!(whole.check(ObsRef::U8(&[255])), Ok(()), "a whole byte holds anything");
    }

    proptest! {
        #[test]
        fn out_comes_what_went_in(high in 0_u8..=255, len in 1_usize..40, seed in any::<u64>()) {
            let space = ObsSpace::u8(&[len], high);
            let mut obs = PackedObs::allocate(Packing::of(&space), 3).unwrap();
            let value = |row: usize, i: usize| {
                let mixed = (seed ^ (row * 100 + i) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                ((mixed >> 40) % (u64::from(high) + 1)) as u8
            };
            let rows: Vec<Vec<u8>> = (0..4).map(|r| (0..len).map(|i| value(r, i)).collect()).collect();
            for (row, values) in [(0, &rows[3]), (1, &rows[1]), (2, &rows[2]), (0, &rows[0])] {
                obs.write(row, ObsRef::U8(values)); // a neighbor's row is left alone
            }
            let expected: Vec<u8> = [2, 0, 1, 0].iter().flat_map(|r| rows[*r].clone()).collect();
            let mut gathered = ObsBatch::U8(Vec::new());
            obs.gather(&[2, 0], &mut gathered);
            obs.gather(&[1, 0], &mut gathered);
            prop_assert_eq!(gathered, ObsBatch::U8(expected));
            let mut bytes = Vec::new();
            obs.save(1..3, &mut bytes).unwrap();
            let mut restored = PackedObs::allocate(Packing::of(&space), 3).unwrap();
            restored.restore(1..3, &mut bytes.as_slice()).unwrap();
            restored.blank(2);
            let mut second = ObsBatch::U8(Vec::new());
            restored.gather(&[1, 2], &mut second);
            let expected = rows[1].iter().copied().chain(std::iter::repeat_n(0, len)).collect();
            prop_assert_eq!(second, ObsBatch::U8(expected));
        }
    }
}
