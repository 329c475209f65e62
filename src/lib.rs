//! Contrail: reinforcement-learning agents that keep working while their environment shifts.
//!
//! This crate is the runtime: threads, files, clocks and the command line. Environments are in
//! [`contrail_envs`], algorithms in [`contrail_agents`]; only this crate sees both.
//! `ARCHITECTURE.md` has the data flow and the invariants.

pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod contrast;
pub mod log;
pub mod memory;
pub mod message;
pub mod replay;
pub mod roles;
pub mod run;
pub mod stats;
pub mod subspaces;
