//! What the check found.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

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
    /// There is a picture, and it shows the state.
    Render,
}

impl Rule {
    /// Every rule, in the order of the report.
    pub const ALL: [Self; 20] = [
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

/// A way in which a rule is broken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was done when it broke, for example "a NaN in the action".
    pub case: &'static str,
    /// The first time it happened: what was asked, what came back.
    pub detail: String,
    /// How often it happened.
    pub times: u32,
}

/// What [`super::check`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Environment id; empty if the constructor fails.
    pub id: String,
    /// One for each way in which a rule is broken.
    pub violations: Vec<Violation>,
    /// Rules that were put to the test at least once.
    pub checked: BTreeSet<Rule>,
    /// Rules that the options skip.
    pub skipped: BTreeSet<Rule>,
    /// What limits this report, a sentence each.
    pub notes: Vec<String>,
    /// Episodes played with the default context.
    pub episodes: u32,
    /// Those that terminated.
    pub terminated: u32,
    /// Those that were truncated.
    pub truncated: u32,
    /// Steps in those episodes.
    pub env_steps: u64,
}

impl Report {
    pub(super) fn new(id: &str, skip: &[Rule]) -> Self {
        Self {
            id: id.to_owned(),
            violations: Vec::new(),
            checked: BTreeSet::new(),
            skipped: skip.iter().copied().collect(),
            notes: Vec::new(),
            episodes: 0,
            terminated: 0,
            truncated: 0,
            env_steps: 0,
        }
    }

    /// Whether no rule is broken.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.violations.is_empty()
    }

    /// The broken rules.
    #[must_use]
    pub fn broken_rules(&self) -> BTreeSet<Rule> {
        self.violations.iter().map(|violation| violation.rule).collect()
    }

    /// Notes that `rule` was put to the test and, unless `holds`, how it broke.
    pub(super) fn expect(
        &mut self,
        (rule, case): (Rule, &'static str),
        holds: bool,
        detail: impl FnOnce() -> String,
    ) {
        if self.skipped.contains(&rule) {
            return;
        }
        self.checked.insert(rule);
        if holds {
            return;
        }
        let known = self.violations.iter_mut().find(|v| (v.rule, v.case) == (rule, case));
        match known {
            Some(violation) => violation.times += 1,
            None => self.violations.push(Violation { rule, case, detail: detail(), times: 1 }),
        }
    }
}

/// One line a rule, the violations below it, and a verdict at the end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = if self.id.is_empty() { "(no environment)" } else { &self.id };
        writeln!(
            f,
            "{id}: {} episodes ({} terminated, {} truncated), {} env steps",
            self.episodes, self.terminated, self.truncated, self.env_steps
        )?;
        let broken = self.broken_rules();
        for rule in Rule::ALL {
            let verdict = match rule {
                rule if broken.contains(&rule) => "BROKEN",
                rule if self.skipped.contains(&rule) => "skipped",
                rule if self.checked.contains(&rule) => "ok",
                _ => "not seen",
            };
            writeln!(f, "  {verdict:<8}  {:<17}  {}", rule.name(), rule.sentence())?;
            for violation in self.violations.iter().filter(|v| v.rule == rule) {
                write!(f, "            - {}: {}", violation.case, violation.detail)?;
                match violation.times {
                    1 => writeln!(f)?,
                    times => writeln!(f, " (first of {times} times)")?,
                }
            }
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        match broken.len() {
            0 => write!(f, "{id} conforms."),
            n => write!(f, "{id} breaks {n} of {} rules.", Rule::ALL.len()),
        }
    }
}
