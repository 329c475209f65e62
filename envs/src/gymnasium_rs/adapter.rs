//! The adapter itself.

use super::convert::{FromAction, ToObs};
use super::episode::{Episode, Phase};
use super::guard::guarded;
use super::spaces::{AdapterOptions, action_fault, action_space, obs_fault, obs_space};
use crate::{
    Action, Context, Dtype, EnvError, EnvSpec, Environment, ObsBuffer, ObsMut, Outcome, RgbFrame,
    Step, state,
};
use ::gymnasium_rs::core::{Env, Options};

/// An environment of the crate gymnasium-rs as an [`Environment`]; the [module](super) says how
/// it keeps the contract. Their `close` is called when the adapter is dropped.
pub struct Adapter<O, A> {
    env: Box<dyn Env<O, A> + Send>,
    spec: EnvSpec,
    replay_limit_env_steps: u32,
    episode: Episode,
    /// The latest observation: what is wrong with it is found before the caller's slice changes.
    latest: ObsBuffer,
}

impl<O: ToObs, A: FromAction> Adapter<O, A> {
    /// `env` under the name `id`, with the spaces that it states or that `options` give.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if a space makes no sense or does not go with the types `O` and
    /// `A`, if the default of a context value is out of its bounds, or if the time limit is 0;
    /// [`EnvError::Failed`] if their code panics when asked for a space.
    pub fn new<E>(id: &str, env: E, options: AdapterOptions) -> Result<Self, EnvError>
    where
        E: Env<O, A> + Send + 'static,
    {
        let bad = |fault: String| EnvError::BadOption(format!("{id}: {fault}"));
        let obs = match options.obs {
            Some(obs) => obs,
            None => {
                let space = guarded(id, "observation_space", || env.observation_space())?;
                obs_space(&space, O::DTYPE).map_err(bad)?
            }
        };
        let action = match options.action {
            Some(action) => action,
            None => {
                let space = guarded(id, "action_space", || env.action_space())?;
                action_space(&space).map_err(bad)?
            }
        };
        let takes = |action: Action<'_>| A::from_action(action).is_some();
        if let Some(fault) = obs_fault(&obs, O::DTYPE).or_else(|| action_fault(&action, takes)) {
            return Err(bad(fault));
        }
        let (context, limit) = (options.context, options.time_limit_env_steps);
        context.check(&context.default_context()).map_err(|e| bad(e.to_string()))?;
        if limit == Some(0) {
            return Err(bad("the time limit is 0 env steps, it must be at least 1".into()));
        }
        Ok(Self {
            env: Box::new(env),
            replay_limit_env_steps: options.replay_limit_env_steps,
            episode: Episode::before_reset(&action),
            latest: ObsBuffer::with_capacity(obs.dtype, obs.len()),
            spec: EnvSpec { id: id.to_owned(), obs, action, context, time_limit_env_steps: limit },
        })
    }

    /// Begins an episode; its first observation is then in `latest`.
    fn begin(&mut self, seed: u64, context: &Context) -> Result<(), EnvError> {
        self.episode.phase = Phase::Lost; // until it is known to have begun
        let mut options = Options::new();
        for (spec, value) in self.spec.context.values.iter().zip(&context.values) {
            options.insert(spec.name.clone(), (*value).into());
        }
        let (env, latest) = (&mut self.env, &mut self.latest);
        guarded(&self.spec.id, "reset", || {
            let (obs, _info) = env.reset(Some(fold_seed(seed)), options);
            latest.clear();
            obs.append_to(latest);
        })?;
        self.check_latest()?;
        self.episode.begin(seed, context, &self.latest);
        Ok(())
    }

