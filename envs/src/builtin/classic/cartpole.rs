//! CartPole-v1.

use super::{ClassicEnv, Dynamics, INK, WHITE, terminated_if};
use crate::{ActionSpace, ContextSpec, ContextValue, EnvSpec, ObsSpace, Outcome, Prng, RgbFrame};
use rand::RngExt;
use std::f64::consts::PI;

/// Distance of the cart from the middle at which the episode ends, m.
const POSITION_LIMIT_M: f64 = 2.4;
/// Angle of the pole from upright at which the episode ends, rad (12 degrees).
const ANGLE_LIMIT_RAD: f64 = 12.0 * PI / 180.0;
/// Every element of the first state is drawn from plus or minus this (m, m/s, rad, rad/s).
const START_SPREAD: f64 = 0.05;

/// Balance a pole on a cart by pushing the cart left (0) or right (1).
///
/// State and observation `[4]`: cart position (m), cart velocity (m/s), pole angle from upright
/// (rad, positive to the right), pole angular velocity (rad/s). Reward: 1 a step, the last
/// included. Terminated beyond 2.4 m or 12 degrees.
///
/// # Source
/// Barto, Sutton, Anderson 1983; equations as corrected by Florian 2007 without friction, explicit
/// Euler; Gymnasium 1.4 `CartPole-v1` with its default `sutton_barto_reward=False`.
///
/// # Differs
/// Observed position and angle are clamped to the bounds of the observation space. Under the
/// published context they never reach them; under an extreme one the last observation could.
/// The start is drawn from another generator, with the same distribution.
pub type CartPole = ClassicEnv<CartPoleDynamics>;

/// Parameters and equations of [`CartPole`].
#[derive(Clone, Copy, Debug)]
pub struct CartPoleDynamics {
    gravity_m_s2: f64,
    cart_mass_kg: f64,
    pole_mass_kg: f64,
    pole_half_length_m: f64,
    force_n: f64,
    tau_s: f64,
}

impl Dynamics for CartPoleDynamics {
    type State = [f64; 4];

    fn spec() -> EnvSpec {
        let (x, angle) = ((2.0 * POSITION_LIMIT_M) as f32, (2.0 * ANGLE_LIMIT_RAD) as f32);
        let high = [x, f32::INFINITY, angle, f32::INFINITY];
        let value = ContextValue::new;
        EnvSpec {
            id: "CartPole-v1".to_owned(),
            obs: ObsSpace::f32_vector(&high.map(|bound| -bound), &high),
            action: ActionSpace::Discrete(2),
            context: ContextSpec {
                values: vec![
                    value("gravity", "m/s^2", 9.8, (0.1, 100.0), "gravity"),
                    value("cart_mass", "kg", 1.0, (0.1, 10.0), "mass of the cart"),
                    value("pole_mass", "kg", 0.1, (0.01, 1.0), "mass of the pole"),
                    value("pole_half_length", "m", 0.5, (0.05, 5.0), "half the pole's length"),
                    value("force", "N", 10.0, (1.0, 100.0), "size of each push"),
                    value("tau", "s", 0.02, (0.002, 0.2), "simulated time of one step"),
                ],
            },
            time_limit_env_steps: Some(500),
        }
    }

    fn from_context(values: &[f64]) -> Self {
        Self {
            gravity_m_s2: values[0],
            cart_mass_kg: values[1],
            pole_mass_kg: values[2],
            pole_half_length_m: values[3],
            force_n: values[4],
            tau_s: values[5],
        }
    }

    fn start(&self, rng: &mut Prng) -> [f64; 4] {
        std::array::from_fn(|_| rng.random_range(-START_SPREAD..START_SPREAD))
    }

    fn advance(&self, state: &mut [f64; 4], action: f64) -> (f64, Outcome) {
        let [position, velocity, angle, angular_velocity] = *state;
        let force = (2.0 * action - 1.0) * self.force_n;
        let (acceleration, angular_acceleration) =
            self.accelerations(angle, angular_velocity, force);
        // Explicit Euler: positions move with the velocities before this step.
        *state = [
            position + self.tau_s * velocity,
            velocity + self.tau_s * acceleration,
            angle + self.tau_s * angular_velocity,
            angular_velocity + self.tau_s * angular_acceleration,
        ];
        let fallen = state[0].abs() > POSITION_LIMIT_M || state[2].abs() > ANGLE_LIMIT_RAD;
        (1.0, terminated_if(fallen))
    }

