//! A batch of environments in one worker process: requests in the units of the contract.
//!
//! Per step the two sides exchange ten bytes over the socket; actions, rewards and observations
//! lie in a file that the worker has mapped. It is read and written here by position, which the
//! kernel makes coherent with the mapping, so no memory is shared with Rust's own.

use super::options::{PythonContext, PythonOptions, WorkerLine};
use super::process::{Answer, Process, Silence};
use super::wire::{Failure, Init, Offsets, Ready, RowFault};
use crate::{Action, ActionSpace, Context, EnvError, ObsMut, ObsSpace, Outcome, RgbFrame};
use crate::{EnvOptions, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Steps that a plain Python loop did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BareLoop {
    /// Env steps of all environments together.
    pub steps: u64,
    /// Time they took.
    pub seconds: f64,
}

/// Something wrong that only Python can see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PythonFinding {
    /// `aliasing` or `autoreset`.
    pub rule: String,
    /// What happened.
    pub detail: String,
}

/// How far a row is with its next step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// Nothing is under way.
    Nothing,
    /// The action is written, and the worker does not know yet.
    Announced,
    /// The worker did the step; nobody has taken the result.
    Done,
}

/// A worker and its environments.
pub(super) struct Worker {
    process: Process,
    memory: File,
    env: String,
    pub(super) obs: ObsSpace,
    pub(super) action: ActionSpace,
    pub(super) time_limit: Option<u32>,
    offsets: Offsets,
    step_timeout: Duration,
    pending: Vec<Pending>,
    faults: Vec<Option<String>>,
    /// Actions, then a byte a row that says whether it steps.
    request: Vec<u8>,
    /// Rewards, outcomes and observations of the last step.
    results: Vec<u8>,
    /// Why the worker is gone, if it is.
    dead: Option<String>,
}

impl Worker {
    /// Starts a worker with `count` environments of `id`.
    pub(super) fn start(
        (family, id): (&str, &str),
        options: &EnvOptions,
        count: usize,
    ) -> Result<Self, EnvError> {
        let python = &options.python;
        let env = format!("{family}:{id}");
        let failed = |reason: String| EnvError::Failed { env: env.clone(), reason };
        let memory = shared_memory().map_err(|e| failed(format!("no shared memory: {e}")))?;
        let theirs = memory.try_clone().map_err(|e| failed(format!("no shared memory: {e}")))?;
        let program = (python.interpreter.as_path(), env.as_str());
        let mut process = Process::start(program, theirs, python.output.clone())
            .map_err(|e| EnvError::BadOption(format!("{env}: env.python: {e}")))?;
        let init = Init {
            family,
            id,
            count,
            kwargs: &options.kwargs,
            wrappers: &python.wrappers,
            obs_keys: &python.obs_keys,
            image_layout: python.image_layout,
            contexts: !python.contexts.is_empty(),
            unlimited: options.time_limit_env_steps.is_some(),
            render: python.render,
        };
        let ready = ask_ready(&mut process, &init, (&env, python))?;
        for text in ready.notes {
            python.output.push(WorkerLine { worker: process.number, text });
        }
        let action = ready.action.space();
        Ok(Self {
            process,
            memory,
            env,
            obs: ready.obs.space(),
            action,
            time_limit: ready.time_limit,
            offsets: ready.offsets,
            step_timeout: python.step_timeout,
            pending: vec![Pending::Nothing; count],
            faults: (0..count).map(|_| None).collect(),
            request: vec![0; ready.offsets.commands + count],
            results: vec![0; ready.offsets.size - ready.offsets.rewards],
            dead: None,
        })
    }

    /// Number and process, as messages name this worker.
    pub(super) fn name(&self) -> String {
        format!("worker {} (process {})", self.process.number, self.process.pid())
    }

    pub(super) fn failed(&self, reason: impl std::fmt::Display) -> EnvError {
        EnvError::Failed { env: self.env.clone(), reason: format!("{}, {reason}", self.name()) }
    }

    /// Writes the action of `row` for the next step.
    pub(super) fn announce(&mut self, row: usize, action: Action<'_>) -> Result<(), EnvError> {
        self.action.check(&self.env, action)?;
        match action {
            Action::Discrete(index) => {
                self.request[8 * row..8 * (row + 1)].copy_from_slice(&(index as i64).to_ne_bytes());
            }
            Action::Box(values) => {
                let own = &mut self.request[4 * values.len() * row..][..4 * values.len()];
                for (bytes, value) in own.chunks_exact_mut(4).zip(values) {
                    bytes.copy_from_slice(&value.to_ne_bytes());
                }
            }
        }
        self.pending[row] = Pending::Announced;
        Ok(())
    }

