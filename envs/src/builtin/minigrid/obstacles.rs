//! The wandering balls of Dynamic-Obstacles.

use super::Draws;
use super::cell::Cell;
use super::grid::{Grid, MAX_SIZE, Spot, column_and_row, spot};
use serde::{Deserialize, Serialize};

/// Most obstacles: what the published rule allows in the largest grid.
pub(super) const MAX_OBSTACLES: usize = MAX_SIZE / 2 + 1;
/// Draws after which an obstacle stays where it is.
const MAX_DRAWS: u32 = 101;

/// Where the obstacles are, in the order in which they move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Obstacles {
    spots: [Spot; MAX_OBSTACLES],
    count: usize,
}

impl Obstacles {
    pub(super) fn push(&mut self, spot: Spot) {
        self.spots[self.count] = spot;
        self.count += 1;
    }

    pub(super) fn spots(&self) -> &[Spot] {
        &self.spots[..self.count.min(MAX_OBSTACLES)]
    }

    /// Moves each obstacle in turn to a free cell, diagonal ones included, next to where it is. If
    /// none is found it stays.
    pub(super) fn wander(&mut self, grid: &mut Grid, agent: Spot, draws: &mut dyn Draws) {
        for from in &mut self.spots[..self.count.min(MAX_OBSTACLES)] {
            let (x, y) = column_and_row(*from);
            for _ in 0..MAX_DRAWS {
                // Obstacles never lie on the outer wall, so x and y are at least 1.
                let to_x = x - 1 + draws.below(3) as usize;
                let to_y = y - 1 + draws.below(3) as usize;
                let to = spot(to_x, to_y);
                if grid.at(to).is_empty() && to != agent {
                    grid.set(to, grid.at(*from));
                    grid.set(*from, Cell::EMPTY);
                    *from = to;
                    break;
                }
            }
        }
    }
}
