//! Observation and action spaces: dtype, shape and bounds.

use crate::{Action, EnvError, ObsRef};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Element type of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
}

/// Shape, dtype and bounds of observations. Bounds are per element, or one pair for all elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObsSpace {
    /// Element type.
    pub dtype: Dtype,
    /// Shape; images are `[C, H, W]`.
    pub shape: Vec<usize>,
    /// Lower bounds: one for all elements, or one an element.
    pub low: Vec<f32>,
    /// Upper bounds: one for all elements, or one an element.
    pub high: Vec<f32>,
}

impl ObsSpace {
    /// A float space with one pair of bounds an element (`low.len()` elements, rank 1).
    #[must_use]
    pub fn f32_vector(low: &[f32], high: &[f32]) -> Self {
        assert_eq!(low.len(), high.len(), "low and high need equal lengths");
        Self { dtype: Dtype::F32, shape: vec![low.len()], low: low.to_vec(), high: high.to_vec() }
    }

    /// A float space of any shape with one pair of bounds for all elements.
    #[must_use]
    pub fn f32(shape: &[usize], low: f32, high: f32) -> Self {
        Self { dtype: Dtype::F32, shape: shape.to_vec(), low: vec![low], high: vec![high] }
    }

    /// A byte space of any shape with values `0..=high`.
    #[must_use]
    pub fn u8(shape: &[usize], high: u8) -> Self {
        Self {
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            low: vec![0.0],
            high: vec![f32::from(high)],
        }
    }

    /// Number of elements of one observation.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an observation has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one observation.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len()
            * match self.dtype {
                Dtype::F32 => 4,
                Dtype::U8 => 1,
            }
    }

    /// Lower and upper bound of element `index`.
    #[must_use]
    pub fn bounds(&self, index: usize) -> (f32, f32) {
        let at = |v: &[f32]| if v.len() == 1 { v[0] } else { v[index] };
        (at(&self.low), at(&self.high))
    }

    /// Every violation in `obs`, as a sentence each; empty if `obs` is in the space.
    #[must_use]
    pub fn violations(&self, obs: ObsRef<'_>) -> Vec<String> {
        if obs.dtype() != self.dtype || obs.len() != self.len() {
            return vec![format!(
                "observation is {:?} with {} elements, expected {:?} with {}",
                obs.dtype(),
                obs.len(),
                self.dtype,
                self.len()
            )];
        }
        (0..obs.len())
            .filter_map(|i| {
                let (value, (low, high)) = (obs.get(i), self.bounds(i));
                let inside = value >= low && value <= high; // false for NaN
                (!inside).then(|| format!("element {i} is {value}, allowed {low} to {high}"))
            })
            .collect()
    }
}

impl fmt::Display for ObsSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{:?}", self.dtype, self.shape)
    }
}

/// What an agent may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActionSpace {
    /// One of `n` actions, `0..n`.
    Discrete(usize),
    /// A vector of floats within bounds, one pair an element.
    Box {
        /// Lower bounds.
        low: Vec<f32>,
        /// Upper bounds.
        high: Vec<f32>,
    },
}

impl ActionSpace {
    /// Refuses an action of the wrong kind, length or range, NaN included.
    ///
    /// # Errors
    /// [`EnvError::InvalidAction`], naming the environment, the action and the space.
    pub fn check(&self, env: &str, action: Action<'_>) -> Result<(), EnvError> {
        let inside = match (self, action) {
            (Self::Discrete(n), Action::Discrete(a)) => a < *n,
            (Self::Box { low, high }, Action::Box(a)) => {
                a.len() == low.len()
                    && a.iter().zip(low).zip(high).all(|((a, l), h)| a >= l && a <= h)
            }
            _ => false,
        };
        if inside {
            return Ok(());
        }
        Err(EnvError::InvalidAction {
            env: env.to_owned(),
            action: format!("{action:?}"),
            allowed: self.to_string(),
        })
    }
}

impl fmt::Display for ActionSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete(n) => write!(f, "Discrete({n}): 0 to {}", n.saturating_sub(1)),
            Self::Box { low, high } => {
                write!(f, "Box([{}]): low {low:?}, high {high:?}", low.len())
            }
        }
    }
}
