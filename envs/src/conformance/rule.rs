//! The rules of the contract.

use serde::{Deserialize, Serialize};

/// A rule of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The constructor succeeds.
    Constructor,
    /// The spec is sound and never changes.
    Spec,
    /// No call panics.
    NoPanic,
    /// Valid calls succeed.
    ValidCalls,
    /// Observations are in their space.
    ObsInSpace,
    /// Rewards are finite.
    RewardFinite,
    /// A step is at least one frame.
    FramesPositive,
    /// The time limit of the spec holds.
    TimeLimit,
    /// No step before a reset.
    StepBeforeReset,
    /// No step after the end.
    StepAfterEnd,
    /// Buffers that do not fit are refused.
    WrongBuffer,
    /// Contexts out of bounds are refused.
    ContextBounds,
    /// Damaged states are refused.
    GarbageState,
    /// The same seed and actions give the same episode.
    Deterministic,
    /// A reset forgets everything.
    ResetComplete,
    /// The whole observation is written.
    ObsWritten,
    /// Invalid actions are refused.
    InvalidAction,
    /// Refused actions change nothing.
    RefusalHarmless,
    /// A restored environment continues exactly.
    SaveRestore,
    /// The observation at the end is the episode's last.
    FinalObs,
    /// Returned observations stay as they are.
    Aliasing,
    /// Declared subspaces differ.
    SubspacesDiffer,
    /// There is a picture, and it shows the state.
    Render,
}

impl Rule {
    /// Every rule, in the order of the report.
    pub const ALL: [Self; 23] = [
        Self::Constructor,
        Self::Spec,
        Self::NoPanic,
        Self::ValidCalls,
        Self::ObsInSpace,
        Self::RewardFinite,
        Self::FramesPositive,
        Self::TimeLimit,
        Self::StepBeforeReset,
        Self::StepAfterEnd,
        Self::WrongBuffer,
        Self::ContextBounds,
        Self::GarbageState,
        Self::Deterministic,
        Self::ResetComplete,
        Self::ObsWritten,
        Self::InvalidAction,
        Self::RefusalHarmless,
        Self::SaveRestore,
        Self::FinalObs,
        Self::Aliasing,
        Self::SubspacesDiffer,
        Self::Render,
    ];

    /// The rule as a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Constructor => "The constructor succeeds each time.",
            Self::Spec => "Spaces, bounds and contexts are sound and never change.",
            Self::NoPanic => "No call panics.",
            Self::ValidCalls => {
                "A reset with an allowed context and a step with an allowed action succeed."
            }
            Self::ObsInSpace => "Every element of every observation is within its bounds.",
            Self::RewardFinite => "Rewards are finite.",
            Self::FramesPositive => "A step takes at least one frame.",
            Self::TimeLimit => {
                "Episodes are truncated at the time limit of the spec, never earlier or later."
            }
            Self::StepBeforeReset => "A step before the first reset is an error.",
            Self::StepAfterEnd => "A step after the end of the episode is an error.",
            Self::WrongBuffer => "An observation buffer of another length or dtype is an error.",
            Self::ContextBounds => {
                "A context with a value too many, too few or out of bounds is an error."
            }
            Self::GarbageState => "Restoring a damaged or foreign state is an error.",
            Self::Deterministic => "The same seed, context and actions give the same episode.",
            Self::ResetComplete => "A reset forgets all earlier episodes.",
            Self::ObsWritten => {
                "Every element of the observation buffer is written, and none is read."
            }
            Self::InvalidAction => "An action outside the action space is an error.",
            Self::RefusalHarmless => "A refused action changes nothing.",
            Self::SaveRestore => "A restored environment continues exactly like the saved one.",
            Self::FinalObs => {
                "The observation at the time limit is that of the same episode without the limit, \
                 never the first of the next."
            }
            Self::Aliasing => "An observation that was returned never changes afterwards.",
            Self::SubspacesDiffer => "Episodes in the declared subspaces can be told apart.",
            Self::Render => "After a reset there is a picture, the same one for the same state.",
        }
    }

    /// The rule's name in reports and options, for example `obs-in-space`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}
