//! MiniGrid as an environment.

use super::builder::Builder;
use super::saved::Saved;
use super::view::{ONE_HOT_PLANES, SYMBOLIC_PLANES, VIEW, view, write_one_hot, write_symbolic};
use super::world::{Act, World};
use super::{Draws, Layout, draw, roster};
use crate::{
    Action, ActionSpace, Context, ContextSpec, EnvError, EnvSpec, Environment, ObsMut, ObsSpace,
    Prng, RgbFrame, Step, state,
};
use rand::SeedableRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How an observation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `u8` `[3, 7, 7]`: planes of objects (0 to 9), colors (0 to 5) and states (0 to 2), the
    /// numbers as published. The mission is not in it.
    Symbolic,
    /// `u8` `[31, 7, 7]`, 0 and 1: 11 planes of objects, 6 of colors and 3 of states, one of each
    /// group being 1 in a cell; then, the same in all cells, 5 planes for the object that the
    /// mission names (door, key, ball, box, goal) and 6 for its color (none if the mission does
    /// not tell it).
    OneHot,
}

impl Encoding {
    /// Reads `encoding` of `env.kwargs`: "symbolic", the default, or "`one_hot`".
    pub(super) fn from_kwargs(id: &str, kwargs: &Map<String, Value>) -> Result<Self, EnvError> {
        if let Some(other) = kwargs.keys().find(|key| *key != "encoding") {
            return Err(EnvError::BadOption(format!(
                "{id} takes no env.kwargs.{other}, allowed is encoding"
            )));
        }
        match kwargs.get("encoding") {
            None => Ok(Self::Symbolic),
            Some(Value::String(name)) if name == "symbolic" => Ok(Self::Symbolic),
            Some(Value::String(name)) if name == "one_hot" => Ok(Self::OneHot),
            Some(other) => Err(EnvError::BadOption(format!(
                "{id}: env.kwargs.encoding is {other}, allowed are \"symbolic\" and \"one_hot\""
            ))),
        }
    }

    fn obs_space(self) -> ObsSpace {
        match self {
            Self::Symbolic => ObsSpace::u8(&[SYMBOLIC_PLANES, VIEW, VIEW], 10),
            Self::OneHot => ObsSpace::u8(&[ONE_HOT_PLANES, VIEW, VIEW], 1),
        }
    }

