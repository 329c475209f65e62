//! Contrastive losses, tokens and their statistics against PyTorch (make_golden_contrast.py), and
//! gradients against central finite differences.
//!
//! PyTorch computed in f64. Here everything is compared in f64, where the tolerance is for the f32
//! of the comparison itself, and losses also in f32, as they are used.

use crate::golden::{Golden, floats, tensor};
use contrail_agents::losses::{self, ContrastLogits, Debias};
use contrail_agents::tokens;
use tch::{Kind, Tensor, no_grad};

const TOLERANCE: f64 = 1e-6;
/// Cosines of f32 are off by 6e-8, a logit by that over the temperature, 0.05 at least.
const F32_TOLERANCE: f64 = 1e-5;

fn golden() -> Golden {
    Golden::parse(include_str!("../golden/contrast.json"))
}

fn load(name: &str) -> Tensor {
    let golden = golden();
    let (shape, _) = golden.array(name);
    Tensor::from_slice(&golden.floats(name)).view(shape.as_slice())
}

/// Gradients of Σ weightsᵢ lossᵢ by each input.
fn gradients(loss: &Tensor, weights: &Tensor, inputs: &[&Tensor]) -> Vec<Tensor> {
    Tensor::run_backward(&[(loss * weights).sum(Kind::Double)], inputs, false, false)
}

/// Twelve contrasts: `inputs` of the script.
struct Contrasts {
    positive: Tensor,
    positive_weight: Tensor,
    negative: Tensor,
    negative_weight: Tensor,
}

impl Contrasts {
    fn new(kind: Kind) -> Self {
        let leaf = |t: Tensor| t.to_kind(kind).set_requires_grad(true);
        Self {
            positive: leaf(tensor(101, &[12, 3], 1.0)),
            positive_weight: load("positive_weight").to_kind(kind),
            negative: leaf(tensor(102, &[12, 7], 1.0)),
            negative_weight: load("negative_weight").to_kind(kind),
        }
    }

    fn logits(&self) -> ContrastLogits<'_> {
        let Self { positive, positive_weight, negative, negative_weight } = self;
        ContrastLogits { positive, positive_weight, negative, negative_weight }
    }

    fn check(&self, name: &str, loss: &Tensor, tolerance: f64) {
        golden().check(name, loss, tolerance);
        let weights = tensor(105, &[12], 1.0);
        let found = gradients(loss, &weights, &[&self.positive, &self.negative]);
        golden().check(&format!("{name}_gradient_positive"), &found[0], tolerance);
        golden().check(&format!("{name}_gradient_negative"), &found[1], tolerance);
    }
}

/// `-log(own / (own + others))` of sums of exponentials, row by row
#[test]
fn contrastive() {
    for (kind, tolerance) in [(Kind::Double, TOLERANCE), (Kind::Float, F32_TOLERANCE)] {
        for temperature in [0.5, 0.05] {
            let contrasts = Contrasts::new(kind);
            let loss = losses::contrastive(&contrasts.logits(), temperature);
            contrasts.check(&format!("contrastive_{temperature}"), &loss, tolerance);
        }
    }
}

const DEBIASED: [(&str, f64, Debias); 5] = [
    ("hard", 0.5, Debias { tau_plus: 0.0, hardness: 1.0 }),
    ("debiased", 0.5, Debias { tau_plus: 0.1, hardness: 0.0 }),
    ("both", 0.5, Debias { tau_plus: 0.1, hardness: 1.0 }),
    ("strong", 0.05, Debias { tau_plus: 0.02, hardness: 2.0 }),
    ("floor", 0.5, Debias { tau_plus: 0.6, hardness: 0.5 }),
];

/// Robinson et al. 2021, section 3, by importance sampling: `debiased_row`
#[test]
fn debiased() {
    for (kind, tolerance) in [(Kind::Double, TOLERANCE), (Kind::Float, F32_TOLERANCE)] {
        for (name, temperature, debias) in DEBIASED {
            let contrasts = Contrasts::new(kind);
            let loss = losses::debiased(&contrasts.logits(), temperature, &debias);
            contrasts.check(name, &loss, tolerance);
        }
    }
}

