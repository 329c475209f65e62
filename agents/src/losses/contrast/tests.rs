use super::*;
use crate::scalar::{double, floats};

/// The temperature at which exp(s/T) = 2^s, so that sums can be done in the head.
const HALVING: f64 = std::f64::consts::LOG2_E;

/// Cosines and weights of one contrast after another.
struct Rows {
    positive: Tensor,
    positive_weight: Tensor,
    negative: Tensor,
    negative_weight: Tensor,
}

impl Rows {
    fn new<const P: usize, const K: usize>(
        positive: &[[f64; P]],
        positive_weight: &[[f64; P]],
        negative: &[[f64; K]],
        negative_weight: &[[f64; K]],
    ) -> Self {
        Self {
            positive: Tensor::from_slice2(positive),
            positive_weight: Tensor::from_slice2(positive_weight),
            negative: Tensor::from_slice2(negative),
            negative_weight: Tensor::from_slice2(negative_weight),
        }
    }

    fn logits(&self) -> ContrastLogits<'_> {
        let Self { positive, positive_weight, negative, negative_weight } = self;
        ContrastLogits { positive, positive_weight, negative, negative_weight }
    }

    /// Loss and the gradients of its sum by the positive and negative cosines.
    fn differentiate(
        &self,
        loss: impl Fn(&ContrastLogits<'_>) -> Tensor,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let [positive, negative] =
            [&self.positive, &self.negative].map(|t| t.copy().set_requires_grad(true));
        let logits = ContrastLogits { positive: &positive, negative: &negative, ..self.logits() };
        let loss = loss(&logits);
        let grads =
            Tensor::run_backward(&[loss.sum(Kind::Double)], &[&positive, &negative], false, false);
        (floats(&loss), floats(&grads[0]), floats(&grads[1]))
    }
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} for {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f64::from(*f) - e).abs() < 1e-6, "{found:?} for {expected:?}");
    }
}

#[test]
fn two_anchors_against_two_keys() {
    // Anchors (1, 0) and (0, 1); keys (1, 0) and (0.6, 0.8), the second as (3, 4). Cosines:
    //            key 1   key 2
    // anchor 1     1      0.6     positive key 1: log(1 + e^((0.6 - 1)/0.5)) = log(1 + e^-0.8)
    // anchor 2     0      0.8     positive key 2: log(1 + e^((0 - 0.8)/0.5)) = log(1 + e^-1.6)
    // e^-0.8 = 0.449329, e^-1.6 = 0.201897; log 1.449329 = 0.371101, log 1.201897 = 0.183901.
    let anchors = Tensor::from_slice2(&[[1.0, 0.0], [0.0, 1.0]]);
    let keys = Tensor::from_slice2(&[[1.0, 0.0], [3.0, 4.0]]);
    let cosines = cosine(&anchors.unsqueeze(1), &keys); // [2, 1, 2] against [2, 2] -> [2, 2]
    assert_close(&floats(&cosines), &[1.0, 0.6, 0.0, 0.8]);
    let (positive, negative) =
        (Tensor::from_slice2(&[[1.0], [0.8]]), Tensor::from_slice2(&[[0.6], [0.0]]));
    let weight = Tensor::from_slice2(&[[1.0], [1.0]]);
    let logits = ContrastLogits {
        positive: &positive,
        positive_weight: &weight,
        negative: &negative,
        negative_weight: &weight,
    };
    assert_close(&floats(&contrastive(&logits, 0.5)), &[0.371_101, 0.183_901]);
    assert_eq!(floats(&contrast_accuracy(&logits)), [1.0, 1.0]);
    // Mean loss 0.277501: the bound is log 2 - 0.277501 = 0.415646 nats, of at most 0.693147.
    assert!((information_bound(0.277_501, 1.0) - 0.415_646).abs() < 1e-6);
}

