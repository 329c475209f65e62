//! Every context value does what its doc says.

use super::*;

/// Ids of a family, with "MiniGrid-" and "-v0" taken off.
fn family(prefix: &str) -> Vec<&'static str> {
    let short = |id: &'static str| id.strip_prefix("MiniGrid-")?.strip_suffix("-v0");
    let ids: Vec<_> = ids().filter_map(short).filter(|id| id.starts_with(prefix)).collect();
    assert!(!ids.is_empty(), "{prefix}");
    ids
}

fn has(env: &MiniGrid, value: &str) -> bool {
    env.spec().context.index(value).is_ok()
}

#[test]
fn defaults_are_the_constructor_arguments() {
    // id; values that its name tells; width, height and step limit, as `minigrid` 3.2.0 has them
    type Row = (&'static str, &'static [(&'static str, f64)], (usize, usize, u32));
    let table: [Row; 16] = [
        ("Empty-5x5", &[("size", 5.0), ("random_start", 0.0)], (5, 5, 100)),
        ("Empty-Random-6x6", &[("size", 6.0), ("random_start", 1.0)], (6, 6, 144)),
        ("Empty-16x16", &[("size", 16.0)], (16, 16, 1024)),
        ("FourRooms", &[("size", 19.0)], (19, 19, 100)),
        ("DoorKey-8x8", &[("size", 8.0), ("door_color", 4.0)], (8, 8, 640)),
        ("KeyCorridorS3R1", &[("room_size", 3.0), ("rows", 1.0)], (7, 3, 270)),
        ("KeyCorridorS6R3", &[("room_size", 6.0), ("target_type", 1.0)], (16, 16, 1080)),
        ("LavaGapS7", &[("size", 7.0), ("obstacle_type", 0.0)], (7, 7, 196)),
        ("LavaCrossingS11N5", &[("crossings", 5.0), ("obstacle_type", 0.0)], (11, 11, 484)),
        ("SimpleCrossingS9N2", &[("crossings", 2.0), ("obstacle_type", 1.0)], (9, 9, 324)),
        ("MultiRoom-N2-S4", &[("rooms", 2.0), ("max_room_size", 4.0)], (25, 25, 40)),
        ("MultiRoom-N4-S5", &[("rooms", 6.0), ("max_room_size", 5.0)], (25, 25, 120)),
        ("Unlock", &[("room_size", 6.0)], (11, 6, 288)),
        ("GoToDoor-6x6", &[("size", 6.0), ("target_color", -1.0)], (6, 6, 144)),
        ("GoToObject-8x8-N2", &[("size", 8.0), ("objects", 2.0)], (8, 8, 320)),
        ("Dynamic-Obstacles-16x16", &[("obstacles", 8.0)], (16, 16, 1024)),
    ];
    for (id, values, (width, height, max_env_steps)) in table {
        let mut env = env(id);
        for (name, expected) in values {
            let index = env.spec().context.index(name).unwrap();
            assert_eq!(env.spec().context.values[index].default, *expected, "{id} {name}");
        }
        reset(&mut env, 0, &[]);
        assert_eq!(env.world().size(), (width, height), "{id}");
        assert_eq!(env.world().max_env_steps(), max_env_steps, "{id}");
    }
    assert_eq!(ids().count(), 44);
}

#[test]
fn sizes_and_step_limits_follow_the_context() {
    // id, value, its setting; width, height, step limit
    let table = [
        ("Empty-5x5", ("size", 10.0), (10, 10, 400)),
        ("Empty-5x5", ("size", 9.4), (9, 9, 324)), // rounded
        ("FourRooms", ("size", 12.0), (12, 12, 100)),
        ("DoorKey-5x5", ("size", 25.0), (25, 25, 6250)),
        ("LavaGapS5", ("size", 8.0), (8, 8, 256)),
        ("SimpleCrossingS9N1", ("size", 25.0), (25, 25, 2500)),
        ("SimpleCrossingS9N1", ("size", 8.0), (9, 9, 324)), // made odd
        ("KeyCorridorS3R1", ("rows", 3.0), (7, 7, 270)),
        ("KeyCorridorS3R1", ("room_size", 9.0), (25, 9, 2430)),
        ("MultiRoom-N2-S4", ("rooms", 5.0), (25, 25, 100)),
        ("Unlock", ("room_size", 13.0), (25, 13, 1352)),
        ("GoToDoor-5x5", ("size", 11.0), (11, 11, 484)),
        ("GoToObject-6x6-N2", ("size", 5.0), (5, 5, 125)),
        ("Dynamic-Obstacles-8x8", ("size", 7.0), (7, 7, 196)),
    ];
    for (id, value, (width, height, max_env_steps)) in table {
        let mut env = env(id);
        reset(&mut env, 1, &[value]);
        assert_eq!(env.world().size(), (width, height), "{id} {value:?}");
        assert_eq!(env.world().max_env_steps(), max_env_steps, "{id} {value:?}");
    }
}

/// Every color of every value, and that -1 gives all of them.
#[test]
fn colors_follow_the_context() {
    type Color = fn(&MiniGrid) -> u8;
    let target: Color = |env| env.world().mission().color.unwrap() as u8;
    let only = |found: Vec<((usize, usize), u8)>| {
        let colors: HashSet<u8> = found.iter().map(|(_, color)| *color).collect();
        assert_eq!(colors.len(), 1, "{found:?}");
        found[0].1
    };
    let mut looked_at = 0;
    for id in ids() {
        let mut env = MiniGrid::new(id, Encoding::Symbolic).unwrap();
        for value in env.spec().context.values.clone() {
            let name = value.name.as_str();
            if !name.ends_with("_color") {
                continue;
            }
            let color_of = |env: &MiniGrid| match name {
                "goal_color" => {
                    assert_eq!(only(find(env, GOAL)), target(env), "{id}: mission");
                    target(env)
                }
                "door_color" if id.contains("Corridor") => {
                    let locked =
                        |(_, cell): &((usize, usize), [u8; 3])| cell[0] == DOOR && cell[2] == 2;
                    let door = cells(env).find(locked).unwrap().1[1];
                    assert_eq!(only(find(env, KEY)), door, "{id}: key");
                    door
                }
                "door_color" if id.contains("MultiRoom") => find(env, DOOR)[0].1,
                "door_color" => {
                    assert_eq!(only(find(env, KEY)), only(find(env, DOOR)), "{id}: key");
                    only(find(env, KEY))
                }
                "obstacle_color" => only(find(env, BALL)),
                _ => target(env),
            };
            for color in 0..6_u8 {
                reset(&mut env, color.into(), &[(name, color.into())]);
                assert_eq!(color_of(&env), color, "{id} {name}");
            }
            let drawn = |seed| {
                reset(&mut env, seed, &[(name, -1.0)]);
                color_of(&env)
            };
            assert_eq!((0..100).map(drawn).collect::<HashSet<_>>().len(), 6, "{id} {name}");
            looked_at += 1;
        }
    }
    assert_eq!(looked_at, 64, "color values of all ids");
}

#[test]
fn doors_of_multi_room_have_one_color_or_no_two_neighbors_the_same() {
    let mut env = env("MultiRoom-N6");
    for seed in 0..50 {
        reset(&mut env, seed, &[("door_color", 3.0)]);
        let doors = find(&env, DOOR);
        assert!(doors.len() == 5 && doors.iter().all(|(_, color)| *color == 3), "{doors:?}");
        reset(&mut env, seed, &[]);
        let colors: HashSet<u8> = find(&env, DOOR).iter().map(|(_, color)| *color).collect();
        assert!(colors.len() >= 2, "{colors:?}");
    }
}

#[test]
fn targets_are_what_the_context_says() {
    for id in family("KeyCorridor").into_iter().chain(family("GoToObject")) {
        let mut env = env(id);
        for (setting, object) in [KEY, BALL, BOX].into_iter().enumerate() {
            for seed in 0..20 {
                let color = seed % 6;
                let values = [("target_type", setting as f64), ("target_color", color as f64)];
                reset(&mut env, seed, &values);
                let mission = env.world().mission();
                assert_eq!(mission.object as usize, setting + 1, "{id}");
                assert_eq!(mission.color.unwrap() as u64, color, "{id}");
                let found = find(&env, object);
                assert!(
                    found.iter().any(|(_, found)| u64::from(*found) == color),
                    "{id} {found:?}"
                );
            }
        }
    }
}

/// The mission's door is there once, and all doors differ.
#[test]
fn go_to_door_has_four_doors_of_four_colors() {
    for id in family("GoToDoor") {
        let mut env = env(id);
        for seed in 0..100 {
            let color = seed as i32 % 7 - 1;
            reset(&mut env, seed, &[("target_color", f64::from(color))]);
            let colors: HashSet<u8> = find(&env, DOOR).iter().map(|(_, color)| *color).collect();
            assert_eq!(colors.len(), 4, "{id} {seed}");
            assert!(colors.contains(&(env.world().mission().color.unwrap() as u8)));
        }
    }
}

#[test]
fn numbers_of_things_follow_the_context() {
    // id; value and setting; what is counted and how often it is there
    let table = [
        ("Dynamic-Obstacles-8x8", ("obstacles", 0.0), (BALL, 0)),
        ("Dynamic-Obstacles-8x8", ("obstacles", 5.0), (BALL, 5)), // 8 / 2 + 1
        ("Dynamic-Obstacles-8x8", ("obstacles", 6.0), (BALL, 4)), // more: 8 / 2
        ("Dynamic-Obstacles-5x5", ("obstacles", 3.0), (BALL, 3)), // 3 <= 3.5
        ("Dynamic-Obstacles-5x5", ("obstacles", 4.0), (BALL, 2)), // 5 / 2, rounded down
        ("MultiRoom-N2-S4", ("rooms", 1.0), (DOOR, 0)),
        ("MultiRoom-N2-S4", ("rooms", 7.0), (DOOR, 6)),
        ("LavaGapS7", ("obstacle_type", 0.0), (LAVA, 4)),
        ("LavaGapS7", ("obstacle_type", 1.0), (WALL, 24 + 4)),
        ("LavaCrossingS9N1", ("crossings", 1.0), (LAVA, 6)), // 7 cells, one open
        ("LavaCrossingS9N1", ("obstacle_type", 1.0), (WALL, 32 + 6)),
        // All six rivers: 3 of 7 cells each way, 9 in common, one opening each.
        ("LavaCrossingS9N1", ("crossings", 22.0), (LAVA, 6 * 7 - 9 - 6)),
    ];
    for (id, value, (object, count)) in table {
        let mut env = env(id);
        reset(&mut env, 5, &[value]);
        assert_eq!(find(&env, object).len(), count, "{id} {value:?}");
    }
    let mut env = env("GoToObject-6x6-N2");
    for objects in 1..=8 {
        reset(&mut env, 7, &[("objects", f64::from(objects)), ("size", 5.0)]);
        let kinds: HashSet<_> = [KEY, BALL, BOX]
            .into_iter()
            .flat_map(|kind| find(&env, kind).into_iter().map(move |(_, color)| (kind, color)))
            .collect();
        assert_eq!(kinds.len(), objects as usize, "all different: {kinds:?}");
    }
}

#[test]
fn the_start_is_in_the_corner_or_anywhere() {
    for id in family("Empty").into_iter().chain(family("Dynamic")) {
        let mut env = env(id);
        assert!(has(&env, "random_start"));
        let mut starts = |setting: f64| {
            let start = |seed| {
                reset(&mut env, seed, &[("random_start", setting)]);
                env.world().agent()
            };
            (0..200).map(start).collect::<HashSet<_>>()
        };
        assert_eq!(starts(0.0), HashSet::from([(1, 1, 0)]), "{id}");
        assert!(starts(1.0).len() >= 25, "{id}"); // of 4 headings in 8 cells and more
    }
}

/// Each value at both ends and all at once at random: there is always an episode.
#[test]
fn every_context_within_its_bounds_has_episodes() {
    for id in ids() {
        let mut env = MiniGrid::new(id, Encoding::OneHot).unwrap();
        let values = env.spec().context.values.clone();
        let mut obs = buffer(&env);
        for seed in 0..100 {
            let mut rng = SeedStream::root(seed).stream(id).rng();
            let pick = |value: &ContextValue| match rng.below(3) {
                0 => value.low,
                1 => value.high,
                _ => value.low + (value.high - value.low) * f64::from(rng.below(101)) / 100.0,
            };
            let context = Context { values: values.iter().map(pick).collect() };
            env.reset(seed, &context, obs.as_mut()).unwrap();
            for _ in 0..20 {
                let action = rng.below(env.layout.actions() as u32) as usize;
                let step = env.step(Action::Discrete(action), obs.as_mut()).unwrap();
                if step.outcome.ends_episode() {
                    break;
                }
            }
        }
    }
}
