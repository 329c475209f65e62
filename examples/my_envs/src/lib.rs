//! Two environments to imitate, one file each, on `contrail-envs` alone.
//!
//! | | observation | actions | context |
//! |---|---|---|---|
//! | [`Courier`] | image, bytes `[2, 5, 5]` | 4 discrete | wind, cost of a step, daylight |
//! | [`Mooring`] | vector, floats `[4]` | box `[2]` | current, drag, thrust |

mod courier;
mod mooring;

pub use courier::Courier;
pub use mooring::{Boat, Mooring};

use contrail_envs::Registry;

/// Adds the environments of this crate under their ids.
pub fn register(registry: &mut Registry) {
    registry.register("Courier-v0", || Ok(Box::new(Courier::new())));
    registry.register("Mooring-v0", || Ok(Box::new(Mooring::new())));
}
