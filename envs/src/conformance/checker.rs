//! The state of a check: makes environments, catches panics, plays and compares.

use super::player::{Chooser, OwnedAction, Player, obs_difference, step_difference};
use super::spec::spec_fault;
use super::{CheckOptions, Make, Report, Rule, Subject};
use crate::{Context, EnvError, EnvSpec, Environment, SeedStream, Step};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) struct Checker<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) options: &'a CheckOptions,
    pub(super) spec: EnvSpec,
    pub(super) report: Report,
    /// False once the same episode was seen to differ from itself.
    pub(super) reproducible: bool,
}

/// How an episode begins and which actions it gets.
pub(super) struct Start {
    pub(super) seed: u64,
    pub(super) context: Context,
    pub(super) chooser: Chooser,
}

impl<'a> Checker<'a> {
    /// `None` if no environment can be made, or its spec is unsound and nothing can be played.
    pub(super) fn new(subject: &'a Subject<'a>, options: &'a CheckOptions) -> Option<Self> {
        let made =
            catch_unwind(AssertUnwindSafe(|| (subject.make)().map(|env| env.spec().clone())));
        let spec = made.ok()?.ok()?;
        if spec_fault(&spec).is_some() {
            return None;
        }
        let mut report = Report::new(&spec.id, &options.skip);
        for rule in [Rule::Constructor, Rule::Spec, Rule::NoPanic] {
            report.record((rule, ""), true, String::new);
        }
        Some(Self { subject, options, spec, report, reproducible: true })
    }

    /// The report where [`Checker::new`] gives `None`.
    pub(super) fn stillborn(make: &Make<'_>, options: &CheckOptions) -> Report {
        let made = catch_unwind(AssertUnwindSafe(|| make().map(|env| env.spec().clone())));
        let id = if let Ok(Ok(spec)) = &made { spec.id.clone() } else { String::new() };
        let mut report = Report::new(&id, &options.skip);
        let constructor = (Rule::Constructor, "the constructor");
        match made {
            Err(panic) => {
                report.record((Rule::NoPanic, "the constructor"), false, || message(&*panic));
            }
            Ok(Err(error)) => report.record(constructor, false, || error.to_string()),
            Ok(Ok(spec)) => {
                report.record(constructor, true, String::new);
                let fault = spec_fault(&spec);
                report.record((Rule::Spec, "the spec"), fault.is_none(), || {
                    fault.unwrap_or_default()
                });
            }
        }
        report.notes.push("nothing was played".into());
        report
    }

