use super::episode::{Episode, FLOOR_HEIGHTS, OBSTACLE_POSITIONS, Obstacle, SIZE};
use super::*;
use crate::conformance::{CheckOptions, check_id};
use crate::{
    Action, Context, Distribution, EnvOptions, Environment, ObsBuffer, Outcome, RgbFrame, Step,
    Subspace, state,
};
use std::collections::BTreeMap;

/// Jumps from column `jump_at` and walks otherwise: (height, step) of each step.
fn play(mut episode: Episode, jump_at: Option<usize>) -> Vec<(usize, Step)> {
    let mut steps = Vec::new();
    while !episode.outcome.ends_episode() {
        let action = usize::from(jump_at == Some(steps.len()));
        let step = episode.advance(action);
        steps.push((episode.height(), step));
    }
    steps
}

/// Obstacle at 16, floor at 10.
fn near(obstacle: Obstacle) -> Episode {
    Episode::start(obstacle, 16, 10)
}

/// The agent touches the obstacle in columns 12 to 24 below height 10: there the heights are 10 to
/// 16 to 10, one column earlier and one later they are 9.
#[test]
fn one_episode_step_by_step() {
    let heights = [
        0, 0, // columns 1 and 2; the jump begins in column 2
        1, 2, 3, 4, 5, 6, 7, 8, 9, // columns 3 to 11
        10, 11, 12, 13, 14, 15, 16, 15, 14, 13, 12, 11,
        10, // columns 12 to 24, over the obstacle
        9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // columns 25 to 34
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // columns 35 to 55
        0, // column 56 lies beyond the edge: 56 + 5 > 60
    ];
    let steps = play(near(Obstacle::Grey), Some(2));
    assert_eq!(steps.iter().map(|(height, _)| *height).collect::<Vec<_>>(), heights);
    let (last, others) = steps.split_last().unwrap();
    assert!(others.iter().all(|(_, step)| *step == Step::new(1.0, Outcome::Continue)));
    assert_eq!(last.1, Step::new(101.0, Outcome::Terminated));
}

#[test]
fn a_jump_too_early_or_too_late_collides() {
    // column of the jump; column and height of the collision
    let table = [
        (None, 12, 0),
        (Some(0), 23, 9), // 23 steps into the jump, 9 before its end
        (Some(1), 24, 9), // in the last column of the obstacle
        (Some(3), 12, 9), // in the first, 9 steps into the jump
        (Some(4), 12, 8),
        (Some(11), 12, 1),
    ];
    for (jump_at, column, height) in table {
        for obstacle in [Obstacle::Grey, Obstacle::Red] {
            let steps = play(near(obstacle), jump_at);
            assert_eq!(steps.len(), column, "jump from {jump_at:?}");
            let last = steps.last().unwrap();
            assert_eq!(*last, (height, Step::new(-1.0, Outcome::Terminated)), "{jump_at:?}");
        }
    }
}

#[test]
fn actions_mean_nothing_in_the_air() {
    let (mut walking, mut jumping) = (near(Obstacle::Grey), near(Obstacle::Grey));
    for column in 0..34 {
        walking.advance(usize::from(column == 2));
        jumping.advance(usize::from(column >= 2));
        assert_eq!(walking, jumping, "after column {column}");
    }
    jumping.advance(1); // landed in column 34
    assert_eq!(jumping.height(), 1);
}

#[test]
fn a_green_obstacle_pays_once_for_walking_into_it() {
    // column of the jump; reward in the column of the first touch; return
    let table = [
        (None, Some((12, 99.0)), 254.0), // 54 + 99 + 101
        (Some(1), Some((24, -1.0)), 154.0),
        (Some(2), None, 156.0),
        (Some(3), Some((12, -1.0)), 154.0),
    ];
    for (jump_at, touch, expected) in table {
        let steps = play(near(Obstacle::Green), jump_at);
        assert_eq!(steps.len(), 56);
        let rewards: Vec<f32> = steps.iter().map(|(_, step)| step.reward).collect();
        let unusual = (1..).zip(&rewards[..55]).find(|(_, reward)| **reward != 1.0);
        assert_eq!(unusual.map(|(column, reward)| (column, *reward)), touch, "{jump_at:?}");
        assert_eq!(rewards.iter().sum::<f32>(), expected, "{jump_at:?}");
    }
}

fn count(plane: &[u8], level: u8) -> usize {
    plane.iter().filter(|pixel| **pixel == level).count()
}