#[test]
fn weights_count_on_both_sides() {
    // 2^s: positives 2, 1/2 at weights 1/2, 1/2: 1.25. Negatives 2, 1, 1/2 at weights 1, 2, 0: 4.
    // L = log(5.25 / 1.25) = log 4.2. Gradient by s: log 2 times
    //   positives: w e (1/5.25 - 1/1.25) = (1, 0.25) * -0.609524
    //   negatives: u e / 5.25 = (2, 2, 0) / 5.25
    let rows = Rows::new(&[[1.0, -1.0]], &[[0.5, 0.5]], &[[1.0, 0.0, -1.0]], &[[1.0, 2.0, 0.0]]);
    let (loss, positive, negative) = rows.differentiate(|c| contrastive(c, HALVING));
    assert_close(&loss, &[4.2f64.ln()]);
    let log_2 = 2f64.ln();
    assert_close(&positive, &[-0.609_524 * log_2, -0.152_381 * log_2]);
    assert_close(&negative, &[0.380_952 * log_2, 0.380_952 * log_2, 0.0]);
}

#[test]
fn masked_cosines_take_no_part() {
    // A positive and negatives of weight 0 change nothing, wherever they are.
    let rows = Rows::new(&[[0.5, 1.0]], &[[1.0, 0.0]], &[[1.0, 0.0, 0.25]], &[[0.0, 1.0, 0.0]]);
    let without = Rows::new(&[[0.5]], &[[1.0]], &[[0.0]], &[[1.0]]);
    for debias in [Debias::default(), Debias { tau_plus: 0.2, hardness: 1.5 }] {
        let (loss, positive, negative) = rows.differentiate(|c| debiased(c, 0.3, &debias));
        let (alone, own, other) = without.differentiate(|c| debiased(c, 0.3, &debias));
        assert_eq!(loss, alone);
        assert_eq!((positive, negative), (vec![own[0], 0.0], vec![0.0, other[0], 0.0]));
    }
    assert_eq!(floats(&contrast_accuracy(&rows.logits())), [1.0]);
}

#[test]
fn row_without_negatives_has_loss_and_gradient_zero() {
    // Row 0 has no negative left; row 1 has one at the positive's cosine: log 2.
    let rows = Rows::new(&[[-1.0], [0.3]], &[[1.0], [1.0]], &[[1.0], [0.3]], &[[0.0], [1.0]]);
    for hardness in [0.0, 1.0] {
        let debias = Debias { tau_plus: 0.0, hardness };
        let (loss, positive, negative) = rows.differentiate(|c| debiased(c, 0.01, &debias));
        assert_close(&loss, &[0.0, 2f64.ln()]);
        assert_eq!(loss[0], 0.0);
        // Row 1: softmax over two equal logits, 1/2 / T.
        assert_eq!((positive[0], negative[0]), (0.0, 0.0), "row 0 has no gradient");
        let hard = f64::from(negative[1]);
        assert!((f64::from(positive[1]) + 50.0).abs() < 1e-3, "{positive:?}");
        assert!((hard - 50.0).abs() < 1e-3, "a single negative has importance 1: {negative:?}");
    }
}

#[test]
fn weights_of_zero_give_gradients_that_are_finite() {
    let rows = Rows::new(&[[0.5, 1.0]], &[[1.0, 0.0]], &[[1.0, 0.0]], &[[0.0, 1.0]]);
    let [positive, negative] =
        [&rows.positive_weight, &rows.negative_weight].map(|t| t.copy().set_requires_grad(true));
    let logits =
        ContrastLogits { positive_weight: &positive, negative_weight: &negative, ..rows.logits() };
    let loss = debiased(&logits, 0.1, &Debias { tau_plus: 0.1, hardness: 1.0 });
    let total = [loss.sum(Kind::Double)];
    for gradient in Tensor::run_backward(&total, &[&positive, &negative], false, false) {
        let gradient = floats(&gradient);
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }
}

