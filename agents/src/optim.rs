//! Adam in one pass over flat parameters.
//!
//! libtorch's own Adam runs a dozen small operations for each of a network's tensors, which costs
//! more than the rest of a small update. Here a CPU update is one Rust loop over contiguous
//! memory, and a CUDA update a handful of operations on one flat tensor.

mod adam;
mod saved;

pub use adam::AdamStep;

use crate::AgentError;
use crate::params::{Entry, Layout, Params};
use crate::scalar;
use adam::{Corrected, Host, adam_device, adam_host, clip_scale, norm_of};
use std::ops::Range;
use tch::{Device, Tensor};

/// Parameters with the state of their optimiser.
///
/// θ ← θ − α · m̂ / (√v̂ + ε), m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ),
/// after g is scaled to a global norm of at most `max_grad_norm`.
///
/// # Source
/// Kingma and Ba 2015 (arXiv 1412.6980), Algorithm 1.
///
/// # Differs
/// A parameter that a loss does not reach has the gradient 0, where `torch.optim.Adam` skips one
/// without a gradient; [`Trainable::minimize_reached`] skips it. On the CPU a first moment under
/// 1e-30 is 0, and so is a subnormal second one. Else the same values as `torch.optim.Adam` after
/// `clip_grad_norm_` within rounding.
#[derive(Debug)]
pub struct Trainable {
    params: Params,
    moments: Moments,
    /// Updates so far.
    steps: u64,
    /// One for each parameter, in the order of the layout.
    parts: Vec<Span>,
    /// Where parameters are pulled to, if they are.
    pull: Option<Pull>,
}

/// A parameter among the flat elements.
#[derive(Clone, Debug)]
struct Span {
    range: Range<usize>,
    /// Steps since its moments were 0: the t of its bias corrections, as a fresh optimiser has it.
    steps: u64,
    /// Whether updates leave it alone.
    frozen: bool,
}

/// Half of `coefficient` times the squared distance to `origin`, as a part of the loss.
///
/// # Source
/// L2-SP: Li et al. 2018 (arXiv 1802.01483), equation 2.
#[derive(Debug)]
struct Pull {
    origin: Vec<f32>, // [P]
    coefficient: f32,
}

#[derive(Debug)]
enum Moments {
    /// On the CPU everything is plain memory, the parameters' own master copy included.
    Host {
        values: Vec<f32>,
        grad: Vec<f32>,
        m: Vec<f32>,
        v: Vec<f32>,
    },
    Device {
        m: Tensor,
        v: Tensor,
    },
}

impl Trainable {
    /// Parameters with `values` and no history.
    #[must_use]
    pub fn new(layout: &Layout, values: &[f32], device: Device) -> Self {
        let params = Params::new(layout, values, device, true);
        let moments = if device == Device::Cpu {
            let zeros = vec![0.0; values.len()];
            Moments::Host { values: values.into(), grad: zeros.clone(), m: zeros.clone(), v: zeros }
        } else {
            Moments::Device { m: params.flat().zeros_like(), v: params.flat().zeros_like() }
        };
        let part = |entry: &Entry| Span {
            range: entry.offset..entry.offset + entry.len,
            steps: 0,
            frozen: false,
        };
        let parts = layout.entries().iter().map(part).collect();
        Self { params, moments, steps: 0, parts, pull: None }
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Plain copy of the parameters.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        match &self.moments {
            Moments::Host { values, .. } => values.clone(),
            Moments::Device { .. } => self.params.read(),
        }
    }

    /// Differentiates `loss` (a scalar) by all parameters and takes one step. A parameter that the
    /// loss does not reach has the gradient 0. Returns the global gradient norm before clipping.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if the loss or the norm is NaN or infinite; the parameters are
    /// unchanged.
    pub fn minimize(&mut self, loss: &Tensor, step: AdamStep) -> Result<f64, AgentError> {
        let grads = Tensor::f_run_backward(&[loss], self.params.views(), false, false)?;
        self.step(&grads, loss, step)
    }

    /// As [`Trainable::minimize`], but a parameter that the loss does not reach stays as it is:
    /// its momentum is of another loss.
    ///
    /// # Errors
    /// As those of [`Trainable::minimize`].
    pub fn minimize_reached(&mut self, loss: &Tensor, step: AdamStep) -> Result<f64, AgentError> {
        let grads = Tensor::f_run_backward(&[loss], self.params.views(), false, false)?;
        let frozen: Vec<bool> = self.parts.iter().map(|part| part.frozen).collect();
        for (part, grad) in self.parts.iter_mut().zip(&grads) {
            part.frozen |= !grad.defined();
        }
        let norm = self.step(&grads, loss, step);
        for (part, frozen) in self.parts.iter_mut().zip(frozen) {
            part.frozen = frozen;
        }
        norm
    }

