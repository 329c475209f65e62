//! From their spaces to Contrail's.

use crate::{Action, ActionSpace, ContextSpec, Dtype, ObsSpace};
use ::gymnasium_rs::core::Space;

/// What the crate cannot say about an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterOptions {
    /// Replaces their observation space, which is then never asked for. Needed where the shape has
    /// more than one axis; right where their bounds are wrong.
    pub obs: Option<ObsSpace>,
    /// Replaces their action space, which is then never asked for.
    pub action: Option<ActionSpace>,
    /// Context values; each becomes the option of the same name, a number, of their `reset`.
    pub context: ContextSpec,
    /// Steps after which an episode is truncated: by the registry, or by the environment itself.
    pub time_limit_env_steps: Option<u32>,
    /// Length of the longest episode that can be saved; beyond it, and always if this is 0, saving
    /// is [`EnvError::Unsavable`](crate::EnvError::Unsavable).
    ///
    /// A state is restored by a reset and the actions of the episode so far. Up to this limit, the
    /// adapter holds every action (8 bytes, or 4 for each element of a box), a state has about a
    /// byte for each (4 for each element of a box), and restoring takes as long as
    /// playing that far took. Observations and rewards are compared by a checksum, so an
    /// environment that does not repeat itself is found out when it is restored; give it 0.
    pub replay_limit_env_steps: u32,
}

impl Default for AdapterOptions {
    /// Their spaces, no context, no time limit, and states of up to 100,000 steps.
    fn default() -> Self {
        Self {
            obs: None,
            action: None,
            context: ContextSpec::default(),
            time_limit_env_steps: None,
            replay_limit_env_steps: 100_000,
        }
    }
}

/// Their observation space for observations of `dtype`, or why it cannot be used.
pub(super) fn obs_space(space: &Space, dtype: Dtype) -> Result<ObsSpace, String> {
    let (low, high) = match space {
        Space::Discrete(n) if *n > 0 => (vec![0.0], vec![(*n - 1) as f32]),
        Space::Discrete(n) => return Err(format!("there are {n} discrete observations")),
        Space::Box { low, high } => (low.to_vec(), high.to_vec()),
    };
    Ok(ObsSpace { dtype, shape: vec![low.len()], low, high })
}

/// Their action space, or why it cannot be used.
pub(super) fn action_space(space: &Space) -> Result<ActionSpace, String> {
    match space {
        Space::Discrete(n) => usize::try_from(*n)
            .map(ActionSpace::Discrete)
            .map_err(|_| format!("there are {n} actions")),
        Space::Box { low, high } => Ok(ActionSpace::Box { low: low.to_vec(), high: high.to_vec() }),
    }
}

/// What is wrong with an observation space for observations of `dtype`.
pub(super) fn obs_fault(space: &ObsSpace, dtype: Dtype) -> Option<String> {
    let (len, low, high) = (space.len(), space.low.len(), space.high.len());
    if space.dtype != dtype {
        return Some(format!("observations are {dtype:?}, their space {space} is another"));
    }
    if len == 0 || [low, high].iter().any(|bounds| *bounds != 1 && *bounds != len) {
        return Some(format!(
            "observations {space} have {low} lower and {high} upper bounds, allowed are 1 and the \
             number of elements, {len}, which must be at least 1"
        ));
    }
    let range = if dtype == Dtype::U8 { 0.0..=255.0 } else { f32::NEG_INFINITY..=f32::INFINITY };
    (0..len).find_map(|index| {
        let (low, high) = space.bounds(index);
        let sound = low <= high && range.contains(&low) && range.contains(&high);
        (!sound).then(|| format!("observation element {index} is bounded by {low} to {high}"))
    })
}

