//! The five `MinAtar` games: Asterix, Breakout, Freeway, Seaquest and Space Invaders on a 10 by 10
//! grid, one binary plane for each kind of object.
//!
//! [`MinAtar`] turns any [`Game`] into an [`crate::Environment`]: seeding, sticky actions, action
//! sets, saving and drawing are written once there. A game only knows its rules.
//!
//! # Variants
//! Every game takes context values that the package does not have, 0 or 1 by default so that the
//! published game is played:
//! - `mirror`: the view is mirrored left to right. The moves are not, so that "left" moves the
//!   player to what looks like the right.
//! - `channel_permutation`: which order the planes come in. 0 is the published one, k the k-th in
//!   the order of the dictionary, up to C! - 1, the reverse.
//! - `speed`: frames for which a chosen move is played. Rewards are summed, the end of the episode
//!   ends it, each frame draws for itself whether the move before sticks: like
//!   [`crate::wrappers::ActionRepeat`].
//!
//! A picture shows what the agent sees: colors belong to places in the observation, so permuted
//! planes exchange colors.
//!
//! # Source
//! Young and Tian 2019, "`MinAtar`: An Atari-Inspired Testbed for Thorough and Reproducible
//! Reinforcement Learning Experiments" (arXiv 1903.03176). The behaviour is that of the Python
//! package `MinAtar` 1.0.15, checked step by step on recorded play in `tests/minatar_parity.rs`.
//!
//! # Differs
//! - Observations are `u8` `[C, 10, 10]`; the package has `bool` `[10, 10, C]`.
//! - The action that sticks is forgotten at `reset` (it becomes no-op), because the same seed must
//!   give the same episode. The package carries it over from the episode before.
//! - `step` after the end is an error. The package returns reward 0 for ever.
//! - The random numbers come from another generator, so episodes agree in distribution only.

mod adapter;
mod asterix;
mod breakout;
mod freeway;
mod grid;
mod roster;
mod seaquest;
mod space_invaders;
mod stream;
mod variant;
mod water;

pub use adapter::{ActionSet, MinAtar, StickyAction};
pub use asterix::Asterix;
pub use breakout::Breakout;
pub use freeway::Freeway;
pub use grid::{CELLS, SIZE};
pub use seaquest::Seaquest;
pub use space_invaders::SpaceInvaders;
pub use stream::Stream;

use crate::registry::Registry;
use crate::{Prng, Step};
use rand::RngExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The six moves that every game accepts, in the package's order. A game treats a move that it
/// has no use for as [`Move::Stay`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    /// Do nothing.
    #[default]
    Stay,
    /// One column left.
    Left,
    /// One row up.
    Up,
    /// One column right.
    Right,
    /// One row down.
    Down,
    /// Shoot.
    Fire,
}

impl Move {
    /// All six, by index.
    pub const ALL: [Self; 6] =
        [Self::Stay, Self::Left, Self::Up, Self::Right, Self::Down, Self::Fire];
}

/// What holds for a whole episode of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether the game gets harder as it goes on; Breakout and Freeway never do.
    pub difficulty_ramping: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { difficulty_ramping: true }
    }
}

/// Where a game gets its random outcomes from: a generator, or in a test a record of them.
pub trait Draws {
    /// True with the given probability.
    fn chance(&mut self, probability: f64) -> bool;

    /// One of `0..n`, each as likely; `n` is at least 1.
    fn below(&mut self, n: u32) -> u32;
}

impl Draws for Prng {
    fn chance(&mut self, probability: f64) -> bool {
        self.random::<f64>() < probability
    }

    fn below(&mut self, n: u32) -> u32 {
        self.random_range(0..n)
    }
}

/// The rules and the state of one game. The default value is a placeholder until `reset`.
pub trait Game: Default + Send + Serialize + DeserializeOwned {
    /// Name as in the registry id `MinAtar/<NAME>-v1`.
    const NAME: &'static str;

    /// What each plane of the observation shows, in order; their number is C.
    const CHANNELS: &'static [&'static str];

    /// The moves that do something in this game.
    const MINIMAL_ACTIONS: &'static [Move];

    /// Names of the games that the context value `game` chooses from; empty = there is only one.
    const GAMES: &'static [&'static str] = &[];

    /// Becomes game number `game` of [`Game::GAMES`], before `reset`.
    fn select(&mut self, game: usize) {
        let _ = game;
    }

    /// Starts an episode.
    fn reset(&mut self, rules: Rules, draws: &mut impl Draws);

    /// Plays one move. After a step that ends the episode, `reset` must come next.
    fn act(&mut self, action: Move, draws: &mut impl Draws) -> Step;

    /// Overwrites `obs`, `[C, 10, 10]` with values 0 and 1.
    fn write_observation(&self, obs: &mut [u8]);
}

/// Adds `MinAtar/<Game>-v0` (all six moves) and `-v1` (only those with an effect) to `registry`, and
/// `MinAtar/Stream-v0`.
pub(crate) fn register(registry: &mut Registry) {
    register_game::<Asterix>(registry);
    register_game::<Breakout>(registry);
    register_game::<Freeway>(registry);
    register_game::<Seaquest>(registry);
    register_game::<SpaceInvaders>(registry);
    register_set::<Stream>(registry, ActionSet::Full);
}

fn register_game<G: Game + 'static>(registry: &mut Registry) {
    for set in [ActionSet::Full, ActionSet::Minimal] {
        register_set::<G>(registry, set);
    }
}

fn register_set<G: Game + 'static>(registry: &mut Registry, set: ActionSet) {
    let id = MinAtar::<G>::new(set).id();
    registry.register(&id, move || Ok(Box::new(MinAtar::<G>::new(set))));
}
