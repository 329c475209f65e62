//! The built-in environments: classic control, the jumping task, `MinAtar` games, MiniGrid and the
//! probes.

pub mod classic;
pub mod jumping;
pub mod minatar;
pub mod minigrid;
pub mod probe;

use crate::Registry;

/// Adds every built-in environment to `registry`.
pub(crate) fn register(registry: &mut Registry) {
    classic::register(registry);
    jumping::register(registry);
    minatar::register(registry);
    minigrid::register(registry);
    probe::register(registry);
}
