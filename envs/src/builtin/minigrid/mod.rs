//! MiniGrid: rooms, doors, keys, lava and goal squares on a grid, seen through a window of 7 by 7
//! cells in front of the agent. Twelve families: Empty, `FourRooms`, `DoorKey`, `KeyCorridor`,
//! `LavaGap`, `LavaCrossing`, `SimpleCrossing`, `MultiRoom`, Unlock, `GoToDoor`, `GoToObject`,
//! Dynamic-Obstacles.
//!
//! [`MiniGrid`] is the environment. A family only knows how its episodes begin (`Layout`); what
//! actions do is the same for all (`World`), and so is what the agent sees (`view`).
//!
//! # Source
//! Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld: Modular & Customizable Reinforcement
//! Learning Environments for Goal-Oriented Tasks" (arXiv 2306.13831). The behaviour is that of the
//! Python package `minigrid` 3.2.0: `tests/minigrid_parity.rs` plays both with the same random
//! numbers and compares every start, observation, reward and end.

mod builder;
mod cell;
mod crossing;
mod door_key;
mod draw;
mod env;
mod go_to;
mod grid;
mod locked_rooms;
mod multi_room;
mod obstacles;
mod open_rooms;
mod room_grid;
mod roster;
mod saved;
mod settings;
#[cfg(test)]
mod tests;
mod view;
mod world;

pub use cell::Color;
pub use env::{Encoding, MiniGrid};
pub use grid::MAX_SIZE;
pub use view::{ONE_HOT_PLANES, SYMBOLIC_PLANES, VIEW};
pub use world::{Act, Mission, TargetObject, World};

use crate::{ContextValue, Prng, Registry};
use builder::{Builder, Built};
use rand::RngExt;

/// Where random numbers come from: a generator, or in a test a record of them.
pub trait Draws {
    /// One of `0..n`, each as likely; `n` is at least 1.
    fn below(&mut self, n: u32) -> u32;
}

impl Draws for Prng {
    fn below(&mut self, n: u32) -> u32 {
        self.random_range(0..n)
    }
}

/// A family with its constructor arguments: how its episodes begin.
trait Layout: Send {
    /// The context values; their defaults are the constructor arguments.
    fn context(&self) -> Vec<ContextValue>;

    /// Number of actions, the first of [`Act::ALL`].
    fn actions(&self) -> usize {
        Act::ALL.len()
    }

    /// Makes the start of an episode. `values` are those of a checked context; random numbers are
    /// drawn in the package's order.
    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()>;
}

/// Ids of all MiniGrid environments.
pub fn ids() -> impl Iterator<Item = &'static str> {
    roster::ENTRIES.iter().map(|entry| entry.0)
}

/// Adds all to `registry`. Each takes `env.kwargs` `encoding`, see [`Encoding`].
pub(super) fn register(registry: &mut Registry) {
    for id in ids() {
        registry.register_with_options(id, move |options| {
            let encoding = Encoding::from_kwargs(id, &options.kwargs)?;
            Ok(Box::new(MiniGrid::new(id, encoding)?))
        });
    }
}