    fn step(&mut self, grads: &[Tensor], loss: &Tensor, step: AdamStep) -> Result<f64, AgentError> {
        let views = self.params.views();
        match &mut self.moments {
            Moments::Host { grad, .. } => {
                gather_host(grads, views, grad);
                self.step_host(scalar::double(loss), step)
            }
            Moments::Device { .. } => {
                let grad = gather_device(grads, views);
                self.step_device(&grad, &loss.detach(), step)
            }
        }
    }

    /// The gradient of `loss` (a scalar) by all parameters, `[P]`; 0 where the loss does not reach
    /// and for what is frozen.
    ///
    /// # Errors
    /// If the loss cannot be differentiated: a bug of the network's code.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, AgentError> {
        self.flat_gradient(loss, false)
    }

    /// The same of a loss whose graph is needed again.
    ///
    /// # Errors
    /// As those of [`Trainable::gradient`].
    pub fn gradient_of_many(&self, loss: &Tensor) -> Result<Tensor, AgentError> {
        self.flat_gradient(loss, true)
    }

    fn flat_gradient(&self, loss: &Tensor, keep_graph: bool) -> Result<Tensor, AgentError> {
        let views = self.params.views();
        let grads = Tensor::f_run_backward(&[loss], views, keep_graph, false)?;
        let gradient = gather_device(&grads, views);
        self.zero_frozen(&gradient);
        Ok(gradient)
    }

    /// Zeros what is frozen in `gradient` `[P]`.
    fn zero_frozen(&self, gradient: &Tensor) {
        for Span { range, .. } in self.parts.iter().filter(|part| part.frozen) {
            let _ = gradient.narrow(0, range.start as i64, range.len() as i64).zero_();
        }
    }

    /// Takes one step along a `gradient` `[P]` of a `loss` (a scalar), as [`Trainable::minimize`]
    /// does.
    ///
    /// # Errors
    /// As those of [`Trainable::minimize`].
    pub fn apply(
        &mut self,
        gradient: &Tensor,
        loss: &Tensor,
        step: AdamStep,
    ) -> Result<f64, AgentError> {
        match &mut self.moments {
            Moments::Host { grad, .. } => {
                let len = grad.len();
                gradient.copy_data(grad, len);
                self.step_host(scalar::double(loss), step)
            }
            Moments::Device { .. } => self.step_device(gradient, &loss.detach(), step),
        }
    }

    fn step_host(&mut self, loss: f64, step: AdamStep) -> Result<f64, AgentError> {
        let Moments::Host { values, grad, m, v } = &mut self.moments else {
            unreachable!("called for parameters on the CPU")
        };
        if let Some(Pull { origin, coefficient }) = &self.pull {
            for ((g, value), start) in grad.iter_mut().zip(&*values).zip(origin) {
                *g += coefficient * (value - start);
            }
        }
        let frozen = self.parts.iter().filter(|part| part.frozen);
        frozen.for_each(|part| grad[part.range.clone()].fill(0.0));
        let norm = norm_of(grad);
        check_finite(loss, norm, self.steps + 1)?;
        let scale = clip_scale(norm, step.max_grad_norm);
        for (part, steps) in active(&self.parts) {
            let corrected = Corrected::new(step, steps + 1);
            let host = Host {
                values: &mut values[part.clone()],
                grad: &grad[part.clone()],
                m: &mut m[part.clone()],
                v: &mut v[part],
            };
            adam_host(host, scale, &corrected);
        }
        self.params.write(values);
        self.count();
        Ok(norm)
    }

    fn step_device(
        &mut self,
        grad: &Tensor,
        loss: &Tensor,
        step: AdamStep,
    ) -> Result<f64, AgentError> {
        // Never in place: the gradient is the caller's.
        let mut grad = match &self.pull {
            Some(Pull { origin, coefficient }) => {
                let origin = Tensor::from_slice(origin).to_device(self.params.device());
                grad + (self.params.flat() - origin) * f64::from(*coefficient)
            }
            None => grad.shallow_clone(),
        };
        if self.parts.iter().any(|part| part.frozen) {
            grad = grad.copy();
            self.zero_frozen(&grad);
        }
        // One transfer for both numbers.
        let numbers = scalar::floats(&Tensor::stack(
            &[loss.detach().reshape([1]), grad.norm().reshape([1])],
            0,
        ));
        let norm = numbers[1].into();
        check_finite(numbers[0].into(), norm, self.steps + 1)?;
        let grad = grad * f64::from(clip_scale(norm, step.max_grad_norm));
        let Moments::Device { m, v } = &mut self.moments else {
            unreachable!("called for parameters on a device")
        };
        for (part, steps) in active(&self.parts) {
            let corrected = Corrected::new(step, steps + 1);
            let slice = |t: &Tensor| t.narrow(0, part.start as i64, part.len() as i64);
            let (mut m, mut v) = (slice(m), slice(v));
            adam_device(&slice(self.params.flat()), &slice(&grad), (&mut m, &mut v), &corrected);
        }
        self.count();
        Ok(norm)
    }

    fn count(&mut self) {
        self.steps += 1;
        self.parts.iter_mut().filter(|part| !part.frozen).for_each(|part| part.steps += 1);
    }

    /// From now on the parameters are pulled to where they are; 0 lets them go.
    pub fn pull_to_here(&mut self, coefficient: f64) {
        let pull = |origin| Pull { origin, coefficient: coefficient as f32 };
        self.pull = (coefficient > 0.0).then(|| pull(self.values()));
    }

    /// Leaves the parameters that `is_frozen` names out of every further step, moments included;
    /// all others take part again.
    pub fn freeze(&mut self, layout: &Layout, is_frozen: impl Fn(&str) -> bool) {
        for (part, entry) in self.parts.iter_mut().zip(layout.entries()) {
            part.frozen = is_frozen(&entry.name);
        }
    }

    /// Overwrites the parameters that `is_renewed` names by those of `fresh` `[P]` and forgets
    /// their moments: they go on as with a fresh optimiser.
    ///
    /// # Panics
    /// If `fresh` has another length than the layout: a bug.
    pub fn renew(&mut self, layout: &Layout, fresh: &[f32], is_renewed: impl Fn(&str) -> bool) {
        assert_eq!(fresh.len(), layout.len(), "fresh values and layout differ in length");
        let mut all = self.values();
        let entries = layout.entries().iter().zip(&mut self.parts);
        for (_, own) in entries.filter(|(entry, _)| is_renewed(&entry.name)) {
            own.steps = 0;
            let part = own.range.clone();
            all[part.clone()].copy_from_slice(&fresh[part.clone()]);
            match &mut self.moments {
                Moments::Host { m, v, .. } => {
                    m[part.clone()].fill(0.0);
                    v[part].fill(0.0);
                }
                Moments::Device { m, v } => {
                    for moments in [m, v] {
                        let _ = moments.narrow(0, part.start as i64, part.len() as i64).zero_();
                    }
                }
            }
        }
        if let Moments::Host { values, .. } = &mut self.moments {
            values.copy_from_slice(&all);
        }
        self.params.write(&all);
    }

    /// Overwrites single elements and forgets their moments, but not how many steps their parameter
    /// has had, as in `ReDo`.
    ///
    /// # Panics
    /// If there is no such element: a bug.
    pub fn renew_elements(&mut self, elements: &[(usize, f32)]) {
        let mut all = self.values();
        for (index, value) in elements {
            all[*index] = *value;
        }
        match &mut self.moments {
            Moments::Host { values, m, v, .. } => {
                for (index, _) in elements {
                    (m[*index], v[*index]) = (0.0, 0.0);
                }
                values.copy_from_slice(&all);
            }
            Moments::Device { m, v } => {
                let indices: Vec<i64> = elements.iter().map(|(index, _)| *index as i64).collect();
                let indices = Tensor::from_slice(&indices).to_device(self.params.device());
                for moments in [m, v] {
                    let _ = moments.index_fill_(0, &indices, 0.0);
                }
            }
        }
        self.params.write(&all);
    }
}

