//! The jumping task as an environment.

use super::episode::{Episode, FLOOR_HEIGHTS, OBSTACLE_POSITIONS, Obstacle, SIZE};
use crate::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, EnvSpec, Environment,
    ObsMut, ObsSpace, RgbFrame, Step, state,
};
use std::ops::RangeInclusive;

// Where each value lies in a context.
const OBSTACLE_POSITION: usize = 0;
const FLOOR_HEIGHT: usize = 1;
/// Only with colors.
const OBSTACLE_COLOR: usize = 2;

/// Walk or jump to the right edge of a picture of 60 by 60 pixels, over the obstacle.
///
/// Start: the agent, 5 pixels wide and 10 high, stands at the left edge. Nothing is random.
/// Action: 0 right, one pixel; 1 jump, 16 steps of one pixel right and up, then 16 right and down.
/// In the air actions mean nothing.
/// Observation of [`Jumping::new`], bytes `[1, 60, 60]` (plane, row from the bottom, column from
/// the left): agent, ground and frame 255, obstacle 128 (9 wide, 10 high), else 0. With
/// [`Jumping::with_colors`] `[3, 60, 60]`: red, green and blue, the obstacle 128 in one of them.
/// Reward: 1 a step, which is a pixel to the right; 101 for the step that passes the right edge; -1
/// for touching the obstacle. Terminated by both. The best return is 156 in 56 steps.
/// A green obstacle does not end the episode: to touch it first on the ground gives 99, first in
/// the air -1, and nothing more is paid or taken after that. The best return is 254.
///
/// Context: `obstacle_position` (14 to 47 pixels, default 30), `floor_height` (0 to 40 pixels,
/// default 10), rounded; with colors `obstacle_color` (0 red, 1 green, on from 0.5, default 1).
/// The experiments use the 286 of [`super::tasks()`]; their agents see two frames, so wrap it in
/// [`crate::wrappers::FrameStack`] with 2 for the published setting.
///
/// # Source
/// Tachet des Combes et al. 2018 (arXiv 1809.02591); Agarwal et al. 2021 (arXiv 2101.05265);
/// package `gym_jumping_task` at commit b714efb, `jumping-task-v0` and `jumping-colors-task-v0`.
///
/// # Differs
/// - `reset` uses the context; the package draws one of six tasks.
/// - Observations are bytes, so 0.5 becomes 128 of 255. The picture with colors has its planes
///   first and row 0 at the bottom, as the one without; the package has planes last and row 0 at
///   the top.
/// - No left action, no second obstacle, no finishing of a jump within one step.
/// - The time limit of 600 steps is kept but never reached: an episode has 56 steps at most.
pub struct Jumping {
    spec: EnvSpec,
    /// Absent before the first reset.
    episode: Option<Episode>,
}

impl Jumping {
    /// `Jumping-v0`, before its first reset.
    #[must_use]
    pub fn new() -> Self {
        Self::named("Jumping-v0", 1, vec![])
    }

    /// `JumpingColors-v0`, before its first reset: obstacles are red, to be jumped over, or green,
    /// to be walked into.
    #[must_use]
    pub fn with_colors() -> Self {
        let doc = "0: red, jump over it; 1: green, walk into it (green from 0.5)";
        let color = ContextValue::new("obstacle_color", "1", 1.0, (0.0, 1.0), doc);
        Self::named("JumpingColors-v0", 3, vec![color])
    }

    fn named(id: &str, planes: usize, more_values: Vec<ContextValue>) -> Self {
        let pixels = |name, default, range: RangeInclusive<usize>, doc| {
            let bounds = (*range.start() as f64, *range.end() as f64);
            ContextValue::new(name, "pixels", default, bounds, doc)
        };
        let position = "left edge of the obstacle, rounded";
        let height = "rows below the ground, rounded";
        let mut values = vec![
            pixels("obstacle_position", 30.0, OBSTACLE_POSITIONS, position),
            pixels("floor_height", 10.0, FLOOR_HEIGHTS, height),
        ];
        values.extend(more_values);
        let spec = EnvSpec {
            id: id.to_owned(),
            obs: ObsSpace::u8(&[planes, SIZE, SIZE], 255),
            action: ActionSpace::Discrete(2),
            context: ContextSpec { values },
            time_limit_env_steps: Some(600),
        };
        Self { spec, episode: None }
    }

    fn needs_reset(&self, when: &'static str) -> EnvError {
        EnvError::NeedsReset { env: self.spec.id.clone(), when }
    }
}

impl Default for Jumping {
    fn default() -> Self {
        Self::new()
    }
}

/// What `values`, checked, say about the obstacle.
fn obstacle(values: &[f64]) -> Obstacle {
    match values.get(OBSTACLE_COLOR) {
        None => Obstacle::Grey,
        Some(color) if *color < 0.5 => Obstacle::Red,
        Some(_) => Obstacle::Green,
    }
}

impl Environment for Jumping {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(
        &mut self,
        _seed: u64,
        context: &Context,
        mut obs: ObsMut<'_>,
    ) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        let obs = obs.u8(&self.spec.id, self.spec.obs.len())?;
        let values = &context.values;
        let pixels = |index: usize| values[index].round() as usize;
        let (position, height) = (pixels(OBSTACLE_POSITION), pixels(FLOOR_HEIGHT));
        let episode = Episode::start(obstacle(values), position, height);
        episode.observe(obs);
        self.episode = Some(episode);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        // Everything is refused before anything changes.
        let Some(mut episode) = self.episode else {
            return Err(self.needs_reset("before the first reset"));
        };
        if episode.outcome.ends_episode() {
            return Err(self.needs_reset("after the end of the episode"));
        }
        self.spec.action.check(&self.spec.id, action)?;
        let obs = obs.u8(&self.spec.id, self.spec.obs.len())?;
        let index = match action {
            Action::Discrete(index) => index,
            Action::Box(_) => 0, // refused above
        };
        let step = episode.advance(index);
        episode.observe(obs);
        self.episode = Some(episode);
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &self.episode, out)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let episode: Option<Episode> = state::restore(&self.spec.id, bytes)?;
        let planes = self.spec.obs.shape[0];
        if let Some(reason) = episode.and_then(|episode| episode.fault(planes)) {
            return Err(EnvError::BadState { env: self.spec.id.clone(), reason });
        }
        self.episode = episode;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        let Some(episode) = &self.episode else {
            let reason = "there is nothing to draw before the first reset".to_owned();
            return Err(EnvError::Failed { env: self.spec.id.clone(), reason });
        };
        episode.draw(frame);
        Ok(())
    }

    fn expert_action(&self) -> Option<usize> {
        let episode = self.episode.filter(|episode| !episode.outcome.ends_episode());
        episode.map(|episode| episode.optimal_action())
    }
}
