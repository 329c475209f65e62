//! The jumping task: walk to the right edge of a picture and jump over the one obstacle, from the
//! one column that clears it. Small shifts of the obstacle or the floor defeat agents that learn
//! pixels by heart, so it measures generalisation from 18 tasks to 268 others.
//!
//! # Source
//! Tachet des Combes, Bachman and van Seijen 2018, "Learning Invariances for Policy
//! Generalization" (arXiv 1809.02591) made the task. The 286 tasks and the grids are those of
//! Agarwal et al. 2021, "Contrastive Behavioral Similarity Embeddings for Generalization in
//! Reinforcement Learning" (arXiv 2101.05265). The rules are those of the Python package
//! `gym_jumping_task` at commit b714efb: `jumping-task-v0` and `jumping-colors-task-v0`.

mod env;
mod episode;
mod tasks;
#[cfg(test)]
mod tests;

pub use env::Jumping;
pub use tasks::{Grid, grid, optimal_action, optimal_jump_position, tasks, unseen};

use crate::Registry;

/// Adds `Jumping-v0` and `JumpingColors-v0` to `registry`.
pub(super) fn register(registry: &mut Registry) {
    registry.register("Jumping-v0", || Ok(Box::new(Jumping::new())));
    registry.register("JumpingColors-v0", || Ok(Box::new(Jumping::with_colors())));
}
