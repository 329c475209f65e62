//! Observation memory: borrowed views that environments write, and owned buffers.

use crate::{Dtype, EnvError, ObsSpace};
use serde::{Deserialize, Serialize};

/// Where an environment writes an observation: a slice that the caller owns.
#[derive(Debug)]
pub enum ObsMut<'a> {
    /// Floats.
    F32(&'a mut [f32]),
    /// Bytes.
    U8(&'a mut [u8]),
}

impl ObsMut<'_> {
    /// The same memory for a shorter time, to pass on to an inner environment and use again.
    pub fn reborrow(&mut self) -> ObsMut<'_> {
        match self {
            Self::F32(v) => ObsMut::F32(v),
            Self::U8(v) => ObsMut::U8(v),
        }
    }

    /// The memory read-only.
    #[must_use]
    pub fn as_ref(&self) -> ObsRef<'_> {
        match self {
            Self::F32(v) => ObsRef::F32(v),
            Self::U8(v) => ObsRef::U8(v),
        }
    }

    /// The float slice of exactly `len` elements.
    ///
    /// # Errors
    /// [`EnvError::BadBuffer`] if the buffer holds bytes or has another length.
    pub fn f32(&mut self, env: &str, len: usize) -> Result<&mut [f32], EnvError> {
        let got = (self.as_ref().len(), self.as_ref().dtype());
        match self {
            Self::F32(v) if v.len() == len => Ok(v),
            _ => Err(bad_buffer(env, got, format!("{len} f32"))),
        }
    }

    /// The byte slice of exactly `len` elements.
    ///
    /// # Errors
    /// [`EnvError::BadBuffer`] if the buffer holds floats or has another length.
    pub fn u8(&mut self, env: &str, len: usize) -> Result<&mut [u8], EnvError> {
        let got = (self.as_ref().len(), self.as_ref().dtype());
        match self {
            Self::U8(v) if v.len() == len => Ok(v),
            _ => Err(bad_buffer(env, got, format!("{len} u8"))),
        }
    }
}

fn bad_buffer(env: &str, (len, dtype): (usize, Dtype), expected: String) -> EnvError {
    let got = format!("{len} {dtype:?}");
    EnvError::BadBuffer { env: env.to_owned(), what: "observation", got, expected }
}

/// A borrowed observation, or several one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ObsRef<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Bytes.
    U8(&'a [u8]),
}

impl ObsRef<'_> {
    /// Element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::U8(_) => Dtype::U8,
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::U8(v) => v.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `index` as a float.
    #[must_use]
    pub fn get(&self, index: usize) -> f32 {
        match self {
            Self::F32(v) => v[index],
            Self::U8(v) => f32::from(v[index]),
        }
    }
}

/// Owned observations, one after the other, in one allocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ObsBuffer {
    /// Floats.
    F32(Vec<f32>),
    /// Bytes.
    U8(Vec<u8>),
}

impl ObsBuffer {
    /// Zeros for `count` observations of `space`.
    #[must_use]
    pub fn zeros(space: &ObsSpace, count: usize) -> Self {
        Self::zeros_of(space.dtype, space.len() * count)
    }

    /// Zeros for `len` elements.
    #[must_use]
    pub fn zeros_of(dtype: Dtype, len: usize) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(vec![0.0; len]),
            Dtype::U8 => Self::U8(vec![0; len]),
        }
    }

    /// An empty buffer with room for `len` elements.
    #[must_use]
    pub fn with_capacity(dtype: Dtype, len: usize) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(Vec::with_capacity(len)),
            Dtype::U8 => Self::U8(Vec::with_capacity(len)),
        }
    }

    /// Everything, read-only.
    #[must_use]
    pub fn as_ref(&self) -> ObsRef<'_> {
        match self {
            Self::F32(v) => ObsRef::F32(v),
            Self::U8(v) => ObsRef::U8(v),
        }
    }

    /// Everything, writable.
    pub fn as_mut(&mut self) -> ObsMut<'_> {
        match self {
            Self::F32(v) => ObsMut::F32(v),
            Self::U8(v) => ObsMut::U8(v),
        }
    }

    /// Observation `row`, where each has `len` elements.
    #[must_use]
    pub fn row(&self, row: usize, len: usize) -> ObsRef<'_> {
        match self {
            Self::F32(v) => ObsRef::F32(&v[row * len..(row + 1) * len]),
            Self::U8(v) => ObsRef::U8(&v[row * len..(row + 1) * len]),
        }
    }

    /// Observation `row`, writable.
    pub fn row_mut(&mut self, row: usize, len: usize) -> ObsMut<'_> {
        match self {
            Self::F32(v) => ObsMut::F32(&mut v[row * len..(row + 1) * len]),
            Self::U8(v) => ObsMut::U8(&mut v[row * len..(row + 1) * len]),
        }
    }

    /// Appends observations.
    ///
    /// # Panics
    /// If `obs` has another dtype: a bug of the caller.
    pub fn extend(&mut self, obs: ObsRef<'_>) {
        match (self, obs) {
            (Self::F32(v), ObsRef::F32(o)) => v.extend_from_slice(o),
            (Self::U8(v), ObsRef::U8(o)) => v.extend_from_slice(o),
            (own, obs) => panic!("cannot append {:?} to {:?}", obs.dtype(), own.dtype()),
        }
    }

    /// Overwrites observation `row`, where each has `obs.len()` elements.
    ///
    /// # Panics
    /// If `obs` has another dtype or `row` is out of range: a bug of the caller.
    pub fn write_row(&mut self, row: usize, obs: ObsRef<'_>) {
        match (self.row_mut(row, obs.len()), obs) {
            (ObsMut::F32(v), ObsRef::F32(o)) => v.copy_from_slice(o),
            (ObsMut::U8(v), ObsRef::U8(o)) => v.copy_from_slice(o),
            (own, obs) => panic!("cannot write {:?} to {:?}", obs.dtype(), own.as_ref().dtype()),
        }
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        match self {
            Self::F32(v) => v.clear(),
            Self::U8(v) => v.clear(),
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.as_ref().dtype()
    }
}
