//! Every episode can be won from its start within the step limit.

use super::*;
use crate::builtin::minigrid::world::World;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What tells states apart, besides the number of steps.
fn key(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.grid.hash(&mut hasher);
    (world.agent, world.heading, world.carried.byte()).hash(&mut hasher);
    hasher.finish()
}

/// Fewest steps to a reward, by breadth-first search over whole states. No open door is closed,
/// which never helps.
fn fewest_steps(start: &World) -> Option<u32> {
    let mut rng = SeedStream::root(0).rng();
    let (mut seen, mut queue) = (HashSet::from([key(start)]), VecDeque::from([start.clone()]));
    while let Some(world) = queue.pop_front() {
        let front = world.grid.at(world.front());
        for act in Act::ALL {
            if act == Act::Toggle && front.shown() == [DOOR, front.shown()[1], 0] {
                continue;
            }
            let mut next = world.clone();
            let step = next.step(act, &mut rng);
            if step.reward > 0.0 {
                return Some(next.elapsed_env_steps);
            }
            if step.outcome == Outcome::Continue && seen.insert(key(&next)) {
                queue.push_back(next);
            }
        }
    }
    None
}

/// Solves the first `episodes` episodes of all ids that contain `part`.
fn solve_all(part: &str, episodes: u64) {
    let mut solved = 0;
    for id in ids().filter(|id| id.contains(part)) {
        let mut env = MiniGrid::new(id, Encoding::Symbolic).unwrap();
        for seed in 0..episodes {
            reset(&mut env, seed, &[]);
            let steps = fewest_steps(env.world());
            assert!(steps.is_some(), "{id} seed {seed} cannot be solved");
            solved += 1;
        }
    }
    assert!(solved >= episodes, "{part}");
}

#[test]
fn the_shortest_way_through_an_empty_room_has_five_steps() {
    let mut env = env("Empty-5x5");
    reset(&mut env, 0, &[]);
    assert_eq!(fewest_steps(env.world()), Some(5)); // two forward, a turn, two forward
    env.world.max_env_steps = 4;
    assert_eq!(fewest_steps(env.world()), None);
}

#[test]
fn rooms_with_a_goal() {
    for part in ["Empty", "FourRooms", "LavaGap", "Crossing", "MultiRoom"] {
        solve_all(part, 100);
    }
}

#[test]
fn go_to() {
    solve_all("GoTo", 100);
}

#[test]
fn locked_doors() {
    for (part, episodes) in [
        ("DoorKey-5x5", 100),
        ("DoorKey-6x6", 100),
        ("DoorKey-8x8", 20),
        ("Unlock", 100),
        ("KeyCorridorS3R1", 100),
        ("KeyCorridorS3R2", 40),
        ("KeyCorridorS3R3", 10),
        ("KeyCorridorS4R3", 2),
    ] {
        solve_all(part, episodes);
    }
}
