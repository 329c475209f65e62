//! `MiniGrid` against the Python package: with the same random numbers and actions, every start,
//! observation, reward and end is the same, and so is the whole grid at the end of an episode.
//!
//! `minigrid_trace.py` plays the package while this test runs and describes the format of what it
//! writes. It needs the Python packages that `scripts/python_envs.sh` installs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "minigrid_parity/events.rs"]
mod events;
#[path = "minigrid_parity/layouts.rs"]
mod layouts;
#[path = "minigrid_parity/pair.rs"]
mod pair;
#[path = "minigrid_parity/trace.rs"]
mod trace;

use events::Events;
use pair::{IMAGE, follow};
use trace::{Case, trace};

/// Plays the ids "MiniGrid-`name`" for `steps` steps each as the package does.
fn replay(names: &[&str], steps: usize) -> Events {
    let ids: Vec<_> = names.iter().map(|name| format!("MiniGrid-{name}")).collect();
    let cases: Vec<_> = ids.iter().map(|id| Case::new(id)).collect();
    replay_cases(&cases, steps)
}

fn replay_cases(cases: &[Case<'_>], steps: usize) -> Events {
    let events = follow(cases, &trace(cases, (steps, 0)));
    assert!(events.steps >= (steps * cases.len()).max(20_000), "{events:?}");
    events
}

/// Fails unless each of these happened at least so often.
macro_rules! assert_happened {
    ($events:expr, $($what:ident: $least:expr),+) => {{
        let events = $events;
        $(assert!(
            events.$what >= $least,
            "{} happened {} times, expected {}: {events:?}",
            stringify!($what), events.$what, $least
        );)+
    }};
}

#[test]
fn empty_rooms_and_four_rooms() {
    let sizes = ["Empty-5x5-v0", "Empty-Random-5x5-v0", "Empty-6x6-v0", "Empty-Random-6x6-v0"];
    let more = ["Empty-8x8-v0", "Empty-16x16-v0"];
    let empty = replay(&[sizes.as_slice(), &more].concat(), 3500);
    assert_happened!(empty, successes: 300, truncations: 20);
    let four_rooms = replay(&["FourRooms-v0"], 20_000);
    assert_happened!(four_rooms, successes: 80, truncations: 80, hidden_cells: 100_000);
}

#[test]
fn dynamic_obstacles() {
    let sizes = ["5x5-v0", "Random-5x5-v0", "6x6-v0", "Random-6x6-v0", "8x8-v0", "16x16-v0"];
    let ids = sizes.map(|size| format!("Dynamic-Obstacles-{size}"));
    let events = replay(&ids.each_ref().map(String::as_str), 3500);
    assert_happened!(events, successes: 300, collisions: 1000);
}

#[test]
fn gaps_and_crossings() {
    let gaps = replay(&["LavaGapS5-v0", "LavaGapS6-v0", "LavaGapS7-v0"], 7000);
    assert_happened!(gaps, successes: 300, deaths_in_lava: 300, hidden_cells: 100_000);
    for (obstacle, deaths) in [("Lava", 300), ("Simple", 0)] {
        let sizes = ["S9N1", "S9N2", "S9N3", "S11N5"];
        let ids = sizes.map(|size| format!("{obstacle}Crossing{size}-v0"));
        let events = replay(&ids.each_ref().map(String::as_str), 5000);
        assert_happened!(events, successes: 50, deaths_in_lava: deaths, hidden_cells: 100_000);
    }
}

#[test]
fn locked_doors() {
    let sizes = ["DoorKey-5x5-v0", "DoorKey-6x6-v0", "DoorKey-8x8-v0", "DoorKey-16x16-v0"];
    let door_key = replay(&sizes, 5000);
    assert_happened!(
        door_key, pickups: 150, drops: 100, doors_unlocked: 40, doors_opened: 20, doors_closed: 20,
        successes: 40, truncations: 10, hidden_cells: 100_000
    );
    let unlock = replay(&["Unlock-v0"], 20_000);
    assert_happened!(unlock, pickups: 150, drops: 100, doors_unlocked: 40, successes: 40);
    let sizes = ["S3R1", "S3R2", "S3R3", "S4R3", "S5R3", "S6R3"];
    let ids = sizes.map(|size| format!("KeyCorridor{size}-v0"));
    let corridor = replay(&ids.each_ref().map(String::as_str), 3500);
    assert_happened!(
        corridor, pickups: 80, drops: 60, doors_unlocked: 15, doors_opened: 300, doors_closed: 300,
        successes: 6, truncations: 20, refused_pickups: 10
    );
}

#[test]
fn rooms_in_a_row() {
    let sizes = ["N2-S4-v0", "N4-S5-v0", "N4-S5-v1", "N6-v0"];
    let ids = sizes.map(|size| format!("MultiRoom-{size}"));
    let events = replay(&ids.each_ref().map(String::as_str), 5000);
    assert_happened!(
        events, doors_opened: 300, doors_closed: 300, successes: 80, truncations: 80,
        hidden_cells: 100_000
    );
}

#[test]
fn going_to_things() {
    let doors = replay(&["GoToDoor-5x5-v0", "GoToDoor-6x6-v0", "GoToDoor-8x8-v0"], 7000);
    assert_happened!(doors, doors_opened: 300, successes: 300, failures: 300);
    let objects = replay(&["GoToObject-6x6-N2-v0", "GoToObject-8x8-N2-v0"], 10_000);
    assert_happened!(
        objects, pickups: 200, drops: 40, boxes_broken: 15, refused_pickups: 10, successes: 300,
        failures: 300
    );
}

/// Context values and the constructor arguments that they stand for, away from what is registered.
#[test]
fn other_constructor_arguments() {
    let case = |id, kwargs, values| Case { id, kwargs, values };
    let cases = [
        case("MiniGrid-Empty-5x5-v0", r#"{"size": 13}"#, &[("size", 13.0)]),
        case("MiniGrid-DoorKey-5x5-v0", r#"{"size": 25}"#, &[("size", 25.0)]),
        case(
            "MiniGrid-KeyCorridorS3R1-v0",
            r#"{"room_size": 4, "num_rows": 2, "obj_type": "key"}"#,
            &[("room_size", 4.0), ("rows", 2.0), ("target_type", 0.0)],
        ),
        case(
            "MiniGrid-KeyCorridorS3R1-v0",
            r#"{"obj_type": "box", "num_rows": 3, "room_size": 9}"#,
            &[("target_type", 2.0), ("rows", 3.0), ("room_size", 9.0)],
        ),
        case(
            "MiniGrid-LavaGapS5-v0",
            r#"{"size": 12, "obstacle_type": "wall"}"#,
            &[("size", 12.0), ("obstacle_type", 1.0)],
        ),
        case(
            "MiniGrid-SimpleCrossingS9N1-v0",
            r#"{"size": 15, "num_crossings": 22, "obstacle_type": "lava"}"#,
            &[("size", 15.0), ("crossings", 22.0), ("obstacle_type", 0.0)],
        ),
        case(
            "MiniGrid-MultiRoom-N2-S4-v0",
            r#"{"minNumRooms": 8, "maxNumRooms": 8, "maxRoomSize": 6}"#,
            &[("rooms", 8.0), ("max_room_size", 6.0)],
        ),
        case("MiniGrid-GoToDoor-5x5-v0", r#"{"size": 25}"#, &[("size", 25.0)]),
        case(
            "MiniGrid-GoToObject-6x6-N2-v0",
            r#"{"size": 5, "numObjs": 8}"#,
            &[("size", 5.0), ("objects", 8.0)],
        ),
        case(
            "MiniGrid-Dynamic-Obstacles-8x8-v0",
            r#"{"size": 25, "n_obstacles": 13}"#,
            &[("size", 25.0), ("obstacles", 13.0)],
        ),
        case(
            "MiniGrid-Dynamic-Obstacles-Random-5x5-v0",
            r#"{"n_obstacles": 4}"#,
            &[("obstacles", 4.0)],
        ),
    ];
    let events = replay_cases(&cases, 1900);
    assert_happened!(
        events, successes: 100, deaths_in_lava: 50, collisions: 100, failures: 100,
        boxes_broken: 10, pickups: 100, refused_pickups: 10, doors_unlocked: 1
    );
}

/// The comparison notices a wrong cell, a wrong reward and a wrong random number.
#[test]
fn a_wrong_record_is_noticed() {
    let cases = [Case::new("MiniGrid-LavaGapS5-v0")];
    let bytes = trace(&cases, (1, 0));
    let failure = |at: usize, bit: u8| {
        let mut wrong = bytes.clone();
        wrong[at] ^= bit;
        let failed = std::panic::catch_unwind(|| follow(&cases, &wrong)).err().unwrap();
        failed.downcast_ref::<String>().unwrap().clone()
    };
    assert_eq!(follow(&cases, &bytes).episodes, 1);
    // "R", id, number of draws, one draw of 3 rows (the column is always 2), size, 25 cells.
    let (cell, first_image) = (1 + 2 + 4 + 4 + 2, 1 + 2 + 4 + 4 + 2 + 75 + 3 + 4 + 2);
    let first_step = first_image + IMAGE;
    assert_eq!((bytes[0], bytes[first_step]), (b'R', b'S'));
    let table = [
        (7, 8, "number of possible values"),
        (cell, 1, "cell 0, 0"),
        (first_image, 1, "observation"),
        (first_step + 1 + 1 + 3, 64, "action"), // the reward
    ];
    for (at, bit, named) in table {
        let message = failure(at, bit);
        assert!(message.contains(named), "byte {at}: {message}");
    }
}
