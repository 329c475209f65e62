//! Environments of Contrail: the contract, spaces, contexts, wrappers, the registry and the
//! built-in environments. This crate never links libtorch, so a person who writes an environment
//! compiles in seconds.
//!
//! Read [`Environment`] first, then [`conformance::check`], which tests any implementation of it.

pub mod builtin;
pub mod conformance;
mod context;
mod contract;
mod error;
mod frame;
#[cfg(feature = "gymnasium-rs")]
pub mod gymnasium_rs;
mod observation;
mod prng;
pub mod python;
mod registry;
mod space;
mod split;
pub mod state;
mod subspace;
pub mod wrappers;

pub use context::{Context, ContextSpec, ContextValue};
pub use contract::{Action, EnvSpec, Environment, Outcome, Step};
pub use error::EnvError;
pub use frame::RgbFrame;
pub use observation::{ObsBuffer, ObsMut, ObsRef};
pub use prng::{Prng, SeedStream};
pub use registry::{EnvOptions, Registry};
pub use space::{ActionSpace, Dtype, ObsSpace};
pub use split::{Split, SplitKind};
pub use subspace::{Distribution, Subspace, WrittenSubspace};
