//! A `MinAtar` game as an environment.

use super::variant::{self, DIFFICULTY_RAMPING, STICKY_ACTION_PROB, Variant, View};
use super::{CELLS, Draws, Game, Move, Rules, SIZE};
use crate::{
    Action, ActionSpace, Context, EnvError, EnvSpec, Environment, ObsMut, ObsSpace, Prng, RgbFrame,
    Step, state,
};
use rand::SeedableRng;
use serde::{Deserialize, Serialize};

const CELL_PIXELS: i64 = 30;
const BACKGROUND: [u8; 3] = [16, 16, 20];
/// One color a plane of the observation as the agent sees it; where planes overlap, the later one
/// shows.
const PALETTE: [[u8; 3]; 10] = [
    [86, 180, 233],
    [230, 159, 0],
    [120, 120, 130],
    [0, 158, 115],
    [213, 94, 0],
    [204, 121, 167],
    [240, 228, 66],
    [0, 114, 178],
    [245, 245, 245],
    [150, 90, 220],
];

/// Which moves an agent may choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionSet {
    /// All six, in the order of [`Move::ALL`]: `MinAtar/<Game>-v0`.
    Full,
    /// Those that do something, [`Game::MINIMAL_ACTIONS`]: `MinAtar/<Game>-v1`.
    Minimal,
}

/// Repeats the move before, now and then, instead of the chosen one. It is always the move
/// that was played, chosen or repeated, that is repeated next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StickyAction {
    /// How often the move before is repeated, 0 to 1.
    pub probability: f64,
    /// The move played last.
    pub last: Move,
}

impl StickyAction {
    /// The move to play when `chosen` is asked for. Takes one draw, whatever the probability.
    pub fn play(&mut self, chosen: Move, draws: &mut impl Draws) -> Move {
        if !draws.chance(self.probability) {
            self.last = chosen;
        }
        self.last
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Fresh,
    Running,
    Over,
}

/// All that a saved state holds.
#[derive(Serialize, Deserialize)]
struct Episode<G> {
    game: G,
    sticky: StickyAction,
    rng: Prng,
    phase: Phase,
    variant: Variant,
}

impl<G: Game> Episode<G> {
    /// Plays `chosen` for the frames of one decision, or until the episode ends.
    fn play(&mut self, chosen: Move) -> Step {
        let mut sum = self.frame(chosen);
        while sum.frames < self.variant.speed_frames() && self.phase == Phase::Running {
            let step = self.frame(chosen);
            sum.reward += step.reward;
            sum.outcome = step.outcome;
            sum.frames += step.frames;
        }
        sum
    }

    fn frame(&mut self, chosen: Move) -> Step {
        let played = self.sticky.play(chosen, &mut self.rng);
        let step = self.game.act(played, &mut self.rng);
        if step.outcome.ends_episode() {
            self.phase = Phase::Over;
        }
        step
    }
}

/// An environment around the game `G`: `u8` observations `[C, 10, 10]`, discrete actions.
///
/// Context values: `sticky_action_prob` (default 0.1), `difficulty_ramping` (default 1; on from
/// 0.5), `mirror`, `channel_permutation` and `speed` (see [`super`]), and `game` where there are
/// several.
pub struct MinAtar<G> {
    spec: EnvSpec,
    moves: &'static [Move],
    episode: Episode<G>,
    view: View,
}

impl<G: Game> MinAtar<G> {
    /// The game with all moves or only those that do something.
    #[must_use]
    pub fn new(set: ActionSet) -> Self {
        let (version, moves) = match set {
            ActionSet::Full => (0, Move::ALL.as_slice()),
            ActionSet::Minimal => (1, G::MINIMAL_ACTIONS),
        };
        let spec = EnvSpec {
            id: format!("MinAtar/{}-v{version}", G::NAME),
            obs: ObsSpace::u8(&[G::CHANNELS.len(), SIZE, SIZE], 1),
            action: ActionSpace::Discrete(moves.len()),
            context: variant::context_spec(G::CHANNELS.len(), G::GAMES),
            time_limit_env_steps: None,
        };
        let episode = Episode {
            game: G::default(),
            sticky: StickyAction::default(),
            rng: Prng::seed_from_u64(0),
            phase: Phase::Fresh,
            variant: Variant::default(),
        };
        Self { spec, moves, episode, view: View::default() }
    }

    /// Name in the registry.
    pub(super) fn id(&self) -> String {
        self.spec.id.clone()
    }

    /// What the agent sees.
    fn write_observation(&self, obs: &mut [u8]) {
        self.episode.game.write_observation(obs);
        self.view.apply(obs);
    }

    fn chosen_move(&self, action: Action<'_>) -> Result<Move, EnvError> {
        self.spec.action.check(&self.spec.id, action)?;
        let chosen = match action {
            Action::Discrete(index) => self.moves.get(index).copied(),
            Action::Box(_) => None,
        };
        Ok(chosen.unwrap_or_default())
    }
}

impl<G: Game> Environment for MinAtar<G> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.u8(&self.spec.id, G::CHANNELS.len() * CELLS)?;
        let rules = Rules { difficulty_ramping: context.values[DIFFICULTY_RAMPING] >= 0.5 };
        let probability = context.values[STICKY_ACTION_PROB];
        let variant = Variant::of(&self.spec.context, context)?;
        let game = variant::game(&self.spec.context, context)?;
        let episode = &mut self.episode;
        episode.rng = Prng::seed_from_u64(seed);
        episode.sticky = StickyAction { probability, last: Move::Stay };
        episode.phase = Phase::Running;
        episode.variant = variant;
        if let Some(game) = game {
            episode.game.select(game);
        }
        episode.game.reset(rules, &mut episode.rng);
        self.view = variant.view(G::CHANNELS.len());
        self.write_observation(obs);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let when = match self.episode.phase {
            Phase::Running => None,
            Phase::Fresh => Some("before the first reset"),
            Phase::Over => Some("after the end of the episode"),
        };
        if let Some(when) = when {
            return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when });
        }
        let chosen = self.chosen_move(action)?;
        let obs = obs.u8(&self.spec.id, G::CHANNELS.len() * CELLS)?;
        let step = self.episode.play(chosen);
        self.write_observation(obs);
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &self.episode, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let episode: Episode<G> = state::restore(&self.spec.id, state)?;
        let planes = G::CHANNELS.len();
        if let Some(reason) = episode.variant.fault(planes) {
            return Err(EnvError::BadState { env: self.spec.id.clone(), reason });
        }
        self.view = episode.variant.view(planes);
        self.episode = episode;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        if self.episode.phase == Phase::Fresh {
            let reason = "there is nothing to draw before the first reset".to_owned();
            return Err(EnvError::Failed { env: self.spec.id.clone(), reason });
        }
        let mut obs = vec![0; G::CHANNELS.len() * CELLS];
        self.write_observation(&mut obs);
        let side = SIZE * CELL_PIXELS as usize;
        frame.fill(side, side, BACKGROUND);
        for (plane, color) in obs.chunks_exact(CELLS).zip(PALETTE) {
            for cell in (0..CELLS).filter(|&cell| plane[cell] == 1) {
                let corner = |i: usize| i as i64 * CELL_PIXELS;
                let (left, top) = (corner(cell % SIZE), corner(cell / SIZE));
                // One pixel on each side stays dark, as a grid.
                let end = CELL_PIXELS - 1;
                frame.rect((left + 1, top + 1), (left + end, top + end), color);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