    /// Applies an action of the space; the observation is then in `latest`.
    fn advance(&mut self, action: Action<'_>) -> Result<Step, EnvError> {
        let (env, latest) = (&mut self.env, &mut self.latest);
        let Some(own) = guarded(&self.spec.id, "action", || A::from_action(action))? else {
            let own = std::any::type_name::<A>();
            return Err(self.failed(format!("its type of action {own} cannot hold {action:?}")));
        };
        self.episode.phase = Phase::Lost; // until it is known to have moved
        let (reward, terminated, truncated) = guarded(&self.spec.id, "step", || {
            let (obs, reward, terminated, truncated, _info) = env.step(own);
            latest.clear();
            obs.append_to(latest);
            (reward, terminated, truncated)
        })?;
        self.check_latest()?;
        if !reward.is_finite() {
            return Err(self.failed(format!("the reward is {reward}, it must be finite")));
        }
        let outcome = match (terminated, truncated) {
            (true, _) => Outcome::Terminated,
            (false, true) => Outcome::Truncated,
            (false, false) => Outcome::Continue,
        };
        let step = Step::new(reward, outcome);
        self.episode.phase = Phase::Running;
        self.episode.advance(action, &self.latest, (step, self.replay_limit_env_steps));
        Ok(step)
    }

    fn check_latest(&self) -> Result<(), EnvError> {
        let (len, expected) = (self.latest.len(), self.spec.obs.len());
        if len != expected {
            let reason = format!("an observation has {len} elements, its space has {expected}");
            return Err(self.failed(reason));
        }
        if let ObsBuffer::F32(obs) = &self.latest
            && let Some(index) = obs.iter().position(|v| !v.is_finite())
        {
            let value = obs[index];
            let reason = format!("observation element {index} is {value}, it must be finite");
            return Err(self.failed(reason));
        }
        Ok(())
    }

    fn failed(&self, reason: String) -> EnvError {
        EnvError::Failed { env: self.spec.id.clone(), reason }
    }

    /// Refuses a buffer that does not fit, before their environment moves.
    fn check_buffer(&self, obs: &mut ObsMut<'_>) -> Result<(), EnvError> {
        let (id, space) = (&self.spec.id, &self.spec.obs);
        match space.dtype {
            Dtype::F32 => obs.f32(id, space.len()).map(drop),
            Dtype::U8 => obs.u8(id, space.len()).map(drop),
        }
    }

    fn write_latest(&self, obs: ObsMut<'_>) {
        match (&self.latest, obs) {
            (ObsBuffer::F32(latest), ObsMut::F32(obs)) => obs.copy_from_slice(latest),
            (ObsBuffer::U8(latest), ObsMut::U8(obs)) => obs.copy_from_slice(latest),
            (_, obs) => unreachable!("a {:?} buffer was let through: a bug", obs.as_ref().dtype()),
        }
    }

    /// Plays `saved` again and compares.
    fn replay(&mut self, saved: &Episode) -> Result<(), String> {
        let actions = saved.actions.of(&self.spec.action).unwrap_or_default();
        self.begin(saved.seed, &saved.context).map_err(|e| e.to_string())?;
        for action in actions {
            if self.episode.phase != Phase::Running {
                break;
            }
            self.advance(action).map_err(|e| e.to_string())?;
        }
        if self.episode == *saved {
            return Ok(());
        }
        self.episode.phase = Phase::Lost;
        Err(format!(
            "playing its {} env steps again gave other observations or rewards; the environment \
             does not repeat itself under the same seed and actions",
            saved.env_steps
        ))
    }

    /// Why `saved` cannot be an episode of this environment.
    fn saved_fault(&self, saved: &Episode) -> Option<String> {
        let Some(actions) = saved.actions.of(&self.spec.action) else {
            return Some(format!("its actions are not of the kind {}", self.spec.action));
        };
        let (limit, steps) = (self.replay_limit_env_steps, saved.env_steps);
        if steps > u64::from(limit) {
            return Some(format!("it has {steps} env steps, replay_limit_env_steps is {limit}"));
        }
        if actions.len() as u64 != steps {
            return Some(format!("it has {} actions for {steps} env steps", actions.len()));
        }
        let context = self.spec.context.check(&saved.context);
        let check = |action: &Action<'_>| self.spec.action.check(&self.spec.id, *action).err();
        context.err().or_else(|| actions.iter().find_map(check)).map(|e| e.to_string())
    }
}