#[test]
fn the_picture_by_hand() {
    let mut plane = vec![7; SIZE * SIZE];
    Episode::start(Obstacle::Grey, 30, 10).observe(&mut plane);
    // row from the bottom, column, level
    let table = [
        (0, 30, 255),
        (59, 30, 255),
        (40, 0, 255),
        (40, 59, 255),
        (40, 30, 0), // frame
        (10, 50, 255),
        (9, 50, 0),
        (11, 50, 0),
        (10, 30, 255), // ground
        (11, 4, 255),
        (11, 5, 0),
        (19, 4, 255),
        (20, 4, 0), // agent
        (11, 29, 0),
        (11, 30, 128),
        (19, 38, 128),
        (20, 38, 0),
        (19, 39, 0), // obstacle
    ];
    for (row, column, level) in table {
        assert_eq!(plane[SIZE * row + column], level, "row {row}, column {column}");
    }
    assert_eq!(count(&plane, 128), 9 * 9); // the lowest of its 10 rows is ground
    assert_eq!(count(&plane, 255), 4 * 59 + 58 + 4 * 9); // frame, ground, agent inside the frame
    assert_eq!(count(&plane, 0), 3600 - 81 - 330);
}

#[test]
fn the_agent_is_cut_at_the_top_and_hidden_by_the_obstacle() {
    let mut plane = vec![0; SIZE * SIZE];
    let mut high = Episode::start(Obstacle::Grey, 47, 40);
    for _ in 0..16 {
        high.advance(1);
    }
    high.observe(&mut plane);
    assert_eq!(count(&plane, 255), 4 * 59 + 58 + 5 * 3); // rows 56, 57, 58
    let mut touching = Episode::start(Obstacle::Grey, 16, 0);
    for _ in 0..12 {
        touching.advance(0);
    }
    touching.observe(&mut plane);
    assert_eq!((plane[SIZE + 15], plane[SIZE + 16]), (255, 128)); // columns 12 to 16 in row 1
}

#[test]
fn an_obstacle_with_a_color_is_in_one_plane() {
    for (color, levels) in [(0.0, [81, 0, 0]), (0.4, [81, 0, 0]), (1.0, [0, 81, 0])] {
        let mut env = Jumping::with_colors();
        let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
        env.reset(0, &Context { values: vec![30.0, 10.0, color] }, obs.as_mut()).unwrap();
        let ObsBuffer::U8(pixels) = obs else { panic!("bytes") };
        let planes: Vec<&[u8]> = pixels.chunks_exact(SIZE * SIZE).collect();
        assert_eq!(planes.iter().map(|plane| count(plane, 128)).collect::<Vec<_>>(), levels);
        assert!(planes.iter().all(|plane| count(plane, 255) == 330));
    }
}

#[test]
fn the_drawing_is_upright_and_in_color() {
    let mut frame = RgbFrame::default();
    Episode::start(Obstacle::Green, 30, 10).draw(&mut frame);
    assert_eq!((frame.width, frame.height), (480, 480));
    let pixel = |x: usize, y: usize| &frame.pixels[3 * (480 * y + x)..][..3];
    // Ground in rows 392 to 399, as 60 - 11 = 49 rows of 8 lie above it.
    let table = [
        (450, 391, [0; 3]),
        (450, 392, [255; 3]),
        (450, 399, [255; 3]),
        (450, 400, [0; 3]),
        (240, 320, [0, 128, 0]),
        (240, 319, [0; 3]),
        (239, 320, [0; 3]),
        (311, 399, [0, 128, 0]),
        (39, 320, [255; 3]),
        (40, 320, [0; 3]),
    ];
    for (x, y, color) in table {
        assert_eq!(pixel(x, y), color, "column {x}, row {y}");
    }
}

/// Return and length of an episode in `context` with the actions of `policy`.
fn run(
    env: &mut dyn Environment,
    context: &Context,
    policy: impl Fn(usize) -> usize,
) -> (f32, usize) {
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    env.reset(0, context, obs.as_mut()).unwrap();
    let (mut sum, mut env_steps) = (0.0, 0);
    loop {
        let step = env.step(Action::Discrete(policy(env_steps)), obs.as_mut()).unwrap();
        (sum, env_steps) = (sum + step.reward, env_steps + 1);
        if step.outcome.ends_episode() {
            return (sum, env_steps);
        }
    }
}

