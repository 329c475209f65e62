//! MountainCar-v0, and the valley that it shares with the continuous version.

use super::{ClassicEnv, Dynamics, INK, WHITE, terminated_if, uniform};
use crate::{ActionSpace, ContextSpec, ContextValue, EnvSpec, ObsSpace, Outcome, Prng, RgbFrame};

/// Left end of the published track: an inelastic wall. Positions have no unit; one period of the
/// valley is 2 pi / 3.
const MIN_POSITION: f64 = -1.2;
/// Right end of the published track.
const MAX_POSITION: f64 = 0.6;
/// Largest speed of the published car, position per step.
const MAX_SPEED: f64 = 0.07;
/// The published first position is drawn from here, near the bottom; the first velocity is 0.
const START: (f64, f64) = (-0.6, -0.4);
/// A position of every range of starts, so that their ends can be chosen one by one.
const START_MIDDLE: f64 = -0.5;

/// Drive an underpowered car out of a valley by pushing it left (0), not (1), or right (2).
///
/// State and observation `[2]`: position (no unit, -1.2 to 0.6), velocity (position per step).
/// Reward: -1 a step, the last included. Terminated at the goal position with at least the goal
/// velocity. A goal beyond the right end of the track cannot be reached.
///
/// # Source
/// Moore 1990; Gymnasium 1.4 `MountainCar-v0`. The context values are those of the CARL benchmark
/// (Benjamins et al. 2023, arXiv 2202.04500) under its names.
///
/// # Differs
/// The start is drawn from another generator, with the same distribution.
pub type MountainCar = ClassicEnv<MountainCarDynamics>;

/// Parameters and equations of [`MountainCar`].
#[derive(Clone, Copy, Debug)]
pub struct MountainCarDynamics {
    valley: Valley,
    /// Position per step squared.
    force: f64,
}

impl Dynamics for MountainCarDynamics {
    type State = [f64; 2];

    fn spec() -> EnvSpec {
        let force = ContextValue::new(
            "force",
            "position/step^2",
            0.001,
            (0.0001, 0.01),
            "acceleration by one push",
        );
        EnvSpec {
            id: "MountainCar-v0".to_owned(),
            obs: Valley::obs(),
            action: ActionSpace::Discrete(3),
            context: Valley::context(0.5, force),
            time_limit_env_steps: Some(200),
        }
    }

    fn from_context(values: &[f64]) -> Self {
        Self { valley: Valley::from_context(values), force: values[4] }
    }

    fn start(&self, rng: &mut Prng) -> [f64; 2] {
        self.valley.start(rng)
    }

    fn advance(&self, state: &mut [f64; 2], action: f64) -> (f64, Outcome) {
        self.valley.roll(state, (action - 1.0) * self.force);
        (-1.0, self.valley.outcome(state))
    }

    fn observe(&self, state: &[f64; 2], obs: &mut [f32]) {
        Valley::observe(state, obs);
    }

    fn draw(&self, state: &[f64; 2], _last_action: Option<f64>, frame: &mut RgbFrame) {
        self.valley.draw(state, frame);
    }
}

/// The track of both mountain cars: height `sin(3 position)` up to scale, walls, goal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Valley {
    /// Position per step squared, on a slope of 1.
    gravity: f64,
    /// Position per step.
    max_speed: f64,
    goal_position: f64,
    /// Position per step.
    goal_velocity: f64,
    /// Left wall and right end.
    ends: (f64, f64),
    /// Range of the first position.
    start_position: (f64, f64),
    /// Range of the first velocity, position per step.
    start_velocity: (f64, f64),
}

impl Valley {
    /// Position and velocity.
    pub(super) fn obs() -> ObsSpace {
        let (slow, fast) = (-MAX_SPEED as f32, MAX_SPEED as f32);
        ObsSpace::f32_vector(&[MIN_POSITION as f32, slow], &[MAX_POSITION as f32, fast])
    }

    /// The values that [`Valley::from_context`] reads, with the car's `engine` in place 4. Walls and
    /// speed limit cannot be beyond the published ones, which bound the observation space.
    pub(super) fn context(goal_position: f64, engine: ContextValue) -> ContextSpec {
        let value = ContextValue::new;
        let (acceleration, speed) = ("position/step^2", "position/step");
        let (speeds, goals) = ((0.1 * MAX_SPEED, MAX_SPEED), (0.0, MAX_POSITION));
        let (walls, right_ends) = ((MIN_POSITION, START.0), (goal_position, MAX_POSITION));
        let (starts_low, starts_high) = ((MIN_POSITION, START_MIDDLE), (START_MIDDLE, 0.0));
        let (backward, forward) = ((-MAX_SPEED, 0.0), (0.0, MAX_SPEED));
        let min_start = "least first position; one beyond a wall is at the wall";
        ContextSpec {
            values: vec![
                value("gravity", acceleration, 0.0025, (0.00025, 0.025), "pull down the slope"),
                value("max_speed", speed, MAX_SPEED, speeds, "largest speed"),
                value("goal_position", "1", goal_position, goals, "where the episode ends"),
                value("goal_velocity", speed, 0.0, (0.0, MAX_SPEED), "least velocity at the goal"),
                engine,
                value("min_position", "1", MIN_POSITION, walls, "left wall"),
                value("max_position", "1", MAX_POSITION, right_ends, "right end of the track"),
                value("min_position_start", "1", START.0, starts_low, min_start),
                value("max_position_start", "1", START.1, starts_high, "largest first position"),
                value("min_velocity_start", speed, 0.0, backward, "least first velocity"),
                value("max_velocity_start", speed, 0.0, forward, "largest first velocity"),
            ],
        }
    }

