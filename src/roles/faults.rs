//! What follows when an environment fails in the middle of a run.

use anyhow::Error;
use contrail_envs::EnvError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What follows from a fault of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFault {
    /// The run stops with the fault as its error.
    Stop,
    /// All environments of the worker are made anew and begin new episodes.
    Restart,
    /// The episode is given up and a new one begins in the same environment; if even that fails,
    /// as it does when the worker is dead, all are made anew.
    SkipEpisode,
}

/// The rule for faults, with what is left of the number that a run survives. Clones share it.
#[derive(Clone, Debug)]
pub struct FaultPolicy {
    on_fault: OnFault,
    max_faults: u64,
    left: Arc<AtomicU64>,
}

/// A fault that was survived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Worker, environment, step and cause.
    pub text: String,
    /// Whether environments were made anew because of it.
    pub restarted: bool,
}

impl FaultPolicy {
    /// A policy that survives `max_faults` faults of all workers together.
    #[must_use]
    pub fn new(on_fault: OnFault, max_faults: u64) -> Self {
        Self { on_fault, max_faults, left: Arc::new(AtomicU64::new(max_faults)) }
    }

    /// What to do about `error`, which counts as one fault.
    ///
    /// # Errors
    /// The error itself if it is no fault of an environment, if the policy is to stop, or if no
    /// fault is left.
    pub(super) fn decide(&self, error: Error) -> Result<(OnFault, String), Error> {
        if self.on_fault == OnFault::Stop || !is_fault(&error) {
            return Err(error);
        }
        let took = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, took) {
            Ok(_) => Ok((self.on_fault, format!("{error:#}"))),
            Err(_) => Err(error.context(format!(
                "one fault more than the {} that env.max_faults allows",
                self.max_faults
            ))),
        }
    }
}

/// Whether the environment is to blame: it failed, panicked, or returned what is not a number. All
/// other errors of the contract are mistakes of the caller, which happen again.
fn is_fault(error: &Error) -> bool {
    error.downcast_ref::<EnvError>().is_none_or(|e| matches!(e, EnvError::Failed { .. }))
}
