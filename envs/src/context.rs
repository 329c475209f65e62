//! Contexts: the named values that parameterise one episode's dynamics, reward or appearance.

use crate::EnvError;
use serde::{Deserialize, Serialize};

/// One named value of an environment's context: unit, default and bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextValue {
    /// Name, as users write it in a subspace.
    pub name: String,
    /// Unit, "1" if it has none.
    pub unit: String,
    /// What it changes, in a few words.
    pub doc: String,
    /// Value used when nothing else is said: the published environment.
    pub default: f64,
    /// Smallest allowed value.
    pub low: f64,
    /// Largest allowed value.
    pub high: f64,
}

impl ContextValue {
    /// A value called `name` in `unit` with a default and inclusive bounds.
    #[must_use]
    pub fn new(name: &str, unit: &str, default: f64, bounds: (f64, f64), doc: &str) -> Self {
        let (low, high) = bounds;
        Self { name: name.into(), unit: unit.into(), doc: doc.into(), default, low, high }
    }
}

/// The context values that an environment understands, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContextSpec {
    /// The values; their order is the order of [`Context::values`].
    pub values: Vec<ContextValue>,
}

impl ContextSpec {
    /// The context of the published environment.
    #[must_use]
    pub fn default_context(&self) -> Context {
        Context { values: self.values.iter().map(|v| v.default).collect() }
    }

    /// The default context with some values replaced.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`] for an unknown name (with the nearest known one) or a value
    /// out of bounds.
    pub fn with(&self, replaced: &[(&str, f64)]) -> Result<Context, EnvError> {
        let mut context = self.default_context();
        for (name, value) in replaced {
            let index = self.index(name)?;
            context.values[index] = *value;
        }
        self.check(&context)?;
        Ok(context)
    }

    /// Position of `name` in [`Context::values`].
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`] with the nearest known name.
    pub fn index(&self, name: &str) -> Result<usize, EnvError> {
        if let Some(index) = self.values.iter().position(|v| v.name == name) {
            return Ok(index);
        }
        let names = self.values.iter().map(|v| v.name.as_str());
        let nearest = names
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        Err(EnvError::InvalidContext(match nearest {
            Some(nearest) => {
                format!("there is no context value {name:?}; did you mean {nearest:?}?")
            }
            None => format!("there is no context value {name:?}: this environment has none"),
        }))
    }

    /// Refuses a context with another number of values, or with a value out of bounds.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`], naming the value and its bounds.
    pub fn check(&self, context: &Context) -> Result<(), EnvError> {
        if context.values.len() != self.values.len() {
            return Err(EnvError::InvalidContext(format!(
                "the context has {} values, this environment takes {}",
                context.values.len(),
                self.values.len()
            )));
        }
        for (spec, value) in self.values.iter().zip(&context.values) {
            let inside = *value >= spec.low && *value <= spec.high; // false for NaN
            if !inside {
                return Err(EnvError::InvalidContext(format!(
                    "context value {} is {value} {}, allowed {} to {}",
                    spec.name, spec.unit, spec.low, spec.high
                )));
            }
        }
        Ok(())
    }
}

/// Values for every entry of a [`ContextSpec`], in its order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// `[C]`.
    pub values: Vec<f64>,
}
