//! Networks, losses and algorithms of Contrail on libtorch.
//!
//! This crate has no thread, channel, clock or path and never sees an environment: it turns a
//! [`Minibatch`] into better parameters ([`Agent`]) and an observation into an action
//! ([`Policy`]). Each algorithm is one file, to be read from top to bottom: [`dqn`], [`sac`].

mod agent;
mod augment;
pub mod config;
pub mod contrast;
mod contrast_batch;
pub mod dqn;
mod error;
pub mod gate;
pub mod imitation;
mod knowledge;
pub mod loss_policy;
pub mod losses;
mod minibatch;
pub mod nn;
pub mod optim;
pub mod params;
pub mod sac;
mod scalar;
mod spec;
mod state;
pub mod tokens;
mod trunk;

pub use agent::{ActMode, Agent, Policy, UpdateReport, UpdateSettings};
pub use augment::Augmentation;
pub use config::{Distribution, DqnConfig, NetworkConfig, SacConfig, Torso};
pub use contrast_batch::{ContrastBatch, Relation};
pub use error::AgentError;
pub use minibatch::{ActionBatch, Minibatch, ObsBatch};
pub use spec::{ActionSpec, ObsSpec};
pub use state::{AgentState, NamedArray};
