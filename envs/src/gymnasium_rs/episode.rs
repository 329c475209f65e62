//! What is known of the running episode: enough to play it again.

use crate::{Action, ActionSpace, Context, EnvError, ObsBuffer, Outcome, Step};
use serde::{Deserialize, Serialize};

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    BeforeReset,
    Running,
    Over,
    /// Their environment failed, so that nobody knows where it stands.
    Lost,
}

/// The start of an episode and all its actions: a complete state of an environment whose
/// randomness comes from the seed alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode {
    pub(super) phase: Phase,
    pub(super) seed: u64,
    pub(super) context: Context,
    pub(super) env_steps: u64,
    pub(super) actions: Actions,
    /// Of all observations, rewards and outcomes; a replay must come to the same.
    pub(super) checksum: u64,
}

/// Actions one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Actions {
    Discrete(Vec<usize>),
    Box(Vec<f32>),
}

impl Actions {
    /// No action of `space`.
    pub(super) fn none(space: &ActionSpace) -> Self {
        match space {
            ActionSpace::Discrete(_) => Self::Discrete(Vec::new()),
            ActionSpace::Box { .. } => Self::Box(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Discrete(actions) => actions.clear(),
            Self::Box(actions) => actions.clear(),
        }
    }

    fn push(&mut self, action: Action<'_>) {
        match (self, action) {
            (Self::Discrete(actions), Action::Discrete(action)) => actions.push(action),
            (Self::Box(actions), Action::Box(action)) => actions.extend_from_slice(action),
            // The action was checked against the space that chose the variant.
            (_, action) => unreachable!("{action:?} is of the other kind: a bug"),
        }
    }

    /// Each action; `None` if these cannot be actions of `space`.
    pub(super) fn of(&self, space: &ActionSpace) -> Option<Vec<Action<'_>>> {
        match (self, space) {
            (Self::Discrete(actions), ActionSpace::Discrete(_)) => {
                Some(actions.iter().copied().map(Action::Discrete).collect())
            }
            (Self::Box(elements), ActionSpace::Box { low, .. })
                if elements.len().is_multiple_of(low.len()) =>
            {
                Some(elements.chunks_exact(low.len()).map(Action::Box).collect())
            }
            _ => None,
        }
    }
}

impl Episode {
    pub(super) fn before_reset(space: &ActionSpace) -> Self {
        Self {
            phase: Phase::BeforeReset,
            seed: 0,
            context: Context::default(),
            env_steps: 0,
            actions: Actions::none(space),
            checksum: 0,
        }
    }

    /// The episode that a reset with this seed and context began.
    pub(super) fn begin(&mut self, seed: u64, context: &Context, obs: &ObsBuffer) {
        self.phase = Phase::Running;
        self.seed = seed;
        self.context.values.clone_from(&context.values);
        self.env_steps = 0;
        self.actions.clear();
        self.checksum = fold_obs(0, obs);
    }

    /// One step of it; the actions are kept as long as the episode can be saved.
    pub(super) fn advance(&mut self, action: Action<'_>, obs: &ObsBuffer, answer: (Step, u32)) {
        let (step, replay_limit_env_steps) = answer;
        self.env_steps += 1;
        if self.env_steps <= u64::from(replay_limit_env_steps) {
            self.actions.push(action);
        }
        if step.outcome.ends_episode() {
            self.phase = Phase::Over;
        }
        let outcome = match step.outcome {
            Outcome::Continue => 0,
            Outcome::Terminated => 1,
            Outcome::Truncated => 2,
        };
        let checksum = fold(fold(self.checksum, step.reward.to_bits().into()), outcome);
        self.checksum = fold_obs(checksum, obs);
    }

    /// Refuses a step unless the episode runs.
    pub(super) fn check_running(&self, env: &str) -> Result<(), EnvError> {
        let when = match self.phase {
            Phase::Running => return Ok(()),
            Phase::BeforeReset => "before the first reset",
            Phase::Over => "after the end of the episode",
            Phase::Lost => "after the environment failed",
        };
        Err(EnvError::NeedsReset { env: env.to_owned(), when })
    }
}

fn fold_obs(checksum: u64, obs: &ObsBuffer) -> u64 {
    match obs {
        ObsBuffer::F32(obs) => obs.iter().fold(checksum, |sum, v| fold(sum, v.to_bits().into())),
        ObsBuffer::U8(obs) => obs.chunks(8).fold(checksum, |sum, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            fold(sum, u64::from_le_bytes(word))
        }),
    }
}

/// A bijection of the checksum for each word and of the word for each checksum, so that a single
/// differing word is always seen. The constant is that of the 64-bit hash of Fowler, Noll and Vo.
fn fold(checksum: u64, word: u64) -> u64 {
    (checksum ^ word).wrapping_add(1).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_answer_is_in_the_checksum() {
        let obs = |last| ObsBuffer::F32(vec![0.0, 0.0, last]);
        let bytes = |last| ObsBuffer::U8([vec![0; 8], vec![last]].concat());
        let after = |first: &ObsBuffer, second: &ObsBuffer, step| {
            let mut episode = Episode::before_reset(&ActionSpace::Discrete(1));
            episode.begin(0, &Context::default(), first);
            episode.advance(Action::Discrete(0), second, (step, 9));
            episode.checksum
        };
        let step = Step::new(0.0, Outcome::Continue);
        let mut seen = vec![
            after(&obs(0.0), &obs(0.0), step),
            after(&obs(1.0), &obs(0.0), step),
            after(&obs(0.0), &obs(1.0), step),
            after(&obs(0.0), &obs(0.0), Step::new(1.0, Outcome::Continue)),
            after(&obs(0.0), &obs(0.0), Step::new(0.0, Outcome::Terminated)),
            after(&obs(0.0), &obs(0.0), Step::new(0.0, Outcome::Truncated)),
            after(&bytes(0), &bytes(0), step),
            after(&bytes(0), &bytes(1), step),
        ];
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn actions_are_read_back_one_by_one() {
        let pair = ActionSpace::Box { low: vec![0.0; 2], high: vec![1.0; 2] };
        let mut actions = Actions::none(&pair);
        actions.push(Action::Box(&[0.5, 1.0]));
        actions.push(Action::Box(&[0.0, 0.25]));
        let expected = vec![Action::Box(&[0.5, 1.0]), Action::Box(&[0.0, 0.25])];
        assert_eq!(actions.of(&pair), Some(expected));
        assert_eq!(actions.of(&ActionSpace::Discrete(2)), None);
        assert_eq!(Actions::Box(vec![0.5; 3]).of(&pair), None);
        assert_eq!(Actions::Discrete(vec![1]).of(&pair), None);
    }
}
