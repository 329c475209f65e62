//! `MultiRoom`: a chain of rooms with closed doors, the goal in the last one.

use super::Layout;
use super::builder::{Builder, Built, Crowded, DRAWN};
use super::cell::{Cell, Color, Kind};
use super::grid::{Area, MAX_SIZE};
use super::settings::{color, goal_color, rounded, whole};
use crate::ContextValue;

/// Longest chain.
const MAX_ROOMS: usize = 8;
/// Cells along a side of the smallest room, walls included.
const MIN_ROOM_SIZE: usize = 4;
/// Places that are tried for the room after the last one.
const PLACES: usize = 8;
/// Chains that are begun until one is long enough.
const MAX_CHAINS: u32 = 1_000_000;

pub(super) struct MultiRoom {
    pub(super) rooms: usize,
    pub(super) max_room_size: usize,
}

/// Walls of a room, by the heading in which one leaves through them.
const RIGHT: usize = 0;
const DOWN: usize = 1;
const LEFT: usize = 2;

/// A door, and through which wall of the room behind it one comes in.
#[derive(Clone, Copy)]
struct Entry {
    wall: usize,
    x: i32,
    y: i32,
}

/// A room of the chain: its area, and the door to it.
#[derive(Clone, Copy)]
struct Room {
    left: i32,
    top: i32,
    width: i32,
    height: i32,
    entry: Entry,
}

impl Room {
    /// A room of any size and position with this entry; that it fits is to be checked.
    fn draw(entry: Entry, is_first: bool, max_size: usize, builder: &mut Builder<'_>) -> Self {
        let width = builder.between(MIN_ROOM_SIZE, max_size + 1) as i32;
        let height = builder.between(MIN_ROOM_SIZE, max_size + 1) as i32;
        let Entry { wall, x, y } = entry;
        // The door lies between the corners of its wall.
        let mut beside =
            |at: i32, length: i32| at - length + 2 + builder.below(length as usize - 2) as i32;
        let (left, top) = match wall {
            _ if is_first => (x, y),
            RIGHT => (x - width + 1, beside(y, height)),
            DOWN => (beside(x, width), y - height + 1),
            LEFT => (x, beside(y, height)),
            _ => (beside(x, width), y),
        };
        Self { left, top, width, height, entry }
    }

    fn fits(&self, size: i32) -> bool {
        // The last row of the grid stays free, the last column does not: so published.
        let inside = self.left >= 0 && self.top >= 0;
        inside && self.left + self.width <= size && self.top + self.height < size
    }

    /// Whether it is clear of an earlier room. To the left of the other and above it, one column
    /// or row must lie between them; to the right and below, walls may touch: so published.
    fn is_clear_of(&self, other: &Self) -> bool {
        self.left + self.width < other.left
            || other.left + other.width <= self.left
            || self.top + self.height < other.top
            || other.top + other.height <= self.top
    }

    /// A door to another room in any wall but the one with the entry.
    fn draw_exit(&self, builder: &mut Builder<'_>) -> Entry {
        let choice = builder.below(3);
        let exit = if choice < self.entry.wall { choice } else { choice + 1 };
        let along =
            |length: i32, builder: &mut Builder<'_>| builder.between(1, length as usize - 1) as i32;
        let (x, y) = match exit {
            RIGHT => (self.left + self.width - 1, self.top + along(self.height, builder)),
            DOWN => (self.left + along(self.width, builder), self.top + self.height - 1),
            LEFT => (self.left, self.top + along(self.height, builder)),
            _ => (self.left + along(self.width, builder), self.top),
        };
        Entry { wall: (exit + 2) % 4, x, y }
    }

    fn area(&self) -> Area {
        let [left, top, width, height] =
            [self.left, self.top, self.width, self.height].map(|length| length as usize);
        Area::new((left, top), (width, height))
    }
}

const NO_ROOM: Room =
    Room { left: 0, top: 0, width: 0, height: 0, entry: Entry { wall: LEFT, x: 0, y: 0 } };

/// Fills `chain` from the front and says how far it came.
fn draw_chain(chain: &mut [Room], max_size: usize, builder: &mut Builder<'_>) -> usize {
    let size = MAX_SIZE as i32;
    let mut corner = || builder.below(MAX_SIZE - 2) as i32;
    let entry = Entry { wall: LEFT, x: corner(), y: corner() };
    chain[0] = Room::draw(entry, true, max_size, builder);
    if !chain[0].fits(size) {
        return 0;
    }
    let (mut placed, mut tries) = (1, 0);
    while placed < chain.len() && tries < PLACES {
        let exit = chain[placed - 1].draw_exit(builder);
        let room = Room::draw(exit, false, max_size, builder);
        // It shares a wall with the room before it.
        let mut earlier = chain[..placed - 1].iter();
        if room.fits(size) && earlier.all(|other| room.is_clear_of(other)) {
            chain[placed] = room;
            (placed, tries) = (placed + 1, 0);
        } else {
            tries += 1;
        }
    }
    placed
}

/// A color that is not `before`, or that of `setting`.
fn door_color(setting: i32, before: Option<Color>, builder: &mut Builder<'_>) -> Color {
    let Some(before) = before.filter(|_| setting == DRAWN) else {
        return builder.color(setting);
    };
    let choice = builder.below(Color::BY_NAME.len() - 1);
    let mut others = Color::BY_NAME.into_iter().filter(|color| *color != before);
    others.nth(choice).unwrap_or(before)
}

impl Layout for MultiRoom {
    fn context(&self) -> Vec<ContextValue> {
        let rooms = "number of rooms, rounded; the step limit is 20 times that";
        let sizes = "most cells along a side of a room with its walls, rounded";
        vec![
            whole(("rooms", "1"), self.rooms, (1, MAX_ROOMS), rooms),
            whole(("max_room_size", "cells"), self.max_room_size, (MIN_ROOM_SIZE, 10), sizes),
            color("door_color", DRAWN, "the doors; drawn, no two doors of a room are alike"),
            goal_color(),
        ]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [rooms, max_room_size, door_setting, goal_color] = rounded(values);
        builder.world.restart(20 * rooms as u32);
        let mut chain = [NO_ROOM; MAX_ROOMS];
        let chain = &mut chain[..rooms as usize];
        let mut chains = 0..MAX_CHAINS;
        if !chains.any(|_| draw_chain(chain, max_room_size as usize, builder) == chain.len()) {
            return Err(Crowded);
        }
        builder.world.grid.clear(MAX_SIZE, MAX_SIZE);
        let mut color_before = None;
        for (index, room) in chain.iter().enumerate() {
            builder.world.grid.wall_in(room.area());
            if index > 0 {
                let color = door_color(door_setting, color_before, builder);
                let Entry { x, y, .. } = room.entry;
                builder.put(Cell::new(Kind::ClosedDoor, color), (x as usize, y as usize));
                color_before = Some(color);
            }
        }
        builder.place_agent(chain[0].area())?;
        let goal = builder.goal(goal_color);
        builder.place(goal, chain[chain.len() - 1].area()).map(drop)
    }
}