    pub(super) fn from_context(values: &[f64]) -> Self {
        Self {
            gravity: values[0],
            max_speed: values[1],
            goal_position: values[2],
            goal_velocity: values[3],
            ends: (values[5], values[6]),
            start_position: (values[7], values[8]),
            start_velocity: (values[9], values[10]),
        }
    }

    pub(super) fn start(&self, rng: &mut Prng) -> [f64; 2] {
        let position = uniform(self.start_position, rng).clamp(self.ends.0, self.ends.1);
        [position, uniform(self.start_velocity, rng).clamp(-self.max_speed, self.max_speed)]
    }

    /// Moves `[position, velocity]` by one step under the engine's `acceleration` (position per
    /// step squared): the velocity first, then the position with the new velocity.
    pub(super) fn roll(&self, state: &mut [f64; 2], acceleration: f64) {
        let [position, velocity] = *state;
        let pulled = velocity + acceleration - self.gravity * (3.0 * position).cos();
        let velocity = pulled.clamp(-self.max_speed, self.max_speed);
        let (wall, end) = self.ends;
        let position = (position + velocity).clamp(wall, end);
        let stopped = position <= wall && velocity < 0.0;
        *state = [position, if stopped { 0.0 } else { velocity }];
    }

    pub(super) fn outcome(&self, state: &[f64; 2]) -> Outcome {
        terminated_if(state[0] >= self.goal_position && state[1] >= self.goal_velocity)
    }

    pub(super) fn observe(state: &[f64; 2], obs: &mut [f32]) {
        (obs[0], obs[1]) = (state[0] as f32, state[1] as f32);
    }

