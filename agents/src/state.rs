//! An agent's state as named plain arrays, ready for a checkpoint.

use crate::AgentError;
use serde::{Deserialize, Serialize};

/// A named array of floats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedArray {
    /// Path-like name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

impl NamedArray {
    /// An array of rank 1.
    #[must_use]
    pub fn vector(name: String, values: Vec<f32>) -> Self {
        Self { name, shape: vec![values.len()], values }
    }
}

/// Everything an agent needs to continue: weights, targets, moments, counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    /// Arrays by name.
    pub arrays: Vec<NamedArray>,
    /// Counters by name.
    pub counters: Vec<(String, u64)>,
}

impl AgentState {
    /// The values of array `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`AgentError::BadState`] naming the array if it is missing, of another shape or incomplete.
    pub fn array(&self, name: &str, shape: &[i64]) -> Result<&[f32], AgentError> {
        let array = self.arrays.iter().find(|a| a.name == name);
        let Some(array) = array else {
            return Err(AgentError::BadState(format!("there is no array {name:?}")));
        };
        let same = array.shape.len() == shape.len()
            && array.shape.iter().zip(shape).all(|(&have, &want)| have as i64 == want);
        if !same {
            let have = &array.shape;
            return Err(AgentError::BadState(format!(
                "{name:?} has shape {have:?}, expected {shape:?}"
            )));
        }
        let (count, product) = (array.values.len(), array.shape.iter().product::<usize>());
        if count != product {
            return Err(AgentError::BadState(format!(
                "{name:?} holds {count} values, its shape {shape:?} needs {product}"
            )));
        }
        Ok(&array.values)
    }

    /// The counter `name`.
    ///
    /// # Errors
    /// [`AgentError::BadState`] if it is missing.
    pub fn counter(&self, name: &str) -> Result<u64, AgentError> {
        let found = self.counters.iter().find(|(n, _)| n == name);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| AgentError::BadState(format!("there is no counter {name:?}")))
    }
}