/// What is wrong with an action space; `takes` says whether an action fits their type.
pub(super) fn action_fault(
    space: &ActionSpace,
    takes: impl FnOnce(Action<'_>) -> bool,
) -> Option<String> {
    let fits = match space {
        ActionSpace::Discrete(0) => return Some("there is no action".into()),
        ActionSpace::Discrete(n) => takes(Action::Discrete(n - 1)),
        ActionSpace::Box { low, high } => {
            let sound = !low.is_empty()
                && low.len() == high.len()
                && low.iter().zip(high).all(|(low, high)| low <= high);
            if !sound {
                return Some(format!("the action bounds are {low:?} to {high:?}"));
            }
            takes(Action::Box(low))
        }
    };
    (!fits).then(|| format!("their type of action cannot hold the actions {space}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn spaces_are_translated() {
        let pair = Space::Box { low: array![-1.0, 0.0], high: array![1.0, 0.5] };
        let obs = ObsSpace::f32_vector(&[-1.0, 0.0], &[1.0, 0.5]);
        assert_eq!(obs_space(&pair, Dtype::F32), Ok(obs));
        let action = ActionSpace::Box { low: vec![-1.0, 0.0], high: vec![1.0, 0.5] };
        assert_eq!(action_space(&pair), Ok(action));
        let three = Space::Discrete(3);
        assert_eq!(obs_space(&three, Dtype::F32), Ok(ObsSpace::f32_vector(&[0.0], &[2.0])));
        assert_eq!(action_space(&three), Ok(ActionSpace::Discrete(3)));
        assert!(obs_space(&Space::Discrete(0), Dtype::F32).is_err());
        assert!(action_space(&Space::Discrete(-1)).is_err());
    }

    #[test]
    fn unsound_observation_spaces_are_named() {
        let table = [
            (ObsSpace::f32(&[2], 0.0, 1.0), None),
            (ObsSpace::f32_vector(&[0.0, f32::NEG_INFINITY], &[0.0, f32::INFINITY]), None),
            (ObsSpace::f32(&[0], 0.0, 1.0), Some("at least 1")),
            (ObsSpace::f32(&[2], 1.0, 0.0), Some("element 0 is bounded by 1 to 0")),
            (ObsSpace::f32(&[2], f32::NAN, 0.0), Some("bounded by NaN to 0")),
            (ObsSpace::u8(&[2], 3), Some("observations are F32")),
            (ObsSpace { high: vec![1.0; 3], ..ObsSpace::f32(&[2], 0.0, 1.0) }, Some("3 upper")),
        ];
        for (space, expected) in table {
            let fault = obs_fault(&space, Dtype::F32);
            match expected {
                None => assert_eq!(fault, None, "{space:?}"),
                Some(text) => {
                    assert!(fault.as_ref().is_some_and(|f| f.contains(text)), "{fault:?}")
                }
            }
        }
        let bytes = ObsSpace { high: vec![256.0], ..ObsSpace::u8(&[2], 3) };
        assert_eq!(
            obs_fault(&bytes, Dtype::U8).as_deref(),
            Some("observation element 0 is bounded by 0 to 256")
        );
    }

    #[test]
    fn unsound_action_spaces_are_named() {
        let bounds =
            |low: &[f32], high: &[f32]| ActionSpace::Box { low: low.into(), high: high.into() };
        let table = [
            (ActionSpace::Discrete(2), true, None),
            (bounds(&[-1.0], &[1.0]), true, None),
            (ActionSpace::Discrete(0), true, Some("there is no action")),
            (ActionSpace::Discrete(2), false, Some("cannot hold the actions Discrete(2)")),
            (bounds(&[], &[]), true, Some("bounds are [] to []")),
            (bounds(&[0.0], &[1.0, 1.0]), true, Some("bounds are [0.0] to [1.0, 1.0]")),
            (bounds(&[1.0], &[0.0]), true, Some("bounds are [1.0] to [0.0]")),
            (bounds(&[1.0], &[2.0]), false, Some("cannot hold the actions Box([1])")),
        ];
        for (space, takes, expected) in table {
            let fault = action_fault(&space, |_| takes);
            match expected {
                None => assert_eq!(fault, None, "{space:?}"),
                Some(text) => {
                    assert!(fault.as_ref().is_some_and(|f| f.contains(text)), "{fault:?}")
                }
            }
        }
    }
}