    /// Runs one part of the check and catches its panics.
    pub(super) fn section(&mut self, name: &'static str, part: fn(&mut Self) -> Option<()>) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| part(self))) {
            self.report.record((Rule::NoPanic, name), false, || message(&*panic));
        }
    }

    /// The same for a part that compares two runs.
    pub(super) fn comparison(&mut self, name: &'static str, part: fn(&mut Self) -> Option<()>) {
        if self.reproducible {
            self.section(name, part);
        } else {
            self.note(format!("not checked, as episodes are not reproducible: {name}"));
        }
    }

    /// `None` if the options skip `rule`, so that nothing is done for it.
    pub(super) fn wants(&self, rule: Rule) -> Option<()> {
        (!self.report.skipped.contains(&rule)).then_some(())
    }

    /// Adds a sentence on what limits the report.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.report.notes.push(note.into());
    }

    pub(super) fn finish(mut self) -> Report {
        let report = &mut self.report;
        let seen = |rule| report.checked.contains(&rule) || report.skipped.contains(&rule);
        let mut notes = Vec::new();
        if !seen(Rule::StepAfterEnd) {
            notes.push("no episode ended; allow more steps to see one end".to_owned());
        }
        if let Some(limit) = self.spec.time_limit_env_steps
            && !seen(Rule::TimeLimit)
        {
            notes.push(format!("no episode reached the time limit of {limit} env steps"));
        }
        report.notes.append(&mut notes);
        self.report
    }

    /// A new environment, checked to look like the first one.
    pub(super) fn fresh(&mut self) -> Option<Player> {
        match (self.subject.make)() {
            Ok(env) => {
                self.expect_spec("a second environment", &*env)?;
                Some(Player::new(env, &self.spec.obs))
            }
            Err(error) => {
                let again = (Rule::Constructor, "the constructor, called again");
                self.report.record(again, false, || error.to_string());
                None
            }
        }
    }

    /// `None` if the spec of `env` is not that of the first environment.
    pub(super) fn expect_spec(&mut self, case: &'static str, env: &dyn Environment) -> Option<()> {
        let same = *env.spec() == self.spec;
        let (first, now) = (&self.spec, env.spec());
        self.report.record((Rule::Spec, case), same, || format!("it was {first:?}, it is {now:?}"));
        same.then_some(())
    }

    /// Episode `index` with the default context.
    pub(super) fn start(&self, index: u32) -> Start {
        let stream = SeedStream::root(self.options.seed).index(u64::from(index));
        let chooser = Chooser::new(&self.spec.action, stream.stream("actions").seed());
        let context = self.spec.context.default_context();
        Start { seed: stream.stream("env").seed(), context, chooser }
    }

    /// A reset that must succeed.
    pub(super) fn reset(&mut self, player: &mut Player, start: &Start) -> Option<()> {
        let result = player.reset(start.seed, &start.context);
        let detail =
            |e: &EnvError| format!("seed {}, context {:?}: {e}", start.seed, start.context.values);
        self.succeed("reset", result, detail)
    }

    /// A step that must succeed.
    pub(super) fn step(&mut self, player: &mut Player, action: &OwnedAction) -> Option<Step> {
        let result = player.step(action);
        self.succeed("step", result, |e| format!("{action:?}: {e}"))
    }

    fn succeed<T>(
        &mut self,
        case: &'static str,
        result: Result<T, EnvError>,
        detail: impl FnOnce(&EnvError) -> String,
    ) -> Option<T> {
        let error = result.as_ref().err();
        self.report.record((Rule::ValidCalls, case), error.is_none(), || {
            error.map(detail).unwrap_or_default()
        });
        result.ok()
    }

    /// A call that must give an error; whether it did. A panic counts against the same rule.
    pub(super) fn refuse<T>(
        &mut self,
        (rule, case): (Rule, &'static str),
        detail: impl FnOnce() -> String,
        call: impl FnOnce() -> Result<T, EnvError>,
    ) -> bool {
        let (refused, what) = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(_)) => (false, "it was accepted".to_owned()),
            Ok(Err(_)) => (true, String::new()),
            Err(panic) => (false, message(&*panic)),
        };
        self.report.record((rule, case), refused, || {
            let detail = detail();
            if detail.is_empty() { what } else { format!("{detail}: {what}") }
        });
        refused
    }
}

/// Plays two environments with the same actions until the episode ends, a step fails in both or
/// `max_env_steps` are over. Whether it ended, or the first difference.
pub(super) fn compare(
    left: &mut Player,
    right: &mut Player,
    chooser: &mut Chooser,
    max_env_steps: u32,
) -> Result<bool, String> {
    for number in 1..=max_env_steps {
        let action = chooser.next();
        let (l, r) = (left.step(&action), right.step(&action));
        let difference = step_difference(&l, &r).or_else(|| {
            // After an error the buffers mean nothing.
            l.as_ref().ok().and_then(|_| obs_difference(&left.obs, &right.obs))
        });
        if let Some(difference) = difference {
            return Err(format!("at step {number} ({action:?}) {difference}"));
        }
        match l {
            Ok(step) if !step.outcome.ends_episode() => {}
            Ok(_) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
    Ok(false)
}

/// Resets two environments alike; the difference between their first observations.
pub(super) fn compare_resets(
    left: &mut Player,
    right: &mut Player,
    start: &Start,
) -> Result<(), String> {
    let results = (left.reset(start.seed, &start.context), right.reset(start.seed, &start.context));
    match results {
        (Ok(()), Ok(())) => match obs_difference(&left.obs, &right.obs) {
            Some(difference) => Err(format!("after the reset {difference}")),
            None => Ok(()),
        },
        (Err(_), Err(_)) => Ok(()),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => {
            Err(format!("only one reset fails: {error}"))
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("(no message)"))
}