    pub(super) fn draw(&self, state: &[f64; 2], frame: &mut RgbFrame) {
        const HILL: [u8; 3] = [205, 190, 160];
        const WIDTH_PX: i64 = 600;
        const HEIGHT_PX: i64 = 400;
        let scale = WIDTH_PX as f64 / (MAX_POSITION - MIN_POSITION); // pixels per position
        // From a position and a height above the ground in pixels to a pixel.
        let place = |position: f64, above_px: f64| {
            let height = 0.45 * (3.0 * position).sin() + 0.55;
            let y = HEIGHT_PX as f64 - height * scale - above_px;
            ((position - MIN_POSITION) * scale, y)
        };
        frame.fill(WIDTH_PX as usize, HEIGHT_PX as usize, WHITE);
        for x in 0..WIDTH_PX {
            let (_, y) = place(MIN_POSITION + x as f64 / scale, 0.0);
            frame.rect((x, y.round() as i64), (x + 1, HEIGHT_PX), HILL);
            frame.disc((x as f64, y), 1.5, INK);
        }
        for end in [self.ends.0, self.ends.1] {
            if MIN_POSITION < end && end < MAX_POSITION {
                frame.line(place(end, 0.0), place(end, 120.0), 4.0, INK); // a wall
            }
        }
        let (foot, top) = (place(self.goal_position, 0.0), place(self.goal_position, 50.0));
        frame.line(foot, top, 2.0, INK);
        frame.line((top.0, top.1 + 5.0), (top.0 + 20.0, top.1 + 5.0), 10.0, [215, 190, 0]);
        // The car stands on the slope: its axis follows the tangent.
        let slope = (1.35 * (3.0 * state[0]).cos()).atan();
        let center = place(state[0], 16.0);
        let along = |px: f64, lift: f64| {
            let (sin, cos) = slope.sin_cos();
            (center.0 + px * cos - lift * sin, center.1 - px * sin - lift * cos)
        };
        frame.line(along(-14.0, 0.0), along(14.0, 0.0), 16.0, [60, 90, 160]);
        for wheel in [-10.0, 10.0] {
            frame.disc(along(wheel, -8.0), 7.0, [110, 110, 110]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rand::SeedableRng;

    /// The published values with some replaced.
    fn values(replaced: &[(&str, f64)]) -> Vec<f64> {
        MountainCarDynamics::spec().context.with(replaced).unwrap().values
    }

    /// `cos(3 x)` is 1 at 0 and -1 at -pi/3, so the pull is exactly the gravity.
    #[test]
    fn one_step_by_hand() {
        let dynamics = MountainCarDynamics::from_context(&values(&[]));
        let hill = -std::f64::consts::FRAC_PI_3;
        let table = [
            // before, action, after
            ([0.0, 0.01], 2.0, [0.0085, 0.0085]), // 0.01 + 0.001 - 0.0025
            ([0.0, 0.01], 0.0, [0.0065, 0.0065]),
            ([hill, 0.0], 1.0, [hill + 0.0025, 0.0025]),
            ([0.0, -0.2], 1.0, [-0.07, -0.07]), // speed limit
            ([-1.19, -0.05], 1.0, [-1.2, 0.0]), // wall
            ([0.59, 0.07], 1.0, [0.6, 0.07]),   // right end; cos(1.77) < 0 pulls beyond the limit
        ];
        for (before, action, after) in table {
            let mut state = before;
            let (reward, _) = dynamics.advance(&mut state, action);
            let close = (0..2).all(|i| (state[i] - after[i]).abs() < 1e-15);
            assert!(close, "{before:?}, {action}: {state:?}, expected {after:?}");
            assert!((reward + 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn the_goal_needs_position_and_velocity() {
        let valley = Valley::from_context(&values(&[("goal_velocity", 0.02)]));
        assert_eq!(valley.outcome(&[0.5, 0.02]), Outcome::Terminated);
        assert_eq!(valley.outcome(&[0.499, 0.02]), Outcome::Continue);
        assert_eq!(valley.outcome(&[0.5, 0.019]), Outcome::Continue);
    }

    /// One step each under one value that differs; `cos(3 x)` is 1 at 0 and 0 at pi/6.
    #[test]
    fn each_value_does_what_it_says() {
        let level = std::f64::consts::FRAC_PI_6;
        let table = [
            // value, before, action, after
            (("gravity", 0.005), [0.0, 0.01], 1.0, [0.005, 0.005]), // 0.01 - 0.005
            (("force", 0.004), [0.0, 0.01], 2.0, [0.0115, 0.0115]), // 0.01 + 0.004 - 0.0025
            (("max_speed", 0.02), [0.0, 0.05], 1.0, [0.02, 0.02]),
            (("min_position", -0.8), [-0.78, -0.05], 1.0, [-0.8, 0.0]),
            (("max_position", 0.55), [level, 0.05], 2.0, [0.55, 0.051]), // pi/6 + 0.051 = 0.575
        ];
        for (value, before, action, after) in table {
            let mut state = before;
            MountainCarDynamics::from_context(&values(&[value])).advance(&mut state, action);
            let close = (0..2).all(|i| (state[i] - after[i]).abs() < 1e-15);
            assert!(close, "{value:?}: {state:?}, expected {after:?}");
        }
    }

    #[test]
    fn starts_keep_to_their_range() {
        type Values = &'static [(&'static str, f64)];
        type Range = (f64, f64);
        let table: [(Values, Range, Range); 4] = [
            (&[], (-0.6, -0.4), (0.0, 0.0)),
            (
                &[("min_position_start", -0.5), ("max_position_start", -0.2)],
                (-0.5, -0.2),
                (0.0, 0.0),
            ),
            (
                &[("min_velocity_start", -0.01), ("max_velocity_start", 0.03)],
                (-0.6, -0.4),
                (-0.01, 0.03),
            ),
            (&[("min_position_start", -1.2), ("min_position", -0.7)], (-0.7, -0.4), (0.0, 0.0)),
        ];
        let mut rng = Prng::seed_from_u64(2);
        for (replaced, position, velocity) in table {
            let dynamics = MountainCarDynamics::from_context(&values(replaced));
            let drawn: Vec<[f64; 2]> = (0..2000).map(|_| dynamics.start(&mut rng)).collect();
            for (index, (low, high)) in [position, velocity].into_iter().enumerate() {
                let least = drawn.iter().map(|state| state[index]).fold(f64::INFINITY, f64::min);
                let most = drawn.iter().map(|state| state[index]).fold(-1.0, f64::max);
                // 2000 draws leave less than a fiftieth of the range at either end.
                let room = (high - low) / 50.0;
                assert!(low <= least && least <= low + room, "{replaced:?}: {least}");
                assert!(high - room <= most && most <= high, "{replaced:?}: {most}");
            }
        }
        let one_point = [("min_position_start", -0.5), ("max_position_start", -0.5)];
        let dynamics = MountainCarDynamics::from_context(&values(&one_point));
        assert_eq!(dynamics.start(&mut rng), [-0.5, 0.0]);
    }
}
