//! The conformance check: plays any [`Environment`] with random actions and reports every rule of
//! the contract that it breaks.
//!
//! Test your own environment with it in one line:
//!
//! ```
//! use contrail_envs::conformance::{CheckOptions, check};
//! use contrail_envs::{EnvOptions, Registry};
//!
//! let registry = Registry::builtin();
//! let make = || registry.make("Probe/ObsReward-v0", &EnvOptions::default());
//! let report = check(&make, &CheckOptions::default());
//! assert!(report.conforms(), "{report}");
//! ```
//!
//! A broken environment gives violations, never a panic: panics of the environment are caught and
//! reported (the usual panic message appears as well). Give the check what [`Registry::make`]
//! gives: the time limit that a spec names is enforced there, so an environment straight from its
//! constructor breaks [`Rule::TimeLimit`].
//!
//! What it cannot tell: whether the dynamics are right, and whether the observation at the end of
//! an episode is the final one.
//!
//! [`Registry::make`]: crate::Registry::make

mod checker;
mod episodes;
mod player;
mod refusals;
mod report;
mod spec;
mod states;
#[cfg(test)]
mod tests;

pub use report::{Report, Rule, Violation};

use crate::{EnvError, Environment};
use checker::Checker;

/// How long to look, and at what.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOptions {
    /// Root seed of everything random in the check.
    pub seed: u64,
    /// Episodes to play; at least 1.
    pub episodes: u32,
    /// Steps after which an episode is abandoned.
    pub max_env_steps_per_episode: u32,
    /// Rules that need not hold. An environment that cannot be saved skips
    /// [`Rule::SaveRestore`], and then a run on it cannot be resumed exactly.
    pub skip: Vec<Rule>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { seed: 0, episodes: 4, max_env_steps_per_episode: 3000, skip: Vec::new() }
    }
}

type Make<'a> = dyn Fn() -> Result<Box<dyn Environment>, EnvError> + 'a;

/// Checks every rule on the environment that `make` makes. `make` is called a few dozen times.
#[must_use]
pub fn check(make: &Make<'_>, options: &CheckOptions) -> Report {
    let Some(mut checker) = Checker::new(make, options) else {
        return Checker::stillborn(make, options);
    };
    checker.section("episodes", episodes::inspect);
    checker.section("the bounds of contexts", episodes::contexts);
    checker.section("calls that must be refused", refusals::calls);
    checker.section("contexts that must be refused", refusals::contexts);
    checker.section("damaged states", refusals::garbage_states);
    // From here on two runs are compared, which says nothing if the same run differs from itself.
    checker.section("reproducibility", episodes::deterministic);
    checker.comparison("reset", episodes::reset_complete);
    checker.comparison("observation buffers", episodes::obs_written);
    checker.comparison("invalid actions", refusals::actions);
    checker.comparison("save and restore", states::save_restore);
    checker.comparison("rendering", states::render);
    checker.finish()
}