    /// The step of `row`, whose action was announced, with its observation. All announced steps
    /// are done together when the first of them is asked for.
    pub(super) fn take_step(&mut self, row: usize, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        if self.pending[row] == Pending::Announced {
            self.flush()?;
        }
        self.pending[row] = Pending::Nothing;
        if let Some(reason) = self.faults[row].take() {
            return Err(self.failed(format!("environment {row}: {reason}")));
        }
        let at = 8 * row;
        let mut reward = [0; 8];
        reward.copy_from_slice(&self.results[at..at + 8]);
        let outcome = match self.results[self.offsets.outcomes - self.offsets.rewards + row] {
            0 => Outcome::Continue,
            1 => Outcome::Terminated,
            _ => Outcome::Truncated,
        };
        let begin = self.offsets.obs - self.offsets.rewards + row * self.obs.bytes();
        copy_obs(&self.results[begin..begin + self.obs.bytes()], obs);
        #[expect(clippy::cast_possible_truncation, reason = "rewards are f32 in the contract")]
        Ok(Step::new(f64::from_ne_bytes(reward) as f32, outcome))
    }

    /// Has the worker do every announced step.
    fn flush(&mut self) -> Result<(), EnvError> {
        for (command, pending) in
            self.request[self.offsets.commands..].iter_mut().zip(&mut self.pending)
        {
            *command = u8::from(*pending == Pending::Announced);
            if *command == 1 {
                *pending = Pending::Done;
            }
        }
        self.check_alive()?;
        let written = self.memory.write_all_at(&self.request, 0);
        written.map_err(|e| self.failed(format!("cannot write the shared memory: {e}")))?;
        let answer = self.ask((b'S', &[]), self.step_timeout)?;
        if !answer.payload.is_empty() {
            let faults: Vec<RowFault> = self.parse(&answer.payload)?;
            for RowFault { row, reason } in faults {
                if let Some(fault) = self.faults.get_mut(row) {
                    *fault = Some(reason);
                }
            }
        }
        let read = self.memory.read_exact_at(&mut self.results, self.offsets.rewards as u64);
        read.map_err(|e| self.failed(format!("cannot read the shared memory: {e}")))
    }

    /// Begins an episode of `row`; its announced step is forgotten.
    pub(super) fn reset(
        &mut self,
        row: usize,
        (seed, context): (u64, (&[PythonContext], &Context)),
        obs: ObsMut<'_>,
    ) -> Result<(), EnvError> {
        self.pending[row] = Pending::Nothing;
        self.faults[row] = None;
        let (specs, values) = context;
        let context: Vec<Value> = specs
            .iter()
            .zip(&values.values)
            .map(|(spec, value)| {
                json!({"name": spec.value.name, "via": spec.via, "value": spec.kind.to_python(*value)})
            })
            .collect();
        // 31 bits, which every generator of the Python world takes.
        let mut request = Vec::from((row as u32).to_le_bytes());
        request.extend_from_slice(&((seed >> 33) as u32).to_le_bytes());
        if !context.is_empty() {
            request.extend_from_slice(Value::Array(context).to_string().as_bytes());
        }
        let answer = self.ask((b'Z', &request), self.step_timeout)?;
        self.done(answer, &format!("environment {row}, reset"))?;
        let mut bytes = vec![0; self.obs.bytes()];
        let at = self.offsets.obs + row * self.obs.bytes();
        let read = self.memory.read_exact_at(&mut bytes, at as u64);
        read.map_err(|e| self.failed(format!("cannot read the shared memory: {e}")))?;
        copy_obs(&bytes, obs);
        Ok(())
    }

    /// The pickled environment `row`.
    pub(super) fn save(&mut self, row: usize) -> Result<Vec<u8>, EnvError> {
        let request = json!({ "row": row }).to_string();
        let answer = self.ask((b'P', request.as_bytes()), self.step_timeout)?;
        if answer.letter == b'D' {
            return Ok(answer.payload);
        }
        let failure: Failure = self.parse(&answer.payload)?;
        Err(EnvError::Unsavable { env: self.env.clone(), reason: failure.reason })
    }

    /// Puts a pickled environment in the place of `row`.
    pub(super) fn load(&mut self, row: usize, pickled: &[u8]) -> Result<(), EnvError> {
        self.pending[row] = Pending::Nothing;
        let row_bytes = u32::try_from(row).unwrap_or(u32::MAX).to_le_bytes();
        let request = [&row_bytes[..], pickled].concat();
        let answer = self.ask((b'L', &request), self.step_timeout)?;
        self.done(answer, &format!("environment {row}, restore")).map(|_| ()).map_err(|error| {
            EnvError::BadState { env: self.env.clone(), reason: error.to_string() }
        })
    }

