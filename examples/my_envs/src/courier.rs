//! Courier-v0: an image observation, discrete actions, randomness in every step.

use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvSpec, Environment,
    ObsMut, ObsSpace, Outcome, Prng, RgbFrame, SeedStream, Step, state,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

const ID: &str = "Courier-v0";
/// Cells along each side of the town.
const SIDE: usize = 5;
/// Last column or row.
const LAST: i8 = SIDE as i8 - 1;
/// The courier starts in the middle.
const START: Cell = (LAST / 2, LAST / 2);
/// Parcels of an episode.
const PARCELS: usize = 3;
/// What each action adds to column and row: north, east, south, west.
const MOVES: [(i8, i8); 4] = [(0, -1), (1, 0), (0, 1), (-1, 0)];
// Where each value lies in a context.
const WIND: usize = 0;
const STEP_COST: usize = 1;
const DAYLIGHT: usize = 2;

/// Column from the west and row from the north, both `0..5`.
type Cell = (i8, i8);

/// A courier collects three parcels in a windy town of 5 by 5 cells.
///
/// Start: the courier is in the middle, the parcels lie in three other cells, all equally likely.
/// Action: 0 north, 1 east, 2 south, 3 west, by one cell; at the edge the courier stays.
/// Then a gust comes with probability |`wind`| and blows the courier one cell to the east
/// (`wind` above 0) or west (below 0), again not over the edge.
/// Observation, bytes `[2, 5, 5]` (plane, row from the north, column from the west): the courier
/// in plane 0, the parcels left in plane 1. A cell holds 255 times `daylight`, rounded, or 0.
/// Reward: 1 if there is a parcel where the courier now stands, less `step_cost`.
/// End: terminated with the last parcel; truncated after 60 env steps.
///
/// Context: `wind` changes the dynamics, `step_cost` the reward, `daylight` the appearance.
#[derive(Clone, Debug)]
pub struct Courier {
    spec: EnvSpec,
    /// `None` before the first reset.
    episode: Option<Episode>,
}

/// All that changes; what is saved and restored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Episode {
    /// The context's values: `[WIND]`, `[STEP_COST]`, `[DAYLIGHT]`.
    context: [f64; 3],
    /// Saved too, so that the same gusts come after a restore.
    rng: Prng,
    courier: Cell,
    /// `None` once collected.
    parcels: [Option<Cell>; PARCELS],
    /// Of the last step; `Continue` after a reset.
    outcome: Outcome,
}

impl Courier {
    /// The environment before its first reset.
    #[must_use]
    pub fn new() -> Self {
        let value = ContextValue::new;
        let wind = "probability of a gust in each step; positive blows east, negative west";
        let spec = EnvSpec {
            id: ID.into(),
            obs: ObsSpace::u8(&[2, SIDE, SIDE], 255),
            action: ActionSpace::Discrete(MOVES.len()),
            context: ContextSpec {
                values: vec![
                    value("wind", "1", 0.2, (-1.0, 1.0), wind),
                    value("step_cost", "1", 0.05, (0.0, 1.0), "taken off the reward of each step"),
                    value("daylight", "1", 1.0, (0.1, 1.0), "brightness of the observation"),
                ],
            },
            time_limit_env_steps: Some(60), // the registry cuts there
        };
        Self { spec, episode: None }
    }
}

