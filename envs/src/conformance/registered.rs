//! The check of an environment that a registry knows.

use super::{CheckOptions, Report, Rule, Subject, check_subject};
use crate::{EnvError, EnvOptions, Environment, Registry, python};
use std::cell::RefCell;

/// Environments in Python that one worker process holds: a check takes about fifty, and starting
/// an interpreter takes longer than most of it.
const PYTHON_BATCH: usize = 32;

/// Checks every rule on the environment `id` as the registry makes it, with and without its time
/// limit.
///
/// Environments in Python are made by the batch; observations out of bounds are left to the check,
/// which names every bad element, and pictures are asked for unless [`Rule::Render`] is skipped.
#[must_use]
pub fn check_id(
    (registry, id): (&Registry, &str),
    env_options: &EnvOptions,
    options: &CheckOptions,
) -> Report {
    let mut limited = env_options.clone();
    limited.python.check_obs_bounds = false;
    limited.python.render = !options.skip.contains(&Rule::Render);
    let unlimited = EnvOptions { time_limit_env_steps: Some(0), ..limited.clone() };
    let in_python = python::is_python(id);
    let batch = |options, most: u32| {
        let size = if in_python { PYTHON_BATCH.min(most.max(1) as usize) } else { 1 };
        Batches { registry, id, options, size, spare: RefCell::default() }
    };
    let (limited, unlimited) = (batch(limited, u32::MAX), batch(unlimited, options.episodes));
    let inspect =
        |seed, max_env_steps| python::inspect(id, &limited.options, (seed, max_env_steps));
    let subject = Subject {
        make: &|| limited.take(),
        make_unlimited: Some(&|| unlimited.take()),
        inspect: if in_python { Some(&inspect) } else { None },
    };
    check_subject(&subject, options)
}

/// Hands out environments one by one and makes the next batch when they run out.
struct Batches<'a> {
    registry: &'a Registry,
    id: &'a str,
    options: EnvOptions,
    size: usize,
    spare: RefCell<Vec<Box<dyn Environment>>>,
}

impl Batches<'_> {
    fn take(&self) -> Result<Box<dyn Environment>, EnvError> {
        let mut spare = self.spare.borrow_mut();
        if spare.is_empty() {
            *spare = self.registry.make_batch(self.id, &self.options, self.size)?;
        }
        let none = || EnvError::Failed { env: self.id.into(), reason: "none was made".into() };
        spare.pop().ok_or_else(none)
    }
}
