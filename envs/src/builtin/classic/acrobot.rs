//! Acrobot-v1.

use super::{ClassicEnv, Dynamics, INK, WHITE, terminated_if};
use crate::{ActionSpace, ContextSpec, ContextValue, EnvSpec, ObsSpace, Outcome, Prng, RgbFrame};
use rand::RngExt;
use std::f64::consts::{FRAC_PI_2, PI};

/// Simulated time of one step, s: one Runge-Kutta step.
const STEP_S: f64 = 0.2;
/// Largest angular velocity of each link, rad/s.
const MAX_VELOCITY_RAD_S: [f64; 2] = [4.0 * PI, 9.0 * PI];
/// Height above the pivot that the tip must exceed, m; see [`Acrobot`].
const GOAL_HEIGHT_M: f64 = 1.0;
/// Every element of the first state is drawn from plus or minus this (rad, rad, rad/s, rad/s).
const START_SPREAD: f64 = 0.1;

/// Swing a two-link chain up by a torque of -1, 0 or 1 N m (actions 0, 1, 2) at its middle joint.
///
/// State `[4]`: angle of the first link from straight down, angle of the second relative to the
/// first (rad, both wrapped to plus or minus pi), their angular velocities (rad/s).
/// Observation `[6]`: cos and sin of the first angle, cos and sin of the second, both velocities.
/// Reward: -1 a step, 0 at the step that terminates: when `-cos(a) - cos(a + b) > 1`, the height
/// of the tip for links of 1 m. That rule does not change with the link lengths, nor does it in
/// Gymnasium.
///
/// # Source
/// Sutton 1996; equations of Sutton and Barto's book; Gymnasium 1.4 `Acrobot-v1` (book version,
/// fourth-order Runge-Kutta, no torque noise).
///
/// # Differs
/// Angles far outside plus or minus pi are wrapped by one division instead of a loop, which would
/// not end for huge ones. The start is drawn from another generator, with the same distribution.
pub type Acrobot = ClassicEnv<AcrobotDynamics>;

/// Parameters and equations of [`Acrobot`]. Arrays hold the first and the second link.
#[derive(Clone, Copy, Debug)]
pub struct AcrobotDynamics {
    length_m: [f64; 2],
    mass_kg: [f64; 2],
    center_m: [f64; 2],
    inertia_kg_m2: f64,
    max_velocity_rad_s: [f64; 2],
    gravity_m_s2: f64,
}

impl Dynamics for AcrobotDynamics {
    type State = [f64; 4];

    fn spec() -> EnvSpec {
        let [fast_1, fast_2] = MAX_VELOCITY_RAD_S;
        let high = [1.0, 1.0, 1.0, 1.0, fast_1 as f32, fast_2 as f32];
        EnvSpec {
            id: "Acrobot-v1".to_owned(),
            obs: ObsSpace::f32_vector(&high.map(|bound| -bound), &high),
            action: ActionSpace::Discrete(3),
            context: context(),
            time_limit_env_steps: Some(500),
        }
    }

    fn from_context(values: &[f64]) -> Self {
        Self {
            length_m: [values[0], values[1]],
            mass_kg: [values[2], values[3]],
            center_m: [values[4], values[5]],
            inertia_kg_m2: values[6],
            max_velocity_rad_s: [values[7], values[8]],
            gravity_m_s2: values[9],
        }
    }

    fn start(&self, rng: &mut Prng) -> [f64; 4] {
        // Gymnasium rounds the start to f32.
        std::array::from_fn(|_| {
            let drawn: f64 = rng.random_range(-START_SPREAD..START_SPREAD);
            f64::from(drawn as f32)
        })
    }

    fn advance(&self, state: &mut [f64; 4], action: f64) -> (f64, Outcome) {
        let torque = action - 1.0; // N m
        let moved = self.runge_kutta(state, torque);
        let [fast_1, fast_2] = self.max_velocity_rad_s;
        *state = [
            wrap_angle(moved[0]),
            wrap_angle(moved[1]),
            moved[2].clamp(-fast_1, fast_1),
            moved[3].clamp(-fast_2, fast_2),
        ];
        let height = -state[0].cos() - (state[0] + state[1]).cos();
        let reached = height > GOAL_HEIGHT_M;
        (if reached { 0.0 } else { -1.0 }, terminated_if(reached))
    }

