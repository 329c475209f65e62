//! Pendulum-v1.

use super::{ClassicEnv, Dynamics, INK, WHITE, uniform};
use crate::{ActionSpace, ContextSpec, ContextValue, EnvSpec, ObsSpace, Outcome, Prng, RgbFrame};
use std::f64::consts::PI;

/// Largest torque, N m.
const MAX_TORQUE: f64 = 2.0;
/// Largest angular velocity of the published pendulum, rad/s.
const MAX_SPEED_RAD_S: f64 = 8.0;
/// The published first angular velocity is drawn from plus or minus this, rad/s; the first angle
/// from plus or minus pi.
const START_SPEED_RAD_S: f64 = 1.0;

/// Swing a pendulum up and hold it there with a torque between -2 and 2 N m.
///
/// State `[2]`: angle from upright (rad, not wrapped), angular velocity (rad/s).
/// Observation `[3]`: cos and sin of the angle, angular velocity. Action `[1]`: the torque.
/// Reward: `-(angle^2 + 0.1 velocity^2 + 0.001 torque^2)` of angle and velocity *before* the
/// step, the angle wrapped to plus or minus pi. Never terminated.
///
/// # Source
/// Gymnasium 1.4 `Pendulum-v1`: a rod turning about its end, semi-implicit Euler. The context values
/// are those of the CARL benchmark (Benjamins et al. 2023, arXiv 2202.04500).
///
/// # Differs
/// A torque out of range is an error; Gymnasium clips it. Gymnasium multiplies a torque given as
/// `f32` in `f32`, here all is `f64`. The start is drawn from another generator, with the same
/// distribution.
pub type Pendulum = ClassicEnv<PendulumDynamics>;

/// Parameters and equations of [`Pendulum`].
#[derive(Clone, Copy, Debug)]
pub struct PendulumDynamics {
    gravity_m_s2: f64,
    mass_kg: f64,
    length_m: f64,
    dt_s: f64,
    max_speed_rad_s: f64,
    initial_angle_max_rad: f64,
    initial_velocity_max_rad_s: f64,
}

impl Dynamics for PendulumDynamics {
    type State = [f64; 2];

    fn spec() -> EnvSpec {
        let high = [1.0, 1.0, MAX_SPEED_RAD_S as f32];
        let value = ContextValue::new;
        // The speed limit cannot rise above the published one, which bounds the observations.
        let speeds = (0.1 * MAX_SPEED_RAD_S, MAX_SPEED_RAD_S);
        let starts = (0.0, MAX_SPEED_RAD_S);
        let angle = "largest first angle from upright, either way";
        let velocity = "largest first angular velocity, either way";
        EnvSpec {
            id: "Pendulum-v1".to_owned(),
            obs: ObsSpace::f32_vector(&high.map(|bound| -bound), &high),
            action: ActionSpace::Box {
                low: vec![-MAX_TORQUE as f32],
                high: vec![MAX_TORQUE as f32],
            },
            context: ContextSpec {
                values: vec![
                    value("gravity", "m/s^2", 10.0, (0.1, 100.0), "gravity"),
                    value("mass", "kg", 1.0, (0.1, 10.0), "mass of the rod"),
                    value("length", "m", 1.0, (0.1, 10.0), "length of the rod"),
                    value("dt", "s", 0.05, (0.005, 0.5), "simulated time of one step"),
                    value("max_speed", "rad/s", MAX_SPEED_RAD_S, speeds, "largest angular speed"),
                    value("initial_angle_max", "rad", PI, (0.0, PI), angle),
                    value("initial_velocity_max", "rad/s", START_SPEED_RAD_S, starts, velocity),
                ],
            },
            time_limit_env_steps: Some(200),
        }
    }

    fn from_context(values: &[f64]) -> Self {
        Self {
            gravity_m_s2: values[0],
            mass_kg: values[1],
            length_m: values[2],
            dt_s: values[3],
            max_speed_rad_s: values[4],
            initial_angle_max_rad: values[5],
            initial_velocity_max_rad_s: values[6],
        }
    }

    fn start(&self, rng: &mut Prng) -> [f64; 2] {
        let (angle, velocity) = (self.initial_angle_max_rad, self.initial_velocity_max_rad_s);
        [uniform((-angle, angle), rng), uniform((-velocity, velocity), rng)]
    }

    fn advance(&self, state: &mut [f64; 2], torque: f64) -> (f64, Outcome) {
        let [angle, velocity] = *state;
        let from_upright = (angle + PI).rem_euclid(2.0 * PI) - PI;
        let cost = from_upright.powi(2) + 0.1 * velocity.powi(2) + 0.001 * torque.powi(2);
        // A rod about its end has the moment of inertia m l^2 / 3.
        let fall = 3.0 * self.gravity_m_s2 / (2.0 * self.length_m) * angle.sin(); // rad/s^2
        let push = 3.0 / (self.mass_kg * self.length_m.powi(2)) * torque; // rad/s^2
        let velocity = (velocity + (fall + push) * self.dt_s)
            .clamp(-self.max_speed_rad_s, self.max_speed_rad_s);
        *state = [angle + velocity * self.dt_s, velocity];
        (-cost, Outcome::Continue)
    }

    fn observe(&self, state: &[f64; 2], obs: &mut [f32]) {
        let [angle, velocity] = *state;
        for (out, value) in obs.iter_mut().zip([angle.cos(), angle.sin(), velocity]) {
            *out = value as f32;
        }
    }

