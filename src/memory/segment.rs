//! From env steps to segments.

use super::{MemoryConfig, MemoryError};
use crate::replay::OneStep;
use crate::replay::packed::Packing;
use contrail_agents::ActionBatch;
use contrail_envs::{Action, ActionSpace, ObsBuffer, Outcome};
use serde::{Deserialize, Serialize};

/// A few consecutive env steps of one episode and the observation that followed them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Environment of which actor.
    pub stream: u32,
    /// Number of the episode within its stream.
    pub episode: u64,
    /// Number of the segment within its episode: it begins `index * H` env steps after the start.
    pub index: u32,
    /// Subspace the episode was drawn from.
    pub subspace: u32,
    /// Env steps of all actors at its beginning.
    pub time_env_steps: u64,
    /// How its last env step ended; `Continue` if the episode goes on after the segment.
    pub outcome: Outcome,
    /// `[C]` context values of the episode.
    pub context: Vec<f32>,
    /// `[len + 1, obs...]`: before each env step, and the one that followed the last.
    pub obs: ObsBuffer,
    /// `[len]` or `[len, action_len]`.
    pub actions: ActionBatch,
    /// `[len]`, len being 1 to H.
    pub rewards: Vec<f32>,
    /// Absolute TD error, if it was measured.
    pub surprise: Option<f32>,
    /// Undiscounted sum of the episode's rewards, on its last segment.
    pub episode_return: Option<f32>,
}

impl Segment {
    /// Undiscounted sum of the rewards.
    #[expect(clippy::cast_possible_truncation, reason = "segments carry f32")]
    pub(super) fn segment_return(&self) -> f32 {
        self.rewards.iter().map(|reward| f64::from(*reward)).sum::<f64>() as f32
    }

    /// Refuses a segment that does not fit `config`.
    pub(super) fn check(&self, config: &MemoryConfig) -> Result<(), MemoryError> {
        let bad = |sentence: String| Err(MemoryError::BadSegment(sentence));
        let (len, most) = (self.rewards.len(), config.horizon_env_steps);
        if len == 0 || len > most {
            return bad(format!("it has {len} env steps, allowed 1 to {most}"));
        }
        if self.subspace as usize >= config.subspaces {
            let last = config.subspaces - 1;
            return bad(format!("its subspace is {}, allowed 0 to {last}", self.subspace));
        }
        if self.outcome == Outcome::Continue && len != most {
            return bad(format!("it has {len} env steps and its episode goes on, expected {most}"));
        }
        let (dtype, elements) = (self.obs.dtype(), self.obs.len());
        if dtype != config.obs.dtype || elements != (len + 1) * config.obs.len() {
            let (count, space) = (len + 1, &config.obs);
            return bad(format!(
                "obs is {dtype:?} with {elements} elements, expected {count} observations of \
                 {space}"
            ));
        }
        Packing::of(&config.obs)
            .check(self.obs.as_ref())
            .map_err(|sentence| MemoryError::BadSegment(format!("obs: {sentence}")))?;
        if !actions_fit(&self.actions, len, &config.action) {
            return bad(format!("its actions are not {len} of {}", config.action));
        }
        if self.context.len() != config.context_len {
            let (have, want) = (self.context.len(), config.context_len);
            return bad(format!("it has {have} context values, expected {want}"));
        }
        let segment_return = self.segment_return();
        let floats = self.rewards.iter().chain(&self.context).chain(&self.surprise);
        match floats
            .chain(&self.episode_return)
            .chain([&segment_return])
            .find(|value| !value.is_finite())
        {
            Some(value) => bad(format!("a reward, context value, surprise or return is {value}")),
            None => Ok(()),
        }
    }
}

fn actions_fit(actions: &ActionBatch, len: usize, space: &ActionSpace) -> bool {
    match (actions, space) {
        (ActionBatch::Discrete(all), ActionSpace::Discrete(n)) => {
            let known = |action: &i64| usize::try_from(*action).is_ok_and(|action| action < *n);
            all.len() == len && all.iter().all(known)
        }
        (ActionBatch::Box(all), ActionSpace::Box { low, .. }) => all.len() == len * low.len(),
        _ => false,
    }
}

/// Cuts the env steps of one stream into segments.
///
/// An episode is cut every H env steps from its start; no segment crosses its end. What is left at
/// the end becomes a short segment: the end of an episode is where reward often is, and it must not
/// be lost to a division. An episode of 10 env steps with H = 4 gives segments of 4, 4 and 2. An
/// episode that breaks off loses its unfinished segment.
///
/// A builder belongs to the saved state of its stream: the memory knows segments by the number of
/// their episode, and refuses one that comes twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentBuilder {
    horizon_env_steps: usize,
    obs_len: usize,
    segment: Segment,
    /// The segment was handed out and its episode goes on.
    handed_out: bool,
    episode_return: f64,
}

