//! Gradients of every loss against central finite differences.
//!
//! f32 with a step of 2⁻⁶: the truncation error is about step² and the rounding error about
//! 1e-7/step, both below 3e-4 for values near 1. Inputs keep a step's distance from the kinks, which
//! the test checks by comparing the two one-sided slopes.

use crate::golden::{floats, tensor};
use contrail_agents::losses;
use tch::{Kind, Tensor, no_grad};

const STEP: f32 = 1.0 / 64.0;
const TOLERANCE: f64 = 3e-3;

/// Checks the gradient of the sum of `loss(x)` at every element of `x`.
fn check(x: &Tensor, loss: impl Fn(&Tensor) -> Tensor) {
    tch::set_num_threads(1);
    let x = x.set_requires_grad(true);
    let total = loss(&x).sum(Kind::Double);
    let gradient = floats(&Tensor::run_backward(&[total], &[&x], false, false)[0]);
    assert!(gradient.iter().any(|g| g.abs() > 0.05), "the gradient is not trivial: {gradient:?}");
    let values = floats(&x);
    let at = |i: usize, by: f32| {
        let mut moved = values.clone();
        moved[i] += by;
        no_grad(|| {
            loss(&Tensor::from_slice(&moved).view_as(&x)).sum(Kind::Double).double_value(&[])
        })
    };
    for (i, &g) in gradient.iter().enumerate() {
        let slope = (at(i, STEP) - at(i, -STEP)) / f64::from(2.0 * STEP);
        let error = (slope - f64::from(g)).abs() / slope.abs().max(1.0);
        assert!(error < TOLERANCE, "element {i}: gradient {g}, finite difference {slope}");
    }
}

#[test]
fn huber() {
    // δ = 0.5, -0.5, 2, -2, 0.9, 1.1: both pieces, either sign.
    let q = Tensor::from_slice(&[0.5f32, 1.0, -1.0, 3.0, 0.1, -0.1]);
    let y = Tensor::from_slice(&[1.0f32, 0.5, 1.0, 1.0, 1.0, 1.0]);
    check(&q, |q| losses::huber(q, &y));
}

#[test]
fn categorical_cross_entropy() {
    let target = tensor(31, &[3, 5], 1.0).softmax(-1, Kind::Float);
    check(&tensor(30, &[3, 5], 2.0), |x| losses::categorical_cross_entropy(x, &target));
}

#[test]
fn quantile_huber() {
    // Errors between -2.7 and 2.3 at a distance of at least 0.05 from the kinks 0 and ±1.
    let theta = Tensor::from_slice2(&[[-0.8f32, 0.2, 0.7], [1.2, 0.45, -1.35]]);
    let y = Tensor::from_slice2(&[[0.5f32, -0.45, 1.5], [-1.5, 0.3, 0.9]]);
    check(&theta, |x| losses::quantile_huber(x, &y));
}

#[test]
fn gaussian_tanh_log_prob() {
    let (mean, log_std, u) =
        (tensor(34, &[4, 2], 1.0), tensor(35, &[4, 2], 0.5), tensor(36, &[4, 2], 1.5));
    check(&mean, |x| losses::gaussian_tanh_log_prob(x, &log_std, &u));
    check(&log_std, |x| losses::gaussian_tanh_log_prob(&mean, x, &u));
    check(&u, |x| losses::gaussian_tanh_log_prob(&mean, &log_std, x));
    // As the policy differentiates it: the action moves with its parameters.
    let noise = tensor(37, &[4, 2], 1.5);
    check(&mean, |x| losses::gaussian_tanh_log_prob(x, &log_std, &(x + log_std.exp() * &noise)));
    check(&log_std, |x| losses::gaussian_tanh_log_prob(&mean, x, &(&mean + x.exp() * &noise)));
}

#[test]
fn entropy_coefficient() {
    // The objective without its factor α: J(log α) = -log α (log π + H̄).
    let (log_prob, target) = (1.3, -2.0);
    let objective = |log_alpha: f64| -log_alpha * (log_prob + target);
    let slope = (objective(0.4 + 1e-3) - objective(0.4 - 1e-3)) / 2e-3;
    assert!((losses::entropy_coefficient_gradient(log_prob, target) - slope).abs() < 1e-9);
}
