use super::super::cell::{Cell, Color, Kind};
use super::super::grid::spot;
use super::*;
use crate::builtin::minigrid::TargetObject;

/// A world drawn as rows: `#` wall, `.` empty, `D` a closed blue door, `O` an open one, `K` a red
/// key, `~` lava, `G` the green goal; the agent stands on `>`, `v`, `<` or `^`.
fn world(rows: &[&str]) -> World {
    let mut world = World::new();
    world.grid.clear(rows[0].len(), rows.len());
    for (y, row) in rows.iter().enumerate() {
        for (x, letter) in row.bytes().enumerate() {
            let cell = match letter {
                b'#' => Cell::WALL,
                b'D' => Cell::new(Kind::ClosedDoor, Color::Blue),
                b'O' => Cell::new(Kind::OpenDoor, Color::Blue),
                b'K' => Cell::new(Kind::Key, Color::Red),
                b'~' => Cell::LAVA,
                b'G' => Cell::new(Kind::Goal, Color::Green),
                _ => Cell::EMPTY,
            };
            world.grid.set(spot(x, y), cell);
            if let Some(heading) = b">v<^".iter().position(|arrow| *arrow == letter) {
                (world.agent, world.heading) = (spot(x, y), heading);
            }
        }
    }
    world
}

/// The view with the same letters, `?` for unseen.
fn drawn(world: &World) -> Vec<String> {
    let letter = |cell: u8| match (cell & 15, cell) {
        (0, _) => '?',
        (2, _) => '#',
        (4, _) => 'O',
        (5, _) => 'K',
        (8, _) => 'G',
        (9, _) => '~',
        (11, _) => 'D',
        _ => '.',
    };
    let cells = bytes(&view(world));
    cells.chunks(VIEW).map(|row| row.iter().map(|cell| letter(*cell)).collect()).collect()
}

const BLANK: &str = ".......";

/// The same room, turned by a quarter each time: the same view.
#[test]
fn the_view_is_turned_with_the_agent() {
    let up = [BLANK, BLANK, ".K.....", "....~..", BLANK, BLANK, "...^..."];
    let right = [BLANK, "....K..", BLANK, ">......", "...~...", BLANK, BLANK];
    let down = ["...v...", BLANK, BLANK, "..~....", ".....K.", BLANK, BLANK];
    let left = [BLANK, BLANK, "...~...", "......<", BLANK, "..K....", BLANK];
    let mut seen = up;
    seen[6] = BLANK;
    for rows in [up, right, down, left] {
        assert_eq!(drawn(&world(&rows)), seen, "{rows:?}");
    }
}

#[test]
fn beyond_the_grid_there_is_wall() {
    let mut corner = world(&["^..", "..."]);
    corner.see_through_walls = true;
    let above = ["#######"; 6].map(str::to_owned);
    assert_eq!(drawn(&corner)[..6], above);
    assert_eq!(drawn(&corner)[6], "###...#");
}

#[test]
fn walls_and_closed_doors_hide_what_is_behind_them() {
    let room = |second, third, last| [BLANK, second, third, BLANK, BLANK, BLANK, last];
    let unseen = "???????";
    // world; the view
    let table = [
        // Light goes round: it spreads sideways in each row.
        (room(BLANK, "##.####", "...^..."), room(BLANK, "##.####", BLANK)),
        (
            room("..#.#..", "###D###", "...^..."),
            [unseen, unseen, "###D###", BLANK, BLANK, BLANK, BLANK],
        ),
        // Through the open door to three cells of the next row; two of them are walls.
        (room("..#.#..", "###O###", "...^..."), room("??#.#??", "###O###", BLANK)),
        // Lava and keys hide nothing.
        (room(BLANK, "~~~K~~~", "...^..."), room(BLANK, "~~~K~~~", BLANK)),
        // Beside the agent, walls.
        (room(BLANK, BLANK, ".#.^#.."), room(BLANK, BLANK, "?#..#??")),
        (
            [BLANK, BLANK, BLANK, BLANK, BLANK, ".#####.", "...^..."],
            [BLANK, BLANK, BLANK, BLANK, BLANK, ".#####.", BLANK],
        ),
        (
            [BLANK, BLANK, BLANK, BLANK, BLANK, ".#####.", "..#^#.."],
            [unseen, unseen, unseen, unseen, unseen, "??###??", "??#.#??"],
        ),
    ];
    for (rows, view) in table {
        assert_eq!(drawn(&world(&rows)), view, "{rows:?}");
    }
}

