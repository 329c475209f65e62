//! Wrappers: environments around an environment. Each keeps the inner id, changes its own part of
//! the spec, and allocates nothing in steady state.
//!
//! They nest from the inside out. The usual order is time limit (the registry adds it), action
//! repeat, reward, frame stack or observation normalisation, and the context outermost, so that it
//! is neither stacked nor normalised.
//!
//! ```
//! use contrail_envs::wrappers::{FrameStack, RewardClip};
//! use contrail_envs::{EnvError, EnvOptions, Environment, Registry};
//!
//! let env = Registry::builtin().make("Probe/DelayedReward-v0", &EnvOptions::default())?;
//! let env = FrameStack::new(RewardClip::new(env, -1.0, 1.0)?, 4)?;
//! assert_eq!(env.spec().obs.shape, [4]);
//! # Ok::<(), EnvError>(())
//! ```

mod action_repeat;
#[cfg(test)]
mod counting;
mod frame_stack;
mod normalize_obs;
mod reward;
mod show_context;
mod time_limit;

pub use action_repeat::ActionRepeat;
pub use frame_stack::FrameStack;
pub use normalize_obs::{NormalizeObs, ObsNormalizer, ObsStats};
pub use reward::{RewardClip, RewardScale};
pub use show_context::ShowContext;
pub use time_limit::TimeLimit;

use crate::{EnvError, Environment, state};
use serde::{Serialize, de::DeserializeOwned};

/// Saves a wrapper's own state around the bytes of the inner environment. The tag names the
/// wrapper, so that a state cannot be restored into another nesting.
fn save_around<E: Environment, S: Serialize>(
    wrapper: &str,
    env: &E,
    own: &S,
    out: &mut Vec<u8>,
) -> Result<(), EnvError> {
    let mut inner = Vec::new();
    env.save_state(&mut inner)?;
    state::save(&tag(wrapper, env), &(own, inner), out)
}

/// Reads what [`save_around`] wrote: the wrapper's own state, and the inner environment's bytes.
fn restore_around<E: Environment, S: DeserializeOwned>(
    wrapper: &str,
    env: &E,
    bytes: &[u8],
) -> Result<(S, Vec<u8>), EnvError> {
    state::restore(&tag(wrapper, env), bytes)
}

fn tag<E: Environment>(wrapper: &str, env: &E) -> String {
    format!("{wrapper}({})", env.spec().id)
}