    fn write(self, world: &World, obs: &mut [u8]) {
        let view = view(world);
        match self {
            Self::Symbolic => write_symbolic(&view, obs),
            Self::OneHot => write_one_hot(&view, &world.mission(), obs),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Fresh,
    Running,
    Over,
}

/// A MiniGrid environment.
///
/// Observation: what the agent sees of the 7 by 7 cells in front of it, `[plane, row, column]`.
/// Row 0 is the farthest, column 0 the leftmost as the agent looks; its own place is row 6, column
/// 3, and there it sees what it carries. Walls and closed doors hide what is behind them, but not
/// in Empty, Dynamic-Obstacles, `GoToDoor` and `GoToObject`. See [`Encoding`] for the planes.
///
/// Actions: 0 turn left, 1 turn right, 2 forward, 3 pick up, 4 drop, 5 toggle (a door, a box), 6
/// done; Dynamic-Obstacles has the first three only.
///
/// Reward: 1 - 0.9 n / m for success in step n of at most m, else 0; -1 for a collision in
/// Dynamic-Obstacles. The most steps m follow from the size, so the environment truncates by
/// itself, and a time limit of the registry comes on top of that: it can cut earlier, not later.
///
/// Context: by family, see the spec. The defaults are the published environment. Numbers are
/// rounded. A color or a type of -1 is drawn from all: a split that holds some out must list the
/// others, since as a value -1 is disjoint from each of them.
///
/// # Source
/// Package `minigrid` 3.2.0 (Chevalier-Boisvert et al. 2023, arXiv 2306.13831).
///
/// # Differs
/// - The observation is the published `image` with its axes (column, row, plane) turned into
///   (plane, row, column). The heading is not in it, and the mission only in `one_hot`.
/// - In a step that ends an episode at the limit the outcome is terminated; the package says both.
/// - `step` after the end is an error; the package goes on.
/// - The random numbers come from another generator; the procedures that use them are the same.
pub struct MiniGrid {
    spec: EnvSpec,
    pub(super) layout: Box<dyn Layout>,
    encoding: Encoding,
    pub(super) world: World,
    rng: Prng,
    phase: Phase,
}

impl MiniGrid {
    /// The environment called `id`, before its first reset.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if there is no such environment.
    pub fn new(id: &str, encoding: Encoding) -> Result<Self, EnvError> {
        let Some((_, layout)) = roster::ENTRIES.iter().find(|entry| entry.0 == id) else {
            let known: Vec<_> = super::ids().collect();
            let known = known.join(", ");
            return Err(EnvError::BadOption(format!(
                "there is no MiniGrid environment {id:?}; there are {known}"
            )));
        };
        let layout = layout();
        let spec = EnvSpec {
            id: id.to_owned(),
            obs: encoding.obs_space(),
            action: ActionSpace::Discrete(layout.actions()),
            context: ContextSpec { values: layout.context() },
            time_limit_env_steps: None,
        };
        let (rng, phase) = (Prng::seed_from_u64(0), Phase::Fresh);
        Ok(Self { spec, layout, encoding, world: World::new(), rng, phase })
    }

    /// Like [`Environment::reset`], with random numbers from `draws`.
    ///
    /// # Errors
    /// Like [`Environment::reset`].
    pub fn reset_with(
        &mut self,
        draws: &mut dyn Draws,
        context: &Context,
        mut obs: ObsMut<'_>,
    ) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.u8(&self.spec.id, self.spec.obs.len())?;
        self.phase = Phase::Fresh;
        let mut builder = Builder::new(&mut self.world, draws);
        if self.layout.build(&context.values, &mut builder).is_err() {
            let values = &context.values;
            let reason =
                format!("no room was found for all its objects with the context {values:?}");
            return Err(EnvError::Failed { env: self.spec.id.clone(), reason });
        }
        self.phase = Phase::Running;
        self.encoding.write(&self.world, obs);
        Ok(())
    }

    /// Like [`Environment::step`], with random numbers from `draws`.
    ///
    /// # Errors
    /// Like [`Environment::step`].
    pub fn step_with(
        &mut self,
        draws: &mut dyn Draws,
        action: Action<'_>,
        mut obs: ObsMut<'_>,
    ) -> Result<Step, EnvError> {
        let when = match self.phase {
            Phase::Running => None,
            Phase::Fresh => Some("before the first reset"),
            Phase::Over => Some("after the end of the episode"),
        };
        if let Some(when) = when {
            return Err(EnvError::NeedsReset { env: self.spec.id.clone(), when });
        }
        self.spec.action.check(&self.spec.id, action)?;
        let obs = obs.u8(&self.spec.id, self.spec.obs.len())?;
        let act = match action {
            Action::Discrete(index) => Act::ALL[index],
            Action::Box(_) => Act::Done, // refused above
        };
        let step = self.world.step(act, draws);
        if step.outcome.ends_episode() {
            self.phase = Phase::Over;
        }
        self.encoding.write(&self.world, obs);
        Ok(step)
    }

    /// The episode: all of the grid and the agent.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }
}

impl Environment for MiniGrid {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        let mut rng = Prng::seed_from_u64(seed);
        self.reset_with(&mut rng, context, obs)?;
        self.rng = rng;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let mut rng = self.rng.clone();
        let step = self.step_with(&mut rng, action, obs)?;
        self.rng = rng;
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        let world = (self.phase != Phase::Fresh).then(|| Saved::from(&self.world));
        state::save(&self.spec.id, &(world, &self.rng, self.phase), out)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let (saved, rng, phase): (Option<Saved>, Prng, Phase) =
            state::restore(&self.spec.id, bytes)?;
        let bad = |reason| EnvError::BadState { env: self.spec.id.clone(), reason };
        if saved.is_none() && phase != Phase::Fresh {
            return Err(bad("it has no grid in the middle of an episode".to_owned()));
        }
        if let Some(saved) = saved {
            self.world = saved.into_world().map_err(bad)?;
        }
        (self.rng, self.phase) = (rng, phase);
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        if self.phase == Phase::Fresh {
            let reason = "there is nothing to draw before the first reset".to_owned();
            return Err(EnvError::Failed { env: self.spec.id.clone(), reason });
        }
        draw::draw(&self.world, frame);
        Ok(())
    }
}