/// Cell by cell on bits, as the published procedure goes: to the right, then to the left.
#[test]
fn light_spreads_as_if_cell_by_cell() {
    for transparent in 0..=ROW_BITS {
        for light in 0..=ROW_BITS {
            let (mut seen, mut onward) = (light, 0);
            let goes_through = |seen: u8, at: u8| seen & transparent & 1 << at != 0;
            for at in 0..6 {
                if goes_through(seen, at) {
                    seen |= 2 << at;
                    onward |= 3 << at;
                }
            }
            for at in (1..7).rev() {
                if goes_through(seen, at) {
                    seen |= 1 << (at - 1);
                    onward |= 3 << (at - 1);
                }
            }
            let spread = widened(flooded(light, transparent));
            assert_eq!((light | spread, spread), (seen, onward), "{light:07b} {transparent:07b}");
        }
    }
}

/// An agent that carries a yellow key looks at a closed blue door; the mission is a purple ball.
#[test]
fn one_hot_planes_by_hand() {
    let mut world = world(&["#D#", "#^#", "###"]);
    world.carried = Cell::new(Kind::Key, Color::Yellow);
    let mission = Mission { object: TargetObject::Ball, color: Some(Color::Purple) };
    let mut obs = vec![9; ONE_HOT_PLANES * VIEW_CELLS];
    write_one_hot(&view(&world), &mission, &mut obs);
    let at =
        |plane: usize, row: usize, column: usize| obs[plane * VIEW_CELLS + row * VIEW + column];
    // row, column; object, color, state
    let table = [
        ((6, 3), (5, 4, 0)), // the key
        ((5, 3), (4, 2, 1)), // the door
        ((6, 2), (2, 5, 0)), // walls
        ((5, 4), (2, 5, 0)),
        ((4, 3), (0, 0, 0)), // unseen
        ((6, 0), (0, 0, 0)),
    ];
    for ((row, column), (object, color, state)) in table {
        for plane in 0..20 {
            let is_on = plane == object || plane == 11 + color || plane == 17 + state;
            assert_eq!(at(plane, row, column), u8::from(is_on), "{row} {column} plane {plane}");
        }
    }
    for (plane, values) in obs.chunks(VIEW_CELLS).enumerate().skip(20) {
        // 20 door, 21 key, 22 ball, 23 box, 24 goal; 25 red, 26 green, 27 blue, 28 purple, ...
        let expected = u8::from(plane == 22 || plane == 28);
        assert!(values.iter().all(|value| *value == expected), "plane {plane}");
    }
    assert_eq!(ONE_HOT_PLANES, 31);
    let ones: usize = obs.iter().map(|value| usize::from(*value)).sum();
    assert_eq!(ones, 5 * VIEW_CELLS, "three planes a cell, two of the mission");
}

#[test]
fn a_mission_without_color_sets_no_color_plane() {
    let world = world(&["^.", ".."]);
    let mission = Mission { object: TargetObject::Door, color: None };
    let mut obs = vec![9; ONE_HOT_PLANES * VIEW_CELLS];
    write_one_hot(&view(&world), &mission, &mut obs);
    assert!(obs[TARGET_OBJECTS * VIEW_CELLS..][..VIEW_CELLS].iter().all(|value| *value == 1));
    assert!(obs[(TARGET_OBJECTS + 1) * VIEW_CELLS..].iter().all(|value| *value == 0));
}
