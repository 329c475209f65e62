//! Values and gradients of every loss against PyTorch: `make_losses` of make_golden.py.
//!
//! Inputs are f32. PyTorch computed in f64 except for huber and td_target, so the tolerance of 1e-6
//! is for the rounding of f32 alone.

use crate::golden::{Golden, tensor};
use contrail_agents::losses;
use tch::{Kind, Tensor};

const TOLERANCE: f64 = 1e-6;

fn golden() -> Golden {
    Golden::parse(include_str!("../golden/losses.json"))
}

/// Gradients of Σ weightsᵢ lossᵢ by each input.
fn gradients(loss: &Tensor, weights: &Tensor, inputs: &[&Tensor]) -> Vec<Tensor> {
    Tensor::run_backward(&[(loss * weights).sum(Kind::Float)], inputs, false, false)
}

/// `F.smooth_l1_loss(q, y, reduction="none")`
#[test]
fn huber() {
    let q = Tensor::cat(&[tensor(1, &[12], 3.0), Tensor::from_slice(&[0.0f32; 3])], 0)
        .set_requires_grad(true);
    let y = Tensor::cat(&[tensor(2, &[12], 3.0), Tensor::from_slice(&[0.0f32, 1.0, -1.0])], 0);
    let loss = losses::huber(&q, &y);
    golden().check("huber", &loss, TOLERANCE);
    golden().check(
        "huber_gradient",
        &gradients(&loss, &tensor(3, &[15], 1.0), &[&q])[0],
        TOLERANCE,
    );
}

/// `torch.addcmul(r, d, v)`
#[test]
fn td_target() {
    let bootstrap = tensor(6, &[8], 1.0).set_requires_grad(true);
    let y = losses::td_target(&tensor(4, &[8], 1.0), &tensor(5, &[8], 1.0), &bootstrap);
    golden().check("td_target", &y, TOLERANCE);
    assert!(!y.requires_grad(), "a target carries no gradient");
}

/// The loop of Bellemare et al. 2017, Algorithm 1, in f64: `project_loop`.
///
/// Row 0 is terminated exactly on an atom, rows 1 and 2 lie beyond the ends, row 3 is the
/// identity, row 4 moves by one atom, rows 30 to 39 are terminated. Tolerance 2e-6: atoms are
/// rounded to f32 before they are subtracted.
#[test]
fn categorical_projection() {
    let golden = golden();
    let load = |name: &str| {
        let (shape, _) = golden.array(name);
        Tensor::from_slice(&golden.floats(name)).view(shape.as_slice())
    };
    let support = Tensor::linspace(-2.0, 2.0, 11, (Kind::Float, tch::Device::Cpu));
    let probs = load("projection_probs").set_requires_grad(true);
    let projected = losses::project_categorical(&probs, &load("projection_moved"), &support);
    golden.check("projection", &projected, 2e-6);
    assert!(!projected.requires_grad(), "a target carries no gradient");
    let mass: Vec<f32> =
        Vec::try_from(projected.sum_dim_intlist([1i64].as_slice(), false, Kind::Float)).unwrap();
    assert!(mass.iter().all(|m| (m - 1.0).abs() < 2e-6), "mass is conserved: {mass:?}");
}

/// `F.cross_entropy(logits, probs, reduction="none")`
#[test]
fn categorical_cross_entropy() {
    let probs =
        Tensor::from_slice(&golden().floats("projection_probs")).view([-1, 11]).narrow(0, 0, 6);
    let logits = tensor(13, &[6, 11], 4.0).set_requires_grad(true);
    let loss = losses::categorical_cross_entropy(&logits, &probs);
    golden().check("cross_entropy", &loss, TOLERANCE);
    golden().check(
        "cross_entropy_gradient",
        &gradients(&loss, &tensor(14, &[6], 1.0), &[&logits])[0],
        TOLERANCE,
    );
}

/// The loop of Dabney et al. 2018, Algorithm 1, with autograd: `quantile_loop`.
#[test]
fn quantile_huber() {
    let theta = tensor(15, &[5, 7], 2.0).set_requires_grad(true);
    let loss = losses::quantile_huber(&theta, &tensor(16, &[5, 7], 2.0));
    golden().check("quantile", &loss, TOLERANCE);
    golden().check(
        "quantile_gradient",
        &gradients(&loss, &tensor(17, &[5], 1.0), &[&theta])[0],
        TOLERANCE,
    );
}

/// `TransformedDistribution(Normal(mean, exp(log_std)), [TanhTransform()]).log_prob(tanh(u)).sum(-1)`
/// and its gradients by mean, log_std and u.
///
/// Tolerance 2e-6: at σ = e⁻³ the rounding of (u − μ)/σ is squared, values reach 350.
#[test]
fn gaussian_tanh_log_prob() {
    let mean = tensor(20, &[6, 3], 2.0).set_requires_grad(true);
    let log_std = (tensor(21, &[6, 3], 2.0) - 1.0).set_requires_grad(true);
    let u = tensor(22, &[6, 3], 3.0).set_requires_grad(true);
    let log_prob = losses::gaussian_tanh_log_prob(&mean, &log_std, &u);
    golden().check("log_prob", &log_prob, 2e-6);
    let found = gradients(&log_prob, &tensor(23, &[6], 1.0), &[&mean, &log_std, &u]);
    for (name, gradient) in ["mean", "log_std", "pre_tanh"].iter().zip(found) {
        golden().check(&format!("log_prob_gradient_{name}"), &gradient, 2e-6);
    }
}

/// `r + d * (torch.min(torch.stack([q1, q2]), 0).values - 0.2 * log_prob)`
#[test]
fn soft_td_target() {
    let [r, d, q1, q2, log_prob] =
        [24, 25, 26, 27, 28].map(|seed| tensor(seed, &[8], 2.0).set_requires_grad(true));
    let y = losses::soft_td_target((&r, &d), (&q1, &q2), &log_prob, 0.2);
    golden().check("soft_td_target", &y, TOLERANCE);
    assert!(!y.requires_grad(), "a target carries no gradient");
}

/// Gradient by `log_alpha` of `-(log_alpha * (log_prob - 3)).mean()`
#[test]
fn entropy_coefficient_gradient() {
    let mean = tensor(28, &[8], 2.0).mean(Kind::Double).double_value(&[]);
    let gradient = losses::entropy_coefficient_gradient(mean, -3.0);
    golden().check_slice("entropy_gradient", &[gradient as f32], TOLERANCE);
}
