//! Contrastive losses, their ablation, and what is measured of contrasts.
//!
//! All of it works in the kind of its inputs, f32 or f64.

use super::assert_shape;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Cosines of B anchors with P positives and K negatives each, and how much each counts.
#[derive(Clone, Copy, Debug)]
pub struct ContrastLogits<'a> {
    /// `[B, P]` cosines.
    pub positive: &'a Tensor,
    /// `[B, P]` weights, at least 0, that sum to 1 in each row; 0 = no positive.
    pub positive_weight: &'a Tensor,
    /// `[B, K]` cosines.
    pub negative: &'a Tensor,
    /// `[B, K]` weights, at least 0; 0 = masked.
    pub negative_weight: &'a Tensor,
}

/// Correction for false negatives, and how much more the hard negatives count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Debias {
    /// Probability that a negative is of the anchor's own kind, 0 to below 1.
    pub tau_plus: f64,
    /// Exponent of a negative's importance, at least 0; 0 = all alike.
    pub hardness: f64,
}

/// Stands for log 0: far below any logit, and finite, so that no gradient becomes NaN.
const LOG_ZERO: f64 = -1e30;

/// Below this norm a vector has no direction: its cosines are 0 and so are their gradients.
const SMALLEST_NORM: f64 = 1e-6;

/// Contrastive loss with soft positives: L = −log( Sₚ / (Sₚ + Sₙ) ),
/// Sₚ = Σᵢ wᵢ exp(sᵢ/T), Sₙ = Σⱼ uⱼ exp(sⱼ/T).
///
/// # Shapes
/// See [`ContrastLogits`] · returns `[B]`. A row whose negatives are all masked gives 0.
///
/// # Source
/// InfoNCE: van den Oord et al. 2018 (arXiv 1807.03748), equation 4; positives that are weighted
/// by behavioural distance as in PSE, Agarwal et al. 2021 (arXiv 2101.05265).
///
/// # Differs
/// Weights on both sides; here the positives' weights are in both sums, so that several positives
/// at the same cosine are one positive. With one positive and all weights 1 it is InfoNCE.
///
/// # Panics
/// If shapes do not match or the temperature is not positive.
pub fn contrastive(c: &ContrastLogits<'_>, temperature: f64) -> Tensor {
    check(c, temperature);
    let positive = weighted_log_sum_exp(c.positive, c.positive_weight, temperature); // [B]
    let negative = weighted_log_sum_exp(c.negative, c.negative_weight, temperature); // [B]
    // −log(Sₚ / (Sₚ + Sₙ)) = log(1 + Sₙ/Sₚ): nothing is exponentiated that could overflow.
    (negative - positive).softplus()
}

/// [`contrastive`] with hard and debiased negatives: Sₙ becomes
/// Sₙ′ = max( (Σⱼ uⱼ ιⱼ exp(sⱼ/T) − τ N Sₚ) / (1 − τ), N exp(−1/T) ),
/// ιⱼ = exp(β sⱼ/T) / mean(exp(β s/T)), N = Σⱼ uⱼ, τ = `tau_plus`, β = `hardness`.
///
/// # Shapes
/// See [`ContrastLogits`] · returns `[B]`. With τ = β = 0 it is [`contrastive`] exactly.
///
/// # Source
/// Robinson et al. 2021 (arXiv 2010.04592), section 3 and the authors' `criterion`; debiasing by
/// Chuang et al. 2020 (arXiv 2007.00224), equations 7 and 8.
///
/// # Differs
/// The mean is over unmasked negatives, weighted as they are, and N is their total weight; Sₚ is
/// a sum over soft positives. As in the authors' code, and unlike a sampler's, the importances ι
/// carry a gradient: negatives with exp(s/T) below β/(1 + β) of Σ uⱼ ιⱼ exp(sⱼ/T) / N are pulled
/// towards the anchor. Where the lower end N exp(−1/T) is reached, negatives have no gradient.
///
/// # Panics
/// As [`contrastive`]; if `tau_plus` is not in [0, 1) or `hardness` is negative.
pub fn debiased(c: &ContrastLogits<'_>, temperature: f64, debias: &Debias) -> Tensor {
    let Debias { tau_plus: tau, hardness } = *debias;
    assert!((0.0..1.0).contains(&tau), "tau_plus is {tau}, must be in [0, 1)");
    assert!(hardness >= 0.0, "hardness is {hardness}, must be at least 0");
    if tau == 0.0 && hardness == 0.0 {
        return contrastive(c, temperature);
    }
    check(c, temperature);
    let kind = c.negative.kind();
    let count = c.negative_weight.sum_dim_intlist([-1i64].as_slice(), false, kind); // [B]
    let none = count.le(0.0); // [B]
    let log_count = count.masked_fill(&none, 1.0).log();
    // Everything stays a logarithm: exp((1 + β)/T) overflows f32 at common temperatures.
    let importance = |exponent: f64| {
        weighted_log_sum_exp(&(c.negative * exponent), c.negative_weight, temperature)
    };
    let hard = importance(1.0 + hardness) - importance(hardness) + &log_count; // log Σ uιe, [B]
    let positive = weighted_log_sum_exp(c.positive, c.positive_weight, temperature); // [B]
    // The share of Σ uιe that τ N Sₚ takes away, as a logarithm.
    let log_share = &positive + &log_count + tau.max(f64::MIN_POSITIVE).ln() - &hard;
    let lowest = log_count - 1.0 / temperature;
    // What is left, (1 − share), must exceed the lower end in units of Σ uιe / (1 − τ).
    let left = (&lowest + (1.0 - tau).ln() - &hard).exp();
    let above = (log_share.clamp_max(0.0).exp() + left).lt(1.0); // [B]
    // Rows at the lower end get a harmless share, or log(1 − share) would make their gradient NaN.
    let log_share = log_share.masked_fill(&above.logical_not(), -1.0);
    let corrected = hard - (1.0 - tau).ln() + (-log_share.exp()).log1p();
    let negative = corrected.where_self(&above, &lowest).masked_fill(&none, LOG_ZERO);
    (negative - positive).softplus()
}

