//! The registered environments: id and constructor arguments, as published.

use super::Layout;
use super::crossing::Crossing;
use super::door_key::DoorKey;
use super::go_to::{GoToDoor, GoToObject};
use super::locked_rooms::{KeyCorridor, Unlock};
use super::multi_room::MultiRoom;
use super::open_rooms::{DynamicObstacles, Empty, FourRooms, LavaGap};

type Entry = (&'static str, fn() -> Box<dyn Layout>);

fn empty(size: usize, random_start: bool) -> Box<dyn Layout> {
    Box::new(Empty { size, random_start })
}

fn dynamic(size: usize, random_start: bool, obstacles: usize) -> Box<dyn Layout> {
    Box::new(DynamicObstacles { size, random_start, obstacles })
}

fn crossing(size: usize, crossings: usize, is_wall: bool) -> Box<dyn Layout> {
    Box::new(Crossing { size, crossings, is_wall })
}

fn corridor(room_size: usize, rows: usize) -> Box<dyn Layout> {
    Box::new(KeyCorridor { room_size, rows })
}

fn multi_room(rooms: usize, max_room_size: usize) -> Box<dyn Layout> {
    Box::new(MultiRoom { rooms, max_room_size })
}

/// All, in alphabetical order of the families.
pub(super) const ENTRIES: [Entry; 44] = [
    ("MiniGrid-DoorKey-5x5-v0", || Box::new(DoorKey { size: 5 })),
    ("MiniGrid-DoorKey-6x6-v0", || Box::new(DoorKey { size: 6 })),
    ("MiniGrid-DoorKey-8x8-v0", || Box::new(DoorKey { size: 8 })),
    ("MiniGrid-DoorKey-16x16-v0", || Box::new(DoorKey { size: 16 })),
    ("MiniGrid-Dynamic-Obstacles-5x5-v0", || dynamic(5, false, 2)),
    ("MiniGrid-Dynamic-Obstacles-Random-5x5-v0", || dynamic(5, true, 2)),
    ("MiniGrid-Dynamic-Obstacles-6x6-v0", || dynamic(6, false, 3)),
    ("MiniGrid-Dynamic-Obstacles-Random-6x6-v0", || dynamic(6, true, 3)),
    ("MiniGrid-Dynamic-Obstacles-8x8-v0", || dynamic(8, false, 4)),
    ("MiniGrid-Dynamic-Obstacles-16x16-v0", || dynamic(16, false, 8)),
    ("MiniGrid-Empty-5x5-v0", || empty(5, false)),
    ("MiniGrid-Empty-Random-5x5-v0", || empty(5, true)),
    ("MiniGrid-Empty-6x6-v0", || empty(6, false)),
    ("MiniGrid-Empty-Random-6x6-v0", || empty(6, true)),
    ("MiniGrid-Empty-8x8-v0", || empty(8, false)),
    ("MiniGrid-Empty-16x16-v0", || empty(16, false)),
    ("MiniGrid-FourRooms-v0", || Box::new(FourRooms)),
    ("MiniGrid-GoToDoor-5x5-v0", || Box::new(GoToDoor { size: 5 })),
    ("MiniGrid-GoToDoor-6x6-v0", || Box::new(GoToDoor { size: 6 })),
    ("MiniGrid-GoToDoor-8x8-v0", || Box::new(GoToDoor { size: 8 })),
    ("MiniGrid-GoToObject-6x6-N2-v0", || Box::new(GoToObject { size: 6, objects: 2 })),
    ("MiniGrid-GoToObject-8x8-N2-v0", || Box::new(GoToObject { size: 8, objects: 2 })),
    ("MiniGrid-KeyCorridorS3R1-v0", || corridor(3, 1)),
    ("MiniGrid-KeyCorridorS3R2-v0", || corridor(3, 2)),
    ("MiniGrid-KeyCorridorS3R3-v0", || corridor(3, 3)),
    ("MiniGrid-KeyCorridorS4R3-v0", || corridor(4, 3)),
    ("MiniGrid-KeyCorridorS5R3-v0", || corridor(5, 3)),
    ("MiniGrid-KeyCorridorS6R3-v0", || corridor(6, 3)),
    ("MiniGrid-LavaCrossingS9N1-v0", || crossing(9, 1, false)),
    ("MiniGrid-LavaCrossingS9N2-v0", || crossing(9, 2, false)),
    ("MiniGrid-LavaCrossingS9N3-v0", || crossing(9, 3, false)),
    ("MiniGrid-LavaCrossingS11N5-v0", || crossing(11, 5, false)),
    ("MiniGrid-LavaGapS5-v0", || Box::new(LavaGap { size: 5 })),
    ("MiniGrid-LavaGapS6-v0", || Box::new(LavaGap { size: 6 })),
    ("MiniGrid-LavaGapS7-v0", || Box::new(LavaGap { size: 7 })),
    ("MiniGrid-MultiRoom-N2-S4-v0", || multi_room(2, 4)),
    // Published with 6 rooms under this name; version 1 has the 4 that it says.
    ("MiniGrid-MultiRoom-N4-S5-v0", || multi_room(6, 5)),
    ("MiniGrid-MultiRoom-N4-S5-v1", || multi_room(4, 5)),
    ("MiniGrid-MultiRoom-N6-v0", || multi_room(6, 10)),
    ("MiniGrid-SimpleCrossingS9N1-v0", || crossing(9, 1, true)),
    ("MiniGrid-SimpleCrossingS9N2-v0", || crossing(9, 2, true)),
    ("MiniGrid-SimpleCrossingS9N3-v0", || crossing(9, 3, true)),
    ("MiniGrid-SimpleCrossingS11N5-v0", || crossing(11, 5, true)),
    ("MiniGrid-Unlock-v0", || Box::new(Unlock)),
];
