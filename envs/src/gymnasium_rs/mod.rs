//! Environments written against the crate `gymnasium-rs` (0.1), behind the cargo feature of that
//! name, which is off by default.
//!
//! ```
//! use contrail_envs::gymnasium_rs::{Adapter, AdapterOptions};
//! use contrail_envs::{EnvError, EnvOptions, Registry};
//! use gymnasium_rs::envs::cartpole::CartPole;
//!
//! let mut registry = Registry::builtin();
//! registry.register("Theirs/CartPole-v1", || {
//!     let options =
//!         AdapterOptions { time_limit_env_steps: Some(500), ..AdapterOptions::default() };
//!     Ok(Box::new(Adapter::new("Theirs/CartPole-v1", CartPole::new(), options)?))
//! });
//! let env = registry.make("Theirs/CartPole-v1", &EnvOptions::default())?;
//! # Ok::<(), EnvError>(())
//! ```
//!
//! # What the feature needs
//! - Their crate depends on pyo3 0.19, whose build script looks for a Python interpreter, 3.7 or
//!   newer, and asks for its version: `PYO3_PYTHON` if set, else the active virtual environment,
//!   else `python` or `python3` on the `PATH`. Tried with 3.7, 3.11, 3.12 and 3.13.
//!   Neither `python3-dev` nor libpython nor `PYO3_USE_ABI3_FORWARD_COMPATIBILITY` is needed.
//! - Without any Python, a file that holds the one line `version=3.11` replaces the interpreter:
//!   `PYO3_CONFIG_FILE=/absolute/path/of/that/file cargo build ...`.
//! - Nothing of Python is in the program: their crate declares pyo3 and never calls it, so
//!   libpython is not linked. That ends where an adapted environment itself calls pyo3.
//! - A glob import `use contrail_envs::*` makes the name `gymnasium_rs` ambiguous; import by name.
//! - pyo3 is compiled anew (seconds) whenever the `PATH` or one of those variables changes.
//!
//! # How the contract is kept
//! - *Seeds.* Their seed is an `i32`. A seed below 2³¹ is passed on unchanged; a larger one is
//!   folded to 31 bits, so two of 50,000 random seeds are equal with a probability of about 0.44.
//! - *End.* Their two flags become an [`Outcome`](crate::Outcome); where both are set, it is
//!   `Terminated`. Steps after the end or before the first reset never reach them.
//! - *Spaces.* Their `Box` has one axis and no element type, so images need
//!   [`AdapterOptions::obs`]; a `Discrete` observation becomes one number, not a one-hot vector.
//! - *Contexts.* Each value of [`AdapterOptions::context`] is passed to their `reset` as the
//!   option of that name.
//! - *Faults.* Their panics, observations of the wrong length, and NaN or infinite numbers become
//!   [`EnvError::Failed`](crate::EnvError::Failed), and the episode is then lost: `reset` comes
//!   next. Rust still prints the message of a panic; under `panic = "abort"` none can be caught.
//! - *State.* Their environments cannot be read out, so a saved state is the seed, the context and
//!   the actions of the episode; see [`AdapterOptions::replay_limit_env_steps`].
//! - *Info* is dropped. Each of their steps allocates, so this is not the fast way to write an
//!   environment: implement [`Environment`](crate::Environment) for that.
//! - Their wrappers borrow their environment and are not `Send`; wrap the adapter in
//!   [`crate::wrappers`] instead.
//!
//! # Their `CartPole`
//! It is not Gymnasium's CartPole-v1, and returns cannot be compared. The total mass is 1.0 kg
//! instead of 1.1. The pole pushes the cart back with ten times the force (a factor 0.1, the
//! pole's mass, is missing). The step that ends an episode is rewarded 0 instead of 1. The angle
//! of the last observation is outside their observation space, whose bound is the angle at which
//! episodes end. There is no time limit and no picture.

mod adapter;
mod convert;
mod episode;
mod guard;
mod spaces;

pub use adapter::Adapter;
pub use convert::{FromAction, ToObs};
pub use spaces::AdapterOptions;