/// `F.cross_entropy(torch.cat([s, t], 1) / 0.1, zeros)`; `logits.argmax(1) == 0`
#[test]
fn info_nce_is_cross_entropy() {
    let [positive, negative] =
        [tensor(106, &[12, 1], 1.0), tensor(107, &[12, 7], 1.0)].map(|t| t.to_kind(Kind::Double));
    let logits = ContrastLogits {
        positive: &positive,
        positive_weight: &positive.ones_like(),
        negative: &negative,
        negative_weight: &negative.ones_like(),
    };
    golden().check("info_nce", &losses::contrastive(&logits, 0.1), TOLERANCE);
    golden().check("info_nce_accuracy", &losses::contrast_accuracy(&logits), 0.0);
}

/// `F.cosine_similarity(a, b, dim=-1)` of `[6, 1, 5]` and `[4, 5]`
#[test]
fn cosine() {
    let leaf = |t: Tensor| t.to_kind(Kind::Double).set_requires_grad(true);
    let (a, b) = (leaf(tensor(111, &[6, 1, 5], 1.0)), leaf(tensor(112, &[4, 5], 3.0)));
    let cosines = losses::cosine(&a, &b);
    golden().check("cosine", &cosines, TOLERANCE);
    let found = gradients(&cosines, &tensor(113, &[6, 4], 1.0), &[&a, &b]);
    golden().check("cosine_gradient_a", &found[0], TOLERANCE);
    golden().check("cosine_gradient_b", &found[1], TOLERANCE);
}

/// Each row's one positive is the same row.
fn squared_error(x: &Tensor, y: &Tensor) -> Tensor {
    let cosines = losses::cosine(x, y).unsqueeze(1);
    losses::squared_error(&cosines, &cosines.detach().ones_like())
}

/// `(nx - ny).norm(p=2, dim=1).pow(2).mean()`, `torch.pdist(nx).pow(2).mul(-2).exp().mean().log()`
/// and `F.mse_loss(nx, ny, reduction="none").sum(-1)` of normalised rows
#[test]
fn alignment_uniformity_and_squared_error() {
    let x = tensor(114, &[9, 5], 1.0).to_kind(Kind::Double).set_requires_grad(true);
    let y = tensor(115, &[9, 5], 2.0).to_kind(Kind::Double);
    let ones = Tensor::ones([1], (Kind::Double, tch::Device::Cpu));
    let values = [
        ("alignment", losses::alignment(&x, &y)),
        ("uniformity", losses::uniformity(&x)),
        ("squared_error", squared_error(&x, &y)),
    ];
    for (name, value) in values {
        golden().check(name, &value, TOLERANCE);
        let found = &gradients(&value, &ones, &[&x])[0];
        golden().check(&format!("{name}_gradient"), found, TOLERANCE);
    }
}

/// `F.kl_div(logits.log_softmax(-1), teacher, reduction="none").sum(-1)`, some teachers 0
#[test]
fn distillation_kl() {
    let logits = tensor(122, &[8, 4], 4.0).to_kind(Kind::Double).set_requires_grad(true);
    let teacher = load("teacher").to_kind(Kind::Double);
    assert!(floats(&teacher).contains(&0.0), "the case 0 log 0 is there");
    let loss = losses::distillation_kl(&teacher, &logits);
    golden().check("kl", &loss, TOLERANCE);
    let found = &gradients(&loss, &tensor(123, &[8], 1.0), &[&logits])[0];
    golden().check("kl_gradient", found, TOLERANCE);
}

/// `published_levels`, Mentzer et al. 2023, appendix A.1; without its shift of the input for even L
#[test]
fn levels_of_tokens() {
    for levels in [2u32, 3, 4, 5, 8, 15] {
        let x = tensor(130 + levels, &[40, 6], 3.0);
        let found = tokens::quantize(&x, levels.into()).levels;
        golden().check(&format!("levels_{levels}"), &found, 0.0);
    }
}

/// `Categorical(probs=torch.linalg.svdvals(h)).entropy().exp()` and the formula of ReDo
#[test]
fn effective_rank_and_dormant_units() {
    let h = load("rank_matrix");
    for (name, h) in [("tall", h.shallow_clone()), ("wide", h.transpose(0, 1))] {
        let rank = tokens::effective_rank(&h) as f32;
        golden().check_slice(&format!("effective_rank_{name}"), &[rank], TOLERANCE);
    }
    let layer = load("dormant_layer");
    let mask = tokens::dormant_mask(&layer, tokens::DORMANT_THRESHOLD);
    golden().check("dormant_mask", &mask.to_kind(Kind::Float), 0.0);
    let share = golden().floats("dormant_mask").iter().sum::<f32>() / 20.0;
    let found = tokens::dormant_units(&layer, tokens::DORMANT_THRESHOLD);
    assert!((found - f64::from(share)).abs() < 1e-6, "{found}");
}

