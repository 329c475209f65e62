//! Groups of parameters that a shift may renew and align.

use crate::params::Layout;
use serde::{Deserialize, Serialize};

/// A group of parameters that a shift may renew and align.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Nothing.
    None,
    /// The layers that touch the observation: the torso, or the first layer where it has none.
    Stem,
    /// The latent dynamics.
    Dynamics,
    /// Everything but the decision heads.
    All,
    /// What the decision heads are: everything but the encoder, the shared layers, and what only
    /// contrastive distillation reads.
    Heads,
    /// Everything: a fresh start.
    Whole,
}

/// What updates leave alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frozen {
    /// Nothing.
    #[default]
    Nothing,
    /// Latent dynamics and outcome heads: what was learned of the world on the sources.
    Knowledge,
    /// Encoder and shared layers.
    Encoder,
    /// Everything but a part.
    #[serde(skip)]
    AllBut(Part),
}

impl Frozen {
    /// Whether the parameter `name` of `layout` is left alone.
    #[must_use]
    pub fn holds(self, layout: &Layout, name: &str) -> bool {
        let begins = |parts: &[&str]| parts.iter().any(|part| name.starts_with(part));
        match self {
            Self::Nothing => false,
            Self::Knowledge => begins(&["dynamics/", "outcome/"]),
            Self::Encoder => begins(&["encoder/", "shared/"]),
            Self::AllBut(part) => !part.holds(layout, name),
        }
    }
}

impl Part {
    /// The name as written in configs and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Stem => "stem",
            Self::Dynamics => "dynamics",
            Self::All => "all",
            Self::Heads => "heads",
            Self::Whole => "whole",
        }
    }

    /// Whether the parameter `name` of `layout` belongs to it.
    #[must_use]
    pub fn holds(self, layout: &Layout, name: &str) -> bool {
        let torso = layout.entries().iter().any(|entry| entry.name.starts_with("encoder/"));
        let stem = if torso { "encoder/" } else { "shared/0/" };
        let dynamics = name.starts_with("dynamics/");
        match self {
            Self::None => false,
            Self::Whole => true,
            Self::Stem => name.starts_with(stem),
            Self::Dynamics => dynamics,
            Self::Heads => !Self::All.holds(layout, name),
            Self::All => {
                let parts = ["encoder/", "shared/", "tokens", "projection/", "outcome/"];
                dynamics || parts.iter().any(|part| name.starts_with(part))
            }
        }
    }
}
