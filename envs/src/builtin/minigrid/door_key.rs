//! `DoorKey`: a wall with a locked door, its key on the agent's side, the goal on the other.

use super::Layout;
use super::builder::{Builder, Built};
use super::cell::{Cell, Kind};
use super::grid::Area;
use super::settings::{YELLOW, color, goal_color, rounded, size};
use crate::ContextValue;

pub(super) struct DoorKey {
    pub(super) size: usize,
}

impl Layout for DoorKey {
    fn context(&self) -> Vec<ContextValue> {
        vec![size(self.size, 5), color("door_color", YELLOW, "door and key"), goal_color()]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, door_color, goal_color] = rounded(values);
        let size = size as usize;
        builder.world.restart(10 * (size * size) as u32);
        builder.world.grid.clear_room(size, size);
        let goal = builder.goal(goal_color);
        builder.put(goal, (size - 2, size - 2));
        let wall = builder.between(2, size - 2);
        builder.world.grid.fill(Area::new((wall, 0), (1, size)), Cell::WALL);
        let left = Area::new((0, 0), (wall, size));
        builder.place_agent(left)?;
        let y = builder.between(1, size - 2);
        let color = builder.color(door_color);
        builder.put(Cell::new(Kind::LockedDoor, color), (wall, y));
        builder.place(Cell::new(Kind::Key, color), left).map(drop)
    }
}