/// Checks the gradient of the sum of `loss(x)` at every element of `x`, in f64 with a step of 1e-5:
/// errors of truncation are about 1e-10 times the third derivative, of rounding 1e-11.
fn check_slopes(x: &Tensor, tolerance: f64, loss: impl Fn(&Tensor) -> Tensor) {
    const STEP: f64 = 1e-5;
    let x = x.detach().to_kind(Kind::Double).set_requires_grad(true);
    let total = loss(&x).sum(Kind::Double);
    let gradient: Vec<f64> = doubles(&Tensor::run_backward(&[total], &[&x], false, false)[0]);
    assert!(gradient.iter().any(|g| g.abs() > 0.05), "the gradient is not trivial: {gradient:?}");
    let values = doubles(&x);
    let at = |i: usize, by: f64| {
        let mut moved = values.clone();
        moved[i] += by;
        no_grad(|| {
            loss(&Tensor::from_slice(&moved).view_as(&x)).sum(Kind::Double).double_value(&[])
        })
    };
    for (i, &g) in gradient.iter().enumerate() {
        let slope = (at(i, STEP) - at(i, -STEP)) / (2.0 * STEP);
        let error = (slope - g).abs() / slope.abs().max(1.0);
        assert!(error < tolerance, "element {i}: gradient {g}, finite difference {slope}");
    }
}

fn doubles(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.detach().contiguous().view([-1])).unwrap()
}

#[test]
fn slopes_of_contrasts() {
    let c = Contrasts::new(Kind::Double);
    let cases = DEBIASED.into_iter().chain([("plain", 0.1, Debias::default())]);
    for (_, temperature, debias) in cases {
        let loss = |c: &ContrastLogits<'_>| losses::debiased(c, temperature, &debias);
        check_slopes(&c.positive, 1e-6, |x| loss(&ContrastLogits { positive: x, ..c.logits() }));
        check_slopes(&c.negative, 1e-6, |x| loss(&ContrastLogits { negative: x, ..c.logits() }));
    }
}

#[test]
fn slopes_of_embeddings() {
    // From vectors to a loss, as the learner has it: both sides through the cosine.
    let (anchor, keys) = (tensor(201, &[4, 6], 1.0), tensor(202, &[4, 5, 6], 2.0));
    let keys = keys.to_kind(Kind::Double);
    let weights = |count| Tensor::ones([4, count], (Kind::Double, tch::Device::Cpu)) / count as f64;
    let (positive_weight, negative_weight) = (weights(2), weights(3));
    let loss = |anchor: &Tensor, keys: &Tensor| {
        let cosines = losses::cosine(&anchor.unsqueeze(1), keys); // [4, 5]
        let logits = ContrastLogits {
            positive: &cosines.narrow(1, 0, 2),
            positive_weight: &positive_weight,
            negative: &cosines.narrow(1, 2, 3),
            negative_weight: &negative_weight,
        };
        losses::debiased(&logits, 0.2, &Debias { tau_plus: 0.05, hardness: 0.5 })
    };
    check_slopes(&anchor, 1e-6, |x| loss(x, &keys));
    let anchor = anchor.to_kind(Kind::Double);
    check_slopes(&keys, 1e-6, |x| loss(&anchor, x));
}

#[test]
fn slopes_of_the_other_losses() {
    let x = tensor(203, &[5, 4], 1.0);
    let y = tensor(204, &[5, 4], 1.0).to_kind(Kind::Double);
    check_slopes(&x, 1e-6, |x| squared_error(x, &y));
    check_slopes(&x, 1e-6, |x| losses::alignment(x, &y));
    check_slopes(&x, 1e-6, losses::uniformity);
    let teacher = (&y * 3.0).softmax(-1, Kind::Double);
    check_slopes(&x, 1e-6, |x| losses::distillation_kl(&teacher, x));
}