    fn observe(&self, state: &[f64; 4], obs: &mut [f32]) {
        let clamped = |value: f64, limit: f64| value.clamp(-2.0 * limit, 2.0 * limit) as f32;
        obs[0] = clamped(state[0], POSITION_LIMIT_M);
        obs[1] = state[1] as f32;
        obs[2] = clamped(state[2], ANGLE_LIMIT_RAD);
        obs[3] = state[3] as f32;
    }

    fn draw(&self, state: &[f64; 4], _last_action: Option<f64>, frame: &mut RgbFrame) {
        const TRACK_Y_PX: f64 = 300.0;
        const PIXELS_PER_M: f64 = 600.0 / (2.0 * POSITION_LIMIT_M);
        frame.fill(600, 400, WHITE);
        frame.line((0.0, TRACK_Y_PX), (599.0, TRACK_Y_PX), 2.0, INK);
        let cart_x = 300.0 + state[0] * PIXELS_PER_M;
        let (left, right) = ((cart_x - 25.0).round() as i64, (cart_x + 25.0).round() as i64);
        let top = TRACK_Y_PX as i64 - 15;
        frame.rect((left, top), (right, top + 30), INK);
        let axle = (cart_x, TRACK_Y_PX - 8.0);
        let length = 2.0 * self.pole_half_length_m * PIXELS_PER_M;
        let tip = (axle.0 + length * state[2].sin(), axle.1 - length * state[2].cos());
        frame.line(axle, tip, 10.0, [200, 150, 100]);
        frame.disc(axle, 5.0, [130, 130, 205]);
    }
}

impl CartPoleDynamics {
    /// Acceleration of the cart, m/s^2, and angular acceleration of the pole, rad/s^2, by Florian
    /// 2007 without friction.
    fn accelerations(&self, angle: f64, angular_velocity: f64, force: f64) -> (f64, f64) {
        let (sin, cos) = angle.sin_cos();
        let total_mass = self.cart_mass_kg + self.pole_mass_kg;
        let pole_moment = self.pole_mass_kg * self.pole_half_length_m; // kg m
        let push = (force + pole_moment * angular_velocity.powi(2) * sin) / total_mass;
        let inertia = 4.0 / 3.0 - self.pole_mass_kg * cos.powi(2) / total_mass;
        let angular = (self.gravity_m_s2 * sin - cos * push) / (self.pole_half_length_m * inertia);
        (push - pole_moment * angular * cos / total_mass, angular)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upright and at rest with cart 1 kg, pole 0.5 kg, half length 1 m, force 3 N:
    /// push = 3 / 1.5 = 2; inertia = 4/3 - 0.5/1.5 = 1; angular = -2 / (1 * 1) = -2;
    /// cart = 2 + 0.5 * 1 * 2 / 1.5 = 8/3. With tau = 0.1: velocities 4/15 and -0.2.
    #[test]
    fn one_step_by_hand() {
        let dynamics = CartPoleDynamics::from_context(&[9.8, 1.0, 0.5, 1.0, 3.0, 0.1]);
        let mut state = [0.0; 4];
        let (reward, outcome) = dynamics.advance(&mut state, 1.0);
        assert_eq!((reward, outcome), (1.0, Outcome::Continue));
        let expected = [0.0, 4.0 / 15.0, 0.0, -0.2];
        for (got, want) in state.iter().zip(expected) {
            assert!((got - want).abs() < 1e-15, "{state:?}, expected {expected:?}");
        }
    }

    #[test]
    fn the_last_observation_stays_in_its_bounds() {
        let dynamics = CartPoleDynamics::from_context(&[9.8, 0.1, 0.01, 0.05, 100.0, 0.2]);
        let mut state = [0.0, 90.0, 0.0, -90.0];
        let (_, outcome) = dynamics.advance(&mut state, 1.0); // 0 + 0.2 * 90 = 18 m
        let mut obs = [0.0; 4];
        dynamics.observe(&state, &mut obs);
        assert_eq!((outcome, state[0], obs[0]), (Outcome::Terminated, 18.0, 4.8));
        assert_eq!(CartPoleDynamics::spec().obs.violations(crate::ObsRef::F32(&obs)), [""; 0]);
    }
}