impl Default for Courier {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for Courier {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.u8(ID, self.spec.obs.len())?;
        let episode = Episode::start(seed, &context.values);
        episode.observe(obs);
        self.episode = Some(episode);
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
        let obs = obs.u8(ID, self.spec.obs.len())?;
        let direction = match action {
            Action::Discrete(index) => MOVES[index],
            Action::Box(_) => (0, 0), // refused above
        };
        let reward = episode.advance(direction);
        episode.observe(obs);
        Ok(Step::new(reward as f32, episode.outcome))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(ID, &self.episode, out)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let episode: Option<Episode> = state::restore(ID, bytes)?;
        if let Some(episode) = &episode {
            let bad = |reason: String| EnvError::BadState { env: ID.into(), reason };
            let context = Context { values: episode.context.to_vec() };
            self.spec.context.check(&context).map_err(|e| bad(e.to_string()))?;
            for cell in episode.parcels.iter().flatten().chain([&episode.courier]) {
                if !is_in_town(*cell) {
                    return Err(bad(format!("cell {cell:?} is not in the town, 0 to {LAST}")));
                }
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

impl Episode {
    /// The start that `seed` draws; `values` are checked.
    fn start(seed: u64, values: &[f64]) -> Self {
        let mut rng = SeedStream::root(seed).rng();
        let mut parcels = [None; PARCELS];
        for index in 0..PARCELS {
            // Drawn again until the cell is free.
            parcels[index] = loop {
                let cell = (rng.random_range(0..=LAST), rng.random_range(0..=LAST));
                if cell != START && !parcels.contains(&Some(cell)) {
                    break Some(cell);
                }
            };
        }
        let context = [values[WIND], values[STEP_COST], values[DAYLIGHT]];
        Self { context, rng, courier: START, parcels, outcome: Outcome::Continue }
    }

    /// Moves, is blown, collects; returns the reward.
    fn advance(&mut self, direction: (i8, i8)) -> f64 {
        self.courier = neighbor(self.courier, direction);
        let wind = self.context[WIND];
        if self.rng.random_bool(wind.abs()) {
            self.courier = neighbor(self.courier, (if wind > 0.0 { 1 } else { -1 }, 0));
        }
        let here = Some(self.courier);
        let found = self.parcels.iter_mut().find(|parcel| **parcel == here).map(Option::take);
        if self.parcels.iter().all(Option::is_none) {
            self.outcome = Outcome::Terminated;
        }
        f64::from(u8::from(found.is_some())) - self.context[STEP_COST]
    }

    fn observe(&self, obs: &mut [u8]) {
        let bright = (255.0 * self.context[DAYLIGHT]).round() as u8;
        obs.fill(0);
        let (courier_plane, parcel_plane) = obs.split_at_mut(SIDE * SIDE);
        courier_plane[index(self.courier)] = bright;
        for parcel in self.parcels.iter().flatten() {
            parcel_plane[index(*parcel)] = bright;
        }
    }

    /// The town, 40 pixels a cell, and below it the wind: a line as long as it is strong, with a dot
    /// at the end it blows to.
    fn draw(&self, frame: &mut RgbFrame) {
        const CELL_PX: i64 = 40;
        const TOWN_PX: i64 = CELL_PX * SIDE as i64;
        const STREET: [u8; 3] = [120, 120, 125];
        const HOUSE: [u8; 3] = [205, 190, 165];
        let lit = |color: [u8; 3]| color.map(|c| (f64::from(c) * self.context[DAYLIGHT]) as u8);
        frame.fill(TOWN_PX as usize, (TOWN_PX + CELL_PX) as usize, [250; 3]);
        frame.rect((0, 0), (TOWN_PX, TOWN_PX), lit(STREET));
        let corner = |(x, y): Cell| (CELL_PX * i64::from(x), CELL_PX * i64::from(y));
        let mut square = |cell: Cell, margin: i64, color: [u8; 3]| {
            let (x, y) = corner(cell);
            let end = CELL_PX - margin;
            frame.rect((x + margin, y + margin), (x + end, y + end), lit(color));
        };
        for y in 0..=LAST {
            for x in 0..=LAST {
                square((x, y), 2, HOUSE);
            }
        }
        for parcel in self.parcels.iter().flatten() {
            square(*parcel, 9, [150, 95, 40]);
            square(*parcel, 17, [235, 215, 150]); // the label
        }
        let (x, y) = corner(self.courier);
        frame.disc((x as f64 + 19.5, y as f64 + 19.5), 11.0, lit([200, 40, 40]));
        let (middle, height) = (TOWN_PX as f64 / 2.0, TOWN_PX as f64 + 19.5);
        let tip = middle + 100.0 * self.context[WIND]; // px
        frame.line((middle, height), (tip, height), 4.0, [40, 90, 200]);
        frame.disc((tip, height), 7.0, [40, 90, 200]);
    }
}

/// The cell in a direction, or the same one at the edge.
fn neighbor((x, y): Cell, (east, south): (i8, i8)) -> Cell {
    ((x + east).clamp(0, LAST), (y + south).clamp(0, LAST))
}

/// Position of a cell in a plane.
fn index((x, y): Cell) -> usize {
    y as usize * SIDE + x as usize
}

fn is_in_town((x, y): Cell) -> bool {
    (0..=LAST).contains(&x) && (0..=LAST).contains(&y)
}

fn needs_reset(when: &'static str) -> EnvError {
    EnvError::NeedsReset { env: ID.into(), when }
}
