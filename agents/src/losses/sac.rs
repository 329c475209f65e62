//! Losses of soft actor-critic.

use super::assert_shape;
use tch::{Kind, Tensor};

/// Log-density of a = tanh(u), u ~ N(mean, e^log_std), summed over action dimensions:
/// Σ [ log N(u; μ, σ) − log(1 − tanh²u) ], with log(1 − tanh²u) = 2 (log 2 − u − softplus(−2u)).
///
/// # Shapes
/// mean, log_std, pre_tanh (u): `[B, A]` f32 · returns `[B]`.
///
/// # Source
/// Haarnoja et al. 2018 (arXiv 1812.05905), appendix C, equation 26.
///
/// # Differs
/// The stable form of the correction, with no epsilon. The density is that of the action in
/// [-1, 1]; the constant log of the environment's range is left out, so the entropy target means
/// the same in every environment.
pub fn gaussian_tanh_log_prob(mean: &Tensor, log_std: &Tensor, pre_tanh: &Tensor) -> Tensor {
    assert_shape("log_std", log_std, &mean.size());
    assert_shape("pre_tanh", pre_tanh, &mean.size());
    let z = (pre_tanh - mean) / log_std.exp();
    let half_log_two_pi = 0.5 * (2.0 * std::f64::consts::PI).ln();
    let normal = z.square() * -0.5 - log_std - half_log_two_pi;
    let correction = (std::f64::consts::LN_2 - pre_tanh - (pre_tanh * -2.0).softplus()) * 2.0;
    (normal - correction).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)
}

/// Soft TD target: y = R + Γ · (min(q₁, q₂) − α log π).
///
/// # Shapes
/// n_step_return, discount, q1, q2, log_prob: `[B]` f32, the last three at the next observation
/// and an action drawn there · entropy_coefficient: α · returns `[B]`, without gradient.
///
/// # Source
/// Haarnoja et al. 2018, equations 3 and 5; minimum of two critics: section 6.
///
/// # Differs
/// With n > 1 the entropy terms of the steps in between are left out.
pub fn soft_td_target(
    reward_and_discount: (&Tensor, &Tensor),
    (q1, q2): (&Tensor, &Tensor),
    log_prob: &Tensor,
    entropy_coefficient: f64,
) -> Tensor {
    let (n_step_return, discount) = reward_and_discount;
    assert_shape("discount", discount, &n_step_return.size());
    assert_shape("log_prob", log_prob, &n_step_return.size());
    assert_shape("q2", q2, &q1.size());
    let soft_value = q1.minimum(q2) - log_prob * entropy_coefficient;
    (n_step_return + discount * soft_value).detach() // a target carries no gradient
}

/// Gradient by log α of the entropy coefficient's objective: −mean(log π + H̄).
///
/// # Source
/// Haarnoja et al. 2018, equation 18.
///
/// # Differs
/// The exact gradient of E[−α (log π + H̄)] by log α carries a further factor α. It is left out,
/// as in the authors' code: with it, an α near zero could hardly grow again.
#[must_use]
pub fn entropy_coefficient_gradient(log_prob_mean: f64, target_entropy: f64) -> f64 {
    -(log_prob_mean + target_entropy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_prob_at_the_mean_of_a_standard_normal() {
        // u = 0: log N = -½ log 2π = -0.9189385; log(1 - 0) = 0.
        let zero = Tensor::from_slice2(&[[0.0f32]]);
        let log_prob = gaussian_tanh_log_prob(&zero, &zero, &zero).double_value(&[0]);
        assert!((log_prob + 0.918_938_5).abs() < 1e-6);
    }

    #[test]
    fn log_prob_stays_finite_where_tanh_saturates() {
        // u = 20: tanh rounds to 1, the naive log(1 - tanh²) is -infinity; the exact value is
        // 2 (log 2 - 20) = -38.6137.
        let (zero, far) = (Tensor::from_slice2(&[[0.0f32]]), Tensor::from_slice2(&[[20.0f32]]));
        let log_prob = gaussian_tanh_log_prob(&far, &zero, &far).double_value(&[0]);
        assert!((log_prob - (-0.918_938_5 + 38.613_706)).abs() < 1e-4);
    }

    #[test]
    fn target_subtracts_entropy_and_takes_the_smaller_critic() {
        // 1 + 0.5 * (min(4, 3) - 0.2 * 5) = 2.
        let t = |v: f32| Tensor::from_slice(&[v]);
        let y = soft_td_target((&t(1.0), &t(0.5)), (&t(4.0), &t(3.0)), &t(5.0), 0.2);
        assert!((y.double_value(&[0]) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn coefficient_grows_while_entropy_is_below_its_target() {
        // Entropy = -log π = -2 < target -1, so the gradient is negative and log α rises.
        assert!((entropy_coefficient_gradient(2.0, -1.0) + 1.0).abs() < 1e-12);
    }
}