/// 1 where the best positive of positive weight is closer than every unmasked negative, else 0.
/// A tie is wrong, so an encoder that maps everything to one point gets 0.
///
/// # Shapes
/// See [`ContrastLogits`] · returns `[B]` f32, no grad. A row whose negatives are all masked is
/// right: nothing beats its positive.
///
/// # Source
/// Van den Oord et al. 2018, section 3.1, reports this accuracy of the positive.
///
/// # Differs
/// Several positives; a tie is wrong.
///
/// # Panics
/// If shapes do not match.
pub fn contrast_accuracy(c: &ContrastLogits<'_>) -> Tensor {
    check(c, 1.0);
    let best = |cosine: &Tensor, weight: &Tensor| {
        let unmasked = cosine.detach().masked_fill(&weight.le(0.0), LOG_ZERO);
        unmasked.amax([-1i64].as_slice(), false) // [B]
    };
    let positive = best(c.positive, c.positive_weight);
    positive.gt_tensor(&best(c.negative, c.negative_weight)).to_kind(Kind::Float)
}

/// What contrasts say about mutual information, in nats: log(K + 1) − L.
///
/// The expectation is a lower bound on the mutual information of anchor and positive *if* the K
/// negatives are drawn from the positives' own marginal, independently of the anchor, and nothing
/// is debiased. It cannot exceed log(K + 1), however large the information is: say K beside it.
/// Drawn or masked otherwise it is no bound: with negatives of the anchor's own kind left out, a
/// perfect encoder reaches log(K + 1) also where the information is less. Harder negatives lower
/// the number.
///
/// # Source
/// Van den Oord et al. 2018, section 2.3; Poole et al. 2019 (arXiv 1905.06922), section 2.3.
///
/// # Differs
/// None.
#[must_use]
pub fn information_bound(mean_loss: f64, negatives: f64) -> f64 {
    (negatives + 1.0).ln() - mean_loss
}

/// Squared distance to the directions of the positives, Σₚ wₚ (2 − 2 cosₚ): what is left of a
/// contrast without negatives.
///
/// # Shapes
/// cosines: `[B, P]` · weights: `[B, P]`, no grad · returns `[B]`, 0 to 4 for weights that add up
/// to 1.
///
/// # Source
/// SPR, Schwarzer et al. 2021 (arXiv 2007.05929); Grill et al. 2020 (BYOL), equation 2.
///
/// # Differs
/// One step; SPR sums over five.
///
/// # Panics
/// If shapes do not match.
pub fn squared_error(cosines: &Tensor, weights: &Tensor) -> Tensor {
    assert_shape("weights", weights, &cosines.size());
    let distance: Tensor = (1.0 - cosines) * 2.0;
    (distance * weights).sum_dim_intlist([-1i64].as_slice(), false, cosines.kind())
}

/// KL divergence of a student's action distribution from its teacher's: Σₐ pₐ (log pₐ − log qₐ),
/// with 0 log 0 = 0.
///
/// # Shapes
/// teacher_probs: `[B, A]` p, no grad · student_logits: `[B, A]`, q = softmax · returns `[B]`.
///
/// # Source
/// The KL loss of policy distillation, Rusu et al. 2016 (arXiv 1511.06295).
///
/// # Differs
/// The temperature is the caller's: both sides come divided by it.
///
/// # Panics
/// If shapes do not match.
pub fn distillation_kl(teacher_probs: &Tensor, student_logits: &Tensor) -> Tensor {
    assert_shape("student_logits", student_logits, &teacher_probs.size());
    let kind = student_logits.kind();
    let teacher = teacher_probs.detach(); // a target carries no gradient
    let log_teacher = teacher.masked_fill(&teacher.le(0.0), 1.0).log();
    (teacher * (log_teacher - student_logits.log_softmax(-1, kind))).sum_dim_intlist(
        [-1i64].as_slice(),
        false,
        kind,
    )
}

