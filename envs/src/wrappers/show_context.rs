//! Shows the context to the agent.

use super::{restore_around, save_around};
use crate::{
    Action, Context, ContextValue, Dtype, EnvError, EnvSpec, Environment, ObsMut, ObsSpace,
    RgbFrame, Step,
};

/// Appends the context of the episode to every observation: the oracle that is told its subspace.
///
/// A vector `[D]` becomes `[D + V]`, each of the V context values scaled to 0 ... 1 by its bounds.
/// An image `[C, H, W]` becomes `[C + V, H, W]`: the plane of a value holds the upper bound of
/// observations where the value is not its default, and the lower one where it is.
pub struct ShowContext<E> {
    env: E,
    spec: EnvSpec,
    /// `[V]`: what the elements of each context value hold in this episode.
    shown: Vec<f32>,
}

impl<E: Environment> ShowContext<E> {
    /// `env` with its context in sight.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] if there is no context value, if one has no finite bounds, or if
    /// observations are neither vectors of floats nor images with finite bounds.
    pub fn new(env: E) -> Result<Self, EnvError> {
        let mut spec = env.spec().clone();
        let values = &spec.context.values;
        let refused = |reason: String| {
            let id = &env.spec().id;
            Err(EnvError::BadOption(format!("{id}: cannot show the context; {reason}")))
        };
        if values.is_empty() {
            return refused("this environment has no context values".into());
        }
        let (low, high) = spec.obs.bounds(0);
        let is_image = spec.obs.shape.len() == 3;
        let bounds = match (spec.obs.shape.len(), spec.obs.dtype) {
            (3, _) if low.is_finite() && high.is_finite() => (low, high),
            (1, Dtype::F32) => (0.0, 1.0),
            _ => {
                let allowed = "allowed are vectors of floats and images with finite bounds";
                return refused(format!("observations are {}, {allowed}", spec.obs));
            }
        };
        let unbounded = |v: &&ContextValue| !(v.low.is_finite() && v.high.is_finite());
        if let Some(value) = values.iter().find(unbounded).filter(|_| !is_image) {
            return refused(format!("{} has no finite bounds to scale by", value.name));
        }
        let shown = vec![0.0; values.len()];
        spec.obs = appended(&spec.obs, shown.len(), bounds);
        Ok(Self { env, spec, shown })
    }

    /// What the elements of a context value hold.
    fn seen(&self, of: &ContextValue, value: f64) -> f32 {
        let inner = &self.env.spec().obs;
        if inner.shape.len() == 3 {
            let (low, high) = inner.bounds(0);
            #[expect(clippy::float_cmp, reason = "a default is taken over as it is")]
            let is_default = value == of.default;
            return if is_default { low } else { high };
        }
        let range = of.high - of.low;
        if range > 0.0 { ((value - of.low) / range) as f32 } else { 0.0 }
    }
}

/// `inner` with `count` more along the first axis.
fn appended(inner: &ObsSpace, count: usize, (low, high): (f32, f32)) -> ObsSpace {
    let mut space = inner.clone();
    space.shape[0] += count;
    let elements = space.len() - inner.len();
    // One pair of bounds for all elements stays one where it fits the new ones too.
    let fits = inner.low.len() == 1 && inner.high.len() == 1 && inner.bounds(0) == (low, high);
    if !fits {
        let all =
            |bound: fn((f32, f32)) -> f32| (0..inner.len()).map(move |i| bound(inner.bounds(i)));
        space.low = all(|pair| pair.0).chain(std::iter::repeat_n(low, elements)).collect();
        space.high = all(|pair| pair.1).chain(std::iter::repeat_n(high, elements)).collect();
    }
    space
}

