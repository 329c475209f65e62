//! The wandering balls of Dynamic-Obstacles.

use super::Draws;
use super::cell::Cell;
use super::grid::{Grid, MAX_SIZE, ROW, Spot};
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
            let corner = *from - ROW - 1;
            for _ in 0..MAX_DRAWS {
                let (aside, down) = (draws.below(3) as usize, draws.below(3) as usize);
                let to = corner + down * ROW + aside;
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
