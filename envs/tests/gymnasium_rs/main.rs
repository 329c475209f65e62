//! The adapter of the crate gymnasium-rs, with its `CartPole` and with environments written here.
//!
//! Run by `cargo test --release -p contrail-envs --features gymnasium-rs`.
#![cfg(feature = "gymnasium-rs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapter;
mod cartpole;
mod toys;

use contrail_envs::{EnvError, Environment};

type Made = Result<Box<dyn Environment>, EnvError>;
