//! Rules about calls that must give an error.

use super::Rule;
use super::checker::{Checker, compare, compare_resets};
use super::player::{invalid_actions, wrong_buffers};
use crate::{Context, Prng};
use rand::{RngExt, SeedableRng};

/// Steps between which invalid actions are offered.
const REFUSED_ENV_STEPS: u32 = 20;

/// Buffers that do not fit, at a reset and at a step.
pub(super) fn calls(c: &mut Checker<'_>) -> Option<()> {
    let mut start = c.start(0);
    let action = start.chooser.next();
    for (case, mut buffer) in wrong_buffers(&c.spec.obs) {
        let mut player = c.fresh()?;
        let call = || player.env.reset(start.seed, &start.context, buffer.as_mut());
        // A panic in between may leave anything behind, so go on only with a sane environment.
        if c.refuse((Rule::WrongBuffer, case), || "reset".into(), call) {
            c.reset(&mut player, &start)?;
            let call = || player.env.step(action.as_action(), buffer.as_mut());
            c.refuse((Rule::WrongBuffer, case), || "step".into(), call);
            c.reset(&mut player, &start)?;
        }
    }
    Some(())
}

/// Contexts with a value too many, too few or out of bounds; the environment stays usable.
pub(super) fn contexts(c: &mut Checker<'_>) -> Option<()> {
    let mut player = c.fresh()?;
    let start = c.start(0);
    let mut wrong: Vec<(&'static str, Context)> = Vec::new();
    let mut with = |case, change: &dyn Fn(&mut Vec<f64>)| {
        let mut context = start.context.clone();
        change(&mut context.values);
        wrong.push((case, context));
    };
    with("a context with a value too many", &|values| values.push(0.0));
    for (index, value) in c.spec.context.values.iter().enumerate() {
        with("a context with a value too few", &|values| values.truncate(values.len() - 1));
        with("a context with a NaN", &|values| values[index] = f64::NAN);
        if value.low > f64::NEG_INFINITY {
            with("a context below its bounds", &|values| values[index] = value.low.next_down());
        }
        if value.high < f64::INFINITY {
            with("a context above its bounds", &|values| values[index] = value.high.next_up());
        }
    }
    for (case, context) in wrong {
        let detail = || format!("{:?}", context.values);
        c.refuse((Rule::ContextBounds, case), detail, || player.reset(start.seed, &context));
        c.reset(&mut player, &start)?;
    }
    Some(())
}

/// Invalid actions before each step of one of two environments, which then go on alike.
pub(super) fn actions(c: &mut Checker<'_>) -> Option<()> {
    let (mut asked, mut spared) = (c.fresh()?, c.fresh()?);
    let mut start = c.start(0);
    if compare_resets(&mut asked, &mut spared, &start).is_err() {
        return None;
    }
    let invalid = invalid_actions(&c.spec.action);
    let mut all_refused = true;
    for number in 1..=REFUSED_ENV_STEPS {
        for (case, action) in &invalid {
            let call = || asked.step(action);
            if !c.refuse((Rule::InvalidAction, case), || format!("{action:?}"), call) {
                // It has moved on; see what the other actions do from a new start.
                all_refused = false;
                c.reset(&mut asked, &start)?;
            }
        }
        if !all_refused {
            return None;
        }
        let result = compare(&mut asked, &mut spared, &mut start.chooser, 1);
        let harmless = (Rule::RefusalHarmless, "after refused actions");
        c.report.record(harmless, result.is_ok(), || {
            let difference = result.clone().err().unwrap_or_default();
            format!("step {number} of an environment with and one without them: {difference}")
        });
        if !matches!(result, Ok(false)) {
            return None;
        }
    }
    Some(())
}

/// Bytes that no environment wrote, or only half of those it wrote.
pub(super) fn garbage_states(c: &mut Checker<'_>) -> Option<()> {
    let mut player = c.fresh()?;
    let start = c.start(0);
    c.reset(&mut player, &start)?;
    let mut saved = Vec::new();
    // An environment that cannot be saved breaks the rule on saving, not this one.
    let _ = player.env.save_state(&mut saved);
    let mut rng = Prng::seed_from_u64(c.options.seed);
    let mut inverted = saved.clone();
    inverted.iter_mut().take(8).for_each(|byte| *byte = !*byte);
    let table: [(&'static str, Vec<u8>); 6] = [
        ("no byte", Vec::new()),
        ("random bytes", (0..64).map(|_| rng.random::<u8>()).collect()),
        ("64 bytes of 255", vec![255; 64]),
        ("the first half of a state", saved[..saved.len() / 2].to_vec()),
        ("a state without its last byte", saved[..saved.len().saturating_sub(1)].to_vec()),
        ("a state with its first 8 bytes inverted", inverted),
    ];
    for (case, bytes) in table {
        if bytes == saved {
            continue; // it writes no byte at all
        }
        c.refuse((Rule::GarbageState, case), String::new, || player.env.restore_state(&bytes));
        c.reset(&mut player, &start)?;
    }
    Some(())
}
