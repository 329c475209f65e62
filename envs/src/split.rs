//! Splits: which subspaces an agent learns in, and which it is judged in.

use crate::subspace::Patch;
use crate::{ContextSpec, EnvError, Subspace};
use serde::{Deserialize, Serialize};

/// What a split asks of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitKind {
    /// Targets lie between sources.
    Interpolation,
    /// Targets lie beyond sources.
    Extrapolation,
    /// Targets look different and behave alike.
    Appearance,
    /// Targets ask for something else in the same world.
    Goal,
}

/// Source and target subspaces, without a context in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// What it asks of an agent.
    pub kind: SplitKind,
    /// Subspaces that are learned in.
    pub source: Vec<Subspace>,
    /// Subspaces that are judged in.
    pub target: Vec<Subspace>,
}

impl Split {
    /// Refuses a split without sources or targets, one of whose subspaces does not suit `spec`,
    /// and one that could draw the same context as a source and as a target.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`]; for an overlap it names both subspaces and, for each context
    /// value that either of them names, what they share.
    pub fn check(&self, spec: &ContextSpec) -> Result<(), EnvError> {
        for (name, side) in [("source", &self.source), ("target", &self.target)] {
            if side.is_empty() {
                let text = format!("the split has no {name} subspace, it needs at least one");
                return Err(EnvError::InvalidContext(text));
            }
            side.iter().try_for_each(|subspace| subspace.check(spec))?;
        }
        for source in &self.source {
            for target in &self.target {
                if let Some(shared) = shared(spec, source, target) {
                    return Err(EnvError::InvalidContext(format!(
                        "source subspace {} and target subspace {} share contexts: {shared}",
                        source.name, target.name
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Products of shared contexts that an error lists.
const MAX_LISTED: usize = 3;

/// What two subspaces share, value by value; `None` if they never draw the same context.
fn shared(spec: &ContextSpec, a: &Subspace, b: &Subspace) -> Option<String> {
    let patches = a.shared(b, spec);
    let list = |patch: &Patch| {
        let values = spec.values.iter().enumerate();
        let named = values.filter(|(_, value)| a.names(&value.name) || b.names(&value.name));
        let parts = named.map(|(index, value)| format!("{} {}", value.name, patch.support(index)));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { "the default context".to_owned() } else { parts.join(", ") }
    };
    let listed: Vec<String> = patches.iter().take(MAX_LISTED).map(list).collect();
    let more = match patches.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!listed.is_empty()).then(|| listed.join("; ") + &more)
}

#[cfg(test)]
mod tests;
