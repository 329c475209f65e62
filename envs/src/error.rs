//! What can go wrong in an environment.

use thiserror::Error;

/// A fault of an environment or of its caller. Every message names the thing, the value and what
/// is allowed.
#[derive(Debug, Error)]
pub enum EnvError {
    /// An action outside the action space.
    #[error("action {action} is not in the action space of {env}: {allowed}")]
    InvalidAction {
        /// Environment id.
        env: String,
        /// The offending action, as text.
        action: String,
        /// What the space allows.
        allowed: String,
    },
    /// `step` before the first `reset`, or after the episode ended.
    #[error("{env}: step was called {when}; call reset first")]
    NeedsReset {
        /// Environment id.
        env: String,
        /// "before the first reset" or "after the end of the episode".
        when: &'static str,
    },
    /// A buffer of the wrong length or dtype.
    #[error("{env}: the {what} buffer holds {got}, expected {expected}")]
    BadBuffer {
        /// Environment id.
        env: String,
        /// Which buffer.
        what: &'static str,
        /// What was passed.
        got: String,
        /// What the space asks for.
        expected: String,
    },
    /// A context value that does not exist or is out of bounds.
    #[error("{0}")]
    InvalidContext(String),
    /// An environment whose state cannot be taken out.
    #[error("{env}: its state cannot be saved: {reason}")]
    Unsavable {
        /// Environment id.
        env: String,
        /// Why.
        reason: String,
    },
    /// A saved state that cannot be read back.
    #[error("{env}: cannot restore the saved state: {reason}")]
    BadState {
        /// Environment id.
        env: String,
        /// Why.
        reason: String,
    },
    /// An option or id that the registry does not know, or that is out of range.
    #[error("{0}")]
    BadOption(String),
    /// The environment itself failed.
    #[error("{env}: {reason}")]
    Failed {
        /// Environment id.
        env: String,
        /// The cause.
        reason: String,
    },
}
