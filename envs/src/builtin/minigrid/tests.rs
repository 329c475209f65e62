use super::*;
use crate::conformance::{CheckOptions, check_id};
use crate::{
    Action, Context, EnvError, EnvOptions, Environment, ObsBuffer, Outcome, RgbFrame, SeedStream,
};
use std::collections::HashSet;

mod contexts;
mod layouts;
mod solving;

fn env(id: &str) -> MiniGrid {
    MiniGrid::new(&format!("MiniGrid-{id}-v0"), Encoding::Symbolic).unwrap()
}

fn buffer(env: &MiniGrid) -> ObsBuffer {
    ObsBuffer::zeros(&env.spec().obs, 1)
}

/// Starts the episode of `seed` with these values replaced.
fn reset(env: &mut MiniGrid, seed: u64, replaced: &[(&str, f64)]) {
    let context = env.spec().context.with(replaced).unwrap();
    let mut obs = buffer(env);
    env.reset(seed, &context, obs.as_mut()).unwrap();
}

/// Every cell: column, row; object, color, state.
fn cells(env: &MiniGrid) -> impl Iterator<Item = ((usize, usize), [u8; 3])> {
    let (width, height) = env.world().size();
    let spots = (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
    spots.map(|(x, y)| ((x, y), env.world().cell(x, y)))
}

/// Where the things of a kind are, and their colors.
fn find(env: &MiniGrid, object: u8) -> Vec<((usize, usize), u8)> {
    cells(env).filter(|(_, cell)| cell[0] == object).map(|(spot, cell)| (spot, cell[1])).collect()
}

const WALL: u8 = 2;
const DOOR: u8 = 4;
const KEY: u8 = 5;
const BALL: u8 = 6;
const BOX: u8 = 7;
const GOAL: u8 = 8;
const LAVA: u8 = 9;

#[test]
fn an_unknown_id_and_wrong_options_are_refused_with_a_sentence() {
    let unknown = MiniGrid::new("MiniGrid-Empty-7x7-v0", Encoding::Symbolic).err().unwrap();
    assert!(unknown.to_string().starts_with("there is no MiniGrid environment"), "{unknown}");
    let registry = Registry::builtin();
    let make = |key: &str, value: serde_json::Value| {
        let mut options = EnvOptions::default();
        options.kwargs.insert(key.to_owned(), value);
        registry.make("MiniGrid-Unlock-v0", &options)
    };
    let table = [
        (
            make("encoding", "onehot".into()),
            "MiniGrid-Unlock-v0: env.kwargs.encoding is \"onehot\", allowed are \"symbolic\" and \
             \"one_hot\"",
        ),
        (
            make("encoding", 3.into()),
            "MiniGrid-Unlock-v0: env.kwargs.encoding is 3, allowed are \"symbolic\" and \"one_hot\"",
        ),
        (
            make("size", 5.into()),
            "MiniGrid-Unlock-v0 takes no env.kwargs.size, allowed is encoding",
        ),
    ];
    for (made, sentence) in table {
        assert_eq!(made.err().unwrap().to_string(), sentence);
    }
    let shape = |name: &str| make("encoding", name.into()).unwrap().spec().obs.shape.clone();
    assert_eq!(shape("symbolic"), [3, 7, 7]);
    assert_eq!(shape("one_hot"), [31, 7, 7]);
}

#[test]
fn both_encodings_of_every_id_keep_the_contract() {
    let registry = Registry::builtin();
    for id in ids() {
        for encoding in ["symbolic", "one_hot"] {
            let mut options = EnvOptions::default();
            options.kwargs.insert("encoding".into(), encoding.into());
            let report = check_id((&registry, id), &options, &CheckOptions::default());
            assert!(report.conforms(), "{encoding} {report}");
        }
    }
}

/// In a room of 5 by 5, heading right from the corner.
#[test]
fn the_shortest_way_earns_what_the_formula_says() {
    let mut env = env("Empty-5x5");
    reset(&mut env, 0, &[]);
    let mut obs = buffer(&env);
    // Two forward, turn right, two forward: step 5 of at most 100.
    let mut last = None;
    for action in [2, 2, 1, 2, 2] {
        last = Some(env.step(Action::Discrete(action), obs.as_mut()).unwrap());
    }
    let step = last.unwrap();
    assert_eq!((step.reward, step.outcome), (0.955, Outcome::Terminated)); // 1 - 0.9 * 5 / 100
}

#[test]
fn the_step_limit_truncates_without_reward() {
    let mut env = env("Empty-5x5");
    reset(&mut env, 0, &[("size", 4.0)]);
    let mut obs = buffer(&env);
    for number in 1..=64 {
        let step = env.step(Action::Discrete(0), obs.as_mut()).unwrap();
        let expected = if number == 64 { Outcome::Truncated } else { Outcome::Continue };
        assert_eq!((step.reward, step.outcome), (0.0, expected), "step {number}"); // 4 * 4²
    }
}

/// A box at the target's place is not the target any more once it was broken.
#[test]
fn what_is_dropped_in_place_of_a_broken_target_is_no_target() {
    use super::cell::{Cell, Kind};
    use super::grid::spot;
    use super::world::Task;
    let mut env = env("KeyCorridorS3R1");
    reset(&mut env, 0, &[]);
    let mut obs = buffer(&env);
    let world = &mut env.world;
    world.grid.clear_room(5, 5);
    (world.agent, world.heading) = (spot(1, 1), 0);
    world.task = Task::PickUp(spot(2, 1));
    world.grid.set(spot(2, 1), Cell::new(Kind::Box, Color::Red));
    world.carried = Cell::new(Kind::Key, Color::Red);
    // Break the box, drop the key there, pick it up.
    for action in [Act::Toggle, Act::Drop, Act::PickUp] {
        let step = env.step(Action::Discrete(action as usize), obs.as_mut()).unwrap();
        assert_eq!((step.reward, step.outcome), (0.0, Outcome::Continue), "{action:?}");
    }
    assert_eq!(env.world().carried(), [KEY, 0, 0]);
}

#[test]
fn states_of_no_episode_are_refused() {
    let mut env = env("DoorKey-5x5");
    let fresh = {
        let mut bytes = Vec::new();
        env.save_state(&mut bytes).unwrap();
        bytes
    };
    reset(&mut env, 3, &[]);
    let mut bytes = Vec::new();
    env.save_state(&mut bytes).unwrap();
    env.restore_state(&bytes).unwrap();
    // After the id with its length, a mark that there is a world, width and height come the
    // number of cells and the cells; 200 is no cell.
    let first_cell = 1 + env.spec().id.len() + 1 + 3;
    assert_eq!(bytes[first_cell], super::cell::Cell::WALL.byte());
    let mut damaged = bytes.clone();
    damaged[first_cell] = 200;
    let error = env.restore_state(&damaged).err().unwrap();
    assert!(matches!(error, EnvError::BadState { .. }), "{error}");
    assert!(error.to_string().ends_with("there is no cell 200"), "{error}");
    env.restore_state(&fresh).unwrap();
    let mut obs = buffer(&env);
    assert!(env.step(Action::Discrete(0), obs.as_mut()).is_err(), "before the first reset");
}

/// The goal, a wall, lava and the agent have colors of their own, and what is seen is lighter.
#[test]
fn the_picture_shows_the_grid_and_the_view() {
    let mut env = env("LavaGapS5");
    reset(&mut env, 0, &[]);
    let mut frame = RgbFrame::default();
    env.render(&mut frame).unwrap();
    assert_eq!((frame.width, frame.height), (5 * 24, 5 * 24));
    let pixel = |x: usize, y: usize| {
        let at = 3 * (y * frame.width + x);
        [frame.pixels[at], frame.pixels[at + 1], frame.pixels[at + 2]]
    };
    let corner = |x: usize, y: usize| pixel(24 * x + 2, 24 * y + 2);
    // The agent at (1, 1) heads right and sees the room, but not the wall behind it.
    assert_eq!(corner(0, 1), [90, 90, 96], "wall, unseen");
    assert_eq!(corner(2, 0), [145, 145, 149], "wall, seen: a third of the way to white");
    assert_eq!(corner(1, 2), [95, 95, 98], "floor, seen");
    assert_eq!(corner(3, 3), [125, 211, 138], "goal, seen");
    assert_eq!(pixel(24 + 12, 24 + 12), [245, 125, 118], "agent");
    let lava: Vec<_> = find(&env, LAVA);
    assert_eq!(lava.len(), 2);
    for ((x, y), _) in lava {
        assert_eq!(corner(x, y), [251, 165, 98], "lava, seen");
    }
    let distinct: HashSet<_> = frame.pixels.chunks(3).collect();
    assert!(distinct.len() >= 8, "{distinct:?}");
}