/// The gradient of a Huber loss can be finite where the loss is not, so both are looked at.
fn check_finite(loss: f64, norm: f64, update: u64) -> Result<(), AgentError> {
    for (what, value) in [("the loss", loss), ("the gradient norm", norm)] {
        if !value.is_finite() {
            return Err(AgentError::NotFinite { what, value, update });
        }
    }
    Ok(())
}

/// What is not frozen, with the steps it has had; neighbours alike in them are one range.
fn active(parts: &[Span]) -> Vec<(Range<usize>, u64)> {
    let mut ranges: Vec<(Range<usize>, u64)> = Vec::new();
    for part in parts.iter().filter(|part| !part.frozen) {
        match ranges.last_mut() {
            Some((last, steps)) if *steps == part.steps && last.end == part.range.start => {
                last.end = part.range.end;
            }
            _ => ranges.push((part.range.clone(), part.steps)),
        }
    }
    ranges
}

/// Copies gradients into one slice.
fn gather_host(grads: &[Tensor], views: &[Tensor], flat: &mut [f32]) {
    let mut offset = 0;
    for (grad, view) in grads.iter().zip(views) {
        let part = &mut flat[offset..offset + view.numel()];
        if grad.defined() {
            grad.contiguous().copy_data(part, part.len());
        } else {
            part.fill(0.0);
        }
        offset += part.len();
    }
}

/// Gradients in one tensor `[P]`.
fn gather_device(grads: &[Tensor], views: &[Tensor]) -> Tensor {
    let flat = |(grad, view): (&Tensor, &Tensor)| {
        if grad.defined() { grad.reshape([-1]) } else { view.zeros_like().reshape([-1]) }
    };
    Tensor::cat(&grads.iter().zip(views).map(flat).collect::<Vec<_>>(), 0)
}