impl<O: ToObs, A: FromAction> Environment for Adapter<O, A> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.spec.context.check(context)?;
        self.check_buffer(&mut obs)?;
        self.begin(seed, context)?;
        self.write_latest(obs);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        self.episode.check_running(&self.spec.id)?;
        self.spec.action.check(&self.spec.id, action)?;
        self.check_buffer(&mut obs)?;
        let step = self.advance(action)?;
        self.write_latest(obs);
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        let limit = self.replay_limit_env_steps;
        let unsavable = |reason| Err(EnvError::Unsavable { env: self.spec.id.clone(), reason });
        if limit == 0 {
            return unsavable("its replay_limit_env_steps is 0".into());
        }
        let running = matches!(self.episode.phase, Phase::Running | Phase::Over);
        if !running {
            let mut none = Episode::before_reset(&self.spec.action);
            none.phase = self.episode.phase;
            return state::save(&self.spec.id, &none, out);
        }
        if self.episode.env_steps > u64::from(limit) {
            let steps = self.episode.env_steps;
            return unsavable(format!(
                "the episode has {steps} env steps, replay_limit_env_steps is {limit}"
            ));
        }
        state::save(&self.spec.id, &self.episode, out)
    }

    /// Plays the saved episode again. If that goes another way, or their code panics, the error
    /// leaves this environment in need of a reset.
    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), EnvError> {
        let saved: Episode = state::restore(&self.spec.id, bytes)?;
        let result = match saved.phase {
            Phase::BeforeReset | Phase::Lost => {
                self.episode.phase = saved.phase;
                Ok(())
            }
            Phase::Running | Phase::Over => match self.saved_fault(&saved) {
                Some(fault) => Err(fault),
                None => self.replay(&saved),
            },
        };
        result.map_err(|reason| EnvError::BadState { env: self.spec.id.clone(), reason })
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        if !matches!(self.episode.phase, Phase::Running | Phase::Over) {
            return Err(self.failed("there is nothing to draw; call reset first".into()));
        }
        let Some(picture) = guarded(&self.spec.id, "render", || self.env.render())? else {
            return Err(self.failed("its render gives no picture".into()));
        };
        let &[height, width, 3] = picture.shape() else {
            let shape = picture.shape();
            return Err(self.failed(format!("its picture is {shape:?}, expected [H, W, 3]")));
        };
        (frame.width, frame.height) = (width, height);
        frame.pixels.clear();
        frame.pixels.extend(picture.iter());
        Ok(())
    }
}

impl<O, A> Drop for Adapter<O, A> {
    fn drop(&mut self) {
        // There is nobody left to tell of a panic.
        let _ = guarded(&self.spec.id, "close", || self.env.close());
    }
}

/// A seed of theirs, never negative: unchanged below 2^31, else all 64 bits are mixed in.
fn fold_seed(seed: u64) -> i32 {
    ((seed ^ (seed >> 31) ^ (seed >> 62)) & 0x7fff_ffff) as i32
}

#[cfg(test)]
mod tests {
    use super::fold_seed;

    #[test]
    fn seeds_fold_to_31_bits() {
        let table: [(u64, i32); 6] = [
            (0, 0),
            (7, 7),
            ((1 << 31) - 1, i32::MAX),
            (1 << 31, 1),               // bit 31 falls on bit 0
            ((1 << 62) | (1 << 33), 5), // bits 33 and 62 fall on bits 2 and 0
            (u64::MAX, 3),              // bits 0 to 30 meet bits 31 to 61; 62 and 63 remain
        ];
        for (seed, expected) in table {
            assert_eq!(fold_seed(seed), expected, "{seed:#x}");
        }
    }
}