/// Mean squared distance of anchors and their positives on the unit sphere: E ‖x − y‖². Small is
/// aligned.
///
/// # Shapes
/// anchor: `[B, D]` · positive: `[B, D]` · returns a scalar, 0 to 4.
///
/// # Source
/// Wang and Isola 2020 (arXiv 2005.10242), section 4.1, α = 2.
///
/// # Differs
/// Rows are normalised here.
///
/// # Panics
/// If shapes do not match.
pub fn alignment(anchor: &Tensor, positive: &Tensor) -> Tensor {
    assert_shape("positive", positive, &anchor.size());
    let kind = anchor.kind();
    let squared = (unit(anchor) - unit(positive)).square();
    squared.sum_dim_intlist([-1i64].as_slice(), false, kind).mean(kind)
}

/// Logarithm of the mean Gaussian potential of pairs on the unit sphere:
/// log E exp(−t ‖x − y‖²), t = 2. 0 where all rows are one direction, lower where they spread.
///
/// # Shapes
/// x: `[N, D]` · returns a scalar, −8 to 0; 0 for a single row.
///
/// # Source
/// Wang and Isola 2020, section 4.1, over the pairs of different rows.
///
/// # Differs
/// Rows are normalised here.
pub fn uniformity(x: &Tensor) -> Tensor {
    let kind = x.kind();
    let x = unit(x);
    let rows = x.size()[0];
    if rows < 2 {
        return Tensor::zeros([0i64; 0].as_slice(), (kind, x.device()));
    }
    // ‖x − y‖² = ‖x‖² + ‖y‖² − 2 x·y, where a row without direction has norm 0.
    let norms = x.square().sum_dim_intlist([-1i64].as_slice(), true, kind); // [N, 1]
    let squared = &norms + norms.transpose(0, 1) - x.matmul(&x.transpose(0, 1)) * 2.0; // [N, N]
    let potential = (squared.clamp_min(0.0) * -2.0).exp();
    // One triangle: each pair once, and no row with itself.
    (potential.tril(-1).sum(kind) / (rows * (rows - 1) / 2) as f64).log()
}

/// Cosines over the last axis: a·b / (‖a‖ ‖b‖), and 0 with gradient 0 where a norm is below 1e-6.
///
/// # Shapes
/// a: `[..., D]` · b: `[..., D]`, broadcast against a · returns `[...]`.
///
/// # Source
/// Definition.
///
/// # Differs
/// A vector of zeros, which the code of an observation can be, has a gradient of 0; dividing by a
/// small number instead would multiply it by that number's inverse.
///
/// # Panics
/// If the shapes cannot be broadcast.
pub fn cosine(a: &Tensor, b: &Tensor) -> Tensor {
    (unit(a) * unit(b)).sum_dim_intlist([-1i64].as_slice(), false, a.kind())
}

/// Vectors of length 1 in the directions of those on the last axis; zeros, with gradient 0, where
/// a norm is below 1e-6. See [`cosine`].
///
/// # Shapes
/// x: `[..., D]` · returns `[..., D]`.
pub fn unit(x: &Tensor) -> Tensor {
    let norm = x.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true); // [..., 1]
    // x/∞ is 0 and so is its gradient.
    x / norm.masked_fill(&norm.lt(SMALLEST_NORM), f64::INFINITY)
}

/// log Σᵢ wᵢ exp(sᵢ/T) over the last axis; what weighs 0 takes no part.
fn weighted_log_sum_exp(cosine: &Tensor, weight: &Tensor, temperature: f64) -> Tensor {
    let masked = weight.le(0.0);
    // log 1 in place of log 0: the masked term is overwritten, and its gradient stays finite.
    let log_weight = weight.masked_fill(&masked, 1.0).log();
    let terms = (cosine / temperature + log_weight).masked_fill(&masked, LOG_ZERO);
    terms.logsumexp([-1i64].as_slice(), false)
}

#[track_caller]
fn check(c: &ContrastLogits<'_>, temperature: f64) {
    assert!(temperature > 0.0, "the temperature is {temperature}, must be above 0");
    let (&[rows, positives], &[_, negatives]) =
        (c.positive.size().as_slice(), c.negative.size().as_slice())
    else {
        panic!("cosines are {:?} and {:?}, not [B, P] and [B, K]", c.positive, c.negative)
    };
    assert!(positives > 0 && negatives > 0, "P = {positives} and K = {negatives} must be above 0");
    assert_shape("positive_weight", c.positive_weight, &[rows, positives]);
    assert_shape("negative", c.negative, &[rows, negatives]);
    assert_shape("negative_weight", c.negative_weight, &[rows, negatives]);
}

#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod tests;
