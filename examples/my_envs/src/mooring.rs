//! Mooring-v0: a vector observation, box actions, randomness at the start only.

use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvSpec, Environment,
    ObsMut, ObsSpace, Outcome, RgbFrame, SeedStream, Step, state,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

const ID: &str = "Mooring-v0";
/// Simulated time of one step, s.
const DT_S: f64 = 0.5;
/// The basin reaches so far from the buoy to each side, m.
const BASIN_M: f64 = 10.0;
/// The boat starts at rest between these distances from the buoy, m.
const START_M: std::ops::Range<f64> = 5.0..8.0;
/// Moored: at most this far from the buoy, m, ...
const MOORED_M: f64 = 0.5;
/// ... and at most this fast, m/s.
const MOORED_M_S: f64 = 0.5;
/// Taken off the reward of each step.
const STEP_COST: f64 = 0.1;
/// Added to the reward when moored, taken off it when aground.
const END_REWARD: f64 = 10.0;
// Where each value lies in a context.
const CURRENT: usize = 0;
const DRAG: usize = 1;
const THRUST: usize = 2;
/// Lower and upper bounds of the context's values, in their order.
const BOUNDS: [(f64, f64); 3] = [(-1.0, 1.0), (0.25, 1.5), (0.5, 2.0)];

/// A boat steers to a mooring buoy in the middle of a basin and stops there, against a current.
///
/// Start: at rest, 5 to 8 m from the buoy, distance and direction equally likely.
/// Action `[2]`: thrust to the east and to the north, each -1 to 1 times `thrust`.
/// Observation, floats `[4]`: position east and north of the buoy (m, at most 10 each way),
/// velocity east and north (m/s, at most 9).
/// Dynamics, in each direction, with time step h = 0.5 s and a current that flows east:
/// v' = v + h (thrust a - drag (v - current)), x' = x + h v'.
/// Reward: metres by which the boat came nearer to the buoy, less 0.1; 10 more when moored, 10
/// less when aground.
/// End: terminated when moored (at most 0.5 m from the buoy at 0.5 m/s or less) or aground (at the
/// edge of the basin); truncated after 100 env steps.
///
/// Context: `current`, `drag` and `thrust` change the dynamics.
#[derive(Clone, Debug)]
pub struct Mooring {
    spec: EnvSpec,
    /// `None` before the first reset.
    episode: Option<Episode>,
}

/// All that changes; what is saved and restored. Only the start is random, so there is no
/// generator here.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Episode {
    /// The context's values: `[CURRENT]`, `[DRAG]`, `[THRUST]`.
    context: [f64; 3],
    boat: Boat,
    /// Of the last step; `Continue` after a reset.
    outcome: Outcome,
}

/// Where the boat is and how it moves; east first, then north.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boat {
    /// From the buoy, m.
    pub position_m: [f64; 2],
    /// Over ground, m/s.
    pub velocity_m_s: [f64; 2],
}

impl Mooring {
    /// The environment before its first reset.
    #[must_use]
    pub fn new() -> Self {
        // A step mixes the old velocity and thrust / drag + current, so no velocity exceeds the
        // largest value of the latter: 2 / 0.25 + 1 = 9 m/s.
        let max_speed_m_s = BOUNDS[THRUST].1 / BOUNDS[DRAG].0 + BOUNDS[CURRENT].1;
        let high = [BASIN_M, BASIN_M, max_speed_m_s, max_speed_m_s].map(|bound| bound as f32);
        let value = ContextValue::new;
        let drag = "deceleration for each m/s through the water";
        let spec = EnvSpec {
            id: ID.into(),
            obs: ObsSpace::f32_vector(&high.map(|bound| -bound), &high),
            action: ActionSpace::Box { low: vec![-1.0; 2], high: vec![1.0; 2] },
            context: ContextSpec {
                values: vec![
                    value("current", "m/s", 0.3, BOUNDS[CURRENT], "how fast the water flows east"),
                    value("drag", "1/s", 0.5, BOUNDS[DRAG], drag),
                    value("thrust", "m/s^2", 1.0, BOUNDS[THRUST], "acceleration at action 1"),
                ],
            },
            time_limit_env_steps: Some(100), // the registry cuts there
        };
        Self { spec, episode: None }
    }

    /// Goes on from `boat` under the present context, as if the episode had started there. Before
    /// the first reset nothing happens.
    pub fn place(&mut self, boat: Boat) {
        if let Some(episode) = &mut self.episode {
            (episode.boat, episode.outcome) = (boat, Outcome::Continue);
        }
    }
}