#[test]
fn extreme_temperatures_neither_overflow_nor_lose_the_gradient() {
    // exp(1/T) = e^1000 is no f32 or f64. Right by 0.1: loss e^-100, 0 in f32; wrong by 0.1: 100.
    let kind = |t: &Tensor| t.to_kind(Kind::Float);
    let rows = Rows::new(&[[1.0], [0.9]], &[[1.0], [1.0]], &[[0.9], [1.0]], &[[1.0], [1.0]]);
    let rows = Rows {
        positive: kind(&rows.positive),
        positive_weight: kind(&rows.positive_weight),
        negative: kind(&rows.negative),
        negative_weight: kind(&rows.negative_weight),
    };
    for debias in [Debias::default(), Debias { tau_plus: 0.1, hardness: 2.0 }] {
        let (loss, positive, negative) = rows.differentiate(|c| debiased(c, 0.001, &debias));
        assert!(loss[0] < 1e-6 && (loss[1] - 100.0).abs() < 0.2, "{debias:?}: {loss:?}");
        assert!((positive[1] + 1000.0).abs() < 1.0, "{debias:?}: {positive:?}");
        assert!(negative.iter().all(|g| g.is_finite()), "{debias:?}: {negative:?}");
    }
    let (even, ..) = rows.differentiate(|c| contrastive(c, 1e6));
    assert!(even.iter().all(|l| (f64::from(*l) - 2f64.ln()).abs() < 1e-5), "{even:?}");
}

#[test]
fn hard_and_debiased_negatives_by_hand() {
    // 2^s: positive 1; negatives 2 and 1/2, a masked third at 2; N = 2, lower end 2 · 1/2 = 1.
    let rows = Rows::new(&[[0.0]], &[[1.0]], &[[1.0, -1.0, 1.0]], &[[1.0, 1.0, 0.0]]);
    let loss = |tau_plus, hardness| {
        floats(&debiased(&rows.logits(), HALVING, &Debias { tau_plus, hardness }))
    };
    // Debiasing alone: (2.5 - 0.1 · 2 · 1) / 0.9 = 23/9.
    assert_close(&loss(0.1, 0.0), &[(1.0f64 + 23.0 / 9.0).ln()]);
    // Hardness 1 alone: importances 2 and 1/2 over their mean 1.25 are 1.6 and 0.4:
    // 1.6 · 2 + 0.4 · 1/2 = 3.4.
    assert_close(&loss(0.0, 1.0), &[4.4f64.ln()]);
    // Both: (3.4 - 0.2) / 0.9 = 32/9.
    assert_close(&loss(0.1, 1.0), &[(1.0f64 + 32.0 / 9.0).ln()]);
    // Hardness 2: importances 4 and 1/4 over 2.125: (4 · 2 + 1/4 · 1/2) / 2.125 = 8.125 / 2.125.
    assert_close(&loss(0.0, 2.0), &[(1.0f64 + 8.125 / 2.125).ln()]);
}

#[test]
fn debiasing_stops_at_the_lower_end() {
    // 2^s: positive 2, negatives 1/2 and 1/2, N = 2: (1 - 0.5 · 2 · 2) / 0.5 < 1 = 2 · 1/2.
    // L = log(1 + 1/2). Only the positive has a gradient: -log 2 · 1/(1 + 2).
    let rows = Rows::new(&[[1.0]], &[[1.0]], &[[-1.0, -1.0]], &[[1.0, 1.0]]);
    let debias = Debias { tau_plus: 0.5, hardness: 0.0 };
    let (loss, positive, negative) = rows.differentiate(|c| debiased(c, HALVING, &debias));
    assert_close(&loss, &[1.5f64.ln()]);
    assert_close(&positive, &[-(2f64.ln()) / 3.0]);
    assert_eq!(negative, [0.0, 0.0]);
}

