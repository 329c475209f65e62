//! MountainCarContinuous-v0.

use super::mountain_car::Valley;
use super::{ClassicEnv, Dynamics};
use crate::{ActionSpace, ContextValue, EnvSpec, Outcome, Prng, RgbFrame};

/// Reward for reaching the goal.
const GOAL_REWARD: f64 = 100.0;
/// Price of a push: this times its square.
const PUSH_PRICE: f64 = 0.1;

/// Drive an underpowered car out of a valley by a push between -1 (left) and 1 (right).
///
/// State and observation `[2]`: position (no unit, -1.2 to 0.6), velocity (position per step).
/// Action `[1]`. Reward: `-0.1 push^2` a step, and 100 more at the goal. Terminated at the goal
/// position (0.45 here) with at least the goal velocity.
///
/// # Source
/// Moore 1990; Gymnasium 1.4 `MountainCarContinuous-v0`. The context values are those of the CARL
/// benchmark (Benjamins et al. 2023, arXiv 2202.04500) under its names, and gravity.
///
/// # Differs
/// A push out of range is an error; Gymnasium clips it for the motion and prices it unclipped.
/// Like there, the state is rounded to `f32` after each step; here each step itself is computed in
/// `f64`, and the start is rounded too. The start is drawn from another generator, with the same
/// distribution.
pub type MountainCarContinuous = ClassicEnv<MountainCarContinuousDynamics>;

/// Parameters and equations of [`MountainCarContinuous`].
#[derive(Clone, Copy, Debug)]
pub struct MountainCarContinuousDynamics {
    valley: Valley,
    /// Acceleration by a push of 1, position per step squared.
    power: f64,
}

impl Dynamics for MountainCarContinuousDynamics {
    type State = [f64; 2];

    fn spec() -> EnvSpec {
        let power = ContextValue::new(
            "power",
            "position/step^2",
            0.0015,
            (0.00015, 0.015),
            "acceleration by a push of 1",
        );
        EnvSpec {
            id: "MountainCarContinuous-v0".to_owned(),
            obs: Valley::obs(),
            action: ActionSpace::Box { low: vec![-1.0], high: vec![1.0] },
            context: Valley::context(0.45, power),
            time_limit_env_steps: Some(999),
        }
    }

    fn from_context(values: &[f64]) -> Self {
        Self { valley: Valley::from_context(values), power: values[4] }
    }

    fn start(&self, rng: &mut Prng) -> [f64; 2] {
        rounded(self.valley.start(rng))
    }

    fn advance(&self, state: &mut [f64; 2], action: f64) -> (f64, Outcome) {
        self.valley.roll(state, action * self.power);
        let outcome = self.valley.outcome(state);
        *state = rounded(*state);
        let bonus = if outcome == Outcome::Terminated { GOAL_REWARD } else { 0.0 };
        (bonus - PUSH_PRICE * action.powi(2), outcome)
    }

    fn observe(&self, state: &[f64; 2], obs: &mut [f32]) {
        Valley::observe(state, obs);
    }

    fn draw(&self, state: &[f64; 2], _last_action: Option<f64>, frame: &mut RgbFrame) {
        self.valley.draw(state, frame);
    }
}

/// The published environment keeps its state in `f32`.
fn rounded(state: [f64; 2]) -> [f64; 2] {
    state.map(|value| f64::from(value as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At position 0 the pull is the gravity: 0.05 + 0.5 * 0.002 - 0.004 = 0.047; price
    /// 0.1 * 0.25 = 0.025. The goal is set at 0.04, so the same step earns 100 more.
    #[test]
    fn one_step_by_hand() {
        for (goal, reward, outcome) in
            [(0.45, -0.025, Outcome::Continue), (0.04, 99.975, Outcome::Terminated)]
        {
            let replaced = [("gravity", 0.004), ("goal_position", goal), ("power", 0.002)];
            let context = MountainCarContinuousDynamics::spec().context.with(&replaced);
            let values = context.unwrap().values;
            let dynamics = MountainCarContinuousDynamics::from_context(&values);
            let mut state = [0.0, 0.05];
            let got = dynamics.advance(&mut state, 0.5);
            assert!((got.0 - reward).abs() < 1e-12 && got.1 == outcome, "{got:?}");
            assert_eq!(state, [f64::from(0.047_f32); 2]);
        }
    }
}