    fn observe(&self, state: &[f64; 4], obs: &mut [f32]) {
        let [first, second, velocity_1, velocity_2] = *state;
        let values = [first.cos(), first.sin(), second.cos(), second.sin(), velocity_1, velocity_2];
        for (out, value) in obs.iter_mut().zip(values) {
            *out = value as f32;
        }
    }

    fn draw(&self, state: &[f64; 4], _last_action: Option<f64>, frame: &mut RgbFrame) {
        const SIZE_PX: f64 = 500.0;
        let [length_1, length_2] = self.length_m;
        let scale = SIZE_PX / (2.0 * (length_1 + length_2 + 0.2)); // pixels per m
        let middle = SIZE_PX / 2.0;
        frame.fill(500, 500, WHITE);
        let goal_y = middle - GOAL_HEIGHT_M * scale;
        frame.line((0.0, goal_y), (SIZE_PX, goal_y), 2.0, INK);
        // Angles are from straight down, and rows of the frame grow downwards.
        let end = |(x, y): (f64, f64), angle: f64, length: f64| {
            (x + length * scale * angle.sin(), y + length * scale * angle.cos())
        };
        let pivot = (middle, middle);
        let joint = end(pivot, state[0], length_1);
        let tip = end(joint, state[0] + state[1], length_2);
        let width = 0.16 * scale;
        frame.line(pivot, joint, width, [0, 180, 190]);
        frame.line(joint, tip, width, [60, 205, 205]);
        for center in [pivot, joint] {
            frame.disc(center, 0.1 * scale, [204, 190, 0]);
        }
    }
}

/// Context values, in the order that [`AcrobotDynamics::from_context`] reads. The velocity limits
/// cannot rise above the published ones, which bound the observation space.
fn context() -> ContextSpec {
    let value = ContextValue::new;
    let [fast_1, fast_2] = MAX_VELOCITY_RAD_S;
    let (wide, half) = ((0.1, 10.0), (0.05, 5.0));
    ContextSpec {
        values: vec![
            value("link_length_1", "m", 1.0, wide, "length of the first link"),
            value("link_length_2", "m", 1.0, wide, "length of the second link (drawing only)"),
            value("link_mass_1", "kg", 1.0, wide, "mass of the first link"),
            value("link_mass_2", "kg", 1.0, wide, "mass of the second link"),
            value("link_center_1", "m", 0.5, half, "pivot to the first link's center of mass"),
            value("link_center_2", "m", 0.5, half, "joint to the second link's center of mass"),
            value("link_inertia", "kg m^2", 1.0, wide, "moment of inertia of either link"),
            value("max_velocity_1", "rad/s", fast_1, (0.1 * fast_1, fast_1), "first joint's limit"),
            value(
                "max_velocity_2",
                "rad/s",
                fast_2,
                (0.1 * fast_2, fast_2),
                "second joint's limit",
            ),
            value("gravity", "m/s^2", 9.8, (0.1, 100.0), "gravity"),
        ],
    }
}

impl AcrobotDynamics {
    /// The state `STEP_S` later under a constant torque (N m), by one classic fourth-order step.
    fn runge_kutta(&self, state: &[f64; 4], torque: f64) -> [f64; 4] {
        let along = |slope: &[f64; 4], time: f64| -> [f64; 4] {
            std::array::from_fn(|i| state[i] + time * slope[i])
        };
        let slope_1 = self.derivative(state, torque);
        let slope_2 = self.derivative(&along(&slope_1, STEP_S / 2.0), torque);
        let slope_3 = self.derivative(&along(&slope_2, STEP_S / 2.0), torque);
        let slope_4 = self.derivative(&along(&slope_3, STEP_S), torque);
        let sum: [f64; 4] =
            std::array::from_fn(|i| slope_1[i] + 2.0 * slope_2[i] + 2.0 * slope_3[i] + slope_4[i]);
        along(&sum, STEP_S / 6.0)
    }

