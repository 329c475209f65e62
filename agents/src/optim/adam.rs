//! The arithmetic of a step: clipping, bias corrections, one pass over moments and values.

use tch::{Tensor, no_grad};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
/// Subnormal numbers cost a hundred times as much as others, and a moment without a gradient stays
/// among them: 0.9 times the smallest is the smallest. So a first moment is 0 from here, where it
/// moves nothing any more, ...
const M_MIN: f32 = 1e-30;
/// ... and a gradient counts in no second moment from here, where 0.001 times its square is
/// subnormal.
const G_MIN: f32 = 4e-18;

/// Settings of one Adam step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Largest global gradient norm; 0 switches clipping off.
    pub max_grad_norm: f64,
}

pub(super) fn clip_scale(norm: f64, max: f64) -> f32 {
    // torch.nn.utils.clip_grad_norm_ adds the same 1e-6.
    if max > 0.0 { (max / (norm + 1e-6)).min(1.0) as f32 } else { 1.0 }
}

/// Global norm of a gradient.
pub(super) fn norm_of(flat: &[f32]) -> f64 {
    // Sums of a block in f32 are quick, sums of blocks in f64 lose no small term of a long row.
    flat.chunks(1024).map(|block| f64::from(sum_of_squares(block))).sum::<f64>().sqrt()
}

/// Eight partial sums let the compiler use vector registers; the order is fixed, so the result is
/// too.
fn sum_of_squares(block: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (chunks, rest) = block.as_chunks::<8>();
    for chunk in chunks {
        for (sum, g) in sums.iter_mut().zip(chunk) {
            *sum += g * g;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|g| g * g).sum::<f32>()
}

/// Step size and epsilon with both bias corrections folded in:
/// α m̂ / (√v̂ + ε) = (α √c₂ / c₁) m / (√v + ε √c₂), c = 1 − βᵗ.
pub(super) struct Corrected {
    rate: f64,
    epsilon: f64,
}

impl Corrected {
    pub(super) fn new(step: AdamStep, steps: u64) -> Self {
        let t = i32::try_from(steps).unwrap_or(i32::MAX);
        let (c1, c2) = (1.0 - BETA_1.powi(t), 1.0 - BETA_2.powi(t));
        Self { rate: step.learning_rate * c2.sqrt() / c1, epsilon: step.epsilon * c2.sqrt() }
    }
}

pub(super) struct Host<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) grad: &'a [f32],
    pub(super) m: &'a mut [f32],
    pub(super) v: &'a mut [f32],
}

pub(super) fn adam_host(host: Host<'_>, scale: f32, step: &Corrected) {
    let (b1, b2) = (BETA_1 as f32, BETA_2 as f32);
    // Rounded once each: 1 - 0.999f32 is 1e-5 off 0.001, and the second moment with it.
    let (a1, a2) = ((1.0 - BETA_1) as f32, (1.0 - BETA_2) as f32);
    let (rate, epsilon) = (step.rate as f32, step.epsilon as f32);
    let moments = host.m.iter_mut().zip(host.v.iter_mut());
    for ((value, grad), (m, v)) in host.values.iter_mut().zip(host.grad).zip(moments) {
        let g = grad * scale;
        *m = or_zero(b1 * *m + a1 * or_zero(g, M_MIN), M_MIN);
        let g = or_zero(g, G_MIN);
        *v = or_zero(b2 * *v + a2 * g * g, f32::MIN_POSITIVE);
        *value -= rate * *m / (v.sqrt() + epsilon);
    }
}

/// `x`, or 0 where it is smaller than `min`.
fn or_zero(x: f32, min: f32) -> f32 {
    if x.abs() < min { 0.0 } else { x }
}

pub(super) fn adam_device(
    flat: &Tensor,
    grad: &Tensor,
    (m, v): (&mut Tensor, &mut Tensor),
    step: &Corrected,
) {
    no_grad(|| {
        let _ = m.lerp_(grad, 1.0 - BETA_1);
        let _ = v.lerp_(&grad.square(), 1.0 - BETA_2);
        let denominator = v.sqrt() + step.epsilon;
        let mut flat = flat.shallow_clone();
        flat -= &*m / denominator * step.rate;
    });
}
