//! What an algorithm must know of observations and actions.

/// Shape and scale of observations.
#[derive(Clone, Debug, PartialEq)]
pub struct ObsSpec {
    /// Shape of one observation; images are `[C, H, W]`.
    pub shape: Vec<i64>,
    /// Whether observations are bytes (else 32-bit floats).
    pub bytes: bool,
    /// Observations are divided by this before the first layer: the upper bound of a byte space,
    /// 1 for floats.
    pub scale: f64,
}

impl ObsSpec {
    /// Elements of one observation.
    #[must_use]
    pub fn len(&self) -> i64 {
        self.shape.iter().product()
    }

    /// Whether an observation has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Kind and bounds of actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionSpec {
    /// `n` actions, `0..n`.
    Discrete(i64),
    /// A vector within bounds, one pair an element.
    Box {
        /// Lower bounds.
        low: Vec<f32>,
        /// Upper bounds.
        high: Vec<f32>,
    },
}
