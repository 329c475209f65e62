//! What is drawn, and how often: the exact distributions, by hand.

use super::*;
use std::collections::BTreeMap;

const RESETS: u64 = 6000;

/// Checks that `feature` takes each of `kinds` values, all equally likely: Pearson's chi-square of
/// `RESETS` resets, with the value that is exceeded once in 10,000 times.
fn assert_uniform<T: Ord + std::fmt::Debug>(
    id: &str,
    kinds: usize,
    feature: impl Fn(&MiniGrid) -> Option<T>,
) {
    let mut env = env(id);
    let mut counts = BTreeMap::new();
    for seed in 0..RESETS {
        reset(&mut env, SeedStream::root(seed).seed(), &[]);
        if let Some(value) = feature(&env) {
            *counts.entry(value).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(counts.len(), kinds, "{id}: {counts:?}");
    let total: u32 = counts.values().sum();
    let expected = f64::from(total) / kinds as f64;
    assert!(expected >= 10.0, "{id}: {counts:?}");
    let statistic: f64 =
        counts.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    // Wilson and Hilferty (1931); 3.72 is the normal quantile of 0.9999.
    let freedom = (kinds - 1) as f64;
    let ninth = 2.0 / (9.0 * freedom);
    let critical = freedom * (1.0 - ninth + 3.72 * ninth.sqrt()).powi(3);
    assert!(statistic < critical, "{id}: {statistic} >= {critical}: {counts:?}");
}

fn spot(env: &MiniGrid) -> (usize, usize) {
    let (x, y, _) = env.world().agent();
    (x, y)
}

#[test]
fn door_key() {
    let door = |env: &MiniGrid| find(env, DOOR)[0].0;
    // The wall is in columns 2 to 5, the door in rows 1 to 5.
    assert_uniform("DoorKey-8x8", 4 * 5, |env| Some(door(env)));
    assert_uniform("DoorKey-8x8", 4, |env| Some(env.world().agent().2));
    // Left of a wall in column 3: two columns of six, and the key in any of the other eleven.
    let narrow = |env: &MiniGrid| door(env).0 == 3;
    assert_uniform("DoorKey-8x8", 12, |env| narrow(env).then(|| spot(env)));
    let key_and_agent = |env: &MiniGrid| (spot(env), find(env, KEY)[0].0);
    assert_uniform("DoorKey-5x5", 3 * 2, |env| Some(key_and_agent(env)));
    let mut env = env("DoorKey-8x8");
    for seed in 0..100 {
        reset(&mut env, seed, &[]);
        assert_eq!(find(&env, GOAL), [((6, 6), 1)]);
    }
}

#[test]
fn starts_in_an_empty_room() {
    // Nine cells less the goal, four headings.
    assert_uniform("Empty-Random-5x5", 8 * 4, |env| Some(env.world().agent()));
    // Balls are anywhere but on agent and goal.
    assert_uniform("Dynamic-Obstacles-6x6", 14 * 13 * 12 / 6, |env| {
        Some(find(env, BALL).into_iter().map(|(spot, _)| spot).collect::<Vec<_>>())
    });
}

#[test]
fn lava_gaps_and_crossings() {
    let lava =
        |env: &MiniGrid| find(env, LAVA).into_iter().map(|(spot, _)| spot).collect::<Vec<_>>();
    // Strips in columns 2 to 4, the gap in rows 1 to 5.
    assert_uniform("LavaGapS7", 3 * 5, |env| Some(lava(env)));
    // Rivers in columns or rows 2, 4 and 6, with one gap in seven.
    assert_uniform("LavaCrossingS9N1", 6 * 7, |env| Some(lava(env)));
}

#[test]
fn four_rooms() {
    let gaps = |env: &MiniGrid, vertical: bool| {
        let free = |x, y| env.world().cell(x, y)[0] != WALL;
        let at = |along| if vertical { free(9, along) } else { free(along, 9) };
        (1..18).filter(|along| at(*along)).collect::<Vec<_>>()
    };
    // One gap in rows 1 to 8, one in rows 10 to 17.
    assert_uniform("FourRooms", 8 * 8, |env| Some(gaps(env, true)));
    assert_uniform("FourRooms", 8 * 8, |env| Some(gaps(env, false)));
}

#[test]
fn missions() {
    let mission = |env: &MiniGrid| {
        let mission = env.world().mission();
        (mission.object as usize, mission.color.map(|color| color as u8))
    };
    assert_uniform("GoToObject-6x6-N2", 3 * 6, |env| Some(mission(env)));
    assert_uniform("GoToDoor-8x8", 6, |env| Some(mission(env)));
    assert_uniform("KeyCorridorS3R3", 6, |env| Some(mission(env)));
    // Rows of the locked door and of the key.
    assert_uniform("KeyCorridorS3R3", 3 * 3, |env| {
        let locked = cells(env).find(|(_, cell)| cell[0] == DOOR && cell[2] == 2).unwrap().0;
        Some((locked.1, find(env, KEY)[0].0.1))
    });
}

#[test]
fn colors_of_unlock() {
    assert_uniform("Unlock", 6, |env| Some(find(env, DOOR)[0].1));
    // The door in rows 1 to 4 of column 5.
    assert_uniform("Unlock", 4, |env| Some(find(env, DOOR)[0].0));
}

/// With a target color that is given, the other doors are as if it had been drawn: any three of
/// the five other colors, in any order.
#[test]
fn a_given_target_leaves_the_rest_to_chance() {
    let mut env = env("GoToDoor-5x5");
    let mut counts = BTreeMap::new();
    for seed in 0..RESETS {
        reset(&mut env, SeedStream::root(seed).seed(), &[("target_color", 2.0)]);
        for (_, color) in find(&env, DOOR) {
            *counts.entry(color).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(counts.remove(&2), Some(RESETS as u32));
    // Each of the others is there 3 times in 5: 3600, with a standard deviation of 38.
    assert!(counts.len() == 5 && counts.values().all(|n| (3450..3750).contains(n)), "{counts:?}");
}

/// An obstacle alone in the middle of a room goes to each of its eight neighbors.
#[test]
fn obstacles_go_anywhere_nearby() {
    let mut env = env("Dynamic-Obstacles-8x8");
    let mut counts = BTreeMap::new();
    let mut obs = buffer(&env);
    for seed in 0..RESETS {
        reset(&mut env, seed, &[("obstacles", 1.0)]);
        let ((x, y), _) = find(&env, BALL)[0];
        // Away from walls, agent and goal.
        if !(3..=4).contains(&x) || !(3..=4).contains(&y) {
            continue;
        }
        env.step(Action::Discrete(0), obs.as_mut()).unwrap();
        let ((to_x, to_y), _) = find(&env, BALL)[0];
        *counts.entry((to_x as i64 - x as i64, to_y as i64 - y as i64)).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 8, "{counts:?}");
    // About 4 of 34 cells: 700 moves, 88 in each direction.
    assert!(counts.values().all(|n| (50..130).contains(n)), "{counts:?}");
}
