//! Environments in Python: `gym:ID` for Gymnasium, `envpool:ID` for `EnvPool`.
//!
//! Environments that are made together live in one worker process of the user's own interpreter
//! and step together: each is an [`Environment`], its [`announce`](Environment::announce) writes
//! the action, and the first `step` has the worker do all announced ones.
//!
//! ```text
//! announce x E, step x E            one vector step of an actor
//!     Worker -- S --> python        socket: ten bytes both ways
//!     actions | rewards, outcomes, observations      shared memory
//! ```
//!
//! A fault (an exception, a wrong value, a dead or hanging worker) is an [`EnvError::Failed`] that
//! names environment, worker and Python's traceback; its caller knows the step. What follows from it is for the
//! caller to say; dropping all environments of a worker ends it.

mod options;
mod process;
mod wire;
mod worker;

pub use options::{
    ContextKind, ContextVia, ImageLayout, PythonContext, PythonOptions, PythonWrapper, WorkerLine,
    WorkerOutput,
};
pub use worker::{BareLoop, PythonFinding};

use crate::wrappers::TimeLimit;
use crate::{
    Action, Context, ContextSpec, Dtype, EnvError, EnvOptions, EnvSpec, Environment, ObsMut,
    ObsSpace, Registry, RgbFrame, Step, state,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use worker::Worker;

/// Prefixes of ids in Python.
const FAMILIES: [&str; 2] = ["gym", "envpool"];

/// Adds `gym:` and `envpool:`.
pub(crate) fn register(registry: &mut Registry) {
    for family in FAMILIES {
        registry.register_family(family, move |id, options, count| {
            let envs = batch((family, id), options, count)?;
            Ok(match options.time_limit_env_steps {
                Some(limit) if limit > 0 => {
                    let limited = |env| Box::new(TimeLimit::new(env, limit)) as _;
                    envs.into_iter().map(limited).collect()
                }
                _ => envs.into_iter().map(|env| Box::new(env) as _).collect(),
            })
        });
    }
}

/// Whether `id` is an environment in Python.
#[must_use]
pub fn is_python(id: &str) -> bool {
    id.split_once(':').is_some_and(|(prefix, _)| FAMILIES.contains(&prefix))
}

/// Where an environment is in its episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Phase {
    New,
    Running,
    Over,
}

/// One environment of a worker.
struct PythonEnv {
    worker: Arc<Mutex<Worker>>,
    row: usize,
    spec: EnvSpec,
    contexts: Arc<[PythonContext]>,
    check_obs_bounds: bool,
    announced: bool,
    phase: Phase,
}

/// `count` environments in one worker.
fn batch(
    (family, id): (&str, &str),
    options: &EnvOptions,
    count: usize,
) -> Result<Vec<PythonEnv>, EnvError> {
    let worker = Worker::start((family, id), options, count)?;
    let contexts: Arc<[PythonContext]> = options.python.contexts.clone().into();
    let spec = EnvSpec {
        id: format!("{family}:{id}"),
        obs: worker.obs.clone(),
        action: worker.action.clone(),
        context: ContextSpec { values: contexts.iter().map(|c| c.value.clone()).collect() },
        time_limit_env_steps: worker.time_limit,
    };
    let worker = Arc::new(Mutex::new(worker));
    let env = |row| PythonEnv {
        worker: Arc::clone(&worker),
        row,
        spec: spec.clone(),
        contexts: Arc::clone(&contexts),
        check_obs_bounds: options.python.check_obs_bounds && breakable(&spec.obs),
        announced: false,
        phase: Phase::New,
    };
    Ok((0..count).map(env).collect())
}

/// Whether an observation can be out of bounds; bytes from 0 to 255 cannot.
fn breakable(space: &ObsSpace) -> bool {
    let every_byte = space.low == [0.0] && space.high == [255.0];
    space.dtype != Dtype::U8 || !every_byte
}

