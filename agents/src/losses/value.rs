//! Losses of expected values.

use super::assert_shape;
use tch::{Kind, Tensor};

/// n-step TD target: y = R + Γ · v, with Γ = 0 where the episode terminated.
///
/// # Shapes
/// n_step_return: `[B]` f32 · discount: `[B]` f32 · bootstrap_value: `[B]` f32 · returns `[B]`,
/// without gradient.
///
/// # Source
/// Mnih et al. 2015, Methods; Sutton and Barto 2018, equation 7.1 for n > 1.
///
/// # Differs
/// None.
pub fn td_target(n_step_return: &Tensor, discount: &Tensor, bootstrap_value: &Tensor) -> Tensor {
    let size = n_step_return.size();
    assert_shape("discount", discount, &size);
    assert_shape("bootstrap_value", bootstrap_value, &size);
    (n_step_return + discount * bootstrap_value).detach() // a target carries no gradient
}

/// Huber loss of the TD error δ = y − q: ½δ² where |δ| ≤ 1, else |δ| − ½.
///
/// # Shapes
/// q: `[B]` f32 · td_target: `[B]` f32, no grad · returns the loss `[B]`.
///
/// # Source
/// Huber 1964; as error clipping in Mnih et al. 2015, Methods.
///
/// # Differs
/// None.
pub fn huber(q: &Tensor, td_target: &Tensor) -> Tensor {
    assert_shape("td_target", td_target, &q.size());
    let magnitude = (td_target - q).abs();
    let quadratic = magnitude.clamp_max(1.0);
    // With m = min(|δ|, 1): m·(|δ| − ½m) is ½δ² inside and |δ| − ½ outside.
    (&quadratic * (&magnitude - &quadratic * 0.5)).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(t: &Tensor) -> Vec<f32> {
        Vec::try_from(t).unwrap()
    }

    #[test]
    fn target_is_return_plus_discounted_value() {
        // 1 + 0.5 * 4 = 3; terminated: 1 + 0 * 4 = 1.
        let y = td_target(
            &Tensor::from_slice(&[1.0f32, 1.0]),
            &Tensor::from_slice(&[0.5f32, 0.0]),
            &Tensor::from_slice(&[4.0f32, 4.0]),
        );
        assert_eq!(values(&y), [3.0, 1.0]);
    }

    #[test]
    fn huber_is_quadratic_then_linear() {
        // δ = 0.5: 0.125; δ = 1: 0.5; δ = 3: 2.5; δ = -3: 2.5.
        let q = Tensor::from_slice(&[0.0f32, 0.0, 0.0, 3.0]);
        let y = Tensor::from_slice(&[0.5f32, 1.0, 3.0, 0.0]);
        assert_eq!(values(&huber(&q, &y)), [0.125, 0.5, 2.5, 2.5]);
    }

    #[test]
    fn huber_gradient_is_the_clipped_error() {
        let q = Tensor::from_slice(&[0.0f32, 0.0]).set_requires_grad(true);
        let y = Tensor::from_slice(&[0.5f32, 3.0]);
        huber(&q, &y).sum(Kind::Float).backward();
        assert_eq!(values(&q.grad()), [-0.5, -1.0]);
    }
}
