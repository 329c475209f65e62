//! Makes the start of an episode: draws numbers and puts things into free cells.

use super::Draws;
use super::cell::{Cell, Color, Kind};
use super::grid::{Area, Spot, spot, walk};
use super::world::World;

/// Draws after which a search for a free cell is given up. In every allowed context there are
/// free cells, so this stands for a fault and not for bad luck.
const MAX_DRAWS: u32 = 100_000;
/// Setting that leaves a choice to chance.
pub(super) const DRAWN: i32 = -1;

/// No free cell was found, or no way to join rooms.
#[derive(Debug)]
pub(super) struct Crowded;

pub(super) type Built<T> = Result<T, Crowded>;

/// A world in the making.
pub(super) struct Builder<'a> {
    pub(super) world: &'a mut World,
    draws: &'a mut dyn Draws,
}

impl<'a> Builder<'a> {
    pub(super) fn new(world: &'a mut World, draws: &'a mut dyn Draws) -> Self {
        Self { world, draws }
    }

    /// One of `0..n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.draws.below(n as u32) as usize
    }

    /// One of `low..high`.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low)
    }

    /// The color of `setting`, or one that is drawn.
    pub(super) fn color(&mut self, setting: i32) -> Color {
        match usize::try_from(setting) {
            Ok(index) => Color::ALL[index],
            Err(_) => Color::BY_NAME[self.below(Color::BY_NAME.len())],
        }
    }

    /// Puts all in another order, each as likely.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A free cell of `area`, as far as it lies in the grid, that `accepts`.
    fn free(&mut self, area: Area, accepts: impl Fn(&World, Spot) -> bool) -> Built<Spot> {
        let (width, height) = self.world.size();
        for _ in 0..MAX_DRAWS {
            let x = self.between(area.left, area.right.min(width));
            let y = self.between(area.top, area.bottom.min(height));
            let found = spot(x, y);
            let world = &*self.world;
            if world.grid.at(found).is_empty() && found != world.agent && accepts(world, found) {
                return Ok(found);
            }
        }
        Err(Crowded)
    }

    /// Puts `cell` somewhere in `area`.
    pub(super) fn place(&mut self, cell: Cell, area: Area) -> Built<Spot> {
        self.place_where(cell, area, |_, _| true)
    }

    /// Puts `cell` somewhere in `area` where `accepts` is true.
    pub(super) fn place_where(
        &mut self,
        cell: Cell,
        area: Area,
        accepts: impl Fn(&World, Spot) -> bool,
    ) -> Built<Spot> {
        let found = self.free(area, accepts)?;
        self.world.grid.set(found, cell);
        Ok(found)
    }

    /// Puts the agent somewhere in `area` with any heading.
    pub(super) fn place_agent(&mut self, area: Area) -> Built<()> {
        self.world.agent = super::grid::NOWHERE;
        self.world.agent = self.free(area, |_, _| true)?;
        self.world.heading = self.below(4);
        Ok(())
    }

    /// Puts the agent into a given cell, heading right.
    pub(super) fn put_agent(&mut self, (x, y): (usize, usize)) {
        (self.world.agent, self.world.heading) = (spot(x, y), 0);
    }

    /// The goal square of the color of `setting`, to be put somewhere, and the mission to reach it.
    pub(super) fn goal(&mut self, setting: i32) -> Cell {
        let color = self.color(setting);
        self.world.mission.color = Some(color);
        Cell::new(Kind::Goal, color)
    }

    /// Puts `cell` into a given cell.
    pub(super) fn put(&mut self, cell: Cell, (x, y): (usize, usize)) -> Spot {
        let at = spot(x, y);
        self.world.grid.set(at, cell);
        at
    }

    /// What is in front of the agent.
    pub(super) fn in_front(&self) -> Cell {
        let world = &*self.world;
        world.grid.at(walk(world.agent, super::grid::STEPS[world.heading], 1))
    }
}
