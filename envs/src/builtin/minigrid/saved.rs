//! A world as it is saved.

use super::cell::Cell;
use super::grid::{Grid, MAX_SIZE, NOWHERE, spot};
use super::obstacles::Obstacles;
use super::world::{Mission, Task, World};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    width: usize,
    height: usize,
    /// Row by row, without the margin.
    cells: Vec<u8>,
    agent: usize,
    heading: usize,
    carried: u8,
    mission: Mission,
    task: Task,
    obstacles: Obstacles,
    see_through_walls: bool,
    elapsed_env_steps: u32,
    max_env_steps: u32,
}

impl From<&World> for Saved {
    fn from(world: &World) -> Self {
        let (width, height) = world.size();
        let rows = 0..height;
        let cell = |x, y| world.grid.at(spot(x, y)).byte();
        Self {
            width,
            height,
            cells: rows.flat_map(|y| (0..width).map(move |x| cell(x, y))).collect(),
            agent: world.agent,
            heading: world.heading,
            carried: world.carried.byte(),
            mission: world.mission,
            task: world.task,
            obstacles: world.obstacles,
            see_through_walls: world.see_through_walls,
            elapsed_env_steps: world.elapsed_env_steps,
            max_env_steps: world.max_env_steps,
        }
    }
}

impl Saved {
    /// The world, or why this cannot be one.
    pub(super) fn into_world(self) -> Result<World, String> {
        let grid = self.grid()?;
        let carried = Cell::from_byte(self.carried).filter(|c| c.is_empty() || c.is_portable());
        let Some(carried) = carried else {
            return Err(format!("it carries {}, which is nothing to carry", self.carried));
        };
        let outside = |spot: &usize| !grid.holds(*spot);
        if outside(&self.agent) || self.heading > 3 {
            return Err(format!("its agent is at {} heading {}", self.agent, self.heading));
        }
        if let Task::PickUp(spot) | Task::Open(spot) | Task::StandBeside(spot) = self.task
            && spot != NOWHERE
            && outside(&spot)
        {
            return Err(format!("the target is outside the grid: {:?}", self.task));
        }
        if self.max_env_steps == 0 {
            return Err("its step limit is 0".to_owned());
        }
        if self.obstacles.spots().iter().any(outside) {
            return Err(format!("an obstacle is outside the grid: {:?}", self.obstacles.spots()));
        }
        Ok(World {
            grid,
            agent: self.agent,
            heading: self.heading,
            carried,
            mission: self.mission,
            task: self.task,
            obstacles: self.obstacles,
            see_through_walls: self.see_through_walls,
            elapsed_env_steps: self.elapsed_env_steps,
            max_env_steps: self.max_env_steps,
        })
    }

    fn grid(&self) -> Result<Grid, String> {
        let (width, height) = (self.width, self.height);
        let sizes = 3..=MAX_SIZE;
        if !sizes.contains(&width) || !sizes.contains(&height) {
            return Err(format!("its grid is {width} by {height}, allowed are 3 to {MAX_SIZE}"));
        }
        if self.cells.len() != width * height {
            return Err(format!("it has {} cells of {width} by {height}", self.cells.len()));
        }
        let mut grid = Grid::solid();
        grid.clear(width, height);
        for (index, byte) in self.cells.iter().enumerate() {
            let cell = Cell::from_byte(*byte).ok_or(format!("there is no cell {byte}"))?;
            grid.set(spot(index % width, index / width), cell);
        }
        Ok(grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_that_cannot_be_is_refused_with_the_reason() {
        let mut world = World::new();
        world.grid.clear_room(5, 5);
        world.agent = spot(1, 1);
        type Row = (fn(&mut Saved), &'static str);
        let table: [Row; 9] = [
            (|saved| saved.width = 2, "its grid is 2 by 5, allowed are 3 to 25"),
            (|saved| saved.cells.truncate(24), "it has 24 cells of 5 by 5"),
            (|saved| saved.cells[7] = 0, "there is no cell 0"),
            (|saved| saved.agent = 0, "its agent is at 0 heading 0"),
            (|saved| saved.heading = 4, "heading 4"),
            (|saved| saved.carried = Cell::WALL.byte(), "which is nothing to carry"),
            (|saved| saved.task = Task::Open(40_000), "the target is outside the grid"),
            (|saved| saved.max_env_steps = 0, "its step limit is 0"),
            (|saved| saved.obstacles.push(3), "an obstacle is outside the grid: [3]"),
        ];
        for (damage, reason) in table {
            let mut saved = Saved::from(&world);
            damage(&mut saved);
            let refused = saved.into_world().err().unwrap();
            assert!(refused.contains(reason), "{refused}");
        }
        let same = Saved::from(&world).into_world().unwrap();
        assert_eq!((same.size(), same.agent()), ((5, 5), (1, 1, 0)));
        assert_eq!(same.cell(0, 0), Cell::WALL.shown());
        assert_eq!(same.cell(3, 3), Cell::EMPTY.shown());
    }
}