    /// Time derivative of the state: velocities (rad/s), then accelerations (rad/s^2).
    fn derivative(&self, state: &[f64; 4], torque: f64) -> [f64; 4] {
        let [angle_1, angle_2, velocity_1, velocity_2] = *state;
        let [mass_1, mass_2] = self.mass_kg;
        let [center_1, center_2] = self.center_m;
        let length_1 = self.length_m[0];
        let inertia = self.inertia_kg_m2;
        let (sin_2, cos_2) = angle_2.sin_cos();
        // Mass matrix [[own_1, shared], [shared, own_2]], kg m^2; positive definite, so no
        // division below is by zero.
        let coupling = mass_2 * length_1 * center_2;
        let own_2 = mass_2 * center_2.powi(2) + inertia;
        let shared = own_2 + coupling * cos_2;
        let own_1 = mass_1 * center_1.powi(2)
            + mass_2 * length_1.powi(2)
            + inertia
            + own_2
            + 2.0 * coupling * cos_2;
        // Torques of gravity, and of the links' turning on each other, N m.
        let weight_2 =
            mass_2 * center_2 * self.gravity_m_s2 * (angle_1 + angle_2 - FRAC_PI_2).cos();
        let weight_1 = (mass_1 * center_1 + mass_2 * length_1)
            * self.gravity_m_s2
            * (angle_1 - FRAC_PI_2).cos();
        let turning_1 = coupling * sin_2 * velocity_2 * (velocity_2 + 2.0 * velocity_1);
        let turning_2 = coupling * sin_2 * velocity_1.powi(2);
        let load_1 = weight_1 + weight_2 - turning_1;
        let ratio = shared / own_1;
        let acceleration_2 =
            (torque + ratio * load_1 - turning_2 - weight_2) / (own_2 - ratio * shared);
        let acceleration_1 = -(shared * acceleration_2 + load_1) / own_1;
        [velocity_1, velocity_2, acceleration_1, acceleration_2]
    }
}

/// The same angle within plus or minus pi; both ends are allowed and left alone.
fn wrap_angle(angle: f64) -> f64 {
    if angle.abs() <= PI { angle } else { (angle + PI).rem_euclid(2.0 * PI) - PI }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Vec<f64> {
        context().default_context().values
    }

    /// Hanging still: own_2 = 0.25 + 1 = 1.25, shared = 1.25 + 0.5 = 1.75,
    /// own_1 = 0.25 + 1 + 1 + 1.25 + 1 = 4.5, no load. Torque 1 N m:
    /// second = 1 / (1.25 - 1.75^2 / 4.5) = 1 / (2.5625 / 4.5), first = -1.75 / 4.5 * second.
    #[test]
    fn torque_on_the_hanging_chain_by_hand() {
        let dynamics = AcrobotDynamics::from_context(&published());
        let got = dynamics.derivative(&[0.0; 4], 1.0);
        let second = 4.5 / 2.5625;
        for (got, want) in got.iter().zip([0.0, 0.0, -1.75 / 4.5 * second, second]) {
            assert!((got - want).abs() < 1e-14, "{got}, expected {want}");
        }
    }

    /// At rest and without torque, accelerations are proportional to gravity.
    #[test]
    fn gravity_scales_the_fall() {
        let mut values = published();
        let slow = AcrobotDynamics::from_context(&values).derivative(&[0.7, -0.4, 0.0, 0.0], 0.0);
        values[9] *= 3.0;
        let fast = AcrobotDynamics::from_context(&values).derivative(&[0.7, -0.4, 0.0, 0.0], 0.0);
        assert!(slow[2].abs() > 0.1 && slow[3].abs() > 0.1, "{slow:?}");
        for i in 2..4 {
            assert!((fast[i] - 3.0 * slow[i]).abs() < 1e-12, "{fast:?}, {slow:?}");
        }
    }

    #[test]
    fn angles_wrap() {
        for (angle, want) in
            [(PI, PI), (-PI, -PI), (0.5, 0.5), (PI + 1.0, 1.0 - PI), (-7.0, 2.0 * PI - 7.0)]
        {
            assert!((wrap_angle(angle) - want).abs() < 1e-14, "{angle}");
        }
        assert!(wrap_angle(1e48).abs() <= PI, "a loop would never end here");
    }
}
