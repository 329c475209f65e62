//! Whether a spec makes sense at all.

use crate::{ActionSpace, Dtype, EnvSpec, ObsSpace};

/// What is wrong with a spec, if anything.
pub(super) fn spec_fault(spec: &EnvSpec) -> Option<String> {
    if spec.id.is_empty() {
        return Some("the id is empty".into());
    }
    if spec.time_limit_env_steps == Some(0) {
        return Some("the time limit is 0 env steps, it must be at least 1".into());
    }
    let contexts = || {
        let values = &spec.context.values;
        let bad = values.iter().find(|v| !(v.low <= v.default && v.default <= v.high))?;
        let (name, default, low, high) = (&bad.name, bad.default, bad.low, bad.high);
        Some(format!("the default {default} of context value {name} is not within {low} to {high}"))
    };
    obs_fault(&spec.obs).or_else(|| action_fault(&spec.action)).or_else(contexts)
}

fn obs_fault(space: &ObsSpace) -> Option<String> {
    let len = space.len();
    if len == 0 {
        return Some(format!("observations {space} have no element"));
    }
    let lengths = [space.low.len(), space.high.len()];
    if lengths.iter().any(|n| *n != 1 && *n != len) {
        let [low, high] = lengths;
        return Some(format!(
            "observations {space} have {low} lower and {high} upper bounds, allowed are 1 and {len}"
        ));
    }
    let smallest = if space.dtype == Dtype::U8 { 0.0 } else { f32::NEG_INFINITY };
    let largest = if space.dtype == Dtype::U8 { 255.0 } else { f32::INFINITY };
    (0..len).find_map(|index| {
        let (low, high) = space.bounds(index);
        let sound = smallest <= low && low <= high && high <= largest;
        (!sound).then(|| format!("observation element {index} is bounded by {low} to {high}"))
    })
}

fn action_fault(space: &ActionSpace) -> Option<String> {
    match space {
        ActionSpace::Discrete(n) => (*n == 0).then(|| "there is no action".into()),
        ActionSpace::Box { low, high } => {
            let sound = low.len() == high.len()
                && !low.is_empty()
                && low.iter().zip(high).all(|(low, high)| low <= high);
            (!sound).then(|| format!("the action bounds are {low:?} to {high:?}"))
        }
    }
}
