//! Square rooms in rows and columns that share walls, with doors between them.

use super::builder::{Builder, Built, Crowded};
use super::cell::{Cell, Color, Kind};
use super::grid::{Area, NOWHERE, Spot, column_and_row, spot};
use super::world::World;

/// Most rows or columns.
pub(super) const MAX_ROOMS: usize = 3;
/// Doors tried until all rooms are joined.
const MAX_DOORS: u32 = 100_000;

/// Sides of a room, by the heading in which one leaves there.
pub(super) const RIGHT: usize = 0;
pub(super) const DOWN: usize = 1;
pub(super) const LEFT: usize = 2;
pub(super) const UP: usize = 3;

#[derive(Clone, Copy, Default)]
struct Room {
    /// Where a door on each side is or would be; `None` at the outer walls.
    doors: [Option<Spot>; 4],
    /// Whether there is a way through each side.
    joined: [bool; 4],
    /// Whether it was given a locked door.
    locked: bool,
}

/// The rooms of a world in the making.
pub(super) struct RoomGrid {
    rooms: [[Room; MAX_ROOMS]; MAX_ROOMS],
    columns: usize,
    rows: usize,
    /// Cells from a room to the next one: its size less the shared wall.
    pitch: usize,
}

/// Column and row of a room.
pub(super) type At = (usize, usize);

impl RoomGrid {
    /// Clears the grid, draws all walls and draws where doors would be. The agent is in the middle
    /// as long as objects are placed: they keep away from there.
    pub(super) fn new((columns, rows): At, room_size: usize, builder: &mut Builder<'_>) -> Self {
        let pitch = room_size - 1;
        let rooms = [[Room::default(); MAX_ROOMS]; MAX_ROOMS];
        let mut this = Self { rooms, columns, rows, pitch };
        builder.world.grid.clear(columns * pitch + 1, rows * pitch + 1);
        for row in 0..rows {
            for column in 0..columns {
                builder.world.grid.wall_in(this.area((column, row)));
                this.draw_doors((column, row), builder);
            }
        }
        let middle = |rooms: usize| rooms / 2 * pitch + room_size / 2;
        builder.put_agent((middle(columns), middle(rows)));
        this
    }

    /// Doors to the right and down; the others are those of the rooms before.
    fn draw_doors(&mut self, (column, row): At, builder: &mut Builder<'_>) {
        let Area { left, top, .. } = self.area((column, row));
        if column + 1 < self.columns {
            let door = spot(left + self.pitch, top + 1 + builder.below(self.pitch - 1));
            self.rooms[row][column].doors[RIGHT] = Some(door);
            self.rooms[row][column + 1].doors[LEFT] = Some(door);
        }
        if row + 1 < self.rows {
            let door = spot(left + 1 + builder.below(self.pitch - 1), top + self.pitch);
            self.rooms[row][column].doors[DOWN] = Some(door);
            self.rooms[row + 1][column].doors[UP] = Some(door);
        }
    }

    fn area(&self, (column, row): At) -> Area {
        let side = self.pitch + 1;
        Area::new((column * self.pitch, row * self.pitch), (side, side))
    }

    fn neighbor((column, row): At, side: usize) -> At {
        match side {
            RIGHT => (column + 1, row),
            DOWN => (column, row + 1),
            LEFT => (column - 1, row),
            _ => (column, row - 1),
        }
    }

    fn join(&mut self, at: At, side: usize) {
        let other = Self::neighbor(at, side);
        self.rooms[at.1][at.0].joined[side] = true;
        self.rooms[other.1][other.0].joined[(side + 2) % 4] = true;
    }

    /// Takes away the wall between a room and the one above it.
    pub(super) fn open_up(&mut self, at: At, builder: &mut Builder<'_>) {
        let Area { left, top, .. } = self.area(at);
        builder.world.grid.fill(Area::new((left + 1, top), (self.pitch - 1, 1)), Cell::EMPTY);
        self.join(at, UP);
    }

    /// Puts a door where it was drawn to be. An outer wall has none.
    pub(super) fn add_door(
        &mut self,
        at: At,
        side: usize,
        door: Cell,
        builder: &mut Builder<'_>,
    ) -> Spot {
        let Some(spot) = self.rooms[at.1][at.0].doors[side] else { return NOWHERE };
        builder.world.grid.set(spot, door);
        self.rooms[at.1][at.0].locked = door.is(Kind::LockedDoor);
        self.join(at, side);
        spot
    }

    /// Puts an object into a room, not next to the middle of the grid.
    pub(super) fn add_object(&self, at: At, cell: Cell, builder: &mut Builder<'_>) -> Built<Spot> {
        let keeps_away = |world: &World, found: Spot| {
            let ((x, y), (agent_x, agent_y)) = (column_and_row(found), column_and_row(world.agent));
            x.abs_diff(agent_x) + y.abs_diff(agent_y) >= 2
        };
        builder.place_where(cell, self.area(at), keeps_away)
    }

    /// Puts the agent into a room so that it faces nothing or a wall.
    pub(super) fn place_agent(&self, at: At, builder: &mut Builder<'_>) -> Built<()> {
        loop {
            builder.place_agent(self.area(at))?;
            let front = builder.in_front();
            if front.is_empty() || front.is(Kind::Wall) {
                return Ok(());
            }
        }
    }

    /// Adds closed doors of drawn colors at drawn places, never at a room with a locked door,
    /// until each room can be reached from that of the agent.
    pub(super) fn join_all(&mut self, builder: &mut Builder<'_>) -> Built<()> {
        for _ in 0..MAX_DOORS {
            if self.all_reached(builder.world.agent) {
                return Ok(());
            }
            let at = (builder.below(self.columns), builder.below(self.rows));
            let side = builder.below(4);
            let room = &self.rooms[at.1][at.0];
            if room.doors[side].is_none() || room.joined[side] {
                continue;
            }
            let other = Self::neighbor(at, side);
            if room.locked || self.rooms[other.1][other.0].locked {
                continue;
            }
            let color = Color::BY_NAME[builder.below(Color::BY_NAME.len())];
            self.add_door(at, side, Cell::new(Kind::ClosedDoor, color), builder);
        }
        Err(Crowded)
    }

    fn all_reached(&self, agent: Spot) -> bool {
        let (x, y) = column_and_row(agent);
        let mut reached = [[false; MAX_ROOMS]; MAX_ROOMS];
        reached[y / self.pitch][x / self.pitch] = true;
        // One sweep a room is always enough: each but the last reaches another one.
        for _ in 0..self.columns * self.rows {
            for row in 0..self.rows {
                for column in 0..self.columns {
                    for side in 0..4 {
                        if reached[row][column] && self.rooms[row][column].joined[side] {
                            let (column, row) = Self::neighbor((column, row), side);
                            reached[row][column] = true;
                        }
                    }
                }
            }
        }
        let rows = reached.iter().take(self.rows);
        rows.flat_map(|row| row.iter().take(self.columns)).all(|reached| *reached)
    }
}