impl Default for Mooring {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for Mooring {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.f32(ID, self.spec.obs.len())?;
        let values = &context.values;
        let context = [values[CURRENT], values[DRAG], values[THRUST]];
        let boat = Boat::start(seed);
        boat.observe(obs);
        self.episode = Some(Episode { context, boat, outcome: Outcome::Continue });
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        // Everything is refused before anything changes.
        let Some(episode) = &mut self.episode else {
            return Err(needs_reset("before the first reset"));
        };
        if episode.outcome.ends_episode() {
            return Err(needs_reset("after the end of the episode"));
        }
        self.spec.action.check(ID, action)?;
        let obs = obs.f32(ID, self.spec.obs.len())?;
        let push = match action {
            Action::Box(values) => [f64::from(values[0]), f64::from(values[1])],
            Action::Discrete(_) => [0.0; 2], // refused above
        };
        let (reward, outcome) = episode.boat.advance(push, &episode.context);
        episode.outcome = outcome;
        episode.boat.observe(obs);
        Ok(Step::new(reward as f32, outcome))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(ID, &self.episode, out)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let episode: Option<Episode> = state::restore(ID, bytes)?;
        if let Some(Episode { context, boat, .. }) = &episode {
            let bad = |reason: String| EnvError::BadState { env: ID.into(), reason };
            let context = Context { values: context.to_vec() };
            self.spec.context.check(&context).map_err(|e| bad(e.to_string()))?;
            let mut obs = [0.0; 4];
            boat.observe(&mut obs);
            let faults = self.spec.obs.violations(contrail_envs::ObsRef::F32(&obs));
            if !faults.is_empty() {
                return Err(bad(faults.join("; ")));
            }
        }
        self.episode = episode;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        let Some(episode) = &self.episode else {
            let reason = "there is nothing to draw before the first reset".into();
            return Err(EnvError::Failed { env: ID.into(), reason });
        };
        episode.draw(frame);
        Ok(())
    }
}

impl Boat {
    /// The start that `seed` draws.
    fn start(seed: u64) -> Self {
        let mut rng = SeedStream::root(seed).rng();
        let (distance, angle) = (rng.random_range(START_M), rng.random_range(0.0..TAU));
        let position_m = [distance * angle.cos(), distance * angle.sin()];
        Self { position_m, velocity_m_s: [0.0; 2] }
    }

    /// Moves by one step under thrust `push` (-1 to 1); returns the reward and whether that was
    /// the end.
    fn advance(&mut self, push: [f64; 2], context: &[f64; 3]) -> (f64, Outcome) {
        let water_m_s = [context[CURRENT], 0.0];
        let distance_before = self.distance_m();
        for axis in 0..2 {
            let through_water = self.velocity_m_s[axis] - water_m_s[axis];
            let acceleration = context[THRUST] * push[axis] - context[DRAG] * through_water;
            self.velocity_m_s[axis] += DT_S * acceleration;
            let position = self.position_m[axis] + DT_S * self.velocity_m_s[axis];
            self.position_m[axis] = position.clamp(-BASIN_M, BASIN_M);
        }
        let reward = distance_before - self.distance_m() - STEP_COST;
        let [east, north] = self.velocity_m_s;
        if self.distance_m() <= MOORED_M && east.hypot(north) <= MOORED_M_S {
            (reward + END_REWARD, Outcome::Terminated)
        } else if self.position_m.iter().any(|x| x.abs() >= BASIN_M) {
            (reward - END_REWARD, Outcome::Terminated)
        } else {
            (reward, Outcome::Continue)
        }
    }

    /// From the buoy, m.
    fn distance_m(&self) -> f64 {
        self.position_m[0].hypot(self.position_m[1])
    }

    fn observe(&self, obs: &mut [f32]) {
        for (out, value) in obs.iter_mut().zip(self.position_m.iter().chain(&self.velocity_m_s)) {
            *out = *value as f32;
        }
    }
}

impl Episode {
    /// The basin from above, 20 pixels a metre, north at the top: the ring within which the boat
    /// moors, the boat with a line as long as it goes in 2 s, and in a corner the same for the
    /// current.
    fn draw(&self, frame: &mut RgbFrame) {
        const PX_PER_M: f64 = 20.0;
        const LOOK_AHEAD_S: f64 = 2.0;
        const WATER: [u8; 3] = [70, 130, 180];
        const FOAM: [u8; 3] = [225, 240, 250];
        let place = |[east, north]: [f64; 2]| {
            (PX_PER_M * (BASIN_M + east), PX_PER_M * (BASIN_M - north)) // rows grow to the south
        };
        let ahead = |from: [f64; 2], velocity: [f64; 2]| {
            place([from[0] + LOOK_AHEAD_S * velocity[0], from[1] + LOOK_AHEAD_S * velocity[1]])
        };
        let side = (2.0 * BASIN_M * PX_PER_M) as usize;
        frame.fill(side, side, WATER);
        let buoy = place([0.0; 2]);
        frame.disc(buoy, MOORED_M * PX_PER_M, [250, 200, 60]);
        frame.disc(buoy, 4.0, [220, 90, 20]);
        let Boat { position_m, velocity_m_s } = self.boat;
        frame.line(place(position_m), ahead(position_m, velocity_m_s), 3.0, FOAM);
        frame.disc(place(position_m), 8.0, [150, 30, 40]);
        frame.disc(place(position_m), 4.0, FOAM);
        let corner = [-8.0, -9.0];
        frame.line(place(corner), ahead(corner, [self.context[CURRENT], 0.0]), 2.0, FOAM);
        frame.disc(ahead(corner, [self.context[CURRENT], 0.0]), 4.0, FOAM);
    }
}

fn needs_reset(when: &'static str) -> EnvError {
    EnvError::NeedsReset { env: ID.into(), when }
}