    /// Draws environment `row`.
    pub(super) fn render(&mut self, row: usize, frame: &mut RgbFrame) -> Result<(), EnvError> {
        let request = json!({ "row": row }).to_string();
        let answer = self.ask((b'V', request.as_bytes()), self.step_timeout)?;
        let picture = self.done(answer, &format!("environment {row}, render"))?;
        let Some((head, pixels)) = picture.split_first_chunk::<8>() else {
            return Err(self.failed("a picture without a size"));
        };
        let size = |at: usize| {
            u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
        };
        (frame.width, frame.height) = (size(0), size(4));
        frame.pixels.clear();
        frame.pixels.extend_from_slice(pixels);
        Ok(())
    }

    /// Runs a plain Python loop over the environments in the worker.
    pub(super) fn bare_loop(&mut self, duration: Duration) -> Result<BareLoop, EnvError> {
        let request = json!({ "seconds": duration.as_secs_f64() }).to_string();
        let timeout = duration + self.step_timeout;
        let answer = self.ask((b'M', request.as_bytes()), timeout)?;
        let payload = self.done(answer, "bare loop")?;
        self.parse(&payload)
    }

    /// Looks for what only Python can see.
    pub(super) fn inspect(
        &mut self,
        seed: u64,
        max_env_steps: u32,
    ) -> Result<Vec<PythonFinding>, EnvError> {
        let request = json!({"seed": seed >> 33, "max_steps": max_env_steps}).to_string();
        let answer = self.ask((b'C', request.as_bytes()), self.step_timeout * 10)?;
        let payload = self.done(answer, "inspection")?;
        self.parse(&payload)
    }

    /// The payload of an answer that must not be a failure.
    fn done(&self, answer: Answer, what: &str) -> Result<Vec<u8>, EnvError> {
        if answer.letter == b'D' {
            return Ok(answer.payload);
        }
        let failure: Failure = self.parse(&answer.payload)?;
        Err(self.failed(format!("{what}: {}", failure.reason)))
    }

    fn parse<T: for<'a> Deserialize<'a>>(&self, payload: &[u8]) -> Result<T, EnvError> {
        serde_json::from_slice(payload).map_err(|e| self.failed(format!("a garbled answer: {e}")))
    }

    fn check_alive(&self) -> Result<(), EnvError> {
        match &self.dead {
            Some(reason) => Err(self.failed(reason)),
            None => Ok(()),
        }
    }

    fn ask(&mut self, request: (u8, &[u8]), timeout: Duration) -> Result<Answer, EnvError> {
        self.check_alive()?;
        let answer = self.process.send(request).and_then(|()| self.process.receive(timeout));
        answer.map_err(|silence| {
            let at = self.cursor().map_or_else(String::new, |row| format!("environment {row}: "));
            let (Silence::Ended(reason) | Silence::TimedOut(reason)) = silence;
            let error = self.failed(format!("{at}{reason}"));
            self.dead = Some(format!("it is gone: {}", first_line(&reason)));
            error
        })
    }

    /// The environment that the worker was busy with.
    fn cursor(&self) -> Option<i64> {
        let mut row = [0; 8];
        self.memory.read_exact_at(&mut row, self.offsets.cursor as u64).ok()?;
        Some(i64::from_ne_bytes(row))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}

/// Sends the first request and reads what the environments look like.
fn ask_ready(
    process: &mut Process,
    init: &Init<'_>,
    (env, python): (&str, &PythonOptions),
) -> Result<Ready, EnvError> {
    let failed = |reason: String| EnvError::Failed { env: env.to_owned(), reason };
    let request = serde_json::to_vec(init).map_err(|e| failed(e.to_string()))?;
    let answer =
        process.send((b'I', &request)).and_then(|()| process.receive(python.start_timeout));
    let number = process.number;
    let answer = answer.map_err(|silence| {
        let (Silence::Ended(reason) | Silence::TimedOut(reason)) = silence;
        failed(format!("worker {number} did not start: {reason}"))
    })?;
    if answer.letter != b'D' {
        let failure: Failure =
            serde_json::from_slice(&answer.payload).map_err(|e| failed(e.to_string()))?;
        return Err(if failure.refused {
            EnvError::BadOption(format!("{env}: {}", failure.reason))
        } else {
            failed(format!("worker {number} cannot make it: {}", failure.reason))
        });
    }
    serde_json::from_slice(&answer.payload).map_err(|e| failed(format!("a garbled answer: {e}")))
}

/// A file without a name in memory; it is gone with the last process that has it open.
fn shared_memory() -> std::io::Result<File> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() }
}

/// Copies an observation as it lies in the shared memory.
fn copy_obs(bytes: &[u8], obs: ObsMut<'_>) {
    match obs {
        ObsMut::U8(out) => out.copy_from_slice(bytes),
        ObsMut::F32(out) => {
            for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
    }
}
