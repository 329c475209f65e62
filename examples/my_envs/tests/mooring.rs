//! Mooring-v0 against numbers worked out by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use contrail_envs::{Action, Environment, ObsMut, Outcome};
use my_envs::{Boat, Mooring};

/// Observations and rewards are `f32` of single digits.
const TOLERANCE: f32 = 1e-5;

struct Voyage {
    env: Mooring,
    obs: [f32; 4],
}

impl Voyage {
    /// A boat `[east, north]` of the buoy with a velocity, in m and m/s.
    fn start(context: &[(&str, f64)], position_m: [f64; 2], velocity_m_s: [f64; 2]) -> Self {
        let (mut env, mut obs) = (Mooring::new(), [7.0; 4]);
        let context = env.spec().context.with(context).unwrap();
        env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap();
        env.place(Boat { position_m, velocity_m_s });
        Self { env, obs }
    }

    /// Steps and compares.
    fn expect(&mut self, push: [f32; 2], obs: [f32; 4], (reward, outcome): (f32, Outcome)) {
        let step = self.env.step(Action::Box(&push), ObsMut::F32(&mut self.obs)).unwrap();
        for (got, expected) in self.obs.iter().zip(obs) {
            assert!((got - expected).abs() < TOLERANCE, "{:?}, expected {obs:?}", self.obs);
        }
        assert!((step.reward - reward).abs() < TOLERANCE, "{}, expected {reward}", step.reward);
        assert_eq!(step.outcome, outcome);
    }
}

/// Current 0.4, drag 0.5, thrust 1. In each step v' = v + 0.5 (a - 0.5 (v - 0.4)), x' = x + 0.5 v'.
#[test]
fn an_episode_that_ends_at_the_buoy() {
    use Outcome::{Continue, Terminated};
    let mut voyage = Voyage::start(&[("current", 0.4)], [1.0, 0.0], [0.0, 0.0]);
    // a = -1 gives -1 + 0.2 = -0.8: v = -0.4, x = 1 - 0.2; 0.2 nearer.
    voyage.expect([-1.0, 0.0], [0.8, 0.0, -0.4, 0.0], (0.1, Continue));
    // a = -0.5 gives -0.5 + 0.4 = -0.1: v = -0.45, x = 0.8 - 0.225; still further than 0.5.
    voyage.expect([-0.5, 0.0], [0.575, 0.0, -0.45, 0.0], (0.125, Continue));
    // a = 0 gives 0.425: v = -0.45 + 0.2125, x = 0.575 - 0.11875; near and slow: moored.
    voyage.expect([0.0, 0.0], [0.45625, 0.0, -0.2375, 0.0], (10.01875, Terminated));
}

/// Thrust -0.2 to the west holds the boat against drag 0.5 times current 0.4; to the north
/// nothing flows: 0 + 0.5 * 1, then 0.5 + 0.5 (1 - 0.25).
#[test]
fn the_current_flows_east_only() {
    let mut voyage = Voyage::start(&[("current", 0.4)], [0.0, -6.0], [0.0, 0.0]);
    voyage.expect([-0.2, 1.0], [0.0, -5.75, 0.0, 0.5], (0.15, Outcome::Continue));
    voyage.expect([-0.2, 1.0], [0.0, -5.3125, 0.0, 0.875], (0.3375, Outcome::Continue));
}

/// -2 + 0.5 * 0.5 * 2.4 = -1.4 m/s takes the boat from 0.7 m to the buoy itself, but not to rest.
#[test]
fn too_fast_is_not_moored() {
    let mut voyage = Voyage::start(&[("current", 0.4)], [0.7, 0.0], [-2.0, 0.0]);
    voyage.expect([0.0, 0.0], [0.0, 0.0, -1.4, 0.0], (0.6, Outcome::Continue));
}

/// 1 + 0.5 (1 - 0.3) = 1.35 m/s would lead from 9.8 to 10.475 m: aground at 10. The reward is
/// -0.2 for the way, -0.1 and -10.
#[test]
fn the_edge_is_ground() {
    let mut voyage = Voyage::start(&[("current", 0.4)], [9.8, 0.0], [1.0, 0.0]);
    voyage.expect([1.0, 0.0], [10.0, 0.0, 1.35, 0.0], (-10.3, Outcome::Terminated));
    let after = voyage.env.step(Action::Box(&[0.0, 0.0]), ObsMut::F32(&mut voyage.obs));
    assert!(after.is_err(), "a step after the end");
}

/// A boat 4 m east of the buoy; velocity 2 for drag, else at rest. One step of each context.
#[test]
fn each_context_value_changes_the_dynamics() {
    let calm = ("current", 0.0);
    let table = [
        // (context, velocity before, push, velocity after, position after)
        ([("current", 0.8), ("drag", 0.5)], 0.0, 0.0, 0.2, 4.1),
        ([("current", -0.8), ("drag", 0.5)], 0.0, 0.0, -0.2, 3.9),
        ([calm, ("drag", 0.5)], 2.0, 0.0, 1.5, 4.75),
        ([calm, ("drag", 1.0)], 2.0, 0.0, 1.0, 4.5),
        ([calm, ("thrust", 0.5)], 0.0, -1.0, -0.25, 3.875),
        ([calm, ("thrust", 2.0)], 0.0, -1.0, -1.0, 3.5),
    ];
    for (context, before, push, velocity, position) in table {
        let mut voyage = Voyage::start(&context, [4.0, 0.0], [before, 0.0]);
        let reward = 4.0 - position - 0.1;
        let obs = [position, 0.0, velocity, 0.0];
        voyage.expect([push, 0.0], obs, (reward, Outcome::Continue));
    }
}

#[test]
fn starts_are_at_rest_and_5_to_8_m_away_on_all_sides() {
    let mut env = Mooring::new();
    let (context, mut quadrants) = (env.spec().context.default_context(), [0; 4]);
    for seed in 0..100 {
        let mut obs = [7.0; 4];
        env.reset(seed, &context, ObsMut::F32(&mut obs)).unwrap();
        let [east, north, rest @ ..] = obs;
        assert!((5.0 - TOLERANCE..8.0 + TOLERANCE).contains(&east.hypot(north)), "{obs:?}");
        assert_eq!(rest, [0.0, 0.0]);
        quadrants[usize::from(east > 0.0) + 2 * usize::from(north > 0.0)] += 1;
    }
    assert!(quadrants.iter().all(|n| *n >= 10), "{quadrants:?}"); // 25 expected, deviation 4.3
}