#[test]
fn hardness_moves_gradient_to_the_hard_and_lets_go_of_the_easy() {
    // 2^s: positive 1; negatives 2 and 1/2. Plain: shares of Sₙ = 2.5 are 0.8 and 0.2.
    // Hardness 1, H = (4 + 1/4) / 1.25 = 3.4: ∂H/∂log e = (2 e² - e H/2) / 1.25, that is
    // (8 - 3.4)/1.25 = 3.68 for the hard and (0.5 - 0.85)/1.25 = -0.28 for the easy one, which
    // lies below half of H/2 = 1.7. L = log(1 + H): divided by 4.4, times log 2.
    let rows = Rows::new(&[[0.0]], &[[1.0]], &[[1.0, -1.0]], &[[1.0, 1.0]]);
    let log_2 = 2f64.ln();
    let gradient = |hardness| {
        rows.differentiate(|c| debiased(c, HALVING, &Debias { tau_plus: 0.0, hardness })).2
    };
    assert_close(&gradient(0.0), &[2.0 / 3.5 * log_2, 0.5 / 3.5 * log_2]);
    assert_close(&gradient(1.0), &[3.68 / 4.4 * log_2, -0.28 / 4.4 * log_2]);
}

#[test]
fn no_correction_is_the_plain_loss() {
    let rows = Rows::new(&[[0.3, -0.2]], &[[0.7, 0.3]], &[[0.1, 0.9]], &[[1.0, 0.5]]);
    let plain = floats(&contrastive(&rows.logits(), 0.1));
    assert_eq!(floats(&debiased(&rows.logits(), 0.1, &Debias::default())), plain);
    // The general path agrees in the limit, so the special one hides no jump.
    let nearly = Debias { tau_plus: 0.0, hardness: 1e-9 };
    assert_close(&floats(&debiased(&rows.logits(), 0.1, &nearly)), &[f64::from(plain[0])]);
}

