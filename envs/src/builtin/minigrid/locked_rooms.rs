//! Families of several rooms with a locked door: `KeyCorridor`, `Unlock`.

use super::Layout;
use super::builder::{Builder, Built, DRAWN};
use super::cell::{Cell, Kind};
use super::grid::MAX_SIZE;
use super::room_grid::{LEFT, MAX_ROOMS, RIGHT, RoomGrid};
use super::settings::{PORTABLES, color, portable, rounded, whole};
use super::world::{Mission, TargetObject, Task};
use crate::ContextValue;

/// Index into [`PORTABLES`].
const BALL: i32 = 1;

/// A corridor with rooms on both sides. One on the right is locked and has the object to pick up;
/// the key lies in one on the left.
pub(super) struct KeyCorridor {
    pub(super) room_size: usize,
    pub(super) rows: usize,
}

impl Layout for KeyCorridor {
    fn context(&self) -> Vec<ContextValue> {
        let size = "width and height of a room with its walls, rounded; the step limit follows";
        let most = (MAX_SIZE - 1) / MAX_ROOMS + 1;
        vec![
            whole(("room_size", "cells"), self.room_size, (3, most), size),
            whole(("rows", "1"), self.rows, (1, MAX_ROOMS), "rows of rooms, rounded"),
            portable("target_type", BALL, "the object to pick up"),
            color("target_color", DRAWN, "the object to pick up"),
            color("door_color", DRAWN, "the locked door and its key"),
        ]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [room_size, rows, target_type, target_color, door_color] = rounded(values);
        let (room_size, rows) = (room_size as usize, rows as usize);
        builder.world.restart(30 * (room_size * room_size) as u32);
        let mut rooms = RoomGrid::new((3, rows), room_size, builder);
        for row in 1..rows {
            rooms.open_up((1, row), builder);
        }
        let locked = (2, builder.below(rows));
        let key_color = builder.color(door_color);
        rooms.add_door(locked, LEFT, Cell::new(Kind::LockedDoor, key_color), builder);
        let target_type = match usize::try_from(target_type) {
            Ok(index) => index,
            Err(_) => builder.below(PORTABLES.len()),
        };
        let (kind, object) = PORTABLES[target_type];
        let color = builder.color(target_color);
        let target = rooms.add_object(locked, Cell::new(kind, color), builder)?;
        builder.world.mission = Mission { object, color: Some(color) };
        builder.world.task = Task::PickUp(target);
        let key_room = (0, builder.below(rows));
        rooms.add_object(key_room, Cell::new(Kind::Key, key_color), builder)?;
        rooms.place_agent((1, rows / 2), builder)?;
        rooms.join_all(builder)
    }
}

/// Two rooms, a locked door between them, and its key on the agent's side.
pub(super) struct Unlock;

impl Layout for Unlock {
    fn context(&self) -> Vec<ContextValue> {
        let size = "width and height of a room with its walls, rounded; the step limit follows";
        vec![
            whole(("room_size", "cells"), 6, (4, MAX_SIZE / 2 + 1), size),
            color("door_color", DRAWN, "door and key"),
        ]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [room_size, door_color] = rounded(values);
        let room_size = room_size as usize;
        builder.world.restart(8 * (room_size * room_size) as u32);
        let mut rooms = RoomGrid::new((2, 1), room_size, builder);
        let color = builder.color(door_color);
        let door = rooms.add_door((0, 0), RIGHT, Cell::new(Kind::LockedDoor, color), builder);
        builder.world.task = Task::Open(door);
        builder.world.mission = Mission { object: TargetObject::Door, color: None };
        rooms.add_object((0, 0), Cell::new(Kind::Key, color), builder)?;
        rooms.place_agent((0, 0), builder)
    }
}
