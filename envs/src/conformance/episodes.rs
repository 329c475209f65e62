//! Rules about what episodes look like, and that the same episode comes out twice.

use super::Rule;
use super::checker::{Checker, Start, compare, compare_resets};
use super::player::{Player, other_poison};
use crate::{Outcome, Step};

/// Elements that one violation names; an image may have thousands.
const MAX_NAMED_ELEMENTS: usize = 32;
/// Steps that are looked at with a context at its bounds.
const CONTEXT_ENV_STEPS: u32 = 100;

/// Plays episodes with the default context on one environment and looks at every answer.
pub(super) fn inspect(c: &mut Checker<'_>) -> Option<()> {
    let mut player = c.fresh()?;
    let no_reset = (Rule::StepBeforeReset, "step on a new environment");
    let action = c.start(0).chooser.next();
    c.refuse(no_reset, || format!("{action:?}"), || player.step(&action));
    for index in 0..c.options.episodes.max(1) {
        let mut start = c.start(index);
        let (played, outcome) =
            inspect_episode(c, &mut player, &mut start, c.options.max_env_steps_per_episode)?;
        c.report.episodes += 1;
        c.report.env_steps += u64::from(played);
        match outcome {
            Outcome::Continue => {}
            Outcome::Terminated => c.report.terminated += 1,
            Outcome::Truncated => c.report.truncated += 1,
        }
    }
    c.expect_spec("the environment after some episodes", &*player.env)
}

/// Every context value at its lowest and at its highest, the others at their default.
pub(super) fn contexts(c: &mut Checker<'_>) -> Option<()> {
    let mut player = c.fresh()?;
    for (index, value) in c.spec.context.values.clone().iter().enumerate() {
        for bound in [value.low, value.high].into_iter().filter(|bound| bound.is_finite()) {
            let mut start = c.start(0);
            start.context.values[index] = bound;
            inspect_episode(c, &mut player, &mut start, CONTEXT_ENV_STEPS)?;
        }
    }
    Some(())
}

/// Steps played, and the last outcome.
fn inspect_episode(
    c: &mut Checker<'_>,
    player: &mut Player,
    start: &mut Start,
    max_env_steps: u32,
) -> Option<(u32, Outcome)> {
    c.reset(player, start)?;
    inspect_obs(c, player, start, 0);
    for number in 1..=max_env_steps {
        let action = start.chooser.next();
        let step = c.step(player, &action)?;
        inspect_obs(c, player, start, number);
        inspect_step(c, step, start, number);
        if step.outcome.ends_episode() {
            let after_end = (Rule::StepAfterEnd, "step after the end");
            c.refuse(
                after_end,
                || format!("{:?} at step {number}", step.outcome),
                || player.step(&action),
            );
            return Some((number, step.outcome));
        }
        if c.spec.time_limit_env_steps.is_some_and(|limit| number >= limit) {
            return Some((number, Outcome::Continue)); // late, and noted
        }
    }
    Some((max_env_steps, Outcome::Continue))
}

fn inspect_obs(c: &mut Checker<'_>, player: &Player, start: &Start, number: u32) {
    let case = if number == 0 { "after a reset" } else { "after a step" };
    let faults = c.spec.obs.violations(player.obs.as_ref());
    c.report.record((Rule::ObsInSpace, case), faults.is_empty(), || {
        let named = &faults[..faults.len().min(MAX_NAMED_ELEMENTS)];
        let more = match faults.len() - named.len() {
            0 => String::new(),
            more => format!("; and {more} more elements"),
        };
        format!("{}: {}{more}", place(start, number), named.join("; "))
    });
}

fn inspect_step(c: &mut Checker<'_>, step: Step, start: &Start, number: u32) {
    let reward = (Rule::RewardFinite, "reward");
    c.report.record(reward, step.reward.is_finite(), || {
        format!("{}: it is {}", place(start, number), step.reward)
    });
    let frames = (Rule::FramesPositive, "frames");
    c.report.record(frames, step.frames >= 1, || format!("{}: it is 0", place(start, number)));
    let Some(limit) = c.spec.time_limit_env_steps else {
        return;
    };
    match step.outcome {
        Outcome::Truncated => {
            c.report.record((Rule::TimeLimit, "cut early"), number == limit, || {
                format!("{}: truncated, the spec says {limit}", place(start, number))
            })
        }
        Outcome::Continue if number >= limit => {
            c.report
                .record((Rule::TimeLimit, "cut late or never"), false, || {
                    format!(
                        "{}: it goes on, the spec says {limit} (`Registry::make` adds the limit; check what \
                     it gives)",
                        place(start, number)
                    )
                });
        }
        _ => {}
    }
}

fn place(start: &Start, number: u32) -> String {
    format!("seed {}, context {:?}, step {number}", start.seed, start.context.values)
}

/// Two new environments play the same episodes.
pub(super) fn deterministic(c: &mut Checker<'_>) -> Option<()> {
    for index in 0..c.options.episodes.max(1) {
        let (mut left, mut right) = (c.fresh()?, c.fresh()?);
        let result = compare_episode(c, &mut left, &mut right, index);
        c.reproducible &= result.is_ok();
        expect_same(c, (Rule::Deterministic, "two new environments"), result);
    }
    Some(())
}

/// A used environment plays the same episodes as a new one.
pub(super) fn reset_complete(c: &mut Checker<'_>) -> Option<()> {
    let mut used = c.fresh()?;
    for index in 0..c.options.episodes.max(1) {
        // Two episodes come before: one abandoned in the middle, and the last one of this loop.
        let mut other = c.start(index + 1000);
        c.reset(&mut used, &other)?;
        for _ in 0..5 {
            let action = other.chooser.next();
            if c.step(&mut used, &action)?.outcome.ends_episode() {
                break;
            }
        }
        let mut new = c.fresh()?;
        let result = compare_episode(c, &mut new, &mut used, index);
        expect_same(c, (Rule::ResetComplete, "a new and a used environment"), result);
    }
    Some(())
}

/// What the buffer held before the call makes no difference.
pub(super) fn obs_written(c: &mut Checker<'_>) -> Option<()> {
    let (mut left, mut right) = (c.fresh()?, c.fresh()?);
    right.poison = other_poison(&c.spec.obs);
    for index in 0..c.options.episodes.max(1) {
        let result = compare_episode(c, &mut left, &mut right, index);
        expect_same(c, (Rule::ObsWritten, "two buffers with other contents"), result);
    }
    Some(())
}

fn compare_episode(
    c: &Checker<'_>,
    left: &mut Player,
    right: &mut Player,
    index: u32,
) -> Result<(), String> {
    let mut start = c.start(index);
    let seed = start.seed;
    compare_resets(left, right, &start)
        .and_then(|()| {
            compare(left, right, &mut start.chooser, c.options.max_env_steps_per_episode)
        })
        .map(drop)
        .map_err(|difference| format!("seed {seed}: {difference}"))
}

fn expect_same(c: &mut Checker<'_>, rule: (Rule, &'static str), result: Result<(), String>) {
    c.report.record(rule, result.is_ok(), || result.err().unwrap_or_default());
}