impl PythonEnv {
    fn check_phase(&self) -> Result<(), EnvError> {
        let when = match self.phase {
            Phase::Running => return Ok(()),
            Phase::New => "before the first reset",
            Phase::Over => "after the end of the episode",
        };
        Err(EnvError::NeedsReset { env: self.spec.id.clone(), when })
    }

    fn check_buffer(&self, obs: &mut ObsMut<'_>) -> Result<(), EnvError> {
        match self.spec.obs.dtype {
            Dtype::F32 => obs.f32(&self.spec.id, self.spec.obs.len()).map(|_| ()),
            Dtype::U8 => obs.u8(&self.spec.id, self.spec.obs.len()).map(|_| ()),
        }
    }

    /// Bounds of the space, NaN included.
    fn check_bounds(&self, obs: &ObsMut<'_>) -> Result<(), EnvError> {
        let violations =
            if self.check_obs_bounds { self.spec.obs.violations(obs.as_ref()) } else { Vec::new() };
        match &violations[..] {
            [] => Ok(()),
            [first, rest @ ..] => {
                let more = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" (and {} more elements)", rest.len())
                };
                Err(self.worker.lock().failed(format!(
                    "environment {}: the observation is out of its declared bounds: {first}{more}; \
                     env.check_obs_bounds = false accepts it",
                    self.row
                )))
            }
        }
    }
}

impl Environment for PythonEnv {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        self.check_buffer(&mut obs)?;
        (self.announced, self.phase) = (false, Phase::New);
        let begin = (seed, (&*self.contexts, context));
        self.worker.lock().reset(self.row, begin, obs.reborrow())?;
        self.check_bounds(&obs)?;
        self.phase = Phase::Running;
        Ok(())
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.check_phase()?;
        self.worker.lock().announce(self.row, action)?;
        self.announced = true;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        self.check_phase()?;
        self.check_buffer(&mut obs)?;
        let mut worker = self.worker.lock();
        if !std::mem::take(&mut self.announced) {
            worker.announce(self.row, action)?;
        }
        let step = worker.take_step(self.row, obs.reborrow());
        drop(worker);
        let step = step.and_then(|step| self.check_bounds(&obs).map(|()| step));
        self.phase = match &step {
            Ok(step) if !step.outcome.ends_episode() => Phase::Running,
            _ => Phase::Over,
        };
        step
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        let pickled = self.worker.lock().save(self.row)?;
        state::save(&self.spec.id, &(self.phase, pickled), out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let (phase, pickled): (Phase, Vec<u8>) = state::restore(&self.spec.id, state)?;
        self.worker.lock().load(self.row, &pickled)?;
        (self.announced, self.phase) = (false, phase);
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.worker.lock().render(self.row, frame)
    }
}

/// Steps a second of a plain Python loop over `count` environments of `id`, in a worker of the
/// kind that the bridge uses.
///
/// # Errors
/// If `id` is not in Python, or the environment fails.
pub fn bare_loop(
    id: &str,
    options: &EnvOptions,
    (count, duration): (usize, Duration),
) -> Result<BareLoop, EnvError> {
    worker_of(id, options, count)?.bare_loop(duration)
}

/// Plays up to `max_env_steps` random steps in Python and reports what only Python can see.
///
/// # Errors
/// If `id` is not in Python, or the environment fails.
pub fn inspect(
    id: &str,
    options: &EnvOptions,
    (seed, max_env_steps): (u64, u32),
) -> Result<Vec<PythonFinding>, EnvError> {
    worker_of(id, options, 1)?.inspect(seed, max_env_steps)
}

fn worker_of(id: &str, options: &EnvOptions, count: usize) -> Result<Worker, EnvError> {
    match id.split_once(':') {
        Some(parts) if is_python(id) => Worker::start(parts, options, count),
        _ => Err(EnvError::BadOption(format!("{id:?} is not an environment in Python"))),
    }
}
