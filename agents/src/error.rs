//! What can go wrong in an algorithm.

use thiserror::Error;

/// A fault of an algorithm or of what it was given.
#[derive(Debug, Error)]
pub enum AgentError {
    /// NaN or infinity where a number must be.
    #[error(
        "{what} became {value} at update {update}: the run cannot go on; try a smaller learning rate or max_grad_norm"
    )]
    NotFinite {
        /// Name of the tensor.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Number of the update.
        update: u64,
    },
    /// A setting that does not fit the environment.
    #[error("{0}")]
    Unsuitable(String),
    /// A saved state that does not fit this agent.
    #[error("cannot restore the agent: {0}")]
    BadState(String),
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}
