//! Three games in one environment, with one observation space and one action set.

use super::{Breakout, CELLS, Draws, Freeway, Game, Move, Rules, SpaceInvaders};
use crate::Step;
use serde::{Deserialize, Serialize};

/// Breakout, Space Invaders or Freeway, as the context value `game` says, behind one interface:
/// all six moves, and as many planes as Freeway has. Where a game has fewer (Breakout 4, Space
/// Invaders 6), the last planes are 0. Nothing else tells the agent which game it plays.
///
/// # Source
/// The stream of games of segments drawn from these three, with padded observations and no task
/// id: Anand and Precup 2023 (arXiv 2312.11669).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Stream {
    /// `game` is 0.
    Breakout(Breakout),
    /// `game` is 1.
    SpaceInvaders(SpaceInvaders),
    /// `game` is 2.
    Freeway(Freeway),
}

impl Default for Stream {
    fn default() -> Self {
        Self::Breakout(Breakout::default())
    }
}

impl Game for Stream {
    const NAME: &'static str = "Stream";
    const CHANNELS: &'static [&'static str] =
        &["plane0", "plane1", "plane2", "plane3", "plane4", "plane5", "plane6"];
    const MINIMAL_ACTIONS: &'static [Move] = &Move::ALL;
    const GAMES: &'static [&'static str] = &["breakout", "space_invaders", "freeway"];

    fn select(&mut self, game: usize) {
        *self = match game {
            0 => Self::Breakout(Breakout::default()),
            1 => Self::SpaceInvaders(SpaceInvaders::default()),
            _ => Self::Freeway(Freeway::default()),
        };
    }

    fn reset(&mut self, rules: Rules, draws: &mut impl Draws) {
        match self {
            Self::Breakout(game) => game.reset(rules, draws),
            Self::SpaceInvaders(game) => game.reset(rules, draws),
            Self::Freeway(game) => game.reset(rules, draws),
        }
    }

    fn act(&mut self, action: Move, draws: &mut impl Draws) -> Step {
        match self {
            Self::Breakout(game) => game.act(action, draws),
            Self::SpaceInvaders(game) => game.act(action, draws),
            Self::Freeway(game) => game.act(action, draws),
        }
    }

    fn write_observation(&self, obs: &mut [u8]) {
        match self {
            Self::Breakout(game) => write(game, obs),
            Self::SpaceInvaders(game) => write(game, obs),
            Self::Freeway(game) => write(game, obs),
        }
    }
}

/// The planes of `game`, then zeros.
fn write<G: Game>(game: &G, obs: &mut [u8]) {
    let (own, padding) = obs.split_at_mut(G::CHANNELS.len() * CELLS);
    game.write_observation(own);
    padding.fill(0);
}
