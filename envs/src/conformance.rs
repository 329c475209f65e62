//! The conformance check: plays any [`Environment`] with random actions and reports every rule of
//! the contract that it breaks.
//!
//! Test your own environment with it in one line:
//!
//! ```
//! use contrail_envs::conformance::{CheckOptions, check_id};
//! use contrail_envs::{EnvOptions, Registry};
//!
//! let id = "Probe/ObsReward-v0";
//! let report =
//!     check_id((&Registry::builtin(), id), &EnvOptions::default(), &CheckOptions::default());
//! assert!(report.conforms(), "{report}");
//! ```
//!
//! A broken environment gives violations, never a panic: panics of the environment are caught and
//! reported (the usual panic message appears as well). [`check`] takes any constructor; give it
//! what [`Registry::make`] gives: the time limit that a spec names is enforced there, so an
//! environment straight from its constructor breaks [`Rule::TimeLimit`].
//!
//! What it cannot tell: whether the dynamics are right, and whether the observation at the end of
//! an episode that terminates by itself is the final one. At the time limit it can, by playing the
//! same episode without the limit.
//!
//! [`Registry::make`]: crate::Registry::make

mod checker;
mod endings;
mod episodes;
mod play;
mod player;
mod refusals;
mod registered;
mod report;
mod rule;
mod spec;
mod states;
mod subspaces;
#[cfg(test)]
mod tests;
mod two_sample;

pub use play::{RandomActions, RandomPlay, random_play, steps_per_s};
pub use registered::check_id;
pub use report::{Report, SubspaceComparison, Violation};
pub use rule::Rule;

use crate::python::PythonFinding;
use crate::{EnvError, Environment, Subspace};
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
    /// Subspaces that must be told apart by [`Rule::SubspacesDiffer`]: one from the default
    /// context, several from each other.
    pub subspaces: Vec<Subspace>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            episodes: 4,
            max_env_steps_per_episode: 3000,
            skip: Vec::new(),
            subspaces: Vec::new(),
        }
    }
}

/// Makes the environment under test, anew with each call.
pub type Make<'a> = dyn Fn() -> Result<Box<dyn Environment>, EnvError> + 'a;
/// Looks, given a seed and a number of steps, for what only Python can see.
pub type Inspect<'a> = dyn Fn(u64, u32) -> Result<Vec<PythonFinding>, EnvError> + 'a;

/// What is checked: ways to make it and to look at it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Makes the environment.
    pub make: &'a Make<'a>,
    /// Makes it without its time limit; without this, [`Rule::FinalObs`] is not checked at the
    /// limit.
    pub make_unlimited: Option<&'a Make<'a>>,
    /// For environments in Python, [`crate::python::inspect`].
    pub inspect: Option<&'a Inspect<'a>>,
}

impl<'a> Subject<'a> {
    /// What `make` makes, and nothing else.
    #[must_use]
    pub fn new(make: &'a Make<'a>) -> Self {
        Self { make, make_unlimited: None, inspect: None }
    }
}

/// Checks every rule on the environment that `make` makes, less those that need more than a
/// constructor (see [`Subject`] and [`CheckOptions::subspaces`]). `make` is called a few dozen
/// times.
#[must_use]
pub fn check(make: &Make<'_>, options: &CheckOptions) -> Report {
    check_subject(&Subject::new(make), options)
}

/// Checks every rule on `subject`.
#[must_use]
pub fn check_subject(subject: &Subject<'_>, options: &CheckOptions) -> Report {
    let Some(mut checker) = Checker::new(subject, options) else {
        return Checker::stillborn(subject.make, options);
    };
    checker.section("episodes", episodes::inspect);
    checker.section("the bounds of contexts", episodes::contexts);
    checker.section("calls that must be refused", refusals::calls);
    checker.section("contexts that must be refused", refusals::contexts);
    checker.section("damaged states", refusals::garbage_states);
    checker.section("what only Python can see", endings::python_findings);
    checker.section("subspaces", subspaces::differ);
    // From here on two runs are compared, which says nothing if the same run differs from itself.
    checker.section("reproducibility", episodes::deterministic);
    checker.comparison("reset", episodes::reset_complete);
    checker.comparison("observation buffers", episodes::obs_written);
    checker.comparison("invalid actions", refusals::actions);
    checker.comparison("the observation at the time limit", endings::final_obs);
    checker.comparison("save and restore", states::save_restore);
    checker.comparison("rendering", states::render);
    checker.finish()
}
