//! The workers: who acts, who learns, who measures. Each owns its state and takes plain data; who
//! runs them, in one thread or many, is [`crate::run`].

mod actor;
mod evaluator;
mod exploration;
mod faults;
mod learner;
mod preparer;
mod snapshot;

pub use actor::{ActReport, Actor, ActorParts, ActorState, EpisodeEnd};
pub use evaluator::{
    Budget, BudgetedReturn, Evaluation, Evaluator, EvaluatorParts, mean_and_std_error,
};
pub use exploration::Exploration;
pub use faults::{Fault, FaultPolicy, OnFault};
pub use learner::{LearnReport, Learned, Learner, LearnerState};
pub use preparer::{AlignData, Preparer, PreparerParts};
pub use snapshot::SnapshotCell;

use anyhow::{Result, bail, ensure};
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{Action, Dtype, EnvError, Environment, ObsMut, ObsRef, ObsSpace};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Zeros for `rows` observations of `space`, in the form that a policy reads.
fn obs_batch(space: &ObsSpace, rows: usize) -> ObsBatch {
    match space.dtype {
        Dtype::F32 => ObsBatch::F32(vec![0.0; rows * space.len()]),
        Dtype::U8 => ObsBatch::U8(vec![0; rows * space.len()]),
    }
}

/// Observation `row` of `batch`, writable.
fn row_mut(batch: &mut ObsBatch, row: usize, len: usize) -> ObsMut<'_> {
    match batch {
        ObsBatch::F32(v) => ObsMut::F32(&mut v[row * len..(row + 1) * len]),
        ObsBatch::U8(v) => ObsMut::U8(&mut v[row * len..(row + 1) * len]),
    }
}

/// Observation `row` of `batch`.
fn row_ref(batch: &ObsBatch, row: usize, len: usize) -> ObsRef<'_> {
    match batch {
        ObsBatch::F32(v) => ObsRef::F32(&v[row * len..(row + 1) * len]),
        ObsBatch::U8(v) => ObsRef::U8(&v[row * len..(row + 1) * len]),
    }
}

/// Action `row` of `rows` in `actions`, as an environment takes it.
fn action_row(actions: &ActionBatch, row: usize, rows: usize) -> Action<'_> {
    match actions {
        // A negative index cannot come from a policy; the environment would refuse this one.
        ActionBatch::Discrete(a) => Action::Discrete(usize::try_from(a[row]).unwrap_or(usize::MAX)),
        ActionBatch::Box(a) => {
            let len = a.len() / rows;
            Action::Box(&a[row * len..(row + 1) * len])
        }
    }
}

/// Makes the environments of one worker: at its start, and anew after a fault.
pub type MakeEnvs = Box<dyn Fn() -> Result<Vec<Box<dyn Environment>>, EnvError> + Send>;

/// Calls an environment. A panic becomes an error, so that it is reported with the worker and the
/// environment it came from. Whatever state it left, `reset` must forget it.
fn guarded<T>(call: impl FnOnce() -> Result<T, EnvError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Ok(result?),
        Err(panic) => bail!("the environment panicked: {}", panic_text(panic.as_ref())),
    }
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Refuses a reward that is NaN or infinite.
fn check_reward(reward: f32) -> Result<()> {
    ensure!(reward.is_finite(), "the reward is {reward}, allowed: finite numbers");
    Ok(())
}

/// Refuses an observation that is NaN or infinite anywhere, before it reaches a policy.
fn check_obs(obs: ObsRef<'_>) -> Result<()> {
    if let ObsRef::F32(values) = obs
        && let Some(index) = values.iter().position(|value| !value.is_finite())
    {
        let value = values[index];
        bail!("element {index} of the observation is {value}, allowed: finite numbers");
    }
    Ok(())
}
