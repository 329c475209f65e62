//! Losses of return distributions.

use super::assert_shape;
use tch::{Kind, Tensor};

/// Projects a distribution on moved atoms back onto the fixed support:
/// pᵢ = Σⱼ max(0, 1 − |clamp(z′ⱼ) − zᵢ| / Δz) · p′ⱼ.
///
/// # Shapes
/// probs: `[B, Z]` f32 of the bootstrap action · td_support: `[B, Z]` = R + Γ·z · support: `[Z]`
/// evenly spaced · returns `[B, Z]`, without gradient.
///
/// # Source
/// Bellemare et al. 2017 (arXiv 1707.06887), equation 7.
///
/// # Differs
/// Written as one triangular kernel instead of the paper's loop over atoms; the values are equal.
pub fn project_categorical(probs: &Tensor, td_support: &Tensor, support: &Tensor) -> Tensor {
    let atoms = support.size()[0];
    assert_shape("td_support", td_support, &probs.size());
    assert_shape("probs", probs, &[td_support.size()[0], atoms]);
    let low = support.double_value(&[0]);
    let high = support.double_value(&[atoms - 1]);
    let gap = (high - low) / (atoms - 1) as f64;
    let moved = td_support.clamp(low, high).unsqueeze(1); // [B, 1, Z]
    let distance = (moved - support.view([1, -1, 1])).abs() / gap; // [B, Z, Z]
    let share = (distance * -1.0 + 1.0).clamp_min(0.0); // [B, Z, Z]
    (share * probs.unsqueeze(1)).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float).detach()
}

/// Cross-entropy of a predicted categorical distribution against a target one: −Σᵢ yᵢ log pᵢ.
///
/// # Shapes
/// logits: `[B, Z]` f32 of the action taken · target_probs: `[B, Z]`, no grad · returns `[B]`.
///
/// # Source
/// Bellemare et al. 2017, Algorithm 1.
///
/// # Differs
/// None. It exceeds the KL divergence by the target's entropy, which has no gradient.
pub fn categorical_cross_entropy(logits: &Tensor, target_probs: &Tensor) -> Tensor {
    assert_shape("target_probs", target_probs, &logits.size());
    -(target_probs * logits.log_softmax(-1, Kind::Float)).sum_dim_intlist(
        [-1i64].as_slice(),
        false,
        Kind::Float,
    )
}

/// Quantile Huber loss: Σᵢ (1/N) Σⱼ |τᵢ − 1{uᵢⱼ < 0}| · H(uᵢⱼ), uᵢⱼ = yⱼ − θᵢ, τᵢ = (2i + 1) / 2N.
///
/// # Shapes
/// quantiles: `[B, N]` f32 θ of the action taken · targets: `[B, N]` y, no grad · returns `[B]`.
///
/// # Source
/// Dabney et al. 2018 (arXiv 1710.10044), equations 10 and Algorithm 1, κ = 1.
///
/// # Differs
/// None.
pub fn quantile_huber(quantiles: &Tensor, targets: &Tensor) -> Tensor {
    assert_shape("targets", targets, &quantiles.size());
    let count = quantiles.size()[1];
    let fraction = (Tensor::arange(count, (Kind::Float, quantiles.device())) * 2.0 + 1.0)
        / (2.0 * count as f64);
    let error = targets.unsqueeze(1) - quantiles.unsqueeze(2); // [B, N(θ), N(y)]
    let below = error.lt(0.0).to_kind(Kind::Float);
    let asymmetry = (fraction.view([1, -1, 1]) - below).abs().detach(); // [B, N, N]
    let magnitude = error.abs();
    let quadratic = magnitude.clamp_max(1.0);
    let huber = &quadratic * (&magnitude - &quadratic * 0.5);
    (asymmetry * huber)
        .mean_dim([2i64].as_slice(), false, Kind::Float) // over targets
        .sum_dim_intlist([1i64].as_slice(), false, Kind::Float) // over quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(t: &Tensor) -> Vec<f32> {
        Vec::try_from(t.reshape([-1])).unwrap()
    }

    #[test]
    fn projection_splits_mass_between_neighbours() {
        // Support 0, 1, 2. All mass moved to 0.25 falls three quarters on 0 and one on 1;
        // mass moved past the end stays on the last atom.
        let support = Tensor::from_slice(&[0.0f32, 1.0, 2.0]);
        let probs = Tensor::from_slice2(&[[1.0f32, 0.0, 0.0], [0.0, 0.5, 0.5]]);
        let moved = Tensor::from_slice2(&[[0.25f32, 0.0, 0.0], [0.0, 1.5, 7.0]]);
        let projected = project_categorical(&probs, &moved, &support);
        assert_eq!(rows(&projected), [0.75, 0.25, 0.0, 0.0, 0.25, 0.75]);
    }

    #[test]
    fn cross_entropy_of_even_logits_is_log_of_their_number() {
        let loss = categorical_cross_entropy(
            &Tensor::from_slice2(&[[0.0f32, 0.0]]),
            &Tensor::from_slice2(&[[0.3f32, 0.7]]),
        );
        assert!((rows(&loss)[0] - 2.0f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn quantile_loss_weighs_over_and_underestimates() {
        // One quantile, τ = 1/2: half the Huber loss, |u| = 3 -> 2.5 / 2.
        let one =
            quantile_huber(&Tensor::from_slice2(&[[0.0f32]]), &Tensor::from_slice2(&[[3.0f32]]));
        assert_eq!(rows(&one), [1.25]);
        // Two quantiles, τ = 1/4 and 3/4, at 0; targets 1 and -1, H = 1/2 each.
        // θ₀: (1/4·½ + 3/4·½)/2 = 1/4; θ₁: (3/4·½ + 1/4·½)/2 = 1/4; sum 1/2.
        let two = quantile_huber(
            &Tensor::from_slice2(&[[0.0f32, 0.0]]),
            &Tensor::from_slice2(&[[1.0f32, -1.0]]),
        );
        assert_eq!(rows(&two), [0.5]);
        // Both targets above: θ₀: 1/4·½, θ₁: 3/4·½; sum 1/2.
        let above = quantile_huber(
            &Tensor::from_slice2(&[[0.0f32, 0.0]]),
            &Tensor::from_slice2(&[[1.0f32, 1.0]]),
        );
        assert_eq!(rows(&above), [0.5]);
        // Only θ₁ too low: θ₀ at 1 is exact, θ₁ at 0: 3/4·½.
        let low = quantile_huber(
            &Tensor::from_slice2(&[[1.0f32, 0.0]]),
            &Tensor::from_slice2(&[[1.0f32, 1.0]]),
        );
        assert_eq!(rows(&low), [0.375]);
    }
}
