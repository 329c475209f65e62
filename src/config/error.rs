//! What can be wrong with a config. The command line ends with exit code 2 on any of these.

use thiserror::Error;

/// A config that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read the config {path}: {reason}")]
    Read {
        /// The file, as named by the user or by `extends`.
        path: String,
        /// The system's message.
        reason: String,
    },
    /// A file that is not TOML.
    #[error("{path} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, column and cause.
        reason: String,
    },
    /// A chain of `extends` that comes back to where it was; the files in order.
    #[error("{} is a circle: a base cannot extend its own heir", .0.join(" extends "))]
    Cycle(Vec<String>),
    /// Keys or values that are refused, one sentence each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// A config that cannot be written as TOML or JSON.
    #[error("cannot write the config: {0}")]
    Write(String),
}

/// A refused value, before its origin is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Dotted key.
    pub(super) key: &'static str,
    /// A sentence that names the key, its value and what is allowed.
    pub(super) text: String,
}
