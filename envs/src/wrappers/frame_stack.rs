//! Shows the last few observations at once.

use super::{restore_around, save_around};
use crate::{
    Action, Context, Dtype, EnvError, EnvSpec, Environment, ObsBuffer, ObsMut, ObsRef, ObsSpace,
    RgbFrame, Step,
};

/// Stacks the last `k` observations, oldest first: `[C, H, W]` becomes `[k * C, H, W]` and `[D]`
/// becomes `[k * D]`. After a reset all `k` are the first observation.
pub struct FrameStack<E> {
    env: E,
    spec: EnvSpec,
    /// `[k, obs]`, oldest first.
    history: ObsBuffer,
    /// `[obs]`: what the inner environment writes, so that a failed step leaves `history` alone.
    latest: ObsBuffer,
}

impl<E: Environment> FrameStack<E> {
    /// `env` with `k` observations at once.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if `k` is 0 or observations are neither of rank 1 nor of rank 3.
    pub fn new(env: E, k: usize) -> Result<Self, EnvError> {
        let mut spec = env.spec().clone();
        let inner = &env.spec().obs;
        if k == 0 || !matches!(inner.shape.len(), 1 | 3) {
            return Err(EnvError::BadOption(format!(
                "{}: cannot stack {k} observations {inner}; the number must be at least 1 and the \
                 rank 1 or 3",
                spec.id
            )));
        }
        spec.obs.shape[0] *= k;
        if inner.low.len() > 1 {
            spec.obs.low = inner.low.repeat(k);
        }
        if inner.high.len() > 1 {
            spec.obs.high = inner.high.repeat(k);
        }
        let history = ObsBuffer::zeros(inner, k);
        let latest = ObsBuffer::zeros(inner, 1);
        Ok(Self { env, spec, history, latest })
    }
}

/// Drops the oldest observation and appends `latest`.
fn push(history: &mut ObsBuffer, latest: ObsRef<'_>) {
    let keep_from = latest.len();
    let end = history.len();
    match (history, latest) {
        (ObsBuffer::F32(h), ObsRef::F32(latest)) => {
            h.copy_within(keep_from.., 0);
            h[end - keep_from..].copy_from_slice(latest);
        }
        (ObsBuffer::U8(h), ObsRef::U8(latest)) => {
            h.copy_within(keep_from.., 0);
            h[end - keep_from..].copy_from_slice(latest);
        }
        (h, o) => panic!("cannot stack {:?} on {:?}: a bug", o.dtype(), h.dtype()),
    }
}

/// Refuses a buffer that does not fit `space`; called before the inner environment moves.
fn check_buffer(env: &str, space: &ObsSpace, obs: &mut ObsMut<'_>) -> Result<(), EnvError> {
    match space.dtype {
        Dtype::F32 => obs.f32(env, space.len()).map(drop),
        Dtype::U8 => obs.u8(env, space.len()).map(drop),
    }
}

fn copy(from: &ObsBuffer, to: ObsMut<'_>) {
    match (from, to) {
        (ObsBuffer::F32(from), ObsMut::F32(to)) => to.copy_from_slice(from),
        (ObsBuffer::U8(from), ObsMut::U8(to)) => to.copy_from_slice(from),
        (from, to) => panic!("cannot copy {:?} to {:?}: a bug", from.dtype(), to.as_ref().dtype()),
    }
}

impl<E: Environment> Environment for FrameStack<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        check_buffer(&self.spec.id, &self.spec.obs, &mut obs)?;
        self.env.reset(seed, context, self.latest.as_mut())?;
        for row in 0..self.history.len() / self.latest.len().max(1) {
            self.history.write_row(row, self.latest.as_ref());
        }
        copy(&self.history, obs);
        Ok(())
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        check_buffer(&self.spec.id, &self.spec.obs, &mut obs)?;
        let step = self.env.step(action, self.latest.as_mut())?;
        push(&mut self.history, self.latest.as_ref());
        copy(&self.history, obs);
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        save_around("FrameStack", &self.env, &self.history, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let (history, inner): (ObsBuffer, _) = restore_around("FrameStack", &self.env, state)?;
        let (expected, got) = (&self.history, &history);
        if (got.len(), got.dtype()) != (expected.len(), expected.dtype()) {
            return Err(EnvError::BadState {
                env: self.spec.id.clone(),
                reason: format!(
                    "it holds {} {:?} of stacked observations, expected {} {:?}",
                    got.len(),
                    got.dtype(),
                    expected.len(),
                    expected.dtype()
                ),
            });
        }
        self.env.restore_state(&inner)?;
        self.history = history;
        Ok(())
    }

    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.env.render(frame)
    }

    fn expert_action(&self) -> Option<usize> {
        self.env.expert_action()
    }
}

#[cfg(test)]
mod tests {
    use super::super::counting::{Counting, first_obs, play};
    use super::*;

    #[test]
    fn oldest_first_and_filled_with_the_first_observation() {
        let mut env = FrameStack::new(Counting::new(4), 3).unwrap();
        for _episode in 0..2 {
            assert_eq!(first_obs(&mut env), [0.0, 0.0, 0.0]);
            let obs: Vec<_> = play(&mut env).into_iter().map(|(obs, _)| obs).collect();
            let expected = [[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]];
            assert_eq!(obs, expected);
        }
    }

    #[test]
    fn images_stack_along_channels() {
        let mut env =
            FrameStack::new(Counting::with_obs(4, ObsSpace::u8(&[2, 1, 3], 9)), 2).unwrap();
        assert_eq!(env.spec().obs, ObsSpace::u8(&[4, 1, 3], 9));
        let mut obs = [255_u8; 12];
        env.reset(0, &Context::default(), ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(obs, [0; 12]);
        env.step(Action::Discrete(0), ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(obs, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn bounds_repeat_with_the_observation() {
        let inner = ObsSpace::f32_vector(&[0.0, -1.0], &[9.0, 8.0]);
        let env = FrameStack::new(Counting::with_obs(4, inner), 2).unwrap();
        let expected = ObsSpace::f32_vector(&[0.0, -1.0, 0.0, -1.0], &[9.0, 8.0, 9.0, 8.0]);
        assert_eq!(env.spec().obs, expected);
    }

    #[test]
    fn refuses_zero_observations_and_other_ranks() {
        assert!(FrameStack::new(Counting::new(4), 0).is_err());
        assert!(FrameStack::new(Counting::with_obs(4, ObsSpace::u8(&[2, 2], 9)), 2).is_err());
    }

    #[test]
    fn a_refused_step_leaves_the_stack_alone() {
        let mut env = FrameStack::new(Counting::new(4), 2).unwrap();
        first_obs(&mut env);
        let mut obs = [0.0; 2];
        env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        assert!(env.step(Action::Discrete(5), ObsMut::F32(&mut obs)).is_err());
        assert!(env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0; 3])).is_err());
        env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        assert_eq!(obs, [1.0, 2.0]);
    }

    #[test]
    fn the_stack_is_part_of_the_state() {
        let mut env = FrameStack::new(Counting::new(4), 2).unwrap();
        first_obs(&mut env);
        let mut obs = [0.0; 2];
        env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        let mut saved = Vec::new();
        env.save_state(&mut saved).unwrap();

        let mut restored = FrameStack::new(Counting::new(4), 2).unwrap();
        restored.restore_state(&saved).unwrap();
        restored.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap();
        assert_eq!(obs, [1.0, 2.0]);
        assert!(FrameStack::new(Counting::new(4), 3).unwrap().restore_state(&saved).is_err());
    }
}