/// The part of `obs` that the inner environment writes. Refuses a buffer that does not fit `space`.
fn inner_part<'a>(
    env: &str,
    (space, len): (&ObsSpace, usize),
    obs: &'a mut ObsMut<'_>,
) -> Result<ObsMut<'a>, EnvError> {
    Ok(match space.dtype {
        Dtype::F32 => ObsMut::F32(&mut obs.f32(env, space.len())?[..len]),
        Dtype::U8 => ObsMut::U8(&mut obs.u8(env, space.len())?[..len]),
    })
}

/// Writes `shown` behind the first `from` elements.
fn write(shown: &[f32], from: usize, obs: ObsMut<'_>) {
    let each = (obs.as_ref().len() - from) / shown.len();
    match obs {
        ObsMut::F32(all) => {
            for (part, value) in all[from..].chunks_exact_mut(each).zip(shown) {
                part.fill(*value);
            }
        }
        ObsMut::U8(all) => {
            for (part, value) in all[from..].chunks_exact_mut(each).zip(shown) {
                part.fill(*value as u8); // a bound of bytes
            }
        }
    }
}

impl<E: Environment> Environment for ShowContext<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, context: &Context, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
        let len = self.env.spec().obs.len();
        let inner = inner_part(&self.spec.id, (&self.spec.obs, len), &mut obs)?;
        self.env.reset(seed, context, inner)?;
        for (place, (of, value)) in self.spec.context.values.iter().zip(&context.values).enumerate()
        {
            self.shown[place] = self.seen(of, *value);
        }
        write(&self.shown, len, obs);
        Ok(())
    }

    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        self.env.announce(action)
    }

    fn step(&mut self, action: Action<'_>, mut obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let len = self.env.spec().obs.len();
        let inner = inner_part(&self.spec.id, (&self.spec.obs, len), &mut obs)?;
        let step = self.env.step(action, inner)?;
        write(&self.shown, len, obs);
        Ok(step)
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        save_around("ShowContext", &self.env, &self.shown, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let (shown, inner): (Vec<f32>, _) = restore_around("ShowContext", &self.env, state)?;
        if shown.len() != self.shown.len() {
            let (got, expected) = (shown.len(), self.shown.len());
            let reason = format!("it shows {got} context values, expected {expected}");
            return Err(EnvError::BadState { env: self.spec.id.clone(), reason });
        }
        self.env.restore_state(&inner)?;
        self.shown = shown;
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
    use super::super::counting::Counting;
    use super::*;
    use crate::{ContextSpec, ObsBuffer};

    /// Two context values: 1 of 0 ... 4, and 10 of 10 ... 10.
    fn counting(obs: ObsSpace) -> Counting {
        let value = |name, default, bounds| ContextValue::new(name, "1", default, bounds, "");
        let values = vec![value("a", 1.0, (0.0, 4.0)), value("b", 10.0, (10.0, 10.0))];
        Counting::with_context(4, obs, ContextSpec { values })
    }

    fn reset(env: &mut dyn Environment, a: f64) -> ObsBuffer {
        let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
        let context = env.spec().context.with(&[("a", a)]).unwrap();
        env.reset(0, &context, obs.as_mut()).unwrap();
        obs
    }

    fn step(env: &mut dyn Environment) -> ObsBuffer {
        let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
        env.step(Action::Discrete(0), obs.as_mut()).unwrap();
        obs
    }

    #[test]
    fn vectors_end_with_the_values_between_their_bounds() {
        let inner = ObsSpace::f32_vector(&[-1.0, 0.0], &[8.0, 9.0]);
        let mut env = ShowContext::new(counting(inner)).unwrap();
        let expected = ObsSpace::f32_vector(&[-1.0, 0.0, 0.0, 0.0], &[8.0, 9.0, 1.0, 1.0]);
        assert_eq!(env.spec().obs, expected);
        // 3 of 0 ... 4 is 0.75; bounds that are equal leave nothing to tell.
        assert_eq!(reset(&mut env, 3.0), ObsBuffer::F32(vec![0.0, 0.0, 0.75, 0.0]));
        assert_eq!(step(&mut env), ObsBuffer::F32(vec![1.0, 1.0, 0.75, 0.0]));
        // Each episode has its own.
        assert_eq!(reset(&mut env, 0.0), ObsBuffer::F32(vec![0.0; 4]));
        assert_eq!(step(&mut env), ObsBuffer::F32(vec![1.0, 1.0, 0.0, 0.0]));
    }

    #[test]
    fn images_have_a_plane_a_value_that_is_full_off_the_default() {
        let mut env = ShowContext::new(counting(ObsSpace::u8(&[1, 1, 2], 9))).unwrap();
        assert_eq!(env.spec().obs, ObsSpace::u8(&[3, 1, 2], 9));
        assert_eq!(reset(&mut env, 1.0), ObsBuffer::U8(vec![0; 6]));
        assert_eq!(reset(&mut env, 0.5), ObsBuffer::U8(vec![0, 0, 9, 9, 0, 0]));
        assert_eq!(step(&mut env), ObsBuffer::U8(vec![1, 1, 9, 9, 0, 0]));
        let inner = ObsSpace::f32(&[2, 1, 1], -1.0, 5.0);
        let mut env = ShowContext::new(counting(inner)).unwrap();
        assert_eq!(env.spec().obs, ObsSpace::f32(&[4, 1, 1], -1.0, 5.0));
        assert_eq!(reset(&mut env, 4.0), ObsBuffer::F32(vec![0.0, 0.0, 5.0, -1.0]));
    }

    #[test]
    fn refuses_what_has_no_context_and_what_is_neither_vector_nor_image() {
        let refusal = |env: Counting| ShowContext::new(env).err().unwrap().to_string();
        assert!(refusal(Counting::new(4)).contains("has no context values"));
        for obs in [ObsSpace::u8(&[4], 9), ObsSpace::u8(&[2, 2], 9)] {
            assert!(refusal(counting(obs)).contains("vectors of floats and images"));
        }
        let unbounded = ObsSpace::f32(&[1, 2, 2], 0.0, f32::INFINITY);
        assert!(refusal(counting(unbounded)).contains("finite bounds"));
        let value = ContextValue::new("a", "1", 0.0, (0.0, f64::INFINITY), "");
        let context = ContextSpec { values: vec![value] };
        let env = Counting::with_context(4, ObsSpace::f32(&[1], 0.0, 9.0), context);
        assert!(refusal(env).contains("a has no finite bounds"));
    }

    #[test]
    fn a_refused_call_changes_nothing() {
        let mut env = ShowContext::new(counting(ObsSpace::f32(&[1], 0.0, 9.0))).unwrap();
        reset(&mut env, 2.0);
        let context = env.spec().context.with(&[("a", 4.0)]).unwrap();
        assert!(env.reset(0, &context, ObsMut::F32(&mut [0.0; 1])).is_err());
        assert!(env.reset(0, &Context::default(), ObsMut::F32(&mut [0.0; 3])).is_err());
        assert!(env.step(Action::Discrete(5), ObsMut::F32(&mut [0.0; 3])).is_err());
        assert!(env.step(Action::Discrete(0), ObsMut::U8(&mut [0; 3])).is_err());
        assert_eq!(step(&mut env), ObsBuffer::F32(vec![1.0, 0.5, 0.0]));
    }

    #[test]
    fn what_is_shown_is_part_of_the_state() {
        let inner = || counting(ObsSpace::f32(&[1], 0.0, 9.0));
        let mut env = ShowContext::new(inner()).unwrap();
        reset(&mut env, 3.0);
        let mut saved = Vec::new();
        env.save_state(&mut saved).unwrap();
        let mut restored = ShowContext::new(inner()).unwrap();
        restored.restore_state(&saved).unwrap();
        assert_eq!(step(&mut restored), ObsBuffer::F32(vec![1.0, 0.75, 0.0]));
    }
}