impl SegmentBuilder {
    /// A builder for the stream numbered `stream`, at the start of its first episode.
    #[must_use]
    pub fn new(config: &MemoryConfig, stream: u32) -> Self {
        let horizon = config.horizon_env_steps;
        let actions = match &config.action {
            ActionSpace::Discrete(_) => ActionBatch::Discrete(Vec::with_capacity(horizon)),
            ActionSpace::Box { low, .. } => {
                ActionBatch::Box(Vec::with_capacity(horizon * low.len()))
            }
        };
        let elements = config.obs_a_segment() * config.obs.len();
        let segment = Segment {
            stream,
            episode: 0,
            index: 0,
            subspace: 0,
            time_env_steps: 0,
            outcome: Outcome::Continue,
            context: Vec::with_capacity(config.context_len),
            obs: ObsBuffer::with_capacity(config.obs.dtype, elements),
            actions,
            rewards: Vec::with_capacity(horizon),
            surprise: None,
            episode_return: None,
        };
        let obs_len = config.obs.len();
        Self {
            horizon_env_steps: horizon,
            obs_len,
            segment,
            handed_out: false,
            episode_return: 0.0,
        }
    }

    /// Stream, and number of the episode that the next env step belongs to.
    #[must_use]
    pub fn episode(&self) -> (u32, u64) {
        let ended = self.handed_out && self.segment.outcome.ends_episode();
        (self.segment.stream, self.segment.episode + u64::from(ended))
    }

    /// Takes one env step, which is number `env_steps` of all actors, and hands out the segment
    /// that it completes. The segment is valid until the next step, and no memory is allocated.
    ///
    /// # Panics
    /// If an observation does not have the dtype and length of the config, the action is of another
    /// kind, or the subspace changes within an episode: a bug of the caller.
    #[expect(clippy::cast_possible_truncation, reason = "segments carry f32")]
    pub fn push(&mut self, step: OneStep<'_>, env_steps: u64) -> Option<&Segment> {
        assert_eq!(step.obs.len(), self.obs_len, "number of elements of obs");
        assert_eq!(step.next_obs.len(), self.obs_len, "number of elements of next_obs");
        if self.handed_out {
            self.next_segment();
        }
        let segment = &mut self.segment;
        if segment.rewards.is_empty() {
            segment.time_env_steps = env_steps;
            if segment.index == 0 {
                segment.subspace = step.subspace;
                segment.context.clear();
                segment.context.extend(step.context.iter().map(|value| *value as f32));
            }
        }
        assert_eq!(step.subspace, segment.subspace, "subspace in the middle of an episode");
        segment.obs.extend(step.obs);
        match (&mut segment.actions, step.action) {
            #[expect(clippy::cast_possible_wrap, reason = "an action index is small")]
            (ActionBatch::Discrete(all), Action::Discrete(action)) => all.push(action as i64),
            (ActionBatch::Box(all), Action::Box(action)) => all.extend_from_slice(action),
            (_, action) => panic!("{action:?} is not of the kind of the memory's action space"),
        }
        segment.rewards.push(step.reward);
        self.episode_return += f64::from(step.reward);
        if step.outcome == Outcome::Continue && segment.rewards.len() < self.horizon_env_steps {
            return None;
        }
        segment.obs.extend(step.next_obs);
        segment.outcome = step.outcome;
        if step.outcome.ends_episode() {
            segment.episode_return = Some(self.episode_return as f32);
        }
        self.handed_out = true;
        Some(&self.segment)
    }

    /// Forgets the unfinished segment: the episode broke off, and a new one begins.
    pub fn break_off(&mut self) {
        self.segment.outcome = Outcome::Truncated; // the next segment is of another episode
        self.next_segment();
    }

    fn next_segment(&mut self) {
        let segment = &mut self.segment;
        if segment.outcome.ends_episode() {
            (segment.episode, segment.index) = (segment.episode + 1, 0);
            self.episode_return = 0.0;
        } else {
            segment.index += 1;
        }
        segment.outcome = Outcome::Continue;
        segment.episode_return = None;
        segment.obs.clear();
        match &mut segment.actions {
            ActionBatch::Discrete(actions) => actions.clear(),
            ActionBatch::Box(actions) => actions.clear(),
        }
        segment.rewards.clear();
        self.handed_out = false;
    }
}
