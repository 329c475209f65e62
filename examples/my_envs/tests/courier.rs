//! Courier-v0, step by step on pictures that a reader can follow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use contrail_envs::{Action, Environment, ObsMut, Outcome, Step};
use my_envs::Courier;

const NORTH: usize = 0;
const EAST: usize = 1;
const SOUTH: usize = 2;
const WEST: usize = 3;

/// What seed 1 draws: C is the courier, p a parcel. North is up.
const START: [&str; 5] = ["...p.", "..p..", "..C..", ".....", "....p"];

struct Game {
    env: Courier,
    obs: [u8; 50],
}

impl Game {
    fn start(seed: u64, context: &[(&str, f64)]) -> Self {
        let (mut env, mut obs) = (Courier::new(), [7; 50]);
        let context = env.spec().context.with(context).unwrap();
        env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
        Self { env, obs }
    }

    fn step(&mut self, action: usize) -> Step {
        self.env.step(Action::Discrete(action), ObsMut::U8(&mut self.obs)).unwrap()
    }

    /// The observation as rows of letters.
    fn picture(&self) -> [String; 5] {
        std::array::from_fn(|y| {
            let cell = |x| match (self.obs[5 * y + x], self.obs[25 + 5 * y + x]) {
                (0, 0) => '.',
                (0, _) => 'p',
                (_, 0) => 'C',
                _ => '!', // a parcel is collected where the courier stands
            };
            (0..5).map(cell).collect()
        })
    }
}

#[test]
fn an_episode_without_wind() {
    use Outcome::{Continue, Terminated};
    let mut game = Game::start(1, &[("wind", 0.0)]);
    assert_eq!(game.picture(), START);
    let table = [
        (NORTH, ["...p.", "..C..", ".....", ".....", "....p"], 0.95, Continue), // 1 - 0.05
        (EAST, ["...p.", "...C.", ".....", ".....", "....p"], -0.05, Continue),
        (NORTH, ["...C.", ".....", ".....", ".....", "....p"], 0.95, Continue),
        (NORTH, ["...C.", ".....", ".....", ".....", "....p"], -0.05, Continue), // the edge
        (EAST, ["....C", ".....", ".....", ".....", "....p"], -0.05, Continue),
        (EAST, ["....C", ".....", ".....", ".....", "....p"], -0.05, Continue), // the edge
        (SOUTH, [".....", "....C", ".....", ".....", "....p"], -0.05, Continue),
        (WEST, [".....", "...C.", ".....", ".....", "....p"], -0.05, Continue),
        (SOUTH, [".....", ".....", "...C.", ".....", "....p"], -0.05, Continue),
        (SOUTH, [".....", ".....", ".....", "...C.", "....p"], -0.05, Continue),
        (SOUTH, [".....", ".....", ".....", ".....", "...Cp"], -0.05, Continue),
        (EAST, [".....", ".....", ".....", ".....", "....C"], 0.95, Terminated),
    ];
    for (row, (action, picture, reward, outcome)) in table.into_iter().enumerate() {
        assert_eq!(game.step(action), Step::new(reward, outcome), "row {row}");
        assert_eq!(game.picture(), picture, "row {row}");
    }
}

/// At full strength a gust follows each move. The parcel that is only passed is not collected.
#[test]
fn wind_blows_after_the_move() {
    let mut game = Game::start(1, &[("wind", 1.0)]);
    let east = [
        (WEST, ["...p.", "..p..", "..C..", ".....", "....p"]),
        (NORTH, ["...p.", "..pC.", ".....", ".....", "....p"]),
        (NORTH, ["...pC", "..p..", ".....", ".....", "....p"]),
        (NORTH, ["...pC", "..p..", ".....", ".....", "....p"]), // the edge stops a gust too
    ];
    for (row, (action, picture)) in east.into_iter().enumerate() {
        assert_eq!(game.step(action), Step::new(-0.05, Outcome::Continue), "row {row}");
        assert_eq!(game.picture(), picture, "row {row}");
    }
    let mut game = Game::start(1, &[("wind", -1.0)]);
    game.step(SOUTH);
    assert_eq!(game.picture(), ["...p.", "..p..", ".....", ".C...", "....p"]);
}

/// Of 400 first moves to the north about 100 end one cell further east (standard deviation 8.7).
#[test]
fn wind_is_the_probability_of_a_gust() {
    let blown = |seed| {
        let mut game = Game::start(seed, &[("wind", 0.25)]);
        game.step(NORTH);
        game.obs[5 + 3] != 0 // row 1, column 3
    };
    let gusts = (0..400).filter(|seed| blown(*seed)).count();
    assert!((60..=140).contains(&gusts), "{gusts} gusts");
}

#[test]
fn step_cost_changes_the_reward_alone() {
    let (mut cheap, mut dear) =
        (Game::start(1, &[("step_cost", 0.0)]), Game::start(1, &[("step_cost", 0.5)]));
    for action in [EAST, WEST, SOUTH, SOUTH, WEST] {
        assert_eq!(cheap.step(action).reward - dear.step(action).reward, 0.5);
        assert_eq!(cheap.obs, dear.obs);
    }
}

/// 255 * 0.5 = 127.5 is rounded to 128.
#[test]
fn daylight_changes_the_observation_alone() {
    let (mut bright, mut dim) = (Game::start(1, &[]), Game::start(1, &[("daylight", 0.5)]));
    for action in [NORTH, NORTH, EAST, SOUTH] {
        assert_eq!(bright.step(action), dim.step(action));
        assert_eq!(bright.obs.map(|value| if value == 255 { 128 } else { value }), dim.obs);
        assert!(dim.obs.contains(&128));
    }
}
