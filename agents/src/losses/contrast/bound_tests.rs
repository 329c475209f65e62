//! The bound on mutual information where the information is known.

use super::*;
use crate::scalar::double;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// E log(1 + C) for C ~ Binomial(k, 1/m).
fn expected_loss(k: u32, m: f64) -> f64 {
    let mut probability = (1.0 - 1.0 / m).powi(k as i32); // of C = 0
    let mut sum = 0.0;
    for c in 1..=k {
        probability *= f64::from(k + 1 - c) / f64::from(c) / (m - 1.0);
        sum += probability * f64::from(c + 1).ln();
    }
    sum
}

/// Mean loss of contrasts of `m` one-hot classes scaled by 3, the K negatives of each uniform over
/// all classes; those of the anchor's own class weigh `own`. Also the mean weight of the negatives.
fn class_contrasts(k: u32, m: i64, own: f32) -> (f64, f64) {
    const ANCHORS: i64 = 20_000;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(u64::from(k));
    let mut draw =
        |count: i64| -> Vec<i64> { (0..count).map(|_| rng.random_range(0..m)).collect() };
    let (anchors, negatives) = (draw(ANCHORS), draw(ANCHORS * i64::from(k)));
    let embed = |classes: &[i64]| {
        Tensor::from_slice(classes).one_hot(m).to_kind(Kind::Float) * 3.0 // [count, m]
    };
    let anchor = embed(&anchors);
    let positive = cosine(&anchor, &embed(&anchors)).unsqueeze(1); // [B, 1]
    let negative = embed(&negatives).view([ANCHORS, i64::from(k), m]);
    let negative = cosine(&anchor.unsqueeze(1), &negative); // [B, K]
    let weight = negative.gt(0.5).to_kind(Kind::Float) * f64::from(own - 1.0) + 1.0;
    let ones = positive.ones_like();
    let logits = ContrastLogits {
        positive: &positive,
        positive_weight: &ones,
        negative: &negative,
        negative_weight: &weight,
    };
    let loss = double(&contrastive(&logits, 0.02).mean(Kind::Float));
    (loss, double(&weight.sum_dim_intlist([1i64].as_slice(), false, Kind::Float).mean(Kind::Float)))
}

/// M equally likely classes and a perfect encoder: cosine 1 within a class, 0 between. Then
/// I(anchor; positive) = log M. With C of K independent negatives in the anchor's class, and T so
/// small that e^(1/T) outweighs the others, L = log(1 + C), C ~ Binomial(K, 1/M). Hence
///     E[bound] = log(K + 1) - E log(1 + C)
/// which is at most log E[(K + 1)/(1 + C)] = log(M (1 - (1 - 1/M)^(K + 1))) < log M, by Jensen and
/// E[1/(1 + C)] = (1 - (1 - 1/M)^(K + 1)) M/(K + 1).
/// For M = 8 it is 0.607, 1.289, 1.843 and 2.024 of log 8 = 2.079 at K = 1, 4, 16, 64.
#[test]
fn bound_on_separated_classes_is_what_theory_says() {
    let information = 8f64.ln();
    let mut before = 0.0;
    for (k, known) in [(1, 0.607), (4, 1.289), (16, 1.843), (64, 2.024)] {
        let expected = f64::from(k + 1).ln() - expected_loss(k, 8.0);
        assert!((expected - known).abs() < 1e-3, "K = {k}: {expected}");
        let (loss, negatives) = class_contrasts(k, 8, 1.0);
        let bound = information_bound(loss, negatives);
        // The deviation of log(1 + C) is below 0.5: of its mean over 20,000, below 0.004.
        assert!((bound - expected).abs() < 0.012, "K = {k}: {bound}, expected {expected}");
        assert!(bound > before && bound < information, "K = {k}: {bound}");
        assert!(bound < f64::from(k + 1).ln(), "K = {k}: {bound}");
        before = bound;
    }
}

/// The same with the false negatives masked: the loss vanishes, and log(N + 1) - L is above the
/// information once N + 1 > M. It is then no bound, as [`information_bound`] says.
#[test]
fn masked_false_negatives_make_the_number_exceed_the_information() {
    for k in [1, 4, 16, 64] {
        let (loss, negatives) = class_contrasts(k, 8, 0.0);
        assert!(loss < 1e-6, "K = {k}: {loss}");
        // 7 of 8 negatives are left.
        assert!((negatives / f64::from(k) - 0.875).abs() < 0.01, "K = {k}: {negatives}");
        let number = information_bound(loss, negatives);
        assert_eq!(number > 8f64.ln(), k >= 16, "K = {k}: {number}");
    }
}
