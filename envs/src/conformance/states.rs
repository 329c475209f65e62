//! Rules about saved states and pictures.

use super::Rule;
use super::checker::{Checker, compare, compare_resets};
use super::player::{Chooser, Player};
use crate::{EnvError, RgbFrame};

/// Episodes that are saved in the middle.
const SAVED_EPISODES: u32 = 2;

/// Saves in the middle of an episode and at its end, and continues in other environments.
pub(super) fn save_restore(c: &mut Checker<'_>) -> Option<()> {
    c.wants(Rule::SaveRestore)?;
    for index in 0..SAVED_EPISODES {
        let mut original = c.fresh()?;
        let chooser = play_half(c, &mut original, index)?;
        let middle = save(c, &original)?;
        let mut new = c.fresh()?;
        restore(c, &mut new, &middle)?;
        let ended = continue_alike(
            c,
            ("the saved and a new environment", &mut original, &mut new),
            &chooser,
        )?;
        if ended {
            end_survives(c, &original)?;
        }

        // `new` was shown to continue exactly; now it is the measure for used environments.
        let mut used = c.fresh()?;
        play_half(c, &mut used, index + 1000)?;
        for (case, player) in [
            ("a new and a used environment", &mut used),
            ("a new environment and the saved one after its end", &mut original),
        ] {
            let mut new = c.fresh()?;
            restore(c, &mut new, &middle)?;
            restore(c, player, &middle)?;
            continue_alike(c, (case, &mut new, player), &chooser)?;
        }
    }
    Some(())
}

/// Plays the first half of episode `index` (not one step of a one-step episode); what chooses
/// its next actions.
fn play_half(c: &mut Checker<'_>, player: &mut Player, index: u32) -> Option<Chooser> {
    let mut start = c.start(index);
    c.reset(player, &start)?;
    let mut length_env_steps = 0;
    while length_env_steps < c.options.max_env_steps_per_episode {
        let action = start.chooser.next();
        length_env_steps += 1;
        if c.step(player, &action)?.outcome.ends_episode() {
            break;
        }
    }
    let mut start = c.start(index);
    c.reset(player, &start)?;
    for _ in 0..length_env_steps / 2 {
        let action = start.chooser.next();
        c.step(player, &action)?;
    }
    Some(start.chooser)
}

/// The state, checked to be appended to what was there.
fn save(c: &mut Checker<'_>, player: &Player) -> Option<Vec<u8>> {
    let mut bytes = b"before".to_vec();
    let result = player.env.save_state(&mut bytes);
    if let Err(EnvError::Unsavable { reason, .. }) = &result {
        c.report.skipped.insert(Rule::SaveRestore);
        c.note(format!(
            "its state cannot be saved ({reason}); when a run is resumed, the episodes that were \
             under way begin anew"
        ));
        return None;
    }
    succeed(c, "save_state", &result)?;
    let state = bytes.strip_prefix(b"before").map(<[u8]>::to_vec);
    c.report.record((Rule::SaveRestore, "save_state"), state.is_some(), || {
        "it overwrites what the vector held; it must append".into()
    });
    state
}

fn restore(c: &mut Checker<'_>, player: &mut Player, state: &[u8]) -> Option<()> {
    let result = player.env.restore_state(state);
    succeed(c, "restore_state", &result)
}

fn succeed(c: &mut Checker<'_>, case: &'static str, result: &Result<(), EnvError>) -> Option<()> {
    let error = result.as_ref().err();
    c.report.record((Rule::SaveRestore, case), error.is_none(), || {
        error.map(ToString::to_string).unwrap_or_default()
    });
    error.is_none().then_some(())
}

/// `None` if the two differ, else whether the episode ended.
fn continue_alike(
    c: &mut Checker<'_>,
    (case, left, right): (&'static str, &mut Player, &mut Player),
    chooser: &Chooser,
) -> Option<bool> {
    let result = compare(left, right, &mut chooser.clone(), c.options.max_env_steps_per_episode);
    c.report.record((Rule::SaveRestore, case), result.is_ok(), || {
        format!("after the restore, {}", result.clone().err().unwrap_or_default())
    });
    result.ok()
}

/// A finished episode is still finished when it is restored.
fn end_survives(c: &mut Checker<'_>, ended: &Player) -> Option<()> {
    if c.report.broken_rules().contains(&Rule::StepAfterEnd) {
        return Some(());
    }
    let state = save(c, ended)?;
    let mut new = c.fresh()?;
    restore(c, &mut new, &state)?;
    let action = c.start(0).chooser.next();
    let detail = || "a step of a restored environment whose episode was over".into();
    c.refuse((Rule::SaveRestore, "the end of an episode"), detail, || new.step(&action));
    Some(())
}

/// Pictures after a reset and after a step, on two environments in the same state.
pub(super) fn render(c: &mut Checker<'_>) -> Option<()> {
    c.wants(Rule::Render)?;
    let (mut left, mut right) = (c.fresh()?, c.fresh()?);
    let mut start = c.start(0);
    compare_resets(&mut left, &mut right, &start).ok()?;
    let mut frame = RgbFrame::default();
    // What another environment left behind: a picture of another size.
    let mut reused = RgbFrame::default();
    for _ in 0..3 {
        reused.fill(7, 5, [255, 0, 255]);
        picture(c, &left, &mut frame)?;
        picture(c, &right, &mut reused)?;
        c.report.record((Rule::Render, "the same state"), frame == reused, || {
            "it is drawn differently the second time, or into a frame that was used".into()
        });
        if !matches!(compare(&mut left, &mut right, &mut start.chooser, 1), Ok(false)) {
            break;
        }
    }
    Some(())
}

fn picture(c: &mut Checker<'_>, player: &Player, frame: &mut RgbFrame) -> Option<()> {
    let result = player.env.render(frame);
    c.report.record((Rule::Render, "render"), result.is_ok(), || {
        result.as_ref().err().map(ToString::to_string).unwrap_or_default()
    });
    result.ok()?;
    let (width, height, bytes) = (frame.width, frame.height, frame.pixels.len());
    let sound = bytes > 0 && bytes == 3 * width * height;
    c.report.record((Rule::Render, "the size of the picture"), sound, || {
        format!(
            "{bytes} bytes for {width} x {height} pixels, expected 3 for each and more than none"
        )
    });
    sound.then_some(())
}
