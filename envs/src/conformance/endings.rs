//! Rules about the observation at the end of an episode, and about buffers that Python keeps.

use super::Rule;
use super::checker::{Checker, compare_resets};
use super::player::{Player, obs_difference, step_difference};
use crate::{EnvError, Outcome, Step, python};

/// Steps that are watched from inside Python.
const INSPECTED_ENV_STEPS: u32 = 1000;

/// Whether arrays change after they were returned, and whether episodes begin by themselves.
pub(super) fn python_findings(c: &mut Checker<'_>) -> Option<()> {
    let Some(inspect) = c.subject.inspect else {
        if !python::is_python(&c.spec.id) {
            // The rule holds by construction.
            c.report.record((Rule::Aliasing, "by construction"), true, String::new);
            c.note("aliasing cannot be: the caller owns the observation buffers");
        }
        return None;
    };
    let findings = match inspect(c.options.seed, INSPECTED_ENV_STEPS) {
        Ok(findings) => findings,
        Err(error) => {
            // The whole of it, with Python's traceback, breaks another rule.
            let text = error.to_string();
            c.note(format!(
                "aliasing was not checked: {}",
                text.lines().last().unwrap_or_default()
            ));
            return None;
        }
    };
    c.report.record((Rule::Aliasing, "the arrays in Python"), true, String::new);
    for finding in findings {
        let (rule, case) = match finding.rule.as_str() {
            "autoreset" => (Rule::FinalObs, "automatic reset"),
            _ => (Rule::Aliasing, "an array in Python"),
        };
        c.report.record((rule, case), false, || finding.detail);
    }
    Some(())
}

/// The same episodes with and without the time limit, up to and with the limit.
pub(super) fn final_obs(c: &mut Checker<'_>) -> Option<()> {
    c.wants(Rule::FinalObs)?;
    let limit = c.spec.time_limit_env_steps?;
    let make_unlimited = c.subject.make_unlimited?;
    for index in 0..c.options.episodes.max(1) {
        let mut limited = c.fresh()?;
        let mut free = match make_unlimited() {
            Ok(env) if (&env.spec().obs, &env.spec().action) == (&c.spec.obs, &c.spec.action) => {
                Player::new(env, &c.spec.obs)
            }
            Ok(_) => {
                c.note("without its time limit it has other spaces, so ends were not compared");
                return None;
            }
            Err(error) => {
                c.note(format!("it cannot be made without its time limit: {error}"));
                return None;
            }
        };
        let most = limit.min(c.options.max_env_steps_per_episode);
        if let Err(difference) = compare_ends(c, (&mut limited, &mut free), index, most) {
            c.note(format!(
                "without its time limit it plays another episode, so ends were not compared: \
                 {difference}"
            ));
            return None;
        }
    }
    Some(())
}

/// `Err` if the two episodes differ before the limit.
fn compare_ends(
    c: &mut Checker<'_>,
    (limited, free): (&mut Player, &mut Player),
    index: u32,
    max_env_steps: u32,
) -> Result<(), String> {
    let mut start = c.start(index);
    compare_resets(limited, free, &start)?;
    for number in 1..=max_env_steps {
        let action = start.chooser.next();
        let answers = (limited.step(&action), free.step(&action));
        let difference = obs_difference(&limited.obs, &free.obs);
        if only_cut(&answers) {
            c.report.record((Rule::FinalObs, "at the time limit"), difference.is_none(), || {
                format!(
                    "seed {}, step {number}: with and without the limit {}",
                    start.seed,
                    difference.unwrap_or_default()
                )
            });
            return Ok(());
        }
        match (step_difference(&answers.0, &answers.1).or(difference), &answers.0) {
            (Some(difference), _) => return Err(format!("at step {number} {difference}")),
            (None, Ok(step)) if !step.outcome.ends_episode() => {}
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Whether the limit cuts an episode that otherwise goes on.
fn only_cut((limited, free): &(Result<Step, EnvError>, Result<Step, EnvError>)) -> bool {
    let outcome = |answer: &Result<Step, EnvError>| answer.as_ref().ok().map(|step| step.outcome);
    outcome(limited) == Some(Outcome::Truncated) && outcome(free) == Some(Outcome::Continue)
}