/// Columns from which a single jump reaches the right edge.
fn good_jumps(context: &Context) -> Vec<usize> {
    let solves = |jump_at: &usize| {
        let policy = |env_steps: usize| usize::from(env_steps == *jump_at);
        run(&mut Jumping::new(), context, policy) == (156.0, 56)
    };
    (0..56).filter(solves).collect()
}

#[test]
fn one_column_solves_a_task() {
    for (position, height, column) in [(20.0, 10.0, 6), (33.0, 17.0, 19), (45.0, 20.0, 31)] {
        let context = Context { values: vec![position, height] };
        assert_eq!(good_jumps(&context), [column], "obstacle at {position}, floor at {height}");
    }
    for context in tasks() {
        let best = optimal_jump_position(&context).unwrap();
        assert_eq!(good_jumps(&context), [best], "{context:?}");
    }
}

#[test]
fn the_optimal_policy_solves_every_task_and_color() {
    let (mut plain, mut colored) = (Jumping::new(), Jumping::with_colors());
    for task in tasks() {
        let best = run(&mut plain, &task, |env_steps| optimal_action(&task, env_steps));
        assert_eq!(best, (156.0, 56), "{task:?}");
        for (color, expected) in [(0.0, 156.0), (0.4, 156.0), (0.5, 254.0), (1.0, 254.0)] {
            let values = vec![task.values[0], task.values[1], color];
            let task = Context { values };
            let best = run(&mut colored, &task, |env_steps| optimal_action(&task, env_steps));
            assert_eq!(best, (expected, 56), "{task:?}");
        }
    }
}

#[test]
fn the_expert_of_an_episode_is_the_optimal_policy() {
    for (mut env, values) in [
        (Jumping::new(), vec![29.5, 10.4]),
        (Jumping::with_colors(), vec![40.0, 12.0, 0.0]),
        (Jumping::with_colors(), vec![40.0, 12.0, 1.0]),
    ] {
        let context = Context { values };
        assert_eq!(env.expert_action(), None, "before the first reset");
        let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
        env.reset(0, &context, obs.as_mut()).unwrap();
        for env_steps in 0..56 {
            let action = env.expert_action().unwrap();
            assert_eq!(action, optimal_action(&context, env_steps), "step {env_steps}");
            env.step(Action::Discrete(action), obs.as_mut()).unwrap();
        }
        assert_eq!(env.expert_action(), None, "after the end");
    }
}

#[test]
fn positions_between_pixels_are_rounded() {
    // 29.5 rounds to 30: jump from 16.
    let context = Context { values: vec![29.5, 10.4] };
    assert_eq!(good_jumps(&context), [16]);
    assert_eq!(optimal_jump_position(&context), Some(16));
}

#[test]
fn impossible_states_are_refused() {
    let far = OBSTACLE_POSITIONS.end() + 1;
    let high = FLOOR_HEIGHTS.end() + 1;
    let table = [
        (Episode::start(Obstacle::Grey, 30, 10), None),
        (Episode::start(Obstacle::Red, 30, 10), Some("obstacle color")),
        (Episode::start(Obstacle::Grey, 13, 10), Some("obstacle position")),
        (Episode::start(Obstacle::Grey, far, 10), Some("obstacle position")),
        (Episode::start(Obstacle::Grey, 30, high), Some("floor height")),
    ];
    for (episode, expected) in table {
        let mut bytes = Vec::new();
        state::save("Jumping-v0", &Some(episode), &mut bytes).unwrap();
        let message = Jumping::new().restore_state(&bytes).err().map(|error| error.to_string());
        assert_eq!(message.is_some(), expected.is_some(), "{message:?}");
        assert!(message.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}

#[test]
fn both_keep_the_contract_and_their_subspaces_differ() {
    let subspace = |name: &str, position: f64| {
        let values = BTreeMap::from([("obstacle_position".into(), Distribution::Fixed(position))]);
        Subspace { name: name.into(), values, ..Subspace::default() }
    };
    let subspaces = vec![subspace("near", 20.0), subspace("far", 45.0)];
    for id in ["Jumping-v0", "JumpingColors-v0"] {
        let options = CheckOptions { subspaces: subspaces.clone(), ..CheckOptions::default() };
        let report = check_id((&Registry::builtin(), id), &EnvOptions::default(), &options);
        assert!(report.conforms(), "{report}");
    }
}
