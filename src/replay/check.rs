//! What a block must look like before it is stored.

use super::packed::Packing;
use super::streams::Stream;
use super::{ReplayConfig, ReplayError};
use crate::message::TransitionBlock;
use contrail_agents::ActionBatch;
use contrail_envs::ActionSpace;

/// Refuses a block whose arrays do not have the dtypes and lengths of the config.
pub(super) fn shape(config: &ReplayConfig, block: &TransitionBlock) -> Result<(), ReplayError> {
    if let Some(stream) = block.broken_off.iter().find(|s| **s as usize >= config.streams) {
        let last = config.streams.saturating_sub(1);
        return Err(ReplayError::BadBlock(format!(
            "stream {stream} broke off, allowed 0 to {last}"
        )));
    }
    let (rows, obs) = (block.rows.len(), &config.obs);
    let ended = block.rows.iter().filter(|row| row.ends_trajectory).count();
    let parts = [("obs", &block.obs, rows), ("final_obs", &block.final_obs, ended)];
    for (name, buffer, count) in parts {
        let (dtype, len) = (buffer.dtype(), buffer.len());
        if dtype != obs.dtype || len != count * obs.len() {
            return Err(ReplayError::BadBlock(format!(
                "{name} is {dtype:?} with {len} elements, expected {count} observations of {obs}"
            )));
        }
    }
    let packing = Packing::of(obs);
    for (name, buffer, _) in parts {
        let outside = |sentence| ReplayError::BadBlock(format!("{name}: {sentence}"));
        packing.check(buffer.as_ref()).map_err(outside)?;
    }
    let (contexts, expected) = (block.contexts.len(), rows * config.context_len);
    if contexts != expected {
        let each = config.context_len;
        return Err(ReplayError::BadBlock(format!(
            "contexts has {contexts} values, expected {expected}: {rows} rows of {each}"
        )));
    }
    let (len, kind, fits) = match (&block.actions, &config.action) {
        (ActionBatch::Discrete(all), ActionSpace::Discrete(_)) => {
            (all.len(), "indices", all.len() == rows)
        }
        (ActionBatch::Box(all), ActionSpace::Box { low, .. }) => {
            (all.len(), "floats", all.len() == rows * low.len())
        }
        (ActionBatch::Discrete(all), ActionSpace::Box { .. }) => (all.len(), "indices", false),
        (ActionBatch::Box(all), ActionSpace::Discrete(_)) => (all.len(), "floats", false),
    };
    if fits {
        return Ok(());
    }
    let space = &config.action;
    Err(ReplayError::BadBlock(format!("{len} action {kind} for {rows} rows of {space}")))
}

/// Refuses row `index` of a block of the right shape if a value is out of range, or its window
/// would be linked to the wrong observation: one that comes before the end of the window before
/// it, or after the end of the trajectory.
pub(super) fn row(
    config: &ReplayConfig,
    streams: &[Stream],
    block: &TransitionBlock,
    index: usize,
) -> Result<(), ReplayError> {
    let row = &block.rows[index];
    let bad = |what: &str, value: String, allowed: String| {
        let place = format!("row {index} of stream {}", row.stream);
        Err(ReplayError::BadBlock(format!("{place} has {what} {value}, allowed {allowed}")))
    };
    let Some(stream) = streams.get(row.stream as usize) else {
        return bad("stream", row.stream.to_string(), format!("0 to {}", streams.len() - 1));
    };
    if row.subspace as usize >= config.subspaces {
        let last = config.subspaces.saturating_sub(1);
        return bad("subspace", row.subspace.to_string(), format!("0 to {last}"));
    }
    if let Some(running) = stream.subspace().filter(|running| *running != row.subspace) {
        let allowed = format!("{running} until its episode ends");
        return bad("subspace", row.subspace.to_string(), allowed);
    }
    let (least, most) = (stream.least_span(), config.n_step);
    if row.span < least || row.span as usize > most {
        return bad("span", row.span.to_string(), format!("{least} to {most}"));
    }
    if row.ends_trajectory && row.span != 1 {
        return bad("span", row.span.to_string(), "1 at the end of a trajectory".into());
    }
    if !row.n_step_return.is_finite() {
        return bad("return", row.n_step_return.to_string(), "finite numbers".into());
    }
    if !(0.0..=1.0).contains(&row.discount) {
        return bad("discount", row.discount.to_string(), "0 to 1".into());
    }
    let context = &block.contexts[index * config.context_len..][..config.context_len];
    if let Some(value) = context.iter().find(|value| !value.is_finite()) {
        return bad("context value", value.to_string(), "finite numbers".into());
    }
    if let (ActionBatch::Discrete(all), ActionSpace::Discrete(n)) = (&block.actions, &config.action)
        && !usize::try_from(all[index]).is_ok_and(|action| action < *n)
    {
        return bad("action", all[index].to_string(), format!("0 to {}", n.saturating_sub(1)));
    }
    Ok(())
}
