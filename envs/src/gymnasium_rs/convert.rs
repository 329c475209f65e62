//! Between their observation and action types and Contrail's.

use crate::{Action, Dtype, ObsBuffer};
use ndarray::{Array, Array1, Dimension};

/// A type of observation that the adapter can write; implement it for your own.
///
/// It is implemented for numbers, arrays, vectors and `ndarray` arrays. `f64` is rounded to `f32`,
/// and an integer other than a byte becomes an `f32`, exactly up to 2²⁴.
pub trait ToObs {
    /// Element type of the observation in Contrail.
    const DTYPE: Dtype;

    /// Appends all elements in row-major order. `out` has the dtype [`ToObs::DTYPE`].
    fn append_to(&self, out: &mut ObsBuffer);
}

fn append_f32(values: impl Iterator<Item = f32>, out: &mut ObsBuffer) {
    if let ObsBuffer::F32(out) = out {
        out.extend(values);
    }
}

fn append_u8(values: impl Iterator<Item = u8>, out: &mut ObsBuffer) {
    if let ObsBuffer::U8(out) = out {
        out.extend(values);
    }
}

macro_rules! impl_to_obs {
    ($($element:ty: $dtype:ident by $append:ident of $convert:expr;)*) => {$(
        impl ToObs for $element {
            const DTYPE: Dtype = Dtype::$dtype;
            fn append_to(&self, out: &mut ObsBuffer) {
                $append(std::iter::once(*self).map($convert), out);
            }
        }
        impl ToObs for Vec<$element> {
            const DTYPE: Dtype = Dtype::$dtype;
            fn append_to(&self, out: &mut ObsBuffer) {
                $append(self.iter().copied().map($convert), out);
            }
        }
        impl<const N: usize> ToObs for [$element; N] {
            const DTYPE: Dtype = Dtype::$dtype;
            fn append_to(&self, out: &mut ObsBuffer) {
                $append(self.iter().copied().map($convert), out);
            }
        }
        impl<D: Dimension> ToObs for Array<$element, D> {
            const DTYPE: Dtype = Dtype::$dtype;
            fn append_to(&self, out: &mut ObsBuffer) {
                $append(self.iter().copied().map($convert), out);
            }
        }
    )*};
}

impl_to_obs! {
    f32: F32 by append_f32 of |value| value;
    f64: F32 by append_f32 of |value| value as f32;
    i32: F32 by append_f32 of |value| value as f32;
    i64: F32 by append_f32 of |value| value as f32;
    u8: U8 by append_u8 of |value| value;
}

/// A type of action that the adapter can make; implement it for your own.
///
/// It is implemented for integers (discrete actions), and for `f32` (a box of one element), arrays,
/// vectors and `ndarray` vectors of `f32` (box actions).
pub trait FromAction: Sized {
    /// The action, or `None` if `action` is of the other kind, too long, too short or too large.
    fn from_action(action: Action<'_>) -> Option<Self>;
}

macro_rules! impl_from_index {
    ($($integer:ty)*) => {$(
        impl FromAction for $integer {
            fn from_action(action: Action<'_>) -> Option<Self> {
                match action {
                    Action::Discrete(index) => index.try_into().ok(),
                    Action::Box(_) => None,
                }
            }
        }
    )*};
}

impl_from_index!(i32 i64 u8 u32 u64 usize);

fn elements(action: Action<'_>) -> Option<&[f32]> {
    match action {
        Action::Box(elements) => Some(elements),
        Action::Discrete(_) => None,
    }
}

impl FromAction for f32 {
    fn from_action(action: Action<'_>) -> Option<Self> {
        <[f32; 1]>::from_action(action).map(|[element]| element)
    }
}

impl<const N: usize> FromAction for [f32; N] {
    fn from_action(action: Action<'_>) -> Option<Self> {
        elements(action)?.try_into().ok()
    }
}

impl FromAction for Vec<f32> {
    fn from_action(action: Action<'_>) -> Option<Self> {
        elements(action).map(<[f32]>::to_vec)
    }
}

impl FromAction for Array1<f32> {
    fn from_action(action: Action<'_>) -> Option<Self> {
        elements(action).map(|elements| elements.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn appended<T: ToObs>(value: &T) -> ObsBuffer {
        let mut out = ObsBuffer::with_capacity(T::DTYPE, 0);
        value.append_to(&mut out);
        out
    }

    #[test]
    fn observations_are_flattened_row_by_row() {
        assert_eq!(appended(&1.5_f32), ObsBuffer::F32(vec![1.5]));
        assert_eq!(appended(&-3_i32), ObsBuffer::F32(vec![-3.0]));
        assert_eq!(appended(&[1_i64, 2]), ObsBuffer::F32(vec![1.0, 2.0]));
        assert_eq!(appended(&vec![0.5_f64, 0.25]), ObsBuffer::F32(vec![0.5, 0.25]));
        assert_eq!(appended(&vec![0_u8, 255]), ObsBuffer::U8(vec![0, 255]));
        let rows = array![[1_u8, 2, 3], [4, 5, 6]];
        assert_eq!(appended(&rows), ObsBuffer::U8(vec![1, 2, 3, 4, 5, 6]));
        // A transposed array has its memory in another order than its elements.
        assert_eq!(appended(&rows.reversed_axes()), ObsBuffer::U8(vec![1, 4, 2, 5, 3, 6]));
    }

    #[test]
    fn actions_of_the_other_kind_or_size_are_none() {
        let (index, pair) = (Action::Discrete(300), Action::Box(&[0.5, -1.0]));
        assert_eq!(i32::from_action(index), Some(300));
        assert_eq!(usize::from_action(index), Some(300));
        assert_eq!(u8::from_action(index), None);
        assert_eq!(i64::from_action(pair), None);
        assert_eq!(<[f32; 2]>::from_action(pair), Some([0.5, -1.0]));
        assert_eq!(<[f32; 3]>::from_action(pair), None);
        assert_eq!(f32::from_action(pair), None);
        assert_eq!(f32::from_action(Action::Box(&[2.0])), Some(2.0));
        assert_eq!(Vec::from_action(pair), Some(vec![0.5, -1.0]));
        assert_eq!(Array1::from_action(pair), Some(array![0.5, -1.0]));
        assert_eq!(Array1::from_action(index), None);
    }
}
