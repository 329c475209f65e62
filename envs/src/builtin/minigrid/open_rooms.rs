//! Families in one room or four, with a goal square: Empty, Dynamic-Obstacles, `FourRooms`,
//! `LavaGap`.

use super::builder::{Builder, Built};
use super::cell::{Cell, Kind};
use super::grid::Area;
use super::settings::{
    BLUE, color, goal_color, obstacle, obstacle_type, random_start, rounded, size, whole,
};
use super::world::Task;
use super::{Layout, obstacles::MAX_OBSTACLES};
use crate::ContextValue;

/// An empty room with the goal in the lower right corner.
pub(super) struct Empty {
    pub(super) size: usize,
    pub(super) random_start: bool,
}

impl Layout for Empty {
    fn context(&self) -> Vec<ContextValue> {
        vec![size(self.size, 4), random_start(self.random_start), goal_color()]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, random_start, goal_color] = rounded(values);
        room_with_goal(builder, size as usize, goal_color);
        start(builder, random_start == 1)
    }
}

/// Clears a room that the agent sees all of, 4 `size`² steps long.
fn room_with_goal(builder: &mut Builder<'_>, size: usize, goal_color: i32) {
    builder.world.restart(4 * (size * size) as u32);
    builder.world.see_through_walls = true;
    builder.world.grid.clear_room(size, size);
    let goal = builder.goal(goal_color);
    builder.put(goal, (size - 2, size - 2));
}

fn start(builder: &mut Builder<'_>, is_random: bool) -> Built<()> {
    if is_random {
        return builder.place_agent(builder.world.grid.all());
    }
    builder.put_agent((1, 1));
    Ok(())
}

/// The same with balls that wander about; touching one costs 1 and ends the episode.
pub(super) struct DynamicObstacles {
    pub(super) size: usize,
    pub(super) random_start: bool,
    pub(super) obstacles: usize,
}

impl Layout for DynamicObstacles {
    fn context(&self) -> Vec<ContextValue> {
        let doc =
            "number of balls, rounded; half the size, rounded down, if that and 1 is exceeded";
        vec![
            size(self.size, 5),
            random_start(self.random_start),
            whole(("obstacles", "1"), self.obstacles, (0, MAX_OBSTACLES), doc),
            goal_color(),
            color("obstacle_color", BLUE, "the balls"),
        ]
    }

    fn actions(&self) -> usize {
        3
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, random_start, obstacles, goal_color, color] = rounded(values);
        let (size, obstacles) = (size as usize, obstacles as usize);
        room_with_goal(builder, size, goal_color);
        builder.world.task = Task::Avoid;
        start(builder, random_start == 1)?;
        // `obstacles` <= `size` / 2 + 1 in numbers with a fraction.
        let count = if 2 * obstacles <= size + 2 { obstacles } else { size / 2 };
        let ball = Cell::new(Kind::Ball, builder.color(color));
        for _ in 0..count {
            let spot = builder.place(ball, builder.world.grid.all())?;
            builder.world.obstacles.push(spot);
        }
        Ok(())
    }
}

/// Four rooms joined by four gaps; agent and goal anywhere.
pub(super) struct FourRooms;

impl Layout for FourRooms {
    fn context(&self) -> Vec<ContextValue> {
        let mut size = size(19, 7);
        size.doc = "width and height of the grid with its outer walls, rounded".into();
        vec![size, goal_color()]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, goal_color] = rounded(values);
        let size = size as usize;
        builder.world.restart(100);
        builder.world.grid.clear_room(size, size);
        let room = size / 2;
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (left, top) = (column * room, row * room);
            if column == 0 {
                let x = left + room;
                builder.world.grid.fill(Area::new((x, top), (1, room)), Cell::WALL);
                let gap = (x, builder.between(top + 1, top + room));
                builder.put(Cell::EMPTY, gap);
            }
            if row == 0 {
                let y = top + room;
                builder.world.grid.fill(Area::new((left, y), (room, 1)), Cell::WALL);
                let gap = (builder.between(left + 1, left + room), y);
                builder.put(Cell::EMPTY, gap);
            }
        }
        let everywhere = builder.world.grid.all();
        builder.place_agent(everywhere)?;
        let goal = builder.goal(goal_color);
        builder.place(goal, everywhere).map(drop)
    }
}

/// A strip of lava, or of wall, from top to bottom with one gap.
pub(super) struct LavaGap {
    pub(super) size: usize,
}

impl Layout for LavaGap {
    fn context(&self) -> Vec<ContextValue> {
        vec![size(self.size, 5), obstacle_type(false), goal_color()]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, obstacle_type, goal_color] = rounded(values);
        let size = size as usize;
        room_with_goal(builder, size, goal_color);
        builder.world.see_through_walls = false;
        builder.put_agent((1, 1));
        let x = builder.between(2, size - 2);
        let gap = (x, builder.between(1, size - 1));
        let strip = Area::new((x, 1), (1, size - 2));
        builder.world.grid.fill(strip, obstacle(obstacle_type));
        builder.put(Cell::EMPTY, gap);
        Ok(())
    }
}