#[test]
fn accuracy_wants_the_best_positive_above_all_unmasked_negatives() {
    let rows = Rows::new(
        //  right       tie         the best      masked      all masked
        &[[0.5, 0.9], [0.5, 0.5], [0.9, -1.0], [0.2, 0.9], [-1.0, -1.0]],
        &[[0.5, 0.5], [1.0, 0.0], [0.1, 0.9], [1.0, 0.0], [0.5, 0.5]],
        &[[0.8, 0.1], [0.5, 0.1], [0.8, 0.7], [0.3, 0.1], [1.0, 1.0]],
        &[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]],
    );
    assert_eq!(floats(&contrast_accuracy(&rows.logits())), [1.0, 0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn collapsed_encoder_has_accuracy_and_bound_zero() {
    // All cosines 1: the loss is log(K + 1) = log 4.
    let ones = [[1.0; 3]; 2];
    let rows = Rows::new(&[[1.0]; 2], &[[1.0]; 2], &ones, &ones);
    assert_eq!(floats(&contrast_accuracy(&rows.logits())), [0.0, 0.0]);
    let loss = double(&contrastive(&rows.logits(), 0.1).mean(Kind::Double));
    assert!(information_bound(loss, 3.0).abs() < 1e-6);
}

#[test]
fn vector_without_direction_has_cosine_and_gradient_zero() {
    let a = Tensor::from_slice2(&[[0.0f32, 0.0], [1e-9, 0.0], [3.0, 4.0]]).set_requires_grad(true);
    let cosines = cosine(&a, &Tensor::from_slice(&[1.0f32, 0.0]));
    assert_eq!(floats(&cosines), [0.0, 0.0, 0.6]);
    cosines.sum(Kind::Float).backward();
    // Row 2: (b - cos a/|a|)/|a| = ((1, 0) - 0.6 (0.6, 0.8)) / 5.
    assert_close(&floats(&a.grad()), &[0.0, 0.0, 0.0, 0.0, 0.128, -0.096]);
}

#[test]
fn squared_error_is_two_minus_two_cosines() {
    // Alike, orthogonal, opposite, cos 0.6: 0, 2, 4, 0.8; lengths do not matter.
    let a = Tensor::from_slice2(&[[2.0f32, 0.0], [1.0, 0.0], [1.0, 0.0], [5.0, 0.0]]);
    let b = Tensor::from_slice2(&[[1.0f32, 0.0], [0.0, 3.0], [-4.0, 0.0], [3.0, 4.0]]);
    let cosines = cosine(&a, &b);
    let alone =
        squared_error(&cosines.unsqueeze(1), &Tensor::from_slice(&[1.0f32; 4]).unsqueeze(1));
    assert_close(&floats(&alone), &[0.0, 2.0, 4.0, 0.8]);
    // Two positives: 0.75 * 2 + 0.25 * 4, 0.75 * 0 + 0.25 * 0.8.
    let weights = Tensor::from_slice(&[0.75f32, 0.25]).expand([2, 2], false);
    let cosines = Tensor::from_slice2(&[[0.0f32, -1.0], [1.0, 0.6]]);
    assert_close(&floats(&squared_error(&cosines, &weights)), &[2.5, 0.2]);
}

#[test]
fn alignment_and_uniformity_by_hand() {
    // Squared distances of pairs: alike 0, orthogonal 2, opposite 4: mean 2.
    let a = Tensor::from_slice2(&[[2.0f32, 0.0], [1.0, 0.0], [1.0, 0.0]]);
    let b = Tensor::from_slice2(&[[1.0f32, 0.0], [0.0, 3.0], [-4.0, 0.0]]);
    assert_close(&[double(&alignment(&a, &b)) as f32], &[2.0]);
    // Directions 0°, 90°, 180°: squared distances 2, 2, 4: log((2 e^-4 + e^-8) / 3).
    let expected = ((2.0 * (-4f64).exp() + (-8f64).exp()) / 3.0).ln();
    assert_close(&[double(&uniformity(&b)) as f32], &[expected]);
    // One direction, whatever the length, and a single row: 0. Zeros lie 1 from any direction.
    let line = Tensor::from_slice2(&[[1.0f32, 1.0], [2.0, 2.0], [7.0, 7.0]]);
    assert_close(&[double(&uniformity(&line)) as f32], &[0.0]);
    assert_close(&[double(&uniformity(&line.narrow(0, 0, 1))) as f32], &[0.0]);
    let dead = Tensor::from_slice2(&[[0.0f32, 0.0], [2.0, 2.0]]);
    assert_close(&[double(&uniformity(&dead)) as f32], &[-2.0]);
}

#[test]
fn distillation_is_zero_for_the_teacher_itself() {
    // Teacher (1/2, 1/2, 0), student uniform over 3: log(3/2). Student = (1/2, 1/4, 1/4):
    // 1/2 log 1 + 1/2 log 2. Its own distribution: 0. Certain against uniform: log 3.
    let teacher = Tensor::from_slice2(&[
        [0.5f32, 0.5, 0.0],
        [0.5, 0.5, 0.0],
        [0.2, 0.3, 0.5],
        [0.0, 1.0, 0.0],
    ]);
    let student = Tensor::from_slice2(&[
        [1.0f32, 1.0, 1.0],
        [2.0, 1.0, 1.0],
        [0.4, 0.6, 1.0],
        [3.0, 3.0, 3.0],
    ])
    .log()
    .set_requires_grad(true);
    let loss = distillation_kl(&teacher, &student);
    assert_close(&floats(&loss), &[1.5f64.ln(), 0.5 * 2f64.ln(), 0.0, 3f64.ln()]);
    // Gradient: softmax - teacher; row 0: 1/3 - (1/2, 1/2, 0).
    loss.sum(Kind::Float).backward();
    let gradient = floats(&student.grad());
    let sixth = 1.0 / 6.0;
    assert_close(&gradient[..3], &[-sixth, -sixth, 1.0 / 3.0]);
    assert_close(&gradient[6..9], &[0.0, 0.0, 0.0]);
}

#[test]
#[should_panic(expected = "negative_weight has shape [1, 2], expected [1, 3]")]
fn other_shapes_are_refused() {
    let rows = Rows::new(&[[1.0]], &[[1.0]], &[[1.0; 3]], &[[1.0; 3]]);
    let weight = rows.negative_weight.narrow(1, 0, 2);
    let _ = contrastive(&ContrastLogits { negative_weight: &weight, ..rows.logits() }, 0.1);
}