    fn draw(&self, state: &[f64; 2], last_action: Option<f64>, frame: &mut RgbFrame) {
        const ROD: [u8; 3] = [204, 77, 77];
        const MIDDLE: f64 = 250.0;
        // The published rod of 1 m takes 114 pixels; longer ones are scaled down to fit.
        let rod_px = (self.length_m * 500.0 / 4.4).min(220.0);
        frame.fill(500, 500, WHITE);
        let pivot = (MIDDLE, MIDDLE);
        // A positive angle turns to the left, as positive torques turn counter-clockwise.
        let tip = (MIDDLE - rod_px * state[0].sin(), MIDDLE - rod_px * state[0].cos());
        frame.line(pivot, tip, 23.0, ROD);
        frame.disc(pivot, 6.0, INK);
        draw_torque(last_action.unwrap_or(0.0), pivot, frame);
    }
}

/// An arrow around the pivot in the direction of the torque (N m); its angle is proportional.
fn draw_torque(torque: f64, pivot: (f64, f64), frame: &mut RgbFrame) {
    const ARROW: [u8; 3] = [40, 90, 200];
    const RADIUS_PX: f64 = 45.0;
    const SEGMENTS: u32 = 40;
    let place = |angle: f64, radius: f64| {
        // Angles are counter-clockwise from the bottom, and rows of the frame grow downwards.
        (pivot.0 + radius * angle.sin(), pivot.1 + radius * angle.cos())
    };
    let sweep = 1.5 * PI * torque / MAX_TORQUE;
    let along = |part: u32| sweep * f64::from(part) / f64::from(SEGMENTS);
    for part in 0..SEGMENTS {
        frame.line(place(along(part), RADIUS_PX), place(along(part + 1), RADIUS_PX), 4.0, ARROW);
    }
    if sweep.abs() < 0.05 {
        return; // too short for a head
    }
    let back = sweep - 0.3 * sweep.signum();
    for radius in [RADIUS_PX - 12.0, RADIUS_PX + 12.0] {
        frame.line(place(sweep, RADIUS_PX), place(back, radius), 4.0, ARROW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::f64::consts::FRAC_PI_2;

    /// Level to the side (pi/2) at 1 rad/s with g 8, m 2, l 0.5, dt 0.1 and torque 1: fall
    /// 3 * 8 / 1 = 24, push 3 / 0.5 = 6, velocity 1 + 30 * 0.1 = 4, angle pi/2 + 0.4.
    /// Cost of the state before: pi^2 / 4 + 0.1 + 0.001. The same one turn further on.
    #[test]
    fn one_step_by_hand() {
        let dynamics = PendulumDynamics::from_context(&[8.0, 2.0, 0.5, 0.1, 8.0, PI, 1.0]);
        for turn in [0.0, 2.0 * PI, -2.0 * PI] {
            let mut state = [FRAC_PI_2 + turn, 1.0];
            let (reward, outcome) = dynamics.advance(&mut state, 1.0);
            assert!((reward + PI.powi(2) / 4.0 + 0.101).abs() < 1e-12, "{reward}");
            assert_eq!(outcome, Outcome::Continue);
            assert!((state[0] - FRAC_PI_2 - turn - 0.4).abs() < 1e-12, "{state:?}");
            assert!((state[1] - 4.0).abs() < 1e-12, "{state:?}");
        }
    }

    #[test]
    fn the_speed_limit_holds() {
        let dynamics = PendulumDynamics::from_context(&[8.0, 2.0, 0.5, 0.1, 2.0, PI, 1.0]);
        let mut state = [-FRAC_PI_2, -1.9];
        dynamics.advance(&mut state, -2.0);
        assert!((state[1] + 2.0).abs() < 1e-15 && (state[0] + FRAC_PI_2 + 0.2).abs() < 1e-12);
    }

    /// Each value alone, doubled, level to the side at rest with torque 1: fall 15 rad/s^2 and push 3
    /// under the published values, 0.05 s a step.
    #[test]
    fn each_value_does_what_it_says() {
        let table = [
            ("gravity", 20.0, (30.0 + 3.0) * 0.05),
            ("mass", 2.0, (15.0 + 1.5) * 0.05), // the fall does not depend on it
            ("length", 2.0, (7.5 + 0.75) * 0.05),
            ("dt", 0.1, (15.0 + 3.0) * 0.1),
            ("max_speed", 0.8, 0.8),
        ];
        for (name, value, velocity) in table {
            let context = PendulumDynamics::spec().context.with(&[(name, value)]).unwrap();
            let mut state = [FRAC_PI_2, 0.0];
            PendulumDynamics::from_context(&context.values).advance(&mut state, 1.0);
            assert!((state[1] - velocity).abs() < 1e-12, "{name}: {state:?}");
        }
    }

    #[test]
    fn starts_keep_to_their_range() {
        type Values = &'static [(&'static str, f64)];
        let table: [(Values, [f64; 2]); 3] = [
            (&[], [PI, 1.0]),
            (&[("initial_angle_max", 0.5)], [0.5, 1.0]),
            (&[("initial_velocity_max", 6.0), ("initial_angle_max", 0.0)], [0.0, 6.0]),
        ];
        let mut rng = Prng::seed_from_u64(2);
        for (replaced, limits) in table {
            let context = PendulumDynamics::spec().context.with(replaced).unwrap();
            let dynamics = PendulumDynamics::from_context(&context.values);
            let drawn: Vec<[f64; 2]> = (0..2000).map(|_| dynamics.start(&mut rng)).collect();
            for (index, limit) in limits.into_iter().enumerate() {
                let most = drawn.iter().map(|state| state[index]).fold(f64::MIN, f64::max);
                let least = drawn.iter().map(|state| state[index]).fold(f64::MAX, f64::min);
                // 2000 draws come closer to either end than a fiftieth of it.
                assert!(0.98 * limit <= most && most <= limit, "{replaced:?}: {most}");
                assert!(-limit <= least && least <= -0.98 * limit, "{replaced:?}: {least}");
            }
        }
    }
}
